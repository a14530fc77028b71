/* SPDX-License-Identifier: Apache-2.0 */
/* order.h, delay.h and drift.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "jitter/delay.h"
#include "jitter/drift.h"
#include "jitter/order.h"
#include <math.h>
#include <string.h>

#define RATE 48000

static double chance(struct rmi_prng *prng) {
    return (double)(rmi_prng_next(prng) >> 11) / (double)(1ULL << 53);
}

static void numbers_unwrap_to_the_nearest(void **state) {
    (void)state;
    assert_int_equal(rmi_unwrap16(65535, 0), 65536);
    assert_int_equal(rmi_unwrap16(65536, 65535), 65535);
    assert_int_equal(rmi_unwrap16(0, 65535), -1);
    assert_int_equal(rmi_unwrap16(100000, (uint16_t)(100000 + 32767)), 132767);
    assert_int_equal(rmi_unwrap32(UINT32_MAX, 5), (1LL << 32) + 5);
    assert_int_equal(rmi_unwrap32(1LL << 32, UINT32_MAX), UINT32_MAX);
    assert_int_equal(rmi_ticks_to_us(48, RATE), 1000);
    assert_int_equal(rmi_ticks_to_us(-1, RATE), -21);
    assert_int_equal(rmi_us_to_ticks(1000, RATE), 48);
    /* A thousand years. */
    assert_int_equal(rmi_ticks_to_us(31536000000LL * 90000, 90000), RMI_SEC(31536000000));
}

static enum rmi_order_verdict judge(struct rmi_order *o, uint32_t ssrc, uint16_t seq, uint32_t ts, int64_t now,
                                    struct rmi_order_place *p) {
    return rmi_order_judge(o, ssrc, seq, ts, now, RATE, p);
}

static void strange_packets_are_told_from_new_streams(void **state) {
    (void)state;
    struct rmi_order o = {.started = false};
    struct rmi_order_place p, q;
    assert_int_equal(judge(&o, 1, 65535, 0xffffff00, 0, &p), RMI_ORDER_RESTART);
    assert_int_equal(judge(&o, 1, 0, 0xffffff00 + 960, RMI_MS(20), &q), RMI_ORDER_FITS);
    assert_int_equal(q.seq - p.seq, 1);
    assert_int_equal(q.ts - p.ts, 960);
    /* One stranger is none; two in a row are a new sequence. */
    assert_int_equal(judge(&o, 1, 20000, 5, RMI_MS(40), &q), RMI_ORDER_REJECT);
    assert_int_equal(judge(&o, 1, 1, 0xffffff00 + 1920, RMI_MS(40), &q), RMI_ORDER_FITS);
    assert_int_equal(judge(&o, 1, 20001, 965, RMI_MS(60), &q), RMI_ORDER_REJECT);
    assert_int_equal(judge(&o, 1, 20002, 1925, RMI_MS(80), &q), RMI_ORDER_RESTART);
    /* Timestamps that leap, or run backwards. */
    assert_int_equal(judge(&o, 1, 20003, 1925 + 960 + RATE * 3, RMI_MS(100), &q), RMI_ORDER_JUMP);
    assert_int_equal(judge(&o, 1, 20004, 1925, RMI_MS(120), &q), RMI_ORDER_JUMP);
    assert_int_equal(judge(&o, 1, 20002, 1926, RMI_MS(120), &q), RMI_ORDER_REJECT); /* older, but later */
    /* A silence of the sender's own. */
    assert_int_equal(judge(&o, 1, 20005, 1925 + RATE * 30, RMI_MS(120) + RMI_SEC(30), &q), RMI_ORDER_FITS);
    /* Another source; stragglers of the one before it are not a third. */
    const int64_t now = RMI_SEC(31);
    assert_int_equal(judge(&o, 2, 7, 7, now, &q), RMI_ORDER_RESTART);
    assert_int_equal(judge(&o, 1, 20006, 1925 + RATE * 31, now, &q), RMI_ORDER_REJECT);
    assert_int_equal(judge(&o, 2, 8, 967, now + RMI_MS(20), &q), RMI_ORDER_FITS);
    assert_int_equal(judge(&o, 1, 20007, 1925 + RATE * 34, now + RMI_SEC(3), &q), RMI_ORDER_RESTART);
}

