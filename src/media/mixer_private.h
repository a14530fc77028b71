/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_MEDIA_MIXER_PRIVATE_H
#define RMI_MEDIA_MIXER_PRIVATE_H

#include "media/mix_limit.h"
#include "media/mixer.h"
#include "media/resample.h"

/* Positions count samples of one channel on the time line of the mix. */

#define RMI_MIXER_US_PER_S 1000000
#define RMI_MIXER_RESAMPLE_QUALITY 3 /* 0.5 ms of delay and 21 us for 10 ms, against 28 us of the next (measured) */
#define RMI_MIXER_SILENT_DBOV (-127.0F)
#define RMI_MIXER_SILENT_LEVEL 127

enum rmi_mixer_state {
    RMI_MIXER_AWAY,    /* nothing came yet, or not for long: not waited for */
    RMI_MIXER_ACTIVE,  /* waited for */
    RMI_MIXER_LEAVING, /* removed: fades out in the next frame */
};

/* Holds a source at its place although its clock is another one. */
struct rmi_mixer_drift {
    size_t seen;         /* samples of the mix in the second in progress */
    int64_t spare_min;   /* the least that it had to spare in it */
    int64_t earliest_us; /* when its sound came, less the time of its position: the least in it; INT64_MAX: none */
    int64_t made_us;     /* when a frame was made, less the time of its end: the least in it */
    bool has_target;
    int64_t target_us;  /* where that is held */
    double learned_ppm; /* of its clock */
    int ppm;            /* in force */
};

struct rmi_mixer_source {
    struct rmi_mixer *m;
    enum rmi_mixer_state state;
    char id[RMI_MIXER_ID_MAX];
    void *user;
    uint32_t rate_hz;
    int channels;

    float *ring; /* of the mix's channels; a position has its place by its low bits */
    size_t cap;  /* samples, a power of two */
    int64_t end; /* behind the last sample */
    size_t fade; /* samples since sound began again: up to the length of a fade they are turned down */
    size_t tail; /* samples since sound ended: up to the length of a fade it goes on, backwards and fading */
    size_t dry;  /* samples invented since sound came last */
    size_t owed; /* of these, what the source may still bring */
    int64_t late_since_us;
    int64_t heard_us;     /* when something came last */
    size_t usual;         /* samples of the last chunk, at the mix's rate */
    int64_t next_time_us; /* the timestamp that the next chunk should have, or -1 */

    struct rmi_resampler *resampler; /* NULL: neither another rate nor a drift so far */
    float *converted, *resampled;    /* blocks on their way */
    size_t resampled_cap, discard;   /* discard: samples that come next and whose time has passed */
    struct rmi_mixer_drift drift;

    float gain, gain_target; /* gain: at the end of the last frame */
    bool muted;
    float *part, *minus; /* of the last frame */
    uint64_t minus_of;   /* the frame that `minus` is of */
    struct rmi_mix_limit limit;
    uint64_t part_of; /* the frame that `part` is of */
    float energy;     /* mean square in the last frame, before the gain */
    float loudness;   /* smoothed, dBov */
    struct rmi_mixer_source_stats stats;
};

struct rmi_mixer {
    struct rmi_mixer_config config;
    size_t frame, values; /* samples, and values of all channels */
    int64_t position;     /* of the next frame */
    int64_t now_us;       /* the latest time seen */
    bool has_base;
    int64_t base_us; /* time of position 0 */
    struct rmi_mixer_source **sources;
    size_t count; /* the first so many are there */

    uint64_t made; /* frames so far */
    int64_t made_at;
    size_t made_filled;
    float *sum, *mix;
    uint64_t mix_of;
    struct rmi_mix_limit limit;

    struct rmi_mixer_source *speaker, *candidate;
    size_t candidate_for; /* samples */
};

static inline int64_t rmi_mixer_samples(const struct rmi_mixer *m, int64_t us) {
    return us * m->config.rate_hz / RMI_MIXER_US_PER_S;
}

static inline int64_t rmi_mixer_us(const struct rmi_mixer *m, int64_t samples) {
    const int64_t rate = m->config.rate_hz;
    return samples / rate * RMI_MIXER_US_PER_S + samples % rate * RMI_MIXER_US_PER_S / rate;
}

/* mixer_source.c: what a source has. */
rm_err rmi_mixer_source_init(struct rmi_mixer_source *s);
void rmi_mixer_source_free(struct rmi_mixer_source *s);
/* From now on it is waited for; `chunk` samples of the mix are about to come. `others`: it is not alone. */
rm_err rmi_mixer_source_join(struct rmi_mixer_source *s, size_t chunk, int64_t time_us, bool others);
rm_err rmi_mixer_source_take(struct rmi_mixer_source *s, const float *pcm, size_t samples, int64_t time_us,
                             int64_t now_us);
/* Whether the timestamp of the next chunk tells of a pause before it. */
bool rmi_mixer_source_paused(const struct rmi_mixer_source *s, int64_t time_us);
void rmi_mixer_source_read(const struct rmi_mixer_source *s, int64_t position, float *out, size_t n);
/* From now on it can be made longer and shorter. */
void rmi_mixer_source_begin_drift(struct rmi_mixer_source *s);
/* Invents `n` samples at its end: what came last, backwards and fading, then silence. */
void rmi_mixer_source_invent(struct rmi_mixer_source *s, size_t n);
/* mixer_drift.c */
/* Begins to measure. */
void rmi_mixer_drift_again(struct rmi_mixer_source *s);
/* It was put so much later (or earlier, when negative). */
void rmi_mixer_drift_moved(struct rmi_mixer_source *s, int64_t us);
/* After each chunk, and after each frame that it had sound for. */
void rmi_mixer_drift_input(struct rmi_mixer_source *s, int64_t now_us);
void rmi_mixer_drift_frame(struct rmi_mixer_source *s, int64_t now_us, bool alone);
/* mixer_speaker.c: after each frame. */
void rmi_mixer_speaker_frame(struct rmi_mixer *m);

#endif
