/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mixer.h"
#include "base/time.h"
#include "media/mix.h"
#include "media/mixer_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Who brought nothing for so long is not waited for any more. */
#define PATIENCE_US RMI_MS(200)
#define WAIT_MAX_MS 250          /* for the next chunk, however long the last one was */
#define DECIBEL_PER_DECADE 20.0F /* of amplitude */

static bool config_good(const struct rmi_mixer_config *c) {
    return c->rate_hz >= RMI_MIXER_RATE_MIN_HZ && c->rate_hz <= RMI_MIXER_RATE_MAX_HZ && c->channels >= 1 &&
           c->channels <= RMI_MIXER_CHANNELS_MAX && c->frame_us >= RMI_MIXER_FRAME_MIN_US &&
           c->frame_us <= RMI_MIXER_FRAME_MAX_US && c->sources_max >= 1 && c->sources_max <= RMI_MIXER_SOURCES_MAX &&
           c->ahead_ms >= RMI_MIXER_AHEAD_MIN_MS && c->ahead_ms <= RMI_MIXER_AHEAD_MAX_MS &&
           c->slack_us <= RMI_MIXER_FRAME_MAX_US;
}

rm_err rmi_mixer_create(const struct rmi_mixer_config *config, struct rmi_mixer **out) {
    if (!config_good(config))
        return RM_E_INVALID_ARG;
    struct rmi_mixer *m = calloc(1, sizeof *m);
    if (!m)
        return RM_E_NO_MEMORY;
    m->config = *config;
    m->frame = (size_t)rmi_mixer_samples(m, config->frame_us);
    m->values = m->frame * (size_t)config->channels;
    rmi_mix_limit_init(&m->limit);
    m->sum = calloc(m->values, sizeof *m->sum);
    m->mix = calloc(m->values, sizeof *m->mix);
    m->sources = calloc(config->sources_max, sizeof(struct rmi_mixer_source *));
    if (!m->sum || !m->mix || !m->sources) {
        rmi_mixer_destroy(&m);
        return RM_E_NO_MEMORY;
    }
    *out = m;
    return RM_OK;
}

void rmi_mixer_destroy(struct rmi_mixer **m) {
    if (!m || !*m)
        return;
    for (size_t i = 0; i < (*m)->count; i++)
        rmi_mixer_source_free((*m)->sources[i]);
    free((*m)->sources);
    free((*m)->sum);
    free((*m)->mix);
    free(*m);
    *m = NULL;
}

struct rmi_mixer_source *rmi_mixer_find(struct rmi_mixer *m, const char *id) {
    for (size_t i = 0; i < m->count; i++)
        if (m->sources[i]->state != RMI_MIXER_LEAVING && !strcmp(m->sources[i]->id, id))
            return m->sources[i];
    return NULL;
}

struct rmi_mixer_source *rmi_mixer_at(struct rmi_mixer *m, size_t index) {
    for (size_t i = 0; i < m->count; i++)
        if (m->sources[i]->state != RMI_MIXER_LEAVING && index-- == 0)
            return m->sources[i];
    return NULL;
}

static void release(struct rmi_mixer *m, size_t slot) {
    struct rmi_mixer_source *s = m->sources[slot];
    m->sources[slot] = m->sources[--m->count];
    rmi_mixer_source_free(s);
}

/* A place for one more: of one that is fading out, if need be. */
static bool has_room(struct rmi_mixer *m) {
    for (size_t i = 0; m->count == m->config.sources_max && i < m->count; i++)
        if (m->sources[i]->state == RMI_MIXER_LEAVING)
            release(m, i);
    return m->count < m->config.sources_max;
}

rm_err rmi_mixer_add(struct rmi_mixer *m, const char *id, uint32_t rate_hz, int channels,
                     struct rmi_mixer_source **out) {
    if (strlen(id) >= RMI_MIXER_ID_MAX || rate_hz < RMI_RESAMPLE_RATE_MIN_HZ || rate_hz > RMI_RESAMPLE_RATE_MAX_HZ ||
        channels < 1)
        return RM_E_INVALID_ARG;
    if (rmi_mixer_find(m, id))
        return RM_E_EXISTS;
    if (!has_room(m))
        return RM_E_LIMIT;
    struct rmi_mixer_source *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->m = m;
    s->rate_hz = rate_hz;
    s->channels = channels;
    memcpy(s->id, id, strlen(id) + 1);
    rm_err err = rmi_mixer_source_init(s);
    if (err) {
        rmi_mixer_source_free(s);
        return err;
    }
    m->sources[m->count++] = s;
    *out = s;
    return RM_OK;
}

static void forget_speaker(struct rmi_mixer *m, const struct rmi_mixer_source *s) {
    m->speaker = m->speaker == s ? NULL : m->speaker;
    m->candidate = m->candidate == s ? NULL : m->candidate;
}

