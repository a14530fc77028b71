/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <stdlib.h>
#include <string.h>

#define SACK_DELAY_US RMI_MS(20) /* measured with usrsctp as the best; RFC 9260 6.2 allows 500 ms */
#define SACK_GAPS_MAX 256        /* what a packet has room for; of more the rest is told when the first are filled */
#define SACK_FIXED_BYTES 16
#define WORD_BITS 64
#define MEMORY_SHARE 8                  /* what a full fragment costs beyond its bytes */
#define PAUSED_BUFFER (4 * 1024 * 1024) /* a reader that does not read needs no room for a message more */
#define WINDOW_STEP 8                   /* a peer hears when an eighth of the buffer came free */

/* ---- which TSNs came ---- */

static bool has(const struct rmi_sctp *a, uint32_t tsn) {
    const uint32_t at = tsn % RMI_SCTP_WINDOW_TSNS;
    return a->recv_map[at / WORD_BITS] >> (at % WORD_BITS) & 1;
}

static void set(struct rmi_sctp *a, uint32_t tsn) {
    const uint32_t at = tsn % RMI_SCTP_WINDOW_TSNS;
    a->recv_map[at / WORD_BITS] |= (uint64_t)1 << (at % WORD_BITS);
}

static void clear(struct rmi_sctp *a, uint32_t tsn) {
    const uint32_t at = tsn % RMI_SCTP_WINDOW_TSNS;
    a->recv_map[at / WORD_BITS] &= ~((uint64_t)1 << (at % WORD_BITS));
}

static void pass_received(struct rmi_sctp *a) {
    while (a->recv_cum != a->recv_highest && has(a, a->recv_cum + 1))
        clear(a, ++a->recv_cum);
}

static void note_tsn(struct rmi_sctp *a, uint32_t tsn) {
    set(a, tsn);
    if (rmi_sctp_after(tsn, a->recv_highest))
        a->recv_highest = tsn;
    pass_received(a);
}

/* ---- acknowledgements ---- */

uint32_t rmi_sctp_recv_window(const struct rmi_sctp *a) {
    const size_t size =
        a->kept_back > 0 && a->config.recv_buffer > PAUSED_BUFFER ? PAUSED_BUFFER : a->config.recv_buffer;
    size_t left = a->held < size ? size - a->held : 0;
    left -= left / MEMORY_SHARE;
    /* Below two packets it is said to be closed, against fragments of a few bytes (RFC 9260 6.2). */
    return left < 2 * RMI_SCTP_PACKET_MAX ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* The first TSN from `tsn` on up to the highest that is there (or is not); highest + 1 when there is none. */
static uint32_t find(const struct rmi_sctp *a, uint32_t tsn, bool there) {
    const uint32_t end = a->recv_highest + 1;
    while (tsn != end) {
        const uint32_t at = tsn % RMI_SCTP_WINDOW_TSNS, bit = at % WORD_BITS;
        uint64_t word = a->recv_map[at / WORD_BITS];
        word = (there ? word : ~word) >> bit;
        const uint32_t step = word ? (uint32_t)__builtin_ctzll(word) : WORD_BITS - bit;
        if (end - tsn <= step)
            return end;
        tsn += step;
        if (word)
            return tsn;
    }
    return end;
}

void rmi_sctp_sack_write(const struct rmi_sctp *a, struct rmi_wr *w) {
    const size_t room = (w->cap - w->pos - SACK_FIXED_BYTES - a->dup_count * 4U) / 4;
    const uint16_t most = (uint16_t)(room < SACK_GAPS_MAX ? room : SACK_GAPS_MAX);
    const size_t at = rmi_sctp_chunk_begin(w, RMI_SCTP_SACK, 0);
    rmi_wr_u32(w, a->recv_cum);
    rmi_wr_u32(w, rmi_sctp_recv_window(a));
    const size_t counts = w->pos;
    uint16_t gaps = 0;
    rmi_wr_u16(w, 0);
    rmi_wr_u16(w, a->dup_count);
    const uint32_t end = a->recv_highest + 1;
    for (uint32_t tsn = a->recv_cum + 1; gaps < most && (tsn = find(a, tsn, true)) != end; gaps++) {
        rmi_wr_u16(w, (uint16_t)(tsn - a->recv_cum));
        tsn = find(a, tsn, false);
        rmi_wr_u16(w, (uint16_t)(tsn - 1 - a->recv_cum));
    }
    for (uint16_t i = 0; i < a->dup_count; i++)
        rmi_wr_u32(w, a->dups[i]);
    rmi_wr_patch_u16(w, counts, gaps);
    rmi_sctp_tlv_end(w, at);
}

void rmi_sctp_sack_sent(struct rmi_sctp *a) {
    a->sack_now = false;
    a->sack_us = RMI_NEVER;
    a->unacked_packets = 0;
    a->dup_count = 0;
    a->told_window = rmi_sctp_recv_window(a);
}

void rmi_sctp_window_moved(struct rmi_sctp *a) {
    const uint32_t window = rmi_sctp_recv_window(a);
    if (a->told_window < a->config.recv_buffer / 2 && window > a->told_window &&
        window - a->told_window >= a->config.recv_buffer / WINDOW_STEP)
        a->sack_now = true;
}

/* ---- data ---- */

static void refuse_data(struct rmi_sctp *a, int64_t now_us, enum rmi_sctp_taken why) {
    if (why == RMI_SCTP_CONTRADICTION)
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_PROTOCOL, RM_E_PARSE, "fragments contradict each other");
    else if (why == RMI_SCTP_TOO_BIG)
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_PROTOCOL, RM_E_TOO_BIG, "a message is over max-message-size");
}

