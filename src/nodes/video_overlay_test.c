/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "nodes/nodes_testkit.h"
#include "nodes/video_overlay_private.h"

#define SIDE_MAX 72

static const enum rmi_image_format formats[] = {RMI_IMAGE_I420, RMI_IMAGE_NV12, RMI_IMAGE_RGB24, RMI_IMAGE_RGBA};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void randomize(uint8_t *bytes, size_t len, uint64_t seed) {
    struct rmi_prng prng;
    rmi_prng_seed(&prng, seed);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(64 + rmi_prng_next(&prng) % 128); /* neither black nor white */
}

static void test_glyphs_look_as_they_should(void **state) {
    (void)state;
    static const char text[] = "Ag0\n?x";
    uint8_t bytes[64 * 32 * 3 / 2];
    struct rmi_image image;
    struct rmi_overlay o = {.text = text, .scale = 1};
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(rmi_image_wrap(&image, RMI_IMAGE_I420, 64, 32, bytes, sizeof bytes), RM_OK);
    struct rmi_overlay_box box = rmi_overlay_box(&o, 64, 32);
    assert_int_equal(box.x, 4);
    assert_int_equal(box.y, 4);
    assert_int_equal(box.width, 22); /* 3 x 6 - 1 and 2 on either side, made even */
    assert_int_equal(box.height, 20);
    rmi_overlay_draw(&o, &image);
    static const char *const a[] = {".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"};
    static const char *const g[] = {".....", ".####", "#...#", "#...#", ".####", "....#", ".###."};
    static const char *const zero[] = {".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."};
    static const char *const what[] = {".###.", "#...#", "....#", "...#.", "..#..", ".....", "..#.."};
    const struct {
        const char *const *rows;
        int column, line;
    } glyphs[] = {{a, 0, 0}, {g, 1, 0}, {zero, 2, 0}, {what, 0, 1}};
    for (size_t i = 0; i < COUNT(glyphs); i++)
        for (int y = 0; y < 7; y++)
            for (int x = 0; x < 5; x++)
                assert_int_equal(bytes[(6 + 9 * glyphs[i].line + y) * 64 + 6 + 6 * glyphs[i].column + x],
                                 glyphs[i].rows[y][x] == '#' ? 235 : 0);
}

/* Planes in memory that ends where they do. */
static struct rmi_image new_image(enum rmi_image_format format, int width, int height, uint64_t seed) {
    struct rmi_image image;
    size_t len = rmi_image_bytes(format, width, height);
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    randomize(bytes, len, seed);
    assert_int_equal(rmi_image_wrap(&image, format, width, height, bytes, len), RM_OK);
    return image;
}

/* Whether a byte of a packed picture belongs to a pixel inside the box. */
static bool inside(const struct rmi_image *image, const struct rmi_overlay_box *box, size_t at) {
    static const int pixel[] = {[RMI_IMAGE_RGB24] = 3, [RMI_IMAGE_RGBA] = 4};
    int w = image->width, x = (int)at, y;
    if (image->format == RMI_IMAGE_RGB24 || image->format == RMI_IMAGE_RGBA) {
        x /= pixel[image->format];
        y = x / w;
        x %= w;
    } else if (x < w * image->height) {
        y = x / w;
        x %= w;
    } else {
        int stride = image->format == RMI_IMAGE_NV12 ? w : w / 2;
        x -= w * image->height;
        y = x / stride % (image->height / 2) * 2;
        x = x % stride * (image->format == RMI_IMAGE_NV12 ? 1 : 2);
    }
    return x >= box->x && x < box->x + box->width && y >= box->y && y < box->y + box->height;
}

/* Draws, and sees that only bytes of the box have changed; how many have. */
static size_t draw(const struct rmi_overlay *o, enum rmi_image_format format, int width, int height) {
    struct rmi_image before = new_image(format, width, height, 3), after = new_image(format, width, height, 3);
    struct rmi_overlay_box box = rmi_overlay_box(o, width, height);
    size_t changed = 0;
    assert_true(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height);
    assert_true(box.x % 2 == 0 && box.y % 2 == 0 && box.width % 2 == 0 && box.height % 2 == 0);
    rmi_overlay_draw(o, &after);
    for (size_t i = 0; i < rmi_image_bytes(format, width, height); i++) {
        bool same = before.plane[0][i] == after.plane[0][i];
        bool alpha = format == RMI_IMAGE_RGBA && i % 4 == 3;
        changed += !same;
        if (alpha || !inside(&before, &box, i))
            assert_true(same);
    }
    free(before.plane[0]);
    free(after.plane[0]);
    return changed;
}

