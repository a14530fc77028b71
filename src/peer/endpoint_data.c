/* SPDX-License-Identifier: Apache-2.0 */
/* Data channels of each connection: SCTP over its DTLS. */
#include "peer/endpoint_private.h"

#include <string.h>

static void send_packet(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_ep_peer *p = ctx;
    rmi_pc_send_data(p->pc, now_us, data, len); /* as lost on the way when the path is gone: SCTP repeats it */
}

/* The control channel is preferred to send on; any other serves until it is there. */
static void use(struct rmi_ep_peer *p, uint16_t channel) {
    const struct rmi_endpoint_data_ops *ops = &p->ep->config.channels;
    struct rmi_channel_info info;
    if (rmi_channels_get(p->channels, channel, &info))
        return;
    if (!p->has_channel || !strcmp(info.label, RMI_EP_CHANNEL))
        p->channel = channel;
    p->has_channel = true;
    ops->channel_open(ops->ctx, p->id, info.label);
}

/* An answer sent from inside a callback leaves what it stirs up to the loop that made the callback: a channel closed in
 * between would take its label away under the callback's feet. */
static void drain(struct rmi_ep_peer *p, int64_t now_us) {
    const struct rmi_endpoint_data_ops *ops = &p->ep->config.channels;
    struct rmi_channels_event ev;
    struct rmi_channel_info info;
    if (p->draining)
        return;
    p->draining = true;
    while (rmi_channels_poll_event(p->channels, now_us, &ev)) {
        switch (ev.type) {
        case RMI_CHANNELS_EV_NEW:
        case RMI_CHANNELS_EV_OPEN:
            use(p, ev.channel);
            break;
        case RMI_CHANNELS_EV_MESSAGE:
            if (!rmi_channels_get(p->channels, ev.channel, &info))
                ops->message(ops->ctx, p->id, info.label, ev.binary, ev.data, ev.len);
            break;
        case RMI_CHANNELS_EV_CLOSED:
            p->has_channel = p->has_channel && p->channel != ev.channel;
            break;
        case RMI_CHANNELS_EV_DOWN:
            p->has_channel = false;
            rmi_log(p->ep->config.log, RMI_LOG_SCTP, RM_LOG_INFO, "peer=%s data channels ended: %s", p->id,
                    ev.detail ? ev.detail : "shut down");
            break;
        case RMI_CHANNELS_EV_UP:
        case RMI_CHANNELS_EV_LOW:
        case RMI_CHANNELS_EV_WRITABLE:
            break;
        }
    }
    p->draining = false;
}

static void on_data(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_ep_peer *p = ctx;
    rmi_sctp_input(p->sctp, now_us, data, len);
    drain(p, now_us);
}

static rm_err open_control(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    uint16_t id;
    struct rmi_channel_options options = {.label = RMI_EP_CHANNEL, .id = RMI_CHANNEL_ANY};
    options.unordered = options.limit_retransmits = ep->config.channels_unreliable;
    return rmi_channels_open(p->channels, ep->now_us, &options, &id);
}

static rm_err open_association(struct rmi_endpoint *ep, struct rmi_ep_peer *p, const struct rmi_jsep_result *r) {
    struct rmi_ice_pair_info pair;
    struct rmi_sctp_config sc = {
        .rng = ep->config.rng,
        .log = ep->config.log,
        .name = p->id,
        .remote_port = r->sctp_port,
        .message_in_max = RMI_JSEP_MAX_MESSAGE_SIZE,
        .message_out_max = r->max_message_size && r->max_message_size < RMI_JSEP_MAX_MESSAGE_SIZE
                               ? (size_t)r->max_message_size
                               : RMI_JSEP_MAX_MESSAGE_SIZE,
        .rtt_us = rmi_ice_selected_pair(rmi_pc_ice(p->pc), &pair) ? pair.rtt_us : 0,
        .send = send_packet,
        .send_ctx = p,
    };
    rm_err err = rmi_sctp_create(&sc, &p->sctp);
    if (!err)
        err = rmi_channels_create(p->sctp, r->dtls_client, ep->config.log, p->id, &p->channels);
    if (!err && p->offerer)
        err = open_control(ep, p);
    return err;
}

void rmi_ep_data_step(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    const struct rmi_jsep_result *r = rmi_pc_negotiated(p->pc);
    if (p->sctp || p->no_channels || !ep->config.channels.message || !r->has_data ||
        rmi_pc_state_of(p->pc) != RMI_PC_CONNECTED)
        return;
    rm_err err = open_association(ep, p, r);
    if (err) {
        rmi_log(ep->config.log, RMI_LOG_SCTP, RM_LOG_ERROR, "peer=%s no data channels: %s", p->id, rm_strerror(err));
        rmi_ep_data_close(p);
        p->no_channels = true;
        return;
    }
    rmi_pc_on_data(p->pc, on_data, p);
    rmi_sctp_start(p->sctp, ep->now_us);
    drain(p, ep->now_us);
}

void rmi_ep_data_close(struct rmi_ep_peer *p) {
    rmi_pc_on_data(p->pc, NULL, NULL);
    rmi_channels_destroy(&p->channels);
    rmi_sctp_destroy(&p->sctp);
    p->has_channel = false;
}

int64_t rmi_ep_data_deadline(const struct rmi_ep_peer *p) {
    return p->sctp ? rmi_sctp_next_deadline(p->sctp) : RMI_NEVER;
}

void rmi_ep_data_timeout(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    rmi_sctp_timeout(p->sctp, ep->now_us);
    drain(p, ep->now_us);
}

rm_err rmi_endpoint_send_message(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id, bool binary,
                                 const void *data, size_t len) {
    ep->now_us = now_us;
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p)
        return RM_E_NOT_FOUND;
    if (!p->has_channel)
        return RM_E_STATE;
    rm_err err = rmi_channels_send(p->channels, now_us, p->channel, binary, data, len);
    if (!err)
        rmi_sctp_flush(p->sctp, now_us);
    drain(p, now_us);
    return err;
}
