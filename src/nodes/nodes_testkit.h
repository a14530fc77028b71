/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_NODES_TESTKIT_H
#define RMI_NODES_NODES_TESTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/runner.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIT_LONG_MS 20000 /* "never" for a test that works */

/* A pipeline, and what its nodes complained about. */
struct kit_rig {
    struct rmi_prng prng;
    rm_pipeline_runner *runner;
    rm_stream_session *session;
    pthread_mutex_t mutex; /* guards what follows: events come on the session's threads */
    char detail[RM_RUN_DETAIL_MAX];
    rm_err err; /* of the last complaint */
    int errors;
};

static inline void kit_print_fault(const rm_manifest_fault *fault, void *user) {
    (void)user;
    print_error("%s\n", fault->text);
}

static inline void kit_on_event(const rm_run_event *event, void *user) {
    struct kit_rig *rig = user;
    if (event->type != RM_RUN_EV_NODE_ERROR)
        return;
    pthread_mutex_lock(&rig->mutex);
    rig->errors++;
    rig->err = event->err;
    snprintf(rig->detail, sizeof rig->detail, "%s", event->detail);
    pthread_mutex_unlock(&rig->mutex);
}

/* `nodes` and `connections` in YAML's flow style. The sentence of a failure is in rig->detail. */
static inline rm_err kit_open(struct kit_rig *rig, const char *nodes, const char *connections) {
    char text[1024];
    rm_node_registry *registry = NULL;
    rm_manifest *m = NULL;
    rm_manifest_options o;
    rm_stream_session_config sc;
    *rig = (struct kit_rig){.session = NULL};
    pthread_mutex_init(&rig->mutex, NULL);
    assert_int_equal(rm_node_registry_create(&registry), RM_OK);
    rmi_prng_seed(&rig->prng, 1);
    struct rmi_runner_config config = {.registry = registry, .rng = rmi_prng_rng(&rig->prng), .max_sessions = 1};
    assert_int_equal(rmi_runner_create(&config, &rig->runner), RM_OK);
    int n =
        snprintf(text, sizeof text, "{version: v1, metadata: {}, nodes: [%s], connections: [%s]}", nodes, connections);
    assert_true(n > 0 && (size_t)n < sizeof text);
    rm_manifest_options_init(&o);
    o.on_fault = kit_print_fault;
    o.registry = registry;
    o.format = RM_MANIFEST_YAML;
    assert_int_equal(rm_manifest_parse(text, strlen(text), &o, &m), RM_OK);
    rm_stream_session_config_init(&sc);
    sc.on_event = kit_on_event;
    sc.user = rig;
    rm_err err =
        rm_pipeline_runner_create_stream_session(rig->runner, m, &sc, &rig->session, rig->detail, sizeof rig->detail);
    rm_manifest_unref(&m);
    rm_node_registry_destroy(&registry);
    return err;
}

/* One node with the id "n"; params as "{a: 1}". */
static inline rm_err kit_open_one(struct kit_rig *rig, const char *type, const char *params) {
    char nodes[768];
    snprintf(nodes, sizeof nodes, "{id: n, node_type: %s, params: %s}", type, params);
    return kit_open(rig, nodes, "");
}

static inline void kit_close(struct kit_rig *rig) {
    rm_stream_session_destroy(&rig->session);
    rm_pipeline_runner_destroy(&rig->runner);
    pthread_mutex_destroy(&rig->mutex);
}

/* Takes the reference to `data`. */
static inline void kit_send(struct kit_rig *rig, rm_runtime_data *data) {
    rm_transport_data in = {.data = data};
    assert_int_equal(rm_stream_session_send_input(rig->session, &in), RM_OK);
    rm_transport_data_clear(&in);
}

/* NULL: no more. To be released. */
static inline rm_runtime_data *kit_take(struct kit_rig *rig) {
    rm_transport_data out = {0};
    rm_err err = rm_stream_session_recv_output(rig->session, &out, KIT_LONG_MS);
    assert_true(err == RM_OK || err == RM_E_CLOSED);
    rm_runtime_data *data = rm_runtime_data_ref(out.data);
    rm_transport_data_clear(&out);
    return data;
}

static inline rm_runtime_data *kit_pass(struct kit_rig *rig, rm_runtime_data *data) {
    kit_send(rig, data);
    rm_runtime_data *out = kit_take(rig);
    assert_non_null(out);
    return out;
}

/* The node refuses `data` with this sentence, and nothing comes out. Ends the input. */
static inline void kit_refused(struct kit_rig *rig, rm_runtime_data *data, rm_err err, const char *detail) {
    kit_send(rig, data);
    rm_stream_session_end_input(rig->session);
    assert_null(kit_take(rig));
    assert_int_equal(rig->errors, 1);
    assert_int_equal(rig->err, err);
    assert_string_equal(rig->detail, detail);
}

/* Making the node fails with this sentence. */
static inline void kit_not_made(const char *type, const char *params, rm_err err, const char *detail) {
    struct kit_rig rig;
    char expected[RM_RUN_DETAIL_MAX];
    assert_int_equal(kit_open_one(&rig, type, params), err);
    snprintf(expected, sizeof expected, "node \"n\" (%s): %s", type, detail);
    assert_string_equal(rig.detail, expected);
    kit_close(&rig);
}

static inline rm_runtime_data *kit_audio(const float *samples, size_t n, uint32_t rate, uint32_t channels,
                                         const char *stream, int64_t time_us) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_copy(samples, n * sizeof *samples, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, n, rate, channels, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, stream), RM_OK);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, time_us), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

/* A raw picture all bytes of which are `fill`. */
static inline rm_runtime_data *kit_video(rm_pixel_format format, uint32_t width, uint32_t height, uint8_t fill) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    size_t size = rm_video_packed_size(format, width, height);
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    memset(rm_buf_write(buf), fill, size);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, format, width, height, 7, 5000, &d), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static inline rm_runtime_data *kit_encoded(const void *data, size_t size, rm_codec codec, uint32_t width,
                                           uint32_t height) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_copy(data, size, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, size, codec, width, height, true, 7, 5000, &d), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

#endif
