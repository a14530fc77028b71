/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA1 from SHA-1's own functions: EVP_MAC, HMAC and EVP_Digest of OpenSSL 3.0 all allocate twice for each message
 * when they start again with a kept key (measured), and take 0.3 us longer. These functions are marked as deprecated
 * there, but copying their state is free. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "srtp/srtp_private.h"
#include <openssl/crypto.h>
#include <string.h>

#define INNER_PAD 0x36 /* RFC 2104 2 */
#define OUTER_PAD 0x5c

static bool start(SHA_CTX *sha, const uint8_t key[RMI_SRTP_AUTH_KEY_BYTES], uint8_t pad) {
    uint8_t block[SHA_CBLOCK] = {0};
    memcpy(block, key, RMI_SRTP_AUTH_KEY_BYTES);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= pad;
    bool ok = SHA1_Init(sha) == 1 && SHA1_Update(sha, block, sizeof block) == 1;
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

bool rmi_srtp_hmac_init(struct rmi_srtp_hmac *h, const uint8_t key[RMI_SRTP_AUTH_KEY_BYTES]) {
    return start(&h->inner, key, INNER_PAD) && start(&h->outer, key, OUTER_PAD);
}

bool rmi_srtp_hmac(const struct rmi_srtp_hmac *h, const uint8_t *data, size_t len, const uint8_t word[4],
                   uint8_t out[SHA_DIGEST_LENGTH]) {
    SHA_CTX sha = h->inner;
    if (SHA1_Update(&sha, data, len) != 1 || SHA1_Update(&sha, word, 4) != 1 || SHA1_Final(out, &sha) != 1)
        return false;
    sha = h->outer;
    return SHA1_Update(&sha, out, SHA_DIGEST_LENGTH) == 1 && SHA1_Final(out, &sha) == 1;
}
