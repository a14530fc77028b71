/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"

/* What the peer's acknowledgements say: delivered, lost, how far away. Loss is found by time as in RACK-TLP (RFC 8985):
 * a fragment is lost when one sent later has arrived and a reordering time has passed, which also finds the loss of a
 * retransmission; a probe after two round trips of silence finds that of the last one. */

#define RTO_MIN_US RMI_MS(400) /* a peer may keep an acknowledgement for 200 ms */
#define RTO_MAX_US RMI_SEC(10)
#define PROBE_MIN_US RMI_MS(10)
#define PROBE_EXTRA_US RMI_MS(2)
#define ERRORS_MAX 10 /* RFC 9260 section 16: Association.Max.Retrans */
#define SRTT_SHIFT 8  /* RFC 9260 6.3.1: alpha 1/8, beta 1/4 */
#define VAR_SHIFT 4
#define REORDER_SHARE 4      /* RFC 8985 6.2: a quarter of the smallest round trip */
#define REORDER_SEEN_SHARE 1 /* once it was seen, a whole one */
#define MISSING_REPORTS 3    /* RFC 9260 7.2.4, while nothing was reordered */

void rmi_sctp_count_error(struct rmi_sctp *a) {
    if (++a->errors > ERRORS_MAX)
        rmi_sctp_fail(a, RM_E_TIMEOUT, "the peer does not acknowledge");
}

void rmi_sctp_back_off(struct rmi_sctp *a) {
    a->rto_us = rmi_min64(a->rto_us * 2, RTO_MAX_US);
}

static void set_rto(struct rmi_sctp *a) {
    if (a->srtt_us > 0)
        a->rto_us = rmi_max64(RTO_MIN_US, rmi_min64(a->srtt_us + 4 * a->rttvar_us, RTO_MAX_US));
}

void rmi_sctp_take_rtt(struct rmi_sctp *a, int64_t rtt_us) {
    if (a->srtt_us == 0) {
        a->srtt_us = rmi_max64(rtt_us, 1);
        a->rttvar_us = rtt_us / 2;
    } else {
        const int64_t off = a->srtt_us > rtt_us ? a->srtt_us - rtt_us : rtt_us - a->srtt_us;
        a->rttvar_us += (off - a->rttvar_us) / VAR_SHIFT;
        a->srtt_us = rmi_max64(a->srtt_us + (rtt_us - a->srtt_us) / SRTT_SHIFT, 1);
    }
    set_rto(a);
}

/* Silence until a probe, or after that the time-out. */
void rmi_sctp_arm_t3(struct rmi_sctp *a, int64_t now_us) {
    if (a->in_flight == 0 && a->advanced == a->cum_ack && rmi_list_empty(&a->lost)) {
        a->t3_us = RMI_NEVER;
        return;
    }
    int64_t wait_us = a->rto_us;
    if (!a->probed && a->srtt_us > 0 && a->errors == 0)
        wait_us = rmi_min64(wait_us, rmi_max64(2 * a->srtt_us + PROBE_EXTRA_US, PROBE_MIN_US));
    a->t3_us = now_us + wait_us;
}

/* ---- delivery ---- */

static void ack_block(struct rmi_sctp *a, struct rmi_sctp_block *b, int64_t now_us) {
    if (b->state == RMI_SCTP_ACKED || b->state == RMI_SCTP_ABANDONED)
        return;
    if (b->state == RMI_SCTP_IN_FLIGHT)
        a->in_flight -= b->len;
    rmi_list_remove(&b->order);
    b->state = RMI_SCTP_ACKED;
    rmi_sctp_cc_acked(&a->cc, now_us, &b->tag, b->len);
    if (b->sends == 1 && rmi_sctp_after(a->highest_ack, b->tsn))
        a->reordering = true;
    const int64_t rtt_us = now_us - b->tag.sent_us;
    if (b->sends > 1 && rtt_us < a->cc.min_rtt_us) /* the first one arrived after all */
        return;
    if (b->tag.sent_us >= a->rack_sent_us) {
        a->rack_sent_us = b->tag.sent_us;
        a->rack_rtt_us = rtt_us;
    }
}

/* Round trip of this acknowledgement: of the fragment sent last among those never repeated; -1: none. */
struct ack {
    int64_t now_us, rtt_us;
    bool news;
};

