/* SPDX-License-Identifier: Apache-2.0 */
/* A room of four, each with a tone of its own: everybody hears each of the others, and that one only. */
#include "support/sim_duet.h"

#define PEERS 4
#define RUN_S 5
#define BUSY_US RMI_SEC(3)
#define TONE_SHARE 0.9 /* of the power of every chunk */
#define CONCEALED_MOST 0.01

static const char *const names[PEERS] = {"ann", "ben", "cleo", "dan"};
static const double tones_hz[PEERS] = {300, 500, 800, 1300};

static void check(struct rmt_vnet *v, struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, r->up);
    RMT_CHECK(v, r->chunks >= (RUN_S * 1000 / 10) - 2);
    RMT_CHECK(v, r->longest_pause_us < RMI_MS(20));
    RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
    RMT_CHECK(v, r->tone_share > TONE_SHARE);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static const char *const ips[PEERS] = {"192.0.2.1", "192.0.2.2", "198.51.100.3", "198.51.100.4"};
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_mesh *m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(10)});
    struct rmt_studio *s[PEERS];
    for (int i = 0; i < PEERS; i++) {
        struct rmt_host *h = rmt_host_add(v, &(struct rmt_host_config){.name = names[i], .ips = {ips[i]}});
        struct rmt_link link = {.delay_us = RMI_MS(5 * (i + 1)), .jitter_us = RMI_MS(seed % 3)};
        rmt_host_set_links(h, &link, &link);
        s[i] = rmt_studio_add(m, h, &(struct rmt_peer_options){.no_video = true},
                              &(struct rmt_studio_config){.sound = true, .tone_hz = tones_hz[i]});
        rmt_peer_start(rmt_studio_peer(s[i]));
        rmt_vnet_run_for(v, RMI_MS(seed * 37 % 200)); /* one after the other, or all at once */
    }
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, rmt_vnet_now(v) + RMI_SEC(10)));
    rmt_vnet_run_for(v, BUSY_US);
    for (int i = 0; i < PEERS; i++) {
        rmt_studio_forget(s[i]);
        for (int k = 0; k < PEERS; k++)
            if (k != i)
                rmt_studio_from(s[i], names[k])->expect_hz = tones_hz[k];
    }
    rmt_vnet_run_for(v, RMI_SEC(RUN_S));
    for (int i = 0; i < PEERS; i++)
        for (int k = 0; k < PEERS; k++)
            if (k != i) {
                rmt_reception_note(v, names[i], rmt_studio_from(s[i], names[k]));
                check(v, rmt_studio_from(s[i], names[k]));
            }
    rmt_mesh_destroy(&m);
    for (int i = 0; i < PEERS; i++)
        rmt_studio_destroy(&s[i]);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "four_peers_hear_one_another");
}
