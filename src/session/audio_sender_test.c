/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "session/audio_sender.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAU 6.28318530717958647692
#define BATCHES 4096
#define ENCODER_LOOKAHEAD_US 6500

struct sink {
    size_t n;
    struct {
        uint32_t timestamp;
        int64_t capture_us;
        uint8_t level;
        bool voice;
        uint32_t ticks;
        size_t len;
        bool stereo;
    } got[BATCHES];
    bool hold;
    const struct rmi_rtp_batch *held[BATCHES];
    size_t held_n;
    int64_t clock_us;
    struct rmi_audio_decoder *decoder; /* NULL: nobody listens */
    float heard[BATCHES * 480 * 2];
    size_t heard_n; /* values */
};

static struct sink sink; /* too large for a stack */

static int64_t clock_us(void *ctx) {
    struct sink *k = ctx;
    return k->clock_us += 50;
}

static void on_batch(void *ctx, const struct rmi_rtp_batch *b) {
    struct sink *k = ctx;
    assert_true(k->n < BATCHES);
    assert_int_equal(b->format, RMI_PAYLOAD_OPUS);
    assert_int_equal(b->count, 1);
    assert_true(b->has_audio_level && !b->payload[0].marker);
    assert_int_equal(b->bytes, b->payload[0].len);
    const uint8_t *data = b->data + b->payload[0].offset;
    const size_t len = b->payload[0].len;
    k->got[k->n].timestamp = b->timestamp;
    k->got[k->n].capture_us = b->capture_us;
    k->got[k->n].level = b->audio_level;
    k->got[k->n].voice = b->voice;
    k->got[k->n].ticks = (uint32_t)rmi_opus_packet_samples(data, len, 48000);
    k->got[k->n].len = len;
    k->got[k->n].stereo = data[0] >> 2 & 1; /* RFC 6716 3.1 */
    k->n++;
    if (k->hold)
        k->held[k->held_n++] = rmi_rtp_batch_ref(b);
    if (k->decoder) {
        size_t samples = 0;
        assert_int_equal(rmi_audio_decoder_decode(k->decoder, data, len, k->heard + k->heard_n, 5760, &samples), RM_OK);
        k->heard_n += 2 * samples;
    }
}

static struct rmi_audio_sender *create(struct rmi_audio_sender_config *c) {
    struct rmi_audio_sender *s = NULL;
    memset(&sink, 0, sizeof sink);
    c->on_batch = on_batch;
    c->ctx = &sink;
    assert_int_equal(rmi_audio_sender_create(c, &s), RM_OK);
    return s;
}

static struct rmi_audio_sender *create_default(void) {
    struct rmi_audio_sender_config c;
    rmi_audio_sender_config_init(&c);
    c.encoder.bitrate_bps = 64000;
    return create(&c);
}

struct source {
    uint32_t rate, channels;
    double hz, amplitude;
    uint64_t at; /* samples so far */
    int64_t now_us;
    bool timed;
    int64_t time_offset_us;
};

static rm_err speak(struct rmi_audio_sender *s, struct source *from, size_t samples) {
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    const size_t values = samples * from->channels;
    assert_int_equal(rm_buf_create(values * sizeof(float), &buf), RM_OK);
    float *pcm = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < values; i++)
        pcm[i] = (float)(from->amplitude * sin(TAU * from->hz * (double)(from->at + i / from->channels) / from->rate));
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, values, from->rate, from->channels, &data), RM_OK);
    if (from->timed)
        rm_runtime_data_set_timestamp_us(data, (int64_t)(from->at * 1000000 / from->rate) + from->time_offset_us);
    from->now_us -= (int64_t)(from->at * 1000000 / from->rate);
    from->at += samples;
    from->now_us += (int64_t)(from->at * 1000000 / from->rate);
    const rm_err err = rmi_audio_sender_input(s, data, from->now_us);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    return err;
}

static void check_even(size_t from, uint32_t ticks) {
    for (size_t i = from + 1; i < sink.n; i++) {
        assert_int_equal(sink.got[i].timestamp - sink.got[i - 1].timestamp, ticks);
        assert_int_equal(sink.got[i].ticks, ticks);
    }
}

