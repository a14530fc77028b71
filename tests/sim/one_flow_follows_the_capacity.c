/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.1: one flow while the capacity changes from 1 to 2.5, 0.6 and 1
 * Mbit/s, 50 and 100 ms one way. */
#include "support/road.h"

#define FULL_BPS 1700000.0 /* what 1.5 Mbit/s of pictures, sound and all headers take */
#define REACTION_S 2

static const struct road_line use_line = {0.8, 0.8, true}; /* 0.90 to 0.98 were seen */
static const struct road_line queue_line = {100, 100, false};
/* 1.7 Mbit/s into 0.6 fill the queue within 160 ms, before the first word of it can be back: nobody can lose less than
 * about 9 sounds at 50 ms one way, 12 at 100 ms (0.1 percent); 0.2 to 0.4 were seen. */
static const struct road_line lost_line = {0.6, 0, false};
static const struct road_line target_line = {1.05, 1.05, false};

static const struct { double bps, seconds; } plan[] = {{1e6, 40}, {2.5e6, 20}, {0.6e6, 20}, {1e6, 20}};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct road r;
    road_open(&r, sim, seed, plan[0].bps, RMI_MS(300), seed % 2 ? RMI_MS(100) : RMI_MS(50));
    struct road_flow *f = road_add(&r, &(struct road_flow_config){0});
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        road_capacity(&r, RMT_UP, plan[i].bps);
        road_run(&r, REACTION_S);
        if (i > 0 && plan[i].bps < plan[i - 1].bps)
            road_figure(sim, f->target_bps / plan[i].bps, "of the capacity", target_line,
                        "5.1 target 2 s after the capacity fell");
        road_run(&r, 10 - REACTION_S);
        road_judge(&r);
        road_run(&r, plan[i].seconds - 10);
        road_figure(sim, road_use(&r, RMT_UP, FULL_BPS), "share", use_line, "5.1 use at %.1f Mbit/s",
                    plan[i].bps / 1e6);
        road_figure(sim, (double)road_queue_p95_us(&r, RMT_UP) / 1000, "ms", queue_line, "5.1 queue p95 at %.1f Mbit/s",
                    plan[i].bps / 1e6);
    }
    road_figure(sim, 100.0 * (double)road_lost_sounds(f) / (double)f->sounds, "percent", lost_line, "5.1 sound lost");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "one_flow_follows_the_capacity");
}
