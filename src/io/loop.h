/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_LOOP_H
#define RMI_IO_LOOP_H

#include "base/list.h"
#include <remotemedia/error.h>
#include <stdint.h>

/* The event loop every object of io/ lives on. One thread runs it; only rmi_loop_post, rmi_loop_stop and
 * rmi_now_us may be called from other threads. */
struct rmi_loop;
struct rmi_timer;

typedef void (*rmi_loop_fn)(void *ctx);
typedef void (*rmi_timer_fn)(void *ctx, int64_t now_us);

/* Monotonic clock (CLOCK_MONOTONIC) in microseconds, read at each call. Any thread. */
int64_t rmi_now_us(void);
int64_t rmi_loop_now_us(const struct rmi_loop *loop); /* the same clock; `loop` may be NULL */

/* RM_E_NO_MEMORY, RM_E_IO (no descriptor left). */
rm_err rmi_loop_create(struct rmi_loop **out);
/* Not inside a callback. Refuses further posts (those already queued are dropped, their functions not called), lets
 * objects that are still closing finish, and frees the loop. Close the objects on the loop first; what is left open is
 * closed here without callbacks only where noted (timers). *loop becomes NULL; accepts NULL. */
void rmi_loop_destroy(struct rmi_loop **loop);

/* Run until rmi_loop_stop. Work arrives through posts and descriptors, so an idle loop sleeps without waking up.
 * A stop asked for before the call ends it at once (then is used up). */
rm_err rmi_loop_run(struct rmi_loop *loop);
/* Any thread, any number of times: the run call returns after its current callbacks. */
void rmi_loop_stop(struct rmi_loop *loop);

/* For hosts with their own loop: a descriptor that polls readable when rmi_loop_process has something to do, and one
 * non-blocking turn of the loop. Call rmi_loop_process once before the first poll. */
int rmi_loop_fd(const struct rmi_loop *loop);
rm_err rmi_loop_process(struct rmi_loop *loop);
/* Turn the loop, sleeping in between, until *done is non-zero or the deadline passes (RM_E_TIMEOUT). */
rm_err rmi_loop_run_until(struct rmi_loop *loop, const int *done, int64_t deadline_us);

/* Any thread: have fn(ctx) run on the loop's thread, in the order posted. A post from inside a posted function runs in
 * the next turn. RM_E_CLOSED once destruction began, RM_E_NO_MEMORY. */
rm_err rmi_loop_post(struct rmi_loop *loop, rmi_loop_fn fn, void *ctx);

/* The same without memory of its own, for what is asked for often: requests made before it has run are one. The job is
 * the caller's, zeroed but for fn and ctx, and must stay until the loop is destroyed or the job ran last. */
struct rmi_job {
    struct rmi_list node; /* the loop's */
    rmi_loop_fn fn;
    void *ctx;
};
/* Any thread. RM_E_CLOSED once destruction began. */
rm_err rmi_loop_ask(struct rmi_loop *loop, struct rmi_job *job);

/* A one-shot timer with microsecond deadlines (timerfd). Created disarmed; re-arm it inside its own callback freely. */
rm_err rmi_timer_create(struct rmi_loop *loop, rmi_timer_fn fn, void *ctx, struct rmi_timer **out);
/* On the rmi_now_us clock; a deadline in the past fires in the next turn, RMI_NEVER disarms. */
void rmi_timer_set_at(struct rmi_timer *timer, int64_t deadline_us);
/* Idempotent, accepts NULL, legal inside the callback; no callback afterwards. */
void rmi_timer_destroy(struct rmi_timer **timer);

#endif
