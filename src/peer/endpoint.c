/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/endpoint_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection that never gets its answer or never leaves "connecting" ends after this and the time ICE may take: an
 * answer may take 30 s, which signaling notices first. */
#define ANSWER_DEADLINE_US RMI_MS(30500)

/* A pair that cannot connect says so within 10 s, the way to the user included. */
#define DEFAULT_ICE_TIMEOUT_US RMI_MS(9500)
/* Servers are given up before that: their silence is often the reason. */
#define SERVER_TIMEOUT_US RMI_SEC(8)

/* A room holds tens of peers, not thousands: a returning server is found again within seconds, without a stampede. */
#define SIGNALING_BACKOFF_MAX_US RMI_SEC(5)

struct rmi_endpoint_event *rmi_ep_post(struct rmi_endpoint *ep, enum rmi_endpoint_event_type type,
                                       const char *peer_id) {
    struct rmi_ep_event_node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    if (ep->event_count == RMI_EP_EVENTS_MAX) {
        struct rmi_list *oldest = rmi_list_pop_front(&ep->events);
        free(RMI_CONTAINER_OF(oldest, struct rmi_ep_event_node, node));
        ep->event_count--;
    }
    n->ev.type = type;
    snprintf(n->ev.peer_id, sizeof n->ev.peer_id, "%s", peer_id ? peer_id : "");
    rmi_list_push_back(&ep->events, &n->node);
    ep->event_count++;
    return &n->ev;
}

struct rmi_ep_peer *rmi_ep_find(const struct rmi_endpoint *ep, const char *peer_id) {
    const struct rmi_list *head = &ep->peers;
    for (struct rmi_list *n = head->next; n != head; n = n->next) {
        struct rmi_ep_peer *p = RMI_CONTAINER_OF(n, struct rmi_ep_peer, node);
        if (!strcmp(p->id, peer_id))
            return p;
    }
    return NULL;
}

/* Sink of the peer connections: relay bases are wrapped by the gatherer, host bases pass through it. */
static void send_from_peer(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct rmi_endpoint *ep = ctx;
    rmi_gather_send(ep->gather, ep->now_us, base, to, data, len);
}

/* A relay sends datagrams of its own, so that marks on ours would end there (RFC 8656 12). */
static void send_from_peer_ect(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct rmi_endpoint *ep = ctx;
    const struct rmi_sink *sink = &ep->config.io.sink;
    if (rmi_gather_is_relay(base))
        rmi_gather_send(ep->gather, ep->now_us, base, to, data, len);
    else
        sink->send_ect(sink->ctx, base, to, data, len);
}

static void feed_candidates(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    struct rmi_candidate cands[RMI_ICE_LOCAL_MAX];
    rmi_base_id bases[RMI_ICE_LOCAL_MAX];
    size_t n = rmi_gather_candidates(ep->gather, cands, bases, RMI_ICE_LOCAL_MAX);
    for (size_t i = 0; i < n; i++)
        rmi_pc_local_candidate(p->pc, ep->now_us, bases[i], &cands[i]);
    if (ep->gather_started && !ep->gather_holds && rmi_gather_is_done(ep->gather))
        rmi_pc_local_done(p->pc, ep->now_us);
}

