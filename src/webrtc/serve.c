/* SPDX-License-Identifier: Apache-2.0 */
/* Server mode: the signaling server on the transport's own loop, and the way between both in this process. */
#include "webrtc/serve_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_PORT 8080
#define SERVER_PEER "remotemedia-server" /* the fixed id of RemoteMedia's server peer */
#define NEWS_MAX 4096                    /* waiting; far more than the nodes of all sessions */

void rm_serve_config_init(rm_serve_config *c) {
    *c = (rm_serve_config){.struct_size = (uint32_t)sizeof *c, .address = DEFAULT_ADDRESS, .port = DEFAULT_PORT};
}

static bool copy(char **to, const char *from) {
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static struct rmi_serve *make(struct rm_webrtc *t, const rm_serve_config *c) {
    struct rmi_serve *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->t = t;
    s->port = c->port;
    rmi_list_init(&s->peers);
    rmi_list_init(&s->news);
    rmi_list_init(&s->to_core);
    rmi_list_init(&s->to_endpoint);
    pthread_mutex_init(&s->mutex, NULL);
    if (!copy(&s->address, c->address) || !copy(&s->cert_file, c->cert_file) || !copy(&s->key_file, c->key_file) ||
        !copy(&s->token, c->token))
        rmi_serve_free(&s);
    return s;
}

rm_err rm_webrtc_serve(rm_webrtc *t, const rm_serve_config *config) {
    struct rmi_addr bind;
    if (!t || !config || config->struct_size != sizeof *config || !config->address ||
        rmi_addr_parse(config->address, 0, &bind) || !config->cert_file != !config->key_file ||
        (config->token && strnlen(config->token, RMI_SIG_MAX_TOKEN + 1) > RMI_SIG_MAX_TOKEN))
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&t->mutex);
    bool late = t->started || t->serve;
    pthread_mutex_unlock(&t->mutex);
    if (late)
        return RM_E_STATE;
    struct rmi_serve *s = make(t, config);
    rm_err err = s ? rmi_serve_data_hook(s) : RM_E_NO_MEMORY;
    if (err) {
        rmi_serve_free(&s);
        return err;
    }
    t->serve = s;
    if (!t->config.peer_id)
        snprintf(t->peer_id, sizeof t->peer_id, "%s", SERVER_PEER);
    return RM_OK;
}

uint16_t rm_webrtc_served_port(const rm_webrtc *t) {
    return t && t->serve && t->serve->host ? t->serve->port : 0;
}

int64_t rmi_serve_unix_ms(const struct rmi_serve *s, int64_t at_us) {
    return (at_us + s->unix_offset_us) / RMI_MS(1);
}

/* ---- peers ---- */

struct rmi_serve_peer *rmi_serve_find(struct rmi_serve *s, const char *peer_id) {
    RMI_LIST_FOREACH (node, next, &s->peers) {
        struct rmi_serve_peer *p = RMI_CONTAINER_OF(node, struct rmi_serve_peer, node);
        if (!strcmp(p->id, peer_id))
            return p;
    }
    return NULL;
}

struct rmi_serve_peer *rmi_serve_get(struct rmi_serve *s, const char *peer_id) {
    struct rmi_serve_peer *p = rmi_serve_find(s, peer_id);
    if (p || !(p = calloc(1, sizeof *p)))
        return p;
    p->serve = s;
    snprintf(p->id, sizeof p->id, "%s", peer_id);
    rmi_list_init(&p->channels);
    rmi_list_init(&p->taps);
    p->output_channel = -1;
    pthread_mutex_lock(&s->mutex);
    rmi_list_push_back(&s->peers, &p->node);
    pthread_mutex_unlock(&s->mutex);
    return p;
}

static void free_peer(struct rmi_serve_peer *p) {
    while (!rmi_list_empty(&p->taps))
        rmi_serve_tap_remove(RMI_CONTAINER_OF(p->taps.next, struct rmi_serve_tap, node));
    while (!rmi_list_empty(&p->channels))
        rmi_serve_channel_free(RMI_CONTAINER_OF(p->channels.next, struct rmi_serve_channel, node));
    pthread_mutex_lock(&p->serve->mutex);
    rmi_list_remove(&p->node);
    pthread_mutex_unlock(&p->serve->mutex);
    free(p);
}

void rmi_serve_reap(struct rmi_serve_peer *p) {
    bool down = !p->told_state || p->state == RM_PEER_FAILED || p->state == RM_PEER_CLOSED;
    if (!p->announced && down && rmi_list_empty(&p->channels))
        free_peer(p);
}

