/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000

/* The chunk of a stream that is being filled. */
struct stream {
    rm_runtime_data *chunk; /* NULL: empty */
    size_t filled;          /* samples of all channels together */
    uint32_t sample_rate, channels;
    int64_t next_us; /* time of the next sample, or RM_NO_VALUE */
};

struct chunker {
    size_t chunk_size; /* samples of each channel */
    struct rmi_node_streams ids;
    struct stream streams[RMI_NODE_STREAMS_MAX];
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct chunker *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->chunk_size = (size_t)rm_node_params_int(params, "chunk_size", 1);
    *state = c;
    return RM_OK;
}

static void destroy(void *state) {
    struct chunker *c = state;
    for (size_t i = 0; i < c->ids.count; i++)
        rm_runtime_data_unref(&c->streams[i].chunk);
    free(c);
}

/* A chunk that is not full is shorter, not padded. */
static rm_err emit(rm_node_context *context, struct stream *s) {
    rm_runtime_data *chunk = s->chunk;
    if (!chunk)
        return RM_OK;
    s->chunk = NULL;
    rm_err err = rm_runtime_data_set_sample_count(chunk, s->filled);
    s->filled = 0;
    if (!err)
        return rm_node_emit(context, chunk);
    rm_runtime_data_unref(&chunk);
    return err;
}

static rm_err begin(const struct chunker *c, struct stream *s, rm_node_context *context) {
    rm_err err = rm_node_new_audio(context, c->chunk_size * s->channels, s->sample_rate, s->channels, &s->chunk);
    if (!err)
        err = rm_runtime_data_set_timestamp_us(s->chunk, s->next_us);
    if (err)
        rm_runtime_data_unref(&s->chunk);
    s->filled = 0;
    return err;
}

static rm_err fill(const struct chunker *c, struct stream *s, rm_node_context *context, const rm_runtime_data *input) {
    const rm_audio *audio = rm_runtime_data_audio(input);
    size_t room = c->chunk_size * s->channels;
    int64_t begin_us = rm_runtime_data_timestamp_us(input);
    for (size_t at = 0; at < audio->sample_count;) {
        s->next_us = begin_us >= 0 ? begin_us + (int64_t)(at / s->channels * US_PER_S / s->sample_rate) : RM_NO_VALUE;
        rm_err err = s->chunk ? RM_OK : begin(c, s, context);
        float *samples = err ? NULL : rm_runtime_data_write_samples(s->chunk);
        if (!samples)
            return err ? err : RM_E_INTERNAL;
        size_t n = audio->sample_count - at < room - s->filled ? audio->sample_count - at : room - s->filled;
        memcpy(samples + s->filled, audio->samples + at, n * sizeof *samples);
        s->filled += n;
        at += n;
        if (s->filled == room)
            err = emit(context, s);
        if (err)
            return err;
    }
    return RM_OK;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct chunker *c = state;
    const rm_audio *audio = rm_runtime_data_audio(input);
    bool fresh;
    rm_err err = RM_OK;
    struct stream *s = &c->streams[rmi_node_stream(&c->ids, rm_runtime_data_stream_id(input), &fresh)];
    /* The rest of a stream that gave way, or of another format, does not wait for what will never come. */
    if (fresh || s->sample_rate != audio->sample_rate || s->channels != audio->channels)
        err = emit(context, s);
    s->sample_rate = audio->sample_rate;
    s->channels = audio->channels;
    return err ? err : fill(c, s, context, input);
}

static rm_err flush(void *state, rm_node_context *context) {
    struct chunker *c = state;
    rm_err first = RM_OK;
    for (size_t i = 0; i < c->ids.count; i++) {
        rm_err err = emit(context, &c->streams[i]);
        first = first ? first : err;
    }
    return first;
}

static const rm_node_param params[] = {
    {.name = "chunk_size",
     .type = RM_PARAM_INT,
     .default_json = "512",
     .min = 1,
     .max = 65536,
     .summary = "samples of each channel in a chunk; the last one may be shorter"},
};

const rm_node_class rmi_node_audio_chunker = {
    RMI_NODE_CLASS_HEAD, .name = "AudioChunkerNode", .summary = "cuts and joins audio into chunks of one size",
    .accepts = "audio",  .params = params,           .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,         .flush = flush,
    .destroy = destroy};
