/* SPDX-License-Identifier: Apache-2.0 */
/* Media on the network thread: peers come and go, packets to the media threads, batches to the peers. */
#include "webrtc/media_private.h"

#include "base/log.h"
#include "rtp/ext.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO_CLOCK_HZ 90000 /* of every video format (RFC 7741, 6184, 9628) */
#define TICK_US RMI_SEC(1)
#define QUALITY_SHARE 0.25 /* of a second in what is judged: the last four or so */
/* Congestion control of a connection begins here and goes up to there: more than the pictures need, so that key frames
 * leave quickly where there is room. */
#define RATE_MIN_BPS 50000.0 /* narrow-band sound and its headers */
#define RATE_START_BPS 1000000.0
#define RATE_MAX_FACTOR 4.0
#define RATE_MAX_LEAST_BPS 4000000.0
#define LIMITED_BELOW 0.8 /* of the bitrate set; and full again */
#define FULL_ABOVE 0.95

static double ceiling_bps(const struct rmi_media *m) {
    return (double)m->t->config.target_bitrate_kbps * 1000.0;
}

struct rmi_cc_limits rmi_media_limits(const rm_webrtc_config *config) {
    const double target = (double)config->target_bitrate_kbps * 1000.0, most = RATE_MAX_FACTOR * target;
    if (!config->adaptive_bitrate_enabled)
        return (struct rmi_cc_limits){0};
    return (struct rmi_cc_limits){.min_bps = RATE_MIN_BPS,
                                  .start_bps = target < RATE_START_BPS ? target : RATE_START_BPS,
                                  .max_bps = most > RATE_MAX_LEAST_BPS ? most : RATE_MAX_LEAST_BPS};
}

/* ---- peers ---- */

static rm_err create_peer(struct rmi_media *m, const char *peer_id, struct rmi_media_peer **out) {
    struct rmi_media_peer *p = calloc(1, sizeof *p);
    if (!p)
        return RM_E_NO_MEMORY;
    p->media = m;
    p->audio_level = RMI_RTP_AUDIO_SILENT;
    snprintf(p->id, sizeof p->id, "%s", peer_id);
    atomic_init(&p->refs, 1);
    atomic_init(&p->audio_idle, true);
    rmi_list_init(&p->requests);
    pthread_mutex_init(&p->mutex, NULL);
    rmi_media_speech_init(&p->speech);
    pthread_mutex_lock(&m->mutex);
    m->live++;
    pthread_mutex_unlock(&m->mutex);
    rm_err err = rmi_media_cond_init(&p->wake);
    for (size_t k = 0; k < RMI_RTP_KINDS; k++) { /* both: what unref undoes */
        rm_err failed = rmi_media_track_init(&p->own[k], m, p, NULL);
        p->from[k] = m->all;
        err = err ? err : failed;
    }
    if (!err)
        err = rmi_ring_create(RMI_MEDIA_AUDIO_RING, &p->audio_ring);
    if (!err)
        err = rmi_ring_create(RMI_MEDIA_VIDEO_RING, &p->video_ring);
    rmi_av_sync_init(&p->sync, RMI_OPUS_CLOCK_HZ, VIDEO_CLOCK_HZ);
    p->sync.tolerance_us = RMI_AV_SYNC_UNNOTICED_US;
    p->target_bps = ceiling_bps(m);
    p->place.rung = p->place.sending = RMI_RUNG_NONE;
    rmi_media_peer_wishes_init(p);
    if (err)
        rmi_media_peer_unref(p);
    else
        *out = p;
    return err;
}

static void rate_changed(void *ctx, void *peer, int64_t now_us, const struct rmi_rtp_rate *rate) {
    struct rmi_media *m = ctx;
    struct rmi_media_peer *p = peer;
    const bool had = p->target_bps > 0;
    (void)now_us;
    p->available_bps = rate->target_bps;
    p->target_bps = rate->video_bps < ceiling_bps(m) ? rate->video_bps : ceiling_bps(m);
    rmi_media_refresh_targets(m);
    if (!had && p->target_bps > 0)
        rmi_media_key_wanted(p); /* it has missed some */
}

