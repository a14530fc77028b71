/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of connections without media: set-up time, memory, clean-up. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETUP_JOINS 200 /* the number the requirement names */
#define MEMORY_PEERS 16
#define CLEANUP_CYCLES 100
#define JOIN_TIMEOUT_MS 5000

/* One newcomer joins and leaves; its time from signaling ready to everything connected. Negative: it did not connect.
 */
static double join_once(const struct rmi_signaling_thread *s, rm_webrtc *host, size_t i, double *destroy_ms) {
    char id[32];
    snprintf(id, sizeof id, "join-%zu", i);
    rm_webrtc *t = bench_join(s, id, true);
    if (!t)
        return -1;
    double ms = -1;
    if (bench_wait_connected(t, 1, JOIN_TIMEOUT_MS) && bench_wait_connected(host, 1, JOIN_TIMEOUT_MS)) {
        rm_peer_info info;
        size_t count = 0;
        if (!rm_webrtc_peers(t, &info, 1, &count) && count)
            ms = info.connected_ms;
    }
    int64_t before = rmi_now_us();
    rm_webrtc_destroy(&t);
    *destroy_ms = (double)(rmi_now_us() - before) / 1000.0;
    return ms;
}

bool bench_setup(struct bench *b) {
    struct rmi_signaling_thread s;
    if (!bench_server_start(&s))
        return false;
    double values[SETUP_JOINS], destroy_ms;
    size_t n = 0, failed = 0;
    rm_webrtc *host = bench_join(&s, "host", true);
    for (size_t i = 0; host && i < SETUP_JOINS; i++) {
        double ms = join_once(&s, host, i, &destroy_ms);
        if (ms < 0)
            failed++;
        else
            values[n++] = ms;
    }
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&s);
    if (!n)
        return false;
    bench_report(b, &(struct figure){"SC-005", "setup_p50", "ms", bench_percentile(values, n, 50), 2000, 10, n});
    bench_report(b, &(struct figure){"SC-005", "setup_p95", "ms", bench_percentile(values, n, 95), 2000, 30, n});
    bench_report(b, &(struct figure){"SC-005", "setup_max", "ms", bench_percentile(values, n, 100), 2000, 300, n});
    bench_report(b, &(struct figure){"SC-005", "setup_failed", "joins", (double)failed, 0, 0, n + failed});
    return true;
}

static rm_webrtc *join_ready(const struct rmi_signaling_thread *s, const char *id) {
    rm_webrtc *t = bench_join(s, id, false);
    rm_event ev;
    bool ready = false;
    while (t && !ready && !rm_webrtc_poll(t, &ev, JOIN_TIMEOUT_MS))
        ready = ev.type == RM_EV_SIGNALING && ev.signaling == RM_SIGNALING_READY;
    if (!ready)
        rm_webrtc_destroy(&t);
    return t;
}

bool bench_memory(struct bench *b) {
    static const char *const hosts[] = {"host-1", "host-2"};
    struct rmi_signaling_thread s;
    if (!bench_server_start(&s))
        return false;
    rm_webrtc *peers[2 + MEMORY_PEERS] = {0};
    char id[32];
    bool ok = true;
    for (size_t i = 0; ok && i < 2 + MEMORY_PEERS; i++) {
        snprintf(id, sizeof id, "peer-%zu", i);
        peers[i] = join_ready(&s, i < 2 ? hosts[i] : id);
        ok = peers[i] != NULL;
    }
    /* Everybody's first connection is not counted, as it warms pools, stacks and libraries: that with the first host,
     * and the first of the second host. */
    long base = 0;
    for (size_t h = 0; h < 2; h++)
        for (size_t i = 0; ok && i < MEMORY_PEERS; i++) {
            if (h == 1 && i == 1)
                base = bench_rss_kib();
            rm_webrtc *t = peers[2 + i];
            ok = !rm_webrtc_connect_peer(t, hosts[h]) && bench_wait_connected(t, 1, JOIN_TIMEOUT_MS);
        }
    /* Each call holds both ends of a connection in this process. */
    double per_connection = (double)(bench_rss_kib() - base) / 1024.0 / (2.0 * (MEMORY_PEERS - 1));
    for (size_t i = 0; i < 2 + MEMORY_PEERS; i++)
        rm_webrtc_destroy(&peers[i]);
    rmi_signaling_thread_stop(&s);
    if (ok)
        bench_report(b, &(struct figure){"SC-007", "rss_per_connection", "MB", per_connection, 100, 0.3,
                                         2 * (MEMORY_PEERS - 1)});
    return bench_decoding_memory(b) && ok;
}

bool bench_cleanup(struct bench *b) {
    struct rmi_signaling_thread s;
    if (!bench_server_start(&s))
        return false;
    rm_webrtc *host = bench_join(&s, "host", true);
    double values[CLEANUP_CYCLES], destroy_ms = 0;
    bool ok = host && join_once(&s, host, CLEANUP_CYCLES, &destroy_ms) >= 0; /* warm */
    long fds = bench_open_descriptors(), threads = bench_threads();
    size_t n = 0;
    for (size_t i = 0; ok && i < CLEANUP_CYCLES; i++) {
        ok = join_once(&s, host, i, &destroy_ms) >= 0;
        values[n++] = destroy_ms;
    }
    rm_event ev; /* the server and the host notice the last leaver */
    char last[32];
    snprintf(last, sizeof last, "join-%d", CLEANUP_CYCLES - 1);
    while (ok && !rm_webrtc_poll(host, &ev, JOIN_TIMEOUT_MS) &&
           (ev.type != RM_EV_PEER_LEFT || strcmp(ev.peer_id, last) != 0))
        continue;
    long fds_after = bench_open_descriptors(), threads_after = bench_threads();
    rm_webrtc_destroy(&host);
    rmi_signaling_thread_stop(&s);
    if (!ok)
        return false;
    bench_report(b, &(struct figure){"SC-012", "cleanup_p99", "ms", bench_percentile(values, n, 99), 1000, 100, n});
    bench_report(b, &(struct figure){"SC-012", "leaked_descriptors", "fds", (double)(fds_after - fds), 0, 0, n});
    bench_report(b, &(struct figure){"SC-012", "leaked_threads", "thr", (double)(threads_after - threads), 0, 0, n});
    return true;
}