static void frames_say_when_they_were_taken(void **state) {
    (void)state;
    /* Chunks that are frames, parts of frames, several frames, and neither. */
    static const size_t chunks[] = {480, 48, 960, 1000, 37, 4800, 1};
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        struct rmi_audio_sender *s = create_default();
        struct source from = {.rate = 48000, .channels = 1, .hz = 440, .amplitude = 0.5, .now_us = 1000000};
        while (from.at < 48000)
            assert_int_equal(speak(s, &from, chunks[c]), RM_OK);
        assert_int_equal(sink.n, from.at / 480);
        check_even(0, 480);
        for (size_t i = 0; i < sink.n; i++)
            assert_true(llabs(sink.got[i].capture_us - (int64_t)(1000000 + 10000 * i)) <= 1);
        rmi_audio_sender_destroy(&s);
    }
}

/* Share of the sound in this tone. */
static double share_at(const float *pcm, size_t n, size_t step, double hz, double rate) {
    double re = 0, im = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = (double)pcm[i * step], t = TAU * hz * (double)i / rate;
        re += v * cos(t);
        im += v * sin(t);
        all += v * v;
    }
    return all > 0 ? 2 * (re * re + im * im) / ((double)n * all) : 0;
}

static void every_rate_and_layout_becomes_opus(void **state) {
    (void)state;
    static const uint32_t rates[] = {1000,  6000,  8000,  11025, 12000, 16000,  22050, 24000,
                                     32000, 44100, 48000, 88200, 96000, 192000, 384000};
    static const uint32_t channels[] = {1, 2, 3, 6, 255};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
            const struct rmi_audio_decoder_config listen = {.rate_hz = 48000, .channels = 2};
            struct rmi_audio_sender *s = create_default();
            struct source from = {.rate = rates[r], .channels = channels[c], .hz = 300, .amplitude = 0.5};
            assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &listen, &sink.decoder), RM_OK);
            while (from.at < rates[r])
                assert_int_equal(speak(s, &from, rates[r] / 100), RM_OK);
            assert_in_range(sink.n, 98, 101);
            check_even(0, 480);
            assert_int_equal(sink.got[50].stereo, channels[c] > 1);
            struct rmi_audio_sender_stats stats;
            rmi_audio_sender_get_stats(s, &stats);
            for (size_t i = 0; i < sink.n; i++) { /* the resampler holds back a little; the encoder's part is its own */
                const int64_t begin = (int64_t)(10000 * i) - (stats.lookahead_us - ENCODER_LOOKAHEAD_US);
                assert_true(llabs(sink.got[i].capture_us - begin) <= 1200);
            }
            assert_true(share_at(sink.heard + (size_t)48000, 19200, 2, 300, 48000) > 0.99);
            assert_true(sink.got[50].level >= 5 && sink.got[50].level <= 12 && sink.got[50].voice);
            rmi_audio_decoder_destroy(&sink.decoder);
            rmi_audio_sender_destroy(&s);
        }
}

static void the_source_may_change(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create_default();
    static const uint32_t rates[] = {48000, 16000, 44100, 48000, 8000}, channels[] = {2, 1, 6, 1, 2};
    uint64_t frames = 0;
    for (size_t i = 0; i < 5; i++) {
        struct source from = {
            .rate = rates[i], .channels = channels[i], .hz = 300, .amplitude = 0.5, .now_us = (int64_t)i * 1000000};
        for (int k = 0; k < 100; k++)
            assert_int_equal(speak(s, &from, rates[i] / 100), RM_OK);
        frames += 100;
    }
    assert_in_range(sink.n, frames - 5, frames);
    check_even(0, 480);
    for (size_t i = 0; i < sink.n; i++)
        assert_true(sink.got[i].stereo);
    rmi_audio_sender_destroy(&s);
}

