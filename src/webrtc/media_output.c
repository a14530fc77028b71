/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs: what several peers get the same of. Who gets which, in which of its qualities, and what that asks of the
 * encoders. Peers and their places are the network thread's; data comes on any. */
#include "webrtc/media_private.h"

#include "base/log.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

struct rmi_media_output *rmi_media_output_ref(struct rmi_media_output *o) {
    atomic_fetch_add(&o->refs, 1);
    return o;
}

void rmi_media_output_unref(struct rmi_media_output *o) {
    if (atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    rmi_media_track_fini(&o->audio);
    for (int r = 0; r < RMI_RUNGS_MAX; r++)
        rmi_media_track_fini(&o->rungs[r]);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

rm_err rmi_media_output_create(struct rmi_media *m, const char *name, struct rmi_media_output **out) {
    if (strlen(name) >= sizeof((struct rmi_media_output *)NULL)->name)
        return RM_E_INVALID_ARG;
    struct rmi_media_output *o = calloc(1, sizeof *o);
    if (!o)
        return RM_E_NO_MEMORY;
    o->media = m;
    memcpy(o->name, name, strlen(name) + 1);
    atomic_init(&o->refs, 1);
    pthread_mutex_init(&o->mutex, NULL);
    rm_err err = rmi_media_track_init(&o->audio, m, NULL, o);
    for (int r = 0; r < RMI_RUNGS_MAX; r++) { /* all: what unref undoes */
        rm_err failed = rmi_media_track_init(&o->rungs[r], m, NULL, o);
        o->rungs[r].rung = r;
        err = err ? err : failed;
    }
    if (err) {
        rmi_media_output_unref(o);
        return err;
    }
    struct rmi_video_sender_settings settings;
    rmi_media_default_settings(&m->t->config, &settings);
    pthread_mutex_lock(&m->outputs_mutex);
    if (m->all) { /* as they have become */
        pthread_mutex_lock(&m->all->mutex);
        settings = m->all->settings;
        pthread_mutex_unlock(&m->all->mutex);
    }
    rmi_media_output_configure(o, &settings);
    rmi_list_push_back(&m->outputs, &rmi_media_output_ref(o)->node);
    pthread_mutex_unlock(&m->outputs_mutex);
    *out = o;
    return RM_OK;
}

void rmi_media_output_configure(struct rmi_media_output *o, const struct rmi_video_sender_settings *settings) {
    const rm_webrtc_config *c = &o->media->t->config;
    const struct rmi_rung top = {settings->max_width, settings->max_height, settings->bitrate_bps};
    struct rmi_rung below[RM_VIDEO_RUNGS_MAX];
    for (size_t i = 0; i < c->video_rung_count; i++)
        below[i] = (struct rmi_rung){c->video_rungs[i].max_width, c->video_rungs[i].max_height,
                                     c->video_rungs[i].max_bitrate_kbps * 1000};
    pthread_mutex_lock(&o->mutex);
    o->settings = *settings;
    rmi_rungs_build(&top, below, c->video_rung_count, &o->ladder);
    for (int r = 0; r < o->ladder.count; r++) {
        struct rmi_video_sender_settings lower = *settings;
        lower.max_width = o->ladder.rung[r].max_width;
        lower.max_height = o->ladder.rung[r].max_height;
        lower.bitrate_bps = o->ladder.rung[r].max_bps;
        rmi_media_track_configure(&o->rungs[r], &lower);
    }
    pthread_mutex_unlock(&o->mutex);
}

void rmi_media_configure_outputs(struct rmi_media *m, const struct rmi_video_sender_settings *settings) {
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        rmi_media_output_configure(RMI_CONTAINER_OF(node, struct rmi_media_output, node), settings);
    }
    pthread_mutex_unlock(&m->outputs_mutex);
    rmi_media_ask_network(m, true);
}

void rmi_media_output_stop(struct rmi_media_output *o) {
    for (int r = 0; r < RMI_RUNGS_MAX; r++)
        rmi_media_track_stop(&o->rungs[r]);
}

void rmi_media_output_destroy(struct rmi_media_output **output) {
    struct rmi_media_output *o = *output;
    *output = NULL;
    if (!o)
        return;
    atomic_store(&o->closed, true);
    rmi_media_output_stop(o);
    rmi_media_ask_network(o->media, true);
    rmi_media_output_unref(o);
}

/* ---- data, on any thread ---- */

rm_err rmi_media_output_audio(struct rmi_media_output *o, rm_runtime_data *audio) {
    return rmi_media_track_audio(&o->audio, audio);
}

rm_err rmi_media_output_video(struct rmi_media_output *o, rm_runtime_data *video) {
    pthread_mutex_lock(&o->mutex);
    const int64_t time_us = rmi_media_clock_step(&o->clock, rm_runtime_data_timestamp_us(video), rmi_now_us());
    pthread_mutex_unlock(&o->mutex);
    const bool passing = rm_runtime_data_video(video)->format == RM_PIXEL_ENCODED;
    if (atomic_exchange(&o->passing, passing) != passing)
        rmi_media_ask_network(o->media, true);
    rm_err err = rmi_media_track_video_at(&o->rungs[0], video, time_us);
    for (int r = 1; r < RMI_RUNGS_MAX && !err && !passing; r++)
        err = rmi_media_track_video_at(&o->rungs[r], video, time_us); /* returns at once where nobody is */
    return err;
}

/* ---- routes ---- */

static void set_route(struct rmi_media_peer *p, enum rmi_rtp_kind kind, struct rmi_media_output *output,
                      const rm_quality *cap) {
    if (output && atomic_load(&output->closed))
        output = p->media->all;
    if (kind == RMI_RTP_VIDEO) {
        p->cap = cap ? *cap : (rm_quality){0};
        p->place.rung = RMI_RUNG_NONE; /* what it may have is found anew */
    }
    if (p->from[kind] == output)
        return;
    p->from[kind] = output;
    if (kind == RMI_RTP_VIDEO)
        p->place.sending = RMI_RUNG_NONE; /* of another source: what it gets so far is wanted no more */
}

void rmi_media_route(struct rmi_media_peer *p, enum rmi_rtp_kind kind, struct rmi_media_output *output,
                     const rm_quality *cap) {
    set_route(p, kind, output, cap);
    rmi_media_refresh(p->media);
}

static void free_route(struct rmi_media_route *r) {
    rmi_media_peer_unref(r->peer);
    if (r->output)
        rmi_media_output_unref(r->output);
    free(r);
}

rm_err rmi_media_ask_route(struct rmi_media_peer *p, enum rmi_rtp_kind kind, struct rmi_media_output *output,
                           const rm_quality *cap) {
    struct rmi_media *m = p->media;
    struct rmi_media_route *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    r->peer = rmi_media_peer_ref(p);
    r->kind = kind;
    r->output = output ? rmi_media_output_ref(output) : NULL;
    if (cap)
        r->cap = *cap;
    pthread_mutex_lock(&m->mutex);
    const bool taken = m->running;
    if (taken)
        rmi_list_push_back(&m->routes, &r->node);
    pthread_mutex_unlock(&m->mutex);
    if (!taken) {
        free_route(r);
        return RM_E_CLOSED;
    }
    rmi_media_ask_network(m, true);
    return RM_OK;
}

static struct rmi_media_route *next_route(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    struct rmi_list *node = rmi_list_pop_front(&m->routes);
    pthread_mutex_unlock(&m->mutex);
    return node ? RMI_CONTAINER_OF(node, struct rmi_media_route, node) : NULL;
}

void rmi_media_drop_routes(struct rmi_media *m) {
    for (struct rmi_media_route *r; (r = next_route(m)); free_route(r))
        ;
}

static struct rmi_media_output *next_closed(struct rmi_media *m) {
    struct rmi_media_output *found = NULL;
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        struct rmi_media_output *o = RMI_CONTAINER_OF(node, struct rmi_media_output, node);
        if (atomic_load(&o->closed)) {
            found = o;
            rmi_list_remove(&o->node);
            break;
        }
    }
    pthread_mutex_unlock(&m->outputs_mutex);
    return found;
}

