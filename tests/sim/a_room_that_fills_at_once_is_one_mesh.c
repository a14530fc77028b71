/* SPDX-License-Identifier: Apache-2.0 */
/* Two to ten peers join within 50 ms over a signaling server that is up to 2 s away, and whose messages come twice and
 * overtake one another: each pair makes one connection, that both have, and never another. In every third room nobody
 * calls by itself; everybody is told to call everybody in the same moments, so that all calls collide. */
#include "support/mesh.h"
#include "support/sim_main.h"

#include <math.h>

#define PEERS_MAX 10
#define JOINS_WITHIN_US RMI_MS(50)
#define SIGNALING_MOST_US RMI_SEC(2)
#define FAULTS_MOST_PPM 200000
#define RTT_US RMI_MS(50)
/* Of one pair: until its offer and its answer have come, each by way of the server, from its WebSocket (4) and its
 * announcement (2). */
#define SIGNALING_LEGS 10
#define AFTER_US RMI_SEC(10)
#define SETTLED_US RMI_SEC(15) /* longer than ICE takes to fail: what is left over of a collision would show */
#define P99_MS 2000.0

static const char *const names[PEERS_MAX] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"};

struct figures {
    struct rmt_samples pair_us; /* from the last description that a pair needs, until both are connected */
    struct rmt_samples mesh_us; /* from the last join until all are connected, signaling included */
};

static const struct rmi_pc_steps *steps(const struct rmt_peer *p, const char *other) {
    return rmi_pc_steps_of(rmi_endpoint_peer(rmt_peer_endpoint(p), other));
}

static void measure(struct rmt_peer *const *peers, size_t n, struct figures *f) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++) {
            const struct rmi_pc_steps *a = steps(peers[i], names[k]), *b = steps(peers[k], names[i]);
            rmt_samples_add(&f->pair_us, rmi_max64(a->connected_us, b->connected_us) -
                                             rmi_max64(a->negotiated_us, b->negotiated_us));
        }
}

static void check_connected(struct rmt_vnet *v, struct rmt_peer *const *peers, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (k != i && rmt_peer_state(peers[i], names[k]) != RMI_PC_CONNECTED)
                rmt_vnet_fail(v, "%s is not connected with %s: %s", names[i], names[k],
                              rmi_pc_state_name(rmt_peer_state(peers[i], names[k])));
}

