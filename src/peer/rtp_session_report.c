/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_private.h"
#include "srtp/srtp.h"

/* The first reports come fast, so that round trips and lip sync are known early (RFC 3550 6.2 halves its first
 * interval for the same reason). */
#define EARLY_REPORTS 3
#define EARLY_LEAST_US RMI_MS(200)
#define EARLY_MOST_US RMI_MS(500)
#define SENDER_INTERVALS 2 /* who sent within these is a sender (RFC 3550 6.3.8) */
#define RTCP_CAP (RMI_DATAGRAM_MTU - RMI_SRTP_TRAILER_MAX)
/* A retry sooner than the answer can be here would be refused (once in a round trip), so it waits a little longer. */
#define RETRY_SLACK_DIVISOR 4
#define RETRY_SLACK_US RMI_MS(5)
/* One message for all that is missed within a part of a round trip, by which a repair may be later: at most 200 a
 * second on a short path, 20 in a queue of half a second. */
#define APART_PART 8
#define APART_LEAST_US RMI_MS(5)
#define APART_MOST_US RMI_MS(50)
/* Pictures stand still for no longer before their receiver asks for a key frame (jitter/video_settle.c). */
#define PICTURES_WORTH_US RMI_MS(500)
/* Where so much of what we send is lost, requests are sent twice: 80 bytes more, and of 10 % lost both ways every tenth
 * repair fails instead of every fifth. Whoever has answered the first one leaves the second. */
#define ECHO_LOSS 0.02
#define ECHO_US RMI_MS(10)
#define FRACTION_ONE 256.0

static bool is_sender(const struct rmi_rtp_session *s, int64_t now_us, const struct rtps_out *o) {
    return o->line != RTPS_NONE && o->sr_packets > 0 &&
           now_us - o->last_sent_us <= SENDER_INTERVALS * s->config.rtcp_interval_us;
}

/* Who speaks in packets that are about no stream of ours. */
static const struct rtps_line *own_line(const struct rmi_rtp_session *s) {
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        if (s->out[k].line != RTPS_NONE)
            return &s->line[s->out[k].line];
    return s->line_count ? &s->line[0] : NULL;
}

static bool send_rtcp(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_wr *w) {
    if (w->failed || w->pos == 0)
        return false;
    if (s->config.ops.send(s->config.ctx, now_us, true, rtps_room(s), w->pos, RTPS_PACKET_CAP) != RM_OK)
        return false;
    s->stats.rtcp_out++;
    return true;
}

/* ---- reports ---- */

void rtps_wake_reports(struct rmi_rtp_session *s, int64_t now_us) {
    if (s->report_at != RMI_NEVER || s->ended)
        return;
    s->report_at = now_us + (int64_t)rmi_rng_range(&s->config.rng, EARLY_LEAST_US, EARLY_MOST_US);
}

/* About whoever was heard since the last time. */
static size_t collect(struct rmi_rtp_session *s, int64_t now_us, struct rmi_rtcp_report *out) {
    size_t n = 0;
    for (size_t i = 0; i < s->sources.count && n < RMI_RTCP_COUNT_MAX; i++) {
        struct rmi_rtp_source *source = &s->sources.source[i];
        if (source->last_us <= s->reported_us || !rmi_rtp_source_report(source, now_us, &out[n]))
            continue;
        for (int k = 0; k < RMI_RTP_KINDS; k++)
            if (s->in[k].has_ssrc && s->in[k].ssrc == source->ssrc)
                s->in[k].stats.fraction_lost = out[n].fraction_lost / FRACTION_ONE;
        n++;
    }
    return n;
}

static void write_sender(const struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind, struct rmi_wr *w,
                         const struct rmi_rtcp_report *reports, size_t n) {
    const struct rtps_out *o = &s->out[kind];
    const int64_t ticks = (now_us - o->last_capture_us) * (int64_t)rtps_clock(kind) / RTPS_US_PER_S;
    const struct rmi_rtcp_sender_info info = {.ntp = rmi_ntp_of_unix_us(now_us + s->config.unix_offset_us),
                                              .rtp_time = o->last_timestamp + (uint32_t)ticks,
                                              .packets = o->sr_packets,
                                              .octets = o->sr_octets};
    rmi_rtcp_write_sr(w, o->ssrc, &info, reports, n);
}

