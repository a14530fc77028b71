/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "media/image.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const int sides[][2] = {{2, 2}, {1, 1}, {3, 5}, {64, 48}, {65, 47}, {130, 33}, {640, 360}};
#define SIDES (sizeof sides / sizeof *sides)
#define COLOR_ERROR_MAX 6  /* steps of 255: rounding there and back */
#define SCALED_ERROR_MAX 8 /* and colour taken from the next pixel but one */

/* Exactly as many bytes as needed, so that a sanitizer sees each one too far. */
static struct rmi_image new_image(enum rmi_image_format format, int width, int height) {
    struct rmi_image image;
    size_t len = rmi_image_bytes(format, width, height);
    void *data = malloc(len);
    assert_non_null(data);
    memset(data, 0xab, len);
    assert_int_equal(rmi_image_wrap(&image, format, width, height, data, len), RM_OK);
    return image;
}

static void drop(struct rmi_image *image) {
    free(image->plane[0]);
}

static void fill_random(struct rmi_image *image, uint64_t seed) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed);
    size_t len = rmi_image_bytes(image->format, image->width, image->height);
    for (size_t i = 0; i < len; i++)
        image->plane[0][i] = (uint8_t)rmi_prng_next(&prng);
}

/* A picture whose colours change slowly, so that halving the chroma loses little. */
static void fill_smooth(struct rmi_image *rgba) {
    for (int y = 0; y < rgba->height; y++)
        for (int x = 0; x < rgba->width; x++) {
            uint8_t *p = rgba->plane[0] + y * rgba->stride[0] + 4 * x;
            p[0] = (uint8_t)(40 + x / 8 % 160);
            p[1] = (uint8_t)(60 + y / 8 % 160);
            p[2] = (uint8_t)(200 - (x + y) / 16 % 160);
            p[3] = 255;
        }
}

/* The colour at a place, by the definition of BT.601 with limited range, whatever the format. */
static void color_at(const struct rmi_image *i, int x, int y, double rgb[3]) {
    if (i->format == RMI_IMAGE_RGB24 || i->format == RMI_IMAGE_RGBA) {
        const uint8_t *p = i->plane[0] + y * i->stride[0] + x * (i->format == RMI_IMAGE_RGBA ? 4 : 3);
        for (int c = 0; c < 3; c++)
            rgb[c] = p[c];
        return;
    }
    double l = 1.164 * (i->plane[0][y * i->stride[0] + x] - 16), u, v;
    if (i->format == RMI_IMAGE_I420) {
        u = i->plane[1][y / 2 * i->stride[1] + x / 2] - 128;
        v = i->plane[2][y / 2 * i->stride[2] + x / 2] - 128;
    } else {
        u = i->plane[1][y / 2 * i->stride[1] + x / 2 * 2] - 128;
        v = i->plane[1][y / 2 * i->stride[1] + x / 2 * 2 + 1] - 128;
    }
    rgb[0] = l + 1.596 * v;
    rgb[1] = l - 0.392 * u - 0.813 * v;
    rgb[2] = l + 2.017 * u;
}

static double worst_color_error(const struct rmi_image *a, const struct rmi_image *b) {
    double worst = 0;
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width; x++) {
            double p[3], q[3];
            color_at(a, x, y, p);
            color_at(b, x, y, q);
            for (int c = 0; c < 3; c++)
                worst = fabs(p[c] - q[c]) > worst ? fabs(p[c] - q[c]) : worst;
        }
    return worst;
}

static void convert(const struct rmi_image *from, struct rmi_image *to) {
    size_t len = rmi_image_convert_scratch(from->format, to->format, from->width, from->height);
    void *scratch = len ? malloc(len) : NULL;
    if (len)
        assert_int_equal(rmi_image_convert(from, to, NULL), RM_E_INVALID_ARG);
    assert_int_equal(rmi_image_convert(from, to, scratch), RM_OK);
    free(scratch);
}

