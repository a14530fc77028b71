/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/data_json.h>
#include <remotemedia/router.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MANY 16

static rm_session_router *made(rm_routing_policy policy, const char *peers) {
    rm_session_router *r = NULL;
    assert_int_equal(rm_session_router_create(policy, &r), RM_OK);
    for (; *peers; peers++) {
        char id[] = {*peers, 0};
        assert_int_equal(rm_session_router_add_peer(r, id, NULL), RM_OK);
    }
    return r;
}

/* A route to the peers of `targets`, one letter each. */
static uint32_t route(rm_session_router *r, const char *output, const char *targets, rm_quality_tier tier,
                      uint32_t priority) {
    char ids[MANY][2] = {{0}};
    const char *to[MANY];
    uint32_t id = 0;
    rm_output_route o;
    rm_output_route_init(&o);
    o.output_id = output;
    o.target_peers = to;
    for (; targets[o.target_count]; o.target_count++) {
        ids[o.target_count][0] = targets[o.target_count];
        to[o.target_count] = ids[o.target_count];
    }
    o.quality = rm_quality_of(tier);
    o.priority = priority;
    assert_int_equal(rm_session_router_add_route(r, &o, &id), RM_OK);
    return id;
}

/* "aH bL c-": peers with their tiers. */
static void goes_to(const rm_session_router *r, const char *output, const char *origin, const char *expected) {
    static const char letters[] = "-HMLC";
    rm_route_query q = {.output_id = output, .origin = origin};
    rm_route_target t[MANY];
    size_t n = 0;
    char text[4 * MANY] = "";
    assert_int_equal(rm_session_router_targets(r, &q, t, MANY, &n), RM_OK);
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%c", i ? " " : "", t[i].peer_id,
                 letters[t[i].quality.tier]);
    assert_string_equal(text, expected);
}

static void broadcast_goes_to_all_unless_a_route_says_otherwise(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_BROADCAST, "abc");
    goes_to(r, "camera", NULL, "a- b- c-");
    uint32_t high = route(r, "camera", "ab", RM_TIER_HIGH, 5);
    goes_to(r, "camera", NULL, "aH bH");
    goes_to(r, "sound", NULL, "a- b- c-"); /* another output */
    uint32_t all = route(r, "camera", "", RM_TIER_LOW, 4);
    goes_to(r, "camera", NULL, "aH bH cL");
    route(r, "camera", "b", RM_TIER_MEDIUM, 6);
    goes_to(r, "camera", NULL, "aH bM cL");
    assert_int_equal(rm_session_router_activate_route(r, high, false), RM_OK);
    goes_to(r, "camera", NULL, "aL bM cL");
    assert_int_equal(rm_session_router_remove_route(r, all), RM_OK);
    goes_to(r, "camera", NULL, "bM");
    assert_int_equal(rm_session_router_remove_route(r, all), RM_E_NOT_FOUND);
    assert_int_equal(rm_session_router_activate_route(r, all, true), RM_E_NOT_FOUND);
    /* Of equal priority the first. */
    route(r, "camera", "b", RM_TIER_LOW, 6);
    goes_to(r, "camera", NULL, "bM");
    rm_session_router_destroy(&r);
    assert_null(r);
}

static void selective_needs_a_route(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_SELECTIVE, "abc");
    goes_to(r, "camera", NULL, "");
    uint32_t id = route(r, "camera", "cx", RM_TIER_CUSTOM, 5);
    goes_to(r, "camera", NULL, "cC");
    assert_int_equal(rm_session_router_add_peer(r, "x", NULL), RM_OK); /* named before it came */
    goes_to(r, "camera", NULL, "cC xC");
    assert_int_equal(rm_session_router_remove_peer(r, "c"), RM_OK);
    goes_to(r, "camera", NULL, "xC");
    rm_output_route o;
    rm_output_route_init(&o);
    o.output_id = "screen"; /* changed while running: another output, to all */
    assert_int_equal(rm_session_router_set_route(r, id, &o), RM_OK);
    goes_to(r, "camera", NULL, "");
    goes_to(r, "screen", NULL, "a- b- x-");
    rm_route_query q = {.output_id = "screen", .exclude = "b"};
    rm_route_target t[1];
    size_t n;
    assert_int_equal(rm_session_router_targets(r, &q, t, 1, &n), RM_OK);
    assert_int_equal(n, 2); /* more than fit */
    assert_string_equal(t[0].peer_id, "a");
    assert_int_equal(rm_session_router_set_policy(r, RM_ROUTING_BROADCAST), RM_OK);
    assert_int_equal(rm_session_router_policy(r), RM_ROUTING_BROADCAST);
    goes_to(r, "camera", NULL, "a- b- x-");
    rm_session_router_destroy(&r);
}

