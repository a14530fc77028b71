/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtx.h"
#include "base/cursor.h"
#include "rtp/packet.h"

rm_err rmi_rtx_wrap(const uint8_t *original, size_t len, uint8_t rtx_pt, uint32_t rtx_ssrc, uint16_t rtx_seq,
                    uint8_t *out, size_t cap, size_t *out_len) {
    struct rmi_rtp_packet p;
    if (rmi_rtp_parse(original, len, &p) != RM_OK)
        return RM_E_PARSE;
    uint16_t original_seq = p.seq;
    p.pt = rtx_pt;
    p.ssrc = rtx_ssrc;
    p.seq = rtx_seq;
    p.padding = 0;
    struct rmi_wr w = rmi_wr_init(out, cap);
    w.pos = rmi_rtp_write_header(&p, out, cap);
    if (w.pos == 0)
        return RM_E_TOO_BIG;
    rmi_wr_u16(&w, original_seq);
    rmi_wr_bytes(&w, p.payload, p.payload_len);
    if (w.failed)
        return RM_E_TOO_BIG;
    *out_len = w.pos;
    return RM_OK;
}

rm_err rmi_rtx_unwrap(const uint8_t *rtx, size_t len, uint8_t pt, uint32_t ssrc, uint8_t *out, size_t cap,
                      size_t *out_len) {
    struct rmi_rtp_packet p;
    if (rmi_rtp_parse(rtx, len, &p) != RM_OK)
        return RM_E_PARSE;
    if (p.payload_len == 0)
        return RM_E_AGAIN;
    struct rmi_rd rd = rmi_rd_init(p.payload, p.payload_len);
    p.pt = pt;
    p.ssrc = ssrc;
    p.seq = rmi_rd_u16(&rd);
    if (rd.failed)
        return RM_E_PARSE;
    p.payload_len = rmi_rd_left(&rd);
    p.payload = rmi_rd_bytes(&rd, p.payload_len);
    p.padding = 0;
    *out_len = rmi_rtp_write(&p, out, cap);
    return *out_len ? RM_OK : RM_E_TOO_BIG;
}
