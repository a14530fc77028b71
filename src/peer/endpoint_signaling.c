/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoint makes of signaling: who is there, who offers, and what offers, answers and candidates do. */
#include "peer/endpoint_private.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void post_error(struct rmi_endpoint *ep, const char *peer_id, rm_err err, const char *detail) {
    struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_ERROR, peer_id);
    if (!ev)
        return;
    ev->err = err;
    snprintf(ev->detail, sizeof ev->detail, "%s", detail && detail[0] ? detail : rm_strerror(err));
}

/* The first offer stays at hand until the connection is made: see joined_while_negotiating. */
static void keep_offer(struct rmi_ep_peer *p, const char *sdp) {
    free(p->offer);
    p->offer = rmi_pc_steps_of(p->pc)->connected_us ? NULL : strdup(sdp); /* without memory for it: as told once */
}

void rmi_ep_signal_description(struct rmi_endpoint *ep, struct rmi_ep_peer *p, enum rmi_sdp_type type,
                               const char *sdp) {
    rm_err err = type == RMI_SDP_OFFER ? rmi_sig_client_offer(ep->sig, ep->now_us, p->id, sdp)
                                       : rmi_sig_client_answer(ep->sig, ep->now_us, p->id, sdp);
    if (type == RMI_SDP_OFFER)
        keep_offer(p, sdp);
    if (!err)
        return;
    if (type == RMI_SDP_OFFER && rmi_pc_steps_of(p->pc)->connected_us) {
        rmi_pc_offer_lost(p->pc, ep->now_us);
        post_error(ep, p->id, err, "a new offer could not be signaled; the connection goes on as it was");
    } else {
        rmi_pc_abort(p->pc, ep->now_us, err, NULL);
    }
}

rm_err rmi_ep_offer_to(struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_peer *p;
    rm_err err = rmi_ep_add_peer(ep, peer_id, true, &p);
    if (err)
        return err;
    err = rmi_pc_offer(p->pc, ep->now_us);
    if (err)
        rmi_pc_abort(p->pc, ep->now_us, err, NULL);
    rmi_ep_drain_peer(ep, p);
    return err;
}

/* Ends a connection without telling the peer: it began anew or said goodbye itself. */
static void drop_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    p->tell = false;
    rmi_pc_close(p->pc, ep->now_us);
    rmi_ep_drain_peer(ep, p);
}

static bool was_connected(const struct rmi_ep_peer *p) {
    return rmi_pc_steps_of(p->pc)->connected_us != 0;
}

/* The next connection to the peer takes the place of this one. */
static void replace_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    p->superseded = true;
    drop_peer(ep, p);
}

/* A peer that has not connected yet comes to the room. What it offered may have overtaken this news, or the news comes
 * twice: a peer that began anew offers anew. What we offered it may never have had: it gets the same text once more, so
 * that it does not matter whether it has had it. */
static void joined_while_negotiating(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->offerer && p->offer && rmi_pc_negotiated(p->pc)->state == RMI_JSEP_HAVE_LOCAL_OFFER)
        (void)rmi_sig_client_offer(ep->sig, ep->now_us, p->id, p->offer);
}

/* `joined`: it came after us; else our own announcement names it. */
static void found(struct rmi_endpoint *ep, const char *peer_id, bool joined) {
    rmi_ep_post(ep, RMI_EP_EV_PEER_FOUND, peer_id);
    rmi_ep_recovery_here(ep, peer_id);
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (p) {
        p->left = false;
        if (was_connected(p)) { /* signaling came back; the connection never went */
            rmi_ep_path_retry(ep, p);
            return;
        }
        if (joined) {
            joined_while_negotiating(ep, p);
            return;
        }
        bool ours = p->offerer;
        replace_peer(ep, p); /* half-done negotiation of our earlier signaling session */
        if (ours)
            rmi_ep_recovery_resume(ep, peer_id);
    }
    if (joined || !ep->config.auto_connect || !rmi_access_permits(&ep->access, peer_id))
        return;
    rm_err err = rmi_ep_offer_to(ep, peer_id);
    if (err)
        post_error(ep, peer_id, err, err == RM_E_LIMIT ? "max_peers connections exist already" : NULL);
}

