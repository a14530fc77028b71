/* SPDX-License-Identifier: Apache-2.0 */
/* Life after selection: consent, liveness, another path. */
#include "ice/agent_test_wire.h"

static void silence_is_noticed_and_ends(void **state) {
    (void)state;
    struct wire *w = wire_connected(1);
    wire_run(w, RMI_SEC(10), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    const int64_t cut = w->now_us;
    w->cut = true;
    w->end[0].event_count = 0;
    while (rmi_ice_state_of(w->end[0].agent) == RMI_ICE_CONNECTED)
        wire_run(w, RMI_MS(1), NULL);
    /* 2 s after the last reception, which was at most one idle interval before the cut. */
    assert_in_range(w->now_us - cut, RMI_MS(1250), RMI_MS(2002));
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_DISCONNECTED);
    rmi_base_id base;
    struct rmi_addr to;
    assert_true(rmi_ice_route(w->end[0].agent, &base, &to)); /* consent still holds */
    wire_run(w, RMI_SEC(8), NULL);
    w->cut = false;
    wire_run(w, RMI_MS(300), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    assert_int_equal(rmi_ice_state_of(w->end[1].agent), RMI_ICE_CONNECTED);
    wire_free(w);
}

static void packet_on_the_path(struct wire_end *e) {
    rmi_base_id base;
    struct rmi_addr from;
    if (rmi_ice_route(e->agent, &base, &from))
        rmi_ice_note_received(e->agent, e->wire->now_us, base, &from);
}

static void media_counts_as_a_sign_of_life(void **state) {
    (void)state;
    struct wire *w = wire_connected(2);
    wire_run(w, RMI_SEC(1), NULL);
    const unsigned before = (unsigned)wire_stats(&w->end[0]).checks_sent;
    for (int i = 0; i < 3000; i++) { /* 60 s of media in both directions */
        wire_run(w, RMI_MS(20), NULL);
        packet_on_the_path(&w->end[0]);
        packet_on_the_path(&w->end[1]);
    }
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    /* Consent checks only, each 4..6 s. */
    assert_in_range(wire_stats(&w->end[0]).checks_sent - before, 10, 15);
    wire_free(w);
}

static void media_brings_a_silent_path_back(void **state) {
    (void)state;
    struct wire *w = wire_connected(3);
    w->cut = true;
    wire_run(w, RMI_SEC(3), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_DISCONNECTED);
    packet_on_the_path(&w->end[0]);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    wire_free(w);
}

static size_t doubts(const struct wire_end *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->event_count; i++)
        n += e->events[i].type == RMI_ICE_EV_SILENCE;
    return n;
}

/* A busy path that falls silent is doubted after half the liveness time, once; an idle one is not. */
static void a_busy_path_is_doubted_early(void **state) {
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct wire *w = wire_connected(4);
        for (int i = 0; i < 100; i++) {
            wire_run(w, RMI_MS(20), NULL);
            if (busy)
                packet_on_the_path(&w->end[0]);
        }
        w->cut = true;
        wire_run(w, RMI_MS(busy ? 990 : 600), NULL); /* an idle one was last heard up to 670 ms ago */
        assert_int_equal(doubts(&w->end[0]), 0);
        wire_run(w, RMI_MS(20), NULL);
        assert_int_equal(doubts(&w->end[0]), busy);
        wire_run(w, RMI_SEC(10), NULL);
        assert_int_equal(doubts(&w->end[0]), busy);
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_DISCONNECTED);
        wire_free(w);
    }
}

