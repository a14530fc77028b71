/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint makes of signaling that is wrong, hostile or comes at the wrong time. The server is played by hand.
 */
#include "base/time.h"
#include "peer/endpoint.h"
#include "support/virtual_crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define SENT_MAX 64
#define RETRY_US RMI_SEC(1)

struct bench {
    struct rmi_endpoint *ep;
    struct rmi_prng prng;
    struct rmi_dtls_cert *cert;
    int64_t now_us;
    char *sent[SENT_MAX];
    size_t sent_count;
    int opened, closed, resolved, certs_made;
    bool certs_fail;
};

static void on_send(void *ctx, rmi_base_id base, const struct rmi_addr *to, uint8_t *data, size_t len) {
    (void)ctx;
    (void)base;
    (void)to;
    (void)data;
    (void)len;
}
static void on_open(void *ctx) {
    ((struct bench *)ctx)->opened++;
}
static void on_close(void *ctx) {
    ((struct bench *)ctx)->closed++;
}
static void on_text(void *ctx, const char *text, size_t len) {
    struct bench *b = ctx;
    assert_true(b->sent_count < SENT_MAX);
    b->sent[b->sent_count++] = strndup(text, len);
}
static void on_resolve(void *ctx, const char *hostname, const char *peer_id, uint32_t id) {
    (void)hostname;
    (void)peer_id;
    (void)id;
    ((struct bench *)ctx)->resolved++;
}

static struct rmi_dtls_cert *make_cert(void *ctx) {
    struct bench *b = ctx;
    struct rmi_dtls_cert *cert = NULL;
    b->certs_made++;
    return b->certs_fail || rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S + 1000, &cert) ? NULL : cert;
}

static void open_bench_full(struct bench *b, const char *peer_id, uint32_t max_peers, uint64_t seed,
                            struct rmi_dtls_cert *(*new_cert)(void *ctx), uint32_t retries) {
    memset(b, 0, sizeof *b);
    b->now_us = RMI_SEC(1000);
    rmt_virtual_time_set(b->now_us);
    rmi_prng_seed(&b->prng, seed);
    assert_int_equal(rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S + 1000, &b->cert), RM_OK);
    struct rmi_endpoint_config c = {
        .rng = rmi_prng_rng(&b->prng),
        .io = {.sink = {.send = on_send, .ctx = b},
               .socket_open = on_open,
               .socket_close = on_close,
               .socket_send = on_text,
               .resolve = on_resolve,
               .new_cert = new_cert,
               .ctx = b},
        .cert = b->cert,
        .peer_id = peer_id,
        .max_peers = max_peers,
        .auto_connect = true,
        .audio = true,
        .data = true,
        .video_first = RMI_JSEP_VP9,
        .reconnect = {.max_retries = retries, .initial_us = RETRY_US, .max_us = RMI_SEC(30), .multiplier = 2.0},
    };
    assert_int_equal(rmi_endpoint_create(&c, b->now_us, &b->ep), RM_OK);
    struct rmi_addr addr;
    assert_int_equal(rmi_addr_parse("192.0.2.1", 5000, &addr), RM_OK);
    assert_int_equal(rmi_endpoint_add_host(b->ep, b->now_us, 1, &addr, 65535), RM_OK);
    rmi_endpoint_start(b->ep, b->now_us);
    assert_int_equal(b->opened, 1);
}

static void open_bench(struct bench *b, const char *peer_id, uint32_t max_peers) {
    open_bench_full(b, peer_id, max_peers, strlen(peer_id), NULL, 0);
}

static void open_bench_seeded(struct bench *b, const char *peer_id, uint32_t max_peers, uint64_t seed) {
    open_bench_full(b, peer_id, max_peers, seed, NULL, 0);
}

static void close_bench(struct bench *b) {
    rmi_endpoint_destroy(&b->ep);
    rmi_dtls_cert_unref(&b->cert);
    for (size_t i = 0; i < b->sent_count; i++)
        free(b->sent[i]);
}

static void say(struct bench *b, json_t *message) {
    char *text = json_dumps(message, JSON_COMPACT);
    assert_non_null(text);
    rmi_endpoint_signaling_text(b->ep, b->now_us, text, strlen(text));
    free(text);
    json_decref(message);
}

