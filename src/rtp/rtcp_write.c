/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/packet.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_private.h"
#include <string.h>

#define LENGTH_AT 2
#define NACK_MASK_BITS 16
#define NACK_ENTRY 4
#define U24_MASK 0xffffffU
#define REMB_EXPONENT_SHIFT 18

/* Gives the offset of the header, for finish(). */
static size_t start(struct rmi_wr *w, uint8_t format, uint8_t type) {
    size_t at = w->pos;
    rmi_wr_u8(w, (uint8_t)(RMI_RTCP_VERSION << RMI_RTCP_VERSION_SHIFT | format));
    rmi_wr_u8(w, type);
    rmi_wr_u16(w, 0);
    return at;
}

static void finish(struct rmi_wr *w, size_t at) {
    rmi_wr_zero(w, (RMI_RTCP_WORD - (w->pos - at) % RMI_RTCP_WORD) % RMI_RTCP_WORD);
    rmi_wr_patch_u16(w, at + LENGTH_AT, (uint16_t)((w->pos - at) / RMI_RTCP_WORD - 1));
}

static void write_reports(struct rmi_wr *w, const struct rmi_rtcp_report *reports, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct rmi_rtcp_report *b = &reports[i];
        int32_t lost = b->lost > RMI_RTCP_LOST_MAX ? RMI_RTCP_LOST_MAX : b->lost;
        lost = lost < RMI_RTCP_LOST_MIN ? RMI_RTCP_LOST_MIN : lost;
        rmi_wr_u32(w, b->ssrc);
        rmi_wr_u8(w, b->fraction_lost);
        rmi_wr_u24(w, (uint32_t)lost & U24_MASK);
        rmi_wr_u32(w, b->highest_seq);
        rmi_wr_u32(w, b->jitter);
        rmi_wr_u32(w, b->last_sr);
        rmi_wr_u32(w, b->delay_since_sr);
    }
}

void rmi_rtcp_write_sr(struct rmi_wr *w, uint32_t ssrc, const struct rmi_rtcp_sender_info *info,
                       const struct rmi_rtcp_report *reports, size_t n) {
    if (n > RMI_RTCP_COUNT_MAX) {
        w->failed = true;
        return;
    }
    size_t at = start(w, (uint8_t)n, RMI_RTCP_PT_SR);
    rmi_wr_u32(w, ssrc);
    rmi_wr_u64(w, info->ntp);
    rmi_wr_u32(w, info->rtp_time);
    rmi_wr_u32(w, info->packets);
    rmi_wr_u32(w, info->octets);
    write_reports(w, reports, n);
    finish(w, at);
}

void rmi_rtcp_write_rr(struct rmi_wr *w, uint32_t ssrc, const struct rmi_rtcp_report *reports, size_t n) {
    if (n > RMI_RTCP_COUNT_MAX) {
        w->failed = true;
        return;
    }
    size_t at = start(w, (uint8_t)n, RMI_RTCP_PT_RR);
    rmi_wr_u32(w, ssrc);
    write_reports(w, reports, n);
    finish(w, at);
}

static void write_text(struct rmi_wr *w, const char *text) {
    size_t len = strnlen(text, RMI_RTCP_TEXT_MAX + 1);
    if (len > RMI_RTCP_TEXT_MAX) {
        w->failed = true;
        return;
    }
    rmi_wr_u8(w, (uint8_t)len);
    rmi_wr_bytes(w, text, len);
}

void rmi_rtcp_write_sdes(struct rmi_wr *w, uint32_t ssrc, const char *cname, const char *mid) {
    size_t at = start(w, 1, RMI_RTCP_PT_SDES);
    rmi_wr_u32(w, ssrc);
    rmi_wr_u8(w, RMI_RTCP_SDES_CNAME);
    write_text(w, cname);
    if (mid) {
        rmi_wr_u8(w, RMI_RTCP_SDES_MID);
        write_text(w, mid);
    }
    rmi_wr_u8(w, 0); /* end of the chunk; finish() pads it */
    finish(w, at);
}

void rmi_rtcp_write_bye(struct rmi_wr *w, const uint32_t *ssrcs, size_t n, const char *reason) {
    if (n > RMI_RTCP_COUNT_MAX) {
        w->failed = true;
        return;
    }
    size_t at = start(w, (uint8_t)n, RMI_RTCP_PT_BYE);
    for (size_t i = 0; i < n; i++)
        rmi_wr_u32(w, ssrcs[i]);
    if (reason)
        write_text(w, reason);
    finish(w, at);
}

