/* SPDX-License-Identifier: Apache-2.0 */
#include "client_testkit.h"

static void configurations_are_checked(void **state) {
    (void)state;
    struct rmi_prng prng = {{1, 2, 3, 4}};
    struct rmi_sig_client_config good, config;
    rmi_sig_client_config_init(&good);
    good.peer_id = "me";
    good.rng = rmi_prng_rng(&prng);
    struct rmi_sig_client *c = NULL;
#define REFUSED(change)                                                                                                \
    config = good;                                                                                                     \
    config.change;                                                                                                     \
    assert_int_equal(rmi_sig_client_create(&config, &c), RM_E_INVALID_ARG);                                            \
    assert_null(c)
    REFUSED(peer_id = NULL);
    REFUSED(peer_id = "a b");
    REFUSED(room = "a b");
    REFUSED(token = "\xff");
    REFUSED(rng.fill = NULL);
    REFUSED(announce_timeout_us = 0);
    REFUSED(answer_timeout_us = -1);
    REFUSED(backoff_initial_us = 0);
    REFUSED(backoff_max_us = 1);
    REFUSED(backoff_multiplier = 0.5);
#undef REFUSED
    assert_int_equal(rmi_sig_client_create(&good, &c), RM_OK);
    assert_int_equal(rmi_sig_client_offer(c, 0, "bob", SDP), RM_E_CLOSED);
    assert_int_equal(rmi_sig_client_next_deadline(c), RMI_NEVER);
    rmi_sig_client_leave(c, 0);
    rmi_sig_client_destroy(&c);
}

static void the_announcement_carries_room_token_and_capabilities(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, "sesame");
    assert_int_equal(rmi_sig_client_start(r.c, r.now), RM_OK);
    assert_int_equal(rmi_sig_client_start(r.c, r.now), RM_E_STATE);
    connect_socket(&r);
    assert_string_equal(param(&r, "peer_id"), "me");
    assert_string_equal(param(&r, "room"), "lab");
    assert_string_equal(param(&r, "token"), "sesame");
    const json_t *caps = json_object_get(json_object_get(r.sent, "params"), "capabilities");
    assert_int_equal(json_array_size(caps), 2);
    rig_end(&r);
}

static void offers_answers_and_candidates_leave_in_order(void **state) {
    (void)state;
    READY_RIG(r);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "bob", SDP), RM_OK);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "candidate:1", "0", 0), RM_OK);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_OK);
    assert_int_equal(rmi_sig_client_answer(r.c, r.now, "eve", SDP), RM_OK);
    assert_int_equal(rmi_sig_client_disconnect_peer(r.c, r.now, "eve", "bye"), RM_OK);
    take(&r, "peer.offer");
    assert_string_equal(param(&r, "from"), "me");
    assert_string_equal(param(&r, "to"), "bob");
    assert_string_equal(param(&r, "sdp"), SDP);
    const int64_t first = json_integer_value(json_object_get(r.sent, "id"));
    take(&r, "peer.ice_candidate");
    assert_int_equal(json_integer_value(json_object_get(r.sent, "id")), first + 1);
    assert_string_equal(param(&r, "candidate"), "candidate:1");
    take(&r, "peer.ice_candidate");
    assert_string_equal(param(&r, "candidate"), "");
    take(&r, "peer.answer");
    take(&r, "peer.disconnect");
    assert_string_equal(param(&r, "peer_id"), "eve");
    assert_string_equal(param(&r, "reason"), "bye");
    expect_silence(&r);
    rig_end(&r);
}

