/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet.h"
#include "rtp/rtp_testkit.h"

static const uint8_t plain[] = {0x80, 0xe0, 0x12, 0x34, 0, 0, 0x0f, 0xa0, 0xde, 0xad, 0xbe, 0xef, 'h', 'i'};
/* One-byte form: id 1 with 1 byte, padding, id 2 with 3 bytes, then the stop id 15, then what must not be seen. */
static const uint8_t one_byte[] = {0x91, 0x6f, 0, 1,    0,    0,    0,    2, 0, 0, 0,    3,    0, 0, 0, 9,    0xbe,
                                   0xde, 0,    3, 0x10, 0xaa, 0x00, 0x22, 1, 2, 3, 0xf0, 0x30, 7, 0, 0, 0xca, 0xfe};
/* Two-byte form: id 1 without data, id 200 with 2 bytes. */
static const uint8_t two_byte[] = {0x90, 0x6f, 0, 1, 0, 0, 0,   2, 0,   0,   0, 3,
                                   0x10, 0x05, 0, 2, 1, 0, 200, 2, 'a', 'b', 0, 0};

static void a_plain_packet_parses(void **state) {
    (void)state;
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(plain, sizeof plain, &p), RM_OK);
    assert_true(p.marker);
    assert_int_equal(p.pt, 96);
    assert_int_equal(p.seq, 0x1234);
    assert_int_equal(p.timestamp, 4000);
    assert_true(p.ssrc == 0xdeadbeef);
    assert_int_equal(p.header_len, RMI_RTP_HEADER);
    assert_int_equal(p.payload_len, 2);
    assert_memory_equal(p.payload, "hi", 2);
    assert_int_equal(p.padding + p.csrc_count + p.ext_count, 0);
}

static void both_forms_of_header_extension_parse(void **state) {
    (void)state;
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(one_byte, sizeof one_byte, &p), RM_OK);
    assert_int_equal(p.csrc_count, 1);
    assert_int_equal(p.csrc[0], 9);
    assert_int_equal(p.ext_count, 2);
    assert_int_equal(rmi_rtp_find_ext(&p, 1)->len, 1);
    assert_int_equal(rmi_rtp_find_ext(&p, 1)->data[0], 0xaa);
    assert_int_equal(rmi_rtp_find_ext(&p, 2)->len, 3);
    assert_null(rmi_rtp_find_ext(&p, 3));
    assert_int_equal(p.payload_len, 2);
    assert_int_equal(p.payload[0], 0xca);

    assert_int_equal(rmi_rtp_parse(two_byte, sizeof two_byte, &p), RM_OK);
    assert_int_equal(p.ext_count, 2);
    assert_int_equal(rmi_rtp_find_ext(&p, 1)->len, 0);
    assert_memory_equal(rmi_rtp_find_ext(&p, 200)->data, "ab", 2);
    assert_int_equal(p.payload_len, 0);
}

static void an_unknown_extension_profile_is_skipped(void **state) {
    (void)state;
    uint8_t packet[sizeof two_byte + 1];
    memcpy(packet, two_byte, sizeof two_byte);
    packet[12] = 0xab;
    packet[sizeof two_byte] = 'x';
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(packet, sizeof packet, &p), RM_OK);
    assert_int_equal(p.ext_count, 0);
    assert_int_equal(p.payload_len, 1);
}

/* RFC 8285 4.2: an element with id 0 and a length ends the list. */
static void an_element_of_id_zero_with_a_length_ends_the_list(void **state) {
    (void)state;
    uint8_t packet[] = {0x90, 0x6f, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 2, 0x10, 7, 0x01, 9, 0x20, 5, 0x30, 6};
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(packet, sizeof packet, &p), RM_OK);
    assert_int_equal(p.ext_count, 1);
    assert_int_equal(p.ext[0].id, 1);
}

static void a_truncated_element_ends_the_list_not_the_packet(void **state) {
    (void)state;
    uint8_t packet[] = {0x90, 0x6f, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 7, 0x2f, 9, 'x'};
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(packet, sizeof packet, &p), RM_OK);
    assert_int_equal(p.ext_count, 1);
    assert_int_equal(p.payload_len, 1);
}

static void more_elements_than_are_kept_do_no_harm(void **state) {
    (void)state;
    uint8_t packet[RMI_RTP_HEADER + 4 + 255 * 4] = {0x90, 0x6f};
    packet[12] = 0x10;
    packet[15] = 255;
    for (size_t i = 0; i < 510; i++)
        packet[16 + 2 * i] = (uint8_t)(i % 255 + 1); /* 510 elements without data */
    struct rmi_rtp_packet p;
    assert_int_equal(rmi_rtp_parse(packet, sizeof packet, &p), RM_OK);
    assert_int_equal(p.ext_count, RMI_RTP_EXT_MAX);
}

