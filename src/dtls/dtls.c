/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "dtls/dtls_private.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* First retransmission: twice the round trip, within what a fresh path needs and RFC 6347 4.2.4.1's one second. */
#define FIRST_BACKOFF_MIN_US RMI_MS(50)
#define FIRST_BACKOFF_MAX_US RMI_SEC(1)
#define BACKOFF_MAX_US RMI_SEC(4)
#define EXPIRIES_BEFORE_DOUBLING 3 /* measured: at 30 % loss doubling from the first takes p99 over 10 s */
#define LAST_FLIGHT_REPEATS 3
#define DEFAULT_TIMEOUT_US RMI_SEC(20)
#define REARM_MIN_US RMI_MS(1)
#define PROBES_MAX 8                       /* records of one datagram that OpenSSL can dislike without giving up */
#define EXPORT_LABEL "EXTRACTOR-dtls_srtp" /* RFC 5764 4.2 */
#define MASTER_KEY_BYTES 16
#define SALT_BYTES_CM 14  /* RFC 5764 4.1.2 */
#define SALT_BYTES_GCM 12 /* RFC 7714 14.2 */
enum { FIRST_BYTE_ALERT = 21, FIRST_BYTE_HANDSHAKE = 22 };

/* ---- state and events ---- */

static const char *state_name(enum rmi_dtls_state state) {
    static const char *const names[] = {"new", "handshake", "connected", "closed", "failed"};
    return names[state];
}

static void set_state(struct rmi_dtls *d, enum rmi_dtls_state state, const char *reason) {
    rm_log_level level = state == RMI_DTLS_FAILED ? RM_LOG_WARN : RM_LOG_DEBUG;
    rmi_log(d->config.log, RMI_LOG_DTLS, level, "%s: %s->%s (%s)", d->name, state_name(d->state), state_name(state),
            reason);
    d->state = state;
    if (state != RMI_DTLS_HANDSHAKE) {
        d->give_up_us = RMI_NEVER;
        d->retransmit_us = RMI_NEVER;
    }
}

static void push_event(struct rmi_dtls *d, enum rmi_dtls_event_type type, rm_err err) {
    struct rmi_dtls_queued *e;
    if (d->event_count == RMI_DTLS_EVENTS_MAX) /* cannot be: data leaves room */
        return;
    if (type == RMI_DTLS_EV_CONNECTED) { /* before data that came while the fingerprint was not known */
        d->event_first = (d->event_first + RMI_DTLS_EVENTS_MAX - 1) % RMI_DTLS_EVENTS_MAX;
        e = &d->events[d->event_first];
    } else {
        e = &d->events[(d->event_first + d->event_count) % RMI_DTLS_EVENTS_MAX];
    }
    d->event_count++;
    *e = (struct rmi_dtls_queued){.type = type, .err = err};
}

/* `detail` may be d->detail itself. */
static void fail(struct rmi_dtls *d, rm_err err, const char *detail) {
    char text[sizeof d->detail];
    snprintf(text, sizeof text, "%s", detail);
    if (d->state != RMI_DTLS_CONNECTED)
        d->event_count = 0; /* data of a peer that was never verified */
    memcpy(d->detail, text, sizeof text);
    set_state(d, RMI_DTLS_FAILED, d->detail);
    push_event(d, RMI_DTLS_EV_FAILED, err);
}

bool rmi_dtls_poll_event(struct rmi_dtls *d, struct rmi_dtls_event *out) {
    if (d->state == RMI_DTLS_HANDSHAKE || d->event_count == 0)
        return false;
    const struct rmi_dtls_queued *e = &d->events[d->event_first];
    d->event_first = (d->event_first + 1) % RMI_DTLS_EVENTS_MAX;
    d->event_count--;
    memset(out, 0, sizeof *out);
    out->type = e->type;
    out->err = e->err;
    if (e->type == RMI_DTLS_EV_DATA) {
        out->data = d->arena + e->offset;
        out->len = e->len;
    } else {
        snprintf(out->detail, sizeof out->detail, "%s", d->detail);
    }
    return true;
}

