/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/turn_server_model.h"

static void without_servers_the_hosts_are_all_and_it_is_done_at_once(void **state) {
    (void)state;
    struct world *w = world_create();
    world_gather(w, false);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    world_add_host(w, 2, "[2001:db8::2]:5001", 65534);
    world_events(w);
    assert_int_equal(w->event_count, 2);
    assert_int_equal(w->events[0].type, RMI_GATHER_CANDIDATE);
    assert_int_equal(w->events[0].base, 1);
    assert_int_equal(w->events[0].candidate.type, RMI_CAND_HOST);
    assert_int_equal(w->events[0].candidate.component, 1);
    assert_true(w->events[0].candidate.udp);
    assert_true(rmi_addr_equal(&w->events[0].candidate.addr, &w->hosts[0]));
    assert_int_equal(w->events[0].candidate.priority, (126u << 24) + (65535u << 8) + 255u);
    assert_int_equal(w->events[0].candidate.related.family, 0);
    assert_string_not_equal(w->events[0].candidate.foundation, w->events[1].candidate.foundation);
    assert_true(w->events[0].candidate.priority > w->events[1].candidate.priority);
    assert_false(rmi_gather_is_done(w->g));
    rmi_gather_start(w->g, w->now);
    world_events(w);
    assert_int_equal(w->event_count, 3);
    assert_int_equal(w->events[2].type, RMI_GATHER_DONE);
    assert_true(rmi_gather_is_done(w->g));
    assert_false(rmi_gather_has_relay(w->g));
    assert_true(rmi_gather_next_deadline(w->g) == RMI_NEVER);
    assert_int_equal(w->client_packets, 0);
    world_add_host(w, 3, "10.0.0.3:5000", 65533);
    world_events(w);
    assert_int_equal(w->event_count, 5);
    assert_int_equal(w->events[4].type, RMI_GATHER_DONE);
    world_destroy(w);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    struct world *w = world_create();
    world_gather(w, false);
    struct rmi_addr a = model_addr("10.0.0.2:5000"), none = {0};
    assert_int_equal(rmi_gather_add_host(w->g, w->now, 0, &a, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_gather_add_host(w->g, w->now, 0x10000, &a, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_gather_add_host(w->g, w->now, 1, &none, 1), RM_E_INVALID_ARG);
    for (rmi_base_id base = 1; base <= RMI_GATHER_BASES_MAX; base++)
        assert_int_equal(rmi_gather_add_host(w->g, w->now, base, &a, 1), RM_OK);
    assert_int_equal(rmi_gather_add_host(w->g, w->now, 99, &a, 1), RM_E_LIMIT);
    assert_int_equal(rmi_gather_add_stun(w->g, &none), RM_E_INVALID_ARG);
    struct rmi_turn_server t = {.addr = a};
    memset(t.username, 'x', sizeof t.username);
    assert_int_equal(rmi_gather_add_turn(w->g, &t), RM_E_INVALID_ARG);
    t.username[3] = 0;
    for (int i = 0; i < RMI_GATHER_SERVERS_MAX; i++) {
        t.addr.port = (uint16_t)(1000 + i);
        assert_int_equal(rmi_gather_add_stun(w->g, &a), RM_OK);
        assert_int_equal(rmi_gather_add_turn(w->g, &t), RM_OK);
        if (i == 0)
            assert_int_equal(rmi_gather_add_turn(w->g, &t), RM_E_EXISTS);
    }
    assert_int_equal(rmi_gather_add_stun(w->g, &a), RM_E_LIMIT);
    assert_int_equal(rmi_gather_add_turn(w->g, &t), RM_E_LIMIT);
    world_destroy(w);
}

static struct world *two_stun_servers(uint16_t nat_shift) {
    struct world *w = world_create();
    w->nat_shift = nat_shift;
    world_gather(w, false);
    world_add_server(w, "198.51.100.1:3478", NULL);
    world_add_server(w, "198.51.100.2:3478", NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(rmi_gather_add_stun(w->g, &w->servers[i].addr), RM_OK);
    return w;
}

static void a_mapped_address_becomes_a_candidate_once(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    world_add_host(w, 2, "10.0.0.2:5001", 65534); /* same address: foundations are equal */
    rmi_gather_start(w->g, w->now);
    assert_false(rmi_gather_is_done(w->g));
    world_run(w, RMI_MS(100));
    const struct rmi_gather_event *first = world_candidate(w, RMI_CAND_SRFLX, 0);
    const struct rmi_gather_event *second = world_candidate(w, RMI_CAND_SRFLX, 1);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 2)); /* the second server says the same */
    struct rmi_addr want = model_addr("203.0.113.5:6000");
    assert_int_equal(first->base, 1);
    assert_true(rmi_addr_equal(&first->candidate.addr, &want));
    assert_true(rmi_addr_equal(&first->candidate.related, &w->hosts[0]));
    assert_int_equal(first->candidate.priority, (100u << 24) + (65535u << 8) + 255u);
    assert_string_equal(first->candidate.foundation, second->candidate.foundation);
    assert_string_not_equal(first->candidate.foundation, world_candidate(w, RMI_CAND_HOST, 0)->candidate.foundation);
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    assert_null(world_find(w, RMI_GATHER_DONE, 1));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));

    struct rmi_candidate known[8];
    rmi_base_id bases[8];
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 8), 4);
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 3), 3);
    assert_int_equal(known[1].type, RMI_CAND_SRFLX);
    assert_string_equal(known[1].foundation, first->candidate.foundation);
    assert_int_equal(known[1].priority, first->candidate.priority);
    world_destroy(w);
}

