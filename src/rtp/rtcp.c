/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp.h"
#include "rtp/rtcp_private.h"
#include <string.h>

#define SDES_END 0
#define NACK_ENTRY 4
#define NACK_MASK_BITS 16
#define FIR_ENTRY 8
#define REMB_COUNT_SHIFT 24
#define REMB_EXPONENT_SHIFT 18

/* The type, its length in bytes behind the 4-byte header, and that its lengths tile the datagram: checked for the whole
 * datagram before any packet of it is looked at (RFC 3550 A.2, without its demands that a report comes first and that
 * the last alone has padding, of whole words: transport-wide feedback of libwebrtc and Pion has one to three bytes). */
rm_err rmi_rtcp_begin(struct rmi_rtcp_reader *r, const uint8_t *data, size_t len) {
    struct rmi_rd rd = rmi_rd_init(data, len);
    r->rest = rmi_rd_init(data, 0);
    if (rmi_rd_left(&rd) == 0)
        return RM_E_PARSE;
    while (rmi_rd_left(&rd) > 0) {
        uint8_t first = rmi_rd_u8(&rd);
        rmi_rd_skip(&rd, 1);
        size_t body = (size_t)rmi_rd_u16(&rd) * RMI_RTCP_WORD;
        const uint8_t *bytes = rmi_rd_bytes(&rd, body);
        if (rd.failed || first >> RMI_RTCP_VERSION_SHIFT != RMI_RTCP_VERSION)
            return RM_E_PARSE;
        if (first & RMI_RTCP_PADDING_BIT) {
            uint8_t padding = body ? bytes[body - 1] : 0;
            if (padding == 0 || padding > body)
                return RM_E_PARSE;
        }
    }
    r->rest = rmi_rd_init(data, len);
    return RM_OK;
}

static void read_reports(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->count = out->format;
    for (size_t i = 0; i < out->count; i++) {
        struct rmi_rtcp_report *b = &out->u.report[i];
        b->ssrc = rmi_rd_u32(rd);
        b->fraction_lost = rmi_rd_u8(rd);
        uint32_t lost = rmi_rd_u24(rd);
        b->lost = lost > RMI_RTCP_LOST_MAX ? (int32_t)lost + 2 * RMI_RTCP_LOST_MIN : (int32_t)lost;
        b->highest_seq = rmi_rd_u32(rd);
        b->jitter = rmi_rd_u32(rd);
        b->last_sr = rmi_rd_u32(rd);
        b->delay_since_sr = rmi_rd_u32(rd);
    }
}

static void read_sender(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->sender_ssrc = rmi_rd_u32(rd);
    out->sender.ntp = rmi_rd_u64(rd);
    out->sender.rtp_time = rmi_rd_u32(rd);
    out->sender.packets = rmi_rd_u32(rd);
    out->sender.octets = rmi_rd_u32(rd);
    read_reports(rd, out); /* what follows them is a profile's extension and of no interest */
}

/* A chunk ends with at least one zero byte and is padded to a word (RFC 3550 6.5). */
static void read_chunk(struct rmi_rd *rd, struct rmi_rtcp_sdes_chunk *chunk) {
    size_t start = rd->pos;
    memset(chunk, 0, sizeof *chunk);
    chunk->ssrc = rmi_rd_u32(rd);
    for (;;) {
        uint8_t type = rmi_rd_u8(rd);
        if (rd->failed || type == SDES_END)
            break;
        struct rmi_rtcp_text text = {.len = rmi_rd_u8(rd)};
        text.data = rmi_rd_bytes(rd, text.len);
        if (type == RMI_RTCP_SDES_CNAME && !chunk->cname.data)
            chunk->cname = text;
        if (type == RMI_RTCP_SDES_MID && !chunk->mid.data)
            chunk->mid = text;
    }
    rmi_rd_skip(rd, (RMI_RTCP_WORD - (rd->pos - start) % RMI_RTCP_WORD) % RMI_RTCP_WORD);
}

static void read_sdes(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->count = out->format;
    for (size_t i = 0; i < out->count; i++)
        read_chunk(rd, &out->u.sdes[i]);
}

