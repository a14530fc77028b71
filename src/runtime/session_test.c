/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_testkit.h"

#include <dirent.h>
#include <sched.h>

/* What callbacks saw. */
struct seen {
    atomic_int events[RM_RUN_EV_INPUT_ROOM + 1];
    atomic_int outputs;
    char node_id[65], detail[RM_RUN_DETAIL_MAX];
    rm_err err;
    uint64_t count;
    rm_stream_session *destroy; /* to be destroyed at the first callback */
    bool close;                 /* close at each output */
};

static void on_event(const rm_run_event *event, void *user) {
    struct seen *seen = user;
    snprintf(seen->node_id, sizeof seen->node_id, "%s", event->node_id);
    snprintf(seen->detail, sizeof seen->detail, "%s", event->detail);
    seen->err = event->err;
    seen->count = event->count;
    atomic_fetch_add(&seen->events[event->type], 1);
    rm_stream_session_destroy(&seen->destroy);
}

static void on_output(rm_stream_session *session, const rm_transport_data *output, void *user) {
    struct seen *seen = user;
    assert_non_null(output->data);
    atomic_fetch_add(&seen->outputs, 1);
    if (seen->close) {
        rm_stream_session_close(session);
        rm_stream_session_close(session);
    }
    rm_stream_session_destroy(&seen->destroy);
}

struct named {
    atomic_int a, b, other;
};

static void on_node_output(rm_stream_session *session, const char *node_id, const rm_transport_data *output,
                           void *user) {
    struct named *n = user;
    rm_transport_data none;
    assert_non_null(output->data);
    assert_int_equal(rm_stream_session_recv_output(session, &none, 0), RM_E_STATE);
    atomic_fetch_add(!strcmp(node_id, "a") ? &n->a : !strcmp(node_id, "b") ? &n->b : &n->other, 1);
}

static rm_stream_session *open_session(rm_pipeline_runner *r, rm_manifest *m, struct seen *seen, bool outputs) {
    char detail[RM_RUN_DETAIL_MAX];
    rm_stream_session *s = NULL;
    rm_stream_session_config c;
    rm_stream_session_config_init(&c);
    c.on_event = seen ? on_event : NULL;
    c.on_output = seen && outputs ? on_output : NULL;
    c.user = seen;
    rm_err err = rm_pipeline_runner_create_stream_session(r, m, &c, &s, detail, sizeof detail);
    assert_string_equal(detail, "");
    assert_int_equal(err, RM_OK);
    return s;
}

static void expect_text(rm_stream_session *s, const char *text, uint64_t sequence) {
    rm_transport_data out = {0};
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
    assert_string_equal(rm_runtime_data_text(out.data)->text, text);
    assert_true(out.has_sequence);
    assert_int_equal(out.sequence, sequence);
    assert_string_equal(rm_metadata_get(out.metadata, "key"), text);
    rm_transport_data_clear(&out);
}

static void test_order_sequence_and_metadata(void **state) {
    (void)state;
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("", "{id: a, node_type: Pass}, {id: b, node_type: Pass}", "{from: a, to: b}");
    rm_stream_session *s = open_session(r, m, NULL, false);
    assert_int_equal(strlen(rm_stream_session_id(s)), 36);
    assert_int_equal(rm_stream_session_id(s)[14], '4'); /* version 4 */
    assert_true(rm_stream_session_is_active(s));
    rm_transport_data none;
    assert_int_equal(rm_stream_session_recv_output(s, &none, 0), RM_E_AGAIN);
    assert_int_equal(rm_stream_session_recv_output(s, &none, 1), RM_E_TIMEOUT);
    for (uint64_t i = 0; i < 50; i++) {
        char text[8];
        snprintf(text, sizeof text, "t%d", (int)i);
        rmt_send(s, rmt_text(text, i));
    }
    for (uint64_t i = 0; i < 50; i++) {
        char text[8];
        snprintf(text, sizeof text, "t%d", (int)i);
        expect_text(s, text, i);
    }
    rm_node_stats stats;
    assert_int_equal(rm_stream_session_node_stats(s, 1, &stats), RM_OK);
    assert_string_equal(stats.node_id, "b");
    assert_int_equal(stats.received, 50);
    assert_int_equal(stats.emitted, 50);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(rm_stream_session_node_stats(s, 2, &stats), RM_E_NOT_FOUND);
    /* The runner and the manifest may go first. */
    rm_pipeline_runner_destroy(&r);
    rm_manifest_unref(&m);
    rmt_send(s, rmt_text("last", 9));
    expect_text(s, "last", 9);
    rm_stream_session_close(s);
    assert_false(rm_stream_session_is_active(s));
    assert_int_equal(rm_stream_session_recv_output(s, &none, -1), RM_E_CLOSED);
    rm_transport_data d = rmt_text("x", 1);
    assert_int_equal(rm_stream_session_send_input(s, &d), RM_E_CLOSED);
    rm_transport_data_clear(&d);
    rm_stream_session_destroy(&s);
    assert_null(s);
    rm_stream_session_destroy(&s);
}

