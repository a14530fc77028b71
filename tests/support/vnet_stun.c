/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_stun.h"
#include "base/cursor.h"
#include "ice/stun.h"
#include "net/datagram.h"
#include "support/vnet_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 3478
#define DEFAULT_LIFETIME_S 600     /* RFC 8656 section 3.2 */
#define PERMISSION_US RMI_SEC(300) /* RFC 8656 section 9 */
#define CHANNEL_US RMI_SEC(600)    /* RFC 8656 section 12 */
#define CHANNEL_FIRST 0x4000       /* RFC 8656 section 12 */
#define CHANNEL_LAST 0x4FFF
#define CHANNEL_HEADER 4
#define TRANSPORT_UDP 17
#define FAMILY_V4 1 /* RFC 8489 section 14.1 */
#define FAMILY_V6 2
#define DEFAULT_QUOTA 1000
#define TEXT_MAX 64
#define OUT_MAX (RMI_DATAGRAM_MAX)

struct grant {
    struct rmi_addr peer;
    int64_t permitted_until_us; /* by IP: the port of `peer` does not count */
    int64_t bound_until_us;
    uint16_t channel; /* 0 = none */
};

struct allocation {
    struct rmi_list node;
    struct rmt_stun_server *server;
    struct rmi_addr client;
    struct rmt_socket *relay;
    uint8_t txid[RMI_STUN_TXID];
    int64_t until_us;
    struct grant *grants;
    size_t grant_count, grant_cap;
};

struct rmt_stun_server {
    struct rmt_vnet *v;
    struct rmt_host *host;
    struct rmt_socket *socket;
    bool turn;
    char realm[TEXT_MAX], username[TEXT_MAX], password[TEXT_MAX];
    uint8_t key[16];
    uint32_t lifetime_s;
    size_t quota;
    struct rmt_stun_faults faults;
    struct rmt_stun_stats stats;
    struct rmi_prng prng;
    char nonce[TEXT_MAX];
    uint32_t nonce_uses;
    struct rmi_list allocations;
};

/* One request being answered. */
struct call {
    struct rmt_stun_server *s;
    struct rmi_addr from;
    struct rmi_stun_msg msg;
    uint8_t out[OUT_MAX];
    struct rmi_stun_builder b;
};

/* ---- allocations ---- */

static void new_nonce(struct rmt_stun_server *s) {
    snprintf(s->nonce, sizeof s->nonce, "%016" PRIx64, rmi_prng_next(&s->prng));
    s->nonce_uses = 0;
}

static void free_allocation(struct allocation *a) {
    rmi_list_remove(&a->node);
    rmt_socket_close(&a->relay);
    free(a->grants);
    free(a);
}

void rmt_stun_server_restart(struct rmt_stun_server *s) {
    RMI_LIST_FOREACH (node, tmp, &s->allocations)
        free_allocation(RMI_CONTAINER_OF(node, struct allocation, node));
    new_nonce(s);
}

static void sweep(struct rmt_stun_server *s) {
    RMI_LIST_FOREACH (node, tmp, &s->allocations) {
        struct allocation *a = RMI_CONTAINER_OF(node, struct allocation, node);
        if (a->until_us <= rmt_vnet_now(s->v))
            free_allocation(a);
    }
}

/* Whether the server is there at all. */
static bool alive(struct rmt_stun_server *s) {
    if (s->faults.die_at_us && rmt_vnet_now(s->v) >= s->faults.die_at_us) {
        rmt_stun_server_restart(s);
        return false;
    }
    sweep(s);
    return !s->faults.silent;
}

static struct allocation *allocation_of(struct rmt_stun_server *s, const struct rmi_addr *client) {
    RMI_LIST_FOREACH (node, tmp, &s->allocations) {
        struct allocation *a = RMI_CONTAINER_OF(node, struct allocation, node);
        if (rmi_addr_equal(&a->client, client))
            return a;
    }
    return NULL;
}

static struct grant *grant_for(struct allocation *a, const struct rmi_addr *peer, bool make) {
    for (size_t i = 0; i < a->grant_count; i++)
        if (rmi_addr_equal(&a->grants[i].peer, peer))
            return &a->grants[i];
    if (!make)
        return NULL;
    if (a->grant_count == a->grant_cap) {
        a->grant_cap = a->grant_cap ? 2 * a->grant_cap : 8;
        a->grants = rmt_grow(a->grants, a->grant_cap, sizeof a->grants[0]);
    }
    struct grant *g = &a->grants[a->grant_count++];
    *g = (struct grant){.peer = *peer};
    return g;
}

