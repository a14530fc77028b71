/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mix.h"
#include "media/resample.h"
#include "nodes/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000
#define RATE_MIN_HZ 8000
#define RATE_MAX_HZ 192000
/* Of the library's 0..10: about 0.5, 2 and 5 ms of delay from 48 to 16 kHz; the delay is taken out of the times. */
#define QUALITY_LOW 1
#define QUALITY_HIGH 8
#define TAIL_CHUNK 256 /* samples of silence that push out the rest at once */

/* What comes out is as long as what went in, and each sample stands for its own time: what the filter gives before it
 * has heard anything is left out, and silence at the end pushes out the rest. */
struct stream {
    struct rmi_resampler *resampler; /* NULL: nothing to do for this format */
    uint32_t from_hz, to_hz, channels;
    uint32_t in_channels;
    uint64_t taken, given; /* samples of each channel */
    size_t skip;           /* samples still to be left out */
    int64_t end_us;        /* time behind the last sample taken, or RM_NO_VALUE */
};

struct resample {
    uint32_t source_hz, target_hz; /* 0: as it comes */
    uint32_t channels;             /* 0: as it comes */
    int quality;
    float *mixed; /* the input with other channels */
    size_t mixed_size;
    struct rmi_node_streams ids;
    struct stream streams[RMI_NODE_STREAMS_MAX];
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct resample *r = calloc(1, sizeof *r);
    const char *quality = rm_node_params_string(params, "quality", "");
    if (!r)
        return RM_E_NO_MEMORY;
    r->source_hz = (uint32_t)rm_node_params_int(params, "source_rate", 0);
    r->target_hz = (uint32_t)rm_node_params_int(params, "target_rate", 0);
    r->channels = (uint32_t)rm_node_params_int(params, "channels", 0);
    r->quality = !strcmp(quality, "Low")    ? QUALITY_LOW
                 : !strcmp(quality, "High") ? QUALITY_HIGH
                                            : RMI_RESAMPLE_QUALITY_LIVE;
    *state = r;
    return RM_OK;
}

static void destroy(void *state) {
    struct resample *r = state;
    for (size_t i = 0; i < RMI_NODE_STREAMS_MAX; i++)
        rmi_resampler_destroy(&r->streams[i].resampler);
    free(r->mixed);
    free(r);
}

/* How many samples of the output belong to what was taken so far. */
static uint64_t due(const struct stream *s) {
    return (s->taken * s->to_hz + s->from_hz / 2) / s->from_hz;
}

/* One run of the filter, at most `limit` samples of it; *out stays NULL when nothing came. All input is taken. */
static rm_err run(struct stream *s, rm_node_context *context, const float *in, size_t samples, size_t limit,
                  rm_runtime_data **out) {
    size_t room = rmi_resampler_out_max(s->resampler, samples), given = room;
    rm_runtime_data *data = NULL;
    rm_err err = rm_node_new_audio(context, room * s->channels, s->to_hz, s->channels, &data);
    float *pcm = err ? NULL : rm_runtime_data_write_samples(data);
    if (!err)
        err = pcm ? rmi_resampler_run(s->resampler, in, &samples, pcm, &given) : RM_E_INTERNAL;
    if (!err) {
        size_t skip = s->skip < given ? s->skip : given;
        s->skip -= skip;
        given -= skip;
        given = given < limit ? given : limit;
        memmove(pcm, pcm + skip * s->channels, given * s->channels * sizeof *pcm);
        err = rm_runtime_data_set_sample_count(data, given * s->channels);
    }
    if (err || given == 0) {
        rm_runtime_data_unref(&data);
        return err;
    }
    s->given += given;
    *out = data;
    return RM_OK;
}

/* `begin_us`: of the first sample of `data`. Takes the reference. */
static rm_err emit_at(rm_node_context *context, rm_runtime_data *data, int64_t begin_us) {
    rm_err err = rm_runtime_data_set_timestamp_us(data, begin_us < 0 ? RM_NO_VALUE : begin_us);
    if (!err)
        return rm_node_emit(context, data);
    rm_runtime_data_unref(&data);
    return err;
}

