/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/server_testkit.h"

#define SERVER "remotemedia-server"
#define OFFER                                                                                                          \
    "{\"id\":%d,\"method\":\"peer.offer\",\"params\":{\"from\":\"%s\",\"to\":\"" SERVER "\",\"sdp\":\"" SDP_JSON "\"}" \
    "}"
#define ANSWER "{\"id\":9,\"method\":\"peer.answer\",\"params\":{\"to\":\"%s\",\"sdp\":\"v=0 answer\"}}"
#define CANDIDATE                                                                                                      \
    "{\"id\":5,\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"ann\",\"to\":\"%s\",\"candidate\":"            \
    "\"candidate:1\",\"sdp_mid\":\"0\"}}"

static char left_id[RMI_SIG_MAX_ID + 1];

static int on_method(void *ctx, const char *peer_id, const char *method, json_t *params, json_t **result,
                     const char **reason) {
    (void)ctx;
    if (strcmp(method, "control.echo") != 0)
        return RMI_RPC_METHOD_NOT_FOUND;
    if (!peer_id)
        return RMI_RPC_INVALID_REQUEST;
    *reason = "no text";
    *result = json_object_get(params, "text") ? json_pack("{s:s, s:O}", "by", peer_id, "params", params) : NULL;
    return *result ? 0 : RMI_RPC_INVALID_PARAMS;
}

static void on_left(void *ctx, const char *peer_id) {
    (void)ctx;
    snprintf(left_id, sizeof left_id, "%s", peer_id);
}

/* A server with its own peer announced; returns the peer's connection. */
static uint64_t open_rig(struct rig *r, size_t max_peers, const char *token) {
    const struct rmi_sig_server_mode mode = {
        .peer_id = SERVER, .answer_timeout_us = RMI_SEC(30), .method = on_method, .left = on_left};
    uint64_t own = 0;
    rig_open_mode(r, max_peers, token, &mode);
    assert_int_equal(rmi_sig_server_open_own(r->s, r->now, &own), RM_OK);
    assert_int_equal(rmi_sig_server_open_own(r->s, r->now, &own), RM_E_STATE);
    say(r, own, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"" SERVER "\",\"capabilities\":[]}}");
    expect(r, own, "{'id':1,'result':{'success':true,'peer_id':'" SERVER "','peers_count':1,'other_peers':[]}}");
    return own;
}

static uint64_t join_as(struct rig *r, const char *id) {
    const uint64_t conn = join(r, ANNOUNCE, id);
    drop_inbox(r, conn);
    return conn;
}

static void offer(struct rig *r, uint64_t conn, int id, const char *from) {
    char text[512];
    snprintf(text, sizeof text, OFFER, id, from);
    say(r, conn, text);
}

static void say_to(struct rig *r, uint64_t conn, const char *format, const char *to) {
    char text[512];
    snprintf(text, sizeof text, format, to);
    say(r, conn, text);
}