static bool permitted(const struct allocation *a, const struct rmi_addr *peer) {
    int64_t now = rmt_vnet_now(a->server->v);
    for (size_t i = 0; i < a->grant_count; i++)
        if (rmi_addr_equal_ip(&a->grants[i].peer, peer) && a->grants[i].permitted_until_us > now)
            return true;
    return a->server->faults.allow_unauthenticated_data;
}

static struct grant *bound(struct allocation *a, uint16_t channel) {
    for (size_t i = 0; i < a->grant_count; i++)
        if (a->grants[i].channel == channel && a->grants[i].bound_until_us > rmt_vnet_now(a->server->v))
            return &a->grants[i];
    return NULL;
}

/* ---- answers ---- */

static void answer(struct call *c, enum rmi_stun_class cls) {
    rmi_stun_begin(&c->b, c->out, sizeof c->out, cls, c->msg.method, c->msg.txid);
}

static void send_answer(struct call *c, bool signed_) {
    size_t n = rmi_stun_finish(&c->b, signed_ ? c->s->key : NULL, signed_ ? sizeof c->s->key : 0, true);
    if (n == 0)
        rmt_vnet_fail(c->s->v, "STUN server: an answer does not fit");
    (void)rmt_socket_send(c->s->socket, &c->from, c->out, n); /* an interface that went down: the answer is lost */
}

static void add_challenge(struct call *c) {
    rmi_stun_add_bytes(&c->b, RMI_STUN_A_REALM, c->s->realm, strlen(c->s->realm));
    rmi_stun_add_bytes(&c->b, RMI_STUN_A_NONCE, c->s->nonce, strlen(c->s->nonce));
}

/* challenge: REALM and NONCE, unsigned (RFC 8489 9.2.4); else signed. */
static bool refuse(struct call *c, uint16_t code, const char *reason, bool challenge) {
    c->s->stats.errors++;
    answer(c, RMI_STUN_ERROR);
    rmi_stun_add_error(&c->b, code, reason);
    if (challenge)
        add_challenge(c);
    send_answer(c, !challenge && c->msg.has_integrity);
    return false;
}

static bool same_text(const char *text, size_t len, const char *want) {
    return len == strlen(want) && memcmp(text, want, len) == 0;
}

static bool authenticated(struct call *c) {
    struct rmt_stun_server *s = c->s;
    const struct rmi_stun_msg *m = &c->msg;
    if (!m->has_integrity)
        return refuse(c, 401, "Unauthorized", true);
    if (!m->username || !m->realm || !m->nonce)
        return refuse(c, 400, "Bad Request", true);
    bool used_up = s->faults.stale_after && s->nonce_uses >= s->faults.stale_after;
    if (s->faults.stale_always || used_up || !same_text(m->nonce, m->nonce_len, s->nonce)) {
        if (s->faults.stale_always || used_up)
            new_nonce(s);
        return refuse(c, 438, "Stale Nonce", true);
    }
    if (s->faults.refuse_credentials || !same_text(m->username, m->username_len, s->username) ||
        !same_text(m->realm, m->realm_len, s->realm) || !rmi_stun_check_integrity(m, s->key, sizeof s->key))
        return refuse(c, 401, "Unauthorized", true);
    s->nonce_uses++;
    return true;
}

/* Attributes that the common parser has no use for: value of a one-byte attribute, -1 when absent. */
static int first_byte(const struct rmi_stun_msg *m, uint16_t attr) {
    struct rmi_rd r = rmi_rd_init(m->raw, m->raw_len);
    rmi_rd_skip(&r, RMI_STUN_HEADER);
    while (rmi_rd_left(&r) >= 4) {
        uint16_t type = rmi_rd_u16(&r), len = rmi_rd_u16(&r);
        if (type == attr && len > 0) {
            uint8_t value = rmi_rd_u8(&r);
            return r.failed ? -1 : value;
        }
        rmi_rd_skip(&r, ((size_t)len + 3) & ~(size_t)3);
    }
    return -1;
}

/* ---- TURN requests ---- */

static void on_relayed(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len);

static void granted(struct call *c, const struct allocation *a, uint32_t lifetime_s) {
    struct rmi_addr relay = rmt_socket_addr(a->relay);
    answer(c, RMI_STUN_SUCCESS);
    rmi_stun_add_xor_addr(&c->b, RMI_STUN_A_XOR_RELAYED_ADDRESS, &relay);
    rmi_stun_add_u32(&c->b, RMI_STUN_A_LIFETIME, lifetime_s);
    rmi_stun_add_xor_addr(&c->b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &c->from);
    send_answer(c, true);
}

