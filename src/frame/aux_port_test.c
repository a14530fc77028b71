/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/base64.h"

#include <remotemedia/data_json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 section 10. */
static void base64_vectors(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[16] = "";
        uint8_t back[16];
        size_t size = 99;
        rmi_base64_encode((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(rmi_base64_encoded_size(strlen(pairs[i][0])), strlen(text));
        assert_int_equal(rmi_base64_decode(text, strlen(text), back, &size), RM_OK);
        assert_int_equal(size, strlen(pairs[i][0]));
        assert_memory_equal(back, pairs[i][0], size);
    }
    static const char *const broken[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v=", "Zh==", "Zm9=", "Zg=a", "Zm 9v", "Zm9v\n", "Zm-_"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        uint8_t back[16];
        size_t size = 0;
        assert_int_equal(rmi_base64_decode(broken[i], strlen(broken[i]), back, &size), RM_E_PARSE);
    }
}

static void base64_of_every_byte(void **state) {
    (void)state;
    uint8_t bytes[256], back[258];
    char text[344];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t size = 0;
        rmi_base64_encode(bytes, n, text);
        assert_int_equal(rmi_base64_decode(text, rmi_base64_encoded_size(n), back, &size), RM_OK);
        assert_int_equal(size, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void expect_envelope(const char *port, rm_runtime_data *payload, const char *json) {
    rm_runtime_data *d = NULL, *inner = NULL;
    assert_int_equal(rm_runtime_data_create_aux(port, payload, &d), RM_OK);
    assert_string_equal(rm_runtime_data_json(d), json);
    assert_string_equal(rm_runtime_data_aux_port(d), port);
    assert_int_equal(rm_runtime_data_aux_payload(d, &inner), RM_OK);
    assert_int_equal(rm_runtime_data_type(inner), rm_runtime_data_type(payload));
    size_t a = 0, b = 0;
    const uint8_t *x = rm_runtime_data_bytes(inner, &a), *y = rm_runtime_data_bytes(payload, &b);
    assert_int_equal(a, b);
    assert_memory_equal(x, y, a);
    rm_runtime_data_unref(&inner);
    rm_runtime_data_unref(&d);
    rm_runtime_data_unref(&payload);
}

static void payloads(void **state) {
    (void)state;
    rm_runtime_data *d = NULL;
    rm_buf *buf = NULL;
    assert_int_equal(rm_runtime_data_create_json("{\"text\":1}", 10, &d), RM_OK);
    expect_envelope("barge_in", d, "{\"__aux_port__\":\"barge_in\",\"payload\":{\"text\":1}}");
    assert_int_equal(rm_runtime_data_create_json("null", 4, &d), RM_OK);
    expect_envelope("p", d, "{\"__aux_port__\":\"p\",\"payload\":null}");
    assert_int_equal(rm_runtime_data_create_text("stop", 4, "log", &d), RM_OK);
    expect_envelope("p", d, "{\"__aux_port__\":\"p\",\"payload\":{\"text\":\"\\u0000\\u0003logstop\"}}");
    assert_int_equal(rm_buf_copy("\xFF\0", 2, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_binary(buf, 0, 2, &d), RM_OK);
    expect_envelope("p", d, "{\"__aux_port__\":\"p\",\"payload\":{\"binary_b64\":\"/wA=\"}}");
    assert_int_equal(rm_runtime_data_create_binary(buf, 0, 0, &d), RM_OK);
    expect_envelope("p", d, "{\"__aux_port__\":\"p\",\"payload\":{\"binary_b64\":\"\"}}");

    rm_runtime_data *none = NULL;
    assert_int_equal(rm_runtime_data_create_tensor(buf, 0, 2, NULL, 0, 0, &d), RM_OK);
    assert_int_equal(rm_runtime_data_create_aux("p", d, &none), RM_E_UNSUPPORTED);
    assert_int_equal(rm_runtime_data_create_aux("", d, &none), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_aux_payload(d, &none), RM_E_INVALID_ARG);
    assert_null(rm_runtime_data_aux_port(d));
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void envelopes_of_others(void **state) {
    (void)state;
    static const char *const none[] = {"{\"__aux_port__\":\"p\"}",
                                       "{\"payload\":1}",
                                       "[]",
                                       "7",
                                       "{\"__aux_port__\":7,\"payload\":1}",
                                       "{\"__aux_port__\":\"\",\"payload\":1}",
                                       "{\"__aux_port__\":\"a\\u0000\",\"payload\":1}"};
    rm_runtime_data *d = NULL, *inner = NULL;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(rm_runtime_data_create_json(none[i], strlen(none[i]), &d), RM_OK);
        assert_null(rm_runtime_data_aux_port(d));
        assert_int_equal(rm_runtime_data_aux_payload(d, &inner), RM_E_INVALID_ARG);
        rm_runtime_data_unref(&d);
    }
    static const char broken[] = "{\"__aux_port__\":\"p\",\"payload\":{\"binary_b64\":\"?\"}}";
    assert_int_equal(rm_runtime_data_create_json(broken, sizeof broken - 1, &d), RM_OK);
    assert_int_equal(rm_runtime_data_aux_payload(d, &inner), RM_E_PARSE);
    rm_runtime_data_unref(&d);
    static const char two[] = "{\"__aux_port__\":\"p\",\"payload\":{\"text\":\"a\",\"lang\":\"en\"}}";
    assert_int_equal(rm_runtime_data_create_json(two, sizeof two - 1, &d), RM_OK);
    assert_int_equal(rm_runtime_data_aux_payload(d, &inner), RM_OK);
    assert_string_equal(rm_runtime_data_json(inner), "{\"text\":\"a\",\"lang\":\"en\"}");
    rm_runtime_data_unref(&inner);
    rm_runtime_data_unref(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_of_every_byte),
        cmocka_unit_test(payloads),
        cmocka_unit_test(envelopes_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
