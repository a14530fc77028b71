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
    return out;
}

static void pictures_become_fewer_then_smaller(void **state) {
    (void)state;
    struct rmi_video_ladder l = {.begun = true};
    double pixels = 1e12;
    int changes = 0;
    for (uint32_t bps = 2000000; bps > 20000; bps -= 10000) {
        const struct rmi_video_sender_settings out = apply(&l, RMI_SEC(1), bps);
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
    const struct rmi_video_sender_settings out = apply(&l, RMI_SEC(1), 30000);
    assert_int_equal(out.max_width, 320);
    assert_int_equal(out.max_height, 180);
    assert_true(out.max_fps > 9 && out.max_fps < 11);
}

static void they_come_back_when_there_is_room_for_a_while(void **state) {
    (void)state;
    struct rmi_video_ladder l = {.begun = true};
    int64_t now_us = RMI_SEC(1);
    assert_true(apply(&l, now_us, 400000).max_width == 960);
    assert_true(apply(&l, now_us, 470000).max_width == 960); /* enough, but not by much */
    for (int i = 0; i < 20; i++) {                           /* a rate that swings around the step changes nothing */
        assert_true(apply(&l, now_us += RMI_SEC(2), 700000).max_width == 960);
        assert_true(apply(&l, now_us += RMI_SEC(1), 500000).max_width == 960);
    }
    assert_true(apply(&l, now_us += RMI_SEC(2), 1500000).max_width == 960);
    const struct rmi_video_sender_settings one = apply(&l, now_us += RMI_SEC(3), 1500000);
    assert_true(one.max_width == 1280 && one.max_fps < 30);
    (void)apply(&l, now_us += RMI_MS(33), 1500000);
    assert_true(apply(&l, now_us += RMI_SEC(3), 1500000).max_fps == 30);
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
    (void)apply(&l, now_us += RMI_MS(33), 200000);
    assert_true(apply(&l, now_us += RMI_MS(33), 200000).max_width < 1280);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_become_fewer_then_smaller),
        cmocka_unit_test(they_come_back_when_there_is_room_for_a_while),
        cmocka_unit_test(the_first_guess_changes_nothing),
        cmocka_unit_test(a_small_source_needs_little),
    };
    return cmocka_run_group_tests_name("session.video_ladder", tests, NULL, NULL);
}