void rmi_media_sweep_outputs(struct rmi_media *m) {
    for (struct rmi_media_output *o; (o = next_closed(m)); rmi_media_output_unref(o))
        RMI_LIST_FOREACH (node, next, &m->peers) {
            struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
            for (int k = 0; k < RMI_RTP_KINDS; k++)
                if (p->from[k] == o)
                    set_route(p, (enum rmi_rtp_kind)k, m->all, NULL);
        }
}

void rmi_media_follow_routes(struct rmi_media *m) {
    for (struct rmi_media_route *r; (r = next_route(m)); free_route(r))
        if (r->peer->rtp)
            set_route(r->peer, r->kind, r->output, &r->cap);
    rmi_media_sweep_outputs(m);
}

/* ---- who gets what ---- */

static bool has_own(const struct rmi_media_peer *p, int kind) {
    return atomic_load(&p->own[kind].used);
}

static void ask_key(struct rmi_media_track *track, int format) {
    if (format < 0)
        return;
    atomic_store(&track->key_time_us, 0);
    atomic_fetch_or(&track->keys, 1u << format);
}

/* What the peer can receive of us. A format that it is new to begins with a key frame. */
static void refresh_formats(struct rmi_media_peer *p) {
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        enum rmi_payload_format f;
        const int format = rmi_rtp_session_send_format(p->rtp, (enum rmi_rtp_kind)k, &f) ? (int)f : -1;
        if (format != p->format[k]) {
            ask_key(&p->own[k], format);
            if (k == RMI_RTP_VIDEO)
                p->place.rung = p->place.sending = RMI_RUNG_NONE;
        }
        p->format[k] = format;
        atomic_store(&p->can[k], format >= 0);
        const unsigned bit = format >= 0 && rmi_media_wanted(p, k) ? 1u << format : 0;
        if (bit && !atomic_exchange(&p->own[k].formats, bit))
            ask_key(&p->own[k], format); /* wanted again */
        atomic_store(&p->own[k].formats, bit);
    }
}

