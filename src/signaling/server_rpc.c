/* SPDX-License-Identifier: Apache-2.0 */
#include "server_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_USER_DATA 1024 /* bytes of JSON; RemoteMedia's limit */
#define MAX_REASON 256
#define OWN_ROOM "server's own" /* no name that anybody else could give */

/* One message being served. */
struct call {
    struct rmi_sig_server *s;
    int64_t now_us;
    struct conn *c;
    const struct rmi_sig_dialect *dialect; /* of the method's name */
    struct rmi_rpc rpc;
    struct conn *target; /* set by for_target() */
};

/* Replies go out with id null to a message without an id: clients written for RemoteMedia's server rely on it. */
static void reply(struct call *call, json_t *result) {
    size_t len = 0;
    char *text = rmi_rpc_write_result(call->rpc.id, result, &len);
    rmi_sig_server_say(call->s, call->c, text, len);
}

static void refuse_with(struct call *call, int code, const char *message, json_t *data) {
    size_t len = 0;
    char *text = rmi_rpc_write_error(call->rpc.id, code, message, data, &len);
    call->s->stats.errors++;
    rmi_sig_server_say(call->s, call->c, text, len);
}

static void refuse(struct call *call, int code, const char *message, const char *reason) {
    refuse_with(call, code, message, reason ? json_pack("{s:s}", "reason", reason) : NULL);
}

/* The parameters cannot be read. RemoteMedia's server says it like this, and its clients know it like this. */
static void refuse_params(struct call *call, const char *message, const char *reason) {
    if (!rmi_sig_server_has_own(call->s) || call->dialect->one_server_error_code) {
        refuse(call, RMI_RPC_INVALID_PARAMS, message, reason);
        return;
    }
    json_t *id = call->rpc.id;
    call->rpc.id = NULL;
    refuse(call, RMI_RPC_INTERNAL, message, reason);
    call->rpc.id = id;
}

static int code_for(const struct call *call, int code) {
    return call->dialect->one_server_error_code ? RMI_RPC_PEER_NOT_FOUND : code;
}

static bool token_matches(const struct rmi_sig_server *s, const char *given) {
    if (!s->token)
        return true;
    if (!given || strnlen(given, RMI_SIG_MAX_TOKEN + 1) > RMI_SIG_MAX_TOKEN)
        return false;
    /* Constant time: how long the comparison takes must not tell how many bytes were right. */
    const size_t n = strlen(given), want = strlen(s->token);
    unsigned difference = n == want ? 0 : 1;
    for (size_t i = 0; i < n; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)s->token[want ? i % want : 0];
    return difference == 0;
}

static bool user_data_ok(const json_t *data) {
    if (!data || json_is_null(data))
        return true;
    return json_is_object(data) && json_dumpb(data, NULL, 0, JSON_COMPACT) <= MAX_USER_DATA;
}

/* Name of the room in the parameters ("" when absent); NULL when it is none. */
static const char *room_name(const json_t *params) {
    const json_t *room = json_object_get(params, "room");
    if (!room || json_is_null(room))
        return "";
    const char *name = json_string_value(room);
    return name && (!*name || rmi_sig_id_valid(name)) ? name : NULL;
}

static json_t *announce_result(const struct conn *c) {
    json_t *others = json_array();
    RMI_LIST_FOREACH (at, next, &c->room->members) {
        const struct conn *other = RMI_CONTAINER_OF(at, struct conn, member);
        if (other != c && !other->dead)
            json_array_append_new(others, json_string(other->peer_id));
    }
    const json_int_t peers = (json_int_t)json_array_size(others) + 1;
    return json_pack("{s:b, s:s, s:I, s:o}", "success", 1, "peer_id", c->peer_id, "peers_count", peers, "other_peers",
                     others);
}

/* The secret that makes a client known again; "" when none is given. */
static const char *instance_of(const json_t *params) {
    const char *instance = json_string_value(json_object_get(params, "instance"));
    return instance && rmi_sig_id_valid(instance) ? instance : "";
}

/* The id's holder, when it is an earlier connection of the same client: one whose address changed, or that broke
 * unnoticed, must not keep its own client out until pings find it dead. */
static struct conn *former_self(const struct call *call, struct conn *holder) {
    const char *instance = instance_of(call->rpc.params);
    return holder && holder != call->c && *instance && !strcmp(holder->instance, instance) ? holder : NULL;
}

/* The same announcement once more on the same connection, as after something repeated it on the way: it is answered as
 * the first time, as an error that overtook that answer would send its client away. */
