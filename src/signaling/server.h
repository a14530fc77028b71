/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_SERVER_H
#define RMI_SIGNALING_SERVER_H

#include "base/log.h"
#include "signaling/dialect.h"
#include "signaling/jsonrpc.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The core of a signaling server: rooms, roster, forwarding, limits. It has no socket: the owner tells it of
 * connections, messages and time, and carries out what it asks through callbacks. Callbacks run inside the call that
 * causes them; of this object they may call only rmi_sig_server_closed() (e.g. when a send fails).
 * An id that is taken is refused, unless the announcement carries the same `instance` (a secret of the client, matching
 * [A-Za-z0-9_-]{1,64}) as its holder's: then it is the same client on a new connection, which takes the old one's
 * place; the others are told that it joined, not that it left. On the same connection it is that announcement once
 * more, and answered again. */

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

/* RemoteMedia's server mode: one peer lives in the server itself. It is in no room and no list, and reachable from all
 * rooms, where each id exists once then. An offer to it is answered in the result of that request. */
struct rmi_sig_server_mode {
    const char *peer_id;       /* copied; "remotemedia-server". NULL: no such mode, and nothing below is used */
    int64_t answer_timeout_us; /* of an offer; default 30 s */
    void *ctx;
    /* A method that the core does not know, "server.info" and "control.*". `peer_id` NULL: has not announced itself. 0
     * and *result (a new reference), or a code and *reason, static text. RMI_RPC_METHOD_NOT_FOUND. May be NULL. */
    int (*method)(void *ctx, const char *peer_id, const char *method, json_t *params, json_t **result,
                  const char **reason);
    void (*left)(void *ctx, const char *peer_id); /* may be NULL */
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
    struct rmi_sig_server_mode mode;
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
/* The connection of the server's own peer; it is trusted, and the only one that may announce itself by that id.
 * RM_E_STATE: there is no such mode, or it is open. RM_E_NO_MEMORY. */
rm_err rmi_sig_server_open_own(struct rmi_sig_server *s, int64_t now_us, uint64_t *conn);
/* How many messages the server's own peer had taken when it wrote those that follow: a goodbye of its old connection
 * must not be taken for the answer to an offer that it has not seen yet. Not called at all: it takes them at once. */
void rmi_sig_server_own_took(struct rmi_sig_server *s, uint64_t messages);
/* One whole text message. Unknown connections are ignored. */
void rmi_sig_server_input(struct rmi_sig_server *s, int64_t now_us, uint64_t conn, const char *text, size_t len);
/* A pong or any other sign of life. */
void rmi_sig_server_activity(struct rmi_sig_server *s, int64_t now_us, uint64_t conn);
/* The connection is gone; the room is told. Harmless for an unknown one. */
void rmi_sig_server_closed(struct rmi_sig_server *s, int64_t now_us, uint64_t conn);

/* A notification to an announced peer, in whatever room (with server mode). Takes `params`. RM_E_NOT_FOUND. */
rm_err rmi_sig_server_tell(struct rmi_sig_server *s, const char *peer_id, const char *method, json_t *params);

/* An offer of this peer to the server's own, if one waits for its answer, has failed. `reason`: the name of an error.
 */
void rmi_sig_server_offer_failed(struct rmi_sig_server *s, const char *peer_id, const char *reason);
/* The connection of an announced peer. RM_E_NOT_FOUND. */
rm_err rmi_sig_server_conn_of(const struct rmi_sig_server *s, const char *peer_id, uint64_t *conn);

int64_t rmi_sig_server_next_deadline(const struct rmi_sig_server *s);
void rmi_sig_server_timeout(struct rmi_sig_server *s, int64_t now_us);
void rmi_sig_server_stats(const struct rmi_sig_server *s, struct rmi_sig_server_stats *out);

#endif
