/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_FREEZE_H
#define RMI_SESSION_FREEZE_H

#include <stddef.h>
#include <stdint.h>

/* Freezes of pictures, as W3C webrtc-stats counts them (freezeCount, totalFreezesDuration): the time between two
 * pictures is at least three times the mean of the thirty before, and at least 150 ms longer; from five seconds on it
 * is a pause, and what was before does not count. Zero-initialised is empty. */
#define RMI_FREEZE_FRAMES 30

struct rmi_freeze {
    int64_t last_us;
    int64_t between_us[RMI_FREEZE_FRAMES], sum_us;
    size_t next, n;
    uint64_t count;
    int64_t total_us; /* of the freezes, from picture to picture */
};

/* A picture is shown. Until five are known there is no freeze. */
void rmi_freeze_shown(struct rmi_freeze *f, int64_t now_us);

#endif
