/* SPDX-License-Identifier: Apache-2.0 */
/* Bad input at every step: nothing crashes, nothing forged gets through, what is whole still connects. */
#include "peer/connection_testkit.h"

static void truncated_descriptions_are_refused_or_harmless(void **state) {
    (void)state;
    struct tk_table t;
    char detail[256];
    tk_open(&t, NULL);
    tk_add_host(&t.side[0]);
    assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
    tk_take_events(&t.side[0]);
    size_t len = strlen(t.side[0].sdp), refused = 0;
    for (size_t n = 0; n < len; n += 7) { /* the parser has its own sweep of every length */
        struct tk_table v;
        tk_open(&v, NULL);
        rm_err err = rmi_pc_remote_description(v.side[1].pc, v.now_us, RMI_SDP_OFFER, t.side[0].sdp, n, detail);
        refused += err != RM_OK;
        assert_true(err == RM_OK || detail[0] != '\0');
        tk_take_events(&v.side[1]);
        tk_close(&v);
    }
    assert_true(refused > len / 140); /* everything before the first whole media section */
    tk_close(&t);
}

static void every_truncated_candidate_is_refused_or_harmless(void **state) {
    (void)state;
    struct tk_table t;
    static const char good[] =
        "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ srflx raddr 10.0.0.1 rport 5001 ufrag abcd";
    tk_open(&t, NULL);
    tk_connect(&t);
    for (size_t n = 1; n < sizeof good; n++)
        rmi_pc_remote_candidate(t.side[1].pc, t.now_us, good, n);
    char huge[2000];
    memset(huge, 'a', sizeof huge);
    assert_int_equal(rmi_pc_remote_candidate(t.side[1].pc, t.now_us, huge, sizeof huge), RM_E_TOO_BIG);
    tk_take_events(&t.side[1]);
    tk_run(&t, RMI_SEC(1));
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    struct rmi_pc_stats stats;
    rmi_pc_get_stats(t.side[1].pc, &stats);
    assert_true(stats.drop_candidates > 60);
    tk_close(&t);
}

struct sweep {
    struct tk_table *t;
    size_t seen;
};

/* Before each real datagram its truncations and damaged copies arrive, from the peer's own address. */
static void damaged_copies_first(struct tk_table *t, struct tk_datagram *d) {
    struct sweep *s = t->tamper_ctx;
    struct tk_side *to = &t->side[d->to];
    uint8_t copy[RMI_DATAGRAM_MAX];
    bool handshake = d->data[0] >= 20 && d->data[0] <= 63;
    s->seen++;
    for (size_t n = 0; n < d->len; n += 1 + n / 64) {
        memcpy(copy, d->data, n);
        rmi_pc_input(to->pc, t->now_us, TK_BASE, &t->side[!d->to].addr, RMI_ECN_NOT_ECT, copy, n);
        /* A bit flipped inside a handshake message is the peer's own voice gone wrong: DTLS 1.2 has no way to tell
         * before its Finished, so those may end the handshake. Its record header, and everything else, must not. */
        size_t at = handshake ? n % 13 : n;
        memcpy(copy, d->data, d->len);
        copy[at] ^= (uint8_t)(1u << (n % 8));
        rmi_pc_input(to->pc, t->now_us, TK_BASE, &t->side[!d->to].addr, RMI_ECN_NOT_ECT, copy, d->len);
        tk_take_events(to);
    }
}

static void damaged_datagrams_do_not_stop_the_whole_ones(void **state) {
    (void)state;
    struct tk_table t;
    tk_open(&t, NULL);
    struct sweep s = {.t = &t};
    t.tamper = damaged_copies_first;
    t.tamper_ctx = &s;
    tk_connect(&t);
    tk_run(&t, RMI_SEC(3));
    assert_int_equal(t.side[0].state, RMI_PC_CONNECTED);
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    uint8_t room[RMI_HEADROOM + 200] = {0};
    for (uint8_t i = 0; i < 10; i++) {
        uint8_t *rtp = room + RMI_HEADROOM;
        memset(rtp, 0, 100);
        rtp[0] = 0x80;
        rtp[1] = 111;
        rtp[3] = i;
        assert_int_equal(rmi_pc_send(t.side[0].pc, t.now_us, false, rtp, 60, 60 + RMI_SRTP_TRAILER_MAX), RM_OK);
        memset(rtp, 0, 100);
        rtp[0] = 0x80;
        rtp[1] = 200;
        rtp[3] = 6; /* seven words */
        assert_int_equal(rmi_pc_send(t.side[0].pc, t.now_us, true, rtp, 28, 28 + RMI_SRTP_TRAILER_MAX), RM_OK);
        tk_deliver(&t);
    }
    assert_int_equal(t.side[1].packets, 20); /* not one forged, not one lost */
    struct rmi_pc_stats stats;
    rmi_pc_get_stats(t.side[1].pc, &stats);
    assert_true(stats.drop_srtp > 100);
    assert_true(s.seen > 20);
    tk_close(&t);
}

