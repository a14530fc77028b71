/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/ws_handshake.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const char request[] = "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: WebSocket\r\n"
                              "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key:" KEY " \r\n"
                              "Origin: http://example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n";

static struct rmi_http_reader reader;
static struct rmi_http_head head;

/* From a copy on the heap in pieces of `step`, so that a read past the end is seen. */
static rm_err read_head(const char *data, size_t len, size_t step, bool response) {
    rm_err err = RM_E_AGAIN;
    reader = (struct rmi_http_reader){0};
    for (size_t at = 0; at < len && err == RM_E_AGAIN; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, data + at, n);
        struct rmi_rd r = rmi_rd_init(piece, n);
        err = rmi_http_read(&reader, &r);
        free(piece);
    }
    if (err != RM_OK)
        return err;
    return response ? rmi_http_parse_response(&reader, &head) : rmi_http_parse_request(&reader, &head);
}

static int judge(const char *text) {
    char accept[RMI_WS_ACCEPT_TEXT];
    rm_err err = read_head(text, strlen(text), strlen(text), false);
    return err == RM_OK ? rmi_ws_check_request(&head, accept) : (int)err;
}

/* The request with `from` replaced. */
static int judge_with(const char *from, const char *to) {
    char text[1024];
    const char *at = strstr(request, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - request), request, to, at + strlen(from));
    return judge(text);
}

