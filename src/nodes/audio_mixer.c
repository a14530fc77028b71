/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mixer.h"
#include "nodes/nodes.h"

#include <jansson.h>
#include <math.h>
#include <remotemedia/data_json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 32
#define CHANNELS_MAX 2
#define GAIN_MAX 16.0
#define US_PER_MS 1000
#define DECIBEL_PER_DECADE 20.0

struct mixer {
    struct rmi_mixer *m; /* made at the first chunk, which may decide on rate and channels */
    struct rmi_mixer_config config;
    bool mix, minus, levels, by_arrival;
    double default_gain;
    int64_t forget_us;
    json_t *gains, *muted; /* object: stream id to factor; array of stream ids */
    char stream_id[RM_STREAM_ID_MAX];
    int64_t now_us;
};

static void destroy(void *state) {
    struct mixer *m = state;
    rmi_mixer_destroy(&m->m);
    json_decref(m->gains);
    json_decref(m->muted);
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
            rm_node_fail(context, "gains: \"%.40s\" must be a number from 0 to %g", id, GAIN_MAX);
            return RM_E_CONFIG;
        }
    }
    return RM_OK;
}

static rm_err check_muted(rm_node_context *context, json_t *muted) {
    size_t i;
    json_t *value;
    bool good = !muted || json_is_array(muted);
    json_array_foreach(muted, i, value) good &= json_is_string(value);
    if (good)
        return RM_OK;
    rm_node_fail(context, "muted must be a list: [\"stream id\", ...]");
    return RM_E_CONFIG;
}

