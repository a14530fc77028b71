/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes_testkit.h"

#include <math.h>

#define TWO_PI 6.283185307179586
#define RATE 48000
#define CHUNK 480 /* 10 ms */
#define START_US 7000000
#define PARAMS_MAX 256

static float tone_at(double hz, double level, size_t i) {
    return (float)(level * sin(TWO_PI * hz * (double)i / RATE));
}

/* `frames` of a tone from sample `from` on, in all channels; its time is that of `from`, and `off_us`. */
static rm_runtime_data *tone(double hz, double level, uint32_t channels, size_t from, size_t frames, const char *id,
                             int64_t off_us) {
    float *pcm = calloc(frames * channels + 1, sizeof *pcm);
    assert_non_null(pcm);
    for (size_t i = 0; i < frames * channels; i++)
        pcm[i] = tone_at(hz, level, from + i / channels);
    int64_t time_us = off_us == RM_NO_VALUE ? RM_NO_VALUE : START_US + (int64_t)(from * 1000000 / RATE) + off_us;
    rm_runtime_data *d = kit_audio(pcm, frames * channels, RATE, channels, id, time_us);
    free(pcm);
    return d;
}

/* How loud one frequency is: 1 for a full-scale sine. `n` samples should be whole waves. */
static double goertzel(const float *pcm, size_t n, double hz) {
    double w = 2 * cos(TWO_PI * hz / RATE), a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        double c = pcm[i] + w * a - b;
        b = a;
        a = c;
    }
    return 2 * sqrt(fabs(a * a + b * b - w * a * b)) / (double)n;
}

/* All that comes out until the end, interleaved. */
struct sound {
    float pcm[RATE * 2 * 2]; /* two seconds of stereo */
    size_t samples;          /* of all channels */
    uint32_t channels;
    size_t chunks;
    int64_t begin_us, end_us;
    float peak;
};

static void collect(struct sound *s, rm_runtime_data *out) {
    const rm_audio *a = rm_runtime_data_audio(out);
    int64_t time_us = rm_runtime_data_timestamp_us(out);
    assert_int_equal(a->sample_rate, RATE);
    assert_true(s->samples + a->sample_count <= sizeof s->pcm / sizeof s->pcm[0]);
    memcpy(s->pcm + s->samples, a->samples, a->sample_count * sizeof *a->samples);
    for (size_t i = 0; i < a->sample_count; i++)
        s->peak = fmaxf(s->peak, fabsf(a->samples[i]));
    s->begin_us = s->chunks == 0 ? time_us : s->begin_us;
    s->end_us = time_us + (int64_t)(a->frame_count * 1000000 / RATE);
    s->samples += a->sample_count;
    s->channels = a->channels;
    s->chunks++;
    rm_runtime_data_unref(&out);
}

static void finish(struct kit_rig *rig, struct sound *s) {
    rm_stream_session_end_input(rig->session);
    for (rm_runtime_data *out; (out = kit_take(rig)) != NULL;)
        collect(s, out);
    assert_int_equal(rig->errors, 0);
    kit_close(rig);
}

static void open_mixer(struct kit_rig *rig, const char *params) {
    char all[PARAMS_MAX];
    snprintf(all, sizeof all, "{queue_size: 4096%s%s}", params[0] ? ", " : "", params);
    assert_int_equal(kit_open_one(rig, "AudioMixerNode", all), RM_OK);
}

/* Level of a frequency in the part of the sound that begins at 0.5 s and lasts 0.4 s. */
static double level_of(const struct sound *s, double hz) {
    static float mono[RATE];
    size_t n = RATE * 4 / 10;
    assert_true(s->samples / s->channels >= RATE * 9 / 10);
    for (size_t i = 0; i < n; i++)
        mono[i] = s->pcm[(RATE / 2 + i) * s->channels];
    return goertzel(mono, n, hz);
}

static void near(double a, double b, double tolerance) {
    if (fabs(a - b) > tolerance)
        fail_msg("%g, not %g", a, b);
}

/* 440 Hz of `a`, 1000 Hz of `b`, for a second. */
static void mix_two(struct sound *s, const char *params, int64_t b_off_us) {
    struct kit_rig rig;
    memset(s, 0, sizeof *s);
    open_mixer(&rig, params);
    for (size_t i = 0; i < 100; i++) {
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        kit_send(&rig, tone(1000, 0.3, 1, i * CHUNK, CHUNK, "b", b_off_us));
    }
    finish(&rig, s);
}

