/* SPDX-License-Identifier: Apache-2.0 */
/* One source: from chunks by its own clock to samples at positions of the mix. */
#include "base/time.h"
#include "media/mix.h"
#include "media/mixer_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FADE_US RMI_MS(5)
/* Timestamps that differ by less from the samples counted are rounding, or a clock's drift. */
#define JITTER_US RMI_MS(5)
/* A larger step of timestamps is another clock, not a pause. */
#define STEP_MAX_US RMI_SEC(1)
/* Who joins others keeps so much to spare: the drift is measured and steered within it. */
#define GUARD_US RMI_MS(1)
/* Who comes late is given more delay once it has come late for so many chunks: a burst after a pause is late too, but
 * over at once. */
#define LATE_CHUNKS 2
#define NEAR_CHUNKS 2 /* a newcomer whose timestamps are that near to the mix keeps them */
#define BLOCK 512     /* samples converted at a time */
#define RING_MIN_US RMI_MS(100)

static size_t fade_samples(const struct rmi_mixer *m) {
    return (size_t)rmi_mixer_samples(m, FADE_US);
}

static float *at(const struct rmi_mixer_source *s, int64_t position) {
    return s->ring + (size_t)(position & (int64_t)(s->cap - 1)) * (size_t)s->m->config.channels;
}

/* Copies the samples of a position, which may lie on both sides of the ring's end. */
static void copy_out(const struct rmi_mixer_source *s, int64_t position, float *out, size_t n) {
    const size_t channels = (size_t)s->m->config.channels, room = s->cap - (size_t)(position & (int64_t)(s->cap - 1)),
                 first = n < room ? n : room;
    memcpy(out, at(s, position), first * channels * sizeof *out);
    memcpy(out + first * channels, s->ring, (n - first) * channels * sizeof *out);
}

void rmi_mixer_source_read(const struct rmi_mixer_source *s, int64_t position, float *out, size_t n) {
    copy_out(s, position, out, n);
}

/* Room for `n` more samples, with what fades and the frame that is being made before them. */
static rm_err reserve(struct rmi_mixer_source *s, size_t n) {
    const struct rmi_mixer *m = s->m;
    const size_t keep = 3 * fade_samples(m) + m->frame, ahead = (size_t)rmi_max64(s->end - m->position, 0);
    size_t cap = s->cap ? s->cap : 1;
    while (cap < keep + ahead + n || cap < (size_t)rmi_mixer_samples(m, RING_MIN_US))
        cap *= 2;
    if (cap <= s->cap)
        return RM_OK;
    float *grown = calloc(cap * (size_t)m->config.channels, sizeof *grown);
    if (!grown)
        return RM_E_NO_MEMORY;
    struct rmi_mixer_source old = *s;
    s->ring = grown;
    s->cap = cap;
    for (size_t i = 0; i < old.cap; i++) {
        const int64_t position = s->end - (int64_t)old.cap + (int64_t)i;
        memcpy(at(s, position), at(&old, position), (size_t)m->config.channels * sizeof *grown);
    }
    free(old.ring);
    return RM_OK;
}

/* Channel `c` of the next sample of what fades out: what came last, backwards, so that it goes on where that ended. */
static float tail(const struct rmi_mixer_source *s, size_t fade, size_t c) {
    if (s->tail >= fade)
        return 0;
    return at(s, s->end - 1 - 2 * (int64_t)s->tail)[c] * (1 - (float)(s->tail + 1) / (float)fade);
}

/* From here on what was there fades out, and what comes is faded in. */
static void joint(struct rmi_mixer_source *s, size_t n) {
    if (s->fade > 0 && n > 0)
        s->tail = s->fade = 0;
}