static bool repeats_itself(const struct call *call, const char *name, const char *peer_id) {
    const struct conn *c = call->c;
    const char *instance = instance_of(call->rpc.params);
    return c->room && !c->own && *instance && !strcmp(c->instance, instance) && !strcmp(c->peer_id, peer_id) &&
           !strcmp(c->room->name, name);
}

static void enter_room(struct call *call, struct room *room, const char *peer_id) {
    struct conn *c = call->c;
    const json_t *params = call->rpc.params;
    json_t *user_data = json_object_get(params, "user_data");
    strcpy(c->peer_id, peer_id);
    strcpy(c->instance, instance_of(params));
    c->room = room;
    c->dialect = call->dialect;
    c->capabilities = rmi_sig_caps_parse(json_object_get(params, "capabilities"));
    c->user_data = json_is_object(user_data) ? json_incref(user_data) : NULL;
    c->announced_us = call->now_us;
    rmi_list_push_back(&room->members, &c->member);
    room->count++;
    call->s->stats.peers++;
    rmi_log(call->s->config.log, RMI_LOG_SIGNALING, RM_LOG_INFO, "connection %" PRIu64 " announced peer=%s room=%s",
            c->id, c->peer_id, room->name);
    reply(call, announce_result(c));
    rmi_sig_server_tell_room(call->s, c, RMI_SIG_M_JOINED);
}

static bool is_taken(const struct call *call, const struct room *room, const char *peer_id) {
    if (!rmi_sig_server_has_own(call->s))
        return room && rmi_sig_server_member(room, peer_id);
    const bool is_own = strcmp(peer_id, call->s->own_id) == 0;
    return is_own != call->c->own || rmi_sig_server_anywhere(call->s, peer_id);
}

static void on_announce(struct call *call) {
    const json_t *params = call->rpc.params;
    const char *peer_id = json_string_value(json_object_get(params, "peer_id"));
    const char *name = room_name(params);
    if (!call->c->own && !token_matches(call->s, json_string_value(json_object_get(params, "token")))) {
        refuse(call, RMI_RPC_INVALID_REQUEST, "not authorized", "wrong token");
        rmi_sig_server_kick(call->s, call->c, RMI_SIG_CLOSE_POLICY, "not authorized");
        return;
    }
    if (!peer_id) {
        refuse_params(call, "peer_id is missing", "peer_id");
        return;
    }
    if (!rmi_sig_id_valid(peer_id) || !name) {
        refuse(call, RMI_RPC_INVALID_PARAMS, "peer_id and room must match ^[A-Za-z0-9_-]{1,64}$", NULL);
        return;
    }
    if (!user_data_ok(json_object_get(params, "user_data"))) {
        refuse(call, RMI_RPC_INVALID_PARAMS, "user_data must be an object of at most 1024 bytes", NULL);
        return;
    }
    if (repeats_itself(call, name, peer_id)) {
        reply(call, announce_result(call->c));
        return;
    }
    if (call->c->own)
        name = OWN_ROOM;
    struct room *room = rmi_sig_server_room(call->s, name, false);
    struct conn *former = !call->c->room && room ? former_self(call, rmi_sig_server_member(room, peer_id)) : NULL;
    if (former) {
        rmi_sig_server_replace(call->s, former);
    } else if (call->c->room || is_taken(call, room, peer_id)) {
        refuse(call, code_for(call, RMI_RPC_INVALID_PARAMS), "peer already announced", "already announced");
        return;
    }
    if (room && room->count >= call->s->config.max_peers) {
        call->s->stats.refused++;
        refuse_with(call, RMI_RPC_SESSION_LIMIT, "the room is full",
                    json_pack("{s:I}", "max_peers", (json_int_t)call->s->config.max_peers));
        return;
    }
    if (!room && !(room = rmi_sig_server_room(call->s, name, true))) {
        refuse(call, RMI_RPC_INTERNAL, "out of memory", NULL);
        return;
    }
    enter_room(call, room, peer_id);
}

/* The sender is announced and does not pretend to be somebody else. */
static bool sender_ok(struct call *call) {
    const char *from = rmi_sig_from(call->rpc.params);
    if (!call->c->room)
        refuse(call, code_for(call, RMI_RPC_INVALID_REQUEST), "not announced", "announce first");
    else if (from && strcmp(from, call->c->peer_id) != 0 && !rmi_sig_server_has_own(call->s))
        refuse(call, RMI_RPC_INVALID_REQUEST, "from is not the announced id", "from");
    else
        return true;
    return false;
}

static bool target_ok(struct call *call) {
    const char *to = rmi_sig_to(call->rpc.params);
    if (!to) {
        refuse_params(call, "the target's id is missing", "to");
        return false;
    }
    call->target = rmi_sig_server_target(call->s, call->c, to);
    if (!call->target || call->target == call->c) {
        refuse(call, RMI_RPC_PEER_NOT_FOUND, "peer not found", "no such peer in the room");
        return false;
    }
    return true;
}