/* Pion GHSA-f26w-gh5m-qq77: padding larger than the payload. */
static void padding_of_every_size_against_payload_of_every_size(void **state) {
    (void)state;
    uint8_t packet[RMI_RTP_HEADER + 255] = {0xa0, 96};
    for (size_t body = 0; body <= 255; body++) {
        for (unsigned padding = 0; padding <= 255; padding++) {
            if (body)
                packet[RMI_RTP_HEADER + body - 1] = (uint8_t)padding;
            struct rmi_rtp_packet p;
            rm_err err = rmi_rtp_parse(packet, RMI_RTP_HEADER + body, &p);
            bool good = body > 0 && padding > 0 && padding <= body;
            assert_int_equal(err, good ? RM_OK : RM_E_PARSE);
            if (good)
                assert_int_equal(p.payload_len, body - padding);
        }
        if (body)
            packet[RMI_RTP_HEADER + body - 1] = 0;
    }
}

static void check(const uint8_t *data, size_t len, void *ctx);

/* libsrtp CVE-2013-2139, CVE-2015-6360: CSRC count x extension length x packet length. */
static void csrc_and_extension_lengths_never_pass_the_end(void **state) {
    (void)state;
    uint8_t packet[RMI_RTP_HEADER + 4 * RMI_RTP_CSRC_MAX + 4 + 64] = {0};
    static const uint16_t words[] = {0, 1, 2, 15, 16, 17, 255, 256, 0x3fff, 0x7fff, 0x8000, 0xffff};
    for (uint8_t csrc = 0; csrc <= RMI_RTP_CSRC_MAX; csrc++) {
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            for (size_t len = 0; len <= sizeof packet; len++) {
                packet[0] = (uint8_t)(0x90 | csrc);
                size_t at = RMI_RTP_HEADER + 4U * csrc;
                memset(packet + 1, 0, sizeof packet - 1);
                packet[at] = 0xbe;
                packet[at + 1] = 0xde;
                packet[at + 2] = (uint8_t)(words[w] >> 8);
                packet[at + 3] = (uint8_t)words[w];
                struct rmi_rtp_packet p;
                bool whole = len >= at + 4 + 4U * words[w];
                assert_int_equal(rmi_rtp_parse(packet, len, &p), whole ? RM_OK : RM_E_PARSE);
                if (len % 37 == 0)
                    rtp_boxed(check, packet, len, NULL);
            }
        }
    }
}

/* What parses stays within its bounds, and written again it parses to the same. */
static void check(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_rtp_packet p, q;
    if (rmi_rtp_parse(data, len, &p) != RM_OK)
        return;
    assert_int_equal(p.header_len + p.payload_len + p.padding, len);
    assert_true(p.pt <= 127 && p.csrc_count <= RMI_RTP_CSRC_MAX && p.ext_count <= RMI_RTP_EXT_MAX);
    for (size_t i = 0; i < p.ext_count; i++)
        assert_true(p.ext[i].data >= data && p.ext[i].data + p.ext[i].len <= data + p.header_len);
    uint8_t again[4096];
    size_t n = rmi_rtp_write(&p, again, sizeof again);
    assert_true(n > 0);
    assert_int_equal(rmi_rtp_parse(again, n, &q), RM_OK);
    assert_int_equal(q.payload_len, p.payload_len);
    assert_memory_equal(q.payload, p.payload, p.payload_len);
    assert_int_equal(q.ext_count, p.ext_count);
    for (size_t i = 0; i < p.ext_count; i++) {
        assert_int_equal(q.ext[i].id, p.ext[i].id);
        assert_int_equal(q.ext[i].len, p.ext[i].len);
        assert_memory_equal(q.ext[i].data, p.ext[i].data, p.ext[i].len);
    }
    assert_true(q.seq == p.seq && q.ssrc == p.ssrc && q.timestamp == p.timestamp && q.padding == p.padding &&
                q.marker == p.marker && q.pt == p.pt && q.csrc_count == p.csrc_count);
}

static void sweeps(void **state) {
    (void)state;
    rtp_sweep(check, plain, sizeof plain, NULL);
    rtp_sweep(check, one_byte, sizeof one_byte, NULL);
    rtp_sweep(check, two_byte, sizeof two_byte, NULL);
}

