/* SPDX-License-Identifier: Apache-2.0 */
/* A peer takes no pictures, no sound, or only small pictures: the sender stops, goes on with a key frame at once, and
 * obeys the limit; for what it sends to all as for what it sends to that peer alone, through an ICE restart, too. What
 * is no wish is refused. */
#include "support/media.h"
#include "webrtc/wish.h"

#include <remotemedia/webrtc_control.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000
#define WATCH_MS 1500
#define ON_ITS_WAY 4 /* packets of sound, or pictures, when the wish arrives */

static const rm_subscription all = {.audio = true, .video = true};
static atomic_int refused; /* by the sender: the error */

static void on_control(const rm_control_answer *answer, void *user) {
    (void)user;
    if (answer->type == RM_CONTROL_REFUSED && !strcmp(answer->action, RMI_WISH))
        atomic_store(&refused, answer->err);
}

struct seen {
    struct rmt_call *call;
    uint64_t pictures, chunks; /* more than these */
    uint32_t width;            /* 0: any */
};

static bool both_come(void *ctx) {
    const struct seen *s = ctx;
    const struct rmt_heard h = rmt_heard_of(&s->call->ear_b, "a");
    return h.pictures > s->pictures && h.chunks > s->chunks && (!s->width || h.width == s->width);
}

static struct seen seen_so_far(struct rmt_call *call) {
    const struct rmt_heard h = rmt_heard_of(&call->ear_b, "a");
    return (struct seen){.call = call, .pictures = h.pictures, .chunks = h.chunks};
}

static bool video_stopped(void *ctx) {
    return rmt_stats(((struct rmt_call *)ctx)->a, "b").video_rung == -1;
}

static bool was_refused(void *ctx) {
    (void)ctx;
    return atomic_load(&refused) == RM_E_PARSE;
}

static void pictures_stop_and_come_back(struct rmt_call *call, struct rmt_source *source) {
    const rm_subscription sound = {.audio = true};
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", &sound) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, video_stopped, call, PATIENCE_MS));
    rm_media_stats before = rmt_stats(call->a, "b");
    RMT_REQUIRE(rm_webrtc_restart_ice(call->a, "b") == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, NULL, NULL, WATCH_MS));
    rm_media_stats after = rmt_stats(call->a, "b");
    RMT_REQUIRE(after.video_out.frames <= before.video_out.frames + ON_ITS_WAY);
    RMT_REQUIRE(after.audio_out.packets > before.audio_out.packets + ON_ITS_WAY);
    RMT_REQUIRE(after.target_bitrate_bps == 0 && after.video_rung == -1);

    struct seen s = seen_so_far(call);
    const uint64_t keys = after.video_out.key_frames, sent = source->pictures;
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", NULL) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS));
    printf("pictures are back after %llu\n", (unsigned long long)(source->pictures - sent));
    RMT_REQUIRE(rmt_stats(call->a, "b").video_out.key_frames > keys);
}

static void sound_stops_and_comes_back(struct rmt_call *call, struct rmt_source *source) {
    const rm_subscription pictures = {.video = true};
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, NULL, &pictures) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, NULL, NULL, WATCH_MS)); /* it has arrived */
    rm_media_stats before = rmt_stats(call->a, "b");
    RMT_REQUIRE(rmt_play(source, 1, NULL, NULL, WATCH_MS));
    struct seen s = seen_so_far(call);
    rm_media_stats after = rmt_stats(call->a, "b");
    RMT_REQUIRE(after.audio_out.packets <= before.audio_out.packets + ON_ITS_WAY);
    RMT_REQUIRE(after.video_out.frames > before.video_out.frames + ON_ITS_WAY);
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", &all) == RM_OK); /* before what holds for all */
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS));
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", NULL) == RM_OK);
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, NULL, NULL) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS));
}

static void the_limit_is_obeyed(struct rmt_call *call, struct rmt_source *source) {
    rm_subscription small = all;
    small.max = (rm_quality){.tier = RM_TIER_CUSTOM, .bitrate_kbps = 150, .width = 320, .height = 180};
    struct seen s = seen_so_far(call);
    s.width = 320;
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", &small) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS));
    const rm_media_stats stats = rmt_stats(call->a, "b");
    RMT_REQUIRE(stats.target_bitrate_bps <= 150000);
    RMT_REQUIRE(source->to || stats.video_rung > 0);
    s = seen_so_far(call);
    s.width = source->width;
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", NULL) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS));
}

static void bad_wishes_are_refused(struct rmt_call *call, struct rmt_source *source) {
    const char *bad = "{\"video\":false,\"max\":{\"bitrate_kbps\":0}}";
    char long_id[RM_PEER_ID_MAX + 1] = {0};
    memset(long_id, 'x', RM_PEER_ID_MAX);
    const rm_subscription wrong = {.max = {.tier = RM_TIER_CUSTOM, .width = 640, .height = 360}};
    RMT_REQUIRE(rm_webrtc_send_custom(call->b, "a", RMI_WISH, bad, strlen(bad)) == RM_OK);
    RMT_REQUIRE(rmt_play(source, 1, was_refused, NULL, PATIENCE_MS));
    struct seen s = seen_so_far(call);
    RMT_REQUIRE(rmt_play(source, 1, both_come, &s, PATIENCE_MS)); /* nothing has changed */
    RMT_REQUIRE(rm_webrtc_subscribe(NULL, NULL, &all) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "", &all) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, long_id, &all) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_subscribe(call->b, "a", &wrong) == RM_E_INVALID_ARG);
    for (int i = 0; i <= RM_SUBSCRIPTIONS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%d", i);
        const rm_err expected = i < RM_SUBSCRIPTIONS_MAX ? RM_OK : RM_E_LIMIT;
        RMT_REQUIRE(rm_webrtc_subscribe(call->b, id, &all) == expected);
    }
}

int main(void) {
    struct rmi_signaling_thread server;
    struct rmt_call call;
    rmt_server_start(&server);
    rmt_call_prepare(&call, &server, "wishes");
    call.config_b.on_control = on_control;
    rmt_call_connect(&call);
    struct rmt_source source = {
        .t = call.a, .width = 640, .height = 360, .fps = 30, .noisy = true, .sound_us = 10000, .amplitude = 0.3F};
    for (int own = 0; own < 2; own++) {
        struct seen s = seen_so_far(&call);
        source.to = own ? "b" : NULL;
        RMT_REQUIRE(rmt_play(&source, 1, both_come, &s, PATIENCE_MS));
        pictures_stop_and_come_back(&call, &source);
        sound_stops_and_comes_back(&call, &source);
        the_limit_is_obeyed(&call, &source);
    }
    RMT_REQUIRE(source.refused == 0); /* who does not want it is no error */
    bad_wishes_are_refused(&call, &source);
    rmt_call_end(&call);
    rmi_signaling_thread_stop(&server);
    return 0;
}
