/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/rtp_session_private.h"

/* Receiver estimates below this would stop any stream; nobody means them. */
#define REMB_LEAST_BPS 10000
#define FRACTION_ONE 256.0
#define RTT_SMOOTHING 8 /* as TCP's (RFC 6298 2.3) */

/* Feedback comes twenty times a second: up within two, down within half a second. */
#define FRESH_RISE 2
#define FRESH_FALL 8

void rtps_note_fresh_rtt(struct rmi_rtp_session *s, int64_t now_us, int64_t sample_us) {
    const bool fresh = s->fresh_rtt_us != 0 && now_us - s->fresh_us <= RTPS_FRESH_US;
    sample_us = rmi_max64(sample_us, 1); /* 0 says that it is unknown */
    const int64_t off = sample_us - s->fresh_rtt_us;
    s->fresh_rtt_us = fresh ? s->fresh_rtt_us + off / (off > 0 ? FRESH_RISE : FRESH_FALL) : sample_us;
    s->fresh_us = now_us;
}

static void note_rtt(struct rmi_rtp_session *s, int64_t now_us, int64_t sample_us) {
    rtps_note_fresh_rtt(s, now_us, sample_us);
    sample_us = rmi_max64(sample_us, 1);
    s->rtt_us = s->rtt_us ? s->rtt_us + (sample_us - s->rtt_us) / RTT_SMOOTHING : sample_us;
}

/* What the remote says about our streams. */
static void input_reports(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    const uint32_t now_middle = rmi_ntp_middle(rmi_ntp_of_unix_us(now_us + s->config.unix_offset_us));
    for (size_t i = 0; i < item->count; i++) {
        const struct rmi_rtcp_report *r = &item->u.report[i];
        for (int k = 0; k < RMI_RTP_KINDS; k++) {
            struct rtps_out *o = &s->out[k];
            int64_t rtt = 0;
            if (!o->started || r->ssrc != o->ssrc)
                continue;
            o->stats.packets_lost = r->lost;
            o->stats.fraction_lost = r->fraction_lost / FRACTION_ONE;
            o->stats.jitter_us = (int64_t)r->jitter * RTPS_US_PER_S / rtps_clock((enum rmi_rtp_kind)k);
            if (rmi_rtcp_round_trip_us(now_middle, r, &rtt))
                note_rtt(s, now_us, rtt);
            if (k == RMI_RTP_AUDIO)
                rtps_red_report(s, now_us, r);
            rtps_pace_report(s, now_us, (enum rmi_rtp_kind)k, r, rtt);
        }
    }
}

static void input_sender(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    struct rmi_rtp_source *source = rmi_rtp_sources_find(&s->sources, item->sender_ssrc);
    if (source)
        rmi_rtp_source_sender_report(source, &item->sender, now_us);
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        if (s->in[k].has_ssrc && s->in[k].ssrc == item->sender_ssrc && s->config.ops.on_sender_report)
            s->config.ops.on_sender_report(s->config.ctx, (enum rmi_rtp_kind)k, item->sender.ntp,
                                           item->sender.rtp_time);
}

/* A stream ended. That says nothing about the connection (known limit: a BYE never closes a peer). */
static void input_bye(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    for (size_t i = 0; i < item->count; i++) {
        const uint32_t ssrc = item->u.bye[i];
        for (int k = 0; k < RMI_RTP_KINDS; k++) {
            struct rtps_in *in = &s->in[k];
            if (in->has_rtx && in->rtx_ssrc == ssrc)
                in->has_rtx = false;
            if (!in->has_ssrc || in->ssrc != ssrc)
                continue;
            const struct rmi_rtp_source *source = rmi_rtp_sources_find(&s->sources, ssrc);
            if (source)
                in->stats.packets_lost += rmi_rtp_source_lost(source);
            rtps_in_end(in);
            in->has_bye = true;
            in->bye_ssrc = ssrc;
            in->bye_us = now_us;
            if (s->config.ops.on_bye)
                s->config.ops.on_bye(s->config.ctx, (enum rmi_rtp_kind)k);
        }
        rmi_rtp_sources_remove(&s->sources, ssrc);
    }
}

