/* SPDX-License-Identifier: Apache-2.0 */
#include "session/picture.h"
#include "media/image.h"
#include <stdlib.h>

#define I420_PLANES 3

static int even(int side) {
    return side & ~1;
}

static struct rmi_image image_of(const struct rmi_codec_picture *p) {
    struct rmi_image image = {.format = RMI_IMAGE_I420, .width = even(p->width), .height = even(p->height)};
    for (int i = 0; i < I420_PLANES; i++) {
        image.plane[i] = (uint8_t *)(uintptr_t)p->plane[i]; /* a source, only read */
        image.stride[i] = p->stride[i];
    }
    return image;
}

static struct rmi_codec_picture picture_of(const struct rmi_image *image) {
    struct rmi_codec_picture p = {.width = image->width, .height = image->height};
    for (int i = 0; i < I420_PLANES; i++) {
        p.plane[i] = image->plane[i];
        p.stride[i] = image->stride[i];
    }
    return p;
}

/* ---- from a decoder ---- */

static rm_err wrap(struct rmi_frame_pool *pool, const struct rmi_codec_picture *p, int64_t timestamp_us,
                   rm_runtime_data **out) {
    size_t offsets[I420_PLANES], strides[I420_PLANES];
    for (int i = 0; i < I420_PLANES; i++) {
        offsets[i] = (size_t)(p->plane[i] - p->buf->data);
        strides[i] = (size_t)p->stride[i];
    }
    return rmi_frame_pool_wrap_video(pool, p->buf, offsets, strides, RM_PIXEL_I420, (uint32_t)even(p->width),
                                     (uint32_t)even(p->height), timestamp_us, out);
}

rm_err rmi_picture_to_frame(struct rmi_frame_pool *pool, const struct rmi_codec_picture *picture, int64_t timestamp_us,
                            rm_runtime_data **out) {
    if (picture->width < 2 || picture->height < 2)
        return RM_E_UNSUPPORTED;
    if (picture->buf)
        return wrap(pool, picture, timestamp_us, out);
    struct rmi_image from = image_of(picture);
    rm_runtime_data *frame = NULL;
    rm_err err = rmi_frame_pool_video(pool, (uint32_t)from.width, (uint32_t)from.height, timestamp_us, &frame);
    if (err)
        return err;
    struct rmi_image to = {.format = RMI_IMAGE_I420, .width = from.width, .height = from.height};
    for (uint32_t i = 0; i < I420_PLANES; i++) {
        to.plane[i] = rm_runtime_data_write_plane(frame, i);
        to.stride[i] = (int)rm_runtime_data_video(frame)->strides[i];
    }
    err = rmi_image_convert(&from, &to, NULL); /* same format: a copy */
    if (err)
        rm_runtime_data_unref(&frame);
    else
        *out = frame;
    return err;
}

/* ---- to an encoder ---- */

void rmi_picture_maker_fini(struct rmi_picture_maker *m) {
    free(m->converted.data);
    free(m->scaled.data);
    *m = (struct rmi_picture_maker){0};
}

bool rmi_picture_accepts(rm_pixel_format format) {
    enum rmi_image_format unused;
    return rmi_image_format_of(format, &unused);
}

static rm_err image_in(struct rmi_picture_room *room, int width, int height, struct rmi_image *out) {
    size_t need = rmi_image_bytes(RMI_IMAGE_I420, width, height);
    if (need == 0)
        return RM_E_INVALID_ARG;
    if (need > room->cap) {
        free(room->data);
        room->cap = 0;
        room->data = malloc(need);
        if (!room->data)
            return RM_E_NO_MEMORY;
        room->cap = need;
    }
    return rmi_image_wrap(out, RMI_IMAGE_I420, width, height, room->data, room->cap);
}

rm_err rmi_picture_from_frame(struct rmi_picture_maker *m, const rm_video *video, int width, int height,
                              struct rmi_codec_picture *out) {
    struct rmi_image image = {.width = even((int)video->width), .height = even((int)video->height)}, next = {0};
    rm_err err = RM_OK;
    if (!rmi_image_format_of(video->format, &image.format))
        return RM_E_UNSUPPORTED;
    for (uint32_t i = 0; i < video->plane_count; i++) {
        image.plane[i] = (uint8_t *)(uintptr_t)video->planes[i]; /* a source, only read */
        image.stride[i] = (int)video->strides[i];
    }
    if (image.format != RMI_IMAGE_I420) { /* at its own size: RGB takes longer to scale than to convert */
        err = image_in(&m->converted, image.width, image.height, &next);
        if (!err)
            err = rmi_image_convert(&image, &next, NULL);
        image = next;
    }
    if (!err && (width != image.width || height != image.height)) {
        err = image_in(&m->scaled, width, height, &next);
        if (!err)
            err = rmi_image_scale(&image, &next, RMI_IMAGE_FILTER_BOX, NULL);
        image = next;
    }
    if (!err)
        *out = picture_of(&image);
    return err;
}

/* ---- sizes ---- */

/* libyuv scales by these six to ten times as fast as by others (measured). */
static const struct { uint64_t num, den; } fast_ratios[] = {{3, 4}, {1, 2}, {1, 4}};
#define NEAR_PCT 90 /* of the side that would fit: less costs more sharpness than the scaling costs time */
#define PCT 100

static int side_of(uint64_t side) {
    int out = even((int)side);
    return out < RMI_VIDEO_SIDE_MIN ? RMI_VIDEO_SIDE_MIN : out;
}

void rmi_picture_fit(uint32_t width, uint32_t height, uint32_t max_long, uint32_t max_short, int *out_width,
                     int *out_height) {
    bool upright = height > width;
    uint64_t w = width, h = height;
    uint64_t limit_w = upright ? max_short : max_long, limit_h = upright ? max_long : max_short;
    *out_width = side_of(w);
    *out_height = side_of(h);
    if (w <= limit_w && h <= limit_h)
        return;
    bool by_width = w * limit_h >= h * limit_w; /* which limit binds */
    uint64_t side = by_width ? w : h, limit = by_width ? limit_w : limit_h;
    for (size_t i = 0; i < sizeof fast_ratios / sizeof *fast_ratios; i++) {
        uint64_t num = fast_ratios[i].num, den = fast_ratios[i].den;
        if (side * num > limit * den || side * num * PCT < limit * den * NEAR_PCT)
            continue;
        *out_width = side_of(w * num / den);
        *out_height = side_of(h * num / den);
        return;
    }
    *out_width = side_of(w * limit / side);
    *out_height = side_of(h * limit / side);
}
