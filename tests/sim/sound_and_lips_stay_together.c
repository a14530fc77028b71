/* SPDX-License-Identifier: Apache-2.0 */
/* Sound that takes 30 ms longer than the pictures it belongs to is near enough and holds nothing back; at 130 ms longer
 * the pictures wait for it, until nobody notices the rest. */
#include "support/sim_duet.h"

#define FPS 30
#define SETTLE_US RMI_SEC(6) /* first reports, then at most 100 ms of change in a second */
#define RUN_US RMI_SEC(5)
#define NEAR_US RMI_MS(30)
#define FAR_US RMI_MS(130)
#define LATE_UNNOTICED_US RMI_MS(60) /* EBU R37-2007: sound up to 60 ms late, 40 ms early */
#define EARLY_UNNOTICED_US RMI_MS(40)
#define PICTURE_AT_ONCE_US RMI_MS(25) /* with a link of 10 ms */

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const bool far = seed % 2;
    const struct rmt_link link = {.delay_us = RMI_MS(10), .jitter_us = RMI_MS(seed % 3)};
    const struct rmt_studio_config studio = {
        .sound = true, .pictures = true, .fps = FPS, .sound_late_us = far ? FAR_US : NEAR_US};
    const struct rmt_duet_config config = {.up = link,
                                           .down = link,
                                           .video_first = seed % 4 < 2 ? RMI_JSEP_VP8 : RMI_JSEP_H264,
                                           .alice = studio,
                                           .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, SETTLE_US);
    rmt_vnet_run_for(d.v, RUN_US);
    for (int i = 0; i < 2; i++) {
        struct rmt_reception *r = i ? rmt_studio_from(d.alice, "bob") : rmt_studio_from(d.bob, "alice");
        int64_t sound_us = rmt_samples_percentile(&r->sound_age_us, 50000),
                picture_us = rmt_samples_percentile(&r->picture_age_us, 50000);
        rmt_reception_check_order(d.v, r);
        RMT_CHECK(d.v, sound_us - picture_us <= LATE_UNNOTICED_US && picture_us - sound_us <= EARLY_UNNOTICED_US);
        RMT_CHECK(d.v, far || picture_us < PICTURE_AT_ONCE_US);
        RMT_CHECK(d.v, r->pictures >= FPS * RUN_US / RMI_SEC(1) - 1);
    }
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 8, "sound_and_lips_stay_together");
}
