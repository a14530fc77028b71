/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/peek.h"
#include "rtp/rtp_testkit.h"

struct wanted {
    bool valid;
    struct rmi_payload_flags flags;
};

static struct wanted peek(enum rmi_payload_format format, const uint8_t *payload, size_t len) {
    struct wanted w;
    w.valid = rmi_payload_peek(format, payload, len, &w.flags);
    return w;
}

static void check(enum rmi_payload_format format, const uint8_t *payload, size_t len, bool first, bool key,
                  bool disposable) {
    struct wanted w = peek(format, payload, len);
    assert_true(w.valid);
    assert_int_equal(w.flags.first, first);
    assert_int_equal(w.flags.key, key);
    assert_int_equal(w.flags.disposable, disposable);
}

#define CHECK(format, first, key, disposable, ...)                                                                     \
    do {                                                                                                               \
        const uint8_t bytes[] = {__VA_ARGS__};                                                                         \
        check(format, bytes, sizeof bytes, first, key, disposable);                                                    \
    } while (0)
#define REFUSE(format, ...)                                                                                            \
    do {                                                                                                               \
        const uint8_t bytes[] = {__VA_ARGS__};                                                                         \
        assert_false(peek(format, bytes, sizeof bytes).valid);                                                         \
    } while (0)

/* Descriptor: X 80, N 20, S 10, PID 07; then the frame tag, whose lowest bit is 0 in key frames. */
static void vp8_tells_start_key_and_references(void **state) {
    (void)state;
    CHECK(RMI_PAYLOAD_VP8, true, true, false, 0x10, 0x00, 1, 2);
    CHECK(RMI_PAYLOAD_VP8, true, false, false, 0x10, 0x01, 1, 2);
    CHECK(RMI_PAYLOAD_VP8, true, false, true, 0x30, 0x01, 1, 2);
    CHECK(RMI_PAYLOAD_VP8, true, true, false, 0x30, 0x00, 1, 2);        /* a key frame is needed whatever it says */
    CHECK(RMI_PAYLOAD_VP8, false, false, false, 0x00, 0x00, 1, 2);      /* goes on */
    CHECK(RMI_PAYLOAD_VP8, false, false, false, 0x11, 0x00, 1, 2);      /* the second partition starts */
    CHECK(RMI_PAYLOAD_VP8, true, true, false, 0x90, 0x80, 0x05, 0x00);  /* with a picture id */
    CHECK(RMI_PAYLOAD_VP8, true, false, false, 0x90, 0x80, 0x05, 0x01); /* the tag is behind it */
    REFUSE(RMI_PAYLOAD_VP8, 0x10);
    REFUSE(RMI_PAYLOAD_VP8, 0x90, 0x80);
}

/* Descriptor: I 80, P 40, L 20, F 10, B 08, E 04, V 02. */
static void vp9_tells_start_and_key_of_the_lowest_layer(void **state) {
    (void)state;
    CHECK(RMI_PAYLOAD_VP9, true, true, false, 0x0c, 1, 2);
    CHECK(RMI_PAYLOAD_VP9, true, false, false, 0x4c, 1, 2);
    CHECK(RMI_PAYLOAD_VP9, false, false, false, 0x04, 1, 2);
    CHECK(RMI_PAYLOAD_VP9, true, true, false, 0x2c, 0x00, 7, 1);   /* layer 0, TL0PICIDX 7 */
    CHECK(RMI_PAYLOAD_VP9, false, false, false, 0x2c, 0x02, 7, 1); /* layer 1 starts within its picture */
    REFUSE(RMI_PAYLOAD_VP9, 0x0c);
    REFUSE(RMI_PAYLOAD_VP9, 0x50, 1, 2); /* flexible mode without a picture id */
}

static void h264_begins_with_parameter_sets_or_its_first_macroblock(void **state) {
    (void)state;
    CHECK(RMI_PAYLOAD_H264, true, true, false, 0x67, 0x42, 0xe0, 0x1f); /* SPS */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x68, 0xce);           /* PPS */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x65, 0x88);           /* IDR: its sets came before it */
    CHECK(RMI_PAYLOAD_H264, true, false, false, 0x61, 0x9a);            /* slice from macroblock 0 */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x61, 0x1a);           /* a later slice */
    CHECK(RMI_PAYLOAD_H264, true, false, true, 0x01, 0x9a);             /* no reference */
    CHECK(RMI_PAYLOAD_H264, true, false, false, 0x09, 0x10);            /* delimiter */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x06, 0x05);           /* SEI */
    CHECK(RMI_PAYLOAD_H264, true, true, false, 0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1, 0, 2, 0x65, 0x88);
    CHECK(RMI_PAYLOAD_H264, true, true, false, 0x78, 0, 2, 0x09, 0x10, 0, 2, 0x67, 1);
    CHECK(RMI_PAYLOAD_H264, true, false, true, 0x18, 0, 2, 0x01, 0x9a, 0, 2, 0x01, 0x4a);
    CHECK(RMI_PAYLOAD_H264, true, false, false, 0x38, 0, 2, 0x01, 0x9a, 0, 2, 0x21, 0x4a); /* one is a reference */
    CHECK(RMI_PAYLOAD_H264, true, false, false, 0x7c, 0x81, 0x9a, 1);                      /* FU-A: start of a slice */
    CHECK(RMI_PAYLOAD_H264, true, false, true, 0x1c, 0x81, 0x9a, 1);   /* of one that is no reference */
    CHECK(RMI_PAYLOAD_H264, true, true, false, 0x7c, 0x87, 0x42);      /* of parameter sets */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x7c, 0x85, 0x88);    /* of an IDR slice */
    CHECK(RMI_PAYLOAD_H264, false, false, false, 0x7c, 0x01, 0x9a, 1); /* middle of a slice */
}

