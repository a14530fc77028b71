/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_SERVER_PRIVATE_H
#define RMI_IO_WS_SERVER_PRIVATE_H

#include "io/loop_private.h"
#include "io/ws_host.h"

#define RMI_WS_BUCKETS 64

/* One accepted socket: an HTTP exchange, or after the upgrade a WebSocket connection (id is not 0). */
struct rmi_ws_conn {
    struct rmi_list node;   /* of the server */
    struct rmi_list bucket; /* by id, while open */
    struct lws *wsi;
    rmi_ws_conn_id id;
    bool pinging, closing, told;
    bool flushed; /* closing, and everything queued was sent */
    uint16_t close_code;
    char close_reason[124]; /* RFC 6455 5.5: 125 octets less the code, and a NUL */
    int64_t kill_us;        /* when a closing that does not get ahead is cut */
    rm_err why;
    char detail[256];
    char path[1024];
    struct rmi_ws_channel channel;
    uint8_t *body; /* HTTP reply on its way, with LWS_PRE bytes in front */
    size_t body_len, body_at;
};

struct rmi_ws_server {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_ws_server_callbacks cb;
    struct rmi_log *log;
    size_t max_message, max_connections;
    struct rmi_ws_host *host;
    struct lws_vhost *vhost;
    uv_poll_t listener;
    bool listener_open;
    int fd;
    uint16_t port;
    bool detached; /* closed: no callback any more */
    struct rmi_list conns;
    struct rmi_list buckets[RMI_WS_BUCKETS];
    struct rmi_ws_conn *adopting; /* record of the socket being handed over */
    size_t sockets, open;
    rmi_ws_conn_id last_id;
    struct rmi_timer *kick;   /* work to be done outside libwebsockets' callbacks */
    struct rmi_timer *resume; /* accept again after running out of descriptors */
    struct rmi_timer *reaper;
    int64_t reap_us; /* earliest kill_us, what reaper is set to */
};

/* The protocol table of the server's vhost (ws_server_http.c holds the HTTP side of its callback). */
int rmi_ws_http_request(struct rmi_ws_server *srv, struct rmi_ws_conn *conn, const char *path);
int rmi_ws_http_writeable(struct rmi_ws_conn *conn);

/* Hand an accepted socket over; takes it in any case. */
rm_err rmi_ws_adopt(struct rmi_ws_server *srv, int fd);

/* ws_listen.c: the listening socket. */
rm_err rmi_ws_listen_open(struct rmi_ws_server *srv, const char *host, uint16_t port);
void rmi_ws_listen_close(struct rmi_ws_server *srv);
void rmi_ws_listen_resume(void *ctx, int64_t now_us);

#endif
