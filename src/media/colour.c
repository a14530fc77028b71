/* SPDX-License-Identifier: Apache-2.0 */
#include "media/colour.h"
#include "media/image_private.h"
#include <libyuv.h>

/* Fixed point: a sum of four pixels of 255 times a coefficient of 1.0 stays below 2^26. */
#define FRACTION_BITS 16
#define HALF (1 << (FRACTION_BITS - 1))
#define CHROMA_BITS (FRACTION_BITS + 2) /* of a sum of four */
#define CHROMA_HALF (1 << (CHROMA_BITS - 1))
#define CHROMA_ZERO 128
#define LUMA_FOOT 16
#define LUMA_RANGE 219.0
#define CHROMA_RANGE 224.0
#define FULL 255.0

static bool is_rgb(enum rmi_image_format f) {
    return f == RMI_IMAGE_RGB24 || f == RMI_IMAGE_RGBA;
}

/* ---- YUV to RGB: libyuv ---- */

/* For U and V exchanged, which is how libyuv gives bytes in the order R, G, B. */
static const struct YuvConstants *constants_of(const struct rmi_colour *c) {
    static const struct YuvConstants *const limited[] = {&kYvuI601Constants, &kYvuH709Constants, &kYvu2020Constants};
    static const struct YuvConstants *const full[] = {&kYvuJPEGConstants, &kYvuF709Constants, &kYvuV2020Constants};
    return c->full_range ? full[c->matrix] : limited[c->matrix];
}

static int to_rgb(const struct rmi_image *a, struct rmi_image *b, const struct rmi_colour *c) {
    const struct YuvConstants *k = constants_of(c);
    bool alpha = b->format == RMI_IMAGE_RGBA;
    if (a->format == RMI_IMAGE_NV12)
        return alpha ? NV21ToARGBMatrix(a->plane[0], a->stride[0], a->plane[1], a->stride[1], b->plane[0], b->stride[0],
                                        k, a->width, a->height)
                     : NV21ToRGB24Matrix(a->plane[0], a->stride[0], a->plane[1], a->stride[1], b->plane[0],
                                         b->stride[0], k, a->width, a->height);
    return alpha ? I420ToARGBMatrix(a->plane[0], a->stride[0], a->plane[2], a->stride[2], a->plane[1], a->stride[1],
                                    b->plane[0], b->stride[0], k, a->width, a->height)
                 : I420ToRGB24Matrix(a->plane[0], a->stride[0], a->plane[2], a->stride[2], a->plane[1], a->stride[1],
                                     b->plane[0], b->stride[0], k, a->width, a->height);
}

/* ---- RGB to YUV: libyuv has BT.601 only ---- */

struct weights {
    int y[3], u[3], v[3]; /* of R, G, B */
    int foot;
};

static int fixed(double v) {
    return (int)(v * (1 << FRACTION_BITS) + (v < 0 ? -0.5 : 0.5));
}

static struct weights weights_of(const struct rmi_colour *c) {
    /* Parts of red and blue in the luma: ITU-R BT.601-7 2.5.1, BT.709-6 3.2, BT.2020-2 table 4. */
    static const double red[] = {0.299, 0.2126, 0.2627}, blue[] = {0.114, 0.0722, 0.0593};
    double part[3] = {red[c->matrix], 1 - red[c->matrix] - blue[c->matrix], blue[c->matrix]};
    double luma = c->full_range ? 1 : LUMA_RANGE / FULL, chroma = c->full_range ? 1 : CHROMA_RANGE / FULL;
    struct weights w = {.foot = c->full_range ? 0 : LUMA_FOOT};
    for (int i = 0; i < 3; i++) {
        w.y[i] = fixed(luma * part[i]);
        w.u[i] = fixed(chroma * ((i == 2) - part[i]) / (2 * (1 - part[2])));
        w.v[i] = fixed(chroma * ((i == 0) - part[i]) / (2 * (1 - part[0])));
    }
    return w;
}

static uint8_t clamp(int v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void luma_row(const struct weights *w, const uint8_t *rgb, int step, uint8_t *y, int width) {
    for (int x = 0; x < width; x++, rgb += step)
        y[x] = clamp(((w->y[0] * rgb[0] + w->y[1] * rgb[1] + w->y[2] * rgb[2] + HALF) >> FRACTION_BITS) + w->foot);
}

static uint8_t chroma_of(const int weight[3], const int sum[3]) {
    int v = weight[0] * sum[0] + weight[1] * sum[1] + weight[2] * sum[2] + (CHROMA_ZERO << CHROMA_BITS) + CHROMA_HALF;
    return clamp(v >> CHROMA_BITS);
}

/* `below` is the same row again at an odd height's end; the last column likewise. */
static void chroma_row(const struct weights *w, const uint8_t *row, const uint8_t *below, int step, uint8_t *u,
                       uint8_t *v, int chroma_step, int width) {
    for (int x = 0; x < width; x += 2, u += chroma_step, v += chroma_step) {
        int left = x * step, right = x + 1 < width ? left + step : left, sum[3];
        for (int i = 0; i < 3; i++)
            sum[i] = row[left + i] + row[right + i] + below[left + i] + below[right + i];
        *u = chroma_of(w->u, sum);
        *v = chroma_of(w->v, sum);
    }
}

static void to_yuv(const struct rmi_image *a, struct rmi_image *b, const struct rmi_colour *c) {
    struct weights w = weights_of(c);
    int step = a->format == RMI_IMAGE_RGBA ? RMI_IMAGE_RGBA_BYTES : RMI_IMAGE_RGB24_BYTES;
    bool nv12 = b->format == RMI_IMAGE_NV12;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *row = a->plane[0] + (ptrdiff_t)y * a->stride[0];
        luma_row(&w, row, step, b->plane[0] + (ptrdiff_t)y * b->stride[0], a->width);
        if (y % 2 != 0)
            continue;
        const uint8_t *below = y + 1 < a->height ? row + a->stride[0] : row;
        uint8_t *u = b->plane[1] + (ptrdiff_t)(y / 2) * b->stride[1];
        uint8_t *v = nv12 ? u + 1 : b->plane[2] + (ptrdiff_t)(y / 2) * b->stride[2];
        chroma_row(&w, row, below, step, u, v, nv12 ? 2 : 1, a->width);
    }
}

rm_err rmi_image_convert_colour(const struct rmi_image *from, struct rmi_image *to, const struct rmi_colour *colour,
                                void *scratch) {
    bool usual = colour->matrix == RMI_COLOUR_BT601 && !colour->full_range;
    if (usual || is_rgb(from->format) == is_rgb(to->format))
        return rmi_image_convert(from, to, scratch);
    if (!rmi_image_valid(from) || !rmi_image_valid(to) || from->width != to->width || from->height != to->height)
        return RM_E_INVALID_ARG;
    if (is_rgb(from->format))
        to_yuv(from, to, colour);
    else if (to_rgb(from, to, colour))
        return RM_E_INTERNAL;
    return RM_OK;
}
