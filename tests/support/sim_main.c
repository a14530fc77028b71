/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_private.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_MS 120000   /* a seed that takes longer hangs: whole runs take seconds */
#define FAILURES_MAX 10u /* then the rest of the seeds is not tried */

struct run {
    struct rmt_sim sim;
    rmt_scenario_fn fn;
    const char *exe, *trace_path, *series_path;
    uint64_t first, last; /* seeds */
    bool alone, print_hash, twice;
    volatile uint64_t *current; /* shared with the child: the seed it is at */
};

struct rmt_vnet *rmt_sim_vnet(struct rmt_sim *sim, uint64_t seed) {
    struct rmt_vnet *v = rmt_vnet_create(seed);
    rmt_vnet_set_trace(v, sim->trace);
    return v;
}

void rmt_sim_done(struct rmt_sim *sim, struct rmt_vnet **v) {
    sim->hash = rmt_mix(sim->hash, rmt_vnet_trace_hash(*v));
    rmt_vnet_destroy(v);
}

void rmt_sim_figure(struct rmt_sim *sim, const struct rmt_figure *f) {
    if (!rmt_figure_print(stdout, f) && !sim->broken[0])
        snprintf(sim->broken, sizeof sim->broken, "%s: %g%s%s, not %s %g", f->metric, f->value, *f->unit ? " " : "",
                 f->unit, f->higher_is_better ? "at least" : "at most", isnan(f->limit) ? f->goal : f->limit);
}

static uint64_t run_seed(struct run *r, uint64_t seed) {
    r->sim.hash = 0;
    r->sim.last = seed == r->last;
    r->sim.broken[0] = '\0';
    r->fn(seed, &r->sim);
    if (r->sim.broken[0]) {
        fprintf(stderr, "FAIL seed=%" PRIu64 ": %s\n", seed, r->sim.broken);
        exit(1);
    }
    return r->sim.hash;
}

static void run_seeds(struct run *r, uint64_t first) {
    for (uint64_t seed = first; seed <= r->last; seed++) {
        *r->current = seed;
        uint64_t hash = run_seed(r, seed);
        if (r->twice && run_seed(r, seed) != hash) {
            fprintf(stderr, "FAIL seed=%" PRIu64 ": the second run differs\n", seed);
            exit(1);
        }
        if (r->print_hash)
            printf("seed=%" PRIu64 " hash=%016" PRIx64 "\n", seed, hash);
    }
}

/* Waits for the end of the child, or for a seed that takes too long. Returns the wait status. */
static int watch(struct run *r, pid_t child, int alive) {
    uint64_t seen = *r->current;
    struct pollfd p = {.fd = alive, .events = POLLIN};
    int got;
    while ((got = poll(&p, 1, HANG_MS)) <= 0) { /* readable means end of file: the child holds the other end */
        if (got < 0 && errno == EINTR)
            continue;
        if (*r->current == seen) {
            kill(child, SIGKILL);
            break;
        }
        seen = *r->current;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void report(const struct run *r, int status) {
    printf("FAIL seed=%" PRIu64 " %s: ", *r->current, r->sim.name);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        printf("hangs (killed)");
    else if (WIFSIGNALED(status))
        printf("signal %d", WTERMSIG(status));
    else
        printf("exit %d", WEXITSTATUS(status));
    printf("  replay: %s --seed %" PRIu64 "\n", r->exe, *r->current);
    fflush(stdout);
}

/* Runs from `first` on in a child. True: all went well; else *r->current is the seed that failed. */
static bool run_child(struct run *r, uint64_t first) {
    int ends[2];
    *r->current = first;
    fflush(NULL);
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(2);
    }
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    if (child == 0) {
        close(ends[0]);
        run_seeds(r, first);
        exit(0);
    }
    close(ends[1]);
    int status = watch(r, child, ends[0]);
    close(ends[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    report(r, status);
    return false;
}

static int run_all(struct run *r) {
    unsigned failures = 0;
    uint64_t seed = r->first;
    while (seed <= r->last && !run_child(r, seed)) {
        seed = *r->current + 1;
        if (++failures == FAILURES_MAX)
            break;
    }
    if (failures) {
        printf("%s: %u seeds failed\n", r->sim.name, failures);
        return 1;
    }
    printf("%s: %" PRIu64 " seeds ok\n", r->sim.name, r->last - r->first + 1);
    return 0;
}

static bool parse_u64(const char *text, char end, uint64_t *out, const char **rest) {
    char *stop;
    errno = 0;
    *out = strtoull(text, &stop, 10);
    *rest = stop;
    return stop != text && errno == 0 && *stop == end;
}

static bool parse_args(struct run *r, int argc, char **argv) {
    const char *rest;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--hash") == 0) {
            r->print_hash = true;
            continue;
        }
        if (strcmp(argv[i], "--twice") == 0) {
            r->twice = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0 && parse_u64(value, '\0', &r->first, &rest)) {
            r->last = r->first;
            r->alone = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && parse_u64(value, '-', &r->first, &rest) &&
                   parse_u64(rest + 1, '\0', &r->last, &rest) && r->first <= r->last && r->last < UINT64_MAX) {
            r->alone = false;
        } else if (strcmp(argv[i], "--trace") == 0 && *value) {
            r->trace_path = value;
        } else if (strcmp(argv[i], "--series") == 0 && *value) {
            r->series_path = value;
        } else {
            return false;
        }
        i++;
    }
    return !r->series_path || (r->alone && !r->twice);
}

/* False, and told: no such file can be written. */
static bool open_file(const char *path, FILE **out) {
    if (path && !(*out = fopen(path, "w")))
        perror(path);
    return !path || *out;
}

int rmt_sim_main(int argc, char **argv, rmt_scenario_fn fn, void *user, unsigned default_seeds, const char *name) {
    struct run r = {.sim = {.name = name, .user = user}, .fn = fn, .exe = argv[0], .first = 1, .last = default_seeds};
    const char *env = getenv("RM_SIM_SEEDS"), *rest;
    if (env && *env && (!parse_u64(env, '\0', &r.last, &rest) || r.last == 0 || r.last == UINT64_MAX)) {
        fprintf(stderr, "RM_SIM_SEEDS is not a number of seeds: %s\n", env);
        return 2;
    }
    if (!parse_args(&r, argc, argv)) {
        fprintf(stderr,
                "usage: %s [--seed N | --seeds A-B] [--trace FILE] [--series FILE, with --seed] [--hash] "
                "[--twice]\n",
                argv[0]);
        return 2;
    }
    if (!open_file(r.trace_path, &r.sim.trace) || !open_file(r.series_path, &r.sim.series))
        return 2;
    r.sim.seeds = r.last - r.first + 1;
    r.current = mmap(NULL, sizeof *r.current, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r.current == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    int result = 0;
    if (r.alone) {
        run_seeds(&r, r.first);
        if (r.sim.series) {
            fprintf(stderr, "%s: %s has no series\n", r.series_path, name);
            return 2;
        }
        printf("%s: seed %" PRIu64 " ok\n", name, r.first);
    } else {
        result = run_all(&r);
    }
    if (r.sim.trace)
        fclose(r.sim.trace);
    munmap((void *)r.current, sizeof *r.current);
    return result;
}
