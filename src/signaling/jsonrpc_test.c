/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "signaling/jsonrpc.h"
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static rm_err parse(const char *text, struct rmi_rpc *out) {
    return rmi_rpc_parse(text, strlen(text), out);
}

static void a_call_with_params_is_read(void **state) {
    (void)state;
    struct rmi_rpc rpc;
    assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"peer.offer\",\"params\":{\"to\":\"b\"}}", &rpc),
                     RM_OK);
    assert_int_equal(rpc.kind, RMI_RPC_CALL);
    assert_string_equal(rpc.method, "peer.offer");
    assert_true(rmi_rpc_id_is(rpc.id, 7));
    assert_string_equal(json_string_value(json_object_get(rpc.params, "to")), "b");
    rmi_rpc_fini(&rpc);
}

static void missing_jsonrpc_null_id_and_null_params_are_accepted(void **state) {
    (void)state;
    struct rmi_rpc rpc;
    assert_int_equal(parse("{\"method\":\"m\",\"id\":null,\"params\":null}", &rpc), RM_OK);
    assert_null(rpc.id);
    assert_null(rpc.params);
    rmi_rpc_fini(&rpc);
}

static void results_and_errors_are_told_apart(void **state) {
    (void)state;
    struct rmi_rpc rpc;
    assert_int_equal(parse("{\"id\":\"12\",\"result\":{\"a\":1},\"error\":null}", &rpc), RM_OK);
    assert_int_equal(rpc.kind, RMI_RPC_RESULT);
    assert_true(rmi_rpc_id_is(rpc.id, 12));
    rmi_rpc_fini(&rpc);
    assert_int_equal(
        parse("{\"id\":3.0,\"error\":{\"code\":-32001,\"message\":\"full\",\"data\":{\"max_peers\":10}}}", &rpc),
        RM_OK);
    assert_int_equal(rpc.kind, RMI_RPC_ERROR);
    assert_true(rmi_rpc_id_is(rpc.id, 3));
    assert_int_equal(rpc.code, -32001);
    assert_string_equal(rpc.message, "full");
    assert_non_null(rpc.data);
    rmi_rpc_fini(&rpc);
    assert_int_equal(parse("{\"id\":null,\"error\":\"broken\"}", &rpc), RM_OK);
    assert_string_equal(rpc.message, "broken");
    rmi_rpc_fini(&rpc);
    assert_int_equal(parse("{\"error\":{}}", &rpc), RM_OK);
    assert_string_equal(rpc.message, "");
    rmi_rpc_fini(&rpc);
}

static void what_is_no_message_is_named_as_such(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rm_err err;
    } rows[] = {
        {"", RM_E_PARSE},
        {"{", RM_E_PARSE},
        {"{]", RM_E_PARSE},
        {"}", RM_E_PARSE},
        {"{\"a\":\"", RM_E_PARSE},
        {"{\"a\":\"\\", RM_E_PARSE},
        {"{\"method\":\"m\",\"method\":\"n\"}", RM_E_PARSE}, /* duplicate key */
        {"{\"method\":\"\xff\"}", RM_E_PARSE},
        {"{\"method\":\"a\\u0000b\"}", RM_E_PARSE},
        {"{\"method\":\"m\"} x", RM_E_PARSE},
        {"{\"id\":99999999999999999999999}", RM_E_PARSE},
        {"[]", RM_E_RPC_INVALID_REQUEST},
        {"[{\"method\":\"m\"}]", RM_E_RPC_INVALID_REQUEST},
        {"5", RM_E_RPC_INVALID_REQUEST},
        {"{}", RM_E_RPC_INVALID_REQUEST},
        {"{\"id\":1}", RM_E_RPC_INVALID_REQUEST},
        {"{\"id\":1,\"error\":5}", RM_E_RPC_INVALID_REQUEST},
        {"{\"id\":1,\"method\":5}", RM_E_RPC_INVALID_REQUEST},
        {"{\"id\":1,\"method\":\"m\",\"params\":[1]}", RM_E_RPC_INVALID_PARAMS},
        {"{\"id\":1,\"method\":\"m\",\"params\":\"x\"}", RM_E_RPC_INVALID_PARAMS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rmi_rpc rpc;
        assert_int_equal(parse(rows[i].text, &rpc), rows[i].err);
        rmi_rpc_fini(&rpc);
    }
    struct rmi_rpc rpc;
    assert_int_equal(rmi_rpc_parse("{\"id\":1}\0", 9, &rpc), RM_E_PARSE);
    rmi_rpc_fini(&rpc);
}

