/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_PACER_H
#define RMI_CC_PACER_H

#include "cc/cc.h"

/* Spreads packets in time, so that a key frame does not fill the queue on the way by itself, and sends probes. Holds
 * references, never packets; what they mean is the owner's. Sound does not wait here: it is only told of. */

#define RMI_PACER_FACTOR 2.5 /* of the target: the queue empties faster than the encoder fills it */

enum rmi_pace_class { RMI_PACE_RESENT, RMI_PACE_VIDEO, RMI_PACE_CLASSES }; /* most urgent first */

struct rmi_pace_item {
    const void *ref; /* the owner's */
    uint32_t index;
    uint32_t bytes; /* on the wire */
    int64_t queued_us;
};

struct rmi_pace_queue { /* a ring that grows up to a limit */
    struct rmi_pace_item *item;
    uint32_t slots, first, count; /* slots: a power of two, or 0 */
};

struct rmi_pacer { /* zero-initialised needs rmi_pacer_init */
    struct rmi_pace_queue queue[RMI_PACE_CLASSES];
    uint64_t queued_bytes;
    double rate_bps;
    double debt_bytes; /* sent before its time */
    int64_t now_us;    /* that the debt is for */
    bool probing;
    struct rmi_cc_probe probe;
    int64_t probe_us; /* its first packet */
    size_t probe_bytes;
    unsigned probe_packets;
    uint64_t dropped; /* the queue was full */
};

enum rmi_pace_what {
    RMI_PACE_NOTHING, /* until rmi_pacer_next_deadline */
    RMI_PACE_SEND,    /* the item of this class, which left the queue */
    RMI_PACE_PAD      /* a packet of padding, about so many bytes */
};
struct rmi_pace_order {
    enum rmi_pace_what what;
    enum rmi_pace_class class;
    struct rmi_pace_item item;
    size_t padding;
    uint32_t cluster; /* that it is sent for */
};

void rmi_pacer_init(struct rmi_pacer *p, int64_t now_us, double rate_bps);
void rmi_pacer_fini(struct rmi_pacer *p); /* take what is queued first (rmi_pacer_take) */
void rmi_pacer_set_rate(struct rmi_pacer *p, int64_t now_us, double rate_bps);
/* RM_E_LIMIT: four thousand packets wait; RM_E_NO_MEMORY. The reference stays the caller's then. */
rm_err rmi_pacer_push(struct rmi_pacer *p, enum rmi_pace_class class, const struct rmi_pace_item *item);
/* Something was sent past the queue: sound. */
void rmi_pacer_note(struct rmi_pacer *p, int64_t now_us, size_t bytes);
/* From now on packets leave at the probe's rate, padding among them, until enough did. One at a time. */
void rmi_pacer_probe(struct rmi_pacer *p, int64_t now_us, const struct rmi_cc_probe *probe);
void rmi_pacer_probe_end(struct rmi_pacer *p); /* it cannot be padded */
/* What to send now; call until it is RMI_PACE_NOTHING, and rmi_pacer_sent after each. */
void rmi_pacer_poll(struct rmi_pacer *p, int64_t now_us, bool can_pad, struct rmi_pace_order *out);
void rmi_pacer_sent(struct rmi_pacer *p, int64_t now_us, const struct rmi_pace_order *order, size_t bytes);
/* Anything queued, oldest first, without pacing: to drop it. */
bool rmi_pacer_take(struct rmi_pacer *p, enum rmi_pace_class class, struct rmi_pace_item *out);
int64_t rmi_pacer_next_deadline(const struct rmi_pacer *p, bool can_pad);
/* How long the oldest has waited. */
int64_t rmi_pacer_delay_us(const struct rmi_pacer *p, int64_t now_us);

#endif
