/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/gather_private.h"

#include "base/cursor.h"
#include "net/demux.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_DEFAULT RMI_SEC(15) /* RFC 8445 11 */
#define TIMEOUT_DEFAULT RMI_MS(9500)  /* gather.h */
#define PACE RMI_MS(5)                /* Ta, RFC 8445 14.2 */
#define FNV_PRIME UINT64_C(0x100000001B3)

struct queued_event {
    struct rmi_list node;
    struct rmi_gather_event event;
};

rm_err rmi_gather_create(const struct rmi_gather_config *config, struct rmi_gather **out) {
    struct rmi_gather *g = calloc(1, sizeof *g);
    if (!g)
        return RM_E_NO_MEMORY;
    g->cfg = *config;
    if (g->cfg.keepalive_us == 0)
        g->cfg.keepalive_us = KEEPALIVE_DEFAULT;
    if (g->cfg.timeout_us == 0)
        g->cfg.timeout_us = TIMEOUT_DEFAULT;
    g->salt = rmi_rng_u64(&g->cfg.rng);
    g->next_relay = GATHER_RELAY_BASE;
    rmi_list_init(&g->hosts);
    rmi_list_init(&g->events);
    *out = g;
    return RM_OK;
}

static void free_host(struct gather_host *h) {
    struct rmi_list *node;
    while ((node = rmi_list_pop_front(&h->bindings)) != NULL)
        free(RMI_CONTAINER_OF(node, struct gather_binding, node));
    rmi_list_remove(&h->node);
    free(h);
}

void rmi_gather_destroy(struct rmi_gather **g) {
    if (!g || !*g)
        return;
    struct rmi_list *node;
    for (size_t i = 0; i < (*g)->relay_count; i++)
        rmi_turn_destroy(&(*g)->relays[i].turn);
    while (!rmi_list_empty(&(*g)->hosts))
        free_host(RMI_CONTAINER_OF((*g)->hosts.next, struct gather_host, node));
    while ((node = rmi_list_pop_front(&(*g)->events)) != NULL)
        free(RMI_CONTAINER_OF(node, struct queued_event, node));
    OPENSSL_cleanse(*g, sizeof **g);
    free(*g);
    *g = NULL;
}

/* --- events --- */

static struct rmi_gather_event *push(struct rmi_gather *g, enum rmi_gather_event_type type) {
    struct queued_event *e = calloc(1, sizeof *e);
    if (!e) {
        rmi_log(g->cfg.log, RMI_LOG_ICE, RM_LOG_ERROR, "no memory for a gathering event");
        return NULL;
    }
    e->event.type = type;
    rmi_list_push_back(&g->events, &e->node);
    return &e->event;
}

void rmi_gather_push_candidate(struct rmi_gather *g, rmi_base_id base, const struct rmi_candidate *c) {
    struct rmi_gather_event *e = push(g, RMI_GATHER_CANDIDATE);
    if (!e)
        return;
    e->base = base;
    e->candidate = *c;
}

void rmi_gather_push_back(struct rmi_gather *g) {
    push(g, RMI_GATHER_BACK);
}

void rmi_gather_push_gone(struct rmi_gather *g, rmi_base_id base) {
    struct rmi_gather_event *e = push(g, RMI_GATHER_GONE);
    if (e)
        e->base = base;
}

void rmi_gather_push_error(struct rmi_gather *g, rm_err err, const struct rmi_addr *server, const char *detail) {
    char text[RMI_ADDR_TEXT_MAX];
    rmi_log(g->cfg.log, RMI_LOG_ICE, RM_LOG_WARN, "server=%s %s (%s)", rmi_addr_text(server, text), rm_err_name(err),
            detail);
    struct rmi_gather_event *e = push(g, RMI_GATHER_ERROR);
    if (!e)
        return;
    e->err = err;
    e->server = *server;
    snprintf(e->detail, sizeof e->detail, "%s", detail);
}

bool rmi_gather_poll_event(struct rmi_gather *g, struct rmi_gather_event *out) {
    struct rmi_list *node = rmi_list_pop_front(&g->events);
    if (!node)
        return false;
    struct queued_event *e = RMI_CONTAINER_OF(node, struct queued_event, node);
    *out = e->event;
    free(e);
    return true;
}

