/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_buffer.h"

#include "frame/data_buffer_private.h"
#include "frame/data_private.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXTS_MAX 4     /* that one message needs with a NUL behind them */
#define ENCODING_MAX 16 /* characters of the name of a text's encoding */
#define I16_SCALE 32768.0f
#define I32_SCALE 2147483648.0f
#define DIGITS_MAX 20 /* of a 64-bit number, with its sign */

struct reader {
    rmi_pb_DataBuffer message;
    char *texts[TEXTS_MAX];
    size_t text_count;
    rm_err err; /* the first one stays */
};

static void fail(struct reader *r, rm_err err) {
    if (!r->err)
        r->err = err;
}

/* What a constructor refuses is a fault of the message. */
static void check(struct reader *r, rm_err err) {
    if (err)
        fail(r, err == RM_E_INVALID_ARG ? RM_E_PARSE : err);
}

/* A text with a NUL behind it, NULL when absent or empty; freed with the reader. */
static const char *text_of(struct reader *r, struct rmi_pb_span span) {
    if (span.len == 0 || r->err)
        return NULL;
    char *text = memchr(span.data, '\0', span.len) ? NULL : malloc(span.len + 1);
    if (!text) {
        fail(r, memchr(span.data, '\0', span.len) ? RM_E_PARSE : RM_E_NO_MEMORY);
        return NULL;
    }
    memcpy(text, span.data, span.len);
    text[span.len] = '\0';
    r->texts[r->text_count++] = text;
    return text;
}

static rm_buf *bytes_of(struct reader *r, struct rmi_pb_span span) {
    rm_buf *buf = NULL;
    check(r, rm_buf_copy(span.data ? span.data : (const uint8_t *)"", span.len, &buf));
    return buf;
}

static int64_t whole(struct reader *r, uint64_t value) {
    if (value > INT64_MAX)
        fail(r, RM_E_PARSE);
    return value > INT64_MAX ? 0 : (int64_t)value;
}

/* ---- what travels as metadata ---- */

static struct rmi_pb_span extra(const struct reader *r, enum rmi_data_buffer_extra which) {
    return r->message.metadata.extras[which].value;
}

static bool has_extra(const struct reader *r, enum rmi_data_buffer_extra which) {
    return r->message.metadata.extras[which].key.data != NULL;
}

static int64_t extra_number(struct reader *r, enum rmi_data_buffer_extra which, int64_t low, int64_t high,
                            int64_t absent) {
    char digits[DIGITS_MAX + 1];
    if (!has_extra(r, which))
        return absent;
    char *end = digits;
    long long value = 0;
    if (rmi_pb_copy_text(extra(r, which), digits, sizeof digits))
        value = strtoll(digits, &end, 10);
    if (end == digits || *end || value < low || value > high) {
        fail(r, RM_E_PARSE);
        return absent;
    }
    return value;
}

static void read_stream_id(struct reader *r, rm_runtime_data *d, struct rmi_pb_span span) {
    const char *id = text_of(r, span);
    if (id && d)
        check(r, rm_runtime_data_set_stream_id(d, id));
}

static void read_metadata(struct reader *r, rm_runtime_data *d, struct rmi_pb_span span) {
    const char *json = text_of(r, span);
    if (json && d)
        check(r, rm_runtime_data_set_metadata(d, json));
}

static void read_times(struct reader *r, rm_runtime_data *d) {
    if (!d)
        return;
    if (has_extra(r, RMI_EXTRA_TIMESTAMP))
        check(r, rm_runtime_data_set_timestamp_us(d, extra_number(r, RMI_EXTRA_TIMESTAMP, 0, INT64_MAX, 0)));
    if (has_extra(r, RMI_EXTRA_ARRIVAL))
        check(r, rm_runtime_data_set_arrival_us(d, extra_number(r, RMI_EXTRA_ARRIVAL, 0, INT64_MAX, 0)));
}

/* ---- kinds ---- */

