/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/link_testkit.h"

static const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 300e3, .max_bps = 20e6};

static struct rmi_cc_status status(const struct lab_flow *f) {
    struct rmi_cc_status s;
    rmi_cc_get(&f->cc, &s);
    return s;
}

static void constant_links_are_used(void **state) {
    (void)state;
    static const double rates[] = {0.5e6, 1e6, 2.5e6, 10e6};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct lab *lab = lab_create(rates[i]);
        struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
        lab_run(lab, RMI_SEC(10));
        lab_forget(lab);
        lab_run(lab, RMI_SEC(120));
        print_message("%.1f Mbit/s: use %.3f, over 60 ms %.3f, lost %u\n", rates[i] / 1e6, lab_use(lab), lab_over(lab),
                      (unsigned)f->lost);
        assert_true(lab_use(lab) > 0.9);
        assert_true(lab_over(lab) < (rates[i] < 1e6 ? 0.08 : 0.05)); /* two packets are 40 ms at 0.5 Mbit/s */
        assert_int_equal(f->lost, 0);
        lab_destroy(lab);
    }
}

/* Probes find a fast link within half a second. */
static void the_start_is_fast(void **state) {
    (void)state;
    struct lab *lab = lab_create(100e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 2e6);
    f->owd_us = f->back_us = RMI_MS(5);
    lab_run(lab, RMI_MS(250));
    assert_true(lab_target(f) > 2e6);
    lab_run(lab, RMI_MS(350));
    assert_true(lab_target(f) > 10e6);
    lab_destroy(lab);
}

static void a_drop_is_followed_and_left_behind(void **state) {
    (void)state;
    struct lab *lab = lab_create(2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(20));
    lab->rate_bps = 0.6e6;
    lab_run(lab, RMI_SEC(2));
    assert_true(lab_target(f) < 0.6e6);
    lab_run(lab, RMI_SEC(3));
    lab_forget(lab);
    lab_run(lab, RMI_SEC(15));
    assert_true(lab_use(lab) > 0.8);
    lab->rate_bps = 2e6;
    lab_run(lab, RMI_SEC(20));
    assert_true(lab_target(f) > 1.6e6);
    lab_destroy(lab);
}

static void an_idle_application_grows_by_probes_only(void **state) {
    (void)state;
    struct lab *lab = lab_create(3e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 400e3);
    lab_run(lab, RMI_SEC(120));
    assert_true(status(f).app_limited);
    assert_true(lab_target(f) < 3.2e6); /* no more than there is */
    assert_true(lab_target(f) > 1.5e6);
    assert_true(f->probes >= 15);
    lab_destroy(lab);
}

/* Two thirds of what may be sent: too much to count as idle, too little to prove that more would arrive. */
static void what_cannot_be_proven_is_probed_for(void **state) {
    (void)state;
    struct lab *lab = lab_create(1.2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 1.2e6);
    lab_run(lab, RMI_SEC(20));
    lab->rate_bps = 5e6;
    lab_run(lab, RMI_SEC(25));
    print_message("not proven: %.0f\n", lab_target(f));
    assert_true(lab_target(f) > 2.5e6);
    lab_destroy(lab);
}

/* The encoder makes less than it may: no reason to lower what it may. */
static void an_encoder_that_makes_less_lowers_nothing(void **state) {
    (void)state;
    struct lab *lab = lab_create(5e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 2e6);
    lab_run(lab, RMI_SEC(20));
    const double before = lab_target(f);
    assert_true(before > 2e6);
    f->obeys = 0.2;
    lab_forget(lab);
    lab_run(lab, RMI_SEC(30));
    assert_true(f->target_low >= before * 0.99);
    f->obeys = 1;
    lab_run(lab, RMI_SEC(10));
    assert_true(f->target_low >= before * 0.99);
    lab_destroy(lab);
}