static char *repeat(const char *head, char c, size_t n, const char *tail, size_t *len) {
    const size_t h = strlen(head), t = strlen(tail);
    char *out = malloc(h + n + t + 1);
    assert_non_null(out);
    memcpy(out, head, h);
    memset(out + h, c, n);
    memcpy(out + h + n, tail, t + 1);
    *len = h + n + t;
    return out;
}

static void expect_scan(const char *head, char c, size_t n, const char *tail, rm_err want) {
    size_t len;
    char *text = repeat(head, c, n, tail, &len);
    assert_int_equal(rmi_json_scan(text, len), want);
    free(text);
}

static void nesting_is_limited(void **state) {
    (void)state;
    char text[2 * 65 + 1];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    json_t *root = NULL;
    assert_int_equal(rmi_json_parse(text + 1, 128, &root), RM_OK); /* 64 levels */
    json_decref(root);
    assert_int_equal(rmi_json_parse(text, 130, &root), RM_E_TOO_BIG);
    expect_scan("", '[', 100000, "", RM_E_TOO_BIG);
    expect_scan("{\"a\":", '[', 100000, "", RM_E_TOO_BIG);
}

static void numbers_keys_values_and_size_are_limited(void **state) {
    (void)state;
    expect_scan("[", '1', 32, "]", RM_OK);
    expect_scan("[", '1', 33, "]", RM_E_TOO_BIG);
    expect_scan("[", '9', 200000, "]", RM_E_TOO_BIG);
    expect_scan("[", '9', 1000000, "]", RM_E_TOO_BIG);
    expect_scan("{\"", 'k', 256, "\":1}", RM_OK);
    expect_scan("{\"", 'k', 257, "\":1}", RM_E_TOO_BIG);
    expect_scan("{\"", 'k', 257, "\"  \n :1}", RM_E_TOO_BIG);
    expect_scan("[\"", 'v', 100000, "\"]", RM_OK);
    expect_scan("[\"", '1', 100000, "\"]", RM_OK); /* digits in a string are no number */
    expect_scan("[", ',', RMI_JSON_MAX_VALUES, "]", RM_E_TOO_BIG);
    expect_scan("[\"", 'v', RMI_JSON_MAX_MESSAGE - 4, "\"]", RM_OK);
    expect_scan("[\"", 'v', RMI_JSON_MAX_MESSAGE - 3, "\"]", RM_E_TOO_BIG);
    expect_scan("[\"\\\"", 'v', 10, "\"]", RM_OK);
    expect_scan("[\"\\\\\"", ' ', 10, "]", RM_OK);
}

static void every_code_has_its_error_and_back(void **state) {
    (void)state;
    static const int codes[] = {-32700, -32600, -32601, -32602, -32603, -32000, -32001,
                                -32002, -32003, -32004, -32005, -32006, -32007};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const rm_err err = rmi_rpc_err_of_code(codes[i]);
        assert_int_not_equal(err, RM_E_RPC_OTHER);
        assert_int_equal(rmi_rpc_code_of_err(err), codes[i]);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(rmi_rpc_err_of_code(codes[k]), err);
    }
    assert_int_equal(rmi_rpc_err_of_code(-32099), RM_E_RPC_OTHER);
    assert_int_equal(rmi_rpc_err_of_code(INT64_MIN), RM_E_RPC_OTHER);
    assert_int_equal(rmi_rpc_code_of_err(RM_E_IO), RMI_RPC_INTERNAL);
}

