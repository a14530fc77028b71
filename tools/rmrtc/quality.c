/* SPDX-License-Identifier: Apache-2.0 */
#include "quality.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define PEAK 255.0

static bool has_luma(const rm_video *v) {
    bool planar = v->format == RM_PIXEL_I420 || v->format == RM_PIXEL_YUV420P || v->format == RM_PIXEL_NV12;
    return planar && v->plane_count > 0 && v->width > 0 && v->height > 0;
}

double quality_psnr_db(const rm_video *a, const rm_video *b) {
    if (!has_luma(a) || !has_luma(b) || a->width != b->width || a->height != b->height)
        return NAN;
    uint64_t sum = 0;
    for (uint32_t y = 0; y < a->height; y++) {
        const uint8_t *p = a->planes[0] + y * a->strides[0], *q = b->planes[0] + y * b->strides[0];
        uint32_t row = 0; /* RM_VIDEO_SIDE_MAX squares fit */
        for (uint32_t x = 0; x < a->width; x++) {
            int d = p[x] - q[x];
            row += (uint32_t)(d * d);
        }
        sum += row;
    }
    if (sum == 0)
        return QUALITY_PSNR_MAX_DB;
    return fmin(10 * log10(PEAK * PEAK * a->width * a->height / (double)sum), QUALITY_PSNR_MAX_DB);
}

double quality_similarity(const float *a, const float *b, size_t count, size_t max_lag, long *lag) {
    if (count <= max_lag)
        return NAN;
    double best = NAN;
    long best_lag = 0;
    for (long l = -(long)max_lag; l <= (long)max_lag; l++) {
        const float *p = l < 0 ? a - l : a, *q = l < 0 ? b : b + l;
        size_t n = count - (size_t)labs(l);
        double ab = 0, aa = 0, bb = 0;
        for (size_t i = 0; i < n; i++) {
            ab += (double)p[i] * q[i];
            aa += (double)p[i] * p[i];
            bb += (double)q[i] * q[i];
        }
        if (!(aa > 0) || !(bb > 0))
            continue;
        double r = ab / sqrt(aa * bb);
        if (!(r <= best)) { /* also the first one, as best is NAN */
            best = r;
            best_lag = l;
        }
    }
    if (lag)
        *lag = best_lag;
    return best;
}
