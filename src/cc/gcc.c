/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's estimate as WebRTC makes it (draft-ietf-rmcat-gcc-02, with what libwebrtc has learned since): the least
 * of what the delay, the loss and the receiver allow; probes for what is not used. */
#include "cc/acked.h"
#include "cc/aimd.h"
#include "cc/alr.h"
#include "cc/ecn.h"
#include "cc/loss.h"
#include "cc/pacer.h"
#include "cc/probe_plan.h"
#include "cc/probe_rate.h"
#include <math.h>
#include <stdlib.h>

#define STREAM_TIMEOUT_US RMI_SEC(2) /* nothing for so long: old groups say nothing about new ones */
#define FEEDBACK_GONE_US RMI_SEC(2)  /* no transport-wide feedback for so long: reports count */
/* By reports alone (draft-ietf-rmcat-gcc-02 section 6): up 8 % a second below the one, down above the other. */
#define REPORT_LOSS_LOW 0.02
#define REPORT_LOSS_HIGH 0.10
#define REPORT_GROWTH 1.08
#define REPORT_APART_US RMI_MS(300)
#define US_PER_S 1e6
/* No feedback for this and two round trips: it, or what it should tell of, does not get through any more. */
#define SILENCE_US RMI_MS(500)
#define SILENCE_FACTOR 0.5
#define RTT_SMOOTHING 8
#define DEEP_CUT 0.5 /* 935 to 230 kbit/s was seen on 1 Mbit/s (tests/sim/viewers_settle_on_their_rungs.c) */

struct gcc {
    struct rmi_cc_limits limits;
    struct rmi_cc_groups groups;
    struct rmi_cc_trend trend;
    struct rmi_cc_aimd aimd;
    struct rmi_cc_acked acked;
    struct rmi_cc_loss loss;
    struct rmi_cc_alr alr;
    struct rmi_cc_ecn ecn;
    bool idle; /* less is sent than the rate allows, or than would prove that more arrives: only a probe finds more */
    int64_t idle_us;
    struct rmi_cc_probe_plan plan;
    struct rmi_cc_probe_rate probes;
    bool has_feedback;
    int64_t feedback_us;
    int64_t sent_us;    /* the first packet since the last feedback; 0: none */
    bool silent;        /* since then it was cut for want of feedback, */
    int64_t silence_us; /* the last time then */
    int64_t heard_us;   /* the first feedback after a silence */
    enum rmi_cc_usage usage;
    double loss_bps, remb_bps; /* 0: no limit */
    double report_loss;
    bool has_report;
    int64_t reported_us;
    int64_t rtt_us;
    double target_bps;
    uint32_t reductions;
};

static rm_err create(const struct rmi_cc_limits *limits, int64_t now_us, void **out) {
    (void)now_us;
    struct gcc *g = calloc(1, sizeof *g);
    if (!g)
        return RM_E_NO_MEMORY;
    g->limits = *limits;
    rmi_cc_trend_init(&g->trend);
    rmi_cc_aimd_init(&g->aimd, limits);
    rmi_cc_loss_init(&g->loss, limits->start_bps);
    rmi_cc_probe_plan_init(&g->plan, limits);
    g->target_bps = limits->start_bps;
    *out = g;
    return RM_OK;
}

/* The least of all. */
static void combine(struct gcc *g, int64_t now_us) {
    double bps = g->aimd.bps;
    if (g->loss_bps > 0)
        bps = fmin(bps, g->loss_bps);
    if (g->remb_bps > 0)
        bps = fmin(bps, g->remb_bps);
    bps = fmin(fmax(bps, g->limits.min_bps), g->limits.max_bps);
    g->target_bps = bps;
    rmi_cc_probe_plan_estimate(&g->plan, now_us, bps);
}

static void set_weight(void *self, double weight) {
    struct gcc *g = self;
    g->aimd.weight = weight;
}

static void set_limits(void *self, int64_t now_us, const struct rmi_cc_limits *limits) {
    struct gcc *g = self;
    g->limits = *limits;
    rmi_cc_aimd_limits(&g->aimd, limits);
    rmi_cc_probe_plan_limits(&g->plan, limits);
    combine(g, now_us);
}

static void note_idle(struct gcc *g, int64_t now_us) {
    const bool idle = g->alr.limited || g->aimd.unproven;
    if (idle && !g->idle)
        g->idle_us = now_us;
    g->idle = idle;
}

static void sent(void *self, int64_t now_us, uint32_t bytes) {
    struct gcc *g = self;
    rmi_cc_alr_input(&g->alr, now_us, bytes, g->target_bps);
    note_idle(g, now_us);
    if (g->sent_us == 0)
        g->sent_us = now_us;
}

/* ---- transport-wide feedback ---- */

/* By arrival; those lost come last. They are in order already but for the few that overtook others. */
static void sort(struct rmi_cc_result *r, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const struct rmi_cc_result moved = r[i];
        size_t at = i;
        for (; at > 0 && r[at - 1].arrived_us > moved.arrived_us; at--)
            r[at] = r[at - 1];
        r[at] = moved;
    }
}

