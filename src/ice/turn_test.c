/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/turn_server_model.h"

/* The TURN client, seen through the gatherer that runs it. */

#define RELAY_BASE 0x10000

static const char dtls[] = "\x16not a STUN message";
static const uint8_t check[RMI_STUN_HEADER] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3};

static struct world *turn_world(bool relay_only) {
    struct world *w = world_create();
    w->nat_shift = 1000;
    world_add_server(w, "198.51.100.1:3478", "198.51.100.1:50000");
    world_gather(w, relay_only);
    world_add_turn(w, &w->servers[0], "user", "secret");
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    return w;
}

static struct world *ready_world(void) {
    struct world *w = turn_world(false);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(100));
    assert_true(rmi_gather_has_relay(w->g));
    return w;
}

static bool peer_has(const struct world *w, size_t from, const void *data, size_t len) {
    for (size_t i = from; i < w->at_peer_count; i++)
        if (w->at_peer[i].len == len && memcmp(w->at_peer[i].data, data, len) == 0)
            return true;
    return false;
}

static bool client_has(const struct world *w, size_t from, const struct rmi_addr *peer, const void *data, size_t len) {
    for (size_t i = from; i < w->at_client_count; i++)
        if (w->at_client[i].base >= RELAY_BASE && rmi_addr_equal(&w->at_client[i].from, peer) &&
            w->at_client[i].len == len && memcmp(w->at_client[i].data, data, len) == 0)
            return true;
    return false;
}

static void an_allocation_gives_a_relay_candidate(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    rmi_gather_start(w->g, w->now);
    assert_false(rmi_gather_is_done(w->g));
    assert_false(rmi_gather_has_relay(w->g));
    world_run(w, RMI_MS(100));
    const struct rmi_gather_event *e = world_candidate(w, RMI_CAND_RELAY, 0);
    assert_non_null(e);
    assert_int_equal(e->base, RELAY_BASE);
    assert_true(rmi_addr_equal(&e->candidate.addr, &w->servers[0].relayed));
    struct rmi_addr mapped = model_addr("203.0.113.5:6000");
    assert_true(rmi_addr_equal(&e->candidate.related, &mapped));
    assert_int_equal(e->candidate.priority, (65535u << 8) + 255u);
    /* The answer tells the mapped address as a STUN server does. */
    e = world_candidate(w, RMI_CAND_SRFLX, 0);
    assert_non_null(e);
    assert_int_equal(e->base, 1);
    assert_true(rmi_addr_equal(&e->candidate.addr, &mapped));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    assert_int_equal(w->client_packets, 2); /* without credentials, then with */
    assert_int_equal(w->servers[0].allocations, 1);
    struct rmi_candidate known[8];
    rmi_base_id bases[8];
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 8), 3);
    assert_int_equal(bases[2], RELAY_BASE);
    world_destroy(w);
}

static void relay_only_tells_no_other_address(void **state) {
    (void)state;
    struct world *w = turn_world(true);
    struct model_server *s = world_add_server(w, "198.51.100.2:3478", NULL);
    assert_int_equal(rmi_gather_add_stun(w->g, &s->addr), RM_OK);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(100));
    for (size_t i = 0; i < w->event_count; i++) {
        if (w->events[i].type == RMI_GATHER_CANDIDATE) {
            assert_int_equal(w->events[i].candidate.type, RMI_CAND_RELAY);
            assert_int_equal(w->events[i].candidate.related.family, 0);
        }
    }
    assert_non_null(world_candidate(w, RMI_CAND_RELAY, 0));
    assert_int_equal(s->bindings, 0);
    struct rmi_candidate known[8];
    rmi_base_id bases[8];
    assert_int_equal(rmi_gather_candidates(w->g, known, bases, 8), 1);
    assert_int_equal(known[0].related.family, 0);
    world_destroy(w);
}

