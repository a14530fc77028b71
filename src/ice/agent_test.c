/* SPDX-License-Identifier: Apache-2.0 */
/* Set-up: pairs, checks, nomination, roles, budgets. Life after selection is in agent_path_test.c, restarts in
 * agent_restart_test.c, hostile input in agent_hostile_test.c. */
#include "ice/agent_test_wire.h"

#define PAIRS 128

static void two_hosts_connect_in_two_exchanges(void **state) {
    (void)state;
    struct wire *w = wire_simple(1);
    const int64_t start = w->now_us;
    wire_run(w, RMI_SEC(2), wire_both_connected);
    assert_true(wire_both_connected(w));
    assert_true(w->now_us - start <= RMI_MS(1)); /* no wait for Ta anywhere */
    wire_assert_route(&w->end[0], "192.0.2.2:2000");
    wire_assert_route(&w->end[1], "192.0.2.1:1000");
    wire_run(w, RMI_MS(100), NULL);
    assert_true(wire_stats(&w->end[0]).checks_sent <= 4);
    assert_true(wire_stats(&w->end[1]).checks_sent <= 4);
    struct rmi_ice_pair_info info;
    for (int i = 0; i < 2; i++) {
        assert_true(rmi_ice_selected_pair(w->end[i].agent, &info));
        assert_true(info.nominated && info.selected && info.valid);
        assert_string_equal(info.state, "succeeded");
        assert_true(info.rtt_us >= 100 && info.rtt_us < 1000);
        assert_int_equal(info.local.type, RMI_CAND_HOST);
        assert_int_equal(info.remote.type, RMI_CAND_HOST);
        assert_int_equal(w->end[i].events[0].state, RMI_ICE_CHECKING);
    }
    wire_free(w);
}

static void ipv6_and_loopback_pair_only_with_their_like(void **state) {
    (void)state;
    struct wire *w = wire_new(2, true, false);
    struct wire_end *a = &w->end[0];
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "127.0.0.1:1000", 1), NULL);
    wire_base_add(a, 2, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 2), NULL);
    wire_base_add(a, 3, wire_cand(RMI_CAND_HOST, "[2001:db8::1]:1000", 3), NULL);
    wire_base_add(a, 4, wire_cand(RMI_CAND_HOST, "[fe80::1]:1000", 4), NULL);
    wire_describe(&w->end[1], false);
    const char *remotes[] = {"127.0.0.1:9", "192.0.2.9:9", "[2001:db8::9]:9", "[fe80::9]:9"};
    for (size_t i = 0; i < 4; i++) {
        struct rmi_candidate c = wire_cand(RMI_CAND_HOST, remotes[i], 7);
        assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_OK);
    }
    struct rmi_ice_pair_info info[PAIRS];
    assert_int_equal(rmi_ice_pairs(a->agent, info, PAIRS), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rmi_addr_classify(&info[i].local.addr), rmi_addr_classify(&info[i].remote.addr));
    wire_free(w);
}

static void server_reflexive_candidates_make_no_pairs_of_their_own(void **state) {
    (void)state;
    struct wire *w = wire_new(3, true, false);
    struct wire_end *a = &w->end[0];
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "10.0.0.1:1000", 1), NULL);
    struct rmi_candidate srflx = wire_cand(RMI_CAND_SRFLX, "192.0.2.1:1000", 1);
    srflx.related = wire_addr("10.0.0.1:1000");
    assert_int_equal(rmi_ice_add_local(a->agent, w->now_us, 1, &srflx), RM_OK);
    assert_int_equal(rmi_ice_add_local(a->agent, w->now_us, 1, &srflx), RM_OK); /* again: nothing */
    wire_base_add(a, 2, wire_cand(RMI_CAND_RELAY, "198.51.100.1:3000", 0), NULL);
    wire_describe(&w->end[1], false);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.9:9", 7);
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_OK);
    struct rmi_ice_pair_info info[PAIRS];
    assert_int_equal(rmi_ice_pairs(a->agent, info, PAIRS), 2);
    assert_int_equal(wire_stats(a).local_candidates, 3);
    wire_free(w);
}

