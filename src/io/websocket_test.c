/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/io_test.h"
#include "io/ws_test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CYCLES 200

static void text_goes_both_ways_in_order(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.server.echo = true;
    ws_pair_connect(&p, "/room?token=x");
    assert_string_equal(p.server.path, "/room");
    assert_int_equal(p.server.remote.family, 4);
    assert_int_equal(rmi_ws_server_connections(p.srv), 1);
    char text[32];
    p.client.want = 50;
    for (int i = 0; i < 50; i++) {
        int n = snprintf(text, sizeof text, "message %d", i);
        assert_int_equal(rmi_ws_send(p.ws, text, (size_t)n), RM_OK);
    }
    assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
    assert_string_equal(p.client.last, "message 49");
    struct rmi_ws_stats stats;
    rmi_ws_get_stats(p.ws, &stats);
    assert_int_equal(stats.sent_messages, 50);
    assert_int_equal(stats.recv_messages, 50);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(rmi_ws_server_conn_stats(p.srv, p.server.id, &stats), RM_OK);
    assert_int_equal(stats.recv_messages, 50);
    ws_pair_close(&p);
}

static void messages_sent_before_the_connection_is_open_arrive(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.server.want = 1;
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_int_equal(rmi_ws_send(p.ws, "early", 5), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.server.got_all), RM_OK);
    assert_string_equal(p.server.last, "early");
    ws_pair_close(&p);
}

static void the_largest_message_passes_and_a_larger_one_is_refused(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.server.echo = true;
    ws_pair_connect(&p, "/");
    char *text = malloc(RMI_WS_MAX_MESSAGE + 1);
    assert_non_null(text);
    memset(text, 'a', RMI_WS_MAX_MESSAGE + 1);
    p.client.want = 1;
    assert_int_equal(rmi_ws_send(p.ws, text, RMI_WS_MAX_MESSAGE), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
    assert_int_equal(p.client.last_len, RMI_WS_MAX_MESSAGE);
    assert_int_equal(rmi_ws_send(p.ws, text, RMI_WS_MAX_MESSAGE + 1), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
    assert_int_equal(p.server.why, RM_E_TOO_BIG);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_non_null(strstr(p.client.detail, "1009")); /* RFC 6455 7.4.1: message too big */
    assert_int_equal(rmi_ws_send(p.ws, "x", 1), RM_E_CLOSED);
    free(text);
    ws_pair_close(&p);
}

static void the_client_refuses_a_message_over_its_limit(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.max_message = 1000;
    ws_pair_connect(&p, "/");
    char text[1001];
    memset(text, 'b', sizeof text);
    p.client.want = 1;
    assert_int_equal(rmi_ws_server_send(p.srv, p.server.id, text, 1000), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
    assert_int_equal(rmi_ws_server_send(p.srv, p.server.id, text, 1001), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_TOO_BIG);
    ws_pair_close(&p);
}

static void the_send_queue_is_bounded(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    char *text = calloc(1, RMI_WS_MAX_QUEUED + 1);
    assert_non_null(text);
    assert_int_equal(rmi_ws_send(p.ws, text, RMI_WS_MAX_QUEUED + 1), RM_E_LIMIT);
    assert_int_equal(rmi_ws_send(p.ws, text, RMI_WS_MAX_QUEUED), RM_OK);
    assert_int_equal(rmi_ws_send(p.ws, text, 1), RM_E_LIMIT);
    free(text);
    ws_pair_close(&p);
}

static void a_refused_connection_is_a_signaling_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    rmi_ws_server_close(&p.srv); /* the port is free from now on */
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_int_equal(p.client.closed, 0); /* never from within the call */
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_int_equal(p.client.closes, 1);
    assert_int_equal(p.client.open, 0);
    ws_pair_close(&p);
}

static void a_server_that_never_answers_is_timed_out(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", ws_test_silent_server(fd));
    config.url = url;
    config.connect_timeout_us = RMI_MS(50);
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_TIMEOUT);
    assert_int_equal(p.client.closes, 1);
    close(fd);
    ws_pair_close(&p);
}

static void a_server_that_hangs_up_on_the_request_is_a_signaling_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", ws_test_silent_server(listener));
    config.url = url;
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_true(ws_test_readable(p.loop, listener));
    int fd = accept(listener, NULL, NULL);
    assert_true(ws_test_readable(p.loop, fd));
    close(fd); /* unread request: a reset */
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_int_equal(p.client.closes, 1);
    close(listener);
    ws_pair_close(&p);
}