rm_err rmi_ep_add_peer(struct rmi_endpoint *ep, const char *peer_id, bool offerer, struct rmi_ep_peer **out) {
    if (!rmi_access_permits(&ep->access, peer_id))
        return RM_E_DENIED;
    if (ep->peer_count >= ep->config.max_peers)
        return RM_E_LIMIT;
    struct rmi_ep_peer *p = calloc(1, sizeof *p);
    if (!p)
        return RM_E_NO_MEMORY;
    snprintf(p->id, sizeof p->id, "%s", peer_id);
    p->tell = true;
    p->offerer = offerer;
    p->deadline_us = ep->now_us + ANSWER_DEADLINE_US + ep->config.ice_timeout_us;
    p->restart_us = RMI_NEVER;
    struct rmi_dtls_cert *own = ep->config.io.new_cert ? ep->config.io.new_cert(ep->config.io.ctx) : NULL;
    struct rmi_pc_config pcc = {
        .rng = ep->config.rng,
        .log = ep->config.log,
        .name = p->id,
        .sink = {.send = send_from_peer,
                 .ctx = ep,
                 .send_ect = ep->config.io.sink.send_ect ? send_from_peer_ect : NULL},
        .mux = ep->mux,
        .mux_owner = p,
        .cert = own ? own : ep->config.cert,
        .offerer = offerer,
        .polite = strcmp(ep->peer_id, peer_id) < 0, /* the lexicographically smaller id is polite */
        .relay_only = ep->config.relay_only,
        .audio = ep->config.audio,
        .video = ep->config.video,
        .data = ep->config.data,
        .ecn = ep->config.ecn,
        .video_first = ep->config.video_first,
        .liveness_us = ep->config.liveness_us,
        .ice_timeout_us = ep->config.ice_timeout_us,
        .stream_id = ep->peer_id,
    };
    p->ep = ep;
    rm_err err = ep->config.io.new_cert && !own ? RM_E_NO_MEMORY : rmi_pc_create(&pcc, ep->now_us, &p->pc);
    rmi_dtls_cert_unref(&own);
    if (!err)
        err = rmi_ep_media_open(ep, p);
    if (err) {
        rmi_pc_destroy(&p->pc);
        free(p);
        return err;
    }
    rmi_list_push_back(&ep->peers, &p->node);
    ep->peer_count++;
    rmi_ep_recovery_begun(ep, p->id);
    rmi_pc_set_relay_error(p->pc, ep->relay_err);
    feed_candidates(ep, p);
    *out = p;
    return RM_OK;
}

static void snapshot_of(const struct rmi_ep_peer *p, struct rmi_peer_snapshot *s) {
    memset(s, 0, sizeof *s);
    snprintf(s->peer_id, sizeof s->peer_id, "%s", p->id);
    s->state = rmi_pc_state_of(p->pc);
    s->err = rmi_pc_error(p->pc);
    snprintf(s->detail, sizeof s->detail, "%s", rmi_pc_error_detail(p->pc));
    s->has_pair = rmi_ice_selected_pair(rmi_pc_ice(p->pc), &s->pair);
    s->srtp_profile = rmi_pc_srtp_profile(p->pc);
    s->steps = *rmi_pc_steps_of(p->pc);
    rmi_pc_get_stats(p->pc, &s->stats);
    rmi_ice_get_stats(rmi_pc_ice(p->pc), &s->ice);
}

static void drop_ended(struct rmi_endpoint *ep, size_t index) {
    ep->ended_count--;
    memmove(ep->ended + index, ep->ended + index + 1, (ep->ended_count - index) * sizeof *ep->ended);
}

/* A peer that is called again and again must not push out the others, nor look failed once it is back. */
static void forget_ended(struct rmi_endpoint *ep, const char *peer_id) {
    for (size_t i = ep->ended_count; i-- > 0;)
        if (!strcmp(ep->ended[i].peer_id, peer_id))
            drop_ended(ep, i);
}

static void remember(struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    forget_ended(ep, p->id);
    if (ep->ended_count == RMI_EP_ENDED_MAX)
        drop_ended(ep, 0);
    struct rmi_peer_snapshot *s = &ep->ended[ep->ended_count++];
    snapshot_of(p, s);
    s->ended = true;
}

/* A failure names the connection by the peer's o= id, so that a late word about it does not end the next one. */
static void tell_end(struct rmi_endpoint *ep, const struct rmi_ep_peer *p) {
    char reason[64] = "closed";
    rm_err err = rmi_pc_error(p->pc);
    uint64_t session = rmi_pc_remote_session(p->pc);
    if (err && session)
        snprintf(reason, sizeof reason, "%s %" PRIu64, rm_err_name(err), session);
    else if (err)
        snprintf(reason, sizeof reason, "%s", rm_err_name(err));
    rmi_sig_client_disconnect_peer(ep->sig, ep->now_us, p->id, reason);
}

