/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on their way from any thread to the association. */
#include "webrtc/data_private.h"

#include "base/time.h"
#include "webrtc/message.h"
#include "webrtc/webrtc_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 8 /* at a time, before others have their turn */

struct rmi_data_peer *rmi_data_find(struct rmi_data *d, const char *peer_id) {
    RMI_LIST_FOREACH (node, next, &d->peers) {
        struct rmi_data_peer *p = RMI_CONTAINER_OF(node, struct rmi_data_peer, node);
        if (!strcmp(p->id, peer_id))
            return p;
    }
    return NULL;
}

void rmi_data_ask(struct rmi_data_channel *c) {
    struct rmi_data *d = c->peer->data;
    if (!c->ready.next)
        rmi_list_push_back(&d->ready, &c->ready);
    if (!atomic_exchange(&d->asked, true))
        (void)rmi_loop_ask(d->t->loop, &d->job); /* the loop is there: d->running */
}

/* ---- queueing ---- */

static void free_message(struct rmi_data_message *m) {
    rmi_buf_unref(&m->buf);
    free(m);
}

void rmi_data_drop_queue(struct rmi_data_channel *c) {
    RMI_LIST_FOREACH (node, next, &c->queue) {
        rmi_list_remove(node);
        free_message(RMI_CONTAINER_OF(node, struct rmi_data_message, node));
    }
    c->queued_bytes = c->queued_count = 0;
}

/* One that refers to `buf`, or with a copy of `data`. */
static struct rmi_data_message *new_message(bool binary, struct rmi_buf *buf, const void *data, size_t len) {
    struct rmi_data_message *m = malloc(sizeof *m + (buf ? 0 : len));
    if (!m)
        return NULL;
    *m = (struct rmi_data_message){.data = data, .len = len, .buf = buf ? rmi_buf_ref(buf) : NULL, .binary = binary};
    if (!buf) {
        m->data = (const uint8_t *)(m + 1);
        if (len > 0)
            memcpy(m + 1, data, len);
    }
    return m;
}

/* Why there is no loop. */
static rm_err not_running(struct rm_webrtc *t) {
    pthread_mutex_lock(&t->mutex);
    const rm_err err = t->has_thread ? RM_E_CLOSED : RM_E_STATE;
    pthread_mutex_unlock(&t->mutex);
    return err;
}

/* Whether the channel would take it; with the mutex held. */
static rm_err check(struct rmi_data_channel *c, size_t len) {
    if (c->closing)
        return RM_E_STATE;
    if (len > c->peer->message_max)
        return RM_E_TOO_BIG;
    if (c->queued_bytes > 0 && c->queued_bytes + len > RM_CHANNEL_QUEUE_MAX) {
        c->blocked = true;
        return RM_E_AGAIN;
    }
    return RM_OK;
}

static rm_err find_channel(struct rmi_data *d, const char *peer_id, uint16_t id, struct rmi_data_channel **out) {
    if (!d->running)
        return not_running(d->t);
    struct rmi_data_peer *p = rmi_data_find(d, peer_id);
    *out = p && id < RMI_SCTP_STREAMS ? p->at[id] : NULL;
    return *out ? RM_OK : RM_E_NOT_FOUND;
}

static void enqueue(struct rmi_data_channel *c, struct rmi_data_message *m) {
    m->until_us = c->lifetime_ms == RMI_DATA_FOR_EVER ? RMI_NEVER : rmi_now_us() + RMI_MS(c->lifetime_ms);
    rmi_list_push_back(&c->queue, &m->node);
    c->queued_bytes += m->len;
    c->queued_count++;
    c->above_low = c->above_low || c->queued_bytes > c->low;
    rmi_data_ask(c);
}

