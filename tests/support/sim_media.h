/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SIM_MEDIA_H
#define RMT_SIM_MEDIA_H

#include "session/audio_receiver.h"
#include "session/rungs.h"
#include "session/video_receiver.h"
#include "support/mesh.h"
#include "support/sim_main.h"

/* A peer of the simulated mesh with media: the senders and receivers that ship (src/session), driven by the virtual
 * clock as the threads of src/webrtc drive them. It plays test sound with markers and stamped test pictures to
 * everybody, or sends back what it receives, and judges all that it hears and sees. */
struct rmt_studio;

#define RMT_STUDIO_REMOTES 12 /* peers that one can hear in its life */

struct rmt_studio_config {
    bool sound, pictures;        /* plays them to everybody */
    bool echo;                   /* sends to each what came from it, decoded and encoded again */
    uint32_t sound_ms;           /* chunks of 5, 10 or 20; 0 = 10 */
    uint32_t sound_bps;          /* 0 = 32,000 */
    double tone_hz;              /* a tone and nothing else, to tell peers apart; 0: test sound with markers */
    bool voice;                  /* something like syllables instead, for which Opus makes FEC; no markers */
    uint32_t width, height, fps; /* 0 = 160, 90, 15 */
    uint32_t fec_loss_percent;   /* sound with in-band FEC for this loss; 0: as losses call for it */
    bool no_copies;              /* sound goes without those of RFC 2198, as to a peer that takes none */
    int64_t sound_late_us;       /* sound leaves so much later than pictures */
    int64_t max_delay_us;        /* of both receivers; 0 = 200 ms */
    struct rmi_rungs rungs;      /* of its pictures, with the fine steps between; count 0: one, of no size */
    bool any_size;               /* what it sees may be scaled, and its quality is not measured */
    bool numbers_wrap;           /* RTP numbers and timestamps begin just before the end of their range */
};

/* What came from one peer id, over all its connections. Times are by the listener's clock. */
struct rmt_reception {
    char id[RMI_PEER_ID_MAX];
    bool up;
    uint32_t ups;

    uint64_t chunks;
    /* Markers heard twice, and chunks whose time is before that of the one before. It may stand still: what fills in
     * for a packet that is late has the time of that packet, which is played after it. */
    uint64_t sound_disorder;
    int64_t last_chunk_us, longest_pause_us; /* between pulls */
    uint64_t markers;
    struct rmt_samples sound_age_us; /* of markers */
    int64_t longest_gap_us;          /* in which all sound was invented */
    double tone_share;               /* least part of a chunk's power that is tone `expect_hz` */
    double expect_hz;                /* set by the scenario; 0: not looked at */
    const struct rmt_host *clock;    /* set by the scenario: ages are by this host's clock; NULL: the listener's */
    uint64_t sound_packets_lost;     /* never arrived */
    uint64_t sound_lost_for_good;    /* and no FEC of the next one stands in for them */
    uint64_t sound_packets;          /* that were sent, as the numbers tell */
    struct rmi_audio_receiver_stats sound; /* of the connection now, or the last */

    uint64_t pictures, unreadable; /* unreadable: their stamp is damaged */
    uint64_t picture_disorder;     /* not after the one before */
    int64_t last_picture_us, longest_freeze_us;
    struct rmt_samples freezes_us; /* times between pictures of over two frames */
    struct rmt_samples picture_age_us;
    double psnr_least, psnr_sum; /* of each PSNR_EVERYth picture */
    uint64_t psnr_count;
    uint32_t width, widths;                /* of the last picture, and how often that changed */
    struct rmi_video_receiver_stats video; /* as `sound` */

    struct rmi_rtp_session_stats rtp; /* of the connection now, or the last */
    uint64_t key_requests;            /* of theirs, for our pictures */
    int64_t skew_us;                  /* lip sync: how much later the pictures are */
};

/* A peer like rmt_mesh_add, with media. `options->media` is set by this. */
struct rmt_studio *rmt_studio_add(struct rmt_mesh *mesh, struct rmt_host *host, const struct rmt_peer_options *options,
                                  const struct rmt_studio_config *config);
void rmt_studio_destroy(struct rmt_studio **studio); /* after its mesh and before its network */
struct rmt_peer *rmt_studio_peer(const struct rmt_studio *s);
/* What came from that peer id so far, with fresh statistics; empty when nothing did. Valid until the next call for it;
 * the scenario may use its samples. */
struct rmt_reception *rmt_studio_from(struct rmt_studio *s, const char *id);
/* Judges from here on: ages, pauses, picture quality and disorder begin anew; counters of receivers go on. */
void rmt_studio_forget(struct rmt_studio *s);
/* Asks the peer for a key frame, however often; `storm`: past our own limit, as a rude peer would. */
void rmt_studio_ask_key(struct rmt_studio *s, const char *id, bool storm);
uint64_t rmt_studio_key_frames(const struct rmt_studio *s); /* sent to everybody */
uint64_t rmt_studio_pictures_sent(const struct rmt_studio *s);
/* The rung that peer's pictures are of, RMI_RUNG_NONE: none; and how many encoders made the last picture. */
int rmt_studio_rung(struct rmt_studio *s, const char *id);
unsigned rmt_studio_encoders(const struct rmt_studio *s);
/* That peer's sound is the narrow encoder's; and what that one makes, in bit/s, 0: there is none. */
bool rmt_studio_narrow(struct rmt_studio *s, const char *id);
uint32_t rmt_studio_narrow_bps(const struct rmt_studio *s);
int rmt_studio_fec(const struct rmt_studio *s); /* the loss in percent that its sound has FEC for; 0: none */
/* With numbers_wrap: what of that peer's sound and pictures has begun anew at 0. */
enum {
    RMT_WRAPPED_SEQ_SOUND = 1,
    RMT_WRAPPED_TIME_SOUND = 2,
    RMT_WRAPPED_SEQ_PICTURES = 4,
    RMT_WRAPPED_TIME_PICTURES = 8
};
#define RMT_WRAPPED_ALL 15
unsigned rmt_studio_wrapped(struct rmt_studio *s, const char *id);

#endif
