/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_MIXER_H
#define RMI_MEDIA_MIXER_H

#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A conference: many sources of sound, each with a clock of its own, and their sum, which each listener may have
 * without itself. Frames of the sum come as soon as every active source has sound for them, or when one has waited for
 * another about as long as its chunks are.
 *
 *     rmi_mixer_add(m, "alice", 48000, 1, &alice) ...
 *     rmi_mixer_input(alice, pcm, 480, timestamp_us, now_us);
 *     while (rmi_mixer_pull(m, now_us))
 *         send(rmi_mixer_mix(m)), send_to_alice(rmi_mixer_minus(alice));
 *     arm_timer(rmi_mixer_next_deadline(m));
 *
 * One thread per mixer. The heap is used when a source is added, and when a chunk is longer than any before it. */

#define RMI_MIXER_ID_MAX 65 /* with the NUL */
#define RMI_MIXER_RATE_MIN_HZ 8000
#define RMI_MIXER_RATE_MAX_HZ 192000
#define RMI_MIXER_CHANNELS_MAX 2
#define RMI_MIXER_FRAME_MIN_US 1000
#define RMI_MIXER_FRAME_MAX_US 100000
#define RMI_MIXER_SOURCES_MAX 256
#define RMI_MIXER_AHEAD_MIN_MS 50
#define RMI_MIXER_AHEAD_MAX_MS 60000
#define RMI_MIXER_GAIN_MIN_DB (-60.0F) /* from here down: silence */
#define RMI_MIXER_GAIN_MAX_DB 24.1F    /* 16 times */

struct rmi_mixer_config {
    uint32_t rate_hz; /* of the mix */
    int channels;     /* of the mix */
    uint32_t frame_us;
    size_t sources_max; /* up to RMI_MIXER_SOURCES_MAX */
    /* A source that is further ahead of the mix than this is cut, its newest sound stays. Small for people, large for
     * sources that make their sound faster than it is heard. */
    uint32_t ahead_ms;
    /* How much longer than a chunk one source is waited for, for what timers and networks scatter. */
    uint32_t slack_us;
};

struct rmi_mixer;
struct rmi_mixer_source;

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_mixer_create(const struct rmi_mixer_config *config, struct rmi_mixer **out);
void rmi_mixer_destroy(struct rmi_mixer **m);

/* `id`: up to RMI_MIXER_ID_MAX - 1 bytes. RM_E_EXISTS, RM_E_LIMIT (sources_max), RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_mixer_add(struct rmi_mixer *m, const char *id, uint32_t rate_hz, int channels,
                     struct rmi_mixer_source **out);
/* The source may not be used any more; its sound ends within the next frame. */
void rmi_mixer_remove(struct rmi_mixer_source **source);
struct rmi_mixer_source *rmi_mixer_find(struct rmi_mixer *m, const char *id); /* NULL: not there */
/* Those that are there, in no order; NULL behind the last one. The index goes up by the caller: 0, 1, ... */
struct rmi_mixer_source *rmi_mixer_at(struct rmi_mixer *m, size_t index);

/* A chunk of interleaved floats, `samples` of each channel. `timestamp_us`: of its first sample by the sender's clock,
 * or negative; steps over 5 ms are pauses or repetitions, over 1 s another clock. A newcomer whose times
 * lie near those of the mix keeps them, so that parts of one recording stay together. `now_us`: when it came.
 * RM_E_NO_MEMORY: the chunk is lost. */
rm_err rmi_mixer_input(struct rmi_mixer_source *s, const float *pcm, size_t samples, int64_t timestamp_us,
                       int64_t now_us);
/* Makes the next frame if there is one; until it says no. */
bool rmi_mixer_pull(struct rmi_mixer *m, int64_t now_us);
/* There is no more input: frames until nothing is left. */
bool rmi_mixer_flush(struct rmi_mixer *m);
/* When to pull although nothing came; RMI_NEVER. */
int64_t rmi_mixer_next_deadline(const struct rmi_mixer *m);
/* How far the source that is furthest ahead is, on the time line of the mix: a clock for those who have none. */
int64_t rmi_mixer_furthest_us(const struct rmi_mixer *m);

/* Of the frame made last, valid until the next pull; made when asked for. Never beyond -1..1. */
size_t rmi_mixer_frame_samples(const struct rmi_mixer *m); /* of each channel */
const float *rmi_mixer_mix(struct rmi_mixer *m);
const float *rmi_mixer_minus(struct rmi_mixer_source *s); /* the mix without it */
/* Of its first sample, by the clock of a source that had timestamps when nobody else was heard; or -1. */
int64_t rmi_mixer_frame_time_us(const struct rmi_mixer *m);
/* Samples of that frame that are made of something: shorter than the frame only when flushing. */
size_t rmi_mixer_frame_filled(const struct rmi_mixer *m);

/* Both change within a frame. RM_E_INVALID_ARG: not a number, or above RMI_MIXER_GAIN_MAX_DB. */
rm_err rmi_mixer_set_gain_db(struct rmi_mixer_source *s, float gain_db);
void rmi_mixer_set_muted(struct rmi_mixer_source *s, bool muted);

const char *rmi_mixer_id(const struct rmi_mixer_source *s);
/* For the caller's own use. */
void rmi_mixer_set_user(struct rmi_mixer_source *s, void *user);
void *rmi_mixer_user(const struct rmi_mixer_source *s);

struct rmi_mixer_source_stats {
    bool active;              /* it is waited for */
    uint8_t level;            /* as RFC 6464: 0 loudest .. 127 silence; of the frame made last, before the gain */
    int64_t silent_us;        /* since something came */
    int64_t ahead_us;         /* sound that is there beyond the frame made last */
    int32_t drift_ppm;        /* by which it is made longer (or shorter, when negative) at present */
    uint64_t concealed;       /* samples that were not there in time */
    uint64_t late, too_early; /* samples that came too late, or were cut because of ahead_ms */
    uint64_t moved;           /* times it was given more delay because it came late */
};
struct rmi_mixer_source_stats rmi_mixer_source_stats(const struct rmi_mixer_source *s);

/* Who speaks: the loudest that is not muted, once it has been so for a while. NULL: nobody yet, or that one has left.
 */
struct rmi_mixer_source *rmi_mixer_speaker(struct rmi_mixer *m);

#endif
