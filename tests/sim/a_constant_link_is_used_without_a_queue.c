/* SPDX-License-Identifier: Apache-2.0 */
/* One flow on 1, 2.5 and 10 Mbit/s with 50 ms one way: nine tenths of the link are used from the tenth second on, and
 * the queue stays under 60 ms for 95 % of the time. */
#include "support/road.h"

#define SETTLE_S 10
#define RUN_S 60
#define USE_LEAST 0.9
#define QUEUE_MOST_US RMI_MS(60)

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const double rates[] = {1e6, 2.5e6, 10e6};
    const double bps = rates[seed % 3];
    struct road r;
    road_open(&r, sim, seed, bps, RMI_MS(300), RMI_MS(50));
    road_add(&r, &(struct road_flow_config){.most_bps = 2 * bps});
    road_run(&r, SETTLE_S);
    road_judge(&r);
    road_run(&r, RUN_S);
    const double use = road_use(&r, RMT_UP, 0);
    const int64_t queue_us = road_queue_p95_us(&r, RMT_UP);
    printf("%.1f Mbit/s: use %.3f, queue p95 %.1f ms\n", bps / 1e6, use, (double)queue_us / 1000);
    RMT_CHECK(r.v, use >= USE_LEAST);
    RMT_CHECK(r.v, queue_us < QUEUE_MOST_US);
    RMT_CHECK_INT(r.v, rmt_wire_stats(rmt_nat_wire(r.nat, RMT_UP)).queue_dropped, 0);
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "a_constant_link_is_used_without_a_queue");
}
