/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/history.h"
#include "rtp/rtp_testkit.h"

#define S 1000000
#define RTT 50000
#define PACKET 1000

static struct rmi_rtp_history *filled(size_t packets, uint32_t bps, uint32_t first, size_t count) {
    struct rmi_rtp_history_config config = {packets, 1200, bps};
    struct rmi_rtp_history *h = NULL;
    assert_int_equal(rmi_rtp_history_create(&config, &h), RM_OK);
    for (uint32_t i = first; i < first + count; i++) {
        uint8_t packet[PACKET];
        memset(packet, (int)(i & 0xff), sizeof packet);
        assert_int_equal(rmi_rtp_history_put(h, (uint16_t)i, packet, sizeof packet, 0), RM_OK);
    }
    return h;
}

static void the_newest_packets_are_found_over_the_wrap(void **state) {
    (void)state;
    struct rmi_rtp_history *h = filled(64, 100000000, 65400, 300);
    const uint8_t *packet;
    size_t len;
    for (uint32_t i = 65400; i < 65700; i++) {
        rm_err err = rmi_rtp_history_resend(h, (uint16_t)i, S, RTT, &packet, &len);
        assert_int_equal(err, i < 65700 - 64 ? RM_E_NOT_FOUND : RM_OK);
        if (err == RM_OK) {
            assert_int_equal(len, PACKET);
            assert_int_equal(packet[0], i & 0xff);
            assert_int_equal(packet[PACKET - 1], i & 0xff);
        }
    }
    assert_int_equal(rmi_rtp_history_stats(h).resent, 64);
    assert_int_equal(rmi_rtp_history_stats(h).not_found, 300 - 64);
    rmi_rtp_history_clear(h);
    assert_int_equal(rmi_rtp_history_resend(h, 65699 & 0xffff, 2 * S, RTT, &packet, &len), RM_E_NOT_FOUND);
    rmi_rtp_history_destroy(&h);
    assert_null(h);
    rmi_rtp_history_destroy(&h);
}

static void a_packet_is_not_sent_twice_within_a_round_trip(void **state) {
    (void)state;
    struct rmi_rtp_history *h = filled(8, 100000000, 0, 8);
    const uint8_t *packet;
    size_t len;
    assert_int_equal(rmi_rtp_history_resend(h, 3, S, RTT, &packet, &len), RM_OK);
    assert_int_equal(rmi_rtp_history_resend(h, 3, S + RTT - 1, RTT, &packet, &len), RM_E_AGAIN);
    assert_int_equal(rmi_rtp_history_resend(h, 3, S + RTT, RTT, &packet, &len), RM_OK);
    assert_int_equal(rmi_rtp_history_stats(h).too_soon, 1);
    rmi_rtp_history_destroy(&h);
}

/* NACKs for everything, again and again: what goes out stays within the budget. */
static void a_nack_storm_ends_at_the_budget(void **state) {
    (void)state;
    const uint32_t bps = 1000000;
    struct rmi_rtp_history *h = filled(1024, bps, 0, 1024);
    const uint8_t *packet;
    size_t len;
    uint64_t bits = 0;
    for (int64_t now = 0; now < 10 * S; now += 10000)
        for (uint32_t seq = 0; seq < 0x10000; seq += 7)
            if (rmi_rtp_history_resend(h, (uint16_t)seq, now, 0, &packet, &len) == RM_OK)
                bits += len * 8;
    assert_in_range(bits, 9 * bps, 10 * bps + bps / 2);
    assert_true(rmi_rtp_history_stats(h).over_budget > 0);
    rmi_rtp_history_set_budget(h, 0);
    assert_int_equal(rmi_rtp_history_resend(h, 1, 20 * S, 0, &packet, &len), RM_E_LIMIT);
    rmi_rtp_history_destroy(&h);
}

static void a_low_budget_sends_rarely_not_never(void **state) {
    (void)state;
    struct rmi_rtp_history *h = filled(8, 1000, 0, 8); /* a packet takes 8 s */
    const uint8_t *packet;
    size_t len, sent = 0;
    for (int64_t now = 0; now < 100 * S; now += S / 100)
        sent += rmi_rtp_history_resend(h, 1, now, 0, &packet, &len) == RM_OK;
    assert_in_range(sent, 12, 14);
    rmi_rtp_history_destroy(&h);
}

static void arguments_are_checked(void **state) {
    (void)state;
    static const struct rmi_rtp_history_config bad[] = {{0, 1200, 1}, {0x8000, 1200, 1}, {8, 0, 1}, {8, 2049, 1}};
    struct rmi_rtp_history *h = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rmi_rtp_history_create(&bad[i], &h), RM_E_INVALID_ARG);
    assert_null(h);
    h = filled(1, 1000000, 0, 2);
    static const uint8_t packet[1201];
    assert_int_equal(rmi_rtp_history_put(h, 5, packet, 1201, 0), RM_E_TOO_BIG);
    assert_int_equal(rmi_rtp_history_put(h, 5, packet, 0, 0), RM_E_INVALID_ARG);
    assert_int_equal(rmi_rtp_history_put(h, 5, packet, 1200, 0), RM_OK);
    rmi_rtp_history_destroy(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_packets_are_found_over_the_wrap),
        cmocka_unit_test(a_packet_is_not_sent_twice_within_a_round_trip),
        cmocka_unit_test(a_nack_storm_ends_at_the_budget),
        cmocka_unit_test(a_low_budget_sends_rarely_not_never),
        cmocka_unit_test(arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
