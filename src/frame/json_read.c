/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_private.h"
#include "frame/json_fields.h"
#include "frame/json_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a constructor refuses although each field by itself was in its range. */
static void check(struct rmi_fields *f, const char *member, rm_err err) {
    if (err == RM_E_NO_MEMORY && !f->err) {
        f->err = RM_E_NO_MEMORY;
        (void)snprintf(f->detail, f->detail_size, "%s: no memory", f->path);
    } else if (err) {
        rmi_fields_fail(f, member, "does not fit the other fields (%s)", rm_err_name(err));
    }
}

static void read_metadata(struct rmi_fields *f, rm_runtime_data *d) {
    const json_t *value = rmi_fields_get(f, "metadata");
    if (!value || f->err)
        return;
    struct rmi_buf *text = NULL;
    check(f, "metadata", rmi_json_text_dump(value, &text));
    rmi_buf_unref(&d->metadata);
    d->metadata = text;
}

static void read_stream_id(struct rmi_fields *f, rm_runtime_data *d) {
    const char *id = rmi_fields_optional_text(f, "stream_id");
    if (id && !f->err && rm_runtime_data_set_stream_id(d, id))
        rmi_fields_fail(f, "stream_id", "1..%d bytes without control characters are expected", RM_STREAM_ID_MAX - 1);
}

static rm_runtime_data *read_audio(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    rm_buf *samples = rmi_fields_floats(f, "samples");
    const int64_t rate = rmi_fields_int(f, "sample_rate", 1, RM_SAMPLE_RATE_MAX);
    const int64_t channels = rmi_fields_int(f, "channels", 1, RM_AUDIO_CHANNELS_MAX);
    const size_t count = rm_buf_size(samples) / sizeof(float);
    if (!f->err && count % (size_t)channels != 0)
        rmi_fields_fail(f, "samples", "%zu samples are no multiple of %" PRId64 " channels", count, channels);
    if (!f->err)
        check(f, "samples", rmi_data_audio(NULL, samples, 0, count, (uint32_t)rate, (uint32_t)channels, &d));
    rm_buf_unref(&samples);
    if (!d)
        return NULL;
    d->timestamp_us = rmi_fields_optional(f, "timestamp_us");
    d->arrival_us = rmi_fields_optional(f, "arrival_ts_us");
    read_stream_id(f, d);
    read_metadata(f, d);
    return d;
}

static rm_pixel_format pixel_format(struct rmi_fields *f, const char *member) {
    static const rm_pixel_format formats[] = {RM_PIXEL_UNSPECIFIED, RM_PIXEL_YUV420P, RM_PIXEL_I420,   RM_PIXEL_NV12,
                                              RM_PIXEL_RGB24,       RM_PIXEL_RGBA32,  RM_PIXEL_ENCODED};
    const char *name = rmi_fields_text(f, member);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(name, rm_pixel_format_name(formats[i])) == 0)
            return formats[i];
    rmi_fields_fail(f, member, "\"%.20s\" is no pixel format (Yuv420p, I420, NV12, Rgb24, Rgba32, Encoded)", name);
    return RM_PIXEL_UNSPECIFIED;
}

static rm_codec codec(struct rmi_fields *f, rm_pixel_format format) {
    static const rm_codec codecs[] = {RM_CODEC_VP8, RM_CODEC_H264, RM_CODEC_AV1, RM_CODEC_VP9};
    const char *name = rmi_fields_optional_text(f, "codec");
    if (!name)
        return RM_CODEC_RAW;
    if (rmi_video_plane_count(format) > 0)
        rmi_fields_fail(f, "codec", "a raw frame (%s) has none", rm_pixel_format_name(format));
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
        if (strcmp(name, rm_codec_name(codecs[i])) == 0)
            return codecs[i];
    rmi_fields_fail(f, "codec", "\"%.20s\" is no codec (Vp8, H264, Av1, Vp9)", name);
    return RM_CODEC_RAW;
}

