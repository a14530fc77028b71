/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/utf8.h"
#include "session/router_private.h"
#include <stdlib.h>
#include <string.h>

#define CONTROL_END 0x20 /* below, and 0x7f, are control characters */
#define CONTROL_DEL 0x7f

/* Numbers of RemoteMedia's tiers. */
static const rm_quality qualities[] = {
    [RM_TIER_NONE] = {RM_TIER_NONE, 0, 0, 0},
    [RM_TIER_HIGH] = {RM_TIER_HIGH, 4000, 1920, 1080},
    [RM_TIER_MEDIUM] = {RM_TIER_MEDIUM, 1500, 1280, 720},
    [RM_TIER_LOW] = {RM_TIER_LOW, 500, 854, 480},
    [RM_TIER_CUSTOM] = {RM_TIER_CUSTOM, 1500, 1280, 720},
};

static bool id_good(const char *id) {
    const size_t n = id ? strnlen(id, RM_ROUTER_ID_MAX) : 0;
    if (n == 0 || n == RM_ROUTER_ID_MAX || !rmi_utf8_valid(id, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)id[i] < CONTROL_END || id[i] == CONTROL_DEL)
            return false;
    return true;
}

static bool policy_good(rm_routing_policy policy) {
    return policy == RM_ROUTING_UNICAST || policy == RM_ROUTING_BROADCAST || policy == RM_ROUTING_SELECTIVE;
}

static bool tier_good(rm_quality_tier tier) {
    return (int)tier >= RM_TIER_NONE && (int)tier <= RM_TIER_CUSTOM;
}

rm_quality rm_quality_of(rm_quality_tier tier) {
    return qualities[tier_good(tier) ? tier : RM_TIER_NONE];
}

static bool quality_good(const rm_quality *q) {
    if (q->tier != RM_TIER_CUSTOM)
        return tier_good(q->tier);
    return q->bitrate_kbps > 0 && q->bitrate_kbps <= RM_ROUTER_BITRATE_KBPS_MAX && q->width > 0 &&
           q->width <= RM_ROUTER_SIDE_MAX && q->height > 0 && q->height <= RM_ROUTER_SIDE_MAX;
}

void rm_output_route_init(rm_output_route *route) {
    *route = (rm_output_route){.struct_size = sizeof *route, .priority = RM_ROUTER_PRIORITY_DEFAULT, .active = true};
}

rm_err rm_session_router_create(rm_routing_policy policy, rm_session_router **out) {
    if (!policy_good(policy) || !out)
        return RM_E_INVALID_ARG;
    rm_session_router *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    r->policy = policy;
    *out = r;
    return RM_OK;
}

static void free_route(struct rmi_router_route *route) {
    free(route->targets);
    free(route->names);
}

void rm_session_router_destroy(rm_session_router **router) {
    if (!router || !*router)
        return;
    rm_session_router *r = *router;
    for (size_t i = 0; i < r->route_count; i++)
        free_route(&r->routes[i]);
    free(r->routes);
    free(r->peers);
    free(r);
    *router = NULL;
}

rm_err rm_session_router_set_policy(rm_session_router *router, rm_routing_policy policy) {
    if (!router || !policy_good(policy))
        return RM_E_INVALID_ARG;
    router->policy = policy;
    return RM_OK;
}

rm_routing_policy rm_session_router_policy(const rm_session_router *router) {
    return router->policy;
}

/* ---- peers ---- */

static struct rmi_router_peer *find_peer(const rm_session_router *r, const char *id) {
    for (size_t i = 0; i < r->peer_count; i++)
        if (!strcmp(r->peers[i].id, id))
            return &r->peers[i];
    return NULL;
}

rm_err rmi_router_new_peer(rm_session_router *r, const char *id, struct rmi_router_peer **out) {
    if (!id_good(id))
        return RM_E_INVALID_ARG;
    if (find_peer(r, id))
        return RM_E_EXISTS;
    if (r->peer_count == RM_ROUTER_PEERS_MAX)
        return RM_E_LIMIT;
    struct rmi_router_peer *peers = realloc(r->peers, (r->peer_count + 1) * sizeof *peers);
    if (!peers)
        return RM_E_NO_MEMORY;
    r->peers = peers;
    *out = &peers[r->peer_count++];
    **out = (struct rmi_router_peer){.present = false};
    memcpy((*out)->id, id, strlen(id) + 1);
    return RM_OK;
}

