/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation made for JSON fails once: nothing may crash or leak, and what is said must still be JSON. */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "base/time.h"
#include "signaling/client.h"
#include "signaling/jsonrpc.h"
#include "signaling/server.h"
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static long allocations, fail_at;

static void *counting_malloc(size_t size) {
    return allocations++ == fail_at ? NULL : malloc(size);
}

static void on_send(void *ctx, uint64_t conn, const char *text, size_t len) {
    unsigned *const sent = ctx;
    assert_true(conn == 1 || conn == 2);
    assert_true(len > 2 && text[0] == '{' && text[len - 1] == '}');
    (*sent)++;
}

static void on_close(void *ctx, uint64_t conn, int code, const char *reason) {
    (void)ctx;
    (void)conn;
    (void)code;
    (void)reason;
    fail();
}

static unsigned server_round(void) {
    static const struct {
        uint64_t conn;
        const char *text;
    } script[] = {
        {1, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a\",\"user_data\":{\"k\":[1,true]}}}"},
        {2, "{\"id\":1,\"method\":\"announce\",\"params\":{\"peer_id\":\"b\",\"capabilities\":{\"audio\":true}}}"},
        {2, "{\"id\":2,\"method\":\"offer\",\"params\":{\"to_peer_id\":\"a\",\"sdp\":\"v=0\\r\\nm=\"}}"},
        {1, "{\"id\":2,\"method\":\"peer.answer\",\"params\":{\"from\":\"a\",\"to\":\"b\",\"sdp\":\"v=0\"}}"},
        {1, "{\"id\":3,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"b\",\"candidate\":\"{\\\"candidate\\\":"
            "\\\"\\\"}\"}}"},
        {1, "{\"id\":4,\"method\":\"peer.list\"}"},
        {1, "{\"id\":5,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a\"}}"},
        {1, "{\"id\":6,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"b\",\"reason\":\"x\"}}"},
    };
    unsigned sent = 0;
    uint64_t conn = 0;
    struct rmi_sig_server *s = NULL;
    struct rmi_sig_server_config config;
    rmi_sig_server_config_init(&config);
    config.cb = (struct rmi_sig_server_callbacks){.ctx = &sent, .send = on_send, .close = on_close};
    assert_int_equal(rmi_sig_server_create(&config, &s), RM_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rmi_sig_server_open(s, 0, &conn), RM_OK);
    for (size_t i = 0; i < sizeof script / sizeof script[0]; i++)
        rmi_sig_server_input(s, 0, script[i].conn, script[i].text, strlen(script[i].text));
    rmi_sig_server_closed(s, 0, 1);
    rmi_sig_server_destroy(&s);
    return sent;
}

static unsigned client_round(void) {
    static const char *const script[] = {
        "{\"id\":1,\"error\":{\"code\":-32601,\"message\":\"x\"}}",
        "{\"id\":2,\"result\":{\"peer_id\":\"me\",\"other_peers\":[\"b\"]}}",
        "{\"method\":\"offer\",\"params\":{\"from_peer_id\":\"b\",\"sdp\":\"v=0\"}}",
        "{\"id\":9,\"method\":\"nonsense\"}",
    };
    unsigned events = 0;
    struct rmi_prng prng;
    struct rmi_sig_client *c = NULL;
    struct rmi_sig_client_config config;
    struct rmi_sig_event ev;
    rmi_prng_seed(&prng, 1);
    rmi_sig_client_config_init(&config);
    config.peer_id = "me";
    config.rng = rmi_prng_rng(&prng);
    assert_int_equal(rmi_sig_client_create(&config, &c), RM_OK);
    assert_int_equal(rmi_sig_client_start(c, 0), RM_OK);
    rmi_sig_client_connected(c, 0);
    for (size_t i = 0; i < sizeof script / sizeof script[0]; i++)
        rmi_sig_client_input(c, 0, script[i], strlen(script[i]));
    (void)rmi_sig_client_offer(c, 0, "b", "v=0\r\nm=");
    (void)rmi_sig_client_candidate(c, 0, "b", "candidate:1", "0", 0);
    (void)rmi_sig_client_disconnect_peer(c, 0, "b", "x");
    while (rmi_sig_client_poll_event(c, &ev) == RM_OK)
        events++;
    /* Whatever was lost, the client is ready or has a time at which it tries again. */
    assert_true(rmi_sig_client_state(c) == RMI_SIG_READY || rmi_sig_client_next_deadline(c) != RMI_NEVER);
    rmi_sig_client_leave(c, 0);
    rmi_sig_client_destroy(&c);
    return events;
}

static void sweep(unsigned (*round)(void), unsigned complete) {
    json_set_alloc_funcs(counting_malloc, free);
    for (fail_at = 0;; fail_at++) {
        allocations = 0;
        const unsigned outcome = round();
        if (allocations <= fail_at) {
            assert_int_equal(outcome, complete);
            break;
        }
        assert_true(outcome <= complete + 4);
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(fail_at > 50);
}

static void a_server_survives_each_failing_allocation(void **state) {
    (void)state;
    sweep(server_round, 14);
}

static void a_client_survives_each_failing_allocation(void **state) {
    (void)state;
    sweep(client_round, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_survives_each_failing_allocation),
        cmocka_unit_test(a_client_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
