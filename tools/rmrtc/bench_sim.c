/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of simulations (tests/sim), which are programs of their own: the clock in them is a virtual one. They print
 * figures as JSON lines; here those of all seeds become one median and one worst. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIGURES_MAX 64 /* that one simulation prints */
#define SEEDS_MAX 1024
#define TEXT_MAX 128
#define LINE_BYTES 1024
#define MEDIAN 50

extern char **environ;

/* What was said of one metric. */
struct said {
    char metric[TEXT_MAX], unit[TEXT_MAX];
    double *values;
    size_t n, counted; /* lines; what the last one says it is made of */
    double limit, goal;
    bool at_least;
};

struct run {
    const char *name;
    pid_t pid;
    FILE *from;
    struct said said[FIGURES_MAX];
    size_t count;
};

static bool program_path(const struct bench *b, const char *name, char *out, size_t size) {
    char exe[PATH_MAX];
    const char *dir = b->sim_dir;
    if (!dir) {
        const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        char *slash;
        exe[n > 0 ? n : 0] = '\0';
        if (!(slash = strrchr(exe, '/')))
            return false;
        *slash = '\0';
        dir = exe;
    }
    const int len = snprintf(out, size, "%s/sim_%s", dir, name);
    if (len > 0 && (size_t)len < size && access(out, X_OK) == 0)
        return true;
    fprintf(stderr,
            "rmrtc bench: sim_%s is not in %s. It belongs to the tests: build them (ninja -C build sim_tests) and run "
            "build/bin/rmrtc, or tell where they are with --sim DIR.\n",
            name, dir);
    return false;
}

static bool start(struct bench *b, struct run *r) {
    char path[PATH_MAX], seeds[32];
    if (!program_path(b, r->name, path, sizeof path))
        return false;
    snprintf(seeds, sizeof seeds, "1-%zu", b->runs);
    const char *argv[] = {path, b->runs_given ? "--seeds" : NULL, seeds, NULL};
    int fds[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(fds, O_CLOEXEC))
        return false;
    bool ok = posix_spawn_file_actions_init(&actions) == 0;
    if (ok) {
        ok = !posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO) &&
             !posix_spawn(&r->pid, path, &actions, NULL, (char *const *)(const void *)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(fds[1]);
    r->from = ok ? fdopen(fds[0], "r") : NULL;
    if (!r->from)
        close(fds[0]);
    if (!ok)
        fprintf(stderr, "rmrtc bench: %s does not start: %s\n", path, strerror(errno));
    return ok && r->from;
}

static double number_of(const json_t *line, const char *key) {
    const json_t *v = json_object_get(line, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static struct said *said_of(struct run *r, const char *metric) {
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->said[i].metric, metric))
            return &r->said[i];
    if (r->count == FIGURES_MAX)
        return NULL;
    struct said *s = &r->said[r->count++];
    s->values = calloc(SEEDS_MAX, sizeof s->values[0]);
    snprintf(s->metric, sizeof s->metric, "%s", metric);
    return s->values ? s : NULL;
}

static bool note(struct run *r, const json_t *line) {
    const char *metric = json_string_value(json_object_get(line, "metric"));
    const char *unit = json_string_value(json_object_get(line, "unit"));
    struct said *s = metric ? said_of(r, metric) : NULL;
    if (!s || s->n == SEEDS_MAX)
        return false;
    const double value = number_of(line, "value");
    snprintf(s->unit, sizeof s->unit, "%s", unit ? unit : "");
    s->values[s->n++] = value;
    s->counted = (size_t)number_of(line, "n");
    s->limit = number_of(line, "limit");
    s->goal = number_of(line, "goal");
    const double bound = isnan(s->goal) ? s->limit : s->goal; /* a line says which side is the good one by meeting it */
    const bool met = json_is_true(json_object_get(line, isnan(s->goal) ? "pass" : "goal_met"));
    if (!isnan(bound) && value != bound)
        s->at_least = met == (value > bound);
    return true;
}

static bool read_figures(struct run *r) {
    char text[LINE_BYTES];
    bool ok = true;
    while (fgets(text, sizeof text, r->from)) {
        json_t *line = text[0] == '{' ? json_loads(text, 0, NULL) : NULL;
        ok = (!line || note(r, line)) && ok;
        json_decref(line);
    }
    return ok && r->count > 0;
}

static void tell(struct bench *b, const char *id, const struct said *s, const char *which, double value, double limit,
                 double goal, size_t n) {
    char metric[TEXT_MAX + 16];
    snprintf(metric, sizeof metric, "%s%s", s->metric, which);
    const struct figure f = {
        .id = id, .metric = metric, .unit = s->unit, .value = value, .limit = limit, .goal = goal, .n = n};
    if (s->at_least)
        bench_report_at_least(b, &f);
    else
        bench_report(b, &f);
}

/* The pass line is the limit of the median of all seeds, and the goal of the worst. */
static void tell_all_seeds(struct bench *b, const char *id, struct said *s) {
    tell(b, id, s, ", median", bench_percentile(s->values, s->n, MEDIAN), s->goal, NAN, s->n);
    if (!isnan(s->goal))
        tell(b, id, s, ", worst", s->values[s->at_least ? 0 : s->n - 1], NAN, s->goal, s->n);
}

/* The figures of one simulation; false: it does not run. One that breaks its own limits has said so on standard error,
 * and its seed. */
static bool measure(struct bench *b, const char *id, const char *name, bool each_seed) {
    struct run *r = calloc(1, sizeof *r);
    int status = 0;
    if (!r)
        return false;
    r->name = name;
    bool ok = start(b, r) && read_figures(r);
    if (r->from)
        fclose(r->from);
    if (r->pid) {
        while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            fprintf(stderr, "rmrtc bench: sim_%s: some seeds failed\n", name);
        b->all_pass = b->all_pass && WIFEXITED(status) && !WEXITSTATUS(status);
    }
    for (size_t i = 0; i < r->count; i++) {
        struct said *s = &r->said[i];
        if (ok && each_seed)
            tell_all_seeds(b, id, s);
        else if (ok)
            tell(b, id, s, "", s->values[s->n - 1], s->limit, s->goal, s->counted);
        free(s->values);
    }
    free(r);
    return ok;
}

bool bench_congestion(struct bench *b) {
    static const char *const names[] = {"one_flow_follows_the_capacity",
                                        "two_flows_follow_the_capacity",
                                        "congestion_of_the_way_back_costs_little",
                                        "three_flows_come_to_a_fair_share",
                                        "long_and_short_ways_share",
                                        "a_flow_lives_beside_tcp",
                                        "flows_live_beside_short_tcp",
                                        "a_paused_flow_comes_back",
                                        "flows_share_by_their_weights",
                                        "ecn_costs_nothing",
                                        "a_flow_over_two_bottlenecks_lives",
                                        "a_constant_link_is_used_without_a_queue",
                                        "nine_connections_share_an_uplink"};
    bool ok = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && ok; i++)
        ok = measure(b, "RFC8867", names[i], true);
    return ok;
}

bool bench_outages(struct bench *b) {
    return measure(b, "SC-008", "outages_end_within_two_seconds_of_the_networks_return", false);
}
