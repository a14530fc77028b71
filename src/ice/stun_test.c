/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/stun.h"

#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the four headers it needs */

/* RFC 5769, sections 2.1 to 2.4. */
static const uint8_t vector_request[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
    0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
    0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f,
    0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
    0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
    0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
static const uint8_t vector_ipv4[] = {
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};
static const uint8_t vector_ipv6[] = {
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf,
    0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20,
    0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe,
    0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c,
    0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c};
static const uint8_t vector_long_term[] = {
    0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29,
    0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3,
    0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00, 0x15, 0x00, 0x1c, 0x66, 0x2f, 0x2f,
    0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46,
    0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70,
    0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6,
    0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66};

#define SHORT_PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"
#define INTEGRITY_ATTR 24 /* header and value of MESSAGE-INTEGRITY */

static bool integrity_with(const struct rmi_stun_msg *m, const char *password) {
    return rmi_stun_check_integrity(m, (const uint8_t *)password, strlen(password));
}

static struct rmi_addr addr_of(const char *text) {
    struct rmi_addr a;
    assert_int_equal(rmi_addr_parse_hostport(text, &a), RM_OK);
    return a;
}

static void the_sample_request_of_rfc_5769_parses(void **state) {
    (void)state;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(vector_request, sizeof vector_request, &m), RM_OK);
    assert_int_equal(m.cls, RMI_STUN_REQUEST);
    assert_int_equal(m.method, RMI_STUN_BINDING);
    assert_memory_equal(m.txid, vector_request + 8, RMI_STUN_TXID);
    assert_int_equal(m.username_len, 9);
    assert_memory_equal(m.username, "evtj:h6vY", 9);
    assert_true(m.has_priority);
    assert_int_equal(m.priority, 0x6e0001ff);
    assert_true(m.ice_controlled);
    assert_false(m.ice_controlling);
    assert_true(m.tiebreaker == UINT64_C(0x932ff9b151263b36));
    assert_true(m.has_fingerprint);
    assert_true(m.has_integrity);
    assert_int_equal(m.unknown_attr, 0);
    assert_true(integrity_with(&m, SHORT_PASSWORD));
    assert_false(integrity_with(&m, "VOkJxbRl1RmTxUk/WvJxBT"));
    assert_false(integrity_with(&m, ""));
}

static void the_sample_responses_of_rfc_5769_parse(void **state) {
    (void)state;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(vector_ipv4, sizeof vector_ipv4, &m), RM_OK);
    assert_int_equal(m.cls, RMI_STUN_SUCCESS);
    struct rmi_addr want = addr_of("192.0.2.1:32853");
    assert_true(rmi_addr_equal(&m.xor_mapped, &want));
    assert_true(integrity_with(&m, SHORT_PASSWORD));

    assert_int_equal(rmi_stun_parse(vector_ipv6, sizeof vector_ipv6, &m), RM_OK);
    want = addr_of("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    assert_true(rmi_addr_equal(&m.xor_mapped, &want));
    assert_true(integrity_with(&m, SHORT_PASSWORD));
    assert_true(m.has_fingerprint);
}

static void the_long_term_sample_of_rfc_5769_authenticates(void **state) {
    (void)state;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(vector_long_term, sizeof vector_long_term, &m), RM_OK);
    assert_int_equal(m.realm_len, 11);
    assert_memory_equal(m.realm, "example.org", 11);
    assert_int_equal(m.nonce_len, 28);
    assert_memory_equal(m.nonce, "f//499k954d6OL34oL9FSTvy64sA", 28);
    assert_int_equal(m.username_len, 18);
    char user[19] = {0};
    memcpy(user, m.username, m.username_len);
    uint8_t key[16];
    assert_true(rmi_stun_long_term_key(user, "example.org", "TheMatrIX", key)); /* the password as SASLprep leaves it */
    assert_true(rmi_stun_check_integrity(&m, key, sizeof key));
    assert_true(rmi_stun_long_term_key(user, "example.org", "TheMatrix", key));
    assert_false(rmi_stun_check_integrity(&m, key, sizeof key));
    assert_false(m.has_fingerprint);
}

