/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's clock is 200 ppm fast or slow for ten minutes, 120 ms in all: sound is never much older than at the
 * beginning, and hardly anything is concealed. */
#include "support/sim_duet.h"

#define PPM 200
#define MINUTES 10
#define WARM_S 20
#define GROWTH_US RMI_MS(12) /* one chunk concealed because of jitter, and its way back */
#define CONCEALED_MOST 0.01  /* one packet in a hundred may come too late (src/jitter/audio.c) */
#define MARKERS_LEAST 0.97   /* that are concealed in part are not found */

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(10), .jitter_us = RMI_MS(1)};
    const struct rmt_duet_config config = {.up = link,
                                           .down = link,
                                           .no_video = true,
                                           .bob_skew_ppm = seed % 2 ? PPM : -PPM,
                                           .bob = {.sound = true, .sound_ms = 20}};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(1));
    struct rmt_reception *r = rmt_studio_from(d.alice, "bob");
    r->clock = d.bob_host;
    rmt_vnet_run_for(d.v, RMI_SEC(WARM_S));
    int64_t first_us = rmt_samples_percentile(&r->sound_age_us, 99000);
    rmt_studio_forget(d.alice);
    rmt_vnet_run_for(d.v, RMI_SEC(60 * MINUTES));
    r = rmt_studio_from(d.alice, "bob");
    RMT_CHECK(d.v, (double)r->markers >= MARKERS_LEAST * 2 * 60 * MINUTES);
    RMT_CHECK(d.v, rmt_samples_percentile(&r->sound_age_us, 99000) < first_us + GROWTH_US);
    RMT_CHECK(d.v, rmt_concealed_share(r) < CONCEALED_MOST);
    rmt_reception_check_order(d.v, r);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 2, "clocks_that_drift_keep_the_delay");
}
