/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MIN 256
#define MESSAGE_IN_DEFAULT (256 * 1024)
#define MESSAGE_OUT_DEFAULT (64 * 1024) /* RFC 8841 section 6 */
#define BUFFER_DEFAULT (4 * 1024 * 1024)
#define FIRST_RTT_US RMI_MS(333)
#define FIRST_RTO_TIMES 3 /* RFC 9260 6.3.1: SRTT + 4 x SRTT / 2 */
#define FIRST_RTO_MIN_US RMI_MS(100)
#define FIRST_RTO_MAX_US RMI_SEC(1) /* RFC 9260 section 16 */

static void stop_timers(struct rmi_sctp *a) {
    a->setup_us = a->t3_us = a->rack_us = a->sack_us = a->heartbeat_us = a->reset_us = a->peer_reset_us = a->expire_us =
        a->pace_us = a->reset_answer_us = RMI_NEVER;
}

void rmi_sctp_set_state(struct rmi_sctp *a, enum rmi_sctp_state state, const char *reason) {
    static const char *const names[] = {
        "new",           "cookie-wait",       "cookie-echoed",     "established", "shutdown-pending",
        "shutdown-sent", "shutdown-received", "shutdown-ack-sent", "closed",      "failed"};
    rmi_log(a->config.log, RMI_LOG_SCTP, state == RMI_SCTP_FAILED ? RM_LOG_WARN : RM_LOG_DEBUG, "%s: %s->%s (%s)",
            a->name, names[a->state], names[state], reason);
    a->state = state;
    if (state == RMI_SCTP_CLOSED || state == RMI_SCTP_FAILED)
        stop_timers(a);
}

bool rmi_sctp_over(const struct rmi_sctp *a) {
    return a->state == RMI_SCTP_CLOSED || a->state == RMI_SCTP_FAILED;
}

bool rmi_sctp_open(const struct rmi_sctp *a) {
    return a->state >= RMI_SCTP_ESTABLISHED && a->state <= RMI_SCTP_SHUTDOWN_RECEIVED;
}

void rmi_sctp_fail(struct rmi_sctp *a, rm_err err, const char *detail) {
    if (rmi_sctp_over(a))
        return;
    a->err = err;
    a->detail = detail;
    rmi_sctp_set_state(a, RMI_SCTP_FAILED, detail);
}

rm_err rmi_sctp_create(const struct rmi_sctp_config *config, struct rmi_sctp **out) {
    if (!config || !out || !config->send || !config->rng.fill || config->packet_max > RMI_SCTP_PACKET_MAX ||
        (config->packet_max && config->packet_max < PACKET_MIN))
        return RM_E_INVALID_ARG;
    struct rmi_sctp *a = calloc(1, sizeof *a);
    if (!a)
        return RM_E_NO_MEMORY;
    struct rmi_sctp_config *c = &a->config;
    *c = *config;
    c->local_port = c->local_port ? c->local_port : RMI_SCTP_PORT;
    c->remote_port = c->remote_port ? c->remote_port : RMI_SCTP_PORT;
    c->packet_max = c->packet_max ? c->packet_max : RMI_SCTP_PACKET_MAX;
    c->message_in_max = c->message_in_max ? c->message_in_max : MESSAGE_IN_DEFAULT;
    c->message_out_max = c->message_out_max ? c->message_out_max : MESSAGE_OUT_DEFAULT;
    c->send_buffer = c->send_buffer ? c->send_buffer : BUFFER_DEFAULT;
    c->recv_buffer = c->recv_buffer ? c->recv_buffer : BUFFER_DEFAULT;
    if (c->recv_buffer < 2 * c->message_in_max) /* blocks cost more than their bytes */
        c->recv_buffer = 2 * c->message_in_max;
    snprintf(a->name, sizeof a->name, "%s", c->name ? c->name : "");
    c->name = a->name;
    rmi_list_init(&a->in_flight_order);
    rmi_list_init(&a->lost);
    rmi_list_init(&a->active);
    rmi_list_init(&a->ready);
    rmi_list_init(&a->free_small);
    rmi_list_init(&a->free_large);
    rmi_list_init(&a->free_messages);
    stop_timers(a);
    a->heartbeat_sent_us = RMI_NEVER;
    rmi_rng_fill(&c->rng, a->cookie_key, sizeof a->cookie_key);
    while (a->local_tag == 0)
        a->local_tag = rmi_rng_u32(&c->rng);
    a->first_tsn = a->next_tsn = rmi_rng_u32(&c->rng);
    a->cum_ack = a->highest_ack = a->advanced = a->forward_sent = a->next_tsn - 1;
    a->reset_seq = a->next_tsn; /* RFC 6525 4.1 */
    const int64_t rtt_us = c->rtt_us > 0 ? c->rtt_us : FIRST_RTT_US;
    a->rto_us = rmi_max64(FIRST_RTO_MIN_US, rmi_min64(FIRST_RTO_TIMES * rtt_us, FIRST_RTO_MAX_US));
    rmi_sctp_cc_init(&a->cc, &c->rng, c->packet_max);
    *out = a;
    return RM_OK;
}

