/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/chunk.h"
#include "sctp/crc32c.h"

#define CHECKSUM_AT 8
#define CHECKSUM_BYTES 4
#define UNORDERED_BIT 1 /* of an I-FORWARD TSN entry */
#define TYPE_GOES_ON 0x80
#define TYPE_IS_REPORTED 0x40
#define PARAM_GOES_ON 0x8000
#define PARAM_IS_REPORTED 0x4000

bool rmi_sctp_header_parse(struct rmi_rd *r, struct rmi_sctp_header *out) {
    out->src = rmi_rd_u16(r);
    out->dst = rmi_rd_u16(r);
    out->tag = rmi_rd_u32(r);
    rmi_rd_skip(r, CHECKSUM_BYTES);
    return !r->failed;
}

static uint32_t checksum_of(const uint8_t *data, size_t len) {
    static const uint8_t zero[CHECKSUM_BYTES];
    uint32_t crc = rmi_crc32c_update(RMI_CRC32C_INIT, data, CHECKSUM_AT);
    crc = rmi_crc32c_update(crc, zero, sizeof zero);
    crc = rmi_crc32c_update(crc, data + RMI_SCTP_HEADER_BYTES, len - RMI_SCTP_HEADER_BYTES);
    return __builtin_bswap32(rmi_crc32c_finish(crc)); /* lowest byte first on the wire */
}

static uint32_t checksum_in(const uint8_t *data, size_t len) {
    struct rmi_rd r = rmi_rd_init(data, len);
    rmi_rd_skip(&r, CHECKSUM_AT);
    return rmi_rd_u32(&r);
}

bool rmi_sctp_checksum_ok(const uint8_t *data, size_t len) {
    return len >= RMI_SCTP_HEADER_BYTES && checksum_in(data, len) == checksum_of(data, len);
}

bool rmi_sctp_checksum_is_zero(const uint8_t *data, size_t len) {
    return checksum_in(data, len) == 0;
}

void rmi_sctp_checksum_set(uint8_t *data, size_t len) {
    struct rmi_wr w = rmi_wr_init(data + CHECKSUM_AT, CHECKSUM_BYTES);
    rmi_wr_u32(&w, checksum_of(data, len));
}

/* The length counts the four bytes before the value, not the padding after it, which the last one may lack. */
static bool take_value(struct rmi_rd *r, size_t len, struct rmi_rd *value) {
    if (len < RMI_SCTP_CHUNK_HEADER_BYTES)
        r->failed = true;
    *value = rmi_rd_sub(r, r->failed ? 0 : len - RMI_SCTP_CHUNK_HEADER_BYTES);
    const size_t padding = rmi_sctp_padded(len) - len;
    rmi_rd_skip(r, padding < rmi_rd_left(r) ? padding : rmi_rd_left(r));
    return !r->failed;
}

bool rmi_sctp_chunk_next(struct rmi_rd *r, struct rmi_sctp_chunk *out) {
    if (r->failed || rmi_rd_left(r) == 0)
        return false;
    out->whole = r->data + r->pos;
    out->type = rmi_rd_u8(r);
    out->flags = rmi_rd_u8(r);
    out->whole_len = rmi_rd_u16(r);
    return take_value(r, out->whole_len, &out->value);
}

bool rmi_sctp_param_next(struct rmi_rd *r, struct rmi_sctp_param *out) {
    if (r->failed || rmi_rd_left(r) == 0)
        return false;
    out->whole = r->data + r->pos;
    out->type = rmi_rd_u16(r);
    out->whole_len = rmi_rd_u16(r);
    return take_value(r, out->whole_len, &out->value);
}

static void take_extensions(struct rmi_rd r, struct rmi_sctp_init *out) {
    bool data = false, forward = false;
    while (rmi_rd_left(&r) > 0) {
        const uint8_t type = rmi_rd_u8(&r);
        data = data || type == RMI_SCTP_I_DATA;
        forward = forward || type == RMI_SCTP_I_FORWARD_TSN;
        out->reconfig = out->reconfig || type == RMI_SCTP_RE_CONFIG;
        out->forward_tsn = out->forward_tsn || type == RMI_SCTP_FORWARD_TSN;
    }
    out->interleaving = out->interleaving || data;
    out->forward_tsn = out->forward_tsn || (data && forward);
}

