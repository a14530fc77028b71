/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_test.h"
#include "io/random.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POSTS 1000
#define CYCLES 200

struct order {
    struct rmi_loop *loop;
    int seen, wrong, done;
    int per_thread[2];
};

struct item {
    struct order *order;
    int thread, number;
};

static void on_post(void *ctx) {
    struct item *item = ctx;
    struct order *o = item->order;
    if (o->per_thread[item->thread]++ != item->number)
        o->wrong++;
    if (++o->seen == 2 * POSTS)
        o->done = 1;
}

struct poster {
    struct order *order;
    struct item *items;
};

static void *poster_main(void *arg) {
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++)
        if (rmi_loop_post(p->order->loop, on_post, &p->items[i]) != RM_OK)
            abort();
    return NULL;
}

static void posts_from_threads_keep_their_order(void **state) {
    (void)state;
    struct order order = {0};
    assert_int_equal(rmi_loop_create(&order.loop), RM_OK);
    struct item *items = calloc(2 * POSTS, sizeof *items);
    assert_non_null(items);
    struct poster posters[2];
    pthread_t threads[2];
    for (int t = 0; t < 2; t++) {
        posters[t] = (struct poster){&order, items + t * POSTS};
        for (int i = 0; i < POSTS; i++)
            posters[t].items[i] = (struct item){&order, t, i};
        assert_int_equal(pthread_create(&threads[t], NULL, poster_main, &posters[t]), 0);
    }
    assert_int_equal(wait_for(order.loop, &order.done), RM_OK);
    for (int t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(order.wrong, 0);
    rmi_loop_destroy(&order.loop);
    assert_null(order.loop);
    free(items);
}

static void never_called(void *ctx) {
    *(int *)ctx = 1;
}

static void *stopper_main(void *arg) {
    rmi_loop_stop(arg);
    return NULL;
}

static void stop_ends_a_run_before_or_during_it(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    rmi_loop_stop(loop);
    assert_int_equal(rmi_loop_run(loop), RM_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stopper_main, loop), 0);
    assert_int_equal(rmi_loop_run(loop), RM_OK);
    pthread_join(thread, NULL);
    int called = 0;
    assert_int_equal(rmi_loop_post(loop, never_called, &called), RM_OK);
    rmi_loop_destroy(&loop); /* the queued post is dropped */
    assert_int_equal(called, 0);
    rmi_loop_destroy(&loop);
    rmi_loop_destroy(NULL);
}

struct timers {
    struct rmi_timer *a, *b, *c;
    int fired[3];
    int order[3];
    int count, done;
};

static void on_a(void *ctx, int64_t now_us) {
    struct timers *t = ctx;
    (void)now_us;
    t->fired[0]++;
    t->order[t->count++] = 0;
    rmi_timer_destroy(&t->c); /* due in the same turn: must not fire any more */
    rmi_timer_destroy(&t->a); /* legal inside its own callback */
}

static void on_b(void *ctx, int64_t now_us) {
    struct timers *t = ctx;
    t->order[t->count++] = 1;
    if (++t->fired[1] == 2)
        t->done = 1;
    else
        rmi_timer_set_at(t->b, now_us - RMI_SEC(1)); /* in the past: the next turn */
}

static void on_c(void *ctx, int64_t now_us) {
    struct timers *t = ctx;
    (void)now_us;
    t->fired[2]++;
}

static void timers_fire_in_order_and_may_be_changed_while_firing(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct timers t = {0};
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    assert_int_equal(rmi_timer_create(loop, on_a, &t, &t.a), RM_OK);
    assert_int_equal(rmi_timer_create(loop, on_b, &t, &t.b), RM_OK);
    assert_int_equal(rmi_timer_create(loop, on_c, &t, &t.c), RM_OK);
    int64_t now = rmi_now_us();
    rmi_timer_set_at(t.c, now - 100);
    rmi_timer_set_at(t.b, now - 200);
    rmi_timer_set_at(t.a, now - 300);
    assert_int_equal(wait_for(loop, &t.done), RM_OK);
    assert_int_equal(t.fired[0], 1);
    assert_int_equal(t.fired[1], 2);
    assert_int_equal(t.fired[2], 0);
    assert_int_equal(t.order[0], 0);
    rmi_timer_set_at(t.b, rmi_now_us());
    rmi_timer_set_at(t.b, RMI_NEVER);
    int never = 0;
    assert_int_equal(rmi_loop_run_until(loop, &never, rmi_now_us() + RMI_MS(5)), RM_E_TIMEOUT);
    assert_int_equal(t.fired[1], 2);
    rmi_timer_destroy(&t.b);
    rmi_timer_destroy(&t.b);
    rmi_loop_destroy(&loop);
}

