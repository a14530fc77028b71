/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that several variants have. */
#include "frame/data_private.h"
#include "frame/json_text.h"
#include "frame/utf8.h"
#include <string.h>

enum field { FIELD_STREAM_ID = 1, FIELD_TIMESTAMP = 2, FIELD_ARRIVAL = 4, FIELD_METADATA = 8 };

static unsigned fields_of(rm_data_type type) {
    switch (type) {
    case RM_DATA_AUDIO:
        return FIELD_STREAM_ID | FIELD_TIMESTAMP | FIELD_ARRIVAL | FIELD_METADATA;
    case RM_DATA_VIDEO:
        return FIELD_STREAM_ID | FIELD_TIMESTAMP | FIELD_ARRIVAL;
    case RM_DATA_IMAGE:
        return FIELD_STREAM_ID | FIELD_TIMESTAMP | FIELD_METADATA;
    case RM_DATA_FILE:
        return FIELD_STREAM_ID;
    case RM_DATA_TENSOR:
    case RM_DATA_CONTROL:
        return FIELD_METADATA;
    default:
        return 0;
    }
}

const char *rm_runtime_data_stream_id(const rm_runtime_data *data) {
    return data->stream_id[0] ? data->stream_id : NULL;
}

int64_t rm_runtime_data_timestamp_us(const rm_runtime_data *data) {
    return data->timestamp_us;
}

int64_t rm_runtime_data_arrival_us(const rm_runtime_data *data) {
    return data->arrival_us;
}

const char *rm_runtime_data_metadata(const rm_runtime_data *data) {
    return data->metadata ? (const char *)data->metadata->data : NULL;
}

static rm_err may_set(const rm_runtime_data *data, enum field field) {
    if (!data)
        return RM_E_INVALID_ARG;
    if (!(fields_of(data->type) & field))
        return RM_E_UNSUPPORTED;
    return atomic_load_explicit(&data->refs, memory_order_acquire) == 1 ? RM_OK : RM_E_STATE;
}

static bool is_stream_id(const char *text, size_t size) {
    if (size == 0 || size >= RM_STREAM_ID_MAX || !rmi_utf8_valid(text, size))
        return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == '\x7F')
            return false;
    return true;
}

rm_err rm_runtime_data_set_stream_id(rm_runtime_data *data, const char *stream_id) {
    const rm_err err = may_set(data, FIELD_STREAM_ID);
    if (err)
        return err;
    const size_t size = stream_id ? strnlen(stream_id, RM_STREAM_ID_MAX) : 0;
    if (stream_id && !is_stream_id(stream_id, size))
        return RM_E_INVALID_ARG;
    if (size > 0)
        memcpy(data->stream_id, stream_id, size);
    data->stream_id[size] = '\0';
    return RM_OK;
}

rm_err rm_runtime_data_set_timestamp_us(rm_runtime_data *data, int64_t timestamp_us) {
    const rm_err err = may_set(data, FIELD_TIMESTAMP);
    if (err)
        return err;
    if (timestamp_us < (data->type == RM_DATA_VIDEO ? 0 : RM_NO_VALUE))
        return RM_E_INVALID_ARG;
    data->timestamp_us = timestamp_us;
    return RM_OK;
}

rm_err rm_runtime_data_set_arrival_us(rm_runtime_data *data, int64_t arrival_us) {
    const rm_err err = may_set(data, FIELD_ARRIVAL);
    if (err)
        return err;
    if (arrival_us < RM_NO_VALUE)
        return RM_E_INVALID_ARG;
    data->arrival_us = arrival_us;
    return RM_OK;
}

rm_err rm_runtime_data_set_metadata(rm_runtime_data *data, const char *json) {
    rm_err err = may_set(data, FIELD_METADATA);
    if (err)
        return err;
    struct rmi_buf *text = NULL;
    if (json) {
        json_t *value = NULL;
        err = rmi_json_text_load(json, strlen(json), &value, NULL, 0);
        if (!err && !json_is_null(value)) /* null says what an absent field says */
            err = rmi_json_text_dump(value, &text);
        json_decref(value);
        if (err)
            return err;
    }
    rmi_buf_unref(&data->metadata);
    data->metadata = text;
    return RM_OK;
}

rm_err rm_runtime_data_set_frame_number(rm_runtime_data *data, uint64_t frame_number) {
    if (!data || frame_number > INT64_MAX)
        return RM_E_INVALID_ARG;
    if (data->type != RM_DATA_VIDEO)
        return RM_E_UNSUPPORTED;
    if (atomic_load_explicit(&data->refs, memory_order_acquire) != 1)
        return RM_E_STATE;
    data->u.video.frame_number = frame_number;
    return RM_OK;
}

rm_err rm_runtime_data_set_sample_count(rm_runtime_data *data, size_t sample_count) {
    if (!data)
        return RM_E_INVALID_ARG;
    if (data->type != RM_DATA_AUDIO)
        return RM_E_UNSUPPORTED;
    rm_audio *a = &data->u.audio;
    if (sample_count > data->room || sample_count % a->channels != 0)
        return RM_E_INVALID_ARG;
    if (atomic_load_explicit(&data->refs, memory_order_acquire) != 1)
        return RM_E_STATE;
    a->sample_count = sample_count;
    a->frame_count = sample_count / a->channels;
    data->size = sample_count * sizeof(float);
    return RM_OK;
}
