/* SPDX-License-Identifier: Apache-2.0 */
/* Data channels of each connection: SCTP over its DTLS. */
#include "peer/endpoint_private.h"

/* Acknowledging every second packet (RFC 9260 6.2) took a third of the time of bulk data. Packets that came together
 * are acknowledged together, as receive offload makes TCP do; so many at most, so that the peer goes on meanwhile. */
#define HELD_PACKETS 32

#define MEDIA_US RMI_SEC(1) /* sound without discontinuous transmission comes each few milliseconds */

static void send_packet(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_ep_peer *p = ctx;
    rmi_pc_send_data(p->pc, now_us, data, len); /* as lost on the way when the path is gone: SCTP repeats it */
}

/* What is sent from inside a callback leaves what it stirs up to the loop that made the callback: a channel closed in
 * between would take its label away under the callback's feet. */
static void drain(struct rmi_ep_peer *p, int64_t now_us) {
    const struct rmi_endpoint_data_ops *ops = &p->ep->config.channels;
    struct rmi_channels_event ev;
    if (p->draining)
        return;
    p->draining = true;
    bool any = false;
    for (; rmi_channels_poll_event(p->channels, now_us, &ev); any = true) {
        if (ev.type == RMI_CHANNELS_EV_DOWN)
            rmi_log(p->ep->config.log, RMI_LOG_SCTP, RM_LOG_INFO, "peer=%s data channels ended: %s", p->id,
                    ev.detail ? ev.detail : "shut down");
        ops->event(ops->ctx, p->data, &ev);
    }
    p->draining = false;
    if (any) /* the peer may wait for the room that this made */
        rmi_sctp_flush(p->sctp, now_us);
}

/* Sound and pictures of this connection go through the same queues on the way. */
static void note_media(struct rmi_ep_peer *p, int64_t now_us) {
    const int64_t media_us = rmi_pc_media_us(p->pc);
    rmi_sctp_set_gentle(p->sctp, media_us > 0 && now_us - media_us < MEDIA_US);
}

static void settle(struct rmi_ep_peer *p, int64_t now_us) {
    p->held_packets = 0;
    note_media(p, now_us);
    rmi_sctp_flush(p->sctp, now_us);
    drain(p, now_us);
}

static void on_data(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_ep_peer *p = ctx;
    rmi_sctp_input_more(p->sctp, now_us, data, len);
    if (!p->ep->holding || ++p->held_packets == HELD_PACKETS)
        settle(p, now_us);
}

void rmi_ep_data_release(struct rmi_ep_peer *p, int64_t now_us) {
    if (p->held_packets > 0)
        settle(p, now_us);
}

static rm_err open_control(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    uint16_t id;
    struct rmi_channel_options options = {.label = RMI_EP_CHANNEL, .id = RMI_CHANNEL_ANY};
    options.unordered = options.limit_retransmits = ep->config.channels_unreliable;
    return rmi_channels_open(p->channels, ep->now_us, &options, &id);
}

/* 0 is "any size" (RFC 8841 section 6). */
static size_t message_max(const struct rmi_jsep_result *r) {
    return r->max_message_size && r->max_message_size < RMI_JSEP_MAX_MESSAGE_SIZE ? (size_t)r->max_message_size
                                                                                  : RMI_JSEP_MAX_MESSAGE_SIZE;
}

static rm_err open_association(struct rmi_endpoint *ep, struct rmi_ep_peer *p, const struct rmi_jsep_result *r) {
    struct rmi_ice_pair_info pair;
    struct rmi_sctp_config sc = {
        .rng = ep->config.rng,
        .log = ep->config.log,
        .name = p->id,
        .remote_port = r->sctp_port,
        .message_in_max = RMI_JSEP_MAX_MESSAGE_SIZE,
        .message_out_max = message_max(r),
        .rtt_us = rmi_ice_selected_pair(rmi_pc_ice(p->pc), &pair) ? pair.rtt_us : 0,
        .send = send_packet,
        .send_ctx = p,
    };
    rm_err err = rmi_sctp_create(&sc, &p->sctp);
    if (!err)
        err = rmi_channels_create(p->sctp, r->dtls_client, ep->config.log, p->id, &p->channels);
    if (!err && p->offerer)
        err = open_control(ep, p);
    if (!err)
        p->data = ep->config.channels.peer_up(ep->config.channels.ctx, p->id, p->channels, message_max(r));
    return err ? err : p->data ? RM_OK : RM_E_NO_MEMORY;
}

void rmi_ep_data_step(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->sctp || p->no_channels || !ep->config.channels.event || rmi_pc_state_of(p->pc) != RMI_PC_CONNECTED)
        return;
    const struct rmi_jsep_result *r = rmi_pc_negotiated(p->pc);
    if (!r->has_data)
        return;
    rm_err err = open_association(ep, p, r);
    if (err) {
        rmi_log(ep->config.log, RMI_LOG_SCTP, RM_LOG_ERROR, "peer=%s no data channels: %s", p->id, rm_strerror(err));
        rmi_ep_data_close(p);
        p->no_channels = err != RM_E_NO_MEMORY; /* which there may be at the next packet */
        return;
    }
    rmi_pc_on_data(p->pc, on_data, p);
    rmi_sctp_start(p->sctp, ep->now_us);
    drain(p, ep->now_us);
}

void rmi_ep_data_close(struct rmi_ep_peer *p) {
    rmi_pc_on_data(p->pc, NULL, NULL);
    if (p->data)
        p->ep->config.channels.peer_down(p->ep->config.channels.ctx, p->data);
    p->data = NULL;
    p->held_packets = 0;
    rmi_channels_destroy(&p->channels);
    rmi_sctp_destroy(&p->sctp);
}

int64_t rmi_ep_data_deadline(const struct rmi_ep_peer *p) {
    return p->sctp ? rmi_sctp_next_deadline(p->sctp) : RMI_NEVER;
}

void rmi_ep_data_timeout(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    rmi_sctp_timeout(p->sctp, ep->now_us);
    drain(p, ep->now_us);
}

void rmi_endpoint_data_flush(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id) {
    ep->now_us = now_us;
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p || !p->channels)
        return;
    rmi_sctp_flush(p->sctp, now_us);
    drain(p, now_us);
}
