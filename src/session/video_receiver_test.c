/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver that gets nonsense, and what it gives when nothing is decoded. */
#include "session/video_testkit.h"

static const enum rmi_payload_format formats[] = {RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264};
#define FORMATS (sizeof formats / sizeof *formats)
#define GOOD_DB 30

static const struct rmi_video_receiver_config plain = {.max_delay_us = RMI_MS(100), .decode = true};

static struct rmi_video_receiver *create(const struct rmi_video_receiver_config *config) {
    struct rmi_video_receiver *r = NULL;
    assert_int_equal(rmi_video_receiver_create(config, &r), RM_OK);
    return r;
}

struct feed {
    uint32_t timestamp;
    uint16_t seq;
    int64_t now_us;
};

static void insert(struct rmi_video_receiver *r, struct feed *f, enum rmi_payload_format format, const void *bytes,
                   size_t len, bool marker) {
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_copy(bytes, len, &buf), RM_OK);
    const struct rmi_video_in in = {.format = format,
                                    .ssrc = 5,
                                    .timestamp = f->timestamp,
                                    .seq = f->seq++,
                                    .marker = marker,
                                    .arrival_us = f->now_us,
                                    .buf = buf,
                                    .len = (uint32_t)len};
    rmi_video_receiver_insert(r, &in);
    rm_buf_unref(&buf);
}

static rm_err whole(struct rmi_video_receiver *r, struct feed *f, enum rmi_payload_format format, const void *bytes,
                    size_t len) {
    rm_runtime_data *data = NULL;
    insert(r, f, format, bytes, len, true);
    rm_err err = rmi_video_receiver_pop(r, f->now_us, &data);
    assert_true((err == RM_OK) == (data != NULL));
    rm_runtime_data_unref(&data);
    f->timestamp += 3000;
    f->now_us += FRAME_US;
    return err;
}

static struct rmi_video_receiver_stats stats_of(const struct rmi_video_receiver *r) {
    struct rmi_video_receiver_stats stats;
    rmi_video_receiver_get_stats(r, &stats);
    return stats;
}

static void settings_are_checked(void **state) {
    (void)state;
    struct rmi_video_receiver *r = NULL;
    struct rmi_video_receiver_config config = plain;
    assert_int_equal(rmi_video_receiver_create(NULL, &r), RM_E_INVALID_ARG);
    config.max_delay_us = RMI_MS(9);
    assert_int_equal(rmi_video_receiver_create(&config, &r), RM_E_INVALID_ARG);
    config = plain;
    config.stream_id = "0123456789012345678901234567890123456789012345678901234567890123456789";
    assert_int_equal(rmi_video_receiver_create(&config, &r), RM_E_INVALID_ARG);
    config.stream_id = "line\nbreak";
    assert_int_equal(rmi_video_receiver_create(&config, &r), RM_E_INVALID_ARG);
    config = plain;
    config.limits.max_width = 640;
    assert_int_equal(rmi_video_receiver_create(&config, &r), RM_E_INVALID_ARG);
    assert_null(r);
    rmi_video_receiver_destroy(&r);
    rmi_video_receiver_destroy(NULL);
}

static void a_fresh_one_has_nothing_to_do(void **state) {
    (void)state;
    struct rmi_video_receiver *r = create(&plain);
    rm_runtime_data *data = NULL;
    struct rmi_av_timing timing;
    assert_int_equal(rmi_video_receiver_pop(r, 5, &data), RM_E_AGAIN);
    assert_false(rmi_video_receiver_take_key_request(r, 5));
    assert_int_equal(rmi_video_receiver_next_deadline(r, 5), RMI_NEVER);
    rmi_video_receiver_timing(r, &timing);
    assert_false(timing.valid);
    rmi_video_receiver_destroy(&r);
}

