/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_PEER_CONNECTION_TESTKIT_H
#define RMI_PEER_CONNECTION_TESTKIT_H

/* Two connections on a table: descriptions, candidates and datagrams are carried over by hand, in virtual time. */
#include "base/time.h"
#include "peer/connection.h"
#include "support/virtual_crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TK_DATAGRAMS 256
#define TK_BASE 1

struct tk_datagram {
    int to; /* side 0 or 1 */
    size_t len;
    uint8_t data[RMI_DATAGRAM_MAX];
};

struct tk_table;
struct tk_side {
    struct tk_table *table;
    int index;
    struct rmi_mux *mux;
    struct rmi_dtls_cert *cert;
    struct rmi_pc *pc;
    struct rmi_addr addr;
    enum rmi_pc_state state;
    rm_err err;
    char detail[256];
    char *sdp; /* the newest local description */
    enum rmi_sdp_type sdp_type;
    char candidates[16][RMI_CAND_TEXT_MAX];
    size_t candidate_count;
    uint32_t resolve_id;
    char hostname[RMI_CAND_HOST_MAX];
    uint64_t packets;
};

struct tk_table {
    struct tk_side side[2];
    struct rmi_prng prng;
    struct rmi_rng rng;
    int64_t now_us;
    struct tk_datagram *queue;
    size_t count;
    /* Looks at each datagram before its delivery and may change it; NULL = none. */
    void (*tamper)(struct tk_table *t, struct tk_datagram *d);
    void *tamper_ctx;
};

static inline void tk_send(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    struct tk_side *s = ctx;
    struct tk_table *t = s->table;
    assert_int_equal(base, TK_BASE);
    assert_in_range(len, 1, RMI_DATAGRAM_MTU);
    if (t->count == TK_DATAGRAMS || !rmi_addr_equal(to, &t->side[!s->index].addr))
        return; /* as a network does with the superfluous and the unroutable */
    struct tk_datagram *d = &t->queue[t->count++];
    d->to = !s->index;
    d->len = len;
    memcpy(d->data, data, len);
}

static inline void tk_packet(void *ctx, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data, size_t len) {
    struct tk_side *s = ctx;
    (void)ecn;
    (void)now_us;
    (void)rtcp;
    (void)data;
    (void)len;
    s->packets++;
}

static inline void tk_take_events(struct tk_side *s) {
    struct rmi_pc_event ev;
    while (rmi_pc_poll_event(s->pc, &ev)) {
        switch (ev.type) {
        case RMI_PC_EV_STATE:
            s->state = ev.state;
            s->err = ev.err;
            snprintf(s->detail, sizeof s->detail, "%s", ev.detail);
            break;
        case RMI_PC_EV_LOCAL_DESCRIPTION:
            free(s->sdp);
            s->sdp = ev.sdp;
            s->sdp_type = ev.sdp_type;
            break;
        case RMI_PC_EV_LOCAL_CANDIDATE:
            assert_true(s->candidate_count < 16);
            memcpy(s->candidates[s->candidate_count++], ev.text, sizeof ev.text);
            break;
        case RMI_PC_EV_RESOLVE:
            s->resolve_id = ev.resolve_id;
            memcpy(s->hostname, ev.hostname, sizeof s->hostname);
            break;
        case RMI_PC_EV_SELECTED_PAIR:
        case RMI_PC_EV_SILENCE:
            break;
        }
    }
}

static inline void tk_add_host(struct tk_side *s) {
    struct rmi_candidate c = {.foundation = "1",
                              .component = 1,
                              .udp = true,
                              .priority = rmi_candidate_priority(RMI_CAND_HOST, 65535, 1),
                              .addr = s->addr,
                              .type = RMI_CAND_HOST};
    rmi_pc_local_candidate(s->pc, s->table->now_us, TK_BASE, &c);
    rmi_pc_local_done(s->pc, s->table->now_us);
    tk_take_events(s);
}

