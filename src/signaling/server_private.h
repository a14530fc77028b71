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
    char instance[RMI_SIG_MAX_ID + 1]; /* "": none was given */
    const struct rmi_sig_dialect *dialect;
    unsigned capabilities;
    json_t *user_data;
    int64_t announced_us;

    bool own;               /* of the server's own peer */
    bool offered;           /* to that peer, once at least */
    bool offer_waits;       /* for its answer */
    json_t *offer_id;       /* of the request; NULL: null */
    uint64_t offer_number;  /* of own_sent */
    int64_t offer_until_us; /* RMI_NEVER: none waits */
    json_t *early;          /* parameters of candidates that came before the first offer */
};

struct rmi_sig_server {
    struct rmi_sig_server_config config;
    char *token;
    char own_id[RMI_SIG_MAX_ID + 1]; /* of the server's own peer; "": none */
    struct conn *own;                /* its connection */
    uint64_t own_sent, own_took;     /* messages to it */
    struct conn **conns;             /* ascending by id */
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
/* Another connection of the same client takes this one's place: it goes without a word to the room. */
void rmi_sig_server_replace(struct rmi_sig_server *s, struct conn *c);
struct room *rmi_sig_server_room(struct rmi_sig_server *s, const char *name, bool create);
struct conn *rmi_sig_server_member(const struct room *room, const char *peer_id);
/* "joined" or "left" about `about` to everybody else in its room. */
void rmi_sig_server_tell_room(struct rmi_sig_server *s, const struct conn *about, enum rmi_sig_method what);
/* Takes `params`. */
void rmi_sig_server_notify(struct rmi_sig_server *s, struct conn *c, enum rmi_sig_method what, json_t *params);

/* server_peer.c: what the server's own peer needs */
bool rmi_sig_server_has_own(const struct rmi_sig_server *s);
/* Whom `from` means by this id, or NULL. */
struct conn *rmi_sig_server_target(const struct rmi_sig_server *s, const struct conn *from, const char *peer_id);
/* In any room. */
struct conn *rmi_sig_server_anywhere(const struct rmi_sig_server *s, const char *peer_id);
/* An offer of `c` was passed on to the own peer: its request `id` waits for the answer. */
void rmi_sig_server_hold_offer(struct rmi_sig_server *s, int64_t now_us, struct conn *c, json_t *id);
/* The answer of the own peer. False: nothing waits for it. True also when it is about something older: then it is lost.
 */
bool rmi_sig_server_answer_offer(struct rmi_sig_server *s, struct conn *c, const char *sdp);
/* The own peer refuses; `reason` is the name of an error, or NULL. False: nothing waits. */
bool rmi_sig_server_refuse_offer(struct rmi_sig_server *s, struct conn *c, const char *reason);
void rmi_sig_server_expire_offer(struct rmi_sig_server *s, int64_t now_us, struct conn *c);
/* A candidate for the own peer, which comes before the first offer: kept until then. Takes `params`. */
void rmi_sig_server_hold_candidate(struct conn *c, json_t *params);

/* server_rpc.c */
void rmi_sig_server_handle(struct rmi_sig_server *s, int64_t now_us, struct conn *c, const char *text, size_t len);

#endif