static void an_ipv6_base_asks_for_an_ipv6_relay(void **state) {
    (void)state;
    struct world *w = world_create();
    world_add_server(w, "[2001:db8::1]:3478", "[2001:db8::1]:50000");
    world_gather(w, false);
    world_add_turn(w, &w->servers[0], "user", "secret");
    world_add_host(w, 1, "10.0.0.2:5000", 65535);
    world_add_host(w, 2, "[2001:db8::9]:5000", 65534);
    rmi_gather_start(w->g, w->now);
    assert_true(w->packet_count == 1);
    static const uint8_t family[] = {0, 0x17, 0, 4, 2, 0, 0, 0}; /* REQUESTED-ADDRESS-FAMILY IPv6 */
    bool found = false;
    for (size_t i = RMI_STUN_HEADER; i + sizeof family <= w->packets[0].len; i += 4)
        found = found || memcmp(w->packets[0].data + i, family, sizeof family) == 0;
    assert_true(found);
    world_run(w, RMI_MS(100));
    struct rmi_addr peer = model_addr("[2001:db8::77]:7000"), wrong = model_addr("192.0.2.7:7000");
    assert_non_null(world_candidate(w, RMI_CAND_RELAY, 0));
    unsigned before = w->client_packets;
    world_send(w, RELAY_BASE, &wrong, dtls, sizeof dtls);
    assert_int_equal(w->client_packets, before); /* the relay cannot reach another family */
    for (int i = 0; i < 3; i++) {
        world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
        world_run(w, RMI_MS(100));
    }
    assert_int_equal(w->at_peer_count, 3);
    model_peer_sends(w, &w->servers[0], &peer, "hello", 5);
    world_run(w, RMI_MS(100));
    assert_true(client_has(w, 0, &peer, "hello", 5));
    world_destroy(w);
}

static void payloads_go_both_ways_by_indication_and_by_channel(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct model_server *s = &w->servers[0];
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    for (int i = 0; i < 5; i++) /* STUN checks only ever go by indication */
        world_send(w, RELAY_BASE, &peer, check, sizeof check);
    world_run(w, RMI_MS(100));
    assert_int_equal(s->permits, 1);
    assert_int_equal(w->at_peer_count, 5);
    assert_true(peer_has(w, 4, check, sizeof check));
    model_peer_sends(w, s, &peer, "one", 3);
    world_run(w, RMI_MS(100));
    assert_true(client_has(w, 0, &peer, "one", 3));
    assert_int_equal(s->binds, 0);

    size_t at = w->at_peer_count;
    world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls); /* by indication, and a channel is asked for */
    world_run(w, RMI_MS(100));
    assert_int_equal(s->binds, 1);
    assert_true(peer_has(w, at, dtls, sizeof dtls));
    for (size_t len = 1; len <= 9; len++) { /* lengths around the padding of attributes */
        at = w->at_peer_count;
        world_send(w, RELAY_BASE, &peer, dtls, len);
        assert_int_equal(w->packets[w->packet_count - 1].len, 4 + len);
        world_run(w, RMI_MS(50));
        assert_true(peer_has(w, at, dtls, len));
        size_t got = w->at_client_count;
        model_peer_sends(w, s, &peer, dtls, len);
        world_run(w, RMI_MS(50));
        assert_true(client_has(w, got, &peer, dtls, len));
    }
    assert_int_equal(s->refused_sends, 0);
    assert_int_equal(s->rejected, 1);
    world_destroy(w);
}

static void one_permission_serves_all_ports_of_an_address(void **state) {
    (void)state;
    struct world *w = ready_world();
    for (uint16_t port = 7000; port < 7010; port++) {
        struct rmi_addr peer = model_addr("192.0.2.7:1");
        peer.port = port;
        world_send(w, RELAY_BASE, &peer, check, sizeof check);
    }
    world_run(w, RMI_MS(100));
    assert_int_equal(w->servers[0].permits, 1);
    assert_int_equal(w->at_peer_count, 10);
    world_destroy(w);
}

static void only_eight_payloads_wait_for_a_permission(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    for (uint8_t i = 0; i < 20; i++) {
        uint8_t data[] = {200, i};
        world_send(w, RELAY_BASE, &peer, data, sizeof data);
    }
    world_run(w, RMI_MS(100));
    assert_int_equal(w->at_peer_count, 8);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(w->at_peer[i].data[1], i); /* in order */
    world_destroy(w);
}

