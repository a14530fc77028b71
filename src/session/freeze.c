/* SPDX-License-Identifier: Apache-2.0 */
#include "session/freeze.h"
#include "base/time.h"
#include <stdbool.h>

#define LEAST 5 /* pictures that make a mean */
#define TIMES 3
#define LONGER_US RMI_MS(150)
#define PAUSE_US RMI_SEC(5) /* as libwebrtc draws the line: no loss lasts so long, a camera that is off does */

void rmi_freeze_shown(struct rmi_freeze *f, int64_t now_us) {
    const int64_t between_us = now_us - f->last_us;
    const bool first = f->last_us == 0;
    f->last_us = now_us;
    if (!first && between_us >= PAUSE_US) {
        f->sum_us = 0;
        f->n = f->next = 0;
    }
    if (first || between_us >= PAUSE_US)
        return;
    const int64_t mean_us = f->n ? f->sum_us / (int64_t)f->n : 0;
    if (f->n >= LEAST && between_us >= rmi_max64(TIMES * mean_us, mean_us + LONGER_US)) {
        f->count++;
        f->total_us += between_us;
    }
    if (f->n == RMI_FREEZE_FRAMES)
        f->sum_us -= f->between_us[f->next];
    else
        f->n++;
    f->sum_us += between_us;
    f->between_us[f->next] = between_us;
    f->next = (f->next + 1) % RMI_FREEZE_FRAMES;
}
