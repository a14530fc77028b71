/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sim_main.h"
#include "support/vnet_private.h"
#include <math.h>
#include <stdlib.h>

#define MILLI_ALL 100000u /* 100 percent */

void rmt_samples_add(struct rmt_samples *s, int64_t value) {
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->v = rmt_grow(s->v, s->cap, sizeof s->v[0]);
    }
    s->v[s->n++] = value;
    s->sorted = false;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t rmt_samples_percentile(struct rmt_samples *s, unsigned percent_milli) {
    if (s->n == 0)
        return 0;
    if (!s->sorted)
        qsort(s->v, s->n, sizeof s->v[0], compare);
    s->sorted = true;
    uint64_t rank = ((uint64_t)s->n * percent_milli + MILLI_ALL - 1) / MILLI_ALL; /* rounded up, counted from 1 */
    if (rank < 1)
        rank = 1;
    return s->v[(rank > s->n ? s->n : rank) - 1];
}

int64_t rmt_samples_max(struct rmt_samples *s) {
    return rmt_samples_percentile(s, MILLI_ALL);
}

void rmt_samples_fini(struct rmt_samples *s) {
    free(s->v);
    *s = (struct rmt_samples){0};
}

static void print_number(FILE *out, const char *key, double value) {
    if (isfinite(value))
        fprintf(out, "\"%s\":%.6g,", key, value);
    else
        fprintf(out, "\"%s\":null,", key);
}

static bool within(const struct rmt_figure *f, double bound) {
    return f->higher_is_better ? f->value >= bound : f->value <= bound;
}

static void print_text(FILE *out, const char *key, const char *text) {
    fprintf(out, "\"%s\":\"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        if ((unsigned char)*text >= ' ')
            fputc(*text, out);
    }
    fputs("\",", out);
}

bool rmt_figure_print(FILE *out, const struct rmt_figure *f) {
    bool has_limit = !isnan(f->limit), has_goal = !isnan(f->goal);
    bool goal_met = has_goal && within(f, f->goal);
    bool pass = isfinite(f->value) && (has_limit ? within(f, f->limit) : !has_goal || goal_met);
    fputc('{', out);
    print_text(out, "id", f->id);
    print_text(out, "metric", f->metric);
    print_number(out, "value", f->value);
    print_text(out, "unit", f->unit);
    print_number(out, "limit", f->limit);
    print_number(out, "goal", f->goal);
    fprintf(out, "\"pass\":%s,\"goal_met\":%s,\"n\":%zu}\n", pass ? "true" : "false",
            !has_goal  ? "null"
            : goal_met ? "true"
                       : "false",
            f->n);
    return pass;
}
