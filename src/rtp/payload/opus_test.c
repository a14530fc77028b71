/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/opus.h"
#include "rtp/rtp_testkit.h"

static rm_err parse(const uint8_t *data, size_t len, struct rmi_opus_info *info) {
    return rmi_opus_parse(data, len, info);
}

/* RFC 6716, table 2. */
static void durations_follow_the_table(void **state) {
    (void)state;
    static const uint32_t silk[] = {480, 960, 1920, 2880}, hybrid[] = {480, 960}, celt[] = {120, 240, 480, 960};
    for (uint8_t config = 0; config < 32; config++) {
        uint8_t packet[] = {(uint8_t)(config << 3 | 4), 1, 2};
        struct rmi_opus_info info;
        assert_int_equal(parse(packet, sizeof packet, &info), RM_OK);
        uint32_t want = config < 12 ? silk[config % 4] : config < 16 ? hybrid[config % 2] : celt[config % 4];
        assert_true(info.frame_samples == want && info.samples == want && info.frames == 1);
        assert_true(info.config == config && info.stereo);
    }
}

static void the_four_codes(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t len;
        int frames; /* 0: refused */
    } rows[] = {
        {{0x78}, 1, 1}, /* an empty frame: DTX */
        {{0x79, 1, 1}, 3, 2},
        {{0x79, 1}, 2, 0}, /* R3: an odd number of bytes for two equal frames */
        {{0x79}, 1, 2},
        {{0x7a, 1, 1, 2}, 4, 2},
        {{0x7a, 4, 1, 2}, 4, 0},
        {{0x7a}, 1, 0},
        {{0x7a, 252}, 2, 0},
        {{0x7b}, 1, 0},
        {{0x7b, 0}, 2, 0}, /* R5: no frames */
        {{0x7b, 3, 1, 2, 3}, 5, 3},
        {{0x7b, 3, 1, 2, 3, 4}, 6, 0},
        {{0x7b, 6, 1, 2, 3, 4, 5, 6}, 8, 6},
        {{0x7b, 7, 1, 2, 3, 4, 5, 6, 7}, 9, 0}, /* 140 ms */
        {{0xe3, 48}, 2, 48},                    /* 48 x 2.5 ms, all empty */
        {{0xe3, 49}, 2, 0},
        {{0x7b, 0x82, 1, 1, 2}, 5, 2},
        {{0x7b, 0x82, 3, 1, 2}, 5, 0},
        {{0x7b, 0x41, 2, 9, 0, 0}, 6, 1}, /* padding of 2 */
        {{0x7b, 0x41, 4, 9, 0, 0}, 6, 0}, /* padding of 4 in 3 */
        {{0x7b, 0x41, 255}, 3, 0},
        {{0x7b, 0x41, 255, 0}, 4, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rmi_opus_info info = {0};
        rm_err err = parse(rows[i].bytes, rows[i].len, &info);
        assert_int_equal(err, rows[i].frames ? RM_OK : RM_E_PARSE);
        assert_int_equal(info.frames, rows[i].frames);
    }
    struct rmi_opus_info info;
    assert_int_equal(parse(NULL, 0, &info), RM_E_PARSE);
}

static void frames_have_at_most_1275_bytes(void **state) {
    (void)state;
    static uint8_t packet[4000];
    struct rmi_opus_info info;
    packet[0] = 0x78;
    assert_int_equal(parse(packet, 1276, &info), RM_OK);
    assert_int_equal(parse(packet, 1277, &info), RM_E_PARSE);
    packet[0] = 0x79;
    assert_int_equal(parse(packet, 1 + 2 * 1275, &info), RM_OK);
    assert_int_equal(parse(packet, 1 + 2 * 1276, &info), RM_E_PARSE);
    packet[0] = 0x7a;
    packet[1] = 255; /* 255 + 4 x 255 = 1275 */
    packet[2] = 255;
    assert_int_equal(parse(packet, 3 + 2 * 1275, &info), RM_OK);
    assert_int_equal(parse(packet, 4 + 2 * 1275, &info), RM_E_PARSE);
}

static void whatever(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_opus_info info;
    if (rmi_opus_parse(data, len, &info) == RM_OK)
        assert_true(info.samples > 0 && info.samples <= RMI_OPUS_SAMPLES_MAX && info.frames <= RMI_OPUS_FRAMES_MAX);
}

static void sweeps(void **state) {
    (void)state;
    const uint8_t counted[] = {0x7b, 0xc3, 2, 1, 2, 9, 9, 9, 9, 9, 0, 0};
    const uint8_t two[] = {0x7a, 252, 1, 1, 2, 3};
    rtp_sweep(whatever, counted, sizeof counted, NULL);
    rtp_sweep(whatever, two, sizeof two, NULL);
    for (unsigned a = 0; a < 0x10000; a++) {
        uint8_t packet[] = {(uint8_t)(a >> 8), (uint8_t)a, 3, 2, 1};
        for (size_t len = 1; len <= sizeof packet; len++)
            rtp_boxed(whatever, packet, len, NULL);
    }
}

static void a_packet_is_one_payload(void **state) {
    (void)state;
    const uint8_t packet[] = {0x78, 1, 2, 3};
    struct rmi_opus_packetizer p;
    uint8_t out[64];
    bool last = false;
    assert_int_equal(rmi_opus_packetizer_begin(&p, packet, sizeof packet, 3), RM_E_TOO_BIG);
    assert_int_equal(rmi_opus_packetizer_begin(&p, packet, 0, 64), RM_E_PARSE);
    assert_int_equal(rmi_opus_packetizer_begin(&p, packet, sizeof packet, 64), RM_OK);
    assert_int_equal(rmi_opus_packetizer_next(&p, out, &last), sizeof packet);
    assert_memory_equal(out, packet, sizeof packet);
    assert_int_equal(rmi_opus_packetizer_next(&p, out, &last), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_follow_the_table),     cmocka_unit_test(the_four_codes),
        cmocka_unit_test(frames_have_at_most_1275_bytes), cmocka_unit_test(sweeps),
        cmocka_unit_test(a_packet_is_one_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
