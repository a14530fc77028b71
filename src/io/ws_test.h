/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_WS_TEST_H
#define RMI_IO_WS_TEST_H

#include "io/io_test.h"
#include "io/websocket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client and a server on one loop, each noting what it is told. Include after cmocka. */
struct ws_side {
    int open, closed, closes, got, want, got_all, pongs;
    rm_err why;
    char detail[256];
    char first[64], last[64], path[128];
    size_t last_len;
    struct rmi_addr remote;
    rmi_ws_conn_id id;
    bool echo;
    struct rmi_ws **close_on_text, **close_on_close;
    struct rmi_ws_server **server_close_on_text;
    struct rmi_ws_server *srv;
};

struct ws_pair {
    struct rmi_loop *loop;
    struct rmi_ws_server *srv;
    struct rmi_ws *ws;
    struct ws_side client, server;
    size_t max_message; /* of the client */
    size_t max_connections;
    const char *cert_file, *key_file, *ca_file;
    const char *host; /* in the URL; NULL: 127.0.0.1 */
    char url[256];
};

static inline void ws_side_text(struct ws_side *s, const char *text, size_t len) {
    assert_int_equal(text[len], '\0');
    if (s->got == 0)
        snprintf(s->first, sizeof s->first, "%s", text);
    snprintf(s->last, sizeof s->last, "%s", text);
    s->last_len = len;
    s->got_all = ++s->got >= s->want;
}

static inline void ws_client_open(void *ctx) {
    ((struct ws_side *)ctx)->open++;
}

static inline void ws_client_text(void *ctx, const char *text, size_t len) {
    struct ws_side *s = ctx;
    ws_side_text(s, text, len);
    if (s->close_on_text)
        rmi_ws_close(s->close_on_text);
}

static inline void ws_client_close(void *ctx, rm_err why, const char *detail) {
    struct ws_side *s = ctx;
    s->closed = 1;
    s->closes++;
    s->why = why;
    snprintf(s->detail, sizeof s->detail, "%s", detail);
    if (s->close_on_close)
        rmi_ws_close(s->close_on_close);
}

static inline void ws_server_open(void *ctx, rmi_ws_conn_id id, const char *path, const struct rmi_addr *remote) {
    struct ws_side *s = &((struct ws_pair *)ctx)->server;
    s->open++;
    s->id = id;
    s->remote = *remote;
    snprintf(s->path, sizeof s->path, "%s", path);
}

static inline void ws_server_text(void *ctx, rmi_ws_conn_id id, const char *text, size_t len) {
    struct ws_pair *p = ctx;
    ws_side_text(&p->server, text, len);
    if (p->server.echo)
        assert_int_equal(rmi_ws_server_send(p->srv, id, text, len), RM_OK);
    if (p->server.server_close_on_text)
        rmi_ws_server_close(p->server.server_close_on_text);
}

static inline void ws_server_closed(void *ctx, rmi_ws_conn_id id, rm_err why, const char *detail) {
    struct ws_side *s = &((struct ws_pair *)ctx)->server;
    (void)id;
    s->closed = 1;
    s->closes++;
    s->why = why;
    snprintf(s->detail, sizeof s->detail, "%s", detail);
}

static inline void ws_server_pong(void *ctx, rmi_ws_conn_id id) {
    (void)id;
    ((struct ws_pair *)ctx)->server.pongs++;
}

/* More header lines than the server has room for. */
static inline const char *long_fields(void) {
    static char fields[4096];
    memset(fields, 'a', sizeof fields - 1);
    return fields;
}

static inline void ws_server_http(void *ctx, const char *path, struct rmi_ws_http_reply *reply) {
    static const char big[100000] = {'x'};
    (void)ctx;
    if (strcmp(path, "/page") == 0)
        *reply = (struct rmi_ws_http_reply){.status = 200,
                                            .content_type = "text/html",
                                            .fields = "X-Page: yes\r\n",
                                            .body = "hello page",
                                            .body_len = 10};
    if (strcmp(path, "/big") == 0)
        *reply = (struct rmi_ws_http_reply){.status = 200, .body = big, .body_len = sizeof big};
    if (strcmp(path, "/long-fields") == 0)
        *reply = (struct rmi_ws_http_reply){.status = 200, .fields = long_fields(), .body = "x", .body_len = 1};
    if (strcmp(path, "/odd-status") == 0)
        *reply = (struct rmi_ws_http_reply){.status = 7, .body = "x", .body_len = 1};
}

static inline struct rmi_ws_server_config ws_pair_server_config(struct ws_pair *p) {
    return (struct rmi_ws_server_config){.host = "127.0.0.1",
                                         .cert_file = p->cert_file,
                                         .key_file = p->key_file,
                                         .max_connections = p->max_connections,
                                         .cb = {.ctx = p,
                                                .on_open = ws_server_open,
                                                .on_text = ws_server_text,
                                                .on_close = ws_server_closed,
                                                .on_pong = ws_server_pong,
                                                .on_http = ws_server_http}};
}

static inline void ws_pair_reopen_server(struct ws_pair *p) {
    rmi_ws_server_close(&p->srv);
    struct rmi_ws_server_config config = ws_pair_server_config(p);
    assert_int_equal(rmi_ws_server_listen(p->loop, &config, &p->srv), RM_OK);
    assert_int_not_equal(rmi_ws_server_port(p->srv), 0);
}

static inline void ws_pair_open(struct ws_pair *p) {
    *p = (struct ws_pair){0};
    assert_int_equal(rmi_loop_create(&p->loop), RM_OK);
    ws_pair_reopen_server(p);
}

