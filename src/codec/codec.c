/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec.h"
#include "codec/codec_private.h"
#include <strings.h>

#define VIDEO_CLOCK_HZ 90000
#define OPUS_CLOCK_HZ 48000 /* RFC 7587 4.1, whatever the rate */

static const struct rmi_codec_ops table[] = {
    {.id = RMI_CODEC_OPUS,
     .name = "opus",
     .rtp_clock_hz = OPUS_CLOCK_HZ,
     .audio_encoder_create = rmi_opus_encoder_create,
     .audio_decoder_create = rmi_opus_decoder_create},
    {.id = RMI_CODEC_VP8,
     .name = "VP8",
     .rtp_clock_hz = VIDEO_CLOCK_HZ,
     .is_video = true,
     .video_encoder_create = rmi_vp8_encoder_create,
     .video_decoder_create = rmi_vp8_decoder_create},
    {.id = RMI_CODEC_VP9,
     .name = "VP9",
     .rtp_clock_hz = VIDEO_CLOCK_HZ,
     .is_video = true,
     .video_encoder_create = rmi_vp9_encoder_create,
     .video_decoder_create = rmi_vp9_decoder_create},
    {.id = RMI_CODEC_H264,
     .name = "H264",
     .rtp_clock_hz = VIDEO_CLOCK_HZ,
     .is_video = true,
     .video_encoder_create = rmi_h264_encoder_create,
     .video_decoder_create = rmi_h264_decoder_create},
};

const struct rmi_codec_ops *rmi_codec_by_id(enum rmi_codec_id id) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].id == id)
            return &table[i];
    return NULL;
}

const struct rmi_codec_ops *rmi_codec_by_name(const char *name) {
    for (size_t i = 0; name && i < sizeof table / sizeof *table; i++)
        if (strcasecmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

rm_err rmi_video_encoder_create(enum rmi_codec_id codec, const struct rmi_video_encoder_config *config,
                                struct rmi_video_encoder **out) {
    const struct rmi_codec_ops *ops = rmi_codec_by_id(codec);
    return ops && ops->video_encoder_create ? ops->video_encoder_create(config, out) : RM_E_UNSUPPORTED;
}

rm_err rmi_video_decoder_create(enum rmi_codec_id codec, const struct rmi_video_decoder_config *config,
                                struct rmi_video_decoder **out) {
    const struct rmi_codec_ops *ops = rmi_codec_by_id(codec);
    return ops && ops->video_decoder_create ? ops->video_decoder_create(config, out) : RM_E_UNSUPPORTED;
}

rm_err rmi_audio_encoder_create(enum rmi_codec_id codec, const struct rmi_audio_encoder_config *config,
                                struct rmi_audio_encoder **out) {
    const struct rmi_codec_ops *ops = rmi_codec_by_id(codec);
    return ops && ops->audio_encoder_create ? ops->audio_encoder_create(config, out) : RM_E_UNSUPPORTED;
}

rm_err rmi_audio_decoder_create(enum rmi_codec_id codec, const struct rmi_audio_decoder_config *config,
                                struct rmi_audio_decoder **out) {
    const struct rmi_codec_ops *ops = rmi_codec_by_id(codec);
    return ops && ops->audio_decoder_create ? ops->audio_decoder_create(config, out) : RM_E_UNSUPPORTED;
}
