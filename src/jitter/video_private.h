/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_VIDEO_PRIVATE_H
#define RMI_JITTER_VIDEO_PRIVATE_H

#include "jitter/delay.h"
#include "jitter/order.h"
#include "jitter/video.h"

struct rmi_video_slot {
    int64_t seq, ts;
    struct rmi_video_packet packet;
    bool held;
};

struct rmi_video_buffer {
    struct rmi_video_buffer_config config;
    struct rmi_order order;
    struct rmi_delay delay;  /* of whole frames, repairs included */
    struct rmi_delay jitter; /* of packets that came in their order, so of no repairs */
    struct rmi_video_slot *slots;
    struct rmi_video_packet *frame; /* packets of the frame handed out last */
    size_t held, held_keys;         /* held_keys: first packets of key frames among them */
    int64_t next_seq;               /* all before it is done: a frame begins here, or it is waited for */
    int64_t newest_seq;
    bool waiting_for_key;
    bool lossy; /* frames were dropped since the last one handed out */
    int64_t rtt_us, sync_us;
    int64_t ask_from_us, asked_us; /* key frame requests */
    bool asked;
    struct rmi_video_buffer_stats stats;
};

enum rmi_video_head {
    RMI_VIDEO_HEAD_NONE,    /* nothing held */
    RMI_VIDEO_HEAD_OPEN,    /* the rest has not come yet, and nothing after it */
    RMI_VIDEO_HEAD_BLOCKED, /* a hole, and packets after it */
    RMI_VIDEO_HEAD_WHOLE,
};

struct rmi_video_view {
    enum rmi_video_head state;
    int64_t end;         /* WHOLE: last packet */
    int64_t complete_us; /* WHOLE */
    int64_t since_us;    /* BLOCKED: when the hole showed */
};

static inline struct rmi_video_slot *rmi_video_slot(const struct rmi_video_buffer *b, int64_t seq) {
    return &b->slots[(uint64_t)seq & (b->config.packets - 1)];
}
static inline bool rmi_video_holds(const struct rmi_video_buffer *b, int64_t seq) {
    const struct rmi_video_slot *slot = rmi_video_slot(b, seq);
    return slot->held && slot->seq == seq;
}
static inline bool rmi_video_is_key(const struct rmi_video_packet *p) {
    return p->first && p->key && !p->padding;
}

/* Gives up all packets before `seq`, which becomes the next. */
void rmi_video_pass(struct rmi_video_buffer *b, int64_t seq);
/* A reference is gone: nothing is of use before the next key frame. */
void rmi_video_lose(struct rmi_video_buffer *b, int64_t now_us);
/* Looks at the frame that begins at `from`. */
struct rmi_video_view rmi_video_look(const struct rmi_video_buffer *b, int64_t from);
/* Drops what time has decided about. Returns the head frame as it is then. */
struct rmi_video_view rmi_video_settle(struct rmi_video_buffer *b, int64_t now_us);
/* How long a hole is left open. */
int64_t rmi_video_wait_us(const struct rmi_video_buffer *b);

#endif
