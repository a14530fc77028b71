/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures from a sender through faults to a receiver. */
#include "session/video_testkit.h"
#include "support/heap_count.h"

static const enum rmi_payload_format formats[] = {RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264};
#define FORMATS (sizeof formats / sizeof *formats)
#define GOOD_DB 30

static const struct { int width, height; } sizes[] = {{1280, 720}, {640, 360}, {322, 242}};

static void every_codec_and_size_arrives_whole_and_sharp(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct path *p = path_create(formats[f], sizes[i].width, sizes[i].height);
            path_run(p, 8);
            struct rmi_video_receiver_stats stats = path_stats(p);
            assert_int_equal(p->frames, 8);
            assert_int_equal(p->errors, 0);
            assert_int_equal(stats.frames, 8);
            assert_int_equal(stats.key_frames, 1);
            assert_int_equal(stats.width, sizes[i].width);
            assert_int_equal(stats.height, sizes[i].height);
            assert_int_equal(stats.waited_us, 0);
            assert_true(p->psnr_least > GOOD_DB);
            assert_int_equal(p->requests, 0);
            /* By the media clock: 7 intervals, to a tick or two. */
            assert_in_range(p->last_time_us, 7 * FRAME_US - 30, 7 * FRAME_US + 30);
            assert_int_equal(rm_runtime_data_arrival_us(p->kept), p->last_out_us + TRIP_US);
            path_destroy(p);
        }
}

static void every_pixel_format_is_sent(void **state) {
    (void)state;
    static const rm_pixel_format pixels[] = {RM_PIXEL_YUV420P, RM_PIXEL_NV12, RM_PIXEL_RGB24, RM_PIXEL_RGBA32};
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) {
        struct path *p = path_create(RMI_PAYLOAD_VP8, 320, 180);
        p->pixels = pixels[i];
        path_run(p, 6);
        assert_int_equal(p->frames, 6);
        assert_true(p->psnr_least > GOOD_DB);
        path_destroy(p);
    }
}

/* Only RGB has odd sides; the last row and column are left out. */
static void odd_sizes_lose_a_row_and_a_column(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 323, 241);
        p->pixels = RM_PIXEL_RGB24;
        path_run(p, 5);
        assert_int_equal(p->frames, 5);
        assert_true(p->psnr_least > GOOD_DB);
        assert_int_equal(path_stats(p).width, 322);
        assert_int_equal(path_stats(p).height, 240);
        path_destroy(p);
    }
}

static void the_size_may_change_in_mid_stream(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 640, 360);
        path_run(p, 8);
        kit_source_size(&p->source, 360, 640);
        path_run(p, 8);
        assert_int_equal(path_stats(p).width, 360);
        kit_source_size(&p->source, 320, 180);
        path_run(p, 8);
        struct rmi_video_receiver_stats stats = path_stats(p);
        assert_int_equal(p->frames, 24);
        assert_int_equal(stats.key_frames, 3);
        assert_int_equal(stats.width, 320);
        assert_int_equal(stats.height, 180);
        assert_true(p->psnr_least > GOOD_DB);
        path_destroy(p);
    }
}

static void large_pictures_are_scaled_to_the_limit(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_H264, 1280, 720);
    struct rmi_video_sender_settings settings = {800000, 30, 640, 480, false};
    assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
    path_run(p, 3);
    assert_int_equal(path_stats(p).width, 640);
    assert_int_equal(path_stats(p).height, 360);
    kit_source_size(&p->source, 720, 1280); /* the limit is for either way round */
    path_run(p, 3);
    assert_int_equal(path_stats(p).width, 360);
    assert_int_equal(path_stats(p).height, 640);
    settings.max_width = 4096;
    settings.max_height = 4096;
    assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
    path_run(p, 3);
    assert_int_equal(path_stats(p).height, 1280);
    assert_int_equal(p->frames, 9);
    path_destroy(p);
}

/* Bits per second over a second. */
static double measure_rate(struct path *p, int frames, int64_t interval_us) {
    size_t before = p->sent_bytes;
    for (int i = 0; i < frames; i++)
        assert_int_equal(path_step_by(p, interval_us), RM_OK);
    return (double)(p->sent_bytes - before) * 8 * 1e6 / (double)(frames * interval_us);
}