/* Parse from an exactly sized heap block, so that a read past the end is seen by the address sanitizer. */
static rm_err parse_boxed(const uint8_t *data, size_t len, struct rmi_stun_msg *m, const char *password, bool *good) {
    uint8_t *box = malloc(len ? len : 1);
    assert_non_null(box);
    memcpy(box, data, len);
    rm_err err = rmi_stun_parse(box, len, m);
    *good = err == RM_OK && integrity_with(m, password);
    free(box);
    return err;
}

static void truncated_or_changed_messages_never_authenticate(void **state) {
    (void)state;
    const struct {
        const uint8_t *data;
        size_t len;
    } vectors[] = {{vector_request, sizeof vector_request},
                   {vector_ipv4, sizeof vector_ipv4},
                   {vector_ipv6, sizeof vector_ipv6},
                   {vector_long_term, sizeof vector_long_term}};
    struct rmi_stun_msg m;
    bool good = false;
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        for (size_t n = 0; n < vectors[v].len; n++)
            assert_int_equal(parse_boxed(vectors[v].data, n, &m, SHORT_PASSWORD, &good), RM_E_PARSE);
        uint8_t copy[256];
        memcpy(copy, vectors[v].data, vectors[v].len);
        copy[vectors[v].len] = 0;
        assert_int_equal(parse_boxed(copy, vectors[v].len + 1, &m, SHORT_PASSWORD, &good), RM_E_PARSE);
        for (size_t i = 0; i < vectors[v].len; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                memcpy(copy, vectors[v].data, vectors[v].len);
                copy[i] ^= (uint8_t)(1u << bit);
                rm_err err = parse_boxed(copy, vectors[v].len, &m, SHORT_PASSWORD, &good);
                /* FINGERPRINT finds every single-bit error, unless the error hides FINGERPRINT itself. */
                assert_true(err == RM_E_PARSE || !m.has_fingerprint);
                /* FINGERPRINT follows MESSAGE-INTEGRITY; its own attribute type is not authenticated. */
                bool own_type = i == vectors[v].len - 8 || i == vectors[v].len - 7;
                assert_true(!good || (own_type && vectors[v].data != vector_long_term));
            }
        }
    }
}

static const uint8_t test_txid[RMI_STUN_TXID] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static rm_err reparse(struct rmi_stun_builder *b, struct rmi_stun_msg *m) {
    size_t len = rmi_stun_finish(b, NULL, 0, false);
    assert_true(len > 0);
    return rmi_stun_parse(b->data, len, m);
}

static void every_attribute_length_is_judged(void **state) {
    (void)state;
    static const struct {
        uint16_t attr;
        int want; /* the only length accepted; -1: all; -2: 8 or 20 with the matching family */
    } rules[] = {{RMI_STUN_A_PRIORITY, 4},
                 {RMI_STUN_A_LIFETIME, 4},
                 {RMI_STUN_A_CHANNEL_NUMBER, 4},
                 {RMI_STUN_A_REQUESTED_TRANSPORT, 4},
                 {RMI_STUN_A_REQUESTED_ADDRESS_FAMILY, 4},
                 {RMI_STUN_A_USE_CANDIDATE, 0},
                 {RMI_STUN_A_ICE_CONTROLLED, 8},
                 {RMI_STUN_A_ICE_CONTROLLING, 8},
                 {RMI_STUN_A_MESSAGE_INTEGRITY, 20},
                 {RMI_STUN_A_XOR_MAPPED_ADDRESS, -2},
                 {RMI_STUN_A_XOR_PEER_ADDRESS, -2},
                 {RMI_STUN_A_XOR_RELAYED_ADDRESS, -2},
                 {RMI_STUN_A_MAPPED_ADDRESS, -2},
                 {RMI_STUN_A_ALTERNATE_SERVER, -2},
                 {RMI_STUN_A_DATA, -1},
                 {RMI_STUN_A_USERNAME, -1},
                 {RMI_STUN_A_UNKNOWN_ATTRIBUTES, -1}};
    uint8_t buf[256], value[40] = {0};
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        for (uint8_t family = 0; family < 4; family++) {
            value[1] = family;
            for (size_t n = 0; n <= sizeof value; n++) {
                struct rmi_stun_builder b;
                struct rmi_stun_msg m;
                rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
                rmi_stun_add_bytes(&b, rules[r].attr, value, n);
                bool right = rules[r].want == -1 || (int)n == rules[r].want;
                if (rules[r].want == -2)
                    right = (n == 8 && family == 1) || (n == 20 && family == 2);
                assert_int_equal(reparse(&b, &m), right ? RM_OK : RM_E_PARSE);
            }
        }
    }
}

