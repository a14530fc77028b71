/* SPDX-License-Identifier: Apache-2.0 */
/* The network of one of two peers goes away for 0.2 to 20 s in one of many ways, and signaling with it or not. Both
 * hear each other again soon after it is back, on the same connection: keys, counters and queues of before. */
#include "support/mesh.h"
#include "support/sim_main.h"
#include "support/vnet_stun.h"
#include <math.h>

#define PACKET_US RMI_MS(20)
#define GOAL_US RMI_SEC(2)
#define LIMIT_US RMI_SEC(5)   /* SC-008: for 90 % of them */
#define CAP_US RMI_SEC(60)    /* worse than this is not recovered at all */
#define AFTER_US RMI_SEC(12)  /* watched afterwards: nothing falls apart */
#define NOTICE_US RMI_MS(100) /* until a host's owner hears of a change of its interfaces */
#define GOAL_SHARE 0.99
#define SEEDS 300
#define ENOUGH_FOR_SHARES 50

enum kind { CUT, ONE_WAY, NEW_ADDRESS, DOWN_AND_UP, REBOUND, REBOUND_BEHIND_NATS, MOVED, KINDS };
static const char *const names[] = {"cut",         "one-way cut",         "new address",    "interface down and up",
                                    "NAT rebound", "NAT rebound, 2 NATs", "another network"};

struct figures {
    struct rmt_samples all, of[KINDS];
    size_t new_connections;
};

struct world {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmt_host *ha, *hb;
    struct rmt_nat *na, *other;
    struct rmt_stun_server *stun;
    struct rmt_peer *a, *b;
    struct rmi_prng prng;
    uint16_t sequence;
    int64_t next_us; /* packet */
};

static uint64_t below(struct world *w, uint64_t n) {
    return rmi_prng_next(&w->prng) % n;
}

/* 0.2 to 20 s, as many short ones as long ones. */
static int64_t outage_us(struct world *w) {
    int64_t us = RMI_MS(200) << below(w, 7);
    us += (int64_t)below(w, (uint64_t)us);
    return rmi_min64(us, RMI_SEC(20));
}

static void open_world(struct world *w, uint64_t seed, struct rmt_sim *sim, enum kind kind) {
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    rmi_prng_seed(&w->prng, rmt_vnet_sub_seed(w->v, "outage"));
    int64_t delay_us = RMI_MS(5 + below(w, 60));
    w->m = rmt_mesh_create(w->v, &(struct rmt_mesh_config){.signaling_delay_us = delay_us,
                                                           .signaling_jitter_us = delay_us / 4,
                                                           .signaling_moves = true});
    bool nats = kind == REBOUND || kind == REBOUND_BEHIND_NATS || kind == MOVED;
    struct rmt_peer_options o = {
        .reconnect = {.max_retries = 5, .initial_us = RMI_SEC(1), .max_us = RMI_SEC(30), .multiplier = 2.0}};
    struct rmt_nat *nb = NULL;
    struct rmt_nat_config nat = {.name = "na", .outer_ip = "198.51.100.1"};
    nat.filtering = RMT_NAT_ADDRESS_PORT;
    if (nats)
        w->na = rmt_nat_add(w->v, &nat);
    if (kind == REBOUND_BEHIND_NATS) {
        nat.name = "nb";
        nat.outer_ip = "198.51.100.2";
        nb = rmt_nat_add(w->v, &nat);
    }
    if (kind == MOVED) {
        nat.name = "mobile";
        nat.outer_ip = "198.51.100.3";
        w->other = rmt_nat_add(w->v, &nat);
    }
    if (nats) {
        struct rmt_host *s = rmt_host_add(w->v, &(struct rmt_host_config){.name = "stun", .ips = {"203.0.113.9"}});
        w->stun = rmt_stun_server_create(s, &(struct rmt_stun_config){.ip = "203.0.113.9"});
        o.stun = rmt_stun_server_addr(w->stun);
    }
    w->ha = rmt_host_add(
        w->v, &(struct rmt_host_config){
                  .name = "alice", .ips = {nats ? "192.168.0.2" : "192.0.2.1"}, .nat = w->na, .skew_ppm = 100});
    w->hb = rmt_host_add(w->v,
                         &(struct rmt_host_config){
                             .name = "bob", .ips = {nb ? "192.168.1.2" : "203.0.113.20"}, .nat = nb, .skew_ppm = -100});
    struct rmt_link link = {.delay_us = delay_us, .jitter_us = delay_us / 5, .loss_ppm = (uint32_t)below(w, 20000)};
    rmt_host_set_links(w->ha, &link, &link);
    rmt_host_set_links(w->hb, &link, &link);
    w->a = rmt_mesh_add(w->m, w->ha, &o);
    w->b = rmt_mesh_add(w->m, w->hb, &o);
    bool first = below(w, 2);
    rmt_peer_start(first ? w->a : w->b);
    rmt_vnet_run_for(w->v, RMI_SEC(2));
    rmt_peer_start(first ? w->b : w->a);
    RMT_CHECK(w->v, rmt_vnet_run_while_not(w->v, rmt_mesh_all_connected, w->m, rmt_vnet_now(w->v) + RMI_SEC(8)));
    w->next_us = rmt_vnet_now(w->v);
}

