/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/time.h"
#include "rtp/nack.h"
#include "rtp/rtp_testkit.h"

#define RTT RMI_MS(40)

static struct rmi_nack *fresh(struct rmi_nack *n, int64_t reorder_us, uint8_t tries) {
    struct rmi_nack_config config = {.reorder_us = reorder_us, .tries = tries};
    rmi_nack_init(n, &config);
    return n;
}

static void a_gap_is_asked_for_at_once_and_again_after_a_round_trip(void **state) {
    (void)state;
    static struct rmi_nack n;
    uint16_t out[8];
    fresh(&n, 0, 3);
    rmi_nack_input(&n, 65534, 0);
    assert_true(rmi_nack_next_deadline(&n) == RMI_NEVER);
    rmi_nack_input(&n, 1, 1000);
    assert_int_equal(rmi_nack_next_deadline(&n), 1000);
    assert_int_equal(rmi_nack_due(&n, 1000, RTT, out, 8), 2);
    assert_true(out[0] == 65535 && out[1] == 0);
    assert_int_equal(rmi_nack_due(&n, 1000, RTT, out, 8), 0);
    assert_int_equal(rmi_nack_next_deadline(&n), 1000 + RTT);
    rmi_nack_input(&n, 65535, 2000);
    assert_int_equal(n.recovered, 1);
    assert_int_equal(rmi_nack_due(&n, 1000 + RTT, RTT, out, 8), 1);
    assert_int_equal(out[0], 0);
    assert_int_equal(rmi_nack_due(&n, 1000 + 2 * RTT, RTT, out, 8), 1);
    assert_false(rmi_nack_take_gave_up(&n));
    assert_int_equal(rmi_nack_due(&n, 1000 + 3 * RTT, RTT, out, 8), 0); /* three were enough */
    assert_true(rmi_nack_take_gave_up(&n));
    assert_false(rmi_nack_take_gave_up(&n));
    assert_true(n.abandoned == 1 && n.count == 0);
}

static void reordered_packets_are_given_their_grace(void **state) {
    (void)state;
    static struct rmi_nack n;
    uint16_t out[8];
    fresh(&n, RMI_MS(10), 3);
    rmi_nack_input(&n, 1, 0);
    rmi_nack_input(&n, 3, 0);
    assert_int_equal(rmi_nack_due(&n, RMI_MS(9), RTT, out, 8), 0);
    rmi_nack_input(&n, 2, RMI_MS(9));
    assert_int_equal(rmi_nack_due(&n, RMI_MS(20), RTT, out, 8), 0);
}

static void what_does_not_fit_now_comes_next_time(void **state) {
    (void)state;
    static struct rmi_nack n;
    uint16_t out[8];
    fresh(&n, 0, 1);
    rmi_nack_input(&n, 0, 0);
    rmi_nack_input(&n, 11, 0);
    assert_int_equal(rmi_nack_due(&n, 0, RTT, out, 8), 8);
    assert_int_equal(rmi_nack_due(&n, 0, RTT, out, 8), 2);
    assert_true(out[0] == 9 && out[1] == 10);
}

static void an_outage_gives_up_instead_of_asking(void **state) {
    (void)state;
    static struct rmi_nack n;
    uint16_t out[8];
    fresh(&n, 0, 3);
    rmi_nack_input(&n, 0, 0);
    rmi_nack_input(&n, RMI_NACK_MAX + 1, 0);
    assert_int_equal(n.count, RMI_NACK_MAX);
    assert_false(rmi_nack_take_gave_up(&n));
    rmi_nack_input(&n, RMI_NACK_MAX + 4, 0); /* two more: the oldest two give way */
    assert_int_equal(n.count, RMI_NACK_MAX);
    assert_int_equal(n.missing[0].seq, 3);
    assert_true(rmi_nack_take_gave_up(&n));
    rmi_nack_input(&n, 20000, 0);
    assert_int_equal(n.count, 0);
    assert_true(rmi_nack_take_gave_up(&n));
    assert_int_equal(rmi_nack_due(&n, 0, RTT, out, 8), 0);
}

