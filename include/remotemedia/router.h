/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_ROUTER_H
#define REMOTEMEDIA_ROUTER_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which peers an output of a session's pipeline goes to, and in which quality. An output is named by the node it comes
 * from. The router only says so; it sends nothing.
 *
 *     rm_session_router *router = NULL;
 *     rm_session_router_create(RM_ROUTING_SELECTIVE, &router);
 *     rm_session_router_add_peer(router, "viewer", NULL);
 *     const char *to[] = {"viewer"};
 *     rm_output_route route;
 *     rm_output_route_init(&route);
 *     route.output_id = "camera", route.target_peers = to, route.target_count = 1;
 *     route.quality = rm_quality_of(RM_TIER_LOW);
 *     rm_session_router_add_route(router, &route, &id);
 *     rm_session_router_deliver(router, &query, send_one, user, results, 16, &stats);     // for each item
 *
 * Threads: one at a time for each router, under a lock of the caller's where there are several; no function blocks, and
 * none but those that add, set or restore allocates. Texts are copied. */
typedef struct rm_session_router rm_session_router;

#define RM_ROUTER_ID_MAX 65       /* of peers and outputs: 1..64 bytes of UTF-8 without control characters, and a NUL */
#define RM_ROUTER_PEERS_MAX 256   /* of a router */
#define RM_ROUTER_ROUTES_MAX 256  /* of a router */
#define RM_ROUTER_TARGETS_MAX 256 /* of a route */
#define RM_ROUTER_PRIORITY_MAX 255
#define RM_ROUTER_PRIORITY_DEFAULT 5 /* as RemoteMedia */
#define RM_ROUTER_JSON_MAX (1 << 20) /* bytes of a snapshot that is read */
#define RM_ROUTER_BITRATE_KBPS_MAX 1000000
#define RM_ROUTER_SIDE_MAX 16384 /* pixels */

typedef enum rm_routing_policy {
    RM_ROUTING_UNICAST = 1,   /* to one peer: the first one there that a route names; else whom the item answers */
    RM_ROUTING_BROADCAST = 2, /* to all; an output with active routes to whom these name */
    RM_ROUTING_SELECTIVE = 3  /* to whom active routes name: without one to nobody */
} rm_routing_policy;

typedef enum rm_quality_tier {
    RM_TIER_NONE = 0,   /* no wish: what the peer's connection carries */
    RM_TIER_HIGH = 1,   /* 4000 kbit/s, 1920x1080 */
    RM_TIER_MEDIUM = 2, /* 1500 kbit/s, 1280x720 */
    RM_TIER_LOW = 3,    /* 500 kbit/s, 854x480 */
    RM_TIER_CUSTOM = 4
} rm_quality_tier;

/* At most this. Zeros with RM_TIER_NONE; else all above 0. */
typedef struct rm_quality {
    rm_quality_tier tier;
    uint32_t bitrate_kbps, width, height;
} rm_quality;

/* The numbers of a tier; of RM_TIER_CUSTOM those of RM_TIER_MEDIUM, to be changed. */
RM_API rm_quality rm_quality_of(rm_quality_tier tier);

typedef struct rm_output_route {
    uint32_t struct_size; /* set by rm_output_route_init */
    const char *output_id;
    const char *const *target_peers; /* ids; they need not be there yet */
    size_t target_count;             /* 0 (default): all peers */
    rm_quality quality;              /* default RM_TIER_NONE; numbers count for RM_TIER_CUSTOM only */
    uint32_t priority; /* 0..RM_ROUTER_PRIORITY_MAX, default 5: of several routes to a peer the highest counts */
    bool active;       /* default true */
} rm_output_route;

RM_API void rm_output_route_init(rm_output_route *route);

/* RM_E_INVALID_ARG: no such policy; RM_E_NO_MEMORY. */
RM_API rm_err rm_session_router_create(rm_routing_policy policy, rm_session_router **out);
RM_API void rm_session_router_destroy(rm_session_router **router); /* nulls; NULL is harmless */
RM_API rm_err rm_session_router_set_policy(rm_session_router *router, rm_routing_policy policy); /* RM_E_INVALID_ARG */
RM_API rm_routing_policy rm_session_router_policy(const rm_session_router *router);

/* `user` is handed back with each target. A peer that a snapshot knows goes on with its counters.
 *  RM_E_EXISTS       it is there
 *  RM_E_LIMIT        RM_ROUTER_PEERS_MAX are there
 *  RM_E_INVALID_ARG  not an id
 *  RM_E_NO_MEMORY */
RM_API rm_err rm_session_router_add_peer(rm_session_router *router, const char *peer_id, void *user);
/* It is away: it gets nothing until it is added again, and goes on with its counters then. RM_E_NOT_FOUND: it is not
 * there. */
RM_API rm_err rm_session_router_leave_peer(rm_session_router *router, const char *peer_id);
/* Its counters go with it; routes that name it stay. RM_E_NOT_FOUND. */
RM_API rm_err rm_session_router_remove_peer(rm_session_router *router, const char *peer_id);

