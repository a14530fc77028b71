/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_HEAP_COUNT_H
#define RMRTC_HEAP_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Counts this process's heap calls, those of its libraries included, from heap_count_start() on. False: another heap is
 * in use (a sanitizer's, another C library) and nothing is counted. Calls outside of counting cost one load. */
bool heap_count_start(void);
uint64_t heap_count(void);

#endif
