/* SPDX-License-Identifier: Apache-2.0 */
/* To all, to one, and both at once; what a running stream can change; and the errors of the calls that send. */
#include "support/media.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000

struct room {
    struct rmt_call call; /* "a" sends, "b" and "c" listen */
    struct rmt_ear ear_c;
    rm_webrtc *c;
};

static void room_connect(struct room *r, const struct rmi_signaling_thread *s, const char *name) {
    rm_webrtc_config config;
    rm_event ev;
    rmt_call_prepare(&r->call, s, name);
    rmt_ear_init(&r->ear_c);
    rmt_config(&config, s, "c");
    config.room = name;
    config.on_media = rmt_on_media;
    config.user = &r->ear_c;
    rmt_call_connect(&r->call);
    r->c = rmt_join(&config);
    do
        RMT_REQUIRE(rmt_wait(r->c, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    while (strcmp(ev.peer_id, "a") != 0);
    RMT_REQUIRE(rmt_wait(r->call.a, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
}

static void room_end(struct room *r) {
    rm_webrtc_destroy(&r->c);
    rmt_ear_fini(&r->ear_c);
    rmt_call_end(&r->call);
}

/* ---- one of its own ---- */

struct wanted {
    struct room *room;
    uint32_t width_b, width_c; /* of pictures */
    double rms_b, rms_c;       /* of sound, at least */
    uint64_t chunks, pictures; /* more than these, at both */
};

static bool both_have(void *ctx) {
    const struct wanted *w = ctx;
    struct rmt_heard b = rmt_heard_of(&w->room->call.ear_b, "a"), c = rmt_heard_of(&w->room->ear_c, "a");
    return b.width == w->width_b && c.width == w->width_c && b.rms > w->rms_b && c.rms > w->rms_c &&
           b.chunks > w->chunks && c.chunks > w->chunks && b.pictures > w->pictures && c.pictures > w->pictures;
}

static void to_all_and_to_one(const struct rmi_signaling_thread *s) {
    struct room r;
    room_connect(&r, s, "one");
    struct rmt_source sources[2] = {
        {.t = r.call.a, .width = 320, .height = 180, .fps = 30, .sound_us = 10000, .amplitude = 0.1F},
        {.t = r.call.a, .to = "b", .width = 160, .height = 96, .fps = 30, .sound_us = 10000, .amplitude = 0.8F}};
    struct wanted w = {.room = &r, .width_b = 320, .width_c = 320, .rms_b = 0.05, .rms_c = 0.05};
    RMT_REQUIRE(rmt_play(sources, 1, both_have, &w, PATIENCE_MS));
    RMT_REQUIRE(rmt_heard_of(&r.call.ear_b, "a").rms < 0.2 && rmt_heard_of(&r.ear_c, "a").rms < 0.2);
    w = (struct wanted){.room = &r, .width_b = 160, .width_c = 320, .rms_b = 0.4, .rms_c = 0.05};
    RMT_REQUIRE(rmt_play(sources, 2, both_have, &w, PATIENCE_MS));
    /* From here on each gets its own only, for as long as both are sent. */
    for (int i = 0; i < 10; i++) {
        struct rmt_heard b = rmt_heard_of(&r.call.ear_b, "a"), c = rmt_heard_of(&r.ear_c, "a");
        RMT_REQUIRE(b.width == 160 && c.width == 320);
        RMT_REQUIRE(b.rms > 0.4 && c.rms < 0.2);
        w.chunks = b.chunks > c.chunks ? b.chunks : c.chunks;
        w.pictures = b.pictures > c.pictures ? b.pictures : c.pictures;
        RMT_REQUIRE(rmt_play(sources, 2, both_have, &w, PATIENCE_MS));
    }
    /* Who has its own gets nothing of what is sent to all. */
    rm_media_stats before = rmt_stats(r.call.a, "b");
    w.width_c = 0;
    RMT_REQUIRE(rmt_play(sources, 1, NULL, NULL, 500));
    rm_media_stats after = rmt_stats(r.call.a, "b");
    RMT_REQUIRE(after.video_out.frames <= before.video_out.frames + 3); /* what its encoder still held */
    RMT_REQUIRE(after.audio_out.packets <= before.audio_out.packets + 2);
    RMT_REQUIRE(sources[0].refused == 0 && sources[1].refused == 0);
    /* A broadcast says so. */
    rm_send_result results[4];
    size_t count = 0;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_create(480 * sizeof(float), &buf) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_audio(buf, 0, 480, 48000, 1, &data) == RM_OK);
    RMT_REQUIRE(rm_webrtc_broadcast(r.call.a, data, results, 4, &count) == RM_OK && count == 2);
    for (size_t i = 0; i < count; i++)
        RMT_REQUIRE(results[i].err == (strcmp(results[i].peer_id, "b") ? RM_OK : RM_E_STATE));
    RMT_REQUIRE(rm_webrtc_broadcast(r.call.a, data, results, 1, &count) == RM_OK && count == 2);
    RMT_REQUIRE(rm_webrtc_broadcast(r.call.a, data, NULL, 0, &count) == RM_OK && count == 2);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    room_end(&r);
}

/* ---- changes of a running stream ---- */

static bool c_has_width(void *ctx) {
    const struct wanted *w = ctx;
    return rmt_heard_of(&w->room->ear_c, "a").width == w->width_c;
}

static bool b_has_key(void *ctx) {
    const struct wanted *w = ctx;
    return rmt_stats(w->room->call.b, "a").video_in.key_frames > w->pictures;
}

/* Bytes of pictures that "b" gets in two seconds. */
static uint64_t two_seconds(struct room *r, struct rmt_source *source) {
    uint64_t before = rmt_stats(r->call.b, "a").video_in.bytes;
    RMT_REQUIRE(rmt_play(source, 1, NULL, NULL, 2000));
    return rmt_stats(r->call.b, "a").video_in.bytes - before;
}

static void settings_change_while_running(const struct rmi_signaling_thread *s) {
    struct room r;
    room_connect(&r, s, "settings");
    struct rmt_source source = {.t = r.call.a, .width = 320, .height = 240, .fps = 30, .noisy = true};
    rm_video_settings v = {.bitrate_bps = 1000000, .framerate_fps = 30, .max_width = 640, .max_height = 480};
    struct wanted w = {.room = &r, .width_c = 320};
    RMT_REQUIRE(rm_webrtc_set_video(r.call.a, NULL, &v) == RM_OK);
    RMT_REQUIRE(rmt_play(&source, 1, c_has_width, &w, PATIENCE_MS));
    struct rmi_rtp_session_stats first = rmt_rtp_stats(r.call.b, "a");
    uint64_t high = two_seconds(&r, &source);

    v.bitrate_bps = 150000;
    RMT_REQUIRE(rm_webrtc_set_video(r.call.a, NULL, &v) == RM_OK);
    RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 500)); /* the encoder's rate settles */
    uint64_t low = two_seconds(&r, &source);
    printf("1,000 kbit/s: %llu bytes in 2 s, 150 kbit/s: %llu bytes\n", (unsigned long long)high,
           (unsigned long long)low);
    RMT_REQUIRE(low * 2 < high && low > 0);
    RMT_REQUIRE(rmt_stats(r.call.a, "b").target_bitrate_bps == 150000);

    v.framerate_fps = 5;
    RMT_REQUIRE(rm_webrtc_set_video(r.call.a, NULL, &v) == RM_OK);
    uint64_t sent = source.pictures, frames = rmt_stats(r.call.a, "b").video_out.frames;
    RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 2000));
    RMT_REQUIRE((rmt_stats(r.call.a, "b").video_out.frames - frames) * 3 <= source.pictures - sent + 9);

    v = (rm_video_settings){.bitrate_bps = 1000000, .framerate_fps = 30, .max_width = 160, .max_height = 120};
    RMT_REQUIRE(rm_webrtc_set_video(r.call.a, NULL, &v) == RM_OK);
    w.width_c = 160;
    RMT_REQUIRE(rmt_play(&source, 1, c_has_width, &w, PATIENCE_MS));
    v.max_width = 640;
    v.max_height = 480;
    RMT_REQUIRE(rm_webrtc_set_video(r.call.a, NULL, &v) == RM_OK);
    w.width_c = 320;
    RMT_REQUIRE(rmt_play(&source, 1, c_has_width, &w, PATIENCE_MS));

    /* "c" is asked for nothing; "b" asks and gets. */
    w.pictures = rmt_stats(r.call.b, "a").video_in.key_frames;
    RMT_REQUIRE(rm_webrtc_request_key_frame(r.call.b, "a") == RM_OK);
    RMT_REQUIRE(rmt_play(&source, 1, b_has_key, &w, PATIENCE_MS));
    RMT_REQUIRE(rmt_stats(r.call.b, "a").video_in.pli_count >= 1 && rmt_stats(r.call.a, "b").video_out.pli_count >= 1);

    /* All of that was one stream: the same source, and its numbers went on without a gap. */
    struct rmi_rtp_session_stats last = rmt_rtp_stats(r.call.b, "a");
    RMT_REQUIRE(last.in[RMI_RTP_VIDEO].ssrc == first.in[RMI_RTP_VIDEO].ssrc);
    RMT_REQUIRE(last.in[RMI_RTP_VIDEO].packets > first.in[RMI_RTP_VIDEO].packets);
    RMT_REQUIRE(last.in[RMI_RTP_VIDEO].packets_lost == 0 && last.in[RMI_RTP_VIDEO].dropped == 0);
    RMT_REQUIRE(rmt_stats(r.call.b, "a").video_in.frames_dropped == 0);
    room_end(&r);
}