static void arguments_and_queue_are_bounded(void **state) {
    (void)state;
    READY_RIG(r);
    char *big = malloc(RMI_SIG_MAX_SDP + 2);
    memset(big, 'v', RMI_SIG_MAX_SDP + 1);
    big[RMI_SIG_MAX_SDP + 1] = '\0';
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "bob", big), RM_E_INVALID_ARG);
    free(big);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "me", SDP), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "b b", SDP), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, NULL, SDP), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "bob", "v=0\xff"), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_answer(r.c, r.now, "bob", ""), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", NULL, NULL, -1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, 65536), RM_E_INVALID_ARG);
    expect_silence(&r);
    for (int i = 0; i < 256; i++)
        assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_OK);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_E_LIMIT);
    /* A server that never replies: what waits for replies stays bounded while all is sent. */
    for (int i = 0; i < 2000; i++) {
        take(&r, "peer.ice_candidate");
        assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_OK);
    }
    rig_end(&r);
}

static void an_offer_without_an_answer_times_out(void **state) {
    (void)state;
    READY_RIG(r);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    take(&r, "peer.offer");
    reply(&r, "\"result\":{\"success\":true,\"to_peer_id\":\"bob\"}");
    assert_int_equal(rmi_sig_client_next_deadline(r.c), r.now + RMI_SEC(30));
    rmi_sig_client_timeout(r.c, r.now + RMI_SEC(30) - 1);
    expect_no_event(&r);
    r.now += RMI_SEC(30);
    rmi_sig_client_timeout(r.c, r.now);
    struct rmi_sig_event ev = event(&r, RMI_SIG_EV_REQUEST_FAILED);
    assert_int_equal(ev.err, RM_E_CONNECTION_TIMEOUT);
    assert_string_equal(ev.peer, "bob");
    /* Answered, replaced, rolled back, and the peer gone: none of these times out. */
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    hear(&r, "{\"method\":\"peer.answer\",\"params\":{\"from\":\"bob\",\"to\":\"me\",\"sdp\":\"v=0\"}}");
    (void)event(&r, RMI_SIG_EV_ANSWER);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), RMI_NEVER);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    rmi_sig_client_offer(r.c, r.now + 5, "bob", SDP);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), r.now + 5 + RMI_SEC(30));
    hear(&r, "{\"method\":\"peer.left\",\"params\":{\"peer_id\":\"bob\"}}");
    assert_int_equal(event(&r, RMI_SIG_EV_REQUEST_FAILED).err, RM_E_PEER_NOT_FOUND);
    (void)event(&r, RMI_SIG_EV_PEER_LEFT);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    rmi_sig_client_answer(r.c, r.now, "bob", SDP);
    rmi_sig_client_timeout(r.c, r.now + RMI_SEC(31));
    expect_no_event(&r);
    rig_end(&r);
}

static void the_announcement_times_out_and_is_tried_again(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), r.now + RMI_SEC(10));
    r.now += RMI_SEC(10);
    rmi_sig_client_timeout(r.c, r.now);
    (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
    expect_state(&r, RMI_SIG_DISCONNECTED, RM_E_TIMEOUT);
    r.now = rmi_sig_client_next_deadline(r.c);
    rmi_sig_client_timeout(r.c, r.now);
    expect_state(&r, RMI_SIG_CONNECTING, RM_OK);
    (void)event(&r, RMI_SIG_EV_OPEN_SOCKET);
    r.now += RMI_SEC(10);
    rmi_sig_client_timeout(r.c, r.now); /* the socket never opens */
    (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
    expect_state(&r, RMI_SIG_DISCONNECTED, RM_E_TIMEOUT);
    rmi_sig_client_retry_now(r.c, r.now);
    become_ready(&r);
    rig_end(&r);
}

static void waits_grow_with_jitter_within_bounds(void **state) {
    (void)state;
    int64_t low = INT64_MAX, high = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct rig r = rig_new(seed * 7919);
        rig_client(&r, NULL);
        rmi_sig_client_start(r.c, r.now);
        int64_t nominal = RMI_MS(500);
        for (int i = 0; i < 12; i++) {
            expect_state(&r, RMI_SIG_CONNECTING, RM_OK);
            (void)event(&r, RMI_SIG_EV_OPEN_SOCKET);
            rmi_sig_client_disconnected(r.c, r.now, RM_E_IO, "refused");
            rmi_sig_client_disconnected(r.c, r.now, RM_E_IO, "refused"); /* told twice: counts once */
            expect_state(&r, RMI_SIG_DISCONNECTED, RM_E_IO);
            const int64_t wait = rmi_sig_client_next_deadline(r.c) - r.now;
            assert_true(wait >= nominal / 2 && wait <= nominal);
            if (i == 0) {
                low = rmi_min64(low, wait);
                high = rmi_max64(high, wait);
            }
            rmi_sig_client_timeout(r.c, r.now + wait - 1);
            expect_no_event(&r);
            r.now += wait;
            rmi_sig_client_timeout(r.c, r.now);
            nominal = rmi_min64(2 * nominal, RMI_SEC(30));
        }
        rig_end(&r);
    }
    assert_true(high - low > RMI_MS(150)); /* of 250 ms: the waits really differ */
}