static void on_done(void *ctx, int64_t now_us) {
    (void)now_us;
    *(int *)ctx = 1;
}

static void timers_are_never_early_and_their_lateness_is_shown(void **state) {
    (void)state;
    struct rmi_loop *loop = NULL;
    struct rmi_timer *timer = NULL;
    int done = 0;
    assert_int_equal(rmi_loop_create(&loop), RM_OK);
    assert_int_equal(rmi_timer_create(loop, on_done, &done, &timer), RM_OK);
    int64_t worst = 0;
    int64_t sum = 0;
    enum { ROUNDS = 200, STEP_US = 1300 };
    for (int i = 0; i < ROUNDS; i++) {
        int64_t due = rmi_now_us() + STEP_US;
        done = 0;
        rmi_timer_set_at(timer, due);
        assert_int_equal(wait_for(loop, &done), RM_OK);
        int64_t late = rmi_now_us() - due;
        assert_true(late >= 0);
        sum += late;
        worst = rmi_max64(worst, late);
    }
    print_message("timer lateness: mean %.1f us, worst %lld us\n", (double)sum / ROUNDS, (long long)worst);
    rmi_timer_destroy(&timer);
    rmi_loop_destroy(&loop);
}

/* A host that only ever sleeps in poll() on the loop's descriptor. */
static bool host_runs_until(struct rmi_loop *loop, const int *done) {
    int64_t deadline = rmi_now_us() + RMI_SEC(4);
    while (!*done && rmi_now_us() < deadline) {
        struct pollfd p = {.fd = rmi_loop_fd(loop), .events = POLLIN};
        if (poll(&p, 1, 4000) < 0 && errno != EINTR)
            return false;
        if (rmi_loop_process(loop) != RM_OK)
            return false;
    }
    return *done != 0;
}

static void *late_poster_main(void *arg) {
    struct item *item = arg;
    return rmi_loop_post(item->order->loop, on_post, item) == RM_OK ? NULL : arg;
}

static void a_host_is_woken_through_the_descriptor(void **state) {
    (void)state;
    struct order order = {.seen = 2 * POSTS - 1};
    struct item item = {&order, 0, 0};
    assert_int_equal(rmi_loop_create(&order.loop), RM_OK);
    assert_int_equal(rmi_loop_process(order.loop), RM_OK);
    struct rmi_timer *timer = NULL;
    int done = 0;
    assert_int_equal(rmi_timer_create(order.loop, on_done, &done, &timer), RM_OK);
    rmi_timer_set_at(timer, rmi_now_us() + RMI_MS(3));
    assert_true(host_runs_until(order.loop, &done));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, late_poster_main, &item), 0);
    assert_true(host_runs_until(order.loop, &order.done));
    pthread_join(thread, NULL);
    rmi_timer_destroy(&timer);
    rmi_loop_destroy(&order.loop);
}

static void cycles_leave_no_descriptor(void **state) {
    (void)state;
    int fds = count_entries("/proc/self/fd");
    int threads = count_entries("/proc/self/task");
    for (int i = 0; i < CYCLES; i++) {
        struct rmi_loop *loop = NULL;
        struct rmi_timer *timer = NULL;
        int done = 0;
        assert_int_equal(rmi_loop_create(&loop), RM_OK);
        assert_int_equal(rmi_timer_create(loop, on_done, &done, &timer), RM_OK);
        rmi_timer_set_at(timer, rmi_now_us());
        assert_int_equal(wait_for(loop, &done), RM_OK);
        rmi_timer_destroy(&timer);
        rmi_loop_destroy(&loop);
    }
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    assert_int_equal(count_entries("/proc/self/task"), threads);
}

static void the_system_generator_fills_every_byte(void **state) {
    (void)state;
    struct rmi_rng rng = rmi_system_rng();
    uint8_t seen[300] = {0};
    /* Each byte is non-zero in some of 16 drafts but for a chance of 300 * 2^-128. */
    for (int round = 0; round < 16; round++) {
        uint8_t draft[300] = {0};
        rmi_rng_fill(&rng, draft, sizeof draft);
        for (size_t i = 0; i < sizeof draft; i++)
            seen[i] |= draft[i];
    }
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_not_equal(seen[i], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_from_threads_keep_their_order),
        cmocka_unit_test(stop_ends_a_run_before_or_during_it),
        cmocka_unit_test(timers_fire_in_order_and_may_be_changed_while_firing),
        cmocka_unit_test(timers_are_never_early_and_their_lateness_is_shown),
        cmocka_unit_test(a_host_is_woken_through_the_descriptor),
        cmocka_unit_test(cycles_leave_no_descriptor),
        cmocka_unit_test(the_system_generator_fills_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
