/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 6.3: links of 2, 8 and 1.5 Mbit/s in a row; one flow crosses all three, one the first, one the last. Each
 * has its part of both bottlenecks, and none holds up the others. */
#include "support/road.h"

#include <math.h>

#define QUEUE_US RMI_MS(300)
#define SETTLE_S 20
#define RUN_S 300

enum { LAST, MIDDLE, FIRST }; /* hops: 0 is the outermost */

static const struct road_line least_line = {150, 150, true}; /* over any ten seconds, as in 5.6 */
static const struct road_line share_line = {0.5, 0.5, true}; /* half of an even split of the narrowest link */
static const struct road_line queue_line = {100, 100, false};
static const struct road_line lost_line = {0.3, 0, false}; /* at most 0.15 was seen in 20 seeds */

static double least_rate(struct road_flow *f) {
    double least = INFINITY;
    for (int s = SETTLE_S; s + 10 <= RUN_S; s++)
        least = fmin(least, road_rate(f, s, s + 10));
    return least;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const char *const over[] = {"all three links", "the first", "the last"};
    struct road r;
    road_open(&r, sim, seed, 1.5e6, QUEUE_US, 0);
    road_add_hop(&r, 8e6, QUEUE_US, 0);
    road_add_hop(&r, 2e6, QUEUE_US, 0);
    road_add(&r, &(struct road_flow_config){.owd_us = RMI_MS(100), .first_hop = FIRST, .last_hop = LAST});
    road_add(&r, &(struct road_flow_config){.owd_us = RMI_MS(40), .first_hop = FIRST, .last_hop = FIRST});
    road_add(&r, &(struct road_flow_config){.owd_us = RMI_MS(40), .first_hop = LAST, .last_hop = LAST});
    road_run(&r, SETTLE_S);
    road_judge(&r);
    road_run(&r, RUN_S - SETTLE_S);
    for (int i = 0; i < 3; i++) {
        struct road_flow *f = &r.flow[i];
        const double bps = road_rate(f, SETTLE_S, RUN_S);
        road_figure(sim, bps / 1000, "kbit/s", (struct road_line){NAN, NAN, true}, "6.3 rate over %s", over[i]);
        road_figure(sim, least_rate(f) / 1000, "kbit/s", least_line, "6.3 least rate over 10 s over %s", over[i]);
        road_figure(sim, bps / (i == 1 ? 1e6 : 0.75e6), "share", share_line, "6.3 of an even split, over %s", over[i]);
        road_figure(sim, 100.0 * (double)road_lost_sounds(f) / (double)f->sounds, "percent", lost_line,
                    "6.3 sound lost over %s", over[i]);
    }
    road_figure(sim, (double)road_hop_queue_p95_us(&r, FIRST, RMT_UP) / 1000, "ms", queue_line,
                "6.3 queue p95 of the first link");
    road_figure(sim, (double)road_hop_queue_p95_us(&r, LAST, RMT_UP) / 1000, "ms", queue_line,
                "6.3 queue p95 of the last link");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "a_flow_over_two_bottlenecks_lives");
}