static void remove_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    if (p->tell && !p->left)
        tell_end(ep, p);
    remember(ep, p);
    rmi_list_remove(&p->node);
    ep->peer_count--;
    if (rmi_pc_state_of(p->pc) == RMI_PC_FAILED)
        rmi_ep_recovery_failed(ep, p);
    else if (!p->superseded)
        rmi_ep_recovery_cancel(ep, p->id);
    rmi_ep_media_close(ep, p);
    rmi_ep_data_close(p);
    rmi_pc_destroy(&p->pc);
    free(p->offer);
    free(p);
}

void rmi_ep_drain_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p) {
    struct rmi_pc_event ev;
    while (rmi_pc_poll_event(p->pc, &ev)) {
        struct rmi_endpoint_event *out;
        switch (ev.type) {
        case RMI_PC_EV_STATE:
            out = rmi_ep_post(ep, RMI_EP_EV_PEER_STATE, p->id);
            if (out) {
                out->state = ev.state;
                out->err = ev.err;
                snprintf(out->detail, sizeof out->detail, "%s", ev.detail);
            }
            if (ev.state == RMI_PC_CONNECTED) {
                forget_ended(ep, p->id);
                rmi_ep_recovery_up(ep, p);
                rmi_ep_path_back(ep, p);
            }
            if (ev.state == RMI_PC_DISCONNECTED)
                rmi_ep_path_lost(ep, p);
            break;
        case RMI_PC_EV_LOCAL_DESCRIPTION:
            rmi_ep_signal_description(ep, p, ev.sdp_type, ev.sdp);
            free(ev.sdp);
            break;
        case RMI_PC_EV_LOCAL_CANDIDATE:
            rmi_sig_client_candidate(ep->sig, ep->now_us, p->id, ev.text, ev.mid[0] ? ev.mid : NULL, ev.mline);
            break;
        case RMI_PC_EV_RESOLVE:
            ep->config.io.resolve(ep->config.io.ctx, ev.hostname, p->id, ev.resolve_id);
            break;
        case RMI_PC_EV_SELECTED_PAIR:
            break;
        case RMI_PC_EV_SILENCE:
            rmi_ep_path_doubted(ep, p);
            break;
        }
    }
    rmi_ep_media_step(ep, p);
    rmi_ep_data_step(ep, p);
    if (rmi_pc_state_of(p->pc) >= RMI_PC_FAILED)
        remove_peer(ep, p);
}

static bool is_turn_error(rm_err err) {
    return err == RM_E_TURN_AUTH || err == RM_E_TURN_QUOTA || err == RM_E_TURN_TIMEOUT || err == RM_E_TURN_REFUSED;
}

static void on_gather_error(struct rmi_endpoint *ep, const struct rmi_gather_event *ev) {
    struct rmi_endpoint_event *out = rmi_ep_post(ep, RMI_EP_EV_ERROR, NULL);
    char addr[RMI_ADDR_TEXT_MAX];
    if (out) {
        out->err = ev->err;
        snprintf(out->detail, sizeof out->detail, "server %s: %s", rmi_addr_text(&ev->server, addr), ev->detail);
    }
    if (is_turn_error(ev->err) && !rmi_gather_has_relay(ep->gather))
        ep->relay_err = ev->err;
}

