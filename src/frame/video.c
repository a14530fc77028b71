/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_private.h"

#include <string.h>

#define RGB24_BYTES 3
#define RGBA32_BYTES 4

const char *rm_pixel_format_name(rm_pixel_format format) {
    switch (format) {
    case RM_PIXEL_UNSPECIFIED:
        return "Unspecified";
    case RM_PIXEL_YUV420P:
        return "Yuv420p";
    case RM_PIXEL_I420:
        return "I420";
    case RM_PIXEL_NV12:
        return "NV12";
    case RM_PIXEL_RGB24:
        return "Rgb24";
    case RM_PIXEL_RGBA32:
        return "Rgba32";
    case RM_PIXEL_ENCODED:
        return "Encoded";
    }
    return "Unknown";
}

const char *rm_codec_name(rm_codec codec) {
    switch (codec) {
    case RM_CODEC_RAW:
        return "Raw";
    case RM_CODEC_VP8:
        return "Vp8";
    case RM_CODEC_H264:
        return "H264";
    case RM_CODEC_AV1:
        return "Av1";
    case RM_CODEC_VP9:
        return "Vp9";
    }
    return "Unknown";
}

uint32_t rmi_video_plane_count(rm_pixel_format format) {
    switch (format) {
    case RM_PIXEL_YUV420P:
    case RM_PIXEL_I420:
        return 3;
    case RM_PIXEL_NV12:
        return 2;
    case RM_PIXEL_RGB24:
    case RM_PIXEL_RGBA32:
        return 1;
    default:
        return 0;
    }
}

struct rmi_plane rmi_video_plane(rm_pixel_format format, uint32_t width, uint32_t height, uint32_t plane) {
    const size_t w = width, h = height;
    if (plane >= rmi_video_plane_count(format))
        return (struct rmi_plane){0, 0};
    switch (format) {
    case RM_PIXEL_RGB24:
        return (struct rmi_plane){w * RGB24_BYTES, h};
    case RM_PIXEL_RGBA32:
        return (struct rmi_plane){w * RGBA32_BYTES, h};
    case RM_PIXEL_NV12:
        return plane == 0 ? (struct rmi_plane){w, h} : (struct rmi_plane){w, h / 2};
    default:
        return plane == 0 ? (struct rmi_plane){w, h} : (struct rmi_plane){w / 2, h / 2};
    }
}

static bool sides_fit(rm_pixel_format format, uint32_t width, uint32_t height) {
    if (width == 0 || height == 0 || width > RM_VIDEO_SIDE_MAX || height > RM_VIDEO_SIDE_MAX)
        return false;
    return rmi_video_plane_count(format) < 2 || (width % 2 == 0 && height % 2 == 0);
}

size_t rm_video_packed_size(rm_pixel_format format, uint32_t width, uint32_t height) {
    if (!sides_fit(format, width, height))
        return 0;
    size_t size = 0;
    for (uint32_t i = 0; i < rmi_video_plane_count(format); i++) {
        const struct rmi_plane p = rmi_video_plane(format, width, height, i);
        size += p.row_bytes * p.rows;
    }
    return size;
}

static bool codec_known(rm_codec codec) {
    return codec == RM_CODEC_RAW || codec == RM_CODEC_VP8 || codec == RM_CODEC_H264 || codec == RM_CODEC_AV1 ||
           codec == RM_CODEC_VP9;
}

/* From `head`: format, size of the picture, codec, frame number, keyframe. */
static rm_err make(struct rmi_pool *home, rm_buf *buf, size_t offset, size_t size, const rm_video *head,
                   int64_t timestamp_us, rm_runtime_data **out) {
    if (!buf || !out || timestamp_us < 0 || head->frame_number > INT64_MAX || !codec_known(head->codec) ||
        !sides_fit(head->format, head->width, head->height))
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = rmi_data_new(home, RM_DATA_VIDEO, buf, offset, size, &d);
    if (err)
        return err;
    d->timestamp_us = timestamp_us;
    d->u.video = (rm_video){
        .data = buf->data + offset,
        .size = size,
        .width = head->width,
        .height = head->height,
        .format = head->format,
        .codec = head->codec,
        .frame_number = head->frame_number,
        .is_keyframe = head->is_keyframe,
    };
    *out = d;
    return RM_OK;
}

rm_err rmi_data_encoded(struct rmi_pool *home, rm_buf *buf, size_t offset, size_t size, const rm_video *head,
                        int64_t timestamp_us, rm_runtime_data **out) {
    if (size == 0)
        return RM_E_INVALID_ARG;
    return make(home, buf, offset, size, head, timestamp_us, out);
}