static void quantiles_of_lateness(void **state) {
    (void)state;
    struct rmi_delay d = {.started = false};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    assert_int_equal(rmi_delay_quantile(&d, 0.99), 0);
    for (int64_t i = 0; i < 5000; i++)
        rmi_delay_add(&d, RMI_SEC(100) + RMI_MS(20) * i + (int64_t)(chance(&prng) * 80000), RMI_MS(20) * i);
    assert_in_range(rmi_delay_quantile(&d, 0.99), RMI_MS(77), RMI_MS(81));
    assert_in_range(rmi_delay_quantile(&d, 0.5), RMI_MS(34), RMI_MS(46));
    assert_in_range(rmi_delay_earliest(&d, 0), RMI_SEC(100), RMI_SEC(100) + RMI_MS(1));
    /* Then the network is quiet: for seven seconds it is expected again, after nine it is not. */
    for (int64_t i = 5000; i < 5340; i++)
        rmi_delay_add(&d, RMI_SEC(100) + RMI_MS(20) * i, RMI_MS(20) * i);
    assert_in_range(rmi_delay_quantile(&d, 0.99), RMI_MS(74), RMI_MS(81));
    for (int64_t i = 5340; i < 5455; i++)
        rmi_delay_add(&d, RMI_SEC(100) + RMI_MS(20) * i, RMI_MS(20) * i);
    assert_int_equal(rmi_delay_quantile(&d, 0.99), 0);
}

/* A path that becomes 70 ms longer makes everything late for as long as the old base is remembered, and no longer. */
static void a_longer_path_is_not_jitter(void **state) {
    (void)state;
    struct rmi_delay d = {.started = false};
    for (int64_t i = 0; i < 1000; i++)
        rmi_delay_add(&d, RMI_MS(20) * i, RMI_MS(20) * i);
    for (int64_t i = 1000; i < 1300; i++)
        rmi_delay_add(&d, RMI_MS(20) * i + RMI_MS(70), RMI_MS(20) * i);
    assert_int_equal(rmi_delay_quantile(&d, 0.99), 0);
    assert_int_equal(rmi_delay_earliest(&d, 0), RMI_MS(70));
    for (int64_t i = 1300; i < 1400; i++) /* and back: at once */
        rmi_delay_add(&d, RMI_MS(20) * i, RMI_MS(20) * i);
    assert_int_equal(rmi_delay_earliest(&d, 0), 0);
    assert_int_equal(rmi_delay_quantile(&d, 0.99), 0);
}

static int64_t feed(struct rmi_delay *d, int64_t i, int64_t late_us, int64_t limit_us) {
    const int64_t arrival = RMI_MS(20) * i + late_us;
    rmi_delay_follow(d, arrival, rmi_delay_add(d, arrival, RMI_MS(20) * i), limit_us);
    return rmi_delay_earliest(d, 0);
}