static bool is_outstanding(const struct rmi_gather *g) {
    RMI_LIST_FOREACH (host_node, host_tmp, &g->hosts) {
        const struct gather_host *h = RMI_CONTAINER_OF(host_node, struct gather_host, node);
        RMI_LIST_FOREACH (node, tmp, &h->bindings) {
            const struct gather_binding *b = RMI_CONTAINER_OF(node, struct gather_binding, node);
            if (!b->answered && !b->failed)
                return true;
        }
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        const struct gather_relay *r = &g->relays[i];
        if (r->turn && !r->background && rmi_turn_state_of(r->turn) == RMI_TURN_ALLOCATING)
            return true;
    }
    return false;
}

static void check_done(struct rmi_gather *g) {
    if (!g->started || !g->done_due || g->servers_due || is_outstanding(g))
        return;
    g->done_due = false;
    push(g, RMI_GATHER_DONE);
}

bool rmi_gather_is_done(const struct rmi_gather *g) {
    return g->started && !g->done_due;
}

bool rmi_gather_has_relay(const struct rmi_gather *g) {
    for (size_t i = 0; i < g->relay_count; i++)
        if (g->relays[i].base)
            return true;
    return false;
}

/* --- candidates --- */

static uint64_t mix(uint64_t h, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * FNV_PRIME;
    return h;
}

/* RFC 8445 5.1.1.3: equal for equal type, base address and server address, different otherwise. */
static void set_foundation(const struct rmi_gather *g, struct rmi_candidate *c, const struct rmi_addr *base,
                           const struct rmi_addr *server) {
    uint8_t type = (uint8_t)c->type;
    uint64_t h = mix(g->salt, &type, sizeof type);
    h = mix(h, &base->family, sizeof base->family);
    h = mix(h, base->ip, base->family == 4 ? 4 : sizeof base->ip);
    if (server)
        h = mix(h, server->ip, server->family == 4 ? 4 : sizeof server->ip);
    snprintf(c->foundation, sizeof c->foundation, "%012llx", (unsigned long long)(h >> 16));
}

static void make_candidate(enum rmi_cand_type type, uint16_t pref, const struct rmi_addr *addr,
                           struct rmi_candidate *out) {
    memset(out, 0, sizeof *out);
    out->component = 1;
    out->udp = true;
    out->type = type;
    out->addr = *addr;
    out->priority = rmi_candidate_priority(type, pref, 1);
}

static void make_host(const struct rmi_gather *g, const struct gather_host *h, struct rmi_candidate *out) {
    make_candidate(RMI_CAND_HOST, h->local_pref, &h->addr, out);
    set_foundation(g, out, &h->addr, NULL);
}

/* Candidates of one base and type from several servers get different preferences (RFC 8445 5.1.2.1). */
static uint16_t ranked(uint16_t pref, size_t rank) {
    return pref > rank ? (uint16_t)(pref - rank) : 0;
}

void rmi_gather_make_srflx(const struct rmi_gather *g, const struct gather_host *h, const struct rmi_addr *mapped,
                           const struct rmi_addr *server, size_t rank, struct rmi_candidate *out) {
    make_candidate(RMI_CAND_SRFLX, ranked(h->local_pref, rank), mapped, out);
    set_foundation(g, out, &h->addr, server);
    out->related = h->addr;
}

void rmi_gather_make_relay(const struct rmi_gather *g, const struct gather_host *h, const struct gather_relay *r,
                           size_t rank, struct rmi_candidate *out) {
    make_candidate(RMI_CAND_RELAY, ranked(h->local_pref, rank), rmi_turn_relayed(r->turn), out);
    set_foundation(g, out, rmi_turn_relayed(r->turn), &r->server.addr);
    if (!g->cfg.relay_only)
        out->related = *rmi_turn_mapped(r->turn);
}

bool rmi_gather_is_redundant(const struct rmi_gather *g, const struct gather_host *h, const struct rmi_addr *mapped) {
    if (rmi_addr_equal(mapped, &h->addr))
        return true;
    RMI_LIST_FOREACH (node, tmp, &h->bindings) {
        const struct gather_binding *b = RMI_CONTAINER_OF(node, struct gather_binding, node);
        if (b->reported && rmi_addr_equal(&b->mapped, mapped))
            return true;
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        const struct gather_relay *r = &g->relays[i];
        if (r->reported && r->host_base == h->base && rmi_addr_equal(rmi_turn_mapped(r->turn), mapped))
            return true;
    }
    return false;
}

struct listing {
    struct rmi_candidate *out;
    rmi_base_id *bases;
    size_t cap, count;
};

