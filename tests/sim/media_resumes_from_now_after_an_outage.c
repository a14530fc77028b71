/* SPDX-License-Identifier: Apache-2.0 */
/* The network is away for some seconds: afterwards sound and pictures are those of now, soon and on the same streams;
 * nothing of the time in between is played out, but for repairs after an outage too short to be noticed as one. */
#include "support/sim_duet.h"

#define FPS 15
#define BACK_US RMI_SEC(2) /* from the network's return to sound and pictures */
#define WATCH_US RMI_SEC(4)
#define AGE_MOST_US RMI_MS(500) /* the first key frame on its way; one of the outage would be seconds old */
#define LIVENESS_US RMI_SEC(2)  /* what is shorter is repaired as losses are, from the sender's last second */

static bool both_play(void *ctx) {
    struct rmt_duet *d = ctx;
    const struct rmt_reception *a = rmt_studio_from(d->alice, "bob"), *b = rmt_studio_from(d->bob, "alice");
    return a->pictures && b->pictures && a->chunks && b->chunks;
}

static void check_now(struct rmt_vnet *v, struct rmt_reception *r, int64_t outage_us) {
    const int64_t most_us = outage_us < LIVENESS_US ? rmi_min64(outage_us, RMI_SEC(1)) + AGE_MOST_US : AGE_MOST_US;
    rmt_reception_check_order(v, r);
    RMT_CHECK_INT(v, r->ups, 1);
    rmt_vnet_note(v, "oldest picture %lld ms, sound %lld ms", (long long)rmt_samples_max(&r->picture_age_us) / 1000,
                  (long long)rmt_samples_max(&r->sound_age_us) / 1000);
    RMT_CHECK(v, rmt_samples_max(&r->picture_age_us) < most_us);
    RMT_CHECK(v, rmt_samples_max(&r->sound_age_us) < AGE_MOST_US);
    RMT_CHECK(v, r->pictures >= (uint64_t)(FPS * WATCH_US / RMI_SEC(1) - 2));
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(2)};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = RMI_JSEP_VP8, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(3));
    const int64_t from_us = rmt_vnet_now(d.v), back_us = from_us + RMI_MS(700) * (int64_t)(1 + seed % 10);
    rmt_host_blackhole(d.bob_host, from_us, back_us);
    rmt_vnet_run_until(d.v, back_us);
    rmt_studio_forget(d.alice);
    rmt_studio_forget(d.bob);
    const uint64_t pictures_a = rmt_studio_from(d.alice, "bob")->pictures;
    RMT_CHECK_INT(d.v, pictures_a, 0);
    RMT_CHECK(d.v, rmt_vnet_run_while_not(d.v, both_play, &d, back_us + BACK_US));
    rmt_vnet_run_for(d.v, WATCH_US);
    check_now(d.v, rmt_studio_from(d.alice, "bob"), back_us - from_us);
    check_now(d.v, rmt_studio_from(d.bob, "alice"), back_us - from_us);
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 10, "media_resumes_from_now_after_an_outage");
}
