/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_PAIR_TESTKIT_H
#define RMI_SCTP_PAIR_TESTKIT_H

#include "sctp/association.h"
#include "sctp/link_testkit.h"

/* Two associations with a link each way, in virtual time. */

struct test_pair;
struct test_end {
    struct test_pair *pair;
    struct rmi_sctp *a;
    struct test_link out;
    struct rmi_prng prng;
    uint64_t packets;
    bool blocked;
};
struct test_pair {
    struct test_end end[2];
    int64_t now_us;
    /* Called for each event; may send. */
    void (*on_event)(struct test_pair *p, int side, const struct rmi_sctp_event *e);
    /* Called after each step of a side, before the next; may send. */
    void (*on_step)(struct test_pair *p, int side);
    bool no_reading[2];
    void *user;
};

static inline void test_pair_out(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct test_end *e = ctx;
    e->packets++;
    test_link_send(&e->out, now_us, data, len);
}

static inline void test_pair_open(struct test_pair *p, uint64_t seed, const struct test_link_config *link,
                                  const struct rmi_sctp_config *config) {
    p->now_us = RMI_SEC(1);
    for (int i = 0; i < 2; i++) {
        struct test_end *e = &p->end[i];
        memset(e, 0, sizeof *e);
        e->pair = p;
        e->out.c = *link;
        rmi_prng_seed(&e->out.prng, seed * 4 + (uint64_t)i);
        rmi_prng_seed(&e->prng, seed * 4 + 2 + (uint64_t)i);
        struct rmi_sctp_config c = config[i];
        c.rng = rmi_prng_rng(&e->prng);
        c.send = test_pair_out;
        c.send_ctx = e;
        c.name = i ? "b" : "a";
        if (rmi_sctp_create(&c, &e->a))
            abort();
    }
}

static inline void test_pair_close(struct test_pair *p) {
    for (int i = 0; i < 2; i++) {
        rmi_sctp_destroy(&p->end[i].a);
        test_link_free(&p->end[i].out);
    }
}

static inline void test_pair_drain(struct test_pair *p, int side) {
    struct rmi_sctp_event e;
    while (!p->no_reading[side] && rmi_sctp_poll_event(p->end[side].a, &e))
        if (p->on_event)
            p->on_event(p, side, &e);
    if (p->on_step)
        p->on_step(p, side);
    rmi_sctp_flush(p->end[side].a, p->now_us);
}

/* One event of the links or timers; false: nothing left before `until_us`, which is then now. */
static inline bool test_pair_step(struct test_pair *p, int64_t until_us) {
    int64_t next_us = RMI_NEVER;
    for (int i = 0; i < 2; i++)
        next_us = rmi_min64(next_us, rmi_min64(test_link_next(&p->end[i].out), rmi_sctp_next_deadline(p->end[i].a)));
    if (next_us > until_us) {
        p->now_us = until_us;
        return false;
    }
    p->now_us = rmi_max64(p->now_us, next_us);
    for (int i = 0; i < 2; i++) {
        struct test_end *to = &p->end[!i];
        bool did = false;
        while (test_link_next(&p->end[i].out) <= p->now_us) {
            struct test_packet packet = test_link_pop(&p->end[i].out);
            rmi_sctp_input(to->a, p->now_us, packet.data, packet.len);
            free(packet.data);
            did = true;
        }
        if (rmi_sctp_next_deadline(to->a) <= p->now_us) {
            rmi_sctp_timeout(to->a, p->now_us);
            did = true;
        }
        if (did)
            test_pair_drain(p, !i);
    }
    return true;
}

static inline void test_pair_run(struct test_pair *p, int64_t until_us) {
    while (test_pair_step(p, until_us)) {
    }
}

static inline void test_pair_start(struct test_pair *p) {
    rmi_sctp_start(p->end[0].a, p->now_us);
    rmi_sctp_start(p->end[1].a, p->now_us);
}

#endif
