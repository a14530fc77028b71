/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/source.h"
#include "rtp/packet.h"
#include <string.h>

#define SEQ_MOD 0x10000U
#define MAX_DROPOUT 3000 /* RFC 3550 A.1 */
#define MAX_MISORDER 100
#define NO_BAD_SEQ (SEQ_MOD + 1)
#define US_PER_S 1000000
#define JITTER_SHIFT 4
#define TRANSIT_JUMP_S 5 /* a step this large is a new time base, not jitter; libwebrtc draws the line here, too */
#define NTP_UNIX_OFFSET_S UINT64_C(2208988800) /* 1900 to 1970 */
#define SHORT_NTP_HZ 65536
#define RTT_MAX_US 60000000
#define RTT_ROUNDING (SHORT_NTP_HZ / 1000) /* two clocks read apart may give a little under zero */

static void start_at(struct rmi_rtp_source *s, uint16_t seq) {
    s->base_seq = seq;
    s->max_seq = seq;
    s->bad_seq = NO_BAD_SEQ;
    s->cycles = 0;
    s->received = s->received_prior = s->expected_prior = 0;
    s->has_transit = false;
}

void rmi_rtp_source_init(struct rmi_rtp_source *s, uint32_t ssrc, uint32_t clock_hz, uint8_t probation) {
    memset(s, 0, sizeof *s);
    s->ssrc = ssrc;
    s->clock_hz = clock_hz;
    s->probation_length = probation;
}

/* On probation: whether this packet ends it. */
static bool passes_probation(struct rmi_rtp_source *s, uint16_t seq) {
    if (seq == (uint16_t)(s->max_seq + 1))
        s->probation--;
    else
        s->probation = (uint8_t)(s->probation_length - 1);
    s->max_seq = seq;
    return s->probation == 0;
}

static enum rmi_rtp_seq judge(struct rmi_rtp_source *s, uint16_t seq) {
    if (!s->started) {
        s->started = true;
        start_at(s, seq);
        s->probation = s->probation_length;
        if (s->probation == 0)
            return RMI_RTP_SEQ_NEW;
        s->max_seq = (uint16_t)(seq - 1);
    }
    if (s->probation > 0) {
        if (!passes_probation(s, seq))
            return RMI_RTP_SEQ_REFUSED;
        start_at(s, seq);
        return RMI_RTP_SEQ_NEW;
    }
    uint16_t ahead = (uint16_t)(seq - s->max_seq);
    if (ahead == 0)
        return RMI_RTP_SEQ_LATE;
    if (ahead < MAX_DROPOUT) {
        if (seq < s->max_seq)
            s->cycles += SEQ_MOD;
        s->max_seq = seq;
        return RMI_RTP_SEQ_NEW;
    }
    if (ahead <= SEQ_MOD - MAX_MISORDER) {
        if (seq != s->bad_seq) {
            s->bad_seq = (seq + 1U) % SEQ_MOD;
            return RMI_RTP_SEQ_REFUSED;
        }
        start_at(s, seq); /* two in a row: the other side started again without telling us */
        s->restarts++;
        return RMI_RTP_SEQ_RESTART;
    }
    return RMI_RTP_SEQ_LATE;
}

/* RFC 3550 A.8, on 32-bit stamps that wrap. */
static void note_jitter(struct rmi_rtp_source *s, uint32_t timestamp, int64_t now_us) {
    uint64_t us = (uint64_t)now_us;
    uint64_t arrival = us / US_PER_S * s->clock_hz + us % US_PER_S * s->clock_hz / US_PER_S;
    uint32_t transit = (uint32_t)arrival - timestamp;
    int64_t d = rmi_rtp_time_diff(transit, s->transit);
    bool had = s->has_transit;
    s->transit = transit;
    s->has_transit = true;
    d = d < 0 ? -d : d;
    if (!had || d > (int64_t)TRANSIT_JUMP_S * s->clock_hz)
        return;
    s->jitter_q4 += (uint64_t)d;
    s->jitter_q4 -= (s->jitter_q4 - (uint64_t)d + (1U << (JITTER_SHIFT - 1))) >> JITTER_SHIFT;
}

enum rmi_rtp_seq rmi_rtp_source_input(struct rmi_rtp_source *s, uint16_t seq, uint32_t timestamp, size_t bytes,
                                      int64_t now_us) {
    enum rmi_rtp_seq verdict = judge(s, seq);
    s->last_us = now_us;
    if (verdict == RMI_RTP_SEQ_REFUSED) {
        s->refused++;
        return verdict;
    }
    s->received++;
    s->octets += bytes;
    note_jitter(s, timestamp, now_us);
    return verdict;
}

void rmi_rtp_source_sender_report(struct rmi_rtp_source *s, const struct rmi_rtcp_sender_info *sr, int64_t now_us) {
    s->has_sr = true;
    s->sr = *sr;
    s->sr_at_us = now_us;
}

static uint64_t highest(const struct rmi_rtp_source *s) {
    return s->cycles + s->max_seq;
}

uint32_t rmi_rtp_source_highest(const struct rmi_rtp_source *s) {
    return (uint32_t)highest(s);
}

static uint64_t expected(const struct rmi_rtp_source *s) {
    return s->started && s->probation == 0 ? highest(s) - s->base_seq + 1 : 0;
}

int64_t rmi_rtp_source_lost(const struct rmi_rtp_source *s) {
    return (int64_t)(expected(s) - s->received);
}

