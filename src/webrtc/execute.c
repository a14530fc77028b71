/* SPDX-License-Identifier: Apache-2.0 */
/* One input through a peer's pipeline: the side that asks, and the channel. execute_serve.c is the side that runs. */
#include "webrtc/execute_private.h"

#include "base/err.h"
#include "base/time.h"
#include "frame/data_buffer.h"
#include "webrtc/channel_hook.h"
#include "webrtc/media_private.h"
#include <inttypes.h>
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(char *detail, size_t size, const char *text) {
    if (detail && size)
        snprintf(detail, size, "%s", text);
}

/* ---- messages ---- */

static bool is_ours(const char *key) {
    return !strcmp(key, RMI_EXECUTE_SEQUENCE) || !strncmp(key, RMI_EXECUTE_OURS, strlen(RMI_EXECUTE_OURS));
}

rm_err rmi_execute_strip(const rm_metadata *in, rm_metadata **out) {
    const char *key, *value;
    rm_metadata *kept = NULL;
    rm_err err = RM_OK;
    for (size_t i = 0; !err && !rm_metadata_at(in, i, &key, &value); i++) {
        if (is_ours(key))
            continue;
        if (!kept)
            err = rm_metadata_create(&kept);
        if (!err)
            err = rm_metadata_set(kept, key, value);
    }
    if (err)
        rm_metadata_unref(&kept);
    *out = kept;
    return err;
}

bool rmi_execute_number(const char *text, uint64_t *out) {
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    *out = strtoull(text, &end, 10);
    return !*end;
}

static rm_err set_number(rm_metadata *metadata, const char *key, uint64_t value) {
    char text[RMI_EXECUTE_NUMBER_MAX];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return rm_metadata_set(metadata, key, text);
}

static rm_err write_request(const rm_transport_data *input, uint64_t number, int timeout_ms, struct rmi_buf **out) {
    rm_metadata *metadata = NULL;
    const char *key, *value;
    rm_err err = rm_metadata_create(&metadata);
    for (size_t i = 0; !err && !rm_metadata_at(input->metadata, i, &key, &value); i++)
        err = is_ours(key) ? RM_E_INVALID_ARG : rm_metadata_set(metadata, key, value);
    if (!err)
        err = set_number(metadata, RMI_EXECUTE_REQUEST, number);
    if (!err && input->has_sequence)
        err = set_number(metadata, RMI_EXECUTE_SEQUENCE, input->sequence);
    if (!err && timeout_ms >= 0)
        err = set_number(metadata, RMI_EXECUTE_TIMEOUT, (uint64_t)timeout_ms);
    if (err == RM_E_LIMIT)
        err = RM_E_TOO_BIG;
    if (!err)
        err = rmi_data_buffer_write(input->data, metadata, out);
    rm_metadata_unref(&metadata);
    return err;
}

/* What the peer answered. */
static rm_err read_reply(const struct rmi_buf *reply, rm_transport_data *output, char *detail, size_t size) {
    rm_metadata *metadata = NULL;
    rm_transport_data answer = {0};
    rm_err err = rmi_data_buffer_read(reply->data, reply->len, &answer.data, &metadata);
    if (err) {
        say(detail, size, "the peer's answer cannot be read");
        return err;
    }
    const char *error = rm_metadata_get(metadata, RMI_EXECUTE_ERROR);
    if (error) {
        const rm_text *text = rm_runtime_data_text(answer.data);
        err = rmi_err_by_name(error, RM_E_INTERNAL);
        say(detail, size, text ? text->text : rm_strerror(err));
    } else {
        answer.has_sequence = rmi_execute_number(rm_metadata_get(metadata, RMI_EXECUTE_SEQUENCE), &answer.sequence);
        err = rmi_execute_strip(metadata, &answer.metadata);
    }
    rm_metadata_unref(&metadata);
    if (err)
        rm_transport_data_clear(&answer);
    else
        *output = answer;
    return err;
}

/* ---- the channel ---- */

static struct rmi_execute_channel *find_channel(struct rmi_execute *e, const char *peer_id) {
    RMI_LIST_FOREACH (node, next, &e->channels) {
        struct rmi_execute_channel *c = RMI_CONTAINER_OF(node, struct rmi_execute_channel, node);
        if (!strcmp(c->peer_id, peer_id))
            return c;
    }
    return NULL;
}

static void forget_channel(struct rmi_execute *e, const char *peer_id, uint16_t id) {
    struct rmi_execute_channel *c = find_channel(e, peer_id);
    if (c && c->id == id) {
        rmi_list_remove(&c->node);
        free(c);
    }
}

static rm_err open_channel(struct rmi_execute *e, const char *peer_id, uint16_t *id) {
    struct rmi_execute_channel *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = RMI_EXECUTE_CHANNEL;
    rm_err err = rm_webrtc_open_channel(e->t, peer_id, &o, id);
    if (err) {
        free(c);
        return err;
    }
    snprintf(c->peer_id, sizeof c->peer_id, "%s", peer_id);
    c->id = *id;
    pthread_mutex_lock(&e->mutex);
    rmi_list_push_back(&e->channels, &c->node);
    pthread_mutex_unlock(&e->mutex);
    return RM_OK;
}

