/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"

/* Stream reset (RFC 6525): how a data channel closes. One request of each side is under way at a time. */

#define ANSWER_WITHIN_US RMI_SEC(30) /* 30 % loss each way: half of the tries fail, seventy in a row never */
/* RFC 8831 6.7: a peer whose incoming stream was reset has to reset its own, after what it still has to send. */
#define FOLLOW_WITHIN_US RMI_SEC(10)
/* A peer that uses the id again as soon as its own direction is closed (aiortc 1.4, which also takes "in progress" for
 * done and never asks twice) would have our request, coming later, close the new channel. So the answer goes with our
 * request, or alone after this: well before a peer asks again (RFC 9260 16: RTO.Min is 1 s). */
#define ANSWER_HELD_US RMI_MS(200)

enum { /* RFC 6525 4.4 */
       RESULT_NOTHING = 0,
       RESULT_PERFORMED = 1,
       RESULT_DENIED = 2,
       RESULT_WRONG_STREAM = 3,
       RESULT_BAD_SEQUENCE = 5,
       RESULT_IN_PROGRESS = 6
};
enum { P_ADD_STREAMS_OUT = 17 };

static void write_response(struct rmi_wr *w, uint32_t seq, uint32_t result) {
    const size_t q = rmi_sctp_param_begin(w, RMI_SCTP_P_RESET_RESPONSE);
    rmi_wr_u32(w, seq);
    rmi_wr_u32(w, result);
    rmi_sctp_tlv_end(w, q);
}

/* ---- the answer to the peer's request to close its streams ---- */

/* Ours of all of them is closed, or going to be with the request under way. True also when one, closed both ways, is
 * about to be used again: a peer must know by then that it may be. */
static bool all_followed(const struct rmi_sctp *a) {
    bool all = true;
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++) {
        const struct rmi_sctp_stream_out *s = a->out[i];
        if (!a->in[i] || a->in[i]->reset != RMI_SCTP_IN_UNANSWERED || !s)
            continue;
        if (s->resets_ahead < 0)
            all = all && s->reset == RMI_SCTP_RESET_REQUESTED;
        else if (!rmi_list_empty(&s->messages))
            return true;
    }
    return all;
}

/* What is to be said now. "In progress" is not the last word. */
static uint32_t take_answer(struct rmi_sctp *a) {
    a->reset_answer_us = RMI_NEVER;
    a->reset_answer_held = a->resets_deferred > 0;
    a->reset_result = a->reset_answer_held ? RESULT_IN_PROGRESS : RESULT_PERFORMED;
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++)
        if (a->in[i] && a->in[i]->reset == RMI_SCTP_IN_UNANSWERED)
            a->in[i]->reset = RMI_SCTP_IN_OPEN;
    return a->reset_result;
}

static void respond(struct rmi_sctp *a, int64_t now_us, uint32_t seq, uint32_t result) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_RE_CONFIG, 0);
    write_response(&p.w, seq, result);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, false);
}

static void answer(struct rmi_sctp *a, int64_t now_us) {
    respond(a, now_us, a->reset_peer_seq - 1, take_answer(a));
}

void rmi_sctp_on_reset_answer_timer(struct rmi_sctp *a, int64_t now_us) {
    if (a->reset_answer_held && rmi_sctp_open(a))
        answer(a, now_us);
}

/* Whether the last word can be said; with our own request if there is one to send. */
static bool answer_is_due(const struct rmi_sctp *a) {
    return a->reset_answer_held && a->resets_deferred == 0 && (a->reset_answer_us == RMI_NEVER || all_followed(a));
}

/* ---- our requests ---- */

