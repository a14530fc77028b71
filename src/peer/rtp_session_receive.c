/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_private.h"
#include "rtp/rtx.h"
#include <string.h>

#define NACK_TRIES 10
/* A sender without RTX repeats lost packets in its own stream. This far behind they are no reordering, and must not
 * look like a new start to the statistics (RFC 3550 A.1 draws the same line). */
#define LATE_REPEAT 100
/* A stream whose SSRC was not announced takes the place of an announced one only when that has been silent. */
#define SILENT_US RMI_SEC(1)
#define BYE_GRACE_US RMI_MS(500) /* packets that the BYE overtook */
#define SEEN_WORD_BITS 64
/* libwebrtc's shortest: a queue that grows is known two round trips sooner than with its mean, 100 ms. */
#define TWCC_INTERVAL_US RMI_MS(50)

/* ---- which numbers came ---- */

static uint64_t *seen_word(struct rtps_in *in, uint16_t seq) {
    return &in->seen[seq % RTPS_SEEN_WINDOW / SEEN_WORD_BITS];
}

static uint64_t seen_bit(uint16_t seq) {
    return UINT64_C(1) << (seq % SEEN_WORD_BITS);
}

static bool was_seen(struct rtps_in *in, uint16_t seq) {
    return rmi_seq_diff(seq, in->newest) <= 0 && (*seen_word(in, seq) & seen_bit(seq));
}

static void note_seen(struct rtps_in *in, uint16_t seq) {
    const int32_t ahead = rmi_seq_diff(seq, in->newest);
    if (ahead >= RTPS_SEEN_WINDOW) {
        memset(in->seen, 0, sizeof in->seen);
    } else {
        for (int32_t i = 1; i <= ahead; i++) {
            const uint16_t skipped = (uint16_t)(in->newest + i);
            *seen_word(in, skipped) &= ~seen_bit(skipped);
        }
    }
    *seen_word(in, seq) |= seen_bit(seq);
    if (ahead > 0)
        in->newest = seq;
}

/* ---- streams ---- */

static void forget_numbers(struct rtps_in *in, uint16_t first) {
    const struct rmi_nack_config config = {.reorder_us = RTPS_NACK_REORDER_US, .tries = NACK_TRIES};
    rmi_nack_init(&in->nack, &config);
    memset(in->seen, 0, sizeof in->seen);
    in->newest = (uint16_t)(first - 1);
}

void rtps_in_end(struct rtps_in *in) {
    in->has_ssrc = in->has_rtx = false;
    forget_numbers(in, 0);
}

static bool announced(const struct rtps_line *line, uint32_t ssrc) {
    for (size_t i = 0; i < line->remote_count; i++)
        if (line->remote[i] == ssrc)
            return true;
    return false;
}

static bool announced_rtx(const struct rtps_line *line, uint32_t ssrc) {
    for (size_t i = 0; i < line->fid_count; i++)
        if (line->fid[i].rtx_ssrc == ssrc)
            return true;
    return false;
}

/* Whether this SSRC is the kind's stream, or may become it. */
static bool adopt(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rmi_rtp_packet *p) {
    if (in->has_ssrc && in->ssrc == p->ssrc)
        return true;
    if (in->has_bye && in->bye_ssrc == p->ssrc && now_us - in->bye_us < BYE_GRACE_US)
        return false;
    const struct rtps_line *line = &s->line[in->line];
    if (in->has_ssrc && announced(line, in->ssrc) && !announced(line, p->ssrc) && now_us - in->last_us < SILENT_US)
        return false;
    const struct rmi_rtp_source *old = in->has_ssrc ? rmi_rtp_sources_find(&s->sources, in->ssrc) : NULL;
    if (old) {
        in->stats.packets_lost += rmi_rtp_source_lost(old);
        rmi_rtp_sources_remove(&s->sources, in->ssrc);
    }
    rtps_in_end(in);
    in->has_ssrc = true;
    in->has_bye = false;
    in->ssrc = p->ssrc;
    forget_numbers(in, p->seq);
    for (size_t i = 0; i < line->fid_count; i++) {
        if (line->fid[i].media_ssrc != p->ssrc)
            continue;
        in->has_rtx = true;
        in->rtx_ssrc = line->fid[i].rtx_ssrc;
    }
    rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_DEBUG, "%s: receives %s, ssrc %u", s->name,
            line->kind == RMI_RTP_AUDIO ? "sound" : "pictures", (unsigned)p->ssrc);
    return true;
}

/* ---- which section a packet belongs to (RFC 8843 9.2) ---- */

static const struct rtps_codec *codec_by_pt(const struct rtps_line *line, uint8_t pt, bool *rtx) {
    for (size_t i = 0; i < line->codec_count; i++) {
        const struct rtps_codec *c = &line->codec[i];
        *rtx = c->rtx_recv == pt;
        if (c->pt_recv == pt || *rtx)
            return c;
    }
    return NULL;
}

