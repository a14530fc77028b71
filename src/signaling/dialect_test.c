/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "signaling/dialect.h"
#include "signaling/jsonrpc.h"
#include <cmocka.h>
#include <string.h>

static void every_method_name_is_found_again(void **state) {
    (void)state;
    const struct rmi_sig_dialect *const all[] = {&rmi_sig_dialect_peer, &rmi_sig_dialect_unprefixed};
    size_t seen = 0;
    for (size_t d = 0; d < 2; d++) {
        for (int m = 0; m < RMI_SIG_M_COUNT; m++) {
            const struct rmi_sig_dialect *found = NULL;
            if (!all[d]->methods[m])
                continue;
            assert_int_equal(rmi_sig_method_of(all[d]->methods[m], &found), m);
            assert_ptr_equal(found, all[d]);
            seen++;
        }
    }
    assert_int_equal(seen, 19);
    assert_int_equal(rmi_sig_method_of("peer.announced", NULL), RMI_SIG_M_JOINED);
    assert_int_equal(rmi_sig_method_of("peer.state_changed", NULL), RMI_SIG_M_STATE_CHANGE);
    assert_int_equal(rmi_sig_method_of("control.list", NULL), RMI_SIG_M_UNKNOWN);
    assert_int_equal(rmi_sig_method_of("", NULL), RMI_SIG_M_UNKNOWN);
}

static void ids_follow_the_pattern(void **state) {
    (void)state;
    char id[67];
    memset(id, 'a', sizeof id);
    id[64] = '\0';
    assert_true(rmi_sig_id_valid(id));
    id[64] = 'a';
    id[65] = '\0';
    assert_false(rmi_sig_id_valid(id));
    assert_true(rmi_sig_id_valid("remotemedia-server"));
    assert_true(rmi_sig_id_valid("A_9-z"));
    static const char *const bad[] = {"", " ", "a b", "a.b", "a/b", "\xc3\xa9", "a\n", "peer:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rmi_sig_id_valid(bad[i]));
}

static json_t *json(const char *text) {
    json_t *out = NULL;
    assert_int_equal(rmi_json_parse(text, strlen(text), &out), RM_OK);
    return out;
}

static void capabilities_are_read_in_both_forms(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned bits;
    } rows[] = {
        {"[\"audio\",\"data\",\"smell\",5]", RMI_SIG_CAP_AUDIO | RMI_SIG_CAP_DATA},
        {"{\"audio\":true,\"video\":false,\"data\":1}", RMI_SIG_CAP_AUDIO},
        {"[]", 0},
        {"null", 0},
        {"\"audio\"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *caps = json(rows[i].text);
        assert_int_equal(rmi_sig_caps_parse(caps), rows[i].bits);
        json_decref(caps);
    }
    assert_int_equal(rmi_sig_caps_parse(NULL), 0);
    for (unsigned bits = 0; bits < 8; bits++) {
        json_t *list = rmi_sig_caps_write(&rmi_sig_dialect_peer, bits);
        json_t *object = rmi_sig_caps_write(&rmi_sig_dialect_unprefixed, bits);
        assert_true(json_is_array(list) && json_is_object(object));
        assert_int_equal(rmi_sig_caps_parse(list), bits);
        assert_int_equal(rmi_sig_caps_parse(object), bits);
        json_decref(list);
        json_decref(object);
    }
}

#define CAND "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"

static void candidates_are_read_in_every_form(void **state) {
    (void)state;
    static const struct {
        const char *text, *candidate, *mid;
        int index;
    } rows[] = {
        {"{\"candidate\":\"" CAND "\",\"sdp_mid\":\"0\",\"sdp_m_line_index\":1}", CAND, "0", 1},
        {"{\"candidate\":\"" CAND "\",\"sdp_mline_index\":2}", CAND, "", 2},
        {"{\"candidate\":\"a=" CAND "\\r\\n\",\"sdpMLineIndex\":3,\"sdpMid\":\"v\"}", CAND, "v", 3},
        {"{\"candidate\":{\"candidate\":\"" CAND "\",\"sdpMid\":\"a\",\"sdpMLineIndex\":0}}", CAND, "a", 0},
        {"{\"candidate\":\"{\\\"candidate\\\":\\\"" CAND "\\\",\\\"sdpMid\\\":\\\"a\\\",\\\"sdpMLineIndex\\\":0}\"}",
         CAND, "a", 0},
        {"{\"candidate\":{\"candidate\":\"" CAND "\"},\"sdp_mid\":\"x\",\"sdp_m_line_index\":4}", CAND, "x", 4},
        {"{\"candidate\":\"\",\"sdp_mid\":null,\"sdp_m_line_index\":null}", "", "", -1},
        {"{\"candidate\":null}", "", "", -1},
        {"{\"candidate\":{}}", "", "", -1},
        {"{\"candidate\":\"{\\\"candidate\\\":\\\"\\\"}\"}", "", "", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *params = json(rows[i].text);
        struct rmi_sig_candidate out;
        assert_int_equal(rmi_sig_candidate_parse(params, &out), RM_OK);
        assert_string_equal(out.text, rows[i].candidate);
        assert_string_equal(out.mid, rows[i].mid);
        assert_int_equal(out.mline_index, rows[i].index);
        json_decref(params);
    }
}

static void bad_candidates_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rm_err err;
    } rows[] = {
        {"{}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":5}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":{\"candidate\":5}}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":\"\",\"sdp_m_line_index\":65536}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":\"\",\"sdp_m_line_index\":-1}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":\"\",\"sdp_mid\":\"a\\nb\"}", RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":\"\",\"sdp_mid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
         RM_E_RPC_INVALID_PARAMS},
        {"{\"candidate\":\"rubbish\"}", RM_E_ICE_CANDIDATE_INVALID},
        {"{\"candidate\":\"{rubbish\"}", RM_E_ICE_CANDIDATE_INVALID},
        {"{\"candidate\":\"{\\\"candidate\\\":\\\"rubbish\\\"}\"}", RM_E_ICE_CANDIDATE_INVALID},
        {"{\"candidate\":\"candidate:1\\r\\na=fingerprint:x\"}", RM_E_ICE_CANDIDATE_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *params = json(rows[i].text);
        struct rmi_sig_candidate out;
        assert_int_equal(rmi_sig_candidate_parse(params, &out), rows[i].err);
        json_decref(params);
    }
    char big[RMI_SIG_MAX_CANDIDATE + 2];
    memset(big, 'x', sizeof big);
    memcpy(big, "candidate:", 10);
    big[sizeof big - 1] = '\0';
    json_t *params = json_pack("{s:s}", "candidate", big);
    struct rmi_sig_candidate out;
    assert_int_equal(rmi_sig_candidate_parse(params, &out), RM_E_ICE_CANDIDATE_INVALID);
    json_decref(params);
    assert_int_equal(rmi_sig_candidate_parse(NULL, &out), RM_E_RPC_INVALID_PARAMS);
}

