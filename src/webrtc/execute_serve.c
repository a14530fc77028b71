/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of peers through our pipeline, one session for each, on a few threads. */
#include "webrtc/execute_private.h"

#include "base/time.h"
#include "frame/data_buffer.h"
#include "webrtc/media_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000 /* RemoteMedia's for one call of a node */
#define TIMEOUT_MAX_MS 600000    /* a peer cannot have a thread for longer */
#define ANSWER_US RMI_SEC(30)    /* for room on the channel */

/* ---- answers ---- */

static rm_err send_answer(struct rmi_execute *e, const struct rmi_execute_job *job, const rm_runtime_data *data,
                          const rm_metadata *metadata, int64_t until_us) {
    struct rmi_buf *message = NULL;
    rm_err err = rmi_data_buffer_write(data, metadata, &message);
    if (!err)
        err = rmi_execute_send(e, job->peer_id, job->channel, message, until_us);
    rmi_buf_unref(&message);
    return err;
}

/* Until when: on the network thread now, or never. */
static void send_error(struct rmi_execute *e, const struct rmi_execute_job *job, rm_err why, const char *detail,
                       int64_t until_us) {
    rm_runtime_data *text = NULL;
    rm_metadata *metadata = NULL;
    const char *sentence = detail[0] ? detail : rm_strerror(why);
    rm_err err = rm_runtime_data_create_text(sentence, strlen(sentence), NULL, &text);
    if (err == RM_E_INVALID_ARG) /* a node's sentence that is no UTF-8 */
        err = rm_runtime_data_create_text(rm_strerror(why), strlen(rm_strerror(why)), NULL, &text);
    if (!err)
        err = rm_metadata_create(&metadata);
    if (!err)
        err = rm_metadata_set(metadata, RMI_EXECUTE_ANSWER, job->number);
    if (!err)
        err = rm_metadata_set(metadata, RMI_EXECUTE_ERROR, rm_err_name(why));
    if (!err)
        err = send_answer(e, job, text, metadata, until_us);
    if (err && err != RM_E_CLOSED && err != RM_E_NOT_FOUND)
        rmi_log(e->t->log, RMI_LOG_APP, RM_LOG_WARN, "peer=%s execution could not be answered: %s", job->peer_id,
                rm_strerror(err));
    rm_metadata_unref(&metadata);
    rm_runtime_data_unref(&text);
}

static rm_err send_output(struct rmi_execute *e, const struct rmi_execute_job *job, const rm_transport_data *output) {
    rm_metadata *metadata = NULL;
    char sequence[RMI_EXECUTE_NUMBER_MAX];
    const char *key, *value;
    rm_err err = rm_metadata_create(&metadata);
    for (size_t i = 0; !err && !rm_metadata_at(output->metadata, i, &key, &value); i++)
        err = rm_metadata_set(metadata, key, value);
    snprintf(sequence, sizeof sequence, "%" PRIu64, output->sequence);
    if (!err && output->has_sequence)
        err = rm_metadata_set(metadata, RMI_EXECUTE_SEQUENCE, sequence);
    if (!err)
        err = rm_metadata_set(metadata, RMI_EXECUTE_ANSWER, job->number);
    if (!err)
        err = send_answer(e, job, output->data, metadata, rmi_now_us() + ANSWER_US);
    rm_metadata_unref(&metadata);
    return err == RM_E_LIMIT ? RM_E_TOO_BIG : err;
}

/* ---- running ---- */

/* What the message holds, without what is ours. */
static rm_err read_request(const struct rmi_execute_job *job, rm_transport_data *input, int *timeout_ms) {
    rm_metadata *metadata = NULL;
    uint64_t ms = DEFAULT_TIMEOUT_MS;
    rm_err err = rmi_data_buffer_read(job->request->data, job->request->len, &input->data, &metadata);
    if (err)
        return err;
    input->has_sequence = rmi_execute_number(rm_metadata_get(metadata, RMI_EXECUTE_SEQUENCE), &input->sequence);
    (void)rmi_execute_number(rm_metadata_get(metadata, RMI_EXECUTE_TIMEOUT), &ms);
    *timeout_ms = ms < TIMEOUT_MAX_MS ? (int)ms : TIMEOUT_MAX_MS;
    err = rmi_execute_strip(metadata, &input->metadata);
    rm_metadata_unref(&metadata);
    return err;
}

