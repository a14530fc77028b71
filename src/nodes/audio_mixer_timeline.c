/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/audio_mixer_private.h"

#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000
#define MS_PER_S 1000
#define JITTER_MS 5     /* times that differ by less from the samples counted are rounding, or a clock's drift */
#define GAP_MAX_MS 1000 /* a larger step of times is another clock, not a pause */
#define PATIENCE_MS 200 /* who comes late for so long is moved; who has been silent for so long has left */
#define NEAR_CHUNKS 2   /* a newcomer whose times are that near to the mix keeps them */
#define DRIFT_CHUNKS 2  /* patience with who is late by no more than that */
#define TIME_FAR_US (INT64_C(1) << 40) /* so that times rate fits 64 bits */

static int64_t samples_of_ms(const struct rmi_mix_timeline *t, int64_t ms) {
    return ms * t->rate / MS_PER_S;
}

/* Samples from one time to another. */
static int64_t distance(const struct rmi_mix_timeline *t, int64_t from_us, int64_t time_us) {
    int64_t us = time_us - from_us;
    us = us > TIME_FAR_US ? TIME_FAR_US : us < -TIME_FAR_US ? -TIME_FAR_US : us;
    int64_t scaled = us * t->rate;
    return (scaled + (scaled < 0 ? -US_PER_S / 2 : US_PER_S / 2)) / US_PER_S;
}

static int64_t us_of(const struct rmi_mix_timeline *t, int64_t position) {
    return position / t->rate * US_PER_S + position % t->rate * US_PER_S / t->rate;
}

int64_t rmi_mix_time_us(const struct rmi_mix_timeline *t) {
    int64_t time_us = t->has_base ? t->base_us + us_of(t, t->position) : RM_NO_VALUE;
    return time_us < 0 ? RM_NO_VALUE : time_us;
}

static struct rmi_mix_piece *piece_at(struct rmi_mix_source *s, size_t i) {
    return &s->pieces[(s->first + i) % RMI_MIX_PIECES_MAX];
}

static void drop_first(struct rmi_mix_source *s) {
    rm_runtime_data_unref(&s->pieces[s->first].data);
    s->first = (s->first + 1) % RMI_MIX_PIECES_MAX;
    s->count--;
}

static void release(struct rmi_mix_source *s) {
    while (s->count > 0)
        drop_first(s);
    s->used = false;
}

void rmi_mix_timeline_fini(struct rmi_mix_timeline *t) {
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++)
        release(&t->sources[i]);
}

struct rmi_mix_source *rmi_mix_source(struct rmi_mix_timeline *t, const char *id, bool *fresh) {
    struct rmi_mix_source *spare = NULL;
    const char *name = id ? id : "";
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++) {
        struct rmi_mix_source *s = &t->sources[i];
        if (s->used && !strcmp(s->id, name)) {
            *fresh = false;
            return s;
        }
        if (!s->used && !spare)
            spare = s;
    }
    *fresh = spare != NULL;
    if (!spare)
        return NULL;
    spare->used = true;
    spare->has_anchor = false;
    spare->end = t->position;
    spare->late_since = -1;
    spare->first = spare->count = 0;
    snprintf(spare->id, sizeof spare->id, "%s", name);
    return spare;
}

/* Puts the source where the sound that has time `time_us` lies at `position`. */
static int64_t anchor(struct rmi_mix_source *s, int64_t time_us, int64_t position) {
    s->anchor_us = time_us;
    s->anchor = position;
    s->has_anchor = true;
    s->late_since = -1;
    return position;
}

static int64_t near_samples(const struct rmi_mix_timeline *t, size_t samples) {
    return NEAR_CHUNKS * (int64_t)(samples > t->chunk ? samples : t->chunk);
}