static void on_offer(struct rmi_endpoint *ep, const char *from, const char *sdp) {
    size_t len = strlen(sdp);
    struct rmi_ep_peer *p = rmi_ep_find(ep, from);
    if (p && !rmi_pc_same_session(p->pc, sdp, len)) {
        replace_peer(ep, p); /* the peer started over (crash, reload, failure): its new session replaces the old one */
        p = NULL;
    }
    bool fresh = !p;
    if (fresh) {
        rm_err err = rmi_ep_add_peer(ep, from, false, &p);
        if (err) {
            ep->stats.refused_peers += err == RM_E_LIMIT || err == RM_E_DENIED;
            rmi_sig_client_disconnect_peer(ep->sig, ep->now_us, from, rm_err_name(err));
            post_error(ep, from, err,
                       err == RM_E_LIMIT    ? "offer refused: max_peers connections exist"
                       : err == RM_E_DENIED ? "offer refused: see allowed_peers and denied_peers"
                                            : NULL);
            return;
        }
        rmi_ep_early_take(ep, p);
    }
    char detail[256];
    rm_err err = rmi_pc_remote_description(p->pc, ep->now_us, RMI_SDP_OFFER, sdp, len, detail);
    if (err && err != RM_E_NEGOTIATION_IN_PROGRESS) {
        ep->stats.drop_signaling++;
        if (fresh)
            rmi_pc_abort(p->pc, ep->now_us, err, detail);
        else
            post_error(ep, from, err, detail);
    }
    if (!err && !was_connected(p))
        p->offerer = false; /* after glare, too: ours was taken back */
    rmi_ep_drain_peer(ep, p);
}

static void on_answer(struct rmi_endpoint *ep, const char *from, const char *sdp) {
    struct rmi_ep_peer *p = rmi_ep_find(ep, from);
    if (!p || rmi_pc_negotiated(p->pc)->state != RMI_JSEP_HAVE_LOCAL_OFFER) {
        ep->stats.drop_signaling++; /* an answer nobody asked for */
        return;
    }
    char detail[256];
    rm_err err = rmi_pc_remote_description(p->pc, ep->now_us, RMI_SDP_ANSWER, sdp, strlen(sdp), detail);
    if (err == RM_E_STATE) {
        ep->stats.drop_signaling++; /* meant for an earlier offer, perhaps of an earlier holder of our id: ours still
                                       waits */
    } else if (err) {
        ep->stats.drop_signaling++;
        if (was_connected(p)) {
            rmi_pc_offer_lost(p->pc, ep->now_us);
            post_error(ep, from, err, detail);
        } else {
            rmi_pc_abort(p->pc, ep->now_us, err, detail);
        }
    } else if (p->resend_candidates) {
        p->resend_candidates = false;
        rmi_pc_repost_candidates(p->pc);
    }
    rmi_ep_drain_peer(ep, p);
}

static void on_candidate(struct rmi_endpoint *ep, const struct rmi_sig_event *ev) {
    struct rmi_ep_peer *p = rmi_ep_find(ep, ev->peer);
    if (!p) {
        ep->stats.drop_signaling++; /* unexpected, even if of use later */
        rmi_ep_early_keep(ep, ev->peer, ev->candidate);
        return;
    }
    if (rmi_pc_remote_candidate(p->pc, ep->now_us, ev->candidate, strlen(ev->candidate)))
        ep->stats.drop_signaling++;
    rmi_ep_drain_peer(ep, p);
}

