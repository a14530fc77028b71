/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages that come: who may what, and what follows. Calls are in control_api.c. */
#include "webrtc/control_private.h"

#include "base/err.h"
#include "base/sbuf.h"
#include "base/time.h"
#include "webrtc/channel_hook.h"
#include "webrtc/media_private.h"
#include "webrtc/wish.h"
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALL "*"

int64_t rmi_control_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- who may ---- */

bool rmi_control_next_peer(const char **rest, char id[RM_PEER_ID_MAX]) {
    if (!**rest)
        return false;
    const size_t len = strcspn(*rest, ",");
    snprintf(id, RM_PEER_ID_MAX, "%.*s", (int)(len < RM_PEER_ID_MAX ? len : RM_PEER_ID_MAX), *rest);
    if (len >= RM_PEER_ID_MAX)
        id[0] = '\0';
    *rest += len + ((*rest)[len] == ',');
    return true;
}

static struct rmi_control_right *find_right(struct rmi_control *c, const char *peer_id) {
    for (size_t i = 0; i < c->right_count; i++)
        if (!strcmp(c->rights[i].peer_id, peer_id))
            return &c->rights[i];
    return NULL;
}

rm_err rmi_control_set_right(struct rmi_control *c, const char *peer_id, bool allow) {
    rm_err err = RM_OK;
    pthread_mutex_lock(&c->mutex);
    struct rmi_control_right *right = find_right(c, peer_id);
    if (!right && c->right_count == RM_CONTROL_PEERS_MAX)
        err = RM_E_LIMIT;
    if (!right && !err) {
        right = &c->rights[c->right_count++];
        snprintf(right->peer_id, sizeof right->peer_id, "%s", peer_id);
    }
    if (right)
        right->allow = allow;
    pthread_mutex_unlock(&c->mutex);
    return err;
}

static bool may_control(struct rmi_control *c, const char *peer_id) {
    pthread_mutex_lock(&c->mutex);
    const struct rmi_control_right *right = find_right(c, peer_id);
    right = right ? right : find_right(c, ALL);
    const bool allow = right && right->allow;
    pthread_mutex_unlock(&c->mutex);
    return allow;
}

/* ---- answers ---- */

static void send_json(struct rm_webrtc *t, const char *peer_id, json_t *payload) {
    rm_runtime_data *message = NULL;
    rm_err err = payload ? rmi_runtime_data_create_json_value(payload, &message) : RM_E_NO_MEMORY;
    if (!err)
        err = rm_webrtc_send_message(t, peer_id, message);
    if (err && err != RM_E_CLOSED)
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s its control message could not be answered: %s", peer_id,
                rm_strerror(err));
    rm_runtime_data_unref(&message);
    json_decref(payload);
}

void rmi_control_answer(struct rm_webrtc *t, const char *peer_id, const char *message_type, const json_t *request,
                        json_t *data) {
    if (data && json_is_integer(request))
        json_object_set_new(data, "request", json_integer(json_integer_value(request)));
    send_json(t, peer_id, json_pack("{s:s, s:s, s:o}", "action", "Custom", "message_type", message_type, "data", data));
}

void rmi_control_refuse(struct rm_webrtc *t, const char *peer_id, const json_t *request, const char *action, rm_err err,
                        const char *detail) {
    rmi_control_answer(t, peer_id, "refused", request,
                       json_pack("{s:s, s:s, s:s}", "action", action, "error", rm_err_name(err), "detail", detail));
}

/* ---- requests of a peer, on the network thread ---- */

static void tell(struct rm_webrtc *t, const char *peer_id, rm_err err, const char *action, const char *what) {
    rm_event ev = {.type = RM_EV_CONTROL, .err = err};
    snprintf(ev.peer_id, sizeof ev.peer_id, "%s", peer_id);
    snprintf(ev.detail, sizeof ev.detail, "%s%s%s", action, what[0] ? ": " : "", what);
    rmi_webrtc_emit(t, &ev);
}

static void refuse(struct rmi_control *c, const char *peer_id, const json_t *in, const char *action, rm_err err) {
    const char *detail = err == RM_E_STATE   ? "there is no pipeline to control"
                         : err == RM_E_LIMIT ? "too many reconfigurations wait for this one to be done"
                                             : rm_strerror(err);
    rmi_control_refuse(c->t, peer_id, json_object_get(in, "request"), action, err, detail);
    tell(c->t, peer_id, err, action, detail);
}

static bool on_pause(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    const bool pause = !strcmp(json_string_value(json_object_get(in, "action")), "Pause");
    const char *action = pause ? "Pause" : "Resume";
    (void)message;
    rm_err err = may_control(c, peer_id) ? rmi_control_pause(c->t->media, peer_id, pause) : RM_E_DENIED;
    if (err) {
        refuse(c, peer_id, in, action, err);
        return true;
    }
    rmi_control_answer(c->t, peer_id, pause ? "paused" : "resumed", json_object_get(in, "request"), json_object());
    tell(c->t, peer_id, RM_OK, action, "");
    return true;
}

