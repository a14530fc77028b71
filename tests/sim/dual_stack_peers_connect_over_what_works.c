/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 alone, both families, and hosts with several interfaces of which some lead nowhere: each pair connects, over
 * IPv6 where both have it (RFC 8421), and a dead interface does not hold anything up. */
#include "support/mesh.h"
#include "support/sim_main.h"

enum shape { V4, V6, DUAL, DUAL_V6_DEAD, SHAPES };

static struct rmt_host *add_host(struct rmt_vnet *v, const char *name, enum shape shape, int n) {
    static const char *const v4[] = {"192.0.2.1", "198.51.100.1"}, *const v6[] = {"2001:db8:1::1", "2001:db8:2::1"};
    struct rmt_host_config c = {.name = name};
    int i = 0;
    if (shape != V4)
        c.ips[i++] = v6[n];
    if (shape != V6)
        c.ips[i++] = v4[n];
    struct rmt_host *h = rmt_host_add(v, &c);
    struct rmt_link link = {.delay_us = RMI_MS(10)};
    rmt_host_set_links(h, &link, &link);
    if (shape == DUAL_V6_DEAD)
        rmt_wire_blackhole(rmt_host_wire(h, 0, RMT_UP), 0, RMI_NEVER);
    return h;
}

static void cell(uint64_t seed, struct rmt_sim *sim, enum shape a, enum shape b) {
    bool common = (a != V6 && b != V6) || (a != V4 && b != V4 && a != DUAL_V6_DEAD && b != DUAL_V6_DEAD);
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)});
    struct rmt_host *ha = add_host(v, "alice", a, 0), *hb = add_host(v, "bob", b, 1);
    struct rmt_peer *pa = rmt_mesh_add(m, ha, &(struct rmt_peer_options){0});
    struct rmt_peer *pb = rmt_mesh_add(m, hb, &(struct rmt_peer_options){0});
    rmt_peer_start(pa);
    rmt_vnet_run_for(v, RMI_MS(200));
    rmt_peer_start(pb);
    bool connected = rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(2));
    if (connected != common)
        rmt_vnet_fail(v, "shapes %d and %d: %s", a, b, connected ? "connected?" : "not connected in 2 s");
    if (connected) {
        struct rmi_ice_pair_info pair;
        RMT_CHECK(v, rmi_ice_selected_pair(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(pa), "bob")), &pair));
        bool v6 = (a == V6 || a == DUAL) && (b == V6 || b == DUAL);
        RMT_CHECK_INT(v, pair.remote.addr.family, v6 ? 6 : 4);
    }
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    for (int a = 0; a < SHAPES; a++)
        for (int b = 0; b < SHAPES; b++)
            cell(seed, sim, (enum shape)a, (enum shape)b);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 5, "dual_stack_peers_connect_over_what_works");
}
