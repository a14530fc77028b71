/* SPDX-License-Identifier: Apache-2.0 */
/* All pairs of NAT kinds, with and without a TURN server: what can connect does, by the cheapest path; what cannot
 * fails with its reason within ten seconds. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <stdio.h>
#include <string.h>

enum kind { OPEN, FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC, BLOCKED, KINDS };
static const char *const kind_names[] = {"open",      "full-cone",  "address-restricted", "port-restricted",
                                         "symmetric", "udp-blocked"};

static struct rmt_nat *add_nat(struct rmt_vnet *v, enum kind kind, const char *name, const char *outer) {
    struct rmt_nat_config c = {.name = name, .outer_ip = outer};
    switch (kind) {
    case OPEN:
        return NULL;
    case FULL_CONE:
        break;
    case ADDRESS_RESTRICTED:
        c.filtering = RMT_NAT_ADDRESS;
        break;
    case PORT_RESTRICTED:
        c.filtering = RMT_NAT_ADDRESS_PORT;
        break;
    case SYMMETRIC:
        c.mapping = RMT_NAT_ADDRESS_PORT;
        c.filtering = RMT_NAT_ADDRESS_PORT;
        c.random_ports = true;
        break;
    default:
        c.udp_blocked = true;
        break;
    }
    return rmt_nat_add(v, &c);
}

/* Whether a direct path exists (RFC 5128): not when both sides are symmetric, nor symmetric with port-restricted. */
static bool direct_possible(enum kind a, enum kind b) {
    if (a == BLOCKED || b == BLOCKED)
        return false;
    if (a == SYMMETRIC)
        return b != SYMMETRIC && b != PORT_RESTRICTED;
    if (b == SYMMETRIC)
        return a != PORT_RESTRICTED;
    return true;
}

static bool decided(void *ctx) {
    struct rmt_peer **p = ctx;
    return (rmt_peer_state(p[0], "bob") == RMI_PC_CONNECTED && rmt_peer_state(p[1], "alice") == RMI_PC_CONNECTED) ||
           (rmt_peer_entered(p[0], RMI_PC_FAILED) && rmt_peer_entered(p[1], RMI_PC_FAILED));
}

/* Without relays that is the reason. A side whose own relay is out of reach names it; one whose relay works has its own
 * view or hears the other's. */
static bool is_reason(rm_err err, enum kind own, bool turn) {
    if (!turn)
        return err == RM_E_ICE_NO_RELAY;
    return err == RM_E_TURN_TIMEOUT || (own != BLOCKED && err == RM_E_ICE_FAILED);
}

static void check_cell(struct rmt_vnet *v, struct rmt_peer **p, enum kind a, enum kind b, bool turn, int64_t began) {
    bool expect = direct_possible(a, b) || (turn && a != BLOCKED && b != BLOCKED);
    bool got = rmt_peer_state(p[0], "bob") == RMI_PC_CONNECTED;
    if (got != expect)
        rmt_vnet_fail(v, "%s to %s %s TURN: %s", kind_names[a], kind_names[b], turn ? "with" : "without",
                      got ? "connected, though no path exists" : "not connected");
    if (got) {
        struct rmi_ice_pair_info pair;
        RMT_CHECK(v, rmi_ice_selected_pair(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(p[0]), "bob")), &pair));
        bool relayed = pair.local.type == RMI_CAND_RELAY || pair.remote.type == RMI_CAND_RELAY;
        if (relayed == direct_possible(a, b))
            rmt_vnet_fail(v, "%s to %s: %s", kind_names[a], kind_names[b],
                          relayed ? "relayed in vain" : "not relayed?");
        return;
    }
    /* Both report within 10 s of the beginning, with the reason. */
    RMT_CHECK(v, rmt_vnet_now(v) - began <= RMI_SEC(10));
    rm_err ea = rmt_peer_error(p[0], "bob"), eb = rmt_peer_error(p[1], "alice");
    if (!is_reason(ea, a, turn) || !is_reason(eb, b, turn))
        rmt_vnet_fail(v, "%s to %s: errors %s and %s", kind_names[a], kind_names[b], rm_err_name(ea), rm_err_name(eb));
}

static void cell(uint64_t seed, struct rmt_sim *sim, enum kind a, enum kind b, bool turn) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)});
    struct rmt_host *hs = rmt_host_add(v, &(struct rmt_host_config){.name = "server", .ips = {"203.0.113.1"}});
    struct rmt_stun_server *s =
        rmt_stun_server_create(hs, &(struct rmt_stun_config){.ip = "203.0.113.1", .turn = turn});
    struct rmt_nat *na = add_nat(v, a, "nata", "192.0.2.1"), *nb = add_nat(v, b, "natb", "198.51.100.1");
    struct rmt_host *ha =
        rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {na ? "10.0.0.2" : "192.0.2.1"}, .nat = na});
    struct rmt_host *hb =
        rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {nb ? "10.1.0.2" : "198.51.100.1"}, .nat = nb});
    struct rmt_link link = {.delay_us = RMI_MS(10), .jitter_us = RMI_MS(1)};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &link);
    struct rmt_peer_options o = {.stun = rmt_stun_server_addr(s)};
    if (turn)
        o.turn = rmt_stun_server_addr(s);
    struct rmt_peer *p[2] = {rmt_mesh_add(m, ha, &o), rmt_mesh_add(m, hb, &o)};
    rmt_peer_start(p[0]);
    rmt_vnet_run_for(v, RMI_MS(500));
    rmt_peer_start(p[1]);
    int64_t began = rmt_vnet_now(v);
    rmt_vnet_run_while_not(v, decided, p, began + RMI_SEC(20));
    if (rmt_peer_state(p[0], "bob") == RMI_PC_CONNECTED)
        rmt_vnet_run_for(v, RMI_SEC(3)); /* a relay chosen first gives way to a direct path */
    check_cell(v, p, a, b, turn, began);
    rmt_mesh_destroy(&m);
    rmt_stun_server_destroy(&s);
    rmt_sim_done(sim, &v);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    for (int a = 0; a < KINDS; a++)
        for (int b = 0; b < KINDS; b++)
            for (int turn = 0; turn < 2; turn++)
                cell(seed, sim, (enum kind)a, (enum kind)b, turn);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 3, "every_nat_pair_connects_or_says_why");
}
