/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/vp8.h"
#include "rtp/rtp_testkit.h"

static bool equal(const struct rmi_vp8_desc *a, const struct rmi_vp8_desc *b) {
    return a->non_reference == b->non_reference && a->start == b->start && a->partition == b->partition &&
           a->has_picture_id == b->has_picture_id && a->long_picture_id == b->long_picture_id &&
           a->picture_id == b->picture_id && a->has_tl0_index == b->has_tl0_index && a->tl0_index == b->tl0_index &&
           a->has_temporal == b->has_temporal && a->temporal == b->temporal && a->layer_sync == b->layer_sync &&
           a->has_key_index == b->has_key_index && a->key_index == b->key_index;
}

static void all_combinations_go_there_and_back(void **state) {
    (void)state;
    for (unsigned flags = 0; flags < 0x100; flags++) {
        struct rmi_vp8_desc d = {.non_reference = flags & 1, .start = flags & 2, .partition = flags % 8}, back;
        d.has_picture_id = flags & 4;
        d.long_picture_id = flags & 4 && flags & 8;
        d.picture_id = flags & 4 ? flags & 8 ? 0x7ffe : 0x7e : 0;
        d.has_temporal = flags & 0x20;
        d.has_tl0_index = flags & 0x10 && d.has_temporal;
        d.tl0_index = d.has_tl0_index ? 200 : 0;
        d.temporal = d.has_temporal ? 3 : 0;
        d.layer_sync = d.has_temporal && flags & 0x40;
        d.has_key_index = flags & 0x80;
        d.key_index = d.has_key_index ? 31 : 0;
        uint8_t out[16];
        size_t len = rmi_vp8_write(&d, out, sizeof out), body_len;
        assert_true(len >= 1 && len <= RMI_VP8_DESC_MAX);
        const uint8_t *body;
        assert_int_equal(rmi_vp8_parse(out, len, &back, &body, &body_len), RM_E_PARSE); /* nothing behind it */
        out[len] = 0x55;
        assert_int_equal(rmi_vp8_parse(out, len + 1, &back, &body, &body_len), RM_OK);
        assert_true(equal(&d, &back) && body_len == 1 && body[0] == 0x55);
        for (size_t cap = 0; cap < len; cap++)
            assert_int_equal(rmi_vp8_write(&d, out, cap), 0);
    }
}

/* The layout of RFC 7741 4.2, byte by byte. */
static void bytes_stand_where_the_rfc_has_them(void **state) {
    (void)state;
    const uint8_t payload[] = {0xb0 | 2, 0xf0, 0x92, 0x34, 17, 0xa0 | 5, 'x'};
    struct rmi_vp8_desc d;
    const uint8_t *body;
    size_t body_len;
    assert_int_equal(rmi_vp8_parse(payload, sizeof payload, &d, &body, &body_len), RM_OK);
    assert_true(d.non_reference && d.start && d.partition == 2 && d.has_picture_id && d.long_picture_id);
    assert_true(d.picture_id == 0x1234 && d.has_tl0_index && d.tl0_index == 17);
    assert_true(d.has_temporal && d.temporal == 2 && d.layer_sync && d.has_key_index && d.key_index == 5);
    assert_int_equal(*body, 'x');
}

static void out_of_range_is_not_written(void **state) {
    (void)state;
    uint8_t out[16];
    const struct rmi_vp8_desc bad[] = {{.partition = 8},
                                       {.has_picture_id = true, .picture_id = 0x80},
                                       {.has_picture_id = true, .long_picture_id = true, .picture_id = 0x8000},
                                       {.has_temporal = true, .temporal = 4},
                                       {.has_key_index = true, .key_index = 32},
                                       {.has_tl0_index = true}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rmi_vp8_write(&bad[i], out, sizeof out), 0);
}

static void whatever(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_vp8_desc d;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp8_parse(data, len, &d, &body, &body_len) != RM_OK)
        return;
    assert_true(body > data && body + body_len == data + len && body_len > 0);
    assert_true(d.picture_id <= RMI_VP8_PICTURE_ID_MAX && d.temporal <= 3 && d.key_index <= 31);
}

static void sweeps(void **state) {
    (void)state;
    const uint8_t payload[] = {0xb0, 0xf0, 0x92, 0x34, 17, 0xa5, 1, 2, 3};
    rtp_sweep(whatever, payload, sizeof payload, NULL);
    for (unsigned a = 0; a < 0x10000; a++) {
        uint8_t packet[] = {(uint8_t)(a >> 8), (uint8_t)a, 0x80, 2, 1};
        for (size_t len = 0; len <= sizeof packet; len++)
            rtp_boxed(whatever, packet, len, NULL);
    }
}

static void packets_of_a_frame_are_of_about_equal_size(void **state) {
    (void)state;
    static uint8_t frame[5000], out[1200];
    const struct rmi_vp8_send send = {.has_picture_id = true, .picture_id = 9};
    for (size_t len = 1; len <= sizeof frame; len += 13) {
        struct rmi_vp8_packetizer p;
        assert_int_equal(rmi_vp8_packetizer_begin(&p, frame, len, sizeof out, &send), RM_OK);
        size_t n, packets = 0, smallest = SIZE_MAX, largest = 0;
        bool last = false;
        while ((n = rmi_vp8_packetizer_next(&p, out, &last)) > 0) {
            packets++;
            smallest = n < smallest ? n : smallest;
            largest = n > largest ? n : largest;
        }
        assert_true(last && largest <= sizeof out && largest - smallest <= packets);
        assert_int_equal(packets, (len + 1195) / 1196);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_combinations_go_there_and_back),
        cmocka_unit_test(bytes_stand_where_the_rfc_has_them),
        cmocka_unit_test(out_of_range_is_not_written),
        cmocka_unit_test(sweeps),
        cmocka_unit_test(packets_of_a_frame_are_of_about_equal_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
