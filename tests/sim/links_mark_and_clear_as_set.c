/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's own: ECN fields arrive as they were sent; queues mark by the ramp of RED and as CoDel does; faulty
 * wires drop, clear or set marks. */
#include "support/sim_main.h"
#include "support/vnet.h"

#define PORT 5000
#define BYTES 972
#define OVERHEAD 28 /* 1,000 bytes in all: a millisecond at 8 Mbit/s */
#define BPS 8000000

struct counts {
    struct rmt_vnet *v;
    uint64_t by_field[RMI_ECN_MASK + 1];
};

static void on_datagram(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct counts *c = ctx;
    (void)now_us, (void)from, (void)data, (void)len;
    c->by_field[rmt_vnet_received_ecn(c->v)]++;
}

/* `n` datagrams each `apart_us`, of which the first `burst` at once, over this link. */
static struct counts run(uint64_t seed, struct rmt_sim *sim, struct rmt_link link, enum rmi_ecn ecn, int burst, int n,
                         int64_t apart_us) {
    struct counts c = {.v = rmt_sim_vnet(sim, seed)};
    struct rmt_vnet *v = c.v;
    static const uint8_t data[BYTES];
    struct rmt_host *a = rmt_host_add(v, &(struct rmt_host_config){.name = "a", .ips = {"192.0.2.1"}});
    struct rmt_host *b = rmt_host_add(v, &(struct rmt_host_config){.name = "b", .ips = {"192.0.2.2"}});
    struct rmt_socket *from = rmt_socket_open(a, "192.0.2.1", PORT, on_datagram, &c);
    struct rmt_socket *to = rmt_socket_open(b, "192.0.2.2", PORT, on_datagram, &c);
    const struct rmi_addr addr = rmt_socket_addr(to);
    link.overhead = OVERHEAD;
    link.queue_us = RMI_SEC(10);
    rmt_wire_set(rmt_host_wire(a, 0, RMT_UP), &link);
    for (int i = 0; i < n; i++) {
        RMT_CHECK_INT(v, rmt_socket_send_marked(from, &addr, data, sizeof data, ecn), RM_OK);
        if (i >= burst)
            rmt_vnet_run_for(v, apart_us);
    }
    rmt_vnet_run_for(v, RMI_SEC(20));
    RMT_CHECK_INT(v, rmt_wire_stats(rmt_host_wire(a, 0, RMT_UP)).marked,
                  c.by_field[RMI_ECN_CE] - (ecn == RMI_ECN_CE) * n);
    rmt_sim_done(sim, &v);
    return c;
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    const struct rmt_link ideal = {0};
    for (int ecn = 0; ecn <= RMI_ECN_MASK; ecn++) {
        const struct counts c = run(seed, sim, ideal, (enum rmi_ecn)ecn, 0, 10, RMI_MS(1));
        RMT_CHECK_INT(NULL, c.by_field[ecn], 10);
    }
    /* A burst that waits 0 to 1 s: none below 200 ms, all from 600 ms on, half between. */
    const struct rmt_link red = {.rate_bps = BPS, .mark_from_us = RMI_MS(200), .mark_full_us = RMI_MS(600)};
    struct counts c = run(seed, sim, red, RMI_ECN_ECT0, 1000, 1000, 0);
    RMT_CHECK(NULL, c.by_field[RMI_ECN_CE] > 550 && c.by_field[RMI_ECN_CE] < 650);
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_CE] + c.by_field[RMI_ECN_ECT0], 1000);
    c = run(seed, sim, red, RMI_ECN_NOT_ECT, 1000, 1000, 0);
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_NOT_ECT], 1000);
    /* A queue that stands at 20 ms for a second: first after 100 ms, then each 100 ms / sqrt(n): about (t / 200 ms)^2.
     * A burst that is gone within 100 ms: none. */
    const struct rmt_link codel = {.rate_bps = BPS, .codel_us = RMI_MS(5)};
    c = run(seed, sim, codel, RMI_ECN_ECT0, 20, 1020, RMI_MS(1));
    RMT_CHECK(NULL, c.by_field[RMI_ECN_CE] >= 15 && c.by_field[RMI_ECN_CE] <= 35);
    c = run(seed, sim, codel, RMI_ECN_ECT0, 90, 90, 0);
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_CE], 0);
    c = run(seed, sim, (struct rmt_link){.ecn_clear = true}, RMI_ECN_ECT0, 0, 100, RMI_MS(1));
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_NOT_ECT], 100);
    c = run(seed, sim, (struct rmt_link){.ecn_flood = true}, RMI_ECN_ECT0, 0, 100, RMI_MS(1));
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_CE], 100);
    c = run(seed, sim, (struct rmt_link){.ecn_drop = true}, RMI_ECN_ECT0, 0, 100, RMI_MS(1));
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_ECT0], 0);
    c = run(seed, sim, (struct rmt_link){.ecn_drop = true}, RMI_ECN_NOT_ECT, 0, 100, RMI_MS(1));
    RMT_CHECK_INT(NULL, c.by_field[RMI_ECN_NOT_ECT], 100);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 5, "links_mark_and_clear_as_set");
}
