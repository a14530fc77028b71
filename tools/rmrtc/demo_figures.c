/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of the demo's processes say, and the report of it. */
#include "bench.h"
#include "demo.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_LINES 2 /* seconds after the first picture that are not counted as the steady state */
#define REPORT_TEXT_MAX 32

void demo_figures_init(struct demo_figures *f) {
    memset(f, 0, sizeof *f);
    f->camera_delay_ms = NAN;
}

void demo_figures_free(struct demo_figures *f) {
    for (int i = 0; i < DEMO_ROLES; i++)
        json_decref(f->line[i]);
    memset(f, 0, sizeof *f);
}

double demo_number(const json_t *o, ...) {
    va_list names;
    va_start(names, o);
    for (const char *name = va_arg(names, const char *); name; name = va_arg(names, const char *))
        o = json_object_get(o, name);
    va_end(names);
    return json_is_number(o) ? json_number_value(o) : NAN;
}

const json_t *demo_peer(const struct demo_figures *f, enum demo_role role, enum demo_role of) {
    const json_t *peers = json_object_get(f->line[role], "peers"), *peer;
    size_t i;
    json_array_foreach(peers, i, peer) {
        const char *id = json_string_value(json_object_get(peer, "peer_id"));
        if (id && !strcmp(id, demo_names[of]))
            return peer;
    }
    return NULL;
}

bool demo_figures_ready(const struct demo_figures *f, enum demo_role role) {
    const char *state = json_string_value(json_object_get(f->line[role], "signaling"));
    return state && !strcmp(state, "ready");
}

static size_t connected_peers(const json_t *line) {
    const json_t *peers = json_object_get(line, "peers"), *peer;
    size_t i, count = 0;
    json_array_foreach(peers, i, peer) {
        const char *state = json_string_value(json_object_get(peer, "state"));
        count += state && !strcmp(state, "connected");
    }
    return count;
}