static void gaps_leave_gaps(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create_default();
    struct rmi_audio_sender_stats stats;
    struct source from = {.rate = 48000, .channels = 1, .hz = 440, .amplitude = 0.5, .timed = true};
    for (int i = 0; i < 3; i++)
        speak(s, &from, 480);
    from.at += 480; /* 10 ms: times of nodes are not that exact */
    speak(s, &from, 480);
    check_even(0, 480);
    assert_int_equal(sink.n, 4);
    from.at += 480 * 5;
    from.now_us += 60000;
    speak(s, &from, 480 + 120); /* 60 ms with those before; a part stays pending */
    assert_int_equal(sink.n, 5);
    assert_int_equal(sink.got[4].timestamp - sink.got[3].timestamp, 480 + 6 * 480);
    assert_int_equal(sink.got[4].capture_us - sink.got[3].capture_us, 10000 + 60000);
    from.at += 4800;
    from.now_us += 100000;
    speak(s, &from, 480); /* the part goes out with silence behind it */
    assert_int_equal(sink.n, 7);
    assert_int_equal(sink.got[5].timestamp - sink.got[4].timestamp, 480);
    assert_int_equal(sink.got[6].timestamp - sink.got[5].timestamp, 120 + 4800);
    assert_int_equal(sink.got[5].capture_us - sink.got[4].capture_us, 10000);
    assert_int_equal(sink.got[6].capture_us - sink.got[5].capture_us, 102500);
    rmi_audio_sender_get_stats(s, &stats);
    assert_int_equal(stats.gaps, 2);
    /* Back in time, and far ahead: no gap, and one. */
    from.time_offset_us = -50000;
    speak(s, &from, 480);
    check_even(6, 480);
    from.time_offset_us = INT64_MAX / 8;
    speak(s, &from, 480);
    from.time_offset_us = INT64_MAX / 2; /* no time at all */
    speak(s, &from, 480);
    rmi_audio_sender_get_stats(s, &stats);
    assert_int_equal(stats.gaps, 3);
    /* Without times the local clock tells a pause. */
    from.timed = false;
    from.now_us += 400000;
    speak(s, &from, 480);
    const uint32_t before = sink.got[sink.n - 1].timestamp;
    from.now_us += 2000000;
    speak(s, &from, 480);
    assert_int_equal(sink.got[sink.n - 1].timestamp - before, 480 + 96000);
    rmi_audio_sender_destroy(&s);
}

static void settings_change_from_the_next_frame_on(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create_default();
    struct rmi_audio_encoder_config c;
    static const uint32_t lengths[] = {60000, 2500, 20000, 10000, 40000, 5000};
    struct source from = {.rate = 48000, .channels = 1, .hz = 440, .amplitude = 0.5};
    rmi_audio_encoder_config_init(&c);
    c.rate_hz = 0;
    c.channels = 0;
    c.bitrate_bps = 24000;
    assert_int_equal(rmi_audio_sender_configure(s, &c), RM_OK); /* before there is an encoder */
    uint64_t ticks = 0;
    for (size_t i = 0; i < 60; i++) {
        c.frame_us = lengths[i % 6];
        c.bitrate_bps = i % 2 ? 12000 : 128000;
        assert_int_equal(rmi_audio_sender_configure(s, &c), RM_OK);
        assert_int_equal(speak(s, &from, 48 * 47), RM_OK); /* leaves all kinds of rests */
    }
    for (size_t i = 0; i < sink.n; i++) {
        assert_int_equal(sink.got[i].timestamp, (uint32_t)ticks);
        ticks += sink.got[i].ticks;
    }
    assert_in_range(from.at - ticks, 0, 48 * 60);
    const struct rmi_audio_encoder_config good = c;
    c.rate_hz = 16000;
    assert_int_equal(rmi_audio_sender_configure(s, &c), RM_E_INVALID_ARG);
    c = good;
    c.channels = 2;
    assert_int_equal(rmi_audio_sender_configure(s, &c), RM_E_INVALID_ARG);
    c = good;
    c.use = (enum rmi_audio_use)9;
    assert_int_equal(rmi_audio_sender_configure(s, &c), RM_E_INVALID_ARG);
    c = good;
    c.frame_us = 7;
    assert_int_equal(rmi_audio_sender_configure(s, &c), RM_E_INVALID_ARG);
    assert_int_equal(speak(s, &from, 4800), RM_OK);
    rmi_audio_sender_destroy(&s);
}

#define WINDOW 120 /* samples: two periods of 800 Hz */

/* How loud the windows of channel 0 are within frames first..last, least and most, and the largest sample. */
static void loudness(size_t first, size_t last, double *least, double *most, double *peak) {
    *least = 1e9;
    *most = *peak = 0;
    for (size_t at = first * 480; at + WINDOW <= last * 480; at += WINDOW / 4) {
        double sum = 0;
        for (size_t i = at; i < at + WINDOW; i++) {
            const double v = (double)sink.heard[2 * i];
            sum += v * v;
            *peak = fmax(*peak, fabs(v));
        }
        const double rms = sqrt(sum / WINDOW);
        *least = fmin(*least, rms);
        *most = fmax(*most, rms);
    }
}

