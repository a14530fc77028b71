/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/loss.h"
#include <math.h>

#define OBSERVATION_US RMI_MS(250)
#define OBSERVATIONS_LEAST 3
#define INHERENT_START 0.01
#define INHERENT_MIN 0.001
#define INHERENT_OFFSET 0.05     /* most that a path loses by itself: this, and */
#define INHERENT_BALANCE 75000.0 /* this divided by the rate */
#define UPPER_OFFSET 0.05        /* more loss than this bounds the rate at once: by */
#define UPPER_BALANCE 75000.0    /* this divided by what is over */
#define TEMPORAL_WEIGHT 0.9
#define NEWTON_STEP 0.75
#define BIAS 0.0002 /* for higher rates, each kbit/s and each doubling: else any rate above the sent one is as good */
#define BIAS_LOG 0.02
#define BIAS_LOSS 0.15 /* no longer at such loss */
#define BIAS_SMOOTHING 0.002
#define INCREASE_MAX 1.3
#define INCREASE_WINDOW_US RMI_MS(300)
#define CERTAINTY 1e-6
#define FLOOR_BPS 5000.0
#define BITS 8.0
#define KBPS 1000.0
#define US_PER_S 1e6

static const double factors[] = {1.02, 1.0, 0.95};

struct candidate {
    double bps, inherent;
};

void rmi_cc_loss_init(struct rmi_cc_loss *l, double start_bps) {
    *l = (struct rmi_cc_loss){.bps = start_bps, .inherent = INHERENT_START};
}

/* ---- observations ---- */

/* The i-th newest, and what it weighs. */
static const struct rmi_cc_observation *newest(const struct rmi_cc_loss *l, unsigned i) {
    return &l->seen[(l->next + RMI_CC_LOSS_WINDOW - 1 - i) % RMI_CC_LOSS_WINDOW];
}

static bool observe(struct rmi_cc_loss *l, const struct rmi_cc_result *results, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct rmi_cc_result *r = &results[i];
        if (r->known_lost) { /* it was only late: was counted as lost */
            l->lost -= l->lost > 0;
            continue;
        }
        if (!l->has_partial) {
            l->has_partial = true;
            l->first_us = l->newest_us = r->sent_us;
        }
        l->first_us = rmi_min64(l->first_us, r->sent_us);
        l->newest_us = rmi_max64(l->newest_us, r->sent_us);
        l->packets++;
        l->lost += r->arrived_us == RMI_CC_LOST;
        l->bytes += r->bytes;
    }
    if (!l->has_partial || l->newest_us - l->first_us < OBSERVATION_US)
        return false;
    l->seen[l->next] =
        (struct rmi_cc_observation){.packets = l->packets,
                                    .lost = l->lost,
                                    .bps = BITS * (double)l->bytes * US_PER_S / (double)(l->newest_us - l->first_us)};
    l->next = (l->next + 1) % RMI_CC_LOSS_WINDOW;
    l->count += l->count < RMI_CC_LOSS_WINDOW;
    l->has_partial = false;
    l->packets = l->lost = 0;
    l->bytes = 0;
    return true;
}

static void average(struct rmi_cc_loss *l) {
    double packets = 0, lost = 0, weight = 1;
    for (unsigned i = 0; i < l->count; i++, weight *= TEMPORAL_WEIGHT) {
        packets += weight * newest(l, i)->packets;
        lost += weight * newest(l, i)->lost;
    }
    l->average_loss = packets > 0 ? lost / packets : 0;
}

/* ---- how well a candidate explains them ---- */

static double probability(const struct candidate *c, double sent_bps) {
    double p = c->inherent;
    if (sent_bps > c->bps)
        p += (1 - p) * (sent_bps - c->bps) / sent_bps;
    return fmin(fmax(p, CERTAINTY), 1 - CERTAINTY);
}

static double feasible(double inherent, double bps) {
    return fmin(fmax(inherent, INHERENT_MIN), fmin(INHERENT_OFFSET + INHERENT_BALANCE / bps, 1));
}

