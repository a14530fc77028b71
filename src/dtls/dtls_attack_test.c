/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "dtls/dtls_private.h"
#include "support/dtls_pair.h"
#include "support/virtual_crypto.h"
#include <stdlib.h>
#include <string.h>

/* RFC 6347 4.1, 4.2.2 and RFC 5246 7.4.1.2: where the bytes of a one-record ClientHello are */
enum {
    RECORD_SEQ = 5,
    RECORD_LENGTH = 11,
    MESSAGE = 13,
    MESSAGE_HEADER = 12,
    CIPHER_SUITES = MESSAGE + 12 + 2 + 32 + 2
};

static struct rmi_dtls_cert *shared[2]; /* making keys is most of the time of a test run */

static int make_certs(void **state) {
    (void)state;
    rmt_virtual_rand_seed(5);
    return rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &shared[0]) ||
           rmi_dtls_cert_create(RMT_VIRTUAL_EPOCH_S, &shared[1]);
}

static int free_certs(void **state) {
    (void)state;
    rmi_dtls_cert_unref(&shared[0]);
    rmi_dtls_cert_unref(&shared[1]);
    return 0;
}

static struct rmt_dtls_options options_of(uint64_t seed) {
    return (struct rmt_dtls_options){
        .seed = seed, .delay_us = RMI_MS(10), .rtt_us = RMI_MS(20), .cert = {shared[0], shared[1]}};
}

static void assert_no_keys(struct rmt_dtls_pair *pair, int side) {
    struct rmi_srtp_keys keys;
    assert_int_equal(rmi_dtls_export_srtp(pair->end[side].dtls, &keys), RM_E_STATE);
    assert_int_equal(rmi_dtls_send(pair->end[side].dtls, pair->now_us, (const uint8_t *)"x", 1), RM_E_STATE);
    assert_int_equal(pair->end[side].connected, 0);
    assert_int_equal(pair->end[side].messages, 0);
}

static void assert_works(struct rmt_dtls_pair *pair) {
    assert_true(rmt_dtls_pair_connected(pair));
    for (int side = 0; side < 2; side++) {
        unsigned before = pair->end[!side].messages;
        assert_int_equal(rmi_dtls_send(pair->end[side].dtls, pair->now_us, (const uint8_t *)"hello", 5), RM_OK);
        rmt_dtls_pair_run_all(pair, pair->now_us + RMI_MS(30));
        assert_int_equal(pair->end[!side].messages, before + 1);
    }
}

static struct rmi_fingerprint digest(struct rmt_dtls_pair *pair, int side, const char *hash, bool right) {
    struct rmi_fingerprint f;
    assert_true(rmi_fingerprint_of(pair->cert[side]->x509, hash, &f));
    if (!right)
        f.bytes[f.len - 1] ^= 1;
    return f;
}

static void set(struct rmt_dtls_pair *pair, int side, const struct rmi_fingerprint *f, size_t n, rm_err want) {
    assert_int_equal(rmi_dtls_set_remote_fingerprints(pair->end[side].dtls, pair->now_us, f, n), want);
}

/* ---- fingerprints ---- */

static void mismatch_never_connects(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        for (int late = 0; late < 2; late++) {
            struct rmt_dtls_options options = options_of(1);
            struct rmt_dtls_pair pair;
            options.no_fingerprints = true;
            rmt_dtls_pair_init(&pair, &options);
            struct rmi_fingerprint wrong = digest(&pair, !side, "sha-256", false);
            struct rmi_fingerprint right = digest(&pair, side, "sha-256", true);
            set(&pair, !side, &right, 1, RM_OK);
            if (!late)
                set(&pair, side, &wrong, 1, RM_OK);
            rmt_dtls_pair_start(&pair);
            rmt_dtls_pair_run_all(&pair, RMI_SEC(1));
            if (late) {
                assert_int_equal(rmi_dtls_state_of(pair.end[side].dtls), RMI_DTLS_HANDSHAKE);
                assert_no_keys(&pair, side);
                rmi_dtls_send(pair.end[!side].dtls, pair.now_us, (const uint8_t *)"evil", 4);
                rmt_dtls_pair_run_all(&pair, RMI_SEC(2));
                set(&pair, side, &wrong, 1, RM_OK);
            }
            rmt_dtls_pair_run_all(&pair, RMI_SEC(30));
            assert_int_equal(rmi_dtls_state_of(pair.end[side].dtls), RMI_DTLS_FAILED);
            assert_int_equal(pair.end[side].failed, 1);
            assert_int_equal(pair.end[side].err, RM_E_DTLS_FINGERPRINT);
            assert_no_keys(&pair, side);
            /* the other side is told, by an alert or a close */
            assert_int_equal(pair.end[!side].failed + pair.end[!side].closed, 1);
            if (!late) {
                assert_int_equal(pair.end[!side].err, RM_E_DTLS_HANDSHAKE);
                assert_non_null(strstr(pair.end[!side].detail, "bad certificate"));
            }
            rmt_dtls_pair_fini(&pair);
        }
    }
}

