/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.2: two flows while the capacity changes from 4 to 2, 3.5, 1 and 2
 * Mbit/s. */
#include "support/road.h"

static const struct road_line jain_line = {0.95, 0.95, true}; /* 0.97 to 1.0 were seen */

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const double plan[] = {4e6, 2e6, 3.5e6, 1e6, 2e6};
    struct road r;
    road_open(&r, sim, seed, plan[0], RMI_MS(300), RMI_MS(50));
    road_add(&r, &(struct road_flow_config){0});
    road_add(&r, &(struct road_flow_config){0});
    for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++) {
        road_capacity(&r, RMT_UP, plan[i]);
        road_run(&r, 25);
        const double from_s = 25.0 * (double)i + 10;
        road_figure(sim, road_jain(&r, 0, 2, from_s, from_s + 15), "", jain_line, "5.2 Jain's index at %.1f Mbit/s",
                    plan[i] / 1e6);
    }
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "two_flows_follow_the_capacity");
}
