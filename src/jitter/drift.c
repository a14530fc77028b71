/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/drift.h"
#include <math.h>
#include <string.h>

/* Fewest slices for a first estimate (20 s), and the error at which it is believed. */
#define MIN_POINTS 10
#define MAX_ERROR_PPM 5.0
/* A point above the line by more standard deviations than this saw a queue, not the clock. */
#define TRIM_SIGMAS 2.0
/* Off the line by at least so much, several slices in a row: the path has changed. */
#define STEP_US 3000.0
#define STEP_SIGMAS 6.0
#define STEP_SLICES 3
#define US_PER_S 1e6

void rmi_drift_reset(struct rmi_drift *d) {
    memset(d, 0, sizeof *d);
}

bool rmi_fit_line(const struct rmi_drift_point *points, size_t n, double *slope, double *offset, double *error) {
    double mx = 0, my = 0, xx = 0, xy = 0, rr = 0;
    if (n < 3)
        return false;
    for (size_t i = 0; i < n; i++) {
        mx += points[i].x / (double)n;
        my += points[i].y / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (points[i].x - mx) * (points[i].x - mx);
        xy += (points[i].x - mx) * (points[i].y - my);
    }
    if (!(xx > 0))
        return false;
    *slope = xy / xx;
    *offset = my - *slope * mx;
    for (size_t i = 0; i < n; i++) {
        const double r = points[i].y - (*offset + *slope * points[i].x);
        rr += r * r;
    }
    *error = sqrt(rr / (double)(n - 2) / xx);
    return true;
}

/* Residuals' standard deviation follows from the slope's error and the spread of x; this computes it directly. */
static double deviation(const struct rmi_drift_point *points, size_t n, double slope, double offset) {
    double rr = 0;
    for (size_t i = 0; i < n; i++) {
        const double r = points[i].y - (offset + slope * points[i].x);
        rr += r * r;
    }
    return sqrt(rr / (double)n);
}

struct line {
    double slope, offset, error, sigma;
};

/* Fits, leaves out the points that lie high, fits again. */
static bool fit(const struct rmi_drift *d, struct line *out) {
    struct rmi_drift_point kept[RMI_DRIFT_POINTS];
    size_t n = 0;
    if (d->count < MIN_POINTS || !rmi_fit_line(d->points, d->count, &out->slope, &out->offset, &out->error))
        return false;
    out->sigma = deviation(d->points, d->count, out->slope, out->offset);
    for (size_t i = 0; i < d->count; i++) {
        const double above = d->points[i].y - (out->offset + out->slope * d->points[i].x);
        if (above <= TRIM_SIGMAS * out->sigma)
            kept[n++] = d->points[i];
    }
    if (n < MIN_POINTS - MIN_POINTS / 4 || !rmi_fit_line(kept, n, &out->slope, &out->offset, &out->error))
        return false;
    out->sigma = deviation(kept, n, out->slope, out->offset);
    return true;
}

static bool is_stranger(const struct rmi_drift *d, const struct rmi_drift_point *p) {
    struct line line;
    if (!fit(d, &line))
        return false;
    const double off = fabs(p->y - (line.offset + line.slope * p->x));
    return off > STEP_US && off > STEP_SIGMAS * line.sigma;
}

static void close_slice(struct rmi_drift *d) {
    struct line line;
    d->slice_open = false;
    if (is_stranger(d, &d->slice)) {
        if (++d->strangers < STEP_SLICES)
            return;
        d->count = d->first = 0; /* a new path; the clock is still the same, so ppm stays until it is measured anew */
    }
    d->strangers = 0;
    d->points[d->first] = d->slice;
    d->first = (d->first + 1) % RMI_DRIFT_POINTS;
    if (d->count < RMI_DRIFT_POINTS)
        d->count++;
    if (!fit(d, &line) || line.error > MAX_ERROR_PPM || fabs(line.slope) > 2 * RMI_DRIFT_MAX_PPM)
        return;
    /* A fast sender clock makes transit shrink; the line's unit is us each second, which is ppm of local time. */
    d->ppm = fmax(-RMI_DRIFT_MAX_PPM, fmin(RMI_DRIFT_MAX_PPM, -line.slope / (1 + line.slope / US_PER_S)));
    d->error_ppm = line.error;
    d->valid = true;
}

void rmi_drift_add(struct rmi_drift *d, int64_t arrival_us, int64_t media_us) {
    const int64_t transit = arrival_us - media_us;
    if (!d->started) {
        d->started = true;
        d->origin_us = arrival_us;
        d->origin_transit_us = transit;
    }
    if (d->slice_open && arrival_us - d->slice_start_us >= RMI_DRIFT_SLICE_US)
        close_slice(d);
    const struct rmi_drift_point p = {.x = (double)(arrival_us - d->origin_us) / US_PER_S,
                                      .y = (double)(transit - d->origin_transit_us)};
    if (!d->slice_open) {
        d->slice_open = true;
        d->slice_start_us = arrival_us;
        d->slice = p;
    } else if (p.y < d->slice.y) {
        d->slice = p;
    }
}

bool rmi_drift_ppm(const struct rmi_drift *d, double *ppm) {
    *ppm = d->valid ? d->ppm : 0;
    return d->valid;
}