/* A compound packet: a report of each stream we send, or one as a receiver only, then who we are. */
static void write_compound(const struct rmi_rtp_session *s, int64_t now_us, struct rmi_wr *w,
                           const struct rmi_rtcp_report *reports, size_t n) {
    const struct rtps_line *own = own_line(s);
    bool any = false;
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        if (!is_sender(s, now_us, &s->out[k]))
            continue;
        write_sender(s, now_us, (enum rmi_rtp_kind)k, w, reports, any ? 0 : n);
        any = true;
    }
    if (!any) {
        rmi_rtcp_write_rr(w, own->ssrc, reports, n);
        rmi_rtcp_write_sdes(w, own->ssrc, own->cname, NULL);
    }
    for (int k = 0; any && k < RMI_RTP_KINDS; k++)
        if (is_sender(s, now_us, &s->out[k]))
            rmi_rtcp_write_sdes(w, s->out[k].ssrc, s->line[s->out[k].line].cname, NULL);
    rtps_ecn_write_summary(s, w, own->ssrc, reports, n);
}

void rtps_send_report(struct rmi_rtp_session *s, int64_t now_us) {
    struct rmi_rtcp_report reports[RMI_RTCP_COUNT_MAX];
    const int64_t mean = s->config.rtcp_interval_us;
    const size_t n = collect(s, now_us, reports);
    s->reported_us = now_us;
    if (s->config.rtcp_reports && own_line(s)) {
        struct rmi_wr w = rmi_wr_init(rtps_room(s), RTCP_CAP);
        write_compound(s, now_us, &w, reports, n);
        (void)send_rtcp(s, now_us, &w);
    }
    s->reports += s->reports < EARLY_REPORTS;
    int64_t wait = (int64_t)rmi_rng_range(&s->config.rng, (uint64_t)(mean / 2), (uint64_t)(mean + mean / 2));
    if (s->reports < EARLY_REPORTS)
        wait = rmi_min64(wait, (int64_t)rmi_rng_range(&s->config.rng, EARLY_LEAST_US, EARLY_MOST_US));
    s->report_at = now_us + wait;
}

void rmi_rtp_session_bye(struct rmi_rtp_session *s, int64_t now_us) {
    uint32_t ssrc[2 * RMI_RTP_KINDS];
    struct rmi_rtcp_report reports[RMI_RTCP_COUNT_MAX];
    size_t n = 0;
    if (s->ended)
        return;
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        const struct rtps_out *o = &s->out[k];
        if (!o->started || o->stats.packets == 0)
            continue; /* who was never heard must not say it (RFC 3550 6.3.7) */
        ssrc[n++] = o->ssrc;
        if (o->stats.rtx_packets)
            ssrc[n++] = o->rtx_ssrc;
    }
    if (n > 0 && own_line(s)) {
        struct rmi_wr w = rmi_wr_init(rtps_room(s), RTCP_CAP);
        write_compound(s, now_us, &w, reports, collect(s, now_us, reports));
        rmi_rtcp_write_bye(&w, ssrc, n, NULL);
        (void)send_rtcp(s, now_us, &w);
    }
    s->ended = true;
    rtps_pace_clear(s);
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        rtps_history_clear(&s->out[k]);
}

/* ---- feedback ---- */

/* Alone where reduced-size RTCP was agreed on (RFC 5506), else behind an empty report (RFC 3550 6.1). */
static bool begin_feedback(struct rmi_rtp_session *s, struct rmi_wr *w, const struct rtps_line *own) {
    *w = rmi_wr_init(rtps_room(s), RTCP_CAP);
    if (!own)
        return false;
    if (!own->rsize) {
        rmi_rtcp_write_rr(w, own->ssrc, NULL, 0);
        rmi_rtcp_write_sdes(w, own->ssrc, own->cname, NULL);
    }
    return true;
}

/* Sound whose moment would be over is not asked for: each number behind the newest is a frame late, and its copy takes
 * a round trip. That it then waits for the next frame to come with is made up for by the buffer, which plays what is
 * late by less than a frame. */
