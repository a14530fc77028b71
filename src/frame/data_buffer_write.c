/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_buffer.h"

#include "frame/data_buffer_private.h"
#include "frame/data_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "samples and tensors go as they lie in memory");

#define DEFAULT_CHANNEL "tts"
#define CHANNEL_MAX 127 /* as in variants.c */
#define NUMBER_MAX 24   /* characters of an int64_t and a NUL */

struct writer {
    rmi_pb_DataBuffer message;
    char numbers[RMI_EXTRAS][NUMBER_MAX];
    uint8_t *packed; /* a picture without gaps; NULL: not needed */
};

static struct rmi_pb_span span_of(const void *data, size_t len) {
    return (struct rmi_pb_span){.data = data, .len = len};
}

static void extra_text(struct writer *w, enum rmi_data_buffer_extra extra, const char *text) {
    if (text)
        w->message.metadata.extras[extra] =
            (struct rmi_pb_pair){.key = rmi_pb_text(rmi_data_buffer_names[extra]), .value = rmi_pb_text(text)};
}

static void extra_number(struct writer *w, enum rmi_data_buffer_extra extra, int64_t value) {
    snprintf(w->numbers[extra], sizeof w->numbers[extra], "%" PRId64, value);
    extra_text(w, extra, w->numbers[extra]);
}

static void extra_optional(struct writer *w, enum rmi_data_buffer_extra extra, int64_t value) {
    if (value != RM_NO_VALUE)
        extra_number(w, extra, value);
}

static void put_audio(struct writer *w, const rm_runtime_data *d) {
    const rm_audio *a = rm_runtime_data_audio(d);
    w->message.has_audio = true;
    w->message.audio = (rmi_pb_Audio){.samples = span_of(a->samples, a->sample_count * sizeof *a->samples),
                                      .sample_rate = a->sample_rate,
                                      .channels = a->channels,
                                      .format = rmi_pb_SampleFormat_SAMPLE_F32,
                                      .num_samples = a->sample_count,
                                      .metadata_json = rmi_pb_text(rm_runtime_data_metadata(d))};
    extra_text(w, RMI_EXTRA_STREAM_ID, rm_runtime_data_stream_id(d));
    extra_optional(w, RMI_EXTRA_TIMESTAMP, rm_runtime_data_timestamp_us(d));
    extra_optional(w, RMI_EXTRA_ARRIVAL, rm_runtime_data_arrival_us(d));
}

/* Whether the planes follow one another without gaps. */
static bool is_packed(const rm_video *v) {
    const uint8_t *at = v->data;
    for (uint32_t i = 0; i < v->plane_count; i++) {
        const struct rmi_plane p = rmi_video_plane(v->format, v->width, v->height, i);
        if (v->planes[i] != at || v->strides[i] != p.row_bytes)
            return false;
        at += p.row_bytes * p.rows;
    }
    return true;
}

static rm_err put_video(struct writer *w, const rm_runtime_data *d) {
    const rm_video *v = rm_runtime_data_video(d);
    struct rmi_pb_span pixels = span_of(v->data, v->size);
    if (!is_packed(v)) {
        size_t size = rm_video_packed_size(v->format, v->width, v->height);
        w->packed = malloc(size);
        if (!w->packed)
            return RM_E_NO_MEMORY;
        rm_err err = rm_video_pack(v, w->packed, size, &size);
        if (err)
            return err;
        pixels = span_of(w->packed, size);
    }
    w->message.has_video = true;
    w->message.video = (rmi_pb_Video){.pixel_data = pixels,
                                      .width = v->width,
                                      .height = v->height,
                                      .frame_number = v->frame_number,
                                      .timestamp_us = (uint64_t)rm_runtime_data_timestamp_us(d),
                                      .codec = (rmi_pb_Codec)v->codec,
                                      .is_keyframe = v->is_keyframe};
    extra_text(w, RMI_EXTRA_STREAM_ID, rm_runtime_data_stream_id(d));
    extra_optional(w, RMI_EXTRA_ARRIVAL, rm_runtime_data_arrival_us(d));
    return rmi_pixels_to_wire(v->format, &w->message.video.format) ? RM_OK : RM_E_INVALID_ARG;
}

