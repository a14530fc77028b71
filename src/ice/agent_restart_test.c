/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/agent_test_wire.h"

static void signal_restart(struct wire *w) {
    rmi_ice_restart(w->end[0].agent, w->now_us);
    rmi_ice_restart(w->end[1].agent, w->now_us);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
}

static void assert_has_route(const struct wire_end *e) {
    rmi_base_id base;
    struct rmi_addr to;
    assert_true(rmi_ice_route(e->agent, &base, &to));
    assert_int_equal(rmi_ice_source_of(e->agent, base, &to), RMI_ICE_SOURCE_VALID);
}

static size_t selections(const struct wire_end *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->event_count; i++)
        n += e->events[i].type == RMI_ICE_EV_SELECTED_PAIR;
    return n;
}

static void a_restart_keeps_the_route(void **state) {
    (void)state;
    struct wire *w = wire_connected(1);
    w->delay_us = RMI_MS(20);
    wire_run(w, RMI_SEC(1), NULL);
    char old_ufrag[RMI_ICE_UFRAG_LEN + 1];
    memcpy(old_ufrag, rmi_ice_local_ufrag(w->end[0].agent), sizeof old_ufrag);
    w->end[0].event_count = w->end[1].event_count = 0;
    signal_restart(w);
    assert_string_not_equal(rmi_ice_local_ufrag(w->end[0].agent), old_ufrag);
    const int64_t start = w->now_us;
    while (selections(&w->end[0]) == 0 || selections(&w->end[1]) == 0) {
        assert_true(w->now_us - start < RMI_SEC(1));
        assert_has_route(&w->end[0]);
        assert_has_route(&w->end[1]);
        wire_run(w, RMI_MS(1), NULL);
    }
    assert_has_route(&w->end[0]);
    wire_run(w, RMI_SEC(20), NULL);
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < w->end[i].event_count; k++)
            assert_int_equal(w->end[i].events[k].state, RMI_ICE_CONNECTED); /* never anything else */
        assert_int_equal(wire_stats(&w->end[i]).restarts, 1);
        assert_int_equal(wire_stats(&w->end[i]).drop_integrity, 0);
        assert_string_equal(rmi_ice_remote_ufrag(w->end[i].agent), rmi_ice_local_ufrag(w->end[1 - i].agent));
    }
    wire_free(w);
}

/* The offer with the new credentials takes half a minute and more: the old pair lives on meanwhile. */
static void consent_continues_on_the_old_pair(void **state) {
    (void)state;
    struct wire *w = wire_connected(2);
    rmi_ice_restart(w->end[0].agent, w->now_us);
    wire_run(w, RMI_SEC(100), NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rmi_ice_state_of(w->end[i].agent), RMI_ICE_CONNECTED);
        assert_has_route(&w->end[i]);
    }
    rmi_ice_restart(w->end[1].agent, w->now_us);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(10), NULL);
    assert_has_route(&w->end[0]);
    struct rmi_ice_pair_info info;
    assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
    assert_true(info.checks_sent < 60); /* the new pair, not the one of 100 s ago */
    wire_free(w);
}

static void a_rollback_brings_everything_back(void **state) {
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct wire *w = wire_connected(3);
        struct rmi_ice_agent *a = w->end[0].agent;
        char ufrag[RMI_ICE_UFRAG_LEN + 1];
        char pwd[RMI_ICE_PWD_LEN + 1];
        memcpy(ufrag, rmi_ice_local_ufrag(a), sizeof ufrag);
        memcpy(pwd, rmi_ice_local_pwd(a), sizeof pwd);
        assert_int_equal(rmi_ice_restart_rollback(a, w->now_us), RM_E_STATE);
        rmi_ice_restart(a, w->now_us);
        if (twice)
            rmi_ice_restart(a, w->now_us);
        wire_run(w, RMI_SEC(3), NULL);
        assert_int_equal(rmi_ice_restart_rollback(a, w->now_us), RM_OK);
        assert_int_equal(rmi_ice_restart_rollback(a, w->now_us), RM_E_STATE);
        assert_string_equal(rmi_ice_local_ufrag(a), ufrag);
        assert_string_equal(rmi_ice_local_pwd(a), pwd);
        assert_string_equal(rmi_ice_remote_ufrag(a), rmi_ice_local_ufrag(w->end[1].agent));
        assert_int_equal(wire_stats(&w->end[0]).remote_candidates, 1);
        assert_int_equal(wire_stats(&w->end[0]).pairs, 1);
        w->end[0].event_count = 0;
        wire_run(w, RMI_SEC(60), NULL);
        assert_has_route(&w->end[0]);
        assert_has_route(&w->end[1]);
        assert_int_equal(rmi_ice_state_of(a), RMI_ICE_CONNECTED);
        assert_int_equal(w->end[0].event_count, 0);
        wire_free(w);
    }
}

