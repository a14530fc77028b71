/* SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

#include "base/time.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define LOW_HZ 1000.0
#define HIGH_HZ 3500.0
/* A normalised correlation of this much is a marker. Measured: Opus for voice at 24 kbit/s, 10 ms leaves 0.79 and more
 * (of sweeps up to 6 kHz only 0.38); at 16 kbit/s, 0.61, rising and falling get confused. */
#define SIMILARITY_MIN 0.7
#define GUARD_US 20000 /* echoes of a codec around a marker belong to it */
/* Markers are MARKER_SPACING_US apart: for half of that, which no player's catching up takes away, none is looked for.
 */
#define REST_US (MARKER_SPACING_US / 2)
/* Two that were as far apart as they are sent by this: the next is looked for so near to where it is expected. What
 * lies before is kept, and searched when it was not there. Players stretch by less between two; a gap is not to be
 * foreseen. */
#define WINDOW_US 20000
#define EDGE_US 1000   /* a peak is up to this wide: one so near to where the search begins may have begun before */
#define GAP_US 2500    /* a chunk that begins this far from the end of the one before: something is missing */
#define POWER_MIN 1e-7 /* mean square below this (-70 dBFS) is silence */
#define LOUD_MAX 8.0f  /* no sound is louder; keeps running sums exact */
#define BLOCK 4096     /* samples taken between two moves of the buffer */
#define ANCHORS 256    /* chunks remembered: 600 ms of 2.5 ms each, and a marker is known after 300 ms */
#define QUEUE 16       /* eight seconds of markers */
/* Places tried, and samples that are looked at there (means of what lies between): five in each period of the sweep,
 * whose peak is as wide as half of one, and three and a half times its highest frequency. */
#define STEP_HZ 12000
#define STEP_MAX (MARKER_RATE_MAX_HZ / STEP_HZ)
#define NEAR_MIN 0.4 /* found next to a marker, at the most unlucky of the places tried, is 0.8 of its similarity */
#define LANES 8      /* sums in parallel, for the vectoriser */
#define TIE_US 10000 /* a marker heard this much before its capture is a clock's inaccuracy */

/* A sample and when it is played. */
struct anchor {
    uint64_t sample;
    int64_t time_us;
    bool gap; /* something is missing before it */
};

struct peak {
    bool open, want_right;
    enum marker_kind kind;
    uint64_t at;
    double left, top, right;
};

struct marker_detector {
    uint32_t rate;
    size_t length; /* of a marker, a multiple of LANES in memory */
    float *shape[MARKER_KINDS];
    double shape_norm[MARKER_KINDS];
    float *buf; /* of `room` samples, of which `used` are there */
    size_t room, used;
    uint64_t base;  /* number of the sample buf[0] */
    uint64_t next;  /* number of a sample, which may not have come yet: of the next place to be tried */
    bool expecting; /* a marker around `expected`: the places from `left_out` on were not tried */
    uint64_t expected, left_out;
    bool has_found;
    uint64_t found;                    /* place of the last marker */
    size_t step;                       /* base, next and left_out are multiples of it */
    size_t coarse_length;              /* of a marker */
    float *coarse_shape[MARKER_KINDS]; /* means of `step` samples each; likewise padded with silence to LANES */
    double coarse_norm[MARKER_KINDS];
    float *coarse;              /* of buf: the `coarse_length` values from `next` on are there, unless `jumped` */
    double energy;              /* of these */
    double tried[MARKER_KINDS]; /* coarse similarity at `next` */
    double last[MARKER_KINDS];  /* similarity at the place before */
    bool jumped;                /* these four are not up to date */
    struct peak peak;
    struct anchor anchors[ANCHORS];
    uint64_t anchor_count;
    struct marker_heard queue[QUEUE];
    uint64_t queued, taken;
};

size_t marker_samples(uint32_t rate_hz) {
    return (size_t)((uint64_t)rate_hz * MARKER_US / RMI_SEC(1));
}

void marker_draw(enum marker_kind kind, uint32_t rate_hz, float *out) {
    size_t n = marker_samples(rate_hz);
    double length = (double)MARKER_US / RMI_SEC(1);
    double from = kind == MARKER_RISING ? LOW_HZ : HIGH_HZ, to = LOW_HZ + HIGH_HZ - from;
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / rate_hz, part = (double)i / (double)n;
        double loud = 0.5 - 0.5 * cos(2 * PI * part); /* Hann: harder ends lose up to 0.2 of similarity in Opus */
        out[i] = (float)(loud * sin(2 * PI * (from * t + (to - from) / (2 * length) * t * t)));
    }
}

