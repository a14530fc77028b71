/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/signaling_host.h"

#include "base/time.h"
#include "io/websocket.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 1024
#define HTTP_OK 200 /* RFC 9110 15.3.1 */

/* A page of ours loads nothing from elsewhere, talks to this server only and is shown in nobody's frame. Files change
 * with the program, so that the browser has to ask again. */
static const char page_fields[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Permissions-Policy: camera=(self), microphone=(self), geolocation=()\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

/* The socket layer and the server core each number connections for themselves. */
struct conn {
    rmi_ws_conn_id ws; /* 0 = free */
    uint64_t core;
};

struct rmi_signaling_host {
    struct rmi_timer *timer;
    struct rmi_ws_server *ws;
    struct rmi_sig_server *core;
    struct rmi_log *log;
    const struct rmi_web_file *files;
    size_t file_n;
    uint64_t own; /* connection of the server's own peer; 0: none */
    void (*own_send)(void *ctx, const char *text, size_t len);
    void *own_ctx;
    struct conn conns[CONNECTIONS_MAX];
};

static struct conn *by_ws(struct rmi_signaling_host *h, rmi_ws_conn_id id) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (h->conns[i].ws == id)
            return &h->conns[i];
    return NULL;
}

static struct conn *by_core(struct rmi_signaling_host *h, uint64_t id) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (h->conns[i].ws && h->conns[i].core == id)
            return &h->conns[i];
    return NULL;
}

static void rearm(struct rmi_signaling_host *h) {
    rmi_timer_set_at(h->timer, rmi_sig_server_next_deadline(h->core));
}

static void core_send(void *ctx, uint64_t id, const char *text, size_t len) {
    struct rmi_signaling_host *h = ctx;
    if (h->own && id == h->own) {
        h->own_send(h->own_ctx, text, len);
        return;
    }
    struct conn *c = by_core(h, id);
    if (c && rmi_ws_server_send(h->ws, c->ws, text, len) == RM_E_LIMIT) /* a client that does not read */
        rmi_ws_server_close_conn(h->ws, c->ws, RMI_SIG_CLOSE_POLICY, "too slow");
}

static void core_close(void *ctx, uint64_t id, int code, const char *reason) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_core(h, id);
    if (!c)
        return;
    rmi_ws_conn_id ws = c->ws;
    c->ws = 0; /* the core forgets it now; its on_close finds nothing more to do */
    rmi_ws_server_close_conn(h->ws, ws, (uint16_t)code, reason);
}

static void core_ping(void *ctx, uint64_t id) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_core(h, id);
    if (c)
        rmi_ws_server_ping(h->ws, c->ws);
}

static void on_open(void *ctx, rmi_ws_conn_id id, const char *path, const struct rmi_addr *remote) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_ws(h, 0);
    char text[RMI_ADDR_TEXT_MAX];
    if (!c || rmi_sig_server_open(h->core, rmi_now_us(), &c->core)) {
        rmi_ws_server_close_conn(h->ws, id, RMI_SIG_CLOSE_POLICY, "too many connections");
        return;
    }
    c->ws = id;
    rmi_log(h->log, RMI_LOG_SIGNALING, RM_LOG_DEBUG, "connection from %s for %s", rmi_addr_text(remote, text), path);
    rearm(h);
}

static void on_text(void *ctx, rmi_ws_conn_id id, const char *text, size_t len) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_ws(h, id);
    if (c)
        rmi_sig_server_input(h->core, rmi_now_us(), c->core, text, len);
    rearm(h);
}

static void on_pong(void *ctx, rmi_ws_conn_id id) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_ws(h, id);
    if (c)
        rmi_sig_server_activity(h->core, rmi_now_us(), c->core);
    rearm(h);
}

static void on_close(void *ctx, rmi_ws_conn_id id, rm_err why, const char *detail) {
    struct rmi_signaling_host *h = ctx;
    struct conn *c = by_ws(h, id);
    (void)why;
    (void)detail;
    if (!c)
        return;
    uint64_t core = c->core;
    c->ws = 0;
    rmi_sig_server_closed(h->core, rmi_now_us(), core);
    rearm(h);
}

static void on_http(void *ctx, const char *path, struct rmi_ws_http_reply *reply) {
    const struct rmi_signaling_host *h = ctx;
    for (size_t i = 0; i < h->file_n; i++) {
        const struct rmi_web_file *f = &h->files[i];
        if (strcmp(path, f->path) == 0)
            *reply = (struct rmi_ws_http_reply){
                .status = HTTP_OK, .content_type = f->type, .fields = page_fields, .body = f->data, .body_len = f->len};
    }
}

