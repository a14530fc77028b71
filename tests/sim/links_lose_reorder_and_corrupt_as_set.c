/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_inbox.h"
#include <stdlib.h>
#include <string.h>

/* Random faults stay within statistical bounds, on every seed: the bounds are five standard deviations or more. */

#define N 20000

struct result {
    size_t arrived, twice, out_of_order, corrupted, bursts, burst_packets;
    int64_t delay_min, delay_max;
    struct rmt_link_stats stats;
    uint8_t count[N];
};

static void judge(struct rmt_vnet *v, const struct rmt_inbox *in, struct result *r, int64_t start) {
    uint32_t highest = 0;
    r->delay_min = INT64_MAX;
    for (size_t i = 0; i < in->n; i++) {
        const struct rmt_letter *l = &in->got[i];
        r->corrupted += l->bits_wrong != 0 || l->number >= N;
        if (l->number >= N || l->bits_wrong)
            continue;
        RMT_CHECK(v, l->len == 200);
        r->count[l->number]++;
        r->out_of_order += l->number < highest;
        highest = l->number > highest ? l->number : highest;
        int64_t delay = l->net_us - start - (int64_t)l->number * 100;
        r->delay_min = rmi_min64(r->delay_min, delay);
        r->delay_max = rmi_max64(r->delay_max, delay);
    }
    for (size_t i = 0; i < N; i++) {
        r->arrived += r->count[i] > 0;
        r->twice += r->count[i] > 1;
        r->burst_packets += r->count[i] == 0;
        r->bursts += r->count[i] == 0 && (i == 0 || r->count[i - 1] > 0);
    }
}

/* N packets, one each 100 us. */
static struct result *run(struct rmt_sim *sim, uint64_t seed, const struct rmt_link *link) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    struct rmt_host *a = rmt_host_add(v, &(struct rmt_host_config){.name = "a", .ips = {"192.0.2.1"}});
    struct rmt_host *b = rmt_host_add(v, &(struct rmt_host_config){.name = "b", .ips = {"192.0.2.2"}});
    struct rmt_inbox in = {.v = v};
    struct rmt_socket *tx = rmt_socket_open(a, "192.0.2.1", 0, rmt_inbox_recv, &in);
    struct rmt_socket *rx = rmt_socket_open(b, "192.0.2.2", 7, rmt_inbox_recv, &in);
    struct rmi_addr to = rmt_socket_addr(rx);
    rmt_wire_set(rmt_host_wire(a, 0, RMT_UP), link);
    int64_t start = rmt_vnet_now(v);
    for (uint32_t i = 0; i < N; i++) {
        RMT_CHECK_INT(v, rmt_send_number(tx, &to, i, 200), RM_OK);
        rmt_vnet_run_for(v, 100);
    }
    rmt_vnet_run_for(v, RMI_SEC(1));
    struct result *r = calloc(1, sizeof *r);
    RMT_CHECK(v, r != NULL);
    judge(v, &in, r, start);
    r->stats = rmt_wire_stats(rmt_host_wire(a, 0, RMT_UP));
    rmt_inbox_clear(&in);
    rmt_sim_done(sim, &v);
    return r;
}

static void between(uint64_t seed, const char *what, size_t got, size_t low, size_t high) {
    if (got < low || got > high)
        rmt_vnet_fail(NULL, "seed=%llu: %s is %zu, not in %zu..%zu", (unsigned long long)seed, what, got, low, high);
}

static void loss(struct rmt_sim *sim, uint64_t seed) {
    struct result *r = run(sim, seed, &(struct rmt_link){.loss_ppm = 50000, .delay_us = 3000});
    between(seed, "5 % of 20,000 lost", r->burst_packets, 1000 - 160, 1000 + 160); /* sigma 31 */
    between(seed, "the counter", r->stats.lost, r->burst_packets, r->burst_packets);
    between(seed, "out of order", r->out_of_order, 0, 0);
    between(seed, "delay", (size_t)r->delay_max, 3000, 3000);
    /* Other effects switched on: the very same packets are lost. */
    struct rmt_link more = {.loss_ppm = 50000, .jitter_us = 2000, .delay_us = 3000, .allow_reorder = true};
    struct result *q = run(sim, seed, &more);
    between(seed, "the packets lost with jitter, compared", (size_t)(memcmp(r->count, q->count, N) == 0), 1, 1);
    between(seed, "jitter's least delay", (size_t)q->delay_min, 1000, 1010);
    between(seed, "jitter's greatest delay", (size_t)q->delay_max, 4990, 5000);
    between(seed, "reordered by jitter", q->out_of_order, N / 10, N);
    free(r);
    free(q);
}

static void bursts(struct rmt_sim *sim, uint64_t seed) {
    /* Bad for 8 packets on average, good for 152: 5 % of the time. */
    struct rmt_link l = {.ge_enter = 6579, .ge_leave = 125000, .ge_bad = RMT_PPM_ONE};
    struct result *r = run(sim, seed, &l);
    between(seed, "lost in bursts", r->burst_packets, 500, 1600); /* sigma 120 */
    between(seed, "bursts", r->bursts, 75, 180);                  /* 125 expected, sigma 11 */
    between(seed, "mean burst in tenths", r->burst_packets * 10 / r->bursts, 45, 125);
    free(r);
}

static void others(struct rmt_sim *sim, uint64_t seed) {
    struct rmt_link l = {.reorder_p = 100000, .dup_p = 100000, .corrupt_p = 100000, .delay_us = RMI_MS(10)};
    struct result *r = run(sim, seed, &l);
    between(seed, "corrupted (a copy is as bad as its original)", r->stats.corrupted, 2000 - 220, 2000 + 220);
    between(seed, "duplicated", r->stats.duplicated, 2000 - 220, 2000 + 220);
    between(seed, "seen twice", r->twice, 1500, r->stats.duplicated);
    between(seed, "held back", r->stats.reordered, 2200 - 240, 2200 + 240);
    between(seed, "out of order", r->out_of_order, 1500, r->stats.reordered);
    between(seed, "wrong at the receiver", r->corrupted, r->stats.corrupted * 9 / 10, r->stats.corrupted * 12 / 10);
    between(seed, "greatest delay: held back 10 ms more", (size_t)r->delay_max, 20000, 20000);
    between(seed, "lost", r->stats.lost, 0, 0);
    free(r);

    r = run(sim, seed, &(struct rmt_link){.delay_us = RMI_MS(10), .jitter_us = RMI_MS(10)});
    between(seed, "arrived under jitter", r->arrived, N, N);
    between(seed, "jitter without leave to reorder", r->out_of_order, 0, 0);
    free(r);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    loss(sim, seed);
    bursts(sim, seed);
    others(sim, seed);
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 10, "links_lose_reorder_and_corrupt_as_set");
}
