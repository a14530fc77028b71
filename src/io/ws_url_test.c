/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/ws_url.h"
#include <stdio.h>
#include <string.h>

struct good {
    const char *url, *host, *header, *path;
    bool tls, is_ipv6;
    uint16_t port;
};

static void urls_are_taken_apart(void **state) {
    (void)state;
    static const struct good cases[] = {
        {"ws://example.org", "example.org", "example.org", "/", false, false, 80},
        {"WSS://example.org/", "example.org", "example.org", "/", true, false, 443},
        {"ws://example.org:8080/a/b?c=d&e", "example.org", "example.org:8080", "/a/b?c=d&e", false, false, 8080},
        {"ws://example.org:80/", "example.org", "example.org", "/", false, false, 80},
        {"wss://example.org:80?x", "example.org", "example.org:80", "/?x", true, false, 80},
        {"wss://[2001:db8::1]:8443/x", "2001:db8::1", "[2001:db8::1]:8443", "/x", true, true, 8443},
        {"ws://[::1]", "::1", "[::1]", "/", false, true, 80},
        {"ws://127.0.0.1:65535/", "127.0.0.1", "127.0.0.1:65535", "/", false, false, 65535},
        {"ws://host/@:8", "host", "host", "/@:8", false, false, 80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rmi_ws_url url;
        assert_int_equal(rmi_ws_url_parse(cases[i].url, &url), RM_OK);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.header, cases[i].header);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.is_ipv6, cases[i].is_ipv6);
        assert_int_equal(url.port, cases[i].port);
    }
}

static void faulty_urls_are_refused(void **state) {
    (void)state;
    static const char *const cases[] = {"",
                                        "ws:",
                                        "ws://",
                                        "ws:///path",
                                        "http://example.org/",
                                        "example.org",
                                        "ws://user@example.org/",
                                        "ws://example.org:",
                                        "ws://example.org:0",
                                        "ws://example.org:65536",
                                        "ws://example.org:99999999999999999999",
                                        "ws://example.org:-1",
                                        "ws://example.org:8x",
                                        "ws://[::1",
                                        "ws://[]",
                                        "ws://[::1]x",
                                        "ws://example.org/#fragment",
                                        "ws://example.org/a b",
                                        "ws://example.org/\r\nX-Injected: 1",
                                        "ws://ex\xc3\xa4mple.org/"};
    struct rmi_ws_url url;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(rmi_ws_url_parse(cases[i], &url), RM_E_CONFIG);
    assert_int_equal(rmi_ws_url_parse(NULL, &url), RM_E_CONFIG);
    char text[2 * RMI_WS_PATH_MAX];
    memset(text, 'a', sizeof text);
    memcpy(text, "ws://", 5);
    text[5 + RMI_WS_HOST_MAX] = '\0'; /* one too many */
    assert_int_equal(rmi_ws_url_parse(text, &url), RM_E_CONFIG);
    text[5 + RMI_WS_HOST_MAX - 1] = '\0';
    assert_int_equal(rmi_ws_url_parse(text, &url), RM_OK);
    memset(text, 'a', sizeof text);
    memcpy(text, "ws://a/", 7);
    text[6 + RMI_WS_PATH_MAX] = '\0';
    assert_int_equal(rmi_ws_url_parse(text, &url), RM_E_CONFIG);
    text[6 + RMI_WS_PATH_MAX - 1] = '\0';
    assert_int_equal(rmi_ws_url_parse(text, &url), RM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(faulty_urls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
