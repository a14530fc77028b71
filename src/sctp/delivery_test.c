/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/inject_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* What arrives over bad links. A message begins with its number on its stream (4 bytes); all other bytes follow from
 * that and the stream, so that each can be checked alone. */

#define STREAMS 4
#define MESSAGES 24
#define SEEDS 1000
#define LONGEST 6000
#define NUMBER_BYTES 4

struct world {
    struct rmi_prng prng;
    struct rmi_sctp_send_options options[STREAMS];
    uint32_t sent[2][STREAMS], got[2][STREAMS], next[2][STREAMS];
    bool seen[2][STREAMS][MESSAGES];
    int connected, failed;
    rm_err err;
};

static size_t length_of(uint32_t stream, uint32_t n) {
    return NUMBER_BYTES + (n * 2654435761U + stream * 97) % (n % 3 ? 200 : LONGEST);
}

static uint8_t byte_of(uint32_t stream, uint32_t n, size_t at) {
    return at < NUMBER_BYTES ? (uint8_t)(n >> (8 * at)) : (uint8_t)(n * 31 + stream * 7 + at);
}

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    if (e->type == RMI_SCTP_EV_CONNECTED)
        w->connected++;
    if (e->type == RMI_SCTP_EV_FAILED) {
        w->failed++;
        w->err = e->err;
    }
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    assert_in_range(e->stream, 0, STREAMS - 1);
    assert_true(e->len >= NUMBER_BYTES);
    uint32_t n = 0;
    for (size_t i = 0; i < NUMBER_BYTES; i++)
        n |= (uint32_t)e->data[i] << (8 * i);
    assert_in_range(n, 0, MESSAGES - 1);
    assert_int_equal(e->len, length_of(e->stream, n));
    assert_int_equal(e->ppid, 51 + e->stream);
    size_t same = 0;
    while (same < e->len && e->data[same] == byte_of(e->stream, n, same))
        same++;
    assert_int_equal(same, e->len);
    assert_false(w->seen[side][e->stream][n]); /* at most once */
    w->seen[side][e->stream][n] = true;
    w->got[side][e->stream]++;
    if (!w->options[e->stream].unordered) {
        assert_true(n >= w->next[side][e->stream]);
        w->next[side][e->stream] = n + 1;
    }
}

static void on_step(struct test_pair *p, int side) {
    struct world *w = p->user;
    uint8_t bytes[LONGEST + NUMBER_BYTES];
    if (rmi_sctp_state_of(p->end[side].a) != RMI_SCTP_ESTABLISHED)
        return;
    for (uint16_t s = 0; s < STREAMS; s++) {
        uint32_t *n = &w->sent[side][s];
        if (*n == MESSAGES || rmi_prng_next(&w->prng) % 4)
            continue;
        const size_t len = length_of(s, *n);
        for (size_t i = 0; i < len; i++)
            bytes[i] = byte_of(s, *n, i);
        const rm_err err = rmi_sctp_send(p->end[side].a, p->now_us, s, 51U + s, &w->options[s], bytes, len);
        assert_true(err == RM_OK || err == RM_E_AGAIN);
        *n += !err;
    }
}

static bool done(const struct test_pair *p, const struct world *w, bool all) {
    for (int side = 0; side < 2; side++) {
        struct rmi_sctp_stats stats;
        rmi_sctp_get_stats(p->end[side].a, &stats);
        if (stats.buffered > 0)
            return false;
        for (int s = 0; s < STREAMS; s++)
            if (w->sent[side][s] < MESSAGES || (all && w->got[!side][s] < MESSAGES))
                return false;
    }
    return true;
}

/* TSNs and message numbers pass their ends soon (RFC 9260 1.6: serial arithmetic). */
static void begin_near_the_ends(struct test_pair *p, uint64_t seed, bool interleaving) {
    for (int side = 0; side < 2; side++) {
        test_set_first_tsn(p->end[side].a, UINT32_MAX - (uint32_t)(seed % 50));
        for (uint16_t i = 0; i < STREAMS; i++) {
            struct rmi_sctp_stream_out *out = rmi_sctp_out_stream(p->end[side].a, i);
            struct rmi_sctp_stream_in *in = rmi_sctp_in_stream(p->end[!side].a, i);
            assert_true(out && in);
            out->next_mid = out->next_mid_unordered = UINT32_MAX - (uint32_t)(seed % MESSAGES);
            in->next_mid = interleaving ? out->next_mid : (uint16_t)out->next_mid;
        }
    }
}

