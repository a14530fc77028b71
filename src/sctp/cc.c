/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/cc.h"
#include "base/time.h"
#include <string.h>

#define INITIAL_PACKETS 10 /* RFC 6928, as RFC 9260 7.2.1 leaves room for */
#define MIN_PACKETS 4
#define PERCENT 100
#define STARTUP_GAIN 277 /* 4 ln 2: doubles each round (BBR) */
/* Gentle: what was too much is known a round trip later, so a start that exceeds the rate by a part of the round trip
 * makes a queue of that part. */
#define GENTLE_START_US RMI_MS(9)
#define GENTLE_QUEUE_US RMI_MS(3) /* ends the start; one that ends too soon goes on by probes */
#define GENTLE_GAIN_LEAST 5
#define GENTLE_GAIN_MOST 100
#define GENTLE_FROM_PACKETS 10   /* in flight: with fewer, delayed acknowledgements hide how the rate grows */
#define GENTLE_STEP_US RMI_MS(3) /* the queue of a probe */
#define GENTLE_CRUISE_GAIN 98    /* what media sends comes on top, and must not fill the queue between two probes */
#define DRAIN_GAIN 36
#define DOWN_GAIN 75
#define CWND_GAIN 200
#define STARTUP_GROWTH 125 /* less than this thrice: the pipe is full */
#define FULL_ROUNDS 3
#define CRUISE_MIN_US RMI_SEC(2)
#define CRUISE_MAX_US RMI_SEC(3)
#define FIRST_CRUISE_ROUNDS 2
#define MIN_RTT_TTL_US RMI_SEC(10)
#define PROBE_RTT_US RMI_MS(200)
#define UP_ROUNDS_MAX 3
/* Timers of a host are about a millisecond late, acknowledgements wait for a second packet: room for both. */
#define HOST_SLACK_US RMI_MS(4)
/* Within a host or a room these would be most of the delay: there a quarter of the round trip, this at least. */
#define HOST_SLACK_MIN_US RMI_MS(1)
#define HOST_SLACK_SHARE 4
/* Random loss of bad wireless links stays under this; a bottleneck overrun by two flows does not. */
#define LOSS_LIMIT_PERCENT 10
#define LOSS_MIN_PACKETS 4 /* fewer say nothing about the rate */
#define QUEUE_PERCENT 110  /* a standing queue: every round trip of the round is over this and the jitter */
#define SLOW_SAMPLES 8     /* RFC 9406 4.3: N_RTT_SAMPLE */
#define QUEUE_SLACK_US RMI_MS(5)
#define QUEUE_LEAST_US RMI_MS(15) /* less may be a busy host's doing, and the window of a short path holds no more */
#define CUT_PERCENT 90            /* of the measured rate, so that the queue empties */
#define CUT_MOST_PERCENT 70
#define HOLD_ROUNDS 2
#define CUTS_MAX 6 /* a queue that half the rate does not empty is that of others, who wait for loss */
#define SECOND_US 1000000

static uint64_t percent(uint64_t value, uint64_t of) {
    return value * of / PERCENT;
}

static uint64_t bandwidth(const struct rmi_sctp_cc *c) {
    return c->bw[0] > c->bw[1] ? c->bw[0] : c->bw[1];
}

static uint64_t bytes_in(uint64_t per_second, int64_t us) {
    return per_second * (uint64_t)us / SECOND_US;
}

static uint64_t bdp(const struct rmi_sctp_cc *c) {
    return bytes_in(bandwidth(c), c->min_rtt_us);
}

static int64_t host_slack_us(const struct rmi_sctp_cc *c) {
    return rmi_max64(HOST_SLACK_MIN_US, rmi_min64(c->min_rtt_us / HOST_SLACK_SHARE, HOST_SLACK_US));
}

static uint64_t root(uint64_t of) {
    uint64_t r = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit > 0; bit >>= 1)
        if ((r | bit) * (r | bit) <= of)
            r |= bit;
    return r;
}

static bool starts_gently(const struct rmi_sctp_cc *c) {
    return c->gentle && bdp(c) >= GENTLE_FROM_PACKETS * c->mtu;
}

static uint64_t gentle_gain(const struct rmi_sctp_cc *c) {
    const int64_t gain = GENTLE_START_US * PERCENT / c->min_rtt_us;
    return (uint64_t)rmi_max64(GENTLE_GAIN_LEAST, rmi_min64(gain, GENTLE_GAIN_MOST));
}

/* How much more is tried first: as many packets a round trip as the root of those in flight. Of two flows the smaller
 * one gains more of what it has, and both lose alike, so that their rates approach each other (binomial congestion
 * control, Bansal and Balakrishnan 2001). */