static rm_buf *samples_of(struct reader *r, const rmi_pb_Audio *a, size_t *count) {
    const bool is_i16 = a->format == rmi_pb_SampleFormat_SAMPLE_I16,
               is_i32 = a->format == rmi_pb_SampleFormat_SAMPLE_I32;
    const size_t item = is_i16 ? sizeof(int16_t) : sizeof(float);
    *count = a->samples.len / item;
    if (a->format > rmi_pb_SampleFormat_SAMPLE_I32 || a->samples.len % item != 0) {
        fail(r, a->samples.len % item ? RM_E_PARSE : RM_E_UNSUPPORTED);
        return NULL;
    }
    if (!is_i16 && !is_i32)
        return bytes_of(r, a->samples);
    rm_buf *buf = NULL;
    check(r, rm_buf_create(*count * sizeof(float), &buf));
    float *out = buf ? (float *)(void *)rm_buf_write(buf) : NULL;
    for (size_t i = 0; out && i < *count; i++) {
        int16_t i16;
        int32_t i32;
        if (is_i16)
            memcpy(&i16, a->samples.data + i * item, sizeof i16);
        else
            memcpy(&i32, a->samples.data + i * item, sizeof i32);
        out[i] = is_i16 ? (float)i16 / I16_SCALE : (float)i32 / I32_SCALE;
    }
    return buf;
}

static rm_runtime_data *read_audio(struct reader *r) {
    const rmi_pb_Audio *a = &r->message.audio;
    rm_runtime_data *d = NULL;
    size_t count = 0;
    rm_buf *samples = samples_of(r, a, &count);
    if (!r->err)
        check(r, rm_runtime_data_create_audio(samples, 0, count, a->sample_rate, a->channels, &d));
    rm_buf_unref(&samples);
    read_metadata(r, d, a->metadata_json);
    read_stream_id(r, d, extra(r, RMI_EXTRA_STREAM_ID));
    read_times(r, d);
    return d;
}

static rm_runtime_data *read_video(struct reader *r) {
    const rmi_pb_Video *v = &r->message.video;
    rm_runtime_data *d = NULL;
    rm_video head = {.width = v->width,
                     .height = v->height,
                     .codec = (rm_codec)v->codec,
                     .frame_number = v->frame_number,
                     .is_keyframe = v->is_keyframe};
    if (!rmi_pixels_from_wire(v->format, &head.format) || v->codec > rmi_pb_Codec_CODEC_VP9)
        fail(r, RM_E_UNSUPPORTED);
    const bool raw = rmi_video_plane_count(head.format) > 0;
    if (raw && (head.codec || rm_video_packed_size(head.format, v->width, v->height) != v->pixel_data.len))
        fail(r, RM_E_PARSE);
    const int64_t timestamp_us = whole(r, v->timestamp_us);
    rm_buf *pixels = r->err ? NULL : bytes_of(r, v->pixel_data);
    if (!r->err && raw)
        check(r, rm_runtime_data_create_video(pixels, 0, head.format, head.width, head.height, head.frame_number,
                                              timestamp_us, &d));
    else if (!r->err)
        check(r, rmi_data_encoded(NULL, pixels, 0, v->pixel_data.len, &head, timestamp_us, &d));
    rm_buf_unref(&pixels);
    if (!d)
        return NULL;
    d->u.video.is_keyframe = head.is_keyframe;
    read_stream_id(r, d, extra(r, RMI_EXTRA_STREAM_ID));
    if (has_extra(r, RMI_EXTRA_ARRIVAL))
        check(r, rm_runtime_data_set_arrival_us(d, extra_number(r, RMI_EXTRA_ARRIVAL, 0, INT64_MAX, 0)));
    return d;
}

static bool image_format(struct rmi_pb_span name, rm_image_format *format, rm_pixel_format *pixels) {
    char text[ENCODING_MAX];
    *pixels = RM_PIXEL_UNSPECIFIED;
    if (!rmi_pb_copy_text(name, text, sizeof text))
        return false;
    for (*format = RM_IMAGE_JPEG; *format < RM_IMAGE_RAW; (*format)++)
        if (!strcmp(text, rmi_image_format_name(*format)))
            return true;
    for (*pixels = RM_PIXEL_YUV420P; *pixels <= RM_PIXEL_RGBA32; (*pixels)++)
        if (!strcmp(text, rm_pixel_format_name(*pixels)))
            return true;
    return false;
}

static rm_runtime_data *read_image(struct reader *r) {
    rm_runtime_data *d = NULL;
    rm_image_format format;
    rm_pixel_format pixels;
    const int64_t width = extra_number(r, RMI_EXTRA_WIDTH, 1, RM_VIDEO_SIDE_MAX, 0);
    const int64_t height = extra_number(r, RMI_EXTRA_HEIGHT, 1, RM_VIDEO_SIDE_MAX, 0);
    if (!image_format(extra(r, RMI_EXTRA_IMAGE), &format, &pixels))
        fail(r, RM_E_PARSE);
    rm_buf *data = r->err ? NULL : bytes_of(r, r->message.binary.data);
    if (!r->err)
        check(r, rm_runtime_data_create_image(data, 0, rm_buf_size(data), format, pixels, (uint32_t)width,
                                              (uint32_t)height, &d));
    rm_buf_unref(&data);
    read_stream_id(r, d, extra(r, RMI_EXTRA_STREAM_ID));
    read_metadata(r, d, extra(r, RMI_EXTRA_METADATA));
    read_times(r, d);
    return d;
}

