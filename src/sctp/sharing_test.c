/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/sharing_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MBIT 20
#define SEEDS 2

/* Flows that begin seconds after each other share what there is. */
static void flows_share_a_link(void **state) {
    (void)state;
    for (size_t flows = 2; flows <= TEST_FLOWS_MAX; flows += 2)
        for (int queue_ms = 50; queue_ms <= 100; queue_ms += 50)
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                struct test_share s = {.flows = flows};
                uint64_t before[TEST_FLOWS_MAX] = {0};
                double mbit;
                s.bottleneck.c = (struct test_link_config){
                    .rate_bps = MBIT * 1000000, .delay_us = RMI_MS(50), .queue_us = RMI_MS(queue_ms)};
                for (size_t i = 0; i < flows; i++)
                    s.flow[i].start_us = RMI_SEC(1) + (int64_t)i * RMI_SEC(3);
                test_share_open(&s, seed);
                test_share_run(&s, RMI_SEC(25));
                for (size_t i = 0; i < flows; i++)
                    before[i] = s.flow[i].got;
                test_share_run(&s, RMI_SEC(65));
                const double jain = test_share_jain(&s, before, RMI_SEC(40), &mbit);
                print_message("%zu flows, queue %d ms: Jain %.3f, together %.1f Mbit/s, %.1f %% dropped\n", flows,
                              queue_ms, jain, mbit, 100.0 * (double)s.bottleneck.dropped / (double)s.bottleneck.sent);
                for (size_t i = 0; i < flows; i++)
                    assert_false(s.flow[i].failed);
                assert_true(jain >= 0.8);
                assert_true(mbit >= 0.9 * MBIT * 1128 / 1225);
                test_share_close(&s);
            }
}

/* 20, 5 and 20 Mbit/s again: five seconds after a change the link is used, and its queue not full for long. */
static void a_changed_rate_is_found(void **state) {
    (void)state;
    static const int mbits[] = {20, 5, 20, 1, 20};
    struct test_share s = {.flows = 1};
    s.bottleneck.c = (struct test_link_config){.delay_us = RMI_MS(50), .queue_us = RMI_MS(100)};
    test_share_open(&s, 1);
    for (size_t i = 0; i < sizeof mbits / sizeof mbits[0]; i++) {
        s.bottleneck.c.rate_bps = mbits[i] * 1000000LL;
        test_share_run(&s, s.now_us + RMI_SEC(5));
        const uint64_t before = s.flow[0].got, sent = s.bottleneck.sent, dropped = s.bottleneck.dropped;
        test_share_run(&s, s.now_us + RMI_SEC(10));
        const double mbit = (double)(s.flow[0].got - before) * 8 / (double)RMI_SEC(10);
        const double lost = 100.0 * (double)(s.bottleneck.dropped - dropped) / (double)(s.bottleneck.sent - sent);
        print_message("%d Mbit/s from the sixth second: %.1f Mbit/s of payload, %.1f %% dropped\n", mbits[i], mbit,
                      lost);
        assert_true(mbit >= 0.85 * mbits[i] * 1128 / 1225);
        assert_true(lost < 5);
    }
    assert_false(s.flow[0].failed);
    test_share_close(&s);
}

static void streams_get_what_their_weights_say(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct test_weights w = {.no_interleaving = plain, .weight = {128, 256, 1024}}; /* RFC 8831 6.4 */
        const double off = test_weights_run(&w);
        print_message("streams of weights 1, 2, 8 (%s): %.2f %% off\n", plain ? "DATA" : "I-DATA", off);
        assert_true(off < 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_share_a_link),
        cmocka_unit_test(a_changed_rate_is_found),
        cmocka_unit_test(streams_get_what_their_weights_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
