/* SPDX-License-Identifier: Apache-2.0 */
/* A source and its viewers. Three with connections of 3, 1 and 0.3 Mbit/s: each has its own rung within ten seconds,
 * and from there on none sees its pictures stand still for half a second. Nine that are alike: one encoder; a tenth
 * that comes sees pictures soon, and none of the others misses one. There is sound with the pictures, 64 kbit/s of it
 * in packets of 10 ms, or of 20 with even seeds: on 0.3 Mbit/s it makes room for them. */
#include "support/sim_media.h"

#include <stdio.h>

#define NAME_MAX_LEN 24
#define ALIKE 9
#define SETTLE_S 10
#define ALIKE_SETTLE_S 20
#define CALM_S 30
#define FREEZE_MAX_US RMI_MS(500)
#define ALIKE_BPS 6000000
#define FIRST_PICTURE_US RMI_SEC(2)
#define FPS 15
#define SOUND_BPS 64000

static const struct rmi_cc_limits rates = {.min_bps = 50000, .start_bps = 1000000, .max_bps = 8000000};
/* The defaults of config.video_rungs, and of pictures above them. */
static const struct rmi_rungs rungs = {.count = 3,
                                       .rung = {{1280, 720, 2000000}, {640, 360, 600000}, {320, 180, 200000}}};

struct hall {
    struct rmt_sim *sim;
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmt_studio *source;
    struct rmt_studio *viewer[ALIKE + 1];
    int count;
};

static struct rmt_host *add_host(struct hall *h, const char *name, int number, int64_t down_bps) {
    char ip[32];
    snprintf(ip, sizeof ip, "192.0.2.%d", number);
    struct rmt_host *host = rmt_host_add(h->v, &(struct rmt_host_config){.name = name, .ips = {ip}});
    const struct rmt_link up = {.delay_us = RMI_MS(20), .jitter_us = RMI_MS(2)};
    struct rmt_link down = up;
    down.rate_bps = down_bps;
    rmt_host_set_links(host, &up, &down);
    return host;
}

static void open_hall(struct hall *h, uint64_t seed, struct rmt_sim *sim, uint32_t width, uint32_t height) {
    *h = (struct hall){.sim = sim, .v = rmt_sim_vnet(sim, seed)};
    h->m =
        rmt_mesh_create(h->v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(20), .room_max_peers = ALIKE + 2});
    h->source =
        rmt_studio_add(h->m, add_host(h, "source", 1, 0),
                       &(struct rmt_peer_options){.video_first = RMI_JSEP_H264, .rates = rates, .max_peers = ALIKE + 1},
                       &(struct rmt_studio_config){.sound = true,
                                                   .sound_ms = seed % 2 ? 10 : 20,
                                                   .sound_bps = SOUND_BPS,
                                                   .pictures = true,
                                                   .width = width,
                                                   .height = height,
                                                   .fps = FPS,
                                                   .rungs = rungs});
    rmt_peer_start(rmt_studio_peer(h->source));
}

static void name_of(int viewer, char name[NAME_MAX_LEN]) {
    snprintf(name, NAME_MAX_LEN, "viewer-%d", viewer);
}

static void add_viewer(struct hall *h, int64_t down_bps) {
    char name[NAME_MAX_LEN];
    name_of(h->count, name);
    h->viewer[h->count] =
        rmt_studio_add(h->m, add_host(h, name, 10 + h->count, down_bps),
                       &(struct rmt_peer_options){.video_first = RMI_JSEP_H264, .rates = rates, .max_peers = ALIKE + 1},
                       &(struct rmt_studio_config){.any_size = true});
    rmt_peer_start(rmt_studio_peer(h->viewer[h->count++]));
}

static int rung_of(struct hall *h, int viewer) {
    char name[NAME_MAX_LEN];
    name_of(viewer, name);
    return rmt_studio_rung(h->source, name);
}

static bool is_narrow(struct hall *h, int viewer) {
    char name[NAME_MAX_LEN];
    name_of(viewer, name);
    return rmt_studio_narrow(h->source, name);
}

static struct rmt_reception *seen_by(struct hall *h, int viewer) {
    return rmt_studio_from(h->viewer[viewer], "source");
}

static void forget(struct hall *h) {
    for (int i = 0; i < h->count; i++)
        rmt_studio_forget(h->viewer[i]);
}

static void close_hall(struct hall *h) {
    rmt_mesh_destroy(&h->m);
    rmt_studio_destroy(&h->source);
    for (int i = 0; i < h->count; i++)
        rmt_studio_destroy(&h->viewer[i]);
    rmt_sim_done(h->sim, &h->v);
}

