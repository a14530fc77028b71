/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_GROUPS_H
#define RMI_CC_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

/* Packets sent together are one group; what counts is how the gap between two groups changes on the way
 * (draft-ietf-rmcat-gcc-02 section 5.2-5.3, with the constants of libwebrtc). Times of the two ends are never compared,
 * only their differences. */

struct rmi_cc_group {
    bool any;
    int64_t first_sent_us, sent_us;       /* first and last packet, our clock */
    int64_t first_arrived_us, arrived_us; /* theirs */
    int64_t told_us;                      /* when we heard of it */
};

struct rmi_cc_groups { /* zero-initialised is empty */
    struct rmi_cc_group before, now;
    unsigned backwards; /* groups in a row that arrived before the one before */
};

struct rmi_cc_delta { /* between two groups */
    int64_t sent_us, arrived_us;
};

/* One packet that arrived, in the order of arrival. True: a group is complete, and `out` says how it differs from the
 * one before. */
bool rmi_cc_groups_input(struct rmi_cc_groups *g, int64_t sent_us, int64_t arrived_us, int64_t now_us,
                         struct rmi_cc_delta *out);

#endif
