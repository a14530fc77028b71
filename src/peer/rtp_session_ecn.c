/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion marks (ECN, RFC 6679): which packets of ours may be marked and what that tells congestion control; what
 * the remote is told of the marks its packets come with. */
#include "peer/rtp_session_private.h"

/* The first marked packets of a stream are news, too: the remote waits to hear that its path carries marks. */
#define EARLY_MARKS 8
/* Of one datagram, which feedback about arrivals is to fit in as well. A peer has a handful of streams. */
#define STREAMS_TOLD 8

/* ---- what is sent ---- */

/* Marks are answered by way of transport-wide feedback as well: who counts them only, but not on their time, would be
 * told of losses too late. */
void rtps_ecn_negotiated(struct rtps_line *line, const struct rmi_jsep_media *m) {
    line->ecn_receive = m->ecn_receive;
    line->ecn_send = m->ecn_send && line->ext.twcc;
    for (size_t i = 0; i < line->codec_count; i++)
        line->ecn_send = line->ecn_send && (line->codec[i].feedback & RMI_FB_TRANSPORT_CC);
}

void rtps_ecn_start(struct rmi_rtp_session *s, int64_t now_us) {
    bool any = false;
    for (int k = 0; k < RMI_RTP_KINDS; k++)
        any = any || (s->out[k].line != RTPS_NONE && s->line[s->out[k].line].ecn_send);
    if (any && s->config.ops.send_ect && s->pace.on && rmi_cc_answers_marks(&s->pace.cc))
        rmi_ecn_path_start(&s->ecn.path, now_us);
    else
        rmi_ecn_path_stop(&s->ecn.path);
}

static void tell_state(const struct rmi_rtp_session *s, enum rmi_ecn_state before) {
    const struct rmi_ecn_path *p = &s->ecn.path;
    if (p->state == before)
        return;
    if (p->state == RMI_ECN_RESTS)
        rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_INFO, "%s: the path does not carry ECN: %s; again in %lld s",
                s->name, rmi_ecn_fault_text(p->fault), (long long)(p->rest_us / RTPS_US_PER_S));
    else if (p->state == RMI_ECN_MARKS)
        rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_DEBUG, "%s: the path carries ECN", s->name);
}

bool rtps_ecn_mark(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, bool again) {
    const enum rmi_ecn_state before = s->ecn.path.state;
    const enum rmi_ecn_packet packet = again                         ? RMI_ECN_REPAIR
                                       : line->kind == RMI_RTP_VIDEO ? RMI_ECN_PICTURE
                                                                     : RMI_ECN_VOICE;
    if (!line->ecn_send)
        return false;
    const bool mark = rmi_ecn_path_mark(&s->ecn.path, now_us, s->rtt_us, packet);
    tell_state(s, before);
    return mark;
}

/* ---- what comes ---- */

void rtps_ecn_received(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, uint32_t ssrc,
                       enum rmi_ecn ecn) {
    struct rmi_rtp_source *source = line->ecn_receive ? rmi_rtp_sources_find(&s->sources, ssrc) : NULL;
    if (!source)
        return;
    const uint64_t marked = source->ecn[RMI_ECN_ECT0] + source->ecn[RMI_ECN_ECT1];
    source->ecn[ecn]++;
    s->in[line->kind].stats.ce += ecn == RMI_ECN_CE;
    if (ecn == RMI_ECN_CE || (ecn != RMI_ECN_NOT_ECT && marked < EARLY_MARKS)) {
        source->ecn_news = s->ecn.news = true;
        rtps_wake_feedback(s, now_us);
    }
}

/* Losses are no reason for it, other than RFC 6679 7.3.2 has it: transport-wide feedback tells of them as soon. */
void rtps_ecn_write_feedback(struct rmi_rtp_session *s, struct rmi_wr *w, uint32_t sender) {
    size_t told = 0;
    bool more = false;
    for (size_t i = 0; s->ecn.news && i < s->sources.count; i++) {
        struct rmi_rtp_source *source = &s->sources.source[i];
        struct rmi_rtcp_ecn ecn;
        if (!source->ecn_news)
            continue;
        more = told == STREAMS_TOLD;
        if (more)
            break;
        rmi_rtp_source_ecn(source, &ecn);
        rmi_rtcp_write_ecn(w, sender, &ecn);
        source->ecn_news = false;
        told++;
    }
    s->ecn.news = more;
}

void rtps_ecn_write_summary(const struct rmi_rtp_session *s, struct rmi_wr *w, uint32_t sender,
                            const struct rmi_rtcp_report *reports, size_t n) {
    struct rmi_rtcp_ecn ecn[STREAMS_TOLD];
    size_t count = 0;
    bool agreed = false;
    for (int i = 0; i < s->line_count; i++)
        agreed = agreed || s->line[i].ecn_receive;
    for (size_t i = 0; i < s->sources.count; i++)
        for (size_t k = 0; k < n && count < STREAMS_TOLD; k++)
            if (reports[k].ssrc == s->sources.source[i].ssrc)
                rmi_rtp_source_ecn(&s->sources.source[i], &ecn[count++]);
    if (agreed)
        rmi_rtcp_write_ecn_summary(w, sender, ecn, count); /* without streams it says that we understand (5.2) */
}

/* ---- what the remote says of ours ---- */

/* The record of a stream of ours, and its kind. */
static struct rmi_ecn_seen *seen_of(struct rmi_rtp_session *s, uint32_t ssrc, enum rmi_rtp_kind *kind) {
    for (int k = 0; k < RMI_RTP_KINDS; k++) {
        const struct rtps_out *o = &s->out[k];
        *kind = (enum rmi_rtp_kind)k;
        if (o->started && o->ssrc == ssrc)
            return &s->ecn.seen[k];
        if (o->started && k == RMI_RTP_VIDEO && o->rtx_ssrc && o->rtx_ssrc == ssrc)
            return &s->ecn.seen_rtx;
    }
    return NULL;
}

void rtps_ecn_input(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    const enum rmi_ecn_state before = s->ecn.path.state;
    bool marked = false;
    for (size_t i = 0; i < item->count && before != RMI_ECN_OFF; i++) {
        enum rmi_rtp_kind kind;
        struct rmi_ecn_seen *seen = seen_of(s, item->u.ecn[i].ssrc, &kind);
        if (!seen)
            continue;
        const struct rmi_ecn_news news = rmi_ecn_seen_input(seen, &item->u.ecn[i]);
        s->out[kind].stats.ce += news.ce;
        /* Of the few that ask the path, marks say no more than losses of as few would: nothing. */
        marked = marked || (news.ce && s->ecn.path.state == RMI_ECN_MARKS);
        rmi_ecn_path_report(&s->ecn.path, now_us, &news);
    }
    if (marked)
        rtps_pace_marked(s, now_us, s->ecn.path.state == RMI_ECN_RESTS && s->ecn.path.fault == RMI_ECN_FLOODED);
    tell_state(s, before);
}

void rtps_ecn_feedback(struct rmi_rtp_session *s, int64_t now_us, unsigned packets, unsigned lost) {
    const enum rmi_ecn_state before = s->ecn.path.state;
    rmi_ecn_path_feedback(&s->ecn.path, now_us, packets, lost);
    tell_state(s, before);
}
