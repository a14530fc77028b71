/* SPDX-License-Identifier: Apache-2.0 */
#include "net/candidate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rm_err parse(const char *line, struct rmi_candidate *c) {
    return rmi_candidate_parse(line, strlen(line), c);
}

static struct rmi_candidate parsed(const char *line) {
    struct rmi_candidate c;
    if (parse(line, &c) != RM_OK)
        fail_msg("does not parse: %s", line);
    return c;
}

static void assert_addr(const struct rmi_addr *a, const char *expected) {
    char text[RMI_ADDR_TEXT_MAX];
    assert_string_equal(rmi_addr_text(a, text), expected);
}

/* The candidate lines in the examples of RFC 8839 (5.1 and appendix A). */
static void rfc_examples(void **state) {
    (void)state;
    struct rmi_candidate c =
        parsed("a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998\r\n");
    assert_string_equal(c.foundation, "2");
    assert_int_equal(c.component, 1);
    assert_true(c.udp);
    assert_int_equal(c.priority, 1694498815);
    assert_addr(&c.addr, "192.0.2.3:45664");
    assert_int_equal(c.type, RMI_CAND_SRFLX);
    assert_addr(&c.related, "203.0.113.141:8998");
    assert_string_equal(c.ufrag, "");
    assert_string_equal(c.hostname, "");
    c = parsed("a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host");
    assert_int_equal(c.type, RMI_CAND_HOST);
    assert_int_equal(c.related.family, 0);
    c = parsed("a=candidate:1 1 UDP 2130706431 fe80::6676:baff:fe9c:ee4a 8998 typ host");
    assert_addr(&c.addr, "[fe80::6676:baff:fe9c:ee4a]:8998");
    c = parsed("a=candidate:2 1 UDP 1694498815 2001:db8:8101:3a55:4858:a2a9:22ff:99b9 45664 typ srflx "
               "raddr fe80::6676:baff:fe9c:ee4a rport 8998");
    assert_addr(&c.related, "[fe80::6676:baff:fe9c:ee4a]:8998");
}

static void browser_lines(void **state) {
    (void)state;
    struct rmi_candidate c =
        parsed("candidate:842163049 1 udp 1677729535 198.51.100.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
               "ufrag EsAw network-id 1 network-cost 10");
    assert_string_equal(c.ufrag, "EsAw");
    assert_addr(&c.related, "0.0.0.0:0");
    c = parsed("candidate:1 1 udp 2113937151 7e0b5a52-8e4d-4f0c-9d2c-2d5a3f9f1c11.local 51556 typ host generation 0");
    assert_string_equal(c.hostname, "7e0b5a52-8e4d-4f0c-9d2c-2d5a3f9f1c11.local");
    assert_int_equal(c.addr.family, 0);
    assert_int_equal(c.addr.port, 51556);
    c = parsed("candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0");
    assert_false(c.udp);
    c = parsed("candidate:5 2 UDP 8331263 192.0.2.9 60000 typ relay raddr 192.0.2.1 rport 5000");
    assert_int_equal(c.type, RMI_CAND_RELAY);
    assert_int_equal(c.component, 2);
    c = parsed("candidate:a+/9 1 udp 1 192.0.2.9 60000 typ prflx raddr mine.local rport 5000");
    assert_int_equal(c.type, RMI_CAND_PRFLX);
    assert_int_equal(c.related.family, 0);
}

static void spelling_variants(void **state) {
    (void)state;
    struct rmi_candidate c = parsed("candidate:1 1 udp 1 ::ffff:192.0.2.1 5000 typ host");
    assert_addr(&c.addr, "192.0.2.1:5000"); /* mapped: canonical */
    c = parsed("candidate:1 1 udp 1 fe80::1%eth0 5000 typ host");
    assert_addr(&c.addr, "[fe80::1]:5000"); /* a zone of the other machine says nothing here */
    assert_int_equal(c.addr.scope, 0);
    c = parsed("candidate:1 1 Udp 1 192.0.2.1 5000 TYP Host \r\n");
    assert_int_equal(c.type, RMI_CAND_HOST);
    c = parsed("candidate:1 1 udp 1 192.0.2.1 5000 typ host foo  bar baz");
    assert_string_equal(c.ufrag, ""); /* an extension with an empty value, then another */
    c = parsed("candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag ");
    assert_string_equal(c.ufrag, "");
    c = parsed("candidate:1 1 udp 1 192.0.2.1 5000 typ srflx rport 7 raddr 192.0.2.2");
    assert_addr(&c.related, "192.0.2.2:7");
    c = parsed("candidate:12345678901234567890123456789012 256 udp 2147483647 192.0.2.1 65535 typ host");
    assert_int_equal(strlen(c.foundation), 32);
}