rm_err rm_session_router_add_peer(rm_session_router *router, const char *peer_id, void *user) {
    if (!router || !id_good(peer_id))
        return RM_E_INVALID_ARG;
    struct rmi_router_peer *p = find_peer(router, peer_id);
    if (p && p->present)
        return RM_E_EXISTS;
    rm_err err = p ? RM_OK : rmi_router_new_peer(router, peer_id, &p);
    if (err)
        return err;
    p->present = true;
    p->user = user;
    return RM_OK;
}

rm_err rm_session_router_leave_peer(rm_session_router *router, const char *peer_id) {
    struct rmi_router_peer *p = router && peer_id ? find_peer(router, peer_id) : NULL;
    if (!p || !p->present)
        return RM_E_NOT_FOUND;
    p->present = false;
    p->user = NULL;
    return RM_OK;
}

rm_err rm_session_router_remove_peer(rm_session_router *router, const char *peer_id) {
    struct rmi_router_peer *p = router && peer_id ? find_peer(router, peer_id) : NULL;
    if (!p)
        return RM_E_NOT_FOUND;
    const size_t at = (size_t)(p - router->peers);
    router->peer_count--;
    memmove(p, p + 1, (router->peer_count - at) * sizeof *p);
    return RM_OK;
}

rm_err rm_session_router_peer(const rm_session_router *router, size_t index, rm_router_peer *out) {
    if (!router || index >= router->peer_count)
        return RM_E_NOT_FOUND;
    const struct rmi_router_peer *p = &router->peers[index];
    *out = (rm_router_peer){
        .peer_id = p->id, .user = p->user, .present = p->present, .sent = p->sent, .failed = p->failed};
    return RM_OK;
}

/* ---- routes ---- */

static struct rmi_router_route *find_route(rm_session_router *r, uint32_t id) {
    for (size_t i = 0; r && i < r->route_count; i++)
        if (r->routes[i].id == id)
            return &r->routes[i];
    return NULL;
}

/* A copy with everything checked; id and counter are the caller's. */
static rm_err copy_route(const rm_output_route *from, struct rmi_router_route *to) {
    if (!from || from->struct_size < sizeof *from || !id_good(from->output_id) || !quality_good(&from->quality) ||
        from->priority > RM_ROUTER_PRIORITY_MAX || (from->target_count > 0 && !from->target_peers))
        return RM_E_INVALID_ARG;
    if (from->target_count > RM_ROUTER_TARGETS_MAX)
        return RM_E_LIMIT;
    for (size_t i = 0; i < from->target_count; i++)
        if (!id_good(from->target_peers[i]))
            return RM_E_INVALID_ARG;
    *to = (struct rmi_router_route){
        .target_count = from->target_count, .priority = from->priority, .active = from->active};
    to->quality = from->quality.tier == RM_TIER_CUSTOM ? from->quality : rm_quality_of(from->quality.tier);
    memcpy(to->output_id, from->output_id, strlen(from->output_id) + 1);
    if (from->target_count == 0)
        return RM_OK;
    to->targets = calloc(from->target_count, sizeof *to->targets);
    to->names = calloc(from->target_count, sizeof *to->names);
    if (!to->targets || !to->names) {
        free_route(to);
        return RM_E_NO_MEMORY;
    }
    for (size_t i = 0; i < from->target_count; i++) {
        memcpy(to->targets[i], from->target_peers[i], strlen(from->target_peers[i]) + 1);
        to->names[i] = to->targets[i];
    }
    return RM_OK;
}

rm_err rm_session_router_add_route(rm_session_router *router, const rm_output_route *route, uint32_t *route_id) {
    struct rmi_router_route made;
    rm_err err = router ? copy_route(route, &made) : RM_E_INVALID_ARG;
    if (err)
        return err;
    struct rmi_router_route *routes = NULL;
    if (router->route_count == RM_ROUTER_ROUTES_MAX || router->last_route_id == UINT32_MAX)
        err = RM_E_LIMIT;
    else if (!(routes = realloc(router->routes, (router->route_count + 1) * sizeof *routes)))
        err = RM_E_NO_MEMORY;
    if (err) {
        free_route(&made);
        return err;
    }
    made.id = ++router->last_route_id;
    router->routes = routes;
    routes[router->route_count++] = made;
    if (route_id)
        *route_id = made.id;
    return RM_OK;
}

