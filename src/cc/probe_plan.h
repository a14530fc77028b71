/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_PROBE_PLAN_H
#define RMI_CC_PROBE_PLAN_H

#include "cc/cc.h"

/* When to probe for bandwidth, and at what rate: 3 and 6 times the rate to begin with, doubling while that succeeds;
 * each five seconds while the application sends less than it may; back towards the old rate after a large drop. */

struct rmi_cc_probe_plan {
    double max_bps, estimate_bps;
    double due_bps[2]; /* probes to send */
    unsigned due;
    bool waits;         /* for the result of those sent */
    int64_t waits_us;   /* since */
    double further_bps; /* an estimate above this: probe on; 0: no */
    bool has_probed;
    int64_t probed_us; /* last one sent */
    uint32_t clusters;
    bool has_dropped;
    int64_t dropped_us;
    double dropped_from_bps;
};

void rmi_cc_probe_plan_init(struct rmi_cc_probe_plan *p, const struct rmi_cc_limits *limits);
/* The ceiling is another one; a higher one is probed for when the old one had been reached. */
void rmi_cc_probe_plan_limits(struct rmi_cc_probe_plan *p, const struct rmi_cc_limits *limits);
void rmi_cc_probe_plan_estimate(struct rmi_cc_probe_plan *p, int64_t now_us, double bps);
/* The queue has emptied after congestion. */
void rmi_cc_probe_plan_recovered(struct rmi_cc_probe_plan *p, int64_t now_us);
/* The path was gone and is back: as that, whatever probes of the meantime may still be waited for. */
void rmi_cc_probe_plan_returned(struct rmi_cc_probe_plan *p, int64_t now_us);
/* More goes through than was known to: how much more? */
void rmi_cc_probe_plan_outgrown(struct rmi_cc_probe_plan *p, int64_t now_us);
/* This rate was given up for no good reason: is it still there? */
void rmi_cc_probe_plan_back(struct rmi_cc_probe_plan *p, double bps);
bool rmi_cc_probe_plan_poll(struct rmi_cc_probe_plan *p, int64_t now_us, bool app_limited, int64_t app_limited_since_us,
                            struct rmi_cc_probe *out);
/* When polling may give something although nothing else happened. */
int64_t rmi_cc_probe_plan_deadline(const struct rmi_cc_probe_plan *p, bool app_limited, int64_t app_limited_since_us);

#endif
