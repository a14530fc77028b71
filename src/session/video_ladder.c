/* SPDX-License-Identifier: Apache-2.0 */
#include "session/video_ladder.h"
#include "base/time.h"
#include "session/picture.h"

/* Below so many bits for a pixel the codecs skip pictures or show blocks (720p at 30 a second: 0.7 Mbit/s). */
#define BITS_PER_PIXEL 0.025
#define ROOM 1.3 /* times what a higher step needs */
#define ROOM_US RMI_SEC(3)
#define GUESS_US RMI_SEC(1)
/* A rate that falls does so in several cuts, and a key frame for each would fill the very queue they are for. Until it
 * rests for so long the encoder gets by at the size it has: it leaves pictures out (session/video_sender.c). */
#define REST_US RMI_MS(400)
#define REST_MOST_US RMI_SEC(1)
#define FALL 0.95

static const struct step {
    int num, den; /* of width and height: ratios that libyuv scales fast */
    double fps;   /* share of the frame rate */
} steps[] = {{1, 1, 1}, {1, 1, 0.66}, {3, 4, 0.66}, {1, 2, 0.66}, {1, 2, 0.34}, {1, 4, 0.34}};
#define STEPS ((int)(sizeof steps / sizeof steps[0]))

static double needed_bps(int step, int width, int height, double fps) {
    const struct step *s = &steps[step];
    return BITS_PER_PIXEL * width * height * s->num * s->num / (s->den * s->den) * fps * s->fps;
}

/* The first step, from `from` on, that needs no more than this. */
static int step_for(int from, double bps, int width, int height, double fps) {
    while (from < STEPS - 1 && bps < needed_bps(from, width, height, fps))
        from++;
    return from;
}

static void go(struct rmi_video_ladder *l, int step) {
    l->step = step;
    l->is_low = l->has_room = false;
}

static void step_down(struct rmi_video_ladder *l, int64_t now_us, double bps, int wanted) {
    if (!l->is_low) {
        l->is_low = true;
        l->low_since_us = l->rest_since_us = now_us;
        l->rest_bps = bps;
    }
    if (bps < FALL * l->rest_bps) {
        l->rest_since_us = now_us;
        l->rest_bps = bps;
    }
    if (now_us - l->begun_us >= GUESS_US &&
        (now_us - l->rest_since_us >= REST_US || now_us - l->low_since_us >= REST_MOST_US))
        go(l, wanted);
}

/* To the highest that there was room for all the time. */
static void step_up(struct rmi_video_ladder *l, int64_t now_us, int wanted) {
    if (!l->has_room || wanted > l->room_step)
        l->room_step = wanted;
    if (!l->has_room) {
        l->has_room = true;
        l->room_since_us = now_us;
    } else if (now_us - l->room_since_us >= ROOM_US) {
        go(l, l->room_step);
    }
}

static void climb(struct rmi_video_ladder *l, int64_t now_us, double bps, int width, int height, double fps) {
    if (!l->begun) {
        l->begun = true;
        l->begun_us = now_us;
    }
    const int below = step_for(l->step, bps, width, height, fps);
    const int above = step_for(0, bps / ROOM, width, height, fps);
    if (below > l->step)
        step_down(l, now_us, bps, below);
    else
        l->is_low = false;
    if (above < l->step)
        step_up(l, now_us, above);
    else
        l->has_room = false;
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
    out->limited = bitrate_bps < set->bitrate_bps;
    const struct step *s = &steps[l->step];
    if (s->fps < 1)
        out->max_fps = set->max_fps * s->fps < 1 ? 1 : set->max_fps * s->fps;
    if (s->den > 1) {
        out->max_width = at_least(w * s->num / s->den);
        out->max_height = at_least(h * s->num / s->den);
    }
}
