/* SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

#include "base/rng.h"
#include "base/time.h"
#include "codec/audio.h"
#include "test_audio.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PI 3.14159265358979323846
#define RATE 48000
#define START_US INT64_C(7001234567)
#define CHUNK_MAX 5760 /* 120 ms at 48 kHz */

static struct marker_detector *new_detector(uint32_t rate) {
    struct marker_detector *md = NULL;
    assert_int_equal(marker_detector_create(rate, &md), RM_OK);
    return md;
}

static struct test_audio *new_audio(uint32_t channels, uint32_t chunk_ms) {
    struct test_audio *ta = NULL;
    assert_int_equal(test_audio_create(channels, chunk_ms, START_US, &ta), RM_OK);
    return ta;
}

static void feed(struct marker_detector *md, const float *pcm, size_t frames, uint32_t rate, uint32_t channels,
                 int64_t first_us) {
    rm_audio a = {.samples = pcm,
                  .sample_count = frames * channels,
                  .frame_count = frames,
                  .sample_rate = rate,
                  .channels = channels};
    assert_int_equal(marker_detector_feed(md, &a, first_us), RM_OK);
}

static float noise(struct rmi_prng *prng) { /* white, mean square 1/3 */
    return (float)(rmi_prng_next(prng) >> 40) / (float)(1 << 23) - 1;
}

/* Every sample rate, chunks of all lengths: the place is right to a part of a sample. */
static void markers_are_found_across_chunk_borders(void **state) {
    (void)state;
    static const uint32_t rates[] = {16000, 22050, 24000, 44100, 48000, 96000};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        enum { MARKERS = 12 };
        uint32_t rate = rates[r], channels = 1 + (uint32_t)r % 2;
        size_t n = marker_samples(rate), total = (MARKERS + 1) * (size_t)rate / 2;
        float *sound = calloc(total * channels, sizeof *sound), *marker = malloc(n * sizeof *marker);
        size_t places[MARKERS];
        assert_true(sound && marker);
        for (size_t m = 0; m < MARKERS; m++) {
            marker_draw(m % 2 ? MARKER_FALLING : MARKER_RISING, rate, marker);
            places[m] = m * rate / 2 + rmi_prng_next(&prng) % (rate / 10);
            for (size_t i = 0; i < n * channels; i++)
                sound[places[m] * channels + i] = 0.2f * marker[i / channels];
        }
        struct marker_detector *md = new_detector(rate);
        for (size_t at = 0; at < total;) {
            size_t chunk = 1 + rmi_prng_next(&prng) % (rmi_prng_next(&prng) % 2 ? rate / 50 : rate / 2);
            chunk = chunk < total - at ? chunk : total - at;
            feed(md, sound + at * channels, chunk, rate, channels, START_US + (int64_t)(at * RMI_SEC(1) / rate));
            at += chunk;
        }
        struct marker_heard heard;
        for (size_t m = 0; m < MARKERS; m++) {
            assert_true(marker_detector_next(md, &heard));
            assert_int_equal(heard.kind, m % 2 ? MARKER_FALLING : MARKER_RISING);
            assert_true(fabs(heard.similarity - 1) < 1e-3);
            int64_t expected = START_US + (int64_t)(places[m] * RMI_SEC(1) / rate);
            assert_in_range(heard.heard_us - expected + 10, 0, 20);
        }
        assert_false(marker_detector_next(md, &heard));
        marker_detector_destroy(&md);
        free(sound);
        free(marker);
    }
}

/* After two in step the next is looked for where it is expected: one that comes a little off, early, late, or after
 * others were lost, is found as well, each at its time and once. */
