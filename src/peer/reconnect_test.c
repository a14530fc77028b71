/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/reconnect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 2000

#define NO_BREAKER 1000 /* failures */

static const struct rmi_reconnect_policy standard = {.max_retries = 8,
                                                     .initial_us = RMI_SEC(1),
                                                     .max_us = RMI_SEC(30),
                                                     .multiplier = 2.0,
                                                     .breaker_failures = NO_BREAKER};

static void delays_double_up_to_the_ceiling_and_a_quarter_more(void **state) {
    (void)state;
    static const int64_t nominal_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    int64_t least[8], most[8] = {0}, delay = 0;
    for (size_t i = 0; i < 8; i++)
        least[i] = RMI_NEVER;
    for (int round = 0; round < ROUNDS; round++) {
        struct rmi_reconnect r = {0};
        for (size_t i = 0; i < 8; i++) {
            assert_true(rmi_reconnect_next(&r, &standard, &rng, RMI_SEC(100 + round), &delay));
            assert_int_equal(r.attempts, i + 1);
            assert_in_range(delay, RMI_SEC(nominal_s[i]), RMI_SEC(nominal_s[i]) * 5 / 4);
            least[i] = rmi_min64(least[i], delay);
            most[i] = rmi_max64(most[i], delay);
        }
        delay = -1;
        assert_false(rmi_reconnect_next(&r, &standard, &rng, RMI_SEC(100 + round), &delay));
        assert_int_equal(delay, -1);
        assert_int_equal(r.attempts, 8);
    }
    for (size_t i = 0; i < 8; i++) { /* the jitter fills its range */
        assert_true(least[i] < RMI_SEC(nominal_s[i]) * 101 / 100);
        assert_true(most[i] > RMI_SEC(nominal_s[i]) * 124 / 100);
    }
}

static void other_multipliers_and_off(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 2);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    const struct rmi_reconnect_policy slow = {.max_retries = 3, .initial_us = 1000, .max_us = 2000, .multiplier = 1.5},
                                      flat = {.max_retries = 100,
                                              .initial_us = 100,
                                              .max_us = 1000,
                                              .multiplier = 1.0,
                                              .breaker_failures = NO_BREAKER},
                                      off = {.initial_us = 1000, .max_us = 2000, .multiplier = 2.0};
    static const int64_t nominal[] = {1000, 1500, 2000};
    struct rmi_reconnect r = {0};
    int64_t delay;
    for (size_t i = 0; i < 3; i++) {
        assert_true(rmi_reconnect_next(&r, &slow, &rng, 1, &delay));
        assert_in_range(delay, nominal[i], nominal[i] * 5 / 4);
    }
    assert_false(rmi_reconnect_next(&r, &slow, &rng, 1, &delay));
    memset(&r, 0, sizeof r);
    for (int i = 0; i < 100; i++) {
        assert_true(rmi_reconnect_next(&r, &flat, &rng, 1, &delay));
        assert_in_range(delay, 100, 125);
    }
    memset(&r, 0, sizeof r);
    assert_false(rmi_reconnect_next(&r, &off, &rng, 1, &delay));
}

static void a_success_that_lasts_begins_anew(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    struct rmi_reconnect r = {0};
    int64_t delay, now = RMI_SEC(50);
    for (int i = 0; i < 3; i++)
        assert_true(rmi_reconnect_next(&r, &standard, &rng, now, &delay));
    rmi_reconnect_up(&r, now);
    now += RMI_RECONNECT_STABLE_US - 1; /* up and away: goes on counting */
    assert_true(rmi_reconnect_next(&r, &standard, &rng, now, &delay));
    assert_int_equal(r.attempts, 4);
    assert_in_range(delay, RMI_SEC(8), RMI_SEC(10));
    now += RMI_SEC(60); /* time alone is no success */
    assert_true(rmi_reconnect_next(&r, &standard, &rng, now, &delay));
    assert_int_equal(r.attempts, 5);
    rmi_reconnect_up(&r, now);
    now += RMI_RECONNECT_STABLE_US;
    assert_true(rmi_reconnect_next(&r, &standard, &rng, now, &delay));
    assert_int_equal(r.attempts, 1);
    assert_in_range(delay, RMI_SEC(1), RMI_SEC(1) * 5 / 4);
}

