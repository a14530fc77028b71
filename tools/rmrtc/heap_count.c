/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_count.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HEAP_IS_ANOTHERS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define HEAP_IS_ANOTHERS 1
#endif

#ifdef HEAP_IS_ANOTHERS

bool heap_count_switch(bool on) {
    (void)on;
    return false;
}

uint64_t heap_count(void) {
    return 0;
}

#else

/* The tool's own state, and the process's: malloc is one for all. */
static atomic_bool counting;
static _Atomic uint64_t calls;

bool heap_count_switch(bool on) {
    atomic_store(&counting, on);
    return true;
}

uint64_t heap_count(void) {
    return atomic_load(&calls);
}

static void count(void) {
    if (atomic_load_explicit(&counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

/* What glibc's own functions of these names do. Visible, so that libraries find these in place of glibc's. */
#define HEAP_API __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

HEAP_API void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

HEAP_API void *calloc(size_t n, size_t size) {
    count();
    return __libc_calloc(n, size);
}

HEAP_API void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

HEAP_API void *aligned_alloc(size_t align, size_t size) {
    count();
    return __libc_memalign(align, size);
}

#endif
