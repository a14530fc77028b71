/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_CC_H
#define RMI_CC_CC_H

#include "base/time.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Congestion control of one connection: what was sent and what the remote says about it go in, a rate comes out. Pure;
 * one thread. Rates are bits a second of whole datagrams, IP and UDP headers included. */

#define RMI_CC_LOST RMI_NEVER /* as arrival time */
#define RMI_CC_NO_PROBE 0     /* as cluster */
#define RMI_CC_RESULTS_MAX 256

struct rmi_cc_limits {
    double min_bps, start_bps, max_bps; /* 0 < min <= start <= max */
};

/* What became of one packet. */
struct rmi_cc_result {
    int64_t sent_us;
    int64_t arrived_us; /* by the remote's clock, or RMI_CC_LOST */
    uint32_t bytes;
    uint32_t cluster; /* of the probe it was sent for, or RMI_CC_NO_PROBE */
    bool known_lost;  /* an earlier feedback said that it was lost: it was late */
};

/* A burst at a rate of its own, which finds out whether the path carries that. */
struct rmi_cc_probe {
    uint32_t cluster;
    double rate_bps;
    size_t bytes;     /* at least, and */
    unsigned packets; /* at least so many */
};

enum rmi_cc_limit { RMI_CC_BY_NOTHING, RMI_CC_BY_MAX, RMI_CC_BY_DELAY, RMI_CC_BY_LOSS, RMI_CC_BY_REMB };

struct rmi_cc_status {
    double target_bps; /* all that is sent: media, repairs, padding */
    double pacing_bps;
    double acked_bps; /* what arrives; 0: not known */
    double loss;      /* 0..1, recent */
    int64_t rtt_us;   /* of feedback; 0: not known */
    enum rmi_cc_limit limited_by;
    bool app_limited;    /* less is sent than might be */
    bool unproven;       /* that, or so little less that the rate does not grow without a probe */
    uint32_t reductions; /* how often congestion lowered the rate */
};

/* The seam between algorithms. Arguments are as the functions below. */
struct rmi_cc_ops {
    const char *name;
    rm_err (*create)(const struct rmi_cc_limits *limits, int64_t now_us, void **out);
    void (*destroy)(void *self);
    void (*set_limits)(void *self, int64_t now_us, const struct rmi_cc_limits *limits);
    void (*sent)(void *self, int64_t now_us, uint32_t bytes);
    void (*feedback)(void *self, int64_t now_us, struct rmi_cc_result *results, size_t count);
    void (*report)(void *self, int64_t now_us, double fraction_lost, int64_t rtt_us);
    void (*remb)(void *self, int64_t now_us, double bps);
    void (*marked)(void *self, int64_t now_us);   /* NULL: marks would not be answered, so nothing may be ECT */
    void (*unmarked)(void *self, int64_t now_us); /* where there is `marked` */
    void (*set_rate)(void *self, int64_t now_us, double bps);
    void (*set_weight)(void *self, double weight); /* NULL: makes no difference */
    bool (*poll_probe)(void *self, int64_t now_us, struct rmi_cc_probe *out);
    int64_t (*next_deadline)(const void *self, bool can_probe);
    void (*timeout)(void *self, int64_t now_us);
    void (*get)(const void *self, struct rmi_cc_status *out);
};
extern const struct rmi_cc_ops rmi_cc_fixed; /* start_bps, whatever happens */
extern const struct rmi_cc_ops rmi_cc_gcc;   /* delay gradient, loss and probes, as WebRTC's senders do */

struct rmi_cc {
    const struct rmi_cc_ops *ops;
    void *self;
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_cc_create(const struct rmi_cc_ops *ops, const struct rmi_cc_limits *limits, int64_t now_us,
                     struct rmi_cc *out);
void rmi_cc_destroy(struct rmi_cc *cc); /* a zeroed one is harmless */
/* Invalid ones are not taken over. The rate is kept within them. */
void rmi_cc_set_limits(struct rmi_cc *cc, int64_t now_us, const struct rmi_cc_limits *limits);
void rmi_cc_sent(struct rmi_cc *cc, int64_t now_us, uint32_t bytes);
/* One transport-wide feedback, or a part of one: up to RMI_CC_RESULTS_MAX packets in the order they were sent, each
 * told as arrived at most once. The array is the callee's to sort. */
void rmi_cc_feedback(struct rmi_cc *cc, int64_t now_us, struct rmi_cc_result *results, size_t count);
/* A receiver report: used where no transport-wide feedback comes. rtt_us 0: not known. */
void rmi_cc_report(struct rmi_cc *cc, int64_t now_us, double fraction_lost, int64_t rtt_us);
/* The receiver's own estimate (REMB): never above it. */
void rmi_cc_remb(struct rmi_cc *cc, int64_t now_us, double bps);
/* Packets of ours came marked as congestion (ECN). */
void rmi_cc_marked(struct rmi_cc *cc, int64_t now_us);
/* Those of the last seconds meant nothing: the path marks everything. */
void rmi_cc_unmarked(struct rmi_cc *cc, int64_t now_us);
bool rmi_cc_answers_marks(const struct rmi_cc *cc);
/* Others on the same bottleneck make room, or need it (cc/share.h). Within the limits. */
void rmi_cc_set_rate(struct rmi_cc *cc, int64_t now_us, double bps);
/* Of a bottleneck that it shares with flows of weight 1 it takes so many times as much as one of them, as if it were
 * so many flows (RFC 8867 6.1). 1 to begin with; others than numbers above 0 are not taken over. */
void rmi_cc_set_weight(struct rmi_cc *cc, double weight);
/* A probe that is to be sent now. False: none is due. */
bool rmi_cc_poll_probe(struct rmi_cc *cc, int64_t now_us, struct rmi_cc_probe *out);
/* can_probe: it would be asked for a probe then. */
int64_t rmi_cc_next_deadline(const struct rmi_cc *cc, bool can_probe);
void rmi_cc_timeout(struct rmi_cc *cc, int64_t now_us);
void rmi_cc_get(const struct rmi_cc *cc, struct rmi_cc_status *out);

#endif
