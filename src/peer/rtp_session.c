/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_private.h"
#include "sdp/sdp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INTERVAL_US RMI_SEC(1)
#define DEFAULT_SOUND_WAIT_US RMI_MS(50) /* the default of jitter buffers */
#define DEFAULT_HISTORY 1024
#define SOUND_HISTORY 64    /* copies reach back 341 ms (14 bits, RFC 2198 3): of frames of 5 ms and more all */
#define HISTORY_MOST 0x8000 /* half of the numbers: more are ambiguous */
/* A random first number in the lower half: should its first packets be lost, the receiver still counts the turns of
 * the number as we do, on which SRTP's keystream depends (RFC 3711 3.3.1). */
#define FIRST_SEQ_MASK 0x7fff

static bool is_power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

rm_err rmi_rtp_session_create(const struct rmi_rtp_session_config *config, struct rmi_rtp_session **out) {
    const struct rmi_rtp_session_ops *ops = &config->ops;
    const size_t history = config->history_packets ? config->history_packets : DEFAULT_HISTORY;
    if (!config->rng.fill || !ops->send || !ops->on_media || !is_power_of_two(history) || history > HISTORY_MOST ||
        config->rtcp_interval_us < 0)
        return RM_E_INVALID_ARG;
    struct rmi_rtp_session *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->config = *config;
    s->config.history_packets = history;
    if (s->config.sound_wait_us == 0)
        s->config.sound_wait_us = DEFAULT_SOUND_WAIT_US;
    if (s->config.rtcp_interval_us == 0)
        s->config.rtcp_interval_us = DEFAULT_INTERVAL_US;
    (void)snprintf(s->name, sizeof s->name, "%s", config->name ? config->name : "");
    s->config.name = s->name;
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        s->out[k].line = s->in[k].line = RTPS_NONE;
    rmi_rtp_sources_init(&s->sources);
    rmi_twcc_recorder_init(&s->twcc);
    s->twcc_at = s->report_at = RMI_NEVER;
    *out = s;
    return RM_OK;
}

static void free_lines(struct rmi_rtp_session *s) {
    for (int i = 0; i < s->line_count; i++)
        for (size_t c = 0; c < s->line[i].codec_count; c++)
            free(s->line[i].codec[c].fmtp);
    s->line_count = 0;
}

void rmi_rtp_session_destroy(struct rmi_rtp_session **session) {
    struct rmi_rtp_session *s = *session;
    *session = NULL;
    if (!s)
        return;
    free_lines(s);
    rtps_pace_fini(s);
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        rtps_history_clear(&s->out[k]);
        free(s->out[k].history.slot);
    }
    free(s);
}

/* ---- what was negotiated ---- */

static bool format_of(enum rmi_jsep_codec_id id, enum rmi_payload_format *format) {
    switch (id) {
    case RMI_JSEP_OPUS:
        *format = RMI_PAYLOAD_OPUS;
        return true;
    case RMI_JSEP_VP8:
        *format = RMI_PAYLOAD_VP8;
        return true;
    case RMI_JSEP_VP9:
        *format = RMI_PAYLOAD_VP9;
        return true;
    case RMI_JSEP_H264:
        *format = RMI_PAYLOAD_H264;
        return true;
    case RMI_JSEP_CODEC_COUNT:
        break;
    }
    return false;
}

static void copy_codecs(struct rmi_rtp_session *s, struct rtps_line *line, const struct rmi_jsep_media *m) {
    for (size_t i = 0; i < m->codec_count; i++) {
        const struct rmi_jsep_codec *from = &m->codecs[i];
        struct rtps_codec *to = &line->codec[line->codec_count];
        enum rmi_payload_format format;
        if (!format_of(from->id, &format) || (format == RMI_PAYLOAD_OPUS) != (line->kind == RMI_RTP_AUDIO))
            continue;
        *to = (struct rtps_codec){.format = format,
                                  .pt_send = from->pt_send,
                                  .pt_recv = from->pt_recv,
                                  .rtx_send = from->rtx_send,
                                  .rtx_recv = from->rtx_recv,
                                  .feedback = from->feedback};
        to->fmtp = from->fmtp ? strdup(from->fmtp) : NULL;
        if (from->fmtp && !to->fmtp) {
            /* What it asks for is not known then, so it is not used. */
            rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_ERROR, "%s: no memory for the parameters of %s", s->name,
                    from->name);
            continue;
        }
        line->codec_count++;
    }
}

