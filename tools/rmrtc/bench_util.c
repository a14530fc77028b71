/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_number(const char *name, double v) {
    if (isnan(v))
        printf("\"%s\":null,", name);
    else
        printf("\"%s\":%g,", name, v);
}

static bool within(double value, double bound, bool at_least) {
    return isnan(bound) || (at_least ? value >= bound : value <= bound);
}

static void report(struct bench *b, const struct figure *f, bool at_least) {
    const bool goal_met = within(f->value, f->goal, at_least);
    const bool pass = isnan(f->limit) ? goal_met : within(f->value, f->limit, at_least);
    b->all_pass = b->all_pass && pass;
    b->figures++;
    if (b->json) {
        printf("{\"id\":\"%s\",\"metric\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",", f->id, f->metric, f->value, f->unit);
        print_number("limit", f->limit);
        print_number("goal", f->goal);
        printf("\"pass\":%s,\"goal_met\":%s,\"n\":%zu}\n", pass ? "true" : "false", goal_met ? "true" : "false", f->n);
    } else {
        printf("%-8s %-28s %10.2f %-4s", f->id, f->metric, f->value, f->unit);
        if (!isnan(f->limit))
            printf("  limit %s%g", at_least ? ">= " : "", f->limit);
        if (!isnan(f->goal))
            printf("  goal %s%g%s", at_least ? ">= " : "", f->goal, goal_met ? "" : " (missed)");
        printf("  %s  n=%zu\n", pass ? "pass" : "FAIL", f->n);
    }
    fflush(stdout);
}

void bench_report(struct bench *b, const struct figure *f) {
    report(b, f, false);
}

void bench_report_at_least(struct bench *b, const struct figure *f) {
    report(b, f, true);
}

bool bench_server_start(struct rmi_signaling_thread *s) {
    /* One host answers hundreds of newcomers a second: more than the server allows a peer by default. */
    rm_err err = rmi_signaling_thread_start(s, &(struct rmi_signaling_host_config){.host = "127.0.0.1",
                                                                                   .max_peers = RM_PEERS_MAX,
                                                                                   .messages_per_second = 100000});
    if (err)
        fprintf(stderr, "rmrtc bench: no signaling server: %s\n", rm_strerror(err));
    return !err;
}

rm_webrtc *bench_join(const struct rmi_signaling_thread *s, const char *peer_id, bool auto_connect) {
    rm_webrtc_config c;
    rm_webrtc_config_init(&c);
    c.signaling_url = s->url;
    c.peer_id = peer_id;
    c.auto_connect = auto_connect;
    c.bind_address = "127.0.0.1";
    c.max_peers = RM_PEERS_MAX;
    rm_webrtc *t = NULL;
    rm_err err = rm_webrtc_create(&c, &t);
    if (!err)
        err = rm_webrtc_start(t);
    if (err) {
        fprintf(stderr, "rmrtc bench: %s: %s\n", peer_id, rm_strerror(err));
        rm_webrtc_destroy(&t);
    }
    return t;
}

bool bench_wait_connected(rm_webrtc *t, size_t count, int timeout_ms) {
    int64_t end = rmi_now_us() + (int64_t)timeout_ms * 1000;
    size_t connected = 0;
    while (connected < count) {
        rm_event ev;
        int64_t left = (end - rmi_now_us()) / 1000;
        if (left <= 0 || rm_webrtc_poll(t, &ev, (int)left))
            return false;
        connected += ev.type == RM_EV_PEER_STATE && ev.peer_state == RM_PEER_CONNECTED;
    }
    return true;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t n, double percent) {
    if (!n)
        return NAN;
    qsort(values, n, sizeof *values, compare);
    size_t rank = (size_t)ceil(percent / 100.0 * (double)n);
    return values[rank ? rank - 1 : 0];
}

static long count_entries(const char *dir) {
    DIR *d = opendir(dir);
    long n = 0;
    if (!d)
        return -1;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

long bench_open_descriptors(void) {
    return count_entries("/proc/self/fd");
}

long bench_threads(void) {
    return count_entries("/proc/self/task");
}

long bench_rss_kib(void) {
    long pages = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return -1;
    if (fscanf(f, "%*d %ld", &pages) != 1)
        pages = -1;
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}