/* RFC 8656 7.2: what the client asks for, but no less than the default and no more than this server gives. */
static uint32_t lifetime(const struct call *c) {
    uint32_t most = c->s->lifetime_s, want = c->msg.has_lifetime ? c->msg.lifetime : DEFAULT_LIFETIME_S;
    if (want < DEFAULT_LIFETIME_S)
        want = DEFAULT_LIFETIME_S;
    return want < most ? want : most;
}

static void redirect(struct call *c) {
    struct rmi_addr own = rmt_socket_addr(c->s->socket);
    uint8_t value[20];
    struct rmi_wr w = rmi_wr_init(value, sizeof value);
    rmi_wr_u8(&w, 0);
    rmi_wr_u8(&w, own.family == 4 ? FAMILY_V4 : FAMILY_V6);
    rmi_wr_u16(&w, c->s->faults.alternate_port);
    rmi_wr_bytes(&w, own.ip, own.family == 4 ? 4 : 16);
    c->s->stats.errors++;
    answer(c, RMI_STUN_ERROR);
    rmi_stun_add_error(&c->b, 300, "Try Alternate");
    rmi_stun_add_bytes(&c->b, RMI_STUN_A_ALTERNATE_SERVER, value, w.pos);
    send_answer(c, true);
}

static struct rmt_socket *open_relay(struct rmt_stun_server *s, int family, struct allocation *a) {
    for (int i = 0; i < rmt_host_iface_count(s->host); i++) {
        struct rmt_addr_view iface = rmt_host_iface(s->host, i);
        if (iface.up && iface.addr.family == (family == FAMILY_V6 ? 6 : 4))
            return rmt_socket_open_addr(s->host, &iface.addr, on_relayed, a);
    }
    return NULL;
}

static void allocate(struct call *c) {
    struct rmt_stun_server *s = c->s;
    struct allocation *a = allocation_of(s, &c->from);
    uint32_t life = lifetime(c);
    if (a && memcmp(a->txid, c->msg.txid, sizeof a->txid) == 0) { /* our answer was lost */
        granted(c, a, life);
        return;
    }
    int transport = first_byte(&c->msg, RMI_STUN_A_REQUESTED_TRANSPORT);
    int family = first_byte(&c->msg, RMI_STUN_A_REQUESTED_ADDRESS_FAMILY);
    if (a) {
        refuse(c, 437, "Allocation Mismatch", false);
    } else if (transport != TRANSPORT_UDP) {
        refuse(c, transport < 0 ? 400 : 442, "Unsupported Transport Protocol", false);
    } else if (s->faults.alternate_port) {
        redirect(c);
    } else if (s->faults.quota_full || rmt_stun_server_allocations(s) >= s->quota) {
        refuse(c, 486, "Allocation Quota Reached", false);
    } else {
        a = rmt_alloc(sizeof *a);
        a->server = s;
        a->client = c->from;
        memcpy(a->txid, c->msg.txid, sizeof a->txid);
        a->until_us = rmt_vnet_now(s->v) + RMI_SEC(life);
        a->relay = open_relay(s, family, a);
        if (!a->relay) {
            free(a);
            refuse(c, 440, "Address Family not Supported", false);
            return;
        }
        rmi_list_push_back(&s->allocations, &a->node);
        s->stats.allocates++;
        granted(c, a, life);
    }
}

static void refresh(struct call *c, struct allocation *a) {
    uint32_t life = c->msg.has_lifetime && c->msg.lifetime == 0 ? 0 : lifetime(c);
    a->until_us = rmt_vnet_now(c->s->v) + RMI_SEC(life);
    if (life == 0)
        free_allocation(a);
    c->s->stats.refreshes++;
    answer(c, RMI_STUN_SUCCESS);
    rmi_stun_add_u32(&c->b, RMI_STUN_A_LIFETIME, life);
    send_answer(c, true);
}

static bool peer_is_fine(struct call *c, struct allocation *a) {
    if (c->msg.xor_peer.family == 0)
        return refuse(c, 400, "Bad Request", false);
    if (c->msg.xor_peer.family != rmt_socket_addr(a->relay).family)
        return refuse(c, 443, "Peer Address Family Mismatch", false);
    if (c->s->faults.refuse_permissions)
        return refuse(c, 403, "Forbidden", false);
    return true;
}

