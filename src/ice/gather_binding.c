/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/gather_private.h"

#include "base/cursor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTO_FIRST RMI_MS(500) /* RFC 8445 14.3: at least so long */
#define SENDS_MAX 7           /* Rc, RFC 8489 6.2.1 */

static void transmit(struct rmi_gather *g, const struct gather_host *h, const struct gather_binding *b) {
    uint8_t buf[RMI_HEADROOM + RMI_STUN_HEADER + RMI_HEADROOM];
    struct rmi_stun_builder m;
    rmi_stun_begin(&m, buf + RMI_HEADROOM, RMI_STUN_HEADER, RMI_STUN_REQUEST, RMI_STUN_BINDING, b->txid);
    size_t len = rmi_stun_finish(&m, NULL, 0, false);
    if (len > 0)
        g->cfg.sink.send(g->cfg.sink.ctx, h->base, &g->stun[b->server], buf + RMI_HEADROOM, len);
}

static void ask(struct rmi_gather *g, struct gather_binding *b, int64_t at_us, int64_t give_up_us) {
    rmi_rng_fill(&g->cfg.rng, b->txid, sizeof b->txid);
    b->asking = true;
    b->next_at = at_us;
    b->give_up_at = give_up_us;
    b->rto = RTO_FIRST;
    b->sends = 0;
}

void rmi_gather_binding_add(struct rmi_gather *g, int64_t now_us, struct gather_host *h, size_t server) {
    if (g->cfg.relay_only || !rmi_gather_can_reach(h, &g->stun[server]))
        return;
    struct gather_binding *b = calloc(1, sizeof *b);
    if (!b) {
        rmi_gather_push_error(g, RM_E_NO_MEMORY, &g->stun[server], "binding");
        return;
    }
    b->server = server;
    rmi_list_push_back(&h->bindings, &b->node);
    ask(g, b, rmi_gather_pace(g, now_us), now_us + g->cfg.timeout_us);
    rmi_gather_binding_tick(g, now_us, h, b);
}

void rmi_gather_binding_refresh(struct rmi_gather *g, int64_t now_us, struct gather_binding *b) {
    b->missed = b->missed || (b->asking && b->sends > 0);
    if (b->answered || b->failed)
        ask(g, b, rmi_gather_pace(g, now_us), now_us + g->cfg.timeout_us);
}

/* A server that answered once may miss a keep-alive without consequence; one that never did is asked again in the
 * background: an outage at the start must not cost the candidate for good. */
static void stop_asking(struct rmi_gather *g, int64_t now_us, struct gather_binding *b, const char *detail) {
    b->asking = false;
    b->next_at = now_us + g->cfg.keepalive_us;
    if (b->answered || b->failed)
        return;
    b->failed = true;
    rmi_gather_push_error(g, RM_E_STUN_TIMEOUT, &g->stun[b->server], detail);
}

void rmi_gather_binding_tick(struct rmi_gather *g, int64_t now_us, struct gather_host *h, struct gather_binding *b) {
    if (!b->asking && now_us >= b->next_at)
        ask(g, b, now_us, now_us + g->cfg.timeout_us);
    if (!b->asking)
        return;
    if (now_us >= b->give_up_at) {
        stop_asking(g, now_us, b, "binding: no answer");
    } else if (now_us >= b->next_at) {
        b->next_at = ++b->sends < SENDS_MAX ? now_us + b->rto : b->give_up_at;
        b->rto *= 2;
        transmit(g, h, b);
    }
}

static void mapped(struct rmi_gather *g, const struct gather_host *h, struct gather_binding *b,
                   const struct rmi_addr *addr) {
    if (b->answered && rmi_addr_equal(&b->mapped, addr))
        return;
    b->answered = true;
    b->mapped = *addr;
    b->reported = false;
    if (rmi_gather_is_redundant(g, h, addr))
        return;
    b->reported = true;
    struct rmi_candidate c;
    rmi_gather_make_srflx(g, h, addr, &g->stun[b->server], b->server, &c);
    rmi_gather_push_candidate(g, h->base, &c);
}

static void answer(struct rmi_gather *g, int64_t now_us, const struct gather_host *h, struct gather_binding *b,
                   const uint8_t *data, size_t len) {
    struct rmi_stun_msg m;
    if (rmi_stun_parse(data, len, &m) != RM_OK || m.method != RMI_STUN_BINDING || m.unknown_attr != 0)
        return;
    if (m.cls == RMI_STUN_ERROR) {
        char detail[32];
        snprintf(detail, sizeof detail, "binding: code %u", m.error_code);
        if (m.error_code != 0)
            stop_asking(g, now_us, b, detail);
    } else if (m.xor_mapped.family == h->addr.family && m.xor_mapped.port != 0 &&
               rmi_addr_classify(&m.xor_mapped) != RMI_ADDR_UNUSABLE) {
        b->asking = false;
        b->next_at = now_us + g->cfg.keepalive_us;
        if (b->missed)
            rmi_gather_push_back(g);
        b->missed = false;
        mapped(g, h, b, &m.xor_mapped);
    }
}

void rmi_gather_binding_input(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                              const uint8_t *data, size_t len, bool *mine) {
    struct rmi_rd r = rmi_rd_init(data, len);
    rmi_rd_skip(&r, RMI_STUN_HEADER - RMI_STUN_TXID);
    const uint8_t *txid = rmi_rd_bytes(&r, RMI_STUN_TXID);
    *mine = false;
    if (!txid)
        return;
    RMI_LIST_FOREACH (host_node, host_tmp, &g->hosts) {
        const struct gather_host *h = RMI_CONTAINER_OF(host_node, struct gather_host, node);
        RMI_LIST_FOREACH (node, tmp, &h->bindings) {
            struct gather_binding *b = RMI_CONTAINER_OF(node, struct gather_binding, node);
            if (!b->asking || b->sends == 0 || memcmp(b->txid, txid, RMI_STUN_TXID) != 0)
                continue;
            *mine = true;
            if (base == h->base && rmi_addr_equal(from, &g->stun[b->server]))
                answer(g, now_us, h, b, data, len);
            return;
        }
    }
}