static void a_refused_permission_is_not_asked_for_at_every_payload(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    w->servers[0].permit_code = 403;
    unsigned before = w->client_packets;
    for (int i = 0; i < 50; i++) {
        world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
        world_run(w, RMI_MS(100));
    }
    assert_int_equal(w->client_packets - before, 1);
    assert_int_equal(w->at_peer_count, 0);
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    w->servers[0].permit_code = 0;
    world_run(w, RMI_SEC(300));
    world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
    world_run(w, RMI_MS(100));
    assert_int_equal(w->at_peer_count, 1);
    world_destroy(w);
}

/* The whole course once, with the given datagram lost. Returns how many datagrams there were. */
static unsigned run_course(int drop_at) {
    struct world *w = turn_world(false);
    struct model_server *s = &w->servers[0];
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    w->drop_at = drop_at;
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_SEC(2));
    assert_true(rmi_gather_has_relay(w->g));
    assert_int_equal(s->allocations, 1);
    world_send(w, RELAY_BASE, &peer, check, sizeof check);
    world_run(w, RMI_SEC(2));
    for (int i = 0; i < 4; i++) {
        world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
        world_run(w, RMI_SEC(2));
    }
    assert_in_range(w->at_peer_count, 4, 5); /* a payload itself may be the lost one */
    assert_int_equal(s->binds >= 1, 1);
    for (int i = 0; i < 3; i++) {
        model_peer_sends(w, s, &peer, "back", 4);
        world_run(w, RMI_SEC(1));
    }
    assert_in_range(w->at_client_count, 2, 3);
    assert_true(client_has(w, 0, &peer, "back", 4));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    assert_null(world_find(w, RMI_GATHER_GONE, 0));
    unsigned total = w->total_packets;
    world_destroy(w);
    return total;
}

static void each_lost_datagram_only_costs_time(void **state) {
    (void)state;
    unsigned total = run_course(-1);
    assert_true(total >= 15);
    for (unsigned lost = 0; lost < total; lost++)
        assert_true(run_course((int)lost) >= total);
}

static void relayed_traffic_lasts_half_an_hour(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct model_server *s = &w->servers[0];
    struct rmi_addr by_channel = model_addr("192.0.2.7:7000"), by_indication = model_addr("192.0.2.8:7000");
    s->nonce_life = RMI_SEC(60); /* every later request meets a stale nonce first */
    for (int second = 0; second < 1800; second += 10) {
        w->at_peer_count = w->at_client_count = 0;
        world_send(w, RELAY_BASE, &by_channel, dtls, sizeof dtls);
        world_send(w, RELAY_BASE, &by_indication, check, sizeof check);
        world_run(w, RMI_SEC(5));
        assert_int_equal(w->at_peer_count, 2);
        model_peer_sends(w, s, &by_channel, "a", 1);
        model_peer_sends(w, s, &by_indication, "b", 1);
        world_run(w, RMI_SEC(5));
        assert_int_equal(w->at_client_count, 2);
    }
    assert_int_equal(s->refused_sends, 0);
    assert_int_equal(s->auth_failures, 0);
    assert_in_range(s->refreshes, 5, 6);       /* every 300 s */
    assert_in_range(s->permits, 2 * 7, 2 * 8); /* every 240 s, for two addresses */
    assert_in_range(s->binds, 4, 4);           /* every 480 s */
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    assert_int_equal(s->allocations, 1);
    world_destroy(w);
}

static void what_is_unused_expires_and_comes_back_when_used(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct model_server *s = &w->servers[0];
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    for (int round = 0; round < 4; round++) {
        static const int64_t pause_s[] = {280, 620, 950, 4000}; /* before and after expiry, quarantine, forgetting */
        for (int i = 0; i < 3; i++) {
            size_t at = w->at_peer_count;
            world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
            world_run(w, RMI_SEC(1));
            assert_int_equal(w->at_peer_count, at + 1);
        }
        unsigned asked = s->permits + s->binds;
        world_run(w, RMI_SEC(pause_s[round]));
        assert_true(s->permits + s->binds <= asked + 3); /* renewals end five minutes after the last payload */
    }
    assert_int_equal(s->rejected, 1); /* the first 401: no channel was ever bound against the rules */
    assert_int_equal(s->refused_sends, 0);
    world_destroy(w);
}

