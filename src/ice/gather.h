/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_GATHER_H
#define RMI_ICE_GATHER_H

#include "base/log.h"
#include "base/rng.h"
#include "net/addr.h"
#include "net/candidate.h"
#include "net/datagram.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The gatherer belongs to the endpoint, not to a peer: it finds this host's candidates once for all peers. It owns the
 * STUN server transactions (one per server and host base, kept alive) and the TURN allocations (one per server and
 * address family, shared by all peers as one relay base). A later peer gets its candidates without waiting.
 * Pure: bytes and `now` in, datagrams through the sink, events and a deadline out. One thread. */
struct rmi_gather;

#define RMI_GATHER_BASES_MAX 32
#define RMI_GATHER_SERVERS_MAX 8
#define RMI_TURN_TEXT_MAX 128 /* user name, password, realm kept by the client; longer is refused */

struct rmi_turn_server {
    struct rmi_addr addr;
    char username[RMI_TURN_TEXT_MAX];
    char password[RMI_TURN_TEXT_MAX]; /* never logged */
};

struct rmi_gather_config {
    struct rmi_rng rng;
    struct rmi_log *log;
    struct rmi_sink sink; /* real datagrams: base is always a host base */
    bool relay_only;      /* only relay candidates are reported (RFC 8828 mode 4); related addresses are blanked */
    int64_t keepalive_us; /* STUN binding refresh of srflx mappings, 0 = 15 s (RFC 8445 11: Tr >= 15 s) */
    int64_t
        timeout_us; /* a silent server is given up after this, 0 = 9.5 s: below the 10 s in which a failure is due */
};

enum rmi_gather_event_type {
    RMI_GATHER_CANDIDATE, /* candidate, base */
    RMI_GATHER_GONE,      /* base: its candidates are invalid (interface removed, allocation lost) */
    RMI_GATHER_BACK,      /* a server answers that did not at the last rmi_gather_refresh: the network is back */
    RMI_GATHER_DONE, /* first gathering ended: no server is outstanding. Comes once after start and after each add */
    RMI_GATHER_ERROR /* err, server: RM_E_STUN_TIMEOUT, RM_E_TURN_AUTH, _QUOTA, _TIMEOUT, _REFUSED; detail text */
};

struct rmi_gather_event {
    enum rmi_gather_event_type type;
    rmi_base_id base;
    struct rmi_candidate candidate; /* foundation, priority, type, addr, related filled */
    rm_err err;
    struct rmi_addr server;
    char detail[96];
};

rm_err rmi_gather_create(const struct rmi_gather_config *config, struct rmi_gather **out);
void rmi_gather_destroy(
    struct rmi_gather **g); /* sends nothing; call rmi_gather_close first to free TURN allocations */

/* Before or after start. RM_E_LIMIT beyond RMI_GATHER_SERVERS_MAX each. Servers of a family no host base has are
 * skipped. RM_E_INVALID_ARG: address or text malformed. RM_E_EXISTS: this TURN address is known already. */
rm_err rmi_gather_add_stun(struct rmi_gather *g, const struct rmi_addr *server);
rm_err rmi_gather_add_turn(struct rmi_gather *g, const struct rmi_turn_server *server);
/* A UDP socket of ours, bound to addr (a concrete interface address). local_pref orders interfaces (65535 best).
 * Its host candidate event comes at once (not with relay_only). RM_E_LIMIT. RM_E_INVALID_ARG: base is 0 or from
 * 0x10000 upward, where relay bases are. RM_E_EXISTS. */
rm_err rmi_gather_add_host(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *addr,
                           uint16_t local_pref);
void rmi_gather_remove_host(struct rmi_gather *g, int64_t now_us, rmi_base_id base);
/* Begin asking servers. With none, RMI_GATHER_DONE follows at once. */
void rmi_gather_start(struct rmi_gather *g, int64_t now_us);
/* The network may have changed under us (NAT mappings lost, another route): asks every server at once instead of at the
 * next keep-alive. A mapped address that changed comes as a new candidate, a lost allocation is made anew. */
void rmi_gather_refresh(struct rmi_gather *g, int64_t now_us);
/* Refresh all allocations with lifetime 0 (RFC 8656 7), once, best effort. */
void rmi_gather_close(struct rmi_gather *g, int64_t now_us);

/* What rmi_gather_input made of a datagram. */
enum rmi_gather_verdict {
    RMI_GATHER_NOT_MINE, /* for an agent, as received */
    RMI_GATHER_CONSUMED, /* a STUN or TURN answer of ours */
    RMI_GATHER_RELAYED   /* *inner: relayed payload, its relay base and its true sender; points into `data` */
};
struct rmi_gather_inner {
    rmi_base_id base;
    struct rmi_addr from;
    uint8_t *data;
    size_t len;
};
enum rmi_gather_verdict rmi_gather_input(struct rmi_gather *g, int64_t now_us, rmi_base_id base,
                                         const struct rmi_addr *from, uint8_t *data, size_t len,
                                         struct rmi_gather_inner *inner);

/* Send a payload from any base: passes it on for a host base, wraps it for a relay base (channel data when bound, else
 * a Send indication; permission and channel are made on first use and kept while used in the last 5 minutes; until the
 * permission is granted, up to 8 payloads per destination wait). data needs the room that struct rmi_sink promises. */
void rmi_gather_send(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *to, uint8_t *data,
                     size_t len);

/* Whether what is sent from this base goes through a relay. */
bool rmi_gather_is_relay(rmi_base_id base);

int64_t rmi_gather_next_deadline(const struct rmi_gather *g); /* RMI_NEVER = none */
void rmi_gather_timeout(struct rmi_gather *g, int64_t now_us);
bool rmi_gather_poll_event(struct rmi_gather *g, struct rmi_gather_event *out);

/* Candidates known now (for a peer that comes later). Returns the count written. */
size_t rmi_gather_candidates(const struct rmi_gather *g, struct rmi_candidate *out, rmi_base_id *bases, size_t cap);
bool rmi_gather_is_done(const struct rmi_gather *g);
/* True when a TURN server is configured and answered with an allocation. */
bool rmi_gather_has_relay(const struct rmi_gather *g);

#endif