static void a_server_reflexive_base_gives_way_to_its_host(void **state) {
    (void)state;
    struct wire *w = wire_new(3, true, false);
    struct wire_end *a = &w->end[0];
    struct rmi_candidate srflx = wire_cand(RMI_CAND_SRFLX, "192.0.2.1:1000", 1);
    wire_describe(&w->end[1], false);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.9:9", 7);
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_OK);
    struct rmi_ice_pair_info info[PAIRS];
    assert_int_equal(rmi_ice_add_local(a->agent, w->now_us, 1, &srflx), RM_OK);
    assert_int_equal(rmi_ice_pairs(a->agent, info, PAIRS), 1);
    assert_int_equal(info[0].local.type, RMI_CAND_SRFLX);
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "10.0.0.1:1000", 1), NULL);
    assert_int_equal(rmi_ice_pairs(a->agent, info, PAIRS), 1);
    assert_int_equal(info[0].local.type, RMI_CAND_HOST);
    wire_free(w);
}

static void relay_only_uses_relays_only(void **state) {
    (void)state;
    struct wire *w = wire_new(4, true, false);
    struct wire_end *a = &w->end[0];
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 5);
    rmi_ice_destroy(&a->agent);
    const struct rmi_ice_config config = {.rng = rmi_prng_rng(&prng),
                                          .sink = {.send = wire_send, .ctx = a},
                                          .controlling = true,
                                          .relay_only = true,
                                          .tag = 9};
    assert_int_equal(rmi_ice_create(&config, &a->agent), RM_OK);
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 1), NULL);
    wire_base_add(a, 2, wire_cand(RMI_CAND_RELAY, "198.51.100.1:3000", 0), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(a, true); /* bob knows the host address, and gets no answer from it */
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_SEC(2), NULL);
    assert_true(wire_both_connected(w));
    wire_assert_route(&w->end[1], "198.51.100.1:3000");
    assert_true(wire_stats(a).drop_unmatched > 0);
    struct rmi_ice_pair_info info[PAIRS];
    assert_int_equal(rmi_ice_pairs(a->agent, info, PAIRS), 1);
    assert_int_equal(info[0].local.type, RMI_CAND_RELAY);
    wire_free(w);
}

static void peers_behind_a_nat_learn_reflexive_candidates(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct wire *w = wire_new(5, first == 0, first == 1);
        wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
        wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "10.1.1.2:2000", 65535), "198.51.100.7:40000");
        wire_describe(&w->end[0], true);
        wire_describe(&w->end[1], true); /* 10.1.1.2 leads nowhere */
        wire_run(w, RMI_SEC(2), wire_both_connected);
        assert_true(wire_both_connected(w));
        struct rmi_ice_pair_info info;
        assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
        assert_int_equal(info.remote.type, RMI_CAND_PRFLX);
        wire_assert_route(&w->end[0], "198.51.100.7:40000");
        assert_true(rmi_ice_selected_pair(w->end[1].agent, &info));
        assert_int_equal(info.local.type, RMI_CAND_PRFLX);
        const struct rmi_addr mapped = wire_addr("198.51.100.7:40000");
        assert_true(rmi_addr_equal(&info.local.addr, &mapped));
        assert_int_equal(info.local.related.port, 2000);
        wire_free(w);
    }
}

static void a_signaled_candidate_names_a_reflexive_one(void **state) {
    (void)state;
    struct wire *w = wire_new(6, false, true);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], false);
    wire_run(w, RMI_SEC(1), NULL);
    struct rmi_ice_pair_info info;
    assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
    assert_int_equal(info.remote.type, RMI_CAND_PRFLX);
    assert_int_equal(rmi_ice_add_remote(w->end[0].agent, w->now_us, &w->end[1].bases[0].cand), RM_OK);
    assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
    assert_int_equal(info.remote.type, RMI_CAND_HOST);
    assert_int_equal(wire_stats(&w->end[0]).remote_candidates, 1);
    wire_free(w);
}

