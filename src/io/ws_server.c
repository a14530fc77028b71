/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/ws_server_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_GRACE_US RMI_SEC(2) /* for queued messages and the closing handshake */
#define HANDSHAKE_US RMI_SEC(10)  /* for TLS and the head of the request */
#define DEFAULT_CONNECTIONS 1024

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
    struct rmi_ws_server *srv = conn->srv;
    rmi_list_remove(&conn->node);
    rmi_list_remove(&conn->bucket);
    rmi_stream_close(&conn->stream);
    rmi_ws_channel_fini(&conn->channel);
    free(conn->reader);
    free(conn);
    srv->sockets--;
    if (srv->detached && srv->sockets == 0)
        rmi_timer_set_at(srv->kick, 0);
}

void rmi_ws_conn_kill_at(struct rmi_ws_conn *conn, int64_t at_us) {
    struct rmi_ws_server *srv = conn->srv;
    conn->kill_us = at_us;
    srv->reap_us = rmi_min64(srv->reap_us, at_us);
    rmi_timer_set_at(srv->reaper, srv->reap_us);
}

void rmi_ws_conn_open(struct rmi_ws_conn *conn, const char *path) {
    struct rmi_ws_server *srv = conn->srv;
    conn->state = RMI_WS_CONN_OPEN;
    conn->kill_us = RMI_NEVER;
    conn->id = ++srv->last_id;
    srv->open++;
    rmi_list_push_back(bucket_of(srv, conn->id), &conn->bucket);
    conn->channel.stream = conn->stream;
    if (srv->cb.on_open)
        srv->cb.on_open(srv->cb.ctx, conn->id, path, &conn->remote);
}

/* A WebSocket connection is over: told once. */
static void finish(struct rmi_ws_conn *conn) {
    struct rmi_ws_server *srv = conn->srv;
    conn->state = RMI_WS_CONN_ENDING;
    conn->channel.stream = NULL;
    srv->open--;
    rmi_list_remove(&conn->bucket);
    if (!srv->detached && srv->cb.on_close)
        srv->cb.on_close(srv->cb.ctx, conn->id, conn->channel.why, conn->channel.detail);
}

static void on_data(void *ctx, const uint8_t *data, size_t len) {
    struct rmi_ws_conn *conn = ctx;
    struct rmi_rd r = rmi_rd_init(data, len);
    if (conn->state == RMI_WS_CONN_REQUEST)
        rmi_ws_http_input(conn, &r);
    if (conn->state == RMI_WS_CONN_OPEN && rmi_ws_channel_input(&conn->channel, &r)) {
        rmi_stream_shutdown(conn->stream);
        rmi_ws_conn_kill_at(conn, rmi_now_us() + CLOSE_GRACE_US);
        finish(conn);
    }
}

static void on_drain(void *ctx) {
    struct rmi_ws_conn *conn = ctx;
    rmi_ws_channel_pump(&conn->channel);
}

static void on_end(void *ctx, rm_err why, const char *detail) {
    struct rmi_ws_conn *conn = ctx;
    if (conn->state == RMI_WS_CONN_OPEN) {
        rmi_ws_channel_lost(&conn->channel, why, detail);
        finish(conn);
    } else if (why != RM_OK) {
        rmi_log(conn->srv->log, RMI_LOG_SIGNALING, RM_LOG_DEBUG, "a connection ended early: %s", detail);
    }
    free_conn(conn);
}

static void on_text(void *ctx, const char *text, size_t len) {
    struct rmi_ws_conn *conn = ctx;
    if (!conn->srv->detached)
        conn->srv->cb.on_text(conn->srv->cb.ctx, conn->id, text, len);
}

static void on_pong(void *ctx) {
    struct rmi_ws_conn *conn = ctx;
    if (!conn->srv->detached && conn->srv->cb.on_pong)
        conn->srv->cb.on_pong(conn->srv->cb.ctx, conn->id);
}

void rmi_ws_conn_accept(struct rmi_ws_server *srv, int fd, const struct rmi_addr *remote) {
    struct rmi_ws_conn *conn = calloc(1, sizeof *conn);
    struct rmi_http_reader *reader = calloc(1, sizeof *reader);
    if (!conn || !reader) {
        free(conn);
        free(reader);
        close(fd);
        return;
    }
    conn->srv = srv;
    conn->reader = reader;
    conn->remote = *remote;
    const struct rmi_ws_channel_callbacks channel_cb = {.ctx = conn, .on_text = on_text, .on_pong = on_pong};
    rmi_ws_channel_init(&conn->channel, false, srv->max_message, &channel_cb);
    const struct rmi_stream_callbacks cb = {.ctx = conn, .on_data = on_data, .on_drain = on_drain, .on_end = on_end};
    rmi_list_push_back(&srv->conns, &conn->node);
    srv->sockets++;
    if (rmi_stream_accept(srv->loop, fd, srv->tls, &cb, &conn->stream) != RM_OK)
        free_conn(conn);
    else
        rmi_ws_conn_kill_at(conn, rmi_now_us() + HANDSHAKE_US);
}

