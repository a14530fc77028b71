/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/chunk.h"
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DELAY_US RMI_MS(10)

struct world {
    int count[2][RMI_SCTP_EV_FAILED + 1];
    rm_err err[2];
    uint16_t stream[2];
    size_t len;
    uint8_t bytes[64];
};

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    w->count[side][e->type]++;
    if (e->type == RMI_SCTP_EV_FAILED)
        w->err[side] = e->err;
    if (e->type == RMI_SCTP_EV_RESET_IN || e->type == RMI_SCTP_EV_RESET_OUT)
        w->stream[side] = e->stream;
    if (e->type == RMI_SCTP_EV_MESSAGE) {
        w->len = e->len;
        memcpy(w->bytes, e->data, e->len < sizeof w->bytes ? e->len : sizeof w->bytes);
    }
}

static void open_pair(struct test_pair *p, struct world *w, const struct rmi_sctp_config config[2]) {
    const struct test_link_config link = {.delay_us = DELAY_US};
    const struct rmi_sctp_config plain[2] = {0};
    memset(w, 0, sizeof *w);
    memset(p, 0, sizeof *p);
    p->on_event = on_event;
    p->user = w;
    test_pair_open(p, 3, &link, config ? config : plain);
}

static void connect_pair(struct test_pair *p, struct world *w, const struct rmi_sctp_config config[2]) {
    open_pair(p, w, config);
    test_pair_start(p);
    test_pair_run(p, p->now_us + RMI_SEC(1));
    assert_int_equal(w->count[0][RMI_SCTP_EV_CONNECTED], 1);
    assert_int_equal(w->count[1][RMI_SCTP_EV_CONNECTED], 1);
}

static void both_or_one_may_begin(void **state) {
    (void)state;
    for (int who = 1; who < 4; who++) {
        struct test_pair p;
        struct world w;
        open_pair(&p, &w, NULL);
        const int64_t begin_us = p.now_us;
        for (int i = 0; i < 2; i++)
            if (who & (1 << i))
                rmi_sctp_start(p.end[i].a, p.now_us);
        test_pair_run(&p, begin_us + 4 * DELAY_US);
        for (int i = 0; i < 2; i++) {
            struct rmi_sctp_stats s;
            rmi_sctp_get_stats(p.end[i].a, &s);
            assert_int_equal(w.count[i][RMI_SCTP_EV_CONNECTED], 1); /* two round trips */
            assert_true(s.interleaving && s.zero_checksum_out && s.partial_reliability && s.stream_reset);
            assert_int_equal(rmi_sctp_streams_out(p.end[i].a), RMI_SCTP_STREAMS);
        }
        test_pair_close(&p);
    }
}

static void what_one_side_lacks_is_not_used(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    const struct rmi_sctp_config config[2] = {{.no_interleaving = true, .no_zero_checksum = true}, {.name = "b"}};
    connect_pair(&p, &w, config);
    for (int i = 0; i < 2; i++) {
        struct rmi_sctp_stats s;
        rmi_sctp_get_stats(p.end[i].a, &s);
        assert_false(s.interleaving || s.zero_checksum_out);
    }
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 0, 51, NULL, "text", 4), RM_OK);
    rmi_sctp_flush(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    assert_int_equal(w.len, 4);
    assert_memory_equal(w.bytes, "text", 4);
    test_pair_close(&p);
}

/* As a peer that drops packets with a parameter it does not know: none with RFC 9653's arrives. */
static void drop_zero_checksum_offers(struct test_pair *p) {
    static const uint8_t offer[] = {0x80, 0x01, 0x00, 0x08};
    struct test_link *l = &p->end[0].out;
    for (size_t i = 0; i < l->count; i++)
        for (size_t at = 0; at + sizeof offer <= l->heap[i].len; at += sizeof offer)
            if (!memcmp(l->heap[i].data + at, offer, sizeof offer))
                l->heap[i].len = 0;
}

