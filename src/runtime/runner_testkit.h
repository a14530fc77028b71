/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_RUNNER_TESTKIT_H
#define RMI_RUNTIME_RUNNER_TESTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/manifest_testkit.h"
#include "runtime/registry.h"
#include "runtime/runner.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define RMT_LONG_MS 20000 /* "never" for a test that works */

/* A door that nodes of the type GateNode wait at. */
struct rmt_gate {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool open;
    int waiting, passed;
};

static struct rmt_gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
static atomic_int live_states; /* made by create, not yet destroyed */

static inline void rmt_gate_set(bool open) {
    pthread_mutex_lock(&gate.mutex);
    gate.open = open;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.mutex);
}

/* Until so many nodes stand before the closed gate. */
static inline void rmt_gate_await(int waiting) {
    pthread_mutex_lock(&gate.mutex);
    while (gate.waiting < waiting)
        pthread_cond_wait(&gate.moved, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

static rm_err rmt_pass(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

static rm_err rmt_wait_at_gate(void *state, rm_node_context *context, rm_runtime_data *input) {
    pthread_mutex_lock(&gate.mutex);
    gate.waiting++;
    pthread_cond_broadcast(&gate.moved);
    while (!gate.open)
        pthread_cond_wait(&gate.moved, &gate.mutex);
    gate.waiting--;
    gate.passed++;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.mutex);
    return rmt_pass(state, context, input);
}

static rm_err rmt_fail(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state, (void)input;
    rm_node_fail(context, "it is %s", "broken");
    return RM_E_IO;
}

static rm_err rmt_swallow(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state, (void)context, (void)input;
    return RM_OK;
}

/* Counts its inputs and tells the number when they end. */
static rm_err rmt_count_create(rm_node_context *context, const rm_node_params *params, void **state) {
    if (rm_node_params_bool(params, "refuse", false)) {
        rm_node_fail(context, "refused as asked");
        return RM_E_UNSUPPORTED;
    }
    *state = calloc(1, sizeof(int));
    atomic_fetch_add(&live_states, 1);
    return *state ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err rmt_count(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)context, (void)input;
    ++*(int *)state;
    return RM_OK;
}

static rm_err rmt_count_flush(void *state, rm_node_context *context) {
    char text[16];
    rm_runtime_data *data = NULL;
    snprintf(text, sizeof text, "%d", *(int *)state);
    rm_err err = rm_runtime_data_create_text(text, strlen(text), NULL, &data);
    return err ? err : rm_node_emit(context, data);
}

static void rmt_count_destroy(void *state) {
    atomic_fetch_sub(&live_states, 1);
    free(state);
}

static const rm_node_param rmt_count_params[] = {
    {.name = "refuse", .type = RM_PARAM_BOOL, .default_json = "false", .summary = "do not be made"}};

#define RMT_HEAD .abi_version = RM_NODE_ABI_VERSION, .struct_size = sizeof(rm_node_class), .summary = "of the tests"
static const rm_node_class rmt_classes[] = {
    {RMT_HEAD, .name = "Pass", .process = rmt_pass},
    {RMT_HEAD, .name = "Gate", .process = rmt_wait_at_gate, .flags = RM_NODE_OWN_THREAD},
    {RMT_HEAD, .name = "Fail", .process = rmt_fail},
    {RMT_HEAD, .name = "Swallow", .process = rmt_swallow},
    {RMT_HEAD, .name = "Count", .params = rmt_count_params, .param_count = 1, .create = rmt_count_create,
     .process = rmt_count, .flush = rmt_count_flush, .destroy = rmt_count_destroy},
};

static struct rmi_prng prng;

static inline rm_pipeline_runner *rmt_runner(uint32_t max_sessions) {
    rm_node_registry *registry = NULL;
    rm_pipeline_runner *runner = NULL;
    assert_int_equal(rmi_registry_create(&registry), RM_OK);
    for (size_t i = 0; i < sizeof rmt_classes / sizeof rmt_classes[0]; i++)
        assert_int_equal(rm_node_registry_add(registry, &rmt_classes[i], NULL, 0), RM_OK);
    rmi_prng_seed(&prng, 7);
    struct rmi_runner_config config = {.registry = registry, .rng = rmi_prng_rng(&prng), .max_sessions = max_sessions};
    assert_int_equal(rmi_runner_create(&config, &runner), RM_OK);
    rm_node_registry_destroy(&registry); /* the runner has its own hold */
    return runner;
}

/* `nodes` and `connections` in YAML's flow style. */
static inline rm_manifest *rmt_manifest(const char *metadata, const char *nodes, const char *connections) {
    struct rmi_sbuf text = {0}, faults = {0};
    rm_manifest *m = NULL;
    rmi_sbuf_addf(&text, "version: v1\nmetadata: {%s}\nnodes: [%s]\nconnections: [%s]\n", metadata, nodes, connections);
    rm_err err = rmt_parse(rmi_sbuf_text(&text), RM_MANIFEST_YAML, NULL, &faults, &m);
    assert_string_equal(rmi_sbuf_text(&faults), "");
    assert_int_equal(err, RM_OK);
    rmi_sbuf_fini(&text);
    return m;
}

static inline rm_transport_data rmt_text(const char *text, uint64_t sequence) {
    rm_transport_data d = {.sequence = sequence, .has_sequence = true};
    assert_int_equal(rm_runtime_data_create_text(text, strlen(text), NULL, &d.data), RM_OK);
    assert_int_equal(rm_metadata_create(&d.metadata), RM_OK);
    assert_int_equal(rm_metadata_set(d.metadata, "key", text), RM_OK);
    return d;
}

static inline rm_transport_data rmt_audio(uint64_t sequence) {
    rm_transport_data d = {.sequence = sequence, .has_sequence = true};
    static const float samples[] = {0.25F, -0.5F, 0.75F, -1.0F};
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_copy(samples, sizeof samples, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, 4, 48000, 2, &d.data), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static inline void rmt_send(rm_stream_session *s, rm_transport_data d) {
    assert_int_equal(rm_stream_session_send_input(s, &d), RM_OK);
    rm_transport_data_clear(&d);
}

#endif
