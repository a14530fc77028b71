/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_LINK_TESTKIT_H
#define RMI_SESSION_AUDIO_LINK_TESTKIT_H

#include "base/histogram.h"
#include "base/rng.h"
#include "base/time.h"
#include "session/audio_receiver.h"
#include "session/audio_sender.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A source, an audio sender, a network and an audio receiver in virtual time. The test's cmocka.h comes first. */

#define LINK_BASE_US 20000
#define LINK_FLIGHTS 512
#define MINUTE RMI_SEC(60)
#define LINK_TAU 6.28318530717958647692

struct link_config {
    uint64_t seed;
    int64_t duration_us;
    struct rmi_audio_encoder_config encoder; /* all zero: the sender's defaults at 64 kbit/s */
    uint32_t source_rate;
    int source_channels;
    int64_t source_chunk_us;
    struct rmi_audio_receiver_config receiver;
    int64_t jitter_us; /* evenly spread; packets may overtake */
    double loss, drift_ppm;
    int64_t settle_us;                         /* not measured */
    float (*signal)(double t, int channel);    /* NULL: link_music */
    void (*on_step)(void *link, int64_t step); /* before each source chunk */
};

struct link_flight {
    int64_t arrival_us;
    uint32_t ssrc, timestamp;
    uint16_t seq;
    struct rmi_buf *buf;
    uint32_t len;
};

struct link {
    struct link_config c;
    struct rmi_prng prng;
    struct rmi_audio_sender *sender;
    struct rmi_audio_receiver *receiver;
    struct link_flight flights[LINK_FLIGHTS];
    size_t flying;
    int64_t now_us, step;
    uint32_t ssrc, timestamp_offset;
    uint16_t seq;
    bool muted; /* the source gives nothing */
    uint64_t sent, chunks;
    bool lost_last;
    uint64_t lost, mendable; /* packets; of these, that the next one came with a copy of */
    float *heard;            /* all samples, as they were pulled */
    size_t heard_n, heard_cap;
    struct rmi_histogram added;  /* pull - arrival of the newest packet in the chunk, us */
    struct rmi_histogram behind; /* pull - time at which the chunk's first sample was spoken - base - chunk, us */
    int64_t last_pull_us, last_time_us, worst_step_us, time_back_us;
    int64_t first_capture_us;
};

static inline double link_chance(struct link *l) {
    return (double)(rmi_prng_next(&l->prng) >> 11) / (double)(1ULL << 53);
}

/* Notes that glide and swell: never the same twice. */
static inline float link_music(double t, int channel) {
    const double swell = 0.6 + 0.4 * sin(LINK_TAU * 1.7 * t + channel);
    return (float)(swell * (0.3 * sin(LINK_TAU * (330 * t + 8 * sin(LINK_TAU * 0.31 * t)) + channel) +
                            0.2 * sin(LINK_TAU * (720 * t + 30 * sin(LINK_TAU * 0.23 * t))) +
                            0.1 * sin(LINK_TAU * (1310 * t + 20 * sin(LINK_TAU * 0.41 * t)) + 2 * channel)));
}

static inline void link_launch(struct link *l, const uint8_t *data, size_t len, uint32_t timestamp) {
    const uint16_t seq = l->seq++;
    const int64_t arrival = l->now_us + LINK_BASE_US + (int64_t)(link_chance(l) * (double)l->c.jitter_us);
    l->sent++;
    const bool lost = link_chance(l) < l->c.loss;
    l->lost += lost;
    l->mendable += !lost && l->lost_last && rmi_opus_packet_has_fec(data, len);
    l->lost_last = lost;
    if (lost)
        return;
    assert_true(l->flying < LINK_FLIGHTS);
    struct link_flight f = {.arrival_us = arrival, .ssrc = l->ssrc, .timestamp = timestamp, .seq = seq};
    f.buf = rmi_buf_alloc(len, NULL);
    memcpy(f.buf->data, data, len);
    f.buf->len = len;
    f.len = (uint32_t)len;
    size_t at = l->flying++;
    for (; at > 0 && l->flights[at - 1].arrival_us > arrival; at--)
        l->flights[at] = l->flights[at - 1];
    l->flights[at] = f;
}

static inline void link_on_batch(void *ctx, const struct rmi_rtp_batch *b) {
    struct link *l = ctx;
    assert_int_equal(b->count, 1);
    link_launch(l, b->data + b->payload[0].offset, b->payload[0].len, b->timestamp + l->timestamp_offset);
}

