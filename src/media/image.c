/* SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"
#include "media/image_private.h"
#include <libyuv.h>

static int chroma(int side) {
    return (side + 1) / 2;
}

bool rmi_image_plane_size(enum rmi_image_format format, int width, int height, int plane, int *bytes, int *rows) {
    *rows = plane == 0 ? height : chroma(height);
    switch (format) {
    case RMI_IMAGE_I420:
        *bytes = plane == 0 ? width : chroma(width);
        return plane < 3;
    case RMI_IMAGE_NV12:
        *bytes = plane == 0 ? width : 2 * chroma(width);
        return plane < 2;
    case RMI_IMAGE_RGB24:
        *bytes = RMI_IMAGE_RGB24_BYTES * width;
        return plane < 1;
    case RMI_IMAGE_RGBA:
        *bytes = RMI_IMAGE_RGBA_BYTES * width;
        return plane < 1;
    default:
        return false;
    }
}

static bool sides_valid(int width, int height) {
    return width >= 1 && height >= 1 && width <= RMI_IMAGE_SIDE_MAX && height <= RMI_IMAGE_SIDE_MAX;
}

bool rmi_image_format_of(rm_pixel_format format, enum rmi_image_format *out) {
    switch (format) {
    case RM_PIXEL_YUV420P:
    case RM_PIXEL_I420:
        *out = RMI_IMAGE_I420;
        return true;
    case RM_PIXEL_NV12:
        *out = RMI_IMAGE_NV12;
        return true;
    case RM_PIXEL_RGB24:
        *out = RMI_IMAGE_RGB24;
        return true;
    case RM_PIXEL_RGBA32:
        *out = RMI_IMAGE_RGBA;
        return true;
    default:
        return false;
    }
}

size_t rmi_image_bytes(enum rmi_image_format format, int width, int height) {
    size_t sum = 0;
    int bytes, rows;
    if (!sides_valid(width, height))
        return 0;
    for (int i = 0; i < RMI_IMAGE_PLANES && rmi_image_plane_size(format, width, height, i, &bytes, &rows); i++)
        sum += (size_t)bytes * (size_t)rows;
    return sum;
}

rm_err rmi_image_wrap(struct rmi_image *image, enum rmi_image_format format, int width, int height, void *data,
                      size_t len) {
    size_t need = rmi_image_bytes(format, width, height);
    uint8_t *at = data;
    int bytes, rows;
    if (need == 0 || !data || len < need)
        return RM_E_INVALID_ARG;
    *image = (struct rmi_image){.format = format, .width = width, .height = height};
    for (int i = 0; i < RMI_IMAGE_PLANES && rmi_image_plane_size(format, width, height, i, &bytes, &rows); i++) {
        image->plane[i] = at;
        image->stride[i] = bytes;
        at += (size_t)bytes * (size_t)rows;
    }
    return RM_OK;
}

bool rmi_image_valid(const struct rmi_image *image) {
    int bytes, rows;
    if (!sides_valid(image->width, image->height) || image->format >= RMI_IMAGE_FORMAT_COUNT)
        return false;
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        if (!rmi_image_plane_size(image->format, image->width, image->height, i, &bytes, &rows))
            return i > 0;
        if (!image->plane[i] || image->stride[i] < bytes)
            return false;
    }
    return true;
}

static void copy(const struct rmi_image *from, struct rmi_image *to, bool upside_down) {
    int bytes, rows;
    for (int i = 0; i < RMI_IMAGE_PLANES; i++)
        if (rmi_image_plane_size(from->format, from->width, from->height, i, &bytes, &rows))
            CopyPlane(from->plane[i], from->stride[i], to->plane[i], to->stride[i], bytes, upside_down ? -rows : rows);
}

rm_err rmi_image_flip(const struct rmi_image *from, struct rmi_image *to, bool horizontal, bool vertical) {
    if (!rmi_image_valid(from) || !rmi_image_valid(to) || from->format != to->format || from->width != to->width ||
        from->height != to->height)
        return RM_E_INVALID_ARG;
    int width = from->width, height = vertical ? -from->height : from->height;
    if (!horizontal) {
        copy(from, to, vertical);
        return RM_OK;
    }
    switch (from->format) {
    case RMI_IMAGE_I420:
        I420Mirror(from->plane[0], from->stride[0], from->plane[1], from->stride[1], from->plane[2], from->stride[2],
                   to->plane[0], to->stride[0], to->plane[1], to->stride[1], to->plane[2], to->stride[2], width,
                   height);
        break;
    case RMI_IMAGE_NV12:
        NV12Mirror(from->plane[0], from->stride[0], from->plane[1], from->stride[1], to->plane[0], to->stride[0],
                   to->plane[1], to->stride[1], width, height);
        break;
    case RMI_IMAGE_RGB24:
        RGB24Mirror(from->plane[0], from->stride[0], to->plane[0], to->stride[0], width, height);
        break;
    default:
        ARGBMirror(from->plane[0], from->stride[0], to->plane[0], to->stride[0], width, height);
    }
    return RM_OK;
}
