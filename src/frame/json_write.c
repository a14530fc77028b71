/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sbuf.h"
#include "frame/data_private.h"
#include "frame/json_text.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 32  /* characters of the longest number written here, and more */
#define FLOAT_DIGITS 9 /* enough to read back the same 32-bit float (IEEE 754 section 5.12.2) */

/* Members of one object, in turn. */
struct writer {
    struct rmi_sbuf out;
    bool first;
    char *detail;
    size_t detail_size;
    rm_err err;
};

static void open_list(struct writer *w, const char *bracket) {
    rmi_sbuf_add(&w->out, bracket);
    w->first = true;
}

static void item(struct writer *w) {
    if (!w->first)
        rmi_sbuf_add_n(&w->out, ",", 1);
    w->first = false;
}

static void name(struct writer *w, const char *member) {
    item(w);
    rmi_sbuf_addf(&w->out, "\"%s\":", member);
}

static void put_int(struct writer *w, const char *member, int64_t value) {
    name(w, member);
    rmi_sbuf_addf(&w->out, "%" PRId64, value);
}

static void put_optional(struct writer *w, const char *member, int64_t value) {
    if (value != RM_NO_VALUE)
        put_int(w, member, value);
}

static void put_bool(struct writer *w, const char *member, bool value) {
    name(w, member);
    rmi_sbuf_add(&w->out, value ? "true" : "false");
}

static void text_value(struct writer *w, const char *text, size_t size) {
    json_t *string = json_stringn_nocheck(text, size); /* checked when the object was made */
    struct rmi_buf *quoted = NULL;
    if (string && rmi_json_text_dump(string, &quoted) == RM_OK)
        rmi_sbuf_add_n(&w->out, (const char *)quoted->data, quoted->len);
    else
        w->err = RM_E_NO_MEMORY;
    rmi_buf_unref(&quoted);
    json_decref(string);
}

static void put_text(struct writer *w, const char *member, const char *text) {
    if (!text)
        return;
    name(w, member);
    text_value(w, text, strlen(text));
}

static void put_raw(struct writer *w, const char *member, const char *json) {
    if (!json)
        return;
    name(w, member);
    rmi_sbuf_add(&w->out, json);
}

static void byte_items(struct writer *w, const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char digits[4];
        size_t at = sizeof digits;
        unsigned v = data[i];
        do
            digits[--at] = (char)('0' + v % 10);
        while (v /= 10);
        item(w);
        rmi_sbuf_add_n(&w->out, digits + at, sizeof digits - at);
    }
}

static void bytes_value(struct writer *w, const uint8_t *data, size_t size) {
    open_list(w, "[");
    byte_items(w, data, size);
    rmi_sbuf_add(&w->out, "]");
    w->first = false;
}

static void put_bytes(struct writer *w, const char *member, const uint8_t *data, size_t size) {
    name(w, member);
    bytes_value(w, data, size);
}

void rmi_json_plain_number(char *text) {
    size_t n = 0;
    bool in_separator = false;
    for (const char *c = text; *c; c++) {
        const bool part = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e';
        if (part || !in_separator)
            text[n++] = part ? *c : '.';
        in_separator = !part;
    }
    text[n] = '\0';
}

static void put_float(struct writer *w, float value) {
    char text[NUMBER_MAX];
    (void)snprintf(text, sizeof text, "%.*g", FLOAT_DIGITS, (double)value);
    rmi_json_plain_number(text);
    item(w);
    rmi_sbuf_add(&w->out, text);
}

static void common_fields(struct writer *w, const rm_runtime_data *d) {
    put_text(w, "stream_id", rm_runtime_data_stream_id(d));
    if (d->type != RM_DATA_VIDEO) /* there the time is a field that is always present */
        put_optional(w, "timestamp_us", d->timestamp_us);
    put_optional(w, "arrival_ts_us", d->arrival_us);
    put_raw(w, "metadata", rm_runtime_data_metadata(d));
}

static void write_audio(struct writer *w, const rm_runtime_data *d) {
    const rm_audio *a = &d->u.audio;
    name(w, "samples");
    open_list(w, "[");
    for (size_t i = 0; i < a->sample_count; i++) {
        if (!isfinite(a->samples[i])) {
            w->err = RM_E_INVALID_ARG;
            (void)snprintf(w->detail, w->detail_size, "Audio.samples[%zu]: not a finite number", i);
            return;
        }
        put_float(w, a->samples[i]);
    }
    rmi_sbuf_add(&w->out, "]");
    w->first = false;
    put_int(w, "sample_rate", a->sample_rate);
    put_int(w, "channels", a->channels);
    common_fields(w, d);
}

