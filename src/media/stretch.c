/* SPDX-License-Identifier: Apache-2.0 */
#include "media/stretch.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Of the cross-fade, which is also what is compared: half a period of a deep voice. */
#define FADE_PER_S 400
/* The shortest piece: less would give long notes a buzz when it happens often. */
#define SHORTEST_PER_S 800
/* First every n-th sample shift, with every n-th sample, at 12 kHz or so; then all around the best. */
#define COARSE_HZ 12000
#define POSITIONS 8
/* Among pieces that fit alike the one nearest to the wanted length is taken. */
#define LENGTH_WEIGHT 0.08
/* -74 dBFS: any joint in it is inaudible. */
#define SILENT_POWER 4e-8

struct joint {
    ptrdiff_t at;    /* where the fade begins */
    ptrdiff_t shift; /* > 0: goes on so much later in the sound */
    double fit, score;
    bool found;
};

struct search {
    const struct rmi_stretch *s;
    ptrdiff_t fade;
    ptrdiff_t low, high; /* lengths */
    struct joint best;
};

/* 1: the same, 0: nothing in common, also when one is much louder. */
static double fit_of(const struct search *f, ptrdiff_t at, ptrdiff_t shift, ptrdiff_t step) {
    const int channels = f->s->channels;
    const float *a = f->s->pcm + at * channels, *b = a + shift * channels;
    double both = 0, power = 0;
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < f->fade; i += step, n++)
        for (int c = 0; c < channels; c++) {
            const double x = a[i * channels + c], y = b[i * channels + c];
            both += x * y;
            power += x * x + y * y;
        }
    if (!isfinite(power))
        return RMI_STRETCH_FIT_ANY;
    return power <= 2 * SILENT_POWER * (double)(n * channels) ? 1 : 2 * both / power;
}

static void try_joint(struct search *f, ptrdiff_t at, ptrdiff_t length, ptrdiff_t step) {
    const ptrdiff_t samples = (ptrdiff_t)f->s->samples, want = f->s->want < 0 ? -f->s->want : f->s->want;
    const ptrdiff_t shift = f->s->want < 0 ? length : -length;
    if (length < f->low || length > f->high || at < 0 || at + shift < 0 || at + f->fade > samples ||
        at + shift + f->fade > samples)
        return;
    const double fit = fit_of(f, at, shift, step);
    const double score = fit - LENGTH_WEIGHT * fabs((double)(length - want)) / (double)f->high;
    if (f->best.found && score <= f->best.score)
        return;
    f->best = (struct joint){.at = at, .shift = shift, .fit = fit, .score = score, .found = true};
}

static void find(struct search *f) {
    const ptrdiff_t samples = (ptrdiff_t)f->s->samples;
    const ptrdiff_t want = f->s->want < 0 ? -f->s->want : f->s->want;
    const ptrdiff_t step = (ptrdiff_t)f->s->rate_hz > COARSE_HZ ? (ptrdiff_t)f->s->rate_hz / COARSE_HZ : 1;
    for (ptrdiff_t p = 0; p < POSITIONS; p++) {
        const ptrdiff_t at = (samples - f->fade) * p / (POSITIONS - 1);
        try_joint(f, at, want, step);
        for (ptrdiff_t length = f->low; length <= f->high; length += step)
            try_joint(f, at, length, step);
    }
    if (!f->best.found)
        return;
    const ptrdiff_t at = f->best.at, about = f->best.shift < 0 ? -f->best.shift : f->best.shift;
    f->best.found = false;
    for (ptrdiff_t length = about - step; length <= about + step; length++)
        try_joint(f, at, length, 1);
}

/* The power stays even over the fade: two waveforms that are alike add up by amplitude, strangers by power. */
static void join(const struct rmi_stretch *s, const struct joint *j, ptrdiff_t fade, float *out) {
    const size_t frame = sizeof *out * (size_t)s->channels;
    const float *from = s->pcm + j->at * s->channels, *to = from + j->shift * s->channels;
    const double alike = j->fit > 0 ? j->fit : 0;
    memcpy(out, s->pcm, (size_t)j->at * frame);
    out += j->at * s->channels;
    for (ptrdiff_t i = 0; i < fade; i++) {
        const double b = ((double)i + 0.5) / (double)fade, a = 1 - b;
        const double norm = 1 / sqrt(a * a + b * b + 2 * a * b * alike);
        for (int c = 0; c < s->channels; c++)
            *out++ = (float)(norm * (a * (double)*from++ + b * (double)*to++));
    }
    memcpy(out, to, (size_t)((ptrdiff_t)s->samples - j->at - j->shift - fade) * frame);
}

ptrdiff_t rmi_stretch_run(const struct rmi_stretch *s, float *out) {
    const ptrdiff_t want = s->want < 0 ? -s->want : s->want, most = s->most > 0 ? (ptrdiff_t)s->most : want;
    const ptrdiff_t shortest = (ptrdiff_t)s->rate_hz / SHORTEST_PER_S;
    struct search f = {.s = s, .fade = (ptrdiff_t)s->rate_hz / FADE_PER_S, .high = most};
    f.low = want < shortest ? want : shortest;
    if (want > 0 && f.fade > 0)
        find(&f);
    if (!f.best.found || f.best.fit < s->fit) {
        memcpy(out, s->pcm, s->samples * (size_t)s->channels * sizeof *out);
        return 0;
    }
    join(s, &f.best, f.fade, out);
    return -f.best.shift;
}
