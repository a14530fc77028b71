/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "dtls/dtls_private.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct hash {
    const char *name; /* RFC 8122 section 5 */
    size_t len;
    const EVP_MD *(*md)(void);
};

static const struct hash *find_hash(const char *name) {
    static const struct hash hashes[] = {
        {"sha-256", 32, EVP_sha256},
        {"sha-384", 48, EVP_sha384},
        {"sha-512", 64, EVP_sha512},
    };
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        if (!strcasecmp(hashes[i].name, name))
            return &hashes[i];
    return NULL;
}

size_t rmi_fingerprint_hash_len(const char *hash) {
    const struct hash *h = find_hash(hash);
    return h ? h->len : 0;
}

bool rmi_fingerprint_of(const X509 *x509, const char *hash, struct rmi_fingerprint *out) {
    const struct hash *h = find_hash(hash);
    unsigned len = 0;
    if (!h)
        return false;
    memset(out, 0, sizeof *out);
    snprintf(out->hash, sizeof out->hash, "%s", h->name);
    if (!X509_digest(x509, h->md(), out->bytes, &len) || len != h->len)
        return false;
    out->len = len;
    return true;
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') /* RFC 8122 wants upper case, some write lower */
        return c - 'a' + 10;
    return -1;
}

/* "AB:CD:EF" to the end of the input. */
static bool parse_bytes(struct rmi_rd *r, struct rmi_fingerprint *f) {
    for (;;) {
        int high = hex_value(rmi_rd_u8(r));
        int low = hex_value(rmi_rd_u8(r));
        if (r->failed || high < 0 || low < 0 || f->len == RMI_FINGERPRINT_BYTES_MAX)
            return false;
        f->bytes[f->len++] = (uint8_t)(high << 4 | low);
        if (rmi_rd_left(r) == 0)
            return true;
        if (rmi_rd_u8(r) != ':')
            return false;
    }
}

/* Token characters of a hash name, lower-cased, up to the first space, which is consumed. */
static bool parse_hash(struct rmi_rd *r, struct rmi_fingerprint *f) {
    size_t n = 0;
    for (;;) {
        uint8_t c = rmi_rd_u8(r);
        if (r->failed)
            return false;
        if (c == ' ')
            return n > 0;
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') || n + 1 == sizeof f->hash)
            return false;
        f->hash[n++] = (char)c;
    }
}

rm_err rmi_fingerprint_parse(const char *text, size_t len, struct rmi_fingerprint *out) {
    struct rmi_rd r = rmi_rd_init(text, len);
    struct rmi_fingerprint f;
    memset(&f, 0, sizeof f);
    if (!parse_hash(&r, &f) || !parse_bytes(&r, &f))
        return RM_E_PARSE;
    size_t want = rmi_fingerprint_hash_len(f.hash);
    if (want == 0)
        return RM_E_UNSUPPORTED;
    if (f.len != want)
        return RM_E_PARSE;
    *out = f;
    return RM_OK;
}

const char *rmi_fingerprint_text(const struct rmi_fingerprint *f, char out[RMI_FINGERPRINT_TEXT_MAX]) {
    size_t n = f->len < RMI_FINGERPRINT_BYTES_MAX ? f->len : RMI_FINGERPRINT_BYTES_MAX;
    int at = snprintf(out, RMI_FINGERPRINT_TEXT_MAX, "%.*s", (int)sizeof f->hash - 1, f->hash);
    for (size_t i = 0; i < n; i++)
        at += snprintf(out + at, RMI_FINGERPRINT_TEXT_MAX - (size_t)at, "%c%02X", i ? ':' : ' ', f->bytes[i]);
    return out;
}

bool rmi_dtls_fingerprint_matches(const struct rmi_dtls *d, const X509 *x509) {
    size_t strongest = 0;
    for (size_t i = 0; i < d->remote_count; i++)
        if (d->remote[i].len > strongest)
            strongest = d->remote[i].len;
    for (size_t i = 0; i < d->remote_count; i++) {
        struct rmi_fingerprint have;
        /* RFC 8122 5: of several hashes only the strongest counts. */
        if (d->remote[i].len == strongest && rmi_fingerprint_of(x509, d->remote[i].hash, &have) &&
            !memcmp(have.bytes, d->remote[i].bytes, have.len))
            return true;
    }
    return false;
}
