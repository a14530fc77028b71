/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of webrtc_control.h, but for rm_webrtc_execute. */
#include "webrtc/control_private.h"

#include "base/time.h"
#include "frame/json_text.h"
#include "signaling/dialect.h"
#include "webrtc/webrtc_private.h"
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <string.h>

static uint64_t next_request(struct rmi_control *c) {
    pthread_mutex_lock(&c->mutex);
    const uint64_t n = ++c->requests;
    pthread_mutex_unlock(&c->mutex);
    return n;
}

/* Sends the action, which is taken over (NULL: no memory), with a number. */
static rm_err ask(rm_webrtc *t, const char *peer_id, json_t *action, uint64_t number, uint64_t *request) {
    rm_runtime_data *message = NULL;
    rm_err err = action ? RM_OK : RM_E_NO_MEMORY;
    if (!err && number && json_object_set_new(action, "request", json_integer((json_int_t)number)))
        err = RM_E_NO_MEMORY;
    if (!err)
        err = rmi_runtime_data_create_json_value(action, &message);
    if (!err)
        err = rm_webrtc_send_message(t, peer_id, message);
    if (!err && request)
        *request = number;
    rm_runtime_data_unref(&message);
    json_decref(action);
    return err;
}

static rm_err simple(rm_webrtc *t, const char *peer_id, const char *action, uint64_t *request) {
    if (!t || !peer_id)
        return RM_E_INVALID_ARG;
    return ask(t, peer_id, json_pack("{s:s}", "action", action), next_request(t->control), request);
}

rm_err rm_webrtc_pause_peer(rm_webrtc *t, const char *peer_id, uint64_t *request) {
    return simple(t, peer_id, "Pause", request);
}

rm_err rm_webrtc_resume_peer(rm_webrtc *t, const char *peer_id, uint64_t *request) {
    return simple(t, peer_id, "Resume", request);
}

rm_err rm_webrtc_get_peer_status(rm_webrtc *t, const char *peer_id, uint64_t *request) {
    return simple(t, peer_id, "GetStatus", request);
}

rm_err rm_webrtc_reconfigure_peer(rm_webrtc *t, const char *peer_id, const char *manifest, size_t size,
                                  uint64_t *request) {
    if (!t || !peer_id || !manifest)
        return RM_E_INVALID_ARG;
    if (size > RM_MANIFEST_BYTES_MAX)
        return RM_E_TOO_BIG;
    /* What is JSON goes as JSON, which is what RemoteMedia's peers read; the rest (YAML) as text. */
    json_t *value = NULL;
    rm_err err = rmi_json_text_load(manifest, size, &value, NULL, 0);
    if (err == RM_E_NO_MEMORY)
        return err;
    if (err)
        value = json_stringn(manifest, size);
    if (!value)
        return RM_E_PARSE; /* not even UTF-8 */
    return ask(t, peer_id, json_pack("{s:s, s:o}", "action", "Reconfigure", "manifest", value),
               next_request(t->control), request);
}

rm_err rm_webrtc_set_peer_params(rm_webrtc *t, const char *peer_id, const char *node_id, const char *params,
                                 size_t size, uint64_t *request) {
    if (!t || !peer_id || !node_id || !params)
        return RM_E_INVALID_ARG;
    json_t *value = NULL;
    rm_err err = rmi_json_text_load(params, size, &value, NULL, 0);
    if (!err && !json_is_object(value))
        err = RM_E_PARSE;
    if (err) {
        json_decref(value);
        return err;
    }
    return ask(t, peer_id, json_pack("{s:s, s:s, s:o}", "action", "Reconfigure", "node_id", node_id, "params", value),
               next_request(t->control), request);
}

rm_err rm_webrtc_ping_peer(rm_webrtc *t, const char *peer_id, uint64_t *request) {
    if (!t || !peer_id || strlen(peer_id) >= RM_PEER_ID_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_control *c = t->control;
    const uint64_t number = next_request(c);
    pthread_mutex_lock(&c->mutex);
    c->last_ping_ms = rmi_max64(rmi_control_wall_ms(), c->last_ping_ms + 1); /* tells them apart */
    struct rmi_control_ping *ping = &c->pings[c->next_ping++ % RMI_CONTROL_PINGS];
    *ping = (struct rmi_control_ping){.request = number, .timestamp_ms = c->last_ping_ms, .sent_us = rmi_now_us()};
    snprintf(ping->peer_id, sizeof ping->peer_id, "%s", peer_id);
    const json_int_t now_ms = c->last_ping_ms;
    pthread_mutex_unlock(&c->mutex);
    return ask(t, peer_id, json_pack("{s:s, s:I}", "action", "Ping", "timestamp_ms", now_ms), number, request);
}

rm_err rm_webrtc_send_custom(rm_webrtc *t, const char *peer_id, const char *message_type, const char *json,
                             size_t size) {
    if (!t || !peer_id || !message_type)
        return RM_E_INVALID_ARG;
    json_t *value = NULL;
    rm_err err = json ? rmi_json_text_load(json, size, &value, NULL, 0) : RM_OK;
    if (err)
        return err;
    value = json ? value : json_null();
    return ask(t, peer_id,
               json_pack("{s:s, s:s, s:o}", "action", "Custom", "message_type", message_type, "data", value), 0, NULL);
}

rm_err rm_webrtc_allow_control(rm_webrtc *t, const char *peer_id, bool allow) {
    if (!t || !peer_id || (strcmp(peer_id, "*") != 0 && !rmi_sig_id_valid(peer_id)))
        return RM_E_INVALID_ARG;
    return rmi_control_set_right(t->control, peer_id, allow);
}
