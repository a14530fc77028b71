/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SIM_MAIN_H
#define RMT_SIM_MAIN_H

#include "support/vnet.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Runs one scenario over many seeds and reports in one way.
 *
 *   static void scenario(uint64_t seed, struct rmt_sim *sim) {
 *       struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
 *       ... RMT_CHECK(v, ...) ...
 *       rmt_sim_done(sim, &v);
 *   }
 *   int main(int argc, char **argv) { return rmt_sim_main(argc, argv, scenario, NULL, 20, "two_peers_connect"); }
 *
 * Options: --seed N (in this process, for a debugger), --seeds A-B, --trace FILE, --series FILE (with --seed: what a
 * road.h scenario saw over time, as CSV), --hash (prints "seed=N hash=H"), --twice (each seed runs twice and must give
 * the same hash). RM_SIM_SEEDS=N in the environment: seeds 1 to N instead
 * of the scenario's own count. Seeds run in a child process, so that a crash or a hang (killed after 120 s without the
 * next seed) names its seed: `FAIL seed=N NAME: REASON  replay: EXE --seed N`. At the end `NAME: N seeds ok`. */
#define RMT_BROKEN_MAX 160
struct rmt_sim {
    const char *name;
    void *user;
    FILE *trace;                 /* NULL = none */
    FILE *series;                /* NULL = none is asked for, or somebody has taken it and closes it */
    char broken[RMT_BROKEN_MAX]; /* the first figure of this seed that was beyond its limit; "" = none */
    uint64_t hash;               /* of the networks finished in this seed */
    uint64_t seeds;              /* how many the whole run has */
    bool last;                   /* this is the last seed: figures can be printed */
};

typedef void (*rmt_scenario_fn)(uint64_t seed, struct rmt_sim *sim);

int rmt_sim_main(int argc, char **argv, rmt_scenario_fn fn, void *user, unsigned default_seeds, const char *name);
/* rmt_vnet_create with the runner's trace. */
struct rmt_vnet *rmt_sim_vnet(struct rmt_sim *sim, uint64_t seed);
/* Takes the trace hash and destroys the network. */
void rmt_sim_done(struct rmt_sim *sim, struct rmt_vnet **v);

/* Figures collected over a run. Zero-initialised is empty. */
struct rmt_samples {
    int64_t *v;
    size_t n, cap;
    bool sorted;
};
void rmt_samples_add(struct rmt_samples *s, int64_t value);
/* Nearest rank: the smallest value that at least `percent` of a hundred (in thousandths: 99900 = p99.9) are not above.
 * 0 when empty. */
int64_t rmt_samples_percentile(struct rmt_samples *s, unsigned percent_milli);
int64_t rmt_samples_max(struct rmt_samples *s);
void rmt_samples_fini(struct rmt_samples *s);

/* One line of figures: {"id","metric","value","unit","limit","goal","pass","goal_met","n"}. limit, goal: NAN = none
 * (printed as null). pass: within the limit, or within the goal where there is no limit, or true without either;
 * goal_met is null without a goal. */
struct rmt_figure {
    const char *id, *metric, *unit;
    double value, limit, goal;
    bool higher_is_better;
    size_t n;
};
/* Returns pass. */
bool rmt_figure_print(FILE *out, const struct rmt_figure *figure);
/* A figure of this seed, on standard output. One that does not pass fails the seed, but only when the scenario ends, so
 * that its other figures are seen, too. */
void rmt_sim_figure(struct rmt_sim *sim, const struct rmt_figure *figure);

#endif
