/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/h264.h"
#include "rtp/payload/payload.h"
#include "rtp/rtp_testkit.h"

#define MTU 100

/* A NAL unit of `len` bytes without start codes inside, behind a start code of 3 or 4 bytes. */
static size_t add_nal(uint8_t *out, uint8_t header, size_t len, bool long_start) {
    size_t at = 0;
    if (long_start)
        out[at++] = 0;
    out[at++] = 0;
    out[at++] = 0;
    out[at++] = 1;
    out[at++] = header;
    for (size_t i = 1; i < len; i++)
        out[at++] = (uint8_t)(0x80 + i % 100);
    return at;
}

struct payloads {
    uint8_t data[64][MTU];
    size_t len[64];
    size_t count;
};

static rm_err packetize(const uint8_t *frame, size_t len, uint8_t mode, struct payloads *out) {
    struct rmi_h264_packetizer p;
    bool last = false;
    out->count = 0;
    rm_err err = rmi_h264_packetizer_begin(&p, frame, len, MTU, mode);
    if (err != RM_OK)
        return err;
    while ((out->len[out->count] = rmi_h264_packetizer_next(&p, out->data[out->count], &last)) > 0) {
        assert_true(out->len[out->count] <= MTU);
        out->count++;
        assert_true(out->count < 64);
    }
    assert_true(last);
    return RM_OK;
}

static struct rmi_rtp_packet packet_of(uint16_t seq, bool marker, const uint8_t *payload, size_t len) {
    return (struct rmi_rtp_packet){
        .seq = seq, .marker = marker, .timestamp = 1, .payload = payload, .payload_len = len};
}

static void a_key_frame_becomes_stap_a_and_fu_a_and_back(void **state) {
    (void)state;
    static struct payloads got;
    uint8_t frame[700];
    size_t len = add_nal(frame, 0x67, 20, true);
    len += add_nal(frame + len, 0x68, 5, true);
    len += add_nal(frame + len, 0x65, 500, true);
    assert_int_equal(packetize(frame, len, 1, &got), RM_OK);
    assert_int_equal(got.data[0][0], 0x60 | RMI_H264_STAP_A);
    assert_int_equal(got.len[0], 1 + 2 + 20 + 2 + 5);
    assert_int_equal(got.data[1][0], 0x60 | RMI_H264_FU_A);
    assert_int_equal(got.data[1][1], 0x80 | 5);
    assert_int_equal(got.data[2][1], 5);
    assert_int_equal(got.data[got.count - 1][1], 0x40 | 5);
    assert_int_equal(got.count, 1 + (499 + 97) / 98);
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_H264, 1000, &d), RM_OK);
    for (size_t i = 0; i < got.count; i++) {
        struct rmi_rtp_packet p = packet_of((uint16_t)(65535 + i), i + 1 == got.count, got.data[i], got.len[i]);
        assert_int_equal(rmi_depacketizer_input(d, &p, &out), i + 1 == got.count ? RM_OK : RM_E_AGAIN);
    }
    assert_true(out.key_frame && out.has_sps && !out.gap_before && out.len == len);
    assert_memory_equal(out.data, frame, len);
    rmi_depacketizer_destroy(&d);
}

static void mode_0_has_single_units_only(void **state) {
    (void)state;
    static struct payloads got;
    uint8_t frame[700];
    size_t len = add_nal(frame, 0x67, 20, false);
    len += add_nal(frame + len, 0x68, 5, true);
    size_t small = len + add_nal(frame + len, 0x65, MTU, true);
    assert_int_equal(packetize(frame, small, 0, &got), RM_OK);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.data[0][0], 0x67);
    assert_int_equal(got.len[2], MTU);
    size_t large = len + add_nal(frame + len, 0x65, MTU + 1, true);
    assert_int_equal(packetize(frame, large, 0, &got), RM_E_TOO_BIG);
}