static void malformed_lines_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "\r\n",
        "a=",
        "candidate:",
        "candidate",
        "b=candidate:1 1 udp 1 192.0.2.1 5000 typ host",
        "candidate: 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1  1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1  1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp  192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1  5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1  typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000  host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ ",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ other",
        "candidate:1 1 udp 1 192.0.2.1 5000",
        "candidate:1 0 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 257 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 -1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 0 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 2147483648 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 18446744073709551617 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 0x10 192.0.2.1 5000 typ host",
        "candidate:1 1 udp +1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 4294967297 typ host",
        "candidate:1 1 udp 1 192.0.2.256 5000 typ host",
        "candidate:1 1 udp 1 192.0.2 5000 typ host",
        "candidate:1 1 udp 1 1:2:3 5000 typ host",
        "candidate:1 1 udp 1 %1 5000 typ host",
        "candidate:1 1 udp 1 -x.local 5000 typ host",
        "candidate:1 1 udp 1 .local 5000 typ host",
        "candidate:1 1 udp 1 a..local 5000 typ host",
        "candidate:1 1 udp 1 a/b.local 5000 typ host",
        "candidate:1-2 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr  rport 5",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr 192.0.2.999 rport 5",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr 192.0.2.2 rport",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr 192.0.2.2 rport 65536",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host  x y",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag a:b",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.1 5000 typ host x \x80",
        "candidate:1\t1 udp 1 192.0.2.1 5000 typ host",
        ("candidate:1 1 udp 1 "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b 5000 typ host"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rmi_candidate c = {.component = 77};
        if (parse(bad[i], &c) != RM_E_PARSE)
            fail_msg("parses: %s", bad[i]);
        assert_int_equal(c.component, 77); /* untouched */
    }
}

static void embedded_nul_is_refused(void **state) {
    (void)state;
    static const char line[] = "candidate:1 1 udp 1 192.0.2.1 5000 typ host";
    for (size_t at = 0; at < sizeof line - 1; at++) {
        char text[sizeof line];
        struct rmi_candidate c;
        memcpy(text, line, sizeof line);
        text[at] = '\0';
        assert_int_equal(rmi_candidate_parse(text, sizeof line - 1, &c), RM_E_PARSE);
    }
    struct rmi_candidate c;
    assert_int_equal(rmi_candidate_parse(line, sizeof line, &c), RM_E_PARSE); /* a NUL at the end is one too */
}

static void enormous_lines_are_refused(void **state) {
    (void)state;
    enum { DIGITS = 1000000 };
    static const char head[] = "candidate:1 1 udp ";
    struct rmi_candidate c;
    char *line = malloc(DIGITS);
    assert_non_null(line);
    memset(line, '9', DIGITS);
    memcpy(line, head, sizeof head - 1);
    assert_int_equal(rmi_candidate_parse(line, DIGITS, &c), RM_E_TOO_BIG);
    assert_int_equal(rmi_candidate_parse(line, RMI_CAND_TEXT_MAX + 1, &c), RM_E_TOO_BIG);
    assert_int_equal(rmi_candidate_parse(line, RMI_CAND_TEXT_MAX, &c), RM_E_PARSE);
    free(line);
    char text[RMI_CAND_TEXT_MAX + 1];
    snprintf(text, sizeof text, "%-*s", RMI_CAND_TEXT_MAX, "candidate:1 1 udp 1 192.0.2.1 5000 typ host");
    assert_int_equal(parse(text, &c), RM_OK);
    char ufrag[258 + 1];
    memset(ufrag, 'u', sizeof ufrag - 1);
    ufrag[257] = '\0';
    snprintf(text, sizeof text, "candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag %s", ufrag);
    assert_int_equal(parse(text, &c), RM_E_PARSE);
    ufrag[256] = '\0'; /* the longest of RFC 8839 5.4 */
    snprintf(text, sizeof text, "candidate:1 1 udp 1 192.0.2.1 5000 typ host ufrag %s", ufrag);
    assert_int_equal(parse(text, &c), RM_OK);
    assert_string_equal(c.ufrag, ufrag);
}

/* A parsed candidate must write to a line that parses to the same. */
static void assert_round_trip(const struct rmi_candidate *c) {
    char text[RMI_CAND_TEXT_MAX + 1], again[RMI_CAND_TEXT_MAX + 1];
    size_t n = rmi_candidate_write(c, text, sizeof text);
    if (!c->udp) {
        assert_int_equal(n, 0);
        return;
    }
    assert_int_equal(n, strlen(text));
    assert_true(n > 0);
    struct rmi_candidate b;
    assert_int_equal(rmi_candidate_parse(text, n, &b), RM_OK);
    assert_int_equal(rmi_candidate_write(&b, again, sizeof again), n);
    assert_string_equal(text, again);
}

