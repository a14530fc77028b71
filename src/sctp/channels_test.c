/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/channels.h"
#include "sctp/dcep.h"
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct side {
    struct rmi_channels *c;
    int count[RMI_CHANNELS_EV_DOWN + 1];
    uint16_t channel; /* of the last event */
    bool binary;
    size_t len;
    char text[32];
};
struct world {
    struct test_pair p;
    struct side side[2];
};

static void drain(struct test_pair *p, int n) {
    struct world *w = p->user;
    struct side *s = &w->side[n];
    struct rmi_channels_event e;
    while (rmi_channels_poll_event(s->c, p->now_us, &e)) {
        s->count[e.type]++;
        s->channel = e.channel;
        if (e.type != RMI_CHANNELS_EV_MESSAGE)
            continue;
        s->binary = e.binary;
        s->len = e.len;
        memcpy(s->text, e.data, e.len < sizeof s->text ? e.len : sizeof s->text);
    }
}

static void begin(struct world *w, int loss_permille) {
    const struct test_link_config link = {.delay_us = RMI_MS(5), .loss_permille = loss_permille};
    const struct rmi_sctp_config config[2] = {0};
    memset(w, 0, sizeof *w);
    w->p.on_step = drain;
    w->p.no_reading[0] = w->p.no_reading[1] = true; /* the channels read */
    w->p.user = w;
    test_pair_open(&w->p, 7, &link, config);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rmi_channels_create(w->p.end[i].a, i == 0, NULL, "t", &w->side[i].c), RM_OK);
    test_pair_start(&w->p);
}

static void run(struct world *w, int64_t us) {
    for (int i = 0; i < 2; i++) {
        drain(&w->p, i);
        rmi_sctp_flush(w->p.end[i].a, w->p.now_us);
    }
    test_pair_run(&w->p, w->p.now_us + us);
}

static void end(struct world *w) {
    for (int i = 0; i < 2; i++)
        rmi_channels_destroy(&w->side[i].c);
    test_pair_close(&w->p);
}

static void both_sides_open_send_and_close(void **state) {
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct world w;
        begin(&w, 50);
        struct side *me = &w.side[who], *peer = &w.side[!who];
        const struct rmi_channel_options o = {.label = "control",
                                              .protocol = "json",
                                              .unordered = true,
                                              .limit_retransmits = true,
                                              .max_retransmits = 3,
                                              .priority = 512,
                                              .id = RMI_CHANNEL_ANY};
        uint16_t id = 0;
        assert_int_equal(rmi_channels_open(me->c, w.p.now_us, &o, &id), RM_OK); /* before the association is up */
        assert_int_equal(id, who);
        assert_int_equal(rmi_channels_send(me->c, w.p.now_us, id, false, "x", 1), RM_E_STATE);
        run(&w, RMI_SEC(5));
        struct rmi_channel_info info;
        assert_int_equal(me->count[RMI_CHANNELS_EV_OPEN], 1);
        assert_int_equal(peer->count[RMI_CHANNELS_EV_NEW], 1);
        assert_int_equal(rmi_channels_get(peer->c, id, &info), RM_OK);
        assert_string_equal(info.label, "control");
        assert_string_equal(info.protocol, "json");
        assert_true(info.unordered && info.limit_retransmits && info.by_peer);
        assert_int_equal(info.max_retransmits, 3);
        assert_int_equal(info.priority, 512);
        assert_int_equal(rmi_channels_send(peer->c, w.p.now_us, id, false, "hello", 5), RM_OK);
        run(&w, RMI_SEC(2));
        assert_int_equal(me->count[RMI_CHANNELS_EV_MESSAGE], 1);
        assert_false(me->binary);
        assert_memory_equal(me->text, "hello", 5);
        assert_int_equal(rmi_channels_close(who ? me->c : peer->c, w.p.now_us, id), RM_OK);
        assert_int_equal(rmi_channels_send(who ? me->c : peer->c, w.p.now_us, id, false, "x", 1), RM_E_STATE);
        run(&w, RMI_SEC(5));
        assert_int_equal(me->count[RMI_CHANNELS_EV_CLOSED], 1);
        assert_int_equal(peer->count[RMI_CHANNELS_EV_CLOSED], 1);
        assert_int_equal(rmi_channels_get(me->c, id, &info), RM_E_NOT_FOUND);
        assert_int_equal(rmi_channels_open(me->c, w.p.now_us, &o, &id), RM_OK); /* the same id again */
        assert_int_equal(id, who);
        run(&w, RMI_SEC(5));
        assert_int_equal(me->count[RMI_CHANNELS_EV_OPEN], 2);
        end(&w);
    }
}

static void negotiated_ones_need_no_message(void **state) {
    (void)state;
    struct world w;
    begin(&w, 0);
    const struct rmi_channel_options o = {.label = "n", .negotiated = true, .id = 1023};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rmi_channels_open(w.side[i].c, w.p.now_us, &o, NULL), RM_OK);
        assert_int_equal(rmi_channels_open(w.side[i].c, w.p.now_us, &o, NULL), RM_E_EXISTS);
    }
    run(&w, RMI_SEC(1));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w.side[i].count[RMI_CHANNELS_EV_OPEN], 1);
        assert_int_equal(w.side[i].count[RMI_CHANNELS_EV_NEW], 0);
    }
    for (int binary = 0; binary < 2; binary++) {
        assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, 1023, binary, NULL, 0), RM_OK);
        w.side[1].len = 99;
        run(&w, RMI_SEC(1));
        assert_int_equal(w.side[1].len, 0);
        assert_int_equal(w.side[1].binary, binary);
    }
    end(&w);
}

