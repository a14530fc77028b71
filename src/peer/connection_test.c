/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/connection_testkit.h"

static void two_sides_connect_and_talk(void **state) {
    (void)state;
    struct tk_table t;
    tk_open(&t, NULL);
    tk_connect(&t);
    uint8_t room[RMI_HEADROOM + 200] = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(t.side[i].state, RMI_PC_CONNECTED);
        assert_int_equal(rmi_pc_srtp_profile(t.side[i].pc), RMI_SRTP_AEAD_AES_128_GCM);
        uint8_t *rtp = room + RMI_HEADROOM;
        memset(rtp, 0, 60);
        rtp[0] = 0x80;
        rtp[1] = 111;
        assert_int_equal(rmi_pc_send(t.side[i].pc, t.now_us, false, rtp, 60, 60 + RMI_SRTP_TRAILER_MAX), RM_OK);
    }
    tk_deliver(&t);
    assert_int_equal(t.side[0].packets, 1);
    assert_int_equal(t.side[1].packets, 1);
    const struct rmi_pc_steps *s = rmi_pc_steps_of(t.side[0].pc);
    assert_true(s->created_us <= s->gathered_us && s->gathered_us <= s->negotiated_us &&
                s->negotiated_us <= s->ice_connected_us && s->ice_connected_us <= s->dtls_us &&
                s->dtls_us <= s->connected_us);
    rmi_pc_close(t.side[0].pc, t.now_us);
    rmi_pc_close(t.side[0].pc, t.now_us);
    tk_take_events(&t.side[0]);
    tk_deliver(&t);
    assert_int_equal(t.side[0].state, RMI_PC_CLOSED);
    assert_int_equal(t.side[1].state, RMI_PC_CLOSED); /* told by close_notify */
    tk_close(&t);
}

/* Replaces the value of every a=fingerprint line: another certificate's. */
static void forge_fingerprint(char *sdp) {
    for (char *p = strstr(sdp, "a=fingerprint:sha-256 "); p; p = strstr(p + 1, "a=fingerprint:sha-256 "))
        p[22] = p[22] == 'A' ? 'B' : 'A';
}

static void a_wrong_fingerprint_yields_no_keys(void **state) {
    (void)state;
    for (int forged = 0; forged < 2; forged++) { /* in the offer, in the answer */
        struct tk_table t;
        char detail[256];
        tk_open(&t, NULL);
        tk_add_host(&t.side[0]);
        tk_add_host(&t.side[1]);
        assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
        tk_take_events(&t.side[0]);
        if (forged == 0)
            forge_fingerprint(t.side[0].sdp);
        assert_int_equal(tk_describe(&t, 0, detail), RM_OK);
        if (forged == 1)
            forge_fingerprint(t.side[1].sdp);
        assert_int_equal(tk_describe(&t, 1, detail), RM_OK);
        tk_run(&t, RMI_SEC(2));
        struct tk_side *deceived = &t.side[!forged];
        assert_int_equal(deceived->state, RMI_PC_FAILED);
        assert_int_equal(deceived->err, RM_E_DTLS_FINGERPRINT);
        assert_int_equal(rmi_pc_error(deceived->pc), RM_E_DTLS_FINGERPRINT);
        assert_int_equal(rmi_pc_srtp_profile(deceived->pc), RMI_SRTP_NONE);
        assert_int_equal(rmi_pc_steps_of(deceived->pc)->connected_us, 0);
        uint8_t room[RMI_HEADROOM + 100] = {0};
        assert_int_equal(rmi_pc_send(deceived->pc, t.now_us, false, room + RMI_HEADROOM, 20, 100), RM_E_STATE);
        tk_close(&t);
    }
}

static void no_or_weak_fingerprints_are_refused(void **state) {
    (void)state;
    for (int weak = 0; weak < 2; weak++) {
        struct tk_table t;
        char detail[256];
        tk_open(&t, NULL);
        tk_add_host(&t.side[0]);
        assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
        tk_take_events(&t.side[0]);
        for (char *p = strstr(t.side[0].sdp, "a=fingerprint:sha-256"); p; p = strstr(p, "a=fingerprint:sha-256"))
            memcpy(p + 2, weak ? "fingerprint:md5    " : "xingerprint:sha-256", 19);
        rm_err err = tk_describe(&t, 0, detail);
        assert_true(err == RM_E_SDP || err == RM_E_DTLS_FINGERPRINT);
        assert_true(detail[0] != '\0');
        tk_close(&t);
    }
}

static void an_answer_nobody_asked_for_changes_nothing(void **state) {
    (void)state;
    struct tk_table t;
    char detail[256];
    tk_open(&t, NULL);
    tk_connect(&t);
    t.side[1].sdp_type = RMI_SDP_ANSWER; /* the answer once more: a replay */
    assert_int_equal(tk_describe(&t, 1, detail), RM_E_STATE);
    assert_int_equal(t.side[0].state, RMI_PC_CONNECTED);
    tk_run(&t, RMI_SEC(5));
    assert_int_equal(t.side[0].state, RMI_PC_CONNECTED);
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    tk_close(&t);
}

static void another_certificate_in_the_same_session_ends_it(void **state) {
    (void)state;
    struct tk_table t;
    char detail[256];
    tk_open(&t, NULL);
    tk_connect(&t);
    assert_int_equal(rmi_pc_restart_ice(t.side[0].pc, t.now_us), RM_OK);
    tk_take_events(&t.side[0]);
    forge_fingerprint(t.side[0].sdp);
    assert_int_equal(tk_describe(&t, 0, detail), RM_E_DTLS_FINGERPRINT);
    assert_int_equal(t.side[1].state, RMI_PC_FAILED);
    assert_int_equal(t.side[1].err, RM_E_DTLS_FINGERPRINT);
    tk_close(&t);
}