/* One step of Newton's method towards the inherent loss under which the observations are likeliest. */
static void fit(const struct rmi_cc_loss *l, struct candidate *c) {
    double first = 0, second = 0, weight = 1;
    c->inherent = feasible(c->inherent, c->bps);
    for (unsigned i = 0; i < l->count; i++, weight *= TEMPORAL_WEIGHT) {
        const struct rmi_cc_observation *o = newest(l, i);
        const double p = probability(c, o->bps), came = o->packets - o->lost;
        first += weight * (o->lost / p - came / (1 - p));
        second -= weight * (o->lost / (p * p) + came / ((1 - p) * (1 - p)));
    }
    if (second < -CERTAINTY)
        c->inherent = feasible(c->inherent - NEWTON_STEP * first / second, c->bps);
}

static double bias(const struct rmi_cc_loss *l, double bps) {
    const double kbps = bps / KBPS, left = BIAS_LOSS - l->average_loss;
    const double scale = left / (BIAS_SMOOTHING + fabs(left));
    return scale * (BIAS * kbps + BIAS_LOG * log(1 + kbps));
}

static double likelihood(const struct rmi_cc_loss *l, const struct candidate *c) {
    double sum = 0, weight = 1;
    const double preference = bias(l, c->bps);
    for (unsigned i = 0; i < l->count; i++, weight *= TEMPORAL_WEIGHT) {
        const struct rmi_cc_observation *o = newest(l, i);
        const double p = probability(c, o->bps);
        sum += weight * (o->lost * log(p) + (o->packets - o->lost) * log(1 - p) + preference * o->packets);
    }
    return sum;
}

/* ---- choice ---- */

static void consider(const struct rmi_cc_loss *l, double bps, double most_bps, struct candidate *best, double *score) {
    struct candidate c = {.bps = fmax(fmin(bps, most_bps), FLOOR_BPS), .inherent = l->inherent};
    fit(l, &c);
    const double s = likelihood(l, &c);
    if (s > *score) {
        *score = s;
        *best = c;
    }
}

static void choose(struct rmi_cc_loss *l, double delay_bps, double acked_bps) {
    const double most = l->recovers ? fmax(l->bps, l->recovers_bps) : INFINITY;
    struct candidate best = {.bps = l->bps, .inherent = l->inherent};
    double score = -INFINITY;
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
        consider(l, factors[i] * l->bps, most, &best, &score);
    if (acked_bps > 0 && acked_bps < l->bps)
        consider(l, acked_bps, most, &best, &score);
    if (delay_bps > l->bps)
        consider(l, delay_bps, most, &best, &score);
    if (best.bps > l->bps && l->average_loss > best.inherent)
        best.bps = l->bps; /* more is lost than the path loses anyway */
    l->bps = best.bps;
    l->inherent = best.inherent;
}

/* Many lost at once need no explanation. */
static double upper_bound(const struct rmi_cc_loss *l) {
    const double over = l->average_loss - UPPER_OFFSET;
    return over > 0 ? UPPER_BALANCE / over : INFINITY;
}

double rmi_cc_loss_update(struct rmi_cc_loss *l, const struct rmi_cc_result *results, size_t count, double delay_bps,
                          double acked_bps) {
    if (observe(l, results, count)) {
        average(l);
        if (l->count >= OBSERVATIONS_LEAST)
            choose(l, delay_bps, acked_bps);
    }
    if (l->count < OBSERVATIONS_LEAST)
        return delay_bps;
    const double bounded = fmin(fmin(l->bps, upper_bound(l)), delay_bps);
    if (bounded < delay_bps) {
        if (!l->recovers || l->newest_us - l->recovers_us > INCREASE_WINDOW_US) {
            l->recovers = true;
            l->recovers_us = l->newest_us;
            l->recovers_bps = INCREASE_MAX * bounded;
        }
        l->bps = fmax(bounded, FLOOR_BPS);
    } else {
        l->recovers = false;
    }
    return fmax(bounded, FLOOR_BPS);
}

void rmi_cc_loss_set(struct rmi_cc_loss *l, double bps) {
    l->bps = fmax(bps, FLOOR_BPS);
    l->recovers = false;
}