static void create_permission(struct call *c, struct allocation *a) {
    if (!peer_is_fine(c, a))
        return;
    grant_for(a, &c->msg.xor_peer, true)->permitted_until_us = rmt_vnet_now(c->s->v) + PERMISSION_US;
    c->s->stats.permissions++;
    answer(c, RMI_STUN_SUCCESS);
    send_answer(c, true);
}

static void channel_bind(struct call *c, struct allocation *a) {
    if (!peer_is_fine(c, a))
        return;
    uint16_t channel = c->msg.has_channel ? c->msg.channel : 0;
    int64_t now = rmt_vnet_now(c->s->v);
    struct grant *g = grant_for(a, &c->msg.xor_peer, true), *other = bound(a, channel);
    bool another_channel = g->bound_until_us > now && g->channel != channel;
    if (channel < CHANNEL_FIRST || channel > CHANNEL_LAST || (other && other != g) || another_channel) {
        refuse(c, 400, "Bad Request", false);
        return;
    }
    g->channel = channel;
    g->bound_until_us = now + CHANNEL_US;
    g->permitted_until_us = now + PERMISSION_US;
    c->s->stats.channel_binds++;
    answer(c, RMI_STUN_SUCCESS);
    send_answer(c, true);
}

static void turn_request(struct call *c) {
    if (!authenticated(c))
        return;
    if (c->msg.method == RMI_STUN_ALLOCATE) {
        allocate(c);
        return;
    }
    struct allocation *a = allocation_of(c->s, &c->from);
    if (!a)
        refuse(c, 437, "Allocation Mismatch", false);
    else if (c->msg.method == RMI_STUN_REFRESH)
        refresh(c, a);
    else if (c->msg.method == RMI_STUN_CREATE_PERMISSION)
        create_permission(c, a);
    else if (c->msg.method == RMI_STUN_CHANNEL_BIND)
        channel_bind(c, a);
    else
        refuse(c, 400, "Bad Request", false);
}

/* ---- relaying ---- */

static void relay_out(struct allocation *a, const struct rmi_addr *peer, const uint8_t *data, size_t len) {
    if (!permitted(a, peer)) {
        a->server->stats.no_permission++;
        return;
    }
    (void)rmt_socket_send(a->relay, peer, data, len); /* a datagram that cannot leave is lost */
}

static void channel_data(struct rmt_stun_server *s, const struct rmi_addr *from, const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint16_t channel = rmi_rd_u16(&r), n = rmi_rd_u16(&r);
    const uint8_t *payload = rmi_rd_bytes(&r, n);
    struct allocation *a = allocation_of(s, from);
    struct grant *g = a && payload ? bound(a, channel) : NULL;
    if (!g) {
        s->stats.malformed++;
        return;
    }
    s->stats.channel_in++;
    relay_out(a, &g->peer, payload, n);
}

static void on_relayed(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    (void)now_us;
    struct allocation *a = ctx;
    struct rmt_stun_server *s = a->server;
    struct rmi_addr client = a->client;
    if (!alive(s) || (a = allocation_of(s, &client)) == NULL) /* it may have ended just now */
        return;
    if (!permitted(a, from)) {
        s->stats.no_permission++;
        return;
    }
    uint8_t out[OUT_MAX + RMI_HEADROOM];
    size_t n;
    struct grant *g = grant_for(a, from, false);
    if (g && g->channel && g->bound_until_us > rmt_vnet_now(s->v)) {
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        rmi_wr_u16(&w, g->channel);
        rmi_wr_u16(&w, (uint16_t)len);
        rmi_wr_bytes(&w, data, len);
        n = w.failed ? 0 : w.pos;
        s->stats.channel_out++;
    } else {
        uint8_t txid[RMI_STUN_TXID];
        struct rmi_rng rng = rmi_prng_rng(&s->prng);
        rmi_rng_fill(&rng, txid, sizeof txid);
        struct rmi_stun_builder b;
        rmi_stun_begin(&b, out, sizeof out, RMI_STUN_INDICATION, RMI_STUN_DATA, txid);
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, from);
        rmi_stun_add_bytes(&b, RMI_STUN_A_DATA, data, len);
        n = rmi_stun_finish(&b, NULL, 0, false);
        s->stats.datas++;
    }
    if (n)
        (void)rmt_socket_send(s->socket, &client, out, n); /* above RMI_DATAGRAM_MAX: lost, as on any network */
}