static void write_video(struct writer *w, const rm_runtime_data *d) {
    const rm_video *v = &d->u.video;
    name(w, "pixel_data");
    open_list(w, "[");
    if (v->plane_count == 0)
        byte_items(w, v->data, v->size);
    for (uint32_t i = 0; i < v->plane_count; i++) {
        const struct rmi_plane p = rmi_video_plane(v->format, v->width, v->height, i);
        for (size_t row = 0; row < p.rows; row++)
            byte_items(w, v->planes[i] + row * v->strides[i], p.row_bytes);
    }
    rmi_sbuf_add(&w->out, "]");
    w->first = false;
    put_int(w, "width", v->width);
    put_int(w, "height", v->height);
    put_text(w, "format", rm_pixel_format_name(v->format));
    if (v->codec != RM_CODEC_RAW)
        put_text(w, "codec", rm_codec_name(v->codec));
    put_int(w, "frame_number", (int64_t)v->frame_number);
    put_int(w, "timestamp_us", d->timestamp_us);
    put_bool(w, "is_keyframe", v->is_keyframe);
    common_fields(w, d);
}

static void write_image(struct writer *w, const rm_runtime_data *d) {
    static const char *const formats[] = {
        [RM_IMAGE_JPEG] = "\"Jpeg\"", [RM_IMAGE_PNG] = "\"Png\"", [RM_IMAGE_WEBP] = "\"WebP\""};
    const rm_image *i = &d->u.image;
    put_bytes(w, "data", i->data, i->size);
    name(w, "format");
    if (i->format == RM_IMAGE_RAW)
        rmi_sbuf_addf(&w->out, "{\"Raw\":{\"pixel_format\":\"%s\"}}", rm_pixel_format_name(i->pixel_format));
    else
        rmi_sbuf_add(&w->out, formats[i->format]);
    put_int(w, "width", i->width);
    put_int(w, "height", i->height);
    common_fields(w, d);
}

static void write_tensor(struct writer *w, const rm_runtime_data *d) {
    const rm_tensor *t = &d->u.tensor;
    put_bytes(w, "data", t->data, t->size);
    name(w, "shape");
    open_list(w, "[");
    for (size_t i = 0; i < t->dims; i++) {
        item(w);
        rmi_sbuf_addf(&w->out, "%" PRId32, t->shape[i]);
    }
    rmi_sbuf_add(&w->out, "]");
    w->first = false;
    put_int(w, "dtype", t->dtype);
    common_fields(w, d);
}

static void put_list(struct writer *w, const char *member, const int64_t *values, size_t count) {
    name(w, member);
    open_list(w, "[");
    for (size_t i = 0; i < count; i++) {
        item(w);
        rmi_sbuf_addf(&w->out, "%" PRId64, values[i]);
    }
    rmi_sbuf_add(&w->out, "]");
    w->first = false;
}

static void write_numpy(struct writer *w, const rm_runtime_data *d) {
    const rm_numpy *n = &d->u.numpy;
    put_bytes(w, "data", n->data, n->size);
    put_list(w, "shape", n->shape, n->dims);
    put_text(w, "dtype", n->dtype);
    put_list(w, "strides", n->strides, n->strides ? n->dims : 0);
    put_bool(w, "c_contiguous", n->c_contiguous);
    put_bool(w, "f_contiguous", n->f_contiguous);
}

static void write_control(struct writer *w, const rm_runtime_data *d) {
    const rm_control *c = &d->u.control;
    name(w, "message_type");
    open_list(w, "{");
    switch (c->type) {
    case RM_CONTROL_CANCEL_SPECULATION:
        put_text(w, "type", "CancelSpeculation");
        put_int(w, "from_timestamp", c->from_us);
        put_int(w, "to_timestamp", c->to_us);
        break;
    case RM_CONTROL_BATCH_HINT:
        put_text(w, "type", "BatchHint");
        put_int(w, "suggested_batch_size", c->suggested_batch_size);
        break;
    case RM_CONTROL_DEADLINE_WARNING:
        put_text(w, "type", "DeadlineWarning");
        put_int(w, "deadline_us", c->deadline_us);
        break;
    }
    rmi_sbuf_add(&w->out, "}");
    w->first = false;
    put_text(w, "segment_id", c->segment_id);
    put_int(w, "timestamp_ms", c->timestamp_ms);
    const char *metadata = rm_runtime_data_metadata(d);
    put_raw(w, "metadata", metadata ? metadata : "null"); /* not optional in this variant */
}