static void test_outputs_name_their_node(void **state) {
    (void)state;
    struct named named = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m =
        rmt_manifest("", "{id: first, node_type: Pass}, {id: a, node_type: Pass}, {id: b, node_type: Pass}",
                     "{from: first, to: a}, {from: first, to: b}");
    rm_stream_session *s = NULL;
    rm_stream_session_config c;
    rm_stream_session_config_init(&c);
    c.on_node_output = on_node_output;
    c.user = &named;
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, m, &c, &s, NULL, 0), RM_OK);
    for (uint64_t i = 0; i < 7; i++)
        rmt_send(s, rmt_text("t", i));
    while (atomic_load(&named.a) < 7 || atomic_load(&named.b) < 7)
        sched_yield();
    rm_stream_session_destroy(&s);
    assert_int_equal(atomic_load(&named.a), 7);
    assert_int_equal(atomic_load(&named.b), 7);
    assert_int_equal(atomic_load(&named.other), 0);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_fan_out_fan_in_and_end(void **state) {
    (void)state;
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest(
        "",
        "{id: count, node_type: Count}, {id: a, node_type: Pass}, {id: b, node_type: Pass}, {id: c, node_type: Pass}",
        "{from: a, to: b}, {from: a, to: c}, {from: b, to: count}, {from: c, to: count}");
    struct seen seen = {0};
    rm_stream_session *s = open_session(r, m, &seen, false);
    for (uint64_t i = 0; i < 20; i++)
        rmt_send(s, rmt_text("x", i));
    assert_int_equal(rm_stream_session_end_input(s), RM_OK);
    assert_int_equal(rm_stream_session_end_input(s), RM_E_CLOSED);
    assert_false(rm_stream_session_is_active(s));
    rm_transport_data out;
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
    assert_string_equal(rm_runtime_data_text(out.data)->text, "40");
    assert_int_equal(out.sequence, 19); /* of the last input */
    assert_string_equal(rm_metadata_get(out.metadata, "key"), "x");
    rm_transport_data_clear(&out);
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_E_CLOSED);
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_FINISHED]), 1);
    rm_stream_session_destroy(&s);
    assert_int_equal(atomic_load(&live_states), 0);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

/* One failing node with a policy; returns the output of one audio input, if any. */
static rm_err run_failing(const char *metadata, const char *params, struct seen *seen, rm_transport_data *out) {
    char nodes[128];
    rm_pipeline_runner *r = rmt_runner(4);
    snprintf(nodes, sizeof nodes, "{id: pre, node_type: Pass}, {id: bad, node_type: Fail, params: {%s}}", params);
    rm_manifest *m = rmt_manifest(metadata, nodes, "{from: pre, to: bad}");
    rm_stream_session *s = open_session(r, m, seen, false);
    rmt_send(s, rmt_audio(5));
    rm_stream_session_end_input(s);
    rm_err err = rm_stream_session_recv_output(s, out, RMT_LONG_MS);
    assert_int_equal(rm_stream_session_recv_output(s, err ? out : &(rm_transport_data){0}, RMT_LONG_MS), RM_E_CLOSED);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
    assert_string_equal(seen->node_id[0] ? seen->node_id : "bad", "bad");
    return err;
}

