/* SPDX-License-Identifier: Apache-2.0 */
#include "io/random.h"
#include <sys/random.h>
#include <sys/types.h>

static void fill(void *ctx, void *out, size_t n) {
    (void)ctx;
    uint8_t *p = out;
    while (n > 0) {
        /* Fails only with EINTR once the kernel's pool is up, and it is before any process of ours starts. */
        ssize_t got = getrandom(p, n, 0);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

struct rmi_rng rmi_system_rng(void) {
    return (struct rmi_rng){.fill = fill, .ctx = NULL};
}