static uint64_t first_step(const struct rmi_sctp_cc *c) {
    const uint64_t step = root(bdp(c) / c->mtu) * c->mtu * SECOND_US / (uint64_t)c->min_rtt_us;
    const uint64_t gentle = bytes_in(bandwidth(c), GENTLE_STEP_US) * SECOND_US / (uint64_t)c->min_rtt_us;
    return c->gentle && gentle < step ? gentle : step;
}

void rmi_sctp_cc_init(struct rmi_sctp_cc *c, const struct rmi_rng *rng, size_t mtu) {
    memset(c, 0, sizeof *c);
    c->rng = *rng;
    c->mtu = mtu;
    c->cwnd = INITIAL_PACKETS * mtu;
    c->round_rtt_us = RMI_NEVER;
}

void rmi_sctp_cc_sent(struct rmi_sctp_cc *c, int64_t now_us, uint64_t in_flight, struct rmi_sctp_cc_tag *tag) {
    if (in_flight == 0)
        c->first_sent_us = c->delivered_us = now_us;
    *tag = (struct rmi_sctp_cc_tag){.delivered = c->delivered,
                                    .delivered_us = c->delivered_us,
                                    .first_sent_us = c->first_sent_us,
                                    .sent_us = now_us,
                                    .app_limited = c->app_limited_until != 0};
}

void rmi_sctp_cc_acked(struct rmi_sctp_cc *c, int64_t now_us, const struct rmi_sctp_cc_tag *tag, size_t bytes) {
    c->delivered += bytes;
    c->delivered_us = now_us;
    c->sample_acked += bytes;
    if (!c->has_sample || tag->delivered > c->sample.delivered ||
        (tag->delivered == c->sample.delivered && tag->sent_us > c->sample.sent_us)) {
        c->sample = *tag;
        c->has_sample = true;
    }
}

void rmi_sctp_cc_lost(struct rmi_sctp_cc *c, size_t bytes) {
    c->round_lost += bytes;
}

void rmi_sctp_cc_app_limited(struct rmi_sctp_cc *c, uint64_t in_flight) {
    c->app_limited_until = c->delivered + in_flight > 0 ? c->delivered + in_flight : 1;
}

void rmi_sctp_cc_timeout(struct rmi_sctp_cc *c) {
    c->cwnd = MIN_PACKETS * c->mtu;
}

static void take_rate(struct rmi_sctp_cc *c) {
    const int64_t send_us = c->sample.sent_us - c->sample.first_sent_us;
    const int64_t ack_us = c->delivered_us - c->sample.delivered_us;
    const int64_t interval_us = rmi_max64(send_us, ack_us);
    c->first_sent_us = c->sample.sent_us;
    if (interval_us <= 0 || interval_us < c->min_rtt_us)
        return;
    const uint64_t rate = (c->delivered - c->sample.delivered) * SECOND_US / (uint64_t)interval_us;
    if (rate > c->round_bw)
        c->round_bw = rate;
    c->round_app_limited = c->round_app_limited || c->sample.app_limited;
    /* What was in the queue when the model was lowered still comes at the old rate. */
    const bool may_rise = c->hold_rounds == 0 || (c->state != RMI_SCTP_CC_CRUISE && c->state != RMI_SCTP_CC_DOWN);
    const uint64_t most = may_rise || bandwidth(c) == 0 ? UINT64_MAX : bandwidth(c);
    if (!c->sample.app_limited || rate >= bandwidth(c))
        c->bw[0] = rate < c->bw[0] ? c->bw[0] : rate < most ? rate : most;
}

static bool is_queue(const struct rmi_sctp_cc *c, int64_t rtt_us) {
    const int64_t limit_us = (int64_t)percent((uint64_t)c->min_rtt_us, QUEUE_PERCENT) + QUEUE_SLACK_US;
    return rtt_us > rmi_max64(limit_us, c->min_rtt_us + QUEUE_LEAST_US);
}

/* A sample near the smallest renews it too: only a path that became longer, or a queue of others, asks for a probe. */
static void take_rtt(struct rmi_sctp_cc *c, int64_t now_us, int64_t rtt_us) {
    const int64_t near_us = c->min_rtt_us / 32 + RMI_MS(1);
    c->round_rtt_us = rmi_min64(c->round_rtt_us, rtt_us);
    c->probe_min_us = rmi_min64(c->probe_min_us, rtt_us);
    const bool slow = starts_gently(c) && c->state == RMI_SCTP_CC_STARTUP ? rtt_us > c->min_rtt_us + GENTLE_QUEUE_US
                                                                          : is_queue(c, rtt_us);
    c->slow_samples = c->min_rtt_us && slow ? c->slow_samples + 1 : 0;
    if (c->min_rtt_us == 0 || rtt_us <= c->min_rtt_us + near_us)
        c->min_rtt_seen_us = now_us;
    if (c->min_rtt_us == 0 || rtt_us < c->min_rtt_us)
        c->min_rtt_us = rmi_max64(rtt_us, 1);
}

