/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "io/ws_frame.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGE 1000

/* What came out of a decoder, as one line: "text:abc" "binary" "ping:x" "pong:" "close:1000:bye" "broken:1002" */
static void describe(char *out, size_t cap, const struct rmi_ws_item *item) {
    static const char *const names[] = {"text", "binary", "ping", "pong", "close", "broken"};
    size_t at = strlen(out);
    int n = snprintf(out + at, cap - at, "%s%s", at ? " " : "", names[item->kind]);
    at += (size_t)n;
    if (item->kind >= RMI_WS_ITEM_CLOSE)
        at += (size_t)snprintf(out + at, cap - at, ":%u", item->code);
    if (item->kind != RMI_WS_ITEM_BROKEN && item->kind != RMI_WS_ITEM_BINARY)
        snprintf(out + at, cap - at, ":%.*s", (int)item->len, item->len ? (const char *)item->data : "");
    if (item->kind == RMI_WS_ITEM_TEXT)
        assert_int_equal(((const char *)item->data)[item->len], '\0');
    if (item->kind == RMI_WS_ITEM_BROKEN)
        assert_true(item->err != RM_OK && item->detail);
}

/* Decodes in pieces of `step` bytes (copied to the heap, so that a read past the end is seen). */
static void decode(char *out, size_t cap, bool masked, const void *data, size_t len, size_t step) {
    struct rmi_ws_decoder d;
    rmi_ws_decoder_init(&d, masked, MAX_MESSAGE);
    out[0] = '\0';
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        uint8_t *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, (const uint8_t *)data + at, n);
        struct rmi_rd r = rmi_rd_init(piece, n);
        struct rmi_ws_item item;
        while (rmi_ws_decode(&d, &r, &item))
            describe(out, cap, &item);
        assert_int_equal(rmi_rd_left(&r), 0);
        assert_false(r.failed);
        free(piece);
    }
    rmi_ws_decoder_fini(&d);
}

static void expect(bool masked, const void *data, size_t len, const char *expected) {
    char out[4096];
    for (size_t step = 1; step <= len; step++) {
        decode(out, sizeof out, masked, data, len, step);
        assert_string_equal(out, expected);
    }
}

#define EXPECT(bytes, expected) expect(false, bytes, sizeof(bytes) - 1, expected)
#define EXPECT_MASKED(bytes, expected) expect(true, bytes, sizeof(bytes) - 1, expected)

