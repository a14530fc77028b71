/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter/order.h"
#include "base/time.h"

/* RFC 3550 A.1: MAX_DROPOUT. Its MAX_MISORDER of 100 is too short for retransmissions of a 20 Mbit/s stream. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 1000
/* Media time and arrival time may differ by so much between neighbours before it is a jump: longer than any queue. */
#define MAX_LEAP_US RMI_SEC(2)
/* Stragglers of the source before are expected for so long after a change. */
#define LEFT_SOURCE_US RMI_SEC(2)
/* Room below the first packet for older ones. */
#define FIRST_EPOCH ((int64_t)1 << 32)

int64_t rmi_unwrap16(int64_t near, uint16_t value) {
    const uint16_t diff = (uint16_t)(value - (uint16_t)near);
    return near + (diff < 0x8000 ? (int64_t)diff : (int64_t)diff - 0x10000);
}

int64_t rmi_unwrap32(int64_t near, uint32_t value) {
    const uint32_t diff = value - (uint32_t)near;
    return near + (diff < 0x80000000U ? (int64_t)diff : (int64_t)diff - ((int64_t)1 << 32));
}

/* a * num / den rounded down, without a * num where that could overflow; num and den below 2^31. */
static int64_t scale(int64_t a, int64_t num, int64_t den) {
    int64_t whole = a / den, rest = a % den;
    if (rest < 0) {
        rest += den;
        whole--;
    }
    return whole * num + rest * num / den;
}

int64_t rmi_ticks_to_us(int64_t ticks, uint32_t clock_rate) {
    return scale(ticks, RMI_SEC(1), clock_rate);
}

int64_t rmi_us_to_ticks(int64_t us, uint32_t clock_rate) {
    return scale(us, clock_rate, RMI_SEC(1));
}

static void begin(struct rmi_order *o, uint32_t ssrc, uint16_t seq, uint32_t timestamp, int64_t arrival_us,
                  struct rmi_order_place *place) {
    o->started = true;
    o->on_trial = false;
    o->ssrc = ssrc;
    o->newest_seq = place->seq = FIRST_EPOCH + seq;
    o->newest_ts = place->ts = FIRST_EPOCH + timestamp;
    o->newest_arrival_us = arrival_us;
}

static enum rmi_order_verdict other_source(struct rmi_order *o, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
                                           int64_t arrival_us, struct rmi_order_place *place) {
    if (o->has_left && ssrc == o->left_ssrc && arrival_us - o->left_us < LEFT_SOURCE_US)
        return RMI_ORDER_REJECT;
    o->has_left = true;
    o->left_ssrc = o->ssrc;
    o->left_us = arrival_us;
    begin(o, ssrc, seq, timestamp, arrival_us, place);
    return RMI_ORDER_RESTART;
}

/* One packet far away may be damage or an attack; two in a row are a sender that began anew (RFC 3550 A.1). */
static enum rmi_order_verdict far_away(struct rmi_order *o, uint16_t seq, uint32_t timestamp, int64_t arrival_us,
                                       struct rmi_order_place *place) {
    if (o->on_trial && seq == o->trial_seq) {
        begin(o, o->ssrc, seq, timestamp, arrival_us, place);
        return RMI_ORDER_RESTART;
    }
    o->on_trial = true;
    o->trial_seq = (uint16_t)(seq + 1);
    return RMI_ORDER_REJECT;
}

static bool leaps(const struct rmi_order *o, int64_t ts, int64_t arrival_us, uint32_t clock_rate) {
    const int64_t media = rmi_ticks_to_us(ts - o->newest_ts, clock_rate), real = arrival_us - o->newest_arrival_us;
    return ts < o->newest_ts || media - real > MAX_LEAP_US || real - media > MAX_LEAP_US;
}

enum rmi_order_verdict rmi_order_judge(struct rmi_order *o, uint32_t ssrc, uint16_t seq, uint32_t timestamp,
                                       int64_t arrival_us, uint32_t clock_rate, struct rmi_order_place *place) {
    if (!o->started) {
        begin(o, ssrc, seq, timestamp, arrival_us, place);
        return RMI_ORDER_RESTART;
    }
    if (ssrc != o->ssrc)
        return other_source(o, ssrc, seq, timestamp, arrival_us, place);
    place->seq = rmi_unwrap16(o->newest_seq, seq);
    place->ts = rmi_unwrap32(o->newest_ts, timestamp);
    const int64_t ahead = place->seq - o->newest_seq;
    if (ahead > MAX_DROPOUT || ahead < -MAX_MISORDER)
        return far_away(o, seq, timestamp, arrival_us, place);
    if (ahead <= 0)
        return place->ts <= o->newest_ts ? RMI_ORDER_FITS : RMI_ORDER_REJECT;
    const bool jump = leaps(o, place->ts, arrival_us, clock_rate);
    o->on_trial = false;
    o->newest_seq = place->seq;
    o->newest_ts = place->ts;
    o->newest_arrival_us = arrival_us;
    return jump ? RMI_ORDER_JUMP : RMI_ORDER_FITS;
}
