/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rmi_frame_pool *make(size_t buffers, size_t objects) {
    const struct rmi_frame_pool_config config = {.max_buffers = buffers, .max_objects = objects};
    struct rmi_frame_pool *pool = NULL;
    assert_int_equal(rmi_frame_pool_create(&config, &pool), RM_OK);
    return pool;
}

static void pictures_are_aligned(void **state) {
    (void)state;
    struct rmi_frame_pool *pool = make(2, 0);
    rm_runtime_data *d = NULL;
    assert_int_equal(rmi_frame_pool_video(pool, 1270, 718, 40, &d), RM_OK);
    const rm_video *v = rm_runtime_data_video(d);
    assert_int_equal(v->width, 1270);
    assert_int_equal(v->plane_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)v->planes[i] % RMI_FRAME_ALIGN, 0);
        assert_int_equal(v->strides[i] % RMI_FRAME_ALIGN, 0);
        const size_t rows = i == 0 ? 718 : 359;
        memset(rm_runtime_data_write_plane(d, i), (int)i + 1, v->strides[i] * (rows - 1) + (i == 0 ? 1270 : 635));
    }
    assert_int_equal(v->planes[0][0], 1);
    assert_int_equal(v->planes[2][0], 3);
    assert_int_equal(rm_runtime_data_timestamp_us(d), 40);
    assert_int_equal(rmi_frame_pool_video(pool, 3, 2, 0, &d), RM_E_INVALID_ARG);
    rm_runtime_data_unref(&d);
    assert_int_equal(rmi_frame_pool_stats(pool).in_use, 0);
    assert_int_equal(rmi_frame_pool_stats(pool).objects, 0);
    rmi_frame_pool_destroy(&pool);
    rmi_frame_pool_destroy(&pool);
}

static void grows_to_its_cap_and_no_further(void **state) {
    (void)state;
    struct rmi_frame_pool *pool = make(3, 0);
    rm_runtime_data *d[4] = {0};
    assert_int_equal(rmi_frame_pool_stats(pool).buffers, 0); /* nothing before it is needed */
    for (int i = 0; i < 3; i++)
        assert_int_equal(rmi_frame_pool_audio(pool, 960, 48000, 2, &d[i]), RM_OK);
    assert_int_equal(rmi_frame_pool_audio(pool, 960, 48000, 2, &d[3]), RM_E_LIMIT);
    assert_null(d[3]);
    struct rmi_frame_pool_stats s = rmi_frame_pool_stats(pool);
    assert_int_equal(s.allocations, 3);
    assert_int_equal(s.buffers, 3);
    assert_int_equal(s.bytes, 3 * 960 * sizeof(float));
    assert_int_equal(s.in_use, 3);
    assert_int_equal(s.exhausted, 1);
    rm_runtime_data_unref(&d[1]);
    assert_int_equal(rmi_frame_pool_audio(pool, 480, 48000, 1, &d[1]), RM_OK);
    assert_int_equal(rm_runtime_data_audio(d[1])->sample_count, 480);
    rm_runtime_data_unref(&d[1]);
    assert_int_equal(rmi_frame_pool_audio(pool, 1920, 48000, 2, &d[1]), RM_OK); /* a larger one replaces it */
    s = rmi_frame_pool_stats(pool);
    assert_int_equal(s.allocations, 4);
    assert_int_equal(s.buffers, 3);
    assert_int_equal(s.bytes, 4 * 960 * sizeof(float));
    assert_int_equal(s.peak, 3);
    for (int i = 0; i < 3; i++)
        rm_runtime_data_unref(&d[i]);
    rmi_frame_pool_destroy(&pool);
}

static void frames_outlive_their_pool(void **state) {
    (void)state;
    struct rmi_frame_pool *pool = make(2, 0);
    rm_runtime_data *a = NULL, *b = NULL;
    rm_buf *buf = NULL;
    assert_int_equal(rmi_frame_pool_audio(pool, 100, 8000, 1, &a), RM_OK);
    assert_int_equal(rmi_frame_pool_share(pool, a, &b), RM_OK);
    assert_int_equal(rmi_frame_pool_buf(pool, 10, &buf), RM_OK);
    rmi_frame_pool_destroy(&pool);
    assert_ptr_equal(rm_runtime_data_audio(a)->samples, rm_runtime_data_audio(b)->samples);
    rm_buf_write(buf)[9] = 1;
    rm_buf_unref(&buf);
    rm_runtime_data_unref(&a);
    rm_runtime_data_write_samples(b)[99] = 1.0f;
    rm_runtime_data_unref(&b);
}