static void write_request(struct rmi_sctp *a, int64_t now_us, bool with_answer) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_RE_CONFIG, 0);
    if (with_answer) /* RFC 6525 3.1: before the request */
        write_response(&p.w, a->reset_peer_seq - 1, take_answer(a));
    const size_t q = rmi_sctp_param_begin(&p.w, RMI_SCTP_P_RESET_OUT_REQUEST);
    rmi_wr_u32(&p.w, a->reset_seq);
    rmi_wr_u32(&p.w, a->reset_peer_seq - 1);
    rmi_wr_u32(&p.w, a->reset_last_tsn);
    for (uint16_t i = 0; i < a->reset_count; i++)
        rmi_wr_u16(&p.w, a->resets[i]);
    rmi_sctp_tlv_end(&p.w, q);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, false);
    a->reset_us = now_us + a->rto_us;
}

rm_err rmi_sctp_reset_stream(struct rmi_sctp *a, int64_t now_us, uint16_t stream) {
    if (stream >= RMI_SCTP_STREAMS)
        return RM_E_INVALID_ARG;
    if (a->state != RMI_SCTP_ESTABLISHED)
        return RM_E_STATE;
    if (!a->reconfig)
        return RM_E_UNSUPPORTED;
    struct rmi_sctp_stream_out *s = rmi_sctp_out_stream(a, stream);
    if (!s)
        return RM_E_NO_MEMORY;
    if (s->reset != RMI_SCTP_RESET_NONE)
        return RM_E_STATE;
    s->reset = RMI_SCTP_RESET_WANTED;
    a->resets_wanted = true;
    rmi_sctp_flush(a, now_us);
    return RM_OK;
}

/* Streams that are to be closed, and of which everything is delivered, go into one request. */
static void request(struct rmi_sctp *a, int64_t now_us) {
    if (!a->resets_wanted || a->reset_count > 0)
        return;
    bool more = false;
    for (uint16_t i = 0; i < RMI_SCTP_STREAMS; i++) {
        struct rmi_sctp_stream_out *s = a->out[i];
        if (!s || s->reset != RMI_SCTP_RESET_WANTED)
            continue;
        if (a->reset_count == RMI_SCTP_RESETS_MAX || !rmi_list_empty(&s->messages) || s->in_flight > 0) {
            more = true;
            continue;
        }
        s->reset = RMI_SCTP_RESET_REQUESTED;
        a->resets[a->reset_count++] = i;
    }
    a->resets_wanted = more;
    a->reset_last_tsn = a->next_tsn - 1;
    if (a->reset_count == 0)
        return;
    a->reset_since_us = now_us;
    write_request(a, now_us, answer_is_due(a));
}

void rmi_sctp_reset_step(struct rmi_sctp *a, int64_t now_us) {
    request(a, now_us);
    if (answer_is_due(a))
        answer(a, now_us);
}

static void end_request(struct rmi_sctp *a, int64_t now_us, rm_err err) {
    for (uint16_t i = 0; i < a->reset_count; i++) {
        struct rmi_sctp_stream_out *s = a->out[a->resets[i]];
        s->reset = RMI_SCTP_RESET_NONE;
        if (!err) {
            s->next_mid = s->next_mid_unordered = 0;
            s->resets_ahead = s->resets_ahead < 0 ? 0 : 1;
        }
        if (!err && s->resets_ahead > 0) {
            s->peer_reset_us = now_us + FOLLOW_WITHIN_US;
            a->peer_reset_us = rmi_min64(a->peer_reset_us, s->peer_reset_us);
        }
        rmi_sctp_post(a, RMI_SCTP_EV_RESET_OUT, s->id, err);
    }
    a->reset_seq++;
    a->reset_count = 0;
    a->reset_us = RMI_NEVER;
    if (a->reset_in_asked && !a->resets_wanted) {
        a->reset_in_asked = false;
        a->reset_result = err ? RESULT_DENIED : RESULT_PERFORMED;
    }
}

void rmi_sctp_on_reset_timer(struct rmi_sctp *a, int64_t now_us) {
    if (a->reset_count == 0 || !rmi_sctp_open(a))
        return;
    rmi_sctp_count_error(a);
    if (rmi_sctp_over(a))
        return;
    if (now_us - a->reset_since_us >= ANSWER_WITHIN_US)
        end_request(a, now_us, RM_E_TIMEOUT);
    else
        write_request(a, now_us, false);
}

