/* SPDX-License-Identifier: Apache-2.0 */
#include "client_testkit.h"

static void the_unprefixed_dialect_is_spoken_after_method_not_found(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    reply(&r, "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}");
    take(&r, "announce");
    assert_true(
        json_is_true(json_object_get(json_object_get(json_object_get(r.sent, "params"), "capabilities"), "audio")));
    reply(&r, "\"result\":{\"peer_id\":\"me\",\"peers_count\":3,\"other_peers\":[\"x\",\"me\",\"x\",\"b "
              "d\",{\"peer_id\":\"y\"}]}");
    expect_state(&r, RMI_SIG_READY, RM_OK);
    const struct rmi_sig_event ev = event(&r, RMI_SIG_EV_ANNOUNCED);
    assert_int_equal(ev.others_count, 2);
    assert_string_equal(ev.others[1], "y");
    assert_string_equal(rmi_sig_client_dialect(r.c), "unprefixed");
    rmi_sig_client_offer(r.c, r.now, "x", SDP);
    take(&r, "offer");
    assert_string_equal(param(&r, "to_peer_id"), "x");
    assert_string_equal(param(&r, "type"), "offer");
    reply(&r, "\"result\":{\"offer_id\":\"me_x_1\",\"to_peer_id\":\"x\"}");
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"answer\",\"params\":{\"from_peer_id\":\"x\",\"sdp\":\"" SDP_JSON
             "\",\"type\":\"answer\"}}");
    assert_string_equal(event(&r, RMI_SIG_EV_ANSWER).sdp, SDP);
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"ice_candidate\",\"params\":{\"from_peer_id\":\"x\",\"candidate\":"
             "\"candidate:9\",\"sdp_mid\":\"0\",\"sdp_mline_index\":4}}");
    assert_int_equal(event(&r, RMI_SIG_EV_CANDIDATE).mline_index, 4);
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_disconnected\",\"params\":{\"peer_id\":\"x\"}}");
    assert_string_equal(event(&r, RMI_SIG_EV_PEER_DISCONNECTED).peer, "x");
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_joined\",\"params\":{\"peer_id\":\"z\",\"capabilities\":{"
             "\"video\":true}}}");
    assert_int_equal(event(&r, RMI_SIG_EV_PEER_JOINED).capabilities, RMI_SIG_CAP_VIDEO);
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_left\",\"params\":{\"peer_id\":\"z\"}}");
    assert_string_equal(event(&r, RMI_SIG_EV_PEER_LEFT).peer, "z");
    rmi_sig_client_candidate(r.c, r.now, "x", "candidate:1", "0", 1);
    take(&r, "ice_candidate");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.sent, "params"), "sdp_mline_index")), 1);
    rig_end(&r);
}

static void neither_dialect_known_is_final(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    reply(&r, "\"error\":{\"code\":-32601,\"message\":\"no\"}");
    take(&r, "announce");
    reply(&r, "\"error\":{\"code\":-32601,\"message\":\"no\"}");
    assert_int_equal(event(&r, RMI_SIG_EV_REQUEST_FAILED).err, RM_E_RPC_METHOD_NOT_FOUND);
    (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
    expect_state(&r, RMI_SIG_FAILED, RM_E_RPC_METHOD_NOT_FOUND);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), RMI_NEVER);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "x", SDP), RM_E_CLOSED);
    assert_int_equal(rmi_sig_client_start(r.c, r.now), RM_OK); /* a fresh start is allowed */
    become_ready(&r);
    rig_end(&r);
}

/* RemoteMedia's own server is a peer: its answer is the result of the offer. */
static void an_answer_inside_the_offers_result_is_an_answer(void **state) {
    (void)state;
    READY_RIG(r);
    rmi_sig_client_offer(r.c, r.now, "remotemedia-server", SDP);
    take(&r, "peer.offer");
    reply(&r,
          "\"result\":{\"type\":\"answer\",\"sdp\":\"" SDP_JSON "\",\"from\":\"remotemedia-server\",\"to\":\"me\"}");
    struct rmi_sig_event ev = event(&r, RMI_SIG_EV_ANSWER);
    assert_string_equal(ev.peer, "remotemedia-server");
    assert_string_equal(ev.sdp, SDP);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), RMI_NEVER);
    rmi_sig_client_candidate(r.c, r.now, "remotemedia-server", "candidate:1", "0", 0);
    take(&r, "peer.ice_candidate");
    reply(&r, "\"result\":{\"success\":true,\"to_peer_id\":\"remotemedia-server\",\"buffered\":false}");
    ev = event(&r, RMI_SIG_EV_REQUEST_FAILED);
    assert_int_equal(ev.request, RMI_SIG_REQ_CANDIDATE);
    assert_int_equal(ev.err, RM_E_AGAIN);
    hear(&r, "{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"remotemedia-server\",\"to\":\"me\","
             "\"candidate\":\"\","
             "\"sdp_mid\":null,\"sdp_m_line_index\":null}}");
    ev = event(&r, RMI_SIG_EV_CANDIDATE);
    assert_true(ev.end);
    assert_int_equal(ev.mline_index, -1);
    hear(&r,
         "{\"jsonrpc\":\"2.0\",\"method\":\"peer.state_change\",\"params\":{\"peer_id\":\"bob\",\"connection_state\":"
         "\"connected\",\"timestamp\":1}}");
    expect_no_event(&r);
    /* An answer that claims to come from somebody else than the one we asked is dropped. */
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    take(&r, "peer.offer");
    reply(&r, "\"result\":{\"type\":\"answer\",\"sdp\":\"v=0\",\"from\":\"mallory\"}");
    expect_no_event(&r);
    rig_end(&r);
}

