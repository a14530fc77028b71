/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "srtp/srtp_private.h"
#include "srtp/srtp_testkit.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

/* Every allocation of OpenSSL, counted; one of them can be made to fail. */
static long live, calls, fail_at = -1;

static void *count_malloc(size_t n, const char *file, int line) {
    (void)file, (void)line;
    if (calls++ == fail_at)
        return NULL;
    void *p = malloc(n);
    live += p != NULL;
    return p;
}

static void count_free(void *p, const char *file, int line) {
    (void)file, (void)line;
    live -= p != NULL;
    free(p);
}

static void *count_realloc(void *p, size_t n, const char *file, int line) {
    if (!p)
        return count_malloc(n, file, line);
    return calls++ == fail_at ? NULL : realloc(p, n);
}

static void exchange(struct ends *e, uint16_t seq) {
    uint8_t packet[BUFFER];
    for (uint32_t ssrc = 1; ssrc <= 3; ssrc++) {
        size_t len = sent(e->a, packet, ssrc, seq);
        assert_int_equal(rmi_srtp_unprotect_rtp(e->b, packet, &len), RM_OK);
        len = make_rtcp(packet, ssrc, 100);
        assert_int_equal(rmi_srtp_protect_rtcp(e->a, packet, &len, BUFFER), RM_OK);
        assert_int_equal(rmi_srtp_unprotect_rtcp(e->b, packet, &len), RM_OK);
        len = make_rtp(packet, ssrc, seq, 100); /* a forged one as well */
        assert_int_not_equal(rmi_srtp_unprotect_rtp(e->b, packet, &len), RM_OK);
    }
}

static void packets_allocate_nothing(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        exchange(&e, 0);
        long before = calls;
        struct rmi_srtp_source *in = e.b->sources_in.list, *out = e.a->sources_out.list;
        for (uint16_t seq = 1; seq < 1000; seq++)
            exchange(&e, seq);
        assert_int_equal(calls, before);
        assert_ptr_equal(in, e.b->sources_in.list);
        assert_ptr_equal(out, e.a->sources_out.list);
        ends_destroy(&e);
    }
}

static void a_thousand_lives_leave_nothing(void **state) {
    (void)state;
    long before = 0;
    for (int i = 0; i < 1010; i++) {
        struct ends e = ends_create(profiles[i % 2]);
        exchange(&e, 1);
        ends_destroy(&e);
        if (i == 9)
            before = live; /* by now the library has loaded what it keeps */
    }
    assert_int_equal(live, before);
}

static void creation_survives_any_failed_allocation(void **state) {
    (void)state;
    uint8_t key[30] = {1};
    for (size_t p = 0; p < 2; p++) {
        struct rmi_srtp_keying keying = {profiles[p], key, key, profiles[p] == GCM ? 28 : 30};
        struct rmi_srtp *s = NULL;
        long before = live;
        bool done = false;
        int failures = 0;
        for (long n = 0; !done; n++) {
            fail_at = calls + n;
            rm_err err = rmi_srtp_create(&keying, &s);
            done = calls <= fail_at; /* that many are not made */
            fail_at = -1;
            failures += err != RM_OK;
            assert_true(!done || err == RM_OK);
            assert_int_equal(err == RM_OK, s != NULL);
            rmi_srtp_destroy(&s);
            ERR_clear_error();
            assert_int_equal(live, before);
        }
        assert_true(failures >= 8); /* five contexts and their insides */
    }
}

/* A stale entry there would make the next SSL_get_error of a DTLS connection lie. */
static void refused_packets_leave_no_error_behind(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        struct ends e = ends_create(profiles[p]);
        exchange(&e, 1);
        assert_int_equal(ERR_peek_error(), 0);
        ends_destroy(&e);
    }
}

int main(void) {
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_allocate_nothing),
        cmocka_unit_test(a_thousand_lives_leave_nothing),
        cmocka_unit_test(creation_survives_any_failed_allocation),
        cmocka_unit_test(refused_packets_leave_no_error_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
