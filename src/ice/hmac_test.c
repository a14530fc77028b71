/* SPDX-License-Identifier: Apache-2.0 */
/* Visible, so that OpenSSL's calls are counted too. */
#pragma GCC visibility push(default)
#include "support/heap_count.h"
#pragma GCC visibility pop

#include "ice/hmac.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEY_MAX 300 /* ICE passwords have up to 256 characters */
#define DATA_MAX 200

static void fill(uint8_t *out, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 3));
}

/* Every length of key on both sides of a block, and data split anywhere. */
static void it_is_what_openssl_makes(void **state) {
    uint8_t key[KEY_MAX], data[DATA_MAX], ours[RMI_ICE_HMAC_LEN], theirs[EVP_MAX_MD_SIZE];
    (void)state;
    for (size_t key_len = 1; key_len <= KEY_MAX; key_len++) {
        size_t len = key_len % (DATA_MAX + 1), head = len ? key_len * 13 % len : 0;
        unsigned made = 0;
        fill(key, key_len, (unsigned)key_len);
        fill(data, len, (unsigned)key_len + 1);
        assert_non_null(HMAC(EVP_sha1(), key, (int)key_len, data, len, theirs, &made));
        assert_int_equal(made, RMI_ICE_HMAC_LEN);
        assert_true(rmi_ice_hmac(key, key_len, data, head, data + head, len - head, ours));
        assert_memory_equal(ours, theirs, RMI_ICE_HMAC_LEN);
    }
}

/* RFC 2202, section 3, test case 2, and a key of no bytes. */
static void it_is_what_the_rfc_says(void **state) {
    static const uint8_t want[] = {0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74,
                                   0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79};
    static const uint8_t nothing[] = {0xfb, 0xdb, 0x1d, 0x1b, 0x18, 0xaa, 0x6c, 0x08, 0x32, 0x4b,
                                      0x7d, 0x64, 0xb7, 0x1f, 0xb7, 0x63, 0x70, 0x69, 0x0e, 0x1d};
    static const char text[] = "what do ya want for nothing?";
    uint8_t out[RMI_ICE_HMAC_LEN];
    (void)state;
    assert_true(rmi_ice_hmac((const uint8_t *)"Jefe", 4, (const uint8_t *)text, 10, (const uint8_t *)text + 10,
                             strlen(text) - 10, out));
    assert_memory_equal(out, want, sizeof want);
    assert_true(rmi_ice_hmac((const uint8_t *)"", 0, (const uint8_t *)"", 0, (const uint8_t *)"", 0, out));
    assert_memory_equal(out, nothing, sizeof nothing);
}

static void it_makes_no_heap_call(void **state) {
    uint8_t data[DATA_MAX] = {1}, out[RMI_ICE_HMAC_LEN];
    (void)state;
    assert_true(rmi_ice_hmac(data, 22, data, 20, data + 20, 80, out));
    size_t before = atomic_load(&heap_calls);
    for (int i = 0; i < 100; i++)
        assert_true(rmi_ice_hmac(data, 22, data, 20, data + 20, 80, out));
    assert_int_equal(atomic_load(&heap_calls), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_what_openssl_makes),
                                       cmocka_unit_test(it_is_what_the_rfc_says),
                                       cmocka_unit_test(it_makes_no_heap_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
