/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "session/audio_fec.h"
#include <math.h>

/* So many seconds of one loss; the advice at the end. */
static int keep(struct rmi_audio_fec *f, int64_t *now_us, int seconds, double loss) {
    int percent = -1;
    for (int i = 0; i < seconds; i++) {
        percent = rmi_audio_fec_step(f, *now_us, loss);
        *now_us += RMI_SEC(1);
    }
    return percent;
}

static void losses_that_stay_turn_it_on(void **state) {
    (void)state;
    struct rmi_audio_fec f = {0};
    int64_t now_us = 0;
    assert_int_equal(keep(&f, &now_us, 100, 0.029), 0);
    assert_int_equal(keep(&f, &now_us, 2, 0.03), 0);
    assert_int_equal(keep(&f, &now_us, 1, 0.03), RMI_AUDIO_FEC_PERCENT_MIN);
}

static void one_bad_second_does_not(void **state) {
    (void)state;
    struct rmi_audio_fec f = {0};
    int64_t now_us = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(keep(&f, &now_us, 1, i % 3 ? 0.2 : 0), 0);
}

static void it_stays_on_until_ten_seconds_are_clean(void **state) {
    (void)state;
    struct rmi_audio_fec f = {0};
    int64_t now_us = 5;
    assert_true(keep(&f, &now_us, 3, 0.05) > 0);
    assert_true(keep(&f, &now_us, 1000, 0.01) > 0);
    for (int i = 0; i < 10; i++) { /* a new loss begins the wait anew */
        assert_true(keep(&f, &now_us, 10, 0.0) > 0);
        assert_true(keep(&f, &now_us, 1, 0.02) > 0);
    }
    assert_true(keep(&f, &now_us, 10, 0.009) > 0);
    assert_int_equal(keep(&f, &now_us, 1, 0.009), 0);
    assert_int_equal(keep(&f, &now_us, 2, 0.5), 0);
    assert_true(keep(&f, &now_us, 1, 0.5) > 0);
}

static void the_encoder_is_told_how_much(void **state) {
    (void)state;
    static const struct {
        double loss;
        int percent;
    } rows[] = {{0.03, 10}, {0.1, 10}, {0.101, 15}, {0.2, 20}, {0.25, 25}, {0.26, 25}, {1, 25}, {1e9, 25}, {0.04, 10}};
    struct rmi_audio_fec f = {0};
    int64_t now_us = 0;
    keep(&f, &now_us, 3, 0.1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(keep(&f, &now_us, 1, rows[i].loss), rows[i].percent);
}

static void what_is_no_number_is_no_loss(void **state) {
    (void)state;
    struct rmi_audio_fec f = {0};
    int64_t now_us = 0;
    assert_int_equal(keep(&f, &now_us, 10, (double)NAN), 0);
    assert_int_equal(keep(&f, &now_us, 10, -1), 0);
    assert_true(keep(&f, &now_us, 3, 0.1) > 0);
    assert_int_equal(keep(&f, &now_us, 11, (double)NAN), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_that_stay_turn_it_on),
        cmocka_unit_test(one_bad_second_does_not),
        cmocka_unit_test(it_stays_on_until_ten_seconds_are_clean),
        cmocka_unit_test(the_encoder_is_told_how_much),
        cmocka_unit_test(what_is_no_number_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
