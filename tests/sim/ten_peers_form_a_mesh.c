/* SPDX-License-Identifier: Apache-2.0 */
/* Ten peers join within a moment: every pair connects, nobody twice; the eleventh is refused; one crash and rejoin
 * heals. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <stdio.h>

#define PEERS 10

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

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "extra"};
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "joins"));
    struct rmt_mesh *m = rmt_mesh_create(
        v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(12), .signaling_jitter_us = RMI_MS(30)});
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

    /* The room holds ten: the eleventh gets a typed refusal and nobody else notices. */
    struct rmt_peer *extra = rmt_mesh_add(m, hosts[PEERS], &(struct rmt_peer_options){0});
    rmt_peer_start(extra);
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK_INT(v, rmt_peer_error(extra, ""), RM_E_SESSION_LIMIT);
    RMT_CHECK_INT(v, rmt_peer_connected(extra), 0);
    rmt_peer_kill(extra);

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
