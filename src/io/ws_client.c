/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/loop_private.h"
#include "io/random.h"
#include "io/resolve.h"
#include "io/ws_channel.h"
#include "io/ws_handshake.h"
#include "io/ws_url.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_GRACE_US RMI_SEC(2) /* for queued messages and the closing handshake */
#define ATTEMPT_US RMI_MS(2500)   /* for one address while others are left: some packets vanish without a word */
#define REQUEST_MAX (RMI_WS_PATH_MAX + RMI_WS_HOST_MAX + 512)

enum state { WS_CONNECTING, WS_OPEN, WS_CLOSING, WS_FINISHED };

struct rmi_ws {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_ws_callbacks cb;
    struct rmi_log *log;
    struct rmi_ws_url url;
    enum state state;
    bool detached; /* rmi_ws_close was called: no callback any more */

    struct rmi_tls_context *tls; /* NULL: ws:// */
    struct rmi_resolve *resolve;
    struct rmi_addr addrs[RMI_RESOLVE_MAX];
    size_t addr_n, addr_next;

    struct rmi_stream *stream; /* stays for a while after the end, see rmi_stream_shutdown */
    struct rmi_http_reader *reader;
    char key[RMI_WS_KEY_TEXT];
    struct rmi_ws_channel channel;

    struct rmi_timer *deadline; /* connecting, later closing */
    int64_t connect_by_us;
    struct rmi_timer *reap; /* frees the object, when nothing of it is on the stack */
};

static void connect_next(struct rmi_ws *ws);

static void set_state(struct rmi_ws *ws, enum state to, const char *reason) {
    static const char *const names[] = {"connecting", "open", "closing", "finished"};
    rmi_log(ws->log, RMI_LOG_SIGNALING, RM_LOG_DEBUG, "websocket %s %s->%s (%s)", ws->url.header, names[ws->state],
            names[to], reason);
    ws->state = to;
}

static void drop_stream(struct rmi_ws *ws) {
    ws->channel.stream = NULL;
    rmi_stream_close(&ws->stream);
}

static void reap_if_done(struct rmi_ws *ws) {
    if (ws->detached && ws->state == WS_FINISHED && !ws->stream)
        rmi_timer_set_at(ws->reap, 0);
}

/* The end, told once. What is left of the connection has a moment to drain. */
static void finish(struct rmi_ws *ws, rm_err err, const char *detail) {
    if (ws->state == WS_FINISHED)
        return;
    char line[RMI_WS_DETAIL_MAX];
    snprintf(line, sizeof line, "%s", detail); /* outlives whatever it belongs to */
    set_state(ws, WS_FINISHED, line);
    rmi_resolve_cancel(&ws->resolve);
    rmi_timer_set_at(ws->deadline, ws->stream ? rmi_now_us() + CLOSE_GRACE_US : RMI_NEVER);
    if (!ws->detached && ws->cb.on_close)
        ws->cb.on_close(ws->cb.ctx, err, line);
    reap_if_done(ws);
}

/* This address did not work out. */
static void attempt_failed(struct rmi_ws *ws, rm_err err, const char *detail) {
    char line[RMI_WS_DETAIL_MAX];
    snprintf(line, sizeof line, "%s", detail);
    drop_stream(ws);
    if (err == RM_E_SIGNALING && ws->addr_next < ws->addr_n)
        connect_next(ws);
    else
        finish(ws, err, line);
}

static void on_stream_open(void *ctx) {
    struct rmi_ws *ws = ctx;
    char request[REQUEST_MAX];
    uint8_t nonce[RMI_WS_NONCE_LEN];
    struct rmi_rng rng = rmi_system_rng();
    rmi_rng_fill(&rng, nonce, sizeof nonce);
    rmi_ws_key(nonce, ws->key);
    *ws->reader = (struct rmi_http_reader){0};
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     ws->url.path, ws->url.header, ws->key);
    rmi_stream_write(ws->stream, request, (size_t)n);
}

static void become_open(struct rmi_ws *ws) {
    free(ws->reader);
    ws->reader = NULL;
    rmi_timer_set_at(ws->deadline, RMI_NEVER);
    set_state(ws, WS_OPEN, "accepted");
    ws->channel.stream = ws->stream;
    if (ws->cb.on_open)
        ws->cb.on_open(ws->cb.ctx);
    rmi_ws_channel_pump(&ws->channel);
}