static void the_example_of_the_rfc_is_accepted(void **state) {
    (void)state;
    char accept[RMI_WS_ACCEPT_TEXT], detail[128];
    for (size_t step = 1; step < sizeof request; step++) {
        assert_int_equal(read_head(request, sizeof request - 1, step, false), RM_OK);
        assert_int_equal(head.target.len, 9);
        assert_int_equal(head.field_n, 6);
        assert_int_equal(rmi_ws_check_request(&head, accept), RMI_HTTP_SWITCHING);
        assert_string_equal(accept, ACCEPT);
    }
    assert_int_equal(read_head(answer, sizeof answer - 1, 10, true), RM_OK);
    assert_int_equal(rmi_ws_check_answer(&head, KEY, detail, sizeof detail), RM_OK);
    char key[RMI_WS_KEY_TEXT];
    rmi_ws_key((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, KEY);
}

static void what_follows_the_head_is_left(void **state) {
    (void)state;
    char data[sizeof answer + 3];
    memcpy(data, answer, sizeof answer - 1);
    memcpy(data + sizeof answer - 1, "\x81\x01x", 3);
    struct rmi_rd r = rmi_rd_init(data, sizeof answer - 1 + 3);
    reader = (struct rmi_http_reader){0};
    assert_int_equal(rmi_http_read(&reader, &r), RM_OK);
    assert_int_equal(rmi_rd_left(&r), 3);
}

static void faulty_requests_get_their_status(void **state) {
    (void)state;
    assert_int_equal(judge(request), RMI_HTTP_SWITCHING);
    assert_int_equal(judge_with("Upgrade: WebSocket\r\n", ""), RMI_HTTP_OK);
    assert_int_equal(judge_with("keep-alive, Upgrade", "keep-alive"), RMI_HTTP_OK);
    assert_int_equal(judge_with("keep-alive, Upgrade", "Upgraded"), RMI_HTTP_OK);
    assert_int_equal(judge_with("GET", "POST"), RMI_HTTP_METHOD);
    assert_int_equal(judge_with("GET", "get"), RMI_HTTP_METHOD);
    assert_int_equal(judge_with("Version: 13", "Version: 8"), RMI_HTTP_UPGRADE_REQUIRED);
    assert_int_equal(judge_with("Sec-WebSocket-Version: 13\r\n", ""), RMI_HTTP_UPGRADE_REQUIRED);
    assert_int_equal(judge_with("Host: server.example.com\r\n", ""), RMI_HTTP_BAD_REQUEST);
}

static void faulty_keys_and_heads_are_refused(void **state) {
    (void)state;
    static const char *const keys[] = {"",
                                       "dGhlIHNhbXBsZSBub25jZQ=",
                                       "dGhlIHNhbXBsZSBub25jZQ===",
                                       "dGhlIHNhbXBsZSBub25jZQ=!",
                                       "dGhlIHNhbXBsZSBub25j!Q==",
                                       KEY KEY};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(judge_with(KEY, keys[i]), RMI_HTTP_BAD_REQUEST);
    assert_int_equal(judge_with("Origin:", "Sec-WebSocket-Key: " KEY "\r\nOrigin:"), RMI_HTTP_BAD_REQUEST);
    assert_int_equal(judge_with("Origin:", "Host: other\r\nOrigin:"), RMI_HTTP_BAD_REQUEST);
    static const char *const heads[] = {
        "\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nY: z\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\rY: z\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\x01\r\n\r\n",
        "\x16\x03\x01\x02", /* the beginning of TLS */
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        assert_int_equal(judge(heads[i]), RM_E_PARSE);
}

static void faulty_answers_are_refused(void **state) {
    (void)state;
    static const char tail[] = "upgrade: websocket\r\nconnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n";
    static const struct {
        const char *first, *more;
        rm_err parse, verdict;
    } cases[] = {
        {"HTTP/1.1 101 ", "", RM_OK, RM_OK},
        {"HTTP/1.1 101", "", RM_OK, RM_OK},
        {"HTTP/1.1 200 OK", "", RM_OK, RM_E_SIGNALING},
        {"HTTP/1.1 302 Found", "Location: /\r\n", RM_OK, RM_E_SIGNALING},
        {"HTTP/1.1 101 x", "Sec-WebSocket-Extensions: permessage-deflate\r\n", RM_OK, RM_E_SIGNALING},
        {"HTTP/1.1 101 x", "Sec-WebSocket-Protocol: chat\r\n", RM_OK, RM_E_SIGNALING},
        {"HTTP/1.1 101 x", "Sec-WebSocket-Accept: " ACCEPT "\r\n", RM_OK, RM_E_SIGNALING}, /* twice */
        {"HTTP/1.1 1011", "", RM_E_PARSE, RM_OK},
        {"HTTP/1.1 10", "", RM_E_PARSE, RM_OK},
        {"HTTP/1.1 abc", "", RM_E_PARSE, RM_OK},
        {"HTTP/1.0 101 x", "", RM_E_PARSE, RM_OK},
        {"SSH-2.0-x", "", RM_E_PARSE, RM_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512], detail[128] = "";
        int n = snprintf(text, sizeof text, "%s\r\n%s%s\r\n", cases[i].first, cases[i].more, tail);
        assert_int_equal(read_head(text, (size_t)n, (size_t)n, true), cases[i].parse);
        if (cases[i].parse == RM_OK)
            assert_int_equal(rmi_ws_check_answer(&head, KEY, detail, sizeof detail), cases[i].verdict);
    }
    char other[sizeof answer], detail[128];
    memcpy(other, answer, sizeof answer);
    *strstr(other, "s3pP") = 'S'; /* case counts here */
    assert_int_equal(read_head(other, sizeof other - 1, 50, true), RM_OK);
    assert_int_equal(rmi_ws_check_answer(&head, KEY, detail, sizeof detail), RM_E_SIGNALING);
}

static void sizes_are_limited(void **state) {
    (void)state;
    char text[RMI_HTTP_HEAD_MAX + 64];
    int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: ");
    memset(text + n, 'x', sizeof text - (size_t)n);
    assert_int_equal(read_head(text, sizeof text, 1000, false), RM_E_TOO_BIG);
    memcpy(text + RMI_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(read_head(text, RMI_HTTP_HEAD_MAX, 1000, false), RM_OK);
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < RMI_HTTP_FIELDS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "a:\r\n");
    memcpy(text + n, "\r\n", 3);
    assert_int_equal(read_head(text, (size_t)n + 2, 1000, false), RM_OK);
    memcpy(text + n, "a:\r\n\r\n", 7);
    assert_int_equal(read_head(text, (size_t)n + 6, 1000, false), RM_E_TOO_BIG);
}

static void truncated_and_damaged_heads_do_no_harm(void **state) {
    (void)state;
    char accept[RMI_WS_ACCEPT_TEXT], detail[128], data[sizeof request];
    for (int response = 0; response < 2; response++) {
        const char *text = response ? answer : request;
        size_t full = strlen(text);
        for (size_t len = 0; len < full; len++)
            assert_int_equal(read_head(text, len, len ? len : 1, response), RM_E_AGAIN);
        for (size_t i = 0; i < full; i++) {
            for (int bit = 0; bit < 9; bit++) {
                memcpy(data, text, full);
                data[i] = (char)(bit < 8 ? data[i] ^ (1 << bit) : ~data[i]);
                if (read_head(data, full, full, response) != RM_OK)
                    continue;
                if (response)
                    (void)rmi_ws_check_answer(&head, KEY, detail, sizeof detail);
                else
                    (void)rmi_ws_check_request(&head, accept);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_is_accepted),
        cmocka_unit_test(what_follows_the_head_is_left),
        cmocka_unit_test(faulty_requests_get_their_status),
        cmocka_unit_test(faulty_keys_and_heads_are_refused),
        cmocka_unit_test(faulty_answers_are_refused),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(truncated_and_damaged_heads_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