/* Answers the announcement; others is an array. */
static void announce(struct bench *b, json_t *others) {
    rmi_endpoint_signaling_up(b->ep, b->now_us);
    assert_true(b->sent_count > 0);
    json_t *request = json_loads(b->sent[b->sent_count - 1], 0, NULL);
    assert_string_equal(json_string_value(json_object_get(request, "method")), "peer.announce");
    say(b, json_pack("{s:s, s:O, s:{s:b, s:i, s:o}}", "jsonrpc", "2.0", "id", json_object_get(request, "id"), "result",
                     "success", 1, "peers_count", 1, "other_peers", others));
    json_decref(request);
}

static json_t *message_to(const char *to, const char *method, const char *from, const char *key, const char *value) {
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "jsonrpc", "2.0", "method", method, "params", "from", from, "to",
                     to, key, value);
}

static json_t *notification(const char *method, const char *from, const char *key, const char *value) {
    return message_to("me", method, from, key, value);
}

/* How many messages of a method were sent, and the last one's sdp (caller frees). */
static size_t count_sent(const struct bench *b, const char *method, char **sdp) {
    size_t n = 0;
    for (size_t i = 0; i < b->sent_count; i++) {
        json_t *m = json_loads(b->sent[i], 0, NULL);
        const char *name = json_string_value(json_object_get(m, "method"));
        if (name && !strcmp(name, method)) {
            n++;
            const char *text = json_string_value(json_object_get(json_object_get(m, "params"), "sdp"));
            if (sdp && text) {
                free(*sdp);
                *sdp = strdup(text);
            }
        }
        json_decref(m);
    }
    return n;
}

static bool next_event(struct bench *b, enum rmi_endpoint_event_type type, struct rmi_endpoint_event *ev) {
    while (rmi_endpoint_poll_event(b->ep, ev))
        if (ev->type == type)
            return true;
    return false;
}

/* An offer as another endpoint would make it. */
static char *someones_offer(const char *peer_id) {
    struct bench other;
    char *sdp = NULL;
    open_bench(&other, peer_id, 10);
    announce(&other, json_pack("[s]", "me"));
    assert_int_equal(count_sent(&other, "peer.offer", &sdp), 1);
    close_bench(&other);
    return sdp;
}

static void the_newcomer_offers_to_everybody(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev;
    open_bench(&b, "me", 10);
    announce(&b, json_pack("[s, s, s]", "x", "y", "z"));
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 3);
    assert_int_equal(rmi_endpoint_ready_us(b.ep), b.now_us);
    say(&b, json_pack("{s:s, s:{s:s}}", "method", "peer.joined", "params", "peer_id", "late"));
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 3); /* who comes later offers */
    int found = 0;
    while (next_event(&b, RMI_EP_EV_PEER_FOUND, &ev))
        found++;
    assert_int_equal(found, 4);
    close_bench(&b);
}

static void max_peers_holds_both_ways(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev;
    char *offer = someones_offer("more");
    open_bench(&b, "me", 2);
    announce(&b, json_pack("[s, s, s]", "x", "y", "z"));
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 2);
    assert_true(next_event(&b, RMI_EP_EV_ERROR, &ev) && ev.err == RM_E_LIMIT && !strcmp(ev.peer_id, "z"));
    say(&b, notification("peer.offer", "more", "sdp", offer));
    struct rmi_endpoint_stats stats;
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.peers, 2);
    assert_int_equal(stats.refused_peers, 1);
    assert_int_equal(count_sent(&b, "peer.answer", NULL), 0);
    assert_int_equal(count_sent(&b, "peer.disconnect", NULL), 1);
    assert_int_equal(rmi_endpoint_connect_peer(b.ep, b.now_us, "w"), RM_E_LIMIT);
    free(offer);
    close_bench(&b);
}

static void unasked_messages_are_counted_and_dropped(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_stats stats;
    char *offer = someones_offer("other");
    open_bench(&b, "me", 10);
    announce(&b, json_array());
    say(&b, notification("peer.answer", "stranger", "sdp", offer));
    say(&b, notification("peer.ice_candidate", "stranger", "candidate", "candidate:1 1 udp 1 192.0.2.9 9 typ host"));
    say(&b, notification("peer.disconnected", "stranger", "reason", "x"));
    say(&b, notification("peer.offer", "me", "sdp", offer)); /* from ourselves */
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.peers, 0);
    assert_int_equal(stats.drop_signaling, 2);
    say(&b, notification("peer.offer", "other", "sdp", offer));
    assert_int_equal(count_sent(&b, "peer.answer", NULL), 1);
    say(&b, notification("peer.answer", "other", "sdp", offer)); /* we made no offer to it */
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(stats.drop_signaling, 3);
    free(offer);
    close_bench(&b);
}