static void start_lane(struct rmi_media_peer *p) {
    if (p->has_lane)
        return;
    rm_err err = rmi_media_thread_start(p->media, rmi_media_lane_main, rmi_media_peer_ref(p));
    p->has_lane = err == RM_OK;
    if (err) {
        rmi_media_peer_unref(p);
        rm_event ev = {.type = RM_EV_ERROR, .err = err};
        snprintf(ev.peer_id, sizeof ev.peer_id, "%s", p->id);
        snprintf(ev.detail, sizeof ev.detail, "no thread for its media: %s", rm_strerror(err));
        rmi_webrtc_emit(p->media->t, &ev);
    }
}

static void *peer_up(void *ctx, const char *peer_id, struct rmi_rtp_session *rtp) {
    struct rmi_media *m = ctx;
    struct rmi_media_peer *p = NULL;
    rmi_media_join_ended(m); /* peers may come and go faster than the tick comes round */
    if (create_peer(m, peer_id, &p)) {
        rmi_log(m->t->log, RMI_LOG_APP, RM_LOG_ERROR, "peer=%s no memory for its media", peer_id);
        return NULL;
    }
    p->rtp = rtp;
    p->format[RMI_RTP_AUDIO] = p->format[RMI_RTP_VIDEO] = -1;
    pthread_mutex_lock(&m->mutex);
    bool first = rmi_list_empty(&m->peers), pipeline = m->manifest != NULL;
    rmi_list_push_back(&m->peers, &p->node);
    m->peers_generation++;
    m->woken = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->mutex);
    if (pipeline)
        start_lane(p);
    struct rmi_rtp_rate now;
    rmi_media_follow_wishes(m);
    rmi_media_refresh(m);
    if (rmi_rtp_session_get_rate(rtp, &now))
        rate_changed(m, p, rmi_now_us(), &now);
    if (first)
        rmi_timer_set_at(m->tick, rmi_now_us() + TICK_US);
    rmi_sessions_peer_up(p);
    return p;
}

static void peer_changed(void *ctx, void *peer) {
    (void)peer;
    rmi_media_refresh(ctx);
}

static void peer_down(void *ctx, void *peer) {
    struct rmi_media *m = ctx;
    struct rmi_media_peer *p = peer;
    pthread_mutex_lock(&m->mutex);
    rmi_list_remove(&p->node);
    m->peers_generation++;
    m->woken = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->mutex);
    p->rtp = NULL;
    atomic_store(&p->closing, true);
    rmi_sessions_peer_down(p);
    rmi_media_track_stop(&p->own[RMI_RTP_VIDEO]);
    rmi_media_wake_lane(p);
    rmi_media_refresh(m);
    rmi_media_peer_unref(p);
}

/* ---- packets in ---- */

static void packet_in(void *ctx, void *peer, const struct rmi_rtp_in *in) {
    struct rmi_media *m = ctx;
    struct rmi_media_peer *p = peer;
    if (in->has_audio_level)
        p->audio_level = in->audio_level;
    if (!p->hears[in->kind])
        return;
    if (!atomic_load(&m->wants_media) && atomic_load(&m->sessions.takers[in->kind]) == 0)
        return;
    struct rmi_buf *buf = rmi_buf_alloc(sizeof(struct rmi_media_packet) + in->len, m->packets);
    if (!buf)
        return; /* as lost on the way; repaired or concealed like that */
    buf->len = sizeof(struct rmi_media_packet) + in->len;
    struct rmi_media_packet *packet = (struct rmi_media_packet *)(void *)buf->data;
    *packet = (struct rmi_media_packet){.buf = buf,
                                        .format = in->format,
                                        .ssrc = in->ssrc,
                                        .timestamp = in->timestamp,
                                        .seq = in->seq,
                                        .marker = in->marker,
                                        .padding = in->padding,
                                        .repaired = in->repaired,
                                        .arrival_us = in->arrival_us,
                                        .len = (uint32_t)in->len};
    if (in->len)
        memcpy(buf->data + sizeof *packet, in->payload, in->len);
    bool audio = in->kind == RMI_RTP_AUDIO;
    if (!rmi_ring_push(audio ? p->audio_ring : p->video_ring, packet)) {
        rmi_media_free_packet(packet);
        return;
    }
    if (audio) {
        if (atomic_exchange(&p->audio_idle, false)) /* see serve_or_idle */
            rmi_media_wake_audio(m);
    } else {
        start_lane(p);
        if (in->marker || in->repaired || rmi_ring_count(p->video_ring) > RMI_MEDIA_VIDEO_RING / 2)
            rmi_media_wake_lane(p); /* others wait for the end of their frame */
    }
}

