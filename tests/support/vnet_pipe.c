/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    struct message *next;
    int64_t due_us;
    bool last; /* no data: the connection ends here */
    size_t len;
    char data[];
};

struct end {
    struct rmt_pipe *pipe;
    struct rmt_host *host;
    rmt_pipe_fn fn;
    void *ctx;
    bool closed; /* closed itself, or was told */
    /* Messages on their way to this end, in the order of delivery. */
    struct message *head, **tail;
    int64_t last_due_us;
};

struct rmt_pipe {
    struct rmt_vnet *v;
    struct rmt_pipe *next;
    char name[RMT_NAME_MAX];
    struct rmt_pipe_config config;
    struct rmi_prng jitter, faults;
    struct end ends[2];
    bool killed, stalled;
};

static void check_end(const struct rmt_pipe *p, int end) {
    if (end != 0 && end != 1)
        rmt_vnet_fail(p->v, "pipe %s has no end %d", p->name, end);
}

struct rmt_pipe *rmt_pipe_create(struct rmt_vnet *v, const struct rmt_pipe_config *config) {
    struct rmt_pipe *p = rmt_alloc(sizeof *p);
    p->v = v;
    rmt_copy_name(p->name, config->name);
    p->config = *config;
    char name[RMT_NAME_MAX + 16];
    snprintf(name, sizeof name, "pipe %s jitter", p->name);
    rmi_prng_seed(&p->jitter, rmt_vnet_sub_seed(v, name));
    snprintf(name, sizeof name, "pipe %s faults", p->name);
    rmi_prng_seed(&p->faults, rmt_vnet_sub_seed(v, name));
    for (int i = 0; i < 2; i++) {
        p->ends[i].pipe = p;
        p->ends[i].tail = &p->ends[i].head;
    }
    p->next = v->pipes;
    v->pipes = p;
    return p;
}

static void clear(struct end *e) {
    for (struct message *m = e->head, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    e->head = NULL;
    e->tail = &e->head;
}

void rmt_pipe_free_all(struct rmt_vnet *v) {
    for (struct rmt_pipe *p = v->pipes, *next; p; p = next) {
        next = p->next;
        clear(&p->ends[0]);
        clear(&p->ends[1]);
        free(p);
    }
    v->pipes = NULL;
}

void rmt_pipe_attach(struct rmt_pipe *p, int end, struct rmt_host *h, rmt_pipe_fn fn, void *ctx) {
    check_end(p, end);
    p->ends[end].host = h;
    p->ends[end].fn = fn;
    p->ends[end].ctx = ctx;
}

/* Delivers what is due at an end. The callback may send, close, kill or stall; the pipe itself lives on. */
static void pump(void *ctx, int64_t now_us) {
    struct end *e = ctx;
    struct rmt_pipe *p = e->pipe;
    while (e->head && e->head->due_us <= now_us && !p->stalled) {
        struct message *m = e->head;
        e->head = m->next;
        if (!e->head)
            e->tail = &e->head;
        bool tell = !e->closed && e->fn;
        if (m->last)
            e->closed = true;
        if (tell) {
            rmt_trace_message(p->v, p->name, (int)(e - p->ends), m->last ? NULL : m->data, m->len);
            e->fn(e->ctx, e->host ? rmt_host_now(e->host) : now_us, m->last ? NULL : m->data, m->len);
        }
        free(m);
    }
}

static int64_t delay_of(struct rmt_pipe *p) {
    int64_t delay = p->config.delay_us;
    delay += (int64_t)rmt_below(&p->jitter, (uint64_t)p->config.jitter_us + 1);
    return rmt_chance(&p->jitter, p->config.slow_p) ? p->config.slow_us : delay;
}

static void put(struct end *to, const char *data, size_t len, bool last, bool overtake) {
    struct rmt_pipe *p = to->pipe;
    struct message *m = rmt_alloc(sizeof *m + len + 1);
    m->last = last;
    m->len = len;
    if (len)
        memcpy(m->data, data, len);
    m->due_us = p->v->now_us + delay_of(p);
    if (overtake && to->head) {
        m->due_us = rmi_min64(m->due_us, to->head->due_us);
        m->next = to->head;
        to->head = m;
    } else {
        m->due_us = to->last_due_us = rmi_max64(m->due_us, to->last_due_us);
        *to->tail = m;
        to->tail = &m->next;
    }
    rmt_vnet_at(p->v, m->due_us, pump, to);
}

rm_err rmt_pipe_send(struct rmt_pipe *p, int from_end, const char *data, size_t len) {
    check_end(p, from_end);
    if (p->ends[from_end].closed)
        return RM_E_CLOSED;
    bool drop = rmt_chance(&p->faults, p->config.drop_p), dup = rmt_chance(&p->faults, p->config.dup_p);
    bool overtake = rmt_chance(&p->faults, p->config.reorder_p);
    if (drop || p->killed)
        return RM_OK;
    struct end *to = &p->ends[1 - from_end];
    put(to, data, len, false, overtake);
    if (dup)
        put(to, data, len, false, false);
    return RM_OK;
}

void rmt_pipe_close(struct rmt_pipe *p, int end) {
    check_end(p, end);
    if (p->ends[end].closed)
        return;
    p->ends[end].closed = true;
    if (!p->killed)
        put(&p->ends[1 - end], NULL, 0, true, false);
}

void rmt_pipe_kill(struct rmt_pipe *p) {
    if (p->killed)
        return;
    p->killed = true;
    p->stalled = false;
    for (int i = 0; i < 2; i++) {
        clear(&p->ends[i]);
        p->ends[i].last_due_us = 0;
        put(&p->ends[i], NULL, 0, true, false);
    }
}

void rmt_pipe_stall(struct rmt_pipe *p, bool stalled) {
    p->stalled = stalled;
    if (stalled)
        return;
    for (int i = 0; i < 2; i++)
        rmt_vnet_at(p->v, p->v->now_us, pump, &p->ends[i]);
}

void rmt_pipe_set(struct rmt_pipe *p, const struct rmt_pipe_config *config) {
    p->config = *config;
}

bool rmt_pipe_is_open(const struct rmt_pipe *p) {
    return !p->killed && !p->ends[0].closed && !p->ends[1].closed;
}

bool rmt_pipe_reopen(struct rmt_pipe *p) {
    for (int i = 0; i < 2; i++)
        if (!p->ends[i].closed || p->ends[i].head)
            return false;
    p->killed = p->stalled = p->ends[0].closed = p->ends[1].closed = false;
    return true;
}