/* The peer's NAT forgot it: its packets come from elsewhere, and ours go nowhere. The controlling side follows them. */
static void media_from_another_valid_pair_is_followed(void **state) {
    (void)state;
    struct wire *w = wire_new(5, true, false);
    w->delay_us = RMI_MS(10);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 200), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "10.0.0.2:2000", 200), "198.51.100.7:40000");
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(3), NULL);
    wire_assert_route(&w->end[0], "198.51.100.7:40000");
    w->end[1].bases[0].outside = wire_addr("198.51.100.7:51234");
    const int64_t start = w->now_us;
    const struct rmi_addr now_at = wire_addr("198.51.100.7:51234");
    rmi_base_id base;
    struct rmi_addr to;
    do {
        assert_true(w->now_us - start < RMI_MS(1200));
        wire_run(w, RMI_MS(20), NULL);
        if (rmi_ice_source_of(w->end[0].agent, 1, &now_at) == RMI_ICE_SOURCE_VALID)
            rmi_ice_note_received(w->end[0].agent, w->now_us, 1, &now_at);
        assert_true(rmi_ice_route(w->end[0].agent, &base, &to));
    } while (!rmi_addr_equal(&to, &now_at));
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    wire_run(w, RMI_SEC(60), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    assert_int_equal(rmi_ice_state_of(w->end[1].agent), RMI_ICE_CONNECTED);
    wire_free(w);
}

static bool answers_to_alice_are_lost(struct wire *w, struct wire_end *from, const struct rmi_addr *to,
                                      const uint8_t *data, size_t len) {
    (void)to;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(data, len, &m), RM_OK);
    return !(from == &w->end[1] && m.cls == RMI_STUN_SUCCESS);
}

static void consent_expires_30_s_after_the_last_answer(void **state) {
    (void)state;
    for (int media = 0; media < 2; media++) {
        struct wire *w = wire_connected(4);
        wire_run(w, RMI_MS(10), NULL);
        const int64_t start = w->now_us; /* the last answer came in the last 10 ms */
        if (media)
            w->tap = answers_to_alice_are_lost;
        else
            w->cut = true;
        /* Media that still comes in is no consent to send (RFC 7675 5.1). */
        while (w->now_us < start + RMI_SEC(40) && w->end[0].failed_us < 0) {
            wire_run(w, RMI_MS(5), NULL);
            if (media)
                packet_on_the_path(&w->end[0]);
        }
        assert_in_range(w->end[0].failed_us - start, RMI_SEC(30) - RMI_MS(10), RMI_SEC(30));
        assert_int_equal(w->end[0].fail_err, RM_E_ICE_CONSENT);
        rmi_base_id base;
        struct rmi_addr to;
        assert_false(rmi_ice_route(w->end[0].agent, &base, &to));
        assert_int_equal(rmi_ice_source_of(w->end[0].agent, 1, &w->end[1].bases[0].outside), RMI_ICE_SOURCE_UNKNOWN);
        assert_int_equal(rmi_ice_next_deadline(w->end[0].agent), RMI_NEVER);
        const unsigned sent = w->end[0].sent;
        w->cut = false;
        w->tap = NULL;
        wire_run(w, RMI_SEC(5), NULL); /* RFC 7675 5.2: only a restart resumes */
        assert_int_equal(w->end[0].sent, sent);
        wire_free(w);
    }
}

/* What we ask did not arrive for 29 s, while the peer was heard all the time: consent is had again as soon as the path
 * is whole, and not at the next turn of a check each 5 s, which may come too late. */
static void consent_about_to_expire_is_asked_for_often(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct wire *w = wire_connected(seed);
        const struct {
            bool lost;
            int ms;
        } parts[] = {{true, 29000}, {false, 500}, {true, 25000}};
        const unsigned before = (unsigned)wire_stats(&w->end[0]).checks_sent;
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            w->tap = parts[i].lost ? answers_to_alice_are_lost : NULL;
            for (int ms = 0; ms < parts[i].ms; ms += 20) {
                wire_run(w, RMI_MS(20), NULL);
                packet_on_the_path(&w->end[0]);
            }
        }
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
        assert_in_range(wire_stats(&w->end[0]).checks_sent - before, 60, 4 * 30 + 20); /* 17 s and 13 s of four each */
        wire_free(w);
    }
}

static void idle_paths_cost_few_wakeups(void **state) {
    (void)state;
    struct wire *w = wire_connected(5);
    wire_run(w, RMI_SEC(1), NULL);
    w->end[0].timeouts = w->end[1].timeouts = 0;
    wire_run(w, RMI_SEC(100), NULL);
    /* One check per 667 ms of silence at most, and nothing polled in between. */
    assert_true(w->end[0].timeouts + w->end[1].timeouts <= 2 * 151);
    assert_true(w->end[0].timeouts + w->end[1].timeouts >= 20);
    wire_free(w);
}

