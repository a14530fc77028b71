/* SPDX-License-Identifier: Apache-2.0 */
/* A cut path: "disconnected" about two seconds later, back when the path is, and the end after 30 s without consent
 * (RFC 7675). A signaling server that dies meanwhile is nobody's concern. */
#include "support/mesh.h"
#include "support/sim_main.h"

struct pair {
    struct rmt_peer *a, *b;
};

static bool both_disconnected(void *ctx) {
    const struct pair *p = ctx;
    return rmt_peer_state(p->a, "bob") == RMI_PC_DISCONNECTED && rmt_peer_state(p->b, "alice") == RMI_PC_DISCONNECTED;
}

static bool both_gone(void *ctx) {
    const struct pair *p = ctx;
    return rmt_peer_state(p->a, "bob") == RMI_PC_NEW && rmt_peer_state(p->b, "alice") == RMI_PC_NEW;
}

static void cut(struct rmt_host *h, int64_t from_us, int64_t to_us) {
    rmt_host_blackhole(h, from_us, to_us);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)});
    struct rmt_host *ha =
        rmt_host_add(v, &(struct rmt_host_config){
                            .name = "alice", .ips = {"192.0.2.1"}, .skew_ppm = 500, .wall_offset_us = RMI_SEC(3600)});
    struct rmt_host *hb =
        rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}, .skew_ppm = -500});
    struct rmt_link link = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(5)};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &link);
    struct pair p = {rmt_mesh_add(m, ha, &(struct rmt_peer_options){0}),
                     rmt_mesh_add(m, hb, &(struct rmt_peer_options){0})};
    rmt_peer_start(p.a);
    rmt_vnet_run_for(v, RMI_MS(300));
    rmt_peer_start(p.b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(3)));

    /* Idle for ten minutes, the server gone for most of it, a wall clock stepping by hours: nothing happens. */
    rmt_mesh_server_down(m);
    rmt_vnet_run_for(v, RMI_SEC(300));
    rmt_host_step_wall(ha, -RMI_SEC(7200));
    rmt_vnet_run_for(v, RMI_SEC(250));
    rmt_mesh_server_up(m);
    rmt_vnet_run_for(v, RMI_SEC(50));
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK_INT(v, rmt_peer_entered(p.a, RMI_PC_DISCONNECTED) + rmt_peer_entered(p.b, RMI_PC_DISCONNECTED), 0);
    RMT_CHECK_INT(v, rmt_peer_entered(p.a, RMI_PC_CONNECTED) + rmt_peer_entered(p.b, RMI_PC_CONNECTED), 2);

    /* Five seconds of nothing. */
    int64_t t = rmt_vnet_now(v);
    cut(hb, t, t + RMI_SEC(5));
    RMT_CHECK(v, rmt_vnet_run_while_not(v, both_disconnected, &p, t + RMI_MS(3500)));
    RMT_CHECK(v, rmt_vnet_now(v) - t > RMI_MS(1000)); /* not at the first lost packet */
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, t + RMI_SEC(5) + RMI_MS(1500)));

    /* For good: 30 s after the last answer consent is gone; everything is released on both sides. */
    t = rmt_vnet_now(v);
    cut(hb, t, RMI_NEVER);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, both_gone, &p, t + RMI_SEC(32)));
    RMT_CHECK(v, rmt_vnet_now(v) - t > RMI_SEC(20));
    RMT_CHECK(v, rmt_peer_error(p.a, "bob") == RM_E_ICE_CONSENT || rmt_peer_error(p.b, "alice") == RM_E_ICE_CONSENT);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 20, "silence_is_noticed_and_consent_expires");
}