rm_err rm_session_router_set_route(rm_session_router *router, uint32_t route_id, const rm_output_route *route) {
    struct rmi_router_route *old = find_route(router, route_id), made;
    rm_err err = old ? copy_route(route, &made) : RM_E_NOT_FOUND;
    if (err)
        return err;
    made.id = old->id;
    made.routed = old->routed;
    free_route(old);
    *old = made;
    return RM_OK;
}

rm_err rm_session_router_activate_route(rm_session_router *router, uint32_t route_id, bool active) {
    struct rmi_router_route *route = find_route(router, route_id);
    if (!route)
        return RM_E_NOT_FOUND;
    route->active = active;
    return RM_OK;
}

rm_err rm_session_router_remove_route(rm_session_router *router, uint32_t route_id) {
    struct rmi_router_route *route = find_route(router, route_id);
    if (!route)
        return RM_E_NOT_FOUND;
    const size_t at = (size_t)(route - router->routes);
    free_route(route);
    router->route_count--;
    memmove(route, route + 1, (router->route_count - at) * sizeof *route);
    return RM_OK;
}

rm_err rm_session_router_route(const rm_session_router *router, size_t index, uint32_t *route_id, rm_output_route *out,
                               uint64_t *routed) {
    if (!router || index >= router->route_count)
        return RM_E_NOT_FOUND;
    const struct rmi_router_route *route = &router->routes[index];
    rm_output_route_init(out);
    out->output_id = route->output_id;
    out->target_peers = route->names;
    out->target_count = route->target_count;
    out->quality = route->quality;
    out->priority = route->priority;
    out->active = route->active;
    *route_id = route->id;
    if (routed)
        *routed = route->routed;
    return RM_OK;
}

/* ---- one item ---- */

static bool same(const char *a, const char *b) {
    return a && b && !strcmp(a, b);
}

/* The place of a peer among the targets, or target_count. A route to all has it at its beginning. */
static size_t place_of(const struct rmi_router_route *route, const char *peer_id) {
    for (size_t i = 0; i < route->target_count; i++)
        if (!strcmp(route->targets[i], peer_id))
            return i;
    return route->target_count;
}

static bool names(const struct rmi_router_route *route, const char *peer_id) {
    return route->target_count == 0 || place_of(route, peer_id) < route->target_count;
}

/* The active route with the highest priority, the first of equals, that names the peer. `*any`: whether the output has
 * an active route at all. */
static const struct rmi_router_route *route_to(const rm_session_router *r, const char *output_id, const char *peer_id,
                                               bool *any) {
    const struct rmi_router_route *best = NULL;
    *any = false;
    for (size_t i = 0; i < r->route_count; i++) {
        const struct rmi_router_route *route = &r->routes[i];
        if (!route->active || strcmp(route->output_id, output_id) != 0)
            continue;
        *any = true;
        if ((!best || route->priority > best->priority) && names(route, peer_id))
            best = route;
    }
    return best;
}

static rm_route_target target_of(const struct rmi_router_peer *p, const struct rmi_router_route *route) {
    rm_route_target t = {.peer_id = p->id, .user = p->user, .priority = RM_ROUTER_PRIORITY_DEFAULT};
    if (route) {
        t.quality = route->quality;
        t.priority = route->priority;
        t.route_id = route->id;
    }
    return t;
}

/* Whether an item goes to a peer by a policy for many. */
static bool reaches(const rm_session_router *r, const rm_route_query *q, const struct rmi_router_peer *p,
                    rm_route_target *out) {
    bool any;
    if (!p->present || same(p->id, q->exclude))
        return false;
    const struct rmi_router_route *route = route_to(r, q->output_id, p->id, &any);
    if (!route && (any || r->policy == RM_ROUTING_SELECTIVE))
        return false;
    *out = target_of(p, route);
    return true;
}