static void text_beyond_the_limits_is_refused(void **state) {
    (void)state;
    static const struct {
        uint16_t attr;
        size_t max;
    } rules[] = {{RMI_STUN_A_USERNAME, RMI_STUN_USERNAME_MAX}, {RMI_STUN_A_REALM, 763}, {RMI_STUN_A_NONCE, 763}};
    uint8_t buf[1024], value[800];
    memset(value, 'x', sizeof value);
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        for (size_t over = 0; over < 2; over++) {
            struct rmi_stun_builder b;
            struct rmi_stun_msg m;
            rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
            rmi_stun_add_bytes(&b, rules[r].attr, value, rules[r].max + over);
            assert_int_equal(reparse(&b, &m), over ? RM_E_PARSE : RM_OK);
        }
    }
}

static void a_declared_length_beyond_the_message_is_refused(void **state) {
    (void)state;
    uint8_t buf[64];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
    rmi_stun_add_bytes(&b, RMI_STUN_A_DATA, "abcd", 4);
    size_t len = rmi_stun_finish(&b, NULL, 0, false);
    for (unsigned claim = 0; claim <= UINT16_MAX; claim++) {
        buf[RMI_STUN_HEADER + 2] = (uint8_t)(claim >> 8);
        buf[RMI_STUN_HEADER + 3] = (uint8_t)claim;
        rm_err err = rmi_stun_parse(buf, len, &m);
        if (claim >= 1 && claim <= 4) {
            assert_int_equal(err, RM_OK);
            assert_int_equal(m.data_len, claim);
        } else if (claim == 0) {
            assert_int_equal(err, RM_E_PARSE); /* then "abcd" is an attribute header that claims too much */
        } else {
            assert_int_equal(err, RM_E_PARSE);
        }
    }
}

static void error_codes_are_read_and_short_ones_refused(void **state) {
    (void)state;
    uint8_t buf[128];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    static const uint16_t codes[] = {300, 400, 401, 403, 420, 437, 438, 441, 442, 486, 487, 500, 508, 699};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
        rmi_stun_add_error(&b, codes[i], "Reason");
        assert_int_equal(reparse(&b, &m), RM_OK);
        assert_int_equal(m.cls, RMI_STUN_ERROR);
        assert_int_equal(m.error_code, codes[i]);
    }
    static const uint8_t value[] = {0, 0, 4, 1};
    for (size_t n = 0; n <= sizeof value; n++) {
        rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
        rmi_stun_add_bytes(&b, RMI_STUN_A_ERROR_CODE, value, n);
        assert_int_equal(reparse(&b, &m), n < 4 ? RM_E_PARSE : RM_OK);
    }
    static const uint8_t bad[][4] = {{0, 0, 2, 0}, {0, 0, 7, 0}, {0, 0, 0, 1}, {0, 0, 4, 100}};
    for (size_t i = 0; i < 4; i++) {
        rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
        rmi_stun_add_bytes(&b, RMI_STUN_A_ERROR_CODE, bad[i], 4);
        assert_int_equal(reparse(&b, &m), RM_E_PARSE);
    }
}

