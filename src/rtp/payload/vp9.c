/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/vp9.h"
#include "base/cursor.h"
#include "rtp/payload/split.h"
#include <string.h>

/* Bits of the descriptor (RFC 9628 4.2). */
#define I_BIT 0x80
#define P_BIT 0x40
#define L_BIT 0x20
#define F_BIT 0x10
#define B_BIT 0x08
#define E_BIT 0x04
#define V_BIT 0x02
#define Z_BIT 0x01
#define M_BIT 0x80
#define SHORT_ID_MAX 0x7f
#define TID_SHIFT 5
#define LAYER_MAX 7
#define U_BIT 0x10
#define SID_SHIFT 1
#define D_BIT 0x01
#define P_DIFF_SHIFT 1
#define P_DIFF_MAX 0x7f
#define N_BIT 0x01
#define N_S_SHIFT 5
#define Y_BIT 0x10
#define G_BIT 0x08
#define GOF_REFS_SHIFT 2
#define GOF_REFS_MASK 3
#define DESC_ROOM 32 /* all that the packetizer writes: 3 + 2 + 3, and a structure of 5 + 3 */
#define MIN_BODY 16

static void read_layers(struct rmi_rd *r, struct rmi_vp9_desc *d) {
    uint8_t byte = rmi_rd_u8(r);
    d->temporal = byte >> TID_SHIFT;
    d->switch_up = byte & U_BIT;
    d->spatial = byte >> SID_SHIFT & LAYER_MAX;
    d->inter_layer = byte & D_BIT;
    if (!d->flexible)
        d->tl0_index = rmi_rd_u8(r);
}

static void read_references(struct rmi_rd *r, struct rmi_vp9_desc *d) {
    uint8_t byte;
    do {
        byte = rmi_rd_u8(r);
        if (d->refs == RMI_VP9_REFS_MAX || byte >> P_DIFF_SHIFT == 0) {
            r->failed = true;
            return;
        }
        d->p_diff[d->refs++] = byte >> P_DIFF_SHIFT;
    } while (byte & N_BIT);
}

static void read_gof_picture(struct rmi_rd *r, struct rmi_vp9_gof_picture *out) {
    uint8_t byte = rmi_rd_u8(r);
    *out = (struct rmi_vp9_gof_picture){.temporal = byte >> TID_SHIFT, .switch_up = byte & U_BIT};
    out->refs = byte >> GOF_REFS_SHIFT & GOF_REFS_MASK;
    for (size_t i = 0; i < out->refs && i < RMI_VP9_REFS_MAX; i++) /* the mask says so, too; some compilers miss it */
        out->p_diff[i] = rmi_rd_u8(r);
}

static void read_structure(struct rmi_rd *r, struct rmi_vp9_structure *s) {
    uint8_t byte = rmi_rd_u8(r);
    s->layers = (uint8_t)((byte >> N_S_SHIFT) + 1);
    s->has_resolution = byte & Y_BIT;
    s->has_gof = byte & G_BIT;
    for (size_t i = 0; s->has_resolution && i < s->layers; i++) {
        s->width[i] = rmi_rd_u16(r);
        s->height[i] = rmi_rd_u16(r);
    }
    if (!s->has_gof)
        return;
    s->gof_count = rmi_rd_u8(r);
    struct rmi_rd gof = *r;
    for (size_t i = 0; i < s->gof_count; i++) {
        struct rmi_vp9_gof_picture picture;
        read_gof_picture(r, &picture);
    }
    s->gof_len = r->pos - gof.pos;
    s->gof = rmi_rd_bytes(&gof, s->gof_len);
}

rm_err rmi_vp9_parse(const uint8_t *payload, size_t len, struct rmi_vp9_desc *out, const uint8_t **body,
                     size_t *body_len) {
    struct rmi_rd r = rmi_rd_init(payload, len);
    memset(out, 0, sizeof *out);
    uint8_t first = rmi_rd_u8(&r);
    out->has_picture_id = first & I_BIT;
    out->inter = first & P_BIT;
    out->has_layers = first & L_BIT;
    out->flexible = first & F_BIT;
    out->start = first & B_BIT;
    out->end = first & E_BIT;
    out->has_structure = first & V_BIT;
    out->not_reference_above = first & Z_BIT;
    if (out->flexible && !out->has_picture_id)
        return RM_E_PARSE; /* P_DIFF counts back from a picture id */
    if (out->has_picture_id) {
        out->picture_id = rmi_rd_u8(&r);
        if (out->picture_id & M_BIT) {
            out->long_picture_id = true;
            out->picture_id = (uint16_t)((out->picture_id & SHORT_ID_MAX) << 8 | rmi_rd_u8(&r));
        }
    }
    if (out->has_layers)
        read_layers(&r, out);
    if (out->flexible && out->inter)
        read_references(&r, out);
    if (out->has_structure)
        read_structure(&r, &out->structure);
    *body_len = rmi_rd_left(&r);
    *body = rmi_rd_bytes(&r, *body_len);
    return r.failed || *body_len == 0 ? RM_E_PARSE : RM_OK;
}

bool rmi_vp9_gof_at(const struct rmi_vp9_structure *s, size_t i, struct rmi_vp9_gof_picture *out) {
    struct rmi_rd r = rmi_rd_init(s->gof, s->gof_len);
    if (!s->has_gof || i >= s->gof_count)
        return false;
    for (size_t at = 0; at <= i; at++)
        read_gof_picture(&r, out);
    return !r.failed;
}