static void an_unknown_name_is_a_resolve_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    config.url = "ws://host.invalid./";
    config.connect_timeout_us = RMI_SEC(2);
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    /* Without a reachable resolver the system may still be trying at the time-out. */
    assert_true(p.client.why == RM_E_RESOLVE || p.client.why == RM_E_TIMEOUT);
    ws_pair_close(&p);
}

static void a_plain_http_answer_is_a_signaling_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.max_connections = 1;
    ws_pair_reopen_server(&p);
    ws_pair_connect(&p, "/");
    struct ws_side second = {0};
    struct rmi_ws *ws = NULL;
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    config.cb.ctx = &second;
    assert_int_equal(rmi_ws_connect(p.loop, &config, &ws), RM_OK); /* one too many: 503 */
    assert_int_equal(wait_for(p.loop, &second.closed), RM_OK);
    assert_int_equal(second.why, RM_E_SIGNALING);
    assert_int_equal(p.client.closes, 0);
    rmi_ws_close(&ws);
    ws_pair_close(&p);
}

static void the_client_hears_of_the_servers_end(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    ws_pair_connect(&p, "/");
    rmi_ws_server_close(&p.srv);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_OK); /* 1001: going away, in order */
    assert_int_equal(p.server.closes, 0);  /* no callback after the server's close */
    ws_pair_close(&p);
}

static void a_connection_cut_without_a_word_is_a_signaling_error(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", ws_test_silent_server(listener));
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    config.url = url;
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    int fd = ws_test_upgrade_by_hand(p.loop, listener);
    assert_true(fd >= 0);
    assert_int_equal(wait_for(p.loop, &p.client.open), RM_OK);
    struct linger abort_now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof abort_now);
    close(fd); /* a reset, as when the server's process dies */
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_int_equal(p.client.closes, 1);
    close(listener);
    ws_pair_close(&p);
}

static void fragments_are_joined_binary_is_dropped_and_pings_are_answered(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", ws_test_silent_server(listener));
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    config.url = url;
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    int fd = ws_test_upgrade_by_hand(p.loop, listener);
    assert_true(fd >= 0);
    p.client.want = 2;
    /* text "ab" unfinished, ping "p", continuation "cd"; binary "xyz"; text "end" */
    static const uint8_t frames[] = "\x01\x02"
                                    "ab\x89\x01p\x80\x02"
                                    "cd\x82\x03xyz\x81\x03"
                                    "end";
    assert_int_equal(send(fd, frames, sizeof frames - 1, MSG_NOSIGNAL), sizeof frames - 1);
    assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
    assert_string_equal(p.client.first, "abcd");
    assert_string_equal(p.client.last, "end");
    struct rmi_ws_stats stats;
    rmi_ws_get_stats(p.ws, &stats);
    assert_int_equal(stats.binary_dropped, 1);
    uint8_t pong[7] = {0};
    assert_true(ws_test_read(p.loop, fd, pong, sizeof pong));
    assert_int_equal(pong[0], 0x8a);
    assert_int_equal(pong[1], 0x81);
    assert_int_equal(pong[6] ^ pong[2], 'p');
    close(fd);
    close(listener);
    ws_pair_close(&p);
}

static void text_that_is_not_utf8_ends_the_connection(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    ws_pair_connect(&p, "/");
    assert_int_equal(rmi_ws_send(p.ws, "a\xff", 2), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
    assert_int_equal(p.server.got, 0);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_non_null(strstr(p.client.detail, "1007")); /* RFC 6455 7.4.1: not the announced type */
    ws_pair_close(&p);
}

static void a_ping_comes_back(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    ws_pair_connect(&p, "/");
    assert_int_equal(rmi_ws_server_ping(p.srv, p.server.id), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.server.pongs), RM_OK);
    assert_int_equal(rmi_ws_server_ping(p.srv, 999), RM_E_NOT_FOUND);
    ws_pair_close(&p);
}

static void the_server_closes_one_connection_with_a_code(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    ws_pair_connect(&p, "/");
    p.client.want = 1;
    assert_int_equal(rmi_ws_server_send(p.srv, p.server.id, "last words", 10), RM_OK);
    assert_int_equal(rmi_ws_server_close_conn(p.srv, p.server.id, 4001, "go away"), RM_OK);
    assert_int_equal(rmi_ws_server_send(p.srv, p.server.id, "x", 1), RM_E_NOT_FOUND);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_string_equal(p.client.last, "last words");
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_non_null(strstr(p.client.detail, "4001: go away"));
    assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
    assert_int_equal(p.server.why, RM_OK);
    assert_int_equal(rmi_ws_server_connections(p.srv), 0);
    ws_pair_close(&p);
}

