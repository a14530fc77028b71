/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_HISTORY_H
#define RMI_CC_HISTORY_H

#include "cc/cc.h"

/* What was sent under which transport-wide number, until the remote tells its fate
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01). */

#define RMI_CC_HISTORY 2048 /* packets on the way: a second at 20 Mbit/s */

struct rmi_cc_flight {
    int64_t sent_us; /* 0: nothing here, or its fate is known */
    uint32_t cluster;
    uint16_t bytes;
    uint16_t seq;
    bool told_lost;
};

struct rmi_cc_history { /* zero-initialised is empty */
    struct rmi_cc_flight slot[RMI_CC_HISTORY];
};

/* sent_us > 0. */
void rmi_cc_history_add(struct rmi_cc_history *h, uint16_t seq, int64_t sent_us, size_t bytes, uint32_t cluster);
/* The fate of one packet: arrived_us, or RMI_CC_LOST. False: it is not known, or its fate was told before. */
bool rmi_cc_history_take(struct rmi_cc_history *h, uint16_t seq, int64_t arrived_us, struct rmi_cc_result *out);

#endif
