/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_DCEP_H
#define RMI_SCTP_DCEP_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages that open a data channel (RFC 8832). */

enum { /* payload protocol identifiers, RFC 8831 section 8 */
       RMI_PPID_DCEP = 50,
       RMI_PPID_STRING = 51,
       RMI_PPID_BINARY_PARTIAL = 52, /* deprecated; what Chromium's predecessors sent */
       RMI_PPID_BINARY = 53,
       RMI_PPID_STRING_PARTIAL = 54,
       RMI_PPID_STRING_EMPTY = 56,
       RMI_PPID_BINARY_EMPTY = 57
};

#define RMI_DCEP_OPEN_FIXED 12
#define RMI_DCEP_TEXT_MAX 65535

struct rmi_dcep_open {
    bool unordered;
    bool limit_retransmits;
    uint32_t max_retransmits;
    bool limit_lifetime;
    uint32_t max_lifetime_ms;
    uint16_t priority; /* RFC 8831 6.4: 128, 256, 512, 1024 */
    const char *label; /* not NUL-terminated when parsed */
    size_t label_len;
    const char *protocol;
    size_t protocol_len;
};

enum rmi_dcep_type { RMI_DCEP_OPEN, RMI_DCEP_ACK };

/* RM_E_PARSE: malformed; RM_E_UNSUPPORTED: of an unknown type. `open` is set for RMI_DCEP_OPEN. */
rm_err rmi_dcep_parse(const uint8_t *data, size_t len, enum rmi_dcep_type *type, struct rmi_dcep_open *open);
/* Bytes written, 0: no room or a text too long. */
size_t rmi_dcep_open_write(const struct rmi_dcep_open *open, uint8_t *out, size_t cap);
size_t rmi_dcep_ack_write(uint8_t *out, size_t cap);

#endif