static void none_and_weak_ones_never_connect(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct rmt_dtls_options options = options_of(2);
        struct rmt_dtls_pair pair;
        options.no_fingerprints = true;
        rmt_dtls_pair_init(&pair, &options);
        struct rmi_fingerprint right = digest(&pair, side, "sha-256", true);
        struct rmi_fingerprint weak[2] = {{.hash = "sha-1", .len = 20}, {.hash = "sha-256", .len = 31}};
        set(&pair, !side, &right, 1, RM_OK);
        set(&pair, side, NULL, 0, RM_E_INVALID_ARG);
        set(&pair, side, weak, 2, RM_E_INVALID_ARG);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(19));
        assert_int_equal(rmi_dtls_state_of(pair.end[side].dtls), RMI_DTLS_HANDSHAKE);
        assert_no_keys(&pair, side);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(20));
        assert_int_equal(pair.end[side].err, RM_E_DTLS_TIMEOUT);
        assert_non_null(strstr(pair.end[side].detail, "no fingerprint"));
        assert_no_keys(&pair, side);
        rmt_dtls_pair_fini(&pair);
    }
}

static void late_fingerprint_connects_and_keeps_data(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct rmt_dtls_options options = options_of(3);
        struct rmt_dtls_pair pair;
        options.no_fingerprints = true;
        rmt_dtls_pair_init(&pair, &options);
        struct rmi_fingerprint f[2] = {digest(&pair, 0, "sha-256", true), digest(&pair, 1, "sha-256", true)};
        set(&pair, !side, &f[side], 1, RM_OK);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(1));
        assert_int_equal(pair.end[!side].connected, 1);
        assert_int_equal(rmi_dtls_send(pair.end[!side].dtls, pair.now_us, (const uint8_t *)"early", 5), RM_OK);
        rmt_dtls_pair_run_all(&pair, RMI_SEC(2));
        assert_no_keys(&pair, side);
        set(&pair, side, &f[!side], 1, RM_OK);
        struct rmi_dtls_event event;
        assert_true(rmi_dtls_poll_event(pair.end[side].dtls, &event));
        assert_int_equal(event.type, RMI_DTLS_EV_CONNECTED);
        assert_true(rmi_dtls_poll_event(pair.end[side].dtls, &event));
        assert_int_equal(event.type, RMI_DTLS_EV_DATA);
        assert_memory_equal(event.data, "early", 5);
        assert_false(rmi_dtls_poll_event(pair.end[side].dtls, &event));
        assert_works(&pair);
        /* another description without a new handshake */
        struct rmi_fingerprint other = digest(&pair, !side, "sha-256", false);
        set(&pair, side, &other, 1, RM_OK);
        rmt_dtls_pair_drain(&pair);
        assert_int_equal(pair.end[side].err, RM_E_DTLS_FINGERPRINT);
        assert_int_equal(rmi_dtls_state_of(pair.end[side].dtls), RMI_DTLS_FAILED);
        rmt_dtls_pair_fini(&pair);
    }
}

