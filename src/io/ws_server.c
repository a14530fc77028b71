/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/sockaddr.h"
#include "io/ws_server_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CLOSE_GRACE_US RMI_SEC(2) /* for queued messages and the closing handshake */
#define DEFAULT_CONNECTIONS 1024
#define MAX_CONNECTIONS 1900 /* libwebsockets' tables are sized for 2,048 sockets a loop (ws_host.c) */
#define STATUS_UNAVAILABLE 503
#define PING_TEXT "rm"

static struct rmi_list *bucket_of(const struct rmi_ws_server *srv, rmi_ws_conn_id id) {
    return (struct rmi_list *)&srv->buckets[id % RMI_WS_BUCKETS];
}

static struct rmi_ws_conn *find(const struct rmi_ws_server *srv, rmi_ws_conn_id id) {
    struct rmi_list *head = bucket_of(srv, id);
    RMI_LIST_FOREACH (node, tmp, head) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, bucket);
        if (conn->id == id)
            return conn;
    }
    return NULL;
}

static void free_conn(struct rmi_ws_conn *conn) {
    rmi_list_remove(&conn->node);
    rmi_list_remove(&conn->bucket);
    rmi_ws_channel_fini(&conn->channel);
    free(conn->body);
    free(conn);
}

rm_err rmi_ws_adopt(struct rmi_ws_server *srv, int fd) {
    struct rmi_ws_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        close(fd);
        return RM_E_NO_MEMORY;
    }
    rmi_ws_channel_init(&conn->channel, srv->max_message);
    rmi_list_push_back(&srv->conns, &conn->node);
    lws_adopt_desc_t info = {.vh = srv->vhost,
                             .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL,
                             .fd = {.sockfd = fd},
                             .opaque = conn};
    srv->adopting = conn;
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&info); /* closes the socket when it fails */
    if (!wsi && srv->adopting) /* no connection object was made, so no WSI_DESTROY will come */
        free_conn(conn);
    srv->adopting = NULL;
    return wsi ? RM_OK : RM_E_IO;
}

static void on_created(struct rmi_ws_server *srv, struct lws *wsi) {
    srv->sockets++;
    if (srv->adopting)
        srv->adopting->wsi = wsi;
    srv->adopting = NULL;
}

static void on_destroyed(struct rmi_ws_server *srv, struct lws *wsi) {
    struct rmi_ws_conn *conn = lws_get_opaque_user_data(wsi);
    lws_set_opaque_user_data(wsi, NULL);
    if (conn)
        free_conn(conn);
    srv->sockets--;
    if (srv->detached && srv->kick)
        rmi_timer_set_at(srv->kick, 0);
}

static void note(struct rmi_ws_conn *conn, rm_err why, const char *detail) {
    conn->why = why;
    snprintf(conn->detail, sizeof conn->detail, "%s", detail);
}

static int on_upgrade(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, const char *what) {
    if (!what || strcasecmp(what, "websocket") != 0)
        return -1;
    if (!srv->detached && srv->open < srv->max_connections)
        return 0;
    rmi_log(srv->log, RMI_LOG_SIGNALING, RM_LOG_WARN, "connection refused: %zu are open", srv->open);
    return lws_return_http_status(conn->wsi, STATUS_UNAVAILABLE, NULL) ? -1 : 1;
}

static void on_established(struct rmi_ws_server *srv, struct rmi_ws_conn *conn) {
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    struct rmi_addr remote = {0};
    if (getpeername(lws_get_socket_fd(conn->wsi), (struct sockaddr *)&sa, &len) == 0)
        remote = rmi_addr_from_sockaddr((const struct sockaddr *)&sa);
    conn->id = ++srv->last_id;
    srv->open++;
    rmi_list_push_back(bucket_of(srv, conn->id), &conn->bucket);
    note(conn, RM_E_SIGNALING, "connection lost");
    if (srv->cb.on_open)
        srv->cb.on_open(srv->cb.ctx, conn->id, conn->path, &remote);
}

