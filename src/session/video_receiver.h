/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_VIDEO_RECEIVER_H
#define RMI_SESSION_VIDEO_RECEIVER_H

#include "codec/video.h"
#include "jitter/sync.h"
#include "jitter/video.h"
#include "rtp/payload/payload.h"
#include <remotemedia/data.h>

/* One incoming picture stream: RTP payloads in, decoded I420 frames out. Waits for whole frames and repairs, decodes
 * into pooled frames, says when a key frame must be asked for. The codec may change with any packet (by its payload
 * type). Pure: told the time; one thread. */
struct rmi_video_receiver;

struct rmi_video_receiver_config {
    int64_t max_delay_us; /* longest wait for repairs and for lip sync (jitter_buffer_size_ms, at least 10 ms) */
    bool repair;          /* NACK was negotiated */
    bool decode;          /* false: frames come out encoded (RM_PIXEL_ENCODED), for recording or forwarding */
    struct rmi_codec_limits limits; /* zeroed: the default */
    int64_t (*clock_us)(void *ctx); /* measures decoding; NULL: not measured */
    void *ctx;
    const char *stream_id; /* set on every frame; NULL: none; copied */
};

struct rmi_video_in {
    enum rmi_payload_format format;
    uint32_t ssrc, timestamp;
    uint16_t seq;
    bool marker, padding;
    int64_t arrival_us;
    struct rmi_buf *buf; /* payload at offset..offset+len; a reference is taken */
    uint32_t offset, len;
};

rm_err rmi_video_receiver_create(const struct rmi_video_receiver_config *config, struct rmi_video_receiver **out);
void rmi_video_receiver_destroy(struct rmi_video_receiver **receiver);
void rmi_video_receiver_insert(struct rmi_video_receiver *r, const struct rmi_video_in *packet);
/* The next frame if one is whole and due, decoded, in a pooled buffer (the caller's reference). Its time is the
 * sender's RTP time in microseconds since the stream's first frame, its arrival (rm_runtime_data_arrival_us) that of
 * its first packet. RM_E_AGAIN: none now. Other errors: that frame is lost and counted; call again. */
rm_err rmi_video_receiver_pop(struct rmi_video_receiver *r, int64_t now_us, rm_runtime_data **out);
/* Whether to ask the sender for a key frame now. Ask after inserts and pops, and at the deadline. */
bool rmi_video_receiver_take_key_request(struct rmi_video_receiver *r, int64_t now_us);
/* When pop or the key frame request may change without a further packet. */
int64_t rmi_video_receiver_next_deadline(const struct rmi_video_receiver *r, int64_t now_us);

void rmi_video_receiver_set_rtt(struct rmi_video_receiver *r, int64_t rtt_us);
void rmi_video_receiver_set_sync_delay(struct rmi_video_receiver *r, int64_t delay_us);
void rmi_video_receiver_timing(const struct rmi_video_receiver *r, struct rmi_av_timing *out);

struct rmi_video_receiver_stats {
    struct rmi_video_buffer_stats buffer;
    struct rmi_video_decoder_stats decoder;
    uint64_t frames, key_frames, decode_errors, exhausted, malformed; /* malformed: payloads */
    uint32_t width, height;
    int64_t decode_us; /* smoothed */
    int64_t waited_us; /* first packet to frame popped, smoothed */
    uint64_t freezes;  /* W3C freezeCount, totalFreezesDuration */
    int64_t frozen_us;
    size_t pool_allocations;
};
void rmi_video_receiver_get_stats(const struct rmi_video_receiver *r, struct rmi_video_receiver_stats *out);

#endif