void rmi_mixer_remove(struct rmi_mixer_source **source) {
    struct rmi_mixer_source *s = source ? *source : NULL;
    if (!s)
        return;
    *source = NULL;
    forget_speaker(s->m, s);
    s->muted = true;
    if (s->state == RMI_MIXER_ACTIVE) {
        s->state = RMI_MIXER_LEAVING;
        return;
    }
    for (size_t i = 0; i < s->m->count; i++)
        if (s->m->sources[i] == s) {
            release(s->m, i);
            return;
        }
}

/* ---- time ---- */

/* How long a source is waited for that has not all of the next frame: until the chunk that should come next is a frame
 * late. What is invented for it does not count, so that it is the same for each frame that it misses. */
static int64_t patience_us(const struct rmi_mixer *m, const struct rmi_mixer_source *s) {
    const int64_t missing = m->position + (int64_t)m->frame - (s->end - (int64_t)s->dry);
    const int64_t next = rmi_mixer_us(m, rmi_max64(missing, (int64_t)s->usual));
    return s->heard_us + rmi_min64(next, RMI_MS(WAIT_MAX_MS)) + m->config.frame_us + m->config.slack_us;
}

static size_t active(const struct rmi_mixer *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->sources[i]->state == RMI_MIXER_ACTIVE;
    return n;
}

int64_t rmi_mixer_next_deadline(const struct rmi_mixer *m) {
    int64_t due = m->now_us;
    bool some = false;
    for (size_t i = 0; i < m->count; i++) {
        const struct rmi_mixer_source *s = m->sources[i];
        if (s->state != RMI_MIXER_ACTIVE)
            continue;
        some |= s->end > m->position;
        if (s->end < m->position + (int64_t)m->frame)
            due = rmi_max64(due, patience_us(m, s));
    }
    return some ? due : RMI_NEVER;
}

int64_t rmi_mixer_furthest_us(const struct rmi_mixer *m) {
    int64_t furthest = m->position;
    for (size_t i = 0; i < m->count; i++)
        if (m->sources[i]->state == RMI_MIXER_ACTIVE)
            furthest = rmi_max64(furthest, m->sources[i]->end);
    return rmi_mixer_us(m, furthest);
}

/* The times of the mix are those of whoever is the first after a silence of all; they never go back. */
static void set_base(struct rmi_mixer *m, const struct rmi_mixer_source *s, int64_t time_us) {
    if (time_us < 0 || time_us > INT64_MAX / 2)
        return;
    const int64_t base = time_us - rmi_mixer_us(m, s->end);
    if (!m->has_base || base > m->base_us)
        m->base_us = base;
    m->has_base = true;
}

rm_err rmi_mixer_input(struct rmi_mixer_source *s, const float *pcm, size_t samples, int64_t timestamp_us,
                       int64_t now_us) {
    struct rmi_mixer *m = s->m;
    if (samples == 0)
        return RM_OK;
    if (s->state == RMI_MIXER_ACTIVE && active(m) == 1 && s->end <= m->position &&
        rmi_mixer_source_paused(s, timestamp_us))
        s->state = RMI_MIXER_AWAY; /* a pause of all is not filled with silence */
    const bool alone = active(m) == 0;
    m->now_us = rmi_max64(m->now_us, now_us);
    if (s->state == RMI_MIXER_AWAY) {
        const size_t chunk = (size_t)((uint64_t)samples * m->config.rate_hz / s->rate_hz);
        rm_err err = rmi_mixer_source_join(s, chunk, timestamp_us, !alone);
        if (err)
            return err;
        if (alone)
            set_base(m, s, timestamp_us);
    }
    return rmi_mixer_source_take(s, pcm, samples, timestamp_us, m->now_us);
}

/* ---- frames ---- */

static void take(struct rmi_mixer *m, struct rmi_mixer_source *s) {
    const int64_t missing = m->position + (int64_t)m->frame - s->end;
    if (missing > 0) {
        rmi_mixer_source_invent(s, (size_t)missing);
        s->stats.concealed += (uint64_t)missing;
        s->dry += (size_t)missing;
        s->owed += (size_t)missing;
    }
    rmi_mixer_source_read(s, m->position, s->part, m->frame);
    s->part_of = m->made;
    s->energy = rmi_mix_energy(s->part, m->values) / (float)m->values;
    const float gain = s->muted ? 0 : s->gain_target;
    if (s->gain != gain || gain != 1)
        rmi_mix_gain(s->part, m->frame, m->config.channels, s->gain, gain);
    s->gain = gain;
    rmi_mix_add(m->sum, s->part, m->values, 1);
}

