/* SPDX-License-Identifier: Apache-2.0 */
#include "media/blur.h"
#include "media/image_private.h"

#include <libyuv.h>
#include <string.h>

/* Variances, in pixels of the whole picture, add up. Halving L times averages over 2^L pixels: (4^L - 1) / 12. Each
 * doubling has the taps 1 3 3 1: 3/4, four times as much one level further down: (4^L - 1) / 4. One pass of the taps
 * 1 4 6 4 1 has 1 in pixels of its level, 4^L. */
static double variance_of_level(int level) {
    return (double)((1 << (2 * level)) - 1) / 3;
}

/* Taps are in 1/256: a sum of five products fits 16 bits, so vectors hold eight of them. */
#define TAP_ONE 256
#define TAP_SHIFT 8
/* As many bytes at a time. A constant number, so that gcc -O2 makes vectors of the loop. */
#define BLOCK 16
#define MARGIN 2      /* taps to either side */
#define PASSES_MAX 64 /* against a sigma without bounds */

static int half(int side) {
    return (side + 1) / 2;
}

int rmi_blur_stride(int width) {
    return (width + RMI_BLUR_PADDING + RMI_BLUR_ALIGN - 1) / RMI_BLUR_ALIGN * RMI_BLUR_ALIGN;
}

/* What one pass writes, and behind it a row with margins. */
size_t rmi_blur_plane_scratch(int stride, int height) {
    return (size_t)stride * (size_t)height + (size_t)stride + 2 * RMI_BLUR_ALIGN;
}

static size_t level_bytes(int width, int height) {
    return (size_t)rmi_blur_stride(width) * (size_t)height +
           2 * (size_t)rmi_blur_stride(half(width)) * (size_t)half(height);
}

size_t rmi_blur_bytes(int width, int height) {
    if (rmi_image_bytes(RMI_IMAGE_I420, width, height) == 0)
        return 0;
    size_t sum = rmi_blur_plane_scratch(rmi_blur_stride(half(width)), half(height));
    for (int i = 0; i < RMI_BLUR_LEVELS_MAX; i++) {
        width = half(width);
        height = half(height);
        sum += level_bytes(width, height);
    }
    return sum;
}

rm_err rmi_blur_init(struct rmi_blur *blur, int width, int height, void *memory, size_t len) {
    size_t need = rmi_blur_bytes(width, height);
    uint8_t *at = memory;
    if (need == 0 || !memory || len < need || (uintptr_t)memory % RMI_BLUR_ALIGN != 0)
        return RM_E_INVALID_ARG;
    *blur = (struct rmi_blur){.width = width, .height = height};
    for (int i = 0; i < RMI_BLUR_LEVELS_MAX; i++) {
        struct rmi_image *level = &blur->level[i];
        width = half(width);
        height = half(height);
        *level = (struct rmi_image){.format = RMI_IMAGE_I420, .width = width, .height = height};
        for (int p = 0; p < RMI_IMAGE_PLANES; p++) {
            level->plane[p] = at;
            level->stride[p] = rmi_blur_stride(p == 0 ? width : half(width));
            at += (size_t)level->stride[p] * (size_t)(p == 0 ? height : half(height));
        }
    }
    blur->scratch = at;
    return RM_OK;
}

int rmi_blur_levels(double sigma) {
    int level = 1;
    /* Half of the blur is left to the taps, which are rounder than the boxes and triangles of scaling. */
    while (level < RMI_BLUR_LEVELS_MAX && 2 * variance_of_level(level + 1) <= sigma * sigma)
        level++;
    return level;
}

/* The mean of two by two; of what there is at an odd edge. libyuv is quick only where both sides are even. */
static void halve(const uint8_t *from, int from_stride, int width, int height, uint8_t *to, int to_stride) {
    int w = width / 2, h = height / 2;
    if (w > 0 && h > 0)
        ScalePlane(from, from_stride, 2 * w, 2 * h, to, to_stride, w, h, kFilterBox);
    if (width % 2)
        for (int y = 0; y < half(height); y++) {
            const uint8_t *p = from + 2 * y * from_stride + width - 1;
            to[y * to_stride + w] = (uint8_t)((p[0] + p[2 * y + 1 < height ? from_stride : 0] + 1) / 2);
        }
    if (height % 2) {
        const uint8_t *p = from + (height - 1) * from_stride;
        for (int x = 0; x < w; x++)
            to[h * to_stride + x] = (uint8_t)((p[2 * x] + p[2 * x + 1] + 1) / 2);
    }
}

rm_err rmi_blur_down(struct rmi_blur *blur, const struct rmi_image *from, int levels) {
    if (!rmi_image_valid(from) || from->format != RMI_IMAGE_I420 || from->width != blur->width ||
        from->height != blur->height || levels < 1 || levels > RMI_BLUR_LEVELS_MAX)
        return RM_E_INVALID_ARG;
    for (int i = 0; i < levels; i++) {
        const struct rmi_image *large = i == 0 ? from : &blur->level[i - 1];
        struct rmi_image *small = &blur->level[i];
        for (int p = 0; p < RMI_IMAGE_PLANES; p++)
            halve(large->plane[p], large->stride[p], p == 0 ? large->width : half(large->width),
                  p == 0 ? large->height : half(large->height), small->plane[p], small->stride[p]);
    }
    blur->built = levels;
    return RM_OK;
}

