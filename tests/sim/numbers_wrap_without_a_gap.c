/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers and RTP timestamps of sound and pictures, and the numbers of retransmissions, pass the end of their
 * range in mid-stream, and SRTP counts a turn more: nothing is lost, concealed or frozen; and with losses pictures are
 * repaired across the wrap as everywhere. */
#include "support/sim_duet.h"

#define FPS 30
#define RUN_S 12 /* sound wraps after 3 s, timestamps after 5 s, pictures within 10 s */
#define LOSS_PPM 50000
#define PICTURES_LEAST 0.93 /* a repair that is lost, too, may cost 0.7 s, until the next key frame */
#define CONCEALED_MOST 0.08

static void check(struct rmt_vnet *v, struct rmt_reception *r, bool lossy) {
    rmt_reception_check_order(v, r);
    RMT_CHECK_INT(v, r->sound.buffer.restarts, 1);
    RMT_CHECK_INT(v, r->video.buffer.restarts, 1);
    if (lossy) {
        RMT_CHECK(v, (double)r->pictures >= PICTURES_LEAST * FPS * RUN_S);
        RMT_CHECK(v, r->rtp.in[RMI_RTP_VIDEO].rtx_packets > 0);
        RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
        return;
    }
    RMT_CHECK(v, r->pictures >= FPS * RUN_S - 1);
    RMT_CHECK(v, r->longest_freeze_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK_INT(v, r->sound.concealed_samples, 0);
    RMT_CHECK_INT(v, r->sound_packets_lost, 0);
    RMT_CHECK_INT(v, r->rtp.in[RMI_RTP_VIDEO].packets_lost, 0);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const bool lossy = seed % 2;
    const struct rmt_link calm = {.delay_us = RMI_MS(10)},
                          link = {.delay_us = RMI_MS(10), .loss_ppm = lossy ? LOSS_PPM : 0};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS, .numbers_wrap = true};
    const struct rmt_duet_config config = {.up = calm,
                                           .down = calm,
                                           .video_first = seed % 3 ? RMI_JSEP_VP8 : RMI_JSEP_VP9,
                                           .alice = studio,
                                           .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    rmt_host_set_links(d.alice_host, &link, &link);
    rmt_vnet_run_for(d.v, RMI_SEC(RUN_S));
    RMT_CHECK_INT(d.v, rmt_studio_wrapped(d.alice, "bob"), RMT_WRAPPED_ALL);
    RMT_CHECK_INT(d.v, rmt_studio_wrapped(d.bob, "alice"), RMT_WRAPPED_ALL);
    check(d.v, rmt_studio_from(d.bob, "alice"), lossy);
    check(d.v, rmt_studio_from(d.alice, "bob"), lossy);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "numbers_wrap_without_a_gap");
}
