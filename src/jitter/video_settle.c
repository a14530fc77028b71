/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "jitter/video_private.h"

/* A repair takes a round trip, and a quarter until it is asked for again; it is waited for three times, for of 10 %
 * lost both ways every fifth repair fails. The rest is for the sender's and our own timers. What comes after it is
 * shown at once, so that this is no lasting delay; giving up costs a round trip and a key frame. */
#define REPAIR_TRIPS 3
#define REPAIR_TRIP_PARTS 5
#define REPAIR_PARTS 4
#define REPAIR_MOST_US RMI_MS(500) /* for a conversation a key frame is better then */
#define REPAIR_EXTRA_US RMI_MS(30)
#define REPAIR_MIN_US RMI_MS(50)
#define REORDER_US RMI_MS(20)
#define JITTER_QUANTILE 0.95
#define UNKNOWN_RTT_US RMI_MS(100)
/* Key frames looked at in one search: each costs a walk over its packets, and senders make two a second. */
#define KEYS_LOOKED_AT 4

int64_t rmi_video_wait_us(const struct rmi_video_buffer *b) {
    const int64_t jitter = rmi_delay_quantile(&b->jitter, JITTER_QUANTILE);
    const int64_t rtt = b->rtt_us > 0 ? b->rtt_us : UNKNOWN_RTT_US;
    if (!b->config.repair)
        return rmi_min64(REORDER_US + jitter, b->config.max_delay_us);
    const int64_t trip = rtt * REPAIR_TRIP_PARTS / REPAIR_PARTS, fit = (REPAIR_MOST_US - REPAIR_EXTRA_US) / trip;
    if (fit == 0)
        return rmi_min64(REPAIR_MIN_US + jitter, b->config.max_delay_us);
    return rmi_max64(rmi_min64(fit, REPAIR_TRIPS) * trip + REPAIR_EXTRA_US, REPAIR_MIN_US) + jitter;
}

void rmi_video_pass(struct rmi_video_buffer *b, int64_t seq) {
    /* Past what one turn of the ring covers there is nothing more to find. */
    const int64_t end = rmi_min64(seq, b->next_seq + (int64_t)b->config.packets);
    for (int64_t s = b->next_seq; s < end; s++) {
        struct rmi_video_slot *slot = rmi_video_slot(b, s);
        if (!rmi_video_holds(b, s))
            continue;
        b->held_keys -= rmi_video_is_key(&slot->packet);
        if (!slot->packet.padding) {
            b->stats.dropped_packets++;
            b->lossy = true;
        }
        rmi_buf_unref(&slot->packet.buf);
        slot->held = false;
        b->held--;
    }
    b->next_seq = rmi_max64(b->next_seq, seq);
}

void rmi_video_lose(struct rmi_video_buffer *b, int64_t now_us) {
    b->lossy = true;
    b->stats.losses++;
    if (b->waiting_for_key)
        return;
    b->waiting_for_key = true;
    b->ask_from_us = now_us;
}

/* First packet held from `from` on; there is one. */
static int64_t first_held(const struct rmi_video_buffer *b, int64_t from) {
    while (from < b->newest_seq && !rmi_video_holds(b, from))
        from++;
    return from;
}

struct rmi_video_view rmi_video_look(const struct rmi_video_buffer *b, int64_t from) {
    struct rmi_video_view view = {.state = RMI_VIDEO_HEAD_NONE};
    if (b->held == 0 || from > b->newest_seq)
        return view;
    const int64_t ts = rmi_video_slot(b, from)->ts; /* used only when `from` is held */
    view.complete_us = INT64_MIN;
    for (int64_t s = from; s <= b->newest_seq; s++) {
        const struct rmi_video_slot *slot = rmi_video_slot(b, s);
        if (!rmi_video_holds(b, s)) {
            view.state = RMI_VIDEO_HEAD_BLOCKED;
            view.since_us = rmi_video_slot(b, first_held(b, s))->packet.arrival_us;
            return view;
        }
        /* A sender without markers ends a frame by beginning another. Padding belongs to none. */
        if (s > from && slot->ts != ts && !slot->packet.padding) {
            view.state = RMI_VIDEO_HEAD_WHOLE;
            view.end = s - 1;
            return view;
        }
        view.complete_us = rmi_max64(view.complete_us, slot->packet.arrival_us);
        if (slot->packet.marker && !slot->packet.padding) {
            view.state = RMI_VIDEO_HEAD_WHOLE;
            view.end = s;
            return view;
        }
    }
    view.state = RMI_VIDEO_HEAD_OPEN;
    return view;
}

