/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cc/alr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void send(struct rmi_cc_alr *a, int64_t *now_us, int64_t us, double bps, double estimate_bps) {
    for (const int64_t until = *now_us + us; *now_us < until;) {
        *now_us += RMI_MS(10);
        rmi_cc_alr_input(a, *now_us, (uint32_t)(bps / 800), estimate_bps);
    }
}

static void little_traffic_is_noticed_and_more_ends_it(void **state) {
    (void)state;
    struct rmi_cc_alr a = {0};
    int64_t now_us = RMI_SEC(1);
    send(&a, &now_us, RMI_SEC(5), 950e3, 1e6);
    assert_false(a.limited);
    send(&a, &now_us, RMI_SEC(5), 700e3, 1e6); /* over 65 % */
    assert_false(a.limited);
    send(&a, &now_us, RMI_SEC(3), 300e3, 1e6);
    assert_true(a.limited && a.since_us > RMI_SEC(11));
    send(&a, &now_us, RMI_SEC(2), 950e3, 1e6);
    assert_true(!a.limited && a.ended_us > a.since_us);
}

static void silence_is_limited_too(void **state) {
    (void)state;
    struct rmi_cc_alr a = {0};
    int64_t now_us = RMI_SEC(1);
    send(&a, &now_us, RMI_SEC(2), 950e3, 1e6);
    rmi_cc_alr_input(&a, now_us + RMI_SEC(2), 0, 1e6);
    assert_true(a.limited);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_traffic_is_noticed_and_more_ends_it),
        cmocka_unit_test(silence_is_limited_too),
    };
    return cmocka_run_group_tests_name("cc.alr", tests, NULL, NULL);
}
