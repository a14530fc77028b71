/* SPDX-License-Identifier: Apache-2.0 */
#include "session/quality.h"
#include <math.h>

#define FULL 100.0
#define PERCENT 100.0
/* ITU-T G.107 with its default values: R without delay and loss, and its delay term (G.107.1 3.5 in its common form).
 */
#define R_BEST 93.2
#define DELAY_SLOPE 0.024
#define DELAY_KNEE_MS 177.3
#define DELAY_STEEP 0.11
#define DELAY_MOST_MS 5000.0
/* G.113: impairment by loss; Bpl = 10 is that of a codec that conceals well. */
#define IMPAIRED_MOST 95.0
#define LOSS_ROBUSTNESS 10.0
/* Half of the time frozen is no picture. */
#define FROZEN_WEIGHT 2.0
#define FPS_ENOUGH 15.0
/* Above so much loss congestion control lowers the rate, and what is good now will not be for long. */
#define LOSS_HIGH 0.05
#define LOSS_POINTS 2.0

static double within(double v, double most) {
    return v > 0 ? fmin(v, most) : 0; /* NaN: 0 */
}

static double delay_impairment(double rtt_ms, double buffer_ms) {
    const double d = within(rtt_ms / 2 + buffer_ms, DELAY_MOST_MS);
    return DELAY_SLOPE * d + DELAY_STEEP * fmax(d - DELAY_KNEE_MS, 0);
}

static double sound_of(const struct rmi_quality_input *in) {
    const double p = PERCENT * within(in->concealed, 1);
    const double r =
        R_BEST - delay_impairment(in->rtt_ms, in->sound_buffer_ms) - IMPAIRED_MOST * p / (p + LOSS_ROBUSTNESS);
    return within(FULL * r / R_BEST, FULL);
}

static double pictures_of(const struct rmi_quality_input *in) {
    const double moving = 1 - within(FROZEN_WEIGHT * in->frozen, 1), pace = within(in->fps / FPS_ENOUGH, 1);
    return within(FULL * moving * pace - delay_impairment(in->rtt_ms, in->picture_buffer_ms), FULL);
}

struct rmi_quality rmi_quality_of(const struct rmi_quality_input *in) {
    struct rmi_quality q = {.sound = in->sound ? sound_of(in) : 0, .pictures = in->pictures ? pictures_of(in) : 0};
    if (!in->sound && !in->pictures)
        return q;
    const double worse = in->sound && in->pictures ? fmin(q.sound, q.pictures) : fmax(q.sound, q.pictures);
    q.score = within(worse - LOSS_POINTS * PERCENT * fmax(within(in->loss, 1) - LOSS_HIGH, 0), FULL);
    return q;
}
