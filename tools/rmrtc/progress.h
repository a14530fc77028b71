/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_PROGRESS_H
#define RMRTC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far something large is, on standard error: a bar on a terminal, else a line now and then. */
struct progress {
    uint64_t total;
    int64_t begun_us, shown_us;
    bool tty;
};

void progress_begin(struct progress *p, uint64_t total);
void progress_show(struct progress *p, uint64_t done); /* as often as you like */
void progress_end(struct progress *p, uint64_t done);
/* The line's text: share, rate, time left. */
void progress_text(uint64_t done, uint64_t total, int64_t elapsed_us, char *out, unsigned size);

#endif
