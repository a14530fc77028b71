/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Paths within a host or a room: what waits in the window is what small messages and sound wait for. */

#define RATE_BPS 1000000000
#define DELAY_US 50
#define QUEUE_US RMI_MS(100)
#define SECONDS 2
#define BYTES 65536
#define BITS 8

struct bulk {
    uint64_t got;
    uint8_t bytes[BYTES];
};

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct bulk *b = p->user;
    if (side == 1 && e->type == RMI_SCTP_EV_MESSAGE)
        b->got += e->len;
}

static void on_step(struct test_pair *p, int side) {
    struct bulk *b = p->user;
    if (side != 0 || rmi_sctp_state_of(p->end[0].a) != RMI_SCTP_ESTABLISHED)
        return;
    while (rmi_sctp_buffered(p->end[0].a, 0) < 4 * sizeof b->bytes &&
           !rmi_sctp_send(p->end[0].a, p->now_us, 0, 53, NULL, b->bytes, sizeof b->bytes)) {
    }
}

static void the_window_of_a_short_path_is_a_few_milliseconds(void **state) {
    (void)state;
    struct bulk bulk = {0};
    struct test_pair p = {.on_event = on_event, .on_step = on_step, .user = &bulk};
    const struct test_link_config link = {
        .rate_bps = RATE_BPS, .delay_us = DELAY_US, .queue_us = QUEUE_US, .headers = TEST_HEADERS};
    const struct rmi_sctp_config config[2] = {0};
    struct rmi_sctp_stats stats;
    test_pair_open(&p, 1, &link, config);
    test_pair_start(&p);
    test_pair_run(&p, p.now_us + RMI_SEC(SECONDS));
    rmi_sctp_get_stats(p.end[0].a, &stats);
    assert_true(bulk.got > (uint64_t)RATE_BPS / BITS * SECONDS * 80 / 100);
    assert_int_equal(stats.retransmissions, 0);
    assert_in_range(stats.srtt_us, 1, RMI_MS(3));
    const int64_t window_us = (int64_t)(stats.cwnd * (uint64_t)RMI_SEC(1) * BITS / RATE_BPS);
    assert_in_range(window_us, 1, RMI_MS(4)); /* it was 8 ms */
    test_pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_window_of_a_short_path_is_a_few_milliseconds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
