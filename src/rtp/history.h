/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_HISTORY_H
#define RMI_RTP_HISTORY_H

#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* Sent packets of one stream, for retransmission by number. One allocation at the start; the oldest gives way. */
struct rmi_rtp_history;

struct rmi_rtp_history_config {
    size_t packets;      /* 1 .. 2^15 - 1 */
    size_t packet_bytes; /* largest packet kept, up to 2048 */
    uint32_t resend_bps; /* what retransmissions may take; 0: nothing is sent again. NACK storms end here */
};

struct rmi_rtp_history_stats {
    uint64_t put;
    uint64_t resent;
    uint64_t not_found; /* too old, or never sent */
    uint64_t too_soon;  /* asked again within a round trip */
    uint64_t over_budget;
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_rtp_history_create(const struct rmi_rtp_history_config *config, struct rmi_rtp_history **out);
void rmi_rtp_history_destroy(struct rmi_rtp_history **history);
/* A copy of the packet as it was before encryption. RM_E_TOO_BIG: longer than packet_bytes. RM_E_INVALID_ARG: empty. */
rm_err rmi_rtp_history_put(struct rmi_rtp_history *h, uint16_t seq, const uint8_t *packet, size_t len, int64_t now_us);
/* The packet to send again, valid until the next put. RM_E_NOT_FOUND; RM_E_AGAIN: sent less than rtt_us ago, the copy
 * may still arrive; RM_E_LIMIT: the budget is used up. */
rm_err rmi_rtp_history_resend(struct rmi_rtp_history *h, uint16_t seq, int64_t now_us, int64_t rtt_us,
                              const uint8_t **packet, size_t *len);
void rmi_rtp_history_set_budget(struct rmi_rtp_history *h, uint32_t resend_bps);
void rmi_rtp_history_clear(struct rmi_rtp_history *h);
struct rmi_rtp_history_stats rmi_rtp_history_stats(const struct rmi_rtp_history *h);

#endif
