/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/data.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static rm_buf *counting_bytes(size_t size) {
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    uint8_t *at = rm_buf_write(buf);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)i;
    return buf;
}

static void sizes(void **state) {
    (void)state;
    assert_int_equal(rm_video_packed_size(RM_PIXEL_I420, 1280, 720), 1382400);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_YUV420P, 2, 2), 6);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_NV12, 4, 2), 12);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_RGB24, 3, 3), 27);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_RGBA32, 3, 3), 36);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_I420, 3, 2), 0);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_NV12, 2, 3), 0);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_RGB24, 0, 3), 0);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_RGB24, RM_VIDEO_SIDE_MAX + 1, 1), 0);
    assert_int_equal(rm_video_packed_size(RM_PIXEL_ENCODED, 2, 2), 0);
    assert_int_equal(rm_video_packed_size((rm_pixel_format)9, 2, 2), 0);
}

static void packed_frames(void **state) {
    (void)state;
    rm_buf *buf = counting_bytes(1 + 24);
    rm_runtime_data *d = NULL, *none = NULL;
    assert_int_equal(rm_runtime_data_create_video(buf, 1, RM_PIXEL_I420, 4, 4, 7, 1000, &d), RM_OK);
    const rm_video *v = rm_runtime_data_video(d);
    assert_int_equal(v->plane_count, 3);
    assert_int_equal(v->planes[0][0], 1);
    assert_int_equal(v->planes[1][0], 17);
    assert_int_equal(v->planes[2][3], 24);
    assert_int_equal(v->strides[0], 4);
    assert_int_equal(v->strides[2], 2);
    assert_int_equal(v->size, 24);
    assert_int_equal(v->frame_number, 7);
    assert_int_equal(v->codec, RM_CODEC_RAW);
    assert_int_equal(rm_runtime_data_timestamp_us(d), 1000);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, RM_NO_VALUE), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_frame_number(d, 8), RM_OK);
    assert_int_equal(v->frame_number, 8);
    assert_int_equal(rm_runtime_data_set_metadata(d, "1"), RM_E_UNSUPPORTED);
    assert_null(rm_runtime_data_write_plane(d, 1));

    assert_int_equal(rm_runtime_data_create_video(buf, 2, RM_PIXEL_I420, 4, 4, 7, 1000, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(buf, 99, RM_PIXEL_I420, 4, 4, 7, 1000, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 3, 4, 7, 1000, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 4, 4, 7, -1, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_ENCODED, 4, 4, 7, 0, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 4, 4, UINT64_MAX, 0, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_video(NULL, 0, RM_PIXEL_I420, 4, 4, 7, 0, &none), RM_E_INVALID_ARG);
    rm_buf_unref(&buf);
    uint8_t *u = rm_runtime_data_write_plane(d, 1);
    assert_ptr_equal(u, v->planes[1]);
    assert_null(rm_runtime_data_write_plane(d, 3));
    rm_runtime_data_unref(&d);
}

static void rows_further_apart(void **state) {
    (void)state;
    rm_buf *buf = counting_bytes(60);
    rm_runtime_data *d = NULL, *copy = NULL, *none = NULL;
    /* V before U: the planes' order in memory is free. */
    const size_t offsets[] = {4, 50, 40}, strides[] = {8, 4, 5};
    assert_int_equal(rm_runtime_data_create_video_planes(buf, offsets, strides, RM_PIXEL_I420, 4, 4, 0, 0, &d), RM_OK);
    uint8_t packed[24];
    size_t size = 0;
    assert_int_equal(rm_video_pack(rm_runtime_data_video(d), packed, sizeof packed, &size), RM_OK);
    assert_int_equal(size, 24);
    static const uint8_t expected[] = {4,  5,  6,  7,  12, 13, 14, 15, 20, 21, 22, 23,
                                       28, 29, 30, 31, 50, 51, 54, 55, 40, 41, 45, 46};
    assert_memory_equal(packed, expected, sizeof expected);
    assert_int_equal(rm_video_pack(rm_runtime_data_video(d), packed, 23, &size), RM_E_TOO_BIG);

    assert_int_equal(rm_runtime_data_copy(d, &copy), RM_OK);
    memset(packed, 0, sizeof packed);
    assert_int_equal(rm_video_pack(rm_runtime_data_video(copy), packed, sizeof packed, &size), RM_OK);
    assert_memory_equal(packed, expected, sizeof expected);
    assert_ptr_not_equal(rm_runtime_data_video(copy)->planes[2], rm_runtime_data_video(d)->planes[2]);
    uint8_t *v_plane = rm_runtime_data_write_plane(copy, 2);
    assert_ptr_equal(v_plane, rm_runtime_data_video(copy)->planes[2]);
    assert_int_equal(*v_plane, 40);
    rm_runtime_data_unref(&copy);
    rm_runtime_data_unref(&d);

    static const struct {
        size_t offsets[3], strides[3];
    } wrong[] = {{{4, 50, 40}, {3, 4, 5}},  {{4, 50, 40}, {20, 4, 5}},       {{4, 57, 40}, {8, 4, 5}},
                 {{61, 50, 40}, {8, 4, 5}}, {{4, 50, 40}, {8, SIZE_MAX, 5}}, {{SIZE_MAX, 50, 40}, {8, 4, 5}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rm_runtime_data_create_video_planes(buf, wrong[i].offsets, wrong[i].strides, RM_PIXEL_I420, 4,
                                                             4, 0, 0, &none),
                         RM_E_INVALID_ARG);
    rm_buf_unref(&buf);
}

static void encoded_frames(void **state) {
    (void)state;
    rm_buf *buf = counting_bytes(20);
    rm_runtime_data *d = NULL, *none = NULL;
    assert_int_equal(rm_runtime_data_create_encoded(buf, 4, 10, RM_CODEC_H264, 641, 361, true, 3, 9, &d), RM_OK);
    const rm_video *v = rm_runtime_data_video(d);
    assert_int_equal(v->plane_count, 0);
    assert_true(v->is_keyframe);
    assert_int_equal(v->data[0], 4);
    uint8_t out[10];
    size_t size = 0;
    assert_int_equal(rm_video_pack(v, out, sizeof out, &size), RM_OK);
    assert_int_equal(size, 10);
    assert_int_equal(out[9], 13);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 0, RM_CODEC_VP8, 2, 2, true, 0, 0, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 1, (rm_codec)9, 2, 2, true, 0, 0, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 1, RM_CODEC_VP8, 0, 2, true, 0, 0, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 21, RM_CODEC_VP8, 2, 2, true, 0, 0, &none),
                     RM_E_INVALID_ARG);
    rm_buf_unref(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(packed_frames),
        cmocka_unit_test(rows_further_apart),
        cmocka_unit_test(encoded_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