/* 0: cannot be told. */
static long resident_kib(pid_t pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static double or_zero(double v) {
    return isnan(v) ? 0 : v;
}

static void count_load(struct demo_figures *f, enum demo_role role, pid_t pid) {
    struct demo_load *l = &f->load[role];
    const json_t *line = f->line[role];
    const size_t peers = connected_peers(line);
    const long rss = resident_kib(pid);
    const struct demo_cpu now = {.all = demo_number(line, "cpu_s", NULL),
                                 .source = or_zero(demo_number(line, "media", "source_cpu_s", NULL)),
                                 .receiving = or_zero(demo_number(line, "media", "threads_cpu_s", NULL)),
                                 .wall = demo_number(line, "wall_s", NULL)};
    bool counts = peers == 1 && f->settled > SETTLE_LINES; /* those who join by browser cost too */
    if (counts && l->has_last) {
        l->sum.all += now.all - l->last.all;
        l->sum.source += now.source - l->last.source;
        l->sum.receiving += now.receiving - l->last.receiving;
        l->sum.wall += now.wall - l->last.wall;
    }
    l->has_last = counts;
    l->last = now;
    if (rss && peers == 0 && !f->settled)
        l->idle_rss_kib = rss;
    if (rss && peers <= 1)
        l->rss_kib = rss;
}

void demo_figures_line(struct demo_figures *f, enum demo_role role, pid_t pid, const char *line, int64_t now_us) {
    json_t *o = json_loads(line, 0, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        return;
    }
    json_decref(f->line[role]);
    f->line[role] = o;
    if (role == DEMO_CAMERA) {
        double began_us = (double)now_us - demo_number(o, "wall_s", NULL) * 1e6;
        f->camera_delay_ms = fmin(f->camera_delay_ms, (began_us - (double)f->camera_started_us) / 1000);
        f->settled += demo_number(o, "media", "pictures", NULL) > 0;
    }
    if (!json_is_true(json_object_get(o, "summary"))) /* its second is not a whole one */
        count_load(f, role, pid);
}

double demo_cpu_percent(const struct demo_load *load, bool sending) {
    const struct demo_cpu *c = &load->sum;
    return c->wall > 0 ? 100 * (sending ? c->all - c->source - c->receiving : c->all) / c->wall : NAN;
}

/* ---- the report ---- */

struct line {
    const char *id, *what, *unit;
    double value, limit, goal; /* limit, goal NAN: none for what is measured here */
};

struct verdict {
    size_t lines, failed, missed; /* missed: within the limit, above the goal */
};

static void amount(double v, const char *unit, char *out) {
    if (isnan(v))
        snprintf(out, REPORT_TEXT_MAX, "-");
    else
        snprintf(out, REPORT_TEXT_MAX, "%.*f%s%s", v < 100 && v != floor(v) ? 1 : 0, v, unit[0] ? " " : "", unit);
}

/* At most 80 columns. What was not measured has failed. */
static void print_line(const struct line *l, struct verdict *v) {
    char value[REPORT_TEXT_MAX], limit[REPORT_TEXT_MAX], goal[REPORT_TEXT_MAX];
    bool ok = !isnan(l->value) && !(l->value > l->limit), missed = ok && l->value > l->goal;
    amount(l->value, l->unit, value);
    amount(l->limit, l->unit, limit);
    amount(l->goal, l->unit, goal);
    printf("%-8s %-37s %8s %8s %8s  %s\n", l->id, l->what, value, limit, goal,
           !ok      ? "FAIL"
           : missed ? "pass *"
                    : "pass");
    v->lines++;
    v->failed += !ok;
    v->missed += missed;
}

/* NAN: there is no such file. */
static double example_lines(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return NAN;
    size_t n = bench_count_code(file);
    fclose(file);
    return (double)n;
}

static double first_picture_ms(const struct demo_figures *f) {
    return f->camera_delay_ms + demo_number(f->line[DEMO_CAMERA], "media", "first_picture_ms", NULL);
}

static double memory_mb(const struct demo_load *l) {
    return l->idle_rss_kib && l->rss_kib ? (double)(l->rss_kib - l->idle_rss_kib) / 1024 : NAN;
}

bool demo_report(const struct demo_figures *f, const struct demo_report_config *config) {
    const json_t *camera = f->line[DEMO_CAMERA], *blur = demo_peer(f, DEMO_CAMERA, DEMO_BLUR);
    const bool h264 = !strcmp(config->video_codec, "h264");
    const double picture_goal_ms = h264 ? 40 : 60, send_goal = h264 ? 12 : 25;
    const double example = example_lines(config->example);
    const struct line lines[] = {
        {"SC-001", "first processed picture, from start", "ms", first_picture_ms(f), 2000, 300},
        {"SC-002", "sound there and back, p95", "ms", demo_number(camera, "media", "audio_age_ms", "p95", NULL), 50,
         35},
        {"SC-003", "picture there and back, p95", "ms", demo_number(camera, "media", "video_age_ms", "p95", NULL), 100,
         picture_goal_ms},
        {"SC-005", "set-up: signaling ready to DTLS done", "ms", demo_number(blur, "steps_ms", "connected", NULL), 2000,
         30},
        {"SC-006", "CPU of camera: encode and send", "%", demo_cpu_percent(&f->load[DEMO_CAMERA], true), 30, send_goal},
        {"SC-006b", "CPU of blur: decode, blur, encode", "%", demo_cpu_percent(&f->load[DEMO_BLUR], false), NAN, 30},
        {"SC-007", "memory of blur for one peer", "MB", memory_mb(&f->load[DEMO_BLUR]), 100, NAN},
        {"SC-010", "lines of code of the example", "", example, 50, 40},
    };
    struct verdict v = {0};
    printf("\n%-8s %-37s %8s %8s %8s\n", "report", "", "value", "limit", "goal");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(lines[i].id, "SC-010") || !isnan(example)) /* an installed tool has no examples at hand */
            print_line(&lines[i], &v);
    printf("\n%zu of %zu within their limits", v.lines - v.failed, v.lines);
    if (v.missed)
        printf("; * above the goal");
    printf(".\nAges count from a second after the first picture. CPU is in %% of one core, without\n"
           "reading and decoding the clip.\n");
    return !v.failed;
}
