/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_SIM_MEDIA_PRIVATE_H
#define RMT_SIM_MEDIA_PRIVATE_H

#include "marker.h"
#include "session/audio_fec.h"
#include "session/audio_sender.h"
#include "session/media_clock.h"
#include "session/video_ladder.h"
#include "session/video_sender.h"
#include "stamp.h"
#include "support/sim_media.h"
#include "test_audio.h"
#include "test_video.h"

#define STUDIO_LATE 64       /* batches of sound held back */
#define STUDIO_PACKETS 65536 /* numbers whose fate is known: ten minutes of 10 ms */

/* One remote peer. */
struct studio_line {
    struct rmt_studio *studio;
    struct rmt_reception r;
    struct rmi_rtp_session *rtp; /* NULL: down */
    struct rmi_rung_peer place;  /* of our pictures */
    struct rmi_audio_share_peer share;
    struct rmi_audio_receiver *sound;
    struct rmi_video_receiver *pictures;
    uint64_t sound_task, picture_task;
    struct rmi_av_sync sync;
    int64_t synced_us, video_delay_us;
    struct rmi_audio_sender *echo_sound;
    struct rmi_video_sender *echo_pictures;

    struct marker_detector *detector;
    int64_t last_marker_us; /* when it was recorded */
    uint64_t concealed;     /* samples so far */
    int64_t gap_us;
    bool has_time;
    int64_t last_time_us; /* of a chunk */
    bool has_stamp;
    int64_t last_stamp_us;
    uint64_t psnr_turn;
    unsigned wrapped; /* RMT_WRAPPED_* */

    uint8_t *fate; /* of sound packets, by number from the first one on: FATE_* */
    bool has_seq;
    uint16_t seq;                                       /* the newest */
    uint32_t seq_at;                                    /* its place in `fate` */
    uint64_t lost_before, for_good_before, sent_before; /* of streams that ended */
};

/* Pictures in one quality. */
struct studio_rung {
    struct rmt_studio *studio;
    struct rmi_video_sender *sender; /* NULL: not needed so far */
    struct rmi_video_ladder ladder;
    double bps; /* 0: nobody is on it */
    bool asked; /* for a key frame */
    int64_t key_us;
};

struct rmt_studio {
    struct rmt_vnet *v;
    struct rmt_host *host;
    struct rmt_peer *peer;
    struct rmt_studio_config config;
    struct test_audio *audio;
    struct test_video *video;
    uint64_t tone_at; /* samples */
    struct rmi_audio_sender *sound;
    struct rmi_audio_make make;
    int64_t sound_look_us; /* the next look at what it shall be */
    struct rmi_audio_fec fec;
    int fec_percent;
    struct studio_rung rungs[RMI_RUNGS_MAX];
    struct rmi_rung_memory memory;
    struct rmi_media_clock clock; /* of pictures */
    unsigned encoders;
    const struct rmi_rtp_batch *late[STUDIO_LATE];
    uint32_t late_first, late_next;
    uint64_t key_frames, pictures_sent;
    struct studio_line lines[RMT_STUDIO_REMOTES];
};

/* sim_media.c */
/* Ends the scenario unless RM_OK. */
void rmt_studio_fail(const struct rmt_studio *s, rm_err err, const char *what);
bool rmt_studio_alive(const struct rmt_studio *s);
void rmt_studio_echo(struct studio_line *l, rm_runtime_data *data, int64_t now_us);

/* sim_media_heard.c */
void rmt_line_begin(struct studio_line *l);
void rmt_line_end(struct studio_line *l); /* its connection is gone */
void rmt_line_fini(struct studio_line *l);
void rmt_line_take_stats(struct studio_line *l);
void rmt_line_forget(struct studio_line *l);
void rmt_line_packet(void *studio, void *line, const struct rmi_rtp_in *packet);
void rmt_line_report(void *studio, void *line, enum rmi_rtp_kind kind, uint64_t ntp, uint32_t timestamp);

#endif