/* What fills the next gap may take a little more than the buffer, or nothing could ever be completed. When all that is
 * held waits for parts that can not come in, the peer has begun more messages than fit. */
static bool has_room(struct rmi_sctp *a, int64_t now_us, uint32_t tsn) {
    if (a->held < a->config.recv_buffer ||
        (tsn == a->recv_cum + 1 && a->held < a->config.recv_buffer + 2 * RMI_SCTP_PACKET_MAX))
        return true;
    if (tsn == a->recv_cum + 1 && rmi_list_empty(&a->ready) && !a->taken && a->kept_back == 0)
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_NO_RESOURCE, RM_E_LIMIT, "parts of messages fill the receive buffer");
    a->stats.drops++;
    return false;
}

static void on_duplicate(struct rmi_sctp *a, uint32_t tsn) {
    if (a->dup_count < RMI_SCTP_DUPS_MAX)
        a->dups[a->dup_count++] = tsn;
    a->sack_now = true;
}

void rmi_sctp_on_data(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_data d;
    if ((c->type == RMI_SCTP_I_DATA) != a->interleaving) {
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_PROTOCOL, RM_E_PARSE, "DATA of the kind that was not agreed on");
        return;
    }
    if (!rmi_sctp_data_parse(c, &d)) {
        a->stats.drops++;
        return;
    }
    if (d.len == 0) { /* RFC 9260 3.3.10.9 */
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_NO_USER_DATA, RM_E_PARSE, "DATA without data");
        return;
    }
    if (d.tsn - a->recv_cum - 1 >= RMI_SCTP_WINDOW_TSNS || has(a, d.tsn)) {
        if (d.tsn - a->recv_cum - 1 >= UINT32_MAX / 2 || has(a, d.tsn))
            on_duplicate(a, d.tsn);
        else
            a->stats.drops++; /* further ahead than any window of ours */
        return;
    }
    /* RFC 6525 5.2.2 keeps what overtook a reset; as lost, it comes again. A peer that waits for the answer sends none.
     */
    if (a->resets_deferred > 0 && rmi_sctp_waits_for_reset(a, &d)) {
        a->stats.drops++;
        a->sack_now = true;
        return;
    }
    if (!has_room(a, now_us, d.tsn)) {
        a->sack_now = true;
        return;
    }
    if (d.stream >= RMI_SCTP_STREAMS) {
        const uint8_t info[4] = {(uint8_t)(d.stream >> 8), (uint8_t)d.stream}; /* RFC 9260 3.3.10.1 */
        rmi_sctp_send_error(a, now_us, RMI_SCTP_C_INVALID_STREAM, info, sizeof info);
    } else {
        const enum rmi_sctp_taken taken = rmi_sctp_reassemble(a, &d);
        if (taken != RMI_SCTP_TAKEN) {
            refuse_data(a, now_us, taken);
            return;
        }
        rmi_sctp_peer_still_sends(a, now_us, d.stream);
    }
    note_tsn(a, d.tsn);
    if (a->resets_deferred > 0)
        rmi_sctp_reset_deferred(a);
    a->in_packet_sack = true;
    if (a->recv_highest != a->recv_cum || (d.flags & RMI_SCTP_FLAG_IMMEDIATE))
        a->sack_now = true;
    else if (a->sack_us == RMI_NEVER)
        a->sack_us = now_us + SACK_DELAY_US;
}