static void rollback_before_anything_was_negotiated(void **state) {
    (void)state;
    struct wire *w = wire_new(4, true, false);
    struct rmi_ice_agent *a = w->end[0].agent;
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    rmi_ice_restart(a, w->now_us);
    assert_int_equal(rmi_ice_restart_rollback(a, w->now_us), RM_OK);
    assert_int_equal(rmi_ice_state_of(a), RMI_ICE_NEW);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(1), wire_both_connected);
    assert_true(wire_both_connected(w));
    wire_free(w);
}

static void a_failed_agent_is_revived_by_a_restart(void **state) {
    (void)state;
    struct wire *w = wire_connected(5);
    w->cut = true;
    wire_run(w, RMI_SEC(40), NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rmi_ice_state_of(w->end[i].agent), RMI_ICE_FAILED);
    w->cut = false;
    signal_restart(w);
    wire_run(w, RMI_MS(100), NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rmi_ice_state_of(w->end[i].agent), RMI_ICE_CONNECTED);
        assert_has_route(&w->end[i]);
    }
    wire_free(w);
}

static void an_outage_is_over_soon_after_a_restart_on_a_new_path(void **state) {
    (void)state;
    struct wire *w = wire_connected(6);
    w->delay_us = RMI_MS(50);
    w->end[0].bases[0].blocked = true; /* another network now */
    wire_run(w, RMI_SEC(2), NULL);
    rmi_ice_remove_base(w->end[0].agent, w->now_us, 1);
    wire_base_add(&w->end[0], 5, wire_cand(RMI_CAND_HOST, "198.51.100.9:4000", 65535), NULL);
    w->end[0].bases[0] = w->end[0].bases[1];
    w->end[0].base_count = 1;
    const int64_t start = w->now_us;
    signal_restart(w);
    while (w->now_us - start < RMI_SEC(2) && rmi_ice_state_of(w->end[1].agent) != RMI_ICE_CONNECTED)
        wire_run(w, RMI_MS(5), NULL);
    assert_true(w->now_us - start < RMI_MS(500));
    wire_assert_route(&w->end[1], "198.51.100.9:4000");
    wire_free(w);
}

