/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers on a plain network find each other, connect, and media keys work both ways. */
#include "support/mesh.h"
#include "support/sim_main.h"

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5)});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_link link = {.delay_us = RMI_MS(5), .jitter_us = RMI_MS(seed % 5), .loss_ppm = seed % 3 * 20000};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &link);
    struct rmt_peer *a = rmt_mesh_add(m, ha, &(struct rmt_peer_options){0});
    struct rmt_peer *b = rmt_mesh_add(m, hb, &(struct rmt_peer_options){0});
    rmt_peer_start(a);
    rmt_vnet_run_for(v, RMI_MS(seed % 7 * 10));
    rmt_peer_start(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(5)));
    for (uint16_t i = 0; i < 20; i++) {
        RMT_CHECK_INT(v, rmt_peer_send_rtp(a, "bob", i), RM_OK);
        RMT_CHECK_INT(v, rmt_peer_send_rtp(b, "alice", i), RM_OK);
        rmt_vnet_run_for(v, RMI_MS(20));
    }
    RMT_CHECK(v, rmt_peer_rtp_received(a) >= 15 && rmt_peer_rtp_received(b) >= 15);
    RMT_CHECK(v, rmi_pc_srtp_profile(rmi_endpoint_peer(rmt_peer_endpoint(a), "bob")) == RMI_SRTP_AEAD_AES_128_GCM);
    /* Leaving is told, not guessed. */
    rmt_peer_close(b);
    rmt_vnet_run_for(v, RMI_MS(200));
    RMT_CHECK_INT(v, rmt_peer_state(a, "bob"), RMI_PC_NEW);
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_CLOSED), 1);
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_FAILED), 0);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 60, "two_peers_connect");
}
