/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/server_testkit.h"

static void configurations_are_checked(void **state) {
    (void)state;
    struct rmi_sig_server_config good, config;
    struct rmi_sig_server *s = NULL;
    rmi_sig_server_config_init(&good);
    assert_int_equal(rmi_sig_server_create(&good, &s), RM_E_INVALID_ARG); /* no callbacks */
    good.cb.send = on_send;
    good.cb.close = on_close;
#define REFUSED(change)                                                                                                \
    config = good;                                                                                                     \
    config.change;                                                                                                     \
    assert_int_equal(rmi_sig_server_create(&config, &s), RM_E_INVALID_ARG)
    REFUSED(max_peers = 0);
    REFUSED(max_peers = 257);
    REFUSED(max_connections = 0);
    REFUSED(ping_interval_us = 0);
    REFUSED(announce_timeout_us = 0);
    REFUSED(rate_per_second = 0);
    REFUSED(rate_burst = 0);
#undef REFUSED
    config = good;
    config.max_connections = 2;
    assert_int_equal(rmi_sig_server_create(&config, &s), RM_OK);
    uint64_t conn = 0;
    assert_int_equal(rmi_sig_server_open(s, 0, &conn), RM_OK);
    assert_int_equal(rmi_sig_server_open(s, 0, &conn), RM_OK);
    assert_int_equal(rmi_sig_server_open(s, 0, &conn), RM_E_LIMIT);
    rmi_sig_server_destroy(&s);
}

static void both_dialects_meet_in_one_room(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann");
    expect(&r, a, "{'id':1,'result':{'success':true,'peer_id':'ann','peers_count':1,'other_peers':[]}}");
    const uint64_t b = join(&r, ANNOUNCE_BARE, "bob");
    expect(&r, b, "{'id':1,'result':{'success':true,'peer_id':'bob','peers_count':2,'other_peers':['ann']}}");
    expect(&r, a, "{'method':'peer.joined','params':{'peer_id':'bob','capabilities':['video'],'metadata':{}}}");
    say(&r, b,
        "{\"id\":2,\"method\":\"offer\",\"params\":{\"to_peer_id\":\"ann\",\"sdp\":\"" SDP_JSON
        "\",\"type\":\"offer\"}}");
    expect(&r, a, "{'method':'peer.offer','params':{'from':'bob','to':'ann','sdp':'" SDP_JSON "'}}");
    expect(&r, b, "{'id':2,'result':{'offer_id':'bob_ann_500000','to_peer_id':'ann'}}");
    say(&r, a, "{\"id\":3,\"method\":\"peer.answer\",\"params\":{\"from\":\"ann\",\"to\":\"bob\",\"sdp\":\"v=0\"}}");
    expect(&r, b,
           "{'method':'answer','params':{'from':'ann','to':'bob','from_peer_id':'ann','to_peer_id':'bob',"
           "'type':'answer','sdp':'v=0'}}");
    expect(&r, a, "{'id':3,'result':{'success':true,'to_peer_id':'bob'}}");
    /* As RemoteMedia's Rust client sends it: no jsonrpc, no id, the candidate wrapped as JSON text. */
    say(&r, a,
        "{\"method\":\"peer.ice_candidate\",\"params\":{\"from\":\"ann\",\"to\":\"bob\",\"candidate\":"
        "\"{\\\"candidate\\\":\\\"candidate:1\\\",\\\"sdpMid\\\":\\\"0\\\",\\\"sdpMLineIndex\\\":2}\"}}");
    expect(&r, b,
           "{'method':'ice_candidate','params':{'from':'ann','to':'bob','from_peer_id':'ann','to_peer_id':'bob',"
           "'candidate':'candidate:1','sdp_mid':'0','sdp_mline_index':2}}");
    expect(&r, a, "{'id':null,'result':{'success':true,'to_peer_id':'bob'}}");
    say(&r, b, "{\"id\":4,\"method\":\"ice_candidate\",\"params\":{\"to_peer_id\":\"ann\",\"candidate\":\"\"}}");
    expect(&r, a,
           "{'method':'peer.ice_candidate','params':{'from':'bob','to':'ann','candidate':'','sdp_mid':null,"
           "'sdp_m_line_index':null}}");
    expect(&r, b, "{'id':4,'result':{'to_peer_id':'ann'}}");
    say(&r, b, "{\"id\":5,\"method\":\"list_peers\",\"params\":{}}");
    expect(&r, b,
           "{'id':5,'result':{'count':2,'peers':[{'peer_id':'ann','capabilities':{'audio':true,'video':false,'data':"
           "false},'metadata':{},'connected_at':1000500,'state':'connected'},{'peer_id':'bob','capabilities':{'audio':"
           "false,'video':true,'data':false},'metadata':{},'connected_at':1000500,'state':'connected'}]}}");
    say(&r, b, "{\"id\":6,\"method\":\"disconnect\",\"params\":{\"peer_id\":\"ann\",\"reason\":\"bye\"}}");
    expect(&r, a, "{'method':'peer.disconnected','params':{'peer_id':'bob','from':'bob','to':'ann','reason':'bye'}}");
    expect(&r, b, "{'id':6,'result':{'success':true,'peer_id':'ann'}}");
    rmi_sig_server_closed(r.s, r.now, a);
    expect(&r, b, "{'method':'peer_left','params':{'peer_id':'ann'}}");
    rmi_sig_server_closed(r.s, r.now, a);
    expect_nothing(&r, a);
    expect_nothing(&r, b);
    rig_close(&r);
}

