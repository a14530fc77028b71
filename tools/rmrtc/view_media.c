/* SPDX-License-Identifier: Apache-2.0 */
/* The media part of what `rmrtc join` shows. */
#include "view.h"

#include <stdio.h>
#include <string.h>

static void stream_line(const char *what, const rm_stream_stats *audio, const rm_stream_stats *video, char *out,
                        size_t size) {
    int n = snprintf(out, size, "  %-9s", what);
    if (video->active)
        n += snprintf(out + n, size - (size_t)n, "%s %ux%u %.1f fps %.0f kbit/s loss %.1f %% jitter %.1f ms",
                      video->codec, video->width, video->height, video->fps, video->bitrate_bps / 1000,
                      video->fraction_lost * 100, video->jitter_ms);
    if (audio->active && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "%s%s %.0f kbit/s loss %.1f %% jitter %.1f ms", video->active ? " | " : "",
                 audio->codec, audio->bitrate_bps / 1000, audio->fraction_lost * 100, audio->jitter_ms);
}

void view_media_line(const rm_media_stats *m, int line, char *out, size_t size) {
    bool in = m->audio_in.active || m->video_in.active, to = m->audio_out.active || m->video_out.active;
    out[0] = '\0';
    if (line == 0 && in) {
        stream_line("receives", &m->audio_in, &m->video_in, out, size);
        const size_t used = strlen(out);
        snprintf(out + used, size - used, "  quality %.0f", m->quality_score);
    }
    if (line == 1 && to)
        stream_line("sends", &m->audio_out, &m->video_out, out, size);
    if (line == 2 && (m->video_in.active || m->video_out.active)) {
        double total = m->video_capture_ms + m->video_encode_ms + m->network_ms + m->video_jitter_buffer_ms +
                       m->video_decode_ms + m->video_pipeline_ms;
        snprintf(out, size,
                 "  video ms capture %.1f encode %.1f network %.1f jitter buffer %.1f decode %.1f pipeline %.1f total "
                 "%.1f  rtt %.1f  freezes %llu (%.1f s)",
                 m->video_capture_ms, m->video_encode_ms, m->network_ms, m->video_jitter_buffer_ms, m->video_decode_ms,
                 m->video_pipeline_ms, total, m->rtt_ms, (unsigned long long)m->freeze_count,
                 m->total_freezes_duration);
    }
    if (line == 3 && (m->audio_in.active || m->audio_out.active)) {
        double total = m->audio_encode_ms + m->network_ms + m->audio_jitter_buffer_ms + m->audio_pipeline_ms;
        double share = m->total_samples ? 100.0 * (double)m->concealed_samples / (double)m->total_samples : 0;
        snprintf(out, size,
                 "  audio ms encode %.1f network %.1f jitter buffer %.1f pipeline %.1f total %.1f  concealed %.2f %%",
                 m->audio_encode_ms, m->network_ms, m->audio_jitter_buffer_ms, m->audio_pipeline_ms, total, share);
    }
}

void view_latency_line(const struct sink_stats *s, char *out, size_t size) {
    int n = 0;
    out[0] = '\0';
    if (s->video.n)
        n = snprintf(out, size, "measured age: pictures p50 %.1f p95 %.1f max %.1f ms (%zu)", s->video.p50_ms,
                     s->video.p95_ms, s->video.max_ms, s->video.n);
    if (s->audio.n && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "%ssound p50 %.1f p95 %.1f max %.1f ms (%zu)",
                 n ? ", " : "measured age: ", s->audio.p50_ms, s->audio.p95_ms, s->audio.max_ms, s->audio.n);
}

static json_t *stream_json(const rm_stream_stats *s) {
    if (!s->active)
        return json_null();
    return json_pack(
        "{s:s, s:i, s:i, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "codec", s->codec,
        "width", (int)s->width, "height", (int)s->height, "fps", s->fps, "bitrate_bps", s->bitrate_bps, "packets",
        (json_int_t)s->packets, "bytes", (json_int_t)s->bytes, "frames", (json_int_t)s->frames, "key_frames",
        (json_int_t)s->key_frames, "packets_lost", (json_int_t)s->packets_lost, "fraction_lost", s->fraction_lost,
        "jitter_ms", s->jitter_ms, "nack_count", (json_int_t)s->nack_count, "pli_count", (json_int_t)s->pli_count,
        "fir_count", (json_int_t)s->fir_count, "retransmitted_packets", (json_int_t)s->retransmitted_packets,
        "packets_with_ce", (json_int_t)s->packets_with_ce, "frames_dropped", (json_int_t)s->frames_dropped);
}

