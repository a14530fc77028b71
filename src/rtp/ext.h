/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_EXT_H
#define RMI_RTP_EXT_H

#include "rtp/packet.h"

/* Values of the header extensions we negotiate. */
#define RMI_RTP_MID_MAX 32 /* characters; ours have 1 or 2 (RFC 8843 recommends at most 3) */
#define RMI_RTP_AUDIO_SILENT 127

/* Negotiated element numbers; 0 = not negotiated. */
struct rmi_rtp_ext_ids {
    uint8_t mid;
    uint8_t twcc;
    uint8_t abs_send_time;
    uint8_t audio_level;
};

struct rmi_rtp_ext_values {
    bool has_mid, has_twcc, has_abs_send_time, has_audio_level;
    char mid[RMI_RTP_MID_MAX + 1]; /* RFC 8843 15 */
    uint16_t twcc;                 /* draft-holmer-rmcat-transport-wide-cc-extensions-01, section 2 */
    uint32_t abs_send_time;        /* 24 bits, seconds in 6.18 fixed point, wraps every 64 s */
    bool voice;                    /* RFC 6464 3 */
    uint8_t audio_level;           /* -dBov, 0 (loudest) .. 127 (silence) */
};

/* What the packet carries of them; values of a wrong length or with forbidden characters count as absent. */
void rmi_rtp_ext_read(const struct rmi_rtp_packet *p, const struct rmi_rtp_ext_ids *ids,
                      struct rmi_rtp_ext_values *out);

/* Room for the values while the packet that points at them is being written. */
struct rmi_rtp_ext_storage {
    uint8_t mid[RMI_RTP_MID_MAX];
    uint8_t twcc[2];
    uint8_t abs_send_time[3];
    uint8_t audio_level[1];
};
/* Adds to p the values that are present and negotiated. False: no room for them, or a value out of range. */
bool rmi_rtp_ext_add(struct rmi_rtp_packet *p, const struct rmi_rtp_ext_ids *ids, const struct rmi_rtp_ext_values *v,
                     struct rmi_rtp_ext_storage *storage);

uint32_t rmi_abs_send_time_of(int64_t us);
/* Time from a to b; the shorter way round, so within +-32 s. */
int64_t rmi_abs_send_time_diff_us(uint32_t b, uint32_t a);

#endif
