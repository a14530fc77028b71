/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "codec/governor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FRAME_US 33333

/* A machine on which a 720p picture at speed 8 takes `full_us`; 9 takes 4/5 of that, and size counts by area. */
static int64_t cost(const struct rmi_governor *g, int64_t full_us) {
    struct rmi_governor_setting s = rmi_governor_setting(g);
    int64_t us = s.speed == 9 ? full_us * 4 / 5 : full_us;
    return us * s.scale_num * s.scale_num / (s.scale_den * s.scale_den);
}

/* Changes of setting in that time. */
static int run(struct rmi_governor *g, int64_t *now_us, int64_t for_us, int64_t full_us) {
    int changes = 0;
    for (int64_t end = *now_us + for_us; *now_us < end; *now_us += FRAME_US)
        changes += rmi_governor_input(g, *now_us, cost(g, full_us));
    return changes;
}

static void cheap_pictures_keep_the_best_setting(void **state) {
    (void)state;
    struct rmi_governor g;
    int64_t now = 0;
    rmi_governor_init(&g, 0, now);
    assert_int_equal(run(&g, &now, RMI_SEC(600), 7000), 0);
    assert_int_equal(rmi_governor_setting(&g).speed, 8);
    int width, height;
    rmi_governor_scale(&g, 1281, 721, &width, &height);
    assert_int_equal(width, 1281);
    assert_int_equal(height, 721);
}

static void budget_is_kept_by_speed_then_by_size(void **state) {
    static const struct {
        int64_t full_us;
        int speed, num, den;
    } rows[] = {
        {9000, 9, 1, 1}, {12000, 9, 3, 4}, {25000, 9, 1, 2}, {60000, 9, 1, 4}, {900000, 9, 1, 4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rmi_governor g;
        int64_t now = RMI_SEC(5);
        rmi_governor_init(&g, 0, now);
        run(&g, &now, RMI_SEC(6), rows[i].full_us);
        struct rmi_governor_setting s = rmi_governor_setting(&g);
        assert_int_equal(s.speed, rows[i].speed);
        assert_int_equal(s.scale_num, rows[i].num);
        assert_int_equal(s.scale_den, rows[i].den);
    }
}

static void quality_returns_when_there_is_room(void **state) {
    (void)state;
    struct rmi_governor g;
    int64_t now = 0;
    rmi_governor_init(&g, 0, now);
    run(&g, &now, RMI_SEC(10), 40000);
    assert_true(rmi_governor_setting(&g).scale_den > 1);
    run(&g, &now, RMI_SEC(60), 4000);
    assert_int_equal(rmi_governor_setting(&g).speed, 8);
    assert_int_equal(rmi_governor_setting(&g).scale_den, 1);
}

/* At every load, an hour long: it settles, with a try now and then at most. */
static void it_does_not_swing(void **state) {
    (void)state;
    for (int64_t full = 1000; full < 130000; full += 700) {
        struct rmi_governor g;
        int64_t now = 0;
        rmi_governor_init(&g, 0, now);
        run(&g, &now, RMI_SEC(30), full);
        assert_true(cost(&g, full) <= RMI_GOVERNOR_BUDGET_US || rmi_governor_setting(&g).scale_den == 4);
        assert_int_equal(run(&g, &now, RMI_SEC(600), full), 0);
    }
}

/* A load whose steps cost more than expected: tries fail, and get rarer. */
static void failed_tries_get_rarer(void **state) {
    (void)state;
    struct rmi_governor g;
    int64_t now = 0;
    int changes[2] = {0};
    rmi_governor_init(&g, 0, now);
    for (int half = 0; half < 2; half++)
        for (int64_t end = now + RMI_SEC(60); now < end; now += FRAME_US)
            changes[half] += rmi_governor_input(&g, now, rmi_governor_setting(&g).speed == 8 ? 20000 : 100);
    assert_true(changes[0] > changes[1]);
    assert_true(changes[1] <= 4);
}

static void a_single_slow_picture_changes_nothing(void **state) {
    (void)state;
    struct rmi_governor g;
    int64_t now = 0;
    rmi_governor_init(&g, 0, now);
    run(&g, &now, RMI_SEC(5), 5000);
    assert_false(rmi_governor_input(&g, now, 25000)); /* the machine was busy elsewhere */
    assert_int_equal(run(&g, &now, RMI_SEC(5), 5000), 0);
    assert_false(rmi_governor_input(&g, now, -1));
    assert_false(rmi_governor_input(&g, now - RMI_SEC(100), INT64_MIN));
}

static void sizes_are_even_and_not_too_small(void **state) {
    (void)state;
    struct rmi_governor g;
    int64_t now = 0;
    int width, height;
    rmi_governor_init(&g, 1, now); /* a budget that nothing keeps */
    run(&g, &now, RMI_SEC(30), 50000);
    rmi_governor_scale(&g, 1280, 720, &width, &height);
    assert_int_equal(width, 320);
    assert_int_equal(height, 180);
    rmi_governor_scale(&g, 641, 50, &width, &height);
    assert_int_equal(width, 160);
    assert_int_equal(height, 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cheap_pictures_keep_the_best_setting),
        cmocka_unit_test(budget_is_kept_by_speed_then_by_size),
        cmocka_unit_test(quality_returns_when_there_is_room),
        cmocka_unit_test(it_does_not_swing),
        cmocka_unit_test(failed_tries_get_rarer),
        cmocka_unit_test(a_single_slow_picture_changes_nothing),
        cmocka_unit_test(sizes_are_even_and_not_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
