/* SPDX-License-Identifier: Apache-2.0 */
#include "media/colour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TOLERANCE 3 /* libyuv computes with six bits of fraction */
/* ... and has no factor over 2, where limited BT.709 and BT.2020 have 2.11 and 2.14 for blue. */
#define TOLERANCE_BLUE 17

struct picture {
    struct rmi_image image;
    uint8_t *data;
};

static struct picture make(enum rmi_image_format format, int width, int height) {
    struct picture p;
    size_t size = rmi_image_bytes(format, width, height);
    p.data = calloc(1, size);
    assert_non_null(p.data);
    assert_int_equal(rmi_image_wrap(&p.image, format, width, height, p.data, size), RM_OK);
    return p;
}

/* One colour all over. */
static struct picture uniform(enum rmi_image_format format, int width, int height, const int rgb[3]) {
    struct picture p = make(format, width, height);
    int step = format == RMI_IMAGE_RGBA ? 4 : 3;
    for (int i = 0; i < width * height; i++)
        for (int c = 0; c < step; c++)
            p.data[i * step + c] = c < 3 ? (uint8_t)rgb[c] : 255;
    return p;
}

static void near(int a, int b, int tolerance) {
    if (abs(a - b) > tolerance)
        fail_msg("%d, not %d", a, b);
}

/* Values computed from the standards' equations, outside of this code. */
static const struct {
    struct rmi_colour colour;
    int rgb[3], yuv[3];
} rows[] = {
    {{RMI_COLOUR_BT709, false}, {255, 255, 255}, {235, 128, 128}},
    {{RMI_COLOUR_BT709, false}, {0, 0, 0}, {16, 128, 128}},
    {{RMI_COLOUR_BT709, false}, {255, 0, 0}, {63, 102, 240}},
    {{RMI_COLOUR_BT709, false}, {0, 255, 0}, {173, 42, 26}},
    {{RMI_COLOUR_BT709, false}, {0, 0, 255}, {32, 240, 118}},
    {{RMI_COLOUR_BT709, true}, {255, 0, 0}, {54, 99, 255}},
    {{RMI_COLOUR_BT601, true}, {0, 255, 0}, {150, 44, 21}},
    {{RMI_COLOUR_BT601, true}, {255, 255, 255}, {255, 128, 128}},
    {{RMI_COLOUR_BT601, false}, {255, 0, 0}, {81, 90, 240}},
    {{RMI_COLOUR_BT2020, false}, {255, 0, 0}, {74, 97, 240}},
    {{RMI_COLOUR_BT2020, false}, {0, 0, 255}, {29, 240, 119}},
    {{RMI_COLOUR_BT2020, true}, {0, 255, 0}, {173, 36, 11}},
};

static void colours_are_those_of_the_standards(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int nv12 = 0; nv12 < 2; nv12++)
            for (int alpha = 0; alpha < 2; alpha++) {
                enum rmi_image_format rgb_format = alpha ? RMI_IMAGE_RGBA : RMI_IMAGE_RGB24;
                struct picture rgb = uniform(rgb_format, 15, 9, rows[i].rgb); /* odd sides too */
                struct picture yuv = make(nv12 ? RMI_IMAGE_NV12 : RMI_IMAGE_I420, 15, 9);
                struct picture back = make(rgb_format, 15, 9), scratch = make(RMI_IMAGE_I420, 15, 9);
                assert_int_equal(rmi_image_convert_colour(&rgb.image, &yuv.image, &rows[i].colour, scratch.data),
                                 RM_OK);
                size_t last = 4 * 8 + 7; /* chroma sample in the corner */
                uint8_t *u = nv12 ? yuv.image.plane[1] + 2 * last : yuv.image.plane[1] + last;
                uint8_t *v = nv12 ? u + 1 : yuv.image.plane[2] + last;
                near(yuv.image.plane[0][15 * 9 - 1], rows[i].yuv[0], 1);
                near(*u, rows[i].yuv[1], 1);
                near(*v, rows[i].yuv[2], 1);
                assert_int_equal(rmi_image_convert_colour(&yuv.image, &back.image, &rows[i].colour, scratch.data),
                                 RM_OK);
                bool capped = rows[i].colour.matrix != RMI_COLOUR_BT601 && !rows[i].colour.full_range;
                for (int c = 0; c < 3; c++)
                    near(back.data[(15 * 9 - 1) * (alpha ? 4 : 3) + c], rows[i].rgb[c],
                         c == 2 && capped ? TOLERANCE_BLUE : TOLERANCE);
                if (alpha)
                    assert_int_equal(back.data[15 * 9 * 4 - 1], 255);
                free(rgb.data);
                free(yuv.data);
                free(back.data);
                free(scratch.data);
            }
}

/* A chroma sample is the mean of its four pixels; each pixel keeps its own luma. */
static void chroma_is_a_mean(void **state) {
    (void)state;
    static const struct rmi_colour colour = {RMI_COLOUR_BT709, false};
    static const int grey[3] = {128, 128, 128};
    struct picture rgb = uniform(RMI_IMAGE_RGB24, 4, 2, grey), yuv = make(RMI_IMAGE_I420, 4, 2);
    rgb.data[0] = 255; /* one pixel of the left block is red */
    rgb.data[1] = rgb.data[2] = 0;
    assert_int_equal(rmi_image_convert_colour(&rgb.image, &yuv.image, &colour, NULL), RM_OK);
    near(yuv.image.plane[0][0], 63, 1);
    near(yuv.image.plane[0][1], 126, 1);
    near(yuv.image.plane[2][0], 128 + (240 - 128) / 4, 1);
    near(yuv.image.plane[2][1], 128, 0);
    free(rgb.data);
    free(yuv.data);
}

static void other_sizes_are_refused(void **state) {
    (void)state;
    static const struct rmi_colour colour = {RMI_COLOUR_BT709, false};
    struct picture rgb = make(RMI_IMAGE_RGB24, 4, 2), yuv = make(RMI_IMAGE_I420, 4, 4);
    assert_int_equal(rmi_image_convert_colour(&rgb.image, &yuv.image, &colour, NULL), RM_E_INVALID_ARG);
    rgb.image.plane[0] = NULL;
    assert_int_equal(rmi_image_convert_colour(&rgb.image, &yuv.image, &colour, NULL), RM_E_INVALID_ARG);
    free(rgb.data);
    free(yuv.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_those_of_the_standards),
        cmocka_unit_test(chroma_is_a_mean),
        cmocka_unit_test(other_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
