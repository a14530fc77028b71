/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "cc/loss.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BATCH 10

struct path {
    struct rmi_cc_loss loss;
    struct rmi_prng prng;
    int64_t now_us;
    double rate_bps;      /* sent: as told by the estimator, or less */
    double capacity_bps;  /* what is above is lost */
    unsigned random_loss; /* of 1000 */
    double credit;
};

static void begin(struct path *p, double start_bps) {
    *p = (struct path){.rate_bps = start_bps, .capacity_bps = 1e12};
    rmi_prng_seed(&p->prng, 3);
    rmi_cc_loss_init(&p->loss, start_bps);
}

/* Sends at the estimate for so long; the delay would allow `delay_bps`. */
static void run(struct path *p, double seconds, double delay_bps) {
    for (const int64_t until = p->now_us + (int64_t)(seconds * 1e6); p->now_us < until;) {
        struct rmi_cc_result r[BATCH];
        for (int i = 0; i < BATCH; i++) {
            p->now_us += (int64_t)(1200 * 8e6 / p->rate_bps);
            p->credit += p->capacity_bps < p->rate_bps ? p->capacity_bps / p->rate_bps : 1;
            const bool through = p->credit >= 1;
            p->credit -= through;
            const bool came = through && rmi_prng_next(&p->prng) % 1000 >= p->random_loss;
            r[i] = (struct rmi_cc_result){
                .sent_us = p->now_us, .arrived_us = came ? p->now_us + 50000 : RMI_CC_LOST, .bytes = 1200};
        }
        const double acked = (1 - p->loss.average_loss) * p->rate_bps;
        p->rate_bps = rmi_cc_loss_update(&p->loss, r, BATCH, delay_bps, acked);
    }
}

static void without_loss_the_delay_decides(void **state) {
    (void)state;
    struct path p;
    begin(&p, 300e3);
    run(&p, 20, 2e6);
    assert_true(p.rate_bps == 2e6);
}

/* Random loss of a radio link costs no bandwidth: what the first estimator did to Wi-Fi. */
static void random_loss_does_not_starve(void **state) {
    (void)state;
    for (unsigned loss = 10; loss <= 50; loss += 20) {
        struct path p;
        begin(&p, 1e6);
        p.random_loss = loss;
        run(&p, 30, 2e6);
        assert_true(p.rate_bps > 1.2e6);
    }
}

static void a_bottleneck_without_a_queue_is_found(void **state) {
    (void)state;
    struct path p;
    begin(&p, 2e6);
    p.capacity_bps = 1e6;
    run(&p, 10, 4e6);
    double sum = 0;
    for (int i = 0; i < 20; i++) {
        run(&p, 1, 4e6);
        sum += p.rate_bps;
    }
    assert_true(sum / 20 > 0.7e6 && sum / 20 < 1.25e6);
    assert_true(p.loss.average_loss < 0.15);
    /* And left behind, when it is gone. */
    p.capacity_bps = 1e12;
    run(&p, 15, 4e6);
    assert_true(p.rate_bps > 3e6);
}

static void heavy_loss_bounds_it_at_once(void **state) {
    (void)state;
    struct path p;
    begin(&p, 3e6);
    run(&p, 5, 3e6);
    assert_true(p.rate_bps == 3e6);
    p.random_loss = 400;
    run(&p, 3, 3e6);
    assert_true(p.rate_bps < 600e3);
}

static void late_packets_are_not_lost(void **state) {
    (void)state;
    struct rmi_cc_loss l;
    rmi_cc_loss_init(&l, 1e6);
    int64_t now_us = RMI_SEC(1);
    for (int i = 0; i < 400; i++, now_us += RMI_MS(10)) {
        struct rmi_cc_result r[2] = {
            {.sent_us = now_us, .arrived_us = i % 4 ? now_us : RMI_CC_LOST, .bytes = 1200},
            {.sent_us = now_us - RMI_MS(10), .arrived_us = now_us, .bytes = 1200, .known_lost = true}};
        (void)rmi_cc_loss_update(&l, r, i % 4 == 1 ? 2 : 1, 1e6, 1e6); /* each lost one comes with the next */
    }
    assert_true(l.average_loss < 0.05);
}

static void few_packets_are_no_observation(void **state) {
    (void)state;
    struct rmi_cc_loss l;
    rmi_cc_loss_init(&l, 1e6);
    for (int i = 0; i < 20; i++) {
        struct rmi_cc_result r = {.sent_us = RMI_MS(i), .arrived_us = RMI_CC_LOST, .bytes = 1200};
        assert_true(rmi_cc_loss_update(&l, &r, 1, 1e6, 0) == 1e6);
    }
    assert_int_equal(l.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_loss_the_delay_decides),
        cmocka_unit_test(random_loss_does_not_starve),
        cmocka_unit_test(a_bottleneck_without_a_queue_is_found),
        cmocka_unit_test(heavy_loss_bounds_it_at_once),
        cmocka_unit_test(late_packets_are_not_lost),
        cmocka_unit_test(few_packets_are_no_observation),
    };
    return cmocka_run_group_tests_name("cc.loss", tests, NULL, NULL);
}
