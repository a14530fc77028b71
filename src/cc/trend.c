/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/trend.h"
#include "base/time.h"
#include <math.h>

#define SMOOTHING 0.9
#define GAIN 4.0
#define DELTAS_GAIN_MAX 60 /* a trend over few groups is worth less */
#define DELTAS_MAX 1000
#define THRESHOLD_START_MS 12.5
#define THRESHOLD_MIN_MS 6.0
#define THRESHOLD_MAX_MS 600.0
/* Each millisecond (draft-ietf-rmcat-gcc-02 section 5.4 leaves the unit open; seconds are a thousand times too slow).
 */
#define THRESHOLD_UP 0.0087
#define THRESHOLD_DOWN 0.039
#define THRESHOLD_STEP_MAX_MS 100.0
#define SPIKE_MS 15.0 /* so far above, it is a change of the route and no queue */
#define OVER_MIN_MS 10.0
#define US_PER_MS 1000.0

void rmi_cc_trend_init(struct rmi_cc_trend *t) {
    *t = (struct rmi_cc_trend){.threshold_ms = THRESHOLD_START_MS, .over_ms = -1};
}

/* Least squares. False: all groups arrived at once. */
static bool fit(const struct rmi_cc_trend *t, double *slope) {
    double x = 0, y = 0, xy = 0, xx = 0;
    for (unsigned i = 0; i < t->count; i++) {
        x += t->at_ms[i];
        y += t->y_ms[i];
    }
    x /= t->count;
    y /= t->count;
    for (unsigned i = 0; i < t->count; i++) {
        xy += (t->at_ms[i] - x) * (t->y_ms[i] - y);
        xx += (t->at_ms[i] - x) * (t->at_ms[i] - x);
    }
    if (xx == 0)
        return false;
    *slope = xy / xx;
    return true;
}

static void adapt(struct rmi_cc_trend *t, double trend_ms, int64_t arrived_us) {
    const double size = fabs(trend_ms);
    const double passed_ms = t->has_adapted ? (double)(arrived_us - t->adapted_us) / US_PER_MS : 0;
    t->has_adapted = true;
    t->adapted_us = arrived_us;
    if (size > t->threshold_ms + SPIKE_MS)
        return;
    const double k = size < t->threshold_ms ? THRESHOLD_DOWN : THRESHOLD_UP;
    const double dt = passed_ms < 0 ? 0 : passed_ms < THRESHOLD_STEP_MAX_MS ? passed_ms : THRESHOLD_STEP_MAX_MS;
    t->threshold_ms += k * (size - t->threshold_ms) * dt;
    t->threshold_ms = fmin(fmax(t->threshold_ms, THRESHOLD_MIN_MS), THRESHOLD_MAX_MS);
}

static void judge(struct rmi_cc_trend *t, double sent_ms, int64_t arrived_us) {
    if (t->deltas < 2) {
        t->usage = RMI_CC_USAGE_NORMAL;
        return;
    }
    const double trend_ms = fmin(t->deltas, DELTAS_GAIN_MAX) * t->slope * GAIN;
    if (trend_ms > t->threshold_ms) {
        /* Halved, as it is not known since when. */
        t->over_ms = t->over_ms < 0 ? sent_ms / 2 : t->over_ms + sent_ms;
        t->over_count++;
        if (t->over_ms > OVER_MIN_MS && t->over_count > 1 && t->slope >= t->slope_before) {
            t->over_ms = 0;
            t->over_count = 0;
            t->usage = RMI_CC_USAGE_OVER;
        }
    } else {
        t->over_ms = -1;
        t->over_count = 0;
        t->usage = trend_ms < -t->threshold_ms ? RMI_CC_USAGE_UNDER : RMI_CC_USAGE_NORMAL;
    }
    t->slope_before = t->slope;
    adapt(t, trend_ms, arrived_us);
}

enum rmi_cc_usage rmi_cc_trend_input(struct rmi_cc_trend *t, const struct rmi_cc_delta *delta, int64_t arrived_us) {
    if (t->deltas == 0)
        t->first_arrived_us = arrived_us;
    t->deltas += t->deltas < DELTAS_MAX;
    t->delay_ms += (double)(delta->arrived_us - delta->sent_us) / US_PER_MS;
    t->smoothed_ms = SMOOTHING * t->smoothed_ms + (1 - SMOOTHING) * t->delay_ms;
    t->at_ms[t->next] = (double)(arrived_us - t->first_arrived_us) / US_PER_MS;
    t->y_ms[t->next] = t->smoothed_ms;
    t->next = (t->next + 1) % RMI_CC_TREND_WINDOW;
    t->count += t->count < RMI_CC_TREND_WINDOW;
    if (t->count == RMI_CC_TREND_WINDOW)
        (void)fit(t, &t->slope);
    judge(t, (double)delta->sent_us / US_PER_MS, arrived_us);
    return t->usage;
}
