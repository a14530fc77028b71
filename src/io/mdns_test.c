/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "io/mdns.h"
#include <stdlib.h>
#include <string.h>

#define HOST "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"

/* A response with one A and one AAAA record for HOST; the second name is compressed. */
static size_t response(uint8_t *out, size_t cap, uint16_t id) {
    struct rmi_wr w = rmi_wr_init(out, cap);
    uint8_t query[RMI_MDNS_QUERY_MAX];
    size_t query_len = rmi_mdns_query(HOST, 4, id, query, sizeof query);
    rmi_wr_u16(&w, id);
    rmi_wr_u16(&w, 0x8400);
    rmi_wr_u16(&w, 1);
    rmi_wr_u16(&w, 1);
    rmi_wr_u16(&w, 0);
    rmi_wr_u16(&w, 1);
    rmi_wr_bytes(&w, query + 12, query_len - 12); /* the question comes back in a unicast answer */
    rmi_wr_bytes(&w, query + 12, query_len - 12 - 4);
    rmi_wr_u16(&w, 1);
    rmi_wr_u16(&w, 0x8001);
    rmi_wr_u32(&w, 10);
    rmi_wr_u16(&w, 4);
    rmi_wr_bytes(&w, "\xc0\x00\x02\x07", 4);
    rmi_wr_u16(&w, 0xc00c);
    rmi_wr_u16(&w, 28);
    rmi_wr_u16(&w, 1);
    rmi_wr_u32(&w, 10);
    rmi_wr_u16(&w, 16);
    rmi_wr_bytes(&w, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
    assert_false(w.failed);
    return w.pos;
}

static void a_query_holds_the_name_and_both_types(void **state) {
    (void)state;
    uint8_t out[RMI_MDNS_QUERY_MAX];
    size_t n = rmi_mdns_query("ab.local.", 0, 0x1234, out, sizeof out);
    static const uint8_t want[] = "\x12\x34\0\0\0\2\0\0\0\0\0\0\2ab\5local\0\0\1\0\1\xc0\x0c\0\x1c\0\1";
    assert_int_equal(n, sizeof want - 1);
    assert_memory_equal(out, want, n);
    for (size_t cap = 0; cap < n; cap++)
        assert_int_equal(rmi_mdns_query("ab.local.", 0, 1, out, cap), 0);
    assert_int_equal(rmi_mdns_query("", 0, 1, out, sizeof out), 0);
    assert_int_equal(rmi_mdns_query("a..local", 0, 1, out, sizeof out), 0);
    assert_int_equal(rmi_mdns_query(".local", 0, 1, out, sizeof out), 0);
    char name[300];
    memset(name, 'x', sizeof name);
    strcpy(name + 64, ".local");
    assert_int_equal(rmi_mdns_query(name, 0, 1, out, sizeof out), 0); /* a label of 64 */
    strcpy(name + 63, ".local");
    assert_int_not_equal(rmi_mdns_query(name, 0, 1, out, sizeof out), 0);
    for (size_t i = 0; i < 256; i++)
        name[i] = i % 2 ? '.' : 'x';
    name[256] = '\0';
    assert_int_equal(rmi_mdns_query(name, 0, 1, out, sizeof out), 0); /* 257 octets */
    name[254] = '\0';
    assert_int_not_equal(rmi_mdns_query(name, 0, 1, out, sizeof out), 0); /* 255 octets */
}

static void local_names_are_recognised(void **state) {
    (void)state;
    assert_true(rmi_mdns_is_local("printer.local"));
    assert_true(rmi_mdns_is_local("Printer.LOCAL."));
    assert_false(rmi_mdns_is_local(".local"));
    assert_false(rmi_mdns_is_local("local"));
    assert_false(rmi_mdns_is_local(""));
    assert_false(rmi_mdns_is_local("."));
    assert_false(rmi_mdns_is_local("printer.local.example"));
    assert_false(rmi_mdns_is_local("printerlocal"));
}

static void addresses_are_read_by_family_and_id(void **state) {
    (void)state;
    uint8_t data[512];
    size_t len = response(data, sizeof data, 7);
    struct rmi_addr addrs[4];
    size_t n = 0;
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n), RM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(addrs[0].family, 4);
    assert_int_equal(addrs[0].ip[3], 7);
    assert_int_equal(addrs[1].family, 6);
    assert_int_equal(rmi_mdns_parse(data, len, "1F4712DB-ea17-4bcf-a596-105139dfd8bf.Local.", 6, 7, addrs, 4, &n),
                     RM_OK);
    assert_int_equal(n, 1);
    assert_int_equal(addrs[0].family, 6);
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 1, &n), RM_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 8, addrs, 4, &n), RM_E_PARSE);
    assert_int_equal(n, 0);
    assert_int_equal(rmi_mdns_parse(data, len, "other.local", 0, 7, addrs, 4, &n), RM_E_NOT_FOUND);
    data[2] = 0; /* a query */
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n), RM_E_PARSE);
    data[2] = 0x84;
    data[3] = 3; /* name error */
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n), RM_E_NOT_FOUND);
}

static void unusable_addresses_are_left_out(void **state) {
    (void)state;
    uint8_t data[512];
    size_t len = response(data, sizeof data, 0);
    struct rmi_addr addrs[4];
    size_t n = 0;
    size_t at = 12 + strlen(HOST) + 2 + 4 + strlen(HOST) + 2 + 10;
    assert_int_equal(data[at], 192);
    data[at] = 224; /* multicast */
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n), RM_OK);
    assert_int_equal(n, 1);
    assert_int_equal(addrs[0].family, 6);
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 8};
    memcpy(data + len - sizeof mapped, mapped, sizeof mapped);
    assert_int_equal(rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n), RM_E_NOT_FOUND);
}

static void pointer_loops_end(void **state) {
    (void)state;
    struct rmi_addr addrs[4];
    size_t n = 0;
    uint8_t self[] = {0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    assert_int_equal(rmi_mdns_parse(self, sizeof self, HOST, 0, 7, addrs, 4, &n), RM_E_PARSE);
    uint8_t forward[] = {0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 14, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    assert_int_equal(rmi_mdns_parse(forward, sizeof forward, HOST, 0, 7, addrs, 4, &n), RM_E_PARSE);
}

/* Exact-size heap copies, so that a read past the end is seen by the sanitizer. */
static void truncated_and_flipped_messages_are_harmless(void **state) {
    (void)state;
    uint8_t data[512];
    size_t len = response(data, sizeof data, 7);
    struct rmi_addr addrs[4];
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, data, cut);
        uint8_t *exact = realloc(copy, cut ? cut : 1);
        assert_non_null(exact);
        size_t n = 99;
        assert_int_equal(rmi_mdns_parse(exact, cut, HOST, 0, 7, addrs, 4, &n), RM_E_PARSE);
        assert_int_equal(n, 0);
        free(exact);
    }
    for (size_t at = 0; at < len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1u << bit);
            size_t n = 99;
            rm_err err = rmi_mdns_parse(data, len, HOST, 0, 7, addrs, 4, &n);
            assert_true(n <= 4);
            assert_int_equal(err == RM_OK, n > 0);
            data[at] ^= (uint8_t)(1u << bit);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_holds_the_name_and_both_types),
        cmocka_unit_test(local_names_are_recognised),
        cmocka_unit_test(addresses_are_read_by_family_and_id),
        cmocka_unit_test(unusable_addresses_are_left_out),
        cmocka_unit_test(pointer_loops_end),
        cmocka_unit_test(truncated_and_flipped_messages_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