static void on_closed(struct rmi_ws_server *srv, struct rmi_ws_conn *conn) {
    if (conn->id == 0 || conn->told)
        return;
    conn->told = true;
    srv->open--;
    rmi_list_remove(&conn->bucket);
    if (!srv->detached && srv->cb.on_close)
        srv->cb.on_close(srv->cb.ctx, conn->id, conn->why, conn->detail);
}

static int on_receive(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, const void *data, size_t len) {
    if (srv->detached || conn->closing)
        return 0;
    rm_err err = rmi_ws_channel_receive(&conn->channel, conn->wsi, data, len);
    if (err == RM_OK)
        srv->cb.on_text(srv->cb.ctx, conn->id, conn->channel.in, conn->channel.in_len);
    if (err == RM_OK || err == RM_E_AGAIN)
        return 0;
    note(conn, err, err == RM_E_TOO_BIG ? "message over the size limit" : "no memory for a message");
    return -1;
}

static int on_writeable(struct rmi_ws_server *srv, struct rmi_ws_conn *conn) {
    if (conn->pinging) {
        unsigned char ping[LWS_PRE + sizeof PING_TEXT] = {0};
        conn->pinging = false;
        memcpy(ping + LWS_PRE, PING_TEXT, sizeof PING_TEXT - 1);
        if (lws_write(conn->wsi, ping + LWS_PRE, sizeof PING_TEXT - 1, LWS_WRITE_PING) < 0)
            return -1;
        lws_callback_on_writable(conn->wsi);
        return 0;
    }
    if (!rmi_ws_channel_write(&conn->channel, conn->wsi))
        return -1;
    if (!rmi_list_empty(&conn->channel.out)) {
        lws_callback_on_writable(conn->wsi);
    } else if (conn->closing) {
        conn->flushed = true; /* -1 from here would drop the connection without a close frame */
        if (srv->kick)
            rmi_timer_set_at(srv->kick, 0);
    }
    return 0;
}

static int on_filter(struct rmi_ws_conn *conn) {
    if (lws_hdr_copy(conn->wsi, conn->path, sizeof conn->path, WSI_TOKEN_GET_URI) <= 0)
        return -1; /* longer than any path of ours, or not a GET */
    return 0;
}