static uint32_t connections(const struct rmt_peer *p) {
    struct rmi_endpoint_stats s;
    rmi_endpoint_get_stats(rmt_peer_endpoint(p), &s);
    return s.peers;
}

/* Both talk all the while. */
static void run_until(struct world *w, int64_t until_us) {
    while (rmt_vnet_now(w->v) < until_us) {
        if (w->next_us <= rmt_vnet_now(w->v)) {
            w->next_us += PACKET_US;
            w->sequence++;
            rmt_peer_send_rtp(w->a, "bob", w->sequence); /* refused while there is no connection */
            rmt_peer_send_rtp(w->b, "alice", w->sequence);
        }
        rmt_vnet_run_until(w->v, rmi_min64(w->next_us, until_us));
        RMT_CHECK(w->v, connections(w->a) <= 1 && connections(w->b) <= 1);
    }
}

static void change_address(struct world *w, enum kind kind) {
    if (kind == NEW_ADDRESS)
        rmt_host_set_addr(w->ha, 0, "192.0.2.77");
    else if (kind == MOVED)
        rmt_host_move(w->ha, 0, "10.9.0.2", w->other);
}

/* Until the network is back; returns when that was. */
static int64_t outage(struct world *w, enum kind kind) {
    const int64_t from_us = rmt_vnet_now(w->v), to_us = from_us + outage_us(w);
    const bool interface = kind == NEW_ADDRESS || kind == DOWN_AND_UP || kind == MOVED;
    const bool with_signaling = interface || below(w, 2);
    if (with_signaling)
        rmt_peer_signaling_cut(w->a);
    if (kind == ONE_WAY)
        rmt_wire_blackhole(rmt_host_wire(w->ha, 0, below(w, 2) ? RMT_UP : RMT_DOWN), from_us, to_us);
    else
        rmt_host_blackhole(w->ha, from_us, to_us);
    if (interface) {
        rmt_host_set_up(w->ha, 0, false);
        run_until(w, rmi_min64(from_us + NOTICE_US, to_us));
        rmt_peer_interfaces_changed(w->a);
    }
    run_until(w, to_us);
    if (w->na && !interface)
        rmt_nat_rebind(w->na);
    if (interface) {
        change_address(w, kind);
        rmt_host_set_up(w->ha, 0, true);
        rmt_peer_signaling_mend(w->a, 0); /* what matters is the new connection */
        run_until(w, to_us + NOTICE_US);
        rmt_peer_interfaces_changed(w->a);
    } else if (with_signaling) {
        rmt_peer_signaling_mend(w->a, (int64_t)below(w, (uint64_t)(to_us - from_us)));
    }
    return to_us;
}

