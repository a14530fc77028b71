/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/ws_http.h"
#include "io/ws_test.h"
#include <stdlib.h>

#define BODY_AT "\r\n\r\n"

static const char request[] = "GET /page?room=x HTTP/1.1\r\nHost: x\r\n\r\n";

/* One exchange, the request in pieces of `step` bytes. */
static const char *ask(struct ws_pair *p, const void *data, size_t len, size_t step) {
    static char answer[4096];
    assert_true(ws_test_exchange(p->loop, rmi_ws_server_port(p->srv), data, len, step, answer, sizeof answer) > 0);
    return answer;
}

static void expect(struct ws_pair *p, const char *text, const char *status) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "HTTP/1.1 %s\r\n", status);
    const char *answer = ask(p, text, strlen(text), strlen(text));
    if (strncmp(answer, wanted, strlen(wanted)) != 0)
        fail_msg("%s -> %s, not %s", text, answer, status);
    assert_null(strstr(answer, "hello page"));
}

static void a_request_in_pieces_of_any_size_is_answered_once(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    for (size_t step = 1; step < sizeof request; step++) {
        const char *answer = ask(&p, request, sizeof request - 1, step);
        assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
        assert_string_equal(strstr(answer, BODY_AT), BODY_AT "hello page");
        assert_non_null(strstr(answer, "\r\nContent-Length: 10\r\n"));
        assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
        assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(answer, "\r\nX-Page: yes\r\n"));
    }
    assert_int_equal(p.server.open, 0);
    ws_pair_close(&p);
}

static void a_second_request_on_the_connection_gets_no_answer(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    char twice[2 * sizeof request];
    snprintf(twice, sizeof twice, "%s%s", request, request);
    for (size_t step = 1; step <= strlen(twice); step += strlen(twice) - 1) {
        const char *answer = ask(&p, twice, strlen(twice), step);
        assert_string_equal(strstr(answer, BODY_AT), BODY_AT "hello page");
    }
    ws_pair_close(&p);
}

static void a_large_body_arrives_whole(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    static const char big[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    char *answer = calloc(1, 200000);
    assert_non_null(answer);
    ssize_t n = ws_test_exchange(p.loop, rmi_ws_server_port(p.srv), big, sizeof big - 1, 1, answer, 200000);
    const char *body = strstr(answer, BODY_AT);
    assert_non_null(body);
    assert_int_equal(n - (body + 4 - answer), 100000);
    free(answer);
    ws_pair_close(&p);
}

static void other_methods_are_not_allowed(void **state) {
    static const char *const methods[] = {"HEAD",  "POST",    "PUT",   "DELETE", "OPTIONS",
                                          "TRACE", "CONNECT", "PATCH", "get",    "GETT"};
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s /page HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", methods[i]);
        expect(&p, text, "405 Method Not Allowed");
        assert_non_null(strstr(ask(&p, text, strlen(text), 3), "\r\nAllow: GET\r\n"));
    }
    ws_pair_close(&p);
}

static void other_paths_are_not_found(void **state) {
    static const char *const paths[] = {
        "/pag",         "/page/",   "//page",   "/./page", "/x/../page", "/../../../../etc/passwd",
        "/%2e%2e/page", "/%70age",  "/page%00", "/page#x", "/PAGE",      "/page;x",
        "/?/page",      "/..\\page"};
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char text[128];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        expect(&p, text, "404 Not Found");
    }
    ws_pair_close(&p);
}