static void the_form_follows_from_the_elements(void **state) {
    (void)state;
    static const uint8_t value[20] = {1, 2, 3};
    static const struct {
        uint8_t id, len;
        uint16_t profile;
    } rows[] = {{1, 1, 0xbede}, {14, 16, 0xbede}, {15, 1, 0x1000}, {1, 17, 0x1000}, {1, 0, 0x1000}, {255, 4, 0x1000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[64];
        struct rmi_rtp_packet p = {.ext_count = 1, .ext = {{rows[i].id, rows[i].len, value}}}, q;
        size_t n = rmi_rtp_write(&p, out, sizeof out);
        assert_int_equal(n % 4, 0);
        assert_int_equal(out[12] << 8 | out[13], rows[i].profile);
        assert_int_equal(rmi_rtp_parse(out, n, &q), RM_OK);
        assert_int_equal(q.ext_count, 1);
        assert_int_equal(q.ext[0].id, rows[i].id);
        assert_int_equal(q.ext[0].len, rows[i].len);
    }
}

static void what_cannot_be_written_is_refused(void **state) {
    (void)state;
    uint8_t out[64];
    struct rmi_rtp_packet p = {.pt = 128};
    assert_int_equal(rmi_rtp_write(&p, out, sizeof out), 0);
    p = (struct rmi_rtp_packet){.csrc_count = 16};
    assert_int_equal(rmi_rtp_write(&p, out, sizeof out), 0);
    p = (struct rmi_rtp_packet){.ext_count = 1, .ext = {{0, 1, out}}};
    assert_int_equal(rmi_rtp_write(&p, out, sizeof out), 0);
    p = (struct rmi_rtp_packet){.payload = out, .payload_len = 2};
    uint8_t small[RMI_RTP_HEADER + 2];
    for (size_t cap = 0; cap < sizeof small; cap++)
        assert_int_equal(rmi_rtp_write(&p, small, cap), 0);
    assert_int_equal(rmi_rtp_write(&p, small, sizeof small), sizeof small);
}

static void values_are_patched_in_place(void **state) {
    (void)state;
    uint8_t packet[sizeof one_byte];
    memcpy(packet, one_byte, sizeof packet);
    assert_true(rmi_rtp_patch_ext(packet, sizeof packet, 2, (const uint8_t *)"xyz", 3));
    assert_memory_equal(packet + 24, "xyz", 3);
    memcpy(packet, one_byte, sizeof packet);
    assert_false(rmi_rtp_patch_ext(packet, sizeof packet, 2, (const uint8_t *)"xy", 2));
    assert_false(rmi_rtp_patch_ext(packet, sizeof packet, 5, (const uint8_t *)"xyz", 3));
    assert_memory_equal(packet, one_byte, sizeof packet);

    struct rmi_rtp_packet p;
    assert_true(rmi_rtp_patch_header(packet, sizeof packet, 5, 6, 7, 8));
    assert_int_equal(rmi_rtp_parse(packet, sizeof packet, &p), RM_OK);
    assert_true(p.pt == 5 && p.seq == 6 && p.timestamp == 7 && p.ssrc == 8 && !p.marker && p.csrc_count == 1);
    assert_false(rmi_rtp_patch_header(packet, RMI_RTP_HEADER - 1, 5, 6, 7, 8));
    assert_false(rmi_rtp_patch_header(packet, sizeof packet, 128, 6, 7, 8));
}

static void distances_wrap(void **state) {
    (void)state;
    assert_int_equal(rmi_seq_diff(0, 0xffff), 1);
    assert_int_equal(rmi_seq_diff(0xffff, 0), -1);
    assert_int_equal(rmi_seq_diff(0x7fff, 0), 0x7fff);
    assert_int_equal(rmi_seq_diff(0x8000, 0), -0x8000);
    assert_true(rmi_rtp_time_diff(10, 0xfffffff0U) == 26);
    assert_true(rmi_rtp_time_diff(0xfffffff0U, 10) == -26);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_packet_parses),
        cmocka_unit_test(both_forms_of_header_extension_parse),
        cmocka_unit_test(an_unknown_extension_profile_is_skipped),
        cmocka_unit_test(an_element_of_id_zero_with_a_length_ends_the_list),
        cmocka_unit_test(a_truncated_element_ends_the_list_not_the_packet),
        cmocka_unit_test(more_elements_than_are_kept_do_no_harm),
        cmocka_unit_test(padding_of_every_size_against_payload_of_every_size),
        cmocka_unit_test(csrc_and_extension_lengths_never_pass_the_end),
        cmocka_unit_test(sweeps),
        cmocka_unit_test(the_form_follows_from_the_elements),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(values_are_patched_in_place),
        cmocka_unit_test(distances_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
