/* SPDX-License-Identifier: Apache-2.0 */
#include "client_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANNOUNCE_TIMEOUT_US RMI_SEC(10) /* timeouts of the RemoteMedia signaling protocol */
#define ANSWER_TIMEOUT_US RMI_SEC(30)
#define BACKOFF_INITIAL_US RMI_MS(500)
#define BACKOFF_MAX_US RMI_SEC(30)
#define BACKOFF_MULTIPLIER 2.0
/* A connection that lasted this long counts as a success: the next loss begins at the shortest wait again. A server
 * that accepts and dies at once must not be hammered. */
#define STABLE_US RMI_SEC(5)
/* With the default waits these take 46 to 91 s: longer than a server needs to notice a dead connection (30 to 45 s). */
#define GHOST_TRIES 8

static const char *const state_names[] = {
    [RMI_SIG_DISCONNECTED] = "disconnected",
    [RMI_SIG_CONNECTING] = "connecting",
    [RMI_SIG_ANNOUNCING] = "announcing",
    [RMI_SIG_READY] = "ready",
    [RMI_SIG_FAILED] = "failed",
};

const char *rmi_sig_state_name(enum rmi_sig_state state) {
    return (unsigned)state <= RMI_SIG_FAILED ? state_names[state] : "unknown";
}

void rmi_sig_client_config_init(struct rmi_sig_client_config *config) {
    *config = (struct rmi_sig_client_config){
        .announce_timeout_us = ANNOUNCE_TIMEOUT_US,
        .answer_timeout_us = ANSWER_TIMEOUT_US,
        .backoff_initial_us = BACKOFF_INITIAL_US,
        .backoff_max_us = BACKOFF_MAX_US,
        .backoff_multiplier = BACKOFF_MULTIPLIER,
    };
}

/* Text that is not UTF-8 could never be sent. */
static bool token_ok(const char *token) {
    json_t *text = strnlen(token, RMI_SIG_MAX_TOKEN + 1) <= RMI_SIG_MAX_TOKEN ? json_string(token) : NULL;
    json_decref(text);
    return text != NULL;
}

static bool config_ok(const struct rmi_sig_client_config *config) {
    const bool ids = config->peer_id && rmi_sig_id_valid(config->peer_id) &&
                     (!config->room || !*config->room || rmi_sig_id_valid(config->room));
    const bool times = config->announce_timeout_us > 0 && config->answer_timeout_us > 0 &&
                       config->backoff_initial_us > 0 && config->backoff_max_us >= config->backoff_initial_us &&
                       config->backoff_multiplier >= 1.0;
    return ids && times && config->rng.fill && (!config->token || token_ok(config->token));
}

rm_err rmi_sig_client_create(const struct rmi_sig_client_config *config, struct rmi_sig_client **out) {
    if (!config_ok(config))
        return RM_E_INVALID_ARG;
    struct rmi_sig_client *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    rmi_list_init(&c->output);
    rmi_list_init(&c->events);
    rmi_list_init(&c->pending);
    rmi_list_init(&c->held);
    rmi_list_init(&c->spares);
    c->config = *config;
    strcpy(c->id, config->peer_id);
    strcpy(c->room, config->room ? config->room : "");
    c->dialect = &rmi_sig_dialect_peer;
    c->deadline = RMI_NEVER;
    c->next_id = 1;
    uint8_t instance[INSTANCE_BYTES];
    rmi_rng_fill(&c->config.rng, instance, sizeof instance);
    for (size_t i = 0; i < sizeof instance; i++)
        snprintf(c->instance + 2 * i, 3, "%02x", instance[i]);
    if (rmi_sig_make_spares(c) || (config->token && !(c->token = strdup(config->token)))) {
        rmi_sig_client_destroy(&c);
        return RM_E_NO_MEMORY;
    }
    c->config.peer_id = c->config.room = c->config.token = NULL;
    *out = c;
    return RM_OK;
}

void rmi_sig_client_destroy(struct rmi_sig_client **client) {
    struct rmi_sig_client *c = client ? *client : NULL;
    if (!c)
        return;
    *client = NULL;
    rmi_sig_pending_clear(c, RM_OK);
    rmi_sig_list_clear(&c->held);
    rmi_sig_list_clear(&c->output);
    RMI_LIST_FOREACH (at, next, &c->events) {
        free(RMI_CONTAINER_OF(at, struct event_node, node));
    }
    RMI_LIST_FOREACH (spare, following, &c->spares) {
        free(RMI_CONTAINER_OF(spare, struct event_node, node));
    }
    if (c->current_output)
        free(c->current_output->text);
    free(c->current_output);
    free(c->current_event);
    free(c->token);
    free(c);
}

