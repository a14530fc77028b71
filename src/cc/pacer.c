/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/pacer.h"
#include <math.h>
#include <stdlib.h>

#define SLOTS_FIRST 64
#define SLOTS_MOST 4096
/* What leaves at once. libwebrtc's 40 ms save system calls, but put every frame into the queue of the bottleneck whole:
 * measured on 2.5 Mbit/s, 8 % of the packets waited over 60 ms there, and 0.6 % with this. */
#define BURST_US RMI_MS(10)
#define BURST_BYTES 63000.0
#define QUEUE_US RMI_SEC(2) /* nothing waits longer: the rate rises instead */
#define QUEUE_LEAST_US RMI_MS(50)
#define DEBT_US RMI_MS(500)      /* no more is remembered */
#define PROBE_LATE_US RMI_MS(20) /* the timer was so late that the rate would be wrong: give it up */
#define PADDING_MOST 255         /* of one packet (RFC 3550 5.1: one byte says how much) */
#define BITS_US 8e6

void rmi_pacer_init(struct rmi_pacer *p, int64_t now_us, double rate_bps) {
    *p = (struct rmi_pacer){.rate_bps = rate_bps, .now_us = now_us};
}

void rmi_pacer_fini(struct rmi_pacer *p) {
    for (int c = 0; c < RMI_PACE_CLASSES; c++)
        free(p->queue[c].item);
    *p = (struct rmi_pacer){0};
}

/* ---- queues ---- */

static struct rmi_pace_item *at(const struct rmi_pace_queue *q, uint32_t i) {
    return &q->item[(q->first + i) & (q->slots - 1)];
}

static rm_err grow(struct rmi_pace_queue *q) {
    if (q->slots == SLOTS_MOST)
        return RM_E_LIMIT;
    const uint32_t slots = q->slots ? q->slots * 2 : SLOTS_FIRST;
    struct rmi_pace_item *item = malloc(slots * sizeof *item);
    if (!item)
        return RM_E_NO_MEMORY;
    for (uint32_t i = 0; i < q->count; i++)
        item[i] = *at(q, i);
    free(q->item);
    q->item = item;
    q->slots = slots;
    q->first = 0;
    return RM_OK;
}

rm_err rmi_pacer_push(struct rmi_pacer *p, enum rmi_pace_class class, const struct rmi_pace_item *item) {
    struct rmi_pace_queue *q = &p->queue[class];
    const rm_err err = q->count == q->slots ? grow(q) : RM_OK;
    if (err) {
        p->dropped++;
        return err;
    }
    *at(q, q->count) = *item;
    q->count++;
    p->queued_bytes += item->bytes;
    return RM_OK;
}

bool rmi_pacer_take(struct rmi_pacer *p, enum rmi_pace_class class, struct rmi_pace_item *out) {
    struct rmi_pace_queue *q = &p->queue[class];
    if (q->count == 0)
        return false;
    *out = *at(q, 0);
    q->first = (q->first + 1) & (q->slots - 1);
    q->count--;
    p->queued_bytes -= out->bytes;
    return true;
}

static const struct rmi_pace_queue *head(const struct rmi_pacer *p) {
    for (int c = 0; c < RMI_PACE_CLASSES; c++)
        if (p->queue[c].count > 0)
            return &p->queue[c];
    return NULL;
}

int64_t rmi_pacer_delay_us(const struct rmi_pacer *p, int64_t now_us) {
    int64_t oldest = now_us;
    for (int c = 0; c < RMI_PACE_CLASSES; c++)
        if (p->queue[c].count > 0)
            oldest = rmi_min64(oldest, at(&p->queue[c], 0)->queued_us);
    return now_us - oldest;
}

/* ---- rate ---- */

/* Faster when what waits would be too late otherwise. */
static double rate_now(const struct rmi_pacer *p) {
    if (p->queued_bytes == 0)
        return p->rate_bps;
    const int64_t left = rmi_max64(QUEUE_US - rmi_pacer_delay_us(p, p->now_us), QUEUE_LEAST_US);
    return fmax(p->rate_bps, (double)p->queued_bytes * BITS_US / (double)left);
}

