/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <string.h>

void rmi_rng_fill(const struct rmi_rng *rng, void *out, size_t n) {
    if (n > 0)
        rng->fill(rng->ctx, out, n);
}

uint32_t rmi_rng_u32(const struct rmi_rng *rng) {
    uint8_t b[4];
    rmi_rng_fill(rng, b, sizeof b);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t rmi_rng_u64(const struct rmi_rng *rng) {
    uint64_t high = rmi_rng_u32(rng); /* two statements: the order of evaluation within one is open */
    uint64_t low = rmi_rng_u32(rng);
    return high << 32 | low;
}

uint64_t rmi_rng_range(const struct rmi_rng *rng, uint64_t lo, uint64_t hi) {
    uint64_t span = hi - lo;
    if (span == UINT64_MAX)
        return rmi_rng_u64(rng);
    uint64_t count = span + 1;
    /* Refuse the values under 2^64 mod count: what remains is a whole number of rounds, so no result is favoured. */
    uint64_t refuse_below = (UINT64_MAX - span) % count;
    uint64_t v;
    do
        v = rmi_rng_u64(rng);
    while (v < refuse_below);
    return lo + v % count;
}

void rmi_rng_ice_chars(const struct rmi_rng *rng, char *out, size_t n) {
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    rmi_rng_fill(rng, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = chars[(unsigned char)out[i] & 0x3f];
    out[n] = '\0';
}

void rmi_rng_uuid(const struct rmi_rng *rng, char out[37]) {
    static const char hex[] = "0123456789abcdef";
    uint8_t b[16];
    rmi_rng_fill(rng, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 (RFC 9562 5.4) */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* variant 10xx (RFC 9562 4.1) */
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[b[i] >> 4];
        out[at++] = hex[b[i] & 0x0f];
    }
    out[at] = '\0';
}

/* splitmix64, the generator its authors recommend to fill the state of xoshiro from one number. */
static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rmi_prng_seed(struct rmi_prng *prng, uint64_t seed) {
    for (size_t i = 0; i < 4; i++)
        prng->s[i] = splitmix64(&seed);
}

static uint64_t rotl(uint64_t x, int k) {
    return x << k | x >> (64 - k);
}

uint64_t rmi_prng_next(struct rmi_prng *prng) {
    uint64_t *s = prng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static void prng_fill(void *ctx, void *out, size_t n) {
    uint8_t *p = out;
    while (n > 0) {
        uint64_t v = rmi_prng_next(ctx);
        for (size_t i = 0; i < 8 && n > 0; i++, n--, v >>= 8)
            *p++ = (uint8_t)v; /* byte by byte: the same stream on either byte order */
    }
}

struct rmi_rng rmi_prng_rng(struct rmi_prng *prng) {
    return (struct rmi_rng){.fill = prng_fill, .ctx = prng};
}