static void rooms_are_apart_and_vanish_with_their_last_peer(void **state) {
    (void)state;
    struct rig r;
    struct rmi_sig_server_stats stats;
    rig_open(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann");
    const uint64_t b = join(&r, ANNOUNCE_ROOM, "ann"); /* the same id in another room is another peer */
    const uint64_t c = join(&r, ANNOUNCE_ROOM, "carl");
    drop_inbox(&r, a);
    drop_inbox(&r, b);
    drop_inbox(&r, c);
    say(&r, a,
        "{\"id\":2,\"method\":\"peer.offer\",\"params\":{\"from\":\"ann\",\"to\":\"carl\",\"sdp\":\"" SDP_JSON "\"}}");
    expect_error(&r, a, -32000);
    say(&r, a,
        "{\"id\":3,\"method\":\"peer.list\",\"params\":{\"room\":\"r2\"}}"); /* one's own room, whatever is asked */
    expect(&r, a,
           "{'id':3,'result':{'count':1,'peers':[{'peer_id':'ann','capabilities':['audio'],'metadata':{},"
           "'connected_at':1000500,'state':'connected'}]}}");
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.rooms, 2);
    assert_int_equal(stats.peers, 3);
    rmi_sig_server_closed(r.s, r.now, b);
    expect(&r, c, "{'method':'peer.left','params':{'peer_id':'ann'}}");
    expect_nothing(&r, a);
    rmi_sig_server_closed(r.s, r.now, c);
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.rooms, 1);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(stats.connections, 1);
    rig_close(&r);
}

static void of_sixty_joiners_exactly_ten_win(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, NULL);
    r.mute = true;
    uint64_t conns[60];
    char text[256];
    for (int i = 0; i < 60; i++)
        conns[i] = connect_one(&r);
    for (int i = 0; i < 60; i++) {
        if (i == 10)
            r.mute = false;
        snprintf(text, sizeof text, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"p%d\"}}", i);
        say(&r, conns[i], text);
        if (i >= 10)
            expect(&r, conns[i],
                   "{'id':1,'error':{'code':-32001,'message':'the room is full','data':{'max_peers':10}}}");
    }
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.peers, 10);
    assert_int_equal(stats.refused, 50);
    r.mute = true;
    rmi_sig_server_closed(r.s, r.now, conns[3]); /* a slot becomes free for one, not for two */
    say(&r, conns[30], "{\"id\":2,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"late1\"}}");
    say(&r, conns[31], "{\"id\":2,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"late2\"}}");
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.peers, 10);
    assert_int_equal(stats.refused, 51);
    rig_close(&r);
}

