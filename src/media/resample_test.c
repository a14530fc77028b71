/* SPDX-License-Identifier: Apache-2.0 */
#include "media/resample.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PI 3.14159265358979
#define TONE_HZ 440.0
#define CHUNK_MS 10

static struct rmi_resampler *new_resampler(uint32_t from, uint32_t to, int channels) {
    struct rmi_resampler *r = NULL;
    assert_int_equal(rmi_resampler_create(from, to, channels, RMI_RESAMPLE_QUALITY_LIVE, &r), RM_OK);
    return r;
}

/* A second of a tone, second channel half as loud, in chunks; gives the samples that came out. */
static size_t run_second(struct rmi_resampler *r, uint32_t from, int channels, size_t at, float *out, size_t cap) {
    size_t n = (size_t)from * CHUNK_MS / 1000, total = 0;
    float *in = malloc(n * (size_t)channels * sizeof *in);
    assert_non_null(in);
    for (size_t done = 0; done < from; done += n) {
        if (n > from - done)
            n = from - done;
        for (size_t i = 0; i < n; i++)
            for (int c = 0; c < channels; c++)
                in[i * (size_t)channels + (size_t)c] =
                    (float)(sin(2 * PI * TONE_HZ * (double)(at + done + i) / from) * 0.8 / (c + 1));
        size_t taken = n, given = rmi_resampler_out_max(r, n);
        assert_true(total + given <= cap);
        assert_int_equal(rmi_resampler_run(r, in, &taken, out + total * (size_t)channels, &given), RM_OK);
        assert_int_equal(taken, n);
        total += given;
    }
    free(in);
    return total;
}

/* The largest difference from the tone, with the delay taken off, once the filter is full. */
static double tone_error(const float *out, size_t samples, uint32_t rate, int channels, size_t delay) {
    double worst = 0;
    for (size_t i = 500; i < samples; i++)
        for (int c = 0; c < channels; c++) {
            double want = sin(2 * PI * TONE_HZ * ((double)i - (double)delay) / rate) * 0.8 / (c + 1);
            double d = fabs(out[i * (size_t)channels + (size_t)c] - want);
            worst = d > worst ? d : worst;
        }
    return worst;
}

static void tones_keep_their_pitch_and_loudness(void **state) {
    static const uint32_t rates[] = {8000, 16000, 22050, 44100, 48000};
    (void)state;
    for (size_t a = 0; a < 5; a++)
        for (size_t b = 0; b < 5; b++)
            for (int channels = 1; channels <= 2; channels++) {
                struct rmi_resampler *r = new_resampler(rates[a], rates[b], channels);
                size_t cap = (size_t)rates[b] * 2 + 20000;
                float *out = malloc(cap * 2 * sizeof *out);
                assert_non_null(out);
                size_t n = run_second(r, rates[a], channels, 0, out, cap);
                assert_in_range(n, rates[b] - rates[b] / 50 - 200, rates[b] + 20);
                /* the delay is known to a sample of the output: half of one is in the bound */
                double bound = 0.02 + PI * TONE_HZ / rates[b];
                assert_true(tone_error(out, n, rates[b], channels, rmi_resampler_delay(r)) < bound);
                free(out);
                rmi_resampler_destroy(&r);
                assert_null(r);
            }
}

/* What a low-pass must hold back: 10 kHz has no place at 16 kHz. */
static void high_tones_do_not_fold_back(void **state) {
    (void)state;
    enum { RATE = 48000, N = RATE / 2 };
    static float in[N], out[N];
    struct rmi_resampler *r = new_resampler(RATE, 16000, 1);
    size_t taken = N, given = N;
    double peak = 0;
    for (int i = 0; i < N; i++)
        in[i] = (float)sin(2 * PI * 11000 * i / RATE);
    assert_int_equal(rmi_resampler_run(r, in, &taken, out, &given), RM_OK);
    for (size_t i = 200; i < given; i++)
        peak = fabs(out[i]) > peak ? fabs(out[i]) : peak;
    assert_true(peak < 0.01);
    rmi_resampler_destroy(&r);
}

static void nudges_give_more_or_fewer_samples(void **state) {
    static const int ppm[] = {0, 10, -10, 17, 40, 100, 1000, -1000, 20000, -20000};
    (void)state;
    enum { RATE = 48000, SECONDS = 20 };
    float *out = malloc(2 * RATE * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < sizeof ppm / sizeof *ppm; i++) {
        struct rmi_resampler *r = new_resampler(RATE, RATE, 1);
        double sum = 0;
        run_second(r, RATE, 1, 0, out, 2 * RATE); /* the filter fills */
        assert_int_equal(rmi_resampler_nudge(r, ppm[i]), RM_OK);
        for (int s = 1; s <= SECONDS; s++)
            sum += (double)run_second(r, RATE, 1, (size_t)s * RATE, out, 2 * RATE);
        double got = (sum / SECONDS / RATE - 1) * 1e6;
        assert_true(fabs(got - ppm[i]) <
                    RMI_RESAMPLE_NUDGE_STEP_PPM / 2.0 + 1 + fabs(ppm[i] * 0.0002) + 1e6 / SECONDS / RATE);
        rmi_resampler_destroy(&r);
    }
    free(out);
}

/* A change of the ratio in mid-sound neither clicks nor loses anything. */
static void nudges_do_not_click(void **state) {
    (void)state;
    enum { RATE = 48000 };
    static float out[2 * RATE];
    struct rmi_resampler *r = new_resampler(RATE, RATE, 1);
    double largest = 2 * PI * TONE_HZ / RATE * 0.8; /* the steepest step of the tone itself */
    float last = 0;
    for (int s = 0; s < 20; s++) {
        size_t n = run_second(r, RATE, 1, (size_t)s * RATE, out, 2 * RATE);
        for (size_t i = s == 0 ? 500 : 0; i < n; i++) {
            if (s > 0 || i > 500)
                assert_true(fabs(out[i] - last) < largest * 1.1);
            last = out[i];
        }
        assert_int_equal(rmi_resampler_nudge(r, (s * 737) % 2001 - 1000), RM_OK);
    }
    rmi_resampler_destroy(&r);
}

static void small_outputs_take_what_fits(void **state) {
    (void)state;
    struct rmi_resampler *r = new_resampler(48000, 48000, 1);
    float in[480] = {0}, out[100];
    size_t taken = 480, given = 100;
    assert_int_equal(rmi_resampler_run(r, in, &taken, out, &given), RM_OK);
    assert_int_equal(given, 100);
    assert_true(taken < 480);
    rmi_resampler_reset(r);
    rmi_resampler_destroy(&r);
    rmi_resampler_destroy(&r);
    rmi_resampler_destroy(NULL);
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    struct rmi_resampler *r = NULL;
    assert_int_equal(rmi_resampler_create(0, 48000, 1, 3, &r), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resampler_create(48000, 400000, 1, 3, &r), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resampler_create(48000, 48000, 0, 3, &r), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resampler_create(48000, 48000, 17, 3, &r), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resampler_create(48000, 48000, 1, 11, &r), RM_E_INVALID_ARG);
    assert_null(r);
    r = new_resampler(48000, 16000, 1);
    assert_int_equal(rmi_resampler_nudge(r, 20001), RM_E_INVALID_ARG);
    rmi_resampler_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tones_keep_their_pitch_and_loudness), cmocka_unit_test(high_tones_do_not_fold_back),
        cmocka_unit_test(nudges_give_more_or_fewer_samples),   cmocka_unit_test(nudges_do_not_click),
        cmocka_unit_test(small_outputs_take_what_fits),        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