/* ---- OpenSSL's side ---- */

static void flush(struct rmi_dtls *d) {
    if (d->out_len == 0)
        return;
    size_t len = d->out_len;
    d->out_len = 0;
    d->stats.datagrams_out++;
    d->config.send(d->config.send_ctx, d->out + RMI_HEADROOM, len);
}

/* OpenSSL sends a flight again as one datagram for each message. Under loss the fewer the better: what one call makes
 * goes out together as far as it fits. */
static void write_records(void *ctx, const uint8_t *data, size_t len) {
    struct rmi_dtls *d = ctx;
    if (len > RMI_DATAGRAM_MTU) {
        rmi_log(d->config.log, RMI_LOG_DTLS, RM_LOG_ERROR, "%s: %zu bytes do not fit a datagram", d->name, len);
        d->stats.drops++;
        return;
    }
    /* Before our first flight an alert would answer a ClientHello that anybody may have sent, and end the real peer's
     * handshake. */
    if (!d->filter.flight_sent && data[0] == FIRST_BYTE_ALERT)
        return;
    if (data[0] == FIRST_BYTE_HANDSHAKE)
        d->filter.flight_sent = true;
    if (d->out_len + len > RMI_DATAGRAM_MTU)
        flush(d);
    memcpy(d->out + RMI_HEADROOM + d->out_len, data, len);
    d->out_len += len;
}

static int64_t first_backoff(const struct rmi_dtls *d) {
    /* A wild round trip time must not overflow: halve the bound instead of doubling the value. */
    int64_t rtt_us = rmi_max64(0, rmi_min64(d->config.rtt_us, FIRST_BACKOFF_MAX_US / 2));
    return rmi_max64(2 * rtt_us, FIRST_BACKOFF_MIN_US);
}

static unsigned int next_backoff(SSL *ssl, unsigned int last_us) {
    struct rmi_dtls *d = SSL_get_app_data(ssl);
    if (last_us == 0) {
        d->backoff_us = first_backoff(d);
        d->expiries = 0;
    } else {
        bool hold = ++d->expiries <= EXPIRIES_BEFORE_DOUBLING;
        d->backoff_us = rmi_min64(hold ? last_us : 2 * (int64_t)last_us, BACKOFF_MAX_US);
        d->stats.retransmissions++;
    }
    return (unsigned int)d->backoff_us;
}

static const char *error_reason(void) {
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "no reason given";
}

/* What is left in the thread's queue would be taken for the reason of the next call's failure. Emptying it when it is
 * empty frees all its slots one by one: 7 % of the time of bulk data. */
static void clear_errors(void) {
    if (ERR_peek_error())
        ERR_clear_error();
}

