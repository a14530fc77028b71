/* SPDX-License-Identifier: Apache-2.0 */
#include "session/media_clock.h"
#include "base/time.h"

#define STEP_MIN_US RMI_MS(1) /* between two frames */
#define WINDOW_US RMI_SEC(1)
#define UNEVEN_US RMI_MS(250) /* more than scheduling and a slow pipeline do within a window */
#define AWAY_US RMI_MS(500)   /* from the local clock */
/* The own clock and ours differ by up to some 100 ppm; each frame takes this part of the difference back. */
#define DRIFT_SHARE 256

static bool apart(int64_t a, int64_t b, int64_t by) {
    uint64_t difference =
        a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a; /* may exceed the signed range */
    return difference > (uint64_t)by;
}

/* By the local clock. Where ours is ahead of it, it goes on at half the speed: standing still would be many frames at
 * once. */
static int64_t by_local_clock(const struct rmi_media_clock *c, int64_t now_us) {
    return now_us >= c->clock_us ? now_us : c->clock_us + rmi_max64(now_us - c->now_us, 0) / 2;
}

/* Whether the frame's own time may be followed. */
static bool examine(struct rmi_media_clock *c, int64_t own_us, int64_t now_us) {
    bool grows = c->own_us >= 0 && own_us > c->own_us;
    bool broken = !grows || apart(own_us - c->own_us, now_us - c->now_us, UNEVEN_US);
    if (!broken && now_us - c->window_us < WINDOW_US)
        return c->trusted;
    c->trusted = !broken && !apart(own_us - c->window_own_us, now_us - c->window_us, UNEVEN_US);
    c->window_own_us = own_us;
    c->window_us = now_us;
    return c->trusted;
}

int64_t rmi_media_clock_step(struct rmi_media_clock *c, int64_t own_us, int64_t now_us) {
    if (!c->started) {
        *c = (struct rmi_media_clock){
            .started = true, .trusted = own_us >= 0, .window_own_us = own_us, .window_us = now_us, .clock_us = now_us};
    } else {
        int64_t next = by_local_clock(c, now_us);
        if (examine(c, own_us, now_us)) {
            int64_t own = c->clock_us + (own_us - c->own_us);
            c->trusted = !apart(own, now_us, AWAY_US);
            if (c->trusted)
                next = own + (now_us - own) / DRIFT_SHARE;
        }
        c->clock_us = rmi_max64(next, c->clock_us + STEP_MIN_US);
    }
    c->own_us = own_us;
    c->now_us = now_us;
    return c->clock_us;
}
