/* SPDX-License-Identifier: Apache-2.0 */
/* Several rooms in one process, with the same ids in each, know nothing of one another. And who is one too many, or is
 * kept out by allowed_peers and denied_peers, is told so; nothing is made for it, and the others go on. */
#include "support/api.h"

#include <stdio.h>
#include <string.h>

#define ROOMS 3
#define MEMBERS 3
#define WAIT_MS 15000 /* generous: machines are slow at times */

static const char *const ids[MEMBERS] = {"ann", "ben", "cleo"};

static size_t connected(rm_webrtc *t, size_t *known) {
    rm_peer_info peers[16];
    size_t n = 0;
    RMT_REQUIRE(rm_webrtc_peers(t, peers, 16, known) == RM_OK && *known <= 16);
    for (size_t i = 0; i < *known; i++)
        n += peers[i].state == RM_PEER_CONNECTED;
    return n;
}

/* Every event until `n` connections stand; a peer that nobody asked for ends the test. */
static void gather(rm_webrtc *t, size_t n) {
    rm_event ev;
    while (n) {
        RMT_REQUIRE(rm_webrtc_poll(t, &ev, WAIT_MS) == RM_OK);
        RMT_REQUIRE(ev.type != RM_EV_ERROR);
        n -= ev.type == RM_EV_PEER_STATE && ev.peer_state == RM_PEER_CONNECTED;
    }
}

static void rooms_are_apart(const struct rmi_signaling_thread *s) {
    rm_webrtc *t[ROOMS][MEMBERS];
    rm_event ev;
    size_t known;
    for (int i = 0; i < MEMBERS; i++)
        for (int r = 0; r < ROOMS; r++) {
            char room[24];
            rm_webrtc_config c;
            rmt_config(&c, s, ids[i]);
            snprintf(room, sizeof room, "room%d", r);
            c.room = room;
            t[r][i] = rmt_join(&c);
        }
    for (int r = 0; r < ROOMS; r++)
        for (int i = 0; i < MEMBERS; i++)
            gather(t[r][i], MEMBERS - 1);
    for (int r = 0; r < ROOMS; r++)
        for (int i = 0; i < MEMBERS; i++)
            RMT_REQUIRE(connected(t[r][i], &known) == MEMBERS - 1 && known == MEMBERS - 1);
    for (int i = 0; i < MEMBERS; i++) /* a whole room goes */
        rm_webrtc_destroy(&t[0][i]);
    rm_webrtc_destroy(&t[1][0]); /* and one of another */
    RMT_REQUIRE(rmt_wait(t[1][1], RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, WAIT_MS) && !strcmp(ev.peer_id, ids[0]));
    RMT_REQUIRE(rmt_wait(t[1][2], RM_EV_PEER_STATE, RM_PEER_CLOSED, &ev, WAIT_MS) && !strcmp(ev.peer_id, ids[0]));
    for (int i = 0; i < MEMBERS; i++) {
        while (!rm_webrtc_poll(t[2][i], &ev, 0))
            RMT_REQUIRE(ev.type != RM_EV_PEER_STATE && ev.type != RM_EV_PEER_LEFT);
        RMT_REQUIRE(connected(t[2][i], &known) == MEMBERS - 1);
    }
    for (int r = 1; r < ROOMS; r++)
        for (int i = 0; i < MEMBERS; i++)
            rm_webrtc_destroy(&t[r][i]);
}

static rm_event failure_with(rm_webrtc *t, const char *id) {
    rm_event ev;
    do
        RMT_REQUIRE(rmt_wait(t, RM_EV_PEER_STATE, RM_PEER_FAILED, &ev, WAIT_MS));
    while (strcmp(ev.peer_id, id) != 0);
    return ev;
}

/* What the newcomer is told, and what the host is left with. */
static void expect_refusal(rm_webrtc *host, rm_webrtc *newcomer, const char *id, rm_err why, const char *remedy) {
    size_t known;
    rm_event ev = failure_with(newcomer, "host");
    RMT_REQUIRE(ev.err == why && strstr(ev.detail, remedy));
    RMT_REQUIRE(rmt_wait(host, RM_EV_ERROR, 0, &ev, WAIT_MS));
    RMT_REQUIRE(ev.err == why && !strcmp(ev.peer_id, id));
    RMT_REQUIRE(connected(host, &known) == 1 && known == 1); /* no trace of the newcomer */
}

