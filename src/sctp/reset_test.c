/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/inject_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAM 6
#define OTHER 7
#define NO_RESULT UINT32_MAX
enum { NOTHING = 0, PERFORMED = 1, DENIED = 2, WRONG_STREAM = 3, IN_PROGRESS = 6 }; /* RFC 6525 4.4 */

struct world {
    int messages[2], resets_in[2], resets_out[2], failed;
    rm_err in_err[2], out_err[2];
    uint32_t answered_seq; /* of the response in the last request to reset outgoing streams */
    uint32_t result;       /* of the last response */
};

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    w->messages[side] += e->type == RMI_SCTP_EV_MESSAGE;
    w->failed += e->type == RMI_SCTP_EV_FAILED;
    if (e->type == RMI_SCTP_EV_RESET_IN) {
        w->resets_in[side]++;
        w->in_err[side] = e->err;
    }
    if (e->type == RMI_SCTP_EV_RESET_OUT) {
        w->resets_out[side]++;
        w->out_err[side] = e->err;
    }
}

static void connect_pair(struct test_pair *p, struct world *w) {
    const struct test_link_config link = {.delay_us = RMI_MS(10)};
    const struct rmi_sctp_config config[2] = {{.name = "a"}, {.name = "b"}};
    memset(w, 0, sizeof *w);
    memset(p, 0, sizeof *p);
    p->on_event = on_event;
    p->user = w;
    test_pair_open(p, 11, &link, config);
    test_pair_start(p);
    test_pair_run(p, p->now_us + RMI_SEC(1));
    assert_int_equal(rmi_sctp_state_of(p->end[1].a), RMI_SCTP_ESTABLISHED);
}

static void give(struct test_pair *p, int side, uint16_t stream) {
    static const uint8_t bytes[5000];
    assert_int_equal(rmi_sctp_send(p->end[side].a, p->now_us, stream, 53, NULL, bytes, sizeof bytes), RM_OK);
    rmi_sctp_flush(p->end[side].a, p->now_us);
}

/* Notes the parameters of a RE-CONFIG under way from a side; false: the packet is something else. */
static bool note(struct world *w, const struct test_packet *packet) {
    struct rmi_rd r = rmi_rd_init(packet->data, packet->len);
    struct rmi_sctp_header h;
    struct rmi_sctp_chunk c;
    if (!rmi_sctp_header_parse(&r, &h) || !rmi_sctp_chunk_next(&r, &c) || c.type != RMI_SCTP_RE_CONFIG)
        return false;
    for (struct rmi_sctp_param q; rmi_sctp_param_next(&c.value, &q);) {
        (void)rmi_rd_u32(&q.value);
        if (q.type == RMI_SCTP_P_RESET_OUT_REQUEST)
            w->answered_seq = rmi_rd_u32(&q.value);
        else if (q.type == RMI_SCTP_P_RESET_RESPONSE)
            w->result = rmi_rd_u32(&q.value);
    }
    return true;
}

/* As if side 0 asked side 1 to close this stream (RFC 6525 4.2). What it answers at once is noted. */
static void ask(struct test_pair *p, struct world *w, uint32_t seq, int stream) {
    struct test_packet_out o;
    struct rmi_wr *wr = test_inject_begin(&o, p->end[1].a);
    const size_t at = rmi_sctp_chunk_begin(wr, RMI_SCTP_RE_CONFIG, 0);
    const size_t q = rmi_sctp_param_begin(wr, RMI_SCTP_P_RESET_IN_REQUEST);
    rmi_wr_u32(wr, seq);
    if (stream >= 0)
        rmi_wr_u16(wr, (uint16_t)stream);
    rmi_sctp_tlv_end(wr, q);
    rmi_sctp_tlv_end(wr, at);
    w->result = NO_RESULT;
    test_inject(&o, p->end[1].a, p->now_us);
    for (size_t i = 0; i < p->end[1].out.count; i++)
        (void)note(w, &p->end[1].out.heap[i]);
}

