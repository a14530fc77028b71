/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_RECONNECT_H
#define RMI_PEER_RECONNECT_H

#include "base/rng.h"
#include "base/time.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether and when a failed connection is tried again: exponential back-off with jitter, and a limit. Pure. */
struct rmi_reconnect_policy {
    uint32_t max_retries; /* in a row, without success between them; 0 = never */
    int64_t initial_us, max_us;
    double multiplier; /* at least 1 */
};

/* Of one peer. Zero-initialised is fresh. */
struct rmi_reconnect {
    uint32_t attempts; /* since the last success */
    bool up;
    int64_t up_us;
};

/* A connection counts as a success when it has stood this long: a peer that accepts and fails at once must not be
 * called for ever. */
#define RMI_RECONNECT_STABLE_US RMI_SEC(5)

/* Another attempt can end differently: not after refusals, a wrong certificate, or descriptions that do not fit. */
bool rmi_reconnect_is_worth_it(rm_err err);
/* The connection, or the attempt, failed: counts a new attempt and sets *delay_us until it; false: there have been
 * max_retries of them. */
bool rmi_reconnect_next(struct rmi_reconnect *r, const struct rmi_reconnect_policy *policy, const struct rmi_rng *rng,
                        int64_t now_us, int64_t *delay_us);
/* Connected. */
void rmi_reconnect_up(struct rmi_reconnect *r, int64_t now_us);

#endif