static void put_image(struct writer *w, const rm_runtime_data *d) {
    const rm_image *i = rm_runtime_data_image(d);
    const char *name = rmi_image_format_name(i->format);
    w->message.has_binary = true;
    w->message.binary =
        (rmi_pb_Binary){.data = span_of(i->data, i->size), .mime_type = rmi_pb_text(rmi_image_mime_type(i->format))};
    extra_text(w, RMI_EXTRA_IMAGE, name ? name : rm_pixel_format_name(i->pixel_format));
    extra_number(w, RMI_EXTRA_WIDTH, i->width);
    extra_number(w, RMI_EXTRA_HEIGHT, i->height);
    extra_text(w, RMI_EXTRA_STREAM_ID, rm_runtime_data_stream_id(d));
    extra_optional(w, RMI_EXTRA_TIMESTAMP, rm_runtime_data_timestamp_us(d));
    extra_text(w, RMI_EXTRA_METADATA, rm_runtime_data_metadata(d));
}

static void put_tensor(struct writer *w, const rm_runtime_data *d) {
    const rm_tensor *t = rm_runtime_data_tensor(d);
    rmi_pb_Tensor *out = &w->message.tensor;
    w->message.has_tensor = true;
    out->data = span_of(t->data, t->size);
    out->shape_count = (pb_size_t)t->dims;
    for (size_t i = 0; i < t->dims; i++)
        out->shape[i] = (uint64_t)t->shape[i];
    if (!rmi_dtype_to_wire(t->dtype, &out->dtype))
        extra_number(w, RMI_EXTRA_DTYPE, t->dtype);
    extra_text(w, RMI_EXTRA_METADATA, rm_runtime_data_metadata(d));
}

static void put_numpy(struct writer *w, const rm_runtime_data *d) {
    const rm_numpy *n = rm_runtime_data_numpy(d);
    rmi_pb_Numpy *out = &w->message.numpy;
    w->message.has_numpy = true;
    out->data = span_of(n->data, n->size);
    out->dtype = rmi_pb_text(n->dtype);
    out->shape_count = (pb_size_t)n->dims;
    out->strides_count = n->strides ? (pb_size_t)n->dims : 0;
    for (size_t i = 0; i < n->dims; i++) {
        out->shape[i] = (uint64_t)n->shape[i];
        out->strides[i] = n->strides ? n->strides[i] : 0;
    }
    out->c_contiguous = n->c_contiguous;
    out->f_contiguous = n->f_contiguous;
}

/* One that rm_runtime_data_create_text would take. */
static bool has_channel(const rm_text *t) {
    const bool is_default =
        t->channel_size == sizeof DEFAULT_CHANNEL - 1 && !memcmp(t->channel, DEFAULT_CHANNEL, t->channel_size);
    return !is_default && t->channel_size <= CHANNEL_MAX && !memchr(t->channel, '\0', t->channel_size);
}

static void put_text(struct writer *w, const rm_runtime_data *d) {
    const rm_text *t = rm_runtime_data_text(d);
    w->message.has_text = true;
    w->message.text.encoding = rmi_pb_text("utf-8");
    if (has_channel(t)) {
        w->message.text.text_data = span_of(t->text, t->size);
        w->message.text.channel = span_of(t->channel, t->channel_size);
    } else { /* as it is: a text may begin like a tag and be none */
        w->message.text.text_data = span_of(t->raw, t->raw_size);
    }
}

