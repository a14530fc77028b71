/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_CHUNK_H
#define RMI_SCTP_CHUNK_H

#include "base/cursor.h"

/* The wire format (RFC 9260 section 3). Each parser gives one validated view of one chunk; nothing else reads its
 * bytes, so that a check and a use cannot disagree. */

enum rmi_sctp_chunk_type {
    RMI_SCTP_DATA = 0,
    RMI_SCTP_INIT = 1,
    RMI_SCTP_INIT_ACK = 2,
    RMI_SCTP_SACK = 3,
    RMI_SCTP_HEARTBEAT = 4,
    RMI_SCTP_HEARTBEAT_ACK = 5,
    RMI_SCTP_ABORT = 6,
    RMI_SCTP_SHUTDOWN = 7,
    RMI_SCTP_SHUTDOWN_ACK = 8,
    RMI_SCTP_ERROR = 9,
    RMI_SCTP_COOKIE_ECHO = 10,
    RMI_SCTP_COOKIE_ACK = 11,
    RMI_SCTP_SHUTDOWN_COMPLETE = 14,
    RMI_SCTP_I_DATA = 64,        /* RFC 8260 */
    RMI_SCTP_RE_CONFIG = 130,    /* RFC 6525 */
    RMI_SCTP_FORWARD_TSN = 192,  /* RFC 3758 */
    RMI_SCTP_I_FORWARD_TSN = 194 /* RFC 8260 */
};

enum rmi_sctp_param_type {
    RMI_SCTP_P_HEARTBEAT_INFO = 1,
    RMI_SCTP_P_STATE_COOKIE = 7,
    RMI_SCTP_P_UNRECOGNIZED = 8,
    RMI_SCTP_P_RESET_OUT_REQUEST = 13, /* RFC 6525 4.1 */
    RMI_SCTP_P_RESET_IN_REQUEST = 14,
    RMI_SCTP_P_RESET_RESPONSE = 16,
    RMI_SCTP_P_ZERO_CHECKSUM = 0x8001, /* RFC 9653 */
    RMI_SCTP_P_EXTENSIONS = 0x8008,    /* RFC 5061 4.2.7 */
    RMI_SCTP_P_FORWARD_TSN = 0xc000    /* RFC 3758 3.1 */
};

enum rmi_sctp_cause { /* RFC 9260 3.3.10 */
                      RMI_SCTP_C_INVALID_STREAM = 1,
                      RMI_SCTP_C_STALE_COOKIE = 3,
                      RMI_SCTP_C_NO_RESOURCE = 4,
                      RMI_SCTP_C_UNRECOGNIZED_CHUNK = 6,
                      RMI_SCTP_C_NO_USER_DATA = 9,
                      RMI_SCTP_C_USER_ABORT = 12,
                      RMI_SCTP_C_PROTOCOL = 13
};

enum {
    RMI_SCTP_HEADER_BYTES = 12,
    RMI_SCTP_CHUNK_HEADER_BYTES = 4,
    RMI_SCTP_DATA_BYTES = 16, /* chunk header included */
    RMI_SCTP_I_DATA_BYTES = 20,
    RMI_SCTP_FLAG_END = 1, /* of DATA and I-DATA */
    RMI_SCTP_FLAG_BEGIN = 2,
    RMI_SCTP_FLAG_UNORDERED = 4,
    RMI_SCTP_FLAG_IMMEDIATE = 8, /* RFC 7053 */
    RMI_SCTP_FLAG_T = 1,         /* of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own */
    RMI_SCTP_EDMID_DTLS = 1      /* RFC 9653 */
};

struct rmi_sctp_header {
    uint16_t src, dst;
    uint32_t tag;
};
/* Leaves the cursor at the first chunk; false: too short. The checksum is not looked at here. */
bool rmi_sctp_header_parse(struct rmi_rd *r, struct rmi_sctp_header *out);
/* Whether the packet's checksum is right. `len` is at least the header. */
bool rmi_sctp_checksum_ok(const uint8_t *data, size_t len);
bool rmi_sctp_checksum_is_zero(const uint8_t *data, size_t len);
/* Puts the checksum into the packet. */
void rmi_sctp_checksum_set(uint8_t *data, size_t len);

