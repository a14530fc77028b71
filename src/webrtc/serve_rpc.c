/* SPDX-License-Identifier: Apache-2.0 */
/* server.info and the control bus as JSON-RPC over the client's WebSocket. */
#include "webrtc/serve_private.h"

#include "frame/base64.h"
#include "frame/json_text.h"
#include "runtime/bus.h"
#include <remotemedia/data_json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_MAX_BYTES 256           /* POSIX: 255 and a NUL */
#define WAITING_MAX ((size_t)1024 * 1024) /* bytes for one client; beyond, events are left out and counted */

/* One call of a client. */
struct call {
    struct rmi_serve *s;
    struct rmi_serve_peer *p;
    rm_stream_session *session; /* NULL: none just now */
    json_t *params;
    const char *reason;
};

static const char *text_of(const struct call *call, const char *key) {
    return json_string_value(json_object_get(call->params, key));
}

/* ---- events ---- */

static json_t *audio_payload(const rm_tap_item *item) {
    json_t *payload = json_pack("{s:I, s:I, s:I}", "size", (json_int_t)(item->size / sizeof(float)), "sample_rate",
                                (json_int_t)item->sample_rate, "channels", (json_int_t)item->channels);
    const rm_audio *a = item->data ? rm_runtime_data_audio(item->data) : NULL;
    if (a)
        json_object_set_new(payload, "samples_b64", rmi_json_base64(a->samples, item->size));
    return payload;
}

/* The kind, and what is in it. */
static const char *payload_of(const rm_tap_item *item, json_t **payload, json_t **channel) {
    const rm_text *text = item->data ? rm_runtime_data_text(item->data) : NULL;
    size_t size;
    switch (item->type) {
    case RM_DATA_TEXT:
        *payload = json_stringn_nocheck(text->text, text->size);
        *channel = json_stringn_nocheck(text->channel, text->channel_size);
        return "text";
    case RM_DATA_JSON:
        *payload = json_incref((json_t *)(uintptr_t)rmi_runtime_data_json_value(item->data)); /* only written out */
        return "json";
    case RM_DATA_BINARY:
        *payload = json_pack("{s:I, s:o}", "size", (json_int_t)item->size, "b64",
                             rmi_json_base64(rm_runtime_data_bytes(item->data, &size), item->size));
        return "binary";
    case RM_DATA_AUDIO:
        *payload = audio_payload(item);
        return "audio";
    default:
        *payload = json_pack("{s:s, s:I}", "type", rm_data_type_name(item->type), "size", (json_int_t)item->size);
        return "other";
    }
}

static void send_event(struct rmi_serve_tap *t, const char *kind, json_t *payload, json_t *channel, int64_t at_us) {
    struct rmi_serve *s = t->peer->serve;
    json_t *params = json_pack("{s:s, s:s, s:o, s:I}", "topic", t->topic, "kind", kind, "payload", payload, "ts",
                               (json_int_t)rmi_serve_unix_ms(s, at_us));
    if (channel)
        json_object_set_new(params, "channel", channel);
    if (t->skipped)
        json_object_set_new(params, "skipped", json_integer((json_int_t)t->skipped));
    t->skipped = 0;
    (void)rmi_signaling_host_tell(s->host, t->peer->id, "control.event", params);
}

void rmi_serve_rpc_item(struct rmi_serve_tap *t, const rm_tap_item *item) {
    json_t *payload = NULL, *channel = NULL;
    t->skipped += item->skipped;
    if (rmi_signaling_host_waiting(t->peer->serve->host, t->peer->id) > WAITING_MAX) {
        t->skipped++;
        return;
    }
    const char *kind = payload_of(item, &payload, &channel);
    send_event(t, kind, payload, channel, item->time_us);
}

static void tell_system(struct rmi_serve_tap *t, const char *status, const char *node, const char *message) {
    const int64_t now_us = rmi_now_us();
    json_t *payload = json_pack("{s:s, s:s, s:s, s:s, s:I}", "kind", "loading", "status", status, "node", node,
                                "message", message, "ts_ms", (json_int_t)rmi_serve_unix_ms(t->peer->serve, now_us));
    send_event(t, "json", payload, NULL, now_us);
}

void rmi_serve_rpc_system(struct rmi_serve_peer *p, const struct rmi_serve_item *item) {
    static const char *const statuses[] = {[RMI_SERVE_INITIALIZING] = "initializing",
                                           [RMI_SERVE_LOADING_NODE] = "loading_node",
                                           [RMI_SERVE_READY] = "ready",
                                           [RMI_SERVE_ERROR] = "error"};
    struct rmi_serve_tap *t = rmi_serve_tap_find(p, NULL, RMI_SERVE_SYSTEM, false);
    if (t)
        tell_system(t, statuses[item->news], item->node_id, item->message);
}

