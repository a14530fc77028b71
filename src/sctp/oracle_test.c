/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association.h"
#include "sctp/link_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <usrsctp.h>

#include <cmocka.h>

/* Against usrsctp, an implementation by others, over a link in virtual time. It is one global stack that reads the
 * clock, so the clock is ours, and one process has one association at a time. */

#define INTERLEAVING_SUPPORTED 0x00001206 /* SCTP_INTERLEAVING_SUPPORTED, which its header lacks */
#define TICK_US RMI_MS(10)
#define ROUNDS 60
#define LONGEST 262144
#define FROM_USRSCTP_MAX 65536
#define PARTIAL 200
#define STREAMS 5

struct world {
    int64_t now_us, ticked_us;
    struct test_link to_usrsctp, to_us;
    struct rmi_sctp *a;
    struct socket *socket;
    size_t at[STREAMS]; /* in the message that usrsctp hands out in pieces */
    int they_got, we_got, connected, failed, closed, resets_in, resets_out, their_resets;
    bool wrong;
};
static struct world w; /* usrsctp's callbacks and the clock have no context */
static uint8_t pattern[LONGEST];

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv, void *restrict zone);
int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    (void)zone;
    tv->tv_sec = 1000 + w.now_us / 1000000;
    tv->tv_usec = w.now_us % 1000000;
    return 0;
}

static int usrsctp_out(void *address, void *data, size_t len, uint8_t tos, uint8_t df) {
    (void)address;
    (void)tos;
    (void)df;
    test_link_send(&w.to_us, w.now_us, data, len);
    return 0;
}

static void our_out(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    (void)ctx;
    test_link_send(&w.to_usrsctp, now_us, data, len);
}

static int usrsctp_in(struct socket *s, union sctp_sockstore from, void *data, size_t len, struct sctp_rcvinfo info,
                      int flags, void *ctx) {
    (void)s;
    (void)from;
    (void)ctx;
    if (!data)
        return 1;
    if (flags & MSG_NOTIFICATION) {
        const union sctp_notification *n = data;
        w.their_resets += n->sn_header.sn_type == SCTP_STREAM_RESET_EVENT;
    } else {
        size_t *at = &w.at[info.rcv_sid % STREAMS];
        w.wrong = w.wrong || *at + len > LONGEST || memcmp(data, pattern + *at, len) != 0;
        *at = flags & MSG_EOR ? 0 : *at + len;
        w.they_got += (flags & MSG_EOR) != 0;
    }
    free(data);
    return 1;
}

static void drain(void) {
    struct rmi_sctp_event e;
    while (rmi_sctp_poll_event(w.a, &e)) {
        w.connected += e.type == RMI_SCTP_EV_CONNECTED;
        w.failed += e.type == RMI_SCTP_EV_FAILED || (e.type == RMI_SCTP_EV_RESET_OUT && e.err);
        w.closed += e.type == RMI_SCTP_EV_CLOSED;
        w.resets_in += e.type == RMI_SCTP_EV_RESET_IN && !e.err;
        w.resets_out += e.type == RMI_SCTP_EV_RESET_OUT;
        if (e.type != RMI_SCTP_EV_MESSAGE)
            continue;
        w.we_got++;
        w.wrong = w.wrong || memcmp(e.data, pattern, e.len) != 0;
    }
}

static void run(int64_t us) {
    const int64_t until_us = w.now_us + us;
    while (w.now_us < until_us) {
        int64_t next_us = rmi_min64(w.ticked_us + TICK_US, rmi_sctp_next_deadline(w.a));
        next_us = rmi_min64(next_us, rmi_min64(test_link_next(&w.to_us), test_link_next(&w.to_usrsctp)));
        w.now_us = rmi_max64(w.now_us, next_us);
        while (test_link_next(&w.to_usrsctp) <= w.now_us) {
            struct test_packet p = test_link_pop(&w.to_usrsctp);
            usrsctp_conninput(&w, p.data, p.len, 0);
            free(p.data);
        }
        while (test_link_next(&w.to_us) <= w.now_us) {
            struct test_packet p = test_link_pop(&w.to_us);
            rmi_sctp_input(w.a, w.now_us, p.data, p.len);
            free(p.data);
            drain();
        }
        if (rmi_sctp_next_deadline(w.a) <= w.now_us)
            rmi_sctp_timeout(w.a, w.now_us);
        drain();
        rmi_sctp_flush(w.a, w.now_us);
        if (w.now_us >= w.ticked_us + TICK_US) {
            usrsctp_handle_timers((uint32_t)((w.now_us - w.ticked_us) / 1000));
            w.ticked_us = w.now_us;
        }
    }
}

static void set(int option, const void *value, size_t len) {
    assert_int_equal(usrsctp_setsockopt(w.socket, IPPROTO_SCTP, option, value, (socklen_t)len), 0);
}

static void open_socket(bool interleaving) {
    const struct sctp_assoc_value on = {.assoc_value = 1},
                                  resets = {.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ};
    const struct sctp_event event = {.se_on = 1, .se_type = SCTP_STREAM_RESET_EVENT};
    const int levels = 2;
    struct sockaddr_conn address = {.sconn_family = AF_CONN, .sconn_port = htons(RMI_SCTP_PORT), .sconn_addr = &w};
    usrsctp_register_address(&w);
    w.socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, usrsctp_in, NULL, 0, NULL);
    assert_non_null(w.socket);
    usrsctp_set_non_blocking(w.socket, 1);
    if (interleaving) {
        set(SCTP_FRAGMENT_INTERLEAVE, &levels, sizeof levels);
        set(INTERLEAVING_SUPPORTED, &on, sizeof on);
    }
    set(SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets);
    set(SCTP_EVENT, &event, sizeof event);
    assert_int_equal(usrsctp_bind(w.socket, (struct sockaddr *)&address, sizeof address), 0);
    usrsctp_connect(w.socket, (struct sockaddr *)&address, sizeof address); /* in progress */
}

