/* SPDX-License-Identifier: Apache-2.0 */
#include "support/resources.h"

#include "support/api.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTLED_MS 200

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_BYTES 0 /* the sanitizer's allocator has no mallinfo2 */
#else
#define COUNTS_BYTES 1
#endif

static void settle(void) {
    long lowest = rmt_open_descriptors() + rmt_threads();
    for (int quiet = 0; quiet < SETTLED_MS; quiet++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        long now = rmt_open_descriptors() + rmt_threads();
        if (now < lowest)
            quiet = 0;
        lowest = now < lowest ? now : lowest;
    }
}

struct rmt_resources rmt_measure(void) {
    settle();
    struct rmt_resources r = {.descriptors = rmt_open_descriptors(), .threads = rmt_threads()};
#if COUNTS_BYTES
    struct mallinfo2 m = mallinfo2();
    r.bytes = m.uordblks + m.hblkhd;
#endif
    return r;
}

/* mallinfo2 looks at the main arena only, and counts what waits in the threads' caches as in use. */
void rmt_count_exactly(char **argv) {
#if COUNTS_BYTES
    static const char name[] = "GLIBC_TUNABLES", value[] = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
    const char *now = getenv(name);
    if (now && !strcmp(now, value))
        return;
    setenv(name, value, 1);
    execv("/proc/self/exe", argv);
    RMT_REQUIRE(!"the test could not start itself again");
#else
    (void)argv;
#endif
}
