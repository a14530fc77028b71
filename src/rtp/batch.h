/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_BATCH_H
#define RMI_RTP_BATCH_H

#include "frame/pool.h"
#include "rtp/payload/payload.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The packets that one encoded frame or sound chunk becomes, less what differs between peers (numbers, SSRC, payload
 * type, extensions, cipher). Made once, then only read: sent to every peer, and kept for retransmission, by reference.
 * It lies in one buffer of a frame pool, so that the steady state allocates nothing. */
struct rmi_rtp_payload {
    uint32_t offset; /* in the batch's bytes */
    uint16_t len;
    bool marker;
};

struct rmi_rtp_batch {
    enum rmi_payload_format format;
    uint32_t timestamp; /* in ticks of the format's clock; each peer adds an offset of its own (RFC 3550 5.1) */
    int64_t capture_us; /* when its first sample or its picture was taken: sender reports are made from it */
    bool key_frame;
    bool has_audio_level, voice; /* RFC 6464 */
    uint8_t audio_level;
    uint32_t count;
    size_t bytes; /* of all payloads */
    rm_buf *buf;  /* what it lies in, borrowed */
    const struct rmi_rtp_payload *payload;
    const uint8_t *data;
};

/* Cuts a frame into payloads. `head` says all fields but count, bytes, buf, payload and data. One reference is the
 * caller's. Errors of rmi_packetizer_begin; RM_E_LIMIT: the pool's cap is reached; RM_E_NO_MEMORY. */
rm_err rmi_rtp_batch_create(struct rmi_frame_pool *pool, const struct rmi_rtp_batch *head,
                            const struct rmi_packetizer_frame *frame, const struct rmi_rtp_batch **out);
const struct rmi_rtp_batch *rmi_rtp_batch_ref(const struct rmi_rtp_batch *batch); /* any thread */
void rmi_rtp_batch_unref(const struct rmi_rtp_batch **batch);                     /* nulls; NULL is harmless */

#endif
