/* SPDX-License-Identifier: Apache-2.0 */
#include "net/demux.h"

#include "base/cursor.h"
#include <stdbool.h>

#define STUN_HEADER_BYTES 20 /* RFC 8489 section 5 */
#define STUN_MAGIC_COOKIE 0x2112a442
#define DTLS_HEADER_BYTES 13        /* RFC 6347 section 4.1 */
#define TURN_CHANNEL_HEADER_BYTES 4 /* RFC 8656 section 12.4 */
#define RTP_HEADER_BYTES 12         /* RFC 3550 section 5.1 */
#define RTCP_PACKET_BYTES 8         /* header and SSRC, as SRTCP needs them (RFC 3711 section 3.4) */

static enum rmi_packet_kind rtp_or_rtcp(uint8_t second, size_t len) {
    if (second >= 192 && second <= 223)
        return len >= RTCP_PACKET_BYTES ? RMI_PACKET_RTCP : RMI_PACKET_UNKNOWN;
    uint8_t payload_type = second & 0x7f;
    bool reserved = payload_type >= 64 && payload_type <= 95;
    return !reserved && len >= RTP_HEADER_BYTES ? RMI_PACKET_RTP : RMI_PACKET_UNKNOWN;
}

enum rmi_packet_kind rmi_packet_kind_of(const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t first = rmi_rd_u8(&r);
    uint8_t second = rmi_rd_u8(&r);
    rmi_rd_skip(&r, 2);
    if (r.failed)
        return RMI_PACKET_UNKNOWN;
    if (first <= 3)
        return len >= STUN_HEADER_BYTES && rmi_rd_u32(&r) == STUN_MAGIC_COOKIE ? RMI_PACKET_STUN : RMI_PACKET_UNKNOWN;
    if (first >= 20 && first <= 63)
        return len >= DTLS_HEADER_BYTES ? RMI_PACKET_DTLS : RMI_PACKET_UNKNOWN;
    if (first >= 64 && first <= 79)
        return len >= TURN_CHANNEL_HEADER_BYTES ? RMI_PACKET_TURN_CHANNEL : RMI_PACKET_UNKNOWN;
    if (first >= 128 && first <= 191)
        return rtp_or_rtcp(second, len);
    return RMI_PACKET_UNKNOWN;
}