static void every_error_code_reaches_the_owner(void **state) {
    (void)state;
    READY_RIG(r);
    static const int codes[] = {-32700, -32600, -32601, -32602, -32603, -32000, -32001,
                                -32002, -32003, -32004, -32005, -32006, -32007, -31999};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char body[128];
        rmi_sig_client_offer(r.c, r.now, "bob", SDP);
        take(&r, "peer.offer");
        snprintf(body, sizeof body, "\"error\":{\"code\":%d,\"message\":\"no\\nway\"}", codes[i]);
        reply(&r, body);
        const struct rmi_sig_event ev = event(&r, RMI_SIG_EV_REQUEST_FAILED);
        assert_int_equal(ev.request, RMI_SIG_REQ_OFFER);
        assert_int_equal(ev.err, rmi_rpc_err_of_code(codes[i]));
        assert_int_equal(ev.code, codes[i]);
        assert_string_equal(ev.text, "no way");
        assert_string_equal(ev.peer, "bob");
        assert_int_equal(rmi_sig_client_next_deadline(r.c), RMI_NEVER);
    }
    hear(&r, "{\"id\":null,\"error\":{\"code\":-32603,\"message\":\"broken\"}}");
    assert_int_equal(event(&r, RMI_SIG_EV_REQUEST_FAILED).request, RMI_SIG_REQ_NONE);
    rig_end(&r);
}

static void misaddressed_and_malformed_messages_are_counted_and_dropped(void **state) {
    (void)state;
    READY_RIG(r);
    static const char *const misaddressed[] = {
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"bob\",\"to\":\"you\",\"sdp\":\"v=0\"}}",
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"me\",\"to\":\"me\",\"sdp\":\"v=0\"}}",
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"b d\",\"to\":\"me\",\"sdp\":\"v=0\"}}",
        "{\"method\":\"peer.answer\",\"params\":{\"to\":\"me\",\"sdp\":\"v=0\"}}",
        "{\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"me\"}}",
        "{\"method\":\"peer.left\",\"params\":{\"peer_id\":\"me\"}}",
        "{\"method\":\"peer.left\"}",
        "{\"method\":\"peer.disconnected\",\"params\":{\"peer_id\":\"me\",\"reason\":\"x\"}}",
    };
    static const char *const malformed[] = {
        "",
        "[]",
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"bob\",\"to\":\"me\"}}",
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"bob\",\"to\":\"me\",\"sdp\":\"v=0\",\"type\":\"rollback\"}}",
        "{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"bob\",\"to\":\"me\",\"candidate\":\"rubbish\"}}",
        "{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"bob\",\"to\":\"me\"}}",
    };
    struct rmi_sig_client_stats stats;
    for (size_t i = 0; i < sizeof misaddressed / sizeof misaddressed[0]; i++) {
        hear(&r, misaddressed[i]);
        rmi_sig_client_stats(r.c, &stats);
        assert_int_equal(stats.misaddressed, i + 1);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        hear(&r, malformed[i]);
        rmi_sig_client_stats(r.c, &stats);
        assert_int_equal(stats.malformed, i + 1);
    }
    hear(&r, "{\"id\":424242,\"result\":{}}");
    hear(&r, "{\"id\":424242,\"error\":{\"code\":-32000,\"message\":\"x\"}}");
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.unmatched, 2);
    expect_no_event(&r);
    expect_silence(&r);
    rig_end(&r);
}