static void forget_late_sound(const struct rmi_rtp_session *s, int64_t now_us, struct rtps_in *in) {
    const int64_t left_us = s->config.sound_wait_us - RTPS_NACK_REORDER_US - rtps_fresh_rtt(s, now_us);
    int64_t back = s->fresh_rtt_us && in->frame_us ? rmi_max64(left_us / in->frame_us, 0) : 0;
    back = rmi_min64(back, RMI_NACK_MAX);
    rmi_nack_forget_before(&in->nack, (uint16_t)(in->nack.newest - back));
}

void rtps_send_nacks(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind) {
    struct rtps_in *in = &s->in[kind];
    const struct rtps_line *own = own_line(s);
    uint16_t seq[RMI_NACK_MAX];
    const int64_t rtt = rtps_fresh_rtt(s, now_us);
    int64_t retry_us = rtt + rtt / RETRY_SLACK_DIVISOR + RETRY_SLACK_US;
    if (kind == RMI_RTP_AUDIO) {
        forget_late_sound(s, now_us, in);
        retry_us += in->frame_us;
    }
    in->nack.config.worth_us = kind == RMI_RTP_VIDEO ? PICTURES_WORTH_US : 0;
    in->nack.config.apart_us = rmi_min64(rmi_max64(rtt / APART_PART, APART_LEAST_US), APART_MOST_US);
    in->nack.config.echo_us = s->red.loss >= ECHO_LOSS ? ECHO_US : 0;
    const size_t n = rmi_nack_due(&in->nack, now_us, retry_us, seq, RMI_NACK_MAX);
    for (size_t done = 0; in->has_ssrc && done < n;) {
        struct rmi_wr w;
        if (!begin_feedback(s, &w, own))
            return;
        const size_t fitted = rmi_rtcp_write_nack(&w, own->ssrc, in->ssrc, seq + done, n - done);
        if (fitted == 0 || !send_rtcp(s, now_us, &w))
            return;
        in->stats.nacks++;
        done += fitted;
    }
}

void rtps_send_twcc(struct rmi_rtp_session *s, int64_t now_us) {
    const struct rtps_line *own = own_line(s);
    struct rmi_wr w;
    s->twcc_at = RMI_NEVER; /* the next packet sets it */
    for (bool more = true; more && (rmi_twcc_pending(&s->twcc) || s->ecn.news) && begin_feedback(s, &w, own);) {
        const bool pending = rmi_twcc_pending(&s->twcc);
        rtps_ecn_write_feedback(s, &w, own->ssrc); /* in one datagram: headers are most of it */
        const size_t len = rmi_twcc_build(&s->twcc, own->ssrc, s->twcc_media_ssrc, w.data + w.pos, w.cap - w.pos);
        w.pos += len;
        more = (len > 0 || !pending) && send_rtcp(s, now_us, &w);
        s->stats.twcc_sent += more && len > 0;
    }
}

void rmi_rtp_session_ask_key(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_in *in = &s->in[RMI_RTP_VIDEO];
    const struct rtps_line *line = rtps_line_of(s, in->line), *own = own_line(s);
    struct rmi_wr w;
    if (!line || !own || s->ended || (!in->has_ssrc && line->remote_count == 0))
        return;
    if (in->has_asked && now_us - in->asked_us < RTPS_KEY_INTERVAL_US)
        return;
    const struct rtps_codec *codec = in->has_ssrc ? rtps_codec_of(line, in->stats.format) : NULL;
    const uint32_t feedback = codec ? codec->feedback : line->codec[0].feedback;
    const uint32_t ssrc = in->has_ssrc ? in->ssrc : line->remote[0];
    const bool pli = feedback & RMI_FB_NACK_PLI;
    if ((!pli && !(feedback & RMI_FB_CCM_FIR)) || !begin_feedback(s, &w, own))
        return;
    if (pli)
        rmi_rtcp_write_pli(&w, own->ssrc, ssrc);
    else
        rmi_rtcp_write_fir(&w, own->ssrc, ssrc, in->fir_seq++);
    if (!send_rtcp(s, now_us, &w))
        return;
    in->has_asked = true;
    in->asked_us = now_us;
    if (pli)
        in->stats.plis++;
    else
        in->stats.firs++;
}
