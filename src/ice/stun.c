/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/stun.h"

#include "base/cursor.h"
#include "ice/hmac.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define ATTR_HEADER 4
#define INTEGRITY_LEN RMI_ICE_HMAC_LEN           /* HMAC-SHA1, RFC 8489 14.5 */
#define FINGERPRINT_LEN 4                        /* CRC-32, RFC 8489 14.7 */
#define FINGERPRINT_XOR 0x5354554Eu              /* RFC 8489 14.7 */
#define LENGTH_AT 2                              /* offset of the header's length field */
#define COMPREHENSION_OPTIONAL 0x8000u           /* RFC 8489 14: attributes from here on may be skipped */
#define FAMILY_IPV4 1                            /* RFC 8489 14.1 */
#define FAMILY_IPV6 2                            /* RFC 8489 14.1 */
#define TYPE_RESERVED_BITS 0xC000u               /* RFC 8489 5: the two top bits are zero */
#define TEXT_MAX 763                             /* RFC 8489 14.9, 14.10: fewer than 128 characters of UTF-8 */
#define KEY_TEXT_MAX (RMI_STUN_USERNAME_MAX * 3) /* user name, realm and password with their colons */
#define ERROR_CLASS_MIN 3                        /* RFC 8489 14.8 */
#define ERROR_CLASS_MAX 6
#define ERROR_NUMBER_MAX 99

/* Four bits at a time: fast enough for the short messages of ICE, without a 1 KiB table in the cache. */
static uint32_t crc32_of(const uint8_t *data, size_t len) {
    static const uint32_t step[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
                                      0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                      0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu}; /* ITU V.42, reflected */
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ step[crc & 0xFu];
        crc = (crc >> 4) ^ step[crc & 0xFu];
    }
    return ~crc;
}

/* HMAC-SHA1 over data[0..len), with the header's length field read as if the message ended after the integrity
 * attribute (RFC 8489 14.5). */
static bool integrity_of(const uint8_t *data, size_t len, const uint8_t *key, size_t key_len,
                         uint8_t out[INTEGRITY_LEN]) {
    uint8_t header[RMI_STUN_HEADER];
    memcpy(header, data, sizeof header);
    size_t body = len - RMI_STUN_HEADER + ATTR_HEADER + INTEGRITY_LEN;
    header[LENGTH_AT] = (uint8_t)(body >> 8);
    header[LENGTH_AT + 1] = (uint8_t)body;

    return rmi_ice_hmac(key, key_len, header, sizeof header, data + RMI_STUN_HEADER, len - RMI_STUN_HEADER, out);
}

bool rmi_stun_check_integrity(const struct rmi_stun_msg *m, const uint8_t *key, size_t key_len) {
    uint8_t want[INTEGRITY_LEN];
    if (!m->has_integrity || !key || !integrity_of(m->raw, m->integrity_at, key, key_len, want))
        return false;
    return CRYPTO_memcmp(want, m->raw + m->integrity_at + ATTR_HEADER, INTEGRITY_LEN) == 0;
}