static void a_new_bitrate_holds_within_two_seconds(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        kit_source_fini(&p->source);
        kit_source_init(&p->source, 320, 180, 60);
        struct rmi_video_sender_settings settings = {800000, 30, 1280, 720, false};
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        path_run(p, 60);
        double high = measure_rate(p, 30, FRAME_US);
        settings.bitrate_bps = 250000;
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        path_run(p, 30); /* the second second counts */
        double low = measure_rate(p, 30, FRAME_US);
        settings.bitrate_bps = 800000;
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        path_run(p, 30);
        double again = measure_rate(p, 30, FRAME_US);
        print_message("format %d: %.0f, %.0f, %.0f kbit/s\n", formats[f], high / 1e3, low / 1e3, again / 1e3);
        assert_true(high > 600e3 && high < 1000e3);
        assert_true(low > 150e3 && low < 320e3);
        assert_true(again > 600e3 && again < 1000e3);
        assert_int_equal(path_stats(p).key_frames, 1); /* none of it needs a new start */
        path_destroy(p);
    }
}

/* A camera of half the rate gets the whole bitrate. */
static void the_bitrate_holds_at_the_rate_frames_come_at(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        kit_source_fini(&p->source);
        kit_source_init(&p->source, 320, 180, 60);
        struct rmi_video_sender_settings settings = {500000, 30, 1280, 720, false};
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        (void)measure_rate(p, 48, 2 * FRAME_US);
        double rate = measure_rate(p, 30, 2 * FRAME_US);
        print_message("format %d: %.0f kbit/s at 15 pictures a second\n", formats[f], rate / 1e3);
        assert_true(rate > 400e3 && rate < 600e3);
        path_destroy(p);
    }
}

static int sent_of(double max_fps, int64_t interval_us, int frames) {
    struct path *p = path_create(RMI_PAYLOAD_H264, 64, 48);
    const struct rmi_video_sender_settings settings = {200000, max_fps, 1280, 720, false};
    assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
    for (int i = 0; i < frames; i++) {
        /* Cameras jitter by some milliseconds. */
        int64_t jitter = interval_us / 8 * (i % 3 - 1);
        p->now_us += jitter;
        rm_err err = path_step_by(p, interval_us - jitter);
        assert_true(err == RM_OK || err == RM_E_AGAIN);
    }
    struct rmi_video_sender_stats stats;
    rmi_video_sender_get_stats(p->sender, &stats);
    assert_int_equal(stats.frames + stats.skipped, frames);
    assert_int_equal(stats.frames, p->frames);
    path_destroy(p);
    return (int)stats.frames;
}

static void the_frame_rate_is_limited_evenly(void **state) {
    (void)state;
    assert_in_range(sent_of(30, FRAME_US, 90), 90, 90); /* jitter costs none */
    assert_in_range(sent_of(30, FRAME_US / 2, 180), 88, 91);
    assert_in_range(sent_of(20, FRAME_US, 90), 58, 61);
    assert_in_range(sent_of(24, FRAME_US, 90), 70, 73);
    assert_in_range(sent_of(1, FRAME_US, 90), 3, 4);
    assert_in_range(sent_of(30, 10 * FRAME_US, 20), 20, 20);
}

static void requests_for_key_frames_are_one(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        path_run(p, 5);
        assert_false(p->last_key);
        for (int i = 0; i < 3; i++)
            rmi_video_sender_request_key(p->sender);
        path_run(p, 1);
        assert_true(p->last_key);
        path_run(p, 5);
        assert_int_equal(path_stats(p).key_frames, 2);
        path_destroy(p);
    }
}

/* ---- faults ---- */

static bool lose_one(struct path *p, const struct wire_packet *w) {
    return p->t == 10 && w->index == 0;
}

static void a_loss_is_answered_by_a_key_frame(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 640, 360);
        p->lose = lose_one;
        path_run(p, 60);
        struct rmi_video_receiver_stats stats = path_stats(p);
        assert_int_equal(p->lost, 1);
        assert_int_equal(p->requests, 1);
        assert_int_equal(stats.key_frames, 2);
        assert_int_equal(stats.decode_errors, 0);
        assert_int_equal(p->errors, 0);
        /* Three repairs are waited for, 405 ms at the round trip that is assumed, then a key frame is asked for, and
         * everything after the answer is there. */
        assert_in_range(p->frames, 60 - 15, 60 - 2);
        assert_true(p->psnr > GOOD_DB);
        assert_int_equal(p->last_out_us, p->now_us - FRAME_US);
        path_destroy(p);
    }
}

