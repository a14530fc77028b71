/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webrtc/message.h"
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_crosses),
        cmocka_unit_test(what_is_no_message_comes_as_it_is),
        cmocka_unit_test(broken_payloads_are_refused),
        cmocka_unit_test(truncation_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
