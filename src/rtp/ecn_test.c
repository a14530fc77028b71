/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "net/datagram.h"
#include "rtp/ecn.h"
#include <string.h>

#define START RMI_SEC(100)
#define RTT RMI_MS(100)
#define PACKET_US RMI_MS(10) /* 100 packets a second */
#define REPORT_PACKETS 5

/* What the far side sees of a packet that is or is not marked. */
enum { LOST = RMI_ECN_MASK + 1 };
typedef int (*path_fn)(unsigned n, bool marked);

struct run {
    struct rmi_ecn_path path;
    int64_t now_us;
    path_fn fn;
    bool quiet; /* nothing is reported */
    unsigned n, marked;
    struct rmi_ecn_news news;
    unsigned packets, lost;
};

static void begin(struct run *r, path_fn fn) {
    *r = (struct run){.now_us = START, .fn = fn};
    rmi_ecn_path_start(&r->path, START);
    assert_int_equal(r->path.state, RMI_ECN_PROBES);
}

static void step(struct run *r) {
    const bool mark = rmi_ecn_path_mark(&r->path, r->now_us, RTT, RMI_ECN_PICTURE);
    const int seen = r->fn(r->n++, mark);
    r->marked += mark;
    r->packets++;
    r->lost += seen == LOST;
    r->news.ect0 += seen == RMI_ECN_ECT0;
    r->news.ect1 += seen == RMI_ECN_ECT1;
    r->news.ce += seen == RMI_ECN_CE;
    r->news.not_ect += seen == RMI_ECN_NOT_ECT;
    r->now_us += PACKET_US;
    if (r->n % REPORT_PACKETS || r->quiet)
        return;
    rmi_ecn_path_report(&r->path, r->now_us, &r->news);
    if (r->packets > r->lost) /* else there is nothing to give feedback about */
        rmi_ecn_path_feedback(&r->path, r->now_us, r->packets, r->lost);
    r->news = (struct rmi_ecn_news){0};
    r->packets = r->lost = 0;
}

static void run_for(struct run *r, int64_t us) {
    for (const int64_t end = r->now_us + us; r->now_us < end;)
        step(r);
}

/* Until the state is another one. */
static void run_out_of(struct run *r, enum rmi_ecn_state state, int64_t most_us) {
    for (const int64_t end = r->now_us + most_us; r->now_us < end && r->path.state == state;)
        step(r);
    assert_int_not_equal(r->path.state, state);
}

static int good(unsigned n, bool marked) {
    (void)n;
    return marked ? RMI_ECN_ECT0 : RMI_ECN_NOT_ECT;
}
static int congested(unsigned n, bool marked) {
    return marked ? n % 3 ? RMI_ECN_ECT0 : RMI_ECN_CE : RMI_ECN_NOT_ECT;
}
static int drops(unsigned n, bool marked) {
    (void)n;
    return marked ? (int)LOST : (int)RMI_ECN_NOT_ECT;
}
static int clears(unsigned n, bool marked) {
    (void)n, (void)marked;
    return RMI_ECN_NOT_ECT;
}
static int alters(unsigned n, bool marked) {
    (void)n;
    return marked ? RMI_ECN_ECT1 : RMI_ECN_NOT_ECT;
}
static int floods(unsigned n, bool marked) {
    (void)n;
    return marked ? RMI_ECN_CE : RMI_ECN_NOT_ECT;
}
static int loses_half(unsigned n, bool marked) {
    return n % 2 ? (int)LOST : good(n, marked);
}
static int dead(unsigned n, bool marked) {
    (void)n, (void)marked;
    return LOST;
}

static void a_good_path_is_marked_soon(void **state) {
    (void)state;
    static const path_fn paths[] = {good, congested};
    for (size_t i = 0; i < 2; i++) {
        struct run r;
        begin(&r, paths[i]);
        run_out_of(&r, RMI_ECN_PROBES, RMI_SEC(1));
        assert_int_equal(r.path.state, RMI_ECN_MARKS);
        assert_in_range(r.marked, 3, 5);
        const unsigned before = r.n - r.marked;
        run_for(&r, RMI_SEC(60));
        assert_int_equal(r.path.state, RMI_ECN_MARKS);
        assert_int_equal(r.n - r.marked, before); /* every one since */
        assert_int_equal(r.path.failures, 0);
    }
}

