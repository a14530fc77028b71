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

static void begin_with(struct world *w, int loss_permille, size_t message_max) {
    const struct test_link_config link = {.delay_us = RMI_MS(5), .loss_permille = loss_permille};
    const struct rmi_sctp_config one = {.message_in_max = message_max, .message_out_max = message_max};
    const struct rmi_sctp_config config[2] = {one, one};
    memset(w, 0, sizeof *w);
    w->p.on_step = drain;
    w->p.no_reading[0] = w->p.no_reading[1] = true; /* the channels read */
    w->p.user = w;
    test_pair_open(&w->p, 7, &link, config);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rmi_channels_create(w->p.end[i].a, i == 0, NULL, "t", &w->side[i].c), RM_OK);
    test_pair_start(&w->p);
}

static void begin(struct world *w, int loss_permille) {
    begin_with(w, loss_permille, 0);
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

static uint16_t open_labelled(struct world *w, int who, const char *label) {
    const struct rmi_channel_options o = {.label = label, .id = RMI_CHANNEL_ANY};
    uint16_t id = 0;
    assert_int_equal(rmi_channels_open(w->side[who].c, w->p.now_us, &o, &id), RM_OK);
    return id;
}

/* A message of 16 MiB is on its way; those of another channel neither wait for it nor for room. */
static void small_messages_pass_a_large_one(void **state) {
    (void)state;
    static uint8_t large[16 << 20];
    struct world w;
    begin_with(&w, 0, sizeof large);
    const uint16_t bulk = open_labelled(&w, 0, "bulk"), small = open_labelled(&w, 0, "small");
    run(&w, RMI_SEC(1));
    assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, bulk, true, large, sizeof large), RM_OK);
    assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, bulk, true, large, 1), RM_E_AGAIN);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, small, false, "quick", 5), RM_OK);
        run(&w, RMI_MS(8)); /* the link's delay, and a little */
        assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], i);
        assert_int_equal(w.side[1].len, 5);
    }
    run(&w, RMI_SEC(20));
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], 11);
    assert_int_equal(w.side[1].len, sizeof large);
    end(&w);
}

/* What is sent at once, before the peer's answer, comes behind the opening although the channel has no order. */
static void data_before_the_answer_comes_behind_the_opening(void **state) {
    (void)state;
    for (int loss = 0; loss <= 300; loss += 100) {
        struct world w;
        begin(&w, loss);
        run(&w, RMI_SEC(5));
        const struct rmi_channel_options o = {.label = "early", .unordered = true, .id = RMI_CHANNEL_ANY};
        uint16_t id = 0;
        assert_int_equal(rmi_channels_open(w.side[0].c, w.p.now_us, &o, &id), RM_OK);
        for (int i = 0; i < 5; i++)
            assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, id, false, "now", 3), RM_OK);
        run(&w, RMI_SEC(10));
        assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], 1);
        assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], 5);
        assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_OPEN], 1);
        end(&w);
    }
}

/* The number is in use until both directions are reset, however the packets go. */
static void both_close_at_once_and_the_number_comes_again(void **state) {
    (void)state;
    for (int loss = 0; loss <= 300; loss += 100) {
        struct world w;
        begin(&w, loss);
        for (int round = 1; round <= 5; round++) {
            const uint16_t id = open_labelled(&w, 0, "again");
            assert_int_equal(id, 0);
            run(&w, RMI_SEC(10));
            assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_NEW], round);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(rmi_channels_send(w.side[i].c, w.p.now_us, id, false, "last", 4), RM_OK);
                assert_int_equal(rmi_channels_close(w.side[i].c, w.p.now_us, id), RM_OK);
            }
            const struct rmi_channel_options same = {.label = "too soon", .id = id};
            assert_int_equal(rmi_channels_open(w.side[0].c, w.p.now_us, &same, NULL), RM_E_EXISTS);
            run(&w, RMI_SEC(20));
            for (int i = 0; i < 2; i++)
                assert_int_equal(w.side[i].count[RMI_CHANNELS_EV_CLOSED], round);
        }
        end(&w);
    }
}

