/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PACKET_H
#define RMI_RTP_PACKET_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RMI_RTP_HEADER 12       /* fixed part (RFC 3550 5.1) */
#define RMI_RTP_CSRC_MAX 15     /* 4-bit count */
#define RMI_RTP_EXT_MAX 16      /* elements kept of one packet: more are ignored; WebRTC negotiates 14 at most */
#define RMI_RTP_EXT_LEN_MAX 255 /* two-byte form (RFC 8285 4.3) */

/* One header extension element (RFC 8285). */
struct rmi_rtp_ext {
    uint8_t id; /* 1..255 */
    uint8_t len;
    const uint8_t *data;
};

/* An RTP packet, taken apart. Pointers point into the parsed bytes, or at what is to be written. */
struct rmi_rtp_packet {
    bool marker;
    uint8_t pt;
    uint16_t seq;
    uint32_t timestamp;
    uint32_t ssrc;
    uint8_t csrc_count;
    uint32_t csrc[RMI_RTP_CSRC_MAX];
    uint8_t ext_count;
    struct rmi_rtp_ext ext[RMI_RTP_EXT_MAX];
    const uint8_t *payload; /* without padding */
    size_t payload_len;
    uint8_t padding;   /* bytes behind the payload, its count byte included */
    size_t header_len; /* set by the parser: where the payload begins */
};

/* RM_E_PARSE: not RTP version 2, shorter than it says, or padding larger than what follows the header. A malformed
 * extension element ends the list of elements, not the packet; unknown extension profiles are skipped. */
rm_err rmi_rtp_parse(const uint8_t *data, size_t len, struct rmi_rtp_packet *out);
/* Header only; the payload goes right behind it. Elements are written in the one-byte form when all of them allow it
 * (id 1..14, 1..16 bytes), in the two-byte form otherwise. The length, or 0: out is too small, or a field is out of
 * range (payload type > 127, more than 15 CSRC, more than 16 elements, an id of 0). */
size_t rmi_rtp_write_header(const struct rmi_rtp_packet *p, uint8_t *out, size_t cap);
/* Header, payload and padding. The length or 0. */
size_t rmi_rtp_write(const struct rmi_rtp_packet *p, uint8_t *out, size_t cap);
/* NULL when the packet does not carry it. */
const struct rmi_rtp_ext *rmi_rtp_find_ext(const struct rmi_rtp_packet *p, uint8_t id);
/* Overwrites an element's value in a finished packet (send time, transport-wide sequence). False: not there, or there
 * with another length; the packet is unchanged. */
bool rmi_rtp_patch_ext(uint8_t *packet, size_t len, uint8_t id, const uint8_t *value, size_t value_len);
/* Overwrites the fields that differ between the peers one encoded packet goes to. False: shorter than a header. */
bool rmi_rtp_patch_header(uint8_t *packet, size_t len, uint8_t pt, uint16_t seq, uint32_t timestamp, uint32_t ssrc);

/* How far b lies after a, modulo 2^16 or 2^32: negative when b is older. */
static inline int32_t rmi_seq_diff(uint16_t b, uint16_t a) {
    uint16_t d = (uint16_t)(b - a);
    return d < 0x8000 ? d : (int32_t)d - 0x10000;
}
static inline int64_t rmi_rtp_time_diff(uint32_t b, uint32_t a) {
    uint32_t d = b - a;
    return d < 0x80000000U ? (int64_t)d : (int64_t)d - 0x100000000LL;
}

#endif