static bool lose_the_begin(struct path *p, const struct wire_packet *w) {
    (void)w;
    return p->t <= 3;
}

static void who_comes_late_asks_for_a_key_frame(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        p->lose = lose_the_begin;
        path_run(p, 12);
        assert_int_equal(p->requests, 1);
        assert_in_range(p->frames, 6, 8); /* a grace of 20 ms for a key frame overtaken, and one interval */
        assert_true(p->psnr > GOOD_DB);
        path_destroy(p);
    }
}

static bool lose_many(struct path *p, const struct wire_packet *w) {
    return (w->seq * 2654435761U + (unsigned)p->t * 40503U) / 65536 % 100 < 2; /* two of a hundred */
}

/* What comes out is whole, whatever is lost; without repairs most of the time is spent waiting. */
static void heavy_loss_never_shows_a_broken_picture(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 160, 120);
        p->lose = lose_many;
        path_run(p, 300);
        assert_true(p->lost > 2);
        assert_true(p->requests > 1);
        print_message("format %d: %zu of 300 frames, %u packets lost, %u requests\n", formats[f], p->frames, p->lost,
                      p->requests);
        assert_true(p->frames > 50); /* a request is allowed every half second, and costs eleven frames */
        assert_int_equal(path_stats(p).decode_errors, 0);
        p->lose = NULL;
        path_run(p, 30);
        assert_true(p->psnr > GOOD_DB);
        path_destroy(p);
    }
}

static void packets_may_come_in_another_order(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 640, 360);
        p->shuffle = true;
        path_run(p, 30);
        assert_int_equal(p->frames, 30);
        assert_int_equal(p->requests, 0);
        assert_true(p->psnr_least > GOOD_DB);
        path_destroy(p);
    }
}

static void the_codec_may_change_in_mid_stream(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_VP9, 320, 180);
    path_run(p, 40);
    for (size_t f = 0; f < 2 * FORMATS; f++) {
        struct rmi_video_sender_config config = path_sender_config(formats[f % FORMATS]);
        int64_t before = p->last_time_us;
        path_new_sender(p, &config);
        path_run(p, 40);
        assert_in_range(p->last_time_us - before, 40 * FRAME_US - RMI_MS(1), 40 * FRAME_US + RMI_MS(1));
    }
    struct rmi_video_receiver_stats stats = path_stats(p);
    assert_int_equal(p->frames, 7 * 40);
    assert_int_equal(stats.key_frames, 7);
    assert_int_equal(stats.decoder.decoded, 7 * 40);
    assert_int_equal(p->requests, 0);
    assert_true(p->psnr_least > GOOD_DB);
    path_destroy(p);
}

/* Each change gives a second's allowance of pixels, so there is one in a second. */
static void codecs_do_not_change_with_every_frame(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_VP8, 320, 180);
    path_run(p, 1);
    for (int i = 0; i < 90; i++) { /* three seconds */
        struct rmi_video_sender_config config = path_sender_config(i % 2 ? RMI_PAYLOAD_VP8 : RMI_PAYLOAD_VP9);
        path_new_sender(p, &config);
        path_run(p, 1);
    }
    assert_true(p->errors > 0);
    assert_in_range(p->frames + p->errors, 85, 91);
    struct rmi_video_receiver_stats stats = path_stats(p);
    assert_int_equal(stats.decode_errors, p->errors);
    path_run(p, 40);
    assert_true(p->psnr > GOOD_DB);
    path_destroy(p);
}

static void another_source_takes_over(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        path_run(p, 20);
        p->ssrc = 99;
        p->seq = 7;
        p->timestamp_offset = 12345;
        rmi_video_sender_request_key(p->sender);
        path_run(p, 20);
        assert_int_equal(p->frames, 40);
        assert_in_range(p->last_time_us, 39 * FRAME_US - RMI_MS(1), 39 * FRAME_US + RMI_MS(1));
        assert_true(p->psnr_least > GOOD_DB);
        path_destroy(p);
    }
}

