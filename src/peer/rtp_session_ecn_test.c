/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_testkit.h"

#define SIDE_A 0
#define SIDE_B 1
#define KIT_LOST (RMI_ECN_MASK + 1)
#define FRAME_BYTES 6000

static const struct rmi_cc_limits limits = {100e3, 1e6, 5e6};

static struct kit *create(bool ecn_a, bool ecn_b) {
    struct kit *kit = kit_create_limited(3, &limits);
    kit->side[SIDE_A].media[0].ecn_send = kit->side[SIDE_A].media[1].ecn_send = ecn_a;
    kit->side[SIDE_B].media[0].ecn_receive = kit->side[SIDE_B].media[1].ecn_receive = ecn_b;
    kit_apply(kit, SIDE_A);
    kit_apply(kit, SIDE_B);
    return kit;
}

/* Pictures and sound from A, for so many seconds. */
static void call(struct kit *kit, int seconds) {
    static uint32_t sound; /* timestamps may be any */
    uint32_t pictures = (uint32_t)(kit->now_us / 1000 * 90);
    for (int i = 0; i < seconds * 30; i++, pictures += 3000) {
        (void)kit_media(kit, SIDE_A, RMI_PAYLOAD_VP8, pictures, FRAME_BYTES, false);
        (void)kit_media(kit, SIDE_A, RMI_PAYLOAD_OPUS, sound += 1600, 80, false);
        kit_run_for(kit, 33333);
    }
}

static int drops_marked(struct kit *kit, int from, enum rmi_ecn ecn) {
    (void)kit, (void)from;
    return ecn == RMI_ECN_NOT_ECT ? (int)ecn : KIT_LOST;
}

static int clears(struct kit *kit, int from, enum rmi_ecn ecn) {
    (void)kit, (void)from, (void)ecn;
    return RMI_ECN_NOT_ECT;
}

/* One in fifty is marked as congestion. */
static int congests(struct kit *kit, int from, enum rmi_ecn ecn) {
    (void)from;
    return ecn == RMI_ECN_ECT0 && rmi_prng_next(&kit->prng) % 50 == 0 ? (int)RMI_ECN_CE : (int)ecn;
}

static void a_good_path_carries_marks_on_all_media(void **state) {
    (void)state;
    struct kit *kit = create(true, true);
    call(kit, 2);
    struct rmi_rtp_session_stats stats = kit_stats(kit, SIDE_A);
    assert_int_equal(stats.ecn, RMI_ECN_MARKS);
    memset(kit->side[SIDE_B].ecn_in, 0, sizeof kit->side[SIDE_B].ecn_in);
    call(kit, 30);
    stats = kit_stats(kit, SIDE_A);
    assert_true(stats.ecn == RMI_ECN_MARKS && stats.ecn_failures == 0);
    assert_int_equal(kit->side[SIDE_B].ecn_in[RMI_ECN_NOT_ECT], 0);
    assert_true(kit->side[SIDE_B].ecn_in[RMI_ECN_ECT0] > 3000);
    assert_true(stats.out[RMI_RTP_VIDEO].ce == 0 && stats.rtcp_malformed == 0);
    assert_int_equal(kit_stats(kit, SIDE_B).rtcp_malformed, 0);
    kit_destroy(kit);
}

static void one_side_alone_marks_nothing(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct kit *kit = create(side == SIDE_A, side == SIDE_B);
        call(kit, 8);
        const uint64_t *in = kit->side[SIDE_B].ecn_in;
        assert_true(in[RMI_ECN_ECT0] <= (side == SIDE_A ? 20 : 0)); /* who agreed on it for sending has only tried */
        assert_true(in[RMI_ECN_CE] == 0 && in[RMI_ECN_ECT1] == 0 && in[RMI_ECN_NOT_ECT] > 1000);
        kit_destroy(kit);
    }
    struct kit *kit = kit_create(3); /* nobody slows down: nothing may be marked */
    kit->side[SIDE_A].media[1].ecn_send = kit->side[SIDE_B].media[1].ecn_receive = true;
    kit_apply(kit, SIDE_A);
    kit_apply(kit, SIDE_B);
    call(kit, 2);
    assert_int_equal(kit->side[SIDE_B].ecn_in[RMI_ECN_ECT0], 0);
    assert_int_equal(kit_stats(kit, SIDE_A).ecn, RMI_ECN_OFF);
    kit_destroy(kit);
}