static void h264_refuses_what_modes_0_and_1_have_not(void **state) {
    (void)state;
    REFUSE(RMI_PAYLOAD_H264, 0xe7, 0x42);             /* forbidden bit */
    REFUSE(RMI_PAYLOAD_H264, 0x60, 0x42);             /* type 0 */
    REFUSE(RMI_PAYLOAD_H264, 0x79, 0, 2, 0x67, 1);    /* STAP-B */
    REFUSE(RMI_PAYLOAD_H264, 0x7d, 0x81, 0x9a);       /* FU-B */
    REFUSE(RMI_PAYLOAD_H264, 0x7c);                   /* FU-A without its header */
    REFUSE(RMI_PAYLOAD_H264, 0x7c, 0x81);             /* without a body */
    REFUSE(RMI_PAYLOAD_H264, 0x7c, 0xc1, 0x9a);       /* start and end */
    REFUSE(RMI_PAYLOAD_H264, 0x7c, 0x1c, 0x9a);       /* a fragment of fragments */
    REFUSE(RMI_PAYLOAD_H264, 0x78);                   /* STAP-A of nothing */
    REFUSE(RMI_PAYLOAD_H264, 0x78, 0, 0);             /* of a unit without bytes */
    REFUSE(RMI_PAYLOAD_H264, 0x78, 0, 3, 0x67, 1);    /* longer than there is */
    REFUSE(RMI_PAYLOAD_H264, 0x78, 0, 2, 0x67, 1, 0); /* half a length behind it */
}

static void other_formats_are_refused(void **state) {
    (void)state;
    REFUSE(RMI_PAYLOAD_OPUS, 0x78, 1, 2, 3);
    REFUSE((enum rmi_payload_format)17, 0x10, 0, 1, 2);
    for (int f = RMI_PAYLOAD_OPUS; f <= RMI_PAYLOAD_H264; f++)
        assert_false(peek((enum rmi_payload_format)f, NULL, 0).valid);
}

/* Any bytes: what it says makes sense, and what it refuses the depacketizer refuses as well. */
static void read_hostile(const uint8_t *data, size_t len, void *ctx) {
    enum rmi_payload_format format = *(enum rmi_payload_format *)ctx;
    struct wanted w = peek(format, data, len);
    assert_true(!w.flags.key || w.flags.first);
    assert_true(!w.flags.disposable || (w.flags.first && !w.flags.key));
    assert_true(w.valid || !w.flags.first);
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    assert_int_equal(rmi_depacketizer_create(format, 4096, &d), RM_OK);
    const struct rmi_rtp_packet packet = {.marker = true, .payload = data, .payload_len = len};
    rm_err err = rmi_depacketizer_input(d, &packet, &out);
    assert_true(w.valid || err != RM_OK);
    if (err == RM_OK && w.flags.first)
        assert_true(format == RMI_PAYLOAD_H264 || w.flags.key == out.key_frame);
    rmi_depacketizer_destroy(&d);
}

static void any_bytes_are_survived(void **state) {
    (void)state;
    static const uint8_t vp8[] = {0xf0, 0xf0, 0x92, 0x34, 7, 0x60, 0x00, 1, 2, 3};
    static const uint8_t vp9[] = {0xae, 0x92, 0x34, 0x00, 7, 0x18, 2, 128, 1, 64, 1, 0x04, 1, 0x82, 1, 2};
    static const uint8_t flexible[] = {0xfc, 0x92, 0x34, 0x20, 0x03, 0x04, 0x82, 1};
    static const uint8_t stap[] = {0x78, 0, 3, 0x67, 0x42, 0xe0, 0, 2, 0x68, 0xce, 0, 4, 0x65, 0x88, 1, 2};
    static const uint8_t fu[] = {0x7c, 0x81, 0x9a, 1, 2, 3};
    static const struct {
        enum rmi_payload_format format;
        const uint8_t *data;
        size_t len;
    } seeds[] = {
        {RMI_PAYLOAD_VP8, vp8, sizeof vp8},
        {RMI_PAYLOAD_VP9, vp9, sizeof vp9},
        {RMI_PAYLOAD_VP9, flexible, sizeof flexible},
        {RMI_PAYLOAD_H264, stap, sizeof stap},
        {RMI_PAYLOAD_H264, fu, sizeof fu},
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        enum rmi_payload_format format = seeds[i].format;
        assert_true(peek(format, seeds[i].data, seeds[i].len).valid);
        rtp_sweep(read_hostile, seeds[i].data, seeds[i].len, &format);
    }
    for (int f = RMI_PAYLOAD_VP8; f <= RMI_PAYLOAD_H264; f++)
        for (int a = 0; a < 256; a++) {
            enum rmi_payload_format format = (enum rmi_payload_format)f;
            rtp_boxed(read_hostile, (const uint8_t[]){(uint8_t)a}, 1, &format);
            for (int b = 0; b < 256; b++)
                rtp_boxed(read_hostile, (const uint8_t[]){(uint8_t)a, (uint8_t)b, 0x9a}, 3, &format);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vp8_tells_start_key_and_references),
        cmocka_unit_test(vp9_tells_start_and_key_of_the_lowest_layer),
        cmocka_unit_test(h264_begins_with_parameter_sets_or_its_first_macroblock),
        cmocka_unit_test(h264_refuses_what_modes_0_and_1_have_not),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
