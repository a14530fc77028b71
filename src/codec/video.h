/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_VIDEO_H
#define RMI_CODEC_VIDEO_H

#include "base/buf.h"
#include "codec/codec_id.h"
#include "codec/limits.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An I420 picture in somebody's memory: Y, U, V; chroma planes are (width + 1) / 2 by (height + 1) / 2. */
struct rmi_codec_picture {
    int width, height;
    const uint8_t *plane[3];
    int stride[3];
    /* From a VP9 decoder: the buffer the planes lie in; rmi_buf_ref it, or put it into a runtime data object
     * (rmi_frame_pool_wrap_video), to keep the picture without a copy, for reading only (the decoder predicts from it).
     * NULL from the others: copy what is to outlive the next call. */
    struct rmi_buf *buf;
};

/* ---- encoder: one picture in, one frame out, no look-ahead, endless groups of pictures. One thread per object. ----
 */

struct rmi_video_encoder;

#define RMI_VIDEO_SIDE_MIN 16
#define RMI_VIDEO_SIDE_MAX 4096
#define RMI_VIDEO_BITRATE_MIN_BPS 10000
#define RMI_VIDEO_BITRATE_MAX_BPS 100000000
#define RMI_VIDEO_FPS_MAX 240

struct rmi_video_encoder_config {
    uint32_t bitrate_bps; /* target, RMI_VIDEO_BITRATE_MIN_BPS..MAX_BPS */
    double fps;           /* expected pictures per second, 1..RMI_VIDEO_FPS_MAX */
    int speed;            /* 0: the codec's default (VP8 8, VP9 8); VP8 1..16, VP9 5..9, higher is faster. H.264: 0 */
    bool limited;         /* the way has room for no more than the bitrate: small key frames, and VP9 leaves out what
                             overshoots. H.264: of no effect */
};

struct rmi_encoded_video {
    const uint8_t *data; /* the encoder's, until the next call. H.264: Annex B with SPS and PPS before each IDR */
    size_t len;
    bool key;
};

/* RM_E_INVALID_ARG, RM_E_UNSUPPORTED (not a video codec), RM_E_NO_MEMORY. The library's encoder is made at the first
 * picture, whose size it takes. */
rm_err rmi_video_encoder_create(enum rmi_codec_id codec, const struct rmi_video_encoder_config *config,
                                struct rmi_video_encoder **out);
void rmi_video_encoder_destroy(struct rmi_video_encoder **e);
/* `pts_us` should grow; a step under a millisecond or over a second counts as one frame interval. A picture of another
 * size starts a new stream with a key frame. H.264 crops odd sizes to even ones.
 * RM_E_AGAIN: the rate control skipped this picture. RM_E_INVALID_ARG: size out of range, plane missing, stride too
 * small. RM_E_NO_MEMORY. RM_E_INTERNAL: the library failed; the next call starts anew with a key frame. */
rm_err rmi_video_encoder_encode(struct rmi_video_encoder *e, const struct rmi_codec_picture *picture, int64_t pts_us,
                                struct rmi_encoded_video *out);
/* From the next picture on, without a key frame. RM_E_INVALID_ARG: nothing changed. */
rm_err rmi_video_encoder_configure(struct rmi_video_encoder *e, const struct rmi_video_encoder_config *config);
/* The next picture becomes a key frame. */
void rmi_video_encoder_request_key(struct rmi_video_encoder *e);

/* ---- decoder: a complete frame in, a picture out. One thread per object. ---- */

struct rmi_video_decoder;

struct rmi_video_decoder_config {
    struct rmi_codec_limits limits; /* zeroed: rmi_codec_limits_default() */
};

struct rmi_video_decoder_stats {
    uint64_t decoded, dropped_waiting, malformed, refused; /* refused: over a limit or of an unsupported kind */
    uint64_t restarts; /* fresh decoders after the first: damage, H.264 also another SPS */
};

rm_err rmi_video_decoder_create(enum rmi_codec_id codec, const struct rmi_video_decoder_config *config,
                                struct rmi_video_decoder **out);
void rmi_video_decoder_destroy(struct rmi_video_decoder **d);
/* `now_us` meters the pixel rate. The picture is valid until the next call.
 * RM_E_AGAIN: taken, nothing to show. RM_E_STATE: dropped, a key frame is awaited: ask for one. All that follow make
 * the decoder wait for a key frame as well: RM_E_PARSE malformed; RM_E_TOO_BIG dimensions over the limit, nothing was
 * allocated; RM_E_LIMIT more pixels a second than allowed; RM_E_UNSUPPORTED a profile that is not 8 bit 4:2:0
 * progressive; RM_E_NO_MEMORY. */
rm_err rmi_video_decoder_decode(struct rmi_video_decoder *d, const uint8_t *data, size_t len, int64_t now_us,
                                struct rmi_codec_picture *out);
/* Something was lost before the next frame: drop until a key frame. */
void rmi_video_decoder_wait_for_key(struct rmi_video_decoder *d);
bool rmi_video_decoder_needs_key(const struct rmi_video_decoder *d);
void rmi_video_decoder_get_stats(const struct rmi_video_decoder *d, struct rmi_video_decoder_stats *out);

#endif
