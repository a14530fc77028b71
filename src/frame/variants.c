/* SPDX-License-Identifier: Apache-2.0 */
/* Constructors of sound, images, text, bytes, control messages and files. */
#include "frame/data_private.h"
#include "frame/utf8.h"
#include <string.h>

#define DEFAULT_CHANNEL "tts"
#define CHANNEL_MAX 127  /* the tag's length byte is part of a UTF-8 string: ASCII */
#define TAG_HEAD_BYTES 2 /* a NUL and the length of the channel's name */

rm_err rmi_data_audio(struct rmi_pool *home, rm_buf *buf, size_t offset, size_t sample_count, uint32_t sample_rate,
                      uint32_t channels, rm_runtime_data **out) {
    if (!buf || !out || sample_rate == 0 || sample_rate > RM_SAMPLE_RATE_MAX || channels == 0 ||
        channels > RM_AUDIO_CHANNELS_MAX || sample_count % channels != 0 || sample_count > SIZE_MAX / sizeof(float) ||
        offset > buf->len || (uintptr_t)(buf->data + offset) % _Alignof(float) != 0)
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(home, RM_DATA_AUDIO, buf, offset, sample_count * sizeof(float), &d);
    if (err)
        return err;
    d->room = sample_count;
    d->u.audio = (rm_audio){
        .samples = (const float *)(const void *)(buf->data + offset),
        .sample_count = sample_count,
        .frame_count = sample_count / channels,
        .sample_rate = sample_rate,
        .channels = channels,
    };
    *out = d;
    return RM_OK;
}

rm_err rm_runtime_data_create_audio(rm_buf *buf, size_t offset, size_t sample_count, uint32_t sample_rate,
                                    uint32_t channels, rm_runtime_data **out) {
    return rmi_data_audio(NULL, buf, offset, sample_count, sample_rate, channels, out);
}

rm_err rm_runtime_data_create_image(rm_buf *buf, size_t offset, size_t size, rm_image_format format,
                                    rm_pixel_format pixel_format, uint32_t width, uint32_t height,
                                    rm_runtime_data **out) {
    if (!buf || !out || size == 0 || width == 0 || height == 0 || width > RM_VIDEO_SIDE_MAX ||
        height > RM_VIDEO_SIDE_MAX || format < RM_IMAGE_JPEG || format > RM_IMAGE_RAW)
        return RM_E_INVALID_ARG;
    if (format == RM_IMAGE_RAW ? rm_video_packed_size(pixel_format, width, height) != size
                               : pixel_format != RM_PIXEL_UNSPECIFIED)
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_IMAGE, buf, offset, size, &d);
    if (err)
        return err;
    d->u.image = (rm_image){.data = buf->data + offset,
                            .size = size,
                            .format = format,
                            .pixel_format = pixel_format,
                            .width = width,
                            .height = height};
    *out = d;
    return RM_OK;
}

rm_err rm_runtime_data_create_binary(rm_buf *buf, size_t offset, size_t size, rm_runtime_data **out) {
    return buf ? rmi_data_new(NULL, RM_DATA_BINARY, buf, offset, size, out) : RM_E_INVALID_ARG;
}

/* A text that claims a tag but does not hold one is taken as it is, without a tag. */
static void read_tag(rm_text *t) {
    t->channel = DEFAULT_CHANNEL;
    t->channel_size = sizeof DEFAULT_CHANNEL - 1;
    t->text = t->raw;
    t->size = t->raw_size;
    if (t->raw_size < TAG_HEAD_BYTES || t->raw[0] != '\0')
        return;
    const size_t name = (unsigned char)t->raw[1];
    if (name > t->raw_size - TAG_HEAD_BYTES || !rmi_utf8_valid(t->raw + TAG_HEAD_BYTES, name))
        return;
    if (name > 0) {
        t->channel = t->raw + TAG_HEAD_BYTES;
        t->channel_size = name;
    }
    t->text = t->raw + TAG_HEAD_BYTES + name;
    t->size = t->raw_size - TAG_HEAD_BYTES - name;
}

