/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the module fails once: each time a typed error or the whole result, and nothing is left behind. A
 * sanitizer has a heap of its own and finds the leaks of the other tests; there this test has nothing to do. jansson's
 * allocations are counted but do not fail: version 2.14 runs into an assertion when its lexer gets no memory (load.c,
 * lex_scan_string). */
#include "frame/pool.h"
#include "support/heap_is_anothers.h"

#include <jansson.h>
#include <remotemedia/data_json.h>
#include <remotemedia/transport_data.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEVER (-1L)
#define CASE_CALLS_MAX 1000 /* more than any case here makes */

static long calls, live, fail_at = NEVER;

#ifndef HEAP_IS_ANOTHERS
/* What glibc's own functions of these names do. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);

static int fails(void) {
    return calls++ == fail_at;
}

static void *counted(void *p) {
    live += p != NULL;
    return p;
}

void *malloc(size_t size) {
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    if (fails())
        return NULL;
    return old ? __libc_realloc(old, size) : counted(__libc_realloc(old, size));
}

void *aligned_alloc(size_t align, size_t size) {
    return fails() ? NULL : counted(__libc_memalign(align, size));
}

void free(void *p) {
    live -= p != NULL;
    __libc_free(p);
}

static void *jansson_malloc(size_t size) {
    return counted(__libc_malloc(size));
}
#endif

static const char *const texts[] = {
    "{\"Audio\":{\"samples\":[0,1],\"sample_rate\":1,\"channels\":2,\"stream_id\":\"mic\",\"metadata\":{\"a\":[1]}}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"I420\",\"frame_number\":7,"
    "\"timestamp_us\":8,\"is_keyframe\":false}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"Jpeg\",\"width\":3,\"height\":5,\"metadata\":\"x\"}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[1,1],\"dtype\":0,\"metadata\":[]}}",
    "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2,1],\"dtype\":\"int16\",\"strides\":[2,2],\"c_contiguous\":true,"
    "\"f_contiguous\":false}}",
    "{\"Json\":{\"__aux_port__\":\"p\",\"payload\":{\"binary_b64\":\"AAEC\"}}}",
    "{\"Json\":{\"__aux_port__\":\"p\",\"payload\":{\"text\":\"abc\"}}}",
    "{\"Text\":\"\\u0000\\u0003logline\"}",
    "{\"Binary\":[1,2,3]}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"DeadlineWarning\",\"deadline_us\":5},\"segment_id\":\"s\","
    "\"timestamp_ms\":0,\"metadata\":{}}}",
    "{\"File\":{\"path\":\"/a/b\",\"filename\":\"b\",\"mime_type\":\"text/plain\"}}",
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

/* Reads, copies, unpacks and writes one text. */
static rm_err exchange(const char *text) {
    rm_runtime_data *d = NULL, *copy = NULL, *payload = NULL, *envelope = NULL;
    char *json = NULL, detail[100] = "";
    size_t size = 0;
    rm_err err = rm_runtime_data_from_json(text, strlen(text), &d, detail, sizeof detail);
    if (!err)
        err = rm_runtime_data_copy(d, &copy);
    if (!err && rm_runtime_data_aux_port(copy))
        err = rm_runtime_data_aux_payload(copy, &payload);
    if (!err && payload)
        err = rm_runtime_data_create_aux("again", payload, &envelope);
    if (!err)
        err = rm_runtime_data_to_json(copy, &json, &size, detail, sizeof detail);
    rm_json_free(&json);
    rm_runtime_data_unref(&envelope);
    rm_runtime_data_unref(&payload);
    rm_runtime_data_unref(&copy);
    rm_runtime_data_unref(&d);
    return err;
}

static rm_err pools(const char *unused) {
    (void)unused;
    const struct rmi_frame_pool_config config = {.max_buffers = 2};
    struct rmi_frame_pool *pool = NULL;
    rm_runtime_data *d = NULL;
    rm_err err = rmi_frame_pool_create(&config, &pool);
    if (!err)
        err = rmi_frame_pool_video(pool, 4, 4, 0, &d);
    rm_runtime_data_unref(&d);
    rmi_frame_pool_destroy(&pool);
    return err;
}

static rm_err metadata(const char *unused) {
    (void)unused;
    rm_metadata *m = NULL;
    rm_err err = rm_metadata_create(&m);
    if (!err)
        err = rm_metadata_set(m, "a", "1");
    if (!err)
        err = rm_metadata_set(m, "a", "2");
    rm_metadata_unref(&m);
    return err;
}

/* Fails the first, second ... allocation until `run` gets by without that one. Checks only once the heap works again.
 */
static void sweep(rm_err (*run)(const char *text), const char *text) {
    assert_int_equal(run(text), RM_OK); /* what is set up once in a process is there now */
    for (long n = 0; n < CASE_CALLS_MAX; n++) {
        const long before = live;
        calls = 0;
        fail_at = n;
        const rm_err err = run(text);
        fail_at = NEVER;
        const long made = calls, left = live - before;
        assert_int_equal(left, 0);
        if (err != RM_OK && err != RM_E_NO_MEMORY)
            fail_msg("allocation %ld fails: %s for %.60s", n, rm_err_name(err), text);
        if (made <= n) {
            assert_int_equal(err, RM_OK);
            assert_true(n > 0);
            return;
        }
    }
    fail_msg("more than %d allocations", CASE_CALLS_MAX);
}

static void each_allocation_fails_once(void **state) {
    (void)state;
#ifdef HEAP_IS_ANOTHERS
    skip();
#else
    json_set_alloc_funcs(jansson_malloc, free);
#endif
    for (size_t i = 0; i < TEXT_COUNT; i++)
        sweep(exchange, texts[i]);
    sweep(pools, "");
    sweep(metadata, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
