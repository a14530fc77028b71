/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/history.h"

_Static_assert((RMI_CC_HISTORY & (RMI_CC_HISTORY - 1)) == 0, "numbers wrap at a power of two");

void rmi_cc_history_add(struct rmi_cc_history *h, uint16_t seq, int64_t sent_us, size_t bytes, uint32_t cluster) {
    h->slot[seq % RMI_CC_HISTORY] = (struct rmi_cc_flight){.sent_us = sent_us,
                                                           .cluster = cluster,
                                                           .bytes = (uint16_t)(bytes < UINT16_MAX ? bytes : UINT16_MAX),
                                                           .seq = seq};
}

bool rmi_cc_history_take(struct rmi_cc_history *h, uint16_t seq, int64_t arrived_us, struct rmi_cc_result *out) {
    struct rmi_cc_flight *f = &h->slot[seq % RMI_CC_HISTORY];
    const bool lost = arrived_us == RMI_CC_LOST;
    if (f->sent_us == 0 || f->seq != seq || (lost && f->told_lost))
        return false;
    *out = (struct rmi_cc_result){.sent_us = f->sent_us,
                                  .arrived_us = arrived_us,
                                  .bytes = f->bytes,
                                  .cluster = f->cluster,
                                  .known_lost = f->told_lost};
    if (lost)
        f->told_lost = true; /* it may still be on its way */
    else
        f->sent_us = 0;
    return true;
}
