/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "dtls/dtls_private.h"
#include <stdlib.h>
#include <string.h>

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, FINISHED = 20 };

struct message {
    uint8_t type;
    uint32_t total;
    uint16_t seq;
    uint32_t offset, len, present;
};

static size_t record(uint8_t *out, uint8_t type, uint16_t version, uint16_t epoch, const uint8_t *body, size_t len) {
    struct rmi_wr w = rmi_wr_init(out, RMI_DATAGRAM_MAX);
    rmi_wr_u8(&w, type);
    rmi_wr_u16(&w, version);
    rmi_wr_u16(&w, epoch);
    rmi_wr_u16(&w, 0xffff);
    rmi_wr_u32(&w, 0xffffffff);
    rmi_wr_u16(&w, (uint16_t)len);
    rmi_wr_bytes(&w, body, len);
    return w.pos;
}

static size_t handshake(uint8_t *out, struct message m) {
    uint8_t body[RMI_DATAGRAM_MAX] = {0};
    struct rmi_wr w = rmi_wr_init(body, sizeof body);
    rmi_wr_u8(&w, m.type);
    rmi_wr_u24(&w, m.total);
    rmi_wr_u16(&w, m.seq);
    rmi_wr_u24(&w, m.offset);
    rmi_wr_u24(&w, m.len);
    rmi_wr_zero(&w, m.present);
    return record(out, 22, 0xfefd, 0, body, w.pos);
}

static bool passes(struct rmi_dtls_filter *f, struct message m) {
    uint8_t in[RMI_DATAGRAM_MAX], out[RMI_DATAGRAM_MAX];
    size_t len = handshake(in, m);
    struct rmi_dtls_filtered r = rmi_dtls_filter_datagram(f, in, len, out);
    assert_int_equal(r.len + (r.dropped ? len : 0), len);
    return r.len > 0;
}

static bool passes_fresh(bool client, struct message m) {
    struct rmi_dtls_filter f;
    rmi_dtls_filter_init(&f, client);
    return passes(&f, m);
}

static void messages_of_the_other_side_only(void **state) {
    (void)state;
    static const uint8_t to_client[] = {2, 3, 11, 12, 13, 14}, to_server[] = {1, 11, 15, 16};
    for (unsigned type = 0; type < 256; type++) {
        struct message m = {(uint8_t)type, 30, 0, 0, 30, 30};
        assert_int_equal(passes_fresh(true, m), type && memchr(to_client, (int)type, sizeof to_client) != NULL);
        assert_int_equal(passes_fresh(false, m), type && memchr(to_server, (int)type, sizeof to_server) != NULL);
    }
}