static void the_past_can_be_forgotten(void **state) {
    (void)state;
    static struct rmi_nack n;
    uint16_t out[8];
    fresh(&n, 0, 3);
    rmi_nack_input(&n, 65530, 0);
    rmi_nack_input(&n, 5, 0);
    rmi_nack_forget_before(&n, 2);
    assert_int_equal(rmi_nack_due(&n, 0, RTT, out, 8), 3);
    assert_int_equal(out[0], 2);
    assert_false(rmi_nack_take_gave_up(&n)); /* nobody wants them */
}

/* Numbers of any order: the list stays bounded, ordered and without doubles. */
static void hostile_numbers_keep_the_list_in_shape(void **state) {
    (void)state;
    static struct rmi_nack n;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 5);
    struct rmi_rng rng = rmi_prng_rng(&prng);
    fresh(&n, 0, 2);
    uint16_t seq = 0, out[16];
    for (int64_t i = 0; i < 200000; i++) {
        uint64_t kind = rmi_rng_range(&rng, 0, 99);
        seq = kind == 0 ? (uint16_t)rmi_rng_u32(&rng) : (uint16_t)(seq + rmi_rng_range(&rng, 0, 40) - 10);
        rmi_nack_input(&n, seq, i);
        assert_true(n.count <= RMI_NACK_MAX);
        for (size_t k = 1; k < n.count; k++)
            assert_true((uint16_t)(n.missing[k].seq - n.missing[k - 1].seq) < 0x8000 &&
                        n.missing[k].seq != n.missing[k - 1].seq);
        rmi_nack_due(&n, i, 100, out, 16);
    }
}

/* Where requests are lost, each is sent twice, and the pairs are a round trip apart. */
static void requests_have_echoes(void **state) {
    (void)state;
    const struct rmi_nack_config config = {.tries = 4, .echo_us = 10};
    struct rmi_nack n;
    uint16_t seq[4];
    rmi_nack_init(&n, &config);
    rmi_nack_input(&n, 1, 0);
    rmi_nack_input(&n, 3, 0);
    static const int64_t at[] = {0, 10, 100, 110};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rmi_nack_next_deadline(&n), at[i]);
        assert_int_equal(rmi_nack_due(&n, at[i], 100, seq, 4), 1);
        assert_int_equal(seq[0], 2);
    }
    assert_int_equal(rmi_nack_due(&n, 200, 100, seq, 4), 0);
    assert_true(rmi_nack_take_gave_up(&n));
}

/* What is missed soon after a message waits for the next one; the first waits for nothing. */
static void requests_are_joined(void **state) {
    (void)state;
    const struct rmi_nack_config config = {.tries = 4, .apart_us = 20};
    struct rmi_nack n;
    uint16_t seq[8];
    rmi_nack_init(&n, &config);
    rmi_nack_input(&n, 0, 1000);
    rmi_nack_input(&n, 2, 1000);
    assert_int_equal(rmi_nack_due(&n, 1000, RTT, seq, 8), 1);
    rmi_nack_input(&n, 4, 1005);
    rmi_nack_input(&n, 6, 1010);
    rmi_nack_input(&n, 9, 1015);
    assert_int_equal(rmi_nack_next_deadline(&n), 1020);
    assert_int_equal(rmi_nack_due(&n, 1019, RTT, seq, 8), 0);
    assert_int_equal(rmi_nack_due(&n, 1020, RTT, seq, 8), 4);
    assert_true(seq[0] == 3 && seq[1] == 5 && seq[2] == 7 && seq[3] == 8);
    assert_int_equal(rmi_nack_next_deadline(&n), 1000 + RTT);
}

