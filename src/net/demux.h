/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NET_DEMUX_H
#define RMI_NET_DEMUX_H

#include <stddef.h>
#include <stdint.h>

/* What a datagram is, by its first byte (RFC 7983 section 7, RFC 9443); RTCP from RTP by RFC 5761 section 4. */
enum rmi_packet_kind {
    RMI_PACKET_UNKNOWN,
    RMI_PACKET_STUN,         /* 0..3 */
    RMI_PACKET_DTLS,         /* 20..63 */
    RMI_PACKET_TURN_CHANNEL, /* 64..79 */
    RMI_PACKET_RTP,          /* 128..191 and payload type outside 64..95 */
    RMI_PACKET_RTCP          /* 128..191 and second byte 192..223 */
};

/* Looks at the minimum length of each kind too (STUN 20 and its magic cookie, DTLS 13, channel 4, RTP 12, RTCP 8). */
enum rmi_packet_kind rmi_packet_kind_of(const uint8_t *data, size_t len);

#endif