static void without_a_nat_the_mapped_address_is_redundant(void **state) {
    (void)state;
    struct world *w = two_stun_servers(0);
    world_add_host(w, 1, "203.0.113.9:5000", 65535);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(100));
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    world_destroy(w);
}

static void a_silent_server_is_given_up_below_ten_seconds(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    w->servers[0].silent = w->servers[1].silent = true;
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    int64_t start = w->now;
    rmi_gather_start(w->g, w->now);
    /* 0, 0.5, 1.5, 3.5 and 7.5 s, to each server; the second one starts 5 ms later */
    static const int64_t after_ms[] = {4, 5, 499, 500, 505, 1499, 1505, 3499, 3505, 7499, 7505, 9499};
    static const unsigned sent[] = {1, 2, 2, 3, 4, 4, 6, 6, 8, 8, 10, 10};
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        world_run_until(w, start + RMI_MS(after_ms[i]));
        assert_int_equal(w->client_packets, sent[i]);
    }
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    assert_null(world_find(w, RMI_GATHER_DONE, 0));
    world_run_until(w, start + RMI_MS(9500));
    assert_non_null(world_find(w, RMI_GATHER_ERROR, 1));
    assert_int_equal(world_find(w, RMI_GATHER_ERROR, 0)->err, RM_E_STUN_TIMEOUT);
    assert_true(rmi_addr_equal(&world_find(w, RMI_GATHER_ERROR, 0)->server, &w->servers[0].addr));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    /* Asked again in the background, without further errors: a network that was away costs no candidate for good. */
    world_run(w, RMI_SEC(60));
    assert_null(world_find(w, RMI_GATHER_ERROR, 2));
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    w->servers[0].silent = w->servers[1].silent = false;
    world_run(w, RMI_SEC(30));
    assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    world_destroy(w);
}

static void an_error_answer_names_its_code(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    w->servers[0].allocate_code = w->servers[1].allocate_code = 500;
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(100));
    assert_non_null(world_find(w, RMI_GATHER_ERROR, 1));
    assert_string_equal(world_find(w, RMI_GATHER_ERROR, 0)->detail, "binding: code 500");
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    world_destroy(w);
}