static void each_fault_has_its_code(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann"), b = join(&r, ANNOUNCE_BARE, "bob"), x = connect_one(&r);
    drop_inbox(&r, a);
    drop_inbox(&r, b);
    const struct {
        uint64_t conn;
        const char *text;
        int code;
    } rows[] = {
        {x, "{", -32700},
        {x, "[]", -32600},
        {x, "{\"id\":1}", -32600},
        {x, "{\"id\":1,\"method\":\"peer.list\",\"params\":[]}", -32602},
        {x, "{\"id\":1,\"method\":\"server.info\",\"params\":{}}", -32601},
        {x, "{\"id\":1,\"method\":\"peer.joined\",\"params\":{}}", -32601},
        {x, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"ann\",\"sdp\":\"" SDP_JSON "\"}}", -32600},
        {x, "{\"id\":1,\"method\":\"offer\",\"params\":{\"to_peer_id\":\"ann\",\"sdp\":\"" SDP_JSON "\"}}", -32000},
        {x, "{\"id\":1,\"method\":\"peer.announce\"}", -32602},
        {x, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a b\"}}", -32602},
        {x, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"x\",\"room\":\"a b\"}}", -32602},
        {x, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"x\",\"room\":7}}", -32602},
        {x, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"x\",\"user_data\":7}}", -32602},
        {x, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"ann\"}}", -32602},
        {x, "{\"id\":1,\"method\":\"announce\",\"params\":{\"peer_id\":\"ann\"}}", -32000},
        {a, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"ann2\"}}", -32602},
        {a,
         "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"from\":\"bob\",\"to\":\"bob\",\"sdp\":\"" SDP_JSON "\"}}",
         -32600},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"bob\"}}", -32602},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"sdp\":\"" SDP_JSON "\"}}", -32602},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"bob\",\"sdp\":\"v=0\\r\\n\"}}", -32002},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"bob\",\"sdp\":\"x\\r\\nm=\"}}", -32002},
        {a, "{\"id\":1,\"method\":\"peer.answer\",\"params\":{\"to\":\"bob\",\"sdp\":\"x\"}}", -32003},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"nobody\",\"sdp\":\"" SDP_JSON "\"}}", -32000},
        {a, "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"ann\",\"sdp\":\"" SDP_JSON "\"}}", -32000},
        {a, "{\"id\":1,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"bob\",\"candidate\":\"x\"}}", -32004},
        {a, "{\"id\":1,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"bob\"}}", -32602},
        {a, "{\"id\":1,\"method\":\"peer.ice_candidate\",\"params\":{\"to\":\"no\",\"candidate\":\"\"}}", -32000},
        {b, "{\"id\":1,\"method\":\"offer\",\"params\":{\"to_peer_id\":\"no\",\"sdp\":\"" SDP_JSON "\"}}", -32000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(&r, rows[i].conn, rows[i].text);
        expect_error(&r, rows[i].conn, rows[i].code);
    }
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.errors, sizeof rows / sizeof rows[0]);
    say(&r, a, "{\"id\":1,\"result\":{}}"); /* a reply to nothing gets none */
    say(&r, 77, "{}");
    expect_nothing(&r, a);
    expect_nothing(&r, b);
    rig_close(&r);
}

