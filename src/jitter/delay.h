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

struct rmi_delay {
    bool started;
    int64_t base_us;
    int64_t slice_min[RMI_DELAY_SLICES];
    int64_t slice_start_us;
    int64_t last_us;
    double weight, total;
    double bins[RMI_DELAY_BINS];
};

/* Zero-initialised is ready; this returns to it. */
void rmi_delay_reset(struct rmi_delay *d);
/* Notes one packet and returns its lateness, 0 or more. */
int64_t rmi_delay_add(struct rmi_delay *d, int64_t arrival_us, int64_t media_us);
/* Delay over the base within which `quantile` (0..1) of the recent packets came; 0 before the first. */
int64_t rmi_delay_quantile(const struct rmi_delay *d, double quantile);
/* When the first copy of a packet with this media time can be here. */
int64_t rmi_delay_earliest(const struct rmi_delay *d, int64_t media_us);

#endif