static void each_has_its_own(uint64_t seed, struct rmt_sim *sim) {
    static const int64_t down_bps[] = {3000000, 1000000, 300000};
    struct hall h;
    open_hall(&h, seed, sim, rungs.rung[0].max_width, rungs.rung[0].max_height);
    for (int i = 0; i < 3; i++)
        add_viewer(&h, down_bps[i]);
    RMT_CHECK(h.v, rmt_vnet_run_while_not(h.v, rmt_mesh_all_connected, h.m, rmt_vnet_now(h.v) + RMI_SEC(5)));
    int64_t settled_us[3] = {0};
    const int64_t begin_us = rmt_vnet_now(h.v);
    while (rmt_vnet_now(h.v) < begin_us + RMI_SEC(SETTLE_S)) {
        rmt_vnet_run_for(h.v, RMI_MS(100));
        for (int i = 0; i < 3; i++)
            if (rung_of(&h, i) != i)
                settled_us[i] = rmt_vnet_now(h.v) - begin_us;
    }
    for (int i = 0; i < 3; i++) {
        const struct rmt_reception *r = seen_by(&h, i);
        rmt_vnet_note(h.v, "viewer %d: on rung %d after %.1f s; longest freeze until then %.0f ms", i, i,
                      (double)settled_us[i] / 1e6, (double)r->longest_freeze_us / 1e3);
        RMT_CHECK_INT(h.v, rung_of(&h, i), i);
    }
    RMT_CHECK_INT(h.v, rmt_studio_encoders(h.source), 3);
    forget(&h);
    for (int s = 0; s < CALM_S; s++) {
        rmt_vnet_run_for(h.v, RMI_SEC(1));
        for (int i = 0; i < 3; i++)
            RMT_CHECK_INT(h.v, rung_of(&h, i), i);
    }
    for (int i = 0; i < 3; i++) {
        const struct rmt_reception *r = seen_by(&h, i);
        rmt_vnet_note(h.v, "viewer %d: %llu pictures in %d s, longest freeze %.0f ms; sound %s, longest gap %.0f ms", i,
                      (unsigned long long)r->pictures, CALM_S, (double)r->longest_freeze_us / 1e3,
                      is_narrow(&h, i) ? "narrow" : "full", (double)r->longest_gap_us / 1e3);
        RMT_CHECK(h.v, r->longest_freeze_us < FREEZE_MAX_US);
        RMT_CHECK(h.v, r->pictures > CALM_S * FPS / 4);
        RMT_CHECK_INT(h.v, r->picture_disorder, 0);
    }
    close_hall(&h);
}

static void alike_share_one(uint64_t seed, struct rmt_sim *sim) {
    struct hall h;
    open_hall(&h, seed, sim, 320, 180);
    for (int i = 0; i < ALIKE; i++)
        add_viewer(&h, ALIKE_BPS);
    RMT_CHECK(h.v, rmt_vnet_run_while_not(h.v, rmt_mesh_all_connected, h.m, rmt_vnet_now(h.v) + RMI_SEC(5)));
    /* Nine that begin together begin low: one whose rate is found late may have been a rung down for a while. */
    rmt_vnet_run_for(h.v, RMI_SEC(ALIKE_SETTLE_S));
    RMT_CHECK_INT(h.v, rmt_studio_encoders(h.source), 1);
    forget(&h);
    add_viewer(&h, ALIKE_BPS);
    const int64_t begin_us = rmt_vnet_now(h.v);
    while (seen_by(&h, ALIKE)->pictures == 0 && rmt_vnet_now(h.v) < begin_us + FIRST_PICTURE_US)
        rmt_vnet_run_for(h.v, RMI_MS(10));
    RMT_CHECK(h.v, seen_by(&h, ALIKE)->pictures > 0);
    rmt_vnet_note(h.v, "the tenth sees pictures after %.0f ms", (double)(rmt_vnet_now(h.v) - begin_us) / 1e3);
    rmt_vnet_run_for(h.v, RMI_SEC(ALIKE_SETTLE_S));
    for (int i = 0; i < h.count; i++) {
        RMT_CHECK_INT(h.v, rung_of(&h, i), 0);
        RMT_CHECK(h.v, seen_by(&h, i)->longest_freeze_us < 3 * RMI_SEC(1) / FPS); /* not one is missing */
        RMT_CHECK_INT(h.v, seen_by(&h, i)->picture_disorder, 0);
    }
    RMT_CHECK_INT(h.v, rmt_studio_encoders(h.source), 1);
    close_hall(&h);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    each_has_its_own(seed, sim);
    alike_share_one(seed, sim);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 4, "viewers_settle_on_their_rungs");
}
