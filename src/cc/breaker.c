/* SPDX-License-Identifier: Apache-2.0 */
#include "cc/breaker.h"
#include <math.h>

/* 4.1: three times the deterministic interval, whose least is 5 s. */
#define RTCP_TIMEOUT_US RMI_SEC(15)
#define STUCK_REPORTS 5 /* k of 4.2 */
#define TCP_FACTOR 10.0 /* 4.3 */
#define RTT_OLD 0.8     /* 3: Tr */
#define INTERVAL_OLD 0.8
#define INTERVAL_START_US 1e6
#define CB_LEAST_US 15e6 /* of CB_INTERVAL's formula */
#define CB_GROUPS 10.0
#define CB_RTTS 10.0
#define CB_REPORTS 3.0
#define PAUSE_US RMI_SEC(1) /* nothing sent for so long: what is not sent is not reported either */
/* Reports in a row: the first one may tell of a moment before congestion control had heard of anything. */
#define CONGESTED_REPORTS 2
#define US_PER_S 1e6

static void begin_anew(struct rmi_breaker *b) {
    const struct rmi_breaker was = *b;
    *b = (struct rmi_breaker){.heard = was.heard, .heard_us = was.heard_us, .rtt_us = was.rtt_us};
}

void rmi_breaker_sent(struct rmi_breaker *b, int64_t now_us, size_t bytes) {
    if (b->sending_us == 0 || now_us - b->last_sent_us > PAUSE_US) {
        b->sending_us = now_us;
        b->stuck = 0;
    }
    b->last_sent_us = now_us;
    b->bytes += bytes;
    b->packets++;
}

void rmi_breaker_heard(struct rmi_breaker *b, int64_t now_us) {
    b->heard = true;
    b->heard_us = now_us;
}

int64_t rmi_breaker_next_deadline(const struct rmi_breaker *b) {
    if (!b->heard || b->sending_us == 0)
        return RMI_NEVER;
    return rmi_max64(b->heard_us, b->sending_us) + RTCP_TIMEOUT_US;
}

enum rmi_breaker_cause rmi_breaker_timeout(struct rmi_breaker *b, int64_t now_us) {
    if (rmi_breaker_next_deadline(b) > now_us)
        return RMI_BREAKER_CLOSED;
    const bool sends = now_us - b->last_sent_us <= PAUSE_US;
    b->sending_us = 0; /* until the next packet */
    return sends ? RMI_BREAKER_RTCP_TIMEOUT : RMI_BREAKER_CLOSED;
}

/* Reports that count for the average: CB_INTERVAL of 4.3. */
static unsigned reports_needed(const struct rmi_breaker *b, double frame_us) {
    const double three = CB_REPORTS * b->interval_us;
    const double long_enough = fmax(fmax(CB_GROUPS * frame_us, CB_RTTS * b->rtt_us), three);
    const double n = ceil(CB_REPORTS * fmin(long_enough, fmax(CB_LEAST_US, three)) / three);
    return n < RMI_BREAKER_REPORTS - 1 ? (unsigned)n : RMI_BREAKER_REPORTS - 1;
}

/* Ten times what TCP would send at this loss is too much. */
static bool congested(const struct rmi_breaker *b, int64_t frame_us) {
    const unsigned n = reports_needed(b, (double)frame_us);
    double us = 0, lost = 0;
    if (b->count <= n || b->rtt_us <= 0)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct rmi_breaker_report *r = &b->report[(b->next + RMI_BREAKER_REPORTS - 1 - i) % RMI_BREAKER_REPORTS];
        us += (double)r->took_us;
        lost += r->lost * (double)r->took_us;
    }
    const unsigned before = (b->next + RMI_BREAKER_REPORTS - 1 - n) % RMI_BREAKER_REPORTS;
    const double bytes = (double)(b->bytes - b->bytes_at[before]);
    const double packets = (double)(b->packets - b->packets_at[before]);
    /* Slower than a packet in each interval: the loss figures mean nothing (4.3). */
    if (us <= 0 || lost <= 0 || packets < us / fmax(b->interval_us, b->rtt_us))
        return false;
    /* What is sent by now counts, not what was: a control that has slowed down already is no reason to trip. */
    const unsigned last = (b->next + RMI_BREAKER_REPORTS - 2) % RMI_BREAKER_REPORTS;
    const double now_bytes = (double)(b->bytes - b->bytes_at[last]);
    const int64_t now_us = b->report[(b->next + RMI_BREAKER_REPORTS - 1) % RMI_BREAKER_REPORTS].took_us;
    const double p = lost / us, size = bytes / packets;
    const double tcp = size / (b->rtt_us / US_PER_S * sqrt(2 * p / 3));
    return now_us > 0 && now_bytes / ((double)now_us / US_PER_S) > TCP_FACTOR * tcp;
}

static void note(struct rmi_breaker *b, int64_t now_us, double lost, uint32_t highest, int64_t rtt_us) {
    const double took = b->has_report ? (double)(now_us - b->reported_us) : INTERVAL_START_US;
    b->interval_us = b->interval_us > 0 ? INTERVAL_OLD * b->interval_us + (1 - INTERVAL_OLD) * took : took;
    if (rtt_us > 0)
        b->rtt_us = b->rtt_us > 0 ? RTT_OLD * b->rtt_us + (1 - RTT_OLD) * (double)rtt_us : (double)rtt_us;
    b->stuck = b->has_report && highest == b->highest && b->sending_us != 0 && b->sending_us < b->reported_us
                   ? b->stuck + 1
                   : 0;
    b->bytes_at[b->next] = b->bytes;
    b->packets_at[b->next] = b->packets;
    b->report[b->next] = (struct rmi_breaker_report){.took_us = (int64_t)took, .lost = lost};
    b->next = (b->next + 1) % RMI_BREAKER_REPORTS;
    b->count += b->count < RMI_BREAKER_REPORTS;
    b->has_report = true;
    b->reported_us = now_us;
    b->highest = highest;
}

enum rmi_breaker_cause rmi_breaker_reported(struct rmi_breaker *b, int64_t now_us, double fraction_lost,
                                            uint32_t highest, int64_t rtt_us, int64_t frame_us) {
    rmi_breaker_heard(b, now_us);
    if (b->has_report && now_us <= b->reported_us)
        return RMI_BREAKER_CLOSED;
    note(b, now_us, fraction_lost, highest, rtt_us);
    if (now_us - b->last_sent_us > PAUSE_US)
        return RMI_BREAKER_CLOSED;
    const double scale = fmax(fmax((double)frame_us, b->rtt_us), b->interval_us) / b->interval_us;
    if (b->stuck >= (unsigned)ceil(STUCK_REPORTS * scale)) {
        begin_anew(b);
        return RMI_BREAKER_MEDIA_TIMEOUT;
    }
    b->congested = congested(b, frame_us) ? b->congested + 1 : 0;
    if (b->congested >= CONGESTED_REPORTS) {
        begin_anew(b);
        return RMI_BREAKER_CONGESTION;
    }
    return RMI_BREAKER_CLOSED;
}