static int line_by_pt(const struct rmi_rtp_session *s, uint8_t pt) {
    int found = RTPS_NONE;
    for (int i = 0; i < s->line_count; i++) {
        bool rtx;
        if (!s->line[i].receives || !codec_by_pt(&s->line[i], pt, &rtx))
            continue;
        if (found != RTPS_NONE)
            return RTPS_NONE; /* two sections share it: it says nothing */
        found = i;
    }
    return found;
}

static int find_line(const struct rmi_rtp_session *s, const struct rmi_rtp_packet *p,
                     const struct rmi_rtp_ext_values *ext) {
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        const struct rtps_in *in = &s->in[k];
        if (in->line != RTPS_NONE &&
            ((in->has_ssrc && in->ssrc == p->ssrc) || (in->has_rtx && in->rtx_ssrc == p->ssrc)))
            return in->line;
    }
    for (int i = 0; ext->has_mid && i < s->line_count; i++)
        if (strcmp(s->line[i].mid, ext->mid) == 0)
            return i;
    if (ext->has_mid)
        return RTPS_NONE;
    for (int i = 0; i < s->line_count; i++)
        if (announced(&s->line[i], p->ssrc) || announced_rtx(&s->line[i], p->ssrc))
            return i;
    return line_by_pt(s, p->pt);
}

/* ---- packets ---- */

/* A repair tells of the round trip where feedback does not, for who sends nothing himself. */
static void note_answer(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_in *in, uint16_t seq) {
    const int64_t us = rmi_nack_answer_us(&in->nack, seq, now_us, rtps_fresh_rtt(s, now_us) / 2);
    if (us > 0)
        rtps_note_fresh_rtt(s, now_us, us);
}

static void deliver(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                    const struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext, bool repaired) {
    note_seen(in, p->seq);
    /* Of sound nothing is sent again but copies. */
    if ((codec->feedback & RMI_FB_NACK) && (codec->format != RMI_PAYLOAD_OPUS || codec->rtx_recv != RMI_SDP_NO_PT)) {
        if (repaired && codec->format != RMI_PAYLOAD_OPUS) /* copies of sound come unasked, too */
            note_answer(s, now_us, in, p->seq);
        rmi_nack_input(&in->nack, p->seq, now_us);
    }
    in->last_us = now_us;
    in->stats.format = codec->format;
    const struct rmi_rtp_in packet = {.kind = s->line[in->line].kind,
                                      .format = codec->format,
                                      .ssrc = p->ssrc,
                                      .timestamp = p->timestamp,
                                      .seq = p->seq,
                                      .marker = p->marker,
                                      .repaired = repaired,
                                      .padding = p->payload_len == 0,
                                      .has_audio_level = ext->has_audio_level,
                                      .voice = ext->voice,
                                      .audio_level = ext->audio_level,
                                      .payload = p->payload,
                                      .len = p->payload_len,
                                      .arrival_us = now_us};
    s->config.ops.on_media(s->config.ctx, &packet);
}

static void count(struct rtps_in *in, const struct rmi_rtp_packet *p) {
    in->stats.packets++;
    in->stats.bytes += p->payload_len;
}

/* How long a frame of sound is, from two neighbours. */
static void note_frame(struct rtps_in *in, const struct rmi_rtp_packet *p) {
    const int32_t ahead = rmi_seq_diff(p->seq, in->newest);
    const uint32_t ticks = p->timestamp - in->timestamp;
    if (ahead == 1 && ticks <= RTPS_CLOCK_AUDIO / RTPS_FRAMES_PER_S_LEAST)
        in->frame_us = (int64_t)ticks * RTPS_US_PER_S / RTPS_CLOCK_AUDIO;
    if (ahead > 0)
        in->timestamp = p->timestamp;
}

bool rtps_input_media(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                      const struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext) {
    if (!adopt(s, now_us, in, p)) {
        in->stats.dropped++;
        return false;
    }
    const int32_t ahead = rmi_seq_diff(p->seq, in->newest);
    const bool repeat = ahead < -LATE_REPEAT && ahead > -RTPS_SEEN_WINDOW && !was_seen(in, p->seq);
    if (!repeat) {
        struct rmi_rtp_source *source =
            rmi_rtp_sources_get(&s->sources, p->ssrc, rtps_clock(s->line[in->line].kind), now_us);
        switch (rmi_rtp_source_input(source, p->seq, p->timestamp, p->payload_len, now_us)) {
        case RMI_RTP_SEQ_REFUSED:
            in->stats.dropped++;
            return false;
        case RMI_RTP_SEQ_RESTART:
            forget_numbers(in, p->seq);
            break;
        case RMI_RTP_SEQ_NEW:
        case RMI_RTP_SEQ_LATE:
            break;
        }
        if (was_seen(in, p->seq)) { /* its retransmission was faster */
            in->stats.dropped++;
            return true;
        }
    }
    s->twcc_media_ssrc = p->ssrc;
    if (codec->format == RMI_PAYLOAD_OPUS)
        note_frame(in, p);
    count(in, p);
    deliver(s, now_us, in, codec, p, ext, repeat);
    return true;
}

