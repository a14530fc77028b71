/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_VIDEO_LADDER_H
#define RMI_SESSION_VIDEO_LADDER_H

#include "session/video_sender.h"

/* What pictures become when the bitrate is too low for all of them: fewer first, then smaller ones, in steps. Down in
 * one move as soon as the rate falls no further (but not in the first second, when the rate is a guess that probes are
 * about to correct), up again only when the rate has had room for it for a while, so that it does not swing. */
struct rmi_video_ladder { /* zero-initialised: everything as set */
    int step;
    bool begun;
    int64_t begun_us;
    bool is_low; /* too low for this step, */
    int64_t low_since_us, rest_since_us;
    double rest_bps; /* and hardly lower than this since then */
    bool has_room;   /* for room_step */
    int room_step;
    int64_t room_since_us;
};

/* For a source of this size: `out` is `set` with the bitrate, and what that allows. */
void rmi_video_ladder_apply(struct rmi_video_ladder *l, int64_t now_us, const struct rmi_video_sender_settings *set,
                            uint32_t bitrate_bps, uint32_t width, uint32_t height,
                            struct rmi_video_sender_settings *out);

#endif
