/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/goodput_testkit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* How much a link carries, in virtual time; `rmrtc bench DATA` measures the same for longer. */

#define RTT_US RMI_MS(100)

static double goodput(int mbit, int loss_permille, int64_t queue_us, size_t message, bool no_interleaving) {
    struct test_load l = {.mbit = mbit,
                          .loss_permille = loss_permille,
                          .rtt_us = RTT_US,
                          .queue_us = queue_us,
                          .warm_us = RMI_SEC(4),
                          .measured_us = RMI_SEC(12),
                          .message = message,
                          .no_interleaving = no_interleaving};
    test_load_run(&l);
    print_message("%d Mbit/s, 100 ms, queue %d ms, loss %.1f %%, %zu B, %s: %.1f Mbit/s, %.1f %%\n", mbit,
                  (int)(queue_us / 1000), loss_permille / 10.0, message, no_interleaving ? "DATA" : "I-DATA",
                  l.payload_mbit, l.percent);
    assert_false(l.wrong || l.failed);
    return l.percent;
}

static void a_clean_link_is_filled(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        assert_true(goodput(20, 0, RMI_MS(100), 65536, plain) >= 95);
        assert_true(goodput(20, 0, RMI_MS(50), 65536, plain) >= 95);
        assert_true(goodput(20, 0, RMI_MS(100), 1000, plain) >= 85); /* packets are not full */
        assert_true(goodput(100, 0, RMI_MS(100), 65536, plain) >= 90);
        assert_true(goodput(100, 0, RMI_MS(50), 65536, plain) >= 90);
    }
}

/* Each acknowledgement that waits for a second packet looks like a queue: at these rates that one is long in coming. */
static void a_slow_link_is_filled(void **state) {
    (void)state;
    static const double mbit[] = {0.1, 0.2, 0.4, 0.8};
    static const int64_t rtt_us[] = {RMI_MS(5), RMI_MS(40), RMI_MS(100)};
    for (int i = 0; i < 24; i++) {
        struct test_load l = {.mbit = mbit[i % 4],
                              .rtt_us = rtt_us[i / 4 % 3],
                              .queue_us = RMI_MS(200),
                              .warm_us = RMI_SEC(20),
                              .measured_us = RMI_SEC(60),
                              .message = 2000,
                              .gentle = i >= 12};
        test_load_run(&l);
        print_message("%.1f Mbit/s, %d ms%s: %.1f %%\n", l.mbit, (int)(l.rtt_us / 1000), l.gentle ? ", gentle" : "",
                      l.percent);
        assert_true(l.percent >= 90 && !l.wrong && !l.failed);
    }
}

static void random_loss_costs_little(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++)
        assert_true(goodput(20, 10, RMI_MS(100), 65536, plain) >= 85);
    assert_true(goodput(20, 50, RMI_MS(100), 65536, false) >= 60);
    assert_true(goodput(100, 10, RMI_MS(100), 65536, false) >= 60);
}

/* Beside messages of 16 MiB with I-DATA; of 64 KiB to a peer without it, where one is waited for. */
static void small_messages_pass_a_large_transfer(void **state) {
    (void)state;
    for (int plain = 0; plain < 2; plain++)
        for (int loss_permille = 0; loss_permille <= 10; loss_permille += 10) {
            struct test_load l = {.mbit = 20,
                                  .loss_permille = loss_permille,
                                  .rtt_us = RTT_US,
                                  .queue_us = RTT_US,
                                  .bytes = 40000000,
                                  .message = plain ? 65536 : 16 << 20,
                                  .no_interleaving = plain,
                                  .small = true};
            test_load_run(&l);
            const int64_t p50_us = test_load_latency(&l, 50), p95_us = test_load_latency(&l, 95);
            print_message("%zu small messages beside it, loss %d %%: p50 %lld us, p95 %lld us\n", l.latencies,
                          loss_permille / 10, (long long)p50_us, (long long)p95_us);
            assert_false(l.wrong || l.failed); /* all bytes of both, in order, by hash */
            assert_in_range(l.latencies, 300, TEST_LATENCIES);
            assert_in_range(p50_us, RTT_US / 2, RTT_US);
            assert_in_range(p95_us, RTT_US / 2, loss_permille ? 2 * RTT_US : 3 * RTT_US / 2);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_link_is_filled),
        cmocka_unit_test(a_slow_link_is_filled),
        cmocka_unit_test(random_loss_costs_little),
        cmocka_unit_test(small_messages_pass_a_large_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
