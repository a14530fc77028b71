/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <stdatomic.h>
#include <stdlib.h>

#define CAPACITY_MAX ((size_t)1 << 20)
#define CACHE_LINE 64 /* x86-64 and most ARM cores: the two ends must not share one */

struct rmi_ring {
    size_t capacity;
    size_t mask; /* slots - 1; slots is a power of two, so that the counters may wrap around */
    char pad0[CACHE_LINE];
    atomic_size_t head; /* pushed so far; written by the producer */
    size_t tail_seen;   /* the producer's last look at tail: saves a cache miss on most pushes */
    char pad1[CACHE_LINE];
    atomic_size_t tail; /* popped so far; written by the consumer */
    size_t head_seen;
    char pad2[CACHE_LINE];
    void *slots[];
};

rm_err rmi_ring_create(size_t capacity, struct rmi_ring **out) {
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return RM_E_INVALID_ARG;
    size_t slots = 1;
    while (slots < capacity)
        slots *= 2;
    struct rmi_ring *ring = calloc(1, sizeof *ring + slots * sizeof ring->slots[0]);
    if (!ring)
        return RM_E_NO_MEMORY;
    ring->capacity = capacity;
    ring->mask = slots - 1;
    *out = ring;
    return RM_OK;
}

void rmi_ring_destroy(struct rmi_ring **ring) {
    if (!ring)
        return;
    free(*ring);
    *ring = NULL;
}

bool rmi_ring_push(struct rmi_ring *ring, void *item) {
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (!item)
        return false;
    if (head - ring->tail_seen >= ring->capacity) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen >= ring->capacity)
            return false;
    }
    ring->slots[head & ring->mask] = item;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void *rmi_ring_pop(struct rmi_ring *ring) {
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen)
            return NULL;
    }
    void *item = ring->slots[tail & ring->mask];
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return item;
}

size_t rmi_ring_count(const struct rmi_ring *ring) {
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire); /* first: head is never behind it then */
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t count = head - tail;
    return count < ring->capacity ? count : ring->capacity;
}