static void read_bye(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->count = out->format;
    for (size_t i = 0; i < out->count; i++)
        out->u.bye[i] = rmi_rd_u32(rd);
    if (!rd->failed && rmi_rd_left(rd) > 0) {
        out->reason.len = rmi_rd_u8(rd);
        out->reason.data = rmi_rd_bytes(rd, out->reason.len);
    }
}

static void read_remb(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    uint32_t word = rmi_rd_u32(rd);
    uint32_t exponent = word >> REMB_EXPONENT_SHIFT & RMI_RTCP_REMB_EXPONENT_MAX;
    uint64_t mantissa = word & RMI_RTCP_REMB_MANTISSA_MAX;
    out->kind = RMI_RTCP_REMB;
    out->bitrate_bps = mantissa > UINT64_MAX >> exponent ? UINT64_MAX : mantissa << exponent;
    out->count = word >> REMB_COUNT_SHIFT;
    out->fci = rmi_rd_sub(rd, out->count * sizeof(uint32_t));
}

static void read_list(struct rmi_rd *rd, struct rmi_rtcp_item *out, enum rmi_rtcp_kind kind, size_t entry) {
    size_t left = rmi_rd_left(rd);
    out->kind = kind;
    out->count = left / entry;
    if (out->count == 0 || left % entry)
        rd->failed = true;
    out->fci = rmi_rd_sub(rd, left);
}

static void read_ecn_counters(struct rmi_rd *rd, struct rmi_rtcp_ecn *e) {
    e->ect0 = rmi_rd_u32(rd);
    e->ect1 = rmi_rd_u32(rd);
    e->ce = rmi_rd_u16(rd);
    e->not_ect = rmi_rd_u16(rd);
    e->lost = rmi_rd_u16(rd);
    e->duplicates = rmi_rd_u16(rd);
}

static void read_ecn(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->kind = RMI_RTCP_ECN;
    out->count = 1;
    out->u.ecn[0] = (struct rmi_rtcp_ecn){.ssrc = out->media_ssrc, .highest_seq = rmi_rd_u32(rd)};
    read_ecn_counters(rd, &out->u.ecn[0]);
}

/* Of the blocks only the summary of ECN is of interest; one of a wrong length is left out (RFC 6679 5.2). */
static void read_xr(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->sender_ssrc = rmi_rd_u32(rd);
    while (!rd->failed && rmi_rd_left(rd) > 0) {
        const uint8_t type = rmi_rd_u8(rd);
        rmi_rd_skip(rd, 1);
        const size_t words = rmi_rd_u16(rd);
        struct rmi_rd block = rmi_rd_sub(rd, words * RMI_RTCP_WORD);
        if (rd->failed || type != RMI_RTCP_XR_ECN || words % RMI_RTCP_XR_ECN_WORDS)
            continue;
        out->kind = RMI_RTCP_ECN;
        while (rmi_rd_left(&block) > 0 && out->count < RMI_RTCP_COUNT_MAX) {
            struct rmi_rtcp_ecn *e = &out->u.ecn[out->count++];
            *e = (struct rmi_rtcp_ecn){.ssrc = rmi_rd_u32(&block)};
            read_ecn_counters(&block, e);
        }
    }
}

static void read_feedback(struct rmi_rd *rd, struct rmi_rtcp_item *out) {
    out->sender_ssrc = rmi_rd_u32(rd);
    out->media_ssrc = rmi_rd_u32(rd);
    if (rd->failed)
        return;
    if (out->type == RMI_RTCP_PT_RTPFB && out->format == RMI_RTCP_FMT_NACK) {
        read_list(rd, out, RMI_RTCP_NACK, NACK_ENTRY);
    } else if (out->type == RMI_RTCP_PT_RTPFB && out->format == RMI_RTCP_FMT_TWCC) {
        out->kind = RMI_RTCP_TWCC;
        out->fci = rmi_rd_sub(rd, rmi_rd_left(rd));
    } else if (out->type == RMI_RTCP_PT_RTPFB && out->format == RMI_RTCP_FMT_ECN) {
        read_ecn(rd, out);
    } else if (out->type == RMI_RTCP_PT_PSFB && out->format == RMI_RTCP_FMT_PLI) {
        out->kind = RMI_RTCP_PLI;
    } else if (out->type == RMI_RTCP_PT_PSFB && out->format == RMI_RTCP_FMT_FIR) {
        read_list(rd, out, RMI_RTCP_FIR, FIR_ENTRY);
    } else if (out->type == RMI_RTCP_PT_PSFB && out->format == RMI_RTCP_FMT_AFB) {
        if (rmi_rd_left(rd) >= 2 * sizeof(uint32_t) && rmi_rd_u32(rd) == RMI_RTCP_REMB_NAME)
            read_remb(rd, out);
    }
}

