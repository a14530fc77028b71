/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_JITTER_SYNC_H
#define RMI_JITTER_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lip sync of one audio and one video stream of the same sender.
 *
 * Sender reports tie the RTP timestamps of both streams to the one clock of their sender (RFC 3550 6.4.1). Only
 * differences between the two streams on that clock are used, so neither its date nor its epoch matters. */

/* The most by which one stream is held back for the other. Beyond it, a wrong report is likelier than a useful wait. */
#define RMI_AV_SYNC_MAX_US 200000
#define RMI_AV_SYNC_REPORTS 16

enum rmi_av_kind { RMI_AV_AUDIO, RMI_AV_VIDEO, RMI_AV_KINDS };

/* Where the playout of a stream stands. */
struct rmi_av_timing {
    bool valid;
    uint32_t timestamp;   /* of some recent packet */
    int64_t earliest_us;  /* local time when that could have been played without any delay */
    int64_t own_delay_us; /* the delay the stream needs for itself */
    int64_t delay_us;     /* the delay it has now */
};

struct rmi_av_report {
    uint64_t ntp;
    int64_t ts; /* without wraps */
};

struct rmi_av_source {
    uint32_t clock_rate;
    struct rmi_av_report reports[RMI_AV_SYNC_REPORTS]; /* oldest first */
    size_t count;
    double ppm;               /* the sender's clock against the media clock, by all of them */
    int64_t offset_us;        /* of that line over the newest report */
    struct rmi_av_report odd; /* one that does not fit waits for others like it */
    unsigned odd_count;
    int64_t odd_step_us;
};

enum rmi_av_state { RMI_AV_UNSYNCED, RMI_AV_SYNCING, RMI_AV_SYNCED };

/* Nobody notices sound up to 40 ms early or 60 ms late (EBU R37-2007, for a whole chain). */
#define RMI_AV_SYNC_UNNOTICED_US 40000

struct rmi_av_sync {
    int64_t tolerance_us; /* 0 as initialised: exact. Else no stream is held back for a smaller difference */
    struct rmi_av_source source[RMI_AV_KINDS];
    int64_t delay_us[RMI_AV_KINDS];
    bool updated;
    int64_t updated_us;
    uint64_t ignored; /* reports without a usable time, or out of line */
    uint64_t steps;   /* times a sender's clock was stepped */
};

struct rmi_av_result {
    enum rmi_av_state state;
    int64_t delay_us[RMI_AV_KINDS]; /* smallest total delay for each stream; 0: as it likes */
    int64_t skew_us;                /* how much later than sound the picture is now; 0 while unsynced */
};

void rmi_av_sync_init(struct rmi_av_sync *s, uint32_t audio_clock_rate, uint32_t video_clock_rate);
/* `ntp` and `timestamp` of a sender report as received. */
void rmi_av_sync_report(struct rmi_av_sync *s, enum rmi_av_kind kind, uint64_t ntp, uint32_t timestamp);
/* The stream began anew (another SSRC): its reports so far mean nothing. */
void rmi_av_sync_restart(struct rmi_av_sync *s, enum rmi_av_kind kind);
/* To be called a few times each second; delays move by at most 100 ms each second. */
struct rmi_av_result rmi_av_sync_update(struct rmi_av_sync *s, int64_t now_us, const struct rmi_av_timing *audio,
                                        const struct rmi_av_timing *video);

#endif