static void timestamps_may_leap(void **state) {
    (void)state;
    static const uint32_t leaps[] = {90000 * 3600U, 0x80000000U, (uint32_t)-90000, 17};
    for (size_t i = 0; i < sizeof leaps / sizeof *leaps; i++) {
        struct path *p = path_create(RMI_PAYLOAD_VP9, 320, 180);
        path_run(p, 10);
        p->timestamp_offset += leaps[i];
        path_run(p, 10);
        assert_int_equal(p->frames, 20);
        assert_in_range(p->last_time_us, 19 * FRAME_US - RMI_MS(1), 19 * FRAME_US + RMI_MS(1));
        assert_int_equal(p->requests, 0);
        path_destroy(p);
    }
}

/* ---- costs ---- */

static int64_t slow_clock(void *ctx) {
    struct path *p = ctx; /* each look at it is 20 ms after the one before */
    return p->spent_us += RMI_MS(20);
}

static void a_slow_encoder_gets_smaller_pictures(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 240);
        struct rmi_video_sender_config config = path_sender_config(formats[f]);
        struct rmi_video_sender_stats stats;
        config.clock_us = slow_clock;
        path_new_sender(p, &config);
        path_run(p, 5);
        assert_int_equal(path_stats(p).width, 320);
        path_run(p, 180);
        rmi_video_sender_get_stats(p->sender, &stats);
        assert_int_equal(stats.encode_us, RMI_MS(20));
        bool governed = formats[f] != RMI_PAYLOAD_H264;
        assert_int_equal(stats.governor_step, governed ? 4 : 0);
        assert_int_equal(path_stats(p).width, governed ? 80 : 320);
        assert_int_equal(stats.width, governed ? 80 : 320);
        assert_int_equal(p->frames, 185);
        path_destroy(p);
    }
}

static void nothing_is_allocated_in_the_steady_state(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        path_run(p, 60);
        rmi_video_sender_request_key(p->sender); /* large frames have been seen */
        path_run(p, 60);
        size_t pool = path_stats(p).pool_allocations, ours = 0;
        for (int i = 0; i < 120; i++) {
            rm_runtime_data *frame = path_frame(p);
            size_t before = heap_calls;
            assert_int_equal(rmi_video_sender_input(p->sender, frame, p->now_us), RM_OK);
            path_deliver(p);
            ours += heap_calls - before;
            rm_runtime_data_unref(&frame);
            p->now_us += FRAME_US;
        }
        assert_int_equal(ours, 0); /* the codecs of Debian 12 keep their memory as well */
        assert_int_equal(path_stats(p).pool_allocations, pool);
        if (formats[f] == RMI_PAYLOAD_VP9)
            assert_int_equal(pool, 0); /* pictures are the decoder's own */
        path_destroy(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_and_size_arrives_whole_and_sharp),
        cmocka_unit_test(every_pixel_format_is_sent),
        cmocka_unit_test(odd_sizes_lose_a_row_and_a_column),
        cmocka_unit_test(the_size_may_change_in_mid_stream),
        cmocka_unit_test(large_pictures_are_scaled_to_the_limit),
        cmocka_unit_test(a_new_bitrate_holds_within_two_seconds),
        cmocka_unit_test(the_bitrate_holds_at_the_rate_frames_come_at),
        cmocka_unit_test(the_frame_rate_is_limited_evenly),
        cmocka_unit_test(requests_for_key_frames_are_one),
        cmocka_unit_test(a_loss_is_answered_by_a_key_frame),
        cmocka_unit_test(who_comes_late_asks_for_a_key_frame),
        cmocka_unit_test(heavy_loss_never_shows_a_broken_picture),
        cmocka_unit_test(packets_may_come_in_another_order),
        cmocka_unit_test(the_codec_may_change_in_mid_stream),
        cmocka_unit_test(codecs_do_not_change_with_every_frame),
        cmocka_unit_test(another_source_takes_over),
        cmocka_unit_test(timestamps_may_leap),
        cmocka_unit_test(a_slow_encoder_gets_smaller_pictures),
        cmocka_unit_test(nothing_is_allocated_in_the_steady_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
