/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "bench_loop.h"
#include "bench_role.h"
#include "rmrtc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_PICTURES 60

struct measurement {
    const char *id, *what;
    bool (*run)(struct bench *b);
};

static bool bench_data(struct bench *b) {
    const bool ok = bench_data_real(b);
    return bench_data_sim(b) && ok;
}

static const struct measurement measurements[] = {
    {"SC-001", "first picture back through a blurring peer, from the start of the process", bench_first_picture},
    {"SC-002", "age of sound that comes back through it, by markers in the samples", bench_sound},
    {"SC-003", "age of pictures, 1280x720 at 30 Hz and 1.5 Mbit/s, by stamps in the pixels", bench_pictures},
    {"SC-004", "a mesh of ten processes: what is lost, age of sound, memory, CPU; two minutes", bench_mesh},
    {"SC-005", "set-up over 200 joins on loopback: signaling ready to ICE and DTLS done", bench_setup},
    {"SC-006", "CPU of one core to send such pictures, and without the codec", bench_sending},
    {"SC-006b", "CPU of the peer that receives, decodes, blurs, encodes and sends them", bench_processing},
    {"SC-007", "resident memory of one connection, before codecs, and with a decoder of 720p", bench_memory},
    {"SC-008", "recovery after 0.2 to 20 s without a network, by simulation", bench_outages},
    {"SC-009", "heap calls for a chunk of sound that passes the pipeline, against copying it", bench_heap},
    {"SC-010", "lines of code of examples/01_blur_call.c (from its folder's parent only)", bench_code},
    {"SC-011", "chunks of sound lost at 1000 a second a peer, ten peers at once", bench_rate},
    {"SC-012", "clean-up time of a participant, and what it leaves behind", bench_cleanup},
    {"RUNGS", "CPU of a source of 720p for each viewer more, up to nine, and its encoders", bench_rungs},
    {"DATA", "data channels: what loopback and links of known rate and loss carry", bench_data},
    {"RFC8867", "congestion control: the cases of RFC 8867 and a mesh of ten, by simulation", bench_congestion},
};
#define MEASUREMENTS (sizeof measurements / sizeof measurements[0])

static void usage(FILE *out) {
    fprintf(out,
            "usage: rmrtc bench [ID...] [OPTIONS]\n\nMeasures on this machine and prints a line for each figure:\n");
    for (size_t i = 0; i < MEASUREMENTS; i++)
        fprintf(out, "  %-8s %s\n", measurements[i].id, measurements[i].what);
    fprintf(
        out,
        "\n  --json    one JSON object a line, nothing else on standard output\n"
        "  --runs N  of calls, whose medians count, 1..100; default 5. Seeds of simulations; default: as in the tests\n"
        "  --sim DIR where the simulations of SC-008 and RFC8867 are (built with the tests); default: beside rmrtc\n"
        "  --write-test-video FILE  two seconds of the test picture as raw I420, for other programs; then ends\n"
        "  --quick   one run\n"
        "  --full    endurance runs (SC-004) of 30 minutes\n"
        "  --minutes N  or of so many, 1..1440; default 1\n"
        "\nCPU time is of the measured process (getrusage), without drawing the test picture.\nThe exit code is 0 "
        "only when every figure is within its limit, or its goal where it has no limit.\n");
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

static bool set_option(struct bench *b, int o, const char *arg) {
    long number;
    switch (o) {
    case 'j':
        b->json = true;
        return true;
    case 'q':
        b->runs = 1;
        b->runs_given = true;
        return true;
    case 's':
        b->sim_dir = arg;
        return true;
    case 'n':
        if (!parse_number("--runs", arg, 1, BENCH_RUNS_MAX, &number))
            return false;
        b->runs = (size_t)number;
        b->runs_given = true;
        return true;
    case 'f':
        b->minutes = BENCH_MINUTES_FULL;
        return true;
    case 'm':
        if (!parse_number("--minutes", arg, 1, BENCH_MINUTES_MAX, &number))
            return false;
        b->minutes = (size_t)number;
        return true;
    default:
        return false;
    }
}

static int write_test_video(const char *path) {
    rm_err err = bench_write_pictures(path, TEST_PICTURES);
    if (err)
        fprintf(stderr, "rmrtc bench: %s: %s\n", path, rm_strerror(err));
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"runs", required_argument, NULL, 'n'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"full", no_argument, NULL, 'f'},
                                            {"minutes", required_argument, NULL, 'm'},
                                            {"sim", required_argument, NULL, 's'},
                                            {"write-test-video", required_argument, NULL, 'w'},
                                            {"role", no_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct bench b = {.all_pass = true, .runs = BENCH_RUNS, .minutes = BENCH_MINUTES};
    int o;
    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h') {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (o == 'r')
            return bench_role(argc - optind, argv + optind);
        if (o == 'w')
            return write_test_video(optarg);
        if (!set_option(&b, o, optarg)) {
            usage(stderr);
            return EXIT_USAGE;
        }
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