static void lost_feedback_slows_it_down_and_its_return_heals(void **state) {
    (void)state;
    struct lab *lab = lab_create(2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(20));
    f->no_feedback = true;
    lab_run(lab, RMI_SEC(4));
    assert_true(lab_target(f) < 0.5e6);
    f->no_feedback = false;
    lab_run(lab, RMI_SEC(25));
    assert_true(lab_target(f) > 1e6);
    lab_destroy(lab);
}

/* Nothing gets through for a while. What was lost then says nothing about the path that is back. */
static void an_outage_leaves_nothing_behind(void **state) {
    (void)state;
    for (int seconds = 1; seconds <= 9; seconds += 2) {
        struct lab *lab = lab_create(3e6);
        struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 1e6);
        lab_run(lab, RMI_SEC(20));
        const double before = lab_target(f);
        lab->loss = 1000;
        lab_run(lab, RMI_SEC(seconds));
        assert_true(lab_target(f) < 0.6 * before);
        lab->loss = 0;
        lab_run(lab, RMI_MS(1500));
        print_message("outage of %d s: %.0f, then %.0f\n", seconds, before, lab_target(f));
        assert_true(lab_target(f) > 0.8 * before);
        lab_destroy(lab);
    }
}

/* Each second feedback lost: what the next one tells of both must do. */
static void half_of_the_feedback_is_enough(void **state) {
    (void)state;
    struct lab *lab = lab_create(2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    for (int i = 0; i < 400; i++) {
        f->no_feedback = i % 2;
        lab_run(lab, RMI_MS(50));
    }
    lab_forget(lab);
    for (int i = 0; i < 1200; i++) {
        f->no_feedback = i % 2;
        lab_run(lab, RMI_MS(50));
    }
    assert_true(lab_use(lab) > 0.8);
    lab_destroy(lab);
}

static void the_remotes_clock_may_jump(void **state) {
    (void)state;
    struct lab *lab = lab_create(2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(20));
    const double before = lab_target(f);
    for (int i = 0; i < 4; i++) {
        lab_forget(lab);
        f->clock_us += i % 2 ? -RMI_SEC(20) : RMI_SEC(50);
        lab_run(lab, RMI_SEC(3));
        assert_true(f->target_low > before * 0.6);
    }
    lab_run(lab, RMI_SEC(10));
    assert_true(lab_target(f) > 1.5e6);
    lab_destroy(lab);
}

static void random_loss_costs_little(void **state) {
    (void)state;
    struct lab *lab = lab_create(2e6);
    lab->loss = 20;
    lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(20));
    lab_forget(lab);
    lab_run(lab, RMI_SEC(60));
    assert_true(lab_use(lab) > 0.75);
    lab_destroy(lab);
}

static void two_flows_share(void **state) {
    (void)state;
    struct lab *lab = lab_create(3e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(20));
    struct lab_flow *g = lab_add(lab, 1, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(40));
    lab_forget(lab);
    lab_run(lab, RMI_SEC(60));
    const double a = lab_sent_bps(lab, f), b = lab_sent_bps(lab, g);
    print_message("two flows: %.0f and %.0f, use %.3f\n", a, b, lab_use(lab));
    assert_true((a + b) * (a + b) / (2 * (a * a + b * b)) > 0.9);
    assert_true(lab_use(lab) > 0.85);
    lab_destroy(lab);
}

static void rembs_and_limits_are_obeyed(void **state) {
    (void)state;
    struct lab *lab = lab_create(20e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_gcc, &limits, 20e6);
    lab_run(lab, RMI_SEC(5));
    assert_true(lab_target(f) > 5e6);
    rmi_cc_remb(&f->cc, lab->now_us, 700e3);
    assert_true(lab_target(f) == 700e3);
    assert_int_equal(status(f).limited_by, RMI_CC_BY_REMB);
    lab_run(lab, RMI_SEC(2));
    assert_true(lab_target(f) == 700e3);
    rmi_cc_remb(&f->cc, lab->now_us, 20e6);
    const struct rmi_cc_limits low = {.min_bps = 50e3, .start_bps = 50e3, .max_bps = 1e6};
    rmi_cc_set_limits(&f->cc, lab->now_us, &low);
    assert_true(lab_target(f) <= 1e6);
    lab_run(lab, RMI_SEC(20));
    assert_true(lab_target(f) == 1e6);
    assert_int_equal(status(f).limited_by, RMI_CC_BY_MAX);
    const struct rmi_cc_limits wrong = {.min_bps = 2e6, .start_bps = 1e6, .max_bps = 3e6};
    rmi_cc_set_limits(&f->cc, lab->now_us, &wrong); /* not taken over */
    assert_true(lab_target(f) == 1e6);
    lab_destroy(lab);
}

