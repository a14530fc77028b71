/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"

/* Messages given up (RFC 3758): the peer is told to pass over what it will not get. */

#define SKIPS_MAX 128 /* streams named in one chunk: an I-FORWARD TSN entry takes 8 bytes */
#define UNORDERED_BIT 1
#define PURGE_EVERY_US RMI_MS(10) /* a queue is not walked more often */

static void abandon_sent(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    uint32_t left = m->fragments_sent;
    uint32_t tsn = rmi_sctp_after(m->first_tsn, a->cum_ack) ? m->first_tsn : a->cum_ack + 1;
    for (; left > 0 && tsn != a->next_tsn; tsn++) {
        struct rmi_sctp_block *b = *rmi_sctp_ring_at(a, tsn);
        if (b->message != m)
            continue;
        if (b->state == RMI_SCTP_IN_FLIGHT)
            a->in_flight -= b->len;
        rmi_list_remove(&b->order);
        b->state = RMI_SCTP_ABANDONED;
        left--;
    }
}

/* Of a message that has begun, its last fragment gets a TSN that is never sent, so that there is one to pass over even
 * when all before it is acknowledged. Returns whether the message still exists. */
static bool abandon_unsent(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    struct rmi_sctp_stream_out *s = a->out[m->stream];
    size_t bytes = 0;
    const bool begun = m->fragments_sent > 0;
    RMI_LIST_FOREACH (node, next, &m->fragments) {
        struct rmi_sctp_block *b = RMI_CONTAINER_OF(node, struct rmi_sctp_block, node);
        bytes += b->len;
        if (begun && next == &m->fragments && rmi_sctp_ring_reserve(a)) {
            rmi_list_remove(&b->node);
            b->tsn = a->next_tsn++;
            b->state = RMI_SCTP_ABANDONED;
            *rmi_sctp_ring_at(a, b->tsn) = b;
            s->in_flight++;
            m->fragments_sent++;
        } else {
            a->stats.buffered -= b->len;
            rmi_sctp_block_put(a, b);
            m->blocks--;
        }
    }
    rmi_list_remove(&m->node);
    if (rmi_list_empty(&s->messages))
        rmi_list_remove(&s->active);
    if (begun && a->current == s)
        a->current = NULL;
    rmi_sctp_unbuffer(a, s, bytes);
    if (m->blocks > 0)
        return true;
    rmi_sctp_message_put(a, m);
    return false;
}

void rmi_sctp_abandon(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    a->stats.abandoned++;
    m->abandoned = true;
    if (rmi_list_empty(&m->fragments) || abandon_unsent(a, m))
        abandon_sent(a, m);
}

void rmi_sctp_on_expire_timer(struct rmi_sctp *a, int64_t now_us) {
    int64_t next_us = RMI_NEVER;
    RMI_LIST_FOREACH (stream, next_stream, &a->active) {
        struct rmi_sctp_stream_out *s = RMI_CONTAINER_OF(stream, struct rmi_sctp_stream_out, active);
        RMI_LIST_FOREACH (node, next, &s->messages) {
            struct rmi_sctp_message *m = RMI_CONTAINER_OF(node, struct rmi_sctp_message, node);
            if (now_us >= m->expires_us)
                rmi_sctp_abandon(a, m);
            else
                next_us = rmi_min64(next_us, m->expires_us);
        }
    }
    rmi_sctp_advance(a, now_us);
    if (next_us != RMI_NEVER)
        a->expire_us = rmi_max64(next_us, now_us + PURGE_EVERY_US);
}

/* How far the peer may go: over what is abandoned, as far as one chunk can name the streams (RFC 3758 3.5), and over
 * what it has between, so that one chunk does for all. */
void rmi_sctp_advance(struct rmi_sctp *a, int64_t now_us) {
    if (rmi_sctp_after(a->cum_ack, a->advanced))
        a->advanced = a->cum_ack;
    const uint32_t before = a->advanced;
    for (uint32_t tsn = before + 1; tsn != a->next_tsn && tsn - a->cum_ack <= SKIPS_MAX; tsn++) {
        const enum rmi_sctp_block_state state = (*rmi_sctp_ring_at(a, tsn))->state;
        if (state == RMI_SCTP_ABANDONED)
            a->advanced = tsn;
        else if (state != RMI_SCTP_ACKED)
            break;
    }
    if (a->advanced == a->cum_ack)
        a->forward_due = false;
    else if (a->advanced != a->forward_sent || now_us - a->forward_sent_us >= a->srtt_us)
        a->forward_due = true;
}

struct skip_list {
    struct rmi_sctp_skip at[SKIPS_MAX];
    size_t count;
};

/* The highest number of each stream; DATA names no unordered ones. */
static void add_skip(const struct rmi_sctp *a, struct skip_list *list, const struct rmi_sctp_message *m) {
    if (m->unordered && !a->interleaving)
        return;
    for (size_t i = 0; i < list->count; i++) {
        struct rmi_sctp_skip *s = &list->at[i];
        if (s->stream != m->stream || s->unordered != m->unordered)
            continue;
        const int wide = a->interleaving ? 0 : 16; /* stream sequence numbers have 16 bits */
        if (rmi_sctp_after(m->mid << wide, s->mid << wide))
            s->mid = m->mid;
        return;
    }
    if (list->count < SKIPS_MAX)
        list->at[list->count++] = (struct rmi_sctp_skip){.stream = m->stream, .unordered = m->unordered, .mid = m->mid};
}

void rmi_sctp_forward_write(struct rmi_sctp *a, int64_t now_us, struct rmi_wr *w) {
    struct skip_list list = {.count = 0};
    const size_t entry = a->interleaving ? 8 : 4;
    const size_t room = (w->cap - w->pos - 2 * RMI_SCTP_CHUNK_HEADER_BYTES) / entry;
    uint32_t up_to = a->cum_ack;
    while (up_to != a->advanced && list.count < room && list.count < SKIPS_MAX) {
        const struct rmi_sctp_block *b = *rmi_sctp_ring_at(a, ++up_to);
        if (b->state == RMI_SCTP_ABANDONED)
            add_skip(a, &list, b->message);
    }
    const size_t at = rmi_sctp_chunk_begin(w, a->interleaving ? RMI_SCTP_I_FORWARD_TSN : RMI_SCTP_FORWARD_TSN, 0);
    rmi_wr_u32(w, up_to);
    for (size_t i = 0; i < list.count; i++) {
        rmi_wr_u16(w, list.at[i].stream);
        if (a->interleaving) {
            rmi_wr_u16(w, list.at[i].unordered ? UNORDERED_BIT : 0);
            rmi_wr_u32(w, list.at[i].mid);
        } else {
            rmi_wr_u16(w, (uint16_t)list.at[i].mid);
        }
    }
    rmi_sctp_tlv_end(w, at);
    a->forward_sent = a->advanced;
    a->forward_sent_us = now_us;
}