static void unicast_goes_to_one(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_UNICAST, "abc");
    goes_to(r, "out", NULL, "");
    goes_to(r, "out", "b", "b-"); /* the answer to whom it answers */
    goes_to(r, "out", "stranger", "");
    uint32_t id = route(r, "out", "xcb", RM_TIER_HIGH, 5);
    goes_to(r, "out", "b", "cH"); /* in the order of the route, of those that are there */
    assert_int_equal(rm_session_router_remove_peer(r, "c"), RM_OK);
    goes_to(r, "out", "a", "bH");
    route(r, "out", "a", RM_TIER_LOW, 9);
    goes_to(r, "out", "b", "aL");
    assert_int_equal(rm_session_router_remove_peer(r, "a"), RM_OK);
    assert_int_equal(rm_session_router_remove_peer(r, "b"), RM_OK);
    goes_to(r, "out", "b", "");
    assert_int_equal(rm_session_router_remove_route(r, id), RM_OK);
    route(r, "back", "", RM_TIER_MEDIUM, 5);
    assert_int_equal(rm_session_router_add_peer(r, "b", NULL), RM_OK);
    goes_to(r, "back", "b", "bM"); /* a route to all: whom it answers */
    goes_to(r, "back", NULL, "");
    rm_session_router_destroy(&r);
}

static void what_nobody_gets_is_not_wanted(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_SELECTIVE, "ab");
    assert_false(rm_session_router_wanted(r, "camera", RM_TIER_NONE));
    uint32_t id = route(r, "camera", "b", RM_TIER_LOW, 5);
    assert_true(rm_session_router_wanted(r, "camera", RM_TIER_NONE));
    assert_true(rm_session_router_wanted(r, "camera", RM_TIER_LOW));
    assert_false(rm_session_router_wanted(r, "camera", RM_TIER_HIGH));
    assert_int_equal(rm_session_router_remove_peer(r, "b"), RM_OK);
    assert_false(rm_session_router_wanted(r, "camera", RM_TIER_LOW));
    assert_int_equal(rm_session_router_remove_route(r, id), RM_OK);
    assert_int_equal(rm_session_router_set_policy(r, RM_ROUTING_UNICAST), RM_OK);
    assert_true(rm_session_router_wanted(r, "camera", RM_TIER_NONE)); /* if it answers a */
    rm_session_router_destroy(&r);
}

static rm_err send_but_to_b(const rm_route_target *target, void *user) {
    *(int *)user += 1;
    return strcmp(target->peer_id, "b") ? RM_OK : RM_E_CLOSED;
}

