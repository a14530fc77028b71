/* SPDX-License-Identifier: Apache-2.0 */
/* Forged, damaged, misplaced and too many messages. */
#include "ice/agent_test_wire.h"

enum setting { FRESH, CHECKING, CONNECTED, DISCONNECTED, RESTARTING, FAILED, CLOSED, SETTINGS };

static struct wire *wire_in(enum setting s) {
    struct wire *w = s == FRESH || s == CHECKING ? wire_new(1, true, false) : wire_connected(1);
    struct wire_end *a = &w->end[0];
    switch (s) {
    case FRESH:
    case CHECKING:
        wire_base_add(a, 1, wire_cand(RMI_CAND_HOST, "192.0.2.1:1000", 65535), NULL);
        wire_base_add(&w->end[1], 1, wire_cand(RMI_CAND_HOST, "192.0.2.2:2000", 65535), NULL);
        if (s == CHECKING)
            wire_describe(&w->end[1], true);
        break;
    case DISCONNECTED:
        w->cut = true;
        wire_run(w, RMI_SEC(3), NULL);
        break;
    case RESTARTING:
        rmi_ice_restart(a->agent, w->now_us);
        break;
    case FAILED:
        w->cut = true;
        wire_run(w, RMI_SEC(40), NULL);
        break;
    case CLOSED:
        rmi_ice_close(a->agent);
        break;
    default:
        break;
    }
    w->cut = true; /* from here on only what the test puts in */
    return w;
}

struct forge {
    enum rmi_stun_class cls;
    uint16_t method;
    const char *local, *remote, *key; /* NULL: what is right */
    bool no_username, no_integrity, no_fingerprint, no_priority, use_candidate, unknown;
    bool controlled_role, big_tiebreaker;
    uint16_t error;
    const uint8_t *txid;
};

static size_t forge(const struct wire *w, const struct forge *f, uint8_t *buf, size_t cap) {
    const struct rmi_ice_agent *a = w->end[0].agent;
    const uint8_t any[RMI_STUN_TXID] = {0x11, 0x11, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12};
    char username[600];
    const int n = snprintf(username, sizeof username, "%s:%s", f->local ? f->local : rmi_ice_local_ufrag(a),
                           f->remote ? f->remote : rmi_ice_local_ufrag(w->end[1].agent));
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, cap, f->cls, f->method ? f->method : RMI_STUN_BINDING, f->txid ? f->txid : any);
    if (!f->no_username)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USERNAME, username, (size_t)n);
    if (f->error)
        rmi_stun_add_error(&b, f->error, "x");
    if (!f->no_priority)
        rmi_stun_add_u32(&b, RMI_STUN_A_PRIORITY, 0x6EFFFFFF);
    rmi_stun_add_u64(&b, f->controlled_role ? RMI_STUN_A_ICE_CONTROLLED : RMI_STUN_A_ICE_CONTROLLING,
                     f->big_tiebreaker ? UINT64_MAX : 1);
    if (f->use_candidate)
        rmi_stun_add_bytes(&b, RMI_STUN_A_USE_CANDIDATE, NULL, 0);
    if (f->unknown)
        rmi_stun_add_u32(&b, 0x7FFE, 1);
    const bool response = f->cls == RMI_STUN_SUCCESS || f->cls == RMI_STUN_ERROR;
    const char *key = f->key ? f->key : response ? rmi_ice_local_pwd(w->end[1].agent) : rmi_ice_local_pwd(a);
    return rmi_stun_finish(&b, f->no_integrity ? NULL : (const uint8_t *)key, strlen(key), !f->no_fingerprint);
}

static void put(struct wire *w, const char *from, const uint8_t *data, size_t len) {
    const struct rmi_addr src = wire_addr(from);
    uint8_t *exact = malloc(len ? len : 1); /* so that a sanitizer sees one byte too many */
    assert_non_null(exact);
    memcpy(exact, data, len);
    rmi_ice_input(w->end[0].agent, w->now_us, 1, &src, exact, len);
    free(exact);
}