static void size_limits_hold(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann"), b = join(&r, ANNOUNCE, "bob");
    drop_inbox(&r, a);
    drop_inbox(&r, b);
    static const struct {
        size_t fill;
        int code; /* 0 = delivered */
    } rows[] = {{65536 - 10, 0}, {65536 - 9, -32602}, {300000, -32600}};
    for (size_t i = 0; i < 3; i++) {
        const char head[] = "{\"id\":1,\"method\":\"peer.offer\",\"params\":{\"to\":\"bob\",\"sdp\":\"v=0\\r\\nm=abc";
        char *text = malloc(sizeof head + rows[i].fill + 8);
        memcpy(text, head, sizeof head - 1);
        memset(text + sizeof head - 1, 'x', rows[i].fill);
        strcpy(text + sizeof head - 1 + rows[i].fill, "\"}}");
        say(&r, a, text);
        free(text);
        if (rows[i].code) {
            expect_error(&r, a, rows[i].code);
        } else {
            assert_int_equal(r.tail[b] - r.head[b], 1);
            drop_inbox(&r, a);
            drop_inbox(&r, b);
        }
    }
    const uint64_t c = connect_one(&r);
    char user[1200], big[1400];
    memset(user, 'u', sizeof user);
    for (size_t n = 1024; n <= 1025; n++) { /* {"k":"..."} is 8 bytes and the text */
        user[n - 8] = '\0';
        snprintf(big, sizeof big,
                 "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"%s\",\"user_data\":{\"k\":\"%s\"}}}",
                 n == 1024 ? "carl" : "dora", user);
        user[n - 8] = 'u';
        say(&r, n == 1024 ? c : connect_one(&r), big);
    }
    expect_error(&r, c + 1, -32602);
    assert_int_equal(r.tail[c] - r.head[c], 1);
    drop_inbox(&r, b);
    drop_inbox(&r, a);
    char *deep = malloc(100001);
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    say(&r, a, deep);
    expect_error(&r, a, -32600);
    free(deep);
    expect_nothing(&r, b);
    rig_close(&r);
}

static void a_flood_is_cut_off(void **state) {
    (void)state;
    struct rig r;
    struct rmi_sig_server_stats stats;
    rig_open(&r, 0, NULL);
    const uint64_t a = join(&r, ANNOUNCE, "ann"), b = join(&r, ANNOUNCE, "bob");
    drop_inbox(&r, a);
    drop_inbox(&r, b);
    r.mute = true;
    for (int i = 0; i < 499; i++)
        say(&r, a, "{\"id\":1,\"method\":\"peer.list\"}");
    assert_int_equal(r.close_code[a], 0);
    for (int second = 0; second < 10; second++) { /* the allowed rate goes on for ever */
        r.now += RMI_SEC(1);
        for (int i = 0; i < 200; i++)
            say(&r, a, "{\"id\":1,\"method\":\"peer.list\"}");
    }
    assert_int_equal(r.close_code[a], 0);
    r.mute = false;
    say(&r, a, "{\"id\":1,\"method\":\"peer.list\"}");
    assert_int_equal(r.close_code[a], RMI_SIG_CLOSE_POLICY);
    expect(&r, b, "{'method':'peer.left','params':{'peer_id':'ann'}}");
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.rate_limited, 1);
    assert_int_equal(stats.connections, 1);
    /* Large messages use the credit up faster: 17 tokens each. */
    char *big = malloc(262145);
    memset(big, ' ', 262144);
    big[262144] = '\0';
    r.mute = true;
    int sent = 0;
    while (!r.close_code[b] && sent < 500) {
        say(&r, b, big);
        sent++;
    }
    free(big);
    assert_int_equal(sent, 30);
    rig_close(&r);
}

static void run_to(struct rig *r, int64_t until, uint64_t alive) {
    while (rmi_sig_server_next_deadline(r->s) <= until) {
        r->now = rmi_sig_server_next_deadline(r->s);
        rmi_sig_server_timeout(r->s, r->now);
        if (alive)
            rmi_sig_server_activity(r->s, r->now, alive);
    }
    r->now = until;
}