void rmi_mixer_source_invent(struct rmi_mixer_source *s, size_t n) {
    const size_t fade = fade_samples(s->m), channels = (size_t)s->m->config.channels;
    joint(s, n);
    for (size_t i = 0; i < n; i++, s->end++) {
        float *to = at(s, s->end);
        for (size_t c = 0; c < channels; c++)
            to[c] = tail(s, fade, c);
        s->tail += s->tail < fade;
    }
}

/* Puts samples at its end, faded in when something else was there before. */
static void store(struct rmi_mixer_source *s, const float *pcm, size_t n) {
    const size_t fade = fade_samples(s->m), channels = (size_t)s->m->config.channels;
    for (; n > 0 && (s->fade < fade || s->tail < fade); n--, pcm += channels, s->end++) {
        float *to = at(s, s->end), gain = (float)(s->fade + 1) / (float)fade;
        for (size_t c = 0; c < channels; c++)
            to[c] = s->fade < fade ? pcm[c] * gain + tail(s, fade, c) : pcm[c];
        s->fade += s->fade < fade;
        s->tail += s->tail < fade;
    }
    while (n > 0) {
        const size_t room = s->cap - (size_t)(s->end & (int64_t)(s->cap - 1)), k = n < room ? n : room;
        memcpy(at(s, s->end), pcm, k * channels * sizeof *pcm);
        s->end += (int64_t)k;
        pcm += k * channels;
        n -= k;
    }
}

/* Whether it begins where its timestamp lies on the time line of the mix. People's clocks have nothing in common, but
 * parts of one recording are to stay together. */
static bool keep_time(struct rmi_mixer_source *s, size_t chunk, int64_t time_us) {
    const struct rmi_mixer *m = s->m;
    const int64_t near = NEAR_CHUNKS * (int64_t)(chunk > m->frame ? chunk : m->frame);
    if (!m->has_base || time_us < 0 || time_us > INT64_MAX / 2)
        return false;
    const int64_t off_us = time_us - m->base_us - rmi_mixer_us(m, m->position);
    if (off_us > STEP_MAX_US || off_us < -STEP_MAX_US)
        return false;
    const int64_t off =
        (off_us * m->config.rate_hz + (off_us < 0 ? -1 : 1) * RMI_MIXER_US_PER_S / 2) / RMI_MIXER_US_PER_S;
    if (off > near || off < -near)
        return false;
    rmi_mixer_source_invent(s, (size_t)rmi_max64(off, 0));
    s->discard = (size_t)rmi_max64(-off, 0);
    return true;
}

rm_err rmi_mixer_source_join(struct rmi_mixer_source *s, size_t chunk, int64_t time_us, bool others) {
    const struct rmi_mixer *m = s->m;
    rm_err err = reserve(s, NEAR_CHUNKS * (chunk > m->frame ? chunk : m->frame));
    if (err)
        return err;
    s->state = RMI_MIXER_ACTIVE;
    s->end = m->position;
    s->fade = s->dry = s->owed = s->discard = 0;
    s->tail = fade_samples(m);
    s->late_since_us = RMI_NEVER;
    s->next_time_us = -1;
    if (s->resampler)
        rmi_resampler_reset(s->resampler);
    rmi_mixer_drift_again(s);
    s->drift.has_target = false;
    /* The frame that is next may be made at any moment, and each one after it a frame later. */
    if (others && !keep_time(s, chunk, time_us))
        rmi_mixer_source_invent(s, (chunk < m->frame ? m->frame - chunk : 0) + (size_t)rmi_mixer_samples(m, GUARD_US));
    return RM_OK;
}

/* Samples of the mix that so many of the source make. */
static size_t scaled(const struct rmi_mixer_source *s, size_t samples) {
    return (size_t)((uint64_t)samples * s->m->config.rate_hz / s->rate_hz);
}

bool rmi_mixer_source_paused(const struct rmi_mixer_source *s, int64_t time_us) {
    return s->next_time_us >= 0 && time_us <= INT64_MAX / 2 && time_us - s->next_time_us > JITTER_US;
}