/* A decoder holds its reference frame while it is shown twice and then some of it is cut out. */
static void one_buffer_in_several_objects(void **state) {
    (void)state;
    struct rmi_frame_pool *pool = make(1, 3);
    rm_buf *buf = NULL;
    rm_runtime_data *d[4] = {0};
    const size_t offsets[] = {0, 64, 80}, strides[] = {16, 8, 8};
    assert_int_equal(rmi_frame_pool_buf(pool, 128, &buf), RM_OK);
    assert_int_equal((uintptr_t)rm_buf_data(buf) % RMI_FRAME_ALIGN, 0);
    rm_buf_write(buf)[64] = 7;
    for (int i = 0; i < 2; i++)
        assert_int_equal(rmi_frame_pool_wrap_video(pool, buf, offsets, strides, RM_PIXEL_I420, 4, 4, i, &d[i]), RM_OK);
    assert_int_equal(rmi_frame_pool_wrap_audio(pool, buf, 64, 16, 8000, 1, &d[2]), RM_OK);
    assert_int_equal(rmi_frame_pool_wrap_encoded(pool, buf, 0, 9, RM_CODEC_VP9, 4, 4, true, 1, 2, &d[3]), RM_E_LIMIT);
    assert_int_equal(rm_runtime_data_video(d[1])->planes[1][0], 7);
    rm_runtime_data_unref(&d[0]);
    assert_int_equal(rmi_frame_pool_wrap_encoded(pool, buf, 0, 9, RM_CODEC_VP9, 4, 4, true, 1, 2, &d[0]), RM_OK);
    assert_int_equal(rm_runtime_data_video(d[0])->codec, RM_CODEC_VP9);
    rm_buf_unref(&buf);
    assert_int_equal(rmi_frame_pool_buf(pool, 1, &buf), RM_E_LIMIT);
    for (int i = 0; i < 3; i++)
        rm_runtime_data_unref(&d[i]);
    assert_int_equal(rmi_frame_pool_buf(pool, 1, &buf), RM_OK);
    rm_buf_unref(&buf);
    assert_int_equal(rmi_frame_pool_stats(pool).allocations, 1);
    rmi_frame_pool_destroy(&pool);
}

static void wrong_arguments(void **state) {
    (void)state;
    struct rmi_frame_pool *pool = NULL;
    assert_int_equal(rmi_frame_pool_create(&(struct rmi_frame_pool_config){0}, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_frame_pool_create(&(struct rmi_frame_pool_config){.max_buffers = 5000}, &pool),
                     RM_E_INVALID_ARG);
    assert_null(pool);
    pool = make(1, 0);
    rm_runtime_data *d = NULL;
    rm_buf *buf = NULL;
    assert_int_equal(rmi_frame_pool_buf(pool, 0, &buf), RM_E_INVALID_ARG);
    assert_int_equal(rmi_frame_pool_buf(pool, SIZE_MAX, &buf), RM_E_INVALID_ARG);
    assert_int_equal(rmi_frame_pool_audio(pool, SIZE_MAX / 4, 48000, 1, &d), RM_E_INVALID_ARG);
    assert_int_equal(rmi_frame_pool_audio(pool, 3, 48000, 2, &d), RM_E_INVALID_ARG);
    assert_int_equal(rmi_frame_pool_stats(pool).in_use, 0); /* nothing leaks on the way out */
    rmi_frame_pool_destroy(&pool);
}

#define THREADS 4
#define ROUNDS 20000
#define MAILBOXES 8

/* Threads take frames, hand them to each other, check that nobody writes into theirs, and drop what they find. */
struct shared {
    struct rmi_frame_pool *pool;
    _Atomic(rm_runtime_data *) mailbox[MAILBOXES];
    atomic_size_t wrong;
    atomic_size_t taken;
};

struct worker {
    struct shared *shared;
    uint32_t state;
    uint32_t id;
};

static void drop(struct shared *s, rm_runtime_data *d) {
    if (!d)
        return;
    const rm_audio *a = rm_runtime_data_audio(d);
    for (size_t i = 1; i < a->sample_count; i++)
        if (a->samples[i] != a->samples[0])
            atomic_fetch_add(&s->wrong, 1);
    rm_runtime_data_unref(&d);
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct shared *s = w->shared;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        w->state = w->state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        rm_runtime_data *d = NULL, *other = NULL;
        if (rmi_frame_pool_audio(s->pool, 32, 48000, 1, &d) == RM_OK) {
            float *samples = rm_runtime_data_write_samples(d);
            for (int i = 0; i < 32; i++)
                samples[i] = (float)(w->id * ROUNDS + round);
            atomic_fetch_add(&s->taken, 1);
            if (w->state >> 31 && rmi_frame_pool_share(s->pool, d, &other) == RM_OK)
                drop(s, atomic_exchange(&s->mailbox[(w->state >> 16) % MAILBOXES], other));
        }
        drop(s, atomic_exchange(&s->mailbox[(w->state >> 8) % MAILBOXES], d));
    }
    return NULL;
}

static void four_threads(void **state) {
    (void)state;
    struct shared s = {.pool = make(10, 12)};
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.shared = &s, .state = i, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < MAILBOXES; i++)
        drop(&s, atomic_load(&s.mailbox[i]));
    assert_int_equal(atomic_load(&s.wrong), 0);
    const struct rmi_frame_pool_stats stats = rmi_frame_pool_stats(s.pool);
    assert_true(atomic_load(&s.taken) > ROUNDS);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.objects, 0);
    assert_true(stats.peak <= 10);
    assert_true(stats.allocations <= 10);
    rmi_frame_pool_destroy(&s.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_aligned),      cmocka_unit_test(grows_to_its_cap_and_no_further),
        cmocka_unit_test(frames_outlive_their_pool), cmocka_unit_test(one_buffer_in_several_objects),
        cmocka_unit_test(wrong_arguments),           cmocka_unit_test(four_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
