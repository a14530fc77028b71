/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/history.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) {
    *state = calloc(1, sizeof(struct rmi_cc_history));
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static void a_fate_is_told_once(void **state) {
    struct rmi_cc_history *h = *state;
    struct rmi_cc_result r;
    rmi_cc_history_add(h, 65535, RMI_SEC(1), 1000, 3);
    rmi_cc_history_add(h, 0, RMI_SEC(2), 500, RMI_CC_NO_PROBE);
    assert_true(rmi_cc_history_take(h, 65535, RMI_SEC(70), &r));
    assert_int_equal(r.sent_us, RMI_SEC(1));
    assert_int_equal(r.arrived_us, RMI_SEC(70));
    assert_int_equal(r.bytes, 1000);
    assert_int_equal(r.cluster, 3);
    assert_false(r.known_lost);
    assert_false(rmi_cc_history_take(h, 65535, RMI_SEC(70), &r));
    assert_false(rmi_cc_history_take(h, 65535, RMI_CC_LOST, &r));
    assert_false(rmi_cc_history_take(h, 1, RMI_SEC(70), &r)); /* never sent */
}

static void what_was_lost_may_still_come(void **state) {
    struct rmi_cc_history *h = *state;
    struct rmi_cc_result r;
    rmi_cc_history_add(h, 10, RMI_SEC(1), 1000, RMI_CC_NO_PROBE);
    assert_true(rmi_cc_history_take(h, 10, RMI_CC_LOST, &r));
    assert_int_equal(r.arrived_us, RMI_CC_LOST);
    assert_false(rmi_cc_history_take(h, 10, RMI_CC_LOST, &r));
    assert_true(rmi_cc_history_take(h, 10, RMI_SEC(70), &r));
    assert_true(r.known_lost);
    assert_false(rmi_cc_history_take(h, 10, RMI_SEC(70), &r));
}

static void old_packets_give_way(void **state) {
    struct rmi_cc_history *h = *state;
    struct rmi_cc_result r;
    rmi_cc_history_add(h, 5, RMI_SEC(1), 100, RMI_CC_NO_PROBE);
    rmi_cc_history_add(h, 5 + RMI_CC_HISTORY, RMI_SEC(2), 200, RMI_CC_NO_PROBE);
    assert_false(rmi_cc_history_take(h, 5, RMI_SEC(70), &r));
    assert_true(rmi_cc_history_take(h, 5 + RMI_CC_HISTORY, RMI_SEC(70), &r));
    assert_int_equal(r.bytes, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fate_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_lost_may_still_come, setup, teardown),
        cmocka_unit_test_setup_teardown(old_packets_give_way, setup, teardown),
    };
    return cmocka_run_group_tests_name("cc.history", tests, NULL, NULL);
}
