/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_LINK_TESTKIT_H
#define RMI_CC_LINK_TESTKIT_H

#include "base/rng.h"
#include "cc/history.h"
#include "cc/pacer.h"
#include "cc/share.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers it needs */

/* Flows over one bottleneck in virtual time: sources that obey, pacers, feedback every 50 ms, and the congestion
 * control under test. No RTP: what is judged here is the control alone. */
#define LAB_FLOWS 10
#define LAB_TICK_US 250
#define LAB_FRAME_US 33333
#define LAB_PACKET 1200
#define LAB_SOUND_BYTES 128 /* each 20 ms */
#define LAB_SOUND_US RMI_MS(20)
#define LAB_FEEDBACK_US RMI_MS(50)
#define LAB_WAY 8192

struct lab_packet {
    int64_t arrives_us;
    uint16_t seq;
};

struct lab_flow {
    bool up, sound_only;
    double most_bps; /* of the encoder */
    double obeys;    /* what it makes of its target: 1 */
    int64_t owd_us, back_us;
    struct rmi_cc cc;
    struct rmi_pacer pacer;
    struct rmi_cc_history history;
    struct rmi_cc_member member;
    uint16_t seq, expected;
    int64_t frame_us, sound_us, feedback_us;
    /* on the way, in order of arrival */
    struct lab_packet way[LAB_WAY];
    size_t head, count;
    bool no_feedback; /* it is lost */
    int64_t clock_us; /* the remote's against ours */
    /* figures since lab_forget */
    uint64_t sent_bytes, came_bytes, sent, lost, probes;
    double target_low, target_high;
    int64_t pacing_us; /* longest wait in the pacer */
};

struct lab {
    int64_t now_us;
    double rate_bps; /* of the bottleneck */
    int64_t queue_us;
    unsigned loss; /* of 1000, random */
    int64_t free_us;
    struct rmi_prng prng;
    struct rmi_cc_share share;
    bool shares;
    struct lab_flow flow[LAB_FLOWS];
    /* figures */
    uint64_t delay_count, delay_over; /* packets, and those that waited longer than delay_limit_us */
    int64_t delay_limit_us, delay_most_us;
    int64_t since_us;
    uint64_t bytes;
};

static inline void lab_set_rate(void *ctx, int64_t now_us, double bps) {
    rmi_cc_set_rate(&((struct lab_flow *)ctx)->cc, now_us, bps);
}

static inline struct lab *lab_create(double rate_bps) {
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    lab->now_us = RMI_SEC(1000);
    lab->since_us = lab->now_us;
    lab->rate_bps = rate_bps;
    lab->queue_us = RMI_MS(300);
    lab->delay_limit_us = RMI_MS(60);
    rmi_prng_seed(&lab->prng, 1);
    rmi_cc_share_init(&lab->share);
    return lab;
}

static inline struct lab_flow *lab_add(struct lab *lab, int i, const struct rmi_cc_ops *ops,
                                       const struct rmi_cc_limits *limits, double most_bps) {
    struct lab_flow *f = &lab->flow[i];
    *f = (struct lab_flow){.up = true,
                           .most_bps = most_bps,
                           .obeys = 1,
                           .owd_us = RMI_MS(50),
                           .back_us = RMI_MS(50),
                           .frame_us = lab->now_us + i * RMI_MS(3),
                           .sound_us = lab->now_us,
                           .feedback_us = lab->now_us + LAB_FEEDBACK_US};
    assert_int_equal(rmi_cc_create(ops, limits, lab->now_us, &f->cc), RM_OK);
    rmi_pacer_init(&f->pacer, lab->now_us, limits->start_bps * RMI_PACER_FACTOR);
    f->member.weight = 1;
    f->member.set_rate = lab_set_rate;
    f->member.ctx = f;
    if (lab->shares)
        rmi_cc_share_join(&lab->share, &f->member);
    return f;
}