static void enter(struct rmi_sctp_cc *c, enum rmi_sctp_cc_state state, int64_t now_us) {
    const bool again = c->state == state;
    c->state = state;
    switch (state) {
    case RMI_SCTP_CC_CRUISE:
        c->phase_until_us = now_us + (int64_t)rmi_rng_range(&c->rng, CRUISE_MIN_US, CRUISE_MAX_US);
        break;
    case RMI_SCTP_CC_UP:
        c->up_from_bw = bandwidth(c);
        c->step = again && 2 * c->step < c->up_from_bw ? 2 * c->step : again ? c->up_from_bw : first_step(c);
        c->bw[1] = c->bw[0];
        c->bw[0] = 0;
        c->phase_until_us = now_us + c->min_rtt_us + host_slack_us(c);
        break;
    case RMI_SCTP_CC_DOWN:
    case RMI_SCTP_CC_DRAIN:
        c->phase_until_us = now_us + UP_ROUNDS_MAX * (c->min_rtt_us + host_slack_us(c));
        break;
    case RMI_SCTP_CC_PROBE_RTT:
        c->probe_min_us = RMI_NEVER;
        c->phase_until_us = RMI_NEVER; /* begins when the window is small */
        break;
    case RMI_SCTP_CC_STARTUP:
        break;
    }
}

static bool too_much_loss(const struct rmi_sctp_cc *c) {
    const uint64_t arrived = c->delivered - c->round_start;
    return c->round_lost >= LOSS_MIN_PACKETS * c->mtu &&
           c->round_lost * PERCENT > (c->round_lost + arrived) * LOSS_LIMIT_PERCENT;
}

static bool standing_queue(const struct rmi_sctp_cc *c) {
    return c->round_rtt_us != RMI_NEVER && is_queue(c, c->round_rtt_us);
}

static void lower(struct rmi_sctp_cc *c) {
    const uint64_t measured = percent(c->round_bw, CUT_PERCENT), most = percent(bandwidth(c), CUT_MOST_PERCENT);
    const uint64_t to = measured > most ? measured : most;
    for (int i = 0; i < 2; i++)
        c->bw[i] = c->bw[i] < to ? c->bw[i] : to;
    c->hold_rounds = HOLD_ROUNDS;
}

/* A round ends when what was sent after its beginning is acknowledged. */
static void end_round(struct rmi_sctp_cc *c, int64_t now_us) {
    const bool loss = too_much_loss(c);
    if (c->state == RMI_SCTP_CC_STARTUP && !c->round_app_limited) {
        if (bandwidth(c) >=
            percent(c->full_bw, starts_gently(c) ? PERCENT + gentle_gain(c) / FULL_ROUNDS : STARTUP_GROWTH)) {
            c->full_bw = bandwidth(c);
            c->full_rounds = 0;
        } else {
            c->full_rounds++;
        }
        if (c->full_rounds >= FULL_ROUNDS || loss)
            enter(c, RMI_SCTP_CC_DRAIN, now_us);
    } else if (c->state == RMI_SCTP_CC_UP && loss) {
        enter(c, RMI_SCTP_CC_DOWN, now_us);
    } else if (c->state == RMI_SCTP_CC_CRUISE && !c->round_app_limited) {
        const bool queue = standing_queue(c);
        c->hold_rounds -= c->hold_rounds > 0;
        if (loss || (queue && c->cuts < CUTS_MAX))
            lower(c);
        c->cuts = queue ? c->cuts + 1 : 0;
    }
    c->round_end = c->round_start = c->delivered;
    c->round_lost = c->round_bw = 0;
    c->round_rtt_us = RMI_NEVER;
    c->round_app_limited = false;
}

