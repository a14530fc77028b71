/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_H
#define RMI_RTP_PAYLOAD_H

#include "rtp/packet.h"
#include "rtp/payload/h264.h"
#include "rtp/payload/opus.h"
#include "rtp/payload/vp8.h"
#include "rtp/payload/vp9.h"

/* One interface over the payload formats: an encoded frame to packet payloads, and back. */
enum rmi_payload_format { RMI_PAYLOAD_OPUS, RMI_PAYLOAD_VP8, RMI_PAYLOAD_VP9, RMI_PAYLOAD_H264 };

/* ---- frame to payloads: nothing is allocated, the frame must stay until the last payload ---- */

struct rmi_packetizer {
    enum rmi_payload_format format;
    union {
        struct rmi_opus_packetizer opus;
        struct rmi_vp8_packetizer vp8;
        struct rmi_vp9_packetizer vp9;
        struct rmi_h264_packetizer h264;
    } u;
};

/* Per-frame facts; of a format's own structure only the one in use is read. */
struct rmi_packetizer_frame {
    const uint8_t *data;
    size_t len;
    size_t max_payload; /* bytes of each payload, descriptor included; at least 64 */
    bool key_frame;
    union {
        struct rmi_vp8_send vp8;
        struct rmi_vp9_send vp9;
        uint8_t h264_mode; /* packetization-mode, 0 or 1 */
    } u;
};

/* RM_E_INVALID_ARG: an empty frame, a max_payload below 64, a field out of range. RM_E_PARSE: H.264 without a start
 * code, Opus that is none. RM_E_TOO_BIG: a NAL unit over max_payload in mode 0, an Opus packet over it. */
rm_err rmi_packetizer_begin(struct rmi_packetizer *p, enum rmi_payload_format format,
                            const struct rmi_packetizer_frame *frame);
/* The next payload into `out`, which holds max_payload bytes. 0: the frame is complete. *last: the marker bit of the
 * video formats. */
size_t rmi_packetizer_next(struct rmi_packetizer *p, uint8_t *out, bool *last);

/* ---- payloads to frames ---- */

struct rmi_depacketizer;

struct rmi_depacketizer_frame {
    const uint8_t *data; /* valid until the next call */
    size_t len;
    uint32_t timestamp;
    uint16_t first_seq, last_seq;
    bool key_frame;
    bool gap_before; /* packets or frames are missing between this frame and the one given before */
    bool has_picture_id;
    uint16_t picture_id;    /* VP8, VP9 */
    uint8_t temporal_layer; /* VP8, VP9 */
    bool has_sps;           /* H.264: parameter sets came with it */
    uint32_t samples;       /* Opus: duration at 48 kHz */
};

struct rmi_depacketizer_stats {
    uint64_t frames;
    uint64_t incomplete; /* frames dropped because a packet was missing or malformed */
    uint64_t malformed;  /* packets */
    uint64_t stale;      /* duplicates and packets older than the last */
    uint64_t too_big;    /* frames over the limit */
};

/* max_frame_bytes bounds memory (1 .. 2^26). RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_depacketizer_create(enum rmi_payload_format format, size_t max_frame_bytes, struct rmi_depacketizer **out);
void rmi_depacketizer_destroy(struct rmi_depacketizer **d);
/* Packets in order of their numbers (the jitter buffer's output). RM_OK: *out is a whole frame. RM_E_AGAIN: it takes
 * more packets. RM_E_PARSE: malformed, its frame is dropped. RM_E_TOO_BIG: frame over the limit, dropped.
 * RM_E_NO_MEMORY: dropped likewise. */
rm_err rmi_depacketizer_input(struct rmi_depacketizer *d, const struct rmi_rtp_packet *packet,
                              struct rmi_depacketizer_frame *out);
/* Forget the frame under way and what came before (a new SSRC, a jump). */
void rmi_depacketizer_reset(struct rmi_depacketizer *d);
struct rmi_depacketizer_stats rmi_depacketizer_stats(const struct rmi_depacketizer *d);

#endif