static void key_request(void *ctx, void *peer, int64_t now_us) {
    (void)ctx;
    (void)now_us;
    rmi_media_key_wanted(peer);
}

static void sender_report(void *ctx, void *peer, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp) {
    struct rmi_media_peer *p = peer;
    (void)ctx;
    pthread_mutex_lock(&p->mutex);
    p->reports[kind == RMI_RTP_AUDIO ? RMI_AV_AUDIO : RMI_AV_VIDEO] =
        (struct rmi_media_report){.fresh = true, .ntp = ntp, .timestamp = timestamp};
    pthread_mutex_unlock(&p->mutex);
}

struct rmi_endpoint_media_ops rmi_media_ops(struct rmi_media *m) {
    return (struct rmi_endpoint_media_ops){.peer_up = peer_up,
                                           .peer_changed = peer_changed,
                                           .peer_down = peer_down,
                                           .packet = packet_in,
                                           .key_request = key_request,
                                           .sender_report = sender_report,
                                           .rate = rate_changed,
                                           .ctx = m};
}

/* ---- batches out ---- */

static void send_item(const struct rmi_media_item *item, int64_t now_us) {
    if (item->output)
        rmi_media_output_send(item, now_us);
    else if (item->peer->rtp)
        rmi_media_own_send(item, now_us);
}

static void ask_keys(struct rmi_media *m, int64_t now_us, bool lanes) {
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (atomic_exchange(&p->ask_key, false))
            rmi_rtp_session_ask_key(p->rtp, now_us);
        if (lanes)
            start_lane(p);
    }
}

void rmi_media_flush(void *media) {
    struct rmi_media *m = media;
    struct rm_webrtc *t = m->t;
    struct rmi_list items;
    rmi_list_init(&items);
    pthread_mutex_lock(&m->mutex);
    for (struct rmi_list *node = rmi_list_pop_front(&m->outbox); node; node = rmi_list_pop_front(&m->outbox))
        rmi_list_push_back(&items, node);
    bool refresh = m->refresh, lanes = refresh && m->manifest != NULL;
    m->refresh = false;
    pthread_mutex_unlock(&m->mutex);
    int64_t now_us = rmi_now_us();
    if (refresh) {
        rmi_media_follow_wishes(m);
        rmi_media_follow_routes(m);
        rmi_media_refresh(m);
    }
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++)
        if (t->sockets[i].udp)
            rmi_udp_batch_begin(t->sockets[i].udp);
    for (struct rmi_list *node = rmi_list_pop_front(&items); node; node = rmi_list_pop_front(&items)) {
        struct rmi_media_item *item = RMI_CONTAINER_OF(node, struct rmi_media_item, node);
        send_item(item, now_us);
        rmi_media_drop_item(m, item);
    }
    ask_keys(m, now_us, lanes);
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX; i++)
        if (t->sockets[i].udp)
            rmi_udp_batch_end(t->sockets[i].udp);
    rmi_webrtc_after(t);
}

/* ---- once a second ---- */

static void update_rate(struct rmi_media_rate *r, int64_t now_us, uint64_t bytes, uint64_t frames) {
    double seconds = (double)(now_us - r->at_us) / 1e6;
    if (r->at_us && seconds > 0) {
        r->bps = (double)(bytes - r->bytes) * 8.0 / seconds;
        r->fps = (double)(frames - r->frames) / seconds;
    }
    r->at_us = now_us;
    r->bytes = bytes;
    r->frames = frames;
}

/* What the application should know: told when it stays so for a tick, so that probes and single drops say nothing. */
static void tell_bandwidth(struct rmi_media *m, struct rmi_media_peer *p) {
    const double full = ceiling_bps(m);
    const rm_bandwidth was = p->bandwidth_next;
    if (p->target_bps <= 0)
        p->bandwidth_next = RM_BANDWIDTH_NO_PICTURES;
    else if (p->target_bps < LIMITED_BELOW * full)
        p->bandwidth_next = RM_BANDWIDTH_LIMITED;
    else if (p->target_bps >= FULL_ABOVE * full)
        p->bandwidth_next = RM_BANDWIDTH_FULL;
    if (p->bandwidth_next != was || p->bandwidth_next == p->bandwidth)
        return;
    p->bandwidth = p->bandwidth_next;
    rm_event ev = {.type = RM_EV_BANDWIDTH, .bandwidth = p->bandwidth, .available_bps = p->available_bps};
    snprintf(ev.peer_id, sizeof ev.peer_id, "%s", p->id);
    rmi_webrtc_emit(m->t, &ev);
}