static void a_peer_of_fewer_parameters_is_reached(void **state) {
    (void)state;
    for (int who = 1; who < 4; who++) {
        struct test_pair p;
        struct world w;
        const struct rmi_sctp_config config[2] = {{.name = "a"}, {.no_zero_checksum = true}};
        open_pair(&p, &w, config);
        for (int i = 0; i < 2; i++)
            if (who & (1 << i))
                rmi_sctp_start(p.end[i].a, p.now_us);
        drop_zero_checksum_offers(&p);
        while (test_pair_step(&p, p.now_us + RMI_SEC(2)))
            drop_zero_checksum_offers(&p);
        assert_int_equal(w.count[0][RMI_SCTP_EV_CONNECTED], 1);
        assert_int_equal(w.count[1][RMI_SCTP_EV_CONNECTED], 1);
        test_pair_close(&p);
    }
}

static void nobody_there_is_noticed(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    open_pair(&p, &w, NULL);
    p.end[0].out.c.loss_permille = 1000;
    rmi_sctp_start(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(60));
    assert_int_equal(w.err[0], RM_E_TIMEOUT);
    test_pair_close(&p);
    connect_pair(&p, &w, NULL);
    p.end[0].out.c.loss_permille = 1000; /* idle: by heartbeats */
    test_pair_run(&p, p.now_us + RMI_SEC(300));
    assert_int_equal(w.err[0], RM_E_TIMEOUT);
    assert_int_equal(rmi_sctp_next_deadline(p.end[0].a), RMI_NEVER);
    test_pair_close(&p);
}

/* Heartbeats that are not answered become rarer, as packets that are not: with nothing to send, too, the way may be
 * gone for as long as ICE waits for it (30 s of consent). Heartbeats at every time-out gave up after 4.4 s. */
static void an_idle_association_outlives_an_outage(void **state) {
    (void)state;
    for (int64_t begin_s = 28; begin_s < 31; begin_s++) { /* before, while and after the first heartbeat */
        struct test_pair p;
        struct world w;
        connect_pair(&p, &w, NULL);
        test_pair_run(&p, p.now_us + RMI_SEC(begin_s));
        for (int i = 0; i < 2; i++)
            p.end[i].out.c.loss_permille = 1000;
        test_pair_run(&p, p.now_us + RMI_SEC(30));
        for (int i = 0; i < 2; i++)
            p.end[i].out.c.loss_permille = 0;
        test_pair_run(&p, p.now_us + RMI_SEC(60));
        for (int i = 0; i < 2; i++)
            assert_int_equal(rmi_sctp_state_of(p.end[i].a), RMI_SCTP_ESTABLISHED);
        test_pair_close(&p);
    }
}

/* The first INIT is lost: the next one goes after three round trips of the ICE pair, not after seconds. */
static void a_lost_init_is_sent_again_soon(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    const struct rmi_sctp_config config[2] = {{.rtt_us = 2 * DELAY_US}, {.rtt_us = 2 * DELAY_US}};
    open_pair(&p, &w, config);
    const int64_t begin_us = p.now_us;
    rmi_sctp_start(p.end[0].a, p.now_us);
    assert_int_equal(p.end[0].out.count, 1);
    free(test_link_pop(&p.end[0].out).data);
    test_pair_run(&p, begin_us + RMI_MS(100) + 4 * DELAY_US);
    assert_int_equal(w.count[0][RMI_SCTP_EV_CONNECTED], 1);
    test_pair_close(&p);
}

/* Whether eight bytes anywhere in it are an address near one of ours, in either order. */
static bool shows_an_address(const struct test_packet *packet, const void *const *near, size_t count) {
    for (size_t at = 0; at + sizeof(uint64_t) <= packet->len; at++) {
        uint64_t little = 0, big = 0;
        for (size_t i = 0; i < sizeof little; i++) {
            little |= (uint64_t)packet->data[at + i] << (8 * i);
            big = big << 8 | packet->data[at + i];
        }
        for (size_t i = 0; i < count; i++) {
            const uint64_t page = (uint64_t)(uintptr_t)near[i] >> 24;
            if (little >> 24 == page || big >> 24 == page)
                return true;
        }
    }
    return false;
}