/* The channel to the peer; opened where there is none. */
static rm_err get_channel(struct rmi_execute *e, const char *peer_id, uint16_t *id) {
    rm_err err = RM_OK;
    pthread_mutex_lock(&e->open_mutex);
    pthread_mutex_lock(&e->mutex);
    const struct rmi_execute_channel *c = find_channel(e, peer_id);
    if (c)
        *id = c->id;
    pthread_mutex_unlock(&e->mutex);
    if (!c)
        err = open_channel(e, peer_id, id);
    pthread_mutex_unlock(&e->open_mutex);
    return err;
}

rm_err rmi_execute_send(struct rmi_execute *e, const char *peer_id, uint16_t channel, struct rmi_buf *message,
                        int64_t until_us) {
    for (;;) {
        pthread_mutex_lock(&e->mutex);
        const unsigned writable = e->writable;
        pthread_mutex_unlock(&e->mutex);
        rm_err err = rm_webrtc_send_data_buf(e->t, peer_id, channel, true, message, 0, message->len);
        if (err != RM_E_AGAIN)
            return err;
        pthread_mutex_lock(&e->mutex);
        while (e->writable == writable && !e->stopped && rmi_now_us() < until_us)
            rmi_media_wait(&e->changed, &e->mutex, until_us);
        err = e->stopped ? RM_E_CLOSED : rmi_now_us() >= until_us ? RM_E_TIMEOUT : RM_OK;
        pthread_mutex_unlock(&e->mutex);
        if (err)
            return err;
    }
}

/* ---- asking ---- */

static rm_err wait_for(struct rmi_execute *e, struct rmi_execute_call *call, int64_t until_us) {
    pthread_mutex_lock(&e->mutex);
    while (!call->done && !e->stopped && rmi_now_us() < until_us)
        rmi_media_wait(&e->changed, &e->mutex, until_us);
    const rm_err err = call->done ? call->err : e->stopped ? RM_E_CLOSED : RM_E_TIMEOUT;
    pthread_mutex_unlock(&e->mutex);
    return err;
}

/* Sends on the channel; once more on a new one when the one we knew is gone. */
static rm_err send_request(struct rmi_execute *e, struct rmi_execute_call *call, struct rmi_buf *message,
                           int64_t until_us) {
    rm_err err = RM_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        uint16_t id = 0;
        err = get_channel(e, call->peer_id, &id);
        if (err)
            return err;
        pthread_mutex_lock(&e->mutex);
        call->channel = id;
        call->done = false;
        pthread_mutex_unlock(&e->mutex);
        err = rmi_execute_send(e, call->peer_id, id, message, until_us);
        if (err != RM_E_NOT_FOUND && err != RM_E_STATE)
            return err;
        pthread_mutex_lock(&e->mutex);
        forget_channel(e, call->peer_id, id);
        pthread_mutex_unlock(&e->mutex);
    }
    return err;
}

static rm_err run_call(struct rmi_execute *e, struct rmi_execute_call *call, const rm_transport_data *input,
                       int timeout_ms, rm_transport_data *output, char *detail, size_t size) {
    const int64_t until_us = timeout_ms < 0 ? RMI_NEVER : rmi_now_us() + RMI_MS(timeout_ms);
    struct rmi_buf *message = NULL;
    rm_err err = write_request(input, call->number, timeout_ms, &message);
    if (!err)
        err = send_request(e, call, message, until_us);
    rmi_buf_unref(&message);
    if (!err)
        err = wait_for(e, call, until_us);
    if (err)
        say(detail, size,
            err == RM_E_TIMEOUT  ? "no answer of the peer in time"
            : err == RM_E_CLOSED ? "the connection to the peer has ended"
                                 : rm_strerror(err));
    return err ? err : read_reply(call->reply, output, detail, size);
}

rm_err rm_webrtc_execute(rm_webrtc *t, const char *peer_id, const rm_transport_data *input, int timeout_ms,
                         rm_transport_data *output, char *detail, size_t detail_size) {
    say(detail, detail_size, "");
    if (!t || !peer_id || strlen(peer_id) >= RM_PEER_ID_MAX || !input || !input->data || !output)
        return RM_E_INVALID_ARG;
    if (rmi_webrtc_on_network_thread(t)) {
        say(detail, detail_size, "called on the network thread, which must not wait");
        return RM_E_STATE;
    }
    struct rmi_execute *e = t->execute;
    struct rmi_execute_call call = {.peer_id = peer_id};
    pthread_mutex_lock(&e->mutex);
    const bool stopped = e->stopped;
    call.number = ++e->numbers;
    e->callers += !stopped;
    if (!stopped)
        rmi_list_push_back(&e->calls, &call.node);
    pthread_mutex_unlock(&e->mutex);
    if (stopped)
        return RM_E_CLOSED;
    rm_err err = run_call(e, &call, input, timeout_ms, output, detail, detail_size);
    pthread_mutex_lock(&e->mutex);
    rmi_list_remove(&call.node);
    rmi_buf_unref(&call.reply);
    e->callers--; /* the last look at `e` */
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
    return err;
}