static void exchange(void) {
    static const size_t lengths[] = {1, 100, 1000, 1200, 16384, FROM_USRSCTP_MAX, LONGEST};
    int we_sent = 0, they_sent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const size_t len = lengths[(size_t)i % (sizeof lengths / sizeof lengths[0])];
        struct sctp_sndinfo info = {.snd_sid = (uint16_t)(i % STREAMS), .snd_flags = SCTP_EOR, .snd_ppid = htonl(53)};
        if (i % 2)
            info.snd_flags |= SCTP_UNORDERED;
        we_sent += rmi_sctp_send(w.a, w.now_us, info.snd_sid, 53, NULL, pattern, len) == RM_OK;
        if (len <= FROM_USRSCTP_MAX)
            they_sent += usrsctp_sendv(w.socket, pattern, len, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) > 0;
        run(RMI_MS(300));
    }
    run(RMI_SEC(30));
    assert_int_equal(we_sent, ROUNDS);
    assert_int_equal(w.they_got, we_sent);
    assert_in_range(they_sent, ROUNDS / 2, ROUNDS);
    assert_int_equal(w.we_got, they_sent);
}

static void give_up_and_reset(void) {
    const struct rmi_sctp_send_options once = {.limit_retransmits = true};
    struct rmi_sctp_stats s;
    const int before = w.they_got;
    for (int i = 0; i < PARTIAL; i++) {
        assert_int_equal(rmi_sctp_send(w.a, w.now_us, 2, 53, &once, pattern, 1000), RM_OK);
        run(RMI_MS(10));
    }
    run(RMI_SEC(5));
    rmi_sctp_get_stats(w.a, &s);
    assert_int_equal(s.buffered, 0);
    assert_in_range((uint64_t)(w.they_got - before) + s.abandoned, PARTIAL, PARTIAL + 1);
    assert_int_equal(rmi_sctp_reset_stream(w.a, w.now_us, 2), RM_OK);
    run(RMI_SEC(5));
    assert_int_equal(w.resets_out, 1);
    assert_int_equal(w.their_resets, 1);
    _Alignas(struct sctp_reset_streams) uint8_t room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)] = {0};
    struct sctp_reset_streams *reset = (struct sctp_reset_streams *)(void *)room;
    reset->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    reset->srs_number_streams = 1;
    reset->srs_stream_list[0] = 3;
    set(SCTP_RESET_STREAMS, room, sizeof room);
    run(RMI_SEC(5));
    assert_int_equal(w.resets_in, 1);
    reset->srs_flags = SCTP_STREAM_RESET_INCOMING; /* it asks for ours */
    reset->srs_stream_list[0] = 4;
    set(SCTP_RESET_STREAMS, room, sizeof room);
    run(RMI_SEC(5));
    assert_int_equal(w.resets_out, 2);
    assert_in_range(w.their_resets, 3, 4); /* one of each direction; of this one a notice of the request too */
    assert_int_equal(rmi_sctp_send(w.a, w.now_us, 2, 53, NULL, pattern, 10), RM_OK); /* the number begins anew */
    const int count = w.they_got;
    run(RMI_SEC(2));
    assert_int_equal(w.they_got, count + 1);
}

static void talk(bool we_begin_too, bool interleaving, int loss_permille) {
    const struct test_link_config link = {
        .rate_bps = 20000000, .delay_us = RMI_MS(25), .queue_us = RMI_MS(100), .loss_permille = loss_permille};
    struct rmi_prng prng;
    struct rmi_sctp_stats s;
    const int64_t now_us = w.now_us; /* the stack's clock may not step back */
    memset(&w, 0, sizeof w);
    w.now_us = w.ticked_us = now_us + RMI_SEC(1);
    w.to_us.c = w.to_usrsctp.c = link;
    rmi_prng_seed(&w.to_us.prng, 1);
    rmi_prng_seed(&w.to_usrsctp.prng, 2);
    rmi_prng_seed(&prng, 3);
    const struct rmi_sctp_config config = {
        .rng = rmi_prng_rng(&prng), .send = our_out, .message_in_max = LONGEST, .message_out_max = LONGEST};
    assert_int_equal(rmi_sctp_create(&config, &w.a), RM_OK);
    open_socket(interleaving);
    if (we_begin_too)
        rmi_sctp_start(w.a, w.now_us);
    run(RMI_SEC(10));
    rmi_sctp_get_stats(w.a, &s);
    assert_int_equal(w.connected, 1);
    assert_int_equal(s.interleaving, interleaving);
    exchange();
    give_up_and_reset();
    rmi_sctp_shutdown(w.a, w.now_us);
    run(RMI_SEC(10));
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.failed, 0);
    assert_false(w.wrong);
    usrsctp_close(w.socket);
    run(RMI_SEC(1));
    usrsctp_deregister_address(&w);
    rmi_sctp_destroy(&w.a);
    test_link_free(&w.to_us);
    test_link_free(&w.to_usrsctp);
}

static void usrsctp_understands_us_and_we_it(void **state) {
    (void)state;
    for (int interleaving = 0; interleaving < 2; interleaving++)
        for (int both = 0; both < 2; both++)
            for (int loss_permille = 0; loss_permille <= 20; loss_permille += 20)
                talk(both, interleaving, loss_permille);
}

int main(void) {
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    usrsctp_init_nothreads(0, usrsctp_out, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(usrsctp_understands_us_and_we_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
