/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_TLS_H
#define RMI_IO_TLS_H

#include <remotemedia/error.h>
#include <stddef.h>
#include <stdint.h>

/* TLS 1.2 and 1.3 over bytes that the caller moves (OpenSSL on memory BIOs). */
struct rmi_tls_context; /* certificates and settings that connections share */
struct rmi_tls;

#define RMI_TLS_DETAIL_MAX 256

/* Trusts the certificates of `ca_file` (PEM), or with NULL the system's store. RM_E_IO: unreadable, or no certificate
 * in it. RM_E_NO_MEMORY. */
rm_err rmi_tls_client_context(const char *ca_file, struct rmi_tls_context **out);
/* PEM chain and key. RM_E_IO: unreadable, encrypted or not belonging together. RM_E_NO_MEMORY. */
rm_err rmi_tls_server_context(const char *cert_file, const char *key_file, struct rmi_tls_context **out);
/* Connections keep what they need of it. Accepts NULL. */
void rmi_tls_context_destroy(struct rmi_tls_context **context);

/* A client's connection proves that the server's certificate is for `host`, a name or numeric address; NULL for a
 * server's. RM_E_NO_MEMORY. */
rm_err rmi_tls_create(const struct rmi_tls_context *context, const char *host, struct rmi_tls **out);
void rmi_tls_destroy(struct rmi_tls **tls);

/* Bytes from the other side. RM_E_NO_MEMORY. */
rm_err rmi_tls_feed(struct rmi_tls *tls, const void *data, size_t len);
/* RM_OK: done. RM_E_AGAIN: more bytes are needed. RM_E_TLS: see rmi_tls_detail. What is to be sent may be there after
 * each of them. */
rm_err rmi_tls_handshake(struct rmi_tls *tls);
/* RM_OK with *n > 0. RM_E_AGAIN. RM_E_CLOSED: the other side said that it ends. RM_E_TLS. */
rm_err rmi_tls_read(struct rmi_tls *tls, void *out, size_t cap, size_t *n);
/* After the handshake. RM_E_TLS. */
rm_err rmi_tls_write(struct rmi_tls *tls, const void *data, size_t len);
void rmi_tls_shutdown(struct rmi_tls *tls);
/* Bytes to be sent, valid until the next call; take all of them at once with rmi_tls_sent. */
size_t rmi_tls_to_send(struct rmi_tls *tls, const void **data);
void rmi_tls_sent(struct rmi_tls *tls);
/* One line about the failure. */
const char *rmi_tls_detail(const struct rmi_tls *tls);

#endif