static void note(struct rmi_sctp *a, struct ack *ack, struct rmi_sctp_block *b) {
    if (b->state != RMI_SCTP_IN_FLIGHT && b->state != RMI_SCTP_LOST)
        return;
    ack->news = true;
    const int64_t rtt_us = ack->now_us - b->tag.sent_us;
    if (b->sends == 1 && (ack->rtt_us < 0 || rtt_us < ack->rtt_us))
        ack->rtt_us = rtt_us;
    ack_block(a, b, ack->now_us);
}

static void free_up_to(struct rmi_sctp *a, struct ack *ack, uint32_t cum_tsn) {
    while (a->cum_ack != cum_tsn) {
        ack->news = true;
        struct rmi_sctp_block *b = *rmi_sctp_ring_at(a, ++a->cum_ack);
        note(a, ack, b);
        a->out[b->message->stream]->in_flight--;
        a->stats.buffered -= b->len;
        rmi_sctp_block_release(a, b);
    }
}

static void read_gaps(struct rmi_sctp *a, struct ack *ack, const struct rmi_sctp_sack *sack) {
    struct rmi_rd r = sack->gap_blocks;
    const uint32_t sent = a->next_tsn - 1 - sack->cum_tsn;
    uint32_t before =
        1; /* blocks come in order and do not touch: a peer cannot make this walk longer than the window */
    for (uint16_t i = 0; i < sack->gaps; i++) {
        const uint32_t start = rmi_rd_u16(&r), end = rmi_rd_u16(&r);
        if (start <= before || end < start || end > sent)
            return;
        for (uint32_t at = start; at <= end; at++)
            note(a, ack, *rmi_sctp_ring_at(a, sack->cum_tsn + at));
        before = end;
        if (rmi_sctp_after(sack->cum_tsn + end, a->highest_ack))
            a->highest_ack = sack->cum_tsn + end;
    }
}

/* ---- loss ---- */

/* In the order of TSNs, because the peer needs the first one most; they are mostly found in that order. */
static void queue_lost(struct rmi_sctp *a, struct rmi_sctp_block *b) {
    b->state = RMI_SCTP_LOST;
    rmi_list_remove(&b->order);
    struct rmi_list *after = a->lost.prev;
    while (after != &a->lost && rmi_sctp_after(RMI_CONTAINER_OF(after, struct rmi_sctp_block, order)->tsn, b->tsn))
        after = after->prev;
    rmi_list_push_front(after, &b->order);
}

static void mark_lost(struct rmi_sctp *a, struct rmi_sctp_block *b) {
    a->in_flight -= b->len;
    queue_lost(a, b);
    rmi_sctp_cc_lost(&a->cc, b->len);
}

void rmi_sctp_find_lost(struct rmi_sctp *a, int64_t now_us) {
    const int64_t window_us = a->reordering ? a->cc.min_rtt_us / REORDER_SEEN_SHARE : a->cc.min_rtt_us / REORDER_SHARE;
    a->rack_us = RMI_NEVER;
    RMI_LIST_FOREACH (node, next, &a->in_flight_order) {
        struct rmi_sctp_block *b = RMI_CONTAINER_OF(node, struct rmi_sctp_block, order);
        if (b->tag.sent_us > a->rack_sent_us ||
            (b->tag.sent_us == a->rack_sent_us && !rmi_sctp_after(a->highest_ack, b->tsn)))
            break;
        const bool thrice = !a->reordering && b->sends == 1 && rmi_sctp_after(a->highest_ack, b->tsn) &&
                            a->highest_ack - b->tsn >= MISSING_REPORTS;
        const int64_t lost_us = b->tag.sent_us + a->rack_rtt_us + window_us;
        if (thrice || now_us >= lost_us) {
            mark_lost(a, b);
        } else {
            a->rack_us = lost_us;
            break;
        }
    }
}

/* ---- acknowledgements ---- */

static void finish(struct rmi_sctp *a, const struct ack *ack) {
    if (ack->rtt_us >= 0)
        rmi_sctp_take_rtt(a, ack->rtt_us);
    if (ack->news) {
        a->errors = 0;
        a->probed = false;
        set_rto(a); /* the path works: no longer doubled */
    }
    rmi_sctp_cc_sack_end(&a->cc, ack->now_us, ack->rtt_us, a->in_flight);
    rmi_sctp_find_lost(a, ack->now_us);
    rmi_sctp_advance(a, ack->now_us);
    if (ack->news || a->in_flight == 0)
        rmi_sctp_arm_t3(a, ack->now_us);
}