static void the_first_of_duplicate_attributes_counts(void **state) {
    (void)state;
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
    rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, "first", 5);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 1);
    rmi_stun_add_u64(&b, RMI_STUN_A_ICE_CONTROLLING, 7);
    rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, "second", 6);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 2);
    rmi_stun_add_u64(&b, RMI_STUN_A_ICE_CONTROLLING, 8);
    assert_int_equal(reparse(&b, &m), RM_OK);
    assert_int_equal(m.username_len, 5);
    assert_int_equal(m.priority, 1);
    assert_true(m.tiebreaker == 7);
}

static void attributes_after_integrity_do_not_count(void **state) {
    (void)state;
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 1);
    size_t signed_len = rmi_stun_finish(&b, (const uint8_t *)"key", 3, false);
    assert_true(signed_len > 0);
    rmi_stun_add_bytes(&b, RMI_STUN_A_USE_CANDIDATE, "", 0); /* as someone on the path might append */
    rmi_stun_add_bytes(&b, 0x7777, "x", 1);
    size_t len = rmi_stun_finish(&b, NULL, 0, true);
    assert_int_equal(rmi_stun_parse(buf, len, &m), RM_OK);
    assert_false(m.use_candidate);
    assert_int_equal(m.unknown_attr, 0);
    assert_int_equal(m.integrity_at, signed_len - INTEGRITY_ATTR);
    assert_true(integrity_with(&m, "key"));
    assert_true(m.has_fingerprint);
}

static void nothing_may_follow_the_fingerprint(void **state) {
    (void)state;
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
    assert_true(rmi_stun_finish(&b, NULL, 0, true) > 0);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 1);
    assert_int_equal(reparse(&b, &m), RM_E_PARSE);
}

static void the_first_unknown_required_attribute_is_reported(void **state) {
    (void)state;
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, test_txid);
    rmi_stun_add_bytes(&b, 0xC057, "cost", 4); /* comprehension-optional: NETWORK-COST of browsers */
    rmi_stun_add_bytes(&b, 0x0026, "a", 1);
    rmi_stun_add_bytes(&b, 0x7FFF, "b", 1);
    assert_int_equal(reparse(&b, &m), RM_OK);
    assert_int_equal(m.unknown_attr, 0x0026);
}

static void mapped_address_stands_in_for_the_xored_one(void **state) {
    (void)state;
    static const uint8_t plain[] = {0, 1, 0x12, 0x34, 198, 51, 100, 7};
    const struct rmi_addr xored = addr_of("203.0.113.9:9999"), mapped = addr_of("198.51.100.7:4660");
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    for (int with = 0; with < 2; with++) {
        rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_SUCCESS, RMI_STUN_BINDING, test_txid);
        rmi_stun_add_bytes(&b, RMI_STUN_A_MAPPED_ADDRESS, plain, sizeof plain);
        if (with)
            rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &xored);
        assert_int_equal(reparse(&b, &m), RM_OK);
        assert_true(rmi_addr_equal(&m.xor_mapped, with ? &xored : &mapped));
    }
}

static void types_and_addresses_survive_a_round_trip(void **state) {
    (void)state;
    static const char *const texts[] = {"192.0.2.1:1", "255.255.255.254:65535", "[2001:db8::1]:3478"};
    uint8_t buf[256];
    struct rmi_stun_builder b;
    struct rmi_stun_msg m;
    for (unsigned method = 0; method <= 0xFFF; method++) {
        for (unsigned cls = 0; cls < 4; cls++) {
            rmi_stun_begin(&b, buf, sizeof buf, (enum rmi_stun_class)cls, (uint16_t)method, test_txid);
            struct rmi_addr a = addr_of(texts[method % 3]);
            rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, &a);
            assert_int_equal(reparse(&b, &m), RM_OK);
            assert_int_equal(m.cls, cls);
            assert_int_equal(m.method, method);
            assert_true(rmi_addr_equal(&m.xor_peer, &a));
        }
    }
}

