/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/link_testkit.h"

static void set_rate(void *ctx, int64_t now_us, double bps) {
    (void)now_us;
    *(double *)ctx = bps;
}

struct kit {
    struct rmi_cc_share share;
    struct rmi_cc_member m[4];
    double rate[4];
    uint32_t cuts[4];
    int64_t now_us;
};

static void begin(struct kit *k) {
    *k = (struct kit){.now_us = RMI_SEC(10)};
    rmi_cc_share_init(&k->share);
    for (int i = 0; i < 4; i++) {
        k->rate[i] = 1e6;
        k->m[i] = (struct rmi_cc_member){.weight = 1, .floor_bps = 50e3, .set_rate = set_rate, .ctx = &k->rate[i]};
        rmi_cc_share_join(&k->share, &k->m[i]);
    }
}

/* Half a second; the members in `cut` are cut at its start. */
static void pass(struct kit *k, unsigned cut) {
    for (int step = 0; step < 10; step++, k->now_us += RMI_MS(50))
        for (int i = 0; i < 4; i++) {
            k->cuts[i] += step == 0 && (cut & 1u << i);
            rmi_cc_share_update(&k->m[i], k->now_us, k->rate[i], 2e6, k->cuts[i], false);
        }
}

static void probes_take_turns(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.m[3].uplink = 1;
    assert_true(rmi_cc_share_may_probe(&k.m[0], k.now_us, RMI_MS(50)));
    assert_true(rmi_cc_share_may_probe(&k.m[0], k.now_us, RMI_MS(50)));
    assert_false(rmi_cc_share_may_probe(&k.m[1], k.now_us + RMI_MS(49), RMI_MS(50)));
    assert_int_equal(rmi_cc_share_probe_deadline(&k.m[1]), k.now_us + RMI_MS(50));
    assert_true(rmi_cc_share_may_probe(&k.m[3], k.now_us, RMI_MS(10))); /* another uplink */
    assert_true(rmi_cc_share_may_probe(&k.m[1], k.now_us + RMI_MS(50), RMI_MS(50)));
    rmi_cc_share_leave(&k.m[1]);
    assert_true(rmi_cc_share_may_probe(&k.m[2], k.now_us + RMI_MS(51), RMI_MS(50)));
    assert_true(rmi_cc_share_may_probe(&k.m[1], k.now_us, RMI_MS(50))); /* alone now */
}

/* Four that begin together find 8 Mbit/s, one after the other, before anything of what the others found is seen. */
static void what_a_probe_finds_is_for_all(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.m[3].uplink = 1;
    for (int i = 0; i < 4; i++)
        rmi_cc_share_update(&k.m[i], k.now_us, k.rate[i], 10e6, 0, false);
    for (int i = 0; i < 4; i++) {
        k.rate[i] = 8e6;
        rmi_cc_share_update(&k.m[i], k.now_us, k.rate[i], 10e6, 0, false);
    }
    assert_true(k.rate[0] > 3.3e6 && k.rate[0] < 3.4e6); /* (8 + 1 + 1) / 3 */
    assert_true(k.rate[0] + k.rate[1] + k.rate[2] < 1.7 * 8e6);
    assert_true(k.rate[3] == 8e6); /* alone on its uplink */
    k.rate[0] *= 1.05;             /* growth is nobody's business */
    const double grown = k.rate[0];
    rmi_cc_share_update(&k.m[0], k.now_us, grown, 10e6, 0, false);
    assert_true(k.rate[0] == grown);
    k.m[1].weight = 2;
    k.rate[1] = 8e6;
    rmi_cc_share_update(&k.m[1], k.now_us, k.rate[1], 10e6, 0, false);
    assert_true(k.rate[1] == 8e6); /* half of all is more */
}

static void those_who_begin_together_begin_lower(void **state) {
    (void)state;
    struct kit k;
    rmi_cc_share_init(&k.share);
    assert_true(rmi_cc_share_start_bps(&k.share, RMI_SEC(10), 1e6) == 1e6);
    begin(&k);
    for (int i = 0; i < 4; i++)
        k.m[i].joined_us = k.now_us;
    assert_true(rmi_cc_share_start_bps(&k.share, k.now_us + RMI_MS(900), 1e6) == 200e3);
    assert_true(rmi_cc_share_start_bps(&k.share, k.now_us + RMI_MS(900), 150e3) == 150e3);
    assert_true(rmi_cc_share_start_bps(&k.share, k.now_us + RMI_MS(900), 2e6) == 400e3);
    assert_true(rmi_cc_share_start_bps(&k.share, k.now_us + RMI_MS(1100), 1e6) == 1e6);
}

