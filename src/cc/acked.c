/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/acked.h"
#include "base/time.h"
#include <math.h>

#define FIRST_WINDOW_US RMI_MS(500)
#define WINDOW_US RMI_MS(150)
#define START_VARIANCE 50.0
#define DRIFT_VARIANCE 5.0 /* added for each sample: rates change */
#define CHANGE_VARIANCE 200.0
#define UNCERTAINTY 10.0
#define SMALL_UNCERTAINTY 25.0 /* of samples of few packets, when they say less: the source paused */
#define SMALL_BYTES 2000
#define PROBE_FAR 2.0
#define FLOOR_KBPS 40.0
#define KBPS 1000.0
#define BITS 8.0

/* The rate of the window that ends with this packet, in kbit/s; negative: it is not over. */
static double sample(struct rmi_cc_acked *a, int64_t arrived_us, uint32_t bytes, bool *small) {
    const int64_t window = a->bps > 0 ? WINDOW_US : FIRST_WINDOW_US;
    double kbps = -1;
    if (a->has_time && arrived_us < a->last_us) { /* the remote's clock was set */
        a->has_time = false;
        a->bytes = 0;
        a->window_us = 0;
    }
    if (a->has_time) {
        const int64_t gap = arrived_us - a->last_us;
        a->window_us += gap;
        if (gap > window) { /* nothing came for a whole window: that says nothing about the path */
            a->bytes = 0;
            a->window_us %= window;
        }
    }
    a->has_time = true;
    a->last_us = arrived_us;
    if (a->window_us >= window) {
        *small = a->bytes < SMALL_BYTES;
        kbps = BITS * (double)a->bytes / ((double)window / (double)RMI_MS(1));
        a->window_us -= window;
        a->bytes = 0;
    }
    a->bytes += bytes;
    return kbps;
}

void rmi_cc_acked_input(struct rmi_cc_acked *a, int64_t arrived_us, uint32_t bytes, bool app_limited) {
    bool small = false;
    const double kbps = sample(a, arrived_us, bytes, &small), was = a->bps / KBPS;
    if (kbps < 0)
        return;
    if (was <= 0) {
        a->bps = fmax(kbps, FLOOR_KBPS) * KBPS;
        a->variance = START_VARIANCE;
        return;
    }
    const double scale = (small || app_limited) && kbps < was ? SMALL_UNCERTAINTY : UNCERTAINTY;
    const double uncertainty = scale * fabs(was - kbps) / was;
    const double doubt = uncertainty * uncertainty, variance = a->variance + DRIFT_VARIANCE;
    const double now = (doubt * was + variance * kbps) / (doubt + variance);
    a->variance = doubt * variance / (doubt + variance);
    a->bps = fmax(now, FLOOR_KBPS) * KBPS;
}

void rmi_cc_acked_expect_change(struct rmi_cc_acked *a) {
    a->variance += CHANGE_VARIANCE;
}

void rmi_cc_acked_probed(struct rmi_cc_acked *a, double bps) {
    if (bps < PROBE_FAR * a->bps)
        return;
    *a = (struct rmi_cc_acked){0};
}