/* Set-up, data, messages given up, resets, heartbeats, an error and the end: nothing on the wire is an address. */
static void no_packet_shows_an_address(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    static uint8_t bytes[20000];
    const struct rmi_sctp_send_options once = {.limit_retransmits = true};
    open_pair(&p, &w, NULL);
    const void *near[] = {p.end[0].a, p.end[1].a, &w, bytes};
    const struct test_packet self = {.data = (uint8_t *)near, .len = sizeof near};
    assert_true(shows_an_address(&self, near, 1)); /* it would be found */
    test_pair_start(&p);
    int packets = 0;
    for (int i = 0; i < 4000; i++) {
        for (int side = 0; side < 2; side++)
            for (size_t k = 0; k < p.end[side].out.count; k++, packets++)
                assert_false(shows_an_address(&p.end[side].out.heap[k], near, sizeof near / sizeof near[0]));
        p.end[0].out.c.loss_permille = i < 1000 ? 100 : 0;
        if (i % 50 == 49 && i < 2000) {
            (void)rmi_sctp_send(p.end[0].a, p.now_us, (uint16_t)(i % 7), 53, i % 2 ? &once : NULL, bytes, sizeof bytes);
            (void)rmi_sctp_reset_stream(p.end[1].a, p.now_us, (uint16_t)(i % 5));
            rmi_sctp_flush(p.end[0].a, p.now_us);
        }
        if (i == 3900)
            rmi_sctp_shutdown(p.end[0].a, p.now_us);
        test_pair_step(&p, p.now_us + RMI_MS(i > 2500 ? 200 : 5));
    }
    assert_int_equal(w.count[0][RMI_SCTP_EV_CLOSED], 1);
    assert_in_range(packets, 200, 1000000);
    test_pair_close(&p);
}

/* Hands each end every packet of the other with one bit changed, at every bit, before the real one. */
static void a_changed_cookie_is_refused(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    open_pair(&p, &w, NULL);
    rmi_sctp_start(p.end[0].a, p.now_us);
    int echoes = 0;
    while (w.count[1][RMI_SCTP_EV_CONNECTED] == 0) {
        if (p.end[0].out.count == 1 && p.end[0].out.heap[0].data[12] == RMI_SCTP_COOKIE_ECHO) {
            const struct test_packet *echo = &p.end[0].out.heap[0];
            uint8_t copy[256];
            assert_in_range(echo->len, 16, sizeof copy);
            for (size_t bit = 16 * 8; bit < (echo->len - 3) * 8; bit++) {
                memcpy(copy, echo->data, echo->len);
                copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
                rmi_sctp_checksum_set(copy, echo->len);
                rmi_sctp_input(p.end[1].a, p.now_us, copy, echo->len);
                assert_int_equal(rmi_sctp_state_of(p.end[1].a), RMI_SCTP_NEW);
            }
            echoes++;
        }
        assert_true(test_pair_step(&p, p.now_us + RMI_SEC(5)));
    }
    assert_true(echoes > 0);
    test_pair_close(&p);
}

static void a_restart_is_refused(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, NULL);
    const struct test_link_config link = {.delay_us = DELAY_US};
    struct test_pair other = {.now_us = p.now_us};
    const struct rmi_sctp_config config[2] = {0};
    test_pair_open(&other, 9, &link, config);
    rmi_sctp_start(other.end[0].a, p.now_us);
    const struct test_packet init = test_link_pop(&other.end[0].out);
    const uint64_t before = p.end[1].packets;
    rmi_sctp_input(p.end[1].a, p.now_us, init.data, init.len);
    assert_int_equal(p.end[1].packets, before); /* no answer */
    assert_int_equal(rmi_sctp_state_of(p.end[1].a), RMI_SCTP_ESTABLISHED);
    free(init.data);
    test_pair_close(&other);
    test_pair_close(&p);
}

