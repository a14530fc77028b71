/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/list.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct buf_impl {
    struct rmi_buf buf;
    atomic_uint refs;
    struct rmi_pool *pool;   /* NULL: this structure came from the heap */
    rmi_buf_free_fn free_fn; /* of wrapped memory */
    void *free_ctx;
    bool placed; /* this structure is the caller's: not ours to free, nor to look at once free_fn was called */
    _Alignas(max_align_t) uint8_t inline_data[];
};

static struct buf_impl *impl_of(const struct rmi_buf *buf) {
    return RMI_CONTAINER_OF((struct rmi_buf *)(uintptr_t)buf, struct buf_impl, buf);
}

static struct rmi_buf *init(struct buf_impl *impl, struct rmi_pool *pool, uint8_t *data, size_t cap) {
    impl->buf = (struct rmi_buf){.data = data, .cap = cap};
    atomic_init(&impl->refs, 1);
    impl->pool = pool;
    impl->free_fn = NULL;
    impl->free_ctx = NULL;
    impl->placed = false;
    return &impl->buf;
}

struct rmi_buf *rmi_buf_alloc(size_t cap, struct rmi_pool *pool) {
    if (cap > SIZE_MAX / 2)
        return NULL;
    size_t bytes = sizeof(struct buf_impl) + cap;
    struct buf_impl *impl = pool && bytes <= rmi_pool_block_bytes(pool) ? rmi_pool_get(pool) : NULL;
    if (impl)
        return init(impl, pool, impl->inline_data, rmi_pool_block_bytes(pool) - sizeof *impl);
    impl = malloc(bytes);
    return impl ? init(impl, NULL, impl->inline_data, cap) : NULL;
}

rm_err rmi_buf_pool_create(size_t cap, size_t buffers, struct rmi_pool **out) {
    if (cap > SIZE_MAX / 2)
        return RM_E_INVALID_ARG;
    return rmi_pool_create(sizeof(struct buf_impl) + cap, buffers, out);
}

struct rmi_buf *rmi_buf_wrap(void *data, size_t n, rmi_buf_free_fn free_fn, void *ctx) {
    struct buf_impl *impl = malloc(sizeof *impl);
    if (!impl)
        return NULL;
    struct rmi_buf *buf = init(impl, NULL, data, n);
    buf->len = n;
    impl->free_fn = free_fn;
    impl->free_ctx = ctx;
    return buf;
}

struct rmi_buf *rmi_buf_place(void *header, void *data, size_t n, rmi_buf_free_fn release, void *ctx) {
    struct buf_impl *impl = header;
    struct rmi_buf *buf = init(impl, NULL, data, n);
    buf->len = n;
    impl->free_fn = release;
    impl->free_ctx = ctx;
    impl->placed = true;
    return buf;
}

size_t rmi_buf_header_bytes(void) {
    return sizeof(struct buf_impl);
}

struct rmi_buf *rmi_buf_ref(struct rmi_buf *buf) {
    atomic_fetch_add_explicit(&impl_of(buf)->refs, 1, memory_order_relaxed);
    return buf;
}

void rmi_buf_unref(struct rmi_buf **buf) {
    if (!buf || !*buf)
        return;
    struct buf_impl *impl = impl_of(*buf);
    *buf = NULL;
    /* Release: our reads end before the count falls. Acquire: the last holder frees after everybody's reads. */
    if (atomic_fetch_sub_explicit(&impl->refs, 1, memory_order_acq_rel) != 1)
        return;
    const bool placed = impl->placed;
    if (impl->free_fn)
        impl->free_fn(impl->buf.data, impl->buf.cap, impl->free_ctx);
    if (placed)
        return;
    if (impl->pool)
        rmi_pool_put(impl->pool, impl);
    else
        free(impl);
}

int rmi_buf_is_single(const struct rmi_buf *buf) {
    return atomic_load_explicit(&impl_of(buf)->refs, memory_order_acquire) == 1;
}
