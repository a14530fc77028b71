/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/gather_private.h"

#define RELAY_RETRY RMI_SEC(30) /* after an allocation was lost: a restarted server is back by then, mostly */

/* The base of highest preference that can reach the server carries the allocation: one is enough for all peers. */
static const struct gather_host *host_for(const struct rmi_gather *g, const struct rmi_addr *server) {
    const struct gather_host *best = NULL;
    RMI_LIST_FOREACH (node, tmp, &g->hosts) {
        const struct gather_host *h = RMI_CONTAINER_OF(node, struct gather_host, node);
        if (rmi_gather_can_reach(h, server) && (!best || h->local_pref > best->local_pref))
            best = h;
    }
    return best;
}

void rmi_gather_relay_begin(struct rmi_gather *g, int64_t now_us, size_t index) {
    struct gather_relay *r = &g->relays[index];
    const struct gather_host *h = host_for(g, &r->server.addr);
    r->retry_at = RMI_NEVER;
    if (r->turn || !h)
        return;
    struct rmi_turn_config config = {.rng = g->cfg.rng,
                                     .log = g->cfg.log,
                                     .sink = g->cfg.sink,
                                     .host_base = h->base,
                                     .server = r->server,
                                     .timeout_us = g->cfg.timeout_us,
                                     .keepalive_us = g->cfg.keepalive_us};
    rm_err err = rmi_turn_create(&config, &r->turn);
    if (err) {
        rmi_gather_push_error(g, err, &r->server.addr, "allocate");
        return;
    }
    r->host_base = h->base;
    rmi_turn_start(r->turn, now_us, rmi_gather_pace(g, now_us), now_us + g->cfg.timeout_us);
}

void rmi_gather_relay_drop(struct rmi_gather *g, struct gather_relay *r) {
    rmi_turn_destroy(&r->turn);
    if (r->base)
        rmi_gather_push_gone(g, r->base);
    r->base = 0;
    r->reported = false;
    r->retry_at = RMI_NEVER;
}

static void allocated(struct rmi_gather *g, const struct gather_host *h, struct gather_relay *r, size_t index) {
    struct rmi_candidate c;
    const struct rmi_addr *mapped = rmi_turn_mapped(r->turn);
    r->background = false;
    r->base = g->next_relay++;
    if (!g->cfg.relay_only && mapped->family && !rmi_gather_is_redundant(g, h, mapped)) {
        r->reported = true;
        rmi_gather_make_srflx(g, h, mapped, &r->server.addr, RMI_GATHER_SERVERS_MAX + index, &c);
        rmi_gather_push_candidate(g, h->base, &c);
    }
    rmi_gather_make_relay(g, h, r, index, &c);
    rmi_gather_push_candidate(g, r->base, &c);
}

void rmi_gather_relay_check(struct rmi_gather *g, int64_t now_us, size_t index) {
    struct gather_relay *r = &g->relays[index];
    if (!r->turn)
        return;
    enum rmi_turn_state state = rmi_turn_state_of(r->turn);
    const struct gather_host *h = rmi_gather_find_host(g, r->host_base);
    if (state == RMI_TURN_READY && r->base == 0 && h) {
        allocated(g, h, r, index);
    } else if (state == RMI_TURN_FAILED) {
        bool lost = r->base != 0;
        if (!r->background)
            rmi_gather_push_error(g, rmi_turn_error(r->turn), &r->server.addr, rmi_turn_detail(r->turn));
        rmi_gather_relay_drop(g, r);
        r->background = r->background || lost;
        if (r->background)
            r->retry_at = lost ? now_us : now_us + RELAY_RETRY; /* at once after a NAT's mapping was lost */
    }
}
