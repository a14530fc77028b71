/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dtls/dtls_private.h"
#include <stdlib.h>
#include <string.h>

/* "hash AA:BB:.." with n bytes of digest. */
static char *make(const char *hash, size_t n) {
    static char text[512];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", hash);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%c%02X", i ? ':' : ' ', (unsigned)(i * 37 + 10) & 0xff);
    return text;
}

static void strong_hashes_parse_and_print(void **state) {
    (void)state;
    static const struct {
        const char *hash;
        size_t len;
    } cases[] = {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};
    for (size_t i = 0; i < 3; i++) {
        struct rmi_fingerprint f;
        char out[RMI_FINGERPRINT_TEXT_MAX];
        char *text = make(cases[i].hash, cases[i].len);
        assert_int_equal(rmi_fingerprint_parse(text, strlen(text), &f), RM_OK);
        assert_string_equal(f.hash, cases[i].hash);
        assert_int_equal(f.len, cases[i].len);
        assert_int_equal(f.bytes[1], 47);
        assert_string_equal(rmi_fingerprint_text(&f, out), text);
        for (char *c = text; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
        struct rmi_fingerprint lower;
        assert_int_equal(rmi_fingerprint_parse(text, strlen(text), &lower), RM_OK);
        assert_memory_equal(&lower, &f, sizeof f);
        text[0] = 'S';
        assert_int_equal(rmi_fingerprint_parse(text, strlen(text), &lower), RM_OK);
        assert_memory_equal(&lower, &f, sizeof f);
    }
}

static void weak_and_broken_ones_are_refused(void **state) {
    (void)state;
    struct rmi_fingerprint f;
    const struct {
        const char *hash;
        size_t len;
        rm_err want;
    } cases[] = {{"md5", 16, RM_E_UNSUPPORTED},     {"sha-1", 20, RM_E_UNSUPPORTED}, {"sha-224", 28, RM_E_UNSUPPORTED},
                 {"sha-3", 32, RM_E_UNSUPPORTED},   {"sha-256", 31, RM_E_PARSE},     {"sha-256", 33, RM_E_PARSE},
                 {"sha-512", 32, RM_E_PARSE},       {"sha-512", 65, RM_E_PARSE},     {"", 32, RM_E_PARSE},
                 {"sha-2567890ab", 32, RM_E_PARSE}, {"sha\t256", 32, RM_E_PARSE},    {"sha-256", 0, RM_E_PARSE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = make(cases[i].hash, cases[i].len);
        assert_int_equal(rmi_fingerprint_parse(text, strlen(text), &f), cases[i].want);
    }
}

/* Each length and each byte changed, from memory that ends where the text does. */
static void truncation_and_change_sweep(void **state) {
    (void)state;
    char *text = make("sha-256", 32);
    size_t len = strlen(text);
    struct rmi_fingerprint whole, f;
    assert_int_equal(rmi_fingerprint_parse(text, len, &whole), RM_OK);
    for (size_t n = 0; n < len; n++) {
        char *exact = malloc(n ? n : 1);
        memcpy(exact, text, n);
        assert_int_equal(rmi_fingerprint_parse(exact, n, &f), RM_E_PARSE);
        free(exact);
    }
    for (size_t i = 0; i < len; i++) {
        for (int v = 0; v < 256; v++) {
            char saved = text[i];
            text[i] = (char)v;
            if (rmi_fingerprint_parse(text, len, &f) == RM_OK && memcmp(&f, &whole, sizeof f) == 0)
                assert_int_equal((unsigned char)saved | 32, v | 32); /* letter case only */
            text[i] = saved;
        }
    }
}

static void certificates_are_fresh_and_identify(void **state) {
    (void)state;
    struct rmi_dtls_cert *a, *b;
    struct rmi_fingerprint fa, fb;
    assert_int_equal(rmi_dtls_cert_create(1800000000, &a), RM_OK);
    assert_int_equal(rmi_dtls_cert_create(1800000000, &b), RM_OK);
    rmi_dtls_cert_fingerprint(a, &fa);
    rmi_dtls_cert_fingerprint(b, &fb);
    assert_string_equal(fa.hash, "sha-256");
    assert_int_equal(fa.len, 32);
    assert_memory_not_equal(fa.bytes, fb.bytes, 32);
    int days, seconds;
    ASN1_TIME *at = ASN1_TIME_set(NULL, 1800000000);
    assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(a->x509), at) && days == 1 && seconds == 0);
    assert_true(ASN1_TIME_diff(&days, &seconds, at, X509_get0_notAfter(a->x509)) && days == 30 && seconds == 0);
    ASN1_TIME_free(at);
    struct rmi_dtls_cert *second = rmi_dtls_cert_ref(a);
    rmi_dtls_cert_unref(&a);
    assert_null(a);
    rmi_dtls_cert_fingerprint(second, &fb);
    assert_memory_equal(fa.bytes, fb.bytes, 32);
    rmi_dtls_cert_unref(&second);
    rmi_dtls_cert_unref(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strong_hashes_parse_and_print),
        cmocka_unit_test(weak_and_broken_ones_are_refused),
        cmocka_unit_test(truncation_and_change_sweep),
        cmocka_unit_test(certificates_are_fresh_and_identify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