static json_t *delivered(const struct call *call, const char *offer_id) {
    if (!call->c->dialect->has_offer_id)
        return json_pack("{s:b, s:s}", "success", 1, "to_peer_id", call->target->peer_id);
    return json_pack("{s:s*, s:s}", "offer_id", offer_id, "to_peer_id", call->target->peer_id);
}

static void on_description(struct call *call, enum rmi_sig_method method) {
    const bool offer = method == RMI_SIG_M_OFFER;
    const char *sdp = json_string_value(json_object_get(call->rpc.params, "sdp"));
    const char *reason = NULL;
    if (!sdp || strlen(sdp) > RMI_SIG_MAX_SDP) {
        refuse_params(call, "sdp must be text of at most 65536 bytes", "sdp");
        return;
    }
    if (!rmi_sig_sdp_plausible(sdp, offer, &reason)) {
        refuse(call, offer ? RMI_RPC_OFFER_INVALID : RMI_RPC_ANSWER_INVALID, offer ? "invalid offer" : "invalid answer",
               reason);
        return;
    }
    if (!target_ok(call))
        return;
    struct conn *const to = call->target;
    if (!offer && call->c->own && rmi_sig_server_answer_offer(call->s, to, sdp)) {
        reply(call, delivered(call, NULL));
        return;
    }
    /* Two ids and the digits of a 64-bit number. */
    char offer_id[2 * RMI_SIG_MAX_ID + 32];
    snprintf(offer_id, sizeof offer_id, "%s_%s_%" PRId64, call->c->peer_id, to->peer_id, call->now_us / RMI_MS(1));
    json_t *params = rmi_sig_sdp_params(to->dialect, call->c->peer_id, to->peer_id, offer ? "offer" : "answer", sdp);
    if (offer && to->dialect->has_offer_id)
        json_object_set_new(params, "offer_id", json_string(offer_id));
    rmi_sig_server_notify(call->s, to, method, params);
    if (offer && to->own)
        rmi_sig_server_hold_offer(call->s, call->now_us, call->c, call->rpc.id);
    else
        reply(call, delivered(call, offer ? offer_id : NULL));
}

static void on_candidate(struct call *call) {
    struct rmi_sig_candidate cand;
    const rm_err err = rmi_sig_candidate_parse(call->rpc.params, &cand);
    if (err == RM_E_RPC_INVALID_PARAMS) {
        refuse_params(call, "invalid ICE candidate", "candidate must be text, an index a number");
        return;
    }
    if (err) {
        refuse(call, rmi_rpc_code_of_err(err), "invalid ICE candidate", "candidate must be empty or candidate:...");
        return;
    }
    if (!target_ok(call))
        return;
    struct conn *const to = call->target;
    json_t *params =
        rmi_sig_candidate_params(to->dialect, call->c->peer_id, to->peer_id, cand.text, cand.mid, cand.mline_index);
    if (to->own && !call->c->offered)
        rmi_sig_server_hold_candidate(call->c, params);
    else
        rmi_sig_server_notify(call->s, to, RMI_SIG_M_CANDIDATE, params);
    reply(call, delivered(call, NULL));
}

static void tell_disconnected(struct call *call, struct conn *to, const char *reason) {
    if (call->c->own && rmi_sig_server_refuse_offer(call->s, to, reason))
        return;
    json_t *p = rmi_sig_addressed(to->dialect, call->c->peer_id, to->peer_id);
    json_object_set_new(p, "peer_id", json_string(call->c->peer_id));
    if (reason)
        json_object_set_new(p, "reason", json_string(reason));
    rmi_sig_server_notify(call->s, to, RMI_SIG_M_DISCONNECTED, p);
}

/* peer_id names the target with some clients and the sender with others (then everybody is meant). */
static void on_disconnect(struct call *call) {
    const char *about = rmi_sig_to(call->rpc.params);
    const char *reason = json_string_value(json_object_get(call->rpc.params, "reason"));
    if (!about)
        about = json_string_value(json_object_get(call->rpc.params, "peer_id"));
    if (!about)
        about = call->c->peer_id;
    if (reason && strlen(reason) > MAX_REASON)
        reason = NULL;
    const bool everybody = strcmp(about, call->c->peer_id) == 0;
    RMI_LIST_FOREACH (at, next, &call->c->room->members) {
        struct conn *to = RMI_CONTAINER_OF(at, struct conn, member);
        if (to != call->c && !to->dead && (everybody || strcmp(to->peer_id, about) == 0))
            tell_disconnected(call, to, reason);
    }
    struct conn *other = call->c->own ? rmi_sig_server_anywhere(call->s, about) : call->s->own;
    if (other && other != call->c && (everybody || strcmp(other->peer_id, about) == 0))
        tell_disconnected(call, other, reason);
    reply(call, json_pack("{s:b, s:s}", "success", 1, "peer_id", about));
}