static void an_offer_is_answered_in_its_result(void **state) {
    (void)state;
    struct rig r;
    const uint64_t own = open_rig(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann");
    expect(&r, a, "{'id':1,'result':{'success':true,'peer_id':'ann','peers_count':1,'other_peers':[]}}");
    expect(&r, own, "{'method':'peer.joined','params':{'peer_id':'ann','capabilities':['audio'],'metadata':{}}}");
    offer(&r, a, 7, "whoever"); /* from is ignored */
    expect_nothing(&r, a);
    expect(&r, own, "{'method':'peer.offer','params':{'from':'ann','to':'" SERVER "','sdp':'" SDP_JSON "'}}");
    say_to(&r, own, ANSWER, "ann");
    expect(&r, own, "{'id':9,'result':{'success':true,'to_peer_id':'ann'}}");
    expect(&r, a, "{'id':7,'result':{'type':'answer','sdp':'v=0 answer','from':'" SERVER "','to':'ann'}}");
    /* An answer that nothing waits for is a message like others. */
    say_to(&r, own, ANSWER, "ann");
    drop_inbox(&r, own);
    expect(&r, a, "{'method':'peer.answer','params':{'from':'" SERVER "','to':'ann','sdp':'v=0 answer'}}");
    say_to(&r, own, CANDIDATE, "ann");
    drop_inbox(&r, own);
    expect(&r, a,
           "{'method':'peer.ice_candidate','params':{'from':'" SERVER "','to':'ann','candidate':'candidate:1',"
           "'sdp_mid':'0','sdp_m_line_index':null}}");
    say(&r, a, "{\"method\":\"peer.offer\",\"params\":{\"to\":\"" SERVER "\",\"sdp\":\"" SDP_JSON "\"}}");
    say_to(&r, own, ANSWER, "ann");
    expect(&r, a, "{'id':null,'result':{'type':'answer','sdp':'v=0 answer','from':'" SERVER "','to':'ann'}}");
    rig_close(&r);
}

static void nobody_else_is_the_server(void **state) {
    (void)state;
    struct rig r;
    const uint64_t own = open_rig(&r, 0, NULL);
    const uint64_t a = join_as(&r, "ann");
    const uint64_t b = join(&r, ANNOUNCE, SERVER);
    expect_error(&r, b, RMI_RPC_INVALID_PARAMS);
    const uint64_t c = join(&r, ANNOUNCE_ROOM, "ann"); /* each id once, in whatever room */
    expect_error(&r, c, RMI_RPC_INVALID_PARAMS);
    say(&r, a, "{\"id\":2,\"method\":\"peer.list\",\"params\":{}}");
    expect(&r, a,
           "{'id':2,'result':{'peers':[{'peer_id':'ann','capabilities':['audio'],'metadata':{},'connected_at':1000500,"
           "'state':'connected'}],'count':1}}");
    drop_inbox(&r, own);
    rmi_sig_server_closed(r.s, r.now, a);
    expect(&r, own, "{'method':'peer.left','params':{'peer_id':'ann'}}");
    assert_string_equal(left_id, "ann");
    rig_close(&r);
}

static void early_candidates_follow_their_offer(void **state) {
    (void)state;
    struct rig r;
    const uint64_t own = open_rig(&r, 0, NULL);
    const uint64_t a = join_as(&r, "ann");
    drop_inbox(&r, own);
    say_to(&r, a, CANDIDATE, SERVER);
    expect(&r, a, "{'id':5,'result':{'success':true,'to_peer_id':'" SERVER "'}}");
    r.mute = true;
    for (int i = 0; i < 100; i++) /* more than are kept */
        say_to(&r, a, CANDIDATE, SERVER);
    struct rmi_sig_server_stats before, after;
    rmi_sig_server_stats(r.s, &before);
    offer(&r, a, 2, "ann");
    rmi_sig_server_stats(r.s, &after);
    r.mute = false;
    assert_int_equal(after.messages_out - before.messages_out, 1 + 64);
    say_to(&r, own, ANSWER, "ann");
    drop_inbox(&r, own);
    drop_inbox(&r, a);
    say_to(&r, a, CANDIDATE, SERVER); /* from now on they pass */
    expect(&r, own,
           "{'method':'peer.ice_candidate','params':{'from':'ann','to':'" SERVER "','candidate':'candidate:1',"
           "'sdp_mid':'0','sdp_m_line_index':null}}");
    rig_close(&r);
}

static void offers_that_fail_say_why(void **state) {
    (void)state;
    struct rig r;
    struct rmi_sig_server_stats stats;
    const uint64_t own = open_rig(&r, 0, NULL);
    const uint64_t stranger = connect_one(&r);
    offer(&r, stranger, 1, "x");
    expect_error(&r, stranger, RMI_RPC_INVALID_REQUEST);
    const uint64_t a = join_as(&r, "ann");
    say(&r, a, "{\"id\":2,\"method\":\"peer.offer\",\"params\":{\"to\":\"" SERVER "\",\"sdp\":\"v=1\\r\\nm=\"}}");
    expect_error(&r, a, RMI_RPC_OFFER_INVALID);
    say(&r, a, "{\"id\":2,\"method\":\"peer.offer\",\"params\":{\"to\":\"nobody\",\"sdp\":\"" SDP_JSON "\"}}");
    expect_error(&r, a, RMI_RPC_PEER_NOT_FOUND);
    static const struct {
        const char *reason;
        int code;
    } rows[] = {{"RM_E_LIMIT", RMI_RPC_SESSION_LIMIT},
                {"RM_E_SDP", RMI_RPC_OFFER_INVALID},
                {"RM_E_CODEC_MISMATCH", RMI_RPC_CODEC_MISMATCH},
                {"what ever", RMI_RPC_INTERNAL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        offer(&r, a, 3, "ann");
        drop_inbox(&r, own);
        snprintf(text, sizeof text,
                 "{\"id\":4,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"ann\",\"reason\":\"%s\"}}",
                 rows[i].reason);
        say(&r, own, text);
        expect_error(&r, a, rows[i].code);
        expect_nothing(&r, a);
    }
    rmi_sig_server_stats(r.s, &stats); /* a goodbye that was written before the offer is none of its business */
    drop_inbox(&r, own);
    rmi_sig_server_own_took(r.s, 0);
    offer(&r, a, 3, "ann");
    say(&r, own, "{\"id\":4,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"ann\"}}");
    say_to(&r, own, ANSWER, "ann");
    expect_nothing(&r, a);
    rmi_sig_server_own_took(r.s, stats.messages_out);
    say_to(&r, own, ANSWER, "ann");
    expect(&r, a, "{'id':3,'result':{'type':'answer','sdp':'v=0 answer','from':'" SERVER "','to':'ann'}}");
    drop_inbox(&r, own);
    offer(&r, a, 3, "ann");
    offer(&r, a, 4, "ann"); /* takes the place of the one before */
    expect_error(&r, a, RMI_RPC_NEGOTIATION_IN_PROGRESS);
    r.now += RMI_SEC(29);
    rmi_sig_server_timeout(r.s, r.now);
    expect_nothing(&r, a);
    r.now += RMI_SEC(1);
    assert_true(rmi_sig_server_next_deadline(r.s) <= r.now);
    rmi_sig_server_timeout(r.s, r.now);
    expect_error(&r, a, RMI_RPC_CONNECTION_TIMEOUT);
    rig_close(&r);
}

/* As RemoteMedia's server: code -32603, and no id. */
static void malformed_parameters_get_an_error_without_id(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"id\":7,\"method\":\"peer.offer\",\"params\":{\"to\":\"" SERVER "\"}}",
                                        "{\"id\":7,\"method\":\"peer.offer\",\"params\":{\"sdp\":\"" SDP_JSON "\"}}",
                                        "{\"id\":7,\"method\":\"peer.offer\",\"params\":[]}",
                                        "{\"id\":7,\"method\":\"peer.announce\",\"params\":{\"peer_id\":3}}",
                                        "{\"id\":7,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"" SERVER
                                        "\",\"candidate\":3}}"};
    struct rig r;
    open_rig(&r, 0, NULL);
    const uint64_t a = join_as(&r, "ann");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        say(&r, a, texts[i]);
        assert_true(r.head[a] < r.tail[a]);
        assert_true(json_is_null(json_object_get(r.inbox[a][r.head[a]], "id")));
        expect_error(&r, a, RMI_RPC_INTERNAL);
    }
    say(&r, a, "{\"id\":7,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"" SERVER "\",\"candidate\":\"bad\"}}");
    expect_error(&r, a, RMI_RPC_ICE_CANDIDATE_INVALID);
    rig_close(&r);
}

