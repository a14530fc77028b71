/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_TURN_SERVER_MODEL_H
#define RMI_ICE_TURN_SERVER_MODEL_H

/* Tests only: one STUN and TURN server (RFC 8656) that checks what a server checks, a NAT in front of the client, and a
 * virtual network with 10 ms each way around a gatherer. Included by the test that runs it. */

#include "base/cursor.h"
#include "base/time.h"
#include "ice/gather.h"
#include "ice/stun.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the four headers it needs */

#define ONE_WAY RMI_MS(10)
#define MODEL_PERMS 32
#define MODEL_CHANNELS 32
#define MODEL_PACKETS 4096
#define MODEL_RECEIVED 2048

struct model_server {
    struct rmi_addr addr, relayed;
    const char *user, *password, *realm;
    unsigned nonce;
    int64_t nonce_life, nonce_made;
    bool stun_only, silent, unsigned_errors, sign_wrong, reorder_grant;
    uint16_t allocate_code, permit_code; /* answer so instead */
    uint32_t lifetime;                   /* seconds granted */

    bool allocated;
    struct rmi_addr client;
    uint8_t allocate_txid[RMI_STUN_TXID];
    int64_t expires_at;
    struct {
        struct rmi_addr ip;
        int64_t until;
    } perms[MODEL_PERMS];
    struct {
        uint16_t number;
        struct rmi_addr peer;
        int64_t until;
    } channels[MODEL_CHANNELS];
    unsigned allocations, refreshes, releases, permits, binds, rejected, bindings, refused_sends, auth_failures;
    unsigned credentials_seen;
};

struct model_packet {
    int64_t at;
    bool to_server;
    rmi_base_id base;
    struct rmi_addr from, to;
    size_t len;
    uint8_t *data;
};

struct model_received {
    struct rmi_addr from;
    rmi_base_id base;
    size_t len;
    uint8_t data[64];
};

struct world {
    struct rmi_prng prng;
    struct rmi_gather *g;
    int64_t now;
    struct model_server servers[3];
    size_t server_count;
    struct rmi_addr hosts[4]; /* by base id - 1 */
    uint16_t nat_shift;       /* added to ports by the NAT; 0 = no NAT */
    struct model_packet packets[MODEL_PACKETS];
    size_t packet_count;
    unsigned client_packets, total_packets, strangers;
    int drop_at;                                   /* the packet of this number is lost; -1 = none */
    struct model_received at_peer[MODEL_RECEIVED]; /* what the server relayed out */
    size_t at_peer_count;
    struct model_received at_client[MODEL_RECEIVED];
    size_t at_client_count;
    struct rmi_gather_event events[128];
    size_t event_count;
    int64_t event_at[128];
    uint8_t last_answer[512];
    size_t last_answer_len;
};

static inline struct rmi_addr model_addr(const char *text) {
    struct rmi_addr a;
    assert_int_equal(rmi_addr_parse_hostport(text, &a), RM_OK);
    return a;
}

static inline void model_post(struct world *w, bool to_server, rmi_base_id base, const struct rmi_addr *from,
                              const struct rmi_addr *to, const uint8_t *data, size_t len) {
    if ((int)w->total_packets++ == w->drop_at)
        return;
    assert_true(w->packet_count < MODEL_PACKETS);
    struct model_packet *p = &w->packets[w->packet_count++];
    *p = (struct model_packet){.at = w->now + ONE_WAY,
                               .to_server = to_server,
                               .base = base,
                               .from = *from,
                               .to = *to,
                               .len = len,
                               .data = malloc(len ? len : 1)};
    assert_non_null(p->data);
    memcpy(p->data, data, len);
}

/* What the NAT makes of a client address, and back. */
static inline struct rmi_addr model_outside(const struct world *w, rmi_base_id base) {
    struct rmi_addr a = w->hosts[base - 1];
    if (w->nat_shift && a.family == 4) {
        a = model_addr("203.0.113.5:1");
        a.port = w->hosts[base - 1].port + w->nat_shift;
    }
    return a;
}

static inline void model_sink(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct world *w = ctx;
    /* The promised room is really there. */
    data[-1] ^= 0;
    data[len] ^= 0;
    w->client_packets++;
    bool known = false;
    for (size_t i = 0; i < w->server_count; i++)
        known = known || rmi_addr_equal(&w->servers[i].addr, to);
    w->strangers += !known;
    struct rmi_addr from = model_outside(w, base);
    model_post(w, true, base, &from, to, data, len);
}