static rm_err send_on(rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, struct rmi_buf *buf,
                      const void *data, size_t len) {
    struct rmi_data *d = t->data;
    struct rmi_data_channel *c = NULL;
    /* The copy is made before the lock is taken, and for nothing when the queue is full. */
    struct rmi_data_message *m = len > RM_MESSAGE_BYTES_MAX ? NULL : new_message(binary, buf, data, len);
    pthread_mutex_lock(&d->mutex);
    rm_err err = find_channel(d, peer_id, channel, &c);
    if (!err)
        err = check(c, len);
    if (!err && !m)
        err = RM_E_NO_MEMORY;
    if (!err) {
        enqueue(c, m);
        m = NULL;
    }
    pthread_mutex_unlock(&d->mutex);
    if (m)
        free_message(m);
    return err;
}

rm_err rm_webrtc_send_data(rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, const void *data,
                           size_t size) {
    if (!t || !peer_id || (!data && size > 0))
        return RM_E_INVALID_ARG;
    return t->config.enable_data_channel ? send_on(t, peer_id, channel, binary, NULL, data, size) : RM_E_UNSUPPORTED;
}

rm_err rm_webrtc_send_data_buf(rm_webrtc *t, const char *peer_id, uint16_t channel, bool binary, rm_buf *buf,
                               size_t offset, size_t size) {
    if (!t || !peer_id || !buf || offset > buf->len || size > buf->len - offset)
        return RM_E_INVALID_ARG;
    return t->config.enable_data_channel ? send_on(t, peer_id, channel, binary, buf, buf->data + offset, size)
                                         : RM_E_UNSUPPORTED;
}

/* Which channel; that its queue is full is known before a message is written out for it. */
static rm_err main_channel(struct rmi_data *d, const char *peer_id, uint16_t *id) {
    if (!d->running)
        return not_running(d->t);
    struct rmi_data_peer *p = rmi_data_find(d, peer_id);
    if (!p)
        return RM_E_NOT_FOUND;
    if (!p->main)
        return RM_E_STATE;
    *id = p->main->id;
    return check(p->main, 0);
}

rm_err rm_webrtc_send_message(rm_webrtc *t, const char *peer_id, const rm_runtime_data *message) {
    if (!t || !peer_id || !message)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    uint16_t id = 0;
    struct rmi_buf *text = NULL;
    pthread_mutex_lock(&t->data->mutex);
    rm_err err = main_channel(t->data, peer_id, &id);
    pthread_mutex_unlock(&t->data->mutex);
    if (!err)
        err = rmi_message_write(message, &text);
    if (!err)
        err = send_on(t, peer_id, id, false, text, text->data, text->len);
    if (err == RM_E_TOO_BIG && text)
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN,
                "peer=%s message of %zu bytes on the wire is more than the peer takes: send it in pieces", peer_id,
                text->len);
    rmi_buf_unref(&text);
    return err;
}

rm_err rm_webrtc_close_channel(rm_webrtc *t, const char *peer_id, uint16_t channel) {
    if (!t || !peer_id)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    struct rmi_data_channel *c = NULL;
    pthread_mutex_lock(&t->data->mutex);
    rm_err err = find_channel(t->data, peer_id, channel, &c);
    if (!err && !c->closing) {
        c->closing = true;
        if (c->peer->main == c)
            c->peer->main = NULL;
        rmi_data_ask(c);
    }
    pthread_mutex_unlock(&t->data->mutex);
    return err;
}

rm_err rm_webrtc_pause_channel(rm_webrtc *t, const char *peer_id, uint16_t channel, bool pause) {
    if (!t || !peer_id)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    struct rmi_data_channel *c = NULL;
    pthread_mutex_lock(&t->data->mutex);
    rm_err err = find_channel(t->data, peer_id, channel, &c);
    if (!err && c->paused != pause) {
        c->paused = pause;
        c->pause_changed = true;
        rmi_data_ask(c);
        if (pause && rmi_webrtc_on_network_thread(t)) /* inside a callback: this message was the last */
            (void)rmi_channels_pause(c->peer->channels, channel, true);
    }
    pthread_mutex_unlock(&t->data->mutex);
    return err;
}