static void checks_before_the_remote_description_are_answered_and_used(void **state) {
    (void)state;
    struct wire *w = wire_new(7, false, true);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[0], true); /* bob controls and knows alice, who does not know him */
    wire_run(w, RMI_MS(50), NULL);
    assert_int_equal(w->end[1].agent ? rmi_ice_state_of(w->end[1].agent) : 0, RMI_ICE_CONNECTED);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_NEW);
    assert_int_equal(rmi_ice_source_of(w->end[0].agent, 1, &w->end[1].bases[0].outside), RMI_ICE_SOURCE_PENDING);
    rmi_base_id base;
    struct rmi_addr to;
    assert_false(rmi_ice_route(w->end[0].agent, &base, &to));
    wire_describe(&w->end[1], false);
    const int64_t start = w->now_us;
    wire_run(w, RMI_SEC(1), wire_both_connected);
    assert_true(wire_both_connected(w));
    assert_true(w->now_us - start <= RMI_MS(1)); /* one exchange: the nomination had been kept */
    wire_free(w);
}

static void role_conflicts_end_with_one_controlling(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        for (int both = 0; both < 2; both++) {
            struct wire *w = wire_new(seed, both, both);
            wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
            wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
            wire_describe(&w->end[0], true);
            wire_describe(&w->end[1], true);
            wire_run(w, RMI_MS(500), NULL);
            assert_true(wire_both_connected(w));
            assert_true(rmi_ice_is_controlling(w->end[0].agent) != rmi_ice_is_controlling(w->end[1].agent));
            assert_true(wire_stats(&w->end[0]).role_conflicts + wire_stats(&w->end[1]).role_conflicts > 0);
            wire_free(w);
        }
}

static bool only_from_one_is_lost(struct wire *w, struct wire_end *from, const struct rmi_addr *to, const uint8_t *data,
                                  size_t len) {
    (void)to;
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(data, len, &m), RM_OK);
    return !(from == &w->end[1] && m.cls == RMI_STUN_REQUEST);
}

/* A lite peer answers and never asks. */
static void a_lite_peer_is_controlled(void **state) {
    (void)state;
    struct wire *w = wire_new(8, false, false);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    w->tap = only_from_one_is_lost;
    wire_describe(&w->end[0], true);
    assert_int_equal(rmi_ice_set_remote(w->end[0].agent, w->now_us, rmi_ice_local_ufrag(w->end[1].agent),
                                        rmi_ice_local_pwd(w->end[1].agent), true),
                     RM_OK);
    assert_true(rmi_ice_is_controlling(w->end[0].agent));
    assert_int_equal(rmi_ice_add_remote(w->end[0].agent, w->now_us, &w->end[1].bases[0].cand), RM_OK);
    wire_run(w, RMI_MS(50), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    struct rmi_ice_pair_info info;
    assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
    assert_true(info.nominated);
    wire_free(w);
}

/* A check as a controlling RFC 5245 peer would send it. */
static void check_from_bob(struct wire *w, const char *from, bool use_candidate) {
    uint8_t buf[512];
    uint8_t txid[RMI_STUN_TXID];
    for (size_t i = 0; i < sizeof txid; i++)
        txid[i] = (uint8_t)rmi_prng_next(&w->prng);
    char username[64];
    const int n = snprintf(username, sizeof username, "%s:%s", rmi_ice_local_ufrag(w->end[0].agent),
                           rmi_ice_local_ufrag(w->end[1].agent));
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_REQUEST, RMI_STUN_BINDING, txid);
    rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, username, (size_t)n);
    rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 0x6EFFFFFF);
    rmi_stun_add_u64(&b, RMI_STUN_A_ICE_CONTROLLING, UINT64_MAX);
    if (use_candidate)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USE_CANDIDATE, NULL, 0);
    const char *pwd = rmi_ice_local_pwd(w->end[0].agent);
    const size_t len = rmi_stun_finish(&b, (const uint8_t *)pwd, strlen(pwd), true);
    const struct rmi_addr src = wire_addr(from);
    rmi_ice_input(w->end[0].agent, w->now_us, 1, &src, buf, len);
}