void rmi_sctp_destroy(struct rmi_sctp **a) {
    if (!a || !*a)
        return;
    rmi_sctp_memory_free(*a);
    volatile uint8_t *key = (*a)->cookie_key;
    for (size_t i = 0; i < sizeof(*a)->cookie_key; i++)
        key[i] = 0;
    free(*a);
    *a = NULL;
}

/* ---- packets ---- */

void rmi_sctp_packet_begin(const struct rmi_sctp *a, struct rmi_sctp_packet *p, uint32_t tag) {
    p->w = rmi_wr_init(p->bytes, a->config.packet_max & ~(size_t)3); /* what is padded to 4 fits or does not begin */
    rmi_sctp_header_write(&p->w, a->config.local_port, a->config.remote_port, tag);
}

void rmi_sctp_packet_send(struct rmi_sctp *a, int64_t now_us, struct rmi_sctp_packet *p, bool checksum) {
    if (p->w.failed) {
        rmi_log(a->config.log, RMI_LOG_SCTP, RM_LOG_ERROR, "%s: a packet did not fit", a->name);
        return;
    }
    if (checksum || !a->zero_checksum_out)
        rmi_sctp_checksum_set(p->bytes, p->w.pos);
    a->stats.packets_out++;
    a->stats.bytes_out += p->w.pos;
    a->config.send(a->config.send_ctx, now_us, p->bytes, p->w.pos);
}

void rmi_sctp_send_plain(struct rmi_sctp *a, int64_t now_us, uint8_t type) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    rmi_sctp_tlv_end(&p.w, rmi_sctp_chunk_begin(&p.w, type, 0));
    rmi_sctp_packet_send(a, now_us, &p, true);
}

static void send_cause(struct rmi_sctp *a, int64_t now_us, uint8_t type, uint16_t cause, const uint8_t *info,
                       size_t len) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t room = p.w.cap - p.w.pos - 2 * RMI_SCTP_CHUNK_HEADER_BYTES;
    const size_t at = rmi_sctp_chunk_begin(&p.w, type, 0), c = rmi_sctp_param_begin(&p.w, cause);
    rmi_wr_bytes(&p.w, info, len < room ? len : room);
    rmi_sctp_tlv_end(&p.w, c);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, true);
}

void rmi_sctp_send_error(struct rmi_sctp *a, int64_t now_us, uint16_t cause, const uint8_t *info, size_t len) {
    if (a->peer_tag)
        send_cause(a, now_us, RMI_SCTP_ERROR, cause, info, len);
}

void rmi_sctp_refuse(struct rmi_sctp *a, int64_t now_us, uint16_t cause, rm_err err, const char *detail) {
    if (rmi_sctp_over(a))
        return;
    if (a->peer_tag)
        send_cause(a, now_us, RMI_SCTP_ABORT, cause, (const uint8_t *)detail, strlen(detail));
    rmi_sctp_fail(a, err, detail);
}

void rmi_sctp_abort(struct rmi_sctp *a, int64_t now_us) {
    if (rmi_sctp_over(a))
        return;
    if (a->peer_tag)
        send_cause(a, now_us, RMI_SCTP_ABORT, RMI_SCTP_C_USER_ABORT, NULL, 0);
    rmi_sctp_set_state(a, RMI_SCTP_CLOSED, "aborted here");
    a->err = RM_E_CLOSED; /* no event */
}