static void a_channel_number_is_not_given_to_another_peer_too_soon(void **state) {
    (void)state;
    struct world *w = ready_world();
    for (uint16_t port = 7000; port < 7010; port++) { /* a new peer every 400 s; the old ones fall silent */
        struct rmi_addr peer = model_addr("192.0.2.7:1");
        peer.port = port;
        for (int i = 0; i < 2; i++) {
            world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
            world_run(w, RMI_SEC(1));
        }
        assert_int_equal(w->at_peer_count, 2 * (port - 6999));
        world_run(w, RMI_SEC(400));
    }
    assert_int_equal(w->servers[0].binds, 10);
    assert_int_equal(w->servers[0].rejected, 1); /* the first 401 */
    assert_int_equal(w->servers[0].refused_sends, 0);
    world_destroy(w);
}

static void expect_failure(struct world *w, rm_err err, const char *detail, int64_t within_us) {
    rmi_gather_start(w->g, w->now);
    world_run(w, within_us);
    const struct rmi_gather_event *e = world_find(w, RMI_GATHER_ERROR, 0);
    assert_non_null(e);
    assert_int_equal(e->err, err);
    assert_string_equal(e->detail, detail);
    assert_true(rmi_addr_equal(&e->server, &w->servers[0].addr));
    assert_null(world_find(w, RMI_GATHER_ERROR, 1));
    assert_non_null(world_find(w, RMI_GATHER_DONE, 0));
    assert_null(world_candidate(w, RMI_CAND_RELAY, 0));
    assert_false(rmi_gather_has_relay(w->g));
    world_run(w, RMI_SEC(120));
    assert_null(world_find(w, RMI_GATHER_ERROR, 1));
    world_destroy(w);
}

static void refusals_are_told_by_their_kind(void **state) {
    (void)state;
    static const struct {
        uint16_t code;
        rm_err err;
    } kinds[] = {{486, RM_E_TURN_QUOTA},   {508, RM_E_TURN_QUOTA},   {441, RM_E_TURN_AUTH},
                 {403, RM_E_TURN_REFUSED}, {437, RM_E_TURN_REFUSED}, {440, RM_E_TURN_REFUSED},
                 {300, RM_E_TURN_REFUSED}, {400, RM_E_TURN_REFUSED}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct world *w = turn_world(false);
        char detail[32];
        w->servers[0].allocate_code = kinds[i].code;
        snprintf(detail, sizeof detail, "allocate: code %u", kinds[i].code);
        expect_failure(w, kinds[i].err, detail, RMI_MS(100));
    }
}

static void an_unsigned_refusal_is_believed_only_when_nothing_better_comes(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    w->servers[0].allocate_code = 486;
    w->servers[0].unsigned_errors = true;
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(400));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    w->servers[0].allocate_code = 0; /* it was someone else's */
    world_run(w, RMI_MS(400));
    assert_non_null(world_candidate(w, RMI_CAND_RELAY, 0));
    world_destroy(w);

    w = turn_world(false);
    w->servers[0].allocate_code = 486;
    w->servers[0].unsigned_errors = true;
    expect_failure(w, RM_E_TURN_QUOTA, "allocate: code 486", RMI_MS(9500));
}

static void wrong_credentials_fail_at_once(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct world *w = turn_world(false);
        if (which)
            w->servers[0].password = "Secret";
        else
            w->servers[0].user = "User";
        expect_failure(w, RM_E_TURN_AUTH, "allocate: code 401", RMI_MS(100));
    }
}

static void a_nonce_that_is_always_stale_ends(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    w->servers[0].nonce_life = 1; /* a new one at every request */
    expect_failure(w, RM_E_TURN_REFUSED, "allocate: code 438", RMI_MS(500));
}