static void on_timer(void *ctx, int64_t now_us) {
    struct rmi_signaling_host *h = ctx;
    rmi_sig_server_timeout(h->core, now_us);
    rearm(h);
}

rm_err rmi_signaling_host_create(struct rmi_loop *loop, const struct rmi_signaling_host_config *config,
                                 struct rmi_signaling_host **out) {
    struct rmi_signaling_host *h = calloc(1, sizeof *h);
    if (!h)
        return RM_E_NO_MEMORY;
    h->log = config->log;
    h->files = config->files;
    h->file_n = config->file_n;
    struct rmi_sig_server_config sc;
    rmi_sig_server_config_init(&sc);
    if (config->max_peers)
        sc.max_peers = config->max_peers;
    if (config->messages_per_second)
        sc.rate_per_second = sc.rate_burst = config->messages_per_second;
    sc.max_connections = CONNECTIONS_MAX;
    sc.unix_offset_us = RMI_SEC(time(NULL)) - rmi_now_us();
    sc.token = config->token;
    sc.log = config->log;
    sc.cb.ctx = h;
    sc.cb.send = core_send;
    sc.cb.close = core_close;
    sc.cb.ping = core_ping;
    if (config->mode.peer_id) {
        const int64_t timeout_us =
            config->mode.answer_timeout_us ? config->mode.answer_timeout_us : sc.mode.answer_timeout_us;
        sc.mode = config->mode;
        sc.mode.answer_timeout_us = timeout_us;
        h->own_send = config->own_send;
        h->own_ctx = config->own_ctx;
    }
    struct rmi_ws_server_config wc = {
        .host = config->host,
        .port = config->port,
        .cert_file = config->cert_file,
        .key_file = config->key_file,
        .max_connections = CONNECTIONS_MAX,
        .log = config->log,
        .cb = {.ctx = h,
               .on_open = on_open,
               .on_text = on_text,
               .on_close = on_close,
               .on_pong = on_pong,
               .on_http = on_http},
    };
    rm_err err = rmi_timer_create(loop, on_timer, h, &h->timer);
    if (!err)
        err = rmi_sig_server_create(&sc, &h->core);
    if (!err)
        err = rmi_ws_server_listen(loop, &wc, &h->ws);
    if (err) {
        rmi_signaling_host_destroy(&h);
        return err;
    }
    rearm(h);
    *out = h;
    return RM_OK;
}

void rmi_signaling_host_destroy(struct rmi_signaling_host **ph) {
    struct rmi_signaling_host *h = *ph;
    if (!h)
        return;
    rmi_ws_server_close(&h->ws);
    rmi_sig_server_destroy(&h->core);
    rmi_timer_destroy(&h->timer);
    free(h);
    *ph = NULL;
}

rm_err rmi_signaling_host_open_own(struct rmi_signaling_host *h) {
    rm_err err = rmi_sig_server_open_own(h->core, rmi_now_us(), &h->own);
    rearm(h);
    return err;
}

void rmi_signaling_host_own_input(struct rmi_signaling_host *h, const char *text, size_t len, uint64_t took) {
    rmi_sig_server_own_took(h->core, took);
    rmi_sig_server_input(h->core, rmi_now_us(), h->own, text, len);
    rearm(h);
}

void rmi_signaling_host_close_own(struct rmi_signaling_host *h) {
    const uint64_t own = h->own;
    h->own = 0;
    rmi_sig_server_closed(h->core, rmi_now_us(), own);
    rearm(h);
}

rm_err rmi_signaling_host_tell(struct rmi_signaling_host *h, const char *peer_id, const char *method, json_t *params) {
    rm_err err = rmi_sig_server_tell(h->core, peer_id, method, params);
    rearm(h);
    return err;
}

void rmi_signaling_host_offer_failed(struct rmi_signaling_host *h, const char *peer_id, const char *reason) {
    rmi_sig_server_offer_failed(h->core, peer_id, reason);
    rearm(h);
}

size_t rmi_signaling_host_waiting(const struct rmi_signaling_host *h, const char *peer_id) {
    uint64_t id;
    struct rmi_ws_stats stats = {0};
    if (rmi_sig_server_conn_of(h->core, peer_id, &id))
        return 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (h->conns[i].ws && h->conns[i].core == id)
            (void)rmi_ws_server_conn_stats(h->ws, h->conns[i].ws, &stats);
    return stats.queued_bytes;
}

uint16_t rmi_signaling_host_port(const struct rmi_signaling_host *h) {
    return rmi_ws_server_port(h->ws);
}