static void every_single_byte_is_survived(void **state) {
    (void)state;
    for (int f = RMI_PAYLOAD_OPUS; f <= RMI_PAYLOAD_H264; f++) {
        struct rmi_video_receiver *r = create(&plain);
        struct feed feed = {.now_us = 1};
        for (int b = 0; b < 256; b++) {
            uint8_t byte = (uint8_t)b;
            assert_int_not_equal(whole(r, &feed, (enum rmi_payload_format)f, &byte, 1), RM_OK);
            (void)rmi_video_receiver_take_key_request(r, feed.now_us);
        }
        struct rmi_video_receiver_stats stats = stats_of(r);
        assert_int_equal(stats.frames, 0);
        assert_int_equal(stats.pool_allocations, 0);
        if (f != RMI_PAYLOAD_H264) /* a header alone is a unit of H.264 */
            assert_int_equal(stats.malformed, 256);
        assert_true(stats.buffer.keyframe_requests > 0);
        rmi_video_receiver_destroy(&r);
    }
}

static void offsets_outside_of_the_buffer_are_ignored(void **state) {
    (void)state;
    struct rmi_video_receiver *r = create(&plain);
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_create(10, &buf), RM_OK);
    struct rmi_video_in in = {.format = RMI_PAYLOAD_VP8, .buf = buf, .offset = 4, .len = 7};
    rmi_video_receiver_insert(r, &in);
    in.offset = UINT32_MAX;
    rmi_video_receiver_insert(r, &in);
    in.buf = NULL;
    rmi_video_receiver_insert(r, &in);
    assert_int_equal(stats_of(r).buffer.packets, 0);
    rm_buf_unref(&buf);
    rmi_video_receiver_destroy(&r);
}

/* Key frames of 16383 x 16383, 65536 x 65536 and 3840 x 2160 pixels, in a few bytes. */
static size_t huge(enum rmi_payload_format format, uint8_t *out) {
    static const uint8_t vp8[] = {0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0, 0, 0};
    struct kit_bits bits = {.bits = 0};
    if (format == RMI_PAYLOAD_VP8) {
        memcpy(out, vp8, sizeof vp8);
        return sizeof vp8;
    }
    if (format == RMI_PAYLOAD_VP9) {
        kit_put(&bits, 0x0c, 8);      /* descriptor: begins and ends a key frame */
        kit_put(&bits, 0x82, 8);      /* marker, profile 0, key frame shown */
        kit_put(&bits, 0x498342, 24); /* sync code */
        kit_put(&bits, 0, 4);         /* colour space and range */
        kit_put(&bits, 0xffff, 16);
        kit_put(&bits, 0xffff, 16);
        kit_put(&bits, 0, 32);
        kit_put(&bits, 1, 32);
    } else {
        kit_put(&bits, 0x78, 8); /* STAP-A of SPS and IDR slice */
        kit_put(&bits, 0, 16);   /* length: below */
        kit_put(&bits, 0x67420028, 32);
        kit_put_ue(&bits, 0); /* id */
        kit_put_ue(&bits, 0); /* frame number bits */
        kit_put_ue(&bits, 2); /* order by decoding */
        kit_put_ue(&bits, 1); /* references */
        kit_put(&bits, 0, 1);
        kit_put_ue(&bits, 239); /* macroblocks, less 1 */
        kit_put_ue(&bits, 134);
        kit_put(&bits, 0xc, 4);
        kit_put(&bits, 1, 1);
        while (bits.bits % 8)
            kit_put(&bits, 0, 1);
        bits.data[2] = (uint8_t)(kit_bytes(&bits) - 3);
        kit_put(&bits, 4, 16);
        kit_put(&bits, 0x65888040, 32);
    }
    memcpy(out, bits.data, kit_bytes(&bits));
    return kit_bytes(&bits);
}

static void huge_pictures_are_refused_unallocated(void **state) {
    (void)state;
    for (int decode = 0; decode < 2; decode++)
        for (size_t f = 0; f < FORMATS; f++) {
            struct rmi_video_receiver_config config = plain;
            config.decode = decode;
            struct rmi_video_receiver *r = create(&config);
            struct feed feed = {.now_us = 1};
            uint8_t bytes[64];
            size_t len = huge(formats[f], bytes);
            assert_int_equal(whole(r, &feed, formats[f], bytes, len), RM_E_TOO_BIG);
            struct rmi_video_receiver_stats stats = stats_of(r);
            assert_int_equal(stats.malformed, 0);
            assert_int_equal(stats.decode_errors, 1);
            assert_int_equal(stats.pool_allocations, 0);
            assert_int_equal(stats.width, 0);
            assert_true(rmi_video_receiver_take_key_request(r, feed.now_us));
            rmi_video_receiver_destroy(&r);
        }
}