static void aggressive_nomination_ends_on_the_best_pair(void **state) {
    (void)state;
    struct wire *w = wire_new(9, false, true);
    struct wire_end *bob = &w->end[1];
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(bob, 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 100), NULL);
    wire_base_add(bob, 2, wire_cand(RMI_CAND_HOST, "192.0.2.3:2000", 50), NULL);
    wire_base_add(bob, 3, wire_cand(RMI_CAND_HOST, "192.0.2.4:2000", 200), NULL);
    w->tap = only_from_one_is_lost; /* bob's own agent only answers; his checks are made here */
    wire_describe(&w->end[0], false);
    wire_describe(bob, true);
    const char *order[] = {"192.0.2.2:2000", "192.0.2.3:2000", "192.0.2.4:2000"};
    const char *after[] = {"192.0.2.2:2000", "192.0.2.2:2000", "192.0.2.4:2000"};
    for (size_t i = 0; i < 3; i++) {
        check_from_bob(w, order[i], true);
        wire_run(w, RMI_MS(30), NULL);
        wire_assert_route(&w->end[0], after[i]);
    }
    /* A plain check first, then a nomination: the peer chooses, whatever the priority. */
    w->now_us += RMI_SEC(1);
    check_from_bob(w, order[1], false);
    check_from_bob(w, order[1], true);
    wire_run(w, RMI_MS(30), NULL);
    wire_assert_route(&w->end[0], order[1]);
    wire_free(w);
}

static void use_candidate_waits_for_our_own_check(void **state) {
    (void)state;
    struct wire *w = wire_new(10, false, true);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[1], false);
    w->cut = true; /* no answer to alice's triggered check */
    check_from_bob(w, "192.0.2.2:2000", true);
    wire_run(w, RMI_SEC(1), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CHECKING);
    assert_int_equal(rmi_ice_source_of(w->end[0].agent, 1, &w->end[1].bases[0].outside), RMI_ICE_SOURCE_PENDING);
    w->cut = false;
    wire_run(w, RMI_SEC(2), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    wire_free(w);
}

static void lossy_paths_connect_within_two_seconds(void **state) {
    (void)state;
    int64_t worst = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct wire *w = wire_new(seed, true, false);
        w->delay_us = RMI_MS(50);
        w->loss_permille = 100 + (unsigned)(seed % 3) * 100;
        const int64_t start = w->now_us;
        wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
        wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
        wire_describe(&w->end[0], true);
        wire_describe(&w->end[1], true);
        wire_run(w, RMI_SEC(5), wire_both_connected);
        assert_true(wire_both_connected(w));
        worst = rmi_max64(worst, w->now_us - start);
        wire_free(w);
    }
    print_message("worst of 200 seeds: %lld ms\n", (long long)(worst / 1000));
    assert_true(worst < RMI_SEC(2));
}

static void a_relayed_pair_is_left_for_a_direct_one(void **state) {
    (void)state;
    for (int controls = 0; controls < 2; controls++) {
        struct wire *w = wire_new(11, controls == 0, controls == 1);
        w->delay_us = RMI_MS(10);
        wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
        wire_base_add(&w->end[0], 2, wire_cand(RMI_CAND_RELAY, "198.51.100.1:3000", 0), NULL);
        wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
        w->end[0].bases[0].blocked = true;
        wire_describe(&w->end[0], true);
        wire_describe(&w->end[1], true);
        wire_run(w, RMI_SEC(1), NULL);
        assert_true(wire_both_connected(w));
        wire_assert_route(&w->end[1], "198.51.100.1:3000");
        w->end[0].bases[0].blocked = false;
        wire_run(w, RMI_SEC(3), NULL);
        wire_assert_route(&w->end[1], "192.0.2.1:1000");
        wire_assert_route(&w->end[0], "192.0.2.2:2000");
        wire_free(w);
    }
}

