/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/audio_event.h"
#include "media/level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 6 /* of levels: thousandths of a dB */

static double to_db(double linear) {
    return linear > 0 ? fmax(20.0 * log10(linear), RMI_AUDIO_EVENT_FLOOR_DB) : RMI_AUDIO_EVENT_FLOOR_DB;
}

void rmi_audio_event_levels(const rm_audio *audio, double *rms_db, double *peak_db) {
    struct rmi_level level = rmi_level_measure(audio->samples, audio->sample_count);
    *rms_db = to_db(level.rms);
    *peak_db = to_db(level.peak);
}

/* RemoteMedia writes null where there is none. */
static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

rm_err rmi_audio_event_emit(rm_node_context *context, rm_runtime_data *input, const char *schema, json_t *event,
                            bool pass_audio) {
    int64_t time_us = rm_runtime_data_timestamp_us(input);
    rm_runtime_data *data = NULL;
    int failed = !event || json_object_set_new(event, "_schema", json_string(schema)) ||
                 json_object_set_new(event, "stream_id", text_or_null(rm_runtime_data_stream_id(input))) ||
                 json_object_set_new(event, "timestamp_us", time_us >= 0 ? json_integer(time_us) : json_null());
    char *text = failed ? NULL : json_dumps(event, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(DIGITS));
    rm_err err = text ? rm_runtime_data_create_json(text, strlen(text), &data) : RM_E_NO_MEMORY;
    free(text);
    json_decref(event);
    if (!err)
        err = rm_node_emit(context, data);
    if (!err && pass_audio)
        err = rm_node_emit(context, rm_runtime_data_ref(input));
    return err;
}
