/* SPDX-License-Identifier: Apache-2.0 */
/* Glare: both peers offer in the same moment, with messages delayed at random. One connection comes of it, not two and
 * not none. And offers that cross a peer's restart (a new session with the same id) replace the old connection. */
#include "support/mesh.h"
#include "support/sim_main.h"

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "moments"));
    struct rmt_mesh *m = rmt_mesh_create(
        v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(20), .signaling_jitter_us = RMI_MS(40)});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_link link = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(5), .loss_ppm = 10000};
    rmt_host_set_links(ha, &link, &link);
    rmt_host_set_links(hb, &link, &link);
    struct rmt_peer_options o = {.no_auto_connect = true};
    struct rmt_peer *a = rmt_mesh_add(m, ha, &o), *b = rmt_mesh_add(m, hb, &o);
    rmt_peer_start(a);
    rmt_peer_start(b);
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK_INT(v, rmi_endpoint_connect_peer(rmt_peer_endpoint(a), rmt_peer_now(a), "bob"), RM_OK);
    rmt_peer_pump(a);
    rmt_vnet_run_for(v, (int64_t)(rmi_prng_next(&prng) % 60000));
    rm_err err = rmi_endpoint_connect_peer(rmt_peer_endpoint(b), rmt_peer_now(b), "alice");
    RMT_CHECK(v, err == RM_OK || err == RM_E_EXISTS); /* exists: the offer has come already */
    rmt_peer_pump(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(3)));
    rmt_vnet_run_for(v, RMI_SEC(5));
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_CONNECTED), 1);
    RMT_CHECK_INT(v, rmt_peer_entered(b, RMI_PC_CONNECTED), 1);
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_FAILED) + rmt_peer_entered(b, RMI_PC_FAILED), 0);

    /* Bob crashes and is back before anybody can have noticed by silence. */
    rmt_peer_kill(b);
    rmt_vnet_run_for(v, RMI_MS(200));
    b = rmt_mesh_add(m, hb, &(struct rmt_peer_options){0});
    rmt_peer_start(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(3)));
    rmt_vnet_run_for(v, RMI_SEC(5));
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_CONNECTED), 2);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 100, "both_sides_call_at_once");
}