static void every_format_converts_to_every_other(void **state) {
    (void)state;
    for (size_t s = 0; s < SIDES; s++)
        for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++)
            for (int t = 0; t < RMI_IMAGE_FORMAT_COUNT; t++) {
                int width = sides[s][0], height = sides[s][1];
                struct rmi_image origin = new_image(RMI_IMAGE_RGBA, width, height);
                struct rmi_image from = new_image((enum rmi_image_format)f, width, height);
                struct rmi_image to = new_image((enum rmi_image_format)t, width, height);
                fill_smooth(&origin);
                convert(&origin, &from);
                convert(&from, &to);
                assert_true(worst_color_error(&origin, &from) <= COLOR_ERROR_MAX);
                assert_true(worst_color_error(&origin, &to) <= COLOR_ERROR_MAX);
                if (t == RMI_IMAGE_RGBA)
                    assert_int_equal(to.plane[0][3], 255);
                drop(&origin);
                drop(&from);
                drop(&to);
            }
}

static void same_format_is_a_copy(void **state) {
    (void)state;
    for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++) {
        struct rmi_image from = new_image((enum rmi_image_format)f, 65, 47);
        struct rmi_image to = new_image((enum rmi_image_format)f, 65, 47);
        fill_random(&from, 1);
        convert(&from, &to);
        assert_memory_equal(from.plane[0], to.plane[0], rmi_image_bytes((enum rmi_image_format)f, 65, 47));
        drop(&from);
        drop(&to);
    }
}

static void flips_move_every_pixel(void **state) {
    (void)state;
    for (size_t s = 0; s < SIDES; s++)
        for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++)
            for (int how = 0; how < 4; how++) {
                enum rmi_image_format format = (enum rmi_image_format)f;
                int width = sides[s][0], height = sides[s][1];
                bool across = how & 1, down = how & 2;
                struct rmi_image from = new_image(format, width, height), to = new_image(format, width, height);
                fill_random(&from, s + 1);
                assert_int_equal(rmi_image_flip(&from, &to, across, down), RM_OK);
                for (int p = 0; p < RMI_IMAGE_PLANES && from.plane[p]; p++) {
                    int w = p ? (width + 1) / 2 : width, h = p ? (height + 1) / 2 : height;
                    int step = from.stride[p] / w; /* tightly packed: bytes of one pixel */
                    for (int y = 0; y < h; y++)
                        for (int x = 0; x < w; x++)
                            assert_memory_equal(to.plane[p] + y * to.stride[p] + x * step,
                                                from.plane[p] + (down ? h - 1 - y : y) * from.stride[p] +
                                                    (across ? w - 1 - x : x) * step,
                                                (size_t)step);
                }
                drop(&from);
                drop(&to);
            }
}

static void scale(const struct rmi_image *from, struct rmi_image *to, enum rmi_image_filter filter) {
    size_t len = rmi_image_scale_scratch(from->format, from->width, from->height, to->width, to->height);
    void *scratch = len ? malloc(len) : NULL;
    assert_int_equal(rmi_image_scale(from, to, filter, scratch), RM_OK);
    free(scratch);
}

static void scaled_pictures_look_the_same(void **state) {
    static const int targets[][2] = {{320, 180}, {160, 90}, {480, 270}, {1280, 720}, {213, 121}};
    (void)state;
    for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++)
        for (size_t t = 0; t < sizeof targets / sizeof *targets; t++)
            for (int filter = RMI_IMAGE_FILTER_NONE; filter <= RMI_IMAGE_FILTER_BOX; filter++) {
                enum rmi_image_format format = (enum rmi_image_format)f;
                struct rmi_image origin = new_image(RMI_IMAGE_RGBA, 640, 360), from = new_image(format, 640, 360);
                struct rmi_image to = new_image(format, targets[t][0], targets[t][1]);
                fill_smooth(&origin);
                convert(&origin, &from);
                scale(&from, &to, (enum rmi_image_filter)filter);
                for (int y = 0; y < to.height; y += 7)
                    for (int x = 0; x < to.width; x += 7) {
                        double a[3], b[3];
                        color_at(&origin, x * 640 / to.width, y * 360 / to.height, a);
                        color_at(&to, x, y, b);
                        for (int c = 0; c < 3; c++)
                            assert_true(fabs(a[c] - b[c]) <= SCALED_ERROR_MAX);
                    }
                drop(&origin);
                drop(&from);
                drop(&to);
            }
}

