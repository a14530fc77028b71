/* SPDX-License-Identifier: Apache-2.0 */
/* Two to four peers, and twenty faults drawn at random: cuts, one-way cuts, cuts between two, new addresses, interfaces
 * down, NATs that forget, loss, a signaling server away or out of reach, crashes, restarts nobody needs. After every
 * event nobody has two connections to one peer, nor to anybody else; when all is well again, all are connected. */
#include "support/mesh.h"
#include "support/sim_main.h"
#include "support/vnet_stun.h"

#include <string.h>

#define PEERS_MAX 4
#define FAULTS 20
#define FAULT_MAX_US RMI_SEC(8) /* between two faults; some last longer, most do not */
#define LASTS_MAX_US RMI_SEC(40)
#define NOTICE_US RMI_MS(100)  /* until a host's owner hears of a change of its interfaces */
#define HEALED_US RMI_SEC(120) /* the circuit breaker waits up to 37.5 s, an attempt takes 10 s, and may be in vain */
#define GHOST_US RMI_SEC(60)   /* the server finds them within 45 s */
#define STAYS_US RMI_SEC(40)   /* longer than consent: what has come together stays */
#define SEEDS 200

static const char *const names[PEERS_MAX] = {"ann", "bob", "cem", "dot"};

struct world {
    struct rmt_vnet *v;
    struct rmt_mesh *m;
    struct rmi_prng prng;
    size_t n;
    struct rmt_host *hosts[PEERS_MAX];
    struct rmt_nat *nats[PEERS_MAX]; /* NULL: in the open */
    struct rmt_peer *peers[PEERS_MAX];
    struct rmt_peer_options options;
    bool cut[PEERS_MAX];      /* from the signaling server */
    uint32_t seen[PEERS_MAX]; /* connections at the last look */
    unsigned addresses;
    bool server_down;
};

static uint64_t below(struct world *w, uint64_t n) {
    return rmi_prng_next(&w->prng) % n;
}

static uint32_t connections(const struct rmt_peer *p) {
    struct rmi_endpoint_stats s = {0};
    if (rmt_peer_endpoint(p))
        rmi_endpoint_get_stats(rmt_peer_endpoint(p), &s);
    return s.peers;
}

/* All live connections are to others, each to another one. */
static bool distinct(const struct world *w, size_t k, uint32_t count) {
    unsigned mask = 1u << k;
    for (uint32_t i = 0; i < count; i++) {
        struct rmi_peer_snapshot s;
        if (!rmi_endpoint_snapshot(rmt_peer_endpoint(w->peers[k]), i, &s))
            return false;
        size_t other = 0;
        while (other < w->n && strcmp(names[other], s.peer_id) != 0)
            other++;
        if (other == w->n || mask & 1u << other)
            return false;
        mask |= 1u << other;
    }
    return true;
}

static bool one_connection_each(void *ctx, char *why, size_t cap) {
    struct world *w = ctx;
    for (size_t k = 0; k < w->n; k++) {
        const uint32_t count = w->peers[k] ? connections(w->peers[k]) : 0;
        if (count == w->seen[k])
            continue;
        w->seen[k] = count;
        if (count < w->n && distinct(w, k, count))
            continue;
        snprintf(why, cap, "%s has %u connections, to somebody twice or to itself", names[k], count);
        return false;
    }
    return true;
}

static void join(struct world *w, size_t k) {
    struct rmt_peer_options o = w->options;
    o.id = names[k];
    w->peers[k] = rmt_mesh_add(w->m, w->hosts[k], &o);
    rmt_peer_start(w->peers[k]);
}