static void strongest_hash_decides(void **state) {
    (void)state;
    static const struct {
        const char *hash[2];
        bool right[2];
        bool connects;
    } cases[] = {{{"sha-256", "sha-256"}, {false, true}, true},  {{"sha-256", "sha-512"}, {true, false}, false},
                 {{"sha-256", "sha-512"}, {false, true}, true},  {{"sha-384", "sha-256"}, {true, false}, true},
                 {{"sha-512", "sha-384"}, {false, true}, false}, {{"sha-512", "sha-512"}, {false, false}, false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct rmt_dtls_pair pair;
        struct rmt_dtls_options options = options_of(4);
        rmt_dtls_pair_init(&pair, &options);
        struct rmi_fingerprint f[2];
        for (int i = 0; i < 2; i++)
            f[i] = digest(&pair, RMT_SERVER, cases[c].hash[i], cases[c].right[i]);
        set(&pair, RMT_CLIENT, f, 2, RM_OK);
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        assert_int_equal(rmt_dtls_pair_connected(&pair), cases[c].connects);
        assert_int_equal(pair.end[RMT_CLIENT].err, cases[c].connects ? RM_OK : RM_E_DTLS_FINGERPRINT);
        rmt_dtls_pair_fini(&pair);
    }
}

/* ---- damaged datagrams ---- */

struct damage {
    enum rmt_dtls_side from;
    unsigned index;
    size_t at; /* byte to flip, or length to cut to */
    bool cut;
    size_t length; /* of the datagram, once seen */
};

static bool damage_one(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                       size_t *len) {
    struct damage *damage = pair->user;
    if (from != damage->from || index != damage->index)
        return true;
    damage->length = *len;
    if (damage->cut && damage->at < *len)
        *len = damage->at;
    else if (!damage->cut && damage->at < *len)
        data[damage->at] ^= 0x55;
    return true;
}

/* Run one handshake; returns whether the damaged datagram has such a byte. */
static bool run_damaged(struct damage *damage, bool wrong_fingerprint, bool must_connect) {
    struct rmt_dtls_options options = options_of(6);
    struct rmt_dtls_pair pair;
    damage->length = 0;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = damage_one;
    pair.user = damage;
    if (wrong_fingerprint) {
        for (int side = 0; side < 2; side++) {
            struct rmi_fingerprint f = digest(&pair, !side, "sha-256", false);
            set(&pair, side, &f, 1, RM_OK);
        }
    }
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(21));
    if (wrong_fingerprint) {
        assert_no_keys(&pair, RMT_CLIENT);
        assert_no_keys(&pair, RMT_SERVER);
    } else if (must_connect) {
        assert_true(rmt_dtls_pair_connected(&pair));
        assert_true(pair.now_us < RMI_SEC(1));
    }
    if (rmt_dtls_pair_connected(&pair))
        assert_works(&pair);
    rmt_dtls_pair_fini(&pair);
    return damage->at < damage->length;
}

static void damage_sweep(bool cut, bool wrong_fingerprint, size_t step) {
    for (int side = 0; side < 2; side++) {
        for (unsigned index = 0; index < 2; index++) {
            struct damage damage = {.from = side, .index = index, .cut = cut};
            while (run_damaged(&damage, wrong_fingerprint, cut))
                damage.at += step;
            assert_true(wrong_fingerprint || damage.at > 50); /* there was such a datagram */
        }
    }
}

static void flipped_bytes_never_connect_the_wrong_peer(void **state) {
    (void)state;
    damage_sweep(false, false, 1);
    damage_sweep(false, true, 5);
}

static void every_truncation_is_repaired(void **state) {
    (void)state;
    damage_sweep(true, false, 1);
}

/* ---- forged datagrams ---- */

struct capture {
    uint8_t hello[1500];
    size_t len;
    bool forge_future; /* spray records of the next epoch with each datagram */
    unsigned sprayed;
};

