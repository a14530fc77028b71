/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/inject_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAM 3
#define FRAGMENTS 60
#define ROUNDS 2000
#define LARGE (24 * 1024 * 1024)

struct world {
    int messages;
    rm_err err;
    bool seen[FRAGMENTS]; /* by the first byte: number of the first fragment */
    size_t fragments;
    uint8_t *large;
    int large_right;
};

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    if (side != 1)
        return;
    if (e->type == RMI_SCTP_EV_FAILED)
        w->err = e->err;
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    w->messages++;
    if (w->large) {
        w->large_right += e->len == LARGE && memcmp(e->data, w->large, LARGE) == 0;
        return;
    }
    assert_false(w->seen[e->data[0]]);
    w->seen[e->data[0]] = true;
    for (size_t i = 0; i < e->len; i++) /* a fragment is one byte, its number */
        assert_int_equal(e->data[i], e->data[0] + i);
    w->fragments += e->len;
}

static void connect_pair(struct test_pair *p, struct world *w, bool interleaving, size_t message_max) {
    const struct test_link_config link = {.delay_us = RMI_MS(5)};
    const struct rmi_sctp_config config[2] = {
        {.message_out_max = message_max, .no_interleaving = !interleaving},
        {.message_in_max = message_max, .no_zero_checksum = true},
    };
    memset(w, 0, sizeof *w);
    memset(p, 0, sizeof *p);
    p->on_event = on_event;
    p->user = w;
    test_pair_open(p, 7, &link, config);
    test_pair_start(p);
    test_pair_run(p, p->now_us + RMI_SEC(1));
    assert_int_equal(rmi_sctp_state_of(p->end[1].a), RMI_SCTP_ESTABLISHED);
}

/* Unordered messages of random lengths, whose fragments come in any order and twice, and in half of the rounds a
 * FORWARD TSN somewhere between: what is whole arrives once, what was passed over never, and nothing stays. */
static void unordered_fragments_may_come_in_any_order(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, false, 0);
    struct rmi_sctp *a = p.end[1].a;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (int round = 0; round < ROUNDS; round++) {
        const uint32_t first = a->recv_cum + 1;
        uint8_t flags[FRAGMENTS], order[2 * FRAGMENTS];
        for (int i = 0; i < FRAGMENTS; i++) {
            const bool begin = i == 0 || (flags[i - 1] & RMI_SCTP_FLAG_END);
            const bool end = i == FRAGMENTS - 1 || rmi_prng_next(&prng) % 4 == 0;
            flags[i] =
                (uint8_t)(RMI_SCTP_FLAG_UNORDERED | (begin ? RMI_SCTP_FLAG_BEGIN : 0) | (end ? RMI_SCTP_FLAG_END : 0));
            order[i] = order[FRAGMENTS + i] = (uint8_t)i;
        }
        for (size_t i = 2 * FRAGMENTS - 1; i > 0; i--) {
            const size_t j = rmi_prng_next(&prng) % (i + 1);
            const uint8_t other = order[i];
            order[i] = order[j];
            order[j] = other;
        }
        const bool skips = round % 2;
        const size_t skip_at = rmi_prng_next(&prng) % (2 * FRAGMENTS);
        const uint32_t skip_to = first + (uint32_t)(rmi_prng_next(&prng) % FRAGMENTS);
        memset(w.seen, 0, sizeof w.seen);
        w.fragments = 0;
        for (size_t i = 0; i < sizeof order; i++) {
            const struct rmi_sctp_data d = {.flags = flags[order[i]],
                                            .stream = STREAM,
                                            .tsn = first + order[i],
                                            .ppid = 53,
                                            .bytes = &order[i],
                                            .len = 1};
            if (skips && i == skip_at)
                test_inject_forward(a, p.now_us, skip_to);
            test_inject_data(a, p.now_us, &d);
            test_pair_drain(&p, 1);
        }
        assert_int_equal(w.err, RM_OK);
        assert_int_equal(a->recv_cum, first + FRAGMENTS - 1);
        if (!skips)
            assert_int_equal(w.fragments, FRAGMENTS);
        test_inject_forward(a, p.now_us, a->recv_cum); /* parts of what was passed over go with it */
        test_inject_forward(a, p.now_us, a->recv_cum + 1);
        test_pair_drain(&p, 1);
        assert_int_equal(a->held, 0);
        while (p.end[1].out.count > 0) /* acknowledgements, which the real peer would take for nonsense */
            free(test_link_pop(&p.end[1].out).data);
    }
    assert_in_range(w.messages, ROUNDS, ROUNDS * FRAGMENTS);
    test_pair_close(&p);
}

