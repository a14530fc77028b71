/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.4: three flows on 3.5 Mbit/s that start 20 s apart. */
#include "support/road.h"

#include <math.h>

#define SETTLE_S 15
static const struct road_line jain_line = {0.95, 0.95, true}; /* 0.99 to 1.0 were seen */

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct road r;
    road_open(&r, sim, seed, 3.5e6, RMI_MS(300), RMI_MS(50));
    for (int i = 0; i < 3; i++) {
        road_add(&r, &(struct road_flow_config){0});
        road_run(&r, i < 2 ? 20 : 80);
    }
    road_figure(sim, road_jain(&r, 0, 3, 40 + SETTLE_S, 120), "", jain_line, "5.4 Jain's index");
    for (int i = 0; i < 3; i++)
        road_figure(sim, road_rate(&r.flow[i], 40 + SETTLE_S, 120) / 1000, "kbit/s", (struct road_line){NAN, NAN, true},
                    "5.4 rate of flow %d", i + 1);
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "three_flows_come_to_a_fair_share");
}