/* Callbacks that need the socket's record. */
static int dispatch(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, enum lws_callback_reasons reason, void *in,
                    size_t len) {
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_upgrade(srv, conn, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_filter(conn);
    case LWS_CALLBACK_ESTABLISHED:
        on_established(srv, conn);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_receive(srv, conn, in, len);
    case LWS_CALLBACK_RECEIVE_PONG:
        if (!srv->detached && !conn->closing && srv->cb.on_pong)
            srv->cb.on_pong(srv->cb.ctx, conn->id);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writeable(srv, conn);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        conn->why = rmi_ws_peer_close(in, len, conn->detail, sizeof conn->detail);
        return 0;
    case LWS_CALLBACK_CLOSED:
        on_closed(srv, conn);
        return 0;
    case LWS_CALLBACK_HTTP:
        return rmi_ws_http_request(srv, conn, in ? in : "/");
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return rmi_ws_http_writeable(conn);
    default:
        return 0;
    }
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    struct rmi_ws_server *srv = wsi && lws_get_vhost(wsi) ? lws_vhost_user(lws_get_vhost(wsi)) : NULL;
    if (!srv)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        on_created(srv, wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroyed(srv, wsi);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_WRITEABLE: {
        struct rmi_ws_conn *conn = lws_get_opaque_user_data(wsi);
        return conn ? dispatch(srv, conn, reason, in, len) : -1;
    }
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

/* One byte of session data: libwebsockets reports the end of a connection only where there is some. */
static const struct lws_protocols protocols[] = {
    {.name = "rm-server", .callback = callback, .per_session_data_size = 1}, {0}};

static void let_go(struct rmi_ws_server *srv) {
    rmi_list_remove(&srv->child.node);
    rmi_ws_listen_close(srv);
    rmi_timer_destroy(&srv->kick);
    rmi_timer_destroy(&srv->resume);
    rmi_timer_destroy(&srv->reaper);
}

static void on_vhost_freed(struct lws_vhost *vhost, void *arg) {
    struct rmi_ws_server *srv = arg;
    (void)vhost;
    if (!srv->vhost)
        return; /* lws_create_vhost failed and undoes its work: the caller frees */
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        free_conn(RMI_CONTAINER_OF(node, struct rmi_ws_conn, node));
    }
    rmi_ws_host_give_back(srv->host);
    free(srv);
}

static void begin_close(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, uint16_t code, const char *reason) {
    conn->closing = true;
    conn->close_code = code;
    snprintf(conn->close_reason, sizeof conn->close_reason, "%s", reason ? reason : "");
    note(conn, RM_OK, "closed here");
    conn->kill_us = rmi_now_us() + CLOSE_GRACE_US;
    rmi_timer_set_at(srv->reaper, rmi_min64(conn->kill_us, srv->reap_us));
    srv->reap_us = rmi_min64(conn->kill_us, srv->reap_us);
    lws_callback_on_writable(conn->wsi);
    rmi_loop_kick(srv->loop);
}

static void on_reap(void *ctx, int64_t now_us) {
    struct rmi_ws_server *srv = ctx;
    srv->reap_us = RMI_NEVER;
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, node);
        if (!conn->closing)
            continue;
        if (conn->kill_us <= now_us) {
            conn->kill_us = RMI_NEVER;
            rmi_ws_cut(conn->wsi);
        } else {
            srv->reap_us = rmi_min64(srv->reap_us, conn->kill_us);
        }
    }
    rmi_timer_set_at(srv->reaper, srv->reap_us);
}

/* Close frames that are due; after rmi_ws_server_close also what has no closing handshake, and the end. */
static void on_kick(void *ctx, int64_t now_us) {
    struct rmi_ws_server *srv = ctx;
    (void)now_us;
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, node);
        if (conn->closing && conn->flushed) {
            conn->flushed = false;
            lws_close_reason(conn->wsi, (enum lws_close_status)conn->close_code, (unsigned char *)conn->close_reason,
                             strlen(conn->close_reason));
            rmi_ws_end(conn->wsi);
        } else if (srv->detached && !conn->closing) {
            rmi_ws_cut(conn->wsi);
        }
    }
    if (srv->detached && srv->sockets == 0) {
        let_go(srv);
        lws_vhost_destroy(srv->vhost); /* frees srv */
    }
}

static void on_abort(struct rmi_loop_child *child) {
    struct rmi_ws_server *srv = RMI_CONTAINER_OF(child, struct rmi_ws_server, child);
    srv->detached = true;
    let_go(srv); /* the loop destroys the context next, and with it sockets and vhost */
}

static rm_err create_vhost(struct rmi_ws_server *srv, const struct rmi_ws_server_config *config) {
    rm_err err = rmi_ws_host_take(srv->loop, false, &srv->host);
    if (err != RM_OK)
        return err;
    struct lws_context_creation_info info;
    rmi_ws_vhost_info(&info, protocols, srv);
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.finalize = on_vhost_freed;
    info.finalize_arg = srv;
    if (config->cert_file) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = config->cert_file;
        info.ssl_private_key_filepath = config->key_file;
    }
    srv->vhost = lws_create_vhost(rmi_ws_host_context(srv->host), &info);
    if (!srv->vhost)
        rmi_ws_host_give_back(srv->host);
    return srv->vhost ? RM_OK : RM_E_IO;
}

