/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "rtp/payload/depacketizer_private.h"

/* ---- Opus: a packet is a frame ---- */

static bool opus_starts(const uint8_t *payload, size_t len, bool known) {
    (void)payload, (void)len, (void)known;
    return true;
}

static rm_err opus_append(struct rmi_depacketizer *d, const uint8_t *payload, size_t len) {
    struct rmi_opus_info info;
    if (rmi_opus_parse(payload, len, &info) != RM_OK)
        return RM_E_PARSE;
    d->frame.samples = info.samples;
    d->frame.key_frame = true;
    return rmi_depacketizer_append(d, payload, len);
}

static bool always_ends(const struct rmi_depacketizer *d) {
    (void)d;
    return true;
}

const struct rmi_depacketizer_ops rmi_depacketizer_opus = {opus_starts, opus_append, always_ends};

/* ---- VP8 ---- */

#define VP8_INTER_BIT 0x01 /* of the frame tag (RFC 6386 9.1) */

static bool vp8_starts(const uint8_t *payload, size_t len, bool known) {
    struct rmi_vp8_desc desc;
    const uint8_t *body;
    size_t body_len;
    (void)known;
    return rmi_vp8_parse(payload, len, &desc, &body, &body_len) != RM_OK || (desc.start && desc.partition == 0);
}

static rm_err vp8_append(struct rmi_depacketizer *d, const uint8_t *payload, size_t len) {
    struct rmi_vp8_desc desc;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp8_parse(payload, len, &desc, &body, &body_len) != RM_OK)
        return RM_E_PARSE;
    if (d->len == 0) {
        d->frame.key_frame = !(body[0] & VP8_INTER_BIT);
        d->frame.has_picture_id = desc.has_picture_id;
        d->frame.picture_id = desc.picture_id;
        d->frame.temporal_layer = desc.temporal;
    } else if (desc.start && desc.partition == 0) {
        return RM_E_PARSE; /* a second start within one frame */
    }
    return rmi_depacketizer_append(d, body, body_len);
}

const struct rmi_depacketizer_ops rmi_depacketizer_vp8 = {vp8_starts, vp8_append, always_ends};

/* ---- VP9: a picture is the layer frames of one timestamp, lowest first ---- */

static bool vp9_starts(const uint8_t *payload, size_t len, bool known) {
    struct rmi_vp9_desc desc;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp9_parse(payload, len, &desc, &body, &body_len) != RM_OK)
        return true;
    return desc.start && (known || desc.spatial == 0);
}

static rm_err vp9_append(struct rmi_depacketizer *d, const uint8_t *payload, size_t len) {
    struct rmi_vp9_desc desc;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp9_parse(payload, len, &desc, &body, &body_len) != RM_OK || desc.start == d->open)
        return RM_E_PARSE; /* a layer frame inside another, or one without a beginning */
    if (d->len == 0) {
        d->frame.key_frame = !desc.inter && desc.spatial == 0;
        d->frame.has_picture_id = desc.has_picture_id;
        d->frame.picture_id = desc.picture_id;
        d->frame.temporal_layer = desc.temporal;
    }
    d->open = !desc.end;
    return rmi_depacketizer_append(d, body, body_len);
}

static bool not_open(const struct rmi_depacketizer *d) {
    return !d->open;
}

const struct rmi_depacketizer_ops rmi_depacketizer_vp9 = {vp9_starts, vp9_append, not_open};

/* ---- H.264: out comes an Annex B byte stream ---- */

#define H264_FORBIDDEN_BIT 0x80
#define FU_START 0x80
#define FU_END 0x40
#define FIRST_MB_ZERO 0x80 /* first_mb_in_slice is ue(v): 0 is a single 1 bit */

static bool unit_starts_picture(uint8_t type, const uint8_t *body, size_t len) {
    if (type == RMI_H264_SPS || type == RMI_H264_AUD)
        return true;
    return type == RMI_H264_SLICE && len > 0 && body[0] & FIRST_MB_ZERO;
}

/* The payload format marks the end of a picture only. After a loss the beginning is told from what comes first: a
 * sequence parameter set, a delimiter, or the slice with macroblock 0. Not by an IDR slice: its parameter sets are what
 * is missing then. */
