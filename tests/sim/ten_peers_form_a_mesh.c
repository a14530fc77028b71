/* SPDX-License-Identifier: Apache-2.0 */
/* Ten peers join within a moment: every pair connects, nobody twice; the eleventh is refused, by a server whose room is
 * full or by each of the ten whose max_peers is reached, and none of them changes a state; one crash and rejoin heals.
 */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <stdio.h>
#include <string.h>

#define PEERS 10

static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "extra"};

struct counted {
    struct rmt_peer *peers[PEERS];
};

static bool within_limits(void *ctx, char *why, size_t cap) {
    const struct counted *c = ctx;
    for (int i = 0; i < PEERS; i++) {
        struct rmi_endpoint_stats s;
        if (!c->peers[i] || !rmt_peer_endpoint(c->peers[i]))
            continue;
        rmi_endpoint_get_stats(rmt_peer_endpoint(c->peers[i]), &s);
        if (s.peers > PEERS - 1) {
            snprintf(why, cap, "peer %d has %u connections", i, s.peers);
            return false;
        }
    }
    return true;
}

static uint32_t states_entered(const struct counted *c) {
    uint32_t n = 0;
    for (int i = 0; i < PEERS; i++)
        for (int s = RMI_PC_NEW; s <= RMI_PC_CLOSED; s++)
            n += rmt_peer_entered(c->peers[i], (enum rmi_pc_state)s);
    return n;
}

static void the_eleventh_is_refused(struct rmt_vnet *v, struct rmt_mesh *m, const struct counted *c,
                                    struct rmt_host *host, bool room_is_full) {
    const uint32_t before = states_entered(c);
    struct rmt_peer *extra = rmt_mesh_add(m, host, &(struct rmt_peer_options){0});
    rmt_peer_start(extra);
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK_INT(v, rmt_peer_connected(extra), 0);
    int refusals = 0; /* the newest one is kept */
    for (int i = 0; i < PEERS; i++)
        refusals += rmt_peer_error(extra, names[i]) == RM_E_LIMIT;
    RMT_CHECK_INT(v, refusals, room_is_full ? 0 : 1);
    RMT_CHECK_INT(v, rmt_peer_error(extra, ""), room_is_full ? RM_E_SESSION_LIMIT : RM_OK);
    RMT_CHECK(v, strstr(rmt_peer_detail(extra), room_is_full ? "full" : "max_peers"));
    RMT_CHECK_INT(v, rmt_peer_entered(extra, RMI_PC_FAILED), room_is_full ? 0 : PEERS);
    RMT_CHECK_INT(v, states_entered(c), before);
    for (int i = 0; i < PEERS; i++) {
        struct rmi_endpoint_stats s;
        rmi_endpoint_get_stats(rmt_peer_endpoint(c->peers[i]), &s);
        RMT_CHECK_INT(v, s.refused_peers, room_is_full ? 0 : 1);
        RMT_CHECK_INT(v, s.peers, PEERS - 1);
        RMT_CHECK_INT(v, rmi_endpoint_snapshot_count(rmt_peer_endpoint(c->peers[i])), PEERS - 1);
    }
    rmt_peer_kill(extra);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "joins"));
    const bool room_is_full = seed % 2;
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(12),
                                                                      .signaling_jitter_us = RMI_MS(30),
                                                                      .room_max_peers = room_is_full ? 0 : PEERS + 1});
    struct rmt_host *hosts[PEERS + 1];
    struct counted c = {0};
    struct rmt_link link = {.delay_us = RMI_MS(12), .jitter_us = RMI_MS(3), .loss_ppm = 5000};
    for (int i = 0; i <= PEERS; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "192.0.2.%d", i + 1);
        hosts[i] = rmt_host_add(v, &(struct rmt_host_config){.name = names[i], .ips = {ip}});
        rmt_host_set_links(hosts[i], &link, &link);
    }
    rmt_vnet_add_invariant(v, "connections within limits", within_limits, &c);
    for (int i = 0; i < PEERS; i++) {
        c.peers[i] = rmt_mesh_add(m, hosts[i], &(struct rmt_peer_options){.max_peers = PEERS - 1});
        rmt_peer_start(c.peers[i]);
        rmt_vnet_run_for(v, (int64_t)(rmi_prng_next(&prng) % 6000));
    }
    int64_t began = rmt_vnet_now(v);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, began + RMI_SEC(6)));

    the_eleventh_is_refused(v, m, &c, hosts[PEERS], room_is_full);

    /* A crash: the others report it within the liveness time, wait a little for a reconnect, and free the place. */
    rmt_peer_kill(c.peers[3]);
    c.peers[3] = NULL;
    rmt_vnet_run_for(v, RMI_SEC(6));
    for (int i = 0; i < PEERS; i++)
        if (i != 3)
            RMT_CHECK_INT(v, rmt_peer_state(c.peers[i], names[3]), RMI_PC_NEW);
    struct rmt_peer *again = rmt_mesh_add(m, hosts[3], &(struct rmt_peer_options){.max_peers = PEERS - 1});
    c.peers[3] = again;
    rmt_peer_start(again);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(6)));
    for (int i = 0; i < PEERS; i++)
        RMT_CHECK_INT(v, rmt_peer_entered(c.peers[i], RMI_PC_FAILED), 0);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "ten_peers_form_a_mesh");
}
