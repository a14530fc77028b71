/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_inbox.h"

/* Address changes, interfaces going down, roaming between networks, loopback, clocks, tasks, the tap. */

struct world {
    struct rmt_vnet *v;
    struct rmt_host *a, *b;
    struct rmt_inbox at_a, at_b;
};

static void build(struct world *w, struct rmt_sim *sim, uint64_t seed, struct rmt_host_config a) {
    *w = (struct world){.v = rmt_sim_vnet(sim, seed)};
    a.name = "a";
    w->a = rmt_host_add(w->v, &a);
    w->b = rmt_host_add(w->v, &(struct rmt_host_config){.name = "b", .ips = {"192.0.2.2", "2001:db8::2"}});
    w->at_a.v = w->at_b.v = w->v;
}

static void finish(struct world *w, struct rmt_sim *sim) {
    rmt_inbox_clear(&w->at_a);
    rmt_inbox_clear(&w->at_b);
    rmt_sim_done(sim, &w->v);
}

static void count(void *ctx, int64_t now_us) {
    (void)now_us;
    ++*(int *)ctx;
}

static void addresses(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_host_config){.ips = {"192.0.2.1", "2001:db8::1"}});
    int told = 0;
    rmt_host_on_change(w.a, count, &told);
    struct rmt_socket *a4 = rmt_socket_open(w.a, "192.0.2.1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *a6 = rmt_socket_open(w.a, "2001:db8::1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *b4 = rmt_socket_open(w.b, "192.0.2.2", 7, rmt_inbox_recv, &w.at_b);
    struct rmt_socket *b6 = rmt_socket_open(w.b, "2001:db8::2", 7, rmt_inbox_recv, &w.at_b);
    struct rmi_addr to4 = rmt_socket_addr(b4), to6 = rmt_socket_addr(b6), old = rmt_socket_addr(a4);
    RMT_CHECK(w.v, rmt_socket_open(w.b, "192.0.2.2", 7, rmt_inbox_recv, &w.at_b) == NULL);  /* taken */
    RMT_CHECK(w.v, rmt_socket_open(w.b, "192.0.2.77", 7, rmt_inbox_recv, &w.at_b) == NULL); /* not its own */
    RMT_CHECK_INT(w.v, rmt_send_number(a4, &to4, 1, 50), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(a6, &to6, 2, 50), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(a4, &to6, 3, 50), RM_E_INVALID_ARG);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, w.at_b.n, 2);

    rmt_host_set_addr(w.a, 0, "192.0.2.41");
    RMT_CHECK_INT(w.v, told, 0); /* an event, not a call inside the change */
    RMT_CHECK_INT(w.v, rmt_send_number(a4, &to4, 4, 50), RM_E_IO);
    RMT_CHECK_INT(w.v, rmt_send_number(b4, &old, 5, 50), RM_OK);
    struct rmt_socket *new4 = rmt_socket_open(w.a, "192.0.2.41", 0, rmt_inbox_recv, &w.at_a);
    RMT_CHECK_INT(w.v, rmt_send_number(new4, &to4, 6, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, told, 1);
    RMT_CHECK_INT(w.v, w.at_a.n, 0);
    RMT_CHECK_INT(w.v, w.at_b.n, 3);
    struct rmi_addr is = rmt_socket_addr(new4);
    RMT_CHECK(w.v, rmi_addr_equal(&w.at_b.got[2].from, &is));
    RMT_CHECK_INT(w.v, rmt_vnet_stats(w.v).unrouted, 1);

    rmt_host_set_up(w.a, 0, false);
    RMT_CHECK_INT(w.v, rmt_send_number(new4, &to4, 7, 50), RM_E_IO);
    RMT_CHECK_INT(w.v, rmt_send_number(a6, &to6, 8, 50), RM_OK); /* the other interface still works */
    RMT_CHECK(w.v, !rmt_host_iface(w.a, 0).up && rmt_host_iface(w.a, 1).up);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    rmt_host_set_up(w.a, 0, true);
    RMT_CHECK_INT(w.v, rmt_send_number(new4, &to4, 9, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, told, 3);
    RMT_CHECK_INT(w.v, w.at_b.got[w.at_b.n - 1].number, 9);
    rmt_socket_close(&b4);
    RMT_CHECK_INT(w.v, rmt_send_number(new4, &to4, 10, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, rmt_vnet_stats(w.v).no_socket, 1);
    finish(&w, sim);
}

/* From Wi-Fi behind a NAT to a mobile network behind another one; a packet under way to the old address is lost. */
static void roaming(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_host_config){.ips = {NULL}});
    struct rmt_nat *wifi = rmt_nat_add(w.v, &(struct rmt_nat_config){.name = "wifi", .outer_ip = "198.51.100.1"});
    struct rmt_nat *cell = rmt_nat_add(w.v, &(struct rmt_nat_config){.name = "cell", .outer_ip = "198.51.100.2"});
    struct rmt_host_config config = {.name = "phone", .ips = {"192.168.0.2"}, .nat = wifi};
    struct rmt_host *phone = rmt_host_add(w.v, &config);
    struct rmt_socket *b = rmt_socket_open(w.b, "192.0.2.2", 7, rmt_inbox_recv, &w.at_b);
    struct rmt_socket *p = rmt_socket_open(phone, "192.168.0.2", 5000, rmt_inbox_recv, &w.at_a);
    struct rmi_addr to = rmt_socket_addr(b), first = rmt_addr("198.51.100.1", 5000),
                    then = rmt_addr("198.51.100.2", 5000);
    rmt_wire_set(rmt_nat_wire(wifi, RMT_DOWN), &(struct rmt_link){.delay_us = RMI_MS(30)});
    RMT_CHECK_INT(w.v, rmt_send_number(p, &to, 1, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK(w.v, w.at_b.n == 1 && rmi_addr_equal(&w.at_b.got[0].from, &first));
    RMT_CHECK_INT(w.v, rmt_send_number(b, &first, 2, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(10));
    rmt_host_move(phone, 0, "10.9.0.2", cell);
    struct rmt_socket *q = rmt_socket_open(phone, "10.9.0.2", 5000, rmt_inbox_recv, &w.at_a);
    RMT_CHECK_INT(w.v, rmt_send_number(q, &to, 3, 50), RM_OK);
    rmt_vnet_run_for(w.v, RMI_MS(50));
    RMT_CHECK_INT(w.v, w.at_a.n, 0);
    RMT_CHECK(w.v, w.at_b.n == 2 && rmi_addr_equal(&w.at_b.got[1].from, &then));
    finish(&w, sim);
}

static void loopback(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_host_config){.ips = {"192.0.2.1"}});
    rmt_host_blackhole(w.a, 0, RMI_NEVER); /* no link is involved */
    struct rmt_socket *lo = rmt_socket_open(w.a, "127.0.0.1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *lo2 = rmt_socket_open(w.a, "127.0.0.1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *s = rmt_socket_open(w.a, "192.0.2.1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *b = rmt_socket_open(w.b, "127.0.0.1", 7, rmt_inbox_recv, &w.at_b);
    struct rmi_addr to_lo2 = rmt_socket_addr(lo2), to_s = rmt_socket_addr(s), to_b = rmt_addr("192.0.2.2", 7);
    RMT_CHECK(w.v, b != NULL && to_lo2.port != rmt_socket_addr(lo).port);
    int64_t t = rmt_vnet_now(w.v);
    RMT_CHECK_INT(w.v, rmt_send_number(lo, &to_lo2, 1, 50), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(s, &to_s, 2, 50), RM_OK);
    RMT_CHECK_INT(w.v, rmt_send_number(lo, &to_b, 3, 50), RM_E_IO);
    rmt_vnet_run_for(w.v, RMI_MS(1));
    RMT_CHECK_INT(w.v, w.at_a.n, 2);
    RMT_CHECK_INT(w.v, w.at_a.got[1].net_us, t + RMT_LOOPBACK_US);
    RMT_CHECK_INT(w.v, w.at_b.n, 0);
    finish(&w, sim);
}

struct alarm {
    int64_t host_us, net_us;
    struct rmt_vnet *v;
    int order;
    int *next;
};

static void ring(void *ctx, int64_t now_us) {
    struct alarm *a = ctx;
    a->host_us = now_us;
    a->net_us = rmt_vnet_now(a->v);
    if (a->next)
        a->order = (*a->next)++;
}

static void clocks(struct rmt_sim *sim, uint64_t seed, int32_t ppm) {
    struct world w;
    struct rmt_host_config config = {.ips = {"192.0.2.1"},
                                     .skew_ppm = ppm,
                                     .clock_offset_us = -RMI_SEC(2000000),
                                     .wall_offset_us = RMI_SEC(1700000000)};
    build(&w, sim, seed, config);
    int64_t base = -RMI_SEC(1000000);
    RMT_CHECK_INT(w.v, rmt_host_now(w.a), base);
    RMT_CHECK_INT(w.v, rmt_host_wall(w.a), base + RMI_SEC(1700000000));
    rmt_host_step_wall(w.a, -RMI_SEC(3600));
    RMT_CHECK_INT(w.v, rmt_host_now(w.a), base);
    RMT_CHECK_INT(w.v, rmt_host_wall(w.a), base + RMI_SEC(1700000000 - 3600));
    struct alarm alarm = {.v = w.v};
    for (int64_t after = 1; after < RMI_SEC(100000); after = after * 7 + 3) {
        int64_t due = rmt_host_now(w.a) + after;
        rmt_host_at(w.a, due, ring, &alarm);
        rmt_vnet_run_for(w.v, after * 2);
        RMT_CHECK_INT(w.v, alarm.host_us, due + (alarm.host_us > due)); /* a fast clock may skip the microsecond */
        RMT_CHECK(w.v, alarm.host_us == due || ppm > 0);
    }
    int64_t host = rmt_host_now(w.a), net = rmt_vnet_now(w.v);
    rmt_vnet_run_for(w.v, RMI_SEC(1000));
    int64_t drift = rmt_host_now(w.a) - host - RMI_SEC(1000);
    RMT_CHECK(w.v, drift >= (int64_t)ppm * 1000 - 1 && drift <= (int64_t)ppm * 1000 + 1);

    /* Another skew under a running timer: it still rings on time by the host's own clock. */
    host = rmt_host_now(w.a);
    net = rmt_vnet_now(w.v);
    struct alarm far_off = {.v = w.v};
    rmt_host_at(w.a, host + RMI_SEC(40 * 86400), ring, &far_off); /* beyond what is computed in one step */
    rmt_host_at(w.a, RMI_NEVER, ring, &far_off);
    rmt_host_at(w.a, host + RMI_SEC(10), ring, &alarm);
    rmt_vnet_run_for(w.v, RMI_SEC(5));
    rmt_host_set_skew(w.a, -50000);
    rmt_vnet_run_for(w.v, RMI_SEC(10));
    RMT_CHECK_INT(w.v, alarm.host_us, host + RMI_SEC(10));
    int64_t left = RMI_SEC(5) - (int64_t)ppm * 5,
            want = net + RMI_SEC(5) + left * 100 / 95; /* 5 % slow from there on */
    RMT_CHECK(w.v, alarm.net_us >= want - 2 && alarm.net_us <= want + 2);
    rmt_vnet_run_for(w.v, RMI_SEC(50 * 86400));
    RMT_CHECK_INT(w.v, far_off.host_us, host + RMI_SEC(40 * 86400));
    finish(&w, sim);
}

static void tasks(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_host_config){.ips = {"192.0.2.1"}});
    int next = 0;
    struct alarm a[200];
    uint64_t ids[200];
    for (int i = 0; i < 200; i++) { /* 100 instants, two tasks each */
        a[i] = (struct alarm){.v = w.v, .next = &next, .order = -1};
        ids[i] = rmt_vnet_at(w.v, RMT_START_US + i % 100, ring, &a[i]);
    }
    for (int i = 0; i < 200; i += 3)
        RMT_CHECK(w.v, rmt_vnet_cancel(w.v, ids[i]) && !rmt_vnet_cancel(w.v, ids[i]));
    RMT_CHECK(w.v, !rmt_vnet_cancel(w.v, 0) && !rmt_vnet_cancel(w.v, UINT64_MAX));
    rmt_vnet_run_until(w.v, RMT_START_US + 49);
    RMT_CHECK(w.v, a[50].order < 0 && a[49].order >= 0);
    while (rmt_vnet_step(w.v))
        ;
    RMT_CHECK_INT(w.v, next, 133);
    int seen = -1;
    for (int i = 0; i < 100; i++)
        for (int j = i; j < 200; j += 100) {
            RMT_CHECK_INT(w.v, a[j].order < 0, j % 3 == 0);
            if (a[j].order >= 0) {
                RMT_CHECK_INT(w.v, a[j].order, seen + 1);
                RMT_CHECK_INT(w.v, a[j].net_us, RMT_START_US + i);
                seen = a[j].order;
            }
        }
    RMT_CHECK(w.v, !rmt_vnet_cancel(w.v, ids[199])); /* ran */
    int64_t now = rmt_vnet_now(w.v);
    struct alarm past = {.v = w.v};
    rmt_vnet_at(w.v, now - 1000, ring, &past);
    rmt_vnet_run_for(w.v, 0);
    RMT_CHECK_INT(w.v, past.net_us, now);
    finish(&w, sim);
}

static bool second_goes_third_changes(void *ctx, int64_t now_us, const struct rmi_addr *from, const struct rmi_addr *to,
                                      uint8_t *data, size_t *len) {
    (void)now_us;
    (void)from;
    int n = ++*(int *)ctx;
    if (n == 3) {
        data[4] = 0x81;
        *len = 6;
    }
    return n != 2 && to->port == 7;
}

static bool any(void *ctx) {
    return ((struct rmt_inbox *)ctx)->n > 0;
}

static void tapped(struct rmt_sim *sim, uint64_t seed) {
    struct world w;
    build(&w, sim, seed, (struct rmt_host_config){.ips = {"192.0.2.1"}});
    struct rmt_socket *a = rmt_socket_open(w.a, "192.0.2.1", 0, rmt_inbox_recv, &w.at_a);
    struct rmt_socket *b = rmt_socket_open(w.b, "192.0.2.2", 7, rmt_inbox_recv, &w.at_b);
    struct rmi_addr to = rmt_socket_addr(b);
    rmt_host_set_links(w.a, &(struct rmt_link){.delay_us = RMI_MS(5)}, NULL);
    int64_t t = rmt_vnet_now(w.v);
    RMT_CHECK(w.v, !rmt_vnet_run_while_not(w.v, any, &w.at_b, t + 10));
    int n = 0;
    rmt_vnet_set_tap(w.v, second_goes_third_changes, &n);
    for (uint32_t i = 0; i < 4; i++)
        RMT_CHECK_INT(w.v, rmt_send_number(a, &to, i, 50), RM_OK);
    RMT_CHECK(w.v, rmt_vnet_run_while_not(w.v, any, &w.at_b, t + RMI_SEC(1)));
    RMT_CHECK_INT(w.v, rmt_vnet_now(w.v), t + 10 + RMI_MS(5));
    rmt_vnet_run_for(w.v, RMI_MS(10));
    RMT_CHECK_INT(w.v, w.at_b.n, 3);
    RMT_CHECK_INT(w.v, w.at_b.got[1].number, 2);
    RMT_CHECK_INT(w.v, w.at_b.got[1].bits_wrong, 2);
    RMT_CHECK_INT(w.v, w.at_b.got[1].len, 6);
    RMT_CHECK_INT(w.v, rmt_vnet_stats(w.v).tapped, 1);
    finish(&w, sim);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    addresses(sim, seed);
    roaming(sim, seed);
    loopback(sim, seed);
    clocks(sim, seed, 0);
    clocks(sim, seed, 250);
    clocks(sim, seed, -250);
    clocks(sim, seed, 99999);
    clocks(sim, seed, -99999);
    tasks(sim, seed);
    tapped(sim, seed);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 5, "hosts_move_and_their_clocks_drift");
}