/* The rung has changed: its encoder shall make a key frame. */
static void follow_place(struct rmi_media_peer *p, int before) {
    const int rung = p->place.rung;
    if (rung != before && rung != RMI_RUNG_NONE && rung != p->place.sending)
        ask_key(&p->from[RMI_RTP_VIDEO]->rungs[rung], p->format[RMI_RTP_VIDEO]);
}

/* The peers that get the output's pictures, with what each can take. */
static size_t collect(struct rmi_media *m, struct rmi_media_output *o, struct rmi_media_peer *out[RM_PEERS_MAX]) {
    size_t count = 0;
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (p->from[RMI_RTP_VIDEO] != o || count == RM_PEERS_MAX)
            continue;
        const bool member = !has_own(p, RMI_RTP_VIDEO) && p->format[RMI_RTP_VIDEO] >= 0 && p->wish.video;
        const rm_quality cap = rmi_media_cap(p);
        p->place.target_bps = member ? p->target_bps : 0;
        p->place.cap_width = cap.width;
        p->place.cap_height = cap.height;
        p->place.cap_bps = cap.bitrate_kbps * 1000;
        out[count++] = p;
    }
    return count;
}

static void place_all(struct rmi_media *m, struct rmi_media_output *o, int64_t now_us) {
    struct rmi_media_peer *peers[RM_PEERS_MAX];
    struct rmi_rung_peer *places[RM_PEERS_MAX];
    struct rmi_rung_use use[RMI_RUNGS_MAX];
    int before[RM_PEERS_MAX];
    const size_t count = collect(m, o, peers);
    for (size_t i = 0; i < count; i++) {
        places[i] = &peers[i]->place;
        before[i] = places[i]->rung;
    }
    pthread_mutex_lock(&o->mutex);
    struct rmi_rungs ladder = o->ladder;
    pthread_mutex_unlock(&o->mutex);
    if (atomic_load(&o->passing))
        ladder.count = 1;
    rmi_rungs_place(&ladder, &o->memory, places, count, now_us, use);
    unsigned formats[RMI_RUNGS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        const unsigned bit = peers[i]->format[RMI_RTP_VIDEO] < 0 ? 0 : 1u << peers[i]->format[RMI_RTP_VIDEO];
        follow_place(peers[i], before[i]);
        if (places[i]->rung != RMI_RUNG_NONE)
            formats[places[i]->rung] |= bit;
        if (places[i]->sending != RMI_RUNG_NONE)
            formats[places[i]->sending] |= bit; /* until it changes over */
    }
    for (int r = 0; r < RMI_RUNGS_MAX; r++) {
        if (use[r].peers > 0) /* who is about to leave it gets what it got */
            atomic_store(&o->rungs[r].target_bps, (unsigned)use[r].bps);
        atomic_store(&o->rungs[r].formats, formats[r]);
    }
}

