/* SPDX-License-Identifier: Apache-2.0 */
/* Sound of a pipeline that comes faster than it is heard, as from a node that speaks a sentence at once: it waits here
 * and goes out at the pace of its playing, so that no receiver has to throw it away, and so that it can be taken back.
 */
#include "webrtc/media_private.h"

#include <stdlib.h>
#include <string.h>

#define LEAD_US RMI_MS(200)        /* sent ahead of its time at once; live sound that came in a bunch is within it */
#define PIECE_US RMI_MS(20)        /* as RemoteMedia counts what is thrown away */
#define WAITING_MAX_US RMI_SEC(60) /* as RemoteMedia keeps */
/* A sender's clock may be faster than ours, which must not pile up: so much per cent faster than it is heard. */
#define HASTE_PERCENT 2

struct piece {
    struct rmi_list node;
    rm_runtime_data *audio;
    int64_t us;
};

void rmi_media_speech_init(struct rmi_media_speech *s) {
    rmi_list_init(&s->pieces);
    pthread_mutex_init(&s->mutex, NULL);
}

static void free_piece(struct piece *piece) {
    rm_runtime_data_unref(&piece->audio);
    free(piece);
}

/* Under the mutex, or when nobody else is there. */
static struct piece *take(struct rmi_media_speech *s) {
    struct rmi_list *node = rmi_list_pop_front(&s->pieces);
    if (!node)
        return NULL;
    struct piece *piece = RMI_CONTAINER_OF(node, struct piece, node);
    s->waiting_us -= piece->us;
    return piece;
}

void rmi_media_speech_fini(struct rmi_media_speech *s) {
    struct piece *piece;
    while ((piece = take(s)))
        free_piece(piece);
    pthread_mutex_destroy(&s->mutex);
}

static int64_t duration_us(const rm_audio *a) {
    return (int64_t)(a->frame_count * (uint64_t)RMI_SEC(1) / a->sample_rate);
}

/* Under the mutex, so that sound keeps its order. */
static rm_err send(struct rmi_media_peer *p, rm_runtime_data *audio, int64_t us, int64_t now_us) {
    struct rmi_media_speech *s = &p->speech;
    s->until_us = rmi_max64(s->until_us, now_us) + us * 100 / (100 + HASTE_PERCENT);
    return rmi_media_track_audio(&p->own[RMI_RTP_AUDIO], audio);
}

/* A copy: what a node puts out lies in a pool that it needs back soon. */
static rm_err append(struct rmi_media_speech *s, const rm_audio *a, size_t first, size_t frames) {
    rm_buf *buf = NULL;
    struct piece *piece = calloc(1, sizeof *piece);
    const size_t samples = frames * a->channels;
    rm_err err =
        piece ? rm_buf_copy(a->samples + first * a->channels, samples * sizeof *a->samples, &buf) : RM_E_NO_MEMORY;
    if (!err)
        err = rm_runtime_data_create_audio(buf, 0, samples, a->sample_rate, a->channels, &piece->audio);
    rm_buf_unref(&buf);
    if (err) {
        free(piece);
        return err;
    }
    piece->us = (int64_t)(frames * (uint64_t)RMI_SEC(1) / a->sample_rate);
    s->waiting_us += piece->us;
    rmi_list_push_back(&s->pieces, &piece->node);
    return RM_OK;
}

static rm_err append_all(struct rmi_media_speech *s, const rm_audio *a) {
    const size_t step = (size_t)rmi_max64((int64_t)a->sample_rate * PIECE_US / RMI_SEC(1), 1);
    rm_err err = s->waiting_us + duration_us(a) > WAITING_MAX_US ? RM_E_AGAIN : RM_OK;
    for (size_t at = 0; !err && at < a->frame_count; at += step)
        err = append(s, a, at, a->frame_count - at < step ? a->frame_count - at : step);
    return err;
}

rm_err rmi_media_speech_put(struct rmi_media_peer *p, rm_runtime_data *audio) {
    struct rmi_media_speech *s = &p->speech;
    const rm_audio *a = rm_runtime_data_audio(audio);
    const int64_t us = duration_us(a);
    pthread_mutex_lock(&s->mutex);
    const int64_t now_us = rmi_now_us();
    const bool at_once = rmi_list_empty(&s->pieces) && rmi_max64(s->until_us - now_us, 0) + us <= LEAD_US;
    const rm_err err = at_once ? send(p, audio, us, now_us) : append_all(s, a);
    pthread_mutex_unlock(&s->mutex);
    if (!at_once)
        rmi_media_wake_lane(p);
    return err;
}

int64_t rmi_media_speech_serve(struct rmi_media_peer *p) {
    struct rmi_media_speech *s = &p->speech;
    const int64_t now_us = rmi_now_us();
    pthread_mutex_lock(&s->mutex);
    while (!rmi_list_empty(&s->pieces) && s->until_us - now_us < LEAD_US) {
        struct piece *piece = take(s);
        (void)send(p, piece->audio, piece->us, now_us); /* as of live sound: a track that is gone takes nothing */
        free_piece(piece);
    }
    const int64_t next_us = rmi_list_empty(&s->pieces) ? RMI_NEVER : s->until_us - LEAD_US;
    pthread_mutex_unlock(&s->mutex);
    return next_us;
}

uint64_t rmi_media_speech_flush(struct rmi_media_peer *p) {
    struct piece *piece;
    uint64_t dropped = 0;
    pthread_mutex_lock(&p->speech.mutex);
    for (; (piece = take(&p->speech)); dropped++)
        free_piece(piece);
    pthread_mutex_unlock(&p->speech.mutex);
    return dropped;
}