/* --- the server --- */

static inline void model_answer(struct world *w, struct model_server *s, const struct rmi_addr *to, const uint8_t *data,
                                size_t len) {
    for (rmi_base_id base = 1; base <= 4; base++) {
        struct rmi_addr outside = w->hosts[base - 1].family ? model_outside(w, base) : (struct rmi_addr){0};
        if (outside.family && rmi_addr_equal(&outside, to)) {
            if (len <= sizeof w->last_answer) {
                memcpy(w->last_answer, data, len);
                w->last_answer_len = len;
            }
            model_post(w, false, base, &s->addr, to, data, len);
            return;
        }
    }
}

static inline void model_key(const struct model_server *s, uint8_t key[16]) {
    assert_true(rmi_stun_long_term_key(s->user, s->realm, s->password, key));
    if (s->sign_wrong)
        key[0] ^= 1;
}

static inline void model_error(struct world *w, struct model_server *s, const struct rmi_addr *to,
                               const struct rmi_stun_msg *m, uint16_t code, bool is_signed) {
    uint8_t buf[512], key[16];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, m->method, m->txid);
    rmi_stun_add_error(&b, code, "as the test wants");
    if (code == 401 || code == 438) {
        char nonce[32];
        snprintf(nonce, sizeof nonce, "nonce-%u", s->nonce);
        rmi_stun_add_bytes(&b, RMI_STUN_A_REALM, s->realm, strlen(s->realm));
        rmi_stun_add_bytes(&b, RMI_STUN_A_NONCE, nonce, strlen(nonce));
        is_signed = false;
    }
    if (code == 300)
        rmi_stun_add_bytes(&b, RMI_STUN_A_ALTERNATE_SERVER, "\0\1\x0D\x96\xC6\x33\x64\x63", 8);
    model_key(s, key);
    s->rejected++;
    size_t len = rmi_stun_finish(&b, is_signed && !s->unsigned_errors ? key : NULL, sizeof key, false);
    model_answer(w, s, to, buf, len);
}

static inline void model_success(struct world *w, struct model_server *s, const struct rmi_addr *to,
                                 const struct rmi_stun_msg *m, uint32_t lifetime) {
    uint8_t buf[512], key[16];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_SUCCESS, m->method, m->txid);
    if (m->method == RMI_STUN_ALLOCATE)
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_RELAYED_ADDRESS, &s->relayed);
    if (m->method == RMI_STUN_ALLOCATE || m->method == RMI_STUN_BINDING)
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, to);
    if (m->method == RMI_STUN_ALLOCATE || m->method == RMI_STUN_REFRESH)
        rmi_stun_add_u32(&b, RMI_STUN_A_LIFETIME, lifetime);
    model_key(s, key);
    size_t len = rmi_stun_finish(&b, m->method == RMI_STUN_BINDING ? NULL : key, sizeof key, true);
    model_answer(w, s, to, buf, len);
}

/* True: go on. Otherwise the challenge or refusal is on its way. */
static inline bool model_authenticate(struct world *w, struct model_server *s, const struct rmi_addr *from,
                                      const struct rmi_stun_msg *m) {
    char nonce[32];
    uint8_t key[16];
    if (s->nonce_life && w->now >= s->nonce_made + s->nonce_life) {
        s->nonce++;
        s->nonce_made = w->now;
    }
    snprintf(nonce, sizeof nonce, "nonce-%u", s->nonce);
    if (!m->has_integrity) {
        model_error(w, s, from, m, 401, false);
        return false;
    }
    s->credentials_seen++;
    assert_true(rmi_stun_long_term_key(s->user, s->realm, s->password, key));
    bool good_user = m->username_len == strlen(s->user) && memcmp(m->username, s->user, m->username_len) == 0;
    if (m->nonce_len != strlen(nonce) || memcmp(m->nonce, nonce, m->nonce_len) != 0) {
        model_error(w, s, from, m, 438, false);
        return false;
    }
    if (!good_user || !rmi_stun_check_integrity(m, key, sizeof key)) {
        s->auth_failures++;
        model_error(w, s, from, m, 401, false);
        return false;
    }
    return true;
}