static void heavy_loss_does_not_make_an_idle_path_flap(void **state) {
    (void)state;
    unsigned flaps = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct wire *w = wire_connected(seed);
        w->delay_us = RMI_MS(50);
        w->loss_permille = 200;
        w->end[0].event_count = w->end[1].event_count = 0;
        wire_run(w, RMI_SEC(60), NULL);
        for (int i = 0; i < 2; i++)
            for (size_t k = 0; k < w->end[i].event_count; k++)
                flaps +=
                    w->end[i].events[k].type == RMI_ICE_EV_STATE && w->end[i].events[k].state == RMI_ICE_DISCONNECTED;
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
        wire_free(w);
    }
    print_message("disconnected %u times in 40 idle minutes at 20 %% loss\n", flaps);
    assert_true(flaps <= 4);
}

static bool no_nomination(struct wire *w, struct wire_end *from, const struct rmi_addr *to, const uint8_t *data,
                          size_t len) {
    (void)w;
    (void)from;
    (void)to;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(data, len, &m), RM_OK);
    return !m.use_candidate;
}

/* A controlled agent whose pair works, but is never nominated, gives up after twice the time. */
static void a_missing_nomination_ends_in_failure(void **state) {
    (void)state;
    struct wire *w = wire_simple(12);
    w->tap = no_nomination;
    const int64_t start = w->now_us;
    wire_run(w, RMI_MS(15000), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[1].agent), RMI_ICE_CHECKING);
    struct rmi_ice_pair_info info;
    assert_int_equal(rmi_ice_pairs(w->end[1].agent, &info, 1), 1);
    assert_true(info.valid && !info.nominated);
    wire_run(w, RMI_MS(15000), NULL);
    assert_int_equal(w->end[1].failed_us - start, RMI_SEC(20));
    wire_free(w);
}

static struct wire *two_paths(uint64_t seed, bool first_controls) {
    struct wire *w = wire_new(seed, first_controls, !first_controls);
    w->delay_us = RMI_MS(5);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 200), NULL);
    wire_base_add(&w->end[0], 2, wire_cand(RMI_CAND_HOST, "203.0.113.1:1000", 100), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 200), NULL);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(1), NULL);
    assert_true(wire_both_connected(w));
    wire_assert_route(&w->end[1], "192.0.2.1:1000");
    return w;
}

static void another_pair_takes_over_from_a_dead_one(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct wire *w = two_paths(6, k == 0);
        w->end[0].bases[0].blocked = true;
        wire_run(w, RMI_SEC(4), NULL);
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
        assert_int_equal(rmi_ice_state_of(w->end[1].agent), RMI_ICE_CONNECTED);
        wire_assert_route(&w->end[1], "203.0.113.1:1000");
        rmi_base_id base;
        struct rmi_addr to;
        assert_true(rmi_ice_route(w->end[0].agent, &base, &to));
        assert_int_equal(base, 2);
        wire_free(w);
    }
}

static void a_removed_base_is_left_at_once(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct wire *w = two_paths(7, k == 0);
        w->end[0].bases[0].blocked = true;
        rmi_ice_remove_base(w->end[0].agent, w->now_us, 1);
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_DISCONNECTED);
        wire_run(w, RMI_SEC(4), NULL);
        wire_assert_route(&w->end[0], "192.0.2.2:2000");
        wire_assert_route(&w->end[1], "203.0.113.1:1000");
        wire_free(w);
    }
}

/* Another interface may come up: until consent would have expired. */
static void the_last_base_removed_means_failure_in_time(void **state) {
    (void)state;
    struct wire *w = wire_connected(8);
    const int64_t start = w->now_us;
    rmi_ice_remove_base(w->end[0].agent, w->now_us, 1);
    rmi_base_id base;
    struct rmi_addr to;
    assert_false(rmi_ice_route(w->end[0].agent, &base, &to));
    wire_run(w, RMI_SEC(40), NULL);
    assert_in_range(w->end[0].failed_us - start, RMI_SEC(23), RMI_SEC(30));
    assert_int_equal(w->end[0].fail_err, RM_E_ICE_NO_CANDIDATES);
    wire_free(w);
}