static void checks_without_the_password_change_nothing(void **state) {
    (void)state;
    const struct forge forged[] = {
        {.key = "wrong-password-0123456789"},
        {.no_integrity = true},
        {.no_username = true},
        {.no_fingerprint = true},
        {.local = "wrongone"},
        {.local = ""},
        {.remote = "wrongone"},
        {.remote = ""},
        {.key = "wrong-password-0123456789", .use_candidate = true},
        {.key = "wrong-password-0123456789", .big_tiebreaker = true},
    };
    for (enum setting s = CHECKING; s <= DISCONNECTED; s++)
        for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
            struct wire *w = wire_in(s);
            uint8_t buf[800];
            const size_t len = forge(w, &forged[i], buf, sizeof buf);
            assert_true(len > 0);
            const struct rmi_ice_stats before = wire_stats(&w->end[0]);
            const unsigned sent = w->end[0].sent;
            const enum rmi_ice_state was = rmi_ice_state_of(w->end[0].agent);
            for (int k = 0; k < 100; k++)
                put(w, "198.51.100.66:6666", buf, len);
            const struct rmi_ice_stats after = wire_stats(&w->end[0]);
            assert_int_equal(after.checks_received, before.checks_received);
            assert_int_equal(after.drop_integrity + after.drop_malformed,
                             before.drop_integrity + before.drop_malformed + 100);
            assert_int_equal(after.pairs, before.pairs);
            assert_int_equal(after.remote_candidates, before.remote_candidates);
            assert_int_equal(w->end[0].sent, sent); /* not even an error: nothing to reflect */
            assert_int_equal(rmi_ice_state_of(w->end[0].agent), was);
            assert_true(rmi_ice_is_controlling(w->end[0].agent));
            const struct rmi_addr src = wire_addr("198.51.100.66:6666");
            assert_int_equal(rmi_ice_source_of(w->end[0].agent, 1, &src), RMI_ICE_SOURCE_UNKNOWN);
            wire_free(w);
        }
}

static void no_byte_of_a_check_can_be_changed(void **state) {
    (void)state;
    struct wire *w = wire_in(CHECKING);
    uint8_t buf[800];
    const struct forge f = {.use_candidate = true};
    const size_t len = forge(w, &f, buf, sizeof buf);
    const unsigned sent = w->end[0].sent;
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            buf[i] ^= (uint8_t)(1u << bit);
            put(w, "198.51.100.66:6666", buf, len);
            buf[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t i = 0; i < len; i++)
        put(w, "198.51.100.66:6666", buf, i);
    assert_int_equal(wire_stats(&w->end[0]).checks_received, 0);
    assert_int_equal(w->end[0].sent, sent);
    put(w, "198.51.100.66:6666", buf, len); /* and the whole one is taken */
    assert_int_equal(wire_stats(&w->end[0]).checks_received, 1);
    assert_true(w->end[0].sent > sent);
    wire_free(w);
}

/* The answer to alice's newest check, as bob would give it. */
static size_t true_answer(const struct wire *w, uint8_t *buf, size_t cap) {
    struct rmi_stun_msg m;
    assert_int_equal(rmi_stun_parse(w->end[0].last, w->end[0].last_len, &m), RM_OK);
    struct rmi_stun_builder b;
    rmi_stun_begin(&b, buf, cap, RMI_STUN_SUCCESS, RMI_STUN_BINDING, m.txid);
    const struct rmi_addr mapped = wire_addr("192.0.2.1:1000");
    rmi_stun_add_xor_addr(&b, RMI_STUN_A_XOR_MAPPED_ADDRESS, &mapped);
    const char *pwd = rmi_ice_local_pwd(w->end[1].agent);
    return rmi_stun_finish(&b, (const uint8_t *)pwd, strlen(pwd), true);
}

static void no_byte_of_an_answer_can_be_changed(void **state) {
    (void)state;
    struct wire *w = wire_in(CHECKING);
    uint8_t buf[300];
    const size_t len = true_answer(w, buf, sizeof buf);
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            buf[i] ^= (uint8_t)(1u << bit);
            put(w, "192.0.2.2:2000", buf, len);
            buf[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t i = 0; i < len; i++)
        put(w, "192.0.2.2:2000", buf, i);
    assert_int_equal(wire_stats(&w->end[0]).responses_received, 0);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CHECKING);
    put(w, "192.0.2.2:2000", buf, len);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_CONNECTED);
    put(w, "192.0.2.2:2000", buf, len); /* a replay has no transaction any more */
    assert_int_equal(wire_stats(&w->end[0]).responses_received, 1);
    assert_int_equal(wire_stats(&w->end[0]).drop_unmatched, 1);
    wire_free(w);
}

