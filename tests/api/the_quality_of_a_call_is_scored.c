/* SPDX-License-Identifier: Apache-2.0 */
/* A call on loopback is as good as can be; with 30 % of its media lost it is not, the statistics say why, and copies of
 * sound repair most of it. */
#include "support/media.h"

#include <stdio.h>

#define PATIENCE_MS 30000
#define LOSS_PERCENT 30
#define GOOD 80.0
#define SOUND_US 10000

static bool is_good(void *ctx) {
    struct rmt_call *call = ctx;
    const rm_media_stats s = rmt_stats(call->b, "a");
    return s.quality_score > GOOD && s.audio_quality_score > GOOD && s.video_quality_score > GOOD;
}

static bool is_worse(void *ctx) {
    struct rmt_call *call = ctx;
    const rm_media_stats s = rmt_stats(call->b, "a");
    return s.quality_score < 60 && s.packet_loss_rate > 0.1 && s.redundant_audio_in > 10 && s.concealment_events > 0;
}

static bool copies_are_sent(void *ctx) {
    struct rmt_call *call = ctx;
    return rmt_stats(call->a, "b").redundant_audio_out > 100;
}

int main(void) {
    struct rmi_signaling_thread server;
    struct rmt_call call;
    rmt_server_start(&server);
    rmt_call_prepare(&call, &server, "quality");
    call.config_a.rtcp_interval_ms = call.config_b.rtcp_interval_ms = 1000;
    rmt_call_connect(&call);
    struct rmt_source sources[] = {
        {.t = call.a, .width = 320, .height = 240, .fps = 30, .sound_us = SOUND_US, .amplitude = 0.3F},
        {.t = call.b, .sound_us = SOUND_US, .amplitude = 0.3F}};
    RMT_REQUIRE(rmt_play(sources, 2, is_good, &call, PATIENCE_MS));
    rm_media_stats s = rmt_stats(call.b, "a");
    printf("score %.1f, sound %.1f, pictures %.1f\n", s.quality_score, s.audio_quality_score, s.video_quality_score);
    /* Who only hears is judged by what comes; who gets no pictures has no score of them. */
    RMT_REQUIRE(rmt_stats(call.a, "b").video_quality_score == 0);
    rmt_lose_media(call.b, LOSS_PERCENT);
    RMT_REQUIRE(rmt_play(sources, 2, copies_are_sent, &call, PATIENCE_MS));
    RMT_REQUIRE(rmt_play(sources, 2, is_worse, &call, PATIENCE_MS));
    s = rmt_stats(call.b, "a");
    printf("%.0f %% lost: score %.1f, sound %.1f, pictures %.1f; %llu concealments, %llu frames of sound by copies\n",
           100 * s.packet_loss_rate, s.quality_score, s.audio_quality_score, s.video_quality_score,
           (unsigned long long)s.concealment_events, (unsigned long long)s.redundant_audio_in);
    rmt_call_end(&call);
    rmi_signaling_thread_stop(&server);
    return 0;
}
