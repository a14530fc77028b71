/* SPDX-License-Identifier: Apache-2.0 */
/* A sender alone: settings, sizes, times, encoded input. */
#include "jitter/order.h"
#include "session/media_clock.h"
#include "session/picture.h"
#include "session/video_testkit.h"

static const enum rmi_payload_format formats[] = {RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264};
#define FORMATS (sizeof formats / sizeof *formats)

static void settings_are_checked(void **state) {
    (void)state;
    struct rmi_video_sender *s = NULL;
    const struct rmi_video_sender_config good = path_sender_config(RMI_PAYLOAD_VP9);
    assert_int_equal(rmi_video_sender_create(NULL, &s), RM_E_INVALID_ARG);
    for (int i = 0; i < 9; i++) {
        struct rmi_video_sender_config c = good;
        switch (i) {
        case 0:
            c.format = RMI_PAYLOAD_OPUS;
            break;
        case 1:
            c.on_batch = NULL;
            break;
        case 2:
            c.settings.bitrate_bps = RMI_VIDEO_BITRATE_MIN_BPS - 1;
            break;
        case 3:
            c.settings.max_fps = 0.5;
            break;
        case 4:
            c.settings.max_fps = RMI_VIDEO_FPS_MAX + 1;
            break;
        case 5:
            c.settings.max_width = RMI_VIDEO_SIDE_MAX + 1;
            break;
        case 6:
            c.settings.max_height = RMI_VIDEO_SIDE_MIN - 1;
            break;
        case 7:
            c.max_payload = 63;
            break;
        default:
            c.h264_mode = 2;
        }
        assert_int_equal(rmi_video_sender_create(&c, &s), RM_E_INVALID_ARG);
    }
    assert_int_equal(rmi_video_sender_create(&good, &s), RM_OK);
    struct rmi_video_sender_settings settings = good.settings;
    settings.bitrate_bps = RMI_VIDEO_BITRATE_MAX_BPS + 1;
    assert_int_equal(rmi_video_sender_configure(s, &settings), RM_E_INVALID_ARG);
    rmi_video_sender_destroy(&s);
    rmi_video_sender_destroy(&s);
}

static void foreign_input_is_refused(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_VP9, 64, 48);
    uint8_t bytes[100] = {0};
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_buf_copy(bytes, sizeof bytes, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, 10, 48000, 1, &data), RM_OK);
    assert_int_equal(rmi_video_sender_input(p->sender, data, p->now_us), RM_E_INVALID_ARG);
    rm_runtime_data_unref(&data);
    static const rm_codec others[] = {RM_CODEC_RAW, RM_CODEC_VP8, RM_CODEC_H264, RM_CODEC_AV1};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 100, others[i], 64, 48, true, 0, 0, &data), RM_OK);
        assert_int_equal(rmi_video_sender_input(p->sender, data, p->now_us), RM_E_UNSUPPORTED);
        rm_runtime_data_unref(&data);
    }
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 100, RM_CODEC_VP9, 64, 48, true, 0, 0, &data), RM_OK);
    assert_int_equal(rmi_video_sender_input(p->sender, data, p->now_us), RM_E_PARSE); /* says it is, and is not */
    rm_runtime_data_unref(&data);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_RGBA32, 1, 25, 0, 0, &data), RM_OK);
    assert_int_equal(rmi_video_sender_input(p->sender, data, p->now_us), RM_E_INVALID_ARG); /* one pixel wide */
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    assert_int_equal(p->batches, 0);
    p->now_us += FRAME_US;
    path_run(p, 3);
    assert_int_equal(p->frames, 3);
    path_destroy(p);
}

static void expect_fit(uint32_t w, uint32_t h, uint32_t max_long, uint32_t max_short, int out_w, int out_h) {
    int got_w, got_h;
    rmi_picture_fit(w, h, max_long, max_short, &got_w, &got_h);
    assert_int_equal(got_w, out_w);
    assert_int_equal(got_h, out_h);
}

