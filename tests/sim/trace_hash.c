/* SPDX-License-Identifier: Apache-2.0 */
/* Prints `hash SEED HEX` for some seeds of a mesh with loss, NATs and a restart: scripts/check-determinism.sh compares
 * the lines of several runs and of two compilers. As a test it runs each seed twice in one process. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <inttypes.h>
#include <stdio.h>

#define SEEDS 4
#define PEERS 4

static uint64_t run(uint64_t seed) {
    static const char *const names[PEERS] = {"a", "b", "c", "d"};
    static const char *const inner[PEERS] = {"10.0.0.2", "10.1.0.2", "192.0.2.3", "192.0.2.4"};
    struct rmt_vnet *v = rmt_vnet_create(seed);
    struct rmt_mesh *m = rmt_mesh_create(
        v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10), .signaling_jitter_us = RMI_MS(10)});
    struct rmt_host *hs = rmt_host_add(v, &(struct rmt_host_config){.name = "server", .ips = {"203.0.113.1"}});
    struct rmt_stun_server *s =
        rmt_stun_server_create(hs, &(struct rmt_stun_config){.ip = "203.0.113.1", .turn = true});
    struct rmt_nat *nats[2] = {rmt_nat_add(v, &(struct rmt_nat_config){.name = "n0",
                                                                       .outer_ip = "192.0.2.101",
                                                                       .mapping = RMT_NAT_ADDRESS_PORT,
                                                                       .filtering = RMT_NAT_ADDRESS_PORT,
                                                                       .random_ports = true}),
                               rmt_nat_add(v, &(struct rmt_nat_config){.name = "n1", .outer_ip = "192.0.2.102"})};
    struct rmt_link link = {
        .delay_us = RMI_MS(15), .jitter_us = RMI_MS(5), .loss_ppm = 30000, .dup_p = 10000, .reorder_p = 10000};
    struct rmt_peer *peers[PEERS];
    struct rmt_peer_options o = {.stun = rmt_stun_server_addr(s), .turn = rmt_stun_server_addr(s)};
    for (int i = 0; i < PEERS; i++) {
        struct rmt_host *h = rmt_host_add(
            v, &(struct rmt_host_config){.name = names[i], .ips = {inner[i]}, .nat = i < 2 ? nats[i] : NULL});
        rmt_host_set_links(h, &link, &link);
        peers[i] = rmt_mesh_add(m, h, &o);
        rmt_peer_start(peers[i]);
        rmt_vnet_run_for(v, RMI_MS(30));
    }
    rmt_vnet_run_for(v, RMI_SEC(4));
    for (uint16_t i = 0; i < 50; i++) {
        rmt_peer_send_rtp(peers[0], "b", i);
        rmt_vnet_run_for(v, RMI_MS(20));
    }
    rmi_endpoint_restart_ice(rmt_peer_endpoint(peers[2]), rmt_peer_now(peers[2]), "d");
    rmt_peer_pump(peers[2]);
    rmt_vnet_run_for(v, RMI_SEC(8));
    RMT_CHECK(v, rmt_mesh_all_connected(m));
    uint64_t hash = rmt_vnet_trace_hash(v);
    rmt_mesh_destroy(&m);
    rmt_stun_server_destroy(&s);
    rmt_vnet_destroy(&v);
    return hash;
}

int main(void) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t first = run(seed), second = run(seed);
        if (first != second) {
            fprintf(stderr, "FAIL seed=%" PRIu64 ": two runs in one process differ\n", seed);
            return 1;
        }
        printf("hash %" PRIu64 " %016" PRIx64 "\n", seed, first);
    }
    return 0;
}
