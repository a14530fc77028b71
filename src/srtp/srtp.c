/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "srtp/srtp_private.h"
#include <openssl/crypto.h>
#include <stdlib.h>

#define EXTENSION_BIT 0x10 /* RFC 3550 5.1 */
#define CSRC_COUNT_MASK 0x0f
#define CSRC_BYTES 4
#define VERSION_SHIFT 6
#define RTP_VERSION 2
#define PACKET_MAX 65535 /* no datagram is longer */
#define ENCRYPTED_BIT UINT32_C(0x80000000)

/* ---- creation ---- */

static bool key_fits(const struct rmi_srtp_keying *k) {
    if (k->profile == RMI_SRTP_PROFILE_CM)
        return k->len == RMI_SRTP_KEY_BYTES + RMI_SRTP_SALT_BYTES_CM;
    return k->profile == RMI_SRTP_PROFILE_GCM && k->len == RMI_SRTP_KEY_BYTES + RMI_SRTP_SALT_BYTES_GCM;
}

rm_err rmi_srtp_create(const struct rmi_srtp_keying *keying, struct rmi_srtp **out) {
    if (!keying || !keying->local || !keying->remote || !out)
        return RM_E_INVALID_ARG;
    if (!key_fits(keying))
        return RM_E_SRTP_PROFILE;
    struct rmi_srtp *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    bool gcm = keying->profile == RMI_SRTP_PROFILE_GCM;
    s->tag = gcm ? RMI_SRTP_TAG_BYTES_GCM : RMI_SRTP_TAG_BYTES_CM;
    rm_err err = rmi_srtp_direction_init(&s->out, gcm, true, keying->local);
    if (err == RM_OK)
        err = rmi_srtp_direction_init(&s->in, gcm, false, keying->remote);
    if (err != RM_OK)
        rmi_srtp_destroy(&s);
    else
        *out = s;
    return err;
}

void rmi_srtp_destroy(struct rmi_srtp **s) {
    if (!s || !*s)
        return;
    rmi_srtp_direction_release(&(*s)->out);
    rmi_srtp_direction_release(&(*s)->in);
    rmi_srtp_sources_release(&(*s)->sources_out);
    rmi_srtp_sources_release(&(*s)->sources_in);
    free(*s);
    *s = NULL;
}

/* ---- headers ---- */

struct header {
    size_t clear; /* bytes that are not encrypted */
    uint32_t ssrc;
    uint16_t seq; /* RTP only */
};

/* Whether `data` starts with a whole RTP header, CSRCs and extension included, and `trailer` bytes fit after it. */
static bool read_rtp(const uint8_t *data, size_t len, size_t trailer, struct header *h) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t first = rmi_rd_u8(&r);
    rmi_rd_skip(&r, 1); /* marker and payload type */
    h->seq = rmi_rd_u16(&r);
    rmi_rd_skip(&r, 4); /* timestamp */
    h->ssrc = rmi_rd_u32(&r);
    rmi_rd_skip(&r, (size_t)(first & CSRC_COUNT_MASK) * CSRC_BYTES);
    if (first & EXTENSION_BIT) {
        rmi_rd_skip(&r, 2);
        rmi_rd_skip(&r, (size_t)rmi_rd_u16(&r) * 4); /* counted in words, RFC 3550 5.3.1 */
    }
    h->clear = r.pos;
    rmi_rd_skip(&r, trailer);
    return !r.failed && first >> VERSION_SHIFT == RTP_VERSION && len <= PACKET_MAX;
}

/* RFC 3711 3.4: header and SSRC of the sender stay in the clear. */
static bool read_rtcp(const uint8_t *data, size_t len, size_t trailer, struct header *h) {
    struct rmi_rd r = rmi_rd_init(data, len);
    uint8_t first = rmi_rd_u8(&r);
    rmi_rd_skip(&r, 3); /* packet type and length */
    h->seq = 0;
    h->ssrc = rmi_rd_u32(&r);
    h->clear = r.pos;
    rmi_rd_skip(&r, trailer);
    return !r.failed && first >> VERSION_SHIFT == RTP_VERSION && len <= PACKET_MAX;
}

/* E bit and index; in the middle of the trailer of the one profile, at its end in the other. */
static uint32_t read_rtcp_index(const struct rmi_srtp *s, const uint8_t *data, size_t body) {
    struct rmi_rd r = rmi_rd_init(data, body + s->tag + RMI_SRTP_INDEX_BYTES);
    rmi_rd_skip(&r, s->in.rtcp.gcm ? body + s->tag : body);
    return rmi_rd_u32(&r);
}

static rm_err count(struct rmi_srtp *s, rm_err err, uint64_t *good) {
    switch (err) {
    case RM_OK:
        ++*good;
        break;
    case RM_E_SRTP_AUTH:
        s->stats.auth_failures++;
        break;
    case RM_E_SRTP_REPLAY:
        s->stats.replays++;
        break;
    case RM_E_PARSE:
        s->stats.malformed++;
        break;
    default: /* says something of us, not of the packet */
        break;
    }
    return err;
}

/* ---- sending ---- */

