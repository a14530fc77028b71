/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/aimd.h"
#include <math.h>

#define BETA 0.85
#define BELOW_BPS 5000.0 /* under what arrives, so that the queue empties at low rates, too */
#define GROWTH 1.08      /* each second, while the capacity is not known */
#define GROWTH_LEAST_BPS 1000.0
#define ACKED_FACTOR 1.5 /* no rate above this times what arrives: nothing proves it */
#define ACKED_SLACK_BPS 10000.0
#define UNPROVEN 0.95             /* of that: as good as at it, */
#define UNPROVEN_END 0.8          /* and, as what arrives is noisy, until then */
#define ADDITIVE_BPS 24000.0      /* a second, near the known capacity: a packet in twice (100 + 100) ms */
#define ADDITIVE_FAST_BPS 60000.0 /* beyond it */
#define SHARE_MOST 0.08           /* of the rate, a second */
#define SHARE_FAST_MOST 0.12
/* Who has less grows faster, so that shares even out within a few cuts. */
#define LIFT_BPS 1e6
#define LIFT_LEAST 0.5
#define LIFT_MOST 1.7
#define ADDITIVE_LEAST_BPS 4000.0 /* a second */
/* Flows that share a path are cut each four or five seconds. Who is not by then has room: each three seconds more it
 * grows by once more of that (RFC 8867 5.8: else two flows take up to 20 s for what a third one left). */
#define CALM_S 5.0
#define HASTE_S 3.0
#define HASTE_MOST 4.0
/* And this part of the rate: at 10 Mbit/s a packet each response time would take 70 s to make up for one cut. */
#define ADDITIVE_SHARE 0.01
#define RTT_START_S 0.2
#define RTT_SMOOTHING 0.125 /* as TCP's (RFC 6298 2.3) */
#define CUT_APART_LEAST_US RMI_MS(10)
#define CUT_APART_MOST_US RMI_MS(200)
#define COLLAPSE 0.5 /* less than this arrives: cut again at once */
#define LINK_ALPHA 0.05
#define LINK_ALPHA_PROBE 0.5
#define LINK_VARIANCE_START 0.4
#define LINK_VARIANCE_MAX 2.5
#define LINK_SIGMAS 3.0
#define OUTGROWN 1.5 /* well beyond what flows that share a path take from one another */
#define KBPS 1000.0
#define US_PER_S 1e6

void rmi_cc_aimd_init(struct rmi_cc_aimd *a, const struct rmi_cc_limits *limits) {
    *a = (struct rmi_cc_aimd){.min_bps = limits->min_bps,
                              .max_bps = limits->max_bps,
                              .bps = limits->start_bps,
                              .weight = 1,
                              .link_variance = LINK_VARIANCE_START,
                              .rtt_s = RTT_START_S};
}

static void set_rate(struct rmi_cc_aimd *a, double bps) {
    a->bps = fmin(fmax(bps, a->min_bps), a->max_bps);
}

void rmi_cc_aimd_limits(struct rmi_cc_aimd *a, const struct rmi_cc_limits *limits) {
    a->min_bps = limits->min_bps;
    a->max_bps = limits->max_bps;
    set_rate(a, a->bps);
}

void rmi_cc_aimd_rtt(struct rmi_cc_aimd *a, int64_t rtt_us) {
    a->rtt_s += RTT_SMOOTHING * ((double)rtt_us / US_PER_S - a->rtt_s);
}

/* ---- capacity of the path ---- */

static double deviation_kbps(const struct rmi_cc_aimd *a) {
    return sqrt(a->link_variance * a->link_kbps);
}

static void note_link(struct rmi_cc_aimd *a, double bps, double alpha) {
    const double kbps = bps / KBPS;
    a->link_kbps = a->link_kbps > 0 ? (1 - alpha) * a->link_kbps + alpha * kbps : kbps;
    const double norm = fmax(a->link_kbps, 1), error = a->link_kbps - kbps;
    a->link_variance = (1 - alpha) * a->link_variance + alpha * error * error / norm;
    a->link_variance = fmin(fmax(a->link_variance, LINK_VARIANCE_START), LINK_VARIANCE_MAX);
}

/* What arrives is out of what is known: it is another path by now. */
static void check_link(struct rmi_cc_aimd *a, double acked_bps, bool above) {
    if (a->link_kbps <= 0 || acked_bps <= 0)
        return;
    const double off = acked_bps / KBPS - a->link_kbps, most = LINK_SIGMAS * deviation_kbps(a);
    if (above ? off > most : off < -most)
        a->link_kbps = 0;
}

/* ---- up and down ---- */

static double since_cut_s(const struct rmi_cc_aimd *a, int64_t now_us) {
    return (double)(now_us - a->cut_us) / US_PER_S;
}