static void mappings_are_kept_alive_and_changes_reported(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_SEC(60));
    assert_in_range(w->servers[0].bindings, 4, 5); /* at 0 and every 15 s */
    w->servers[0].silent = w->servers[1].silent = true;
    world_run(w, RMI_SEC(60));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0)); /* a keep-alive may be lost */
    w->servers[0].silent = w->servers[1].silent = false;
    w->nat_shift = 2000;
    world_run(w, RMI_SEC(60));
    struct rmi_addr want = model_addr("203.0.113.5:7000");
    const struct rmi_gather_event *e = world_candidate(w, RMI_CAND_SRFLX, 1);
    assert_non_null(e);
    assert_true(rmi_addr_equal(&e->candidate.addr, &want));
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 2));
    struct rmi_candidate known[8];
    rmi_base_id bases[8];
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 8), 2);
    assert_true(rmi_addr_equal(&known[1].addr, &want));
    world_destroy(w);
}

static void servers_of_another_family_or_out_of_reach_are_skipped(void **state) {
    (void)state;
    struct world *w = two_stun_servers(0);
    world_add_host(w, 1, "[2001:db8::2]:5000", 65535);
    world_add_host(w, 2, "127.0.0.1:5000", 1);
    world_add_host(w, 3, "169.254.3.4:5000", 1);
    rmi_gather_start(w->g, w->now);
    world_events(w);
    assert_int_equal(w->client_packets, 0);
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    world_destroy(w);
}

static void a_server_added_later_is_asked_and_done_comes_again(void **state) {
    (void)state;
    struct world *w = world_create();
    w->nat_shift = 1000;
    world_gather(w, false);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    rmi_gather_start(w->g, w->now);
    struct model_server *s = world_add_server(w, "198.51.100.1:3478", NULL);
    assert_int_equal(rmi_gather_add_stun(w->g, &s->addr), RM_OK);
    assert_false(rmi_gather_is_done(w->g));
    world_run(w, RMI_MS(100));
    assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 1));
    assert_null(world_find(w, RMI_GATHER_DONE, 2));
    world_add_host(w, 2, "10.0.0.3:5001", 65534);
    world_run(w, RMI_MS(100));
    assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 1));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 2));
    world_destroy(w);
}

static void answers_from_elsewhere_are_dropped(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    w->servers[0].silent = w->servers[1].silent = true;
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    world_add_host(w, 2, "10.0.0.3:5001", 65534);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(1));
    assert_true(w->packet_count > 0);
    uint8_t answer[128];
    struct rmi_stun_builder b;
    struct rmi_addr lie = model_addr("198.51.100.66:6666"), server = w->servers[0].addr;
    rmi_stun_begin(&b, answer, sizeof answer, RMI_STUN_SUCCESS, RMI_STUN_BINDING, w->packets[0].data + 8);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &lie);
    size_t len = rmi_stun_finish(&b, NULL, 0, true);
    assert_int_equal(world_feed(w, 1, &lie, answer, len), RMI_GATHER_CONSUMED);                /* another source */
    assert_int_equal(world_feed(w, 1, &w->servers[1].addr, answer, len), RMI_GATHER_CONSUMED); /* another server */
    assert_int_equal(world_feed(w, 2, &server, answer, len), RMI_GATHER_CONSUMED);             /* another base */
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    answer[8] ^= 1; /* a transaction that we never started */
    assert_int_equal(world_feed(w, 1, &lie, answer, len), RMI_GATHER_NOT_MINE);
    answer[8] ^= 1;
    assert_int_equal(world_feed(w, 1, &server, answer, len), RMI_GATHER_CONSUMED); /* right: now it counts */
    assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    world_destroy(w);
}

static void what_is_for_agents_passes(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    rmi_gather_start(w->g, w->now);
    struct rmi_addr peer = model_addr("198.51.100.77:7000");
    static const uint8_t dtls[16] = {22, 254, 253}, rtp[16] = {128, 96};
    uint8_t check[64];
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, check, sizeof check, RMI_STUN_REQUEST, RMI_STUN_BINDING, dtls);
    size_t len = rmi_stun_finish(&b, NULL, 0, true);
    assert_int_equal(world_feed(w, 1, &peer, dtls, sizeof dtls), RMI_GATHER_NOT_MINE);
    assert_int_equal(world_feed(w, 1, &peer, rtp, sizeof rtp), RMI_GATHER_NOT_MINE);
    assert_int_equal(world_feed(w, 1, &peer, check, len), RMI_GATHER_NOT_MINE);
    assert_int_equal(world_feed(w, 1, &w->servers[0].addr, check, len), RMI_GATHER_NOT_MINE);
    assert_int_equal(world_feed(w, 1, &peer, check, 0), RMI_GATHER_NOT_MINE);
    world_send(w, 1, &peer, dtls, sizeof dtls);
    assert_int_equal(w->strangers, 1);
    world_destroy(w);
}

