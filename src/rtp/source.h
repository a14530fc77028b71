/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_SOURCE_H
#define RMI_RTP_SOURCE_H

#include "net/datagram.h"
#include "rtp/rtcp.h"

/* Receive statistics of one SSRC (RFC 3550 A.1, A.3, A.8). */
struct rmi_rtp_source {
    uint32_t ssrc;
    uint32_t clock_hz;
    bool started;
    uint8_t probation; /* packets in order still asked for before the source counts */
    uint8_t probation_length;
    uint16_t max_seq;
    uint64_t cycles; /* wraps of the number, shifted left by 16 */
    uint64_t base_seq;
    uint32_t bad_seq; /* last number of a jump + 1; above 2^16: none */
    uint64_t received;
    uint64_t expected_prior;
    uint64_t received_prior;
    bool has_transit;
    uint32_t transit;
    uint64_t jitter_q4; /* 4 fraction bits */
    uint64_t octets;
    uint64_t ecn[RMI_ECN_MASK + 1]; /* packets by ECN field, since the source began, through restarts */
    uint64_t restarts;              /* jumps that were accepted as a new start */
    uint64_t refused;               /* packets far out of sequence, or on probation */
    bool ecn_news;                  /* of it are not told yet */
    bool has_sr;
    struct rmi_rtcp_sender_info sr;
    int64_t sr_at_us;
    int64_t last_us; /* of the last packet */
};

enum rmi_rtp_seq {
    RMI_RTP_SEQ_NEW,     /* ahead, perhaps with a gap */
    RMI_RTP_SEQ_LATE,    /* reordered or a duplicate, within 100 */
    RMI_RTP_SEQ_RESTART, /* second packet after a jump: statistics start again */
    RMI_RTP_SEQ_REFUSED
};

/* `probation`: packets in order before the source is believed. 0 behind SRTP, where nobody else can forge them;
 * RFC 3550 A.1 has 2. clock_hz > 0. */
void rmi_rtp_source_init(struct rmi_rtp_source *s, uint32_t ssrc, uint32_t clock_hz, uint8_t probation);
/* One packet; now_us >= 0. */
enum rmi_rtp_seq rmi_rtp_source_input(struct rmi_rtp_source *s, uint16_t seq, uint32_t timestamp, size_t bytes,
                                      int64_t now_us);
void rmi_rtp_source_sender_report(struct rmi_rtp_source *s, const struct rmi_rtcp_sender_info *sr, int64_t now_us);
/* The report block; starts a new interval for fraction_lost. False: nothing was received yet. */
bool rmi_rtp_source_report(struct rmi_rtp_source *s, int64_t now_us, struct rmi_rtcp_report *out);
/* What ECN feedback says of it. Its packets are behind SRTP, which lets no packet through twice: no duplicates. */
void rmi_rtp_source_ecn(const struct rmi_rtp_source *s, struct rmi_rtcp_ecn *out);
uint32_t rmi_rtp_source_highest(const struct rmi_rtp_source *s);
/* Expected less received, as RFC 3550 A.3: negative with duplicates. */
int64_t rmi_rtp_source_lost(const struct rmi_rtp_source *s);
uint32_t rmi_rtp_source_jitter(const struct rmi_rtp_source *s);
int64_t rmi_rtp_source_jitter_us(const struct rmi_rtp_source *s);

/* The sources of one peer: the least recently heard one gives way, so that a new SSRC in each packet costs no memory
 * (known limit of 32). */
#define RMI_RTP_SOURCES_MAX 32
struct rmi_rtp_sources {
    size_t count;
    uint64_t evicted;
    struct rmi_rtp_source source[RMI_RTP_SOURCES_MAX];
};
void rmi_rtp_sources_init(struct rmi_rtp_sources *t);
struct rmi_rtp_source *rmi_rtp_sources_find(struct rmi_rtp_sources *t, uint32_t ssrc);
/* Finds or adds; pointers to other sources stay valid, but one of them may now be another SSRC's. */
struct rmi_rtp_source *rmi_rtp_sources_get(struct rmi_rtp_sources *t, uint32_t ssrc, uint32_t clock_hz, int64_t now_us);
void rmi_rtp_sources_remove(struct rmi_rtp_sources *t, uint32_t ssrc);

/* ---- NTP format (RFC 3550 4) ---- */

/* From microseconds since 1970; wraps in 2036 as the format does. */
uint64_t rmi_ntp_of_unix_us(int64_t unix_us);
/* Difference of two stamps, correct over the wrap, in microseconds. */
int64_t rmi_ntp_diff_us(uint64_t b, uint64_t a);
static inline uint32_t rmi_ntp_middle(uint64_t ntp) {
    return (uint32_t)(ntp >> 16);
}
/* Round trip from a report block about us that arrived at `now` (middle 32 bits): now - last_sr - delay_since_sr (RFC
 * 3550 6.4.1). False: the block has no last_sr, or the result is negative or above a minute, so somebody's clock
 * jumped or the sender lies. */
bool rmi_rtcp_round_trip_us(uint32_t now_middle, const struct rmi_rtcp_report *r, int64_t *rtt_us);

#endif
