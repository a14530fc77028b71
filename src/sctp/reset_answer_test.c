/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/channels.h"
#include "sctp/dcep.h"
#include "sctp/inject_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAM 6
#define OTHER 8
#define HELD_US RMI_MS(200)
#define DELAY_US RMI_MS(10)
enum { PERFORMED = 1, IN_PROGRESS = 6 }; /* RFC 6525 4.4 */

/* When what a peer asks for is answered (RFC 6525 5.2.2). Side 0 asks, side 1 answers. */
struct world {
    struct test_pair p;
    int messages, resets_in, resets_out; /* of side 1; the second of side 0 where 1 has channels; the last of side 0 */
    int64_t reset_out_us;
    bool follows;
    char params[16]; /* of side 1: A an answer, R a request, a space before each chunk */
    uint32_t result;
    struct rmi_channels *channels; /* of side 1, or NULL */
    int opened, closed;
};

static void note(struct world *w, const struct test_packet *packet) {
    struct rmi_rd r = rmi_rd_init(packet->data, packet->len);
    struct rmi_sctp_header h;
    struct rmi_sctp_chunk c;
    if (!rmi_sctp_header_parse(&r, &h) || !rmi_sctp_chunk_next(&r, &c) || c.type != RMI_SCTP_RE_CONFIG)
        return;
    strncat(w->params, " ", sizeof w->params - strlen(w->params) - 1);
    for (struct rmi_sctp_param q; rmi_sctp_param_next(&c.value, &q);) {
        const bool request = q.type == RMI_SCTP_P_RESET_OUT_REQUEST;
        strncat(w->params, request ? "R" : "A", sizeof w->params - strlen(w->params) - 1);
        (void)rmi_rd_u32(&q.value);
        if (!request)
            w->result = rmi_rd_u32(&q.value);
    }
}

static void open_again(struct world *w) {
    uint8_t bytes[64];
    const struct rmi_dcep_open open = {.label = "again", .label_len = 5};
    const size_t len = rmi_dcep_open_write(&open, bytes, sizeof bytes);
    assert_int_equal(rmi_sctp_send(w->p.end[0].a, w->p.now_us, STREAM, RMI_PPID_DCEP, NULL, bytes, len), RM_OK);
    rmi_sctp_flush(w->p.end[0].a, w->p.now_us);
}

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    if (side == 0) {
        if (w->channels && e->type == RMI_SCTP_EV_RESET_IN) { /* of the first channel, as the second is not there yet */
            assert_true(w->resets_out == 0 || p->now_us == w->reset_out_us);
            w->resets_in++;
        }
        if (e->type != RMI_SCTP_EV_RESET_OUT)
            return;
        assert_int_equal(e->err, RM_OK);
        w->resets_out++;
        w->reset_out_us = p->now_us;
        if (w->channels) /* a peer that does not wait for our direction to be closed */
            open_again(w);
        return;
    }
    w->messages += e->type == RMI_SCTP_EV_MESSAGE;
    if (e->type != RMI_SCTP_EV_RESET_IN)
        return;
    w->resets_in++;
    if (w->follows)
        assert_int_equal(rmi_sctp_reset_stream(p->end[1].a, p->now_us, e->stream), RM_OK);
}

static void read_channels(struct test_pair *p, int side) {
    struct world *w = p->user;
    struct rmi_channels_event e;
    while (side == 1 && w->channels && rmi_channels_poll_event(w->channels, p->now_us, &e)) {
        w->opened += e.type == RMI_CHANNELS_EV_NEW;
        w->closed += e.type == RMI_CHANNELS_EV_CLOSED;
    }
}

/* With what side 1 sends noted; packets of a RE-CONFIG are those that come without another chunk. */
static void run(struct world *w, int64_t us) {
    const int64_t until_us = w->p.now_us + us;
    uint64_t seen = 0;
    do {
        for (const struct test_link *l = &w->p.end[1].out; seen < l->order; seen++)
            for (size_t i = 0; i < l->count; i++)
                if (l->heap[i].order == seen)
                    note(w, &l->heap[i]);
    } while (test_pair_step(&w->p, until_us));
}

static void begin(struct world *w, bool channels, bool interleaving) {
    const struct test_link_config link = {.delay_us = DELAY_US};
    const struct rmi_sctp_config config[2] = {{.no_interleaving = !interleaving}, {.no_interleaving = !interleaving}};
    memset(w, 0, sizeof *w);
    w->p.user = w;
    w->p.on_event = on_event;
    test_pair_open(&w->p, 11, &link, config);
    if (channels) {
        assert_int_equal(rmi_channels_create(w->p.end[1].a, false, NULL, "t", &w->channels), RM_OK);
        w->p.on_step = read_channels;
        w->p.no_reading[1] = true; /* the channels read */
    }
    test_pair_start(&w->p);
    test_pair_run(&w->p, w->p.now_us + RMI_SEC(1));
    assert_int_equal(rmi_sctp_state_of(w->p.end[1].a), RMI_SCTP_ESTABLISHED);
}

