/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/time.h"
#include "session/rungs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PEERS 9
#define STEP_US RMI_MS(100)

struct crowd {
    struct rmi_rungs rungs;
    struct rmi_rung_memory memory;
    struct rmi_rung_peer peer[PEERS];
    struct rmi_rung_use use[RMI_RUNGS_MAX];
    size_t count;
    int64_t now_us;
    unsigned moves; /* of all peers */
};

static void crowd_begin(struct crowd *c, size_t count) {
    static const struct rmi_rung top = {1280, 720, 2000000}, below[] = {{640, 360, 600000}, {320, 180, 200000}};
    *c = (struct crowd){.count = count, .now_us = RMI_SEC(10)};
    rmi_rungs_build(&top, below, sizeof below / sizeof below[0], &c->rungs);
    for (size_t i = 0; i < count; i++)
        c->peer[i].rung = c->peer[i].sending = RMI_RUNG_NONE;
}

static void step(struct crowd *c) {
    struct rmi_rung_peer *peers[PEERS];
    int before[PEERS];
    size_t placed = 0;
    for (size_t i = 0; i < c->count; i++) {
        peers[i] = &c->peer[i];
        before[i] = c->peer[i].rung;
    }
    rmi_rungs_place(&c->rungs, &c->memory, peers, c->count, c->now_us, c->use);
    for (size_t i = 0; i < c->count; i++) {
        c->moves += before[i] != RMI_RUNG_NONE && before[i] != c->peer[i].rung;
        assert_int_equal(c->peer[i].rung == RMI_RUNG_NONE, c->peer[i].target_bps <= 0);
    }
    for (int r = 0; r < RMI_RUNGS_MAX; r++) {
        placed += c->use[r].peers;
        assert_int_equal(c->use[r].peers > 0, c->use[r].bps > 0);
        for (size_t i = 0; i < c->count; i++) /* nobody is sent more than its way carries */
            assert_true(c->peer[i].rung != r || c->use[r].bps <= c->peer[i].target_bps);
    }
    assert_true(placed <= c->count);
    c->now_us += STEP_US;
}

static void run(struct crowd *c, int64_t for_us) {
    for (int64_t end_us = c->now_us + for_us; c->now_us < end_us;)
        step(c);
}

static unsigned in_use(const struct crowd *c) {
    unsigned n = 0;
    for (int r = 0; r < RMI_RUNGS_MAX; r++)
        n += c->use[r].peers > 0;
    return n;
}

static void rungs_that_are_hardly_smaller_are_left_out(void **state) {
    (void)state;
    const struct rmi_rung below[] = {{640, 360, 600000}, {600, 340, 500000}, {320, 180, 200000}, {320, 180, 100000}};
    struct rmi_rungs r;
    rmi_rungs_build(&(struct rmi_rung){1280, 720, 2000000}, below, 4, &r);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.rung[2].max_width, 320);
    rmi_rungs_build(&(struct rmi_rung){854, 480, 500000}, below, 4, &r); /* 600 kbit/s is no rung below 500 */
    assert_int_equal(r.count, 2);
    assert_int_equal(r.rung[1].max_width, 320);
    rmi_rungs_build(&(struct rmi_rung){720, 1280, 2000000}, below, 4, &r); /* upright pictures have them, too */
    assert_int_equal(r.count, 3);
    rmi_rungs_build(&(struct rmi_rung){160, 120, 100000}, below, 4, &r);
    assert_int_equal(r.count, 1);
    const struct rmi_rung many[] = {{640, 640, 500000}, {320, 320, 300000}, {160, 160, 100000}, {80, 80, 50000}};
    rmi_rungs_build(&(struct rmi_rung){1280, 1280, 2000000}, many, 4, &r);
    assert_int_equal(r.count, RMI_RUNGS_MAX);
}

static void who_is_alike_shares_the_top_rung(void **state) {
    (void)state;
    for (double bps = 60000; bps < 8e6; bps *= 1.7) {
        struct crowd c;
        crowd_begin(&c, PEERS);
        for (size_t i = 0; i < PEERS; i++)
            c.peer[i].target_bps = bps * (1 + 0.05 * (double)i);
        run(&c, RMI_SEC(20));
        assert_int_equal(c.use[0].peers, PEERS);
        assert_int_equal(c.moves, 0);
        assert_true(c.use[0].bps == (bps < 2e6 ? bps : 2e6)); /* that of the one with the least */
    }
}

