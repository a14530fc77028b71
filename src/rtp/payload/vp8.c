/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/vp8.h"
#include "base/cursor.h"
#include "rtp/payload/split.h"
#include <string.h>

/* First byte, extension byte and last byte of the descriptor (RFC 7741 4.2). */
#define X_BIT 0x80
#define N_BIT 0x20
#define S_BIT 0x10
#define PID_MASK 0x07
#define I_BIT 0x80
#define L_BIT 0x40
#define T_BIT 0x20
#define K_BIT 0x10
#define M_BIT 0x80
#define SHORT_ID_MAX 0x7f
#define TID_SHIFT 6
#define TID_MAX 3
#define Y_BIT 0x20
#define KEY_INDEX_MAX 0x1f

static void read_extension(struct rmi_rd *r, struct rmi_vp8_desc *d) {
    uint8_t flags = rmi_rd_u8(r);
    if (flags & I_BIT) {
        d->has_picture_id = true;
        d->picture_id = rmi_rd_u8(r);
        if (d->picture_id & M_BIT) {
            d->long_picture_id = true;
            d->picture_id = (uint16_t)((d->picture_id & SHORT_ID_MAX) << 8 | rmi_rd_u8(r));
        }
    }
    if (flags & L_BIT) {
        d->has_tl0_index = true;
        d->tl0_index = rmi_rd_u8(r);
    }
    if (flags & (T_BIT | K_BIT)) {
        uint8_t byte = rmi_rd_u8(r);
        d->has_temporal = flags & T_BIT;
        if (d->has_temporal) {
            d->temporal = byte >> TID_SHIFT;
            d->layer_sync = byte & Y_BIT;
        }
        d->has_key_index = flags & K_BIT;
        if (d->has_key_index)
            d->key_index = byte & KEY_INDEX_MAX;
    }
}

rm_err rmi_vp8_parse(const uint8_t *payload, size_t len, struct rmi_vp8_desc *out, const uint8_t **body,
                     size_t *body_len) {
    struct rmi_rd r = rmi_rd_init(payload, len);
    memset(out, 0, sizeof *out);
    uint8_t first = rmi_rd_u8(&r);
    out->non_reference = first & N_BIT;
    out->start = first & S_BIT;
    out->partition = first & PID_MASK;
    if (first & X_BIT)
        read_extension(&r, out);
    *body_len = rmi_rd_left(&r);
    *body = rmi_rd_bytes(&r, *body_len);
    return r.failed || *body_len == 0 ? RM_E_PARSE : RM_OK;
}

static bool can_be_written(const struct rmi_vp8_desc *d) {
    return d->partition <= PID_MASK && d->temporal <= TID_MAX && d->key_index <= KEY_INDEX_MAX &&
           d->picture_id <= (d->long_picture_id ? RMI_VP8_PICTURE_ID_MAX : SHORT_ID_MAX) &&
           (!d->has_tl0_index || d->has_temporal); /* TL0PICIDX means nothing without TID */
}

size_t rmi_vp8_write(const struct rmi_vp8_desc *d, uint8_t *out, size_t cap) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    if (!can_be_written(d))
        return 0;
    uint8_t flags = (uint8_t)((d->has_picture_id ? I_BIT : 0) | (d->has_tl0_index ? L_BIT : 0) |
                              (d->has_temporal ? T_BIT : 0) | (d->has_key_index ? K_BIT : 0));
    rmi_wr_u8(&w,
              (uint8_t)((flags ? X_BIT : 0) | (d->non_reference ? N_BIT : 0) | (d->start ? S_BIT : 0) | d->partition));
    if (flags)
        rmi_wr_u8(&w, flags);
    if (d->has_picture_id && d->long_picture_id)
        rmi_wr_u16(&w, (uint16_t)(M_BIT << 8 | d->picture_id));
    else if (d->has_picture_id)
        rmi_wr_u8(&w, (uint8_t)d->picture_id);
    if (d->has_tl0_index)
        rmi_wr_u8(&w, d->tl0_index);
    if (d->has_temporal || d->has_key_index)
        rmi_wr_u8(&w, (uint8_t)(d->temporal << TID_SHIFT | (d->layer_sync ? Y_BIT : 0) | d->key_index));
    return w.failed ? 0 : w.pos;
}

rm_err rmi_vp8_packetizer_begin(struct rmi_vp8_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                const struct rmi_vp8_send *send) {
    memset(p, 0, sizeof *p);
    p->desc = (struct rmi_vp8_desc){.non_reference = send->non_reference,
                                    .start = true,
                                    .has_picture_id = send->has_picture_id,
                                    .long_picture_id = true,
                                    .picture_id = send->picture_id,
                                    .has_tl0_index = send->has_temporal,
                                    .tl0_index = send->tl0_index,
                                    .has_temporal = send->has_temporal,
                                    .temporal = send->temporal,
                                    .layer_sync = send->layer_sync};
    uint8_t desc[RMI_VP8_DESC_MAX];
    size_t desc_len = rmi_vp8_write(&p->desc, desc, sizeof desc);
    if (desc_len == 0 || len == 0 || desc_len >= max_payload || (send->has_temporal && !send->has_picture_id))
        return RM_E_INVALID_ARG;
    p->data = frame;
    p->left = len;
    p->max_body = max_payload - desc_len;
    return RM_OK;
}

size_t rmi_vp8_packetizer_next(struct rmi_vp8_packetizer *p, uint8_t *out, bool *last) {
    if (p->left == 0)
        return 0;
    size_t desc_len = rmi_vp8_write(&p->desc, out, RMI_VP8_DESC_MAX);
    size_t n = rmi_split_size(p->left, p->max_body, p->max_body);
    memcpy(out + desc_len, p->data, n);
    p->data += n;
    p->left -= n;
    p->desc.start = false;
    *last = p->left == 0;
    return desc_len + n;
}
