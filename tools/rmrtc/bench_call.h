/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_CALL_H
#define RMRTC_BENCH_CALL_H

#include "bench.h"
#include "bench_child.h"

/* Two participants in processes of their own, and a signaling server in this one. */
struct bench_call {
    struct rmi_signaling_thread server;
    bool has_server;
    struct bench_child a, b;
    int64_t started_us; /* when the process of `a` was started */
};

/* `b` first; `a` when that is in the room. Arguments as in bench_role.h, without url and id. False: stopped again. */
bool bench_call_start(struct bench_call *c, const char *const *a, const char *const *b);
void bench_call_stop(struct bench_call *c);

/* What a child's numbers grew by in a while. */
struct bench_window {
    json_t *before, *after;
};
bool bench_window_take(struct bench_window *w, struct bench_child *c, int ms);
double bench_window_grown(const struct bench_window *w, const char *name);
/* Its CPU time without that of drawing the test picture, in percent of one core. */
double bench_window_cpu(const struct bench_window *w);
void bench_window_free(struct bench_window *w);

void bench_sleep(int ms);

#endif
