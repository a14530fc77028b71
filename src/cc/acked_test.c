/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cc/acked.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* `bps` for so long, in packets of this size. */
static void feed(struct rmi_cc_acked *a, int64_t *at_us, int64_t us, double bps, uint32_t bytes, bool limited) {
    const int64_t gap = (int64_t)(bytes * 8e6 / bps);
    for (const int64_t until = *at_us + us; *at_us < until;) {
        *at_us += gap;
        rmi_cc_acked_input(a, *at_us, bytes, limited);
    }
}

static void assert_near(double got, double want, double part) {
    assert_true(got > want * (1 - part) && got < want * (1 + part));
}

static void half_a_second_is_needed_first(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0};
    int64_t at_us = RMI_SEC(10);
    feed(&a, &at_us, RMI_MS(450), 1e6, 1000, false);
    assert_true(a.bps == 0);
    feed(&a, &at_us, RMI_MS(100), 1e6, 1000, false);
    assert_near(a.bps, 1e6, 0.05);
}

static void a_new_rate_is_followed(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0};
    int64_t at_us = 0;
    feed(&a, &at_us, RMI_SEC(5), 2e6, 1000, false);
    assert_near(a.bps, 2e6, 0.05);
    feed(&a, &at_us, RMI_SEC(2), 5e5, 1000, false);
    assert_near(a.bps, 5e5, 0.15);
}

/* The encoder pauses or the application has little to send: that is not what the path carries. */
static void few_packets_lower_it_slowly(void **state) {
    (void)state;
    struct rmi_cc_acked quick = {0}, slow = {0};
    int64_t at_us = 0, too_us = 0;
    feed(&quick, &at_us, RMI_SEC(5), 1e6, 1000, false);
    feed(&slow, &too_us, RMI_SEC(5), 1e6, 1000, false);
    feed(&quick, &at_us, RMI_MS(600), 3e5, 300, false);
    feed(&slow, &too_us, RMI_MS(600), 3e5, 300, true);
    assert_true(slow.bps > quick.bps);
    feed(&slow, &too_us, RMI_SEC(60), 1e4, 100, true);
    assert_true(slow.bps >= 40000); /* the floor */
}

static void a_gap_says_nothing(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0};
    int64_t at_us = 0;
    feed(&a, &at_us, RMI_SEC(5), 1e6, 1000, false);
    const double before = a.bps;
    at_us += RMI_SEC(3);
    rmi_cc_acked_input(&a, at_us, 1000, false);
    assert_true(a.bps > before * 0.9);
}

static void a_clock_that_jumps_is_survived(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0};
    int64_t at_us = RMI_SEC(100);
    feed(&a, &at_us, RMI_SEC(5), 1e6, 1000, false);
    at_us -= RMI_SEC(50);
    feed(&a, &at_us, RMI_SEC(5), 1e6, 1000, false);
    assert_near(a.bps, 1e6, 0.05);
    at_us += RMI_SEC(5000);
    feed(&a, &at_us, RMI_SEC(5), 1e6, 1000, false);
    assert_near(a.bps, 1e6, 0.05);
}

static void an_expected_change_is_quicker(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0}, b = {0};
    int64_t at_us = 0, too_us = 0;
    feed(&a, &at_us, RMI_SEC(5), 5e5, 1000, false);
    feed(&b, &too_us, RMI_SEC(5), 5e5, 1000, false);
    rmi_cc_acked_expect_change(&b);
    feed(&a, &at_us, RMI_MS(310), 2e6, 1000, false);
    feed(&b, &too_us, RMI_MS(310), 2e6, 1000, false);
    assert_true(b.bps > a.bps);
}

static void a_probe_far_above_begins_anew(void **state) {
    (void)state;
    struct rmi_cc_acked a = {0};
    int64_t at_us = 0;
    feed(&a, &at_us, RMI_SEC(5), 5e5, 1000, false);
    rmi_cc_acked_probed(&a, 9e5);
    assert_true(a.bps > 0);
    rmi_cc_acked_probed(&a, 5e6);
    assert_true(a.bps == 0);
    feed(&a, &at_us, RMI_MS(600), 5e6, 1000, false);
    assert_near(a.bps, 5e6, 0.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_second_is_needed_first),  cmocka_unit_test(a_new_rate_is_followed),
        cmocka_unit_test(few_packets_lower_it_slowly),    cmocka_unit_test(a_gap_says_nothing),
        cmocka_unit_test(a_clock_that_jumps_is_survived), cmocka_unit_test(an_expected_change_is_quicker),
        cmocka_unit_test(a_probe_far_above_begins_anew),
    };
    return cmocka_run_group_tests_name("cc.acked", tests, NULL, NULL);
}
