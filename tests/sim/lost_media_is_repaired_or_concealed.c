/* SPDX-License-Identifier: Apache-2.0 */
/* 5 % and 10 % of all packets are lost both ways, on a path of 50 ms there and back: pictures are repaired by NACK and
 * RTX and hardly freeze, and of the sound only that is concealed for which no FEC came either. */
#include "support/sim_duet.h"

#define RUN_S 8
#define FPS 15
#define ONE_WAY_US RMI_MS(25)
#define PICTURES_LEAST 0.8 /* of 10 % lost: a fifth of the repairs needs a second try, and some a key frame */
#define FEC_PERCENT 10     /* told to Opus, which makes no FEC for 5 % at 32 kbit/s */
#define FREEZE_US RMI_MS(1200)
#define CONCEALED_OF_LOST 1.3 /* what is concealed, to what is lost for good */
#define PACKET_SAMPLES 480.0  /* 10 ms at 48 kHz */
#define CONCEALED_BEGIN 10    /* packets: while nothing is known of the losses yet, FEC is not waited for */
#define PSNR_DB 30

static void check(struct rmt_vnet *v, struct rmt_reception *r, uint64_t sent) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, (double)r->pictures >= PICTURES_LEAST * (double)sent);
    RMT_CHECK(v, r->longest_freeze_us <= FREEZE_US);
    RMT_CHECK(v, r->psnr_least > PSNR_DB);
    RMT_CHECK(v, r->rtp.in[RMI_RTP_VIDEO].nacks > 0 && r->rtp.in[RMI_RTP_VIDEO].rtx_packets > 0);
    RMT_CHECK(v, r->rtp.in[RMI_RTP_AUDIO].packets_lost > 0 && r->rtp.in[RMI_RTP_AUDIO].redundant > 0);
    double concealed = (double)r->sound.concealed_samples / PACKET_SAMPLES;
    RMT_CHECK(v, concealed <= CONCEALED_OF_LOST * (double)r->sound_lost_for_good + CONCEALED_BEGIN);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const uint32_t percent = seed % 2 ? 5 : 10;
    const struct rmt_link link = {.delay_us = ONE_WAY_US, .loss_ppm = percent * (RMT_PPM_ONE / 100)};
    const struct rmt_studio_config studio = {
        .sound = true, .voice = true, .pictures = true, .fps = FPS, .fec_loss_percent = FEC_PERCENT};
    const struct rmt_duet_config config = {.up = link,
                                           .down = link,
                                           .video_first = seed % 4 < 2 ? RMI_JSEP_VP8 : RMI_JSEP_VP9,
                                           .alice = studio,
                                           .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    uint64_t from_a = rmt_studio_pictures_sent(d.alice), from_b = rmt_studio_pictures_sent(d.bob);
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    check(d.v, rmt_studio_from(d.bob, "alice"), rmt_studio_pictures_sent(d.alice) - from_a);
    check(d.v, rmt_studio_from(d.alice, "bob"), rmt_studio_pictures_sent(d.bob) - from_b);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "lost_media_is_repaired_or_concealed");
}
