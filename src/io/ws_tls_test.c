/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/ws_test.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A CA, a server certificate for "localhost" and 127.0.0.1 by it, one that has expired, one for another name, and a
 * stranger's CA. */
struct pki {
    char dir[64];
    char ca[128], other_ca[128], cert[128], key[128], old_cert[128], foreign_cert[128];
};

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static X509 *make_cert(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, const char *alt_names,
                       long valid_s) {
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), valid_s);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    add_extension(cert, issuer ? issuer : cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt_names)
        add_extension(cert, issuer, NID_subject_alt_name, alt_names);
    assert_int_not_equal(X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()), 0);
    return cert;
}

static void write_pem(char path[128], const char *dir, const char *name, X509 *cert, EVP_PKEY *key) {
    snprintf(path, 128, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    if (cert)
        assert_int_equal(PEM_write_X509(f, cert), 1);
    if (key)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
}

static int make_pki(void **state) {
    struct pki *pki = calloc(1, sizeof *pki);
    assert_non_null(pki);
    strcpy(pki->dir, "/tmp/rm-ws-tls-XXXXXX");
    assert_non_null(mkdtemp(pki->dir));
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *other_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = make_cert(ca_key, "Test CA", NULL, NULL, NULL, 7200);
    X509 *other = make_cert(other_key, "Other CA", NULL, NULL, NULL, 7200);
    X509 *cert = make_cert(key, "localhost", ca, ca_key, "DNS:localhost,IP:127.0.0.1,IP:::1", 7200);
    X509 *old = make_cert(key, "localhost", ca, ca_key, "DNS:localhost,IP:127.0.0.1", -3600);
    X509 *foreign = make_cert(key, "localhost", ca, ca_key, "DNS:other.example", 7200);
    write_pem(pki->ca, pki->dir, "ca.pem", ca, NULL);
    write_pem(pki->other_ca, pki->dir, "other.pem", other, NULL);
    write_pem(pki->cert, pki->dir, "cert.pem", cert, NULL);
    write_pem(pki->old_cert, pki->dir, "old.pem", old, NULL);
    write_pem(pki->foreign_cert, pki->dir, "foreign.pem", foreign, NULL);
    write_pem(pki->key, pki->dir, "key.pem", NULL, key);
    X509_free(ca);
    X509_free(other);
    X509_free(cert);
    X509_free(old);
    X509_free(foreign);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(key);
    *state = pki;
    return 0;
}

static int remove_pki(void **state) {
    struct pki *pki = *state;
    const char *const files[] = {pki->ca, pki->other_ca, pki->cert, pki->old_cert, pki->foreign_cert, pki->key};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i]);
    rmdir(pki->dir);
    free(pki);
    return 0;
}

/* A pair whose server speaks TLS. */
static void open_tls(struct ws_pair *p, const struct pki *pki, const char *cert) {
    ws_pair_open(p);
    p->cert_file = cert;
    p->key_file = pki->key;
    p->ca_file = pki->ca;
    ws_pair_reopen_server(p);
}

static void expect_tls_failure(struct ws_pair *p) {
    struct rmi_ws_config config = ws_pair_client_config(p, "/");
    assert_int_equal(rmi_ws_connect(p->loop, &config, &p->ws), RM_OK);
    assert_int_equal(wait_for(p->loop, &p->client.closed), RM_OK);
    print_message("%s: %s\n", rm_err_name(p->client.why), p->client.detail);
    assert_int_equal(p->client.why, RM_E_TLS);
    assert_int_equal(p->client.closes, 1);
    assert_int_equal(p->client.open, 0);
    assert_int_equal(p->server.open, 0);
    ws_pair_close(p);
}

static void text_goes_both_ways_by_name_and_by_address(void **state) {
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct ws_pair p;
        open_tls(&p, *state, ((struct pki *)*state)->cert);
        p.host = hosts[i];
        p.server.echo = true;
        p.client.want = 1;
        ws_pair_connect(&p, "/");
        char *text = malloc(RMI_WS_MAX_MESSAGE);
        assert_non_null(text);
        memset(text, 'a', RMI_WS_MAX_MESSAGE);
        assert_int_equal(rmi_ws_send(p.ws, text, RMI_WS_MAX_MESSAGE), RM_OK);
        assert_int_equal(wait_for(p.loop, &p.client.got_all), RM_OK);
        assert_int_equal(p.client.last_len, RMI_WS_MAX_MESSAGE);
        free(text);
        rmi_ws_close(&p.ws);
        assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
        assert_int_equal(p.server.why, RM_OK);
        ws_pair_close(&p);
    }
}