static void set_state(struct rmi_sig_client *c, enum rmi_sig_state state, rm_err err, const char *text) {
    if (c->state == state)
        return;
    rmi_log(c->config.log, RMI_LOG_SIGNALING, state == RMI_SIG_FAILED ? RM_LOG_ERROR : RM_LOG_INFO,
            "peer=%s signaling %s->%s (%s%s%s)", c->id, state_names[c->state], state_names[state], rm_err_name(err),
            text && *text ? ": " : "", text ? text : "");
    c->state = state;
    rmi_sig_emit(c, &(struct rmi_sig_event){
                        .type = RMI_SIG_EV_STATE, .state = state, .err = err, .text = text, .mline_index = -1});
}

static void ask_socket(struct rmi_sig_client *c, enum rmi_sig_event_type what) {
    rmi_sig_emit(c, &(struct rmi_sig_event){.type = what, .state = c->state, .mline_index = -1});
}

static void clear_output(struct rmi_sig_client *c) {
    rmi_sig_list_clear(&c->output);
    c->output_count = 0;
}

static void open_socket(struct rmi_sig_client *c, int64_t now_us) {
    clear_output(c); /* nothing meant for an earlier connection */
    c->deadline = now_us + c->config.announce_timeout_us;
    set_state(c, RMI_SIG_CONNECTING, RM_OK, NULL);
    ask_socket(c, RMI_SIG_EV_OPEN_SOCKET);
}

/* What belonged to the connection that is gone. */
static void forget_connection(struct rmi_sig_client *c, rm_err offers) {
    rmi_sig_pending_clear(c, offers);
    rmi_sig_list_clear(&c->held);
    c->held_count = c->held_bytes = 0;
    c->announce_id = -1;
}

static int64_t backoff_us(struct rmi_sig_client *c) {
    double nominal = (double)c->config.backoff_initial_us;
    for (unsigned i = 0; i < c->attempt && nominal < (double)c->config.backoff_max_us; i++)
        nominal *= c->config.backoff_multiplier;
    const int64_t wait = rmi_min64((int64_t)nominal, c->config.backoff_max_us);
    if (nominal < (double)c->config.backoff_max_us)
        c->attempt++;
    /* 50 to 100 %: clients that lost the same server at the same time must not return at the same time. */
    return (int64_t)rmi_rng_range(&c->config.rng, (uint64_t)(wait / 2), (uint64_t)wait);
}

/* The connection is gone, but we shall be back. */
static void lose(struct rmi_sig_client *c, int64_t now_us, rm_err err, const char *text) {
    if (c->state == RMI_SIG_READY && now_us - c->ready_since >= STABLE_US)
        c->attempt = 0;
    forget_connection(c, RM_E_SIGNALING);
    clear_output(c);
    c->stats.losses++;
    c->deadline = now_us + backoff_us(c);
    set_state(c, RMI_SIG_DISCONNECTED, err, text);
}

static void drop_socket(struct rmi_sig_client *c, int64_t now_us, rm_err err, const char *text) {
    ask_socket(c, RMI_SIG_EV_CLOSE_SOCKET);
    lose(c, now_us, err, text);
}

rm_err rmi_sig_client_start(struct rmi_sig_client *c, int64_t now_us) {
    if (c->running && c->state != RMI_SIG_FAILED)
        return RM_E_STATE;
    c->running = true;
    c->was_ready = false;
    c->attempt = c->ghost_tries = 0;
    open_socket(c, now_us);
    return RM_OK;
}

void rmi_sig_client_retry_now(struct rmi_sig_client *c, int64_t now_us) {
    if (c->running && c->state == RMI_SIG_DISCONNECTED)
        open_socket(c, now_us);
}

void rmi_sig_client_renew(struct rmi_sig_client *c, int64_t now_us, const char *why) {
    if (!c->running || c->state == RMI_SIG_FAILED)
        return;
    if (c->state != RMI_SIG_DISCONNECTED)
        drop_socket(c, now_us, RM_E_SIGNALING, why);
    open_socket(c, now_us);
}

