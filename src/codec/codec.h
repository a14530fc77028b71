/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_CODEC_H
#define RMI_CODEC_CODEC_H

#include "codec/audio.h"
#include "codec/video.h"
#include <stdbool.h>
#include <stdint.h>

/* The codec seam: one row for each codec. A further codec is a further row; users of this folder know no library. */
struct rmi_codec_ops {
    enum rmi_codec_id id;
    const char *name; /* as in an SDP rtpmap, upper and lower case as registered */
    uint32_t rtp_clock_hz;
    bool is_video;
    /* NULL in a row of the other kind. Callers go through rmi_video_encoder_create and its like, which check first. */
    rm_err (*video_encoder_create)(const struct rmi_video_encoder_config *, struct rmi_video_encoder **);
    rm_err (*video_decoder_create)(const struct rmi_video_decoder_config *, struct rmi_video_decoder **);
    rm_err (*audio_encoder_create)(const struct rmi_audio_encoder_config *, struct rmi_audio_encoder **);
    rm_err (*audio_decoder_create)(const struct rmi_audio_decoder_config *, struct rmi_audio_decoder **);
};

/* NULL: no such codec. The name is compared without regard to case (RFC 8866 6.6). */
const struct rmi_codec_ops *rmi_codec_by_id(enum rmi_codec_id id);
const struct rmi_codec_ops *rmi_codec_by_name(const char *name);

#endif
