/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/aimd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NORMAL RMI_CC_USAGE_NORMAL
#define OVER RMI_CC_USAGE_OVER
#define UNDER RMI_CC_USAGE_UNDER

static const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 1e6, .max_bps = 5e6};

static void start(struct rmi_cc_aimd *a) {
    rmi_cc_aimd_init(a, &limits);
    for (int i = 0; i < 100; i++)
        rmi_cc_aimd_rtt(a, RMI_MS(100));
}

static void assert_near(double got, double want) {
    assert_true(got > want * 0.995 && got < want * 1.005);
}

/* `seconds` of feedback each 50 ms, all of it acknowledged. */
static void normal(struct rmi_cc_aimd *a, int64_t *now_us, double seconds, bool limited) {
    for (const int64_t until = *now_us + (int64_t)(seconds * 1e6); *now_us < until;) {
        *now_us += RMI_MS(50);
        assert_false(rmi_cc_aimd_update(a, *now_us, NORMAL, a->bps, limited));
    }
}

static void it_grows_by_eight_percent_a_second(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    int64_t now_us = RMI_SEC(1);
    start(&a);
    normal(&a, &now_us, 0.05, false); /* leaves hold */
    normal(&a, &now_us, 5, false);
    assert_near(a.bps, 1e6 * 1.469); /* 1.08^5 */
    normal(&a, &now_us, 60, false);
    assert_near(a.bps, 5e6);
}

/* One of weight two is two of half its rate: all in all it grows twice as fast as one of these. */
static void weight_counts_as_so_many_flows(void **state) {
    (void)state;
    struct rmi_cc_aimd one, two;
    int64_t now_us = RMI_SEC(1), then_us = now_us;
    start(&one);
    start(&two);
    two.weight = 2;
    rmi_cc_aimd_set(&one, now_us, 600e3);
    rmi_cc_aimd_set(&two, now_us, 1200e3);
    assert_true(rmi_cc_aimd_update(&one, now_us += RMI_MS(250), OVER, 500e3, false));
    assert_true(rmi_cc_aimd_update(&two, then_us += RMI_MS(250), OVER, 1000e3 + 5000, false));
    two.bps = 2 * one.bps;
    one.link_kbps = two.link_kbps = 0; /* when the capacity is taken to be another one is by chance */
    const double from_bps = one.bps;
    normal(&one, &now_us, 5, false);
    normal(&two, &then_us, 5, false);
    assert_true(one.bps > from_bps + 50e3);
    assert_near(two.bps, 2 * one.bps);
}

static void a_cut_goes_below_what_arrives(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    int64_t now_us = RMI_SEC(1);
    start(&a);
    normal(&a, &now_us, 1, false);
    assert_true(rmi_cc_aimd_update(&a, now_us += RMI_MS(50), OVER, 900e3, false));
    assert_near(a.bps, 0.85 * 900e3 - 5000);
    /* Not again within a round trip, unless all collapses. */
    assert_false(rmi_cc_aimd_update(&a, now_us += RMI_MS(50), OVER, 700e3, false));
    assert_near(a.bps, 0.85 * 900e3 - 5000);
    assert_true(rmi_cc_aimd_update(&a, now_us += RMI_MS(20), OVER, 300e3, false));
    assert_near(a.bps, 0.85 * 300e3 - 5000);
    assert_true(rmi_cc_aimd_update(&a, now_us += RMI_MS(150), OVER, 200e3, false));
    /* Never below the least, and a cut never raises. */
    assert_true(rmi_cc_aimd_update(&a, now_us += RMI_MS(150), OVER, 100, false));
    assert_near(a.bps, limits.min_bps);
    assert_false(rmi_cc_aimd_update(&a, now_us += RMI_MS(150), OVER, 4e6, false));
    assert_near(a.bps, limits.min_bps);
}

