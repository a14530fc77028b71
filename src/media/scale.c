/* SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"
#include "media/image_private.h"
#include <libyuv.h>

size_t rmi_image_scale_scratch(enum rmi_image_format format, int from_width, int from_height, int to_width,
                               int to_height) {
    /* libyuv scales four bytes a pixel, not three */
    return format == RMI_IMAGE_RGB24 ? rmi_image_bytes(RMI_IMAGE_RGBA, from_width, from_height) +
                                           rmi_image_bytes(RMI_IMAGE_RGBA, to_width, to_height)
                                     : 0;
}

/* libyuv multiplies the sum over a box by 65536 / area, rounded down: large boxes darken, by a tenth at 300 x 200. */
#define BOX_AREA_MAX 256

static enum FilterMode mode_of(enum rmi_image_filter filter, const struct rmi_image *from, const struct rmi_image *to) {
    /* libyuv of 2023 takes the wrong chroma from NV12 at half the size without a filter. */
    if (filter == RMI_IMAGE_FILTER_NONE && from->format != RMI_IMAGE_NV12)
        return kFilterNone;
    int64_t area = (int64_t)from->width * from->height / ((int64_t)to->width * to->height);
    return filter == RMI_IMAGE_FILTER_BOX && area <= BOX_AREA_MAX ? kFilterBox : kFilterBilinear;
}

static int scale_rgba(const struct rmi_image *from, struct rmi_image *to, enum FilterMode mode) {
    return ARGBScale(from->plane[0], from->stride[0], from->width, from->height, to->plane[0], to->stride[0], to->width,
                     to->height, mode);
}

static int scale_rgb24(const struct rmi_image *from, struct rmi_image *to, enum FilterMode mode, uint8_t *scratch) {
    struct rmi_image large, small;
    size_t large_bytes = rmi_image_bytes(RMI_IMAGE_RGBA, from->width, from->height);
    size_t small_bytes = rmi_image_bytes(RMI_IMAGE_RGBA, to->width, to->height);
    if (rmi_image_wrap(&large, RMI_IMAGE_RGBA, from->width, from->height, scratch, large_bytes) ||
        rmi_image_wrap(&small, RMI_IMAGE_RGBA, to->width, to->height, scratch + large_bytes, small_bytes))
        return -1;
    return rmi_image_convert(from, &large, NULL) || scale_rgba(&large, &small, mode) ||
           rmi_image_convert(&small, to, NULL);
}

rm_err rmi_image_scale(const struct rmi_image *from, struct rmi_image *to, enum rmi_image_filter filter,
                       void *scratch) {
    int failed;
    if (!rmi_image_valid(from) || !rmi_image_valid(to) || from->format != to->format ||
        (!scratch && from->format == RMI_IMAGE_RGB24))
        return RM_E_INVALID_ARG;
    enum FilterMode mode = mode_of(filter, from, to);
    switch (from->format) {
    case RMI_IMAGE_I420:
        failed = I420Scale(from->plane[0], from->stride[0], from->plane[1], from->stride[1], from->plane[2],
                           from->stride[2], from->width, from->height, to->plane[0], to->stride[0], to->plane[1],
                           to->stride[1], to->plane[2], to->stride[2], to->width, to->height, mode);
        break;
    case RMI_IMAGE_NV12:
        failed = NV12Scale(from->plane[0], from->stride[0], from->plane[1], from->stride[1], from->width, from->height,
                           to->plane[0], to->stride[0], to->plane[1], to->stride[1], to->width, to->height, mode);
        break;
    case RMI_IMAGE_RGB24:
        failed = scale_rgb24(from, to, mode, scratch);
        break;
    default:
        failed = scale_rgba(from, to, mode);
    }
    return failed ? RM_E_INTERNAL : RM_OK;
}