static void test_a_failing_node_under_each_policy(void **state) {
    (void)state;
    static const struct {
        const char *metadata, *params;
        rm_err err;
        float first;
        rm_run_event_type event;
    } rows[] = {
        {"", "", RM_E_CLOSED, 0, RM_RUN_EV_NODE_ERROR},
        {"", "on_error: drop", RM_E_CLOSED, 0, RM_RUN_EV_NODE_ERROR},
        {"on_error: passthrough", "", RM_OK, 0.25F, RM_RUN_EV_NODE_ERROR},
        {"on_error: drop", "onError: passthrough", RM_OK, 0.25F, RM_RUN_EV_NODE_ERROR},
        {"", "on_error: mute", RM_OK, 0, RM_RUN_EV_NODE_ERROR},
        {"on_error: stop", "", RM_E_CLOSED, 0, RM_RUN_EV_STOPPED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {0};
        rm_transport_data out = {0};
        assert_int_equal(run_failing(rows[i].metadata, rows[i].params, &seen, &out), rows[i].err);
        if (!rows[i].err) {
            assert_int_equal(out.sequence, 5);
            const rm_audio *a = rm_runtime_data_audio(out.data);
            assert_int_equal(a->sample_count, 4);
            assert_true(a->samples[0] == rows[i].first);
        }
        rm_transport_data_clear(&out);
        assert_int_equal(atomic_load(&seen.events[rows[i].event]), 1);
        /* "stop" ends at once: the input's end is not reached */
        assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_FINISHED]), rows[i].event != RM_RUN_EV_STOPPED);
    }
}

static void test_an_error_names_node_and_reason(void **state) {
    (void)state;
    struct seen seen = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("on_error: stop", "{id: bad, node_type: Fail}", "");
    rm_stream_session *s = open_session(r, m, &seen, false);
    rm_transport_data out;
    rmt_send(s, rmt_audio(1));
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_E_CLOSED);
    assert_false(rm_stream_session_is_active(s));
    rm_stream_session_destroy(&s);
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_STOPPED]), 1);
    assert_string_equal(seen.node_id, "bad");
    assert_string_equal(seen.detail, "it is broken");
    assert_int_equal(seen.err, RM_E_IO);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

