/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"
#include "net/addr.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALPN "\x08http/1.1" /* RFC 7301: length and name; WebSocket over HTTP/2 is not wanted */

struct rmi_tls_context {
    SSL_CTX *ctx;
};

struct rmi_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char host[256];
    char detail[RMI_TLS_DETAIL_MAX];
};

/* An encrypted key would have OpenSSL ask on the terminal. */
static int no_password(char *buf, int size, int rwflag, void *u) {
    (void)buf, (void)size, (void)rwflag, (void)u;
    return -1;
}

static rm_err create_context(const SSL_METHOD *method, struct rmi_tls_context **out) {
    *out = calloc(1, sizeof **out);
    SSL_CTX *ctx = *out ? SSL_CTX_new(method) : NULL;
    if (!ctx) {
        free(*out);
        *out = NULL;
        return RM_E_NO_MEMORY;
    }
    (*out)->ctx = ctx;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION); /* RFC 8996 */
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    return RM_OK;
}

rm_err rmi_tls_client_context(const char *ca_file, struct rmi_tls_context **out) {
    rm_err err = create_context(TLS_client_method(), out);
    if (err != RM_OK)
        return err;
    SSL_CTX *ctx = (*out)->ctx;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ERR_clear_error();
    int ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) : SSL_CTX_set_default_verify_paths(ctx);
    if (ok && SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)ALPN, sizeof ALPN - 1) == 0)
        return RM_OK;
    ERR_clear_error();
    rmi_tls_context_destroy(out);
    return ok ? RM_E_NO_MEMORY : RM_E_IO;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg) {
    unsigned char *chosen = NULL;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ALPN, sizeof ALPN - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

rm_err rmi_tls_server_context(const char *cert_file, const char *key_file, struct rmi_tls_context **out) {
    rm_err err = create_context(TLS_server_method(), out);
    if (err != RM_OK)
        return err;
    SSL_CTX *ctx = (*out)->ctx;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(ctx, 0); /* connections live long: nothing to resume */
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) == 1 &&
        SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(ctx) == 1)
        return RM_OK;
    ERR_clear_error();
    rmi_tls_context_destroy(out);
    return RM_E_IO;
}

void rmi_tls_context_destroy(struct rmi_tls_context **context) {
    if (!context || !*context)
        return;
    SSL_CTX_free((*context)->ctx);
    free(*context);
    *context = NULL;
}

/* RFC 6125: what the certificate must be for; and the name that the server picks its certificate by (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host) {
    struct rmi_addr addr;
    if (rmi_addr_parse(host, 0, &addr) == RM_OK)
        return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), addr.ip, addr.family == 4 ? 4 : sizeof addr.ip) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

rm_err rmi_tls_create(const struct rmi_tls_context *context, const char *host, struct rmi_tls **out) {
    struct rmi_tls *tls = *out = calloc(1, sizeof *tls);
    if (!tls)
        return RM_E_NO_MEMORY;
    tls->ssl = SSL_new(context->ctx);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    bool ok = tls->ssl && tls->in && tls->out;
    if (ok) {
        BIO_set_mem_eof_return(tls->in, -1); /* empty is "not yet", not the end */
        SSL_set_bio(tls->ssl, tls->in, tls->out);
        if (host)
            SSL_set_connect_state(tls->ssl);
        else
            SSL_set_accept_state(tls->ssl);
        ok = !host || expect_host(tls->ssl, host);
        snprintf(tls->host, sizeof tls->host, "%s", host ? host : "");
    } else {
        BIO_free(tls->in);
        BIO_free(tls->out);
    }
    if (!ok)
        rmi_tls_destroy(out);
    return ok ? RM_OK : RM_E_NO_MEMORY;
}

void rmi_tls_destroy(struct rmi_tls **tls) {
    if (!tls || !*tls)
        return;
    SSL_free((*tls)->ssl);
    free(*tls);
    *tls = NULL;
}

rm_err rmi_tls_feed(struct rmi_tls *tls, const void *data, size_t len) {
    size_t written = 0;
    if (len == 0)
        return RM_OK;
    return BIO_write_ex(tls->in, data, len, &written) == 1 && written == len ? RM_OK : RM_E_NO_MEMORY;
}

static rm_err failed(struct rmi_tls *tls) {
    long verdict = SSL_get_verify_result(tls->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (tls->host[0] && verdict != X509_V_OK)
        snprintf(tls->detail, sizeof tls->detail, "certificate of %.128s: %.100s", tls->host,
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(tls->detail, sizeof tls->detail, "TLS: %s", reason ? reason : "failed");
    ERR_clear_error();
    return RM_E_TLS;
}

/* What OpenSSL says after a call that did not succeed. */
static rm_err judge(struct rmi_tls *tls, int result) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return RM_E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return RM_E_CLOSED;
    default:
        return failed(tls);
    }
}

rm_err rmi_tls_handshake(struct rmi_tls *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1)
        return RM_OK;
    rm_err err = judge(tls, result);
    return err == RM_E_CLOSED ? failed(tls) : err;
}

rm_err rmi_tls_read(struct rmi_tls *tls, void *out, size_t cap, size_t *n) {
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, out, cap, n);
    return result == 1 ? RM_OK : judge(tls, result);
}

rm_err rmi_tls_write(struct rmi_tls *tls, const void *data, size_t len) {
    size_t written = 0;
    if (len == 0)
        return RM_OK;
    ERR_clear_error();
    /* The BIO takes everything, so a write is never partial. */
    if (SSL_write_ex(tls->ssl, data, len, &written) == 1 && written == len)
        return RM_OK;
    return failed(tls);
}

void rmi_tls_shutdown(struct rmi_tls *tls) {
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* close_notify; refused in a handshake or after an error, where none is due */
    ERR_clear_error();
}

size_t rmi_tls_to_send(struct rmi_tls *tls, const void **data) {
    char *at = NULL;
    long n = BIO_get_mem_data(tls->out, &at);
    *data = at;
    return n > 0 ? (size_t)n : 0;
}

void rmi_tls_sent(struct rmi_tls *tls) {
    (void)BIO_reset(tls->out);
}

const char *rmi_tls_detail(const struct rmi_tls *tls) {
    return tls->detail;
}
