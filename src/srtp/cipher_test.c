/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "srtp/srtp_private.h"
#include "srtp/srtp_testkit.h"

static struct rmi_srtp_cipher cipher_with(bool gcm, bool rtcp, bool seals, const char *key, const char *salt,
                                          const char *auth) {
    struct rmi_srtp_cipher c = {0};
    struct rmi_srtp_session_key k = {0};
    unhex(key, k.key);
    unhex(salt, k.salt);
    unhex(auth, k.auth);
    EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, gcm ? "AES-128-GCM" : "AES-128-CTR", NULL);
    assert_int_equal(rmi_srtp_cipher_init(&c, type, gcm, rtcp, seals, &k), RM_OK);
    EVP_CIPHER_free(type);
    return c;
}

/* RFC 3711 B.3, whole: 94 bytes of the authentication key's stream as well */
static void keys_are_derived_as_in_the_rfc(void **state) {
    (void)state;
    uint8_t master[16], salt[14], expect[96], out[96];
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139", master);
    unhex("0EC675AD498AFEEBB6960B3AABE6", salt);
    EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    EVP_CIPHER_CTX *ctr = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(ctr, type, NULL, master, NULL), 1);
    static const struct {
        uint8_t label;
        const char *hex;
    } keys[] = {{0, "C61E7A93744F39EE10734AFE3FF7A087"},
                {2, "30CBBC08863D8C85D49DB34A9AE1"},
                {1, "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE"
                    "E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25"
                    "6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n = unhex(keys[i].hex, expect);
        assert_true(rmi_srtp_derive(ctr, salt, sizeof salt, keys[i].label, out, n));
        assert_memory_equal(out, expect, n);
    }
    EVP_CIPHER_CTX_free(ctr);
    EVP_CIPHER_free(type);
}

/* RFC 3711 B.2: keystream of SSRC 0, index 0, at the start of the longest packet there can be */
static void counter_mode_makes_the_keystream_of_the_rfc(void **state) {
    (void)state;
    static uint8_t data[65535];
    uint8_t expect[48];
    struct rmi_srtp_cipher c =
        cipher_with(false, false, true, "2B7E151628AED2A6ABF7158809CF4F3C", "F0F1F2F3F4F5F6F7F8F9FAFBFCFD", "");
    memset(data, 0, sizeof data);
    size_t room = sizeof data - RMI_SRTP_TAG_BYTES_CM;
    assert_int_equal(rmi_srtp_seal(&c, 0, 0, data, 0, room), sizeof data);
    unhex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0", expect);
    assert_memory_equal(data, expect, sizeof expect);
    assert_true(rmi_srtp_open(&c, 0, 0, data, 0, room));
    for (size_t i = 0; i < room; i++)
        assert_int_equal(data[i], 0);
    rmi_srtp_cipher_release(&c);
}

/* RFC 2202 3, cases 1 and 3: those with a key of 20 bytes; the last four bytes of data come as the word. */
static void hmac_agrees_with_its_vectors(void **state) {
    (void)state;
    struct rmi_srtp_hmac h;
    uint8_t key[20], data[64], expect[20], out[20];
    memset(key, 0x0b, sizeof key);
    unhex("b617318655057264e28bc0b6fb378c8ef146be00", expect);
    assert_true(rmi_srtp_hmac_init(&h, key));
    assert_true(rmi_srtp_hmac(&h, (const uint8_t *)"Hi T", 4, (const uint8_t *)"here", out));
    assert_memory_equal(out, expect, sizeof out);
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, 50);
    unhex("125d7342b9ac11cd91a39af48aa17b4f63f175d3", expect);
    assert_true(rmi_srtp_hmac_init(&h, key));
    for (int i = 0; i < 2; i++) { /* the second time shows that the first left the state alone */
        assert_true(rmi_srtp_hmac(&h, data, 46, data + 46, out));
        assert_memory_equal(out, expect, sizeof out);
    }
}

/* RFC 7714 16.1.1 and 17.1, there and back */
static void gcm_seals_the_packets_of_the_rfc(void **state) {
    (void)state;
    static const char key[] = "000102030405060708090a0b0c0d0e0f", salt[] = "517569642070726f2071756f";
    static const struct {
        bool rtcp;
        uint32_t ssrc;
        uint64_t index;
        const char *plain, *sealed;
    } cases[] = {
        {false, 0x5501a0b2, 0xf17b,
         "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472"
         "6573",
         "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf"
         "8833899d 7f27beb1 6a9152cf 765ee439 0cce"},
        {true, 0x4d617273, 0x5d4,
         "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef"
         "deadbeef",
         "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded"
         "0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rmi_srtp_cipher seal = cipher_with(true, cases[i].rtcp, true, key, salt, "");
        struct rmi_srtp_cipher open = cipher_with(true, cases[i].rtcp, false, key, salt, "");
        uint8_t data[128], plain[128], sealed[128];
        size_t len = unhex(cases[i].plain, plain), want = unhex(cases[i].sealed, sealed),
               clear = cases[i].rtcp ? 8 : 12;
        memcpy(data, plain, len);
        assert_int_equal(rmi_srtp_seal(&seal, cases[i].ssrc, cases[i].index, data, clear, len), want);
        assert_memory_equal(data, sealed, want);
        assert_true(rmi_srtp_open(&open, cases[i].ssrc, cases[i].index, data, clear, len));
        assert_memory_equal(data, plain, len);
        rmi_srtp_cipher_release(&seal);
        rmi_srtp_cipher_release(&open);
    }
}

static void a_released_cipher_holds_no_key(void **state) {
    (void)state;
    struct rmi_srtp_cipher c = cipher_with(false, true, true, "2B7E151628AED2A6ABF7158809CF4F3C",
                                           "F0F1F2F3F4F5F6F7F8F9FAFBFCFD", "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
    static const struct rmi_srtp_cipher nothing;
    rmi_srtp_cipher_release(&c);
    assert_memory_equal(c.salt, nothing.salt, sizeof c.salt);
    assert_memory_equal(&c.hmac, &nothing.hmac, sizeof c.hmac);
    assert_null(c.evp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_derived_as_in_the_rfc), cmocka_unit_test(counter_mode_makes_the_keystream_of_the_rfc),
        cmocka_unit_test(hmac_agrees_with_its_vectors),   cmocka_unit_test(gcm_seals_the_packets_of_the_rfc),
        cmocka_unit_test(a_released_cipher_holds_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