static void a_peer_may_ask_for_our_streams_to_be_closed(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        struct test_pair p;
        struct world w;
        connect_pair(&p, &w);
        struct rmi_sctp *a = p.end[1].a;
        const uint32_t seq = a->reset_peer_seq;
        const int which = all ? -1 : STREAM;
        give(&p, 1, STREAM);
        ask(&p, &w, seq, which);
        assert_int_equal(w.result, IN_PROGRESS); /* first all of it is delivered */
        assert_int_equal(rmi_sctp_send(a, p.now_us, STREAM, 53, NULL, "x", 1), RM_E_STATE);
        ask(&p, &w, seq, which);
        assert_int_equal(w.result, IN_PROGRESS);
        test_pair_run(&p, p.now_us + RMI_SEC(1));
        assert_int_equal(w.messages[0], 1);
        assert_int_equal(w.resets_in[0], 1);
        assert_int_equal(w.resets_out[1], 1);
        assert_int_equal(w.out_err[1], RM_OK);
        ask(&p, &w, seq, which); /* the answer was lost */
        assert_int_equal(w.result, PERFORMED);
        ask(&p, &w, seq + 1, which); /* at its beginning already */
        assert_int_equal(w.result, NOTHING);
        ask(&p, &w, seq + 2, RMI_SCTP_STREAMS);
        assert_int_equal(w.result, WRONG_STREAM);
        give(&p, 1, STREAM);
        ask(&p, &w, seq + 2, STREAM); /* an old request closes nothing again */
        assert_int_equal(w.result, WRONG_STREAM);
        test_pair_run(&p, p.now_us + RMI_SEC(1));
        assert_int_equal(w.messages[0], 2);
        assert_int_equal(w.resets_out[1], 1);
        test_pair_close(&p);
    }
}

static void our_request_names_the_one_it_answers(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w);
    const uint32_t seq = p.end[1].a->reset_peer_seq;
    give(&p, 1, STREAM);
    test_pair_run(&p, p.now_us + RMI_SEC(1)); /* delivered: the request goes at once */
    ask(&p, &w, seq, STREAM);
    assert_int_equal(w.answered_seq, seq);
    test_pair_close(&p);
}

static void a_peer_that_does_not_follow_is_waited_for_ten_seconds(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w);
    give(&p, 0, STREAM);
    assert_int_equal(rmi_sctp_reset_stream(p.end[0].a, p.now_us, STREAM), RM_OK);
    for (int i = 0; i < 4; i++) { /* it still has something to say */
        test_pair_run(&p, p.now_us + RMI_SEC(5));
        assert_int_equal(w.resets_out[0], 1);
        assert_int_equal(w.resets_in[0], 0);
        give(&p, 1, STREAM);
    }
    test_pair_run(&p, p.now_us + RMI_SEC(9));
    assert_int_equal(w.resets_in[0], 0);
    test_pair_run(&p, p.now_us + RMI_SEC(2));
    assert_int_equal(w.messages[0], 4);
    assert_int_equal(w.resets_in[0], 1);
    assert_int_equal(w.in_err[0], RM_E_TIMEOUT);
    /* One that follows, or was first, is not. */
    for (int first = 0; first < 2; first++) {
        assert_int_equal(rmi_sctp_reset_stream(p.end[first].a, p.now_us, OTHER), RM_OK);
        test_pair_run(&p, p.now_us + RMI_SEC(1));
        assert_int_equal(rmi_sctp_reset_stream(p.end[!first].a, p.now_us, OTHER), RM_OK);
        test_pair_run(&p, p.now_us + RMI_SEC(30));
        assert_int_equal(w.in_err[first], RM_OK);
        assert_int_equal(w.resets_in[0], 2 + first);
    }
    assert_int_equal(w.failed, 0);
    test_pair_close(&p);
}

static void a_peer_that_never_answers_is_asked_for_half_a_minute(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w);
    assert_int_equal(rmi_sctp_reset_stream(p.end[0].a, p.now_us, STREAM), RM_OK);
    const int64_t end_us = p.now_us + RMI_SEC(40);
    for (int64_t next_us = p.now_us; p.now_us < end_us;) {
        struct test_link *l = &p.end[0].out;
        if (l->count > 0 && note(&w, &l->heap[0]))
            free(test_link_pop(l).data);
        else
            test_pair_step(&p, p.now_us + RMI_MS(100));
        if (p.now_us < next_us)
            continue;
        give(&p, 0, OTHER); /* the path works, which alone must not make it wait for ever */
        next_us += RMI_MS(100);
        if (p.now_us < end_us - RMI_SEC(11))
            assert_int_equal(w.resets_out[0], 0);
    }
    assert_int_equal(w.resets_out[0], 1);
    assert_int_equal(w.out_err[0], RM_E_TIMEOUT);
    assert_int_equal(w.failed, 0);
    test_pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_may_ask_for_our_streams_to_be_closed),
        cmocka_unit_test(our_request_names_the_one_it_answers),
        cmocka_unit_test(a_peer_that_does_not_follow_is_waited_for_ten_seconds),
        cmocka_unit_test(a_peer_that_never_answers_is_asked_for_half_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
