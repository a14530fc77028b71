/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define SUB RMI_HISTOGRAM_SUB
#define SUB_BITS 5 /* log2 of SUB */
_Static_assert(SUB == 1 << SUB_BITS, "buckets in a doubling are a power of two");

/* Values below 2 * SUB are their own index. Above, with the highest bit at b, the SUB_BITS bits after it choose among
 * SUB buckets, each of 2^(b - SUB_BITS) values. */
static size_t bucket_of(uint64_t value) {
    if (value < 2 * SUB)
        return (size_t)value;
    int b = SUB_BITS + 1;
    while (b < RMI_HISTOGRAM_BITS && value >> (b + 1))
        b++;
    if (b >= RMI_HISTOGRAM_BITS)
        return RMI_HISTOGRAM_BUCKETS - 1;
    return (size_t)(b - SUB_BITS) * SUB + (size_t)(value >> (b - SUB_BITS));
}

/* The largest value that falls into this bucket. */
static uint64_t bucket_top(size_t bucket) {
    if (bucket < 2 * SUB)
        return bucket;
    if (bucket == RMI_HISTOGRAM_BUCKETS - 1)
        return UINT64_MAX;
    unsigned shift = (unsigned)(bucket / SUB - 1);
    return ((uint64_t)(bucket % SUB + SUB + 1) << shift) - 1;
}

static uint64_t add_saturated(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void rmi_histogram_add(struct rmi_histogram *h, uint64_t value) {
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum = add_saturated(h->sum, value);
    h->buckets[bucket_of(value)]++;
}

uint64_t rmi_histogram_percentile(const struct rmi_histogram *h, double percent) {
    if (h->count == 0)
        return 0;
    double share = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    double exact = ceil(share * (double)h->count / 100); /* the division last: whole percents then give whole ranks */
    uint64_t rank = exact < 1 ? 1 : (uint64_t)exact, seen = 0;
    for (size_t i = 0; i < RMI_HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank) {
            uint64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}

double rmi_histogram_mean(const struct rmi_histogram *h) {
    return h->count ? (double)h->sum / (double)h->count : 0;
}

void rmi_histogram_merge(struct rmi_histogram *into, const struct rmi_histogram *from) {
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum = add_saturated(into->sum, from->sum);
    for (size_t i = 0; i < RMI_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

void rmi_histogram_reset(struct rmi_histogram *h) {
    memset(h, 0, sizeof *h);
}
