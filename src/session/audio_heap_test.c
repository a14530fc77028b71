/* SPDX-License-Identifier: Apache-2.0 */
/* Sound in and out makes no heap call once it runs. Under a sanitizer, which has a heap of its own, calls are not
 * counted. */
#include "support/heap_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "session/audio_receiver.h"
#include "session/audio_sender.h"
#include <math.h>

#define CHUNK_US 10000
#define WARM_UP 100
#define ROUNDS 2000

struct ends {
    struct rmi_audio_sender *sender;
    struct rmi_audio_receiver *receiver;
    int64_t now_us;
    uint16_t seq;
    unsigned drop_every;
};

static void on_batch(void *ctx, const struct rmi_rtp_batch *b) {
    struct ends *e = ctx;
    const uint32_t offset = (uint32_t)(b->data - rm_buf_data(b->buf)) + b->payload[0].offset;
    b->buf->len = rm_buf_size(b->buf);
    if (++e->seq % e->drop_every != 0)
        rmi_audio_receiver_insert(e->receiver, 5, e->seq, b->timestamp, e->now_us, b->buf, offset, b->payload[0].len,
                                  false);
}

static void round_trip(struct ends *e, const rm_runtime_data *chunk) {
    e->now_us += CHUNK_US;
    assert_int_equal(rmi_audio_sender_input(e->sender, chunk, e->now_us), RM_OK);
    while (rmi_audio_receiver_next_pull(e->receiver) < e->now_us + CHUNK_US) {
        rm_runtime_data *out = NULL;
        const rm_err err = rmi_audio_receiver_pull(e->receiver, rmi_audio_receiver_next_pull(e->receiver), &out);
        assert_true(err == RM_OK || err == RM_E_AGAIN);
        rm_runtime_data_unref(&out);
    }
}

static size_t count(uint32_t rate, uint32_t channels, unsigned drop_every, bool copy) {
    struct ends e = {.drop_every = drop_every};
    const struct rmi_audio_receiver_config in = {.max_delay_us = RMI_MS(100), .copy = copy, .stream_id = "s"};
    struct rmi_audio_sender_config out;
    rmi_audio_sender_config_init(&out);
    out.encoder.fec = true;
    out.encoder.loss_percent = 10;
    out.on_batch = on_batch;
    out.ctx = &e;
    assert_int_equal(rmi_audio_sender_create(&out, &e.sender), RM_OK);
    assert_int_equal(rmi_audio_receiver_create(&in, &e.receiver), RM_OK);
    const size_t n = (size_t)rate * CHUNK_US / 1000000 * channels;
    rm_buf *buf = NULL;
    rm_runtime_data *chunk = NULL;
    assert_int_equal(rm_buf_create(n * sizeof(float), &buf), RM_OK);
    float *pcm = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < n; i++)
        pcm[i] = sinf((float)i / 9) / 2;
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, n, rate, channels, &chunk), RM_OK);
    for (int i = 0; i < WARM_UP; i++)
        round_trip(&e, chunk);
    struct rmi_audio_receiver_stats before, after;
    rmi_audio_receiver_get_stats(e.receiver, &before);
    const size_t calls = atomic_load(&heap_calls);
    for (int i = 0; i < ROUNDS; i++)
        round_trip(&e, chunk);
    const size_t made = atomic_load(&heap_calls) - calls;
    rmi_audio_receiver_get_stats(e.receiver, &after);
    print_message("%u Hz, %u channels, one in %u lost%s: %zu heap calls for %llu chunks, %llu of them by the store\n",
                  rate, channels, drop_every, copy ? ", copying" : "", made,
                  (unsigned long long)(after.chunks - before.chunks),
                  (unsigned long long)(after.copied_chunks - before.copied_chunks));
    assert_true(after.chunks - before.chunks >= ROUNDS - 5);
    if (drop_every == UINT16_MAX)
        assert_int_equal(after.copied_chunks, before.copied_chunks);
    rm_runtime_data_unref(&chunk);
    rm_buf_unref(&buf);
    rmi_audio_sender_destroy(&e.sender);
    rmi_audio_receiver_destroy(&e.receiver);
    return made;
}

static void nothing_is_allocated(void **state) {
    (void)state;
    assert_int_equal(count(48000, 1, UINT16_MAX, false), 0);
    assert_int_equal(count(48000, 2, UINT16_MAX, false), 0);
    assert_int_equal(count(44100, 6, UINT16_MAX, false), 0);
    assert_int_equal(count(16000, 1, 10, false), 0);
}

static void copying_allocates_for_each_chunk(void **state) {
    (void)state;
    const size_t calls = count(48000, 1, UINT16_MAX, true);
#ifndef HEAP_IS_ANOTHERS
    assert_true(calls >= ROUNDS);
#else
    (void)calls;
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(copying_allocates_for_each_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