static rm_runtime_data *read_binary(struct reader *r) {
    if (has_extra(r, RMI_EXTRA_IMAGE))
        return read_image(r);
    rm_runtime_data *d = NULL;
    rm_buf *data = bytes_of(r, r->message.binary.data);
    if (!r->err)
        check(r, rm_runtime_data_create_binary(data, 0, rm_buf_size(data), &d));
    rm_buf_unref(&data);
    return d;
}

/* Whether `size` is the product of all. */
static bool fills(const uint64_t *shape, size_t dims, size_t item, size_t size) {
    uint64_t product = item;
    for (size_t i = 0; i < dims; i++) {
        if (shape[i] > INT32_MAX || (shape[i] > 0 && product > UINT64_MAX / shape[i]))
            return false;
        product *= shape[i];
    }
    return product == size;
}

static rm_runtime_data *read_tensor(struct reader *r) {
    const rmi_pb_Tensor *t = &r->message.tensor;
    rm_runtime_data *d = NULL;
    int32_t shape[RM_DIMS_MAX];
    size_t item = 0;
    int32_t dtype = (int32_t)extra_number(r, RMI_EXTRA_DTYPE, INT32_MIN, INT32_MAX, 0);
    const bool known = rmi_dtype_from_wire(t->dtype, &dtype, &item);
    if (!known && !has_extra(r, RMI_EXTRA_DTYPE))
        fail(r, RM_E_UNSUPPORTED);
    if (known && !fills(t->shape, t->shape_count, item, t->data.len))
        fail(r, RM_E_PARSE);
    for (size_t i = 0; i < t->shape_count; i++) {
        if (t->shape[i] > INT32_MAX)
            fail(r, RM_E_PARSE);
        shape[i] = (int32_t)(t->shape[i] & INT32_MAX);
    }
    rm_buf *data = r->err ? NULL : bytes_of(r, t->data);
    if (!r->err)
        check(r, rm_runtime_data_create_tensor(data, 0, rm_buf_size(data), shape, t->shape_count, dtype, &d));
    rm_buf_unref(&data);
    read_metadata(r, d, extra(r, RMI_EXTRA_METADATA));
    return d;
}

static rm_runtime_data *read_numpy(struct reader *r) {
    const rmi_pb_Numpy *n = &r->message.numpy;
    rm_runtime_data *d = NULL;
    int64_t shape[RM_DIMS_MAX];
    for (size_t i = 0; i < n->shape_count; i++)
        shape[i] = whole(r, n->shape[i]);
    if (n->strides_count != 0 && n->strides_count != n->shape_count)
        fail(r, RM_E_PARSE);
    const char *dtype = text_of(r, n->dtype);
    rm_buf *data = r->err ? NULL : bytes_of(r, n->data);
    if (!r->err)
        check(r,
              rm_runtime_data_create_numpy(data, 0, rm_buf_size(data), shape, n->shape_count, dtype,
                                           n->strides_count ? n->strides : NULL, n->c_contiguous, n->f_contiguous, &d));
    rm_buf_unref(&data);
    return d;
}

static rm_runtime_data *read_json(struct reader *r) {
    const struct rmi_pb_span *json = &r->message.json.json_payload;
    rm_runtime_data *d = NULL;
    check(r, json->len > 0 ? rm_runtime_data_create_json((const char *)json->data, json->len, &d) : RM_E_PARSE);
    return d;
}

static rm_runtime_data *read_text(struct reader *r) {
    const rmi_pb_Text *t = &r->message.text;
    static const char *const encodings[] = {"", "utf-8", "utf8", "ascii", "us-ascii"};
    rm_runtime_data *d = NULL;
    char encoding[ENCODING_MAX];
    bool known = false;
    if (rmi_pb_copy_text(t->encoding, encoding, sizeof encoding))
        for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++)
            known = known || !strcasecmp(encoding, encodings[i]);
    if (!known)
        fail(r, RM_E_UNSUPPORTED);
    const char *channel = text_of(r, t->channel);
    const char *text = t->text_data.data ? (const char *)t->text_data.data : "";
    if (!r->err)
        check(r, rm_runtime_data_create_text(text, t->text_data.len, channel, &d));
    return d;
}

