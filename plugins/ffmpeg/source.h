/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMF_SOURCE_H
#define RMF_SOURCE_H

#include "common.h"
#include <stdbool.h>

/* A media file as a sequence of sound chunks and pictures in order of time. One thread at a time. */
struct rmf_source;

struct rmf_source_config {
    const char *path;
    int64_t offset, length; /* the bytes to read; length < 0: to the end */
    int width, height;      /* 0: as in the file; one of them 0: keeps the aspect */
    double framerate;       /* 0: as in the file */
    int audio_rate, audio_channels, chunk_frames;
    int64_t start_us;
    int threads; /* of the video decoder */
    bool loop;   /* it will be rewound: sound that is a little longer than the pictures is cut there */
    bool (*cancelled)(void *user);
    void *user;
};

enum rmf_item_kind { RMF_ITEM_END, RMF_ITEM_AUDIO, RMF_ITEM_VIDEO };

struct rmf_item {
    enum rmf_item_kind kind;
    int64_t time_us; /* of the first item 0, going on after rmf_source_rewind */
    int width, height;
};

/* RM_E_IO, RM_E_PARSE (no media), RM_E_UNSUPPORTED (neither sound nor picture), RM_E_CLOSED (cancelled). */
rm_err rmf_source_open(const struct rmf_source_config *config, struct rmf_source **out, struct rmf_fault *fault);
/* What comes next. Take it by rmf_source_take_audio or _video before asking again. */
rm_err rmf_source_next(struct rmf_source *source, struct rmf_item *item, struct rmf_fault *fault);
/* chunk_frames of interleaved samples. */
void rmf_source_take_audio(struct rmf_source *source, float *samples);
/* Into three planes of the item's size. */
rm_err rmf_source_take_video(struct rmf_source *source, uint8_t *const planes[3], const int strides[3],
                             struct rmf_fault *fault);
/* Back to the start; times go on where the file ended. */
rm_err rmf_source_rewind(struct rmf_source *source, struct rmf_fault *fault);
void rmf_source_close(struct rmf_source **source);

#endif