/* Where the planes begin and end together; false: one of them is not inside the buffer. */
static bool span(const rm_buf *buf, const size_t *offsets, const size_t *strides, const rm_video *head, size_t *from,
                 size_t *to) {
    *from = SIZE_MAX;
    *to = 0;
    for (uint32_t i = 0; i < rmi_video_plane_count(head->format); i++) {
        const struct rmi_plane p = rmi_video_plane(head->format, head->width, head->height, i);
        /* Rows at most RM_VIDEO_SIDE_MAX: a stride over the buffer's length is refused before the product. */
        if (strides[i] < p.row_bytes || strides[i] > buf->len || offsets[i] > buf->len)
            return false;
        if (p.rows > 1 && strides[i] > SIZE_MAX / 2 / p.rows)
            return false;
        const size_t bytes = strides[i] * (p.rows - 1) + p.row_bytes;
        if (bytes > buf->len - offsets[i])
            return false;
        if (offsets[i] < *from)
            *from = offsets[i];
        if (offsets[i] + bytes > *to)
            *to = offsets[i] + bytes;
    }
    return true;
}

rm_err rmi_data_planes(struct rmi_pool *home, rm_buf *buf, const size_t *offsets, const size_t *strides,
                       const rm_video *head, int64_t timestamp_us, rm_runtime_data **out) {
    const uint32_t planes = rmi_video_plane_count(head->format);
    size_t from = 0, to = 0;
    if (!buf || !offsets || !strides || planes == 0 || !sides_fit(head->format, head->width, head->height) ||
        !span(buf, offsets, strides, head, &from, &to))
        return RM_E_INVALID_ARG;
    rm_runtime_data *d = NULL;
    const rm_err err = make(home, buf, from, to - from, head, timestamp_us, &d);
    if (err)
        return err;
    d->u.video.plane_count = planes;
    for (uint32_t i = 0; i < planes; i++) {
        d->u.video.planes[i] = buf->data + offsets[i];
        d->u.video.strides[i] = strides[i];
    }
    *out = d;
    return RM_OK;
}

rm_err rm_runtime_data_create_video_planes(rm_buf *buf, const size_t *offsets, const size_t *strides,
                                           rm_pixel_format format, uint32_t width, uint32_t height,
                                           uint64_t frame_number, int64_t timestamp_us, rm_runtime_data **out) {
    const rm_video head = {.format = format, .width = width, .height = height, .frame_number = frame_number};
    return out ? rmi_data_planes(NULL, buf, offsets, strides, &head, timestamp_us, out) : RM_E_INVALID_ARG;
}

rm_err rm_runtime_data_create_video(rm_buf *buf, size_t offset, rm_pixel_format format, uint32_t width, uint32_t height,
                                    uint64_t frame_number, int64_t timestamp_us, rm_runtime_data **out) {
    size_t offsets[RM_PLANES_MAX] = {0}, strides[RM_PLANES_MAX] = {0};
    if (offset > rm_buf_size(buf))
        return RM_E_INVALID_ARG;
    size_t at = offset;
    for (uint32_t i = 0; i < rmi_video_plane_count(format); i++) {
        const struct rmi_plane p = rmi_video_plane(format, width, height, i);
        offsets[i] = at;
        strides[i] = p.row_bytes;
        at += p.row_bytes * p.rows;
    }
    return rm_runtime_data_create_video_planes(buf, offsets, strides, format, width, height, frame_number, timestamp_us,
                                               out);
}

rm_err rm_runtime_data_create_encoded(rm_buf *buf, size_t offset, size_t size, rm_codec codec, uint32_t width,
                                      uint32_t height, bool is_keyframe, uint64_t frame_number, int64_t timestamp_us,
                                      rm_runtime_data **out) {
    const rm_video head = {
        .format = RM_PIXEL_ENCODED,
        .codec = codec,
        .width = width,
        .height = height,
        .is_keyframe = is_keyframe,
        .frame_number = frame_number,
    };
    return out ? rmi_data_encoded(NULL, buf, offset, size, &head, timestamp_us, out) : RM_E_INVALID_ARG;
}

rm_err rm_video_pack(const rm_video *video, uint8_t *out, size_t size, size_t *written) {
    if (!video || !out || !written)
        return RM_E_INVALID_ARG;
    const size_t need =
        video->plane_count ? rm_video_packed_size(video->format, video->width, video->height) : video->size;
    if (size < need)
        return RM_E_TOO_BIG;
    if (video->plane_count == 0 && need > 0)
        memcpy(out, video->data, need);
    uint8_t *at = out;
    for (uint32_t i = 0; i < video->plane_count; i++) {
        const struct rmi_plane p = rmi_video_plane(video->format, video->width, video->height, i);
        for (size_t row = 0; row < p.rows; row++, at += p.row_bytes)
            memcpy(at, video->planes[i] + row * video->strides[i], p.row_bytes);
    }
    *written = need;
    return RM_OK;
}
