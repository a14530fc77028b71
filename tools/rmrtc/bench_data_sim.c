/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "sctp/sharing_testkit.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the association, and usrsctp beside it, make of a link, in virtual time, so that the figures are the same on
 * every machine. The rate of a link counts whole IP packets; percents are of what is left for payload after all headers
 * when each packet is full (1,128 of 1,225 bytes). The queue of a link drops what would wait longer than told. */

#define RTT_US RMI_MS(100)
#define WARM_US RMI_SEC(5)
#define MEASURED_US RMI_SEC(30)
#define MESSAGE_BYTES (64 * 1024)
#define TRANSFER_BYTES 100000000
#define LARGE_BYTES (16 * 1024 * 1024)
#define MBIT 20
#define P95 95
#define USRSCTP_PROGRAM "usrsctp_link" /* tests/bench/usrsctp_link.c, where libusrsctp is installed */
#define USRSCTP_ARGUMENTS 8
#define DIGITS 24

extern char **environ;
#define NAME_BYTES 64
#define P95_RTTS 1.5
#define JAIN_LEAST 0.8
#define WEIGHTS_OFF_MOST 3
#define SHARE_FROM_S 25
#define SHARE_FOR_S 40

struct path {
    const char *name;
    int mbit, loss_permille;
    int64_t queue_us;
    double least; /* percent */
};
static const struct path paths[] = {
    {"20mbit", MBIT, 0, RMI_MS(100), 95},
    {"20mbit_short_queue", MBIT, 0, RMI_MS(50), 95},
    {"20mbit_loss1", MBIT, 10, RMI_MS(100), 60},
    {"100mbit", 100, 0, RMI_MS(100), 90},
    {"100mbit_short_queue", 100, 0, RMI_MS(50), 90},
};

static struct figure figure(const char *metric, const char *unit, double value, double limit, size_t n) {
    return (struct figure){
        .id = "DATA", .metric = metric, .unit = unit, .value = value, .limit = limit, .goal = NAN, .n = n};
}

/* ---- usrsctp: a program beside this one, which has the stack inside ---- */

