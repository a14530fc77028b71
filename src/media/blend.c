/* SPDX-License-Identifier: Apache-2.0 */
#include "media/blend.h"
#include "media/blur.h"
#include "media/image_private.h"

#include <libyuv.h>

/* Rows of the half size at a time, and one more on either side to interpolate with. As much as stays in the cache. */
#define STRIP 16
#define STRIP_ROWS (2 * (STRIP + 2))

static int half(int side) {
    return (side + 1) / 2;
}

size_t rmi_blend_scratch(int width) {
    return 2 * STRIP_ROWS * (size_t)rmi_blur_stride(width);
}

static bool same_size(const struct rmi_image *a, const struct rmi_image *b) {
    return a->width == b->width && a->height == b->height;
}

static bool valid(const struct rmi_blend_under *under, const struct rmi_image *over, const struct rmi_image *to) {
    const struct rmi_image *u = &under->picture;
    return rmi_image_valid(u) && rmi_image_valid(over) && rmi_image_valid(to) && u->format == RMI_IMAGE_I420 &&
           over->format == RMI_IMAGE_I420 && to->format == RMI_IMAGE_I420 && same_size(over, to) &&
           u->width == half(to->width) && u->height == half(to->height) && under->mask &&
           under->mask_stride >= u->width;
}

struct plane {
    uint8_t *bytes;
    int stride;
};

static uint8_t *row_of(const struct plane *p, int y) {
    return p->bytes + (size_t)y * (size_t)p->stride;
}

/* Rows 2 * from .. of `small` doubled, of a plane of the size told; where they are in `scratch`. */
static const uint8_t *double_strip(const struct plane *small, int from, int width, int height,
                                   const struct plane *scratch) {
    int first = from > 0 ? from - 1 : 0, rows = 2 * (from + STRIP + 1 - first);
    rmi_blur_double(row_of(small, first), small->stride, scratch->bytes, scratch->stride, width,
                    rows < height - 2 * first ? rows : height - 2 * first);
    return row_of(scratch, 2 * (from - first));
}

rm_err rmi_blend_doubled(const struct rmi_blend_under *under, const struct rmi_image *over, struct rmi_image *to,
                         void *scratch) {
    if (!valid(under, over, to))
        return RM_E_INVALID_ARG;
    const struct plane mask = {under->mask, under->mask_stride};
    const struct plane pixels = {scratch, rmi_blur_stride(to->width)};
    const struct plane alphas = {row_of(&pixels, STRIP_ROWS), pixels.stride};
    for (int p = 0; p < RMI_IMAGE_PLANES; p++) {
        const struct plane small = {under->picture.plane[p], under->picture.stride[p]};
        const struct plane top = {over->plane[p], over->stride[p]}, out = {to->plane[p], to->stride[p]};
        int width = p == 0 ? to->width : half(to->width), height = p == 0 ? to->height : half(to->height);
        for (int y = 0; y < height; y += 2 * STRIP) {
            int rows = height - y < 2 * STRIP ? height - y : 2 * STRIP;
            const uint8_t *u = double_strip(&small, y / 2, width, height, &pixels);
            const uint8_t *a = p == 0 ? double_strip(&mask, y / 2, width, height, &alphas) : row_of(&mask, y);
            BlendPlane(row_of(&top, y), top.stride, u, pixels.stride, a, p == 0 ? alphas.stride : mask.stride,
                       row_of(&out, y), out.stride, width, rows);
        }
    }
    return RM_OK;
}
