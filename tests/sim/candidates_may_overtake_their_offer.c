/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers behind NATs that let in only what was asked for, so that each needs the other's public address, which comes
 * after its offer as the STUN server is slow; and signaling where every other message overtakes what is under way. What
 * comes ahead of its offer is kept for it. */
#include "support/mesh.h"
#include "support/sim_main.h"

#define OVERTAKES_PPM 500000
#define TWICE_PPM 100000
#define STUN_DELAY_US RMI_MS(100)
#define MOST_US RMI_SEC(3)

static struct rmt_host *add_host(struct rmt_vnet *v, const char *name, const char *ip, const char *outer) {
    struct rmt_nat *nat = rmt_nat_add(
        v, &(struct rmt_nat_config){
               .name = outer, .outer_ip = outer, .mapping = RMT_NAT_ENDPOINT, .filtering = RMT_NAT_ADDRESS_PORT});
    struct rmt_host *h = rmt_host_add(v, &(struct rmt_host_config){.name = name, .ips = {ip}, .nat = nat});
    const struct rmt_link link = {.delay_us = RMI_MS(5)};
    rmt_host_set_links(h, &link, &link);
    return h;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "moments"));
    struct rmt_mesh *m = rmt_mesh_create(
        v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(5),
                                     .signaling_jitter_us = (int64_t)(rmi_prng_next(&prng) % RMI_MS(200)),
                                     .signaling_dup_ppm = TWICE_PPM,
                                     .signaling_reorder_ppm = OVERTAKES_PPM});
    struct rmt_host *sh = rmt_host_add(v, &(struct rmt_host_config){.name = "stun", .ips = {"203.0.113.1"}});
    const struct rmt_link slow = {.delay_us = STUN_DELAY_US};
    rmt_host_set_links(sh, &slow, &slow);
    struct rmt_stun_server *s = rmt_stun_server_create(sh, &(struct rmt_stun_config){.ip = "203.0.113.1"});
    const struct rmt_peer_options o = {.stun = rmt_stun_server_addr(s)};
    struct rmt_peer *a = rmt_mesh_add(m, add_host(v, "alice", "10.0.0.2", "192.0.2.1"), &o);
    struct rmt_peer *b = rmt_mesh_add(m, add_host(v, "bob", "10.1.0.2", "198.51.100.1"), &o);
    rmt_peer_start(a);
    rmt_vnet_run_for(v, (int64_t)(rmi_prng_next(&prng) % RMI_MS(300)));
    rmt_peer_start(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + MOST_US));
    rmt_vnet_run_for(v, RMI_SEC(15)); /* longer than ICE takes to fail */
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_CONNECTED) + rmt_peer_entered(b, RMI_PC_CONNECTED), 2);
    RMT_CHECK_INT(v, rmt_peer_entered(a, RMI_PC_FAILED) + rmt_peer_entered(b, RMI_PC_FAILED), 0);
    rmt_mesh_destroy(&m);
    rmt_stun_server_destroy(&s);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 100, "candidates_may_overtake_their_offer");
}