static void near_the_known_capacity_it_grows_slowly(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    int64_t now_us = RMI_SEC(1);
    start(&a);
    normal(&a, &now_us, 1, false);
    (void)rmi_cc_aimd_update(&a, now_us += RMI_MS(50), OVER, 1e6, false);
    const double from = a.bps;
    (void)rmi_cc_aimd_update(&a, now_us += RMI_MS(50), UNDER, 1e6, false);
    assert_near(a.bps, from); /* the queue empties first */
    normal(&a, &now_us, 0.05, false);
    normal(&a, &now_us, 2, false);
    assert_true(a.bps - from > 2 * 26e3 && a.bps - from < 2 * 31e3);
    /* What arrives is far above it: another path, so faster, and soon it is worth a probe. */
    rmi_cc_aimd_set(&a, now_us, 1.4e6);
    a.outgrown = false;
    const double beyond = a.bps;
    normal(&a, &now_us, 2.5, false);
    assert_true(a.bps - beyond > 2.5 * 55e3 && a.bps - beyond < 2.5 * 65e3);
    normal(&a, &now_us, 2.5, false);
    assert_true(a.outgrown);
}

/* No cut for longer than others would leave it alone: faster and faster, up to four times. */
static void who_is_left_alone_hurries(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    int64_t now_us = RMI_SEC(1);
    start(&a);
    normal(&a, &now_us, 1, false);
    (void)rmi_cc_aimd_update(&a, now_us += RMI_MS(50), OVER, 1e6, false);
    const double from = a.bps, times[] = {1, 2, 4, 4};
    double once = 0;
    normal(&a, &now_us, 3.05, false); /* the first leaves hold */
    for (int i = 0; i < 4; i++) {     /* from 3, 7.5, 20 and 60 s on */
        const int64_t at_us[] = {0, RMI_MS(4500), RMI_MS(17000), RMI_SEC(57)};
        int64_t then_us = now_us + at_us[i];
        rmi_cc_aimd_set(&a, then_us, from);
        normal(&a, &then_us, 1, false);
        once = i == 0 ? a.bps - from : once;
        assert_true(a.bps - from > (times[i] - 0.2) * once && a.bps - from < (times[i] + 0.2) * once);
    }
}

/* Nothing proves that more would go through: pion's estimate grew without bound here. */
static void an_idle_application_proves_nothing(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    int64_t now_us = RMI_SEC(1);
    start(&a);
    normal(&a, &now_us, 60, true);
    assert_near(a.bps, 1e6);
    for (int i = 0; i < 1000; i++) /* not limited by its own account, but little arrives */
        (void)rmi_cc_aimd_update(&a, now_us += RMI_MS(50), NORMAL, 200e3, false);
    assert_near(a.bps, 1e6); /* and not lowered either */
}

static void a_probe_sets_it(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    start(&a);
    rmi_cc_aimd_probed(&a, RMI_SEC(2), 3e6);
    assert_near(a.bps, 3e6);
    rmi_cc_aimd_probed(&a, RMI_SEC(3), 30e6);
    assert_near(a.bps, limits.max_bps);
    const struct rmi_cc_limits lower = {.min_bps = 50e3, .start_bps = 50e3, .max_bps = 1e6};
    rmi_cc_aimd_limits(&a, &lower);
    assert_near(a.bps, 1e6);
}

static void a_cut_goes_without_a_measurement(void **state) {
    (void)state;
    struct rmi_cc_aimd a;
    start(&a);
    assert_true(rmi_cc_aimd_update(&a, RMI_SEC(2), OVER, 0, false));
    assert_near(a.bps, 850e3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_by_eight_percent_a_second),
        cmocka_unit_test(weight_counts_as_so_many_flows),
        cmocka_unit_test(a_cut_goes_below_what_arrives),
        cmocka_unit_test(near_the_known_capacity_it_grows_slowly),
        cmocka_unit_test(who_is_left_alone_hurries),
        cmocka_unit_test(an_idle_application_proves_nothing),
        cmocka_unit_test(a_probe_sets_it),
        cmocka_unit_test(a_cut_goes_without_a_measurement),
    };
    return cmocka_run_group_tests_name("cc.aimd", tests, NULL, NULL);
}
