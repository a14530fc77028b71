/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_SHARING_TESTKIT_H
#define RMI_SCTP_SHARING_TESTKIT_H

#include "sctp/goodput_testkit.h"

/* Up to four transfers over one bottleneck in virtual time, each to a receiver of its own, whose acknowledgements come
 * back over a link of their own; and streams of different weight inside one. Header-only, for sharing_test.c and
 * `rmrtc bench DATA`. */

#define TEST_FLOWS_MAX 4

struct test_share;
struct test_flow {
    struct test_share *share;
    struct rmi_sctp *a[2]; /* sender, receiver */
    struct test_link back;
    struct rmi_prng prng[2];
    int64_t start_us;
    int64_t extra_us; /* of its path, one way, beyond the bottleneck's delay */
    uint64_t got;
    bool started, failed;
};
struct test_share {
    struct test_link bottleneck; /* a packet's first byte is the number of its flow */
    struct test_flow flow[TEST_FLOWS_MAX];
    size_t flows;
    int64_t now_us;
};

static inline void test_share_out(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct test_flow *f = ctx;
    uint8_t packet[RMI_SCTP_PACKET_MAX + 2];
    packet[0] = (uint8_t)(f - f->share->flow);
    memcpy(packet + 1, data, len);
    test_link_send(&f->share->bottleneck, now_us, packet, len + 1);
}

static inline void test_share_back(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct test_flow *f = ctx;
    test_link_send(&f->back, now_us, data, len);
}

static inline void test_share_open(struct test_share *s, uint64_t seed) {
    s->now_us = RMI_SEC(1);
    s->bottleneck.c.headers = TEST_HEADERS - 1; /* the number is not on a real wire */
    rmi_prng_seed(&s->bottleneck.prng, seed);
    for (size_t i = 0; i < s->flows; i++) {
        struct test_flow *f = &s->flow[i];
        f->share = s;
        f->back.c.delay_us = s->bottleneck.c.delay_us + 2 * f->extra_us;
        for (int side = 0; side < 2; side++) {
            rmi_prng_seed(&f->prng[side], seed * 16 + i * 2 + (uint64_t)side);
            const struct rmi_sctp_config config = {
                .rng = rmi_prng_rng(&f->prng[side]), .send = side ? test_share_back : test_share_out, .send_ctx = f};
            if (rmi_sctp_create(&config, &f->a[side]))
                abort();
        }
    }
}

static inline void test_share_close(struct test_share *s) {
    test_link_free(&s->bottleneck);
    for (size_t i = 0; i < s->flows; i++) {
        test_link_free(&s->flow[i].back);
        rmi_sctp_destroy(&s->flow[i].a[0]);
        rmi_sctp_destroy(&s->flow[i].a[1]);
    }
}

static inline void test_share_drain(struct test_share *s, struct test_flow *f, int side) {
    static const uint8_t message[65536];
    struct rmi_sctp_event e;
    while (rmi_sctp_poll_event(f->a[side], &e)) {
        f->failed = f->failed || e.type == RMI_SCTP_EV_FAILED;
        f->got += e.type == RMI_SCTP_EV_MESSAGE ? e.len : 0;
    }
    if (side == 0)
        while (rmi_sctp_send(f->a[0], s->now_us, TEST_BULK, 53, NULL, message, sizeof message) == RM_OK) {
        }
    rmi_sctp_flush(f->a[side], s->now_us);
}

static inline int64_t test_share_next(const struct test_share *s) {
    int64_t next_us = test_link_next(&s->bottleneck);
    for (size_t i = 0; i < s->flows; i++) {
        const struct test_flow *f = &s->flow[i];
        next_us = rmi_min64(next_us, f->started ? test_link_next(&f->back) : f->start_us);
        for (int side = 0; side < 2; side++)
            next_us = rmi_min64(next_us, rmi_sctp_next_deadline(f->a[side]));
    }
    return next_us;
}