static void what_cannot_come_in_time_is_given_up(void **state) {
    (void)state;
    const struct rmi_nack_config config = {.tries = 10, .worth_us = RMI_MS(100)};
    struct rmi_nack n;
    uint16_t seq[8];
    rmi_nack_init(&n, &config);
    rmi_nack_input(&n, 0, 0);
    rmi_nack_input(&n, 2, 0);
    assert_int_equal(rmi_nack_due(&n, 0, RTT, seq, 8), 1);
    assert_int_equal(rmi_nack_due(&n, RTT, RTT, seq, 8), 1);
    assert_false(rmi_nack_take_gave_up(&n));
    assert_int_equal(rmi_nack_due(&n, 2 * RTT, RTT, seq, 8), 0); /* here after 120 ms at best */
    assert_true(rmi_nack_take_gave_up(&n));
    assert_true(rmi_nack_next_deadline(&n) == RMI_NEVER);
    rmi_nack_input(&n, 4, RMI_SEC(1)); /* the way has got too long for any */
    assert_int_equal(rmi_nack_due(&n, RMI_SEC(1), RMI_MS(101), seq, 8), 0);
    assert_true(rmi_nack_take_gave_up(&n));
}

/* Nine of ten lost for long: no more is asked for than comes, and whoever waits for its turn is not polled for. */
static void a_storm_of_losses_is_not_answered_by_one_of_requests(void **state) {
    (void)state;
    const struct rmi_nack_config config = {.tries = 10, .apart_us = RMI_MS(10)};
    static struct rmi_nack n;
    uint16_t seq[RMI_NACK_MAX];
    uint64_t came = 0, asked = 0, messages = 0, wakes = 0;
    int64_t now = 0;
    rmi_nack_init(&n, &config);
    for (uint32_t i = 0; i < 20000; i += 10, now += RMI_MS(10)) {
        rmi_nack_input(&n, (uint16_t)i, now);
        came++;
        while (rmi_nack_next_deadline(&n) <= now) {
            const size_t k = rmi_nack_due(&n, now, RTT, seq, RMI_NACK_MAX);
            asked += k;
            messages += k > 0;
            wakes++;
        }
    }
    assert_true(asked <= came + RMI_NACK_MAX && asked > came / 2);
    assert_true(messages <= came && wakes <= came + 1);
}

/* Only an answer that can be told from others is timed. */
static void answers_are_timed(void **state) {
    (void)state;
    struct rmi_nack n;
    uint16_t seq[8];
    fresh(&n, 0, 4);
    rmi_nack_input(&n, 0, 0);
    rmi_nack_input(&n, 3, 0);
    assert_int_equal(rmi_nack_answer_us(&n, 1, 10, RTT / 2), 0);
    assert_int_equal(rmi_nack_due(&n, 10, RTT, seq, 8), 2);
    assert_int_equal(rmi_nack_answer_us(&n, 1, 25, RTT / 2), 15);
    assert_int_equal(rmi_nack_answer_us(&n, 7, 25, RTT / 2), 0);
    rmi_nack_input(&n, 1, 25);
    assert_int_equal(rmi_nack_due(&n, 10 + RTT, RTT, seq, 8), 1);
    assert_int_equal(rmi_nack_answer_us(&n, 2, 2 * RTT + 10, RTT / 2), 0);
    assert_int_equal(rmi_nack_answer_us(&n, 2, RTT + 20, RTT / 2), RTT + 10); /* to the second it would be too soon */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gap_is_asked_for_at_once_and_again_after_a_round_trip),
        cmocka_unit_test(reordered_packets_are_given_their_grace),
        cmocka_unit_test(what_does_not_fit_now_comes_next_time),
        cmocka_unit_test(an_outage_gives_up_instead_of_asking),
        cmocka_unit_test(the_past_can_be_forgotten),
        cmocka_unit_test(hostile_numbers_keep_the_list_in_shape),
        cmocka_unit_test(requests_have_echoes),
        cmocka_unit_test(requests_are_joined),
        cmocka_unit_test(what_cannot_come_in_time_is_given_up),
        cmocka_unit_test(a_storm_of_losses_is_not_answered_by_one_of_requests),
        cmocka_unit_test(answers_are_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
