/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 6.1: three flows on 3.5 Mbit/s that start 20 s apart, of which the application gives the first twice the
 * weight of the others: their rates are about 2 to 1 to 1. */
#include "support/road.h"

#include <math.h>

#define SETTLE_S 15
#define MOST_BPS 3e6 /* of pictures: the encoder is not what limits the first */

static const struct road_line jain_line = {0.95, 0.95, true}; /* 0.97 to 1.0 were seen */
static const struct road_line none = {NAN, NAN, true};
static const struct road_line use_line = {0.8, 0.8, true};
static const struct road_line queue_line = {100, 100, false};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const double weights[] = {2, 1, 1};
    struct road r;
    double sum = 0, squares = 0, rate[3];
    road_open(&r, sim, seed, 3.5e6, RMI_MS(300), RMI_MS(50));
    for (int i = 0; i < 3; i++) {
        road_add(&r, &(struct road_flow_config){.weight = weights[i], .most_bps = MOST_BPS});
        road_run(&r, i < 2 ? 20 : SETTLE_S);
    }
    road_judge(&r);
    road_run(&r, 80 - SETTLE_S);
    for (int i = 0; i < 3; i++) {
        rate[i] = road_rate(&r.flow[i], 40 + SETTLE_S, 120);
        const double part = rate[i] / weights[i];
        sum += part;
        squares += part * part;
        road_figure(sim, rate[i] / 1000, "kbit/s", none, "6.1 rate of weight %.0f", weights[i]);
    }
    road_figure(sim, sum * sum / (3 * squares), "", jain_line, "6.1 Jain's index of rates by weight");
    road_figure(sim, 2 * rate[0] / (rate[1] + rate[2]), "", none, "6.1 rate of weight 2 to the others' mean");
    road_figure(sim, road_use(&r, RMT_UP, 0), "share", use_line, "6.1 use");
    road_figure(sim, (double)road_queue_p95_us(&r, RMT_UP) / 1000, "ms", queue_line, "6.1 queue p95");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "flows_share_by_their_weights");
}
