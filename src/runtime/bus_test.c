/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_testkit.h"
#include <remotemedia/bus.h>
#include <remotemedia/data_json.h>

struct fixture {
    rm_pipeline_runner *runner;
    rm_manifest *manifest;
    rm_stream_session *session;
};

static struct fixture open_nodes(const char *nodes, const char *connections) {
    struct fixture f = {.runner = rmt_runner(4), .manifest = rmt_manifest("", nodes, connections)};
    assert_int_equal(rm_pipeline_runner_create_stream_session(f.runner, f.manifest, NULL, &f.session, NULL, 0), RM_OK);
    return f;
}

static void close_all(struct fixture *f) {
    rm_stream_session_destroy(&f->session);
    rm_manifest_unref(&f->manifest);
    rm_pipeline_runner_destroy(&f->runner);
}

static void send_text(rm_stream_session *s, const char *text) {
    rmt_send(s, rmt_text(text, 0));
}

/* The next output, a text that is compared. */
static void expect_output(rm_stream_session *s, const char *text) {
    rm_transport_data out = {0};
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
    assert_string_equal(rm_runtime_data_text(out.data)->text, text);
    rm_transport_data_clear(&out);
}

static rm_tap_item expect_item(rm_tap *tap, const char *text) {
    rm_tap_item item = {0};
    assert_int_equal(rm_tap_recv(tap, &item, RMT_LONG_MS), RM_OK);
    assert_int_equal(item.type, RM_DATA_TEXT);
    assert_string_equal(rm_runtime_data_text(item.data)->text, text);
    assert_int_equal(item.size, strlen(text));
    rm_tap_item described = item;
    rm_tap_item_clear(&item);
    return described;
}

static rm_runtime_data *text_data(const char *text) {
    rm_runtime_data *data = NULL;
    assert_int_equal(rm_runtime_data_create_text(text, strlen(text), NULL, &data), RM_OK);
    return data;
}

static rm_err publish_text(rm_stream_session *s, const char *topic, const char *text) {
    rm_runtime_data *data = text_data(text);
    rm_err err = rm_stream_session_publish(s, topic, data);
    rm_runtime_data_unref(&data);
    return err;
}

static void test_topics(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}, {id: a.in, node_type: Pass}", "{from: a, to: a.in}");
    static const char *const malformed[] = {"",       "a",         ".",   "a.",       ".in", "a.inn", "a.in.",
                                            "a.outs", "a.out.\0x", "out", "a.middle", "..",  ".out"};
    static const char *const unknown[] = {"b.in", "b.out.port", "a.b.out"};
    rm_tap *tap = NULL;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(rm_stream_session_tap(f.session, malformed[i], NULL, &tap), RM_E_INVALID_ARG);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(rm_stream_session_tap(f.session, unknown[i], NULL, &tap), RM_E_NOT_FOUND);
    char long_port[80] = "a.out.";
    memset(long_port + 6, 'p', 65);
    assert_int_equal(rm_stream_session_tap(f.session, long_port, NULL, &tap), RM_E_INVALID_ARG);
    long_port[6 + 64] = '\0';
    assert_int_equal(rm_stream_session_tap(f.session, long_port, NULL, &tap), RM_OK);
    rm_tap_destroy(&tap);
    assert_null(tap);
    assert_int_equal(rm_stream_session_tap(f.session, "a.in.out", NULL, &tap), RM_OK); /* node a.in, not a port of a */
    send_text(f.session, "x");
    expect_item(tap, "x");
    rm_tap_destroy(&tap);
    assert_int_equal(publish_text(f.session, "a.out", "x"), RM_E_INVALID_ARG);
    assert_int_equal(publish_text(f.session, "b.in", "x"), RM_E_NOT_FOUND);
    rm_tap_config c;
    rm_tap_config_init(&c);
    c.ring_size = 0;
    assert_int_equal(rm_stream_session_tap(f.session, "a.in", &c, &tap), RM_E_INVALID_ARG);
    close_all(&f);
}