/* Each has one connection to each other, made once, and what one sends the other hears: they are the same one. */
static void check_mesh(struct rmt_vnet *v, struct rmt_peer *const *peers, size_t n) {
    check_connected(v, peers, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (k != i)
                RMT_CHECK_INT(v, rmt_peer_send_rtp(peers[i], names[k], (uint16_t)k), RM_OK);
    rmt_vnet_run_for(v, RMI_SEC(1));
    for (size_t i = 0; i < n; i++) {
        struct rmi_endpoint_stats s;
        rmi_endpoint_get_stats(rmt_peer_endpoint(peers[i]), &s);
        RMT_CHECK_INT(v, s.peers, n - 1);
        RMT_CHECK_INT(v, rmt_peer_entered(peers[i], RMI_PC_CONNECTED), n - 1);
        RMT_CHECK_INT(v, rmt_peer_entered(peers[i], RMI_PC_FAILED), 0);
        RMT_CHECK_INT(v, rmt_peer_rtp_received(peers[i]), n - 1);
    }
}

static bool print(struct rmt_samples *s, const char *metric, double limit_ms) {
    const double p50 = (double)rmt_samples_percentile(s, 50000) / 1000;
    const double p99 = (double)rmt_samples_percentile(s, 99000) / 1000;
    bool pass = rmt_figure_print(
        stdout,
        &(struct rmt_figure){
            .id = "MESH", .metric = metric, .unit = "ms", .value = p99, .limit = limit_ms, .goal = NAN, .n = s->n});
    printf("%s: p50 %.0f ms, p99 %.0f ms, max %.0f ms\n", metric, p50, p99, (double)rmt_samples_max(s) / 1000);
    rmt_samples_fini(s);
    return pass;
}

struct call {
    struct rmt_vnet *v;
    struct rmt_peer *from;
    const char *to;
};

static void call_now(void *ctx, int64_t now_us) {
    struct call *c = ctx;
    (void)now_us;
    rm_err err = rmi_endpoint_connect_peer(rmt_peer_endpoint(c->from), rmt_peer_now(c->from), c->to);
    RMT_CHECK(c->v, err == RM_OK || err == RM_E_EXISTS); /* exists: it has called first */
    rmt_peer_pump(c->from);
}

static bool all_ready(void *ctx) {
    struct rmt_peer *const *peers = ctx;
    for (size_t i = 0; i < PEERS_MAX && peers[i]; i++)
        if (!rmi_endpoint_ready_us(rmt_peer_endpoint(peers[i])))
            return false;
    return true;
}

/* All calls within what one message may take. */
static void call_everybody(struct rmt_vnet *v, struct rmi_prng *prng, struct rmt_peer **peers, size_t n,
                           int64_t within_us, struct call calls[PEERS_MAX * PEERS_MAX]) {
    RMT_CHECK(v, rmt_vnet_run_while_not(v, all_ready, peers, rmt_vnet_now(v) + SIGNALING_LEGS * within_us + AFTER_US));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            struct call *c = &calls[i * PEERS_MAX + k];
            *c = (struct call){.v = v, .from = peers[i], .to = names[k]};
            const int64_t wait_us = (int64_t)(rmi_prng_next(prng) % (uint64_t)(within_us + 1));
            if (k != i)
                rmt_vnet_at(v, rmt_vnet_now(v) + wait_us, call_now, c);
        }
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct figures *f = sim->user;
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, rmt_vnet_sub_seed(v, "joins"));
    const int64_t slowest_us = (int64_t)(rmi_prng_next(&prng) % (SIGNALING_MOST_US + 1));
    const int64_t delay_us = (int64_t)(rmi_prng_next(&prng) % (uint64_t)(slowest_us + 1));
    struct rmt_mesh *m = rmt_mesh_create(
        v, &(struct rmt_mesh_config){.signaling_delay_us = delay_us,
                                     .signaling_jitter_us = slowest_us - delay_us,
                                     .signaling_dup_ppm = (uint32_t)(rmi_prng_next(&prng) % FAULTS_MOST_PPM),
                                     .signaling_reorder_ppm = (uint32_t)(rmi_prng_next(&prng) % FAULTS_MOST_PPM)});
    const size_t n = 2 + seed % (PEERS_MAX - 1);
    const struct rmt_link link = {.delay_us = RTT_US / 4, .jitter_us = RMI_MS(1)};
    struct rmt_peer *peers[PEERS_MAX] = {0};
    struct call calls[PEERS_MAX * PEERS_MAX];
    const bool collide = seed % 3 == 0;
    for (size_t i = 0; i < n; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "192.0.2.%zu", i + 1);
        struct rmt_host *h = rmt_host_add(v, &(struct rmt_host_config){.name = names[i], .ips = {ip}});
        rmt_host_set_links(h, &link, &link);
        peers[i] =
            rmt_mesh_add(m, h, &(struct rmt_peer_options){.max_peers = PEERS_MAX - 1, .no_auto_connect = collide});
    }
    for (size_t i = 0; i < n; i++) {
        if (i)
            rmt_vnet_run_for(v, (int64_t)(rmi_prng_next(&prng) % (JOINS_WITHIN_US / (PEERS_MAX - 1))));
        rmt_peer_start(peers[i]);
    }
    if (collide)
        call_everybody(v, &prng, peers, n, slowest_us, calls);
    const int64_t last_us = rmt_vnet_now(v);
    (void)rmt_vnet_run_while_not(v, rmt_mesh_all_connected, m, last_us + SIGNALING_LEGS * slowest_us + AFTER_US);
    check_connected(v, peers, n);
    rmt_samples_add(&f->mesh_us, rmt_vnet_now(v) - last_us);
    measure(peers, n, f);
    rmt_vnet_run_for(v, SETTLED_US);
    check_mesh(v, peers, n);
    rmt_mesh_destroy(&m);
    rmt_sim_done(sim, &v);
    if (!sim->last)
        return;
    const bool pass = print(&f->pair_us, "pair_after_signaling_p99", P99_MS);
    print(&f->mesh_us, "mesh_with_signaling_p99", NAN);
    if (!pass)
        rmt_vnet_fail(NULL, "pairs take longer than %.0f ms after their signaling", P99_MS);
}

int main(int argc, char **argv) {
    struct figures f = {0};
    return rmt_sim_main(argc, argv, scenario, &f, 60, "a_room_that_fills_at_once_is_one_mesh");
}