static void sizes_fit_by_fast_ratios_where_these_come_near(void **state) {
    (void)state;
    expect_fit(1280, 720, 1280, 720, 1280, 720);
    expect_fit(641, 361, 1280, 720, 640, 360);
    expect_fit(1280, 720, 960, 540, 960, 540);   /* 3/4 */
    expect_fit(1280, 720, 1000, 1000, 960, 540); /* 3/4 comes near */
    expect_fit(1280, 720, 640, 480, 640, 360);   /* 1/2 */
    expect_fit(1280, 720, 320, 240, 320, 180);   /* 1/4 */
    expect_fit(1920, 1080, 1280, 720, 1280, 720);
    expect_fit(1080, 1920, 1280, 720, 720, 1280);
    expect_fit(1000, 1000, 1280, 720, 720, 720); /* 3/4 is over */
    expect_fit(960, 960, 1280, 720, 720, 720);   /* 3/4 */
    expect_fit(1278, 720, 640, 360, 638, 360);   /* even sides */
    expect_fit(16384, 16, 1280, 720, 1280, 16);  /* no side under the codecs' least */
    expect_fit(8, 8, 1280, 720, 16, 16);
    expect_fit(16384, 16384, 4096, 4096, 4096, 4096);
    expect_fit(3840, 2160, 1280, 720, 1280, 720); /* 1/4 and 1/2 are not near */
}

/* Where the path has no more than the bitrate: after a fall from 2 Mbit/s no more is made, from the second picture on,
 * than that takes and 250 ms and a picture, key frames and all. */
static void a_limited_bitrate_is_never_far_exceeded(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 640, 360);
        struct rmi_video_sender_settings settings = {2000000, 30, 1280, 720, false};
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        path_run(p, 45);
        const double full = (double)p->sent_bytes * 8 / (45 * FRAME_US / 1e6);
        settings = (struct rmi_video_sender_settings){240000, 30, 1280, 720, true};
        assert_int_equal(rmi_video_sender_configure(p->sender, &settings), RM_OK);
        const size_t from = p->sent_bytes;
        size_t first = 0, largest = 0;
        for (int i = 1; i <= 90; i++) {
            const size_t before = p->sent_bytes;
            if (i == 45)
                rmi_video_sender_request_key(p->sender);
            (void)path_step_by(p, FRAME_US);
            const size_t made = p->sent_bytes - before;
            first = i == 1 ? made : first;
            largest = made > largest ? made : largest;
            const double ms = (double)(p->sent_bytes - from) * 8e3 / settings.bitrate_bps;
            assert_true(ms <= i * FRAME_US / 1e3 + 250 + (double)largest * 8e3 / settings.bitrate_bps);
        }
        struct rmi_video_sender_stats stats;
        rmi_video_sender_get_stats(p->sender, &stats);
        const double low = (double)(p->sent_bytes - from) * 8 / (90 * FRAME_US / 1e6);
        print_message(
            "format %d: %.0f, then %.0f kbit/s; the first picture %.0f ms of it, the largest %.0f, %u left out\n",
            formats[f], full / 1e3, low / 1e3, (double)first * 8e3 / 240e3, (double)largest * 8e3 / 240e3,
            (unsigned)stats.held);
        assert_true(low < 1.15 * settings.bitrate_bps && low > 0.5 * settings.bitrate_bps);
        assert_true(stats.held < 75 && stats.key_frames == 2);
        path_destroy(p);
    }
}

/* For all sizes: inside the limit, even, and the aspect kept to a pixel or two. */
static void every_size_fits(void **state) {
    (void)state;
    for (uint32_t w = 64; w < 2200; w += 37)
        for (uint32_t h = 64; h < 2200; h += 41) {
            int ow, oh;
            rmi_picture_fit(w, h, 1280, 720, &ow, &oh);
            int wide = ow > oh ? ow : oh, narrow = ow > oh ? oh : ow;
            assert_true(wide <= 1280 && narrow <= 720 && ow % 2 == 0 && oh % 2 == 0);
            double aspect = (double)w / h, error = fabs(ow - oh * aspect);
            assert_true(narrow <= RMI_VIDEO_SIDE_MIN || error <= 2 + 2 * aspect);
        }
}

