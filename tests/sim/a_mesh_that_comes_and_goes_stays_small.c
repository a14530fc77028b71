/* SPDX-License-Identifier: Apache-2.0 */
/* Peers join and leave at random, some with a goodbye and some by dying, for RM_MESH_HOURS virtual hours (default 1;
 * `make soak`: 24), while three stay. Whenever it is quiet all are connected with all, nobody has one connection too
 * many, and what those who stayed have in memory has not grown. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>

#define STAYERS 3
#define PEERS 10
#define ROUND_US RMI_SEC(1800)
#define STEP_LEAST_US RMI_SEC(5)
#define STEP_MORE_US RMI_SEC(60)
/* A newcomer signals and connects, a dead peer is noticed and given up. */
#define QUIET_US RMI_SEC(60)
#define ROUNDS_WARM 2 /* arrays and caches have grown to what they need */
/* What glibc keeps at hand of freed chunks varies by a kilobyte; a byte lost for each message would be more than this
 * within the hour, and eight for each peer that came within the 24. */
#define GROWTH_MOST ((int64_t)8 * 1024)

static const char *const names[PEERS] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"};

struct churn {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmt_host *hosts[PEERS];
    struct rmt_peer *peers[PEERS];
    struct rmi_prng prng;
    uint64_t joins, goodbyes, deaths;
};

static void join(struct churn *c, size_t i) {
    static const struct rmi_reconnect_policy again = {
        .max_retries = 5, .initial_us = RMI_SEC(1), .max_us = RMI_SEC(30), .multiplier = 2};
    c->peers[i] =
        rmt_mesh_add(c->m, c->hosts[i], &(struct rmt_peer_options){.max_peers = PEERS - 1, .reconnect = again});
    rmt_peer_start(c->peers[i]);
    c->joins++;
}

static void leave(struct churn *c, size_t i, bool dies) {
    if (dies)
        rmt_peer_kill(c->peers[i]);
    else
        rmt_peer_close(c->peers[i]);
    rmt_peer_free(&c->peers[i]);
    c->deaths += dies;
    c->goodbyes += !dies;
}

static void check_mesh(const struct churn *c) {
    size_t here = 0;
    for (size_t i = 0; i < PEERS; i++)
        here += c->peers[i] != NULL;
    for (size_t i = 0; i < PEERS; i++) {
        struct rmi_endpoint_stats s;
        if (!c->peers[i])
            continue;
        for (size_t k = 0; k < PEERS; k++)
            if (k != i && c->peers[k] && rmt_peer_state(c->peers[i], names[k]) != RMI_PC_CONNECTED)
                rmt_vnet_fail(c->v, "%s is not connected with %s: %s", names[i], names[k],
                              rmi_pc_state_name(rmt_peer_state(c->peers[i], names[k])));
        rmi_endpoint_get_stats(rmt_peer_endpoint(c->peers[i]), &s);
        RMT_CHECK_INT(c->v, s.peers, here - 1);
    }
}

static int64_t bytes_in_use(void) {
#ifdef __GLIBC__
    return (int64_t)mallinfo2().uordblks; /* 0 under sanitizers, which have a heap of their own */
#else
    return 0;
#endif
}

/* Half an hour of coming and going, a mesh of whoever is there then, and those who stay alone. */
static int64_t one_round(struct churn *c) {
    const int64_t end_us = rmt_vnet_now(c->v) + ROUND_US;
    while (rmt_vnet_now(c->v) < end_us) {
        const size_t i = STAYERS + rmi_prng_next(&c->prng) % (PEERS - STAYERS);
        if (c->peers[i])
            leave(c, i, rmi_prng_next(&c->prng) % 3 == 0);
        else
            join(c, i);
        rmt_vnet_run_for(c->v, STEP_LEAST_US + (int64_t)(rmi_prng_next(&c->prng) % STEP_MORE_US));
    }
    rmt_vnet_run_for(c->v, QUIET_US);
    check_mesh(c);
    for (size_t i = STAYERS; i < PEERS; i++)
        if (c->peers[i])
            leave(c, i, false);
    rmt_vnet_run_for(c->v, QUIET_US);
    check_mesh(c);
    return bytes_in_use();
}

/* Of all connections of those who stay, summed up. */
static int64_t connected_since(const struct churn *c) {
    int64_t sum_us = 0;
    for (size_t i = 0; i < STAYERS; i++)
        for (size_t k = 0; k < STAYERS; k++)
            if (k != i)
                sum_us += rmi_pc_steps_of(rmi_endpoint_peer(rmt_peer_endpoint(c->peers[i]), names[k]))->connected_us;
    return sum_us;
}

static uint64_t hours(void) {
    const char *text = getenv("RM_MESH_HOURS");
    const uint64_t n = text ? strtoull(text, NULL, 10) : 1;
    return n ? n : 1;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct churn c = {.v = rmt_sim_vnet(sim, seed)};
    rmi_prng_seed(&c.prng, rmt_vnet_sub_seed(c.v, "who comes and goes"));
    c.m = rmt_mesh_create(c.v, &(struct rmt_mesh_config){.signaling_delay_us = RMI_MS(20),
                                                         .signaling_jitter_us = RMI_MS(20),
                                                         .reuse_pipes = true});
    const struct rmt_link link = {.delay_us = RMI_MS(12), .jitter_us = RMI_MS(3)};
    for (size_t i = 0; i < PEERS; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "192.0.2.%zu", i + 1);
        c.hosts[i] = rmt_host_add(c.v, &(struct rmt_host_config){.name = names[i], .ips = {ip}});
        rmt_host_set_links(c.hosts[i], &link, &link);
    }
    for (size_t i = 0; i < STAYERS; i++)
        join(&c, i);
    const uint64_t rounds = hours() * RMI_SEC(3600) / ROUND_US + ROUNDS_WARM;
    int64_t first = 0, last = 0, since_us = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        last = one_round(&c);
        rmt_vnet_note(c.v, "round %" PRIu64 ": %" PRId64 " bytes", round, last);
        if (round < ROUNDS_WARM) {
            first = last;
            since_us = connected_since(&c);
        }
    }
    RMT_CHECK_INT(c.v, connected_since(&c), since_us); /* they have had the same connections all the while */
    if (last - first > GROWTH_MOST)
        rmt_vnet_fail(c.v, "%" PRId64 " bytes more than after %d rounds", last - first, ROUNDS_WARM);
    if (sim->last)
        printf("%" PRIu64 " virtual hours: %" PRIu64 " joins, %" PRIu64 " goodbyes, %" PRIu64 " deaths; %+" PRId64
               " bytes of %" PRId64 "\n",
               hours(), c.joins, c.goodbyes, c.deaths, last - first, first);
    rmt_mesh_destroy(&c.m);
    rmt_sim_done(sim, &c.v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 2, "a_mesh_that_comes_and_goes_stays_small");
}