static inline void link_open(struct link *l, const struct link_config *c) {
    memset(l, 0, sizeof *l);
    l->c = *c;
    rmi_prng_seed(&l->prng, c->seed);
    l->ssrc = 77;
    l->seq = 65500;
    l->timestamp_offset = 4294960000U;
    l->last_time_us = -1;
    struct rmi_audio_sender_config s;
    rmi_audio_sender_config_init(&s);
    s.encoder.bitrate_bps = 64000;
    if (c->encoder.bitrate_bps)
        s.encoder = c->encoder;
    s.on_batch = link_on_batch;
    s.ctx = l;
    assert_int_equal(rmi_audio_sender_create(&s, &l->sender), RM_OK);
    assert_int_equal(rmi_audio_receiver_create(&c->receiver, &l->receiver), RM_OK);
}

static inline void link_close(struct link *l) {
    for (size_t i = 0; i < l->flying; i++)
        rmi_buf_unref(&l->flights[i].buf);
    rmi_audio_sender_destroy(&l->sender);
    rmi_audio_receiver_destroy(&l->receiver);
    free(l->heard);
}

/* When the source's chunk number `step` ends. */
static inline int64_t link_step_us(const struct link *l, int64_t step) {
    return (int64_t)((double)((step + 1) * l->c.source_chunk_us) / (1 + l->c.drift_ppm / 1e6));
}

static inline void link_speak(struct link *l) {
    const size_t n = (size_t)((int64_t)l->c.source_rate * l->c.source_chunk_us / 1000000);
    const size_t channels = (size_t)l->c.source_channels, first = (size_t)l->step * n;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_buf_create(n * channels * sizeof(float), &buf), RM_OK);
    float *pcm = (float *)(void *)rm_buf_write(buf);
    float (*signal)(double, int) = l->c.signal ? l->c.signal : link_music;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < channels; c++)
            pcm[i * channels + c] = signal((double)(first + i) / l->c.source_rate, (int)c);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, n * channels, l->c.source_rate, (uint32_t)channels, &data),
                     RM_OK);
    rm_runtime_data_set_timestamp_us(data, (int64_t)first * 1000000 / l->c.source_rate);
    assert_int_equal(rmi_audio_sender_input(l->sender, data, l->now_us), RM_OK);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
}

static inline void link_note(struct link *l, const rm_runtime_data *chunk) {
    const rm_audio *a = rm_runtime_data_audio(chunk);
    if (l->heard_n + a->sample_count > l->heard_cap) {
        l->heard_cap = 2 * l->heard_cap + a->sample_count + 48000;
        l->heard = realloc(l->heard, l->heard_cap * sizeof *l->heard);
        assert_non_null(l->heard);
    }
    memcpy(l->heard + l->heard_n, a->samples, a->sample_count * sizeof *l->heard);
    l->heard_n += a->sample_count;
    l->chunks++;
    const int64_t time = rm_runtime_data_timestamp_us(chunk);
    const int64_t length = (int64_t)a->frame_count * 1000000 / a->sample_rate;
    if (l->now_us >= l->c.settle_us) {
        rmi_histogram_add(&l->added, (uint64_t)rmi_max64(l->now_us - rm_runtime_data_arrival_us(chunk), 0));
        /* The media time of the last sample, by the local clock. */
        const int64_t spoken = (int64_t)((double)(time + length) / (1 + l->c.drift_ppm / 1e6));
        rmi_histogram_add(&l->behind, (uint64_t)rmi_max64(l->now_us - spoken - LINK_BASE_US, 0));
        if (l->last_pull_us > 0)
            l->worst_step_us = rmi_max64(l->worst_step_us, llabs(l->now_us - l->last_pull_us - length));
        l->time_back_us = rmi_max64(l->time_back_us, l->last_time_us - time);
    }
    l->last_time_us = time;
    l->last_pull_us = l->now_us;
}

static inline void link_arrive(struct link *l) {
    struct link_flight f = l->flights[0];
    memmove(l->flights, l->flights + 1, --l->flying * sizeof *l->flights);
    rmi_audio_receiver_insert(l->receiver, f.ssrc, f.seq, f.timestamp, f.arrival_us, f.buf, 0, f.len, false);
    rmi_buf_unref(&f.buf);
}

static inline void link_run_until(struct link *l, int64_t until_us) {
    for (;;) {
        const int64_t arrival = l->flying ? l->flights[0].arrival_us : RMI_NEVER;
        const int64_t speak = link_step_us(l, l->step), pull = rmi_audio_receiver_next_pull(l->receiver);
        const int64_t next = rmi_min64(rmi_min64(arrival, speak), pull);
        if (next > until_us)
            break;
        assert_true(next >= l->now_us || next == pull);
        l->now_us = rmi_max64(next, l->now_us);
        if (next == arrival) {
            link_arrive(l);
        } else if (next == speak) {
            if (l->c.on_step)
                l->c.on_step(l, l->step);
            if (!l->muted)
                link_speak(l);
            l->step++;
        } else {
            rm_runtime_data *chunk = NULL;
            const rm_err err = rmi_audio_receiver_pull(l->receiver, l->now_us, &chunk);
            assert_true(err == RM_OK || err == RM_E_AGAIN);
            if (!err)
                link_note(l, chunk);
            rm_runtime_data_unref(&chunk);
        }
    }
    l->now_us = rmi_max64(l->now_us, until_us);
}

