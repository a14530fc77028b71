/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_DTLS_DTLS_PRIVATE_H
#define RMI_DTLS_DTLS_PRIVATE_H

#include "dtls/dtls.h"
#include "net/datagram.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

/* ---- certificate ---- */

struct rmi_dtls_cert {
    atomic_uint refs;
    X509 *x509;
    SSL_CTX *ctx;       /* both roles; no session cache, so connections share nothing that changes */
    BIO_METHOD *method; /* of the datagram BIO */
    struct rmi_fingerprint fingerprint;
};

/* Wrap `key` (a reference is taken) in a self-signed certificate and set up the context. */
rm_err rmi_dtls_cert_from_key(EVP_PKEY *key, int64_t unix_seconds, struct rmi_dtls_cert **out);
/* Digest of a certificate by an RFC 8122 hash name. False: unknown or weak hash. */
bool rmi_fingerprint_of(const X509 *x509, const char *hash, struct rmi_fingerprint *out);
/* Length of the digest, 0 for a hash that is unknown or weaker than sha-256. */
size_t rmi_fingerprint_hash_len(const char *hash);

/* ---- datagram BIO ---- */

/* One datagram waits to be read, each write is one datagram out. */
struct rmi_dtls_bio {
    const uint8_t *in; /* NULL: nothing waits */
    size_t in_len;
    uint64_t reads; /* tries to read: tells a live handshake from one in its error state */
    void (*write)(void *ctx, const uint8_t *data, size_t len);
    void *ctx;
};

BIO_METHOD *rmi_dtls_bio_method_new(void);
/* A BIO over `state`, which must outlive it. */
BIO *rmi_dtls_bio_new(const BIO_METHOD *method, struct rmi_dtls_bio *state);

/* ---- record filter ---- */

#define RMI_DTLS_RECORD_HEADER 13      /* RFC 6347 4.1 */
#define RMI_DTLS_HANDSHAKE_SEQS 16     /* a full handshake has at most 7 messages a side */
#define RMI_DTLS_MESSAGE_MAX 16384     /* longest handshake message: the certificate list */
#define RMI_DTLS_HANDSHAKE_MAX 65536   /* sum of the handshake messages of one connection */
#define RMI_DTLS_FUTURE_RECORDS_MAX 32 /* records of the next epoch let through before the keys are there */
#define RMI_DTLS_GCM_OVERHEAD 24       /* explicit nonce 8, tag 16 (RFC 5288) */
#define RMI_DTLS_CHACHA20_OVERHEAD 16  /* tag only (RFC 7905) */

struct rmi_dtls_filter {
    bool client;
    bool established;                              /* the handshake is done: only epoch 1 passes */
    bool flight_sent;                              /* we have sent a flight, so an alert can be an answer to it */
    size_t min_protected;                          /* shortest body of a protected record */
    uint32_t message_len[RMI_DTLS_HANDSHAKE_SEQS]; /* by message_seq; 0 = not seen */
    size_t handshake_bytes;
    unsigned future_records;
    uint32_t plain_records; /* passed so far */
    bool epoch_switched;    /* the peer's ChangeCipherSpec was taken: its protected records are checked at once */
};

struct rmi_dtls_filtered {
    size_t len;         /* bytes of records that passed */
    unsigned dropped;   /* records, or a trailing piece that is none */
    int fatal_alert;    /* plaintext fatal alert of the handshake, or -1 */
    bool other_message; /* a first message of another length than the one being put together */
    bool role_conflict; /* a ClientHello at the client: both sides are active */
};

void rmi_dtls_filter_init(struct rmi_dtls_filter *f, bool client);
/* Copy the records of one datagram that OpenSSL may see to `out` (at least `len` bytes). */
struct rmi_dtls_filtered rmi_dtls_filter_datagram(struct rmi_dtls_filter *f, const uint8_t *data, size_t len,
                                                  uint8_t *out);

/* ---- connection ---- */

#define RMI_DTLS_EVENTS_MAX 64
#define RMI_DTLS_EVENTS_FOR_DATA (RMI_DTLS_EVENTS_MAX - 4) /* room for connected, failed and closed at any time */
#define RMI_DTLS_ARENA_BYTES 16384 /* received application data not yet polled; also while CONNECTED is withheld */
#define RMI_DTLS_FINGERPRINTS_MAX 8

struct rmi_dtls_queued {
    enum rmi_dtls_event_type type;
    rm_err err;
    size_t offset, len; /* in the arena */
};

struct rmi_dtls {
    struct rmi_dtls_config config;
    char name[64];
    enum rmi_dtls_state state;
    SSL *ssl;
    struct rmi_dtls_bio bio;
    struct rmi_dtls_filter filter;
    bool handshake_done; /* by OpenSSL; CONNECTED needs the fingerprint, too */
    bool mismatch;       /* the certificate was refused for its fingerprint */
    unsigned refused;    /* handshakes of strangers that ended before our first flight */
    int64_t give_up_us;
    int64_t retransmit_us;
    int64_t backoff_us; /* what OpenSSL waits for now */
    unsigned expiries;  /* of this flight's timer */
    struct rmi_fingerprint remote[RMI_DTLS_FINGERPRINTS_MAX];
    size_t remote_count;
    char detail[160];
    struct rmi_dtls_stats stats;

    struct rmi_dtls_queued events[RMI_DTLS_EVENTS_MAX];
    size_t event_first, event_count;
    size_t arena_len;
    uint8_t arena[RMI_DTLS_ARENA_BYTES];
    unsigned repeats_left; /* of the server's last flight */
    int64_t repeat_us;
    size_t last_flight_len;
    uint8_t last_flight[RMI_DATAGRAM_MTU];
    size_t out_len; /* records not yet sent */
    uint8_t in[RMI_DATAGRAM_MAX];
    uint8_t out[RMI_HEADROOM + RMI_DATAGRAM_MTU + RMI_HEADROOM];
};

/* Whether the certificate matches one of the fingerprints of the strongest hash. */
bool rmi_dtls_fingerprint_matches(const struct rmi_dtls *d, const X509 *x509);

#endif
