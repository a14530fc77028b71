/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <string.h>

/* What is sent next: acknowledgement, then lost fragments, then new ones by weighted fair queueing. */

#define SLOW_PACKET_US RMI_MS(5) /* what congestion control takes for jitter */
#define WEIGHT_SHIFT 16
#define PACE_DEPTH_US RMI_MS(2) /* how much later than planned a host's timer may come and lose no rate */
#define PACE_BURST_PACKETS 4
#define STREAM_SHARE 256 /* of the send buffer, that each stream has for itself: 16 KiB of 4 MiB */
#define SECOND_US 1000000

bool rmi_sctp_queue_empty(const struct rmi_sctp *a) {
    return rmi_list_empty(&a->active) && rmi_list_empty(&a->lost);
}

/* ---- queueing ---- */

static rm_err check(const struct rmi_sctp *a, uint16_t stream, const struct rmi_sctp_send_options *o, size_t len) {
    if (a->state != RMI_SCTP_ESTABLISHED)
        return RM_E_STATE;
    if (stream >= a->streams_out || len == 0)
        return RM_E_INVALID_ARG;
    if (len > a->config.message_out_max)
        return RM_E_TOO_BIG;
    if (o && (o->limit_retransmits || o->max_lifetime_us > 0) && !a->forward_tsn)
        return RM_E_UNSUPPORTED;
    return RM_OK;
}

static bool cut(struct rmi_sctp *a, struct rmi_sctp_message *m, const uint8_t *data, size_t len) {
    for (size_t at = 0; at < len; m->blocks++) {
        const size_t n = len - at < a->fragment_max ? len - at : a->fragment_max;
        struct rmi_sctp_block *b = rmi_sctp_block_get(a, n);
        if (!b)
            return false;
        memcpy(b->data, data + at, n);
        b->message = m;
        b->fsn = m->blocks;
        at += n;
        b->flags = (uint8_t)((b->fsn == 0 ? RMI_SCTP_FLAG_BEGIN : 0) | (at == len ? RMI_SCTP_FLAG_END : 0) |
                             (m->unordered ? RMI_SCTP_FLAG_UNORDERED : 0));
        rmi_list_push_back(&m->fragments, &b->node);
    }
    return true;
}

rm_err rmi_sctp_send(struct rmi_sctp *a, int64_t now_us, uint16_t stream, uint32_t ppid,
                     const struct rmi_sctp_send_options *options, const void *data, size_t len) {
    const rm_err err = check(a, stream, options, len);
    if (err)
        return err;
    struct rmi_sctp_stream_out *s = rmi_sctp_out_stream(a, stream);
    /* A message larger than the buffer goes when it is empty; a small one of a stream that has nothing waiting need not
     * wait for such a one, or for bulk. */
    if (a->stats.buffered > 0 && a->stats.buffered + len > a->config.send_buffer &&
        (!s || s->buffered + len > a->config.send_buffer / STREAM_SHARE)) {
        a->blocked = true;
        return RM_E_AGAIN;
    }
    struct rmi_sctp_message *m = s ? rmi_sctp_message_get(a) : NULL;
    if (!m)
        return RM_E_NO_MEMORY;
    if (s->reset != RMI_SCTP_RESET_NONE) {
        rmi_sctp_message_put(a, m);
        return RM_E_STATE;
    }
    m->stream = stream;
    m->ppid = ppid;
    m->bytes = len;
    m->unordered = options && options->unordered;
    m->expires_us = options && options->max_lifetime_us > 0
                        ? now_us + rmi_min64(options->max_lifetime_us, RMI_SEC(86400))
                        : RMI_NEVER;
    m->sends_max = options && options->limit_retransmits ? options->max_retransmits + 1U : UINT32_MAX;
    if (!cut(a, m, data, len)) {
        rmi_sctp_message_put(a, m);
        return RM_E_NO_MEMORY;
    }
    if (rmi_list_empty(&s->messages)) {
        s->start = s->start > a->virtual_time ? s->start : a->virtual_time;
        rmi_list_push_back(&a->active, &s->active);
    }
    rmi_list_push_back(&s->messages, &m->node);
    a->expire_us = rmi_min64(a->expire_us, m->expires_us);
    s->buffered += len;
    a->stats.buffered += len;
    return RM_OK;
}

