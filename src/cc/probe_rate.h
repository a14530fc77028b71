/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_PROBE_RATE_H
#define RMI_CC_PROBE_RATE_H

#include "cc/cc.h"

/* What probes found: the rate at which the packets of a cluster arrived. */

#define RMI_CC_CLUSTERS 4 /* under way at once */

struct rmi_cc_cluster {
    uint32_t id;
    size_t bytes_wanted;
    unsigned packets_wanted;
    unsigned packets;
    size_t bytes, first_bytes, last_bytes; /* last_bytes: of the last one sent; first_bytes: of the first to arrive */
    int64_t first_sent_us, last_sent_us, first_arrived_us, last_arrived_us;
};

struct rmi_cc_probe_rate { /* zero-initialised is empty */
    struct rmi_cc_cluster cluster[RMI_CC_CLUSTERS];
    unsigned next;
};

void rmi_cc_probe_rate_begin(struct rmi_cc_probe_rate *r, const struct rmi_cc_probe *probe);
/* A packet that arrived. The rate its cluster found, or 0. */
double rmi_cc_probe_rate_input(struct rmi_cc_probe_rate *r, const struct rmi_cc_result *packet);

#endif