static void markers_out_of_step_are_found(void **state) {
    (void)state;
    static const int off_ms[] = {0, 0,    0, 10, -10, 0, 19, 21,  -15, 0, 0,    -60, 0,
                                 0, -200, 0, 0,  200, 0, 0,  500, 0,   0, 1700, 0};
    enum { MARKERS = sizeof off_ms / sizeof *off_ms, CHUNK = RATE / 100 };
    static float sound[(MARKERS + 6) * RATE / 2];
    size_t places[MARKERS], place = RATE / 10;
    struct marker_detector *md = new_detector(RATE);
    struct marker_heard heard;
    for (size_t m = 0; m < MARKERS; m++, place += RATE / 2) {
        place += (size_t)(off_ms[m] + 1000) * RATE / 1000 - RATE;
        places[m] = place;
        marker_draw(m % 2 ? MARKER_FALLING : MARKER_RISING, RATE, sound + place);
    }
    size_t m = 0;
    for (size_t at = 0; at + CHUNK <= sizeof sound / sizeof *sound; at += CHUNK) {
        feed(md, sound + at, CHUNK, RATE, 1, START_US + (int64_t)(at * RMI_SEC(1) / RATE));
        while (marker_detector_next(md, &heard)) {
            assert_true(m < MARKERS);
            int64_t expected = START_US + (int64_t)(places[m] * RMI_SEC(1) / RATE);
            assert_int_equal(heard.kind, m % 2 ? MARKER_FALLING : MARKER_RISING);
            assert_in_range(heard.heard_us - expected + 10, 0, 20);
            assert_true(at - places[m] < RATE * 32 / 100); /* 10 ms long, and known in 300 */
            m++;
        }
    }
    assert_int_equal(m, MARKERS);
    marker_detector_destroy(&md);
}

/* Where one is expected something alike grows and grows: nothing waits for its end for ever. */
static void a_row_of_markers_ends(void **state) {
    enum { SECONDS = 20, CHUNK = RATE / 100, EVERY = RATE / 80 };
    (void)state;
    static float sound[SECONDS * RATE];
    struct rmi_prng prng;
    struct marker_heard heard;
    rmi_prng_seed(&prng, 4);
    struct marker_detector *md = new_detector(RATE);
    for (size_t at = 0; at + EVERY <= SECONDS * RATE; at += at < 2 * RATE ? RATE / 2 : EVERY) {
        marker_draw(MARKER_RISING, RATE, sound + at);
        for (size_t i = 0; i < EVERY; i++) /* alike by 0.7 to 1, ever more */
            sound[at + i] += noise(&prng) * 0.7f * (1 - (float)at / (SECONDS * RATE));
    }
    int n = 0;
    for (size_t at = 0; at < SECONDS * RATE; at += CHUNK) {
        feed(md, sound + at, CHUNK, RATE, 1, START_US + (int64_t)(at * RMI_SEC(1) / RATE));
        for (; marker_detector_next(md, &heard); n++) {
        }
    }
    assert_in_range(n, 4, SECONDS * 4); /* it rests for a quarter of a second after each */
    marker_detector_destroy(&md);
}

/* Samples that fall between those of the shape searched for. */
static void places_between_samples_are_told(void **state) {
    enum { FINE = 96000, FINE_SAMPLES = FINE / 100, TOTAL = 8000 };
    (void)state;
    static const uint32_t rates[] = {16000, 32000, 48000};
    static float fine[FINE_SAMPLES], sound[TOTAL];
    marker_draw(MARKER_FALLING, FINE, fine);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t part = 0; part < FINE / rates[r]; part++) {
            const size_t ratio = FINE / rates[r], place = 1000;
            memset(sound, 0, sizeof sound);
            for (size_t i = 0; i * ratio + part < FINE_SAMPLES; i++)
                sound[place + i] = fine[i * ratio + part];
            struct marker_detector *md = new_detector(rates[r]);
            feed(md, sound, TOTAL, rates[r], 1, START_US);
            struct marker_heard heard;
            assert_true(marker_detector_next(md, &heard));
            int64_t expected = START_US + (int64_t)((place * ratio - part) * RMI_SEC(1) / FINE);
            assert_in_range(heard.heard_us - expected + 10, 0, 20);
            marker_detector_destroy(&md);
        }
}

/* ---- through Opus --------------------------------------------------------------------------------------------- */

struct figures {
    int heard;
    double worst_us, least_similarity;
};

