/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_LIMITS_H
#define RMI_CODEC_LIMITS_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a remote frame wants of us, read from its headers before a decoder sees it, and caps on that. */

struct rmi_codec_limits {
    uint32_t max_width, max_height; /* either way round: 1920 x 1088 admits 1088 x 1920 */
    uint64_t max_pixels_per_s;
};

#define RMI_CODEC_MAX_WIDTH 1920
#define RMI_CODEC_MAX_HEIGHT 1088 /* 1080 in whole macroblocks */
#define RMI_CODEC_MAX_FPS 60

/* 1920 x 1088 at 60 pictures per second. */
struct rmi_codec_limits rmi_codec_limits_default(void);
bool rmi_codec_limits_admit(const struct rmi_codec_limits *limits, uint32_t width, uint32_t height);

struct rmi_video_header {
    bool key;               /* decoding can start here */
    bool has_size;          /* width and height are in this frame (the largest, if there are several) */
    uint32_t width, height; /* as coded, before cropping */
    uint32_t pictures;      /* to decode in this unit: VP9 superframes hold up to 8 */
};

/* RM_E_PARSE: truncated or malformed. RM_E_UNSUPPORTED: not 8 bit 4:2:0 progressive. *out is untouched then. */
rm_err rmi_vp8_parse_header(const uint8_t *data, size_t len, struct rmi_video_header *out);
/* All frames of a superframe (VP9 bitstream specification, annex B). */
rm_err rmi_vp9_parse_header(const uint8_t *data, size_t len, struct rmi_video_header *out);

/* Whether the data ends in a superframe index. */
bool rmi_vp9_has_index(const uint8_t *data, size_t len);

#define RMI_H264_SPS_MAX 512 /* bytes; real ones have 10 to 100 */

struct rmi_h264_sps {
    uint8_t profile_idc, constraints, level_idc, id;
    uint32_t width, height; /* coded: in whole macroblocks */
    uint32_t shown_width, shown_height;
    uint32_t ref_frames;
};

/* A sequence parameter set without start code, its NAL header first (H.264 7.3.2.1.1). RM_E_PARSE, RM_E_UNSUPPORTED. */
rm_err rmi_h264_parse_sps(const uint8_t *nal, size_t len, struct rmi_h264_sps *out);

struct rmi_h264_unit {  /* an access unit */
    const uint8_t *sps; /* the first SPS, start code excluded, or NULL; others must have the same bytes */
    size_t sps_len;
    struct rmi_h264_sps sps_info;
    bool idr, slices;
};

/* Walks the NAL units of an access unit in Annex B form and copies those a decoder needs (1, 5, 7, 8), each behind a
 * four-byte start code, to `out`, which holds RMI_H264_NORMAL_MAX(len) bytes. RM_E_PARSE: no start code, broken SPS,
 * two different ones, or one behind a slice. RM_E_UNSUPPORTED: data partitioning, a profile we do not decode. */
#define RMI_H264_NORMAL_MAX(len) ((len) + (len) / 3 + 4)
rm_err rmi_h264_normalise(const uint8_t *data, size_t len, struct rmi_h264_unit *unit, uint8_t *out, size_t *out_len);

#endif