/* PJSIP: a frame without a start code. */
static void what_is_no_byte_stream_is_refused(void **state) {
    (void)state;
    static struct payloads got;
    static const struct {
        uint8_t bytes[8];
        size_t len;
    } bad[] = {{{0x67, 1, 2, 3}, 4}, {{0}, 1},          {{0, 0, 0, 0}, 4},       {{0, 0, 1}, 3},
               {{0, 0, 1, 0}, 4},    {{0, 0, 2, 5}, 4}, {{9, 0, 0, 1, 0x65}, 5}, {{0, 0, 1, 0x78, 1}, 5},
               {{0, 0, 1, 0xe5}, 4}, {{0, 0}, 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t *box = malloc(bad[i].len);
        assert_non_null(box);
        memcpy(box, bad[i].bytes, bad[i].len);
        assert_int_equal(packetize(box, bad[i].len, 1, &got), RM_E_PARSE);
        free(box);
    }
    const uint8_t good[] = {0, 0, 1, 0x65, 0x88};
    struct rmi_h264_packetizer p;
    assert_int_equal(rmi_h264_packetizer_begin(&p, good, sizeof good, MTU, 2), RM_E_INVALID_ARG);
    assert_int_equal(rmi_h264_packetizer_begin(&p, good, 0, MTU, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_h264_packetizer_begin(&p, good, sizeof good, 0x10000, 1), RM_E_INVALID_ARG);
}

/* Units of every size around the limits, in twos and threes: what comes out is what went in. */
static void all_sizes_go_there_and_back(void **state) {
    (void)state;
    static struct payloads got;
    static const uint8_t headers[] = {0x67, 0x68, 0x65, 0x41, 0x06};
    struct rmi_depacketizer *d = NULL;
    uint16_t seq = 0;
    uint32_t timestamp = 0;
    assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_H264, 1000, &d), RM_OK);
    for (size_t a = 1; a < 2 * MTU + 20; a++) {
        for (size_t b = 1; b < 2 * MTU + 20; b += 3) {
            uint8_t frame[700];
            size_t len = add_nal(frame, headers[a % 5], a, true), i = 0;
            len += add_nal(frame + len, headers[b % 5], b, true);
            if (a % 3 == 0)
                len += add_nal(frame + len, 0x41, a / 3 + 1, true);
            assert_int_equal(packetize(frame, len, 1, &got), RM_OK);
            struct rmi_depacketizer_frame out;
            rm_err err = RM_E_AGAIN;
            timestamp++;
            for (; i < got.count; i++) {
                struct rmi_rtp_packet p = packet_of(seq++, i + 1 == got.count, got.data[i], got.len[i]);
                p.timestamp = timestamp;
                assert_int_equal(err, RM_E_AGAIN);
                err = rmi_depacketizer_input(d, &p, &out);
            }
            if (seq == got.count && err != RM_OK)
                continue; /* the very first one need not begin with a parameter set */
            assert_int_equal(err, RM_OK);
            assert_int_equal(out.len, len);
            assert_memory_equal(out.data, frame, len);
        }
    }
    rmi_depacketizer_destroy(&d);
}

static rm_err feed(struct rmi_depacketizer *d, uint16_t seq, uint32_t timestamp, bool marker, const uint8_t *payload,
                   size_t len, struct rmi_depacketizer_frame *out) {
    struct rmi_rtp_packet p = packet_of(seq, marker, payload, len);
    p.timestamp = timestamp;
    return rmi_depacketizer_input(d, &p, out);
}

