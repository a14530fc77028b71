/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of webrtc_media.h. */
#include "webrtc/media_private.h"

#include "media/level.h"
#include "signaling/dialect.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a call gets when the transport is not running. */
static rm_err running(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    rm_err err = m->running ? RM_OK : m->stopped ? RM_E_CLOSED : RM_E_STATE;
    pthread_mutex_unlock(&m->mutex);
    return err;
}

static bool kind_of(const rm_runtime_data *data, enum rmi_rtp_kind *kind) {
    rm_data_type type = rm_runtime_data_type(data);
    *kind = type == RM_DATA_AUDIO ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    return type == RM_DATA_AUDIO || type == RM_DATA_VIDEO;
}

static rm_err send_media(rm_webrtc *t, const char *peer_id, rm_runtime_data *data, enum rmi_rtp_kind kind) {
    rm_err err = running(t->media);
    if (err)
        return err;
    bool enabled = kind == RMI_RTP_AUDIO ? t->config.enable_audio : t->config.enable_video;
    if (!enabled)
        return RM_E_UNSUPPORTED;
    if (!peer_id)
        return kind == RMI_RTP_AUDIO ? rmi_media_output_audio(t->media->all, data)
                                     : rmi_media_output_video(t->media->all, data);
    struct rmi_media_peer *p = rmi_media_find(t->media, peer_id);
    if (!p)
        return RM_E_NOT_FOUND;
    err = RM_E_UNSUPPORTED;
    if (atomic_load(&p->can[kind])) {
        atomic_store(&p->own[kind].by_application, true);
        err = kind == RMI_RTP_AUDIO ? rmi_media_track_audio(&p->own[kind], data)
                                    : rmi_media_track_video(&p->own[kind], data);
    }
    rmi_media_peer_unref(p);
    return err;
}

rm_err rm_webrtc_send_audio(rm_webrtc *t, const char *peer_id, rm_runtime_data *audio) {
    if (!t || !audio || !rm_runtime_data_audio(audio))
        return RM_E_INVALID_ARG;
    return send_media(t, peer_id, audio, RMI_RTP_AUDIO);
}

rm_err rm_webrtc_send_video(rm_webrtc *t, const char *peer_id, rm_runtime_data *video) {
    if (!t || !video || !rm_runtime_data_video(video))
        return RM_E_INVALID_ARG;
    return send_media(t, peer_id, video, RMI_RTP_VIDEO);
}

rm_err rm_webrtc_send_to_peer(rm_webrtc *t, const char *peer_id, rm_runtime_data *data) {
    enum rmi_rtp_kind kind;
    if (!t || !peer_id || !data)
        return RM_E_INVALID_ARG;
    return kind_of(data, &kind) ? send_media(t, peer_id, data, kind) : RM_E_UNSUPPORTED;
}

rm_err rm_webrtc_broadcast(rm_webrtc *t, rm_runtime_data *data, rm_send_result *results, size_t cap, size_t *count) {
    enum rmi_rtp_kind kind;
    if (!t || !data || !count || (cap && !results))
        return RM_E_INVALID_ARG;
    if (!kind_of(data, &kind))
        return RM_E_UNSUPPORTED;
    rm_err err = send_media(t, NULL, data, kind);
    if (err)
        return err;
    struct rmi_media *m = t->media;
    *count = 0;
    pthread_mutex_lock(&m->mutex);
    RMI_LIST_FOREACH (node, next, &m->peers) {
        struct rmi_media_peer *p = RMI_CONTAINER_OF(node, struct rmi_media_peer, node);
        if (*count < cap) {
            rm_send_result *r = &results[*count];
            memcpy(r->peer_id, p->id, sizeof r->peer_id);
            r->err = !atomic_load(&p->can[kind])       ? RM_E_UNSUPPORTED
                     : atomic_load(&p->own[kind].used) ? RM_E_STATE
                                                       : RM_OK;
        }
        (*count)++;
    }
    pthread_mutex_unlock(&m->mutex);
    return RM_OK;
}