static void congestion_marks_lower_the_rate(void **state) {
    (void)state;
    double bps[2];
    for (int marks = 0; marks < 2; marks++) {
        struct kit *kit = create(true, true);
        call(kit, 10);
        kit->on_ecn = marks ? congests : NULL;
        call(kit, 20);
        const struct rmi_rtp_session_stats out = kit_stats(kit, SIDE_A), in = kit_stats(kit, SIDE_B);
        bps[marks] = out.available_outgoing_bps;
        assert_int_equal(out.ecn, RMI_ECN_MARKS);
        const uint64_t told = out.out[RMI_RTP_VIDEO].ce + out.out[RMI_RTP_AUDIO].ce;
        const uint64_t came = in.in[RMI_RTP_VIDEO].ce + in.in[RMI_RTP_AUDIO].ce;
        assert_true(came == kit->side[SIDE_B].ecn_in[RMI_ECN_CE]);
        assert_true(marks ? came > 20 : came == 0);
        assert_true(told <= came && told + 5 >= came); /* but for those on their way */
        assert_int_equal(kit->side[SIDE_A].lost, 0);
        kit_destroy(kit);
    }
    assert_true(bps[1] < 0.7 * bps[0]);
}

/* A path that drops marked packets, from the start and later: the call goes on, and few packets are lost. */
static void marks_that_are_dropped_do_not_end_the_call(void **state) {
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct kit *kit = create(true, true);
        kit->on_ecn = later ? NULL : drops_marked;
        call(kit, 10);
        kit->on_ecn = drops_marked;
        const uint64_t before = kit->side[SIDE_A].lost;
        call(kit, 3);
        assert_true(kit_stats(kit, SIDE_A).ecn != RMI_ECN_MARKS && kit_stats(kit, SIDE_A).ecn_failures > 0);
        assert_true(kit->side[SIDE_A].lost - before < (later ? 200 : 20)); /* half a second of all */
        const uint64_t came = kit->side[SIDE_B].media_in[RMI_RTP_VIDEO];
        call(kit, 1);
        assert_true(kit->side[SIDE_B].media_in[RMI_RTP_VIDEO] - came >= 150);
        assert_int_equal(kit->side[SIDE_B].wrong, 0);
        kit_destroy(kit);
    }
}

static void marks_that_are_cleared_end_their_use(void **state) {
    (void)state;
    struct kit *kit = create(true, true);
    call(kit, 20);
    assert_int_equal(kit_stats(kit, SIDE_A).ecn, RMI_ECN_MARKS);
    kit->on_ecn = clears;
    call(kit, 4);
    const struct rmi_rtp_session_stats stats = kit_stats(kit, SIDE_A);
    assert_true(stats.ecn == RMI_ECN_RESTS && stats.ecn_failures == 1);
    kit_destroy(kit);
}

/* Counters for streams of ours and of nobody, that jump about: the rate stays within its limits. */
static void reports_that_lie_harm_only_who_sends_them(void **state) {
    (void)state;
    struct kit *kit = create(true, true);
    uint8_t out[RMI_HEADROOM + RMI_DATAGRAM_MTU];
    call(kit, 3);
    for (int i = 0; i < 300; i++) {
        struct rmi_wr w = rmi_wr_init(out, sizeof out);
        const struct rmi_rtcp_ecn lie[] = {{.ssrc = KIT_SSRC_VIDEO(SIDE_A),
                                            .ect0 = (uint32_t)rmi_prng_next(&kit->prng),
                                            .ce = (uint16_t)rmi_prng_next(&kit->prng),
                                            .not_ect = (uint16_t)rmi_prng_next(&kit->prng)},
                                           {.ssrc = (uint32_t)rmi_prng_next(&kit->prng), .ce = 9}};
        rmi_rtcp_write_ecn(&w, KIT_SSRC_VIDEO(SIDE_B), &lie[0]);
        rmi_rtcp_write_ecn_summary(&w, KIT_SSRC_VIDEO(SIDE_B), lie, 2);
        rmi_rtp_session_input(kit->side[SIDE_A].session, kit->now_us, true, RMI_ECN_NOT_ECT, out, w.pos);
        kit_run_for(kit, RMI_MS(10));
    }
    assert_true(kit_stats(kit, SIDE_A).available_outgoing_bps >= limits.min_bps);
    call(kit, 10);
    assert_true(kit->side[SIDE_B].wrong == 0 && kit_stats(kit, SIDE_B).in[RMI_RTP_VIDEO].packets_lost == 0);
    kit_destroy(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_path_carries_marks_on_all_media),
        cmocka_unit_test(one_side_alone_marks_nothing),
        cmocka_unit_test(congestion_marks_lower_the_rate),
        cmocka_unit_test(marks_that_are_dropped_do_not_end_the_call),
        cmocka_unit_test(marks_that_are_cleared_end_their_use),
        cmocka_unit_test(reports_that_lie_harm_only_who_sends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
