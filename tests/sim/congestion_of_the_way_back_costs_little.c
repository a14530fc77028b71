/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.3: a flow each way, whose capacities change at different times:
 * feedback waits in the queue of the other flow's pictures. The flow forward
 * loses little by that. */
#include "support/road.h"

#include <math.h>

static const struct road_line line = {0.85, 0.85, true};

static double forward(struct rmt_sim *sim, uint64_t seed, bool congested) {
    static const struct {
        double at_s, bps;
    } there[] = {{0, 2e6}, {20, 1e6}, {40, 0.5e6}, {60, 2e6}}, back[] = {{0, 2e6}, {35, 0.8e6}, {70, 2e6}};
    struct road r;
    road_open(&r, sim, seed, there[0].bps, RMI_MS(300), RMI_MS(50));
    struct road_flow *f = road_add(&r, &(struct road_flow_config){0});
    road_add(&r, &(struct road_flow_config){.backward = true});
    for (int s = 0; s < 100; s += 5) {
        for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
            if ((int)there[i].at_s == s)
                road_capacity(&r, RMT_UP, there[i].bps);
        for (size_t i = 0; i < sizeof back / sizeof back[0]; i++)
            if ((int)back[i].at_s == s)
                road_capacity(&r, RMT_DOWN, congested ? back[i].bps : 20e6);
        road_run(&r, 5);
    }
    const double bps = road_rate(f, 10, 100);
    road_close(&r);
    return bps;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const double with = forward(sim, seed, true), without = forward(sim, seed, false);
    road_figure(sim, with / without, "share", line, "5.3 rate forward, of that with a free way back");
    road_figure(sim, with / 1000, "kbit/s", (struct road_line){NAN, NAN, true}, "5.3 rate forward");
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "congestion_of_the_way_back_costs_little");
}