void rmi_sctp_ack_up_to(struct rmi_sctp *a, int64_t now_us, uint32_t cum_tsn) {
    struct ack ack = {.now_us = now_us, .rtt_us = -1};
    if (cum_tsn - a->cum_ack > a->next_tsn - 1 - a->cum_ack) /* old, or of what was never sent */
        return;
    if (rmi_sctp_after(cum_tsn, a->highest_ack))
        a->highest_ack = cum_tsn;
    free_up_to(a, &ack, cum_tsn);
    finish(a, &ack);
}

void rmi_sctp_on_sack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_sack sack;
    struct ack ack = {.now_us = now_us, .rtt_us = -1};
    if (!rmi_sctp_sack_parse(c, &sack)) {
        a->stats.drops++;
        return;
    }
    if (rmi_sctp_after(a->cum_ack, sack.cum_tsn)) /* overtaken by a later one */
        return;
    if (sack.cum_tsn - a->cum_ack > a->next_tsn - 1 - a->cum_ack) {
        rmi_sctp_refuse(a, now_us, RMI_SCTP_C_PROTOCOL, RM_E_PARSE, "the peer acknowledges what was never sent");
        return;
    }
    free_up_to(a, &ack, sack.cum_tsn);
    read_gaps(a, &ack, &sack);
    if (rmi_sctp_after(sack.cum_tsn, a->highest_ack))
        a->highest_ack = sack.cum_tsn;
    a->peer_window = sack.window;
    if (sack.window == 0) /* the peer lives, its application does not read */
        a->errors = 0;
    finish(a, &ack);
}

/* ---- silence ---- */

/* The last fragment again; its acknowledgement tells what else is missing. */
static bool probe(struct rmi_sctp *a, int64_t now_us) {
    if (a->probed || a->srtt_us == 0 || a->errors > 0 || rmi_list_empty(&a->in_flight_order))
        return false;
    struct rmi_sctp_block *last = RMI_CONTAINER_OF(a->in_flight_order.prev, struct rmi_sctp_block, order);
    a->probed = true;
    if (last->sends >= last->message->sends_max || now_us >= last->message->expires_us) {
        rmi_sctp_arm_t3(a, now_us);
        return true;
    }
    a->stats.probes++;
    a->in_flight -= last->len;
    last->state = RMI_SCTP_LOST;
    rmi_list_remove(&last->order);
    rmi_list_push_front(&a->lost, &last->order);
    a->t3_packet = true;
    rmi_sctp_arm_t3(a, now_us);
    return true;
}

static void now_if_set(int64_t *timer_us, int64_t now_us) {
    if (*timer_us != RMI_NEVER)
        *timer_us = now_us;
}

void rmi_sctp_path_back(struct rmi_sctp *a, int64_t now_us) {
    a->errors = 0;
    a->probed = false;
    set_rto(a);
    now_if_set(&a->t3_us, now_us);
    now_if_set(&a->setup_us, now_us);
    now_if_set(&a->reset_us, now_us);
    rmi_sctp_timeout(a, now_us);
}

void rmi_sctp_on_t3(struct rmi_sctp *a, int64_t now_us) {
    if (probe(a, now_us))
        return;
    a->stats.timeouts++;
    rmi_sctp_count_error(a);
    if (rmi_sctp_over(a))
        return;
    rmi_sctp_back_off(a);
    /* A first one that is acknowledged and yet not passed over was thrown away again (RFC 9260 6.2.1). */
    if (a->cum_ack + 1 != a->next_tsn) {
        struct rmi_sctp_block *first = *rmi_sctp_ring_at(a, a->cum_ack + 1);
        if (first->state == RMI_SCTP_ACKED)
            queue_lost(a, first);
    }
    RMI_LIST_FOREACH (node, next, &a->in_flight_order)
        mark_lost(a, RMI_CONTAINER_OF(node, struct rmi_sctp_block, order));
    rmi_sctp_cc_timeout(&a->cc);
    a->t3_packet = true;
    a->forward_due = a->advanced != a->cum_ack;
    rmi_sctp_arm_t3(a, now_us);
}