/* Sides of a picture in this format. */
static void check_sides(struct rmi_fields *f, rm_pixel_format format, int64_t width, int64_t height) {
    if (rmi_video_plane_count(format) > 1 && width % 2 != 0)
        rmi_fields_fail(f, "width", "%" PRId64 " is odd, %s needs even sides", width, rm_pixel_format_name(format));
    if (rmi_video_plane_count(format) > 1 && height % 2 != 0)
        rmi_fields_fail(f, "height", "%" PRId64 " is odd, %s needs even sides", height, rm_pixel_format_name(format));
}

static void check_pixels(struct rmi_fields *f, const char *member, rm_pixel_format format, uint32_t width,
                         uint32_t height, size_t size) {
    const size_t need = rm_video_packed_size(format, width, height);
    if (need > 0 && size != need)
        rmi_fields_fail(f, member, "%zu bytes, %" PRIu32 "x%" PRIu32 " %s has %zu", size, width, height,
                        rm_pixel_format_name(format), need);
    if (size == 0)
        rmi_fields_fail(f, member, "is empty");
}

static rm_runtime_data *read_video(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    rm_buf *pixels = rmi_fields_bytes(f, "pixel_data");
    rm_video head = {
        .width = (uint32_t)rmi_fields_int(f, "width", 1, RM_VIDEO_SIDE_MAX),
        .height = (uint32_t)rmi_fields_int(f, "height", 1, RM_VIDEO_SIDE_MAX),
        .format = pixel_format(f, "format"),
        .frame_number = (uint64_t)rmi_fields_int(f, "frame_number", 0, INT64_MAX),
        .is_keyframe = rmi_fields_bool(f, "is_keyframe"),
    };
    head.codec = codec(f, head.format);
    const int64_t timestamp_us = rmi_fields_int(f, "timestamp_us", 0, INT64_MAX);
    check_sides(f, head.format, head.width, head.height);
    const size_t size = rm_buf_size(pixels);
    check_pixels(f, "pixel_data", head.format, head.width, head.height, size);
    if (!f->err && rmi_video_plane_count(head.format) == 0)
        check(f, "pixel_data", rmi_data_encoded(NULL, pixels, 0, size, &head, timestamp_us, &d));
    else if (!f->err)
        check(f, "pixel_data",
              rm_runtime_data_create_video(pixels, 0, head.format, head.width, head.height, head.frame_number,
                                           timestamp_us, &d));
    rm_buf_unref(&pixels);
    if (!d)
        return NULL;
    d->u.video.is_keyframe = head.is_keyframe;
    d->arrival_us = rmi_fields_optional(f, "arrival_ts_us");
    read_stream_id(f, d);
    return d;
}

static rm_image_format image_format(struct rmi_fields *f, rm_pixel_format *pixels) {
    static const struct {
        const char *name;
        rm_image_format format;
    } names[] = {{"Jpeg", RM_IMAGE_JPEG}, {"Png", RM_IMAGE_PNG}, {"WebP", RM_IMAGE_WEBP}};
    *pixels = RM_PIXEL_UNSPECIFIED;
    const json_t *raw = json_object_get(rmi_fields_get(f, "format"), "Raw");
    if (raw) {
        struct rmi_fields inner = *f;
        inner.object = raw;
        inner.path = "Image.format.Raw";
        *pixels = pixel_format(&inner, "pixel_format");
        if (!inner.err && rmi_video_plane_count(*pixels) == 0)
            rmi_fields_fail(&inner, "pixel_format", "%s has no raw layout", rm_pixel_format_name(*pixels));
        f->err = inner.err;
        return RM_IMAGE_RAW;
    }
    const char *name = rmi_fields_text(f, "format");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].format;
    rmi_fields_fail(f, "format", "\"%.20s\" is no image format (Jpeg, Png, WebP, Raw)", name);
    return RM_IMAGE_JPEG;
}