/* The pipeline that the peer's session runs now: its own, once it has reconfigured it. */
static rm_err find_pipeline(struct rmi_media *m, const char *peer_id, rm_pipeline_runner **runner,
                            rm_manifest **manifest) {
    pthread_mutex_lock(&m->mutex);
    const uint32_t generation = m->pipeline_generation;
    if (m->manifest) {
        *runner = rmi_runner_ref(m->runner);
        *manifest = rm_manifest_ref(m->manifest);
    }
    pthread_mutex_unlock(&m->mutex);
    if (!*manifest)
        return RM_E_STATE;
    struct rmi_media_peer *p = rmi_media_find(m, peer_id);
    if (!p)
        return RM_OK;
    pthread_mutex_lock(&p->mutex);
    rm_manifest *own = p->session_manifest && p->session_generation == generation
                           ? rm_manifest_ref(p->session_manifest)
                           : NULL; /* the application's is newer: its session is on the way */
    pthread_mutex_unlock(&p->mutex);
    rmi_media_peer_unref(p);
    if (own) {
        rm_manifest_unref(manifest);
        *manifest = own;
    }
    return RM_OK;
}

/* Its channel is closed, and the number perhaps another one's already. */
static bool is_cancelled(struct rmi_execute_job *job) {
    pthread_mutex_lock(&job->unary.mutex);
    const bool cancelled = job->unary.cancelled;
    pthread_mutex_unlock(&job->unary.mutex);
    return cancelled;
}

static void run_job(struct rmi_execute *e, struct rmi_execute_job *job) {
    rm_transport_data input = {0}, output = {0};
    rm_pipeline_runner *runner = NULL;
    rm_manifest *manifest = NULL;
    char detail[RM_DETAIL_MAX] = "";
    int timeout_ms = 0;
    rm_err err = read_request(job, &input, &timeout_ms);
    if (!err && (err = find_pipeline(e->t->media, job->peer_id, &runner, &manifest)))
        snprintf(detail, sizeof detail, "this peer has no pipeline");
    rmi_buf_unref(&job->request);
    if (!err)
        err = rmi_runner_execute(runner, manifest, &input, timeout_ms, &output, detail, sizeof detail, &job->unary);
    if (!err && !is_cancelled(job))
        err = send_output(e, job, &output);
    if (err && !is_cancelled(job))
        send_error(e, job, err, detail, rmi_now_us() + ANSWER_US);
    rm_transport_data_clear(&input);
    rm_transport_data_clear(&output);
    rm_manifest_unref(&manifest);
    rm_pipeline_runner_destroy(&runner);
}

static void free_job(struct rmi_execute_job *job) {
    rmi_buf_unref(&job->request);
    pthread_mutex_destroy(&job->unary.mutex);
    free(job);
}

/* With the mutex held. */
static struct rmi_execute_job *next_job(struct rmi_execute *e) {
    struct rmi_list *node = rmi_list_pop_front(&e->waiting);
    struct rmi_execute_job *job = node ? RMI_CONTAINER_OF(node, struct rmi_execute_job, node) : NULL;
    if (!job)
        return NULL;
    e->waiting_count--;
    e->waiting_bytes -= job->request->len;
    rmi_list_push_back(&e->running, &job->node);
    return job;
}