static json_t *announce_params(const struct rmi_sig_client *c) {
    json_t *p = json_object();
    bool ok = json_object_set_new(p, "peer_id", json_string(c->id)) == 0;
    ok = ok && json_object_set_new(p, "capabilities", rmi_sig_caps_write(c->dialect, c->config.capabilities)) == 0;
    if (*c->room)
        ok = ok && json_object_set_new(p, "room", json_string(c->room)) == 0;
    if (c->token)
        ok = ok && json_object_set_new(p, "token", json_string(c->token)) == 0;
    ok = ok && json_object_set_new(p, "instance", json_string(c->instance)) == 0;
    if (ok)
        return p;
    json_decref(p);
    return NULL;
}

static void announce(struct rmi_sig_client *c, int64_t now_us) {
    c->announce_id = c->next_id++;
    c->deadline = now_us + c->config.announce_timeout_us;
    json_t *params = announce_params(c);
    size_t len = 0;
    char *text = NULL;
    if (params)
        text = rmi_rpc_write_request(c->dialect->methods[RMI_SIG_M_ANNOUNCE], c->announce_id, params, &len);
    if (rmi_sig_put_out(c, text, len))
        drop_socket(c, now_us, RM_E_NO_MEMORY, "no memory for the announcement");
}

void rmi_sig_client_connected(struct rmi_sig_client *c, int64_t now_us) {
    if (c->state != RMI_SIG_CONNECTING)
        return;
    c->dialect = &rmi_sig_dialect_peer;
    set_state(c, RMI_SIG_ANNOUNCING, RM_OK, NULL);
    announce(c, now_us);
}

void rmi_sig_client_disconnected(struct rmi_sig_client *c, int64_t now_us, rm_err why, const char *detail) {
    if (c->state == RMI_SIG_CONNECTING || c->state == RMI_SIG_ANNOUNCING || c->state == RMI_SIG_READY)
        lose(c, now_us, why ? why : RM_E_SIGNALING, detail);
}

/* The ids of an announcement's result: an array of strings, or of objects as in a list of peers. */
static size_t read_others(const struct rmi_sig_client *c, const json_t *list, const char **out) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list) && n < MAX_OTHERS; i++) {
        const json_t *entry = json_array_get(list, i);
        const char *id = json_string_value(json_is_object(entry) ? json_object_get(entry, "peer_id") : entry);
        bool take = id && rmi_sig_id_valid(id) && strcmp(id, c->id) != 0;
        for (size_t k = 0; take && k < n; k++)
            take = strcmp(out[k], id) != 0;
        if (take)
            out[n++] = id;
    }
    return n;
}

void rmi_sig_client_announced(struct rmi_sig_client *c, int64_t now_us, const json_t *result) {
    const char *others[MAX_OTHERS];
    const size_t n = read_others(c, json_object_get(result, "other_peers"), others);
    c->deadline = RMI_NEVER;
    c->announce_id = -1;
    c->ghost_tries = 0;
    c->was_ready = true;
    c->ready_since = now_us;
    set_state(c, RMI_SIG_READY, RM_OK, c->dialect->name);
    if (!rmi_sig_emit(c, &(struct rmi_sig_event){.type = RMI_SIG_EV_ANNOUNCED,
                                                 .state = c->state,
                                                 .others = others,
                                                 .others_count = n,
                                                 .mline_index = -1})) {
        drop_socket(c, now_us, RM_E_NO_MEMORY, "no memory for who is in the room"); /* asked again */
        return;
    }
    /* Now those that came before the reply, in their order; none of them can add to the list again. */
    struct rmi_list held = c->held;
    if (rmi_list_empty(&c->held))
        return;
    held.next->prev = held.prev->next = &held;
    rmi_list_init(&c->held);
    c->held_count = c->held_bytes = 0;
    RMI_LIST_FOREACH (at, next, &held) {
        const struct text_node *node = RMI_CONTAINER_OF(at, struct text_node, node);
        rmi_sig_client_handle(c, now_us, node->text, node->len);
    }
    rmi_sig_list_clear(&held);
}

