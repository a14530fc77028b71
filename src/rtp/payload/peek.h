/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_PEEK_H
#define RMI_RTP_PAYLOAD_PEEK_H

#include "rtp/payload/payload.h"

/* What one payload tells about its frame, for a jitter buffer that has only parts of frames yet. */
struct rmi_payload_flags {
    bool first;      /* begins its frame; false where the format does not say */
    bool key;        /* with `first`: the frame needs no other. H.264: parameter sets begin it */
    bool disposable; /* with `first`: no other frame needs this one. Never for VP9, which does not say */
};

/* False: malformed, or no video format; *out is cleared then. Stateless: a payload can still be wrong where it is. */
bool rmi_payload_peek(enum rmi_payload_format format, const uint8_t *payload, size_t len,
                      struct rmi_payload_flags *out);

#endif