/* It costs ten packets, and again ten each time it is tried, ever more seldom. */
static void a_path_that_drops_marks_costs_little(void **state) {
    (void)state;
    struct run r;
    begin(&r, drops);
    run_out_of(&r, RMI_ECN_PROBES, RMI_SEC(6));
    assert_true(r.path.state == RMI_ECN_RESTS && r.path.fault == RMI_ECN_UNSEEN);
    assert_int_equal(r.marked, 10);
    run_for(&r, RMI_SEC(600));
    assert_in_range(r.path.failures, 5, 8);
    assert_true(r.marked <= 10 * 8);
    r.fn = good; /* another path by now */
    run_for(&r, RMI_SEC(300));
    assert_int_equal(r.path.state, RMI_ECN_MARKS);
}

static void faults_are_told_apart_while_probing(void **state) {
    (void)state;
    static const struct {
        path_fn fn;
        enum rmi_ecn_fault fault;
    } cases[] = {
        {clears, RMI_ECN_UNSEEN}, {alters, RMI_ECN_ALTERED}, {floods, RMI_ECN_FLOODED}, {dead, RMI_ECN_UNSEEN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run r;
        begin(&r, cases[i].fn);
        run_out_of(&r, RMI_ECN_PROBES, RMI_SEC(6));
        assert_int_equal(r.path.state, RMI_ECN_RESTS);
        assert_int_equal(r.path.fault, cases[i].fault);
        assert_true(r.marked <= 10);
        assert_true(strlen(rmi_ecn_fault_text(r.path.fault)) > 0);
    }
}

/* The path changes in the middle of a call. */
static void faults_are_noticed_while_marking(void **state) {
    (void)state;
    static const struct {
        path_fn fn;
        enum rmi_ecn_fault fault;
        int64_t most_us;
    } cases[] = {{drops, RMI_ECN_SILENT, RMI_SEC(1)},     {dead, RMI_ECN_SILENT, RMI_SEC(1)},
                 {clears, RMI_ECN_CLEARED, RMI_SEC(3)},   {alters, RMI_ECN_ALTERED, RMI_SEC(3)},
                 {floods, RMI_ECN_FLOODED, RMI_MS(2200)}, {loses_half, RMI_ECN_LOSSY, RMI_SEC(3)}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run r;
        begin(&r, good);
        run_for(&r, RMI_SEC(60));
        assert_int_equal(r.path.state, RMI_ECN_MARKS);
        r.fn = cases[i].fn;
        run_out_of(&r, RMI_ECN_MARKS, cases[i].most_us);
        assert_int_equal(r.path.state, RMI_ECN_RESTS);
        assert_int_equal(r.path.fault, cases[i].fault);
        r.fn = good;
        run_for(&r, RMI_SEC(6));
        assert_int_equal(r.path.state, RMI_ECN_MARKS); /* it had been good for long: soon again */
    }
}

/* Failing soon after each success, it is tried less and less. */
static void a_path_that_changes_its_mind_rests_longer(void **state) {
    (void)state;
    struct run r;
    int64_t rested_us = 0;
    begin(&r, good);
    for (int i = 0; i < 5; i++) {
        run_out_of(&r, RMI_ECN_PROBES, RMI_SEC(6));
        assert_int_equal(r.path.state, RMI_ECN_MARKS);
        r.fn = dead;
        run_out_of(&r, RMI_ECN_MARKS, RMI_SEC(2));
        r.fn = good;
        const int64_t from_us = r.now_us;
        run_out_of(&r, RMI_ECN_RESTS, RMI_SEC(300));
        assert_true(r.now_us - from_us >= 2 * rested_us - RMI_MS(50));
        rested_us = r.now_us - from_us;
    }
}

/* No reports, but a remote that gets everything: it does not understand what it agreed to. */
static void without_reports_nothing_is_marked(void **state) {
    (void)state;
    struct run r;
    begin(&r, good);
    r.quiet = true;
    run_for(&r, RMI_SEC(100));
    assert_true(r.marked <= 60);
    assert_int_equal(r.path.fault, RMI_ECN_UNSEEN);
}

static void sound_is_asked_when_there_are_no_pictures(void **state) {
    (void)state;
    struct rmi_ecn_path p = {0};
    unsigned pictures = 0, sound = 0, repairs = 0;
    rmi_ecn_path_start(&p, START);
    for (int64_t at = START; at < START + RMI_SEC(1); at += PACKET_US) {
        repairs += rmi_ecn_path_mark(&p, at, RTT, RMI_ECN_REPAIR);
        sound += rmi_ecn_path_mark(&p, at, RTT, RMI_ECN_VOICE);
        pictures += at > START + RMI_MS(250) && rmi_ecn_path_mark(&p, at, RTT, RMI_ECN_PICTURE);
    }
    assert_int_equal(repairs, 0);
    assert_int_equal(sound, 1); /* before the first picture */
    assert_int_equal(pictures, 7);
    assert_false(rmi_ecn_path_mark(&p, START + RMI_SEC(1), RTT, RMI_ECN_VOICE));
    assert_true(rmi_ecn_path_mark(&p, START + RMI_MS(1300), RTT, RMI_ECN_VOICE));
    rmi_ecn_path_stop(&p);
    assert_false(rmi_ecn_path_mark(&p, START + RMI_SEC(2), RTT, RMI_ECN_PICTURE));
}

static void counters_are_followed_over_their_wrap(void **state) {
    (void)state;
    struct rmi_ecn_seen seen = {0};
    struct rmi_rtcp_ecn r = {.ssrc = 1, .ect0 = 0x7fffffff, .ce = 3, .not_ect = 5};
    struct rmi_ecn_news n = rmi_ecn_seen_input(&seen, &r);
    assert_true(n.ect0 == 0x7fffffff && n.ce == 3 && n.not_ect == 5); /* counted from 0 */
    r = (struct rmi_rtcp_ecn){.ssrc = 1, .ect0 = 0xfffffff0, .ce = 0x7ff0, .not_ect = 6};
    (void)rmi_ecn_seen_input(&seen, &r);
    r = (struct rmi_rtcp_ecn){.ssrc = 1, .ect0 = 0xfffffff0, .ce = 0xfff0, .not_ect = 6};
    (void)rmi_ecn_seen_input(&seen, &r);
    r = (struct rmi_rtcp_ecn){.ssrc = 1, .ect0 = 16, .ect1 = 1, .ce = 2, .not_ect = 6};
    n = rmi_ecn_seen_input(&seen, &r);
    assert_true(n.ect0 == 32 && n.ect1 == 1 && n.ce == 18 && n.not_ect == 0);
    r.ect0 = 10; /* overtaken, or begun anew */
    n = rmi_ecn_seen_input(&seen, &r);
    assert_true(n.ect0 == 0 && n.ce == 0);
    r.ssrc = 2; /* another stream */
    n = rmi_ecn_seen_input(&seen, &r);
    assert_true(n.ect0 == 10 && n.ce == 2 && n.not_ect == 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_path_is_marked_soon),
        cmocka_unit_test(a_path_that_drops_marks_costs_little),
        cmocka_unit_test(faults_are_told_apart_while_probing),
        cmocka_unit_test(faults_are_noticed_while_marking),
        cmocka_unit_test(a_path_that_changes_its_mind_rests_longer),
        cmocka_unit_test(without_reports_nothing_is_marked),
        cmocka_unit_test(sound_is_asked_when_there_are_no_pictures),
        cmocka_unit_test(counters_are_followed_over_their_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
