/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_POOL_H
#define RMI_BASE_POOL_H

#include <remotemedia/error.h>
#include <stddef.h>

/* A fixed number of blocks of one size, allocated once: no heap call per packet or frame. Any thread may take and give
 * back blocks, without locks. */
struct rmi_pool;

struct rmi_pool_stats {
    size_t blocks;
    size_t in_use;
    size_t peak;      /* most blocks in use at one time */
    size_t exhausted; /* rmi_pool_get calls that found none free */
};

/* Blocks are aligned for any type. RM_E_INVALID_ARG: a size or count of 0, more than 2^20 blocks, or together more than
 * the address space. RM_E_NO_MEMORY. */
rm_err rmi_pool_create(size_t block_bytes, size_t blocks, struct rmi_pool **out);
/* Gives up the owner's hold: blocks still in use stay valid, and the memory goes when the last one is put back. */
void rmi_pool_destroy(struct rmi_pool **pool);
/* A block with unspecified contents, or NULL when all are in use. */
void *rmi_pool_get(struct rmi_pool *pool);
/* `block` came from this pool and is not used after; NULL is harmless. */
void rmi_pool_put(struct rmi_pool *pool, void *block);
size_t rmi_pool_block_bytes(const struct rmi_pool *pool);
struct rmi_pool_stats rmi_pool_stats(const struct rmi_pool *pool);

#endif
