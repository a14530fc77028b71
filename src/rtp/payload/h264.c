/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/h264.h"
#include "base/cursor.h"
#include "rtp/payload/split.h"
#include <string.h>

#define START_CODE 3 /* 00 00 01 */
#define NRI_MASK 0x60
#define FU_START 0x80
#define FU_END 0x40
#define FU_HEADERS 2
#define STAP_HEADER 1
#define STAP_SIZE 2

/* Offset of the next start code, or len. */
static size_t find_start(const uint8_t *data, size_t len) {
    size_t at = 0;
    while (len - at >= START_CODE) {
        const uint8_t *one = memchr(data + at + 2, 1, len - at - 2);
        if (!one)
            break;
        size_t i = (size_t)(one - data);
        if (data[i - 1] == 0 && data[i - 2] == 0)
            return i - 2;
        at = i - 1;
    }
    return len;
}

/* Moves to the next NAL unit that is not empty; nal_len 0: there is none. */
static void next_nal(struct rmi_h264_packetizer *p) {
    p->nal_len = 0;
    p->fragmenting = false;
    while (p->nal_len == 0) {
        size_t start = find_start(p->rest, p->rest_len);
        if (start == p->rest_len)
            return;
        const uint8_t *nal = p->rest + start + START_CODE;
        size_t left = p->rest_len - start - START_CODE;
        size_t len = find_start(nal, left);
        p->rest = nal + len;
        p->rest_len = left - len;
        while (len > 0 && nal[len - 1] == 0)
            len--; /* a NAL unit cannot end in a zero byte: they belong to the stream format */
        p->nal = nal;
        p->nal_len = len;
    }
}

static rm_err check(struct rmi_h264_packetizer p) {
    bool any = false;
    for (next_nal(&p); p.nal_len > 0; next_nal(&p)) {
        uint8_t type = p.nal[0] & RMI_H264_TYPE;
        any = true;
        if (type == 0 || type > RMI_H264_SINGLE_MAX || p.nal[0] & 0x80)
            return RM_E_PARSE;
        if (p.mode == 0 && p.nal_len > p.max_payload)
            return RM_E_TOO_BIG;
    }
    return any ? RM_OK : RM_E_PARSE;
}

rm_err rmi_h264_packetizer_begin(struct rmi_h264_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                 uint8_t mode) {
    if (mode > 1 || len == 0 || max_payload <= FU_HEADERS || max_payload > UINT16_MAX)
        return RM_E_INVALID_ARG;
    *p = (struct rmi_h264_packetizer){.rest = frame, .rest_len = len, .max_payload = max_payload, .mode = mode};
    size_t start = find_start(frame, len);
    for (size_t i = 0; i < start; i++)
        if (frame[i] != 0)
            return RM_E_PARSE; /* no byte stream: bytes before the first start code */
    rm_err err = check(*p);
    if (err == RM_OK)
        next_nal(p);
    return err;
}

static size_t write_fragment(struct rmi_h264_packetizer *p, uint8_t *out) {
    bool first = !p->fragmenting;
    if (first) {
        p->fragmenting = true;
        p->header = p->nal[0]; /* travels in the FU headers */
        p->nal++;
        p->nal_len--;
    }
    size_t room = p->max_payload - FU_HEADERS;
    size_t n = rmi_split_size(p->nal_len, room, room);
    out[0] = (uint8_t)((p->header & ~RMI_H264_TYPE) | RMI_H264_FU_A);
    out[1] = (uint8_t)((first ? FU_START : 0) | (n == p->nal_len ? FU_END : 0) | (p->header & RMI_H264_TYPE));
    memcpy(out + FU_HEADERS, p->nal, n);
    p->nal += n;
    p->nal_len -= n;
    if (p->nal_len == 0)
        next_nal(p);
    return FU_HEADERS + n;
}

/* Whether this unit and the next one go into one packet together. */
static bool can_aggregate(const struct rmi_h264_packetizer *p) {
    struct rmi_h264_packetizer ahead = *p;
    if (p->mode == 0 || STAP_HEADER + STAP_SIZE + p->nal_len > p->max_payload)
        return false;
    next_nal(&ahead);
    return ahead.nal_len > 0 && STAP_HEADER + 2 * STAP_SIZE + p->nal_len + ahead.nal_len <= p->max_payload;
}

static size_t write_aggregate(struct rmi_h264_packetizer *p, uint8_t *out) {
    struct rmi_wr w = rmi_wr_init(out, p->max_payload);
    uint8_t nri = 0;
    rmi_wr_u8(&w, 0);
    while (p->nal_len > 0 && w.pos + STAP_SIZE + p->nal_len <= p->max_payload && p->nal_len <= UINT16_MAX) {
        if ((p->nal[0] & NRI_MASK) > nri)
            nri = p->nal[0] & NRI_MASK; /* the highest of the units (RFC 6184 5.7) */
        rmi_wr_u16(&w, (uint16_t)p->nal_len);
        rmi_wr_bytes(&w, p->nal, p->nal_len);
        next_nal(p);
    }
    out[0] = nri | RMI_H264_STAP_A;
    return w.pos;
}

size_t rmi_h264_packetizer_next(struct rmi_h264_packetizer *p, uint8_t *out, bool *last) {
    size_t len;
    if (p->nal_len == 0)
        return 0;
    if (p->fragmenting || p->nal_len > p->max_payload) {
        len = write_fragment(p, out);
    } else if (can_aggregate(p)) {
        len = write_aggregate(p, out);
    } else {
        len = p->nal_len;
        memcpy(out, p->nal, len);
        next_nal(p);
    }
    *last = p->nal_len == 0;
    return len;
}
