/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/ws_test.h"
#include "webrtc/signaling_host.h"

static const struct rmi_web_file files[] = {
    {"/", "text/html; charset=utf-8", "<p>page", 7},
    {"/app.js", "text/javascript; charset=utf-8", "a\0b", 3},
    {"/empty.css", "text/css; charset=utf-8", "", 0},
};

struct site {
    struct rmi_loop *loop;
    struct rmi_signaling_host *host;
    char answer[8192];
    ssize_t n;
};

static void open_site(struct site *s, size_t file_n) {
    *s = (struct site){0};
    const struct rmi_signaling_host_config config = {.host = "127.0.0.1", .files = files, .file_n = file_n};
    assert_int_equal(rmi_loop_create(&s->loop), RM_OK);
    assert_int_equal(rmi_signaling_host_create(s->loop, &config, &s->host), RM_OK);
}

static void close_site(struct site *s) {
    rmi_signaling_host_destroy(&s->host);
    rmi_loop_destroy(&s->loop);
}

/* The body, with its length in s->n. */
static const char *get(struct site *s, const char *target) {
    char request[256];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    s->n = ws_test_exchange(s->loop, rmi_signaling_host_port(s->host), request, (size_t)len, (size_t)len, s->answer,
                            sizeof s->answer);
    const char *body = strstr(s->answer, "\r\n\r\n");
    assert_non_null(body);
    s->n -= body + 4 - s->answer;
    return body + 4;
}

static void files_are_served_with_type_and_policy(void **state) {
    (void)state;
    struct site s;
    open_site(&s, 3);
    assert_string_equal(get(&s, "/"), "<p>page");
    assert_non_null(strstr(s.answer, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
    const char *policy = strstr(s.answer, "\r\nContent-Security-Policy: default-src 'none'; ");
    assert_non_null(policy);
    assert_null(strstr(policy, "unsafe"));
    assert_null(strstr(policy, "*"));
    assert_non_null(strstr(s.answer, "\r\nReferrer-Policy: no-referrer\r\n"));
    assert_non_null(strstr(s.answer, "\r\nCache-Control: no-cache\r\n"));
    assert_string_equal(get(&s, "/?room=r&name=n"), "<p>page");
    assert_memory_equal(get(&s, "/app.js"), "a\0b", 3); /* bytes, not a string */
    assert_int_equal(s.n, 3);
    assert_non_null(strstr(s.answer, "\r\nContent-Type: text/javascript; charset=utf-8\r\n"));
    get(&s, "/empty.css");
    assert_memory_equal(s.answer, "HTTP/1.1 200 ", 13);
    assert_int_equal(s.n, 0);
    close_site(&s);
}

static void nothing_else_is_served(void **state) {
    static const char *const targets[] = {
        "/ws",        "/index.html", "/app",      "/app.js/",       "//app.js",
        "/../app.js", "/./app.js",   "/%61pp.js", "/etc/../app.js", "/../../etc/passwd"};
    (void)state;
    struct site s;
    open_site(&s, 3);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        assert_string_equal(get(&s, targets[i]), "404 Not Found\n");
        assert_memory_equal(s.answer, "HTTP/1.1 404 ", 13);
    }
    close_site(&s);
    open_site(&s, 0);
    assert_string_equal(get(&s, "/"), "404 Not Found\n");
    close_site(&s);
}

struct client {
    int open, got;
    char text[256];
};

static void on_open(void *ctx) {
    ((struct client *)ctx)->open = 1;
}

static void on_text(void *ctx, const char *text, size_t len) {
    struct client *c = ctx;
    (void)len;
    c->got = 1;
    snprintf(c->text, sizeof c->text, "%s", text);
}

static void on_close(void *ctx, rm_err why, const char *detail) {
    (void)ctx;
    fail_msg("closed: %s %s", rm_err_name(why), detail);
}

static void the_page_and_the_websocket_share_the_port(void **state) {
    static const char announce[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peer.announce\",\"params\":"
                                   "{\"peer_id\":\"a\",\"capabilities\":[]}}";
    (void)state;
    struct site s;
    open_site(&s, 3);
    struct client c = {0};
    struct rmi_ws *ws = NULL;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", rmi_signaling_host_port(s.host));
    const struct rmi_ws_config config = {
        .url = url, .cb = {.ctx = &c, .on_open = on_open, .on_text = on_text, .on_close = on_close}};
    assert_int_equal(rmi_ws_connect(s.loop, &config, &ws), RM_OK);
    assert_int_equal(wait_for(s.loop, &c.open), RM_OK);
    assert_string_equal(get(&s, "/"), "<p>page");
    assert_int_equal(rmi_ws_send(ws, announce, sizeof announce - 1), RM_OK);
    assert_int_equal(wait_for(s.loop, &c.got), RM_OK);
    assert_non_null(strstr(c.text, "\"success\":true"));
    rmi_ws_close(&ws);
    close_site(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_served_with_type_and_policy),
        cmocka_unit_test(nothing_else_is_served),
        cmocka_unit_test(the_page_and_the_websocket_share_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