static void ids_of_every_type_are_compared_safely(void **state) {
    (void)state;
    static const char *const none[] = {"true",  "[]",  "{}", "\"\"", "\"x1\"", "\"99999999999999999999\"",
                                       "1e300", "1.5", "-1"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        json_t *id = NULL;
        assert_int_equal(rmi_json_parse(none[i], strlen(none[i]), &id), RM_OK);
        assert_false(rmi_rpc_id_is(id, 1));
        assert_false(rmi_rpc_id_is(id, -1));
        json_decref(id);
    }
    assert_false(rmi_rpc_id_is(NULL, 0));
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    size_t len = 0;
    struct rmi_rpc rpc;
    char *text = rmi_rpc_write_request("peer.announce", 9, json_pack("{s:s}", "peer_id", "a"), &len);
    assert_string_equal(text,
                        "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a\"}}");
    assert_int_equal(len, strlen(text));
    free(text);
    text = rmi_rpc_write_notification("peer.left", NULL, &len);
    assert_string_equal(text, "{\"jsonrpc\":\"2.0\",\"method\":\"peer.left\",\"params\":{}}");
    free(text);
    text = rmi_rpc_write_result(NULL, NULL, &len);
    assert_string_equal(text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}");
    free(text);
    json_t *id = json_string("u-1");
    text = rmi_rpc_write_error(id, RMI_RPC_SESSION_LIMIT, "full", json_pack("{s:i}", "max_peers", 10), &len);
    json_decref(id);
    assert_int_equal(rmi_rpc_parse(text, len, &rpc), RM_OK);
    assert_int_equal(rpc.code, -32001);
    assert_string_equal(json_string_value(rpc.id), "u-1");
    rmi_rpc_fini(&rpc);
    free(text);
    assert_null(rmi_rpc_write_request("\xff", 1, NULL, &len));
}

/* From a heap block of exactly the length, so that the sanitizer sees each read past the end. */
static rm_err parse_copy(const char *text, size_t len) {
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    struct rmi_rpc rpc;
    const rm_err err = rmi_rpc_parse(copy, len, &rpc);
    rmi_rpc_fini(&rpc);
    free(copy);
    return err;
}

static void cut_and_damaged_messages_do_no_harm(void **state) {
    (void)state;
    static const char *const samples[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"peer.offer\",\"params\":{\"to\":\"b\",\"sdp\":\"v=0\\r\\n\\u00e9\"}"
        "}",
        "{\"id\":3.5e2,\"error\":{\"code\":-32001,\"message\":\"full\",\"data\":[true,false,null,{\"x\":[]}]}}",
    };
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        char text[256];
        const size_t len = strlen(samples[s]);
        for (size_t n = 0; n < len; n++)
            assert_int_not_equal(parse_copy(samples[s], n), RM_OK);
        for (size_t at = 0; at < len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                memcpy(text, samples[s], len);
                text[at] = (char)value;
                const rm_err err = parse_copy(text, len);
                assert_true(err == RM_OK || err == RM_E_PARSE || err == RM_E_RPC_INVALID_REQUEST ||
                            err == RM_E_RPC_INVALID_PARAMS);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_with_params_is_read),
        cmocka_unit_test(missing_jsonrpc_null_id_and_null_params_are_accepted),
        cmocka_unit_test(results_and_errors_are_told_apart),
        cmocka_unit_test(what_is_no_message_is_named_as_such),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(numbers_keys_values_and_size_are_limited),
        cmocka_unit_test(every_code_has_its_error_and_back),
        cmocka_unit_test(ids_of_every_type_are_compared_safely),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(cut_and_damaged_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
