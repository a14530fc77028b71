/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_CC_H
#define RMI_SCTP_CC_H

#include "base/rng.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Congestion control by a model of the path (delivery rate and smallest round trip, after BBR) instead of by loss: a
 * window that halves at each loss cannot hold 60 % of 20 Mbit/s at 100 ms and 1 % random loss (Reno's formula allows
 * 12 packets a round trip, Cubic's no more at that delay; 130 are needed), and pacing at the delivery rate leaves the
 * bottleneck's queue to the media. Loss beyond what such links have at random, or a standing queue, lowers the
 * model by a share of itself; probes raise it by steps that are relatively larger for who has less: several flows come
 * to equal rates and leave the queue short. The whole of a round trip is judged at once. */

enum rmi_sctp_cc_state {
    RMI_SCTP_CC_STARTUP,  /* doubles each round until the rate stops growing */
    RMI_SCTP_CC_DRAIN,    /* lets the queue of the start empty */
    RMI_SCTP_CC_CRUISE,   /* at the rate, 2 to 3 s */
    RMI_SCTP_CC_UP,       /* a step over it: is there more? Twice the step while there is */
    RMI_SCTP_CC_DOWN,     /* lets the queue of that empty */
    RMI_SCTP_CC_PROBE_RTT /* half the window, when no round trip was near the smallest for 10 s */
};

/* What a chunk remembers of the moment it was sent, to measure the delivery rate when it is acknowledged
 * (draft-cheng-iccrg-delivery-rate-estimation). */
struct rmi_sctp_cc_tag {
    uint64_t delivered;
    int64_t delivered_us, first_sent_us, sent_us;
    bool app_limited;
};

struct rmi_sctp_cc {
    enum rmi_sctp_cc_state state;
    struct rmi_rng rng;
    size_t mtu;
    bool gentle; /* sound and pictures share the path: they hear each queue that a probe makes */
    uint64_t cwnd;
    uint64_t pacing; /* bytes a second; 0: not known */
    uint64_t delivered;
    int64_t delivered_us, first_sent_us;
    uint64_t app_limited_until; /* `delivered` at which what was sent while idle is out of the path; 0: never */
    uint64_t bw[2];             /* largest rate of this probe cycle and of the one before */
    uint64_t full_bw;           /* rate that the start must beat */
    int full_rounds, slow_samples;
    int64_t min_rtt_us; /* 0: none yet */
    int64_t min_rtt_seen_us;
    int64_t probe_min_us, phase_until_us;
    uint64_t up_from_bw, step; /* bytes a second */
    int hold_rounds;           /* after a cut, until what was sent before it has come */
    int cuts;                  /* rounds with a queue since the last without one */
    uint64_t round_end;        /* `delivered` that ends the round */
    uint64_t round_start, round_lost, round_bw;
    int64_t round_rtt_us;
    bool round_app_limited;
    /* of the SACK being read */
    uint64_t sample_delivered, sample_acked;
    struct rmi_sctp_cc_tag sample;
    bool has_sample;
};

void rmi_sctp_cc_init(struct rmi_sctp_cc *c, const struct rmi_rng *rng, size_t mtu);
void rmi_sctp_cc_sent(struct rmi_sctp_cc *c, int64_t now_us, uint64_t in_flight, struct rmi_sctp_cc_tag *tag);
/* One chunk of a SACK that is acknowledged for the first time; then rmi_sctp_cc_sack_end once. */
void rmi_sctp_cc_acked(struct rmi_sctp_cc *c, int64_t now_us, const struct rmi_sctp_cc_tag *tag, size_t bytes);
void rmi_sctp_cc_lost(struct rmi_sctp_cc *c, size_t bytes);
/* rtt_us < 0: not measured. */
void rmi_sctp_cc_sack_end(struct rmi_sctp_cc *c, int64_t now_us, int64_t rtt_us, uint64_t in_flight);
/* All in flight is taken for lost. */
void rmi_sctp_cc_timeout(struct rmi_sctp_cc *c);
/* There is nothing more to send although the window is open. */
void rmi_sctp_cc_app_limited(struct rmi_sctp_cc *c, uint64_t in_flight);

#endif
