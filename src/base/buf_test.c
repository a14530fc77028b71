/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void from_the_heap(void **state) {
    (void)state;
    struct rmi_buf *buf = rmi_buf_alloc(100, NULL);
    assert_non_null(buf);
    assert_int_equal(buf->len, 0);
    assert_int_equal(buf->cap, 100);
    memset(buf->data, 1, buf->cap);
    assert_true(rmi_buf_is_single(buf));
    struct rmi_buf *second = rmi_buf_ref(buf);
    assert_ptr_equal(second, buf);
    assert_false(rmi_buf_is_single(buf));
    rmi_buf_unref(&second);
    assert_null(second);
    assert_true(rmi_buf_is_single(buf));
    rmi_buf_unref(&buf);
    rmi_buf_unref(&buf);
    rmi_buf_unref(NULL);
    assert_null(rmi_buf_alloc(SIZE_MAX, NULL));
    buf = rmi_buf_alloc(0, NULL);
    assert_non_null(buf);
    rmi_buf_unref(&buf);
}

static void from_a_pool(void **state) {
    (void)state;
    struct rmi_pool *pool = NULL;
    assert_int_equal(rmi_buf_pool_create(SIZE_MAX, 1, &pool), RM_E_INVALID_ARG);
    assert_int_equal(rmi_buf_pool_create(64, 2, &pool), RM_OK);
    struct rmi_buf *a = rmi_buf_alloc(64, pool), *b = rmi_buf_alloc(10, pool);
    assert_int_equal(rmi_pool_stats(pool).in_use, 2);
    assert_true(a->cap >= 64);
    memset(a->data, 1, a->cap);
    memset(b->data, 2, b->cap);
    assert_int_equal(a->data[a->cap - 1], 1);
    struct rmi_buf *heap = rmi_buf_alloc(64, pool); /* none left: from the heap, counted */
    assert_non_null(heap);
    assert_int_equal(rmi_pool_stats(pool).exhausted, 1);
    struct rmi_buf *large = rmi_buf_alloc(65, pool); /* larger than a block */
    assert_non_null(large);
    memset(large->data, 3, 65);
    rmi_buf_unref(&heap);
    rmi_buf_unref(&large);
    rmi_buf_unref(&a);
    assert_int_equal(rmi_pool_stats(pool).in_use, 1);
    rmi_pool_destroy(&pool);
    assert_int_equal(b->data[0], 2); /* the buffer keeps the pool's memory */
    rmi_buf_unref(&b);
}

struct freed {
    unsigned calls;
    void *data;
    size_t cap;
};
static void on_free(void *data, size_t cap, void *ctx) {
    struct freed *f = ctx;
    f->calls++;
    f->data = data;
    f->cap = cap;
}

static void wrapped_memory(void **state) {
    (void)state;
    struct freed f = {0};
    char memory[5] = "abcd";
    struct rmi_buf *buf = rmi_buf_wrap(memory, sizeof memory, on_free, &f);
    assert_ptr_equal(buf->data, memory);
    assert_int_equal(buf->len, sizeof memory);
    struct rmi_buf *second = rmi_buf_ref(buf);
    rmi_buf_unref(&buf);
    assert_int_equal(f.calls, 0);
    rmi_buf_unref(&second);
    assert_int_equal(f.calls, 1);
    assert_ptr_equal(f.data, memory);
    assert_int_equal(f.cap, sizeof memory);
    buf = rmi_buf_wrap(memory, sizeof memory, NULL, NULL);
    rmi_buf_unref(&buf);
}

enum { THREADS = 4, ROUNDS = 50000 };

static void *share(void *arg) {
    struct rmi_buf *mine = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct rmi_buf *extra = rmi_buf_ref(mine);
        rmi_buf_unref(&extra);
    }
    rmi_buf_unref(&mine);
    return NULL;
}

static void placed_in_memory_of_the_caller(void **state) {
    (void)state;
    struct freed f = {0};
    char memory[4] = "abc";
    void *header = malloc(rmi_buf_header_bytes());
    assert_non_null(header);
    for (int round = 1; round <= 2; round++) { /* the header can be used again */
        struct rmi_buf *buf = rmi_buf_place(header, memory, sizeof memory, on_free, &f);
        assert_int_equal(buf->len, sizeof memory);
        struct rmi_buf *second = rmi_buf_ref(buf);
        rmi_buf_unref(&buf);
        assert_true(rmi_buf_is_single(second));
        assert_string_equal((const char *)second->data, "abc");
        assert_int_equal(f.calls, round - 1);
        rmi_buf_unref(&second);
        assert_int_equal(f.calls, round);
    }
    free(header);
}

static void last_reference_frees_once(void **state) {
    (void)state;
    struct freed f = {0};
    char memory[1] = {0};
    pthread_t threads[THREADS];
    struct rmi_buf *buf = rmi_buf_wrap(memory, sizeof memory, on_free, &f);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, rmi_buf_ref(buf)), 0);
    rmi_buf_unref(&buf);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(f.calls, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_heap),
        cmocka_unit_test(from_a_pool),
        cmocka_unit_test(wrapped_memory),
        cmocka_unit_test(placed_in_memory_of_the_caller),
        cmocka_unit_test(last_reference_frees_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
