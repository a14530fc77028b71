/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/chunk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PACKET_CAP 512

static struct rmi_sctp_chunk only_chunk(const struct rmi_wr *w) {
    struct rmi_rd r = rmi_rd_init(w->data, w->pos);
    struct rmi_sctp_chunk c;
    assert_true(rmi_sctp_chunk_next(&r, &c));
    assert_int_equal(rmi_rd_left(&r), 0);
    return c;
}

static void an_init_says_what_was_written(void **state) {
    (void)state;
    uint8_t bytes[PACKET_CAP];
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    const struct rmi_sctp_init in = {.tag = 0x01020304,
                                     .window = 100000,
                                     .tsn = 77,
                                     .streams_out = 1024,
                                     .streams_in = 512,
                                     .forward_tsn = true,
                                     .interleaving = true,
                                     .reconfig = true,
                                     .zero_checksum = true};
    const size_t at = rmi_sctp_init_write(&w, RMI_SCTP_INIT_ACK, &in);
    const size_t cookie = rmi_sctp_param_begin(&w, RMI_SCTP_P_STATE_COOKIE);
    rmi_wr_bytes(&w, "cooky", 5);
    rmi_sctp_tlv_end(&w, cookie);
    const size_t strange = rmi_sctp_param_begin(&w, 0xc123); /* go on and report */
    rmi_sctp_tlv_end(&w, strange);
    rmi_sctp_tlv_end(&w, at);
    const struct rmi_sctp_chunk c = only_chunk(&w);
    struct rmi_sctp_init out;
    assert_true(rmi_sctp_init_parse(&c, &out));
    assert_int_equal(out.tag, in.tag);
    assert_int_equal(out.window, in.window);
    assert_int_equal(out.tsn, in.tsn);
    assert_int_equal(out.streams_out, in.streams_out);
    assert_int_equal(out.streams_in, in.streams_in);
    assert_true(out.forward_tsn && out.interleaving && out.reconfig && out.zero_checksum);
    assert_int_equal(out.cookie_len, 5);
    assert_memory_equal(out.cookie, "cooky", 5);
    assert_int_equal(out.unknown_len, 4);
}

static void an_init_without_tag_or_streams_is_refused(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[PACKET_CAP];
        struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
        struct rmi_sctp_init out;
        const struct rmi_sctp_init in = {.tag = i != 1, .streams_out = i != 2, .streams_in = i != 3};
        rmi_sctp_tlv_end(&w, rmi_sctp_init_write(&w, RMI_SCTP_INIT, &in));
        const struct rmi_sctp_chunk c = only_chunk(&w);
        assert_int_equal(rmi_sctp_init_parse(&c, &out), i == 0);
    }
}

static void data_goes_both_ways_in_both_kinds(void **state) {
    (void)state;
    for (int interleaved = 0; interleaved < 2; interleaved++)
        for (uint8_t flags = 0; flags < 16; flags++) {
            uint8_t bytes[PACKET_CAP];
            struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
            struct rmi_sctp_data out;
            const struct rmi_sctp_data in = {.flags = flags,
                                             .stream = 9,
                                             .tsn = 0xfffffff0,
                                             .mid = 0x8001,
                                             .ppid = 53,
                                             .fsn = 7,
                                             .bytes = (const uint8_t *)"hello",
                                             .len = 5};
            rmi_sctp_data_write(&w, interleaved, &in);
            assert_int_equal(w.pos % 4, 0);
            const struct rmi_sctp_chunk c = only_chunk(&w);
            assert_true(rmi_sctp_data_parse(&c, &out));
            const bool begin = flags & RMI_SCTP_FLAG_BEGIN;
            assert_int_equal(out.flags, flags);
            assert_int_equal(out.stream, 9);
            assert_int_equal(out.tsn, in.tsn);
            assert_int_equal(out.mid, in.mid);
            assert_int_equal(out.ppid, !interleaved || begin ? 53 : 0);
            assert_int_equal(out.fsn, !interleaved ? in.tsn : begin ? 0 : 7);
            assert_int_equal(out.len, 5);
            assert_memory_equal(out.bytes, "hello", 5);
        }
}

