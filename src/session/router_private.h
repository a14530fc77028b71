/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_ROUTER_PRIVATE_H
#define RMI_SESSION_ROUTER_PRIVATE_H

#include <remotemedia/router.h>

typedef char rmi_router_id[RM_ROUTER_ID_MAX];

struct rmi_router_peer {
    rmi_router_id id;
    void *user;
    bool present;
    uint64_t sent, failed;
};

struct rmi_router_route {
    uint32_t id;
    rmi_router_id output_id;
    rmi_router_id *targets; /* NULL: all */
    const char **names;     /* the same, for who asks */
    size_t target_count;
    rm_quality quality;
    uint32_t priority;
    bool active;
    uint64_t routed;
};

struct rm_session_router {
    rm_routing_policy policy;
    struct rmi_router_peer *peers;
    size_t peer_count;
    struct rmi_router_route *routes;
    size_t route_count;
    uint32_t last_route_id;
};

/* An entry of a peer, present or not. Errors of rm_session_router_add_peer. */
rm_err rmi_router_new_peer(rm_session_router *r, const char *id, struct rmi_router_peer **out);

#endif