static void credentials_do_not_follow_a_redirection(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    w->servers[0].allocate_code = 300;
    world_add_server(w, "198.51.100.99:3478", "198.51.100.99:50000"); /* the alternate that the model names */
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_SEC(60));
    assert_int_equal(w->strangers, 0);
    assert_int_equal(w->servers[1].allocations + w->servers[1].rejected, 0);
    assert_int_equal(world_find(w, RMI_GATHER_ERROR, 0)->err, RM_E_TURN_REFUSED);
    world_destroy(w);
}

static void the_first_request_carries_no_credentials(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    w->servers[0].silent = true;
    rmi_gather_start(w->g, w->now);
    for (size_t i = 0; i < w->packet_count; i++) {
        struct rmi_stun_msg m;
        assert_int_equal(rmi_stun_parse(w->packets[i].data, w->packets[i].len, &m), RM_OK);
        assert_false(m.has_integrity);
        assert_null(m.username);
    }
    expect_failure(w, RM_E_TURN_TIMEOUT, "allocate: no answer", RMI_MS(9500));
}

static void a_server_silent_after_the_challenge_does_not_get_more_time(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    w->servers[0].sign_wrong = true; /* its answers to signed requests are ignored: as good as silent */
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(9499));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    assert_false(rmi_gather_has_relay(w->g));
    world_run(w, RMI_MS(1));
    assert_int_equal(world_find(w, RMI_GATHER_ERROR, 0)->err, RM_E_TURN_TIMEOUT);
    world_destroy(w);
}

static void a_server_that_dies_costs_its_relay_base(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct model_server *s = &w->servers[0];
    s->silent = true;
    s->allocated = false;
    world_run(w, RMI_SEC(360)); /* the refresh at 300 s, and its repetitions, stay without answer */
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 0)->base, RELAY_BASE);
    assert_int_equal(world_find(w, RMI_GATHER_ERROR, 0)->err, RM_E_TURN_TIMEOUT);
    assert_false(rmi_gather_has_relay(w->g));
    unsigned before = w->client_packets;
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
    assert_int_equal(w->client_packets, before);
    world_run(w, RMI_SEC(120)); /* tried again in the background, without further errors */
    assert_null(world_find(w, RMI_GATHER_ERROR, 1));
    s->silent = false;
    world_run(w, RMI_SEC(60));
    const struct rmi_gather_event *e = world_candidate(w, RMI_CAND_RELAY, 1);
    assert_non_null(e);
    assert_int_equal(e->base, RELAY_BASE + 1); /* base ids are never used twice */
    assert_null(world_find(w, RMI_GATHER_DONE, 1));
    world_destroy(w);
}

static void a_used_relay_is_missed_sooner(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct rmi_addr peer = model_addr("192.0.2.7:7000"), other = model_addr("192.0.2.8:7000");
    world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
    world_run(w, RMI_SEC(1));
    w->servers[0].silent = true;
    world_send(w, RELAY_BASE, &other, dtls, sizeof dtls); /* this permission stays unanswered: the server is suspect */
    world_run(w, RMI_SEC(60));
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 0)->base, RELAY_BASE);
    world_destroy(w);
}

static void a_short_outage_at_the_refresh_is_survived(void **state) {
    (void)state;
    struct world *w = ready_world();
    world_run(w, RMI_SEC(295));
    w->servers[0].silent = true;
    world_run(w, RMI_SEC(15));
    w->servers[0].silent = false;
    world_run(w, RMI_SEC(300));
    assert_null(world_find(w, RMI_GATHER_GONE, 0));
    assert_int_equal(w->servers[0].allocations, 1);
    world_destroy(w);
}

static void a_restarted_server_is_asked_for_a_new_allocation(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct model_server *s = &w->servers[0];
    s->allocated = false; /* it forgot all, nonces too */
    s->nonce++;
    world_run(w, RMI_SEC(400));
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 0)->base, RELAY_BASE);
    assert_string_equal(world_find(w, RMI_GATHER_ERROR, 0)->detail, "refresh: code 437");
    assert_int_equal(world_candidate(w, RMI_CAND_RELAY, 1)->base, RELAY_BASE + 1);
    world_destroy(w);
}

