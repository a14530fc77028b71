/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void bounds(void **state) {
    (void)state;
    struct rmi_ring *ring = NULL;
    assert_int_equal(rmi_ring_create(0, &ring), RM_E_INVALID_ARG);
    assert_int_equal(rmi_ring_create(SIZE_MAX, &ring), RM_E_INVALID_ARG);
    assert_null(ring);
    rmi_ring_destroy(&ring);
    rmi_ring_destroy(NULL);
}

/* Every capacity up to 9, filled and emptied to every level, many times around. */
static void order_and_capacity(void **state) {
    (void)state;
    for (size_t capacity = 1; capacity <= 9; capacity++) {
        struct rmi_ring *ring = NULL;
        uintptr_t in = 0, out = 0;
        assert_int_equal(rmi_ring_create(capacity, &ring), RM_OK);
        assert_null(rmi_ring_pop(ring));
        for (size_t level = 1; level <= 40; level++) {
            while (rmi_ring_count(ring) < 1 + level % capacity)
                assert_true(rmi_ring_push(ring, (void *)++in));
            assert_int_equal(rmi_ring_count(ring), in - out);
            while (rmi_ring_push(ring, (void *)(in + 1)))
                in++;
            assert_int_equal(in - out, capacity);
            assert_int_equal(rmi_ring_count(ring), capacity);
            for (size_t i = 0; i < 1 + level % capacity; i++)
                assert_int_equal((uintptr_t)rmi_ring_pop(ring), ++out);
        }
        assert_false(rmi_ring_push(ring, NULL));
        rmi_ring_destroy(&ring);
        assert_null(ring);
    }
}

enum { ITEMS = 200000 };

static void *produce(void *arg) {
    struct rmi_ring *ring = arg;
    static uint32_t values[ITEMS]; /* plain writes before each push: the sanitizer sees a missing barrier */
    for (uint32_t i = 0; i < ITEMS; i++) {
        values[i] = i * 2654435761u;
        while (!rmi_ring_push(ring, &values[i]))
            sched_yield();
    }
    return NULL;
}

static void two_threads(void **state) {
    (void)state;
    struct rmi_ring *ring = NULL;
    pthread_t thread;
    assert_int_equal(rmi_ring_create(13, &ring), RM_OK);
    assert_int_equal(pthread_create(&thread, NULL, produce, ring), 0);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ITEMS;) {
        const uint32_t *value = rmi_ring_pop(ring);
        if (!value) {
            sched_yield();
            continue;
        }
        wrong += *value != i * 2654435761u;
        i++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_null(rmi_ring_pop(ring));
    rmi_ring_destroy(&ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(order_and_capacity),
        cmocka_unit_test(two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
