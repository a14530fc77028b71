/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_CLIENT_H
#define RMI_SIGNALING_CLIENT_H

#include "base/log.h"
#include "base/rng.h"
#include "signaling/dialect.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The signaling client: announces one peer, carries offers, answers and candidates, reconnects by itself. It has no
 * socket. The owner opens and closes one on its events, reports what happens to it, and sends what it puts out.
 *
 * After every call: take all of rmi_sig_client_poll_output() and send it in order, then all of
 * rmi_sig_client_poll_event() (so that a farewell leaves before CLOSE_SOCKET), then arm rmi_sig_client_next_deadline().
 *
 * While the socket is away nothing is queued: an offer is refused with RM_E_AGAIN, an answer or candidate with
 * RM_E_SIGNALING, and each offer still unanswered when the socket was lost gives REQUEST_FAILED(RM_E_SIGNALING). The
 * peer layer negotiates afresh when ANNOUNCED names the peer again; connections that run are not touched. */

struct rmi_sig_client;

struct rmi_sig_client_config {
    const char *peer_id;   /* copied; ^[A-Za-z0-9_-]{1,64}$ */
    const char *room;      /* copied; NULL or "" = the server's default room, else as peer_id */
    const char *token;     /* copied; NULL = none; never logged */
    unsigned capabilities; /* enum rmi_sig_caps */
    struct rmi_rng rng;
    struct rmi_log *log;
    int64_t announce_timeout_us; /* for opening the socket, and again for the announcement; default 10 s */
    int64_t answer_timeout_us;   /* from an offer to its answer; default 30 s */
    int64_t backoff_initial_us;  /* default 0.5 s; each wait is drawn from 50..100 % of its nominal value */
    int64_t backoff_max_us;      /* default 30 s */
    double backoff_multiplier;   /* default 2.0; at least 1 */
};
/* Fills the defaults; peer_id and rng remain to be set. */
void rmi_sig_client_config_init(struct rmi_sig_client_config *config);

enum rmi_sig_state {
    RMI_SIG_DISCONNECTED, /* before start, after leave, and while waiting to reconnect */
    RMI_SIG_CONNECTING,
    RMI_SIG_ANNOUNCING,
    RMI_SIG_READY,
    RMI_SIG_FAILED /* for good: no retry will be made */
};
const char *rmi_sig_state_name(enum rmi_sig_state state);

enum rmi_sig_request {
    RMI_SIG_REQ_NONE, /* the server did not say which one */
    RMI_SIG_REQ_ANNOUNCE,
    RMI_SIG_REQ_OFFER,
    RMI_SIG_REQ_ANSWER,
    RMI_SIG_REQ_CANDIDATE,
    RMI_SIG_REQ_DISCONNECT
};

enum rmi_sig_event_type {
    RMI_SIG_EV_OPEN_SOCKET,       /* connect now; then _connected() or _disconnected() */
    RMI_SIG_EV_CLOSE_SOCKET,      /* close after what was put out; report nothing more about this socket */
    RMI_SIG_EV_STATE,             /* state; err and text when there is a reason */
    RMI_SIG_EV_ANNOUNCED,         /* others, others_count: who is there, after every (re-)announcement */
    RMI_SIG_EV_PEER_JOINED,       /* peer, capabilities (0 when not told) */
    RMI_SIG_EV_PEER_LEFT,         /* peer: its signaling connection is gone; its media may well go on */
    RMI_SIG_EV_OFFER,             /* peer, sdp */
    RMI_SIG_EV_ANSWER,            /* peer, sdp; whether it was asked for is for the peer layer to judge */
    RMI_SIG_EV_CANDIDATE,         /* peer, candidate, mid, mline_index, end */
    RMI_SIG_EV_PEER_DISCONNECTED, /* peer ended its connection with us; text = reason */
    RMI_SIG_EV_REQUEST_FAILED     /* request, peer, err, code and text of the server. An offer without an answer:
                                     RM_E_CONNECTION_TIMEOUT. A candidate the server threw away because the peer is
                                     not ready for it: RM_E_AGAIN (send it again after the answer) */
};

