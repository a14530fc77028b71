/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_DEPACKETIZER_PRIVATE_H
#define RMI_RTP_DEPACKETIZER_PRIVATE_H

#include "rtp/payload/payload.h"

struct rmi_depacketizer;

/* A payload format's part of reassembly. */
struct rmi_depacketizer_ops {
    /* Whether a frame may begin with this payload. `known`: the packet before it is here and ended a frame, so this one
     * begins the next; otherwise the payload itself has to tell. True for a malformed one: append says so. */
    bool (*starts)(const uint8_t *payload, size_t len, bool known);
    /* Appends it to the frame under way. */
    rm_err (*append)(struct rmi_depacketizer *d, const uint8_t *payload, size_t len);
    /* Whether the frame can end here. */
    bool (*may_end)(const struct rmi_depacketizer *d);
};

struct rmi_depacketizer {
    const struct rmi_depacketizer_ops *ops;
    enum rmi_payload_format format;
    size_t max_bytes;
    uint8_t *buf;
    size_t len, cap;

    bool has_last; /* the packet before */
    uint16_t last_seq;
    uint32_t last_timestamp;
    bool last_ended;

    bool active;  /* a frame is under way */
    bool dropped; /* the frame of dropped_timestamp is counted as lost already */
    uint32_t dropped_timestamp;
    bool gap;  /* since the last frame given */
    bool open; /* VP9: inside a layer frame; H.264: inside a fragmented unit */
    uint8_t open_type;
    struct rmi_depacketizer_frame frame;
    struct rmi_depacketizer_stats stats;
};

extern const struct rmi_depacketizer_ops rmi_depacketizer_opus;
extern const struct rmi_depacketizer_ops rmi_depacketizer_vp8;
extern const struct rmi_depacketizer_ops rmi_depacketizer_vp9;
extern const struct rmi_depacketizer_ops rmi_depacketizer_h264;

/* RM_E_TOO_BIG, RM_E_NO_MEMORY. */
rm_err rmi_depacketizer_append(struct rmi_depacketizer *d, const uint8_t *data, size_t len);

#endif