static void limits_are_the_callers(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_VP9, 320, 180);
    const struct rmi_video_receiver_config config = {
        .max_delay_us = RMI_MS(100), .decode = true, .stream_id = "camera", .limits = {319, 319, 1000000000}};
    rmi_video_receiver_destroy(&p->receiver);
    p->receiver = create(&config);
    p->answer_requests = false;
    path_run(p, 5);
    assert_int_equal(p->frames, 0);
    assert_int_equal(p->errors, 1);
    assert_int_equal(path_stats(p).decoder.refused, 1);
    assert_int_equal(p->requests, 1);
    path_destroy(p);
}

/* A key frame of another codec in the middle of a frame, and one codec's bytes under another's name. */
static void frames_of_two_codecs_are_refused(void **state) {
    (void)state;
    struct rmi_video_receiver *r = create(&plain);
    struct feed feed = {.now_us = 1};
    rm_runtime_data *data = NULL;
    static const uint8_t vp8[] = {0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0}, vp9[] = {0x04, 1, 2};
    insert(r, &feed, RMI_PAYLOAD_VP8, vp8, sizeof vp8, false);
    insert(r, &feed, RMI_PAYLOAD_VP9, vp9, sizeof vp9, true);
    assert_int_equal(rmi_video_receiver_pop(r, feed.now_us, &data), RM_E_PARSE);
    assert_int_equal(rmi_video_receiver_pop(r, feed.now_us, &data), RM_E_AGAIN);
    rmi_video_receiver_destroy(&r);
}

static bool lose_a_picture(struct path *p, const struct wire_packet *w) {
    (void)w;
    return p->t == 5;
}

/* Parameter sets in front of a slice that is no key frame: to a jitter buffer it looks like one. */
static void a_key_frame_that_is_none_is_asked_for_again(void **state) {
    (void)state;
    struct path *p = path_create(RMI_PAYLOAD_H264, 64, 48);
    path_run(p, 4);
    p->lose = lose_a_picture;
    path_run(p, 1);
    assert_int_equal(p->frames, 4);
    static const uint8_t fake[] = {0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 3, 0x61, 0x9a, 0x11};
    struct feed feed = {.timestamp = p->timestamp_offset + p->last_timestamp + 3000, .seq = p->seq};
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_copy(fake, sizeof fake, &buf), RM_OK);
    const struct rmi_video_in in = {.format = RMI_PAYLOAD_H264,
                                    .ssrc = p->ssrc,
                                    .timestamp = feed.timestamp,
                                    .seq = p->seq++,
                                    .marker = true,
                                    .arrival_us = p->now_us + TRIP_US,
                                    .buf = buf,
                                    .len = sizeof fake};
    rmi_video_receiver_insert(p->receiver, &in);
    rm_buf_unref(&buf);
    p->answer_requests = false;
    path_take(p);
    assert_int_equal(p->frames, 4);
    assert_int_equal(p->errors, 1);
    assert_int_equal(p->requests, 1);
    assert_int_equal(path_stats(p).decode_errors, 0); /* nobody tried */
    rmi_video_sender_request_key(p->sender);
    path_run(p, 3);
    assert_int_equal(p->frames, 7);
    path_destroy(p);
}

/* Bytes of real packets turned over. Nothing may break, and a clean key frame mends all. */
static void damaged_packets_are_survived(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 160, 120);
        struct rmi_prng prng;
        rmi_prng_seed(&prng, 11 + f);
        struct rmi_rng rng = rmi_prng_rng(&prng);
        for (int i = 0; i < 150; i++) {
            rm_runtime_data *frame = path_frame(p);
            rm_err err = rmi_video_sender_input(p->sender, frame, p->now_us);
            assert_true(err == RM_OK);
            rm_runtime_data_unref(&frame);
            for (size_t w = 0; w < p->on_wire && i % 3 != 0; w++) { /* nobody else reads this batch */
                const struct rmi_rtp_batch *b = p->wire[w].batch;
                uint8_t *at = (uint8_t *)(uintptr_t)b->data + b->payload[p->wire[w].index].offset;
                size_t len = b->payload[p->wire[w].index].len, where = rmi_rng_range(&rng, 0, len < 24 ? len : 24);
                at[where < len ? where : 0] ^= (uint8_t)(1U << rmi_rng_range(&rng, 0, 7));
            }
            path_deliver(p);
            p->now_us += FRAME_US;
        }
        assert_true(path_stats(p).malformed + path_stats(p).decode_errors > 0);
        path_run(p, 40);
        assert_true(p->psnr > GOOD_DB);
        assert_int_equal(p->last_out_us, p->now_us - FRAME_US);
        path_destroy(p);
    }
}