static inline void model_allocate(struct world *w, struct model_server *s, const struct rmi_addr *from,
                                  const struct rmi_stun_msg *m) {
    if (s->allocate_code) {
        model_error(w, s, from, m, s->allocate_code, true);
        return;
    }
    bool again = s->allocated && memcmp(s->allocate_txid, m->txid, RMI_STUN_TXID) == 0;
    if (s->allocated && !again) {
        model_error(w, s, from, m, 437, true);
        return;
    }
    s->allocations += !again;
    s->allocated = true;
    s->client = *from;
    memcpy(s->allocate_txid, m->txid, RMI_STUN_TXID);
    s->expires_at = w->now + RMI_SEC(s->lifetime);
    model_success(w, s, from, m, s->lifetime);
}

static inline void model_permit(struct world *w, struct model_server *s, const struct rmi_addr *ip) {
    size_t slot = MODEL_PERMS;
    for (size_t i = MODEL_PERMS; i-- > 0;)
        if (s->perms[i].until <= w->now)
            slot = i;
    for (size_t i = 0; i < MODEL_PERMS; i++)
        if (rmi_addr_equal_ip(&s->perms[i].ip, ip))
            slot = i;
    assert_true(slot < MODEL_PERMS);
    s->perms[slot].ip = *ip;
    s->perms[slot].until = w->now + RMI_SEC(300);
}

static inline bool model_permitted(const struct world *w, const struct model_server *s, const struct rmi_addr *ip) {
    for (size_t i = 0; i < MODEL_PERMS; i++)
        if (s->perms[i].until > w->now && rmi_addr_equal_ip(&s->perms[i].ip, ip))
            return true;
    return false;
}

static inline void model_bind(struct world *w, struct model_server *s, const struct rmi_addr *from,
                              const struct rmi_stun_msg *m) {
    bool ok = m->has_channel && m->channel >= 0x4000 && m->channel <= 0x4FFF && m->xor_peer.family;
    size_t slot = MODEL_CHANNELS;
    for (size_t i = 0; i < MODEL_CHANNELS; i++) {
        bool held = w->now < s->channels[i].until + RMI_SEC(300) && s->channels[i].number;
        bool same_number = held && s->channels[i].number == m->channel;
        bool same_peer = held && rmi_addr_equal(&s->channels[i].peer, &m->xor_peer);
        ok = ok && same_number == same_peer; /* RFC 8656 12: neither may be bound otherwise */
        if ((same_number && same_peer) || (slot == MODEL_CHANNELS && !held))
            slot = i;
    }
    if (!ok || slot == MODEL_CHANNELS) {
        model_error(w, s, from, m, 400, true);
        return;
    }
    s->channels[slot].number = m->channel;
    s->channels[slot].peer = m->xor_peer;
    s->channels[slot].until = w->now + RMI_SEC(600);
    s->binds++;
    model_permit(w, s, &m->xor_peer);
    model_success(w, s, from, m, 0);
}

static inline void model_out(struct world *w, struct model_server *s, const struct rmi_addr *peer, const uint8_t *data,
                             size_t len) {
    if (!model_permitted(w, s, peer)) {
        s->refused_sends++;
        return;
    }
    assert_true(w->at_peer_count < MODEL_RECEIVED && len <= 64);
    struct model_received *r = &w->at_peer[w->at_peer_count++];
    *r = (struct model_received){.from = s->relayed, .len = len};
    memcpy(r->data, data, len);
}

/* A peer sends to the relayed address. */
static inline void model_peer_sends(struct world *w, struct model_server *s, const struct rmi_addr *peer,
                                    const void *data, size_t len) {
    uint8_t buf[512], txid[RMI_STUN_TXID] = {9};
    struct rmi_stun_builder b;
    if (!s->allocated || s->silent || !model_permitted(w, s, peer)) {
        s->refused_sends++;
        return;
    }
    for (size_t i = 0; i < MODEL_CHANNELS; i++) {
        if (s->channels[i].until > w->now && rmi_addr_equal(&s->channels[i].peer, peer)) {
            struct rmi_wr wr = rmi_wr_init(buf, sizeof buf);
            rmi_wr_u16(&wr, s->channels[i].number);
            rmi_wr_u16(&wr, (uint16_t)len);
            rmi_wr_bytes(&wr, data, len);
            model_answer(w, s, &s->client, buf, wr.pos);
            return;
        }
    }
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_INDICATION, RMI_STUN_DATA, txid);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, peer);
    rmi_stun_add_bytes(&b, RMI_STUN_A_DATA, data, len);
    model_answer(w, s, &s->client, buf, rmi_stun_finish(&b, NULL, 0, false));
}