static void indication(struct call *c) {
    struct allocation *a = allocation_of(c->s, &c->from);
    if (c->msg.method != RMI_STUN_SEND || !a || !c->msg.has_data || c->msg.xor_peer.family == 0)
        return; /* RFC 8656 11.2: dropped in silence */
    c->s->stats.sends++;
    relay_out(a, &c->msg.xor_peer, c->msg.data, c->msg.data_len);
}

static void on_datagram(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    (void)now_us;
    struct rmt_stun_server *s = ctx;
    if (!alive(s))
        return;
    if (s->turn && len >= CHANNEL_HEADER && data[0] >> 6 == 1) { /* RFC 8656 12: 0b01 begins a channel number */
        channel_data(s, from, data, len);
        return;
    }
    struct call c = {.s = s, .from = *from};
    if (rmi_stun_parse(data, len, &c.msg) != RM_OK) {
        s->stats.malformed++;
    } else if (c.msg.cls == RMI_STUN_REQUEST && c.msg.method == RMI_STUN_BINDING) {
        s->stats.bindings++;
        answer(&c, RMI_STUN_SUCCESS);
        rmi_stun_add_xor_addr(&c.b, RMI_STUN_A_XOR_MAPPED_ADDRESS, from);
        send_answer(&c, false);
    } else if (c.msg.cls == RMI_STUN_REQUEST && s->turn) {
        turn_request(&c);
    } else if (c.msg.cls == RMI_STUN_REQUEST) {
        refuse(&c, 400, "Bad Request", false);
    } else if (c.msg.cls == RMI_STUN_INDICATION && s->turn) {
        indication(&c);
    }
}

/* ---- life ---- */

static void set_text(struct rmt_vnet *v, char out[TEXT_MAX], const char *text, const char *fallback) {
    if (snprintf(out, TEXT_MAX, "%s", text ? text : fallback) >= TEXT_MAX)
        rmt_vnet_fail(v, "STUN server: text too long: %s", text);
}

struct rmt_stun_server *rmt_stun_server_create(struct rmt_host *host, const struct rmt_stun_config *config) {
    struct rmt_stun_server *s = rmt_alloc(sizeof *s);
    s->v = rmt_host_vnet(host);
    s->host = host;
    s->turn = config->turn;
    set_text(s->v, s->realm, config->realm, "lab");
    set_text(s->v, s->username, config->username, "user");
    set_text(s->v, s->password, config->password, "pass");
    if (!rmi_stun_long_term_key(s->username, s->realm, s->password, s->key))
        rmt_vnet_fail(s->v, "STUN server: no MD5 here");
    s->lifetime_s = config->lifetime_s ? config->lifetime_s : DEFAULT_LIFETIME_S;
    s->quota = config->quota ? config->quota : DEFAULT_QUOTA;
    uint16_t port = config->port ? config->port : DEFAULT_PORT;
    char name[RMT_NAME_MAX + 16];
    snprintf(name, sizeof name, "stun %s:%u", rmt_host_name(host), port);
    rmi_prng_seed(&s->prng, rmt_vnet_sub_seed(s->v, name));
    rmi_list_init(&s->allocations);
    new_nonce(s);
    s->socket = rmt_socket_open(host, config->ip, port, on_datagram, s);
    if (!s->socket)
        rmt_vnet_fail(s->v, "STUN server: %s port %u is not to be had on %s", config->ip, port, rmt_host_name(host));
    return s;
}

void rmt_stun_server_destroy(struct rmt_stun_server **s) {
    if (!*s)
        return;
    rmt_stun_server_restart(*s);
    rmt_socket_close(&(*s)->socket);
    free(*s);
    *s = NULL;
}

struct rmi_addr rmt_stun_server_addr(const struct rmt_stun_server *s) {
    return rmt_socket_addr(s->socket);
}

struct rmt_stun_faults *rmt_stun_server_faults(struct rmt_stun_server *s) {
    return &s->faults;
}

struct rmt_stun_stats rmt_stun_server_stats(const struct rmt_stun_server *s) {
    return s->stats;
}

size_t rmt_stun_server_allocations(const struct rmt_stun_server *s) {
    size_t n = 0;
    for (const struct rmi_list *node = s->allocations.next; node != &s->allocations; node = node->next) {
        const struct allocation *a = RMI_CONTAINER_OF(node, const struct allocation, node);
        n += a->until_us > rmt_vnet_now(s->v);
    }
    return n;
}
