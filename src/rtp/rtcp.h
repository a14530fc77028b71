/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_RTCP_H
#define RMI_RTP_RTCP_H

#include "base/cursor.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RMI_RTCP_COUNT_MAX 31         /* 5-bit counts: reports, SDES chunks, BYE sources */
#define RMI_RTCP_LOST_MAX 0x7fffff    /* 24-bit signed field */
#define RMI_RTCP_LOST_MIN (-0x800000) /* more duplicates than losses */
#define RMI_RTCP_TEXT_MAX 255         /* 8-bit length of SDES items and BYE reasons */
#define RMI_REMB_SSRC_MAX 255

enum rmi_rtcp_kind {
    RMI_RTCP_SR,
    RMI_RTCP_RR,
    RMI_RTCP_SDES,
    RMI_RTCP_BYE,
    RMI_RTCP_NACK,
    RMI_RTCP_PLI,
    RMI_RTCP_FIR,
    RMI_RTCP_REMB,
    RMI_RTCP_TWCC,
    RMI_RTCP_ECN,  /* feedback about one stream, or the summary of several in an XR */
    RMI_RTCP_OTHER /* other XR, APP, unknown types and formats: to be ignored (RFC 8834 5.1) */
};

struct rmi_rtcp_report {
    uint32_t ssrc;
    uint8_t fraction_lost; /* of 256 */
    int32_t lost;
    uint32_t highest_seq;    /* extended */
    uint32_t jitter;         /* in units of the RTP clock */
    uint32_t last_sr;        /* middle 32 bits of its NTP time; 0: none */
    uint32_t delay_since_sr; /* 1/65536 s */
};

struct rmi_rtcp_sender_info {
    uint64_t ntp; /* 32.32 seconds since 1900, modulo 2^32 s */
    uint32_t rtp_time;
    uint32_t packets;
    uint32_t octets;
};

/* What has come of one stream so far, by ECN field (RFC 6679 5.1); the counters wrap. */
struct rmi_rtcp_ecn {
    uint32_t ssrc;
    uint32_t highest_seq; /* extended; not in a summary */
    uint32_t ect0, ect1;
    uint16_t ce, not_ect;
    uint16_t lost, duplicates;
};

struct rmi_rtcp_text {
    const uint8_t *data; /* not terminated; NULL: absent */
    uint8_t len;
};

struct rmi_rtcp_sdes_chunk {
    uint32_t ssrc;
    struct rmi_rtcp_text cname;
    struct rmi_rtcp_text mid; /* RFC 7941, RFC 8843 15.1 */
};

/* One packet of a compound. `count` says how many entries the list of its kind has. */
struct rmi_rtcp_item {
    enum rmi_rtcp_kind kind;
    uint8_t type;   /* as on the wire */
    uint8_t format; /* count or FMT field */
    uint32_t sender_ssrc;
    uint32_t media_ssrc; /* feedback kinds */
    size_t count;
    struct rmi_rtcp_sender_info sender; /* SR */
    struct rmi_rtcp_text reason;        /* BYE */
    uint64_t bitrate_bps;               /* REMB; saturates at UINT64_MAX */
    struct rmi_rd fci;                  /* NACK, FIR, REMB (its SSRCs), TWCC: the list, still packed */
    union {
        struct rmi_rtcp_report report[RMI_RTCP_COUNT_MAX];   /* SR, RR */
        struct rmi_rtcp_sdes_chunk sdes[RMI_RTCP_COUNT_MAX]; /* SDES */
        uint32_t bye[RMI_RTCP_COUNT_MAX];                    /* BYE */
        struct rmi_rtcp_ecn ecn[RMI_RTCP_COUNT_MAX];         /* ECN; more in one XR are left out */
    } u;
};

/* Walks a datagram after its lengths were found to tile it exactly. */
struct rmi_rtcp_reader {
    struct rmi_rd rest;
};

/* Compound or reduced-size (RFC 5506). RM_E_PARSE: a wrong version, a length past the end, bytes left over, padding
 * anywhere but in the last packet or larger than it. */
rm_err rmi_rtcp_begin(struct rmi_rtcp_reader *r, const uint8_t *data, size_t len);
/* The next packet. RM_E_AGAIN: there are no more. RM_E_PARSE: this one is malformed inside; go on with the next. */
rm_err rmi_rtcp_next(struct rmi_rtcp_reader *r, struct rmi_rtcp_item *out);
/* Takes sequence numbers out of a NACK, ascending from each packet id: at most `cap`; call again until it gives 0. Only
 * as much work as the caller asks for: a datagram can name 8,000. */
struct rmi_rtcp_nack_reader {
    struct rmi_rd fci;
    uint16_t base;
    uint16_t mask;
    uint8_t bit; /* 0: read the next entry */
};
void rmi_rtcp_nack_begin(struct rmi_rtcp_nack_reader *n, const struct rmi_rtcp_item *item);
size_t rmi_rtcp_nack_next(struct rmi_rtcp_nack_reader *n, uint16_t *out, size_t cap);
/* Entry i of a FIR, or of REMB's list of sources. False: there is none. */
bool rmi_rtcp_fir_at(const struct rmi_rtcp_item *item, size_t i, uint32_t *ssrc, uint8_t *command_seq);
bool rmi_rtcp_remb_at(const struct rmi_rtcp_item *item, size_t i, uint32_t *ssrc);

/* Each appends one packet; what does not fit or is out of range sets w->failed. */
void rmi_rtcp_write_sr(struct rmi_wr *w, uint32_t ssrc, const struct rmi_rtcp_sender_info *info,
                       const struct rmi_rtcp_report *reports, size_t n);
void rmi_rtcp_write_rr(struct rmi_wr *w, uint32_t ssrc, const struct rmi_rtcp_report *reports, size_t n);
/* mid may be NULL. */
void rmi_rtcp_write_sdes(struct rmi_wr *w, uint32_t ssrc, const char *cname, const char *mid);
/* reason may be NULL. */
void rmi_rtcp_write_bye(struct rmi_wr *w, const uint32_t *ssrcs, size_t n, const char *reason);
void rmi_rtcp_write_ecn(struct rmi_wr *w, uint32_t sender, const struct rmi_rtcp_ecn *ecn);
/* An XR packet with the summary block (RFC 6679 5.2), which may be empty. */
void rmi_rtcp_write_ecn_summary(struct rmi_wr *w, uint32_t sender, const struct rmi_rtcp_ecn *ecn, size_t n);
/* Sequence numbers in ascending order (modulo 2^16), n >= 1. Returns how many fitted; the packet holds those. */
size_t rmi_rtcp_write_nack(struct rmi_wr *w, uint32_t sender, uint32_t media, const uint16_t *seqs, size_t n);
void rmi_rtcp_write_pli(struct rmi_wr *w, uint32_t sender, uint32_t media);
void rmi_rtcp_write_fir(struct rmi_wr *w, uint32_t sender, uint32_t media, uint8_t command_seq);
void rmi_rtcp_write_remb(struct rmi_wr *w, uint32_t sender, uint64_t bitrate_bps, const uint32_t *ssrcs, size_t n);

#endif
