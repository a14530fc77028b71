/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/video.h"
#include "base/time.h"
#include "jitter/video_private.h"
#include <stdlib.h>

#define MIN_PACKETS 64
#define MAX_PACKETS 32768
#define MIN_CLOCK_RATE 1000
#define MAX_CLOCK_RATE 1000000
#define MIN_DELAY_US RMI_MS(10)
/* Packets sent before the first that came, for which the first frame may still wait. */
#define OVERTAKEN 32
/* A stream that begins without a key frame may have been overtaken; the request waits as long as a reordering lasts. */
#define BEGIN_GRACE_US RMI_MS(20)
/* Senders make at most two key frames each second for a receiver that asks. */
#define ASK_INTERVAL_US RMI_MS(500)
#define ASK_TRIPS 2
/* Where a stream stands by itself: most of its pictures, which are shown at once. Were sound held back for the few that
 * need repairs, it would be late for all others (by 80 ms at 10 % loss). */
#define QUANTILE 0.5

rm_err rmi_video_buffer_create(const struct rmi_video_buffer_config *config, struct rmi_video_buffer **out) {
    if (!config || !out || config->clock_rate < MIN_CLOCK_RATE || config->clock_rate > MAX_CLOCK_RATE ||
        config->packets < MIN_PACKETS || config->packets > MAX_PACKETS ||
        (config->packets & (config->packets - 1)) != 0 || config->max_delay_us < MIN_DELAY_US ||
        config->max_delay_us > RMI_SEC(1))
        return RM_E_INVALID_ARG;
    struct rmi_video_buffer *b = calloc(1, sizeof *b);
    if (b) {
        b->config = *config;
        b->slots = calloc(config->packets, sizeof *b->slots);
        b->frame = calloc(config->packets, sizeof *b->frame);
    }
    if (!b || !b->slots || !b->frame) {
        rmi_video_buffer_destroy(&b);
        return RM_E_NO_MEMORY;
    }
    *out = b;
    return RM_OK;
}

void rmi_video_buffer_destroy(struct rmi_video_buffer **buffer) {
    if (!buffer || !*buffer)
        return;
    struct rmi_video_buffer *b = *buffer;
    if (b->slots)
        rmi_video_pass(b, b->next_seq + (int64_t)b->config.packets);
    free(b->slots);
    free(b->frame);
    free(b);
    *buffer = NULL;
}

static void restart(struct rmi_video_buffer *b, int64_t seq, int64_t arrival_us) {
    rmi_video_pass(b, b->next_seq + (int64_t)b->config.packets);
    b->next_seq = seq - OVERTAKEN;
    b->newest_seq = seq;
    b->waiting_for_key = true;
    b->ask_from_us = arrival_us + BEGIN_GRACE_US;
    rmi_delay_reset(&b->delay);
    rmi_delay_reset(&b->jitter);
    b->stats.restarts++;
}

static enum rmi_video_verdict store(struct rmi_video_buffer *b, const struct rmi_video_packet *p,
                                    const struct rmi_order_place *place) {
    if (place->seq < b->next_seq) {
        b->stats.late++;
        return RMI_VIDEO_LATE;
    }
    if (rmi_video_holds(b, place->seq)) {
        b->stats.duplicates++;
        return RMI_VIDEO_DUPLICATE;
    }
    const int64_t oldest = place->seq - (int64_t)b->config.packets + 1;
    if (oldest > b->next_seq) { /* more than fits is missing, or nobody takes the frames */
        if (!b->waiting_for_key)
            rmi_video_lose(b, p->arrival_us);
        rmi_video_pass(b, oldest);
    }
    struct rmi_video_slot *slot = rmi_video_slot(b, place->seq);
    *slot = (struct rmi_video_slot){.seq = place->seq, .ts = place->ts, .packet = *p, .held = true};
    if (p->buf)
        rmi_buf_ref(p->buf);
    b->held++;
    b->held_keys += rmi_video_is_key(p);
    if (b->held > b->stats.held_peak)
        b->stats.held_peak = b->held;
    b->newest_seq = rmi_max64(b->newest_seq, place->seq);
    return RMI_VIDEO_STORED;
}

enum rmi_video_verdict rmi_video_buffer_insert(struct rmi_video_buffer *b, const struct rmi_video_packet *p) {
    struct rmi_order_place place;
    b->stats.packets++;
    switch (rmi_order_judge(&b->order, p->ssrc, p->seq, p->timestamp, p->arrival_us, b->config.clock_rate, &place)) {
    case RMI_ORDER_REJECT:
        b->stats.implausible++;
        return RMI_VIDEO_IMPLAUSIBLE;
    case RMI_ORDER_RESTART:
        restart(b, place.seq, p->arrival_us);
        break;
    case RMI_ORDER_JUMP: /* frames still follow each other; only the times begin anew */
        rmi_delay_reset(&b->delay);
        rmi_delay_reset(&b->jitter);
        break;
    case RMI_ORDER_FITS:
        break;
    }
    if (place.seq == b->order.newest_seq)
        (void)rmi_delay_add(&b->jitter, p->arrival_us, rmi_ticks_to_us(place.ts, b->config.clock_rate));
    return store(b, p, &place);
}

/* When a whole head frame may go. */
static int64_t due_us(const struct rmi_video_buffer *b, const struct rmi_video_view *view) {
    if (b->sync_us == 0 || !b->delay.started)
        return view->complete_us;
    const int64_t media_us = rmi_ticks_to_us(rmi_video_slot(b, b->next_seq)->ts, b->config.clock_rate);
    const int64_t due = rmi_delay_earliest(&b->delay, media_us) + b->sync_us;
    return rmi_min64(rmi_max64(due, view->complete_us), view->complete_us + RMI_AV_SYNC_MAX_US);
}

