/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/alr.h"
#include "base/time.h"
#include <math.h>

#define USAGE 0.65 /* of the estimate */
#define BEGIN 0.80 /* share of the budget that is left */
#define END 0.50
#define WINDOW_S 0.5
#define BITS 8.0
#define US_PER_S 1e6

void rmi_cc_alr_input(struct rmi_cc_alr *a, int64_t now_us, uint32_t sent_bytes, double estimate_bps) {
    const double bytes_per_s = USAGE * estimate_bps / BITS, most = bytes_per_s * WINDOW_S;
    if (a->has_time && now_us > a->last_us)
        a->left_bytes += bytes_per_s * (double)(now_us - a->last_us) / US_PER_S;
    a->has_time = true;
    a->last_us = now_us;
    a->left_bytes = fmax(fmin(a->left_bytes, most) - sent_bytes, -most);
    if (!a->limited && a->left_bytes > BEGIN * most) {
        a->limited = true;
        a->since_us = now_us;
    } else if (a->limited && a->left_bytes < END * most) {
        a->limited = false;
        a->ended_us = now_us;
    }
}