static void *worker_main(void *ctx) {
    struct rmi_execute *e = ctx;
    pthread_mutex_lock(&e->mutex);
    while (!e->stopped) {
        struct rmi_execute_job *job = next_job(e);
        if (!job) {
            e->idle++;
            pthread_cond_wait(&e->changed, &e->mutex);
            e->idle--;
            continue;
        }
        pthread_mutex_unlock(&e->mutex);
        run_job(e, job);
        pthread_mutex_lock(&e->mutex);
        rmi_list_remove(&job->node);
        free_job(job);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

/* ---- requests ---- */

static size_t jobs_of(const struct rmi_list *list, const char *peer_id) {
    size_t count = 0;
    RMI_LIST_FOREACH (node, next, list) {
        count += !strcmp(RMI_CONTAINER_OF(node, struct rmi_execute_job, node)->peer_id, peer_id);
    }
    return count;
}

/* With the mutex held. */
static rm_err admit(struct rmi_execute *e, struct rmi_execute_job *job) {
    if (e->stopped)
        return RM_E_CLOSED;
    if (e->waiting_count == RMI_EXECUTE_JOBS || e->waiting_bytes + job->request->len > RMI_EXECUTE_JOB_BYTES ||
        jobs_of(&e->waiting, job->peer_id) + jobs_of(&e->running, job->peer_id) >= RMI_EXECUTE_PEER_JOBS)
        return RM_E_LIMIT;
    if (e->idle <= e->waiting_count && e->worker_count < RMI_EXECUTE_WORKERS) {
        if (!pthread_create(&e->workers[e->worker_count], NULL, worker_main, e))
            e->worker_count++;
        else if (e->worker_count == 0)
            return RM_E_IO;
    }
    rmi_list_push_back(&e->waiting, &job->node);
    e->waiting_count++;
    e->waiting_bytes += job->request->len;
    pthread_cond_broadcast(&e->changed);
    return RM_OK;
}

void rmi_execute_take(struct rmi_execute *e, const char *peer_id, uint16_t channel, const char *number,
                      struct rmi_buf *message) {
    struct rmi_execute_job *job = calloc(1, sizeof *job);
    if (!job) {
        rmi_log(e->t->log, RMI_LOG_APP, RM_LOG_ERROR, "peer=%s execution dropped: no memory", peer_id);
        return;
    }
    pthread_mutex_init(&job->unary.mutex, NULL);
    snprintf(job->peer_id, sizeof job->peer_id, "%s", peer_id);
    snprintf(job->number, sizeof job->number, "%s", number);
    job->channel = channel;
    job->request = rmi_buf_ref(message);
    pthread_mutex_lock(&e->mutex);
    rm_err err = admit(e, job);
    pthread_mutex_unlock(&e->mutex);
    if (err) {
        send_error(e, job, err, err == RM_E_LIMIT ? "too many executions wait here" : "", rmi_now_us());
        free_job(job);
    }
}

/* Jobs of a channel (peer_id NULL: all): those that wait go, those that run are ended. With the mutex held. */
static void end_jobs(struct rmi_execute *e, const char *peer_id, uint16_t channel) {
    RMI_LIST_FOREACH (node, next, &e->waiting) {
        struct rmi_execute_job *job = RMI_CONTAINER_OF(node, struct rmi_execute_job, node);
        if (peer_id && (job->channel != channel || strcmp(job->peer_id, peer_id) != 0))
            continue;
        rmi_list_remove(node);
        e->waiting_count--;
        e->waiting_bytes -= job->request->len;
        free_job(job);
    }
    RMI_LIST_FOREACH (node, next, &e->running) {
        struct rmi_execute_job *job = RMI_CONTAINER_OF(node, struct rmi_execute_job, node);
        if (!peer_id || (job->channel == channel && !strcmp(job->peer_id, peer_id)))
            rmi_unary_cancel(&job->unary);
    }
}

void rmi_execute_forget(struct rmi_execute *e, const char *peer_id, uint16_t channel) {
    pthread_mutex_lock(&e->mutex);
    end_jobs(e, peer_id, channel);
    pthread_mutex_unlock(&e->mutex);
}

void rmi_execute_stop_workers(struct rmi_execute *e) {
    pthread_mutex_lock(&e->mutex);
    end_jobs(e, NULL, 0);
    const size_t count = e->worker_count;
    pthread_mutex_unlock(&e->mutex);
    for (size_t i = 0; i < count; i++) /* no more are made once it is stopped */
        pthread_join(e->workers[i], NULL);
}