static void who_has_much_less_room_has_its_own(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 3);
    for (size_t i = 0; i < 3; i++)
        c.peer[i].target_bps = 900000; /* a guess: nobody moves yet */
    run(&c, RMI_MS(500));
    assert_int_equal(in_use(&c), 1);
    c.peer[0].target_bps = 2800000;
    c.peer[1].target_bps = 850000;
    c.peer[2].target_bps = 220000;
    step(&c);
    assert_int_equal(in_use(&c), 1);
    run(&c, RMI_SEC(1));
    for (int i = 0; i < 3; i++)
        assert_int_equal(c.peer[i].rung, i);
    assert_true(c.use[0].bps == 2000000 && c.use[1].bps == 600000 && c.use[2].bps == 200000);
    assert_int_equal(c.moves, 2);
    run(&c, RMI_SEC(60));
    assert_int_equal(c.moves, 2);
    /* Those that are left take the top one. */
    c.peer[0].target_bps = 0;
    run(&c, RMI_SEC(10));
    assert_int_equal(c.peer[0].rung, RMI_RUNG_NONE);
    assert_int_equal(c.peer[1].rung, 0);
    assert_int_equal(c.peer[2].rung, 1);
}

static void room_is_waited_for(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 2);
    c.peer[0].target_bps = 2000000;
    c.peer[1].target_bps = 400000;
    run(&c, RMI_SEC(5));
    assert_int_equal(c.peer[1].rung, 1);
    c.peer[1].target_bps = 1200000; /* more than half, but not so much that it would come up */
    run(&c, RMI_SEC(20));
    assert_int_equal(c.peer[1].rung, 1);
    c.peer[1].target_bps = 1400000;
    run(&c, RMI_MS(2500));
    assert_int_equal(c.peer[1].rung, 1);
    c.peer[1].target_bps = 900000; /* not for long enough */
    step(&c);
    c.peer[1].target_bps = 1400000;
    run(&c, RMI_MS(2900));
    assert_int_equal(c.peer[1].rung, 1);
    run(&c, RMI_MS(300));
    assert_int_equal(c.peer[1].rung, 0);
    c.peer[1].target_bps = 1100000;
    run(&c, RMI_SEC(20));
    assert_int_equal(c.peer[1].rung, 0);
    c.peer[1].target_bps = 150000; /* at once; and then it is alone there */
    step(&c);
    assert_int_equal(c.peer[1].rung, 1);
}

/* Congestion control of the one above falls back, and recovers. */
static void a_drop_above_brings_nobody_up(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 2);
    c.peer[0].target_bps = 900000;
    c.peer[1].target_bps = 280000;
    run(&c, RMI_SEC(5));
    assert_int_equal(c.peer[1].rung, 1);
    c.moves = 0;
    for (int i = 0; i < 20; i++) {
        c.peer[0].target_bps = 900000;
        run(&c, RMI_SEC(3));
        c.peer[0].target_bps = 400000;
        run(&c, RMI_SEC(4));
    }
    assert_int_equal(c.moves, 0);
    run(&c, RMI_SEC(20)); /* it stays so */
    assert_int_equal(c.peer[1].rung, 0);
}

static void noise_moves_nobody(void **state) {
    (void)state;
    struct crowd c;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 7);
    const struct rmi_rng rng = rmi_prng_rng(&prng);
    static const double mean[] = {2400000, 1500000, 800000, 350000, 180000};
    crowd_begin(&c, 5);
    for (int i = 0; i < 6000; i++) { /* ten minutes, a fifth up and down */
        for (size_t k = 0; k < 5; k++)
            c.peer[k].target_bps = mean[k] * (0.8 + (double)rmi_rng_range(&rng, 0, 400) / 1000);
        step(&c);
        if (i == 100)
            c.moves = 0;
    }
    assert_in_range(c.moves, 0, 2); /* who lies on an edge may fall over it */
    assert_int_equal(in_use(&c), 3);
}

/* A rate that is tried out and taken back, again and again, across both edges. */
static void a_sawtooth_moves_ever_less(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 2);
    c.peer[0].target_bps = 2000000;
    unsigned early = 0;
    for (int i = 0; i < 12000; i++) {
        const double phase = (double)(i % 100) / 100; /* ten seconds */
        c.peer[1].target_bps = 700000 + phase * 1100000;
        step(&c);
        if (i == 599)
            early = c.moves;
    }
    assert_in_range(early, 1, 6);                /* of six teeth with two edges each */
    assert_in_range(c.moves - early, 0, 2 * 19); /* at most once in a minute up and down again */
}

static void a_wish_is_kept(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 3);
    for (size_t i = 0; i < 3; i++)
        c.peer[i].target_bps = 3000000;
    c.peer[1].cap_width = 854; /* as the low tier has it */
    c.peer[1].cap_height = 480;
    c.peer[1].cap_bps = 500000;
    c.peer[2].cap_width = 90; /* less than the least there is; and upright */
    c.peer[2].cap_height = 160;
    run(&c, RMI_SEC(5));
    for (int i = 0; i < 3; i++)
        assert_int_equal(c.peer[i].rung, i);
    assert_int_equal(c.moves, 0);
    assert_true(c.use[1].bps == 500000);
    c.peer[1].cap_width = c.peer[1].cap_height = c.peer[1].cap_bps = 0;
    c.peer[1].rung = RMI_RUNG_NONE;
    step(&c);
    assert_int_equal(c.peer[1].rung, 0);
}

