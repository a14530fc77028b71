/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/control_frame.h"

#include "frame/control_frame.pb.h"
#include "frame/data_buffer.h"
#include <string.h>

_Static_assert((int)RMI_CONTROL_DISABLED == (int)rmi_pb_NodeState_NODE_DISABLED &&
                   (int)RMI_CONTROL_OUT == (int)rmi_pb_Direction_DIRECTION_OUT &&
                   (int)RMI_CONTROL_ERROR_INTERNAL == (int)rmi_pb_ErrorCode_ERROR_INTERNAL &&
                   (int)RMI_CONTROL_CLOSE_ERROR == (int)rmi_pb_CloseReason_CLOSE_ERROR,
               "numbers of the wire");
_Static_assert(RMI_CONTROL_CLEAR_NODE_STATE == rmi_pb_ControlFrame_clear_node_state_tag &&
                   RMI_CONTROL_EV_SESSION_CLOSED == rmi_pb_ControlEvent_session_closed_tag,
               "kinds are the numbers of their fields");

/* ---- reading; the first error stays ---- */

struct reader {
    rm_err err;
};

static void fail_if(struct reader *r, bool wrong) {
    if (wrong && !r->err)
        r->err = RM_E_PARSE;
}

static void read_id(struct reader *r, struct rmi_pb_span span, char out[RMI_CONTROL_ID_MAX]) {
    fail_if(r, !rmi_pb_copy_text(span, out, RMI_CONTROL_ID_MAX));
}

static void read_addr(struct reader *r, bool there, const rmi_pb_Addr *in, struct rmi_control_addr *out) {
    fail_if(r, !there || in->direction > rmi_pb_Direction_DIRECTION_OUT);
    read_id(r, in->node_id, out->node_id);
    read_id(r, in->port, out->port);
    out->direction = (enum rmi_control_direction)in->direction;
}

static void read_data(struct reader *r, struct rmi_pb_span span, rm_runtime_data **out, rm_metadata **metadata) {
    fail_if(r, !span.data);
    if (!r->err)
        r->err = rmi_data_buffer_read(span.data, span.len, out, metadata);
}

static void read_decision(struct reader *r, const rmi_pb_InterceptReply *in, struct rmi_control_frame *out) {
    const rmi_pb_Decision *d = &in->decision;
    out->correlation_id = in->correlation_id;
    fail_if(r, !in->has_decision || d->has_pass + d->has_drop + (d->replace.data != NULL) != 1);
    out->decision = d->has_pass ? RMI_CONTROL_PASS : d->has_drop ? RMI_CONTROL_DROP : RMI_CONTROL_REPLACE;
    if (out->decision == RMI_CONTROL_REPLACE)
        read_data(r, d->replace, &out->data, &out->metadata);
}

/* The one of the kinds that is there; 0: none or several. */
static int only_kind(const bool *there, int count) {
    int kind = 0;
    for (int i = 1; i <= count; i++) {
        if (there[i] && kind)
            return 0;
        kind = there[i] ? i : kind;
    }
    return kind;
}

static void read_frame(struct reader *r, const rmi_pb_ControlFrame *m, struct rmi_control_frame *out) {
    switch (out->op) {
    case RMI_CONTROL_HELLO:
        read_id(r, m->hello.session_id, out->session_id);
        read_id(r, m->hello.attach_id, out->attach_id);
        break;
    case RMI_CONTROL_SUBSCRIBE:
        read_addr(r, m->subscribe.has_addr, &m->subscribe.addr, &out->addr);
        break;
    case RMI_CONTROL_UNSUBSCRIBE:
        read_addr(r, m->unsubscribe.has_addr, &m->unsubscribe.addr, &out->addr);
        break;
    case RMI_CONTROL_PUBLISH:
        read_addr(r, m->publish.has_addr, &m->publish.addr, &out->addr);
        read_data(r, m->publish.data, &out->data, &out->metadata);
        break;
    case RMI_CONTROL_INTERCEPT:
        read_addr(r, m->intercept.has_addr, &m->intercept.addr, &out->addr);
        out->deadline_ms = m->intercept.deadline_ms;
        break;
    case RMI_CONTROL_REMOVE_INTERCEPT:
        read_addr(r, m->remove_intercept.has_addr, &m->remove_intercept.addr, &out->addr);
        break;
    case RMI_CONTROL_INTERCEPT_REPLY:
        read_decision(r, &m->intercept_reply, out);
        break;
    case RMI_CONTROL_SET_NODE_STATE:
        read_id(r, m->set_node_state.node_id, out->node_id);
        out->node_state = (enum rmi_control_node_state)m->set_node_state.state;
        fail_if(r, out->node_state < RMI_CONTROL_ENABLED || out->node_state > RMI_CONTROL_DISABLED);
        break;
    case RMI_CONTROL_CLEAR_NODE_STATE:
        read_id(r, m->clear_node_state.node_id, out->node_id);
        break;
    default:
        fail_if(r, true);
    }
}

