/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/payload.h"

#define MAX_PAYLOAD_LEAST 64 /* any descriptor and some of the frame */

rm_err rmi_packetizer_begin(struct rmi_packetizer *p, enum rmi_payload_format format,
                            const struct rmi_packetizer_frame *frame) {
    p->format = format;
    if (!frame->data || frame->len == 0 || frame->max_payload < MAX_PAYLOAD_LEAST || frame->max_payload > UINT16_MAX)
        return RM_E_INVALID_ARG;
    switch (format) {
    case RMI_PAYLOAD_OPUS:
        return rmi_opus_packetizer_begin(&p->u.opus, frame->data, frame->len, frame->max_payload);
    case RMI_PAYLOAD_VP8:
        return rmi_vp8_packetizer_begin(&p->u.vp8, frame->data, frame->len, frame->max_payload, &frame->u.vp8);
    case RMI_PAYLOAD_VP9:
        return rmi_vp9_packetizer_begin(&p->u.vp9, frame->data, frame->len, frame->max_payload, frame->key_frame,
                                        &frame->u.vp9);
    case RMI_PAYLOAD_H264:
        return rmi_h264_packetizer_begin(&p->u.h264, frame->data, frame->len, frame->max_payload, frame->u.h264_mode);
    }
    return RM_E_INVALID_ARG;
}

size_t rmi_packetizer_next(struct rmi_packetizer *p, uint8_t *out, bool *last) {
    switch (p->format) {
    case RMI_PAYLOAD_OPUS:
        return rmi_opus_packetizer_next(&p->u.opus, out, last);
    case RMI_PAYLOAD_VP8:
        return rmi_vp8_packetizer_next(&p->u.vp8, out, last);
    case RMI_PAYLOAD_VP9:
        return rmi_vp9_packetizer_next(&p->u.vp9, out, last);
    case RMI_PAYLOAD_H264:
        return rmi_h264_packetizer_next(&p->u.h264, out, last);
    }
    return 0;
}
