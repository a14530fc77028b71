/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL may see of a datagram. Until the keys are there nothing is authenticated, and OpenSSL ends the handshake
 * on some malformed input; here such records are dropped one by one. */
#include "base/cursor.h"
#include "dtls/dtls_private.h"
#include <string.h>

/* RFC 5246 6.2.1, RFC 6347 4.1 */
enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_APPLICATION_DATA = 23 };
enum { VERSION_1_0 = 0xfeff, VERSION_1_2 = 0xfefd };
/* RFC 5246 7.4, RFC 6347 4.3.2 */
enum {
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_HELLO_VERIFY_REQUEST = 3,
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_SERVER_KEY_EXCHANGE = 12,
    MESSAGE_CERTIFICATE_REQUEST = 13,
    MESSAGE_SERVER_HELLO_DONE = 14,
    MESSAGE_CERTIFICATE_VERIFY = 15,
    MESSAGE_CLIENT_KEY_EXCHANGE = 16
};
enum { ALERT_FATAL = 2 };
enum { SEQUENCE_OFFSET = 5, SEQUENCE_BYTES = 6 };

struct record {
    uint8_t type;
    uint16_t epoch;
    struct rmi_rd body;
};

void rmi_dtls_filter_init(struct rmi_dtls_filter *f, bool client) {
    memset(f, 0, sizeof *f);
    f->client = client;
    f->min_protected = RMI_DTLS_CHACHA20_OVERHEAD;
}

static bool message_expected(bool client, uint8_t type) {
    switch (type) {
    case MESSAGE_CLIENT_HELLO:
    case MESSAGE_CERTIFICATE_VERIFY:
    case MESSAGE_CLIENT_KEY_EXCHANGE:
        return !client;
    case MESSAGE_CERTIFICATE:
        return true;
    case MESSAGE_SERVER_HELLO:
    case MESSAGE_HELLO_VERIFY_REQUEST:
    case MESSAGE_SERVER_KEY_EXCHANGE:
    case MESSAGE_CERTIFICATE_REQUEST:
    case MESSAGE_SERVER_HELLO_DONE:
        return client;
    default: /* Finished comes protected; HelloRequest would start a renegotiation */
        return false;
    }
}

/* One fragment (RFC 6347 4.2.2), consumed from `r`. */
static bool fragment_ok(struct rmi_dtls_filter *f, struct rmi_rd *r, struct rmi_dtls_filtered *result) {
    uint8_t type = rmi_rd_u8(r);
    uint32_t total = rmi_rd_u24(r);
    uint16_t seq = rmi_rd_u16(r);
    uint32_t offset = rmi_rd_u24(r);
    uint32_t len = rmi_rd_u24(r);
    rmi_rd_skip(r, len);
    if (r->failed || total > RMI_DTLS_MESSAGE_MAX || offset > total || len > total - offset)
        return false;
    if (f->client && type == MESSAGE_CLIENT_HELLO)
        result->role_conflict = true;
    if (seq >= RMI_DTLS_HANDSHAKE_SEQS || !message_expected(f->client, type))
        return false;
    if (len == 0 && total != 0) /* would make OpenSSL set up reassembly for nothing */
        return false;
    if (type == MESSAGE_CLIENT_HELLO && seq != 0) /* we ask for no cookie, so there is no second one */
        return false;
    if (f->message_len[seq] == 0) {
        if (total > RMI_DTLS_HANDSHAKE_MAX - f->handshake_bytes)
            return false;
        f->message_len[seq] = total;
        f->handshake_bytes += total;
    } else if (f->message_len[seq] != total) {
        result->other_message = type == MESSAGE_CLIENT_HELLO;
        return false;
    }
    return true;
}

static bool handshake_ok(struct rmi_dtls_filter *f, struct rmi_rd body, struct rmi_dtls_filtered *result) {
    if (rmi_rd_left(&body) == 0)
        return false;
    while (rmi_rd_left(&body) > 0)
        if (!fragment_ok(f, &body, result))
            return false;
    return true;
}

