/* SPDX-License-Identifier: Apache-2.0 */
#include "dtls/dtls_private.h"
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/srtp.h>
#include <stdlib.h>

#define SECONDS_PER_DAY 86400
#define VALID_BEFORE_DAYS 1 /* peers' clocks differ */
#define VALID_AFTER_DAYS 30
/* RFC 5764 4.1.2, RFC 7714 14.2; GCM first: a quarter of the cost */
#define SRTP_PROFILES "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
/* RFC 8827 6.5 asks for the first; RSA for older peers. Forward secrecy and AEAD only. */
#define CIPHERS                                                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"                       \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"
#define SECURITY_LEVEL 2 /* at least 112 bits, whatever the system's openssl.cnf says */
#define SECURITY_BITS_MIN 112
#define KEY_BITS_MAX 8192 /* bounds what one signature check of a peer can cost */

static bool key_acceptable(X509 *x509) {
    EVP_PKEY *key = X509_get0_pubkey(x509);
    if (!key)
        return false;
    int type = EVP_PKEY_get_base_id(key);
    return (type == EVP_PKEY_EC || type == EVP_PKEY_RSA) && EVP_PKEY_get_security_bits(key) >= SECURITY_BITS_MIN &&
           EVP_PKEY_get_bits(key) <= KEY_BITS_MAX;
}

/* In place of a chain check: the certificates are self-signed, what counts is the signaled fingerprint. When that is
 * known already, a wrong certificate is refused here, so that the peer gets an alert. */
static int verify_peer(X509_STORE_CTX *store, void *arg) {
    (void)arg;
    X509 *x509 = X509_STORE_CTX_get0_cert(store);
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rmi_dtls *d = ssl ? SSL_get_app_data(ssl) : NULL;
    if (!x509 || !d)
        return 0;
    if (!key_acceptable(x509)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_EE_KEY_TOO_SMALL);
        return 0;
    }
    if (d->remote_count > 0 && !rmi_dtls_fingerprint_matches(d, x509)) {
        d->mismatch = true;
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED); /* alert bad_certificate, RFC 8122 6.2 */
        return 0;
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static SSL_CTX *create_context(X509 *x509, EVP_PKEY *key) {
    static const unsigned char session_context[] = "dtls";
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_ECDH_USE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ctx, RMI_DTLS_MESSAGE_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_peer, NULL);
    if (!SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) || !SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) ||
        !SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1) ||
        !SSL_CTX_set_cipher_list(ctx, CIPHERS) || !SSL_CTX_set1_groups_list(ctx, GROUPS) ||
        SSL_CTX_set_tlsext_use_srtp(ctx, SRTP_PROFILES) != 0 || /* 0 is success here */
        SSL_CTX_use_certificate(ctx, x509) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static X509 *create_x509(EVP_PKEY *key, int64_t unix_seconds) {
    X509 *x509 = X509_new();
    uint64_t serial = 0;
    if (!x509)
        return NULL;
    X509_NAME *name = X509_get_subject_name(x509);
    time_t from = (time_t)(unix_seconds - (int64_t)VALID_BEFORE_DAYS * SECONDS_PER_DAY);
    time_t until = (time_t)(unix_seconds + (int64_t)VALID_AFTER_DAYS * SECONDS_PER_DAY);
    bool ok = RAND_bytes((unsigned char *)&serial, sizeof serial) == 1;
    serial >>= 1; /* positive and at most 20 octets (RFC 5280 4.1.2.2) */
    ok = ok && X509_set_version(x509, X509_VERSION_3) &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial ? serial : 1) &&
         ASN1_TIME_set(X509_getm_notBefore(x509), from) && ASN1_TIME_set(X509_getm_notAfter(x509), until) &&
         /* The same name everywhere, so that it identifies nobody. */
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC", -1, -1, 0) &&
         X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key) && X509_sign(x509, key, EVP_sha256());
    if (!ok) {
        X509_free(x509);
        return NULL;
    }
    return x509;
}

rm_err rmi_dtls_cert_from_key(EVP_PKEY *key, int64_t unix_seconds, struct rmi_dtls_cert **out) {
    ERR_clear_error();
    struct rmi_dtls_cert *cert = calloc(1, sizeof *cert);
    if (!cert)
        return RM_E_NO_MEMORY;
    atomic_init(&cert->refs, 1);
    cert->x509 = create_x509(key, unix_seconds);
    cert->ctx = cert->x509 ? create_context(cert->x509, key) : NULL;
    cert->method = rmi_dtls_bio_method_new();
    if (!cert->ctx || !cert->method || !rmi_fingerprint_of(cert->x509, "sha-256", &cert->fingerprint)) {
        rmi_dtls_cert_unref(&cert);
        return RM_E_NO_MEMORY; /* fixed inputs: nothing else makes these calls fail */
    }
    *out = cert;
    return RM_OK;
}

rm_err rmi_dtls_cert_create(int64_t unix_seconds, struct rmi_dtls_cert **out) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_dtls_cert_from_key(key, unix_seconds, out);
    EVP_PKEY_free(key);
    return err;
}

struct rmi_dtls_cert *rmi_dtls_cert_ref(struct rmi_dtls_cert *cert) {
    atomic_fetch_add(&cert->refs, 1);
    return cert;
}

void rmi_dtls_cert_unref(struct rmi_dtls_cert **cert) {
    struct rmi_dtls_cert *c = cert ? *cert : NULL;
    if (!c)
        return;
    *cert = NULL;
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    SSL_CTX_free(c->ctx);
    X509_free(c->x509);
    BIO_meth_free(c->method);
    free(c);
}

void rmi_dtls_cert_fingerprint(const struct rmi_dtls_cert *cert, struct rmi_fingerprint *out) {
    *out = cert->fingerprint;
}