static void only_validated_sources_are_heard(void **state) {
    (void)state;
    struct tk_table t;
    tk_open(&t, NULL);
    tk_connect(&t);
    struct rmi_addr stranger;
    assert_int_equal(rmi_addr_parse("203.0.113.9", 4000, &stranger), RM_OK);
    uint8_t data[64] = {22, 0xfe, 0xfd};
    for (int kind = 0; kind < 3; kind++) {
        struct rmi_pc_stats before, after;
        rmi_pc_get_stats(t.side[1].pc, &before);
        data[0] = kind == 0 ? 22 : 0x80;
        data[1] = kind == 2 ? 200 : kind == 1 ? 111 : 0xfe;
        rmi_pc_input(t.side[1].pc, t.now_us, TK_BASE, &stranger, RMI_ECN_NOT_ECT, data, sizeof data);
        rmi_pc_get_stats(t.side[1].pc, &after);
        assert_int_equal(after.drop_unvalidated, before.drop_unvalidated + 1);
    }
    tk_take_events(&t.side[1]);
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    tk_close(&t);
}

static void drop_dtls(struct tk_table *t, struct tk_datagram *d) {
    (void)t;
    if (d->data[0] >= 20 && d->data[0] <= 63)
        d->len = 0;
}

/* Closing and destroying in every state on the way. */
static void closing_is_fine_at_any_step(void **state) {
    (void)state;
    for (int step = 0; step < 6; step++) {
        struct tk_table t;
        char detail[256];
        tk_open(&t, NULL);
        tk_add_host(&t.side[0]);
        tk_add_host(&t.side[1]);
        if (step >= 1)
            assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
        tk_take_events(&t.side[0]);
        if (step >= 2)
            assert_int_equal(tk_describe(&t, 0, detail), RM_OK);
        if (step >= 3)
            assert_int_equal(tk_describe(&t, 1, detail), RM_OK);
        if (step == 4) {
            t.tamper = drop_dtls;
            tk_run(&t, RMI_MS(200));
            assert_int_equal(t.side[0].state, RMI_PC_CONNECTING);
        }
        if (step == 5)
            tk_run(&t, RMI_SEC(1));
        for (int i = 0; i < 2; i++) {
            rmi_pc_close(t.side[i].pc, t.now_us);
            tk_take_events(&t.side[i]);
            assert_int_equal(t.side[i].state, RMI_PC_CLOSED);
            assert_int_equal(rmi_pc_offer(t.side[i].pc, t.now_us), RM_E_CLOSED);
            assert_int_equal(rmi_pc_remote_candidate(t.side[i].pc, t.now_us, "x", 1), RM_E_CLOSED);
            assert_true(rmi_pc_next_deadline(t.side[i].pc) == RMI_NEVER);
        }
        tk_close(&t);
    }
}

static void a_handshake_that_never_ends_fails_in_time(void **state) {
    (void)state;
    struct tk_table t;
    tk_open(&t, NULL);
    t.tamper = drop_dtls;
    tk_connect(&t);
    tk_run(&t, RMI_SEC(30));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(t.side[i].state, RMI_PC_FAILED);
        assert_int_equal(t.side[i].err, RM_E_DTLS_TIMEOUT);
    }
    tk_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_descriptions_are_refused_or_harmless),
        cmocka_unit_test(every_truncated_candidate_is_refused_or_harmless),
        cmocka_unit_test(damaged_datagrams_do_not_stop_the_whole_ones),
        cmocka_unit_test(only_validated_sources_are_heard),
        cmocka_unit_test(closing_is_fine_at_any_step),
        cmocka_unit_test(a_handshake_that_never_ends_fails_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
