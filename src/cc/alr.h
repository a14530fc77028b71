/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_ALR_H
#define RMI_CC_ALR_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the application sends clearly less than it may: then nothing proves that more would go through, and the
 * estimate may grow by probes only. */
struct rmi_cc_alr { /* zero-initialised: not limited */
    bool has_time;
    int64_t last_us;
    double left_bytes; /* of a budget that refills at a share of the estimate */
    bool limited;
    int64_t since_us, ended_us; /* ended_us: 0 = never */
};

void rmi_cc_alr_input(struct rmi_cc_alr *a, int64_t now_us, uint32_t sent_bytes, double estimate_bps);

#endif