static void a_direct_pair_is_waited_for_shortly(void **state) {
    (void)state;
    struct wire *w = wire_new(12, true, false);
    w->delay_us = RMI_MS(20);
    wire_base_add(&w->end[0], 2, wire_cand(RMI_CAND_RELAY, "198.51.100.1:3000", 0), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[0], true);
    wire_describe(&w->end[1], true);
    wire_run(w, RMI_MS(50), NULL); /* the relay works at 40 ms ... */
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_run(w, RMI_SEC(1), NULL);
    wire_assert_route(&w->end[0], "192.0.2.2:2000");
    struct rmi_ice_pair_info info;
    assert_true(rmi_ice_selected_pair(w->end[0].agent, &info));
    assert_int_equal(info.local.type, RMI_CAND_HOST);
    wire_free(w);
}

static void nothing_fails_before_the_budget(void **state) {
    (void)state;
    struct {
        bool local, remote, relay;
        rm_err err;
    } const cases[] = {{false, true, false, RM_E_ICE_NO_CANDIDATES},
                       {true, true, false, RM_E_ICE_NO_RELAY},
                       {true, true, true, RM_E_ICE_FAILED},
                       {true, false, false, RM_E_ICE_FAILED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire *w = wire_new(13, true, false);
        w->cut = true;
        const int64_t start = w->now_us;
        if (cases[i].local)
            wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
        if (cases[i].relay)
            wire_base_add(&w->end[0], 2, wire_cand(RMI_CAND_RELAY, "198.51.100.1:3000", 0), NULL);
        if (cases[i].remote)
            wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
        wire_describe(&w->end[1], true);
        rmi_ice_local_done(w->end[0].agent, w->now_us);
        rmi_ice_remote_done(w->end[0].agent, w->now_us);
        wire_run(w, RMI_SEC(30), NULL);
        assert_int_equal(w->end[0].failed_us - start, RMI_SEC(10));
        assert_int_equal(w->end[0].fail_err, cases[i].err);
        assert_int_equal(rmi_ice_next_deadline(w->end[0].agent), RMI_NEVER);
        wire_free(w);
    }
}

/* RFC 8863: the list has run dry, and then a check from the other side opens the path. */
static void a_late_check_still_saves_the_day(void **state) {
    (void)state;
    struct wire *w = wire_new(14, true, false);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
    wire_describe(&w->end[1], false); /* alice has no candidate of bob at all */
    wire_run(w, RMI_MS(9900), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CHECKING);
    wire_describe(&w->end[0], true);
    wire_run(w, RMI_MS(50), wire_both_connected);
    assert_true(wire_both_connected(w));
    wire_free(w);
}

static void remote_candidates_are_judged_and_capped(void **state) {
    (void)state;
    struct wire *w = wire_new(15, true, false);
    struct wire_end *a = &w->end[0];
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 1), NULL);
    wire_base_add(a, 2, wire_cand(RMI_CAND_HOST, "192.0.2.7:1000", 2), NULL);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535);
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_E_STATE);
    wire_describe(&w->end[1], false);
    const char *bad[] = {"0.0.0.0:5", "255.255.255.255:5", "224.0.0.1:5", "192.0.2.2:0", "[ff02::1]:5", "[::]:5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memset(&c.addr, 0, sizeof c.addr);
        if (rmi_addr_parse_hostport(bad[i], &c.addr) == RM_OK)
            assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_E_UNSUPPORTED);
    }
    c = wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535);
    c.addr.port = 0;
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_E_UNSUPPORTED);
    c.addr.port = 2000;
    c.component = 2;
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_E_UNSUPPORTED);
    c.component = 1;
    c.udp = false;
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_E_UNSUPPORTED);
    c.udp = true;
    (void)snprintf(c.ufrag, sizeof c.ufrag, "otherGeneration");
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_OK);
    assert_int_equal(wire_stats(a).remote_candidates, 0);
    c.ufrag[0] = '\0';
    struct rmi_candidate name = c;
    memset(&name.addr, 0, sizeof name.addr);
    (void)snprintf(name.hostname, sizeof name.hostname, "x.local");
    assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &name), RM_E_RESOLVE);
    for (unsigned i = 0; i < 80; i++) {
        c.addr.port = (uint16_t)(2000 + i);
        c.priority = 1000 + i;
        assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), i < RMI_ICE_REMOTE_MAX ? RM_OK : RM_E_LIMIT);
    }
    const struct rmi_ice_stats s = wire_stats(a);
    assert_int_equal(s.remote_candidates, RMI_ICE_REMOTE_MAX);
    assert_int_equal(s.pairs, RMI_ICE_PAIRS_MAX);
    struct rmi_ice_pair_info info[PAIRS]; /* 128 possible pairs: the 14 worst remotes are left with none */
    const size_t n = rmi_ice_pairs(a->agent, info, PAIRS);
    for (size_t i = 0; i < n; i++)
        assert_true(info[i].remote.priority >= 1000 + 14);
    wire_free(w);
}

