/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_AUDIO_PRIVATE_H
#define RMI_JITTER_AUDIO_PRIVATE_H

#include "jitter/audio.h"
#include "jitter/delay.h"
#include "jitter/drift.h"
#include "jitter/order.h"

/* 2.56 s of 10 ms packets, 640 ms of the shortest (2.5 ms). A power of two. */
#define RMI_AUDIO_SLOTS 256
/* Opus frames and concealment are multiples of 2.5 ms (RFC 6716 2.1.4). */
#define RMI_AUDIO_UNITS_PER_S 400

enum rmi_audio_slot_state {
    RMI_AUDIO_SLOT_EMPTY,
    RMI_AUDIO_SLOT_HELD,
    RMI_AUDIO_SLOT_PLAYED,
    RMI_AUDIO_SLOT_MISSED,
};

/* A slot remembers its number after the packet has gone, which tells a duplicate from a late packet. */
struct rmi_audio_slot {
    int64_t seq, ts, arrival_us;
    uint32_t duration, offset, len;
    struct rmi_buf *buf;
    uint8_t state;
    bool fec, fec_used, dtx, redundant;
};

struct rmi_audio_buffer {
    struct rmi_audio_buffer_config config;
    struct rmi_order order;
    struct rmi_delay delay;
    struct rmi_drift drift;
    struct rmi_audio_slot slots[RMI_AUDIO_SLOTS];
    size_t held;
    int64_t newest_seq;   /* stored so far; meaningless while !has_newest */
    int64_t last_arrival; /* of any packet that fits */
    bool has_newest;

    bool playing;
    int64_t last_seq; /* played last; packets up to it are done */
    int64_t next_ts;  /* end of what was played */
    int64_t debt;     /* ticks concealed since then */
    bool starving;
    bool silence; /* the packet played last was marked dtx */

    int64_t target_us; /* jitter, repairs and the floor, under the ceiling; without sync */
    int64_t sync_us;
    double repair_rate;
    int64_t repaired_at_us; /* the last one arrived */
    int64_t repair_us[2];   /* deepest of this window and of the one before */
    unsigned repairs;
    int64_t carrier_ts; /* packet that came last */

    int64_t tick_us; /* `now` of the pull in progress: control acts once in each */
    bool ticked;
    int64_t stretched_us;
    int64_t low_us[2]; /* smallest delay at a pull in this second and in the one before */
    int64_t low_start_us;
    double resample_ppm;
    bool drifting; /* the sender's clock is off by enough to matter */
    struct rmi_audio_buffer_stats stats;
};

static inline struct rmi_audio_slot *rmi_audio_slot(struct rmi_audio_buffer *b, int64_t seq) {
    return &b->slots[(uint64_t)seq % RMI_AUDIO_SLOTS];
}
static inline int64_t rmi_audio_us(const struct rmi_audio_buffer *b, int64_t ticks) {
    return rmi_ticks_to_us(ticks, b->config.clock_rate);
}

/* The delay to hold: the target, or more for the sake of lip sync. */
int64_t rmi_audio_wanted_us(const struct rmi_audio_buffer *b);
/* The most that may be held: what is configured, or what is wanted for lip sync. */
int64_t rmi_audio_ceiling_us(const struct rmi_audio_buffer *b);
/* Drops what a slot holds; it becomes `state`. */
void rmi_audio_drop(struct rmi_audio_buffer *b, struct rmi_audio_slot *slot, enum rmi_audio_slot_state state);
/* All packets up to `seq` are done: what was never seen counts as missed. */
void rmi_audio_pass(struct rmi_audio_buffer *b, int64_t seq);

#endif