static void test_a_tap_sees_and_a_slow_one_skips(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}, {id: b, node_type: Swallow}, {id: c, node_type: Pass}",
                                  "{from: a, to: b}, {from: a, to: c}");
    rm_tap_config c;
    rm_tap_config_init(&c);
    c.ring_size = 4;
    rm_tap *out = NULL, *in = NULL, *silent = NULL;
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", &c, &out), RM_OK);
    assert_int_equal(rm_stream_session_tap(f.session, "b.in", NULL, &in), RM_OK);
    assert_int_equal(rm_stream_session_tap(f.session, "b.out", NULL, &silent), RM_OK);
    for (int i = 0; i < 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "t%d", i);
        send_text(f.session, text);
        expect_output(f.session, text);
        assert_int_equal(expect_item(in, text).skipped, 0);
    }
    assert_int_equal(expect_item(out, "t6").skipped, 6);
    assert_int_equal(expect_item(out, "t7").skipped, 0);
    rm_tap_destroy(&out);
    send_text(f.session, "more");
    expect_output(f.session, "more");
    expect_item(in, "more");
    rm_tap_item none;
    assert_int_equal(rm_tap_recv(silent, &none, 0), RM_E_AGAIN);
    assert_int_equal(rm_tap_recv(silent, &none, 1), RM_E_TIMEOUT);
    rm_tap_destroy(&in);
    rm_tap_destroy(&silent);
    close_all(&f);
}

static void test_media_are_described_or_copied(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
    rm_tap_config c;
    rm_tap_config_init(&c);
    rm_tap *described = NULL, *whole = NULL;
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", &c, &described), RM_OK);
    c.media = true;
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", &c, &whole), RM_OK);
    rm_transport_data sound = rmt_audio(0);
    assert_int_equal(rm_stream_session_send_input(f.session, &sound), RM_OK);
    rm_tap_item item;
    assert_int_equal(rm_tap_recv(described, &item, RMT_LONG_MS), RM_OK);
    assert_int_equal(item.type, RM_DATA_AUDIO);
    assert_null(item.data);
    assert_int_equal(item.size, 4 * sizeof(float));
    assert_int_equal(item.sample_rate, 48000);
    assert_int_equal(item.channels, 2);
    assert_true(item.time_us > 0);
    assert_int_equal(rm_tap_recv(whole, &item, RMT_LONG_MS), RM_OK);
    const rm_audio *copy = rm_runtime_data_audio(item.data), *sent = rm_runtime_data_audio(sound.data);
    assert_ptr_not_equal(copy->samples, sent->samples);
    assert_memory_equal(copy->samples, sent->samples, 4 * sizeof(float));
    rm_tap_item_clear(&item);
    rm_transport_data_clear(&sound);
    rm_tap_destroy(&described);
    rm_tap_destroy(&whole);
    close_all(&f);
}

/* More than RM_TAP_BYTES_MAX of sound: the ring keeps what fits. */
static void test_a_ring_is_bounded_in_bytes(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
    rm_tap_config c;
    rm_tap_config_init(&c);
    c.media = true;
    rm_tap *tap = NULL;
    const size_t samples = (size_t)(RM_TAP_BYTES_MAX / 4) / sizeof(float);
    assert_int_equal(rm_stream_session_tap(f.session, "a.in", &c, &tap), RM_OK);
    for (int i = 0; i < 6; i++) {
        rm_buf *buf = NULL;
        rm_transport_data sound = {0}, out = {0};
        assert_int_equal(rm_buf_create(samples * sizeof(float), &buf), RM_OK);
        assert_int_equal(rm_runtime_data_create_audio(buf, 0, samples, 48000, 1, &sound.data), RM_OK);
        rm_buf_unref(&buf);
        rmt_send(f.session, sound);
        assert_int_equal(rm_stream_session_recv_output(f.session, &out, RMT_LONG_MS), RM_OK);
        rm_transport_data_clear(&out);
    }
    rm_tap_item item;
    size_t waiting = 0;
    uint64_t skipped = 0;
    while (!rm_tap_recv(tap, &item, 0)) {
        waiting++;
        skipped += item.skipped;
        rm_tap_item_clear(&item);
    }
    assert_int_equal(waiting, 4);
    assert_int_equal(skipped, 2);
    rm_tap_destroy(&tap);
    close_all(&f);
}

