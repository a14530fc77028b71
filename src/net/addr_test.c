/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct rmi_addr parsed(const char *text) {
    struct rmi_addr a;
    if (rmi_addr_parse(text, 0, &a) != RM_OK)
        fail_msg("does not parse: %s", text);
    return a;
}

static void text_forms(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"0.0.0.0", "0.0.0.0"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"}, /* RFC 5952 4.2.3: the first of equal runs */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},                 /* 4.2.2: a single group is not shortened */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"0:0:3:4:5:6:0:0", "::3:4:5:6:0:0"},
        {"2001:db8::192.0.2.33", "2001:db8::c000:221"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"::ffff:192.0.2.128", "192.0.2.128"}, /* mapped: always IPv4 */
        {"::ffff:c000:280", "192.0.2.128"},
        {"0:0:0:0:0:FFFF:7f00:1", "127.0.0.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[RMI_ADDR_TEXT_MAX];
        struct rmi_addr a = parsed(cases[i].in);
        assert_string_equal(rmi_addr_ip_text(&a, out), cases[i].out);
        struct rmi_addr again = parsed(out);
        assert_true(rmi_addr_equal(&a, &again));
    }
}

static void malformed_text_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "-1.2.3.4",
        "1.2.3.4%1",
        "99999999999.1.1.1",
        "4294967297.1.1.1",
        ":",
        ":::",
        "1:",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "::1.2.3",
        "::1.2.3.256",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "fe80::1%",
        "fe80::1%eth0",
        "fe80::1%1x",
        "fe80::1%99999999999",
        "[::1]",
        "2001:db8::1/64",
        "localhost",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rmi_addr a = {.family = 9};
        if (rmi_addr_parse(bad[i], 1, &a) != RM_E_PARSE)
            fail_msg("parses: %s", bad[i]);
        assert_int_equal(a.family, 9); /* untouched */
    }
}

static void host_and_port(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } good[] = {
        {"192.0.2.1:5000", "192.0.2.1:5000"},     {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"[fe80::1%3]:1", "[fe80::1%3]:1"},       {"[fe80::1%4294967295]:65535", "[fe80::1%4294967295]:65535"},
        {"[2001:db8::1%3]:1", "[2001:db8::1]:1"}, /* a scope on a global address means nothing */
        {"[::ffff:192.0.2.1]:1", "192.0.2.1:1"},  {"0.0.0.0:0", "0.0.0.0:0"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct rmi_addr a;
        char out[RMI_ADDR_TEXT_MAX];
        assert_int_equal(rmi_addr_parse_hostport(good[i].in, &a), RM_OK);
        assert_string_equal(rmi_addr_text(&a, out), good[i].out);
    }
    static const char *const bad[] = {"",         "192.0.2.1",       "192.0.2.1:",    "192.0.2.1:65536", "192.0.2.1:-1",
                                      ":5000",    "192.0.2.1:5000x", "[::1]",         "[::1]5000",       "[::1:5000",
                                      "::1:500",  "[192.0.2.1]:5",   "192.0.2.1:0x5", "192.0.2.1: 5",    "[]:1",
                                      "[::1]:1:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rmi_addr a;
        if (rmi_addr_parse_hostport(bad[i], &a) != RM_E_PARSE)
            fail_msg("parses: %s", bad[i]);
    }
    struct rmi_addr none = {0};
    char out[RMI_ADDR_TEXT_MAX];
    assert_string_equal(rmi_addr_text(&none, out), "none");
    assert_string_equal(rmi_addr_ip_text(&none, out), "none");
}

static void any_address_survives_its_text(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    for (int i = 0; i < 20000; i++) {
        uint8_t ip[16];
        rmi_rng_fill(&rng, ip, sizeof ip);
        for (size_t g = 0; g < 16; g += 2) /* many zero groups: the shortening is what can go wrong */
            if (rmi_rng_range(&rng, 0, 1))
                ip[g] = ip[g + 1] = 0;
        struct rmi_addr a = rmi_addr_from_bytes(ip, i % 4 ? 16 : 4, (uint16_t)rmi_rng_u32(&rng)), b;
        char text[RMI_ADDR_TEXT_MAX];
        assert_int_equal(rmi_addr_parse_hostport(rmi_addr_text(&a, text), &b), RM_OK);
        assert_true(rmi_addr_equal(&a, &b));
        assert_true(rmi_addr_hash(&a) == rmi_addr_hash(&b));
    }
}

static void truncation_and_flip_sweep(void **state) {
    (void)state;
    static const char line[] = "[2001:db8:0:1::192.0.2.33%12]:54321";
    for (size_t n = 0; n < sizeof line; n++) {
        char text[sizeof line];
        struct rmi_addr a;
        memcpy(text, line, n);
        text[n] = '\0';
        (void)rmi_addr_parse_hostport(text, &a);
        (void)rmi_addr_parse(text, 1, &a);
        for (unsigned v = 1; n < sizeof line - 1 && v < 256; v++) {
            memcpy(text, line, sizeof line);
            text[n] = (char)v;
            if (rmi_addr_parse_hostport(text, &a) == RM_OK) {
                char out[RMI_ADDR_TEXT_MAX];
                assert_true(strlen(rmi_addr_text(&a, out)) < RMI_ADDR_TEXT_MAX);
            }
        }
    }
}