static inline void lab_destroy(struct lab *lab) {
    for (int i = 0; i < LAB_FLOWS; i++) {
        rmi_cc_share_leave(&lab->flow[i].member);
        rmi_cc_destroy(&lab->flow[i].cc);
        rmi_pacer_fini(&lab->flow[i].pacer);
    }
    free(lab);
}

static inline double lab_target(const struct lab_flow *f) {
    struct rmi_cc_status s;
    rmi_cc_get(&f->cc, &s);
    return s.target_bps;
}

/* One packet onto the bottleneck. */
static inline void lab_send(struct lab *lab, struct lab_flow *f, size_t bytes, uint32_t cluster) {
    const uint16_t seq = f->seq++;
    rmi_cc_history_add(&f->history, seq, lab->now_us, bytes, cluster);
    rmi_cc_sent(&f->cc, lab->now_us, (uint32_t)bytes);
    f->sent_bytes += bytes;
    f->sent++;
    const int64_t begins = rmi_max64(lab->free_us, lab->now_us), wait = begins - lab->now_us;
    const bool full = wait > lab->queue_us, bad = rmi_prng_next(&lab->prng) % 1000 < lab->loss;
    lab->delay_count++;
    lab->delay_over += wait > lab->delay_limit_us;
    lab->delay_most_us = rmi_max64(lab->delay_most_us, wait);
    if (full || bad) {
        f->lost++;
        return;
    }
    lab->free_us = begins + (int64_t)((double)bytes * 8e6 / lab->rate_bps);
    lab->bytes += bytes;
    assert_true(f->count < LAB_WAY);
    f->way[(f->head + f->count++) % LAB_WAY] = (struct lab_packet){.arrives_us = lab->free_us + f->owd_us, .seq = seq};
}

static inline void lab_source(struct lab *lab, struct lab_flow *f) {
    if (lab->now_us >= f->sound_us) {
        f->sound_us += LAB_SOUND_US;
        rmi_pacer_note(&f->pacer, lab->now_us, LAB_SOUND_BYTES);
        lab_send(lab, f, LAB_SOUND_BYTES, RMI_CC_NO_PROBE);
    }
    if (lab->now_us < f->frame_us || f->sound_only)
        return;
    f->frame_us = lab->now_us + LAB_FRAME_US;
    const double sound_bps = LAB_SOUND_BYTES * 8e6 / LAB_SOUND_US;
    double bps = (lab_target(f) - sound_bps) * f->obeys;
    bps = bps < f->most_bps ? bps : f->most_bps;
    /* Frames differ by a fifth. */
    const double spread = 0.8 + 0.4 * (double)(rmi_prng_next(&lab->prng) % 1000) / 1000;
    for (double left = bps * LAB_FRAME_US / 8e6 * spread; left > 1; left -= LAB_PACKET) {
        const struct rmi_pace_item item = {
            .ref = f, .bytes = (uint32_t)(left < LAB_PACKET ? left : LAB_PACKET), .queued_us = lab->now_us};
        assert_int_equal(rmi_pacer_push(&f->pacer, RMI_PACE_VIDEO, &item), RM_OK);
    }
}

static inline void lab_pace(struct lab *lab, struct lab_flow *f) {
    struct rmi_cc_status s;
    struct rmi_cc_probe probe;
    rmi_cc_get(&f->cc, &s);
    rmi_pacer_set_rate(&f->pacer, lab->now_us, s.pacing_bps);
    if (!f->pacer.probing && rmi_cc_next_deadline(&f->cc, true) <= lab->now_us &&
        rmi_cc_share_may_probe(&f->member, lab->now_us, RMI_MS(50)) && rmi_cc_poll_probe(&f->cc, lab->now_us, &probe)) {
        rmi_pacer_probe(&f->pacer, lab->now_us, &probe);
        f->probes++;
    }
    f->pacing_us = rmi_max64(f->pacing_us, rmi_pacer_delay_us(&f->pacer, lab->now_us));
    for (;;) {
        struct rmi_pace_order order;
        rmi_pacer_poll(&f->pacer, lab->now_us, true, &order);
        if (order.what == RMI_PACE_NOTHING)
            break;
        const size_t bytes = order.what == RMI_PACE_SEND ? order.item.bytes : order.padding;
        lab_send(lab, f, bytes, order.cluster);
        rmi_pacer_sent(&f->pacer, lab->now_us, &order, bytes);
    }
}

