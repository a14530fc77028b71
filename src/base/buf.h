/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_BUF_H
#define RMI_BASE_BUF_H

#include "base/pool.h"
#include <stddef.h>
#include <stdint.h>

/* Reference-counted bytes. Whoever holds a reference may read `data` up to `len` on any thread; only the single holder
 * of a fresh buffer may write them or change `len`. */
struct rmi_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* Called once, on the thread that drops the last reference. */
typedef void (*rmi_buf_free_fn)(void *data, size_t cap, void *ctx);

/* A buffer with one reference and len 0. Taken from `pool` when it is given, large enough (header included, see
 * rmi_buf_pool_create) and not exhausted; otherwise from the heap. NULL: no memory. */
struct rmi_buf *rmi_buf_alloc(size_t cap, struct rmi_pool *pool);
/* A pool whose blocks hold buffers of `cap` bytes. */
rm_err rmi_buf_pool_create(size_t cap, size_t buffers, struct rmi_pool **out);
/* Memory of somebody else, not copied; len = cap = n. `free_fn` may be NULL. On NULL the memory stays the caller's. */
struct rmi_buf *rmi_buf_wrap(void *data, size_t n, rmi_buf_free_fn free_fn, void *ctx);
/* The same with its header in memory of the caller too, so that nothing is allocated: rmi_buf_header_bytes() bytes,
 * aligned for any type. `release` (not NULL) gets all of it back with the last reference. */
struct rmi_buf *rmi_buf_place(void *header, void *data, size_t n, rmi_buf_free_fn release, void *ctx);
size_t rmi_buf_header_bytes(void);
/* Returns buf. */
struct rmi_buf *rmi_buf_ref(struct rmi_buf *buf);
/* Drops one reference and nulls the pointer; the last one frees. NULL and a null pointer are harmless. */
void rmi_buf_unref(struct rmi_buf **buf);
/* Whether the caller holds the only reference, and so may write. */
int rmi_buf_is_single(const struct rmi_buf *buf);

#endif
