/* SPDX-License-Identifier: Apache-2.0 */
#include "support/road.h"
#include <math.h>
#include <stdlib.h>

/* Lines "seconds,what,number", each so often: "capacity forward" and "rate NAME" in Mbit/s, "queue forward" in ms (the
 * most in the time), "loss forward" in percent; "back" where somebody sends that way, and with its number where hops
 * are several. scripts/plots.py reads them. */
#define SERIES_US RMI_MS(200)
#define QUEUE_US RMI_MS(10) /* looks at the queue */
#define US_PER_S 1e6

struct road_series {
    FILE *out;
    int64_t next_us;
    struct {
        uint64_t in, dropped;
        int64_t queue_us;
    } wire[ROAD_HOPS][2];
    uint64_t flow_bytes[ROAD_FLOWS];
    uint64_t tcp_bytes;
};

static void line(struct road *r, const char *what, const char *which, double value) {
    fprintf(r->series->out, "%.3f,%s%s,%.6g\n", (double)(rmt_vnet_now(r->v) - r->start_us) / US_PER_S, what, which,
            value);
}

static void wire_lines(struct road *r, size_t hop, enum rmt_dir dir, const char *which) {
    struct rmt_wire *w = rmt_nat_wire(r->hop[hop].nat, dir);
    const struct rmt_link_stats stats = rmt_wire_stats(w);
    const uint64_t in = stats.in - r->series->wire[hop][dir].in;
    const uint64_t dropped = stats.queue_dropped - r->series->wire[hop][dir].dropped;
    line(r, "capacity ", which, (double)rmt_wire_get(w).rate_bps / 1e6);
    line(r, "queue ", which, (double)r->series->wire[hop][dir].queue_us / 1e3);
    line(r, "loss ", which, in ? 100.0 * (double)dropped / (double)in : 0);
    r->series->wire[hop][dir].in = stats.in;
    r->series->wire[hop][dir].dropped = stats.queue_dropped;
    r->series->wire[hop][dir].queue_us = 0;
}

static double mbps(uint64_t bytes) {
    return 8.0 * (double)bytes / (double)SERIES_US;
}

static void lines(struct road *r) {
    struct road_series *s = r->series;
    bool back = false;
    uint64_t tcp = 0;
    for (size_t i = 0; i < r->flows; i++) {
        back = back || r->flow[i].config.backward;
        line(r, "rate ", r->flow[i].name, mbps(r->flow[i].bytes - s->flow_bytes[i]));
        s->flow_bytes[i] = r->flow[i].bytes;
    }
    for (size_t i = 0; i < r->tcps; i++)
        tcp += tcp_flow_acked(r->tcp[i]);
    if (r->tcps)
        line(r, "rate ", "TCP", mbps(tcp - s->tcp_bytes));
    s->tcp_bytes = tcp;
    for (size_t i = r->hops; i-- > 0;) { /* as a packet meets them */
        char which[32] = "forward";
        if (r->hops > 1)
            snprintf(which, sizeof which, "link %zu", r->hops - i);
        wire_lines(r, i, RMT_UP, which);
        if (back)
            wire_lines(r, i, RMT_DOWN, "back");
    }
}

static void look(void *ctx, int64_t now_us) {
    struct road *r = ctx;
    struct road_series *s = r->series;
    if (!s)
        return;
    (void)rmt_vnet_at(r->v, now_us + QUEUE_US, look, r);
    for (size_t i = 0; i < r->hops; i++)
        for (int d = 0; d < 2; d++) {
            const int64_t wait_us = rmt_wire_wait_us(rmt_nat_wire(r->hop[i].nat, (enum rmt_dir)d));
            s->wire[i][d].queue_us = rmi_max64(s->wire[i][d].queue_us, wait_us);
        }
    if (now_us < s->next_us)
        return;
    s->next_us += SERIES_US;
    lines(r);
}

struct road_series *road_series_open(struct road *r) {
    if (!r->sim->series)
        return NULL;
    struct road_series *s = calloc(1, sizeof *s);
    RMT_CHECK(r->v, s != NULL);
    s->out = r->sim->series;
    r->sim->series = NULL; /* taken: a second road of the scenario has none */
    s->next_us = r->start_us + SERIES_US;
    (void)rmt_vnet_at(r->v, r->start_us + QUEUE_US, look, r);
    return s;
}

void road_series_close(struct road *r) {
    if (!r->series)
        return;
    RMT_CHECK(r->v, fclose(r->series->out) == 0); /* all of it is on the disk */
    free(r->series);
    r->series = NULL;
}
