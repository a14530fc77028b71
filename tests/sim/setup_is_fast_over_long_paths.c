/* SPDX-License-Identifier: Apache-2.0 */
/* SC-005 in virtual time: from signaling ready to DTLS done, at 100 ms round trip, and at 300 ms with 10 % loss each
 * way. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <math.h>

struct path {
    const char *metric;
    int64_t rtt_us;
    uint32_t loss_ppm;
    double limit_ms;
    struct rmt_samples setup;
};

static struct path paths[] = {
    {.metric = "setup_p99_rtt100", .rtt_us = RMI_MS(100), .limit_ms = 1000},
    {.metric = "setup_p99_rtt300_loss10", .rtt_us = RMI_MS(300), .loss_ppm = 100000, .limit_ms = 2000},
};

static void one(uint64_t seed, struct rmt_sim *sim, struct path *path) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    /* The signaling server sits half-way: peer to peer through it takes as long as directly. */
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = path->rtt_us / 4});
    struct rmt_host *ha = rmt_host_add(v, &(struct rmt_host_config){.name = "alice", .ips = {"192.0.2.1"}});
    struct rmt_host *hb = rmt_host_add(v, &(struct rmt_host_config){.name = "bob", .ips = {"198.51.100.1"}});
    struct rmt_link up = {.delay_us = path->rtt_us / 2, .jitter_us = RMI_MS(2), .loss_ppm = path->loss_ppm};
    rmt_host_set_links(ha, &up, &(struct rmt_link){0});
    rmt_host_set_links(hb, &up, &(struct rmt_link){0});
    struct rmt_peer *a = rmt_mesh_add(m, ha, &(struct rmt_peer_options){0});
    struct rmt_peer *b = rmt_mesh_add(m, hb, &(struct rmt_peer_options){0});
    rmt_peer_start(a);
    rmt_vnet_run_for(v, RMI_SEC(2));
    rmt_peer_start(b);
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(15)));
    /* The newcomer's clock runs from the moment it is announced until both sides are through. */
    int64_t ready = rmi_endpoint_ready_us(rmt_peer_endpoint(b));
    rmt_samples_add(&path->setup, rmt_vnet_now(v) - ready);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        one(seed, sim, &paths[i]);
    if (!sim->last)
        return;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct path *p = &paths[i];
        double p50 = (double)rmt_samples_percentile(&p->setup, 50000) / 1000;
        double p99 = (double)rmt_samples_percentile(&p->setup, 99000) / 1000;
        bool pass = rmt_figure_print(stdout, &(struct rmt_figure){.id = "SC-005",
                                                                  .metric = p->metric,
                                                                  .unit = "ms",
                                                                  .value = p99,
                                                                  .limit = p->limit_ms,
                                                                  .goal = NAN,
                                                                  .n = p->setup.n});
        printf("%s: p50 %.0f ms, p99 %.0f ms, max %.0f ms\n", p->metric, p50, p99,
               (double)rmt_samples_max(&p->setup) / 1000);
        rmt_samples_fini(&p->setup);
        if (!pass && sim->seeds >= 100) /* a percentile of a handful says nothing */
            rmt_vnet_fail(NULL, "%s: p99 %.0f ms is over %.0f ms", p->metric, p99, p->limit_ms);
    }
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 1000, "setup_is_fast_over_long_paths");
}
