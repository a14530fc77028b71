/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs, sizes, picture rates, lengths of sound packets, and what is switched off: as the configuration says, seen at
 * the other end of real calls on loopback. */
#include "support/media.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000
#define SECOND_US 1000000

struct wanted {
    struct rmt_call *call;
    uint64_t pictures, packets;
};

static bool pictures_came(void *ctx) {
    const struct wanted *w = ctx;
    return rmt_heard_of(&w->call->ear_b, "a").pictures >= w->pictures &&
           rmt_stats(w->call->b, "a").video_in.frames >= w->pictures; /* which come a moment later */
}

/* So many at once may overflow a socket's buffer: all are sent, some may be lost. */
static bool sound_packets_came(void *ctx) {
    const struct wanted *w = ctx;
    return rmt_stats(w->call->a, "b").audio_out.packets >= w->packets && rmt_heard_of(&w->call->ear_b, "a").chunks > 0;
}

static void each_video_codec(const struct rmi_signaling_thread *s) {
    static const struct {
        rm_video_codec codec;
        const char *name;
    } codecs[] = {{RM_VIDEO_VP9, "VP9"}, {RM_VIDEO_VP8, "VP8"}, {RM_VIDEO_H264, "H264"}};
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        struct rmt_call call;
        rmt_call_prepare(&call, s, codecs[i].name);
        call.config_a.video_codec = call.config_b.video_codec = codecs[i].codec;
        rmt_call_connect(&call);
        struct rmt_source source = {.t = call.a, .width = 320, .height = 180, .fps = 30};
        RMT_REQUIRE(rmt_play(&source, 1, pictures_came, &(struct wanted){.call = &call, .pictures = 5}, PATIENCE_MS));
        rm_media_stats in = rmt_stats(call.b, "a"), out = rmt_stats(call.a, "b");
        struct rmt_heard h = rmt_heard_of(&call.ear_b, "a");
        RMT_REQUIRE(!strcmp(in.video_in.codec, codecs[i].name) && !strcmp(out.video_out.codec, codecs[i].name));
        RMT_REQUIRE(in.video_in.key_frames >= 1 && out.video_out.key_frames >= 1);
        RMT_REQUIRE(h.width == 320 && h.height == 180);
        RMT_REQUIRE(h.left > RMT_DARK - 10 && h.left < RMT_DARK + 10);
        RMT_REQUIRE(h.right > RMT_BRIGHT - 10 && h.right < RMT_BRIGHT + 10);
        rmt_call_end(&call);
    }
}

static void the_largest_size(const struct rmi_signaling_thread *s) {
    static const struct {
        const char *name;
        uint32_t width, height;
    } sizes[] = {{"480p", 854, 480}, {"720p", 1280, 720}, {"1080p", 1920, 1080}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rmt_call call;
        rmt_call_prepare(&call, s, sizes[i].name);
        call.config_a.max_video_resolution = sizes[i].name;
        rmt_call_connect(&call);
        struct rmt_source source = {.t = call.a, .width = 1920, .height = 1080, .fps = 5};
        RMT_REQUIRE(rmt_play(&source, 1, pictures_came, &(struct wanted){.call = &call, .pictures = 1}, PATIENCE_MS));
        struct rmt_heard h = rmt_heard_of(&call.ear_b, "a");
        printf("%s: 1920x1080 comes as %ux%u\n", sizes[i].name, h.width, h.height);
        RMT_REQUIRE(h.width <= sizes[i].width && h.height <= sizes[i].height);
        RMT_REQUIRE(h.width + 8 >= sizes[i].width && h.height + 8 >= sizes[i].height); /* not smaller than need be */
        RMT_REQUIRE(rmt_stats(call.a, "b").video_out.width == h.width);
        rmt_call_end(&call);
    }
}

static void the_picture_rate(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    rmt_call_prepare(&call, s, "fps");
    call.config_a.video_framerate_fps = 6;
    rmt_call_connect(&call);
    struct rmt_source source = {.t = call.a, .width = 320, .height = 180, .fps = 30};
    RMT_REQUIRE(rmt_play(&source, 1, pictures_came, &(struct wanted){.call = &call, .pictures = 10}, PATIENCE_MS));
    rm_media_stats out = rmt_stats(call.a, "b");
    printf("30 fps under a ceiling of 6: %llu of %llu pictures sent\n", (unsigned long long)out.video_out.frames,
           (unsigned long long)source.pictures);
    RMT_REQUIRE(out.video_out.frames * 3 <= source.pictures + 6);
    RMT_REQUIRE(out.video_out.frames_dropped + out.video_out.frames + 3 >=
                source.pictures); /* each one accounted for */
    rmt_call_end(&call);
}

