/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/dcep.h"
#include "base/cursor.h"

enum { TYPE_ACK = 2, TYPE_OPEN = 3 };                                               /* RFC 8832 section 8.2.1 */
enum { KIND_RELIABLE = 0, KIND_RETRANSMITS = 1, KIND_TIMED = 2, UNORDERED = 0x80 }; /* RFC 8832 5.1 */

rm_err rmi_dcep_parse(const uint8_t *data, size_t len, enum rmi_dcep_type *type, struct rmi_dcep_open *open) {
    struct rmi_rd r = rmi_rd_init(data, len);
    const uint8_t what = rmi_rd_u8(&r);
    *type = what == TYPE_ACK ? RMI_DCEP_ACK : RMI_DCEP_OPEN;
    if (r.failed)
        return RM_E_PARSE;
    if (what == TYPE_ACK)
        return RM_OK;
    if (what != TYPE_OPEN)
        return RM_E_UNSUPPORTED;
    const uint8_t channel = rmi_rd_u8(&r), kind = channel & (uint8_t)~UNORDERED;
    *open = (struct rmi_dcep_open){.unordered = channel & UNORDERED, .priority = rmi_rd_u16(&r)};
    const uint32_t limit = rmi_rd_u32(&r);
    open->limit_retransmits = kind == KIND_RETRANSMITS;
    open->max_retransmits = open->limit_retransmits ? limit : 0;
    open->limit_lifetime = kind == KIND_TIMED;
    open->max_lifetime_ms = open->limit_lifetime ? limit : 0;
    open->label_len = rmi_rd_u16(&r);
    open->protocol_len = rmi_rd_u16(&r);
    open->label = (const char *)rmi_rd_bytes(&r, open->label_len);
    open->protocol = (const char *)rmi_rd_bytes(&r, open->protocol_len);
    return r.failed || rmi_rd_left(&r) > 0 || kind > KIND_TIMED ? RM_E_PARSE : RM_OK;
}

size_t rmi_dcep_open_write(const struct rmi_dcep_open *open, uint8_t *out, size_t cap) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    if (open->label_len > RMI_DCEP_TEXT_MAX || open->protocol_len > RMI_DCEP_TEXT_MAX)
        return 0;
    const int kind = open->limit_retransmits ? KIND_RETRANSMITS : open->limit_lifetime ? KIND_TIMED : KIND_RELIABLE;
    rmi_wr_u8(&w, TYPE_OPEN);
    rmi_wr_u8(&w, (uint8_t)(kind | (open->unordered ? UNORDERED : 0)));
    rmi_wr_u16(&w, open->priority);
    rmi_wr_u32(&w, open->limit_retransmits ? open->max_retransmits : open->limit_lifetime ? open->max_lifetime_ms : 0);
    rmi_wr_u16(&w, (uint16_t)open->label_len);
    rmi_wr_u16(&w, (uint16_t)open->protocol_len);
    rmi_wr_bytes(&w, open->label, open->label_len);
    rmi_wr_bytes(&w, open->protocol, open->protocol_len);
    return w.failed ? 0 : w.pos;
}

size_t rmi_dcep_ack_write(uint8_t *out, size_t cap) {
    if (cap < 1)
        return 0;
    out[0] = TYPE_ACK;
    return 1;
}
