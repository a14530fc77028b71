/* SPDX-License-Identifier: Apache-2.0 */
#include "support/heap_count.h"

#include "base/rng.h"
#include "rtp/batch.h"
#include "rtp/rtp_testkit.h"

#define MAX_PAYLOAD 300
#define FRAME_MAX 20000
#define STEADY_FRAMES 500

static struct rmi_frame_pool *make_pool(size_t buffers) {
    struct rmi_frame_pool *pool = NULL;
    const struct rmi_frame_pool_config config = {.max_buffers = buffers};
    assert_int_equal(rmi_frame_pool_create(&config, &pool), RM_OK);
    return pool;
}

/* One frame with a start code that its format accepts, and otherwise no such codes by chance. */
static struct rmi_packetizer_frame make_frame(enum rmi_payload_format format, struct rmi_prng *prng, uint8_t *out,
                                              size_t len) {
    struct rmi_rng rng = rmi_prng_rng(prng);
    rmi_rng_fill(&rng, out, len);
    for (size_t i = 0; i < len; i++)
        out[i] |= 2;
    struct rmi_packetizer_frame f = {.data = out, .len = len, .max_payload = MAX_PAYLOAD, .key_frame = true};
    const uint8_t idr[] = {0, 0, 0, 1, 0x65};
    switch (format) {
    case RMI_PAYLOAD_OPUS:
        out[0] = 0x78;
        break;
    case RMI_PAYLOAD_VP8:
        out[0] &= 0xfe;
        f.u.vp8 = (struct rmi_vp8_send){.has_picture_id = true, .picture_id = 77};
        break;
    case RMI_PAYLOAD_VP9:
        f.u.vp9 = (struct rmi_vp9_send){.picture_id = 77, .width = 640, .height = 360};
        break;
    case RMI_PAYLOAD_H264:
        memcpy(out, idr, sizeof idr);
        f.u.h264_mode = 1;
        break;
    }
    return f;
}

/* A batch is what the packetizer gives, packet by packet, and keeps what it was told. */
static void holds_what_the_packetizer_cuts(void **state) {
    (void)state;
    const enum rmi_payload_format formats[] = {RMI_PAYLOAD_OPUS, RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264};
    static uint8_t bytes[FRAME_MAX];
    struct rmi_frame_pool *pool = make_pool(4);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (size_t f = 0; f < 4; f++) {
        for (size_t len = 6; len < FRAME_MAX; len += 1 + len / 3) {
            size_t used = formats[f] == RMI_PAYLOAD_OPUS && len > MAX_PAYLOAD ? MAX_PAYLOAD : len;
            struct rmi_packetizer_frame frame = make_frame(formats[f], &prng, bytes, used);
            const struct rmi_rtp_batch head = {.format = formats[f],
                                               .timestamp = 0xfffffff0U,
                                               .capture_us = 123,
                                               .key_frame = true,
                                               .has_audio_level = true,
                                               .audio_level = 9};
            const struct rmi_rtp_batch *b = NULL;
            assert_int_equal(rmi_rtp_batch_create(pool, &head, &frame, &b), RM_OK);
            assert_true(b->format == formats[f] && b->timestamp == 0xfffffff0U && b->capture_us == 123);
            assert_true(b->key_frame && b->has_audio_level && !b->voice && b->audio_level == 9);
            struct rmi_packetizer p;
            uint8_t want[MAX_PAYLOAD];
            size_t n, total = 0;
            uint32_t count = 0;
            bool last = false;
            assert_int_equal(rmi_packetizer_begin(&p, formats[f], &frame), RM_OK);
            for (; (n = rmi_packetizer_next(&p, want, &last)) > 0; count++) {
                assert_true(count < b->count);
                assert_int_equal(b->payload[count].len, n);
                assert_memory_equal(b->data + b->payload[count].offset, want, n);
                assert_int_equal(b->payload[count].marker, last && formats[f] != RMI_PAYLOAD_OPUS);
                total += n;
            }
            assert_true(b->count == count && b->bytes == total && count > 0);
            rmi_rtp_batch_unref(&b);
            assert_null(b);
            rmi_rtp_batch_unref(&b);
        }
    }
    rmi_frame_pool_destroy(&pool);
}

