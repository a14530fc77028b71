/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_private.h"

#include <stdlib.h>
#include <string.h>

const char *rm_data_type_name(rm_data_type type) {
    static const char *const names[] = {
        [RM_DATA_AUDIO] = "audio",   [RM_DATA_VIDEO] = "video",   [RM_DATA_IMAGE] = "image",
        [RM_DATA_TENSOR] = "tensor", [RM_DATA_NUMPY] = "numpy",   [RM_DATA_JSON] = "json",
        [RM_DATA_TEXT] = "text",     [RM_DATA_BINARY] = "binary", [RM_DATA_CONTROL] = "control_message",
        [RM_DATA_FILE] = "file",
    };
    const size_t i = (size_t)type;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}

struct rmi_buf *rmi_text_buf(const char *text, size_t size) {
    struct rmi_buf *buf = size < SIZE_MAX ? rmi_buf_alloc(size + 1, NULL) : NULL;
    if (!buf)
        return NULL;
    memcpy(buf->data, text, size);
    buf->data[size] = '\0';
    buf->len = size;
    return buf;
}

rm_err rmi_data_new(struct rmi_pool *home, rm_data_type type, rm_buf *buf, size_t offset, size_t size,
                    rm_runtime_data **out) {
    const size_t len = rm_buf_size(buf);
    if (!out || offset > len || size > len - offset)
        return RM_E_INVALID_ARG;
    rm_runtime_data *data = home ? rmi_pool_get(home) : malloc(sizeof *data);
    if (!data)
        return home ? RM_E_LIMIT : RM_E_NO_MEMORY;
    memset(data, 0, sizeof *data);
    atomic_init(&data->refs, 1);
    data->type = type;
    data->home = home;
    data->buf = rm_buf_ref(buf);
    data->offset = offset;
    data->size = size;
    data->timestamp_us = RM_NO_VALUE;
    data->arrival_us = RM_NO_VALUE;
    *out = data;
    return RM_OK;
}

rm_runtime_data *rm_runtime_data_ref(rm_runtime_data *data) {
    if (data)
        atomic_fetch_add_explicit(&data->refs, 1, memory_order_relaxed);
    return data;
}

void rm_runtime_data_unref(rm_runtime_data **data) {
    if (!data || !*data)
        return;
    rm_runtime_data *d = *data;
    *data = NULL;
    /* Release: our reads end before the count falls. Acquire: the last holder frees after everybody's reads. */
    if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
        return;
    rmi_buf_unref(&d->buf);
    rmi_buf_unref(&d->extra);
    rmi_buf_unref(&d->metadata);
    json_decref(d->value);
    if (d->home)
        rmi_pool_put(d->home, d);
    else
        free(d);
}

rm_err rmi_data_share(struct rmi_pool *home, const rm_runtime_data *data, rm_runtime_data **out) {
    if (!data)
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(home, data->type, data->buf, data->offset, data->size, &d);
    if (err)
        return err;
    d->extra = rm_buf_ref(data->extra);
    d->metadata = rm_buf_ref(data->metadata);
    d->value = json_incref(data->value);
    d->timestamp_us = data->timestamp_us;
    d->arrival_us = data->arrival_us;
    d->room = data->room;
    d->u = data->u;
    memcpy(d->stream_id, data->stream_id, sizeof d->stream_id);
    *out = d;
    return RM_OK;
}

rm_err rm_runtime_data_share(const rm_runtime_data *data, rm_runtime_data **out) {
    return out ? rmi_data_share(NULL, data, out) : RM_E_INVALID_ARG;
}

/* The view's pointers lead to the same places of other memory. */
static void move_view(rm_runtime_data *d, const uint8_t *from, const uint8_t *to) {
    switch (d->type) {
    case RM_DATA_AUDIO:
        d->u.audio.samples = (const float *)(const void *)to;
        break;
    case RM_DATA_VIDEO:
        d->u.video.data = to;
        for (uint32_t i = 0; i < d->u.video.plane_count; i++)
            d->u.video.planes[i] = to + (d->u.video.planes[i] - from);
        break;
    case RM_DATA_IMAGE:
        d->u.image.data = to;
        break;
    case RM_DATA_TENSOR:
        d->u.tensor.data = to;
        break;
    case RM_DATA_NUMPY:
        d->u.numpy.data = to;
        break;
    default:
        break;
    }
}

