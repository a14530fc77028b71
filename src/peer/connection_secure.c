/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS and SRTP of a peer connection: keys exist only after the fingerprint check, and only ICE-validated sources are
 * heard. */
#include "peer/connection_private.h"

#include <stdlib.h>
#include <string.h>

/* On long paths a lost handshake datagram costs a whole retransmission time (two round trips, doubling), so each is
 * sent twice, a little apart; duplicates are dropped by the DTLS replay window (RFC 6347 4.1.2.6). With 10 % loss this
 * takes the chance of a stalled handshake from about 1/3 to 1/25 for four extra datagrams a connection. */
#define ECHO_MIN_RTT_US RMI_MS(100)
#define ECHO_GAP_US RMI_MS(20)

static void send_routed(struct rmi_pc *pc, uint8_t *data, size_t len, bool ect) {
    const struct rmi_sink *sink = &pc->config.sink;
    rmi_base_id base;
    struct rmi_addr to;
    if (!rmi_ice_route(pc->ice, &base, &to))
        return;
    pc->stats.packets_out++;
    pc->stats.bytes_out += len;
    (ect && sink->send_ect ? sink->send_ect : sink->send)(sink->ctx, base, &to, data, len);
}

static void dtls_send(void *ctx, uint8_t *data, size_t len) {
    struct rmi_pc *pc = ctx;
    bool handshake = !pc->dtls_done;
    if (handshake && len <= RMI_DATAGRAM_MTU && rmi_ice_route_rtt_us(pc->ice) >= ECHO_MIN_RTT_US &&
        pc->echo_count < RMI_PC_ECHO_MAX) {
        if (!pc->echo)
            pc->echo = calloc(RMI_PC_ECHO_MAX, sizeof *pc->echo);
        if (pc->echo) {
            struct rmi_pc_echo *e = &pc->echo[pc->echo_count++];
            e->due_us = pc->now_us + ECHO_GAP_US;
            e->len = len;
            memcpy(e->data + RMI_HEADROOM, data, len);
        }
    }
    send_routed(pc, data, len, false);
}

int64_t rmi_pc_echo_deadline(const struct rmi_pc *pc) {
    return pc->echo_count ? pc->echo[0].due_us : RMI_NEVER; /* filled in order of time */
}

void rmi_pc_echo_timeout(struct rmi_pc *pc) {
    size_t sent = 0;
    while (sent < pc->echo_count && pc->echo[sent].due_us <= pc->now_us) {
        send_routed(pc, pc->echo[sent].data + RMI_HEADROOM, pc->echo[sent].len, false);
        sent++;
    }
    if (!sent)
        return;
    pc->echo_count -= sent;
    memmove(pc->echo, pc->echo + sent, pc->echo_count * sizeof *pc->echo);
}

void rmi_pc_secure_fini(struct rmi_pc *pc) {
    rmi_dtls_destroy(&pc->dtls);
    rmi_srtp_destroy(&pc->srtp);
    free(pc->stash);
    pc->stash = NULL;
    pc->stash_count = 0;
    free(pc->echo);
    pc->echo = NULL;
    pc->echo_count = 0;
}

static void start_dtls(struct rmi_pc *pc) {
    rmi_base_id base;
    struct rmi_addr to;
    if (pc->dtls || !pc->remote_known)
        return;
    const struct rmi_jsep_result *r = rmi_jsep_result(pc->jsep);
    if (r->state != RMI_JSEP_STABLE || !rmi_ice_route(pc->ice, &base, &to))
        return;
    struct rmi_dtls_config dc = {
        .cert = pc->config.cert,
        .log = pc->config.log,
        .name = pc->name,
        .client = r->dtls_client,
        .rtt_us = rmi_ice_route_rtt_us(pc->ice),
        .send = dtls_send,
        .send_ctx = pc,
    };
    rm_err err = rmi_dtls_create(&dc, &pc->dtls);
    if (!err)
        err = rmi_dtls_set_remote_fingerprints(pc->dtls, pc->now_us, pc->remote_fps, pc->remote_fp_count);
    if (err) {
        rmi_pc_fail(pc, err, NULL);
        return;
    }
    rmi_dtls_start(pc->dtls, pc->now_us);
}

/* DTLS that came before its pair was validated: handled once it is, dropped with the pair otherwise. */
static void replay_stash(struct rmi_pc *pc) {
    size_t kept = 0;
    for (size_t i = 0; i < pc->stash_count; i++) {
        struct rmi_pc_stashed *s = &pc->stash[i];
        if (pc->dtls && rmi_ice_source_of(pc->ice, s->base, &s->from) == RMI_ICE_SOURCE_VALID)
            rmi_dtls_input(pc->dtls, pc->now_us, s->data, s->len);
        else if (kept++ != i)
            pc->stash[kept - 1] = *s;
    }
    pc->stash_count = kept;
}

static bool has_media(const struct rmi_pc *pc) {
    const struct rmi_jsep_result *r = rmi_jsep_result(pc->jsep);
    for (size_t i = 0; i < r->media_count; i++)
        if (!r->media[i].rejected && r->media[i].kind != RMI_MEDIA_DATA)
            return true;
    return false;
}