static void spray_future(struct rmt_dtls_pair *pair, enum rmt_dtls_side to) {
    struct capture *capture = pair->user;
    uint8_t record[13 + 48] = {22, 0xfe, 0xfd, 0, 1};
    record[12] = 48;
    for (unsigned i = 0; i < 200; i++) {
        memset(record + 13, (int)i, 48);
        record[RECORD_SEQ + 5] = (uint8_t)i;
        record[RECORD_SEQ + 1] = i % 3 == 0 ? 0xff : 0; /* some far ahead: would move a replay window */
        record[0] = (uint8_t)(20 + i % 4);
        record[4] = (uint8_t)(i % 5 == 0 ? 2 : 1);
        capture->sprayed++;
        rmi_dtls_input(pair->end[to].dtls, pair->now_us, record, sizeof record);
    }
}

static bool capture_hello(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                          size_t *len) {
    struct capture *capture = pair->user;
    if (from == RMT_CLIENT && index == 0) {
        memcpy(capture->hello, data, *len);
        capture->len = *len;
    }
    if (capture->forge_future)
        spray_future(pair, !from);
    return true;
}

static void forged_future_epochs_do_no_harm(void **state) {
    (void)state;
    for (unsigned loss = 0; loss <= 200; loss += 100) {
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct capture capture = {.forge_future = true};
            struct rmt_dtls_options options = options_of(seed);
            struct rmt_dtls_pair pair;
            options.loss_permille = loss;
            rmt_dtls_pair_init(&pair, &options);
            pair.on_wire = capture_hello;
            pair.user = &capture;
            rmt_dtls_pair_start(&pair);
            rmt_dtls_pair_run(&pair, RMI_SEC(20));
            assert_true(rmt_dtls_pair_connected(&pair));
            if (!loss)
                assert_true(pair.now_us <= RMI_MS(150));
            pair.options.loss_permille = 0;
            assert_works(&pair);
            assert_true(capture.sprayed >= 800);
            rmt_dtls_pair_fini(&pair);
        }
    }
}

/* Plaintext records with the highest numbers, before each real datagram: they must not close the replay window. */
static bool renumber_copy(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                          size_t *len) {
    uint8_t copy[1500];
    (void)index;
    memcpy(copy, data, *len);
    memset(copy + RECORD_SEQ, 0xff, 6);
    rmi_dtls_input(pair->end[!from].dtls, pair->now_us, copy,
                   MESSAGE + (copy[RECORD_LENGTH] << 8 | copy[RECORD_LENGTH + 1]));
    return true;
}

static void forged_record_numbers_do_no_harm(void **state) {
    (void)state;
    struct rmt_dtls_options options = options_of(14);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = renumber_copy;
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    assert_true(pair.now_us <= RMI_MS(50));
    assert_works(&pair);
    rmt_dtls_pair_fini(&pair);
}

/* A stranger's ClientHello that no cipher fits, before the real one: no alert goes out, the real one still counts. */
static void refused_client_hellos_do_not_end_it(void **state) {
    (void)state;
    struct capture capture = {0};
    struct rmt_dtls_options options = options_of(8);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = capture_hello;
    pair.user = &capture;
    rmt_dtls_pair_start(&pair);
    assert_true(capture.len > CIPHER_SUITES + 4);
    uint8_t bad[1500];
    memcpy(bad, capture.hello, capture.len);
    size_t suites = (size_t)bad[CIPHER_SUITES] << 8 | bad[CIPHER_SUITES + 1];
    assert_true(suites >= 2 && suites < 200);
    memset(bad + CIPHER_SUITES + 2, 0, suites); /* TLS_NULL_WITH_NULL_NULL */
    for (int i = 0; i < 500; i++)
        rmt_dtls_pair_inject(&pair, RMT_SERVER, bad, capture.len);
    /* half a ClientHello of another length, which would block the reassembly of the real one */
    memcpy(bad, capture.hello, capture.len);
    bad[MESSAGE + 2]++; /* total length + 256 */
    rmt_dtls_pair_inject(&pair, RMT_SERVER, bad, capture.len);
    assert_int_equal(pair.end[RMT_SERVER].sent, 0);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    assert_true(pair.now_us <= RMI_MS(50));
    struct rmi_dtls_stats stats;
    rmi_dtls_get_stats(pair.end[RMT_SERVER].dtls, &stats);
    assert_true(stats.drops >= 500);
    assert_works(&pair);
    rmt_dtls_pair_fini(&pair);
}