static void those_cut_together_share_by_weight(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.rate[0] = 1.6e6;
    k.rate[1] = 0.3e6;
    k.rate[2] = 0.5e6;
    k.m[0].weight = 2;
    k.m[3].app_limited = true;
    pass(&k, 0);
    pass(&k, 7);
    assert_false(rmi_cc_share_is_shared(&k.m[0], k.now_us)); /* once is chance */
    pass(&k, 0);
    pass(&k, 7);
    pass(&k, 0);
    for (int i = 0; i < 3; i++)
        assert_true(rmi_cc_share_is_shared(&k.m[i], k.now_us));
    assert_false(rmi_cc_share_is_shared(&k.m[3], k.now_us));
    for (int i = 0; i < 40; i++)
        pass(&k, 0);
    assert_true(k.rate[0] > 1.15e6 && k.rate[0] < 1.25e6);
    assert_true(k.rate[1] > 0.57e6 && k.rate[1] < 0.63e6);
    assert_true(k.rate[2] > 0.57e6 && k.rate[2] < 0.63e6);
    assert_true(k.rate[0] + k.rate[1] + k.rate[2] > 2.35e6);
    assert_true(k.rate[0] + k.rate[1] + k.rate[2] < 2.45e6);
    assert_true(k.rate[3] == 1e6);
    /* The bottleneck is gone: the evidence runs out. */
    for (int i = 0; i < 70; i++)
        pass(&k, 0);
    assert_false(rmi_cc_share_is_shared(&k.m[0], k.now_us));
}

static void those_cut_alone_keep_their_rates(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.rate[0] = 0.2e6; /* a slow receiver */
    for (int i = 0; i < 40; i++) {
        pass(&k, 1u << i % 4);
        pass(&k, 0);
        pass(&k, 0);
    }
    for (int i = 0; i < 4; i++)
        assert_false(rmi_cc_share_is_shared(&k.m[i], k.now_us));
    assert_true(k.rate[0] == 0.2e6 && k.rate[1] == 1e6);
}

static void nobody_falls_below_the_floor_or_above_its_use(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    for (int i = 0; i < 4; i++)
        k.rate[i] = 0.6e6;
    k.m[0].floor_bps = 0.9e6;
    k.m[1].weight = 100;
    for (int i = 0; i < 60; i++)
        pass(&k, i % 10 == 0 ? 15 : 0);
    assert_true(k.rate[0] > 0.85e6);
    assert_true(k.rate[1] > 1.2e6 && k.rate[1] <= 2e6);
    assert_true(k.rate[2] >= 50e3 && k.rate[2] < 0.2e6);
}

/* Nine connections of one host over an uplink: all in full, without and with the sharing. */
static void nine_flows_share_an_uplink(void **state) {
    (void)state;
    const struct rmi_cc_limits limits = {.min_bps = 50e3, .start_bps = 300e3, .max_bps = 3e6};
    for (int shares = 0; shares < 2; shares++) {
        struct lab *lab = lab_create(5e6);
        lab->shares = shares;
        for (int i = 0; i < 9; i++)
            lab_add(lab, i, &rmi_cc_gcc, &limits, 1.5e6);
        lab_run(lab, RMI_SEC(30));
        lab_forget(lab);
        lab_run(lab, RMI_SEC(60));
        double sum = 0, squares = 0, least = 1e12;
        uint64_t lost = 0, sent = 0;
        for (int i = 0; i < 9; i++) {
            const double bps = lab_sent_bps(lab, &lab->flow[i]);
            sum += bps;
            squares += bps * bps;
            least = bps < least ? bps : least;
            lost += lab->flow[i].lost;
            sent += lab->flow[i].sent;
        }
        const double jain = sum * sum / (9 * squares);
        print_message("shares %d: use %.3f Jain %.3f least %.0f lost %.4f over 60 ms %.3f\n", shares, lab_use(lab),
                      jain, least, (double)lost / (double)sent, lab_over(lab));
        if (shares) {
            assert_true(lab_use(lab) > 0.8);
            assert_true(jain > 0.95);
            assert_true(least > 250e3);
            assert_true((double)lost < 0.01 * (double)sent);
        }
        lab_destroy(lab);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_take_turns),
        cmocka_unit_test(what_a_probe_finds_is_for_all),
        cmocka_unit_test(those_who_begin_together_begin_lower),
        cmocka_unit_test(those_cut_together_share_by_weight),
        cmocka_unit_test(those_cut_alone_keep_their_rates),
        cmocka_unit_test(nobody_falls_below_the_floor_or_above_its_use),
        cmocka_unit_test(nine_flows_share_an_uplink),
    };
    return cmocka_run_group_tests_name("cc.share", tests, NULL, NULL);
}
