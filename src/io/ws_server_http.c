/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "io/ws_server_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 2048 /* the longest is below 300 bytes with a type of TYPE_MAX, without the owner's own fields */
#define TYPE_MAX 128
#define FIELDS_MAX 1536
#define REPLY_US RMI_SEC(30) /* for a whole page over a slow line */
#define STATUS_MIN 200
#define STATUS_MAX 599

static const char answer_101[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: %s\r\n\r\n";

/* One reply for each connection: browsers open another one. */
static void reply(struct rmi_ws_conn *conn, const struct rmi_ws_http_reply *r) {
    char head[HEADERS_MAX];
    int n =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n"
                 "X-Content-Type-Options: nosniff\r\n%s%s%s\r\n",
                 r->status, rmi_http_reason(r->status), TYPE_MAX, r->content_type ? r->content_type : "text/plain",
                 r->body_len, r->status == RMI_HTTP_METHOD ? "Allow: GET\r\n" : "",
                 r->status == RMI_HTTP_UPGRADE_REQUIRED ? "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n" : "",
                 r->fields ? r->fields : "");
    conn->state = RMI_WS_CONN_ENDING;
    rmi_ws_conn_kill_at(conn, rmi_now_us() + REPLY_US);
    rmi_stream_write(conn->stream, head, (size_t)n);
    rmi_stream_write(conn->stream, r->body, r->body_len);
    rmi_stream_shutdown(conn->stream);
}

static void refuse(struct rmi_ws_conn *conn, int status) {
    char body[64];
    int n = snprintf(body, sizeof body, "%d %s\n", status, rmi_http_reason(status));
    reply(conn, &(struct rmi_ws_http_reply){.status = status, .body = body, .body_len = (size_t)n});
}

static void serve_page(struct rmi_ws_conn *conn, const char *path) {
    struct rmi_ws_server *srv = conn->srv;
    struct rmi_ws_http_reply r = {.status = RMI_HTTP_NOT_FOUND};
    if (srv->cb.on_http && !srv->detached)
        srv->cb.on_http(srv->cb.ctx, path, &r);
    if (r.status < STATUS_MIN || r.status > STATUS_MAX || (r.fields && strlen(r.fields) > FIELDS_MAX))
        refuse(conn, RMI_HTTP_INTERNAL);
    else if (r.status == RMI_HTTP_NOT_FOUND && r.body_len == 0)
        refuse(conn, RMI_HTTP_NOT_FOUND);
    else
        reply(conn, &r);
}

static void upgrade(struct rmi_ws_conn *conn, const char *path, const char *accept) {
    struct rmi_ws_server *srv = conn->srv;
    char answer[sizeof answer_101 + RMI_WS_ACCEPT_TEXT];
    if (srv->detached || srv->open >= srv->max_connections) {
        rmi_log(srv->log, RMI_LOG_SIGNALING, RM_LOG_WARN, "connection refused: %zu are open", srv->open);
        refuse(conn, RMI_HTTP_UNAVAILABLE);
        return;
    }
    int n = snprintf(answer, sizeof answer, answer_101, accept);
    rmi_stream_write(conn->stream, answer, (size_t)n);
    rmi_ws_conn_open(conn, path);
}

static void answer_request(struct rmi_ws_conn *conn) {
    struct rmi_http_head head;
    char accept[RMI_WS_ACCEPT_TEXT], path[RMI_WS_CONN_PATH_MAX];
    if (rmi_http_parse_request(conn->reader, &head) != RM_OK) {
        refuse(conn, RMI_HTTP_BAD_REQUEST);
        return;
    }
    int status = rmi_ws_check_request(&head, accept);
    const char *query = memchr(head.target.at, '?', head.target.len);
    size_t n = query ? (size_t)(query - head.target.at) : head.target.len;
    if (n >= sizeof path) { /* longer than any path of ours */
        refuse(conn, RMI_HTTP_NOT_FOUND);
        return;
    }
    memcpy(path, head.target.at, n);
    path[n] = '\0';
    if (status == RMI_HTTP_SWITCHING)
        upgrade(conn, path, accept);
    else if (status == RMI_HTTP_OK)
        serve_page(conn, path);
    else
        refuse(conn, status);
}

void rmi_ws_http_input(struct rmi_ws_conn *conn, struct rmi_rd *r) {
    rm_err err = rmi_http_read(conn->reader, r);
    if (err == RM_E_AGAIN)
        return;
    if (err == RM_OK)
        answer_request(conn);
    else
        refuse(conn, RMI_HTTP_BAD_REQUEST);
    free(conn->reader);
    conn->reader = NULL;
}