static void make(struct rmi_mixer *m, size_t filled) {
    memset(m->sum, 0, m->values * sizeof *m->sum);
    m->made++;
    m->made_at = m->position;
    m->made_filled = filled;
    for (size_t i = m->count; i-- > 0;) {
        if (m->sources[i]->state == RMI_MIXER_AWAY)
            continue;
        take(m, m->sources[i]);
        if (m->sources[i]->state == RMI_MIXER_LEAVING)
            release(m, i);
    }
    m->position += (int64_t)m->frame;
    const bool alone = active(m) < 2;
    for (size_t i = 0; i < m->count; i++) {
        struct rmi_mixer_source *s = m->sources[i];
        if (s->state != RMI_MIXER_ACTIVE)
            continue;
        if (s->dry >= (size_t)rmi_mixer_samples(m, PATIENCE_US))
            s->state = RMI_MIXER_AWAY;
        else if (s->dry == 0)
            rmi_mixer_drift_frame(s, m->now_us, alone);
    }
    rmi_mixer_speaker_frame(m);
}

bool rmi_mixer_pull(struct rmi_mixer *m, int64_t now_us) {
    m->now_us = rmi_max64(m->now_us, now_us);
    if (rmi_mixer_next_deadline(m) > m->now_us)
        return false;
    make(m, m->frame);
    return true;
}

bool rmi_mixer_flush(struct rmi_mixer *m) {
    int64_t furthest = m->position;
    for (size_t i = 0; i < m->count; i++) {
        const struct rmi_mixer_source *s = m->sources[i];
        if (s->state == RMI_MIXER_ACTIVE && s->dry == 0)
            furthest = rmi_max64(furthest, s->end);
    }
    if (furthest == m->position)
        return false;
    make(m, (size_t)rmi_min64((int64_t)m->frame, furthest - m->position));
    return true;
}

size_t rmi_mixer_frame_samples(const struct rmi_mixer *m) {
    return m->frame;
}

size_t rmi_mixer_frame_filled(const struct rmi_mixer *m) {
    return m->made_filled;
}

int64_t rmi_mixer_frame_time_us(const struct rmi_mixer *m) {
    const int64_t time_us = m->has_base ? m->base_us + rmi_mixer_us(m, m->made_at) : -1;
    return time_us < 0 ? -1 : time_us;
}

const float *rmi_mixer_mix(struct rmi_mixer *m) {
    if (m->mix_of != m->made) {
        m->mix_of = m->made;
        memcpy(m->mix, m->sum, m->values * sizeof *m->mix);
        rmi_mix_limit_run(&m->limit, m->mix, m->frame, m->config.channels, m->config.rate_hz);
    }
    return m->mix;
}

const float *rmi_mixer_minus(struct rmi_mixer_source *s) {
    struct rmi_mixer *m = s->m;
    if (s->minus_of != m->made) {
        s->minus_of = m->made;
        if (s->part_of == m->made)
            rmi_mix_minus(s->minus, m->sum, s->part, m->values);
        else
            memcpy(s->minus, m->sum, m->values * sizeof *m->sum);
        rmi_mix_limit_run(&s->limit, s->minus, m->frame, m->config.channels, m->config.rate_hz);
    }
    return s->minus;
}

/* ---- sources as the caller sees them ---- */

rm_err rmi_mixer_set_gain_db(struct rmi_mixer_source *s, float gain_db) {
    if (!(gain_db <= RMI_MIXER_GAIN_MAX_DB))
        return RM_E_INVALID_ARG;
    s->gain_target = gain_db <= RMI_MIXER_GAIN_MIN_DB ? 0 : powf(10, gain_db / DECIBEL_PER_DECADE);
    return RM_OK;
}

void rmi_mixer_set_muted(struct rmi_mixer_source *s, bool muted) {
    s->muted = muted;
}

const char *rmi_mixer_id(const struct rmi_mixer_source *s) {
    return s->id;
}

void rmi_mixer_set_user(struct rmi_mixer_source *s, void *user) {
    s->user = user;
}

void *rmi_mixer_user(const struct rmi_mixer_source *s) {
    return s->user;
}

struct rmi_mixer_source_stats rmi_mixer_source_stats(const struct rmi_mixer_source *s) {
    struct rmi_mixer_source_stats stats = s->stats;
    stats.active = s->state == RMI_MIXER_ACTIVE;
    stats.ahead_us = rmi_max64(rmi_mixer_us(s->m, s->end - s->m->position), 0);
    stats.drift_ppm = s->drift.ppm;
    stats.silent_us = s->m->now_us - s->heard_us;
    return stats;
}

struct rmi_mixer_source *rmi_mixer_speaker(struct rmi_mixer *m) {
    return m->speaker;
}
