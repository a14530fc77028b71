/* SPDX-License-Identifier: Apache-2.0 */
/* The lane of a peer: its pictures are waited for and decoded here, and its pipeline session is made and ended here
 * (media_session.c), so that neither holds up the network or anybody's sound. */
#include "webrtc/media_private.h"

#include "io/priority.h"

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

/* We want no pictures of it any more: the decoder goes. What it counted stays. */
static void close_receiver(struct rmi_media_peer *p) {
    struct rmi_media_packet *packet;
    while ((packet = rmi_ring_pop(p->video_ring)))
        rmi_media_free_packet(packet);
    if (!p->video)
        return;
    rmi_video_receiver_destroy(&p->video);
    pthread_mutex_lock(&p->mutex);
    p->video_past = p->video_stats;
    pthread_mutex_unlock(&p->mutex);
}

/* With the mutex: since the first one. */
static void take_stats(struct rmi_media_peer *p) {
    const struct rmi_video_receiver_stats *past = &p->video_past;
    struct rmi_video_receiver_stats *s = &p->video_stats;
    rmi_video_receiver_get_stats(p->video, s);
    s->frames += past->frames;
    s->key_frames += past->key_frames;
    s->freezes += past->freezes;
    s->frozen_us += past->frozen_us;
    s->decode_errors += past->decode_errors;
    s->exhausted += past->exhausted;
    s->buffer.losses += past->buffer.losses;
}

static int64_t serve(struct rmi_media_peer *p) {
    if (atomic_load(&p->video_unwanted)) {
        close_receiver(p);
        return RMI_NEVER;
    }
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
        take_stats(p);
        pthread_mutex_unlock(&p->mutex);
    }
    return rmi_video_receiver_next_deadline(p->video, rmi_now_us());
}

void *rmi_media_lane_main(void *peer) {
    struct rmi_media_peer *p = peer;
    rmi_set_thread_priority(p->media->priority); /* made by the network thread */
    while (!atomic_load(&p->closing)) {
        int64_t settled = rmi_media_session_step(p), next = rmi_min64(settled, serve(p));
        next = rmi_min64(next, rmi_media_speech_serve(p));
        pthread_mutex_lock(&p->mutex);
        if (!p->woken && !atomic_load(&p->closing))
            rmi_media_wait(&p->wake, &p->mutex, next);
        p->woken = false;
        pthread_mutex_unlock(&p->mutex);
    }
    rmi_media_session_end(p);
    struct rmi_media *m = p->media;
    rmi_media_peer_unref(p);
    rmi_media_thread_end(m);
    return NULL;
}