static rm_runtime_data *read_image(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    rm_pixel_format pixels = RM_PIXEL_UNSPECIFIED;
    rm_buf *data = rmi_fields_bytes(f, "data");
    const rm_image_format format = image_format(f, &pixels);
    const uint32_t width = (uint32_t)rmi_fields_int(f, "width", 1, RM_VIDEO_SIDE_MAX);
    const uint32_t height = (uint32_t)rmi_fields_int(f, "height", 1, RM_VIDEO_SIDE_MAX);
    const size_t size = rm_buf_size(data);
    check_sides(f, pixels, width, height);
    check_pixels(f, "data", pixels, width, height, size);
    if (!f->err)
        check(f, "data", rm_runtime_data_create_image(data, 0, size, format, pixels, width, height, &d));
    rm_buf_unref(&data);
    if (!d)
        return NULL;
    d->timestamp_us = rmi_fields_optional(f, "timestamp_us");
    read_stream_id(f, d);
    read_metadata(f, d);
    return d;
}

static rm_runtime_data *read_tensor(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    int64_t values[RM_DIMS_MAX];
    int32_t shape[RM_DIMS_MAX];
    rm_buf *data = rmi_fields_bytes(f, "data");
    const size_t dims = rmi_fields_list(f, "shape", 0, INT32_MAX, values);
    const int64_t dtype = rmi_fields_int(f, "dtype", INT32_MIN, INT32_MAX);
    for (size_t i = 0; i < dims; i++)
        shape[i] = (int32_t)values[i];
    if (!f->err)
        check(f, "shape", rm_runtime_data_create_tensor(data, 0, rm_buf_size(data), shape, dims, (int32_t)dtype, &d));
    rm_buf_unref(&data);
    if (d)
        read_metadata(f, d);
    return d;
}

static rm_runtime_data *read_numpy(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    int64_t shape[RM_DIMS_MAX], strides[RM_DIMS_MAX];
    rm_buf *data = rmi_fields_bytes(f, "data");
    const size_t dims = rmi_fields_list(f, "shape", 0, INT64_MAX, shape);
    const size_t steps = rmi_fields_list(f, "strides", 0, INT64_MAX, strides);
    const char *dtype = rmi_fields_text(f, "dtype");
    const bool c_order = rmi_fields_bool(f, "c_contiguous");
    const bool f_order = rmi_fields_bool(f, "f_contiguous");
    if (!f->err && steps != dims && steps != 0)
        rmi_fields_fail(f, "strides", "%zu strides for %zu dimensions", steps, dims);
    if (!f->err) {
        const size_t size = rm_buf_size(data);
        const rm_err err = rm_runtime_data_create_numpy(data, 0, size, shape, dims, dtype, steps ? strides : NULL,
                                                        c_order, f_order, &d);
        if (err == RM_E_INVALID_ARG)
            rmi_fields_fail(f, steps ? "strides" : "shape",
                            "some elements of this array of \"%.20s\" are outside of %zu "
                            "bytes of data, or the type has no usable name",
                            dtype, size);
        else
            check(f, "data", err);
    }
    rm_buf_unref(&data);
    return d;
}

static rm_runtime_data *read_json(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    json_t *value = json_object_get(f->object, "Json");
    check(f, "", rmi_runtime_data_create_json_value(value, &d));
    return d;
}

static rm_runtime_data *read_text(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    const json_t *value = json_object_get(f->object, "Text");
    if (!json_is_string(value))
        rmi_fields_fail(f, "", "a string is expected");
    else
        check(f, "", rm_runtime_data_create_text(json_string_value(value), json_string_length(value), NULL, &d));
    return d;
}

static rm_runtime_data *read_binary(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    rm_buf *data = rmi_fields_bytes_of(f, "", json_object_get(f->object, "Binary"));
    if (data)
        check(f, "", rm_runtime_data_create_binary(data, 0, data->len, &d));
    rm_buf_unref(&data);
    return d;
}

