/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/pair_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LARGE 200000
#define LIFE_US RMI_MS(80)
#define SHORT_ONES 50
#define BEHIND 1
#define BESIDE 2

struct world {
    int large, of_short, last, low, writable, failed;
    bool wrong;
};
static uint8_t large[LARGE];

static void on_event(struct test_pair *p, int side, const struct rmi_sctp_event *e) {
    struct world *w = p->user;
    (void)side;
    w->failed += e->type == RMI_SCTP_EV_FAILED;
    w->low += e->type == RMI_SCTP_EV_BUFFERED_LOW;
    w->writable += e->type == RMI_SCTP_EV_WRITABLE;
    if (e->type != RMI_SCTP_EV_MESSAGE)
        return;
    if (e->len == LARGE) {
        w->large++;
        w->wrong = w->wrong || memcmp(e->data, large, LARGE) != 0;
    } else if (e->len == 4) {
        w->last += memcmp(e->data, "last", 4) == 0;
    } else {
        w->of_short++;
    }
}

static rm_err give(struct test_pair *p, uint16_t stream, const struct rmi_sctp_send_options *o, const void *data,
                   size_t len) {
    return rmi_sctp_send(p->end[0].a, p->now_us, stream, 53, o, data, len);
}

/* A message that takes seconds on its way; behind it on its stream, and on another one, some that live 80 ms. They go
 * when their time is over and make room, although nothing of theirs was sent; all others arrive whole. With DATA, the
 * message that has begun stays in one piece. */
static void what_expires_in_the_queue_makes_room_at_once(void **state) {
    (void)state;
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        const struct test_link_config link = {.rate_bps = 400000, .delay_us = RMI_MS(20), .queue_us = RMI_MS(200)};
        const struct rmi_sctp_config config[2] = {{.message_out_max = LARGE,
                                                   .send_buffer = LARGE + SHORT_ONES * 2000 + 100,
                                                   .no_interleaving = !interleaving},
                                                  {.message_in_max = LARGE}};
        const struct rmi_sctp_send_options brief = {.max_lifetime_us = LIFE_US},
                                           longer = {.max_lifetime_us = RMI_SEC(60)};
        struct world w = {0};
        struct test_pair p = {.on_event = on_event, .user = &w};
        struct rmi_sctp_stats s;
        test_pair_open(&p, 5, &link, config);
        test_pair_start(&p);
        test_pair_run(&p, p.now_us + RMI_SEC(1));
        struct rmi_sctp *a = p.end[0].a;
        assert_int_equal(give(&p, BEHIND, NULL, large, LARGE), RM_OK);
        assert_int_equal(rmi_sctp_set_buffered_low(a, BESIDE, 4), RM_OK);
        int given = 0;
        for (int i = 0; i < SHORT_ONES; i++)
            given += !give(&p, BEHIND, &brief, large, 1000) + !give(&p, BESIDE, &brief, large, 1000);
        assert_int_equal(give(&p, BEHIND, &longer, "last", 4), RM_OK);
        assert_int_equal(give(&p, BESIDE, NULL, "last", 4), RM_OK);
        assert_int_equal(give(&p, BESIDE, NULL, large, LARGE), RM_E_AGAIN);
        rmi_sctp_flush(a, p.now_us);
        assert_int_equal(given, 2 * SHORT_ONES);
        test_pair_run(&p, p.now_us + LIFE_US + RMI_MS(11)); /* a queue is walked each 10 ms at most */
        rmi_sctp_get_stats(a, &s);
        assert_in_range(rmi_sctp_buffered(a, BEHIND), 1, LARGE + 4);
        assert_in_range(rmi_sctp_buffered(a, BESIDE), 0, 4);
        assert_in_range(s.abandoned, SHORT_ONES, 2 * SHORT_ONES);
        assert_int_equal(w.low, 1);
        test_pair_run(&p, p.now_us + RMI_SEC(60));
        rmi_sctp_get_stats(a, &s);
        assert_int_equal(s.buffered, 0);
        assert_int_equal(w.large, 1);
        assert_int_equal(w.last, 2);
        assert_in_range((uint64_t)w.of_short + s.abandoned, 2 * SHORT_ONES, 2 * SHORT_ONES + 4);
        assert_true(w.writable > 0);
        assert_false(w.wrong);
        assert_int_equal(w.failed, 0);
        test_pair_close(&p);
    }
}

/* A peer whose application does not read closes the window: nothing is sent, and yet what expires goes. */
static void it_does_so_behind_a_closed_window_too(void **state) {
    (void)state;
    const struct test_link_config link = {.delay_us = RMI_MS(20)};
    const struct rmi_sctp_config config[2] = {{.name = "a"}, {.recv_buffer = 20000, .message_in_max = 10000}};
    const struct rmi_sctp_send_options brief = {.max_lifetime_us = LIFE_US};
    struct world w = {0};
    struct test_pair p = {.on_event = on_event, .user = &w};
    struct rmi_sctp_stats s;
    test_pair_open(&p, 6, &link, config);
    test_pair_start(&p);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    p.no_reading[1] = true;
    for (int i = 0; i < 10; i++)
        assert_int_equal(give(&p, BEHIND, NULL, large, 5000), RM_OK);
    for (int i = 0; i < SHORT_ONES; i++)
        assert_int_equal(give(&p, BEHIND, &brief, large, 1000), RM_OK);
    rmi_sctp_flush(p.end[0].a, p.now_us);
    test_pair_run(&p, p.now_us + RMI_SEC(1));
    rmi_sctp_get_stats(p.end[0].a, &s);
    assert_int_equal(s.abandoned, SHORT_ONES);
    assert_in_range(rmi_sctp_buffered(p.end[0].a, BEHIND), 1, 50000);
    p.no_reading[1] = false;
    test_pair_drain(&p, 1);
    assert_int_equal(give(&p, BEHIND, NULL, "last", 4), RM_OK);
    test_pair_run(&p, p.now_us + RMI_SEC(20));
    assert_int_equal(w.of_short, 10);
    assert_int_equal(w.last, 1);
    test_pair_close(&p);
}

int main(void) {
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 17 + i / 253);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expires_in_the_queue_makes_room_at_once),
        cmocka_unit_test(it_does_so_behind_a_closed_window_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