static void all_spellings_of_notifications_are_understood(void **state) {
    (void)state;
    READY_RIG(r);
    static const struct {
        const char *text;
        enum rmi_sig_event_type type;
    } rows[] = {
        {"{\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_JOINED},
        {"{\"method\":\"peer.announced\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_JOINED},
        {"{\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_JOINED},
        {"{\"method\":\"peer_joined\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_JOINED},
        {"{\"method\":\"peer.left\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_LEFT},
        {"{\"method\":\"peer_left\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_LEFT},
        {"{\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_DISCONNECTED},
        {"{\"method\":\"peer.disconnect\",\"params\":{\"from\":\"bob\",\"to\":\"me\",\"reason\":\"x\"}}",
         RMI_SIG_EV_PEER_DISCONNECTED},
        {"{\"method\":\"peer.disconnected\",\"params\":{\"peer_id\":\"me\",\"from\":\"bob\"}}",
         RMI_SIG_EV_PEER_DISCONNECTED},
        {"{\"method\":\"peer_disconnected\",\"params\":{\"peer_id\":\"bob\"}}", RMI_SIG_EV_PEER_DISCONNECTED},
        {"{\"method\":\"offer\",\"params\":{\"from_peer_id\":\"bob\",\"sdp\":\"v=0\",\"type\":\"offer\"}}",
         RMI_SIG_EV_OFFER},
        {"{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"bob\",\"candidate\":\"{\\\"candidate\\\":"
         "\\\"candidate:1\\\"}\"}}",
         RMI_SIG_EV_CANDIDATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hear(&r, rows[i].text);
        assert_string_equal(event(&r, rows[i].type).peer, "bob");
    }
    expect_no_event(&r);
    rig_end(&r);
}

static void requests_to_us_get_a_reply(void **state) {
    (void)state;
    READY_RIG(r);
    hear(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"control.list\",\"params\":{}}");
    take(&r, NULL);
    assert_string_equal(json_string_value(json_object_get(r.sent, "id")), "q");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.sent, "error"), "code")), -32601);
    hear(&r, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"bob\"}}");
    take(&r, NULL);
    assert_non_null(json_object_get(r.sent, "result"));
    hear(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"control.event\",\"params\":{}}");
    expect_silence(&r);
    struct rmi_sig_client_stats stats;
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.unknown_methods, 2);
    for (int i = 0; i < 5000; i++) /* neither replies nor events grow without bound */
        hear(&r, "{\"id\":5,\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"bob\"}}");
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.events_dropped, 5001 - 1024);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "bob", SDP), RM_OK);
    rig_end(&r);
}

/* Every message of the dialogue cut at each length and with each byte changed: the client may ignore or misunderstand
 * it, but must go on. */
static void cut_and_damaged_messages_do_no_harm(void **state) {
    (void)state;
    static const char *const samples[] = {
        "{\"method\":\"peer.offer\",\"params\":{\"from\":\"bob\",\"to\":\"me\",\"sdp\":\"v=0\\r\\nm=\"}}",
        ("{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"bob\",\"candidate\":\"{\\\"candidate\\\":"
         "\\\"candidate:1\\\"}\"}}"),
        "{\"id\":1,\"result\":{\"peer_id\":\"me\",\"other_peers\":[\"a\",{\"peer_id\":\"b\"}]}}",
        "{\"id\":null,\"error\":{\"code\":-32602,\"message\":\"x\",\"data\":{\"reason\":\"already\"}}}",
    };
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        const size_t len = strlen(samples[s]);
        for (size_t at = 0; at < 2 * len; at++) {
            struct rig r = rig_new(1);
            rig_client(&r, NULL);
            rmi_sig_client_start(r.c, r.now);
            rmi_sig_client_connected(r.c, r.now);
            char *text = malloc(len);
            const size_t n = at < len ? at : len;
            for (unsigned flip = 1; flip < 256; flip <<= 1) {
                memcpy(text, samples[s], len);
                if (at >= len)
                    text[at - len] = (char)(text[at - len] ^ (char)flip);
                char *exact = malloc(n ? n : 1);
                memcpy(exact, text, n);
                rmi_sig_client_input(r.c, r.now, exact, n);
                free(exact);
            }
            free(text);
            const enum rmi_sig_state now = rmi_sig_client_state(r.c);
            assert_true(now == RMI_SIG_ANNOUNCING || now == RMI_SIG_READY || now == RMI_SIG_FAILED ||
                        now == RMI_SIG_DISCONNECTED);
            rig_end(&r);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unprefixed_dialect_is_spoken_after_method_not_found),
        cmocka_unit_test(neither_dialect_known_is_final),
        cmocka_unit_test(an_answer_inside_the_offers_result_is_an_answer),
        cmocka_unit_test(every_error_code_reaches_the_owner),
        cmocka_unit_test(misaddressed_and_malformed_messages_are_counted_and_dropped),
        cmocka_unit_test(all_spellings_of_notifications_are_understood),
        cmocka_unit_test(requests_to_us_get_a_reply),
        cmocka_unit_test(cut_and_damaged_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
