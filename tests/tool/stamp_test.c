/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/time.h"
#include "codec/codec.h"
#include "media/image.h"
#include "quality.h"
#include "stamp.h"
#include "test_video.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FPS 30
#define FRAME_US (RMI_SEC(1) / FPS)
#define CLOCK_US INT64_C(98765432109876) /* three years after the machine has started */

static rm_video picture_of(const struct rmi_image *image) {
    static const rm_pixel_format formats[] = {[RMI_IMAGE_I420] = RM_PIXEL_I420,
                                              [RMI_IMAGE_NV12] = RM_PIXEL_NV12,
                                              [RMI_IMAGE_RGB24] = RM_PIXEL_RGB24,
                                              [RMI_IMAGE_RGBA] = RM_PIXEL_RGBA32};
    static const uint32_t planes[] = {3, 2, 1, 1};
    rm_video v = {.width = (uint32_t)image->width,
                  .height = (uint32_t)image->height,
                  .format = formats[image->format],
                  .plane_count = planes[image->format]};
    for (uint32_t p = 0; p < v.plane_count; p++) {
        v.planes[p] = image->plane[p];
        v.strides[p] = (size_t)image->stride[p];
    }
    return v;
}

static struct rmi_image image_of(const rm_video *v) {
    struct rmi_image image = {.format = RMI_IMAGE_I420, .width = (int)v->width, .height = (int)v->height};
    for (int p = 0; p < 3; p++) {
        image.plane[p] = (uint8_t *)v->planes[p];
        image.stride[p] = (int)v->strides[p];
    }
    return image;
}

static struct rmi_image new_image(enum rmi_image_format format, int width, int height) {
    struct rmi_image image;
    size_t size = rmi_image_bytes(format, width, height);
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    assert_int_equal(rmi_image_wrap(&image, format, width, height, data, size), RM_OK);
    return image;
}

static void free_image(struct rmi_image *image) {
    free(image->plane[0]);
}

static bool reads(const rm_video *v, int64_t time_us, uint8_t frame) {
    int64_t t = -1;
    uint8_t f = 0;
    if (!stamp_read(v, &t, &f))
        return false;
    assert_int_equal(t, time_us); /* a wrong time is worse than none */
    assert_int_equal(f, frame);
    return true;
}

static bool reads_image(const struct rmi_image *image, int64_t time_us, uint8_t frame) {
    rm_video v = picture_of(image);
    return reads(&v, time_us, frame);
}

/* Mean of side * side pixels around each one. */
static void blur(const struct rmi_image *in, struct rmi_image *out, int side) {
    for (int y = 0; y < in->height; y++)
        for (int x = 0; x < in->width; x++) {
            int sum = 0, n = 0;
            for (int j = y - side / 2; j < y - side / 2 + side; j++)
                for (int i = x - side / 2; i < x - side / 2 + side; i++)
                    if (i >= 0 && j >= 0 && i < in->width && j < in->height) {
                        sum += in->plane[0][j * in->stride[0] + i];
                        n++;
                    }
            out->plane[0][y * out->stride[0] + x] = (uint8_t)(sum / n);
        }
}

/* Scaled and flipped in all ways, then blurred: as nodes and other programs do it. */
static void assert_survives_processing(const struct rmi_image *in, int64_t time_us, uint8_t frame) {
    struct rmi_image flipped = new_image(RMI_IMAGE_I420, in->width, in->height);
    struct rmi_image half = new_image(RMI_IMAGE_I420, in->width / 2, in->height / 2);
    void *scratch =
        malloc(rmi_image_scale_scratch(RMI_IMAGE_I420, in->width, in->height, in->width / 2, in->height / 2) + 1);
    assert_non_null(scratch);
    for (int turn = 0; turn < 4; turn++) {
        assert_int_equal(rmi_image_flip(in, &flipped, turn & 1, turn & 2), RM_OK);
        assert_true(reads_image(&flipped, time_us, frame));
        assert_int_equal(rmi_image_scale(&flipped, &half, RMI_IMAGE_FILTER_BOX, scratch), RM_OK);
        assert_true(reads_image(&half, time_us, frame));
    }
    blur(in, &flipped, 4);
    assert_true(reads_image(&flipped, time_us, frame));
    assert_int_equal(rmi_image_scale(&flipped, &half, RMI_IMAGE_FILTER_BILINEAR, scratch), RM_OK);
    assert_true(reads_image(&half, time_us, frame));
    free(scratch);
    free_image(&flipped);
    free_image(&half);
}