static void truncation_and_flip_sweep(void **state) {
    (void)state;
    static const char *const lines[] = {
        ("a=candidate:842163049 1 udp 1677729535 2001:db8::7%2 46154 typ srflx raddr 10.0.0.1 rport 1 ufrag EsAw x "
         "y\r\n"),
        "candidate:1 1 udp 2113937151 7e0b5a52-8e4d-4f0c-9d2c-2d5a3f9f1c11.local 51556 typ host generation 0",
        "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t len = strlen(lines[i]);
        for (size_t n = 0; n <= len; n++) {
            char *text = malloc(n ? n : 1); /* no NUL: a read past the end is seen by the sanitizer */
            assert_non_null(text);
            memcpy(text, lines[i], n);
            struct rmi_candidate c;
            if (rmi_candidate_parse(text, n, &c) == RM_OK)
                assert_round_trip(&c);
            for (unsigned v = 0; n > 0 && v < 256; v++) {
                memcpy(text, lines[i], n);
                text[n - 1] = (char)v;
                if (rmi_candidate_parse(text, n, &c) == RM_OK)
                    assert_round_trip(&c);
            }
            free(text);
            char *whole = malloc(len);
            assert_non_null(whole);
            for (unsigned v = 0; n < len && v < 256; v++) {
                memcpy(whole, lines[i], len);
                whole[n] = (char)v;
                if (rmi_candidate_parse(whole, len, &c) == RM_OK)
                    assert_round_trip(&c);
            }
            free(whole);
        }
    }
}

static void writes_lines(void **state) {
    (void)state;
    static const char *const lines[] = {
        "candidate:1 1 udp 2130706431 203.0.113.141 8998 typ host",
        "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
        "candidate:3 1 udp 16777215 2001:db8::1 45664 typ relay raddr 2001:db8::2 rport 1 ufrag abcd",
        "candidate:4 1 udp 2113937151 name.local 51556 typ host ufrag abcd",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct rmi_candidate c = parsed(lines[i]);
        size_t len = strlen(lines[i]);
        for (size_t cap = 0; cap <= len + 1; cap++) {
            char *out = malloc(cap ? cap : 1);
            assert_non_null(out);
            size_t n = rmi_candidate_write(&c, out, cap);
            assert_int_equal(n, cap > len ? len : 0);
            if (n)
                assert_string_equal(out, lines[i]);
            free(out);
        }
    }
}

static void writes_no_hidden_address(void **state) {
    (void)state;
    char out[RMI_CAND_TEXT_MAX];
    struct rmi_candidate c = parsed("candidate:1 1 udp 7 name.local 5000 typ host");
    rmi_addr_parse("10.1.2.3", 5000, &c.addr); /* known, and kept private by the name */
    assert_true(rmi_candidate_write(&c, out, sizeof out) > 0);
    assert_null(strstr(out, "10.1.2.3"));
    c = parsed("candidate:2 1 udp 7 2001:db8::1 45664 typ srflx");
    assert_true(rmi_candidate_write(&c, out, sizeof out) > 0);
    assert_string_equal(out, "candidate:2 1 udp 7 2001:db8::1 45664 typ srflx raddr :: rport 9");
    c.addr = (struct rmi_addr){.port = 1};
    assert_int_equal(rmi_candidate_write(&c, out, sizeof out), 0);
}

static void priorities(void **state) {
    (void)state;
    /* RFC 8445 5.1.2.1 by hand: 2^24 * 126 + 2^8 * 65535 + 256 - 1. */
    assert_int_equal(rmi_candidate_priority(RMI_CAND_HOST, 65535, 1), 2130706431);
    assert_int_equal(rmi_candidate_priority(RMI_CAND_SRFLX, 65535, 1), 1694498815);
    assert_int_equal(rmi_candidate_priority(RMI_CAND_PRFLX, 65535, 1), 1862270975);
    assert_int_equal(rmi_candidate_priority(RMI_CAND_RELAY, 65535, 1), 16777215);
    assert_int_equal(rmi_candidate_priority(RMI_CAND_RELAY, 0, 1), 255);
    assert_int_equal(rmi_candidate_priority(RMI_CAND_HOST, 65535, 256), 2130706176);
    assert_string_equal(rmi_cand_type_name(RMI_CAND_PRFLX), "prflx");
    assert_string_equal(rmi_cand_type_name((enum rmi_cand_type)9), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_examples),
        cmocka_unit_test(browser_lines),
        cmocka_unit_test(spelling_variants),
        cmocka_unit_test(malformed_lines_are_refused),
        cmocka_unit_test(embedded_nul_is_refused),
        cmocka_unit_test(enormous_lines_are_refused),
        cmocka_unit_test(truncation_and_flip_sweep),
        cmocka_unit_test(writes_lines),
        cmocka_unit_test(writes_no_hidden_address),
        cmocka_unit_test(priorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
