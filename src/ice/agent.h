/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_AGENT_H
#define RMI_ICE_AGENT_H

#include "base/log.h"
#include "base/rng.h"
#include "net/addr.h"
#include "net/candidate.h"
#include "net/datagram.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ICE agent of one peer connection (RFC 8445 full agent, one component, one stream; RFC 8838 trickle, RFC 8863,
 * RFC 7675). Pure. It knows bases, not sockets: relayed bases are the gatherer's affair. One thread. */
struct rmi_ice_agent;

#define RMI_ICE_UFRAG_LEN 8 /* >= 4 (RFC 8839 5.4: at least 24 bits of randomness) */
#define RMI_ICE_PWD_LEN 24  /* >= 22 (at least 128 bits) */
#define RMI_ICE_UFRAG_MAX 256
#define RMI_ICE_PWD_MAX 256
#define RMI_ICE_LOCAL_MAX 32  /* local candidates */
#define RMI_ICE_REMOTE_MAX 64 /* remote candidates (known-failures: cap at 64 a peer) */
#define RMI_ICE_PAIRS_MAX 100 /* RFC 8445 6.1.2.5 default */

enum rmi_ice_state {
    RMI_ICE_NEW,
    RMI_ICE_CHECKING,
    RMI_ICE_CONNECTED,    /* a pair is selected and answers */
    RMI_ICE_DISCONNECTED, /* nothing received for liveness_us; recovers by itself or by restart */
    RMI_ICE_FAILED,       /* no pair works, or consent expired */
    RMI_ICE_CLOSED
};

struct rmi_ice_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    const char *name;     /* for log lines: the remote peer id; copied */
    struct rmi_sink sink; /* outgoing STUN; base may be a relay base */
    bool controlling;     /* the offerer of the first negotiation (RFC 8445 6.1.1) */
    bool relay_only;      /* pairs only from relay bases */
    uint32_t tag;         /* first 4 bytes of every transaction id, so that the mux finds the agent of a response */
    int64_t liveness_us;  /* 0 = 2 s */
    int64_t failed_us;    /* budget for first connectivity, 0 = 10 s from the first pair or remote description */
    int64_t ta_us;        /* pacing of checks, 0 = 5 ms on our own (RFC 8445 14.2 permits down to 5 ms) */
};

enum rmi_ice_event_type {
    RMI_ICE_EV_STATE,         /* state, err (RM_E_ICE_* when FAILED), detail */
    RMI_ICE_EV_SELECTED_PAIR, /* the selected pair is new or another one */
    RMI_ICE_EV_SILENCE        /* half the liveness time passed without a packet on a path that was busy */
};
struct rmi_ice_event {
    enum rmi_ice_event_type type;
    enum rmi_ice_state state;
    rm_err err;
};

struct rmi_ice_pair_info {
    struct rmi_candidate local, remote;
    rmi_base_id base;
    int64_t rtt_us;    /* smoothed; 0 = unknown */
    const char *state; /* "frozen" "waiting" "in-progress" "succeeded" "failed" */
    bool nominated, selected, valid;
    uint32_t checks_sent, responses;
};

struct rmi_ice_stats {
    uint64_t checks_sent, checks_received, responses_received;
    uint64_t drop_integrity; /* failed MESSAGE-INTEGRITY or unknown ufrag: silently dropped */
    uint64_t drop_malformed, drop_unmatched, drop_limit;
    uint32_t local_candidates, remote_candidates, pairs;
    uint32_t role_conflicts, restarts;
};

rm_err rmi_ice_create(const struct rmi_ice_config *config, struct rmi_ice_agent **out);
void rmi_ice_destroy(struct rmi_ice_agent **a);
/* Stop sending; state CLOSED. Idempotent. */
void rmi_ice_close(struct rmi_ice_agent *a);

const char *rmi_ice_local_ufrag(const struct rmi_ice_agent *a);
const char *rmi_ice_local_pwd(const struct rmi_ice_agent *a);
const char *rmi_ice_remote_ufrag(const struct rmi_ice_agent *a); /* "" before set */
bool rmi_ice_is_controlling(const struct rmi_ice_agent *a);

