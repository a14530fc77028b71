/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_RTX_H
#define RMI_RTP_RTX_H

#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* Retransmission payload format (RFC 4588 4): a stream of its own whose payload begins with the original number. */
#define RMI_RTX_OSN 2

/* From a whole original packet to a whole retransmission packet, 2 bytes longer less its padding. The header extension
 * is copied; per-transmission values are the caller's to patch. RM_E_PARSE, RM_E_TOO_BIG. */
rm_err rmi_rtx_wrap(const uint8_t *original, size_t len, uint8_t rtx_pt, uint32_t rtx_ssrc, uint16_t rtx_seq,
                    uint8_t *out, size_t cap, size_t *out_len);
/* And back, with the original stream's payload type and SSRC. RM_E_PARSE: not RTP, or a payload too short for the
 * number. RM_E_AGAIN: an empty payload, which senders use as padding to probe. RM_E_TOO_BIG. */
rm_err rmi_rtx_unwrap(const uint8_t *rtx, size_t len, uint8_t pt, uint32_t ssrc, uint8_t *out, size_t cap,
                      size_t *out_len);

#endif