static void malformed_requests_are_bad(void **state) {
    static const char *const texts[] = {
        "GET /page HTTP/1.1\r\n\r\n",                          /* no host */
        "GET /page HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",    /* two */
        "GET /page HTTP/1.0\r\nHost: x\r\n\r\n",               /* another version */
        "GET /page HTTP/2\r\nHost: x\r\n\r\n",                 /* and another */
        "GET /page\r\nHost: x\r\n\r\n",                        /* none */
        "GET page HTTP/1.1\r\nHost: x\r\n\r\n",                /* no path */
        "GET http://x/page HTTP/1.1\r\nHost: x\r\n\r\n",       /* meant for a proxy */
        "GET  /page HTTP/1.1\r\nHost: x\r\n\r\n",              /* two blanks */
        "GET /page x HTTP/1.1\r\nHost: x\r\n\r\n",             /* a blank in the path */
        " GET /page HTTP/1.1\r\nHost: x\r\n\r\n",              /* a blank before it */
        "GET /page HTTP/1.1\r\nHost : x\r\n\r\n",              /* a blank before a colon */
        "GET /page HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", /* a folded line */
        "GET /page HTTP/1.1\nHost: x\r\n\r\n",                 /* LF alone */
        "GET /page HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n",    /* control character */
        "GET /page\xff HTTP/1.1\r\nHost: x\r\n\r\n",           /* beyond ASCII */
        "\x16\x03\x01\x02",                                    /* TLS */
        "\r\n\r\n",
    };
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(&p, texts[i], "400 Bad Request");
    static const char nul[] = "GET /page\0 HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_memory_equal(ask(&p, nul, sizeof nul - 1, 1), "HTTP/1.1 400 ", 13);
    ws_pair_close(&p);
}

static void sizes_are_limited(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    static char text[4 * RMI_HTTP_HEAD_MAX];
    /* A head that never ends. */
    memset(text, 'a', sizeof text);
    for (size_t step = 1; step <= sizeof text; step *= 1024)
        assert_memory_equal(ask(&p, text, sizeof text, step), "HTTP/1.1 400 ", 13);
    /* A path longer than any of ours, in a head of a size that is allowed. */
    int n = snprintf(text, sizeof text, "GET /%04000d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
    assert_memory_equal(ask(&p, text, (size_t)n, (size_t)n), "HTTP/1.1 404 ", 13);
    /* A long query does no harm. */
    n = snprintf(text, sizeof text, "GET /page?%04000d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
    assert_memory_equal(ask(&p, text, (size_t)n, (size_t)n), "HTTP/1.1 200 ", 13);
    /* More fields than anybody sends. */
    n = snprintf(text, sizeof text, "GET /page HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < RMI_HTTP_FIELDS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "a: b\r\n");
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    assert_memory_equal(ask(&p, text, (size_t)n, (size_t)n), "HTTP/1.1 400 ", 13);
    ws_pair_close(&p);
}

static void a_faulty_reply_of_the_owner_is_an_internal_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    expect(&p, "GET /long-fields HTTP/1.1\r\nHost: x\r\n\r\n", "500 Internal Server Error");
    expect(&p, "GET /odd-status HTTP/1.1\r\nHost: x\r\n\r\n", "500 Internal Server Error");
    ws_pair_close(&p);
}

/* Every prefix of a request followed by the end, and every byte of it damaged: the server answers the next one. */
static void truncated_and_damaged_requests_do_no_harm(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    int fds = count_entries("/proc/self/fd");
    for (size_t len = 0; len < sizeof request - 1; len++) {
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons(rmi_ws_server_port(p.srv)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
        (void)rmi_loop_process(p.loop);
        close(fd);
    }
    for (size_t i = 0; i < sizeof request - 1; i++) {
        char damaged[sizeof request];
        memcpy(damaged, request, sizeof request);
        damaged[i] ^= 0x80; /* beyond ASCII: refused wherever it is, but within a field's value */
        char ended[sizeof request + 8];
        int n = snprintf(ended, sizeof ended, "%s\r\n\r\n", damaged);
        const char *answer = ask(&p, ended, (size_t)n, 7);
        assert_memory_equal(answer, "HTTP/1.1 ", 9);
        assert_true(strtol(answer + 9, NULL, 10) >= 200);
    }
    assert_int_equal(ws_test_wait_fds(p.loop, fds), RM_OK);
    assert_memory_equal(ask(&p, request, sizeof request - 1, 1), "HTTP/1.1 200 ", 13);
    ws_pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_in_pieces_of_any_size_is_answered_once),
        cmocka_unit_test(a_second_request_on_the_connection_gets_no_answer),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(other_methods_are_not_allowed),
        cmocka_unit_test(other_paths_are_not_found),
        cmocka_unit_test(malformed_requests_are_bad),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(a_faulty_reply_of_the_owner_is_an_internal_error),
        cmocka_unit_test(truncated_and_damaged_requests_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
