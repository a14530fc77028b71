/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/depacketizer_private.h"
#include <stdlib.h>
#include <string.h>

#define MAX_FRAME_BYTES ((size_t)1 << 26)
#define FIRST_CAP ((size_t)1 << 14) /* most frames of a call; it doubles when one is larger, and stays */

static const struct rmi_depacketizer_ops *ops_of(enum rmi_payload_format format) {
    switch (format) {
    case RMI_PAYLOAD_OPUS:
        return &rmi_depacketizer_opus;
    case RMI_PAYLOAD_VP8:
        return &rmi_depacketizer_vp8;
    case RMI_PAYLOAD_VP9:
        return &rmi_depacketizer_vp9;
    case RMI_PAYLOAD_H264:
        return &rmi_depacketizer_h264;
    }
    return NULL;
}

rm_err rmi_depacketizer_create(enum rmi_payload_format format, size_t max_frame_bytes, struct rmi_depacketizer **out) {
    const struct rmi_depacketizer_ops *ops = ops_of(format);
    if (!ops || max_frame_bytes == 0 || max_frame_bytes > MAX_FRAME_BYTES)
        return RM_E_INVALID_ARG;
    struct rmi_depacketizer *d = calloc(1, sizeof *d);
    if (!d)
        return RM_E_NO_MEMORY;
    d->ops = ops;
    d->format = format;
    d->max_bytes = max_frame_bytes;
    *out = d;
    return RM_OK;
}

void rmi_depacketizer_destroy(struct rmi_depacketizer **d) {
    if (*d) {
        free((*d)->buf);
        free(*d);
    }
    *d = NULL;
}

void rmi_depacketizer_reset(struct rmi_depacketizer *d) {
    d->gap = d->gap || d->active;
    d->has_last = d->active = d->dropped = d->open = false;
    d->len = 0;
}

struct rmi_depacketizer_stats rmi_depacketizer_stats(const struct rmi_depacketizer *d) {
    return d->stats;
}

rm_err rmi_depacketizer_append(struct rmi_depacketizer *d, const uint8_t *data, size_t len) {
    if (len > d->max_bytes - d->len)
        return RM_E_TOO_BIG;
    if (d->len + len > d->cap) {
        size_t cap = d->cap ? d->cap : FIRST_CAP;
        while (cap < d->len + len)
            cap *= 2;
        uint8_t *grown = realloc(d->buf, cap);
        if (!grown)
            return RM_E_NO_MEMORY;
        d->buf = grown;
        d->cap = cap;
    }
    memcpy(d->buf + d->len, data, len);
    d->len += len;
    return RM_OK;
}

/* The frame with this timestamp will not be given. It counts once, whatever else of it arrives. */
static void drop(struct rmi_depacketizer *d, uint32_t timestamp) {
    if (!d->dropped || d->dropped_timestamp != timestamp)
        d->stats.incomplete++;
    d->dropped = true;
    d->dropped_timestamp = timestamp;
    d->active = d->open = false;
    d->gap = true;
    d->len = 0;
}

static void start_frame(struct rmi_depacketizer *d, const struct rmi_rtp_packet *packet) {
    d->active = true;
    d->open = false;
    d->len = 0;
    d->frame = (struct rmi_depacketizer_frame){.timestamp = packet->timestamp, .first_seq = packet->seq};
}

/* Sequence bookkeeping. False: not a packet to look at. *known: nothing is missing before this one and it begins a
 * frame. */
static bool follow(struct rmi_depacketizer *d, const struct rmi_rtp_packet *packet, bool *known) {
    bool gap = false;
    *known = false;
    if (d->has_last) {
        int32_t ahead = rmi_seq_diff(packet->seq, d->last_seq);
        if (ahead <= 0) {
            d->stats.stale++;
            return false;
        }
        gap = ahead > 1;
        *known = !gap && (d->last_ended || packet->timestamp != d->last_timestamp);
    }
    if (d->active && (gap || packet->timestamp != d->frame.timestamp))
        drop(d, d->frame.timestamp);
    d->gap = d->gap || gap;
    d->has_last = true;
    d->last_seq = packet->seq;
    if (packet->payload_len == 0)
        return false; /* padding to probe the path: a number, no media */
    d->last_timestamp = packet->timestamp;
    d->last_ended = packet->marker || d->format == RMI_PAYLOAD_OPUS;
    return true;
}

rm_err rmi_depacketizer_input(struct rmi_depacketizer *d, const struct rmi_rtp_packet *packet,
                              struct rmi_depacketizer_frame *out) {
    bool known;
    if (!follow(d, packet, &known))
        return RM_E_AGAIN;
    if (!d->active) {
        if (!d->ops->starts(packet->payload, packet->payload_len, known)) {
            drop(d, packet->timestamp);
            return RM_E_AGAIN;
        }
        start_frame(d, packet);
    }
    rm_err err = d->ops->append(d, packet->payload, packet->payload_len);
    bool end = d->last_ended;
    if (err == RM_OK && end && !d->ops->may_end(d))
        err = RM_E_PARSE;
    if (err != RM_OK) {
        d->stats.malformed += err == RM_E_PARSE;
        d->stats.too_big += err == RM_E_TOO_BIG;
        drop(d, packet->timestamp);
        return err;
    }
    if (!end)
        return RM_E_AGAIN;
    d->active = false;
    d->dropped = false;
    d->stats.frames++;
    *out = d->frame;
    out->data = d->buf;
    out->len = d->len;
    out->last_seq = packet->seq;
    out->gap_before = d->gap;
    d->gap = false;
    return RM_OK;
}