/* All strings belong to the client and are valid until its next poll_event or destroy; never NULL. */
struct rmi_sig_event {
    enum rmi_sig_event_type type;
    enum rmi_sig_state state;
    enum rmi_sig_request request;
    rm_err err;
    int64_t code; /* of the server; 0 = none */
    const char *text;
    const char *peer;
    const char *sdp;
    const char *candidate; /* "candidate:..."; "" = end */
    const char *mid;       /* "" = not given */
    int mline_index;       /* -1 = not given */
    bool end;
    unsigned capabilities;
    const char *const *others;
    size_t others_count;
};

struct rmi_sig_client_stats {
    uint64_t messages_in, messages_out;
    uint64_t malformed;       /* not JSON, over a limit, or members missing */
    uint64_t unknown_methods; /* ignored, or answered -32601 */
    uint64_t misaddressed;    /* to somebody else, from ourselves, or from an id that is none */
    uint64_t unmatched;       /* replies to no request of ours */
    uint64_t events_dropped;  /* the owner does not drain */
    uint64_t losses;          /* connections lost or not reached, each followed by a new attempt */
};

/* RM_E_INVALID_ARG: an id or a time is out of range. RM_E_NO_MEMORY. *out stays untouched on failure. */
rm_err rmi_sig_client_create(const struct rmi_sig_client_config *config, struct rmi_sig_client **out);
void rmi_sig_client_destroy(struct rmi_sig_client **client);

/* Asks for the socket. Also after leave() or FAILED, to begin anew. RM_E_STATE: running already. */
rm_err rmi_sig_client_start(struct rmi_sig_client *c, int64_t now_us);
/* Reconnect now instead of at the end of the wait (the network came back). No effect unless waiting. */
void rmi_sig_client_retry_now(struct rmi_sig_client *c, int64_t now_us);
/* The socket in use leads nowhere any more (its address is gone, the server is mute): a new one at once. */
void rmi_sig_client_renew(struct rmi_sig_client *c, int64_t now_us, const char *why);

void rmi_sig_client_connected(struct rmi_sig_client *c, int64_t now_us);
/* The socket is gone or was never reached. `detail` may be NULL. */
void rmi_sig_client_disconnected(struct rmi_sig_client *c, int64_t now_us, rm_err why, const char *detail);
/* One whole text message. Remote faults are counted, never returned. */
void rmi_sig_client_input(struct rmi_sig_client *c, int64_t now_us, const char *text, size_t len);

/* RM_E_INVALID_ARG: id, text or size. RM_E_AGAIN / RM_E_SIGNALING: no connection just now, see above. RM_E_CLOSED:
 * left, failed or never started. RM_E_LIMIT: 256 messages wait to be sent. RM_E_NO_MEMORY. */
rm_err rmi_sig_client_offer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *sdp);
rm_err rmi_sig_client_answer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *sdp);
/* text "" = end of candidates; mid NULL and mline_index -1 = not given. */
rm_err rmi_sig_client_candidate(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *text,
                                const char *mid, int mline_index);
/* Tells `to` that we end our connection with it; reason may be NULL. */
rm_err rmi_sig_client_disconnect_peer(struct rmi_sig_client *c, int64_t now_us, const char *to, const char *reason);
/* Farewell (best effort) and CLOSE_SOCKET. Idempotent. */
void rmi_sig_client_leave(struct rmi_sig_client *c, int64_t now_us);

/* The next message to send, valid until the next call of this function. RM_E_AGAIN: none. */
rm_err rmi_sig_client_poll_output(struct rmi_sig_client *c, const char **text, size_t *len);
/* RM_E_AGAIN: none. */
rm_err rmi_sig_client_poll_event(struct rmi_sig_client *c, struct rmi_sig_event *ev);

int64_t rmi_sig_client_next_deadline(const struct rmi_sig_client *c);
void rmi_sig_client_timeout(struct rmi_sig_client *c, int64_t now_us);

enum rmi_sig_state rmi_sig_client_state(const struct rmi_sig_client *c);
const char *rmi_sig_client_peer_id(const struct rmi_sig_client *c);
/* "peer" or "unprefixed". */
const char *rmi_sig_client_dialect(const struct rmi_sig_client *c);
void rmi_sig_client_stats(const struct rmi_sig_client *c, struct rmi_sig_client_stats *out);

#endif
