/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_LOSS_H
#define RMI_CC_LOSS_H

#include "cc/cc.h"

/* The rate by loss: which rate, together with which loss that the path has anyway, explains best what was lost at what
 * sending rate (after libwebrtc's second loss-based estimator). Random loss of a radio link so costs no bandwidth. */

#define RMI_CC_LOSS_WINDOW 20

struct rmi_cc_observation {
    double packets, lost;
    double bps; /* sent */
};

struct rmi_cc_loss {                                    /* zero-initialised needs rmi_cc_loss_init */
    struct rmi_cc_observation seen[RMI_CC_LOSS_WINDOW]; /* a ring */
    unsigned next, count;
    /* the one under way */
    bool has_partial;
    int64_t first_us, newest_us; /* sent */
    uint32_t packets, lost;
    uint64_t bytes;
    /* what explains it best */
    double bps;
    double inherent;
    double average_loss; /* of the window, newer ones weigh more */
    /* After a cut: no more than this for a while. */
    bool recovers;
    int64_t recovers_us;
    double recovers_bps;
};

void rmi_cc_loss_init(struct rmi_cc_loss *l, double start_bps);
/* The packets of one feedback; then the rate, never above delay_bps. acked_bps 0: not known. */
double rmi_cc_loss_update(struct rmi_cc_loss *l, const struct rmi_cc_result *results, size_t count, double delay_bps,
                          double acked_bps);
/* Another rate is known to be right. */
void rmi_cc_loss_set(struct rmi_cc_loss *l, double bps);

#endif
