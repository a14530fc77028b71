/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_CHILD_H
#define RMRTC_BENCH_CHILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* A participant in a process of its own (`rmrtc bench --role`, bench_role.c), so that its CPU time, memory and heap
 * calls are its own. It is told a word a line and answers each with a JSON object in a line. */
struct bench_child {
    pid_t pid; /* 0: none */
    FILE *to, *from;
};

#define BENCH_CHILD_ARGS 16

/* What a role is told, "name=value" each, ended by NULL (see bench_role.c). Returns when it is in the room; false with
 * a message on standard error. */
bool bench_child_start(struct bench_child *c, const char *const *args);
/* One word: "look" (numbers as they are), "connected" (first waits for its peers), "picture" (first waits for a
 * picture), "forget" (ages begin anew), "count" (heap calls are counted from now on), "quiet" (sends nothing more).
 * NULL with a message: no answer. */
json_t *bench_child_ask(struct bench_child *c, const char *word);
/* One number of the answer; NAN: not there. */
double bench_child_number(struct bench_child *c, const char *word, const char *name);
/* Ends it and waits for its end. */
void bench_child_stop(struct bench_child *c);

#endif
