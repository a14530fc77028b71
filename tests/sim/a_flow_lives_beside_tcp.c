/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.6: a flow beside a TCP connection without end, on 2 Mbit/s with
 * queues of 300 and 1000 ms: pictures never fall below the encoder's least for
 * long, and sound arrives. */
#include "support/road.h"

#include <math.h>

static const struct road_line least_line = {150, 150, true}; /* over any ten seconds: 160 to 193 were seen */
/* A full queue drops of all that comes, sound as well: 1.2 to 2.6 % with 300 ms. Copies (RFC 2198) have to make up for
 * it; what remains are those of which two or three in a row were dropped. */
static const struct road_line missing_line = {1.5, 0, false};
static const struct road_line tcp_line = {300, 300, true}; /* it lives, too */
static const struct road_line none = {NAN, NAN, true};

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct road r;
    road_open(&r, sim, seed, 2e6, seed % 2 ? RMI_MS(1000) : RMI_MS(300), RMI_MS(50));
    struct tcp_flow *tcp = road_tcp(&r);
    tcp_flow_start(tcp, 0);
    road_run(&r, 5);
    struct road_flow *f = road_add(&r, &(struct road_flow_config){0});
    road_run(&r, 114);
    double least = 1e12;
    for (int s = 10; s < 109; s++) {
        const double bps = road_rate(f, s, s + 10);
        least = bps < least ? bps : least;
    }
    const int queue_ms = seed % 2 ? 1000 : 300;
    road_figure(sim, road_rate(f, 15, 119) / 1000, "kbit/s", none, "5.6 rate with a queue of %d ms", queue_ms);
    road_figure(sim, least / 1000, "kbit/s", least_line, "5.6 least rate over 10 s with a queue of %d ms", queue_ms);
    road_figure(sim, 100.0 * (double)road_lost_sounds(f) / (double)f->sounds, "percent", none,
                "5.6 sound lost before repair with a queue of %d ms", queue_ms);
    road_figure(sim, (double)tcp_flow_acked(tcp) * 8 / 119 / 1000, "kbit/s", tcp_line,
                "5.6 rate of TCP with a queue of %d ms", queue_ms);
    road_figure(sim, 100.0 * road_missing_sounds(f), "percent", missing_line,
                "5.6 sound missing after repair with a queue of %d ms", queue_ms);
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "a_flow_lives_beside_tcp");
}