static inline void model_request(struct world *w, struct model_server *s, const struct rmi_addr *from,
                                 const struct rmi_stun_msg *m) {
    if (m->method == RMI_STUN_BINDING) {
        s->bindings++;
        if (s->allocate_code && s->stun_only)
            model_error(w, s, from, m, s->allocate_code, false);
        else
            model_success(w, s, from, m, 0);
        return;
    }
    if (s->stun_only || !model_authenticate(w, s, from, m))
        return;
    bool own = s->allocated && rmi_addr_equal(&s->client, from);
    if (m->method == RMI_STUN_ALLOCATE) {
        model_allocate(w, s, from, m);
    } else if (!own) {
        model_error(w, s, from, m, 437, true);
    } else if (m->method == RMI_STUN_REFRESH) {
        uint32_t lifetime = m->has_lifetime && m->lifetime == 0 ? 0 : s->lifetime;
        s->refreshes += lifetime != 0;
        s->releases += lifetime == 0;
        s->allocated = lifetime != 0;
        s->expires_at = w->now + RMI_SEC(lifetime);
        model_success(w, s, from, m, lifetime);
    } else if (m->method == RMI_STUN_CREATE_PERMISSION && s->permit_code) {
        model_error(w, s, from, m, s->permit_code, true);
    } else if (m->method == RMI_STUN_CREATE_PERMISSION) {
        s->permits++;
        model_permit(w, s, &m->xor_peer);
        model_success(w, s, from, m, 0);
    } else if (m->method == RMI_STUN_CHANNEL_BIND) {
        model_bind(w, s, from, m);
    } else {
        fail_msg("unexpected method %u", m->method);
    }
}

static inline void model_input(struct world *w, struct model_server *s, const struct rmi_addr *from,
                               const uint8_t *data, size_t len) {
    struct rmi_stun_msg m;
    if (s->allocated && w->now >= s->expires_at)
        s->allocated = false;
    if (s->silent)
        return;
    if (len >= 4 && data[0] >= 0x40 && data[0] < 0x50) {
        uint16_t number = (uint16_t)(data[0] << 8 | data[1]);
        size_t n = (size_t)(data[2] << 8 | data[3]);
        assert_true(4 + n <= len);
        for (size_t i = 0; i < MODEL_CHANNELS; i++)
            if (s->allocated && s->channels[i].number == number && s->channels[i].until > w->now) {
                model_out(w, s, &s->channels[i].peer, data + 4, n);
                return;
            }
        s->refused_sends++;
        return;
    }
    assert_int_equal(rmi_stun_parse(data, len, &m), RM_OK);
    if (m.cls == RMI_STUN_REQUEST)
        model_request(w, s, from, &m);
    else if (m.method == RMI_STUN_SEND && s->allocated)
        model_out(w, s, &m.xor_peer, m.data, m.data_len);
}

/* --- the world --- */

static inline struct model_server *world_add_server(struct world *w, const char *addr, const char *relayed) {
    struct model_server *s = &w->servers[w->server_count++];
    s->addr = model_addr(addr);
    s->stun_only = relayed == NULL;
    if (relayed)
        s->relayed = model_addr(relayed);
    s->user = "user";
    s->password = "secret";
    s->realm = "example.org";
    s->lifetime = 600;
    return s;
}

static inline struct world *world_create(void) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    rmi_prng_seed(&w->prng, 8656);
    w->now = RMI_SEC(1000);
    w->drop_at = -1;
    return w;
}

static inline void world_gather(struct world *w, bool relay_only) {
    struct rmi_gather_config c = {
        .rng = rmi_prng_rng(&w->prng), .sink = {.send = model_sink, .ctx = w}, .relay_only = relay_only};
    assert_int_equal(rmi_gather_create(&c, &w->g), RM_OK);
}

static inline void world_add_turn(struct world *w, const struct model_server *s, const char *user,
                                  const char *password) {
    struct rmi_turn_server t = {.addr = s->addr};
    snprintf(t.username, sizeof t.username, "%s", user);
    snprintf(t.password, sizeof t.password, "%s", password);
    assert_int_equal(rmi_gather_add_turn(w->g, &t), RM_OK);
}