static void each_source_is_heard(void **state) {
    (void)state;
    static struct sound s;
    mix_two(&s, "", 0);
    assert_int_equal(s.samples, 100 * CHUNK);
    assert_int_equal(s.chunks, 100);
    assert_int_equal(s.begin_us, START_US);
    assert_int_equal(s.end_us, START_US + 1000000);
    near(level_of(&s, 440), 0.4, 0.001);
    near(level_of(&s, 1000), 0.3, 0.001);
    near(level_of(&s, 700), 0, 0.001);
    /* Sums within full scale are exact, from where both are there and have faded in. */
    for (size_t i = 2 * CHUNK; i < s.samples; i++)
        near(s.pcm[i], (double)tone_at(440, 0.4, i) + tone_at(1000, 0.3, i), 1e-6);
}

static void gains_belong_to_streams(void **state) {
    (void)state;
    static struct sound s;
    mix_two(&s, "gains: {a: 0.5, c: 9}, default_gain: 1.5, output_stream_id: all", 0);
    near(level_of(&s, 440), 0.2, 0.001);
    near(level_of(&s, 1000), 0.45, 0.001);
    mix_two(&s, "gains: {b: 0}", 0);
    near(level_of(&s, 440), 0.4, 0.001);
    near(level_of(&s, 1000), 0, 0.001);
}

/* Eight voices of full scale: never beyond it, and once the gain has come down without distortion. */
static void loud_sums_are_turned_down_not_cut(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 150; i++)
        for (int k = 0; k < 8; k++) {
            char id[16];
            snprintf(id, sizeof id, "v%d", k);
            kit_send(&rig, tone(500, i < 100 ? 1 : 0.05, 1, i * CHUNK, CHUNK, id, 0));
        }
    finish(&rig, &s);
    assert_true(s.peak <= 1);
    near(level_of(&s, 500), 0.9, 0.01);
    for (int harmonic = 2; harmonic < 8; harmonic++)
        near(level_of(&s, 500 * harmonic), 0, 0.002);
    near(goertzel(s.pcm + RATE * 14 / 10, RATE / 10, 500), 0.4, 0.05); /* the gain has come back by then */
}

static void nonsense_in_the_samples_does_no_harm(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 100; i++) {
        float pcm[CHUNK] = {0};
        pcm[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? INFINITY : i % 4 == 2 ? -INFINITY : 1e30F;
        bool bad = i < 40;
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        kit_send(&rig, bad ? kit_audio(pcm, CHUNK, RATE, 1, "b", START_US + (int64_t)i * 10000)
                           : tone(1000, 0.3, 1, i * CHUNK, CHUNK, "b", 0));
    }
    finish(&rig, &s);
    assert_int_equal(s.samples, 100 * CHUNK);
    assert_true(s.peak <= 1); /* also false for not-a-number in fmaxf's way */
    for (size_t i = 0; i < s.samples; i++)
        assert_true(isfinite(s.pcm[i]));
    assert_true(goertzel(s.pcm + RATE * 8 / 10, RATE / 10, 440) > 0.35);
}

static void channels_are_mixed(void **state) {
    (void)state;
    static const struct {
        const char *params;
        uint32_t a, b, out;
    } rows[] = {{"channels: 1", 2, 1, 1}, {"channels: 2", 1, 2, 2}, {"", 2, 1, 2}, {"", 1, 2, 1}, {"", 6, 1, 2}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        static struct sound s;
        struct kit_rig rig;
        memset(&s, 0, sizeof s);
        open_mixer(&rig, rows[r].params);
        for (size_t i = 0; i < 100; i++) {
            kit_send(&rig, tone(440, 0.4, rows[r].a, i * CHUNK, CHUNK, "a", 0));
            kit_send(&rig, tone(1000, 0.3, rows[r].b, i * CHUNK, CHUNK, "b", 0));
        }
        finish(&rig, &s);
        assert_int_equal(s.channels, rows[r].out);
        assert_int_equal(s.samples, 100 * CHUNK * rows[r].out);
        near(level_of(&s, 440), 0.4, 0.001);
        near(level_of(&s, 1000), 0.3, 0.001);
    }
}

