/* SPDX-License-Identifier: Apache-2.0 */
#include "client_private.h"

#include <stdlib.h>
#include <string.h>

#define SPARES 4                    /* of one call: a socket closes, the state, another opens */
#define SPARE_BYTES (MAX_TEXT + 64) /* its text, and its other strings, which are empty */

/* Copies a string to *at and moves on; NULL becomes "". */
static const char *store(char **at, const char *text) {
    const size_t n = text ? strlen(text) : 0;
    char *const out = *at;
    if (n > 0)
        memcpy(out, text, n);
    out[n] = '\0';
    *at += n + 1;
    return out;
}

static size_t room_for(const char *text) {
    return (text ? strlen(text) : 0) + 1;
}

static bool is_remote(enum rmi_sig_event_type type) {
    return type != RMI_SIG_EV_OPEN_SOCKET && type != RMI_SIG_EV_CLOSE_SOCKET && type != RMI_SIG_EV_STATE;
}

rm_err rmi_sig_make_spares(struct rmi_sig_client *c) {
    for (int i = 0; i < SPARES; i++) {
        struct event_node *node = malloc(sizeof *node + SPARE_BYTES);
        if (!node)
            return RM_E_NO_MEMORY;
        node->spare = true;
        rmi_list_push_back(&c->spares, &node->node);
    }
    return RM_OK;
}

void rmi_sig_event_free(struct rmi_sig_client *c, struct event_node *node) {
    if (node && node->spare)
        rmi_list_push_back(&c->spares, &node->node);
    else
        free(node);
}

static struct event_node *take_spare(struct rmi_sig_client *c, size_t size) {
    struct rmi_list *at = size <= sizeof(struct event_node) + SPARE_BYTES ? rmi_list_pop_front(&c->spares) : NULL;
    return at ? RMI_CONTAINER_OF(at, struct event_node, node) : NULL;
}

bool rmi_sig_emit(struct rmi_sig_client *c, const struct rmi_sig_event *ev) {
    const size_t head = sizeof(struct event_node) + ev->others_count * sizeof(char *);
    size_t size = head + room_for(ev->text) + room_for(ev->peer) + room_for(ev->sdp) + room_for(ev->candidate) +
                  room_for(ev->mid);
    for (size_t i = 0; i < ev->others_count; i++)
        size += room_for(ev->others[i]);
    struct event_node *node = NULL;
    if (!is_remote(ev->type) || c->event_count < MAX_EVENTS)
        node = malloc(size);
    if (node)
        node->spare = false;
    else if (!is_remote(ev->type))
        node = take_spare(c, size);
    if (!node) {
        c->stats.events_dropped++;
        return false;
    }
    node->ev = *ev;
    char *at = (char *)node + head;
    node->ev.text = store(&at, ev->text);
    node->ev.peer = store(&at, ev->peer);
    node->ev.sdp = store(&at, ev->sdp);
    node->ev.candidate = store(&at, ev->candidate);
    node->ev.mid = store(&at, ev->mid);
    for (size_t i = 0; i < ev->others_count; i++)
        node->others[i] = store(&at, ev->others[i]);
    node->ev.others = node->others;
    rmi_list_push_back(&c->events, &node->node);
    c->event_count++;
    return true;
}

void rmi_sig_emit_failed(struct rmi_sig_client *c, enum rmi_sig_request request, const char *peer, rm_err err,
                         int64_t code, const char *text) {
    rmi_sig_emit(c, &(struct rmi_sig_event){.type = RMI_SIG_EV_REQUEST_FAILED,
                                            .request = request,
                                            .peer = peer,
                                            .err = err,
                                            .code = code,
                                            .text = text,
                                            .mline_index = -1});
}

rm_err rmi_sig_list_add(struct rmi_list *list, char *text, size_t len) {
    struct text_node *node = text ? malloc(sizeof *node) : NULL;
    if (!node) {
        free(text);
        return RM_E_NO_MEMORY;
    }
    *node = (struct text_node){.text = text, .len = len};
    rmi_list_push_back(list, &node->node);
    return RM_OK;
}

void rmi_sig_list_clear(struct rmi_list *list) {
    RMI_LIST_FOREACH (at, next, list) {
        struct text_node *node = RMI_CONTAINER_OF(at, struct text_node, node);
        free(node->text);
        free(node);
    }
    rmi_list_init(list);
}

rm_err rmi_sig_put_out(struct rmi_sig_client *c, char *text, size_t len) {
    if (text && c->output_count >= MAX_OUTPUT) {
        free(text);
        return RM_E_LIMIT;
    }
    const rm_err err = rmi_sig_list_add(&c->output, text, len);
    if (!err) {
        c->output_count++;
        c->stats.messages_out++;
    }
    return err;
}