static void test_nothing_beside_the_box_is_touched(void **state) {
    (void)state;
    static const struct { int x, y; } corners[] = {{4, 4}, {34, 4}, {4, 48}, {34, 48}, {18, 26}};
    for (int p = RMI_OVERLAY_TOP_LEFT; p <= RMI_OVERLAY_CENTER; p++) {
        struct rmi_overlay o = {.text = "Hello", .position = (enum rmi_overlay_position)p, .scale = 1, .opacity = 256};
        struct rmi_overlay_box box = rmi_overlay_box(&o, 72, 64);
        assert_int_equal(box.width, 34);
        assert_int_equal(box.height, 12);
        assert_int_equal(box.x, corners[p].x);
        assert_int_equal(box.y, corners[p].y);
        for (size_t f = 0; f < COUNT(formats); f++) {
            o.opacity = 256; /* every byte in it becomes black or white, or loses its colour */
            size_t all = draw(&o, formats[f], 72, 64), colors = formats[f] < RMI_IMAGE_RGB24 ? 2 : 3;
            size_t pixels = 34 * 12;
            if (colors == 3)
                assert_int_equal(all, 3 * pixels);
            else /* some chroma had none */
                assert_true(all > pixels + pixels / 2 - 8 && all <= pixels + pixels / 2);
            o.opacity = 0; /* the text alone */
            size_t text = draw(&o, formats[f], 72, 64);
            assert_true(text > 0 && text < all / 2 + all / 8);
        }
    }
}

static void test_every_tiny_size(void **state) {
    (void)state;
    static const int scales[] = {1, 2, 3, 7, 64};
    for (size_t f = 0; f < COUNT(formats); f++)
        for (int width = 2; width <= SIDE_MAX; width += 2)
            for (int height = 2; height <= SIDE_MAX; height += 10)
                for (size_t s = 0; s < COUNT(scales); s++) {
                    struct rmi_overlay o = {.text = "Clip\nme!\n\nplease",
                                            .position = (enum rmi_overlay_position)((width / 2 + height) % 5),
                                            .scale = scales[s],
                                            .opacity = 100};
                    assert_true(draw(&o, formats[f], width, height) > 0);
                }
    struct rmi_overlay none = {.text = "", .scale = 3, .opacity = 256},
                       lines = {.text = "\n\n", .scale = 1, .opacity = 256};
    assert_int_equal(draw(&none, RMI_IMAGE_I420, 64, 64), 0);
    assert_int_equal(draw(&lines, RMI_IMAGE_I420, 64, 64), 0);
}

#define WIDTH 640
#define HEIGHT 64

static rm_runtime_data *frame(rm_pixel_format format, uint64_t number, int64_t time_us, const char *stream) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    size_t size = rm_video_packed_size(format, WIDTH, HEIGHT);
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    randomize(rm_buf_write(buf), size, 4);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, format, WIDTH, HEIGHT, number, time_us, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, stream), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static bool same_picture(const rm_runtime_data *a, const rm_runtime_data *b) {
    static uint8_t x[WIDTH * HEIGHT * 4], y[WIDTH * HEIGHT * 4];
    size_t n = 0, m = 0;
    assert_int_equal(rm_video_pack(rm_runtime_data_video(a), x, sizeof x, &n), RM_OK);
    assert_int_equal(rm_video_pack(rm_runtime_data_video(b), y, sizeof y, &m), RM_OK);
    return n == m && !memcmp(x, y, n);
}

/* What a node with `params` makes of a frame; takes the reference. */
static rm_runtime_data *drawn(const char *params, rm_runtime_data *in) {
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "VideoOverlayNode", params), RM_OK);
    rm_runtime_data *out = kit_pass(&rig, in);
    assert_int_equal(rig.errors, 0);
    kit_close(&rig);
    return out;
}

