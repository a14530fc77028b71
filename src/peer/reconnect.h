/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_RECONNECT_H
#define RMI_PEER_RECONNECT_H

#include "base/rng.h"
#include "base/time.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether and when a failed connection is tried again: exponential back-off with jitter, a limit, and a circuit
 * breaker. Pure. */
struct rmi_reconnect_policy {
    uint32_t max_retries; /* in a row, without success between them; 0 = never */
    int64_t initial_us, max_us;
    double multiplier;          /* at least 1 */
    uint32_t breaker_failures;  /* in a row open the breaker; 0 = 5 */
    uint32_t breaker_successes; /* in a row close it again; 0 = 2 */
    int64_t breaker_open_us;    /* no attempt is made before; 0 = 30 s */
};

/* Of one peer. Zero-initialised is fresh. */
struct rmi_reconnect {
    uint32_t attempts; /* since the last success */
    uint32_t failures; /* in a row: connections and attempts */
    bool tripped;      /* the breaker is not closed */
    int64_t open_until_us;
    bool up;
    int64_t up_us;
};

/* A connection counts as a success when it has stood this long: a peer that accepts and fails at once must not be
 * called for ever. For the breaker being connected is one success, and each such time it stands is another. */
#define RMI_RECONNECT_STABLE_US RMI_SEC(5)

enum rmi_circuit {
    RMI_CIRCUIT_CLOSED,
    RMI_CIRCUIT_OPEN,     /* attempts wait */
    RMI_CIRCUIT_HALF_OPEN /* one attempt is allowed: its failure opens the breaker again */
};
enum rmi_circuit rmi_reconnect_circuit(const struct rmi_reconnect *r, int64_t now_us);

/* Another attempt can end differently: not after refusals, a wrong certificate, or descriptions that do not fit. */
bool rmi_reconnect_is_worth_it(rm_err err);
/* The connection, or the attempt, failed: counts a new attempt and sets *delay_us until it, which is as long as the
 * breaker is open at least; false: there have been max_retries of them. */
bool rmi_reconnect_next(struct rmi_reconnect *r, const struct rmi_reconnect_policy *policy, const struct rmi_rng *rng,
                        int64_t now_us, int64_t *delay_us);
/* Connected. */
void rmi_reconnect_up(struct rmi_reconnect *r, int64_t now_us);

#endif
