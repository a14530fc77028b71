/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mix.h"
#include "nodes/audio_mixer_private.h"
#include "nodes/nodes.h"

#include <jansson.h>
#include <math.h>
#include <remotemedia/data_json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS_MAX 2
#define GAIN_MAX 16.0F
#define MS_PER_S 1000
/* The sum is turned down to this when it exceeds full scale, so that the waves keep their shape; up to there it is left
 * alone. What exceeds before the gain has come down is bent, not cut. */
#define KNEE 0.9F
#define RELEASE_MS 200  /* the gain comes back by so much of what is missing */
#define SUM_MAX 1000.0F /* 60 dB above full scale: nonsense in the input, and no infinities below */

struct mixer {
    uint32_t chunk_ms, channels; /* channels 0: as the first source */
    float default_gain;
    json_t *gains; /* object: stream id to factor */
    char stream_id[RM_STREAM_ID_MAX];
    struct rmi_mix_timeline timeline; /* rate 0: as the first source */
    float *sum, *part;                /* a chunk */
    float limit;                      /* gain of the limiter */
};

static void destroy(void *state) {
    struct mixer *m = state;
    rmi_mix_timeline_fini(&m->timeline);
    json_decref(m->gains);
    free(m->sum);
    free(m->part);
    free(m);
}

static rm_err check_gains(rm_node_context *context, json_t *gains) {
    const char *id;
    json_t *value;
    if (gains && !json_is_object(gains)) {
        rm_node_fail(context, "gains must be an object: {\"stream id\": factor}");
        return RM_E_CONFIG;
    }
    json_object_foreach(gains, id, value) {
        double gain = json_number_value(value);
        if (!json_is_number(value) || !(gain >= 0 && gain <= GAIN_MAX)) {
            rm_node_fail(context, "gains: \"%.40s\" must be a number from 0 to %g", id, (double)GAIN_MAX);
            return RM_E_CONFIG;
        }
    }
    return RM_OK;
}

static rm_err read_gains(struct mixer *m, rm_node_context *context, const rm_node_params *params) {
    if (!rm_node_params_has(params, "gains"))
        return RM_OK;
    char *text = rm_node_params_json(params);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    rm_json_free(&text);
    m->gains = json_incref(json_object_get(all, "gains"));
    json_decref(all);
    return m->gains ? check_gains(context, m->gains) : RM_E_NO_MEMORY;
}

/* By trying: which ids are good is not for a node to say. */
static rm_err check_id(rm_node_context *context, const char *id) {
    rm_runtime_data *trial = NULL;
    rm_err err = rm_node_new_audio(context, 1, 1, 1, &trial);
    if (!err && rm_runtime_data_set_stream_id(trial, id)) {
        rm_node_fail(context, "output_stream_id must have 1 to %d bytes, without control characters",
                     RM_STREAM_ID_MAX - 1);
        err = RM_E_CONFIG;
    }
    rm_runtime_data_unref(&trial);
    return err;
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    struct mixer *m = calloc(1, sizeof *m);
    const char *id = rm_node_params_string(params, "output_stream_id", "");
    if (!m)
        return RM_E_NO_MEMORY;
    m->limit = 1;
    m->chunk_ms = (uint32_t)rm_node_params_int(params, "chunk_ms", 0);
    m->channels = (uint32_t)rm_node_params_int(params, "channels", 0);
    m->default_gain = (float)rm_node_params_number(params, "default_gain", 1);
    m->timeline.rate = (uint32_t)rm_node_params_int(params, "sample_rate", 0);
    rm_err err = read_gains(m, context, params);
    if (!err && id[0])
        err = check_id(context, id);
    if (err) {
        destroy(m);
        return err;
    }
    snprintf(m->stream_id, sizeof m->stream_id, "%s", id);
    *state = m;
    return RM_OK;
}

