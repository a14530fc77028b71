/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/delay.h"
#include "base/time.h"
#include <math.h>

#define SLICE_US RMI_SEC(1)
/* Weight of a packet falls to 1/e in this time: a 99 % quantile rests on the four latest of 400 packets (20 ms). By
 * that alone the delay would stay for up to 40 s after jitter ends; see RMI_DELAY_NEEDED. */
#define MEMORY_US RMI_SEC(8)
#define NEEDED_SLICE_US RMI_SEC(1)
/* A path has got longer when jitter as it was would make such a run once in so many packets (half an hour of them), and
 * it lasts so long: a burst after a stall is over sooner. */
#define RUN_CHANCE 1e-5
#define RUN_LEAST_SHARE 0.02 /* of the late ones, as far as 8 s can tell: three in a row */
#define RUN_US RMI_MS(60)
/* A silence is no evidence of a better network. */
#define MAX_FORGET_US RMI_MS(100)
/* The base leaps up by more than this when the path changes; what was late by the old path is not by the new. */
#define PATH_STEP_US RMI_MS(10)
/* Weights grow instead of all bins being multiplied for each packet; they start over before a double loses digits. */
#define MAX_WEIGHT 1e12

void rmi_delay_reset(struct rmi_delay *d) {
    *d = (struct rmi_delay){.started = false};
}

static void start(struct rmi_delay *d, int64_t arrival_us, int64_t transit_us) {
    rmi_delay_reset(d);
    d->started = true;
    d->weight = 1;
    d->base_us = transit_us;
    d->older_us = INT64_MAX;
    d->slice_start_us = d->last_us = arrival_us;
    for (unsigned i = 0; i < RMI_DELAY_SLICES; i++)
        d->slice_min[i] = INT64_MAX;
    for (unsigned i = 0; i < RMI_DELAY_NEEDED; i++)
        d->needed_max[i] = INT64_MIN;
}

static int64_t bin_of(int64_t late_us) {
    return rmi_min64((late_us + RMI_DELAY_BIN_US - 1) / RMI_DELAY_BIN_US, RMI_DELAY_BINS - 1);
}

static void lower_bins(struct rmi_delay *d, int64_t by_us) {
    const int64_t step = by_us / RMI_DELAY_BIN_US;
    for (int64_t i = 1; i <= d->top; i++) {
        const double w = d->bins[i];
        d->bins[i] = 0;
        d->bins[rmi_max64(i - step, 0)] += w;
    }
    d->top = rmi_max64(d->top - step, 0);
}

/* What nobody needed for long counts as if it had been less late. */
static void clip_bins(struct rmi_delay *d) {
    int64_t most = INT64_MIN;
    for (unsigned i = 0; i < RMI_DELAY_NEEDED; i++)
        most = rmi_max64(most, d->needed_max[i]);
    const int64_t top = bin_of(rmi_max64(most - d->base_us, 0));
    for (; d->top > top; d->top--) {
        d->bins[top] += d->bins[d->top];
        d->bins[d->top] = 0;
    }
}

static void turn_slices(struct rmi_delay *d, int64_t arrival_us) {
    int64_t turns = (arrival_us - d->slice_start_us) / SLICE_US;
    if (turns <= 0)
        return;
    d->slice_start_us += turns * SLICE_US;
    for (turns = rmi_min64(turns, RMI_DELAY_SLICES); turns > 0; turns--) {
        for (unsigned i = RMI_DELAY_SLICES - 1; i > 0; i--)
            d->slice_min[i] = d->slice_min[i - 1];
        d->slice_min[0] = INT64_MAX;
    }
    d->older_us = INT64_MAX;
    for (unsigned i = 1; i < RMI_DELAY_SLICES; i++)
        d->older_us = rmi_min64(d->older_us, d->slice_min[i]);
}

