/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_AUDIO_SHARE_H
#define RMI_SESSION_AUDIO_SHARE_H

#include "rtp/batch.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of each receiver's path a source's sound takes. There are at most two encoders: the full one, as configured,
 * which nobody holds back, and the narrow one (session/audio_sender.h) for all whose paths the full one would fill: it
 * has long packets, for at 10 ms headers are 54 kbit/s, and the bitrate that the least of its receivers' paths leaves,
 * but never under RMI_AUDIO_NARROW_LEAST_BPS: so much is every path's. Pure; time comes in. */

#define RMI_AUDIO_NARROW_FRAME_US 20000
/* At least: wide-band speech that is easy to follow. A configuration with less is left with its own. */
#define RMI_AUDIO_NARROW_LEAST_BPS 16000

/* As configured. */
struct rmi_audio_full {
    uint32_t frame_us, bitrate_bps;
};

enum rmi_audio_sending { RMI_AUDIO_NOTHING, RMI_AUDIO_FULL, RMI_AUDIO_NARROW };

/* A receiver. The first three are the caller's, the rest zeros at first. */
struct rmi_audio_share_peer {
    double path_bps; /* its way carries so much of all; 0: nothing limits it */
    bool pictures;   /* there are some, which want a part of it */
    unsigned copies; /* of each frame, that travel with later ones */

    bool narrow; /* shall get the narrow encoder's */
    double bps;  /* narrow: what it can take */
    bool begun;
    int64_t begun_us, placed_us;
    bool has_room; /* for the full one */
    int64_t room_since_us;
    bool rose;
    int64_t rose_us, wait_us;
    enum rmi_audio_sending sending; /* what it gets; set to RMI_AUDIO_NOTHING when that was of another source */
};

/* What the encoders are to make. */
struct rmi_audio_make {
    bool full;
    uint32_t narrow_bps; /* 0: no narrow one */
    bool change;         /* somebody waits to change over */
};

/* Whom the narrow one serves, and what for. To be called when anything has changed, and every second or so. A receiver
 * goes to the narrow one at once, but not in its first second, when its rate is a guess; back when it has had room for
 * a few seconds, and the longer the sooner it had to go the last time. */
void rmi_audio_share_place(const struct rmi_audio_full *full, struct rmi_audio_share_peer *const *peers, size_t count,
                           int64_t now_us, struct rmi_audio_make *make);

/* Whether it gets this batch. Receivers change over where both encoders' frames begin (`key_frame` of the full one's),
 * so that nothing is missing or comes twice. */
bool rmi_audio_share_pass(struct rmi_audio_share_peer *p, bool narrow, const struct rmi_rtp_batch *batch);

#endif
