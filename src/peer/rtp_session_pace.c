/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion control of what is sent: feedback in, the pace and the encoder's rate out (src/cc). */
#include "peer/rtp_session_private.h"
#include "rtp/packet.h"
#include <math.h>

#define BITS 8.0
/* On top of an RTP packet: IP and UDP headers (IPv4: 28 bytes), an authentication tag. */
#define WIRE_EXTRA 44
/* Of a picture's datagrams, what its encoder made: 1,140 bytes of payload in 1,140 + 44 + header and extensions. */
#define PAYLOAD_SHARE 0.94
/* Below this pictures are of no use to anybody and only take from the sound; they come back at twice that. */
#define VIDEO_OFF_BPS 50000.0
#define VIDEO_ON_BPS 100000.0
#define TOLD_SHARE 0.02              /* a smaller change of the rate is not worth an encoder's attention */
#define PROBE_HOLD_US RMI_MS(50)     /* a probe and the queue it leaves */
#define PICTURES_PAUSE_US RMI_SEC(2) /* none for so long: nothing needs to know the rate */
#define BROKEN_US RMI_SEC(30)        /* no pictures after the circuit breaker tripped (RFC 8083 4.5: not at once) */
#define FRAME_MOST_US RMI_SEC(1)
#define SHARE_DEMAND 1.25 /* who is limited by its application has use for this much more */
#define GUARD_US RMI_MS(1)
#define RETRY_US RMI_MS(20)
#define PACE_FULL                                                                                                      \
    1.1 /* of the rate: two flows at 1 Mbit/s share with an index of 0.99, at 2.5 with 0.76 (RFC 8867 5.2) */
#define LARGE_FALL 0.66      /* as cc/probe_plan.c has it, */
#define HIGH_US RMI_SEC(2)   /* from the highest rate of so long */
#define STALE_US RMI_MS(300) /* what waits longer is later than a key frame would be */

static struct rmi_cc_status status_of(const struct rmi_rtp_session *s) {
    struct rmi_cc_status status;
    rmi_cc_get(&s->pace.cc, &status);
    return status;
}

/* ---- rates ---- */

static double wire_bps(const uint32_t *bytes) {
    return BITS * (double)rtps_rate_sum(bytes);
}

/* Whether transport-wide feedback of what we send was negotiated, without which a probe finds nothing. */
static bool has_feedback(const struct rmi_rtp_session *s) {
    const struct rtps_line *line = rtps_line_of(s, s->out[RMI_RTP_VIDEO].line);
    bool any = false;
    for (size_t i = 0; line && i < line->codec_count; i++)
        any = any || (line->codec[i].feedback & RMI_FB_TRANSPORT_CC);
    return any && line->ext.twcc;
}

/* Of the target, what is left for pictures. Where no probe can find the way back, they stay at the least: their own
 * fate is all that tells of a better path. */
static double video_bps(struct rmi_rtp_session *s, int64_t now_us, double target_bps) {
    struct rtps_pace *p = &s->pace;
    rtps_rate_note(&p->others, now_us, 0, false);
    const double left = (target_bps - wire_bps(p->others.sent) - wire_bps(p->others.resent)) * PAYLOAD_SHARE;
    if (left > VIDEO_ON_BPS || !rtps_can_pad(s) || !has_feedback(s))
        p->video_off = false;
    else if (left < VIDEO_OFF_BPS)
        p->video_off = true;
    return p->video_off || now_us < p->broken_until_us ? 0 : fmax(left, VIDEO_OFF_BPS);
}

static bool worth_telling(const struct rmi_rtp_rate *a, const struct rmi_rtp_rate *b) {
    return (a->video_bps > 0) != (b->video_bps > 0) || a->limited_by != b->limited_by ||
           fabs(a->video_bps - b->video_bps) > TOLD_SHARE * a->video_bps ||
           fabs(a->target_bps - b->target_bps) > TOLD_SHARE * a->target_bps;
}

static void tell_rate(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_cc_status *status) {
    struct rtps_pace *p = &s->pace;
    const struct rmi_rtp_rate rate = {.target_bps = status->target_bps,
                                      .video_bps = video_bps(s, now_us, status->target_bps),
                                      .loss = status->loss,
                                      .rtt_us = status->rtt_us,
                                      .limited_by = status->limited_by};
    if (!worth_telling(&p->told, &rate))
        return;
    p->told = rate;
    if (s->config.ops.on_rate)
        s->config.ops.on_rate(s->config.ctx, now_us, &rate);
}

