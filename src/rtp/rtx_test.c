/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet.h"
#include "rtp/rtp_testkit.h"
#include "rtp/rtx.h"

/* With a CSRC, an extension and padding. */
static const uint8_t original[] = {0xb1, 0xe0, 0x12, 0x34, 0,    0,    0, 9, 0,   0,   0,   1,   0,   0, 0, 2,
                                   0xbe, 0xde, 0,    1,    0x10, 0xaa, 0, 0, 'm', 'e', 'd', 'i', 'a', 0, 0, 3};

static void a_packet_goes_there_and_back(void **state) {
    (void)state;
    uint8_t rtx[64], back[64];
    size_t rtx_len, back_len;
    struct rmi_rtp_packet p, q;
    assert_int_equal(rmi_rtx_wrap(original, sizeof original, 97, 77, 5, rtx, sizeof rtx, &rtx_len), RM_OK);
    assert_int_equal(rtx_len, sizeof original - 3 + RMI_RTX_OSN);
    assert_int_equal(rmi_rtp_parse(rtx, rtx_len, &q), RM_OK);
    assert_true(q.pt == 97 && q.ssrc == 77 && q.seq == 5 && q.marker && q.timestamp == 9 && q.ext_count == 1);
    assert_memory_equal(q.payload, "\x12\x34media", 7);
    assert_int_equal(rmi_rtx_unwrap(rtx, rtx_len, 96, 1, back, sizeof back, &back_len), RM_OK);
    assert_int_equal(rmi_rtp_parse(back, back_len, &p), RM_OK);
    assert_true(p.pt == 96 && p.ssrc == 1 && p.seq == 0x1234 && p.marker && p.timestamp == 9 && p.csrc[0] == 2);
    assert_int_equal(p.payload_len, 5);
    assert_memory_equal(p.payload, "media", 5);
    assert_int_equal(rmi_rtp_find_ext(&p, 1)->data[0], 0xaa);
}

/* Janus PR 3636: retransmissions with less than the number in them. */
static void payloads_of_0_to_3_bytes(void **state) {
    (void)state;
    static const rm_err want[] = {RM_E_AGAIN, RM_E_PARSE, RM_OK, RM_OK};
    const uint8_t packet[] = {0x80, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x11, 0x22, 0x33};
    for (size_t n = 0; n <= 3; n++) {
        uint8_t out[64];
        size_t len = 0;
        assert_int_equal(rmi_rtx_unwrap(packet, RMI_RTP_HEADER + n, 96, 9, out, sizeof out, &len), want[n]);
        if (want[n] == RM_OK)
            assert_int_equal(len, RMI_RTP_HEADER + n - RMI_RTX_OSN);
    }
}

static void too_little_room_is_told(void **state) {
    (void)state;
    uint8_t rtx[64], out[64];
    size_t rtx_len = 0, len;
    for (size_t cap = 0; cap < sizeof original - 3 + RMI_RTX_OSN; cap++)
        assert_int_equal(rmi_rtx_wrap(original, sizeof original, 97, 77, 5, out, cap, &len), RM_E_TOO_BIG);
    assert_int_equal(rmi_rtx_wrap(original, sizeof original, 97, 77, 5, rtx, sizeof rtx, &rtx_len), RM_OK);
    for (size_t cap = 0; cap < sizeof original - 3; cap++)
        assert_int_equal(rmi_rtx_unwrap(rtx, rtx_len, 96, 1, out, cap, &len), RM_E_TOO_BIG);
}

static void both_ways(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    uint8_t out[256], back[256];
    size_t n = 0, m = 0;
    if (rmi_rtx_unwrap(data, len, 96, 1, out, sizeof out, &n) == RM_OK)
        assert_true(n >= RMI_RTP_HEADER && n <= len);
    if (rmi_rtx_wrap(data, len, 97, 77, 5, out, sizeof out, &n) == RM_OK)
        assert_int_equal(rmi_rtx_unwrap(out, n, 96, 1, back, sizeof back, &m), RM_OK);
}

static void sweeps(void **state) {
    (void)state;
    rtp_sweep(both_ways, original, sizeof original, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_goes_there_and_back),
        cmocka_unit_test(payloads_of_0_to_3_bytes),
        cmocka_unit_test(too_little_room_is_told),
        cmocka_unit_test(sweeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