static void malformed_payloads_drop_their_frame(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[10];
        size_t len;
    } bad[] = {
        {{0x60}, 1},                      /* type 0 */
        {{0xe5, 0x88}, 2},                /* forbidden bit */
        {{0x79, 0, 0, 0, 1, 0x65}, 6},    /* STAP-B */
        {{0x7a, 0, 0, 0, 1, 0x65}, 6},    /* MTAP16 */
        {{0x7d, 0x85, 0, 0, 1}, 5},       /* FU-B */
        {{0x7e, 1}, 2},                   /* reserved */
        {{0x78}, 1},                      /* STAP-A without units */
        {{0x78, 0}, 2},                   /* half a size */
        {{0x78, 0, 0}, 3},                /* an empty unit */
        {{0x78, 0, 3, 0x65, 1}, 5},       /* past the end */
        {{0x78, 0xff, 0xff, 0x65, 1}, 5}, /* far past it */
        {{0x78, 0, 2, 0x65, 1, 0}, 6},    /* a second one cut short */
        {{0x78, 0, 3, 0x78, 0, 0}, 6},    /* STAP-A inside STAP-A */
        {{0x7c}, 1},                      /* FU-A without its header */
        {{0x7c, 0x85}, 2},                /* without a body */
        {{0x7c, 0xc5, 1}, 3},             /* start and end at once */
        {{0x7c, 0x9c, 1}, 3},             /* FU-A inside FU-A */
        {{0x7c, 0x05, 1}, 3},             /* no beginning */
        {{0x7c, 0x85, 1}, 3},             /* the marker comes before its end */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rmi_depacketizer *d = NULL;
        struct rmi_depacketizer_frame out;
        const uint8_t slice[] = {0x41, 0x9a}, idr[] = {0x65, 0x88};
        assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_H264, 1000, &d), RM_OK);
        assert_int_equal(feed(d, 1, 1, true, slice, sizeof slice, &out), RM_OK);
        uint8_t *box = malloc(bad[i].len);
        assert_non_null(box);
        memcpy(box, bad[i].bytes, bad[i].len);
        assert_int_equal(feed(d, 2, 2, true, box, bad[i].len, &out), RM_E_PARSE);
        free(box);
        assert_true(rmi_depacketizer_stats(d).malformed == 1 && rmi_depacketizer_stats(d).incomplete == 1);
        assert_int_equal(feed(d, 3, 3, true, idr, sizeof idr, &out), RM_OK);
        assert_true(out.gap_before && out.key_frame && !out.has_sps && out.len == 6);
        rmi_depacketizer_destroy(&d);
    }
}

/* After a loss only what shows its own beginning starts a frame. */
static void beginnings_are_told_after_a_loss(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[6];
        size_t len;
        bool begins;
    } rows[] = {{{0x67, 1}, 2, true},
                {{0x09, 0xf0}, 2, true},
                {{0x41, 0x9a}, 2, true},  /* first_mb_in_slice 0 */
                {{0x41, 0x4a}, 2, false}, /* a later slice */
                {{0x65, 0x88}, 2, false}, /* an IDR picture comes with parameter sets */
                {{0x68, 0xce}, 2, false}, /* a PPS: its SPS may be what is missing */
                {{0x78, 0, 2, 0x67, 1}, 5, true},
                {{0x78, 0, 2, 0x68, 1}, 5, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rmi_depacketizer *d = NULL;
        struct rmi_depacketizer_frame out;
        assert_int_equal(rmi_depacketizer_create(RMI_PAYLOAD_H264, 1000, &d), RM_OK);
        rm_err want = rows[i].begins ? RM_OK : RM_E_AGAIN;
        assert_int_equal(feed(d, 10, 1, true, rows[i].bytes, rows[i].len, &out), want);
        assert_int_equal(feed(d, 12, 2, true, rows[i].bytes, rows[i].len, &out), want);
        assert_int_equal(feed(d, 13, 3, true, rows[i].bytes, rows[i].len, &out), RM_OK); /* it must begin here */
        assert_int_equal(out.gap_before, !rows[i].begins);
        rmi_depacketizer_destroy(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_frame_becomes_stap_a_and_fu_a_and_back),
        cmocka_unit_test(mode_0_has_single_units_only),
        cmocka_unit_test(what_is_no_byte_stream_is_refused),
        cmocka_unit_test(all_sizes_go_there_and_back),
        cmocka_unit_test(malformed_payloads_drop_their_frame),
        cmocka_unit_test(beginnings_are_told_after_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