void rmi_sctp_on_forward(struct rmi_sctp *a, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_forward f;
    a->sack_now = true; /* RFC 3758 3.6: also for an old one */
    if (!rmi_sctp_forward_parse(c, &f) || f.cum_tsn - a->recv_cum - 1 >= RMI_SCTP_WINDOW_TSNS) {
        a->stats.drops++;
        return;
    }
    while (a->recv_cum != f.cum_tsn)
        clear(a, ++a->recv_cum);
    if (rmi_sctp_after(a->recv_cum, a->recv_highest))
        a->recv_highest = a->recv_cum;
    pass_received(a);
    for (struct rmi_sctp_skip skip; rmi_sctp_forward_next(&f, &skip);)
        rmi_sctp_skip_to(a, &skip);
    if (!a->interleaving)
        rmi_sctp_skip_unordered(a, f.cum_tsn);
    if (a->resets_deferred > 0)
        rmi_sctp_reset_deferred(a);
}

/* ---- what the application takes ---- */

static const uint8_t *put_together(struct rmi_sctp *a, const struct rmi_sctp_message *m) {
    if (m->fragments.next == m->fragments.prev)
        return RMI_CONTAINER_OF(m->fragments.next, struct rmi_sctp_block, node)->data;
    if (a->whole_cap < m->bytes) {
        uint8_t *whole = realloc(a->whole, m->bytes);
        if (!whole)
            return NULL;
        a->whole = whole;
        a->whole_cap = m->bytes;
    }
    size_t at = 0;
    RMI_LIST_FOREACH (node, next, &m->fragments) {
        const struct rmi_sctp_block *b = RMI_CONTAINER_OF(node, struct rmi_sctp_block, node);
        memcpy(a->whole + at, b->data, b->len);
        at += b->len;
    }
    return a->whole;
}

static void drop_taken(struct rmi_sctp *a) {
    if (!a->taken)
        return;
    RMI_LIST_FOREACH (node, next, &a->taken->fragments)
        a->held -= rmi_sctp_block_cost(RMI_CONTAINER_OF(node, struct rmi_sctp_block, node));
    rmi_sctp_message_put(a, a->taken);
    a->taken = NULL;
    rmi_sctp_window_moved(a);
}

static bool poll_end(struct rmi_sctp *a, struct rmi_sctp_event *out) {
    if (!rmi_sctp_over(a) || a->end_told)
        return false;
    a->end_told = true;
    if (a->state == RMI_SCTP_CLOSED && a->err)
        return false; /* rmi_sctp_abort */
    out->type = a->state == RMI_SCTP_CLOSED ? RMI_SCTP_EV_CLOSED : RMI_SCTP_EV_FAILED;
    out->err = a->err;
    out->detail = a->detail ? a->detail : "";
    return true;
}

rm_err rmi_sctp_pause_stream(struct rmi_sctp *a, uint16_t stream, bool pause) {
    if (stream >= RMI_SCTP_STREAMS)
        return RM_E_INVALID_ARG;
    struct rmi_sctp_stream_in *s = rmi_sctp_in_stream(a, stream);
    if (!s)
        return RM_E_NO_MEMORY;
    s->paused = pause;
    while (!pause && !rmi_list_empty(&s->kept_back)) { /* before what came since */
        struct rmi_list *last = s->kept_back.prev;
        rmi_list_remove(last);
        rmi_list_push_front(&a->ready, last);
        a->kept_back--;
    }
    return RM_OK;
}

/* What comes from the peer waits while its stream is paused. */
static struct rmi_sctp_message *next_ready(struct rmi_sctp *a) {
    for (struct rmi_list *node; (node = rmi_list_pop_front(&a->ready));) {
        struct rmi_sctp_message *m = RMI_CONTAINER_OF(node, struct rmi_sctp_message, node);
        if ((m->type != RMI_SCTP_EV_MESSAGE && m->type != RMI_SCTP_EV_RESET_IN) || !a->in[m->stream]->paused)
            return m;
        rmi_list_push_back(&a->in[m->stream]->kept_back, &m->node);
        a->kept_back++;
    }
    return NULL;
}

bool rmi_sctp_poll_event(struct rmi_sctp *a, struct rmi_sctp_event *out) {
    memset(out, 0, sizeof *out);
    drop_taken(a);
    struct rmi_sctp_message *m = next_ready(a);
    if (!m)
        return poll_end(a, out);
    a->taken = m;
    out->type = m->type;
    out->err = m->err;
    out->stream = m->stream;
    if (m->type == RMI_SCTP_EV_RESET_IN)
        a->in[m->stream]->reset_pending = false;
    if (m->type == RMI_SCTP_EV_BUFFERED_LOW)
        a->out[m->stream]->low_pending = false;
    if (m->type != RMI_SCTP_EV_MESSAGE)
        return true;
    out->ppid = m->ppid;
    out->len = m->bytes;
    out->data = put_together(a, m);
    if (!out->data) {
        rmi_sctp_fail(a, RM_E_NO_MEMORY, "no memory for a message");
        return poll_end(a, out);
    }
    a->stats.messages_in++;
    a->stats.payload_in += m->bytes;
    return true;
}