/* From low delay to voice with FEC and back, twice: one frame of the old encoder is still sent, the time goes on
 * evenly, and whoever listens hears neither a hole nor a crack. */
static void another_use_goes_on_where_the_one_before_was(void **state) {
    (void)state;
    struct rmi_audio_sender_config c;
    rmi_audio_sender_config_init(&c);
    c.encoder.bitrate_bps = 64000;
    c.encoder.use = RMI_AUDIO_USE_LOW_DELAY;
    struct rmi_audio_sender *s = create(&c);
    const struct rmi_audio_decoder_config listener = {.rate_hz = 48000, .channels = 2};
    assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &listener, &sink.decoder), RM_OK);
    struct source from = {.rate = 48000, .channels = 1, .hz = 800, .amplitude = 0.4};
    struct rmi_audio_sender_stats stats;
    double least, most, peak;
    for (int turn = 0; turn < 5; turn++) {
        struct rmi_audio_encoder_config now = c.encoder;
        now.use = turn % 2 ? RMI_AUDIO_USE_VOICE : RMI_AUDIO_USE_LOW_DELAY;
        now.fec = turn % 2;
        now.loss_percent = turn % 2 ? 10 : 0;
        for (int again = 0; again < 2; again++) /* the second changes nothing */
            assert_int_equal(rmi_audio_sender_configure(s, &now), RM_OK);
        for (size_t i = 0; i < 50; i++)
            assert_int_equal(speak(s, &from, 480), RM_OK);
        rmi_audio_sender_get_stats(s, &stats);
        assert_int_equal(stats.lookahead_us, turn % 2 ? ENCODER_LOOKAHEAD_US : 2500);
        loudness((size_t)turn * 50 + (turn ? 0 : 10), sink.n, &least, &most, &peak);
        print_message("turn %d: windows %.3f..%.3f, peak %.3f\n", turn, least, most, peak);
        assert_true(least > 0.6 * 0.4 / sqrt(2) && most < 1.4 * 0.4 / sqrt(2) && peak < 0.6);
    }
    assert_int_equal(sink.n, 250);
    check_even(0, 480);
    /* Changed and changed back between two frames: nothing happens. */
    struct rmi_audio_encoder_config other = c.encoder;
    other.use = RMI_AUDIO_USE_MUSIC;
    assert_int_equal(rmi_audio_sender_configure(s, &other), RM_OK);
    assert_int_equal(rmi_audio_sender_configure(s, &c.encoder), RM_OK);
    assert_int_equal(speak(s, &from, 960), RM_OK);
    rmi_audio_sender_get_stats(s, &stats);
    assert_int_equal(stats.lookahead_us, 2500);
    /* One that never gets its turn leaks nothing. */
    assert_int_equal(rmi_audio_sender_configure(s, &other), RM_OK);
    rmi_audio_decoder_destroy(&sink.decoder);
    rmi_audio_sender_destroy(&s);
}

static void silence_is_announced_and_then_not_sent(void **state) {
    (void)state;
    struct rmi_audio_sender_config c;
    struct rmi_audio_sender_stats stats;
    rmi_audio_sender_config_init(&c);
    c.encoder.dtx = true;
    c.encoder.frame_us = 20000;
    struct rmi_audio_sender *s = create(&c);
    struct source from = {.rate = 16000, .channels = 1, .hz = 440, .amplitude = 0};
    for (int i = 0; i < 200; i++)
        assert_int_equal(speak(s, &from, 320), RM_OK);
    rmi_audio_sender_get_stats(s, &stats);
    assert_true(stats.silent_frames > 150);
    assert_int_equal(stats.frames + stats.silent_frames, 200);
    assert_int_equal(stats.frames, sink.n);
    size_t announced = 0;
    for (size_t i = 0; i < sink.n; i++) {
        announced += sink.got[i].len == 1;
        assert_int_equal(sink.got[i].level, 127);
        assert_false(sink.got[i].voice);
        assert_int_equal(sink.got[i].timestamp % 960, 0);
    }
    assert_in_range(announced, 1, 20); /* the first, and after each refreshment (every 400 ms) */
    rmi_audio_sender_destroy(&s);
}