static void end(struct world *w) {
    rmi_channels_destroy(&w->channels);
    test_pair_close(&w->p);
}

static void give(struct world *w, int side, uint16_t stream) {
    assert_int_equal(rmi_sctp_send(w->p.end[side].a, w->p.now_us, stream, RMI_PPID_STRING, NULL, "x", 1), RM_OK);
    rmi_sctp_flush(w->p.end[side].a, w->p.now_us);
}

static void the_answer_comes_with_our_own_request(void **state) {
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct world w;
        begin(&w, false, true);
        w.follows = true;
        give(&w, 0, STREAM);
        give(&w, 1, STREAM);
        run(&w, RMI_SEC(1));
        memset(w.params, 0, sizeof w.params);
        assert_int_equal(rmi_sctp_reset_stream(w.p.end[0].a, w.p.now_us, STREAM), RM_OK);
        const int64_t since_us = w.p.now_us;
        if (busy) { /* our last words are under way when the request comes */
            run(&w, DELAY_US / 2);
            give(&w, 1, STREAM);
        }
        run(&w, RMI_SEC(1));
        assert_string_equal(w.params, " AR");
        assert_int_equal(w.result, PERFORMED);
        assert_int_equal(w.resets_out, 1);
        assert_true(w.reset_out_us - since_us < 8 * DELAY_US);
        end(&w);
    }
}

static void who_does_not_follow_answers_alone(void **state) {
    (void)state;
    struct world w;
    begin(&w, false, true);
    give(&w, 0, STREAM);
    run(&w, RMI_SEC(1));
    memset(w.params, 0, sizeof w.params);
    const int64_t since_us = w.p.now_us;
    assert_int_equal(rmi_sctp_reset_stream(w.p.end[0].a, w.p.now_us, STREAM), RM_OK);
    run(&w, RMI_SEC(1));
    assert_int_equal(w.params[1], 'A');
    assert_null(strchr(w.params, 'R'));
    assert_int_equal(w.resets_out, 1);
    assert_true(w.reset_out_us - since_us <= HELD_US + 2 * DELAY_US);
    /* The other way round ours is closed already: nothing is waited for. */
    assert_int_equal(rmi_sctp_reset_stream(w.p.end[1].a, w.p.now_us, OTHER), RM_OK);
    run(&w, RMI_SEC(1));
    const int64_t other_us = w.p.now_us;
    assert_int_equal(rmi_sctp_reset_stream(w.p.end[0].a, w.p.now_us, OTHER), RM_OK);
    run(&w, RMI_SEC(1));
    assert_int_equal(w.resets_out, 2);
    assert_int_equal(w.reset_out_us - other_us, 2 * DELAY_US);
    end(&w);
}

/* One request for two streams: ours of the one is closed before, and its id is used again while we have still to close
 * the other. */
static void nothing_new_goes_before_the_answer(void **state) {
    (void)state;
    struct world w;
    begin(&w, false, true);
    struct rmi_sctp *peer = w.p.end[0].a, *a = w.p.end[1].a;
    assert_int_equal(rmi_sctp_reset_stream(a, w.p.now_us, OTHER), RM_OK);
    run(&w, RMI_SEC(1));
    memset(w.params, 0, sizeof w.params);
    /* Its request for the first is under way, so that the next one names two. */
    assert_int_equal(rmi_sctp_reset_stream(peer, w.p.now_us, STREAM + 4), RM_OK);
    assert_int_equal(rmi_sctp_reset_stream(peer, w.p.now_us, STREAM), RM_OK);
    assert_int_equal(rmi_sctp_reset_stream(peer, w.p.now_us, OTHER), RM_OK);
    while (w.resets_in < 3) {
        if (w.resets_in == 1 && a->reset_answer_held) /* the first: without waiting for the end of its time */
            assert_int_equal(rmi_sctp_reset_stream(a, w.p.now_us, STREAM + 4), RM_OK);
        assert_true(test_pair_step(&w.p, w.p.now_us + RMI_SEC(1)));
    }
    assert_true(a->reset_answer_held);
    const uint64_t before = w.p.end[1].packets;
    give(&w, 1, OTHER);
    assert_false(a->reset_answer_held);
    assert_int_equal(w.p.end[1].packets, before + 2); /* the answer, and then the new message */
    const struct test_link *l = &w.p.end[1].out;
    w.result = IN_PROGRESS;
    note(&w, &l->heap[0]);
    assert_int_equal(w.result, PERFORMED);
    run(&w, RMI_SEC(1));
    assert_int_equal(w.resets_out, 3);
    end(&w);
}

/* aiortc 1.4: an id is used again as soon as the peer's own direction is closed, and a reset of ours that comes later
 * would close the new channel. */