/* Five failures in a row, the connection's own among them: then a pause, one attempt, and the pause again. */
static void the_breaker_opens_after_five_failures(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 4);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    const struct rmi_reconnect_policy policy = {
        .max_retries = 20, .initial_us = RMI_MS(100), .max_us = RMI_SEC(1), .multiplier = 1.0};
    struct rmi_reconnect r = {0};
    int64_t delay = 0, now = RMI_SEC(7);
    for (int i = 1; i <= 4; i++) {
        assert_true(rmi_reconnect_next(&r, &policy, &rng, now, &delay));
        assert_in_range(delay, RMI_MS(100), RMI_MS(125));
        assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_CLOSED);
        now += delay;
    }
    for (int i = 0; i < 3; i++) {
        assert_true(rmi_reconnect_next(&r, &policy, &rng, now, &delay));
        assert_in_range(delay, RMI_SEC(30), RMI_SEC(30) * 5 / 4);
        assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_OPEN);
        now += delay;
        assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_HALF_OPEN);
    }
}

/* Half-open: connected is one success, having stood for a while the other. */
static void two_successes_close_the_breaker(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 5);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    const struct rmi_reconnect_policy policy = {.max_retries = 50,
                                                .initial_us = RMI_MS(100),
                                                .max_us = RMI_SEC(1),
                                                .multiplier = 1.0,
                                                .breaker_failures = 2,
                                                .breaker_successes = 2,
                                                .breaker_open_us = RMI_SEC(10)};
    struct rmi_reconnect r = {0};
    int64_t delay = 0, now = RMI_SEC(7);
    for (int i = 0; i < 2; i++)
        assert_true(rmi_reconnect_next(&r, &policy, &rng, now, &delay));
    assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_OPEN);
    rmi_reconnect_up(&r, now + RMI_SEC(10));
    now += RMI_SEC(10) + RMI_RECONNECT_STABLE_US - 1; /* up and away: open again */
    assert_true(rmi_reconnect_next(&r, &policy, &rng, now, &delay));
    assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_OPEN);
    assert_in_range(delay, RMI_SEC(10), RMI_SEC(10) * 5 / 4);
    rmi_reconnect_up(&r, now + RMI_SEC(10));
    now += RMI_SEC(10) + RMI_RECONNECT_STABLE_US;
    assert_true(rmi_reconnect_next(&r, &policy, &rng, now, &delay));
    assert_int_equal(rmi_reconnect_circuit(&r, now), RMI_CIRCUIT_CLOSED);
    assert_in_range(delay, RMI_MS(100), RMI_MS(125));
}

static void what_would_end_the_same_is_not_tried_again(void **state) {
    (void)state;
    static const rm_err worth[] = {RM_E_ICE_FAILED,   RM_E_ICE_CONSENT,        RM_E_ICE_NO_RELAY, RM_E_DTLS_TIMEOUT,
                                   RM_E_TURN_TIMEOUT, RM_E_CONNECTION_TIMEOUT, RM_E_TIMEOUT,      RM_E_SIGNALING};
    static const rm_err not [] = {RM_OK,       RM_E_CLOSED,           RM_E_LIMIT,          RM_E_SESSION_LIMIT,
                                  RM_E_SDP,    RM_E_DTLS_FINGERPRINT, RM_E_PEER_NOT_FOUND, RM_E_CODEC_MISMATCH,
                                  RM_E_CONFIG, RM_E_SRTP_PROFILE};
    for (size_t i = 0; i < sizeof worth / sizeof worth[0]; i++)
        assert_true(rmi_reconnect_is_worth_it(worth[i]));
    for (size_t i = 0; i < sizeof not / sizeof not [0]; i++)
        assert_false(rmi_reconnect_is_worth_it(not [i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_ceiling_and_a_quarter_more),
        cmocka_unit_test(other_multipliers_and_off),
        cmocka_unit_test(a_success_that_lasts_begins_anew),
        cmocka_unit_test(the_breaker_opens_after_five_failures),
        cmocka_unit_test(two_successes_close_the_breaker),
        cmocka_unit_test(what_would_end_the_same_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
