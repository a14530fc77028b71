/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_GATHER_PRIVATE_H
#define RMI_ICE_GATHER_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "ice/gather.h"
#include "ice/stun.h"
#include "ice/turn.h"

/* gather.c: the interface, events and candidates; gather_binding.c: STUN; gather_relay.c: TURN. */

#define GATHER_RELAY_BASE 0x10000u /* host bases are below; relay bases count up from here and are never reused */

struct gather_host {
    struct rmi_list node;
    rmi_base_id base;
    struct rmi_addr addr;
    uint16_t local_pref;
    struct rmi_list bindings;
};

/* One STUN server asked from one host base, and asked again to keep the mapping alive. */
struct gather_binding {
    struct rmi_list node;
    size_t server;
    bool asking, answered, failed;
    bool missed;   /* a refresh found the one before it unanswered */
    bool reported; /* mapped is a candidate of its own */
    struct rmi_addr mapped;
    uint8_t txid[RMI_STUN_TXID];
    int64_t next_at, give_up_at, rto;
    unsigned sends;
};

/* One TURN server. */
struct gather_relay {
    struct rmi_turn_server server;
    struct rmi_turn *turn; /* NULL: not asked, failed or lost */
    rmi_base_id host_base, base;
    bool background; /* asked again after a loss: neither RMI_GATHER_DONE nor another error waits for it */
    bool reported;   /* the mapped address is a candidate of its own */
    int64_t retry_at;
};

struct rmi_gather {
    struct rmi_gather_config cfg;
    bool started, closed, done_due;
    bool servers_due; /* servers were added while running */
    uint64_t salt;    /* of foundations, so that they do not tell addresses */
    struct rmi_list hosts, events;
    size_t host_count;
    struct rmi_addr stun[RMI_GATHER_SERVERS_MAX];
    size_t stun_count;
    struct gather_relay relays[RMI_GATHER_SERVERS_MAX];
    size_t relay_count;
    rmi_base_id next_relay;
    int64_t pace_at;
};

/* gather.c */
void rmi_gather_push_candidate(struct rmi_gather *g, rmi_base_id base, const struct rmi_candidate *c);
void rmi_gather_push_back(struct rmi_gather *g);
void rmi_gather_push_gone(struct rmi_gather *g, rmi_base_id base);
void rmi_gather_push_error(struct rmi_gather *g, rm_err err, const struct rmi_addr *server, const char *detail);
struct gather_host *rmi_gather_find_host(const struct rmi_gather *g, rmi_base_id base);
bool rmi_gather_can_reach(const struct gather_host *h, const struct rmi_addr *server);
/* Whether a mapped address adds nothing to what the base has (RFC 8445 5.1.3). */
bool rmi_gather_is_redundant(const struct rmi_gather *g, const struct gather_host *h, const struct rmi_addr *mapped);
void rmi_gather_make_srflx(const struct rmi_gather *g, const struct gather_host *h, const struct rmi_addr *mapped,
                           const struct rmi_addr *server, size_t rank, struct rmi_candidate *out);
void rmi_gather_make_relay(const struct rmi_gather *g, const struct gather_host *h, const struct gather_relay *r,
                           size_t rank, struct rmi_candidate *out);
/* When the next new transaction may start (RFC 8445 14.2 paces them). */
int64_t rmi_gather_pace(struct rmi_gather *g, int64_t now_us);

/* gather_binding.c */
void rmi_gather_binding_add(struct rmi_gather *g, int64_t now_us, struct gather_host *h, size_t server);
void rmi_gather_binding_tick(struct rmi_gather *g, int64_t now_us, struct gather_host *h, struct gather_binding *b);
/* Asks at once, and anew if an answer is being waited for since longer. */
void rmi_gather_binding_refresh(struct rmi_gather *g, int64_t now_us, struct gather_binding *b);
/* A STUN response; *mine tells whether it answers a request of ours, rightly or not. */
void rmi_gather_binding_input(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                              const uint8_t *data, size_t len, bool *mine);

/* gather_relay.c */
void rmi_gather_relay_begin(struct rmi_gather *g, int64_t now_us, size_t index);
void rmi_gather_relay_check(struct rmi_gather *g, int64_t now_us, size_t index);
void rmi_gather_relay_drop(struct rmi_gather *g, struct gather_relay *r);

#endif