typedef struct rm_router_peer {
    const char *peer_id; /* valid until peers are added or removed */
    void *user;
    bool present; /* false: away, or known from a snapshot and not added yet */
    uint64_t sent, failed;
} rm_router_peer;
/* In the order in which they were added. RM_E_NOT_FOUND: index out of range. */
RM_API rm_err rm_session_router_peer(const rm_session_router *router, size_t index, rm_router_peer *out);

/* Routes have numbers from 1 on, not used again. Several may have the same output.
 *  RM_E_INVALID_ARG  an id or a number is out of its range (rm_output_route)
 *  RM_E_LIMIT        RM_ROUTER_ROUTES_MAX, RM_ROUTER_TARGETS_MAX
 *  RM_E_NO_MEMORY    nothing has changed, as with all errors */
RM_API rm_err rm_session_router_add_route(rm_session_router *router, const rm_output_route *route, uint32_t *route_id);
/* Replaces it, for the next item. Those, and RM_E_NOT_FOUND. */
RM_API rm_err rm_session_router_set_route(rm_session_router *router, uint32_t route_id, const rm_output_route *route);
RM_API rm_err rm_session_router_activate_route(rm_session_router *router, uint32_t route_id, bool active);
RM_API rm_err rm_session_router_remove_route(rm_session_router *router, uint32_t route_id); /* RM_E_NOT_FOUND */
/* The routes in order of their numbers; what `out` points to is valid until it is changed. `routed` (may be NULL):
 * items that went by it, once for each peer. RM_E_NOT_FOUND: index out of range. */
RM_API rm_err rm_session_router_route(const rm_session_router *router, size_t index, uint32_t *route_id,
                                      rm_output_route *out, uint64_t *routed);

typedef struct rm_route_query {
    const char *output_id; /* the node it comes from */
    const char *origin;    /* the peer whose data it answers; NULL: none */
    const char *exclude;   /* a peer that does not get it; NULL: none */
} rm_route_query;

typedef struct rm_route_target {
    const char *peer_id; /* valid until peers are added or removed */
    void *user;
    rm_quality quality;
    uint32_t priority;
    uint32_t route_id; /* 0: by the policy alone */
} rm_route_target;

/* Whom one item goes to, in the order in which peers were added. *count is how many there are, of which the first
 * `capacity` are written. Counts nothing. RM_E_INVALID_ARG. */
RM_API rm_err rm_session_router_targets(const rm_session_router *router, const rm_route_query *query,
                                        rm_route_target *targets, size_t capacity, size_t *count);

/* Whether any peer would get what comes from that output, at all or in a tier (RM_TIER_NONE: in any): what nobody gets
 * need not be encoded. */
RM_API bool rm_session_router_wanted(const rm_session_router *router, const char *output_id, rm_quality_tier tier);

typedef struct rm_route_result {
    rm_route_target target;
    rm_err err; /* what sending to it gave */
} rm_route_result;

typedef struct rm_broadcast_stats {
    size_t total_peers, sent_count, failed_count;
} rm_broadcast_stats;

/* Sends to one peer; must not call the router. */
typedef rm_err (*rm_route_send_fn)(const rm_route_target *target, void *user);

/* One item to all its targets: a failure of one is counted, told, and keeps it from nobody else. The first `capacity`
 * results are written (`results` may be NULL with 0). RM_OK also when all fail: see `stats`. RM_E_INVALID_ARG. */
RM_API rm_err rm_session_router_deliver(rm_session_router *router, const rm_route_query *query, rm_route_send_fn send,
                                        void *user, rm_route_result *results, size_t capacity,
                                        rm_broadcast_stats *stats);

/* For those who send by the targets of rm_session_router_targets, perhaps later: counts what sending to one of them
 * gave. Its peer and its route may be gone. RM_E_INVALID_ARG. */
RM_API rm_err rm_session_router_count(rm_session_router *router, const rm_route_target *target, rm_err result);

/* Policy, peers, routes and counters as JSON, NUL-terminated; free with rm_json_free (<remotemedia/data_json.h>).
 * RM_E_NO_MEMORY. */
RM_API rm_err rm_session_router_save(const rm_session_router *router, char **out, size_t *size);
/* A router as it was saved; its peers are known, but not there until they are added. `detail` (may be NULL) gets a
 * sentence on failure.
 *  RM_E_PARSE    no JSON, or a member is missing or out of its range
 *  RM_E_TOO_BIG  longer than RM_ROUTER_JSON_MAX, or more peers, routes or targets than there may be
 *  RM_E_NO_MEMORY, RM_E_INVALID_ARG */
RM_API rm_err rm_session_router_restore(const char *text, size_t size, rm_session_router **out, char *detail,
                                        size_t detail_size);

#ifdef __cplusplus
}
#endif

#endif