/* The server's answer. What follows it is left in r. */
static void read_answer(struct rmi_ws *ws, struct rmi_rd *r) {
    struct rmi_http_head head;
    char detail[RMI_WS_DETAIL_MAX] = "the answer is not HTTP";
    rm_err err = rmi_http_read(ws->reader, r);
    if (err == RM_E_AGAIN)
        return;
    if (err == RM_OK)
        err = rmi_http_parse_response(ws->reader, &head);
    if (err == RM_OK)
        err = rmi_ws_check_answer(&head, ws->key, detail, sizeof detail);
    if (err != RM_OK) { /* another address of the same server would not know better */
        drop_stream(ws);
        finish(ws, RM_E_SIGNALING, detail);
        return;
    }
    become_open(ws);
}

static void on_stream_data(void *ctx, const uint8_t *data, size_t len) {
    struct rmi_ws *ws = ctx;
    struct rmi_rd r = rmi_rd_init(data, len);
    if (ws->state == WS_CONNECTING)
        read_answer(ws, &r);
    if ((ws->state == WS_OPEN || ws->state == WS_CLOSING) && rmi_ws_channel_input(&ws->channel, &r)) {
        rmi_stream_shutdown(ws->stream);
        finish(ws, ws->channel.why, ws->channel.detail);
    }
}

static void on_stream_drain(void *ctx) {
    struct rmi_ws *ws = ctx;
    rmi_ws_channel_pump(&ws->channel);
}

static void on_stream_end(void *ctx, rm_err why, const char *detail) {
    struct rmi_ws *ws = ctx;
    if (ws->state == WS_CONNECTING) {
        attempt_failed(ws, why == RM_OK ? RM_E_SIGNALING : why, why == RM_OK ? "the server hung up" : detail);
        return;
    }
    rmi_ws_channel_lost(&ws->channel, why, detail);
    drop_stream(ws);
    finish(ws, ws->channel.why, ws->channel.detail);
    reap_if_done(ws);
}

static void connect_next(struct rmi_ws *ws) {
    const struct rmi_stream_callbacks cb = {.ctx = ws,
                                            .on_open = on_stream_open,
                                            .on_data = on_stream_data,
                                            .on_drain = on_stream_drain,
                                            .on_end = on_stream_end};
    rm_err err = RM_E_SIGNALING;
    while (err == RM_E_SIGNALING && ws->addr_next < ws->addr_n)
        err = rmi_stream_connect(ws->loop, &ws->addrs[ws->addr_next++], ws->tls, ws->url.host, &cb, &ws->stream);
    if (err != RM_OK) {
        finish(ws, err == RM_E_NO_MEMORY ? err : RM_E_SIGNALING, "cannot connect: no route, or no descriptor left");
        return;
    }
    bool last = ws->addr_next == ws->addr_n;
    int64_t until_us = last ? ws->connect_by_us : rmi_min64(ws->connect_by_us, rmi_now_us() + ATTEMPT_US);
    rmi_timer_set_at(ws->deadline, until_us);
}

static void on_resolved(void *ctx, rm_err err, const struct rmi_addr *addrs, size_t n) {
    struct rmi_ws *ws = ctx;
    if (err != RM_OK) {
        finish(ws, RM_E_RESOLVE, "the server's name cannot be resolved");
        return;
    }
    memcpy(ws->addrs, addrs, n * sizeof *addrs);
    ws->addr_n = n;
    connect_next(ws);
}

static void on_deadline(void *ctx, int64_t now_us) {
    struct rmi_ws *ws = ctx;
    if (ws->state == WS_CONNECTING && now_us < ws->connect_by_us) {
        attempt_failed(ws, RM_E_SIGNALING, "no answer");
        return;
    }
    drop_stream(ws);
    if (ws->state == WS_CONNECTING)
        finish(ws, RM_E_TIMEOUT, "the server did not accept the connection in time");
    else
        finish(ws, RM_E_TIMEOUT, "closing took too long");
    reap_if_done(ws);
}

