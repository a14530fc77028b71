/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_RING_H
#define RMI_BASE_RING_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>

/* A bounded queue of pointers from one thread to one other, without locks. The producer thread may call push, the
 * consumer thread pop; either may ask for the count. What was written before a push is visible after its pop. */
struct rmi_ring;

/* Holds up to `capacity` pointers, 1 .. 2^20 (RM_E_INVALID_ARG otherwise). RM_E_NO_MEMORY. */
rm_err rmi_ring_create(size_t capacity, struct rmi_ring **out);
/* Both threads must be done with it. What is still queued is the caller's to drain before. */
void rmi_ring_destroy(struct rmi_ring **ring);
/* Producer. False when full or item is NULL: the caller then applies its own drop policy. */
bool rmi_ring_push(struct rmi_ring *ring, void *item);
/* Consumer. NULL when empty. */
void *rmi_ring_pop(struct rmi_ring *ring);
/* Exact on a quiet ring, a recent value while the other thread works. */
size_t rmi_ring_count(const struct rmi_ring *ring);

#endif
