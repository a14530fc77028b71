/* SPDX-License-Identifier: Apache-2.0 */
/* Others join and leave in mid-stream, some with a goodbye and some by dying, one of them more than the room holds:
 * those who stay hear one another all the while, chunk after chunk, and nothing else; and hear who comes, soon. */
#include "support/sim_duet.h"

#include <stdio.h>

#define STAYERS 3
#define COMERS 5
#define ROOM_MAX 6
#define CALM_US RMI_SEC(3)
#define RUN_S 20
#define COMER_STAYS_US RMI_SEC(4) /* and up to as much again */
#define HEARD_WITHIN_US RMI_SEC(2)
#define CONCEALED_MOST 0.002
#define TONE_SHARE 0.9 /* of the power of every chunk */

static const char *const stayers[STAYERS] = {"ann", "ben", "cleo"};
static const char *const comers[COMERS] = {"c0", "c1", "c2", "c3", "c4"};
static const double tones_hz[STAYERS] = {300, 500, 800};

struct room {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmt_studio *stay[STAYERS];
    uint32_t refused;
};

struct comer {
    struct room *room;
    struct rmt_host *host;
    struct rmt_studio *studio;
    const char *id;
    bool dies;
    int64_t stays_us;
};

static void go(void *ctx, int64_t now_us) {
    struct comer *c = ctx;
    (void)now_us;
    struct rmt_peer *p = rmt_studio_peer(c->studio);
    if (c->dies)
        rmt_peer_kill(p);
    else
        rmt_peer_close(p);
}

static void check_heard(void *ctx, int64_t now_us) {
    struct comer *c = ctx;
    const struct rmt_peer *p = rmt_studio_peer(c->studio);
    (void)now_us;
    if (rmt_peer_error(p, "") == RM_E_SESSION_LIMIT) {
        c->room->refused++;
        for (int i = 0; i < STAYERS; i++)
            RMT_CHECK_INT(c->room->v, rmt_studio_from(c->room->stay[i], c->id)->ups, 0);
        return;
    }
    for (int i = 0; i < STAYERS; i++) {
        RMT_CHECK(c->room->v, rmt_studio_from(c->room->stay[i], c->id)->chunks > 0);
        RMT_CHECK(c->room->v, rmt_studio_from(c->studio, stayers[i])->chunks > 0);
    }
}

static void come(void *ctx, int64_t now_us) {
    struct comer *c = ctx;
    c->studio = rmt_studio_add(c->room->m, c->host, &(struct rmt_peer_options){.no_video = true},
                               &(struct rmt_studio_config){.sound = true, .tone_hz = 1300});
    rmt_peer_start(rmt_studio_peer(c->studio));
    rmt_vnet_at(c->room->v, now_us + HEARD_WITHIN_US, check_heard, c);
    rmt_vnet_at(c->room->v, now_us + c->stays_us, go, c);
}

static struct rmt_host *add_host(struct rmt_vnet *v, const char *name, int number) {
    char ip[32];
    snprintf(ip, sizeof ip, "192.0.2.%d", number);
    struct rmt_host *h = rmt_host_add(v, &(struct rmt_host_config){.name = name, .ips = {ip}});
    const struct rmt_link link = {.delay_us = RMI_MS(5 + number), .jitter_us = RMI_MS(2)};
    rmt_host_set_links(h, &link, &link);
    return h;
}

static void check(struct rmt_vnet *v, struct rmt_reception *r) {
    rmt_reception_check_order(v, r);
    RMT_CHECK(v, r->up);
    RMT_CHECK_INT(v, r->ups, 1);
    RMT_CHECK(v, r->chunks >= RUN_S * 1000 / 10 - 2);
    RMT_CHECK(v, r->longest_pause_us < RMI_MS(20));
    RMT_CHECK_INT(v, r->sound_packets_lost, 0);
    RMT_CHECK(v, rmt_concealed_share(r) < CONCEALED_MOST);
    RMT_CHECK(v, r->tone_share > TONE_SHARE);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct room room = {.v = rmt_sim_vnet(sim, seed)};
    struct rmt_vnet *v = room.v;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "who comes when"));
    room.m = rmt_mesh_create(v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(20),
                                                          .signaling_jitter_us = RMI_MS(20),
                                                          .room_max_peers = ROOM_MAX});
    for (int i = 0; i < STAYERS; i++) {
        room.stay[i] =
            rmt_studio_add(room.m, add_host(v, stayers[i], i + 1), &(struct rmt_peer_options){.no_video = true},
                           &(struct rmt_studio_config){.sound = true, .tone_hz = tones_hz[i]});
        rmt_peer_start(rmt_studio_peer(room.stay[i]));
    }
    RMT_CHECK(v, rmt_vnet_run_while_not(v, rmt_mesh_all_connected, room.m, rmt_vnet_now(v) + RMI_SEC(10)));
    rmt_vnet_run_for(v, CALM_US);
    for (int i = 0; i < STAYERS; i++) {
        rmt_studio_forget(room.stay[i]);
        for (int k = 0; k < STAYERS; k++)
            if (k != i)
                rmt_studio_from(room.stay[i], stayers[k])->expect_hz = tones_hz[k];
    }
    struct comer c[COMERS];
    for (int i = 0; i < COMERS; i++) {
        c[i] = (struct comer){.room = &room,
                              .host = add_host(v, comers[i], 10 + i),
                              .id = comers[i],
                              .dies = rmi_prng_next(&prng) % 2,
                              .stays_us = COMER_STAYS_US + (int64_t)(rmi_prng_next(&prng) % COMER_STAYS_US)};
        const int64_t latest_us = RMI_SEC(RUN_S) - 2 * COMER_STAYS_US;
        rmt_vnet_at(v, rmt_vnet_now(v) + (int64_t)(rmi_prng_next(&prng) % (uint64_t)latest_us), come, &c[i]);
    }
    rmt_vnet_run_for(v, RMI_SEC(RUN_S));
    for (int i = 0; i < STAYERS; i++)
        for (int k = 0; k < STAYERS; k++)
            if (k != i) {
                rmt_reception_note(v, stayers[i], rmt_studio_from(room.stay[i], stayers[k]));
                check(v, rmt_studio_from(room.stay[i], stayers[k]));
            }
    rmt_vnet_note(v, "%u refused", room.refused);
    rmt_mesh_destroy(&room.m);
    for (int i = 0; i < STAYERS; i++)
        rmt_studio_destroy(&room.stay[i]);
    for (int i = 0; i < COMERS; i++)
        rmt_studio_destroy(&c[i].studio);
    rmt_sim_done(sim, &v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 6, "those_who_stay_hear_no_gap");
}