static void step(struct rmi_sctp_cc *c, int64_t now_us, uint64_t in_flight) {
    bool starting;
    switch (c->state) {
    case RMI_SCTP_CC_DRAIN:
    case RMI_SCTP_CC_DOWN:
        if (in_flight > bdp(c) && now_us < c->phase_until_us)
            break;
        starting = c->state == RMI_SCTP_CC_DRAIN;
        enter(c, RMI_SCTP_CC_CRUISE, now_us);
        if (starting) /* the rate measured while much was lost is too low: look again soon */
            c->phase_until_us = now_us + FIRST_CRUISE_ROUNDS * c->min_rtt_us;
        break;
    case RMI_SCTP_CC_CRUISE:
        if (now_us - c->min_rtt_seen_us > MIN_RTT_TTL_US)
            enter(c, RMI_SCTP_CC_PROBE_RTT, now_us);
        else if (now_us >= c->phase_until_us)
            enter(c, RMI_SCTP_CC_UP, now_us);
        break;
    case RMI_SCTP_CC_UP:
        /* The rate is measured a round trip after it is tried. */
        if (now_us < c->phase_until_us + c->min_rtt_us)
            break;
        if (bandwidth(c) > c->up_from_bw + c->step / 2 && c->slow_samples < SLOW_SAMPLES)
            enter(c, RMI_SCTP_CC_UP, now_us);
        else
            enter(c, RMI_SCTP_CC_DOWN, now_us);
        break;
    case RMI_SCTP_CC_PROBE_RTT:
        if (c->phase_until_us == RMI_NEVER && in_flight <= c->cwnd)
            c->phase_until_us = now_us + rmi_max64(PROBE_RTT_US, c->min_rtt_us);
        if (now_us >= c->phase_until_us && c->probe_min_us != RMI_NEVER) {
            c->min_rtt_us = rmi_max64(c->probe_min_us, 1);
            c->min_rtt_seen_us = now_us;
            enter(c, RMI_SCTP_CC_CRUISE, now_us);
        }
        break;
    case RMI_SCTP_CC_STARTUP:
        if (c->slow_samples >= SLOW_SAMPLES) /* the queue fills: sooner than its overflow tells (HyStart, RFC 9406) */
            enter(c, RMI_SCTP_CC_DRAIN, now_us);
        break;
    }
}

static uint64_t pacing_gain(const struct rmi_sctp_cc *c) {
    switch (c->state) {
    case RMI_SCTP_CC_STARTUP:
        return starts_gently(c) ? PERCENT + gentle_gain(c) : STARTUP_GAIN;
    case RMI_SCTP_CC_DRAIN:
        return DRAIN_GAIN;
    case RMI_SCTP_CC_DOWN:
        return DOWN_GAIN;
    case RMI_SCTP_CC_CRUISE:
        return c->gentle ? GENTLE_CRUISE_GAIN : PERCENT;
    case RMI_SCTP_CC_UP:
    case RMI_SCTP_CC_PROBE_RTT:
        break;
    }
    return PERCENT;
}

static void set_limits(struct rmi_sctp_cc *c, int64_t now_us, uint64_t acked) {
    const uint64_t least = MIN_PACKETS * c->mtu;
    if (c->min_rtt_us == 0 || bandwidth(c) == 0) {
        c->cwnd += acked; /* slow start until the first measurement */
        return;
    }
    const bool starting = c->state == RMI_SCTP_CC_STARTUP;
    uint64_t target = percent(bytes_in(bandwidth(c), c->min_rtt_us + host_slack_us(c)), CWND_GAIN);
    if (c->state == RMI_SCTP_CC_PROBE_RTT) {
        c->cwnd = bdp(c) / 2;
    } else if (c->cwnd < target) {
        c->cwnd = starting || c->cwnd + acked < target ? c->cwnd + acked : target;
    } else if (!starting) {
        c->cwnd = target;
    }
    c->cwnd = c->cwnd > least ? c->cwnd : least;
    uint64_t rate = percent(bandwidth(c), pacing_gain(c));
    if (c->state == RMI_SCTP_CC_UP && now_us < c->phase_until_us)
        rate += c->step;
    const uint64_t least_rate = least * SECOND_US / (uint64_t)c->min_rtt_us;
    rate = rate > least_rate ? rate : least_rate;
    if (!starting || rate > c->pacing || starts_gently(c))
        c->pacing = rate;
}

void rmi_sctp_cc_sack_end(struct rmi_sctp_cc *c, int64_t now_us, int64_t rtt_us, uint64_t in_flight) {
    if (rtt_us >= 0)
        take_rtt(c, now_us, rtt_us);
    if (c->has_sample) {
        take_rate(c);
        if (c->app_limited_until && c->delivered > c->app_limited_until)
            c->app_limited_until = 0;
        if (c->sample.delivered >= c->round_end)
            end_round(c, now_us);
    }
    step(c, now_us, in_flight);
    set_limits(c, now_us, c->sample_acked);
    c->has_sample = false;
    c->sample_acked = 0;
}