/* Where a chunk belongs. */
static int64_t place(struct rmi_mix_timeline *t, struct rmi_mix_source *s, int64_t time_us, size_t samples) {
    int64_t next = s->end > t->position ? s->end : t->position;
    if (time_us < 0 || time_us > INT64_MAX / 2) /* none, or one that cannot be calculated with */
        return next;
    if (!t->has_base) {
        t->has_base = true;
        t->base_us = time_us - us_of(t, t->position);
    }
    if (!s->has_anchor) {
        int64_t begin = distance(t, t->base_us, time_us), step = begin - t->position;
        int64_t near = near_samples(t, samples);
        return anchor(s, time_us, step >= -near && step <= near ? begin : t->position);
    }
    int64_t begin = s->anchor + distance(t, s->anchor_us, time_us), step = begin - s->end;
    if (step > samples_of_ms(t, GAP_MAX_MS) || step < -samples_of_ms(t, GAP_MAX_MS))
        return anchor(s, time_us, next);
    if (step <= samples_of_ms(t, JITTER_MS) && step >= -samples_of_ms(t, JITTER_MS))
        begin = s->end;
    if (begin >= t->position) {
        s->late_since = -1;
        return begin;
    }
    if (s->late_since < 0)
        s->late_since = t->position;
    /* A burst after a pause is late and stays away; who is late while the mix goes on is so for good. By little: a
     * clock that is slower than the others', which should cost no more than a moment. */
    bool little = t->position - begin <= near_samples(t, samples);
    int64_t patience = little ? DRIFT_CHUNKS * (int64_t)t->chunk : samples_of_ms(t, PATIENCE_MS);
    if (t->position - s->late_since >= patience)
        return anchor(s, time_us, t->position);
    return begin;
}

void rmi_mix_input(struct rmi_mix_timeline *t, struct rmi_mix_source *s, rm_runtime_data *data) {
    size_t samples = rm_runtime_data_audio(data)->frame_count;
    if (samples == 0)
        return;
    int64_t begin = place(t, s, rm_runtime_data_timestamp_us(data), samples);
    int64_t from = s->count > 0 && s->end > begin ? s->end : begin; /* times that go back do not double the sound */
    if (from < t->position)
        from = t->position;
    s->usual = samples;
    int64_t end = begin + (int64_t)samples;
    if (from < end) {
        if (s->count == RMI_MIX_PIECES_MAX)
            drop_first(s);
        s->count++;
        *piece_at(s, s->count - 1) = (struct rmi_mix_piece){.data = rm_runtime_data_ref(data),
                                                            .skip = (size_t)(from - begin),
                                                            .begin = from,
                                                            .samples = (size_t)(end - from)};
    }
    if (s->count == 0 || end > s->end)
        s->end = end;
}

bool rmi_mix_due(struct rmi_mix_timeline *t, bool flush, size_t *samples) {
    int64_t earliest = INT64_MAX, furthest = t->position, slowest = INT64_MAX;
    size_t wait = t->chunk;
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++) {
        struct rmi_mix_source *s = &t->sources[i];
        if (!s->used)
            continue;
        if (s->count > 0 && piece_at(s, 0)->begin < earliest)
            earliest = piece_at(s, 0)->begin;
        if (s->count > 0 && s->end > furthest)
            furthest = s->end;
        if (s->end < slowest)
            slowest = s->end;
        if (s->usual > wait)
            wait = s->usual;
    }
    if (earliest == INT64_MAX)
        return false;
    if (earliest >= t->position + (int64_t)t->chunk)
        t->position = earliest; /* a pause of all: not filled with silence */
    int64_t whole = t->position + (int64_t)t->chunk;
    *samples = flush && furthest < whole ? (size_t)(furthest - t->position) : t->chunk;
    /* All are there; or one has waited for the others as long as the largest chunk is. */
    return flush || slowest >= whole || furthest >= whole + (int64_t)wait;
}

void rmi_mix_advance(struct rmi_mix_timeline *t, size_t samples) {
    t->position += (int64_t)samples;
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++) {
        struct rmi_mix_source *s = &t->sources[i];
        while (s->used && s->count > 0 && piece_at(s, 0)->begin + (int64_t)piece_at(s, 0)->samples <= t->position)
            drop_first(s);
        if (s->used && s->count == 0 && t->position - s->end >= samples_of_ms(t, PATIENCE_MS))
            release(s);
    }
}
