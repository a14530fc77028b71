/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_VIDEO_H
#define RMI_JITTER_VIDEO_H

#include "base/buf.h"
#include "jitter/sync.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Packets of one received video stream in, whole frames in decoding order out. A hole is given time for its
 * retransmission; when that has passed, or a reference is lost, everything up to the next key frame is dropped and a
 * key frame is asked for. */
struct rmi_video_buffer;

struct rmi_video_buffer_config {
    uint32_t clock_rate;  /* 90000 */
    size_t packets;       /* the most that are held; a power of two, 64..32768 */
    int64_t max_delay_us; /* the longest wait for a repair, and for the moment to show a frame; 10 ms..1 s */
    bool repair;          /* lost packets are asked for again (NACK); false: only reordering is waited for */
};

struct rmi_video_packet {
    uint32_t ssrc, timestamp;
    uint16_t seq;
    bool marker;     /* last packet of its frame */
    bool first;      /* known to be the first of its frame; may be false where the format cannot tell */
    bool key;        /* with `first`: the frame needs no other */
    bool disposable; /* with `first`: no other frame needs this one */
    bool padding;    /* no payload; fills its sequence number only */
    int64_t arrival_us;
    struct rmi_buf *buf; /* the buffer takes a reference of its own when it stores the packet; may be NULL */
    uint32_t offset, len;
};

enum rmi_video_verdict { RMI_VIDEO_STORED, RMI_VIDEO_DUPLICATE, RMI_VIDEO_LATE, RMI_VIDEO_IMPLAUSIBLE };

struct rmi_video_frame {
    const struct rmi_video_packet *packets; /* in order, without padding; valid until the next call with this buffer */
    size_t count;
    uint32_t timestamp;
    bool key;
    bool after_loss; /* frames before it are missing (it is a key frame, or they were disposable) */
    int64_t first_arrival_us, complete_us;
};

struct rmi_video_buffer_stats {
    uint64_t packets, duplicates, late, implausible, restarts;
    uint64_t frames, key_frames, dropped_packets, losses, keyframe_requests;
    int64_t delay_us, wait_limit_us;
    size_t held, held_peak;
    bool waiting_for_key;
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_video_buffer_create(const struct rmi_video_buffer_config *config, struct rmi_video_buffer **out);
void rmi_video_buffer_destroy(struct rmi_video_buffer **buffer);
enum rmi_video_verdict rmi_video_buffer_insert(struct rmi_video_buffer *b, const struct rmi_video_packet *packet);
/* The next frame, if it is whole and due. Its packets' references are the caller's: rmi_video_frame_release. */
bool rmi_video_buffer_pop(struct rmi_video_buffer *b, int64_t now_us, struct rmi_video_frame *out);
void rmi_video_frame_release(struct rmi_video_frame *frame);
/* Whether to send a PLI now; true at most twice a second. Ask after inserts, after pops and at the deadline. */
bool rmi_video_buffer_take_keyframe_request(struct rmi_video_buffer *b, int64_t now_us);
/* The decoder cannot go on without a key frame. */
void rmi_video_buffer_require_keyframe(struct rmi_video_buffer *b, int64_t now_us);
/* The time a repair takes; bounds the wait for it. */
void rmi_video_buffer_set_rtt(struct rmi_video_buffer *b, int64_t rtt_us);
/* The smallest delay of a frame, from rmi_av_sync_update. 0, as at the start: frames come as soon as they are whole. */
void rmi_video_buffer_set_sync_delay(struct rmi_video_buffer *b, int64_t delay_us);
void rmi_video_buffer_timing(const struct rmi_video_buffer *b, struct rmi_av_timing *out);
/* When pop or the key frame request may change without a further packet; RMI_NEVER if they cannot. */
int64_t rmi_video_buffer_next_deadline(const struct rmi_video_buffer *b, int64_t now_us);
struct rmi_video_buffer_stats rmi_video_buffer_get_stats(const struct rmi_video_buffer *b);

#endif
