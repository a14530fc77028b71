/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_private.h"
#include <stdlib.h>

static bool before(const struct rmt_queue *q, uint32_t a, uint32_t b) {
    const struct rmt_event *x = &q->slots[a], *y = &q->slots[b];
    return x->when != y->when ? x->when < y->when : x->seq < y->seq;
}

static void place(struct rmt_queue *q, size_t at, uint32_t slot) {
    q->heap[at] = slot;
    q->slots[slot].at = at;
}

static void sift_up(struct rmt_queue *q, size_t at) {
    uint32_t slot = q->heap[at];
    while (at > 0 && before(q, slot, q->heap[(at - 1) / 2])) {
        place(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(q, at, slot);
}

static void sift_down(struct rmt_queue *q, size_t at) {
    uint32_t slot = q->heap[at];
    for (size_t child; (child = 2 * at + 1) < q->n; at = child) {
        if (child + 1 < q->n && before(q, q->heap[child + 1], q->heap[child]))
            child++;
        if (!before(q, q->heap[child], slot))
            break;
        place(q, at, q->heap[child]);
    }
    place(q, at, slot);
}

static void heap_push(struct rmt_queue *q, uint32_t slot) {
    place(q, q->n++, slot);
    sift_up(q, q->n - 1);
}

static void heap_remove(struct rmt_queue *q, size_t at) {
    uint32_t last = q->heap[--q->n];
    if (at == q->n)
        return;
    place(q, at, last);
    sift_down(q, at);
    sift_up(q, q->slots[last].at);
}

static void grow(struct rmt_queue *q) {
    size_t old = q->cap;
    q->cap = old ? old * 2 : 256;
    q->slots = rmt_grow(q->slots, q->cap, sizeof *q->slots);
    q->heap = rmt_grow(q->heap, q->cap, sizeof *q->heap);
    q->spare = rmt_grow(q->spare, q->cap, sizeof *q->spare);
    for (size_t i = q->cap; i-- > old;) { /* low numbers are taken first */
        q->slots[i] = (struct rmt_event){0};
        q->spare[q->spares++] = (uint32_t)i;
    }
}

static void release(struct rmt_queue *q, uint32_t slot) {
    q->slots[slot].used = false;
    q->spare[q->spares++] = slot;
}

uint64_t rmt_queue_add(struct rmt_vnet *v, struct rmt_event e) {
    struct rmt_queue *q = &v->queue;
    if (q->spares == 0)
        grow(q);
    uint32_t slot = q->spare[--q->spares];
    e.generation = q->slots[slot].generation + 1;
    e.when = rmi_max64(e.when, v->now_us);
    e.seq = q->next_seq++;
    e.used = true;
    q->slots[slot] = e;
    heap_push(q, slot);
    return ((uint64_t)e.generation << 32 | slot) + 1;
}

void rmt_queue_fini(struct rmt_queue *q) {
    for (size_t i = 0; i < q->n; i++) {
        struct rmt_event *e = &q->slots[q->heap[i]];
        if (e->drop)
            e->drop(e->ctx);
    }
    free(q->slots);
    free(q->heap);
    free(q->spare);
}

int64_t rmt_vnet_now(const struct rmt_vnet *v) {
    return v->now_us;
}

uint64_t rmt_vnet_events(const struct rmt_vnet *v) {
    return v->queue.done;
}

uint64_t rmt_vnet_at(struct rmt_vnet *v, int64_t when_us, rmt_task_fn fn, void *ctx) {
    return rmt_queue_add(v, (struct rmt_event){.when = when_us, .fn = fn, .ctx = ctx});
}

uint64_t rmt_host_at(struct rmt_host *h, int64_t host_time_us, rmt_task_fn fn, void *ctx) {
    struct rmt_event e = {.fn = fn, .ctx = ctx, .host = h, .host_when = host_time_us};
    e.when = rmt_host_to_net(h, host_time_us);
    return rmt_queue_add(h->v, e);
}

void rmt_queue_retime(struct rmt_host *h) {
    struct rmt_queue *q = &h->v->queue;
    for (size_t i = 0; i < q->n; i++) {
        struct rmt_event *e = &q->slots[q->heap[i]];
        if (e->host == h)
            e->when = rmt_host_to_net(h, e->host_when);
    }
    for (size_t i = q->n / 2; i-- > 0;)
        sift_down(q, i);
}

bool rmt_vnet_cancel(struct rmt_vnet *v, uint64_t id) {
    struct rmt_queue *q = &v->queue;
    if (id == 0)
        return false;
    uint32_t slot = (uint32_t)(id - 1), generation = (uint32_t)((id - 1) >> 32);
    if (slot >= q->cap || !q->slots[slot].used || q->slots[slot].generation != generation)
        return false;
    struct rmt_event e = q->slots[slot];
    heap_remove(q, e.at);
    release(q, slot);
    if (e.drop)
        e.drop(e.ctx);
    return true;
}

bool rmt_vnet_step(struct rmt_vnet *v) {
    struct rmt_queue *q = &v->queue;
    if (q->n == 0)
        return false;
    uint32_t slot = q->heap[0];
    struct rmt_event e = q->slots[slot];
    v->now_us = e.when;
    if (e.host && rmt_host_now(e.host) < e.host_when) { /* further off than one step reaches */
        q->slots[slot].when = rmt_host_to_net(e.host, e.host_when);
        sift_down(q, 0);
        return true;
    }
    heap_remove(q, 0);
    release(q, slot);
    q->done++;
    e.fn(e.ctx, e.host ? rmt_host_now(e.host) : v->now_us);
    rmt_check_invariants(v);
    return true;
}

void rmt_vnet_run_until(struct rmt_vnet *v, int64_t until_us) {
    while (v->queue.n && v->queue.slots[v->queue.heap[0]].when <= until_us)
        rmt_vnet_step(v);
    v->now_us = rmi_max64(v->now_us, until_us);
}

void rmt_vnet_run_for(struct rmt_vnet *v, int64_t duration_us) {
    rmt_vnet_run_until(v, v->now_us + duration_us);
}

bool rmt_vnet_run_while_not(struct rmt_vnet *v, bool (*pred)(void *ctx), void *ctx, int64_t limit_us) {
    while (!pred(ctx)) {
        if (v->queue.n == 0 || v->queue.slots[v->queue.heap[0]].when > limit_us) {
            v->now_us = rmi_max64(v->now_us, limit_us);
            return false;
        }
        rmt_vnet_step(v);
    }
    return true;
}