rm_err rm_webrtc_set_buffered_low(rm_webrtc *t, const char *peer_id, uint16_t channel, size_t bytes) {
    if (!t || !peer_id || bytes == RMI_DATA_NO_LOW)
        return RM_E_INVALID_ARG;
    if (!t->config.enable_data_channel)
        return RM_E_UNSUPPORTED;
    struct rmi_data_channel *c = NULL;
    pthread_mutex_lock(&t->data->mutex);
    rm_err err = find_channel(t->data, peer_id, channel, &c);
    if (!err) {
        c->low = bytes;
        c->above_low = c->queued_bytes > bytes;
        rmi_data_ask(c);
    }
    pthread_mutex_unlock(&t->data->mutex);
    return err;
}

/* ---- network thread: into the association ---- */

/* Messages off the queue up to `room` bytes, at least one where there is any. Whether the queue was empty. */
static bool take(struct rmi_data_channel *c, size_t room, struct rmi_list *out) {
    struct rmi_data *d = c->peer->data;
    size_t bytes = 0;
    pthread_mutex_lock(&d->mutex);
    const bool empty = rmi_list_empty(&c->queue);
    while (bytes < room && !rmi_list_empty(&c->queue)) {
        struct rmi_list *node = rmi_list_pop_front(&c->queue);
        const size_t len = RMI_CONTAINER_OF(node, struct rmi_data_message, node)->len;
        rmi_list_push_back(out, node);
        c->queued_bytes -= len;
        c->queued_count--;
        bytes += len > 0 ? len : 1;
    }
    pthread_mutex_unlock(&d->mutex);
    return empty;
}

static void give_back(struct rmi_data_channel *c, struct rmi_list *batch) {
    pthread_mutex_lock(&c->peer->data->mutex);
    while (!rmi_list_empty(batch)) {
        struct rmi_list *last = batch->prev;
        rmi_list_remove(last);
        rmi_list_push_front(&c->queue, last);
        c->queued_bytes += RMI_CONTAINER_OF(last, struct rmi_data_message, node)->len;
        c->queued_count++;
    }
    pthread_mutex_unlock(&c->peer->data->mutex);
}

/* False: not now; the rest of the batch stays. */
static bool send_batch(struct rmi_data_channel *c, struct rmi_list *batch, int64_t now_us) {
    for (struct rmi_list *node; (node = rmi_list_pop_front(batch));) {
        struct rmi_data_message *m = RMI_CONTAINER_OF(node, struct rmi_data_message, node);
        const bool expired = now_us >= m->until_us;
        const rm_err err =
            expired ? RM_OK : rmi_channels_send(c->peer->channels, now_us, c->id, m->binary, m->data, m->len);
        c->expired += expired;
        /* RM_E_STATE: not up yet, or the peer is closing it: RM_EV_CHANNEL_CLOSED will say that this was left. */
        if (err == RM_E_AGAIN || err == RM_E_STATE || err == RM_E_NO_MEMORY) {
            rmi_list_push_front(batch, node);
            return false;
        }
        free_message(m);
        if (err)
            rmi_data_emit(c, RM_EV_ERROR, err, "a message could not be sent on this channel and was dropped");
    }
    return true;
}

/* Whether the queue is empty now. */
static bool fill(struct rmi_data_channel *c, int64_t now_us) {
    struct rmi_list batch;
    rmi_list_init(&batch);
    for (;;) {
        const size_t ahead = rmi_channels_buffered(c->peer->channels, c->id);
        if (take(c, ahead < RMI_DATA_AHEAD_MAX ? RMI_DATA_AHEAD_MAX - ahead : 0, &batch))
            return true;
        if (rmi_list_empty(&batch))
            return false;
        if (!send_batch(c, &batch, now_us)) {
            give_back(c, &batch);
            return false;
        }
    }
}

