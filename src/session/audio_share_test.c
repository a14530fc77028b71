/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "session/audio_share.h"

static const struct rmi_audio_full usual = {.frame_us = 10000, .bitrate_bps = 64000};

struct table {
    struct rmi_audio_share_peer peer[3];
    size_t count;
    int64_t now_us;
    struct rmi_audio_make make;
};

static void place(struct table *t, const struct rmi_audio_full *full, int64_t after_us) {
    struct rmi_audio_share_peer *peers[3];
    for (size_t i = 0; i < t->count; i++)
        peers[i] = &t->peer[i];
    t->now_us += after_us;
    rmi_audio_share_place(full, peers, t->count, t->now_us, &t->make);
}

/* For so many seconds, once in each. */
static void keep(struct table *t, const struct rmi_audio_full *full, int seconds) {
    for (int i = 0; i < seconds; i++)
        place(t, full, RMI_SEC(1));
}

/* Both encoders made a frame that begins here. */
static void change_over(struct rmi_audio_share_peer *p) {
    const struct rmi_rtp_batch here = {.key_frame = true};
    (void)rmi_audio_share_pass(p, false, &here);
}

static struct table one(double path_bps, bool pictures) {
    struct table t = {.count = 1, .peer[0] = {.path_bps = path_bps, .pictures = pictures}};
    place(&t, &usual, 0);
    change_over(&t.peer[0]);
    return t;
}

static void sound_takes_a_third_and_never_less_than_its_least(void **state) {
    (void)state;
    /* Of 20 ms: 27.2 kbit/s of headers. With copies: half of it, less the headers, divided by them all. */
    static const struct {
        double path_bps;
        bool pictures;
        unsigned copies;
        bool narrow;
        uint32_t bps;
    } rows[] = {
        {0, true, 2, false, 0},          {1000000, true, 0, false, 0},   {360000, true, 0, false, 0},
        {300000, true, 0, true, 64000},  {240000, true, 0, true, 52000}, {150000, true, 0, true, 22000},
        {100000, true, 0, true, 16000},  {20000, true, 0, true, 16000},  {360000, true, 1, true, 64000},
        {300000, true, 2, true, 40000},  {150000, true, 2, true, 16000}, {90000, false, 0, false, 0},
        {80000, false, 0, true, 44000},  {50000, false, 0, true, 16000}, {190000, false, 2, false, 0},
        {180000, false, 2, true, 44000}, {1000000, false, 2, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table t = one(rows[i].path_bps, rows[i].pictures);
        t.peer[0].copies = rows[i].copies;
        keep(&t, &usual, 3);
        assert_int_equal(t.peer[0].narrow, rows[i].narrow);
        assert_int_equal(t.make.narrow_bps, rows[i].bps);
        assert_true(t.make.full); /* until it has changed over */
        assert_int_equal(t.make.change, rows[i].narrow);
        change_over(&t.peer[0]);
        place(&t, &usual, 0);
        assert_int_equal(t.make.full, !rows[i].narrow);
        assert_false(t.make.change);
    }
}

static void what_is_small_already_stays(void **state) {
    (void)state;
    const struct rmi_audio_full long_ones = {.frame_us = 60000, .bitrate_bps = 12000};
    const struct rmi_audio_full small = {.frame_us = 10000, .bitrate_bps = 8000};
    struct table t = {.count = 1, .peer[0] = {.path_bps = 30000, .pictures = true}};
    keep(&t, &long_ones, 5);
    assert_true(t.make.full && t.make.narrow_bps == 0);
    keep(&t, &small, 2);
    assert_int_equal(t.make.narrow_bps, 8000); /* never more than is configured */
}

static void a_guess_is_waited_for_and_a_fall_is_not(void **state) {
    (void)state;
    struct table t = one(150000, true);
    place(&t, &usual, RMI_MS(900));
    assert_false(t.peer[0].narrow);
    t.peer[0].path_bps = 1000000; /* a probe has found more */
    keep(&t, &usual, 5);
    assert_false(t.peer[0].narrow);
    t.peer[0].path_bps = 200000;
    place(&t, &usual, RMI_MS(50));
    assert_true(t.peer[0].narrow);
}

/* How many seconds until it is back. */
static int wait_for_full(struct table *t) {
    int seconds = 0;
    for (; t->peer[0].narrow && seconds < 1000; seconds++)
        place(t, &usual, RMI_SEC(1));
    return seconds;
}

static void who_falls_soon_again_waits_longer(void **state) {
    (void)state;
    static const int waits[] = {5, 9, 17, 33, 65, 65}; /* and a second to see that there is room */
    struct table t = one(1000000, true);
    keep(&t, &usual, 2);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        t.peer[0].path_bps = 200000;
        place(&t, &usual, RMI_MS(100));
        t.peer[0].path_bps = 400000; /* enough, but not clearly */
        keep(&t, &usual, 100);
        assert_true(t.peer[0].narrow);
        t.peer[0].path_bps = 1000000;
        assert_int_equal(wait_for_full(&t), waits[i]);
        keep(&t, &usual, 3);
    }
    keep(&t, &usual, 40);
    t.peer[0].path_bps = 200000;
    place(&t, &usual, RMI_MS(100));
    t.peer[0].path_bps = 1000000;
    assert_int_equal(wait_for_full(&t), waits[0]);
}

