/* SPDX-License-Identifier: Apache-2.0 */
/* A peer leaves, or dies, in mid-stream and comes back under its name at once, with other numbers: the other side plays
 * the new streams from their beginning, and nothing of the old ones. */
#include "support/sim_duet.h"

#define FPS 15
#define BACK_US RMI_SEC(1) /* to be heard and seen again */
#define RUN_US RMI_SEC(3)

static void check_playing(struct rmt_vnet *v, struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, r->pictures >= FPS * RUN_US / RMI_SEC(1) - 1);
    RMT_CHECK(v, r->longest_freeze_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK(v, r->longest_pause_us < RMI_MS(20));
    RMT_CHECK(v, r->markers >= 4);
    RMT_CHECK(v, rmt_samples_max(&r->picture_age_us) < RMI_MS(50) && rmt_samples_max(&r->sound_age_us) < RMI_MS(60));
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(10)};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = RMI_JSEP_VP8, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(2));
    uint32_t ssrc = rmt_studio_from(d.alice, "bob")->rtp.in[RMI_RTP_VIDEO].ssrc;
    for (int turn = 0; turn < 2; turn++) {
        if ((seed + (uint64_t)turn) % 2)
            rmt_peer_close(rmt_studio_peer(d.bob));
        else
            rmt_peer_kill(rmt_studio_peer(d.bob)); /* alice learns of it when he is back */
        rmt_vnet_run_for(d.v, RMI_MS(seed % 5 * 50));
        struct rmt_studio *gone = d.bob;
        d.bob = rmt_studio_add(d.mesh, d.bob_host, &d.options, &config.bob);
        rmt_peer_start(rmt_studio_peer(d.bob));
        rmt_vnet_run_for(d.v, BACK_US);
        struct rmt_reception *r = rmt_studio_from(d.alice, "bob");
        RMT_CHECK_INT(d.v, r->ups, turn + 2);
        RMT_CHECK(d.v, r->rtp.in[RMI_RTP_VIDEO].ssrc != ssrc);
        ssrc = r->rtp.in[RMI_RTP_VIDEO].ssrc;
        rmt_studio_forget(d.alice);
        rmt_studio_forget(d.bob);
        rmt_vnet_run_for(d.v, RUN_US);
        check_playing(d.v, rmt_studio_from(d.alice, "bob"));
        check_playing(d.v, rmt_studio_from(d.bob, "alice"));
        rmt_studio_destroy(&gone);
    }
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "a_peer_that_returns_is_heard_and_seen_anew");
}
