/* SPDX-License-Identifier: Apache-2.0 */
/* Delay and loss of sound between a sender and a receiver, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/audio_fec.h"
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

/* ---- FEC by measured loss, in sound of low delay ---- */

/* Something that the encoder takes for speech, as it copies nothing else: a buzz in syllables. */
static float speech(double t, int channel) {
    const double pitch = 120 * t + 3 * sin(LINK_TAU * 0.7 * t), phase = pitch - floor(pitch);
    const double syllable = 2.5 * t - floor(2.5 * t);
    (void)channel;
    return (float)((syllable < 0.9 ? 0.3 : 0.1) * (phase < 0.3 ? phase / 0.3 - 0.5 : 0.5 - (phase - 0.3) / 0.7));
}

/* What the network thread does once a second, for a peer that takes no copies. */
struct adapting {
    struct link link; /* first: steps get it */
    struct rmi_audio_fec fec;
    struct rmi_audio_encoder_config encoder;
    int percent;
};

static void follow_loss(void *ctx, int64_t step) {
    struct adapting *a = ctx;
    if (step % 100 != 0)
        return;
    const int percent = rmi_audio_fec_step(&a->fec, a->link.now_us, a->link.c.loss);
    if (percent == a->percent)
        return;
    a->percent = percent;
    a->encoder.use = percent ? RMI_AUDIO_USE_VOICE : RMI_AUDIO_USE_LOW_DELAY;
    a->encoder.fec = percent > 0;
    a->encoder.loss_percent = percent;
    assert_int_equal(rmi_audio_sender_configure(a->link.sender, &a->encoder), RM_OK);
}

static void loss_is_met_with_fec(void **state) {
    (void)state;
    static struct adapting a; /* too large for a stack */
    for (int percent = 5; percent <= 20; percent *= 2) {
        double share[2], late_ms[2];
        double left = 0;
        for (int fec = 0; fec < 2; fec++) {
            struct link_config c = calm();
            c.duration_us = MINUTE;
            c.settle_us = RMI_SEC(10);
            c.signal = speech;
            c.jitter_us = 1000;
            c.loss = percent / 100.0;
            c.encoder.use = RMI_AUDIO_USE_LOW_DELAY;
            c.encoder.complexity = 5;
            c.on_step = fec ? follow_loss : NULL;
            a = (struct adapting){.encoder = c.encoder};
            const struct rmi_audio_receiver_stats s = run(&a.link, &c, fec ? "met loss, %" : "unmet loss, %", percent);
            share[fec] = concealed(&s);
            struct rmi_audio_sender_stats out;
            rmi_audio_sender_get_stats(a.link.sender, &out);
            late_ms[fec] = ms(&a.link.behind, 50) + (double)out.lookahead_us / 1000;
            assert_int_equal(a.percent, fec ? (percent < 10 ? 10 : percent) : 0);
            assert_int_equal(a.link.time_back_us, 0);
            left = (double)(a.link.lost - a.link.mendable) / (double)a.link.sent;
            link_close(&a.link);
        }
        print_message("loss %d %%: concealed %.2f -> %.2f %%, without a copy %.2f %%; late %.1f -> %.1f ms\n", percent,
                      100 * share[0], 100 * share[1], 100 * left, late_ms[0], late_ms[1]);
        assert_true(share[1] <= 1.3 * left);
        /* A frame to wait for the copy in, and 4 ms that the encoder looks further ahead. */
        assert_true(late_ms[1] - late_ms[0] < 15);
        assert_true(share[1] < 0.5 * share[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_network_costs_less_than_a_millisecond),
        cmocka_unit_test(jitter_is_waited_for_and_forgotten),
        cmocka_unit_test(a_drifting_clock_does_not_add_up),
        cmocka_unit_test(lost_packets_come_from_their_copies),
        cmocka_unit_test(loss_is_met_with_fec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