static void a_new_session_replaces_the_old_and_a_replay_does_not(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_stats stats;
    char *first = someones_offer("other");
    open_bench(&b, "me", 10);
    announce(&b, json_array());
    say(&b, notification("peer.offer", "other", "sdp", first));
    assert_int_equal(count_sent(&b, "peer.answer", NULL), 1);
    struct rmi_pc *pc = rmi_endpoint_peer(b.ep, "other");
    assert_non_null(pc);
    char *second = strdup(first);
    char *id = strstr(second, "o=- ") + 4;
    id[0] = id[0] == '1' ? '2' : '1'; /* another session id: the peer was restarted */
    say(&b, notification("peer.offer", "other", "sdp", second));
    assert_int_equal(count_sent(&b, "peer.answer", NULL), 2);
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(count_sent(&b, "peer.disconnect", NULL), 0); /* the new session must not be told goodbye */
    free(first);
    free(second);
    close_bench(&b);
}

static void broken_offers_end_with_a_typed_error(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev;
    open_bench(&b, "me", 10);
    announce(&b, json_array());
    say(&b, notification("peer.offer", "other", "sdp", "v=0\r\nm=audio 9 RTP/AVP 0\r\n"));
    assert_int_equal(rmi_endpoint_peer(b.ep, "other") == NULL, 1);
    bool failed = false;
    while (next_event(&b, RMI_EP_EV_PEER_STATE, &ev))
        failed = failed || (ev.state == RMI_PC_FAILED && ev.err != RM_OK && ev.detail[0]);
    assert_true(failed);
    struct rmi_peer_snapshot s;
    assert_int_equal(rmi_endpoint_snapshot_count(b.ep), 1);
    assert_true(rmi_endpoint_snapshot(b.ep, 0, &s) && s.ended && s.state == RMI_PC_FAILED && s.err != RM_OK);
    assert_false(rmi_endpoint_snapshot(b.ep, 1, &s));
    close_bench(&b);
}

static void a_peer_that_gives_up_tells_why(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev = {0};
    open_bench(&b, "me", 10);
    announce(&b, json_pack("[s]", "x"));
    while (rmi_endpoint_poll_event(b.ep, &ev))
        continue;
    say(&b, json_pack("{s:s, s:{s:s, s:s, s:s}}", "method", "peer.disconnected", "params", "peer_id", "x", "from", "x",
                      "reason", "RM_E_ICE_NO_RELAY"));
    assert_true(next_event(&b, RMI_EP_EV_PEER_STATE, &ev));
    assert_int_equal(ev.state, RMI_PC_FAILED);
    assert_int_equal(ev.err, RM_E_ICE_NO_RELAY);
    assert_non_null(strstr(ev.detail, "gave up"));
    close_bench(&b);
}

static void an_offer_that_is_never_answered_ends(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev = {0};
    open_bench(&b, "me", 10);
    announce(&b, json_pack("[s]", "x"));
    int64_t end = b.now_us + RMI_SEC(60);
    while (b.now_us < end && rmi_endpoint_peer(b.ep, "x")) {
        b.now_us = rmi_min64(end, rmi_max64(b.now_us + 1, rmi_endpoint_next_deadline(b.ep)));
        rmi_endpoint_timeout(b.ep, b.now_us);
    }
    assert_null(rmi_endpoint_peer(b.ep, "x"));
    bool seen = false;
    while (next_event(&b, RMI_EP_EV_PEER_STATE, &ev))
        seen = seen || (ev.state == RMI_PC_FAILED && ev.err == RM_E_CONNECTION_TIMEOUT);
    assert_true(seen);
    close_bench(&b);
}

