/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the media threads' object and its peers; what all threads share. */
#include "webrtc/media_private.h"

#include "io/priority.h"
#include "peer/rtp_session.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PACKETS 2048 /* received payloads between threads, of all peers; more come from the heap */
#define ENDED_STEP 16
#define ITEMS 1024 /* batches between the encoders and the network thread */

rm_err rmi_media_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr))
        return RM_E_NO_MEMORY;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return failed ? RM_E_NO_MEMORY : RM_OK;
}

void rmi_media_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_us) {
    if (deadline_us == RMI_NEVER) {
        pthread_cond_wait(cond, mutex);
        return;
    }
    deadline_us = rmi_max64(deadline_us, 0);
    struct timespec at = {.tv_sec = (time_t)(deadline_us / RMI_SEC(1)),
                          .tv_nsec = (long)(deadline_us % RMI_SEC(1)) * 1000};
    pthread_cond_timedwait(cond, mutex, &at);
}

/* ---- peers ---- */

struct rmi_media_peer *rmi_media_peer_ref(struct rmi_media_peer *p) {
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void rmi_media_free_packet(struct rmi_media_packet *packet) {
    struct rmi_buf *buf = packet->buf;
    rmi_buf_unref(&buf);
}

static void free_ring(struct rmi_ring **ring) {
    struct rmi_media_packet *packet;
    while (*ring && (packet = rmi_ring_pop(*ring)))
        rmi_media_free_packet(packet);
    rmi_ring_destroy(ring);
}

void rmi_media_peer_unref(struct rmi_media_peer *p) {
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    struct rmi_media *m = p->media;
    rmi_media_speech_fini(&p->speech);
    for (size_t k = 0; k < RMI_RTP_KINDS; k++)
        rmi_media_track_fini(&p->own[k]);
    rmi_media_drop_requests(p);
    free_ring(&p->audio_ring);
    free_ring(&p->video_ring);
    rmi_audio_receiver_destroy(&p->audio);
    rmi_video_receiver_destroy(&p->video);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p);
    pthread_mutex_lock(&m->mutex);
    m->live--;
    pthread_cond_broadcast(&m->ended);
    pthread_mutex_unlock(&m->mutex);
}

struct rmi_media_peer *rmi_media_find(struct rmi_media *m, const char *peer_id) {
    struct rmi_media_peer *found = NULL;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (!strcmp(p->id, peer_id)) {
            found = rmi_media_peer_ref(p);
            break;
        }
    }
    pthread_mutex_unlock(&m->mutex);
    return found;
}

rm_err rmi_media_thread_start(struct rmi_media *m, void *(*main)(void *), void *arg) {
    pthread_mutex_lock(&m->mutex);
    if (m->threads + m->ended_count == m->ended_cap) { /* room for its end, which must not fail */
        size_t cap = m->ended_cap + ENDED_STEP;
        pthread_t *grown = realloc(m->ended_threads, cap * sizeof *grown);
        if (!grown) {
            pthread_mutex_unlock(&m->mutex);
            return RM_E_NO_MEMORY;
        }
        m->ended_threads = grown;
        m->ended_cap = cap;
    }
    pthread_t thread;
    rm_err err = pthread_create(&thread, NULL, main, arg) ? RM_E_IO : RM_OK;
    m->threads += !err;
    pthread_mutex_unlock(&m->mutex);
    return err;
}

void rmi_media_thread_end(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    m->ended_threads[m->ended_count++] = pthread_self();
    m->threads--;
    pthread_cond_broadcast(&m->ended);
    pthread_mutex_unlock(&m->mutex);
}

void rmi_media_join_ended(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    while (m->ended_count > 0) {
        pthread_t thread = m->ended_threads[--m->ended_count];
        pthread_mutex_unlock(&m->mutex);
        pthread_join(thread, NULL);
        pthread_mutex_lock(&m->mutex);
    }
    pthread_mutex_unlock(&m->mutex);
}

void rmi_media_wake_lane(struct rmi_media_peer *p) {
    pthread_mutex_lock(&p->mutex);
    p->woken = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

void rmi_media_wake_audio(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    m->woken = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->mutex);
}

void rmi_media_ask_network(struct rmi_media *m, bool refresh) {
    pthread_mutex_lock(&m->mutex);
    m->refresh = m->refresh || refresh;
    if (m->running)
        rmi_loop_ask(m->t->loop, &m->flush);
    pthread_mutex_unlock(&m->mutex);
}

/* ---- callbacks of the application ---- */

bool rmi_media_enter(struct rmi_media *m, struct rmi_media_call *call) {
    *call = (struct rmi_media_call){.thread = pthread_self()};
    pthread_mutex_lock(&m->mutex);
    bool ok = !atomic_load(&m->t->destroying);
    if (ok)
        rmi_list_push_back(&m->calls, &call->node);
    pthread_mutex_unlock(&m->mutex);
    return ok;
}