/* Takes over the reference to `raw`. */
static rm_err make_text(struct rmi_buf *raw, rm_runtime_data **out) {
    if (!raw)
        return RM_E_NO_MEMORY;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_TEXT, raw, 0, raw->len, &d);
    rmi_buf_unref(&raw);
    if (err)
        return err;
    d->u.text = (rm_text){.raw = (const char *)d->buf->data, .raw_size = d->size};
    read_tag(&d->u.text);
    *out = d;
    return RM_OK;
}

rm_err rm_runtime_data_create_text(const char *text, size_t size, const char *channel, rm_runtime_data **out) {
    if (!out || (!text && size > 0) || !rmi_utf8_valid(text, size))
        return RM_E_INVALID_ARG;
    if (!channel || strcmp(channel, DEFAULT_CHANNEL) == 0)
        return make_text(rmi_text_buf(text ? text : "", size), out);
    const size_t name = strnlen(channel, CHANNEL_MAX + 1);
    if (name == 0 || name > CHANNEL_MAX || !rmi_utf8_valid(channel, name) || size > SIZE_MAX / 2)
        return RM_E_INVALID_ARG;
    const size_t total = TAG_HEAD_BYTES + name + size;
    struct rmi_buf *raw = rmi_buf_alloc(total + 1, NULL);
    if (raw) {
        raw->len = total;
        raw->data[0] = '\0';
        raw->data[1] = (uint8_t)name;
        memcpy(raw->data + TAG_HEAD_BYTES, channel, name);
        if (size > 0)
            memcpy(raw->data + TAG_HEAD_BYTES + name, text, size);
        raw->data[total] = '\0';
    }
    return make_text(raw, out);
}

static bool control_fits(const rm_control *c) {
    if (c->timestamp_ms < 0 || (c->segment_id && !rmi_utf8_valid(c->segment_id, strlen(c->segment_id))))
        return false;
    switch (c->type) {
    case RM_CONTROL_CANCEL_SPECULATION:
        return c->from_us >= 0 && c->from_us < c->to_us;
    case RM_CONTROL_BATCH_HINT:
        return c->suggested_batch_size >= 1 && c->suggested_batch_size <= RM_BATCH_SIZE_MAX;
    case RM_CONTROL_DEADLINE_WARNING:
        return c->deadline_us >= 0;
    }
    return false;
}

rm_err rm_runtime_data_create_control(const rm_control *control, rm_runtime_data **out) {
    if (!control || !out || !control_fits(control))
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_CONTROL, NULL, 0, 0, &d);
    if (err)
        return err;
    d->u.control = *control;
    if (control->segment_id) {
        d->extra = rmi_text_buf(control->segment_id, strlen(control->segment_id));
        if (!d->extra) {
            rm_runtime_data_unref(&d);
            return RM_E_NO_MEMORY;
        }
        d->u.control.segment_id = (const char *)d->extra->data;
    }
    *out = d;
    return RM_OK;
}

static size_t stored_bytes(const char *text) {
    return text ? strlen(text) + 1 : 0;
}

/* Copies `text` to the end of `to`, which has room for it. NULL stays NULL. */
static const char *store(struct rmi_buf *to, const char *text) {
    if (!text)
        return NULL;
    char *at = (char *)to->data + to->len;
    memcpy(at, text, stored_bytes(text));
    to->len += stored_bytes(text);
    return at;
}

static bool text_fits(const char *text) {
    return !text || rmi_utf8_valid(text, strlen(text));
}

rm_err rm_runtime_data_create_file(const rm_file *file, rm_runtime_data **out) {
    if (!file || !out || !file->path || !file->path[0] || !text_fits(file->path) || !text_fits(file->filename) ||
        !text_fits(file->mime_type) || file->size < RM_NO_VALUE || file->offset < RM_NO_VALUE ||
        file->length < RM_NO_VALUE)
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(NULL, RM_DATA_FILE, NULL, 0, 0, &d);
    if (err)
        return err;
    d->extra =
        rmi_buf_alloc(stored_bytes(file->path) + stored_bytes(file->filename) + stored_bytes(file->mime_type), NULL);
    if (!d->extra) {
        rm_runtime_data_unref(&d);
        return RM_E_NO_MEMORY;
    }
    d->u.file = *file;
    d->u.file.path = store(d->extra, file->path);
    d->u.file.filename = store(d->extra, file->filename);
    d->u.file.mime_type = store(d->extra, file->mime_type);
    *out = d;
    return RM_OK;
}