/* Sound of the output goes to it. */
static bool hears(const struct rmi_media_peer *p, const struct rmi_media_output *o) {
    return p->from[RMI_RTP_AUDIO] == o && !has_own(p, RMI_RTP_AUDIO) && p->format[RMI_RTP_AUDIO] >= 0 && p->wish.audio;
}

/* How much of its path the peer's sound may take. */
static void note_path(struct rmi_media_peer *p) {
    const struct rmi_media_output *o = p->from[RMI_RTP_VIDEO];
    const struct rmi_media_track *track = has_own(p, RMI_RTP_VIDEO) ? &p->own[RMI_RTP_VIDEO] : o ? &o->rungs[0] : NULL;
    const struct rmi_media_output *heard = p->from[RMI_RTP_AUDIO];
    const struct rmi_media_track *from = has_own(p, RMI_RTP_AUDIO) ? &p->own[RMI_RTP_AUDIO]
                                         : heard                   ? &heard->audio
                                                                   : NULL;
    if (from != p->sound_from)
        p->sound.sending = RMI_AUDIO_NOTHING;
    p->sound_from = from;
    p->sound.path_bps = p->available_bps;
    p->sound.copies = rmi_rtp_session_copies(p->rtp);
    p->sound.pictures = track && track->has_pictures && p->format[RMI_RTP_VIDEO] >= 0 && p->wish.video;
}

static void place_sound(struct rmi_media_track *track, struct rmi_audio_share_peer *const *peers, size_t count,
                        int64_t now_us) {
    const rm_webrtc_config *c = &track->media->t->config;
    const struct rmi_audio_full full = {.frame_us = c->audio_frame_us, .bitrate_bps = c->audio_bitrate_bps};
    struct rmi_audio_make make;
    rmi_audio_share_place(&full, peers, count, now_us, &make);
    atomic_store(&track->full, make.full);
    atomic_store(&track->narrow_bps, make.narrow_bps);
    if (make.change)
        atomic_store(&track->change, true);
}

/* Formats and rates of an output's encoders. */
static void refresh_output(struct rmi_media *m, struct rmi_media_output *o, int64_t now_us) {
    struct rmi_audio_share_peer *listeners[RM_PEERS_MAX];
    size_t count = 0;
    unsigned sound = 0;
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (!hears(p, o) || count == RM_PEERS_MAX)
            continue;
        sound |= 1u << p->format[RMI_RTP_AUDIO];
        listeners[count++] = &p->sound;
    }
    place_sound(&o->audio, listeners, count, now_us);
    atomic_store(&o->audio.formats, sound);
    place_all(m, o, now_us);
}

static void note_pictures(struct rmi_media_track *track) {
    track->has_pictures = atomic_exchange(&track->offered, false);
}

void rmi_media_note_pictures(struct rmi_media *m) {
    RMI_LIST_FOREACH (node, next, &m->peers) {
        note_pictures(&RMI_CONTAINER_OF(node, struct rmi_media_peer, node)->own[RMI_RTP_VIDEO]);
    }
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        note_pictures(&RMI_CONTAINER_OF(node, struct rmi_media_output, node)->rungs[0]);
    }
    pthread_mutex_unlock(&m->outputs_mutex);
}

void rmi_media_refresh_targets(struct rmi_media *m) {
    const int64_t now_us = rmi_now_us();
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        struct rmi_media_track *own = &p->own[RMI_RTP_VIDEO];
        const rm_quality cap = rmi_media_cap(p);
        const double most = cap.tier == RM_TIER_NONE ? p->target_bps : fmin(p->target_bps, cap.bitrate_kbps * 1000.0);
        atomic_store(&own->target_bps, most > 0 ? (unsigned)most : RMI_MEDIA_NO_PICTURES);
        atomic_store(&own->max_width, cap.width);
        atomic_store(&own->max_height, cap.height);
        note_path(p);
        if (has_own(p, RMI_RTP_AUDIO)) {
            struct rmi_audio_share_peer *sound = &p->sound;
            place_sound(&p->own[RMI_RTP_AUDIO], &sound, 1, now_us);
        }
    }
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        refresh_output(m, RMI_CONTAINER_OF(node, struct rmi_media_output, node), now_us);
    }
    pthread_mutex_unlock(&m->outputs_mutex);
}