static void checks_are_paced(void **state) {
    (void)state;
    struct wire *w = wire_new(16, true, false);
    struct wire_end *a = &w->end[0];
    w->cut = true;
    wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 1), NULL);
    wire_describe(&w->end[1], false);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535);
    for (unsigned i = 0; i < 60; i++) {
        c.addr.port = (uint16_t)(2000 + i);
        assert_int_equal(rmi_ice_add_remote(a->agent, w->now_us, &c), RM_OK);
    }
    assert_int_equal(wire_stats(a).checks_sent, 1); /* the first at once */
    wire_run(w, RMI_SEC(1) - 1, NULL);
    assert_in_range(wire_stats(a).checks_sent, 100, 200); /* Ta = 5 ms */
    wire_run(w, RMI_SEC(8), NULL);
    struct rmi_ice_pair_info info[PAIRS];
    const size_t n = rmi_ice_pairs(a->agent, info, PAIRS);
    assert_int_equal(n, 60);
    for (size_t i = 0; i < n; i++)
        assert_true(info[i].checks_sent >= 2); /* nobody starves, frozen or not */
    wire_free(w);
}

static void an_answer_from_elsewhere_fails_the_pair(void **state) {
    (void)state;
    struct wire *w = wire_new(17, true, false);
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535);
    /* What reaches 192.0.2.2:2000 is answered from another address. */
    wire_base_add(&w->end[1], 1, c, NULL);
    wire_describe(&w->end[1], true);
    assert_true(w->end[0].last_len > 0);
    uint8_t buf[256];
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(w->end[0].last, w->end[0].last_len, &m), RM_OK);
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_SUCCESS, RMI_STUN_BINDING, m.txid);
    const struct rmi_addr mapped = wire_addr("192.0.2.1:1000");
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &mapped);
    const char *pwd = rmi_ice_local_pwd(w->end[1].agent);
    const size_t len = rmi_stun_finish(&b, (const uint8_t *)pwd, strlen(pwd), true);
    const struct rmi_addr elsewhere = wire_addr("192.0.2.3:2000");
    rmi_ice_input(w->end[0].agent, w->now_us, 1, &elsewhere, buf, len);
    struct rmi_ice_pair_info info[PAIRS];
    assert_int_equal(rmi_ice_pairs(w->end[0].agent, info, PAIRS), 1);
    assert_string_equal(info[0].state, "failed");
    assert_false(info[0].valid);
    wire_free(w);
}

