/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCKS_MAX ((size_t)1 << 20)
#define NO_BLOCK UINT32_MAX

/* The free blocks are a stack of indices. Its top carries a counter in the upper half, raised by each change: a thread
 * that was interrupted between looking at the top and replacing it then fails even if the same block is on top again.
 */
struct rmi_pool {
    size_t stride;
    size_t block_bytes;
    size_t blocks;
    unsigned char *memory;
    _Atomic uint64_t top;
    atomic_size_t holds; /* blocks in use, and 1 for the owner */
    atomic_size_t in_use;
    atomic_size_t peak;
    atomic_size_t exhausted;
    _Atomic uint32_t next[]; /* of each free block, the free block below it */
};

static uint64_t make_top(uint64_t old, uint32_t index) {
    return ((old >> 32) + 1) << 32 | index;
}

rm_err rmi_pool_create(size_t block_bytes, size_t blocks, struct rmi_pool **out) {
    size_t align = _Alignof(max_align_t);
    if (block_bytes == 0 || blocks == 0 || blocks > BLOCKS_MAX || block_bytes > SIZE_MAX / 2 / blocks - align)
        return RM_E_INVALID_ARG;
    struct rmi_pool *pool = calloc(1, sizeof *pool + blocks * sizeof pool->next[0]);
    if (!pool)
        return RM_E_NO_MEMORY;
    pool->block_bytes = block_bytes;
    pool->stride = (block_bytes + align - 1) / align * align;
    pool->blocks = blocks;
    pool->memory = malloc(pool->stride * blocks);
    if (!pool->memory) {
        free(pool);
        return RM_E_NO_MEMORY;
    }
    for (size_t i = 0; i < blocks; i++)
        atomic_init(&pool->next[i], i + 1 < blocks ? (uint32_t)(i + 1) : NO_BLOCK);
    atomic_init(&pool->holds, 1);
    *out = pool;
    return RM_OK;
}

static void release_hold(struct rmi_pool *pool) {
    if (atomic_fetch_sub(&pool->holds, 1) == 1) {
        free(pool->memory);
        free(pool);
    }
}

void rmi_pool_destroy(struct rmi_pool **pool) {
    if (!pool || !*pool)
        return;
    release_hold(*pool);
    *pool = NULL;
}

static void count_taken(struct rmi_pool *pool) {
    size_t used = atomic_fetch_add_explicit(&pool->in_use, 1, memory_order_relaxed) + 1;
    size_t peak = atomic_load_explicit(&pool->peak, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&pool->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        continue;
}

void *rmi_pool_get(struct rmi_pool *pool) {
    uint64_t top = atomic_load(&pool->top);
    uint32_t index;
    do {
        index = (uint32_t)top;
        if (index == NO_BLOCK) {
            atomic_fetch_add_explicit(&pool->exhausted, 1, memory_order_relaxed);
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&pool->top, &top, make_top(top, atomic_load(&pool->next[index]))));
    atomic_fetch_add(&pool->holds, 1);
    count_taken(pool);
    return pool->memory + index * pool->stride;
}

void rmi_pool_put(struct rmi_pool *pool, void *block) {
    if (!block)
        return;
    uint32_t index = (uint32_t)((size_t)((unsigned char *)block - pool->memory) / pool->stride);
    atomic_fetch_sub_explicit(&pool->in_use, 1, memory_order_relaxed); /* before another thread can take the block */
    uint64_t top = atomic_load(&pool->top);
    do
        atomic_store(&pool->next[index], (uint32_t)top);
    while (!atomic_compare_exchange_weak(&pool->top, &top, make_top(top, index)));
    release_hold(pool);
}

size_t rmi_pool_block_bytes(const struct rmi_pool *pool) {
    return pool->block_bytes;
}

struct rmi_pool_stats rmi_pool_stats(const struct rmi_pool *pool) {
    return (struct rmi_pool_stats){
        .blocks = pool->blocks,
        .in_use = atomic_load(&pool->in_use),
        .peak = atomic_load(&pool->peak),
        .exhausted = atomic_load(&pool->exhausted),
    };
}