static void one_failure_keeps_it_from_nobody(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_BROADCAST, "abc");
    uint32_t id = route(r, "camera", "bc", RM_TIER_LOW, 5), got;
    rm_route_query sound = {.output_id = "sound"}, camera = {.output_id = "camera"};
    rm_route_result results[MANY];
    rm_broadcast_stats s;
    rm_router_peer p;
    rm_output_route o;
    uint64_t routed;
    int calls = 0;
    assert_int_equal(rm_session_router_deliver(r, &sound, send_but_to_b, &calls, results, MANY, &s), RM_OK);
    assert_int_equal(calls, 3);
    assert_true(s.total_peers == 3 && s.sent_count == 2 && s.failed_count == 1);
    assert_int_equal(results[0].err, RM_OK);
    assert_string_equal(results[1].target.peer_id, "b");
    assert_int_equal(results[1].err, RM_E_CLOSED);
    assert_int_equal(results[2].err, RM_OK);
    assert_int_equal(rm_session_router_deliver(r, &camera, send_but_to_b, &calls, NULL, 0, &s), RM_OK);
    assert_true(s.total_peers == 2 && s.failed_count == 1);
    assert_int_equal(rm_session_router_peer(r, 1, &p), RM_OK);
    assert_true(p.sent == 0 && p.failed == 2 && p.present);
    assert_int_equal(rm_session_router_peer(r, 2, &p), RM_OK);
    assert_true(p.sent == 2 && p.failed == 0);
    assert_int_equal(rm_session_router_peer(r, 3, &p), RM_E_NOT_FOUND);
    assert_int_equal(rm_session_router_route(r, 0, &got, &o, &routed), RM_OK);
    assert_true(got == id && routed == 2 && o.target_count == 2 && o.active && o.priority == 5);
    assert_string_equal(o.target_peers[1], "c");
    assert_int_equal(rm_session_router_route(r, 1, &got, &o, NULL), RM_E_NOT_FOUND);
    assert_int_equal(rm_session_router_deliver(r, &camera, NULL, NULL, NULL, 0, &s), RM_E_INVALID_ARG);
    rm_session_router_destroy(&r);
}

static const char snapshot[] =
    "{\"version\":1,\"policy\":\"selective\",\"peers\":[{\"peer_id\":\"a\",\"sent\":1,\"failed\":0},"
    "{\"peer_id\":\"b\",\"sent\":0,\"failed\":1}],\"routes\":[{\"output_id\":\"camera\",\"target_peers\":[\"a\",\"b\"],"
    "\"quality_tier\":\"High\",\"priority\":5,\"active\":true,\"routed\":2},{\"output_id\":\"screen\",\"target_peers\":"
    "[],\"quality_tier\":{\"Custom\":{\"bitrate_kbps\":1500,\"width\":1280,\"height\":720}},\"priority\":7,\"active\":"
    "false,\"routed\":0},{\"output_id\":\"log\",\"target_peers\":[],\"quality_tier\":null,\"priority\":0,\"active\":"
    "true,\"routed\":0}]}";

static void what_is_saved_comes_back(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_SELECTIVE, "ab"), *back = NULL;
    rm_route_query camera = {.output_id = "camera"};
    char *text = NULL, *again = NULL, detail[128];
    size_t size = 0;
    int calls = 0;
    route(r, "camera", "ab", RM_TIER_HIGH, 5);
    uint32_t off = route(r, "screen", "", RM_TIER_CUSTOM, 7);
    route(r, "log", "", RM_TIER_NONE, 0);
    rm_session_router_activate_route(r, off, false);
    assert_int_equal(rm_session_router_deliver(r, &camera, send_but_to_b, &calls, NULL, 0, NULL), RM_OK);
    assert_int_equal(rm_session_router_save(r, &text, &size), RM_OK);
    assert_string_equal(text, snapshot);
    assert_int_equal(rm_session_router_restore(text, size, &back, detail, sizeof detail), RM_OK);
    assert_int_equal(rm_session_router_save(back, &again, NULL), RM_OK);
    assert_string_equal(again, text);
    goes_to(back, "camera", NULL, ""); /* known, but not there */
    assert_int_equal(rm_session_router_add_peer(back, "b", NULL), RM_OK);
    goes_to(back, "camera", NULL, "bH");
    rm_router_peer p;
    assert_int_equal(rm_session_router_peer(back, 1, &p), RM_OK);
    assert_true(p.present && p.failed == 1);
    rm_json_free(&text);
    rm_json_free(&again);
    rm_session_router_destroy(&r);
    rm_session_router_destroy(&back);
}

