/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "jitter/audio_private.h"
#include <stdlib.h>

#define MIN_CLOCK_RATE 8000
#define MAX_CLOCK_RATE 192000
#define MIN_CHUNKS_PER_S 8
#define MAX_CHUNKS_PER_S 1000
#define MAX_PACKET_US RMI_MS(120)
/* One packet in a hundred may come too late: Opus conceals a single one inaudibly, and waiting for it costs all others.
 */
#define QUANTILE 0.99
/* Repairs (FEC) are waited for when they are needed by more than 1 in 250 packets, by the last ten seconds. */
#define REPAIR_MEMORY 512
#define REPAIR_RATE 0.004
/* And when none was needed for so long, as jitter is forgotten (jitter/delay.h): after one loss in three, or a
 * reordering path, the rate alone would keep their distance for half a minute. */
#define REPAIR_FORGET_US RMI_SEC(RMI_DELAY_NEEDED)
/* Repairs in a window: at 2 % of loss it holds two or three of double depth. */
#define REPAIR_WINDOW 128
/* The carrier of a repair may be late more often: one loss in twenty stays a loss then. */
#define REPAIR_QUANTILE 0.95

static void flush(struct rmi_audio_buffer *b) {
    for (size_t i = 0; i < RMI_AUDIO_SLOTS; i++)
        rmi_audio_drop(b, &b->slots[i], RMI_AUDIO_SLOT_EMPTY);
    b->has_newest = b->playing = b->starving = b->silence = false;
    b->debt = 0;
    b->low_us[0] = b->low_us[1] = INT64_MAX;
}

static bool chunk_valid(uint32_t ticks, uint32_t clock_rate) {
    return ticks >= clock_rate / MAX_CHUNKS_PER_S && ticks <= clock_rate / MIN_CHUNKS_PER_S;
}

rm_err rmi_audio_buffer_create(const struct rmi_audio_buffer_config *config, struct rmi_audio_buffer **out) {
    if (!config || !out || config->clock_rate < MIN_CLOCK_RATE || config->clock_rate > MAX_CLOCK_RATE ||
        !chunk_valid(config->chunk_ticks, config->clock_rate) || config->max_delay_us < 0 ||
        config->max_delay_us > RMI_SEC(1) || config->min_delay_us < 0 || config->min_delay_us > config->max_delay_us)
        return RM_E_INVALID_ARG;
    struct rmi_audio_buffer *b = calloc(1, sizeof *b);
    if (!b)
        return RM_E_NO_MEMORY;
    b->config = *config;
    b->target_us = config->min_delay_us;
    flush(b);
    *out = b;
    return RM_OK;
}

void rmi_audio_buffer_destroy(struct rmi_audio_buffer **buffer) {
    if (!buffer || !*buffer)
        return;
    flush(*buffer);
    free(*buffer);
    *buffer = NULL;
}

rm_err rmi_audio_buffer_set_chunk(struct rmi_audio_buffer *b, uint32_t chunk_ticks) {
    if (!chunk_valid(chunk_ticks, b->config.clock_rate))
        return RM_E_INVALID_ARG;
    b->config.chunk_ticks = chunk_ticks;
    return RM_OK;
}

void rmi_audio_drop(struct rmi_audio_buffer *b, struct rmi_audio_slot *slot, enum rmi_audio_slot_state state) {
    if (slot->state == RMI_AUDIO_SLOT_HELD) {
        b->held--;
        rmi_buf_unref(&slot->buf);
    }
    slot->state = (uint8_t)state;
}

void rmi_audio_pass(struct rmi_audio_buffer *b, int64_t seq) {
    for (int64_t s = rmi_max64(b->last_seq + 1, seq - RMI_AUDIO_SLOTS + 1); s <= seq; s++) {
        struct rmi_audio_slot *slot = rmi_audio_slot(b, s);
        const bool same = slot->seq == s && slot->state != RMI_AUDIO_SLOT_EMPTY;
        if (same && slot->state != RMI_AUDIO_SLOT_HELD)
            continue;
        if (same && s < seq)
            b->stats.skipped++;
        rmi_audio_drop(b, slot, RMI_AUDIO_SLOT_MISSED);
        slot->seq = s;
    }
    b->last_seq = seq;
}

int64_t rmi_audio_wanted_us(const struct rmi_audio_buffer *b) {
    return rmi_max64(b->target_us, b->sync_us);
}