/* The id was another process's a moment ago; what a peer answered to that one must not be taken for an answer to us. */
static void an_answer_to_a_former_holder_of_our_id_is_dropped(void **state) {
    (void)state;
    struct bench former, host, b;
    char *old_offer = NULL, *old_answer = NULL, *new_offer = NULL, *new_answer = NULL;
    struct rmi_endpoint_stats stats;
    open_bench(&former, "me", 10);
    announce(&former, json_pack("[s]", "host"));
    assert_int_equal(count_sent(&former, "peer.offer", &old_offer), 1);
    open_bench(&host, "host", 10);
    announce(&host, json_array());
    say(&host, message_to("host", "peer.offer", "me", "sdp", old_offer));
    assert_int_equal(count_sent(&host, "peer.answer", &old_answer), 1);
    open_bench_seeded(&b, "me", 10, 99);
    announce(&b, json_pack("[s]", "host"));
    assert_int_equal(count_sent(&b, "peer.offer", &new_offer), 1);
    say(&b, notification("peer.answer", "host", "sdp", old_answer));
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.drop_signaling, 1);
    assert_int_equal(rmi_pc_negotiated(rmi_endpoint_peer(b.ep, "host"))->state, RMI_JSEP_HAVE_LOCAL_OFFER);
    say(&host, message_to("host", "peer.offer", "me", "sdp", new_offer));
    assert_int_equal(count_sent(&host, "peer.answer", &new_answer), 2);
    say(&b, notification("peer.answer", "host", "sdp", new_answer));
    assert_int_equal(rmi_pc_negotiated(rmi_endpoint_peer(b.ep, "host"))->state, RMI_JSEP_STABLE);
    char *texts[] = {old_offer, old_answer, new_offer, new_answer};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    close_bench(&former);
    close_bench(&host);
    close_bench(&b);
}

static void noise_is_survived(void **state) {
    (void)state;
    struct bench b;
    char *offer = someones_offer("other");
    open_bench(&b, "me", 10);
    announce(&b, json_array());
    json_t *message = notification("peer.offer", "other", "sdp", offer);
    char *text = json_dumps(message, JSON_COMPACT);
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n += 7) {
        char *copy = malloc(len + 1);
        memcpy(copy, text, len + 1);
        rmi_endpoint_signaling_text(b.ep, b.now_us, copy, n);
        copy[n] = (char)(copy[n] ^ (1 << (n % 7)));
        rmi_endpoint_signaling_text(b.ep, b.now_us, copy, len);
        free(copy);
        struct rmi_endpoint_event ev;
        while (rmi_endpoint_poll_event(b.ep, &ev))
            continue;
        for (size_t i = 0; i < b.sent_count; i++)
            free(b.sent[i]);
        b.sent_count = 0;
    }
    struct rmi_addr from;
    uint8_t data[RMI_DATAGRAM_MAX];
    assert_int_equal(rmi_addr_parse("192.0.2.7", 700, &from), RM_OK);
    for (size_t n = 0; n < 1500; n++) {
        struct rmi_rng rng = rmi_prng_rng(&b.prng);
        rmi_rng_fill(&rng, data, n);
        rmi_endpoint_datagram(b.ep, b.now_us, 1, &from, RMI_ECN_NOT_ECT, data, n);
    }
    struct rmi_endpoint_stats stats;
    rmi_endpoint_get_stats(b.ep, &stats);
    assert_int_equal(stats.datagrams_unowned, 1500);
    free(text);
    json_decref(message);
    free(offer);
    close_bench(&b);
}

/* Each offer has a fingerprint of its own; where no certificate can be made, no connection is. */
static void each_peer_may_have_its_certificate(void **state) {
    (void)state;
    struct bench b;
    char *offers[2] = {NULL, NULL};
    open_bench_full(&b, "me", 10, 3, make_cert, 0);
    announce(&b, json_pack("[s]", "x"));
    assert_int_equal(count_sent(&b, "peer.offer", &offers[0]), 1);
    assert_int_equal(rmi_endpoint_connect_peer(b.ep, b.now_us, "y"), RM_OK);
    assert_int_equal(count_sent(&b, "peer.offer", &offers[1]), 2);
    assert_int_equal(b.certs_made, 2);
    char *prints[2];
    for (int i = 0; i < 2; i++) {
        prints[i] = strstr(offers[i], "a=fingerprint:");
        assert_non_null(prints[i]);
        prints[i][strcspn(prints[i], "\r\n")] = '\0';
    }
    assert_string_not_equal(prints[0], prints[1]);
    b.certs_fail = true;
    assert_int_equal(rmi_endpoint_connect_peer(b.ep, b.now_us, "z"), RM_E_NO_MEMORY);
    assert_null(rmi_endpoint_peer(b.ep, "z"));
    free(offers[0]);
    free(offers[1]);
    close_bench(&b);
}

