/* SPDX-License-Identifier: Apache-2.0 */
/* One flow on 1, 2.5 and 10 Mbit/s with 50 ms one way: nine tenths of the link are used from the tenth second on, and
 * the queue stays under 60 ms for 95 % of the time. */
#include "support/road.h"

#define SETTLE_S 10
#define RUN_S 60

static const struct road_line use_line = {0.9, 0.9, true};
static const struct road_line queue_line = {60, 60, false};
static const struct road_line dropped_line = {0, 0, false};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const double rates[] = {1e6, 2.5e6, 10e6};
    const double bps = rates[seed % 3];
    struct road r;
    road_open(&r, sim, seed, bps, RMI_MS(300), RMI_MS(50));
    road_add(&r, &(struct road_flow_config){.most_bps = 2 * bps});
    road_run(&r, SETTLE_S);
    road_judge(&r);
    road_run(&r, RUN_S);
    const double mbps = bps / 1e6;
    road_figure(sim, road_use(&r, RMT_UP, 0), "share", use_line, "use of a constant %.1f Mbit/s", mbps);
    road_figure(sim, (double)road_queue_p95_us(&r, RMT_UP) / 1000, "ms", queue_line,
                "queue p95 of a constant %.1f Mbit/s", mbps);
    road_figure(sim, (double)rmt_wire_stats(rmt_nat_wire(r.hop[0].nat, RMT_UP)).queue_dropped, "packets", dropped_line,
                "dropped by the queue of a constant %.1f Mbit/s", mbps);
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "a_constant_link_is_used_without_a_queue");
}