static void step_fec(struct rmi_media_track *track, int64_t now_us, double loss) {
    const int percent = rmi_audio_fec_step(&track->fec, now_us, loss);
    if ((percent > 0) != (atomic_load(&track->fec_percent) > 0))
        rmi_log(track->media->t->log, RMI_LOG_APP, RM_LOG_INFO, "peer=%s FEC of sound %s: %.1f %% lost",
                track->peer ? track->peer->id : "(all)", percent > 0 ? "on" : "off", 100 * loss);
    atomic_store(&track->fec_percent, percent);
}

void rmi_media_refresh_fec(struct rmi_media *m, int64_t now_us) {
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (has_own(p, RMI_RTP_AUDIO))
            step_fec(&p->own[RMI_RTP_AUDIO], now_us, p->fec_loss);
    }
    pthread_mutex_lock(&m->outputs_mutex);
    RMI_LIST_FOREACH (node, next, &m->outputs) {
        struct rmi_media_output *o = RMI_CONTAINER_OF(node, struct rmi_media_output, node);
        double worst = 0;
        RMI_LIST_FOREACH (of, after, &m->peers) {
            const struct rmi_media_peer *p = RMI_CONTAINER_OF(of, struct rmi_media_peer, node);
            if (hears(p, o))
                worst = fmax(worst, p->fec_loss);
        }
        step_fec(&o->audio, now_us, worst);
    }
    pthread_mutex_unlock(&m->outputs_mutex);
}

void rmi_media_refresh(struct rmi_media *m) {
    RMI_LIST_FOREACH (node, next, &m->peers) {
        refresh_formats(RMI_CONTAINER_OF(node, struct rmi_media_peer, node));
    }
    rmi_media_refresh_targets(m);
}

struct rmi_media_track *rmi_media_video_track(struct rmi_media_peer *p) {
    struct rmi_media_output *o = p->from[RMI_RTP_VIDEO];
    if (has_own(p, RMI_RTP_VIDEO))
        return &p->own[RMI_RTP_VIDEO];
    const int rung = p->place.sending != RMI_RUNG_NONE ? p->place.sending : p->place.rung;
    return o ? &o->rungs[rung == RMI_RUNG_NONE ? 0 : rung] : NULL;
}

void rmi_media_key_wanted(struct rmi_media_peer *p) {
    struct rmi_media_track *track = rmi_media_video_track(p);
    if (track)
        ask_key(track, p->format[RMI_RTP_VIDEO]);
}

/* ---- to its peers ---- */

static bool gets(struct rmi_media_peer *p, struct rmi_media_output *o, int rung, const struct rmi_rtp_batch *batch) {
    const int own = p->place.rung;
    const enum rmi_rung_pass pass = rmi_rungs_pass(&p->place, rung, batch->key_frame, batch->capture_us,
                                                   own == RMI_RUNG_NONE ? 0 : atomic_load(&o->rungs[own].key_time_us));
    if (pass == RMI_RUNG_LATE)
        ask_key(&o->rungs[rung], (int)batch->format);
    return pass == RMI_RUNG_SEND;
}

void rmi_media_output_send(const struct rmi_media_item *item, int64_t now_us) {
    struct rmi_media_output *o = item->output;
    const struct rmi_rtp_batch *batch = item->batch;
    struct rmi_media *m = o->media;
    const int kind = batch->format == RMI_PAYLOAD_OPUS ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (p->from[kind] != o || p->format[kind] != (int)batch->format || has_own(p, kind) ||
            !rmi_media_wanted(p, kind))
            continue;
        if (kind == RMI_RTP_VIDEO ? !gets(p, o, item->rung, batch)
                                  : !rmi_audio_share_pass(&p->sound, item->narrow, batch))
            continue;
        rmi_rtp_session_send(p->rtp, now_us, batch);
    }
}

void rmi_media_own_send(const struct rmi_media_item *item, int64_t now_us) {
    struct rmi_media_peer *p = item->peer;
    if (item->batch->format != RMI_PAYLOAD_OPUS || rmi_audio_share_pass(&p->sound, item->narrow, item->batch))
        rmi_rtp_session_send(p->rtp, now_us, item->batch);
}