static void tell_peer(struct rmi_endpoint *ep, struct rmi_ep_peer *p, const struct rmi_gather_event *ev) {
    switch (ev->type) {
    case RMI_GATHER_CANDIDATE:
        rmi_pc_set_relay_error(p->pc, ep->relay_err);
        rmi_pc_local_candidate(p->pc, ep->now_us, ev->base, &ev->candidate);
        break;
    case RMI_GATHER_GONE:
        rmi_pc_base_gone(p->pc, ep->now_us, ev->base);
        break;
    case RMI_GATHER_BACK:
        break;
    case RMI_GATHER_DONE:
        if (!ep->gather_holds)
            rmi_pc_local_done(p->pc, ep->now_us);
        break;
    case RMI_GATHER_ERROR:
        rmi_pc_set_relay_error(p->pc, ep->relay_err);
        break;
    }
}

static void drain_gather(struct rmi_endpoint *ep) {
    struct rmi_gather_event ev;
    while (rmi_gather_poll_event(ep->gather, &ev)) {
        if (ev.type == RMI_GATHER_ERROR)
            on_gather_error(ep, &ev);
        if (ev.type == RMI_GATHER_BACK)
            rmi_ep_path_network_back(ep);
        if (ev.type == RMI_GATHER_CANDIDATE && ev.candidate.type == RMI_CAND_RELAY)
            ep->relay_err = RM_OK;
        RMI_LIST_FOREACH (node, next, &ep->peers) {
            tell_peer(ep, RMI_CONTAINER_OF(node, struct rmi_ep_peer, node), &ev);
        }
    }
}

void rmi_ep_settle(struct rmi_endpoint *ep) {
    drain_gather(ep);
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        rmi_ep_drain_peer(ep, RMI_CONTAINER_OF(node, struct rmi_ep_peer, node));
    }
    rmi_ep_drain_signaling(ep);
}

rm_err rmi_endpoint_create(const struct rmi_endpoint_config *config, int64_t now_us, struct rmi_endpoint **out) {
    if (!config->peer_id || config->max_peers < 1 || config->max_peers > RMI_MESH_PEERS_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_endpoint *ep = calloc(1, sizeof *ep);
    if (!ep)
        return RM_E_NO_MEMORY;
    ep->config = *config;
    ep->config.cert = rmi_dtls_cert_ref(config->cert);
    if (!ep->config.ice_timeout_us)
        ep->config.ice_timeout_us = DEFAULT_ICE_TIMEOUT_US;
    ep->config.room = ep->config.token = NULL; /* the signaling client has its copies */
    ep->now_us = ep->refreshed_us = now_us;
    rmi_list_init(&ep->peers);
    rmi_cc_share_init(&ep->share);
    rmi_list_init(&ep->recoveries);
    rmi_list_init(&ep->early);
    rmi_list_init(&ep->events);
    snprintf(ep->peer_id, sizeof ep->peer_id, "%s", config->peer_id);
    ep->config.peer_id = ep->peer_id;
    struct rmi_gather_config gc = {.rng = config->rng,
                                   .log = config->log,
                                   .sink = config->io.sink,
                                   .relay_only = config->relay_only,
                                   .timeout_us = SERVER_TIMEOUT_US};
    struct rmi_sig_client_config sc;
    rmi_sig_client_config_init(&sc);
    sc.backoff_max_us = SIGNALING_BACKOFF_MAX_US;
    sc.peer_id = config->peer_id;
    sc.room = config->room;
    sc.token = config->token;
    sc.capabilities = (config->audio ? RMI_SIG_CAP_AUDIO : 0u) | (config->video ? RMI_SIG_CAP_VIDEO : 0u) |
                      (config->data ? RMI_SIG_CAP_DATA : 0u);
    sc.rng = config->rng;
    sc.log = config->log;
    ep->config.allowed = ep->config.denied = NULL; /* kept in ep->access */
    rm_err err = rmi_access_set(&ep->access, config->allowed, config->denied);
    if (!err)
        err = rmi_gather_create(&gc, &ep->gather);
    if (!err)
        err = rmi_mux_create(&ep->mux);
    if (!err)
        err = rmi_sig_client_create(&sc, &ep->sig);
    if (err) {
        rmi_endpoint_destroy(&ep);
        return err;
    }
    *out = ep;
    return RM_OK;
}

void rmi_endpoint_destroy(struct rmi_endpoint **pep) {
    struct rmi_endpoint *ep = *pep;
    if (!ep)
        return;
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        struct rmi_ep_peer *p = RMI_CONTAINER_OF(node, struct rmi_ep_peer, node);
        rmi_ep_media_close(ep, p);
        rmi_ep_data_close(p);
        rmi_pc_destroy(&p->pc);
        free(p->offer);
        free(p);
    }
    rmi_ep_recovery_clear(ep);
    rmi_ep_early_clear(ep);
    struct rmi_endpoint_event ev;
    while (rmi_endpoint_poll_event(ep, &ev))
        continue;
    rmi_sig_client_destroy(&ep->sig);
    rmi_gather_destroy(&ep->gather);
    rmi_mux_destroy(&ep->mux);
    rmi_dtls_cert_unref(&ep->config.cert);
    rmi_access_fini(&ep->access);
    free(ep);
    *pep = NULL;
}