static void what_is_drawn_is_read_at_every_size(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 1);
    for (int i = 0; i < 400; i++) {
        uint32_t width = STAMP_WIDTH_MIN + (uint32_t)(rmi_prng_next(&prng) % 1800);
        uint32_t height = STAMP_HEIGHT_MIN + (uint32_t)(rmi_prng_next(&prng) % 1100);
        size_t stride = width + rmi_prng_next(&prng) % 3;
        int64_t time_us = (int64_t)(rmi_prng_next(&prng) >> (64 - STAMP_TIME_BITS));
        uint8_t frame = (uint8_t)rmi_prng_next(&prng), *data = calloc(stride, height);
        assert_non_null(data);
        assert_true(stamp_draw(data, stride, width, height, time_us, frame));
        rm_video v = {.width = width, .height = height, .format = RM_PIXEL_I420, .plane_count = 3};
        v.planes[0] = data;
        v.strides[0] = stride;
        assert_true(reads(&v, time_us, frame));
        for (size_t k = stamp_rows(height) * stride; k < stride * height; k++)
            assert_int_equal(data[k], 0); /* nothing outside of its rows */
        free(data);
    }
    uint8_t tiny[STAMP_WIDTH_MIN * STAMP_HEIGHT_MIN];
    assert_false(stamp_draw(tiny, STAMP_WIDTH_MIN, STAMP_WIDTH_MIN - 1, STAMP_HEIGHT_MIN, 0, 0));
    assert_false(stamp_draw(tiny, STAMP_WIDTH_MIN, STAMP_WIDTH_MIN, STAMP_HEIGHT_MIN - 1, 0, 0));
    assert_false(stamp_draw(tiny, STAMP_WIDTH_MIN - 1, STAMP_WIDTH_MIN, STAMP_HEIGHT_MIN, 0, 0));
}

static void every_format_is_read(void **state) {
    (void)state;
    struct test_video *tv = NULL;
    rm_runtime_data *data = NULL;
    assert_int_equal(test_video_create(640, 360, FPS, &tv), RM_OK);
    assert_int_equal(test_video_reference(tv, 77, CLOCK_US, &data), RM_OK);
    struct rmi_image from = image_of(rm_runtime_data_video(data));
    for (int f = 0; f < RMI_IMAGE_FORMAT_COUNT; f++) {
        struct rmi_image to = new_image((enum rmi_image_format)f, 640, 360);
        void *scratch = malloc(rmi_image_convert_scratch(from.format, to.format, 640, 360) + 1);
        assert_int_equal(rmi_image_convert(&from, &to, scratch), RM_OK);
        assert_true(reads_image(&to, CLOCK_US, 77));
        free(scratch);
        free_image(&to);
    }
    rm_runtime_data_unref(&data);
    test_video_destroy(&tv);
}

static void processing_does_not_hurt(void **state) {
    (void)state;
    static const uint32_t sizes[][2] = {{1280, 720}, {640, 360}, {640, 480}, {320, 180}, {720, 1280}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct test_video *tv = NULL;
        assert_int_equal(test_video_create(sizes[s][0], sizes[s][1], FPS, &tv), RM_OK);
        for (int i = 0; i < 8; i++) {
            rm_runtime_data *data = NULL;
            int64_t time_us = CLOCK_US + i * INT64_C(7777777);
            assert_int_equal(test_video_reference(tv, (uint8_t)i, time_us, &data), RM_OK);
            struct rmi_image image = image_of(rm_runtime_data_video(data));
            assert_survives_processing(&image, time_us, (uint8_t)i);
            rm_runtime_data_unref(&data);
        }
        test_video_destroy(&tv);
    }
}

static struct rmi_codec_picture codec_picture(const rm_video *v) {
    struct rmi_codec_picture p = {.width = (int)v->width, .height = (int)v->height};
    for (int i = 0; i < 3; i++) {
        p.plane[i] = v->planes[i];
        p.stride[i] = (int)v->strides[i];
    }
    return p;
}

struct outcome {
    int shown, read;
    double psnr_sum;
    size_t bytes;
};