/* By how much the output lags behind the input, which the filter still holds. */
static int64_t lag_us(uint64_t taken, uint64_t given, const struct stream *s) {
    return (int64_t)(taken * US_PER_S / s->from_hz) - (int64_t)(given * US_PER_S / s->to_hz);
}

/* The rest of a stream that ends. */
static rm_err finish(struct stream *s, rm_node_context *context, const char *id) {
    float silence[TAIL_CHUNK] = {0};
    rm_err err = RM_OK;
    while (!err && s->resampler && s->given < due(s)) {
        rm_runtime_data *data = NULL;
        int64_t begin_us = s->end_us < 0 ? RM_NO_VALUE : s->end_us - lag_us(s->taken, s->given, s);
        err = run(s, context, silence, TAIL_CHUNK / s->channels, (size_t)(due(s) - s->given), &data);
        if (!err && data)
            err = rm_runtime_data_set_stream_id(data, id && id[0] ? id : NULL);
        if (err)
            rm_runtime_data_unref(&data);
        else if (data)
            err = emit_at(context, data, begin_us);
    }
    rmi_resampler_destroy(&s->resampler);
    return err;
}

/* The sound with the channels of the output: the input itself, or a copy. */
static rm_err with_channels(struct resample *r, const rm_audio *a, uint32_t channels, const float **out) {
    size_t size = a->frame_count * channels;
    *out = a->samples;
    if (a->channels == channels)
        return RM_OK;
    if (size > r->mixed_size) {
        free(r->mixed);
        r->mixed = malloc(size * sizeof *r->mixed);
        r->mixed_size = r->mixed ? size : 0;
    }
    if (!r->mixed)
        return RM_E_NO_MEMORY;
    rmi_mix_channels(r->mixed, (int)channels, a->samples, (int)a->channels, a->frame_count);
    *out = r->mixed;
    return RM_OK;
}

static rm_err check(const struct resample *r, rm_node_context *context, const rm_audio *a, uint32_t channels) {
    if (r->source_hz && a->sample_rate != r->source_hz) {
        rm_node_fail(context, "the input has %u Hz, source_rate says %u", a->sample_rate, r->source_hz);
        return RM_E_UNSUPPORTED;
    }
    if (a->sample_rate < RMI_RESAMPLE_RATE_MIN_HZ || a->sample_rate > RMI_RESAMPLE_RATE_MAX_HZ ||
        channels > RMI_RESAMPLE_CHANNELS_MAX) {
        rm_node_fail(context, "cannot resample %u channels of %u Hz", channels, a->sample_rate);
        return RM_E_UNSUPPORTED;
    }
    return RM_OK;
}

static bool same_format(const struct stream *s, const rm_audio *a, uint32_t channels) {
    return s->resampler && s->from_hz == a->sample_rate && s->in_channels == a->channels && s->channels == channels;
}

/* A filter for the format of `a`; the rest of what came before in another one goes first. */
static rm_err get_stream(struct resample *r, rm_node_context *context, const rm_runtime_data *input, uint32_t to_hz,
                         uint32_t channels, struct stream **out) {
    bool fresh;
    const rm_audio *a = rm_runtime_data_audio(input);
    const char *id = rm_runtime_data_stream_id(input);
    size_t slot = rmi_node_stream(&r->ids, id, &fresh);
    struct stream *s = &r->streams[slot];
    *out = s;
    if (!fresh && same_format(s, a, channels))
        return RM_OK;
    rm_err err = RM_OK;
    if (fresh) /* of a stream whose name is forgotten by now */
        rmi_resampler_destroy(&s->resampler);
    else
        err = finish(s, context, id);
    if (err)
        return err;
    *s = (struct stream){.from_hz = a->sample_rate, .to_hz = to_hz, .in_channels = a->channels, .channels = channels};
    err = rmi_resampler_create(a->sample_rate, to_hz, (int)channels, r->quality, &s->resampler);
    s->skip = err ? 0 : rmi_resampler_delay(s->resampler);
    return err;
}

