/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_AGENT_TEST_WIRE_H
#define RMI_ICE_AGENT_TEST_WIRE_H

/* Two agents on a virtual wire in virtual time: seeded loss, delay, address rewriting. For the agent's tests only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "ice/agent.h"
#include "ice/stun.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_BASES 4
#define WIRE_PACKETS 512
#define WIRE_EVENTS 64
#define WIRE_STEPS 2000000 /* more means that a deadline does not move */

struct wire;

struct wire_base {
    rmi_base_id id;
    struct rmi_candidate cand;
    struct rmi_addr outside; /* what the other end sees and reaches; the candidate's address without a NAT */
    bool blocked;            /* nothing passes in or out */
};

struct wire_end {
    struct wire *wire;
    struct rmi_ice_agent *agent;
    struct rmi_prng prng;
    struct wire_base bases[WIRE_BASES];
    size_t base_count;
    struct rmi_ice_event events[WIRE_EVENTS];
    size_t event_count;
    unsigned timeouts, sent;
    int64_t connected_us; /* first time, -1 before */
    int64_t failed_us;
    rm_err fail_err;
    uint8_t last[RMI_DATAGRAM_MAX]; /* newest STUN request it sent */
    size_t last_len;
    rmi_base_id last_base;
    struct rmi_addr last_to;
};

struct wire_packet {
    bool used;
    int64_t at_us;
    uint64_t order;
    struct rmi_addr from, to;
    uint8_t data[800];
    size_t len;
};

struct wire {
    int64_t now_us, delay_us, jitter_us;
    unsigned loss_permille;
    bool cut;
    struct rmi_prng prng;
    struct wire_end end[2];
    struct wire_packet packets[WIRE_PACKETS];
    uint64_t order;
    /* Optional: sees each datagram before it travels; false swallows it. */
    bool (*tap)(struct wire *w, struct wire_end *from, const struct rmi_addr *to, const uint8_t *data, size_t len);
};

static struct rmi_addr wire_addr(const char *text) {
    struct rmi_addr a;
    assert_int_equal(rmi_addr_parse_hostport(text, &a), RM_OK);
    return a;
}

static struct rmi_candidate wire_cand(enum rmi_cand_type type, const char *addr, uint16_t local_pref) {
    struct rmi_candidate c;
    memset(&c, 0, sizeof c);
    c.addr = wire_addr(addr);
    c.type = type;
    c.udp = true;
    c.component = 1;
    c.priority = rmi_candidate_priority(type, local_pref, 1);
    (void)snprintf(c.foundation, sizeof c.foundation, "%d%x", (int)type, (unsigned)c.addr.ip[3]);
    return c;
}

static void wire_post(struct wire *w, const struct rmi_addr *from, const struct rmi_addr *to, const uint8_t *data,
                      size_t len) {
    if (w->cut || rmi_prng_next(&w->prng) % 1000 < w->loss_permille)
        return;
    for (size_t i = 0; i < WIRE_PACKETS; i++) {
        struct wire_packet *p = &w->packets[i];
        if (p->used)
            continue;
        p->used = true;
        p->at_us =
            w->now_us + w->delay_us + (w->jitter_us ? (int64_t)(rmi_prng_next(&w->prng) % (uint64_t)w->jitter_us) : 0);
        p->order = w->order++;
        p->from = *from;
        p->to = *to;
        assert_true(len <= sizeof p->data);
        memcpy(p->data, data, len);
        p->len = len;
        return;
    }
    fail_msg("more datagrams in flight than agents can have");
}

static void wire_send(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct wire_end *e = ctx;
    struct wire *w = e->wire;
    memset(data - RMI_HEADROOM, 0xA5, RMI_HEADROOM); /* the room that struct rmi_sink promises is really there */
    memset(data + len, 0xA5, 64);
    e->sent++;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(data, len, &m), RM_OK);
    if (m.cls == RMI_STUN_REQUEST) {
        memcpy(e->last, data, len);
        e->last_len = len;
        e->last_base = base;
        e->last_to = *to;
    }
    if (w->tap && !w->tap(w, e, to, data, len))
        return;
    for (size_t i = 0; i < e->base_count; i++)
        if (e->bases[i].id == base && !e->bases[i].blocked)
            wire_post(w, &e->bases[i].outside, to, data, len);
}

static struct wire *wire_new(uint64_t seed, bool first_controls, bool second_controls) {
    struct wire *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->delay_us = 50;
    w->now_us = RMI_SEC(1000);
    rmi_prng_seed(&w->prng, seed);
    for (int i = 0; i < 2; i++) {
        struct wire_end *e = &w->end[i];
        e->wire = w;
        e->connected_us = e->failed_us = -1;
        rmi_prng_seed(&e->prng, seed * 2 + (uint64_t)i + 77);
        const struct rmi_ice_config config = {.rng = rmi_prng_rng(&e->prng),
                                              .name = i ? "bob" : "alice",
                                              .sink = {.send = wire_send, .ctx = e},
                                              .controlling = i ? second_controls : first_controls,
                                              .tag = 0x11110000u + (uint32_t)i};
        assert_int_equal(rmi_ice_create(&config, &e->agent), RM_OK);
    }
    return w;
}

static void wire_free(struct wire *w) {
    for (int i = 0; i < 2; i++) {
        rmi_ice_destroy(&w->end[i].agent);
        assert_null(w->end[i].agent);
    }
    free(w);
}

