/* SPDX-License-Identifier: Apache-2.0 */
/* The data channel "remotemedia-control": ControlFrame in, ControlEvent out. */
#include "webrtc/serve_private.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_SHIFT 32 /* of a correlation id: the tap's number above, the item's id below */

static bool send_event(struct rmi_serve_channel *c, const struct rmi_control_event *event) {
    struct rmi_serve_peer *p = c->peer;
    struct rmi_buf *buf = NULL;
    rm_err err = rmi_control_event_write(event, &buf);
    if (!err)
        err = rm_webrtc_send_data_buf(p->serve->t, p->id, c->id, true, buf, 0, buf->len);
    rm_buf_unref(&buf);
    return err == RM_OK;
}

static void refuse(struct rmi_serve_channel *c, const struct rmi_control_frame *f, enum rmi_control_error code,
                   const char *why) {
    struct rmi_control_event event = {.kind = RMI_CONTROL_EV_ERROR, .error = code, .addr = f->addr};
    snprintf(event.detail, sizeof event.detail, "%s", why);
    (void)send_event(c, &event);
}

static void answer(struct rmi_serve_channel *c, const struct rmi_control_frame *f, rm_err err) {
    if (!err)
        return;
    const enum rmi_control_error code = err == RM_E_NOT_FOUND     ? RMI_CONTROL_ERROR_UNKNOWN_NODE
                                        : err == RM_E_INVALID_ARG ? RMI_CONTROL_ERROR_INVALID_ADDRESS
                                        : err == RM_E_CLOSED      ? RMI_CONTROL_ERROR_SESSION_NOT_FOUND
                                        : err == RM_E_NO_MEMORY   ? RMI_CONTROL_ERROR_INTERNAL
                                                                  : RMI_CONTROL_ERROR_PROTOCOL;
    refuse(c, f, code, rm_strerror(err));
}

/* Publishing goes into a node, looking at it is meant to be at its output, where nothing else is said. */
static rm_err topic_of(const struct rmi_control_addr *addr, enum rmi_control_direction otherwise,
                       char out[RMI_SERVE_TOPIC_MAX]) {
    const enum rmi_control_direction direction = addr->direction ? addr->direction : otherwise;
    const int n = snprintf(out, RMI_SERVE_TOPIC_MAX, "%s.%s%s%s", addr->node_id,
                           direction == RMI_CONTROL_IN ? "in" : "out", addr->port[0] ? "." : "", addr->port);
    return n < RMI_SERVE_TOPIC_MAX ? RM_OK : RM_E_INVALID_ARG;
}

static void on_hello(struct rmi_serve_channel *c, const struct rmi_control_frame *f, rm_stream_session *session) {
    const char *id = rm_stream_session_id(session);
    /* A client that was told no session id knows its own peer id. There is one session it could mean. */
    if (f->session_id[0] && strcmp(f->session_id, id) != 0 && strcmp(f->session_id, c->peer->id) != 0) {
        refuse(c, f, RMI_CONTROL_ERROR_SESSION_NOT_FOUND, "no such session; an empty session_id means this client's");
        return;
    }
    struct rmi_control_event event = {.kind = RMI_CONTROL_EV_ATTACHED};
    snprintf(event.session_id, sizeof event.session_id, "%s", id);
    if (f->attach_id[0])
        memcpy(c->attach_id, f->attach_id, sizeof c->attach_id);
    else
        snprintf(c->attach_id, sizeof c->attach_id, "attach-%u", c->id);
    memcpy(event.attach_id, c->attach_id, sizeof event.attach_id);
    c->greeted = true;
    (void)send_event(c, &event);
}

static rm_err look(struct rmi_serve_channel *c, const struct rmi_control_frame *f, rm_stream_session *session) {
    struct rmi_serve_tap wanted = {.channel = c,
                                   .audio = true,
                                   .intercept = f->op == RMI_CONTROL_INTERCEPT,
                                   .addr = f->addr,
                                   .deadline_ms =
                                       f->deadline_ms < RM_INTERCEPT_MAX_MS ? f->deadline_ms : RM_INTERCEPT_MAX_MS};
    struct rmi_serve_tap *tap;
    rm_err err = topic_of(&f->addr, RMI_CONTROL_OUT, wanted.topic);
    if (err || rmi_serve_tap_find(c->peer, c, wanted.topic, wanted.intercept))
        return err; /* asked for twice is no fault */
    wanted.addr.direction = f->addr.direction ? f->addr.direction : RMI_CONTROL_OUT;
    return rmi_serve_tap_add(c->peer, &wanted, session, &tap);
}

static rm_err look_away(struct rmi_serve_channel *c, const struct rmi_control_frame *f) {
    char topic[RMI_SERVE_TOPIC_MAX];
    rm_err err = topic_of(&f->addr, RMI_CONTROL_OUT, topic);
    if (err)
        return err;
    struct rmi_serve_tap *tap = rmi_serve_tap_find(c->peer, c, topic, f->op == RMI_CONTROL_REMOVE_INTERCEPT);
    if (tap)
        rmi_serve_tap_remove(tap);
    return tap ? RM_OK : RM_E_INVALID_ARG;
}

