/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_H264_H
#define RMI_RTP_PAYLOAD_H264_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* H.264 (RFC 6184), packetization modes 0 and 1: single NAL units, STAP-A, FU-A. Frames are Annex B byte streams. */
enum rmi_h264_nal {
    RMI_H264_SLICE = 1,
    RMI_H264_IDR = 5,
    RMI_H264_SEI = 6,
    RMI_H264_SPS = 7,
    RMI_H264_PPS = 8,
    RMI_H264_AUD = 9,
    RMI_H264_SINGLE_MAX = 23,
    RMI_H264_STAP_A = 24,
    RMI_H264_FU_A = 28
};
#define RMI_H264_TYPE 0x1f

struct rmi_h264_packetizer {
    const uint8_t *rest; /* behind the current NAL unit */
    size_t rest_len;
    const uint8_t *nal; /* what is left of it; its header byte is kept apart once it is fragmented */
    size_t nal_len;
    bool fragmenting;
    uint8_t header;
    size_t max_payload;
    uint8_t mode;
};
rm_err rmi_h264_packetizer_begin(struct rmi_h264_packetizer *p, const uint8_t *frame, size_t len, size_t max_payload,
                                 uint8_t mode);
size_t rmi_h264_packetizer_next(struct rmi_h264_packetizer *p, uint8_t *out, bool *last);

#endif
