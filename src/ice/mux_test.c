/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/mux.h"

#include "base/rng.h"
#include "ice/stun.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the four headers it needs */

static struct rmi_addr addr_at(uint8_t last, uint16_t port) {
    const uint8_t ip[] = {192, 0, 2, last};
    return rmi_addr_from_bytes(ip, sizeof ip, port);
}

static size_t make_stun(uint8_t *buf, size_t cap, enum rmi_stun_class cls, const char *username, uint32_t tag) {
    uint8_t txid[RMI_STUN_TXID] = {(uint8_t)(tag >> 24), (uint8_t)(tag >> 16), (uint8_t)(tag >> 8), (uint8_t)tag};
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, cap, cls, RMI_STUN_BINDING, txid);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 1);
    rmi_stun_add_bytes(&b, 0x8022, "odd", 3);
    if (username)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, username, strlen(username));
    size_t len = rmi_stun_finish(&b, (const uint8_t *)"key", 3, true);
    assert_true(len > 0);
    return len;
}

static void *find_stun(const struct rmi_mux *m, enum rmi_stun_class cls, const char *username, uint32_t tag) {
    uint8_t buf[256];
    size_t len = make_stun(buf, sizeof buf, cls, username, tag);
    struct rmi_addr from = addr_at(200, 1);
    return rmi_mux_find(m, 1, &from, buf, len);
}

static const uint8_t dtls[] = {22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9};

static void *find_data(const struct rmi_mux *m, rmi_base_id base, const struct rmi_addr *from) {
    return rmi_mux_find(m, base, from, dtls, sizeof dtls);
}

static void requests_are_found_by_the_local_ufrag(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int a, b;
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    assert_int_equal(rmi_mux_add_ufrag(m, "abcd", &a), RM_OK);
    assert_int_equal(rmi_mux_add_ufrag(m, "abcde", &b), RM_OK);
    assert_int_equal(rmi_mux_add_ufrag(m, "restart1", &b), RM_OK);
    assert_int_equal(rmi_mux_add_ufrag(m, "abcd", &b), RM_E_EXISTS);
    assert_int_equal(rmi_mux_add_ufrag(m, "", &b), RM_E_INVALID_ARG);
    assert_int_equal(rmi_mux_add_ufrag(m, "ab:cd", &b), RM_E_INVALID_ARG);
    assert_ptr_equal(find_stun(m, RMI_STUN_REQUEST, "abcd:efgh", 0), &a);
    assert_ptr_equal(find_stun(m, RMI_STUN_REQUEST, "abcde:", 0), &b);
    assert_ptr_equal(find_stun(m, RMI_STUN_REQUEST, "restart1:abcd", 0), &b);
    assert_null(find_stun(m, RMI_STUN_REQUEST, "efgh:abcd", 0));
    assert_null(find_stun(m, RMI_STUN_REQUEST, "abcd", 0));
    assert_null(find_stun(m, RMI_STUN_REQUEST, ":abcd", 0));
    assert_null(find_stun(m, RMI_STUN_REQUEST, NULL, 0));
    rmi_mux_remove_ufrag(m, "abcde");
    rmi_mux_remove_ufrag(m, "nobody");
    assert_null(find_stun(m, RMI_STUN_REQUEST, "abcde:x", 0));
    assert_ptr_equal(find_stun(m, RMI_STUN_REQUEST, "restart1:x", 0), &b);
    rmi_mux_destroy(&m);
    assert_null(m);
    rmi_mux_destroy(&m);
}

static void responses_are_found_by_their_tag(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int a, b;
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    assert_int_equal(rmi_mux_add_tag(m, 0xDEADBEEF, &a), RM_OK);
    assert_int_equal(rmi_mux_add_tag(m, 0, &b), RM_OK);
    assert_int_equal(rmi_mux_add_tag(m, 0, &a), RM_E_EXISTS);
    assert_ptr_equal(find_stun(m, RMI_STUN_SUCCESS, NULL, 0xDEADBEEF), &a);
    assert_ptr_equal(find_stun(m, RMI_STUN_ERROR, NULL, 0), &b);
    assert_null(find_stun(m, RMI_STUN_SUCCESS, NULL, 0xDEADBEEE));
    assert_null(find_stun(m, RMI_STUN_REQUEST, NULL, 0xDEADBEEF));
    rmi_mux_destroy(&m);
}

static void everything_else_is_found_by_base_and_source(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int a, b;
    struct rmi_addr x = addr_at(1, 5000), y = addr_at(1, 5001);
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    assert_null(find_data(m, 1, &x));
    assert_int_equal(rmi_mux_learn(m, 1, &x, &a), RM_OK);
    assert_int_equal(rmi_mux_learn(m, 2, &x, &b), RM_OK);
    assert_ptr_equal(find_data(m, 1, &x), &a);
    assert_ptr_equal(find_data(m, 2, &x), &b);
    assert_null(find_data(m, 1, &y));
    assert_int_equal(rmi_mux_learn(m, 1, &x, &b), RM_OK);
    assert_ptr_equal(find_data(m, 1, &x), &b);
    uint8_t buf[128]; /* a Binding indication has no user name; it is a keep-alive of a known source */
    size_t len = make_stun(buf, sizeof buf, RMI_STUN_INDICATION, NULL, 7);
    assert_ptr_equal(rmi_mux_find(m, 1, &x, buf, len), &b);
    rmi_mux_remove_owner(m, &b);
    assert_null(find_data(m, 1, &x));
    assert_null(find_data(m, 2, &x));
    rmi_mux_destroy(&m);
}