/* Correlation of channel 0 with the signal from `from` on, `n` samples, every `step`th of them. */
static inline double link_likeness(const struct link *l, size_t from, size_t n, size_t step, double delay_s) {
    float (*signal)(double, int) = l->c.signal ? l->c.signal : link_music;
    const double rate = l->c.receiver.rate_hz;
    double both = 0, heard = 0, spoken = 0;
    for (size_t i = from; i < from + n; i += step) {
        const double a = (double)l->heard[i * (size_t)l->c.receiver.channels],
                     b = signal((double)i / rate - delay_s, 0);
        both += a * b;
        heard += a * a;
        spoken += b * b;
    }
    return both / sqrt(heard * spoken + 1e-30);
}

/* The same at the best delay around that of the encoder. */
static inline double link_correlation(const struct link *l, double from_s, double seconds, double *delay_s) {
    const size_t n = (size_t)(seconds * l->c.receiver.rate_hz), from = (size_t)(from_s * l->c.receiver.rate_hz);
    double best = -1, coarse = 0;
    assert_true((from + n) * (size_t)l->c.receiver.channels <= l->heard_n);
    for (double delay = 5e-3; delay < 8e-3; delay += 1e-4) {
        const double r = link_likeness(l, from, n / 4, 5, delay);
        coarse = r > best ? delay : coarse;
        best = fmax(r, best);
    }
    best = -1;
    for (double delay = coarse - 1e-4; delay <= coarse + 1e-4; delay += 1e-5) {
        const double r = link_likeness(l, from, n, 3, delay);
        *delay_s = r > best ? delay : *delay_s;
        best = fmax(r, best);
    }
    return best;
}

/* ---- runs ---- */

static inline struct rmi_audio_encoder_config encoder(uint32_t frame_us, uint32_t rate, int channels) {
    struct rmi_audio_encoder_config c;
    rmi_audio_encoder_config_init(&c);
    c.use = RMI_AUDIO_USE_MUSIC;
    c.rate_hz = rate;
    c.channels = channels;
    c.frame_us = frame_us;
    c.bitrate_bps = 64000;
    return c;
}

static inline struct link_config calm(void) {
    return (struct link_config){.seed = 1,
                                .duration_us = RMI_SEC(10),
                                .encoder = encoder(10000, 48000, 1),
                                .source_rate = 48000,
                                .source_channels = 1,
                                .source_chunk_us = 10000,
                                .receiver = {.rate_hz = 48000, .channels = 1, .max_delay_us = RMI_MS(200)},
                                .settle_us = RMI_SEC(1)};
}

/* Arches instead of sines: the tests of delay take hours of sound. */
static inline float hum(double t, int channel) {
    const double phase = 250 * t - floor(250 * t);
    (void)channel;
    return (float)(2 * phase * (1 - phase) - 1.0 / 3);
}

/* Speech's rate, frames of 20 ms and a cheap encoder, for long runs. */
static inline struct link_config wideband(void) {
    struct link_config c = calm();
    c.encoder = encoder(20000, 16000, 1);
    c.encoder.complexity = 0;
    c.encoder.bitrate_bps = 32000;
    c.source_rate = c.receiver.rate_hz = 16000;
    c.source_chunk_us = 20000;
    return c;
}

static inline double ms(const struct rmi_histogram *h, double percent) {
    return (double)rmi_histogram_percentile(h, percent) / 1000;
}

static inline double concealed(const struct rmi_audio_receiver_stats *s) {
    return s->samples ? (double)s->concealed_samples / (double)s->samples : 0;
}

static inline struct rmi_audio_receiver_stats finish(struct link *l, const char *what, int64_t value) {
    struct rmi_audio_receiver_stats s;
    link_run_until(l, l->c.duration_us);
    rmi_audio_receiver_get_stats(l->receiver, &s);
    print_message("%s %lld: p50 %.1f p95 %.1f max %.1f ms after arrival; concealed %.2f %%, fec %llu, stretched %llu, "
                  "copied %llu of %llu, pace off by %.2f ms\n",
                  what, (long long)value, ms(&l->added, 50), ms(&l->added, 95), (double)l->added.max / 1000,
                  100 * concealed(&s), (unsigned long long)s.buffer.fec_played, (unsigned long long)s.stretched_samples,
                  (unsigned long long)s.copied_chunks, (unsigned long long)s.chunks, (double)l->worst_step_us / 1000);
    return s;
}

static inline struct rmi_audio_receiver_stats run(struct link *l, const struct link_config *c, const char *what,
                                                  int64_t value) {
    link_open(l, c);
    return finish(l, what, value);
}

#endif
