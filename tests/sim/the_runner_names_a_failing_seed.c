/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The runner itself: options, replay lines, exit codes, percentiles, figure lines. */

static void bad_on_three_and_five(uint64_t seed, struct rmt_sim *sim) {
    struct rmt_vnet *v = rmt_sim_vnet(sim, seed);
    RMT_CHECK(v, seed != 3);
    if (seed == 5)
        raise(SIGTERM);
    rmt_sim_done(sim, &v);
}

static void differs_each_time(uint64_t seed, struct rmt_sim *sim) {
    (void)seed;
    sim->hash = (uint64_t)++ * (int *)sim->user;
}

/* Runs the runner in a child; its standard output is what comes back. */
static int run(rmt_scenario_fn fn, const char *const *args, char *out, size_t cap) {
    int ends[2], argc = 0, status = 0, calls = 0;
    char *argv[8] = {NULL};
    for (; args[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc];
    fflush(NULL);
    RMT_CHECK(NULL, pipe(ends) == 0);
    pid_t child = fork();
    RMT_CHECK(NULL, child >= 0);
    if (child == 0) {
        unsetenv("RM_SIM_SEEDS");
        dup2(ends[1], STDOUT_FILENO);
        close(STDERR_FILENO);
        exit(rmt_sim_main(argc, argv, fn, &calls, 2, "x"));
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < cap && (got = read(ends[0], out + n, cap - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = '\0';
    close(ends[0]);
    RMT_CHECK(NULL, waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(rmt_scenario_fn fn, const char *const *args, int code, const char *want) {
    char out[1024];
    int got = run(fn, args, out, sizeof out);
    if (got != code || strcmp(out, want) != 0)
        rmt_vnet_fail(NULL, "exit %d, not %d; output \"%s\", not \"%s\"", got, code, out, want);
}

static void runner(void) {
    expect(bad_on_three_and_five, (const char *[]){"exe", NULL}, 0, "x: 2 seeds ok\n");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--seeds", "1-6", NULL}, 1,
           "FAIL seed=3 x: exit 1  replay: exe --seed 3\nFAIL seed=5 x: signal 15  replay: exe --seed 5\n"
           "x: 2 seeds failed\n");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--seed", "4", NULL}, 0, "x: seed 4 ok\n");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--seed", "3", NULL}, 1, "");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--seeds", "6-1", NULL}, 2, "");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--bogus", NULL}, 2, "");
    expect(bad_on_three_and_five, (const char *[]){"exe", "--seed", "4", "--twice", NULL}, 0, "x: seed 4 ok\n");
    expect(differs_each_time, (const char *[]){"exe", "--seed", "4", "--twice", NULL}, 1, "");
}

static void samples(void) {
    struct rmt_samples s = {0};
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 50000), 0);
    for (int i = 0; i < 1000; i++)
        rmt_samples_add(&s, (i * 7919) % 1000 + 1); /* 1 to 1000, shuffled */
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 50000), 500);
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 95000), 950);
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 99900), 999);
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 99901), 1000);
    RMT_CHECK_INT(NULL, rmt_samples_percentile(&s, 0), 1);
    RMT_CHECK_INT(NULL, rmt_samples_max(&s), 1000);
    rmt_samples_add(&s, 5000);
    RMT_CHECK_INT(NULL, rmt_samples_max(&s), 5000);
    rmt_samples_fini(&s);
}

static void figure(struct rmt_figure f, bool pass, const char *want) {
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    RMT_CHECK(NULL, out != NULL);
    bool got = rmt_figure_print(out, &f);
    fclose(out);
    if (got != pass || strcmp(text, want) != 0)
        rmt_vnet_fail(NULL, "figure \"%s\", not \"%s\"", text, want);
    free(text);
}

static void figures(void) {
    struct rmt_figure f = {
        .id = "SC-005", .metric = "p95 \"set-up\"", .unit = "ms", .value = 12.5, .limit = 2000, .goal = 10, .n = 40};
    figure(f, true,
           "{\"id\":\"SC-005\",\"metric\":\"p95 \\\"set-up\\\"\",\"value\":12.5,\"unit\":\"ms\",\"limit\":2000,"
           "\"goal\":10,\"pass\":true,\"goal_met\":false,\"n\":40}\n");
    f.limit = NAN;
    f.metric = "m";
    figure(f, false,
           "{\"id\":\"SC-005\",\"metric\":\"m\",\"value\":12.5,\"unit\":\"ms\",\"limit\":null,\"goal\":10,"
           "\"pass\":false,\"goal_met\":false,\"n\":40}\n");
    f.higher_is_better = true;
    figure(f, true,
           "{\"id\":\"SC-005\",\"metric\":\"m\",\"value\":12.5,\"unit\":\"ms\",\"limit\":null,\"goal\":10,"
           "\"pass\":true,\"goal_met\":true,\"n\":40}\n");
    f.goal = NAN;
    f.value = NAN; /* a figure that could not be measured is no pass */
    figure(f, false,
           "{\"id\":\"SC-005\",\"metric\":\"m\",\"value\":null,\"unit\":\"ms\",\"limit\":null,\"goal\":null,"
           "\"pass\":false,\"goal_met\":null,\"n\":40}\n");
}

int main(void) {
    runner();
    samples();
    figures();
    puts("the_runner_names_a_failing_seed: ok");
    return 0;
}