static struct figures through_opus(enum rmi_audio_use use, uint32_t bps, uint32_t channels, uint32_t chunk_ms) {
    enum { SECONDS = 10 };
    struct figures f = {.least_similarity = 1};
    struct rmi_audio_encoder_config config;
    rmi_audio_encoder_config_init(&config);
    config.use = use;
    config.bitrate_bps = bps;
    config.channels = (int)channels;
    config.frame_us = chunk_ms * 1000;
    struct rmi_audio_decoder_config decoder_config = {.rate_hz = RATE, .channels = (int)channels};
    struct rmi_audio_encoder *e = NULL;
    struct rmi_audio_decoder *d = NULL;
    assert_int_equal(rmi_audio_encoder_create(RMI_CODEC_OPUS, &config, &e), RM_OK);
    assert_int_equal(rmi_audio_decoder_create(RMI_CODEC_OPUS, &decoder_config, &d), RM_OK);
    struct test_audio *ta = new_audio(channels, chunk_ms);
    struct marker_detector *md = new_detector(RATE);
    double lookahead_us = (double)rmi_audio_encoder_lookahead_samples(e) * RMI_SEC(1) / RATE;
    for (uint32_t ms = 0; ms < SECONDS * 1000; ms += chunk_ms) {
        static float pcm[CHUNK_MAX * TEST_AUDIO_CHANNELS_MAX];
        uint8_t packet[RMI_AUDIO_PACKET_MAX];
        size_t len, samples;
        rm_runtime_data *data = NULL;
        assert_int_equal(test_audio_next(ta, &data), RM_OK);
        const rm_audio *a = rm_runtime_data_audio(data);
        assert_int_equal(rmi_audio_encoder_encode(e, a->samples, a->frame_count, packet, sizeof packet, &len), RM_OK);
        assert_int_equal(rmi_audio_decoder_decode(d, packet, len, pcm, CHUNK_MAX, &samples), RM_OK);
        feed(md, pcm, samples, RATE, channels, rm_runtime_data_timestamp_us(data));
        rm_runtime_data_unref(&data);
        struct marker_heard heard;
        while (marker_detector_next(md, &heard)) {
            f.heard++;
            f.worst_us = fmax(f.worst_us, fabs((double)marker_latency_us(&heard) - lookahead_us));
            f.least_similarity = fmin(f.least_similarity, heard.similarity);
        }
    }
    rmi_audio_encoder_destroy(&e);
    rmi_audio_decoder_destroy(&d);
    marker_detector_destroy(&md);
    test_audio_destroy(&ta);
    return f;
}

static void opus_moves_no_marker(void **state) {
    (void)state;
    static const uint32_t rates_bps[] = {24000, 32000, 48000, 64000};
    static const char *const names[] = {"voice", "music", "low delay"};
    for (int use = RMI_AUDIO_USE_VOICE; use <= RMI_AUDIO_USE_LOW_DELAY; use++)
        for (size_t b = 0; b < 4; b++)
            for (uint32_t chunk_ms = 10; chunk_ms <= 20; chunk_ms += 10) {
                struct figures f = through_opus((enum rmi_audio_use)use, rates_bps[b], 1, chunk_ms);
                print_message("%-9s %2u kbit/s %2u ms: %d heard, off by %.0f us at most, similarity from %.2f\n",
                              names[use], rates_bps[b] / 1000, chunk_ms, f.heard, f.worst_us, f.least_similarity);
                assert_int_equal(f.heard, 20);
                assert_true(f.worst_us < 500);
            }
    struct figures stereo = through_opus(RMI_AUDIO_USE_VOICE, 64000, 2, 10);
    assert_int_equal(stereo.heard, 20);
    assert_true(stereo.worst_us < 500);
}

/* ---- what players and networks do ------------------------------------------------------------------------------ */

/* Played faster or slower: clocks that differ, and a player that catches up (up to 1 %). */
static void stretched_markers_are_found(void **state) {
    enum { SECONDS = 5, CHUNK = 480 };
    (void)state;
    static const double stretches[] = {1, 1.0001, 0.9999, 1.0005, 0.9995, 1.005, 0.995, 1.01, 0.99};
    static float sent[(SECONDS + 1) * RATE];
    struct test_audio *ta = new_audio(1, 10);
    test_audio_reference(ta, 0, sent, (SECONDS + 1) * RATE);
    for (size_t s = 0; s < sizeof stretches / sizeof *stretches; s++) {
        struct marker_detector *md = new_detector(RATE);
        double worst = 0;
        uint64_t n = 0;
        for (size_t at = 0; at < SECONDS * RATE; at += CHUNK) {
            float pcm[CHUNK];
            for (size_t i = 0; i < CHUNK; i++) {
                double place = (double)(at + i) / stretches[s], whole = floor(place);
                size_t k = (size_t)whole;
                pcm[i] = sent[k] + (float)(place - whole) * (sent[k + 1] - sent[k]);
            }
            feed(md, pcm, CHUNK, RATE, 1, START_US + (int64_t)(at * RMI_SEC(1) / RATE));
            struct marker_heard heard;
            while (marker_detector_next(md, &heard)) {
                double played = (double)test_audio_marker_sample(ta, n++) * stretches[s] * RMI_SEC(1) / RATE;
                worst = fmax(worst, fabs((double)(heard.heard_us - START_US) - played));
            }
        }
        print_message("stretched by %+.2f %%: %d heard, off by %.0f us at most\n", 100 * (stretches[s] - 1), (int)n,
                      worst);
        assert_in_range(n, 9, 11);
        assert_true(worst < 250);
        marker_detector_destroy(&md);
    }
    test_audio_destroy(&ta);
}