/* The same for every flow, however fast it is and however long its path: only so do flows that share a bottleneck come
 * to the same rate (libwebrtc's depends on both: of five flows with 20 to 300 ms round trip one had a quarter of
 * another). */
static double additive_bps(const struct rmi_cc_aimd *a, int64_t now_us, double seconds) {
    const bool known = a->link_kbps > 0;
    const double bps = a->bps / a->weight; /* of one of the flows that it stands for */
    const double lift = fmin(fmax(LIFT_BPS / bps, known ? LIFT_LEAST : 1), LIFT_MOST);
    const double step =
        fmin(known ? ADDITIVE_BPS : ADDITIVE_FAST_BPS, (known ? SHARE_MOST : SHARE_FAST_MOST) * bps) * lift;
    const double haste = fmin(1 + fmax(since_cut_s(a, now_us) - CALM_S, 0) / HASTE_S, HASTE_MOST);
    return fmax(fmax(step, ADDITIVE_SHARE * bps), ADDITIVE_LEAST_BPS) * a->weight * haste * seconds;
}

static void increase(struct rmi_cc_aimd *a, int64_t now_us, double acked_bps, bool app_limited) {
    check_link(a, acked_bps, true);
    if (a->known_bps > 0 && acked_bps > OUTGROWN * a->known_bps && since_cut_s(a, now_us) >= CALM_S) {
        a->known_bps = acked_bps; /* and half more than this, the next time */
        a->outgrown = true;
    }
    const double seconds = a->has_changed ? fmin((double)(now_us - a->changed_us) / US_PER_S, 1) : 0;
    const double limit = acked_bps > 0 ? ACKED_FACTOR * acked_bps + ACKED_SLACK_BPS : a->bps;
    a->has_changed = true;
    a->changed_us = now_us;
    a->unproven = !app_limited && a->bps >= (a->unproven ? UNPROVEN_END : UNPROVEN) * limit;
    if (app_limited || a->bps >= limit)
        return;
    const double more = a->cut_us ? additive_bps(a, now_us, seconds)
                                  : fmax(a->bps * (pow(GROWTH, seconds) - 1), GROWTH_LEAST_BPS * seconds);
    set_rate(a, fmin(a->bps + more, limit));
}

static bool may_cut(const struct rmi_cc_aimd *a, int64_t now_us, double acked_bps) {
    const int64_t apart = (int64_t)(a->rtt_s * US_PER_S);
    if (!a->has_changed || now_us - a->changed_us >= rmi_min64(rmi_max64(apart, CUT_APART_LEAST_US), CUT_APART_MOST_US))
        return true;
    return acked_bps > 0 && acked_bps < COLLAPSE * a->bps;
}

static bool decrease(struct rmi_cc_aimd *a, int64_t now_us, double acked_bps) {
    if (a->state == RMI_CC_AIMD_HOLD && !may_cut(a, now_us, acked_bps))
        return false;
    const double was = a->bps;
    if (acked_bps <= 0) { /* nothing was measured yet, or not since a probe */
        set_rate(a, BETA * was);
    } else {
        double to = BETA * acked_bps;
        if (to > BELOW_BPS)
            to -= BELOW_BPS;
        if (to > was && a->link_kbps > 0)
            to = BETA * a->link_kbps * KBPS;
        check_link(a, acked_bps, false);
        note_link(a, acked_bps, LINK_ALPHA);
        a->known_bps = acked_bps;
        a->cut_us = now_us;
        set_rate(a, fmin(to, was));
    }
    a->state = RMI_CC_AIMD_HOLD;
    a->has_changed = true;
    a->changed_us = now_us;
    return a->bps < was;
}

bool rmi_cc_aimd_update(struct rmi_cc_aimd *a, int64_t now_us, enum rmi_cc_usage usage, double acked_bps,
                        bool app_limited) {
    switch (usage) {
    case RMI_CC_USAGE_OVER:
        return decrease(a, now_us, acked_bps);
    case RMI_CC_USAGE_UNDER: /* the queue empties: what is measured now is not the capacity */
        a->state = RMI_CC_AIMD_HOLD;
        break;
    case RMI_CC_USAGE_NORMAL:
        if (a->state == RMI_CC_AIMD_HOLD) {
            a->state = RMI_CC_AIMD_INCREASE;
            a->has_changed = true;
            a->changed_us = now_us;
        }
        increase(a, now_us, acked_bps, app_limited);
        break;
    }
    return false;
}

void rmi_cc_aimd_probed(struct rmi_cc_aimd *a, int64_t now_us, double bps) {
    if (bps <= a->max_bps)
        note_link(a, bps, LINK_ALPHA_PROBE);
    rmi_cc_aimd_set(a, now_us, bps);
}

void rmi_cc_aimd_set(struct rmi_cc_aimd *a, int64_t now_us, double bps) {
    set_rate(a, bps);
    a->has_changed = true;
    a->changed_us = now_us;
}
