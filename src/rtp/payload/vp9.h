/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_VP9_H
#define RMI_RTP_PAYLOAD_VP9_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* VP9 payload descriptor (RFC 9628 4.2). */
#define RMI_VP9_REFS_MAX 3   /* P_DIFF entries of a picture */
#define RMI_VP9_LAYERS_MAX 8 /* spatial layers: N_S has 3 bits */
#define RMI_VP9_GOF_MAX 255  /* pictures of a group: N_G has 8 bits */
#define RMI_VP9_PICTURE_ID_MAX 0x7fff

/* Scalability structure. The picture group stays packed: `gof` was checked and is read with rmi_vp9_gof_at. */
struct rmi_vp9_structure {
    uint8_t layers; /* 1..8 */
    bool has_resolution;
    uint16_t width[RMI_VP9_LAYERS_MAX];
    uint16_t height[RMI_VP9_LAYERS_MAX];
    bool has_gof;
    uint8_t gof_count;
    const uint8_t *gof;
    size_t gof_len;
};

struct rmi_vp9_gof_picture {
    uint8_t temporal;
    bool switch_up;
    uint8_t refs;
    uint8_t p_diff[RMI_VP9_REFS_MAX];
};

struct rmi_vp9_desc {
    bool has_picture_id; /* I */
    bool long_picture_id;
    uint16_t picture_id;
    bool inter;      /* P: depends on earlier pictures */
    bool has_layers; /* L */
    uint8_t temporal;
    bool switch_up;
    uint8_t spatial;
    bool inter_layer;
    uint8_t tl0_index; /* non-flexible mode with layers only */
    bool flexible;     /* F */
    uint8_t refs;
    uint8_t p_diff[RMI_VP9_REFS_MAX]; /* flexible mode: 1..127 back */
    bool start;                       /* B: of a layer frame */
    bool end;                         /* E */
    bool not_reference_above;         /* Z: no upper spatial layer depends on it */
    bool has_structure;               /* V */
    struct rmi_vp9_structure structure;
};

/* RM_E_PARSE: cut short, nothing behind the descriptor, flexible mode without a picture id, a fourth reference, a zero
 * P_DIFF. */
rm_err rmi_vp9_parse(const uint8_t *payload, size_t len, struct rmi_vp9_desc *out, const uint8_t **body,
                     size_t *body_len);
bool rmi_vp9_gof_at(const struct rmi_vp9_structure *s, size_t i, struct rmi_vp9_gof_picture *out);
/* The length, or 0: out of range or over cap. structure.gof is written as it is. */
size_t rmi_vp9_write(const struct rmi_vp9_desc *d, uint8_t *out, size_t cap);

/* One spatial layer. Non-flexible mode is written the way Chromium demands it: always with TL0PICIDX and, on key
 * frames, a picture group, which is that of one temporal layer. Temporal layers take flexible mode. */
struct rmi_vp9_send {
    bool flexible;
    uint16_t picture_id; /* 15 bits */
    uint8_t tl0_index;   /* non-flexible mode: counts the frames */
    uint8_t refs;        /* flexible mode: 1..3, but not read for key frames */
    uint8_t p_diff[RMI_VP9_REFS_MAX];
    bool has_temporal; /* flexible mode */
    uint8_t temporal;
    bool switch_up;
    uint16_t width, height; /* said in the structure of key frames; 0: no structure */
};

struct rmi_vp9_packetizer {
    const uint8_t *data;
    size_t left;
    size_t max_payload;
    struct rmi_vp9_desc desc;
};
rm_err rmi_vp9_packetizer_begin(struct rmi_vp9_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                bool key_frame, const struct rmi_vp9_send *send);
size_t rmi_vp9_packetizer_next(struct rmi_vp9_packetizer *p, uint8_t *out, bool *last);

#endif
