/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/probe_rate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PACKETS 20
#define BYTES 1000

/* Packets each `sent_us` that arrive each `arrived_us`, all but the first `lost`: the last rate that was found. */
static double probe(int64_t sent_us, int64_t arrived_us, int lost) {
    struct rmi_cc_probe_rate r = {0};
    const struct rmi_cc_probe wanted = {.cluster = 7, .bytes = PACKETS * BYTES, .packets = 5};
    double found = 0;
    rmi_cc_probe_rate_begin(&r, &wanted);
    for (int i = lost; i < PACKETS; i++) {
        const struct rmi_cc_result p = {.sent_us = RMI_SEC(1) + i * sent_us,
                                        .arrived_us = RMI_SEC(9) + i * arrived_us,
                                        .bytes = BYTES,
                                        .cluster = 7};
        const double bps = rmi_cc_probe_rate_input(&r, &p);
        found = bps > 0 ? bps : found;
    }
    return found;
}

static void assert_near(double got, double want) {
    assert_true(got > want * 0.999 && got < want * 1.001);
}

static void what_goes_through_is_the_rate(void **state) {
    (void)state;
    assert_near(probe(1000, 1000, 0), 8e6);
    assert_near(probe(1000, 1050, 0), 8e6 / 1.05);
    assert_near(probe(1000, 900, 0), 8e6); /* what was sent, when it came closer together */
}

static void what_does_not_is_a_little_less_than_arrives(void **state) {
    (void)state;
    assert_near(probe(1000, 2000, 0), 0.95 * 4e6);
}

static void too_little_says_nothing(void **state) {
    (void)state;
    assert_near(probe(1000, 1000, 3), 8e6);
    assert_true(probe(1000, 1000, 5) == 0);
    assert_true(probe(1000, 400, 0) == 0);        /* they waited for one another */
    assert_true(probe(RMI_MS(80), 1000, 0) == 0); /* too long */
    assert_true(probe(1000, RMI_MS(80), 0) == 0);
    assert_true(probe(0, 1000, 0) == 0); /* no time passed */
    assert_true(probe(1000, 0, 0) == 0);
}

static void unknown_clusters_and_other_packets_are_ignored(void **state) {
    (void)state;
    struct rmi_cc_probe_rate r = {0};
    for (uint32_t cluster = 0; cluster < 3; cluster++)
        for (int i = 0; i < PACKETS; i++) {
            const struct rmi_cc_result p = {
                .sent_us = RMI_MS(i), .arrived_us = RMI_MS(i), .bytes = BYTES, .cluster = cluster};
            assert_true(rmi_cc_probe_rate_input(&r, &p) == 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_through_is_the_rate),
        cmocka_unit_test(what_does_not_is_a_little_less_than_arrives),
        cmocka_unit_test(too_little_says_nothing),
        cmocka_unit_test(unknown_clusters_and_other_packets_are_ignored),
    };
    return cmocka_run_group_tests_name("cc.probe_rate", tests, NULL, NULL);
}