/* ---- times ---- */

static void even_times_are_followed(void **state) {
    (void)state;
    struct rmi_media_clock c = {0};
    int64_t now = RMI_SEC(5), own = 77, first = rmi_media_clock_step(&c, own, now);
    assert_int_equal(first, now);
    for (int i = 1; i < 1000; i++) {
        int64_t jitter = i % 2 ? RMI_MS(15) : -RMI_MS(5), before = c.clock_us;
        own += FRAME_US;
        int64_t t = rmi_media_clock_step(&c, own, now + i * FRAME_US + jitter);
        assert_in_range(t - before, FRAME_US - 100, FRAME_US + 100); /* the jitter is gone */
    }
    assert_in_range(c.clock_us, now + 999 * FRAME_US - RMI_MS(5), now + 999 * FRAME_US + RMI_MS(15));
}

static void a_drifting_clock_is_held_without_a_jump(void **state) {
    (void)state;
    struct rmi_media_clock c = {0};
    int64_t now = 0;
    (void)rmi_media_clock_step(&c, 0, 0);
    for (int64_t i = 1; i < 1000000; i++) { /* nine hours, 200 ppm */
        int64_t before = c.clock_us;
        now = i * FRAME_US;
        int64_t step = rmi_media_clock_step(&c, now + now / 5000, now) - before;
        assert_in_range(step, FRAME_US - 50, FRAME_US + 50);
    }
    assert_in_range(c.clock_us - now, 0, RMI_MS(5));
}

static void follow_now(int64_t own_step, int64_t now_step, int frames, int64_t within_us) {
    struct rmi_media_clock c = {0};
    int64_t last = rmi_media_clock_step(&c, 0, 0);
    for (int i = 1; i < frames; i++) {
        int64_t t = rmi_media_clock_step(&c, own_step * i, now_step * i);
        assert_true(t > last);
        last = t;
        assert_true(llabs(t - now_step * i) <= within_us);
    }
}

static void uneven_times_are_not(void **state) {
    (void)state;
    follow_now(0, FRAME_US, 100, 0);                        /* always the same */
    follow_now(-1000, FRAME_US, 100, 0);                    /* backwards */
    follow_now(33, FRAME_US, 1000, RMI_MS(550));            /* milliseconds taken for microseconds */
    follow_now(FRAME_US, FRAME_US / 10, 1000, RMI_MS(550)); /* a file read ten times as fast */
    struct rmi_media_clock c = {0};
    assert_int_equal(rmi_media_clock_step(&c, -1, 5), 5);
    assert_int_equal(rmi_media_clock_step(&c, -1, 40000), 40000); /* none given */
    assert_int_equal(rmi_media_clock_step(&c, INT64_MAX, 80000), 80000);
    assert_int_equal(rmi_media_clock_step(&c, 0, 120000), 120000);
    assert_int_equal(rmi_media_clock_step(&c, FRAME_US, 120000), 121000); /* it always grows */
}

static void trust_comes_back(void **state) {
    (void)state;
    struct rmi_media_clock c = {0};
    int64_t now = 0, own = 0;
    for (int i = 0; i < 200; i++, now += FRAME_US, own += FRAME_US) {
        own += i == 50 ? RMI_SEC(100) : 0; /* a cut */
        int64_t before = c.clock_us, jitter = i % 2 * RMI_MS(8);
        int64_t step = rmi_media_clock_step(&c, own, now + jitter) - before;
        if (i > 100)
            assert_in_range(step, FRAME_US - 50, FRAME_US + 50);
    }
}

