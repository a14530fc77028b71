/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_TREND_H
#define RMI_CC_TREND_H

#include "cc/groups.h"

/* Whether the queue on the way grows: the slope of the smoothed one-way delay over the last groups, against a threshold
 * that adapts, so that a flow can stand beside others that fill the queue (draft-ietf-rmcat-gcc-02 section 5.4). */

enum rmi_cc_usage { RMI_CC_USAGE_NORMAL, RMI_CC_USAGE_OVER, RMI_CC_USAGE_UNDER };

#define RMI_CC_TREND_WINDOW 20

struct rmi_cc_trend {
    unsigned deltas; /* so far, up to a limit */
    int64_t first_arrived_us;
    double delay_ms, smoothed_ms;                                 /* sum of all deltas */
    double at_ms[RMI_CC_TREND_WINDOW], y_ms[RMI_CC_TREND_WINDOW]; /* a ring */
    unsigned next, count;
    double slope, slope_before;
    double threshold_ms;
    bool has_adapted;
    int64_t adapted_us;
    double over_ms; /* sent while above the threshold; negative: not above */
    unsigned over_count;
    enum rmi_cc_usage usage;
};

void rmi_cc_trend_init(struct rmi_cc_trend *t);
/* `arrived_us`: of the newer group, by the remote's clock. */
enum rmi_cc_usage rmi_cc_trend_input(struct rmi_cc_trend *t, const struct rmi_cc_delta *delta, int64_t arrived_us);

#endif
