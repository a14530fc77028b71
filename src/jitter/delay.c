/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/delay.h"
#include "base/time.h"

#define SLICE_US RMI_SEC(1)
/* Weight of a packet falls to 1/e in this time: a 99 % quantile rests on the four latest of 400 packets (20 ms), and
 * after jitter ends the delay is down within 40 s. */
#define MEMORY_US RMI_SEC(8)
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
    d->slice_start_us = d->last_us = arrival_us;
    for (unsigned i = 0; i < RMI_DELAY_SLICES; i++)
        d->slice_min[i] = INT64_MAX;
}

static void lower_bins(struct rmi_delay *d, int64_t by_us) {
    const int64_t step = by_us / RMI_DELAY_BIN_US;
    for (int64_t i = 1; i < RMI_DELAY_BINS; i++) {
        const double w = d->bins[i];
        d->bins[i] = 0;
        d->bins[rmi_max64(i - step, 0)] += w;
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
}

static void find_base(struct rmi_delay *d) {
    int64_t base = INT64_MAX;
    for (unsigned i = 0; i < RMI_DELAY_SLICES; i++)
        base = rmi_min64(base, d->slice_min[i]);
    if (base - d->base_us > PATH_STEP_US)
        lower_bins(d, base - d->base_us);
    d->base_us = base;
}

static void forget(struct rmi_delay *d, int64_t arrival_us) {
    const int64_t passed = rmi_min64(rmi_max64(arrival_us - d->last_us, 0), MAX_FORGET_US);
    d->last_us = rmi_max64(d->last_us, arrival_us);
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
    forget(d, arrival_us);
    const int64_t late = transit - d->base_us;
    const int64_t bin = rmi_min64((late + RMI_DELAY_BIN_US - 1) / RMI_DELAY_BIN_US, RMI_DELAY_BINS - 1);
    d->bins[bin] += d->weight;
    d->total += d->weight;
    return late;
}

int64_t rmi_delay_quantile(const struct rmi_delay *d, double quantile) {
    const double above = (1 - quantile) * d->total;
    double sum = 0;
    int64_t bin = RMI_DELAY_BINS - 1;
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