static void copy_line(struct rmi_rtp_session *s, struct rtps_line *line, const struct rmi_jsep_media *m) {
    *line = (struct rtps_line){.kind = m->kind == RMI_MEDIA_AUDIO ? RMI_RTP_AUDIO : RMI_RTP_VIDEO,
                               .rsize = m->rtcp_rsize,
                               .ssrc = m->ssrc,
                               .rtx_ssrc = m->rtx_ssrc,
                               .ext = {.mid = m->ext[RMI_JSEP_EXT_MID],
                                       .twcc = m->ext[RMI_JSEP_EXT_TWCC],
                                       .abs_send_time = m->ext[RMI_JSEP_EXT_ABS_SEND_TIME],
                                       .audio_level = m->ext[RMI_JSEP_EXT_AUDIO_LEVEL]}};
    (void)snprintf(line->mid, sizeof line->mid, "%s", m->mid ? m->mid : "");
    (void)snprintf(line->cname, sizeof line->cname, "%s", m->cname ? m->cname : "");
    copy_codecs(s, line, m);
    rtps_ecn_negotiated(line, m);
    line->sends = line->codec_count > 0 && (m->direction & RMI_DIR_SEND_BIT);
    line->receives = line->codec_count > 0 && (m->direction & RMI_DIR_RECV_BIT);
    for (size_t i = 0; i < m->remote_ssrc_count && line->remote_count < RMI_SDP_SSRC_MAX; i++)
        line->remote[line->remote_count++] = m->remote_ssrcs[i].ssrc;
    for (size_t i = 0; i < m->remote_fid_count && line->fid_count < RMI_SDP_FID_MAX; i++)
        line->fid[line->fid_count++] = m->remote_fids[i];
}

static void take_lines(struct rmi_rtp_session *s, const struct rmi_jsep_result *result) {
    free_lines(s);
    memset(&s->ext_in, 0, sizeof s->ext_in);
    s->twcc_in = false;
    for (size_t i = 0; i < result->media_count; i++) {
        const struct rmi_jsep_media *m = &result->media[i];
        if (m->rejected || (m->kind != RMI_MEDIA_AUDIO && m->kind != RMI_MEDIA_VIDEO))
            continue;
        if (s->line_count == RTPS_LINES_MAX) {
            rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_WARN, "%s: more than %d media sections, the rest is ignored",
                    s->name, RTPS_LINES_MAX);
            break;
        }
        struct rtps_line *line = &s->line[s->line_count++];
        copy_line(s, line, m);
        struct rmi_rtp_ext_ids *ids = &s->ext_in;
        ids->mid = ids->mid ? ids->mid : line->ext.mid;
        ids->twcc = ids->twcc ? ids->twcc : line->ext.twcc;
        ids->abs_send_time = ids->abs_send_time ? ids->abs_send_time : line->ext.abs_send_time;
        ids->audio_level = ids->audio_level ? ids->audio_level : line->ext.audio_level;
        for (size_t c = 0; line->receives && c < line->codec_count; c++)
            s->twcc_in = s->twcc_in || (line->codec[c].feedback & RMI_FB_TRANSPORT_CC);
    }
    s->twcc_in = s->twcc_in && s->ext_in.twcc;
}

const struct rtps_codec *rtps_codec_of(const struct rtps_line *line, enum rmi_payload_format format) {
    for (size_t i = 0; line && i < line->codec_count; i++)
        if (line->codec[i].format == format)
            return &line->codec[i];
    return NULL;
}