/* Loses each answer to a reset that is on its way from this side. */
static void lose_reset_answers(struct test_link *l) {
    static const uint8_t answer[] = {0, 16, 0, 12}; /* RFC 6525 4.4: type and length */
    for (size_t i = 0; i < l->count; i++)
        for (size_t at = 0; at + sizeof answer <= l->heap[i].len; at += sizeof answer)
            if (!memcmp(l->heap[i].data + at, answer, sizeof answer))
                l->heap[i].len = 0;
}

static void an_id_used_again_while_our_reset_is_unanswered_waits(void **state) {
    (void)state;
    struct world w;
    begin(&w, 0);
    const uint16_t id = open_labelled(&w, 1, "first");
    run(&w, RMI_MS(100));
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_NEW], 1);
    assert_int_equal(rmi_channels_close(w.side[1].c, w.p.now_us, id), RM_OK);
    drain(&w.p, 1);
    rmi_sctp_flush(w.p.end[1].a, w.p.now_us);
    while (w.side[1].count[RMI_CHANNELS_EV_CLOSED] == 0) {
        assert_true(test_pair_step(&w.p, w.p.now_us + RMI_SEC(1)));
        lose_reset_answers(&w.p.end[1].out);
    }
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_CLOSED], 0);
    assert_int_equal(open_labelled(&w, 1, "second"), id);
    assert_int_equal(rmi_channels_send(w.side[1].c, w.p.now_us, id, false, "again", 5), RM_OK);
    run(&w, RMI_SEC(10));
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_CLOSED], 1);
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_NEW], 2);
    assert_int_equal(w.side[0].count[RMI_CHANNELS_EV_MESSAGE], 1);
    assert_memory_equal(w.side[0].text, "again", 5);
    assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, id, false, "back", 4), RM_OK);
    run(&w, RMI_SEC(1));
    assert_memory_equal(w.side[1].text, "back", 4);
    end(&w);
}

static void openings_without_end_stay_bounded(void **state) {
    (void)state;
    struct world w;
    begin(&w, 0);
    run(&w, RMI_SEC(1));
    uint8_t bytes[64];
    const struct rmi_dcep_open open = {.label = "flood", .label_len = 5, .protocol = "", .priority = 256};
    const size_t len = rmi_dcep_open_write(&open, bytes, sizeof bytes);
    int sent = 0;
    for (int i = 0; i < 65536; i++) {
        const uint16_t id = (uint16_t)(i % RMI_SCTP_STREAMS); /* the wrong parity, too */
        sent += rmi_sctp_send(w.p.end[0].a, w.p.now_us, id, RMI_PPID_DCEP, NULL, bytes, len) == RM_OK;
        if (i % RMI_SCTP_STREAMS == 0)
            run(&w, RMI_MS(50));
    }
    run(&w, RMI_SEC(60));
    struct rmi_channel_info info;
    int there = 0;
    for (uint16_t id = 0; id < RMI_SCTP_STREAMS; id++)
        there += rmi_channels_get(w.side[1].c, id, &info) == RM_OK && info.state == RMI_CHANNEL_OPEN;
    struct rmi_sctp_stats stats;
    rmi_channels_stats(w.side[1].c, &stats);
    assert_true(sent > RMI_SCTP_STREAMS);
    assert_true(there <= RMI_SCTP_STREAMS / 2);
    assert_int_equal(stats.recv_held, 0);
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_DOWN], 0);
    const uint16_t id = open_labelled(&w, 1, "still works");
    run(&w, RMI_SEC(2));
    assert_int_equal(rmi_channels_get(w.side[0].c, id, &info), RM_OK);
    assert_string_equal(info.label, "still works");
    end(&w);
}

