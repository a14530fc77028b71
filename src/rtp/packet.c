/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet.h"
#include "base/cursor.h"
#include <string.h>

/* Header layout (RFC 3550 5.1, RFC 8285 4). */
#define VERSION 2
#define PADDING_BIT 0x20
#define EXTENSION_BIT 0x10
#define CSRC_MASK 0x0f
#define MARKER_BIT 0x80
#define PT_MAX 0x7f
#define PROFILE_ONE_BYTE 0xbede
#define PROFILE_TWO_BYTE 0x1000
#define PROFILE_TWO_BYTE_MASK 0xfff0 /* the low 4 bits are the application's */
#define ONE_BYTE_STOP 15
#define ONE_BYTE_ID_MAX 14
#define ONE_BYTE_LEN_MAX 16
#define WORD 4

static void add_element(struct rmi_rtp_packet *p, uint8_t id, const uint8_t *data, size_t len) {
    if (p->ext_count < RMI_RTP_EXT_MAX)
        p->ext[p->ext_count++] = (struct rmi_rtp_ext){.id = id, .len = (uint8_t)len, .data = data};
}

/* An id of 0 is padding: a single byte in both forms. */
static void parse_elements(struct rmi_rd block, bool two_byte, struct rmi_rtp_packet *p) {
    while (rmi_rd_left(&block) > 0) {
        uint8_t first = rmi_rd_u8(&block);
        if (first == 0)
            continue;
        uint8_t id = two_byte ? first : first >> 4;
        size_t len = two_byte ? rmi_rd_u8(&block) : (size_t)(first & 0x0f) + 1;
        if (!two_byte && (id == ONE_BYTE_STOP || id == 0))
            return; /* both end the list (RFC 8285 4.2) */
        const uint8_t *data = rmi_rd_bytes(&block, len);
        if (!data)
            return;
        add_element(p, id, data, len);
    }
}

static void parse_extension(struct rmi_rd *r, struct rmi_rtp_packet *p) {
    uint16_t profile = rmi_rd_u16(r);
    size_t len = (size_t)rmi_rd_u16(r) * WORD;
    struct rmi_rd block = rmi_rd_sub(r, len);
    if (r->failed)
        return;
    if (profile == PROFILE_ONE_BYTE)
        parse_elements(block, false, p);
    else if ((profile & PROFILE_TWO_BYTE_MASK) == PROFILE_TWO_BYTE)
        parse_elements(block, true, p);
}

rm_err rmi_rtp_parse(const uint8_t *data, size_t len, struct rmi_rtp_packet *out) {
    struct rmi_rd r = rmi_rd_init(data, len);
    memset(out, 0, sizeof *out);
    uint8_t first = rmi_rd_u8(&r), second = rmi_rd_u8(&r);
    if (first >> 6 != VERSION)
        return RM_E_PARSE;
    out->marker = second & MARKER_BIT;
    out->pt = second & PT_MAX;
    out->seq = rmi_rd_u16(&r);
    out->timestamp = rmi_rd_u32(&r);
    out->ssrc = rmi_rd_u32(&r);
    out->csrc_count = first & CSRC_MASK;
    for (size_t i = 0; i < out->csrc_count; i++)
        out->csrc[i] = rmi_rd_u32(&r);
    if (first & EXTENSION_BIT)
        parse_extension(&r, out);
    if (r.failed)
        return RM_E_PARSE;
    out->header_len = r.pos;
    size_t left = rmi_rd_left(&r);
    out->payload = rmi_rd_bytes(&r, left);
    if (first & PADDING_BIT) {
        out->padding = left ? out->payload[left - 1] : 0;
        if (out->padding == 0 || out->padding > left)
            return RM_E_PARSE;
    }
    out->payload_len = left - out->padding;
    return RM_OK;
}

static bool fits_one_byte_form(const struct rmi_rtp_packet *p) {
    for (size_t i = 0; i < p->ext_count; i++)
        if (p->ext[i].id > ONE_BYTE_ID_MAX || p->ext[i].len == 0 || p->ext[i].len > ONE_BYTE_LEN_MAX)
            return false;
    return true;
}