static void tell_state(struct rmi_serve *s, const rm_event *event) {
    struct rmi_serve_peer *p = rmi_serve_get(s, event->peer_id);
    if (!p)
        return;
    json_t *params =
        json_pack("{s:s, s:s, s:I}", "peer_id", p->id, "connection_state", rm_peer_state_name(event->peer_state),
                  "timestamp", (json_int_t)rmi_serve_unix_ms(s, rmi_now_us()));
    if (p->told_state)
        json_object_set_new(params, "previous_state", json_string(rm_peer_state_name(p->state)));
    p->state = event->peer_state;
    p->told_state = true;
    p->announced = rmi_signaling_host_tell(s->host, p->id, "peer.state_change", params) == RM_OK;
    rmi_serve_reap(p);
}

void rmi_serve_event(struct rmi_serve *s, const rm_event *event) {
    if (event->type == RM_EV_PEER_STATE)
        tell_state(s, event);
    else if (event->type == RM_EV_ERROR && event->peer_id[0]) /* a new offer of a connection that goes on as it was */
        rmi_signaling_host_offer_failed(s->host, event->peer_id, rm_err_name(event->err));
}

static void on_left(void *ctx, const char *peer_id) {
    struct rmi_serve_peer *p = rmi_serve_find(ctx, peer_id);
    if (!p)
        return;
    p->announced = false;
    rmi_serve_taps_end(p, NULL);
    rmi_serve_reap(p);
}

/* ---- sessions ---- */

rm_stream_session *rmi_serve_hold(struct rmi_serve *s, const char *peer_id, struct rmi_serve_session *out) {
    *out = (struct rmi_serve_session){.media = rmi_media_find(s->t->media, peer_id)};
    if (!out->media)
        return NULL;
    out->session = rmi_media_hold_session(out->media, &out->turn);
    if (!out->session) {
        rmi_media_peer_unref(out->media);
        out->media = NULL;
    }
    return out->session;
}

void rmi_serve_release(struct rmi_serve_session *held) {
    if (!held->media)
        return;
    rmi_media_release_session(held->media, held->turn);
    rmi_media_peer_unref(held->media);
    held->media = NULL;
}

/* ---- news of other threads ---- */

void rmi_serve_ask(struct rmi_serve *s) {
    pthread_mutex_lock(&s->mutex);
    if (s->running)
        rmi_loop_ask(s->t->loop, &s->job);
    pthread_mutex_unlock(&s->mutex);
}

void rmi_serve_tell(struct rmi_serve *s, const char *peer_id, enum rmi_serve_news news, const char *node,
                    const char *message) {
    struct rmi_serve_item *item = calloc(1, sizeof *item);
    if (!item)
        return;
    item->news = news;
    snprintf(item->peer_id, sizeof item->peer_id, "%s", peer_id);
    snprintf(item->node_id, sizeof item->node_id, "%s", node);
    snprintf(item->message, sizeof item->message, "%s", message);
    pthread_mutex_lock(&s->mutex);
    const bool kept = s->running && (s->news_count < NEWS_MAX || news == RMI_SERVE_READY || news == RMI_SERVE_ROOM);
    if (kept) {
        rmi_list_push_back(&s->news, &item->node);
        s->news_count++;
        rmi_loop_ask(s->t->loop, &s->job);
    }
    pthread_mutex_unlock(&s->mutex);
    if (!kept)
        free(item);
}

static struct rmi_serve_item *next_news(struct rmi_serve *s) {
    pthread_mutex_lock(&s->mutex);
    struct rmi_list *node = rmi_list_pop_front(&s->news);
    s->news_count -= node != NULL;
    pthread_mutex_unlock(&s->mutex);
    return node ? RMI_CONTAINER_OF(node, struct rmi_serve_item, node) : NULL;
}

static void take_news(struct rmi_serve *s) {
    struct rmi_serve_item *item;
    while ((item = next_news(s))) {
        struct rmi_serve_peer *p = rmi_serve_find(s, item->peer_id);
        if (p && item->news == RMI_SERVE_READY)
            rmi_serve_taps_attach(p);
        if (p && item->news != RMI_SERVE_ROOM)
            rmi_serve_rpc_system(p, item);
        if (p && (item->news == RMI_SERVE_READY || item->news == RMI_SERVE_ROOM))
            rmi_serve_data_resume(p);
        free(item);
    }
}

/* ---- the endpoint's signaling ---- */

