/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_ORDER_H
#define RMI_JITTER_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* The place of a packet in its stream: sequence numbers and timestamps without wraps, and what does not fit in. */
struct rmi_order {
    bool started;
    bool on_trial; /* a sequence jump was seen; `trial_seq` next would confirm it */
    uint16_t trial_seq;
    uint32_t ssrc, left_ssrc;
    bool has_left;
    int64_t left_us;
    int64_t newest_seq, newest_ts, newest_arrival_us;
};

enum rmi_order_verdict {
    RMI_ORDER_FITS,
    RMI_ORDER_RESTART, /* first packet of a stream: another SSRC, or a confirmed jump of the sequence */
    RMI_ORDER_JUMP,    /* sequence goes on, but the timestamp leapt: earlier timing says nothing about it */
    RMI_ORDER_REJECT,
};

struct rmi_order_place {
    int64_t seq, ts;
};

/* `place` is valid unless the verdict is RMI_ORDER_REJECT. */
enum rmi_order_verdict rmi_order_judge(struct rmi_order *o, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
                                       int64_t arrival_us, uint32_t clock_rate, struct rmi_order_place *place);

/* The number congruent to `value` that is nearest to `near`. */
int64_t rmi_unwrap16(int64_t near, uint16_t value);
int64_t rmi_unwrap32(int64_t near, uint32_t value);
/* Exact for any tick count (no overflow after years), rounded towards minus infinity. */
int64_t rmi_ticks_to_us(int64_t ticks, uint32_t clock_rate);
int64_t rmi_us_to_ticks(int64_t us, uint32_t clock_rate);

#endif
