/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"
#include "base/time.h"
#include "io/loop_private.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S 1000000
#define NS_PER_US 1000

struct post {
    struct rmi_list node;
    rmi_loop_fn fn;
    void *ctx;
};

struct rmi_timer {
    struct rmi_list node;
    struct rmi_loop *loop;
    int64_t deadline_us;
    uint64_t set_turn;
    rmi_timer_fn fn;
    void *ctx;
};

int64_t rmi_now_us(void) {
    struct timespec ts = {0};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / NS_PER_US;
}

int64_t rmi_loop_now_us(const struct rmi_loop *loop) {
    (void)loop;
    return rmi_now_us();
}

static void set_timerfd(int fd, int64_t at_us) {
    struct itimerspec spec = {0};
    if (at_us != RMI_NEVER) {
        int64_t at = at_us > 0 ? at_us : 1; /* an all-zero time would disarm */
        spec.it_value.tv_sec = (time_t)(at / US_PER_S);
        spec.it_value.tv_nsec = (long)(at % US_PER_S) * NS_PER_US;
    }
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void drain_timerfd(int fd) {
    uint64_t expirations;
    while (read(fd, &expirations, sizeof expirations) == (ssize_t)sizeof expirations) {
    }
}

static void arm_timers(struct rmi_loop *loop) {
    int64_t next = RMI_NEVER;
    if (!rmi_list_empty(&loop->timers))
        next = RMI_CONTAINER_OF(loop->timers.next, struct rmi_timer, node)->deadline_us;
    if (next != loop->armed_us) {
        set_timerfd(loop->timer_fd, next);
        loop->armed_us = next;
    }
}

static void on_before(uv_prepare_t *handle) {
    struct rmi_loop *loop = handle->data;
    loop->turn++;
    arm_timers(loop);
}

static void on_timer(uv_poll_t *handle, int status, int events) {
    struct rmi_loop *loop = handle->data;
    (void)status;
    (void)events;
    drain_timerfd(loop->timer_fd);
    loop->armed_us = RMI_NEVER;
    int64_t now_us = rmi_now_us();
    /* What is due now goes to a list of its own. Timers set in this very turn wait for the next: a timer re-armed in
     * the past cannot starve the loop, and handles closed in this turn have had their close callbacks before. */
    struct rmi_list due;
    rmi_list_init(&due);
    RMI_LIST_FOREACH (node, tmp, &loop->timers) {
        struct rmi_timer *t = RMI_CONTAINER_OF(node, struct rmi_timer, node);
        if (t->deadline_us > now_us)
            break;
        if (t->set_turn == loop->turn)
            continue;
        rmi_list_remove(&t->node);
        rmi_list_push_back(&due, &t->node);
    }
    for (struct rmi_list *node = rmi_list_pop_front(&due); node; node = rmi_list_pop_front(&due)) {
        struct rmi_timer *t = RMI_CONTAINER_OF(node, struct rmi_timer, node);
        t->deadline_us = RMI_NEVER;
        t->fn(t->ctx, rmi_now_us());
    }
}

static void on_host(uv_poll_t *handle, int status, int events) {
    struct rmi_loop *loop = handle->data;
    (void)status;
    (void)events;
    drain_timerfd(loop->host_fd);
}

static struct rmi_list *next_job(struct rmi_loop *loop, size_t *left) {
    pthread_mutex_lock(&loop->lock);
    struct rmi_list *node = *left ? rmi_list_pop_front(&loop->jobs) : NULL;
    pthread_mutex_unlock(&loop->lock);
    *left -= *left > 0;
    return node;
}

/* Those there are now: a job that asks for itself waits for the next turn. */
static void run_jobs(struct rmi_loop *loop) {
    size_t left = 0;
    pthread_mutex_lock(&loop->lock);
    RMI_LIST_FOREACH (node, tmp, &loop->jobs) {
        left++;
    }
    pthread_mutex_unlock(&loop->lock);
    for (struct rmi_list *node = next_job(loop, &left); node; node = next_job(loop, &left)) {
        struct rmi_job *job = RMI_CONTAINER_OF(node, struct rmi_job, node);
        job->fn(job->ctx);
    }
}

/* An event descriptor of our own: between the two steps of libuv 1.44's uv_async_send a sender can be preempted by the
 * very thread it wakes, which then spins and yields until an ordinary thread gets its turn (measured in a mesh of ten
 * on two busy cores: 2 to 3 percent of all time). */
static void wake(struct rmi_loop *loop) {
    const uint64_t one = 1;
    if (!atomic_exchange(&loop->woken, true) && write(loop->wake_fd, &one, sizeof one) < 0)
        atomic_store(&loop->woken, false); /* which only a full counter can do, and then it is readable */
}

static void on_wake(uv_poll_t *handle, int status, int events) {
    struct rmi_loop *loop = handle->data;
    struct rmi_list run;
    uint64_t count;
    (void)status;
    (void)events;
    (void)!read(loop->wake_fd, &count, sizeof count);
    atomic_store(&loop->woken, false); /* between the two: who finds it set has left its post where it is seen below */
    rmi_list_init(&run);
    pthread_mutex_lock(&loop->lock);
    for (struct rmi_list *node = rmi_list_pop_front(&loop->posts); node; node = rmi_list_pop_front(&loop->posts))
        rmi_list_push_back(&run, node);
    pthread_mutex_unlock(&loop->lock);
    for (struct rmi_list *node = rmi_list_pop_front(&run); node; node = rmi_list_pop_front(&run)) {
        struct post *p = RMI_CONTAINER_OF(node, struct post, node);
        p->fn(p->ctx);
        free(p);
    }
    run_jobs(loop);
}

/* Every step is undone by rmi_loop_destroy's close_all, which skips handles never initialised (type unknown). */
static int start_handles(struct rmi_loop *loop) {
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->host_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->timer_fd < 0 || loop->host_fd < 0 || loop->wake_fd < 0)
        return -1;
    loop->wake_poll.data = loop->before.data = loop->timer_poll.data = loop->host_poll.data = loop;
    if (uv_poll_init(&loop->uv, &loop->wake_poll, loop->wake_fd) != 0 ||
        uv_prepare_init(&loop->uv, &loop->before) != 0 ||
        uv_poll_init(&loop->uv, &loop->timer_poll, loop->timer_fd) != 0 ||
        uv_poll_init(&loop->uv, &loop->host_poll, loop->host_fd) != 0)
        return -1;
    if (uv_prepare_start(&loop->before, on_before) != 0 || uv_poll_start(&loop->wake_poll, UV_READABLE, on_wake) != 0 ||
        uv_poll_start(&loop->timer_poll, UV_READABLE, on_timer) != 0 ||
        uv_poll_start(&loop->host_poll, UV_READABLE, on_host) != 0)
        return -1;
    return 0;
}