static void fail(struct rmi_sig_client *c, rm_err err, int64_t code, const char *text) {
    rmi_sig_emit_failed(c, RMI_SIG_REQ_ANNOUNCE, "", err, code, text);
    ask_socket(c, RMI_SIG_EV_CLOSE_SOCKET);
    forget_connection(c, RM_E_SIGNALING);
    c->deadline = RMI_NEVER;
    set_state(c, RMI_SIG_FAILED, err, text);
}

void rmi_sig_client_announce_refused(struct rmi_sig_client *c, int64_t now_us, int64_t code, const char *text,
                                     bool taken) {
    rm_err err = rmi_rpc_err_of_code(code);
    switch (code) {
    case RMI_RPC_METHOD_NOT_FOUND:
        if (c->dialect == &rmi_sig_dialect_peer) {
            c->dialect = &rmi_sig_dialect_unprefixed;
            announce(c, now_us);
            return;
        }
        break;
    case RMI_RPC_INVALID_PARAMS:
    case RMI_RPC_PEER_NOT_FOUND: /* the un-prefixed dialect's only code of its own */
        if (c->was_ready && c->ghost_tries < GHOST_TRIES) {
            c->ghost_tries++;
            drop_socket(c, now_us, RM_E_EXISTS, text);
            return;
        }
        err = taken ? RM_E_EXISTS : err;
        break;
    case RMI_RPC_NEGOTIATION_IN_PROGRESS: /* older documents of the protocol: the number of "room is full" */
        err = RM_E_SESSION_LIMIT;
        break;
    case RMI_RPC_SESSION_LIMIT:
    case RMI_RPC_INVALID_REQUEST:
        break;
    default: /* the server's own trouble: it may pass */
        rmi_sig_emit_failed(c, RMI_SIG_REQ_ANNOUNCE, "", err, code, text);
        drop_socket(c, now_us, err, text);
        return;
    }
    fail(c, err, code, text);
}

/* Whether a message to `to` can be sent now. */
static rm_err sendable(const struct rmi_sig_client *c, const char *to, rm_err while_away) {
    if (!to || !rmi_sig_id_valid(to) || strcmp(to, c->id) == 0)
        return RM_E_INVALID_ARG;
    if (!c->running || c->state == RMI_SIG_FAILED)
        return RM_E_CLOSED;
    return c->state == RMI_SIG_READY ? RM_OK : while_away;
}

static bool sdp_ok(const char *sdp) {
    return sdp && *sdp && strnlen(sdp, RMI_SIG_MAX_SDP + 1) <= RMI_SIG_MAX_SDP;
}

rm_err rmi_sig_client_offer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *sdp) {
    rm_err err = sdp_ok(sdp) ? sendable(c, to, RM_E_AGAIN) : RM_E_INVALID_ARG;
    if (err)
        return err;
    struct pending *earlier = rmi_sig_pending_offer(c, to);
    err =
        rmi_sig_send_request(c, now_us, RMI_SIG_REQ_OFFER, to, rmi_sig_sdp_params(c->dialect, c->id, to, "offer", sdp));
    if (!err && earlier)
        rmi_sig_pending_drop(c, earlier); /* the newer one replaces it */
    return err;
}

rm_err rmi_sig_client_answer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *sdp) {
    rm_err err = sdp_ok(sdp) ? sendable(c, to, RM_E_SIGNALING) : RM_E_INVALID_ARG;
    if (err)
        return err;
    struct pending *ours = rmi_sig_pending_offer(c, to);
    err = rmi_sig_send_request(c, now_us, RMI_SIG_REQ_ANSWER, to,
                               rmi_sig_sdp_params(c->dialect, c->id, to, "answer", sdp));
    if (!err && ours)
        rmi_sig_pending_drop(c, ours); /* glare: answering theirs means ours was rolled back */
    return err;
}

rm_err rmi_sig_client_candidate(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *text,
                                const char *mid, int mline_index) {
    if (!text || strnlen(text, RMI_SIG_MAX_CANDIDATE + 1) > RMI_SIG_MAX_CANDIDATE ||
        (mid && strnlen(mid, RMI_SIG_MAX_MID + 1) > RMI_SIG_MAX_MID) || mline_index < -1 || mline_index > UINT16_MAX)
        return RM_E_INVALID_ARG;
    const rm_err err = sendable(c, to, RM_E_SIGNALING);
    if (err)
        return err;
    return rmi_sig_send_request(c, now_us, RMI_SIG_REQ_CANDIDATE, to,
                                rmi_sig_candidate_params(c->dialect, c->id, to, text, mid, mline_index));
}

