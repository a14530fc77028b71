/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SUPPORT_VIRTUAL_CRYPTO_H
#define RMT_SUPPORT_VIRTUAL_CRYPTO_H

#include <stdint.h>

/* Test executables only: linking virtual_crypto.c replaces gettimeofday() and time() for the whole process, OpenSSL
 * included. Until the first call of rmt_virtual_time_set they give the real time. */
#define RMT_VIRTUAL_EPOCH_S 1800000000 /* 2027-01-15, the wall clock at now_us = 0 */

/* Wall clock := RMT_VIRTUAL_EPOCH_S + now_us. Add an offset to step the clock against the monotonic one. */
void rmt_virtual_time_set(int64_t now_us);
/* From here on OpenSSL's random numbers, keys and signatures follow from `seed`. */
void rmt_virtual_rand_seed(uint64_t seed);

#endif