static void ghosts_are_found_and_told(void **state) {
    (void)state;
    struct rig r;
    struct rmi_sig_server_stats stats;
    rig_open(&r, 0, NULL);
    const int64_t start = r.now;
    const uint64_t a = join(&r, ANNOUNCE, "ann"), b = join(&r, ANNOUNCE, "bob");
    drop_inbox(&r, a);
    run_to(&r, start + RMI_SEC(44), b);
    drop_inbox(&r, b);
    assert_int_equal(r.close_code[a], 0);
    assert_int_equal(r.pings[a], 2);
    run_to(&r, start + RMI_SEC(45), b);
    assert_int_equal(r.close_code[a], RMI_SIG_CLOSE_GOING_AWAY);
    expect(&r, b, "{'method':'peer.left','params':{'peer_id':'ann'}}");
    run_to(&r, start + RMI_SEC(3600), b);
    assert_int_equal(r.close_code[b], 0);
    assert_int_equal(r.pings[b], 240);
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.ghosts, 1);
    /* The whole process slept for an hour: nobody is dead for that. */
    r.now += RMI_SEC(3600);
    rmi_sig_server_timeout(r.s, r.now);
    assert_int_equal(r.close_code[b], 0);
    rig_close(&r);
}

static void who_does_not_announce_is_closed(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, NULL);
    const int64_t start = r.now;
    const uint64_t a = connect_one(&r);
    assert_int_equal(rmi_sig_server_next_deadline(r.s), start + RMI_SEC(10));
    run_to(&r, start + RMI_SEC(9), 0);
    assert_int_equal(r.close_code[a], 0);
    run_to(&r, start + RMI_SEC(10), 0);
    assert_int_equal(r.close_code[a], RMI_SIG_CLOSE_POLICY);
    assert_int_equal(rmi_sig_server_next_deadline(r.s), RMI_NEVER);
    rig_close(&r);
}

static void a_token_is_asked_for(void **state) {
    (void)state;
    struct rig r;
    rig_open(&r, 0, "sesame");
    static const char *const wrong[] = {"sesam", "sesame2", "", "Sesame"};
    for (size_t i = 0; i < 4; i++) {
        char text[256];
        const uint64_t c = connect_one(&r);
        say(&r, c, "{\"id\":1,\"method\":\"peer.list\"}");
        expect_error(&r, c, -32600);
        snprintf(text, sizeof text,
                 "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a\",\"token\":\"%s\"}}", wrong[i]);
        say(&r, c, text);
        expect_error(&r, c, -32600);
        assert_int_equal(r.close_code[c], RMI_SIG_CLOSE_POLICY);
    }
    const uint64_t none = join(&r, ANNOUNCE, "a");
    expect_error(&r, none, -32600);
    const uint64_t c = connect_one(&r);
    say(&r, c, "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"a\",\"token\":\"sesame\"}}");
    expect(&r, c, "{'id':1,'result':{'success':true,'peer_id':'a','peers_count':1,'other_peers':[]}}");
    rig_close(&r);
}

/* A broadcast meets dead sockets, and the owner says so from within: each of them is told to the rest, once. */
static void connections_may_break_inside_a_callback(void **state) {
    (void)state;
    struct rig r;
    struct rmi_sig_server_stats stats;
    rig_open(&r, 0, NULL);
    uint64_t c[6];
    static const char *const ids[] = {"p0", "p1", "p2", "p3", "p4", "p5"};
    for (int i = 0; i < 5; i++)
        c[i] = join(&r, ANNOUNCE, ids[i]);
    for (int i = 0; i < 5; i++)
        drop_inbox(&r, c[i]);
    r.break_on_send[c[1]] = r.break_on_send[c[3]] = true;
    c[5] = join(&r, ANNOUNCE, ids[5]);
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.connections, 4);
    assert_int_equal(stats.peers, 4);
    assert_int_equal(r.tail[c[0]] - r.head[c[0]], 3); /* p5 joined, two left */
    drop_inbox(&r, c[5]);
    r.break_on_send[c[0]] = true;
    say(&r, c[0], "{\"id\":1,\"method\":\"peer.list\"}"); /* breaks while being replied to */
    expect(&r, c[5], "{'method':'peer.left','params':{'peer_id':'p0'}}");
    rig_close(&r);
}