static void one_too_many_is_refused(const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rmt_config(&c, s, "host");
    c.room = "limited";
    c.max_peers = 1;
    rm_webrtc *host = rmt_join(&c);
    rmt_config(&c, s, "first");
    c.room = "limited";
    c.max_peers = 1;
    rm_webrtc *first = rmt_join(&c);
    gather(host, 1);
    gather(first, 1);
    rmt_config(&c, s, "second");
    c.room = "limited";
    rm_webrtc *second = rmt_join(&c);
    expect_refusal(host, second, "second", RM_E_LIMIT, "max_peers");
    rm_webrtc_destroy(&second);
    rm_webrtc_destroy(&first);
    rm_webrtc_destroy(&host);
}

static void lists_keep_peers_out(const struct rmi_signaling_thread *s) {
    rm_webrtc_config c;
    rm_event ev;
    rmt_config(&c, s, "host");
    c.room = "guarded";
    c.denied_peers = "mallory";
    rm_webrtc *host = rmt_join(&c);
    rmt_config(&c, s, "friend");
    c.room = "guarded";
    c.denied_peers = "mallory";
    rm_webrtc *friend = rmt_join(&c);
    gather(host, 1);
    gather(friend, 1);
    rmt_config(&c, s, "mallory");
    c.room = "guarded";
    rm_webrtc *mallory = rmt_join(&c);
    expect_refusal(host, mallory, "mallory", RM_E_DENIED, "denied_peers");

    /* Who is denied is not called either. */
    RMT_REQUIRE(rm_webrtc_connect_peer(host, "mallory") == RM_OK);
    RMT_REQUIRE(rmt_wait(host, RM_EV_ERROR, 0, &ev, WAIT_MS) && ev.err == RM_E_DENIED);

    /* While it runs: the lists are the other way round. */
    RMT_REQUIRE(rm_webrtc_set_peer_access(host, "no id", NULL) == RM_E_INVALID_ARG);
    RMT_REQUIRE(rm_webrtc_set_peer_access(host, "mallory", NULL) == RM_OK);
    RMT_REQUIRE(failure_with(host, "friend").err == RM_E_DENIED);
    RMT_REQUIRE(failure_with(friend, "host").err == RM_E_DENIED);
    RMT_REQUIRE(rm_webrtc_connect_peer(mallory, "host") == RM_OK);
    gather(mallory, 1);
    RMT_REQUIRE(rm_webrtc_connect_peer(friend, "host") == RM_OK);
    RMT_REQUIRE(failure_with(friend, "host").err == RM_E_DENIED);
    RMT_REQUIRE(rm_webrtc_set_peer_access(host, NULL, NULL) == RM_OK);
    RMT_REQUIRE(rm_webrtc_connect_peer(friend, "host") == RM_OK);
    gather(friend, 1);
    rm_webrtc_destroy(&mallory);
    rm_webrtc_destroy(&friend);
    rm_webrtc_destroy(&host);
}

static void count_warning(const rm_log_record *record, void *user) {
    if (record->level == RM_LOG_WARN && strstr(record->message, "max_peers"))
        ++*(int *)user;
}

static void large_meshes_are_warned_of(void) {
    for (uint32_t peers = RM_PEERS_MESH; peers <= RM_PEERS_MESH + 1; peers++) {
        int warnings = 0;
        rm_webrtc_config c;
        rm_webrtc *t = NULL;
        rm_webrtc_config_init(&c);
        c.max_peers = peers;
        c.on_log = count_warning;
        c.user = &warnings;
        RMT_REQUIRE(rm_webrtc_create(&c, &t) == RM_OK);
        RMT_REQUIRE(rm_webrtc_set_peer_access(t, NULL, NULL) == RM_E_STATE); /* not started */
        RMT_REQUIRE(rm_webrtc_start(t) == RM_OK);
        RMT_REQUIRE(warnings == (peers > RM_PEERS_MESH));
        rm_webrtc_destroy(&t);
    }
}

static void faulty_lists_are_named(void) {
    rm_webrtc_config c;
    char faults[512];
    rm_webrtc_config_init(&c);
    c.allowed_peers = "ann,b b";
    c.denied_peers = ",";
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_E_CONFIG);
    RMT_REQUIRE(strstr(faults, "allowed_peers: entry 2") && strstr(faults, "denied_peers: entry 1"));
    c.allowed_peers = "";
    c.denied_peers = "*";
    RMT_REQUIRE(rm_webrtc_config_check(&c, faults, sizeof faults) == RM_OK);
}

int main(void) {
    struct rmi_signaling_thread s;
    rmt_server_start(&s);
    large_meshes_are_warned_of();
    faulty_lists_are_named();
    rooms_are_apart(&s);
    one_too_many_is_refused(&s);
    lists_keep_peers_out(&s);
    rmi_signaling_thread_stop(&s);
    puts("rooms, limits and lists keep peers apart: ok");
    return 0;
}
