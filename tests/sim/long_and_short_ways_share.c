/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.5: five flows on 4 Mbit/s that start 10 s apart, with 10, 25, 50,
 * 100 and 150 ms one way. */
#include "support/road.h"

#include <math.h>

static const struct road_line ratio_line = {0.6, 0.6, true};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const int64_t owd_us[] = {10000, 25000, 50000, 100000, 150000};
    struct road r;
    double least = 1e12, most = 0;
    road_open(&r, sim, seed, 4e6, RMI_MS(300), 0);
    for (int i = 0; i < 5; i++) {
        road_add(&r, &(struct road_flow_config){.owd_us = owd_us[i]});
        road_run(&r, i < 4 ? 10 : 260);
    }
    for (int i = 0; i < 5; i++) {
        const double bps = road_rate(&r.flow[i], 100, 300);
        road_figure(sim, bps / 1000, "kbit/s", (struct road_line){NAN, NAN, true}, "5.5 rate with %.0f ms one way",
                    (double)owd_us[i] / 1000);
        least = bps < least ? bps : least;
        most = bps > most ? bps : most;
    }
    road_figure(sim, least / most, "", ratio_line, "5.5 least rate to highest");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "long_and_short_ways_share");
}