static void other_methods_are_the_owners(void **state) {
    (void)state;
    struct rig r;
    open_rig(&r, 0, NULL);
    const uint64_t stranger = connect_one(&r);
    say(&r, stranger, "{\"id\":1,\"method\":\"control.echo\",\"params\":{\"text\":1}}");
    expect_error(&r, stranger, RMI_RPC_INVALID_REQUEST);
    const uint64_t a = join_as(&r, "ann");
    say(&r, a, "{\"id\":1,\"method\":\"control.echo\",\"params\":{\"text\":1}}");
    expect(&r, a, "{'id':1,'result':{'by':'ann','params':{'text':1}}}");
    say(&r, a, "{\"id\":1,\"method\":\"control.echo\",\"params\":{}}");
    expect_error(&r, a, RMI_RPC_INVALID_PARAMS);
    say(&r, a, "{\"id\":1,\"method\":\"control.other\",\"params\":{}}");
    expect_error(&r, a, RMI_RPC_METHOD_NOT_FOUND);
    assert_int_equal(rmi_sig_server_tell(r.s, "ann", "control.event", json_pack("{s:i}", "ts", 1)), RM_OK);
    expect(&r, a, "{'method':'control.event','params':{'ts':1}}");
    assert_int_equal(rmi_sig_server_tell(r.s, "bob", "control.event", json_object()), RM_E_NOT_FOUND);
    rig_close(&r);
}

