/* SPDX-License-Identifier: Apache-2.0 */
/* Both buffers and the sync together: known-failures.md 27, lip sync within 20 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/rng.h"
#include "base/time.h"
#include "jitter/audio.h"
#include "jitter/video.h"
#include <stdlib.h>
#include <string.h>

#define A_RATE 48000
#define V_RATE 90000
#define CHUNK 480
#define A_TICKS 960
#define IN_FLIGHT 64

struct scenario {
    const char *name;
    int64_t duration_us, settle_us;
    int64_t a_path_us, v_path_us, a_jitter_us, v_jitter_us;
    double a_ppm, v_ppm; /* of the sender's media clocks against the receiver's clock */
    double loss;
    int64_t step_at_us, step_us; /* of the sender's wall clock */
};

struct flight {
    int64_t at, n;
};

struct receiver {
    struct scenario s;
    struct rmi_prng prng;
    struct rmi_audio_buffer *audio;
    struct rmi_video_buffer *video;
    struct rmi_av_sync sync;
    struct flight a[IN_FLIGHT], v[IN_FLIGHT];
    size_t a_flying, v_flying;
    int64_t a_sent, v_sent, v_seq;
    double store;
    bool heard;
    int64_t heard_capture_us, heard_at_us;
    struct rmi_histogram skew;
};

static double chance(struct receiver *r) {
    return (double)(rmi_prng_next(&r->prng) >> 11) / (double)(1ULL << 53);
}

/* Real time of capture: the media clocks are off, so the n-th frame is not where its timestamp says. */
static int64_t a_capture(const struct receiver *r, int64_t n) {
    return (int64_t)((double)n * 20000 / (1 + r->s.a_ppm / 1e6));
}
static int64_t v_capture(const struct receiver *r, int64_t n) {
    return (int64_t)((double)n * 100000 / 3 / (1 + r->s.v_ppm / 1e6));
}
static uint32_t a_timestamp(int64_t n) {
    return (uint32_t)(0xfff00000 + n * A_TICKS);
}
static uint32_t v_timestamp(int64_t n) {
    return (uint32_t)(777 + n * 3000);
}

static void insert_audio(struct receiver *r, int64_t n, int64_t at) {
    const struct rmi_audio_packet p = {
        .ssrc = 1, .seq = (uint16_t)n, .timestamp = a_timestamp(n), .duration = A_TICKS, .arrival_us = at};
    rmi_audio_buffer_insert(r->audio, &p);
}

static void insert_video(struct receiver *r, int64_t n, int64_t at) {
    const struct rmi_video_packet p = {.ssrc = 2,
                                       .seq = (uint16_t)n,
                                       .timestamp = v_timestamp(n),
                                       .first = true,
                                       .marker = true,
                                       .key = true, /* loss is not the matter here */
                                       .arrival_us = at};
    rmi_video_buffer_insert(r->video, &p);
}

static void fly(struct flight *flights, size_t *count, int64_t n, int64_t at) {
    assert_true(*count < IN_FLIGHT);
    flights[(*count)++] = (struct flight){.at = at, .n = n};
}

static void land(struct receiver *r, struct flight *flights, size_t *count, int64_t now,
                 void (*insert)(struct receiver *, int64_t, int64_t)) {
    for (;;) {
        size_t best = *count;
        for (size_t i = 0; i < *count; i++)
            if (flights[i].at <= now && (best == *count || flights[i].at < flights[best].at))
                best = i;
        if (best == *count)
            return;
        insert(r, flights[best].n, flights[best].at);
        flights[best] = flights[--*count];
    }
}

static void send(struct receiver *r, int64_t now) {
    for (; a_capture(r, r->a_sent) <= now; r->a_sent++)
        if (chance(r) >= r->s.loss)
            fly(r->a, &r->a_flying, r->a_sent,
                a_capture(r, r->a_sent) + r->s.a_path_us + (int64_t)(chance(r) * (double)r->s.a_jitter_us));
    for (; v_capture(r, r->v_sent) <= now; r->v_sent++)
        fly(r->v, &r->v_flying, r->v_sent,
            v_capture(r, r->v_sent) + r->s.v_path_us + (int64_t)(chance(r) * (double)r->s.v_jitter_us));
    land(r, r->a, &r->a_flying, now, insert_audio);
    land(r, r->v, &r->v_flying, now, insert_video);
}

static void hear(struct receiver *r, int64_t now) {
    for (unsigned turns = 0; r->store < CHUNK; turns++) {
        struct rmi_audio_decision d;
        assert_true(turns < 100);
        rmi_audio_buffer_pull(r->audio, now, (uint32_t)r->store, &d);
        if (d.action == RMI_AUDIO_WAIT) {
            r->store = CHUNK;
            break;
        }
        if (d.action == RMI_AUDIO_PLAY) {
            const int64_t n = r->a_sent - (uint16_t)(r->a_sent - d.seq);
            r->heard = true;
            r->heard_capture_us = a_capture(r, n);
            r->heard_at_us = now + (int64_t)(r->store / 0.048);
        }
        r->store += (d.duration + d.stretch_ticks) / (1 + d.resample_ppm / 1e6);
    }
    r->store -= CHUNK;
}

static void see(struct receiver *r, int64_t now) {
    struct rmi_video_frame frame;
    while (rmi_video_buffer_pop(r->video, now, &frame)) {
        const int64_t n = r->v_sent - (int32_t)((v_timestamp(r->v_sent) - frame.timestamp) / 3000);
        const int64_t skew = (now - v_capture(r, n)) - (r->heard_at_us - r->heard_capture_us);
        if (r->heard && now >= r->s.settle_us)
            rmi_histogram_add(&r->skew, (uint64_t)llabs(skew));
    }
}

