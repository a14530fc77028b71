/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_SERVER_PRIVATE_H
#define RMI_SIGNALING_SERVER_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "signaling/jsonrpc.h"
#include "signaling/server.h"

struct room {
    struct rmi_list node;
    char name[RMI_SIG_MAX_ID + 1];
    struct rmi_list members; /* struct conn.member; the dead ones too until the sweep */
    size_t count;
};

struct conn {
    uint64_t id;
    bool dead; /* closed by either side: says and hears nothing more, goes with the next sweep */
    int64_t opened_us;
    int64_t next_ping_us;
    unsigned silent_pings; /* since the last sign of life */
    int64_t tokens_us;     /* rate limit: credit, in microseconds of its refill */
    int64_t tokens_at_us;

    struct room *room; /* NULL until announced */
    struct rmi_list member;
    char peer_id[RMI_SIG_MAX_ID + 1];
    const struct rmi_sig_dialect *dialect;
    unsigned capabilities;
    json_t *user_data;
    int64_t announced_us;
};

struct rmi_sig_server {
    struct rmi_sig_server_config config;
    char *token;
    struct conn **conns; /* ascending by id */
    size_t count, capacity;
    struct rmi_list rooms;
    size_t room_count;
    uint64_t next_id;
    int64_t deadline;
    unsigned depth; /* calls of ours on the stack: nothing is freed before the outermost ends */
    bool sweep_due;
    struct rmi_sig_server_stats stats;
};

/* server.c */
/* Takes `text`. */
void rmi_sig_server_say(struct rmi_sig_server *s, struct conn *c, char *text, size_t len);
void rmi_sig_server_kick(struct rmi_sig_server *s, struct conn *c, int code, const char *reason);
struct room *rmi_sig_server_room(struct rmi_sig_server *s, const char *name, bool create);
struct conn *rmi_sig_server_member(const struct room *room, const char *peer_id);
/* "joined" or "left" about `about` to everybody else in its room. */
void rmi_sig_server_tell_room(struct rmi_sig_server *s, const struct conn *about, enum rmi_sig_method what);
/* Takes `params`. */
void rmi_sig_server_notify(struct rmi_sig_server *s, struct conn *c, enum rmi_sig_method what, json_t *params);

/* server_rpc.c */
void rmi_sig_server_handle(struct rmi_sig_server *s, int64_t now_us, struct conn *c, const char *text, size_t len);

#endif