static json_t *describe(const struct call *call, const struct conn *c) {
    const int64_t since_us = c->announced_us + call->s->config.unix_offset_us;
    json_t *metadata = c->user_data ? json_incref(c->user_data) : json_object();
    return json_pack("{s:s, s:o, s:o, s:I, s:s}", "peer_id", c->peer_id, "capabilities",
                     rmi_sig_caps_write(call->dialect, c->capabilities), "metadata", metadata, "connected_at",
                     (json_int_t)(since_us / RMI_SEC(1)), "state", "connected");
}

/* A room is listed to those in it; without a token also to those who only ask (tools). */
static void on_list(struct call *call) {
    const char *name = room_name(call->rpc.params);
    if (!call->c->room && call->s->token) {
        refuse(call, code_for(call, RMI_RPC_INVALID_REQUEST), "not announced", "announce first");
        return;
    }
    if (!name) {
        refuse(call, RMI_RPC_INVALID_PARAMS, "room must match ^[A-Za-z0-9_-]{1,64}$", "room");
        return;
    }
    const struct room *room = call->c->room ? call->c->room : rmi_sig_server_room(call->s, name, false);
    json_t *peers = json_array();
    if (room) {
        RMI_LIST_FOREACH (at, next, &room->members) {
            const struct conn *c = RMI_CONTAINER_OF(at, struct conn, member);
            if (!c->dead)
                json_array_append_new(peers, describe(call, c));
        }
    }
    const json_int_t count = (json_int_t)json_array_size(peers);
    reply(call, json_pack("{s:o, s:I}", "peers", peers, "count", count));
}

static void on_other(struct call *call) {
    const struct rmi_sig_server_mode *mode = &call->s->config.mode;
    json_t *result = NULL;
    const char *reason = NULL;
    int code = RMI_RPC_METHOD_NOT_FOUND;
    if (rmi_sig_server_has_own(call->s) && mode->method)
        code = mode->method(mode->ctx, call->c->room ? call->c->peer_id : NULL, call->rpc.method, call->rpc.params,
                            &result, &reason);
    if (!code)
        reply(call, result);
    else if (code == RMI_RPC_METHOD_NOT_FOUND)
        refuse(call, code, "method not found", NULL);
    else
        refuse(call, code, reason ? reason : "refused", reason);
}

static void serve(struct call *call) {
    const enum rmi_sig_method method = rmi_sig_method_of(call->rpc.method, &call->dialect);
    if (call->c->room)
        call->dialect = call->c->dialect;
    switch (method) {
    case RMI_SIG_M_ANNOUNCE:
        on_announce(call);
        break;
    case RMI_SIG_M_OFFER:
    case RMI_SIG_M_ANSWER:
        if (sender_ok(call))
            on_description(call, method);
        break;
    case RMI_SIG_M_CANDIDATE:
        if (sender_ok(call))
            on_candidate(call);
        break;
    case RMI_SIG_M_DISCONNECT:
        if (sender_ok(call))
            on_disconnect(call);
        break;
    case RMI_SIG_M_LIST:
        on_list(call);
        break;
    default:
        on_other(call);
        break;
    }
}

void rmi_sig_server_handle(struct rmi_sig_server *s, int64_t now_us, struct conn *c, const char *text, size_t len) {
    struct call call = {.s = s, .now_us = now_us, .c = c, .dialect = c->dialect};
    const rm_err err = rmi_rpc_parse(text, len, &call.rpc);
    if (err == RM_E_PARSE)
        refuse(&call, RMI_RPC_PARSE, "not JSON", NULL);
    else if (err == RM_E_TOO_BIG)
        refuse(&call, RMI_RPC_INVALID_REQUEST, "over a limit of message size, depth, key or number", NULL);
    else if (err == RM_E_RPC_INVALID_PARAMS)
        refuse_params(&call, "params must be an object", NULL);
    else if (err)
        refuse(&call, RMI_RPC_INVALID_REQUEST, "not a JSON-RPC request", NULL);
    else if (call.rpc.kind == RMI_RPC_CALL)
        serve(&call);
    /* A result or an error: we never ask anything, so there is nothing it could belong to. */
    rmi_rpc_fini(&call.rpc);
}