/* What the timestamp says: a pause before the chunk, or `*skip` samples at its beginning that have been there. */
static rm_err place(struct rmi_mixer_source *s, size_t samples, int64_t time_us, size_t *skip) {
    const int64_t expected = s->next_time_us, us = (int64_t)samples * RMI_MIXER_US_PER_S / s->rate_hz;
    *skip = 0;
    if (time_us < 0 || time_us > INT64_MAX / 2) { /* none, or one that cannot be calculated with */
        s->next_time_us = expected < 0 ? -1 : expected + us;
        return RM_OK;
    }
    const int64_t step = expected < 0 ? 0 : time_us - expected;
    s->next_time_us = time_us + us;
    if (step > STEP_MAX_US || step < -STEP_MAX_US || (step <= JITTER_US && step >= -JITTER_US))
        return RM_OK;
    if (step < 0) {
        const size_t known = (size_t)(-step * s->rate_hz / RMI_MIXER_US_PER_S);
        *skip = known < samples ? known : samples;
        s->next_time_us = rmi_max64(s->next_time_us, expected);
        return RM_OK;
    }
    size_t pause = (size_t)rmi_mixer_samples(s->m, step), made = pause < s->owed ? pause : s->owed;
    s->owed -= made; /* this much of it has been silence already */
    pause -= made;
    rm_err err = reserve(s, pause);
    if (!err)
        rmi_mixer_source_invent(s, pause);
    return err;
}

/* Samples at the beginning of a chunk whose time has passed; or the source is moved, so that it is heard. */
static size_t too_late(struct rmi_mixer_source *s, size_t samples, int64_t now_us) {
    if (s->owed == 0) {
        s->late_since_us = RMI_NEVER;
        return 0;
    }
    if (s->late_since_us == RMI_NEVER)
        s->late_since_us = now_us;
    const size_t little = samples > s->m->frame ? samples : s->m->frame;
    const int64_t patience = LATE_CHUNKS * (int64_t)samples * RMI_MIXER_US_PER_S / s->m->config.rate_hz;
    if (s->owed <= little || now_us - s->late_since_us >= patience) {
        rmi_mixer_drift_moved(s, rmi_mixer_us(s->m, (int64_t)s->owed));
        s->owed = 0;
        s->late_since_us = RMI_NEVER;
        s->stats.moved++;
        return 0;
    }
    const size_t lost = samples < s->owed ? samples : s->owed;
    s->owed -= lost;
    s->stats.late += lost;
    return lost;
}

/* Samples at the beginning of a chunk that are left out because too much is there. Cut to half of what is allowed, so
 * that it is done once in a while. */
static size_t too_early(struct rmi_mixer_source *s, size_t samples) {
    const int64_t most = rmi_mixer_samples(s->m, RMI_MS((int64_t)s->m->config.ahead_ms)),
                  there = s->end - s->m->position, lead = there + (int64_t)samples;
    if (lead <= most)
        return 0;
    const int64_t want = lead - most / 2, back = rmi_min64(want, rmi_max64(there, 0));
    s->stats.too_early += (uint64_t)want;
    s->end -= back;
    joint(s, 1);
    rmi_mixer_drift_moved(s, -rmi_mixer_us(s->m, want));
    return (size_t)(want - back);
}

/* A block, without the first `*lost` samples of what it makes. */
static void put(struct rmi_mixer_source *s, const float *pcm, size_t samples, size_t *lost) {
    const struct rmi_mixer *m = s->m;
    const size_t channels = (size_t)m->config.channels;
    const float *from = s->converted;
    size_t n = samples;
    rmi_mix_channels(s->converted, m->config.channels, pcm, s->channels, samples);
    rmi_mix_sane(s->converted, samples * channels);
    if (s->resampler) {
        n = s->resampled_cap;
        if (rmi_resampler_run(s->resampler, s->converted, &samples, s->resampled, &n))
            n = 0;
        from = s->resampled;
    }
    const size_t skip = *lost < n ? *lost : n;
    *lost -= skip;
    if (skip > 0)
        joint(s, skip);
    store(s, from + skip * channels, n - skip);
}

