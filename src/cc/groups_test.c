/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cc/groups.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OFFSET_US RMI_SEC(77) /* of the remote's clock */

static bool input(struct rmi_cc_groups *g, int64_t sent_ms, int64_t arrived_ms, struct rmi_cc_delta *out) {
    return rmi_cc_groups_input(g, RMI_MS(sent_ms), OFFSET_US + RMI_MS(arrived_ms), RMI_MS(arrived_ms + 50), out);
}

static void packets_sent_together_are_one_group(void **state) {
    (void)state;
    struct rmi_cc_groups g = {0};
    struct rmi_cc_delta d;
    assert_false(input(&g, 1000, 1050, &d));
    assert_false(input(&g, 1002, 1056, &d));
    assert_false(input(&g, 1005, 1062, &d)); /* 5 ms: still the same */
    assert_false(input(&g, 1033, 1090, &d)); /* nothing to compare the first group with */
    assert_true(input(&g, 1066, 1130, &d));
    assert_int_equal(d.sent_us, RMI_MS(28)); /* from the last packet of the one to the last of the other */
    assert_int_equal(d.arrived_us, RMI_MS(28));
    assert_true(input(&g, 1100, 1150, &d));
    assert_int_equal(d.sent_us, RMI_MS(33));
    assert_int_equal(d.arrived_us, RMI_MS(40));
}

/* A Wi-Fi queue that empties at once says nothing about the groups in it. */
static void a_burst_is_one_group(void **state) {
    (void)state;
    struct rmi_cc_groups g = {0};
    struct rmi_cc_delta d;
    assert_false(input(&g, 0, 100, &d));
    assert_false(input(&g, 20, 101, &d));
    assert_false(input(&g, 40, 103, &d));
    assert_false(input(&g, 60, 104, &d));
    assert_int_equal(g.now.first_sent_us, 0);
    assert_false(input(&g, 80, 130, &d)); /* the first group is complete, and the only one */
    assert_int_equal(g.before.sent_us, RMI_MS(60));
}

static void a_long_burst_ends(void **state) {
    (void)state;
    struct rmi_cc_groups g = {0};
    struct rmi_cc_delta d;
    int64_t complete = 0;
    for (int64_t i = 0; i < 60; i++) /* always 5 ms apart, though sent 20 ms apart */
        complete += input(&g, 20 * i, 1000 + 5 * i, &d);
    assert_in_range(complete, 1, 3); /* 100 ms each */
}

static void packets_that_were_overtaken_do_not_count(void **state) {
    (void)state;
    struct rmi_cc_groups g = {0};
    struct rmi_cc_delta d;
    (void)input(&g, 100, 150, &d);
    (void)input(&g, 133, 183, &d);
    const struct rmi_cc_groups before = g;
    assert_false(input(&g, 110, 184, &d));
    assert_memory_equal(&g, &before, sizeof g);
    assert_true(input(&g, 166, 216, &d));
    assert_int_equal(d.arrived_us, d.sent_us);
}

static void a_clock_that_jumps_begins_anew(void **state) {
    (void)state;
    struct rmi_cc_delta d;
    for (int64_t jump = -10000; jump <= 10000; jump += 20000) {
        struct rmi_cc_groups g = {0};
        for (int64_t i = 0; i < 20; i++)
            (void)input(&g, 33 * i, 33 * i, &d);
        unsigned wild = 0, sane = 0;
        for (int64_t i = 20; i < 60; i++) {
            const bool any =
                rmi_cc_groups_input(&g, RMI_MS(33 * i), OFFSET_US + RMI_MS(33 * i + jump), RMI_MS(33 * i + 50), &d);
            wild += any && (d.arrived_us > RMI_MS(40) || d.arrived_us < RMI_MS(20));
            sane += any && d.arrived_us == RMI_MS(33);
        }
        assert_int_equal(wild, 0);
        assert_in_range(sane, 30, 40);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_sent_together_are_one_group),
        cmocka_unit_test(a_burst_is_one_group),
        cmocka_unit_test(a_long_burst_ends),
        cmocka_unit_test(packets_that_were_overtaken_do_not_count),
        cmocka_unit_test(a_clock_that_jumps_begins_anew),
    };
    return cmocka_run_group_tests_name("cc.groups", tests, NULL, NULL);
}