static void labels_of_any_bytes_and_unknown_kinds_do_no_harm(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } labels[] = {{"con\0trol", 8}, {"\xff\xfe", 2}, {"", 0}, {"\0", 1}};
    static const uint32_t ppids[] = {0, 49, RMI_PPID_BINARY_PARTIAL, RMI_PPID_STRING_PARTIAL, 55, 58, UINT32_MAX};
    struct world w;
    begin(&w, 0);
    run(&w, RMI_SEC(1));
    for (uint16_t i = 0; i < 4; i++) {
        uint8_t bytes[64];
        struct rmi_channel_info info;
        const struct rmi_dcep_open open = {.label = labels[i].text,
                                           .label_len = labels[i].len,
                                           .protocol = labels[i].text,
                                           .protocol_len = labels[i].len};
        const size_t len = rmi_dcep_open_write(&open, bytes, sizeof bytes);
        const uint16_t id = (uint16_t)(2 * i);
        assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, id, RMI_PPID_DCEP, NULL, bytes, len), RM_OK);
        run(&w, RMI_SEC(1));
        assert_int_equal(rmi_channels_get(w.side[1].c, id, &info), RM_OK);
        assert_int_equal(info.label_len, labels[i].len);
        assert_int_equal(info.protocol_len, labels[i].len);
        assert_memory_equal(info.label, labels[i].text, labels[i].len + 1);
        for (size_t k = 0; k < sizeof ppids / sizeof ppids[0]; k++)
            assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, id, ppids[k], NULL, "?", 1), RM_OK);
        run(&w, RMI_SEC(1));
        assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], i);
        assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, id, RMI_PPID_STRING, NULL, "!", 1), RM_OK);
        run(&w, RMI_SEC(1));
        assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], i + 1);
    }
    /* On a stream without a channel nothing is heard. */
    assert_int_equal(rmi_sctp_send(w.p.end[0].a, w.p.now_us, 100, RMI_PPID_STRING, NULL, "x", 1), RM_OK);
    run(&w, RMI_SEC(1));
    assert_int_equal(w.side[1].count[RMI_CHANNELS_EV_MESSAGE], 4);
    end(&w);
}

/* A paused channel gives nothing, not even its end, and holds; the others go on; later all comes in order. */
static void a_paused_channel_keeps_what_comes(void **state) {
    (void)state;
    struct world w;
    struct rmi_sctp_stats stats;
    begin(&w, 50);
    const uint16_t quiet = open_labelled(&w, 0, "quiet"), other = open_labelled(&w, 0, "other");
    run(&w, RMI_SEC(3));
    struct side *reader = &w.side[1];
    assert_int_equal(rmi_channels_pause(reader->c, quiet, true), RM_OK);
    assert_int_equal(rmi_channels_pause(reader->c, 900, true), RM_E_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, quiet, false, "abc" + i, 1), RM_OK);
    assert_int_equal(rmi_channels_send(w.side[0].c, w.p.now_us, other, false, "now", 3), RM_OK);
    assert_int_equal(rmi_channels_close(w.side[0].c, w.p.now_us, quiet), RM_OK);
    run(&w, RMI_SEC(5));
    assert_int_equal(reader->count[RMI_CHANNELS_EV_MESSAGE], 1);
    assert_memory_equal(reader->text, "now", 3);
    assert_int_equal(reader->count[RMI_CHANNELS_EV_CLOSED], 0);
    rmi_channels_stats(reader->c, &stats);
    assert_true(stats.recv_held > 0);
    assert_int_equal(rmi_channels_pause(reader->c, quiet, false), RM_OK);
    run(&w, RMI_SEC(5));
    assert_int_equal(reader->count[RMI_CHANNELS_EV_MESSAGE], 4);
    assert_memory_equal(reader->text, "c", 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(w.side[i].count[RMI_CHANNELS_EV_CLOSED], 1);
    rmi_channels_stats(reader->c, &stats);
    assert_int_equal(stats.recv_held, 0);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_open_send_and_close),
        cmocka_unit_test(negotiated_ones_need_no_message),
        cmocka_unit_test(wrong_openings_are_refused_without_an_answer),
        cmocka_unit_test(dcep_says_what_was_written),
        cmocka_unit_test(ids_run_out_and_buffers_fill),
        cmocka_unit_test(small_messages_pass_a_large_one),
        cmocka_unit_test(data_before_the_answer_comes_behind_the_opening),
        cmocka_unit_test(both_close_at_once_and_the_number_comes_again),
        cmocka_unit_test(an_id_used_again_while_our_reset_is_unanswered_waits),
        cmocka_unit_test(openings_without_end_stay_bounded),
        cmocka_unit_test(labels_of_any_bytes_and_unknown_kinds_do_no_harm),
        cmocka_unit_test(a_paused_channel_keeps_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