static void unauthenticated_datagrams_never_end_a_connection(void **state) {
    (void)state;
    struct capture capture = {0};
    struct rmt_dtls_options options = options_of(9);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = capture_hello;
    pair.user = &capture;
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    assert_works(&pair);
    static const uint8_t fatal[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};
    static const uint8_t close[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0};
    static const uint8_t plain[] = {23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 3, 'a', 'b', 'c'};
    for (int side = 0; side < 2; side++) {
        rmt_dtls_pair_inject(&pair, side, fatal, sizeof fatal);
        rmt_dtls_pair_inject(&pair, side, close, sizeof close);
        rmt_dtls_pair_inject(&pair, side, plain, sizeof plain);
        rmt_dtls_pair_inject(&pair, side, capture.hello, capture.len);
        spray_future(&pair, side);
        for (size_t body = 0; body < 64; body++) { /* shorter than nonce and tag, too */
            for (unsigned type = 18; type < 28; type++) {
                uint8_t record[13 + 64] = {(uint8_t)type, 0xfe, 0xfd,         0, 1, 0, 0, 0, 0, 2,
                                           (uint8_t)body, 0,    (uint8_t)body};
                rmt_dtls_pair_inject(&pair, side, record, 13 + body);
            }
        }
        uint8_t big[3000] = {22, 0xfe, 0xfd};
        rmt_dtls_pair_inject(&pair, side, big, sizeof big);
        rmt_dtls_pair_inject(&pair, side, big, 0);
    }
    unsigned messages = pair.end[0].messages + pair.end[1].messages;
    assert_int_equal(messages, 2);
    assert_works(&pair);
    rmt_dtls_pair_fini(&pair);
}

static void fatal_alert_counts_only_in_a_handshake(void **state) {
    (void)state;
    static const uint8_t fatal[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};
    static const uint8_t warning[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 90};
    struct rmt_dtls_options options = options_of(10);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_inject(&pair, RMT_SERVER, fatal, sizeof fatal); /* has sent nothing: answers nothing */
    for (int i = 0; i < 20; i++)
        rmt_dtls_pair_inject(&pair, RMT_CLIENT, warning, sizeof warning);
    rmt_dtls_pair_inject(&pair, RMT_CLIENT, fatal, sizeof fatal - 1);
    assert_int_equal(pair.end[RMT_SERVER].failed, 0);
    assert_int_equal(pair.end[RMT_CLIENT].failed, 0);
    rmt_dtls_pair_inject(&pair, RMT_CLIENT, fatal, sizeof fatal);
    assert_int_equal(pair.end[RMT_CLIENT].err, RM_E_DTLS_HANDSHAKE);
    assert_non_null(strstr(pair.end[RMT_CLIENT].detail, "handshake failure"));
    rmt_dtls_pair_fini(&pair);
}

static void two_active_sides_are_told_apart_from_silence(void **state) {
    (void)state;
    struct capture capture = {0};
    struct rmt_dtls_options options = options_of(11);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = capture_hello;
    pair.user = &capture;
    rmi_dtls_start(pair.end[RMT_CLIENT].dtls, 0);
    rmt_dtls_pair_inject(&pair, RMT_CLIENT, capture.hello, capture.len);
    rmt_dtls_pair_run_all(&pair, RMI_SEC(20));
    assert_int_equal(pair.end[RMT_CLIENT].err, RM_E_DTLS_TIMEOUT);
    assert_non_null(strstr(pair.end[RMT_CLIENT].detail, "both sides are active"));
    rmt_dtls_pair_fini(&pair);
}

