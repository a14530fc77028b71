/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "media/blend.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WIDTH_MAX 70
#define HEIGHT_MAX 9
#define STRIDE (WIDTH_MAX + 7)
#define PLANE (STRIDE * HEIGHT_MAX)

struct planes {
    uint8_t bytes[RMI_IMAGE_PLANES * PLANE];
};

static void randomize(struct planes *p, struct rmi_prng *prng) {
    for (size_t i = 0; i < sizeof p->bytes; i++)
        p->bytes[i] = (uint8_t)rmi_prng_next(prng);
}

static struct rmi_image image_of(struct planes *p, int width, int height) {
    struct rmi_image image = {.format = RMI_IMAGE_I420, .width = width, .height = height};
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        image.plane[i] = p->bytes + i * PLANE;
        image.stride[i] = STRIDE;
    }
    return image;
}

static void check(int width, int height, struct rmi_prng *prng) {
    struct planes over, under, before, mask;
    randomize(&over, prng);
    randomize(&under, prng);
    randomize(&mask, prng);
    for (size_t i = 0; i < sizeof mask.bytes; i++) /* ends of the range are exact, so they must be there */
        mask.bytes[i] = mask.bytes[i] < 85 ? 0 : mask.bytes[i] >= 170 ? 255 : mask.bytes[i];
    before = under;
    struct rmi_image a = image_of(&over, width, height), b = image_of(&under, width, height);
    struct rmi_blend_mask m = {mask.bytes, mask.bytes + PLANE, STRIDE, STRIDE};
    assert_int_equal(rmi_blend(&b, &a, &m), RM_OK);
    for (int i = 0; i < RMI_IMAGE_PLANES * PLANE; i++) {
        int p = i / PLANE, x = i % PLANE % STRIDE, y = i % PLANE / STRIDE;
        bool inside = p == 0 ? x < width && y < height : x < (width + 1) / 2 && y < (height + 1) / 2;
        int alpha = mask.bytes[p == 0 ? i : PLANE + i % PLANE];
        if (!inside || alpha == 0)
            assert_int_equal(under.bytes[i], before.bytes[i]);
        else if (alpha == 255)
            assert_int_equal(under.bytes[i], over.bytes[i]);
        else
            assert_true(abs(under.bytes[i] - (over.bytes[i] * alpha + before.bytes[i] * (255 - alpha)) / 255) <= 1);
    }
}

static void test_each_pixel_is_mixed_as_told(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 9);
    for (int width = 1; width <= WIDTH_MAX; width++)
        for (int height = 1; height <= HEIGHT_MAX; height++)
            check(width, height, &prng);
}

static void test_what_it_refuses(void **state) {
    (void)state;
    struct planes p = {{0}}, q = {{0}};
    struct rmi_image a = image_of(&p, 8, 8), b = image_of(&q, 8, 8), other = image_of(&q, 8, 6), rgb = b;
    struct rmi_blend_mask m = {p.bytes, p.bytes, STRIDE, STRIDE}, narrow = m, none = m, narrow_half = m;
    rgb.format = RMI_IMAGE_RGB24;
    narrow.full_stride = 7;
    narrow_half.half_stride = 3;
    none.half = NULL;
    assert_int_equal(rmi_blend(&b, &a, &m), RM_OK);
    assert_int_equal(rmi_blend(&other, &a, &m), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend(&rgb, &a, &m), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend(&b, &rgb, &m), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend(&b, &a, &narrow), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend(&b, &a, &narrow_half), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blend(&b, &a, &none), RM_E_INVALID_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pixel_is_mixed_as_told),
        cmocka_unit_test(test_what_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
