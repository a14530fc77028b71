/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA1 from SHA-1's own functions, which OpenSSL 3.0 marks as deprecated: its EVP_MAC makes thirteen heap calls
 * for each message (measured). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ice/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define INNER_PAD 0x36 /* RFC 2104 2 */
#define OUTER_PAD 0x5c

static bool start(SHA_CTX *sha, const uint8_t key[SHA_CBLOCK], uint8_t pad) {
    uint8_t block[SHA_CBLOCK];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    bool ok = SHA1_Init(sha) == 1 && SHA1_Update(sha, block, sizeof block) == 1;
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

static bool shorten(const uint8_t *key, size_t key_len, uint8_t out[SHA_CBLOCK]) {
    SHA_CTX sha;
    return SHA1_Init(&sha) == 1 && SHA1_Update(&sha, key, key_len) == 1 && SHA1_Final(out, &sha) == 1;
}

bool rmi_ice_hmac(const uint8_t *key, size_t key_len, const uint8_t *head, size_t head_len, const uint8_t *rest,
                  size_t rest_len, uint8_t out[RMI_ICE_HMAC_LEN]) {
    uint8_t block[SHA_CBLOCK] = {0};
    SHA_CTX inner, outer;
    bool ok = true;
    if (key_len > sizeof block)
        ok = shorten(key, key_len, block);
    else if (key_len > 0)
        memcpy(block, key, key_len);
    ok = ok && start(&inner, block, INNER_PAD) && start(&outer, block, OUTER_PAD) &&
         SHA1_Update(&inner, head, head_len) == 1 && SHA1_Update(&inner, rest, rest_len) == 1 &&
         SHA1_Final(out, &inner) == 1 && SHA1_Update(&outer, out, RMI_ICE_HMAC_LEN) == 1 &&
         SHA1_Final(out, &outer) == 1;
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(&inner, sizeof inner);
    OPENSSL_cleanse(&outer, sizeof outer);
    return ok;
}