static void open_world(struct world *w, uint64_t seed, struct rmt_sim *sim) {
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    rmi_prng_seed(&w->prng, rmt_vnet_sub_seed(w->v, "faults"));
    w->n = 2 + below(w, PEERS_MAX - 1);
    w->m = rmt_mesh_create(w->v, &(struct rmt_mesh_config){.signaling_delay_us = (int64_t)RMI_MS(5 + below(w, 100)),
                                                           .signaling_jitter_us = RMI_MS(10),
                                                           .signaling_moves = true});
    w->options = (struct rmt_peer_options){
        .reconnect = {.max_retries = 100, .initial_us = RMI_MS(500), .max_us = RMI_SEC(5), .multiplier = 1.5}};
    char ip[32], name[RMT_NAME_MAX];
    for (size_t k = 0; k < w->n; k++) {
        if (below(w, 3) == 0) { /* an endpoint-independent mapping, so that any two can meet */
            snprintf(name, sizeof name, "nat-%s", names[k]);
            snprintf(ip, sizeof ip, "198.51.100.%zu", k + 1);
            w->nats[k] = rmt_nat_add(
                w->v, &(struct rmt_nat_config){.name = name, .outer_ip = ip, .filtering = RMT_NAT_ADDRESS_PORT});
        }
        snprintf(ip, sizeof ip, "%s.%zu", w->nats[k] ? "192.168.0" : "192.0.2", k + 10);
        w->hosts[k] = rmt_host_add(
            w->v, &(struct rmt_host_config){
                      .name = names[k], .ips = {ip}, .nat = w->nats[k], .skew_ppm = (int32_t)below(w, 400) - 200});
        struct rmt_link link = {.delay_us = (int64_t)RMI_MS(1 + below(w, 60)), .jitter_us = RMI_MS(1)};
        rmt_host_set_links(w->hosts[k], &link, &link);
    }
}

static void notice(struct world *w, size_t k) {
    rmt_vnet_run_for(w->v, NOTICE_US);
    if (w->peers[k])
        rmt_peer_interfaces_changed(w->peers[k]);
}

static void new_address(struct world *w, size_t k) {
    char ip[32];
    snprintf(ip, sizeof ip, "%s.%u", w->nats[k] ? "192.168.1" : "192.0.2", 100 + w->addresses++);
    rmt_host_set_addr(w->hosts[k], 0, ip);
    notice(w, k);
}

static void lose_packets(struct world *w, size_t k, uint32_t ppm) {
    for (int dir = RMT_UP; dir <= RMT_DOWN; dir++) {
        struct rmt_wire *wire = rmt_host_wire(w->hosts[k], 0, (enum rmt_dir)dir);
        struct rmt_link link = rmt_wire_get(wire);
        link.loss_ppm = ppm;
        rmt_wire_set(wire, &link);
    }
}

/* The server knows everybody by the connection it has: nobody is taken for a ghost. A process that dies beside its
 * ghost would find its id taken when it comes back, by itself as far as anybody can tell. */
static bool nobody_is_a_ghost(void *ctx) {
    const struct world *w = ctx;
    size_t living = 0;
    bool cut = false;
    for (size_t k = 0; k < w->n; k++) {
        living += w->peers[k] != NULL;
        cut = cut || w->cut[k];
    }
    return !w->server_down && !cut && rmt_mesh_server_stats(w->m).peers == living;
}

static void crash_or_return(struct world *w, size_t k) {
    if (!nobody_is_a_ghost(w))
        return;
    if (!w->peers[k]) {
        join(w, k);
        return;
    }
    if (below(w, 2))
        rmt_peer_kill(w->peers[k]);
    else
        rmt_peer_close(w->peers[k]);
    w->peers[k] = NULL;
    w->seen[k] = 0;
}

static void restart_ice(struct world *w, size_t k, size_t other) {
    if (!w->peers[k])
        return;
    rmt_peer_pump(w->peers[k]);
    rmi_endpoint_restart_ice(rmt_peer_endpoint(w->peers[k]), rmt_peer_now(w->peers[k]), names[other]);
    rmt_peer_pump(w->peers[k]);
}

static void server(struct world *w, bool down) {
    if (w->server_down == down)
        return;
    w->server_down = down;
    if (down)
        rmt_mesh_server_down(w->m);
    else
        rmt_mesh_server_up(w->m);
}

