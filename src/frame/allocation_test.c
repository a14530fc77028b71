/* SPDX-License-Identifier: Apache-2.0 */
/* Media in the steady state makes no heap call. Every call of the process is counted, whoever makes it; under a
 * sanitizer, which has a heap of its own, only the pool's. */
#include "frame/pool.h"
#include "support/heap_count.h"

#include <remotemedia/transport_data.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WARM_UP 10
#define ROUNDS 10000
#define IN_FLIGHT 3

struct pools {
    struct rmi_frame_pool *sound, *pictures, *packets;
    rm_transport_data queue[IN_FLIGHT];
    rm_metadata *metadata;
};

/* One chunk of sound as it goes through a pipeline: decoded, stamped, wrapped, changed in place, cut in two, sent on.
 */
static void sound(struct pools *p, uint64_t round) {
    rm_runtime_data *d = NULL, *half = NULL;
    assert_int_equal(rmi_frame_pool_audio(p->sound, 5760, 48000, 2, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_sample_count(d, 960), RM_OK);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, (int64_t)round), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "microphone"), RM_OK);
    rm_runtime_data_write_samples(d)[959] = 1.0f;
    rm_transport_data in = {
        .data = d, .metadata = rm_metadata_ref(p->metadata), .sequence = round, .has_sequence = true};
    assert_int_equal(rmi_frame_pool_wrap_audio(p->sound, rm_runtime_data_buf(d), 0, 480, 48000, 1, &half), RM_OK);
    rm_transport_data *slot = &p->queue[round % IN_FLIGHT];
    rm_transport_data_clear(slot);
    rm_transport_data_answer(&in, half, slot);
    rm_runtime_data_unref(&half);
    rm_transport_data_clear(&in);
}

/* A frame: decoded, shown under another time, encoded. */
static void picture(struct pools *p, uint64_t round) {
    rm_runtime_data *frame = NULL, *shared = NULL, *encoded = NULL;
    rm_buf *bytes = NULL;
    assert_int_equal(rmi_frame_pool_video(p->pictures, 320, 180, (int64_t)round, &frame), RM_OK);
    rm_runtime_data_write_plane(frame, 0)[0] = 1;
    assert_int_equal(rmi_frame_pool_share(p->pictures, frame, &shared), RM_OK);
    assert_int_equal(rm_runtime_data_set_arrival_us(shared, 1), RM_OK);
    assert_int_equal(rmi_frame_pool_buf(p->packets, 1000, &bytes), RM_OK);
    rm_buf_write(bytes)[0] = 1;
    assert_int_equal(rmi_frame_pool_wrap_encoded(p->packets, bytes, 0, 1 + round % 1000, RM_CODEC_H264, 320, 180, false,
                                                 round, (int64_t)round, &encoded),
                     RM_OK);
    rm_buf_unref(&bytes);
    rm_runtime_data_unref(&frame);
    rm_runtime_data_unref(&shared);
    rm_runtime_data_unref(&encoded);
}

static void the_steady_state_makes_no_heap_call(void **state) {
    (void)state;
    const struct rmi_frame_pool_config config = {.max_buffers = 8};
    struct pools p = {0};
    assert_int_equal(rmi_frame_pool_create(&config, &p.sound), RM_OK);
    assert_int_equal(rmi_frame_pool_create(&config, &p.pictures), RM_OK);
    assert_int_equal(rmi_frame_pool_create(&config, &p.packets), RM_OK);
    assert_int_equal(rm_metadata_create(&p.metadata), RM_OK);
    assert_int_equal(rm_metadata_set(p.metadata, "trace", "1"), RM_OK);
    size_t before = 0, pool_before = 0;
    for (uint64_t round = 0; round < WARM_UP + ROUNDS; round++) {
        if (round == WARM_UP) {
            before = atomic_load(&heap_calls);
            pool_before = rmi_frame_pool_stats(p.sound).allocations + rmi_frame_pool_stats(p.pictures).allocations +
                          rmi_frame_pool_stats(p.packets).allocations;
        }
        sound(&p, round);
        picture(&p, round);
    }
    const size_t after = atomic_load(&heap_calls);
    const size_t pool_after = rmi_frame_pool_stats(p.sound).allocations + rmi_frame_pool_stats(p.pictures).allocations +
                              rmi_frame_pool_stats(p.packets).allocations;
    assert_int_equal(after - before, 0);
    assert_int_equal(pool_after - pool_before, 0);
    assert_true(pool_after >= 3 && pool_after <= 3 * IN_FLIGHT);
#ifndef HEAP_IS_ANOTHERS
    assert_true(before > 0); /* the counter counts */
#endif
    for (int i = 0; i < IN_FLIGHT; i++)
        rm_transport_data_clear(&p.queue[i]);
    rm_metadata_unref(&p.metadata);
    rmi_frame_pool_destroy(&p.sound);
    rmi_frame_pool_destroy(&p.pictures);
    rmi_frame_pool_destroy(&p.packets);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_steady_state_makes_no_heap_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