static void a_full_buffer_fails_the_builder_and_nothing_is_overrun(void **state) {
    (void)state;
    uint8_t whole[256];
    size_t need = 0;
    for (size_t cap = 0; cap <= sizeof whole; cap++) {
        uint8_t *buf = malloc(cap ? cap : 1);
        assert_non_null(buf);
        struct rmi_stun_builder b;
        struct rmi_addr a = addr_of("192.0.2.1:1");
        rmi_stun_begin(&b, buf, cap, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
        rmi_stun_add_error(&b, 401, "Unauthorized");
        rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &a);
        size_t len = rmi_stun_finish(&b, (const uint8_t *)"key", 3, true);
        if (len > 0 && need == 0)
            need = cap;
        if (need > 0)
            assert_int_equal(len, need);
        free(buf);
    }
    assert_int_equal(need, 20 + 4 + 16 + 12 + 24 + 8);
}

static void bad_builder_arguments_are_sticky(void **state) {
    (void)state;
    uint8_t buf[128];
    struct rmi_stun_builder b;
    const struct rmi_addr none = {0};
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_ERROR, RMI_STUN_ALLOCATE, test_txid);
    rmi_stun_add_error(&b, 299, "no such class");
    rmi_stun_add_u32(&b, RMI_STUN_A_LIFETIME, 1);
    assert_int_equal(rmi_stun_finish(&b, NULL, 0, true), 0);
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_SUCCESS, RMI_STUN_ALLOCATE, test_txid);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &none);
    assert_int_equal(rmi_stun_finish(&b, NULL, 0, true), 0);
}

static void random_bytes_behind_a_valid_header_do_no_harm(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 8489);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    size_t accepted = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t buf[128];
        rmi_rng_fill(&rng, buf, sizeof buf);
        size_t body = (size_t)rmi_rng_range(&rng, 0, 27) * 4;
        static const uint8_t head[] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};
        memcpy(buf, head, sizeof head);
        buf[3] = (uint8_t)body;
        for (size_t at = RMI_STUN_HEADER; at + 4 <= RMI_STUN_HEADER + body; at += 8) {
            buf[at] = (uint8_t)rmi_rng_range(&rng, 0, 1) ? 0x80 : 0;
            buf[at + 2] = 0;
            buf[at + 3] &= 0x1F;
        }
        struct rmi_stun_msg m;
        bool good = false;
        accepted += parse_boxed(buf, RMI_STUN_HEADER + body, &m, "password", &good) == RM_OK;
        assert_false(good);
    }
    assert_true(accepted > 0); /* otherwise the sweep would not reach the attributes */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_request_of_rfc_5769_parses),
        cmocka_unit_test(the_sample_responses_of_rfc_5769_parse),
        cmocka_unit_test(the_long_term_sample_of_rfc_5769_authenticates),
        cmocka_unit_test(truncated_or_changed_messages_never_authenticate),
        cmocka_unit_test(every_attribute_length_is_judged),
        cmocka_unit_test(text_beyond_the_limits_is_refused),
        cmocka_unit_test(a_declared_length_beyond_the_message_is_refused),
        cmocka_unit_test(error_codes_are_read_and_short_ones_refused),
        cmocka_unit_test(the_first_of_duplicate_attributes_counts),
        cmocka_unit_test(attributes_after_integrity_do_not_count),
        cmocka_unit_test(nothing_may_follow_the_fingerprint),
        cmocka_unit_test(the_first_unknown_required_attribute_is_reported),
        cmocka_unit_test(mapped_address_stands_in_for_the_xored_one),
        cmocka_unit_test(types_and_addresses_survive_a_round_trip),
        cmocka_unit_test(a_full_buffer_fails_the_builder_and_nothing_is_overrun),
        cmocka_unit_test(bad_builder_arguments_are_sticky),
        cmocka_unit_test(random_bytes_behind_a_valid_header_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