/* Padding where a frame might begin is done with. */
static void skip_padding(struct rmi_video_buffer *b) {
    while (rmi_video_holds(b, b->next_seq) && rmi_video_slot(b, b->next_seq)->packet.padding)
        rmi_video_pass(b, b->next_seq + 1);
}

/* The first key frame that begins at `from` or after; with `whole`, only one that is complete. */
static bool find_key(const struct rmi_video_buffer *b, int64_t from, bool whole, int64_t *out) {
    size_t left = b->held_keys < KEYS_LOOKED_AT ? b->held_keys : KEYS_LOOKED_AT;
    for (int64_t s = b->next_seq; left > 0 && s <= b->newest_seq; s++) {
        if (!rmi_video_holds(b, s) || !rmi_video_is_key(&rmi_video_slot(b, s)->packet))
            continue;
        left--;
        if (s >= from && (!whole || rmi_video_look(b, s).state == RMI_VIDEO_HEAD_WHOLE)) {
            *out = s;
            return true;
        }
    }
    return false;
}

/* Without a key frame in sight: packets wait for an overtaken first one no longer than for any hole. */
static void expire(struct rmi_video_buffer *b, int64_t now_us) {
    while (b->held > 0) {
        const int64_t s = first_held(b, b->next_seq);
        if (!rmi_video_holds(b, s) || now_us - rmi_video_slot(b, s)->packet.arrival_us < rmi_video_wait_us(b))
            return;
        rmi_video_pass(b, s + 1);
    }
}

/* If the frame at the head is needed by no other and its end is here, it alone is given up. */
static bool skip_disposable(struct rmi_video_buffer *b) {
    const struct rmi_video_slot *head = rmi_video_slot(b, b->next_seq);
    if (!rmi_video_holds(b, b->next_seq) || !head->packet.first || !head->packet.disposable)
        return false;
    for (int64_t s = b->next_seq + 1; s <= b->newest_seq; s++) {
        const struct rmi_video_slot *slot = rmi_video_slot(b, s);
        if (rmi_video_holds(b, s) && slot->ts == head->ts && slot->packet.marker && !slot->packet.padding) {
            b->stats.losses++;
            rmi_video_pass(b, s + 1);
            return true;
        }
    }
    return false;
}

/* The hole at the head has had its time. */
static void give_up(struct rmi_video_buffer *b, int64_t now_us) {
    if (!b->waiting_for_key && skip_disposable(b))
        return;
    rmi_video_lose(b, now_us);
    int64_t key;
    if (!find_key(b, b->next_seq + 1, false, &key))
        key = first_held(b, b->next_seq) + 1;
    rmi_video_pass(b, key);
}

struct rmi_video_view rmi_video_settle(struct rmi_video_buffer *b, int64_t now_us) {
    for (;;) { /* each turn moves next_seq on */
        int64_t key;
        skip_padding(b);
        if (b->waiting_for_key) {
            if (!find_key(b, b->next_seq, false, &key)) {
                expire(b, now_us);
                return (struct rmi_video_view){.state = RMI_VIDEO_HEAD_NONE};
            }
            rmi_video_pass(b, key);
        }
        const struct rmi_video_view view = rmi_video_look(b, b->next_seq);
        if (view.state != RMI_VIDEO_HEAD_BLOCKED)
            return view;
        if (find_key(b, b->next_seq + 1, true, &key)) { /* no need to wait for what it replaces */
            b->stats.losses++;
            b->lossy = true;
            rmi_video_pass(b, key);
            continue;
        }
        if (now_us - view.since_us < rmi_video_wait_us(b))
            return view;
        give_up(b, now_us);
    }
}
