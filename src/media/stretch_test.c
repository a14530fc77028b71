/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "media/stretch.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define TAU 6.28318530717958647692
#define ROOM 20000

static const uint32_t rates[] = {8000, 16000, 48000};

static void tone(float *pcm, size_t n, int channels, double hz, uint32_t rate, double amplitude) {
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < channels; c++)
            pcm[i * (size_t)channels + (size_t)c] = (float)(amplitude * sin(TAU * hz * (double)i / rate + c));
}

/* Share of the energy of channel 0 that is at this frequency. */
static double share_at(const float *pcm, size_t n, int channels, double hz, uint32_t rate) {
    double re = 0, im = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = pcm[i * (size_t)channels], t = TAU * hz * (double)i / rate;
        re += v * cos(t);
        im += v * sin(t);
        all += v * v;
    }
    return 2 * (re * re + im * im) / ((double)n * all);
}

static double largest_step(const float *pcm, size_t n, int channels) {
    double most = 0;
    for (size_t i = (size_t)channels; i < n * (size_t)channels; i++)
        most = fmax(most, fabs((double)pcm[i] - (double)pcm[i - (size_t)channels]));
    return most;
}

static void check_tone(uint32_t rate, int channels, double hz, ptrdiff_t want, size_t samples) {
    float in[ROOM], out[ROOM];
    tone(in, samples, channels, hz, rate, 0.5);
    const size_t most = (size_t)(want < 0 ? -want : want) + rate / 100;
    const struct rmi_stretch s = {.rate_hz = rate,
                                  .channels = channels,
                                  .pcm = in,
                                  .samples = samples,
                                  .want = want,
                                  .most = most,
                                  .fit = RMI_STRETCH_FIT_GOOD};
    const ptrdiff_t done = rmi_stretch_run(&s, out);
    assert_true(done != 0 && (done > 0) == (want > 0));
    assert_true((size_t)(done < 0 ? -done : done) <= most);
    const size_t n = (size_t)((ptrdiff_t)samples + done);
    /* One sinus all the way, and no step that a sinus would not make. */
    assert_true(share_at(out, n, channels, hz, rate) > 0.97);
    assert_true(largest_step(out, n, channels) < 1.15 * largest_step(in, samples, channels));
    /* It goes on from what was before, and to what comes behind. */
    assert_float_equal(out[0], in[0], 0.02);
    assert_float_equal(out[n * (size_t)channels - 1], in[samples * (size_t)channels - 1], 0.02);
}

static void a_tone_stays_a_tone(void **state) {
    (void)state;
    const double pitches[] = {200, 310, 440, 1000};
    for (size_t r = 0; r < 3; r++)
        for (size_t p = 0; p < 4; p++)
            for (int channels = 1; channels <= 2; channels++) {
                const ptrdiff_t unit = (ptrdiff_t)rates[r] / 400;
                check_tone(rates[r], channels, pitches[p], -2 * unit, rates[r] / 50);
                check_tone(rates[r], channels, pitches[p], 2 * unit, rates[r] / 50);
                check_tone(rates[r], channels, pitches[p], unit, rates[r] / 50);
            }
}

static void silence_changes_exactly(void **state) {
    (void)state;
    float in[ROOM] = {0}, out[ROOM];
    for (ptrdiff_t want = -240; want <= 240; want += 7) {
        const struct rmi_stretch s = {
            .rate_hz = 48000, .channels = 1, .pcm = in, .samples = 480, .want = want, .fit = RMI_STRETCH_FIT_GOOD};
        assert_int_equal(rmi_stretch_run(&s, out), want);
        for (ptrdiff_t i = 0; i < 480 + want; i++)
            assert_true(out[i] == 0.0F);
    }
}

static void noise(float *pcm, size_t n, uint64_t seed) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed);
    for (size_t i = 0; i < n; i++)
        pcm[i] = (float)((double)(rmi_prng_next(&prng) >> 11) / (double)(1ULL << 52) - 1) * 0.5F;
}

static double power(const float *pcm, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)pcm[i] * (double)pcm[i];
    return sum / (double)n;
}

static void noise_waits_or_gives_way(void **state) {
    (void)state;
    float in[ROOM], out[ROOM];
    noise(in, 960, 5);
    struct rmi_stretch s = {.rate_hz = 48000, .channels = 1, .pcm = in, .samples = 960, .want = -120, .most = 240};
    s.fit = RMI_STRETCH_FIT_GOOD;
    assert_int_equal(rmi_stretch_run(&s, out), 0);
    assert_memory_equal(out, in, 960 * sizeof *in);
    s.fit = RMI_STRETCH_FIT_ANY;
    const ptrdiff_t done = rmi_stretch_run(&s, out);
    assert_true(done < 0 && done >= -240);
    /* The joint is as loud as the rest. */
    const double ratio = power(out, (size_t)(960 + done)) / power(in, 960);
    assert_true(ratio > 0.85 && ratio < 1.15);
}

/* A voice: a pulse each 6.1 ms through a resonance. The joint must be at a whole number of periods. */
static void a_voice_loses_whole_periods(void **state) {
    (void)state;
    float in[ROOM], out[ROOM];
    const size_t period = 293, samples = 1440;
    for (size_t i = 0; i < samples; i++) {
        const double t = (double)(i % period) / 48000;
        in[i] = (float)(0.6 * exp(-t * 500) * sin(TAU * 700 * t));
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        const struct rmi_stretch s = {.rate_hz = 48000,
                                      .channels = 1,
                                      .pcm = in,
                                      .samples = samples,
                                      .want = sign * 240,
                                      .most = 480,
                                      .fit = RMI_STRETCH_FIT_GOOD};
        const ptrdiff_t done = rmi_stretch_run(&s, out);
        assert_in_range(sign * done, period - 2, period + 2);
        assert_true(largest_step(out, (size_t)((ptrdiff_t)samples + done), 1) < 1.1 * largest_step(in, samples, 1));
    }
}

static void odd_requests_are_harmless(void **state) {
    (void)state;
    float in[ROOM], out[ROOM];
    noise(in, ROOM, 9);
    in[100] = NAN;
    in[200] = INFINITY;
    for (size_t samples = 0; samples <= 700; samples += 35)
        for (ptrdiff_t want = -900; want <= 900; want += 75) {
            const struct rmi_stretch s = {
                .rate_hz = 48000, .channels = 2, .pcm = in, .samples = samples, .want = want, .fit = -1};
            memset(out, 0x55, sizeof out);
            const ptrdiff_t done = rmi_stretch_run(&s, out);
            const ptrdiff_t n = (ptrdiff_t)samples + done;
            assert_true(n >= 0 && (want == 0 ? done == 0 : want > 0 ? done >= 0 && done <= want : done >= want));
            static const uint8_t untouched[sizeof(float)] = {0x55, 0x55, 0x55, 0x55};
            assert_memory_equal(&out[2 * n], untouched, sizeof untouched);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tone_stays_a_tone),       cmocka_unit_test(silence_changes_exactly),
        cmocka_unit_test(noise_waits_or_gives_way),  cmocka_unit_test(a_voice_loses_whole_periods),
        cmocka_unit_test(odd_requests_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