/* Another connection's turn to give or to get. */
static void on_share(void *ctx, int64_t now_us, double bps) {
    struct rmi_rtp_session *s = ctx;
    rmi_cc_set_rate(&s->pace.cc, now_us, bps);
    const struct rmi_cc_status status = status_of(s);
    tell_rate(s, now_us, &status);
}

/* After a large fall of the rate: pictures that wait and would go on waiting for long. They were made for a path that
 * is gone, and of those before them most were lost on it, so that only a key frame helps. */
static void drop_stale(struct rmi_rtp_session *s, int64_t now_us, double target_bps) {
    struct rtps_pace *p = &s->pace;
    if (target_bps >= p->high_bps || now_us - p->high_us > HIGH_US) {
        p->high_bps = target_bps;
        p->high_us = now_us;
    }
    if (target_bps > LARGE_FALL * p->high_bps ||
        BITS * (double)p->pacer.queued_bytes < target_bps * (double)STALE_US / (double)RMI_SEC(1))
        return;
    rtps_pace_clear(s);
    s->out[RMI_RTP_VIDEO].missed = s->out[RMI_RTP_VIDEO].stats.packets > 0;
    p->high_bps = target_bps;
}

static void rate_changed(struct rmi_rtp_session *s, int64_t now_us) {
    const struct rmi_cc_status status = status_of(s);
    drop_stale(s, now_us, status.target_bps);
    tell_rate(s, now_us, &status);
    const double most =
        status.app_limited ? fmin(SHARE_DEMAND * status.acked_bps, s->config.limits.max_bps) : s->config.limits.max_bps;
    rmi_cc_share_update(&s->pace.member, now_us, status.target_bps, most, status.reductions, status.app_limited);
}

bool rmi_rtp_session_get_rate(const struct rmi_rtp_session *s, struct rmi_rtp_rate *out) {
    if (s->pace.on)
        *out = s->pace.told;
    return s->pace.on;
}

void rmi_rtp_session_set_uplink(struct rmi_rtp_session *s, uint32_t uplink) {
    s->pace.member.uplink = uplink;
}

/* ---- life cycle ---- */

static bool begin(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_pace *p = &s->pace;
    const struct rmi_cc_ops *ops = s->config.cc ? s->config.cc : &rmi_cc_gcc;
    struct rmi_cc_limits limits = s->config.limits;
    if (s->config.share)
        limits.start_bps = fmax(rmi_cc_share_start_bps(s->config.share, now_us, limits.start_bps), limits.min_bps);
    const rm_err err = rmi_cc_create(ops, &limits, now_us, &p->cc);
    if (err) {
        rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_ERROR, "%s: no congestion control: %s", s->name, rm_strerror(err));
        return false;
    }
    rmi_cc_set_weight(&p->cc, s->config.weight);
    const struct rmi_cc_status status = status_of(s);
    rmi_pacer_init(&p->pacer, now_us, status.pacing_bps);
    p->member = (struct rmi_cc_member){.uplink = p->member.uplink,
                                       .weight = s->config.weight > 0 ? s->config.weight : 1,
                                       .floor_bps = s->config.limits.min_bps,
                                       .joined_us = now_us,
                                       .set_rate = on_share,
                                       .ctx = s};
    if (s->config.share)
        rmi_cc_share_join(s->config.share, &p->member);
    p->frame_us = FRAME_MOST_US;
    p->next_us = RMI_NEVER;
    return true;
}

void rtps_pace_negotiated(struct rmi_rtp_session *s, int64_t now_us) {
    if (!s->pace.on && s->config.limits.max_bps > 0)
        s->pace.on = begin(s, now_us);
    if (!s->pace.on)
        return;
    if (s->out[RMI_RTP_VIDEO].line == RTPS_NONE)
        rtps_pace_clear(s);
    const struct rmi_cc_status status = status_of(s);
    tell_rate(s, now_us, &status);
}

static void clear_class(struct rmi_pacer *pacer, enum rmi_pace_class class) {
    struct rmi_pace_item item;
    while (rmi_pacer_take(pacer, class, &item)) {
        const struct rmi_rtp_batch *batch = item.ref;
        rmi_rtp_batch_unref(&batch);
    }
}

