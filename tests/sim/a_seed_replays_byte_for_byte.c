/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_inbox.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ten hosts behind NATs and bad links chatter; the same seed gives the same hash three times, another seed another one,
 * and what is added beside it changes nothing. */

#define HOSTS 10
#define CHATTER_US RMI_SEC(5)

struct chatterer {
    struct world *w;
    struct rmt_host *host;
    struct rmt_socket *socket;
    struct rmi_prng prng;
    int64_t clock_seen;
};
struct world {
    struct rmt_vnet *v;
    struct chatterer c[HOSTS];
    uint64_t heard;
};

static void on_datagram(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct chatterer *c = ctx;
    RMT_CHECK(c->w->v, now_us >= c->clock_seen);
    c->clock_seen = now_us;
    c->w->heard++;
    if (len > 8 && rmi_prng_next(&c->prng) % 2) /* answer with less */
        (void)rmt_socket_send(c->socket, from, data, len / 2);
}

static void chatter(void *ctx, int64_t now_us) {
    struct chatterer *c = ctx;
    uint8_t data[1200];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rmi_prng_next(&c->prng);
    struct rmi_addr to = rmt_socket_addr(c->w->c[rmi_prng_next(&c->prng) % HOSTS].socket);
    (void)rmt_socket_send(c->socket, &to, data, rmi_prng_next(&c->prng) % sizeof data);
    if (rmt_vnet_now(c->w->v) < RMT_START_US + CHATTER_US)
        rmt_host_at(c->host, now_us + (int64_t)(rmi_prng_next(&c->prng) % 10000), chatter, c);
}

static void add(struct world *w, int i) {
    char name[RMT_NAME_MAX], ip[RMI_ADDR_TEXT_MAX];
    snprintf(name, sizeof name, "host%d", i);
    snprintf(ip, sizeof ip, "10.0.0.%d", i + 1);
    struct chatterer *c = &w->c[i];
    c->w = w;
    c->clock_seen = INT64_MIN;
    struct rmt_host_config config = {.name = name, .ips = {ip}, .skew_ppm = (i - 5) * 100, .clock_offset_us = -i * 77};
    c->host = rmt_host_add(w->v, &config);
    c->socket = rmt_socket_open(c->host, ip, 9, on_datagram, c);
    rmi_prng_seed(&c->prng, rmt_vnet_sub_seed(w->v, name));
    struct rmt_link link = {.rate_bps = 2000000,
                            .delay_us = RMI_MS(i),
                            .jitter_us = RMI_MS(3),
                            .loss_ppm = 20000,
                            .ge_enter = 1000,
                            .ge_leave = 100000,
                            .ge_bad = 500000,
                            .reorder_p = 5000,
                            .dup_p = 5000,
                            .corrupt_p = 5000};
    rmt_host_set_links(c->host, &link, &link);
    rmt_host_at(c->host, rmt_host_now(c->host), chatter, c);
}

static uint64_t run(uint64_t seed, FILE *trace, bool bystander) {
    struct world w = {.v = rmt_vnet_create(seed)};
    rmt_vnet_set_trace(w.v, trace);
    for (int i = 0; i < HOSTS; i++) {
        if (bystander && i == 4) { /* a host, a NAT and a path more, all silent */
            rmt_nat_add(w.v, &(struct rmt_nat_config){.name = "idle", .outer_ip = "192.0.2.99"});
            struct rmt_host_config idle = {.name = "idle", .ips = {"192.0.2.98"}};
            rmt_path_wire(rmt_host_add(w.v, &idle), w.c[0].host);
        }
        add(&w, i);
    }
    rmt_vnet_run_for(w.v, CHATTER_US + RMI_SEC(1));
    RMT_CHECK(w.v, w.heard > 5000);
    uint64_t hash = rmt_vnet_trace_hash(w.v);
    rmt_vnet_destroy(&w.v);
    return hash;
}

static bool three_at_most(void *ctx, char *why, size_t cap) {
    snprintf(why, cap, "count is %d", *(int *)ctx);
    return *(int *)ctx <= 3;
}

static void count(void *ctx, int64_t now_us) {
    (void)now_us;
    ++*(int *)ctx;
}

/* A broken invariant ends the process with 1 and says where. */
static void invariant_breaks(uint64_t seed) {
    int out[2];
    fflush(NULL);
    RMT_CHECK(NULL, pipe(out) == 0);
    pid_t child = fork();
    RMT_CHECK(NULL, child >= 0);
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        int n = 0;
        struct rmt_vnet *v = rmt_vnet_create(seed);
        rmt_vnet_add_invariant(v, "small", three_at_most, &n);
        for (int i = 1; i <= 5; i++)
            rmt_vnet_at(v, RMT_START_US + RMI_SEC(i), count, &n);
        rmt_vnet_run_for(v, RMI_SEC(10));
        _exit(0);
    }
    close(out[1]);
    char text[256] = "", want[256];
    size_t n = 0;
    for (ssize_t got; (got = read(out[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(out[0]);
    int status = 0;
    RMT_CHECK(NULL, waitpid(child, &status, 0) == child && WIFEXITED(status));
    RMT_CHECK_INT(NULL, WEXITSTATUS(status), 1);
    snprintf(want, sizeof want, "FAIL seed=%llu t=4.000000: invariant small broken: count is 4\n",
             (unsigned long long)seed);
    RMT_CHECK(NULL, strcmp(text, want) == 0);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    uint64_t hash = run(seed, sim->trace, false);
    for (int i = 0; i < 2; i++)
        RMT_CHECK(NULL, run(seed, NULL, false) == hash);
    RMT_CHECK(NULL, run(seed, NULL, true) == hash);
    RMT_CHECK(NULL, run(seed + 1, NULL, false) != hash);
    invariant_breaks(seed);
    sim->hash = hash;
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 3, "a_seed_replays_byte_for_byte");
}
