/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8867 5.6: a flow beside a TCP connection without end, on 2 Mbit/s with
 * queues of 300 and 1000 ms: pictures never fall below the encoder's least for
 * long, and sound arrives. */
#include "support/road.h"

#define LEAST_BPS                                                                                                      \
    130000.0 /* of 150 kbit/s of pictures, over any ten seconds                                                        \
              */
#define SOUND_LOST_MOST 0.03

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
    const double lost = (double)road_lost_sounds(f) / (double)f->sounds;
    printf("5.6: %.0f kbit/s of pictures and sound (least %.0f over 10 s), TCP "
           "%.0f kbit/s, %.2f %% of sound lost\n",
           road_rate(f, 15, 119) / 1000, least / 1000, (double)tcp_flow_acked(tcp) * 8 / 119 / 1000, 100 * lost);
    RMT_CHECK(r.v, least >= LEAST_BPS);
    RMT_CHECK(r.v, lost <= SOUND_LOST_MOST);
    RMT_CHECK(r.v, tcp_flow_acked(tcp) * 8 > 119 * 300000); /* it lives, too */
    road_close(&r);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "a_flow_lives_beside_tcp");
}