static void on_left(struct rmi_endpoint *ep, const char *peer_id) {
    rmi_ep_post(ep, RMI_EP_EV_PEER_LEFT, peer_id);
    rmi_ep_recovery_cancel(ep, peer_id);
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p)
        return;
    p->left = true;
    p->left_us = ep->now_us;
    if (!was_connected(p))
        rmi_pc_abort(p->pc, ep->now_us, RM_E_PEER_NOT_FOUND, "the peer left while connecting");
    rmi_ep_drain_peer(ep, p);
}

/* "NAME", or "NAME SESSION" (see tell_end). Returns RM_E_CLOSED for any other text. */
static rm_err read_reason(const char *reason, uint64_t *session) {
    char name[64];
    const char *space = strchr(reason, ' ');
    size_t len = space ? (size_t)(space - reason) : strlen(reason);
    *session = 0;
    if (len >= sizeof name)
        return RM_E_CLOSED;
    memcpy(name, reason, len);
    name[len] = '\0';
    rm_err err = rmi_err_by_name(name, RM_E_CLOSED);
    if (err != RM_E_CLOSED && space)
        *session = strtoull(space + 1, NULL, 10);
    return err;
}

/* What is to be done about a failure that the other side names. */
static const char *remedy_there(rm_err err) {
    switch (err) {
    case RM_E_LIMIT:
        return "it has as many connections as its max_peers allows; raise that there, or call when somebody has left";
    case RM_E_DENIED:
        return "its allowed_peers and denied_peers keep us out; its owner can change them";
    default:
        return rm_strerror(err);
    }
}

/* A goodbye; or, when it names an error or nothing was connected yet, the other side's failure, whose reason is ours to
 * report too. */
static void on_disconnected(struct rmi_endpoint *ep, const char *from, const char *reason) {
    struct rmi_ep_peer *p = rmi_ep_find(ep, from);
    uint64_t session;
    rm_err err = read_reason(reason, &session);
    if (err == RM_E_CLOSED)
        rmi_ep_recovery_cancel(ep, from);
    if (!p || (session && session != rmi_pc_session(p->pc)))
        return; /* nothing is left to end, or it is about an earlier connection */
    bool was_up = was_connected(p) || rmi_pc_steps_of(p->pc)->dtls_us;
    if (was_up && err == RM_E_CLOSED) {
        drop_peer(ep, p);
        return;
    }
    char detail[256];
    if (err == RM_E_CLOSED)
        snprintf(detail, sizeof detail, "the peer gave up: %.200s", reason[0] ? reason : "no reason given");
    else
        snprintf(detail, sizeof detail, "the peer gave up: %s: %s", rm_err_name(err), remedy_there(err));
    if (!was_up && ep->relay_err && (err == RM_E_ICE_FAILED || err == RM_E_ICE_NO_RELAY))
        err = ep->relay_err; /* it found no path, and the one missing is ours: the better reason */
    p->tell = false;
    rmi_pc_abort(p->pc, ep->now_us, err, detail);
    rmi_ep_drain_peer(ep, p);
}

static void on_request_failed(struct rmi_endpoint *ep, const struct rmi_sig_event *ev) {
    struct rmi_ep_peer *p = ev->peer[0] ? rmi_ep_find(ep, ev->peer) : NULL;
    if (ev->request == RMI_SIG_REQ_DISCONNECT)
        return; /* the peer is gone already: what was wanted */
    if (ev->request == RMI_SIG_REQ_CANDIDATE && ev->err == RM_E_AGAIN && p) {
        p->resend_candidates = true;
        return;
    }
    bool ends = p && !was_connected(p) && ev->err != RM_E_SIGNALING &&
                (ev->request == RMI_SIG_REQ_OFFER || ev->request == RMI_SIG_REQ_ANSWER);
    if (ends) {
        p->tell = false;
        rmi_pc_abort(p->pc, ep->now_us, ev->err, ev->text);
        rmi_ep_drain_peer(ep, p);
        return;
    }
    if (p && was_connected(p) && ev->request == RMI_SIG_REQ_OFFER)
        rmi_pc_offer_lost(p->pc, ep->now_us);
    post_error(ep, ev->peer, ev->err, ev->text);
}

