/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webrtc/message.h"
#include <remotemedia/webrtc_data.h>
#include <stdlib.h>
#include <string.h>

static rm_runtime_data *text(const char *s) {
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_text(s, strlen(s), NULL, &d), RM_OK);
    return d;
}

static rm_runtime_data *read_text(const char *s) {
    rm_runtime_data *d = NULL;
    assert_int_equal(rmi_message_read(false, (const uint8_t *)s, strlen(s), &d), RM_OK);
    return d;
}

/* Written as RemoteMedia writes it, and read back. */
static void there_and_back(rm_runtime_data *d, const char *wire) {
    struct rmi_buf *buf = NULL;
    rm_runtime_data *back = NULL;
    assert_int_equal(rmi_message_write(d, &buf), RM_OK);
    assert_int_equal(buf->len, strlen(wire));
    assert_memory_equal(buf->data, wire, buf->len);
    assert_int_equal(rmi_message_read(false, buf->data, buf->len, &back), RM_OK);
    assert_int_equal(rm_runtime_data_type(back), rm_runtime_data_type(d));
    size_t n, m;
    const uint8_t *a = rm_runtime_data_bytes(d, &n), *b = rm_runtime_data_bytes(back, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    rm_runtime_data_unref(&back);
    rm_runtime_data_unref(&d);
    rmi_buf_unref(&buf);
}

static void each_kind_crosses(void **state) {
    (void)state;
    rm_runtime_data *json = NULL, *binary = NULL;
    rm_buf *bytes = NULL;
    assert_int_equal(rm_runtime_data_create_json("{\"a\":[1,2]}", 11, &json), RM_OK);
    assert_int_equal(rm_buf_copy("\0\xff\x10", 3, &bytes), RM_OK);
    assert_int_equal(rm_runtime_data_create_binary(bytes, 0, 3, &binary), RM_OK);
    rm_buf_unref(&bytes);
    there_and_back(json, "{\"type\":\"Json\",\"payload\":{\"a\":[1,2]}}");
    there_and_back(text("h\"i"), "{\"type\":\"Text\",\"payload\":\"h\\\"i\"}");
    there_and_back(binary, "{\"type\":\"Binary\",\"payload\":\"AP8Q\"}");
}

static void what_is_no_message_comes_as_it_is(void **state) {
    (void)state;
    static const char *const odd[] = {"hello", "{\"type\":\"Other\",\"payload\":1}", "[1]", "{\"payload\":1}", "7"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        rm_runtime_data *d = read_text(odd[i]);
        assert_int_equal(rm_runtime_data_text(d)->size, strlen(odd[i]));
        assert_string_equal(rm_runtime_data_text(d)->text, odd[i]);
        rm_runtime_data_unref(&d);
    }
    rm_runtime_data *d = NULL;
    assert_int_equal(rmi_message_read(true, (const uint8_t *)"{\"type\":1", 9, &d), RM_OK);
    assert_int_equal(rm_runtime_data_type(d), RM_DATA_BINARY);
    rm_runtime_data_unref(&d);
    assert_int_equal(rmi_message_read(false, (const uint8_t *)"\xff\xfe", 2, &d), RM_E_INVALID_ARG);
}

static void broken_payloads_are_refused(void **state) {
    (void)state;
    static const char *const broken[] = {"{\"type\":\"Text\",\"payload\":1}", "{\"type\":\"Binary\",\"payload\":\"A\"}",
                                         "{\"type\":\"Binary\",\"payload\":\"****\"}"};
    rm_runtime_data *d = NULL;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(rmi_message_read(false, (const uint8_t *)broken[i], strlen(broken[i]), &d), RM_E_PARSE);
}

/* Every length, and every byte turned, of each form: nothing but an error or some data. */
static void truncation_sweep(void **state) {
    (void)state;
    static const char *const whole[] = {"{\"type\":\"Json\",\"payload\":{\"a\":[1,\"\\u00e9\"]}}",
                                        "{\"type\":\"Text\",\"payload\":\"x\\u0000y\"}",
                                        "{\"type\":\"Binary\",\"payload\":\"AP8QAA==\"}"};
    for (size_t w = 0; w < sizeof whole / sizeof *whole; w++)
        for (size_t n = 0; n <= strlen(whole[w]); n++)
            for (int flip = 0; flip < 2; flip++) {
                uint8_t *copy = malloc(n + 1);
                rm_runtime_data *d = NULL;
                assert_non_null(copy);
                memcpy(copy, whole[w], n);
                if (flip && n)
                    copy[n - 1] ^= 0x81;
                rmi_message_read(false, copy, n, &d);
                rm_runtime_data_unref(&d);
                rmi_message_read(true, copy, n, &d);
                rm_runtime_data_unref(&d);
                free(copy);
            }
}

static void other_spellings_are_read(void **state) {
    (void)state;
    static const struct {
        const char *wire, *bytes;
        rm_data_type type;
    } same[] = {{"{ \"payload\" : \"AP8Q\", \"type\" : \"Binary\" }", "\0\xff\x10", RM_DATA_BINARY},
                {"{\"type\":\"Binary\",\"payload\":\"AP\\u0038Q\"}", "\0\xff\x10", RM_DATA_BINARY},
                {"{\"type\":\"Binary\",\"payload\":\"AP8Q\",\"more\":1}", "\0\xff\x10", RM_DATA_BINARY},
                {"{\"type\":\"Text\",\"payload\": \"abc\" }", "abc", RM_DATA_TEXT},
                {"{\"type\":\"Json\",\"payload\":\t123}", "123", RM_DATA_JSON}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        size_t n;
        rm_runtime_data *d = read_text(same[i].wire);
        assert_int_equal(rm_runtime_data_type(d), same[i].type);
        assert_memory_equal(rm_runtime_data_bytes(d, &n), same[i].bytes, 3);
        assert_int_equal(n, 3);
        rm_runtime_data_unref(&d);
    }
    rm_runtime_data *d = read_text("{\"type\":\"Text\",\"payload\":\"a\",\"payload\":\"b\"}"); /* no message */
    assert_int_equal(rm_runtime_data_text(d)->raw_size, 43);
    rm_runtime_data_unref(&d);
}

/* RemoteMedia's limit is of the payload, whatever it grows to on the wire. */
static void payloads_of_16_mib_are_the_longest(void **state) {
    (void)state;
    static char bytes[RM_MESSAGE_PAYLOAD_MAX + 1];
    for (int kind = 0; kind < 3; kind++)
        for (size_t size = RM_MESSAGE_PAYLOAD_MAX; size <= RM_MESSAGE_PAYLOAD_MAX + 1; size++) {
            rm_runtime_data *d = NULL, *back = NULL;
            rm_buf *buf = NULL;
            struct rmi_buf *wire = NULL;
            memset(bytes, kind == 1 ? '\n' : 'x', sizeof bytes);
            if (kind == 0) {
                bytes[0] = bytes[size - 1] = '"';
                if (size > RM_MESSAGE_PAYLOAD_MAX) /* JSON has no longer one anyway */
                    continue;
                assert_int_equal(rm_runtime_data_create_json(bytes, size, &d), RM_OK);
            } else if (kind == 1) {
                memset(bytes, 'y', size * 3 / 4); /* every fourth grows to two */
                assert_int_equal(rm_runtime_data_create_text(bytes, size, NULL, &d), RM_OK);
            } else {
                assert_int_equal(rm_buf_copy(bytes, size, &buf), RM_OK);
                assert_int_equal(rm_runtime_data_create_binary(buf, 0, size, &d), RM_OK);
                rm_buf_unref(&buf);
            }
            const rm_err want = size > RM_MESSAGE_PAYLOAD_MAX ? RM_E_TOO_BIG : RM_OK;
            assert_int_equal(rmi_message_write(d, &wire), want);
            if (!want) {
                size_t n;
                assert_true(wire->len <= RM_MESSAGE_BYTES_MAX);
                assert_int_equal(rmi_message_read(false, wire->data, wire->len, &back), RM_OK);
                assert_memory_equal(rm_runtime_data_bytes(back, &n), bytes, size);
                assert_int_equal(n, size);
            }
            rmi_buf_unref(&wire);
            rm_runtime_data_unref(&back);
            rm_runtime_data_unref(&d);
        }
    rm_runtime_data *d = NULL;
    assert_int_equal(rmi_message_read(true, (const uint8_t *)bytes, sizeof bytes, &d), RM_E_TOO_BIG);
    assert_int_equal(rmi_message_read(false, (const uint8_t *)bytes, sizeof bytes, &d), RM_E_TOO_BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_crosses),           cmocka_unit_test(what_is_no_message_comes_as_it_is),
        cmocka_unit_test(broken_payloads_are_refused), cmocka_unit_test(truncation_sweep),
        cmocka_unit_test(other_spellings_are_read),    cmocka_unit_test(payloads_of_16_mib_are_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
