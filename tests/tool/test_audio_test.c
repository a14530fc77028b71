/* SPDX-License-Identifier: Apache-2.0 */
#include "test_audio.h"

#include "base/time.h"
#include "marker.h"
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RATE TEST_AUDIO_RATE_HZ

static struct test_audio *new_audio(uint32_t channels, uint32_t chunk_ms, int64_t start_us) {
    struct test_audio *ta = NULL;
    assert_int_equal(test_audio_create(channels, chunk_ms, start_us, &ta), RM_OK);
    return ta;
}

static void chunks_follow_each_other_without_a_seam(void **state) {
    enum { SECONDS = 3 };
    (void)state;
    static const uint32_t kinds[][2] = {{1, 5}, {2, 5}, {1, 10}, {2, 10}, {1, 20}, {2, 20}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint32_t channels = kinds[k][0], ms = kinds[k][1];
        int64_t start = INT64_C(1234567891);
        struct test_audio *ta = new_audio(channels, ms, start);
        static float expected[SECONDS * RATE];
        test_audio_reference(ta, 0, expected, SECONDS * RATE);
        size_t at = 0;
        float last = expected[0];
        while (at < SECONDS * RATE) {
            rm_runtime_data *data = NULL;
            int64_t due = start + (int64_t)((at + ms * RATE / 1000) * RMI_SEC(1) / RATE);
            assert_int_equal(test_audio_due_us(ta), due);
            assert_int_equal(test_audio_next(ta, &data), RM_OK);
            const rm_audio *a = rm_runtime_data_audio(data);
            assert_int_equal(a->sample_rate, RATE);
            assert_int_equal(a->channels, channels);
            assert_int_equal(a->frame_count, ms * RATE / 1000);
            assert_int_equal(rm_runtime_data_timestamp_us(data), start + (int64_t)(at * RMI_SEC(1) / RATE));
            for (size_t i = 0; i < a->frame_count; i++, at++)
                for (uint32_t c = 0; c < channels; c++) {
                    float v = a->samples[i * channels + c];
                    assert_true(v == expected[at]);
                    assert_true(fabsf(v - last) < 0.2f && fabsf(v) < 0.4f); /* 3.5 kHz at 0.3 moves 0.14 a sample */
                    last = v;
                }
            rm_runtime_data_unref(&data);
        }
        test_audio_destroy(&ta);
        assert_null(ta);
    }
}

/* Wherever the clock stands at the start: the first sample at or after each half second, and the right shape. */
static void markers_begin_on_half_seconds_of_the_clock(void **state) {
    (void)state;
    static float marker[MARKER_KINDS][RATE / 100], sound[RATE / 100];
    for (int k = 0; k < MARKER_KINDS; k++)
        marker_draw((enum marker_kind)k, RATE, marker[k]);
    for (int64_t start = RMI_SEC(5); start < RMI_SEC(7); start += 12347) {
        struct test_audio *ta = new_audio(1, 10, start);
        for (uint64_t n = 0; n < 4; n++) {
            uint64_t sample = test_audio_marker_sample(ta, n);
            int64_t captured = test_audio_capture_us(ta, sample), into = captured % MARKER_SPACING_US;
            assert_true(into <= 20); /* a sample takes 20.8 us */
            test_audio_reference(ta, sample, sound, RATE / 100);
            int kind = captured % RMI_SEC(1) < MARKER_SPACING_US ? MARKER_RISING : MARKER_FALLING;
            double right = 0, wrong = 0;
            for (size_t i = 0; i < RATE / 100; i++) {
                right += (double)sound[i] * marker[kind][i];
                wrong += (double)sound[i] * marker[!kind][i];
            }
            assert_true(right > 3 * fabs(wrong));
        }
        assert_true(test_audio_marker_sample(ta, 0) < RATE / 2);
        test_audio_destroy(&ta);
    }
    struct test_audio *ta = new_audio(1, 10, RMI_SEC(5));
    assert_int_equal(test_audio_marker_sample(ta, 0), 0);
    assert_int_equal(test_audio_capture_us(ta, UINT64_C(48000) * 86400 * 365), RMI_SEC(5) + RMI_SEC(86400) * 365);
    test_audio_destroy(&ta);
}

static void chunks_held_up_are_limited_and_the_clock_goes_on(void **state) {
    enum { HELD_MAX = 2000 };
    (void)state;
    struct test_audio *ta = new_audio(2, 10, 0);
    rm_runtime_data *held[HELD_MAX], *more = NULL;
    int n = 0;
    rm_err err = RM_OK;
    while (n < HELD_MAX && !(err = test_audio_next(ta, &held[n])))
        n++;
    assert_int_equal(err, RM_E_LIMIT);
    assert_true(n >= 100);
    rm_runtime_data_unref(&held[--n]);
    assert_int_equal(test_audio_next(ta, &more), RM_OK);
    assert_int_equal(rm_runtime_data_timestamp_us(more), (n + 2) * RMI_MS(10)); /* the one left out counts */
    rm_runtime_data_unref(&more);
    test_audio_destroy(&ta);
    assert_int_equal(rm_runtime_data_audio(held[0])->channels, 2);
    while (n > 0)
        rm_runtime_data_unref(&held[--n]);
}

static void arguments_are_checked(void **state) {
    (void)state;
    struct test_audio *ta = NULL;
    assert_int_equal(test_audio_create(0, 10, 0, &ta), RM_E_INVALID_ARG);
    assert_int_equal(test_audio_create(3, 10, 0, &ta), RM_E_INVALID_ARG);
    assert_int_equal(test_audio_create(1, 0, 0, &ta), RM_E_INVALID_ARG);
    assert_int_equal(test_audio_create(1, 15, 0, &ta), RM_E_INVALID_ARG);
    assert_int_equal(test_audio_create(1, 10, -1, &ta), RM_E_INVALID_ARG);
    assert_null(ta);
    test_audio_destroy(&ta);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_follow_each_other_without_a_seam),
        cmocka_unit_test(markers_begin_on_half_seconds_of_the_clock),
        cmocka_unit_test(chunks_held_up_are_limited_and_the_clock_goes_on),
        cmocka_unit_test(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
