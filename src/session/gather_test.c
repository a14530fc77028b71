/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "session/gather.h"

#define STREAMS 9
#define CHUNK_US RMI_MS(10)

static void one_stream_is_served_when_it_is_due(void **state) {
    (void)state;
    const int64_t due_us[] = {RMI_NEVER, 12345, RMI_NEVER};
    assert_int_equal(rmi_gather(due_us, 3), 12345);
    assert_int_equal(rmi_gather(due_us + 1, 1), 12345);
    assert_int_equal(rmi_gather(due_us, 1), RMI_NEVER);
    assert_int_equal(rmi_gather(due_us, 0), RMI_NEVER);
}

static void what_is_due_together_is_served_at_the_last_of_it(void **state) {
    (void)state;
    const int64_t two[] = {1000, 1200}, apart[] = {1000, 1300};
    assert_int_equal(rmi_gather(two, 2), 1200);
    assert_int_equal(rmi_gather(apart, 2), 1000); /* two streams are worth little delay */
    int64_t many[STREAMS];
    for (int i = 0; i < STREAMS; i++)
        many[i] = 9000 - 800 * i;
    assert_int_equal(rmi_gather(many, STREAMS), 2600 + 2 * 800);
    many[0] = many[1] = RMI_NEVER;
    assert_int_equal(rmi_gather(many, STREAMS), 2600 + 800);
}

/* Times near both ends of the clock: some may be past already. */
static void times_that_are_past_are_served_at_once(void **state) {
    (void)state;
    const int64_t due_us[] = {-5, -4, RMI_SEC(1), RMI_NEVER};
    assert_int_equal(rmi_gather(due_us, 4), -4);
    const int64_t late[] = {RMI_NEVER - 2, RMI_NEVER - 1, RMI_NEVER};
    assert_int_equal(rmi_gather(late, 3), RMI_NEVER - 1);
}

/* Streams whose senders know nothing of each other: nobody is served early or later than is promised, and there are
 * less than half as many wakes as pulls. */
static void many_streams_take_few_wakes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rmi_prng prng;
        rmi_prng_seed(&prng, seed);
        int64_t due_us[STREAMS], at_us;
        for (int i = 0; i < STREAMS; i++)
            due_us[i] = (int64_t)(rmi_prng_next(&prng) % (uint64_t)CHUNK_US);
        int wakes = 0, pulls = 0;
        for (; (at_us = rmi_gather(due_us, STREAMS)) < RMI_SEC(1); wakes++)
            for (int i = 0; i < STREAMS; i++)
                if (due_us[i] <= at_us) {
                    assert_true(at_us - due_us[i] <= RMI_GATHER_MAX_US);
                    due_us[i] += CHUNK_US;
                    pulls++;
                }
        assert_in_range(pulls, 100 * STREAMS - STREAMS, 100 * STREAMS);
        assert_true(2 * wakes <= pulls + 2 * STREAMS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_is_served_when_it_is_due),
        cmocka_unit_test(what_is_due_together_is_served_at_the_last_of_it),
        cmocka_unit_test(times_that_are_past_are_served_at_once),
        cmocka_unit_test(many_streams_take_few_wakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
