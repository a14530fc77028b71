/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/audio_event.h"
#include "nodes/nodes.h"

#include <math.h>
#include <stdlib.h>

struct level {
    double low_db, silence_db;
    bool pass_audio;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    struct level *l = calloc(1, sizeof *l);
    if (!l)
        return RM_E_NO_MEMORY;
    l->low_db = rm_node_params_number(params, "low_volume_threshold_db", 0);
    l->silence_db = rm_node_params_number(params, "silence_threshold_db", 0);
    l->pass_audio = rm_node_params_bool(params, "pass_audio", false);
    if (l->silence_db > l->low_db) {
        rm_node_fail(context, "silence_threshold_db is above low_volume_threshold_db");
        free(l);
        return RM_E_CONFIG;
    }
    *state = l;
    return RM_OK;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    const struct level *l = state;
    double rms_db, peak_db;
    rmi_audio_event_levels(rm_runtime_data_audio(input), &rms_db, &peak_db);
    bool silence = rms_db <= l->silence_db;
    double health = silence ? 0.0 : rms_db >= l->low_db ? 1.0 : (rms_db - l->silence_db) / (l->low_db - l->silence_db);
    json_t *event = json_pack("{s:f, s:f, s:b, s:b, s:f}", "rms_db", rms_db, "peak_db", peak_db, "is_low_volume",
                              !silence && rms_db <= l->low_db, "is_silence", silence, "health", health);
    return rmi_audio_event_emit(context, input, "audio_level_event", event, l->pass_audio);
}

static const rm_node_param params[] = {
    {.name = "low_volume_threshold_db",
     .type = RM_PARAM_NUMBER,
     .default_json = "-20",
     .min = -120,
     .max = 0,
     .summary = "at or below this RMS level (dB, 0 = full scale) the volume is low"},
    {.name = "silence_threshold_db",
     .type = RM_PARAM_NUMBER,
     .default_json = "-60",
     .min = -120,
     .max = 0,
     .summary = "at or below this RMS level (dB) it is silence"},
    {.name = "pass_audio",
     .type = RM_PARAM_BOOL,
     .default_json = "false",
     .summary = "emit the audio too, after the event"},
};

const rm_node_class rmi_node_audio_level = {
    RMI_NODE_CLASS_HEAD, .name = "AudioLevelNode", .summary = "RMS and peak level of each audio chunk, as JSON",
    .accepts = "audio",  .params = params,         .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,       .destroy = free};
