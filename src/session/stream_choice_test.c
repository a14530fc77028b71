/* SPDX-License-Identifier: Apache-2.0 */
#include "session/stream_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LATER RMI_STREAM_SILENT_US

static void the_first_of_equals_stays(void **state) {
    (void)state;
    struct rmi_stream_choice c = {0};
    assert_true(rmi_stream_choose(&c, 1, 5, 0));
    for (int64_t now = 1000; now < 5 * (int64_t)LATER; now += 1000) {
        assert_false(rmi_stream_choose(&c, 2, 5, now));
        assert_true(rmi_stream_choose(&c, 1, 5, now));
    }
}

static void a_silent_one_gives_its_place_away(void **state) {
    (void)state;
    struct rmi_stream_choice c = {0};
    assert_true(rmi_stream_choose(&c, 1, 9, 100));
    assert_false(rmi_stream_choose(&c, 2, 5, 100 + LATER - 1));
    assert_true(rmi_stream_choose(&c, 2, 5, 100 + LATER));
    assert_false(rmi_stream_choose(&c, 3, 5, 101 + LATER));
    assert_true(rmi_stream_choose(&c, 1, 9, 102 + LATER)); /* it comes back by its priority */
}

static void the_higher_priority_takes_over_at_once(void **state) {
    (void)state;
    struct rmi_stream_choice c = {0};
    assert_true(rmi_stream_choose(&c, 1, 5, 0));
    assert_true(rmi_stream_choose(&c, 2, 6, 1));
    assert_false(rmi_stream_choose(&c, 1, 5, 2));
    /* Its priority may change with its route. */
    assert_true(rmi_stream_choose(&c, 2, 1, 3));
    assert_true(rmi_stream_choose(&c, 1, 5, 4));
}

static void one_that_ends_leaves_the_place_empty(void **state) {
    (void)state;
    struct rmi_stream_choice c = {0};
    assert_true(rmi_stream_choose(&c, 1, 5, 0));
    assert_false(rmi_stream_unchoose(&c, 2));
    assert_false(rmi_stream_choose(&c, 2, 5, 1));
    assert_true(rmi_stream_unchoose(&c, 1));
    assert_false(rmi_stream_unchoose(&c, 1));
    assert_true(rmi_stream_choose(&c, 2, 0, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_equals_stays),
        cmocka_unit_test(a_silent_one_gives_its_place_away),
        cmocka_unit_test(the_higher_priority_takes_over_at_once),
        cmocka_unit_test(one_that_ends_leaves_the_place_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