static void packets_carry_the_frames_times(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_VP8, 64, 48);
    int64_t start = p->now_us;
    const uint32_t first = (uint32_t)rmi_us_to_ticks(start, 90000);
    path_run(p, 10);
    assert_int_equal(p->last_capture_us, start + 9 * FRAME_US);
    assert_in_range(p->last_timestamp - first, 9 * 3000 - 1, 9 * 3000);
    p->now_us += RMI_SEC(7); /* a pause */
    path_run(p, 2);
    assert_int_equal(p->last_capture_us, start + RMI_SEC(7) + 11 * FRAME_US);
    assert_in_range(p->last_timestamp - first, 7 * 90000 + 11 * 3000 - 1, 7 * 90000 + 11 * 3000);
    path_destroy(p);
}

/* ---- encoded input ---- */

struct recorded {
    rm_runtime_data *frame[12];
};

static void record(enum rmi_payload_format format, struct recorded *out) {
    const struct rmi_video_receiver_config config = {.max_delay_us = RMI_MS(100), .stream_id = "camera"};
    struct path *p = path_create(format, 64, 48);
    rmi_video_receiver_destroy(&p->receiver);
    assert_int_equal(rmi_video_receiver_create(&config, &p->receiver), RM_OK);
    for (int i = 0; i < 12; i++) {
        if (i == 6)
            rmi_video_sender_request_key(p->sender);
        path_run(p, 1);
        out->frame[i] = rm_runtime_data_ref(p->kept);
    }
    path_destroy(p);
}

static void encoded_input_begins_with_a_key_frame(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct recorded r;
        record(formats[f], &r);
        struct path *p = path_create(formats[f], 64, 48);
        assert_int_equal(rmi_video_sender_input(p->sender, r.frame[3], p->now_us), RM_E_STATE);
        p->now_us += 3 * FRAME_US;
        assert_int_equal(rmi_video_sender_input(p->sender, r.frame[6], p->now_us), RM_OK);
        assert_true(p->last_key);
        rmi_video_sender_request_key(p->sender); /* nobody can answer; the others go on */
        assert_int_equal(rmi_video_sender_input(p->sender, r.frame[7], p->now_us + FRAME_US), RM_OK);
        assert_false(p->last_key);
        path_deliver(p);
        p->now_us += 2 * FRAME_US;
        /* Raw pictures in between are another stream, for the encoder and for what comes after. */
        path_run(p, 1);
        assert_true(p->last_key);
        path_run(p, 1);
        assert_false(p->last_key);
        assert_int_equal(rmi_video_sender_input(p->sender, r.frame[8], p->now_us), RM_E_STATE);
        assert_int_equal(rmi_video_sender_input(p->sender, r.frame[0], p->now_us), RM_OK);
        path_deliver(p);
        p->now_us += FRAME_US;
        path_run(p, 1);
        assert_true(p->last_key);
        assert_int_equal(p->frames, 6);
        assert_int_equal(p->errors, 0);
        for (int i = 0; i < 12; i++)
            rm_runtime_data_unref(&r.frame[i]);
        path_destroy(p);
    }
}

/* ---- batches that nobody gives back ---- */

struct hoard {
    const struct rmi_rtp_batch *batch[1024];
    size_t count;
    bool last_key;
};

static void hoard(void *ctx, const struct rmi_rtp_batch *batch) {
    struct hoard *h = ctx;
    assert_true(h->count < 1024);
    h->batch[h->count++] = rmi_rtp_batch_ref(batch);
    h->last_key = batch->key_frame;
}

