/* SPDX-License-Identifier: Apache-2.0 */
/* The RTP session of each connection, and whoever listens to it. */
#include "peer/endpoint_private.h"

static rm_err send_packet(void *ctx, int64_t now_us, bool rtcp, uint8_t *data, size_t len, size_t cap) {
    struct rmi_ep_peer *p = ctx;
    return rmi_pc_send(p->pc, now_us, rtcp, data, len, cap);
}

static rm_err send_ect(void *ctx, int64_t now_us, uint8_t *data, size_t len, size_t cap) {
    struct rmi_ep_peer *p = ctx;
    return rmi_pc_send_ect(p->pc, now_us, data, len, cap);
}

static void on_media(void *ctx, const struct rmi_rtp_in *packet) {
    struct rmi_ep_peer *p = ctx;
    const struct rmi_endpoint_media_ops *m = &p->ep->config.media;
    if (p->media)
        m->packet(m->ctx, p->media, packet);
}

static void on_key_request(void *ctx, int64_t now_us) {
    struct rmi_ep_peer *p = ctx;
    const struct rmi_endpoint_media_ops *m = &p->ep->config.media;
    if (p->media)
        m->key_request(m->ctx, p->media, now_us);
}

static void on_sender_report(void *ctx, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    struct rmi_ep_peer *p = ctx;
    const struct rmi_endpoint_media_ops *m = &p->ep->config.media;
    if (p->media)
        m->sender_report(m->ctx, p->media, kind, ntp, timestamp);
}

static void on_rate(void *ctx, int64_t now_us, const struct rmi_rtp_rate *rate) {
    struct rmi_ep_peer *p = ctx;
    const struct rmi_endpoint_media_ops *m = &p->ep->config.media;
    if (p->media && m->rate)
        m->rate(m->ctx, p->media, now_us, rate);
}

static void on_packet(void *ctx, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data, size_t len) {
    struct rmi_ep_peer *p = ctx;
    rmi_rtp_session_input(p->rtp, now_us, rtcp, ecn, data, len);
}

rm_err rmi_ep_media_open(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (!ep->config.media.peer_up)
        return RM_OK;
    struct rmi_rtp_session_config rc = {
        .rng = ep->config.rng,
        .log = ep->config.log,
        .name = p->id,
        .ops = {.send = send_packet,
                .send_ect = ep->config.io.sink.send_ect ? send_ect : NULL,
                .on_media = on_media,
                .on_key_request = on_key_request,
                .on_sender_report = on_sender_report,
                .on_rate = on_rate},
        .ctx = p,
        .limits = ep->config.rates,
        .cc = ep->config.cc,
        .share = &ep->share,
        .weight = ep->config.weight,
        .sound_wait_us = ep->config.sound_wait_us,
        .rtcp_reports = ep->config.rtcp_reports,
        .rtcp_interval_us = ep->config.rtcp_interval_us,
        .unix_offset_us = ep->config.unix_offset_us,
    };
    rm_err err = rmi_rtp_session_create(&rc, &p->rtp);
    if (!err)
        rmi_pc_on_packet(p->pc, on_packet, p);
    return err;
}

void rmi_ep_media_close(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->media)
        ep->config.media.peer_down(ep->config.media.ctx, p->media);
    p->media = NULL;
    rmi_pc_on_packet(p->pc, NULL, NULL);
    rmi_rtp_session_destroy(&p->rtp);
}

void rmi_ep_media_step(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    const struct rmi_endpoint_media_ops *m = &ep->config.media;
    if (!p->rtp)
        return;
    uint32_t negotiations = rmi_pc_negotiations(p->pc);
    if (negotiations != p->negotiations && rmi_pc_negotiated(p->pc)->state == RMI_JSEP_STABLE) {
        p->negotiations = negotiations;
        rmi_rtp_session_negotiated(p->rtp, ep->now_us, rmi_pc_negotiated(p->pc));
        if (p->media)
            m->peer_changed(m->ctx, p->media);
    }
    if (!p->media && rmi_pc_state_of(p->pc) == RMI_PC_CONNECTED) {
        struct rmi_ice_pair_info pair;
        if (rmi_ice_selected_pair(rmi_pc_ice(p->pc), &pair))
            rmi_rtp_session_set_uplink(p->rtp, pair.base);
        p->media = m->peer_up(m->ctx, p->id, p->rtp);
    }
}

void rmi_ep_media_end(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->rtp)
        rmi_rtp_session_bye(p->rtp, ep->now_us);
    rmi_pc_close(p->pc, ep->now_us);
}