rm_err rmi_loop_create(struct rmi_loop **out) {
    *out = NULL;
    struct rmi_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return RM_E_NO_MEMORY;
    rmi_list_init(&loop->timers);
    rmi_list_init(&loop->children);
    rmi_list_init(&loop->turn_ends);
    rmi_list_init(&loop->posts);
    rmi_list_init(&loop->jobs);
    loop->armed_us = RMI_NEVER;
    loop->timer_fd = loop->host_fd = loop->wake_fd = -1;
    if (pthread_mutex_init(&loop->lock, NULL) != 0) {
        free(loop);
        return RM_E_NO_MEMORY;
    }
    if (uv_loop_init(&loop->uv) != 0) {
        pthread_mutex_destroy(&loop->lock);
        free(loop);
        return RM_E_IO;
    }
    if (start_handles(loop) != 0) {
        rmi_loop_destroy(&loop);
        return RM_E_IO;
    }
    *out = loop;
    return RM_OK;
}

static void close_handle(void *handle) {
    uv_handle_t *h = handle;
    if (h->type != UV_UNKNOWN_HANDLE && !uv_is_closing(h))
        uv_close(h, NULL);
}

static void drop_posts(struct rmi_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->closed = true;
    for (struct rmi_list *node = rmi_list_pop_front(&loop->posts); node; node = rmi_list_pop_front(&loop->posts))
        free(RMI_CONTAINER_OF(node, struct post, node));
    while (rmi_list_pop_front(&loop->jobs)) {
    }
    pthread_mutex_unlock(&loop->lock);
}

