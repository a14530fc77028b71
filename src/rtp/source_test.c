/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "rtp/rtp_testkit.h"
#include "rtp/source.h"

#define S 1000000
#define VIDEO_HZ 90000
#define AUDIO_HZ 48000

static struct rmi_rtp_source fresh(void) {
    struct rmi_rtp_source s;
    rmi_rtp_source_init(&s, 7, VIDEO_HZ, 0);
    return s;
}

static enum rmi_rtp_seq input(struct rmi_rtp_source *s, uint16_t seq) {
    return rmi_rtp_source_input(s, seq, 0, 100, 0);
}

static void numbers_extend_over_wraps(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    struct rmi_rtcp_report r;
    assert_false(rmi_rtp_source_report(&s, 0, &r));
    for (uint32_t i = 65530; i < 65530 + 3 * 65536; i++)
        assert_int_equal(input(&s, (uint16_t)i), RMI_RTP_SEQ_NEW);
    assert_int_equal(rmi_rtp_source_highest(&s), 65530 + 3 * 65536 - 1);
    assert_int_equal(rmi_rtp_source_lost(&s), 0);
    assert_true(rmi_rtp_source_report(&s, 0, &r));
    assert_true(r.ssrc == 7 && r.fraction_lost == 0 && r.lost == 0 && r.highest_seq == 65530 + 3 * 65536 - 1);
}