void rtps_input_copy(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                     const struct rmi_rtp_packet *p) {
    const struct rmi_rtp_ext_values none = {0};
    const int32_t ahead = rmi_seq_diff(p->seq, in->newest);
    if (ahead <= -RTPS_SEEN_WINDOW || ahead >= 0 || was_seen(in, p->seq))
        return;
    in->stats.redundant++;
    deliver(s, now_us, in, codec, p, &none, true);
}

/* A retransmission (RFC 4588 4): the packet it repeats, unless that is known already. */
static void input_rtx(struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in, const struct rtps_codec *codec,
                      struct rmi_rtp_packet *p, const struct rmi_rtp_ext_values *ext) {
    const struct rtps_line *line = &s->line[in->line];
    if (!in->has_ssrc || (in->has_rtx && announced_rtx(line, in->rtx_ssrc) && in->rtx_ssrc != p->ssrc)) {
        in->stats.dropped++;
        return;
    }
    in->has_rtx = true; /* without an announcement, the one that its payload type fits (RFC 4588 5.3) */
    in->rtx_ssrc = p->ssrc;
    struct rmi_rtp_source *source = rmi_rtp_sources_get(&s->sources, p->ssrc, rtps_clock(line->kind), now_us);
    (void)rmi_rtp_source_input(source, p->seq, p->timestamp, p->payload_len, now_us);
    in->stats.rtx_packets++;
    if (p->payload_len == 0)
        return; /* padding, to probe for bandwidth */
    struct rmi_rd r = rmi_rd_init(p->payload, p->payload_len);
    p->seq = rmi_rd_u16(&r);
    p->payload_len = rmi_rd_left(&r);
    p->payload = rmi_rd_bytes(&r, p->payload_len);
    p->ssrc = in->ssrc;
    if (r.failed) {
        s->stats.rtp_malformed++;
        return;
    }
    const int32_t ahead = rmi_seq_diff(p->seq, in->newest);
    if (ahead <= -RTPS_SEEN_WINDOW || ahead >= RTPS_SEEN_WINDOW || was_seen(in, p->seq)) {
        in->stats.dropped++;
        return;
    }
    in->stats.retransmitted++;
    count(in, p);
    deliver(s, now_us, in, codec, p, ext, true);
}

static bool is_ours(const struct rmi_rtp_session *s, uint32_t ssrc) {
    for (int i = 0; i < s->line_count; i++)
        if (s->line[i].ssrc == ssrc || (s->line[i].rtx_ssrc == ssrc && ssrc != 0))
            return true;
    return false;
}

void rtps_wake_feedback(struct rmi_rtp_session *s, int64_t now_us) {
    if (s->twcc_at == RMI_NEVER)
        s->twcc_at = now_us + TWCC_INTERVAL_US;
}

void rtps_input_rtp(struct rmi_rtp_session *s, int64_t now_us, enum rmi_ecn ecn, const uint8_t *data, size_t len) {
    struct rmi_rtp_packet p;
    struct rmi_rtp_ext_values ext;
    if (rmi_rtp_parse(data, len, &p) != RM_OK) {
        s->stats.rtp_malformed++;
        return;
    }
    rmi_rtp_ext_read(&p, &s->ext_in, &ext);
    const int i = is_ours(s, p.ssrc) ? RTPS_NONE : find_line(s, &p, &ext);
    if (i == RTPS_NONE) {
        s->stats.rtp_unknown++;
        return;
    }
    if (s->twcc_in && ext.has_twcc) {
        rmi_twcc_record(&s->twcc, ext.twcc, now_us);
        rtps_wake_feedback(s, now_us);
    }
    struct rtps_in *in = &s->in[s->line[i].kind];
    bool rtx = false;
    const struct rtps_codec *codec = codec_by_pt(&s->line[i], p.pt, &rtx);
    if (in->line != i || !codec) {
        in->stats.dropped++;
        return;
    }
    const uint32_t ssrc = p.ssrc; /* of a retransmission it becomes the repeated packet's */
    rtps_wake_reports(s, now_us);
    if (rtx && codec->format == RMI_PAYLOAD_OPUS)
        rtps_red_input(s, now_us, in, codec, &p, &ext);
    else if (rtx)
        input_rtx(s, now_us, in, codec, &p, &ext);
    else
        (void)rtps_input_media(s, now_us, in, codec, &p, &ext);
    rtps_ecn_received(s, now_us, &s->line[i], ssrc, ecn);
}