json_t *view_media_json(const rm_media_stats *m) {
    json_t *video = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "capture", m->video_capture_ms, "encode",
                              m->video_encode_ms, "network", m->network_ms, "jitter_buffer", m->video_jitter_buffer_ms,
                              "decode", m->video_decode_ms, "pipeline", m->video_pipeline_ms);
    json_t *audio = json_pack("{s:f, s:f, s:f, s:f}", "encode", m->audio_encode_ms, "network", m->network_ms,
                              "jitter_buffer", m->audio_jitter_buffer_ms, "pipeline", m->audio_pipeline_ms);
    json_t *quality = json_pack(
        "{s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:I, s:I}", "score", m->quality_score, "audio_score",
        m->audio_quality_score, "video_score", m->video_quality_score, "packet_loss_rate", m->packet_loss_rate,
        "concealment_events", (json_int_t)m->concealment_events, "freeze_count", (json_int_t)m->freeze_count,
        "total_freezes_duration", m->total_freezes_duration, "redundant_audio_in", (json_int_t)m->redundant_audio_in,
        "redundant_audio_out", (json_int_t)m->redundant_audio_out);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o}", "audio_in",
        stream_json(&m->audio_in), "audio_out", stream_json(&m->audio_out), "video_in", stream_json(&m->video_in),
        "video_out", stream_json(&m->video_out), "video_ms", video, "audio_ms", audio, "rtt_ms", m->rtt_ms,
        "av_skew_ms", m->av_skew_ms, "total_samples", (json_int_t)m->total_samples, "concealed_samples",
        (json_int_t)m->concealed_samples, "pipeline_inputs", (json_int_t)m->pipeline_inputs, "pipeline_outputs",
        (json_int_t)m->pipeline_outputs, "pipeline_errors", (json_int_t)m->pipeline_errors, "pipeline_dropped",
        (json_int_t)m->pipeline_dropped, "audio_chunk_allocations", (json_int_t)m->audio_chunk_allocations,
        "target_bitrate_bps", m->target_bitrate_bps, "available_outgoing_bitrate", m->available_outgoing_bitrate,
        "audio_level", m->audio_level, "quality", quality);
}

static json_t *latency_json(const struct sink_latency *l) {
    if (!l->n)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)l->n, "p50", l->p50_ms, "p95", l->p95_ms, "max",
                     l->max_ms);
}

/* Ages of what came from each peer. */
static json_t *sources_json(const struct view *v) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < v->source_count; i++) {
        const struct sink_source *s = &v->sources[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "peer_id", s->peer_id, "video_age_ms",
                                              latency_json(&s->video), "audio_age_ms", latency_json(&s->audio)));
    }
    return list;
}

json_t *view_sink_json(const struct view *v) {
    const struct sink_stats *s = &v->received;
    json_t *o = json_pack("{s:I, s:I, s:o, s:o, s:o}", "pictures", (json_int_t)s->pictures, "chunks",
                          (json_int_t)s->chunks, "video_age_ms", latency_json(&s->video), "audio_age_ms",
                          latency_json(&s->audio), "from", sources_json(v));
    if (o && s->first_picture_us)
        json_object_set_new(o, "first_picture_ms", json_real((double)(s->first_picture_us - v->started_us) / 1000.0));
    if (o)
        json_object_set_new(o, "threads_cpu_s", json_real(s->threads_cpu_s));
    if (o && s->record_error)
        json_object_set_new(o, "record_error", json_string(s->record_detail));
    if (o && v->publisher) {
        struct publisher_stats p;
        publisher_get_stats(v->publisher, &p);
        json_object_set_new(o, "sent_pictures", json_integer((json_int_t)p.pictures));
        json_object_set_new(o, "sent_chunks", json_integer((json_int_t)p.chunks));
        json_object_set_new(o, "send_errors", json_integer((json_int_t)p.refused));
        json_object_set_new(o, "source_cpu_s", json_real(p.source_cpu_s));
    }
    return o;
}