static void test_placeholders(void **state) {
    (void)state;
    /* the same picture comes of the placeholders and of what they stand for */
    static const struct {
        const char *params, *literal;
    } rows[] = {
        {"{text: 'n {frame}, {size}.'}", "{text: 'n 1234567, 640x64.'}"},
        {"{}", "{text: '00:00:00.000'}"},
        {"{text: '{time}', clock: UTC}", "{text: '13:46:40.250'}"},
        {"{text: '{frame}{frame}'}", "{text: '12345671234567'}"},
        {"{text: \"caf\u00e9 \u20ac \ttab\"}", "{text: 'caf? ? ?tab'}"},
    };
    static const char *const as_they_are[] = {"{text: '{'}", "{text: '{time'}", "{text: '{nothing} {FRAME} }{}'}"};
    const int64_t time_us = INT64_C(1000000000000000) + 250000 + 12 * INT64_C(3600000000); /* 2001-09-09 13:46:40 */
    for (size_t i = 0; i < COUNT(rows); i++) {
        rm_runtime_data *plain = frame(RM_PIXEL_I420, 1234567, time_us, "cam");
        rm_runtime_data *a = drawn(rows[i].params, frame(RM_PIXEL_I420, 1234567, time_us, "cam"));
        rm_runtime_data *b = drawn(rows[i].literal, frame(RM_PIXEL_I420, 1234567, time_us, "cam"));
        assert_true(same_picture(a, b));
        assert_false(same_picture(a, plain));
        rm_runtime_data_unref(&a);
        rm_runtime_data_unref(&b);
        rm_runtime_data_unref(&plain);
    }
    for (size_t i = 0; i < COUNT(as_they_are); i++) {
        rm_runtime_data *a = drawn(as_they_are[i], frame(RM_PIXEL_I420, 1, time_us, NULL));
        rm_runtime_data *b = drawn(as_they_are[i], frame(RM_PIXEL_I420, 2, time_us + 5000, NULL));
        assert_true(same_picture(a, b));
        rm_runtime_data_unref(&a);
        rm_runtime_data_unref(&b);
    }
}

static void test_the_clock_runs_for_each_stream(void **state) {
    (void)state;
    static const struct {
        const char *stream;
        int64_t time_us;
        const char *literal;
    } rows[] = {
        {"a", 5000, "{text: '00:00:00.000'}"},        {"a", 5000 + 3723004000, "{text: '01:02:03.004'}"},
        {NULL, 3723004000, "{text: '00:00:00.000'}"}, {"a", INT64_C(360000000000) + 5999, "{text: '100:00:00.000'}"},
        {NULL, 3723504000, "{text: '00:00:00.500'}"}, {"a", 4000, "{text: '00:00:00.000'}"}, /* it began before: anew */
        {"a", 14000, "{text: '00:00:00.010'}"}};
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "VideoOverlayNode", "{}"), RM_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        rm_runtime_data *a = kit_pass(&rig, frame(RM_PIXEL_I420, i, rows[i].time_us, rows[i].stream));
        rm_runtime_data *b = drawn(rows[i].literal, frame(RM_PIXEL_I420, 0, 0, NULL));
        assert_true(same_picture(a, b));
        rm_runtime_data_unref(&a);
        rm_runtime_data_unref(&b);
    }
    kit_close(&rig);
}

