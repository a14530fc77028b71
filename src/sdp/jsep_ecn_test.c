/* SPDX-License-Identifier: Apache-2.0 */
/* Negotiation of ECN for media (RFC 6679 6.1.1). */
#include "sdp/jsep_test_support.h"

static struct rmi_jsep *make_ecn(bool polite, bool ecn) {
    struct rmi_jsep_config config = {
        .name = "other", .polite = polite, .cname = "cn", .ecn = ecn, .rng = rmi_prng_rng(&prng)};
    struct rmi_jsep *j = NULL;
    assert_int_equal(rmi_jsep_create(&config, &j), RM_OK);
    add(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    return j;
}

static void check_both(struct rmi_jsep *j, bool send, bool receive) {
    const struct rmi_jsep_result *r = rmi_jsep_result(j);
    assert_int_equal(r->media_count, 2);
    for (size_t i = 0; i < r->media_count; i++) {
        const struct rmi_jsep_media *m = &r->media[i];
        assert_int_equal(m->ecn_send, send);
        assert_int_equal(m->ecn_receive, receive);
        for (size_t c = 0; c < m->codec_count; c++)
            assert_int_equal((m->codecs[c].feedback & RMI_FB_NACK_ECN) != 0, send || receive);
    }
}

static void ecn_is_used_where_both_want_it(void **state) {
    (void)state;
    for (int wants = 0; wants < 4; wants++) {
        struct rmi_jsep *a = make_ecn(false, wants & 1), *b = make_ecn(true, wants & 2);
        char *o, *t;
        exchange(a, &local_a, b, &local_b, &o, &t);
        assert_mirrored(a, b);
        check_both(a, wants == 3, wants == 3);
        check_both(b, wants == 3, wants == 3);
        assert_int_equal(has(o, "a=ecn-capable-rtp: rtp,leap ect=0\r\n"), wants & 1);
        assert_int_equal(has(o, "a=rtcp-fb:111 nack ecn\r\n") && has(o, "a=rtcp-xr:ecn-sum\r\n"), wants & 1);
        assert_int_equal(has(t, "a=ecn-capable-rtp: rtp ect=0\r\n"), wants == 3); /* one of those offered */
        assert_int_equal(has(t, "nack ecn") || has(t, "ecn-sum"), wants == 3);
        free(o);
        free(t);
        exchange(b, &local_b, a, &local_a, NULL, NULL); /* and stays so, whoever offers */
        check_both(a, wants == 3, wants == 3);
        check_both(b, wants == 3, wants == 3);
        rmi_jsep_destroy(&a);
        rmi_jsep_destroy(&b);
    }
}

/* What the answer makes of the attribute, or the offer of another kind of peer. */
static void check_offer(const char *attribute, bool send, bool receive, const char *answered) {
    struct rmi_jsep *a = make_ecn(false, true), *b = make_ecn(true, true);
    char *o = offer(a, &local_a);
    char *changed = replaced(o, "a=ecn-capable-rtp: rtp,leap ect=0\r\n", attribute);
    give(b, RMI_SDP_OFFER, changed);
    char *t = answer(b, &local_b);
    check_both(b, send, receive);
    assert_int_equal(has(t, "a=ecn-capable-rtp:"), answered != NULL);
    assert_true(!answered || has(t, answered));
    free(o);
    free(changed);
    free(t);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void methods_and_modes_decide(void **state) {
    (void)state;
    check_offer("", false, false, NULL);
    check_offer("a=ecn-capable-rtp: ice ect=0\r\n", false, false, NULL);
    check_offer("a=ecn-capable-rtp: new\r\n", false, false, NULL);
    check_offer("a=ecn-capable-rtp: leap\r\n", true, true, "a=ecn-capable-rtp: leap ect=0\r\n");
    check_offer("a=ecn-capable-rtp: ice,new,leap,rtp\r\n", true, true, "a=ecn-capable-rtp: rtp ect=0\r\n");
    check_offer("a=ecn-capable-rtp: rtp mode=setread; ect=1\r\n", true, true, "a=ecn-capable-rtp: rtp ect=0\r\n");
    check_offer("a=ecn-capable-rtp: rtp ect=0; mode=setonly\r\n", false, true, "a=ecn-capable-rtp: rtp ect=0\r\n");
    check_offer("a=ecn-capable-rtp: rtp mode=readonly\r\n", true, false, "a=ecn-capable-rtp: rtp ect=0\r\n");
}

/* Marks without feedback about them would not be answered. */
static void without_feedback_there_is_none(void **state) {
    (void)state;
    struct rmi_jsep *a = make_ecn(false, true), *b = make_ecn(true, true);
    char *o = offer(a, &local_a);
    give(b, RMI_SDP_OFFER, o);
    char *t = answer(b, &local_b);
    char *changed = replaced(t, "a=rtcp-fb:98 nack ecn\r\n", "");
    give(a, RMI_SDP_ANSWER, changed);
    const struct rmi_jsep_result *r = rmi_jsep_result(a);
    assert_true(r->media[0].ecn_send && r->media[0].ecn_receive);
    assert_false(r->media[1].ecn_send || r->media[1].ecn_receive);
    for (size_t c = 0; c < r->media[1].codec_count; c++)
        assert_false(r->media[1].codecs[c].feedback & RMI_FB_NACK_ECN);
    free(o);
    free(t);
    free(changed);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecn_is_used_where_both_want_it),
        cmocka_unit_test(methods_and_modes_decide),
        cmocka_unit_test(without_feedback_there_is_none),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
