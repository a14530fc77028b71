/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void empty(void **state) {
    (void)state;
    struct rmi_histogram h = {0};
    assert_int_equal(rmi_histogram_percentile(&h, 50), 0);
    assert_true(rmi_histogram_mean(&h) == 0.0);
}

static void small_values_are_exact(void **state) {
    (void)state;
    struct rmi_histogram h = {0};
    for (uint64_t v = 1; v <= 50; v++)
        rmi_histogram_add(&h, v);
    assert_int_equal(rmi_histogram_percentile(&h, 0), 1);
    assert_int_equal(rmi_histogram_percentile(&h, 2), 1);
    assert_int_equal(rmi_histogram_percentile(&h, 50), 25);
    assert_int_equal(rmi_histogram_percentile(&h, 51), 26);
    assert_int_equal(rmi_histogram_percentile(&h, 100), 50);
    assert_int_equal(rmi_histogram_percentile(&h, -5), 1);
    assert_int_equal(rmi_histogram_percentile(&h, 500), 50);
    assert_true(rmi_histogram_mean(&h) == 25.5);
}

/* Whole percents of 100 values: no rank is off by one through rounding. */
static void every_percent(void **state) {
    (void)state;
    struct rmi_histogram h = {0};
    for (uint64_t v = 1; v <= 100; v++)
        rmi_histogram_add(&h, v <= 63 ? v : 63);
    for (unsigned p = 1; p <= 63; p++)
        assert_int_equal(rmi_histogram_percentile(&h, p), p);
}

/* One value below a larger one: the median is that value's bucket. Around every power of two. */
static void error_is_bounded(void **state) {
    (void)state;
    for (unsigned b = 0; b < RMI_HISTOGRAM_BITS; b++) {
        for (int d = -40; d <= 40; d++) {
            uint64_t v = (UINT64_C(1) << b) + (uint64_t)(int64_t)d;
            if (v > UINT64_C(1) << (RMI_HISTOGRAM_BITS - 1))
                continue; /* below zero */
            struct rmi_histogram h = {0};
            rmi_histogram_add(&h, v);
            rmi_histogram_add(&h, UINT64_MAX);
            uint64_t p = rmi_histogram_percentile(&h, 50);
            assert_true(p >= v);
            assert_true(p - v <= v / 32);
        }
    }
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void agrees_with_sorting(void **state) {
    (void)state;
    enum { N = 5000 };
    static const double percents[] = {1, 10, 50, 90, 95, 99, 99.9, 100};
    uint64_t *values = calloc(N, sizeof *values);
    struct rmi_histogram h = {0}, even = {0}, odd = {0};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 11);
    for (size_t i = 0; i < N; i++) {
        values[i] = rmi_prng_next(&prng) >> (24 + rmi_prng_next(&prng) % 40);
        rmi_histogram_add(&h, values[i]);
        rmi_histogram_add(i % 2 ? &odd : &even, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    rmi_histogram_merge(&even, &odd);
    assert_memory_equal(&even, &h, sizeof h);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        uint64_t truth = values[(size_t)(percents[i] * N / 100) - 1], p = rmi_histogram_percentile(&h, percents[i]);
        assert_true(p >= truth);
        assert_true(p - truth <= truth / 32);
    }
    assert_true(h.min == values[0] && h.max == values[N - 1]);
    free(values);
    rmi_histogram_reset(&h);
    assert_int_equal(h.count, 0);
    rmi_histogram_merge(&h, &odd);
    assert_memory_equal(&h, &odd, sizeof h);
    rmi_histogram_merge(&h, &(struct rmi_histogram){0});
    assert_memory_equal(&h, &odd, sizeof h);
}

static void huge_values(void **state) {
    (void)state;
    struct rmi_histogram h = {0};
    rmi_histogram_add(&h, UINT64_MAX);
    rmi_histogram_add(&h, UINT64_MAX);
    assert_true(h.sum == UINT64_MAX);
    assert_true(rmi_histogram_percentile(&h, 50) == UINT64_MAX);
    rmi_histogram_add(&h, UINT64_C(1) << 40);
    assert_true(h.min == UINT64_C(1) << 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_percent),
        cmocka_unit_test(error_is_bounded),
        cmocka_unit_test(agrees_with_sorting),
        cmocka_unit_test(huge_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
