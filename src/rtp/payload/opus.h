/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_OPUS_H
#define RMI_RTP_PAYLOAD_OPUS_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opus (RFC 7587): a payload is one Opus packet, the clock is always 48 kHz. */
#define RMI_OPUS_CLOCK_HZ 48000
#define RMI_OPUS_SAMPLES_MAX 5760 /* 120 ms (RFC 6716 3.2.5, R5) */
#define RMI_OPUS_FRAMES_MAX 48
#define RMI_OPUS_FRAME_BYTES_MAX 1275 /* R2 */

struct rmi_opus_info {
    uint8_t config; /* 0..31: mode, bandwidth, frame size */
    bool stereo;
    uint8_t frames;
    uint32_t frame_samples; /* at 48 kHz */
    uint32_t samples;
};

/* Reads the packet's outer structure (RFC 6716 3). RM_E_PARSE: breaks one of its rules R1 to R7. */
rm_err rmi_opus_parse(const uint8_t *data, size_t len, struct rmi_opus_info *out);

struct rmi_opus_packetizer {
    const uint8_t *data;
    size_t len;
};
rm_err rmi_opus_packetizer_begin(struct rmi_opus_packetizer *p, const uint8_t *packet, size_t len, size_t max_payload);
size_t rmi_opus_packetizer_next(struct rmi_opus_packetizer *p, uint8_t *out, bool *last);

#endif
