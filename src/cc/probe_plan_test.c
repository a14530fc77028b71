/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/probe_plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 300e3, .max_bps = 10e6};

static double poll(struct rmi_cc_probe_plan *p, int64_t now_us, bool limited) {
    struct rmi_cc_probe probe;
    if (!rmi_cc_probe_plan_poll(p, now_us, limited, RMI_SEC(1), &probe))
        return 0;
    assert_int_equal(probe.packets, 5);
    assert_in_range(probe.bytes, (size_t)(probe.rate_bps * 0.015 / 8) - 1, (size_t)(probe.rate_bps * 0.015 / 8) + 1);
    assert_int_not_equal(probe.cluster, RMI_CC_NO_PROBE);
    return probe.rate_bps;
}

static void it_begins_with_three_and_six_times(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    const int64_t now_us = RMI_SEC(1);
    assert_true(rmi_cc_probe_plan_deadline(&p, false, 0) <= now_us);
    assert_true(poll(&p, now_us, false) == 900e3);
    assert_true(poll(&p, now_us, false) == 1800e3);
    assert_true(poll(&p, now_us, false) == 0);
    rmi_cc_probe_plan_estimate(&p, now_us, 900e3); /* of the first: not over 0.7 of the second */
    assert_true(poll(&p, now_us, false) == 0);
    rmi_cc_probe_plan_estimate(&p, now_us, 1700e3);
    assert_true(poll(&p, now_us, false) == 3400e3);
    rmi_cc_probe_plan_estimate(&p, now_us, 3300e3);
    assert_true(poll(&p, now_us, false) == 6600e3);
    rmi_cc_probe_plan_estimate(&p, now_us, 6500e3);
    assert_true(poll(&p, now_us, false) == 10e6); /* the ceiling, and the end */
    rmi_cc_probe_plan_estimate(&p, now_us, 9500e3);
    assert_true(poll(&p, now_us, false) == 0);
}

static void a_failed_probe_ends_the_search(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(1), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(1) + RMI_MS(200), 1000e3);
    assert_true(poll(&p, RMI_SEC(1) + RMI_MS(300), false) == 0);
    /* And a result that comes after its time does not start it again. */
    (void)poll(&p, RMI_SEC(3), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(3), 1800e3);
    assert_true(poll(&p, RMI_SEC(3), false) == 0);
}

static void an_idle_application_is_probed_for_each_five_seconds(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(1), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(1), 1000e3);
    unsigned probes = 0;
    for (int64_t now_us = RMI_SEC(2); now_us <= RMI_SEC(32); now_us += RMI_MS(100))
        probes += poll(&p, now_us, true) == 2000e3;
    assert_in_range(probes, 5, 6);
    for (int64_t now_us = RMI_SEC(33); now_us <= RMI_SEC(60); now_us += RMI_MS(100))
        assert_true(poll(&p, now_us, false) == 0);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(60), 10e6); /* nothing more to find */
    assert_true(poll(&p, RMI_SEC(70), true) == 0);
    assert_true(rmi_cc_probe_plan_deadline(&p, true, RMI_SEC(1)) == RMI_NEVER);
}

static void a_large_drop_is_probed_back(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(1), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(1), 1100e3);
    (void)poll(&p, RMI_SEC(3), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(20), 1000e3); /* small: no reason */
    rmi_cc_probe_plan_recovered(&p, RMI_SEC(21));
    assert_true(poll(&p, RMI_SEC(21), false) == 0);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(30), 400e3);
    rmi_cc_probe_plan_recovered(&p, RMI_SEC(32));
    assert_true(poll(&p, RMI_SEC(32), false) == 850e3);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(32), 840e3);
    assert_true(poll(&p, RMI_SEC(32), false) == 0);
    /* Not when the drop is long ago. */
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(40), 300e3);
    rmi_cc_probe_plan_recovered(&p, RMI_SEC(46));
    assert_true(poll(&p, RMI_SEC(46), false) == 0);
}

static void a_higher_ceiling_is_probed_for(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(3), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(3), 10e6);
    const struct rmi_cc_limits higher = {.min_bps = 50e3, .start_bps = 300e3, .max_bps = 15e6};
    rmi_cc_probe_plan_limits(&p, &higher);
    assert_true(poll(&p, RMI_SEC(4), false) == 15e6);
}

static void an_outgrown_capacity_is_probed_for(void **state) {
    (void)state;
    struct rmi_cc_probe_plan p;
    rmi_cc_probe_plan_init(&p, &limits);
    (void)poll(&p, RMI_SEC(1), false);
    (void)poll(&p, RMI_SEC(1), false);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(1), 700e3);
    rmi_cc_probe_plan_outgrown(&p, RMI_SEC(2)); /* too soon */
    assert_true(poll(&p, RMI_MS(2900), false) == 0);
    rmi_cc_probe_plan_outgrown(&p, RMI_SEC(4));
    assert_true(poll(&p, RMI_SEC(4), false) == 1050e3);
    rmi_cc_probe_plan_estimate(&p, RMI_SEC(4), 1000e3); /* and no further */
    assert_true(poll(&p, RMI_SEC(4), false) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_three_and_six_times),
        cmocka_unit_test(a_failed_probe_ends_the_search),
        cmocka_unit_test(an_idle_application_is_probed_for_each_five_seconds),
        cmocka_unit_test(a_large_drop_is_probed_back),
        cmocka_unit_test(a_higher_ceiling_is_probed_for),
        cmocka_unit_test(an_outgrown_capacity_is_probed_for),
    };
    return cmocka_run_group_tests_name("cc.probe_plan", tests, NULL, NULL);
}
