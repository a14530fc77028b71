/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_VP8_H
#define RMI_RTP_PAYLOAD_VP8_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* VP8 payload descriptor (RFC 7741 4.2). */
#define RMI_VP8_DESC_MAX 6
#define RMI_VP8_PICTURE_ID_MAX 0x7fff

struct rmi_vp8_desc {
    bool non_reference; /* N: no later frame needs this one */
    bool start;         /* S: a partition starts here */
    uint8_t partition;  /* PID, 0..7 */
    bool has_picture_id;
    bool long_picture_id; /* 15 bits; 7 otherwise */
    uint16_t picture_id;
    bool has_tl0_index;
    uint8_t tl0_index;
    bool has_temporal;
    uint8_t temporal; /* 0..3 */
    bool layer_sync;  /* Y */
    bool has_key_index;
    uint8_t key_index; /* 0..31 */
};

/* *body: the rest of the payload. RM_E_PARSE: cut short, or nothing behind the descriptor. */
rm_err rmi_vp8_parse(const uint8_t *payload, size_t len, struct rmi_vp8_desc *out, const uint8_t **body,
                     size_t *body_len);
/* The length, or 0: out of range or over cap. */
size_t rmi_vp8_write(const struct rmi_vp8_desc *d, uint8_t *out, size_t cap);

struct rmi_vp8_send {
    bool non_reference;
    bool has_picture_id;
    uint16_t picture_id; /* always written with 15 bits */
    bool has_temporal;   /* writes TL0PICIDX and TID; has_picture_id must be set then */
    uint8_t tl0_index;
    uint8_t temporal;
    bool layer_sync;
};

struct rmi_vp8_packetizer {
    const uint8_t *data;
    size_t left;
    size_t max_body;
    struct rmi_vp8_desc desc;
};
rm_err rmi_vp8_packetizer_begin(struct rmi_vp8_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                const struct rmi_vp8_send *send);
size_t rmi_vp8_packetizer_next(struct rmi_vp8_packetizer *p, uint8_t *out, bool *last);

#endif
