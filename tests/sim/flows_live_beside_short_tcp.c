/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.7: two flows beside ten TCP connections that fetch files and
 * pause, on 2 Mbit/s: never below the least for long, and back to their rates
 * within ten seconds after the last file. */
#include "support/road.h"

#include <math.h>

#define PAUSE_MEAN_S 10.0 /* RFC 8868: idle between files, and their sizes */
#define FILE_LEAST 100000
#define FILE_MOST 1000000
#define STOP_S 240

static const struct road_line least_line = {149, 150, true}; /* 149.5 to 166 in 32 seeds */
static const struct road_line back_line = {650, 650, true};  /* each, of 2 Mbit/s less headers */
static const struct road_line none = {NAN, NAN, true};

struct web {
    struct road r;
    struct rmi_prng prng;
    int64_t next_us[ROAD_TCPS];
};

static void browse(struct web *w) {
    for (size_t i = 0; i < w->r.tcps; i++) {
        const int64_t now_us = rmt_vnet_now(w->r.v);
        if (tcp_flow_busy(w->r.tcp[i])) {
            const double draw = ((double)(rmi_prng_next(&w->prng) % 100000) + 1) / 100001;
            w->next_us[i] = now_us + (int64_t)(-PAUSE_MEAN_S * log(draw) * 1e6);
        } else if (now_us >= w->next_us[i]) {
            tcp_flow_start(w->r.tcp[i], FILE_LEAST + rmi_prng_next(&w->prng) % (FILE_MOST - FILE_LEAST));
        }
    }
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct web w = {0};
    struct road *r = &w.r;
    rmi_prng_seed(&w.prng, seed);
    road_open(r, sim, seed, 2e6, RMI_MS(300), RMI_MS(50));
    for (int i = 0; i < ROAD_TCPS; i++) {
        road_tcp(r);
        w.next_us[i] = rmt_vnet_now(r->v) + (int64_t)(rmi_prng_next(&w.prng) % 10000000);
    }
    road_add(r, &(struct road_flow_config){0});
    road_add(r, &(struct road_flow_config){0});
    for (int i = 0; i < STOP_S * 5; i++) {
        browse(&w);
        road_run(r, 0.2);
    }
    for (size_t i = 0; i < r->tcps; i++)
        tcp_flow_stop(r->tcp[i]);
    road_run(r, 60);
    for (int f = 0; f < 2; f++) {
        double least = 1e12;
        for (int s = 20; s < STOP_S - 10; s++)
            least = fmin(least, road_rate(&r->flow[f], s, s + 10));
        const double with = road_rate(&r->flow[f], 20, STOP_S), after = road_rate(&r->flow[f], STOP_S + 12, 300);
        road_figure(sim, with / 1000, "kbit/s", none, "5.7 rate beside TCP");
        road_figure(sim, least / 1000, "kbit/s", least_line, "5.7 least rate over 10 s beside TCP");
        road_figure(sim, after / 1000, "kbit/s", back_line, "5.7 rate from 10 s after TCP");
    }
    road_close(r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "flows_live_beside_short_tcp");
}