/* Runs until both have all, and says what is missing when that takes more than a virtual hour. */
static void run_seed(uint64_t seed, bool partial) {
    struct world w = {.connected = 0};
    rmi_prng_seed(&w.prng, seed);
    const bool corrupt = seed % 3 == 0;
    const struct test_link_config link = {.rate_bps = 5000000,
                                          .delay_us = RMI_MS(1 + seed % 60),
                                          .queue_us = RMI_MS(200),
                                          .loss_permille = (int)(seed * 7 % 301),
                                          .reorder_permille = (int)(seed * 11 % 300),
                                          .duplicate_permille = (int)(seed * 13 % 200),
                                          .corrupt_permille = corrupt ? 50 : 0};
    struct rmi_sctp_config config[2] = {0};
    for (int i = 0; i < 2; i++) {
        config[i].no_interleaving = seed % 4 == (unsigned)i;
        config[i].no_zero_checksum = corrupt; /* what DTLS would throw away */
        config[i].send_buffer = 20000;
    }
    w.options[1].unordered = w.options[3].unordered = true;
    if (partial) {
        w.options[2].limit_retransmits = w.options[3].limit_retransmits = true;
        w.options[2].max_retransmits = seed % 3;
        w.options[1].max_lifetime_us = RMI_MS(150);
    }
    struct test_pair p = {.on_event = on_event, .on_step = on_step, .user = &w};
    test_pair_open(&p, seed, &link, config);
    if (seed % 5 == 2)
        begin_near_the_ends(&p, seed, seed % 4 > 1);
    test_pair_start(&p);
    while (!done(&p, &w, !partial) && p.now_us < RMI_SEC(3600) && !w.failed) {
        test_pair_step(&p, p.now_us + RMI_MS(20));
        on_step(&p, 0);
        on_step(&p, 1);
    }
    test_pair_run(&p, p.now_us + RMI_SEC(30)); /* what is still under way */
    if (w.failed || w.connected != 2 || !done(&p, &w, !partial))
        fail_msg("seed %llu: %d connected, %d failed (%s), at %lld us", (unsigned long long)seed, w.connected, w.failed,
                 rm_err_name(w.err), (long long)p.now_us);
    for (int side = 0; side < 2; side++) {
        struct rmi_sctp_stats stats;
        rmi_sctp_get_stats(p.end[side].a, &stats);
        assert_int_equal(w.got[side][0], MESSAGES); /* reliable in every run */
        assert_int_equal(stats.recv_held, 0);
        assert_int_equal(stats.in_flight, 0);
    }
    test_pair_close(&p);
}

static void every_reliable_message_arrives_once_and_in_order(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        run_seed(seed, false);
}

static void partly_reliable_ones_may_be_missing_and_hold_up_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS / 2; seed++)
        run_seed(seed, true);
}

/* Without retransmissions about the loss of the link is missing, and a message is sent no more often than allowed. */
static void a_limit_of_zero_sends_once(void **state) {
    (void)state;
    struct world w = {.connected = 0};
    rmi_prng_seed(&w.prng, 5);
    for (int i = 0; i < STREAMS; i++)
        w.options[i] = (struct rmi_sctp_send_options){.unordered = true, .limit_retransmits = true};
    const struct test_link_config link = {.delay_us = RMI_MS(20), .loss_permille = 100};
    const struct rmi_sctp_config config[2] = {0};
    struct test_pair p = {.on_event = on_event, .on_step = on_step, .user = &w};
    test_pair_open(&p, 5, &link, config);
    test_pair_start(&p);
    while (!done(&p, &w, false)) {
        test_pair_step(&p, p.now_us + RMI_MS(5));
        on_step(&p, 0);
        on_step(&p, 1);
    }
    test_pair_run(&p, p.now_us + RMI_SEC(10));
    for (int side = 0; side < 2; side++) {
        struct rmi_sctp_stats stats;
        rmi_sctp_get_stats(p.end[side].a, &stats);
        uint32_t got = 0;
        for (int s = 0; s < STREAMS; s++)
            got += w.got[!side][s];
        assert_int_equal(stats.retransmissions, 0);
        assert_int_equal(got + stats.abandoned, STREAMS * MESSAGES);
        assert_in_range(stats.abandoned, 1, STREAMS * MESSAGES / 2);
    }
    test_pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reliable_message_arrives_once_and_in_order),
        cmocka_unit_test(partly_reliable_ones_may_be_missing_and_hold_up_nothing),
        cmocka_unit_test(a_limit_of_zero_sends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
