/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void reads_big_endian(void **state) {
    (void)state;
    const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    struct rmi_rd r = rmi_rd_init(in, sizeof in);
    assert_int_equal(rmi_rd_u8(&r), 1);
    assert_int_equal(rmi_rd_u16(&r), 0x0203);
    assert_int_equal(rmi_rd_u24(&r), 0x040506);
    assert_int_equal(rmi_rd_u32(&r), 0x0708090a);
    assert_true(rmi_rd_u64(&r) == UINT64_C(0x0b0c0d0e0f101112));
    assert_int_equal(rmi_rd_left(&r), 0);
    assert_false(r.failed);
}

static void failure_is_sticky(void **state) {
    (void)state;
    const uint8_t in[] = {1, 2, 3};
    struct rmi_rd r = rmi_rd_init(in, sizeof in);
    assert_int_equal(rmi_rd_u8(&r), 1);
    assert_int_equal(rmi_rd_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(r.pos, 1);
    assert_int_equal(rmi_rd_u8(&r), 0);
    assert_null(rmi_rd_bytes(&r, 0));
    assert_int_equal(rmi_rd_left(&r), 0);
    assert_int_equal(r.pos, 1);
}

static void lengths_do_not_wrap(void **state) {
    (void)state;
    const uint8_t in[] = {1, 2, 3, 4};
    struct rmi_rd r = rmi_rd_init(in, sizeof in);
    rmi_rd_skip(&r, 2);
    assert_null(rmi_rd_bytes(&r, SIZE_MAX));
    assert_true(r.failed);
    r = rmi_rd_init(in, sizeof in);
    rmi_rd_skip(&r, 3);
    rmi_rd_skip(&r, SIZE_MAX - 1);
    assert_true(r.failed);
}

static void empty_input(void **state) {
    (void)state;
    struct rmi_rd r = rmi_rd_init(NULL, 5);
    assert_int_equal(rmi_rd_left(&r), 0);
    assert_non_null(rmi_rd_bytes(&r, 0));
    assert_false(r.failed);
    assert_int_equal(rmi_rd_u8(&r), 0);
    assert_true(r.failed);
}

static void sub_cursor_is_bounded(void **state) {
    (void)state;
    const uint8_t in[] = {1, 2, 3, 4};
    struct rmi_rd r = rmi_rd_init(in, sizeof in);
    struct rmi_rd sub = rmi_rd_sub(&r, 2);
    assert_int_equal(rmi_rd_u16(&sub), 0x0102);
    assert_int_equal(rmi_rd_u8(&sub), 0);
    assert_true(sub.failed);
    assert_false(r.failed);
    assert_int_equal(rmi_rd_u8(&r), 3);
    struct rmi_rd none = rmi_rd_sub(&r, 2);
    assert_true(none.failed);
    assert_true(r.failed);
    assert_int_equal(rmi_rd_u8(&none), 0);
}

/* Every length on the heap exactly, so that the sanitizer sees one byte too many. */
static void truncation_sweep(void **state) {
    (void)state;
    enum { FULL = 18 };
    for (size_t n = 0; n <= FULL; n++) {
        uint8_t *in = malloc(n ? n : 1);
        assert_non_null(in);
        memset(in, 0xff, n);
        struct rmi_rd r = rmi_rd_init(in, n);
        rmi_rd_u8(&r);
        rmi_rd_u16(&r);
        rmi_rd_u24(&r);
        rmi_rd_u32(&r);
        rmi_rd_u64(&r);
        assert_int_equal(r.failed, n < FULL);
        assert_true(r.pos <= n);
        free(in);
    }
}

static void writes_and_stops_at_the_end(void **state) {
    (void)state;
    uint8_t out[24];
    memset(out, 0xee, sizeof out);
    struct rmi_wr w = rmi_wr_init(out, 22);
    rmi_wr_u8(&w, 1);
    rmi_wr_u16(&w, 0x0203);
    rmi_wr_u24(&w, 0x040506);
    rmi_wr_u32(&w, 0x0708090a);
    rmi_wr_u64(&w, UINT64_C(0x0b0c0d0e0f101112));
    rmi_wr_bytes(&w, "\x13\x14", 2);
    rmi_wr_bytes(&w, NULL, 0);
    rmi_wr_zero(&w, 2);
    assert_false(w.failed);
    for (uint8_t i = 0; i < 20; i++)
        assert_int_equal(out[i], i + 1);
    assert_int_equal(out[20] | out[21], 0);
    rmi_wr_u8(&w, 9);
    assert_true(w.failed);
    assert_int_equal(w.pos, 22);
    assert_int_equal(out[22], 0xee);
}

static void a_write_that_does_not_fit_writes_nothing(void **state) {
    (void)state;
    uint8_t out[4] = {0xee, 0xee, 0xee, 0xee};
    struct rmi_wr w = rmi_wr_init(out, 3);
    rmi_wr_u32(&w, 1);
    assert_true(w.failed);
    assert_int_equal(out[0], 0xee);
    rmi_wr_u8(&w, 1); /* would fit, but the error is sticky */
    assert_int_equal(out[0], 0xee);
    w = rmi_wr_init(out, 3);
    rmi_wr_zero(&w, SIZE_MAX);
    assert_true(w.failed);
    w = rmi_wr_init(NULL, 3);
    rmi_wr_u8(&w, 1);
    assert_true(w.failed);
}

static void patches_only_what_was_written(void **state) {
    (void)state;
    uint8_t out[4] = {0};
    struct rmi_wr w = rmi_wr_init(out, sizeof out);
    rmi_wr_u24(&w, 0);
    rmi_wr_patch_u16(&w, 1, 0xabcd);
    assert_false(w.failed);
    assert_int_equal(out[1], 0xab);
    assert_int_equal(out[2], 0xcd);
    rmi_wr_patch_u16(&w, 2, 1);
    assert_true(w.failed);
    assert_int_equal(out[2], 0xcd);
    w = rmi_wr_init(out, sizeof out);
    rmi_wr_patch_u16(&w, 0, 1);
    assert_true(w.failed);
    w = rmi_wr_init(out, sizeof out);
    rmi_wr_u16(&w, 0);
    rmi_wr_patch_u16(&w, SIZE_MAX, 1);
    assert_true(w.failed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_big_endian),
        cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(lengths_do_not_wrap),
        cmocka_unit_test(empty_input),
        cmocka_unit_test(sub_cursor_is_bounded),
        cmocka_unit_test(truncation_sweep),
        cmocka_unit_test(writes_and_stops_at_the_end),
        cmocka_unit_test(a_write_that_does_not_fit_writes_nothing),
        cmocka_unit_test(patches_only_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
