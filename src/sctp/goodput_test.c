/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* How much a link carries, in virtual time. The link counts SCTP packets, as handed to DTLS. */

#define BULK 1
#define SMALL 2
#define SMALL_BYTES 16
#define LATENCIES 512

static uint8_t bulk[64 * 1024];

struct world {
    size_t message;
    uint64_t got;
    int connected;
    bool small;
    int64_t next_small_us;
    int64_t latency_us[LATENCIES];
    size_t latencies;
};

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    (void)side;
    assert_int_not_equal(e->type, RMI_SCTP_EV_FAILED);
    w->connected += e->type == RMI_SCTP_EV_CONNECTED;
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    if (e->stream == BULK) {
        w->got += e->len;
        return;
    }
    int64_t sent_us;
    memcpy(&sent_us, e->data, sizeof sent_us);
    if (w->latencies < LATENCIES)
        w->latency_us[w->latencies++] = p->now_us - sent_us;
}

static void on_step(struct test_pair *p, int side) {
    struct world *w = p->user;
    if (side != 0 || rmi_sctp_state_of(p->end[0].a) != RMI_SCTP_ESTABLISHED)
        return;
    while (rmi_sctp_send(p->end[0].a, p->now_us, BULK, 53, NULL, bulk, w->message) == RM_OK) {
    }
    if (!w->small || p->now_us < w->next_small_us)
        return;
    uint8_t bytes[SMALL_BYTES] = {0};
    memcpy(bytes, &p->now_us, sizeof p->now_us);
    if (rmi_sctp_send(p->end[0].a, p->now_us, SMALL, 53, NULL, bytes, sizeof bytes) == RM_OK)
        w->next_small_us = p->now_us + RMI_MS(50);
}

/* Percent of the link's rate over `seconds`, the start of the association and of the transfer included. */
static int goodput(int mbit, int loss_permille, int seconds, struct world *w, bool no_interleaving) {
    const struct test_link_config link = {
        .rate_bps = mbit * 1000000LL, .delay_us = RMI_MS(50), .queue_us = RMI_MS(100), .loss_permille = loss_permille};
    const struct rmi_sctp_config config[2] = {{.no_interleaving = no_interleaving}, {.no_interleaving = false}};
    struct test_pair p = {.on_event = on_event, .on_step = on_step, .user = w};
    test_pair_open(&p, 1, &link, config);
    const int64_t begin_us = p.now_us;
    test_pair_start(&p);
    test_pair_run(&p, begin_us + RMI_SEC(seconds));
    test_pair_close(&p);
    const double share = (double)w->got * 8 / seconds / (mbit * 1e6);
    print_message("%d Mbit/s, 100 ms, loss %.1f %%, %zu B: %.1f %% over %d s\n", mbit, loss_permille / 10.0, w->message,
                  share * 100, seconds);
    return (int)(share * 100);
}

static void a_clean_link_is_filled(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct world w = {.message = sizeof bulk}, small = {.message = 1000};
        assert_in_range(goodput(20, 0, 40, &w, plain), 95, 100);
        assert_in_range(goodput(20, 0, 40, &small, plain), 95, 100);
    }
}

static void random_loss_costs_little(void **state) {
    (void)state;
    struct world one = {.message = sizeof bulk}, plain = {.message = sizeof bulk}, five = {.message = sizeof bulk};
    assert_in_range(goodput(20, 10, 30, &one, false), 85, 100);
    assert_in_range(goodput(20, 10, 30, &plain, true), 85, 100);
    assert_in_range(goodput(20, 50, 30, &five, false), 60, 100);
}

static void a_fast_link_is_filled(void **state) {
    (void)state;
    struct world clean = {.message = sizeof bulk}, lossy = {.message = sizeof bulk};
    assert_in_range(goodput(100, 0, 20, &clean, false), 90, 100);
    assert_in_range(goodput(100, 10, 20, &lossy, false), 60, 100);
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void small_messages_pass_a_large_transfer(void **state) {
    (void)state;
    struct world w = {.message = sizeof bulk, .small = true};
    assert_in_range(goodput(20, 0, 20, &w, false), 90, 100);
    assert_in_range(w.latencies, 200, LATENCIES);
    qsort(w.latency_us, w.latencies, sizeof w.latency_us[0], by_value);
    const int64_t p50_us = w.latency_us[w.latencies / 2], p95_us = w.latency_us[w.latencies * 95 / 100];
    print_message("small messages beside it: p50 %lld us, p95 %lld us of 100 ms round trip\n", (long long)p50_us,
                  (long long)p95_us);
    assert_in_range(p50_us, RMI_MS(50), RMI_MS(75));
    assert_in_range(p95_us, RMI_MS(50), RMI_MS(150));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_link_is_filled),
        cmocka_unit_test(random_loss_costs_little),
        cmocka_unit_test(a_fast_link_is_filled),
        cmocka_unit_test(small_messages_pass_a_large_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
