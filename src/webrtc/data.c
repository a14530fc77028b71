/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of webrtc_data.h, and data channels of the endpoint. */
#include "webrtc/message.h"
#include "webrtc/webrtc_private.h"

#include <remotemedia/webrtc_data.h>
#include <stdio.h>

static void on_channel_open(void *ctx, const char *peer_id, const char *label) {
    struct rm_webrtc *t = ctx;
    rm_event ev = {.type = RM_EV_CHANNEL};
    snprintf(ev.peer_id, sizeof ev.peer_id, "%s", peer_id);
    snprintf(ev.detail, sizeof ev.detail, "%s", label);
    rmi_webrtc_emit(t, &ev);
}

static void on_message(void *ctx, const char *peer_id, const char *label, bool binary, const uint8_t *data,
                       size_t len) {
    struct rm_webrtc *t = ctx;
    rm_runtime_data *message = NULL;
    if (!t->config.on_message || atomic_load(&t->destroying))
        return;
    rm_err err = rmi_message_read(binary, data, len, &message);
    if (err) {
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s channel=%s message of %zu bytes dropped: %s", peer_id, label,
                len, rm_strerror(err));
        return;
    }
    t->config.on_message(peer_id, label, message, t->config.user);
    rm_runtime_data_unref(&message);
}

struct rmi_endpoint_data_ops rmi_webrtc_data_ops(struct rm_webrtc *t) {
    return (struct rmi_endpoint_data_ops){.channel_open = on_channel_open, .message = on_message, .ctx = t};
}

struct sending {
    struct rm_webrtc *t;
    const char *peer_id;
    const struct rmi_buf *text;
    rm_err err;
};

static void send_text(void *ctx) {
    struct sending *s = ctx;
    s->err = rmi_endpoint_send_message(s->t->ep, rmi_now_us(), s->peer_id, false, s->text->data, s->text->len);
    rmi_webrtc_after(s->t);
}

rm_err rm_webrtc_send_message(rm_webrtc *t, const char *peer_id, const rm_runtime_data *message) {
    if (!t || !peer_id || !message)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    struct rmi_buf *text = NULL;
    rm_err err = rmi_message_write(message, &text);
    if (err)
        return err;
    struct sending s = {.t = t, .peer_id = peer_id, .text = text};
    err = rmi_webrtc_call(t, send_text, &s);
    rmi_buf_unref(&text);
    return err ? err : s.err;
}
