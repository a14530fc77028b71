/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cc/trend.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STEP_US RMI_MS(20)

/* Groups 20 ms apart that arrive `more_us` further apart each: how many until `usage`, or `most`. */
static int groups_until(struct rmi_cc_trend *t, int64_t *at_us, int64_t more_us, enum rmi_cc_usage usage, int most) {
    const struct rmi_cc_delta d = {.sent_us = STEP_US, .arrived_us = STEP_US + more_us};
    for (int i = 0; i < most; i++) {
        *at_us += d.arrived_us;
        if (rmi_cc_trend_input(t, &d, *at_us) == usage)
            return i;
    }
    return most;
}

static void an_even_path_is_normal(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    int64_t at_us = 0;
    rmi_cc_trend_init(&t);
    assert_int_equal(groups_until(&t, &at_us, 0, RMI_CC_USAGE_OVER, 1000), 1000);
    assert_int_equal(t.usage, RMI_CC_USAGE_NORMAL);
    assert_true(t.threshold_ms >= 6 && t.threshold_ms < 6.1); /* at its floor */
}

static void a_growing_queue_is_seen(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    int64_t at_us = 0;
    rmi_cc_trend_init(&t);
    (void)groups_until(&t, &at_us, 0, RMI_CC_USAGE_OVER, 40);
    assert_in_range(groups_until(&t, &at_us, RMI_MS(3), RMI_CC_USAGE_OVER, 100), 1, 15);
    /* And an emptying one. */
    assert_in_range(groups_until(&t, &at_us, -RMI_MS(4), RMI_CC_USAGE_UNDER, 100), 1, 30);
    assert_in_range(groups_until(&t, &at_us, 0, RMI_CC_USAGE_NORMAL, 100), 1, 40);
}

static void jitter_is_not_a_queue(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    int64_t at_us = 0;
    rmi_cc_trend_init(&t);
    for (int i = 0; i < 2000; i++) {
        const int64_t jitter = i % 2 ? RMI_MS(8) : -RMI_MS(8);
        const struct rmi_cc_delta d = {.sent_us = STEP_US, .arrived_us = STEP_US + jitter};
        at_us += d.arrived_us;
        assert_int_equal(rmi_cc_trend_input(&t, &d, at_us), RMI_CC_USAGE_NORMAL);
    }
}

/* The constants are for milliseconds: a queue that others keep growing for seconds is no longer held against this flow,
 * or it starves (reference: a thousand times too slow where seconds were taken). And back again. */
static void the_threshold_adapts_within_seconds(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    int64_t at_us = 0;
    rmi_cc_trend_init(&t);
    (void)groups_until(&t, &at_us, 1300, RMI_CC_USAGE_UNDER, 200); /* trend: 60 x 1.3 / 21.3 x 4 = 14.6 ms */
    assert_true(t.threshold_ms > 14 && t.threshold_ms < 15);
    (void)groups_until(&t, &at_us, 0, RMI_CC_USAGE_UNDER, 200);
    assert_true(t.threshold_ms < 7);
}

/* A single late group is a change of route or a hiccup; the threshold must not follow it. */
static void a_spike_does_not_move_the_threshold(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    int64_t at_us = 0;
    rmi_cc_trend_init(&t);
    (void)groups_until(&t, &at_us, 0, RMI_CC_USAGE_OVER, 100);
    const double before = t.threshold_ms;
    (void)groups_until(&t, &at_us, RMI_MS(2500), RMI_CC_USAGE_UNDER, 1);
    assert_true(t.threshold_ms <= before + 1);
}

/* All groups at one instant: no slope, and no division by zero. */
static void groups_of_one_instant_are_survived(void **state) {
    (void)state;
    struct rmi_cc_trend t;
    rmi_cc_trend_init(&t);
    const struct rmi_cc_delta d = {.sent_us = 0, .arrived_us = 0};
    for (int i = 0; i < 100; i++)
        assert_int_equal(rmi_cc_trend_input(&t, &d, RMI_SEC(5)), RMI_CC_USAGE_NORMAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_even_path_is_normal),
        cmocka_unit_test(a_growing_queue_is_seen),
        cmocka_unit_test(jitter_is_not_a_queue),
        cmocka_unit_test(the_threshold_adapts_within_seconds),
        cmocka_unit_test(a_spike_does_not_move_the_threshold),
        cmocka_unit_test(groups_of_one_instant_are_survived),
    };
    return cmocka_run_group_tests_name("cc.trend", tests, NULL, NULL);
}