/* ---- errors ---- */

static rm_runtime_data *sound(void) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_create(480 * sizeof(float), &buf) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_audio(buf, 0, 480, 48000, 1, &data) == RM_OK);
    rm_buf_unref(&buf);
    return data;
}

static rm_runtime_data *picture(void) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_create(rm_video_packed_size(RM_PIXEL_I420, 64, 64), &buf) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 64, 64, 0, 0, &data) == RM_OK);
    rm_buf_unref(&buf);
    return data;
}

static void all_give(rm_webrtc *t, const char *to, rm_err expected) {
    rm_runtime_data *a = sound(), *v = picture();
    RMT_REQUIRE(rm_webrtc_send_audio(t, to, a) == expected);
    RMT_REQUIRE(rm_webrtc_send_video(t, to, v) == expected);
    if (to) {
        RMT_REQUIRE(rm_webrtc_send_to_peer(t, to, a) == expected);
        RMT_REQUIRE(rm_webrtc_send_to_peer(t, to, v) == expected);
    }
    rm_runtime_data_unref(&a);
    rm_runtime_data_unref(&v);
}

static void refuses_arguments(rm_webrtc *t) {
    static const rm_video_settings good = {
        .bitrate_bps = 100000, .framerate_fps = 10, .max_width = 64, .max_height = 64};
    rm_runtime_data *a = sound(), *v = picture(), *json = NULL;
    rm_media_stats stats;
    size_t count;
    rm_video_settings bad = good;
    RMT_REQUIRE(rm_runtime_data_create_json("{}", 2, &json) == RM_OK);
    RMT_REQUIRE(rm_webrtc_send_audio(NULL, NULL, a) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_audio(t, NULL, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_audio(t, NULL, v) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_video(t, NULL, a) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_send_to_peer(t, "b", json) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(rm_webrtc_send_to_peer(t, NULL, a) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_broadcast(t, json, NULL, 0, &count) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(rm_webrtc_broadcast(t, a, NULL, 1, &count) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_broadcast(t, a, NULL, 0, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_set_video(t, NULL, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_set_video(t, "nobody", &good) == RM_E_NOT_FOUND);
    bad.bitrate_bps = 9999;
    RMT_REQUIRE(rm_webrtc_set_video(t, NULL, &bad) == RM_E_INVALID_ARG);
    bad = good;
    bad.framerate_fps = 0;
    RMT_REQUIRE(rm_webrtc_set_video(t, NULL, &bad) == RM_E_INVALID_ARG);
    bad = good;
    bad.max_width = 15;
    RMT_REQUIRE(rm_webrtc_set_video(t, NULL, &bad) == RM_E_INVALID_ARG);
    bad.max_width = 4097;
    RMT_REQUIRE(rm_webrtc_set_video(t, NULL, &bad) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_request_key_frame(t, NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_get_stats(t, NULL, &stats) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_get_stats(t, "b", NULL) == RM_E_INVALID_ARG);
    rm_runtime_data_unref(&a);
    rm_runtime_data_unref(&v);
    rm_runtime_data_unref(&json);
}

/* An encoded picture: of a codec that the peers speak, or not. */
static rm_err send_encoded(rm_webrtc *t, const char *to, rm_codec codec) {
    static const uint8_t bytes[64] = {0};
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_copy(bytes, sizeof bytes, &buf) == RM_OK);
    RMT_REQUIRE(rm_runtime_data_create_encoded(buf, 0, sizeof bytes, codec, 64, 64, true, 0, 0, &data) == RM_OK);
    rm_err err = rm_webrtc_send_video(t, to, data);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    return err;
}

static void errors_are_as_promised(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    rm_media_stats stats;
    rm_event ev;
    rmt_call_prepare(&call, s, "errors");
    rm_webrtc *t = NULL;
    RMT_REQUIRE(rm_webrtc_create(&call.config_a, &t) == RM_OK);
    all_give(t, NULL, RM_E_STATE);
    all_give(t, "b", RM_E_STATE);
    RMT_REQUIRE(rm_webrtc_request_key_frame(t, "b") == RM_E_STATE);
    RMT_REQUIRE(rm_webrtc_get_stats(t, "b", &stats) == RM_E_STATE);
    rm_webrtc_destroy(&t);

    rmt_call_connect(&call);
    refuses_arguments(call.a);
    all_give(call.a, NULL, RM_OK);
    all_give(call.a, "b", RM_OK);
    all_give(call.a, "nobody", RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_request_key_frame(call.a, "nobody") == RM_E_NOT_FOUND);
    RMT_REQUIRE(rm_webrtc_get_stats(call.a, "nobody", &stats) == RM_E_NOT_FOUND);
    RMT_REQUIRE(send_encoded(call.a, "b", RM_CODEC_AV1) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(send_encoded(call.a, NULL, RM_CODEC_AV1) == RM_E_UNSUPPORTED);
    rm_webrtc_shutdown(call.a);
    RMT_REQUIRE(rmt_wait(call.a, RM_EV_STOPPED, 0, &ev, PATIENCE_MS));
    all_give(call.a, NULL, RM_E_CLOSED);
    all_give(call.a, "b", RM_E_CLOSED);
    RMT_REQUIRE(rm_webrtc_request_key_frame(call.a, "b") == RM_E_CLOSED);
    RMT_REQUIRE(rm_webrtc_get_stats(call.a, "b", &stats) == RM_E_CLOSED);
    RMT_REQUIRE(rm_webrtc_set_pipeline(call.a, NULL, NULL, NULL, 0) == RM_E_CLOSED);
    rmt_call_end(&call);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    errors_are_as_promised(&s);
    to_all_and_to_one(&s);
    settings_change_while_running(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