/* A local candidate on a base (from the gatherer). Duplicates are ignored. RM_E_LIMIT. */
rm_err rmi_ice_add_local(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_candidate *c);
void rmi_ice_remove_base(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base);
void rmi_ice_local_done(struct rmi_ice_agent *a, int64_t now_us); /* end of local candidates */

/* From the remote description. The same values again change nothing; other values than the current ones are an ICE
 * restart by the remote side (RFC 8445 9), allowed only together with rmi_ice_restart on ours: RM_E_STATE otherwise.
 * RM_E_INVALID_ARG: lengths outside RFC 8839 5.4 (ufrag 4..256, pwd 22..256). */
rm_err rmi_ice_set_remote(struct rmi_ice_agent *a, int64_t now_us, const char *ufrag, const char *pwd, bool lite);
/* RM_E_UNSUPPORTED: not UDP, component other than 1, or unusable address: skipped, counted. RM_E_LIMIT. RM_E_STATE
 * while no remote credentials are set. A candidate whose ufrag extension names another generation is ignored (RM_OK).
 * Unresolved host names must be resolved by the caller first: RM_E_RESOLVE. */
rm_err rmi_ice_add_remote(struct rmi_ice_agent *a, int64_t now_us, const struct rmi_candidate *c);
void rmi_ice_remote_done(struct rmi_ice_agent *a, int64_t now_us);

/* New local credentials, for the offer or answer of a restart; call before making it. Until the remote side's new ones
 * are known (rmi_ice_set_remote) everything goes on as it was, so that an offer that never arrives costs nothing. Then
 * the checklist begins anew; the selected pair stays in use, with consent, until a new one is nominated, and local
 * candidates are kept. */
void rmi_ice_restart(struct rmi_ice_agent *a, int64_t now_us);
/* Undo a restart whose offer was rolled back: old credentials come back. RM_E_STATE: none is offered, or it is
 * answered. */
rm_err rmi_ice_restart_rollback(struct rmi_ice_agent *a, int64_t now_us);

/* Any STUN datagram for this agent. Non-STUN bytes are never given here. */
void rmi_ice_input(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                   const uint8_t *data, size_t len);
/* Tell the agent that authenticated traffic (SRTP, DTLS) arrived: feeds liveness when it came on the path in use; from
 * another valid pair, while that path is silent, it tells that the peer is there now (a NAT gave it another address).
 * Cheap. */
void rmi_ice_note_received(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from);

enum rmi_ice_source {
    RMI_ICE_SOURCE_UNKNOWN, /* drop everything that is not STUN */
    RMI_ICE_SOURCE_PENDING, /* sent us an authenticated check, ours is not answered yet: DTLS may be kept, not handled
                             */
    RMI_ICE_SOURCE_VALID    /* a pair in the valid list: our check was answered */
};
enum rmi_ice_source rmi_ice_source_of(const struct rmi_ice_agent *a, rmi_base_id base, const struct rmi_addr *from);

/* Where application data goes now: the selected pair; before any is selected the best valid one (RFC 8445 12.1 lets
 * data flow before nomination, which saves DTLS a round trip). False while there is none, or consent has expired. */
bool rmi_ice_route(const struct rmi_ice_agent *a, rmi_base_id *base, struct rmi_addr *to);
int64_t rmi_ice_route_rtt_us(const struct rmi_ice_agent *a); /* of that pair; 0 = unknown */

int64_t rmi_ice_next_deadline(const struct rmi_ice_agent *a);
void rmi_ice_timeout(struct rmi_ice_agent *a, int64_t now_us);
bool rmi_ice_poll_event(struct rmi_ice_agent *a, struct rmi_ice_event *out);

enum rmi_ice_state rmi_ice_state_of(const struct rmi_ice_agent *a);
const char *
rmi_ice_state_name(enum rmi_ice_state s); /* "new" "checking" "connected" "disconnected" "failed" "closed" */
bool rmi_ice_selected_pair(const struct rmi_ice_agent *a, struct rmi_ice_pair_info *out);
size_t rmi_ice_pairs(const struct rmi_ice_agent *a, struct rmi_ice_pair_info *out, size_t cap);
void rmi_ice_get_stats(const struct rmi_ice_agent *a, struct rmi_ice_stats *out);

#endif
