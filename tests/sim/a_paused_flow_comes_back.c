/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.8: of three flows on 3.5 Mbit/s one pauses for 20 s: the others
 * take its share within ten seconds, and it gets it back within ten. */
#include "support/road.h"

/* Of 1.5 Mbit/s each, which two flows can have: 0.94 to 1.02 were seen. */
static const struct road_line fill_line = {0.9, 0.9, true};
static const struct road_line jain_line = {0.95, 0.95, true}; /* 0.98 to 1.0 were seen */

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct road r;
    road_open(&r, sim, seed, 3.5e6, RMI_MS(300), RMI_MS(50));
    for (int i = 0; i < 3; i++)
        road_add(&r, &(struct road_flow_config){0});
    road_run(&r, 40);
    road_pause(&r.flow[1], true);
    road_run(&r, 20);
    road_pause(&r.flow[1], false);
    road_run(&r, 60);
    const double filled = (road_rate(&r.flow[0], 50, 60) + road_rate(&r.flow[2], 50, 60)) / 2;
    const double jain = road_jain(&r, 0, 3, 70, 120);
    road_figure(sim, filled / 1.5e6, "share", fill_line, "5.8 use by the two others, from 10 s after the third paused");
    road_figure(sim, jain, "", jain_line, "5.8 Jain's index from 10 s after it came back");
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "a_paused_flow_comes_back");
}