rm_err rmi_control_frame_read(const uint8_t *bytes, size_t len, struct rmi_control_frame *out) {
    rmi_pb_ControlFrame m;
    memset(&m, 0, sizeof m);
    memset(out, 0, sizeof *out);
    struct reader r = {.err = rmi_pb_read(bytes, len, rmi_pb_ControlFrame_fields, &m)};
    if (r.err)
        return r.err;
    const bool there[] = {false,
                          m.has_hello,
                          m.has_subscribe,
                          m.has_unsubscribe,
                          m.has_publish,
                          m.has_intercept,
                          m.has_remove_intercept,
                          m.has_intercept_reply,
                          m.has_set_node_state,
                          m.has_clear_node_state};
    out->op = (enum rmi_control_op)only_kind(there, RMI_CONTROL_CLEAR_NODE_STATE);
    read_frame(&r, &m, out);
    if (r.err)
        rmi_control_frame_clear(out);
    return r.err;
}

static void read_event(struct reader *r, const rmi_pb_ControlEvent *m, struct rmi_control_event *out) {
    switch (out->kind) {
    case RMI_CONTROL_EV_ATTACHED:
        read_id(r, m->attached.session_id, out->session_id);
        read_id(r, m->attached.attach_id, out->attach_id);
        break;
    case RMI_CONTROL_EV_TAP:
        read_addr(r, m->tap.has_addr, &m->tap.addr, &out->addr);
        read_data(r, m->tap.data, &out->data, &out->metadata);
        break;
    case RMI_CONTROL_EV_INTERCEPT_REQUEST:
        out->correlation_id = m->intercept_request.correlation_id;
        read_addr(r, m->intercept_request.has_addr, &m->intercept_request.addr, &out->addr);
        read_data(r, m->intercept_request.data, &out->data, &out->metadata);
        break;
    case RMI_CONTROL_EV_ERROR:
        out->error = (enum rmi_control_error)m->error.code;
        fail_if(r, out->error < RMI_CONTROL_ERROR_SESSION_NOT_FOUND || out->error > RMI_CONTROL_ERROR_INTERNAL);
        fail_if(r, !rmi_pb_copy_text(m->error.message, out->detail, sizeof out->detail));
        if (m->error.has_addr)
            read_addr(r, true, &m->error.addr, &out->addr);
        break;
    case RMI_CONTROL_EV_SESSION_CLOSED:
        out->reason = (enum rmi_control_close)m->session_closed.reason;
        fail_if(r, out->reason < RMI_CONTROL_CLOSE_NORMAL || out->reason > RMI_CONTROL_CLOSE_ERROR);
        fail_if(r, !rmi_pb_copy_text(m->session_closed.detail, out->detail, sizeof out->detail));
        break;
    default:
        fail_if(r, true);
    }
}

rm_err rmi_control_event_read(const uint8_t *bytes, size_t len, struct rmi_control_event *out) {
    rmi_pb_ControlEvent m;
    memset(&m, 0, sizeof m);
    memset(out, 0, sizeof *out);
    struct reader r = {.err = rmi_pb_read(bytes, len, rmi_pb_ControlEvent_fields, &m)};
    if (r.err)
        return r.err;
    const bool there[] = {false, m.has_attached, m.has_tap, m.has_intercept_request, m.has_error, m.has_session_closed};
    out->kind = (enum rmi_control_event_kind)only_kind(there, RMI_CONTROL_EV_SESSION_CLOSED);
    read_event(&r, &m, out);
    if (r.err)
        rmi_control_event_clear(out);
    return r.err;
}

/* ---- writing ---- */

static rmi_pb_Addr wire_addr(const struct rmi_control_addr *addr) {
    return (rmi_pb_Addr){.node_id = rmi_pb_text(addr->node_id),
                         .port = rmi_pb_text(addr->port),
                         .direction = (rmi_pb_Direction)addr->direction};
}

static struct rmi_pb_span wire_bytes(const struct rmi_buf *buf) {
    return (struct rmi_pb_span){.data = buf->data, .len = buf->len};
}

