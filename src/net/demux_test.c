/* SPDX-License-Identifier: Apache-2.0 */
#include "net/demux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A datagram of exactly len bytes on the heap, so that the sanitizer sees a read past it. */
static enum rmi_packet_kind kind_of(uint8_t first, uint8_t second, size_t len) {
    static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42}; /* RFC 8489 section 5 */
    uint8_t whole[64] = {first, second};
    memcpy(whole + 4, cookie, sizeof cookie);
    uint8_t *data = malloc(len ? len : 1);
    assert_non_null(data);
    memcpy(data, whole, len);
    enum rmi_packet_kind kind = rmi_packet_kind_of(data, len);
    free(data);
    return kind;
}

static enum rmi_packet_kind expected_kind(int first, int second) {
    if (first <= 3)
        return RMI_PACKET_STUN;
    if (first >= 20 && first <= 63)
        return RMI_PACKET_DTLS;
    if (first >= 64 && first <= 79)
        return RMI_PACKET_TURN_CHANNEL;
    if (first < 128 || first > 191)
        return RMI_PACKET_UNKNOWN;
    if (second >= 192 && second <= 223)
        return RMI_PACKET_RTCP;
    return second >= 64 && second <= 95 ? RMI_PACKET_UNKNOWN : RMI_PACKET_RTP;
}

static void every_pair_of_first_bytes(void **state) {
    (void)state;
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256; second++)
            assert_int_equal(kind_of((uint8_t)first, (uint8_t)second, 40), expected_kind(first, second));
}

static void every_length(void **state) {
    (void)state;
    static const struct {
        uint8_t first, second;
        size_t least;
        enum rmi_packet_kind kind;
    } cases[] = {
        {0, 1, 20, RMI_PACKET_STUN},    {22, 254, 13, RMI_PACKET_DTLS},  {64, 0, 4, RMI_PACKET_TURN_CHANNEL},
        {128, 111, 12, RMI_PACKET_RTP}, {144, 0xef, 12, RMI_PACKET_RTP}, {128, 200, 8, RMI_PACKET_RTCP},
        {129, 206, 8, RMI_PACKET_RTCP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t n = 0; n <= 64; n++)
            assert_int_equal(kind_of(cases[i].first, cases[i].second, n),
                             n >= cases[i].least ? cases[i].kind : RMI_PACKET_UNKNOWN);
    assert_int_equal(rmi_packet_kind_of(NULL, 0), RMI_PACKET_UNKNOWN);
}

static void stun_needs_its_cookie(void **state) {
    (void)state;
    for (size_t at = 4; at < 8; at++) {
        uint8_t data[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
        assert_int_equal(rmi_packet_kind_of(data, sizeof data), RMI_PACKET_STUN);
        data[at] ^= 1;
        assert_int_equal(rmi_packet_kind_of(data, sizeof data), RMI_PACKET_UNKNOWN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_first_bytes),
        cmocka_unit_test(every_length),
        cmocka_unit_test(stun_needs_its_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