static void truncated_or_changed_answers_give_no_wrong_candidate(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    w->servers[1].silent = true;
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(15)); /* the answer of the first server is under way */
    uint8_t good[512], bad[512];
    size_t len = w->last_answer_len;
    assert_true(len > RMI_STUN_HEADER);
    memcpy(good, w->last_answer, len);
    for (size_t n = 0; n < len; n++)
        (void)world_feed(w, 1, &w->servers[0].addr, good, n);
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    for (size_t i = 0; i < len; i++) {
        /* FINGERPRINT's own type is not covered by it: then the message is as good as one without. */
        if (i == len - 8 || i == len - 7)
            continue;
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bad, good, len);
            bad[i] ^= (uint8_t)(1u << bit);
            (void)world_feed(w, 1, &w->servers[0].addr, bad, len);
        }
    }
    assert_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    assert_int_equal(world_feed(w, 1, &w->servers[0].addr, good, len), RMI_GATHER_CONSUMED);
    assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 0));
    world_destroy(w);
}

static void each_lost_datagram_only_costs_time(void **state) {
    (void)state;
    for (int lost = 0; lost < 8; lost++) {
        struct world *w = two_stun_servers(1000);
        w->drop_at = lost;
        world_add_host(w, 1, "10.0.0.2:5000", 65535);
        world_add_host(w, 2, "10.0.0.3:5001", 65534);
        rmi_gather_start(w->g, w->now);
        world_run(w, RMI_MS(600));
        assert_non_null(world_candidate(w, RMI_CAND_SRFLX, 1));
        assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
        assert_null(world_find(w, RMI_GATHER_ERROR, 0));
        world_destroy(w);
    }
}

static void a_removed_host_is_reported_and_asked_no_more(void **state) {
    (void)state;
    struct world *w = two_stun_servers(1000);
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    world_add_host(w, 2, "10.0.0.3:5001", 65534);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(100));
    rmi_gather_remove_host(w->g, w->now, 2);
    rmi_gather_remove_host(w->g, w->now, 77);
    world_events(w);
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 0)->base, 2);
    assert_null(world_find(w, RMI_GATHER_GONE, 1));
    struct rmi_candidate known[8];
    rmi_base_id bases[8];
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 8), 2);
    unsigned before = w->client_packets;
    world_run(w, RMI_SEC(16));
    assert_int_equal(w->client_packets - before, 2);
    rmi_gather_close(w->g, w->now);
    world_run(w, RMI_SEC(60));
    assert_int_equal(w->client_packets - before, 2);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_servers_the_hosts_are_all_and_it_is_done_at_once),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_mapped_address_becomes_a_candidate_once),
        cmocka_unit_test(without_a_nat_the_mapped_address_is_redundant),
        cmocka_unit_test(a_silent_server_is_given_up_below_ten_seconds),
        cmocka_unit_test(an_error_answer_names_its_code),
        cmocka_unit_test(mappings_are_kept_alive_and_changes_reported),
        cmocka_unit_test(servers_of_another_family_or_out_of_reach_are_skipped),
        cmocka_unit_test(a_server_added_later_is_asked_and_done_comes_again),
        cmocka_unit_test(answers_from_elsewhere_are_dropped),
        cmocka_unit_test(what_is_for_agents_passes),
        cmocka_unit_test(truncated_or_changed_answers_give_no_wrong_candidate),
        cmocka_unit_test(each_lost_datagram_only_costs_time),
        cmocka_unit_test(a_removed_host_is_reported_and_asked_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