/* Moves the packets of the head frame out. */
static void take(struct rmi_video_buffer *b, const struct rmi_video_view *view, struct rmi_video_frame *out) {
    out->first_arrival_us = INT64_MAX;
    for (int64_t s = b->next_seq; s <= view->end; s++) {
        struct rmi_video_slot *slot = rmi_video_slot(b, s);
        out->first_arrival_us = rmi_min64(out->first_arrival_us, slot->packet.arrival_us);
        slot->held = false;
        b->held--;
        b->held_keys -= rmi_video_is_key(&slot->packet);
        if (slot->packet.padding)
            rmi_buf_unref(&slot->packet.buf);
        else
            b->frame[out->count++] = slot->packet;
    }
    b->next_seq = view->end + 1;
}

bool rmi_video_buffer_pop(struct rmi_video_buffer *b, int64_t now_us, struct rmi_video_frame *out) {
    const struct rmi_video_view view = rmi_video_settle(b, now_us);
    if (view.state != RMI_VIDEO_HEAD_WHOLE || now_us < due_us(b, &view))
        return false;
    const struct rmi_video_slot *head = rmi_video_slot(b, b->next_seq);
    const int64_t media_us = rmi_ticks_to_us(head->ts, b->config.clock_rate);
    *out = (struct rmi_video_frame){.packets = b->frame,
                                    .timestamp = head->packet.timestamp,
                                    .key = rmi_video_is_key(&head->packet),
                                    .after_loss = b->lossy,
                                    .complete_us = view.complete_us};
    take(b, &view, out);
    rmi_delay_add(&b->delay, view.complete_us, media_us);
    b->stats.delay_us = now_us - rmi_delay_earliest(&b->delay, media_us);
    b->stats.frames++;
    b->stats.key_frames += out->key;
    b->lossy = false;
    if (out->key)
        b->waiting_for_key = false;
    return true;
}

void rmi_video_frame_release(struct rmi_video_frame *frame) {
    for (size_t i = 0; i < frame->count; i++) {
        struct rmi_buf *buf = frame->packets[i].buf;
        rmi_buf_unref(&buf);
    }
    frame->count = 0;
}

static int64_t ask_us(const struct rmi_video_buffer *b) {
    if (!b->asked)
        return b->ask_from_us;
    return rmi_max64(b->ask_from_us, b->asked_us + rmi_max64(ASK_INTERVAL_US, ASK_TRIPS * b->rtt_us));
}

bool rmi_video_buffer_take_keyframe_request(struct rmi_video_buffer *b, int64_t now_us) {
    (void)rmi_video_settle(b, now_us);
    /* With one on its way, asking again would only bring a second. */
    if (!b->order.started || !b->waiting_for_key || b->held_keys > 0 || now_us < ask_us(b))
        return false;
    b->asked = true;
    b->asked_us = now_us;
    b->stats.keyframe_requests++;
    return true;
}

void rmi_video_buffer_require_keyframe(struct rmi_video_buffer *b, int64_t now_us) {
    if (b->waiting_for_key)
        return;
    b->waiting_for_key = true;
    b->ask_from_us = now_us;
}

void rmi_video_buffer_set_rtt(struct rmi_video_buffer *b, int64_t rtt_us) {
    b->rtt_us = rmi_min64(rmi_max64(rtt_us, 0), RMI_SEC(1));
}

void rmi_video_buffer_set_sync_delay(struct rmi_video_buffer *b, int64_t delay_us) {
    b->sync_us = rmi_min64(rmi_max64(delay_us, 0), RMI_AV_SYNC_MAX_US);
}

void rmi_video_buffer_timing(const struct rmi_video_buffer *b, struct rmi_av_timing *out) {
    *out = (struct rmi_av_timing){.valid = b->delay.started};
    if (!out->valid)
        return;
    out->timestamp = (uint32_t)b->order.newest_ts;
    out->earliest_us = rmi_delay_earliest(&b->delay, rmi_ticks_to_us(b->order.newest_ts, b->config.clock_rate));
    out->own_delay_us = rmi_delay_quantile(&b->delay, QUANTILE);
    out->delay_us = rmi_max64(out->own_delay_us, b->sync_us);
}

int64_t rmi_video_buffer_next_deadline(const struct rmi_video_buffer *b, int64_t now_us) {
    int64_t deadline = RMI_NEVER;
    if (!b->order.started)
        return deadline;
    if (b->waiting_for_key && b->held_keys == 0)
        return rmi_max64(ask_us(b), now_us);
    const struct rmi_video_view view = rmi_video_look(b, b->next_seq);
    if (view.state == RMI_VIDEO_HEAD_WHOLE)
        deadline = due_us(b, &view);
    else if (view.state == RMI_VIDEO_HEAD_BLOCKED)
        deadline = view.since_us + rmi_video_wait_us(b);
    return deadline == RMI_NEVER ? deadline : rmi_max64(deadline, now_us);
}

struct rmi_video_buffer_stats rmi_video_buffer_get_stats(const struct rmi_video_buffer *b) {
    struct rmi_video_buffer_stats stats = b->stats;
    stats.held = b->held;
    stats.waiting_for_key = b->waiting_for_key;
    stats.wait_limit_us = rmi_video_wait_us(b);
    return stats;
}