#define HELD 40

/* A consumer that keeps all pictures. */
static void a_full_pool_costs_frames_but_no_key_frame(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 64, 48);
        rm_runtime_data *held[HELD] = {NULL};
        for (int i = 0; i < HELD; i++) {
            path_run(p, 1);
            held[i] = rm_runtime_data_ref(p->kept);
        }
        struct rmi_video_receiver_stats stats = path_stats(p);
        assert_true(stats.exhausted > 0);
        assert_int_equal(stats.exhausted, p->errors);
        assert_int_equal(p->frames + p->errors, HELD);
        for (int i = 0; i < HELD; i++)
            rm_runtime_data_unref(&held[i]);
        size_t before = p->frames;
        path_run(p, 5);
        assert_int_equal(p->frames, before + 5);
        assert_int_equal(p->requests, 0);
        assert_true(p->psnr_least > GOOD_DB);
        path_destroy(p);
    }
}

static void frames_outlive_their_receiver(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 64, 48);
        path_run(p, 3);
        rm_runtime_data *kept = rm_runtime_data_ref(p->kept);
        struct rmi_codec_picture drawn = kit_source_picture(&p->source);
        rmi_video_receiver_destroy(&p->receiver);
        struct rmi_codec_picture got = path_picture_of(rm_runtime_data_video(kept));
        assert_true(kit_psnr(&got, &drawn) > GOOD_DB);
        path_destroy(p);
        rm_runtime_data_unref(&kept);
    }
}

/* ---- encoded frames ---- */

/* Through a second sender and receiver, as a forwarding pipeline would do it. */
static void encoded_frames_come_out_and_go_on(void **state) {
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        struct path *p = path_create(formats[f], 320, 180), *q = path_create(formats[f], 320, 180);
        struct rmi_video_receiver_config config = {.max_delay_us = RMI_MS(100), .repair = true, .stream_id = "camera"};
        rmi_video_receiver_destroy(&p->receiver);
        p->receiver = create(&config);
        for (int i = 0; i < 40; i++) {
            if (i == 20)
                rmi_video_sender_request_key(p->sender);
            path_run(p, 1);
            const rm_video *v = rm_runtime_data_video(p->kept);
            assert_int_equal(v->format, RM_PIXEL_ENCODED);
            assert_int_equal(v->is_keyframe, i == 0 || i == 20);
            assert_int_equal(v->width, 320);
            assert_int_equal(v->height, 180);
            (void)kit_source_draw(&q->source, i); /* what path_take compares with */
            assert_int_equal(rmi_video_sender_input(q->sender, p->kept, p->now_us), RM_OK);
            assert_int_equal(q->last_key, v->is_keyframe);
            path_deliver(q);
            q->now_us += FRAME_US;
        }
        size_t pool = path_stats(p).pool_allocations;
        path_run(p, 40);
        assert_int_equal(path_stats(p).pool_allocations, pool);
        assert_int_equal(p->frames, 80);
        assert_int_equal(q->frames, 40);
        assert_true(q->psnr_least > GOOD_DB);
        path_destroy(q);
        path_destroy(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(a_fresh_one_has_nothing_to_do),
        cmocka_unit_test(every_single_byte_is_survived),
        cmocka_unit_test(offsets_outside_of_the_buffer_are_ignored),
        cmocka_unit_test(huge_pictures_are_refused_unallocated),
        cmocka_unit_test(limits_are_the_callers),
        cmocka_unit_test(frames_of_two_codecs_are_refused),
        cmocka_unit_test(a_key_frame_that_is_none_is_asked_for_again),
        cmocka_unit_test(damaged_packets_are_survived),
        cmocka_unit_test(a_full_pool_costs_frames_but_no_key_frame),
        cmocka_unit_test(frames_outlive_their_receiver),
        cmocka_unit_test(encoded_frames_come_out_and_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