static uint64_t ntp(const struct receiver *r, int64_t now) {
    const int64_t us = now + RMI_SEC(3600) + (r->s.step_us && now >= r->s.step_at_us ? r->s.step_us : 0);
    return ((uint64_t)(us / 1000000) << 32) + ((uint64_t)(us % 1000000) << 32) / 1000000;
}

static void control(struct receiver *r, int64_t now) {
    if (now % RMI_SEC(5) == 0) /* what is captured now, by interpolation */
        rmi_av_sync_report(&r->sync, RMI_AV_AUDIO, ntp(r, now),
                           (uint32_t)(0xfff00000 + (int64_t)((double)now * 0.048 * (1 + r->s.a_ppm / 1e6))));
    if (now % RMI_SEC(5) == RMI_SEC(2))
        rmi_av_sync_report(&r->sync, RMI_AV_VIDEO, ntp(r, now),
                           (uint32_t)(777 + (int64_t)((double)now * 0.09 * (1 + r->s.v_ppm / 1e6))));
    if (now % RMI_MS(200) != 0)
        return;
    struct rmi_av_timing a, v;
    rmi_audio_buffer_timing(r->audio, &a);
    rmi_video_buffer_timing(r->video, &v);
    const struct rmi_av_result out = rmi_av_sync_update(&r->sync, now, &a, &v);
    rmi_audio_buffer_set_sync_delay(r->audio, out.delay_us[RMI_AV_AUDIO]);
    rmi_video_buffer_set_sync_delay(r->video, out.delay_us[RMI_AV_VIDEO]);
}

static void run(const struct scenario *s) {
    static struct receiver receiver;
    struct receiver *r = &receiver;
    memset(r, 0, sizeof *r);
    r->s = *s;
    rmi_prng_seed(&r->prng, 1);
    const struct rmi_audio_buffer_config ac = {.clock_rate = A_RATE, .chunk_ticks = CHUNK, .max_delay_us = RMI_MS(150)};
    const struct rmi_video_buffer_config vc = {
        .clock_rate = V_RATE, .packets = 64, .max_delay_us = RMI_MS(500), .repair = true};
    assert_int_equal(rmi_audio_buffer_create(&ac, &r->audio), RM_OK);
    assert_int_equal(rmi_video_buffer_create(&vc, &r->video), RM_OK);
    rmi_av_sync_init(&r->sync, A_RATE, V_RATE);
    for (int64_t now = 0; now < s->duration_us; now += RMI_MS(2)) {
        send(r, now);
        if (now % RMI_MS(10) == 0)
            hear(r, now);
        see(r, now);
        control(r, now);
    }
    const struct rmi_audio_buffer_stats stats = rmi_audio_buffer_get_stats(r->audio);
    print_message("%-40s |skew| p50 %4.1f p95 %4.1f p99 %4.1f max %5.1f ms, concealed %.3f %%\n", s->name,
                  (double)rmi_histogram_percentile(&r->skew, 50) / 1e3,
                  (double)rmi_histogram_percentile(&r->skew, 95) / 1e3,
                  (double)rmi_histogram_percentile(&r->skew, 99) / 1e3, (double)r->skew.max / 1e3,
                  100.0 * (double)stats.concealed_ticks / (double)stats.played_ticks);
    assert_true(r->skew.count > 1000);
    assert_true(rmi_histogram_percentile(&r->skew, 95) <= (uint64_t)RMI_MS(20));
    rmi_audio_buffer_destroy(&r->audio);
    rmi_video_buffer_destroy(&r->video);
}

static void sound_and_picture_come_together(void **state) {
    (void)state;
    static const struct scenario scenarios[] = {
        {.name = "same path",
         .duration_us = RMI_SEC(120),
         .settle_us = RMI_SEC(10),
         .a_path_us = 40000,
         .v_path_us = 40000},
        {.name = "picture 80 ms behind",
         .duration_us = RMI_SEC(120),
         .settle_us = RMI_SEC(10),
         .a_path_us = 40000,
         .v_path_us = 120000},
        {.name = "sound 80 ms behind",
         .duration_us = RMI_SEC(120),
         .settle_us = RMI_SEC(10),
         .a_path_us = 120000,
         .v_path_us = 40000},
        {.name = "picture 60 ms behind, jitter 20 and 10 ms",
         .duration_us = RMI_SEC(300),
         .settle_us = RMI_SEC(20),
         .a_path_us = 40000,
         .v_path_us = 100000,
         .a_jitter_us = 20000,
         .v_jitter_us = 10000,
         .loss = 0.02},
        {.name = "media clocks +-500 ppm, 3 h",
         .duration_us = RMI_SEC(10800),
         .settle_us = RMI_SEC(60),
         .a_path_us = 40000,
         .v_path_us = 80000,
         .a_jitter_us = 5000,
         .v_jitter_us = 5000,
         .a_ppm = 500,
         .v_ppm = -500},
        {.name = "sender's clock set by an hour",
         .duration_us = RMI_SEC(300),
         .settle_us = RMI_SEC(20),
         .a_path_us = 40000,
         .v_path_us = 80000,
         .step_at_us = RMI_SEC(101),
         .step_us = RMI_SEC(3600)},
    };
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        run(&scenarios[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sound_and_picture_come_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
