/* SPDX-License-Identifier: Apache-2.0 */
#include "client_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Text of the other side, made fit for a log line and an event: bounded, one line. */
static void printable(char out[MAX_TEXT + 1], const char *text) {
    size_t n = strnlen(text, MAX_TEXT);
    while (n > 0 && text[n] && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--; /* do not cut inside a UTF-8 sequence */
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    out[n] = '\0';
}

static bool mentions(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (; text && *text; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == word[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* Servers have no code for a taken id, only words. */
static bool says_taken(const char *text) {
    return mentions(text, "already") || mentions(text, "taken") || mentions(text, "exists") ||
           mentions(text, "in use") || mentions(text, "duplicate");
}

static void announce_refused(struct rmi_sig_client *c, int64_t now_us, int64_t code, const char *message,
                             const json_t *data) {
    const char *reason = json_string_value(json_is_string(data) ? data : json_object_get(data, "reason"));
    char text[MAX_TEXT + 1];
    printable(text, message);
    rmi_sig_client_announce_refused(c, now_us, code, text, says_taken(message) || says_taken(reason));
}

static void on_announce_reply(struct rmi_sig_client *c, int64_t now_us, const struct rmi_rpc *rpc) {
    if (rpc->kind == RMI_RPC_ERROR)
        announce_refused(c, now_us, rpc->code, rpc->message, rpc->data);
    else if (json_is_false(json_object_get(rpc->result, "success")))
        announce_refused(c, now_us, 0, "the server says success: false", NULL);
    else
        rmi_sig_client_announced(c, now_us, rpc->result);
}

/* A server that is itself a peer answers inside the reply to the offer. */
static bool take_answer_in_result(struct rmi_sig_client *c, const struct pending *p, const json_t *result) {
    const char *type = json_string_value(json_object_get(result, "type"));
    const char *sdp = json_string_value(json_object_get(result, "sdp"));
    const char *from = rmi_sig_from(result);
    if (!type || strcmp(type, "answer") != 0 || !sdp)
        return false;
    if (strlen(sdp) > RMI_SIG_MAX_SDP || (from && strcmp(from, p->to) != 0)) {
        c->stats.misaddressed++;
        return false;
    }
    rmi_sig_emit(c, &(struct rmi_sig_event){
                        .type = RMI_SIG_EV_ANSWER, .state = c->state, .peer = p->to, .sdp = sdp, .mline_index = -1});
    return true;
}

static void on_result(struct rmi_sig_client *c, struct pending *p, const json_t *result) {
    if (json_is_false(json_object_get(result, "success"))) {
        rmi_sig_emit_failed(c, p->kind, p->to, RM_E_RPC_OTHER, 0, "the server says success: false");
    } else if (p->kind == RMI_SIG_REQ_OFFER && !take_answer_in_result(c, p, result)) {
        p->id = -1; /* forwarded; the answer comes by itself */
        return;
    } else if (p->kind == RMI_SIG_REQ_CANDIDATE && json_is_false(json_object_get(result, "buffered"))) {
        rmi_sig_emit_failed(c, p->kind, p->to, RM_E_AGAIN, 0, "the peer is not ready for candidates");
    }
    rmi_sig_pending_drop(c, p);
}

static void on_reply(struct rmi_sig_client *c, int64_t now_us, const struct rmi_rpc *rpc) {
    /* Some errors come with id null: while we announce, only the announcement can be meant. */
    if (c->state == RMI_SIG_ANNOUNCING && (!rpc->id || rmi_rpc_id_is(rpc->id, c->announce_id))) {
        on_announce_reply(c, now_us, rpc);
        return;
    }
    struct pending *p = rpc->id ? rmi_sig_pending_by_id(c, rmi_rpc_id_int(rpc->id)) : NULL;
    if (p && rpc->kind == RMI_RPC_RESULT) {
        on_result(c, p, rpc->result);
        return;
    }
    if (rpc->kind == RMI_RPC_RESULT || (rpc->id && !p)) {
        c->stats.unmatched++;
        return;
    }
    char text[MAX_TEXT + 1];
    printable(text, rpc->message);
    const rm_err err = rmi_rpc_err_of_code(rpc->code);
    /* Saying goodbye to a peer that is gone already is no fault. */
    const bool harmless = p && p->kind == RMI_SIG_REQ_DISCONNECT && err == RM_E_PEER_NOT_FOUND;
    rmi_log(c->config.log, RMI_LOG_SIGNALING, harmless ? RM_LOG_DEBUG : RM_LOG_WARN,
            "peer=%s request to %s refused: %s (%lld %s)", c->id, p ? p->to : "?", rm_err_name(err),
            (long long)rpc->code, text);
    rmi_sig_emit_failed(c, p ? p->kind : RMI_SIG_REQ_NONE, p ? p->to : "", err, rpc->code, text);
    if (p)
        rmi_sig_pending_drop(c, p);
}

/* A sender's id: valid, and not our own. */
static const char *sender(struct rmi_sig_client *c, const char *id) {
    if (id && rmi_sig_id_valid(id) && strcmp(id, c->id) != 0)
        return id;
    c->stats.misaddressed++;
    return NULL;
}

static void on_description(struct rmi_sig_client *c, const json_t *params, enum rmi_sig_event_type event,
                           const char *expected_type) {
    const char *from = sender(c, rmi_sig_from(params));
    const char *sdp = json_string_value(json_object_get(params, "sdp"));
    const char *type = json_string_value(json_object_get(params, "type"));
    if (!from)
        return;
    if (!sdp || strlen(sdp) > RMI_SIG_MAX_SDP || (type && strcmp(type, expected_type) != 0)) {
        c->stats.malformed++;
        return;
    }
    struct pending *offer = event == RMI_SIG_EV_ANSWER ? rmi_sig_pending_offer(c, from) : NULL;
    if (offer)
        rmi_sig_pending_drop(c, offer);
    rmi_sig_emit(
        c, &(struct rmi_sig_event){.type = event, .state = c->state, .peer = from, .sdp = sdp, .mline_index = -1});
}

static void on_candidate(struct rmi_sig_client *c, const json_t *params) {
    const char *from = sender(c, rmi_sig_from(params));
    struct rmi_sig_candidate cand;
    if (!from)
        return;
    if (rmi_sig_candidate_parse(params, &cand)) {
        c->stats.malformed++;
        return;
    }
    rmi_sig_emit(c, &(struct rmi_sig_event){.type = RMI_SIG_EV_CANDIDATE,
                                            .state = c->state,
                                            .peer = from,
                                            .candidate = cand.text,
                                            .mid = cand.mid,
                                            .mline_index = cand.mline_index,
                                            .end = !cand.text[0]});
}

static const char *subject(const json_t *params) {
    static const char *const keys[] = {"peer_id", "from", "from_peer_id", NULL};
    return rmi_sig_member(params, keys);
}

static void on_joined(struct rmi_sig_client *c, const json_t *params) {
    const char *peer = sender(c, subject(params));
    if (peer)
        rmi_sig_emit(
            c, &(struct rmi_sig_event){.type = RMI_SIG_EV_PEER_JOINED,
                                       .state = c->state,
                                       .peer = peer,
                                       .mline_index = -1,
                                       .capabilities = rmi_sig_caps_parse(json_object_get(params, "capabilities"))});
}

static void on_left(struct rmi_sig_client *c, const json_t *params) {
    const char *peer = sender(c, subject(params));
    if (!peer)
        return;
    struct pending *offer = rmi_sig_pending_offer(c, peer);
    if (offer) {
        rmi_sig_emit_failed(c, RMI_SIG_REQ_OFFER, peer, RM_E_PEER_NOT_FOUND, 0, "the peer left before its answer");
        rmi_sig_pending_drop(c, offer);
    }
    rmi_sig_emit(
        c, &(struct rmi_sig_event){.type = RMI_SIG_EV_PEER_LEFT, .state = c->state, .peer = peer, .mline_index = -1});
}

/* `peer_id` names the sender with some servers and the receiver with others: it is the sender unless it is us. With
 * only our own id in it nobody can tell who went; "left" follows when that connection closes. */
static void on_disconnected(struct rmi_sig_client *c, const json_t *params) {
    const char *from = rmi_sig_from(params);
    const char *peer = sender(c, from ? from : subject(params));
    if (!peer)
        return;
    const char *reason = json_string_value(json_object_get(params, "reason"));
    char text[MAX_TEXT + 1];
    printable(text, reason ? reason : "");
    struct pending *offer = rmi_sig_pending_offer(c, peer);
    if (offer)
        rmi_sig_pending_drop(c, offer);
    rmi_sig_emit(
        c, &(struct rmi_sig_event){
               .type = RMI_SIG_EV_PEER_DISCONNECTED, .state = c->state, .peer = peer, .text = text, .mline_index = -1});
}

static void dispatch(struct rmi_sig_client *c, enum rmi_sig_method method, const json_t *params) {
    switch (method) {
    case RMI_SIG_M_OFFER:
        on_description(c, params, RMI_SIG_EV_OFFER, "offer");
        break;
    case RMI_SIG_M_ANSWER:
        on_description(c, params, RMI_SIG_EV_ANSWER, "answer");
        break;
    case RMI_SIG_M_CANDIDATE:
        on_candidate(c, params);
        break;
    case RMI_SIG_M_ANNOUNCE:
    case RMI_SIG_M_JOINED:
        on_joined(c, params);
        break;
    case RMI_SIG_M_LEFT:
        on_left(c, params);
        break;
    case RMI_SIG_M_DISCONNECT:
    case RMI_SIG_M_DISCONNECTED:
        on_disconnected(c, params);
        break;
    default: /* STATE_CHANGE: ICE tells us the same earlier */
        break;
    }
}

/* A request is owed a reply, but a flood of requests must not crowd out our own messages. */
static void reply(struct rmi_sig_client *c, json_t *id, bool known) {
    if (!id || c->output_count >= MAX_OUTPUT / 2)
        return;
    size_t len = 0;
    char *text = known ? rmi_rpc_write_result(id, json_pack("{s:b}", "success", 1), &len)
                       : rmi_rpc_write_error(id, RMI_RPC_METHOD_NOT_FOUND, "method not found", NULL, &len);
    (void)rmi_sig_put_out(c, text, len);
}

static void on_call(struct rmi_sig_client *c, const struct rmi_rpc *rpc) {
    const enum rmi_sig_method method = rmi_sig_method_of(rpc->method, NULL);
    if (method == RMI_SIG_M_UNKNOWN || method == RMI_SIG_M_LIST) {
        c->stats.unknown_methods++;
        reply(c, rpc->id, false);
        return;
    }
    const char *to = rmi_sig_to(rpc->params);
    if (to && strcmp(to, c->id) != 0)
        c->stats.misaddressed++;
    else
        dispatch(c, method, rpc->params);
    reply(c, rpc->id, true);
}

/* A peer may act on our arrival before the server's reply reaches us. Its offer must not be seen before ANNOUNCED: the
 * answer could not be sent yet. */
static void hold(struct rmi_sig_client *c, const char *text, size_t len) {
    if (c->held_count >= MAX_HELD || c->held_bytes + len > MAX_HELD_BYTES) {
        c->stats.events_dropped++;
        return;
    }
    char *copy = malloc(len + 1);
    if (!copy)
        return;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (rmi_sig_list_add(&c->held, copy, len))
        return;
    c->held_count++;
    c->held_bytes += len;
}

void rmi_sig_client_handle(struct rmi_sig_client *c, int64_t now_us, const char *text, size_t len) {
    struct rmi_rpc rpc;
    const rm_err err = rmi_rpc_parse(text, len, &rpc);
    if (err) {
        c->stats.malformed++;
        rmi_log(c->config.log, RMI_LOG_SIGNALING, RM_LOG_WARN, "peer=%s message of %zu bytes ignored: %s", c->id, len,
                rm_err_name(err));
    } else if (rpc.kind != RMI_RPC_CALL) {
        on_reply(c, now_us, &rpc);
    } else if (c->state == RMI_SIG_ANNOUNCING) {
        hold(c, text, len);
    } else {
        on_call(c, &rpc);
    }
    rmi_rpc_fini(&rpc);
}

void rmi_sig_client_input(struct rmi_sig_client *c, int64_t now_us, const char *text, size_t len) {
    if (c->state != RMI_SIG_ANNOUNCING && c->state != RMI_SIG_READY)
        return;
    c->stats.messages_in++;
    rmi_sig_client_handle(c, now_us, text, len);
}