static struct outcome send_through(enum rmi_codec_id codec, uint32_t width, uint32_t height, int frames) {
    struct outcome o = {0};
    struct rmi_video_encoder_config config = {.bitrate_bps = 500000, .fps = FPS};
    struct rmi_video_decoder_config decoder_config = {0};
    struct rmi_video_encoder *e = NULL;
    struct rmi_video_decoder *d = NULL;
    struct test_video *tv = NULL;
    assert_int_equal(test_video_create(width, height, FPS, &tv), RM_OK);
    assert_int_equal(rmi_video_encoder_create(codec, &config, &e), RM_OK);
    assert_int_equal(rmi_video_decoder_create(codec, &decoder_config, &d), RM_OK);
    for (int i = 0; i < frames; i++) {
        rm_runtime_data *data = NULL;
        struct rmi_encoded_video frame;
        struct rmi_codec_picture out;
        int64_t now = CLOCK_US + i * FRAME_US;
        assert_int_equal(test_video_next(tv, now, &data), RM_OK);
        struct rmi_codec_picture in = codec_picture(rm_runtime_data_video(data));
        rm_err err = rmi_video_encoder_encode(e, &in, now, &frame);
        assert_true(err == RM_OK || err == RM_E_AGAIN);
        if (err == RM_OK) {
            assert_int_equal(rmi_video_decoder_decode(d, frame.data, frame.len, now, &out), RM_OK);
            struct rmi_image image = {.format = RMI_IMAGE_I420, .width = out.width, .height = out.height};
            for (int p = 0; p < 3; p++) {
                image.plane[p] = (uint8_t *)out.plane[p];
                image.stride[p] = out.stride[p];
            }
            rm_video v = picture_of(&image);
            o.shown++;
            o.bytes += frame.len;
            o.read += reads(&v, now, (uint8_t)i);
            o.psnr_sum += quality_psnr_db(rm_runtime_data_video(data), &v);
            if (i % 8 == 7)
                assert_survives_processing(&image, now, (uint8_t)i);
        }
        rm_runtime_data_unref(&data);
    }
    rmi_video_encoder_destroy(&e);
    rmi_video_decoder_destroy(&d);
    test_video_destroy(&tv);
    return o;
}

static void every_codec_leaves_it_readable_at_500_kbps(void **state) {
    (void)state;
    static const enum rmi_codec_id codecs[] = {RMI_CODEC_VP8, RMI_CODEC_VP9, RMI_CODEC_H264};
    static const uint32_t sizes[][2] = {{1280, 720}, {640, 360}};
    for (size_t c = 0; c < 3; c++)
        for (size_t s = 0; s < 2; s++) {
            enum { FRAMES = 60 };
            struct outcome o = send_through(codecs[c], sizes[s][0], sizes[s][1], FRAMES);
            print_message("%s %ux%u: %d of %d stamps, %d pictures sent, %.1f dB, %zu kbit/s\n",
                          rmi_codec_by_id(codecs[c])->name, sizes[s][0], sizes[s][1], o.read, o.shown, FRAMES,
                          o.psnr_sum / o.shown, o.bytes * 8 * FPS / FRAMES / 1000);
            assert_int_equal(o.read, o.shown);
            assert_true(o.shown > FRAMES / 2);
        }
}

/* ---- what is no stamp ----------------------------------------------------------------------------------------- */

enum { W = 320, H = 180 };

static void random_pictures_have_no_time(void **state) {
    (void)state;
    static uint8_t data[W * H];
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 3);
    rm_video v = {.width = W, .height = H, .format = RM_PIXEL_I420, .plane_count = 3, .planes = {data}, .strides = {W}};
    for (int i = 0; i < 10000; i++) {
        int block = 1 << i % 6, levels = i / 6 % 2 ? 2 : 256; /* from noise to chess boards, as big as the cells */
        for (int y = 0; y < H; y += block)
            for (int x = 0; x < W; x += block) {
                uint8_t value = (uint8_t)(rmi_prng_next(&prng) % (uint64_t)levels * (levels == 2 ? 255 : 1));
                for (int j = y; j < y + block && j < H; j++)
                    memset(data + j * W + x, value, (size_t)(x + block < W ? block : W - x));
            }
        int64_t t = -1;
        uint8_t f = 1;
        assert_false(stamp_read(&v, &t, &f));
        assert_int_equal(t, -1);
    }
}

static void fill_cell(uint8_t *data, int strip, int column, uint8_t value) {
    for (int y = strip * H / 45; y < (strip + 1) * H / 45; y++)
        memset(data + y * W + column * W / 32, value, W / 32);
}