/* What somebody else holds is copied, the rest is drawn on where it is; all raw formats look alike. */
static void test_in_place_or_into_a_copy(void **state) {
    (void)state;
    static const rm_pixel_format raw[] = {RM_PIXEL_I420, RM_PIXEL_YUV420P, RM_PIXEL_NV12, RM_PIXEL_RGB24,
                                          RM_PIXEL_RGBA32};
    for (size_t i = 0; i < COUNT(raw); i++) {
        rm_runtime_data *plain = frame(raw[i], 9, 7000, "cam"), *kept = frame(raw[i], 9, 7000, "cam");
        rm_runtime_data *alone = frame(raw[i], 9, 7000, "cam");
        const void *address = alone;
        rm_runtime_data *a = drawn("{text: same, position: center}", rm_runtime_data_ref(kept));
        rm_runtime_data *b = drawn("{text: same, position: center}", alone);
        assert_ptr_equal(b, address);
        assert_ptr_not_equal(a, kept);
        assert_true(same_picture(kept, plain));
        assert_true(same_picture(a, b));
        assert_false(same_picture(a, plain));
        assert_int_equal(rm_runtime_data_video(a)->format, raw[i]);
        assert_int_equal(rm_runtime_data_video(a)->frame_number, 9);
        assert_int_equal(rm_runtime_data_timestamp_us(a), 7000);
        assert_string_equal(rm_runtime_data_stream_id(a), "cam");
        rm_runtime_data_unref(&a);
        rm_runtime_data_unref(&b);
        rm_runtime_data_unref(&kept);
        rm_runtime_data_unref(&plain);
    }
}

/* By itself, text is as large at any size; a scale that is told holds. */
static void test_scale_and_opacity(void **state) {
    (void)state;
    static const struct {
        uint32_t height;
        const char *literal;
    } rows[] = {{64, "{text: x, scale: 1}"}, {240, "{text: x, scale: 1}"}, {720, "{text: x, scale: 3}"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        rm_runtime_data *a = drawn("{text: x}", kit_video(RM_PIXEL_RGB24, 64, rows[i].height, 90));
        rm_runtime_data *b = drawn(rows[i].literal, kit_video(RM_PIXEL_RGB24, 64, rows[i].height, 90));
        size_t n = rm_runtime_data_video(a)->strides[0] * rows[i].height;
        assert_memory_equal(rm_runtime_data_video(a)->planes[0], rm_runtime_data_video(b)->planes[0], n);
        rm_runtime_data_unref(&a);
        rm_runtime_data_unref(&b);
    }
    static const struct {
        const char *params;
        uint8_t corner; /* of the box */
    } shades[] = {{"{text: x, opacity: 0}", 90}, {"{text: x, opacity: 0.5}", 45}, {"{text: x, opacity: 1}", 0}};
    for (size_t i = 0; i < COUNT(shades); i++) {
        rm_runtime_data *a = drawn(shades[i].params, kit_video(RM_PIXEL_RGB24, 64, 64, 90));
        const rm_video *v = rm_runtime_data_video(a);
        assert_int_equal(v->planes[0][4 * v->strides[0] + 3 * 4], shades[i].corner);
        assert_int_equal(v->planes[0][4 * v->strides[0] + 3 * 3], 90);
        rm_runtime_data_unref(&a);
    }
}

static void test_what_it_refuses(void **state) {
    (void)state;
    struct kit_rig rig;
    char params[400];
    snprintf(params, sizeof params, "{text: '%0257d'}", 0);
    kit_not_made("VideoOverlayNode", params, RM_E_CONFIG, "text is longer than 256 bytes");
    snprintf(params, sizeof params, "{text: '%0256d'}", 0);
    assert_int_equal(kit_open_one(&rig, "VideoOverlayNode", params), RM_OK);
    kit_refused(&rig, kit_encoded("x", 1, RM_CODEC_VP8, 16, 16), RM_E_UNSUPPORTED,
                "cannot draw on Encoded video; decode it first");
    kit_close(&rig);
    /* the most that fits in the parameter: the longest times that there are are cut off */
    int n = snprintf(params, sizeof params, "{text: '");
    for (int i = 0; i < 256 / 7; i++)
        n += snprintf(params + n, sizeof params - (size_t)n, "{frame}");
    snprintf(params + n, sizeof params - (size_t)n, "'}");
    rm_runtime_data *a = drawn(params, frame(RM_PIXEL_I420, INT64_MAX, INT64_MAX, NULL));
    rm_runtime_data_unref(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glyphs_look_as_they_should),
        cmocka_unit_test(test_nothing_beside_the_box_is_touched),
        cmocka_unit_test(test_every_tiny_size),
        cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_the_clock_runs_for_each_stream),
        cmocka_unit_test(test_in_place_or_into_a_copy),
        cmocka_unit_test(test_scale_and_opacity),
        cmocka_unit_test(test_what_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