static void a_restart_that_finds_nothing_leaves_the_old_pair(void **state) {
    (void)state;
    struct wire *w = wire_connected(7);
    rmi_ice_restart(w->end[0].agent, w->now_us);
    /* The answer names credentials that nobody has. */
    assert_int_equal(rmi_ice_set_remote(w->end[0].agent, w->now_us, "nobody00", "0123456789012345678901", false),
                     RM_OK);
    assert_int_equal(rmi_ice_restart_rollback(w->end[0].agent, w->now_us), RM_E_STATE);
    assert_int_equal(rmi_ice_add_remote(w->end[0].agent, w->now_us, &w->end[1].bases[0].cand), RM_OK);
    wire_run(w, RMI_SEC(60), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    assert_has_route(&w->end[0]);
    w->cut = true;
    wire_run(w, RMI_SEC(40), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_FAILED);
    assert_int_equal(w->end[0].fail_err, RM_E_ICE_CONSENT);
    wire_free(w);
}

/* The old pair loses its consent while the new list is being checked: the time of the list decides. */
static void the_old_pair_may_die_during_a_restart(void **state) {
    (void)state;
    for (int comes_back = 0; comes_back < 2; comes_back++) {
        struct wire *w = wire_connected(9);
        w->cut = true;
        const int64_t start = w->now_us;
        wire_run(w, RMI_SEC(25), NULL);
        signal_restart(w);
        wire_run(w, RMI_SEC(7), NULL);
        for (int i = 0; i < 2; i++)
            assert_int_equal(rmi_ice_state_of(w->end[i].agent), RMI_ICE_DISCONNECTED);
        w->cut = !comes_back;
        wire_run(w, RMI_SEC(4), NULL);
        if (comes_back) {
            assert_has_route(&w->end[0]);
            assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
        } else {
            assert_int_equal(w->end[0].failed_us - start, RMI_SEC(35));
            assert_int_equal(w->end[0].fail_err, RM_E_ICE_CONSENT);
        }
        wire_free(w);
    }
}

/* The answer to our restart comes after consent is gone: it still brings the agent back. */
static void a_late_answer_revives_a_failed_agent(void **state) {
    (void)state;
    struct wire *w = wire_connected(10);
    w->cut = true;
    rmi_ice_restart(w->end[0].agent, w->now_us);
    wire_run(w, RMI_SEC(40), NULL);
    assert_int_equal(w->end[0].fail_err, RM_E_ICE_CONSENT);
    w->cut = false;
    rmi_ice_restart(w->end[1].agent, w->now_us);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(1), NULL);
    assert_has_route(&w->end[0]);
    assert_has_route(&w->end[1]);
    wire_free(w);
}

static void the_remote_side_cannot_change_credentials_alone(void **state) {
    (void)state;
    struct wire *w = wire_connected(8);
    assert_int_equal(rmi_ice_set_remote(w->end[0].agent, w->now_us, "nobody00", "0123456789012345678901", false),
                     RM_E_STATE);
    /* While our restart waits for its answer, the old description again is no answer. */
    char ufrag[RMI_ICE_UFRAG_LEN + 1];
    memcpy(ufrag, rmi_ice_remote_ufrag(w->end[0].agent), sizeof ufrag);
    rmi_ice_restart(w->end[0].agent, w->now_us);
    assert_int_equal(rmi_ice_set_remote(w->end[0].agent, w->now_us, ufrag, rmi_ice_local_pwd(w->end[1].agent), false),
                     RM_OK);
    assert_string_equal(rmi_ice_remote_ufrag(w->end[0].agent), ufrag);
    assert_int_equal(rmi_ice_restart_rollback(w->end[0].agent, w->now_us), RM_OK); /* it still waits */
    wire_free(w);
}

static void restarts_under_loss_always_end_connected(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct wire *w = wire_connected(seed);
        w->delay_us = RMI_MS(50);
        w->jitter_us = RMI_MS(40);
        w->loss_permille = 200;
        for (int round = 0; round < 3; round++) {
            signal_restart(w);
            w->end[0].event_count = w->end[1].event_count = 0;
            wire_run(w, RMI_SEC(4), NULL);
            assert_true(selections(&w->end[0]) >= 1 && selections(&w->end[1]) >= 1);
        }
        wire_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_keeps_the_route),
        cmocka_unit_test(consent_continues_on_the_old_pair),
        cmocka_unit_test(a_rollback_brings_everything_back),
        cmocka_unit_test(rollback_before_anything_was_negotiated),
        cmocka_unit_test(a_failed_agent_is_revived_by_a_restart),
        cmocka_unit_test(an_outage_is_over_soon_after_a_restart_on_a_new_path),
        cmocka_unit_test(a_restart_that_finds_nothing_leaves_the_old_pair),
        cmocka_unit_test(the_old_pair_may_die_during_a_restart),
        cmocka_unit_test(a_late_answer_revives_a_failed_agent),
        cmocka_unit_test(the_remote_side_cannot_change_credentials_alone),
        cmocka_unit_test(restarts_under_loss_always_end_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
