/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that overtake one another, come twice, or with a flipped bit: each chunk and picture is played once, in its
 * place, and undamaged; SRTP throws out what was changed. */
#include "support/sim_duet.h"

#define RUN_S 10
#define FPS 15
#define PICTURES_LEAST 0.95
#define CONCEALED_MOST 0.04 /* of 1 % corrupted, and of those that come 12 ms late in the beginning */
#define PSNR_DB 30

static void check(struct rmt_vnet *v, struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, (double)r->pictures >= PICTURES_LEAST * FPS * RUN_S);
    RMT_CHECK(v, r->psnr_least > PSNR_DB);
    RMT_CHECK(v, r->markers >= 2 * RUN_S * 3 / 4); /* one that is partly concealed is not found */
    RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(10),
                                  .jitter_us = RMI_MS(seed % 3 * 2),
                                  .allow_reorder = true,
                                  .reorder_p = 50000,
                                  .reorder_us = RMI_MS(12),
                                  .dup_p = 100000,
                                  .corrupt_p = 10000};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {.up = link,
                                           .down = link,
                                           .video_first = seed % 2 ? RMI_JSEP_VP8 : RMI_JSEP_H264,
                                           .alice = studio,
                                           .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    struct rmt_link_stats stats = rmt_wire_stats(rmt_host_wire(d.alice_host, 0, RMT_UP));
    RMT_CHECK(d.v, stats.duplicated > 0 && stats.reordered > 0 && stats.corrupted > 0);
    check(d.v, rmt_studio_from(d.bob, "alice"));
    check(d.v, rmt_studio_from(d.alice, "bob"));
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "no_media_plays_twice_or_out_of_order");
}