/* Plaintext alerts never reach OpenSSL: it counts warnings and takes a close_notify from anybody. */
static void note_alert(const struct rmi_dtls_filter *f, struct rmi_rd body, struct rmi_dtls_filtered *result) {
    uint8_t level = rmi_rd_u8(&body);
    uint8_t code = rmi_rd_u8(&body);
    if (!body.failed && rmi_rd_left(&body) == 0 && level == ALERT_FATAL && f->flight_sent)
        result->fatal_alert = code;
}

static bool plain_ok(struct rmi_dtls_filter *f, const struct record *record, struct rmi_dtls_filtered *result) {
    struct rmi_rd body = record->body;
    if (f->established)
        return false;
    switch (record->type) {
    case TYPE_CHANGE_CIPHER_SPEC:
        return rmi_rd_left(&body) == 1 && rmi_rd_u8(&body) == 1;
    case TYPE_HANDSHAKE:
        return handshake_ok(f, body, result);
    case TYPE_ALERT:
        note_alert(f, body, result);
        return false;
    default:
        return false;
    }
}

static bool protected_ok(struct rmi_dtls_filter *f, const struct record *record, bool after_cipher_spec) {
    size_t len = rmi_rd_left(&record->body);
    /* Without renegotiation there is one protected epoch. */
    if (record->epoch != 1 || len < f->min_protected || record->type == TYPE_CHANGE_CIPHER_SPEC)
        return false;
    if (f->established || f->epoch_switched || after_cipher_spec)
        return true;
    /* OpenSSL keeps these until the keys are there: only as many as an honest peer could need. A forger who uses them
     * up gains nothing, for a peer's Finished follows its ChangeCipherSpec or is sent again after it. */
    if (!f->flight_sent || f->future_records >= RMI_DTLS_FUTURE_RECORDS_MAX)
        return false;
    f->future_records++;
    return true;
}

/* Plaintext records can carry any number, and one far ahead would make OpenSSL take the real ones for replays. They
 * need no replay check: handshake messages have numbers of their own. */
static void renumber(struct rmi_dtls_filter *f, uint8_t *record) {
    struct rmi_wr w = rmi_wr_init(record + SEQUENCE_OFFSET, SEQUENCE_BYTES);
    rmi_wr_u16(&w, 0);
    rmi_wr_u32(&w, f->plain_records++);
}

struct rmi_dtls_filtered rmi_dtls_filter_datagram(struct rmi_dtls_filter *f, const uint8_t *data, size_t len,
                                                  uint8_t *out) {
    struct rmi_dtls_filtered result = {.fatal_alert = -1};
    struct rmi_rd r = rmi_rd_init(data, len);
    bool after_cipher_spec = false;
    while (rmi_rd_left(&r) > 0) {
        size_t start = r.pos;
        struct record record = {.type = rmi_rd_u8(&r)};
        uint16_t version = rmi_rd_u16(&r);
        record.epoch = rmi_rd_u16(&r);
        rmi_rd_skip(&r, SEQUENCE_BYTES);
        record.body = rmi_rd_sub(&r, rmi_rd_u16(&r));
        if (r.failed) {
            result.dropped++;
            break;
        }
        bool version_ok = version == VERSION_1_2 || (version == VERSION_1_0 && record.epoch == 0);
        bool ok = version_ok && record.type >= TYPE_CHANGE_CIPHER_SPEC && record.type <= TYPE_APPLICATION_DATA &&
                  (record.epoch == 0 ? plain_ok(f, &record, &result) : protected_ok(f, &record, after_cipher_spec));
        if (!ok) {
            result.dropped++;
            continue;
        }
        after_cipher_spec |= record.type == TYPE_CHANGE_CIPHER_SPEC;
        size_t n = r.pos - start;
        memcpy(out + result.len, data + start, n);
        if (record.epoch == 0)
            renumber(f, out + result.len);
        result.len += n;
    }
    return result;
}