static void destroy(struct rmi_ws *ws) {
    rmi_list_remove(&ws->child.node);
    rmi_resolve_cancel(&ws->resolve);
    drop_stream(ws);
    rmi_tls_context_destroy(&ws->tls);
    rmi_timer_destroy(&ws->deadline);
    rmi_timer_destroy(&ws->reap);
    rmi_ws_channel_fini(&ws->channel);
    free(ws->reader);
    free(ws);
}

static void on_reap(void *ctx, int64_t now_us) {
    (void)now_us;
    destroy(ctx);
}

static void on_abort(struct rmi_loop_child *child) {
    destroy(RMI_CONTAINER_OF(child, struct rmi_ws, child));
}

static void on_text(void *ctx, const char *text, size_t len) {
    struct rmi_ws *ws = ctx;
    ws->cb.on_text(ws->cb.ctx, text, len);
}

static rm_err start(struct rmi_ws *ws, const struct rmi_ws_config *config) {
    int64_t timeout_us = config->connect_timeout_us ? config->connect_timeout_us : RMI_WS_CONNECT_TIMEOUT_US;
    rm_err err = RM_OK;
    ws->reader = calloc(1, sizeof *ws->reader);
    if (!ws->reader)
        return RM_E_NO_MEMORY;
    if (ws->url.tls)
        err = rmi_tls_client_context(config->ca_file, &ws->tls);
    if (err == RM_OK)
        err = rmi_timer_create(ws->loop, on_deadline, ws, &ws->deadline);
    if (err == RM_OK)
        err = rmi_timer_create(ws->loop, on_reap, ws, &ws->reap);
    if (err == RM_OK)
        err = rmi_resolve(ws->loop, ws->url.host, ws->url.port, 0, on_resolved, ws, timeout_us, &ws->resolve);
    if (err != RM_OK)
        return err == RM_E_INVALID_ARG ? RM_E_CONFIG : err;
    ws->connect_by_us = rmi_now_us() + timeout_us;
    rmi_timer_set_at(ws->deadline, ws->connect_by_us);
    return RM_OK;
}

rm_err rmi_ws_connect(struct rmi_loop *loop, const struct rmi_ws_config *config, struct rmi_ws **out) {
    *out = NULL;
    struct rmi_ws_url url;
    if (rmi_ws_url_parse(config->url, &url) != RM_OK || !config->cb.on_text)
        return RM_E_CONFIG;
    struct rmi_ws *ws = calloc(1, sizeof *ws);
    if (!ws)
        return RM_E_NO_MEMORY;
    ws->loop = loop;
    ws->cb = config->cb;
    ws->log = config->log;
    ws->url = url;
    ws->child.abort = on_abort;
    const struct rmi_ws_channel_callbacks cb = {.ctx = ws, .on_text = on_text};
    rmi_ws_channel_init(&ws->channel, true, config->max_message, &cb);
    rm_err err = start(ws, config);
    if (err != RM_OK) {
        destroy(ws);
        return err;
    }
    rmi_loop_adopt(loop, &ws->child);
    *out = ws;
    return RM_OK;
}

rm_err rmi_ws_send(struct rmi_ws *ws, const char *text, size_t len) {
    return ws->state == WS_FINISHED ? RM_E_CLOSED : rmi_ws_channel_push(&ws->channel, text, len);
}

void rmi_ws_get_stats(const struct rmi_ws *ws, struct rmi_ws_stats *out) {
    *out = ws->channel.stats;
}

bool rmi_ws_local_addr(const struct rmi_ws *ws, struct rmi_addr *out) {
    return ws->stream && rmi_stream_local_addr(ws->stream, out);
}

void rmi_ws_close(struct rmi_ws **ws_ptr) {
    if (!ws_ptr || !*ws_ptr)
        return;
    struct rmi_ws *ws = *ws_ptr;
    *ws_ptr = NULL;
    ws->detached = true;
    if (ws->state == WS_OPEN) {
        set_state(ws, WS_CLOSING, "closed here");
        rmi_ws_channel_close(&ws->channel, RMI_WS_CODE_NORMAL, NULL);
        rmi_timer_set_at(ws->deadline, rmi_now_us() + CLOSE_GRACE_US);
        return;
    }
    if (ws->state == WS_CONNECTING) {
        drop_stream(ws);
        finish(ws, RM_OK, "closed here");
    }
    reap_if_done(ws);
}
