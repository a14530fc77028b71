/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_PAYLOAD_RED_H
#define RMI_RTP_PAYLOAD_RED_H

#include "base/cursor.h"
#include <remotemedia/error.h>

/* Redundant audio data (RFC 2198): a payload with copies of earlier payloads before its own. */
#define RMI_RED_OFFSET_MAX 0x3fff /* 14 bits */
#define RMI_RED_LEN_MAX 0x3ff     /* 10 bits */
#define RMI_RED_BLOCK_HEADER 4    /* bytes, of a copy; of the payload's own block one */
#define RMI_RED_BLOCKS_MAX 16     /* of one packet: nobody sends a third of it */

struct rmi_red_block {
    uint8_t pt;
    uint16_t offset; /* ticks before the packet's timestamp; 0 of its own block */
    const uint8_t *data;
    uint16_t len; /* may be 0 */
};

struct rmi_red {
    struct rmi_red_block block[RMI_RED_BLOCKS_MAX]; /* the last one is the packet's own */
    size_t count;                                   /* at least 1 */
};

/* RM_E_PARSE: too short for what its headers say. RM_E_LIMIT: more than RMI_RED_BLOCKS_MAX blocks. */
rm_err rmi_red_parse(const uint8_t *data, size_t len, struct rmi_red *out);
/* Appends a payload. Fails the cursor, too, when an offset or the length of a copy is out of range, or there is no
 * block. */
void rmi_red_write(struct rmi_wr *w, const struct rmi_red *red);

#endif
