/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ext.h"
#include "rtp/rtp_testkit.h"

static const struct rmi_rtp_ext_ids ids = {.mid = 4, .twcc = 3, .abs_send_time = 2, .audio_level = 1};

static void values_go_there_and_back(void **state) {
    (void)state;
    for (uint8_t first = 1; first <= 200; first = (uint8_t)(first + 40)) { /* both forms of the extension */
        struct rmi_rtp_ext_ids at = {first, (uint8_t)(first + 1), (uint8_t)(first + 2), (uint8_t)(first + 3)};
        struct rmi_rtp_ext_values v = {true, true, true, true, "video", 0xfffe, 0x123456, true, 55}, back;
        struct rmi_rtp_ext_storage storage;
        struct rmi_rtp_packet p = {.pt = 96}, q;
        uint8_t out[128];
        assert_true(rmi_rtp_ext_add(&p, &at, &v, &storage));
        size_t n = rmi_rtp_write(&p, out, sizeof out);
        assert_int_equal(rmi_rtp_parse(out, n, &q), RM_OK);
        rmi_rtp_ext_read(&q, &at, &back);
        assert_true(back.has_mid && back.has_twcc && back.has_abs_send_time && back.has_audio_level);
        assert_string_equal(back.mid, "video");
        assert_int_equal(back.twcc, 0xfffe);
        assert_int_equal(back.abs_send_time, 0x123456);
        assert_true(back.voice);
        assert_int_equal(back.audio_level, 55);
    }
}

static void what_is_not_negotiated_is_neither_written_nor_read(void **state) {
    (void)state;
    struct rmi_rtp_ext_values v = {.has_twcc = true, .twcc = 7, .has_mid = true, .mid = "0"}, back;
    struct rmi_rtp_ext_storage storage;
    struct rmi_rtp_packet p = {0};
    struct rmi_rtp_ext_ids none = {0};
    assert_true(rmi_rtp_ext_add(&p, &none, &v, &storage));
    assert_int_equal(p.ext_count, 0);
    assert_true(rmi_rtp_ext_add(&p, &ids, &v, &storage));
    assert_int_equal(p.ext_count, 2);
    rmi_rtp_ext_read(&p, &none, &back);
    assert_false(back.has_twcc || back.has_mid);
}

static void values_of_a_wrong_length_or_text_count_as_absent(void **state) {
    (void)state;
    static const uint8_t bytes[40] = {'a', 0, 'b', 0x85};
    struct rmi_rtp_ext_values v;
    for (unsigned len = 0; len <= sizeof bytes; len++) {
        struct rmi_rtp_packet p = {.ext_count = 4,
                                   .ext = {{4, (uint8_t)len, bytes},
                                           {3, (uint8_t)len, bytes},
                                           {2, (uint8_t)len, bytes},
                                           {1, (uint8_t)len, bytes}}};
        rmi_rtp_ext_read(&p, &ids, &v);
        assert_int_equal(v.has_mid, len == 1); /* a NUL is in no token */
        assert_int_equal(v.has_twcc, len == 2);
        assert_int_equal(v.has_abs_send_time, len == 3);
        assert_int_equal(v.has_audio_level, len == 1 || len == 2);
    }
    char longest[RMI_RTP_MID_MAX + 2];
    memset(longest, 'm', sizeof longest);
    struct rmi_rtp_packet p = {.ext_count = 1, .ext = {{4, RMI_RTP_MID_MAX, (const uint8_t *)longest}}};
    rmi_rtp_ext_read(&p, &ids, &v);
    assert_true(v.has_mid);
    assert_int_equal(strlen(v.mid), RMI_RTP_MID_MAX);
    p.ext[0].len++;
    rmi_rtp_ext_read(&p, &ids, &v);
    assert_false(v.has_mid);
}

static void values_out_of_range_are_not_written(void **state) {
    (void)state;
    struct rmi_rtp_ext_storage storage;
    struct rmi_rtp_packet p = {0};
    struct rmi_rtp_ext_values v = {.has_audio_level = true, .audio_level = 128};
    assert_false(rmi_rtp_ext_add(&p, &ids, &v, &storage));
    v = (struct rmi_rtp_ext_values){.has_mid = true, .mid = "a b"};
    assert_false(rmi_rtp_ext_add(&p, &ids, &v, &storage));
    v.mid[0] = '\0';
    assert_false(rmi_rtp_ext_add(&p, &ids, &v, &storage));
    p.ext_count = RMI_RTP_EXT_MAX;
    v = (struct rmi_rtp_ext_values){.has_twcc = true};
    assert_false(rmi_rtp_ext_add(&p, &ids, &v, &storage));
}

static void send_times_have_18_fraction_bits_and_wrap(void **state) {
    (void)state;
    assert_int_equal(rmi_abs_send_time_of(0), 0);
    assert_int_equal(rmi_abs_send_time_of(1000000), 1 << 18);
    assert_int_equal(rmi_abs_send_time_of(63999999), 0xffffff);
    assert_int_equal(rmi_abs_send_time_of(64000000), 0);
    const int64_t century = INT64_C(3155760000) * 1000000;
    int64_t d = rmi_abs_send_time_diff_us(rmi_abs_send_time_of(century + 5000000), rmi_abs_send_time_of(century));
    assert_in_range(d, 4999990, 5000010);
    d = rmi_abs_send_time_diff_us(rmi_abs_send_time_of(64500000), rmi_abs_send_time_of(63500000));
    assert_in_range(d, 999990, 1000010);
    d = rmi_abs_send_time_diff_us(rmi_abs_send_time_of(63500000), rmi_abs_send_time_of(64500000));
    assert_in_range(-d, 999990, 1000010);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_there_and_back),
        cmocka_unit_test(what_is_not_negotiated_is_neither_written_nor_read),
        cmocka_unit_test(values_of_a_wrong_length_or_text_count_as_absent),
        cmocka_unit_test(values_out_of_range_are_not_written),
        cmocka_unit_test(send_times_have_18_fraction_bits_and_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
