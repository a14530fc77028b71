/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "sctp/goodput_testkit.h"

/* What the association makes of a link, in virtual time, so that the figures are the same on every machine. The rate of
 * a link counts whole IP packets; percents are of what is left for payload after all headers when each packet is full
 * (1,128 of 1,225 bytes). The queue of a link drops what would wait longer than told. */

#define RTT_US RMI_MS(100)
#define WARM_US RMI_SEC(5)
#define MEASURED_US RMI_SEC(30)
#define MESSAGE_BYTES (64 * 1024)
#define TRANSFER_BYTES 100000000
#define LARGE_BYTES (16 * 1024 * 1024)
#define MBIT 20
#define P95 95
#define NAME_BYTES 64
#define P95_RTTS 1.5

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

bool bench_data_sim(struct bench *b) {
    bool ok = true;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        ok = measure_goodput(b, &paths[i]) && ok;
    ok = measure_small(b, false) && ok;
    return measure_small(b, true) && ok;
}
