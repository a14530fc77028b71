/* SPDX-License-Identifier: Apache-2.0 */
/* A router as JSON, with RemoteMedia's names:
 * {"version":1,"policy":"selective","peers":[{"peer_id":"a","sent":7,"failed":0}],"routes":[{"output_id":"camera",
 * "target_peers":["a"],"quality_tier":"High","priority":5,"active":true,"routed":7}]}
 * quality_tier: null, "High", "Medium", "Low", or {"Custom":{"bitrate_kbps":..,"width":..,"height":..}}. */
#include "session/router_private.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

static const char *const policies[] = {
    [RM_ROUTING_UNICAST] = "unicast", [RM_ROUTING_BROADCAST] = "broadcast", [RM_ROUTING_SELECTIVE] = "selective"};
static const char *const tiers[] = {[RM_TIER_HIGH] = "High", [RM_TIER_MEDIUM] = "Medium", [RM_TIER_LOW] = "Low"};

#define POLICIES (sizeof policies / sizeof policies[0])
#define TIERS (sizeof tiers / sizeof tiers[0])

/* ---- writing ---- */

static json_t *number(uint64_t value) {
    return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static json_t *write_quality(const rm_quality *q) {
    if (q->tier == RM_TIER_NONE)
        return json_null();
    if (q->tier != RM_TIER_CUSTOM)
        return json_string(tiers[q->tier]);
    return json_pack("{s:{s:I,s:I,s:I}}", "Custom", "bitrate_kbps", (json_int_t)q->bitrate_kbps, "width",
                     (json_int_t)q->width, "height", (json_int_t)q->height);
}

static json_t *write_route(const struct rmi_router_route *route) {
    json_t *targets = json_array();
    for (size_t i = 0; i < route->target_count; i++)
        json_array_append_new(targets, json_string(route->targets[i]));
    if (json_array_size(targets) != route->target_count) {
        json_decref(targets);
        return NULL;
    }
    return json_pack("{s:s,s:o,s:o,s:I,s:b,s:o}", "output_id", route->output_id, "target_peers", targets,
                     "quality_tier", write_quality(&route->quality), "priority", (json_int_t)route->priority, "active",
                     route->active, "routed", number(route->routed));
}

rm_err rm_session_router_save(const rm_session_router *router, char **out, size_t *size) {
    if (!router || !out)
        return RM_E_INVALID_ARG;
    json_t *peers = json_array(), *routes = json_array();
    for (size_t i = 0; i < router->peer_count; i++) {
        const struct rmi_router_peer *p = &router->peers[i];
        json_array_append_new(
            peers, json_pack("{s:s,s:o,s:o}", "peer_id", p->id, "sent", number(p->sent), "failed", number(p->failed)));
    }
    for (size_t i = 0; i < router->route_count; i++)
        json_array_append_new(routes, write_route(&router->routes[i]));
    const bool all = json_array_size(peers) == router->peer_count && json_array_size(routes) == router->route_count;
    json_t *root = json_pack("{s:i,s:s,s:o,s:o}", "version", VERSION, "policy", policies[router->policy], "peers",
                             peers, "routes", routes);
    char *text = root && all ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text)
        return RM_E_NO_MEMORY;
    *out = text;
    if (size)
        *size = strlen(text);
    return RM_OK;
}

/* ---- reading ---- */

struct reader {
    rm_session_router *router;
    char *detail;
    size_t detail_size;
};

/* `place` and `index` name what is wrong. */
static rm_err fail(const struct reader *r, rm_err err, const char *place, size_t index, const char *what) {
    if (r->detail && r->detail_size > 0)
        snprintf(r->detail, r->detail_size, "%s[%zu]: %s", place, index, what);
    return err;
}

static rm_err fail_top(const struct reader *r, rm_err err, const char *what) {
    if (r->detail && r->detail_size > 0)
        snprintf(r->detail, r->detail_size, "%s", what);
    return err;
}

static bool read_number(const json_t *object, const char *name, uint64_t most, uint64_t *out) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static rm_err read_peer(const struct reader *r, const json_t *value, size_t index) {
    struct rmi_router_peer *p = NULL;
    uint64_t sent, failed;
    if (!read_number(value, "sent", INT64_MAX, &sent) || !read_number(value, "failed", INT64_MAX, &failed))
        return fail(r, RM_E_PARSE, "peers", index, "sent and failed must be whole numbers from 0");
    rm_err err = rmi_router_new_peer(r->router, json_string_value(json_object_get(value, "peer_id")), &p);
    if (err == RM_E_INVALID_ARG)
        return fail(r, RM_E_PARSE, "peers", index, "peer_id must have 1 to 64 bytes, without control characters");
    if (err == RM_E_EXISTS)
        return fail(r, RM_E_PARSE, "peers", index, "this peer_id has been there");
    if (err == RM_E_LIMIT)
        return fail(r, RM_E_TOO_BIG, "peers", index, "too many");
    if (err)
        return err;
    p->sent = sent;
    p->failed = failed;
    return RM_OK;
}

