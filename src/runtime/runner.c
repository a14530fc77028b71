/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/registry.h"
#include "runtime/runner_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_SESSIONS 1024
#define US_PER_MS 1000

void rm_pipeline_runner_config_init(rm_pipeline_runner_config *config) {
    memset(config, 0, sizeof *config);
    config->struct_size = (uint32_t)sizeof *config;
    config->max_sessions = DEFAULT_SESSIONS;
}

rm_err rmi_runner_create(const struct rmi_runner_config *config, rm_pipeline_runner **out) {
    struct rm_pipeline_runner *r = calloc(1, sizeof *r);
    if (!r || pthread_mutex_init(&r->mutex, NULL)) {
        free(r);
        return RM_E_NO_MEMORY;
    }
    atomic_init(&r->refs, 1);
    r->registry = rmi_registry_ref(config->registry);
    r->rng = config->rng;
    r->max_sessions = config->max_sessions;
    *out = r;
    return RM_OK;
}

rm_pipeline_runner *rmi_runner_ref(rm_pipeline_runner *runner) {
    atomic_fetch_add_explicit(&runner->refs, 1, memory_order_relaxed);
    return runner;
}

rm_node_registry *rmi_runner_registry(const rm_pipeline_runner *runner) {
    return runner->registry;
}

void rm_pipeline_runner_destroy(rm_pipeline_runner **runner) {
    struct rm_pipeline_runner *r = runner ? *runner : NULL;
    if (!r)
        return;
    *runner = NULL;
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    rm_node_registry_destroy(&r->registry);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static rm_err check_config(const rm_stream_session_config *c, char *detail, size_t size) {
    static const uint32_t outputs_max = 65536;
    if (c->struct_size != sizeof *c) {
        rmi_run_detail(detail, size, "struct_size: call rm_stream_session_config_init first");
        return RM_E_CONFIG;
    }
    if (c->output_queue_size < 1 || c->output_queue_size > outputs_max) {
        rmi_run_detail(detail, size, "output_queue_size: %u is outside 1..%u", c->output_queue_size, outputs_max);
        return RM_E_CONFIG;
    }
    return RM_OK;
}

/* A session without nodes and threads, or NULL. */
static struct rm_stream_session *allocate(struct rm_pipeline_runner *r, struct rm_manifest *m,
                                          const rm_stream_session_config *config) {
    struct rm_stream_session *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    if (!s || rmi_queue_init(&s->outputs, config->output_queue_size) || pthread_condattr_init(&attr)) {
        if (s)
            rmi_queue_fini(&s->outputs);
        free(s);
        return NULL;
    }
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bool failed = pthread_cond_init(&s->changed, &attr) || pthread_mutex_init(&s->mutex, NULL) || rmi_bus_init(&s->bus);
    pthread_condattr_destroy(&attr);
    if (failed) {
        rmi_queue_fini(&s->outputs);
        free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    atomic_init(&s->closed, false);
    atomic_init(&s->destroyed, false);
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    s->runner = r;
    s->manifest = rm_manifest_ref(m);
    s->config = *config;
    pthread_mutex_lock(&r->mutex);
    rmi_rng_uuid(&r->rng, s->id);
    pthread_mutex_unlock(&r->mutex);
    return s;
}

rm_err rm_pipeline_runner_create_stream_session(rm_pipeline_runner *runner, rm_manifest *manifest,
                                                const rm_stream_session_config *config, rm_stream_session **out,
                                                char *detail, size_t detail_size) {
    rm_stream_session_config defaults;
    rm_stream_session_config_init(&defaults);
    if (detail && detail_size > 0)
        detail[0] = '\0';
    if (!runner || !manifest || !out)
        return RM_E_INVALID_ARG;
    rm_err err = check_config(config ? config : &defaults, detail, detail_size);
    if (err)
        return err;
    if (atomic_fetch_add(&runner->sessions, 1) >= runner->max_sessions) {
        atomic_fetch_sub(&runner->sessions, 1);
        rmi_run_detail(detail, detail_size, "max_sessions: %zu sessions are open", runner->max_sessions);
        return RM_E_LIMIT;
    }
    struct rm_stream_session *s = allocate(runner, manifest, config ? config : &defaults);
    if (!s) {
        atomic_fetch_sub(&runner->sessions, 1);
        return RM_E_NO_MEMORY;
    }
    err = rmi_session_build(s, detail, detail_size);
    if (!err && (err = rmi_session_start_lanes(s)))
        rmi_run_detail(detail, detail_size, "the system lets no more threads start");
    if (err)
        rm_stream_session_destroy(&s);
    else
        *out = s;
    return err;
}

/* Why a session that has ended gave nothing. */
static rm_err no_output(struct rm_stream_session *s, char *detail, size_t size) {
    pthread_mutex_lock(&s->mutex);
    rm_err err = s->first_err ? s->first_err : RM_E_NOT_FOUND;
    rmi_run_detail(detail, size, "%s", s->first_err ? s->first_detail : "the pipeline ended without an output");
    pthread_mutex_unlock(&s->mutex);
    return err;
}

/* The session that can be ended from now on; NULL: not any more. True: it is to end. */
static bool set_unary(struct rmi_unary *unary, struct rm_stream_session *s) {
    if (!unary)
        return false;
    pthread_mutex_lock(&unary->mutex);
    unary->session = s;
    const bool cancelled = unary->cancelled;
    pthread_mutex_unlock(&unary->mutex);
    return cancelled;
}

void rmi_unary_cancel(struct rmi_unary *unary) {
    pthread_mutex_lock(&unary->mutex);
    unary->cancelled = true;
    if (unary->session)
        rm_stream_session_close(unary->session);
    pthread_mutex_unlock(&unary->mutex);
}

rm_err rm_pipeline_runner_execute_unary(rm_pipeline_runner *runner, rm_manifest *manifest,
                                        const rm_transport_data *input, int timeout_ms, rm_transport_data *output,
                                        char *detail, size_t detail_size) {
    return rmi_runner_execute(runner, manifest, input, timeout_ms, output, detail, detail_size, NULL);
}

rm_err rmi_runner_execute(rm_pipeline_runner *runner, rm_manifest *manifest, const rm_transport_data *input,
                          int timeout_ms, rm_transport_data *output, char *detail, size_t detail_size,
                          struct rmi_unary *unary) {
    rm_stream_session *s = NULL;
    if (!input || !input->data || !output)
        return RM_E_INVALID_ARG;
    int64_t until = timeout_ms < 0 ? INT64_MAX : rmi_run_now_us() + (int64_t)timeout_ms * US_PER_MS;
    rm_err err = rm_pipeline_runner_create_stream_session(runner, manifest, NULL, &s, detail, detail_size);
    if (err)
        return err;
    if (set_unary(unary, s))
        rm_stream_session_close(s);
    int64_t left_ms = (until - rmi_run_now_us()) / US_PER_MS;
    err = rm_stream_session_send_input(s, input);
    if (!err)
        err = rm_stream_session_end_input(s);
    if (!err || err == RM_E_CLOSED)
        err = rm_stream_session_recv_output(s, output, timeout_ms < 0 ? -1 : left_ms > 0 ? (int)left_ms : 0);
    if (err == RM_E_CLOSED)
        err = no_output(s, detail, detail_size);
    if (err == RM_E_AGAIN)
        err = RM_E_TIMEOUT;
    if (err == RM_E_TIMEOUT)
        rmi_run_detail(detail, detail_size, "no output within %d ms", timeout_ms);
    if (set_unary(unary, NULL) && err) {
        err = RM_E_CLOSED;
        rmi_run_detail(detail, detail_size, "cancelled");
    }
    if (timeout_ms < 0)
        rm_stream_session_destroy(&s);
    else
        rmi_session_abandon(s, until);
    return err;
}