static void losses_are_counted_for_the_interval_and_in_all(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    struct rmi_rtcp_report r;
    for (uint16_t i = 0; i < 100; i++)
        if (i % 4 != 1)
            input(&s, i);
    assert_true(rmi_rtp_source_report(&s, 0, &r));
    assert_int_equal(r.lost, 25);
    assert_int_equal(r.fraction_lost, 64);
    for (uint16_t i = 100; i < 200; i++)
        input(&s, i);
    assert_true(rmi_rtp_source_report(&s, 0, &r));
    assert_int_equal(r.lost, 25);
    assert_int_equal(r.fraction_lost, 0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(input(&s, 199), RMI_RTP_SEQ_LATE); /* duplicates */
    assert_true(rmi_rtp_source_report(&s, 0, &r));
    assert_int_equal(r.lost, -5);
    assert_int_equal(r.fraction_lost, 0);
}

static void late_packets_repair_the_count(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    input(&s, 65534);
    assert_int_equal(input(&s, 1), RMI_RTP_SEQ_NEW);
    assert_int_equal(rmi_rtp_source_lost(&s), 2);
    assert_int_equal(input(&s, 65535), RMI_RTP_SEQ_LATE);
    assert_int_equal(input(&s, 0), RMI_RTP_SEQ_LATE);
    assert_int_equal(rmi_rtp_source_lost(&s), 0);
    assert_int_equal(rmi_rtp_source_highest(&s), 65537);
}

static void a_single_wild_number_is_refused_two_in_a_row_start_again(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    for (uint16_t i = 0; i < 10; i++)
        input(&s, i);
    assert_int_equal(input(&s, 30000), RMI_RTP_SEQ_REFUSED);
    assert_int_equal(input(&s, 10), RMI_RTP_SEQ_NEW);
    assert_int_equal(input(&s, 40000), RMI_RTP_SEQ_REFUSED);
    assert_int_equal(input(&s, 40001), RMI_RTP_SEQ_RESTART);
    assert_int_equal(input(&s, 40002), RMI_RTP_SEQ_NEW);
    assert_int_equal(rmi_rtp_source_lost(&s), 0);
    assert_int_equal(rmi_rtp_source_highest(&s), 40002);
    assert_true(s.refused == 2 && s.restarts == 1);
    /* The edges of RFC 3550 A.1. */
    assert_int_equal(input(&s, 40002 + 2999), RMI_RTP_SEQ_NEW);
    assert_int_equal(input(&s, 43001 + 3000), RMI_RTP_SEQ_REFUSED);
    assert_int_equal(input(&s, 43001 - 99), RMI_RTP_SEQ_LATE);
    assert_int_equal(input(&s, 43001 - 100), RMI_RTP_SEQ_REFUSED);
}

static void probation_asks_for_packets_in_order(void **state) {
    (void)state;
    struct rmi_rtp_source s;
    struct rmi_rtcp_report r;
    rmi_rtp_source_init(&s, 7, VIDEO_HZ, 2);
    assert_int_equal(input(&s, 100), RMI_RTP_SEQ_REFUSED);
    assert_false(rmi_rtp_source_report(&s, 0, &r));
    assert_int_equal(input(&s, 200), RMI_RTP_SEQ_REFUSED);
    assert_int_equal(input(&s, 201), RMI_RTP_SEQ_NEW);
    assert_int_equal(rmi_rtp_source_lost(&s), 0);
    assert_int_equal(input(&s, 202), RMI_RTP_SEQ_NEW);
}

static void jitter_follows_the_formula(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    uint32_t want_q4 = 0;
    for (uint16_t i = 0; i < 500; i++) { /* every other packet 10 ms late: |D| = 900 */
        rmi_rtp_source_input(&s, i, 3000U * i, 100, i * INT64_C(33333) + (i & 1 ? 10000 : 0));
        if (i)
            want_q4 += 900 - ((want_q4 + 8) >> 4);
    }
    assert_in_range(rmi_rtp_source_jitter(&s), (want_q4 >> 4) - 5, (want_q4 >> 4) + 5); /* 33,333 us rounds */
    assert_in_range(rmi_rtp_source_jitter_us(&s), 9900, 10100);
}

static void no_jitter_on_an_even_stream_over_timestamp_wraps(void **state) {
    (void)state;
    struct rmi_rtp_source s;
    rmi_rtp_source_init(&s, 7, AUDIO_HZ, 0);
    for (uint32_t i = 0; i < 100000; i++)
        rmi_rtp_source_input(&s, (uint16_t)i, 0xffff0000U + i * 48000U, 100, (int64_t)i * S);
    assert_int_equal(rmi_rtp_source_jitter(&s), 0);
}

/* PJSIP #5122: jitter arithmetic overflowed after a long uptime. */
static void a_century_and_leaps_in_time_do_not_overflow(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    const int64_t year = INT64_C(31557600) * S;
    int64_t now = 100 * year;
    for (int i = 0; i < 100000; i++) {
        uint64_t kind = rmi_rng_range(&rng, 0, 99);
        now += kind == 0 ? year : kind == 1 && now > year ? -year / 2 : 20000;
        rmi_rtp_source_input(&s, rmi_rng_u32(&rng) & 0xff, rmi_rng_u32(&rng), 100, now);
        assert_true(rmi_rtp_source_jitter(&s) <= 5 * VIDEO_HZ + 1);
        struct rmi_rtcp_report r;
        if (i % 100 == 0)
            rmi_rtp_source_report(&s, now, &r);
    }
}

static void reports_name_the_last_sender_report(void **state) {
    (void)state;
    struct rmi_rtp_source s = fresh();
    struct rmi_rtcp_report r;
    struct rmi_rtcp_sender_info sr = {UINT64_C(0x1111222233334444), 5, 6, 7};
    input(&s, 1);
    assert_true(rmi_rtp_source_report(&s, 0, &r));
    assert_true(r.last_sr == 0 && r.delay_since_sr == 0);
    rmi_rtp_source_sender_report(&s, &sr, 10 * S);
    assert_true(rmi_rtp_source_report(&s, 10 * S + S / 2, &r));
    assert_true(r.last_sr == 0x22223333 && r.delay_since_sr == 32768);
    assert_true(rmi_rtp_source_report(&s, 9 * S, &r)); /* time ran backwards */
    assert_int_equal(r.delay_since_sr, 0);
    assert_true(rmi_rtp_source_report(&s, INT64_C(365) * 86400 * S, &r));
    assert_true(r.delay_since_sr == UINT32_MAX);
}

static void round_trips_come_from_report_blocks(void **state) {
    (void)state;
    struct rmi_rtcp_report r = {.last_sr = 0xb710a000, .delay_since_sr = 0x00054000};
    int64_t rtt = -1;
    assert_true(rmi_rtcp_round_trip_us(0xb7172000, &r, &rtt)); /* 0x6.8000 - 0x5.4000 s = 1.25 s */
    assert_int_equal(rtt, 1250000);
    r = (struct rmi_rtcp_report){.last_sr = 0xffff8000, .delay_since_sr = 0x4000};
    assert_true(rmi_rtcp_round_trip_us(0x0000c000, &r, &rtt)); /* over the wrap: 1.25 - 0.25 */
    assert_int_equal(rtt, 1000000);
    rtt = -1;
    assert_false(rmi_rtcp_round_trip_us(0xffff8000, &r, &rtt)); /* negative */
    r.delay_since_sr = 1;
    assert_true(rmi_rtcp_round_trip_us(0xffff8000, &r, &rtt)); /* -15 us: rounding */
    assert_int_equal(rtt, 0);
    r = (struct rmi_rtcp_report){.last_sr = 1, .delay_since_sr = 0};
    assert_false(rmi_rtcp_round_trip_us(61U << 16, &r, &rtt));
    r.last_sr = 0;
    assert_false(rmi_rtcp_round_trip_us(5, &r, &rtt));
}

static void ntp_stamps_wrap_in_2036(void **state) {
    (void)state;
    assert_true(rmi_ntp_of_unix_us(0) == UINT64_C(2208988800) << 32);
    assert_true(rmi_ntp_of_unix_us(1500000) == (UINT64_C(2208988801) << 32 | 0x80000000U));
    const int64_t wrap = INT64_C(2085978496) * S; /* 2036-02-07 06:28:16 */
    assert_true(rmi_ntp_of_unix_us(wrap) == 0);
    int64_t d = rmi_ntp_diff_us(rmi_ntp_of_unix_us(wrap + S), rmi_ntp_of_unix_us(wrap - S));
    assert_in_range(d, 2 * S - 1, 2 * S);
    d = rmi_ntp_diff_us(rmi_ntp_of_unix_us(wrap - S), rmi_ntp_of_unix_us(wrap + S));
    assert_in_range(-d, 2 * S - 1, 2 * S);
    assert_true(rmi_ntp_diff_us(UINT64_C(1) << 63, 0) < 0);
    assert_int_equal(rmi_ntp_middle(UINT64_C(0x1111222233334444)), 0x22223333);
}

/* A new SSRC in each packet: bounded, and a stream in use is never the one that gives way. */
static void churn_evicts_the_least_recently_heard(void **state) {
    (void)state;
    static struct rmi_rtp_sources t;
    rmi_rtp_sources_init(&t);
    for (uint32_t i = 0; i < 10000; i++) {
        struct rmi_rtp_source *s = rmi_rtp_sources_get(&t, 1, VIDEO_HZ, i);
        rmi_rtp_source_input(s, (uint16_t)i, 0, 1, i);
        rmi_rtp_source_input(rmi_rtp_sources_get(&t, 1000 + i, VIDEO_HZ, i), 0, 0, 1, i);
    }
    assert_int_equal(t.count, RMI_RTP_SOURCES_MAX);
    assert_int_equal(t.evicted, 10001 - RMI_RTP_SOURCES_MAX);
    assert_int_equal(rmi_rtp_sources_find(&t, 1)->received, 10000);
    assert_null(rmi_rtp_sources_find(&t, 1000));
    assert_non_null(rmi_rtp_sources_find(&t, 10999));
    rmi_rtp_sources_remove(&t, 1);
    rmi_rtp_sources_remove(&t, 1);
    assert_null(rmi_rtp_sources_find(&t, 1));
    assert_int_equal(t.count, RMI_RTP_SOURCES_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_extend_over_wraps),
        cmocka_unit_test(losses_are_counted_for_the_interval_and_in_all),
        cmocka_unit_test(late_packets_repair_the_count),
        cmocka_unit_test(a_single_wild_number_is_refused_two_in_a_row_start_again),
        cmocka_unit_test(probation_asks_for_packets_in_order),
        cmocka_unit_test(jitter_follows_the_formula),
        cmocka_unit_test(no_jitter_on_an_even_stream_over_timestamp_wraps),
        cmocka_unit_test(a_century_and_leaps_in_time_do_not_overflow),
        cmocka_unit_test(reports_name_the_last_sender_report),
        cmocka_unit_test(round_trips_come_from_report_blocks),
        cmocka_unit_test(ntp_stamps_wrap_in_2036),
        cmocka_unit_test(churn_evicts_the_least_recently_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
