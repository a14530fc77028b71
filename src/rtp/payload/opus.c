/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/opus.h"
#include "base/cursor.h"
#include <string.h>

#define STEREO_BIT 0x04
#define CODE_MASK 0x03
#define CONFIG_SHIFT 3
#define COUNT_MASK 0x3f
#define PADDING_BIT 0x40
#define VBR_BIT 0x80
#define LONG_LENGTH 252 /* first byte of a two-byte length (RFC 6716 3.2.1) */
#define LONG_PADDING 255
#define FIRST_HYBRID 12
#define FIRST_CELT 16
#define SAMPLES_2_5_MS 120
#define SAMPLES_10_MS 480

enum { CODE_ONE, CODE_TWO_EQUAL, CODE_TWO, CODE_COUNTED };

/* RFC 6716, table 2. */
static uint32_t frame_samples(uint8_t config) {
    static const uint32_t silk[] = {SAMPLES_10_MS, 2 * SAMPLES_10_MS, 4 * SAMPLES_10_MS, 6 * SAMPLES_10_MS};
    if (config < FIRST_HYBRID)
        return silk[config & 3];
    if (config < FIRST_CELT)
        return silk[config & 1];
    return (uint32_t)SAMPLES_2_5_MS << (config & 3);
}

static size_t read_length(struct rmi_rd *r) {
    size_t n = rmi_rd_u8(r);
    return n < LONG_LENGTH ? n : n + (size_t)rmi_rd_u8(r) * 4;
}

static bool equal_frames(struct rmi_rd *r, size_t frames) {
    size_t left = rmi_rd_left(r);
    return left % frames == 0 && left / frames <= RMI_OPUS_FRAME_BYTES_MAX;
}

/* Lengths of all frames but the last, which has the rest. */
static bool given_frames(struct rmi_rd *r, size_t frames) {
    size_t sum = 0;
    for (size_t i = 0; i + 1 < frames; i++) {
        size_t n = read_length(r);
        if (n > RMI_OPUS_FRAME_BYTES_MAX)
            return false;
        sum += n;
    }
    size_t left = rmi_rd_left(r);
    return !r->failed && sum <= left && left - sum <= RMI_OPUS_FRAME_BYTES_MAX;
}

static bool counted_frames(struct rmi_rd *r, struct rmi_opus_info *info) {
    uint8_t byte = rmi_rd_u8(r);
    size_t padding = 0;
    info->frames = byte & COUNT_MASK;
    if (r->failed || info->frames == 0 || info->frames * info->frame_samples > RMI_OPUS_SAMPLES_MAX)
        return false;
    if (byte & PADDING_BIT) {
        uint8_t n;
        while ((n = rmi_rd_u8(r)) == LONG_PADDING)
            padding += LONG_PADDING - 1;
        padding += n;
    }
    if (r->failed || padding > rmi_rd_left(r))
        return false;
    struct rmi_rd rest = rmi_rd_sub(r, rmi_rd_left(r) - padding);
    return byte & VBR_BIT ? given_frames(&rest, info->frames) : equal_frames(&rest, info->frames);
}

rm_err rmi_opus_parse(const uint8_t *data, size_t len, struct rmi_opus_info *out) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t toc = rmi_rd_u8(&r);
    if (r.failed)
        return RM_E_PARSE;
    struct rmi_opus_info info = {.config = toc >> CONFIG_SHIFT, .stereo = toc & STEREO_BIT};
    info.frame_samples = frame_samples(info.config);
    bool good = false;
    switch (toc & CODE_MASK) {
    case CODE_ONE:
        info.frames = 1;
        good = equal_frames(&r, 1);
        break;
    case CODE_TWO_EQUAL:
        info.frames = 2;
        good = equal_frames(&r, 2);
        break;
    case CODE_TWO:
        info.frames = 2;
        good = given_frames(&r, 2);
        break;
    case CODE_COUNTED:
        good = counted_frames(&r, &info);
        break;
    }
    info.samples = info.frames * info.frame_samples;
    if (!good)
        return RM_E_PARSE;
    *out = info;
    return RM_OK;
}

rm_err rmi_opus_packetizer_begin(struct rmi_opus_packetizer *p, const uint8_t *packet, size_t len, size_t max_payload) {
    struct rmi_opus_info info;
    if (rmi_opus_parse(packet, len, &info) != RM_OK)
        return RM_E_PARSE;
    if (len > max_payload)
        return RM_E_TOO_BIG; /* one RTP packet carries exactly one Opus packet (RFC 7587 4.2) */
    *p = (struct rmi_opus_packetizer){.data = packet, .len = len};
    return RM_OK;
}

size_t rmi_opus_packetizer_next(struct rmi_opus_packetizer *p, uint8_t *out, bool *last) {
    size_t len = p->len;
    if (len)
        memcpy(out, p->data, len);
    p->len = 0;
    *last = true;
    return len;
}