/* At the first chunk, which may decide on rate and channels. */
static rm_err begin(struct mixer *m, const rm_audio *a) {
    if (!m->timeline.rate)
        m->timeline.rate = a->sample_rate;
    if (!m->channels)
        m->channels = a->channels < CHANNELS_MAX ? a->channels : CHANNELS_MAX;
    size_t chunk = (size_t)m->timeline.rate * m->chunk_ms / MS_PER_S;
    m->timeline.chunk = chunk > 0 ? chunk : 1;
    free(m->sum); /* of an attempt without enough memory */
    free(m->part);
    m->sum = calloc(m->timeline.chunk * m->channels, sizeof *m->sum);
    m->part = calloc(m->timeline.chunk * m->channels, sizeof *m->part);
    return m->sum && m->part ? RM_OK : RM_E_NO_MEMORY;
}

/* What a source has for the chunk. */
static void add_source(struct mixer *m, const struct rmi_mix_source *s, size_t samples) {
    const struct rmi_mix_timeline *t = &m->timeline;
    int64_t end = t->position + (int64_t)samples;
    for (size_t i = 0; i < s->count; i++) {
        const struct rmi_mix_piece *p = &s->pieces[(s->first + i) % RMI_MIX_PIECES_MAX];
        const rm_audio *a = rm_runtime_data_audio(p->data);
        int64_t from = p->begin > t->position ? p->begin : t->position, to = p->begin + (int64_t)p->samples;
        to = to < end ? to : end;
        if (from >= to)
            continue;
        size_t n = (size_t)(to - from), skip = p->skip + (size_t)(from - p->begin);
        rmi_mix_channels(m->part, (int)m->channels, a->samples + skip * a->channels, (int)a->channels, n);
        rmi_mix_add(m->sum + (size_t)(from - t->position) * m->channels, m->part, n * m->channels, s->gain);
    }
}

static float bend(float v) {
    float size = fabsf(v);
    return size <= KNEE ? v : copysignf(KNEE + (1 - KNEE) * tanhf((size - KNEE) / (1 - KNEE)), v);
}

static void limit(struct mixer *m, size_t samples) {
    size_t n = samples * m->channels;
    float peak = 0, from = m->limit, back = (float)m->chunk_ms / RELEASE_MS;
    for (size_t i = 0; i < n; i++) {
        float v = m->sum[i];
        v = v > SUM_MAX ? SUM_MAX : v < -SUM_MAX ? -SUM_MAX : v == v ? v : 0; /* infinities may have met */
        m->sum[i] = v;
        peak = fabsf(v) > peak ? fabsf(v) : peak;
    }
    float wanted = peak > 1 ? KNEE / peak : 1, released = from + (1 - from) * (back < 1 ? back : 1);
    m->limit = wanted < released ? wanted : released > 1 - 1e-3F ? 1 : released;
    if (from < 1 || m->limit < 1)
        rmi_mix_gain(m->sum, samples, (int)m->channels, from, m->limit);
    if (peak * (from > m->limit ? from : m->limit) > 1)
        for (size_t i = 0; i < n; i++)
            m->sum[i] = bend(m->sum[i]);
}

static rm_err emit_chunk(struct mixer *m, rm_node_context *context, size_t samples) {
    size_t n = samples * m->channels;
    rm_runtime_data *out = NULL;
    memset(m->sum, 0, n * sizeof *m->sum);
    for (size_t i = 0; i < RMI_MIX_SOURCES_MAX; i++)
        if (m->timeline.sources[i].used)
            add_source(m, &m->timeline.sources[i], samples);
    limit(m, samples);
    int64_t time_us = rmi_mix_time_us(&m->timeline);
    rmi_mix_advance(&m->timeline, samples);
    rm_err err = rm_node_new_audio(context, n, m->timeline.rate, m->channels, &out);
    float *pcm = err ? NULL : rm_runtime_data_write_samples(out);
    if (!pcm)
        return err ? err : RM_E_INTERNAL;
    memcpy(pcm, m->sum, n * sizeof *pcm);
    err = rm_runtime_data_set_stream_id(out, m->stream_id[0] ? m->stream_id : NULL);
    if (!err)
        err = rm_runtime_data_set_metadata(out, NULL); /* that of one source says nothing about the mix */
    if (!err)
        err = rm_runtime_data_set_timestamp_us(out, time_us);
    if (!err)
        return rm_node_emit(context, out);
    rm_runtime_data_unref(&out);
    return err;
}