static rm_err create_timers(struct rmi_ws_server *srv) {
    rm_err err = rmi_timer_create(srv->loop, on_kick, srv, &srv->kick);
    if (err == RM_OK)
        err = rmi_timer_create(srv->loop, rmi_ws_listen_resume, srv, &srv->resume);
    if (err == RM_OK)
        err = rmi_timer_create(srv->loop, on_reap, srv, &srv->reaper);
    return err;
}

rm_err rmi_ws_server_listen(struct rmi_loop *loop, const struct rmi_ws_server_config *config,
                            struct rmi_ws_server **out) {
    *out = NULL;
    if (!config->cb.on_text || !config->cert_file != !config->key_file || config->max_connections > MAX_CONNECTIONS)
        return RM_E_CONFIG;
    struct rmi_ws_server *srv = calloc(1, sizeof *srv);
    if (!srv)
        return RM_E_NO_MEMORY;
    srv->loop = loop;
    srv->cb = config->cb;
    srv->log = config->log;
    srv->max_message = config->max_message;
    srv->max_connections = config->max_connections ? config->max_connections : DEFAULT_CONNECTIONS;
    srv->reap_us = RMI_NEVER;
    srv->child.abort = on_abort;
    rmi_list_init(&srv->conns);
    for (size_t i = 0; i < RMI_WS_BUCKETS; i++)
        rmi_list_init(&srv->buckets[i]);
    rm_err err = create_vhost(srv, config);
    if (err != RM_OK) {
        free(srv);
        return err;
    }
    err = create_timers(srv);
    if (err == RM_OK)
        err = rmi_ws_listen_open(srv, config->host, config->port);
    if (err != RM_OK) {
        let_go(srv);
        lws_vhost_destroy(srv->vhost);
        return err;
    }
    rmi_loop_adopt(loop, &srv->child);
    *out = srv;
    return RM_OK;
}

uint16_t rmi_ws_server_port(const struct rmi_ws_server *srv) {
    return srv->port;
}

size_t rmi_ws_server_connections(const struct rmi_ws_server *srv) {
    return srv->open;
}

static void want_write(struct rmi_ws_server *srv, struct rmi_ws_conn *conn) {
    lws_callback_on_writable(conn->wsi);
    rmi_loop_kick(srv->loop);
}

rm_err rmi_ws_server_send(struct rmi_ws_server *srv, rmi_ws_conn_id id, const char *text, size_t len) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->closing)
        return RM_E_NOT_FOUND;
    rm_err err = rmi_ws_channel_push(&conn->channel, text, len);
    if (err == RM_OK)
        want_write(srv, conn);
    return err;
}

rm_err rmi_ws_server_ping(struct rmi_ws_server *srv, rmi_ws_conn_id id) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->closing)
        return RM_E_NOT_FOUND;
    conn->pinging = true;
    want_write(srv, conn);
    return RM_OK;
}

rm_err rmi_ws_server_close_conn(struct rmi_ws_server *srv, rmi_ws_conn_id id, uint16_t code, const char *reason) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->closing)
        return RM_E_NOT_FOUND;
    begin_close(srv, conn, code, reason);
    return RM_OK;
}

rm_err rmi_ws_server_conn_stats(const struct rmi_ws_server *srv, rmi_ws_conn_id id, struct rmi_ws_stats *out) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn)
        return RM_E_NOT_FOUND;
    *out = conn->channel.stats;
    return RM_OK;
}

void rmi_ws_server_close(struct rmi_ws_server **srv_ptr) {
    if (!srv_ptr || !*srv_ptr)
        return;
    struct rmi_ws_server *srv = *srv_ptr;
    *srv_ptr = NULL;
    srv->detached = true;
    rmi_ws_listen_close(srv);
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, node);
        if (conn->id != 0 && !conn->told && !conn->closing)
            begin_close(srv, conn, LWS_CLOSE_STATUS_GOINGAWAY, "server closes");
    }
    rmi_timer_set_at(srv->kick, 0);
}