static bool can_be_written(const struct rmi_vp9_desc *d) {
    if (d->temporal > LAYER_MAX || d->spatial > LAYER_MAX || (d->flexible && !d->has_picture_id) ||
        d->picture_id > (d->long_picture_id ? RMI_VP9_PICTURE_ID_MAX : SHORT_ID_MAX))
        return false;
    if (d->flexible && d->inter && (d->refs == 0 || d->refs > RMI_VP9_REFS_MAX))
        return false;
    for (size_t i = 0; d->flexible && d->inter && i < d->refs; i++)
        if (d->p_diff[i] == 0 || d->p_diff[i] > P_DIFF_MAX)
            return false;
    return !d->has_structure || (d->structure.layers >= 1 && d->structure.layers <= RMI_VP9_LAYERS_MAX);
}

static void write_structure(struct rmi_wr *w, const struct rmi_vp9_structure *s) {
    rmi_wr_u8(w, (uint8_t)((s->layers - 1) << N_S_SHIFT | (s->has_resolution ? Y_BIT : 0) | (s->has_gof ? G_BIT : 0)));
    for (size_t i = 0; s->has_resolution && i < s->layers; i++) {
        rmi_wr_u16(w, s->width[i]);
        rmi_wr_u16(w, s->height[i]);
    }
    if (s->has_gof) {
        rmi_wr_u8(w, s->gof_count);
        rmi_wr_bytes(w, s->gof, s->gof_len);
    }
}

size_t rmi_vp9_write(const struct rmi_vp9_desc *d, uint8_t *out, size_t cap) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    if (!can_be_written(d))
        return 0;
    rmi_wr_u8(&w, (uint8_t)((d->has_picture_id ? I_BIT : 0) | (d->inter ? P_BIT : 0) | (d->has_layers ? L_BIT : 0) |
                            (d->flexible ? F_BIT : 0) | (d->start ? B_BIT : 0) | (d->end ? E_BIT : 0) |
                            (d->has_structure ? V_BIT : 0) | (d->not_reference_above ? Z_BIT : 0)));
    if (d->has_picture_id && d->long_picture_id)
        rmi_wr_u16(&w, (uint16_t)(M_BIT << 8 | d->picture_id));
    else if (d->has_picture_id)
        rmi_wr_u8(&w, (uint8_t)d->picture_id);
    if (d->has_layers) {
        rmi_wr_u8(&w, (uint8_t)(d->temporal << TID_SHIFT | (d->switch_up ? U_BIT : 0) | d->spatial << SID_SHIFT |
                                (d->inter_layer ? D_BIT : 0)));
        if (!d->flexible)
            rmi_wr_u8(&w, d->tl0_index);
    }
    for (size_t i = 0; d->flexible && d->inter && i < d->refs; i++)
        rmi_wr_u8(&w, (uint8_t)(d->p_diff[i] << P_DIFF_SHIFT | (i + 1 < d->refs ? N_BIT : 0)));
    if (d->has_structure)
        write_structure(&w, &d->structure);
    return w.failed ? 0 : w.pos;
}

static const uint8_t one_layer_gof[] = {1 << GOF_REFS_SHIFT, 1}; /* each picture refers to the one before */

static void describe_structure(struct rmi_vp9_desc *d, const struct rmi_vp9_send *send) {
    d->has_structure = true;
    d->structure = (struct rmi_vp9_structure){.layers = 1, .has_resolution = true};
    d->structure.width[0] = send->width;
    d->structure.height[0] = send->height;
    if (send->flexible)
        return;
    d->structure.has_gof = true;
    d->structure.gof_count = 1;
    d->structure.gof = one_layer_gof;
    d->structure.gof_len = sizeof one_layer_gof;
}

rm_err rmi_vp9_packetizer_begin(struct rmi_vp9_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                bool key_frame, const struct rmi_vp9_send *send) {
    memset(p, 0, sizeof *p);
    if (!send->flexible && (send->has_temporal || send->temporal))
        return RM_E_INVALID_ARG;
    p->desc = (struct rmi_vp9_desc){.has_picture_id = true,
                                    .long_picture_id = true,
                                    .picture_id = send->picture_id,
                                    .inter = !key_frame,
                                    .has_layers = send->has_temporal || !send->flexible,
                                    .temporal = send->temporal,
                                    .switch_up = send->switch_up,
                                    .tl0_index = send->tl0_index,
                                    .flexible = send->flexible,
                                    .refs = send->refs,
                                    .start = true};
    memcpy(p->desc.p_diff, send->p_diff, sizeof p->desc.p_diff);
    if (key_frame && send->width && send->height)
        describe_structure(&p->desc, send);
    uint8_t desc[DESC_ROOM];
    size_t desc_len = rmi_vp9_write(&p->desc, desc, sizeof desc);
    if (desc_len == 0 || len == 0 || desc_len + MIN_BODY > max_payload)
        return RM_E_INVALID_ARG;
    p->data = frame;
    p->left = len;
    p->max_payload = max_payload;
    return RM_OK;
}

size_t rmi_vp9_packetizer_next(struct rmi_vp9_packetizer *p, uint8_t *out, bool *last) {
    if (p->left == 0)
        return 0;
    uint8_t scratch[DESC_ROOM];
    struct rmi_vp9_desc later = p->desc;
    later.has_structure = false;
    size_t room_later = p->max_payload - rmi_vp9_write(&later, scratch, sizeof scratch);
    size_t room = p->max_payload - rmi_vp9_write(&p->desc, scratch, sizeof scratch);
    size_t n = rmi_split_size(p->left, room, room_later);
    p->desc.end = n == p->left;
    size_t desc_len = rmi_vp9_write(&p->desc, out, p->max_payload);
    memcpy(out + desc_len, p->data, n);
    p->data += n;
    p->left -= n;
    p->desc.start = false;
    p->desc.has_structure = false;
    *last = p->left == 0;
    return desc_len + n;
}
