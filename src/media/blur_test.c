/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "media/blend.h"
#include "media/blur.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GUARD 0xa5
#define GAP 13 /* behind each row: an odd stride, and bytes that nobody may write */

/* Planes that lie apart, with a gap behind each row. */
struct picture {
    struct rmi_image image;
    size_t bytes[RMI_IMAGE_PLANES];
};

static int rows_of(const struct rmi_image *image, int plane) {
    return plane == 0 ? image->height : (image->height + 1) / 2;
}

static int width_of(const struct rmi_image *image, int plane) {
    return plane == 0 ? image->width : (image->width + 1) / 2;
}

static void picture_open(struct picture *p, int width, int height) {
    p->image = (struct rmi_image){.format = RMI_IMAGE_I420, .width = width, .height = height};
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        p->image.stride[i] = width_of(&p->image, i) + GAP;
        p->bytes[i] = (size_t)p->image.stride[i] * (size_t)rows_of(&p->image, i);
        p->image.plane[i] = malloc(p->bytes[i]);
        assert_non_null(p->image.plane[i]);
        memset(p->image.plane[i], GUARD, p->bytes[i]);
    }
}

static void picture_close(struct picture *p) {
    for (int i = 0; i < RMI_IMAGE_PLANES; i++) {
        int width = width_of(&p->image, i);
        for (int y = 0; y < rows_of(&p->image, i); y++)
            for (int x = width; x < width + GAP; x++)
                assert_int_equal(p->image.plane[i][y * p->image.stride[i] + x], GUARD);
        free(p->image.plane[i]);
    }
}

static void fill(struct picture *p, int plane, int (*value)(int x, int y, void *user), void *user) {
    for (int y = 0; y < rows_of(&p->image, plane); y++)
        for (int x = 0; x < width_of(&p->image, plane); x++)
            p->image.plane[plane][y * p->image.stride[plane] + x] = (uint8_t)value(x, y, user);
}

static int constant(int x, int y, void *user) {
    (void)x, (void)y;
    return *(int *)user;
}

static int noise(int x, int y, void *user) {
    (void)x, (void)y;
    return (int)(rmi_prng_next(user) & UINT8_MAX);
}

/* Blurs with memory that ends where it should, and shows nothing but the blurred picture. */
static void blur(const struct picture *from, struct picture *to, double sigma) {
    struct rmi_blur b;
    int width = from->image.width, height = from->image.height;
    size_t need = rmi_blur_bytes(width, height);
    size_t room = (need + 2 * RMI_BLUR_ALIGN - 1) / RMI_BLUR_ALIGN * RMI_BLUR_ALIGN;
    uint8_t *memory = aligned_alloc(RMI_BLUR_ALIGN, room);
    assert_non_null(memory);
    memset(memory, GUARD, room);
    assert_int_equal(rmi_blur_init(&b, width, height, memory, need), RM_OK);
    assert_int_equal(rmi_blur_down(&b, &from->image, rmi_blur_levels(sigma)), RM_OK);
    assert_int_equal(rmi_blur_half(&b, sigma), RM_OK);
    struct rmi_blend_under under = {.picture = b.level[0], .mask_stride = b.level[0].stride[0]};
    under.mask = calloc((size_t)b.level[0].height, (size_t)under.mask_stride);
    void *scratch = malloc(rmi_blend_scratch(width));
    assert_int_equal(rmi_blend_doubled(&under, &from->image, &to->image, scratch), RM_OK);
    free(under.mask);
    free(scratch);
    for (size_t i = need; i < room; i++)
        assert_int_equal(memory[i], GUARD);
    free(memory);
}

static const int sides[][2] = {{1, 1}, {2, 2}, {1, 9}, {9, 1}, {3, 5}, {16, 16}, {64, 48}, {65, 47}, {130, 33}};
static const double sigmas[] = {0, 1, 1.5, 2.7, 4, 7.9, 12, 24, 60};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_what_is_flat_stays_flat(void **state) {
    (void)state;
    static const int values[] = {0, 1, 127, 254, 255};
    for (size_t s = 0; s < COUNT(sides); s++)
        for (size_t k = 0; k < COUNT(sigmas); k++)
            for (size_t v = 0; v < COUNT(values); v++) {
                struct picture from, to;
                picture_open(&from, sides[s][0], sides[s][1]);
                picture_open(&to, sides[s][0], sides[s][1]);
                for (int p = 0; p < RMI_IMAGE_PLANES; p++) {
                    int value = values[(v + (size_t)p) % COUNT(values)];
                    fill(&from, p, constant, &value);
                }
                blur(&from, &to, sigmas[k]);
                for (int p = 0; p < RMI_IMAGE_PLANES; p++)
                    assert_memory_equal(from.image.plane[p], to.image.plane[p], from.bytes[p]);
                picture_close(&from);
                picture_close(&to);
            }
}

/* One side is dark. */
#define LENGTH 1024
#define ACROSS 16 /* so little that the last levels are one pixel wide */
#define BRIGHT 250
#define OFFSETS 64 /* an edge between two pixels that are halved together is smeared, one beside them is not */

struct edge {
    bool turned;
    int at;
};

static int edge(int x, int y, void *user) {
    struct edge *e = user;
    return (e->turned ? y : x) < e->at ? 0 : BRIGHT;
}

