/* SPDX-License-Identifier: Apache-2.0 */
#include "test_video.h"

#include "base/time.h"
#include "quality.h"
#include "stamp.h"

#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START_US INT64_C(5000000000)

static struct test_video *new_video(uint32_t width, uint32_t height, uint32_t fps) {
    struct test_video *tv = NULL;
    assert_int_equal(test_video_create(width, height, fps, &tv), RM_OK);
    return tv;
}

static rm_runtime_data *next(struct test_video *tv, int64_t now_us) {
    rm_runtime_data *data = NULL;
    assert_int_equal(test_video_next(tv, now_us, &data), RM_OK);
    return data;
}

static void assert_same(const rm_runtime_data *a, const rm_runtime_data *b) {
    const rm_video *v = rm_runtime_data_video(a), *w = rm_runtime_data_video(b);
    for (uint32_t p = 0; p < v->plane_count; p++)
        for (uint32_t y = 0; y < v->height / (p ? 2 : 1); y++)
            assert_memory_equal(v->planes[p] + y * v->strides[p], w->planes[p] + y * w->strides[p],
                                v->width / (p ? 2 : 1));
}

static void the_receiver_draws_the_same_picture(void **state) {
    (void)state;
    struct test_video *sender = new_video(640, 360, 30), *receiver = new_video(640, 360, 15);
    for (int i = 0; i < 300; i++) {
        rm_runtime_data *sent = next(sender, START_US + i * 33333), *drawn = NULL;
        const rm_video *v = rm_runtime_data_video(sent);
        int64_t time_us;
        uint8_t frame;
        assert_int_equal(v->format, RM_PIXEL_I420);
        assert_int_equal(v->frame_number, i);
        assert_int_equal(rm_runtime_data_timestamp_us(sent), START_US + i * 33333);
        assert_true(stamp_read(v, &time_us, &frame));
        assert_int_equal(time_us, START_US + i * 33333);
        assert_int_equal(frame, i % TEST_VIDEO_LOOP);
        assert_int_equal(test_video_reference(receiver, frame, time_us, &drawn), RM_OK);
        assert_same(sent, drawn);
        rm_runtime_data_unref(&sent);
        rm_runtime_data_unref(&drawn);
    }
    test_video_destroy(&sender);
    test_video_destroy(&receiver);
}

/* Some part of the picture, not only the stamp, differs from one to the next, at every size. */
static void it_moves_at_every_size(void **state) {
    (void)state;
    static const uint32_t sizes[][2] = {{160, 90}, {162, 98}, {640, 480}, {1280, 720}, {90 * 2, 320}, {4096, 90}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct test_video *tv = new_video(sizes[s][0], sizes[s][1], 30);
        rm_runtime_data *last = NULL;
        int moved = 0;
        for (int i = 0; i < TEST_VIDEO_LOOP; i++) {
            rm_runtime_data *data = NULL;
            assert_int_equal(test_video_reference(tv, (uint8_t)i, 0, &data), RM_OK);
            const rm_video *v = rm_runtime_data_video(data);
            size_t below = stamp_rows(v->height) * v->strides[0], rest = v->height * v->strides[0] - below;
            moved += last && memcmp(v->planes[0] + below, rm_runtime_data_video(last)->planes[0] + below, rest) != 0;
            rm_runtime_data_unref(&last);
            last = data;
        }
        assert_true(moved > TEST_VIDEO_LOOP / 2);
        rm_runtime_data_unref(&last);
        test_video_destroy(&tv);
    }
}

static void pictures_are_due_evenly_and_not_in_bursts(void **state) {
    (void)state;
    struct test_video *tv = new_video(160, 90, 30);
    assert_true(test_video_due_us(tv) == INT64_MIN);
    int64_t now = START_US;
    for (int i = 0; i < 3000; i++) {
        rm_runtime_data *data = next(tv, now);
        rm_runtime_data_unref(&data);
        now = test_video_due_us(tv);
    }
    assert_int_equal(now, START_US + RMI_SEC(100));
    rm_runtime_data *data = next(tv, now + 20000); /* a little late: the next one is on time again */
    rm_runtime_data_unref(&data);
    assert_int_equal(test_video_due_us(tv), now + 33333);
    data = next(tv, now + RMI_SEC(3)); /* after a pause: from then on */
    rm_runtime_data_unref(&data);
    assert_in_range(test_video_due_us(tv), now + RMI_SEC(3) + 33333, now + RMI_SEC(3) + 33334);
    test_video_destroy(&tv);
}

static void pictures_held_up_are_limited_and_outlive_the_source(void **state) {
    enum { HELD_MAX = 1000 };
    (void)state;
    struct test_video *tv = new_video(160, 90, 30);
    rm_runtime_data *held[HELD_MAX], *more = NULL;
    int n = 0;
    rm_err err = RM_OK;
    while (n < HELD_MAX && !(err = test_video_next(tv, START_US + n, &held[n])))
        n++;
    assert_int_equal(err, RM_E_LIMIT);
    assert_true(n > 30);
    rm_runtime_data_unref(&held[--n]);
    assert_int_equal(test_video_next(tv, START_US, &more), RM_OK);
    assert_int_equal(rm_runtime_data_video(more)->frame_number, n + 2); /* the one left out counts */
    rm_runtime_data_unref(&more);
    test_video_destroy(&tv);
    assert_null(tv);
    while (n > 0) {
        int64_t time_us;
        uint8_t frame;
        assert_true(stamp_read(rm_runtime_data_video(held[n - 1]), &time_us, &frame));
        rm_runtime_data_unref(&held[--n]);
    }
}

static void sizes_are_checked(void **state) {
    (void)state;
    static const uint32_t bad[][3] = {
        {158, 90, 30},   {160, 88, 30},  {161, 90, 30},  {160, 91, 30},
        {4098, 720, 30}, {1280, 0, 30},  {1280, 720, 0}, {1280, 720, TEST_VIDEO_FPS_MAX + 1},
        {0, 720, 30},    {720, 4098, 30}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct test_video *tv = NULL;
        assert_int_equal(test_video_create(bad[i][0], bad[i][1], bad[i][2], &tv), RM_E_INVALID_ARG);
        assert_null(tv);
    }
    test_video_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_draws_the_same_picture),
        cmocka_unit_test(it_moves_at_every_size),
        cmocka_unit_test(pictures_are_due_evenly_and_not_in_bursts),
        cmocka_unit_test(pictures_held_up_are_limited_and_outlive_the_source),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