static void on_unknown(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    a->stats.drops++;
    if (rmi_sctp_unknown_is_reported(c->type))
        rmi_sctp_send_error(a, now_us, RMI_SCTP_C_UNRECOGNIZED_CHUNK, c->whole, c->whole_len);
}

/* Data tells as well as COOKIE ACK, when that is lost, that the peer has what it needs. */
static void on_data_chunk(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    if (a->state == RMI_SCTP_COOKIE_ECHOED)
        rmi_sctp_on_cookie_ack(a, now_us);
    if (!rmi_sctp_open(a) || a->state == RMI_SCTP_SHUTDOWN_RECEIVED)
        a->stats.drops++;
    else
        rmi_sctp_on_data(a, now_us, c);
}

/* Chunks of an association that exists: the tag was ours. False: read no further. */
static bool on_chunk(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    const bool open = rmi_sctp_open(a);
    switch (c->type) {
    case RMI_SCTP_DATA:
    case RMI_SCTP_I_DATA:
        on_data_chunk(a, now_us, c);
        return true;
    case RMI_SCTP_INIT_ACK:
        rmi_sctp_on_init_ack(a, now_us, c);
        return true;
    case RMI_SCTP_SACK:
        if (open)
            rmi_sctp_on_sack(a, now_us, c);
        return true;
    case RMI_SCTP_HEARTBEAT:
        rmi_sctp_on_heartbeat(a, now_us, c);
        return true;
    case RMI_SCTP_HEARTBEAT_ACK:
        rmi_sctp_on_heartbeat_ack(a, now_us, c);
        return true;
    case RMI_SCTP_SHUTDOWN:
        rmi_sctp_on_shutdown(a, now_us, c);
        return true;
    case RMI_SCTP_SHUTDOWN_ACK:
        rmi_sctp_on_shutdown_ack(a, now_us);
        return true;
    case RMI_SCTP_ERROR:
        rmi_sctp_on_error(a, now_us, c);
        return true;
    case RMI_SCTP_COOKIE_ECHO:
        return rmi_sctp_on_cookie_echo(a, now_us, c);
    case RMI_SCTP_COOKIE_ACK:
        rmi_sctp_on_cookie_ack(a, now_us);
        return true;
    case RMI_SCTP_RE_CONFIG:
        if (open && a->reconfig)
            rmi_sctp_on_reconfig(a, now_us, c);
        return true;
    case RMI_SCTP_FORWARD_TSN:
    case RMI_SCTP_I_FORWARD_TSN:
        if (open && a->forward_tsn && (c->type == RMI_SCTP_I_FORWARD_TSN) == a->interleaving)
            rmi_sctp_on_forward(a, c);
        else
            a->stats.drops++;
        return true;
    default:
        on_unknown(a, now_us, c);
        return rmi_sctp_unknown_goes_on(c->type);
    }
}

/* The rules of RFC 9260 8.5.1 for the verification tag. */
static bool tag_fits(const struct rmi_sctp *a, const struct rmi_sctp_header *h, const struct rmi_sctp_chunk *first) {
    if (first->type == RMI_SCTP_INIT)
        return h->tag == 0;
    const bool may_mirror = first->type == RMI_SCTP_ABORT || first->type == RMI_SCTP_SHUTDOWN_COMPLETE;
    if (may_mirror && (first->flags & RMI_SCTP_FLAG_T))
        return a->peer_tag != 0 && h->tag == a->peer_tag;
    return h->tag == a->local_tag;
}

static void read_chunks(struct rmi_sctp *a, int64_t now_us, struct rmi_rd *r, const struct rmi_sctp_header *h) {
    struct rmi_sctp_chunk c;
    for (bool go_on = true; go_on && !rmi_sctp_over(a) && rmi_sctp_chunk_next(r, &c);) {
        if (!tag_fits(a, h, &c)) {
            a->stats.drops++;
            return;
        }
        if (c.type == RMI_SCTP_INIT) {
            if (rmi_rd_left(r) == 0) /* RFC 9260 3: alone in its packet */
                rmi_sctp_on_init(a, now_us, &c);
            return;
        }
        if (c.type == RMI_SCTP_ABORT) {
            rmi_sctp_on_abort(a);
            return;
        }
        if (c.type == RMI_SCTP_SHUTDOWN_COMPLETE) {
            rmi_sctp_on_shutdown_complete(a);
            return;
        }
        go_on = on_chunk(a, now_us, &c);
    }
    if (r->failed)
        a->stats.drops++;
}

