/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/pacer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RATE 1e6
#define PACKET 1000

struct kit {
    struct rmi_pacer p;
    int64_t now_us;
    bool can_pad;
    uint64_t sent[RMI_PACE_CLASSES], padding, bytes;
    uint32_t last[RMI_PACE_CLASSES]; /* index of the last one of each class */
    uint64_t probed, probed_bytes;
    int64_t probe_first_us, probe_last_us;
};

static void begin(struct kit *k) {
    *k = (struct kit){.now_us = RMI_SEC(5)};
    rmi_pacer_init(&k->p, k->now_us, RATE);
}

static void push(struct kit *k, enum rmi_pace_class class, uint32_t from, uint32_t count) {
    for (uint32_t i = from; i < from + count; i++) {
        const struct rmi_pace_item item = {.index = i, .bytes = PACKET, .queued_us = k->now_us};
        assert_int_equal(rmi_pacer_push(&k->p, class, &item), RM_OK);
    }
}

static void drain(struct kit *k) {
    struct rmi_pace_order o;
    for (;;) {
        rmi_pacer_poll(&k->p, k->now_us, k->can_pad, &o);
        if (o.what == RMI_PACE_NOTHING)
            break;
        const size_t bytes = o.what == RMI_PACE_SEND ? o.item.bytes : o.padding;
        if (o.what == RMI_PACE_SEND) {
            assert_int_equal(o.item.index, k->sent[o.class] == 0 ? o.item.index : k->last[o.class] + 1); /* in order */
            k->last[o.class] = o.item.index;
            k->sent[o.class]++;
        } else {
            k->padding++;
        }
        if (o.cluster != RMI_CC_NO_PROBE) {
            k->probe_first_us = k->probed ? k->probe_first_us : k->now_us;
            k->probe_last_us = k->now_us;
            k->probed++;
            k->probed_bytes += bytes;
        }
        k->bytes += bytes;
        rmi_pacer_sent(&k->p, k->now_us, &o, bytes);
    }
}

/* By its own deadlines, as its owner does. */
static void run(struct kit *k, int64_t us) {
    const int64_t until = k->now_us + us;
    for (drain(k); rmi_pacer_next_deadline(&k->p, k->can_pad) <= until; drain(k)) {
        const int64_t at = rmi_pacer_next_deadline(&k->p, k->can_pad);
        assert_true(at > k->now_us); /* all that was due is done */
        k->now_us = at;
    }
    k->now_us = until;
}

static void a_small_frame_leaves_at_once(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 2); /* 10 ms at 1 Mbit/s are 1,250 bytes: the second one begins within */
    drain(&k);
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 2);
    assert_int_equal(rmi_pacer_next_deadline(&k.p, false), RMI_NEVER);
    rmi_pacer_fini(&k.p);
}

static void a_key_frame_is_spread(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 50);
    drain(&k);
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 2);
    run(&k, RMI_MS(160));
    assert_in_range(k.sent[RMI_PACE_VIDEO], 20, 24);
    run(&k, RMI_MS(240));
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 50);
    rmi_pacer_fini(&k.p);
}

static void repairs_go_first(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 20);
    drain(&k);
    push(&k, RMI_PACE_RESENT, 100, 3);
    const uint64_t before = k.sent[RMI_PACE_VIDEO];
    run(&k, RMI_MS(30)); /* three packets' time, and a little */
    assert_int_equal(k.sent[RMI_PACE_RESENT], 3);
    assert_in_range(k.sent[RMI_PACE_VIDEO], before, before + 1);
    rmi_pacer_fini(&k.p);
}

static void sound_takes_its_share(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 300);
    for (int i = 0; i < 100; i++) { /* half of the rate */
        rmi_pacer_note(&k.p, k.now_us, 625);
        run(&k, RMI_MS(10));
    }
    assert_in_range(k.sent[RMI_PACE_VIDEO], 60, 160); /* 125 in a second, less the half, and what the limit hurries */
    rmi_pacer_fini(&k.p);
}