static void an_id_used_again_at_once_stays_open(void **state) {
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct world w;
        begin(&w, true, false); /* as with aiortc */
        open_again(&w);
        run(&w, RMI_SEC(1));
        assert_int_equal(w.opened, 1);
        assert_int_equal(rmi_sctp_reset_stream(w.p.end[0].a, w.p.now_us, STREAM), RM_OK);
        if (busy) {
            run(&w, DELAY_US / 2);
            assert_int_equal(rmi_channels_send(w.channels, w.p.now_us, STREAM, false, "last", 4), RM_OK);
            rmi_channels_flush(w.channels, w.p.now_us);
        }
        run(&w, RMI_SEC(5));
        assert_int_equal(w.resets_out, 1);
        assert_int_equal(w.resets_in, 1);
        assert_int_equal(w.closed, 1);
        assert_int_equal(w.opened, 2);
        assert_int_equal(rmi_channels_send(w.channels, w.p.now_us, STREAM, false, "x", 1), RM_OK);
        end(&w);
    }
}

/* ---- a reset overtakes data ---- */

static void send_data(struct world *w, uint32_t tsn, uint16_t stream, uint32_t mid) {
    const struct rmi_sctp_data d = {.flags = RMI_SCTP_FLAG_BEGIN | RMI_SCTP_FLAG_END,
                                    .stream = stream,
                                    .tsn = tsn,
                                    .mid = mid,
                                    .ppid = RMI_PPID_STRING,
                                    .bytes = (const uint8_t *)"x",
                                    .len = 1};
    test_inject_data(w->p.end[1].a, w->p.now_us, &d);
}

static void ask(struct world *w, uint32_t seq, uint32_t last_tsn) {
    struct test_packet_out o;
    struct rmi_wr *wr = test_inject_begin(&o, w->p.end[1].a);
    const size_t at = rmi_sctp_chunk_begin(wr, RMI_SCTP_RE_CONFIG, 0);
    const size_t q = rmi_sctp_param_begin(wr, RMI_SCTP_P_RESET_OUT_REQUEST);
    rmi_wr_u32(wr, seq);
    rmi_wr_u32(wr, 0);
    rmi_wr_u32(wr, last_tsn);
    rmi_wr_u16(wr, STREAM);
    rmi_sctp_tlv_end(wr, q);
    rmi_sctp_tlv_end(wr, at);
    test_inject(&o, w->p.end[1].a, w->p.now_us);
}

/* What side 1 says goes nowhere: the peer is this test. */
static void look(struct world *w) {
    struct rmi_sctp_event e;
    while (w->p.end[1].out.count > 0) {
        struct test_packet packet = test_link_pop(&w->p.end[1].out);
        note(w, &packet);
        free(packet.data);
    }
    while (rmi_sctp_poll_event(w->p.end[1].a, &e))
        on_event(&w->p, 1, &e);
}

static void what_was_sent_before_a_reset_is_waited_for(void **state) {
    (void)state;
    for (int gives_up = 0; gives_up < 2; gives_up++) {
        struct world w;
        begin(&w, false, !gives_up);
        struct rmi_sctp *a = w.p.end[1].a;
        const uint32_t tsn = a->recv_cum + 1, seq = a->reset_peer_seq;
        send_data(&w, tsn, STREAM, 0);
        ask(&w, seq, tsn + 1);
        look(&w);
        assert_int_equal(w.messages, 1);
        assert_string_equal(w.params, "");
        w.p.now_us += HELD_US;
        rmi_sctp_timeout(a, w.p.now_us);
        look(&w);
        assert_string_equal(w.params, " A");
        assert_int_equal(w.result, IN_PROGRESS);
        /* A peer that takes this for done. */
        send_data(&w, tsn + 2, STREAM, 0);
        send_data(&w, tsn + 3, OTHER, 0);
        look(&w);
        assert_int_equal(w.messages, 2);
        assert_int_equal(w.resets_in, 0);
        ask(&w, seq, tsn + 1); /* and one that does not */
        look(&w);
        assert_string_equal(w.params, " A A");
        assert_int_equal(w.result, IN_PROGRESS);
        if (gives_up)
            test_inject_forward(a, w.p.now_us, tsn + 1);
        else
            send_data(&w, tsn + 1, STREAM, 1);
        look(&w);
        assert_int_equal(w.resets_in, 1);
        assert_string_equal(w.params, " A A A");
        assert_int_equal(w.result, PERFORMED);
        const int before = w.messages;
        send_data(&w, tsn + 2, STREAM, 0); /* sent again, as it was not acknowledged */
        look(&w);
        assert_int_equal(w.messages, before + 1);
        assert_int_equal(a->recv_cum, tsn + 3);
        ask(&w, seq, tsn + 1); /* the answer was lost: nothing is closed again */
        look(&w);
        assert_int_equal(w.resets_in, 1);
        assert_int_equal(w.result, PERFORMED);
        end(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_comes_with_our_own_request),
        cmocka_unit_test(who_does_not_follow_answers_alone),
        cmocka_unit_test(nothing_new_goes_before_the_answer),
        cmocka_unit_test(an_id_used_again_at_once_stays_open),
        cmocka_unit_test(what_was_sent_before_a_reset_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