/* What is judged is what comes; where nothing does, what the peer reports of ours. */
static void judge(struct rmi_media_peer *p, int64_t now_us, const struct rmi_rtp_session_stats *s,
                  const struct rmi_audio_receiver_stats *audio, const struct rmi_video_receiver_stats *video) {
    struct rmi_media_judged *j = &p->judged;
    const double seconds = (double)(now_us - j->at_us) / 1e6;
    const uint64_t samples = audio->samples - j->samples, concealed = audio->concealed_samples - j->concealed;
    const bool first = j->at_us == 0;
    const double frozen = (double)(video->frozen_us - j->frozen_us) / 1e6;
    j->at_us = now_us;
    j->samples = audio->samples;
    j->concealed = audio->concealed_samples;
    j->frozen_us = video->frozen_us;
    if (first || seconds <= 0)
        return;
    if (samples)
        j->concealed_share += ((double)concealed / (double)samples - j->concealed_share) * QUALITY_SHARE;
    j->frozen_share += (fmin(frozen / seconds, 1) - j->frozen_share) * QUALITY_SHARE;
    const struct rmi_rtp_stream_stats *const in = s->in, *const out = s->out;
    const double lost_out = fmax(out[RMI_RTP_AUDIO].fraction_lost, out[RMI_RTP_VIDEO].fraction_lost);
    const double lost_in = fmax(in[RMI_RTP_AUDIO].fraction_lost, in[RMI_RTP_VIDEO].fraction_lost);
    struct rmi_quality_input q = {.sound = p->in[RMI_RTP_AUDIO].bps > 0,
                                  .pictures = p->in[RMI_RTP_VIDEO].bps > 0,
                                  .rtt_ms = (double)s->rtt_us / 1e3,
                                  .sound_buffer_ms = (double)audio->waited_us / 1e3,
                                  .picture_buffer_ms = (double)video->waited_us / 1e3,
                                  .concealed = j->concealed_share,
                                  .frozen = j->frozen_share,
                                  .fps = p->in[RMI_RTP_VIDEO].fps,
                                  .loss = fmax(lost_in, lost_out)};
    if (!q.sound && !q.pictures) {
        q.sound = p->out[RMI_RTP_AUDIO].bps > 0;
        q.pictures = p->out[RMI_RTP_VIDEO].bps > 0;
        q.concealed = lost_out;
        q.frozen = 0;
        q.fps = p->out[RMI_RTP_VIDEO].fps;
        q.sound_buffer_ms = q.picture_buffer_ms = 0;
    }
    p->quality = rmi_quality_of(&q);
}

void rmi_media_tick(void *media, int64_t now_us) {
    struct rmi_media *m = media;
    rmi_media_join_ended(m);
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        struct rmi_rtp_session_stats s;
        rmi_rtp_session_get_stats(p->rtp, &s);
        pthread_mutex_lock(&p->mutex);
        const struct rmi_audio_receiver_stats audio = p->audio_stats;
        const struct rmi_video_receiver_stats video = p->video_stats;
        pthread_mutex_unlock(&p->mutex);
        uint64_t frames_in[RMI_RTP_KINDS] = {audio.chunks, video.frames};
        for (int k = 0; k < RMI_RTP_KINDS; k++) {
            update_rate(&p->in[k], now_us, s.in[k].bytes, frames_in[k]);
            update_rate(&p->out[k], now_us, s.out[k].bytes, s.out[k].frames);
        }
        judge(p, now_us, &s, &audio, &video);
        p->fec_loss = rmi_rtp_session_needs_fec(p->rtp) ? s.out[RMI_RTP_AUDIO].loss : 0;
        atomic_store(&p->rtt_us, s.rtt_us);
        if (m->t->config.adaptive_bitrate_enabled)
            tell_bandwidth(m, p);
    }
    rmi_media_follow_wishes(m);
    rmi_media_note_pictures(m);
    rmi_media_refresh_targets(m); /* who has a track of its own by now */
    rmi_media_refresh_fec(m, now_us);
    rmi_timer_set_at(m->tick, rmi_list_empty(&m->peers) ? RMI_NEVER : now_us + TICK_US);
}
