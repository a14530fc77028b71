/* SPDX-License-Identifier: Apache-2.0 */
#include "support/srtp_reference.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { CM_TAG = 10, GCM_TAG = 16, RTCP_CLEAR = 8 };

static void require(bool ok) {
    if (!ok)
        abort();
}

static void put32(uint8_t *out, uint32_t v) {
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void xor_into(uint8_t *out, const uint8_t *in, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] ^= in[i];
}

static void aes_ctr(const uint8_t key[16], const uint8_t iv[16], uint8_t *data, size_t len) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    require(EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, key, iv) == 1);
    require(EVP_EncryptUpdate(ctx, data, &n, data, (int)len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

void rmt_srtp_derive(const uint8_t master_key[16], const uint8_t *master_salt, size_t salt_len, uint8_t label,
                     uint8_t *out, size_t n) {
    uint8_t iv[16] = {0};
    memcpy(iv, master_salt, salt_len);
    iv[7] ^= label; /* label, then 48 bits of index, right-aligned in the 14 octets */
    memset(out, 0, n);
    aes_ctr(master_key, iv, out, n);
}

struct rmt_srtp_session_keys rmt_srtp_session(bool gcm, bool rtcp, const uint8_t *master) {
    struct rmt_srtp_session_keys keys = {.gcm = gcm};
    size_t salt_len = gcm ? 12 : 14;
    uint8_t first = rtcp ? 3 : 0; /* labels 0..2 for SRTP, 3..5 for SRTCP */
    rmt_srtp_derive(master, master + 16, salt_len, first, keys.key, sizeof keys.key);
    rmt_srtp_derive(master, master + 16, salt_len, first + 1, keys.auth, sizeof keys.auth);
    rmt_srtp_derive(master, master + 16, salt_len, first + 2, keys.salt, salt_len);
    return keys;
}

static void hmac_tag(const struct rmt_srtp_session_keys *keys, uint8_t *data, size_t len, size_t tag_at) {
    uint8_t tag[20];
    unsigned n = sizeof tag;
    require(HMAC(EVP_sha1(), keys->auth, sizeof keys->auth, data, len, tag, &n) != NULL);
    memcpy(data + tag_at, tag, CM_TAG);
}

static void gcm_seal(const struct rmt_srtp_session_keys *keys, const uint8_t iv[12], const uint8_t *aad[2],
                     const size_t aad_len[2], uint8_t *data, size_t len) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    require(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, keys->key, iv) == 1);
    for (int i = 0; i < 2; i++)
        require(!aad_len[i] || EVP_EncryptUpdate(ctx, NULL, &n, aad[i], (int)aad_len[i]) == 1);
    require(!len || EVP_EncryptUpdate(ctx, data, &n, data, (int)len) == 1);
    require(EVP_EncryptFinal_ex(ctx, data + len, &n) == 1);
    require(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, GCM_TAG, data + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

size_t rmt_srtp_protect(const struct rmt_srtp_session_keys *keys, uint8_t *data, size_t len, size_t header,
                        uint32_t roc) {
    uint8_t iv[16] = {0};
    if (keys->gcm) { /* RFC 7714 8.1 */
        memcpy(iv + 2, data + 8, 4);
        put32(iv + 6, roc);
        memcpy(iv + 10, data + 2, 2);
        xor_into(iv, keys->salt, 12);
        const uint8_t *aad[2] = {data, NULL};
        gcm_seal(keys, iv, aad, (const size_t[2]){header, 0}, data + header, len - header);
        return len + GCM_TAG;
    }
    memcpy(iv + 4, data + 8, 4); /* RFC 3711 4.1.1 */
    put32(iv + 8, roc);
    memcpy(iv + 12, data + 2, 2);
    xor_into(iv, keys->salt, 14);
    aes_ctr(keys->key, iv, data + header, len - header);
    put32(data + len, roc); /* authenticated, not sent */
    hmac_tag(keys, data, len + 4, len);
    return len + CM_TAG;
}

size_t rmt_srtp_protect_rtcp(const struct rmt_srtp_session_keys *keys, uint8_t *data, size_t len, uint32_t index) {
    uint8_t iv[16] = {0}, word[4];
    put32(word, index | 0x80000000u);
    if (keys->gcm) { /* RFC 7714 9.1 */
        memcpy(iv + 2, data + 4, 4);
        put32(iv + 8, index);
        xor_into(iv, keys->salt, 12);
        const uint8_t *aad[2] = {data, word};
        gcm_seal(keys, iv, aad, (const size_t[2]){RTCP_CLEAR, sizeof word}, data + RTCP_CLEAR, len - RTCP_CLEAR);
        memcpy(data + len + GCM_TAG, word, sizeof word);
        return len + GCM_TAG + sizeof word;
    }
    memcpy(iv + 4, data + 4, 4);
    put32(iv + 10, index);
    xor_into(iv, keys->salt, 14);
    aes_ctr(keys->key, iv, data + RTCP_CLEAR, len - RTCP_CLEAR);
    memcpy(data + len, word, sizeof word);
    hmac_tag(keys, data, len + sizeof word, len + sizeof word);
    return len + sizeof word + CM_TAG;
}