static void test_nodes_are_switched(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: c, node_type: Count}, {id: p, node_type: Pass}", "{from: c, to: p}");
    rm_node_state now;
    assert_int_equal(rm_stream_session_node_state(f.session, "c", &now), RM_OK);
    assert_int_equal(now, RM_NODE_ENABLED);
    assert_int_equal(rm_stream_session_node_state(f.session, "x", &now), RM_E_NOT_FOUND);
    assert_int_equal(rm_stream_session_set_node_state(f.session, "x", RM_NODE_BYPASS), RM_E_NOT_FOUND);
    assert_int_equal(rm_stream_session_set_node_state(f.session, "c", (rm_node_state)4), RM_E_INVALID_ARG);
    rm_tap *tap = NULL;
    assert_int_equal(rm_stream_session_tap(f.session, "c.in", NULL, &tap), RM_OK);
    assert_int_equal(rm_stream_session_set_node_state(f.session, "c", RM_NODE_BYPASS), RM_OK);
    send_text(f.session, "around");
    expect_output(f.session, "around");
    expect_item(tap, "around");
    assert_int_equal(rm_stream_session_set_node_state(f.session, "c", RM_NODE_DISABLED), RM_OK);
    send_text(f.session, "nowhere");
    expect_item(tap, "nowhere"); /* it has come to the node, and is gone */
    assert_int_equal(rm_stream_session_set_node_state(f.session, "c", RM_NODE_BYPASS), RM_OK);
    send_text(f.session, "again");
    expect_output(f.session, "again");
    assert_int_equal(rm_stream_session_set_node_state(f.session, "c", RM_NODE_ENABLED), RM_OK);
    send_text(f.session, "counted");
    assert_int_equal(rm_stream_session_end_input(f.session), RM_OK);
    expect_output(f.session, "1");
    assert_string_equal(rm_node_state_name(RM_NODE_DISABLED), "disabled");
    assert_string_equal(rm_node_state_name((rm_node_state)9), "unknown");
    rm_tap_destroy(&tap);
    close_all(&f);
}

static void test_publish(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Swallow}, {id: b, node_type: Pass}", "{from: a, to: b}");
    rm_tap *main_out = NULL, *port_out = NULL, *port_in = NULL;
    assert_int_equal(rm_stream_session_tap(f.session, "b.out", NULL, &main_out), RM_OK);
    assert_int_equal(rm_stream_session_tap(f.session, "b.out.hint", NULL, &port_out), RM_OK);
    assert_int_equal(rm_stream_session_tap(f.session, "b.in.hint", NULL, &port_in), RM_OK);
    assert_int_equal(publish_text(f.session, "b.in", "plain"), RM_OK);
    expect_output(f.session, "plain");
    expect_item(main_out, "plain");
    assert_int_equal(publish_text(f.session, "b.in.hint", "aside"), RM_OK);
    rm_transport_data out = {0};
    assert_int_equal(rm_stream_session_recv_output(f.session, &out, RMT_LONG_MS), RM_OK);
    assert_string_equal(rm_runtime_data_aux_port(out.data), "hint");
    rm_transport_data_clear(&out);
    expect_item(port_in, "aside");
    expect_item(port_out, "aside");
    rm_tap_item none;
    assert_int_equal(rm_tap_recv(main_out, &none, 0), RM_E_AGAIN);
    rm_transport_data sound = rmt_audio(0);
    assert_int_equal(rm_stream_session_publish(f.session, "b.in.hint", sound.data), RM_E_UNSUPPORTED);
    rm_transport_data_clear(&sound);
    rm_stream_session_close(f.session);
    assert_int_equal(publish_text(f.session, "b.in", "late"), RM_E_CLOSED);
    rm_tap_destroy(&main_out);
    rm_tap_destroy(&port_out);
    rm_tap_destroy(&port_in);
    close_all(&f);
}

/* Answers each item as its text asks for. */
static void decide(rm_tap *tap, void *user) {
    (void)user;
    rm_tap_item item;
    while (!rm_tap_recv(tap, &item, 0)) {
        const char *text = rm_runtime_data_text(item.data)->text;
        rm_runtime_data *other = text_data("replaced");
        assert_true(item.id > 0);
        if (!strcmp(text, "pass"))
            assert_int_equal(rm_tap_answer(tap, item.id, RM_TAP_PASS, NULL), RM_OK);
        if (!strcmp(text, "replace"))
            assert_int_equal(rm_tap_answer(tap, item.id, RM_TAP_REPLACE, other), RM_OK);
        if (!strcmp(text, "drop")) {
            assert_int_equal(rm_tap_answer(tap, item.id, RM_TAP_DROP, NULL), RM_OK);
            assert_int_equal(rm_tap_answer(tap, item.id, RM_TAP_PASS, NULL), RM_E_NOT_FOUND);
        }
        rm_runtime_data_unref(&other);
        rm_tap_item_clear(&item);
    }
}

