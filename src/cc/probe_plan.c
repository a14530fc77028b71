/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/probe_plan.h"
#include <math.h>

#define FIRST_FACTOR 3.0
#define SECOND_FACTOR 6.0
#define FURTHER_FACTOR 2.0
#define FURTHER_AT 0.7 /* of the probe's rate */
#define ALR_FACTOR 2.0
#define ALR_EVERY_US RMI_SEC(5)
#define RESULT_US RMI_SEC(1) /* no result by then: none will come */
#define PROBE_US RMI_MS(15)
#define PROBE_PACKETS 5
#define LARGE_DROP 0.66
#define RECOVERY_FACTOR 0.85
#define RECOVERY_SLACK 0.95
#define RECOVERY_US RMI_SEC(5)
#define RECOVERY_APART_US RMI_SEC(1)
/* Others on the path grow at the same time: a bolder step would take what is theirs. */
#define OUTGROWN_FACTOR 1.5
#define OUTGROWN_APART_US RMI_SEC(2)
#define BITS_US 8e6 /* bits a second times microseconds, to bytes */
#define REACHED 0.999

static void plan(struct rmi_cc_probe_plan *p, double bps, bool further) {
    const double capped = fmin(bps, p->max_bps);
    if (p->due == sizeof p->due_bps / sizeof p->due_bps[0])
        return;
    p->due_bps[p->due++] = capped;
    p->further_bps = further && bps < p->max_bps ? FURTHER_AT * capped : 0;
}

void rmi_cc_probe_plan_init(struct rmi_cc_probe_plan *p, const struct rmi_cc_limits *limits) {
    *p = (struct rmi_cc_probe_plan){.max_bps = limits->max_bps, .estimate_bps = limits->start_bps};
    if (limits->start_bps >= limits->max_bps * REACHED)
        return;
    plan(p, FIRST_FACTOR * limits->start_bps, true);
    if (FIRST_FACTOR * limits->start_bps < limits->max_bps)
        plan(p, SECOND_FACTOR * limits->start_bps, true);
}

void rmi_cc_probe_plan_limits(struct rmi_cc_probe_plan *p, const struct rmi_cc_limits *limits) {
    const bool reached = p->estimate_bps >= p->max_bps * REACHED;
    const bool higher = limits->max_bps > p->max_bps;
    p->max_bps = limits->max_bps;
    for (unsigned i = 0; i < p->due; i++)
        p->due_bps[i] = fmin(p->due_bps[i], p->max_bps);
    if (reached && higher && p->due == 0 && !p->waits)
        plan(p, FURTHER_FACTOR * p->estimate_bps, true);
}

void rmi_cc_probe_plan_estimate(struct rmi_cc_probe_plan *p, int64_t now_us, double bps) {
    if (bps < LARGE_DROP * p->estimate_bps) {
        /* Of drops one after the other the first one counts: where it all began. */
        if (!p->has_dropped || now_us - p->dropped_us > RECOVERY_US || p->dropped_from_bps < p->estimate_bps)
            p->dropped_from_bps = p->estimate_bps;
        p->has_dropped = true;
        p->dropped_us = now_us;
    }
    p->estimate_bps = bps;
    if (p->waits && p->due == 0 && p->further_bps > 0 && bps > p->further_bps) {
        p->waits = false;
        p->further_bps = 0;
        if (bps < p->max_bps * REACHED)
            plan(p, FURTHER_FACTOR * bps, true);
    }
}

void rmi_cc_probe_plan_recovered(struct rmi_cc_probe_plan *p, int64_t now_us) {
    const double to = RECOVERY_FACTOR * p->dropped_from_bps;
    if (!p->has_dropped || p->waits || p->due > 0 || now_us - p->dropped_us > RECOVERY_US ||
        (p->has_probed && now_us - p->probed_us < RECOVERY_APART_US) || to * RECOVERY_SLACK <= p->estimate_bps)
        return;
    p->has_dropped = false;
    plan(p, to, false);
}

void rmi_cc_probe_plan_returned(struct rmi_cc_probe_plan *p, int64_t now_us) {
    p->waits = p->has_probed = false;
    p->due = 0;
    p->dropped_us = now_us;
    rmi_cc_probe_plan_recovered(p, now_us);
}

void rmi_cc_probe_plan_outgrown(struct rmi_cc_probe_plan *p, int64_t now_us) {
    if (p->waits || p->due > 0 || (p->has_probed && now_us - p->probed_us < OUTGROWN_APART_US))
        return;
    plan(p, OUTGROWN_FACTOR * p->estimate_bps, false);
}

void rmi_cc_probe_plan_back(struct rmi_cc_probe_plan *p, double bps) {
    if (!p->waits && p->due == 0 && RECOVERY_FACTOR * bps > p->estimate_bps)
        plan(p, RECOVERY_FACTOR * bps, false);
}

int64_t rmi_cc_probe_plan_deadline(const struct rmi_cc_probe_plan *p, bool app_limited, int64_t app_limited_since_us) {
    if (p->due > 0)
        return 0;
    if (p->waits)
        return p->waits_us + RESULT_US;
    if (!app_limited || p->estimate_bps >= p->max_bps * REACHED)
        return RMI_NEVER;
    return (p->has_probed ? rmi_max64(p->probed_us, app_limited_since_us) : app_limited_since_us) + ALR_EVERY_US;
}

bool rmi_cc_probe_plan_poll(struct rmi_cc_probe_plan *p, int64_t now_us, bool app_limited, int64_t app_limited_since_us,
                            struct rmi_cc_probe *out) {
    if (p->waits && now_us - p->waits_us >= RESULT_US) {
        p->waits = false;
        p->further_bps = 0;
    }
    if (p->due == 0 && !p->waits && rmi_cc_probe_plan_deadline(p, app_limited, app_limited_since_us) <= now_us)
        plan(p, ALR_FACTOR * p->estimate_bps, true);
    if (p->due == 0)
        return false;
    const double bps = p->due_bps[0];
    p->due_bps[0] = p->due_bps[1];
    p->due--;
    p->waits = p->has_probed = true;
    p->waits_us = p->probed_us = now_us;
    p->clusters += p->clusters + 1 == RMI_CC_NO_PROBE ? 2 : 1;
    *out = (struct rmi_cc_probe){.cluster = p->clusters,
                                 .rate_bps = bps,
                                 .bytes = (size_t)(bps * (double)PROBE_US / BITS_US),
                                 .packets = PROBE_PACKETS};
    return true;
}