static void a_reset_closes_one_direction_and_the_id_can_be_used_again(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, NULL);
    for (int round = 1; round < 4; round++) {
        assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 6, 51, NULL, "last words", 10), RM_OK);
        assert_int_equal(rmi_sctp_reset_stream(p.end[0].a, p.now_us, 6), RM_OK);
        assert_int_equal(rmi_sctp_reset_stream(p.end[0].a, p.now_us, 6), RM_E_STATE);
        assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 6, 51, NULL, "too late", 8), RM_E_STATE);
        test_pair_run(&p, p.now_us + RMI_SEC(1));
        assert_int_equal(w.count[1][RMI_SCTP_EV_MESSAGE], round);
        assert_int_equal(w.count[1][RMI_SCTP_EV_RESET_IN], round);
        assert_int_equal(w.count[0][RMI_SCTP_EV_RESET_OUT], round);
        assert_int_equal(w.stream[0], 6);
        assert_int_equal(w.stream[1], 6);
    }
    test_pair_close(&p);
}

static void shutdown_delivers_first(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, NULL);
    static uint8_t bytes[60000];
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, sizeof bytes), RM_OK);
    rmi_sctp_shutdown(p.end[0].a, p.now_us);
    rmi_sctp_shutdown(p.end[0].a, p.now_us);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, 1), RM_E_STATE);
    test_pair_run(&p, p.now_us + RMI_SEC(2));
    assert_int_equal(w.len, sizeof bytes);
    assert_int_equal(w.count[0][RMI_SCTP_EV_CLOSED], 1);
    assert_int_equal(w.count[1][RMI_SCTP_EV_CLOSED], 1);
    test_pair_close(&p);
}

static void an_abort_is_told(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    connect_pair(&p, &w, NULL);
    rmi_sctp_abort(p.end[0].a, p.now_us);
    rmi_sctp_abort(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    assert_int_equal(w.err[1], RM_E_CLOSED);
    assert_int_equal(w.count[0][RMI_SCTP_EV_FAILED] + w.count[0][RMI_SCTP_EV_CLOSED], 0);
    test_pair_close(&p);
}

static void who_does_not_read_is_waited_for(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    const size_t room = 300000;
    const struct rmi_sctp_config config[2] = {{.send_buffer = 500000}, {.recv_buffer = room, .message_in_max = 10000}};
    connect_pair(&p, &w, config);
    static uint8_t bytes[10000];
    p.no_reading[1] = true;
    int sent = 0;
    for (int i = 0; i < 600; i++) {
        while (rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, sizeof bytes) == RM_OK)
            sent++;
        rmi_sctp_flush(p.end[0].a, p.now_us);
        test_pair_run(&p, p.now_us + RMI_MS(500));
        struct rmi_sctp_stats s;
        rmi_sctp_get_stats(p.end[1].a, &s);
        assert_in_range(s.recv_held, 0, room + 2 * 2048);
        rmi_sctp_get_stats(p.end[0].a, &s);
        assert_in_range(s.buffered, 0, 500000);
    }
    assert_int_equal(rmi_sctp_state_of(p.end[0].a), RMI_SCTP_ESTABLISHED); /* five minutes of a closed window */
    p.no_reading[1] = false;
    test_pair_drain(&p, 1);
    test_pair_run(&p, p.now_us + RMI_SEC(15));
    assert_int_equal(w.count[1][RMI_SCTP_EV_MESSAGE], sent);
    assert_in_range(w.count[0][RMI_SCTP_EV_WRITABLE], 1, 3);
    test_pair_close(&p);
}