static size_t start_feedback(struct rmi_wr *w, uint8_t format, uint8_t type, uint32_t sender, uint32_t media) {
    size_t at = start(w, format, type);
    rmi_wr_u32(w, sender);
    rmi_wr_u32(w, media);
    return at;
}

size_t rmi_rtcp_write_nack(struct rmi_wr *w, uint32_t sender, uint32_t media, const uint16_t *seqs, size_t n) {
    size_t at = start_feedback(w, RMI_RTCP_FMT_NACK, RMI_RTCP_PT_RTPFB, sender, media);
    size_t done = 0;
    while (done < n && !w->failed && w->cap - w->pos >= NACK_ENTRY) {
        uint16_t base = seqs[done++], mask = 0;
        for (; done < n; done++) {
            uint16_t ahead = (uint16_t)(seqs[done] - base);
            if (ahead > NACK_MASK_BITS)
                break;
            if (ahead > 0) /* the same number twice is one request */
                mask |= (uint16_t)(1U << (ahead - 1));
        }
        rmi_wr_u16(w, base);
        rmi_wr_u16(w, mask);
    }
    if (done == 0)
        w->failed = true;
    finish(w, at);
    return w->failed ? 0 : done;
}

static void write_ecn_counters(struct rmi_wr *w, const struct rmi_rtcp_ecn *e) {
    rmi_wr_u32(w, e->ect0);
    rmi_wr_u32(w, e->ect1);
    rmi_wr_u16(w, e->ce);
    rmi_wr_u16(w, e->not_ect);
    rmi_wr_u16(w, e->lost);
    rmi_wr_u16(w, e->duplicates);
}

void rmi_rtcp_write_ecn(struct rmi_wr *w, uint32_t sender, const struct rmi_rtcp_ecn *ecn) {
    size_t at = start_feedback(w, RMI_RTCP_FMT_ECN, RMI_RTCP_PT_RTPFB, sender, ecn->ssrc);
    rmi_wr_u32(w, ecn->highest_seq);
    write_ecn_counters(w, ecn);
    finish(w, at);
}

void rmi_rtcp_write_ecn_summary(struct rmi_wr *w, uint32_t sender, const struct rmi_rtcp_ecn *ecn, size_t n) {
    if (n > RMI_RTCP_COUNT_MAX) {
        w->failed = true;
        return;
    }
    size_t at = start(w, 0, RMI_RTCP_PT_XR);
    rmi_wr_u32(w, sender);
    rmi_wr_u8(w, RMI_RTCP_XR_ECN);
    rmi_wr_u8(w, 0);
    rmi_wr_u16(w, (uint16_t)(n * RMI_RTCP_XR_ECN_WORDS));
    for (size_t i = 0; i < n; i++) {
        rmi_wr_u32(w, ecn[i].ssrc);
        write_ecn_counters(w, &ecn[i]);
    }
    finish(w, at);
}

void rmi_rtcp_write_pli(struct rmi_wr *w, uint32_t sender, uint32_t media) {
    finish(w, start_feedback(w, RMI_RTCP_FMT_PLI, RMI_RTCP_PT_PSFB, sender, media));
}

void rmi_rtcp_write_fir(struct rmi_wr *w, uint32_t sender, uint32_t media, uint8_t command_seq) {
    /* The media source field is not used: the entry names it (RFC 5104 4.3.1.2). */
    size_t at = start_feedback(w, RMI_RTCP_FMT_FIR, RMI_RTCP_PT_PSFB, sender, 0);
    rmi_wr_u32(w, media);
    rmi_wr_u8(w, command_seq);
    rmi_wr_u24(w, 0);
    finish(w, at);
}

void rmi_rtcp_write_remb(struct rmi_wr *w, uint32_t sender, uint64_t bitrate_bps, const uint32_t *ssrcs, size_t n) {
    if (n > RMI_REMB_SSRC_MAX) {
        w->failed = true;
        return;
    }
    uint32_t exponent = 0;
    while (bitrate_bps >> exponent > RMI_RTCP_REMB_MANTISSA_MAX)
        exponent++;
    size_t at = start_feedback(w, RMI_RTCP_FMT_AFB, RMI_RTCP_PT_PSFB, sender, 0);
    rmi_wr_u32(w, RMI_RTCP_REMB_NAME);
    rmi_wr_u8(w, (uint8_t)n);
    rmi_wr_u24(w, exponent << REMB_EXPONENT_SHIFT | (uint32_t)(bitrate_bps >> exponent));
    for (size_t i = 0; i < n; i++)
        rmi_wr_u32(w, ssrcs[i]);
    finish(w, at);
}