struct rmi_sctp_chunk {
    uint8_t type, flags;
    const uint8_t *whole; /* with its header, for reports */
    size_t whole_len;     /* without padding */
    struct rmi_rd value;
};
/* The next chunk; false at the end, or with r->failed when its length is wrong. */
bool rmi_sctp_chunk_next(struct rmi_rd *r, struct rmi_sctp_chunk *out);

struct rmi_sctp_param { /* also an error cause */
    uint16_t type;
    const uint8_t *whole;
    size_t whole_len;
    struct rmi_rd value;
};
bool rmi_sctp_param_next(struct rmi_rd *r, struct rmi_sctp_param *out);

struct rmi_sctp_init {
    uint32_t tag, window, tsn;
    uint16_t streams_out, streams_in;
    bool forward_tsn, interleaving, reconfig, zero_checksum;
    const uint8_t *cookie; /* INIT ACK; NULL without one */
    size_t cookie_len;
    const uint8_t *unknown; /* the first parameter to be reported (RFC 9260 3.2.2), or NULL */
    size_t unknown_len;
};
/* False: malformed, or a value that RFC 9260 3.3.2 forbids. */
bool rmi_sctp_init_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_init *out);

struct rmi_sctp_data {
    uint8_t flags;
    uint16_t stream;
    uint32_t tsn;
    uint32_t mid;  /* the stream sequence number in DATA */
    uint32_t ppid; /* of I-DATA: in the first fragment only */
    uint32_t fsn;  /* I-DATA; the TSN in DATA, where it numbers the fragments as well */
    const uint8_t *bytes;
    size_t len; /* may be 0, which is an error of the peer */
};
bool rmi_sctp_data_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_data *out);

struct rmi_sctp_sack {
    uint32_t cum_tsn, window;
    uint16_t gaps, dups;
    struct rmi_rd gap_blocks; /* pairs of offsets, 2 bytes each */
};
bool rmi_sctp_sack_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_sack *out);

/* FORWARD TSN and I-FORWARD TSN: then read entries until false. */
struct rmi_sctp_forward {
    uint32_t cum_tsn;
    struct rmi_rd entries;
    bool interleaved;
};
struct rmi_sctp_skip {
    uint16_t stream;
    bool unordered;
    uint32_t mid; /* or the stream sequence number */
};
bool rmi_sctp_forward_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_forward *out);
bool rmi_sctp_forward_next(struct rmi_sctp_forward *f, struct rmi_sctp_skip *out);

/* Whether the highest two bits of an unknown chunk's type (RFC 9260 3.2) say to go on, and to report it. */
bool rmi_sctp_unknown_goes_on(uint8_t type);
bool rmi_sctp_unknown_is_reported(uint8_t type);

/* ---- writing ---- */

void rmi_sctp_header_write(struct rmi_wr *w, uint16_t src, uint16_t dst, uint32_t tag);
/* Returns where the chunk (or parameter, cause) begins, for rmi_sctp_tlv_end, which sets the length and pads to 4. */
size_t rmi_sctp_chunk_begin(struct rmi_wr *w, uint8_t type, uint8_t flags);
size_t rmi_sctp_param_begin(struct rmi_wr *w, uint16_t type);
void rmi_sctp_tlv_end(struct rmi_wr *w, size_t at);
/* The common part of INIT and INIT ACK with the parameters for what is true in `init`; the caller adds the cookie and
 * ends the chunk. */
size_t rmi_sctp_init_write(struct rmi_wr *w, uint8_t type, const struct rmi_sctp_init *init);
void rmi_sctp_data_write(struct rmi_wr *w, bool interleaved, const struct rmi_sctp_data *d);

static inline size_t rmi_sctp_padded(size_t n) {
    return (n + 3) & ~(size_t)3;
}
/* Serial numbers (RFC 1982): whether a comes after b. */
static inline bool rmi_sctp_after(uint32_t a, uint32_t b) {
    return a != b && a - b < 0x80000000U;
}

#endif