static struct rmi_candidate *next_entry(struct listing *l, rmi_base_id base) {
    if (l->count >= l->cap)
        return NULL;
    l->bases[l->count] = base;
    return &l->out[l->count++];
}

static void list_host(const struct rmi_gather *g, const struct gather_host *h, struct listing *l) {
    struct rmi_candidate *c = next_entry(l, h->base);
    if (c)
        make_host(g, h, c);
    RMI_LIST_FOREACH (node, tmp, &h->bindings) {
        const struct gather_binding *b = RMI_CONTAINER_OF(node, struct gather_binding, node);
        if (b->reported && (c = next_entry(l, h->base)) != NULL)
            rmi_gather_make_srflx(g, h, &b->mapped, &g->stun[b->server], b->server, c);
    }
}

static void list_relay(const struct rmi_gather *g, size_t index, struct listing *l) {
    const struct gather_relay *r = &g->relays[index];
    const struct gather_host *h = rmi_gather_find_host(g, r->host_base);
    struct rmi_candidate *c;
    if (!r->base || !h)
        return;
    if (r->reported && (c = next_entry(l, h->base)) != NULL)
        rmi_gather_make_srflx(g, h, rmi_turn_mapped(r->turn), &r->server.addr, RMI_GATHER_SERVERS_MAX + index, c);
    if ((c = next_entry(l, r->base)) != NULL)
        rmi_gather_make_relay(g, h, r, index, c);
}

size_t rmi_gather_candidates(const struct rmi_gather *g, struct rmi_candidate *out, rmi_base_id *bases, size_t cap) {
    struct listing l = {.out = out, .bases = bases, .cap = cap};
    RMI_LIST_FOREACH (node, tmp, &g->hosts) {
        if (!g->cfg.relay_only)
            list_host(g, RMI_CONTAINER_OF(node, struct gather_host, node), &l);
    }
    for (size_t i = 0; i < g->relay_count; i++)
        list_relay(g, i, &l);
    return l.count;
}

/* --- hosts and servers --- */

struct gather_host *rmi_gather_find_host(const struct rmi_gather *g, rmi_base_id base) {
    RMI_LIST_FOREACH (node, tmp, &g->hosts) {
        struct gather_host *h = RMI_CONTAINER_OF(node, struct gather_host, node);
        if (h->base == base)
            return h;
    }
    return NULL;
}

/* Loopback and link-local addresses do not lead to servers elsewhere. */
bool rmi_gather_can_reach(const struct gather_host *h, const struct rmi_addr *server) {
    enum rmi_addr_class from = rmi_addr_classify(&h->addr), to = rmi_addr_classify(server);
    bool local_only = from == RMI_ADDR_LOOPBACK || from == RMI_ADDR_LINK_LOCAL;
    return h->addr.family == server->family && (!local_only || from == to);
}

int64_t rmi_gather_pace(struct rmi_gather *g, int64_t now_us) {
    int64_t at = rmi_max64(g->pace_at, now_us);
    g->pace_at = at + PACE;
    return at;
}

/* Servers added while running are asked at the next timeout, which is due at once: these calls know no time. */
rm_err rmi_gather_add_stun(struct rmi_gather *g, const struct rmi_addr *server) {
    if (g->stun_count >= RMI_GATHER_SERVERS_MAX)
        return RM_E_LIMIT;
    if (server->family == 0 || server->port == 0)
        return RM_E_INVALID_ARG;
    g->stun[g->stun_count++] = *server;
    g->done_due = true;
    g->servers_due = g->started;
    return RM_OK;
}

rm_err rmi_gather_add_turn(struct rmi_gather *g, const struct rmi_turn_server *server) {
    if (g->relay_count >= RMI_GATHER_SERVERS_MAX)
        return RM_E_LIMIT;
    if (server->addr.family == 0 || server->addr.port == 0 || !memchr(server->username, 0, sizeof server->username) ||
        !memchr(server->password, 0, sizeof server->password))
        return RM_E_INVALID_ARG;
    for (size_t i = 0; i < g->relay_count; i++)
        if (rmi_addr_equal(&g->relays[i].server.addr, &server->addr))
            return RM_E_EXISTS; /* one allocation per 5-tuple, RFC 8656 2.2 */
    g->relays[g->relay_count++] = (struct gather_relay){.server = *server, .retry_at = RMI_NEVER};
    g->done_due = true;
    g->servers_due = g->started;
    return RM_OK;
}

