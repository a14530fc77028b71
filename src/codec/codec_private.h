/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_CODEC_PRIVATE_H
#define RMI_CODEC_CODEC_PRIVATE_H

#include "codec/codec.h"

/* What video.c does for all codecs, and what each does itself. A codec's object begins with the common part. */

struct rmi_video_encoder_ops {
    enum rmi_codec_id id;
    size_t object_bytes;
    int speed_min, speed_max, speed_default;
    /* Makes the library's encoder for e->width, e->height and e->config. */
    rm_err (*open)(struct rmi_video_encoder *e);
    /* Picture of the right size; its time is e->clock_us, its duration one frame interval. */
    rm_err (*encode)(struct rmi_video_encoder *e, const struct rmi_codec_picture *picture, bool key,
                     struct rmi_encoded_video *out);
    rm_err (*configure)(struct rmi_video_encoder *e); /* e->config is new; only called while open */
    void (*close)(struct rmi_video_encoder *e);       /* legal on a closed one */
    void (*release)(struct rmi_video_encoder *e);     /* after close: the rest; may be NULL */
};

struct rmi_video_encoder {
    const struct rmi_video_encoder_ops *ops;
    struct rmi_video_encoder_config config; /* speed is never 0 here, where the codec has speeds */
    int width, height;                      /* of the pictures coming in */
    bool is_open, want_key, has_pts;
    int64_t last_pts_us;
    int64_t clock_us; /* pts without jumps */
};

rm_err rmi_video_encoder_new(const struct rmi_video_encoder_ops *ops, const struct rmi_video_encoder_config *config,
                             struct rmi_video_encoder **out);

struct rmi_video_decoder_ops {
    enum rmi_codec_id id;
    size_t object_bytes;
    /* Reads headers only. header.pictures = 0: parameters without a picture. */
    rm_err (*inspect)(struct rmi_video_decoder *d, const uint8_t *data, size_t len, struct rmi_video_header *header);
    /* After the limits: whatever must happen even when the frame is dropped next. May be NULL. */
    void (*prepare)(struct rmi_video_decoder *d);
    rm_err (*decode)(struct rmi_video_decoder *d, const uint8_t *data, size_t len, struct rmi_codec_picture *out);
    void (*release)(struct rmi_video_decoder *d);
};

struct rmi_video_decoder {
    const struct rmi_video_decoder_ops *ops;
    struct rmi_codec_limits limits;
    struct rmi_video_decoder_stats stats;
    bool needs_key, has_clock;
    uint32_t width, height; /* as last announced */
    uint64_t allowance;     /* pixels that may be decoded now; fills with time */
    int64_t filled_us;
};

rm_err rmi_video_decoder_new(const struct rmi_video_decoder_ops *ops, const struct rmi_video_decoder_config *config,
                             struct rmi_video_decoder **out);

/* Rows of the codec table. */
rm_err rmi_vp8_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out);
rm_err rmi_vp9_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out);
rm_err rmi_h264_encoder_create(const struct rmi_video_encoder_config *config, struct rmi_video_encoder **out);
rm_err rmi_vp8_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out);
rm_err rmi_vp9_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out);
rm_err rmi_h264_decoder_create(const struct rmi_video_decoder_config *config, struct rmi_video_decoder **out);
rm_err rmi_opus_encoder_create(const struct rmi_audio_encoder_config *config, struct rmi_audio_encoder **out);
rm_err rmi_opus_decoder_create(const struct rmi_audio_decoder_config *config, struct rmi_audio_decoder **out);

#endif