rm_err rmi_rtcp_next(struct rmi_rtcp_reader *r, struct rmi_rtcp_item *out) {
    if (rmi_rd_left(&r->rest) == 0)
        return RM_E_AGAIN;
    memset(out, 0, offsetof(struct rmi_rtcp_item, u)); /* the lists are written as far as they count */
    uint8_t first = rmi_rd_u8(&r->rest);
    out->kind = RMI_RTCP_OTHER;
    out->type = rmi_rd_u8(&r->rest);
    out->format = first & RMI_RTCP_COUNT_MAX;
    struct rmi_rd rd = rmi_rd_sub(&r->rest, (size_t)rmi_rd_u16(&r->rest) * RMI_RTCP_WORD);
    if (first & RMI_RTCP_PADDING_BIT) /* rmi_rtcp_begin saw that it is there */
        rd.len -= rd.data[rd.len - 1];
    switch (out->type) {
    case RMI_RTCP_PT_SR:
        out->kind = RMI_RTCP_SR;
        read_sender(&rd, out);
        break;
    case RMI_RTCP_PT_RR:
        out->kind = RMI_RTCP_RR;
        out->sender_ssrc = rmi_rd_u32(&rd);
        read_reports(&rd, out);
        break;
    case RMI_RTCP_PT_SDES:
        out->kind = RMI_RTCP_SDES;
        read_sdes(&rd, out);
        break;
    case RMI_RTCP_PT_BYE:
        out->kind = RMI_RTCP_BYE;
        read_bye(&rd, out);
        break;
    case RMI_RTCP_PT_RTPFB:
    case RMI_RTCP_PT_PSFB:
        read_feedback(&rd, out);
        break;
    case RMI_RTCP_PT_XR:
        read_xr(&rd, out);
        break;
    default:
        break;
    }
    return rd.failed ? RM_E_PARSE : RM_OK;
}

void rmi_rtcp_nack_begin(struct rmi_rtcp_nack_reader *n, const struct rmi_rtcp_item *item) {
    *n = (struct rmi_rtcp_nack_reader){.fci = item->fci};
    if (item->kind != RMI_RTCP_NACK)
        n->fci = rmi_rd_init(NULL, 0);
}

size_t rmi_rtcp_nack_next(struct rmi_rtcp_nack_reader *n, uint16_t *out, size_t cap) {
    size_t count = 0;
    while (count < cap) {
        if (n->bit == 0) {
            if (rmi_rd_left(&n->fci) < NACK_ENTRY)
                break;
            n->base = rmi_rd_u16(&n->fci);
            n->mask = rmi_rd_u16(&n->fci);
            n->bit = 1;
            out[count++] = n->base;
            continue;
        }
        if (n->mask >> (n->bit - 1) & 1)
            out[count++] = (uint16_t)(n->base + n->bit);
        n->bit = n->bit == NACK_MASK_BITS ? 0 : (uint8_t)(n->bit + 1);
    }
    return count;
}

bool rmi_rtcp_fir_at(const struct rmi_rtcp_item *item, size_t i, uint32_t *ssrc, uint8_t *command_seq) {
    struct rmi_rd rd = item->fci;
    if (item->kind != RMI_RTCP_FIR || i >= item->count)
        return false;
    rmi_rd_skip(&rd, i * FIR_ENTRY);
    *ssrc = rmi_rd_u32(&rd);
    *command_seq = rmi_rd_u8(&rd);
    return !rd.failed;
}

bool rmi_rtcp_remb_at(const struct rmi_rtcp_item *item, size_t i, uint32_t *ssrc) {
    struct rmi_rd rd = item->fci;
    if (item->kind != RMI_RTCP_REMB || i >= item->count)
        return false;
    rmi_rd_skip(&rd, i * sizeof(uint32_t));
    *ssrc = rmi_rd_u32(&rd);
    return !rd.failed;
}