static void a_new_nat_binding_is_followed(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct wire *w = wire_new(9, k == 0, k == 1);
        w->delay_us = RMI_MS(10);
        wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 200), NULL);
        wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "10.0.0.2:2000", 200), "198.51.100.7:40000");
        wire_describe(&w->end[0], true);
        wire_describe(&w->end[1], true);
        wire_run(w, RMI_SEC(3), NULL);
        wire_assert_route(&w->end[0], "198.51.100.7:40000");
        w->end[1].bases[0].outside = wire_addr("198.51.100.7:51234");
        wire_run(w, RMI_SEC(4), NULL);
        wire_assert_route(&w->end[0], "198.51.100.7:51234");
        assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
        assert_int_equal(rmi_ice_state_of(w->end[1].agent), RMI_ICE_CONNECTED);
        wire_free(w);
    }
}

static void a_long_suspension_does_not_storm(void **state) {
    (void)state;
    struct wire *w = wire_connected(10);
    wire_run(w, RMI_SEC(1), NULL);
    const unsigned sent = w->end[0].sent;
    w->now_us += RMI_SEC(3600);
    wire_run(w, RMI_SEC(1), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_FAILED);
    assert_true(w->end[0].sent - sent <= 2);
    wire_free(w);
}

static void close_is_final_and_idempotent(void **state) {
    (void)state;
    struct wire *w = wire_connected(11);
    struct rmi_ice_agent *a = w->end[0].agent;
    rmi_ice_close(a);
    rmi_ice_close(a);
    const unsigned sent = w->end[0].sent;
    wire_run(w, RMI_SEC(5), NULL);
    assert_int_equal(w->end[0].sent, sent);
    assert_int_equal(rmi_ice_next_deadline(a), RMI_NEVER);
    assert_int_equal(rmi_ice_state_of(a), RMI_ICE_CLOSED);
    assert_int_equal(rmi_ice_add_local(a, w->now_us, 1, &w->end[0].bases[0].cand), RM_E_STATE);
    assert_int_equal(rmi_ice_add_remote(a, w->now_us, &w->end[0].bases[0].cand), RM_E_STATE);
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abcd", "0123456789012345678901", false), RM_E_STATE);
    assert_int_equal(rmi_ice_restart_rollback(a, w->now_us), RM_E_STATE);
    rmi_ice_restart(a, w->now_us);
    rmi_ice_remove_base(a, w->now_us, 1);
    rmi_ice_local_done(a, w->now_us);
    rmi_ice_note_received(a, w->now_us, 1, &w->end[1].bases[0].outside);
    assert_int_equal(rmi_ice_state_of(a), RMI_ICE_CLOSED);
    wire_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_noticed_and_ends),
        cmocka_unit_test(media_counts_as_a_sign_of_life),
        cmocka_unit_test(media_brings_a_silent_path_back),
        cmocka_unit_test(a_busy_path_is_doubted_early),
        cmocka_unit_test(media_from_another_valid_pair_is_followed),
        cmocka_unit_test(consent_expires_30_s_after_the_last_answer),
        cmocka_unit_test(consent_about_to_expire_is_asked_for_often),
        cmocka_unit_test(idle_paths_cost_few_wakeups),
        cmocka_unit_test(heavy_loss_does_not_make_an_idle_path_flap),
        cmocka_unit_test(a_missing_nomination_ends_in_failure),
        cmocka_unit_test(another_pair_takes_over_from_a_dead_one),
        cmocka_unit_test(a_removed_base_is_left_at_once),
        cmocka_unit_test(the_last_base_removed_means_failure_in_time),
        cmocka_unit_test(a_new_nat_binding_is_followed),
        cmocka_unit_test(a_long_suspension_does_not_storm),
        cmocka_unit_test(close_is_final_and_idempotent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