/* `bytes` of the stream are not waiting any more: sent, or given up. */
void rmi_sctp_unbuffer(struct rmi_sctp *a, struct rmi_sctp_stream_out *s, size_t bytes) {
    const bool above = s->buffered > s->low;
    s->buffered -= bytes;
    if (above && s->buffered <= s->low && !s->low_pending) {
        s->low_pending = true;
        rmi_sctp_post(a, RMI_SCTP_EV_BUFFERED_LOW, s->id, RM_OK);
    }
}

rm_err rmi_sctp_set_weight(struct rmi_sctp *a, uint16_t stream, uint16_t weight) {
    if (stream >= RMI_SCTP_STREAMS || weight == 0)
        return RM_E_INVALID_ARG;
    struct rmi_sctp_stream_out *s = rmi_sctp_out_stream(a, stream);
    if (!s)
        return RM_E_NO_MEMORY;
    s->weight = weight;
    return RM_OK;
}

rm_err rmi_sctp_set_buffered_low(struct rmi_sctp *a, uint16_t stream, size_t bytes) {
    if (stream >= RMI_SCTP_STREAMS)
        return RM_E_INVALID_ARG;
    struct rmi_sctp_stream_out *s = rmi_sctp_out_stream(a, stream);
    if (!s)
        return RM_E_NO_MEMORY;
    s->low = bytes;
    return RM_OK;
}

size_t rmi_sctp_buffered(const struct rmi_sctp *a, uint16_t stream) {
    return stream < RMI_SCTP_STREAMS && a->out[stream] ? a->out[stream]->buffered : 0;
}

/* ---- the next fragment ---- */

static struct rmi_sctp_message *first_message(const struct rmi_sctp_stream_out *s) {
    return RMI_CONTAINER_OF(s->messages.next, struct rmi_sctp_message, node);
}

/* The stream whose turn it is; without interleaving the one whose message has begun. */
static struct rmi_sctp_stream_out *next_stream(struct rmi_sctp *a) {
    if (a->current)
        return a->current;
    struct rmi_sctp_stream_out *best = NULL;
    RMI_LIST_FOREACH (node, next, &a->active) {
        struct rmi_sctp_stream_out *s = RMI_CONTAINER_OF(node, struct rmi_sctp_stream_out, active);
        if (!best || s->start < best->start)
            best = s;
    }
    return best;
}

static bool given_up(const struct rmi_sctp_message *m, const struct rmi_sctp_block *b, int64_t now_us) {
    return m->abandoned || now_us >= m->expires_us || b->sends >= m->sends_max;
}

static struct rmi_sctp_block *next_lost(struct rmi_sctp *a, int64_t now_us) {
    while (!rmi_list_empty(&a->lost)) {
        struct rmi_sctp_block *b = RMI_CONTAINER_OF(a->lost.next, struct rmi_sctp_block, order);
        if (!given_up(b->message, b, now_us))
            return b;
        rmi_sctp_abandon(a, b->message);
        rmi_sctp_advance(a, now_us);
    }
    return NULL;
}

static struct rmi_sctp_block *next_new(struct rmi_sctp *a, int64_t now_us) {
    struct rmi_sctp_stream_out *s;
    while ((s = next_stream(a))) {
        struct rmi_sctp_message *m = first_message(s);
        struct rmi_sctp_block *b = RMI_CONTAINER_OF(m->fragments.next, struct rmi_sctp_block, node);
        if (!given_up(m, b, now_us))
            return b;
        rmi_sctp_abandon(a, m);
        rmi_sctp_advance(a, now_us);
    }
    return NULL;
}

