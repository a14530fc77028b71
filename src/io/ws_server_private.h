/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_SERVER_PRIVATE_H
#define RMI_IO_WS_SERVER_PRIVATE_H

#include "io/loop_private.h"
#include "io/ws_channel.h"
#include "io/ws_handshake.h"

#define RMI_WS_BUCKETS 64
#define RMI_WS_CONN_PATH_MAX 1024

enum rmi_ws_conn_state {
    RMI_WS_CONN_REQUEST, /* TLS, and the head of the request */
    RMI_WS_CONN_OPEN,    /* a WebSocket connection: has an id */
    RMI_WS_CONN_ENDING,  /* over for everybody else; drains until the other side ends too */
};

/* One accepted socket. */
struct rmi_ws_conn {
    struct rmi_list node;   /* of the server */
    struct rmi_list bucket; /* by id, while open */
    struct rmi_ws_server *srv;
    enum rmi_ws_conn_state state;
    struct rmi_stream *stream;
    struct rmi_http_reader *reader; /* until the request is there */
    struct rmi_addr remote;
    rmi_ws_conn_id id;
    int64_t kill_us; /* when what does not get ahead is cut */
    struct rmi_ws_channel channel;
};

struct listener; /* ws_listen.c */

struct rmi_ws_server {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_ws_server_callbacks cb;
    struct rmi_log *log;
    size_t max_message, max_connections;
    struct rmi_tls_context *tls; /* NULL: ws:// and http:// */
    struct listener *listener;
    uint16_t port;
    bool detached; /* closed: no callback any more */
    struct rmi_list conns;
    struct rmi_list buckets[RMI_WS_BUCKETS];
    size_t sockets, open;
    rmi_ws_conn_id last_id;
    struct rmi_timer *kick;   /* frees the object, when nothing of it is on the stack */
    struct rmi_timer *resume; /* accept again after running out of descriptors */
    struct rmi_timer *reaper;
    int64_t reap_us; /* earliest kill_us, what reaper is set to */
};

/* Takes an accepted socket in any case. */
void rmi_ws_conn_accept(struct rmi_ws_server *srv, int fd, const struct rmi_addr *remote);
/* Cut the connection at that time, at the latest. */
void rmi_ws_conn_kill_at(struct rmi_ws_conn *conn, int64_t at_us);
/* The request was answered with 101: from here it is a WebSocket connection. */
void rmi_ws_conn_open(struct rmi_ws_conn *conn, const char *path);

/* ws_server_http.c: take bytes of the request's head, and when it is complete, answer it. */
void rmi_ws_http_input(struct rmi_ws_conn *conn, struct rmi_rd *r);

/* ws_listen.c: the listening socket. */
rm_err rmi_ws_listen_open(struct rmi_ws_server *srv, const char *host, uint16_t port);
void rmi_ws_listen_close(struct rmi_ws_server *srv);
void rmi_ws_listen_resume(void *ctx, int64_t now_us);

#endif
