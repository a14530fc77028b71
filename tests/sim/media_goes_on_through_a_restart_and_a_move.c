/* SPDX-License-Identifier: Apache-2.0 */
/* ICE restarts of either side and of both at once, in mid-stream, cost not one chunk or picture; after a change of
 * address media goes on over the new path, on the same connection and in the same streams. */
#include "support/sim_duet.h"

#define FPS 15
#define STEP_US RMI_SEC(2)
#define OUTAGE_US                                                                                                      \
    RMI_MS(1500)            /* from the change of address to the last of both streams: signaling, checks, key frame */
#define CONCEALED_MOST 0.01 /* of jitter */

static void restart(struct rmt_duet *d, struct rmt_studio *s, const char *other) {
    struct rmt_peer *p = rmt_studio_peer(s);
    RMT_CHECK_INT(d->v, rmi_endpoint_restart_ice(rmt_peer_endpoint(p), rmt_peer_now(p), other), RM_OK);
    rmt_peer_pump(p);
}

static uint32_t restarts(const struct rmt_duet *d) {
    struct rmi_ice_stats s;
    rmi_ice_get_stats(rmi_pc_ice(rmi_endpoint_peer(rmt_peer_endpoint(rmt_studio_peer(d->alice)), "bob")), &s);
    return s.restarts;
}

static void check_whole(struct rmt_vnet *v, const struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, r->pictures >= FPS * STEP_US / RMI_SEC(1) - 1);
    RMT_CHECK(v, r->longest_freeze_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK(v, r->longest_pause_us < RMI_MS(20));
    RMT_CHECK_INT(v, r->sound_packets_lost, 0);
    RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
}

/* The path came back within the time allowed, and with it both streams, the old ones. */
static void check_back(struct rmt_vnet *v, const struct rmt_reception *r, int64_t moved_us, int64_t now_us) {
    RMT_CHECK(v, r->longest_freeze_us < OUTAGE_US && now_us - r->last_picture_us < 2 * RMI_SEC(1) / FPS);
    RMT_CHECK(v, r->longest_pause_us < OUTAGE_US && now_us - r->last_chunk_us < RMI_MS(40));
    RMT_CHECK(v, now_us - moved_us > OUTAGE_US);
    RMT_CHECK_INT(v, r->ups, 1);
    rmt_reception_check_order(v, r);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link link = {.delay_us = RMI_MS(15), .jitter_us = RMI_MS(2)};
    const struct rmt_studio_config studio = {.sound = true, .pictures = true, .fps = FPS};
    const struct rmt_duet_config config = {
        .up = link, .down = link, .video_first = RMI_JSEP_VP8, .alice = studio, .bob = studio};
    struct rmt_duet d;
    rmt_duet_open(&d, sim, seed, &config, RMI_SEC(3));
    for (uint32_t round = 0; round < 3; round++) {
        if (round != 1)
            restart(&d, d.alice, "bob");
        if (round != 0)
            restart(&d, d.bob, "alice");
        rmt_vnet_run_for(d.v, STEP_US);
        RMT_CHECK(d.v, restarts(&d) > round);
        check_whole(d.v, rmt_studio_from(d.alice, "bob"));
        check_whole(d.v, rmt_studio_from(d.bob, "alice"));
        rmt_studio_forget(d.alice);
        rmt_studio_forget(d.bob);
    }
    rmt_vnet_run_for(d.v, RMI_MS(200)); /* so that an outage shows as a pause */
    int64_t moved_us = rmt_vnet_now(d.v);
    rmt_host_set_addr(d.bob_host, 0, "198.51.100.77");
    rmt_peer_interfaces_changed(rmt_studio_peer(d.bob));
    restart(&d, d.bob, "alice");
    rmt_vnet_run_for(d.v, RMI_SEC(4));
    check_back(d.v, rmt_studio_from(d.alice, "bob"), moved_us, rmt_vnet_now(d.v));
    check_back(d.v, rmt_studio_from(d.bob, "alice"), moved_us, rmt_vnet_now(d.v));
    rmt_duet_close(&d, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 20, "media_goes_on_through_a_restart_and_a_move");
}