static inline void world_add_host(struct world *w, rmi_base_id base, const char *addr, uint16_t pref) {
    w->hosts[base - 1] = model_addr(addr);
    assert_int_equal(rmi_gather_add_host(w->g, w->now, base, &w->hosts[base - 1], pref), RM_OK);
}

static inline void world_destroy(struct world *w) {
    rmi_gather_destroy(&w->g);
    for (size_t i = 0; i < w->packet_count; i++)
        free(w->packets[i].data);
    free(w);
}

static inline void world_events(struct world *w) {
    struct rmi_gather_event e;
    while (rmi_gather_poll_event(w->g, &e)) {
        assert_true(w->event_count < 128);
        w->event_at[w->event_count] = w->now;
        w->events[w->event_count++] = e;
    }
}

static inline enum rmi_gather_verdict world_feed(struct world *w, rmi_base_id base, const struct rmi_addr *from,
                                                 const uint8_t *data, size_t len) {
    uint8_t *box = malloc(len ? len : 1);
    assert_non_null(box);
    memcpy(box, data, len);
    struct rmi_gather_inner inner;
    enum rmi_gather_verdict v = rmi_gather_input(w->g, w->now, base, from, box, len, &inner);
    if (v == RMI_GATHER_RELAYED) {
        assert_true(inner.data >= box && inner.data + inner.len <= box + len);
        if (w->at_client_count < MODEL_RECEIVED && inner.len <= 64) {
            struct model_received *r = &w->at_client[w->at_client_count++];
            *r = (struct model_received){.from = inner.from, .base = inner.base, .len = inner.len};
            memcpy(r->data, inner.data, inner.len);
        }
    }
    free(box);
    world_events(w);
    return v;
}

static inline void world_deliver(struct world *w, size_t index) {
    struct model_packet p = w->packets[index];
    memmove(&w->packets[index], &w->packets[index + 1], (--w->packet_count - index) * sizeof p);
    if (p.to_server) {
        for (size_t i = 0; i < w->server_count; i++)
            if (rmi_addr_equal(&w->servers[i].addr, &p.to))
                model_input(w, &w->servers[i], &p.from, p.data, p.len);
    } else {
        (void)world_feed(w, p.base, &p.from, p.data, p.len);
    }
    free(p.data);
}

static inline void world_run_until(struct world *w, int64_t until) {
    world_events(w);
    for (unsigned stuck = 0;;) {
        int64_t next = rmi_gather_next_deadline(w->g);
        size_t first = w->packet_count;
        for (size_t i = 0; i < w->packet_count; i++)
            if (w->packets[i].at <= next) {
                if (first == w->packet_count || w->packets[i].at < w->packets[first].at)
                    first = i;
            }
        if (first < w->packet_count)
            next = w->packets[first].at;
        if (next > until)
            break;
        stuck = next > w->now ? 0 : stuck + 1;
        assert_true(stuck < 10000); /* time must go on */
        w->now = rmi_max64(w->now, next);
        if (first < w->packet_count)
            world_deliver(w, first);
        else
            rmi_gather_timeout(w->g, w->now);
        world_events(w);
    }
    w->now = rmi_max64(w->now, until);
}

static inline void world_run(struct world *w, int64_t for_us) {
    world_run_until(w, w->now + for_us);
}

static inline const struct rmi_gather_event *world_find(const struct world *w, enum rmi_gather_event_type type,
                                                        size_t nth) {
    for (size_t i = 0; i < w->event_count; i++)
        if (w->events[i].type == type && nth-- == 0)
            return &w->events[i];
    return NULL;
}

static inline const struct rmi_gather_event *world_candidate(const struct world *w, enum rmi_cand_type type,
                                                             size_t nth) {
    for (size_t i = 0; i < w->event_count; i++)
        if (w->events[i].type == RMI_GATHER_CANDIDATE && w->events[i].candidate.type == type && nth-- == 0)
            return &w->events[i];
    return NULL;
}

static inline void world_send(struct world *w, rmi_base_id base, const struct rmi_addr *to, const void *data,
                              size_t len) {
    uint8_t *room = malloc(RMI_HEADROOM + len + RMI_HEADROOM);
    assert_non_null(room);
    memcpy(room + RMI_HEADROOM, data, len);
    rmi_gather_send(w->g, w->now, base, to, room + RMI_HEADROOM, len);
    free(room);
}

#endif