static void write_extension(const struct rmi_rtp_packet *p, struct rmi_wr *w) {
    bool one_byte = fits_one_byte_form(p);
    rmi_wr_u16(w, one_byte ? PROFILE_ONE_BYTE : PROFILE_TWO_BYTE);
    size_t length_at = w->pos;
    rmi_wr_u16(w, 0);
    size_t start = w->pos;
    for (size_t i = 0; i < p->ext_count; i++) {
        const struct rmi_rtp_ext *e = &p->ext[i];
        if (one_byte) {
            rmi_wr_u8(w, (uint8_t)(e->id << 4 | (e->len - 1)));
        } else {
            rmi_wr_u8(w, e->id);
            rmi_wr_u8(w, e->len);
        }
        rmi_wr_bytes(w, e->data, e->len);
    }
    size_t used = w->pos - start;
    rmi_wr_zero(w, (WORD - used % WORD) % WORD);
    rmi_wr_patch_u16(w, length_at, (uint16_t)((w->pos - start) / WORD));
}

static bool can_be_written(const struct rmi_rtp_packet *p) {
    if (p->pt > PT_MAX || p->csrc_count > RMI_RTP_CSRC_MAX || p->ext_count > RMI_RTP_EXT_MAX)
        return false;
    for (size_t i = 0; i < p->ext_count; i++)
        if (p->ext[i].id == 0)
            return false;
    return true;
}

size_t rmi_rtp_write_header(const struct rmi_rtp_packet *p, uint8_t *out, size_t cap) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    if (!can_be_written(p))
        return 0;
    rmi_wr_u8(&w, (uint8_t)(VERSION << 6 | (p->padding ? PADDING_BIT : 0) | (p->ext_count ? EXTENSION_BIT : 0) |
                            p->csrc_count));
    rmi_wr_u8(&w, (uint8_t)((p->marker ? MARKER_BIT : 0) | p->pt));
    rmi_wr_u16(&w, p->seq);
    rmi_wr_u32(&w, p->timestamp);
    rmi_wr_u32(&w, p->ssrc);
    for (size_t i = 0; i < p->csrc_count; i++)
        rmi_wr_u32(&w, p->csrc[i]);
    if (p->ext_count)
        write_extension(p, &w);
    return w.failed ? 0 : w.pos;
}

size_t rmi_rtp_write(const struct rmi_rtp_packet *p, uint8_t *out, size_t cap) {
    size_t header = rmi_rtp_write_header(p, out, cap);
    if (header == 0)
        return 0;
    struct rmi_wr w = rmi_wr_init(out, cap);
    w.pos = header;
    rmi_wr_bytes(&w, p->payload, p->payload_len);
    if (p->padding) {
        rmi_wr_zero(&w, (size_t)p->padding - 1);
        rmi_wr_u8(&w, p->padding);
    }
    return w.failed ? 0 : w.pos;
}

const struct rmi_rtp_ext *rmi_rtp_find_ext(const struct rmi_rtp_packet *p, uint8_t id) {
    for (size_t i = 0; i < p->ext_count; i++)
        if (p->ext[i].id == id)
            return &p->ext[i];
    return NULL;
}

bool rmi_rtp_patch_ext(uint8_t *packet, size_t len, uint8_t id, const uint8_t *value, size_t value_len) {
    struct rmi_rtp_packet p;
    if (rmi_rtp_parse(packet, len, &p) != RM_OK)
        return false;
    const struct rmi_rtp_ext *e = rmi_rtp_find_ext(&p, id);
    if (!e || e->len != value_len)
        return false;
    if (value_len)
        memcpy(packet + (e->data - packet), value, value_len);
    return true;
}

bool rmi_rtp_patch_header(uint8_t *packet, size_t len, uint8_t pt, uint16_t seq, uint32_t timestamp, uint32_t ssrc) {
    if (len < RMI_RTP_HEADER || pt > PT_MAX)
        return false;
    struct rmi_wr w = rmi_wr_init(packet, RMI_RTP_HEADER);
    w.pos = 1;
    rmi_wr_u8(&w, (uint8_t)((packet[1] & MARKER_BIT) | pt));
    rmi_wr_u16(&w, seq);
    rmi_wr_u32(&w, timestamp);
    rmi_wr_u32(&w, ssrc);
    return !w.failed;
}