/* Gives a fragment its TSN, and its message its number when it is the first. */
static bool take_new(struct rmi_sctp *a, struct rmi_sctp_block *b) {
    struct rmi_sctp_message *m = b->message;
    struct rmi_sctp_stream_out *s = a->out[m->stream];
    if (!rmi_sctp_ring_reserve(a))
        return false;
    b->tsn = a->next_tsn++;
    *rmi_sctp_ring_at(a, b->tsn) = b;
    rmi_list_remove(&b->node);
    if (m->fragments_sent++ == 0) {
        m->first_tsn = b->tsn;
        /* DATA numbers only what is ordered; I-DATA both, each on its own. */
        m->mid = !m->unordered ? s->next_mid++ : a->interleaving ? s->next_mid_unordered++ : 0;
        if (!a->interleaving)
            m->mid &= UINT16_MAX;
        a->stats.messages_out++;
    }
    a->virtual_time = s->start;
    s->start += ((uint64_t)b->len << WEIGHT_SHIFT) / s->weight;
    s->in_flight++;
    a->current = a->interleaving || (b->flags & RMI_SCTP_FLAG_END) ? NULL : s;
    if (rmi_list_empty(&m->fragments)) {
        rmi_list_remove(&m->node);
        if (rmi_list_empty(&s->messages))
            rmi_list_remove(&s->active);
    }
    rmi_sctp_unbuffer(a, s, b->len);
    a->stats.payload_out += b->len;
    return true;
}

void rmi_sctp_block_sent(struct rmi_sctp *a, struct rmi_sctp_block *b, int64_t now_us) {
    rmi_sctp_cc_sent(&a->cc, now_us, a->in_flight, &b->tag);
    if (b->sends < UINT16_MAX)
        b->sends++;
    if (b->state != RMI_SCTP_IN_FLIGHT)
        a->in_flight += b->len;
    b->state = RMI_SCTP_IN_FLIGHT;
    rmi_list_remove(&b->order);
    rmi_list_push_back(&a->in_flight_order, &b->order);
}

/* ---- packets ---- */

static size_t chunk_bytes(const struct rmi_sctp *a, const struct rmi_sctp_block *b) {
    return rmi_sctp_padded(b->len + (a->interleaving ? RMI_SCTP_I_DATA_BYTES : RMI_SCTP_DATA_BYTES));
}

static bool window_open(const struct rmi_sctp *a, const struct rmi_sctp_block *b) {
    /* One probes a window of zero, and what the peer waits for has room always. */
    return a->in_flight == 0 || (b->sends > 0 && b->tsn == a->cum_ack + 1) || a->in_flight + b->len <= a->peer_window;
}

static void write_block(struct rmi_sctp *a, struct rmi_wr *w, const struct rmi_sctp_block *b, bool immediate) {
    const struct rmi_sctp_message *m = b->message;
    const struct rmi_sctp_data d = {.flags = (uint8_t)(b->flags | (immediate ? RMI_SCTP_FLAG_IMMEDIATE : 0)),
                                    .stream = m->stream,
                                    .tsn = b->tsn,
                                    .mid = m->mid,
                                    .ppid = m->ppid,
                                    .fsn = b->fsn,
                                    .bytes = b->data,
                                    .len = b->len};
    rmi_sctp_data_write(w, a->interleaving, &d);
}

/* Paced so slowly that the peer would hold back each acknowledgement, and the delay look like a queue. */
static bool slow(const struct rmi_sctp *a) {
    return a->cc.pacing && a->config.packet_max * SECOND_US / a->cc.pacing > SLOW_PACKET_US;
}

