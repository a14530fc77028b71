/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/loop_private.h"
#include "io/resolve.h"
#include "io/ws_host.h"
#include "io/ws_url.h"
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_GRACE_US RMI_SEC(2) /* for queued messages and the closing handshake */
#define DETAIL_MAX 256
#define PROTOCOL_NAME "rm-client" /* names our callbacks inside libwebsockets; not sent */

enum state { WS_CONNECTING, WS_OPEN, WS_CLOSING, WS_FINISHED };

/* Lives as long as its vhost: libwebsockets calls back until then, and the vhost's finalizer frees it. */
struct rmi_ws {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_ws_callbacks cb;
    struct rmi_log *log;
    struct rmi_ws_url url;
    struct rmi_ws_channel channel;
    enum state state;
    bool detached; /* rmi_ws_close was called: no callback any more */

    struct rmi_resolve *resolve;
    struct rmi_addr addrs[RMI_RESOLVE_MAX];
    size_t addr_n, addr_next;

    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws *wsi;   /* usable connection */
    struct lws *alive; /* the same until libwebsockets freed it */

    struct rmi_timer *deadline; /* connecting, later closing */
    struct rmi_timer *kick;     /* work to be done outside libwebsockets' callbacks */
    bool attempt_failed;
    bool flushed; /* closing, and everything queued was sent */
    rm_err err;   /* of the last attempt, or of the close */
    char detail[DETAIL_MAX];
    bool cert_failed;
};

static void note(struct rmi_ws *ws, rm_err err, const char *detail) {
    ws->err = err;
    snprintf(ws->detail, sizeof ws->detail, "%s", detail);
}

static void set_state(struct rmi_ws *ws, enum state to, const char *reason) {
    static const char *const names[] = {"connecting", "open", "closing", "finished"};
    rmi_log(ws->log, RMI_LOG_SIGNALING, RM_LOG_DEBUG, "websocket %s %s->%s (%s)", ws->url.header, names[ws->state],
            names[to], reason);
    ws->state = to;
}

/* The end, told once. */
static void finish(struct rmi_ws *ws, rm_err err, const char *detail) {
    if (ws->state == WS_FINISHED)
        return;
    char line[DETAIL_MAX];
    snprintf(line, sizeof line, "%s", detail); /* may be ws->detail */
    set_state(ws, WS_FINISHED, line);
    rmi_resolve_cancel(&ws->resolve);
    if (ws->deadline)
        rmi_timer_set_at(ws->deadline, RMI_NEVER);
    if (ws->kick)
        rmi_timer_set_at(ws->kick, 0);
    if (!ws->detached && ws->cb.on_close)
        ws->cb.on_close(ws->cb.ctx, err, line);
}

static void attempt_over(struct rmi_ws *ws) {
    ws->attempt_failed = true;
    if (ws->kick)
        rmi_timer_set_at(ws->kick, 0);
}

