/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_OUTPUTS 256 /* as RemoteMedia's router */
#define US_PER_MS 1000
#define US_PER_S 1000000

void rm_stream_session_config_init(rm_stream_session_config *config) {
    memset(config, 0, sizeof *config);
    config->struct_size = (uint32_t)sizeof *config;
    config->output_queue_size = DEFAULT_OUTPUTS;
}

void rmi_session_ref(struct rm_stream_session *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static void free_session(struct rm_stream_session *s) {
    for (size_t i = s->node_count; i-- > 0;) { /* in reverse of their making */
        struct rmi_run_node *n = &s->nodes[i];
        if (n->has_state && n->node_class->destroy)
            n->node_class->destroy(n->state);
        rmi_node_pools_fini(n->context.pools);
        rmi_queue_fini(&n->queue);
        rm_transport_data_clear(&n->last);
        free(n->successors);
    }
    for (size_t i = 0; i < s->lane_count; i++) {
        pthread_cond_destroy(&s->lanes[i].wake);
        free(s->lanes[i].nodes);
    }
    free(s->nodes);
    free(s->lanes);
    rmi_queue_fini(&s->outputs);
    rmi_bus_fini(&s->bus);
    rm_manifest_unref(&s->manifest);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    struct rm_pipeline_runner *runner = s->runner;
    atomic_fetch_sub(&runner->sessions, 1);
    free(s);
    rm_pipeline_runner_destroy(&runner);
}

void rmi_session_unref(struct rm_stream_session *s) {
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        free_session(s);
}

const char *rm_stream_session_id(const rm_stream_session *session) {
    return session->id;
}

/* All sources take it, or none; under the mutex. */
static rm_err may_send(const struct rm_stream_session *s, const rm_runtime_data *data) {
    if (s->input_ended || atomic_load(&s->closed))
        return RM_E_CLOSED;
    for (size_t i = 0; i < s->node_count; i++)
        if (s->nodes[i].info->in_count == 0 && rmi_queue_refuses(&s->nodes[i].queue, data))
            return RM_E_AGAIN;
    return RM_OK;
}

rm_err rm_stream_session_send_input(rm_stream_session *session, const rm_transport_data *input) {
    struct rm_stream_session *s = session;
    if (!s || !input || !input->data)
        return RM_E_INVALID_ARG;
    rmi_session_ref(s); /* a callback from here may destroy the session */
    pthread_mutex_lock(&s->mutex);
    rm_err err = may_send(s, input->data);
    s->input_refused = s->input_refused || err == RM_E_AGAIN;
    for (size_t i = 0; !err && i < s->node_count; i++)
        if (s->nodes[i].info->in_count == 0)
            rmi_node_push_locked(&s->nodes[i], input);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; !err && i < s->node_count; i++)
        if (s->nodes[i].info->in_count == 0)
            rmi_node_settle_loss(&s->nodes[i]);
    rmi_session_unref(s);
    return err;
}

rm_err rm_stream_session_end_input(rm_stream_session *session) {
    struct rm_stream_session *s = session;
    pthread_mutex_lock(&s->mutex);
    rm_err err = s->input_ended || atomic_load(&s->closed) ? RM_E_CLOSED : RM_OK;
    for (size_t i = 0; !err && i < s->node_count; i++)
        if (s->nodes[i].info->in_count == 0) {
            s->nodes[i].open_inputs--;
            pthread_cond_signal(&s->nodes[i].lane->wake);
        }
    s->input_ended = true;
    pthread_mutex_unlock(&s->mutex);
    return err;
}

