/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_DELAY_H
#define RMI_JITTER_DELAY_H

#include <stdbool.h>
#include <stdint.h>

/* How late packets are against the fastest recent ones, and the delay that covers most of them.
 *
 * transit = arrival time - media time. Its unknown constant (two clocks that share nothing) drops out because only
 * differences to the base, the smallest transit of the last seconds, are used. */

/* Half a millisecond each: an idle network must not cost a whole one. The last holds all that is later. */
#define RMI_DELAY_BIN_US 500
#define RMI_DELAY_BINS 512
/* The base is the minimum over this many slices of one second: long enough that 140 packets (20 ms, 30 % lost) hit the
 * floor of 100 ms of jitter within 1 ms, short enough that 500 ppm of drift bias it by 2 ms only. */
#define RMI_DELAY_SLICES 4
/* What nobody needed in this many seconds of packets is forgotten: enough for the one in 100 that the quantile asks for
 * (of 400 packets the latest is later than it in all but 2 % of cases), and a queue that has gone costs no more. */
#define RMI_DELAY_NEEDED 8

/* Packets in a row that are all later than a limit. */
struct rmi_delay_run {
    unsigned count;
    double chance; /* that jitter as it was before makes such a run */
    double share;  /* of the packets before that were later than the limit */
    int64_t since_us, fastest_us;
};

struct rmi_delay {
    bool started;
    int64_t base_us;
    int64_t older_us; /* smallest transit of all slices but the first */
    int64_t slice_min[RMI_DELAY_SLICES];
    int64_t slice_start_us;
    int64_t needed_max[RMI_DELAY_NEEDED]; /* largest transit of each second of packets, newest first */
    int64_t needed_us;                    /* length of the first */
    struct rmi_delay_run run;
    int64_t last_us;
    double weight, total;
    int64_t top; /* all bins above it are empty */
    double bins[RMI_DELAY_BINS];
};

/* Zero-initialised is ready; this returns to it. */
void rmi_delay_reset(struct rmi_delay *d);
/* Notes one packet and returns its lateness, 0 or more. */
int64_t rmi_delay_add(struct rmi_delay *d, int64_t arrival_us, int64_t media_us);
/* For a caller that waits for nothing later than limit_us, after each packet with its lateness: when so many in a row
 * are later that it is no jitter, the path has got longer, as it does when a queue fills, and the base goes up to the
 * fastest of these instead of after four seconds. Back it goes with the first packet that is faster, as always. */
void rmi_delay_follow(struct rmi_delay *d, int64_t arrival_us, int64_t late_us, int64_t limit_us);
/* Whether the path has got longer, so that what comes next will be as late as the last. */
bool rmi_delay_has_grown(const struct rmi_delay *d);
/* Delay over the base within which `quantile` (0..1) of the recent packets came; 0 before the first. */
int64_t rmi_delay_quantile(const struct rmi_delay *d, double quantile);
/* When the first copy of a packet with this media time can be here. */
int64_t rmi_delay_earliest(const struct rmi_delay *d, int64_t media_us);

#endif