/* One packet that arrived: whether the queue grows. True: it has emptied after it had grown. */
static bool follow_delay(struct gcc *g, int64_t now_us, const struct rmi_cc_result *r) {
    struct rmi_cc_delta delta;
    const enum rmi_cc_usage before = g->usage;
    if (!rmi_cc_groups_input(&g->groups, r->sent_us, r->arrived_us, now_us, &delta))
        return false;
    g->usage = rmi_cc_trend_input(&g->trend, &delta, g->groups.before.arrived_us);
    return before == RMI_CC_USAGE_UNDER && g->usage == RMI_CC_USAGE_NORMAL;
}

static void note_rtt(struct gcc *g, int64_t rtt_us) {
    if (rtt_us <= 0)
        return;
    g->rtt_us = g->rtt_us ? g->rtt_us + (rtt_us - g->rtt_us) / RTT_SMOOTHING : rtt_us;
    rmi_cc_aimd_rtt(&g->aimd, rtt_us);
}

/* The rate by delay after this feedback; a successful probe replaces it. */
static void follow_rate(struct gcc *g, int64_t now_us, double probed_bps) {
    if (g->usage != RMI_CC_USAGE_OVER && probed_bps > 0) {
        rmi_cc_aimd_probed(&g->aimd, now_us, probed_bps);
        rmi_cc_acked_probed(&g->acked, g->aimd.bps);
        if (g->loss_bps <= 0 || g->loss_bps >= g->target_bps)
            rmi_cc_loss_set(&g->loss, g->aimd.bps);
        return;
    }
    g->reductions += rmi_cc_aimd_update(&g->aimd, now_us, g->usage, g->acked.bps, g->alr.limited);
}

/* Without those that were lost in a silence: the path was gone, which is answered already, and not full. They come
 * last. */
static size_t without_silence(const struct gcc *g, struct rmi_cc_result *r, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (r[i].arrived_us != RMI_CC_LOST || r[i].sent_us >= g->heard_us)
            r[left++] = r[i];
    return left;
}

static void feedback(void *self, int64_t now_us, struct rmi_cc_result *results, size_t count) {
    struct gcc *g = self;
    double probed_bps = 0;
    bool any = false, recovered = false;
    int64_t newest_us = 0;
    if (g->has_feedback && now_us - g->feedback_us > STREAM_TIMEOUT_US) {
        g->groups = (struct rmi_cc_groups){0};
        rmi_cc_trend_init(&g->trend);
        g->usage = RMI_CC_USAGE_NORMAL;
    }
    const bool was_limited = g->alr.limited, was_silent = g->silent;
    g->silent = false;
    rmi_cc_alr_input(&g->alr, now_us, 0, g->target_bps);
    if (was_limited && !g->alr.limited)
        rmi_cc_acked_expect_change(&g->acked);
    sort(results, count);
    for (size_t i = 0; i < count && results[i].arrived_us != RMI_CC_LOST; i++) {
        const struct rmi_cc_result *r = &results[i];
        any = true;
        newest_us = rmi_max64(newest_us, r->sent_us);
        rmi_cc_acked_input(&g->acked, r->arrived_us, r->bytes, g->alr.limited);
        const double bps = rmi_cc_probe_rate_input(&g->probes, r);
        probed_bps = bps > 0 ? bps : probed_bps;
        recovered = follow_delay(g, now_us, r) || recovered;
    }
    g->has_feedback = true;
    g->feedback_us = now_us;
    g->sent_us = 0;
    if (any) {
        note_rtt(g, now_us - newest_us);
        follow_rate(g, now_us, probed_bps);
    }
    if (was_silent)
        g->heard_us = now_us;
    count = without_silence(g, results, count);
    const double before = g->loss_bps;
    g->loss_bps = rmi_cc_loss_update(&g->loss, results, count, g->aimd.bps, g->acked.bps);
    g->reductions += g->loss_bps < g->aimd.bps && g->loss_bps < before;
    combine(g, now_us);
    note_idle(g, now_us);
    if (g->aimd.outgrown && g->usage == RMI_CC_USAGE_NORMAL)
        rmi_cc_probe_plan_outgrown(&g->plan, now_us);
    g->aimd.outgrown = false;
    /* Who uses all of the rate finds out as it grows; after a probe that was too bold another one would be so, too. A
     * cut to less than half is more than congestion asks for: what had arrived just before was less than might have. */
    if (was_silent)
        rmi_cc_probe_plan_returned(&g->plan, now_us);
    else if (recovered && (g->alr.limited || g->target_bps < DEEP_CUT * g->plan.dropped_from_bps))
        rmi_cc_probe_plan_recovered(&g->plan, now_us);
}

/* ---- what else is heard ---- */