/* Upgrades over a plain socket and then neither reads nor writes. */
static int connect_mute_peer(struct ws_pair *p) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(rmi_ws_server_port(p->srv)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    assert_int_equal(wait_for(p->loop, &p->server.open), RM_OK);
    return fd;
}

static void a_peer_that_does_not_answer_the_close_is_cut(void **state) {
    (void)state;
    for (int stuffed = 0; stuffed < 2; stuffed++) {
        struct ws_pair p;
        ws_pair_open(&p);
        int fd = connect_mute_peer(&p);
        char *text = calloc(1, RMI_WS_MAX_QUEUED);
        assert_non_null(text);
        memset(text, 'x', RMI_WS_MAX_QUEUED);
        for (int i = 0; stuffed && i < 8; i++) /* more than the sockets' buffers hold: the close frame cannot leave */
            (void)rmi_ws_server_send(p.srv, p.server.id, text, RMI_WS_MAX_QUEUED / 2);
        free(text);
        assert_int_equal(rmi_ws_server_close_conn(p.srv, p.server.id, 1000, NULL), RM_OK);
        int64_t began = rmi_now_us();
        assert_int_equal(rmi_loop_run_until(p.loop, &p.server.closed, began + RMI_SEC(8)), RM_OK);
        print_message("cut after %.2f s\n", (double)(rmi_now_us() - began) / 1e6);
        close(fd);
        ws_pair_close(&p);
    }
}

static void what_is_queued_at_close_still_leaves(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    ws_pair_connect(&p, "/");
    p.server.want = 3;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rmi_ws_send(p.ws, "bye", 3), RM_OK);
    rmi_ws_close(&p.ws);
    assert_null(p.ws);
    assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
    assert_int_equal(p.server.got, 3);
    assert_int_equal(p.server.why, RM_OK); /* 1000 */
    assert_int_equal(p.client.closes, 0);  /* no callback after rmi_ws_close */
    ws_pair_close(&p);
}

