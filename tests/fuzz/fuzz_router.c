/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/data_json.h>
#include <remotemedia/router.h>
#include <stdlib.h>
#include <string.h>

/* Snapshots of routers. What is taken is saved, read again, and is the same. */

#define TARGETS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
    if (!holds)
        abort();
}

static void ask(rm_session_router *router) {
    rm_router_peer p;
    rm_route_target targets[TARGETS_MAX];
    rm_output_route route;
    uint32_t id;
    size_t count;
    for (size_t i = 0; !rm_session_router_peer(router, i, &p); i++)
        must(!rm_session_router_add_peer(router, p.peer_id, NULL));
    for (size_t i = 0; !rm_session_router_route(router, i, &id, &route, NULL); i++) {
        rm_route_query q = {.output_id = route.output_id, .origin = route.target_count ? route.target_peers[0] : NULL};
        must(!rm_session_router_targets(router, &q, targets, TARGETS_MAX, &count));
        must(count <= RM_ROUTER_PEERS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rm_session_router *router = NULL, *again = NULL;
    char detail[128], *text = NULL, *same = NULL;
    size_t n = 0;
    if (rm_session_router_restore((const char *)data, size, &router, detail, sizeof detail)) {
        must(router == NULL && memchr(detail, 0, sizeof detail) != NULL);
        return 0;
    }
    ask(router);
    must(!rm_session_router_save(router, &text, &n));
    if (n <= RM_ROUTER_JSON_MAX) { /* texts may be longer escaped */
        must(!rm_session_router_restore(text, n, &again, detail, sizeof detail));
        must(!rm_session_router_save(again, &same, NULL) && !strcmp(text, same));
    }
    rm_json_free(&text);
    rm_json_free(&same);
    rm_session_router_destroy(&router);
    rm_session_router_destroy(&again);
    return 0;
}
