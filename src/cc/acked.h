/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_ACKED_H
#define RMI_CC_ACKED_H

#include <stdbool.h>
#include <stdint.h>

/* The rate at which packets arrive, from samples of a window that are believed less the further they are from what was
 * known (a Kalman filter of one value). */
struct rmi_cc_acked { /* zero-initialised is empty */
    bool has_time;
    int64_t last_us;
    int64_t window_us; /* of the sample under way */
    uint64_t bytes;    /* in it */
    double bps;        /* 0: not known */
    double variance;   /* of kbit/s */
};

/* In the order of arrival. */
void rmi_cc_acked_input(struct rmi_cc_acked *a, int64_t arrived_us, uint32_t bytes, bool app_limited);
/* The rate may well be another now: believe the next samples. */
void rmi_cc_acked_expect_change(struct rmi_cc_acked *a);
/* A probe has set it: far from what is known, that is forgotten, as it would be believed for seconds. */
void rmi_cc_acked_probed(struct rmi_cc_acked *a, double bps);

#endif