static void closing_inside_callbacks_is_legal(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.server.echo = true;
    p.client.close_on_text = &p.ws;
    p.client.want = 1;
    ws_pair_connect(&p, "/");
    for (int i = 0; i < 5; i++)
        assert_int_equal(rmi_ws_send(p.ws, "x", 1), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
    assert_null(p.ws);
    assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
    assert_int_equal(p.client.got, 1);
    p.client = (struct ws_side){.close_on_close = &p.ws};
    p.server = (struct ws_side){0};
    ws_pair_connect(&p, "/");
    assert_int_equal(rmi_ws_server_close_conn(p.srv, p.server.id, 1000, NULL), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_null(p.ws);
    p.client = (struct ws_side){0};
    p.server = (struct ws_side){.server_close_on_text = &p.srv, .want = 1};
    ws_pair_connect(&p, "/");
    assert_int_equal(rmi_ws_send(p.ws, "x", 1), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_null(p.srv);
    ws_pair_close(&p);
}

static void static_pages_are_served(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    char answer[4096];
    assert_true(ws_test_http(p.loop, rmi_ws_server_port(p.srv), "GET /page HTTP/1.1\r\nHost: x\r\n\r\n", answer,
                             sizeof answer, "hello page"));
    assert_non_null(strstr(answer, "200"));
    assert_non_null(strstr(answer, "text/html"));
    assert_true(ws_test_http(p.loop, rmi_ws_server_port(p.srv), "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", answer,
                             sizeof answer, "404"));
    assert_true(ws_test_http(p.loop, rmi_ws_server_port(p.srv),
                             "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", answer, sizeof answer,
                             "405"));
    assert_true(
        ws_test_http(p.loop, rmi_ws_server_port(p.srv), "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", NULL, 100000, NULL));
    ws_pair_close(&p);
}

static void compression_is_not_accepted(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    char answer[4096];
    assert_true(ws_test_http(p.loop, rmi_ws_server_port(p.srv),
                             "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                             answer, sizeof answer, "\r\n\r\n"));
    assert_non_null(strstr(answer, "101"));
    assert_non_null(strcasestr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); /* RFC 6455 1.3's example */
    assert_null(strcasestr(answer, "permessage-deflate"));
    ws_pair_close(&p);
}

static void faulty_configurations_are_refused(void **state) {
    (void)state;
    struct ws_pair p;
    ws_pair_open(&p);
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    static const char *const bad[] = {"http://x/", "ws://",           "ws://x:0/", "ws://x:70000/", "ws://a@b/",
                                      "ws://x/ y", "ws://x/\r\nX: y", "ws://x/#f", "ws://[::1/",    NULL};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.url = bad[i];
        assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_E_CONFIG);
        assert_null(p.ws);
    }
    config.url = "wss://localhost/";
    config.ca_file = "/nonexistent.pem";
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_E_IO);
    struct rmi_ws_server *srv = NULL;
    struct rmi_ws_server_config server = ws_pair_server_config(&p);
    server.port = rmi_ws_server_port(p.srv); /* in use */
    assert_int_equal(rmi_ws_server_listen(p.loop, &server, &srv), RM_E_IO);
    server.port = 0;
    server.cert_file = "/nonexistent.pem";
    assert_int_equal(rmi_ws_server_listen(p.loop, &server, &srv), RM_E_CONFIG); /* no key */
    server.key_file = "/nonexistent.pem";
    assert_int_equal(rmi_ws_server_listen(p.loop, &server, &srv), RM_E_IO);
    server.cert_file = server.key_file = NULL;
    server.host = "no-such-if0";
    assert_int_equal(rmi_ws_server_listen(p.loop, &server, &srv), RM_E_CONFIG);
    assert_null(srv);
    ws_pair_close(&p);
}

static void run_cycles(struct ws_pair *p, int n) {
    for (int i = 0; i < n; i++) {
        p->client = p->server = (struct ws_side){0};
        ws_pair_reopen_server(p);
        ws_pair_connect(p, "/");
        if (i % 2) { /* close from either side first, with and without waiting */
            rmi_ws_close(&p->ws);
            assert_int_equal(wait_for(p->loop, &p->server.closed), RM_OK);
            rmi_ws_server_close(&p->srv);
        } else {
            rmi_ws_server_close(&p->srv);
            rmi_ws_close(&p->ws);
        }
    }
}

static void cycles_leave_nothing_behind(void **state) {
    (void)state;
    int before = count_entries("/proc/self/fd");
    struct ws_pair p;
    ws_pair_open(&p);
    run_cycles(&p, 10);
    int never = 0;
    assert_int_equal(rmi_loop_run_until(p.loop, &never, rmi_now_us() + RMI_MS(50)), RM_E_TIMEOUT);
    int fds = count_entries("/proc/self/fd");
    int threads = count_entries("/proc/self/task");
    run_cycles(&p, CYCLES);
    assert_int_equal(ws_test_wait_fds(p.loop, fds), RM_OK);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    ws_pair_close(&p);
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

static void a_loop_with_open_connections_can_be_destroyed(void **state) {
    (void)state;
    int before = count_entries("/proc/self/fd");
    for (int i = 0; i < 20; i++) {
        struct ws_pair p;
        ws_pair_open(&p);
        struct rmi_ws_config config = ws_pair_client_config(&p, "/");
        if (i % 2)
            ws_pair_connect(&p, "/");
        else
            assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
        if (i % 4 < 2)
            rmi_ws_close(&p.ws);
        rmi_loop_destroy(&p.loop);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_both_ways_in_order),
        cmocka_unit_test(messages_sent_before_the_connection_is_open_arrive),
        cmocka_unit_test(the_largest_message_passes_and_a_larger_one_is_refused),
        cmocka_unit_test(the_client_refuses_a_message_over_its_limit),
        cmocka_unit_test(the_send_queue_is_bounded),
        cmocka_unit_test(a_refused_connection_is_a_signaling_error),
        cmocka_unit_test(a_server_that_never_answers_is_timed_out),
        cmocka_unit_test(a_server_that_hangs_up_on_the_request_is_a_signaling_error),
        cmocka_unit_test(an_unknown_name_is_a_resolve_error),
        cmocka_unit_test(a_plain_http_answer_is_a_signaling_error),
        cmocka_unit_test(the_client_hears_of_the_servers_end),
        cmocka_unit_test(a_connection_cut_without_a_word_is_a_signaling_error),
        cmocka_unit_test(fragments_are_joined_binary_is_dropped_and_pings_are_answered),
        cmocka_unit_test(text_that_is_not_utf8_ends_the_connection),
        cmocka_unit_test(a_ping_comes_back),
        cmocka_unit_test(the_server_closes_one_connection_with_a_code),
        cmocka_unit_test(a_peer_that_does_not_answer_the_close_is_cut),
        cmocka_unit_test(what_is_queued_at_close_still_leaves),
        cmocka_unit_test(closing_inside_callbacks_is_legal),
        cmocka_unit_test(static_pages_are_served),
        cmocka_unit_test(compression_is_not_accepted),
        cmocka_unit_test(faulty_configurations_are_refused),
        cmocka_unit_test(cycles_leave_nothing_behind),
        cmocka_unit_test(a_loop_with_open_connections_can_be_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