static void test_intercepts_decide(void **state) {
    (void)state;
    static const char *const topics[] = {"a.out", "a.in"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
        rm_tap_config c;
        rm_tap_config_init(&c);
        c.intercept = true;
        c.on_ready = decide;
        rm_tap *tap = NULL, *second = NULL, *seen = NULL;
        assert_int_equal(rm_stream_session_tap(f.session, topics[i], &c, &tap), RM_OK);
        assert_int_equal(rm_stream_session_tap(f.session, topics[i], &c, &second), RM_E_EXISTS);
        assert_int_equal(rm_stream_session_tap(f.session, topics[i], NULL, &seen), RM_OK);
        send_text(f.session, "pass");
        send_text(f.session, "drop");
        send_text(f.session, "replace");
        send_text(f.session, "silence"); /* passes after the deadline */
        expect_output(f.session, "pass");
        expect_output(f.session, "replaced");
        expect_output(f.session, "silence");
        expect_item(seen, "pass"); /* a tap is shown what really flows */
        expect_item(seen, "replaced");
        expect_item(seen, "silence");
        assert_int_equal(rm_tap_answer(tap, 0, RM_TAP_DROP, NULL), RM_E_NOT_FOUND);
        assert_int_equal(rm_tap_answer(tap, 4, RM_TAP_DROP, NULL), RM_E_NOT_FOUND);
        assert_int_equal(rm_tap_answer(tap, 4, RM_TAP_REPLACE, NULL), RM_E_INVALID_ARG);
        rm_tap_destroy(&tap);
        send_text(f.session, "free");
        expect_output(f.session, "free");
        rm_tap_destroy(&seen);
        close_all(&f);
    }
}

/* Whoever ends an intercept, or the session, does not leave a node waiting: the deadline is longer than the test. */
static void test_an_ended_intercept_holds_nobody(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
    rm_tap_config c;
    rm_tap_config_init(&c);
    c.intercept = true;
    c.deadline_ms = RM_INTERCEPT_MAX_MS;
    for (int i = 0; i < 2; i++) {
        rm_tap *tap = NULL;
        rm_tap_item item;
        assert_int_equal(rm_stream_session_tap(f.session, "a.in", &c, &tap), RM_OK);
        send_text(f.session, "waits");
        assert_int_equal(rm_tap_recv(tap, &item, RMT_LONG_MS), RM_OK); /* its lane waits for us now */
        if (i == 0) {
            rm_tap_destroy(&tap);
            expect_output(f.session, "waits");
        } else {
            rm_stream_session_destroy(&f.session);
            rm_tap_item none;
            assert_int_equal(rm_tap_recv(tap, &none, -1), RM_E_CLOSED);
        }
        rm_tap_item_clear(&item);
        rm_tap_destroy(&tap);
    }
    close_all(&f);
}

static void test_flush_audio(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: g, node_type: Gate}", "");
    rmt_gate_set(false);
    rmt_send(f.session, rmt_audio(0));
    rmt_gate_await(1); /* this one is at work: nothing can be done about it */
    for (uint64_t i = 1; i <= 5; i++)
        rmt_send(f.session, rmt_audio(i));
    send_text(f.session, "stays");
    assert_int_equal(rm_stream_session_flush_audio(f.session), 5);
    assert_int_equal(rm_stream_session_flush_audio(f.session), 0);
    rmt_gate_set(true);
    rm_transport_data out = {0};
    assert_int_equal(rm_stream_session_recv_output(f.session, &out, RMT_LONG_MS), RM_OK);
    assert_int_equal(rm_runtime_data_type(out.data), RM_DATA_AUDIO);
    rm_transport_data_clear(&out);
    expect_output(f.session, "stays");
    close_all(&f);
}

