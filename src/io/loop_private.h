/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_LOOP_PRIVATE_H
#define RMI_IO_LOOP_PRIVATE_H

#include "base/list.h"
#include "io/loop.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

/* An object living on a loop. `abort` closes it at once, without callbacks; called when the loop is destroyed. */
struct rmi_loop_child {
    struct rmi_list node;
    void (*abort)(struct rmi_loop_child *child);
};

/* What is to be done once before the loop sleeps. The node is the loop's; fn and ctx stay. */
struct rmi_turn_end {
    struct rmi_list node;
    rmi_loop_fn fn;
    void *ctx;
};

struct rmi_loop {
    uv_loop_t uv;
    uv_poll_t wake_poll; /* posts and stop */
    uv_prepare_t before; /* arms timer_fd once a turn, before sleeping */
    uv_poll_t timer_poll, host_poll;
    int timer_fd;           /* earliest of `timers` */
    int wake_fd;            /* counts up when somebody wakes the loop */
    atomic_bool woken;      /* it has, and the loop has not looked yet */
    int host_fd;            /* stands in for libuv's own time-outs towards a host that polls rmi_loop_fd */
    struct rmi_list timers; /* armed ones, soonest first */
    uint64_t turn;          /* number of the current turn: a timer set in it fires in a later one */
    int64_t armed_us;       /* what timer_fd is set to */
    struct rmi_list children;
    struct rmi_list turn_ends;
    pthread_mutex_t lock;
    struct rmi_list posts; /* under lock */
    struct rmi_list jobs;  /* asked for; under lock */
    bool closed;           /* under lock */
    atomic_bool stop;
    bool in_turn;
};

/* Register an object and, when called from outside a turn, make the host's descriptor readable: watchers started by
 * the caller reach epoll in the next turn only. */
void rmi_loop_adopt(struct rmi_loop *loop, struct rmi_loop_child *child);
void rmi_loop_kick(struct rmi_loop *loop);
/* At the end of this turn, once however often it is asked for. False: no turn is under way. */
bool rmi_loop_at_turn_end(struct rmi_loop *loop, struct rmi_turn_end *what);

#endif
