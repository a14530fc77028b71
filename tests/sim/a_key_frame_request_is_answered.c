/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever asks for a key frame gets one soon; who asks all the time gets no more than the limit allows, whether it is
 * our own asking that is held back or a rude peer's that is taken together. */
#include "support/sim_duet.h"

#define FPS 30
#define INTERVAL_US RMI_MS(300) /* between requests, both ways (src/peer/rtp_session_private.h) */
#define STORM_US RMI_SEC(3)
#define STEP_US RMI_MS(10)
#define ANSWER_US RMI_MS(120) /* path there and back, a picture's time, encoding of none */
#define MOST (STORM_US / INTERVAL_US + 1)

static void ask_on(struct rmt_duet *d, bool rude) {
    for (int64_t t = 0; t < STORM_US; t += STEP_US) {
        rmt_studio_ask_key(d->bob, "alice", rude);
        rmt_vnet_run_for(d->v, STEP_US);
    }
    rmt_vnet_run_for(d->v, RMI_SEC(1));
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const enum rmi_jsep_codec_id codecs[] = {RMI_JSEP_VP8, RMI_JSEP_VP9, RMI_JSEP_H264};
    const struct rmt_link link = {.delay_us = RMI_MS(20)};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = codecs[seed % 3], .alice = {.pictures = true, .fps = FPS}};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    struct rmt_reception *r = rmt_studio_from(d.bob, "alice");
    uint64_t keys = r->video.key_frames;
    rmt_studio_ask_key(d.bob, "alice", false);
    rmt_vnet_run_for(d.v, ANSWER_US);
    r = rmt_studio_from(d.bob, "alice");
    RMT_CHECK_INT(d.v, r->video.key_frames, keys + 1);
    RMT_CHECK_INT(d.v, rmt_studio_from(d.alice, "bob")->key_requests, 1);
    rmt_vnet_run_for(d.v, RMI_SEC(1));
    RMT_CHECK_INT(d.v, rmt_studio_from(d.bob, "alice")->video.key_frames, keys + 1); /* one is enough */

    for (int rude = 0; rude < 2; rude++) {
        uint64_t plis = rmt_studio_from(d.bob, "alice")->rtp.in[RMI_RTP_VIDEO].plis,
                 requests = rmt_studio_from(d.alice, "bob")->key_requests;
        keys = rmt_studio_key_frames(d.alice);
        ask_on(&d, rude);
        plis = rmt_studio_from(d.bob, "alice")->rtp.in[RMI_RTP_VIDEO].plis - plis;
        requests = rmt_studio_from(d.alice, "bob")->key_requests - requests;
        keys = rmt_studio_key_frames(d.alice) - keys;
        rmt_vnet_note(d.v, "rude %d: %d PLIs, %d requests, %d key frames", rude, (int)plis, (int)requests, (int)keys);
        RMT_CHECK(d.v, rude ? plis == (uint64_t)(STORM_US / STEP_US) : plis <= (uint64_t)MOST);
        RMT_CHECK(d.v, requests >= (uint64_t)MOST / 2 && requests <= (uint64_t)MOST + 1);
        RMT_CHECK(d.v, keys >= (uint64_t)MOST / 2 && keys <= requests);
    }
    rmt_reception_check_order(d.v, rmt_studio_from(d.bob, "alice"));
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "a_key_frame_request_is_answered");
}
