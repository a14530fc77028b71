/* SPDX-License-Identifier: Apache-2.0 */
#include "srtp/srtp_private.h"
#include <openssl/crypto.h>

/* RFC 3711 4.3.1 and 4.3.2: labels of the session keys, three for SRTP, then three for SRTCP */
#define LABEL_KEY 0
#define LABEL_AUTH 1
#define LABEL_SALT 2
#define LABELS_RTCP 3

static bool derive_keys(EVP_CIPHER_CTX *ctr, bool gcm, bool rtcp, const uint8_t *master_salt,
                        struct rmi_srtp_session_key *out) {
    size_t salt_len = gcm ? RMI_SRTP_SALT_BYTES_GCM : RMI_SRTP_SALT_BYTES_CM;
    uint8_t first = rtcp ? LABELS_RTCP : 0;
    return rmi_srtp_derive(ctr, master_salt, salt_len, first + LABEL_KEY, out->key, sizeof out->key) &&
           rmi_srtp_derive(ctr, master_salt, salt_len, first + LABEL_AUTH, out->auth, sizeof out->auth) &&
           rmi_srtp_derive(ctr, master_salt, salt_len, first + LABEL_SALT, out->salt, salt_len);
}

static rm_err init_with(struct rmi_srtp_direction *d, EVP_CIPHER_CTX *ctr, const EVP_CIPHER *type, bool gcm, bool seals,
                        const uint8_t *master_salt) {
    struct rmi_srtp_session_key key;
    rm_err err = RM_OK;
    for (int rtcp = 0; rtcp <= 1 && err == RM_OK; rtcp++) {
        err = derive_keys(ctr, gcm, rtcp, master_salt, &key)
                  ? rmi_srtp_cipher_init(rtcp ? &d->rtcp : &d->rtp, type, gcm, rtcp, seals, &key)
                  : RM_E_INTERNAL;
    }
    OPENSSL_cleanse(&key, sizeof key);
    return err;
}

rm_err rmi_srtp_direction_init(struct rmi_srtp_direction *d, bool gcm, bool seals, const uint8_t *master) {
    /* fetched here once, not through EVP_aes_128_gcm(): those look the implementation up at each use */
    EVP_CIPHER *ctr_type = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    EVP_CIPHER *gcm_type = gcm ? EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL) : NULL;
    EVP_CIPHER_CTX *ctr = EVP_CIPHER_CTX_new();
    rm_err err = RM_OK;
    if (!ctr)
        err = RM_E_NO_MEMORY;
    else if (!ctr_type || (gcm && !gcm_type) || EVP_EncryptInit_ex(ctr, ctr_type, NULL, master, NULL) != 1)
        err = RM_E_INTERNAL;
    else
        err = init_with(d, ctr, gcm ? gcm_type : ctr_type, gcm, seals, master + RMI_SRTP_KEY_BYTES);
    EVP_CIPHER_CTX_free(ctr);
    EVP_CIPHER_free(gcm_type);
    EVP_CIPHER_free(ctr_type);
    return err;
}

void rmi_srtp_direction_release(struct rmi_srtp_direction *d) {
    rmi_srtp_cipher_release(&d->rtp);
    rmi_srtp_cipher_release(&d->rtcp);
}