static rm_err emit_all(struct mixer *m, rm_node_context *context, bool flush) {
    size_t samples;
    while (rmi_mix_due(&m->timeline, flush, &samples)) {
        rm_err err = emit_chunk(m, context, samples);
        if (err)
            return err;
    }
    return RM_OK;
}

static float gain_of(const struct mixer *m, const char *id) {
    const json_t *gain = json_object_get(m->gains, id);
    return gain ? (float)json_number_value(gain) : m->default_gain;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct mixer *m = state;
    const rm_audio *a = rm_runtime_data_audio(input);
    const char *id = rm_runtime_data_stream_id(input);
    bool fresh;
    rm_err err = m->sum && m->part ? RM_OK : begin(m, a);
    if (err)
        return err;
    if (a->sample_rate != m->timeline.rate) {
        rm_node_fail(context, "stream \"%s\" has %u Hz, the mix %u; put a FastResampleNode in front", id ? id : "",
                     a->sample_rate, m->timeline.rate);
        return RM_E_UNSUPPORTED;
    }
    struct rmi_mix_source *s = rmi_mix_source(&m->timeline, id, &fresh);
    if (!s) {
        rm_node_fail(context, "more than %d streams at once", RMI_MIX_SOURCES_MAX);
        return RM_E_LIMIT;
    }
    if (fresh)
        s->gain = gain_of(m, s->id);
    rmi_mix_input(&m->timeline, s, input);
    return emit_all(m, context, false);
}

static rm_err flush(void *state, rm_node_context *context) {
    struct mixer *m = state;
    return m->sum && m->part ? emit_all(m, context, true) : RM_OK;
}

static const rm_node_param params[] = {
    {.name = "chunk_ms",
     .type = RM_PARAM_INT,
     .default_json = "10",
     .min = 1,
     .max = 100,
     .summary = "length of the chunks of the mix; a slow stream is waited for at most as long as the largest chunk"},
    {.name = "sample_rate",
     .type = RM_PARAM_INT,
     .default_json = "\"auto\"",
     .choices = "auto",
     .min = 8000,
     .max = 192000,
     .summary = "Hz, of all streams and of the mix; auto: that of the first chunk"},
    {.name = "channels",
     .type = RM_PARAM_INT,
     .default_json = "\"auto\"",
     .choices = "auto",
     .min = 1,
     .max = CHANNELS_MAX,
     .summary = "of the mix; auto: those of the first chunk"},
    {.name = "gains",
     .type = RM_PARAM_JSON,
     .summary = "factors 0 to 16 for streams, by their stream id: {\"alice\": 0.5, \"bob\": 2}"},
    {.name = "default_gain",
     .type = RM_PARAM_NUMBER,
     .default_json = "1",
     .min = 0,
     .max = 16,
     .summary = "factor for all other streams"},
    {.name = "output_stream_id", .type = RM_PARAM_STRING, .summary = "stream id of the mix; default: none"},
};

const rm_node_class rmi_node_audio_mixer = {RMI_NODE_CLASS_HEAD,
                                            .name = "AudioMixerNode",
                                            .summary = "the sum of all audio streams that come in, never clipped hard",
                                            .accepts = "audio",
                                            .params = params,
                                            .param_count = RMI_NODE_PARAM_COUNT(params),
                                            .create = create,
                                            .process = process,
                                            .flush = flush,
                                            .destroy = destroy};
