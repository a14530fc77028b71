/* SPDX-License-Identifier: Apache-2.0 */
/* Where a tenth of the packets is lost, most pictures still come at once and are shown at once, and some come 100 ms
 * later, by retransmission. Sound keeps to the many: held back for the few, it would be late for all others. */
#include "support/sim_duet.h"

#define FPS 15
#define SETTLE_US RMI_SEC(6) /* first reports, then at most 100 ms of change in a second */
#define RUN_US RMI_SEC(8)
#define LOSS_PPM 100000
#define LATE_UNNOTICED_US RMI_MS(60) /* EBU R37-2007: sound up to 60 ms late, 40 ms early */
#define EARLY_UNNOTICED_US RMI_MS(40)

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(25), .loss_ppm = LOSS_PPM};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = RMI_JSEP_VP8, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, SETTLE_US);
    rmt_vnet_run_for(d.v, RUN_US);
    for (int i = 0; i < 2; i++) {
        struct rmt_reception *r = i ? rmt_studio_from(d.alice, "bob") : rmt_studio_from(d.bob, "alice");
        int64_t sound_us = rmt_samples_percentile(&r->sound_age_us, 50000),
                picture_us = rmt_samples_percentile(&r->picture_age_us, 50000);
        rmt_reception_check_order(d.v, r);
        RMT_CHECK(d.v, r->markers > 0 && r->pictures > 0);
        RMT_CHECK(d.v, r->rtp.in[RMI_RTP_VIDEO].rtx_packets > 0);
        RMT_CHECK(d.v, sound_us - picture_us <= LATE_UNNOTICED_US && picture_us - sound_us <= EARLY_UNNOTICED_US);
    }
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "sound_does_not_wait_for_repaired_pictures");
}