void rmi_data_tell_room(struct rmi_data_channel *c) {
    struct rmi_data *d = c->peer->data;
    const size_t ahead = rmi_channels_buffered(c->peer->channels, c->id);
    pthread_mutex_lock(&d->mutex);
    const bool writable = c->blocked && c->queued_bytes <= RM_CHANNEL_QUEUE_MAX / 2;
    const size_t buffered = c->queued_bytes + ahead;
    const bool low = c->above_low && buffered <= c->low;
    c->blocked = c->blocked && !writable;
    c->above_low = c->low != RMI_DATA_NO_LOW && buffered > c->low;
    /* The association tells when it wants more, or else when it has as little as somebody asked for. */
    const size_t threshold = c->queued_count > 0 ? RMI_DATA_AHEAD_LOW : c->low;
    pthread_mutex_unlock(&d->mutex);
    if (threshold != c->threshold) {
        c->threshold = threshold;
        (void)rmi_channels_set_low(c->peer->channels, c->id, threshold);
    }
    for (size_t i = 0; writable && i < c->hook_count; i++)
        if (c->hooks[i]->writable)
            c->hooks[i]->writable(c->hooks[i]->ctx, c->peer->id, c->id);
    if (writable)
        rmi_data_emit(c, RM_EV_CHANNEL_WRITABLE, RM_OK, "");
    if (low)
        rmi_data_emit(c, RM_EV_CHANNEL_LOW, RM_OK, "");
}

static void serve(struct rmi_data_channel *c, int64_t now_us) {
    struct rmi_data *d = c->peer->data;
    pthread_mutex_lock(&d->mutex);
    const bool pause_changed = c->pause_changed, paused = c->paused, closing = c->closing && !c->close_begun;
    c->pause_changed = false;
    pthread_mutex_unlock(&d->mutex);
    c->peer->dirty = true;
    if (pause_changed)
        (void)rmi_channels_pause(c->peer->channels, c->id, paused);
    if (fill(c, now_us) && closing) {
        c->close_begun = true;
        (void)rmi_channels_close(c->peer->channels, now_us, c->id);
    }
    rmi_data_tell_room(c);
}

static struct rmi_data_peer *next_dirty(struct rmi_data *d) {
    RMI_LIST_FOREACH (node, next, &d->peers) { /* only the network thread changes the list */
        struct rmi_data_peer *p = RMI_CONTAINER_OF(node, struct rmi_data_peer, node);
        if (p->dirty)
            return p;
    }
    return NULL;
}

static struct rmi_data_channel *next_ready(struct rmi_data *d) {
    pthread_mutex_lock(&d->mutex);
    struct rmi_list *node = rmi_list_pop_front(&d->ready);
    pthread_mutex_unlock(&d->mutex);
    return node ? RMI_CONTAINER_OF(node, struct rmi_data_channel, ready) : NULL;
}

void rmi_data_run(struct rmi_data *d) {
    if (d->in_run)
        return;
    d->in_run = true;
    for (int runs = 0; runs < RUNS_MAX && atomic_exchange(&d->asked, false); runs++) {
        const int64_t now_us = rmi_now_us();
        /* Callbacks may make channels ready again: those come in the next round. */
        size_t left = 0;
        pthread_mutex_lock(&d->mutex);
        RMI_LIST_FOREACH (node, next, &d->ready) {
            left++;
        }
        pthread_mutex_unlock(&d->mutex);
        for (struct rmi_data_channel *c; left > 0 && (c = next_ready(d)); left--)
            serve(c, now_us);
        for (struct rmi_data_peer *p; (p = next_dirty(d));) {
            p->dirty = false;
            rmi_endpoint_data_flush(d->t->ep, now_us, p->id);
        }
    }
    d->in_run = false;
    if (atomic_load(&d->asked))
        (void)rmi_loop_ask(d->t->loop, &d->job);
}