static void read_message(struct rmi_fields *f, rm_control *c) {
    struct rmi_fields m = *f;
    m.object = rmi_fields_get(f, "message_type");
    m.path = "ControlMessage.message_type";
    const char *type = rmi_fields_text(&m, "type");
    if (strcmp(type, "CancelSpeculation") == 0) {
        c->type = RM_CONTROL_CANCEL_SPECULATION;
        c->from_us = rmi_fields_int(&m, "from_timestamp", 0, INT64_MAX);
        c->to_us = rmi_fields_int(&m, "to_timestamp", 0, INT64_MAX);
        if (c->from_us >= c->to_us)
            rmi_fields_fail(&m, "to_timestamp", "%" PRId64 " is not after from_timestamp", c->to_us);
    } else if (strcmp(type, "BatchHint") == 0) {
        c->type = RM_CONTROL_BATCH_HINT;
        c->suggested_batch_size = (uint32_t)rmi_fields_int(&m, "suggested_batch_size", 1, RM_BATCH_SIZE_MAX);
    } else if (strcmp(type, "DeadlineWarning") == 0) {
        c->type = RM_CONTROL_DEADLINE_WARNING;
        c->deadline_us = rmi_fields_int(&m, "deadline_us", 0, INT64_MAX);
    } else {
        rmi_fields_fail(&m, "type", "\"%.20s\" is none of CancelSpeculation, BatchHint, DeadlineWarning", type);
    }
    f->err = m.err;
}

static rm_runtime_data *read_control(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    rm_control c = {0};
    read_message(f, &c);
    c.segment_id = rmi_fields_optional_text(f, "segment_id");
    c.timestamp_ms = rmi_fields_int(f, "timestamp_ms", 0, INT64_MAX);
    if (!f->err)
        check(f, "message_type", rm_runtime_data_create_control(&c, &d));
    if (d)
        read_metadata(f, d);
    return d;
}

static rm_runtime_data *read_file(struct rmi_fields *f) {
    rm_runtime_data *d = NULL;
    const rm_file file = {
        .path = rmi_fields_text(f, "path"),
        .filename = rmi_fields_optional_text(f, "filename"),
        .mime_type = rmi_fields_optional_text(f, "mime_type"),
        .size = rmi_fields_optional(f, "size"),
        .offset = rmi_fields_optional(f, "offset"),
        .length = rmi_fields_optional(f, "length"),
    };
    if (!f->err && !file.path[0])
        rmi_fields_fail(f, "path", "is empty");
    if (!f->err)
        check(f, "path", rm_runtime_data_create_file(&file, &d));
    if (d)
        read_stream_id(f, d);
    return d;
}

static const struct {
    const char *name;
    bool object; /* the members are inside the variant's value; else the value itself is read */
    rm_runtime_data *(*read)(struct rmi_fields *f);
} variants[] = {
    {"Audio", true, read_audio},   {"Video", true, read_video},    {"Image", true, read_image},
    {"Tensor", true, read_tensor}, {"Numpy", true, read_numpy},    {"Json", false, read_json},
    {"Text", false, read_text},    {"Binary", false, read_binary}, {"ControlMessage", true, read_control},
    {"File", true, read_file},
};

/* The single member of `root` says which variant it is. */
static rm_runtime_data *read_variant(const json_t *root, struct rmi_fields *f) {
    const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)root));
    if (json_object_size(root) != 1) {
        rmi_fields_fail(f, "", "an object with one member, the variant, is expected");
        return NULL;
    }
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        if (strcmp(name, variants[i].name) != 0)
            continue;
        f->path = variants[i].name;
        f->object = variants[i].object ? json_object_get(root, name) : root;
        if (!json_is_object(f->object)) {
            rmi_fields_fail(f, "", "an object is expected");
            return NULL;
        }
        return variants[i].read(f);
    }
    rmi_fields_fail(f, "", "\"%.40s\" is no variant known here", name);
    return NULL;
}

rm_err rm_runtime_data_from_json(const char *text, size_t size, rm_runtime_data **out, char *detail,
                                 size_t detail_size) {
    char unused[1];
    if (!out || (!text && size > 0))
        return RM_E_INVALID_ARG;
    struct rmi_fields f = {
        .path = "data", .detail = detail ? detail : unused, .detail_size = detail ? detail_size : sizeof unused};
    json_t *root = NULL;
    f.err = rmi_json_text_load(text, size, &root, f.detail, f.detail_size);
    rm_runtime_data *d = f.err ? NULL : read_variant(root, &f);
    json_decref(root);
    if (f.err) {
        rm_runtime_data_unref(&d);
        return f.err;
    }
    *out = d;
    return RM_OK;
}
