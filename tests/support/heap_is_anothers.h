/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_HEAP_IS_ANOTHERS_H
#define RMT_HEAP_IS_ANOTHERS_H

/* HEAP_IS_ANOTHERS: a test cannot put its own malloc in place of the process's, for a sanitizer has, or the C library
 * is not glibc. */
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HEAP_IS_ANOTHERS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define HEAP_IS_ANOTHERS 1
#endif

#endif