static rm_err open_ssl(struct rmi_dtls *d) {
    ERR_clear_error();
    SSL *ssl = SSL_new(d->config.cert->ctx);
    BIO *bio = rmi_dtls_bio_new(d->config.cert->method, &d->bio);
    if (!ssl || !bio) {
        SSL_free(ssl);
        BIO_free(bio);
        return RM_E_NO_MEMORY;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, d);
    DTLS_set_link_mtu(ssl, RMI_DATAGRAM_MTU);
    DTLS_set_timer_cb(ssl, next_backoff);
    if (d->config.client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    SSL_free(d->ssl);
    d->ssl = ssl;
    rmi_dtls_filter_init(&d->filter, d->config.client);
    return RM_OK;
}

/* OpenSSL counts in wall-clock time: take only the remaining time over, and never more than the current backoff, so
 * that a step of that clock cannot move our deadline far. */
static void arm(struct rmi_dtls *d, int64_t now_us) {
    struct timeval left;
    d->retransmit_us = RMI_NEVER;
    if (d->state != RMI_DTLS_HANDSHAKE && d->state != RMI_DTLS_CONNECTED)
        return;
    if (d->handshake_done) {
        d->retransmit_us = d->repeats_left ? d->repeat_us : RMI_NEVER;
        return;
    }
    if (DTLSv1_get_timeout(d->ssl, &left) != 1)
        return;
    int64_t left_us = RMI_SEC(left.tv_sec) + left.tv_usec;
    d->retransmit_us = now_us + rmi_max64(0, rmi_min64(left_us, d->backoff_us));
}

/* ---- handshake ---- */

static void verify_and_connect(struct rmi_dtls *d) {
    if (d->remote_count == 0)
        return;
    X509 *x509 = SSL_get1_peer_certificate(d->ssl);
    bool match = x509 && rmi_dtls_fingerprint_matches(d, x509);
    X509_free(x509);
    if (!match) {
        ERR_clear_error();
        (void)SSL_shutdown(d->ssl);
        fail(d, RM_E_DTLS_FINGERPRINT, "the certificate matches no signaled fingerprint");
        return;
    }
    if (d->state == RMI_DTLS_CONNECTED)
        return;
    d->detail[0] = '\0';
    set_state(d, RMI_DTLS_CONNECTED, SSL_get_cipher_name(d->ssl));
    push_event(d, RMI_DTLS_EV_CONNECTED, RM_OK);
}

static void handshake_finished(struct rmi_dtls *d) {
    const SSL_CIPHER *cipher = SSL_get_current_cipher(d->ssl);
    bool chacha = cipher && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
    d->handshake_done = true;
    d->filter.established = true;
    d->filter.min_protected = chacha ? RMI_DTLS_CHACHA20_OVERHEAD : RMI_DTLS_GCM_OVERHEAD;
    if (d->remote_count == 0)
        rmi_log(d->config.log, RMI_LOG_DTLS, RM_LOG_DEBUG, "%s: handshake done, fingerprint not yet known", d->name);
    verify_and_connect(d);
}

/* The handshake cannot go on; d->detail says why. */
static void handshake_broken(struct rmi_dtls *d) {
    if (d->mismatch) {
        fail(d, RM_E_DTLS_FINGERPRINT, "the certificate matches no signaled fingerprint");
        return;
    }
    if (!d->config.client && !d->filter.flight_sent) {
        /* Nobody has committed to this ClientHello: forget it and wait for a better one. */
        d->refused++;
        rmi_log(d->config.log, RMI_LOG_DTLS, RM_LOG_DEBUG, "%s: ClientHello refused: %s", d->name, d->detail);
        if (open_ssl(d) == RM_OK)
            return;
    }
    fail(d, RM_E_DTLS_HANDSHAKE, d->detail);
}

static void note_epoch(struct rmi_dtls *d) {
    OSSL_HANDSHAKE_STATE state = SSL_get_state(d->ssl);
    d->filter.epoch_switched = state == TLS_ST_CR_CHANGE || state == TLS_ST_SR_CHANGE;
}

static void do_handshake(struct rmi_dtls *d) {
    for (unsigned probe = 0;; probe++) {
        uint64_t reads = d->bio.reads;
        ERR_clear_error();
        int result = SSL_do_handshake(d->ssl);
        int error = SSL_get_error(d->ssl, result);
        if (result == 1) {
            handshake_finished(d);
            return;
        }
        bool tried = d->bio.reads != reads;
        if (tried && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)) {
            note_epoch(d);
            return;
        }
        /* An error may mean "this record is nonsense" or "this handshake is over": a live one reads when called again,
         * one in its error state does not. */
        if (probe == 0)
            snprintf(d->detail, sizeof d->detail, "%s", error_reason());
        if (!tried || probe >= PROBES_MAX) {
            d->stats.drops++;
            handshake_broken(d);
            return;
        }
        BIO_clear_retry_flags(SSL_get_rbio(d->ssl));
    }
}

/* ---- application data ---- */

/* Where the next record goes: the arena, or NULL when that is full. */
static uint8_t *reserve(struct rmi_dtls *d) {
    if (d->event_count == 0)
        d->arena_len = 0;
    bool room = d->event_count < RMI_DTLS_EVENTS_FOR_DATA && d->arena_len + RMI_DATAGRAM_MAX <= RMI_DTLS_ARENA_BYTES;
    return room ? d->arena + d->arena_len : NULL;
}