/* A second of sound at once: how many packets it becomes does not depend on the machine. */
static void the_length_of_sound_packets(const struct rmi_signaling_thread *s) {
    static const uint32_t lengths[] = {2500, 5000, 10000, 20000, 40000, 60000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct rmt_call call;
        uint32_t chunk_us = lengths[i] < 20000 ? lengths[i] : 20000;
        rmt_call_prepare(&call, s, "frame");
        call.config_a.audio_frame_us = lengths[i];
        call.config_a.enable_video = false;
        rmt_call_connect(&call);
        struct rmt_source source = {.t = call.a, .amplitude = 0.5F};
        RMT_REQUIRE(rmt_send_sound(&source, SECOND_US) == RM_OK);
        struct wanted w = {.call = &call, .packets = SECOND_US / lengths[i]};
        RMT_REQUIRE(rmt_play(NULL, 0, sound_packets_came, &w, PATIENCE_MS));
        RMT_REQUIRE(rmt_stats(call.a, "b").audio_out.packets == w.packets);
        RMT_REQUIRE(!strcmp(rmt_stats(call.b, "a").audio_in.codec, "opus"));
        RMT_REQUIRE(rmt_heard_of(&call.ear_b, "a").chunk_samples == chunk_us * 48 / 1000);
        rmt_call_end(&call);
    }
}

static uint64_t bytes_of_a_second(const struct rmi_signaling_thread *s, uint32_t bps) {
    struct rmt_call call;
    rmt_call_prepare(&call, s, "audio-bitrate");
    call.config_a.audio_bitrate_bps = bps;
    call.config_a.enable_video = false;
    rmt_call_connect(&call);
    struct rmt_source source = {.t = call.a, .amplitude = 0.5F, .loud_noise = true};
    RMT_REQUIRE(rmt_send_sound(&source, SECOND_US) == RM_OK);
    RMT_REQUIRE(rmt_play(NULL, 0, sound_packets_came, &(struct wanted){.call = &call, .packets = 100}, PATIENCE_MS));
    uint64_t bytes = rmt_stats(call.a, "b").audio_out.bytes;
    rmt_call_end(&call);
    return bytes;
}

static void the_bitrate_of_sound(const struct rmi_signaling_thread *s) {
    uint64_t low = bytes_of_a_second(s, 12000), high = bytes_of_a_second(s, 128000);
    printf("a second of noise at 12 kbit/s: %llu bytes, at 128 kbit/s: %llu bytes\n", (unsigned long long)low,
           (unsigned long long)high);
    RMT_REQUIRE(low > 500 && low < 12000 * 2 / 8);
    RMT_REQUIRE(high > 128000 / 2 / 8 && high < 128000 * 2 / 8);
}

static void what_is_switched_off(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    rmt_call_prepare(&call, s, "off");
    call.config_a.enable_video = false;
    call.config_b.enable_audio = false;
    rmt_call_connect(&call);
    struct rmt_source a = {.t = call.a, .to = "b", .width = 320, .height = 180, .amplitude = 0.5F};
    struct rmt_source b = {.t = call.b, .to = "a", .width = 320, .height = 180, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_send_picture(&a) == RM_E_UNSUPPORTED);      /* off here */
    RMT_REQUIRE(rmt_send_sound(&a, 10000) == RM_E_UNSUPPORTED); /* off there */
    RMT_REQUIRE(rmt_send_sound(&b, 10000) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(rmt_send_picture(&b) == RM_E_UNSUPPORTED);
    a.to = b.to = NULL;
    RMT_REQUIRE(rmt_send_picture(&a) == RM_E_UNSUPPORTED);
    RMT_REQUIRE(rmt_send_sound(&a, 10000) == RM_OK); /* on here: there is nobody to miss it */
    rm_media_stats stats = rmt_stats(call.a, "b");
    RMT_REQUIRE(!stats.audio_out.active && !stats.video_out.active);
    rmt_call_end(&call);
}

static bool packets_of_both(void *ctx) {
    rm_media_stats in = rmt_stats(((struct wanted *)ctx)->call->b, "a");
    return in.audio_in.packets > 50 && in.video_in.packets > 50;
}

static void nobody_listens(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    rmt_call_prepare(&call, s, "deaf");
    call.config_b.on_media = NULL;
    rmt_call_connect(&call);
    long threads = rmt_threads();
    struct rmt_source a = {
        .t = call.a, .to = "b", .width = 320, .height = 180, .fps = 60, .sound_us = 10000, .amplitude = 0.5F};
    RMT_REQUIRE(rmt_play(&a, 1, packets_of_both, &(struct wanted){.call = &call}, PATIENCE_MS));
    rm_media_stats in = rmt_stats(call.b, "a");
    RMT_REQUIRE(in.audio_in.frames == 0 && in.video_in.frames == 0 && in.total_samples == 0);
    RMT_REQUIRE(rmt_threads() <= threads + 1); /* an encoder; nobody decodes */
    rmt_call_end(&call);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    each_video_codec(&s);
    the_largest_size(&s);
    the_picture_rate(&s);
    the_length_of_sound_packets(&s);
    the_bitrate_of_sound(&s);
    what_is_switched_off(&s);
    nobody_listens(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