void rmi_sctp_input(struct rmi_sctp *a, int64_t now_us, const uint8_t *data, size_t len) {
    rmi_sctp_input_more(a, now_us, data, len);
    rmi_sctp_flush(a, now_us);
}

void rmi_sctp_input_more(struct rmi_sctp *a, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    struct rmi_sctp_header h;
    if (rmi_sctp_over(a))
        return;
    a->stats.packets_in++;
    a->stats.bytes_in += len;
    /* DTLS has checked the bytes; zero is accepted as we offered it (RFC 9653). */
    const bool whole =
        rmi_sctp_header_parse(&r, &h) &&
        ((!a->config.no_zero_checksum && rmi_sctp_checksum_is_zero(data, len)) || rmi_sctp_checksum_ok(data, len));
    if (!whole || h.src != a->config.remote_port || h.dst != a->config.local_port) {
        a->stats.drops++;
        return;
    }
    a->in_packet_sack = false;
    read_chunks(a, now_us, &r, &h);
    if (a->in_packet_sack && ++a->unacked_packets >= 2) /* RFC 9260 6.2: at least every second packet */
        a->sack_now = true;
}

/* ---- time ---- */

void rmi_sctp_start(struct rmi_sctp *a, int64_t now_us) {
    if (a->state == RMI_SCTP_NEW)
        rmi_sctp_send_init(a, now_us);
}

int64_t rmi_sctp_next_deadline(const struct rmi_sctp *a) {
    const int64_t timers[] = {a->setup_us, a->t3_us,         a->rack_us,   a->sack_us, a->heartbeat_us,
                              a->reset_us, a->peer_reset_us, a->expire_us, a->pace_us, a->reset_answer_us};
    int64_t first = RMI_NEVER;
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
        first = rmi_min64(first, timers[i]);
    return first;
}

static bool expired(int64_t *timer_us, int64_t now_us) {
    if (now_us < *timer_us)
        return false;
    *timer_us = RMI_NEVER;
    return true;
}

void rmi_sctp_timeout(struct rmi_sctp *a, int64_t now_us) {
    if (expired(&a->setup_us, now_us))
        rmi_sctp_on_setup_timer(a, now_us);
    if (expired(&a->rack_us, now_us))
        rmi_sctp_find_lost(a, now_us);
    if (expired(&a->t3_us, now_us))
        rmi_sctp_on_t3(a, now_us);
    if (expired(&a->sack_us, now_us))
        a->sack_now = true;
    if (expired(&a->reset_us, now_us))
        rmi_sctp_on_reset_timer(a, now_us);
    if (expired(&a->peer_reset_us, now_us))
        rmi_sctp_on_peer_reset_timer(a, now_us);
    if (expired(&a->reset_answer_us, now_us))
        rmi_sctp_on_reset_answer_timer(a, now_us);
    if (expired(&a->expire_us, now_us))
        rmi_sctp_on_expire_timer(a, now_us);
    if (expired(&a->heartbeat_us, now_us))
        rmi_sctp_on_heartbeat_timer(a, now_us);
    (void)expired(&a->pace_us, now_us);
    rmi_sctp_flush(a, now_us);
}

/* ---- what the owner sees ---- */

enum rmi_sctp_state rmi_sctp_state_of(const struct rmi_sctp *a) {
    return a->state;
}

void rmi_sctp_set_gentle(struct rmi_sctp *a, bool gentle) {
    a->cc.gentle = gentle;
}

uint16_t rmi_sctp_streams_out(const struct rmi_sctp *a) {
    return a->streams_out;
}

void rmi_sctp_get_stats(const struct rmi_sctp *a, struct rmi_sctp_stats *out) {
    *out = a->stats;
    out->cwnd = a->cc.cwnd;
    out->in_flight = a->in_flight;
    out->peer_window = a->peer_window;
    out->pacing_bytes_per_s = a->cc.pacing;
    out->srtt_us = a->srtt_us;
    out->min_rtt_us = a->cc.min_rtt_us;
    out->rto_us = a->rto_us;
    out->recv_held = a->held;
    out->interleaving = a->interleaving;
    out->zero_checksum_out = a->zero_checksum_out;
    out->partial_reliability = a->forward_tsn;
    out->stream_reset = a->reconfig;
}