static void connect_next(struct rmi_ws *ws) {
    const struct rmi_addr *addr = &ws->addrs[ws->addr_next++];
    char address[RMI_ADDR_TEXT_MAX];
    struct lws_client_connect_info info = {0};
    info.context = ws->context;
    info.vhost = ws->vhost;
    info.address = rmi_addr_ip_text(addr, address); /* numeric: libwebsockets would look names up blocking */
    info.port = addr->port;
    info.path = ws->url.path;
    info.host = ws->url.header;
    info.local_protocol_name = PROTOCOL_NAME;
    info.ietf_version_or_minus_one = -1;
    info.alpn = "http/1.1";
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    if (ws->url.tls)
        info.ssl_connection |= LCCSCF_USE_SSL;
    if (ws->url.is_ipv6)
        info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK; /* it cuts at ':'; check_cert does it */
    note(ws, RM_E_SIGNALING, "connection refused or unreachable");
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (!wsi) { /* one failure path: no callback came for it, or CONNECTION_ERROR came already: count it once */
        attempt_over(ws);
        return;
    }
    ws->wsi = ws->alive = wsi;
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

/* Everything of ours goes; the vhost's finalizer frees the object. */
static void let_go(struct rmi_ws *ws) {
    rmi_list_remove(&ws->child.node);
    rmi_resolve_cancel(&ws->resolve);
    rmi_timer_destroy(&ws->deadline);
    rmi_timer_destroy(&ws->kick);
}

static void on_vhost_freed(struct lws_vhost *vhost, void *arg) {
    struct rmi_ws *ws = arg;
    (void)vhost;
    if (!ws->vhost)
        return; /* lws_create_vhost failed and undoes its work: the caller frees */
    rmi_ws_channel_fini(&ws->channel);
    free(ws);
}

static void on_kick(void *ctx, int64_t now_us) {
    struct rmi_ws *ws = ctx;
    (void)now_us;
    if (ws->attempt_failed && ws->state == WS_CONNECTING && !ws->detached) {
        ws->attempt_failed = false;
        if (ws->err == RM_E_SIGNALING && ws->addr_next < ws->addr_n)
            connect_next(ws);
        else
            finish(ws, ws->err, ws->detail); /* the object may be detached behind this */
        return;
    }
    if (ws->state == WS_CLOSING && ws->flushed && ws->wsi) {
        ws->flushed = false;
        lws_close_reason(ws->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        rmi_ws_end(ws->wsi);
    }
    if (ws->state != WS_OPEN && ws->state != WS_CLOSING && ws->wsi)
        rmi_ws_cut(ws->wsi);
    if (ws->detached && !ws->alive) {
        let_go(ws);
        lws_vhost_destroy(ws->vhost); /* frees ws */
    }
}

static void on_deadline(void *ctx, int64_t now_us) {
    struct rmi_ws *ws = ctx;
    (void)now_us;
    if (ws->state == WS_CONNECTING)
        finish(ws, RM_E_TIMEOUT, "the server did not accept the connection in time");
    else if (ws->state == WS_CLOSING) {
        set_state(ws, WS_FINISHED, "closing took too long");
        rmi_timer_set_at(ws->kick, 0);
    }
}

/* Called for each certificate of the chain. Returns 0 to accept; OpenSSL's own refusals stand whatever is returned. */
static int check_cert(struct rmi_ws *ws, X509_STORE_CTX *store, int preverify_ok) {
    if (preverify_ok && ws->url.is_ipv6 && X509_STORE_CTX_get_error_depth(store) == 0 &&
        X509_check_ip_asc(X509_STORE_CTX_get_current_cert(store), ws->url.host, 0) != 1) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_IP_ADDRESS_MISMATCH);
        preverify_ok = 0;
    }
    if (preverify_ok)
        return 0;
    ws->cert_failed = true;
    char detail[DETAIL_MAX];
    snprintf(detail, sizeof detail, "certificate of %s: %s", ws->url.host,
             X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    note(ws, RM_E_TLS, detail);
    return 1;
}

static void on_connection_error(struct rmi_ws *ws, const char *text, size_t len) {
    ws->wsi = NULL;
    if (!ws->cert_failed) {
        char line[DETAIL_MAX];
        snprintf(line, sizeof line, "%.*s", (int)(len < DETAIL_MAX ? len : DETAIL_MAX - 1), text ? text : "");
        bool tls = ws->url.tls && (strstr(line, "SSL") || strstr(line, "ssl") || strstr(line, "tls"));
        note(ws, tls ? RM_E_TLS : RM_E_SIGNALING, line[0] ? line : "connection failed");
    }
    attempt_over(ws);
}

static int on_receive(struct rmi_ws *ws, struct lws *wsi, const void *data, size_t len) {
    if (ws->state != WS_OPEN)
        return 0;
    rm_err err = rmi_ws_channel_receive(&ws->channel, wsi, data, len);
    if (err == RM_OK)
        ws->cb.on_text(ws->cb.ctx, ws->channel.in, ws->channel.in_len);
    if (err == RM_OK || err == RM_E_AGAIN)
        return 0;
    note(ws, err, err == RM_E_TOO_BIG ? "message over the size limit" : "no memory for a message");
    return -1;
}

static int on_writeable(struct rmi_ws *ws, struct lws *wsi) {
    if (ws->state != WS_OPEN && ws->state != WS_CLOSING)
        return -1;
    if (!rmi_ws_channel_write(&ws->channel, wsi))
        return -1;
    if (!rmi_list_empty(&ws->channel.out)) {
        lws_callback_on_writable(wsi);
    } else if (ws->state == WS_CLOSING) {
        ws->flushed = true; /* -1 from here would drop the connection without a close frame */
        rmi_timer_set_at(ws->kick, 0);
    }
    return 0;
}

static void on_established(struct rmi_ws *ws, struct lws *wsi) {
    if (ws->state != WS_CONNECTING)
        return;
    set_state(ws, WS_OPEN, "accepted");
    rmi_timer_set_at(ws->deadline, RMI_NEVER);
    note(ws, RM_E_SIGNALING, "connection lost");
    lws_callback_on_writable(wsi);
    if (ws->cb.on_open)
        ws->cb.on_open(ws->cb.ctx);
}

static void on_destroyed(struct rmi_ws *ws, const struct lws *wsi) {
    if (wsi != ws->alive)
        return;
    ws->wsi = ws->alive = NULL;
    /* A connection lost between request and answer is reported by neither CONNECTION_ERROR nor CLOSED. */
    if (ws->state == WS_CONNECTING)
        attempt_over(ws);
    else
        finish(ws, ws->err, ws->detail);
    if (ws->kick)
        rmi_timer_set_at(ws->kick, 0);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    struct rmi_ws *ws = wsi && lws_get_vhost(wsi) ? lws_vhost_user(lws_get_vhost(wsi)) : NULL;
    if (!ws)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION: /* user: X509_STORE_CTX, len: verdict so far */
        return check_cert(ws, user, (int)len);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        on_connection_error(ws, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        on_established(ws, wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(ws, wsi, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writeable(ws, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        ws->err = rmi_ws_peer_close(in, len, ws->detail, sizeof ws->detail);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        ws->wsi = NULL;
        if (ws->state == WS_CONNECTING)
            attempt_over(ws);
        else
            finish(ws, ws->err, ws->detail);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroyed(ws, wsi);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {{.name = PROTOCOL_NAME, .callback = callback}, {0}};

static bool is_pem_with_certificate(const char *file) {
    BIO *bio = BIO_new_file(file, "r");
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool found = cert != NULL;
    X509_free(cert);
    BIO_free(bio);
    return found;
}

static rm_err create_vhost(struct rmi_ws *ws, const char *ca_file) {
    struct rmi_ws_host *host = NULL;
    rm_err err = rmi_ws_host_take(ws->loop, true, &host);
    if (err != RM_OK)
        return err;
    ws->context = rmi_ws_host_context(host);
    struct lws_context_creation_info info;
    rmi_ws_vhost_info(&info, protocols, ws);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.finalize = on_vhost_freed;
    info.finalize_arg = ws;
    if (ws->url.tls) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        if (ca_file)
            info.client_ssl_ca_filepath = ca_file;
        else
            info.options &= ~(uint64_t)LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    }
    ws->vhost = lws_create_vhost(ws->context, &info);
    return ws->vhost ? RM_OK : RM_E_NO_MEMORY;
}

static void on_abort(struct rmi_loop_child *child) {
    struct rmi_ws *ws = RMI_CONTAINER_OF(child, struct rmi_ws, child);
    ws->detached = true;
    let_go(ws); /* the loop destroys the context next, and with it connection and vhost */
}

static rm_err start(struct rmi_ws *ws, const struct rmi_ws_config *config) {
    rm_err err = rmi_timer_create(ws->loop, on_deadline, ws, &ws->deadline);
    if (err == RM_OK)
        err = rmi_timer_create(ws->loop, on_kick, ws, &ws->kick);
    int64_t timeout_us = config->connect_timeout_us ? config->connect_timeout_us : RMI_WS_CONNECT_TIMEOUT_US;
    if (err == RM_OK)
        err = rmi_resolve(ws->loop, ws->url.host, ws->url.port, 0, on_resolved, ws, timeout_us, &ws->resolve);
    if (err == RM_OK)
        rmi_timer_set_at(ws->deadline, rmi_now_us() + timeout_us);
    return err;
}

rm_err rmi_ws_connect(struct rmi_loop *loop, const struct rmi_ws_config *config, struct rmi_ws **out) {
    *out = NULL;
    struct rmi_ws_url url;
    rm_err err = rmi_ws_url_parse(config->url, &url);
    if (err != RM_OK || !config->cb.on_text)
        return RM_E_CONFIG;
    if (url.tls && config->ca_file && !is_pem_with_certificate(config->ca_file))
        return RM_E_IO;
    struct rmi_ws *ws = calloc(1, sizeof *ws);
    if (!ws)
        return RM_E_NO_MEMORY;
    ws->loop = loop;
    ws->cb = config->cb;
    ws->log = config->log;
    ws->url = url;
    ws->child.abort = on_abort;
    rmi_ws_channel_init(&ws->channel, config->max_message);
    err = create_vhost(ws, config->ca_file);
    if (err != RM_OK) {
        free(ws);
        return err;
    }
    rmi_loop_adopt(loop, &ws->child);
    err = start(ws, config);
    if (err != RM_OK) {
        let_go(ws);
        lws_vhost_destroy(ws->vhost);
        return err == RM_E_INVALID_ARG ? RM_E_CONFIG : err;
    }
    *out = ws;
    return RM_OK;
}

rm_err rmi_ws_send(struct rmi_ws *ws, const char *text, size_t len) {
    if (ws->state == WS_FINISHED)
        return RM_E_CLOSED;
    rm_err err = rmi_ws_channel_push(&ws->channel, text, len);
    if (err == RM_OK && ws->state == WS_OPEN && ws->wsi) {
        lws_callback_on_writable(ws->wsi);
        rmi_loop_kick(ws->loop);
    }
    return err;
}

void rmi_ws_get_stats(const struct rmi_ws *ws, struct rmi_ws_stats *out) {
    *out = ws->channel.stats;
}

void rmi_ws_close(struct rmi_ws **ws_ptr) {
    if (!ws_ptr || !*ws_ptr)
        return;
    struct rmi_ws *ws = *ws_ptr;
    *ws_ptr = NULL;
    ws->detached = true;
    rmi_resolve_cancel(&ws->resolve);
    if (ws->state == WS_OPEN && ws->wsi) {
        set_state(ws, WS_CLOSING, "closed here");
        lws_callback_on_writable(ws->wsi);
        rmi_timer_set_at(ws->deadline, rmi_now_us() + CLOSE_GRACE_US);
        rmi_loop_kick(ws->loop);
        return;
    }
    if (ws->state != WS_FINISHED)
        set_state(ws, WS_FINISHED, "closed here");
    rmi_timer_set_at(ws->kick, 0);
}