static void on_response(struct rmi_sctp *a, int64_t now_us, struct rmi_rd r) {
    const uint32_t seq = rmi_rd_u32(&r), result = rmi_rd_u32(&r);
    if (r.failed || a->reset_count == 0 || seq != a->reset_seq)
        return;
    a->errors = 0;
    if (result == RESULT_IN_PROGRESS) /* asked again by the timer */
        return;
    end_request(a, now_us, result == RESULT_NOTHING || result == RESULT_PERFORMED ? RM_OK : RM_E_UNSUPPORTED);
}

/* ---- the peer's requests ---- */

static void reset_in_stream(struct rmi_sctp *a, uint16_t id, uint32_t last_tsn) {
    struct rmi_sctp_stream_in *s = rmi_sctp_in_stream(a, id);
    if (!s)
        return;
    a->resets_deferred += s->reset != RMI_SCTP_IN_DEFERRED;
    s->reset = RMI_SCTP_IN_DEFERRED;
    s->reset_tsn = last_tsn;
}

static void reset_in(struct rmi_sctp *a, int64_t now_us, uint32_t last_tsn, struct rmi_rd *streams) {
    if (rmi_rd_left(streams) == 0) /* RFC 6525 4.1: none named means all */
        for (uint16_t i = 0; i < RMI_SCTP_STREAMS; i++)
            if (a->in[i])
                reset_in_stream(a, i, last_tsn);
    while (rmi_rd_left(streams) > 0) {
        const uint16_t id = rmi_rd_u16(streams);
        if (!streams->failed)
            reset_in_stream(a, id, last_tsn);
    }
    a->reset_answer_us = now_us + ANSWER_HELD_US;
    rmi_sctp_reset_deferred(a);
}

void rmi_sctp_reset_deferred(struct rmi_sctp *a) {
    for (uint16_t i = 0; i < RMI_SCTP_STREAMS && a->resets_deferred > 0; i++) {
        struct rmi_sctp_stream_in *s = a->in[i];
        if (!s || s->reset != RMI_SCTP_IN_DEFERRED || rmi_sctp_after(s->reset_tsn, a->recv_cum))
            continue;
        a->resets_deferred--;
        s->reset = RMI_SCTP_IN_UNANSWERED;
        rmi_sctp_stream_in_reset(a, i);
    }
}

bool rmi_sctp_waits_for_reset(const struct rmi_sctp *a, const struct rmi_sctp_data *d) {
    const struct rmi_sctp_stream_in *s = d->stream < RMI_SCTP_STREAMS ? a->in[d->stream] : NULL;
    return s && s->reset == RMI_SCTP_IN_DEFERRED && rmi_sctp_after(d->tsn, s->reset_tsn);
}

static uint32_t want_reset(struct rmi_sctp *a, uint16_t id) {
    struct rmi_sctp_stream_out *s = a->out[id];
    if (!s || (s->next_mid == 0 && s->next_mid_unordered == 0 && rmi_list_empty(&s->messages)))
        return RESULT_NOTHING;
    if (s->reset == RMI_SCTP_RESET_NONE) {
        s->reset = RMI_SCTP_RESET_WANTED;
        a->resets_wanted = true;
    }
    return RESULT_IN_PROGRESS;
}

/* The peer wants streams of ours closed (RFC 6525 5.2.3). Our own request, when all on them is delivered, is the
 * answer; until then this one is in progress, and the peer asks again. */
static uint32_t reset_out(struct rmi_sctp *a, struct rmi_rd *streams) {
    uint32_t result = RESULT_NOTHING;
    if (rmi_rd_left(streams) == 0)
        for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++)
            result = want_reset(a, id) == RESULT_IN_PROGRESS ? RESULT_IN_PROGRESS : result;
    while (rmi_rd_left(streams) > 0) {
        const uint16_t id = rmi_rd_u16(streams);
        if (streams->failed || id >= RMI_SCTP_STREAMS)
            return RESULT_WRONG_STREAM;
        result = want_reset(a, id) == RESULT_IN_PROGRESS ? RESULT_IN_PROGRESS : result;
    }
    return result;
}

