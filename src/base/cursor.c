/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <string.h>

/* What a zero-length read of a NULL input points to: the contract promises a non-NULL pointer. */
static const uint8_t empty_input[1];

struct rmi_rd rmi_rd_init(const void *data, size_t len) {
    struct rmi_rd r = {.data = data ? data : empty_input, .len = data ? len : 0};
    return r;
}

/* 0 after a failure, so that `while (rmi_rd_left(&r))` always ends. */
size_t rmi_rd_left(const struct rmi_rd *r) {
    return r->failed ? 0 : r->len - r->pos;
}

const uint8_t *rmi_rd_bytes(struct rmi_rd *r, size_t n) {
    if (r->failed || n > r->len - r->pos) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->pos;
    r->pos += n;
    return p;
}

static uint64_t read_be(struct rmi_rd *r, size_t n) {
    const uint8_t *p = rmi_rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t rmi_rd_u8(struct rmi_rd *r) {
    return (uint8_t)read_be(r, 1);
}

uint16_t rmi_rd_u16(struct rmi_rd *r) {
    return (uint16_t)read_be(r, 2);
}

uint32_t rmi_rd_u24(struct rmi_rd *r) {
    return (uint32_t)read_be(r, 3);
}

uint32_t rmi_rd_u32(struct rmi_rd *r) {
    return (uint32_t)read_be(r, 4);
}

uint64_t rmi_rd_u64(struct rmi_rd *r) {
    return read_be(r, 8);
}

void rmi_rd_skip(struct rmi_rd *r, size_t n) {
    (void)rmi_rd_bytes(r, n);
}

struct rmi_rd rmi_rd_sub(struct rmi_rd *r, size_t n) {
    const uint8_t *p = rmi_rd_bytes(r, n);
    struct rmi_rd sub = rmi_rd_init(p, n);
    sub.failed = !p;
    return sub;
}

struct rmi_wr rmi_wr_init(void *data, size_t cap) {
    struct rmi_wr w = {.data = data, .cap = data ? cap : 0};
    return w;
}

/* Room for n bytes, or NULL with the sticky error set. */
static uint8_t *reserve(struct rmi_wr *w, size_t n) {
    if (w->failed || n > w->cap - w->pos) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->data + w->pos;
    w->pos += n;
    return p;
}

static void write_be(struct rmi_wr *w, uint64_t v, size_t n) {
    uint8_t *p = reserve(w, n);
    for (size_t i = n; p && i > 0; i--, v >>= 8)
        p[i - 1] = (uint8_t)v;
}

void rmi_wr_u8(struct rmi_wr *w, uint8_t v) {
    write_be(w, v, 1);
}

void rmi_wr_u16(struct rmi_wr *w, uint16_t v) {
    write_be(w, v, 2);
}

void rmi_wr_u24(struct rmi_wr *w, uint32_t v) {
    write_be(w, v, 3);
}

void rmi_wr_u32(struct rmi_wr *w, uint32_t v) {
    write_be(w, v, 4);
}

void rmi_wr_u64(struct rmi_wr *w, uint64_t v) {
    write_be(w, v, 8);
}

void rmi_wr_bytes(struct rmi_wr *w, const void *data, size_t n) {
    if (n == 0)
        return; /* memcpy and pointer arithmetic are undefined on NULL even for nothing */
    uint8_t *p = reserve(w, n);
    if (p)
        memcpy(p, data, n);
}

void rmi_wr_zero(struct rmi_wr *w, size_t n) {
    if (n == 0)
        return;
    uint8_t *p = reserve(w, n);
    if (p)
        memset(p, 0, n);
}

void rmi_wr_patch_u16(struct rmi_wr *w, size_t at, uint16_t v) {
    if (w->failed || w->pos < 2 || at > w->pos - 2) {
        w->failed = true;
        return;
    }
    w->data[at] = (uint8_t)(v >> 8);
    w->data[at + 1] = (uint8_t)v;
}
