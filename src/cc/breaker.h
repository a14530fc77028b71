/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CC_BREAKER_H
#define RMI_CC_BREAKER_H

#include "base/time.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RTP circuit breaker of one stream that is sent (RFC 8083): when congestion control fails, sending ends. */

enum rmi_breaker_cause {
    RMI_BREAKER_CLOSED,        /* nothing is wrong */
    RMI_BREAKER_RTCP_TIMEOUT,  /* 4.1: nothing comes back */
    RMI_BREAKER_MEDIA_TIMEOUT, /* 4.2: reports come, and say that nothing arrives */
    RMI_BREAKER_CONGESTION     /* 4.3: ten times what TCP would get at such losses */
};

#define RMI_BREAKER_REPORTS 32

struct rmi_breaker_report {
    int64_t took_us; /* since the report before */
    double lost;
};

struct rmi_breaker { /* zero-initialised: nothing was sent yet */
    bool heard;      /* any RTCP: the remote has it (4) */
    int64_t heard_us;
    int64_t sending_us; /* since when, without a pause; 0: not */
    int64_t last_sent_us;
    uint64_t bytes, packets;                               /* sent so far */
    struct rmi_breaker_report report[RMI_BREAKER_REPORTS]; /* a ring */
    unsigned next, count;
    uint64_t bytes_at[RMI_BREAKER_REPORTS], packets_at[RMI_BREAKER_REPORTS]; /* sent by then */
    bool has_report;
    int64_t reported_us;
    uint32_t highest;
    unsigned congested; /* reports in a row that told of congestion */
    unsigned stuck;     /* reports in a row with the same highest number */
    double interval_us; /* of reports, smoothed: Tdr */
    double rtt_us;
};

void rmi_breaker_sent(struct rmi_breaker *b, int64_t now_us, size_t bytes);
/* Any RTCP packet of the remote (5: also feedback alone). */
void rmi_breaker_heard(struct rmi_breaker *b, int64_t now_us);
/* A report block about this stream. frame_us: between frames. rtt_us 0: not known. Other than CLOSED: it tripped; then
 * it begins anew, so that it can trip again. */
enum rmi_breaker_cause rmi_breaker_reported(struct rmi_breaker *b, int64_t now_us, double fraction_lost,
                                            uint32_t highest, int64_t rtt_us, int64_t frame_us);
enum rmi_breaker_cause rmi_breaker_timeout(struct rmi_breaker *b, int64_t now_us);
int64_t rmi_breaker_next_deadline(const struct rmi_breaker *b);

#endif
