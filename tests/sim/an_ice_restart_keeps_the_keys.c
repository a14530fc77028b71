/* SPDX-License-Identifier: Apache-2.0 */
/* Either side, or both at once, restarts ICE: media goes on, DTLS and SRTP stay; and after a change of address the
 * restart brings the connection back over the new path. */
#include "support/mesh.h"
#include "support/sim_main.h"

struct pair {
    struct rmt_peer *a, *b;
};

static int64_t dtls_time(const struct rmt_peer *p, const char *other) {
    return rmi_pc_steps_of(rmi_endpoint_peer(rmt_peer_endpoint(p), other))->dtls_us;
}

static uint32_t restarts(const struct rmt_peer *p, const char *other) {
    struct rmi_ice_stats s;
    rmi_ice_get_stats(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(p), other)), &s);
    return s.restarts;
}

/* 50 packets a second each way for `packets`; returns how many arrived. */
static uint64_t talk(struct rmt_vnet *v, struct pair *p, uint16_t *sequence, int packets) {
    uint64_t before = rmt_peer_rtp_received(p->a) + rmt_peer_rtp_received(p->b);
    for (int i = 0; i < packets; i++) {
        ++*sequence;
        rmt_peer_send_rtp(p->a, "bob", *sequence);
        rmt_peer_send_rtp(p->b, "alice", *sequence);
        rmt_vnet_run_for(v, RMI_MS(20));
    }
    rmt_vnet_run_for(v, RMI_MS(100));
    return rmt_peer_rtp_received(p->a) + rmt_peer_rtp_received(p->b) - before;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(15)});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_link link = {.delay_us = RMI_MS(15), .jitter_us = RMI_MS(2)};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &link);
    struct pair p = {rmt_mesh_add(m, ha, &(struct rmt_peer_options){0}),
                     rmt_mesh_add(m, hb, &(struct rmt_peer_options){0})};
    rmt_peer_start(p.a);
    rmt_vnet_run_for(v, RMI_MS(300));
    rmt_peer_start(p.b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(3)));
    int64_t dtls_a = dtls_time(p.a, "bob"), dtls_b = dtls_time(p.b, "alice");
    uint16_t sequence = 0;
    RMT_CHECK_INT(v, talk(v, &p, &sequence, 10), 20);

    /* One side, the other side, both at the same moment (glare: the polite one yields). */
    for (int round = 0; round < 3; round++) {
        rmt_peer_pump(p.a);
        if (round != 1)
            RMT_CHECK_INT(v, rmi_endpoint_restart_ice(rmt_peer_endpoint(p.a), rmt_peer_now(p.a), "bob"), RM_OK);
        if (round != 0)
            RMT_CHECK_INT(v, rmi_endpoint_restart_ice(rmt_peer_endpoint(p.b), rmt_peer_now(p.b), "alice"), RM_OK);
        rmt_peer_pump(p.a);
        rmt_peer_pump(p.b);
        RMT_CHECK_INT(v, talk(v, &p, &sequence, 50), 100); /* not one packet is lost on the old path */
        RMT_CHECK(v, rmt_mesh_all_connected(m));
        RMT_CHECK(v, restarts(p.a, "bob") >= (uint32_t)round + 1 && restarts(p.b, "alice") >= (uint32_t)round + 1);
    }

    /* Bob moves to another network: silence, then a restart from his side over the new address. */
    rmt_host_set_addr(hb, 0, "198.51.100.77");
    rmt_peer_interfaces_changed(p.b);
    RMT_CHECK_INT(v, rmi_endpoint_restart_ice(rmt_peer_endpoint(p.b), rmt_peer_now(p.b), "alice"), RM_OK);
    rmt_peer_pump(p.b);
    rmt_vnet_run_for(v, RMI_MS(1500));
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK_INT(v, talk(v, &p, &sequence, 20), 40);
    RMT_CHECK_INT(v, dtls_time(p.a, "bob"), dtls_a);
    RMT_CHECK_INT(v, dtls_time(p.b, "alice"), dtls_b);
    RMT_CHECK_INT(v, rmt_peer_entered(p.a, RMI_PC_FAILED) + rmt_peer_entered(p.b, RMI_PC_FAILED), 0);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 40, "an_ice_restart_keeps_the_keys");
}
