/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cc/cc.h"
#include "cc/ecn.h"

#define NOW RMI_SEC(100)
#define RTT RMI_MS(100)

static void marks_of_one_round_trip_are_one_cut(void **state) {
    (void)state;
    struct rmi_cc_ecn e = {0};
    int cuts = 0;
    for (int64_t at = NOW; at < NOW + RMI_SEC(3); at += RMI_MS(50))
        cuts += rmi_cc_ecn_marked(&e, at, 0, RTT, 1e6 - cuts);
    assert_int_equal(cuts, 20); /* a round trip and the time of one report apart */
    assert_true(e.before_bps == 1e6);
    assert_true(rmi_cc_ecn_marked(&e, NOW + RMI_SEC(9), 0, RTT, 2e6) && e.before_bps == 2e6);
}

static void a_cut_for_another_reason_serves_as_well(void **state) {
    (void)state;
    struct rmi_cc_ecn e = {0};
    assert_false(rmi_cc_ecn_marked(&e, NOW, NOW - RTT, RTT, 1e6));
    assert_true(rmi_cc_ecn_marked(&e, NOW, NOW - 2 * RTT, RTT, 1e6));
}

static void an_unknown_round_trip_is_a_long_one(void **state) {
    (void)state;
    struct rmi_cc_ecn e = {0};
    assert_true(rmi_cc_ecn_marked(&e, NOW, 0, 0, 1e6));
    assert_false(rmi_cc_ecn_marked(&e, NOW + RMI_MS(200), 0, 0, 1e6));
    assert_true(rmi_cc_ecn_marked(&e, NOW + RMI_MS(300), 0, 0, 1e6));
}

/* 100 packets of 1,000 bytes each second that arrive evenly, for two seconds. */
static int64_t feed(struct rmi_cc *cc, int64_t now_us) {
    for (int i = 0; i < 200; i++, now_us += RMI_MS(10)) {
        struct rmi_cc_result r = {.sent_us = now_us - RTT, .arrived_us = now_us - RTT / 2, .bytes = 1000};
        rmi_cc_sent(cc, now_us, 1000);
        rmi_cc_feedback(cc, now_us, &r, 1);
    }
    return now_us;
}

static void the_rate_falls_to_below_what_arrives(void **state) {
    (void)state;
    const struct rmi_cc_limits limits = {100e3, 800e3, 10e6};
    struct rmi_cc cc;
    struct rmi_cc_status before, after;
    assert_int_equal(rmi_cc_create(&rmi_cc_gcc, &limits, NOW, &cc), RM_OK);
    assert_true(rmi_cc_answers_marks(&cc));
    int64_t now = feed(&cc, NOW);
    rmi_cc_get(&cc, &before);
    rmi_cc_marked(&cc, now);
    rmi_cc_get(&cc, &after);
    assert_true(before.target_bps >= 800e3);
    assert_true(after.target_bps > 0.8 * 800e3 && after.target_bps < 0.87 * 800e3);
    assert_int_equal(after.reductions, before.reductions + 1);
    rmi_cc_marked(&cc, now + RMI_MS(50)); /* of the same queue */
    rmi_cc_get(&cc, &before);
    assert_true(before.target_bps == after.target_bps);
    now = feed(&cc, now);
    rmi_cc_get(&cc, &after);
    assert_true(after.target_bps > before.target_bps); /* and grows again */
    rmi_cc_destroy(&cc);
}

/* The path marks whatever comes: a probe finds out whether the old rate is still there. */
static void marks_that_meant_nothing_are_made_up_for(void **state) {
    (void)state;
    const struct rmi_cc_limits limits = {100e3, 800e3, 10e6};
    struct rmi_cc cc;
    struct rmi_cc_probe probe;
    assert_int_equal(rmi_cc_create(&rmi_cc_gcc, &limits, NOW, &cc), RM_OK);
    int64_t now = feed(&cc, NOW);
    while (rmi_cc_poll_probe(&cc, now, &probe)) /* those of the beginning */
        now = feed(&cc, now);
    struct rmi_cc_status before, after;
    rmi_cc_get(&cc, &before);
    for (int i = 0; i < 6; i++, now += RMI_MS(300))
        rmi_cc_marked(&cc, now);
    rmi_cc_get(&cc, &after);
    assert_true(after.target_bps < 0.9 * before.target_bps);
    assert_false(rmi_cc_poll_probe(&cc, now, &probe));
    rmi_cc_unmarked(&cc, now);
    assert_true(rmi_cc_poll_probe(&cc, now, &probe));
    assert_true(probe.rate_bps > 0.8 * before.target_bps && probe.rate_bps < before.target_bps);
    rmi_cc_destroy(&cc);
}

static void a_fixed_rate_answers_none(void **state) {
    (void)state;
    const struct rmi_cc_limits limits = {100e3, 800e3, 10e6};
    struct rmi_cc cc;
    struct rmi_cc_status status;
    assert_int_equal(rmi_cc_create(&rmi_cc_fixed, &limits, NOW, &cc), RM_OK);
    assert_false(rmi_cc_answers_marks(&cc));
    rmi_cc_marked(&cc, NOW);
    rmi_cc_unmarked(&cc, NOW);
    rmi_cc_get(&cc, &status);
    assert_true(status.target_bps == 800e3);
    rmi_cc_destroy(&cc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_of_one_round_trip_are_one_cut),
        cmocka_unit_test(a_cut_for_another_reason_serves_as_well),
        cmocka_unit_test(an_unknown_round_trip_is_a_long_one),
        cmocka_unit_test(the_rate_falls_to_below_what_arrives),
        cmocka_unit_test(marks_that_meant_nothing_are_made_up_for),
        cmocka_unit_test(a_fixed_rate_answers_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