/* One branch stands still. The other delivers everything; what the first cannot take is lost and counted. */
static void test_a_slow_node_stalls_nobody(void **state) {
    (void)state;
    enum { INPUTS = 1000, QUEUE = 10 };
    struct seen seen = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m =
        rmt_manifest("",
                     "{id: in, node_type: Pass, params: {queue_size: 1000}}, {id: fast, node_type: Pass, params: "
                     "{queue_size: 1000}}, "
                     "{id: slow, node_type: Gate, params: {queue_size: 10}}, {id: end, node_type: Swallow}",
                     "{from: in, to: fast}, {from: in, to: slow}, {from: slow, to: end}");
    rmt_gate_set(false);
    rm_stream_session *s = open_session(r, m, &seen, false);
    rm_transport_data out;
    rmt_send(s, rmt_audio(0));
    rmt_gate_await(1);
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
    rm_transport_data_clear(&out);
    for (uint64_t i = 1; i < INPUTS; i++) {
        rmt_send(s, rmt_audio(i));
        assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
        assert_int_equal(out.sequence, i);
        rm_transport_data_clear(&out);
    }
    rm_node_stats slow, fast;
    /* The last input has reached both branches, for one lock hands it to both. */
    assert_int_equal(rm_stream_session_node_stats(s, 2, &slow), RM_OK);
    assert_int_equal(rm_stream_session_node_stats(s, 1, &fast), RM_OK);
    assert_int_equal(fast.received, INPUTS);
    assert_int_equal(fast.dropped, 0);
    assert_int_equal(slow.received, INPUTS);
    assert_int_equal(slow.queued, QUEUE);
    assert_int_equal(slow.dropped, INPUTS - 1 - QUEUE);
    assert_true(atomic_load(&seen.events[RM_RUN_EV_NODE_SLOW]) >= 1);
    assert_string_equal(seen.node_id, "slow");
    rmt_gate_set(true);
    rm_stream_session_end_input(s);
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_E_CLOSED);
    assert_int_equal(rm_stream_session_node_stats(s, 2, &slow), RM_OK);
    assert_int_equal(slow.processed, QUEUE + 1);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_data_pushes_back(void **state) {
    (void)state;
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m =
        rmt_manifest("", "{id: other, node_type: Swallow}, {id: slow, node_type: Gate, params: {queue_size: 3}}", "");
    rmt_gate_set(false);
    rm_stream_session *s = open_session(r, m, NULL, false);
    rmt_send(s, rmt_text("0", 0));
    rmt_gate_await(1);
    for (uint64_t i = 1; i <= 3; i++)
        rmt_send(s, rmt_text("1", i));
    rm_transport_data d = rmt_text("too much", 4), out;
    rm_node_stats before, after;
    rm_stream_session_node_stats(s, 0, &before);
    assert_int_equal(rm_stream_session_send_input(s, &d), RM_E_AGAIN);
    rm_stream_session_node_stats(s, 0, &after);
    assert_int_equal(after.received, before.received); /* all sources or none */
    rm_transport_data_clear(&d);
    rmt_send(s, rmt_audio(5)); /* media gives way to data */
    rmt_gate_set(true);
    rm_stream_session_end_input(s);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
        assert_non_null(rm_runtime_data_text(out.data));
        rm_transport_data_clear(&out);
    }
    assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_E_CLOSED);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_outputs_nobody_takes(void **state) {
    (void)state;
    struct seen seen = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("", "{id: a, node_type: Pass, params: {queue_size: 100}}", "");
    rm_stream_session *s = NULL;
    rm_stream_session_config c;
    rm_stream_session_config_init(&c);
    c.output_queue_size = 5;
    c.on_event = on_event;
    c.user = &seen;
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, m, &c, &s, NULL, 0), RM_OK);
    for (uint64_t i = 0; i < 20; i++)
        rmt_send(s, rmt_audio(i));
    rm_stream_session_end_input(s);
    rm_node_stats stats;
    do /* no output is taken before all are there */
        rm_stream_session_node_stats(s, 0, &stats);
    while (atomic_load(&seen.events[RM_RUN_EV_FINISHED]) == 0);
    for (uint64_t i = 15; i < 20; i++) {
        rm_transport_data out;
        assert_int_equal(rm_stream_session_recv_output(s, &out, RMT_LONG_MS), RM_OK);
        assert_int_equal(out.sequence, i);
        rm_transport_data_clear(&out);
    }
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_OUTPUT_LOST]), 1);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_close_and_destroy_inside_callbacks(void **state) {
    (void)state;
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("", "{id: a, node_type: Count}, {id: b, node_type: Pass}", "");
    rm_manifest *bad =
        rmt_manifest("", "{id: a, node_type: Count}, {id: b, node_type: Fail, params: {own_thread: true}}", "");
    struct seen close_seen = {.close = true}, output_seen = {0}, event_seen = {0};
    rm_stream_session *s = open_session(r, m, &close_seen, true);
    rm_transport_data out;
    assert_int_equal(rm_stream_session_recv_output(s, &out, 0), RM_E_STATE);
    rmt_send(s, rmt_audio(1));
    while (rm_stream_session_is_active(s))
        continue;
    rm_stream_session_destroy(&s);
    assert_int_equal(atomic_load(&close_seen.outputs), 1);

    s = open_session(r, m, &output_seen, true);
    output_seen.destroy = s;
    rmt_send(s, rmt_audio(1));
    while (atomic_load(&output_seen.outputs) == 0)
        continue;

    s = open_session(r, bad, &event_seen, true);
    event_seen.destroy = s;
    rmt_send(s, rmt_audio(1));
    while (atomic_load(&event_seen.events[RM_RUN_EV_NODE_ERROR]) == 0)
        continue;
    while (atomic_load(&live_states) > 0) /* the rest is freed when the callback has returned */
        continue;
    rm_manifest_unref(&m);
    rm_manifest_unref(&bad);
    rm_pipeline_runner_destroy(&r);
}

static void ask_session(void *data, size_t size, void *user) {
    (void)data, (void)size;
    struct seen *seen = user;
    rm_stream_session_is_active(seen->destroy); /* takes the session's lock */
    atomic_fetch_add(&seen->outputs, 1);
}

