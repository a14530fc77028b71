/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_SERVER_TESTKIT_H
#define RMI_SIGNALING_SERVER_TESTKIT_H

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "base/time.h"
#include "signaling/jsonrpc.h"
#include "signaling/server.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SDP_JSON "v=0\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\n"
#define MAX_CONNS 80
#define MAX_INBOX 64

/* A server whose connections end in inboxes. */
struct rig {
    struct rmi_sig_server *s;
    int64_t now;
    json_t *inbox[MAX_CONNS][MAX_INBOX];
    size_t head[MAX_CONNS], tail[MAX_CONNS];
    int close_code[MAX_CONNS];
    unsigned pings[MAX_CONNS];
    bool break_on_send[MAX_CONNS]; /* sending fails: the owner reports the connection as closed, inside the callback */
    bool mute;                     /* drop what is sent */
};

static inline void on_send(void *ctx, uint64_t conn, const char *text, size_t len) {
    struct rig *r = ctx;
    assert_int_equal(text[len], '\0');
    if (r->mute)
        return;
    assert_true(conn < MAX_CONNS && r->close_code[conn] == 0);
    if (r->break_on_send[conn]) {
        rmi_sig_server_closed(r->s, r->now, conn);
        return;
    }
    assert_true(r->tail[conn] < MAX_INBOX);
    json_t *message = json_loadb(text, len, 0, NULL);
    assert_non_null(message);
    r->inbox[conn][r->tail[conn]++] = message;
}

static inline void on_close(void *ctx, uint64_t conn, int code, const char *reason) {
    struct rig *r = ctx;
    assert_true(strlen(reason) > 3 && conn < MAX_CONNS);
    assert_int_equal(r->close_code[conn], 0); /* once */
    r->close_code[conn] = code;
    rmi_sig_server_closed(r->s, r->now, conn); /* legal, and without effect */
}

static inline void on_ping(void *ctx, uint64_t conn) {
    ((struct rig *)ctx)->pings[conn]++;
}

static inline void rig_open_mode(struct rig *r, size_t max_peers, const char *token,
                                 const struct rmi_sig_server_mode *mode) {
    *r = (struct rig){.now = RMI_SEC(500)};
    struct rmi_sig_server_config config;
    rmi_sig_server_config_init(&config);
    assert_int_equal(config.max_peers, 10);
    if (max_peers)
        config.max_peers = max_peers;
    config.token = token;
    if (mode)
        config.mode = *mode;
    config.unix_offset_us = RMI_SEC(1000000);
    config.cb = (struct rmi_sig_server_callbacks){.ctx = r, .send = on_send, .close = on_close, .ping = on_ping};
    assert_int_equal(rmi_sig_server_create(&config, &r->s), RM_OK);
}

static inline void rig_open(struct rig *r, size_t max_peers, const char *token) {
    rig_open_mode(r, max_peers, token, NULL);
}

static inline void rig_close(struct rig *r) {
    rmi_sig_server_destroy(&r->s);
    rmi_sig_server_destroy(&r->s);
    for (size_t c = 0; c < MAX_CONNS; c++)
        for (size_t i = r->head[c]; i < r->tail[c]; i++)
            json_decref(r->inbox[c][i]);
}

static inline uint64_t connect_one(struct rig *r) {
    uint64_t conn = 0;
    assert_int_equal(rmi_sig_server_open(r->s, r->now, &conn), RM_OK);
    assert_true(conn > 0 && conn < MAX_CONNS);
    return conn;
}

static inline void say(struct rig *r, uint64_t conn, const char *text) {
    rmi_sig_server_input(r->s, r->now, conn, text, strlen(text));
}

/* The next message to `conn` must equal the JSON text, with ' for ". */
static inline void expect(struct rig *r, uint64_t conn, const char *want) {
    char text[2048];
    snprintf(text, sizeof text, "%s", want);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *wanted = json_loads(text, 0, NULL);
    assert_non_null(wanted);
    assert_true(r->head[conn] < r->tail[conn]);
    json_t *got = r->inbox[conn][r->head[conn]++];
    json_object_del(got, "jsonrpc");
    if (!json_equal(got, wanted)) {
        char *shown = json_dumps(got, 0);
        print_error("got    %s\nwanted %s\n", shown, text);
        free(shown);
        fail();
    }
    json_decref(got);
    json_decref(wanted);
}

static inline void expect_nothing(const struct rig *r, uint64_t conn) {
    assert_int_equal(r->tail[conn] - r->head[conn], 0);
}

static inline void expect_error(struct rig *r, uint64_t conn, int code) {
    assert_true(r->head[conn] < r->tail[conn]);
    json_t *got = r->inbox[conn][r->head[conn]++];
    const json_t *error = json_object_get(got, "error");
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_true(json_string_length(json_object_get(error, "message")) > 3);
    json_decref(got);
}

static inline uint64_t join(struct rig *r, const char *format, const char *id) {
    char text[512];
    const uint64_t conn = connect_one(r);
    snprintf(text, sizeof text, format, id);
    say(r, conn, text);
    return conn;
}

#define ANNOUNCE "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"%s\",\"capabilities\":[\"audio\"]}}"
#define ANNOUNCE_BARE                                                                                                  \
    "{\"id\":1,\"method\":\"announce\",\"params\":{\"peer_id\":\"%s\",\"capabilities\":{\"video\":true}}}"
#define ANNOUNCE_ROOM "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"%s\",\"room\":\"r2\"}}"

static inline void drop_inbox(struct rig *r, uint64_t conn) {
    while (r->head[conn] < r->tail[conn])
        json_decref(r->inbox[conn][r->head[conn]++]);
}

#endif