/* Memory for retransmission, when the remote can ask for it and gets it. */
static void need_history(struct rmi_rtp_session *s, struct rtps_out *o) {
    const struct rtps_line *line = rtps_line_of(s, o->line);
    bool wanted = false;
    for (size_t i = 0; line->kind == RMI_RTP_AUDIO && i < line->codec_count; i++)
        wanted = wanted || line->codec[i].rtx_send != RMI_SDP_NO_PT;
    for (size_t i = 0; line->rtx_ssrc && i < line->codec_count; i++)
        wanted = wanted || (line->codec[i].rtx_send != RMI_SDP_NO_PT && (line->codec[i].feedback & RMI_FB_NACK));
    if (!wanted) {
        rtps_history_clear(o);
        return;
    }
    if (o->history.slots)
        return;
    const size_t slots = line->kind == RMI_RTP_AUDIO ? SOUND_HISTORY : s->config.history_packets;
    o->history.slot = calloc(slots, sizeof *o->history.slot);
    if (!o->history.slot) {
        rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_ERROR, "%s: no memory for retransmissions", s->name);
        return;
    }
    o->history.slots = slots;
    o->history.oldest = o->history.next = o->seq;
}

static void choose_out(struct rmi_rtp_session *s, enum rmi_rtp_kind kind) {
    struct rtps_out *o = &s->out[kind];
    o->line = RTPS_NONE;
    for (int i = 0; i < s->line_count && o->line == RTPS_NONE; i++)
        if (s->line[i].kind == kind && s->line[i].sends)
            o->line = i;
    if (o->line == RTPS_NONE) {
        rtps_history_clear(o);
        o->key_pending = false;
        return;
    }
    const struct rtps_line *line = &s->line[o->line];
    if (!o->started || o->ssrc != line->ssrc) {
        rtps_history_clear(o);
        o->started = true;
        o->ssrc = line->ssrc;
        o->seq = (uint16_t)(rmi_rng_u32(&s->config.rng) & FIRST_SEQ_MASK);
        o->rtx_seq = (uint16_t)(rmi_rng_u32(&s->config.rng) & FIRST_SEQ_MASK);
        o->timestamp_offset = rmi_rng_u32(&s->config.rng);
        o->sr_packets = o->sr_octets = 0;
        o->has_key_asked = o->has_fir_seq = o->key_pending = false;
        o->history.oldest = o->history.next = o->seq;
    }
    if (o->rtx_ssrc != line->rtx_ssrc)
        o->rtx_ssrc = line->rtx_ssrc;
    need_history(s, o);
}

/* `mid`: of the section the kind was received on until now. */
static void choose_in(struct rmi_rtp_session *s, enum rmi_rtp_kind kind, const char *mid) {
    struct rtps_in *in = &s->in[kind];
    in->line = RTPS_NONE;
    for (int i = 0; i < s->line_count && in->line == RTPS_NONE; i++)
        if (s->line[i].kind == kind && s->line[i].receives)
            in->line = i;
    if (in->line == RTPS_NONE || strcmp(s->line[in->line].mid, mid) != 0)
        rtps_in_end(in);
}

void rmi_rtp_session_negotiated(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_jsep_result *result) {
    char mid[RMI_RTP_KINDS][RMI_SDP_MID_MAX + 1] = {{0}};
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        if (s->in[k].line != RTPS_NONE)
            memcpy(mid[k], s->line[s->in[k].line].mid, sizeof mid[k]);
    take_lines(s, result);
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        choose_out(s, (enum rmi_rtp_kind)k);
        choose_in(s, (enum rmi_rtp_kind)k, mid[k]);
    }
    if (!s->twcc_in) {
        rmi_twcc_recorder_init(&s->twcc);
        s->twcc_at = RMI_NEVER;
    }
    rtps_pace_negotiated(s, now_us);
    rtps_ecn_start(s, now_us);
}

bool rmi_rtp_session_send_format(const struct rmi_rtp_session *s, enum rmi_rtp_kind kind,
                                 enum rmi_payload_format *format) {
    const struct rtps_line *line = rtps_line_of(s, s->out[kind].line);
    if (!line)
        return false;
    *format = line->codec[0].format;
    return true;
}

bool rmi_rtp_session_accepts(const struct rmi_rtp_session *s, enum rmi_payload_format format, const char **fmtp) {
    const enum rmi_rtp_kind kind = format == RMI_PAYLOAD_OPUS ? RMI_RTP_AUDIO : RMI_RTP_VIDEO;
    const struct rtps_codec *codec = rtps_codec_of(rtps_line_of(s, s->out[kind].line), format);
    if (!codec)
        return false;
    if (fmtp)
        *fmtp = codec->fmtp ? codec->fmtp : "";
    return true;
}