static bool on_reconfigure(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    rm_err err = may_control(c, peer_id) ? rmi_control_reconfigure(c->t->media, peer_id, message) : RM_E_DENIED;
    if (err)
        refuse(c, peer_id, in, "Reconfigure", err);
    return true;
}

static bool on_get_status(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    bool paused = false;
    json_t *nodes = rmi_control_nodes(c->t->media, peer_id, &paused);
    (void)message;
    json_t *status = json_pack("{s:s, s:s, s:I, s:I}", "action", "Status", "state",
                               nodes                                 ? paused ? "paused" : "running"
                               : rmi_media_has_pipeline(c->t->media) ? "starting"
                                                                     : "idle",
                               "active_nodes", (json_int_t)json_array_size(nodes), "timestamp_ms",
                               (json_int_t)rmi_control_wall_ms());
    if (status && nodes)
        json_object_set(status, "nodes", nodes);
    if (status && json_is_integer(json_object_get(in, "request")))
        json_object_set(status, "request", json_object_get(in, "request"));
    send_json(c->t, peer_id, status);
    json_decref(nodes);
    return true;
}

static bool on_ping(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    json_t *then = json_object_get(in, "timestamp_ms");
    (void)message;
    if (!json_is_integer(then))
        return false;
    send_json(c->t, peer_id,
              json_pack("{s:s, s:O, s:I}", "action", "Pong", "ping_timestamp_ms", then, "pong_timestamp_ms",
                        (json_int_t)rmi_control_wall_ms()));
    return true;
}

/* What it wants of our media, which is everybody's to say. */
static void on_wish(struct rmi_control *c, const char *peer_id, const json_t *data) {
    rm_subscription wish;
    const char *fault = NULL;
    const rm_err err = rmi_wish_read(data, &wish, &fault);
    if (err)
        rmi_control_refuse(c->t, peer_id, json_object_get(data, "request"), RMI_WISH, err, fault);
    else
        rmi_media_set_wish(c->t->media, peer_id, &wish);
}

/* ---- answers of a peer ---- */

static void give(struct rmi_control *c, rm_control_answer *a) {
    const char **texts[] = {&a->action, &a->detail, &a->session_id, &a->state, &a->message_type, &a->json};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = *texts[i] ? *texts[i] : "";
    if (!atomic_load(&c->t->destroying))
        c->t->config.on_control(a, c->t->config.user);
}

static uint64_t request_of(const json_t *in) {
    const json_int_t n = json_integer_value(json_object_get(in, "request"));
    return n > 0 ? (uint64_t)n : 0;
}

static const char *text_of(const json_t *in, const char *key) {
    const char *text = json_string_value(json_object_get(in, key));
    return text ? text : "";
}

/* With the names of nodes that the answer has. */
static void give_nodes(struct rmi_control *c, rm_control_answer *a, const json_t *nodes) {
    const size_t count = json_array_size(nodes);
    const char **names = count > 0 ? calloc(count, sizeof *names) : NULL;
    for (size_t i = 0; names && i < count; i++) {
        const char *name = json_string_value(json_array_get(nodes, i));
        names[i] = name ? name : "";
    }
    if (names) {
        a->nodes = names;
        a->node_count = count;
    }
    give(c, a);
    free(names);
}

static bool on_status(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    (void)message;
    if (!c->t->config.on_control)
        return false;
    const json_int_t count = json_integer_value(json_object_get(in, "active_nodes"));
    rm_control_answer a = {.type = RM_CONTROL_STATUS,
                           .peer_id = peer_id,
                           .request = request_of(in),
                           .state = text_of(in, "state"),
                           .node_count = count > 0 ? (size_t)count : 0,
                           .timestamp_ms = json_integer_value(json_object_get(in, "timestamp_ms"))};
    give_nodes(c, &a, json_object_get(in, "nodes"));
    return true;
}

static bool on_pong(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    const json_int_t then_ms = json_integer_value(json_object_get(in, "ping_timestamp_ms"));
    struct rmi_control_ping ping = {0};
    (void)message;
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < RMI_CONTROL_PINGS; i++)
        if (c->pings[i].timestamp_ms == then_ms && !strcmp(c->pings[i].peer_id, peer_id)) {
            ping = c->pings[i];
            memset(&c->pings[i], 0, sizeof c->pings[i]);
        }
    pthread_mutex_unlock(&c->mutex);
    if (!c->t->config.on_control || !ping.request)
        return false;
    rm_control_answer a = {.type = RM_CONTROL_PONG,
                           .peer_id = peer_id,
                           .request = ping.request,
                           .timestamp_ms = json_integer_value(json_object_get(in, "pong_timestamp_ms")),
                           .rtt_ms = (double)(rmi_now_us() - ping.sent_us) / 1000.0};
    give(c, &a);
    return true;
}

/* The faults of a refusal, one a line; NULL: there are none. */
static char *lines_of(const json_t *faults) {
    struct rmi_sbuf text = {0};
    for (size_t i = 0; i < json_array_size(faults); i++) {
        const char *line = json_string_value(json_array_get(faults, i));
        rmi_sbuf_addf(&text, "%s%s", i ? "\n" : "", line ? line : "");
    }
    return rmi_sbuf_take(&text);
}