int64_t rmi_audio_ceiling_us(const struct rmi_audio_buffer *b) {
    return rmi_max64(rmi_audio_wanted_us(b), b->config.max_delay_us);
}

static void restart(struct rmi_audio_buffer *b, const struct rmi_order_place *place) {
    flush(b);
    b->last_seq = place->seq - 1;
    b->drifting = false;
    b->carrier_ts = place->ts;
    rmi_delay_reset(&b->delay);
    rmi_drift_reset(&b->drift);
    b->repair_rate = 0;
    b->repair_us[0] = b->repair_us[1] = 0;
    b->target_us = b->config.min_delay_us;
    b->stats.restarts++;
}

/* A repair is carried by a packet of `depth_us` later. The most that was needed is remembered for one to two windows.
 */
static void note_repair(struct rmi_audio_buffer *b, int64_t arrival_us, int64_t depth_us) {
    b->repair_rate += 1.0 / REPAIR_MEMORY;
    b->repaired_at_us = arrival_us;
    b->repair_us[0] = rmi_max64(b->repair_us[0], depth_us);
    if (++b->repairs < REPAIR_WINDOW)
        return;
    b->repairs = 0;
    b->repair_us[1] = b->repair_us[0];
    b->repair_us[0] = 0;
}

static void aim(struct rmi_audio_buffer *b) {
    int64_t target = rmi_delay_quantile(&b->delay, QUANTILE);
    if (b->repair_rate > REPAIR_RATE) {
        const int64_t depth = rmi_max64(b->repair_us[0], b->repair_us[1]);
        target = rmi_max64(target, depth + rmi_delay_quantile(&b->delay, REPAIR_QUANTILE) + RMI_DELAY_BIN_US);
    }
    b->target_us = rmi_min64(rmi_max64(target, b->config.min_delay_us), b->config.max_delay_us);
}

static bool is_missing(struct rmi_audio_buffer *b, int64_t seq) {
    const struct rmi_audio_slot *slot = rmi_audio_slot(b, seq);
    return slot->seq != seq || slot->state == RMI_AUDIO_SLOT_EMPTY || slot->state == RMI_AUDIO_SLOT_MISSED;
}

static void measure(struct rmi_audio_buffer *b, const struct rmi_audio_packet *p, const struct rmi_order_place *place) {
    const int64_t media_us = rmi_audio_us(b, place->ts);
    if (!p->redundant) {
        const int64_t late_us = rmi_delay_add(&b->delay, p->arrival_us, media_us);
        rmi_delay_follow(&b->delay, p->arrival_us, late_us, rmi_audio_ceiling_us(b));
        rmi_drift_add(&b->drift, p->arrival_us, media_us);
        b->repair_rate -= b->repair_rate / REPAIR_MEMORY;
        if (p->arrival_us - b->repaired_at_us > REPAIR_FORGET_US)
            b->repair_rate = 0;
        b->carrier_ts = place->ts;
        /* With the one before it not there yet, FEC is of use if its moment comes later than this. */
        if (p->fec && b->has_newest && place->seq > b->newest_seq + 1 && is_missing(b, place->seq - 1))
            note_repair(b, p->arrival_us, rmi_audio_us(b, p->duration));
    } else if (b->carrier_ts > place->ts && is_missing(b, place->seq)) {
        note_repair(b, p->arrival_us, rmi_audio_us(b, b->carrier_ts - place->ts));
    }
    aim(b);
}

/* Nobody pulls, or the sender leapt ahead: the oldest go. */
static void make_room(struct rmi_audio_buffer *b, int64_t seq) {
    const int64_t oldest = seq - RMI_AUDIO_SLOTS + 1;
    if (oldest > b->last_seq + 1)
        rmi_audio_pass(b, oldest - 1);
}