/* ---- methods ---- */

static int refuse(struct call *call, const char *reason) {
    call->reason = reason;
    return RMI_RPC_INVALID_PARAMS; /* as RemoteMedia, for whatever fails here */
}

static int refuse_err(struct call *call, rm_err err) {
    return refuse(call, err == RM_E_NOT_FOUND     ? "no such node"
                        : err == RM_E_INVALID_ARG ? "malformed; a topic is NODE.out, NODE.in or with .PORT behind it"
                                                  : rm_strerror(err));
}

static const char no_session[] = "there is no session yet; make an offer to the server first";

static rm_err check_topic(const struct call *call, const char *topic) {
    enum rmi_bus_side side = RMI_BUS_OUT;
    rm_manifest *manifest = rmi_media_pipeline(call->s->t->media);
    rm_err err = manifest ? rmi_bus_check_topic(manifest, topic, &side) : RM_E_STATE;
    rm_manifest_unref(&manifest);
    return !err && side != RMI_BUS_OUT ? RM_E_INVALID_ARG : err;
}

static int on_subscribe(struct call *call, json_t **result) {
    const char *topic = text_of(call, "topic");
    struct rmi_serve_tap wanted = {.audio = json_is_true(json_object_get(call->params, "include_audio"))};
    if (!topic || strlen(topic) >= sizeof wanted.topic)
        return refuse(call, "topic is missing or too long");
    const bool system = !strcmp(topic, RMI_SERVE_SYSTEM);
    rm_err err = system ? RM_OK : check_topic(call, topic);
    if (err)
        return refuse_err(call, err);
    snprintf(wanted.topic, sizeof wanted.topic, "%s", topic);
    struct rmi_serve_tap *t = rmi_serve_tap_find(call->p, NULL, topic, false);
    if (t && t->audio != wanted.audio) { /* asked for again, otherwise */
        rmi_serve_tap_remove(t);
        t = NULL;
    }
    if (!t && (err = rmi_serve_tap_add(call->p, &wanted, call->session, &t)))
        return refuse_err(call, err);
    if (system && call->session) /* else it is told when it happens */
        rmi_serve_tell(call->s, call->p->id, RMI_SERVE_READY, "", "");
    *result = json_pack("{s:b, s:s}", "subscribed", 1, "topic", topic);
    return 0;
}

static int on_unsubscribe(struct call *call, json_t **result) {
    const char *topic = text_of(call, "topic");
    struct rmi_serve_tap *t = topic ? rmi_serve_tap_find(call->p, NULL, topic, false) : NULL;
    if (!topic)
        return refuse(call, "topic is missing");
    *result = json_pack("{s:b, s:s}", "unsubscribed", t != NULL, "topic", topic);
    if (t)
        rmi_serve_tap_remove(t);
    return 0;
}

static rm_err binary_data(const json_t *text, rm_runtime_data **out) {
    const size_t size = json_string_length(text);
    rm_buf *buf = NULL;
    size_t bytes = 0;
    rm_err err = rm_buf_create(size / 4 * 3 + 1, &buf);
    if (!err)
        err = rmi_base64_decode(json_string_value(text), size, rm_buf_write(buf), &bytes);
    if (!err)
        err = rm_runtime_data_create_binary(buf, 0, bytes, out);
    rm_buf_unref(&buf);
    return err;
}

static rm_err text_data(const json_t *text, rm_runtime_data **out) {
    return rm_runtime_data_create_text(json_string_value(text), json_string_length(text), NULL, out);
}

/* {"text"}, {"json"}, {"binary_b64"}, or a text or JSON as it is. */
static rm_err data_of(json_t *payload, rm_runtime_data **out) {
    const bool single = json_object_size(payload) == 1;
    json_t *text = json_object_get(payload, "text"), *json = json_object_get(payload, "json");
    const json_t *binary = json_object_get(payload, "binary_b64");
    if (json_is_string(payload))
        return text_data(payload, out);
    if (single && json_is_string(text))
        return text_data(text, out);
    if (single && json_is_string(binary))
        return binary_data(binary, out);
    return rmi_runtime_data_create_json_value(single && json ? json : payload, out);
}

