/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "media/mixer_private.h"
#include <math.h>
#include <stdlib.h>

/* Each source is led to the local clock: what counts is when sound came against where it was put. Jitter only makes
 * that later, so the earliest of a second is told. It is held where it was at the beginning, by a proportional and
 * integral rule; a second is one step, so that PPM_PER_MS below 1000 is stable. */
#define PPM_PER_MS 400.0
#define PPM_PER_MS_S 80.0
#define STEERED_PPM_MAX 2000.0 /* 3.5 cents, below what is heard (about 5) */
#define LEARNED_PPM_MAX 1000.0 /* more than any crystal */
#define LEARN_WITHIN_MS 1.0    /* what is further off has another reason than the clock */
#define DEAD_MS 0.1            /* rounding: not worth a resampler */
#define SPARE_MAX_US RMI_MS(3) /* who always has more to spare than this is led to have this */
#define SPARE_US RMI_MS(1)
#define US_PER_MS 1000.0

void rmi_mixer_drift_again(struct rmi_mixer_source *s) {
    s->drift.spare_min = s->drift.earliest_us = s->drift.made_us = INT64_MAX;
    s->drift.seen = 0;
}

void rmi_mixer_drift_moved(struct rmi_mixer_source *s, int64_t us) {
    rmi_mixer_drift_again(s);
    s->drift.target_us -= us;
}

void rmi_mixer_drift_input(struct rmi_mixer_source *s, int64_t now_us) {
    const int64_t us = now_us - rmi_mixer_us(s->m, s->end);
    s->drift.earliest_us = rmi_min64(s->drift.earliest_us, us);
}

static void nudge(struct rmi_mixer_source *s, int ppm) {
    if (abs(ppm - s->drift.ppm) < RMI_RESAMPLE_NUDGE_STEP_PPM)
        return;
    if (!s->resampler)
        rmi_mixer_source_begin_drift(s);
    if (s->resampler && !rmi_resampler_nudge(s->resampler, ppm))
        s->drift.ppm = ppm;
}

static void steer(struct rmi_mixer_source *s, int64_t off_us) {
    struct rmi_mixer_drift *d = &s->drift;
    double off_ms = (double)off_us / US_PER_MS;
    if (fabs(off_ms) < DEAD_MS)
        off_ms = 0;
    if (fabs(off_ms) < LEARN_WITHIN_MS)
        d->learned_ppm = fmax(-LEARNED_PPM_MAX, fmin(LEARNED_PPM_MAX, d->learned_ppm + PPM_PER_MS_S * off_ms));
    nudge(s, (int)lround(fmax(-STEERED_PPM_MAX, fmin(STEERED_PPM_MAX, d->learned_ppm + PPM_PER_MS * off_ms))));
}

/* Delay that is good for nothing. Alone, a source is heard at once. With others, the frames may be made at any moment
 * between two of its chunks; more than one chunk need not wait. */
static int64_t too_much(const struct rmi_mixer_source *s, bool alone) {
    const struct rmi_mixer_drift *d = &s->drift;
    const int64_t spare = alone ? d->spare_min : d->made_us - d->earliest_us - rmi_mixer_us(s->m, (int64_t)s->usual);
    return spare > SPARE_MAX_US ? spare - SPARE_US : 0;
}

void rmi_mixer_drift_frame(struct rmi_mixer_source *s, int64_t now_us, bool alone) {
    struct rmi_mixer_drift *d = &s->drift;
    d->spare_min = rmi_min64(d->spare_min, rmi_mixer_us(s->m, s->end - s->m->position));
    d->made_us = rmi_min64(d->made_us, now_us - rmi_mixer_us(s->m, s->m->position));
    d->seen += s->m->frame;
    if (d->seen < s->m->config.rate_hz || d->earliest_us == INT64_MAX)
        return;
    const int64_t earliest = d->earliest_us, excess = too_much(s, alone);
    rmi_mixer_drift_again(s);
    if (alone && excess == 0) {
        /* Nobody to keep pace with: its clock may be that of the mix. */
        d->has_target = false;
        d->learned_ppm = 0;
        nudge(s, 0);
        return;
    }
    if (!d->has_target)
        d->target_us = earliest;
    d->has_target = true;
    if (excess > 0 && fabs((double)(earliest - d->target_us)) < US_PER_MS)
        d->target_us += excess;
    steer(s, earliest - d->target_us);
}
