/* SPDX-License-Identifier: Apache-2.0 */
#include "session/quality.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after the headers it needs */

static struct rmi_quality_input good(void) {
    return (struct rmi_quality_input){.sound = true, .pictures = true, .rtt_ms = 40, .fps = 30};
}

static double score(struct rmi_quality_input in) {
    return rmi_quality_of(&in).score;
}

static void near_values(double is, double wanted) {
    if (fabs(is - wanted) > 0.05)
        fail_msg("%.2f instead of %.2f", is, wanted);
}

/* By hand: 20 ms one way: Id = 0.48. */
static void the_formula_gives_what_it_says(void **state) {
    (void)state;
    struct rmi_quality_input in = good();
    struct rmi_quality q = rmi_quality_of(&in);
    near_values(q.sound, 100 * (93.2 - 0.48) / 93.2);
    near_values(q.pictures, 99.52);
    near_values(q.score, q.sound);
    in.concealed = 0.05; /* 95 * 5 / 15 = 31.67 */
    near_values(rmi_quality_of(&in).sound, 100 * (93.2 - 0.48 - 31.667) / 93.2);
    in = good();
    in.rtt_ms = 600; /* 300 ms: 7.2 + 0.11 * 122.7 = 20.70 */
    near_values(rmi_quality_of(&in).sound, 100 * (93.2 - 20.697) / 93.2);
    in.sound_buffer_ms = 100;
    assert_true(rmi_quality_of(&in).sound < 70);
    in = good();
    in.frozen = 0.1;
    in.fps = 10;
    near_values(rmi_quality_of(&in).pictures, 100 * 0.8 * 10 / 15 - 0.48);
    in = good();
    in.loss = 0.10;
    near_values(rmi_quality_of(&in).score, 99.48 - 10);
}

/* RemoteMedia's rules: good up to 1 % and 100 ms, acceptable from 50 on, less with more loss and longer ways. */
static void what_is_worse_counts_less(void **state) {
    (void)state;
    double last = 101;
    for (int loss = 0; loss <= 60; loss += 5) {
        struct rmi_quality_input in = good();
        in.loss = loss / 100.0;
        in.concealed = loss / 400.0;
        const double s = score(in);
        assert_true((s < last || s == 0) && s >= 0);
        assert_true(loss > 5 || s >= 50);
        assert_true(loss < 30 || s < 50);
        last = s;
    }
    last = 101;
    for (int rtt = 0; rtt <= 3000; rtt += 100) {
        struct rmi_quality_input in = good();
        in.rtt_ms = rtt;
        const double s = score(in);
        assert_true((s < last || s == 0) && s >= 0);
        assert_true(rtt > 100 || s > 95);
        assert_true(rtt < 1500 || s < 50);
        last = s;
    }
}

static void what_does_not_come_is_not_judged(void **state) {
    (void)state;
    struct rmi_quality_input in = good();
    in.pictures = false;
    in.frozen = 1;
    assert_true(score(in) > 95 && rmi_quality_of(&in).pictures == 0);
    in = good();
    in.sound = false;
    in.concealed = 1;
    assert_true(score(in) > 95 && rmi_quality_of(&in).sound == 0);
    in.pictures = false;
    assert_true(score(in) == 0);
}

static void nonsense_stays_in_range(void **state) {
    (void)state;
    static const double values[] = {-1e9, -1, 0, 0.5, 2, 1e9, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 9; i++)
        for (size_t k = 0; k < 9; k++) {
            struct rmi_quality_input in = good();
            in.rtt_ms = in.sound_buffer_ms = in.concealed = values[i];
            in.frozen = in.fps = in.loss = values[k];
            const struct rmi_quality q = rmi_quality_of(&in);
            assert_true(q.score >= 0 && q.score <= 100 && q.sound >= 0 && q.sound <= 100);
            assert_true(q.pictures >= 0 && q.pictures <= 100);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_gives_what_it_says),
        cmocka_unit_test(what_is_worse_counts_less),
        cmocka_unit_test(what_does_not_come_is_not_judged),
        cmocka_unit_test(nonsense_stays_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