bool rmi_rtp_session_needs_fec(const struct rmi_rtp_session *s) {
    const struct rtps_codec *codec = rtps_codec_of(rtps_line_of(s, s->out[RMI_RTP_AUDIO].line), RMI_PAYLOAD_OPUS);
    if (!codec || codec->rtx_send != RMI_SDP_NO_PT || !codec->fmtp)
        return false;
    size_t len = 0;
    const char *value = rmi_sdp_fmtp_param(codec->fmtp, "useinbandfec", &len);
    return value && len == 1 && *value == '1';
}

unsigned rmi_rtp_session_copies(const struct rmi_rtp_session *s) {
    const struct rtps_codec *codec = rtps_codec_of(rtps_line_of(s, s->out[RMI_RTP_AUDIO].line), RMI_PAYLOAD_OPUS);
    return codec && codec->rtx_send != RMI_SDP_NO_PT ? s->red.copies : 0;
}

/* ---- input and time ---- */

void rmi_rtp_session_input(struct rmi_rtp_session *s, int64_t now_us, bool rtcp, enum rmi_ecn ecn, uint8_t *data,
                           size_t len) {
    if (rtcp)
        rtps_input_rtcp(s, now_us, data, len);
    else
        rtps_input_rtp(s, now_us, ecn, data, len);
    if (rtcp && s->pace.on)
        (void)rtps_pace_run(s, now_us); /* repairs, or a faster pace */
}

void rmi_rtp_session_done_before(struct rmi_rtp_session *s, enum rmi_rtp_kind kind, uint16_t seq) {
    rmi_nack_forget_before(&s->in[kind].nack, seq);
}

int64_t rmi_rtp_session_next_deadline(const struct rmi_rtp_session *s) {
    if (s->ended)
        return RMI_NEVER;
    int64_t at = rmi_min64(s->report_at, s->twcc_at);
    if (s->pace.on)
        at = rmi_min64(at, s->pace.next_us);
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        at = rmi_min64(at, rmi_nack_next_deadline(&s->in[k].nack));
    const struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    return o->key_pending ? rmi_min64(at, o->key_asked_us + RTPS_KEY_INTERVAL_US) : at;
}

void rmi_rtp_session_timeout(struct rmi_rtp_session *s, int64_t now_us) {
    if (s->ended)
        return;
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        if (rmi_nack_next_deadline(&s->in[k].nack) <= now_us)
            rtps_send_nacks(s, now_us, (enum rmi_rtp_kind)k);
    if (s->twcc_at <= now_us)
        rtps_send_twcc(s, now_us);
    if (s->report_at <= now_us)
        rtps_send_report(s, now_us);
    rtps_key_timeout(s, now_us);
    if (s->pace.on && s->pace.next_us <= now_us)
        rtps_pace_timeout(s, now_us);
}

void rmi_rtp_session_get_stats(const struct rmi_rtp_session *s, struct rmi_rtp_session_stats *out) {
    *out = s->stats;
    out->rtt_us = s->rtt_us;
    out->available_outgoing_bps = s->pace.told.target_bps;
    out->ecn = s->ecn.path.state;
    out->ecn_failures = s->ecn.path.failures;
    out->pacer_dropped = s->pace.pacer.dropped;
    out->pacer_delay_us = rmi_pacer_delay_us(&s->pace.pacer, s->pace.pacer.now_us);
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        const struct rtps_in *in = &s->in[k];
        const struct rtps_out *o = &s->out[k];
        out->in[k] = in->stats;
        out->out[k] = o->stats;
        out->in[k].active = in->has_ssrc;
        out->in[k].ssrc = in->ssrc;
        out->out[k].active = o->line != RTPS_NONE && !s->ended;
        out->out[k].ssrc = o->ssrc;
        out->out[k].loss = s->red.loss;
        for (size_t i = 0; in->has_ssrc && i < s->sources.count; i++) {
            const struct rmi_rtp_source *source = &s->sources.source[i];
            if (source->ssrc != in->ssrc)
                continue;
            out->in[k].packets_lost += rmi_rtp_source_lost(source); /* on top of what earlier streams lost */
            out->in[k].jitter_us = rmi_rtp_source_jitter_us(source);
        }
    }
}