static void messages_name_sender_and_target_for_both_sides(void **state) {
    (void)state;
    json_t *p = rmi_sig_sdp_params(&rmi_sig_dialect_peer, "a", "b", "offer", "v=0");
    json_t *want = json("{\"from\":\"a\",\"to\":\"b\",\"sdp\":\"v=0\"}");
    assert_true(json_equal(p, want));
    json_decref(p);
    json_decref(want);
    p = rmi_sig_candidate_params(&rmi_sig_dialect_unprefixed, "a", "b", CAND, "0", 2);
    want = json("{\"from\":\"a\",\"to\":\"b\",\"from_peer_id\":\"a\",\"to_peer_id\":\"b\",\"candidate\":\"" CAND
                "\",\"sdp_mid\":\"0\",\"sdp_mline_index\":2}");
    assert_true(json_equal(p, want));
    json_decref(p);
    json_decref(want);
    p = rmi_sig_candidate_params(&rmi_sig_dialect_peer, "a", "b", "", NULL, -1);
    want = json("{\"from\":\"a\",\"to\":\"b\",\"candidate\":\"\",\"sdp_mid\":null,\"sdp_m_line_index\":null}");
    assert_true(json_equal(p, want));
    json_decref(p);
    json_decref(want);
    assert_null(rmi_sig_sdp_params(&rmi_sig_dialect_peer, "a", "b", "offer", "v=0\xff"));
}

static void descriptions_are_looked_over(void **state) {
    (void)state;
    const char *reason = NULL;
    assert_true(rmi_sig_sdp_plausible("v=0\r\nm=audio", true, &reason));
    assert_true(rmi_sig_sdp_plausible("v=0\r\n", false, &reason));
    assert_false(rmi_sig_sdp_plausible("v=0\r\n", true, &reason));
    assert_non_null(strstr(reason, "m="));
    assert_false(rmi_sig_sdp_plausible("", true, &reason));
    assert_non_null(strstr(reason, "v=0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_name_is_found_again),
        cmocka_unit_test(ids_follow_the_pattern),
        cmocka_unit_test(capabilities_are_read_in_both_forms),
        cmocka_unit_test(candidates_are_read_in_every_form),
        cmocka_unit_test(bad_candidates_are_refused),
        cmocka_unit_test(messages_name_sender_and_target_for_both_sides),
        cmocka_unit_test(descriptions_are_looked_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