rm_err rm_webrtc_set_video(rm_webrtc *t, const char *peer_id, const rm_video_settings *settings) {
    if (!t || !settings || settings->bitrate_bps < RMI_VIDEO_BITRATE_MIN_BPS ||
        settings->bitrate_bps > RMI_VIDEO_BITRATE_MAX_BPS || settings->framerate_fps < 1 ||
        settings->framerate_fps > RMI_VIDEO_FPS_MAX || settings->max_width < RMI_VIDEO_SIDE_MIN ||
        settings->max_width > RMI_VIDEO_SIDE_MAX || settings->max_height < RMI_VIDEO_SIDE_MIN ||
        settings->max_height > RMI_VIDEO_SIDE_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_media_peer *p = peer_id ? rmi_media_find(t->media, peer_id) : NULL;
    if (peer_id && !p)
        return RM_E_NOT_FOUND;
    const struct rmi_video_sender_settings s = {.bitrate_bps = settings->bitrate_bps,
                                                .max_fps = settings->framerate_fps,
                                                .max_width = settings->max_width,
                                                .max_height = settings->max_height};
    if (!p) {
        rmi_media_configure_outputs(t->media, &s);
        return RM_OK;
    }
    rmi_media_track_configure(&p->own[RMI_RTP_VIDEO], &s);
    rmi_media_peer_unref(p);
    return RM_OK;
}

rm_err rm_webrtc_request_key_frame(rm_webrtc *t, const char *peer_id) {
    if (!t || !peer_id)
        return RM_E_INVALID_ARG;
    rm_err err = running(t->media);
    struct rmi_media_peer *p = err ? NULL : rmi_media_find(t->media, peer_id);
    if (!p)
        return err ? err : RM_E_NOT_FOUND;
    atomic_store(&p->ask_key, true);
    rmi_media_ask_network(t->media, false);
    rmi_media_peer_unref(p);
    return RM_OK;
}

/* ---- pipelines ---- */

rm_manifest *rmi_media_pipeline(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    rm_manifest *manifest = m->manifest ? rm_manifest_ref(m->manifest) : NULL;
    pthread_mutex_unlock(&m->mutex);
    return manifest;
}

bool rmi_media_has_pipeline(struct rmi_media *m) {
    pthread_mutex_lock(&m->mutex);
    bool has = m->manifest != NULL;
    pthread_mutex_unlock(&m->mutex);
    return has;
}

/* Makes a session and throws it away, so that a manifest that cannot run is refused here and not with the first peer.
 */
static rm_err try_manifest(rm_pipeline_runner *runner, rm_manifest *manifest, char *detail, size_t detail_size) {
    rm_stream_session *session = NULL;
    rm_err err = rm_pipeline_runner_create_stream_session(runner, manifest, NULL, &session, detail, detail_size);
    rm_stream_session_destroy(&session);
    return err;
}

rm_err rm_webrtc_set_pipeline(rm_webrtc *t, rm_manifest *manifest, rm_node_registry *registry, char *detail,
                              size_t detail_size) {
    if (!t)
        return RM_E_INVALID_ARG;
    if (detail && detail_size)
        detail[0] = '\0';
    struct rmi_media *m = t->media;
    rm_pipeline_runner *runner = NULL;
    rm_err err = RM_OK;
    if (manifest) {
        rm_pipeline_runner_config rc;
        rm_pipeline_runner_config_init(&rc);
        rc.registry = registry;
        err = rm_pipeline_runner_create(&rc, &runner);
        if (!err)
            err = try_manifest(runner, manifest, detail, detail_size);
    }
    if (err) {
        rm_pipeline_runner_destroy(&runner);
        return err;
    }
    pthread_mutex_lock(&m->pipeline_mutex);
    pthread_mutex_lock(&m->mutex);
    bool stopped = m->stopped;
    if (!stopped) {
        rm_manifest *old_manifest = m->manifest;
        rm_pipeline_runner *old_runner = m->runner;
        m->manifest = manifest ? rm_manifest_ref(manifest) : NULL;
        m->runner = runner;
        m->pipeline_generation++;
        atomic_store(&m->wants_media, manifest || t->config.on_media);
        manifest = old_manifest;
        runner = old_runner;
        RMI_LIST_FOREACH (node, next, &m->peers) {
            rmi_media_wake_lane(RMI_CONTAINER_OF(node, struct rmi_media_peer, node));
        }
        rm_manifest_unref(&manifest);
    }
    pthread_mutex_unlock(&m->mutex);
    pthread_mutex_unlock(&m->pipeline_mutex);
    rm_pipeline_runner_destroy(&runner); /* sessions keep what they need */
    rmi_media_ask_network(m, true);
    return stopped ? RM_E_CLOSED : RM_OK;
}

/* ---- statistics ---- */

static double ms(int64_t us) {
    return (double)us / 1000.0;
}

static const char *format_name(enum rmi_payload_format format) {
    static const char *const names[] = {"opus", "VP8", "VP9", "H264"};
    return names[format];
}

static void fill_stream(rm_stream_stats *out, const struct rmi_rtp_stream_stats *s, const struct rmi_media_rate *rate) {
    *out = (rm_stream_stats){.active = s->active,
                             .codec = s->active ? format_name(s->format) : "",
                             .fps = rate->fps,
                             .bitrate_bps = rate->bps,
                             .packets = s->packets,
                             .bytes = s->bytes,
                             .frames = s->frames,
                             .key_frames = s->key_frames,
                             .packets_lost = s->packets_lost,
                             .fraction_lost = s->fraction_lost,
                             .jitter_ms = ms(s->jitter_us),
                             .nack_count = s->nacks,
                             .packets_with_ce = s->ce,
                             .pli_count = s->plis,
                             .fir_count = s->firs,
                             .retransmitted_packets = s->retransmitted};
}

static void fill_sending(struct rmi_media_peer *p, rm_media_stats *out) {
    struct rmi_media_output *o = p->from[RMI_RTP_AUDIO];
    struct rmi_media_track *audio = atomic_load(&p->own[RMI_RTP_AUDIO].used) ? &p->own[RMI_RTP_AUDIO]
                                    : o                                      ? &o->audio
                                                                             : NULL,
                           *video = rmi_media_video_track(p);
    if (audio) {
        pthread_mutex_lock(&audio->mutex);
        out->audio_encode_ms = ms(audio->audio_stats.encode_us);
        pthread_mutex_unlock(&audio->mutex);
    }
    out->video_encoders = atomic_load(&p->media->encoders);
    out->video_rung = -1;
    if (!video || p->format[RMI_RTP_VIDEO] < 0)
        return;
    const bool own = video->peer != NULL;
    if (own ? p->target_bps > 0 && p->wish.video : p->place.rung != RMI_RUNG_NONE)
        out->video_rung = video->rung;
    pthread_mutex_lock(&video->mutex);
    const struct rmi_video_sender_stats *v = &video->video_stats;
    out->video_capture_ms = ms(video->waited_us);
    out->video_encode_ms = ms(v->encode_us);
    out->video_out.width = v->width;
    out->video_out.height = v->height;
    out->video_out.key_frames = v->key_frames;
    out->video_out.frames_dropped = v->skipped + v->errors + v->exhausted + video->superseded + video->refused;
    unsigned target_bps = atomic_load(&video->target_bps);
    out->target_bitrate_bps = target_bps == RMI_MEDIA_NO_PICTURES || out->video_rung < 0 ? 0
                              : target_bps && target_bps < video->settings.bitrate_bps   ? target_bps
                                                                                         : video->settings.bitrate_bps;
    pthread_mutex_unlock(&video->mutex);
}

static void fill_receiving(struct rmi_media_peer *p, rm_media_stats *out) {
    pthread_mutex_lock(&p->mutex);
    const struct rmi_audio_receiver_stats *a = &p->audio_stats;
    const struct rmi_video_receiver_stats *v = &p->video_stats;
    out->audio_in.frames = a->chunks;
    out->audio_in.frames_dropped = a->lost_chunks + a->malformed;
    out->audio_jitter_buffer_ms = ms(a->waited_us);
    out->total_samples = a->samples;
    out->concealment_events = a->concealments;
    out->freeze_count = v->freezes;
    out->total_freezes_duration = (double)v->frozen_us / 1e6;
    out->concealed_samples = a->concealed_samples;
    out->audio_chunk_allocations = a->pool_allocations;
    out->video_in.width = v->width;
    out->video_in.height = v->height;
    out->video_in.frames = v->frames;
    out->video_in.key_frames = v->key_frames;
    out->video_in.frames_dropped = v->decode_errors + v->exhausted + v->buffer.losses;
    out->video_jitter_buffer_ms = ms(v->waited_us);
    out->video_decode_ms = ms(v->decode_us);
    out->audio_pipeline_ms = ms(p->pipeline_us[RMI_RTP_AUDIO]);
    out->video_pipeline_ms = ms(p->pipeline_us[RMI_RTP_VIDEO]);
    out->av_skew_ms = ms(p->skew_us);
    out->pipeline_outputs = p->outputs;
    out->pipeline_errors = p->node_errors;
    rm_node_stats node;
    for (size_t i = 0; p->session && !rm_stream_session_node_stats(p->session, i, &node); i++)
        out->pipeline_dropped += node.dropped;
    pthread_mutex_unlock(&p->mutex);
    out->pipeline_inputs = atomic_load(&p->sequence);
}

struct stats_request {
    struct rmi_media *m;
    const char *peer_id;
    rm_media_stats *out;
    rm_err err;
};

/* On the network thread, where the RTP sessions live. */
static void take_stats(void *ctx) {
    struct stats_request *r = ctx;
    r->err = RM_E_NOT_FOUND;
    struct rmi_media_peer *p = rmi_media_find(r->m, r->peer_id);
    if (!p)
        return;
    struct rmi_rtp_session_stats s;
    rmi_rtp_session_get_stats(p->rtp, &s);
    memset(r->out, 0, sizeof *r->out);
    memcpy(r->out->peer_id, p->id, sizeof r->out->peer_id);
    fill_stream(&r->out->audio_in, &s.in[RMI_RTP_AUDIO], &p->in[RMI_RTP_AUDIO]);
    fill_stream(&r->out->video_in, &s.in[RMI_RTP_VIDEO], &p->in[RMI_RTP_VIDEO]);
    fill_stream(&r->out->audio_out, &s.out[RMI_RTP_AUDIO], &p->out[RMI_RTP_AUDIO]);
    fill_stream(&r->out->video_out, &s.out[RMI_RTP_VIDEO], &p->out[RMI_RTP_VIDEO]);
    r->out->rtt_ms = ms(s.rtt_us);
    r->out->network_ms = ms(s.rtt_us) / 2;
    r->out->available_outgoing_bitrate = s.available_outgoing_bps;
    r->out->redundant_audio_in = s.in[RMI_RTP_AUDIO].redundant;
    r->out->redundant_audio_out = s.out[RMI_RTP_AUDIO].redundant;
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        r->out->packet_loss_rate = fmax(r->out->packet_loss_rate, fmax(s.in[k].fraction_lost, s.out[k].fraction_lost));
    r->out->audio_quality_score = p->quality.sound;
    r->out->video_quality_score = p->quality.pictures;
    r->out->quality_score = p->quality.score;
    r->out->audio_level = rmi_level_amplitude(p->audio_level);
    fill_sending(p, r->out);
    fill_receiving(p, r->out);
    rmi_media_peer_unref(p);
    r->err = RM_OK;
}

rm_err rm_webrtc_get_stats(rm_webrtc *t, const char *peer_id, rm_media_stats *out) {
    if (!t || !peer_id || !out)
        return RM_E_INVALID_ARG;
    struct stats_request r = {.m = t->media, .peer_id = peer_id, .out = out};
    rm_err err = rmi_webrtc_call(t, take_stats, &r);
    return err ? err : r.err;
}