static inline struct rmi_ws_config ws_pair_client_config(struct ws_pair *p, const char *path) {
    snprintf(p->url, sizeof p->url, "%s://%s:%u%s", p->cert_file ? "wss" : "ws", p->host ? p->host : "127.0.0.1",
             rmi_ws_server_port(p->srv), path);
    return (struct rmi_ws_config){
        .url = p->url,
        .ca_file = p->ca_file,
        .max_message = p->max_message,
        .cb = {.ctx = &p->client, .on_open = ws_client_open, .on_text = ws_client_text, .on_close = ws_client_close}};
}

static inline void ws_pair_connect(struct ws_pair *p, const char *path) {
    struct rmi_ws_config config = ws_pair_client_config(p, path);
    assert_int_equal(rmi_ws_connect(p->loop, &config, &p->ws), RM_OK);
    assert_int_equal(wait_for(p->loop, &p->client.open), RM_OK);
    assert_int_equal(wait_for(p->loop, &p->server.open), RM_OK);
}

static inline void ws_pair_close(struct ws_pair *p) {
    rmi_ws_close(&p->ws);
    rmi_ws_close(&p->ws);
    rmi_ws_server_close(&p->srv);
    rmi_ws_server_close(&p->srv);
    rmi_loop_destroy(&p->loop);
}

/* Until no more than `fds` descriptors are open, or some seconds passed. */
static inline rm_err ws_test_wait_fds(struct rmi_loop *loop, int fds) {
    int never = 0;
    int64_t deadline = rmi_now_us() + RMI_SEC(4);
    while (count_entries("/proc/self/fd") > fds && rmi_now_us() < deadline)
        (void)rmi_loop_run_until(loop, &never, rmi_now_us() + RMI_MS(5));
    return count_entries("/proc/self/fd") == fds ? RM_OK : RM_E_TIMEOUT;
}

/* Listens on any port; nobody accepts. */
static inline uint16_t ws_test_silent_server(int fd) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin_port);
}

/* Turn the loop until the descriptor is readable. */
static inline bool ws_test_readable(struct rmi_loop *loop, int fd) {
    int64_t deadline = rmi_now_us() + RMI_SEC(4);
    while (rmi_now_us() < deadline) {
        struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = rmi_loop_fd(loop), .events = POLLIN}};
        if (rmi_loop_process(loop) != RM_OK)
            return false;
        if (poll(polled, 2, 4000) > 0 && polled[0].revents)
            return true;
    }
    return false;
}

static inline bool ws_test_read(struct rmi_loop *loop, int fd, void *out, size_t len) {
    for (size_t got = 0; got < len;) {
        if (!ws_test_readable(loop, fd))
            return false;
        ssize_t n = recv(fd, (char *)out + got, len - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* Accept a client and answer its upgrade (RFC 6455 4.2.2), without the server under test. */
static inline int ws_test_upgrade_by_hand(struct rmi_loop *loop, int listener) {
    if (!ws_test_readable(loop, listener))
        return -1;
    int fd = accept(listener, NULL, NULL);
    char request[4096] = "";
    for (size_t n = 0; !strstr(request, "\r\n\r\n"); n++)
        if (n + 1 == sizeof request || !ws_test_read(loop, fd, request + n, 1))
            return -1;
    char key[128] = "";
    const char *at = strcasestr(request, "sec-websocket-key:");
    if (!at || sscanf(at + 18, " %63s", key) != 1 || strcasestr(request, "permessage-deflate") ||
        strcasestr(request, "sec-websocket-protocol"))
        return -1;
    strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    unsigned char digest[SHA_DIGEST_LENGTH], text[64];
    SHA1((unsigned char *)key, strlen(key), digest);
    EVP_EncodeBlock(text, digest, sizeof digest);
    char answer[512];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n",
                     text);
    return send(fd, answer, (size_t)n, MSG_NOSIGNAL) == n ? fd : -1;
}

/* Send bytes in pieces of `step`, turning the loop in between, and read to the end of the connection. Returns how many
 * bytes of answer came (all counted, no more than size - 1 kept, NUL-terminated), or -1 when the end does not come. */
static inline ssize_t ws_test_exchange(struct rmi_loop *loop, uint16_t port, const void *data, size_t len, size_t step,
                                       char *answer, size_t size) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        return -1;
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        if (send(fd, (const char *)data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break; /* refused already: the answer is there to read */
        (void)rmi_loop_process(loop);
    }
    char piece[4096];
    ssize_t n = 1, got = 0;
    answer[0] = '\0';
    while (n > 0) {
        n = ws_test_readable(loop, fd) ? recv(fd, piece, sizeof piece, 0) : -1;
        for (ssize_t i = 0; i < n; i++)
            if ((size_t)(got + i) + 1 < size) {
                answer[got + i] = piece[i];
                answer[got + i + 1] = '\0';
            }
        got += n > 0 ? n : 0;
    }
    close(fd);
    return n == 0 ? got : -1;
}

/* Send a request and read until `until` was seen, or with NULL until `size` bytes came. */
static inline bool ws_test_http(struct rmi_loop *loop, uint16_t port, const char *request, char *answer, size_t size,
                                const char *until) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        return false;
    bool ok = send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request);
    size_t n = 0;
    bool found = false;
    while (ok && !found) {
        char byte = 0;
        ok = ws_test_read(loop, fd, &byte, 1);
        if (answer && n + 1 < size) {
            answer[n] = byte;
            answer[n + 1] = '\0';
        }
        n++;
        found = until ? strstr(answer, until) != NULL : n >= size;
    }
    close(fd);
    return found;
}

#endif