static void closing_gives_the_allocation_back(void **state) {
    (void)state;
    struct world *w = ready_world();
    rmi_gather_close(w->g, w->now);
    rmi_gather_close(w->g, w->now);
    assert_true(rmi_gather_next_deadline(w->g) == RMI_NEVER);
    world_run(w, RMI_SEC(60));
    assert_int_equal(w->servers[0].releases, 1);
    assert_false(w->servers[0].allocated);
    world_destroy(w);

    w = turn_world(false); /* closed while the answer is under way */
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(35));
    assert_true(w->servers[0].allocated);
    assert_false(rmi_gather_has_relay(w->g));
    rmi_gather_close(w->g, w->now);
    world_run(w, RMI_SEC(60));
    assert_int_equal(w->servers[0].releases, 1);
    assert_null(world_candidate(w, RMI_CAND_RELAY, 0));
    world_destroy(w);
}

static void a_lost_interface_moves_the_allocation(void **state) {
    (void)state;
    struct world *w = ready_world();
    world_add_host(w, 2, "10.0.0.3:5001", 65534);
    world_run(w, RMI_MS(100));
    assert_int_equal(w->servers[0].allocations, 1);
    w->servers[0].allocated = false; /* the old one is out of reach; a real server has other 5-tuples side by side */
    rmi_gather_remove_host(w->g, w->now, 1);
    world_run(w, RMI_MS(100));
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 0)->base, 1);
    assert_int_equal(world_find(w, RMI_GATHER_GONE, 1)->base, RELAY_BASE);
    assert_int_equal(world_candidate(w, RMI_CAND_RELAY, 1)->base, RELAY_BASE + 1);
    world_destroy(w);
}

static void payloads_nobody_asked_for_are_dropped(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct rmi_addr stranger = model_addr("192.0.2.66:6666");
    uint8_t buf[128], txid[RMI_STUN_TXID] = {3};
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, sizeof buf, RMI_STUN_INDICATION, RMI_STUN_DATA, txid);
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_PEER_ADDRESS, &stranger);
    rmi_stun_add_bytes(&b, RMI_STUN_A_DATA, "x", 1);
    size_t len = rmi_stun_finish(&b, NULL, 0, false);
    assert_int_equal(world_feed(w, 1, &w->servers[0].addr, buf, len), RMI_GATHER_CONSUMED);
    assert_int_equal(world_feed(w, 1, &stranger, buf, len), RMI_GATHER_NOT_MINE);
    static const uint8_t channel[] = {0x40, 0, 0, 1, 'x'};
    assert_int_equal(world_feed(w, 1, &w->servers[0].addr, channel, sizeof channel), RMI_GATHER_CONSUMED);
    assert_int_equal(world_feed(w, 1, &stranger, channel, sizeof channel), RMI_GATHER_NOT_MINE);
    assert_int_equal(w->at_client_count, 0);
    world_destroy(w);
}

static void channel_data_is_bounded_by_its_datagram(void **state) {
    (void)state;
    struct world *w = ready_world();
    struct rmi_addr peer = model_addr("192.0.2.7:7000");
    world_send(w, RELAY_BASE, &peer, dtls, sizeof dtls);
    world_run(w, RMI_SEC(1));
    assert_int_equal(w->servers[0].binds, 1);
    uint8_t buf[16] = {0x40, 0};
    for (size_t len = 0; len <= sizeof buf; len++) {
        for (unsigned claim = 0; claim < 600; claim++) {
            buf[2] = (uint8_t)(claim >> 8);
            buf[3] = (uint8_t)claim;
            size_t before = w->at_client_count = 0;
            enum rmi_gather_verdict v = world_feed(w, 1, &w->servers[0].addr, buf, len);
            bool fits = len >= 4 && claim <= len - 4;
            assert_int_equal(v == RMI_GATHER_RELAYED, fits);
            assert_int_equal(w->at_client_count, before + fits);
            if (fits)
                assert_int_equal(w->at_client[0].len, claim);
        }
    }
    world_destroy(w);
}

