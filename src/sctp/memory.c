/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES 128
#define LARGE_BYTES 1152 /* the payload of any packet of RMI_SCTP_PACKET_MAX */
#define KEPT_WHEN_IDLE 32
#define RING_FIRST 256
#define RING_MAX (4 * RMI_SCTP_WINDOW_TSNS)

struct rmi_sctp_block *rmi_sctp_block_get(struct rmi_sctp *a, size_t len) {
    const size_t cap = len <= SMALL_BYTES ? SMALL_BYTES : len <= LARGE_BYTES ? LARGE_BYTES : len;
    struct rmi_list *kept = cap == SMALL_BYTES   ? rmi_list_pop_front(&a->free_small)
                            : cap == LARGE_BYTES ? rmi_list_pop_front(&a->free_large)
                                                 : NULL;
    struct rmi_sctp_block *b = kept ? RMI_CONTAINER_OF(kept, struct rmi_sctp_block, node) : malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    memset(b, 0, sizeof *b);
    b->cap = (uint32_t)cap;
    b->len = (uint32_t)len;
    return b;
}

void rmi_sctp_block_put(struct rmi_sctp *a, struct rmi_sctp_block *b) {
    rmi_list_remove(&b->order);
    rmi_list_remove(&b->node);
    if (b->cap == SMALL_BYTES)
        rmi_list_push_front(&a->free_small, &b->node);
    else if (b->cap == LARGE_BYTES)
        rmi_list_push_front(&a->free_large, &b->node);
    else
        free(b);
}

void rmi_sctp_block_release(struct rmi_sctp *a, struct rmi_sctp_block *b) {
    struct rmi_sctp_message *m = b->message;
    rmi_sctp_block_put(a, b);
    if (--m->blocks == 0)
        rmi_sctp_message_put(a, m);
}

/* What it really takes, so that a flood of one-byte fragments is bounded too. */
size_t rmi_sctp_block_cost(const struct rmi_sctp_block *b) {
    return sizeof *b + b->cap;
}

struct rmi_sctp_message *rmi_sctp_message_get(struct rmi_sctp *a) {
    struct rmi_list *kept = rmi_list_pop_front(&a->free_messages);
    struct rmi_sctp_message *m = kept ? RMI_CONTAINER_OF(kept, struct rmi_sctp_message, node) : malloc(sizeof *m);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    rmi_list_init(&m->fragments);
    return m;
}

void rmi_sctp_message_put(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    if (!m)
        return;
    RMI_LIST_FOREACH (node, next, &m->fragments)
        rmi_sctp_block_put(a, RMI_CONTAINER_OF(node, struct rmi_sctp_block, node));
    rmi_list_remove(&m->node);
    rmi_list_push_front(&a->free_messages, &m->node);
}

struct rmi_sctp_stream_out *rmi_sctp_out_stream(struct rmi_sctp *a, uint16_t id) {
    if (id >= RMI_SCTP_STREAMS)
        return NULL;
    if (!a->out[id] && (a->out[id] = calloc(1, sizeof *a->out[id]))) {
        a->out[id]->id = id;
        a->out[id]->weight = RMI_SCTP_WEIGHT;
        rmi_list_init(&a->out[id]->messages);
    }
    return a->out[id];
}

struct rmi_sctp_stream_in *rmi_sctp_in_stream(struct rmi_sctp *a, uint16_t id) {
    if (id >= RMI_SCTP_STREAMS)
        return NULL;
    if (!a->in[id] && (a->in[id] = calloc(1, sizeof *a->in[id]))) {
        rmi_list_init(&a->in[id]->ordered);
        rmi_list_init(&a->in[id]->unordered);
        rmi_list_init(&a->in[id]->kept_back);
    }
    return a->in[id];
}

void rmi_sctp_post(struct rmi_sctp *a, enum rmi_sctp_event_type type, uint16_t stream, rm_err err) {
    struct rmi_sctp_message *m = rmi_sctp_message_get(a);
    if (!m) {
        rmi_sctp_fail(a, RM_E_NO_MEMORY, "no memory for an event");
        return;
    }
    m->type = type;
    m->stream = stream;
    m->err = err;
    rmi_list_push_back(&a->ready, &m->node);
}

bool rmi_sctp_ring_reserve(struct rmi_sctp *a) {
    if (a->next_tsn - a->cum_ack < a->ring_size)
        return true;
    const uint32_t size = a->ring_size ? a->ring_size * 2 : RING_FIRST;
    struct rmi_sctp_block **ring = size <= RING_MAX ? calloc(size, sizeof *ring) : NULL;
    if (!ring)
        return false;
    for (uint32_t tsn = a->cum_ack + 1; a->ring && tsn != a->next_tsn; tsn++)
        ring[tsn & (size - 1)] = *rmi_sctp_ring_at(a, tsn);
    free(a->ring);
    a->ring = ring;
    a->ring_size = size;
    return true;
}

static void free_blocks(struct rmi_list *list, size_t keep) {
    RMI_LIST_FOREACH (node, next, list) {
        if (keep > 0) {
            keep--;
            continue;
        }
        rmi_list_remove(node);
        free(RMI_CONTAINER_OF(node, struct rmi_sctp_block, node));
    }
}

void rmi_sctp_memory_idle(struct rmi_sctp *a) {
    const uint64_t mark = a->stats.payload_in + a->stats.payload_out;
    if (mark == a->idle_mark && !a->taken) {
        free_blocks(&a->free_large, KEPT_WHEN_IDLE);
        free_blocks(&a->free_small, KEPT_WHEN_IDLE);
        free(a->whole);
        a->whole = NULL;
        a->whole_cap = 0;
    }
    a->idle_mark = mark;
}

static void put_all(struct rmi_sctp *a, struct rmi_list *messages) {
    RMI_LIST_FOREACH (node, next, messages)
        rmi_sctp_message_put(a, RMI_CONTAINER_OF(node, struct rmi_sctp_message, node));
}

void rmi_sctp_memory_free(struct rmi_sctp *a) {
    for (uint32_t tsn = a->cum_ack + 1; a->ring && tsn != a->next_tsn; tsn++) {
        struct rmi_sctp_block *b = *rmi_sctp_ring_at(a, tsn);
        rmi_sctp_block_release(a, b);
    }
    rmi_sctp_message_put(a, a->taken);
    put_all(a, &a->ready);
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++) {
        if (a->out[i])
            put_all(a, &a->out[i]->messages);
        if (a->in[i]) {
            put_all(a, &a->in[i]->ordered);
            put_all(a, &a->in[i]->unordered);
            put_all(a, &a->in[i]->kept_back);
        }
        free(a->out[i]);
        free(a->in[i]);
    }
    free_blocks(&a->free_small, 0);
    free_blocks(&a->free_large, 0);
    RMI_LIST_FOREACH (node, next, &a->free_messages) {
        rmi_list_remove(node);
        free(RMI_CONTAINER_OF(node, struct rmi_sctp_message, node));
    }
    free(a->ring);
    free(a->whole);
    free(a->echo);
}
