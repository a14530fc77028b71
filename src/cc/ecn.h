/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_ECN_H
#define RMI_CC_ECN_H

#include "base/time.h"
#include <stdbool.h>

/* When packets that were marked as congestion (RFC 3168) call for a cut of the rate: at once, but once only for what
 * was sent before the rate was cut last. How deep a cut is, is the rate control's. Its growth is ten times slower than
 * TCP's: at a queue that marks whatever waits 10 ms, which a picture alone may do, three flows left half of the link
 * unused. CoDel's 5 ms, which have to last, and ramps from 30 ms on cost nothing (tests/sim/ecn_costs_nothing.c). */
struct rmi_cc_ecn { /* zero-initialised: never yet */
    bool has_cut;
    int64_t cut_us;
    double before_bps; /* the rate before the cuts that came one after the other */
};

/* Marks are reported. other_cut_us: when the rate was cut last for another reason, 0 never; rtt_us 0: not known; bps:
 * it is now. True: cut it. */
bool rmi_cc_ecn_marked(struct rmi_cc_ecn *e, int64_t now_us, int64_t other_cut_us, int64_t rtt_us, double bps);

#endif