/* Its rungs have gone: pictures come encoded, or the application has set less. */
static void the_last_rung_takes_all(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 2);
    c.peer[0].target_bps = 2000000;
    c.peer[1].target_bps = 100000;
    run(&c, RMI_SEC(3));
    assert_int_equal(c.peer[1].rung, 1);
    c.rungs.count = 1;
    step(&c);
    assert_int_equal(c.use[0].peers, 2);
    assert_true(c.use[0].bps == 100000);
}

static void a_change_begins_with_a_key_frame(void **state) {
    (void)state;
    struct rmi_rung_peer p = {.rung = RMI_RUNG_NONE, .sending = RMI_RUNG_NONE};
    assert_int_equal(rmi_rungs_pass(&p, 0, true, 1000, 0), RMI_RUNG_SKIP);
    p.rung = 1;
    assert_int_equal(rmi_rungs_pass(&p, 0, true, 1000, 0), RMI_RUNG_SKIP);
    assert_int_equal(rmi_rungs_pass(&p, 1, false, 1000, 0), RMI_RUNG_SKIP);
    assert_int_equal(rmi_rungs_pass(&p, 1, true, 2000, 2000), RMI_RUNG_SEND);
    assert_int_equal(rmi_rungs_pass(&p, 1, false, 3000, 2000), RMI_RUNG_SEND);
    p.rung = 0; /* up: the old one goes on until a key frame is being made */
    assert_int_equal(rmi_rungs_pass(&p, 1, false, 4000, 0), RMI_RUNG_SEND);
    assert_int_equal(rmi_rungs_pass(&p, 0, false, 4000, 0), RMI_RUNG_SKIP);
    assert_int_equal(rmi_rungs_pass(&p, 0, true, 4000, 4000), RMI_RUNG_LATE);
    assert_int_equal(rmi_rungs_pass(&p, 1, false, 5000, 0), RMI_RUNG_SEND);
    assert_int_equal(rmi_rungs_pass(&p, 1, false, 6000, 6000), RMI_RUNG_SKIP);
    assert_int_equal(rmi_rungs_pass(&p, 0, true, 6000, 6000), RMI_RUNG_SEND);
    assert_int_equal(rmi_rungs_pass(&p, 1, true, 7000, 6000), RMI_RUNG_SKIP);
    assert_int_equal(rmi_rungs_pass(&p, 0, false, 7000, 6000), RMI_RUNG_SEND);
}

/* The best one's first probe has shown much, and its own queue has cut that: the other, at a rate of which the encoder
 * of both could prove no more to the best, goes down all the same. Without such a probe it stays. */
static void what_the_first_probe_has_shown_is_not_forgotten_at_once(void **state) {
    (void)state;
    for (int shown = 0; shown < 2; shown++) {
        struct crowd c;
        crowd_begin(&c, 2);
        c.peer[0].target_bps = c.peer[1].target_bps = 700000;
        run(&c, RMI_MS(500));
        c.peer[0].target_bps = shown ? 2000000 : 1000000;
        run(&c, RMI_MS(300));
        c.peer[0].target_bps = 1000000;
        run(&c, RMI_SEC(3));
        assert_int_equal(c.peer[0].rung, 0);
        assert_int_equal(c.peer[1].rung, shown);
        c.peer[0].target_bps = 1500000;
        c.peer[1].target_bps = 1300000; /* alike after all */
        run(&c, RMI_SEC(5));
        assert_int_equal(c.peer[1].rung, 0);
    }
}

static void nobody_is_nothing(void **state) {
    (void)state;
    struct crowd c;
    crowd_begin(&c, 0);
    step(&c);
    assert_int_equal(in_use(&c), 0);
    crowd_begin(&c, 2);
    step(&c); /* no room for pictures at all */
    assert_int_equal(in_use(&c), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rungs_that_are_hardly_smaller_are_left_out),
        cmocka_unit_test(who_is_alike_shares_the_top_rung),
        cmocka_unit_test(who_has_much_less_room_has_its_own),
        cmocka_unit_test(room_is_waited_for),
        cmocka_unit_test(a_drop_above_brings_nobody_up),
        cmocka_unit_test(noise_moves_nobody),
        cmocka_unit_test(a_sawtooth_moves_ever_less),
        cmocka_unit_test(a_wish_is_kept),
        cmocka_unit_test(the_last_rung_takes_all),
        cmocka_unit_test(a_change_begins_with_a_key_frame),
        cmocka_unit_test(what_the_first_probe_has_shown_is_not_forgotten_at_once),
        cmocka_unit_test(nobody_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
