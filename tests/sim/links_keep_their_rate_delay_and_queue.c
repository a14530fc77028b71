/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_inbox.h"

/* Exact arithmetic of rate, queue, delay, blackhole and path MTU. */

struct world {
    struct rmt_vnet *v;
    struct rmt_host *a, *b;
    struct rmt_socket *tx, *rx;
    struct rmi_addr to;
    struct rmt_inbox in;
    struct rmt_wire *up;
};

static void build(struct world *w, struct rmt_sim *sim, uint64_t seed) {
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    w->a = rmt_host_add(w->v, &(struct rmt_host_config){.name = "a", .ips = {"192.0.2.1", "2001:db8::1"}});
    w->b = rmt_host_add(w->v, &(struct rmt_host_config){.name = "b", .ips = {"192.0.2.2", "2001:db8::2"}});
    w->in.v = w->v;
    w->tx = rmt_socket_open(w->a, "192.0.2.1", 0, rmt_inbox_recv, &w->in);
    w->rx = rmt_socket_open(w->b, "192.0.2.2", 7, rmt_inbox_recv, &w->in);
    w->to = rmt_socket_addr(w->rx);
    w->up = rmt_host_wire(w->a, 0, RMT_UP);
}

static void finish(struct world *w, struct rmt_sim *sim) {
    rmt_inbox_clear(&w->in);
    rmt_sim_done(sim, &w->v);
}

static void burst(struct world *w, int count, size_t len) {
    for (int i = 0; i < count; i++)
        RMT_CHECK_INT(w->v, rmt_send_number(w->tx, &w->to, (uint32_t)i, len), RM_OK);
}

static void rate_and_queue(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed);
    int64_t t = rmt_vnet_now(w.v);
    RMT_CHECK_INT(w.v, t, RMT_START_US);
    rmt_wire_set(w.up, &(struct rmt_link){.rate_bps = 1000000, .delay_us = RMI_MS(20), .queue_us = 48000});
    burst(&w, 8, 1200);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    /* 1,200 bytes take 9.6 ms. The first five wait 0 to 38.4 ms, the sixth exactly the 48 ms allowed; two are over. */
    RMT_CHECK_INT(w.v, w.in.n, 6);
    for (int i = 0; i < 6; i++) {
        RMT_CHECK_INT(w.v, w.in.got[i].number, i);
        RMT_CHECK_INT(w.v, w.in.got[i].net_us, t + (i + 1) * 9600 + RMI_MS(20));
    }
    struct rmt_link_stats s = rmt_wire_stats(w.up);
    RMT_CHECK_INT(w.v, s.queue_dropped, 2);
    RMT_CHECK_INT(w.v, s.wait_max_us, 48000);
    RMT_CHECK_INT(w.v, s.in, 8);
    RMT_CHECK_INT(w.v, s.out_bytes, 6 * 1200);
    finish(&w, sim);
}

/* Rates whose packet time is no whole number of microseconds do not drift: 1,000 packets of 100 bytes at 7 Mbit/s. */
static void odd_rate(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed);
    int64_t t = rmt_vnet_now(w.v);
    rmt_wire_set(w.up, &(struct rmt_link){.rate_bps = 7000000, .queue_us = RMI_SEC(1), .overhead = 28});
    burst(&w, 1000, 100);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 1000);
    int64_t exact = (int64_t)1000 * 128 * 8 / 7; /* us */
    int64_t last = w.in.got[999].net_us - t;
    RMT_CHECK(w.v, last >= exact - 1 && last <= exact + 1);
    finish(&w, sim);
}

static void two_links_and_a_path(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed);
    int64_t t = rmt_vnet_now(w.v);
    rmt_host_set_links(w.a, &(struct rmt_link){.delay_us = 7000}, NULL);
    rmt_host_set_links(w.b, NULL, &(struct rmt_link){.delay_us = 11000, .mtu = 600});
    rmt_wire_set(rmt_path_wire(w.a, w.b), &(struct rmt_link){.delay_us = 500});
    burst(&w, 1, 600);
    burst(&w, 1, 601);
    RMT_CHECK_INT(w.v, rmt_send_number(w.tx, &w.to, 9, 4000), RM_E_TOO_BIG);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 1);
    RMT_CHECK_INT(w.v, w.in.got[0].net_us, t + 18500);
    RMT_CHECK_INT(w.v, rmt_wire_stats(rmt_host_wire(w.b, 0, RMT_DOWN)).too_big, 1);

    /* The path of one pair is cut, for a second. */
    rmt_wire_blackhole(rmt_path_wire(w.a, w.b), rmt_vnet_now(w.v), rmt_vnet_now(w.v) + RMI_SEC(1));
    burst(&w, 3, 100);
    struct rmi_addr back = rmt_socket_addr(w.tx);
    RMT_CHECK_INT(w.v, rmt_send_number(w.rx, &back, 5, 100), RM_OK);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 2);
    RMT_CHECK_INT(w.v, w.in.got[1].number, 5);
    RMT_CHECK_INT(w.v, rmt_wire_stats(rmt_path_wire(w.a, w.b)).blackholed, 3);
    burst(&w, 1, 100);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 3);
    finish(&w, sim);
}

static void blackhole(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed);
    int64_t t = rmt_vnet_now(w.v);
    rmt_wire_blackhole(w.up, t + RMI_MS(100), t + RMI_MS(300));
    rmt_wire_set(w.up, &(struct rmt_link){.delay_us = 1000}); /* the window outlives a change of settings */
    for (uint32_t i = 0; i < 500; i++) {
        RMT_CHECK_INT(w.v, rmt_send_number(w.tx, &w.to, i, 50), RM_OK);
        rmt_vnet_run_for(w.v, RMI_MS(1));
    }
    RMT_CHECK_INT(w.v, w.in.n, 300);
    RMT_CHECK_INT(w.v, w.in.got[99].number, 99);
    RMT_CHECK_INT(w.v, w.in.got[100].number, 300);
    rmt_host_blackhole(w.b, 0, RMI_NEVER);
    burst(&w, 2, 50);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 300);
    rmt_wire_clear_blackholes(rmt_host_wire(w.b, 0, RMT_DOWN));
    burst(&w, 2, 50);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 302);
    finish(&w, sim);
}

struct late {
    struct world *w;
};

static void send_late(void *ctx, int64_t now_us) {
    struct late *l = ctx;
    (void)now_us;
    rmt_wire_set(l->w->up, &(struct rmt_link){0});
    RMT_CHECK_INT(l->w->v, rmt_send_number(l->w->tx, &l->w->to, 77, 50), RM_OK);
}

/* A link that becomes ideal while packets are under way: none overtakes, not even in the same instant. */
static void no_overtaking(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed);
    struct late l = {&w};
    rmt_vnet_at(w.v, rmt_vnet_now(w.v) + 1000, send_late, &l); /* made before the packets, so it runs before them */
    rmt_wire_set(w.up, &(struct rmt_link){.delay_us = 1000});
    burst(&w, 3, 50);
    rmt_vnet_run_for(w.v, RMI_SEC(1));
    RMT_CHECK_INT(w.v, w.in.n, 4);
    RMT_CHECK_INT(w.v, w.in.got[2].number, 2);
    RMT_CHECK_INT(w.v, w.in.got[3].number, 77);
    finish(&w, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    rate_and_queue(sim, seed);
    odd_rate(sim, seed);
    two_links_and_a_path(sim, seed);
    blackhole(sim, seed);
    no_overtaking(sim, seed);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 5, "links_keep_their_rate_delay_and_queue");
}
