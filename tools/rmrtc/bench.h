/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_H
#define RMRTC_BENCH_H

#include "io/loop.h"
#include "webrtc/signaling_thread.h"
#include <math.h>
#include <remotemedia/webrtc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One figure: {"id","metric","value","unit","limit","goal","pass","goal_met","n"} (DESIGN section 8). NAN = no limit or
 * goal. */
struct figure {
    const char *id, *metric, *unit;
    double value, limit, goal;
    size_t n;
};

#define BENCH_RUNS 5 /* of which the median counts */
#define BENCH_WIDTH 1280
#define BENCH_HEIGHT 720
#define BENCH_FPS 30

struct bench {
    bool json;
    size_t runs; /* 1..BENCH_RUNS_MAX */
    bool runs_given;
    size_t minutes;      /* of endurance runs */
    const char *sim_dir; /* where simulations are; NULL: beside this program */
    bool all_pass;
    size_t figures;
};

#define BENCH_RUNS_MAX 100
#define BENCH_MINUTES 1 /* after the minute in which the mesh grows */
#define BENCH_MINUTES_FULL 30
#define BENCH_MINUTES_MAX (24 * 60)

void bench_report(struct bench *b, const struct figure *f);
/* Limit and goal are the least, not the most. */
void bench_report_at_least(struct bench *b, const struct figure *f);

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
/* Lines with more than blanks and comments. */
size_t bench_count_code(FILE *f);

/* Each returns false when it could not run. */
bool bench_first_picture(struct bench *b);   /* SC-001 */
bool bench_sound(struct bench *b);           /* SC-002 */
bool bench_pictures(struct bench *b);        /* SC-003 */
bool bench_mesh(struct bench *b);            /* SC-004 */
bool bench_setup(struct bench *b);           /* SC-005 */
bool bench_sending(struct bench *b);         /* SC-006 */
bool bench_processing(struct bench *b);      /* SC-006b */
bool bench_memory(struct bench *b);          /* SC-007 */
bool bench_heap(struct bench *b);            /* SC-009 */
bool bench_code(struct bench *b);            /* SC-010 */
bool bench_rate(struct bench *b);            /* SC-011 */
bool bench_cleanup(struct bench *b);         /* SC-012 */
bool bench_decoding_memory(struct bench *b); /* part of SC-007 */
bool bench_rungs(struct bench *b);           /* RUNGS: a source and one to nine viewers */
bool bench_data_sim(struct bench *b);        /* DATA over links in virtual time */
bool bench_data_real(struct bench *b);       /* DATA over loopback */
bool bench_congestion(struct bench *b);      /* RFC8867, by simulations beside the tool */
bool bench_outages(struct bench *b);         /* SC-008, the same way */

#endif
