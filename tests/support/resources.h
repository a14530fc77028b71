/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_RESOURCES_H
#define RMT_RESOURCES_H

#include <stddef.h>

/* What this process holds, to be compared before and after. */
struct rmt_resources {
    long descriptors, threads;
    size_t bytes; /* on the heap; 0 under sanitizers, whose own leak check looks at them */
};

/* First in main: bytes in use are exact only without the caches and arenas of threads, which can be switched off only
 * before a program starts, so that it starts itself again. */
void rmt_count_exactly(char **argv);
/* Waits until no descriptor and no thread has gone for a while: others close theirs a moment after they tell. */
struct rmt_resources rmt_measure(void);

#endif