/* As Chromium does when its key shares make the ClientHello long; fragments come in any order and overlap. */
static bool fragment_hello(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                           size_t *len) {
    size_t size = *(size_t *)pair->user;
    if (from != RMT_CLIENT || index != 0)
        return true;
    size_t body = *len - MESSAGE - MESSAGE_HEADER, count = (body + size - 1) / size;
    for (size_t i = count; i-- > 0;) {
        uint8_t out[1500];
        size_t at = i * size, n = rmi_min64((int64_t)(size + 5), (int64_t)(body - at));
        memcpy(out, data, MESSAGE + MESSAGE_HEADER);
        memcpy(out + MESSAGE + MESSAGE_HEADER, data + MESSAGE + MESSAGE_HEADER + at, n);
        out[RECORD_SEQ + 5] = (uint8_t)(100 + i);
        out[RECORD_LENGTH] = (uint8_t)((n + MESSAGE_HEADER) >> 8);
        out[RECORD_LENGTH + 1] = (uint8_t)(n + MESSAGE_HEADER);
        out[MESSAGE + 7] = (uint8_t)(at >> 8), out[MESSAGE + 8] = (uint8_t)at;
        out[MESSAGE + 10] = (uint8_t)(n >> 8), out[MESSAGE + 11] = (uint8_t)n;
        rmi_dtls_input(pair->end[RMT_SERVER].dtls, pair->now_us, out, MESSAGE + MESSAGE_HEADER + n);
    }
    return false;
}

static void client_hello_in_fragments(void **state) {
    (void)state;
    for (size_t size = 1; size < 150; size += 7) {
        struct rmt_dtls_options options = options_of(12);
        struct rmt_dtls_pair pair;
        rmt_dtls_pair_init(&pair, &options);
        pair.on_wire = fragment_hello;
        pair.user = &size;
        rmt_dtls_pair_start(&pair);
        rmt_dtls_pair_run(&pair, RMI_SEC(5));
        assert_true(pair.now_us <= RMI_MS(40));
        assert_works(&pair);
        rmt_dtls_pair_fini(&pair);
    }
}

struct nonces {
    uint64_t last;
    unsigned records, repeats;
};

/* The explicit nonce of AES-GCM (RFC 5288) must never repeat under a key. */
static bool watch_nonces(struct rmt_dtls_pair *pair, enum rmt_dtls_side from, unsigned index, uint8_t *data,
                         size_t *len) {
    struct nonces *nonces = pair->user;
    (void)index, (void)len;
    if (data[0] == 23 && from == RMT_CLIENT) {
        uint64_t nonce = 0;
        for (int i = 0; i < 8; i++)
            nonce = nonce << 8 | data[13 + i];
        nonces->repeats += nonces->records && nonce != nonces->last + 1;
        nonces->last = nonce;
        nonces->records++;
    }
    return data[0] != 23;
}

static void nonces_never_repeat(void **state) {
    (void)state;
    enum { RECORDS = 100000 };
    struct nonces nonces = {0};
    struct rmt_dtls_options options = options_of(13);
    struct rmt_dtls_pair pair;
    rmt_dtls_pair_init(&pair, &options);
    pair.on_wire = watch_nonces;
    pair.user = &nonces;
    rmt_dtls_pair_start(&pair);
    rmt_dtls_pair_run(&pair, RMI_SEC(5));
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(rmi_dtls_send(pair.end[RMT_CLIENT].dtls, pair.now_us, (const uint8_t *)"x", 1), RM_OK);
    assert_int_equal(nonces.records, RECORDS);
    assert_int_equal(nonces.repeats, 0);
    rmt_dtls_pair_fini(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mismatch_never_connects),
        cmocka_unit_test(none_and_weak_ones_never_connect),
        cmocka_unit_test(late_fingerprint_connects_and_keeps_data),
        cmocka_unit_test(strongest_hash_decides),
        cmocka_unit_test(flipped_bytes_never_connect_the_wrong_peer),
        cmocka_unit_test(every_truncation_is_repaired),
        cmocka_unit_test(forged_future_epochs_do_no_harm),
        cmocka_unit_test(forged_record_numbers_do_no_harm),
        cmocka_unit_test(refused_client_hellos_do_not_end_it),
        cmocka_unit_test(unauthenticated_datagrams_never_end_a_connection),
        cmocka_unit_test(fatal_alert_counts_only_in_a_handshake),
        cmocka_unit_test(two_active_sides_are_told_apart_from_silence),
        cmocka_unit_test(client_hello_in_fragments),
        cmocka_unit_test(nonces_never_repeat),
    };
    return cmocka_run_group_tests(tests, make_certs, free_certs);
}