static inline void test_share_step(struct test_share *s) {
    while (test_link_next(&s->bottleneck) <= s->now_us) {
        struct test_packet p = test_link_pop(&s->bottleneck);
        struct test_flow *f = &s->flow[p.data[0]];
        rmi_sctp_input(f->a[1], s->now_us, p.data + 1, p.len - 1);
        free(p.data);
        test_share_drain(s, f, 1);
    }
    for (size_t i = 0; i < s->flows; i++) {
        struct test_flow *f = &s->flow[i];
        if (!f->started && s->now_us >= f->start_us) {
            f->started = true;
            rmi_sctp_start(f->a[0], s->now_us);
        }
        while (test_link_next(&f->back) <= s->now_us) {
            struct test_packet p = test_link_pop(&f->back);
            rmi_sctp_input(f->a[0], s->now_us, p.data, p.len);
            free(p.data);
            test_share_drain(s, f, 0);
        }
        for (int side = 0; side < 2; side++)
            if (rmi_sctp_next_deadline(f->a[side]) <= s->now_us) {
                rmi_sctp_timeout(f->a[side], s->now_us);
                test_share_drain(s, f, side);
            }
    }
}

static inline void test_share_run(struct test_share *s, int64_t until_us) {
    for (int64_t next_us; (next_us = test_share_next(s)) <= until_us;) {
        s->now_us = rmi_max64(s->now_us, next_us);
        test_share_step(s);
    }
    s->now_us = until_us;
}

/* Jain's index of what the flows got since `before`: 1 is equal, 1/n all to one. `mbit`: together, payload. */
static inline double test_share_jain(const struct test_share *s, const uint64_t *before, int64_t us, double *mbit) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < s->flows; i++) {
        const double got = (double)(s->flow[i].got - before[i]);
        sum += got;
        squares += got * got;
    }
    *mbit = sum * 8 / (double)us;
    return squares > 0 ? sum * sum / ((double)s->flows * squares) : 0;
}

/* ---- streams of one association ---- */

#define TEST_WEIGHTS 3

struct test_weights {
    bool no_interleaving;
    uint16_t weight[TEST_WEIGHTS];
    uint64_t got[TEST_WEIGHTS];
};

static inline void test_weights_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct test_weights *w = p->user;
    (void)side;
    if (e->type == RMI_SCTP_EV_MESSAGE && e->stream < TEST_WEIGHTS)
        w->got[e->stream] += e->len;
}

static inline void test_weights_step(struct test_pair *p, int side) {
    static const uint8_t message[16384];
    for (uint16_t i = 0; side == 0 && i < TEST_WEIGHTS; i++)
        while (rmi_sctp_buffered(p->end[0].a, i) < 16 * sizeof message &&
               rmi_sctp_send(p->end[0].a, p->now_us, i, 53, NULL, message, sizeof message) == RM_OK) {
        }
}

/* Largest deviation of a stream's share from that of its weight, in percent of the latter, over 20 s at 20 Mbit/s. */
static inline double test_weights_run(struct test_weights *w) {
    const struct test_link_config link = {
        .rate_bps = 20000000, .delay_us = RMI_MS(50), .queue_us = RMI_MS(100), .headers = TEST_HEADERS};
    const struct rmi_sctp_config config[2] = {{.no_interleaving = w->no_interleaving}, {.name = "b"}};
    struct test_pair p = {.on_event = test_weights_event, .on_step = test_weights_step, .user = w};
    double all = 0, weights = 0, most = 0;
    test_pair_open(&p, 1, &link, config);
    for (uint16_t i = 0; i < TEST_WEIGHTS; i++)
        if (rmi_sctp_set_weight(p.end[0].a, i, w->weight[i]))
            abort();
    test_pair_start(&p);
    test_pair_run(&p, p.now_us + RMI_SEC(2));
    memset(w->got, 0, sizeof w->got);
    test_pair_run(&p, p.now_us + RMI_SEC(20));
    test_pair_close(&p);
    for (int i = 0; i < TEST_WEIGHTS; i++) {
        all += (double)w->got[i];
        weights += w->weight[i];
    }
    for (int i = 0; i < TEST_WEIGHTS; i++) {
        const double due = all * w->weight[i] / weights, off = 100 * ((double)w->got[i] - due) / due;
        most = off > most ? off : -off > most ? -off : most;
    }
    return most;
}

#endif
