/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "media/blend.h"
#include "media/blur.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GUARD 0xa5

struct plane {
    uint8_t *bytes;
    int width, height, stride;
};

/* Exactly as large as needed; what lies behind the rows is GUARD. */
static struct plane new_plane(int width, int height, int stride, struct rmi_prng *prng) {
    struct plane p = {malloc((size_t)stride * (size_t)height), width, height, stride};
    assert_non_null(p.bytes);
    memset(p.bytes, GUARD, (size_t)stride * (size_t)height);
    for (int y = 0; prng && y < height; y++)
        for (int x = 0; x < width; x++)
            p.bytes[y * stride + x] = (uint8_t)rmi_prng_next(prng);
    return p;
}

static int half(int side) {
    return (side + 1) / 2;
}

struct picture {
    struct plane plane[RMI_IMAGE_PLANES];
    struct rmi_image image;
};

static void picture_open(struct picture *p, int width, int height, int gap, struct rmi_prng *prng) {
    p->image = (struct rmi_image){.format = RMI_IMAGE_I420, .width = width, .height = height};
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        int w = i == 0 ? width : half(width), h = i == 0 ? height : half(height);
        p->plane[i] = new_plane(w, h, gap < 0 ? rmi_blur_stride(w) : w + gap, prng);
        p->image.plane[i] = p->plane[i].bytes;
        p->image.stride[i] = p->plane[i].stride;
    }
}

static void picture_close(struct picture *p) {
    for (int i = 0; i < RMI_IMAGE_PLANES; i++)
        free(p->plane[i].bytes);
}

/* Three parts of the pixel that lies nearest, one of the next, both ways; edges go on as they end. */
static int doubled(const struct plane *small, int x, int y, int width, int height) {
    int x0 = x / 2, y0 = y / 2, x1 = x0 + (x % 2 ? 1 : -1), y1 = y0 + (y % 2 ? 1 : -1);
    x1 = x1 < 0 ? 0 : x1 >= half(width) ? half(width) - 1 : x1;
    y1 = y1 < 0 ? 0 : y1 >= half(height) ? half(height) - 1 : y1;
    const uint8_t *a = small->bytes + y0 * small->stride, *b = small->bytes + y1 * small->stride;
    return (9 * a[x0] + 3 * a[x1] + 3 * b[x0] + b[x1] + 8) / 16;
}

static void check_plane(const struct plane *to, const struct plane *before, const struct plane *over,
                        const struct plane *under, const struct plane *mask, bool full) {
    for (int y = 0; y < to->height; y++)
        for (int x = 0; x < to->stride; x++) {
            int got = to->bytes[y * to->stride + x];
            if (x >= to->width) {
                assert_int_equal(got, before->bytes[y * to->stride + x]);
                continue;
            }
            int top = over->bytes[y * over->stride + x], below = doubled(under, x, y, to->width, to->height);
            int alpha = full ? doubled(mask, x, y, to->width, to->height) : mask->bytes[y * mask->stride + x];
            if (x == to->width - 1 && x % 2 == 0) /* libyuv does not always interpolate the last one of an odd row */
                continue;
            int expected = (top * alpha + below * (255 - alpha)) / 255;
            assert_true(alpha == 255 ? got == top : abs(got - expected) <= 2);
        }
}

/* `gap` behind the rows of the small pictures; negative: as the blur has them. */
static void check(int width, int height, int gap, int alpha, struct rmi_prng *prng) {
    struct picture over, to, before, under;
    picture_open(&over, width, height, 5, prng);
    picture_open(&to, width, height, 3, NULL);
    picture_open(&before, width, height, 3, NULL);
    picture_open(&under, half(width), half(height), gap, prng);
    struct plane mask = new_plane(half(width), half(height), under.plane[0].stride, prng);
    if (alpha >= 0)
        memset(mask.bytes, alpha, (size_t)mask.stride * (size_t)mask.height);
    void *scratch = malloc(rmi_blend_scratch(width));
    struct rmi_blend_under u = {under.image, mask.bytes, mask.stride};
    assert_int_equal(rmi_blend_doubled(&u, &over.image, &to.image, scratch), RM_OK);
    for (int i = 0; i < RMI_IMAGE_PLANES; i++)
        check_plane(&to.plane[i], &before.plane[i], &over.plane[i], &under.plane[i], &mask, i == 0);
    free(scratch);
    free(mask.bytes);
    picture_close(&over);
    picture_close(&to);
    picture_close(&before);
    picture_close(&under);
}

static void test_each_pixel_is_mixed_as_told(void **state) {
    (void)state;
    static const int sides[][2] = {{1, 1},   {2, 2},   {1, 40},  {40, 1},  {2, 66},   {3, 5},
                                   {16, 16}, {33, 31}, {34, 32}, {35, 33}, {64, 34},  {66, 63},
                                   {67, 64}, {96, 65}, {98, 66}, {99, 97}, {130, 128}};
    static const int gaps[] = {0, 1, -1}, alphas[] = {0, 255, -1};
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 9);
    for (size_t s = 0; s < sizeof sides / sizeof sides[0]; s++)
        for (int g = 0; g < 3; g++)
            for (int a = 0; a < 3; a++)
                check(sides[s][0], sides[s][1], gaps[g], alphas[a], &prng);
}

static void test_what_it_refuses(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 9);
    struct picture over, to, under, other;
    picture_open(&over, 8, 6, 0, &prng);
    picture_open(&to, 8, 6, 0, &prng);
    picture_open(&under, 4, 3, 0, &prng);
    picture_open(&other, 6, 4, 0, &prng);
    uint8_t mask[12] = {0};
    void *scratch = malloc(rmi_blend_scratch(8));
    const struct rmi_blend_under good = {under.image, mask, 4}, large = {other.image, mask, 4},
                                 narrow = {under.image, mask, 3}, none = {under.image, NULL, 4};
    struct rmi_image rgb = over.image;
    rgb.format = RMI_IMAGE_RGB24;
    rgb.stride[0] = 24;
    assert_int_equal(rmi_blend_doubled(&good, &over.image, &to.image, scratch), RM_OK);
    assert_int_equal(rmi_blend_doubled(&large, &over.image, &to.image, scratch), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend_doubled(&narrow, &over.image, &to.image, scratch), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend_doubled(&none, &over.image, &to.image, scratch), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend_doubled(&good, &other.image, &to.image, scratch), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend_doubled(&good, &rgb, &to.image, scratch), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend_doubled(&good, &over.image, &rgb, scratch), RM_E_INVALID_ARG);
    free(scratch);
    picture_close(&over);
    picture_close(&to);
    picture_close(&under);
    picture_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pixel_is_mixed_as_told),
        cmocka_unit_test(test_what_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
