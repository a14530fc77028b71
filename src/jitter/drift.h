/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_DRIFT_H
#define RMI_JITTER_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The speed of a sender's media clock against the local one, from arrival times alone.
 *
 * Jitter only ever adds delay, so the smallest transit of each slice lies close to a line whose slope is the drift. */

#define RMI_DRIFT_SLICE_US 2000000
/* 256 s of slices: 100 ms of jitter then leave about 1 ppm of error. */
#define RMI_DRIFT_POINTS 128
/* More than any crystal, and the most that resampling may bend the pitch (0.1 %). */
#define RMI_DRIFT_MAX_PPM 1000.0

struct rmi_drift_point {
    double x, y; /* seconds of local time, microseconds of transit, both since `origin` */
};

struct rmi_drift {
    bool started, slice_open;
    int64_t origin_us, origin_transit_us;
    int64_t slice_start_us;
    struct rmi_drift_point slice; /* the fastest packet of the slice in progress */
    struct rmi_drift_point points[RMI_DRIFT_POINTS];
    size_t count, first;
    unsigned strangers; /* slices in a row that are off the line */
    bool valid;
    double ppm, error_ppm;
};

void rmi_drift_reset(struct rmi_drift *d);
void rmi_drift_add(struct rmi_drift *d, int64_t arrival_us, int64_t media_us);
/* Positive: the sender's clock is fast. False, and 0, until the estimate is good to a few ppm. A change of the path
 * does not take back what is known. */
bool rmi_drift_ppm(const struct rmi_drift *d, double *ppm);

/* Least squares through n points: y = offset + slope * x. `error`: standard error of the slope. False: fewer than 3
 * points or no spread in x. */
bool rmi_fit_line(const struct rmi_drift_point *points, size_t n, double *slope, double *offset, double *error);

#endif