void rmi_media_leave(struct rmi_media *m, struct rmi_media_call *call) {
    pthread_mutex_lock(&m->mutex);
    rmi_list_remove(&call->node);
    pthread_mutex_unlock(&m->mutex);
}

bool rmi_media_in_callback(struct rmi_media *m) {
    bool found = false;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->calls) {
        found = found || pthread_equal(RMI_CONTAINER_OF(node, struct rmi_media_call, node)->thread, pthread_self());
    }
    pthread_mutex_unlock(&m->mutex);
    return found;
}

/* ---- life ---- */

rm_err rmi_media_create(struct rm_webrtc *t, struct rmi_media **out) {
    struct rmi_media *m = calloc(1, sizeof *m);
    if (!m)
        return RM_E_NO_MEMORY;
    m->t = t;
    m->flush = (struct rmi_job){.fn = rmi_media_flush, .ctx = m};
    rmi_list_init(&m->peers);
    rmi_list_init(&m->outputs);
    rmi_list_init(&m->outbox);
    rmi_list_init(&m->routes);
    rmi_media_wishes_init(&m->wishes);
    rmi_list_init(&m->calls);
    rmi_sessions_init(&m->sessions);
    atomic_init(&m->wants_media, t->config.on_media != NULL);
    pthread_mutex_init(&m->mutex, NULL);
    pthread_mutex_init(&m->pipeline_mutex, NULL);
    pthread_mutex_init(&m->outputs_mutex, NULL);
    rm_err err = rmi_media_cond_init(&m->wake);
    if (!err)
        err = rmi_media_cond_init(&m->ended);
    if (!err)
        err = rmi_media_output_create(m, "", &m->all);
    if (err) {
        rmi_media_destroy(&m);
        return err;
    }
    *out = m;
    return RM_OK;
}

void rmi_media_destroy(struct rmi_media **pm) {
    struct rmi_media *m = *pm;
    if (!m)
        return;
    *pm = NULL;
    rmi_sessions_fini(m);
    rmi_media_output_destroy(&m->all);
    rmi_media_sweep_outputs(m);
    rm_pipeline_runner_destroy(&m->runner);
    rm_manifest_unref(&m->manifest);
    free(m->ended_threads);
    rmi_pool_destroy(&m->packets);
    rmi_pool_destroy(&m->items);
    pthread_cond_destroy(&m->wake);
    pthread_cond_destroy(&m->ended);
    pthread_mutex_destroy(&m->mutex);
    pthread_mutex_destroy(&m->pipeline_mutex);
    pthread_mutex_destroy(&m->outputs_mutex);
    free(m);
}

void rmi_media_copy_sound(struct rmi_media *m) {
    m->copy_sound = true;
}

rm_err rmi_media_start(struct rmi_media *m) {
    m->priority = rmi_thread_priority();
    rm_err err = rmi_buf_pool_create(sizeof(struct rmi_media_packet) + RMI_DATAGRAM_MTU, PACKETS, &m->packets);
    if (!err)
        err = rmi_pool_create(sizeof(struct rmi_media_item), ITEMS, &m->items);
    if (!err)
        err = rmi_timer_create(m->t->loop, rmi_media_tick, m, &m->tick);
    if (!err && pthread_create(&m->audio_thread, NULL, rmi_media_audio_main, m))
        err = RM_E_IO;
    pthread_mutex_lock(&m->mutex);
    m->running = !err;
    pthread_mutex_unlock(&m->mutex);
    return err;
}

void rmi_media_drop_item(struct rmi_media *m, struct rmi_media_item *item) {
    rmi_rtp_batch_unref(&item->batch);
    if (item->peer)
        rmi_media_peer_unref(item->peer);
    if (item->output)
        rmi_media_output_unref(item->output);
    rmi_pool_put(m->items, item);
}

static void drop_outbox(struct rmi_media *m) {
    for (struct rmi_list *node = rmi_list_pop_front(&m->outbox); node; node = rmi_list_pop_front(&m->outbox))
        rmi_media_drop_item(m, RMI_CONTAINER_OF(node, struct rmi_media_item, node));
}

void rmi_media_stop(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    bool ran = m->running;
    m->running = false;
    m->stopped = m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->mutex);
    if (ran)
        pthread_join(m->audio_thread, NULL);
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        rmi_media_output_stop(RMI_CONTAINER_OF(node, struct rmi_media_output, node));
    }
    pthread_mutex_unlock(&m->outputs_mutex);
    rmi_media_drop_routes(m);
    drop_outbox(m); /* nobody adds to it any more; its peers go with it */
    pthread_mutex_lock(&m->mutex);
    while (m->live > 0 || m->threads > 0)
        pthread_cond_wait(&m->ended, &m->mutex);
    pthread_mutex_unlock(&m->mutex);
    rmi_media_join_ended(m);
    rmi_timer_destroy(&m->tick);
}