/* A peer without transport-wide feedback. */
static void reports_alone_will_do(void **state) {
    (void)state;
    struct rmi_cc cc = {0};
    struct rmi_cc_status s;
    int64_t now_us = RMI_SEC(1);
    assert_int_equal(rmi_cc_create(&rmi_cc_gcc, &limits, now_us, &cc), RM_OK);
    for (int i = 0; i < 20; i++)
        rmi_cc_report(&cc, now_us += RMI_SEC(1), 0, RMI_MS(50));
    rmi_cc_get(&cc, &s);
    assert_true(s.target_bps > 1.2e6 && s.target_bps < 1.5e6); /* 1.08^19 */
    rmi_cc_report(&cc, now_us += RMI_SEC(1), 0.05, RMI_MS(50));
    const double before = s.target_bps;
    rmi_cc_get(&cc, &s);
    assert_true(s.target_bps == before && s.rtt_us > 0);
    rmi_cc_report(&cc, now_us += RMI_SEC(1), 0.4, RMI_MS(50));
    rmi_cc_get(&cc, &s);
    assert_true(s.target_bps > before * 0.79 && s.target_bps < before * 0.81);
    assert_int_equal(s.reductions, 1);
    rmi_cc_destroy(&cc);
}

static void a_fixed_rate_stays(void **state) {
    (void)state;
    struct lab *lab = lab_create(0.2e6);
    struct lab_flow *f = lab_add(lab, 0, &rmi_cc_fixed, &limits, 20e6);
    lab_run(lab, RMI_SEC(10));
    assert_true(lab_target(f) == 300e3);
    assert_true(status(f).loss > 0 && status(f).rtt_us > RMI_MS(300));
    assert_int_equal(f->probes, 0);
    rmi_cc_remb(&f->cc, lab->now_us, 100e3);
    assert_true(lab_target(f) == 300e3);
    lab_destroy(lab);
}

static void wrong_limits_are_refused(void **state) {
    (void)state;
    static const struct rmi_cc_limits wrong[] = {{0, 1e6, 2e6}, {2e6, 1e6, 3e6}, {1e5, 3e6, 2e6}};
    struct rmi_cc cc = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rmi_cc_create(&rmi_cc_gcc, &wrong[i], 0, &cc), RM_E_INVALID_ARG);
    rmi_cc_destroy(&cc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_links_are_used),
        cmocka_unit_test(the_start_is_fast),
        cmocka_unit_test(a_drop_is_followed_and_left_behind),
        cmocka_unit_test(an_idle_application_grows_by_probes_only),
        cmocka_unit_test(what_cannot_be_proven_is_probed_for),
        cmocka_unit_test(an_encoder_that_makes_less_lowers_nothing),
        cmocka_unit_test(lost_feedback_slows_it_down_and_its_return_heals),
        cmocka_unit_test(an_outage_leaves_nothing_behind),
        cmocka_unit_test(half_of_the_feedback_is_enough),
        cmocka_unit_test(the_remotes_clock_may_jump),
        cmocka_unit_test(random_loss_costs_little),
        cmocka_unit_test(two_flows_share),
        cmocka_unit_test(rembs_and_limits_are_obeyed),
        cmocka_unit_test(reports_alone_will_do),
        cmocka_unit_test(a_fixed_rate_stays),
        cmocka_unit_test(wrong_limits_are_refused),
    };
    return cmocka_run_group_tests_name("cc.gcc", tests, NULL, NULL);
}