static void from_bytes(void **state) {
    (void)state;
    const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
    struct rmi_addr a = rmi_addr_from_bytes(mapped, 16, 80), b = rmi_addr_from_bytes(mapped + 12, 4, 80);
    assert_int_equal(a.family, 4);
    assert_true(rmi_addr_equal(&a, &b));
    assert_int_equal(rmi_addr_from_bytes(mapped, 5, 80).family, 0);
    assert_int_equal(rmi_addr_from_bytes(NULL, 4, 80).family, 0);
}

static void equality_and_hash(void **state) {
    (void)state;
    struct rmi_addr a = parsed("192.0.2.1"), b = a;
    b.ip[9] = 1; /* behind the four bytes that count */
    b.scope = 4;
    assert_true(rmi_addr_equal(&a, &b));
    assert_true(rmi_addr_hash(&a) == rmi_addr_hash(&b));
    b.port = 1;
    assert_false(rmi_addr_equal(&a, &b));
    assert_true(rmi_addr_equal_ip(&a, &b));
    assert_true(rmi_addr_hash(&a) != rmi_addr_hash(&b));
    b = a;
    b.ip[3] = 2;
    assert_false(rmi_addr_equal_ip(&a, &b));
    struct rmi_addr six = parsed("c000:201::");
    assert_false(rmi_addr_equal_ip(&a, &six)); /* the same first four bytes in another family */
}

static void classes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum rmi_addr_class class;
    } cases[] = {
        {"8.8.8.8", RMI_ADDR_GLOBAL},
        {"223.255.255.255", RMI_ADDR_GLOBAL},
        {"10.0.0.1", RMI_ADDR_PRIVATE},
        {"172.15.255.255", RMI_ADDR_GLOBAL},
        {"172.16.0.0", RMI_ADDR_PRIVATE},
        {"172.31.255.255", RMI_ADDR_PRIVATE},
        {"172.32.0.0", RMI_ADDR_GLOBAL},
        {"192.168.1.1", RMI_ADDR_PRIVATE},
        {"192.169.0.0", RMI_ADDR_GLOBAL},
        {"100.63.255.255", RMI_ADDR_GLOBAL},
        {"100.64.0.0", RMI_ADDR_PRIVATE},
        {"100.127.255.255", RMI_ADDR_PRIVATE},
        {"100.128.0.0", RMI_ADDR_GLOBAL},
        {"169.254.1.1", RMI_ADDR_LINK_LOCAL},
        {"127.0.0.1", RMI_ADDR_LOOPBACK},
        {"127.255.255.255", RMI_ADDR_LOOPBACK},
        {"0.0.0.0", RMI_ADDR_UNUSABLE},
        {"0.1.2.3", RMI_ADDR_UNUSABLE},
        {"224.0.0.1", RMI_ADDR_UNUSABLE},
        {"240.0.0.1", RMI_ADDR_UNUSABLE},
        {"255.255.255.255", RMI_ADDR_UNUSABLE},
        {"2600::1", RMI_ADDR_GLOBAL},
        {"::", RMI_ADDR_UNUSABLE},
        {"::1", RMI_ADDR_LOOPBACK},
        {"::2", RMI_ADDR_UNUSABLE},
        {"::127.0.0.1", RMI_ADDR_UNUSABLE},
        {"::ffff:127.0.0.1", RMI_ADDR_LOOPBACK},
        {"::ffff:10.0.0.1", RMI_ADDR_PRIVATE},
        {"fe80::1", RMI_ADDR_LINK_LOCAL},
        {"febf::1", RMI_ADDR_LINK_LOCAL},
        {"fec0::1", RMI_ADDR_PRIVATE},
        {"fc00::1", RMI_ADDR_PRIVATE},
        {"fdff::1", RMI_ADDR_PRIVATE},
        {"fe00::1", RMI_ADDR_GLOBAL},
        {"ff02::1", RMI_ADDR_UNUSABLE},
        {"64:ff9b::8.8.8.8", RMI_ADDR_GLOBAL},
        {"64:ff9b::127.0.0.1", RMI_ADDR_LOOPBACK},
        {"64:ff9b::224.0.0.1", RMI_ADDR_UNUSABLE},
        {"64:ff9b::10.1.1.1", RMI_ADDR_PRIVATE},
        {"2002:7f00:1::1", RMI_ADDR_LOOPBACK},
        {"2002:e000:1::1", RMI_ADDR_UNUSABLE},
        {"2002:808:808::1", RMI_ADDR_GLOBAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rmi_addr a = parsed(cases[i].text);
        if (rmi_addr_classify(&a) != cases[i].class)
            fail_msg("%s has class %d", cases[i].text, (int)rmi_addr_classify(&a));
    }
    struct rmi_addr none = {0};
    assert_int_equal(rmi_addr_classify(&none), RMI_ADDR_UNUSABLE);
    struct rmi_addr mapped = {.family = 6, .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    assert_int_equal(rmi_addr_classify(&mapped), RMI_ADDR_LOOPBACK); /* even when not built by this module */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_forms),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(host_and_port),
        cmocka_unit_test(any_address_survives_its_text),
        cmocka_unit_test(truncation_and_flip_sweep),
        cmocka_unit_test(from_bytes),
        cmocka_unit_test(equality_and_hash),
        cmocka_unit_test(classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