/* The one peer of the policy for one: the first that is there of those whom the routes name, the highest priority
 * first; a route to all means the one whom the item answers. */
static bool only(const rm_session_router *r, const rm_route_query *q, rm_route_target *out) {
    const struct rmi_router_peer *best_peer = NULL;
    const struct rmi_router_route *best = NULL;
    size_t best_place = 0;
    bool any = false;
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct rmi_router_peer *p = &r->peers[i];
        bool has_routes;
        const struct rmi_router_route *route = route_to(r, q->output_id, p->id, &has_routes);
        any |= has_routes;
        if (!route || !p->present || same(p->id, q->exclude) || (route->target_count == 0 && !same(p->id, q->origin)))
            continue;
        const size_t place = place_of(route, p->id);
        if (!best || route->priority > best->priority || (route == best && place < best_place)) {
            best = route;
            best_peer = p;
            best_place = place;
        }
    }
    const struct rmi_router_peer *origin = q->origin ? find_peer(r, q->origin) : NULL;
    if (!best && !any && origin && origin->present && !same(q->origin, q->exclude))
        best_peer = origin;
    if (best_peer)
        *out = target_of(best_peer, best);
    return best_peer != NULL;
}

/* The next target from peer `*at` on. */
static bool next_target(const rm_session_router *r, const rm_route_query *q, size_t *at, rm_route_target *out) {
    if (r->policy == RM_ROUTING_UNICAST)
        return (*at)++ == 0 && only(r, q, out);
    while (*at < r->peer_count)
        if (reaches(r, q, &r->peers[(*at)++], out))
            return true;
    return false;
}

rm_err rm_session_router_targets(const rm_session_router *router, const rm_route_query *query, rm_route_target *targets,
                                 size_t capacity, size_t *count) {
    if (!router || !query || !query->output_id || !count || (capacity > 0 && !targets))
        return RM_E_INVALID_ARG;
    rm_route_target t;
    *count = 0;
    for (size_t at = 0; next_target(router, query, &at, &t); (*count)++)
        if (*count < capacity)
            targets[*count] = t;
    return RM_OK;
}

bool rm_session_router_wanted(const rm_session_router *router, const char *output_id, rm_quality_tier tier) {
    rm_route_query query = {.output_id = output_id};
    rm_route_target t;
    if (!router || !output_id)
        return false;
    /* By the policy for one, whom an item answers is not known yet: any peer may be. */
    const bool one = router->policy == RM_ROUTING_UNICAST;
    for (size_t i = 0; i < (one ? router->peer_count : 1); i++) {
        query.origin = one ? router->peers[i].id : NULL;
        for (size_t at = 0; next_target(router, &query, &at, &t);)
            if (tier == RM_TIER_NONE || t.quality.tier == tier)
                return true;
    }
    return false;
}

rm_err rm_session_router_count(rm_session_router *router, const rm_route_target *target, rm_err result) {
    if (!router || !target || !target->peer_id)
        return RM_E_INVALID_ARG;
    struct rmi_router_peer *p = find_peer(router, target->peer_id);
    struct rmi_router_route *route = find_route(router, target->route_id);
    if (p)
        *(result ? &p->failed : &p->sent) += 1;
    if (route)
        route->routed++;
    return RM_OK;
}

rm_err rm_session_router_deliver(rm_session_router *router, const rm_route_query *query, rm_route_send_fn send,
                                 void *user, rm_route_result *results, size_t capacity, rm_broadcast_stats *stats) {
    if (!router || !query || !query->output_id || !send || (capacity > 0 && !results))
        return RM_E_INVALID_ARG;
    rm_broadcast_stats s = {0};
    rm_route_target t;
    for (size_t at = 0; next_target(router, query, &at, &t); s.total_peers++) {
        const rm_err err = send(&t, user);
        rm_session_router_count(router, &t, err);
        s.sent_count += err == RM_OK;
        s.failed_count += err != RM_OK;
        if (s.total_peers < capacity)
            results[s.total_peers] = (rm_route_result){.target = t, .err = err};
    }
    if (stats)
        *stats = s;
    return RM_OK;
}
