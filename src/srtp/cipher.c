/* SPDX-License-Identifier: Apache-2.0 */
#include "srtp/srtp_private.h"
#include <openssl/crypto.h>
#include <string.h>

#define CTR_IV_BYTES 16
#define GCM_IV_BYTES 12
#define SSRC_AT_CM 4  /* in the IV: RFC 3711 4.1.1 */
#define SSRC_AT_GCM 2 /* RFC 7714 8.1, 9.1 */
#define SSRC_BYTES 4
#define IV_INDEX_BYTES 6 /* 48 bits of SRTP; the 31 of SRTCP lie in the same place, right-aligned */
#define LABEL_AT 7       /* RFC 3711 4.3.1: above the 48 bits of index in a salt of 112 bits */
#define SEQ_BITS 16
#define ENCRYPTED_BIT UINT32_C(0x80000000) /* RFC 3711 3.4: E */
#define WORD_BYTES 4
#define RTCP_CLEAR 8

static void put_u32(uint8_t *out, uint32_t v) {
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

bool rmi_srtp_derive(EVP_CIPHER_CTX *ctr, const uint8_t *master_salt, size_t salt_len, uint8_t label, uint8_t *out,
                     size_t n) {
    uint8_t iv[CTR_IV_BYTES] = {0};
    int written = 0;
    memcpy(iv, master_salt, salt_len);
    iv[LABEL_AT] ^= label;
    memset(out, 0, n); /* the key is the keystream itself */
    return EVP_EncryptInit_ex(ctr, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(ctr, out, &written, out, (int)n) == 1;
}

rm_err rmi_srtp_cipher_init(struct rmi_srtp_cipher *c, const EVP_CIPHER *type, bool gcm, bool rtcp, bool seals,
                            const struct rmi_srtp_session_key *key) {
    c->gcm = gcm;
    c->rtcp = rtcp;
    memcpy(c->salt, key->salt, gcm ? RMI_SRTP_SALT_BYTES_GCM : RMI_SRTP_SALT_BYTES_CM);
    c->evp = EVP_CIPHER_CTX_new();
    if (!c->evp)
        return RM_E_NO_MEMORY;
    /* counter mode runs the same way in both directions */
    if (EVP_CipherInit_ex(c->evp, type, NULL, key->key, NULL, seals || !gcm) != 1)
        return RM_E_INTERNAL;
    return gcm || rmi_srtp_hmac_init(&c->hmac, key->auth) ? RM_OK : RM_E_INTERNAL;
}

void rmi_srtp_cipher_release(struct rmi_srtp_cipher *c) {
    EVP_CIPHER_CTX_free(c->evp);
    OPENSSL_cleanse(c, sizeof *c);
}

/* ---- what both profiles share ---- */

static void set_iv(const struct rmi_srtp_cipher *c, uint32_t ssrc, uint64_t index, uint8_t iv[CTR_IV_BYTES]) {
    size_t salt_len = c->gcm ? RMI_SRTP_SALT_BYTES_GCM : RMI_SRTP_SALT_BYTES_CM;
    uint8_t *at = iv + (c->gcm ? SSRC_AT_GCM : SSRC_AT_CM);
    memset(iv, 0, CTR_IV_BYTES);
    memcpy(iv, c->salt, salt_len);
    for (int i = 0; i < SSRC_BYTES; i++)
        at[i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
    at += SSRC_BYTES;
    for (int i = 0; i < IV_INDEX_BYTES; i++)
        at[i] ^= (uint8_t)(index >> (40 - 8 * i));
}

/* What is authenticated beside the packet: the rollover counter, which is not sent, or the SRTCP index, which is. */
static void set_word(const struct rmi_srtp_cipher *c, uint64_t index, uint8_t word[WORD_BYTES]) {
    put_u32(word, c->rtcp ? (uint32_t)index | ENCRYPTED_BIT : (uint32_t)(index >> SEQ_BITS));
}

static size_t trailer_len(const struct rmi_srtp_cipher *c) {
    return (c->gcm ? RMI_SRTP_TAG_BYTES_GCM : RMI_SRTP_TAG_BYTES_CM) + (c->rtcp ? RMI_SRTP_INDEX_BYTES : 0);
}

/* ---- AES_CM_128_HMAC_SHA1_80 ---- */

static bool cm_crypt(const struct rmi_srtp_cipher *c, const uint8_t *iv, uint8_t *data, size_t len) {
    int n = 0;
    return len == 0 || (EVP_EncryptInit_ex(c->evp, NULL, NULL, NULL, iv) == 1 &&
                        EVP_EncryptUpdate(c->evp, data, &n, data, (int)len) == 1);
}

static bool cm_seal(const struct rmi_srtp_cipher *c, const uint8_t *iv, const uint8_t word[WORD_BYTES], uint8_t *data,
                    size_t clear, size_t len) {
    uint8_t tag[SHA_DIGEST_LENGTH], *end = data + len;
    if (!cm_crypt(c, iv, data + clear, len - clear) || !rmi_srtp_hmac(&c->hmac, data, len, word, tag))
        return false;
    if (c->rtcp) {
        memcpy(end, word, WORD_BYTES);
        end += WORD_BYTES;
    }
    memcpy(end, tag, RMI_SRTP_TAG_BYTES_CM);
    return true;
}

static bool cm_open(const struct rmi_srtp_cipher *c, const uint8_t *iv, const uint8_t word[WORD_BYTES], uint8_t *data,
                    size_t clear, size_t len) {
    uint8_t tag[SHA_DIGEST_LENGTH];
    const uint8_t *sent = data + len + (c->rtcp ? WORD_BYTES : 0);
    return rmi_srtp_hmac(&c->hmac, data, len, word, tag) && CRYPTO_memcmp(tag, sent, RMI_SRTP_TAG_BYTES_CM) == 0 &&
           cm_crypt(c, iv, data + clear, len - clear);
}

/* ---- AEAD_AES_128_GCM ---- */

/* Associated data: the clear part, and the index of SRTCP (RFC 7714 9.3). */
static bool gcm_associate(const struct rmi_srtp_cipher *c, const uint8_t word[WORD_BYTES], const uint8_t *data,
                          size_t clear) {
    int n = 0;
    if (!c->rtcp)
        return EVP_CipherUpdate(c->evp, NULL, &n, data, (int)clear) == 1;
    uint8_t both[RTCP_CLEAR + WORD_BYTES];
    memcpy(both, data, RTCP_CLEAR);
    memcpy(both + RTCP_CLEAR, word, WORD_BYTES);
    return EVP_CipherUpdate(c->evp, NULL, &n, both, sizeof both) == 1;
}

static bool gcm_seal(const struct rmi_srtp_cipher *c, const uint8_t *iv, const uint8_t word[WORD_BYTES], uint8_t *data,
                     size_t clear, size_t len) {
    int n = 0;
    uint8_t *end = data + len;
    if (EVP_EncryptInit_ex(c->evp, NULL, NULL, NULL, iv) != 1 || !gcm_associate(c, word, data, clear))
        return false;
    if (len > clear && EVP_EncryptUpdate(c->evp, data + clear, &n, data + clear, (int)(len - clear)) != 1)
        return false;
    if (EVP_EncryptFinal_ex(c->evp, end, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_GET_TAG, RMI_SRTP_TAG_BYTES_GCM, end) != 1)
        return false;
    if (c->rtcp)
        memcpy(end + RMI_SRTP_TAG_BYTES_GCM, word, WORD_BYTES);
    return true;
}

static bool gcm_open(const struct rmi_srtp_cipher *c, const uint8_t *iv, const uint8_t word[WORD_BYTES], uint8_t *data,
                     size_t clear, size_t len) {
    int n = 0;
    uint8_t *tag = data + len;
    if (EVP_DecryptInit_ex(c->evp, NULL, NULL, NULL, iv) != 1 ||
        EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_SET_TAG, RMI_SRTP_TAG_BYTES_GCM, tag) != 1 ||
        !gcm_associate(c, word, data, clear))
        return false;
    if (len > clear && EVP_DecryptUpdate(c->evp, data + clear, &n, data + clear, (int)(len - clear)) != 1)
        return false;
    return EVP_DecryptFinal_ex(c->evp, tag, &n) == 1; /* compares in constant time */
}

/* ---- either ---- */

size_t rmi_srtp_seal(const struct rmi_srtp_cipher *c, uint32_t ssrc, uint64_t index, uint8_t *data, size_t clear,
                     size_t len) {
    uint8_t iv[CTR_IV_BYTES], word[WORD_BYTES];
    set_iv(c, ssrc, index, iv);
    set_word(c, index, word);
    bool ok = c->gcm ? gcm_seal(c, iv, word, data, clear, len) : cm_seal(c, iv, word, data, clear, len);
    return ok ? len + trailer_len(c) : 0;
}

bool rmi_srtp_open(const struct rmi_srtp_cipher *c, uint32_t ssrc, uint64_t index, uint8_t *data, size_t clear,
                   size_t len) {
    uint8_t iv[CTR_IV_BYTES], word[WORD_BYTES];
    set_iv(c, ssrc, index, iv);
    set_word(c, index, word);
    return c->gcm ? gcm_open(c, iv, word, data, clear, len) : cm_open(c, iv, word, data, clear, len);
}