/* The rate is right already. */
static rm_err remix(rm_node_context *context, const rm_runtime_data *input, uint32_t channels) {
    const rm_audio *a = rm_runtime_data_audio(input);
    rm_runtime_data *data = NULL;
    rm_err err = rm_node_new_audio(context, a->frame_count * channels, a->sample_rate, channels, &data);
    float *pcm = err ? NULL : rm_runtime_data_write_samples(data);
    if (!pcm)
        return err ? err : RM_E_INTERNAL;
    rmi_mix_channels(pcm, (int)channels, a->samples, (int)a->channels, a->frame_count);
    return emit_at(context, data, rm_runtime_data_timestamp_us(input));
}

/* Times so large that adding to them might overflow count as none. */
static int64_t time_of(const rm_runtime_data *input) {
    int64_t time_us = rm_runtime_data_timestamp_us(input);
    return time_us > INT64_MAX / 2 ? RM_NO_VALUE : time_us;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct resample *r = state;
    const rm_audio *a = rm_runtime_data_audio(input);
    uint32_t channels = r->channels ? r->channels : a->channels, to_hz = r->target_hz ? r->target_hz : a->sample_rate;
    struct stream *s = NULL;
    const float *pcm = NULL;
    rm_runtime_data *output = NULL;
    rm_err err = check(r, context, a, channels);
    if (err || a->frame_count == 0)
        return err;
    if (to_hz == a->sample_rate)
        return channels == a->channels ? rm_node_emit(context, rm_runtime_data_ref(input))
                                       : remix(context, input, channels);
    err = get_stream(r, context, input, to_hz, channels, &s);
    if (!err)
        err = with_channels(r, a, channels, &pcm);
    if (err)
        return err;
    int64_t time_us = time_of(input);
    int64_t begin_us = time_us < 0 ? RM_NO_VALUE : time_us - lag_us(s->taken, s->given, s);
    err = run(s, context, pcm, a->frame_count, SIZE_MAX, &output);
    s->taken += a->frame_count;
    s->end_us = time_us < 0 ? RM_NO_VALUE : time_us + (int64_t)(a->frame_count * US_PER_S / a->sample_rate);
    return err || !output ? err : emit_at(context, output, begin_us);
}

static rm_err flush(void *state, rm_node_context *context) {
    struct resample *r = state;
    rm_err first = RM_OK;
    for (size_t i = 0; i < r->ids.count; i++) {
        rm_err err = finish(&r->streams[i], context, r->ids.ids[i]);
        first = first ? first : err;
    }
    return first;
}

static const rm_node_param params[] = {
    {.name = "source_rate",
     .type = RM_PARAM_INT,
     .default_json = "\"auto\"",
     .choices = "auto",
     .min = RATE_MIN_HZ,
     .max = RATE_MAX_HZ,
     .summary = "Hz; sound of another rate is an error. auto: whatever each chunk says"},
    {.name = "target_rate",
     .type = RM_PARAM_INT,
     .default_json = "\"auto\"",
     .choices = "auto",
     .min = RATE_MIN_HZ,
     .max = RATE_MAX_HZ,
     .summary = "Hz; auto: that of the input, nothing is resampled"},
    {.name = "quality",
     .type = RM_PARAM_STRING,
     .default_json = "\"Medium\"",
     .choices = "Low|Medium|High",
     .summary = "how steep the filter is; higher ones hold the sound back longer: about 0.5, 2 and 5 ms"},
    {.name = "channels",
     .type = RM_PARAM_INT,
     .min = 1,
     .max = RMI_RESAMPLE_CHANNELS_MAX,
     .summary = "of the output; default: as many as the input has"},
};

const rm_node_class rmi_node_fast_resample = {
    RMI_NODE_CLASS_HEAD, .name = "FastResampleNode", .summary = "audio at another sample rate",
    .accepts = "audio",  .params = params,           .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,         .flush = flush,
    .destroy = destroy};