static void limits_of_messages_are_kept(void **state) {
    (void)state;
    struct test_pair p;
    struct world w;
    const struct rmi_sctp_config config[2] = {{.message_out_max = 5000}, {.message_in_max = 4000}};
    static uint8_t bytes[5001];
    connect_pair(&p, &w, config);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, 0), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, RMI_SCTP_STREAMS, 53, NULL, bytes, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, 5001), RM_E_TOO_BIG);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, 4000), RM_OK);
    rmi_sctp_flush(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    assert_int_equal(w.count[1][RMI_SCTP_EV_MESSAGE], 1);
    assert_int_equal(rmi_sctp_send(p.end[0].a, p.now_us, 1, 53, NULL, bytes, 4001), RM_OK);
    rmi_sctp_flush(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    assert_int_equal(w.err[1], RM_E_TOO_BIG);
    assert_int_equal(w.err[0], RM_E_CLOSED);
    test_pair_close(&p);
}

/* Each packet of a busy connection comes first cut at every length, and with every byte changed in three ways and the
 * checksum right again: a peer gone mad, which DTLS does not stop. Nothing may be read outside it or go on forever. */
static void mad_packets_do_no_harm(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++)
        for (uint32_t at = 0; at < 120; at++) {
            struct test_pair p;
            struct world w;
            const struct rmi_sctp_config config[2] = {{.no_interleaving = plain}, {.name = "b"}};
            const struct rmi_sctp_send_options once = {.limit_retransmits = true, .unordered = at % 2};
            static uint8_t bytes[3000];
            connect_pair(&p, &w, config);
            p.end[0].out.c.loss_permille = 200;
            for (uint16_t i = 0; i < 4; i++)
                rmi_sctp_send(p.end[0].a, p.now_us, i, 53, i % 2 ? &once : NULL, bytes, sizeof bytes);
            rmi_sctp_reset_stream(p.end[0].a, p.now_us, 1);
            rmi_sctp_flush(p.end[0].a, p.now_us);
            while (test_pair_step(&p, p.now_us + RMI_MS(300)) && p.now_us < RMI_SEC(4)) {
                for (int side = 0; side < 2; side++) {
                    if (p.end[side].out.count == 0)
                        continue;
                    const struct test_packet *real = &p.end[side].out.heap[0];
                    uint8_t *mad = test_malloc(real->len);
                    memcpy(mad, real->data, real->len);
                    const size_t cut = at < real->len ? real->len - at : real->len;
                    rmi_sctp_input(p.end[!side].a, p.now_us, mad, at % 3 ? real->len : cut);
                    if (at < real->len) {
                        mad[at] ^= (uint8_t)(at % 5 ? 1 << at % 8 : 0xff);
                        rmi_sctp_checksum_set(mad, real->len);
                        rmi_sctp_input(p.end[!side].a, p.now_us, mad, real->len);
                    }
                    test_free(mad);
                    test_pair_drain(&p, !side);
                }
            }
            test_pair_close(&p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_or_one_may_begin),
        cmocka_unit_test(what_one_side_lacks_is_not_used),
        cmocka_unit_test(a_peer_of_fewer_parameters_is_reached),
        cmocka_unit_test(nobody_there_is_noticed),
        cmocka_unit_test(an_idle_association_outlives_an_outage),
        cmocka_unit_test(a_lost_init_is_sent_again_soon),
        cmocka_unit_test(no_packet_shows_an_address),
        cmocka_unit_test(a_changed_cookie_is_refused),
        cmocka_unit_test(a_restart_is_refused),
        cmocka_unit_test(a_reset_closes_one_direction_and_the_id_can_be_used_again),
        cmocka_unit_test(shutdown_delivers_first),
        cmocka_unit_test(an_abort_is_told),
        cmocka_unit_test(who_does_not_read_is_waited_for),
        cmocka_unit_test(limits_of_messages_are_kept),
        cmocka_unit_test(mad_packets_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