static void a_full_pool_costs_frames_and_then_a_key_frame(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_H264, 32, 32);
    struct hoard h = {.count = 0};
    struct rmi_video_sender_config config = path_sender_config(RMI_PAYLOAD_H264);
    struct rmi_video_sender *s = NULL;
    struct rmi_video_sender_stats stats;
    config.on_batch = hoard;
    config.ctx = &h;
    assert_int_equal(rmi_video_sender_create(&config, &s), RM_OK);
    rm_err err = RM_OK;
    for (int i = 0; i < 1024 && !err; i++) {
        rm_runtime_data *frame = path_frame(p);
        err = rmi_video_sender_input(s, frame, p->now_us);
        rm_runtime_data_unref(&frame);
        p->now_us += FRAME_US;
    }
    assert_int_equal(err, RM_E_LIMIT);
    rmi_video_sender_get_stats(s, &stats);
    assert_int_equal(stats.exhausted, 1);
    assert_int_equal(stats.frames, h.count);
    assert_int_equal(stats.key_frames, 1);
    rmi_rtp_batch_unref(&h.batch[--h.count]);
    rm_runtime_data *frame = path_frame(p);
    assert_int_equal(rmi_video_sender_input(s, frame, p->now_us), RM_OK);
    assert_true(h.last_key); /* what it would refer to, nobody has */
    rm_runtime_data_unref(&frame);
    rmi_video_sender_destroy(&s); /* batches outlive it */
    for (size_t i = 0; i < h.count; i++) {
        assert_true(h.batch[i]->bytes > 0);
        rmi_rtp_batch_unref(&h.batch[i]);
    }
    path_destroy(p);
}

/* What Chromium wants of VP9 without flexible mode, and of VP8: ids that count, TL0PICIDX, a structure in key frames.
 */
static void descriptors_count_the_pictures(void **state) {
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        struct path *p = path_create(formats[f], 320, 180);
        for (int i = 0; i < 300; i++) {
            rm_runtime_data *frame = path_frame(p);
            if (i == 299)
                rmi_video_sender_request_key(p->sender);
            assert_int_equal(rmi_video_sender_input(p->sender, frame, p->now_us), RM_OK);
            rm_runtime_data_unref(&frame);
            const struct rmi_rtp_batch *b = p->wire[0].batch;
            const uint8_t *payload = b->data + b->payload[0].offset, *body;
            size_t body_len;
            if (formats[f] == RMI_PAYLOAD_VP8) {
                struct rmi_vp8_desc d;
                assert_int_equal(rmi_vp8_parse(payload, b->payload[0].len, &d, &body, &body_len), RM_OK);
                assert_true(d.has_picture_id && d.long_picture_id && d.start && d.partition == 0);
                assert_int_equal(d.picture_id, i);
            } else {
                struct rmi_vp9_desc d;
                assert_int_equal(rmi_vp9_parse(payload, b->payload[0].len, &d, &body, &body_len), RM_OK);
                assert_true(d.has_picture_id && d.long_picture_id && d.start && d.has_layers && !d.flexible);
                assert_int_equal(d.picture_id, i);
                assert_int_equal(d.tl0_index, i % 256);
                assert_int_equal(d.inter, i != 0 && i != 299);
                assert_int_equal(d.has_structure, !d.inter);
                if (d.has_structure) {
                    assert_int_equal(d.structure.width[0], 320);
                    assert_int_equal(d.structure.height[0], 180);
                    assert_true(d.structure.has_gof);
                }
            }
            path_deliver(p);
            p->now_us += FRAME_US;
        }
        path_destroy(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limited_bitrate_is_never_far_exceeded),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(foreign_input_is_refused),
        cmocka_unit_test(sizes_fit_by_fast_ratios_where_these_come_near),
        cmocka_unit_test(every_size_fits),
        cmocka_unit_test(even_times_are_followed),
        cmocka_unit_test(a_drifting_clock_is_held_without_a_jump),
        cmocka_unit_test(uneven_times_are_not),
        cmocka_unit_test(trust_comes_back),
        cmocka_unit_test(packets_carry_the_frames_times),
        cmocka_unit_test(encoded_input_begins_with_a_key_frame),
        cmocka_unit_test(a_full_pool_costs_frames_and_then_a_key_frame),
        cmocka_unit_test(descriptors_count_the_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
