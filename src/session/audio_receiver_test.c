/* SPDX-License-Identifier: Apache-2.0 */
/* Sound from a sender to a receiver, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/audio_link_testkit.h"

#define MINUTE RMI_SEC(60)

static struct rmi_audio_encoder_config encoder(uint32_t frame_us, uint32_t rate, int channels) {
    struct rmi_audio_encoder_config c;
    rmi_audio_encoder_config_init(&c);
    c.rate_hz = rate;
    c.channels = channels;
    c.frame_us = frame_us;
    c.bitrate_bps = 64000;
    return c;
}

static struct link_config calm(void) {
    return (struct link_config){.seed = 1,
                                .duration_us = RMI_SEC(10),
                                .encoder = encoder(10000, 48000, 1),
                                .source_rate = 48000,
                                .source_channels = 1,
                                .source_chunk_us = 10000,
                                .receiver = {.rate_hz = 48000, .channels = 1, .max_delay_us = RMI_MS(200)},
                                .settle_us = RMI_SEC(1)};
}

static struct rmi_audio_receiver_stats run(struct link *l, const struct link_config *c, const char *what) {
    struct rmi_audio_receiver_stats s;
    link_open(l, c);
    link_run_until(l, c->duration_us);
    rmi_audio_receiver_get_stats(l->receiver, &s);
    print_message("%-28s p50 %5.1f p95 %5.1f max %5.1f ms added, behind p95 %5.1f ms; concealed %.2f %%, fec %llu, "
                  "stretched %llu, copied %llu/%llu, pace off %.2f ms, back %.1f ms\n",
                  what, (double)rmi_histogram_percentile(&l->added, 50) / 1000,
                  (double)rmi_histogram_percentile(&l->added, 95) / 1000, (double)l->added.max / 1000,
                  (double)rmi_histogram_percentile(&l->behind, 95) / 1000,
                  100 * (double)s.concealed_samples / (double)(s.samples + 1), (unsigned long long)s.buffer.fec_played,
                  (unsigned long long)s.stretched_samples, (unsigned long long)s.copied_chunks,
                  (unsigned long long)s.chunks, (double)l->worst_step_us / 1000, (double)l->time_back_us / 1000);
    return s;
}

static void a_calm_network_costs_less_than_a_millisecond(void **state) {
    (void)state;
    struct link l;
    for (int64_t jitter = 0; jitter <= 1000; jitter += 500) {
        struct link_config c = calm();
        c.jitter_us = jitter;
        const struct rmi_audio_receiver_stats s = run(&l, &c, "calm");
        assert_true(rmi_histogram_percentile(&l.added, 95) <= 2000);
        assert_true(rmi_histogram_percentile(&l.added, 50) <= 1000);
        assert_true(s.concealed_samples <= s.samples / 100);
        assert_int_equal(s.stretched_samples, 0);
        link_close(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calm_network_costs_less_than_a_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