static void goodbye(struct bench *b, const char *from, const char *reason) {
    say(b, json_pack("{s:s, s:{s:s, s:s, s:s}}", "method", "peer.disconnected", "params", "peer_id", from, "from", from,
                     "reason", reason));
}

/* Until a time, waking when the endpoint wants to be woken. */
static void run_to(struct bench *b, int64_t end_us) {
    while (b->now_us < end_us) {
        b->now_us = rmi_min64(end_us, rmi_max64(b->now_us + 1, rmi_endpoint_next_deadline(b->ep)));
        rmt_virtual_time_set(b->now_us);
        rmi_endpoint_timeout(b->ep, b->now_us);
    }
}

static uint32_t live(const struct bench *b) {
    struct rmi_endpoint_stats stats;
    rmi_endpoint_get_stats(b->ep, &stats);
    return stats.peers;
}

/* A failure is tried again after its delay; what ends it on purpose, or would end the same again, is not. */
static void failures_are_tried_again_and_goodbyes_are_not(void **state) {
    (void)state;
    static const struct {
        const char *reason;
        bool again;
    } cases[] = {
        {"RM_E_ICE_FAILED", true}, {"RM_E_DTLS_TIMEOUT", true},      {"closed", false}, {"RM_E_CLOSED", false},
        {"RM_E_LIMIT", false},     {"RM_E_DTLS_FINGERPRINT", false}, {"", false},       {"leaving", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        struct rmi_endpoint_event ev = {0};
        open_bench_full(&b, "me", 10, i, NULL, 2);
        announce(&b, json_pack("[s]", "x"));
        goodbye(&b, "x", cases[i].reason);
        assert_int_equal(live(&b), 0);
        int64_t failed_us = b.now_us;
        assert_int_equal(next_event(&b, RMI_EP_EV_RECONNECTING, &ev), cases[i].again);
        if (cases[i].again) {
            assert_string_equal(ev.peer_id, "x");
            assert_int_equal(ev.attempt, 1);
            assert_in_range(ev.duration_us, RETRY_US, RETRY_US * 5 / 4);
            run_to(&b, failed_us + ev.duration_us - 1);
            assert_int_equal(count_sent(&b, "peer.offer", NULL), 1);
            run_to(&b, failed_us + ev.duration_us);
            assert_int_equal(count_sent(&b, "peer.offer", NULL), 2);
            assert_int_equal(live(&b), 1);
        }
        run_to(&b, failed_us + RMI_SEC(20));
        assert_int_equal(count_sent(&b, "peer.offer", NULL), cases[i].again ? 2 : 1);
        close_bench(&b);
    }
}

static void a_goodbye_or_a_leave_ends_the_wait(void **state) {
    (void)state;
    for (int leave = 0; leave < 2; leave++) {
        struct bench b;
        open_bench_full(&b, "me", 10, 5, NULL, 2);
        announce(&b, json_pack("[s]", "x"));
        goodbye(&b, "x", "RM_E_ICE_FAILED");
        if (leave)
            say(&b, json_pack("{s:s, s:{s:s}}", "method", "peer.left", "params", "peer_id", "x"));
        else
            goodbye(&b, "x", "closed");
        run_to(&b, b.now_us + RMI_SEC(100));
        assert_int_equal(count_sent(&b, "peer.offer", NULL), 1);
        close_bench(&b);
    }
}

/* The peer calls while an attempt of ours waits: its offer is taken, ours is not made, and there is one connection. */
static void an_offer_during_the_wait_takes_its_place(void **state) {
    (void)state;
    struct bench b;
    char *offer = someones_offer("other");
    open_bench_full(&b, "me", 10, 6, NULL, 2);
    announce(&b, json_pack("[s]", "other"));
    goodbye(&b, "other", "RM_E_ICE_FAILED");
    say(&b, notification("peer.offer", "other", "sdp", offer));
    assert_int_equal(live(&b), 1);
    assert_int_equal(count_sent(&b, "peer.answer", NULL), 1);
    run_to(&b, b.now_us + RMI_SEC(5));
    assert_int_equal(live(&b), 1);
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 1);
    run_to(&b, b.now_us + RMI_SEC(100)); /* it comes to nothing, and the other side does not call again: we do */
    assert_int_equal(live(&b), 0);
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 2);
    free(offer);
    close_bench(&b);
}