/* A step over what the caller waits for is followed within 60 ms; jitter over it is not, nor a burst after a stall. */
static void a_path_longer_than_one_can_wait_is_followed(void **state) {
    (void)state;
    struct rmi_delay d = {.started = false};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(feed(&d, i, 0, RMI_MS(50)), 0);
    for (int64_t i = 1000; i < 1003; i++)
        assert_int_equal(feed(&d, i, RMI_MS(300), RMI_MS(50)), 0);
    assert_true(rmi_delay_has_grown(&d));
    assert_int_equal(feed(&d, 1003, RMI_MS(310), RMI_MS(50)), RMI_MS(300));
    assert_int_equal(feed(&d, 1004, RMI_MS(300), RMI_MS(50)), RMI_MS(300));
    assert_false(rmi_delay_has_grown(&d));
    assert_int_equal(rmi_delay_quantile(&d, 0.99), 0); /* all of it is the path */
    assert_int_equal(feed(&d, 1005, RMI_MS(120), RMI_MS(50)), RMI_MS(120));
    assert_int_equal(feed(&d, 1006, 0, RMI_MS(50)), 0);
    for (int64_t i = 1007; i < 1400; i++)
        assert_int_equal(feed(&d, i, 0, RMI_MS(50)), 0);
    for (int64_t i = 1400; i < 1415; i++) /* a stall of 300 ms */
        assert_int_equal(feed(&d, i, RMI_MS(20) * (1415 - i), RMI_MS(50)), 0);
    for (int64_t i = 1415; i < 20000; i++) { /* no packet comes in less, but some in hardly more */
        const int64_t base = feed(&d, i, (int64_t)(chance(&prng) * 100000), RMI_MS(50));
        assert_true(base < RMI_MS(20));
    }
}

struct clock_case {
    double ppm;
    int64_t jitter_us, step_us; /* the path changes by step_us after 10 minutes */
    double tolerance;
};

static double run_clock(const struct clock_case *c, uint64_t seed, int64_t minutes) {
    static struct rmi_drift d;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed);
    rmi_drift_reset(&d);
    double worst = 0;
    for (int64_t i = 0; i < minutes * 3000; i++) {
        const int64_t media = RMI_MS(20) * i, sent = (int64_t)((double)media / (1 + c->ppm / 1e6));
        const int64_t path = RMI_MS(50) + (i >= 30000 ? c->step_us : 0);
        rmi_drift_add(&d, sent + path + (int64_t)(chance(&prng) * (double)c->jitter_us), media);
        double ppm;
        const bool known = rmi_drift_ppm(&d, &ppm);
        assert_true(known || ppm == 0);
        if (i >= 4 * 3000 + 1500) {
            assert_true(known);
            worst = fmax(worst, fabs(ppm - c->ppm));
        }
    }
    return worst;
}

static void clocks_are_measured_through_jitter(void **state) {
    (void)state;
    static const struct clock_case cases[] = {
        {0, 0, 0, 0.1},           {500, 0, 0, 0.5},         {-500, RMI_MS(20), 0, 3},
        {500, RMI_MS(100), 0, 8}, {-30, RMI_MS(100), 0, 8}, {0, RMI_MS(50), RMI_MS(80), 8},
        {100, 0, RMI_MS(80), 6},  {100, 0, -RMI_MS(40), 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double off = run_clock(&cases[i], i, 30);
        print_message("clock %+.0f ppm, jitter %lld ms, path step %lld ms: off by at most %.2f ppm\n", cases[i].ppm,
                      (long long)cases[i].jitter_us / 1000, (long long)cases[i].step_us / 1000, off);
        assert_true(off <= cases[i].tolerance);
    }
}

static void lines_need_points(void **state) {
    (void)state;
    const struct rmi_drift_point p[] = {{1, 3}, {2, 5}, {3, 7}}, flat[] = {{1, 1}, {1, 2}, {1, 3}};
    double slope, offset, error;
    assert_false(rmi_fit_line(p, 2, &slope, &offset, &error));
    assert_false(rmi_fit_line(flat, 3, &slope, &offset, &error));
    assert_true(rmi_fit_line(p, 3, &slope, &offset, &error));
    assert_true(fabs(slope - 2) < 1e-9 && fabs(offset - 1) < 1e-9 && error < 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_unwrap_to_the_nearest),
        cmocka_unit_test(strange_packets_are_told_from_new_streams),
        cmocka_unit_test(quantiles_of_lateness),
        cmocka_unit_test(a_longer_path_is_not_jitter),
        cmocka_unit_test(a_path_longer_than_one_can_wait_is_followed),
        cmocka_unit_test(clocks_are_measured_through_jitter),
        cmocka_unit_test(lines_need_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
