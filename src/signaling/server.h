/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_SERVER_H
#define RMI_SIGNALING_SERVER_H

#include "base/log.h"
#include "signaling/dialect.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The core of a signaling server: rooms, roster, forwarding, limits. It has no socket: the owner tells it of
 * connections, messages and time, and carries out what it asks through callbacks. Callbacks run inside the call that
 * causes them; of this object they may call only rmi_sig_server_closed() (e.g. when a send fails). */

struct rmi_sig_server;

/* WebSocket close codes (RFC 6455 7.4.1) handed to `close`. */
#define RMI_SIG_CLOSE_GOING_AWAY 1001
#define RMI_SIG_CLOSE_POLICY 1008

struct rmi_sig_server_callbacks {
    void *ctx;
    /* text[len] == 0. Copy it. */
    void (*send)(void *ctx, uint64_t conn, const char *text, size_t len);
    /* Flush what was sent, then close. The connection is forgotten: report nothing more about it. */
    void (*close)(void *ctx, uint64_t conn, int code, const char *reason);
    /* Send a WebSocket ping; report the pong with rmi_sig_server_activity(). May be NULL (then idle = no message). */
    void (*ping)(void *ctx, uint64_t conn);
};

struct rmi_sig_server_config {
    size_t max_peers;            /* in a room; default 10 */
    size_t max_connections;      /* default 1024 */
    int64_t ping_interval_us;    /* default 15 s; a connection silent for two of them is a ghost and closed */
    int64_t announce_timeout_us; /* default 10 s: a connection that does not announce itself is closed */
    int64_t unix_offset_us;      /* Unix time minus the clock handed in, for "connected_at"; default 0 */
    uint32_t rate_per_second;    /* messages of one connection; default 200 */
    uint32_t rate_burst;         /* default 500 */
    const char *token;           /* copied; NULL = none asked for */
    struct rmi_log *log;
    struct rmi_sig_server_callbacks cb;
};
/* Fills the defaults; the callbacks remain to be set. */
void rmi_sig_server_config_init(struct rmi_sig_server_config *config);

struct rmi_sig_server_stats {
    size_t connections, peers, rooms;
    uint64_t messages_in, messages_out;
    uint64_t errors;       /* requests answered with an error */
    uint64_t rate_limited; /* connections closed for their rate */
    uint64_t ghosts;       /* connections closed for silence */
    uint64_t refused;      /* connections and announcements beyond a maximum */
};

/* RM_E_INVALID_ARG: a value out of range or a callback missing. RM_E_NO_MEMORY. */
rm_err rmi_sig_server_create(const struct rmi_sig_server_config *config, struct rmi_sig_server **out);
/* No callback is made. */
void rmi_sig_server_destroy(struct rmi_sig_server **server);

/* A new connection. RM_E_LIMIT: max_connections; close it yourself. RM_E_NO_MEMORY. */
rm_err rmi_sig_server_open(struct rmi_sig_server *s, int64_t now_us, uint64_t *conn);
/* One whole text message. Unknown connections are ignored. */
void rmi_sig_server_input(struct rmi_sig_server *s, int64_t now_us, uint64_t conn, const char *text, size_t len);
/* A pong or any other sign of life. */
void rmi_sig_server_activity(struct rmi_sig_server *s, int64_t now_us, uint64_t conn);
/* The connection is gone; the room is told. Harmless for an unknown one. */
void rmi_sig_server_closed(struct rmi_sig_server *s, int64_t now_us, uint64_t conn);

int64_t rmi_sig_server_next_deadline(const struct rmi_sig_server *s);
void rmi_sig_server_timeout(struct rmi_sig_server *s, int64_t now_us);
void rmi_sig_server_stats(const struct rmi_sig_server *s, struct rmi_sig_server_stats *out);

#endif