static void on_reap(void *ctx, int64_t now_us) {
    struct rmi_ws_server *srv = ctx;
    srv->reap_us = RMI_NEVER;
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, node);
        if (conn->kill_us > now_us) {
            srv->reap_us = rmi_min64(srv->reap_us, conn->kill_us);
            continue;
        }
        if (conn->state == RMI_WS_CONN_OPEN)
            finish(conn);
        free_conn(conn);
    }
    rmi_timer_set_at(srv->reaper, srv->reap_us);
}

static void destroy(struct rmi_ws_server *srv) {
    rmi_list_remove(&srv->child.node);
    rmi_ws_listen_close(srv);
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        free_conn(RMI_CONTAINER_OF(node, struct rmi_ws_conn, node));
    }
    rmi_timer_destroy(&srv->kick);
    rmi_timer_destroy(&srv->resume);
    rmi_timer_destroy(&srv->reaper);
    rmi_tls_context_destroy(&srv->tls);
    free(srv);
}

/* After rmi_ws_server_close: requests are dropped; what is closing ends by itself, or at its deadline. */
static void on_kick(void *ctx, int64_t now_us) {
    struct rmi_ws_server *srv = ctx;
    (void)now_us;
    RMI_LIST_FOREACH (node, tmp, &srv->conns) {
        struct rmi_ws_conn *conn = RMI_CONTAINER_OF(node, struct rmi_ws_conn, node);
        if (conn->state == RMI_WS_CONN_REQUEST)
            free_conn(conn);
    }
    if (srv->sockets == 0)
        destroy(srv);
}

static void on_abort(struct rmi_loop_child *child) {
    struct rmi_ws_server *srv = RMI_CONTAINER_OF(child, struct rmi_ws_server, child);
    destroy(srv);
}

static rm_err start(struct rmi_ws_server *srv, const struct rmi_ws_server_config *config) {
    rm_err err = RM_OK;
    if (config->cert_file)
        err = rmi_tls_server_context(config->cert_file, config->key_file, &srv->tls);
    if (err == RM_OK)
        err = rmi_timer_create(srv->loop, on_kick, srv, &srv->kick);
    if (err == RM_OK)
        err = rmi_timer_create(srv->loop, rmi_ws_listen_resume, srv, &srv->resume);
    if (err == RM_OK)
        err = rmi_timer_create(srv->loop, on_reap, srv, &srv->reaper);
    if (err == RM_OK)
        err = rmi_ws_listen_open(srv, config->host, config->port);
    return err;
}

rm_err rmi_ws_server_listen(struct rmi_loop *loop, const struct rmi_ws_server_config *config,
                            struct rmi_ws_server **out) {
    *out = NULL;
    if (!config->cb.on_text || !config->cert_file != !config->key_file)
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
    rm_err err = start(srv, config);
    if (err != RM_OK) {
        destroy(srv);
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

rm_err rmi_ws_server_send(struct rmi_ws_server *srv, rmi_ws_conn_id id, const char *text, size_t len) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->channel.closing)
        return RM_E_NOT_FOUND;
    return rmi_ws_channel_push(&conn->channel, text, len);
}

rm_err rmi_ws_server_ping(struct rmi_ws_server *srv, rmi_ws_conn_id id) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->channel.closing)
        return RM_E_NOT_FOUND;
    rmi_ws_channel_ping(&conn->channel);
    return RM_OK;
}

static void begin_close(struct rmi_ws_conn *conn, uint16_t code, const char *reason) {
    rmi_ws_channel_close(&conn->channel, code, reason);
    rmi_ws_conn_kill_at(conn, rmi_now_us() + CLOSE_GRACE_US);
}

rm_err rmi_ws_server_close_conn(struct rmi_ws_server *srv, rmi_ws_conn_id id, uint16_t code, const char *reason) {
    struct rmi_ws_conn *conn = find(srv, id);
    if (!conn || conn->channel.closing)
        return RM_E_NOT_FOUND;
    begin_close(conn, code, reason);
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
        if (conn->state == RMI_WS_CONN_OPEN && !conn->channel.closing)
            begin_close(conn, RMI_WS_CODE_GOING_AWAY, "server closes");
        else if (conn->state == RMI_WS_CONN_ENDING)
            rmi_ws_conn_kill_at(conn, rmi_min64(conn->kill_us, rmi_now_us() + CLOSE_GRACE_US));
    }
    rmi_timer_set_at(srv->kick, 0);
}
