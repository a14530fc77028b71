/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/ecn.h"

/* RFC 3168 6.1.2: once in a round trip. A report covers what came in up to 50 ms, so that one that begins with packets
 * sent after the cut comes as much later. */
#define REPORT_US RMI_MS(50)
#define RTT_UNKNOWN_US RMI_MS(200)
#define SERIES_US RMI_SEC(2) /* cuts further apart have reasons of their own */

bool rmi_cc_ecn_marked(struct rmi_cc_ecn *e, int64_t now_us, int64_t other_cut_us, int64_t rtt_us, double bps) {
    const int64_t apart = (rtt_us ? rtt_us : RTT_UNKNOWN_US) + REPORT_US;
    if ((e->has_cut && now_us - e->cut_us < apart) || (other_cut_us && now_us - other_cut_us < apart))
        return false;
    if (!e->has_cut || now_us - e->cut_us >= SERIES_US)
        e->before_bps = bps;
    e->has_cut = true;
    e->cut_us = now_us;
    return true;
}