/* ---- what comes, on the network thread ---- */

/* The answer to a call; read by who waits for it. */
static void take_reply(struct rmi_execute *e, const char *peer_id, uint16_t channel, const char *number,
                       struct rmi_buf *message) {
    uint64_t n;
    if (!rmi_execute_number(number, &n))
        return;
    pthread_mutex_lock(&e->mutex);
    RMI_LIST_FOREACH (node, next, &e->calls) {
        struct rmi_execute_call *call = RMI_CONTAINER_OF(node, struct rmi_execute_call, node);
        if (call->number == n && call->channel == channel && !call->done && !strcmp(call->peer_id, peer_id)) {
            call->reply = rmi_buf_ref(message);
            call->done = true;
            pthread_cond_broadcast(&e->changed);
        }
    }
    pthread_mutex_unlock(&e->mutex);
}

static bool on_data(void *ctx, const char *peer_id, uint16_t channel, bool binary, const uint8_t *data, size_t size) {
    struct rmi_execute *e = ctx;
    rm_metadata *metadata = NULL;
    rm_buf *message = NULL;
    rm_err err = binary ? rmi_data_buffer_read_metadata(data, size, &metadata) : RM_E_PARSE;
    const char *request = rm_metadata_get(metadata, RMI_EXECUTE_REQUEST);
    const char *answer = rm_metadata_get(metadata, RMI_EXECUTE_ANSWER);
    if (!err && !request == !answer)
        err = RM_E_PARSE;
    if (!err)
        err = rm_buf_copy(data, size, &message);
    if (!err && request)
        rmi_execute_take(e, peer_id, channel, request, message);
    else if (!err)
        take_reply(e, peer_id, channel, answer, message);
    if (err)
        rmi_log(e->t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s channel=%s message of %zu bytes dropped: %s", peer_id,
                RMI_EXECUTE_CHANNEL, size, rm_strerror(err));
    rm_buf_unref(&message);
    rm_metadata_unref(&metadata);
    return true;
}

static void on_writable(void *ctx, const char *peer_id, uint16_t channel) {
    struct rmi_execute *e = ctx;
    (void)peer_id;
    (void)channel;
    pthread_mutex_lock(&e->mutex);
    e->writable++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

static void on_closed(void *ctx, const char *peer_id, uint16_t channel) {
    struct rmi_execute *e = ctx;
    pthread_mutex_lock(&e->mutex);
    forget_channel(e, peer_id, channel);
    RMI_LIST_FOREACH (node, next, &e->calls) {
        struct rmi_execute_call *call = RMI_CONTAINER_OF(node, struct rmi_execute_call, node);
        if (call->channel == channel && !call->done && !strcmp(call->peer_id, peer_id)) {
            call->err = RM_E_CLOSED;
            call->done = true;
        }
    }
    e->writable++; /* who waits for room learns that there is no channel */
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
    rmi_execute_forget(e, peer_id, channel);
}

/* ---- life ---- */

rm_err rmi_execute_create(struct rm_webrtc *t, struct rmi_execute **out) {
    struct rmi_execute *e = calloc(1, sizeof *e);
    if (!e)
        return RM_E_NO_MEMORY;
    e->t = t;
    rmi_list_init(&e->channels);
    rmi_list_init(&e->calls);
    rmi_list_init(&e->waiting);
    rmi_list_init(&e->running);
    pthread_mutex_init(&e->open_mutex, NULL);
    pthread_mutex_init(&e->mutex, NULL);
    const struct rmi_channel_hook hook = {
        .label = RMI_EXECUTE_CHANNEL, .data = on_data, .writable = on_writable, .closed = on_closed, .ctx = e};
    rm_err err = rmi_media_cond_init(&e->changed);
    if (!err)
        err = rmi_webrtc_hook_channels(t, &hook);
    if (err)
        rmi_execute_destroy(&e);
    *out = e;
    return err;
}

void rmi_execute_stop(struct rmi_execute *e) {
    pthread_mutex_lock(&e->mutex);
    e->stopped = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
    rmi_execute_stop_workers(e);
    pthread_mutex_lock(&e->mutex);
    while (e->callers > 0)
        pthread_cond_wait(&e->changed, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
}

void rmi_execute_destroy(struct rmi_execute **execute) {
    struct rmi_execute *e = *execute;
    if (!e)
        return;
    *execute = NULL;
    for (struct rmi_list *node; (node = rmi_list_pop_front(&e->channels));)
        free(RMI_CONTAINER_OF(node, struct rmi_execute_channel, node));
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->mutex);
    pthread_mutex_destroy(&e->open_mutex);
    free(e);
}