static void any_size_scales_to_any_other(void **state) {
    (void)state;
    for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++)
        for (size_t a = 0; a < SIDES; a++)
            for (size_t b = 0; b < SIDES; b++)
                for (int filter = RMI_IMAGE_FILTER_NONE; filter <= RMI_IMAGE_FILTER_BOX; filter++) {
                    enum rmi_image_format format = (enum rmi_image_format)f;
                    struct rmi_image from = new_image(format, sides[a][0], sides[a][1]);
                    struct rmi_image to = new_image(format, sides[b][0], sides[b][1]);
                    size_t len = rmi_image_bytes(format, sides[b][0], sides[b][1]);
                    memset(from.plane[0], 77, rmi_image_bytes(format, sides[a][0], sides[a][1]));
                    if (format == RMI_IMAGE_RGB24)
                        assert_int_equal(rmi_image_scale(&from, &to, RMI_IMAGE_FILTER_BOX, NULL), RM_E_INVALID_ARG);
                    scale(&from, &to, (enum rmi_image_filter)filter);
                    for (size_t i = 0; i < len; i++)
                        assert_in_range(to.plane[0][i], 76, 78); /* weights are rounded */
                    drop(&from);
                    drop(&to);
                }
}

static void wrong_images_are_refused(void **state) {
    (void)state;
    struct rmi_image a = new_image(RMI_IMAGE_I420, 64, 48), b = new_image(RMI_IMAGE_I420, 64, 48), bad;
    uint8_t byte = 0;
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_I420, 3, 3), 9 + 4 + 4);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_NV12, 3, 3), 9 + 8);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_RGB24, 3, 3), 27);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_RGBA, 3, 3), 36);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_RGBA, 0, 3), 0);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_RGBA, 3, RMI_IMAGE_SIDE_MAX + 1), 0);
    assert_int_equal(rmi_image_bytes(RMI_IMAGE_FORMAT_COUNT, 3, 3), 0);
    assert_int_equal(rmi_image_wrap(&bad, RMI_IMAGE_RGBA, 2, 2, &byte, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_image_wrap(&bad, RMI_IMAGE_RGBA, 2, 2, NULL, 100), RM_E_INVALID_ARG);
    bad = b;
    bad.stride[1] = 31;
    assert_int_equal(rmi_image_flip(&a, &bad, true, false), RM_E_INVALID_ARG);
    assert_int_equal(rmi_image_convert(&bad, &b, NULL), RM_E_INVALID_ARG);
    bad = b;
    bad.plane[2] = NULL;
    assert_int_equal(rmi_image_scale(&a, &bad, RMI_IMAGE_FILTER_BOX, NULL), RM_E_INVALID_ARG);
    bad = b;
    bad.width = 62;
    assert_int_equal(rmi_image_flip(&a, &bad, false, true), RM_E_INVALID_ARG);
    assert_int_equal(rmi_image_convert(&a, &bad, NULL), RM_E_INVALID_ARG);
    bad.height = -48;
    assert_int_equal(rmi_image_scale(&a, &bad, RMI_IMAGE_FILTER_BOX, NULL), RM_E_INVALID_ARG);
    bad = b;
    bad.format = RMI_IMAGE_NV12;
    assert_int_equal(rmi_image_scale(&a, &bad, RMI_IMAGE_FILTER_BOX, NULL), RM_E_INVALID_ARG);
    drop(&a);
    drop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_converts_to_every_other),
        cmocka_unit_test(same_format_is_a_copy),
        cmocka_unit_test(flips_move_every_pixel),
        cmocka_unit_test(scaled_pictures_look_the_same),
        cmocka_unit_test(any_size_scales_to_any_other),
        cmocka_unit_test(wrong_images_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
