/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include <stdlib.h>
#include <string.h>

/* The simulated signaling connection: order, delay, close, kill, stall, and the faults for hostile tests. */

#define N 1000

struct end {
    struct rmt_vnet *v;
    int got[2 * N + 10];
    int64_t at[2 * N + 10];
    int n, closed;
    int64_t closed_at;
};

static void on_message(void *ctx, int64_t now_us, const char *data, size_t len) {
    struct end *e = ctx;
    RMT_CHECK(e->v, !e->closed);
    if (!data) {
        e->closed++;
        e->closed_at = now_us;
        return;
    }
    RMT_CHECK(e->v, data[len] == '\0' && e->n < 2 * N + 10);
    e->got[e->n] = atoi(data);
    e->at[e->n++] = now_us;
}

static rm_err send_int(struct rmt_pipe *p, int from, int value) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", value);
    return rmt_pipe_send(p, from, text, (size_t)n);
}

static struct rmt_pipe *build(struct rmt_vnet *v, struct end ends[2], struct rmt_pipe_config config) {
    config.name = "signal";
    memset(ends, 0, 2 * sizeof ends[0]);
    ends[0].v = ends[1].v = v;
    struct rmt_pipe *p = rmt_pipe_create(v, &config);
    rmt_pipe_attach(p, 0, NULL, on_message, &ends[0]);
    rmt_pipe_attach(p, 1, NULL, on_message, &ends[1]);
    return p;
}

static void in_order(struct rmt_vnet *v, struct end e[2]) {
    struct rmt_pipe_config c = {.delay_us = 1000, .jitter_us = 5000, .slow_p = 20000, .slow_us = RMI_MS(300)};
    struct rmt_pipe *p = build(v, e, c);
    int64_t start = rmt_vnet_now(v);
    for (int i = 0; i < N; i++) {
        RMT_CHECK_INT(v, send_int(p, 0, i), RM_OK);
        RMT_CHECK_INT(v, send_int(p, 1, -i), RM_OK);
        rmt_vnet_run_for(v, 1000);
    }
    rmt_pipe_close(p, 0);
    RMT_CHECK_INT(v, send_int(p, 0, 1), RM_E_CLOSED);
    RMT_CHECK(v, !rmt_pipe_is_open(p));
    RMT_CHECK_INT(v, send_int(p, 1, 1), RM_OK); /* it does not know yet; nobody hears it */
    int heard = e[0].n;
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK_INT(v, e[1].n, N);
    RMT_CHECK_INT(v, e[1].closed, 1);
    RMT_CHECK_INT(v, e[0].n, heard);
    RMT_CHECK_INT(v, e[0].closed, 0);
    RMT_CHECK_INT(v, send_int(p, 1, 1), RM_E_CLOSED);
    bool slow = false;
    for (int i = 0; i < N; i++) {
        int64_t delay = e[1].at[i] - start - (int64_t)i * 1000;
        RMT_CHECK_INT(v, e[1].got[i], i);
        RMT_CHECK(v, delay >= 1000 && delay <= RMI_MS(300));
        slow = slow || delay == RMI_MS(300);
    }
    RMT_CHECK(v, slow);
}

static void killed_and_stalled(struct rmt_vnet *v, struct end e[2]) {
    struct rmt_pipe *p = build(v, e, (struct rmt_pipe_config){.delay_us = RMI_MS(10)});
    RMT_CHECK_INT(v, send_int(p, 0, 1), RM_OK);
    rmt_vnet_run_for(v, RMI_MS(5));
    rmt_pipe_stall(p, true);
    RMT_CHECK_INT(v, send_int(p, 0, 2), RM_OK);
    rmt_vnet_run_for(v, RMI_SEC(5));
    RMT_CHECK_INT(v, send_int(p, 0, 3), RM_OK);
    RMT_CHECK_INT(v, e[1].n, 0);
    rmt_pipe_stall(p, false);
    rmt_vnet_run_for(v, RMI_MS(1));
    RMT_CHECK_INT(v, e[1].n, 2);
    rmt_vnet_run_for(v, RMI_MS(10));
    RMT_CHECK_INT(v, e[1].got[2], 3);
    RMT_CHECK_INT(v, send_int(p, 1, 4), RM_OK);
    rmt_vnet_run_for(v, RMI_MS(2));
    int64_t t = rmt_vnet_now(v);
    rmt_pipe_kill(p);
    rmt_pipe_kill(p);
    RMT_CHECK_INT(v, send_int(p, 1, 5), RM_OK);
    rmt_vnet_run_for(v, RMI_SEC(1));
    RMT_CHECK_INT(v, e[0].n, 0);
    for (int i = 0; i < 2; i++) {
        RMT_CHECK_INT(v, e[i].closed_at, t + RMI_MS(10));
        RMT_CHECK_INT(v, send_int(p, i, 6), RM_E_CLOSED);
    }
}

static void hostile(struct rmt_vnet *v, struct end e[2]) {
    struct rmt_pipe_config c = {
        .delay_us = RMI_MS(20), .drop_p = 100000, .dup_p = 100000, .reorder_p = 100000, .name = "signal"};
    struct rmt_pipe *p = build(v, e, c);
    for (int i = 0; i < N; i++) {
        RMT_CHECK_INT(v, send_int(p, 0, i), RM_OK);
        rmt_vnet_run_for(v, 1000);
    }
    rmt_vnet_run_for(v, RMI_SEC(1));
    int count[N] = {0}, lost = 0, twice = 0, back = 0;
    for (int i = 0; i < e[1].n; i++) {
        count[e[1].got[i]]++;
        back += i > 0 && e[1].got[i] < e[1].got[i - 1];
    }
    for (int i = 0; i < N; i++) {
        lost += count[i] == 0;
        twice += count[i] == 2;
    }
    RMT_CHECK(v, lost > 50 && lost < 160); /* 100 expected, sigma 9.5 */
    RMT_CHECK(v, twice > 35 && twice < 150);
    RMT_CHECK(v, back > 30);
}

static void scenario(uint64_t seed, struct rmt_sim *sim) {
    static void (*const parts[])(struct rmt_vnet *, struct end *) = {in_order, killed_and_stalled, hostile};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
        struct end *ends = calloc(2, sizeof *ends);
        RMT_CHECK(v, ends != NULL);
        parts[i](v, ends);
        rmt_sim_done(sim, &v);
        free(ends);
    }
}

int main(int argc, char **argv) {
    return rmt_sim_main(argc, argv, scenario, NULL, 10, "pipes_carry_messages_in_order");
}