/* No part of a snapshot is one, and none does harm. */
static void truncated_snapshots_are_refused(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof snapshot - 1; n++) {
        rm_session_router *r = NULL;
        char *part = malloc(n + 1); /* so that a sanitizer sees the end */
        assert_non_null(part);
        memcpy(part, snapshot, n);
        assert_int_equal(rm_session_router_restore(part, n, &r, NULL, 0), RM_E_PARSE);
        assert_null(r);
        free(part);
    }
}

/* `from` in the snapshot replaced. */
static void refused(const char *from, const char *to, rm_err err, const char *detail) {
    char text[2048], got[128] = "";
    rm_session_router *r = NULL;
    const char *at = strstr(snapshot, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - snapshot), snapshot, to, at + strlen(from));
    assert_int_equal(rm_session_router_restore(text, strlen(text), &r, got, sizeof got), err);
    assert_string_equal(got, detail);
    assert_null(r);
}

static void wrong_snapshots_are_refused(void **state) {
    (void)state;
    refused("\"version\":1", "\"version\":2", RM_E_PARSE, "version must be 1");
    refused("selective", "anycast", RM_E_PARSE, "policy must be unicast, broadcast or selective");
    refused("\"peers\":[", "\"x\":[", RM_E_PARSE, "peers and routes must be lists");
    refused("\"peer_id\":\"b\"", "\"peer_id\":\"a\"", RM_E_PARSE, "peers[1]: this peer_id has been there");
    refused("\"peer_id\":\"b\"", "\"peer_id\":\"\\n\"", RM_E_PARSE,
            "peers[1]: peer_id must have 1 to 64 bytes, without control characters");
    refused("\"failed\":1", "\"failed\":-1", RM_E_PARSE, "peers[1]: sent and failed must be whole numbers from 0");
    refused("\"High\"", "\"Higher\"", RM_E_PARSE,
            "routes[0]: quality_tier must be null, High, Medium, Low or a Custom object");
    refused("\"width\":1280", "\"width\":0", RM_E_PARSE, "routes[1]: an id or a number is out of its range");
    refused("[\"a\",\"b\"]", "[\"a\",7]", RM_E_PARSE, "routes[0]: an id or a number is out of its range");
    refused("\"priority\":5", "\"priority\":256", RM_E_PARSE,
            "routes[0]: active, priority (0 to 255) or routed is missing or wrong");
    refused("\"target_peers\":[]", "\"target_peers\":null", RM_E_PARSE,
            "routes[1]: target_peers must be a list, empty for all");
    char *much = calloc(1, RM_ROUTER_JSON_MAX + 1);
    rm_session_router *r = NULL;
    assert_non_null(much);
    assert_int_equal(rm_session_router_restore(much, RM_ROUTER_JSON_MAX + 1, &r, NULL, 0), RM_E_TOO_BIG);
    free(much);
}

static void who_is_away_gets_nothing_and_comes_back(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_BROADCAST, "abc");
    rm_route_query q = {.output_id = "camera"};
    rm_route_target t[MANY];
    rm_router_peer p;
    size_t n;
    uint64_t routed;
    rm_output_route out;
    uint32_t id = route(r, "camera", "bc", RM_TIER_LOW, 5);
    assert_int_equal(rm_session_router_targets(r, &q, t, MANY, &n), RM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(rm_session_router_count(r, &t[0], RM_OK), RM_OK);
    assert_int_equal(rm_session_router_count(r, &t[0], RM_E_AGAIN), RM_OK);
    assert_int_equal(rm_session_router_leave_peer(r, "b"), RM_OK);
    assert_int_equal(rm_session_router_leave_peer(r, "b"), RM_E_NOT_FOUND);
    assert_int_equal(rm_session_router_leave_peer(r, "x"), RM_E_NOT_FOUND);
    goes_to(r, "camera", NULL, "cL");
    assert_int_equal(rm_session_router_add_peer(r, "b", NULL), RM_OK);
    goes_to(r, "camera", NULL, "bL cL");
    assert_int_equal(rm_session_router_peer(r, 1, &p), RM_OK);
    assert_true(p.present && p.sent == 1 && p.failed == 1);
    assert_int_equal(rm_session_router_route(r, 0, &id, &out, &routed), RM_OK);
    assert_int_equal(routed, 2);
    /* What it was sent to may be gone by then. */
    rm_route_target gone = {.peer_id = "x", .route_id = 99};
    assert_int_equal(rm_session_router_count(r, &gone, RM_OK), RM_OK);
    assert_int_equal(rm_session_router_count(r, NULL, RM_OK), RM_E_INVALID_ARG);
    rm_session_router_destroy(&r);
}

