/* SPDX-License-Identifier: Apache-2.0 */
/* RAND_METHOD is deprecated since OpenSSL 3.0 and works in all of 3.x: the only way in that covers ECDSA nonces. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "support/virtual_crypto.h"
#include "base/rng.h"
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define US_PER_S 1000000

static bool virtual_time;
static int64_t wall_us;
static struct rmi_prng prng;

/* Found by the dynamic linker before libc's, hence exported; declared here without libc's nonnull attributes. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv, void *restrict tz);
__attribute__((visibility("default"))) time_t time(time_t *out);

static int64_t now(void) {
    if (virtual_time)
        return wall_us;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    (void)tz;
    int64_t us = now();
    tv->tv_sec = us / US_PER_S;
    tv->tv_usec = us % US_PER_S;
    return 0;
}

time_t time(time_t *out) {
    time_t s = (time_t)(now() / US_PER_S);
    if (out)
        *out = s;
    return s;
}

void rmt_virtual_time_set(int64_t now_us) {
    virtual_time = true;
    wall_us = (int64_t)RMT_VIRTUAL_EPOCH_S * US_PER_S + now_us;
}

static int fill(unsigned char *out, int n) {
    for (int i = 0; i < n;) {
        uint64_t v = rmi_prng_next(&prng);
        int part = n - i < (int)sizeof v ? n - i : (int)sizeof v;
        memcpy(out + i, &v, (size_t)part);
        i += part;
    }
    return 1;
}

static int ready(void) {
    return 1;
}

void rmt_virtual_rand_seed(uint64_t seed) {
    static const RAND_METHOD method = {.bytes = fill, .pseudorand = fill, .status = ready};
    rmi_prng_seed(&prng, seed);
    RAND_set_rand_method(&method);
}
