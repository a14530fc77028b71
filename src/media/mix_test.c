/* SPDX-License-Identifier: Apache-2.0 */
#include "media/level.h"
#include "media/mix.h"
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_near(double a, double b) {
    if (!(fabs(a - b) < 1e-6))
        print_error("%.9f is not %.9f\n", a, b);
    assert_true(fabs(a - b) < 1e-6);
}

static void sums_saturate(void **state) {
    (void)state;
    float sum[6] = {0};
    const float a[6] = {0.5f, 0.9f, -0.9f, 0.1f, NAN, INFINITY}, b[6] = {0.25f, 0.9f, -0.9f, 0, 0.5f, 0.5f};
    rmi_mix_add(sum, a, 6, 1);
    rmi_mix_add(sum, b, 6, 1);
    assert_near(sum[1], 1.8); /* only the end is clipped */
    rmi_mix_clip(sum, 6);
    static const double want[6] = {0.75, 1, -1, 0.1, 0.5, 1};
    for (int i = 0; i < 6; i++)
        assert_near(sum[i], want[i]);
    float half[1] = {0};
    rmi_mix_add(half, b, 1, 0.5f);
    assert_near(half[0], 0.125);
}

static void nobody_hears_themselves(void **state) {
    (void)state;
    float voice[3][5], sum[5] = {0}, out[5];
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < 5; i++)
            voice[p][i] = 0.1f * (float)(p + 1) + 0.2f * (float)i * (p == 1 ? 1.f : -1.f);
        rmi_mix_add(sum, voice[p], 5, 1);
    }
    for (int p = 0; p < 3; p++) {
        rmi_mix_minus(out, sum, voice[p], 5);
        for (int i = 0; i < 5; i++) {
            double want = (double)voice[(p + 1) % 3][i] + voice[(p + 2) % 3][i];
            assert_near(out[i], want);
        }
    }
}

static void nonsense_is_limited(void **state) {
    (void)state;
    float pcm[40];
    for (int i = 0; i < 40; i++) /* in whole blocks, and behind them */
        pcm[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? INFINITY : i % 4 == 2 ? -1e30f : 0.5f;
    assert_near(rmi_mix_sane(pcm, 40), 1000);
    for (int i = 0; i < 40; i++)
        assert_near(pcm[i], i % 4 == 0 ? 0 : i % 4 == 1 ? 1000 : i % 4 == 2 ? -1000 : 0.5);
    float quiet[17] = {[16] = -0.25f};
    assert_near(rmi_mix_sane(quiet, 17), 0.25);
    assert_near(rmi_mix_energy(quiet, 17), 0.0625);
    for (int i = 0; i < 17; i++)
        quiet[i] = 0.5f;
    assert_near(rmi_mix_energy(quiet, 17), 17 * 0.25);
    rmi_mix_gain(quiet, 17, 1, 2, 2);
    assert_near(quiet[0], 1);
    assert_near(quiet[16], 1);
}

static void gain_moves_evenly(void **state) {
    (void)state;
    float pcm[8] = {1, -1, 1, -1, 1, -1, 1, -1};
    rmi_mix_gain(pcm, 4, 2, 0, 1);
    for (int i = 0; i < 4; i++) {
        assert_near(pcm[2 * i], 0.25 * (i + 1));
        assert_near(pcm[2 * i + 1], -0.25 * (i + 1));
    }
    rmi_mix_gain(pcm, 0, 2, 0, 1);
    assert_near(pcm[0], 0.25);
}

static void channels_are_mapped(void **state) {
    (void)state;
    const float stereo[4] = {0.5f, 0.1f, -1, 1}, mono[2] = {0.3f, 0.4f};
    float out[6];
    rmi_mix_channels(out, 1, stereo, 2, 2);
    assert_near(out[0], 0.3);
    assert_near(out[1], 0);
    rmi_mix_channels(out, 2, mono, 1, 2);
    assert_near(out[1], 0.3);
    assert_near(out[2], 0.4);
    rmi_mix_channels(out, 3, stereo, 2, 2);
    assert_near(out[1], 0.1);
    assert_near(out[2], 0);
    assert_near(out[3], -1);
    rmi_mix_channels(out, 2, stereo, 2, 2);
    assert_near(out[3], 1);
}

static void levels_are_relative_to_overload(void **state) {
    (void)state;
    enum { N = 4800 };
    float pcm[N];
    for (int i = 0; i < N; i++)
        pcm[i] = i & 1 ? 1.f : -1.f;
    struct rmi_level l = rmi_level_measure(pcm, N);
    assert_near(l.rms_dbov, 0);
    assert_int_equal(rmi_level_rfc6464(&l), 0);
    for (int i = 0; i < N; i++)
        pcm[i] = (float)sin(2 * 3.14159265358979 * i / 48);
    l = rmi_level_measure(pcm, N);
    assert_true(fabs(l.rms_dbov + 3.0103) < 0.001); /* a full sine is 3 dB below a full square */
    assert_true(fabs(l.peak_dbov) < 0.001);
    assert_int_equal(rmi_level_rfc6464(&l), 3);
    for (int i = 0; i < N; i++)
        pcm[i] *= 0.01f;
    l = rmi_level_measure(pcm, N);
    assert_int_equal(rmi_level_rfc6464(&l), 43);
    assert_true(fabs(rmi_level_amplitude(43) - l.rms) < 0.06 * l.rms); /* half a decibel */
    assert_near(rmi_level_amplitude(0), 1);
    assert_near(rmi_level_amplitude(127), 0);
    for (int i = 0; i < N; i++)
        pcm[i] = NAN;
    l = rmi_level_measure(pcm, N);
    assert_near(l.rms_dbov, RMI_LEVEL_FLOOR_DBOV);
    assert_near(l.peak, 0);
    assert_int_equal(rmi_level_rfc6464(&l), 127);
    l = rmi_level_measure(NULL, 0);
    assert_int_equal(rmi_level_rfc6464(&l), 127);
    pcm[0] = INFINITY;
    l = rmi_level_measure(pcm, 1);
    assert_int_equal(rmi_level_rfc6464(&l), 0);
    pcm[0] = 1e-30f; /* below the floor */
    l = rmi_level_measure(pcm, 1);
    assert_near(l.peak_dbov, RMI_LEVEL_FLOOR_DBOV);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_saturate),       cmocka_unit_test(nobody_hears_themselves),
        cmocka_unit_test(nonsense_is_limited), cmocka_unit_test(gain_moves_evenly),
        cmocka_unit_test(channels_are_mapped), cmocka_unit_test(levels_are_relative_to_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
