/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_COMMON_H
#define RMF_COMMON_H

#include <remotemedia/data.h>
#include <remotemedia/error.h>

/* The sentence that goes with an error: what the runner shows, with room for the node's id. */
#define RMF_FAULT_MAX 176

#define RMF_NEVER INT64_MIN /* no such time */

struct rmf_fault {
    char text[RMF_FAULT_MAX];
};

/* Writes the sentence and returns `err`. */
rm_err rmf_fail(struct rmf_fault *fault, rm_err err, const char *format, ...) RM_PRINTF(3, 4);
/* The same for an error of FFmpeg (AVERROR): "WHAT PATH: REASON; REMEDY". Without a remedy NULL. */
rm_err rmf_fail_av(struct rmf_fault *fault, int av_error, const char *what, const char *path, const char *remedy);
/* The end of a path, short enough for a sentence. */
const char *rmf_short(const char *path);

/* FFmpeg's picture format for one of ours; -1: none. */
int rmf_pix_fmt(rm_pixel_format format);

#endif
