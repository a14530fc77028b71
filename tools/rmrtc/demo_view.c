/* SPDX-License-Identifier: Apache-2.0 */
/* The live table of the demo. */
#include "demo.h"

#include "base/time.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROWS_MAX 16
#define ROW_MAX 160
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS 24
#define TERMINAL_EVERY_US RMI_MS(250) /* figures come once a second */
#define FILE_EVERY_US RMI_SEC(5)

struct table {
    char row[ROWS_MAX][ROW_MAX];
    size_t rows;
};

static char *new_row(struct table *t) {
    if (t->rows < ROWS_MAX)
        t->rows++;
    t->row[t->rows - 1][0] = '\0';
    return t->row[t->rows - 1];
}

__attribute__((format(printf, 2, 3))) static void add(char *row, const char *format, ...) {
    size_t n = strlen(row);
    va_list args;
    va_start(args, format);
    vsnprintf(row + n, ROW_MAX - n, format, args);
    va_end(args);
}

static void add_number(char *row, int width, int digits, double v) {
    if (isnan(v))
        add(row, " %*s", width, "-");
    else
        add(row, " %*.*f", width, digits, v);
}

static const char *text(const json_t *o, const char *name) {
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "-";
}

/* One direction: the sender's and the receiver's media of each other; NULL: not yet. */
struct way {
    const char *label;
    const json_t *sender, *receiver;
};

static void stream_row(struct table *t, const char *label, const json_t *stream, double rtt_ms) {
    char *row = new_row(t), size[24] = "";
    double width = demo_number(stream, "width", NULL), height = demo_number(stream, "height", NULL);
    if (width > 0)
        snprintf(size, sizeof size, "%.0fx%.0f", width, height);
    add(row, "%-16s %-5s %-10s", label, text(stream, "codec"), size);
    add_number(row, 6, 1, width > 0 ? demo_number(stream, "fps", NULL) : NAN);
    add_number(row, 7, 0, demo_number(stream, "bitrate_bps", NULL) / 1000);
    add_number(row, 7, 1, demo_number(stream, "fraction_lost", NULL) * 100);
    add_number(row, 7, 1, demo_number(stream, "jitter_ms", NULL));
    add_number(row, 7, 1, rtt_ms);
}

static double or_zero(double v) {
    return isnan(v) ? 0 : v;
}

/* What each stage takes on one way: the sender's part and the receiver's. A stage of 0 is one that is not there. */
static void stage_row(struct table *t, const char *label, const char *kind, const struct way *w) {
    static const struct {
        const char *name;
        bool receiver;
    } stages[] = {{"capture", false},      {"encode", false}, {"network", false},
                  {"jitter_buffer", true}, {"decode", true},  {"pipeline", true}};
    static const int widths[] = {8, 7, 8, 8, 7, 9};
    char *row = new_row(t);
    double total = 0;
    add(row, "%-16s", label);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        double ms = demo_number(stages[i].receiver ? w->receiver : w->sender, kind, stages[i].name, NULL);
        total += or_zero(ms);
        add_number(row, widths[i], 1, ms > 0 ? ms : NAN);
    }
    add_number(row, 6, 1, total > 0 ? total : NAN);
}

static void age_row(struct table *t, const json_t *camera) {
    static const char *const kinds[] = {"video_age_ms", "audio_age_ms"}, *const names[] = {"picture", "sound"};
    char *row = new_row(t);
    add(row, "there and back:");
    for (int i = 0; i < 2; i++) {
        add(row, "  %s p50", names[i]);
        add_number(row, 1, 1, demo_number(camera, "media", kinds[i], "p50", NULL));
        add(row, " p95");
        add_number(row, 1, 1, demo_number(camera, "media", kinds[i], "p95", NULL));
        add(row, " ms");
    }
}