static void on_refused(struct rmi_control *c, const char *peer_id, const json_t *data, const char *action) {
    rm_control_answer a = {.type = RM_CONTROL_REFUSED,
                           .peer_id = peer_id,
                           .request = request_of(data),
                           .action = action,
                           .detail = text_of(data, "detail"),
                           .err = rmi_err_by_name(text_of(data, "error"), RM_E_INTERNAL)};
    char *lines = lines_of(json_object_get(data, "faults"));
    a.detail = lines && lines[0] ? lines : a.detail;
    give(c, &a);
    free(lines);
}

static bool on_custom(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in) {
    static const struct {
        const char *message_type, *action;
    } done[] = {{"paused", "Pause"}, {"resumed", "Resume"}, {"reconfigured", "Reconfigure"}};
    const char *type = text_of(in, "message_type");
    const json_t *data = json_object_get(in, "data");
    (void)message;
    if (!strcmp(type, RMI_WISH)) {
        on_wish(c, peer_id, data);
        return true;
    }
    if (!c->t->config.on_control)
        return false;
    if (!strcmp(type, "refused") || !strcmp(type, "reconfigure_refused")) {
        on_refused(c, peer_id, data, strcmp(type, "refused") ? "Reconfigure" : text_of(data, "action"));
        return true;
    }
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        if (!strcmp(type, done[i].message_type)) {
            rm_control_answer a = {.type = RM_CONTROL_DONE,
                                   .peer_id = peer_id,
                                   .request = request_of(data),
                                   .action = done[i].action,
                                   .session_id = text_of(data, "session_id")};
            give_nodes(c, &a, json_object_get(data, "nodes"));
            return true;
        }
    struct rmi_buf *text = NULL;
    if (rmi_json_text_dump(data, &text))
        return false;
    rm_control_answer a = {
        .type = RM_CONTROL_CUSTOM, .peer_id = peer_id, .message_type = type, .json = (const char *)text->data};
    give(c, &a);
    rmi_buf_unref(&text);
    return true;
}

/* ---- the channel ---- */

static void on_open(void *ctx, const char *peer_id, uint16_t channel, const char *label, const char *protocol) {
    struct rmi_control *c = ctx;
    (void)peer_id, (void)channel, (void)label, (void)protocol;
    rmi_media_follow_wishes(c->t->media);
}

/* Messages may come as JSON, or as text or bytes that are JSON; those are made JSON here. */
static rm_runtime_data *json_of(rm_runtime_data *message) {
    const rm_data_type type = rm_runtime_data_type(message);
    rm_runtime_data *json = NULL;
    size_t size = 0;
    const uint8_t *bytes = rm_runtime_data_bytes(message, &size);
    if (type == RM_DATA_JSON)
        return rm_runtime_data_ref(message);
    if (size > 0 && bytes[0] == '{' && size <= RMI_CONTROL_TEXT_MAX)
        (void)rm_runtime_data_create_json((const char *)bytes, size, &json); /* else: none of ours */
    return json;
}

static bool on_message(void *ctx, const char *peer_id, uint16_t channel, rm_runtime_data *message) {
    static const struct {
        const char *action;
        bool (*serve)(struct rmi_control *c, const char *peer_id, rm_runtime_data *message, const json_t *in);
    } actions[] = {
        {"Ping", on_ping},   {"Pong", on_pong},    {"GetStatus", on_get_status}, {"Status", on_status},
        {"Pause", on_pause}, {"Resume", on_pause}, {"Custom", on_custom},        {"Reconfigure", on_reconfigure}};
    struct rmi_control *c = ctx;
    (void)channel;
    rm_runtime_data *json = json_of(message);
    const json_t *in = json ? rmi_runtime_data_json_value(json) : NULL;
    const char *action = text_of(in, "action");
    bool taken = false;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (!strcmp(action, actions[i].action))
            taken = actions[i].serve(c, peer_id, json, in);
    rm_runtime_data_unref(&json);
    return taken;
}

/* ---- life ---- */

rm_err rmi_control_create(struct rm_webrtc *t, struct rmi_control **out) {
    struct rmi_control *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->t = t;
    pthread_mutex_init(&c->mutex, NULL);
    char id[RM_PEER_ID_MAX];
    const char *rest = t->config.control_peers;
    while (rest && rmi_control_next_peer(&rest, id))
        (void)rmi_control_set_right(c, id, true); /* the configuration was checked */
    const struct rmi_channel_hook hook = {.label = RMI_EP_CHANNEL, .open = on_open, .message = on_message, .ctx = c};
    rm_err err = rmi_webrtc_hook_channels(t, &hook);
    if (err)
        rmi_control_destroy(&c);
    *out = c;
    return err;
}

void rmi_control_destroy(struct rmi_control **control) {
    struct rmi_control *c = *control;
    if (!c)
        return;
    *control = NULL;
    pthread_mutex_destroy(&c->mutex);
    free(c);
}