static void test_barge_in_drops_what_the_call_emits(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: g, node_type: Gate}", "");
    rmt_gate_set(false);
    send_text(f.session, "interrupted");
    rmt_gate_await(1);
    send_text(f.session, "next");
    assert_int_equal(publish_text(f.session, "g.in.barge_in", "!"), RM_OK);
    rmt_gate_set(true);
    expect_output(f.session, "next");
    rm_node_stats stats;
    assert_int_equal(rm_stream_session_node_stats(f.session, 0, &stats), RM_OK);
    assert_int_equal(stats.errors, 0);
    close_all(&f);
}

static void test_a_tap_ends_with_its_session(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
    rm_tap *tap = NULL, *late = NULL;
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", NULL, &tap), RM_OK);
    send_text(f.session, "last");
    expect_output(f.session, "last");
    rm_stream_session_close(f.session);
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", NULL, &late), RM_E_CLOSED);
    close_all(&f);
    expect_item(tap, "last");
    rm_tap_item none;
    assert_int_equal(rm_tap_recv(tap, &none, -1), RM_E_CLOSED);
    rm_tap_destroy(&tap);
}

static void test_taps_are_limited(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass}", "");
    rm_tap *taps[RM_TAPS_MAX], *more = NULL;
    for (size_t i = 0; i < RM_TAPS_MAX; i++)
        assert_int_equal(rm_stream_session_tap(f.session, "a.out", NULL, &taps[i]), RM_OK);
    assert_int_equal(rm_stream_session_tap(f.session, "a.out", NULL, &more), RM_E_LIMIT);
    send_text(f.session, "to all");
    expect_output(f.session, "to all");
    for (size_t i = 0; i < RM_TAPS_MAX; i++) {
        expect_item(taps[i], "to all");
        rm_tap_destroy(&taps[i]);
    }
    close_all(&f);
}

/* ---- many at once, for the thread sanitizer above all ---- */

#define ROUNDS 200

static void count_ready(rm_tap *tap, void *user) {
    rm_tap_item item;
    while (!rm_tap_recv(tap, &item, 0)) {
        if (item.id)
            rm_tap_answer(tap, item.id, RM_TAP_PASS, NULL);
        rm_tap_item_clear(&item);
        atomic_fetch_add((atomic_int *)user, 1);
    }
}

static void *tap_and_leave(void *user) {
    rm_stream_session *s = user;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_int seen = 0;
        rm_tap_config c;
        rm_tap_config_init(&c);
        c.intercept = i % 4 == 0;
        c.on_ready = count_ready;
        c.user = &seen; /* on this stack: nothing may come after the end */
        rm_tap *tap = NULL;
        rm_err err = rm_stream_session_tap(s, i % 2 ? "a.out" : "b.in", &c, &tap);
        if (err) {
            assert_int_equal(err, RM_E_EXISTS);
            continue;
        }
        rm_stream_session_set_node_state(s, "a", i % 3 ? RM_NODE_ENABLED : RM_NODE_BYPASS);
        rm_tap_destroy(&tap);
    }
    return NULL;
}

static void *publish_many(void *user) {
    for (int i = 0; i < ROUNDS; i++) {
        rm_err err = publish_text(user, "b.in", "published");
        assert_true(err == RM_OK || err == RM_E_AGAIN);
        rm_stream_session_flush_audio(user);
    }
    return NULL;
}

static void test_many_at_once(void **state) {
    (void)state;
    struct fixture f = open_nodes("{id: a, node_type: Pass, params: {own_thread: true}}, {id: b, node_type: Swallow}",
                                  "{from: a, to: b}");
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, tap_and_leave, f.session), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, tap_and_leave, f.session), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, publish_many, f.session), 0);
    for (uint64_t i = 0; i < ROUNDS; i++)
        rmt_send(f.session, rmt_audio(i));
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_a_tap_sees_and_a_slow_one_skips),
        cmocka_unit_test(test_media_are_described_or_copied),
        cmocka_unit_test(test_a_ring_is_bounded_in_bytes),
        cmocka_unit_test(test_nodes_are_switched),
        cmocka_unit_test(test_publish),
        cmocka_unit_test(test_intercepts_decide),
        cmocka_unit_test(test_an_ended_intercept_holds_nobody),
        cmocka_unit_test(test_flush_audio),
        cmocka_unit_test(test_barge_in_drops_what_the_call_emits),
        cmocka_unit_test(test_a_tap_ends_with_its_session),
        cmocka_unit_test(test_taps_are_limited),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
