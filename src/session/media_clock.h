/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_MEDIA_CLOCK_H
#define RMI_SESSION_MEDIA_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* When pictures were taken, on the local clock: by their own times while those run evenly, for they have no jitter; by
 * the local clock otherwise. It always grows. */
struct rmi_media_clock { /* zeroed at the start */
    bool started;
    bool trusted;                     /* the frames' own times */
    int64_t own_us, now_us;           /* of the frame before */
    int64_t window_own_us, window_us; /* of the first frame of the time under examination */
    int64_t clock_us;
};

/* The time of a frame with this time of its own (negative: none), handed over at now_us. */
int64_t rmi_media_clock_step(struct rmi_media_clock *c, int64_t own_us, int64_t now_us);

#endif