/* Numbers that fall while TSNs rise would make each search walk over everything. */
static void numbers_against_the_order_of_tsns_end_the_association(void **state) {
    (void)state;
    for (int fragments = 0; fragments < 2; fragments++)
        for (int unordered = 0; unordered < 2; unordered++) {
            struct test_pair p;
            struct world w;
            connect_pair(&p, &w, true, 0);
            struct rmi_sctp *a = p.end[1].a;
            for (uint32_t i = 0; i < 2; i++) {
                const struct rmi_sctp_data d = {.flags = (uint8_t)(unordered ? RMI_SCTP_FLAG_UNORDERED : 0),
                                                .stream = STREAM,
                                                .tsn = a->recv_cum + 1,
                                                .mid = fragments ? 0 : 10 - i,
                                                .fsn = fragments ? 10 - i : 5,
                                                .bytes = (const uint8_t *)"x",
                                                .len = 1};
                test_inject_data(a, p.now_us, &d);
            }
            test_pair_drain(&p, 1);
            assert_int_equal(w.err, RM_E_PARSE);
            test_pair_close(&p);
        }
}

/* Fragments of a message that the peer passed over may still be under way, with TSNs behind what it named. */
static void rests_of_what_was_passed_over_are_ignored(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, true, 0);
    struct rmi_sctp *a = p.end[1].a;
    const uint32_t first = a->recv_cum + 1;
    struct test_packet_out o;
    struct rmi_wr *wr = test_inject_begin(&o, a);
    const size_t at = rmi_sctp_chunk_begin(wr, RMI_SCTP_I_FORWARD_TSN, 0);
    rmi_wr_u32(wr, first);
    rmi_wr_u16(wr, STREAM);
    rmi_wr_u16(wr, 0);
    rmi_wr_u32(wr, 0); /* message 0 */
    rmi_sctp_tlv_end(wr, at);
    test_inject(&o, a, p.now_us);
    struct rmi_sctp_data d = {.stream = STREAM, .tsn = first + 1, .fsn = 1, .bytes = (const uint8_t *)"x", .len = 1};
    test_inject_data(a, p.now_us, &d);
    assert_int_equal(a->recv_cum, first + 1);
    assert_int_equal(a->held, 0);
    d = (struct rmi_sctp_data){.flags = RMI_SCTP_FLAG_BEGIN | RMI_SCTP_FLAG_END,
                               .stream = STREAM,
                               .tsn = first + 2,
                               .mid = 1,
                               .bytes = (const uint8_t *)"\0",
                               .len = 1};
    test_inject_data(a, p.now_us, &d);
    test_pair_drain(&p, 1);
    assert_int_equal(w.messages, 1);
    assert_int_equal(w.err, RM_OK);
    test_pair_close(&p);
}

/* 24 MiB, ordered and not, with and without interleaving; and nothing of that size stays when it is over. */
static void the_largest_messages_are_put_together(void **state) {
    (void)state;
    uint8_t *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 13 + i / 509);
    for (int kind = 0; kind < 4; kind++) {
        struct test_pair p;
        struct world w;
        struct rmi_sctp_stats s;
        const struct rmi_sctp_send_options o = {.unordered = kind & 1};
        connect_pair(&p, &w, kind & 2, LARGE);
        for (int i = 0; i < 2; i++) {
            p.end[i].out.c.rate_bps = 500000000;
            p.end[i].out.c.queue_us = RMI_MS(20);
            p.end[i].out.c.loss_permille = 1;
        }
        w.large = large;
        rmi_sctp_get_stats(p.end[1].a, &s);
        assert_int_equal(s.recv_held, 0); /* nothing beforehand */
        assert_null(p.end[1].a->whole);
        assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, STREAM, 53, &o, large, LARGE), RM_OK);
        rmi_sctp_flush(p.end[0].a, p.now_us);
        test_pair_run(&p, p.now_us + RMI_SEC(20));
        assert_int_equal(w.err, RM_OK);
        assert_int_equal(w.large_right, 1);
        test_pair_run(&p, p.now_us + RMI_SEC(90));
        for (int i = 0; i < 2; i++) {
            size_t kept = 0;
            RMI_LIST_FOREACH (node, next, &p.end[i].a->free_large)
                kept++;
            assert_in_range(kept, 0, 32);
            assert_null(p.end[i].a->whole);
        }
        test_pair_close(&p);
    }
    free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unordered_fragments_may_come_in_any_order),
        cmocka_unit_test(numbers_against_the_order_of_tsns_end_the_association),
        cmocka_unit_test(rests_of_what_was_passed_over_are_ignored),
        cmocka_unit_test(the_largest_messages_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