void rmi_loop_destroy(struct rmi_loop **loop_ptr) {
    if (!loop_ptr || !*loop_ptr)
        return;
    struct rmi_loop *loop = *loop_ptr;
    *loop_ptr = NULL;
    drop_posts(loop);
    loop->in_turn = true;
    for (struct rmi_list *node = rmi_list_pop_front(&loop->children); node;
         node = rmi_list_pop_front(&loop->children)) {
        struct rmi_loop_child *child = RMI_CONTAINER_OF(node, struct rmi_loop_child, node);
        child->abort(child);
    }
    close_handle(&loop->wake_poll);
    close_handle(&loop->before);
    close_handle(&loop->timer_poll);
    close_handle(&loop->host_poll);
    /* Runs close callbacks and whatever is not to be cancelled (a name lookup on its thread) to their end. */
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0 || uv_loop_close(&loop->uv) == UV_EBUSY) {
    }
    /* Timers are objects of their own; those left to their owners just never fire. */
    for (struct rmi_list *node = rmi_list_pop_front(&loop->timers); node; node = rmi_list_pop_front(&loop->timers)) {
    }
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->host_fd >= 0)
        close(loop->host_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

static void turn(struct rmi_loop *loop, uv_run_mode mode) {
    loop->in_turn = true;
    uv_run(&loop->uv, mode);
    for (struct rmi_list *node = rmi_list_pop_front(&loop->turn_ends); node;
         node = rmi_list_pop_front(&loop->turn_ends)) {
        struct rmi_turn_end *what = RMI_CONTAINER_OF(node, struct rmi_turn_end, node);
        what->fn(what->ctx);
    }
    loop->in_turn = false;
}

bool rmi_loop_at_turn_end(struct rmi_loop *loop, struct rmi_turn_end *what) {
    if (loop->in_turn && !what->node.next)
        rmi_list_push_back(&loop->turn_ends, &what->node);
    return loop->in_turn;
}

rm_err rmi_loop_run(struct rmi_loop *loop) {
    if (loop->in_turn)
        return RM_E_STATE;
    while (!atomic_exchange(&loop->stop, false))
        turn(loop, UV_RUN_ONCE);
    return RM_OK;
}

void rmi_loop_stop(struct rmi_loop *loop) {
    atomic_store(&loop->stop, true);
    wake(loop);
}

int rmi_loop_fd(const struct rmi_loop *loop) {
    return uv_backend_fd(&loop->uv);
}

rm_err rmi_loop_process(struct rmi_loop *loop) {
    if (loop->in_turn)
        return RM_E_STATE;
    turn(loop, UV_RUN_NOWAIT);
    arm_timers(loop);
    /* Watchers started by callbacks of this turn wait in a queue for the next one to reach epoll. */
    bool watchers_wait = loop->uv.watcher_queue[0] != (void *)loop->uv.watcher_queue;
    int wait_ms = uv_backend_timeout(&loop->uv);
    if (watchers_wait || wait_ms == 0)
        set_timerfd(loop->host_fd, 1);
    else
        set_timerfd(loop->host_fd, wait_ms < 0 ? RMI_NEVER : rmi_now_us() + RMI_MS(wait_ms));
    return RM_OK;
}

static void on_deadline(void *ctx, int64_t now_us) {
    (void)now_us;
    *(bool *)ctx = true;
}

rm_err rmi_loop_run_until(struct rmi_loop *loop, const int *done, int64_t deadline_us) {
    if (loop->in_turn)
        return RM_E_STATE;
    bool late = false;
    struct rmi_timer *timer = NULL;
    rm_err err = rmi_timer_create(loop, on_deadline, &late, &timer);
    if (err != RM_OK)
        return err;
    rmi_timer_set_at(timer, deadline_us);
    while (!*(const volatile int *)done && !late)
        turn(loop, UV_RUN_ONCE);
    rmi_timer_destroy(&timer);
    return *(const volatile int *)done ? RM_OK : RM_E_TIMEOUT;
}

rm_err rmi_loop_post(struct rmi_loop *loop, rmi_loop_fn fn, void *ctx) {
    struct post *p = calloc(1, sizeof *p);
    if (!p)
        return RM_E_NO_MEMORY;
    p->fn = fn;
    p->ctx = ctx;
    pthread_mutex_lock(&loop->lock);
    bool closed = loop->closed;
    if (!closed) {
        rmi_list_push_back(&loop->posts, &p->node);
        wake(loop); /* under the lock: destruction cannot close the handle in between */
    }
    pthread_mutex_unlock(&loop->lock);
    if (closed)
        free(p);
    return closed ? RM_E_CLOSED : RM_OK;
}

rm_err rmi_loop_ask(struct rmi_loop *loop, struct rmi_job *job) {
    pthread_mutex_lock(&loop->lock);
    bool closed = loop->closed;
    if (!closed && !job->node.next) {
        rmi_list_push_back(&loop->jobs, &job->node);
        wake(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    return closed ? RM_E_CLOSED : RM_OK;
}

void rmi_loop_adopt(struct rmi_loop *loop, struct rmi_loop_child *child) {
    rmi_list_push_back(&loop->children, &child->node);
    rmi_loop_kick(loop);
}

void rmi_loop_kick(struct rmi_loop *loop) {
    if (!loop->in_turn)
        wake(loop);
}

rm_err rmi_timer_create(struct rmi_loop *loop, rmi_timer_fn fn, void *ctx, struct rmi_timer **out) {
    *out = calloc(1, sizeof **out);
    if (!*out)
        return RM_E_NO_MEMORY;
    **out = (struct rmi_timer){.loop = loop, .deadline_us = RMI_NEVER, .fn = fn, .ctx = ctx};
    return RM_OK;
}

void rmi_timer_set_at(struct rmi_timer *timer, int64_t deadline_us) {
    if (timer->deadline_us == deadline_us && (timer->node.next || deadline_us == RMI_NEVER))
        return;
    struct rmi_loop *loop = timer->loop;
    rmi_list_remove(&timer->node);
    timer->deadline_us = deadline_us;
    timer->set_turn = loop->turn;
    if (deadline_us != RMI_NEVER) {
        /* From the back: deadlines mostly move forward, and there are a few dozen timers. */
        struct rmi_list *after = loop->timers.prev;
        while (after != &loop->timers && RMI_CONTAINER_OF(after, struct rmi_timer, node)->deadline_us > deadline_us)
            after = after->prev;
        rmi_list_push_front(after, &timer->node);
    }
    if (!loop->in_turn)
        arm_timers(loop);
}

void rmi_timer_destroy(struct rmi_timer **timer) {
    if (!timer || !*timer)
        return;
    rmi_list_remove(&(*timer)->node); /* the descriptor may fire once for nothing */
    free(*timer);
    *timer = NULL;
}
