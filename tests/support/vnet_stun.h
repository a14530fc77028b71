/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_VNET_STUN_H
#define RMT_VNET_STUN_H

#include "support/vnet.h"

/* A STUN and TURN/UDP server (RFC 8489, RFC 8656) on a simulated host, with the faults that clients meet. */
struct rmt_stun_server;

struct rmt_stun_config {
    const char *ip;                          /* an address of the host */
    uint16_t port;                           /* 0 = 3478 */
    bool turn;                               /* else Binding only */
    const char *realm, *username, *password; /* NULL: "lab", "user", "pass" */
    uint32_t lifetime_s;                     /* longest allocation; 0 = 600 (RFC 8656 3.2) */
    size_t quota;                            /* allocations at a time; 0 = 1000 */
};

/* Faults, to be changed at any time through rmt_stun_server_faults(). */
struct rmt_stun_faults {
    bool silent;             /* takes everything, answers nothing, relays nothing */
    bool refuse_credentials; /* 401 to every authenticated request */
    bool stale_always;       /* 438 with a fresh nonce, to every request */
    uint32_t stale_after;    /* a nonce serves this many requests; 0 = for ever */
    bool quota_full;         /* 486 to every Allocate */
    bool refuse_permissions; /* 403 to CreatePermission and ChannelBind */
    int64_t die_at_us;       /* from this time on dead: all allocations gone, silent; 0 = never */
    uint16_t
        alternate_port; /* 300 with ALTERNATE-SERVER at this port of the same address, to every Allocate; 0 = off */
    bool allow_unauthenticated_data; /* forwards from peers without a permission: a broken server */
};
struct rmt_stun_stats {
    uint64_t bindings, allocates, refreshes, permissions, channel_binds; /* requests served with success */
    uint64_t errors, malformed, sends, datas, channel_in, channel_out, no_permission;
};

struct rmt_stun_server *rmt_stun_server_create(struct rmt_host *host, const struct rmt_stun_config *config);
void rmt_stun_server_destroy(struct rmt_stun_server **s); /* before the network */
struct rmi_addr rmt_stun_server_addr(const struct rmt_stun_server *s);
struct rmt_stun_faults *rmt_stun_server_faults(struct rmt_stun_server *s);
struct rmt_stun_stats rmt_stun_server_stats(const struct rmt_stun_server *s);
size_t rmt_stun_server_allocations(const struct rmt_stun_server *s);
/* Forget all allocations, as a restarted server does; clients see 437 on their next refresh. */
void rmt_stun_server_restart(struct rmt_stun_server *s);

#endif