/* Chunks of 10, 20 and 2.5 ms, and of an odd size. */
static void sizes_of_chunks_may_differ(void **state) {
    (void)state;
    static const size_t sizes[] = {480, 960, 120, 331};
    static const double tones[] = {400, 600, 900, 1500};
    static struct sound s;
    struct kit_rig rig;
    size_t sent[4] = {0};
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t now = 0; now < RATE; now += 10)
        for (size_t k = 0; k < 4; k++)
            if (sent[k] + sizes[k] <= now) { /* in the order in which they would be complete */
                kit_send(&rig, tone(tones[k], 0.2, 1, sent[k], sizes[k],
                                    k == 0   ? "a"
                                    : k == 1 ? "b"
                                    : k == 2 ? "c"
                                             : NULL,
                                    0));
                sent[k] += sizes[k];
            }
    finish(&rig, &s);
    assert_in_range(s.samples, RATE - 2 * 960, RATE);
    for (size_t i = 2 * 960; i < RATE - 2 * 960; i++) {
        double sum = 0;
        for (size_t k = 0; k < 4; k++)
            sum += tone_at(tones[k], 0.2, i);
        near(s.pcm[i], sum, 1e-5);
    }
}

/* Times of another clock, and none at all. */
static void clocks_may_differ(void **state) {
    (void)state;
    static const int64_t offsets[] = {INT64_C(1700000000000000), RM_NO_VALUE, -6000000, 400};
    for (size_t i = 0; i < 4; i++) {
        static struct sound s;
        mix_two(&s, "", offsets[i]);
        assert_in_range(s.samples, 100 * CHUNK, 102 * CHUNK);
        near(level_of(&s, 440), 0.4, 0.001);
        near(level_of(&s, 1000), 0.3, 0.001);
    }
}

/* b is 100 ms behind by its times, all the while: after a moment it is heard, whole. */
static void who_is_always_late_is_moved(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 10; i++) {
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        kit_send(&rig, tone(1000, 0.3, 1, i * CHUNK, CHUNK, "b", 0));
    }
    for (size_t i = 10; i < 110; i++) {
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        if (i >= 20) /* 10 chunks late from here on */
            kit_send(&rig, tone(1000, 0.3, 1, (i - 10) * CHUNK, CHUNK, "b", 0));
    }
    finish(&rig, &s);
    near(level_of(&s, 440), 0.4, 0.001);
    near(level_of(&s, 1000), 0.3, 0.001);
}

/* b's clock is slower by a hundredth: now and then a moment of it is lost, never more. */
static void a_slower_clock_costs_moments(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    size_t sent = 0, missing = 0;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 190; i++) {
        kit_send(&rig, tone(400, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        for (; sent * 101 / 100 <= i; sent++)
            kit_send(&rig, tone(1000, 0.3, 1, sent * CHUNK, CHUNK, "b", 0));
    }
    finish(&rig, &s);
    for (size_t i = 1; i < 188; i++)
        missing += goertzel(s.pcm + i * CHUNK, CHUNK, 1000) < 0.15;
    print_message("%zu of 187 chunks without b\n", missing);
    assert_in_range(missing, 1, 8);
    near(level_of(&s, 400), 0.4, 0.001);
}

static void who_leaves_is_not_waited_for(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 150; i++) {
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        if (i < 30)
            kit_send(&rig, tone(1000, 0.3, 1, i * CHUNK, CHUNK, "b", 0));
    }
    finish(&rig, &s);
    assert_int_equal(s.samples, 150 * CHUNK);
    near(level_of(&s, 440), 0.4, 0.001);
    near(level_of(&s, 1000), 0, 0.001);
    for (size_t i = 31 * CHUNK; i < s.samples; i++)
        near(s.pcm[i], tone_at(440, 0.4, i), 1e-6);
}

/* Each listener gets the others under its own id, and with mode both there is the sum as well; muted ones nobody hears.
 */
static void nobody_hears_themself(void **state) {
    (void)state;
    static const char *const ids[] = {"a", "b", "c"};
    static const double tones[] = {400, 1000, 1900};
    for (int both = 0; both < 2; both++) {
        static struct sound heard[4];
        struct kit_rig rig;
        memset(heard, 0, sizeof heard);
        open_mixer(&rig, both ? "mode: both, output_stream_id: all, muted: [c], chunk_ms: 20"
                              : "mode: minus, muted: [c], chunk_ms: 20");
        for (size_t i = 0; i < 100; i++)
            for (size_t k = 0; k < 3; k++)
                kit_send(&rig, tone(tones[k], 0.2, 1, i * CHUNK, CHUNK, ids[k], (int64_t)k * 77000000));
        rm_stream_session_end_input(rig.session);
        for (rm_runtime_data *out; (out = kit_take(&rig)) != NULL;) {
            const char *id = rm_runtime_data_stream_id(out);
            assert_non_null(id);
            collect(&heard[id[1] ? 3 : (size_t)(id[0] - 'a')], out);
        }
        assert_int_equal(rig.errors, 0);
        kit_close(&rig);
        assert_int_equal(heard[3].chunks > 0, both);
        for (size_t who = 0; who < 3 + (size_t)both; who++)
            for (size_t k = 0; k < 3; k++) {
                double got = level_of(&heard[who], tones[k]);
                if (k == who || k == 2)
                    assert_true(got < 0.2e-3); /* -60 dB */
                else
                    near(got, 0.2, 0.001);
            }
    }
}

