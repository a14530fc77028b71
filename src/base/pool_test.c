/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void bounds(void **state) {
    (void)state;
    struct rmi_pool *pool = NULL;
    assert_int_equal(rmi_pool_create(0, 1, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_pool_create(1, 0, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_pool_create(1, SIZE_MAX, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_pool_create(SIZE_MAX, 2, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_pool_create(SIZE_MAX / 4, 8, &pool), RM_E_INVALID_ARG);
    assert_null(pool);
    rmi_pool_destroy(&pool);
    rmi_pool_destroy(NULL);
}

static void blocks_are_distinct_and_come_back(void **state) {
    (void)state;
    enum { BLOCKS = 7, BYTES = 33 };
    struct rmi_pool *pool = NULL;
    unsigned char *block[BLOCKS];
    assert_int_equal(rmi_pool_create(BYTES, BLOCKS, &pool), RM_OK);
    assert_int_equal(rmi_pool_block_bytes(pool), BYTES);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            block[i] = rmi_pool_get(pool);
            assert_non_null(block[i]);
            assert_int_equal((uintptr_t)block[i] % _Alignof(max_align_t), 0);
            memset(block[i], i, BYTES);
        }
        assert_null(rmi_pool_get(pool));
        for (int i = 0; i < BLOCKS; i++) {
            for (int k = 0; k < BYTES; k++)
                assert_int_equal(block[i][k], i);
            rmi_pool_put(pool, block[i]);
        }
    }
    rmi_pool_put(pool, NULL);
    struct rmi_pool_stats stats = rmi_pool_stats(pool);
    assert_int_equal(stats.blocks, BLOCKS);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.peak, BLOCKS);
    assert_int_equal(stats.exhausted, 3);
    rmi_pool_destroy(&pool);
    assert_null(pool);
}

/* A frame may outlive the stream whose pool it came from. */
static void a_block_outlives_its_owner(void **state) {
    (void)state;
    struct rmi_pool *pool = NULL;
    assert_int_equal(rmi_pool_create(8, 2, &pool), RM_OK);
    struct rmi_pool *held = pool;
    char *block = rmi_pool_get(pool);
    rmi_pool_destroy(&pool);
    memcpy(block, "in use", 7);
    rmi_pool_put(held, block); /* frees all; the leak and use-after-free checks of the sanitizer judge it */
}

enum { THREADS = 4, ROUNDS = 20000, SHARED = 3 };

static void *take_and_give(void *arg) {
    struct rmi_pool *pool = arg;
    uintptr_t wrong = 0;
    uintptr_t self = (uintptr_t)&wrong;
    for (int i = 0; i < ROUNDS; i++) {
        uintptr_t *block = rmi_pool_get(pool);
        if (!block)
            continue;
        *block = self; /* nobody else may have this block now */
        uintptr_t *second = rmi_pool_get(pool);
        if (second)
            *second = self + 1;
        wrong += *block != self;
        rmi_pool_put(pool, block);
        rmi_pool_put(pool, second);
    }
    return (void *)wrong;
}

static void many_threads(void **state) {
    (void)state;
    struct rmi_pool *pool = NULL;
    pthread_t threads[THREADS];
    assert_int_equal(rmi_pool_create(sizeof(uintptr_t), SHARED, &pool), RM_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, pool), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(rmi_pool_stats(pool).in_use, 0);
    assert_in_range(rmi_pool_stats(pool).peak, 1, SHARED);
    void *block[SHARED];
    for (int i = 0; i < SHARED; i++) {
        block[i] = rmi_pool_get(pool);
        assert_non_null(block[i]); /* none was lost */
    }
    assert_null(rmi_pool_get(pool));
    for (int i = 0; i < SHARED; i++)
        rmi_pool_put(pool, block[i]);
    rmi_pool_destroy(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(blocks_are_distinct_and_come_back),
        cmocka_unit_test(a_block_outlives_its_owner),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