static void wrong_openings_are_refused_without_an_answer(void **state) {
    (void)state;
    struct world w;
    begin(&w, 0);
    run(&w, RMI_SEC(1));
    uint8_t bytes[64];
    const struct rmi_dcep_open open = {.label = "l", .label_len = 1, .protocol = "", .priority = 256};
    const size_t len = rmi_dcep_open_write(&open, bytes, sizeof bytes);
    /* 3 is an id of side 1, to whom side 0 opens it. */
    assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, 3, RMI_PPID_DCEP, NULL, bytes, len), RM_OK);
    run(&w, RMI_SEC(1));
    struct rmi_channel_info info;
    assert_int_equal(rmi_channels_get(w.side[1].c, 3, &info), RM_E_NOT_FOUND);
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], 0);
    /* Every cut of an OPEN on ids of the right parity: only the whole one opens. */
    for (size_t cut = 1; cut <= len; cut++)
        assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, (uint16_t)(2 * cut), RMI_PPID_DCEP, NULL, bytes, cut),
                         RM_OK);
    run(&w, RMI_SEC(2));
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], 1);
    assert_int_equal(rmi_channels_get(w.side[1].c, (uint16_t)(2 * len), &info), RM_OK);
    /* The same id once more closes it. */
    assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, (uint16_t)(2 * len), RMI_PPID_DCEP, NULL, bytes, len),
                     RM_OK);
    run(&w, RMI_SEC(2));
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], 1);
    assert_int_equal(rmi_channels_get(w.side[1].c, (uint16_t)(2 * len), &info), RM_OK);
    assert_int_equal(info.state, RMI_CHANNEL_CLOSING);
    end(&w);
}

static void dcep_says_what_was_written(void **state) {
    (void)state;
    uint8_t bytes[128];
    for (int kind = 0; kind < 6; kind++) {
        const struct rmi_dcep_open in = {.unordered = kind % 2,
                                         .limit_retransmits = kind / 2 == 1,
                                         .limit_lifetime = kind / 2 == 2,
                                         .max_retransmits = kind / 2 == 1 ? 70000 : 0,
                                         .max_lifetime_ms = kind / 2 == 2 ? 9 : 0,
                                         .priority = 128,
                                         .label = "a label",
                                         .label_len = 7,
                                         .protocol = "p",
                                         .protocol_len = 1};
        struct rmi_dcep_open out;
        enum rmi_dcep_type type;
        const size_t len = rmi_dcep_open_write(&in, bytes, sizeof bytes);
        assert_int_equal(len, RMI_DCEP_OPEN_FIXED + 8);
        assert_int_equal(rmi_dcep_parse(bytes, len, &type, &out), RM_OK);
        assert_int_equal(type, RMI_DCEP_OPEN);
        assert_true(out.unordered == in.unordered && out.limit_retransmits == in.limit_retransmits &&
                    out.limit_lifetime == in.limit_lifetime && out.max_retransmits == in.max_retransmits &&
                    out.max_lifetime_ms == in.max_lifetime_ms && out.priority == in.priority);
        assert_memory_equal(out.label, "a label", 7);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = test_malloc(cut + 1);
            memcpy(exact, bytes, cut);
            assert_int_equal(rmi_dcep_parse(exact, cut, &type, &out), RM_E_PARSE);
            test_free(exact);
        }
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 0xff;
            (void)rmi_dcep_parse(bytes, len, &type, &out);
            bytes[i] ^= 0xff;
        }
        assert_int_equal(rmi_dcep_open_write(&in, bytes, len - 1), 0);
    }
}

static void ids_run_out_and_buffers_fill(void **state) {
    (void)state;
    struct world w;
    begin(&w, 0);
    const struct rmi_channel_options o = {.label = "many", .id = RMI_CHANNEL_ANY};
    for (int i = 0; i < RMI_SCTP_STREAMS / 2; i++)
        assert_int_equal(rmi_channels_open(w.side[0].c, w.p.now_us, &o, NULL), RM_OK);
    assert_int_equal(rmi_channels_open(w.side[0].c, w.p.now_us, &o, NULL), RM_E_LIMIT);
    run(&w, RMI_SEC(3));
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_OPEN], RMI_SCTP_STREAMS / 2);
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], RMI_SCTP_STREAMS / 2);
    static uint8_t bytes[60000];
    int sent = 0;
    assert_int_equal(rmi_channels_set_low(w.side[0].c, 4, 100000), RM_OK);
    w.side[0].count[RMI_CHANNELS_EV_LOW] = 0; /* those of the openings */
    while (rmi_channels_send(w.side[0].c, w.p.now_us, 4, true, bytes, sizeof bytes) == RM_OK)
        sent++;
    assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, 4, true, bytes, sizeof bytes), RM_E_AGAIN);
    assert_int_equal(rmi_channels_buffered(w.side[0].c, 4), (size_t)sent * sizeof bytes);
    run(&w, RMI_SEC(5));
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_LOW], 1);
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_WRITABLE], 1);
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], sent);
    assert_int_equal(rmi_channels_buffered(w.side[0].c, 4), 0);
    rmi_sctp_abort(w.p.end[0].a, w.p.now_us);
    run(&w, RMI_SEC(1));
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_DOWN], 1);
    assert_int_equal(rmi_channels_send(w.side[1].c, w.p.now_us, 4, true, bytes, 1), RM_E_STATE);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_open_send_and_close),
        cmocka_unit_test(negotiated_ones_need_no_message),
        cmocka_unit_test(wrong_openings_are_refused_without_an_answer),
        cmocka_unit_test(dcep_says_what_was_written),
        cmocka_unit_test(ids_run_out_and_buffers_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