void rmi_endpoint_start(struct rmi_endpoint *ep, int64_t now_us) {
    ep->now_us = now_us;
    ep->gather_started = true;
    rmi_gather_start(ep->gather, now_us);
    rmi_sig_client_start(ep->sig, now_us);
    rmi_ep_settle(ep);
}

void rmi_endpoint_close(struct rmi_endpoint *ep, int64_t now_us) {
    if (ep->closed)
        return;
    ep->closed = true;
    ep->now_us = now_us;
    rmi_ep_recovery_clear(ep);
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        struct rmi_ep_peer *p = RMI_CONTAINER_OF(node, struct rmi_ep_peer, node);
        rmi_ep_media_end(ep, p);
        rmi_ep_drain_peer(ep, p);
    }
    rmi_gather_close(ep->gather, now_us);
    rmi_ep_drain_signaling(ep);
    rmi_sig_client_leave(ep->sig, now_us);
    rmi_ep_settle(ep);
}

rm_err rmi_endpoint_add_host(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base, const struct rmi_addr *addr,
                             uint16_t local_pref) {
    ep->now_us = now_us;
    rm_err err = rmi_gather_add_host(ep->gather, now_us, base, addr, local_pref);
    rmi_ep_settle(ep);
    return err;
}

void rmi_endpoint_remove_host(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base) {
    ep->now_us = now_us;
    rmi_gather_remove_host(ep->gather, now_us, base);
    rmi_ep_settle(ep);
}

rm_err rmi_endpoint_add_stun(struct rmi_endpoint *ep, const struct rmi_addr *server) {
    return rmi_gather_add_stun(ep->gather, server);
}

rm_err rmi_endpoint_add_turn(struct rmi_endpoint *ep, const struct rmi_turn_server *server) {
    return rmi_gather_add_turn(ep->gather, server);
}

void rmi_endpoint_hold_gathering(struct rmi_endpoint *ep) {
    ep->gather_holds++;
}

void rmi_endpoint_release_gathering(struct rmi_endpoint *ep, int64_t now_us) {
    ep->now_us = now_us;
    drain_gather(ep);
    if (ep->gather_holds && --ep->gather_holds == 0 && ep->gather_started && rmi_gather_is_done(ep->gather)) {
        RMI_LIST_FOREACH (node, next, &ep->peers) {
            rmi_pc_local_done(RMI_CONTAINER_OF(node, struct rmi_ep_peer, node)->pc, now_us);
        }
    }
    rmi_ep_settle(ep);
}

