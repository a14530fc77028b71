/* SPDX-License-Identifier: Apache-2.0 */
#include "webrtc/server_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void stun_forms(void **state) {
    (void)state;
    struct rmi_server_url u;
    assert_int_equal(rmi_stun_url_parse("stun:stun.example.org", &u), RM_OK);
    assert_string_equal(u.host, "stun.example.org");
    assert_int_equal(u.port, 3478);
    assert_int_equal(rmi_stun_url_parse("stun:192.0.2.1:19302", &u), RM_OK);
    assert_int_equal(u.port, 19302);
    assert_int_equal(rmi_stun_url_parse("stun:[2001:db8::1]:3479", &u), RM_OK);
    assert_string_equal(u.host, "2001:db8::1");
    assert_int_equal(u.port, 3479);
    assert_int_equal(rmi_stun_url_parse("stun:[2001:db8::1]", &u), RM_OK);
    assert_int_equal(u.port, 3478);
    assert_int_equal(rmi_stun_url_parse("stuns:a", &u), RM_E_UNSUPPORTED);
}

static void turn_forms(void **state) {
    (void)state;
    struct rmi_server_url u;
    assert_int_equal(rmi_turn_url_parse("turn:user:p@ss@relay.example:3478?transport=udp", &u), RM_OK);
    assert_string_equal(u.username, "user");
    assert_string_equal(u.password, "p@ss");
    assert_string_equal(u.host, "relay.example");
    assert_int_equal(rmi_turn_url_parse("turn:relay.example", &u), RM_OK);
    assert_string_equal(u.username, "");
    assert_int_equal(rmi_turn_url_parse("turn:relay.example?transport=tcp", &u), RM_E_UNSUPPORTED);
    assert_int_equal(rmi_turn_url_parse("turns:relay.example", &u), RM_E_UNSUPPORTED);
}

static void faults(void **state) {
    (void)state;
    static const char *const bad[] = {"",          "stun",        "stun:",        "stun::3478",
                                      "stun:h:",   "stun:h:0",    "stun:h:65536", "stun:h:x",
                                      "stun:[::1", "stun:[::1]x", "http://h",     "stun:h:123456"};
    struct rmi_server_url u;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rmi_stun_url_parse(bad[i], &u), RM_E_PARSE);
    static const char *const bad_turn[] = {"turn:", "turn:@h", "turn::p@h", "turn:u@h", "turn:u:p@", "turn:h?x=y"};
    for (size_t i = 0; i < sizeof bad_turn / sizeof bad_turn[0]; i++)
        assert_int_equal(rmi_turn_url_parse(bad_turn[i], &u), RM_E_PARSE);
    assert_int_equal(rmi_stun_url_parse(NULL, &u), RM_E_PARSE);
    char huge[1024] = "stun:";
    memset(huge + 5, 'a', sizeof huge - 6);
    assert_int_equal(rmi_stun_url_parse(huge, &u), RM_E_PARSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stun_forms), cmocka_unit_test(turn_forms),
                                       cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