static void a_wrong_ca_is_refused(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    open_tls(&p, pki, pki->cert);
    p.ca_file = pki->other_ca;
    expect_tls_failure(&p);
}

static void the_systems_store_does_not_know_the_test_ca(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    open_tls(&p, pki, pki->cert);
    p.ca_file = NULL;
    expect_tls_failure(&p);
}

static void a_wrong_host_name_is_refused(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    open_tls(&p, pki, pki->cert);
    p.host = "127.0.0.2"; /* loopback too, but not in the certificate */
    struct rmi_ws_server_config config = ws_pair_server_config(&p);
    rmi_ws_server_close(&p.srv);
    config.host = "0.0.0.0";
    assert_int_equal(rmi_ws_server_listen(p.loop, &config, &p.srv), RM_OK);
    expect_tls_failure(&p);
    open_tls(&p, pki, pki->foreign_cert);
    p.host = "localhost";
    expect_tls_failure(&p);
}

static void an_ipv6_literal_is_checked_as_an_address(void **state) {
    struct pki *pki = *state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct ws_pair p;
        open_tls(&p, pki, wrong ? pki->old_cert : pki->cert);
        struct rmi_ws_server_config config = ws_pair_server_config(&p);
        rmi_ws_server_close(&p.srv);
        config.host = "::1";
        if (rmi_ws_server_listen(p.loop, &config, &p.srv) != RM_OK) { /* no IPv6 here */
            ws_pair_close(&p);
            skip();
        }
        p.host = "[::1]";
        if (wrong) {
            expect_tls_failure(&p);
        } else {
            ws_pair_connect(&p, "/");
            ws_pair_close(&p);
        }
    }
}

static void an_expired_certificate_is_refused(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    open_tls(&p, pki, pki->old_cert);
    expect_tls_failure(&p);
}

static void a_server_without_tls_is_a_tls_error(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    ws_pair_open(&p);
    p.cert_file = pki->cert; /* makes the URL wss */
    p.ca_file = pki->ca;
    expect_tls_failure(&p);
}

static void a_client_without_tls_does_not_get_in(void **state) {
    struct pki *pki = *state;
    struct ws_pair p;
    open_tls(&p, pki, pki->cert);
    p.cert_file = NULL; /* makes the URL ws */
    struct rmi_ws_config config = ws_pair_client_config(&p, "/");
    assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
    assert_int_equal(wait_for(p.loop, &p.client.closed), RM_OK);
    assert_int_equal(p.client.why, RM_E_SIGNALING);
    assert_int_equal(p.server.open, 0);
    ws_pair_close(&p);
}

static void cycles_leave_nothing_behind(void **state) {
    struct pki *pki = *state;
    int before = count_entries("/proc/self/fd");
    struct ws_pair p;
    open_tls(&p, pki, pki->cert);
    int fds = 0;
    for (int i = 0; i < 60; i++) {
        p.client = p.server = (struct ws_side){0};
        p.ca_file = i % 3 ? pki->ca : pki->other_ca; /* failures as well */
        struct rmi_ws_config config = ws_pair_client_config(&p, "/");
        assert_int_equal(rmi_ws_connect(p.loop, &config, &p.ws), RM_OK);
        assert_int_equal(wait_for(p.loop, i % 3 ? &p.server.open : &p.client.closed), RM_OK);
        rmi_ws_close(&p.ws);
        if (i % 3)
            assert_int_equal(wait_for(p.loop, &p.server.closed), RM_OK);
        if (i == 9)
            fds = count_entries("/proc/self/fd");
    }
    assert_true(count_entries("/proc/self/fd") <= fds + 2); /* the last ones may still be on their way out */
    ws_pair_close(&p);
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_both_ways_by_name_and_by_address),
        cmocka_unit_test(a_wrong_ca_is_refused),
        cmocka_unit_test(the_systems_store_does_not_know_the_test_ca),
        cmocka_unit_test(a_wrong_host_name_is_refused),
        cmocka_unit_test(an_ipv6_literal_is_checked_as_an_address),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(a_server_without_tls_is_a_tls_error),
        cmocka_unit_test(a_client_without_tls_does_not_get_in),
        cmocka_unit_test(cycles_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