static void goodbyes_cross_rooms(void **state) {
    (void)state;
    struct rig r;
    const uint64_t own = open_rig(&r, 0, NULL);
    const uint64_t c = join(&r, ANNOUNCE_ROOM, "cat");
    drop_inbox(&r, c);
    drop_inbox(&r, own);
    say(&r, c, "{\"id\":3,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"cat\"}}");
    expect(&r, own, "{'method':'peer.disconnected','params':{'from':'cat','to':'" SERVER "','peer_id':'cat'}}");
    say(&r, c, "{\"id\":3,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"" SERVER "\",\"reason\":\"done\"}}");
    expect(&r, own,
           "{'method':'peer.disconnected','params':{'from':'cat','to':'" SERVER "','peer_id':'cat','reason':'done'}}");
    drop_inbox(&r, c);
    say(&r, own, "{\"id\":3,\"method\":\"peer.disconnect\",\"params\":{\"peer_id\":\"cat\"}}");
    expect(&r, c, "{'method':'peer.disconnected','params':{'from':'" SERVER "','to':'cat','peer_id':'" SERVER "'}}");
    rig_close(&r);
}

static void limits_are_for_others(void **state) {
    (void)state;
    struct rig r;
    const uint64_t own = open_rig(&r, 1, "secret"); /* the own peer gave no token */
    const uint64_t a = connect_one(&r);
    say(&r, a, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"ann\",\"token\":\"secret\"}}");
    drop_inbox(&r, a);
    const uint64_t b = connect_one(&r);
    say(&r, b, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"bob\",\"token\":\"secret\"}}");
    expect_error(&r, b, RMI_RPC_SESSION_LIMIT);
    r.mute = true;
    for (int i = 0; i < 5000; i++)
        say_to(&r, own, CANDIDATE, "ann");
    assert_int_equal(r.close_code[own], 0);
    for (int i = 0; i < 10; i++) { /* it is never pinged, and never silent */
        r.now += RMI_SEC(60);
        rmi_sig_server_activity(r.s, r.now, a);
        rmi_sig_server_timeout(r.s, r.now);
    }
    assert_int_equal(r.close_code[own], 0);
    assert_int_equal(r.pings[own], 0);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_answered_in_its_result),
        cmocka_unit_test(nobody_else_is_the_server),
        cmocka_unit_test(early_candidates_follow_their_offer),
        cmocka_unit_test(offers_that_fail_say_why),
        cmocka_unit_test(malformed_parameters_get_an_error_without_id),
        cmocka_unit_test(other_methods_are_the_owners),
        cmocka_unit_test(goodbyes_cross_rooms),
        cmocka_unit_test(limits_are_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
