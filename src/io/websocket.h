/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WEBSOCKET_H
#define RMI_IO_WEBSOCKET_H

#include "base/log.h"
#include "net/addr.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* WebSocket client and server (RFC 6455) with a small HTTP side. Text messages only: binary ones are counted and
 * dropped. No extension and no subprotocol is negotiated. */
struct rmi_loop;
struct rmi_ws;
struct rmi_ws_server;

#define RMI_WS_MAX_MESSAGE (256 * 1024)     /* largest message received, unless configured */
#define RMI_WS_MAX_QUEUED (4 * 1024 * 1024) /* bytes waiting to be sent on one connection */
#define RMI_WS_CONNECT_TIMEOUT_US 10000000  /* unless configured */

struct rmi_ws_callbacks {
    void *ctx;
    void (*on_open)(void *ctx);
    /* One whole message, also NUL-terminated (the NUL is not counted); valid during the call. */
    void (*on_text)(void *ctx, const char *text, size_t len);
    /* Once, at the end of a connection or of the attempt; the object then only waits for rmi_ws_close. RM_OK: closed
     * by the server with 1000 or 1001. RM_E_SIGNALING: refused, lost or closed with another code. RM_E_RESOLVE,
     * RM_E_TLS, RM_E_TIMEOUT (not open in time), RM_E_TOO_BIG (message over max_message), RM_E_NO_MEMORY. `detail` is
     * one line for logs. */
    void (*on_close)(void *ctx, rm_err why, const char *detail);
};

struct rmi_ws_config {
    const char *url;            /* ws://host[:port][/path] or wss://; copied */
    const char *ca_file;        /* PEM file to trust instead of the system's store, or NULL; copied */
    size_t max_message;         /* 0: RMI_WS_MAX_MESSAGE */
    int64_t connect_timeout_us; /* from the call to on_open; 0: RMI_WS_CONNECT_TIMEOUT_US */
    struct rmi_log *log;
    struct rmi_ws_callbacks cb;
};

struct rmi_ws_stats {
    uint64_t recv_messages, recv_bytes, sent_messages, sent_bytes;
    uint64_t binary_dropped;
    size_t queued_bytes;
};

/* Start connecting. Callbacks come from later turns of the loop only, on_close for every failure after this returned
 * RM_OK. RM_E_CONFIG: malformed URL. RM_E_IO: ca_file unreadable. RM_E_NO_MEMORY. */
rm_err rmi_ws_connect(struct rmi_loop *loop, const struct rmi_ws_config *config, struct rmi_ws **out);
/* Queue one text message (copied); before on_open too. RM_E_LIMIT: more than RMI_WS_MAX_QUEUED would wait. RM_E_CLOSED:
 * after on_close. RM_E_NO_MEMORY. */
rm_err rmi_ws_send(struct rmi_ws *ws, const char *text, size_t len);
void rmi_ws_get_stats(const struct rmi_ws *ws, struct rmi_ws_stats *out);
/* The local address of the connection. False: there is none just now. */
bool rmi_ws_local_addr(const struct rmi_ws *ws, struct rmi_addr *out);
/* Closes with 1000 after what is queued was sent (within 2 s, in the background). Idempotent, accepts NULL, legal
 * inside a callback; no callback afterwards. */
void rmi_ws_close(struct rmi_ws **ws);

/* Connections are numbered from 1, never reused within one server. */
typedef uint64_t rmi_ws_conn_id;

/* Filled by on_http; everything is copied when it returns. */
struct rmi_ws_http_reply {
    int status;               /* 200, 404 ... */
    const char *content_type; /* NULL: text/plain */
    const char *fields;       /* further header lines, each with its CR LF; NULL: none */
    const void *body;
    size_t body_len;
};

struct rmi_ws_server_callbacks {
    void *ctx;
    void (*on_open)(void *ctx, rmi_ws_conn_id id, const char *path, const struct rmi_addr *remote);
    void (*on_text)(void *ctx, rmi_ws_conn_id id, const char *text, size_t len);
    /* Once for each on_open, except for connections this side closes with rmi_ws_server_close. */
    void (*on_close)(void *ctx, rmi_ws_conn_id id, rm_err why, const char *detail);
    void (*on_pong)(void *ctx, rmi_ws_conn_id id); /* may be NULL */
    /* GET `path` (without query). The reply is preset to 404; NULL: always 404. */
    void (*on_http)(void *ctx, const char *path, struct rmi_ws_http_reply *reply);
};

struct rmi_ws_server_config {
    const char *host;      /* numeric address or interface name to bind; NULL: every address */
    uint16_t port;         /* 0: any free one, see rmi_ws_server_port */
    const char *cert_file; /* PEM chain and key: serve wss and https. Both or neither. */
    const char *key_file;
    size_t max_message;     /* 0: RMI_WS_MAX_MESSAGE */
    size_t max_connections; /* WebSocket connections at a time; further ones get 503. 0: 1024 */
    struct rmi_log *log;
    struct rmi_ws_server_callbacks cb;
};

/* RM_E_IO: cannot bind, or certificate unreadable. RM_E_CONFIG, RM_E_NO_MEMORY. */
rm_err rmi_ws_server_listen(struct rmi_loop *loop, const struct rmi_ws_server_config *config,
                            struct rmi_ws_server **out);
uint16_t rmi_ws_server_port(const struct rmi_ws_server *server);
size_t rmi_ws_server_connections(const struct rmi_ws_server *server);
/* RM_E_NOT_FOUND: no such connection (any more). RM_E_LIMIT, RM_E_NO_MEMORY as for the client. */
rm_err rmi_ws_server_send(struct rmi_ws_server *server, rmi_ws_conn_id id, const char *text, size_t len);
rm_err rmi_ws_server_ping(struct rmi_ws_server *server, rmi_ws_conn_id id);
/* Close one connection with a code (1000, 1008, 1013, 3000..4999 ...) after what is queued was sent; on_close follows
 * (RM_OK). No on_text for it any more. */
rm_err rmi_ws_server_close_conn(struct rmi_ws_server *server, rmi_ws_conn_id id, uint16_t code, const char *reason);
rm_err rmi_ws_server_conn_stats(const struct rmi_ws_server *server, rmi_ws_conn_id id, struct rmi_ws_stats *out);
/* Closes every connection (1001). Idempotent, accepts NULL, legal inside a callback; no callback afterwards. */
void rmi_ws_server_close(struct rmi_ws_server **server);

#endif
