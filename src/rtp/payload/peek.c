/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/peek.h"
#include "base/cursor.h"

#define VP8_INTER_BIT 0x01 /* of the frame tag (RFC 6386 9.1) */
/* H.264 7.3.1, RFC 6184 5.8 */
#define H264_FORBIDDEN_BIT 0x80
#define H264_REF_IDC 0x60
#define FU_START 0x80
#define FU_END 0x40
#define FIRST_MB_ZERO 0x80 /* first_mb_in_slice is ue(v): 0 is a single 1 bit */

static bool peek_vp8(const uint8_t *payload, size_t len, struct rmi_payload_flags *out) {
    struct rmi_vp8_desc desc;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp8_parse(payload, len, &desc, &body, &body_len) != RM_OK)
        return false;
    struct rmi_rd r = rmi_rd_init(body, body_len);
    out->first = desc.start && desc.partition == 0;
    out->key = out->first && !(rmi_rd_u8(&r) & VP8_INTER_BIT);
    out->disposable = out->first && !out->key && desc.non_reference;
    return true;
}

static bool peek_vp9(const uint8_t *payload, size_t len, struct rmi_payload_flags *out) {
    struct rmi_vp9_desc desc;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp9_parse(payload, len, &desc, &body, &body_len) != RM_OK)
        return false;
    out->first = desc.start && desc.spatial == 0;
    out->key = out->first && !desc.inter;
    return true;
}

/* ---- H.264 ---- */

struct units { /* of one payload */
    size_t count;
    bool first, has_sps, has_idr, has_slice, referenced;
};

/* A NAL unit, or the beginning of one: its header, and what is here of the rest. An IDR slice is no beginning: its
 * parameter sets may have been lost or overtaken. */
static bool look_at(struct units *u, uint8_t header, struct rmi_rd body) {
    uint8_t type = header & RMI_H264_TYPE;
    if (header & H264_FORBIDDEN_BIT || type == 0 || type > RMI_H264_SINGLE_MAX)
        return false;
    if (u->count++ == 0)
        u->first = type == RMI_H264_SPS || type == RMI_H264_AUD ||
                   (type == RMI_H264_SLICE && rmi_rd_u8(&body) & FIRST_MB_ZERO);
    u->has_sps = u->has_sps || type == RMI_H264_SPS;
    u->has_idr = u->has_idr || type == RMI_H264_IDR;
    u->has_slice = u->has_slice || type == RMI_H264_SLICE;
    u->referenced = u->referenced || (type == RMI_H264_SLICE && header & H264_REF_IDC);
    return true;
}

static bool look_into_aggregate(struct units *u, struct rmi_rd *r) {
    do {
        struct rmi_rd nal = rmi_rd_sub(r, rmi_rd_u16(r));
        uint8_t header = rmi_rd_u8(&nal);
        if (nal.failed || !look_at(u, header, nal))
            return false;
    } while (rmi_rd_left(r) > 0);
    return true;
}

static bool look_into_fragment(struct units *u, uint8_t indicator, struct rmi_rd *r) {
    uint8_t fu = rmi_rd_u8(r);
    struct units middle = {0};
    if (rmi_rd_left(r) == 0 || (fu & FU_START && fu & FU_END))
        return false;
    return look_at(fu & FU_START ? u : &middle, (uint8_t)((indicator & ~RMI_H264_TYPE) | (fu & RMI_H264_TYPE)), *r);
}

static bool peek_h264(const uint8_t *payload, size_t len, struct rmi_payload_flags *out) {
    struct rmi_rd r = rmi_rd_init(payload, len);
    struct units u = {0};
    uint8_t header = rmi_rd_u8(&r), type = header & RMI_H264_TYPE;
    bool valid = !r.failed && !(header & H264_FORBIDDEN_BIT);
    if (valid && type == RMI_H264_FU_A)
        valid = look_into_fragment(&u, header, &r);
    else if (valid && type == RMI_H264_STAP_A)
        valid = look_into_aggregate(&u, &r);
    else
        valid = valid && look_at(&u, header, r);
    if (!valid)
        return false;
    out->first = u.first;
    out->key = u.first && u.has_sps;
    out->disposable = u.first && u.has_slice && !u.referenced && !u.has_sps && !u.has_idr;
    return true;
}

bool rmi_payload_peek(enum rmi_payload_format format, const uint8_t *payload, size_t len,
                      struct rmi_payload_flags *out) {
    *out = (struct rmi_payload_flags){0};
    switch (format) {
    case RMI_PAYLOAD_VP8:
        return peek_vp8(payload, len, out);
    case RMI_PAYLOAD_VP9:
        return peek_vp9(payload, len, out);
    case RMI_PAYLOAD_H264:
        return peek_h264(payload, len, out);
    case RMI_PAYLOAD_OPUS:
        break;
    }
    return false;
}