/* Streams of other sample rates are converted; one may change its format. */
static void rates_are_converted(void **state) {
    (void)state;
    static struct sound s;
    static float pcm[480];
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 150; i++) {
        uint32_t rate = i < 20 ? 8000 : 16000;
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        for (size_t k = 0; k < rate / 100; k++)
            pcm[k] = (float)(0.3 * sin(TWO_PI * 1000 * (double)(k % (rate / 100)) / rate));
        kit_send(&rig, kit_audio(pcm, rate / 100, rate, 1, "b", RM_NO_VALUE));
    }
    finish(&rig, &s);
    near(level_of(&s, 440), 0.4, 0.002);
    near(level_of(&s, 1000), 0.3, 0.01);
}

/* By arrival times a stream that brings much at once does not make the others late. */
static void arrival_times_tell_who_is_late(void **state) {
    (void)state;
    static struct sound s;
    for (int by_arrival = 0; by_arrival < 2; by_arrival++) {
        struct kit_rig rig;
        memset(&s, 0, sizeof s);
        open_mixer(&rig, by_arrival ? "clock: arrival" : "clock: media");
        for (size_t i = 0; i < 120; i++) {
            rm_runtime_data *d[2] = {tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0),
                                     i == 20 ? tone(1000, 0.3, 1, 0, RATE, "b", 90000000) : NULL};
            for (size_t k = 0; k < 2; k++)
                if (d[k]) {
                    assert_int_equal(rm_runtime_data_set_arrival_us(d[k], START_US + (int64_t)(i + 1) * 10000), RM_OK);
                    kit_send(&rig, d[k]);
                }
        }
        finish(&rig, &s);
        double both = level_of(&s, 440);
        print_message("clock %d: %g\n", by_arrival, both);
        near(level_of(&s, 1000), 0.3, 0.001);
        if (by_arrival)
            near(both, 0.4, 0.001);
        else
            assert_true(both < 0.3); /* the long one has gone on without it */
    }
}

/* How long it waits, by the order of chunks alone; who has left costs nothing any more. */
static void the_mix_waits_for_one_chunk(void **state) {
    (void)state;
    struct kit_rig rig;
    rm_runtime_data *out;
    open_mixer(&rig, "levels: true");
    for (size_t i = 0; i < 5; i++) {
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        kit_send(&rig, tone(1000, 0.1, 1, i * CHUNK, CHUNK, "b", 0));
    }
    for (size_t i = 0; i < 5; i++) {
        out = kit_take(&rig);
        assert_int_equal(rm_runtime_data_timestamp_us(out), START_US + (int64_t)i * 10000);
        if (i == 4)
            assert_string_equal(rm_runtime_data_metadata(out),
                                "{\"audio_mixer\":{\"speaker\":null,\"levels\":{\"a\":-11,\"b\":-23}}}");
        rm_runtime_data_unref(&out);
    }
    kit_send(&rig, tone(440, 0.4, 1, 5 * CHUNK, CHUNK, "a", 0)); /* waits for b */
    kit_send(&rig, tone(440, 0.4, 1, 6 * CHUNK, CHUNK, "a", 0)); /* but no longer */
    out = kit_take(&rig);
    assert_int_equal(rm_runtime_data_timestamp_us(out), START_US + 50000);
    rm_runtime_data_unref(&out);
    for (size_t i = 7; i < 40; i++)
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
    for (size_t i = 6; i < 40; i++) {
        out = kit_take(&rig);
        assert_int_equal(rm_runtime_data_timestamp_us(out), START_US + (int64_t)i * 10000);
        if (i == 39)
            assert_string_equal(rm_runtime_data_metadata(out),
                                "{\"audio_mixer\":{\"speaker\":\"a\",\"levels\":{\"a\":-11,\"b\":-127}}}");
        rm_runtime_data_unref(&out);
    }
    kit_close(&rig);
}

