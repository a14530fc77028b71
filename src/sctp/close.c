/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <openssl/crypto.h>
#include <string.h>

/* SHUTDOWN, ABORT and HEARTBEAT: how an association ends, and how it is noticed that it has. */

#define TRIES_MAX 10                   /* RFC 9260 section 16: Association.Max.Retrans */
#define HEARTBEAT_EVERY_US RMI_SEC(30) /* RFC 9260 section 16 */

static void arm(struct rmi_sctp *a, int64_t now_us) {
    a->setup_us = now_us + a->setup_rto_us;
    a->setup_rto_us *= 2;
}

static void write_shutdown(struct rmi_sctp *a, int64_t now_us) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_SHUTDOWN, 0);
    rmi_wr_u32(&p.w, a->recv_cum);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, false);
}

/* When all is delivered the closing side sends SHUTDOWN, the other one SHUTDOWN ACK. */
void rmi_sctp_shutdown_step(struct rmi_sctp *a, int64_t now_us) {
    if ((a->state != RMI_SCTP_SHUTDOWN_PENDING && a->state != RMI_SCTP_SHUTDOWN_RECEIVED) ||
        a->cum_ack + 1 != a->next_tsn || !rmi_sctp_queue_empty(a))
        return;
    a->setup_tries = 1;
    a->setup_rto_us = a->rto_us;
    if (a->state == RMI_SCTP_SHUTDOWN_PENDING) {
        rmi_sctp_set_state(a, RMI_SCTP_SHUTDOWN_SENT, "all delivered");
        write_shutdown(a, now_us);
    } else {
        rmi_sctp_set_state(a, RMI_SCTP_SHUTDOWN_ACK_SENT, "all delivered");
        rmi_sctp_send_plain(a, now_us, RMI_SCTP_SHUTDOWN_ACK);
    }
    arm(a, now_us);
}

void rmi_sctp_shutdown_timer(struct rmi_sctp *a, int64_t now_us) {
    a->stats.timeouts++;
    if (++a->setup_tries > TRIES_MAX) {
        rmi_sctp_fail(a, RM_E_TIMEOUT, "the peer does not answer SHUTDOWN");
        return;
    }
    if (a->state == RMI_SCTP_SHUTDOWN_SENT)
        write_shutdown(a, now_us);
    else if (a->state == RMI_SCTP_SHUTDOWN_ACK_SENT)
        rmi_sctp_send_plain(a, now_us, RMI_SCTP_SHUTDOWN_ACK);
    arm(a, now_us);
}

void rmi_sctp_shutdown(struct rmi_sctp *a, int64_t now_us) {
    if (a->state < RMI_SCTP_ESTABLISHED) {
        rmi_sctp_abort(a, now_us);
    } else if (a->state == RMI_SCTP_ESTABLISHED) {
        rmi_sctp_set_state(a, RMI_SCTP_SHUTDOWN_PENDING, "closed here");
        rmi_sctp_flush(a, now_us);
    }
}

void rmi_sctp_on_shutdown(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_rd r = c->value;
    const uint32_t cum = rmi_rd_u32(&r);
    if (r.failed) {
        a->stats.drops++;
        return;
    }
    if (a->state == RMI_SCTP_SHUTDOWN_SENT) { /* both at once */
        rmi_sctp_set_state(a, RMI_SCTP_SHUTDOWN_ACK_SENT, "SHUTDOWN of both");
        rmi_sctp_send_plain(a, now_us, RMI_SCTP_SHUTDOWN_ACK);
        a->setup_rto_us = a->rto_us;
        arm(a, now_us);
    } else if (a->state == RMI_SCTP_ESTABLISHED || a->state == RMI_SCTP_SHUTDOWN_PENDING) {
        rmi_sctp_set_state(a, RMI_SCTP_SHUTDOWN_RECEIVED, "SHUTDOWN");
    }
    if (rmi_sctp_open(a))
        rmi_sctp_ack_up_to(a, now_us, cum);
    rmi_sctp_shutdown_step(a, now_us);
}

void rmi_sctp_on_shutdown_ack(struct rmi_sctp *a, int64_t now_us) {
    if (a->state != RMI_SCTP_SHUTDOWN_SENT && a->state != RMI_SCTP_SHUTDOWN_ACK_SENT)
        return;
    rmi_sctp_send_plain(a, now_us, RMI_SCTP_SHUTDOWN_COMPLETE);
    rmi_sctp_set_state(a, RMI_SCTP_CLOSED, "SHUTDOWN ACK");
}

void rmi_sctp_on_shutdown_complete(struct rmi_sctp *a) {
    if (a->state == RMI_SCTP_SHUTDOWN_ACK_SENT)
        rmi_sctp_set_state(a, RMI_SCTP_CLOSED, "SHUTDOWN COMPLETE");
}

void rmi_sctp_on_abort(struct rmi_sctp *a) {
    rmi_sctp_fail(a, RM_E_CLOSED, "the peer aborted the association");
}

/* ---- heartbeat ---- */

void rmi_sctp_on_heartbeat(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_rd r = c->value;
    const size_t len = rmi_rd_left(&r);
    struct rmi_sctp_packet p;
    if (a->state < RMI_SCTP_COOKIE_ECHOED)
        return;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    if (rmi_sctp_padded(len) + RMI_SCTP_CHUNK_HEADER_BYTES > p.w.cap - p.w.pos) {
        a->stats.drops++;
        return;
    }
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_HEARTBEAT_ACK, 0);
    rmi_wr_bytes(&p.w, rmi_rd_bytes(&r, len), len);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, false);
}

void rmi_sctp_on_heartbeat_ack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_rd r = c->value;
    struct rmi_sctp_param info;
    if (a->heartbeat_sent_us == RMI_NEVER || !rmi_sctp_param_next(&r, &info) ||
        info.type != RMI_SCTP_P_HEARTBEAT_INFO || rmi_rd_left(&info.value) != sizeof a->heartbeat)
        return;
    if (CRYPTO_memcmp(rmi_rd_bytes(&info.value, sizeof a->heartbeat), a->heartbeat, sizeof a->heartbeat) != 0)
        return;
    rmi_sctp_take_rtt(a, now_us - a->heartbeat_sent_us);
    a->heartbeat_sent_us = RMI_NEVER;
    a->errors = 0;
    a->heartbeat_us = now_us + HEARTBEAT_EVERY_US;
}

/* Only while nothing is in flight: data finds out by itself. */
void rmi_sctp_on_heartbeat_timer(struct rmi_sctp *a, int64_t now_us) {
    if (a->heartbeat_sent_us != RMI_NEVER) {
        rmi_sctp_count_error(a);
        rmi_sctp_back_off(a); /* RFC 9260 8.3 */
    }
    if (!rmi_sctp_open(a))
        return;
    rmi_sctp_memory_idle(a);
    if (a->in_flight > 0) {
        a->heartbeat_sent_us = RMI_NEVER;
        a->heartbeat_us = now_us + HEARTBEAT_EVERY_US;
        return;
    }
    rmi_rng_fill(&a->config.rng, a->heartbeat, sizeof a->heartbeat);
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_HEARTBEAT, 0);
    const size_t info = rmi_sctp_param_begin(&p.w, RMI_SCTP_P_HEARTBEAT_INFO);
    rmi_wr_bytes(&p.w, a->heartbeat, sizeof a->heartbeat);
    rmi_sctp_tlv_end(&p.w, info);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, false);
    a->heartbeat_sent_us = now_us;
    a->heartbeat_us = now_us + a->rto_us;
}
