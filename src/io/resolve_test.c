/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "io/io_test.h"
#include "io/resolve_private.h"
#include "io/udp.h"
#include <string.h>

#define CYCLES 200
#define NAME "0e2c0d11-4dd4-4c0e-b7a5-1b3f3a7fbe01.local"

struct answer {
    int done, calls;
    rm_err err;
    struct rmi_addr addrs[RMI_RESOLVE_MAX];
    size_t n;
    struct rmi_resolve *handle;
    int handle_was_set;
};

static void on_answer(void *ctx, rm_err err, const struct rmi_addr *addrs, size_t n) {
    struct answer *a = ctx;
    a->done = 1;
    a->calls++;
    a->err = err;
    a->n = n;
    memcpy(a->addrs, addrs, n * sizeof *addrs);
    a->handle_was_set = a->handle != NULL;
}

static void start(struct rmi_loop *loop, const char *host, int family, struct answer *a) {
    *a = (struct answer){0};
    assert_int_equal(rmi_resolve(loop, host, 1234, family, on_answer, a, RMI_SEC(3), &a->handle), RM_OK);
    assert_int_equal(a->done, 0); /* never from within the call */
    assert_non_null(a->handle);
}

static void numeric_and_system_names_are_resolved(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a;
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    start(loop, "192.0.2.7", 0, &a);
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_int_equal(a.err, RM_OK);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.addrs[0].ip[3], 7);
    assert_int_equal(a.addrs[0].port, 1234);
    assert_int_equal(a.handle_was_set, 0);
    start(loop, "2001:db8::7", 4, &a); /* not the family asked for */
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_int_equal(a.err, RM_E_RESOLVE);
    start(loop, "localhost", 4, &a);
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_int_equal(a.err, RM_OK);
    assert_int_equal(a.addrs[0].ip[0], 127);
    assert_int_equal(a.addrs[0].port, 1234);
    rmi_loop_destroy(&loop);
}

static void faulty_names_are_refused(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a = {0};
    char name[400];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    assert_int_equal(rmi_resolve(loop, "", 1, 0, on_answer, &a, RMI_SEC(1), &a.handle), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resolve(loop, name, 1, 0, on_answer, &a, RMI_SEC(1), &a.handle), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resolve(loop, "a..local", 1, 0, on_answer, &a, RMI_SEC(1), &a.handle), RM_E_INVALID_ARG);
    assert_int_equal(rmi_resolve(loop, "a", 1, 5, on_answer, &a, RMI_SEC(1), &a.handle), RM_E_INVALID_ARG);
    assert_null(a.handle);
    rmi_loop_destroy(&loop);
    assert_int_equal(a.calls, 0);
}

static void a_lookup_that_takes_too_long_ends(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a = {0};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    /* A deadline that has passed already, whatever the resolver does. */
    assert_int_equal(rmi_resolve(loop, "localhost", 1, 0, on_answer, &a, -1, &a.handle), RM_OK);
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_true(a.err == RM_E_TIMEOUT || a.err == RM_OK);
    rmi_loop_destroy(&loop);
    assert_int_equal(a.calls, 1);
}

static void a_cancelled_lookup_is_silent(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a, last;
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    start(loop, "localhost", 0, &last);
    assert_int_equal(wait_for(loop, &last.done), RM_OK); /* the resolver's threads exist now */
    int threads = count_entries("/proc/self/task");
    int fds = count_entries("/proc/self/fd");
    for (int i = 0; i < CYCLES; i++) {
        start(loop, i % 3 == 0 ? "localhost" : i % 3 == 1 ? "192.0.2.1" : NAME, 0, &a);
        rmi_resolve_cancel(&a.handle);
        rmi_resolve_cancel(&a.handle);
        assert_null(a.handle);
        assert_int_equal(rmi_loop_process(loop), RM_OK);
        assert_int_equal(a.calls, 0);
    }
    rmi_resolve_cancel(NULL);
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    start(loop, "localhost", 0, &a);
    rmi_loop_destroy(&loop); /* with a lookup in flight */
    assert_int_equal(a.calls, 0);
}

/* Plays the neighbour: answers the second query for NAME, as if the first had been lost. */
struct responder {
    struct rmi_udp *udp;
    int queries;
};

static void on_query(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct responder *r = ctx;
    (void)now_us;
    if (++r->queries < 2)
        return;
    uint8_t out[512];
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    size_t name_len = strlen(NAME) + 2;
    assert_true(len > 12 + name_len);
    rmi_wr_bytes(&w, data, 2);
    rmi_wr_bytes(&w, "\x84\0\0\0\0\1\0\0\0\0", 10);
    rmi_wr_bytes(&w, data + 12, name_len);
    rmi_wr_bytes(&w, "\0\1\x80\1\0\0\0\x78\0\4\xc0\0\2\x2a", 14);
    assert_int_equal(rmi_udp_send(r->udp, from, out, w.pos), RM_OK);
}

static void a_local_name_is_asked_for_again_and_found(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a = {0};
    struct responder r = {0};
    struct rmi_addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    assert_int_equal(rmi_udp_open(loop, &any, on_query, &r, &r.udp), RM_OK);
    assert_int_equal(
        rmi_resolve_mdns(loop, NAME, 99, 0, on_answer, &a, RMI_SEC(5), rmi_udp_local_addr(r.udp), &a.handle), RM_OK);
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_int_equal(a.err, RM_OK);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.addrs[0].ip[3], 42);
    assert_int_equal(a.addrs[0].port, 99);
    assert_int_equal(r.queries, 2);
    rmi_udp_close(&r.udp);
    rmi_loop_destroy(&loop);
}

static void a_local_name_nobody_has_ends_after_a_second(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct answer a;
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    int64_t began = rmi_now_us();
    start(loop, NAME, 0, &a);
    assert_int_equal(wait_for(loop, &a.done), RM_OK);
    assert_int_equal(a.err, RM_E_RESOLVE);
    assert_true(rmi_now_us() - began >= RMI_SEC(1));
    rmi_loop_destroy(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_and_system_names_are_resolved),
        cmocka_unit_test(faulty_names_are_refused),
        cmocka_unit_test(a_lookup_that_takes_too_long_ends),
        cmocka_unit_test(a_cancelled_lookup_is_silent),
        cmocka_unit_test(a_local_name_is_asked_for_again_and_found),
        cmocka_unit_test(a_local_name_nobody_has_ends_after_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
