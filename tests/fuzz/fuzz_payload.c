/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "rtp/payload/peek.h"
#include <stdlib.h>
#include <string.h>

/* First byte: format (low 2 bits) and bit 7: the rest is one encoded frame to be cut up and put together again.
 * Otherwise packets, each after a byte of flags (bit 0 marker, bit 1 new timestamp, bit 2 a packet is missing before)
 * and a length byte. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_LIMIT 5000
#define FORMAT_MASK 3
#define CUT_BIT 0x80

static void require(bool ok) {
    if (!ok)
        abort();
}

/* What one payload says of its frame, before the others are there. */
static bool peek(enum rmi_payload_format format, const uint8_t *payload, size_t len) {
    struct rmi_payload_flags flags;
    bool valid = rmi_payload_peek(format, payload, len, &flags);
    require(!flags.key || flags.first);
    require(!flags.disposable || (flags.first && !flags.key));
    require(valid || !flags.first);
    return valid || format == RMI_PAYLOAD_OPUS;
}

static void put_together(enum rmi_payload_format format, struct rmi_rd *r) {
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    struct rmi_rtp_packet p = {.seq = 65530};
    if (rmi_depacketizer_create(format, FRAME_LIMIT, &d) != RM_OK)
        return;
    while (rmi_rd_left(r) > 0) {
        uint8_t flags = rmi_rd_u8(r);
        p.payload_len = rmi_rd_u8(r);
        const uint8_t *bytes = rmi_rd_bytes(r, p.payload_len);
        if (!bytes)
            break;
        uint8_t *box = malloc(p.payload_len ? p.payload_len : 1); /* so that a sanitizer sees any read past it */
        if (!box)
            break;
        memcpy(box, bytes, p.payload_len);
        p.payload = box;
        p.marker = flags & 1;
        p.timestamp += flags & 2;
        p.seq = (uint16_t)(p.seq + (flags & 4 ? 2 : 1));
        bool valid = peek(format, box, p.payload_len);
        rm_err err = rmi_depacketizer_input(d, &p, &out);
        require(valid || err != RM_OK);
        require(err == RM_OK || err == RM_E_AGAIN || err == RM_E_PARSE || err == RM_E_TOO_BIG);
        if (err == RM_OK)
            require(out.len > 0 && out.len <= FRAME_LIMIT && out.last_seq == p.seq && out.timestamp == p.timestamp);
        free(box);
    }
    rmi_depacketizer_destroy(&d);
}

/* The frame comes back the same; of H.264 it is the units that do, so their bytes are counted. */
static void cut_up(enum rmi_payload_format format, struct rmi_rd *r) {
    struct rmi_packetizer_frame frame = {.max_payload = 64 + (size_t)rmi_rd_u8(r), .key_frame = true};
    struct rmi_packetizer p;
    struct rmi_depacketizer *d = NULL;
    struct rmi_depacketizer_frame out;
    uint8_t payload[64 + 255];
    frame.len = rmi_rd_left(r);
    frame.data = rmi_rd_bytes(r, frame.len);
    if (format == RMI_PAYLOAD_H264)
        frame.u.h264_mode = frame.max_payload & 1;
    if (rmi_packetizer_begin(&p, format, &frame) != RM_OK ||
        rmi_depacketizer_create(format, 3 * frame.len + FRAME_LIMIT, &d) != RM_OK)
        return;
    struct rmi_rtp_packet packet = {.payload = payload, .seq = 1};
    rm_err err = RM_E_AGAIN;
    /* A frame before it, so that this one is known to begin where it does. */
    const uint8_t before[] = {RMI_H264_AUD, 1};
    packet.payload = before;
    packet.payload_len = sizeof before;
    packet.marker = true;
    (void)rmi_depacketizer_input(d, &packet, &out);
    packet.payload = payload;
    packet.timestamp = 1;
    for (size_t n = 0; (packet.payload_len = rmi_packetizer_next(&p, payload, &packet.marker)) > 0; n++) {
        require(packet.payload_len <= frame.max_payload && n <= frame.len && err == RM_E_AGAIN);
        packet.seq++;
        err = rmi_depacketizer_input(d, &packet, &out);
    }
    require(err == RM_OK && packet.marker);
    if (format != RMI_PAYLOAD_H264)
        require(out.len == frame.len && memcmp(out.data, frame.data, out.len) == 0);
    rmi_depacketizer_destroy(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rmi_rd r = rmi_rd_init(data, size);
    uint8_t first = rmi_rd_u8(&r);
    enum rmi_payload_format format = (enum rmi_payload_format)(first & FORMAT_MASK);
    if (first & CUT_BIT)
        cut_up(format, &r);
    else
        put_together(format, &r);
    return 0;
}
