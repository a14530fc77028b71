/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_DEMO_H
#define RMRTC_DEMO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* `rmrtc demo`: three processes of this same program, whose lines are read. */

enum demo_role { DEMO_SIGNAL, DEMO_BLUR, DEMO_CAMERA, DEMO_ROLES };
extern const char *const demo_names[DEMO_ROLES]; /* also the peers' ids */

/* ---- demo_child.c: one process ---- */

enum demo_pipe { DEMO_OUT, DEMO_ERR, DEMO_PIPES };

struct demo_lines {
    int fd; /* -1: ended */
    char *text;
    size_t length, capacity;
};

struct demo_child {
    pid_t pid;    /* 0: not running */
    bool started; /* at least tried */
    int status;   /* of waitpid, once it has ended */
    struct demo_lines pipes[DEMO_PIPES];
};

typedef void (*demo_line_fn)(enum demo_pipe which, const char *line, void *ctx);

/* argv[0] is "rmrtc". The process ends with this one, even if this one is killed. False: errno says why. */
bool demo_child_start(struct demo_child *c, const char *const *argv);
/* Takes the lines that have come, without waiting. */
void demo_child_read(struct demo_child *c, demo_line_fn on_line, void *ctx);
/* Both of its pipes are at their end, so it is, or will be at once. */
bool demo_child_is_silent(const struct demo_child *c);
void demo_child_signal(struct demo_child *c, int signal);
void demo_child_wait(struct demo_child *c); /* blocks; sets status */
void demo_child_free(struct demo_child *c);

/* ---- demo_figures.c: what the lines say ---- */

/* What a process took while nobody else was in the room. */
struct demo_cpu { /* seconds */
    double all, source, receiving, wall;
};

struct demo_load {
    struct demo_cpu sum, last; /* last: of the line before */
    bool has_last;
    long rss_kib, idle_rss_kib; /* now; when nobody was connected */
};

struct demo_figures {
    int64_t camera_started_us;
    double camera_delay_ms;   /* from its process' start to where its own times begin; least seen */
    json_t *line[DEMO_ROLES]; /* the last of each */
    struct demo_load load[DEMO_ROLES];
    unsigned settled; /* lines of the camera since its first picture came back */
};

void demo_figures_init(struct demo_figures *f);
void demo_figures_free(struct demo_figures *f);
/* Takes a line of JSON; others are left alone. */
void demo_figures_line(struct demo_figures *f, enum demo_role role, pid_t pid, const char *line, int64_t now_us);
bool demo_figures_ready(const struct demo_figures *f, enum demo_role role); /* it is in the room */
/* The peer `of` as `role` sees it; NULL: not yet. */
const json_t *demo_peer(const struct demo_figures *f, enum demo_role role, enum demo_role of);
/* A number by its names: demo_number(o, "media", "video_in", "fps", NULL). NAN: there is none. */
double demo_number(const json_t *o, ...);
/* Of one core; NAN: not known yet. `sending`: without the source of what is sent, and without receiving. */
double demo_cpu_percent(const struct demo_load *load, bool sending);

struct demo_report_config {
    const char *video_codec; /* goals depend on it */
    const char *example;     /* file whose lines are counted */
};
/* Prints a line for each figure. True: all are within their limits. */
bool demo_report(const struct demo_figures *f, const struct demo_report_config *config);

/* ---- demo_view.c: the live table ---- */

struct demo_view {
    bool tty;
    int64_t started_us;
    size_t lines; /* on the terminal now */
    int64_t drawn_us;
};
void demo_view_init(struct demo_view *v, int64_t now_us);
/* On a terminal in place; else every few seconds. */
void demo_view_draw(struct demo_view *v, const struct demo_figures *f, int64_t now_us);
/* A line above the table. */
void demo_view_say(struct demo_view *v, const char *who, const char *text);

#endif
