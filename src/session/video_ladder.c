/* SPDX-License-Identifier: Apache-2.0 */
#include "session/video_ladder.h"
#include "base/time.h"
#include "session/picture.h"

/* Below so many bits for a pixel the codecs skip pictures or show blocks (720p at 30 a second: 0.7 Mbit/s). */
#define BITS_PER_PIXEL 0.025
#define ROOM 1.3 /* times what the next step up needs */
#define ROOM_US RMI_SEC(3)
#define GUESS_US RMI_SEC(1)

static const struct step {
    int num, den; /* of width and height: ratios that libyuv scales fast */
    double fps;   /* share of the frame rate */
} steps[] = {{1, 1, 1}, {1, 1, 0.66}, {3, 4, 0.66}, {1, 2, 0.66}, {1, 2, 0.34}, {1, 4, 0.34}};
#define STEPS ((int)(sizeof steps / sizeof steps[0]))

static double needed_bps(int step, int width, int height, double fps) {
    const struct step *s = &steps[step];
    return BITS_PER_PIXEL * width * height * s->num * s->num / (s->den * s->den) * fps * s->fps;
}

static void climb(struct rmi_video_ladder *l, int64_t now_us, double bps, int width, int height, double fps) {
    if (!l->begun) {
        l->begun = true;
        l->begun_us = now_us;
    }
    while (now_us - l->begun_us >= GUESS_US && l->step < STEPS - 1 && bps < needed_bps(l->step, width, height, fps)) {
        l->step++;
        l->has_room = false;
    }
    if (l->step == 0 || bps < ROOM * needed_bps(l->step - 1, width, height, fps)) {
        l->has_room = false;
        return;
    }
    if (!l->has_room) {
        l->has_room = true;
        l->room_since_us = now_us;
    } else if (now_us - l->room_since_us >= ROOM_US) {
        l->step--;
        l->has_room = false;
    }
}

static uint32_t at_least(int side) {
    return (uint32_t)(side < RMI_VIDEO_SIDE_MIN ? RMI_VIDEO_SIDE_MIN : side & ~1);
}

void rmi_video_ladder_apply(struct rmi_video_ladder *l, int64_t now_us, const struct rmi_video_sender_settings *set,
                            uint32_t bitrate_bps, uint32_t width, uint32_t height,
                            struct rmi_video_sender_settings *out) {
    const uint32_t max_long = set->max_width > set->max_height ? set->max_width : set->max_height;
    const uint32_t max_short = set->max_width > set->max_height ? set->max_height : set->max_width;
    int w, h;
    rmi_picture_fit(width, height, max_long, max_short, &w, &h);
    climb(l, now_us, bitrate_bps, w, h, set->max_fps);
    *out = *set;
    out->bitrate_bps = bitrate_bps < RMI_VIDEO_BITRATE_MIN_BPS ? RMI_VIDEO_BITRATE_MIN_BPS : bitrate_bps;
    const struct step *s = &steps[l->step];
    if (s->fps < 1)
        out->max_fps = set->max_fps * s->fps < 1 ? 1 : set->max_fps * s->fps;
    if (s->den > 1) {
        out->max_width = at_least(w * s->num / s->den);
        out->max_height = at_least(h * s->num / s->den);
    }
}
