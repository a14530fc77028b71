/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RELEASE_BATCH 16
#define TELL_AGAIN_US 1000000 /* losses are told at most once a second */

int64_t rmi_run_now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void rmi_run_detail(char *detail, size_t size, const char *format, ...) {
    va_list args;
    if (!detail || size == 0)
        return;
    va_start(args, format);
    vsnprintf(detail, size, format, args);
    va_end(args);
}

void rmi_session_tell(struct rm_stream_session *s, const rm_run_event *event) {
    if (!s->config.on_event || atomic_load(&s->destroyed))
        return;
    rm_run_event e = *event;
    e.session_id = s->id;
    e.node_id = e.node_id ? e.node_id : "";
    e.detail = e.detail ? e.detail : "";
    s->config.on_event(&e, s->config.user);
}

/* Whether losses are to be told now; under the mutex. */
static bool tell_due(struct rmi_loss *loss, uint64_t lost) {
    if (lost == loss->told)
        return false;
    int64_t now = rmi_run_now_us();
    if (loss->told > 0 && now - loss->told_us < TELL_AGAIN_US)
        return false;
    loss->told = lost;
    loss->told_us = now;
    return true;
}

void rmi_node_push_locked(struct rmi_run_node *n, const rm_transport_data *item) {
    n->received++;
    /* Data that a queue inside the pipeline has no room for cannot be held back without stalling the thread that brings
     * it: it is lost and counted. */
    if (rmi_queue_push(&n->queue, item) == RM_E_AGAIN)
        n->queue.lost++;
    pthread_cond_signal(&n->lane->wake);
}

void rmi_session_release_dead(struct rm_stream_session *s, struct rmi_queue *q) {
    rm_transport_data dead[RELEASE_BATCH];
    size_t n;
    while ((n = rmi_queue_take_dead(q, dead, RELEASE_BATCH)) > 0) {
        pthread_mutex_unlock(&s->mutex);
        for (size_t i = 0; i < n; i++)
            rm_transport_data_clear(&dead[i]);
        pthread_mutex_lock(&s->mutex);
    }
}

void rmi_node_settle_loss(struct rmi_run_node *n) {
    struct rm_stream_session *s = n->context.session;
    pthread_mutex_lock(&s->mutex);
    rmi_session_release_dead(s, &n->queue);
    rm_run_event e = {.type = RM_RUN_EV_NODE_SLOW, .node_id = n->info->id, .count = n->queue.lost};
    bool tell = tell_due(&n->loss, n->queue.lost);
    pthread_mutex_unlock(&s->mutex);
    if (tell)
        rmi_session_tell(s, &e);
}

void rmi_session_output(struct rmi_run_node *n, const rm_transport_data *item) {
    struct rm_stream_session *s = n->context.session;
    if (atomic_load(&s->destroyed))
        return;
    if (s->config.on_node_output) {
        s->config.on_node_output(s, n->info->id, item, s->config.user);
        return;
    }
    if (s->config.on_output) {
        s->config.on_output(s, item, s->config.user);
        return;
    }
    pthread_mutex_lock(&s->mutex);
    if (rmi_queue_push(&s->outputs, item) == RM_E_AGAIN)
        s->outputs.lost++;
    rmi_session_release_dead(s, &s->outputs);
    rm_run_event e = {.type = RM_RUN_EV_OUTPUT_LOST, .count = s->outputs.lost};
    bool tell = tell_due(&s->loss, s->outputs.lost);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    if (tell)
        rmi_session_tell(s, &e);
}

rm_err rm_node_emit(rm_node_context *context, rm_runtime_data *data) {
    struct rm_stream_session *s = context->session;
    struct rmi_run_node *n = context->node;
    if (!data)
        return RM_E_INVALID_ARG;
    if (rm_node_cancelled(context)) {
        rm_runtime_data_unref(&data);
        return RM_E_CLOSED;
    }
    rm_transport_data item;
    rm_transport_data_answer(context->current ? context->current : &n->last, data, &item);
    rm_runtime_data_unref(&data);
    if (atomic_load(&n->switched) == RM_NODE_DISABLED ||
        ((atomic_load(&n->watch) & RMI_BUS_OUT) && !rmi_bus_show(n, RMI_BUS_OUT, &item))) {
        rm_transport_data_clear(&item);
        return RM_OK;
    }
    pthread_mutex_lock(&s->mutex);
    n->emitted++;
    for (size_t i = 0; i < n->successor_count; i++)
        rmi_node_push_locked(n->successors[i], &item);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < n->successor_count; i++)
        rmi_node_settle_loss(n->successors[i]);
    if (n->successor_count == 0)
        rmi_session_output(n, &item);
    rm_transport_data_clear(&item);
    return RM_OK;
}

void rm_node_fail(rm_node_context *context, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(context->detail, sizeof context->detail, format, args);
    va_end(args);
}

bool rm_node_cancelled(const rm_node_context *context) {
    return atomic_load(&context->session->closed) || atomic_load(&context->node->barged);
}

const char *rm_node_id(const rm_node_context *context) {
    return context->node->info->id;
}

const char *rm_node_session_id(const rm_node_context *context) {
    return context->session->id;
}