static void on_request(struct rmi_sctp *a, int64_t now_us, uint16_t type, struct rmi_rd r) {
    const uint32_t seq = rmi_rd_u32(&r);
    if (r.failed)
        return;
    const bool again = a->reset_answered && seq == a->reset_peer_seq - 1;
    if (a->reset_answer_held && (again || seq == a->reset_peer_seq)) { /* the peer does not wait any longer */
        answer(a, now_us);
        if (again)
            return;
    }
    if (again && a->reset_result != RESULT_IN_PROGRESS) {
        respond(a, now_us, seq, a->reset_result);
        return;
    }
    if (!again && seq != a->reset_peer_seq) {
        respond(a, now_us, seq, RESULT_BAD_SEQUENCE);
        return;
    }
    if (again && a->reset_in_asked) {
        respond(a, now_us, seq, RESULT_IN_PROGRESS);
        return;
    }
    uint32_t result = RESULT_DENIED; /* the association's numbers do not begin anew, and all streams are there */
    a->reset_in_asked = false;
    if (type == RMI_SCTP_P_RESET_OUT_REQUEST) {
        rmi_rd_skip(&r, sizeof a->reset_seq); /* answers a request for it, which we never make */
        const uint32_t last_tsn = rmi_rd_u32(&r);
        if (r.failed)
            return;
        reset_in(a, now_us, last_tsn, &r);
    } else if (type == RMI_SCTP_P_RESET_IN_REQUEST) {
        result = reset_out(a, &r);
        a->reset_in_asked = result == RESULT_IN_PROGRESS;
    } else if (type == P_ADD_STREAMS_OUT) {
        result = RESULT_PERFORMED; /* they exist already */
    }
    if (!again)
        a->reset_peer_seq++;
    a->reset_answered = true;
    a->reset_result = result;
    a->reset_answer_held = type == RMI_SCTP_P_RESET_OUT_REQUEST;
    if (!a->reset_answer_held)
        respond(a, now_us, seq, result);
}

void rmi_sctp_on_reconfig(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_rd r = c->value;
    struct rmi_sctp_param p;
    for (int n = 0; n < 2 && rmi_sctp_param_next(&r, &p); n++) { /* RFC 6525 3.1: at most two */
        if (p.type == RMI_SCTP_P_RESET_RESPONSE)
            on_response(a, now_us, p.value);
        else
            on_request(a, now_us, p.type, p.value);
    }
    if (r.failed)
        a->stats.drops++;
}

/* ---- the peer's direction ---- */

void rmi_sctp_peer_has_reset(struct rmi_sctp *a, uint16_t id) {
    struct rmi_sctp_stream_out *s = rmi_sctp_out_stream(a, id);
    if (s)
        s->resets_ahead = s->resets_ahead > 0 ? 0 : -1;
}

void rmi_sctp_peer_still_sends(struct rmi_sctp *a, int64_t now_us, uint16_t id) {
    if (a->out[id] && a->out[id]->resets_ahead > 0)
        a->out[id]->peer_reset_us = now_us + FOLLOW_WITHIN_US;
}

void rmi_sctp_on_peer_reset_timer(struct rmi_sctp *a, int64_t now_us) {
    for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++) {
        struct rmi_sctp_stream_out *s = a->out[id];
        if (!s || s->resets_ahead <= 0)
            continue;
        if (now_us < s->peer_reset_us) {
            a->peer_reset_us = rmi_min64(a->peer_reset_us, s->peer_reset_us);
            continue;
        }
        s->resets_ahead = 0;
        if (rmi_sctp_in_stream(a, id))
            rmi_sctp_post(a, RMI_SCTP_EV_RESET_IN, id, RM_E_TIMEOUT);
    }
}