/* Chunks are lost anywhere around a marker: it is heard at the right time or not at all. */
static void a_gap_leaves_no_wrong_time(void **state) {
    enum { CHUNK = 240, BEFORE = 8, TOTAL = 40 };
    (void)state;
    int found = 0;
    for (int lost = 0; lost < 3; lost++)
        for (int first = 0; first < 2 * BEFORE; first++)
            for (size_t shift = 0; shift < CHUNK; shift += 16) {
                static float sound[TOTAL * CHUNK];
                memset(sound, 0, sizeof sound);
                marker_draw(MARKER_RISING, RATE, sound + BEFORE * CHUNK + shift);
                struct marker_detector *md = new_detector(RATE);
                for (int c = 0; c < TOTAL; c++)
                    if (c < first || c >= first + lost)
                        feed(md, sound + c * CHUNK, CHUNK, RATE, 1, START_US + c * 5000);
                struct marker_heard heard;
                int64_t expected = START_US + BEFORE * 5000 + (int64_t)(shift * RMI_SEC(1) / RATE);
                while (marker_detector_next(md, &heard)) {
                    assert_in_range(heard.heard_us - expected + 500, 0, 1000);
                    found++;
                }
                if (lost == 0 || first + lost <= BEFORE || first > BEFORE + 2)
                    assert_true(found > 0);
                found = lost == 0 ? 0 : found;
                marker_detector_destroy(&md);
            }
    assert_true(found > 0);
}

static void noise_and_tones_are_no_markers(void **state) {
    enum { SECONDS = 30, CHUNK = 480 };
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 2);
    struct marker_detector *md = new_detector(RATE);
    struct marker_heard heard;
    for (size_t at = 0; at < (size_t)SECONDS * RATE; at += CHUNK) {
        float pcm[CHUNK];
        int third = (int)(at / ((size_t)SECONDS / 3 * RATE));
        for (size_t i = 0; i < CHUNK; i++) {
            double t = (double)(at + i) / RATE;
            pcm[i] = third == 0   ? noise(&prng)
                     : third == 1 ? (float)sin(2 * PI * (200 + 170 * floor(t)) * t) /* tones up to 6.7 kHz */
                                  : 0;
        }
        feed(md, pcm, CHUNK, RATE, 1, START_US + (int64_t)(at * RMI_SEC(1) / RATE));
        assert_false(marker_detector_next(md, &heard));
    }
    marker_detector_destroy(&md);
}

static void markers_are_heard_through_noise(void **state) {
    enum { SECONDS = 10 };
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    struct test_audio *ta = new_audio(1, 20);
    struct marker_detector *md = new_detector(RATE);
    struct marker_heard heard;
    int n = 0;
    for (int c = 0; c < SECONDS * 50; c++) {
        rm_runtime_data *data = NULL;
        assert_int_equal(test_audio_next(ta, &data), RM_OK);
        float *pcm = rm_runtime_data_write_samples(data);
        for (size_t i = 0; i < RATE / 50; i++)
            pcm[i] += 0.1f * noise(&prng); /* about 6 dB below the markers */
        feed(md, pcm, RATE / 50, RATE, 1, rm_runtime_data_timestamp_us(data) + 300000);
        rm_runtime_data_unref(&data);
        while (marker_detector_next(md, &heard)) {
            assert_in_range(marker_latency_us(&heard), 299900, 300100);
            n++;
        }
    }
    assert_int_equal(n, 20);
    marker_detector_destroy(&md);
    test_audio_destroy(&ta);
}