/* The steps across a blurred edge are the weights of the blur: their sum, and of their distances and the squares. */
static void measure(double sigma, struct edge e, double sums[3]) {
    struct picture from, to;
    picture_open(&from, e.turned ? ACROSS : LENGTH, e.turned ? LENGTH : ACROSS);
    picture_open(&to, from.image.width, from.image.height);
    fill(&from, 0, edge, &e);
    blur(&from, &to, sigma);
    const uint8_t *line = to.image.plane[0] + ACROSS / 2 * (e.turned ? 1 : to.image.stride[0]);
    int step = e.turned ? to.image.stride[0] : 1;
    for (int i = 1; i < LENGTH; i++) {
        double weight = line[i * step] - line[(i - 1) * step], distance = i - e.at;
        sums[0] += weight;
        sums[1] += weight * distance;
        sums[2] += weight * distance * distance;
    }
    picture_close(&from);
    picture_close(&to);
}

static void test_it_is_as_wide_as_told(void **state) {
    (void)state;
    for (int turned = 0; turned < 2; turned++)
        for (size_t k = 1; k < COUNT(sigmas); k++) {
            double sums[3] = {0};
            for (int i = 0; i < OFFSETS; i++)
                measure(sigmas[k], (struct edge){turned, LENGTH / 2 + i}, sums);
            double sigma = sqrt(sums[2] / sums[0]);
            assert_true(fabs(sums[0] / OFFSETS - BRIGHT) <= 2);
            assert_true(fabs(sums[1] / sums[0]) < 0.02 * sigma + 0.05); /* nothing moves */
            if (fabs(sigma - sigmas[k]) > 0.06 * sigmas[k])
                fail_msg("asked for %g, got %g", sigmas[k], sigma);
        }
}

static void test_brightness_stays(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 5);
    for (size_t k = 0; k < COUNT(sigmas); k++) {
        struct picture from, to;
        picture_open(&from, 256, 128);
        picture_open(&to, 256, 128);
        for (int p = 0; p < RMI_IMAGE_PLANES; p++)
            fill(&from, p, noise, &prng);
        blur(&from, &to, sigmas[k]);
        for (int p = 0; p < RMI_IMAGE_PLANES; p++) {
            double before = 0, after = 0;
            int rows = rows_of(&from.image, p), width = width_of(&from.image, p);
            for (int y = 0; y < rows; y++)
                for (int x = 0; x < width; x++) {
                    before += from.image.plane[p][y * from.image.stride[p] + x];
                    after += to.image.plane[p][y * to.image.stride[p] + x];
                }
            assert_true(fabs(before - after) / (rows * width) < 1.5);
        }
        picture_close(&from);
        picture_close(&to);
    }
}

/* All sizes, so that nothing is written beside the picture or behind the memory. */
static void test_every_small_size(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 6);
    for (int width = 1; width <= 40; width++)
        for (int height = 1; height <= 40; height++) {
            struct picture from, to;
            picture_open(&from, width, height);
            picture_open(&to, width, height);
            for (int p = 0; p < RMI_IMAGE_PLANES; p++)
                fill(&from, p, noise, &prng);
            blur(&from, &to, 1 + (width * height) % 30);
            picture_close(&from);
            picture_close(&to);
        }
}

static void test_what_it_refuses(void **state) {
    (void)state;
    struct rmi_blur b;
    struct picture p, other;
    size_t need = rmi_blur_bytes(32, 16);
    uint8_t *memory = aligned_alloc(RMI_BLUR_ALIGN, (need + RMI_BLUR_ALIGN - 1) / RMI_BLUR_ALIGN * RMI_BLUR_ALIGN);
    picture_open(&p, 32, 16);
    picture_open(&other, 32, 18);
    assert_int_equal(rmi_blur_bytes(0, 16), 0);
    assert_int_equal(rmi_blur_bytes(16, RMI_IMAGE_SIDE_MAX + 1), 0);
    assert_int_equal(rmi_blur_init(&b, 32, 16, memory, need - 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_init(&b, 32, 16, memory + 1, need), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_init(&b, 32, 16, NULL, need), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_init(&b, 32, 16, memory, need), RM_OK);
    assert_int_equal(rmi_blur_down(&b, &other.image, 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_down(&b, &p.image, 0), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_down(&b, &p.image, RMI_BLUR_LEVELS_MAX + 1), RM_E_INVALID_ARG);
    assert_int_equal(rmi_blur_half(&b, 1), RM_E_STATE);
    assert_int_equal(rmi_blur_down(&b, &p.image, 1), RM_OK);
    assert_int_equal(rmi_blur_half(&b, 24), RM_E_STATE);
    assert_int_equal(rmi_blur_half(&b, 1), RM_OK);
    assert_int_equal(rmi_blur_half(&b, 1), RM_E_STATE); /* used up */
    picture_close(&p);
    picture_close(&other);
    free(memory);
}

static void test_levels_grow_with_the_blur(void **state) {
    (void)state;
    int last = 1;
    for (double sigma = 0; sigma < 500; sigma += 0.5) {
        int levels = rmi_blur_levels(sigma);
        assert_true(levels >= last && levels <= RMI_BLUR_LEVELS_MAX);
        last = levels;
    }
    assert_int_equal(last, RMI_BLUR_LEVELS_MAX);
    assert_int_equal(rmi_blur_levels(-1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_flat_stays_flat), cmocka_unit_test(test_it_is_as_wide_as_told),
        cmocka_unit_test(test_brightness_stays),        cmocka_unit_test(test_every_small_size),
        cmocka_unit_test(test_what_it_refuses),         cmocka_unit_test(test_levels_grow_with_the_blur),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