static bool h264_starts(const uint8_t *payload, size_t len, bool known) {
    struct rmi_rd r = rmi_rd_init(payload, len);
    uint8_t type = rmi_rd_u8(&r) & RMI_H264_TYPE;
    if (type == RMI_H264_FU_A) {
        uint8_t fu = rmi_rd_u8(&r);
        if (!(fu & FU_START))
            return known || r.failed; /* the middle of a unit: malformed where a frame begins, else the loss shows */
        type = fu & RMI_H264_TYPE;
    } else if (type == RMI_H264_STAP_A) {
        rmi_rd_skip(&r, sizeof(uint16_t));
        type = rmi_rd_u8(&r) & RMI_H264_TYPE;
    }
    size_t left = rmi_rd_left(&r);
    const uint8_t *body = rmi_rd_bytes(&r, left);
    return r.failed || known || unit_starts_picture(type, body, left);
}

static rm_err start_unit(struct rmi_depacketizer *d, uint8_t header) {
    const uint8_t start[] = {0, 0, 0, 1, header};
    uint8_t type = header & RMI_H264_TYPE;
    d->frame.key_frame = d->frame.key_frame || type == RMI_H264_IDR;
    d->frame.has_sps = d->frame.has_sps || type == RMI_H264_SPS;
    return rmi_depacketizer_append(d, start, sizeof start);
}

static rm_err append_unit(struct rmi_depacketizer *d, const uint8_t *nal, size_t len) {
    struct rmi_rd r = rmi_rd_init(nal, len);
    uint8_t header = rmi_rd_u8(&r), type = header & RMI_H264_TYPE;
    if (r.failed || header & H264_FORBIDDEN_BIT || type == 0 || type > RMI_H264_SINGLE_MAX)
        return RM_E_PARSE;
    rm_err err = start_unit(d, header);
    size_t left = rmi_rd_left(&r);
    return err == RM_OK ? rmi_depacketizer_append(d, rmi_rd_bytes(&r, left), left) : err;
}

static rm_err append_aggregate(struct rmi_depacketizer *d, struct rmi_rd *r) {
    do {
        size_t len = rmi_rd_u16(r);
        const uint8_t *nal = rmi_rd_bytes(r, len);
        rm_err err = nal ? append_unit(d, nal, len) : RM_E_PARSE;
        if (err != RM_OK)
            return err;
    } while (rmi_rd_left(r) > 0);
    return RM_OK;
}

static rm_err append_fragment(struct rmi_depacketizer *d, uint8_t indicator, struct rmi_rd *r) {
    uint8_t fu = rmi_rd_u8(r), type = fu & RMI_H264_TYPE;
    bool start = fu & FU_START, end = fu & FU_END;
    size_t left = rmi_rd_left(r);
    if (r->failed || left == 0 || (start && end) || start == d->open || type == 0 || type > RMI_H264_SINGLE_MAX)
        return RM_E_PARSE;
    if (start) {
        rm_err err = start_unit(d, (uint8_t)((indicator & ~RMI_H264_TYPE) | type));
        if (err != RM_OK)
            return err;
        d->open_type = type;
    }
    if (type != d->open_type)
        return RM_E_PARSE;
    d->open = !end;
    return rmi_depacketizer_append(d, rmi_rd_bytes(r, left), left);
}

static rm_err h264_append(struct rmi_depacketizer *d, const uint8_t *payload, size_t len) {
    struct rmi_rd r = rmi_rd_init(payload, len);
    uint8_t first = rmi_rd_u8(&r), type = first & RMI_H264_TYPE;
    if (r.failed || first & H264_FORBIDDEN_BIT)
        return RM_E_PARSE;
    if (type == RMI_H264_FU_A)
        return append_fragment(d, first, &r);
    if (d->open)
        return RM_E_PARSE; /* another unit inside a fragmented one */
    if (type == RMI_H264_STAP_A)
        return append_aggregate(d, &r);
    return append_unit(d, payload, len); /* refuses STAP-B, MTAP and FU-B: not in modes 0 and 1 */
}

const struct rmi_depacketizer_ops rmi_depacketizer_h264 = {h264_starts, h264_append, not_open};