static void load_row(struct table *t, const struct demo_figures *f) {
    char *row = new_row(t);
    add(row, "CPU and memory:");
    for (int role = DEMO_BLUR; role <= DEMO_CAMERA; role++) {
        add(row, "  %s", demo_names[role]);
        add_number(row, 1, 0, demo_cpu_percent(&f->load[role], false));
        add(row, " %%");
        add_number(row, 1, 0, (double)f->load[role].rss_kib / 1024);
        add(row, " MB");
    }
}

static void fill(struct table *t, const struct demo_figures *f, int64_t elapsed_us) {
    const json_t *to_blur = json_object_get(demo_peer(f, DEMO_CAMERA, DEMO_BLUR), "media");
    const json_t *to_camera = json_object_get(demo_peer(f, DEMO_BLUR, DEMO_CAMERA), "media");
    const struct way ways[] = {{"camera -> blur", to_blur, to_camera}, {"blur -> camera", to_camera, to_blur}};
    add(new_row(t), "%4lld s %14s %-10s %6s %7s %7s %7s %7s", (long long)(elapsed_us / RMI_SEC(1)), "codec", "size",
        "fps", "kbit/s", "loss %", "jitter", "rtt ms");
    for (int i = 0; i < 2; i++) {
        stream_row(t, ways[i].label, json_object_get(ways[i].receiver, "video_in"),
                   demo_number(ways[i].sender, "rtt_ms", NULL));
        stream_row(t, "", json_object_get(ways[i].receiver, "audio_in"), NAN);
    }
    new_row(t);
    add(new_row(t), "%-16s %8s %7s %8s %8s %7s %9s %6s", "ms in each stage", "capture", "encode", "network", "jit.buf.",
        "decode", "pipeline", "total");
    stage_row(t, "picture there", "video_ms", &ways[0]);
    stage_row(t, "        back", "video_ms", &ways[1]);
    stage_row(t, "sound   there", "audio_ms", &ways[0]);
    stage_row(t, "        back", "audio_ms", &ways[1]);
    new_row(t);
    age_row(t, f->line[DEMO_CAMERA]);
    load_row(t, f);
}

void demo_view_init(struct demo_view *v, int64_t now_us) {
    *v = (struct demo_view){.tty = isatty(STDOUT_FILENO), .started_us = now_us, .drawn_us = now_us};
}

/* Each line over the old one, in one write: nothing is seen half drawn. What does not fit is left out: a line that
 * wraps, or a table that scrolls, could not be drawn over. */
static void draw_in_place(struct demo_view *v, const struct table *t) {
    struct winsize w;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 && w.ws_row > 1;
    int columns = known ? w.ws_col - 1 : DEFAULT_COLUMNS - 1;
    size_t rows = known ? w.ws_row - 1u : DEFAULT_ROWS - 1;
    char out[ROWS_MAX * (ROW_MAX + 8) + 32];
    size_t n = 0;
    if (rows > t->rows)
        rows = t->rows;
    if (v->lines)
        n += (size_t)snprintf(out, sizeof out, "\033[%zuA", v->lines);
    for (size_t i = 0; i < rows; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s\033[K\n", columns, t->row[i]);
    n += (size_t)snprintf(out + n, sizeof out - n, "\033[J"); /* what was below, when the terminal has shrunk */
    fwrite(out, 1, n, stdout);
    fflush(stdout);
    v->lines = rows;
}

void demo_view_draw(struct demo_view *v, const struct demo_figures *f, int64_t now_us) {
    if (now_us - v->drawn_us < (v->tty ? TERMINAL_EVERY_US : FILE_EVERY_US))
        return;
    v->drawn_us = now_us;
    struct table t = {0};
    fill(&t, f, now_us - v->started_us);
    if (v->tty) {
        draw_in_place(v, &t);
        return;
    }
    for (size_t i = 0; i < t.rows; i++)
        puts(t.row[i]);
    puts("");
    fflush(stdout);
}

void demo_view_say(struct demo_view *v, const char *who, const char *message) {
    if (v->lines)
        printf("\033[%zuA\033[J", v->lines);
    v->lines = 0;
    v->drawn_us = 0; /* the table again, at once */
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", who, message);
}