void rmi_rtp_source_ecn(const struct rmi_rtp_source *s, struct rmi_rtcp_ecn *out) {
    const int64_t lost = rmi_rtp_source_lost(s);
    *out = (struct rmi_rtcp_ecn){.ssrc = s->ssrc,
                                 .highest_seq = rmi_rtp_source_highest(s),
                                 .ect0 = (uint32_t)s->ecn[RMI_ECN_ECT0],
                                 .ect1 = (uint32_t)s->ecn[RMI_ECN_ECT1],
                                 .ce = (uint16_t)s->ecn[RMI_ECN_CE],
                                 .not_ect = (uint16_t)s->ecn[RMI_ECN_NOT_ECT],
                                 .lost = (uint16_t)(lost > 0 ? lost : 0)};
}

uint32_t rmi_rtp_source_jitter(const struct rmi_rtp_source *s) {
    return (uint32_t)(s->jitter_q4 >> JITTER_SHIFT);
}

int64_t rmi_rtp_source_jitter_us(const struct rmi_rtp_source *s) {
    return (int64_t)(s->jitter_q4 * US_PER_S / s->clock_hz >> JITTER_SHIFT);
}

static uint32_t short_ntp_of_us(int64_t us) {
    if (us <= 0)
        return 0;
    int64_t s = us / US_PER_S;
    if (s >= SHORT_NTP_HZ)
        return UINT32_MAX; /* 18 hours: the field's end */
    return (uint32_t)(s * SHORT_NTP_HZ + us % US_PER_S * SHORT_NTP_HZ / US_PER_S);
}

bool rmi_rtp_source_report(struct rmi_rtp_source *s, int64_t now_us, struct rmi_rtcp_report *out) {
    memset(out, 0, sizeof *out);
    if (expected(s) == 0)
        return false;
    uint64_t expected_interval = expected(s) - s->expected_prior;
    uint64_t received_interval = s->received - s->received_prior;
    s->expected_prior = expected(s);
    s->received_prior = s->received;
    out->ssrc = s->ssrc;
    if (expected_interval > received_interval) {
        uint64_t fraction = (expected_interval - received_interval) * 256 / expected_interval;
        out->fraction_lost = (uint8_t)(fraction > UINT8_MAX ? UINT8_MAX : fraction);
    }
    int64_t lost = rmi_rtp_source_lost(s);
    lost = lost > RMI_RTCP_LOST_MAX ? RMI_RTCP_LOST_MAX : lost;
    out->lost = (int32_t)(lost < RMI_RTCP_LOST_MIN ? RMI_RTCP_LOST_MIN : lost);
    out->highest_seq = rmi_rtp_source_highest(s);
    out->jitter = rmi_rtp_source_jitter(s);
    if (s->has_sr) {
        out->last_sr = rmi_ntp_middle(s->sr.ntp);
        out->delay_since_sr = short_ntp_of_us(now_us - s->sr_at_us);
    }
    return true;
}

/* ---- the sources of one peer ---- */

void rmi_rtp_sources_init(struct rmi_rtp_sources *t) {
    memset(t, 0, sizeof *t);
}

struct rmi_rtp_source *rmi_rtp_sources_find(struct rmi_rtp_sources *t, uint32_t ssrc) {
    for (size_t i = 0; i < t->count; i++)
        if (t->source[i].ssrc == ssrc)
            return &t->source[i];
    return NULL;
}

struct rmi_rtp_source *rmi_rtp_sources_get(struct rmi_rtp_sources *t, uint32_t ssrc, uint32_t clock_hz,
                                           int64_t now_us) {
    struct rmi_rtp_source *s = rmi_rtp_sources_find(t, ssrc);
    if (s)
        return s;
    if (t->count < RMI_RTP_SOURCES_MAX) {
        s = &t->source[t->count++];
    } else {
        s = &t->source[0];
        for (size_t i = 1; i < t->count; i++)
            if (t->source[i].last_us < s->last_us)
                s = &t->source[i];
        t->evicted++;
    }
    rmi_rtp_source_init(s, ssrc, clock_hz, 0);
    s->last_us = now_us;
    return s;
}

void rmi_rtp_sources_remove(struct rmi_rtp_sources *t, uint32_t ssrc) {
    struct rmi_rtp_source *s = rmi_rtp_sources_find(t, ssrc);
    if (s)
        *s = t->source[--t->count];
}

/* ---- NTP format ---- */

uint64_t rmi_ntp_of_unix_us(int64_t unix_us) {
    uint64_t us = (uint64_t)unix_us + NTP_UNIX_OFFSET_S * US_PER_S; /* also right for times before 1970 */
    return us / US_PER_S << 32 | (us % US_PER_S << 32) / US_PER_S;
}

int64_t rmi_ntp_diff_us(uint64_t b, uint64_t a) {
    uint64_t d = b - a;
    bool negative = d >> 63;
    d = negative ? 0 - d : d;
    int64_t us = (int64_t)((d >> 32) * US_PER_S + ((d & UINT32_MAX) * US_PER_S >> 32));
    return negative ? -us : us;
}

bool rmi_rtcp_round_trip_us(uint32_t now_middle, const struct rmi_rtcp_report *r, int64_t *rtt_us) {
    if (r->last_sr == 0)
        return false;
    int64_t rtt = rmi_rtp_time_diff(now_middle - r->last_sr, r->delay_since_sr);
    if (rtt < -RTT_ROUNDING)
        return false;
    rtt = rtt < 0 ? 0 : rtt * US_PER_S / SHORT_NTP_HZ;
    if (rtt > RTT_MAX_US)
        return false;
    *rtt_us = rtt;
    return true;
}
