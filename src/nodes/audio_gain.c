/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DB_PER_DECADE 20.0

struct gain {
    float factor;
    bool clip;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct gain *g = calloc(1, sizeof *g);
    if (!g)
        return RM_E_NO_MEMORY;
    g->factor = (float)pow(10.0, rm_node_params_number(params, "gain_db", 0) / DB_PER_DECADE);
    if (rm_node_params_bool(params, "mute", false))
        g->factor = 0;
    g->clip = rm_node_params_bool(params, "clip", true);
    *state = g;
    return RM_OK;
}

static void apply(const struct gain *g, float *samples, size_t n) {
    for (size_t i = 0; i < n; i++)
        samples[i] *= g->factor;
    for (size_t i = 0; g->clip && i < n; i++)
        samples[i] = samples[i] > 1.0F ? 1.0F : samples[i] < -1.0F ? -1.0F : samples[i];
}

static rm_err copy(rm_node_context *context, const rm_runtime_data *input, rm_runtime_data **out) {
    rm_runtime_data *data = NULL;
    const rm_audio *a = rm_runtime_data_audio(input);
    if (a->sample_count == 0)
        return rm_runtime_data_copy(input, out);
    rm_err err = rm_node_new_audio(context, a->sample_count, a->sample_rate, a->channels, &data);
    float *samples = err ? NULL : rm_runtime_data_write_samples(data);
    if (samples)
        memcpy(samples, a->samples, a->sample_count * sizeof *samples);
    if (!err)
        err = rm_runtime_data_set_timestamp_us(data, rm_runtime_data_timestamp_us(input));
    if (err)
        rm_runtime_data_unref(&data);
    else
        *out = data;
    return err;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    rm_runtime_data *out = NULL;
    float *samples = rm_runtime_data_write_samples(input);
    if (samples) { /* nobody else sees it: no copy */
        out = rm_runtime_data_ref(input);
    } else {
        rm_err err = copy(context, input, &out);
        if (err)
            return err;
        samples = rm_runtime_data_write_samples(out);
    }
    if (samples)
        apply(state, samples, rm_runtime_data_audio(out)->sample_count);
    return rm_node_emit(context, out);
}

static const rm_node_param params[] = {
    {.name = "gain_db",
     .type = RM_PARAM_NUMBER,
     .default_json = "0",
     .min = -120,
     .max = 60,
     .summary = "amplification in dB; 6 is twice the amplitude"},
    {.name = "mute", .type = RM_PARAM_BOOL, .default_json = "false", .summary = "silence instead"},
    {.name = "clip", .type = RM_PARAM_BOOL, .default_json = "true", .summary = "cut what exceeds full scale"},
};

const rm_node_class rmi_node_audio_gain = {
    RMI_NODE_CLASS_HEAD, .name = "AudioGainNode", .summary = "amplifies or attenuates audio",
    .accepts = "audio",  .params = params,        .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,      .destroy = free};