static void push_text(struct rmi_serve *s, struct rmi_list *to, const char *text, size_t len) {
    struct rmi_serve_text *t = malloc(sizeof *t + len + 1);
    if (!t)
        return; /* as lost on the way; negotiation has its time-outs */
    t->took = s->took;
    t->len = len;
    memcpy(t->text, text, len);
    t->text[len] = '\0';
    rmi_list_push_back(to, &t->node);
    rmi_serve_ask(s);
}

static struct rmi_serve_text *pop_text(struct rmi_list *from) {
    struct rmi_list *node = rmi_list_pop_front(from);
    return node ? RMI_CONTAINER_OF(node, struct rmi_serve_text, node) : NULL;
}

static void drop_texts(struct rmi_serve *s) {
    struct rmi_serve_text *t;
    while ((t = pop_text(&s->to_core)))
        free(t);
    while ((t = pop_text(&s->to_endpoint)))
        free(t);
}

void rmi_serve_socket_open(struct rmi_serve *s) {
    s->opening = true;
    rmi_serve_ask(s);
}

void rmi_serve_socket_close(struct rmi_serve *s) {
    s->opening = false;
    if (s->open)
        rmi_signaling_host_close_own(s->host);
    s->open = false;
    drop_texts(s);
}

void rmi_serve_socket_send(struct rmi_serve *s, const char *text, size_t len) {
    push_text(s, &s->to_core, text, len);
}

static void own_send(void *ctx, const char *text, size_t len) {
    struct rmi_serve *s = ctx;
    push_text(s, &s->to_endpoint, text, len);
}

/* Endpoint and server core must not be entered from inside one another: here is neither. */
static void run_job(void *ctx) {
    struct rmi_serve *s = ctx;
    struct rmi_endpoint *ep = s->t->ep;
    struct rmi_serve_text *t;
    if (s->opening) {
        s->opening = false;
        s->open = rmi_signaling_host_open_own(s->host) == RM_OK;
        if (s->open)
            rmi_endpoint_signaling_up(ep, rmi_now_us());
        else
            rmi_endpoint_signaling_down(ep, rmi_now_us(), RM_E_NO_MEMORY, "no memory for the server's own peer");
    }
    while ((t = pop_text(&s->to_core))) {
        rmi_signaling_host_own_input(s->host, t->text, t->len, t->took);
        free(t);
    }
    while ((t = pop_text(&s->to_endpoint))) { /* what it answers comes with the next run */
        s->took++;
        rmi_endpoint_signaling_text(ep, rmi_now_us(), t->text, t->len);
        free(t);
    }
    take_news(s);
    RMI_LIST_FOREACH (node, next, &s->peers) {
        rmi_serve_taps_drain(RMI_CONTAINER_OF(node, struct rmi_serve_peer, node));
    }
    rmi_webrtc_after(s->t);
}

/* ---- life ---- */

static int64_t unix_offset_us(void) {
    struct timespec ts = {0};
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * RMI_SEC(1) + ts.tv_nsec / 1000 - rmi_now_us();
}

rm_err rmi_serve_open(struct rmi_serve *s) {
    struct rmi_signaling_host_config hc = {
        .host = s->address,
        .port = s->port,
        .cert_file = s->cert_file,
        .key_file = s->key_file,
        .token = s->token,
        .max_peers = s->t->config.max_peers,
        .log = s->t->log,
        .mode = {.peer_id = s->t->peer_id, .ctx = s, .method = rmi_serve_method, .left = on_left},
        .own_send = own_send,
        .own_ctx = s,
    };
    s->unix_offset_us = unix_offset_us();
    s->job = (struct rmi_job){.fn = run_job, .ctx = s};
    rm_err err = rmi_signaling_host_create(s->t->loop, &hc, &s->host);
    if (err)
        return err;
    s->port = rmi_signaling_host_port(s->host);
    pthread_mutex_lock(&s->mutex);
    s->running = true;
    pthread_mutex_unlock(&s->mutex);
    return RM_OK;
}

void rmi_serve_close(struct rmi_serve *s) {
    pthread_mutex_lock(&s->mutex);
    s->running = false;
    pthread_mutex_unlock(&s->mutex);
    struct rmi_serve_item *item;
    while ((item = next_news(s)))
        free(item);
    drop_texts(s);
    while (!rmi_list_empty(&s->peers))
        free_peer(RMI_CONTAINER_OF(s->peers.next, struct rmi_serve_peer, node));
    rmi_signaling_host_destroy(&s->host);
}

void rmi_serve_free(struct rmi_serve **serve) {
    struct rmi_serve *s = *serve;
    if (!s)
        return;
    *serve = NULL;
    pthread_mutex_destroy(&s->mutex);
    free(s->address);
    free(s->cert_file);
    free(s->key_file);
    free(s->token);
    free(s);
}