static void lengths_that_go_nowhere_end_the_walk(void **state) {
    (void)state;
    for (uint8_t len = 0; len < 4; len++) {
        const uint8_t bytes[8] = {RMI_SCTP_SACK, 0, 0, len};
        struct rmi_rd r = rmi_rd_init(bytes, sizeof bytes);
        struct rmi_sctp_chunk c;
        assert_false(rmi_sctp_chunk_next(&r, &c));
        assert_true(r.failed);
    }
}

/* Everything that a chunk can be asked; reads each byte that a view shows. */
static unsigned look(const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    struct rmi_sctp_header h;
    unsigned sum = 0;
    if (!rmi_sctp_header_parse(&r, &h))
        return 0;
    sum += rmi_sctp_checksum_ok(data, len);
    for (struct rmi_sctp_chunk c; rmi_sctp_chunk_next(&r, &c);) {
        struct rmi_sctp_init init;
        struct rmi_sctp_data d;
        struct rmi_sctp_sack s;
        struct rmi_sctp_forward f;
        if (rmi_sctp_init_parse(&c, &init)) {
            for (size_t i = 0; i < init.cookie_len; i++)
                sum += init.cookie[i];
            for (size_t i = 0; i < init.unknown_len; i++)
                sum += init.unknown[i];
        }
        if (rmi_sctp_data_parse(&c, &d))
            for (size_t i = 0; i < d.len; i++)
                sum += d.bytes[i];
        if (rmi_sctp_sack_parse(&c, &s))
            for (uint16_t i = 0; i < s.gaps; i++)
                sum += rmi_rd_u32(&s.gap_blocks);
        if (rmi_sctp_forward_parse(&c, &f))
            for (struct rmi_sctp_skip skip; rmi_sctp_forward_next(&f, &skip);)
                sum += skip.mid;
    }
    return sum;
}

static void truncated_and_changed_packets_are_read_inside_their_bytes(void **state) {
    (void)state;
    uint8_t bytes[PACKET_CAP];
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    const struct rmi_sctp_init init = {.tag = 1, .streams_in = 1, .streams_out = 1, .forward_tsn = true};
    const struct rmi_sctp_data data = {.flags = 3, .bytes = (const uint8_t *)"abc", .len = 3};
    rmi_sctp_header_write(&w, 5000, 5000, 1);
    const size_t at = rmi_sctp_init_write(&w, RMI_SCTP_INIT_ACK, &init);
    const size_t p = rmi_sctp_param_begin(&w, RMI_SCTP_P_STATE_COOKIE);
    rmi_wr_u64(&w, 1);
    rmi_sctp_tlv_end(&w, p);
    rmi_sctp_tlv_end(&w, at);
    rmi_sctp_data_write(&w, true, &data);
    const size_t s = rmi_sctp_chunk_begin(&w, RMI_SCTP_SACK, 0);
    rmi_wr_u64(&w, 0);
    rmi_wr_u32(&w, 0x00020001);
    rmi_wr_u64(&w, 0x0002000300040005);
    rmi_wr_u32(&w, 9);
    rmi_sctp_tlv_end(&w, s);
    assert_false(w.failed);
    rmi_sctp_checksum_set(bytes, w.pos);
    assert_true(rmi_sctp_checksum_ok(bytes, w.pos));
    for (size_t len = 0; len <= w.pos; len++) {
        uint8_t *exact = test_malloc(len + 1); /* the sanitizer sees a read past it */
        memcpy(exact, bytes, len);
        (void)look(exact, len);
        test_free(exact);
    }
    for (size_t i = 0; i < w.pos; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1 << bit);
            (void)look(bytes, w.pos);
            assert_false(rmi_sctp_checksum_ok(bytes, w.pos));
            bytes[i] ^= (uint8_t)(1 << bit);
        }
}

static void serial_numbers_wrap(void **state) {
    (void)state;
    assert_true(rmi_sctp_after(1, 0xffffffff));
    assert_false(rmi_sctp_after(0xffffffff, 1));
    assert_false(rmi_sctp_after(5, 5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_init_says_what_was_written),
        cmocka_unit_test(an_init_without_tag_or_streams_is_refused),
        cmocka_unit_test(data_goes_both_ways_in_both_kinds),
        cmocka_unit_test(lengths_that_go_nowhere_end_the_walk),
        cmocka_unit_test(truncated_and_changed_packets_are_read_inside_their_bytes),
        cmocka_unit_test(serial_numbers_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
