/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_LINK_TESTKIT_H
#define RMI_SCTP_LINK_TESTKIT_H

#include "base/rng.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

/* A seeded link of one direction in virtual time: rate, delay, drop-tail queue, loss, reordering, duplication and
 * corruption. Header-only: each test is one program; `rmrtc bench DATA` is one more. */

#define TEST_HEADERS (20 + 8 + 13 + 8 + 16) /* IPv4, UDP, DTLS 1.2 with AES-GCM: header, nonce, tag */

struct test_link_config {
    int64_t rate_bps; /* 0: unlimited */
    int64_t delay_us;
    int64_t queue_us; /* longest wait for the rate; 0: none */
    size_t headers;   /* what each packet takes of the rate beyond its bytes */
    int loss_permille, reorder_permille, duplicate_permille, corrupt_permille;
};
struct test_packet {
    int64_t at_us;
    uint64_t order;
    size_t len;
    uint8_t *data;
};
struct test_link {
    struct test_link_config c;
    struct rmi_prng prng;
    int64_t free_us;
    uint64_t order, sent, dropped;
    struct test_packet *heap;
    size_t count, cap;
};

static inline int test_before(const struct test_packet *a, const struct test_packet *b) {
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static inline void test_link_push(struct test_link *l, int64_t at_us, const uint8_t *data, size_t len) {
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->heap = realloc(l->heap, l->cap * sizeof *l->heap);
        if (!l->heap)
            abort();
    }
    size_t i = l->count++;
    struct test_packet p = {.at_us = at_us, .order = l->order++, .len = len, .data = malloc(len + 1)};
    if (!p.data)
        abort();
    memcpy(p.data, data, len);
    for (; i > 0 && test_before(&p, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = p;
}

static inline struct test_packet test_link_pop(struct test_link *l) {
    const struct test_packet first = l->heap[0], last = l->heap[--l->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < l->count; i = child) {
        if (child + 1 < l->count && test_before(&l->heap[child + 1], &l->heap[child]))
            child++;
        if (!test_before(&l->heap[child], &last))
            break;
        l->heap[i] = l->heap[child];
    }
    if (l->count > 0)
        l->heap[i] = last;
    return first;
}

static inline int64_t test_link_next(const struct test_link *l) {
    return l->count ? l->heap[0].at_us : RMI_NEVER;
}

static inline int test_chance(struct test_link *l, int permille) {
    return permille > 0 && rmi_prng_next(&l->prng) % 1000 < (uint64_t)permille;
}

static inline void test_link_send(struct test_link *l, int64_t now_us, const uint8_t *data, size_t len) {
    uint8_t copy[2048];
    l->sent++;
    if (len > sizeof copy)
        abort();
    if (test_chance(l, l->c.loss_permille)) {
        l->dropped++;
        return;
    }
    memcpy(copy, data, len);
    int64_t out_us = now_us;
    if (l->c.rate_bps) {
        out_us = rmi_max64(now_us, l->free_us);
        if (l->c.queue_us && out_us - now_us > l->c.queue_us) {
            l->dropped++;
            return;
        }
        out_us += (int64_t)(len + l->c.headers) * 8 * 1000000 / l->c.rate_bps;
        l->free_us = out_us;
    }
    int64_t at_us = out_us + l->c.delay_us;
    if (test_chance(l, l->c.reorder_permille))
        at_us += (int64_t)(rmi_prng_next(&l->prng) % (uint64_t)(l->c.delay_us + 1));
    if (test_chance(l, l->c.corrupt_permille))
        copy[rmi_prng_next(&l->prng) % len] ^= (uint8_t)(1 + rmi_prng_next(&l->prng) % 255);
    test_link_push(l, at_us, copy, len);
    if (test_chance(l, l->c.duplicate_permille))
        test_link_push(l, at_us + (int64_t)(rmi_prng_next(&l->prng) % 5000), copy, len);
}

static inline void test_link_free(struct test_link *l) {
    while (l->count > 0)
        free(l->heap[--l->count].data);
    free(l->heap);
    memset(l, 0, sizeof *l);
}

#endif