void rmi_endpoint_datagram(struct rmi_endpoint *ep, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                           enum rmi_ecn ecn, uint8_t *data, size_t len) {
    ep->now_us = now_us;
    ep->stats.datagrams_in++;
    struct rmi_gather_inner inner = {.base = base, .from = *from, .data = data, .len = len};
    switch (rmi_gather_input(ep->gather, now_us, base, from, data, len, &inner)) {
    case RMI_GATHER_CONSUMED:
        rmi_ep_settle(ep);
        return;
    case RMI_GATHER_NOT_MINE:
        inner = (struct rmi_gather_inner){.base = base, .from = *from, .data = data, .len = len};
        break;
    case RMI_GATHER_RELAYED:
        break;
    }
    struct rmi_ep_peer *p = rmi_mux_find(ep->mux, inner.base, &inner.from, inner.data, inner.len);
    if (!p) {
        ep->stats.datagrams_unowned++;
        return;
    }
    rmi_pc_input(p->pc, now_us, inner.base, &inner.from, ecn, inner.data, inner.len);
    rmi_ep_drain_peer(ep, p);
    rmi_ep_drain_signaling(ep);
}

void rmi_endpoint_batch_begin(struct rmi_endpoint *ep) {
    ep->holding = true;
}

void rmi_endpoint_batch_end(struct rmi_endpoint *ep, int64_t now_us) {
    ep->now_us = now_us;
    ep->holding = false;
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        rmi_ep_data_release(RMI_CONTAINER_OF(node, struct rmi_ep_peer, node), now_us);
    }
}

void rmi_endpoint_resolved(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id, uint32_t resolve_id,
                           const struct rmi_addr *addr) {
    ep->now_us = now_us;
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p)
        return;
    rmi_pc_resolved(p->pc, now_us, resolve_id, addr);
    rmi_ep_settle(ep);
}

rm_err rmi_endpoint_connect_peer(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id) {
    ep->now_us = now_us;
    if (!rmi_sig_id_valid(peer_id) || !strcmp(peer_id, ep->peer_id))
        return RM_E_INVALID_ARG;
    if (rmi_ep_find(ep, peer_id))
        return RM_E_EXISTS;
    if (rmi_sig_client_state(ep->sig) != RMI_SIG_READY)
        return RM_E_STATE;
    rmi_ep_recovery_asked(ep, peer_id);
    rm_err err = rmi_ep_offer_to(ep, peer_id);
    rmi_ep_settle(ep);
    return err;
}

rm_err rmi_endpoint_disconnect_peer(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id) {
    ep->now_us = now_us;
    bool due = rmi_ep_recovery_cancel(ep, peer_id);
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p && !due)
        return RM_E_NOT_FOUND;
    if (p) {
        rmi_ep_media_end(ep, p);
    } else {
        rmi_sig_client_disconnect_peer(ep->sig, now_us, peer_id, "closed"); /* it would call, too */
        struct rmi_endpoint_event *ev = rmi_ep_post(ep, RMI_EP_EV_PEER_STATE, peer_id);
        if (ev)
            ev->state = RMI_PC_CLOSED;
    }
    rmi_ep_settle(ep);
    return RM_OK;
}

rm_err rmi_endpoint_set_access(struct rmi_endpoint *ep, int64_t now_us, const char *allowed, const char *denied) {
    ep->now_us = now_us;
    rm_err err = rmi_access_set(&ep->access, allowed, denied);
    if (err)
        return err;
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        struct rmi_ep_peer *p = RMI_CONTAINER_OF(node, struct rmi_ep_peer, node);
        if (!rmi_access_permits(&ep->access, p->id))
            rmi_pc_abort(p->pc, now_us, RM_E_DENIED, "ended here: see allowed_peers and denied_peers");
    }
    rmi_ep_settle(ep);
    return RM_OK;
}

rm_err rmi_endpoint_restart_ice(struct rmi_endpoint *ep, int64_t now_us, const char *peer_id) {
    ep->now_us = now_us;
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    if (!p)
        return RM_E_NOT_FOUND;
    rm_err err = rmi_pc_restart_ice(p->pc, now_us);
    rmi_ep_settle(ep);
    return err;
}

static int64_t connect_deadline(const struct rmi_ep_peer *p) {
    return rmi_pc_steps_of(p->pc)->connected_us ? RMI_NEVER : p->deadline_us;
}

