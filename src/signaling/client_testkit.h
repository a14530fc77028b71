/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SIGNALING_CLIENT_TESTKIT_H
#define RMI_SIGNALING_CLIENT_TESTKIT_H

/* What the tests of the client share: one client, with the test as its socket and its server. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "base/time.h"
#include "signaling/client.h"
#include "signaling/jsonrpc.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SDP "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
#define SDP_JSON "v=0\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\n"

/* One client, its last message, and the server played by the test. */
struct rig {
    struct rmi_prng prng;
    struct rmi_sig_client *c;
    int64_t now;
    json_t *sent; /* the last message taken */
};

static inline struct rig rig_new(uint64_t seed) {
    return (struct rig){.prng = {{seed + 1, 2, 3, 4}}, .now = RMI_SEC(1000)};
}

static inline void rig_client(struct rig *r, const char *token) {
    struct rmi_sig_client_config config;
    rmi_sig_client_config_init(&config);
    config.peer_id = "me";
    config.room = "lab";
    config.token = token;
    config.capabilities = RMI_SIG_CAP_AUDIO | RMI_SIG_CAP_DATA;
    config.rng = rmi_prng_rng(&r->prng);
    assert_int_equal(rmi_sig_client_create(&config, &r->c), RM_OK);
}

static inline void rig_end(struct rig *r) {
    json_decref(r->sent);
    rmi_sig_client_destroy(&r->c);
    rmi_sig_client_destroy(&r->c);
}

static inline void take(struct rig *r, const char *method) {
    const char *text = NULL;
    size_t len = 0;
    assert_int_equal(rmi_sig_client_poll_output(r->c, &text, &len), RM_OK);
    json_decref(r->sent);
    r->sent = json_loadb(text, len, 0, NULL);
    assert_non_null(r->sent);
    assert_string_equal(json_string_value(json_object_get(r->sent, "jsonrpc")), "2.0");
    if (method)
        assert_string_equal(json_string_value(json_object_get(r->sent, "method")), method);
}

static inline const char *param(const struct rig *r, const char *key) {
    return json_string_value(json_object_get(json_object_get(r->sent, "params"), key));
}

static inline void expect_silence(struct rig *r) {
    const char *text = NULL;
    size_t len = 0;
    assert_int_equal(rmi_sig_client_poll_output(r->c, &text, &len), RM_E_AGAIN);
}

static inline struct rmi_sig_event event(struct rig *r, enum rmi_sig_event_type type) {
    struct rmi_sig_event ev = {0};
    assert_int_equal(rmi_sig_client_poll_event(r->c, &ev), RM_OK);
    assert_int_equal(ev.type, type);
    return ev;
}

static inline void expect_no_event(struct rig *r) {
    struct rmi_sig_event ev;
    assert_int_equal(rmi_sig_client_poll_event(r->c, &ev), RM_E_AGAIN);
}

static inline void expect_state(struct rig *r, enum rmi_sig_state state, rm_err err) {
    const struct rmi_sig_event ev = event(r, RMI_SIG_EV_STATE);
    assert_int_equal(ev.state, state);
    assert_int_equal(ev.err, err);
    assert_int_equal(rmi_sig_client_state(r->c), state);
}

static inline void hear(struct rig *r, const char *text) {
    rmi_sig_client_input(r->c, r->now, text, strlen(text));
}

/* A reply to the last message taken; `body` is the member "result" or "error". */
static inline void reply(struct rig *r, const char *body) {
    char text[1024];
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%lld,%s}",
             (long long)json_integer_value(json_object_get(r->sent, "id")), body);
    hear(r, text);
}

static inline void connect_socket(struct rig *r) {
    expect_state(r, RMI_SIG_CONNECTING, RM_OK);
    (void)event(r, RMI_SIG_EV_OPEN_SOCKET);
    expect_no_event(r);
    rmi_sig_client_connected(r->c, r->now);
    expect_state(r, RMI_SIG_ANNOUNCING, RM_OK);
    take(r, "peer.announce");
}

static inline void become_ready(struct rig *r) {
    connect_socket(r);
    reply(r, "\"result\":{\"success\":true,\"peer_id\":\"me\",\"peers_count\":2,\"other_peers\":[\"bob\"]}");
    expect_state(r, RMI_SIG_READY, RM_OK);
    const struct rmi_sig_event ev = event(r, RMI_SIG_EV_ANNOUNCED);
    assert_int_equal(ev.others_count, 1);
    assert_string_equal(ev.others[0], "bob");
    expect_no_event(r);
}

/* A rig stays where it was made: its client holds the address of its generator. */
#define READY_RIG(r)                                                                                                   \
    struct rig r = rig_new(1);                                                                                         \
    rig_client(&r, NULL);                                                                                              \
    assert_int_equal(rmi_sig_client_start(r.c, r.now), RM_OK);                                                         \
    become_ready(&r)

#endif