static void write_file(struct writer *w, const rm_runtime_data *d) {
    const rm_file *f = &d->u.file;
    put_text(w, "path", f->path);
    put_text(w, "filename", f->filename);
    put_text(w, "mime_type", f->mime_type);
    put_optional(w, "size", f->size);
    put_optional(w, "offset", f->offset);
    put_optional(w, "length", f->length);
    common_fields(w, d);
}

static const struct {
    const char *variant;
    void (*members)(struct writer *w, const rm_runtime_data *d); /* NULL: the value is no object */
} forms[] = {
    [RM_DATA_AUDIO] = {"Audio", write_audio},
    [RM_DATA_VIDEO] = {"Video", write_video},
    [RM_DATA_IMAGE] = {"Image", write_image},
    [RM_DATA_TENSOR] = {"Tensor", write_tensor},
    [RM_DATA_NUMPY] = {"Numpy", write_numpy},
    [RM_DATA_JSON] = {"Json", NULL},
    [RM_DATA_TEXT] = {"Text", NULL},
    [RM_DATA_BINARY] = {"Binary", NULL},
    [RM_DATA_CONTROL] = {"ControlMessage", write_control},
    [RM_DATA_FILE] = {"File", write_file},
};

static void write_value(struct writer *w, const rm_runtime_data *d) {
    if (forms[d->type].members) {
        open_list(w, "{");
        forms[d->type].members(w, d);
        rmi_sbuf_add(&w->out, "}");
    } else if (d->type == RM_DATA_JSON) {
        rmi_sbuf_add_n(&w->out, rm_runtime_data_json(d), d->size);
    } else if (d->type == RM_DATA_TEXT) {
        text_value(w, d->u.text.raw, d->u.text.raw_size);
    } else {
        bytes_value(w, d->buf->data + d->offset, d->size);
    }
}

/* Elements of the long array, if there is one. */
static size_t element_count(const rm_runtime_data *d) {
    switch (d->type) {
    case RM_DATA_TEXT:
    case RM_DATA_JSON:
        return 0;
    case RM_DATA_AUDIO:
        return d->u.audio.sample_count;
    case RM_DATA_VIDEO:
        if (d->u.video.plane_count > 0) /* the gaps between rows are not written */
            return rm_video_packed_size(d->u.video.format, d->u.video.width, d->u.video.height);
        return d->size;
    default:
        return d->size;
    }
}

rm_err rm_runtime_data_to_json(const rm_runtime_data *data, char **out, size_t *out_size, char *detail,
                               size_t detail_size) {
    char unused[1];
    if (!data || !out || !out_size)
        return RM_E_INVALID_ARG;
    struct writer w = {.detail = detail ? detail : unused, .detail_size = detail ? detail_size : sizeof unused};
    const char *variant = forms[data->type].variant;
    /* What could not be read back for its size is refused before anything is written. */
    if (element_count(data) > RM_JSON_VALUES_MAX) {
        (void)snprintf(w.detail, w.detail_size, "%s: %zu elements are too many for JSON", variant, element_count(data));
        return RM_E_TOO_BIG;
    }
    rmi_sbuf_addf(&w.out, "{\"%s\":", variant);
    write_value(&w, data);
    rmi_sbuf_add(&w.out, "}");
    if (!w.err &&
        !w.out.failed) /* what is written can be read: JSON inside may be nested too deep for one level more */
        w.err = rmi_json_text_check(w.out.data, w.out.len, w.detail, w.detail_size);
    const size_t size = w.out.len;
    char *text = w.err ? NULL : rmi_sbuf_take(&w.out);
    rmi_sbuf_fini(&w.out);
    if (!text) {
        if (w.err == RM_OK || w.err == RM_E_NO_MEMORY)
            (void)snprintf(w.detail, w.detail_size, "%s: no memory", variant);
        return w.err ? w.err : RM_E_NO_MEMORY;
    }
    *out = text;
    *out_size = size;
    return RM_OK;
}

void rm_json_free(char **text) {
    if (!text)
        return;
    free(*text);
    *text = NULL;
}
