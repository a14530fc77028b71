/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_DTLS_DTLS_H
#define RMI_DTLS_DTLS_H

#include "base/log.h"
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DTLS 1.2 over datagrams that the caller moves (OpenSSL behind it). Pure but for OpenSSL's own wall clock and random
 * numbers, which tests interpose. One thread per object. */
struct rmi_dtls;
struct rmi_dtls_cert;

#define RMI_FINGERPRINT_BYTES_MAX 64
/* Most application data of one record in a datagram of 1,200: header 13, nonce 8, tag 16 of AES-GCM. */
#define RMI_DTLS_PAYLOAD_MAX 1163

struct rmi_fingerprint { /* RFC 8122 */
    char hash[12];       /* "sha-256", lower case */
    uint8_t bytes[RMI_FINGERPRINT_BYTES_MAX];
    size_t len;
};

/* A new ECDSA P-256 key and self-signed certificate, valid from one day before to 30 days after `unix_seconds`.
 * Refcounted: one per transport, shared by its connections. */
rm_err rmi_dtls_cert_create(int64_t unix_seconds, struct rmi_dtls_cert **out);
struct rmi_dtls_cert *rmi_dtls_cert_ref(struct rmi_dtls_cert *cert);
void rmi_dtls_cert_unref(struct rmi_dtls_cert **cert);
/* sha-256 of the certificate. */
void rmi_dtls_cert_fingerprint(const struct rmi_dtls_cert *cert, struct rmi_fingerprint *out);
/* "sha-256 AB:CD:..." as in a=fingerprint. RM_E_PARSE malformed; RM_E_UNSUPPORTED: a hash weaker than sha-256. */
rm_err rmi_fingerprint_parse(const char *text, size_t len, struct rmi_fingerprint *out);
#define RMI_FINGERPRINT_TEXT_MAX 208
const char *rmi_fingerprint_text(const struct rmi_fingerprint *f, char out[RMI_FINGERPRINT_TEXT_MAX]);

enum rmi_srtp_profile { /* IANA DTLS-SRTP protection profiles */
                        RMI_SRTP_NONE = 0,
                        RMI_SRTP_AES128_CM_SHA1_80 = 0x0001, /* RFC 5764 */
                        RMI_SRTP_AEAD_AES_128_GCM = 0x0007   /* RFC 7714 */
};

struct rmi_srtp_keys {
    enum rmi_srtp_profile profile;
    uint8_t local[30]; /* master key (16) then salt (14 or 12): what we send with */
    uint8_t remote[30];
    size_t len; /* 30 or 28 */
};

enum rmi_dtls_state { RMI_DTLS_NEW, RMI_DTLS_HANDSHAKE, RMI_DTLS_CONNECTED, RMI_DTLS_CLOSED, RMI_DTLS_FAILED };

struct rmi_dtls_config {
    struct rmi_dtls_cert *cert; /* a reference is taken */
    struct rmi_log *log;
    const char *name;   /* for log lines; copied */
    bool client;        /* active side: sends the ClientHello on start */
    int64_t rtt_us;     /* of the ICE pair; first retransmissions at clamp(2 x rtt, 50 ms, 1 s), then doubling to 4 s */
    int64_t timeout_us; /* whole handshake, 0 = 20 s -> FAILED with RM_E_DTLS_TIMEOUT */
    void (*send)(void *ctx, uint8_t *data,
                 size_t len); /* data has RMI_HEADROOM bytes in front; valid during the call */
    void *send_ctx;
};

enum rmi_dtls_event_type {
    RMI_DTLS_EV_CONNECTED, /* fingerprint verified; keys can be exported */
    RMI_DTLS_EV_FAILED,    /* err: RM_E_DTLS_*, detail */
    RMI_DTLS_EV_CLOSED,    /* close_notify received */
    RMI_DTLS_EV_DATA       /* data, len: application data, valid until the next call */
};
struct rmi_dtls_event {
    enum rmi_dtls_event_type type;
    rm_err err;
    const uint8_t *data;
    size_t len;
    char detail[160];
};

rm_err rmi_dtls_create(const struct rmi_dtls_config *config, struct rmi_dtls **out);
void rmi_dtls_destroy(struct rmi_dtls **d);
/* The fingerprints of the remote description; any one of the strongest hash present must match. May come after the
 * handshake bytes (a ClientHello can arrive before the answer): CONNECTED is withheld until they are set.
 * RM_E_INVALID_ARG: none. */
rm_err rmi_dtls_set_remote_fingerprints(struct rmi_dtls *d, int64_t now_us, const struct rmi_fingerprint *f, size_t n);
/* Begin: the client sends its ClientHello; the server gets ready. */
void rmi_dtls_start(struct rmi_dtls *d, int64_t now_us);
/* One datagram from the validated pair. Malformed or unexpected ones are dropped and counted, they never end the
 * connection. */
void rmi_dtls_input(struct rmi_dtls *d, int64_t now_us, const uint8_t *data, size_t len);
/* Application data (SCTP). RM_E_STATE: not connected. RM_E_TOO_BIG: over RMI_DTLS_PAYLOAD_MAX. RM_E_INVALID_ARG: none.
 */
rm_err rmi_dtls_send(struct rmi_dtls *d, int64_t now_us, const uint8_t *data, size_t len);
void rmi_dtls_close(struct rmi_dtls *d, int64_t now_us); /* close_notify; idempotent */
bool rmi_dtls_poll_event(struct rmi_dtls *d, struct rmi_dtls_event *out);
int64_t rmi_dtls_next_deadline(const struct rmi_dtls *d);
void rmi_dtls_timeout(struct rmi_dtls *d, int64_t now_us);
enum rmi_dtls_state rmi_dtls_state_of(const struct rmi_dtls *d);
/* RFC 5764 4.2. RM_E_STATE before CONNECTED; RM_E_SRTP_PROFILE when none was negotiated. Wipe it after use. */
rm_err rmi_dtls_export_srtp(const struct rmi_dtls *d, struct rmi_srtp_keys *out);
struct rmi_dtls_stats {
    uint64_t datagrams_in, datagrams_out, drops, retransmissions;
};
void rmi_dtls_get_stats(const struct rmi_dtls *d, struct rmi_dtls_stats *out);

#endif