static json_t *disconnect_params(const struct rmi_sig_client *c, const char *about, const char *reason) {
    json_t *p = rmi_sig_addressed(c->dialect, c->id, about);
    bool ok = json_object_set_new(p, "peer_id", json_string(about)) == 0;
    if (reason && *reason)
        ok = ok && json_object_set_new(p, "reason", json_string(reason)) == 0;
    if (ok)
        return p;
    json_decref(p);
    return NULL;
}

rm_err rmi_sig_client_disconnect_peer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *reason) {
    if (reason && strnlen(reason, MAX_TEXT + 1) > MAX_TEXT)
        return RM_E_INVALID_ARG;
    rm_err err = sendable(c, to, RM_E_SIGNALING);
    if (err)
        return err;
    struct pending *offer = rmi_sig_pending_offer(c, to);
    err = rmi_sig_send_request(c, now_us, RMI_SIG_REQ_DISCONNECT, to, disconnect_params(c, to, reason));
    if (!err && offer)
        rmi_sig_pending_drop(c, offer);
    return err;
}

void rmi_sig_client_leave(struct rmi_sig_client *c, int64_t now_us) {
    if (!c->running)
        return;
    if (c->state == RMI_SIG_READY)
        (void)rmi_sig_send_request(c, now_us, RMI_SIG_REQ_DISCONNECT, c->id, disconnect_params(c, c->id, "leave"));
    if (c->state != RMI_SIG_DISCONNECTED && c->state != RMI_SIG_FAILED)
        ask_socket(c, RMI_SIG_EV_CLOSE_SOCKET);
    forget_connection(c, RM_OK);
    c->running = false;
    c->deadline = RMI_NEVER;
    set_state(c, RMI_SIG_DISCONNECTED, RM_OK, "left");
}

rm_err rmi_sig_client_poll_output(struct rmi_sig_client *c, const char **text, size_t *len) {
    if (c->current_output)
        free(c->current_output->text);
    free(c->current_output);
    c->current_output = NULL;
    struct rmi_list *at = rmi_list_pop_front(&c->output);
    if (!at)
        return RM_E_AGAIN;
    c->output_count--;
    c->current_output = RMI_CONTAINER_OF(at, struct text_node, node);
    *text = c->current_output->text;
    *len = c->current_output->len;
    return RM_OK;
}

rm_err rmi_sig_client_poll_event(struct rmi_sig_client *c, struct rmi_sig_event *ev) {
    rmi_sig_event_free(c, c->current_event);
    c->current_event = NULL;
    struct rmi_list *at = rmi_list_pop_front(&c->events);
    if (!at)
        return RM_E_AGAIN;
    c->event_count--;
    c->current_event = RMI_CONTAINER_OF(at, struct event_node, node);
    *ev = c->current_event->ev;
    return RM_OK;
}

int64_t rmi_sig_client_next_deadline(const struct rmi_sig_client *c) {
    if (rmi_list_empty(&c->pending))
        return c->deadline;
    /* All requests wait equally long: the first in the list is the first to expire. */
    const struct rmi_list *first = c->pending.next;
    return rmi_min64(c->deadline, RMI_CONTAINER_OF(first, const struct pending, node)->deadline);
}

void rmi_sig_client_timeout(struct rmi_sig_client *c, int64_t now_us) {
    rmi_sig_pending_expire(c, now_us);
    if (now_us < c->deadline)
        return;
    if (c->state == RMI_SIG_DISCONNECTED)
        open_socket(c, now_us);
    else if (c->state == RMI_SIG_CONNECTING)
        drop_socket(c, now_us, RM_E_TIMEOUT, "the connection could not be opened in time");
    else
        drop_socket(c, now_us, RM_E_TIMEOUT, "no reply to the announcement in time");
}

enum rmi_sig_state rmi_sig_client_state(const struct rmi_sig_client *c) {
    return c->state;
}

const char *rmi_sig_client_peer_id(const struct rmi_sig_client *c) {
    return c->id;
}

const char *rmi_sig_client_dialect(const struct rmi_sig_client *c) {
    return c->dialect->name;
}

void rmi_sig_client_stats(const struct rmi_sig_client *c, struct rmi_sig_client_stats *out) {
    *out = c->stats;
}