static rm_err publish(const struct rmi_control_frame *f, rm_stream_session *session) {
    char topic[RMI_SERVE_TOPIC_MAX];
    rm_err err = f->data ? topic_of(&f->addr, RMI_CONTROL_IN, topic) : RM_E_PARSE;
    return err ? err : rm_stream_session_publish(session, topic, f->data);
}

/* A late answer is no fault of the client's: the item has passed. */
static rm_err decide(struct rmi_serve_channel *c, const struct rmi_control_frame *f) {
    RMI_LIST_FOREACH (node, next, &c->peer->taps) {
        struct rmi_serve_tap *t = RMI_CONTAINER_OF(node, struct rmi_serve_tap, node);
        if (t->channel != c || !t->intercept || t->number != f->correlation_id >> NUMBER_SHIFT)
            continue;
        const rm_err err = rm_tap_answer(t->tap, f->correlation_id & UINT32_MAX, (rm_tap_decision)f->decision, f->data);
        return err == RM_E_NOT_FOUND ? RM_OK : err;
    }
    return RM_E_STATE;
}

static rm_err act(struct rmi_serve_channel *c, const struct rmi_control_frame *f, rm_stream_session *session) {
    switch (f->op) {
    case RMI_CONTROL_SUBSCRIBE:
    case RMI_CONTROL_INTERCEPT:
        return look(c, f, session);
    case RMI_CONTROL_UNSUBSCRIBE:
    case RMI_CONTROL_REMOVE_INTERCEPT:
        return look_away(c, f);
    case RMI_CONTROL_PUBLISH:
        return publish(f, session);
    case RMI_CONTROL_INTERCEPT_REPLY:
        return decide(c, f);
    case RMI_CONTROL_SET_NODE_STATE:
        return rm_stream_session_set_node_state(session, f->node_id, (rm_node_state)f->node_state);
    case RMI_CONTROL_CLEAR_NODE_STATE:
        return rm_stream_session_set_node_state(session, f->node_id, RM_NODE_ENABLED);
    default:
        return RM_E_UNSUPPORTED;
    }
}

_Static_assert((int)RMI_CONTROL_PASS == (int)RM_TAP_PASS && (int)RMI_CONTROL_REPLACE == (int)RM_TAP_REPLACE &&
                   (int)RMI_CONTROL_DROP == (int)RM_TAP_DROP && (int)RMI_CONTROL_ENABLED == (int)RM_NODE_ENABLED &&
                   (int)RMI_CONTROL_BYPASS == (int)RM_NODE_BYPASS && (int)RMI_CONTROL_DISABLED == (int)RM_NODE_DISABLED,
               "numbers of the wire");

void rmi_serve_frame(struct rmi_serve_channel *c, rm_stream_session *session, const uint8_t *data, size_t len) {
    struct rmi_control_frame f;
    rm_err err = rmi_control_frame_read(data, len, &f);
    if (err)
        refuse(c, &f, RMI_CONTROL_ERROR_PROTOCOL, "not a ControlFrame, or with data that cannot be read");
    else if (f.op == RMI_CONTROL_HELLO)
        on_hello(c, &f, session);
    else if (!c->greeted)
        refuse(c, &f, RMI_CONTROL_ERROR_PROTOCOL, "hello has to come first");
    else
        answer(c, &f, act(c, &f, session));
    rmi_control_frame_clear(&f);
}

void rmi_serve_frame_refuse(struct rmi_serve_channel *c) {
    refuse(c, &(struct rmi_control_frame){0}, RMI_CONTROL_ERROR_SESSION_NOT_FOUND, "the server has no pipeline");
}

void rmi_serve_frame_item(struct rmi_serve_tap *t, rm_tap_item *item) {
    const struct rmi_control_event event = {
        .kind = t->intercept ? RMI_CONTROL_EV_INTERCEPT_REQUEST : RMI_CONTROL_EV_TAP,
        .addr = t->addr,
        .data = item->data,
        .correlation_id = t->intercept ? t->number << NUMBER_SHIFT | (item->id & UINT32_MAX) : 0};
    if (!send_event(t->channel, &event))
        t->skipped++; /* the client does not read: it misses this one */
}

void rmi_serve_frame_closed(struct rmi_serve_channel *c) {
    struct rmi_control_event event = {.kind = RMI_CONTROL_EV_SESSION_CLOSED, .reason = RMI_CONTROL_CLOSE_NORMAL};
    snprintf(event.detail, sizeof event.detail, "the session has ended");
    rmi_serve_taps_end(c->peer, c);
    if (c->greeted)
        (void)send_event(c, &event);
    c->greeted = false;
}