rm_err rmi_mixer_source_take(struct rmi_mixer_source *s, const float *pcm, size_t samples, int64_t time_us,
                             int64_t now_us) {
    size_t skip, lost = 0;
    rm_err err = place(s, samples, time_us, &skip);
    if (err)
        return err;
    s->stats.late += skip;
    pcm += skip * (size_t)s->channels;
    samples -= skip;
    if (samples == 0)
        return RM_OK;
    const size_t expected = scaled(s, samples);
    lost = too_late(s, expected, now_us);
    lost += too_early(s, expected - lost);
    /* What the drift or the filter may add to the samples expected. */
    err = reserve(s, expected + s->resampled_cap);
    if (err)
        return err;
    lost += s->discard;
    s->usual = expected;
    s->heard_us = now_us;
    s->dry = 0;
    while (samples > 0) {
        const size_t n = samples < BLOCK ? samples : BLOCK;
        put(s, pcm, n, &lost);
        pcm += n * (size_t)s->channels;
        samples -= n;
    }
    s->discard = lost;
    rmi_mixer_drift_input(s, now_us);
    return RM_OK;
}

static rm_err make_resampler(struct rmi_mixer_source *s) {
    const struct rmi_mixer *m = s->m;
    rm_err err = rmi_resampler_create(s->rate_hz, m->config.rate_hz, m->config.channels, RMI_MIXER_RESAMPLE_QUALITY,
                                      &s->resampler);
    if (err)
        return err;
    s->resampled_cap = rmi_resampler_out_max(s->resampler, BLOCK);
    s->resampled = calloc(s->resampled_cap * (size_t)m->config.channels, sizeof *s->resampled);
    return s->resampled ? RM_OK : RM_E_NO_MEMORY;
}

/* In mid-stream: what has passed already goes through it first, so that it goes on where that ends. */
void rmi_mixer_source_begin_drift(struct rmi_mixer_source *s) {
    const struct rmi_mixer *m = s->m;
    if (make_resampler(s)) {
        rmi_resampler_destroy(&s->resampler);
        return; /* without memory the drift goes on as it did */
    }
    const size_t delay = rmi_resampler_delay(s->resampler), past = 4 * delay;
    size_t in = past, out = s->resampled_cap;
    copy_out(s, s->end - (int64_t)past, s->converted, past);
    rmi_resampler_run(s->resampler, s->converted, &in, s->resampled, &out);
    /* What comes out next lies `delay` before the end; what of it has been heard is left out. */
    const int64_t back = rmi_min64((int64_t)delay, s->end - m->position);
    s->end -= back;
    s->discard = delay - (size_t)back;
}

rm_err rmi_mixer_source_init(struct rmi_mixer_source *s) {
    const struct rmi_mixer *m = s->m;
    const size_t channels = (size_t)m->config.channels;
    s->gain = s->gain_target = 1;
    s->loudness = RMI_MIXER_SILENT_DBOV;
    s->stats.level = RMI_MIXER_SILENT_LEVEL;
    rmi_mix_limit_init(&s->limit);
    s->converted = calloc(BLOCK * channels, sizeof *s->converted);
    s->part = calloc(m->values, sizeof *s->part);
    s->minus = calloc(m->values, sizeof *s->minus);
    if (!s->converted || !s->part || !s->minus || reserve(s, 0))
        return RM_E_NO_MEMORY;
    return s->rate_hz == m->config.rate_hz ? RM_OK : make_resampler(s);
}

void rmi_mixer_source_free(struct rmi_mixer_source *s) {
    rmi_resampler_destroy(&s->resampler);
    free(s->resampled);
    free(s->converted);
    free(s->part);
    free(s->minus);
    free(s->ring);
    free(s);
}
