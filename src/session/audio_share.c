/* SPDX-License-Identifier: Apache-2.0 */
#include "session/audio_share.h"
#include "base/time.h"
#include <math.h>

#define BITS 8.0
#define HEADERS_BYTES 68 /* as peer/rtp_session_red.c has it */
/* Beside pictures: of the path for sound, and for sound with its copies (peer/rtp_session_red.c lets no more pass). */
#define SHARE (1.0 / 3)
#define SHARE_COPIED 0.5
/* Alone: the rest is for reports, and for how far an estimate is off. */
#define SHARE_ALONE 0.9
/* Alone the full one goes on while its path seems to carry this much of it: jitter makes congestion control cut to 0.85
 * of what arrives (cc/aimd.c), and nothing but sound is there to prove more. */
#define ALONE_LEAST 0.75
#define ROOM 1.2 /* times what the full one needs, for who is to come back to it */
#define RISE_WAIT_US RMI_SEC(4)
#define RISE_WAIT_MAX_US RMI_SEC(64)
#define FELL_SOON_US RMI_SEC(30) /* after it came back: the next time it waits twice as long */
#define GUESS_US RMI_SEC(1)
/* Down at once, up so slowly that the estimate's own saw is not heard. */
#define RISE_BPS_PER_S 4000.0
#define STEP_BPS 2000u /* a smaller change is not worth telling an encoder */

static double headers_bps(uint32_t frame_us) {
    return BITS * HEADERS_BYTES * (double)RMI_SEC(1) / frame_us;
}

static uint32_t narrow_frame(const struct rmi_audio_full *full) {
    return full->frame_us > RMI_AUDIO_NARROW_FRAME_US ? full->frame_us : RMI_AUDIO_NARROW_FRAME_US;
}

static double least_bps(const struct rmi_audio_full *full) {
    return fmin(RMI_AUDIO_NARROW_LEAST_BPS, full->bitrate_bps);
}

/* The path that the full encoder needs. */
static double needed_bps(const struct rmi_audio_full *full, const struct rmi_audio_share_peer *p) {
    const double headers = headers_bps(full->frame_us), bps = full->bitrate_bps,
                 copied = headers + bps * (1 + p->copies);
    return p->pictures ? fmax((headers + bps) / SHARE, copied / SHARE_COPIED) : copied * ALONE_LEAST;
}

/* What this path leaves the narrow one. */
static double left_bps(const struct rmi_audio_full *full, const struct rmi_audio_share_peer *p) {
    const double headers = headers_bps(narrow_frame(full)), copied = p->pictures ? SHARE_COPIED : SHARE_ALONE;
    double bps = (p->path_bps * copied - headers) / (1 + p->copies);
    if (p->pictures)
        bps = fmin(bps, p->path_bps * SHARE - headers);
    return fmin(fmax(bps, least_bps(full)), full->bitrate_bps);
}

static void fall(const struct rmi_audio_full *full, struct rmi_audio_share_peer *p, int64_t now_us) {
    const bool again = p->rose && now_us - p->rose_us < FELL_SOON_US;
    p->wait_us = again ? rmi_min64(2 * p->wait_us, RISE_WAIT_MAX_US) : RISE_WAIT_US;
    p->narrow = true;
    p->has_room = false;
    p->bps = left_bps(full, p);
}

static void rise(struct rmi_audio_share_peer *p, int64_t now_us) {
    p->narrow = p->has_room = false;
    p->rose = true;
    p->rose_us = now_us;
}

static void step(const struct rmi_audio_full *full, struct rmi_audio_share_peer *p, int64_t now_us) {
    const double needed = needed_bps(full, p), left = left_bps(full, p);
    const double rising = RISE_BPS_PER_S * (double)(now_us - p->placed_us) / (double)RMI_SEC(1);
    const bool same = full->frame_us >= RMI_AUDIO_NARROW_FRAME_US && full->bitrate_bps <= least_bps(full);
    if (!p->begun) {
        p->begun = true;
        p->begun_us = now_us;
    }
    p->placed_us = now_us;
    if (!p->narrow) {
        if (p->path_bps > 0 && p->path_bps < needed && !same && now_us - p->begun_us >= GUESS_US)
            fall(full, p, now_us);
        return;
    }
    p->bps = fmin(left, p->bps + rising);
    if (p->path_bps > 0 && p->path_bps < ROOM * needed)
        p->has_room = false;
    else if (!p->has_room) {
        p->has_room = true;
        p->room_since_us = now_us;
    } else if (now_us - p->room_since_us >= p->wait_us) {
        rise(p, now_us);
    }
}

void rmi_audio_share_place(const struct rmi_audio_full *full, struct rmi_audio_share_peer *const *peers, size_t count,
                           int64_t now_us, struct rmi_audio_make *make) {
    double least = 0;
    *make = (struct rmi_audio_make){.full = false};
    for (size_t i = 0; i < count; i++) {
        struct rmi_audio_share_peer *p = peers[i];
        step(full, p, now_us);
        const bool narrow_now = p->sending == RMI_AUDIO_NARROW;
        make->full = make->full || !p->narrow || !narrow_now; /* until it changes over */
        make->change = make->change || narrow_now != p->narrow;
        if (p->narrow || narrow_now)
            least = least > 0 ? fmin(least, p->bps) : p->bps;
    }
    if (least > 0) {
        const uint32_t bps = (uint32_t)least, even = bps - bps % STEP_BPS, floor_bps = (uint32_t)least_bps(full);
        make->narrow_bps = even > floor_bps ? even : floor_bps;
    }
}

bool rmi_audio_share_pass(struct rmi_audio_share_peer *p, bool narrow, const struct rmi_rtp_batch *batch) {
    const enum rmi_audio_sending of = narrow ? RMI_AUDIO_NARROW : RMI_AUDIO_FULL;
    if (p->sending == RMI_AUDIO_NOTHING)
        p->sending = of; /* the one that there is */
    else if (!narrow && batch->key_frame)
        p->sending = p->narrow ? RMI_AUDIO_NARROW : RMI_AUDIO_FULL;
    return p->sending == of;
}