static bool has_writable_bytes(rm_data_type type) {
    return type == RM_DATA_AUDIO || type == RM_DATA_VIDEO || type == RM_DATA_IMAGE || type == RM_DATA_TENSOR ||
           type == RM_DATA_NUMPY || type == RM_DATA_BINARY;
}

rm_err rm_runtime_data_copy(const rm_runtime_data *data, rm_runtime_data **out) {
    if (!data || !out)
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    rm_err err = rm_runtime_data_share(data, &d);
    if (err)
        return err;
    if (has_writable_bytes(data->type)) {
        const uint8_t *from = data->buf->data + data->offset;
        rm_buf *bytes = NULL;
        err = rm_buf_copy(from, data->size, &bytes);
        if (err) {
            rm_runtime_data_unref(&d);
            return err;
        }
        move_view(d, from, bytes->data);
        rmi_buf_unref(&d->buf);
        d->buf = bytes;
        d->offset = 0;
        if (d->type == RM_DATA_AUDIO)
            d->room = d->u.audio.sample_count;
    }
    *out = d;
    return RM_OK;
}

rm_data_type rm_runtime_data_type(const rm_runtime_data *data) {
    return data->type;
}

const rm_audio *rm_runtime_data_audio(const rm_runtime_data *data) {
    return data->type == RM_DATA_AUDIO ? &data->u.audio : NULL;
}

const rm_video *rm_runtime_data_video(const rm_runtime_data *data) {
    return data->type == RM_DATA_VIDEO ? &data->u.video : NULL;
}

const rm_image *rm_runtime_data_image(const rm_runtime_data *data) {
    return data->type == RM_DATA_IMAGE ? &data->u.image : NULL;
}

const rm_tensor *rm_runtime_data_tensor(const rm_runtime_data *data) {
    return data->type == RM_DATA_TENSOR ? &data->u.tensor : NULL;
}

const rm_numpy *rm_runtime_data_numpy(const rm_runtime_data *data) {
    return data->type == RM_DATA_NUMPY ? &data->u.numpy : NULL;
}

const rm_text *rm_runtime_data_text(const rm_runtime_data *data) {
    return data->type == RM_DATA_TEXT ? &data->u.text : NULL;
}

const rm_control *rm_runtime_data_control(const rm_runtime_data *data) {
    return data->type == RM_DATA_CONTROL ? &data->u.control : NULL;
}

const rm_file *rm_runtime_data_file(const rm_runtime_data *data) {
    return data->type == RM_DATA_FILE ? &data->u.file : NULL;
}

const char *rm_runtime_data_json(const rm_runtime_data *data) {
    return data->type == RM_DATA_JSON ? (const char *)data->buf->data : NULL;
}

const uint8_t *rm_runtime_data_bytes(const rm_runtime_data *data, size_t *size) {
    *size = data->size;
    return data->buf ? data->buf->data + data->offset : NULL;
}

rm_buf *rm_runtime_data_buf(const rm_runtime_data *data) {
    return data->buf;
}

static bool is_sole(const rm_runtime_data *data) {
    return atomic_load_explicit(&data->refs, memory_order_acquire) == 1;
}

uint8_t *rm_runtime_data_write_bytes(rm_runtime_data *data) {
    if (!has_writable_bytes(data->type) || !is_sole(data) || !rmi_buf_is_single(data->buf))
        return NULL;
    return data->buf->data + data->offset;
}

float *rm_runtime_data_write_samples(rm_runtime_data *data) {
    return data->type == RM_DATA_AUDIO ? (float *)(void *)rm_runtime_data_write_bytes(data) : NULL;
}

uint8_t *rm_runtime_data_write_plane(rm_runtime_data *data, uint32_t plane) {
    if (data->type != RM_DATA_VIDEO || plane >= data->u.video.plane_count)
        return NULL;
    uint8_t *bytes = rm_runtime_data_write_bytes(data);
    return bytes ? bytes + (data->u.video.planes[plane] - data->u.video.data) : NULL;
}