void rtps_pace_clear(struct rmi_rtp_session *s) {
    for (int c = 0; c < RMI_PACE_CLASSES; c++)
        clear_class(&s->pace.pacer, (enum rmi_pace_class)c);
    rmi_pacer_probe_end(&s->pace.pacer);
}

void rtps_pace_fini(struct rmi_rtp_session *s) {
    rtps_pace_clear(s);
    rmi_cc_share_leave(&s->pace.member);
    rmi_pacer_fini(&s->pace.pacer);
    rmi_cc_destroy(&s->pace.cc);
}

/* ---- sending ---- */

static bool may_probe(const struct rmi_rtp_session *s, int64_t now_us) {
    const struct rtps_pace *p = &s->pace;
    const bool needed = p->video_off || now_us - p->picture_us < PICTURES_PAUSE_US;
    return p->sent && needed && now_us >= p->broken_until_us && !p->pacer.probing && rtps_can_pad(s) && has_feedback(s);
}

static void start_probe(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_pace *p = &s->pace;
    struct rmi_cc_probe probe;
    if (!may_probe(s, now_us) || rmi_cc_share_probe_deadline(&p->member) > now_us ||
        !rmi_cc_poll_probe(&p->cc, now_us, &probe))
        return;
    (void)rmi_cc_share_may_probe(&p->member, now_us, PROBE_HOLD_US);
    rmi_pacer_probe(&p->pacer, now_us, &probe);
    s->stats.probes++;
}

static rm_err carry_out(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_pace_order *order, size_t *len) {
    const struct rmi_rtp_batch *batch = order->item.ref;
    rm_err err = RM_OK;
    *len = 0;
    if (order->what == RMI_PACE_PAD)
        return rtps_send_padding(s, now_us, order->padding, order->cluster, len);
    if (order->class == RMI_PACE_RESENT)
        return rtps_send_again(s, now_us, RMI_RTP_VIDEO, (uint16_t)order->item.index, order->cluster, len);
    err = rtps_send_first(s, now_us, RMI_RTP_VIDEO, batch, order->item.index, order->cluster, len);
    rmi_rtp_batch_unref(&batch);
    return err;
}

static void arm(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_pace *p = &s->pace;
    const bool probe = may_probe(s, now_us);
    int64_t at = rmi_cc_next_deadline(&p->cc, probe);
    if (probe)
        at = rmi_max64(at, rmi_cc_share_probe_deadline(&p->member));
    at = rmi_min64(at, rmi_pacer_next_deadline(&p->pacer, rtps_can_pad(s)));
    at = rmi_min64(at, rmi_breaker_next_deadline(&p->breaker));
    if (p->broken_until_us > now_us)
        at = rmi_min64(at, p->broken_until_us);
    p->next_us = at > now_us ? at : now_us + GUARD_US;
}

/* Where the path is known to be the limit, pictures wait here and not in its queue, in which sound would wait with
 * them; they come no later for it. */
static double pace_of(const struct rmi_rtp_session *s) {
    const struct rmi_cc_status status = status_of(s);
    const bool full = !status.unproven && (status.limited_by == RMI_CC_BY_DELAY || status.limited_by == RMI_CC_BY_LOSS);
    return full ? fmin(status.pacing_bps, PACE_FULL * status.target_bps) : status.pacing_bps;
}

rm_err rtps_pace_run(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_pace *p = &s->pace;
    rm_err first = RM_OK;
    if (!p->on || s->ended)
        return RM_OK;
    rmi_pacer_set_rate(&p->pacer, now_us, pace_of(s));
    for (;;) {
        struct rmi_pace_order order;
        size_t len;
        start_probe(s, now_us);
        rmi_pacer_poll(&p->pacer, now_us, rtps_can_pad(s), &order);
        if (order.what == RMI_PACE_NOTHING)
            break;
        const rm_err err = carry_out(s, now_us, &order, &len);
        if (err == RM_E_STATE) { /* no path: what waits would be too late when there is one again */
            rtps_pace_clear(s);
            p->next_us = now_us + RETRY_US;
            return err;
        }
        first = first ? first : err;
        if (len)
            rmi_pacer_sent(&p->pacer, now_us, &order, len + WIRE_EXTRA);
        else if (order.what == RMI_PACE_PAD)
            rmi_pacer_probe_end(&p->pacer);
        if (len && order.what == RMI_PACE_SEND && order.class == RMI_PACE_RESENT)
            rtps_rate_note(&p->others, now_us, len + WIRE_EXTRA, true);
    }
    arm(s, now_us);
    return first;
}

