/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_H
#define RMRTC_BENCH_H

#include "io/loop.h"
#include "webrtc/signaling_thread.h"
#include <math.h>
#include <remotemedia/webrtc.h>
#include <stdbool.h>
#include <stddef.h>

/* One figure: {"id","metric","value","unit","limit","goal","pass","goal_met","n"} (DESIGN section 8). NAN = no limit or
 * goal. */
struct figure {
    const char *id, *metric, *unit;
    double value, limit, goal;
    size_t n;
};

struct bench {
    bool json;
    bool all_pass;
    size_t figures;
};

void bench_report(struct bench *b, const struct figure *f);

/* A signaling server on loopback, on a thread of its own. False with a message on standard error. */
bool bench_server_start(struct rmi_signaling_thread *s);

/* A started participant on loopback; NULL with a message on standard error. */
rm_webrtc *bench_join(const struct rmi_signaling_thread *s, const char *peer_id, bool auto_connect);
/* Waits until `count` peers are connected. False: not within timeout_ms. */
bool bench_wait_connected(rm_webrtc *t, size_t count, int timeout_ms);

/* Sorts. Nearest rank; percent 0..100. */
double bench_percentile(double *values, size_t n, double percent);
long bench_open_descriptors(void);
long bench_threads(void);
long bench_rss_kib(void);

/* Each returns false when it could not run. */
bool bench_setup(struct bench *b);   /* SC-005 */
bool bench_memory(struct bench *b);  /* SC-007 */
bool bench_cleanup(struct bench *b); /* SC-012 */

#endif