/* Values that are no sound leave nothing behind. */
static void nonsense_does_no_harm(void **state) {
    enum { CHUNK = 480 };
    (void)state;
    static const float values[] = {NAN, INFINITY, -INFINITY, 1e38f, -1e38f, 7.9f};
    struct marker_detector *md = new_detector(RATE);
    struct marker_heard heard;
    float pcm[CHUNK];
    int64_t now = START_US;
    for (int c = 0; c < 50; c++, now += 10000) {
        for (size_t i = 0; i < CHUNK; i++)
            pcm[i] = values[(i + (size_t)c) % (sizeof values / sizeof *values)];
        feed(md, pcm, CHUNK, RATE, 1, now);
    }
    while (marker_detector_next(md, &heard)) {
    }
    memset(pcm, 0, sizeof pcm);
    for (int c = 0; c < 50; c++) {
        if (c == 10)
            marker_draw(MARKER_FALLING, RATE, pcm);
        for (size_t i = 0; i < CHUNK; i++)
            pcm[i] *= 0.01f;
        feed(md, pcm, CHUNK, RATE, 1, now + c * 10000);
        if (c == 10)
            memset(pcm, 0, sizeof pcm);
    }
    assert_true(marker_detector_next(md, &heard));
    assert_in_range(heard.heard_us - now - 100000 + 5, 0, 10);
    feed(md, pcm, 0, RATE, 1, now);
    rm_audio other = {.samples = pcm, .sample_count = CHUNK, .frame_count = CHUNK, .sample_rate = 16000, .channels = 1};
    assert_int_equal(marker_detector_feed(md, &other, now), RM_E_INVALID_ARG);
    marker_detector_destroy(&md);
    assert_null(md);
    assert_int_equal(marker_detector_create(MARKER_RATE_MIN_HZ - 1, &md), RM_E_INVALID_ARG);
    assert_int_equal(marker_detector_create(MARKER_RATE_MAX_HZ + 1, &md), RM_E_INVALID_ARG);
}

static void markers_nobody_asks_for_are_forgotten(void **state) {
    enum { SECONDS = 20 };
    (void)state;
    struct test_audio *ta = new_audio(2, 5);
    struct marker_detector *md = new_detector(RATE);
    for (int c = 0; c < SECONDS * 200; c++) {
        rm_runtime_data *data = NULL;
        assert_int_equal(test_audio_next(ta, &data), RM_OK);
        assert_int_equal(marker_detector_feed(md, rm_runtime_data_audio(data), rm_runtime_data_timestamp_us(data)),
                         RM_OK);
        rm_runtime_data_unref(&data);
    }
    struct marker_heard heard = {0};
    int n = 0;
    int64_t last = 0;
    while (marker_detector_next(md, &heard)) {
        if (n++ > 0)
            assert_in_range(heard.heard_us - last, MARKER_SPACING_US - 1, MARKER_SPACING_US + 1);
        last = heard.heard_us;
    }
    assert_in_range(n, 8, 20);
    assert_true(START_US + RMI_SEC(SECONDS) - last < RMI_SEC(1)); /* the newest are there */
    marker_detector_destroy(&md);
    test_audio_destroy(&ta);
}

static void latency_is_told_up_to_a_second(void **state) {
    (void)state;
    const int64_t second = RMI_SEC(77);
    for (int64_t late = -9000; late < 990000; late += 1000) {
        struct marker_heard rising = {.heard_us = second + late, .kind = MARKER_RISING};
        struct marker_heard falling = {.heard_us = second + MARKER_SPACING_US + late, .kind = MARKER_FALLING};
        assert_true(marker_latency_us(&rising) == late);
        assert_true(marker_latency_us(&falling) == late);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markers_are_found_across_chunk_borders),
        cmocka_unit_test(markers_out_of_step_are_found),
        cmocka_unit_test(a_row_of_markers_ends),
        cmocka_unit_test(places_between_samples_are_told),
        cmocka_unit_test(opus_moves_no_marker),
        cmocka_unit_test(stretched_markers_are_found),
        cmocka_unit_test(a_gap_leaves_no_wrong_time),
        cmocka_unit_test(noise_and_tones_are_no_markers),
        cmocka_unit_test(markers_are_heard_through_noise),
        cmocka_unit_test(nonsense_does_no_harm),
        cmocka_unit_test(markers_nobody_asks_for_are_forgotten),
        cmocka_unit_test(latency_is_told_up_to_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