static void credentials_are_checked(void **state) {
    (void)state;
    struct wire *w = wire_new(18, true, false);
    struct rmi_ice_agent *a = w->end[0].agent;
    const char *pwd = "0123456789012345678901";
    char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abc", pwd, false), RM_E_INVALID_ARG);
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abcd", pwd + 1, false), RM_E_INVALID_ARG);
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, long_text, pwd, false), RM_E_INVALID_ARG);
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abcd", long_text, false), RM_E_INVALID_ARG);
    assert_string_equal(rmi_ice_remote_ufrag(a), "");
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abcd", pwd, false), RM_OK);
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abcd", pwd, false), RM_OK);
    assert_string_equal(rmi_ice_remote_ufrag(a), "abcd");
    assert_int_equal(rmi_ice_set_remote(a, w->now_us, "abce", pwd, false), RM_E_STATE);
    assert_int_equal(strlen(rmi_ice_local_ufrag(a)), RMI_ICE_UFRAG_LEN);
    assert_int_equal(strlen(rmi_ice_local_pwd(a)), RMI_ICE_PWD_LEN);
    wire_free(w);
}

static void the_longest_credentials_fit_a_check(void **state) {
    (void)state;
    struct wire *w = wire_new(19, true, false);
    char ufrag[RMI_ICE_UFRAG_MAX + 1];
    char pwd[RMI_ICE_PWD_MAX + 1];
    memset(ufrag, 'u', sizeof ufrag);
    memset(pwd, 'p', sizeof pwd);
    ufrag[RMI_ICE_UFRAG_MAX] = pwd[RMI_ICE_PWD_MAX] = '\0';
    wire_base_add(&w->end[0], 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
    assert_int_equal(rmi_ice_set_remote(w->end[0].agent, w->now_us, ufrag, pwd, false), RM_OK);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535);
    assert_int_equal(rmi_ice_add_remote(w->end[0].agent, w->now_us, &c), RM_OK);
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(w->end[0].last, w->end[0].last_len, &m), RM_OK);
    assert_int_equal(m.username_len, RMI_ICE_UFRAG_MAX + 1 + RMI_ICE_UFRAG_LEN);
    assert_true(rmi_stun_check_integrity(&m, (const uint8_t *)pwd, RMI_ICE_PWD_MAX));
    assert_true(m.has_fingerprint && m.has_priority && m.ice_controlling && !m.use_candidate);
    wire_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hosts_connect_in_two_exchanges),
        cmocka_unit_test(ipv6_and_loopback_pair_only_with_their_like),
        cmocka_unit_test(server_reflexive_candidates_make_no_pairs_of_their_own),
        cmocka_unit_test(a_server_reflexive_base_gives_way_to_its_host),
        cmocka_unit_test(relay_only_uses_relays_only),
        cmocka_unit_test(peers_behind_a_nat_learn_reflexive_candidates),
        cmocka_unit_test(a_signaled_candidate_names_a_reflexive_one),
        cmocka_unit_test(checks_before_the_remote_description_are_answered_and_used),
        cmocka_unit_test(role_conflicts_end_with_one_controlling),
        cmocka_unit_test(a_lite_peer_is_controlled),
        cmocka_unit_test(aggressive_nomination_ends_on_the_best_pair),
        cmocka_unit_test(use_candidate_waits_for_our_own_check),
        cmocka_unit_test(lossy_paths_connect_within_two_seconds),
        cmocka_unit_test(a_relayed_pair_is_left_for_a_direct_one),
        cmocka_unit_test(a_direct_pair_is_waited_for_shortly),
        cmocka_unit_test(nothing_fails_before_the_budget),
        cmocka_unit_test(a_late_check_still_saves_the_day),
        cmocka_unit_test(remote_candidates_are_judged_and_capped),
        cmocka_unit_test(checks_are_paced),
        cmocka_unit_test(an_answer_from_elsewhere_fails_the_pair),
        cmocka_unit_test(credentials_are_checked),
        cmocka_unit_test(the_longest_credentials_fit_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
