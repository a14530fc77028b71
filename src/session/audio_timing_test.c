/* SPDX-License-Identifier: Apache-2.0 */
/* Delay and loss of sound between a sender and a receiver, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/audio_link_testkit.h"

static void a_calm_network_costs_less_than_a_millisecond(void **state) {
    (void)state;
    struct link l;
    for (int64_t jitter = 0; jitter <= 1000; jitter += 500) {
        struct link_config c = calm();
        c.jitter_us = jitter;
        const struct rmi_audio_receiver_stats s = run(&l, &c, "calm, jitter us", jitter);
        assert_true(ms(&l.added, 95) <= 1.6);
        assert_true(ms(&l.added, 50) <= 1.0);
        assert_int_equal(s.concealed_samples, 0);
        assert_int_equal(s.stretched_samples, 0);
        assert_int_equal(s.copied_chunks, 0);
        assert_true(l.worst_step_us < 500);
        link_close(&l);
    }
}

static void jitter_is_waited_for_and_forgotten(void **state) {
    (void)state;
    struct link l;
    for (int64_t jitter = 10000; jitter <= 60000; jitter += 25000) {
        struct link_config c = wideband();
        c.duration_us = MINUTE;
        c.settle_us = RMI_SEC(5);
        c.signal = hum;
        c.jitter_us = jitter;
        const struct rmi_audio_receiver_stats s = run(&l, &c, "jitter us", jitter);
        assert_true(concealed(&s) < 0.015);
        assert_true(ms(&l.added, 50) < 0.6 * (double)jitter / 1000 + 2);
        l.c.jitter_us = 0;
        link_run_until(&l, 2 * MINUTE);
        rmi_histogram_reset(&l.added);
        link_run_until(&l, 2 * MINUTE + RMI_SEC(10));
        assert_true(ms(&l.added, 95) <= 2);
        link_close(&l);
    }
}

static void a_drifting_clock_does_not_add_up(void **state) {
    (void)state;
    struct link l;
    for (int ppm = -200; ppm <= 200; ppm += 400) {
        struct link_config c = wideband();
        c.duration_us = 10 * MINUTE;
        c.jitter_us = 1000;
        c.signal = hum;
        c.drift_ppm = ppm;
        const struct rmi_audio_receiver_stats s = run(&l, &c, "drift ppm", ppm);
        assert_true(ms(&l.added, 95) <= 2.5);
        assert_true(concealed(&s) < 0.001);
        assert_int_equal(s.stretched_samples, 0);
        rmi_histogram_reset(&l.added);
        rmi_histogram_reset(&l.behind);
        link_run_until(&l, 11 * MINUTE);
        /* From mouth to chunk, less the network and the frame itself; the ten minutes' drift would be 120 ms. */
        assert_true(ms(&l.behind, 95) <= 3);
        assert_true(l.worst_step_us < 1000);
        link_close(&l);
    }
}

static void lost_packets_come_from_their_copies(void **state) {
    (void)state;
    struct link l;
    for (int percent = 5; percent <= 20; percent *= 2) {
        double share[2];
        for (int fec = 0; fec < 2; fec++) {
            struct link_config c = wideband();
            c.duration_us = MINUTE;
            c.encoder.use = RMI_AUDIO_USE_VOICE;
            c.encoder.bitrate_bps = 32000;
            c.encoder.complexity = 5;
            c.encoder.fec = fec;
            c.encoder.loss_percent = percent;
            c.loss = percent / 100.0;
            c.jitter_us = 1000;
            const struct rmi_audio_receiver_stats s = run(&l, &c, fec ? "loss with fec, %" : "loss, %", percent);
            share[fec] = concealed(&s);
            assert_true(share[fec] < 1.15 * percent / 100.0);
            assert_true(fec ? s.buffer.fec_played > 50 : s.buffer.fec_played == 0);
            link_close(&l);
        }
        assert_true(share[1] < 0.6 * share[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_network_costs_less_than_a_millisecond),
        cmocka_unit_test(jitter_is_waited_for_and_forgotten),
        cmocka_unit_test(a_drifting_clock_does_not_add_up),
        cmocka_unit_test(lost_packets_come_from_their_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