rm_err rtps_pace_batch(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtp_batch *batch) {
    struct rtps_pace *p = &s->pace;
    rm_err err = RM_OK;
    if (p->picture_us)
        p->frame_us = rmi_min64(now_us - p->picture_us, FRAME_MOST_US);
    p->picture_us = now_us;
    if (now_us < p->broken_until_us)
        return RM_OK;
    for (uint32_t i = 0; i < batch->count && !err; i++) {
        const struct rmi_pace_item item = {.ref = rmi_rtp_batch_ref(batch),
                                           .index = i,
                                           .bytes = batch->payload[i].len + (uint32_t)WIRE_EXTRA,
                                           .queued_us = now_us};
        err = rmi_pacer_push(&p->pacer, RMI_PACE_VIDEO, &item);
        if (err) { /* nothing of it is of use, and nothing that waits; a key frame begins anew */
            const struct rmi_rtp_batch *refused = batch;
            rmi_rtp_batch_unref(&refused);
            clear_class(&p->pacer, RMI_PACE_VIDEO);
            s->out[RMI_RTP_VIDEO].missed = s->out[RMI_RTP_VIDEO].stats.packets > 0;
        }
    }
    const rm_err sent = rtps_pace_run(s, now_us);
    return err ? err : sent;
}

rm_err rtps_pace_again(struct rmi_rtp_session *s, int64_t now_us, uint16_t seq, size_t bytes) {
    const struct rmi_pace_item item = {.index = seq, .bytes = (uint32_t)(bytes + WIRE_EXTRA), .queued_us = now_us};
    return rmi_pacer_push(&s->pace.pacer, RMI_PACE_RESENT, &item); /* the caller's input ends with a run */
}

void rtps_pace_sent(struct rmi_rtp_session *s, int64_t now_us, const struct rtps_line *line, size_t len,
                    uint32_t cluster) {
    struct rtps_pace *p = &s->pace;
    const size_t wire = len + WIRE_EXTRA;
    if (!p->on)
        return;
    p->sent = true;
    if (line->ext.twcc)
        rmi_cc_history_add(&p->history, s->twcc_seq, now_us, wire, cluster);
    rmi_cc_sent(&p->cc, now_us, (uint32_t)wire);
    if (line->kind == RMI_RTP_VIDEO) {
        rmi_breaker_sent(&p->breaker, now_us, len);
    } else { /* never waits, and what it takes is the pictures' loss */
        rtps_rate_note(&p->others, now_us, wire, false);
        rmi_pacer_note(&p->pacer, now_us, wire);
    }
}

/* ---- what the remote says ---- */

struct results {
    struct rmi_cc_result result[RMI_CC_RESULTS_MAX];
    size_t count;
    unsigned packets, lost; /* of all */
};

static void take(struct rmi_rtp_session *s, int64_t now_us, struct results *r, uint16_t seq, int64_t arrived_us) {
    if (!rmi_cc_history_take(&s->pace.history, seq, arrived_us, &r->result[r->count]))
        return;
    r->packets++;
    r->lost += arrived_us == RMI_CC_LOST;
    if (++r->count == RMI_CC_RESULTS_MAX) {
        rmi_cc_feedback(&s->pace.cc, now_us, r->result, r->count);
        r->count = 0;
    }
}

/* Those from..to - 1 did not arrive. What is older than the history needs no look. */
static void take_lost(struct rmi_rtp_session *s, int64_t now_us, struct results *r, uint16_t from, uint16_t to) {
    if (rmi_seq_diff(s->twcc_seq, from) > RMI_CC_HISTORY)
        from = rmi_seq_diff(s->twcc_seq, to) > RMI_CC_HISTORY ? to : (uint16_t)(s->twcc_seq - RMI_CC_HISTORY);
    for (; from != to && rmi_seq_diff(to, from) > 0; from++)
        take(s, now_us, r, from, RMI_CC_LOST);
}