static void read_ended(struct rmi_dtls *d, int error) {
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    if (error != SSL_ERROR_ZERO_RETURN) {
        fail(d, RM_E_DTLS_HANDSHAKE, error_reason());
        return;
    }
    if (d->state != RMI_DTLS_CONNECTED) {
        fail(d, RM_E_DTLS_HANDSHAKE, "closed by the peer before its fingerprint was known");
        return;
    }
    ERR_clear_error();
    (void)SSL_shutdown(d->ssl); /* answer: RFC 5246 7.2.1 */
    set_state(d, RMI_DTLS_CLOSED, "close_notify");
    push_event(d, RMI_DTLS_EV_CLOSED, RM_OK);
}

static void read_records(struct rmi_dtls *d) {
    uint8_t scratch[RMI_DATAGRAM_MAX];
    while (d->state == RMI_DTLS_HANDSHAKE || d->state == RMI_DTLS_CONNECTED) {
        uint8_t *to = reserve(d);
        clear_errors();
        int n = SSL_read(d->ssl, to ? to : scratch, RMI_DATAGRAM_MAX);
        if (n <= 0) {
            read_ended(d, SSL_get_error(d->ssl, n));
            return;
        }
        d->repeats_left = 0;
        if (!to) {
            d->stats.drops++;
            continue;
        }
        push_event(d, RMI_DTLS_EV_DATA, RM_OK);
        struct rmi_dtls_queued *e = &d->events[(d->event_first + d->event_count - 1) % RMI_DTLS_EVENTS_MAX];
        e->offset = d->arena_len;
        e->len = (size_t)n;
        d->arena_len += (size_t)n;
        if (!d->bio.in && !SSL_has_pending(d->ssl)) /* mostly one record a datagram: the next read would only say so */
            return;
    }
}

/* Nothing acknowledges the last flight, and OpenSSL sends it again only when the client's own timer, backed off by
 * then, has made it repeat its flight. So the same bytes go out a few times more until application data shows that they
 * have arrived; a client that has them already takes them for replays. */
static void keep_last_flight(struct rmi_dtls *d, int64_t now_us) {
    if (d->config.client || d->state > RMI_DTLS_CONNECTED)
        return;
    memcpy(d->last_flight, d->out + RMI_HEADROOM, d->out_len);
    d->last_flight_len = d->out_len;
    d->repeats_left = d->out_len ? LAST_FLIGHT_REPEATS : 0;
    d->repeat_us = now_us + first_backoff(d);
}

static void repeat_last_flight(struct rmi_dtls *d, int64_t now_us) {
    write_records(d, d->last_flight, d->last_flight_len);
    flush(d);
    d->stats.retransmissions++;
    d->repeats_left--;
    d->repeat_us = now_us + first_backoff(d);
    arm(d, now_us);
}

static void advance(struct rmi_dtls *d, int64_t now_us) {
    if (!d->handshake_done) {
        do_handshake(d);
        if (d->handshake_done)
            keep_last_flight(d, now_us);
    }
    if (d->handshake_done)
        read_records(d);
    d->bio.in = NULL; /* what an ended connection left */
    flush(d);
    arm(d, now_us);
}

/* ---- interface ---- */

rm_err rmi_dtls_create(const struct rmi_dtls_config *config, struct rmi_dtls **out) {
    if (!config || !config->cert || !config->send || !out)
        return RM_E_INVALID_ARG;
    struct rmi_dtls *d = calloc(1, sizeof *d);
    if (!d)
        return RM_E_NO_MEMORY;
    d->config = *config;
    d->config.cert = rmi_dtls_cert_ref(config->cert);
    snprintf(d->name, sizeof d->name, "%s", config->name ? config->name : "?");
    d->config.name = d->name;
    if (d->config.timeout_us <= 0)
        d->config.timeout_us = DEFAULT_TIMEOUT_US;
    d->state = RMI_DTLS_NEW;
    d->give_up_us = RMI_NEVER;
    d->retransmit_us = RMI_NEVER;
    d->bio.write = write_records;
    d->bio.ctx = d;
    rm_err err = open_ssl(d);
    if (err) {
        rmi_dtls_destroy(&d);
        return err;
    }
    *out = d;
    return RM_OK;
}

