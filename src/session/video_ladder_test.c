/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "session/video_ladder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct rmi_video_sender_settings set = {
    .bitrate_bps = 2000000, .max_fps = 30, .max_width = 1280, .max_height = 720};

static struct rmi_video_sender_settings apply(struct rmi_video_ladder *l, int64_t now_us, uint32_t bps) {
    struct rmi_video_sender_settings out;
    rmi_video_ladder_apply(l, now_us, &set, bps, 1280, 720, &out);
    assert_int_equal(out.bitrate_bps, bps);
    assert_int_equal(out.limited, bps < set.bitrate_bps);
    return out;
}

/* The rate stays there until it counts. */
static struct rmi_video_sender_settings settle(struct rmi_video_ladder *l, int64_t *now_us, uint32_t bps) {
    (void)apply(l, *now_us, bps);
    return apply(l, *now_us += RMI_MS(400), bps);
}

static void pictures_become_fewer_then_smaller(void **state) {
    (void)state;
    struct rmi_video_ladder l = {.begun = true};
    double pixels = 1e12;
    int changes = 0;
    int64_t now_us = RMI_SEC(1);
    for (uint32_t bps = 2000000; bps > 20000; bps -= 10000) {
        const struct rmi_video_sender_settings out = settle(&l, &now_us, bps);
        const double now = out.max_width * (double)out.max_height * out.max_fps;
        assert_true(now <= pixels);
        if (now < pixels && changes++ == 1) /* the first step keeps the size */
            assert_true(out.max_width == 1280 && out.max_fps < 30);
        pixels = now;
        if (bps > 700000)
            assert_true(out.max_width == 1280 && out.max_fps == 30);
        if (bps > 150000)
            assert_true(out.max_width >= 640);
    }
    const struct rmi_video_sender_settings out = settle(&l, &now_us, 30000);
    assert_int_equal(out.max_width, 320);
    assert_int_equal(out.max_height, 180);
    assert_true(out.max_fps > 9 && out.max_fps < 11);
}

/* Key frames cost most while the rate is falling: one is made, when it no longer does, of the size that fits. */
static void a_falling_rate_is_waited_for(void **state) {
    (void)state;
    struct rmi_video_ladder l = {.begun = true};
    int64_t now_us = RMI_SEC(1);
    for (uint32_t bps = 600000; bps > 150000; bps -= bps / 10) {
        assert_true(apply(&l, now_us, bps).max_width == 1280);
        now_us += RMI_MS(70);
    }
    const struct rmi_video_sender_settings out = settle(&l, &now_us, 150000);
    assert_true(out.max_width == 640);
    /* But one that goes on falling for a second is not waited for any longer. */
    l = (struct rmi_video_ladder){.begun = true};
    uint32_t bps = 600000;
    for (int i = 0; i < 30 && apply(&l, now_us, bps).max_width == 1280; i++) {
        now_us += RMI_MS(100);
        bps -= bps / 15;
        assert_true(i < 12);
    }
    /* A rate that is low for a moment changes nothing. */
    l = (struct rmi_video_ladder){.begun = true};
    for (int i = 0; i < 50; i++) {
        assert_true(apply(&l, now_us += RMI_MS(100), 300000).max_width == 1280);
        assert_true(apply(&l, now_us += RMI_MS(200), 300000).max_width == 1280);
        assert_true(apply(&l, now_us += RMI_MS(100), 900000).max_width == 1280);
    }
}

static void they_come_back_when_there_is_room_for_a_while(void **state) {
    (void)state;
    struct rmi_video_ladder l = {.begun = true};
    int64_t now_us = RMI_SEC(1);
    assert_true(settle(&l, &now_us, 300000).max_width == 960);
    assert_true(apply(&l, now_us, 470000).max_width == 960); /* enough, but not by much */
    for (int i = 0; i < 20; i++) {                           /* a rate that swings around the step changes nothing */
        assert_true(apply(&l, now_us += RMI_SEC(2), 700000).max_width == 960);
        assert_true(apply(&l, now_us += RMI_SEC(1), 500000).max_width == 960);
    }
    assert_true(apply(&l, now_us += RMI_SEC(2), 700000).max_width == 960);
    const struct rmi_video_sender_settings one = apply(&l, now_us += RMI_SEC(3), 700000);
    assert_true(one.max_width == 1280 && one.max_fps < 30);
    /* As far as there was room all the time, in one move. */
    l = (struct rmi_video_ladder){.begun = true};
    assert_true(settle(&l, &now_us, 30000).max_width == 320);
    (void)apply(&l, now_us += RMI_MS(33), 200000);
    (void)apply(&l, now_us += RMI_SEC(2), 2000000);
    assert_true(apply(&l, now_us += RMI_SEC(1), 2000000).max_width == 640);
    (void)apply(&l, now_us += RMI_MS(33), 2000000);
    const struct rmi_video_sender_settings all = apply(&l, now_us += RMI_SEC(3), 2000000);
    assert_true(all.max_width == 1280 && all.max_fps == 30);
}

static void a_small_source_needs_little(void **state) {
    (void)state;
    struct rmi_video_ladder l = {0};
    struct rmi_video_sender_settings out;
    rmi_video_ladder_apply(&l, 0, &set, 100000, 320, 240, &out);
    assert_true(out.max_width == 1280 && out.max_height == 720 && out.max_fps == 30);
    rmi_video_ladder_apply(&l, 0, &set, 1, 20, 20, &out); /* nothing below what encoders take */
    assert_int_equal(out.bitrate_bps, RMI_VIDEO_BITRATE_MIN_BPS);
    assert_true(out.max_width >= RMI_VIDEO_SIDE_MIN && out.max_fps >= 1);
    rmi_video_ladder_apply(&l, 0, &set, 400000, 720, 1280, &out); /* upright */
    assert_true(out.max_height >= out.max_width || l.step < 2);
}

static void the_first_guess_changes_nothing(void **state) {
    (void)state;
    struct rmi_video_ladder l = {0};
    int64_t now_us = RMI_SEC(50);
    for (int i = 0; i < 30; i++)
        assert_true(apply(&l, now_us += RMI_MS(33), 200000).max_width == 1280);
    assert_true(settle(&l, &now_us, 200000).max_width < 1280);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_become_fewer_then_smaller),
        cmocka_unit_test(a_falling_rate_is_waited_for),
        cmocka_unit_test(they_come_back_when_there_is_room_for_a_while),
        cmocka_unit_test(the_first_guess_changes_nothing),
        cmocka_unit_test(a_small_source_needs_little),
    };
    return cmocka_run_group_tests_name("session.video_ladder", tests, NULL, NULL);
}