int64_t rmi_endpoint_next_deadline(const struct rmi_endpoint *ep) {
    int64_t t = rmi_min64(rmi_gather_next_deadline(ep->gather), rmi_sig_client_next_deadline(ep->sig));
    t = rmi_min64(t, rmi_ep_recovery_deadline(ep));
    const struct rmi_list *head = &ep->peers;
    for (struct rmi_list *n = head->next; n != head; n = n->next) {
        const struct rmi_ep_peer *p = RMI_CONTAINER_OF(n, struct rmi_ep_peer, node);
        t = rmi_min64(t, rmi_min64(rmi_pc_next_deadline(p->pc), connect_deadline(p)));
        t = rmi_min64(t, rmi_ep_path_deadline(ep, p));
        if (p->rtp)
            t = rmi_min64(t, rmi_rtp_session_next_deadline(p->rtp));
        t = rmi_min64(t, rmi_ep_data_deadline(p));
    }
    return t;
}

void rmi_endpoint_timeout(struct rmi_endpoint *ep, int64_t now_us) {
    ep->now_us = now_us;
    if (rmi_gather_next_deadline(ep->gather) <= now_us)
        rmi_gather_timeout(ep->gather, now_us);
    if (rmi_sig_client_next_deadline(ep->sig) <= now_us)
        rmi_sig_client_timeout(ep->sig, now_us);
    RMI_LIST_FOREACH (node, next, &ep->peers) {
        struct rmi_ep_peer *p = RMI_CONTAINER_OF(node, struct rmi_ep_peer, node);
        rmi_pc_timeout(p->pc, now_us);
        if (p->rtp && rmi_rtp_session_next_deadline(p->rtp) <= now_us)
            rmi_rtp_session_timeout(p->rtp, now_us);
        if (rmi_ep_data_deadline(p) <= now_us)
            rmi_ep_data_timeout(ep, p);
        if (connect_deadline(p) <= now_us)
            rmi_pc_abort(p->pc, now_us, RM_E_CONNECTION_TIMEOUT, "not connected in time");
        rmi_ep_path_run(ep, p);
    }
    rmi_ep_recovery_run(ep);
    rmi_ep_settle(ep);
}

bool rmi_endpoint_poll_event(struct rmi_endpoint *ep, struct rmi_endpoint_event *out) {
    struct rmi_list *node = rmi_list_pop_front(&ep->events);
    if (!node)
        return false;
    struct rmi_ep_event_node *n = RMI_CONTAINER_OF(node, struct rmi_ep_event_node, node);
    *out = n->ev;
    ep->event_count--;
    free(n);
    return true;
}

size_t rmi_endpoint_snapshot_count(const struct rmi_endpoint *ep) {
    return ep->peer_count + ep->ended_count;
}

bool rmi_endpoint_snapshot(const struct rmi_endpoint *ep, size_t index, struct rmi_peer_snapshot *out) {
    const struct rmi_list *head = &ep->peers;
    for (struct rmi_list *n = head->next; n != head; n = n->next, index--)
        if (index == 0) {
            snapshot_of(RMI_CONTAINER_OF(n, struct rmi_ep_peer, node), out);
            return true;
        }
    if (index >= ep->ended_count)
        return false;
    *out = ep->ended[index];
    return true;
}

struct rmi_pc *rmi_endpoint_peer(const struct rmi_endpoint *ep, const char *peer_id) {
    struct rmi_ep_peer *p = rmi_ep_find(ep, peer_id);
    return p ? p->pc : NULL;
}

int64_t rmi_endpoint_ready_us(const struct rmi_endpoint *ep) {
    return ep->ready_us;
}

void rmi_endpoint_get_stats(const struct rmi_endpoint *ep, struct rmi_endpoint_stats *out) {
    *out = ep->stats;
    out->peers = (uint32_t)ep->peer_count;
}