static inline void tk_open(struct tk_table *t, const struct rmi_pc_config *overrides) {
    static const char *const names[] = {"alice", "bob"};
    static const char *const addrs[] = {"192.0.2.1", "192.0.2.2"};
    memset(t, 0, sizeof *t);
    t->now_us = RMI_SEC(1000);
    rmt_virtual_time_set(t->now_us);
    rmt_virtual_rand_seed(7);
    rmi_prng_seed(&t->prng, 7);
    t->rng = rmi_prng_rng(&t->prng);
    t->queue = calloc(TK_DATAGRAMS, sizeof *t->queue);
    assert_non_null(t->queue);
    for (int i = 0; i < 2; i++) {
        struct tk_side *s = &t->side[i];
        s->table = t;
        s->index = i;
        assert_int_equal(rmi_addr_parse(addrs[i], 5000, &s->addr), RM_OK);
        assert_int_equal(rmi_mux_create(&s->mux), RM_OK);
        assert_int_equal(rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S + 1000, &s->cert), RM_OK);
        struct rmi_pc_config c =
            overrides ? overrides[i] : (struct rmi_pc_config){.audio = true, .video = true, .data = true};
        c.rng = t->rng;
        c.video_first = RMI_JSEP_VP9;
        c.name = names[!i];
        c.sink = (struct rmi_sink){.send = tk_send, .ctx = s};
        c.mux = s->mux;
        c.mux_owner = s;
        c.cert = s->cert;
        c.offerer = i == 0;
        c.polite = i == 0;
        c.stream_id = names[i];
        assert_int_equal(rmi_pc_create(&c, t->now_us, &s->pc), RM_OK);
        rmi_pc_on_packet(s->pc, tk_packet, s);
    }
}

static inline void tk_close(struct tk_table *t) {
    for (int i = 0; i < 2; i++) {
        rmi_pc_destroy(&t->side[i].pc);
        rmi_mux_destroy(&t->side[i].mux);
        rmi_dtls_cert_unref(&t->side[i].cert);
        free(t->side[i].sdp);
    }
    free(t->queue);
}

/* Gives the newest description of one side to the other. */
static inline rm_err tk_describe(struct tk_table *t, int from, char detail[256]) {
    struct tk_side *s = &t->side[from], *o = &t->side[!from];
    assert_non_null(s->sdp);
    rm_err err = rmi_pc_remote_description(o->pc, t->now_us, s->sdp_type, s->sdp, strlen(s->sdp), detail);
    tk_take_events(o);
    return err;
}

static inline void tk_deliver(struct tk_table *t) {
    while (t->count) {
        struct tk_datagram d = t->queue[0];
        memmove(t->queue, t->queue + 1, --t->count * sizeof *t->queue);
        if (t->tamper)
            t->tamper(t, &d);
        if (!d.len)
            continue;
        struct tk_side *s = &t->side[d.to];
        rmi_pc_input(s->pc, t->now_us, TK_BASE, &t->side[!d.to].addr, RMI_ECN_NOT_ECT, d.data, d.len);
        tk_take_events(s);
    }
}

static inline void tk_run(struct tk_table *t, int64_t duration_us) {
    int64_t end = t->now_us + duration_us;
    for (;;) {
        tk_deliver(t);
        int64_t next = rmi_min64(rmi_pc_next_deadline(t->side[0].pc), rmi_pc_next_deadline(t->side[1].pc));
        if (next > end)
            break;
        t->now_us = rmi_max64(next, t->now_us + 1);
        rmt_virtual_time_set(t->now_us);
        for (int i = 0; i < 2; i++) {
            rmi_pc_timeout(t->side[i].pc, t->now_us);
            tk_take_events(&t->side[i]);
        }
    }
    t->now_us = end;
    rmt_virtual_time_set(end);
}

/* Offer, answer, candidates, and time to connect. */
static inline void tk_connect(struct tk_table *t) {
    char detail[256];
    tk_add_host(&t->side[0]);
    tk_add_host(&t->side[1]);
    assert_int_equal(rmi_pc_offer(t->side[0].pc, t->now_us), RM_OK);
    tk_take_events(&t->side[0]);
    assert_int_equal(tk_describe(t, 0, detail), RM_OK);
    assert_int_equal(tk_describe(t, 1, detail), RM_OK);
    tk_run(t, RMI_SEC(1));
}

#endif