static bool usrsctp_path(char *out, size_t size) {
    char exe[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (!slash)
        return false;
    *slash = '\0';
    const int len = snprintf(out, size, "%s/%s", exe, USRSCTP_PROGRAM);
    return len > 0 && (size_t)len < size && access(out, X_OK) == 0;
}

static FILE *start_usrsctp(const char *path, const struct path *link, bool small, pid_t *pid) {
    const int64_t values[USRSCTP_ARGUMENTS] = {link->mbit, link->loss_permille, RTT_US,        link->queue_us,
                                               WARM_US,    MEASURED_US,         MESSAGE_BYTES, small};
    char digits[USRSCTP_ARGUMENTS][DIGITS];
    char *argv[USRSCTP_ARGUMENTS + 2] = {(char *)(uintptr_t)USRSCTP_PROGRAM};
    int fds[2];
    posix_spawn_file_actions_t actions;
    for (int i = 0; i < USRSCTP_ARGUMENTS; i++) {
        snprintf(digits[i], DIGITS, "%lld", (long long)values[i]);
        argv[i + 1] = digits[i];
    }
    if (pipe2(fds, O_CLOEXEC))
        return NULL;
    bool ok = posix_spawn_file_actions_init(&actions) == 0;
    if (ok) {
        ok = !posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO) &&
             !posix_spawn(pid, path, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(fds[1]);
    FILE *from = ok ? fdopen(fds[0], "r") : NULL;
    if (!from)
        close(fds[0]);
    return from;
}

static bool measure_usrsctp(struct bench *b, const char *program, const struct path *link, bool small) {
    unsigned long long bytes = 0;
    long long p95_us = 0;
    pid_t pid = 0;
    FILE *from = start_usrsctp(program, link, small, &pid);
    const bool ok = from && fscanf(from, "%llu %lld", &bytes, &p95_us) == 2;
    if (from)
        fclose(from);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (!ok)
        return false;
    const double mbit = (double)bytes * 8 / (double)MEASURED_US;
    char name[NAME_BYTES];
    if (small) {
        const struct figure f = figure("usrsctp_small_p95_beside_bulk", "RTT", (double)p95_us / (double)RTT_US, NAN, 1);
        bench_report(b, &f);
        return true;
    }
    snprintf(name, sizeof name, "usrsctp_goodput_payload_%s", link->name);
    const struct figure f = figure(name, "Mbps", mbit, NAN, 1);
    bench_report_at_least(b, &f);
    return true;
}

/* ---- ours ---- */

static bool measure_goodput(struct bench *b, const struct path *path) {
    struct test_load l = {.mbit = path->mbit,
                          .loss_permille = path->loss_permille,
                          .rtt_us = RTT_US,
                          .queue_us = path->queue_us,
                          .warm_us = WARM_US,
                          .measured_us = MEASURED_US,
                          .message = MESSAGE_BYTES};
    test_load_run(&l);
    if (l.failed || l.wrong)
        return false;
    const size_t messages = (size_t)l.number[1][0];
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "goodput_share_%s", path->name);
    const struct figure share = figure(name, "%", l.percent, path->least, messages);
    bench_report_at_least(b, &share);
    snprintf(name, sizeof name, "goodput_payload_%s", path->name);
    const struct figure payload = figure(name, "Mbps", l.payload_mbit, NAN, messages);
    bench_report_at_least(b, &payload);
    return true;
}

/* Small messages beside 100 MB on another stream: of one number each 50 ms, from its sending to its reading. */
static bool measure_small(struct bench *b, bool no_interleaving) {
    struct test_load l = {.mbit = MBIT,
                          .rtt_us = RTT_US,
                          .queue_us = RTT_US,
                          .bytes = TRANSFER_BYTES,
                          .message = no_interleaving ? MESSAGE_BYTES : LARGE_BYTES,
                          .no_interleaving = no_interleaving,
                          .small = true};
    test_load_run(&l);
    if (l.failed || l.wrong)
        return false;
    const struct figure f = figure(no_interleaving ? "small_p95_beside_100mb_data" : "small_p95_beside_100mb", "RTT",
                                   (double)test_load_latency(&l, P95) / (double)RTT_US, P95_RTTS, l.latencies);
    bench_report(b, &f);
    return true;
}

/* Two transfers of different associations over one link, the second three seconds after the first. */
static void measure_sharing(struct bench *b, int64_t queue_us, const char *name) {
    struct test_share s = {.flows = 2};
    uint64_t before[TEST_FLOWS_MAX] = {0};
    double mbit;
    s.bottleneck.c =
        (struct test_link_config){.rate_bps = MBIT * 1000000, .delay_us = RTT_US / 2, .queue_us = queue_us};
    s.flow[1].start_us = RMI_SEC(4);
    test_share_open(&s, 1);
    test_share_run(&s, RMI_SEC(SHARE_FROM_S));
    for (size_t i = 0; i < s.flows; i++)
        before[i] = s.flow[i].got;
    test_share_run(&s, RMI_SEC(SHARE_FROM_S + SHARE_FOR_S));
    const double jain = test_share_jain(&s, before, RMI_SEC(SHARE_FOR_S), &mbit);
    const struct figure f = figure(name, "", jain, JAIN_LEAST, s.flows);
    bench_report_at_least(b, &f);
    test_share_close(&s);
}

static void measure_weights(struct bench *b) {
    struct test_weights w = {.weight = {128, 256, 1024}};
    const struct figure f = figure("stream_weights_off", "%", test_weights_run(&w), WEIGHTS_OFF_MOST, TEST_WEIGHTS);
    bench_report(b, &f);
}

bool bench_data_sim(struct bench *b) {
    char program[PATH_MAX];
    const bool beside = usrsctp_path(program, sizeof program);
    bool ok = true;
    if (!beside)
        fprintf(stderr,
                "rmrtc bench: no figures of usrsctp: %s is not beside rmrtc, because libusrsctp was not there "
                "when it was built, or because it is installed\n",
                USRSCTP_PROGRAM);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ok = measure_goodput(b, &paths[i]) && ok;
        if (beside)
            ok = measure_usrsctp(b, program, &paths[i], false) && ok;
    }
    ok = measure_small(b, false) && ok;
    ok = measure_small(b, true) && ok;
    measure_sharing(b, RTT_US, "two_flows_jain");
    measure_sharing(b, RTT_US / 2, "two_flows_jain_short_queue");
    measure_weights(b);
    return (!beside || measure_usrsctp(b, program, &paths[0], true)) && ok;
}