static void cut_and_damaged_messages_do_no_harm(void **state) {
    (void)state;
    static const char *const samples[] = {
        "{\"id\":1,\"method\":\"peer.announce\",\"params\":{\"peer_id\":\"ann\",\"room\":\"r\",\"user_data\":{\"a\":[1]"
        "}}}",
        "{\"id\":2,\"method\":\"peer.offer\",\"params\":{\"from\":\"ann\",\"to\":\"bob\",\"sdp\":\"" SDP_JSON "\"}}",
        "{\"id\":3,\"method\":\"ice_candidate\",\"params\":{\"to_peer_id\":\"bob\",\"candidate\":{\"sdpMid\":\"1\"}}}",
    };
    struct rig r;
    rig_open(&r, 0, NULL);
    const uint64_t bob = join(&r, ANNOUNCE, "bob");
    r.mute = true;
    for (size_t s = 0; s < 3; s++) {
        const size_t len = strlen(samples[s]);
        for (size_t at = 0; at < 2 * len; at++) {
            uint64_t conn = 0;
            assert_int_equal(rmi_sig_server_open(r.s, r.now, &conn), RM_OK);
            if (s > 0)
                rmi_sig_server_input(r.s, r.now, conn, samples[0], strlen(samples[0]));
            const size_t n = at < len ? at : len;
            char *text = malloc(n ? n : 1);
            memcpy(text, samples[s], n);
            for (unsigned bit = 0; bit < 8; bit++) {
                if (at >= len)
                    text[at - len] = (char)(samples[s][at - len] ^ (1 << bit));
                rmi_sig_server_input(r.s, r.now, conn, text, n);
            }
            free(text);
            rmi_sig_server_closed(r.s, r.now, conn);
        }
    }
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(r.s, &stats);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(stats.rooms, 1);
    assert_int_equal(r.close_code[bob], 0);
    rig_close(&r);
}

/* Told twice by whatever is between, an announcement is no second client: its first answer must not be contradicted.
 * Without an instance, or from another connection, it is refused as ever. */
static void an_announcement_repeated_on_the_way_is_answered_again(void **state) {
    (void)state;
    static const char with[] = "{\"id\":1,\"method\":\"peer.announce\",\"params\":"
                               "{\"peer_id\":\"%s\",\"instance\":\"secret\"}}";
    struct rig r;
    char text[256];
    rig_open(&r, 0, NULL);
    const uint64_t ann = join(&r, with, "ann"), bob = join(&r, ANNOUNCE, "bob");
    drop_inbox(&r, ann);
    drop_inbox(&r, bob);
    snprintf(text, sizeof text, with, "ann");
    say(&r, ann, text);
    expect(&r, ann, "{'id':1,'result':{'success':true,'peer_id':'ann','peers_count':2,'other_peers':['bob']}}");
    expect_nothing(&r, bob);
    snprintf(text, sizeof text, with, "eve"); /* another id on this connection */
    say(&r, ann, text);
    expect_error(&r, ann, RMI_RPC_INVALID_PARAMS);
    snprintf(text, sizeof text, ANNOUNCE, "bob");
    say(&r, bob, text);
    expect_error(&r, bob, RMI_RPC_INVALID_PARAMS);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_announcement_repeated_on_the_way_is_answered_again),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(both_dialects_meet_in_one_room),
        cmocka_unit_test(rooms_are_apart_and_vanish_with_their_last_peer),
        cmocka_unit_test(of_sixty_joiners_exactly_ten_win),
        cmocka_unit_test(each_fault_has_its_code),
        cmocka_unit_test(size_limits_hold),
        cmocka_unit_test(a_flood_is_cut_off),
        cmocka_unit_test(ghosts_are_found_and_told),
        cmocka_unit_test(who_does_not_announce_is_closed),
        cmocka_unit_test(a_token_is_asked_for),
        cmocka_unit_test(connections_may_break_inside_a_callback),
        cmocka_unit_test(cut_and_damaged_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
