/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_SINK_H
#define RMF_SINK_H

#include "common.h"

/* A media file that is being written. One thread at a time. */
struct rmf_sink;

struct rmf_sink_config {
    const char *path;
    int64_t video_bitrate, audio_bitrate; /* bit/s; 0: by size and channels */
    double framerate;                     /* nominal; what .y4m is written with */
    int threads;                          /* of the video encoder */
    int64_t wait_us;                      /* the header waits so long, in media time, for the other kind to begin */
};

/* Does not touch a file that exists before media comes. RM_E_CONFIG (no such container), RM_E_IO. */
rm_err rmf_sink_open(const struct rmf_sink_config *config, struct rmf_sink **out, struct rmf_fault *fault);
/* RM_E_UNSUPPORTED: not for this file, which goes on without it. Anything else: nothing more can be written. */
rm_err rmf_sink_audio(struct rmf_sink *sink, const rm_runtime_data *data, struct rmf_fault *fault);
rm_err rmf_sink_video(struct rmf_sink *sink, rm_runtime_data *data, struct rmf_fault *fault);
/* Completes the file. RM_E_NOT_FOUND: there was nothing to write, and so there is no file. */
rm_err rmf_sink_finish(struct rmf_sink *sink, struct rmf_fault *fault);
void rmf_sink_close(struct rmf_sink **sink);

#endif