static void the_oldest_of_too_many_sources_goes(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int a, b;
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    struct rmi_addr other = addr_at(9, 9);
    assert_int_equal(rmi_mux_learn(m, 1, &other, &b), RM_OK);
    for (uint16_t port = 1; port <= 256; port++) {
        struct rmi_addr from = addr_at(1, port);
        assert_int_equal(rmi_mux_learn(m, 1, &from, &a), RM_OK);
    }
    struct rmi_addr first = addr_at(1, 1), second = addr_at(1, 2);
    assert_ptr_equal(find_data(m, 1, &first), &a);
    assert_int_equal(rmi_mux_learn(m, 1, &first, &a), RM_OK); /* seen again: no longer the oldest */
    for (uint16_t port = 257; port <= 5000; port++) {
        struct rmi_addr from = addr_at(1, port);
        assert_int_equal(rmi_mux_learn(m, 1, &from, &a), RM_OK);
        assert_ptr_equal(find_data(m, 1, &from), &a);
        if (port == 257) {
            assert_ptr_equal(find_data(m, 1, &first), &a);
            assert_null(find_data(m, 1, &second));
        }
    }
    size_t known = 0;
    for (uint16_t port = 1; port <= 5000; port++) {
        struct rmi_addr from = addr_at(1, port);
        known += find_data(m, 1, &from) != NULL;
    }
    assert_int_equal(known, 256);
    assert_ptr_equal(find_data(m, 1, &other), &b);
    rmi_mux_destroy(&m);
}

static void removing_an_owner_leaves_the_others(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int owners[20];
    char ufrag[8] = "ufrag?";
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    for (int i = 0; i < 20; i++) {
        ufrag[5] = (char)('a' + i);
        assert_int_equal(rmi_mux_add_ufrag(m, ufrag, &owners[i]), RM_OK);
        assert_int_equal(rmi_mux_add_tag(m, (uint32_t)i, &owners[i]), RM_OK);
        for (uint16_t port = 1; port <= 20; port++) {
            struct rmi_addr from = addr_at((uint8_t)i, port);
            assert_int_equal(rmi_mux_learn(m, 1, &from, &owners[i]), RM_OK);
        }
    }
    for (int i = 0; i < 20; i += 2)
        rmi_mux_remove_owner(m, &owners[i]);
    for (int i = 0; i < 20; i++) {
        void *want = i % 2 ? &owners[i] : NULL;
        char name[16] = "ufrag?:x";
        name[5] = (char)('a' + i);
        assert_ptr_equal(find_stun(m, RMI_STUN_REQUEST, name, 0), want);
        assert_ptr_equal(find_stun(m, RMI_STUN_SUCCESS, NULL, (uint32_t)i), want);
        struct rmi_addr from = addr_at((uint8_t)i, 20);
        assert_ptr_equal(find_data(m, 1, &from), want);
    }
    rmi_mux_destroy(&m);
}

static void broken_datagrams_find_nobody_and_do_no_harm(void **state) {
    (void)state;
    struct rmi_mux *m = NULL;
    int a;
    assert_int_equal(rmi_mux_create(&m), RM_OK);
    assert_int_equal(rmi_mux_add_ufrag(m, "abcd", &a), RM_OK);
    struct rmi_addr from = addr_at(200, 1);
    uint8_t buf[256], copy[256];
    size_t len = make_stun(buf, sizeof buf, RMI_STUN_REQUEST, "abcd:efgh", 0);
    size_t username_end = RMI_STUN_HEADER + 8 + 8 + 4 + 9;
    for (size_t n = 0; n <= len; n++) {
        uint8_t *box = malloc(n ? n : 1);
        assert_non_null(box);
        memcpy(box, buf, n);
        assert_ptr_equal(rmi_mux_find(m, 1, &from, box, n), n < username_end ? NULL : &a);
        free(box);
    }
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            memcpy(copy, buf, len);
            copy[i] ^= (uint8_t)flip;
            void *got = rmi_mux_find(m, 1, &from, copy, len);
            assert_true(got == NULL || got == &a);
        }
    }
    rmi_mux_destroy(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_found_by_the_local_ufrag),
        cmocka_unit_test(responses_are_found_by_their_tag),
        cmocka_unit_test(everything_else_is_found_by_base_and_source),
        cmocka_unit_test(the_oldest_of_too_many_sources_goes),
        cmocka_unit_test(removing_an_owner_leaves_the_others),
        cmocka_unit_test(broken_datagrams_find_nobody_and_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