static void truncated_or_changed_grants_allocate_nothing(void **state) {
    (void)state;
    struct world *w = turn_world(false);
    rmi_gather_start(w->g, w->now);
    world_run(w, RMI_MS(35)); /* the grant is under way */
    uint8_t good[512], bad[512];
    size_t len = w->last_answer_len;
    memcpy(good, w->last_answer, len);
    assert_true(w->servers[0].allocated);
    for (size_t n = 0; n < len; n++)
        (void)world_feed(w, 1, &w->servers[0].addr, good, n);
    for (size_t i = 0; i < len - 8; i++) { /* FINGERPRINT, the last 8 bytes, is not signed */
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bad, good, len);
            bad[i] ^= (uint8_t)(1u << bit);
            (void)world_feed(w, 1, &w->servers[0].addr, bad, len);
        }
    }
    assert_null(world_candidate(w, RMI_CAND_RELAY, 0));
    assert_null(world_find(w, RMI_GATHER_ERROR, 0));
    struct rmi_addr elsewhere = model_addr("198.51.100.66:3478");
    assert_int_equal(world_feed(w, 1, &elsewhere, good, len), RMI_GATHER_CONSUMED);
    assert_null(world_candidate(w, RMI_CAND_RELAY, 0));
    assert_int_equal(world_feed(w, 1, &w->servers[0].addr, good, len), RMI_GATHER_CONSUMED);
    assert_non_null(world_candidate(w, RMI_CAND_RELAY, 0));
    world_destroy(w);
}

static void more_destinations_than_fit_are_dropped(void **state) {
    (void)state;
    struct world *w = ready_world();
    w->servers[0].silent = true;
    struct rmi_addr peer = model_addr("192.0.2.7:1");
    for (uint16_t port = 1; port <= 3000; port++) {
        peer.port = port;
        world_send(w, RELAY_BASE, &peer, check, sizeof check);
    }
    world_run(w, RMI_MS(400));
    w->servers[0].silent = false;
    assert_int_equal(w->at_peer_count, 0);
    world_run(w, RMI_SEC(1)); /* the permission's retransmission is answered */
    assert_int_equal(w->servers[0].permits, 1);
    assert_int_equal(w->at_peer_count, 1024);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_gives_a_relay_candidate),
        cmocka_unit_test(relay_only_tells_no_other_address),
        cmocka_unit_test(an_ipv6_base_asks_for_an_ipv6_relay),
        cmocka_unit_test(payloads_go_both_ways_by_indication_and_by_channel),
        cmocka_unit_test(one_permission_serves_all_ports_of_an_address),
        cmocka_unit_test(only_eight_payloads_wait_for_a_permission),
        cmocka_unit_test(a_refused_permission_is_not_asked_for_at_every_payload),
        cmocka_unit_test(each_lost_datagram_only_costs_time),
        cmocka_unit_test(relayed_traffic_lasts_half_an_hour),
        cmocka_unit_test(what_is_unused_expires_and_comes_back_when_used),
        cmocka_unit_test(a_channel_number_is_not_given_to_another_peer_too_soon),
        cmocka_unit_test(refusals_are_told_by_their_kind),
        cmocka_unit_test(an_unsigned_refusal_is_believed_only_when_nothing_better_comes),
        cmocka_unit_test(wrong_credentials_fail_at_once),
        cmocka_unit_test(a_nonce_that_is_always_stale_ends),
        cmocka_unit_test(credentials_do_not_follow_a_redirection),
        cmocka_unit_test(the_first_request_carries_no_credentials),
        cmocka_unit_test(a_server_silent_after_the_challenge_does_not_get_more_time),
        cmocka_unit_test(a_server_that_dies_costs_its_relay_base),
        cmocka_unit_test(a_used_relay_is_missed_sooner),
        cmocka_unit_test(a_short_outage_at_the_refresh_is_survived),
        cmocka_unit_test(a_restarted_server_is_asked_for_a_new_allocation),
        cmocka_unit_test(closing_gives_the_allocation_back),
        cmocka_unit_test(a_lost_interface_moves_the_allocation),
        cmocka_unit_test(payloads_nobody_asked_for_are_dropped),
        cmocka_unit_test(channel_data_is_bounded_by_its_datagram),
        cmocka_unit_test(truncated_or_changed_grants_allocate_nothing),
        cmocka_unit_test(more_destinations_than_fit_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