static void the_examples_of_the_rfc_are_read(void **state) {
    (void)state; /* RFC 6455 5.7 */
    EXPECT("\x81\x05\x48\x65\x6c\x6c\x6f", "text:Hello");
    EXPECT_MASKED("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "text:Hello");
    EXPECT("\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", "text:Hello");
    EXPECT("\x89\x05\x48\x65\x6c\x6c\x6f", "ping:Hello");
    EXPECT_MASKED("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "pong:Hello");
}

static void messages_may_be_in_pieces_with_control_frames_between(void **state) {
    (void)state;
    EXPECT("\x01\x02"
           "ab\x89\x01p\x00\x00\x80\x02"
           "cd\x82\x03xyz\x81\x00\x8a\x00",
           "ping:p text:abcd binary text: pong:");
    EXPECT("\x02\x01"
           "a\x00\x01"
           "b\x80\x01"
           "c\x81\x01"
           "d",
           "binary text:d");
}

static void close_frames_carry_code_and_reason(void **state) {
    (void)state;
    EXPECT("\x88\x00", "close:1005:");
    EXPECT("\x88\x02\x03\xe8", "close:1000:");
    EXPECT("\x88\x05\x0f\xa1"
           "bye\x81\x01x",
           "close:4001:bye"); /* nothing counts after it */
    EXPECT("\x88\x01\x03", "broken:1002");
    EXPECT("\x88\x02\x03\xe7", "broken:1002");         /* 999 */
    EXPECT("\x88\x02\x03\xed", "broken:1002");         /* 1005 is never sent */
    EXPECT("\x88\x02\x03\xf7", "broken:1002");         /* 1015 neither */
    EXPECT("\x88\x02\x13\x88", "broken:1002");         /* 5000 */
    EXPECT("\x88\x04\x03\xe8\xc3\x28", "broken:1007"); /* not UTF-8 */
    EXPECT("\x88\x03\x03\xe8\xc3", "broken:1007");     /* cut inside a character */
}

static void what_the_protocol_forbids_is_a_protocol_error(void **state) {
    (void)state;
    EXPECT("\xc1\x01x", "broken:1002"); /* reserved bits */
    EXPECT("\xa1\x01x", "broken:1002");
    EXPECT("\x91\x01x", "broken:1002");
    EXPECT("\x83\x01x", "broken:1002"); /* unknown opcodes */
    EXPECT("\x8b\x01x", "broken:1002");
    EXPECT("\x80\x01x", "broken:1002");          /* continues nothing */
    EXPECT("\x01\x01x\x81\x01y", "broken:1002"); /* begins inside a message */
    EXPECT("\x01\x01x\x82\x01y", "broken:1002");
    EXPECT("\x09\x01x", "broken:1002");        /* a ping in pieces */
    EXPECT("\x89\x7e\x00\x7e", "broken:1002"); /* a ping of 126 bytes */
    EXPECT("\x81\x7e\x00\x7d", "broken:1002"); /* not the shortest length */
    EXPECT("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "broken:1002");
    EXPECT("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "broken:1002"); /* the top bit */
    EXPECT("\x81\x81\x01\x02\x03\x04x", "broken:1002");                /* masked, from a server */
    EXPECT_MASKED("\x81\x01x", "broken:1002");                         /* not masked, from a client */
}

static void over_long_messages_are_refused_by_their_announcement(void **state) {
    (void)state;
    EXPECT("\x81\x7e\x03\xe9", "broken:1009");                         /* 1001 */
    EXPECT("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "broken:1009"); /* 2^63 - 1 */
    char frames[4 + 600 + 4], out[64];
    memset(frames, 'a', sizeof frames);
    memcpy(frames, "\x01\x7e\x02\x58", 4);
    memcpy(frames + 604, "\x80\x7e\x01\x91", 4); /* 600 + 401 */
    decode(out, sizeof out, false, frames, sizeof frames, 77);
    assert_string_equal(out, "broken:1009");
    char whole[4 + MAX_MESSAGE], text[2048];
    memset(whole, 'a', sizeof whole);
    memcpy(whole, "\x81\x7e\x03\xe8", 4);
    decode(text, sizeof text, false, whole, sizeof whole, 100);
    assert_int_equal(strlen(text), strlen("text:") + MAX_MESSAGE);
}

static bool utf8(const char *text, size_t n) {
    struct rmi_utf8 u = {0};
    return rmi_utf8_feed(&u, (const uint8_t *)text, n) && u.need == 0;
}

static void utf8_is_checked(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "a\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xe2\x82\xac x"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xf0\x90\x80"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(utf8(bad[i], strlen(bad[i])));
    EXPECT("\x01\x01\xc3\x80\x01\xa4", "text:\xc3\xa4"); /* a character across two frames */
    EXPECT("\x01\x01\xc3\x80\x00", "broken:1007");       /* that never ends */
    EXPECT("\x81\x02\xc3\x28", "broken:1007");
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 127, 999, MAX_MESSAGE};
    static const uint8_t mask[4] = {1, 0xff, 0x80, 0x33};
    for (int masked = 0; masked < 2; masked++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            uint8_t frame[RMI_WS_FRAME_HEAD_MAX + MAX_MESSAGE];
            size_t n = rmi_ws_frame_head(frame, RMI_WS_OP_TEXT, lengths[i], masked ? mask : NULL);
            assert_int_equal(n, (lengths[i] < 126 ? 2 : 4) + (masked ? 4 : 0));
            memset(frame + n, 'm', lengths[i]);
            if (masked)
                rmi_ws_mask(frame + n, lengths[i], mask, 0);
            char out[2048], expected[2048] = "text:";
            memset(expected + 5, 'm', lengths[i]);
            expected[5 + lengths[i]] = '\0';
            decode(out, sizeof out, masked, frame, n + lengths[i], 13);
            assert_string_equal(out, expected);
        }
    }
    uint8_t head[RMI_WS_FRAME_HEAD_MAX];
    assert_int_equal(rmi_ws_frame_head(head, RMI_WS_OP_TEXT, 65535, NULL), 4);
    assert_int_equal(rmi_ws_frame_head(head, RMI_WS_OP_TEXT, 65536, mask), 14);
}

/* Every length and every flipped byte of a stream with one of everything: items come out or not, memory stays whole. */
static void truncated_and_damaged_streams_do_no_harm(void **state) {
    (void)state;
    static const char stream[] =
        "\x01\x82\x01\x02\x03\x04"
        "ab\x89\x81\x01\x02\x03\x04p\x80\x82\x01\x02\x03\x04\x60\x60\x82\x83\x01\x02\x03\x04xyz"
        "\x81\xfe\x00\x80\x41\x41\x41\x41";
    char data[sizeof stream - 1 + 128 + 10], out[8192];
    memset(data, 'A' ^ 'x', sizeof data);
    memcpy(data, stream, sizeof stream - 1);
    memcpy(data + sizeof data - 10, "\x88\x84\x00\x00\x00\x00\x03\xe8ok", 10);
    decode(out, sizeof out, true, data, sizeof data, sizeof data);
    assert_non_null(strstr(out, "close:1000:ok"));
    assert_non_null(strstr(out, "xxxxxxxx"));
    for (size_t len = 0; len <= sizeof data; len++) {
        decode(out, sizeof out, true, data, len, len ? len : 1);
        assert_int_equal(strstr(out, "close") != NULL, len == sizeof data);
        assert_null(strstr(out, "broken"));
    }
    for (size_t i = 0; i < sizeof data; i++) {
        for (int bit = 0; bit < 9; bit++) {
            char old = data[i];
            data[i] = (char)(bit < 8 ? old ^ (1 << bit) : ~old);
            decode(out, sizeof out, true, data, sizeof data, 7);
            data[i] = old;
        }
    }
}

static void random_bytes_do_no_harm(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 6455);
    for (int i = 0; i < 20000; i++) {
        uint8_t data[64];
        char out[8192];
        for (size_t k = 0; k < sizeof data; k++)
            data[k] = (uint8_t)rmi_prng_next(&prng);
        data[0] &= 0x8f; /* or most end at once */
        decode(out, sizeof out, i % 2, data, sizeof data, 1 + (size_t)(i % 17));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_are_read),
        cmocka_unit_test(messages_may_be_in_pieces_with_control_frames_between),
        cmocka_unit_test(close_frames_carry_code_and_reason),
        cmocka_unit_test(what_the_protocol_forbids_is_a_protocol_error),
        cmocka_unit_test(over_long_messages_are_refused_by_their_announcement),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(truncated_and_damaged_streams_do_no_harm),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
