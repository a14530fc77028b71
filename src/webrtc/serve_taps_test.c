/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_testkit.h"
#include "webrtc/serve_private.h"

#define TOPIC "a.out"

struct world {
    rm_pipeline_runner *runner;
    rm_manifest *manifest;
    struct rmi_serve serve; /* its loop does not run */
    struct rmi_serve_peer peer;
    struct rmi_serve_tap *tap;
};

static rm_stream_session *open_session(struct world *w) {
    rm_stream_session *s = NULL;
    assert_int_equal(rm_pipeline_runner_create_stream_session(w->runner, w->manifest, NULL, &s, NULL, 0), RM_OK);
    return s;
}

static void open_world(struct world *w, rm_stream_session **first) {
    const struct rmi_serve_tap wanted = {.topic = TOPIC};
    memset(w, 0, sizeof *w);
    w->runner = rmt_runner(4);
    w->manifest = rmt_manifest("", "{id: a, node_type: Pass}", "");
    assert_int_equal(pthread_mutex_init(&w->serve.mutex, NULL), 0);
    w->peer.serve = &w->serve;
    rmi_list_init(&w->peer.taps);
    *first = open_session(w);
    assert_int_equal(rmi_serve_tap_add(&w->peer, &wanted, *first, &w->tap), RM_OK);
}

static void close_world(struct world *w) {
    rmi_serve_taps_end(&w->peer, NULL);
    assert_int_equal(w->peer.tap_count, 0);
    pthread_mutex_destroy(&w->serve.mutex);
    rm_manifest_unref(&w->manifest);
    rm_pipeline_runner_destroy(&w->runner);
}

static void expect(rm_stream_session *s, rm_tap *tap, const char *text) {
    rm_tap_item item = {0};
    rmt_send(s, rmt_text(text, 0));
    assert_int_equal(rm_tap_recv(tap, &item, RMT_LONG_MS), RM_OK);
    assert_string_equal(rm_runtime_data_text(item.data)->text, text);
    rm_tap_item_clear(&item);
}

/* A client that calls again is served by its new session while the one before is still ending: nothing of either may be
 * missed. */
static void a_subscription_looks_at_the_new_session_before_the_old_one_has_ended(void **state) {
    (void)state;
    struct world w;
    rm_stream_session *old, *new;
    open_world(&w, &old);
    rmi_serve_taps_follow(&w.peer, old);
    assert_null(w.tap->before);
    expect(old, w.tap->tap, "once");
    new = open_session(&w);
    rmi_serve_taps_follow(&w.peer, new);
    expect(new, w.tap->tap, "and again");
    expect(old, w.tap->before, "the rest");
    rmi_serve_taps_follow(&w.peer, new);
    expect(new, w.tap->tap, "the same one");
    rm_stream_session_destroy(&old);
    rmi_serve_taps_drain(&w.peer);
    assert_null(w.tap->before);
    expect(new, w.tap->tap, "alone");
    rm_stream_session_destroy(&new);
    close_world(&w);
}

static void only_two_sessions_are_looked_at(void **state) {
    (void)state;
    struct world w;
    rm_stream_session *s[3];
    open_world(&w, &s[0]);
    for (int i = 1; i < 3; i++) {
        s[i] = open_session(&w);
        rmi_serve_taps_follow(&w.peer, s[i]);
    }
    expect(s[1], w.tap->before, "second");
    expect(s[2], w.tap->tap, "third");
    for (int i = 0; i < 3; i++)
        rm_stream_session_destroy(&s[i]);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_looks_at_the_new_session_before_the_old_one_has_ended),
        cmocka_unit_test(only_two_sessions_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
