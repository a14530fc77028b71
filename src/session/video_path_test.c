/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures from a sender through faults to a receiver. */
#include "session/video_testkit.h"

static const enum rmi_payload_format formats[] = {RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264};
#define FORMATS (sizeof formats / sizeof *formats)

static const struct { int width, height; } sizes[] = {{1280, 720}, {640, 360}, {322, 242}};

static void every_codec_and_size_arrives_whole_and_sharp(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct path *p = path_create(formats[f], sizes[i].width, sizes[i].height);
            path_run(p, 12);
            struct rmi_video_receiver_stats stats = path_stats(p);
            assert_int_equal(p->frames, 12);
            assert_int_equal(p->errors, 0);
            assert_int_equal(stats.key_frames, 1);
            assert_int_equal(stats.width, sizes[i].width);
            assert_int_equal(stats.height, sizes[i].height);
            assert_int_equal(stats.waited_us, 0);
            print_message("format %d, %d x %d: at least %.1f dB\n", formats[f], sizes[i].width, sizes[i].height,
                          p->psnr_least);
            assert_true(p->psnr_least > 30);
            /* By the media clock: 11 intervals, to a tick or two. */
            assert_in_range(p->last_time_us, 11 * FRAME_US - 30, 11 * FRAME_US + 30);
            assert_int_equal(rm_runtime_data_arrival_us(p->kept), p->last_out_us + TRIP_US);
            path_destroy(p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_and_size_arrives_whole_and_sharp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