static void every_message_in_every_state_is_survived(void **state) {
    (void)state;
    const uint16_t errors[] = {0, 400, 401, 420, 438, 487, 500};
    unsigned n = 0;
    for (enum setting s = FRESH; s < SETTINGS; s++)
        for (unsigned cls = 0; cls < 4; cls++)
            for (unsigned variant = 0; variant < 64; variant++)
                for (size_t e = 0; e < (cls == RMI_STUN_ERROR ? 7u : 1u); e++) {
                    struct wire *w = wire_in(s);
                    struct rmi_stun_msg m;
                    const bool has =
                        w->end[0].last_len && rmi_stun_parse(w->end[0].last, w->end[0].last_len, &m) == RM_OK;
                    const struct forge f = {.cls = (enum rmi_stun_class)cls,
                                            .use_candidate = variant & 1,
                                            .controlled_role = variant & 2,
                                            .big_tiebreaker = variant & 4,
                                            .unknown = variant & 8,
                                            .no_priority = variant & 16,
                                            .method = variant & 32 ? RMI_STUN_ALLOCATE : 0,
                                            .error = cls == RMI_STUN_ERROR ? errors[e] : 0,
                                            .txid = has ? m.txid : NULL};
                    uint8_t buf[800];
                    const size_t len = forge(w, &f, buf, sizeof buf);
                    for (int k = 0; k < 3; k++) {
                        put(w, k == 2 ? "198.51.100.66:6666" : "192.0.2.2:2000", buf, len);
                        wire_run(w, RMI_MS(20), NULL);
                    }
                    if (s == CLOSED || s == FAILED)
                        assert_int_equal(rmi_ice_next_deadline(w->end[0].agent), RMI_NEVER);
                    /* Nobody becomes a media destination by talking to us. */
                    rmi_base_id base;
                    struct rmi_addr to;
                    if (rmi_ice_route(w->end[0].agent, &base, &to)) {
                        const struct rmi_addr bob = wire_addr("192.0.2.2:2000");
                        assert_true(rmi_addr_equal(&to, &bob));
                    }
                    n++;
                    wire_free(w);
                }
    assert_int_equal(n, 7 * (3 + 7) * 64);
}

static void unknown_attributes_are_named(void **state) {
    (void)state;
    struct wire *w = wire_in(CHECKING);
    uint8_t buf[800];
    const struct forge f = {.unknown = true};
    const size_t len = forge(w, &f, buf, sizeof buf);
    const unsigned sent = w->end[0].sent;
    put(w, "192.0.2.2:2000", buf, len);
    assert_int_equal(w->end[0].sent, sent + 1); /* 420, and no triggered check */
    wire_free(w);
}

/* An authenticated peer that floods from many addresses costs bounded memory and bounded answers. */
static void a_flood_of_addresses_is_bounded(void **state) {
    (void)state;
    struct wire *w = wire_in(CHECKING);
    uint8_t buf[800];
    const struct forge f = {.controlled_role = true};
    const size_t len = forge(w, &f, buf, sizeof buf);
    for (unsigned i = 0; i < 2000; i++) {
        char from[64];
        (void)snprintf(from, sizeof from, "198.51.100.%u:%u", 1 + i / 200, 1000 + i % 200);
        put(w, from, buf, len);
    }
    const struct rmi_ice_stats s = wire_stats(&w->end[0]);
    assert_int_equal(s.checks_received, 500);
    assert_true(s.remote_candidates <= 33 && s.pairs <= 33);
    assert_true(s.drop_limit >= 1500);
    struct rmi_candidate c = wire_cand(RMI_CAND_HOST, "192.0.2.77:2000", 65535);
    assert_int_equal(rmi_ice_add_remote(w->end[0].agent, w->now_us, &c), RM_OK); /* signaling still has room */
    assert_true(w->end[0].sent <= 500 + 10);
    wire_free(w);
}