/* What arrived since the last time is told, and is known a way back later; the queue of feedback is left out: the
 * remote's view at now - back is computed now. */
static inline void lab_feedback(struct lab *lab, struct lab_flow *f) {
    struct rmi_cc_result results[RMI_CC_RESULTS_MAX];
    size_t n = 0;
    if (lab->now_us < f->feedback_us)
        return;
    f->feedback_us += LAB_FEEDBACK_US;
    while (f->count > 0 && f->way[f->head].arrives_us <= lab->now_us - f->back_us && n < RMI_CC_RESULTS_MAX / 2) {
        const struct lab_packet *p = &f->way[f->head];
        for (; f->expected != p->seq && n < RMI_CC_RESULTS_MAX - 1; f->expected++)
            n += rmi_cc_history_take(&f->history, f->expected, RMI_CC_LOST, &results[n]);
        f->expected = (uint16_t)(p->seq + 1);
        /* TWCC's resolution. */
        n += rmi_cc_history_take(&f->history, p->seq, (p->arrives_us + f->clock_us) / 250 * 250, &results[n]);
        f->came_bytes += n ? results[n - 1].bytes : 0;
        f->head = (f->head + 1) % LAB_WAY;
        f->count--;
    }
    if (f->no_feedback || n == 0)
        return;
    rmi_cc_feedback(&f->cc, lab->now_us, results, n);
}

static inline void lab_step(struct lab *lab) {
    lab->now_us += LAB_TICK_US;
    for (int i = 0; i < LAB_FLOWS; i++) {
        struct lab_flow *f = &lab->flow[i];
        if (!f->cc.self)
            continue;
        lab_feedback(lab, f);
        if (rmi_cc_next_deadline(&f->cc, false) <= lab->now_us)
            rmi_cc_timeout(&f->cc, lab->now_us);
        if (f->up)
            lab_source(lab, f);
        lab_pace(lab, f);
        struct rmi_cc_status s;
        rmi_cc_get(&f->cc, &s);
        rmi_cc_share_update(&f->member, lab->now_us, s.target_bps, f->most_bps * 1.1, s.reductions, s.app_limited);
        f->target_low = s.target_bps < f->target_low ? s.target_bps : f->target_low;
        f->target_high = s.target_bps > f->target_high ? s.target_bps : f->target_high;
    }
}

static inline void lab_run(struct lab *lab, int64_t us) {
    for (const int64_t until = lab->now_us + us; lab->now_us < until;)
        lab_step(lab);
}

static inline void lab_forget(struct lab *lab) {
    lab->since_us = lab->now_us;
    lab->bytes = lab->delay_count = lab->delay_over = 0;
    lab->delay_most_us = 0;
    for (int i = 0; i < LAB_FLOWS; i++) {
        struct lab_flow *f = &lab->flow[i];
        f->sent_bytes = f->came_bytes = f->sent = f->lost = f->probes = 0;
        f->target_low = 1e12;
        f->target_high = 0;
        f->pacing_us = 0;
    }
}

/* Of the bottleneck, since lab_forget: 0..1. */
static inline double lab_use(const struct lab *lab) {
    return (double)lab->bytes * 8e6 / (double)(lab->now_us - lab->since_us) / lab->rate_bps;
}
static inline double lab_over(const struct lab *lab) {
    return (double)lab->delay_over / (double)lab->delay_count;
}
static inline double lab_sent_bps(const struct lab *lab, const struct lab_flow *f) {
    return (double)f->sent_bytes * 8e6 / (double)(lab->now_us - lab->since_us);
}

#endif