static void take_keys(struct rmi_pc *pc) {
    struct rmi_srtp_keys keys;
    pc->dtls_done = true;
    pc->steps.dtls_us = pc->now_us;
    rm_err err = rmi_dtls_export_srtp(pc->dtls, &keys);
    if (err == RM_E_SRTP_PROFILE && !has_media(pc))
        return; /* data channels alone need no SRTP */
    if (!err) {
        struct rmi_srtp_keying k = {
            .profile = (uint16_t)keys.profile, .local = keys.local, .remote = keys.remote, .len = keys.len};
        err = rmi_srtp_create(&k, &pc->srtp);
        pc->profile = keys.profile;
        /* volatile: the compiler must not drop the wiping of a dying object */
        volatile uint8_t *p = (volatile uint8_t *)&keys;
        for (size_t i = 0; i < sizeof keys; i++)
            p[i] = 0;
    }
    if (err)
        rmi_pc_fail(pc, err, NULL);
}

void rmi_pc_secure_step(struct rmi_pc *pc) {
    start_dtls(pc);
    if (!pc->dtls)
        return;
    replay_stash(pc);
    struct rmi_dtls_event ev;
    while (pc->dtls && rmi_dtls_poll_event(pc->dtls, &ev)) {
        switch (ev.type) {
        case RMI_DTLS_EV_CONNECTED:
            take_keys(pc);
            break;
        case RMI_DTLS_EV_FAILED:
            rmi_pc_fail(pc, ev.err, ev.detail);
            return;
        case RMI_DTLS_EV_CLOSED:
            rmi_ice_close(pc->ice);
            rmi_pc_set_state(pc, RMI_PC_CLOSED, RM_OK, "closed by the peer");
            return;
        case RMI_DTLS_EV_DATA:
            if (pc->on_data)
                pc->on_data(pc->on_data_ctx, pc->now_us, ev.data, ev.len);
            break;
        }
    }
}

static void stash(struct rmi_pc *pc, rmi_base_id base, const struct rmi_addr *from, const uint8_t *data, size_t len) {
    if (!pc->stash)
        pc->stash = calloc(RMI_PC_STASH_MAX, sizeof *pc->stash);
    if (!pc->stash || pc->stash_count == RMI_PC_STASH_MAX || len > RMI_DATAGRAM_MAX) {
        pc->stats.drop_unvalidated++;
        return;
    }
    struct rmi_pc_stashed *s = &pc->stash[pc->stash_count++];
    s->base = base;
    s->from = *from;
    s->len = len;
    memcpy(s->data, data, len);
    pc->stats.dtls_stashed++;
}

void rmi_pc_secure_input(struct rmi_pc *pc, rmi_base_id base, const struct rmi_addr *from, const uint8_t *data,
                         size_t len) {
    enum rmi_ice_source source = rmi_ice_source_of(pc->ice, base, from);
    if (source == RMI_ICE_SOURCE_UNKNOWN) {
        pc->stats.drop_unvalidated++;
        return;
    }
    if (source == RMI_ICE_SOURCE_PENDING || !pc->dtls) {
        if (!pc->dtls_done)
            stash(pc, base, from, data, len);
        return;
    }
    rmi_dtls_input(pc->dtls, pc->now_us, data, len);
}

void rmi_pc_secure_media(struct rmi_pc *pc, rmi_base_id base, const struct rmi_addr *from, bool rtcp, enum rmi_ecn ecn,
                         uint8_t *data, size_t len) {
    rm_err err = RM_E_STATE;
    if (pc->srtp)
        err = rtcp ? rmi_srtp_unprotect_rtcp(pc->srtp, data, &len) : rmi_srtp_unprotect_rtp(pc->srtp, data, &len);
    if (err) {
        pc->stats.drop_srtp++;
        return;
    }
    rmi_ice_note_received(pc->ice, pc->now_us, base, from);
    if (!rtcp)
        pc->media_us = pc->now_us;
    if (pc->on_packet)
        pc->on_packet(pc->on_packet_ctx, pc->now_us, rtcp, ecn, data, len);
}

rm_err rmi_pc_send_data(struct rmi_pc *pc, int64_t now_us, const uint8_t *data, size_t len) {
    pc->now_us = now_us;
    if (!pc->dtls || pc->state != RMI_PC_CONNECTED)
        return RM_E_STATE;
    return rmi_dtls_send(pc->dtls, now_us, data, len);
}

static rm_err send_media(struct rmi_pc *pc, int64_t now_us, bool rtcp, bool ect, uint8_t *data, size_t len,
                         size_t cap) {
    pc->now_us = now_us;
    if (!pc->srtp || pc->state != RMI_PC_CONNECTED)
        return RM_E_STATE;
    rm_err err =
        rtcp ? rmi_srtp_protect_rtcp(pc->srtp, data, &len, cap) : rmi_srtp_protect_rtp(pc->srtp, data, &len, cap);
    if (!err)
        send_routed(pc, data, len, ect);
    if (!err && !rtcp)
        pc->media_us = now_us;
    return err;
}

rm_err rmi_pc_send(struct rmi_pc *pc, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap) {
    return send_media(pc, now_us, rtcp, false, data, len, cap);
}

rm_err rmi_pc_send_ect(struct rmi_pc *pc, int64_t now_us, uint8_t *data, size_t len, size_t cap) {
    return send_media(pc, now_us, false, true, data, len, cap);
}