struct taps {
    uint16_t near, far, centre;
};

/* The taps 1 4 6 4 1 mixed with none at all: of any variance in 0..1. */
static struct taps taps_of(double variance) {
    struct taps t;
    t.far = (uint16_t)(variance * TAP_ONE / 16 + 0.5);
    t.near = (uint16_t)(variance * TAP_ONE / 4 + 0.5);
    t.centre = (uint16_t)(TAP_ONE - 2 * t.near - 2 * t.far);
    return t;
}

static void filter_block(const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict c,
                         const uint8_t *restrict d, const uint8_t *restrict e, struct taps t, uint8_t *restrict out) {
    for (int i = 0; i < BLOCK; i++) {
        uint16_t sum = (uint16_t)(t.far * (uint16_t)(a[i] + e[i]) + t.near * (uint16_t)(b[i] + d[i]) + t.centre * c[i] +
                                  TAP_ONE / 2);
        out[i] = (uint8_t)(sum >> TAP_SHIFT);
    }
}

/* Writes whole blocks: up to RMI_BLUR_ALIGN bytes of padding behind the row. */
static void filter_row(const uint8_t *const row[5], int width, struct taps t, uint8_t *out) {
    for (int x = 0; x < width; x += BLOCK)
        filter_block(row[0] + x, row[1] + x, row[2] + x, row[3] + x, row[4] + x, t, out + x);
}

static int clamp(int value, int max) {
    return value < 0 ? 0 : value > max ? max : value;
}

/* One pass, down the columns and along the rows; edges go on as they end. */
static void filter_plane(uint8_t *plane, int stride, int width, int height, struct taps t, uint8_t *scratch) {
    uint8_t *line = scratch + (size_t)stride * (size_t)height + RMI_BLUR_ALIGN;
    for (int y = 0; y < height; y++) {
        const uint8_t *rows[5];
        for (int i = 0; i < 5; i++)
            rows[i] = plane + (size_t)clamp(y + i - MARGIN, height - 1) * (size_t)stride;
        filter_row(rows, width, t, scratch + (size_t)y * (size_t)stride);
    }
    for (int y = 0; y < height; y++) {
        const uint8_t *const rows[5] = {line - 2, line - 1, line, line + 1, line + 2};
        memcpy(line, scratch + (size_t)y * (size_t)stride, (size_t)width);
        memset(line - MARGIN, line[0], MARGIN);
        memset(line + width, line[width - 1], MARGIN);
        filter_row(rows, width, t, plane + (size_t)y * (size_t)stride);
    }
}

void rmi_blur_plane(uint8_t *plane, int stride, int width, int height, double variance, uint8_t *scratch) {
    for (int passes = 0; variance > 0 && passes < PASSES_MAX; passes++, variance--)
        filter_plane(plane, stride, width, height, taps_of(variance < 1 ? variance : 1), scratch);
}

/* libyuv does not interpolate down the one column of a plane. */
static void double_column(const uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width, int height) {
    for (int y = 0; y < height; y++) {
        int near = from[y / 2 * from_stride];
        int next = from[clamp(y / 2 + (y % 2 ? 1 : -1), half(height) - 1) * from_stride];
        memset(to + y * to_stride, (3 * near + next + 2) / 4, (size_t)width);
    }
}

/* Rows of 32 n + 2 pixels are what libyuv does without a slow rest (AVX2; other vectors are shorter). */
#define VECTOR 32

void rmi_blur_double(uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width, int height) {
    int wide = (width - 2 + VECTOR - 1) / VECTOR * VECTOR + 2, end = half(width);
    if (end == 1) {
        double_column(from, from_stride, to, to_stride, width, height);
        return;
    }
    if (wide <= to_stride && wide / 2 <= from_stride && end < from_stride) {
        for (int y = 0; y < half(height); y++) /* the last pixel is interpolated with the first one of the padding */
            from[(size_t)y * (size_t)from_stride + (size_t)end] =
                from[(size_t)y * (size_t)from_stride + (size_t)end - 1];
        width = wide;
    }
    ScalePlane(from, from_stride, half(width), half(height), to, to_stride, width, height, kFilterBilinear);
}

rm_err rmi_blur_half(struct rmi_blur *blur, double sigma) {
    int level = rmi_blur_levels(sigma);
    if (level > blur->built)
        return RM_E_STATE;
    double rest = (sigma * sigma - variance_of_level(level)) / (double)(1 << (2 * level));
    const struct rmi_image *small = &blur->level[level - 1];
    for (int p = 0; p < RMI_IMAGE_PLANES; p++)
        rmi_blur_plane(small->plane[p], small->stride[p], p == 0 ? small->width : half(small->width),
                       p == 0 ? small->height : half(small->height), rest, blur->scratch);
    for (int i = level; i > 1; i--) {
        small = &blur->level[i - 1];
        const struct rmi_image *large = &blur->level[i - 2];
        for (int p = 0; p < RMI_IMAGE_PLANES; p++)
            rmi_blur_double(small->plane[p], small->stride[p], large->plane[p], large->stride[p],
                            p == 0 ? large->width : half(large->width), p == 0 ? large->height : half(large->height));
    }
    blur->built = 0;
    return RM_OK;
}
