/* SPDX-License-Identifier: Apache-2.0 */
/* From the endpoint's events and snapshots to those of the public interface. */
#include "webrtc/webrtc_private.h"

#include "base/time.h"
#include <stdio.h>
#include <string.h>

/* The public enumerations repeat internal ones so that the installed headers need none of ours. */
_Static_assert((int)RM_PEER_NEW == (int)RMI_PC_NEW && (int)RM_PEER_CONNECTING == (int)RMI_PC_CONNECTING &&
                   (int)RM_PEER_CONNECTED == (int)RMI_PC_CONNECTED &&
                   (int)RM_PEER_DISCONNECTED == (int)RMI_PC_DISCONNECTED && (int)RM_PEER_FAILED == (int)RMI_PC_FAILED &&
                   (int)RM_PEER_CLOSED == (int)RMI_PC_CLOSED,
               "rm_peer_state mirrors rmi_pc_state");
_Static_assert((int)RM_SIGNALING_DOWN == (int)RMI_EP_SIG_DOWN &&
                   (int)RM_SIGNALING_CONNECTING == (int)RMI_EP_SIG_CONNECTING &&
                   (int)RM_SIGNALING_READY == (int)RMI_EP_SIG_READY &&
                   (int)RM_SIGNALING_FAILED == (int)RMI_EP_SIG_FAILED,
               "rm_signaling_state mirrors rmi_ep_signaling");
_Static_assert(RM_PEER_ID_MAX == RMI_PEER_ID_MAX && RM_PEERS_MAX == RMI_MESH_PEERS_MAX, "public limits");

const char *rm_peer_state_name(rm_peer_state state) {
    return rmi_pc_state_name((enum rmi_pc_state)state);
}

const char *rm_signaling_state_name(rm_signaling_state state) {
    static const char *const names[] = {"down", "connecting", "ready", "failed"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

const char *rm_bandwidth_name(rm_bandwidth bandwidth) {
    static const char *const names[] = {"bandwidth full", "bandwidth limited", "bandwidth for sound only"};
    return (unsigned)bandwidth < sizeof names / sizeof names[0] ? names[bandwidth] : "?";
}

void rmi_webrtc_emit(struct rm_webrtc *t, rm_event *ev) {
    if (atomic_load(&t->destroying))
        return;
    ev->time_us = rmi_now_us();
    if (t->config.on_event)
        t->config.on_event(ev, t->config.user);
    else
        rmi_mailbox_push(t->events, ev);
}

void rmi_webrtc_drain_events(struct rm_webrtc *t) {
    static const rm_event_type types[] = {
        [RMI_EP_EV_SIGNALING] = RM_EV_SIGNALING,   [RMI_EP_EV_PEER_FOUND] = RM_EV_PEER_FOUND,
        [RMI_EP_EV_PEER_STATE] = RM_EV_PEER_STATE, [RMI_EP_EV_PEER_LEFT] = RM_EV_PEER_LEFT,
        [RMI_EP_EV_ERROR] = RM_EV_ERROR,           [RMI_EP_EV_RECONNECTING] = RM_EV_RECONNECTING,
        [RMI_EP_EV_RECOVERED] = RM_EV_RECOVERED,
    };
    struct rmi_endpoint_event in;
    while (!atomic_load(&t->destroying) && rmi_endpoint_poll_event(t->ep, &in)) {
        rm_event ev = {.type = types[in.type],
                       .signaling = (rm_signaling_state)in.signaling,
                       .peer_state = (rm_peer_state)in.state,
                       .err = in.err,
                       .attempt = in.attempt};
        uint32_t ms = (uint32_t)rmi_min64(in.duration_us / 1000, UINT32_MAX);
        *(in.type == RMI_EP_EV_RECOVERED ? &ev.recovery_ms : &ev.delay_ms) = ms;
        memcpy(ev.peer_id, in.peer_id, sizeof ev.peer_id);
        memcpy(ev.detail, in.detail, sizeof ev.detail);
        if (t->serve)
            rmi_serve_event(t->serve, &ev);
        rmi_webrtc_emit(t, &ev);
    }
}

static double step_ms(int64_t base_us, int64_t at_us) {
    return at_us ? (double)rmi_max64(at_us - base_us, 0) / 1000.0 : -1.0;
}

static const char *profile_name(enum rmi_srtp_profile p) {
    return p == RMI_SRTP_AEAD_AES_128_GCM    ? "AEAD_AES_128_GCM"
           : p == RMI_SRTP_AES128_CM_SHA1_80 ? "AES128_CM_SHA1_80"
                                             : "";
}

void rmi_webrtc_fill_info(const struct rm_webrtc *t, const struct rmi_peer_snapshot *s, rm_peer_info *out) {
    memset(out, 0, sizeof *out);
    memcpy(out->peer_id, s->peer_id, sizeof out->peer_id);
    out->state = (rm_peer_state)s->state;
    out->err = s->err;
    memcpy(out->detail, s->detail, sizeof out->detail);
    if (s->has_pair) {
        snprintf(out->local_type, sizeof out->local_type, "%s", rmi_cand_type_name(s->pair.local.type));
        snprintf(out->remote_type, sizeof out->remote_type, "%s", rmi_cand_type_name(s->pair.remote.type));
        rmi_addr_text(&s->pair.local.addr, out->local_address);
        rmi_addr_text(&s->pair.remote.addr, out->remote_address);
        out->rtt_ms = (double)s->pair.rtt_us / 1000.0;
    }
    out->srtp_profile = profile_name(s->srtp_profile);
    int64_t base = rmi_max64(rmi_endpoint_ready_us(t->ep), s->steps.created_us);
    out->negotiated_ms = step_ms(base, s->steps.negotiated_us);
    out->gathered_ms = step_ms(base, s->steps.gathered_us);
    out->checking_ms = step_ms(base, s->steps.checking_us);
    out->ice_ms = step_ms(base, s->steps.ice_connected_us);
    out->dtls_ms = step_ms(base, s->steps.dtls_us);
    out->connected_ms = step_ms(base, s->steps.connected_us);
    out->packets_in = s->stats.packets_in;
    out->packets_out = s->stats.packets_out;
    out->bytes_in = s->stats.bytes_in;
    out->bytes_out = s->stats.bytes_out;
    out->packets_dropped = s->stats.drop_unvalidated + s->stats.drop_unknown + s->stats.drop_srtp;
    out->candidate_pairs = s->ice.pairs;
}