static void early_checks_are_capped(void **state) {
    (void)state;
    struct wire *w = wire_in(FRESH);
    uint8_t buf[800];
    const struct forge f = {.controlled_role = true};
    const size_t len = forge(w, &f, buf, sizeof buf);
    for (unsigned i = 0; i < 40; i++) {
        char from[64];
        (void)snprintf(from, sizeof from, "198.51.100.1:%u", 1000 + i);
        put(w, from, buf, len);
        put(w, from, buf, len);
    }
    assert_int_equal(wire_stats(&w->end[0]).drop_limit, 2 * (40 - 16));
    wire_describe(&w->end[1], false);
    assert_int_equal(wire_stats(&w->end[0]).pairs, 16);
    wire_free(w);
}

static void early_checks_for_another_remote_side_are_forgotten(void **state) {
    (void)state;
    struct wire *w = wire_in(FRESH);
    uint8_t buf[800];
    const struct forge f = {.controlled_role = true, .remote = "somebody"};
    const size_t len = forge(w, &f, buf, sizeof buf);
    put(w, "198.51.100.1:1000", buf, len);
    wire_describe(&w->end[1], false);
    assert_int_equal(wire_stats(&w->end[0]).pairs, 0);
    assert_int_equal(wire_stats(&w->end[0]).drop_integrity, 1);
    wire_free(w);
}

/* A peer that answers each check with a role conflict keeps us within the pacing, and fails in time. */
static void endless_role_conflicts_end(void **state) {
    (void)state;
    struct wire *w = wire_in(CHECKING);
    const int64_t start = w->now_us;
    while (rmi_ice_state_of(w->end[0].agent) == RMI_ICE_CHECKING && w->now_us - start < RMI_SEC(30)) {
        struct rmi_stun_msg m;
        assert_int_equal(rmi_stun_parse(w->end[0].last, w->end[0].last_len, &m), RM_OK);
        uint8_t buf[800];
        const struct forge f = {.cls = RMI_STUN_ERROR, .error = 487, .txid = m.txid};
        put(w, "192.0.2.2:2000", buf, forge(w, &f, buf, sizeof buf));
        wire_run(w, RMI_MS(1), NULL);
    }
    wire_run(w, RMI_MS(1), NULL);
    assert_int_equal(rmi_ice_state_of(w->end[0].agent), RMI_ICE_FAILED);
    assert_true(w->now_us - start <= RMI_SEC(10) + RMI_MS(2));
    assert_true(wire_stats(&w->end[0]).checks_sent <= 10000 / 5 + 10);
    wire_free(w);
}

static void random_bytes_are_survived(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 42);
    for (enum setting s = FRESH; s < SETTINGS; s++) {
        struct wire *w = wire_in(s);
        uint8_t valid[800];
        const struct forge f = {.use_candidate = true};
        const size_t len = forge(w, &f, valid, sizeof valid);
        for (unsigned i = 0; i < 3000; i++) {
            uint8_t buf[800];
            memcpy(buf, valid, len);
            for (unsigned k = 0; k < 1 + rmi_prng_next(&prng) % 6; k++)
                buf[rmi_prng_next(&prng) % len] = (uint8_t)rmi_prng_next(&prng);
            put(w, "192.0.2.2:2000", buf, rmi_prng_next(&prng) % (len + 1));
        }
        wire_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_without_the_password_change_nothing),
        cmocka_unit_test(no_byte_of_a_check_can_be_changed),
        cmocka_unit_test(no_byte_of_an_answer_can_be_changed),
        cmocka_unit_test(every_message_in_every_state_is_survived),
        cmocka_unit_test(unknown_attributes_are_named),
        cmocka_unit_test(a_flood_of_addresses_is_bounded),
        cmocka_unit_test(early_checks_are_capped),
        cmocka_unit_test(early_checks_for_another_remote_side_are_forgotten),
        cmocka_unit_test(endless_role_conflicts_end),
        cmocka_unit_test(random_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
