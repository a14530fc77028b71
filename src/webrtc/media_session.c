/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline session of a peer: what goes in and comes out, and how one takes another's place. */
#include "webrtc/media_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_AGAIN_US RMI_SEC(1) /* losses are told at most this often */
#define SMOOTH_SHIFT 4           /* averages over about 16 items */
#define DRAIN_US RMI_SEC(5) /* an old session may take to put out what it has; RemoteMedia gives a process as long */

/* ---- into the session, or to the application ---- */

rm_stream_session *rmi_media_hold_session(struct rmi_media_peer *p, unsigned *turn) {
    pthread_mutex_lock(&p->mutex);
    rm_stream_session *session = p->session;
    *turn = p->session_number % 2;
    p->session_users[*turn] += session != NULL;
    pthread_mutex_unlock(&p->mutex);
    return session;
}

void rmi_media_release_session(struct rmi_media_peer *p, unsigned turn) {
    pthread_mutex_lock(&p->mutex);
    if (--p->session_users[turn] == 0 && turn != p->session_number % 2) /* somebody waits to end it */
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void give_to_application(struct rmi_media_peer *p, rm_runtime_data *data) {
    struct rmi_media *m = p->media;
    struct rmi_media_call call;
    /* With a pipeline its session is still being made: nobody else gets this. */
    if (!rmi_media_has_pipeline(m) && m->t->config.on_media && rmi_media_enter(m, &call)) {
        m->t->config.on_media(p->id, data, m->t->config.user);
        rmi_media_leave(m, &call);
    }
}

void rmi_media_deliver(struct rmi_media_peer *p, rm_runtime_data *data) {
    unsigned turn;
    rmi_sessions_deliver(p, data);
    rm_stream_session *session = rmi_media_hold_session(p, &turn);
    if (!session) {
        give_to_application(p, data);
        return;
    }
    if (!atomic_load(&p->paused)) {
        uint64_t n = atomic_fetch_add(&p->sequence, 1);
        rm_transport_data input = {.data = data, .sequence = n, .has_sequence = true};
        atomic_store(&p->input_at_us[n % RMI_MEDIA_SEQUENCES], rmi_now_us());
        rm_stream_session_send_input(session, &input); /* what a full or ended session refuses it has told by event */
    }
    rmi_media_release_session(p, turn);
}

/* ---- out of the session ---- */

static void measure(struct rmi_media_peer *p, const rm_transport_data *output, int kind) {
    uint64_t now = atomic_load(&p->sequence);
    if (!output->has_sequence || output->sequence >= now || now - output->sequence > RMI_MEDIA_SEQUENCES)
        return;
    int64_t took_us = rmi_now_us() - atomic_load(&p->input_at_us[output->sequence % RMI_MEDIA_SEQUENCES]);
    pthread_mutex_lock(&p->mutex);
    int64_t *average = &p->pipeline_us[kind];
    *average = *average ? *average + (took_us - *average) / (1 << SMOOTH_SHIFT) : took_us;
    pthread_mutex_unlock(&p->mutex);
}

/* Whether an older session still puts out what it has. */
static bool older_runs(const struct rmi_media_peer *p, const rm_stream_session *session, int64_t now_us,
                       int64_t *until_us) {
    *until_us = RMI_NEVER;
    for (size_t i = 0; i < p->old_count && p->old[i].session != session; i++)
        if (!p->old[i].finished && now_us < p->old[i].until_us) {
            *until_us = p->old[i].until_us;
            return true;
        }
    return false;
}

/* What a new session puts out comes behind all that the one before it has; its input waits in its queues meanwhile. */
static void await_turn(struct rmi_media_peer *p, const rm_stream_session *session) {
    int64_t until_us;
    pthread_mutex_lock(&p->mutex);
    while (!atomic_load(&p->closing) && older_runs(p, session, rmi_now_us(), &until_us))
        rmi_media_wait(&p->wake, &p->mutex, until_us);
    pthread_mutex_unlock(&p->mutex);
}

static void tell_lost_output(struct rmi_media_peer *p, rm_err err) {
    const int64_t now_us = rmi_now_us();
    rm_event ev = {.type = RM_EV_PIPELINE, .err = err == RM_E_AGAIN ? RM_E_LIMIT : err};
    pthread_mutex_lock(&p->mutex);
    const uint64_t lost = ++p->outputs_lost;
    const bool due = lost == 1 || now_us - p->loss_told_us >= TELL_AGAIN_US;
    if (due)
        p->loss_told_us = now_us;
    pthread_mutex_unlock(&p->mutex);
    snprintf(ev.detail, sizeof ev.detail, "%llu outputs so far could not be sent to the client: %s",
             (unsigned long long)lost, rm_strerror(err));
    if (due)
        rmi_media_tell(p, &ev);
}

/* In server mode, to the client's data channel; sound that comes faster than it is heard waits. */
static void serve_output(struct rmi_media_peer *p, const rm_transport_data *output) {
    struct rmi_serve *serve = p->media->t->serve;
    rm_err err = !serve                                ? RM_OK
                 : rm_runtime_data_audio(output->data) ? rmi_media_speech_put(p, output->data)
                                                       : rmi_serve_output(serve, p->id, output);
    if (err && err != RM_E_NOT_FOUND)
        tell_lost_output(p, err);
}

static void on_output(rm_stream_session *session, const rm_transport_data *output, void *user) {
    struct rmi_media_peer *p = user;
    struct rmi_media *m = p->media;
    await_turn(p, session);
    if (atomic_load(&p->paused))
        return;
    switch (rm_runtime_data_type(output->data)) {
    case RM_DATA_AUDIO:
        measure(p, output, RMI_RTP_AUDIO);
        if (m->t->serve)
            serve_output(p, output);
        else
            rmi_media_track_audio(&p->own[RMI_RTP_AUDIO], output->data);
        break;
    case RM_DATA_VIDEO:
        measure(p, output, RMI_RTP_VIDEO);
        rmi_media_track_video(&p->own[RMI_RTP_VIDEO], output->data);
        break;
    default:
        serve_output(p, output);
        break;
    }
    pthread_mutex_lock(&p->mutex);
    p->outputs++;
    pthread_mutex_unlock(&p->mutex);
    struct rmi_media_call call;
    if (m->t->config.on_output && rmi_media_enter(m, &call)) {
        m->t->config.on_output(p->id, output, m->t->config.user);
        rmi_media_leave(m, &call);
    }
}

void rmi_media_tell(struct rmi_media_peer *p, rm_event *ev) {
    struct rmi_media *m = p->media;
    struct rmi_media_call call;
    snprintf(ev->peer_id, sizeof ev->peer_id, "%s", p->id);
    if (rmi_media_enter(m, &call)) {
        rmi_webrtc_emit(m->t, ev);
        rmi_media_leave(m, &call);
    }
}

static void tell_serve(struct rmi_media_peer *p, enum rmi_serve_news news, const char *node, const char *message) {
    if (p->media->t->serve)
        rmi_serve_tell(p->media->t->serve, p->id, news, node, message);
}

static void count_error(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    p->node_errors++;
    pthread_mutex_unlock(&p->mutex);
}

/* Nothing more will come from this session. */
static void mark_finished(struct rmi_media_peer *p, const char *session_id) {
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->old_count; i++)
        if (!strcmp(p->old[i].id, session_id))
            p->old[i].finished = true;
    if (p->session && !strcmp(rm_stream_session_id(p->session), session_id))
        p->session_stopped = true;
    p->woken = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void on_session_event(const rm_run_event *event, void *user) {
    struct rmi_media_peer *p = user;
    rm_event ev = {.type = RM_EV_PIPELINE, .err = event->err};
    switch (event->type) {
    case RM_RUN_EV_NODE_ERROR:
        count_error(p);
        snprintf(ev.detail, sizeof ev.detail, "node %s: %s", event->node_id, event->detail);
        tell_serve(p, RMI_SERVE_ERROR, event->node_id, event->detail);
        break;
    case RM_RUN_EV_NODE_SLOW:
        ev.err = RM_E_LIMIT;
        snprintf(ev.detail, sizeof ev.detail, "node %s is slower than its input: %llu items dropped so far",
                 event->node_id, (unsigned long long)event->count);
        break;
    case RM_RUN_EV_STOPPED:
        mark_finished(p, event->session_id);
        count_error(p);
        snprintf(ev.detail, sizeof ev.detail, "session ended by node %s: %s", event->node_id, event->detail);
        tell_serve(p, RMI_SERVE_ERROR, event->node_id, event->detail);
        break;
    case RM_RUN_EV_NODE_LOADING:
        tell_serve(p, RMI_SERVE_LOADING_NODE, event->node_id, "");
        return;
    case RM_RUN_EV_INPUT_ROOM:
        tell_serve(p, RMI_SERVE_ROOM, "", "");
        return;
    case RM_RUN_EV_FINISHED:
        mark_finished(p, event->session_id);
        return;
    default:
        return;
    }
    rmi_media_tell(p, &ev);
}

/* ---- one takes another's place ---- */

/* The first of the old ones. Others wait behind it until it is off the list, which is when its last callback is over.
 */
static void destroy_first(struct rmi_media_peer *p) {
    rm_stream_session *session = p->old[0].session; /* only this thread changes the list */
    rm_stream_session_destroy(&session);
    pthread_mutex_lock(&p->mutex);
    memmove(p->old, p->old + 1, --p->old_count * sizeof p->old[0]);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

/* Old ones that are done, or have had their time, in their order. When to look again. */
static int64_t reap(struct rmi_media_peer *p) {
    while (p->old_count > 0) {
        pthread_mutex_lock(&p->mutex);
        const bool finished = p->old[0].finished;
        pthread_mutex_unlock(&p->mutex);
        if (!finished && rmi_now_us() < p->old[0].until_us)
            return p->old[0].until_us;
        if (!finished) {
            rm_event ev = {.type = RM_EV_PIPELINE, .err = RM_E_TIMEOUT};
            snprintf(ev.detail, sizeof ev.detail, "the session before has not put out all it had in %d s",
                     (int)(DRAIN_US / RMI_SEC(1)));
            rmi_media_tell(p, &ev);
        }
        destroy_first(p);
    }
    return RMI_NEVER;
}

static void await_room(struct rmi_media_peer *p) {
    for (int64_t until_us = reap(p); p->old_count == RMI_MEDIA_OLD_SESSIONS; until_us = reap(p)) {
        if (atomic_load(&p->closing)) {
            destroy_first(p);
            continue;
        }
        pthread_mutex_lock(&p->mutex);
        if (!p->old[0].finished)
            rmi_media_wait(&p->wake, &p->mutex, until_us);
        pthread_mutex_unlock(&p->mutex);
    }
}

/* From here on `session` (may be NULL) gets what comes; the one before ends what it has, unless there is none now. */
static void change_session(struct rmi_media_peer *p, rm_stream_session *session, rm_manifest *manifest) {
    await_room(p);
    pthread_mutex_lock(&p->mutex);
    rm_stream_session *old = p->session;
    rm_manifest *old_manifest = p->session_manifest;
    const unsigned turn = p->session_number++ % 2;
    p->session = session;
    p->session_manifest = manifest;
    p->session_generation = p->generation;
    if (old) {
        struct rmi_media_old *o = &p->old[p->old_count++];
        *o =
            (struct rmi_media_old){.session = old, .finished = p->session_stopped, .until_us = rmi_now_us() + DRAIN_US};
        snprintf(o->id, sizeof o->id, "%s", rm_stream_session_id(old));
    }
    p->session_stopped = false;
    while (p->session_users[turn] > 0)
        pthread_cond_wait(&p->wake, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    rm_manifest_unref(&old_manifest);
    if (old && rm_stream_session_end_input(old)) /* it has ended by itself */
        mark_finished(p, rm_stream_session_id(old));
    while (!session && p->old_count > 0)
        destroy_first(p);
    tell_serve(p, session ? RMI_SERVE_READY : RMI_SERVE_ROOM, "", ""); /* without one, nothing need wait for it */
}

void rmi_media_session_end(struct rmi_media_peer *p) {
    change_session(p, NULL, NULL);
}

/* ---- which pipeline ---- */

static rm_err make_session(struct rmi_media_peer *p, rm_manifest *manifest, rm_stream_session **out, char *detail,
                           size_t size) {
    tell_serve(p, RMI_SERVE_INITIALIZING, "", "");
    rm_stream_session_config sc;
    rm_stream_session_config_init(&sc);
    sc.on_output = on_output;
    sc.on_event = on_session_event;
    sc.user = p;
    pthread_mutex_lock(&p->media->pipeline_mutex); /* so that the runner stays */
    rm_pipeline_runner *runner = p->media->runner;
    rm_err err =
        runner ? rm_pipeline_runner_create_stream_session(runner, manifest, &sc, out, detail, size) : RM_E_STATE;
    pthread_mutex_unlock(&p->media->pipeline_mutex);
    return err;
}

/* Without a pipeline the peer gets again what is sent to all, unless the application sends it something of its own. */
static void leave_own_tracks(struct rmi_media_peer *p) {
    bool left = false;
    for (size_t k = 0; k < RMI_RTP_KINDS; k++) {
        struct rmi_media_track *own = &p->own[k];
        if (!atomic_load(&own->by_application) && atomic_exchange(&own->used, false))
            left = true;
    }
    if (left)
        rmi_media_ask_network(p->media, true);
}

/* The session of the pipeline that is set now. The old one serves until the new one is ready. */
static void follow_application(struct rmi_media_peer *p) {
    struct rmi_media *m = p->media;
    pthread_mutex_lock(&m->mutex);
    const bool same = m->pipeline_generation == p->generation;
    p->generation = m->pipeline_generation;
    rm_manifest *manifest = same || !m->manifest ? NULL : rm_manifest_ref(m->manifest);
    pthread_mutex_unlock(&m->mutex);
    if (same)
        return;
    rm_stream_session *session = NULL;
    char detail[RM_DETAIL_MAX - 64] = "";
    rm_err err = manifest ? make_session(p, manifest, &session, detail, sizeof detail) : RM_OK;
    if (err) {
        rm_event ev = {.type = RM_EV_PIPELINE, .err = err};
        snprintf(ev.detail, sizeof ev.detail, "no session: %s", detail[0] ? detail : rm_strerror(err));
        tell_serve(p, RMI_SERVE_ERROR, "", ev.detail);
        rmi_media_tell(p, &ev);
        rm_manifest_unref(&manifest);
    }
    atomic_store(&p->paused, false);
    change_session(p, session, manifest);
    if (!session)
        leave_own_tracks(p);
}

static struct rmi_media_request *next_request(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    struct rmi_list *node = rmi_list_pop_front(&p->requests);
    p->request_count -= node != NULL;
    pthread_mutex_unlock(&p->mutex);
    return node ? RMI_CONTAINER_OF(node, struct rmi_media_request, node) : NULL;
}

static void free_request(struct rmi_media_request *r) {
    rm_runtime_data_unref(&r->action);
    free(r);
}

void rmi_media_drop_requests(struct rmi_media_peer *p) {
    for (struct rmi_media_request *r; (r = next_request(p));)
        free_request(r);
}

/* What the peer asked for: all of it, or nothing. */
static void serve_request(struct rmi_media_peer *p, rm_runtime_data *action) {
    rm_err err = RM_OK;
    rm_stream_session *session = NULL;
    char detail[RM_DETAIL_MAX] = "";
    json_t *faults = json_array();
    rm_manifest *manifest = rmi_control_manifest(p, action, &err, faults);
    if (manifest)
        err = make_session(p, manifest, &session, detail, sizeof detail);
    if (err && json_array_size(faults) == 0)
        json_array_append_new(faults, json_string(detail[0] ? detail : rm_strerror(err)));
    if (err)
        rm_manifest_unref(&manifest);
    else
        change_session(p, session, manifest);
    rmi_control_reconfigured(p, action, err, faults);
    json_decref(faults);
}

int64_t rmi_media_session_step(struct rmi_media_peer *p) {
    follow_application(p);
    for (struct rmi_media_request *r; !atomic_load(&p->closing) && (r = next_request(p)); free_request(r))
        serve_request(p, r->action);
    return reap(p);
}
