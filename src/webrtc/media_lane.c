/* SPDX-License-Identifier: Apache-2.0 */
/* The lane of a peer: its pictures are waited for and decoded here, and its pipeline session is made and ended here,
 * so that neither holds up the network or anybody's sound. */
#include "webrtc/media_private.h"

#include "io/priority.h"
#include <stdio.h>
#include <string.h>

#define SMOOTH_SHIFT 4        /* averages over about 16 items */
#define TELL_AGAIN_US 1000000 /* losses are told at most once a second */

/* ---- into the session, or to the application ---- */

rm_stream_session *rmi_media_hold_session(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    rm_stream_session *session = p->session;
    p->session_users += session != NULL;
    pthread_mutex_unlock(&p->mutex);
    return session;
}

void rmi_media_release_session(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    if (--p->session_users == 0 && !p->session) /* somebody waits to end it */
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

void rmi_media_deliver(struct rmi_media_peer *p, rm_runtime_data *data) {
    struct rmi_media *m = p->media;
    rm_stream_session *session = rmi_media_hold_session(p);
    if (session) {
        uint64_t n = atomic_fetch_add(&p->sequence, 1);
        rm_transport_data input = {.data = data, .sequence = n, .has_sequence = true};
        atomic_store(&p->input_at_us[n % RMI_MEDIA_SEQUENCES], rmi_now_us());
        rm_stream_session_send_input(session, &input); /* what a full or ended session refuses it has told by event */
        rmi_media_release_session(p);
        return;
    }
    struct rmi_media_call call;
    /* With a pipeline its session is still being made: nobody else gets this. */
    if (!rmi_media_has_pipeline(m) && m->t->config.on_media && rmi_media_enter(m, &call)) {
        m->t->config.on_media(p->id, data, m->t->config.user);
        rmi_media_leave(m, &call);
    }
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

/* An event from here may be answered with rm_webrtc_destroy, which must know where it is called. */
static void tell(struct rmi_media_peer *p, rm_event *ev) {
    struct rmi_media *m = p->media;
    struct rmi_media_call call;
    snprintf(ev->peer_id, sizeof ev->peer_id, "%s", p->id);
    if (rmi_media_enter(m, &call)) {
        rmi_webrtc_emit(m->t, ev);
        rmi_media_leave(m, &call);
    }
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
        tell(p, &ev);
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
    (void)session;
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

static void tell_serve(struct rmi_media_peer *p, enum rmi_serve_news news, const char *node, const char *message) {
    if (p->media->t->serve)
        rmi_serve_tell(p->media->t->serve, p->id, news, node, message);
}

static void count_error(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    p->node_errors++;
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
    default:
        return;
    }
    tell(p, &ev);
}

/* ---- its life ---- */

static void end_session(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    rm_stream_session *session = p->session;
    p->session = NULL;
    while (p->session_users > 0)
        pthread_cond_wait(&p->wake, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    rm_stream_session_destroy(&session);
}

/* Without a pipeline the peer gets again what is sent to all, unless the application sends it something of its own. */
static void leave_own_tracks(struct rmi_media_peer *p) {
    bool left = false;
    for (size_t k = 0; k < RMI_RTP_KINDS; k++) {
        struct rmi_media_track *own = &p->own[k];
        if (atomic_load(&own->by_application) || !atomic_exchange(&own->used, false))
            continue;
        atomic_fetch_or(&p->media->all[k].keys, atomic_load(&own->formats)); /* another encoder's stream */
        left = true;
    }
    if (left)
        rmi_media_ask_network(p->media, true);
}

/* The session of the pipeline that is set now. The old one serves until the new one is ready. */
static void change_pipeline(struct rmi_media_peer *p) {
    struct rmi_media *m = p->media;
    pthread_mutex_lock(&m->pipeline_mutex);
    pthread_mutex_lock(&m->mutex);
    bool same = m->pipeline_generation == p->generation;
    p->generation = m->pipeline_generation;
    rm_manifest *manifest = same || !m->manifest ? NULL : rm_manifest_ref(m->manifest);
    pthread_mutex_unlock(&m->mutex);
    rm_stream_session *session = NULL;
    char detail[RM_DETAIL_MAX - 64] = "";
    rm_err err = RM_OK;
    if (manifest) {
        tell_serve(p, RMI_SERVE_INITIALIZING, "", "");
        rm_stream_session_config sc;
        rm_stream_session_config_init(&sc);
        sc.on_output = on_output;
        sc.on_event = on_session_event;
        sc.user = p;
        err = rm_pipeline_runner_create_stream_session(m->runner, manifest, &sc, &session, detail, sizeof detail);
        rm_manifest_unref(&manifest);
    }
    pthread_mutex_unlock(&m->pipeline_mutex);
    if (same)
        return;
    if (err) {
        rm_event ev = {.type = RM_EV_PIPELINE, .err = err};
        snprintf(ev.detail, sizeof ev.detail, "no session: %s", detail[0] ? detail : rm_strerror(err));
        tell_serve(p, RMI_SERVE_ERROR, "", ev.detail);
        tell(p, &ev);
    }
    end_session(p);
    pthread_mutex_lock(&p->mutex);
    p->session = session;
    pthread_mutex_unlock(&p->mutex);
    if (session)
        tell_serve(p, RMI_SERVE_READY, "", "");
    else
        leave_own_tracks(p);
}

/* ---- pictures ---- */

static int64_t clock_us(void *ctx) {
    (void)ctx;
    return rmi_now_us();
}

static rm_err open_receiver(struct rmi_media_peer *p) {
    struct rmi_video_receiver_config rc = {.max_delay_us = RMI_MS(p->media->t->config.jitter_buffer_size_ms),
                                           .repair = true,
                                           .decode = true,
                                           .clock_us = clock_us,
                                           .stream_id = p->id};
    return rmi_video_receiver_create(&rc, &p->video);
}

static void insert_all(struct rmi_media_peer *p) {
    struct rmi_media_packet *packet;
    while ((packet = rmi_ring_pop(p->video_ring))) {
        if (p->video || !open_receiver(p)) {
            struct rmi_video_in in = {.format = packet->format,
                                      .ssrc = packet->ssrc,
                                      .timestamp = packet->timestamp,
                                      .seq = packet->seq,
                                      .marker = packet->marker,
                                      .padding = packet->padding,
                                      .arrival_us = packet->arrival_us,
                                      .buf = packet->buf,
                                      .offset = (uint32_t)sizeof *packet,
                                      .len = packet->len};
            rmi_video_receiver_insert(p->video, &in);
            p->video_format = packet->format;
        }
        rmi_media_free_packet(packet);
    }
}

static int64_t serve(struct rmi_media_peer *p) {
    insert_all(p);
    if (!p->video)
        return RMI_NEVER;
    rmi_video_receiver_set_rtt(p->video, atomic_load(&p->rtt_us));
    rmi_video_receiver_set_sync_delay(p->video, atomic_load(&p->video_delay_us));
    bool popped = false;
    for (;;) {
        rm_runtime_data *frame = NULL;
        rm_err err = rmi_video_receiver_pop(p->video, rmi_now_us(), &frame);
        if (err == RM_E_AGAIN || atomic_load(&p->closing)) {
            rm_runtime_data_unref(&frame);
            break;
        }
        popped = true;
        if (!err)
            rmi_media_deliver(p, frame);
        rm_runtime_data_unref(&frame);
        insert_all(p);
    }
    if (rmi_video_receiver_take_key_request(p->video, rmi_now_us())) {
        atomic_store(&p->ask_key, true);
        rmi_media_ask_network(p->media, false);
    }
    if (popped) {
        pthread_mutex_lock(&p->mutex);
        rmi_video_receiver_timing(p->video, &p->video_timing);
        rmi_video_receiver_get_stats(p->video, &p->video_stats);
        pthread_mutex_unlock(&p->mutex);
    }
    return rmi_video_receiver_next_deadline(p->video, rmi_now_us());
}

void *rmi_media_lane_main(void *peer) {
    struct rmi_media_peer *p = peer;
    rmi_set_thread_priority(p->media->priority); /* made by the network thread */
    while (!atomic_load(&p->closing)) {
        change_pipeline(p);
        int64_t next = rmi_min64(serve(p), rmi_media_speech_serve(p));
        pthread_mutex_lock(&p->mutex);
        if (!p->woken && !atomic_load(&p->closing))
            rmi_media_wait(&p->wake, &p->mutex, next);
        p->woken = false;
        pthread_mutex_unlock(&p->mutex);
    }
    end_session(p);
    rmi_media_thread_end(p);
    return NULL;
}
