/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_BASE_HISTOGRAM_H
#define RMI_BASE_HISTOGRAM_H

#include <stdint.h>

/* Counts of values in buckets that grow with the value: exact below 64, then 32 buckets in each doubling, so a
 * percentile is at most 1/32 (3.2 %) too high. Values of 2^40 and more (12 days in microseconds) share the last bucket.
 * Zero-initialised is empty. 9 KB, no allocation. */
#define RMI_HISTOGRAM_SUB 32
#define RMI_HISTOGRAM_BITS 40
#define RMI_HISTOGRAM_BUCKETS (2 * RMI_HISTOGRAM_SUB + (RMI_HISTOGRAM_BITS - 6) * RMI_HISTOGRAM_SUB + 1)

struct rmi_histogram {
    uint64_t count;
    uint64_t sum; /* stays at UINT64_MAX once it would exceed it */
    uint64_t min, max;
    uint64_t buckets[RMI_HISTOGRAM_BUCKETS];
};

void rmi_histogram_add(struct rmi_histogram *h, uint64_t value);
/* The value below or at which `percent` (0..100) of the values lie, by nearest rank; never below the true one, and
 * never above the largest. 0 when empty. */
uint64_t rmi_histogram_percentile(const struct rmi_histogram *h, double percent);
double rmi_histogram_mean(const struct rmi_histogram *h);
void rmi_histogram_merge(struct rmi_histogram *into, const struct rmi_histogram *from);
void rmi_histogram_reset(struct rmi_histogram *h);

#endif
