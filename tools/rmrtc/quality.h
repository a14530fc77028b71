/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_QUALITY_H
#define RMRTC_QUALITY_H

#include <remotemedia/data.h>
#include <stddef.h>

/* How much of what was sent has arrived. */

#define QUALITY_PSNR_MAX_DB 99.0 /* said of equal pictures */

/* Of the luma of two I420, YUV420P or NV12 pictures. NAN: another format, or sizes that differ. */
double quality_psnr_db(const rm_video *a, const rm_video *b);
/* Normalised cross-correlation (-1..1) of `count` samples of one channel, at that lag of -max_lag..max_lag where it is
 * highest; *lag (may be NULL): by how many samples `b` is later. Takes count * 2 * max_lag steps. NAN: nothing to
 * compare (count <= max_lag, silence). */
double quality_similarity(const float *a, const float *b, size_t count, size_t max_lag, long *lag);

#endif