static rm_err own_source(struct rmi_srtp *s, uint32_t ssrc, struct rmi_srtp_source **out) {
    *out = rmi_srtp_sources_find(&s->sources_out, ssrc);
    if (*out)
        return RM_OK;
    if (s->sources_out.count == RMI_SRTP_SOURCES_OUT_MAX)
        return RM_E_LIMIT;
    *out = rmi_srtp_sources_add(&s->sources_out, ssrc, RMI_SRTP_SOURCES_OUT_MAX);
    return *out ? RM_OK : RM_E_NO_MEMORY;
}

/* The index is spent before anything is encrypted under it. */
static rm_err next_index(struct rmi_srtp *s, const struct header *h, bool rtcp, uint64_t *index) {
    struct rmi_srtp_source *source;
    rm_err err = own_source(s, h->ssrc, &source);
    if (err != RM_OK)
        return err;
    if (rtcp) {
        if (source->rtcp.newest >= RMI_SRTCP_INDEX_MAX)
            return RM_E_LIMIT;
        *index = source->rtcp.newest + 1;
        source->rtcp.newest = *index;
        return RM_OK;
    }
    if (!rmi_srtp_guess_index(&source->rtp, h->seq, index))
        return RM_E_LIMIT;
    if (!rmi_srtp_window_reaches(&source->rtp, *index))
        return RM_E_SRTP_REPLAY; /* so old that the receiver would drop it */
    rmi_srtp_window_add(&source->rtp, *index);
    return RM_OK;
}

static rm_err protect(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap, bool rtcp) {
    struct header h;
    uint64_t index;
    if (*len > PACKET_MAX || cap < *len || cap - *len < RMI_SRTP_TRAILER_MAX)
        return RM_E_TOO_BIG;
    if (!(rtcp ? read_rtcp(data, *len, 0, &h) : read_rtp(data, *len, 0, &h)))
        return RM_E_PARSE;
    rm_err err = next_index(s, &h, rtcp, &index);
    if (err != RM_OK)
        return err;
    size_t sealed = rmi_srtp_seal(rtcp ? &s->out.rtcp : &s->out.rtp, h.ssrc, index, data, h.clear, *len);
    if (!sealed)
        return RM_E_INTERNAL;
    *len = sealed;
    return RM_OK;
}

rm_err rmi_srtp_protect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap) {
    return count(s, protect(s, data, len, cap, false), &s->stats.protected_packets);
}

rm_err rmi_srtp_protect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len, size_t cap) {
    return count(s, protect(s, data, len, cap, true), &s->stats.protected_packets);
}

/* ---- receiving ---- */

/* Nothing is created, forgotten or moved before the tag is checked. */
static rm_err unprotect(struct rmi_srtp *s, uint8_t *data, size_t *len, bool rtcp) {
    static const struct rmi_srtp_window unknown;
    size_t trailer = s->tag + (rtcp ? RMI_SRTP_INDEX_BYTES : 0);
    struct header h;
    if (!(rtcp ? read_rtcp(data, *len, trailer, &h) : read_rtp(data, *len, trailer, &h)))
        return RM_E_PARSE;
    size_t body = *len - trailer;
    struct rmi_srtp_source *source = rmi_srtp_sources_find(&s->sources_in, h.ssrc);
    uint64_t index;
    if (rtcp) {
        uint32_t word = read_rtcp_index(s, data, body);
        if (!(word & ENCRYPTED_BIT))
            return RM_E_SRTP_AUTH; /* plaintext was not negotiated */
        index = word & ~ENCRYPTED_BIT;
    } else if (!rmi_srtp_guess_index(source ? &source->rtp : &unknown, h.seq, &index)) {
        return RM_E_SRTP_AUTH; /* the life of the key is over, RFC 3711 9.2 */
    }
    if (source && !rmi_srtp_window_admits(rtcp ? &source->rtcp : &source->rtp, index))
        return RM_E_SRTP_REPLAY;
    if (!rmi_srtp_open(rtcp ? &s->in.rtcp : &s->in.rtp, h.ssrc, index, data, h.clear, body))
        return RM_E_SRTP_AUTH;
    if (!source)
        source = rmi_srtp_sources_add(&s->sources_in, h.ssrc, RMI_SRTP_SOURCES_IN_MAX);
    if (!source)
        return RM_E_NO_MEMORY;
    rmi_srtp_sources_touch(&s->sources_in, source);
    rmi_srtp_window_add(rtcp ? &source->rtcp : &source->rtp, index);
    *len = body;
    return RM_OK;
}

rm_err rmi_srtp_unprotect_rtp(struct rmi_srtp *s, uint8_t *data, size_t *len) {
    return count(s, unprotect(s, data, len, false), &s->stats.unprotected_packets);
}

rm_err rmi_srtp_unprotect_rtcp(struct rmi_srtp *s, uint8_t *data, size_t *len) {
    return count(s, unprotect(s, data, len, true), &s->stats.unprotected_packets);
}

void rmi_srtp_get_stats(const struct rmi_srtp *s, struct rmi_srtp_stats *out) {
    *out = s->stats;
}