static void report(void *self, int64_t now_us, double fraction_lost, int64_t rtt_us) {
    struct gcc *g = self;
    g->report_loss = fraction_lost;
    if (g->has_feedback && now_us - g->feedback_us < FEEDBACK_GONE_US)
        return; /* which says the same, and sooner */
    if (g->has_report && now_us - g->reported_us < REPORT_APART_US)
        return;
    note_rtt(g, rtt_us);
    const double seconds = g->has_report ? fmin((double)(now_us - g->reported_us) / US_PER_S, 1) : 0;
    g->has_report = true;
    g->reported_us = now_us;
    double bps = g->aimd.bps;
    if (fraction_lost > REPORT_LOSS_HIGH) {
        bps *= 1 - fraction_lost / 2;
        g->reductions++;
    } else if (fraction_lost < REPORT_LOSS_LOW && !g->alr.limited) {
        bps *= pow(REPORT_GROWTH, seconds);
    }
    rmi_cc_aimd_set(&g->aimd, now_us, bps);
    g->loss_bps = 0;
    combine(g, now_us);
}

static void remb(void *self, int64_t now_us, double bps) {
    struct gcc *g = self;
    g->remb_bps = bps;
    combine(g, now_us);
}

/* As a queue that grows: to 0.85 of what arrives, which is what RFC 8511 3.1 has TCP do, for a queue that marks is
 * short. A loss of as much would be answered by less. */
static void marked(void *self, int64_t now_us) {
    struct gcc *g = self;
    if (!rmi_cc_ecn_marked(&g->ecn, now_us, g->aimd.cut_us, g->rtt_us, g->target_bps))
        return;
    g->reductions += rmi_cc_aimd_update(&g->aimd, now_us, RMI_CC_USAGE_OVER, g->acked.bps, g->alr.limited);
    combine(g, now_us);
}

static void unmarked(void *self, int64_t now_us) {
    struct gcc *g = self;
    (void)now_us;
    rmi_cc_probe_plan_back(&g->plan, g->ecn.before_bps);
}

static void set_rate(void *self, int64_t now_us, double bps) {
    struct gcc *g = self;
    rmi_cc_aimd_set(&g->aimd, now_us, bps);
    if (g->loss_bps <= 0 || g->loss_bps >= g->target_bps) {
        rmi_cc_loss_set(&g->loss, g->aimd.bps);
        g->loss_bps = g->aimd.bps;
    }
    combine(g, now_us);
}

/* ---- time ---- */

static bool poll_probe(void *self, int64_t now_us, struct rmi_cc_probe *out) {
    struct gcc *g = self;
    if (!rmi_cc_probe_plan_poll(&g->plan, now_us, g->idle, g->idle_us, out))
        return false;
    rmi_cc_probe_rate_begin(&g->probes, out);
    return true;
}

/* When the want of feedback becomes suspicious. */
static int64_t silence_deadline(const struct gcc *g) {
    if (!g->has_feedback || g->sent_us == 0)
        return RMI_NEVER;
    return rmi_max64(g->sent_us, g->silence_us) + SILENCE_US + 2 * g->rtt_us;
}

static int64_t next_deadline(const void *self, bool can_probe) {
    const struct gcc *g = self;
    const int64_t silence = silence_deadline(g);
    if (!can_probe)
        return silence;
    return rmi_min64(rmi_cc_probe_plan_deadline(&g->plan, g->idle, g->idle_us), silence);
}

static void timeout(void *self, int64_t now_us) {
    struct gcc *g = self;
    rmi_cc_alr_input(&g->alr, now_us, 0, g->target_bps);
    note_idle(g, now_us);
    if (silence_deadline(g) > now_us)
        return;
    g->silent = true;
    g->silence_us = now_us;
    rmi_cc_aimd_set(&g->aimd, now_us, g->aimd.bps * SILENCE_FACTOR);
    g->reductions++;
    combine(g, now_us);
}

static enum rmi_cc_limit limit_of(const struct gcc *g) {
    if (g->target_bps >= g->limits.max_bps)
        return RMI_CC_BY_MAX;
    if (g->remb_bps > 0 && g->target_bps >= g->remb_bps)
        return RMI_CC_BY_REMB;
    if (g->loss_bps > 0 && g->loss_bps < g->aimd.bps)
        return RMI_CC_BY_LOSS;
    return g->reductions ? RMI_CC_BY_DELAY : RMI_CC_BY_NOTHING;
}

static void get(const void *self, struct rmi_cc_status *out) {
    const struct gcc *g = self;
    const bool reports_only = !g->has_feedback;
    *out = (struct rmi_cc_status){.target_bps = g->target_bps,
                                  .pacing_bps = g->target_bps * RMI_PACER_FACTOR,
                                  .acked_bps = g->acked.bps,
                                  .loss = reports_only ? g->report_loss : g->loss.average_loss,
                                  .rtt_us = g->rtt_us,
                                  .limited_by = limit_of(g),
                                  .app_limited = g->alr.limited,
                                  .unproven = g->idle,
                                  .reductions = g->reductions};
}

const struct rmi_cc_ops rmi_cc_gcc = {.name = "gcc",
                                      .create = create,
                                      .destroy = free,
                                      .set_limits = set_limits,
                                      .set_weight = set_weight,
                                      .sent = sent,
                                      .feedback = feedback,
                                      .report = report,
                                      .remb = remb,
                                      .marked = marked,
                                      .unmarked = unmarked,
                                      .set_rate = set_rate,
                                      .poll_probe = poll_probe,
                                      .next_deadline = next_deadline,
                                      .timeout = timeout,
                                      .get = get};
