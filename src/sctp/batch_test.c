/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Packets that came together. */

#define PACKETS 8 /* within the first window */
#define BYTES 1000
#define DELAY_US RMI_MS(5)

static void open_pair(struct test_pair *p) {
    const struct test_link_config link = {.delay_us = DELAY_US};
    const struct rmi_sctp_config config[2] = {0};
    *p = (struct test_pair){0};
    test_pair_open(p, 1, &link, config);
    test_pair_start(p);
    test_pair_run(p, p->now_us + RMI_SEC(1));
    assert_int_equal(rmi_sctp_state_of(p->end[0].a), RMI_SCTP_ESTABLISHED);
}

static void send_messages(struct test_pair *p) {
    static const uint8_t bytes[BYTES];
    for (int i = 0; i < PACKETS; i++)
        assert_int_equal(rmi_sctp_send(p->end[0].a, p->now_us, 0, 53, NULL, bytes, sizeof bytes), RM_OK);
    rmi_sctp_flush(p->end[0].a, p->now_us);
}

/* All that is under way to side 1, without the flush; how many packets. */
static int take_all(struct test_pair *p) {
    int n = 0;
    while (test_link_next(&p->end[0].out) != RMI_NEVER) {
        p->now_us = rmi_max64(p->now_us, test_link_next(&p->end[0].out));
        struct test_packet packet = test_link_pop(&p->end[0].out);
        rmi_sctp_input_more(p->end[1].a, p->now_us, packet.data, packet.len);
        free(packet.data);
        n++;
    }
    return n;
}

static int read_messages(struct test_pair *p) {
    struct rmi_sctp_event e;
    int n = 0;
    while (rmi_sctp_poll_event(p->end[1].a, &e))
        n += e.type == RMI_SCTP_EV_MESSAGE;
    return n;
}

static void packets_that_came_together_are_acknowledged_together(void **state) {
    (void)state;
    struct test_pair p;
    struct rmi_sctp_stats stats;
    open_pair(&p);
    send_messages(&p);
    const uint64_t before = p.end[1].packets;
    assert_true(take_all(&p) >= PACKETS);
    assert_int_equal(p.end[1].packets, before);
    assert_int_equal(read_messages(&p), PACKETS); /* they can be had already */
    rmi_sctp_flush(p.end[1].a, p.now_us);
    assert_int_equal(p.end[1].packets, before + 1);
    rmi_sctp_flush(p.end[1].a, p.now_us);
    assert_int_equal(p.end[1].packets, before + 1);
    test_pair_run(&p, p.now_us + 2 * DELAY_US);
    rmi_sctp_get_stats(p.end[0].a, &stats);
    assert_int_equal(stats.buffered, 0);
    assert_int_equal(stats.retransmissions, 0);
    test_pair_close(&p);
}

static void a_forgotten_flush_only_delays_the_acknowledgement(void **state) {
    (void)state;
    struct test_pair p;
    struct rmi_sctp_stats stats;
    open_pair(&p);
    send_messages(&p);
    take_all(&p);
    test_pair_run(&p, p.now_us + RMI_MS(100)); /* the timer of delayed acknowledgements */
    rmi_sctp_get_stats(p.end[0].a, &stats);
    assert_int_equal(stats.buffered, 0);
    test_pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_that_came_together_are_acknowledged_together),
        cmocka_unit_test(a_forgotten_flush_only_delays_the_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
