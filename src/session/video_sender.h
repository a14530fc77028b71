/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_VIDEO_SENDER_H
#define RMI_SESSION_VIDEO_SENDER_H

#include "codec/video.h"
#include "rtp/batch.h"
#include "session/audio_sender.h" /* rmi_batch_fn */
#include <remotemedia/data.h>

/* One outgoing picture stream in one codec: raw frames of any format and size in, packets out. Made once for all peers
 * on it. Converts, scales to its limits, encodes under the speed governor, packetizes. One thread at a time. */
struct rmi_video_sender;

struct rmi_video_sender_settings { /* may change while running */
    uint32_t bitrate_bps;
    double max_fps;                 /* frames that come faster are skipped */
    uint32_t max_width, max_height; /* either way round; larger pictures are scaled down, aspect kept, by ratios that
                                       libyuv scales fast where these come near */
    bool limited; /* the path has no more than this bitrate: what is made beyond it is made up for by leaving out
                     pictures (key frames too large, encoders too slow to follow), so that 250 ms are never exceeded by
                     more than one */
};

struct rmi_video_sender_config {
    enum rmi_payload_format format;
    struct rmi_video_sender_settings settings;
    int64_t encode_budget_us;       /* governor's; 0 = RMI_GOVERNOR_BUDGET_US */
    uint8_t h264_mode;              /* packetization-mode, 0 or 1 */
    size_t max_payload;             /* bytes of an RTP payload; 0 = 1140: leaves room in RMI_DATAGRAM_MTU for header,
                                       extensions, RTX number and authentication tag */
    int64_t (*clock_us)(void *ctx); /* measures encoding for the governor and statistics; NULL: neither */
    rmi_batch_fn on_batch;
    void *ctx; /* of both */
};

/* 1.5 Mbit/s, 30 fps, 1280 x 720, H.264 mode 1. */
void rmi_video_sender_config_init(struct rmi_video_sender_config *config);
rm_err rmi_video_sender_create(const struct rmi_video_sender_config *config, struct rmi_video_sender **out);
void rmi_video_sender_destroy(struct rmi_video_sender **sender);
/* Raw video (I420 is encoded where it lies), or a frame that is encoded in this codec already, which is packetized as
 * it is. `now_us`: its capture time as far as known. The RTP clock follows the frame's own time
 * (rm_runtime_data_timestamp_us) while that runs evenly, `now_us` otherwise.
 * RM_E_AGAIN: skipped (frame rate; what was made before is more than the bitrate allows; rate control).
 * RM_E_UNSUPPORTED: a pixel format or codec that is not ours.
 * RM_E_STATE: encoded input, and a key frame is needed that it has not. Errors of the encoder. */
rm_err rmi_video_sender_input(struct rmi_video_sender *s, const rm_runtime_data *video, int64_t now_us);
/* With the picture's time on the local clock found already (media_clock.h): several senders of one source have one, so
 * that a receiver may be moved from one to another. */
rm_err rmi_video_sender_input_at(struct rmi_video_sender *s, const rm_runtime_data *video, int64_t time_us,
                                 int64_t now_us);
/* The next raw picture becomes a key frame, however often it was asked for. Encoded input goes on as it comes: only its
 * source can make one. */
void rmi_video_sender_request_key(struct rmi_video_sender *s);
/* RM_E_INVALID_ARG: out of range, nothing changed. */
rm_err rmi_video_sender_configure(struct rmi_video_sender *s, const struct rmi_video_sender_settings *settings);

struct rmi_video_sender_stats {
    uint64_t frames, key_frames, skipped, bytes, errors, exhausted;
    uint64_t held;          /* of those skipped: because too much had been made before */
    uint32_t width, height; /* encoded now */
    int64_t encode_us;      /* smoothed over about eight frames */
    int governor_step;
};
void rmi_video_sender_get_stats(const struct rmi_video_sender *s, struct rmi_video_sender_stats *out);

#endif