static void the_bitrate_falls_at_once_and_rises_slowly(void **state) {
    (void)state;
    struct table t = one(300000, true);
    keep(&t, &usual, 2);
    assert_int_equal(t.make.narrow_bps, 64000);
    t.peer[0].path_bps = 150000;
    place(&t, &usual, RMI_MS(20));
    assert_int_equal(t.make.narrow_bps, 22000);
    t.peer[0].path_bps = 300000;
    for (uint32_t bps = 22000; bps < 62000; bps += 4000) {
        keep(&t, &usual, 1);
        assert_in_range(t.make.narrow_bps, bps + 2000, bps + 6000);
    }
    keep(&t, &usual, 2);
    assert_int_equal(t.make.narrow_bps, 64000);
}

static void narrow_paths_hold_back_no_wide_one(void **state) {
    (void)state;
    struct table t = {.count = 3,
                      .peer = {{.path_bps = 3000000, .pictures = true},
                               {.path_bps = 300000, .pictures = true},
                               {.path_bps = 60000, .pictures = true}}};
    place(&t, &usual, 0);
    for (size_t i = 0; i < t.count; i++)
        change_over(&t.peer[i]);
    keep(&t, &usual, 3);
    assert_true(t.make.full && !t.peer[0].narrow && t.peer[1].narrow && t.peer[2].narrow);
    assert_int_equal(t.make.narrow_bps, 16000); /* the least there is */
    t.count = 2;
    place(&t, &usual, 0);
    assert_int_equal(t.make.narrow_bps, 64000);
    t.count = 0;
    place(&t, &usual, 0);
    assert_true(!t.make.full && t.make.narrow_bps == 0 && !t.make.change);
}

static void receivers_change_over_where_both_begin(void **state) {
    (void)state;
    const struct rmi_rtp_batch here = {.key_frame = true}, there = {.key_frame = false};
    struct rmi_audio_share_peer p = {.narrow = false};
    assert_true(rmi_audio_share_pass(&p, false, &there)); /* the first that comes */
    assert_false(rmi_audio_share_pass(&p, true, &there));
    p.narrow = true;
    assert_true(rmi_audio_share_pass(&p, false, &there));
    assert_false(rmi_audio_share_pass(&p, true, &there));
    assert_false(rmi_audio_share_pass(&p, false, &here));
    assert_true(rmi_audio_share_pass(&p, true, &there));
    p.narrow = false;
    assert_false(rmi_audio_share_pass(&p, false, &there));
    assert_true(rmi_audio_share_pass(&p, true, &there));
    assert_true(rmi_audio_share_pass(&p, false, &here));
    assert_false(rmi_audio_share_pass(&p, true, &there));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_takes_a_third_and_never_less_than_its_least),
        cmocka_unit_test(what_is_small_already_stays),
        cmocka_unit_test(a_guess_is_waited_for_and_a_fall_is_not),
        cmocka_unit_test(who_falls_soon_again_waits_longer),
        cmocka_unit_test(the_bitrate_falls_at_once_and_rises_slowly),
        cmocka_unit_test(narrow_paths_hold_back_no_wide_one),
        cmocka_unit_test(receivers_change_over_where_both_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