/* Data that is lost or dropped is released without a lock held: its owner may use the session in the free function. */
static void test_released_without_a_lock(void **state) {
    (void)state;
    enum { INPUTS = 20 };
    static float samples[4];
    struct seen seen = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("", "{id: slow, node_type: Gate, params: {queue_size: 4}}", "");
    rmt_gate_set(false);
    rm_stream_session *s = open_session(r, m, NULL, false);
    seen.destroy = s;
    rmt_send(s, rmt_audio(0));
    rmt_gate_await(1);
    for (int i = 0; i < INPUTS; i++) {
        rm_buf *buf = NULL;
        rm_transport_data d = {0};
        assert_int_equal(rm_buf_wrap(samples, sizeof samples, ask_session, &seen, &buf), RM_OK);
        assert_int_equal(rm_runtime_data_create_audio(buf, 0, 4, 48000, 1, &d.data), RM_OK);
        rm_buf_unref(&buf);
        rmt_send(s, d);
    }
    assert_int_equal(atomic_load(&seen.outputs), INPUTS - 4);
    rm_stream_session_close(s);
    assert_int_equal(atomic_load(&seen.outputs), INPUTS);
    rmt_gate_set(true);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_what_cannot_be_opened(void **state) {
    (void)state;
    char detail[RM_RUN_DETAIL_MAX];
    rm_stream_session *s = NULL, *first = NULL;
    rm_pipeline_runner *r = rmt_runner(1);
    rm_manifest *unknown = rmt_manifest("", "{id: a, node_type: Cuont}", "");
    rm_manifest *refused =
        rmt_manifest("", "{id: a, node_type: Count}, {id: b, node_type: Count, params: {refuse: true}}", "");
    rm_manifest *good = rmt_manifest("", "{id: a, node_type: Count}", "");
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, unknown, NULL, &s, detail, sizeof detail),
                     RM_E_CONFIG);
    assert_string_equal(detail, "nodes[0].node_type: unknown node type \"Cuont\", did you mean \"Count\"?");
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, refused, NULL, &s, detail, sizeof detail),
                     RM_E_UNSUPPORTED);
    assert_string_equal(detail, "node \"b\" (Count): refused as asked");
    assert_int_equal(atomic_load(&live_states), 0);
    rm_stream_session_config c;
    rm_stream_session_config_init(&c);
    c.output_queue_size = 0;
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, good, &c, &s, detail, sizeof detail), RM_E_CONFIG);
    assert_string_equal(detail, "output_queue_size: 0 is outside 1..65536");
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, good, NULL, &first, NULL, 0), RM_OK);
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, good, NULL, &s, detail, sizeof detail), RM_E_LIMIT);
    assert_string_equal(detail, "max_sessions: 1 sessions are open");
    rm_stream_session_destroy(&first);
    assert_int_equal(rm_pipeline_runner_create_stream_session(r, good, NULL, &first, NULL, 0), RM_OK);
    rm_stream_session_destroy(&first);
    assert_null(s);
    rm_manifest_unref(&unknown);
    rm_manifest_unref(&refused);
    rm_manifest_unref(&good);
    rm_pipeline_runner_destroy(&r);
}