struct timespec rmi_run_timespec(int64_t us) {
    return (struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
}

rm_err rm_stream_session_recv_output(rm_stream_session *session, rm_transport_data *output, int timeout_ms) {
    struct rm_stream_session *s = session;
    if (!s || !output)
        return RM_E_INVALID_ARG;
    if (s->config.on_output || s->config.on_node_output)
        return RM_E_STATE;
    struct timespec deadline = rmi_run_timespec(rmi_run_now_us() + (int64_t)timeout_ms * US_PER_MS);
    bool expired = timeout_ms == 0;
    rm_err err = RM_OK;
    pthread_mutex_lock(&s->mutex);
    while (!rmi_queue_pop(&s->outputs, output)) {
        if (s->finished || atomic_load(&s->closed))
            err = RM_E_CLOSED;
        else if (expired)
            err = timeout_ms ? RM_E_TIMEOUT : RM_E_AGAIN;
        if (err)
            break;
        if (timeout_ms < 0)
            pthread_cond_wait(&s->changed, &s->mutex);
        else
            expired = pthread_cond_timedwait(&s->changed, &s->mutex, &deadline) != 0;
    }
    pthread_mutex_unlock(&s->mutex);
    return err;
}

void rm_stream_session_close(rm_stream_session *session) {
    struct rm_stream_session *s = session;
    pthread_mutex_lock(&s->mutex);
    bool first = !atomic_exchange(&s->closed, true);
    if (first) {
        for (size_t i = 0; i < s->lane_count; i++)
            pthread_cond_signal(&s->lanes[i].wake);
        pthread_cond_broadcast(&s->changed);
        for (size_t i = 0; i < s->node_count; i++) {
            rmi_session_release_dead(s, &s->nodes[i].queue);
            rmi_queue_drop_all(&s->nodes[i].queue);
            rmi_session_release_dead(s, &s->nodes[i].queue);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    if (first)
        rmi_bus_close(s);
}

bool rm_stream_session_is_active(const rm_stream_session *session) {
    struct rm_stream_session *s = (struct rm_stream_session *)session; /* the mutex is no part of what is asked */
    pthread_mutex_lock(&s->mutex);
    bool active = !s->input_ended && !atomic_load(&s->closed);
    pthread_mutex_unlock(&s->mutex);
    return active;
}

void rm_stream_session_destroy(rm_stream_session **session) {
    struct rm_stream_session *s = session ? *session : NULL;
    if (!s)
        return;
    *session = NULL;
    rm_stream_session_close(s);
    atomic_store(&s->destroyed, true);
    for (size_t i = 0; i < s->lane_count; i++) {
        struct rmi_lane *lane = &s->lanes[i];
        if (!lane->started)
            continue;
        if (pthread_equal(lane->thread, pthread_self()))
            pthread_detach(lane->thread);
        else
            pthread_join(lane->thread, NULL);
    }
    rmi_session_unref(s);
}

void rmi_session_abandon(struct rm_stream_session *s, int64_t until_us) {
    struct timespec deadline = rmi_run_timespec(until_us);
    rm_stream_session_close(s);
    pthread_mutex_lock(&s->mutex);
    while (s->lanes_running > 0 && pthread_cond_timedwait(&s->changed, &s->mutex, &deadline) == 0)
        continue;
    bool ended = s->lanes_running == 0;
    pthread_mutex_unlock(&s->mutex);
    if (ended) {
        rm_stream_session_destroy(&s);
        return;
    }
    atomic_store(&s->destroyed, true);
    for (size_t i = 0; i < s->lane_count; i++)
        if (s->lanes[i].started)
            pthread_detach(s->lanes[i].thread);
    rmi_session_unref(s);
}

rm_err rm_stream_session_node_stats(const rm_stream_session *session, size_t index, rm_node_stats *out) {
    struct rm_stream_session *s = (struct rm_stream_session *)session; /* the mutex is no part of what is asked */
    if (index >= s->node_count)
        return RM_E_NOT_FOUND;
    const struct rmi_run_node *n = &s->nodes[index];
    pthread_mutex_lock(&s->mutex);
    *out = (rm_node_stats){.node_id = n->info->id,
                           .received = n->received,
                           .emitted = n->emitted,
                           .dropped = n->queue.lost,
                           .errors = n->errors,
                           .processed = n->processed,
                           .queued = n->queue.count,
                           .busy_us = n->busy_us,
                           .longest_us = n->longest_us};
    pthread_mutex_unlock(&s->mutex);
    return RM_OK;
}