static void fragments_are_measured(void **state) {
    (void)state;
    static const struct {
        struct message m;
        bool ok;
    } cases[] = {
        {{CLIENT_HELLO, 100, 0, 0, 100, 100}, true},
        {{CLIENT_HELLO, 100, 0, 40, 60, 60}, true},
        {{CLIENT_HELLO, 100, 0, 41, 60, 60}, false},
        {{CLIENT_HELLO, 100, 0, 101, 0, 0}, false},
        {{CLIENT_HELLO, 100, 0, 0, 0, 0}, false},
        {{CLIENT_HELLO, 100, 0, 0xffffff, 0xffffff, 10}, false},
        {{CLIENT_HELLO, 100, 0, 0, 100, 99}, false},
        {{CLIENT_HELLO, 100, 0, 0, 100, 101}, false}, /* a further, cut-off header */
        {{CLIENT_HELLO, RMI_DTLS_MESSAGE_MAX, 0, 0, 10, 10}, true},
        {{CLIENT_HELLO, RMI_DTLS_MESSAGE_MAX + 1, 0, 0, 10, 10}, false},
        {{CLIENT_HELLO, 0xffffff, 0, 0, 10, 10}, false},
        {{CLIENT_HELLO, 100, 1, 0, 100, 100}, false},
        {{CERTIFICATE, 100, RMI_DTLS_HANDSHAKE_SEQS - 1, 0, 100, 100}, true},
        {{CERTIFICATE, 100, RMI_DTLS_HANDSHAKE_SEQS, 0, 100, 100}, false},
        {{CERTIFICATE, 100, 0xffff, 0, 100, 100}, false},
        {{FINISHED, 12, 4, 0, 12, 12}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(passes_fresh(false, cases[i].m), cases[i].ok);
}

static void handshake_memory_is_bounded(void **state) {
    (void)state;
    struct rmi_dtls_filter f;
    rmi_dtls_filter_init(&f, true);
    unsigned passed = 0;
    for (uint16_t seq = 0; seq < RMI_DTLS_HANDSHAKE_SEQS; seq++)
        passed += passes(&f, (struct message){CERTIFICATE, RMI_DTLS_MESSAGE_MAX, seq, 0, 10, 10});
    assert_int_equal(passed, RMI_DTLS_HANDSHAKE_MAX / RMI_DTLS_MESSAGE_MAX);
    /* what was counted once can come again; another length of it cannot */
    for (int i = 0; i < 1000; i++)
        assert_true(passes(&f, (struct message){CERTIFICATE, RMI_DTLS_MESSAGE_MAX, 1, 20, 10, 10}));
    assert_false(passes(&f, (struct message){CERTIFICATE, RMI_DTLS_MESSAGE_MAX - 1, 1, 20, 10, 10}));
    assert_int_equal(f.handshake_bytes, RMI_DTLS_HANDSHAKE_MAX);
}

static void epochs_and_versions(void **state) {
    (void)state;
    static const uint16_t versions[] = {0xfefd, 0xfeff, 0xfefc, 0xfefe, 0x0303, 0x0000, 0xffff};
    uint8_t body[64] = {0}, in[RMI_DATAGRAM_MAX], out[RMI_DATAGRAM_MAX];
    for (int established = 0; established < 2; established++) {
        for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
            for (uint16_t epoch = 0; epoch < 4; epoch++) {
                struct rmi_dtls_filter f;
                rmi_dtls_filter_init(&f, true);
                f.flight_sent = true;
                f.established = established;
                size_t len = record(in, 23, versions[v], epoch, body, sizeof body);
                size_t got = rmi_dtls_filter_datagram(&f, in, len, out).len;
                assert_int_equal(got > 0, epoch == 1 && versions[v] == 0xfefd);
            }
        }
    }
    struct rmi_dtls_filter f;
    rmi_dtls_filter_init(&f, true);
    f.flight_sent = true;
    size_t len = record(in, 22, 0xfefd, 1, body, 48), passed = 0;
    for (int i = 0; i < 1000; i++)
        passed += rmi_dtls_filter_datagram(&f, in, len, out).len > 0;
    assert_int_equal(passed, RMI_DTLS_FUTURE_RECORDS_MAX);
    /* right after a ChangeCipherSpec it passes all the same */
    body[0] = 1;
    size_t at = record(in, 20, 0xfefd, 0, body, 1);
    at += record(in + at, 22, 0xfefd, 1, body, 48);
    assert_int_equal(rmi_dtls_filter_datagram(&f, in, at, out).len, at);
}

/* A datagram of several records, cut at each length and with each byte changed: never more comes out than went in,
 * whole records only, plaintext ones renumbered. */
static void truncation_and_change_sweep(void **state) {
    (void)state;
    uint8_t in[RMI_DATAGRAM_MAX], body[64] = {1};
    size_t len = handshake(in, (struct message){SERVER_HELLO, 40, 0, 0, 40, 40});
    len += handshake(in + len, (struct message){CERTIFICATE, 300, 1, 10, 50, 50});
    len += record(in + len, 20, 0xfefd, 0, body, 1);
    len += record(in + len, 22, 0xfefd, 1, body, 48);
    for (size_t n = 0; n <= len; n++) {
        for (int change = -1; change < (int)n; change++) {
            struct rmi_dtls_filter f;
            rmi_dtls_filter_init(&f, true);
            f.flight_sent = true;
            uint8_t *exact = malloc(n ? n : 1), *out = malloc(n ? n : 1);
            memcpy(exact, in, n);
            if (change >= 0)
                exact[change] ^= 0xff;
            struct rmi_dtls_filtered r = rmi_dtls_filter_datagram(&f, exact, n, out);
            assert_true(r.len <= n);
            assert_true(n == 0 || r.len > 0 || r.dropped > 0);
            if (change < 0 && n == len)
                assert_true(r.len == len && r.dropped == 0);
            uint32_t plain = 0;
            for (size_t at = 0; at < r.len;) {
                assert_true(r.len - at > RMI_DTLS_RECORD_HEADER);
                if (out[at + 4] == 0)
                    assert_int_equal(out[at + 10], plain++);
                at += RMI_DTLS_RECORD_HEADER + (size_t)(out[at + 11] << 8 | out[at + 12]);
                assert_true(at <= r.len);
            }
            free(exact);
            free(out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_the_other_side_only), cmocka_unit_test(fragments_are_measured),
        cmocka_unit_test(handshake_memory_is_bounded),     cmocka_unit_test(epochs_and_versions),
        cmocka_unit_test(truncation_and_change_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