bool rmi_sctp_init_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_init *out) {
    struct rmi_rd r = c->value;
    *out = (struct rmi_sctp_init){.tag = rmi_rd_u32(&r), .window = rmi_rd_u32(&r)};
    out->streams_out = rmi_rd_u16(&r);
    out->streams_in = rmi_rd_u16(&r);
    out->tsn = rmi_rd_u32(&r);
    bool go_on = true;
    for (struct rmi_sctp_param p; go_on && rmi_sctp_param_next(&r, &p);) {
        switch (p.type) {
        case RMI_SCTP_P_STATE_COOKIE:
            out->cookie_len = rmi_rd_left(&p.value);
            out->cookie = rmi_rd_bytes(&p.value, out->cookie_len);
            break;
        case RMI_SCTP_P_EXTENSIONS:
            take_extensions(p.value, out);
            break;
        case RMI_SCTP_P_FORWARD_TSN:
            out->forward_tsn = true;
            break;
        case RMI_SCTP_P_ZERO_CHECKSUM:
            out->zero_checksum = rmi_rd_u32(&p.value) == RMI_SCTP_EDMID_DTLS && !p.value.failed;
            break;
        default:
            if ((p.type & PARAM_IS_REPORTED) && !out->unknown) {
                out->unknown = p.whole;
                out->unknown_len = p.whole_len;
            }
            go_on = p.type & PARAM_GOES_ON;
        }
    }
    return !r.failed && out->tag != 0 && out->streams_out != 0 && out->streams_in != 0;
}

bool rmi_sctp_data_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_data *out) {
    struct rmi_rd r = c->value;
    *out = (struct rmi_sctp_data){.flags = c->flags, .tsn = rmi_rd_u32(&r)};
    out->stream = rmi_rd_u16(&r);
    if (c->type == RMI_SCTP_I_DATA) {
        rmi_rd_skip(&r, 2); /* reserved */
        out->mid = rmi_rd_u32(&r);
        const uint32_t word = rmi_rd_u32(&r);
        if (c->flags & RMI_SCTP_FLAG_BEGIN)
            out->ppid = word;
        else
            out->fsn = word;
    } else {
        out->mid = rmi_rd_u16(&r);
        out->ppid = rmi_rd_u32(&r);
        out->fsn = out->tsn;
    }
    out->len = rmi_rd_left(&r);
    out->bytes = rmi_rd_bytes(&r, out->len);
    return !r.failed;
}

bool rmi_sctp_sack_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_sack *out) {
    struct rmi_rd r = c->value;
    out->cum_tsn = rmi_rd_u32(&r);
    out->window = rmi_rd_u32(&r);
    out->gaps = rmi_rd_u16(&r);
    out->dups = rmi_rd_u16(&r);
    out->gap_blocks = rmi_rd_sub(&r, (size_t)out->gaps * 4);
    rmi_rd_skip(&r, (size_t)out->dups * 4);
    return !r.failed;
}

bool rmi_sctp_forward_parse(const struct rmi_sctp_chunk *c, struct rmi_sctp_forward *out) {
    out->entries = c->value;
    out->cum_tsn = rmi_rd_u32(&out->entries);
    out->interleaved = c->type == RMI_SCTP_I_FORWARD_TSN;
    return !out->entries.failed && rmi_rd_left(&out->entries) % (out->interleaved ? 8 : 4) == 0;
}

bool rmi_sctp_forward_next(struct rmi_sctp_forward *f, struct rmi_sctp_skip *out) {
    if (f->entries.failed || rmi_rd_left(&f->entries) == 0)
        return false;
    out->stream = rmi_rd_u16(&f->entries);
    out->unordered = f->interleaved && (rmi_rd_u16(&f->entries) & UNORDERED_BIT);
    out->mid = f->interleaved ? rmi_rd_u32(&f->entries) : rmi_rd_u16(&f->entries);
    return !f->entries.failed;
}

