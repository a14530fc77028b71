/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "session/freeze.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers it needs */

#define FRAME_US RMI_MS(33)

static int64_t steady(struct rmi_freeze *f, int64_t now_us, unsigned frames, int64_t between_us) {
    for (unsigned i = 0; i < frames; i++)
        rmi_freeze_shown(f, now_us += between_us);
    return now_us;
}

static void even_pictures_do_not_freeze(void **state) {
    (void)state;
    struct rmi_freeze f = {0};
    steady(&f, RMI_SEC(1), 200, FRAME_US);
    assert_true(f.count == 0 && f.total_us == 0);
}

/* 33 ms on the mean: from 183 ms on. 300 ms: from 900 ms on. */
static void the_limit_follows_the_pace(void **state) {
    (void)state;
    static const struct {
        int64_t between_us, limit_us;
    } rows[] = {{FRAME_US, FRAME_US + RMI_MS(150)}, {RMI_MS(300), RMI_MS(900)}};
    for (size_t i = 0; i < 2; i++) {
        struct rmi_freeze f = {0};
        int64_t now_us = steady(&f, RMI_SEC(1), 60, rows[i].between_us);
        rmi_freeze_shown(&f, now_us += rows[i].limit_us - 1);
        assert_int_equal(f.count, 0);
        now_us = steady(&f, now_us, 60, rows[i].between_us);
        rmi_freeze_shown(&f, now_us + rows[i].limit_us);
        assert_int_equal(f.count, 1);
        assert_int_equal(f.total_us, rows[i].limit_us);
    }
}

static void the_first_pictures_say_nothing(void **state) {
    (void)state;
    struct rmi_freeze f = {0};
    rmi_freeze_shown(&f, RMI_SEC(1));
    rmi_freeze_shown(&f, RMI_SEC(9));
    assert_int_equal(f.count, 0);
}

static void a_pause_is_no_freeze(void **state) {
    (void)state;
    struct rmi_freeze f = {0};
    int64_t now_us = steady(&f, RMI_SEC(1), 60, FRAME_US);
    now_us = steady(&f, now_us + RMI_SEC(5), 60, FRAME_US);
    assert_int_equal(f.count, 0);
    rmi_freeze_shown(&f, now_us + RMI_SEC(1));
    assert_int_equal(f.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_pictures_do_not_freeze),
        cmocka_unit_test(the_limit_follows_the_pace),
        cmocka_unit_test(the_first_pictures_say_nothing),
        cmocka_unit_test(a_pause_is_no_freeze),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