/* A stamp read from the wrong side would pass the checksum once in 256 times. */
static void mirrored_stamps_are_never_misread(void **state) {
    (void)state;
    struct rmi_image upright = new_image(RMI_IMAGE_I420, W, H), mirrored = new_image(RMI_IMAGE_I420, W, H);
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 5);
    for (int i = 0; i < 10000; i++) {
        /* Half of the times as a machine has them that was started a while ago: the upper bits are zeros. */
        int64_t time_us = (int64_t)(rmi_prng_next(&prng) >> (i % 2 ? 16 : 28));
        assert_true(stamp_draw(upright.plane[0], W, W, H, time_us, (uint8_t)i));
        assert_int_equal(rmi_image_flip(&upright, &mirrored, true, i % 4 < 2), RM_OK);
        assert_true(reads_image(&mirrored, time_us, (uint8_t)i));
    }
    free_image(&upright);
    free_image(&mirrored);
}

/* One to three wrong bits are found whatever they are; a cell that is neither black nor white is no bit. */
static void damage_is_noticed(void **state) {
    (void)state;
    static uint8_t data[W * H];
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 4);
    rm_video v = {.width = W, .height = H, .format = RM_PIXEL_I420, .plane_count = 3, .planes = {data}, .strides = {W}};
    int64_t t;
    uint8_t f;
    for (int i = 0; i < 10000; i++) {
        assert_true(stamp_draw(data, W, W, H, (int64_t)(rmi_prng_next(&prng) >> 16), (uint8_t)i));
        int wrong = 1 + i % 3, last = -1;
        for (int k = 0; k < wrong; k++) {
            int bit = (last + 1) + (int)(rmi_prng_next(&prng) % 20);
            int row = bit / 32, column = bit % 32, left = column < 16;
            int strip = left ? 2 * row : row, negative = left ? 2 * row + 1 : row + 2;
            uint8_t old = data[(strip * H / 45 + 1) * W + column * W / 32 + 2];
            fill_cell(data, strip, column, (uint8_t)(251 - old));
            fill_cell(data, negative, column, old);
            last = bit;
        }
        assert_false(stamp_read(&v, &t, &f));
    }
    for (int column = 0; column < 32; column++)
        for (int strip = 0; strip < 4; strip++) {
            assert_true(stamp_draw(data, W, W, H, CLOCK_US, 9));
            uint8_t old = data[(strip * H / 45 + 1) * W + column * W / 32 + 2];
            fill_cell(data, strip, column, (uint8_t)(251 - old));
            assert_false(stamp_read(&v, &t, &f));
        }
}

static void other_frames_are_refused(void **state) {
    (void)state;
    static uint8_t data[W * H];
    int64_t t;
    uint8_t f;
    rm_video encoded = {.data = data, .size = sizeof data, .width = W, .height = H, .format = RM_PIXEL_ENCODED};
    assert_false(stamp_read(&encoded, &t, &f));
    rm_video small = {.width = 64, .height = 64, .format = RM_PIXEL_I420, .plane_count = 3, .planes = {data}};
    small.strides[0] = 64;
    assert_false(stamp_read(&small, &t, &f));
    assert_false(stamp_read(NULL, &t, &f));
}

static void ages_are_right_across_the_wrap(void **state) {
    (void)state;
    const int64_t wrap = INT64_C(1) << STAMP_TIME_BITS;
    assert_int_equal(stamp_age_us(1000, 400), 600);
    assert_int_equal(stamp_age_us(400, 1000), -600);
    assert_int_equal(stamp_age_us(5 * wrap + 100, wrap - 50), 150);
    assert_int_equal(stamp_age_us(INT64_C(1800000000000000), INT64_C(1800000000000000) % wrap), 0);
    assert_int_equal(stamp_age_us(3 * wrap - 50, 100), -150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_drawn_is_read_at_every_size),
        cmocka_unit_test(every_format_is_read),
        cmocka_unit_test(processing_does_not_hurt),
        cmocka_unit_test(every_codec_leaves_it_readable_at_500_kbps),
        cmocka_unit_test(random_pictures_have_no_time),
        cmocka_unit_test(mirrored_stamps_are_never_misread),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(other_frames_are_refused),
        cmocka_unit_test(ages_are_right_across_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