/* More streams one after the other than there are places. */
static void places_are_used_again(void **state) {
    (void)state;
    static struct sound s;
    struct kit_rig rig;
    memset(&s, 0, sizeof s);
    open_mixer(&rig, "");
    for (size_t i = 0; i < 190; i++) { /* each sends once, while "a" goes on */
        char id[16];
        snprintf(id, sizeof id, "s%zu", i);
        kit_send(&rig, tone(440, 0.4, 1, i * CHUNK, CHUNK, "a", 0));
        if (i % 2)
            kit_send(&rig, tone(1000, 0.1, 1, i * CHUNK, CHUNK, id, 0));
    }
    finish(&rig, &s);
    near(level_of(&s, 440), 0.4, 0.002);
}

/* A stream that has ended is a listener for a while, and then no more. */
static void who_has_left_is_forgotten(void **state) {
    (void)state;
    struct kit_rig rig;
    size_t of_b = 0, of_a = 0;
    open_mixer(&rig, "mode: minus, forget_ms: 500");
    for (size_t i = 0; i < 100; i++) {
        kit_send(&rig, tone(440, 0.1, 1, i * CHUNK, CHUNK, "a", 0));
        if (i < 10)
            kit_send(&rig, tone(1000, 0.1, 1, i * CHUNK, CHUNK, "b", 0));
    }
    rm_stream_session_end_input(rig.session);
    for (rm_runtime_data *out; (out = kit_take(&rig)) != NULL; rm_runtime_data_unref(&out))
        *(strcmp(rm_runtime_data_stream_id(out), "a") ? &of_b : &of_a) += 1;
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
    assert_int_equal(of_a, 100);
    assert_in_range(of_b, 55, 65);
}

static void mixer_says_what_is_wrong(void **state) {
    (void)state;
    struct kit_rig rig;
    float pcm[10] = {0};
    kit_not_made("AudioMixerNode", "{gains: [1]}", RM_E_CONFIG, "gains must be an object: {\"stream id\": factor}");
    kit_not_made("AudioMixerNode", "{gains: {bob: -1}}", RM_E_CONFIG, "gains: \"bob\" must be a number from 0 to 16");
    kit_not_made("AudioMixerNode", "{gains: {bob: loud}}", RM_E_CONFIG, "gains: \"bob\" must be a number from 0 to 16");
    kit_not_made("AudioMixerNode", "{output_stream_id: \"a\\tb\"}", RM_E_CONFIG,
                 "output_stream_id must have 1 to 64 bytes, without control characters");
    kit_not_made("AudioMixerNode", "{muted: bob}", RM_E_CONFIG, "muted must be a list: [\"stream id\", ...]");
    assert_int_equal(kit_open_one(&rig, "AudioMixerNode", "{}"), RM_OK);
    kit_refused(&rig, kit_audio(pcm, 10, 4000, 1, "bob", 0), RM_E_UNSUPPORTED,
                "a mix of 4000 Hz cannot be made; set sample_rate (8000 to 192000)");
    kit_close(&rig);
    assert_int_equal(kit_open_one(&rig, "AudioMixerNode", "{sample_rate: 48000}"), RM_OK);
    kit_refused(&rig, kit_audio(pcm, 10, 500, 1, "bob", 0), RM_E_UNSUPPORTED,
                "stream \"bob\" has 500 Hz, which cannot be converted; put a FastResampleNode in front");
    kit_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_source_is_heard),
        cmocka_unit_test(gains_belong_to_streams),
        cmocka_unit_test(loud_sums_are_turned_down_not_cut),
        cmocka_unit_test(nonsense_in_the_samples_does_no_harm),
        cmocka_unit_test(channels_are_mixed),
        cmocka_unit_test(sizes_of_chunks_may_differ),
        cmocka_unit_test(clocks_may_differ),
        cmocka_unit_test(who_is_always_late_is_moved),
        cmocka_unit_test(a_slower_clock_costs_moments),
        cmocka_unit_test(who_leaves_is_not_waited_for),
        cmocka_unit_test(nobody_hears_themself),
        cmocka_unit_test(rates_are_converted),
        cmocka_unit_test(arrival_times_tell_who_is_late),
        cmocka_unit_test(the_mix_waits_for_one_chunk),
        cmocka_unit_test(places_are_used_again),
        cmocka_unit_test(who_has_left_is_forgotten),
        cmocka_unit_test(mixer_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