static void fault(struct world *w) {
    const int64_t from_us = rmt_vnet_now(w->v), to_us = from_us + (int64_t)below(w, (uint64_t)LASTS_MAX_US);
    const size_t k = below(w, w->n), other = (k + 1 + below(w, w->n - 1)) % w->n;
    switch (below(w, 11)) {
    case 0:
        rmt_host_blackhole(w->hosts[k], from_us, to_us);
        break;
    case 1:
        rmt_wire_blackhole(rmt_host_wire(w->hosts[k], 0, below(w, 2) ? RMT_UP : RMT_DOWN), from_us, to_us);
        break;
    case 2:
        rmt_wire_blackhole(rmt_path_wire(w->hosts[k], w->hosts[other]), from_us, to_us);
        break;
    case 3:
        new_address(w, k);
        break;
    case 4:
        rmt_host_set_up(w->hosts[k], 0, !rmt_host_iface(w->hosts[k], 0).up);
        notice(w, k);
        break;
    case 5:
        if (w->nats[k])
            rmt_nat_rebind(w->nats[k]);
        break;
    case 6:
        lose_packets(w, k, (uint32_t)below(w, 400000));
        break;
    case 7:
        server(w, !w->server_down);
        break;
    case 8:
        if (!w->peers[k])
            break;
        w->cut[k] = !w->cut[k];
        if (w->cut[k])
            rmt_peer_signaling_cut(w->peers[k]);
        else
            rmt_peer_signaling_mend(w->peers[k], (int64_t)below(w, RMI_SEC(10)));
        break;
    case 9:
        crash_or_return(w, k);
        break;
    default:
        restart_ice(w, k, other);
    }
}

/* Refused beside its own ghost, from the time before a crash: final, so it begins anew when the ghost is gone. */
static bool rejoin_refused(struct world *w) {
    bool any = false;
    for (size_t k = 0; k < w->n; k++) {
        if (!w->peers[k] || rmt_peer_error(w->peers[k], "") != RM_E_EXISTS)
            continue;
        any = true;
        rmt_peer_kill(w->peers[k]);
        w->peers[k] = NULL;
        w->seen[k] = 0;
    }
    return any;
}

static void everybody_is_there(struct world *w) {
    rmt_vnet_run_while_not(w->v, nobody_is_a_ghost, w, rmt_vnet_now(w->v) + GHOST_US);
    do {
        for (size_t k = 0; k < w->n; k++)
            if (!w->peers[k])
                join(w, k);
        rmt_vnet_run_for(w->v, RMI_SEC(3));
        if (!rejoin_refused(w))
            return;
        rmt_vnet_run_for(w->v, GHOST_US);
    } while (true);
}

static void heal(struct world *w) {
    server(w, false);
    memset(w->cut, 0, sizeof w->cut);
    for (size_t k = 0; k < w->n; k++) {
        for (int dir = RMT_UP; dir <= RMT_DOWN; dir++)
            rmt_wire_clear_blackholes(rmt_host_wire(w->hosts[k], 0, (enum rmt_dir)dir));
        for (size_t other = 0; other < w->n; other++)
            if (other != k)
                rmt_wire_clear_blackholes(rmt_path_wire(w->hosts[k], w->hosts[other]));
        lose_packets(w, k, 0);
        if (!rmt_host_iface(w->hosts[k], 0).up) {
            rmt_host_set_up(w->hosts[k], 0, true);
            notice(w, k);
        }
        if (w->peers[k])
            rmt_peer_signaling_mend(w->peers[k], RMI_SEC(1));
    }
    everybody_is_there(w);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    struct world w;
    open_world(&w, seed, sim);
    struct rmt_host *s = rmt_host_add(w.v, &(struct rmt_host_config){.name = "stun", .ips = {"203.0.113.9"}});
    struct rmt_stun_server *stun = rmt_stun_server_create(s, &(struct rmt_stun_config){.ip = "203.0.113.9"});
    w.options.stun = rmt_stun_server_addr(stun);
    rmt_vnet_add_invariant(w.v, "one connection to each", one_connection_each, &w);
    for (size_t k = 0; k < w.n; k++) {
        join(&w, k);
        rmt_vnet_run_for(w.v, (int64_t)below(&w, RMI_SEC(1)));
    }
    for (int i = 0; i < FAULTS; i++) {
        rmt_vnet_run_for(w.v, (int64_t)below(&w, (uint64_t)FAULT_MAX_US));
        fault(&w);
    }
    heal(&w);
    RMT_CHECK(w.v, rmt_vnet_run_while_not(w.v, rmt_mesh_all_connected, w.m, rmt_vnet_now(w.v) + HEALED_US));
    rmt_vnet_run_for(w.v, STAYS_US);
    RMT_CHECK(w.v, rmt_mesh_all_connected(w.m));
    for (size_t k = 0; k < w.n; k++)
        RMT_CHECK_INT(w.v, connections(w.peers[k]), w.n - 1);
    rmt_mesh_destroy(&w.m);
    rmt_stun_server_destroy(&stun);
    rmt_sim_done(sim, &w.v);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, SEEDS, "random_faults_break_nothing");
}