static bool asks(const struct gather_host *h, size_t server) {
    RMI_LIST_FOREACH (node, tmp, &h->bindings) {
        if (RMI_CONTAINER_OF(node, struct gather_binding, node)->server == server)
            return true;
    }
    return false;
}

/* Start whatever could run and does not. Relays that failed are tried again: a new address may lead to them. */
static void ask_servers(struct rmi_gather *g, int64_t now_us) {
    g->servers_due = false;
    RMI_LIST_FOREACH (node, tmp, &g->hosts) {
        struct gather_host *h = RMI_CONTAINER_OF(node, struct gather_host, node);
        for (size_t i = 0; i < g->stun_count; i++)
            if (!asks(h, i))
                rmi_gather_binding_add(g, now_us, h, i);
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        if (!g->relays[i].turn)
            g->relays[i].background = false;
        rmi_gather_relay_begin(g, now_us, i);
    }
}

rm_err rmi_gather_add_host(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *addr,
                           uint16_t local_pref) {
    if (g->host_count >= RMI_GATHER_BASES_MAX)
        return RM_E_LIMIT;
    if (base == 0 || base >= GATHER_RELAY_BASE || addr->family == 0)
        return RM_E_INVALID_ARG;
    if (rmi_gather_find_host(g, base))
        return RM_E_EXISTS;
    struct gather_host *h = calloc(1, sizeof *h);
    if (!h)
        return RM_E_NO_MEMORY;
    h->base = base;
    h->addr = *addr;
    h->local_pref = local_pref;
    rmi_list_init(&h->bindings);
    rmi_list_push_back(&g->hosts, &h->node);
    g->host_count++;
    g->done_due = true;
    if (!g->cfg.relay_only) {
        struct rmi_candidate c;
        make_host(g, h, &c);
        rmi_gather_push_candidate(g, base, &c);
    }
    if (g->started)
        ask_servers(g, now_us);
    check_done(g);
    return RM_OK;
}

void rmi_gather_remove_host(struct rmi_gather *g, int64_t now_us, rmi_base_id base) {
    struct gather_host *h = rmi_gather_find_host(g, base);
    if (!h)
        return;
    free_host(h);
    g->host_count--;
    rmi_gather_push_gone(g, base);
    for (size_t i = 0; i < g->relay_count; i++) {
        struct gather_relay *r = &g->relays[i];
        if (!r->turn || r->host_base != base)
            continue;
        rmi_gather_relay_drop(g, r);
        r->background = true;
        if (g->started)
            rmi_gather_relay_begin(g, now_us, i);
    }
    check_done(g);
}

void rmi_gather_start(struct rmi_gather *g, int64_t now_us) {
    if (g->started || g->closed)
        return;
    g->started = true;
    g->done_due = true;
    ask_servers(g, now_us);
    check_done(g);
}

void rmi_gather_refresh(struct rmi_gather *g, int64_t now_us) {
    if (!g->started)
        return;
    RMI_LIST_FOREACH (host_node, host_tmp, &g->hosts) {
        struct gather_host *h = RMI_CONTAINER_OF(host_node, struct gather_host, node);
        RMI_LIST_FOREACH (node, tmp, &h->bindings) {
            rmi_gather_binding_refresh(g, now_us, RMI_CONTAINER_OF(node, struct gather_binding, node));
        }
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        struct gather_relay *r = &g->relays[i];
        if (r->turn && r->base)
            rmi_turn_probe(r->turn, now_us);
        else if (!r->turn && r->retry_at != RMI_NEVER)
            r->retry_at = rmi_min64(r->retry_at, now_us);
    }
}

void rmi_gather_close(struct rmi_gather *g, int64_t now_us) {
    if (g->closed)
        return;
    g->closed = true;
    g->started = false;
    for (size_t i = 0; i < g->relay_count; i++) {
        if (g->relays[i].turn)
            rmi_turn_close(g->relays[i].turn, now_us);
        rmi_gather_relay_drop(g, &g->relays[i]);
    }
}

/* --- datagrams and time --- */

static bool is_response(const uint8_t *data, size_t len) {
    enum { RESPONSE_BIT = 0x0100 }; /* RFC 8489 5: the upper class bit */
    struct rmi_rd r = rmi_rd_init(data, len);
    return rmi_packet_kind_of(data, len) == RMI_PACKET_STUN && (rmi_rd_u16(&r) & RESPONSE_BIT);
}