/* Whether anything was added. What is last asks for an acknowledgement at once (RFC 7053). */
static bool fill(struct rmi_sctp *a, int64_t now_us, struct rmi_wr *w) {
    bool any = false;
    for (;;) {
        struct rmi_sctp_block *b = next_lost(a, now_us);
        const bool again = b != NULL;
        if (!b)
            b = next_new(a, now_us);
        if (!b || chunk_bytes(a, b) > w->cap - w->pos || !window_open(a, b) ||
            (!again && a->next_tsn - a->cum_ack > RMI_SCTP_WINDOW_TSNS))
            return any;
        if (again)
            a->stats.retransmissions++;
        else if (!take_new(a, b))
            return any;
        rmi_sctp_block_sent(a, b, now_us);
        write_block(a, w, b, rmi_sctp_queue_empty(a) || a->in_flight >= a->cc.cwnd || slow(a));
        any = true;
    }
}

static void pace(struct rmi_sctp *a, int64_t now_us, uint64_t bytes) {
    if (a->cc.pacing == 0)
        return;
    const int64_t burst_us = (int64_t)(PACE_BURST_PACKETS * a->config.packet_max * SECOND_US / a->cc.pacing);
    const int64_t depth_us = rmi_max64(PACE_DEPTH_US, rmi_min64(burst_us, 4 * PACE_DEPTH_US));
    const int64_t cost_us = (int64_t)(bytes * SECOND_US / a->cc.pacing);
    a->pace_next_us = rmi_max64(a->pace_next_us, now_us - depth_us) + cost_us;
}

static bool may_send_data(struct rmi_sctp *a, int64_t now_us) {
    if (rmi_sctp_queue_empty(a) || !rmi_sctp_open(a) || a->state == RMI_SCTP_SHUTDOWN_SENT)
        return false;
    if (a->t3_packet) /* RFC 9260 6.3.3: one packet after a time-out, whatever the window */
        return true;
    if (a->in_flight >= a->cc.cwnd)
        return false;
    if (a->cc.pacing && a->pace_next_us > now_us) {
        a->pace_waits = true;
        return false;
    }
    return true;
}

/* One packet; false: there was nothing for it. An acknowledgement that may wait comes along where there is room. */
static bool send_packet(struct rmi_sctp *a, int64_t now_us) {
    struct rmi_sctp_packet p;
    const bool data = may_send_data(a, now_us), forward = a->forward_due;
    if (!data && !a->sack_now && !forward)
        return false;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t empty = p.w.pos;
    bool sack = a->sack_now || a->sack_us != RMI_NEVER;
    if (sack)
        rmi_sctp_sack_write(a, &p.w);
    if (forward) {
        a->forward_due = false;
        rmi_sctp_forward_write(a, now_us, &p.w);
    }
    const uint64_t before = a->in_flight;
    bool any = data && fill(a, now_us, &p.w);
    if (!any && data && sack && !a->sack_now && !forward) {
        p.w.pos = empty;
        sack = false;
        any = fill(a, now_us, &p.w);
    }
    if (!any && !a->sack_now && !forward)
        return a->forward_due; /* giving up is all that happened */
    if (any)
        a->t3_packet = false;
    if (any || forward) {
        pace(a, now_us, a->in_flight > before ? a->in_flight - before : 0); /* the rate is of payload too */
        rmi_sctp_arm_t3(a, now_us);
    }
    if (sack)
        rmi_sctp_sack_sent(a);
    rmi_sctp_packet_send(a, now_us, &p, false);
    return true;
}

void rmi_sctp_flush(struct rmi_sctp *a, int64_t now_us) {
    if (!rmi_sctp_open(a))
        return;
    rmi_sctp_reset_step(a, now_us);
    a->pace_waits = false;
    while (send_packet(a, now_us)) {
    }
    a->pace_us = a->pace_waits ? a->pace_next_us : RMI_NEVER;
    if (rmi_sctp_queue_empty(a) && a->in_flight < a->cc.cwnd)
        rmi_sctp_cc_app_limited(&a->cc, a->in_flight);
    if (a->blocked && a->stats.buffered <= a->config.send_buffer / 2) {
        a->blocked = false;
        rmi_sctp_post(a, RMI_SCTP_EV_WRITABLE, 0, RM_OK);
    }
    rmi_sctp_shutdown_step(a, now_us);
}