void rmi_dtls_destroy(struct rmi_dtls **d) {
    if (!d || !*d)
        return;
    SSL_free((*d)->ssl);
    rmi_dtls_cert_unref(&(*d)->config.cert);
    free(*d);
    *d = NULL;
}

rm_err rmi_dtls_set_remote_fingerprints(struct rmi_dtls *d, int64_t now_us, const struct rmi_fingerprint *f, size_t n) {
    size_t kept = 0;
    struct rmi_fingerprint usable[RMI_DTLS_FINGERPRINTS_MAX];
    for (size_t i = 0; i < n; i++) {
        size_t len = rmi_fingerprint_hash_len(f[i].hash);
        if (len == 0 || f[i].len != len)
            continue;
        if (kept == RMI_DTLS_FINGERPRINTS_MAX)
            return RM_E_INVALID_ARG;
        usable[kept++] = f[i];
    }
    if (kept == 0)
        return RM_E_INVALID_ARG;
    memcpy(d->remote, usable, kept * sizeof *usable);
    d->remote_count = kept;
    /* Also when connected: other fingerprints without a new handshake are not this peer's (RFC 8842 5.1). */
    if (d->handshake_done && (d->state == RMI_DTLS_HANDSHAKE || d->state == RMI_DTLS_CONNECTED))
        verify_and_connect(d);
    flush(d);
    arm(d, now_us);
    return RM_OK;
}

void rmi_dtls_start(struct rmi_dtls *d, int64_t now_us) {
    if (d->state != RMI_DTLS_NEW)
        return;
    set_state(d, RMI_DTLS_HANDSHAKE, d->config.client ? "client" : "server");
    d->give_up_us = now_us + d->config.timeout_us;
    advance(d, now_us);
}

static void alert_received(struct rmi_dtls *d, int code) {
    char detail[sizeof d->detail];
    snprintf(detail, sizeof detail, "alert from the peer: %s", SSL_alert_desc_string_long(code));
    fail(d, RM_E_DTLS_HANDSHAKE, detail);
}

void rmi_dtls_input(struct rmi_dtls *d, int64_t now_us, const uint8_t *data, size_t len) {
    d->stats.datagrams_in++;
    if ((d->state != RMI_DTLS_HANDSHAKE && d->state != RMI_DTLS_CONNECTED) || len > sizeof d->in) {
        d->stats.drops++;
        return;
    }
    struct rmi_dtls_filtered r = rmi_dtls_filter_datagram(&d->filter, data, len, d->in);
    if (r.other_message && !d->config.client && !d->filter.flight_sent) {
        /* Pieces of two ClientHellos: the older one may be a stranger's, it never came to its end. */
        d->refused++;
        if (open_ssl(d) != RM_OK) {
            fail(d, RM_E_NO_MEMORY, "out of memory");
            return;
        }
        r = rmi_dtls_filter_datagram(&d->filter, data, len, d->in);
    }
    d->stats.drops += r.dropped;
    if (r.role_conflict)
        snprintf(d->detail, sizeof d->detail, "the peer sends a ClientHello, too: both sides are active");
    if (r.fatal_alert >= 0 && !d->handshake_done) {
        alert_received(d, r.fatal_alert);
        return;
    }
    if (r.len == 0)
        return;
    d->bio.in = d->in;
    d->bio.in_len = r.len;
    advance(d, now_us);
}

rm_err rmi_dtls_send(struct rmi_dtls *d, int64_t now_us, const uint8_t *data, size_t len) {
    (void)now_us;
    if (d->state != RMI_DTLS_CONNECTED)
        return RM_E_STATE;
    if (len == 0)
        return RM_E_INVALID_ARG;
    if (len > RMI_DTLS_PAYLOAD_MAX)
        return RM_E_TOO_BIG;
    clear_errors();
    int written = SSL_write(d->ssl, data, (int)len);
    flush(d);
    if (written == (int)len)
        return RM_OK;
    rmi_log(d->config.log, RMI_LOG_DTLS, RM_LOG_WARN, "%s: send: %s", d->name, error_reason());
    return RM_E_INTERNAL;
}