static void wire_base_add(struct wire_end *e, rmi_base_id id, struct rmi_candidate c, const char *outside) {
    struct wire_base *b = &e->bases[e->base_count++];
    b->id = id;
    b->cand = c;
    b->outside = outside ? wire_addr(outside) : c.addr;
    assert_int_equal(rmi_ice_add_local(e->agent, e->wire->now_us, id, &c), RM_OK);
}

static struct wire_end *wire_other(struct wire_end *e) {
    return &e->wire->end[e == &e->wire->end[0] ? 1 : 0];
}

/* What e's description tells the other side: credentials, then each candidate. */
static void wire_describe(struct wire_end *e, bool candidates) {
    struct wire_end *o = wire_other(e);
    const int64_t now = e->wire->now_us;
    assert_int_equal(
        rmi_ice_set_remote(o->agent, now, rmi_ice_local_ufrag(e->agent), rmi_ice_local_pwd(e->agent), false), RM_OK);
    for (size_t i = 0; candidates && i < e->base_count; i++)
        assert_int_equal(rmi_ice_add_remote(o->agent, now, &e->bases[i].cand), RM_OK);
}

static void wire_drain(struct wire_end *e) {
    struct rmi_ice_event ev;
    while (rmi_ice_poll_event(e->agent, &ev)) {
        if (e->event_count < WIRE_EVENTS)
            e->events[e->event_count++] = ev;
        if (ev.type == RMI_ICE_EV_STATE && ev.state == RMI_ICE_CONNECTED && e->connected_us < 0)
            e->connected_us = e->wire->now_us;
        if (ev.type == RMI_ICE_EV_STATE && ev.state == RMI_ICE_FAILED) {
            e->failed_us = e->wire->now_us;
            e->fail_err = ev.err;
        }
    }
}

static void wire_deliver(struct wire *w, struct wire_packet *slot) {
    const struct wire_packet copy = *slot; /* an answer may take the slot at once */
    const struct wire_packet *p = &copy;
    slot->used = false;
    if (w->cut)
        return;
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < w->end[i].base_count; k++) {
            const struct wire_base *b = &w->end[i].bases[k];
            if (!b->blocked && rmi_addr_equal(&b->outside, &p->to)) {
                rmi_ice_input(w->end[i].agent, w->now_us, b->id, &p->from, p->data, p->len);
                return;
            }
        }
}

static struct wire_packet *wire_next_packet(struct wire *w) {
    struct wire_packet *best = NULL;
    for (size_t i = 0; i < WIRE_PACKETS; i++) {
        struct wire_packet *p = &w->packets[i];
        if (p->used && (!best || p->at_us < best->at_us || (p->at_us == best->at_us && p->order < best->order)))
            best = p;
    }
    return best;
}

static bool wire_both_connected(const struct wire *w) {
    return w->end[0].connected_us >= 0 && w->end[1].connected_us >= 0;
}

/* Run for so long, or until `done` holds. */
static void wire_run(struct wire *w, int64_t for_us, bool (*done)(const struct wire *)) {
    const int64_t end_us = w->now_us + for_us;
    for (unsigned steps = 0; !(done && done(w)); steps++) {
        assert_true(steps < WIRE_STEPS);
        wire_drain(&w->end[0]);
        wire_drain(&w->end[1]);
        if (done && done(w))
            return;
        struct wire_packet *p = wire_next_packet(w);
        int64_t at = p ? p->at_us : RMI_NEVER;
        struct wire_end *timed = NULL;
        for (int i = 0; i < 2; i++) {
            const int64_t d = rmi_ice_next_deadline(w->end[i].agent);
            if (d < at) {
                at = d;
                timed = &w->end[i];
            }
        }
        if (at > end_us) {
            w->now_us = end_us;
            return;
        }
        w->now_us = rmi_max64(w->now_us, at);
        if (timed) {
            timed->timeouts++;
            rmi_ice_timeout(timed->agent, w->now_us);
        } else {
            wire_deliver(w, p);
        }
    }
}

/* alice and bob on one network, each with one host candidate, both told everything. */
static struct wire *wire_simple(uint64_t seed) {
    struct wire *w = wire_new(seed, true, false);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    return w;
}

static struct wire *wire_connected(uint64_t seed) {
    struct wire *w = wire_simple(seed);
    wire_run(w, RMI_SEC(2), wire_both_connected);
    assert_true(wire_both_connected(w));
    return w;
}

static struct rmi_ice_stats wire_stats(const struct wire_end *e) {
    struct rmi_ice_stats s;
    rmi_ice_get_stats(e->agent, &s);
    return s;
}

static void wire_assert_route(const struct wire_end *e, const char *to) {
    rmi_base_id base = 0;
    struct rmi_addr addr;
    const struct rmi_addr want = wire_addr(to);
    assert_true(rmi_ice_route(e->agent, &base, &addr));
    assert_true(rmi_addr_equal(&addr, &want));
    assert_int_equal(rmi_ice_source_of(e->agent, base, &addr), RMI_ICE_SOURCE_VALID);
}

/* Not every test uses every helper. */
static void wire_unused(void) __attribute__((unused));
static void wire_unused(void) {
    (void)wire_connected;
    (void)wire_stats;
    (void)wire_assert_route;
    (void)wire_run;
    (void)wire_free;
    (void)wire_both_connected;
}

#endif