bool rmi_sctp_unknown_goes_on(uint8_t type) {
    return type & TYPE_GOES_ON;
}

bool rmi_sctp_unknown_is_reported(uint8_t type) {
    return type & TYPE_IS_REPORTED;
}

void rmi_sctp_header_write(struct rmi_wr *w, uint16_t src, uint16_t dst, uint32_t tag) {
    rmi_wr_u16(w, src);
    rmi_wr_u16(w, dst);
    rmi_wr_u32(w, tag);
    rmi_wr_u32(w, 0);
}

size_t rmi_sctp_chunk_begin(struct rmi_wr *w, uint8_t type, uint8_t flags) {
    const size_t at = w->pos;
    rmi_wr_u8(w, type);
    rmi_wr_u8(w, flags);
    rmi_wr_u16(w, 0);
    return at;
}

size_t rmi_sctp_param_begin(struct rmi_wr *w, uint16_t type) {
    const size_t at = w->pos;
    rmi_wr_u16(w, type);
    rmi_wr_u16(w, 0);
    return at;
}

void rmi_sctp_tlv_end(struct rmi_wr *w, size_t at) {
    const size_t len = w->pos - at;
    rmi_wr_patch_u16(w, at + 2, (uint16_t)len);
    rmi_wr_zero(w, rmi_sctp_padded(len) - len);
}

size_t rmi_sctp_init_write(struct rmi_wr *w, uint8_t type, const struct rmi_sctp_init *init) {
    const size_t at = rmi_sctp_chunk_begin(w, type, 0);
    rmi_wr_u32(w, init->tag);
    rmi_wr_u32(w, init->window);
    rmi_wr_u16(w, init->streams_out);
    rmi_wr_u16(w, init->streams_in);
    rmi_wr_u32(w, init->tsn);
    if (init->forward_tsn)
        rmi_sctp_tlv_end(w, rmi_sctp_param_begin(w, RMI_SCTP_P_FORWARD_TSN));
    if (init->zero_checksum) {
        const size_t p = rmi_sctp_param_begin(w, RMI_SCTP_P_ZERO_CHECKSUM);
        rmi_wr_u32(w, RMI_SCTP_EDMID_DTLS);
        rmi_sctp_tlv_end(w, p);
    }
    const size_t p = rmi_sctp_param_begin(w, RMI_SCTP_P_EXTENSIONS);
    if (init->reconfig)
        rmi_wr_u8(w, RMI_SCTP_RE_CONFIG);
    if (init->forward_tsn)
        rmi_wr_u8(w, RMI_SCTP_FORWARD_TSN);
    if (init->interleaving) {
        rmi_wr_u8(w, RMI_SCTP_I_DATA);
        rmi_wr_u8(w, RMI_SCTP_I_FORWARD_TSN);
    }
    rmi_sctp_tlv_end(w, p);
    return at;
}

void rmi_sctp_data_write(struct rmi_wr *w, bool interleaved, const struct rmi_sctp_data *d) {
    const size_t at = rmi_sctp_chunk_begin(w, interleaved ? RMI_SCTP_I_DATA : RMI_SCTP_DATA, d->flags);
    rmi_wr_u32(w, d->tsn);
    rmi_wr_u16(w, d->stream);
    rmi_wr_u16(w, interleaved ? 0 : (uint16_t)d->mid);
    if (interleaved) {
        rmi_wr_u32(w, d->mid);
        rmi_wr_u32(w, d->flags & RMI_SCTP_FLAG_BEGIN ? d->ppid : d->fsn);
    } else {
        rmi_wr_u32(w, d->ppid);
    }
    rmi_wr_bytes(w, d->bytes, d->len);
    rmi_sctp_tlv_end(w, at);
}