static int64_t dtls_us(const struct rmt_peer *p, const char *other) {
    const struct rmi_pc *pc = rmi_endpoint_peer(rmt_peer_endpoint(p), other);
    return pc ? rmi_pc_steps_of(pc)->dtls_us : 0;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct figures *f = sim->user;
    struct world w;
    enum kind kind = (enum kind)(seed % KINDS);
    open_world(&w, seed, sim, kind);
    run_until(&w, rmt_vnet_now(w.v) + RMI_SEC(2) + (int64_t)below(&w, RMI_SEC(4)));
    const int64_t keys_a = dtls_us(w.a, "bob"), keys_b = dtls_us(w.b, "alice");
    uint64_t got_a = rmt_peer_rtp_received(w.a), got_b = rmt_peer_rtp_received(w.b);
    RMT_CHECK(w.v, got_a > 0 && got_b > 0);
    const int64_t back_us = outage(&w, kind);
    got_a = rmt_peer_rtp_received(w.a);
    got_b = rmt_peer_rtp_received(w.b);
    while (rmt_peer_rtp_received(w.a) == got_a || rmt_peer_rtp_received(w.b) == got_b) {
        RMT_CHECK(w.v, rmt_vnet_now(w.v) < back_us + CAP_US);
        run_until(&w, rmt_vnet_now(w.v) + RMI_MS(5));
    }
    const int64_t took_us = rmt_vnet_now(w.v) - back_us;
    rmt_vnet_note(w.v, "%s: heard again after %lld ms", names[kind], (long long)(took_us / 1000));
    rmt_samples_add(&f->all, took_us);
    rmt_samples_add(&f->of[kind], took_us);
    run_until(&w, rmt_vnet_now(w.v) + AFTER_US);
    RMT_CHECK(w.v, rmt_mesh_all_connected(w.m));
    RMT_CHECK_INT(w.v, connections(w.a) + connections(w.b), 2);
    f->new_connections += dtls_us(w.a, "bob") != keys_a || dtls_us(w.b, "alice") != keys_b;
    rmt_mesh_destroy(&w.m);
    if (w.stun)
        rmt_stun_server_destroy(&w.stun);
    rmt_sim_done(sim, &w.v);
}

static void print(struct figures *f) {
    size_t met = 0, within = 0;
    for (size_t i = 0; i < f->all.n; i++) {
        met += f->all.v[i] <= GOAL_US;
        within += f->all.v[i] <= LIMIT_US;
    }
    const double n = (double)f->all.n;
    for (int k = 0; k < KINDS; k++)
        printf("%-22s n %4zu  p50 %5lld  p90 %5lld  p99 %5lld  max %5lld ms\n", names[k], f->of[k].n,
               (long long)rmt_samples_percentile(&f->of[k], 50000) / 1000,
               (long long)rmt_samples_percentile(&f->of[k], 90000) / 1000,
               (long long)rmt_samples_percentile(&f->of[k], 99000) / 1000,
               (long long)rmt_samples_max(&f->of[k]) / 1000);
    const struct rmt_figure figures[] = {
        {"SC-008", "outages recovered within 2 s of the network's return", "share", (double)met / n, NAN, GOAL_SHARE,
         true, f->all.n},
        {"SC-008", "outages recovered within 5 s of the network's return", "share", (double)within / n, 0.9, NAN, true,
         f->all.n},
        {"SC-008", "recovery, median", "ms", (double)rmt_samples_percentile(&f->all, 50000) / 1000.0, NAN, NAN, false,
         f->all.n},
        {"SC-008", "recovery, 95th percentile", "ms", (double)rmt_samples_percentile(&f->all, 95000) / 1000.0, NAN, NAN,
         false, f->all.n},
        {"SC-008", "recovery, 99th percentile", "ms", (double)rmt_samples_percentile(&f->all, 99000) / 1000.0, NAN,
         2000, false, f->all.n},
        {"SC-008", "outages that cost the connection", "share", (double)f->new_connections / n, NAN, 0.01, false,
         f->all.n},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (!rmt_figure_print(stdout, &figures[i]) && f->all.n >= ENOUGH_FOR_SHARES)
            rmt_vnet_fail(NULL, "%s: %g", figures[i].metric, figures[i].value);
}

static void one(uint64_t seed, struct rmt_sim *sim) {
    scenario(seed, sim);
    if (sim->last)
        print(sim->user);
}

int main(int argc, char **argv) {
    static struct figures figures;
    return rmt_sim_main(argc, argv, one, &figures, SEEDS, "outages_end_within_two_seconds_of_the_networks_return");
}
