/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_RNG_H
#define RMI_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Injected randomness: a strategy seam. io/ supplies the system's generator, the simulator a seeded one. */
struct rmi_rng {
    void (*fill)(void *ctx, void *out, size_t n);
    void *ctx;
};

void rmi_rng_fill(const struct rmi_rng *rng, void *out, size_t n);
uint32_t rmi_rng_u32(const struct rmi_rng *rng);
uint64_t rmi_rng_u64(const struct rmi_rng *rng);
/* Uniform in [lo, hi] without modulo bias; lo <= hi. */
uint64_t rmi_rng_range(const struct rmi_rng *rng, uint64_t lo, uint64_t hi);
/* n characters of the ice-char set (RFC 8839 5.4: letters, digits, + and /), then a NUL: 6 bits of randomness each. */
void rmi_rng_ice_chars(const struct rmi_rng *rng, char *out, size_t n);
/* A version 4 UUID (RFC 9562), 36 characters and a NUL. */
void rmi_rng_uuid(const struct rmi_rng *rng, char out[37]);

/* Seeded generator (xoshiro256**, public domain, Blackman and Vigna) for tests and the simulator: not for secrets. */
struct rmi_prng {
    uint64_t s[4];
};
void rmi_prng_seed(struct rmi_prng *prng, uint64_t seed);
uint64_t rmi_prng_next(struct rmi_prng *prng);
/* A struct rmi_rng over a seeded generator, which must outlive it. */
struct rmi_rng rmi_prng_rng(struct rmi_prng *prng);

#endif
