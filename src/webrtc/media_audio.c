/* SPDX-License-Identifier: Apache-2.0 */
/* The sound thread: the jitter buffers of all peers. A chunk takes it some 40 us, so that one thread serves many. */
#include "webrtc/media_private.h"

#include "io/priority.h"
#include "session/gather.h"
#include <string.h>

#define SYNC_INTERVAL_US RMI_MS(250)
#define CATCH_UP_CHUNKS 8 /* pulled at once after the thread was held up: more would be old sound */

static rm_err open_receiver(struct rmi_media_peer *p) {
    const rm_webrtc_config *c = &p->media->t->config;
    struct rmi_audio_receiver_config rc = {
        .max_delay_us = RMI_MS(c->jitter_buffer_size_ms), .copy = p->media->copy_sound, .stream_id = p->id};
    return rmi_audio_receiver_create(&rc, &p->audio);
}

static void insert_all(struct rmi_media_peer *p) {
    struct rmi_media_packet *packet;
    while ((packet = rmi_ring_pop(p->audio_ring))) {
        if (p->audio || !open_receiver(p))
            rmi_audio_receiver_insert(p->audio, packet->ssrc, packet->seq, packet->timestamp, packet->arrival_us,
                                      packet->buf, (uint32_t)sizeof *packet, packet->len, packet->repaired);
        rmi_media_free_packet(packet);
    }
}

/* Lip sync: this thread does it for both streams; the lane tells where pictures stand, and is told its delay. */
static void synchronise(struct rmi_media_peer *p, int64_t now_us) {
    if (now_us - p->synced_us < SYNC_INTERVAL_US)
        return;
    p->synced_us = now_us;
    struct rmi_av_timing audio;
    rmi_audio_receiver_timing(p->audio, &audio);
    pthread_mutex_lock(&p->mutex);
    struct rmi_av_timing video = p->video_timing;
    for (int k = 0; k < RMI_AV_KINDS; k++)
        if (p->reports[k].fresh) {
            p->reports[k].fresh = false;
            rmi_av_sync_report(&p->sync, (enum rmi_av_kind)k, p->reports[k].ntp, p->reports[k].timestamp);
        }
    pthread_mutex_unlock(&p->mutex);
    struct rmi_av_result r = rmi_av_sync_update(&p->sync, now_us, &audio, &video);
    rmi_audio_receiver_set_sync_delay(p->audio, r.delay_us[RMI_AV_AUDIO]);
    atomic_store(&p->video_delay_us, r.delay_us[RMI_AV_VIDEO]);
    pthread_mutex_lock(&p->mutex);
    p->skew_us = r.skew_us;
    rmi_audio_receiver_get_stats(p->audio, &p->audio_stats);
    pthread_mutex_unlock(&p->mutex);
}

/* The time to come back to this peer. */
static int64_t serve(struct rmi_media_peer *p) {
    insert_all(p);
    for (int i = 0; p->audio && i < CATCH_UP_CHUNKS && !atomic_load(&p->closing); i++) {
        int64_t now_us = rmi_now_us();
        if (rmi_audio_receiver_next_pull(p->audio) > now_us)
            break;
        rm_runtime_data *chunk = NULL;
        if (rmi_audio_receiver_pull(p->audio, now_us, &chunk) == RM_OK) {
            rmi_media_deliver(p, chunk);
            rm_runtime_data_unref(&chunk);
        }
        synchronise(p, now_us);
        insert_all(p);
    }
    return p->audio ? rmi_audio_receiver_next_pull(p->audio) : RMI_NEVER;
}

/* Whether only a packet can tell when to look again, so that the network thread has to wake us for it. */
static bool needs_packet(const struct rmi_media_peer *p, int64_t next_us) {
    return next_us == RMI_NEVER || (p->audio && rmi_audio_receiver_is_waiting(p->audio));
}

/* Both sides exchange the flag (the default order): either the network thread finds it set and wakes us, or we find
 * what that thread did and, with it, see what it pushed before. Such packets are served now. */
static int64_t serve_or_idle(struct rmi_media_peer *p) {
    const int64_t next_us = serve(p);
    if (!needs_packet(p, next_us)) {
        atomic_store(&p->audio_idle, false);
        return next_us;
    }
    atomic_exchange(&p->audio_idle, true);
    return serve(p);
}

static size_t take_peers(struct rmi_media *m, struct rmi_media_peer *out[RM_PEERS_MAX]) {
    size_t n = 0;
    RMI_LIST_FOREACH (node, next, &m->peers) {
        if (n < RM_PEERS_MAX)
            out[n++] = rmi_media_peer_ref(RMI_CONTAINER_OF(node, struct rmi_media_peer, node));
    }
    return n;
}

static void drop_peers(struct rmi_media_peer *peers[RM_PEERS_MAX], size_t *count) {
    for (size_t i = 0; i < *count; i++)
        rmi_media_peer_unref(peers[i]);
    *count = 0;
}

void *rmi_media_audio_main(void *media) {
    struct rmi_media *m = media;
    struct rmi_media_peer *peers[RM_PEERS_MAX];
    int64_t due_us[RM_PEERS_MAX];
    size_t count = 0;
    uint32_t generation = 0;
    rmi_prefer_this_thread();
    pthread_mutex_lock(&m->mutex);
    while (!m->stop) {
        m->woken = false;
        bool changed = generation != m->peers_generation;
        generation = m->peers_generation;
        pthread_mutex_unlock(&m->mutex);
        if (changed) {
            drop_peers(peers, &count); /* outside the mutex: the last reference takes it */
            pthread_mutex_lock(&m->mutex);
            count = take_peers(m, peers);
            pthread_mutex_unlock(&m->mutex);
        }
        for (size_t i = 0; i < count; i++)
            due_us[i] = serve_or_idle(peers[i]);
        const int64_t next = rmi_gather(due_us, count);
        pthread_mutex_lock(&m->mutex);
        if (!m->woken && !m->stop && next > rmi_now_us())
            rmi_media_wait(&m->wake, &m->mutex, next);
    }
    pthread_mutex_unlock(&m->mutex);
    drop_peers(peers, &count);
    return NULL;
}
