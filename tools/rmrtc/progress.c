/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "base/time.h"
#include "io/loop.h"
#include <stdio.h>
#include <unistd.h>

#define TTY_EVERY_US RMI_MS(100)
#define LINE_EVERY_US RMI_SEC(5)
#define BAR 30
#define MEGA 1e6

void progress_begin(struct progress *p, uint64_t total) {
    *p = (struct progress){.total = total, .begun_us = rmi_now_us(), .tty = isatty(STDERR_FILENO)};
    p->shown_us = p->begun_us;
}

void progress_text(uint64_t done, uint64_t total, int64_t elapsed_us, char *out, unsigned size) {
    const double share = total ? (double)done / (double)total : 1.0, s = (double)elapsed_us / MEGA;
    const double rate = s > 0 ? (double)done / s : 0;
    const long left_s = rate > 0 ? (long)((double)(total - done) / rate + 0.5) : 0;
    snprintf(out, size, "%3d %%  %.1f of %.1f MB  %.1f MB/s  %ld:%02ld left", (int)(share * 100), (double)done / MEGA,
             (double)total / MEGA, rate / MEGA, left_s / 60, left_s % 60);
}

static void print(const struct progress *p, uint64_t done, int64_t now_us) {
    char text[128], bar[BAR + 1];
    const int full = p->total ? (int)((double)done / (double)p->total * BAR) : BAR;
    progress_text(done, p->total, now_us - p->begun_us, text, sizeof text);
    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    if (p->tty)
        fprintf(stderr, "\r[%s] %s  ", bar, text);
    else
        fprintf(stderr, "%s\n", text);
}

void progress_show(struct progress *p, uint64_t done) {
    const int64_t now_us = rmi_now_us();
    if (now_us - p->shown_us < (p->tty ? TTY_EVERY_US : LINE_EVERY_US))
        return;
    p->shown_us = now_us;
    print(p, done, now_us);
}

void progress_end(struct progress *p, uint64_t done) {
    print(p, done, rmi_now_us());
    if (p->tty)
        fputc('\n', stderr);
}