static void a_lost_connection_is_reported_and_restored(void **state) {
    (void)state;
    READY_RIG(r);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1);
    r.now += RMI_SEC(60);
    rmi_sig_client_disconnected(r.c, r.now, RM_E_SIGNALING, "server gone");
    struct rmi_sig_event ev = event(&r, RMI_SIG_EV_REQUEST_FAILED);
    assert_int_equal(ev.request, RMI_SIG_REQ_OFFER);
    assert_int_equal(ev.err, RM_E_SIGNALING);
    ev = event(&r, RMI_SIG_EV_STATE);
    assert_string_equal(ev.text, "server gone");
    expect_no_event(&r);
    expect_silence(&r); /* nothing of the old connection may go out on the new one */
    assert_int_equal(rmi_sig_client_offer(r.c, r.now, "bob", SDP), RM_E_AGAIN);
    assert_int_equal(rmi_sig_client_answer(r.c, r.now, "bob", SDP), RM_E_SIGNALING);
    assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_E_SIGNALING);
    hear(&r, "{\"method\":\"peer.left\",\"params\":{\"peer_id\":\"bob\"}}");
    expect_no_event(&r);
    r.now = rmi_sig_client_next_deadline(r.c);
    rmi_sig_client_timeout(r.c, r.now);
    become_ready(&r);
    struct rmi_sig_client_stats stats;
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.losses, 1);
    rig_end(&r);
}