static bool is_server(const struct rmi_gather *g, const struct rmi_addr *from) {
    for (size_t i = 0; i < g->stun_count; i++)
        if (rmi_addr_equal(&g->stun[i], from))
            return true;
    for (size_t i = 0; i < g->relay_count; i++)
        if (rmi_addr_equal(&g->relays[i].server.addr, from))
            return true;
    return false;
}

static bool relay_owns(const struct rmi_gather *g, const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    rmi_rd_skip(&r, RMI_STUN_HEADER - RMI_STUN_TXID);
    const uint8_t *txid = rmi_rd_bytes(&r, RMI_STUN_TXID);
    for (size_t i = 0; txid && i < g->relay_count; i++)
        if (g->relays[i].turn && rmi_turn_owns(g->relays[i].turn, txid))
            return true;
    return false;
}

enum rmi_gather_verdict rmi_gather_input(struct rmi_gather *g, int64_t now_us, rmi_base_id base,
                                         const struct rmi_addr *from, uint8_t *data, size_t len,
                                         struct rmi_gather_inner *inner) {
    for (size_t i = 0; i < g->relay_count; i++) {
        struct gather_relay *r = &g->relays[i];
        if (!r->turn || r->host_base != base || !rmi_addr_equal(&r->server.addr, from))
            continue;
        rmi_base_id relay_base = r->base;
        enum rmi_gather_verdict verdict = rmi_turn_input(r->turn, now_us, data, len, inner);
        if (verdict == RMI_GATHER_RELAYED)
            inner->base = relay_base;
        if (verdict != RMI_GATHER_NOT_MINE) {
            rmi_gather_relay_check(g, now_us, i);
            check_done(g);
            return verdict;
        }
    }
    if (!is_response(data, len))
        return RMI_GATHER_NOT_MINE;
    bool mine = false;
    if (g->started)
        rmi_gather_binding_input(g, now_us, base, from, data, len, &mine);
    check_done(g);
    /* Late answers of a server are ours as well, and so are false ones from elsewhere: both end here. */
    return mine || is_server(g, from) || relay_owns(g, data, len) ? RMI_GATHER_CONSUMED : RMI_GATHER_NOT_MINE;
}

bool rmi_gather_is_relay(rmi_base_id base) {
    return base >= GATHER_RELAY_BASE;
}

void rmi_gather_send(struct rmi_gather *g, int64_t now_us, rmi_base_id base, const struct rmi_addr *to, uint8_t *data,
                     size_t len) {
    if (!rmi_gather_is_relay(base)) {
        g->cfg.sink.send(g->cfg.sink.ctx, base, to, data, len);
        return;
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        if (g->relays[i].base == base) {
            rmi_turn_send(g->relays[i].turn, now_us, to, data, len);
            return;
        }
    }
}

int64_t rmi_gather_next_deadline(const struct rmi_gather *g) {
    int64_t at = RMI_NEVER;
    if (!g->started)
        return at;
    if (g->servers_due)
        return 0; /* at once */
    RMI_LIST_FOREACH (host_node, host_tmp, &g->hosts) {
        const struct gather_host *h = RMI_CONTAINER_OF(host_node, struct gather_host, node);
        RMI_LIST_FOREACH (node, tmp, &h->bindings) {
            const struct gather_binding *b = RMI_CONTAINER_OF(node, struct gather_binding, node);
            at = rmi_min64(at, b->asking ? rmi_min64(b->next_at, b->give_up_at) : b->next_at);
        }
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        const struct gather_relay *r = &g->relays[i];
        at = rmi_min64(at, r->turn ? rmi_turn_next_deadline(r->turn) : r->retry_at);
    }
    return at;
}

void rmi_gather_timeout(struct rmi_gather *g, int64_t now_us) {
    if (!g->started)
        return;
    if (g->servers_due)
        ask_servers(g, now_us);
    RMI_LIST_FOREACH (host_node, host_tmp, &g->hosts) {
        struct gather_host *h = RMI_CONTAINER_OF(host_node, struct gather_host, node);
        RMI_LIST_FOREACH (node, tmp, &h->bindings) {
            rmi_gather_binding_tick(g, now_us, h, RMI_CONTAINER_OF(node, struct gather_binding, node));
        }
    }
    for (size_t i = 0; i < g->relay_count; i++) {
        struct gather_relay *r = &g->relays[i];
        if (r->turn)
            rmi_turn_timeout(r->turn, now_us);
        else if (now_us >= r->retry_at)
            rmi_gather_relay_begin(g, now_us, i);
        rmi_gather_relay_check(g, now_us, i);
    }
    check_done(g);
}
