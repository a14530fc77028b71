/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_TWCC_H
#define RMI_RTP_TWCC_H

#include "rtp/rtcp.h"

/* Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): which packets of a connection arrived,
 * and when. */

#define RMI_TWCC_TICK_US 250        /* unit of deltas (section 3.1.5) */
#define RMI_TWCC_REFERENCE_US 64000 /* unit of the reference time */
#define RMI_TWCC_SPAN_MAX 0x7fff    /* packets of one feedback: more than half the number space is ambiguous */
#define RMI_TWCC_WINDOW 1024        /* arrivals kept until they are reported: a second at 1,000 packets a second */

#define RMI_TWCC_BUILD_MIN 512 /* a window of losses and one arrival always fit: 20 + 2 x 1024 / 7 + 2 */

/* ---- reading ---- */

/* Yields the packets that arrived; those between base_seq and base_seq + count that it leaves out were not received.
 * Work is proportional to the bytes: runs of lost packets cost one step, so a run-length bomb has nothing to burst. */
struct rmi_twcc_reader {
    uint16_t base_seq;
    uint16_t count;
    uint8_t feedback_count;
    int32_t reference; /* 24 bits, signed, units of 64 ms */
    struct rmi_rd chunks;
    struct rmi_rd deltas;
    uint32_t index; /* packets behind us */
    uint16_t chunk;
    uint16_t chunk_left; /* symbols of the chunk not yet used */
    int64_t ticks;       /* since the reference */
};

struct rmi_twcc_arrival {
    uint16_t seq;
    int64_t since_reference_us;
};

/* Checks the whole feedback first. RM_E_PARSE: no packets, more than RMI_TWCC_SPAN_MAX, the reserved symbol 3, chunks
 * or deltas cut short. */
rm_err rmi_twcc_begin(struct rmi_twcc_reader *r, const struct rmi_rtcp_item *item);
bool rmi_twcc_next(struct rmi_twcc_reader *r, struct rmi_twcc_arrival *out);
/* Reference times wrap after 12 days: the one nearest to `last`, which starts as the first reference seen. */
int64_t rmi_twcc_unwrap_reference(int64_t last, int32_t reference);

/* ---- writing ---- */

struct rmi_twcc_recorder {
    bool started;
    uint8_t feedback_count;
    int64_t next;                           /* first packet not yet reported */
    int64_t newest;                         /* highest received */
    int64_t arrival_ticks[RMI_TWCC_WINDOW]; /* by number modulo the window; NOT_RECEIVED */
};

void rmi_twcc_recorder_init(struct rmi_twcc_recorder *r);
/* now_us >= 0. The first time a packet is seen counts; one older than the window is ignored. */
void rmi_twcc_record(struct rmi_twcc_recorder *r, uint16_t seq, int64_t now_us);
bool rmi_twcc_pending(const struct rmi_twcc_recorder *r);
/* One feedback packet over what is not yet reported; call again while it gives a length: it ends at a gap in time too
 * large for one, or when `cap` (at least RMI_TWCC_BUILD_MIN) is used up. 0: nothing to report. */
size_t rmi_twcc_build(struct rmi_twcc_recorder *r, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t *out, size_t cap);

#endif