static void note_error(struct rmi_run_node *n, rm_err err) {
    struct rm_stream_session *s = n->context.session;
    const char *detail = n->context.detail[0] ? n->context.detail : rm_strerror(err);
    bool stop = n->on_error == RMI_ON_ERROR_STOP;
    pthread_mutex_lock(&s->mutex);
    n->errors++;
    s->input_ended = s->input_ended || stop;
    if (!s->first_err) {
        s->first_err = err;
        snprintf(s->first_detail, sizeof s->first_detail, "node \"%s\": %.180s", n->info->id, detail);
    }
    pthread_mutex_unlock(&s->mutex);
    rm_run_event e = {
        .type = stop ? RM_RUN_EV_STOPPED : RM_RUN_EV_NODE_ERROR, .node_id = n->info->id, .err = err, .detail = detail};
    rmi_session_tell(s, &e);
    if (stop) /* after the event, so that who waits for outputs has heard why there are no more */
        rm_stream_session_close(s);
}

/* `input` is NULL for a failed flush: nothing can stand in for what it would have emitted. */
static void deal_with_error(struct rmi_run_node *n, rm_err err, rm_runtime_data *input) {
    if (atomic_load(&n->context.session->closed)) /* probably the consequence */
        return;
    note_error(n, err);
    rm_runtime_data *instead = NULL;
    if (input && n->on_error == RMI_ON_ERROR_PASSTHROUGH)
        instead = rm_runtime_data_ref(input);
    else if (input && n->on_error == RMI_ON_ERROR_MUTE)
        rmi_mute(input, &instead); /* what cannot be muted, or not for want of memory, is dropped */
    if (instead)
        rm_node_emit(&n->context, instead);
}

bool rmi_node_accepts(const rm_node_class *c, const rm_runtime_data *data) {
    const char *name = rm_data_type_name(rm_runtime_data_type(data));
    size_t len = strlen(name);
    for (const char *p = c->accepts; p && *p;) {
        size_t n = strcspn(p, ", |");
        if (n == len && !strncmp(p, name, n))
            return true;
        p += n;
        p += strspn(p, ", |");
    }
    return c->accepts == NULL;
}

static void process(struct rmi_run_node *n, rm_transport_data *item) {
    struct rm_stream_session *s = n->context.session;
    n->context.current = item;
    n->context.detail[0] = '\0';
    atomic_store(&n->barged, false);
    const int switched = atomic_load(&n->switched); /* first: who was shown the item may rely on it */
    const bool wanted = !(atomic_load(&n->watch) & RMI_BUS_IN) || rmi_bus_show(n, RMI_BUS_IN, item);
    int64_t begin = rmi_run_now_us();
    rm_err err = RM_OK;
    if (!wanted || switched == RM_NODE_DISABLED)
        err = RM_OK; /* dropped */
    else if (switched == RM_NODE_ENABLED && rmi_node_accepts(n->node_class, item->data))
        err = n->node_class->process(n->state, &n->context, item->data);
    else
        rm_node_emit(&n->context, rm_runtime_data_ref(item->data));
    int64_t took = rmi_run_now_us() - begin;
    if (err && !atomic_load(&n->barged)) /* an interrupted call may end as it likes */
        deal_with_error(n, err, item->data);
    n->context.current = NULL;
    rm_runtime_data_unref(&item->data);
    rm_transport_data_clear(&n->last);
    n->last = *item;
    pthread_mutex_lock(&s->mutex);
    n->processed++;
    n->busy_us += took;
    if (took > n->longest_us)
        n->longest_us = took;
    pthread_mutex_unlock(&s->mutex);
}

/* The node has had all its input: what it holds back comes out, then its successors have one predecessor less. */
static void flush(struct rmi_run_node *n) {
    struct rm_stream_session *s = n->context.session;
    n->context.detail[0] = '\0';
    atomic_store(&n->barged, false);
    rm_err err = n->node_class->flush ? n->node_class->flush(n->state, &n->context) : RM_OK;
    if (err)
        deal_with_error(n, err, NULL);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < n->successor_count; i++) {
        n->successors[i]->open_inputs--;
        pthread_cond_signal(&n->successors[i]->lane->wake);
    }
    bool finished = n->successor_count == 0 && --s->open_sinks == 0 && !atomic_load(&s->closed);
    pthread_mutex_unlock(&s->mutex);
    if (!finished)
        return;
    rm_run_event e = {.type = RM_RUN_EV_FINISHED};
    rmi_session_tell(s, &e);
    pthread_mutex_lock(&s->mutex);
    s->finished = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* The next node that has something to do, beginning after the one that was served last; under the mutex. */
static struct rmi_run_node *next_node(struct rmi_lane *lane) {
    for (size_t i = 0; i < lane->node_count; i++) {
        size_t at = (lane->turn + i) % lane->node_count;
        struct rmi_run_node *n = lane->nodes[at];
        if (n->queue.count > 0 || (n->open_inputs == 0 && !n->flushed)) {
            lane->turn = (at + 1) % lane->node_count;
            return n;
        }
    }
    return NULL;
}

void *rmi_lane_main(void *arg) {
    struct rmi_lane *lane = arg;
    struct rm_stream_session *s = lane->session;
    pthread_mutex_lock(&s->mutex);
    while (!atomic_load(&s->closed)) {
        rm_transport_data item;
        struct rmi_run_node *n = next_node(lane);
        if (!n) {
            pthread_cond_wait(&lane->wake, &s->mutex);
            continue;
        }
        bool has_item = rmi_queue_pop(&n->queue, &item);
        n->flushed = !has_item;
        const bool room = has_item && s->input_refused && n->info->in_count == 0;
        s->input_refused = s->input_refused && !room;
        pthread_mutex_unlock(&s->mutex);
        if (room)
            rmi_session_tell(s, &(rm_run_event){.type = RM_RUN_EV_INPUT_ROOM});
        if (has_item)
            process(n, &item);
        else
            flush(n);
        pthread_mutex_lock(&s->mutex);
    }
    s->lanes_running--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    rmi_session_unref(s);
    return NULL;
}