static void on_state(struct rmi_endpoint *ep, const struct rmi_sig_event *ev) {
    static const enum rmi_ep_signaling map[] = {
        [RMI_SIG_DISCONNECTED] = RMI_EP_SIG_DOWN,     [RMI_SIG_CONNECTING] = RMI_EP_SIG_CONNECTING,
        [RMI_SIG_ANNOUNCING] = RMI_EP_SIG_CONNECTING, [RMI_SIG_READY] = RMI_EP_SIG_READY,
        [RMI_SIG_FAILED] = RMI_EP_SIG_FAILED,
    };
    if (ev->state == RMI_SIG_ANNOUNCING)
        return; /* still connecting for the user */
    struct rmi_endpoint_event *out = rmi_ep_post(ep, RMI_EP_EV_SIGNALING, NULL);
    if (!out)
        return;
    out->signaling = map[ev->state];
    out->err = ev->err;
    snprintf(out->detail, sizeof out->detail, "%s", ev->text);
}

static void handle(struct rmi_endpoint *ep, const struct rmi_sig_event *ev) {
    switch (ev->type) {
    case RMI_SIG_EV_OPEN_SOCKET:
        ep->config.io.socket_open(ep->config.io.ctx);
        break;
    case RMI_SIG_EV_CLOSE_SOCKET:
        ep->config.io.socket_close(ep->config.io.ctx);
        break;
    case RMI_SIG_EV_STATE:
        on_state(ep, ev);
        break;
    case RMI_SIG_EV_ANNOUNCED:
        if (!ep->ready_us)
            ep->ready_us = ep->now_us;
        rmi_ep_recovery_all_away(ep);
        for (size_t i = 0; i < ev->others_count && !ep->closed; i++)
            found(ep, ev->others[i], false);
        break;
    case RMI_SIG_EV_PEER_JOINED:
        found(ep, ev->peer, true);
        break;
    case RMI_SIG_EV_PEER_LEFT:
        on_left(ep, ev->peer);
        break;
    case RMI_SIG_EV_OFFER:
        if (!ep->closed)
            on_offer(ep, ev->peer, ev->sdp);
        break;
    case RMI_SIG_EV_ANSWER:
        on_answer(ep, ev->peer, ev->sdp);
        break;
    case RMI_SIG_EV_CANDIDATE:
        on_candidate(ep, ev);
        break;
    case RMI_SIG_EV_PEER_DISCONNECTED:
        on_disconnected(ep, ev->peer, ev->text);
        break;
    case RMI_SIG_EV_REQUEST_FAILED:
        on_request_failed(ep, ev);
        break;
    }
}

void rmi_ep_drain_signaling(struct rmi_endpoint *ep) {
    struct rmi_sig_event ev;
    const char *text;
    size_t len;
    for (;;) {
        while (!rmi_sig_client_poll_output(ep->sig, &text, &len))
            ep->config.io.socket_send(ep->config.io.ctx, text, len);
        if (rmi_sig_client_poll_event(ep->sig, &ev))
            return;
        handle(ep, &ev);
    }
}

void rmi_endpoint_signaling_up(struct rmi_endpoint *ep, int64_t now_us) {
    ep->now_us = now_us;
    rmi_sig_client_connected(ep->sig, now_us);
    rmi_ep_settle(ep);
}

void rmi_endpoint_signaling_down(struct rmi_endpoint *ep, int64_t now_us, rm_err why, const char *detail) {
    ep->now_us = now_us;
    rmi_sig_client_disconnected(ep->sig, now_us, why, detail);
    rmi_ep_settle(ep);
}

void rmi_endpoint_signaling_text(struct rmi_endpoint *ep, int64_t now_us, const char *text, size_t len) {
    ep->now_us = now_us;
    rmi_sig_client_input(ep->sig, now_us, text, len);
    rmi_ep_settle(ep);
}
