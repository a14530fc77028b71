/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_HEAP_COUNT_H
#define RMT_HEAP_COUNT_H

/* Counts every heap call of the process in `heap_calls`, whoever makes it. It replaces malloc for the executable that
 * includes it (in one file only), so it is no part of rm_support. Under a sanitizer, which has a heap of its own,
 * HEAP_IS_ANOTHERS is defined and nothing is counted. */
#include "support/heap_is_anothers.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static atomic_size_t heap_calls;

#ifndef HEAP_IS_ANOTHERS
/* What glibc's own functions of these names do. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size) {
    atomic_fetch_add(&heap_calls, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    atomic_fetch_add(&heap_calls, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    atomic_fetch_add(&heap_calls, 1);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size) {
    atomic_fetch_add(&heap_calls, 1);
    return __libc_memalign(align, size);
}
#endif

#endif