static const enum rmi_sig_method method_of_request[] = {
    [RMI_SIG_REQ_NONE] = RMI_SIG_M_UNKNOWN,        [RMI_SIG_REQ_ANNOUNCE] = RMI_SIG_M_ANNOUNCE,
    [RMI_SIG_REQ_OFFER] = RMI_SIG_M_OFFER,         [RMI_SIG_REQ_ANSWER] = RMI_SIG_M_ANSWER,
    [RMI_SIG_REQ_CANDIDATE] = RMI_SIG_M_CANDIDATE, [RMI_SIG_REQ_DISCONNECT] = RMI_SIG_M_DISCONNECT,
};

/* A server that never replies must not fill our memory: the oldest goes, offers last. */
static void make_room(struct rmi_sig_client *c) {
    if (c->pending_count < MAX_PENDING)
        return;
    struct pending *victim = RMI_CONTAINER_OF(c->pending.next, struct pending, node);
    RMI_LIST_FOREACH (at, next, &c->pending) {
        struct pending *p = RMI_CONTAINER_OF(at, struct pending, node);
        if (p->kind != RMI_SIG_REQ_OFFER) {
            victim = p;
            break;
        }
    }
    rmi_sig_pending_drop(c, victim);
}

rm_err rmi_sig_send_request(struct rmi_sig_client *c, int64_t now_us, enum rmi_sig_request kind, const char *to,
                            json_t *params) {
    if (!params)
        return RM_E_INVALID_ARG; /* nearly always text that is not UTF-8 */
    struct pending *p = calloc(1, sizeof *p);
    size_t len = 0;
    char *text =
        p ? rmi_rpc_write_request(c->dialect->methods[method_of_request[kind]], c->next_id, params, &len) : NULL;
    if (!p)
        json_decref(params);
    rm_err err = p ? RM_OK : RM_E_NO_MEMORY;
    if (!err && len > RMI_JSON_MAX_MESSAGE) {
        free(text);
        err = RM_E_INVALID_ARG;
    } else if (!err) {
        err = rmi_sig_put_out(c, text, len);
    }
    if (err) {
        free(p);
        return err;
    }
    p->id = c->next_id++;
    p->kind = kind;
    p->deadline = now_us + c->config.answer_timeout_us;
    strcpy(p->to, to);
    make_room(c);
    rmi_list_push_back(&c->pending, &p->node);
    c->pending_count++;
    return RM_OK;
}

void rmi_sig_pending_drop(struct rmi_sig_client *c, struct pending *p) {
    rmi_list_remove(&p->node);
    c->pending_count--;
    free(p);
}

struct pending *rmi_sig_pending_by_id(struct rmi_sig_client *c, int64_t id) {
    RMI_LIST_FOREACH (at, next, &c->pending) {
        struct pending *p = RMI_CONTAINER_OF(at, struct pending, node);
        if (id >= 0 && p->id == id)
            return p;
    }
    return NULL;
}

struct pending *rmi_sig_pending_offer(struct rmi_sig_client *c, const char *to) {
    RMI_LIST_FOREACH (at, next, &c->pending) {
        struct pending *p = RMI_CONTAINER_OF(at, struct pending, node);
        if (p->kind == RMI_SIG_REQ_OFFER && strcmp(p->to, to) == 0)
            return p;
    }
    return NULL;
}

void rmi_sig_pending_clear(struct rmi_sig_client *c, rm_err err) {
    RMI_LIST_FOREACH (at, next, &c->pending) {
        struct pending *p = RMI_CONTAINER_OF(at, struct pending, node);
        if (err && p->kind == RMI_SIG_REQ_OFFER)
            rmi_sig_emit_failed(c, p->kind, p->to, err, 0, "the signaling connection was lost before the answer");
        rmi_sig_pending_drop(c, p);
    }
}

void rmi_sig_pending_expire(struct rmi_sig_client *c, int64_t now_us) {
    RMI_LIST_FOREACH (at, next, &c->pending) {
        struct pending *p = RMI_CONTAINER_OF(at, struct pending, node);
        if (p->deadline > now_us)
            continue;
        if (p->kind == RMI_SIG_REQ_OFFER)
            rmi_sig_emit_failed(c, p->kind, p->to, RM_E_CONNECTION_TIMEOUT, 0, "no answer to the offer in time");
        rmi_sig_pending_drop(c, p);
    }
}
