/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "rmrtc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct measurement {
    const char *id, *what;
    bool (*run)(struct bench *b);
};

static const struct measurement measurements[] = {
    {"SC-005", "set-up over 200 joins on loopback: signaling ready to ICE and DTLS done", bench_setup},
    {"SC-007", "resident memory of one connection, before codecs", bench_memory},
    {"SC-012", "clean-up time of a participant, and what it leaves behind", bench_cleanup},
};
#define MEASUREMENTS (sizeof measurements / sizeof measurements[0])

static void usage(FILE *out) {
    fprintf(out,
            "usage: rmrtc bench [ID...] [--json]\n\nMeasures on this machine and prints a line for each figure:\n");
    for (size_t i = 0; i < MEASUREMENTS; i++)
        fprintf(out, "  %-8s %s\n", measurements[i].id, measurements[i].what);
    fprintf(out, "\n  --json   one JSON object a line, nothing else on standard output\n"
                 "\nThe exit code is 0 only when every figure is within its limit.\n");
}

static const struct measurement *find(const char *id) {
    for (size_t i = 0; i < MEASUREMENTS; i++)
        if (!strcmp(measurements[i].id, id))
            return &measurements[i];
    return NULL;
}

static bool measure(struct bench *b, const struct measurement *m) {
    if (m->run(b))
        return true;
    fprintf(stderr, "rmrtc bench: %s could not be measured\n", m->id);
    return false;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct bench b = {.all_pass = true};
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (o != 'j') {
            usage(stderr);
            return EXIT_USAGE;
        }
        b.json = true;
    }
    for (int i = optind; i < argc; i++)
        if (!find(argv[i])) {
            fprintf(stderr, "rmrtc bench: there is no figure \"%s\"\n\n", argv[i]);
            usage(stderr);
            return EXIT_USAGE;
        }
    bool ok = true;
    for (int i = optind; i < argc; i++)
        ok = measure(&b, find(argv[i])) && ok;
    for (size_t i = 0; optind == argc && i < MEASUREMENTS; i++)
        ok = measure(&b, &measurements[i]) && ok;
    return ok && b.all_pass ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command cmd_bench = {"bench", "measure this machine against the project's limits and goals", run};
