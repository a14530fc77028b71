/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane of server mode: protobuf messages of data channels into the client's session, and its outputs back. */
#include "webrtc/serve_private.h"

#include "frame/data_buffer.h"
#include <stdlib.h>
#include <string.h>

static struct rmi_serve_channel *find_channel(struct rmi_serve *s, const char *peer_id, uint16_t id) {
    struct rmi_serve_peer *p = rmi_serve_find(s, peer_id);
    if (!p)
        return NULL;
    RMI_LIST_FOREACH (node, next, &p->channels) {
        struct rmi_serve_channel *c = RMI_CONTAINER_OF(node, struct rmi_serve_channel, node);
        if (c->id == id)
            return c;
    }
    return NULL;
}

static void choose_output(struct rmi_serve_peer *p) {
    int last = -1;
    RMI_LIST_FOREACH (node, next, &p->channels) {
        const struct rmi_serve_channel *c = RMI_CONTAINER_OF(node, struct rmi_serve_channel, node);
        if (!c->control)
            last = c->id;
    }
    pthread_mutex_lock(&p->serve->mutex);
    p->output_channel = last;
    pthread_mutex_unlock(&p->serve->mutex);
}

static void on_open(void *ctx, const char *peer_id, uint16_t channel, const char *label, const char *protocol) {
    struct rmi_serve *s = ctx;
    struct rmi_serve_peer *p = rmi_serve_get(s, peer_id);
    struct rmi_serve_channel *c = p ? calloc(1, sizeof *c) : NULL;
    (void)protocol;
    if (!c) {
        rmi_log(s->t->log, RMI_LOG_APP, RM_LOG_ERROR, "peer=%s channel=%s is not served: no memory", peer_id, label);
        return;
    }
    c->peer = p;
    c->id = channel;
    c->control = !strcmp(label, RMI_SERVE_CONTROL);
    rmi_list_init(&c->held);
    rmi_list_push_back(&p->channels, &c->node);
    choose_output(p);
}

void rmi_serve_channel_free(struct rmi_serve_channel *c) {
    struct rmi_list *node;
    rmi_serve_taps_end(c->peer, c);
    while ((node = rmi_list_pop_front(&c->held)))
        free(RMI_CONTAINER_OF(node, struct rmi_serve_message, node));
    rmi_list_remove(&c->node);
    choose_output(c->peer);
    free(c);
}

static void on_closed(void *ctx, const char *peer_id, uint16_t channel) {
    struct rmi_serve_channel *c = find_channel(ctx, peer_id, channel);
    if (!c)
        return;
    struct rmi_serve_peer *p = c->peer;
    rmi_serve_channel_free(c);
    rmi_serve_reap(p);
}

static void drop(const struct rmi_serve_channel *c, size_t len, const char *why) {
    rmi_log(c->peer->serve->t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s channel %u: message of %zu bytes dropped: %s",
            c->peer->id, c->id, len, why);
}

/* False: the session is full. */
static bool into_session(struct rmi_serve_channel *c, rm_stream_session *session, const uint8_t *data, size_t len) {
    rm_transport_data input = {0};
    rm_err err = rmi_data_buffer_read(data, len, &input.data, &input.metadata);
    if (!err && rm_runtime_data_type(input.data) == RM_DATA_CONTROL)
        err = RM_E_UNSUPPORTED; /* RemoteMedia's server refuses these: they are for the inside of pipelines */
    if (!err)
        err = rm_stream_session_send_input(session, &input);
    rm_transport_data_clear(&input);
    if (err && err != RM_E_AGAIN)
        drop(c, len, rm_strerror(err));
    return err != RM_E_AGAIN;
}

/* False: nobody can take it just now. */
static bool take(struct rmi_serve_channel *c, const uint8_t *data, size_t len) {
    struct rmi_serve_session held;
    rm_stream_session *session = rmi_serve_hold(c->peer->serve, c->peer->id, &held);
    bool taken = true;
    if (session)
        rmi_serve_taps_follow(c->peer, session); /* the news of it may still be on its way */
    if (session && c->control)
        rmi_serve_frame(c, session, data, len);
    else if (session)
        taken = into_session(c, session, data, len);
    else if (rmi_media_has_pipeline(c->peer->serve->t->media))
        taken = false; /* it is being made */
    else if (c->control)
        rmi_serve_frame_refuse(c);
    else
        drop(c, len, "there is no pipeline any more");
    rmi_serve_release(&held);
    return taken;
}

static void hold(struct rmi_serve_channel *c, const uint8_t *data, size_t len) {
    struct rmi_serve_message *m = malloc(sizeof *m + len);
    if (!m) {
        drop(c, len, "no memory");
        return;
    }
    m->len = len;
    if (len)
        memcpy(m->data, data, len);
    rmi_list_push_back(&c->held, &m->node);
    (void)rm_webrtc_pause_channel(c->peer->serve->t, c->peer->id, c->id, true);
}

/* JSON of a mesh client begins like this, and no DataBuffer does: it would be a group, which proto3 has not. */
static bool is_json(const uint8_t *data, size_t len) {
    return len > 0 && data[0] == '{';
}

static bool on_data(void *ctx, const char *peer_id, uint16_t channel, bool binary, const uint8_t *data, size_t len) {
    struct rmi_serve *s = ctx;
    struct rmi_serve_channel *c = find_channel(s, peer_id, channel);
    if (!c || (!c->control && (!binary || is_json(data, len) || !rmi_media_has_pipeline(s->t->media))))
        return false;
    if (!rmi_list_empty(&c->held) || !take(c, data, len))
        hold(c, data, len);
    return true;
}

void rmi_serve_data_resume(struct rmi_serve_peer *p) {
    RMI_LIST_FOREACH (node, next, &p->channels) {
        struct rmi_serve_channel *c = RMI_CONTAINER_OF(node, struct rmi_serve_channel, node);
        const bool was_held = !rmi_list_empty(&c->held);
        while (!rmi_list_empty(&c->held)) {
            struct rmi_serve_message *m = RMI_CONTAINER_OF(c->held.next, struct rmi_serve_message, node);
            if (!take(c, m->data, m->len))
                break;
            rmi_list_remove(&m->node);
            free(m);
        }
        if (was_held && rmi_list_empty(&c->held))
            (void)rm_webrtc_pause_channel(p->serve->t, p->id, c->id, false);
    }
}

rm_err rmi_serve_output(struct rmi_serve *s, const char *peer_id, const rm_transport_data *output) {
    struct rmi_buf *buf = NULL;
    pthread_mutex_lock(&s->mutex);
    const struct rmi_serve_peer *p = rmi_serve_find(s, peer_id);
    const int channel = p ? p->output_channel : -1;
    pthread_mutex_unlock(&s->mutex);
    if (channel < 0)
        return RM_E_NOT_FOUND;
    rm_err err = rmi_data_buffer_write(output->data, output->metadata, &buf);
    if (!err)
        err = rm_webrtc_send_data_buf(s->t, peer_id, (uint16_t)channel, true, buf, 0, buf->len);
    rm_buf_unref(&buf);
    return err;
}

/* "control" has hooks of the mesh, too: what they do not want comes here. */
rm_err rmi_serve_data_hook(struct rmi_serve *s) {
    static const char *const labels[] = {RMI_SERVE_CONTROL, RMI_EP_CHANNEL, NULL};
    rm_err err = RM_OK;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0] && !err; i++) {
        const struct rmi_channel_hook hook = {
            .label = labels[i], .open = on_open, .data = on_data, .closed = on_closed, .ctx = s};
        err = rmi_webrtc_hook_channels(s->t, &hook);
    }
    return err;
}