/* An attempt that finds max_peers connections counts, says so, and the next one follows. */
static void a_full_house_holds_attempts_up(void **state) {
    (void)state;
    struct bench b;
    struct rmi_endpoint_event ev = {0};
    open_bench_full(&b, "me", 1, 7, NULL, 3);
    announce(&b, json_pack("[s]", "x"));
    goodbye(&b, "x", "RM_E_ICE_FAILED");
    assert_int_equal(rmi_endpoint_connect_peer(b.ep, b.now_us, "y"), RM_OK);
    run_to(&b, b.now_us + RMI_MS(1500));
    assert_true(next_event(&b, RMI_EP_EV_ERROR, &ev) && ev.err == RM_E_LIMIT && !strcmp(ev.peer_id, "x"));
    assert_true(next_event(&b, RMI_EP_EV_RECONNECTING, &ev) && ev.attempt == 2);
    assert_int_equal(rmi_endpoint_disconnect_peer(b.ep, b.now_us, "y"), RM_OK);
    run_to(&b, b.now_us + RMI_SEC(3));
    assert_non_null(rmi_endpoint_peer(b.ep, "x"));
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 3);
    close_bench(&b);
}

static void closing_ends_all_waits(void **state) {
    (void)state;
    struct bench b;
    open_bench_full(&b, "me", 10, 8, NULL, 5);
    announce(&b, json_pack("[s, s]", "x", "y"));
    goodbye(&b, "x", "RM_E_ICE_FAILED");
    goodbye(&b, "y", "RM_E_ICE_FAILED");
    rmi_endpoint_close(b.ep, b.now_us);
    run_to(&b, b.now_us + RMI_SEC(100));
    assert_int_equal(count_sent(&b, "peer.offer", NULL), 2);
    assert_int_equal(rmi_endpoint_next_deadline(b.ep), RMI_NEVER);
    close_bench(&b);
}

/* News that a peer joined comes late or twice: what it offered stands, and what it was offered it is offered again. */
static void a_join_told_late_or_twice_ends_nothing(void **state) {
    (void)state;
    struct bench b;
    char *offer = someones_offer("theirs"), *first = NULL, *again = NULL;
    open_bench(&b, "me", 10);
    announce(&b, json_pack("[s]", "ours"));
    say(&b, notification("peer.offer", "theirs", "sdp", offer));
    const struct rmi_pc *theirs = rmi_endpoint_peer(b.ep, "theirs"), *ours = rmi_endpoint_peer(b.ep, "ours");
    count_sent(&b, "peer.offer", &first);
    for (int i = 0; i < 2; i++)
        for (int mine = 0; mine < 2; mine++)
            say(&b,
                json_pack("{s:s, s:{s:s}}", "method", "peer.joined", "params", "peer_id", mine ? "ours" : "theirs"));
    assert_ptr_equal(rmi_endpoint_peer(b.ep, "theirs"), theirs);
    assert_ptr_equal(rmi_endpoint_peer(b.ep, "ours"), ours);
    assert_int_equal(count_sent(&b, "peer.offer", &again), 3);
    assert_string_equal(again, first);
    free(first);
    free(again);
    free(offer);
    close_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_told_late_or_twice_ends_nothing),
        cmocka_unit_test(the_newcomer_offers_to_everybody),
        cmocka_unit_test(max_peers_holds_both_ways),
        cmocka_unit_test(unasked_messages_are_counted_and_dropped),
        cmocka_unit_test(a_new_session_replaces_the_old_and_a_replay_does_not),
        cmocka_unit_test(broken_offers_end_with_a_typed_error),
        cmocka_unit_test(a_peer_that_gives_up_tells_why),
        cmocka_unit_test(an_offer_that_is_never_answered_ends),
        cmocka_unit_test(each_peer_may_have_its_certificate),
        cmocka_unit_test(an_answer_to_a_former_holder_of_our_id_is_dropped),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(failures_are_tried_again_and_goodbyes_are_not),
        cmocka_unit_test(a_goodbye_or_a_leave_ends_the_wait),
        cmocka_unit_test(an_offer_during_the_wait_takes_its_place),
        cmocka_unit_test(a_full_house_holds_attempts_up),
        cmocka_unit_test(closing_ends_all_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