static void nothing_waits_longer_than_two_seconds(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 1000); /* 8 s at the rate */
    int64_t longest = 0;
    for (int i = 0; i < 2200; i++) {
        run(&k, RMI_MS(1));
        longest = rmi_max64(longest, rmi_pacer_delay_us(&k.p, k.now_us));
    }
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 1000);
    assert_in_range(longest, RMI_SEC(1), RMI_MS(2150));
    rmi_pacer_fini(&k.p);
}

static void the_queue_has_an_end(void **state) {
    (void)state;
    struct kit k;
    struct rmi_pace_item item = {.bytes = PACKET};
    begin(&k);
    push(&k, RMI_PACE_VIDEO, 0, 4096);
    assert_int_equal(rmi_pacer_push(&k.p, RMI_PACE_VIDEO, &item), RM_E_LIMIT);
    assert_int_equal(k.p.dropped, 1);
    for (uint32_t i = 0; i < 4096; i++) {
        assert_true(rmi_pacer_take(&k.p, RMI_PACE_VIDEO, &item));
        assert_int_equal(item.index, i);
    }
    assert_false(rmi_pacer_take(&k.p, RMI_PACE_VIDEO, &item));
    assert_int_equal(k.p.queued_bytes, 0);
    rmi_pacer_fini(&k.p);
}

static void a_probe_is_padded_to_its_rate(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.can_pad = true;
    const struct rmi_cc_probe probe = {.cluster = 9, .rate_bps = 6e6, .bytes = 11250, .packets = 5};
    rmi_pacer_probe(&k.p, k.now_us, &probe);
    push(&k, RMI_PACE_VIDEO, 0, 3); /* goes first */
    run(&k, RMI_MS(200));
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 3);
    assert_in_range(k.probed_bytes, 11250, 11250 + 255);
    assert_in_range(k.probe_last_us - k.probe_first_us, RMI_MS(14), RMI_MS(16));
    assert_false(k.p.probing);
    assert_int_equal(rmi_pacer_next_deadline(&k.p, true), RMI_NEVER);
    rmi_pacer_fini(&k.p);
}

static void a_probe_that_cannot_be_padded_waits_for_media(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    const struct rmi_cc_probe probe = {.cluster = 9, .rate_bps = 2e6, .bytes = 3750, .packets = 5};
    rmi_pacer_probe(&k.p, k.now_us, &probe);
    run(&k, RMI_MS(300));
    assert_true(k.probed == 0 && k.p.probing);
    push(&k, RMI_PACE_VIDEO, 0, 20);
    run(&k, RMI_SEC(1));
    assert_int_equal(k.sent[RMI_PACE_VIDEO], 20);
    assert_int_equal(k.probed, 5);
    rmi_pacer_fini(&k.p);
}

static void a_late_timer_gives_the_probe_up(void **state) {
    (void)state;
    struct kit k;
    begin(&k);
    k.can_pad = true;
    const struct rmi_cc_probe probe = {.cluster = 9, .rate_bps = 2e6, .bytes = 3750, .packets = 5};
    rmi_pacer_probe(&k.p, k.now_us, &probe);
    drain(&k);
    k.now_us += RMI_MS(500); /* a burst now would say nothing about 2 Mbit/s */
    drain(&k);
    assert_false(k.p.probing);
    assert_int_equal(k.probed, 1);
    rmi_pacer_fini(&k.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_frame_leaves_at_once),
        cmocka_unit_test(a_key_frame_is_spread),
        cmocka_unit_test(repairs_go_first),
        cmocka_unit_test(sound_takes_its_share),
        cmocka_unit_test(nothing_waits_longer_than_two_seconds),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(a_probe_is_padded_to_its_rate),
        cmocka_unit_test(a_probe_that_cannot_be_padded_waits_for_media),
        cmocka_unit_test(a_late_timer_gives_the_probe_up),
    };
    return cmocka_run_group_tests_name("cc.pacer", tests, NULL, NULL);
}
