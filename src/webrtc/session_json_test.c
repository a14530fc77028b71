/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/session_private.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char snapshot[] =
    "{\"version\":1,\"session_id\":\"show\",\"auto_peers\":false,\"members\":[\"a\",\"b\"],\"counters\":{\"inputs\":7,"
    "\"refused\":1,\"sent\":5},\"router\":{\"version\":1,\"policy\":\"selective\",\"peers\":[{\"peer_id\":\"a\","
    "\"sent\":5,\"failed\":0}],\"routes\":[{\"output_id\":\"camera\",\"target_peers\":[\"a\"],\"quality_tier\":null,"
    "\"priority\":5,\"active\":true,\"routed\":5}]}}";

static void a_snapshot_is_read(void **state) {
    (void)state;
    struct rmi_session_snapshot s = {0};
    rm_router_peer p;
    assert_int_equal(rmi_session_read(snapshot, strlen(snapshot), &s, NULL, 0), RM_OK);
    assert_string_equal(rmi_session_snapshot_id(&s), "show");
    assert_int_equal(rm_session_router_policy(s.router), RM_ROUTING_SELECTIVE);
    assert_int_equal(rm_session_router_peer(s.router, 0, &p), RM_OK);
    assert_true(!p.present && p.sent == 5);
    rmi_session_snapshot_fini(&s);
    assert_null(s.router);
}

/* No part of a snapshot is one, and none does harm. */
static void truncated_snapshots_are_refused(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof snapshot - 1; n++) {
        struct rmi_session_snapshot s = {0};
        char *part = malloc(n + 1);
        assert_non_null(part);
        memcpy(part, snapshot, n);
        assert_int_equal(rmi_session_read(part, n, &s, NULL, 0), RM_E_PARSE);
        assert_true(!s.root && !s.router);
        free(part);
    }
}

/* `from` in the snapshot replaced. */
static void refused(const char *from, const char *to, const char *detail) {
    char text[2048], got[128] = "";
    struct rmi_session_snapshot s = {0};
    const char *at = strstr(snapshot, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - snapshot), snapshot, to, at + strlen(from));
    assert_int_equal(rmi_session_read(text, strlen(text), &s, got, sizeof got), RM_E_PARSE);
    assert_string_equal(got, detail);
    assert_true(!s.root && !s.router);
}

static void wrong_snapshots_are_refused(void **state) {
    (void)state;
    refused("\"version\":1,\"session_id\"", "\"version\":2,\"session_id\"", "version must be 1");
    refused("\"show\"", "\"not an id\"", "session_id: 1 to 64 characters of A-Z a-z 0-9 _ -");
    refused("\"session_id\"", "\"id\"", "session_id: 1 to 64 characters of A-Z a-z 0-9 _ -");
    refused("false", "0", "auto_peers must be true or false");
    refused("[\"a\",\"b\"]", "[\"a\",\"\\n\"]", "members must be a list of peer ids");
    refused("[\"a\",\"b\"]", "[\"a\",7]", "members must be a list of peer ids");
    refused("[\"a\",\"b\"]", "{}", "members must be a list of peer ids");
    refused("\"inputs\":7", "\"inputs\":-7", "counters must be an object of whole numbers from 0");
    refused("\"inputs\":7", "\"inputs\":\"7\"", "counters must be an object of whole numbers from 0");
    refused("\"router\":{", "\"roter\":{", "router must be an object");
    refused("selective", "anycast", "policy must be unicast, broadcast or selective");
    char *much = calloc(1, RM_ROUTER_JSON_MAX + 1);
    struct rmi_session_snapshot s = {0};
    assert_non_null(much);
    assert_int_equal(rmi_session_read(much, RM_ROUTER_JSON_MAX + 1, &s, NULL, 0), RM_E_TOO_BIG);
    free(much);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_read),
        cmocka_unit_test(truncated_snapshots_are_refused),
        cmocka_unit_test(wrong_snapshots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