static double bytes_in(double bps, int64_t us) {
    return bps * (double)us / BITS_US;
}

static void advance(struct rmi_pacer *p, int64_t now_us) {
    if (now_us <= p->now_us)
        return;
    p->debt_bytes = fmax(p->debt_bytes - bytes_in(rate_now(p), now_us - p->now_us), 0);
    p->now_us = now_us;
}

void rmi_pacer_set_rate(struct rmi_pacer *p, int64_t now_us, double rate_bps) {
    advance(p, now_us);
    p->rate_bps = rate_bps;
}

static void owe(struct rmi_pacer *p, size_t bytes) {
    p->debt_bytes = fmin(p->debt_bytes + (double)bytes, bytes_in(rate_now(p), DEBT_US));
}

void rmi_pacer_note(struct rmi_pacer *p, int64_t now_us, size_t bytes) {
    advance(p, now_us);
    owe(p, bytes);
}

/* ---- probes ---- */

void rmi_pacer_probe(struct rmi_pacer *p, int64_t now_us, const struct rmi_cc_probe *probe) {
    p->probing = true;
    p->probe = *probe;
    p->probe_us = now_us;
    p->probe_bytes = 0;
    p->probe_packets = 0;
}

void rmi_pacer_probe_end(struct rmi_pacer *p) {
    p->probing = false;
}

/* When its next packet is due. A timer that is late is made up for by packets that leave together. */
static int64_t probe_deadline(const struct rmi_pacer *p) {
    return p->probe_us + (int64_t)((double)p->probe_bytes * BITS_US / p->probe.rate_bps);
}

/* ---- what is next ---- */

static int64_t media_deadline(const struct rmi_pacer *p) {
    if (!head(p))
        return RMI_NEVER;
    const double rate = rate_now(p), burst = fmin(bytes_in(rate, BURST_US), BURST_BYTES);
    if (p->debt_bytes <= burst)
        return p->now_us;
    return p->now_us + 1 + (int64_t)((p->debt_bytes - burst) * BITS_US / rate);
}

int64_t rmi_pacer_next_deadline(const struct rmi_pacer *p, bool can_pad) {
    if (p->probing)
        return can_pad || head(p) ? probe_deadline(p) : RMI_NEVER;
    return media_deadline(p);
}

static void order_item(struct rmi_pacer *p, struct rmi_pace_order *out) {
    out->what = RMI_PACE_SEND;
    out->class = p->queue[RMI_PACE_RESENT].count > 0 ? RMI_PACE_RESENT : RMI_PACE_VIDEO;
    (void)rmi_pacer_take(p, out->class, &out->item);
}

void rmi_pacer_poll(struct rmi_pacer *p, int64_t now_us, bool can_pad, struct rmi_pace_order *out) {
    *out = (struct rmi_pace_order){.what = RMI_PACE_NOTHING, .cluster = RMI_CC_NO_PROBE};
    advance(p, now_us);
    if (p->probing && p->probe_packets > 0 && now_us - probe_deadline(p) > PROBE_LATE_US)
        p->probing = false;
    if (!p->probing) {
        if (media_deadline(p) <= now_us)
            order_item(p, out);
        return;
    }
    if (probe_deadline(p) > now_us)
        return;
    if (head(p))
        order_item(p, out);
    else if (can_pad)
        *out = (struct rmi_pace_order){.what = RMI_PACE_PAD, .padding = PADDING_MOST};
    if (out->what != RMI_PACE_NOTHING)
        out->cluster = p->probe.cluster;
}

void rmi_pacer_sent(struct rmi_pacer *p, int64_t now_us, const struct rmi_pace_order *order, size_t bytes) {
    owe(p, bytes);
    if (!p->probing || order->cluster != p->probe.cluster)
        return;
    if (p->probe_packets == 0)
        p->probe_us = now_us;
    p->probe_packets++;
    p->probe_bytes += bytes;
    if (p->probe_packets >= p->probe.packets && p->probe_bytes >= p->probe.bytes)
        p->probing = false;
}
