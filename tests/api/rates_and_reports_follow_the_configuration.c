/* SPDX-License-Identifier: Apache-2.0 */
/* Each media field of the configuration changes what it names: measured in packets, bytes, sizes and statistics at both
 * ends of real calls on loopback. Rates are compared between two calls that run at the same time, so that a busy
 * machine slows both. */
#include "support/media.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 30000
#define LOSS_PERCENT 30
#define SOUND_BURST_US 120000 /* what a bad network holds back and lets go at once */
#define SOUND_CHUNK_US 10000

/* ---- two senders with different configurations, one listener ---- */

struct trio {
    struct rmt_call one; /* "a" and the listener "b" */
    rm_webrtc_config other;
    rm_webrtc *c;
    struct rmt_source sources[2];
};

static void trio_prepare(struct trio *x, const struct rmi_signaling_thread *s, const char *room) {
    rmt_call_prepare(&x->one, s, room);
    rmt_config(&x->other, s, "c");
    x->other.room = room;
    x->one.config_a.on_media = NULL;
}

static void trio_connect(struct trio *x, const struct rmt_source *what) {
    rm_event ev;
    rmt_call_connect(&x->one);
    x->c = rmt_join(&x->other);
    do /* the listener, and "a" */
        RMT_REQUIRE(rmt_wait(x->c, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    while (strcmp(ev.peer_id, "b") != 0);
    RMT_REQUIRE(rmt_wait(x->one.b, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    x->sources[0] = x->sources[1] = *what;
    x->sources[0].t = x->one.a;
    x->sources[1].t = x->c;
    x->sources[0].to = x->sources[1].to = "b";
}

static void trio_end(struct trio *x) {
    rm_webrtc_destroy(&x->c);
    rmt_call_end(&x->one);
}

static void the_bitrate_of_pictures(const struct rmi_signaling_thread *s) {
    struct trio x;
    trio_prepare(&x, s, "bitrate");
    x.one.config_a.target_bitrate_kbps = 150;
    x.other.target_bitrate_kbps = 1200;
    x.one.config_b.on_media = NULL;
    trio_connect(&x, &(struct rmt_source){.width = 320, .height = 240, .fps = 30, .noisy = true});
    RMT_REQUIRE(rmt_play(x.sources, 2, NULL, NULL, 4000));
    uint64_t low = rmt_stats(x.one.b, "a").video_in.bytes, high = rmt_stats(x.one.b, "c").video_in.bytes;
    printf("150 kbit/s: %llu bytes, 1200 kbit/s: %llu bytes\n", (unsigned long long)low, (unsigned long long)high);
    RMT_REQUIRE(low > 0 && high > 3 * low);
    RMT_REQUIRE(rmt_stats(x.one.a, "b").target_bitrate_bps <= 150000);
    trio_end(&x);
}

/* Connections that begin together begin low: only with losses told it is these that keep it there. */
static bool target_fell(void *ctx) {
    struct trio *x = ctx;
    const rm_media_stats s = rmt_stats(x->one.a, "b");
    return s.target_bitrate_bps < 0.8 * 800000 && s.video_out.nack_count > 0 && s.video_out.packets_lost > 0;
}

static void adaption_to_losses(const struct rmi_signaling_thread *s) {
    struct trio x;
    trio_prepare(&x, s, "adaptive");
    x.one.config_a.target_bitrate_kbps = x.other.target_bitrate_kbps = 800;
    x.other.adaptive_bitrate_enabled = false;
    x.one.config_b.rtcp_interval_ms = 1000;
    trio_connect(&x, &(struct rmt_source){.width = 320, .height = 240, .fps = 30, .noisy = true});
    rmt_lose_media(x.one.b, LOSS_PERCENT);
    RMT_REQUIRE(rmt_play(x.sources, 2, target_fell, &x, PATIENCE_MS));
    rm_media_stats adapted = rmt_stats(x.one.a, "b"), fixed = rmt_stats(x.c, "b");
    printf("losses of %.0f %%: target %.0f bit/s; fixed: %.0f bit/s\n", 100 * adapted.video_out.fraction_lost,
           adapted.target_bitrate_bps, fixed.target_bitrate_bps);
    RMT_REQUIRE(fixed.target_bitrate_bps == 800000);
    RMT_REQUIRE(adapted.video_out.nack_count > 0 && adapted.video_out.packets_lost > 0);
    trio_end(&x);
}

static void the_jitter_buffers_ceiling(const struct rmi_signaling_thread *s) {
    struct rmt_call call;
    struct rmt_ear patient;
    rm_webrtc_config c;
    rm_event ev;
    rmt_call_prepare(&call, s, "jitter");
    rmt_ear_init(&patient);
    rmt_config(&c, s, "c");
    c.room = "jitter";
    c.on_media = rmt_on_media;
    c.user = &patient;
    c.jitter_buffer_size_ms = 200;
    c.enable_video = call.config_a.enable_video = call.config_b.enable_video = false;
    rmt_call_connect(&call);
    rm_webrtc *t = rmt_join(&c);
    do
        RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, PATIENCE_MS));
    while (strcmp(ev.peer_id, "a") != 0);
    /* Both hear the same bursts: a chunk of 120 ms becomes twelve packets at once. */
    struct rmt_source source = {.t = call.a, .sound_us = SOUND_BURST_US, .amplitude = 0.3F};
    RMT_REQUIRE(rmt_play(&source, 1, NULL, NULL, 6000));
    rm_media_stats low = rmt_stats(call.b, "a"), high = rmt_stats(t, "a");
    printf("jitter buffer 50 ms: waits %.0f ms, conceals %llu; 200 ms: waits %.0f ms, conceals %llu\n",
           low.audio_jitter_buffer_ms, (unsigned long long)low.concealed_samples, high.audio_jitter_buffer_ms,
           (unsigned long long)high.concealed_samples);
    RMT_REQUIRE(high.audio_jitter_buffer_ms > low.audio_jitter_buffer_ms + 10);
    RMT_REQUIRE(low.concealed_samples > high.concealed_samples);
    rm_webrtc_destroy(&t);
    rmt_ear_fini(&patient);
    rmt_call_end(&call);
}

/* ---- reports ---- */

static bool reports_of_c(void *ctx) {
    struct trio *x = ctx;
    return rmt_rtp_stats(x->one.b, "c").rtcp_in >= 10;
}

static void reports_and_their_interval(const struct rmi_signaling_thread *s) {
    struct trio x;
    trio_prepare(&x, s, "reports");
    x.one.config_a.rtcp_interval_ms = 10000;
    x.other.rtcp_interval_ms = 1000;
    x.one.config_a.enable_video = x.other.enable_video = x.one.config_b.enable_video = false; /* no feedback */
    trio_connect(&x, &(struct rmt_source){.sound_us = SOUND_CHUNK_US, .amplitude = 0.3F});
    RMT_REQUIRE(rmt_play(x.sources, 2, reports_of_c, &x, PATIENCE_MS));
    uint64_t slow = rmt_rtp_stats(x.one.b, "a").rtcp_in, quick = rmt_rtp_stats(x.one.b, "c").rtcp_in;
    printf("reports each 10 s: %llu, each second: %llu\n", (unsigned long long)slow, (unsigned long long)quick);
    RMT_REQUIRE(slow * 2 <= quick); /* the first three come early in any case */
    trio_end(&x);
}

static bool c_knows_its_round_trip(void *ctx) {
    struct trio *x = ctx;
    return rmt_stats(x->c, "b").rtt_ms > 0;
}

static void no_reports(const struct rmi_signaling_thread *s) {
    struct trio x;
    trio_prepare(&x, s, "no-reports");
    x.one.config_a.enable_rtcp = false;
    x.one.config_a.rtcp_interval_ms = x.one.config_b.rtcp_interval_ms = x.other.rtcp_interval_ms = 1000;
    x.one.config_a.enable_video = x.other.enable_video = x.one.config_b.enable_video = false;
    trio_connect(&x, &(struct rmt_source){.sound_us = SOUND_CHUNK_US, .amplitude = 0.3F});
    RMT_REQUIRE(rmt_play(x.sources, 2, c_knows_its_round_trip, &x, PATIENCE_MS));
    RMT_REQUIRE(rmt_rtp_stats(x.one.b, "a").rtcp_in == 0 && rmt_rtp_stats(x.one.b, "c").rtcp_in > 0);
    RMT_REQUIRE(rmt_stats(x.one.a, "b").rtt_ms == 0); /* its packets were heard, but nobody told when it sent reports */
    RMT_REQUIRE(rmt_stats(x.one.b, "a").audio_in.packets > 0);
    trio_end(&x);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    the_bitrate_of_pictures(&s);
    adaption_to_losses(&s);
    the_jitter_buffers_ceiling(&s);
    reports_and_their_interval(&s);
    no_reports(&s);
    rmi_signaling_thread_stop(&s);
    return 0;
}
