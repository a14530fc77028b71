/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/reconnect.h"

/* Up to a quarter of the delay is added, so that peers who lost each other together do not return together. */
#define JITTER_PART 4
/* RemoteMedia's breaker. */
#define BREAKER_FAILURES 5
#define BREAKER_SUCCESSES 2
#define BREAKER_OPEN_US RMI_SEC(30)

bool rmi_reconnect_is_worth_it(rm_err err) {
    switch (err) {
    case RM_OK:
    case RM_E_CLOSED:
    case RM_E_INVALID_ARG:
    case RM_E_LIMIT:
    case RM_E_SESSION_LIMIT:
    case RM_E_UNSUPPORTED:
    case RM_E_PARSE:
    case RM_E_TOO_BIG:
    case RM_E_INTERNAL:
    case RM_E_CONFIG:
    case RM_E_DENIED:
    case RM_E_RPC_METHOD_NOT_FOUND:
    case RM_E_PEER_NOT_FOUND:
    case RM_E_OFFER_INVALID:
    case RM_E_ANSWER_INVALID:
    case RM_E_CODEC_MISMATCH:
    case RM_E_DTLS_FINGERPRINT:
    case RM_E_SRTP_PROFILE:
    case RM_E_SDP:
    case RM_E_SDP_PROFILE:
        return false;
    default:
        return true;
    }
}

static int64_t nominal_us(const struct rmi_reconnect_policy *policy, uint32_t earlier) {
    double wait = (double)policy->initial_us;
    for (uint32_t i = 0; i < earlier && wait < (double)policy->max_us; i++)
        wait *= policy->multiplier;
    return wait < (double)policy->max_us ? (int64_t)wait : policy->max_us;
}

enum rmi_circuit rmi_reconnect_circuit(const struct rmi_reconnect *r, int64_t now_us) {
    return !r->tripped ? RMI_CIRCUIT_CLOSED : now_us < r->open_until_us ? RMI_CIRCUIT_OPEN : RMI_CIRCUIT_HALF_OPEN;
}

/* What was up until now succeeded; that it is no longer is a failure. */
static void count(struct rmi_reconnect *r, const struct rmi_reconnect_policy *policy, int64_t now_us) {
    const uint32_t enough = policy->breaker_successes ? policy->breaker_successes : BREAKER_SUCCESSES;
    const uint32_t most = policy->breaker_failures ? policy->breaker_failures : BREAKER_FAILURES;
    if (r->up) {
        const int64_t stood_us = now_us - r->up_us;
        if (stood_us >= RMI_RECONNECT_STABLE_US)
            r->attempts = 0;
        if (1 + stood_us / RMI_RECONNECT_STABLE_US >= enough) {
            r->tripped = false;
            r->failures = 0;
        }
    }
    r->up = false;
    r->failures++;
    if (!r->tripped && r->failures < most)
        return;
    r->tripped = true;
    r->open_until_us = now_us + (policy->breaker_open_us ? policy->breaker_open_us : BREAKER_OPEN_US);
}

bool rmi_reconnect_next(struct rmi_reconnect *r, const struct rmi_reconnect_policy *policy, const struct rmi_rng *rng,
                        int64_t now_us, int64_t *delay_us) {
    count(r, policy, now_us);
    if (r->attempts >= policy->max_retries)
        return false;
    int64_t wait = nominal_us(policy, r->attempts++);
    if (r->tripped)
        wait = rmi_max64(wait, r->open_until_us - now_us);
    *delay_us = wait + (int64_t)rmi_rng_range(rng, 0, (uint64_t)(wait / JITTER_PART));
    return true;
}

void rmi_reconnect_up(struct rmi_reconnect *r, int64_t now_us) {
    r->up = true;
    r->up_us = now_us;
}