void rtps_pace_feedback(struct rmi_rtp_session *s, int64_t now_us, struct rmi_twcc_reader *feedback) {
    struct rtps_pace *p = &s->pace;
    struct results results;
    struct rmi_twcc_arrival arrival;
    uint16_t next = feedback->base_seq;
    const uint16_t end = (uint16_t)(feedback->base_seq + feedback->count);
    if (!p->on)
        return;
    p->reference =
        p->has_reference ? rmi_twcc_unwrap_reference(p->reference, feedback->reference) : feedback->reference;
    p->has_reference = true;
    results.count = results.packets = results.lost = 0;
    while (rmi_twcc_next(feedback, &arrival)) {
        take_lost(s, now_us, &results, next, arrival.seq);
        take(s, now_us, &results, arrival.seq, p->reference * RMI_TWCC_REFERENCE_US + arrival.since_reference_us);
        next = (uint16_t)(arrival.seq + 1);
    }
    take_lost(s, now_us, &results, next, end);
    rmi_cc_feedback(&p->cc, now_us, results.result, results.count);
    rtps_red_feedback(s, now_us, results.lost, results.packets);
    rtps_ecn_feedback(s, now_us, results.packets, results.lost);
    rate_changed(s, now_us);
}

/* The stream of pictures is to end before it does harm: sound goes on, as RFC 8083 4.3 proposes. What happens when that
 * is too much is decided by consent (RFC 7675), which a path like that does not give for long. */
static void trip(struct rmi_rtp_session *s, int64_t now_us, enum rmi_breaker_cause cause) {
    static const char *const why[] = {"", "no reports for 15 s", "nothing of it arrives",
                                      "ten times what TCP would send at such losses"};
    if (cause == RMI_BREAKER_CLOSED)
        return;
    s->stats.breaker_trips++;
    s->pace.broken_until_us = now_us + BROKEN_US;
    rmi_log(s->config.log, RMI_LOG_RTP, RM_LOG_WARN, "%s: no pictures for 30 s: %s", s->name, why[cause]);
    rtps_pace_clear(s);
}

void rtps_pace_report(struct rmi_rtp_session *s, int64_t now_us, enum rmi_rtp_kind kind,
                      const struct rmi_rtcp_report *report, int64_t rtt_us) {
    struct rtps_pace *p = &s->pace;
    const double lost = report->fraction_lost / 256.0;
    if (!p->on || (kind == RMI_RTP_AUDIO && s->out[RMI_RTP_VIDEO].stats.packets > 0))
        return; /* where there are pictures, they tell more */
    rmi_cc_report(&p->cc, now_us, lost, rtt_us);
    if (kind == RMI_RTP_VIDEO)
        trip(s, now_us, rmi_breaker_reported(&p->breaker, now_us, lost, report->highest_seq, s->rtt_us, p->frame_us));
    rate_changed(s, now_us);
}

void rtps_pace_marked(struct rmi_rtp_session *s, int64_t now_us, bool false_ones) {
    if (!s->pace.on)
        return;
    if (false_ones)
        rmi_cc_unmarked(&s->pace.cc, now_us);
    else
        rmi_cc_marked(&s->pace.cc, now_us);
    rate_changed(s, now_us);
}

/* The estimate is for the streams it lists (draft-alvestrand-rmcat-remb-03 2.2); sound that is not among them has its
 * own. */
void rtps_pace_remb(struct rmi_rtp_session *s, int64_t now_us, const struct rmi_rtcp_item *item) {
    struct rtps_pace *p = &s->pace;
    double bps = (double)s->stats.remb_bps;
    bool sound = false;
    uint32_t ssrc;
    if (!p->on)
        return;
    for (size_t i = 0; !sound && rmi_rtcp_remb_at(item, i, &ssrc); i++)
        sound = ssrc == s->out[RMI_RTP_AUDIO].ssrc;
    if (!sound && item->count > 0) {
        rtps_rate_note(&p->others, now_us, 0, false);
        bps += wire_bps(p->others.sent);
    }
    rmi_cc_remb(&p->cc, now_us, bps);
    rate_changed(s, now_us);
}

void rtps_pace_heard(struct rmi_rtp_session *s, int64_t now_us) {
    rmi_breaker_heard(&s->pace.breaker, now_us);
}

void rtps_pace_timeout(struct rmi_rtp_session *s, int64_t now_us) {
    struct rtps_pace *p = &s->pace;
    if (!p->on)
        return;
    if (rmi_cc_next_deadline(&p->cc, false) <= now_us)
        rmi_cc_timeout(&p->cc, now_us);
    trip(s, now_us, rmi_breaker_timeout(&p->breaker, now_us));
    rate_changed(s, now_us);
    (void)rtps_pace_run(s, now_us);
}