static rm_err read_streams(struct mixer *m, rm_node_context *context, const rm_node_params *params) {
    if (!rm_node_params_has(params, "gains") && !rm_node_params_has(params, "muted"))
        return RM_OK;
    char *text = rm_node_params_json(params);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    rm_json_free(&text);
    if (!all)
        return RM_E_NO_MEMORY;
    if (rm_node_params_has(params, "gains"))
        m->gains = json_incref(json_object_get(all, "gains"));
    if (rm_node_params_has(params, "muted"))
        m->muted = json_incref(json_object_get(all, "muted"));
    json_decref(all);
    rm_err err = check_gains(context, m->gains);
    return err ? err : check_muted(context, m->muted);
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
    const char *id = rm_node_params_string(params, "output_stream_id", ""),
               *mode = rm_node_params_string(params, "mode", "mix");
    if (!m)
        return RM_E_NO_MEMORY;
    m->mix = strcmp(mode, "minus") != 0;
    m->minus = strcmp(mode, "mix") != 0;
    m->levels = rm_node_params_bool(params, "levels", false);
    m->by_arrival = !strcmp(rm_node_params_string(params, "clock", "media"), "arrival");
    m->default_gain = rm_node_params_number(params, "default_gain", 1);
    m->forget_us = rm_node_params_int(params, "forget_ms", 0) * US_PER_MS;
    m->config = (struct rmi_mixer_config){.rate_hz = (uint32_t)rm_node_params_int(params, "sample_rate", 0),
                                          .channels = (int)rm_node_params_int(params, "channels", 0),
                                          .frame_us = (uint32_t)rm_node_params_int(params, "chunk_ms", 0) * US_PER_MS,
                                          .sources_max = SOURCES_MAX,
                                          .ahead_ms = (uint32_t)rm_node_params_int(params, "max_ahead_ms", 0)};
    rm_err err = read_streams(m, context, params);
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

static rm_err begin(struct mixer *m, rm_node_context *context, const rm_audio *a) {
    struct rmi_mixer_config c = m->config;
    c.rate_hz = c.rate_hz ? c.rate_hz : a->sample_rate;
    c.channels = c.channels ? c.channels : a->channels < CHANNELS_MAX ? (int)a->channels : CHANNELS_MAX;
    rm_err err = rmi_mixer_create(&c, &m->m);
    if (!err)
        m->config = c;
    if (err == RM_E_INVALID_ARG) {
        rm_node_fail(context, "a mix of %u Hz cannot be made; set sample_rate (%d to %d)", c.rate_hz,
                     RMI_MIXER_RATE_MIN_HZ, RMI_MIXER_RATE_MAX_HZ);
        return RM_E_UNSUPPORTED;
    }
    return err;
}

static bool is_muted(const struct mixer *m, const char *id) {
    size_t i;
    json_t *value;
    json_array_foreach(m->muted, i, value) if (!strcmp(json_string_value(value), id)) return true;
    return false;
}

/* What a source is to the node: its format, behind the mixer's back. */
static void *format_of(const rm_audio *a) {
    return (void *)((uintptr_t)a->sample_rate << 8 | a->channels);
}

/* Streams that have ended give their places away, one when there is no other, all after some time. */
static void forget(struct mixer *m, int64_t silent_us, size_t most) {
    for (size_t i = 0; most > 0 && rmi_mixer_at(m->m, i) != NULL;) {
        struct rmi_mixer_source *s = rmi_mixer_at(m->m, i);
        const struct rmi_mixer_source_stats stats = rmi_mixer_source_stats(s);
        if (stats.active || stats.silent_us < silent_us) {
            i++;
            continue;
        }
        rmi_mixer_remove(&s);
        most--;
    }
}

static rm_err add(struct mixer *m, rm_node_context *context, const char *id, const rm_audio *a,
                  struct rmi_mixer_source **out) {
    rm_err err = rmi_mixer_add(m->m, id, a->sample_rate, (int)a->channels, out);
    if (err == RM_E_LIMIT) {
        forget(m, 0, 1);
        err = rmi_mixer_add(m->m, id, a->sample_rate, (int)a->channels, out);
    }
    if (err == RM_E_LIMIT)
        rm_node_fail(context, "more than %d streams at once", SOURCES_MAX);
    if (err == RM_E_INVALID_ARG) {
        rm_node_fail(context, "stream \"%s\" has %u Hz, which cannot be converted; put a FastResampleNode in front", id,
                     a->sample_rate);
        err = RM_E_UNSUPPORTED;
    }
    if (err)
        return err;
    const json_t *gain = json_object_get(m->gains, id);
    const double factor = gain ? json_number_value(gain) : m->default_gain;
    rmi_mixer_set_user(*out, format_of(a));
    rmi_mixer_set_muted(*out, is_muted(m, id));
    return rmi_mixer_set_gain_db(*out, factor > 0 ? (float)(DECIBEL_PER_DECADE * log10(factor)) : -INFINITY);
}

/* {"audio_mixer": {"speaker": "bob", "levels": {"alice": -40, "bob": -12}}}; no metadata without memory. */
static char *describe(const struct mixer *m) {
    struct rmi_mixer_source *speaker = rmi_mixer_speaker(m->m), *s;
    json_t *levels = json_object();
    for (size_t i = 0; (s = rmi_mixer_at(m->m, i)) != NULL; i++)
        json_object_set_new(levels, rmi_mixer_id(s), json_integer(-(json_int_t)rmi_mixer_source_stats(s).level));
    json_t *all =
        json_pack("{s:{s:s?,s:o}}", "audio_mixer", "speaker", speaker ? rmi_mixer_id(speaker) : NULL, "levels", levels);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

static rm_err emit(struct mixer *m, rm_node_context *context, const float *pcm, const char *id, const char *metadata) {
    const size_t n = rmi_mixer_frame_filled(m->m) * (size_t)m->config.channels;
    rm_runtime_data *out = NULL;
    rm_err err = rm_node_new_audio(context, n, m->config.rate_hz, (uint32_t)m->config.channels, &out);
    float *to = err ? NULL : rm_runtime_data_write_samples(out);
    if (!to)
        return err ? err : RM_E_INTERNAL;
    memcpy(to, pcm, n * sizeof *to);
    err = rm_runtime_data_set_stream_id(out, id && id[0] ? id : NULL);
    if (!err) /* that of one source says nothing about the mix */
        err = rm_runtime_data_set_metadata(out, metadata);
    if (!err)
        err = rm_runtime_data_set_timestamp_us(out, rmi_mixer_frame_time_us(m->m));
    if (!err)
        return rm_node_emit(context, out);
    rm_runtime_data_unref(&out);
    return err;
}

static rm_err emit_frame(struct mixer *m, rm_node_context *context) {
    char *metadata = m->levels ? describe(m) : NULL;
    rm_err err = m->mix ? emit(m, context, rmi_mixer_mix(m->m), m->stream_id, metadata) : RM_OK;
    struct rmi_mixer_source *s;
    for (size_t i = 0; !err && m->minus && (s = rmi_mixer_at(m->m, i)) != NULL; i++)
        err = emit(m, context, rmi_mixer_minus(s), rmi_mixer_id(s), metadata);
    free(metadata);
    return err;
}

/* Without a clock of the node's own: when the data came, or how far the furthest stream is. */
static void tell_time(struct mixer *m, const rm_runtime_data *data) {
    const int64_t now_us = m->by_arrival ? rm_runtime_data_arrival_us(data) : rmi_mixer_furthest_us(m->m);
    if (now_us > m->now_us)
        m->now_us = now_us;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct mixer *m = state;
    const rm_audio *a = rm_runtime_data_audio(input);
    const char *id = rm_runtime_data_stream_id(input) ? rm_runtime_data_stream_id(input) : "";
    rm_err err = m->m ? RM_OK : begin(m, context, a);
    if (err)
        return err;
    struct rmi_mixer_source *s = rmi_mixer_find(m->m, id);
    if (s && rmi_mixer_user(s) != format_of(a))
        rmi_mixer_remove(&s); /* another format: another source */
    if (!s)
        err = add(m, context, id, a, &s);
    if (err)
        return err;
    if (m->by_arrival)
        tell_time(m, input);
    err = rmi_mixer_input(s, a->samples, a->frame_count, rm_runtime_data_timestamp_us(input), m->now_us);
    if (!m->by_arrival)
        tell_time(m, input);
    while (!err && rmi_mixer_pull(m->m, m->now_us))
        err = emit_frame(m, context);
    forget(m, m->forget_us, SOURCES_MAX);
    return err;
}

static rm_err flush(void *state, rm_node_context *context) {
    struct mixer *m = state;
    rm_err err = RM_OK;
    while (m->m && !err && rmi_mixer_flush(m->m))
        err = emit_frame(m, context);
    return err;
}

static const rm_node_param params[] = {
    {.name = "mode",
     .type = RM_PARAM_STRING,
     .default_json = "\"mix\"",
     .choices = "mix|minus|both",
     .summary = "mix: the sum of all; minus: for each stream the sum without it, under its stream id; or both"},
    {.name = "chunk_ms",
     .type = RM_PARAM_INT,
     .default_json = "10",
     .min = 1,
     .max = 100,
     .summary = "length of the chunks of the mix; a slow stream is waited for until its next chunk is so late"},
    {.name = "sample_rate",
     .type = RM_PARAM_INT,
     .default_json = "\"auto\"",
     .choices = "auto",
     .min = RMI_MIXER_RATE_MIN_HZ,
     .max = RMI_MIXER_RATE_MAX_HZ,
     .summary = "Hz of the mix, to which all streams are converted; auto: that of the first chunk"},
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
    {.name = "muted", .type = RM_PARAM_JSON, .summary = "stream ids that are not heard: [\"carol\"]"},
    {.name = "levels",
     .type = RM_PARAM_BOOL,
     .default_json = "false",
     .summary = "metadata tells each stream's level (dBov) and who speaks; costs heap calls"},
    {.name = "clock",
     .type = RM_PARAM_STRING,
     .default_json = "\"media\"",
     .choices = "media|arrival",
     .summary = "what says that a stream is late: the stream that is furthest (files), or arrival times (calls)"},
    {.name = "max_ahead_ms",
     .type = RM_PARAM_INT,
     .default_json = "10000",
     .min = RMI_MIXER_AHEAD_MIN_MS,
     .max = RMI_MIXER_AHEAD_MAX_MS,
     .summary = "sound of a stream that may wait for the others; of more, the oldest is lost"},
    {.name = "forget_ms",
     .type = RM_PARAM_INT,
     .default_json = "10000",
     .min = 200,
     .max = 3600000,
     .summary = "a stream that is silent for so long has left: mode minus makes none for it any more"},
    {.name = "output_stream_id", .type = RM_PARAM_STRING, .summary = "stream id of the mix; default: none"},
};

const rm_node_class rmi_node_audio_mixer = {
    RMI_NODE_CLASS_HEAD,
    .name = "AudioMixerNode",
    .summary = "the sum of all audio streams that come in, or for each one the sum of all others",
    .accepts = "audio",
    .params = params,
    .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,
    .process = process,
    .flush = flush,
    .destroy = destroy};