static void held_batches_stay_whole_and_then_run_out(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create_default();
    struct rmi_audio_sender_stats stats;
    struct source from = {.rate = 48000, .channels = 1, .hz = 440, .amplitude = 0.5};
    sink.hold = true;
    for (int i = 0; i < 556; i++)
        assert_int_equal(speak(s, &from, 480), RM_OK);
    rmi_audio_sender_get_stats(s, &stats);
    assert_int_equal(stats.frames, 512);
    assert_int_equal(stats.exhausted, 44);
    rmi_audio_sender_destroy(&s); /* they outlive it */
    for (size_t i = 0; i < sink.held_n; i++) {
        const struct rmi_rtp_batch *b = sink.held[i];
        assert_int_equal(b->timestamp, 480 * i);
        assert_int_equal(rmi_opus_packet_samples(b->data + b->payload[0].offset, b->payload[0].len, 48000), 480);
        rmi_rtp_batch_unref(&sink.held[i]);
    }
}

static void packets_fit_a_datagram_and_time_is_measured(void **state) {
    (void)state;
    struct rmi_audio_sender_config c;
    struct rmi_audio_sender_stats stats;
    rmi_audio_sender_config_init(&c);
    c.encoder.use = RMI_AUDIO_USE_MUSIC;
    c.encoder.frame_us = 20000;
    c.encoder.bitrate_bps = RMI_AUDIO_BITRATE_MAX_BPS;
    c.clock_us = clock_us;
    struct rmi_audio_sender *s = create(&c);
    struct source from = {.rate = 48000, .channels = 2, .hz = 440, .amplitude = 0.9};
    for (int i = 0; i < 100; i++)
        assert_int_equal(speak(s, &from, 960), RM_OK);
    size_t most = 0;
    for (size_t i = 0; i < sink.n; i++)
        most = sink.got[i].len > most ? sink.got[i].len : most;
    assert_in_range(most, 500, 1160);
    rmi_audio_sender_get_stats(s, &stats);
    assert_in_range(stats.encode_us, 35, 50);
    assert_in_range(stats.lookahead_us, 6000, 7000);
    rmi_audio_sender_destroy(&s);
}

static void odd_input_is_refused_or_survived(void **state) {
    (void)state;
    struct rmi_audio_sender *s = create_default(), *none = NULL;
    struct rmi_audio_sender_config c;
    rm_runtime_data *data = NULL;
    rm_buf *buf = NULL;
    assert_int_equal(rm_runtime_data_create_text("no sound", 8, NULL, &data), RM_OK);
    assert_int_equal(rmi_audio_sender_input(s, data, 0), RM_E_INVALID_ARG);
    rm_runtime_data_unref(&data);
    assert_int_equal(rm_buf_create(960 * sizeof(float), &buf), RM_OK);
    for (size_t i = 0; i < 960; i++)
        ((float *)(void *)rm_buf_write(buf))[i] = i % 3 ? NAN : INFINITY;
    static const uint32_t rates[] = {48000, 44100, 999, 768000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rm_runtime_data_create_audio(buf, 0, 960, rates[i], 1, &data), RM_OK);
        assert_int_equal(rmi_audio_sender_input(s, data, 0), i < 2 ? RM_OK : RM_E_INVALID_ARG);
        rm_runtime_data_unref(&data);
    }
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, 0, 48000, 1, &data), RM_OK);
    assert_int_equal(rmi_audio_sender_input(s, data, 0), RM_OK);
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    rmi_audio_sender_destroy(&s);
    rmi_audio_sender_destroy(&s);
    rmi_audio_sender_config_init(&c);
    assert_int_equal(rmi_audio_sender_create(&c, &none), RM_E_INVALID_ARG); /* nobody to give batches to */
    c.on_batch = on_batch;
    c.encoder.rate_hz = 44100;
    assert_int_equal(rmi_audio_sender_create(&c, &none), RM_E_INVALID_ARG);
    assert_null(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_say_when_they_were_taken),
        cmocka_unit_test(every_rate_and_layout_becomes_opus),
        cmocka_unit_test(the_source_may_change),
        cmocka_unit_test(gaps_leave_gaps),
        cmocka_unit_test(settings_change_from_the_next_frame_on),
        cmocka_unit_test(another_use_goes_on_where_the_one_before_was),
        cmocka_unit_test(silence_is_announced_and_then_not_sent),
        cmocka_unit_test(held_batches_stay_whole_and_then_run_out),
        cmocka_unit_test(packets_fit_a_datagram_and_time_is_measured),
        cmocka_unit_test(odd_input_is_refused_or_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