static void a_taken_id_fails_at_once_but_a_ghost_is_waited_for(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    reply(
        &r,
        "\"error\":{\"code\":-32602,\"message\":\"Invalid params\",\"data\":{\"reason\":\"Peer already announced\"}}");
    assert_int_equal(event(&r, RMI_SIG_EV_REQUEST_FAILED).err, RM_E_EXISTS);
    (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
    expect_state(&r, RMI_SIG_FAILED, RM_E_EXISTS);

    rmi_sig_client_start(r.c, r.now);
    become_ready(&r);
    rmi_sig_client_disconnected(r.c, r.now, RM_E_IO, NULL);
    expect_state(&r, RMI_SIG_DISCONNECTED, RM_E_IO);
    int tries = 0;
    while (rmi_sig_client_state(r.c) != RMI_SIG_FAILED) {
        assert_true(++tries < 20);
        r.now = rmi_sig_client_next_deadline(r.c);
        rmi_sig_client_timeout(r.c, r.now);
        connect_socket(&r);
        reply(&r, "\"error\":{\"code\":-32602,\"message\":\"already announced\"}");
        if (rmi_sig_client_state(r.c) == RMI_SIG_FAILED)
            (void)event(&r, RMI_SIG_EV_REQUEST_FAILED);
        (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
        assert_int_equal(event(&r, RMI_SIG_EV_STATE).err, RM_E_EXISTS);
    }
    assert_int_equal(tries, 9); /* eight waits, then the verdict */
    rig_end(&r);
}

static void refusals_of_the_announcement_end_or_retry_by_their_code(void **state) {
    (void)state;
    static const struct {
        const char *error;
        rm_err err;
        bool final;
    } rows[] = {
        {"{\"code\":-32001,\"message\":\"full\",\"data\":{\"max_peers\":10}}", RM_E_SESSION_LIMIT, true},
        {"{\"code\":-32005,\"message\":\"full\"}", RM_E_SESSION_LIMIT, true},
        {"{\"code\":-32600,\"message\":\"not authorized\"}", RM_E_RPC_INVALID_REQUEST, true},
        {"{\"code\":-32602,\"message\":\"bad id\"}", RM_E_RPC_INVALID_PARAMS, true},
        {"{\"code\":-32000,\"message\":\"Peer ID in use\"}", RM_E_EXISTS, true},
        {"{\"code\":-32603,\"message\":\"oops\"}", RM_E_RPC_INTERNAL, false},
        {"{\"code\":-32050,\"message\":\"maintenance\"}", RM_E_RPC_OTHER, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int null_id = 0; null_id < 2; null_id++) {
            struct rig r = rig_new(1);
            char text[256];
            rig_client(&r, NULL);
            rmi_sig_client_start(r.c, r.now);
            connect_socket(&r);
            snprintf(text, sizeof text, "\"error\":%s", rows[i].error);
            if (null_id) {
                snprintf(text, sizeof text, "{\"id\":null,\"error\":%s}", rows[i].error);
                hear(&r, text);
            } else {
                reply(&r, text);
            }
            const struct rmi_sig_event ev = event(&r, RMI_SIG_EV_REQUEST_FAILED);
            assert_int_equal(ev.request, RMI_SIG_REQ_ANNOUNCE);
            assert_int_equal(ev.err, rows[i].err);
            assert_true(strlen(ev.text) > 3);
            (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
            expect_state(&r, rows[i].final ? RMI_SIG_FAILED : RMI_SIG_DISCONNECTED, rows[i].err);
            assert_true((rmi_sig_client_next_deadline(r.c) == RMI_NEVER) == rows[i].final);
            rig_end(&r);
        }
    }
}

static void what_overtakes_the_announcement_waits_for_it(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    hear(&r, "{\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"eve\"}}");
    hear(&r, "{\"method\":\"peer.offer\",\"params\":{\"from\":\"eve\",\"to\":\"me\",\"sdp\":\"v=0\"}}");
    expect_no_event(&r);
    reply(&r, "\"result\":{\"status\":\"registered\",\"peer_id\":\"me\",\"session_key\":\"k\"}"); /* the oldest form */
    expect_state(&r, RMI_SIG_READY, RM_OK);
    assert_int_equal(event(&r, RMI_SIG_EV_ANNOUNCED).others_count, 0);
    (void)event(&r, RMI_SIG_EV_PEER_JOINED);
    (void)event(&r, RMI_SIG_EV_OFFER);
    assert_int_equal(rmi_sig_client_answer(r.c, r.now, "eve", SDP), RM_OK);
    rig_end(&r);
    r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    connect_socket(&r);
    for (int i = 0; i < 100; i++)
        hear(&r, "{\"method\":\"peer.joined\",\"params\":{\"peer_id\":\"eve\"}}");
    struct rmi_sig_client_stats stats;
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.events_dropped, 36);
    rig_end(&r);
}

static void leaving_says_farewell_and_closes(void **state) {
    (void)state;
    READY_RIG(r);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    take(&r, "peer.offer");
    rmi_sig_client_leave(r.c, r.now);
    rmi_sig_client_leave(r.c, r.now);
    take(&r, "peer.disconnect");
    assert_string_equal(param(&r, "peer_id"), "me");
    expect_silence(&r);
    (void)event(&r, RMI_SIG_EV_CLOSE_SOCKET);
    expect_state(&r, RMI_SIG_DISCONNECTED, RM_OK);
    expect_no_event(&r);
    rmi_sig_client_disconnected(r.c, r.now, RM_E_IO, NULL);
    rmi_sig_client_retry_now(r.c, r.now);
    rmi_sig_client_timeout(r.c, r.now + RMI_SEC(100));
    expect_no_event(&r);
    assert_int_equal(rmi_sig_client_next_deadline(r.c), RMI_NEVER);
    assert_int_equal(rmi_sig_client_answer(r.c, r.now, "bob", SDP), RM_E_CLOSED);
    assert_int_equal(rmi_sig_client_start(r.c, r.now), RM_OK);
    become_ready(&r);
    rig_end(&r);
}

static int64_t lose_after(struct rig *r, int64_t ready_for_us) {
    become_ready(r);
    r->now += ready_for_us;
    rmi_sig_client_disconnected(r->c, r->now, RM_E_IO, NULL);
    expect_state(r, RMI_SIG_DISCONNECTED, RM_E_IO);
    const int64_t wait = rmi_sig_client_next_deadline(r->c) - r->now;
    r->now += wait;
    rmi_sig_client_timeout(r->c, r->now);
    return wait;
}

static void only_a_connection_that_lasted_resets_the_waits(void **state) {
    (void)state;
    struct rig r = rig_new(1);
    rig_client(&r, NULL);
    rmi_sig_client_start(r.c, r.now);
    int64_t wait = 0;
    for (int i = 0; i < 10; i++)
        wait = lose_after(&r, RMI_MS(100)); /* a server that accepts and dies at once */
    assert_true(wait >= RMI_SEC(15));
    assert_true(lose_after(&r, RMI_SEC(60)) <= RMI_MS(500));
    rig_end(&r);
}

static void what_waits_for_replies_is_bounded_and_offers_stay_longest(void **state) {
    (void)state;
    READY_RIG(r);
    rmi_sig_client_offer(r.c, r.now, "bob", SDP);
    take(&r, "peer.offer");
    json_t *offer = json_incref(r.sent), *first = NULL;
    for (int i = 0; i < 512; i++) {
        assert_int_equal(rmi_sig_client_candidate(r.c, r.now, "bob", "", NULL, -1), RM_OK);
        take(&r, "peer.ice_candidate");
        first = first ? first : json_incref(r.sent);
    }
    struct rmi_sig_client_stats stats;
    json_decref(r.sent);
    r.sent = first;
    reply(&r, "\"error\":{\"code\":-32000,\"message\":\"gone\"}");
    rmi_sig_client_stats(r.c, &stats);
    assert_int_equal(stats.unmatched, 1);
    json_decref(r.sent);
    r.sent = offer;
    reply(&r, "\"error\":{\"code\":-32000,\"message\":\"gone\"}");
    assert_int_equal(event(&r, RMI_SIG_EV_REQUEST_FAILED).request, RMI_SIG_REQ_OFFER);
    rig_end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(the_announcement_carries_room_token_and_capabilities),
        cmocka_unit_test(offers_answers_and_candidates_leave_in_order),
        cmocka_unit_test(arguments_and_queue_are_bounded),
        cmocka_unit_test(an_offer_without_an_answer_times_out),
        cmocka_unit_test(the_announcement_times_out_and_is_tried_again),
        cmocka_unit_test(waits_grow_with_jitter_within_bounds),
        cmocka_unit_test(a_lost_connection_is_reported_and_restored),
        cmocka_unit_test(a_taken_id_fails_at_once_but_a_ghost_is_waited_for),
        cmocka_unit_test(refusals_of_the_announcement_end_or_retry_by_their_code),
        cmocka_unit_test(what_overtakes_the_announcement_waits_for_it),
        cmocka_unit_test(leaving_says_farewell_and_closes),
        cmocka_unit_test(only_a_connection_that_lasted_resets_the_waits),
        cmocka_unit_test(what_waits_for_replies_is_bounded_and_offers_stay_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