static void faults_leave_the_pool_as_it_was(void **state) {
    (void)state;
    static uint8_t bytes[FRAME_MAX];
    struct rmi_frame_pool *pool = make_pool(1);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 2);
    const struct rmi_rtp_batch opus = {.format = RMI_PAYLOAD_OPUS}, h264 = {.format = RMI_PAYLOAD_H264};
    const struct rmi_rtp_batch *b = NULL, *second = NULL;
    struct rmi_packetizer_frame frame = make_frame(RMI_PAYLOAD_OPUS, &prng, bytes, 1000);
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &b), RM_E_TOO_BIG);
    frame.len = 0;
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &b), RM_E_INVALID_ARG);
    frame = make_frame(RMI_PAYLOAD_OPUS, &prng, bytes, 50);
    frame.max_payload = 60000;
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &b), RM_E_INVALID_ARG);
    frame.max_payload = MAX_PAYLOAD;
    assert_int_equal(rmi_rtp_batch_create(pool, &h264, &frame, &b), RM_E_PARSE);
    assert_null(b);
    assert_int_equal(rmi_frame_pool_stats(pool).in_use, 0);
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &b), RM_OK);
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &second), RM_E_LIMIT);
    assert_null(second);
    rmi_rtp_batch_unref(&b);
    assert_int_equal(rmi_rtp_batch_create(pool, &opus, &frame, &b), RM_OK);
    rmi_rtp_batch_unref(&b);
    rmi_frame_pool_destroy(&pool);
}

/* The buffer lives as long as the last reference, also without its pool's owner. */
static void references_keep_it(void **state) {
    (void)state;
    uint8_t bytes[100];
    struct rmi_frame_pool *pool = make_pool(1);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    const struct rmi_rtp_batch head = {.format = RMI_PAYLOAD_OPUS};
    const struct rmi_rtp_batch *a = NULL;
    struct rmi_packetizer_frame frame = make_frame(RMI_PAYLOAD_OPUS, &prng, bytes, sizeof bytes);
    assert_int_equal(rmi_rtp_batch_create(pool, &head, &frame, &a), RM_OK);
    const struct rmi_rtp_batch *b = rmi_rtp_batch_ref(a);
    assert_ptr_equal(a, b);
    rmi_rtp_batch_unref(&a);
    assert_int_equal(rmi_frame_pool_stats(pool).in_use, 1);
    rmi_frame_pool_destroy(&pool);
    assert_memory_equal(b->data, bytes, sizeof bytes);
    rmi_rtp_batch_unref(&b);
    assert_null(rmi_rtp_batch_ref(NULL));
}

/* Frames of all sizes up to one: after the first few no heap call any more. */
static void the_steady_state_allocates_nothing(void **state) {
    (void)state;
    static uint8_t bytes[FRAME_MAX];
    struct rmi_frame_pool *pool = make_pool(4);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 4);
    const struct rmi_rtp_batch head = {.format = RMI_PAYLOAD_VP8};
    size_t before = 0;
    for (size_t i = 0; i < STEADY_FRAMES; i++) {
        if (i == 1)
            before = atomic_load(&heap_calls);
        struct rmi_packetizer_frame frame =
            make_frame(RMI_PAYLOAD_VP8, &prng, bytes, i == 0 ? FRAME_MAX : 10 + i * 7919 % (FRAME_MAX - 10));
        const struct rmi_rtp_batch *b = NULL;
        assert_int_equal(rmi_rtp_batch_create(pool, &head, &frame, &b), RM_OK);
        rmi_rtp_batch_unref(&b);
    }
#ifndef HEAP_IS_ANOTHERS
    assert_int_equal(atomic_load(&heap_calls) - before, 0);
#endif
    (void)before;
    assert_int_equal(rmi_frame_pool_stats(pool).allocations, 1);
    rmi_frame_pool_destroy(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_the_packetizer_cuts),
        cmocka_unit_test(faults_leave_the_pool_as_it_was),
        cmocka_unit_test(references_keep_it),
        cmocka_unit_test(the_steady_state_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