static void find_base(struct rmi_delay *d) {
    const int64_t base = rmi_min64(d->older_us, d->slice_min[0]);
    if (base - d->base_us > PATH_STEP_US)
        lower_bins(d, base - d->base_us);
    d->base_us = base;
}

/* `passed_us`: since the packet before, as far as it counts. */
static void note_needed(struct rmi_delay *d, int64_t passed_us, int64_t transit_us) {
    d->needed_us += passed_us;
    if (d->needed_us >= NEEDED_SLICE_US) {
        d->needed_us = 0;
        for (unsigned i = RMI_DELAY_NEEDED - 1; i > 0; i--)
            d->needed_max[i] = d->needed_max[i - 1];
        d->needed_max[0] = transit_us;
        clip_bins(d);
    }
    d->needed_max[0] = rmi_max64(d->needed_max[0], transit_us);
}

static void forget(struct rmi_delay *d, int64_t passed) {
    d->weight *= 1.0 + (double)passed / (double)MEMORY_US;
    if (d->weight < MAX_WEIGHT)
        return;
    for (unsigned i = 0; i < RMI_DELAY_BINS; i++)
        d->bins[i] /= d->weight;
    d->total /= d->weight;
    d->weight = 1;
}

int64_t rmi_delay_add(struct rmi_delay *d, int64_t arrival_us, int64_t media_us) {
    const int64_t transit = arrival_us - media_us;
    if (!d->started)
        start(d, arrival_us, transit);
    turn_slices(d, arrival_us);
    d->slice_min[0] = rmi_min64(d->slice_min[0], transit);
    find_base(d);
    const int64_t passed = rmi_min64(rmi_max64(arrival_us - d->last_us, 0), MAX_FORGET_US);
    d->last_us = rmi_max64(d->last_us, arrival_us);
    forget(d, passed);
    note_needed(d, passed, transit);
    const int64_t late = transit - d->base_us, bin = bin_of(late);
    d->bins[bin] += d->weight;
    d->total += d->weight;
    d->top = rmi_max64(d->top, bin);
    return late;
}

static double share_above(const struct rmi_delay *d, int64_t late_us) {
    double sum = 0;
    for (int64_t i = d->top; i > bin_of(late_us); i--)
        sum += d->bins[i];
    return sum / d->total;
}

void rmi_delay_follow(struct rmi_delay *d, int64_t arrival_us, int64_t late_us, int64_t limit_us) {
    struct rmi_delay_run *run = &d->run;
    const int64_t transit = d->base_us + late_us, limit = limit_us + PATH_STEP_US;
    if (late_us <= limit) {
        run->count = 0;
        return;
    }
    if (run->count++ == 0) {
        run->since_us = arrival_us;
        run->fastest_us = transit;
        run->chance = 1;
        run->share = fmax(share_above(d, limit), RUN_LEAST_SHARE);
    }
    run->fastest_us = rmi_min64(run->fastest_us, transit);
    run->chance *= run->share;
    if (!rmi_delay_has_grown(d) || arrival_us - run->since_us < RUN_US)
        return;
    for (unsigned i = 0; i < RMI_DELAY_SLICES; i++)
        d->slice_min[i] = INT64_MAX;
    d->older_us = INT64_MAX;
    d->slice_min[0] = run->fastest_us;
    find_base(d);
    run->count = 0;
}

bool rmi_delay_has_grown(const struct rmi_delay *d) {
    return d->run.count > 0 && d->run.chance <= RUN_CHANCE;
}

int64_t rmi_delay_quantile(const struct rmi_delay *d, double quantile) {
    const double above = (1 - quantile) * d->total;
    double sum = 0;
    int64_t bin = d->top;
    while (bin > 0) {
        sum += d->bins[bin];
        if (sum > above)
            break;
        bin--;
    }
    return bin * RMI_DELAY_BIN_US;
}

int64_t rmi_delay_earliest(const struct rmi_delay *d, int64_t media_us) {
    return media_us + d->base_us;
}