static void limits_are_kept(void **state) {
    (void)state;
    rm_session_router *r = made(RM_ROUTING_BROADCAST, "a");
    const char *to[RM_ROUTER_TARGETS_MAX + 1], *id = "x";
    char name[RM_ROUTER_ID_MAX + 1];
    rm_output_route o, good;
    uint32_t got = 0;
    rm_output_route_init(&good);
    good.output_id = "o";
    assert_int_equal(rm_session_router_create((rm_routing_policy)4, &r), RM_E_INVALID_ARG);
    assert_int_equal(rm_session_router_add_peer(r, "a", NULL), RM_E_EXISTS);
    memset(name, 'n', sizeof name);
    name[RM_ROUTER_ID_MAX] = 0;
    static const char *const bad[] = {"", "a\nb", "\x7f", "\xff", NULL};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(rm_session_router_add_peer(r, bad[i], NULL), RM_E_INVALID_ARG);
    assert_int_equal(rm_session_router_add_peer(r, name, NULL), RM_E_INVALID_ARG);
    assert_int_equal(rm_session_router_add_peer(r, name + 1, NULL), RM_OK);
    assert_int_equal(rm_session_router_remove_peer(r, "nobody"), RM_E_NOT_FOUND);
    for (size_t i = 0; i <= RM_ROUTER_TARGETS_MAX; i++)
        to[i] = id;
    o = good, o.priority = 256;
    assert_int_equal(rm_session_router_add_route(r, &o, &got), RM_E_INVALID_ARG);
    o = good, o.output_id = "";
    assert_int_equal(rm_session_router_add_route(r, &o, &got), RM_E_INVALID_ARG);
    o = good, o.quality.tier = (rm_quality_tier)5;
    assert_int_equal(rm_session_router_add_route(r, &o, &got), RM_E_INVALID_ARG);
    o = good, o.quality.tier = RM_TIER_CUSTOM;
    assert_int_equal(rm_session_router_add_route(r, &o, &got), RM_E_INVALID_ARG);
    o = good, o.target_peers = to, o.target_count = RM_ROUTER_TARGETS_MAX + 1;
    assert_int_equal(rm_session_router_add_route(r, &o, &got), RM_E_LIMIT);
    assert_int_equal(rm_session_router_set_route(r, 1, &good), RM_E_NOT_FOUND);
    for (size_t i = 0; i < RM_ROUTER_ROUTES_MAX; i++)
        assert_int_equal(rm_session_router_add_route(r, &good, &got), RM_OK);
    assert_int_equal(got, RM_ROUTER_ROUTES_MAX);
    assert_int_equal(rm_session_router_add_route(r, &good, &got), RM_E_LIMIT);
    for (size_t i = 2; i < RM_ROUTER_PEERS_MAX; i++) {
        snprintf(name, sizeof name, "p%zu", i);
        assert_int_equal(rm_session_router_add_peer(r, name, NULL), RM_OK);
    }
    assert_int_equal(rm_session_router_add_peer(r, "more", NULL), RM_E_LIMIT);
    rm_session_router_destroy(&r);
    rm_session_router_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcast_goes_to_all_unless_a_route_says_otherwise),
        cmocka_unit_test(selective_needs_a_route),
        cmocka_unit_test(unicast_goes_to_one),
        cmocka_unit_test(what_nobody_gets_is_not_wanted),
        cmocka_unit_test(one_failure_keeps_it_from_nobody),
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(truncated_snapshots_are_refused),
        cmocka_unit_test(wrong_snapshots_are_refused),
        cmocka_unit_test(who_is_away_gets_nothing_and_comes_back),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