bool rmi_stun_long_term_key(const char *username, const char *realm, const char *password, uint8_t out[16]) {
    char text[KEY_TEXT_MAX];
    int n = snprintf(text, sizeof text, "%s:%s:%s", username, realm, password);
    unsigned made = 0;
    bool ok =
        n > 0 && (size_t)n < sizeof text && EVP_Digest(text, (size_t)n, out, &made, EVP_md5(), NULL) == 1 && made == 16;
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

/* --- parsing --- */

/* Address attributes; `xored` ones are masked with the cookie and transaction id (RFC 8489 14.2). */
static bool read_addr(struct rmi_rd *v, const uint8_t *txid, bool xored, struct rmi_addr *out) {
    rmi_rd_skip(v, 1);
    uint8_t family = rmi_rd_u8(v);
    uint16_t port = rmi_rd_u16(v);
    size_t ip_len = family == FAMILY_IPV4 ? 4 : family == FAMILY_IPV6 ? 16 : 0;
    if (ip_len == 0 || rmi_rd_left(v) != ip_len)
        return false;
    const uint8_t *wire = rmi_rd_bytes(v, ip_len);
    if (!wire)
        return false;
    uint8_t ip[16], mask[16];
    struct rmi_wr w = rmi_wr_init(mask, sizeof mask);
    rmi_wr_u32(&w, RMI_STUN_COOKIE);
    rmi_wr_bytes(&w, txid, RMI_STUN_TXID);
    for (size_t i = 0; i < ip_len; i++)
        ip[i] = xored ? wire[i] ^ mask[i] : wire[i];
    *out = rmi_addr_from_bytes(ip, ip_len, xored ? port ^ (uint16_t)(RMI_STUN_COOKIE >> 16) : port);
    return true;
}

static bool read_error(struct rmi_rd *v, uint16_t *out) {
    rmi_rd_skip(v, 2);
    uint8_t cls = rmi_rd_u8(v) & 7u;
    uint8_t number = rmi_rd_u8(v);
    if (v->failed || cls < ERROR_CLASS_MIN || cls > ERROR_CLASS_MAX || number > ERROR_NUMBER_MAX)
        return false;
    *out = (uint16_t)(cls * 100 + number);
    return true;
}

static bool read_text(struct rmi_rd *v, size_t max, const char **out, size_t *out_len) {
    size_t n = rmi_rd_left(v);
    if (n > max)
        return false;
    *out = (const char *)rmi_rd_bytes(v, n);
    *out_len = n;
    return *out != NULL;
}

static bool read_u32(struct rmi_rd *v, uint32_t *out) {
    if (rmi_rd_left(v) != sizeof *out)
        return false;
    *out = rmi_rd_u32(v);
    return !v->failed;
}

static bool read_role(struct rmi_rd *v, struct rmi_stun_msg *m, bool *flag) {
    if (rmi_rd_left(v) != sizeof m->tiebreaker)
        return false;
    uint64_t value = rmi_rd_u64(v);
    if (!m->ice_controlling && !m->ice_controlled)
        m->tiebreaker = value;
    *flag = true;
    return !v->failed;
}

static bool read_data(struct rmi_rd *v, struct rmi_stun_msg *m) {
    m->data_len = rmi_rd_left(v);
    m->data = rmi_rd_bytes(v, m->data_len);
    m->has_data = true;
    return m->data != NULL;
}

static bool read_channel(struct rmi_rd *v, struct rmi_stun_msg *m) {
    uint32_t value = 0;
    if (!read_u32(v, &value))
        return false;
    m->channel = (uint16_t)(value >> 16); /* the lower half is reserved, RFC 8656 18.1 */
    m->has_channel = true;
    return true;
}

/* Parser state that is of no use to callers. */
struct parse {
    struct rmi_stun_msg *m;
    struct rmi_addr mapped; /* MAPPED-ADDRESS, which counts only without XOR-MAPPED-ADDRESS */
};

static bool read_addr_attr(struct parse *p, uint16_t type, struct rmi_rd *v) {
    struct rmi_stun_msg *m = p->m;
    switch (type) {
    case RMI_STUN_A_MAPPED_ADDRESS:
        return read_addr(v, m->txid, false, &p->mapped);
    case RMI_STUN_A_ALTERNATE_SERVER:
        return read_addr(v, m->txid, false, &m->alternate);
    case RMI_STUN_A_XOR_MAPPED_ADDRESS:
        return read_addr(v, m->txid, true, &m->xor_mapped);
    case RMI_STUN_A_XOR_RELAYED_ADDRESS:
        return read_addr(v, m->txid, true, &m->xor_relayed);
    default:
        return read_addr(v, m->txid, true, &m->xor_peer);
    }
}

static bool read_attr(struct parse *p, uint16_t type, struct rmi_rd *v) {
    struct rmi_stun_msg *m = p->m;
    uint32_t ignored = 0;
    switch (type) {
    case RMI_STUN_A_MAPPED_ADDRESS:
    case RMI_STUN_A_ALTERNATE_SERVER:
    case RMI_STUN_A_XOR_MAPPED_ADDRESS:
    case RMI_STUN_A_XOR_RELAYED_ADDRESS:
    case RMI_STUN_A_XOR_PEER_ADDRESS:
        return read_addr_attr(p, type, v);
    case RMI_STUN_A_USERNAME:
        return read_text(v, RMI_STUN_USERNAME_MAX, &m->username, &m->username_len);
    case RMI_STUN_A_REALM:
        return read_text(v, TEXT_MAX, &m->realm, &m->realm_len);
    case RMI_STUN_A_NONCE:
        return read_text(v, TEXT_MAX, &m->nonce, &m->nonce_len);
    case RMI_STUN_A_ERROR_CODE:
        return read_error(v, &m->error_code);
    case RMI_STUN_A_CHANNEL_NUMBER:
        return read_channel(v, m);
    case RMI_STUN_A_LIFETIME:
        return m->has_lifetime = read_u32(v, &m->lifetime);
    case RMI_STUN_A_PRIORITY:
        return m->has_priority = read_u32(v, &m->priority);
    case RMI_STUN_A_DATA:
        return read_data(v, m);
    case RMI_STUN_A_USE_CANDIDATE:
        m->use_candidate = true;
        return rmi_rd_left(v) == 0;
    case RMI_STUN_A_ICE_CONTROLLED:
        return read_role(v, m, &m->ice_controlled);
    case RMI_STUN_A_ICE_CONTROLLING:
        return read_role(v, m, &m->ice_controlling);
    case RMI_STUN_A_REQUESTED_ADDRESS_FAMILY:
    case RMI_STUN_A_REQUESTED_TRANSPORT:
        return read_u32(v, &ignored);
    case RMI_STUN_A_UNKNOWN_ATTRIBUTES:
        return true;
    default:
        if (type < COMPREHENSION_OPTIONAL && m->unknown_attr == 0)
            m->unknown_attr = type;
        return true;
    }
}

/* Only the first of several equal attributes counts (RFC 8489 14). ICE and TURN attributes that fit one message are
 * few, so a bit set over the low byte of both ranges is enough. */
static bool seen_before(uint64_t seen[2], uint16_t type) {
    uint16_t low = type & 0x7FFFu;
    if (low >= 64)
        return false;
    uint64_t bit = UINT64_C(1) << low;
    uint64_t *set = &seen[type >= COMPREHENSION_OPTIONAL];
    bool was = (*set & bit) != 0;
    *set |= bit;
    return was;
}

static bool check_fingerprint(const struct rmi_stun_msg *m, size_t at, struct rmi_rd *v) {
    uint32_t value = 0;
    if (!read_u32(v, &value))
        return false;
    return value == (crc32_of(m->raw, at) ^ FINGERPRINT_XOR);
}

static bool parse_attrs(struct parse *p, struct rmi_rd *r) {
    struct rmi_stun_msg *m = p->m;
    uint64_t seen[2] = {0, 0};
    while (rmi_rd_left(r) > 0) {
        size_t at = r->pos;
        uint16_t type = rmi_rd_u16(r);
        uint16_t n = rmi_rd_u16(r);
        struct rmi_rd v = rmi_rd_sub(r, n);
        rmi_rd_skip(r, (4u - (n & 3u)) & 3u);
        if (r->failed || v.failed || m->has_fingerprint) /* FINGERPRINT is the last one, RFC 8489 14.7 */
            return false;
        if (type == RMI_STUN_A_FINGERPRINT) {
            if (!check_fingerprint(m, at, &v))
                return false;
            m->has_fingerprint = true;
        } else if (m->has_integrity || seen_before(seen, type)) {
            continue;
        } else if (type == RMI_STUN_A_MESSAGE_INTEGRITY) {
            if (n != INTEGRITY_LEN)
                return false;
            m->has_integrity = true;
            m->integrity_at = at;
        } else if (!read_attr(p, type, &v)) {
            return false;
        }
    }
    return true;
}

rm_err rmi_stun_parse(const uint8_t *data, size_t len, struct rmi_stun_msg *out) {
    memset(out, 0, sizeof *out);
    struct rmi_rd r = rmi_rd_init(data, len);
    uint16_t type = rmi_rd_u16(&r);
    uint16_t body = rmi_rd_u16(&r);
    uint32_t cookie = rmi_rd_u32(&r);
    const uint8_t *txid = rmi_rd_bytes(&r, RMI_STUN_TXID);
    if (r.failed || (type & TYPE_RESERVED_BITS) || cookie != RMI_STUN_COOKIE || (body & 3u) || rmi_rd_left(&r) != body)
        return RM_E_PARSE;
    memcpy(out->txid, txid, RMI_STUN_TXID);
    out->raw = data;
    out->raw_len = len;
    /* RFC 8489 5: the class bits sit at 4 and 8, between the method's bits. */
    out->cls = (enum rmi_stun_class)(((type >> 4) & 1u) | ((type >> 7) & 2u));
    out->method = (uint16_t)((type & 0xFu) | ((type >> 1) & 0x70u) | ((type >> 2) & 0xF80u));

    struct parse p = {.m = out};
    if (!parse_attrs(&p, &r))
        return RM_E_PARSE;
    if (out->xor_mapped.family == 0)
        out->xor_mapped = p.mapped;
    return RM_OK;
}

/* --- building --- */

static struct rmi_wr tail_of(const struct rmi_stun_builder *b) {
    struct rmi_wr w = rmi_wr_init(b->data, b->cap);
    w.pos = b->len;
    w.failed = b->failed;
    return w;
}

static void take_tail(struct rmi_stun_builder *b, const struct rmi_wr *w) {
    b->failed = w->failed || w->pos - RMI_STUN_HEADER > UINT16_MAX;
    b->len = w->pos;
}

void rmi_stun_begin(struct rmi_stun_builder *b, void *buf, size_t cap, enum rmi_stun_class cls, uint16_t method,
                    const uint8_t txid[RMI_STUN_TXID]) {
    memset(b, 0, sizeof *b);
    b->data = buf;
    b->cap = cap;
    memcpy(b->txid, txid, RMI_STUN_TXID);
    unsigned c = (unsigned)cls;
    unsigned type =
        (method & 0xFu) | ((method & 0x70u) << 1) | ((method & 0xF80u) << 2) | ((c & 1u) << 4) | ((c & 2u) << 7);
    struct rmi_wr w = rmi_wr_init(buf, cap);
    rmi_wr_u16(&w, (uint16_t)type);
    rmi_wr_u16(&w, 0);
    rmi_wr_u32(&w, RMI_STUN_COOKIE);
    rmi_wr_bytes(&w, txid, RMI_STUN_TXID);
    b->len = w.pos;
    b->failed = w.failed;
}

void rmi_stun_add_bytes(struct rmi_stun_builder *b, uint16_t attr, const void *data, size_t len) {
    if (b->failed || len > UINT16_MAX) {
        b->failed = true;
        return;
    }
    struct rmi_wr w = tail_of(b);
    rmi_wr_u16(&w, attr);
    rmi_wr_u16(&w, (uint16_t)len);
    if (len > 0)
        rmi_wr_bytes(&w, data, len);
    rmi_wr_zero(&w, (4 - (len & 3)) & 3);
    take_tail(b, &w);
}

void rmi_stun_add_u32(struct rmi_stun_builder *b, uint16_t attr, uint32_t v) {
    uint8_t bytes[sizeof v];
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    rmi_wr_u32(&w, v);
    rmi_stun_add_bytes(b, attr, bytes, sizeof bytes);
}

void rmi_stun_add_u64(struct rmi_stun_builder *b, uint16_t attr, uint64_t v) {
    uint8_t bytes[sizeof v];
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    rmi_wr_u64(&w, v);
    rmi_stun_add_bytes(b, attr, bytes, sizeof bytes);
}

void rmi_stun_add_xor_addr(struct rmi_stun_builder *b, uint16_t attr, const struct rmi_addr *a) {
    uint8_t bytes[4 + 16], mask[16];
    size_t ip_len = a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
    if (ip_len == 0) {
        b->failed = true;
        return;
    }
    struct rmi_wr m = rmi_wr_init(mask, sizeof mask);
    rmi_wr_u32(&m, RMI_STUN_COOKIE);
    rmi_wr_bytes(&m, b->txid, RMI_STUN_TXID);
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    rmi_wr_u8(&w, 0);
    rmi_wr_u8(&w, a->family == 4 ? FAMILY_IPV4 : FAMILY_IPV6);
    rmi_wr_u16(&w, a->port ^ (uint16_t)(RMI_STUN_COOKIE >> 16));
    for (size_t i = 0; i < ip_len; i++)
        rmi_wr_u8(&w, a->ip[i] ^ mask[i]);
    rmi_stun_add_bytes(b, attr, bytes, w.pos);
}

void rmi_stun_add_error(struct rmi_stun_builder *b, uint16_t code, const char *reason) {
    uint8_t bytes[4 + TEXT_MAX];
    unsigned cls = code / 100u;
    if (cls < ERROR_CLASS_MIN || cls > ERROR_CLASS_MAX) {
        b->failed = true;
        return;
    }
    struct rmi_wr w = rmi_wr_init(bytes, sizeof bytes);
    rmi_wr_u16(&w, 0);
    rmi_wr_u8(&w, (uint8_t)cls);
    rmi_wr_u8(&w, (uint8_t)(code % 100u));
    rmi_wr_bytes(&w, reason, strlen(reason));
    if (w.failed)
        b->failed = true;
    else
        rmi_stun_add_bytes(b, RMI_STUN_A_ERROR_CODE, bytes, w.pos);
}

static void patch_length(struct rmi_stun_builder *b, size_t len) {
    struct rmi_wr w = tail_of(b);
    rmi_wr_patch_u16(&w, LENGTH_AT, (uint16_t)(len - RMI_STUN_HEADER));
    b->failed = w.failed;
}

size_t rmi_stun_finish(struct rmi_stun_builder *b, const uint8_t *key, size_t key_len, bool fingerprint) {
    if (!b->failed && key) {
        uint8_t mac[INTEGRITY_LEN];
        if (!integrity_of(b->data, b->len, key, key_len, mac))
            b->failed = true;
        rmi_stun_add_bytes(b, RMI_STUN_A_MESSAGE_INTEGRITY, mac, sizeof mac);
    }
    if (!b->failed && fingerprint) {
        patch_length(b, b->len + ATTR_HEADER + FINGERPRINT_LEN); /* the CRC covers the final length */
        rmi_stun_add_u32(b, RMI_STUN_A_FINGERPRINT, crc32_of(b->data, b->len) ^ FINGERPRINT_XOR);
    }
    if (!b->failed)
        patch_length(b, b->len);
    return b->failed ? 0 : b->len;
}
