/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_CODEC_GOVERNOR_H
#define RMI_CODEC_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

/* Keeps the time an encoder takes for a picture within a budget, by speed first and by a smaller picture then: steps
 * 8, 9, 9 at 3/4 of width and height, 9 at 1/2, 9 at 1/4 (the ratios libyuv scales fast). Measures nothing
 * itself. */

#define RMI_GOVERNOR_BUDGET_US 8000 /* a quarter of a core at 30 pictures per second (measured: 720p, VP9) */

struct rmi_governor_setting {
    int speed;                /* for rmi_video_encoder_config.speed */
    int scale_num, scale_den; /* of width and of height */
};

struct rmi_governor { /* zero-initialised is not valid: use rmi_governor_init */
    int64_t budget_us;
    int64_t average_us;   /* smoothed over about eight pictures; 0: none yet */
    int64_t changed_us;   /* when the step was last changed */
    int64_t low_since_us; /* RMI_NEVER: it is not low */
    int64_t calm_us;      /* how long the time must have been low before the next step up */
    bool stepped_up;      /* the last change was towards quality */
    int step;
};

/* budget_us of 0: RMI_GOVERNOR_BUDGET_US. */
void rmi_governor_init(struct rmi_governor *g, int64_t budget_us, int64_t now_us);
/* After each picture but key frames (those cost a multiple and are rare). True: the setting changed. */
bool rmi_governor_input(struct rmi_governor *g, int64_t now_us, int64_t encode_us);
struct rmi_governor_setting rmi_governor_setting(const struct rmi_governor *g);
/* Applies the scale to a size: the size itself at full scale, else even and at least RMI_VIDEO_SIDE_MIN. */
void rmi_governor_scale(const struct rmi_governor *g, int width, int height, int *scaled_width, int *scaled_height);

#endif