static enum rmi_audio_verdict place_packet(struct rmi_audio_buffer *b, const struct rmi_audio_packet *p,
                                           const struct rmi_order_place *place) {
    struct rmi_audio_slot *slot = rmi_audio_slot(b, place->seq);
    const bool same = slot->seq == place->seq;
    if (same && (slot->state == RMI_AUDIO_SLOT_HELD || slot->state == RMI_AUDIO_SLOT_PLAYED)) {
        b->stats.duplicates++;
        return RMI_AUDIO_DUPLICATE;
    }
    if (place->seq <= b->last_seq) {
        b->stats.late += !p->redundant;
        return RMI_AUDIO_LATE;
    }
    rmi_audio_drop(b, slot, RMI_AUDIO_SLOT_EMPTY);
    *slot = (struct rmi_audio_slot){.seq = place->seq,
                                    .ts = place->ts,
                                    .arrival_us = p->arrival_us,
                                    .duration = p->duration,
                                    .offset = p->offset,
                                    .len = p->len,
                                    .buf = p->buf ? rmi_buf_ref(p->buf) : NULL,
                                    .state = RMI_AUDIO_SLOT_HELD,
                                    .fec = p->fec,
                                    .dtx = p->dtx,
                                    .redundant = p->redundant};
    b->held++;
    if (b->held > b->stats.held_peak)
        b->stats.held_peak = b->held;
    return RMI_AUDIO_STORED;
}

static enum rmi_audio_verdict implausible(struct rmi_audio_buffer *b) {
    b->stats.implausible++;
    return RMI_AUDIO_IMPLAUSIBLE;
}

enum rmi_audio_verdict rmi_audio_buffer_insert(struct rmi_audio_buffer *b, const struct rmi_audio_packet *p) {
    struct rmi_order_place place;
    b->stats.packets++;
    if (p->duration == 0 || rmi_audio_us(b, p->duration) > MAX_PACKET_US)
        return implausible(b);
    switch (rmi_order_judge(&b->order, p->ssrc, p->seq, p->timestamp, p->arrival_us, b->config.clock_rate, &place)) {
    case RMI_ORDER_REJECT:
        return implausible(b);
    case RMI_ORDER_RESTART:
    case RMI_ORDER_JUMP:
        restart(b, &place);
        break;
    case RMI_ORDER_FITS:
        break;
    }
    /* A copy of what is there already says nothing about the network. */
    const struct rmi_audio_slot *slot = rmi_audio_slot(b, place.seq);
    if (slot->seq != place.seq || slot->state == RMI_AUDIO_SLOT_EMPTY || slot->state == RMI_AUDIO_SLOT_MISSED)
        measure(b, p, &place);
    b->last_arrival = p->arrival_us;
    make_room(b, place.seq);
    const enum rmi_audio_verdict verdict = place_packet(b, p, &place);
    if (!b->has_newest || place.seq > b->newest_seq) {
        b->newest_seq = place.seq;
        b->has_newest = true;
    }
    return verdict;
}

void rmi_audio_buffer_set_sync_delay(struct rmi_audio_buffer *b, int64_t delay_us) {
    /* The delay moves within a chunk above what is wanted; sync is about its middle. */
    const int64_t half = rmi_audio_us(b, b->config.chunk_ticks) / 2;
    b->sync_us = rmi_min64(rmi_max64(delay_us - half, 0), RMI_AV_SYNC_MAX_US);
}

void rmi_audio_buffer_timing(const struct rmi_audio_buffer *b, struct rmi_av_timing *out) {
    *out = (struct rmi_av_timing){.valid = b->delay.started};
    if (!out->valid)
        return;
    out->timestamp = (uint32_t)b->order.newest_ts;
    out->earliest_us = rmi_delay_earliest(&b->delay, rmi_audio_us(b, b->order.newest_ts));
    out->own_delay_us = b->target_us + rmi_audio_us(b, b->config.chunk_ticks) / 2;
    out->delay_us = b->playing ? b->stats.delay_us : out->own_delay_us;
}

int64_t rmi_audio_buffer_next_due(const struct rmi_audio_buffer *b) {
    if (!b->delay.started)
        return RMI_NEVER;
    const int64_t ts = b->playing ? b->next_ts + b->debt : b->order.newest_ts;
    return rmi_delay_earliest(&b->delay, rmi_audio_us(b, ts)) + rmi_audio_wanted_us(b);
}

bool rmi_audio_buffer_is_dry(const struct rmi_audio_buffer *b) {
    return b->playing && b->held == 0 && !b->silence;
}

struct rmi_audio_buffer_stats rmi_audio_buffer_get_stats(const struct rmi_audio_buffer *b) {
    struct rmi_audio_buffer_stats stats = b->stats;
    stats.held = b->held;
    stats.target_us = rmi_audio_wanted_us(b);
    rmi_drift_ppm(&b->drift, &stats.drift_ppm);
    return stats;
}
