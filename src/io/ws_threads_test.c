/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_test.h"
#include "io/websocket.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS 40

/* Many loops in one process, each on a thread of its own, with a server and clients that come and go all the time; and
 * a bystander whose descriptors nobody else may touch. (libwebsockets, used here before, closed a descriptor twice: by
 * then the number could belong to another thread.) */
struct side {
    struct rmi_ws_server *srv;
    int got, closed;
};

static void on_server_text(void *ctx, rmi_ws_conn_id id, const char *text, size_t len) {
    struct side *s = ctx;
    (void)rmi_ws_server_send(s->srv, id, text, len);
}

static void on_client_text(void *ctx, const char *text, size_t len) {
    struct side *s = ctx;
    s->got += len == 5 && memcmp(text, "hello", 5) == 0;
}

static void on_client_close(void *ctx, rm_err why, const char *detail) {
    struct side *s = ctx;
    (void)why, (void)detail;
    s->closed = 1;
}

/* One life: 0 if all went well. Asserts of cmocka are not for other threads. */
static int live(int round) {
    struct rmi_loop *loop = NULL;
    struct rmi_ws *ws = NULL, *refused = NULL;
    struct side s = {0}, other = {0};
    if (rmi_loop_create(&loop) != RM_OK)
        return 1;
    struct rmi_ws_server_config sc = {.host = "127.0.0.1", .cb = {.ctx = &s, .on_text = on_server_text}};
    int faults = rmi_ws_server_listen(loop, &sc, &s.srv) != RM_OK;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", faults ? 9 : rmi_ws_server_port(s.srv));
    struct rmi_ws_config cc = {.url = url, .cb = {.ctx = &s, .on_text = on_client_text, .on_close = on_client_close}};
    faults += rmi_ws_connect(loop, &cc, &ws) != RM_OK;
    faults += ws && rmi_ws_send(ws, "hello", 5) != RM_OK;
    faults += wait_for(loop, &s.got) != RM_OK;
    cc.url = "ws://127.0.0.1:9/"; /* discard: nobody listens */
    cc.cb.ctx = &other;
    faults += rmi_ws_connect(loop, &cc, &refused) != RM_OK;
    if (round % 2) { /* in order; else the loop goes away under open connections */
        faults += wait_for(loop, &other.closed) != RM_OK;
        rmi_ws_close(&ws);
        rmi_ws_server_close(&s.srv);
    }
    rmi_loop_destroy(&loop);
    return faults;
}

static void *lives(void *ctx) {
    int *faults = ctx;
    for (int i = 0; i < ROUNDS; i++)
        *faults += live(i);
    return NULL;
}

struct bystander {
    atomic_bool stop;
    int faults, rounds;
};

static void *stand_by(void *ctx) {
    struct bystander *b = ctx;
    while (!atomic_load(&b->stop)) {
        uint64_t mark = (uint64_t)++b->rounds, seen = 0;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        bool ok = fd >= 0 && write(fd, &mark, sizeof mark) == sizeof mark;
        usleep(50); /* time for another thread to do harm; nothing is waited for */
        ok = ok && read(fd, &seen, sizeof seen) == sizeof seen && seen == mark && close(fd) == 0;
        b->faults += !ok;
    }
    return NULL;
}

static void many_loops_come_and_go_in_one_process(void **state) {
    (void)state;
    assert_int_equal(live(1), 0); /* libuv and the resolver keep a few descriptors from their first use on */
    int before = count_entries("/proc/self/fd");
    pthread_t threads[THREADS], watcher;
    int faults[THREADS] = {0};
    struct bystander b = {0};
    assert_int_equal(pthread_create(&watcher, NULL, stand_by, &b), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lives, &faults[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(faults[i], 0);
    }
    atomic_store(&b.stop, true);
    pthread_join(watcher, NULL);
    assert_int_equal(b.faults, 0);
    assert_true(b.rounds > 0);
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_loops_come_and_go_in_one_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