static int on_publish(struct call *call, json_t **result) {
    const char *topic = text_of(call, "topic");
    json_t *payload = json_object_get(call->params, "payload");
    rm_runtime_data *data = NULL;
    if (!topic || !payload)
        return refuse(call, "topic or payload is missing");
    if (!call->session)
        return refuse(call, no_session);
    rm_err err = data_of(payload, &data);
    if (err)
        return refuse(call, "payload must be {\"text\"}, {\"json\"}, {\"binary_b64\"}, a text or JSON");
    err = rm_stream_session_publish(call->session, topic, data);
    rm_runtime_data_unref(&data);
    if (err)
        return refuse_err(call, err);
    *result = json_pack("{s:b, s:s}", "published", 1, "topic", topic);
    return 0;
}

static int on_set_node_state(struct call *call, json_t **result) {
    static const char *const shown[] = {
        [RM_NODE_ENABLED] = "Enabled", [RM_NODE_BYPASS] = "Bypass", [RM_NODE_DISABLED] = "Disabled"};
    const char *node = text_of(call, "node_id"), *name = text_of(call, "state");
    int state = RM_NODE_ENABLED;
    while (name && state <= RM_NODE_DISABLED && strcmp(name, rm_node_state_name((rm_node_state)state)) != 0)
        state++;
    if (!node || !name || state > RM_NODE_DISABLED)
        return refuse(call, "node_id is missing, or state is none of enabled, bypass, disabled");
    if (!call->session)
        return refuse(call, no_session);
    rm_err err = rm_stream_session_set_node_state(call->session, node, (rm_node_state)state);
    if (err)
        return refuse_err(call, err);
    *result = json_pack("{s:b, s:s, s:s}", "success", 1, "node_id", node, "state", shown[state]);
    return 0;
}

static int on_flush_audio(struct call *call, json_t **result) {
    if (!call->session)
        return refuse(call, no_session);
    uint64_t dropped = rm_stream_session_flush_audio(call->session);
    struct rmi_media_peer *media = rmi_media_find(call->s->t->media, call->p->id);
    if (media) {
        dropped += rmi_media_speech_flush(media);
        rmi_media_peer_unref(media);
    }
    *result = json_pack("{s:b, s:I}", "flushed", 1, "frames_dropped", (json_int_t)dropped);
    return 0;
}

static json_t *server_info(void) {
    struct rmi_interface list[RMI_WEBRTC_SOCKETS_MAX];
    char host[HOST_NAME_MAX_BYTES] = "";
    size_t n = 0;
    json_t *addresses = json_array();
    if (rmi_interfaces_list(list, RMI_WEBRTC_SOCKETS_MAX, &n))
        n = 0;
    bool has_default = false;
    for (size_t i = 0; i < n; i++) { /* best first */
        char text[RMI_ADDR_TEXT_MAX];
        const bool first = !has_default && !list[i].is_loopback;
        has_default = has_default || first;
        json_array_append_new(
            addresses, json_pack("{s:s, s:b}", "ip", rmi_addr_ip_text(&list[i].addr, text), "is_default", first));
    }
    gethostname(host, sizeof host - 1);
    return json_pack("{s:o, s:s}", "addresses", addresses, "hostname", host);
}

static const struct {
    const char *name;
    int (*serve)(struct call *call, json_t **result);
} methods[] = {{"control.subscribe", on_subscribe},
               {"control.unsubscribe", on_unsubscribe},
               {"control.publish", on_publish},
               {"control.set_node_state", on_set_node_state},
               {"control.flush_audio", on_flush_audio}};

int rmi_serve_method(void *serve, const char *peer_id, const char *method, json_t *params, json_t **result,
                     const char **reason) {
    struct call call = {.s = serve, .params = params};
    struct rmi_serve_session held;
    if (!strcmp(method, "server.info")) {
        *result = server_info();
        return 0;
    }
    size_t i = 0;
    while (i < sizeof methods / sizeof methods[0] && strcmp(method, methods[i].name) != 0)
        i++;
    if (i == sizeof methods / sizeof methods[0])
        return RMI_RPC_METHOD_NOT_FOUND;
    *reason = "announce first";
    if (!peer_id)
        return RMI_RPC_INVALID_REQUEST;
    *reason = "out of memory";
    if (!(call.p = rmi_serve_get(serve, peer_id)))
        return RMI_RPC_INTERNAL;
    call.p->announced = true;
    if ((call.session = rmi_serve_hold(serve, peer_id, &held)))
        rmi_serve_taps_follow(call.p, call.session);
    const int code = methods[i].serve(&call, result);
    rmi_serve_release(&held);
    *reason = call.reason;
    return code;
}