static double square_sum(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static float mean(const float *x, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (float)n;
}

static size_t whole_lanes(size_t n) {
    return (n + LANES - 1) / LANES * LANES;
}

static uint64_t samples_of(const struct marker_detector *md, int64_t us) {
    return (uint64_t)md->rate * (uint64_t)us / RMI_SEC(1);
}

static rm_err init(struct marker_detector *md) {
    const size_t padded = whole_lanes(md->length);
    /* What may be left out, until it is known that no marker was where it was expected. */
    const int64_t kept_us = MARKER_SPACING_US - REST_US + WINDOW_US + GUARD_US;
    md->room = (size_t)samples_of(md, kept_us) + padded + BLOCK;
    md->coarse_length = md->length / md->step;
    md->jumped = true;
    md->buf = calloc(md->room, sizeof *md->buf);
    md->coarse = calloc(md->room / md->step + 2 * LANES, sizeof *md->coarse);
    if (!md->buf || !md->coarse)
        return RM_E_NO_MEMORY;
    for (int k = 0; k < MARKER_KINDS; k++) {
        md->shape[k] = calloc(padded, sizeof *md->shape[k]);
        md->coarse_shape[k] = calloc(whole_lanes(md->coarse_length), sizeof *md->coarse_shape[k]);
        if (!md->shape[k] || !md->coarse_shape[k])
            return RM_E_NO_MEMORY;
        marker_draw((enum marker_kind)k, md->rate, md->shape[k]);
        for (size_t i = 0; i < md->coarse_length; i++)
            md->coarse_shape[k][i] = mean(md->shape[k] + i * md->step, md->step);
        md->shape_norm[k] = sqrt(square_sum(md->shape[k], md->length));
        md->coarse_norm[k] = sqrt(square_sum(md->coarse_shape[k], md->coarse_length));
    }
    md->length = padded; /* ends in silence */
    return RM_OK;
}

rm_err marker_detector_create(uint32_t rate_hz, struct marker_detector **out) {
    if (rate_hz < MARKER_RATE_MIN_HZ || rate_hz > MARKER_RATE_MAX_HZ)
        return RM_E_INVALID_ARG;
    struct marker_detector *md = calloc(1, sizeof *md);
    if (!md)
        return RM_E_NO_MEMORY;
    md->rate = rate_hz;
    md->length = marker_samples(rate_hz);
    md->step = rate_hz > STEP_HZ ? rate_hz / STEP_HZ : 1;
    rm_err err = init(md);
    if (err) {
        marker_detector_destroy(&md);
        return err;
    }
    *out = md;
    return RM_OK;
}

void marker_detector_destroy(struct marker_detector **md) {
    if (!md || !*md)
        return;
    for (int k = 0; k < MARKER_KINDS; k++) {
        free((*md)->shape[k]);
        free((*md)->coarse_shape[k]);
    }
    free((*md)->buf);
    free((*md)->coarse);
    free(*md);
    *md = NULL;
}

/* ---- times ---------------------------------------------------------------------------------------------------- */

static double us_of(const struct marker_detector *md, double samples) {
    return samples * (double)RMI_SEC(1) / md->rate;
}

static void remember_chunk(struct marker_detector *md, uint64_t sample, int64_t time_us) {
    struct anchor a = {.sample = sample, .time_us = time_us};
    if (md->anchor_count > 0) {
        const struct anchor *last = &md->anchors[(md->anchor_count - 1) % ANCHORS];
        double expected = (double)last->time_us + us_of(md, (double)(sample - last->sample));
        a.gap = fabs((double)time_us - expected) > GAP_US;
    }
    md->anchors[md->anchor_count++ % ANCHORS] = a;
}

/* When the sound at `at` is played. False: there is a gap between it and the sample `end`. */
static bool time_of(const struct marker_detector *md, double at, uint64_t end, int64_t *time_us) {
    uint64_t kept = md->anchor_count < ANCHORS ? md->anchor_count : ANCHORS;
    for (uint64_t i = 1; i <= kept; i++) {
        const struct anchor *a = &md->anchors[(md->anchor_count - i) % ANCHORS];
        bool before = (double)a->sample <= at;
        if (before || i == kept) {
            *time_us = a->time_us + (int64_t)llround(us_of(md, at - (double)a->sample));
            return true;
        }
        if (a->gap && a->sample < end)
            return false;
    }
    return false;
}

/* ---- search --------------------------------------------------------------------------------------------------- */

static double dot(const float *a, const float *b, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] += a[i + k] * b[i + k];
    double sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* Where between samples the peak is: the top of the cosine through it and its neighbours, which at low rates fits
 * better than a parabola. */
static double peak_shift(const struct peak *p) {
    double half_sum = (p->left + p->right) / (2 * p->top);
    if (!(fabs(half_sum) < 1))
        return 0;
    double turn = acos(half_sum);
    return fmax(-0.5, fmin(atan((p->right - p->left) / (2 * p->top * sin(turn))) / turn, 0.5));
}

static void jump(struct marker_detector *md, uint64_t place) {
    md->next = place - place % md->step;
    md->jumped = true;
}

/* It was not where it was expected: everywhere, then. */
static void look_back(struct marker_detector *md) {
    md->peak.open = md->expecting = false;
    jump(md, md->left_out);
}

static bool within(uint64_t place, uint64_t around, uint64_t tolerance) {
    return place + tolerance >= around && place <= around + tolerance;
}

static void report(struct marker_detector *md) {
    const struct peak *p = &md->peak;
    const uint64_t window = samples_of(md, WINDOW_US), spacing = samples_of(md, MARKER_SPACING_US);
    if (md->expecting && !within(p->at, md->expected, window)) {
        look_back(md);
        return;
    }
    struct marker_heard m = {.kind = p->kind, .similarity = p->top};
    if (time_of(md, (double)p->at + peak_shift(p), p->at + md->length, &m.heard_us))
        md->queue[md->queued++ % QUEUE] = m;
    md->expecting = md->has_found && within(p->at, md->found + spacing, window);
    md->expected = p->at + spacing;
    md->has_found = true;
    md->found = p->at;
    md->peak.open = false;
    jump(md, p->at + samples_of(md, REST_US) + md->step - 1);
    md->left_out = md->next;
    if (md->expecting)
        jump(md, md->expected - window - samples_of(md, EDGE_US));
}

static void judge(struct marker_detector *md, uint64_t at, enum marker_kind kind, double alike) {
    struct peak *p = &md->peak;
    if (p->want_right && p->kind == kind && at == p->at + 1) {
        p->right = alike;
        p->want_right = false;
    }
    if (alike >= SIMILARITY_MIN && (!p->open || alike > p->top))
        *p = (struct peak){.open = true,
                           .want_right = true,
                           .kind = kind,
                           .at = at,
                           .left = md->last[kind],
                           .top = alike,
                           .right = alike};
    md->last[kind] = alike;
}

static double similarity(const float *sound, double energy, const float *shape, double norm, size_t n) {
    if (energy < POWER_MIN * (double)n)
        return 0;
    return dot(sound, shape, n) / (sqrt(energy) * norm);
}

/* Every place of a step. */
static void judge_step(struct marker_detector *md) {
    const float *from = md->buf + (md->next - md->base);
    double energy = square_sum(from, md->length);
    for (size_t i = 0; i < md->step; i++) {
        for (int k = 0; k < MARKER_KINDS; k++)
            judge(md, md->next + i, (enum marker_kind)k,
                  similarity(from + i, energy, md->shape[k], md->shape_norm[k], md->length));
        energy += (double)from[i + md->length] * from[i + md->length] - (double)from[i] * from[i];
    }
}

/* A step: the places from `next` on up to the next one to be tried. They are looked at one by one only when one end
 * of the step is near to a marker, and the ends by a few values, which saves nine tenths of the work. */
static void scan_step(struct marker_detector *md) {
    const size_t at = (size_t)(md->next - md->base) / md->step, end = at + md->coarse_length;
    float *from = md->coarse + at;
    from[md->coarse_length] = mean(md->buf + end * md->step, md->step);
    const double in = from[md->coarse_length], out = from[0];
    const size_t n = whole_lanes(md->coarse_length);
    bool near = md->peak.open && md->peak.want_right;
    md->energy += in * in - out * out;
    for (int k = 0; k < MARKER_KINDS; k++) {
        double ahead = similarity(from + 1, md->energy, md->coarse_shape[k], md->coarse_norm[k], n);
        near = near || fmax(md->tried[k], ahead) >= NEAR_MIN;
        md->tried[k] = ahead;
    }
    if (near)
        judge_step(md);
    md->next += md->step;
}

static void sum_anew(struct marker_detector *md) {
    float *coarse = md->coarse + (md->next - md->base) / md->step;
    for (size_t i = 0; i < md->coarse_length; i++)
        coarse[i] = mean(md->buf + (md->next - md->base) + i * md->step, md->step);
    md->energy = square_sum(coarse, md->coarse_length);
}

static void begin_anew(struct marker_detector *md) {
    sum_anew(md);
    for (int k = 0; k < MARKER_KINDS; k++)
        md->tried[k] = md->last[k] = 0;
    md->jumped = false;
}

static void scan(struct marker_detector *md) {
    const uint64_t guard = samples_of(md, GUARD_US), window = samples_of(md, WINDOW_US);
    while (md->next + md->step + md->length <= md->base + md->used) {
        if (md->expecting && md->next > md->expected + window + (md->peak.open ? guard + md->step : 0)) {
            look_back(md);
            continue;
        }
        if (md->jumped)
            begin_anew(md);
        scan_step(md);
        if (md->peak.open && md->next - md->peak.at > guard)
            report(md);
    }
}

/* ---- what comes in ---------------------------------------------------------------------------------------------- */

/* Samples before this one are of no use any more. */
static uint64_t needed_from(const struct marker_detector *md) {
    return md->expecting ? md->left_out : md->next;
}

/* Drops what has been searched. The energy is summed anew then, so that no rounding adds up. */
static void make_room(struct marker_detector *md) {
    const size_t searched = (size_t)(needed_from(md) - md->base);
    md->used -= searched;
    memmove(md->buf, md->buf + searched, md->used * sizeof *md->buf);
    md->base += searched;
    if (!md->jumped)
        sum_anew(md);
}

static float sane(float sample) {
    return fabsf(sample) <= LOUD_MAX ? sample : 0; /* not-a-number too */
}

static void mix(const rm_audio *audio, size_t frame, float *out, size_t n) {
    const uint32_t channels = audio->channels;
    const float *in = audio->samples + frame * channels;
    for (size_t i = 0; i < n; i++) {
        float sum = in[i * channels];
        for (uint32_t c = 1; c < channels; c++)
            sum += in[i * channels + c];
        out[i] = sane(channels > 1 ? sum / (float)channels : sum);
    }
}

/* At most `n` frames, of which nobody needs the first ones. */
static size_t take(struct marker_detector *md, const rm_audio *audio, size_t frame, size_t n) {
    const uint64_t needed = needed_from(md);
    if (md->base + md->used <= needed) {
        md->base += md->used;
        md->used = 0;
        if (md->base < needed) {
            n = needed - md->base < n ? (size_t)(needed - md->base) : n;
            md->base += n;
            return n;
        }
    }
    if (md->used == md->room)
        make_room(md);
    n = n < md->room - md->used ? n : md->room - md->used;
    mix(audio, frame, md->buf + md->used, n);
    md->used += n;
    scan(md);
    return n;
}

rm_err marker_detector_feed(struct marker_detector *md, const rm_audio *audio, int64_t first_us) {
    if (audio->sample_rate != md->rate || audio->channels == 0)
        return RM_E_INVALID_ARG;
    if (audio->frame_count > 0)
        remember_chunk(md, md->base + md->used, first_us);
    for (size_t i = 0; i < audio->frame_count;)
        i += take(md, audio, i, audio->frame_count - i);
    return RM_OK;
}

bool marker_detector_next(struct marker_detector *md, struct marker_heard *out) {
    if (md->queued - md->taken > QUEUE)
        md->taken = md->queued - QUEUE;
    if (md->taken == md->queued)
        return false;
    *out = md->queue[md->taken++ % QUEUE];
    return true;
}

int64_t marker_latency_us(const struct marker_heard *heard) {
    const int64_t range = MARKER_KINDS * (int64_t)MARKER_SPACING_US;
    int64_t late = heard->heard_us - (heard->kind == MARKER_FALLING ? MARKER_SPACING_US : 0);
    int64_t rest = (late % range + range) % range;
    return rest >= range - TIE_US ? rest - range : rest;
}
