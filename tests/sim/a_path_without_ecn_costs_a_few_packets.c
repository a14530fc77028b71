/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that drop marked packets, clear the marks or mark everything, from the start or from the middle of a call on
 * (RFC 6679 7.4): the call goes on as without ECN, at the price of the few packets that ask the path, or of half a
 * second where marked ones were all that was sent. */
#include "support/road.h"

#include <math.h>

#define BPS 2.5e6
#define QUEUE_US RMI_MS(300)
#define OWD_US RMI_MS(50)
#define BEFORE_S 30
#define AFTER_S 40

struct fault {
    const char *name;
    struct rmt_link link;
    bool later;
    double lost_most; /* sounds: of 50 a second */
};

static const struct fault faults[] = {
    {"none", {0}, false, 0},
    {"marks drop", {.ecn_drop = true}, false, 5},
    {"marks are cleared", {.ecn_clear = true}, false, 0},
    {"all is marked", {.ecn_flood = true}, false, 0},
    {"marks drop from the middle on", {.ecn_drop = true}, true, 60},
    {"marks are cleared from the middle on", {.ecn_clear = true}, true, 0},
    {"all is marked from the middle on", {.ecn_flood = true}, true, 0},
};

static void run(uint64_t seed, struct rmt_sim *sim, const struct fault *fault, double *good_bps) {
    static const struct rmt_link sound_path = {0};
    struct rmi_rtp_session_stats stats;
    struct road r;
    road_open(&r, sim, seed, BPS, QUEUE_US, OWD_US);
    road_ecn(&r, fault->later ? &sound_path : &fault->link);
    struct road_flow *f = road_add(&r, &(struct road_flow_config){0});
    road_run(&r, BEFORE_S);
    rmi_rtp_session_get_stats(f->rtp, &stats);
    RMT_CHECK(r.v, (stats.ecn == RMI_ECN_MARKS) == (fault->later || fault == faults));
    road_ecn(&r, &fault->link);
    road_run(&r, AFTER_S);
    rmi_rtp_session_get_stats(f->rtp, &stats);
    RMT_CHECK(r.v, (stats.ecn_failures == 0) == (fault == faults));
    const double bps = road_rate(f, BEFORE_S + 10, BEFORE_S + AFTER_S);
    if (fault == faults)
        *good_bps = bps;
    road_figure(sim, bps / *good_bps, "of that of a good path", (struct road_line){0.9, NAN, true}, "ECN, %s: rate",
                fault->name);
    road_figure(sim, (double)road_lost_sounds(f), "packets", (struct road_line){fault->lost_most, NAN, false},
                "ECN, %s: sound lost", fault->name);
    road_close(&r);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    double good_bps = 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        run(seed, sim, &faults[i], &good_bps);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "a_path_without_ecn_costs_a_few_packets");
}