void rmi_dtls_close(struct rmi_dtls *d, int64_t now_us) {
    (void)now_us;
    if (d->state == RMI_DTLS_CLOSED || d->state == RMI_DTLS_FAILED)
        return;
    ERR_clear_error();
    if (d->handshake_done)
        (void)SSL_shutdown(d->ssl);
    flush(d);
    d->event_count = 0;
    set_state(d, RMI_DTLS_CLOSED, "closed here");
}

int64_t rmi_dtls_next_deadline(const struct rmi_dtls *d) {
    return rmi_min64(d->give_up_us, d->retransmit_us);
}

static void give_up(struct rmi_dtls *d) {
    const char *detail = d->detail; /* what went wrong last */
    if (d->handshake_done)
        detail = "handshake done, but no fingerprint was signaled";
    else if (!*detail)
        detail = d->stats.datagrams_in ? "handshake unfinished" : "nothing was received";
    fail(d, RM_E_DTLS_TIMEOUT, detail);
}

void rmi_dtls_timeout(struct rmi_dtls *d, int64_t now_us) {
    if (now_us >= d->give_up_us) {
        give_up(d);
        return;
    }
    if (now_us < d->retransmit_us)
        return;
    if (d->handshake_done) {
        repeat_last_flight(d, now_us);
        return;
    }
    ERR_clear_error();
    int result = DTLSv1_handle_timeout(d->ssl);
    flush(d);
    if (result < 0) {
        give_up(d);
        return;
    }
    arm(d, now_us);
    d->retransmit_us = rmi_max64(d->retransmit_us, now_us + REARM_MIN_US);
}

enum rmi_dtls_state rmi_dtls_state_of(const struct rmi_dtls *d) {
    return d->state;
}

rm_err rmi_dtls_export_srtp(const struct rmi_dtls *d, struct rmi_srtp_keys *out) {
    if (d->state != RMI_DTLS_CONNECTED)
        return RM_E_STATE;
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(d->ssl);
    if (!profile || (profile->id != SRTP_AES128_CM_SHA1_80 && profile->id != SRTP_AEAD_AES_128_GCM))
        return RM_E_SRTP_PROFILE;
    bool gcm = profile->id == SRTP_AEAD_AES_128_GCM;
    size_t salt = gcm ? SALT_BYTES_GCM : SALT_BYTES_CM;
    uint8_t material[2 * (MASTER_KEY_BYTES + SALT_BYTES_CM)];
    ERR_clear_error();
    if (SSL_export_keying_material(d->ssl, material, 2 * (MASTER_KEY_BYTES + salt), EXPORT_LABEL,
                                   sizeof EXPORT_LABEL - 1, NULL, 0, 0) != 1)
        return RM_E_INTERNAL;
    /* client key, server key, client salt, server salt */
    const uint8_t *salts = material + 2 * MASTER_KEY_BYTES;
    uint8_t *client = d->config.client ? out->local : out->remote;
    uint8_t *server = d->config.client ? out->remote : out->local;
    memset(out, 0, sizeof *out);
    out->profile = gcm ? RMI_SRTP_AEAD_AES_128_GCM : RMI_SRTP_AES128_CM_SHA1_80;
    out->len = MASTER_KEY_BYTES + salt;
    memcpy(client, material, MASTER_KEY_BYTES);
    memcpy(client + MASTER_KEY_BYTES, salts, salt);
    memcpy(server, material + MASTER_KEY_BYTES, MASTER_KEY_BYTES);
    memcpy(server + MASTER_KEY_BYTES, salts + salt, salt);
    OPENSSL_cleanse(material, sizeof material);
    return RM_OK;
}

void rmi_dtls_get_stats(const struct rmi_dtls *d, struct rmi_dtls_stats *out) {
    *out = d->stats;
}