static void sessions_are_told_apart(void **state) {
    (void)state;
    struct tk_table t;
    tk_open(&t, NULL);
    tk_connect(&t);
    assert_true(rmi_pc_same_session(t.side[1].pc, t.side[0].sdp, strlen(t.side[0].sdp)));
    assert_false(rmi_pc_same_session(t.side[1].pc, t.side[1].sdp, strlen(t.side[1].sdp)));
    assert_false(rmi_pc_same_session(t.side[1].pc, "nonsense", 8));
    tk_close(&t);
}

static void a_codec_mismatch_names_both_lists(void **state) {
    (void)state;
    struct rmi_pc_config c[2] = {{.video = true}, {.video = true}};
    struct tk_table t;
    char detail[256];
    tk_open(&t, c);
    tk_add_host(&t.side[0]);
    assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
    tk_take_events(&t.side[0]);
    static const char *const ours[] = {" VP9/", " VP8/", " H264/"};
    static const char *const theirs[] = {" AV1/", " XX1/", " H265/"};
    for (int i = 0; i < 3; i++)
        for (char *p = strstr(t.side[0].sdp, ours[i]); p; p = strstr(p + 1, ours[i]))
            memcpy(p, theirs[i], strlen(ours[i]));
    assert_int_equal(tk_describe(&t, 0, detail), RM_E_CODEC_MISMATCH);
    assert_non_null(strstr(detail, "VP9"));
    assert_non_null(strstr(detail, "AV1"));
    tk_close(&t);
}

static void candidates_may_come_first_and_may_be_names(void **state) {
    (void)state;
    struct tk_table t;
    char detail[256];
    static const char named[] =
        "candidate:9 1 udp 2122260223 5f1f7c2e-0000-4000-8000-000000000001.local 5000 typ host generation 0";
    tk_open(&t, NULL);
    /* Not a word about Alice's address in her description: it comes as a name, before the offer. */
    assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
    tk_take_events(&t.side[0]);
    tk_add_host(&t.side[0]);
    tk_add_host(&t.side[1]);
    assert_int_equal(rmi_pc_remote_candidate(t.side[1].pc, t.now_us, named, strlen(named)), RM_OK);
    assert_int_equal(rmi_pc_remote_candidate(t.side[1].pc, t.now_us, "", 0), RM_OK);
    assert_int_equal(tk_describe(&t, 0, detail), RM_OK);
    assert_string_equal(t.side[1].hostname, "5f1f7c2e-0000-4000-8000-000000000001.local");
    struct rmi_addr resolved = t.side[0].addr;
    resolved.port = 0;
    rmi_pc_resolved(t.side[1].pc, t.now_us, t.side[1].resolve_id + 1, &resolved); /* nobody asked that */
    rmi_pc_resolved(t.side[1].pc, t.now_us, t.side[1].resolve_id, &resolved);
    struct rmi_ice_stats stats;
    rmi_ice_get_stats(rmi_pc_ice(t.side[1].pc), &stats);
    assert_int_equal(stats.remote_candidates, 1);
    rmi_pc_resolved(t.side[1].pc, t.now_us, t.side[1].resolve_id, &resolved); /* once only */
    rmi_ice_get_stats(rmi_pc_ice(t.side[1].pc), &stats);
    assert_int_equal(stats.remote_candidates, 1);
    assert_int_equal(tk_describe(&t, 1, detail), RM_OK);
    tk_run(&t, RMI_SEC(1));
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    tk_close(&t);
}

static void names_that_do_not_resolve_are_skipped(void **state) {
    (void)state;
    struct tk_table t;
    char text[160], detail[256];
    tk_open(&t, NULL);
    tk_add_host(&t.side[0]);
    tk_add_host(&t.side[1]);
    assert_int_equal(rmi_pc_offer(t.side[0].pc, t.now_us), RM_OK);
    tk_take_events(&t.side[0]);
    assert_int_equal(tk_describe(&t, 0, detail), RM_OK);
    int accepted = 0;
    for (int i = 0; i < 100; i++) { /* a flood of names: a few are asked for, the rest refused, nothing blocks */
        int n = snprintf(text, sizeof text, "candidate:%d 1 udp 2122260223 host-%d.local 5000 typ host", i, i);
        accepted += rmi_pc_remote_candidate(t.side[1].pc, t.now_us, text, (size_t)n) == RM_OK;
        tk_take_events(&t.side[1]);
    }
    assert_in_range(accepted, 1, 16);
    for (uint32_t id = 1; id <= 16; id++)
        rmi_pc_resolved(t.side[1].pc, t.now_us, id, NULL);
    assert_int_equal(tk_describe(&t, 1, detail), RM_OK);
    tk_run(&t, RMI_SEC(1));
    assert_int_equal(t.side[1].state, RMI_PC_CONNECTED);
    struct rmi_pc_stats stats;
    rmi_pc_get_stats(t.side[1].pc, &stats);
    assert_int_equal(stats.drop_candidates, 100);
    tk_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sides_connect_and_talk),
        cmocka_unit_test(a_wrong_fingerprint_yields_no_keys),
        cmocka_unit_test(no_or_weak_fingerprints_are_refused),
        cmocka_unit_test(an_answer_nobody_asked_for_changes_nothing),
        cmocka_unit_test(another_certificate_in_the_same_session_ends_it),
        cmocka_unit_test(sessions_are_told_apart),
        cmocka_unit_test(a_codec_mismatch_names_both_lists),
        cmocka_unit_test(candidates_may_come_first_and_may_be_names),
        cmocka_unit_test(names_that_do_not_resolve_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