static void input_nack(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        if (!s->out[k].started || s->out[k].ssrc != item->media_ssrc)
            continue;
        s->out[k].stats.nacks++;
        rtps_resend(s, now_us, (enum rmi_rtp_kind)k, item);
    }
}

static void input_pli(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    if (!o->started || o->ssrc != item->media_ssrc)
        return;
    o->stats.plis++;
    rtps_key_wanted(s, now_us);
}

/* A FIR with the number of the one before is its repetition (RFC 5104 4.3.1.2). */
static void input_fir(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    struct rtps_out *o = &s->out[RMI_RTP_VIDEO];
    uint32_t ssrc;
    uint8_t number;
    for (size_t i = 0; o->started && rmi_rtcp_fir_at(item, i, &ssrc, &number); i++) {
        if (ssrc != o->ssrc)
            continue;
        o->stats.firs++;
        if (o->has_fir_seq && o->fir_seq == number)
            continue;
        o->has_fir_seq = true;
        o->fir_seq = number;
        rtps_key_wanted(s, now_us);
    }
}

/* Feedback ends with the newest packet that came, and is sent soon after it. */
static void note_feedback(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_twcc_reader *feedback) {
    const uint16_t seq = (uint16_t)(feedback->base_seq + feedback->count - 1);
    const struct rmi_cc_flight *flight = &s->pace.history.slot[seq % RMI_CC_HISTORY];
    if (feedback->count > 0 && flight->seq == seq && flight->sent_us != 0)
        rtps_note_fresh_rtt(s, now_us, now_us - flight->sent_us);
}

static rm_err input_item(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    struct rmi_twcc_reader twcc;
    switch (item->kind) {
    case RMI_RTCP_SR:
        input_sender(s, now_us, item);
        input_reports(s, now_us, item);
        break;
    case RMI_RTCP_RR:
        input_reports(s, now_us, item);
        break;
    case RMI_RTCP_BYE:
        input_bye(s, now_us, item);
        break;
    case RMI_RTCP_NACK:
        input_nack(s, now_us, item);
        break;
    case RMI_RTCP_PLI:
        input_pli(s, now_us, item);
        break;
    case RMI_RTCP_FIR:
        input_fir(s, now_us, item);
        break;
    case RMI_RTCP_REMB:
        s->stats.remb_bps = item->bitrate_bps < REMB_LEAST_BPS ? REMB_LEAST_BPS : item->bitrate_bps;
        rtps_pace_remb(s, now_us, item);
        break;
    case RMI_RTCP_TWCC:
        if (rmi_twcc_begin(&twcc, item) != RM_OK)
            return RM_E_PARSE;
        s->stats.twcc_received++;
        note_feedback(s, now_us, &twcc);
        rtps_pace_feedback(s, now_us, &twcc);
        break;
    case RMI_RTCP_ECN:
        rtps_ecn_input(s, now_us, item);
        break;
    case RMI_RTCP_SDES:
    case RMI_RTCP_OTHER:
        break;
    }
    return RM_OK;
}

void rtps_input_rtcp(struct rmi_rtp_session *s, int64_t now_us, const uint8_t *data, size_t len) {
    struct rmi_rtcp_reader reader;
    struct rmi_rtcp_item item;
    rm_err err;
    s->stats.rtcp_in++;
    if (rmi_rtcp_begin(&reader, data, len) != RM_OK) {
        s->stats.rtcp_malformed++;
        return;
    }
    rtps_pace_heard(s, now_us);
    while ((err = rmi_rtcp_next(&reader, &item)) != RM_E_AGAIN)
        if (err != RM_OK || input_item(s, now_us, &item) != RM_OK)
            s->stats.rtcp_malformed++;
}