static void test_unary(void **state) {
    (void)state;
    static const struct {
        const char *nodes;
        int timeout_ms;
        rm_err err;
        const char *detail;
    } rows[] = {
        {"{id: a, node_type: Pass}", RMT_LONG_MS, RM_OK, ""},
        {"{id: a, node_type: Pass}", -1, RM_OK, ""},
        {"{id: a, node_type: Swallow}", RMT_LONG_MS, RM_E_NOT_FOUND, "the pipeline ended without an output"},
        {"{id: a, node_type: Fail}", RMT_LONG_MS, RM_E_IO, "node \"a\": it is broken"},
        {"{id: a, node_type: Fail, params: {on_error: stop}}", -1, RM_E_IO, "node \"a\": it is broken"},
        {"{id: a, node_type: Fail, params: {on_error: mute}}", -1, RM_E_IO, "node \"a\": it is broken"},
        {"{id: a, node_type: Gate}", 20, RM_E_TIMEOUT, "no output within 20 ms"},
        {"{id: a, node_type: Gate}", 0, RM_E_TIMEOUT, "no output within 0 ms"},
    };
    rm_pipeline_runner *r = rmt_runner(4);
    rm_transport_data in = rmt_text("hello", 3);
    rmt_gate_set(false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char detail[RM_RUN_DETAIL_MAX];
        rm_transport_data out = {0};
        rm_manifest *m = rmt_manifest("", rows[i].nodes, "");
        rm_err err = rm_pipeline_runner_execute_unary(r, m, &in, rows[i].timeout_ms, &out, detail, sizeof detail);
        assert_string_equal(detail, rows[i].detail);
        assert_int_equal(err, rows[i].err);
        if (!err) {
            assert_string_equal(rm_runtime_data_text(out.data)->text, "hello");
            assert_int_equal(out.sequence, 3);
        }
        rm_transport_data_clear(&out);
        rm_manifest_unref(&m);
    }
    /* The two that did not answer in time still stand at the gate, and count as open until they end. */
    rm_stream_session *s[3] = {0};
    rm_manifest *m = rmt_manifest("", "{id: a, node_type: Pass}", "");
    rmt_gate_await(1);
    rmt_gate_set(true);
    rm_err err;
    do
        err = rm_pipeline_runner_create_stream_session(r, m, NULL, &s[2], NULL, 0);
    while (err == RM_E_LIMIT);
    assert_int_equal(err, RM_OK);
    rm_stream_session_destroy(&s[2]);
    rm_transport_data_clear(&in);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static long threads(void) {
    DIR *d = opendir("/proc/self/task");
    long n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_a_thousand_sessions_leave_nothing(void **state) {
    (void)state;
    rm_pipeline_runner *r = rmt_runner(64);
    rm_manifest *m = rmt_manifest("", "{id: a, node_type: Pass}, {id: b, node_type: Count, params: {own_thread: true}}",
                                  "{from: a, to: b}");
    long before = threads();
    for (uint64_t i = 0; i < 1000; i++) {
        rm_stream_session *s = open_session(r, m, NULL, false);
        for (uint64_t k = 0; k < i % 7; k++)
            rmt_send(s, rmt_audio(k));
        if (i % 3 == 0)
            rm_stream_session_end_input(s);
        if (i % 5 == 0)
            rm_stream_session_close(s);
        rm_stream_session_destroy(&s);
        assert_int_equal(atomic_load(&live_states), 0);
    }
    assert_true(threads() <= before);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

static void test_room_is_told_after_a_refusal(void **state) {
    (void)state;
    struct seen seen = {0};
    rm_pipeline_runner *r = rmt_runner(4);
    rm_manifest *m = rmt_manifest("", "{id: g, node_type: Gate, params: {queue_size: 1}}", "");
    rm_stream_session *s = open_session(r, m, &seen, false);
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_NODE_LOADING]), 1);
    rmt_gate_set(false);
    rmt_send(s, rmt_text("at the gate", 0));
    rmt_gate_await(1);
    rmt_send(s, rmt_text("waits", 1));
    rm_transport_data more = rmt_text("refused", 2);
    assert_int_equal(rm_stream_session_send_input(s, &more), RM_E_AGAIN);
    assert_int_equal(rm_stream_session_send_input(s, &more), RM_E_AGAIN);
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_INPUT_ROOM]), 0);
    rmt_gate_set(true);
    expect_text(s, "at the gate", 0);
    expect_text(s, "waits", 1); /* taken out of the queue, and told before that, once */
    assert_int_equal(atomic_load(&seen.events[RM_RUN_EV_INPUT_ROOM]), 1);
    assert_int_equal(rm_stream_session_send_input(s, &more), RM_OK);
    rm_transport_data_clear(&more);
    expect_text(s, "refused", 2);
    rm_stream_session_destroy(&s);
    rm_manifest_unref(&m);
    rm_pipeline_runner_destroy(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_sequence_and_metadata),
        cmocka_unit_test(test_outputs_name_their_node),
        cmocka_unit_test(test_fan_out_fan_in_and_end),
        cmocka_unit_test(test_a_failing_node_under_each_policy),
        cmocka_unit_test(test_an_error_names_node_and_reason),
        cmocka_unit_test(test_a_slow_node_stalls_nobody),
        cmocka_unit_test(test_data_pushes_back),
        cmocka_unit_test(test_outputs_nobody_takes),
        cmocka_unit_test(test_close_and_destroy_inside_callbacks),
        cmocka_unit_test(test_released_without_a_lock),
        cmocka_unit_test(test_what_cannot_be_opened),
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_a_thousand_sessions_leave_nothing),
        cmocka_unit_test(test_room_is_told_after_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
