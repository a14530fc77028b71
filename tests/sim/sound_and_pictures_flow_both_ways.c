/* SPDX-License-Identifier: Apache-2.0 */
/* Two peers, the second of which sends back what it receives, as a pipeline that only passes on: sound is there and
 * back in time for a conversation, and pictures come in order and as they were drawn. */
#include "support/sim_duet.h"

#define RUN_S 6
#define FPS 30
#define LINK_US RMI_MS(1)
#define SOUND_P95_US RMI_MS(35) /* two hops with 10 ms frames */
#define PICTURE_P95_US RMI_MS(5)
#define PSNR_DB 30

static void check(struct rmt_vnet *v, struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, r->markers >= 2 * RUN_S - 1);
    RMT_CHECK(v, rmt_samples_percentile(&r->sound_age_us, 95000) < SOUND_P95_US);
    RMT_CHECK_INT(v, r->sound.concealed_samples, 0);
    RMT_CHECK(v, r->pictures >= FPS * RUN_S - 1);
    RMT_CHECK(v, rmt_samples_percentile(&r->picture_age_us, 95000) < PICTURE_P95_US);
    RMT_CHECK(v, r->longest_freeze_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK(v, r->psnr_count > 0 && r->psnr_least > PSNR_DB);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const enum rmi_jsep_codec_id codecs[] = {RMI_JSEP_VP9, RMI_JSEP_VP8, RMI_JSEP_H264};
    const struct rmt_duet_config config = {.up = {.delay_us = LINK_US},
                                           .down = {.delay_us = LINK_US},
                                           .video_first = codecs[seed % 3],
                                           .alice = {.sound = true, .pictures = true, .fps = FPS},
                                           .bob = {.echo = true}};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    check(d.v, rmt_studio_from(d.bob, "alice"));
    check(d.v, rmt_studio_from(d.alice, "bob"));
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "sound_and_pictures_flow_both_ways");
}