/* `data` is written already where the kind has some. */
static rm_err fill_frame(const struct rmi_control_frame *f, const struct rmi_buf *data, rmi_pb_ControlFrame *m) {
    const rmi_pb_Addr addr = wire_addr(&f->addr);
    const rmi_pb_At at = {.has_addr = true, .addr = addr};
    switch (f->op) {
    case RMI_CONTROL_HELLO:
        m->has_hello = true;
        m->hello = (rmi_pb_Hello){.session_id = rmi_pb_text(f->session_id), .attach_id = rmi_pb_text(f->attach_id)};
        return RM_OK;
    case RMI_CONTROL_SUBSCRIBE:
        m->has_subscribe = true;
        m->subscribe = at;
        return RM_OK;
    case RMI_CONTROL_UNSUBSCRIBE:
        m->has_unsubscribe = true;
        m->unsubscribe = at;
        return RM_OK;
    case RMI_CONTROL_PUBLISH:
        m->has_publish = true;
        m->publish = (rmi_pb_Publish){.has_addr = true, .addr = addr, .data = wire_bytes(data)};
        return RM_OK;
    case RMI_CONTROL_INTERCEPT:
        m->has_intercept = true;
        m->intercept = (rmi_pb_Intercept){.has_addr = true, .addr = addr, .deadline_ms = f->deadline_ms};
        return RM_OK;
    case RMI_CONTROL_REMOVE_INTERCEPT:
        m->has_remove_intercept = true;
        m->remove_intercept = at;
        return RM_OK;
    case RMI_CONTROL_INTERCEPT_REPLY:
        m->has_intercept_reply = m->intercept_reply.has_decision = true;
        m->intercept_reply.correlation_id = f->correlation_id;
        m->intercept_reply.decision.has_pass = f->decision == RMI_CONTROL_PASS;
        m->intercept_reply.decision.has_drop = f->decision == RMI_CONTROL_DROP;
        if (f->decision == RMI_CONTROL_REPLACE)
            m->intercept_reply.decision.replace = wire_bytes(data);
        return f->decision < RMI_CONTROL_PASS || f->decision > RMI_CONTROL_DROP ? RM_E_INVALID_ARG : RM_OK;
    case RMI_CONTROL_SET_NODE_STATE:
        m->has_set_node_state = true;
        m->set_node_state =
            (rmi_pb_SetNodeState){.node_id = rmi_pb_text(f->node_id), .state = (rmi_pb_NodeState)f->node_state};
        return RM_OK;
    case RMI_CONTROL_CLEAR_NODE_STATE:
        m->has_clear_node_state = true;
        m->clear_node_state = (rmi_pb_ClearNodeState){.node_id = rmi_pb_text(f->node_id)};
        return RM_OK;
    }
    return RM_E_INVALID_ARG;
}

rm_err rmi_control_frame_write(const struct rmi_control_frame *frame, struct rmi_buf **out) {
    rmi_pb_ControlFrame m;
    memset(&m, 0, sizeof m);
    struct rmi_buf *data = NULL;
    rm_err err = RM_OK;
    if (frame->op == RMI_CONTROL_PUBLISH ||
        (frame->op == RMI_CONTROL_INTERCEPT_REPLY && frame->decision == RMI_CONTROL_REPLACE))
        err = rmi_data_buffer_write(frame->data, frame->metadata, &data);
    if (!err)
        err = fill_frame(frame, data, &m);
    if (!err)
        err = rmi_pb_write(rmi_pb_ControlFrame_fields, &m, out);
    rmi_buf_unref(&data);
    return err;
}

static rm_err fill_event(const struct rmi_control_event *e, const struct rmi_buf *data, rmi_pb_ControlEvent *m) {
    const rmi_pb_Addr addr = wire_addr(&e->addr);
    switch (e->kind) {
    case RMI_CONTROL_EV_ATTACHED:
        m->has_attached = true;
        m->attached = (rmi_pb_Hello){.session_id = rmi_pb_text(e->session_id), .attach_id = rmi_pb_text(e->attach_id)};
        return RM_OK;
    case RMI_CONTROL_EV_TAP:
        m->has_tap = true;
        m->tap = (rmi_pb_Tap){.has_addr = true, .addr = addr, .data = wire_bytes(data)};
        return RM_OK;
    case RMI_CONTROL_EV_INTERCEPT_REQUEST:
        m->has_intercept_request = true;
        m->intercept_request = (rmi_pb_InterceptRequest){
            .has_addr = true, .addr = addr, .correlation_id = e->correlation_id, .data = wire_bytes(data)};
        return RM_OK;
    case RMI_CONTROL_EV_ERROR:
        m->has_error = true;
        m->error = (rmi_pb_Failure){.code = (rmi_pb_ErrorCode)e->error,
                                    .message = rmi_pb_text(e->detail),
                                    .has_addr = e->addr.node_id[0] != '\0',
                                    .addr = addr};
        return RM_OK;
    case RMI_CONTROL_EV_SESSION_CLOSED:
        m->has_session_closed = true;
        m->session_closed =
            (rmi_pb_SessionClosed){.reason = (rmi_pb_CloseReason)e->reason, .detail = rmi_pb_text(e->detail)};
        return RM_OK;
    }
    return RM_E_INVALID_ARG;
}

rm_err rmi_control_event_write(const struct rmi_control_event *event, struct rmi_buf **out) {
    rmi_pb_ControlEvent m;
    memset(&m, 0, sizeof m);
    struct rmi_buf *data = NULL;
    rm_err err = RM_OK;
    if (event->kind == RMI_CONTROL_EV_TAP || event->kind == RMI_CONTROL_EV_INTERCEPT_REQUEST)
        err = rmi_data_buffer_write(event->data, event->metadata, &data);
    if (!err)
        err = fill_event(event, data, &m);
    if (!err)
        err = rmi_pb_write(rmi_pb_ControlEvent_fields, &m, out);
    rmi_buf_unref(&data);
    return err;
}

void rmi_control_frame_clear(struct rmi_control_frame *frame) {
    rm_runtime_data_unref(&frame->data);
    rm_metadata_unref(&frame->metadata);
    memset(frame, 0, sizeof *frame);
}

void rmi_control_event_clear(struct rmi_control_event *event) {
    rm_runtime_data_unref(&event->data);
    rm_metadata_unref(&event->metadata);
    memset(event, 0, sizeof *event);
}
