/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.1: one flow while the capacity changes from 1 to 2.5, 0.6 and 1
 * Mbit/s, 50 and 100 ms one way. */
#include "support/road.h"

#include <math.h>

#define FULL_BPS 1700000.0 /* what 1.5 Mbit/s of pictures, sound and all headers take */
#define REACTION_S 2

static const struct road_line use_line = {0.8, 0.8, true}; /* 0.90 to 0.98 were seen */
static const struct road_line none = {NAN, NAN, true};
static const struct road_line queue_line = {100, 100, false};
static const struct road_line target_line = {1.05, 1.05, false};

/* What is lost although all is done at once. A queue fills in the time its length takes at the rate that is too much,
 * and from then on drops that part of all. Nothing is known of it before a packet has come through and word of it is
 * back, two ways and a feedback interval later (150 and 250 ms; the queue is full after 160); to tell it from jitter it
 * takes three pictures that come later and later, each as much longer under way as the path is too slow. */
#define QUEUE_S 0.3
#define FEEDBACK_S 0.05
#define PICTURES 3
#define FPS 30
#define SOUNDS_A_SECOND 50
#define LOST_ROOM 1.5 /* where in a period pictures and feedback are when the capacity falls */

static double sounds_lost_anyway(double from_bps, double to_bps, double owd_s) {
    const double fills_s = QUEUE_S * to_bps / (from_bps - to_bps);
    const double known_s = PICTURES * (from_bps / to_bps) / FPS + 2 * owd_s + FEEDBACK_S;
    return SOUNDS_A_SECOND * fmax(known_s - fills_s, 0) * (1 - to_bps / from_bps);
}

static const struct { double bps, seconds; } plan[] = {{1e6, 40}, {2.5e6, 20}, {0.6e6, 20}, {1e6, 20}};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct road r;
    const double owd_s = seed % 2 ? 0.1 : 0.05;
    road_open(&r, sim, seed, plan[0].bps, (int64_t)(QUEUE_S * 1e6), (int64_t)(owd_s * 1e6));
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
    const struct road_line lost_line = {
        LOST_ROOM * 100 * sounds_lost_anyway(FULL_BPS, plan[2].bps, owd_s) / (double)f->sounds, 0, false};
    road_figure(sim, 100.0 * (double)road_lost_sounds(f) / (double)f->sounds, "percent", lost_line, "5.1 sound lost");
    road_figure(sim, 100.0 * road_missing_sounds(f), "percent", none, "5.1 sound missing after repair");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "one_flow_follows_the_capacity");
}
