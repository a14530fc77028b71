/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_AIMD_H
#define RMI_CC_AIMD_H

#include "cc/cc.h"
#include "cc/trend.h"

/* The rate by delay: up while the queue does not grow, down to below what arrives when it does
 * (draft-ietf-rmcat-gcc-02 section 5.5). Where the path's capacity is known from earlier cuts it goes up by about a
 * packet each response time, else by 8 % a second. */

enum rmi_cc_aimd_state { RMI_CC_AIMD_HOLD, RMI_CC_AIMD_INCREASE };

struct rmi_cc_aimd {
    double min_bps, max_bps;
    double bps;
    double weight; /* grows like so many flows of its rate divided by this */
    enum rmi_cc_aimd_state state;
    bool has_changed;
    int64_t changed_us;   /* last increase or cut */
    double link_kbps;     /* what arrived when the queue grew, smoothed; 0: not known */
    double link_variance; /* relative to link_kbps */
    double known_bps;     /* what arrived when it was cut last; 0: not yet */
    int64_t cut_us;
    bool unproven; /* it does not grow, for too little is sent to show that more would arrive */
    bool outgrown; /* clearly more arrives than fitted then: taken by the owner */
    double rtt_s;  /* smoothed */
};

void rmi_cc_aimd_init(struct rmi_cc_aimd *a, const struct rmi_cc_limits *limits);
void rmi_cc_aimd_limits(struct rmi_cc_aimd *a, const struct rmi_cc_limits *limits);
void rmi_cc_aimd_rtt(struct rmi_cc_aimd *a, int64_t rtt_us);
/* acked_bps 0: not known. app_limited: no increase, as nothing proves it. True: it was cut. */
bool rmi_cc_aimd_update(struct rmi_cc_aimd *a, int64_t now_us, enum rmi_cc_usage usage, double acked_bps,
                        bool app_limited);
/* A probe found this rate. */
void rmi_cc_aimd_probed(struct rmi_cc_aimd *a, int64_t now_us, double bps);
/* Another rate, for reasons that say nothing about the path's capacity. */
void rmi_cc_aimd_set(struct rmi_cc_aimd *a, int64_t now_us, double bps);

#endif