static bool read_quality(const json_t *value, rm_quality *out) {
    const json_t *custom = json_object_get(value, "Custom");
    uint64_t kbps, width, height;
    *out = rm_quality_of(RM_TIER_NONE);
    if (!value || json_is_null(value))
        return true;
    for (size_t i = 0; json_is_string(value) && i < TIERS; i++)
        if (tiers[i] && !strcmp(tiers[i], json_string_value(value))) {
            *out = rm_quality_of((rm_quality_tier)i);
            return true;
        }
    if (!read_number(custom, "bitrate_kbps", RM_ROUTER_BITRATE_KBPS_MAX, &kbps) ||
        !read_number(custom, "width", RM_ROUTER_SIDE_MAX, &width) ||
        !read_number(custom, "height", RM_ROUTER_SIDE_MAX, &height))
        return false;
    *out = (rm_quality){RM_TIER_CUSTOM, (uint32_t)kbps, (uint32_t)width, (uint32_t)height};
    return true;
}

/* With the targets' texts borrowed from `value`. */
static rm_err add_route(const struct reader *r, const json_t *value, size_t index, rm_output_route *route) {
    const json_t *list = json_object_get(value, "target_peers");
    const size_t n = json_array_size(list);
    const char **targets = calloc(n + 1, sizeof *targets);
    if (!targets)
        return RM_E_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        targets[i] = json_string_value(json_array_get(list, i));
    route->target_peers = targets;
    route->target_count = n;
    rm_err err = rm_session_router_add_route(r->router, route, NULL);
    free(targets);
    if (err == RM_E_LIMIT)
        return fail(r, RM_E_TOO_BIG, "routes", index, "too many routes or targets");
    return err == RM_E_INVALID_ARG ? fail(r, RM_E_PARSE, "routes", index, "an id or a number is out of its range")
                                   : err;
}

static rm_err read_route(const struct reader *r, const json_t *value, size_t index) {
    rm_output_route route;
    uint64_t priority, routed;
    const json_t *active = json_object_get(value, "active");
    rm_output_route_init(&route);
    route.output_id = json_string_value(json_object_get(value, "output_id"));
    if (!json_is_array(json_object_get(value, "target_peers")))
        return fail(r, RM_E_PARSE, "routes", index, "target_peers must be a list, empty for all");
    if (!read_quality(json_object_get(value, "quality_tier"), &route.quality))
        return fail(r, RM_E_PARSE, "routes", index, "quality_tier must be null, High, Medium, Low or a Custom object");
    if (!json_is_boolean(active) || !read_number(value, "priority", RM_ROUTER_PRIORITY_MAX, &priority) ||
        !read_number(value, "routed", INT64_MAX, &routed))
        return fail(r, RM_E_PARSE, "routes", index, "active, priority (0 to 255) or routed is missing or wrong");
    route.active = json_is_true(active);
    route.priority = (uint32_t)priority;
    rm_err err = add_route(r, value, index, &route);
    if (!err)
        r->router->routes[r->router->route_count - 1].routed = routed;
    return err;
}

static rm_err read_all(struct reader *r, const json_t *root) {
    const json_t *peers = json_object_get(root, "peers"), *routes = json_object_get(root, "routes");
    const char *policy = json_string_value(json_object_get(root, "policy"));
    size_t which = 0;
    rm_err err = RM_OK;
    if (json_integer_value(json_object_get(root, "version")) != VERSION)
        return fail_top(r, RM_E_PARSE, "version must be 1");
    for (size_t i = 0; policy && i < POLICIES; i++)
        if (policies[i] && !strcmp(policies[i], policy))
            which = i;
    if (which == 0)
        return fail_top(r, RM_E_PARSE, "policy must be unicast, broadcast or selective");
    if (!json_is_array(peers) || !json_is_array(routes))
        return fail_top(r, RM_E_PARSE, "peers and routes must be lists");
    err = rm_session_router_create((rm_routing_policy)which, &r->router);
    for (size_t i = 0; !err && i < json_array_size(peers); i++)
        err = read_peer(r, json_array_get(peers, i), i);
    for (size_t i = 0; !err && i < json_array_size(routes); i++)
        err = read_route(r, json_array_get(routes, i), i);
    return err;
}

rm_err rm_session_router_restore(const char *text, size_t size, rm_session_router **out, char *detail,
                                 size_t detail_size) {
    struct reader r = {.detail = detail, .detail_size = detail_size};
    json_error_t fault;
    if (!text || !out)
        return RM_E_INVALID_ARG;
    if (size > RM_ROUTER_JSON_MAX)
        return fail_top(&r, RM_E_TOO_BIG, "the snapshot is longer than 1 MiB");
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return fail_top(&r, RM_E_PARSE, fault.text);
    rm_err err = read_all(&r, root);
    json_decref(root);
    if (err)
        rm_session_router_destroy(&r.router);
    else
        *out = r.router;
    return err;
}