static rm_err put_control(struct writer *w, const rm_runtime_data *d) {
    const rm_control *c = rm_runtime_data_control(d);
    rmi_pb_Control *out = &w->message.control;
    w->message.has_control = true;
    out->segment_id = rmi_pb_text(c->segment_id);
    out->timestamp_ms = (uint64_t)c->timestamp_ms;
    out->metadata = rmi_pb_text(rm_runtime_data_metadata(d));
    switch (c->type) {
    case RM_CONTROL_CANCEL_SPECULATION:
        out->has_cancel_speculation = true;
        out->cancel_speculation.from_timestamp = (uint64_t)c->from_us;
        out->cancel_speculation.to_timestamp = (uint64_t)c->to_us;
        return RM_OK;
    case RM_CONTROL_BATCH_HINT:
        out->has_batch_hint = true;
        out->batch_hint.suggested_batch_size = c->suggested_batch_size;
        return RM_OK;
    case RM_CONTROL_DEADLINE_WARNING:
        out->has_deadline_warning = true;
        out->deadline_warning.deadline_us = (uint64_t)c->deadline_us;
        return RM_OK;
    }
    return RM_E_INVALID_ARG;
}

/* 0 says "absent" in the message. */
static uint64_t file_number(struct writer *w, enum rmi_data_buffer_extra extra, int64_t value) {
    if (value == 0)
        extra_number(w, extra, 0);
    return value == RM_NO_VALUE ? 0 : (uint64_t)value;
}

static void put_file(struct writer *w, const rm_runtime_data *d) {
    const rm_file *f = rm_runtime_data_file(d);
    w->message.has_file = true;
    w->message.file = (rmi_pb_File){.path = rmi_pb_text(f->path),
                                    .filename = rmi_pb_text(f->filename),
                                    .mime_type = rmi_pb_text(f->mime_type),
                                    .size = file_number(w, RMI_EXTRA_SIZE, f->size),
                                    .offset = file_number(w, RMI_EXTRA_OFFSET, f->offset),
                                    .length = file_number(w, RMI_EXTRA_LENGTH, f->length),
                                    .stream_id = rmi_pb_text(rm_runtime_data_stream_id(d))};
}

static void put_bytes(struct writer *w, const rm_runtime_data *d) {
    size_t size = 0;
    const uint8_t *bytes = rm_runtime_data_bytes(d, &size);
    if (rm_runtime_data_type(d) == RM_DATA_JSON) {
        w->message.has_json = true;
        w->message.json.json_payload = span_of(bytes, size);
    } else {
        w->message.has_binary = true;
        w->message.binary.data = span_of(bytes, size);
    }
}

static rm_err fill(struct writer *w, const rm_runtime_data *d) {
    switch (rm_runtime_data_type(d)) {
    case RM_DATA_AUDIO:
        put_audio(w, d);
        return RM_OK;
    case RM_DATA_VIDEO:
        return put_video(w, d);
    case RM_DATA_IMAGE:
        put_image(w, d);
        return RM_OK;
    case RM_DATA_TENSOR:
        put_tensor(w, d);
        return RM_OK;
    case RM_DATA_NUMPY:
        put_numpy(w, d);
        return RM_OK;
    case RM_DATA_JSON:
    case RM_DATA_BINARY:
        put_bytes(w, d);
        return RM_OK;
    case RM_DATA_TEXT:
        put_text(w, d);
        return RM_OK;
    case RM_DATA_CONTROL:
        return put_control(w, d);
    case RM_DATA_FILE:
        put_file(w, d);
        return RM_OK;
    }
    return RM_E_INVALID_ARG;
}

rm_err rmi_data_buffer_write(const rm_runtime_data *data, const rm_metadata *metadata, struct rmi_buf **out) {
    if (!data || !out)
        return RM_E_INVALID_ARG;
    struct writer w;
    memset(&w, 0, sizeof w);
    w.message.metadata.values = (rm_metadata *)(uintptr_t)metadata; /* only read */
    rm_err err = fill(&w, data);
    if (!err)
        err = rmi_pb_write(rmi_pb_DataBuffer_fields, &w.message, out);
    free(w.packed);
    return err;
}
