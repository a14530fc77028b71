/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_HEAP_COUNT_H
#define RMRTC_HEAP_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Counts this process's heap calls, those of its libraries included, while it is on (at first it is off). False:
 * another heap is in use (a sanitizer's, another C library) and nothing is counted. While off a call costs one load
 * more. */
bool heap_count_switch(bool on);
uint64_t heap_count(void);

#endif
