/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/red.h"
#include "rtp/rtp_testkit.h"
#include <stdlib.h>

/* Two copies of 3 and 2 bytes, 960 and 480 ticks old, and 4 bytes of its own. */
static const uint8_t sample[] = {0xef, 0x0f, 0x00, 0x03, 0xef, 0x07, 0x80, 0x02, 0x6f,
                                 'a',  'b',  'c',  'd',  'e',  'f',  'g',  'h',  'i'};

static void blocks_are_read_as_the_rfc_draws_them(void **state) {
    (void)state;
    struct rmi_red red;
    assert_int_equal(rmi_red_parse(sample, sizeof sample, &red), RM_OK);
    assert_int_equal(red.count, 3);
    assert_true(red.block[0].pt == 111 && red.block[0].offset == 960 && red.block[0].len == 3);
    assert_true(red.block[1].pt == 111 && red.block[1].offset == 480 && red.block[1].len == 2);
    assert_true(red.block[2].pt == 111 && red.block[2].offset == 0 && red.block[2].len == 4);
    assert_memory_equal(red.block[0].data, "abc", 3);
    assert_memory_equal(red.block[1].data, "de", 2);
    assert_memory_equal(red.block[2].data, "fghi", 4);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    uint8_t out[64];
    struct rmi_red red;
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    assert_int_equal(rmi_red_parse(sample, sizeof sample, &red), RM_OK);
    rmi_red_write(&w, &red);
    assert_false(w.failed);
    assert_int_equal(w.pos, sizeof sample);
    assert_memory_equal(out, sample, sizeof sample);
}

static void a_packet_may_be_without_copies(void **state) {
    (void)state;
    const uint8_t own[] = {0x6f, 'x', 'y'};
    struct rmi_red red;
    assert_int_equal(rmi_red_parse(own, sizeof own, &red), RM_OK);
    assert_true(red.count == 1 && red.block[0].len == 2 && red.block[0].pt == 111);
    assert_int_equal(rmi_red_parse(own, 1, &red), RM_OK);
    assert_int_equal(red.block[0].len, 0);
}

/* In a buffer of just that length, so that the address sanitizer sees a byte read too far. */
static void every_truncation_is_refused_or_short(void **state) {
    (void)state;
    for (size_t len = 0; len < sizeof sample; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        struct rmi_red red;
        assert_non_null(cut);
        memcpy(cut, sample, len);
        /* 9 bytes of headers and 5 of copies; what is behind them is the packet's own. */
        assert_int_equal(rmi_red_parse(cut, len, &red), len < 14 ? RM_E_PARSE : RM_OK);
        if (len >= 14)
            assert_int_equal(red.block[2].len, len - 14);
        free(cut);
    }
}

static void too_many_blocks_are_refused(void **state) {
    (void)state;
    uint8_t many[RMI_RED_BLOCK_HEADER * RMI_RED_BLOCKS_MAX + 1] = {0};
    struct rmi_red red;
    for (size_t copies = 0; copies <= RMI_RED_BLOCKS_MAX; copies++) {
        memset(many, 0, sizeof many);
        for (size_t i = 0; i < copies; i++)
            many[i * RMI_RED_BLOCK_HEADER] = 0xef;
        assert_int_equal(rmi_red_parse(many, copies * RMI_RED_BLOCK_HEADER + 1, &red),
                         copies < RMI_RED_BLOCKS_MAX ? RM_OK : RM_E_LIMIT);
    }
}

static void what_has_no_form_is_not_written(void **state) {
    (void)state;
    uint8_t out[2048];
    struct rmi_red red = {.block = {{.pt = 1, .offset = RMI_RED_OFFSET_MAX, .data = sample, .len = 1}, {.pt = 1}},
                          .count = 2};
    red.block[1].data = sample;
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_red_write(&w, &red);
    assert_false(w.failed);
    red.block[0].offset++;
    w = rmi_wr_init(out, sizeof out);
    rmi_red_write(&w, &red);
    assert_true(w.failed);
    red.block[0].offset = 0;
    red.block[0].len = RMI_RED_LEN_MAX + 1;
    red.block[0].data = out;
    uint8_t other[2048];
    w = rmi_wr_init(other, sizeof other);
    rmi_red_write(&w, &red);
    assert_true(w.failed);
    red.count = 0;
    w = rmi_wr_init(out, sizeof out);
    rmi_red_write(&w, &red);
    assert_true(w.failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_read_as_the_rfc_draws_them), cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_packet_may_be_without_copies),        cmocka_unit_test(every_truncation_is_refused_or_short),
        cmocka_unit_test(too_many_blocks_are_refused),           cmocka_unit_test(what_has_no_form_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