static rm_runtime_data *read_control(struct reader *r) {
    const rmi_pb_Control *in = &r->message.control;
    rm_runtime_data *d = NULL;
    rm_control c = {.timestamp_ms = whole(r, in->timestamp_ms), .segment_id = text_of(r, in->segment_id)};
    if (in->has_cancel_speculation + in->has_batch_hint + in->has_deadline_warning != 1)
        fail(r, RM_E_PARSE);
    if (in->has_cancel_speculation) {
        c.type = RM_CONTROL_CANCEL_SPECULATION;
        c.from_us = whole(r, in->cancel_speculation.from_timestamp);
        c.to_us = whole(r, in->cancel_speculation.to_timestamp);
    } else if (in->has_batch_hint) {
        c.type = RM_CONTROL_BATCH_HINT;
        c.suggested_batch_size = in->batch_hint.suggested_batch_size;
    } else {
        c.type = RM_CONTROL_DEADLINE_WARNING;
        c.deadline_us = whole(r, in->deadline_warning.deadline_us);
    }
    if (!r->err)
        check(r, rm_runtime_data_create_control(&c, &d));
    read_metadata(r, d, in->metadata);
    return d;
}

/* 0 in the message is "absent", unless metadata says that it is meant. */
static int64_t file_number(struct reader *r, enum rmi_data_buffer_extra which, uint64_t value) {
    return value ? whole(r, value) : extra_number(r, which, 0, 0, RM_NO_VALUE);
}

static rm_runtime_data *read_file(struct reader *r) {
    const rmi_pb_File *in = &r->message.file;
    rm_runtime_data *d = NULL;
    const rm_file file = {.path = text_of(r, in->path),
                          .filename = text_of(r, in->filename),
                          .mime_type = text_of(r, in->mime_type),
                          .size = file_number(r, RMI_EXTRA_SIZE, in->size),
                          .offset = file_number(r, RMI_EXTRA_OFFSET, in->offset),
                          .length = file_number(r, RMI_EXTRA_LENGTH, in->length)};
    if (!r->err)
        check(r, rm_runtime_data_create_file(&file, &d));
    read_stream_id(r, d, in->stream_id);
    return d;
}

static rm_runtime_data *read_kind(struct reader *r) {
    const rmi_pb_DataBuffer *m = &r->message;
    const struct {
        bool there;
        rm_runtime_data *(*read)(struct reader *);
    } kinds[] = {{m->has_audio, read_audio}, {m->has_video, read_video},     {m->has_tensor, read_tensor},
                 {m->has_json, read_json},   {m->has_text, read_text},       {m->has_binary, read_binary},
                 {m->has_numpy, read_numpy}, {m->has_control, read_control}, {m->has_file, read_file}};
    rm_runtime_data *(*read)(struct reader *) = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].there && read)
            fail(r, RM_E_PARSE); /* of two kinds: which? */
        read = kinds[i].there ? kinds[i].read : read;
    }
    if (!read)
        fail(r, RM_E_PARSE);
    return r->err ? NULL : read(r);
}

/* Reads all fields, without giving them a meaning. */
static rm_err read_fields(struct reader *r, const uint8_t *bytes, size_t len) {
    memset(r, 0, sizeof *r);
    r->message.metadata.names = rmi_data_buffer_names;
    r->err = rmi_pb_read(bytes, len, rmi_pb_DataBuffer_fields, &r->message);
    if (r->message.metadata.err)
        r->err = r->message.metadata.err;
    return r->err;
}

rm_err rmi_data_buffer_read_metadata(const uint8_t *bytes, size_t len, rm_metadata **metadata) {
    struct reader r;
    if (read_fields(&r, bytes, len))
        rm_metadata_unref(&r.message.metadata.values);
    else
        *metadata = r.message.metadata.values;
    return r.err;
}

rm_err rmi_data_buffer_read(const uint8_t *bytes, size_t len, rm_runtime_data **out, rm_metadata **metadata) {
    struct reader r;
    rm_runtime_data *d = read_fields(&r, bytes, len) ? NULL : read_kind(&r);
    for (size_t i = 0; i < r.text_count; i++)
        free(r.texts[i]);
    if (r.err) {
        rm_runtime_data_unref(&d);
        rm_metadata_unref(&r.message.metadata.values);
        return r.err;
    }
    *out = d;
    if (metadata)
        *metadata = r.message.metadata.values;
    else
        rm_metadata_unref(&r.message.metadata.values);
    return RM_OK;
}
