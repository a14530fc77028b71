/* SPDX-License-Identifier: Apache-2.0 */
/* VideoScaler and VideoFormatConverter. */
#include "nodes/nodes_testkit.h"

static const rm_pixel_format formats[] = {RM_PIXEL_YUV420P, RM_PIXEL_I420, RM_PIXEL_NV12, RM_PIXEL_RGB24,
                                          RM_PIXEL_RGBA32};
#define FORMATS (sizeof formats / sizeof formats[0])

static const uint8_t one_byte[] = {1};

static void scaled_sizes(void **state) {
    (void)state;
    static const struct {
        const char *params;
        uint32_t from[2], to[2];
    } rows[] = {
        {"{}", {1920, 1080}, {1280, 720}},
        {"{}", {640, 480}, {960, 720}},
        {"{}", {480, 640}, {540, 720}},
        {"{targetWidth: 320, targetHeight: 240}", {1280, 720}, {320, 180}},
        {"{target_width: 320, target_height: 0}", {1280, 720}, {320, 180}},
        {"{target_width: 0, target_height: 180}", {1280, 720}, {320, 180}},
        {"{target_width: 0, target_height: 100, maintain_aspect_ratio: false}", {1280, 720}, {178, 100}},
        {"{target_width: 320, target_height: 240, maintain_aspect_ratio: false}", {1280, 720}, {320, 240}},
        {"{target_width: 100, target_height: 2}", {16, 2000}, {2, 2}},
        {"{target_width: 2, target_height: 100, algorithm: lanczos}", {2000, 16}, {2, 2}},
        {"{target_width: 854, target_height: 480}", {1280, 720}, {854, 480}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kit_rig rig;
        assert_int_equal(kit_open_one(&rig, "VideoScaler", rows[i].params), RM_OK);
        rm_runtime_data *in = kit_video(RM_PIXEL_I420, rows[i].from[0], rows[i].from[1], 100);
        assert_int_equal(rm_runtime_data_set_stream_id(in, "cam"), RM_OK);
        rm_runtime_data *out = kit_pass(&rig, in);
        const rm_video *v = rm_runtime_data_video(out);
        assert_int_equal(v->width, rows[i].to[0]);
        assert_int_equal(v->height, rows[i].to[1]);
        assert_int_equal(v->frame_number, 7);
        assert_int_equal(rm_runtime_data_timestamp_us(out), 5000);
        assert_string_equal(rm_runtime_data_stream_id(out), "cam");
        assert_int_equal(v->planes[0][(v->height - 1) * v->strides[0] + v->width - 1], 100);
        assert_int_equal(v->planes[2][(v->height / 2 - 1) * v->strides[2] + v->width / 2 - 1], 100);
        rm_runtime_data_unref(&out);
        kit_close(&rig);
    }
}

/* A ramp stays a ramp, in each format and with each filter. */
static void scaled_pictures(void **state) {
    (void)state;
    enum { WIDTH = 256, HEIGHT = 128, TO = 128 };
    static const char *const filters[] = {"bilinear", "Bicubic", "lanczos"};
    for (size_t i = 0; i < FORMATS * 3; i++) {
        char params[80];
        struct kit_rig rig;
        size_t step = formats[i % FORMATS] == RM_PIXEL_RGBA32 ? 4 : formats[i % FORMATS] == RM_PIXEL_RGB24 ? 3 : 1;
        snprintf(params, sizeof params, "{target_width: %d, target_height: 0, algorithm: %s}", TO,
                 filters[i / FORMATS]);
        assert_int_equal(kit_open_one(&rig, "VideoScaler", params), RM_OK);
        rm_runtime_data *in = kit_video(formats[i % FORMATS], WIDTH, HEIGHT, 128);
        uint8_t *plane = rm_runtime_data_write_plane(in, 0);
        for (size_t k = 0; k < (size_t)WIDTH * HEIGHT; k++)
            memset(plane + k * step, (int)(k % WIDTH), step);
        rm_runtime_data *out = kit_pass(&rig, in);
        const rm_video *v = rm_runtime_data_video(out);
        assert_int_equal(v->format, formats[i % FORMATS]);
        for (size_t y = 0; y < v->height; y++)
            for (size_t x = 1; x + 1 < v->width; x++)
                assert_in_range(v->planes[0][y * v->strides[0] + x * step], 2 * x - 1, 2 * x + 2);
        rm_runtime_data_unref(&out);
        kit_close(&rig);
    }
}

static void scaler_passes_the_right_size_on(void **state) {
    (void)state;
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "VideoScaler", "{target_width: 64, target_height: 64}"), RM_OK);
    rm_runtime_data *in = kit_video(RM_PIXEL_I420, 64, 32, 1), *out = kit_pass(&rig, rm_runtime_data_ref(in));
    assert_ptr_equal(in, out);
    rm_runtime_data_unref(&in);
    rm_runtime_data_unref(&out);
    kit_close(&rig);
}

static void scaler_says_what_is_wrong(void **state) {
    (void)state;
    struct kit_rig rig;
    kit_not_made("VideoScaler", "{target_width: 0, target_height: 0}", RM_E_CONFIG,
                 "target_width and target_height are both 0: give at least one");
    kit_not_made("VideoScaler", "{target_width: 101}", RM_E_CONFIG, "target_width and target_height must be even");
    assert_int_equal(kit_open_one(&rig, "VideoScaler", "{}"), RM_OK);
    kit_refused(&rig, kit_encoded(one_byte, 1, RM_CODEC_VP8, 16, 16), RM_E_UNSUPPORTED,
                "cannot scale Encoded video; decode it first");
    kit_close(&rig);
}

static rm_runtime_data *red(rm_pixel_format format, uint32_t width, uint32_t height) {
    rm_runtime_data *d = kit_video(format, width, height, 255);
    size_t step = format == RM_PIXEL_RGBA32 ? 4 : 3;
    uint8_t *p = rm_runtime_data_write_plane(d, 0);
    for (size_t i = 0; i < (size_t)width * height; i++)
        p[i * step + 1] = p[i * step + 2] = 0;
    return d;
}

/* The YUV of red tells matrix and range. */
static void converted_colours(void **state) {
    (void)state;
    static const struct {
        const char *params;
        int y, u, v;
    } rows[] = {
        {"{}", 63, 102, 240},
        {"{color_matrix: bt709, color_range: pc}", 54, 99, 255},
        {"{colorMatrix: BT601, colorRange: tv}", 81, 90, 240},
        {"{color_matrix: bt601, color_range: pc}", 76, 85, 255},
        {"{color_matrix: bt2020}", 74, 97, 240},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int alpha = 0; alpha < 2; alpha++) {
            struct kit_rig rig;
            assert_int_equal(kit_open_one(&rig, "VideoFormatConverter", rows[i].params), RM_OK);
            rm_runtime_data *out = kit_pass(&rig, red(alpha ? RM_PIXEL_RGBA32 : RM_PIXEL_RGB24, 16, 10));
            const rm_video *v = rm_runtime_data_video(out);
            assert_int_equal(v->format, RM_PIXEL_YUV420P);
            assert_in_range(v->planes[0][9 * v->strides[0] + 15], rows[i].y - 1, rows[i].y + 1);
            assert_in_range(v->planes[1][4 * v->strides[1] + 7], rows[i].u - 1, rows[i].u + 1);
            assert_in_range(v->planes[2][4 * v->strides[2] + 7], rows[i].v - 1, rows[i].v + 1);
            rm_runtime_data_unref(&out);
            kit_close(&rig);
        }
}

/* From each format to each, and back to the colour it was. */
static void converted_formats(void **state) {
    (void)state;
    for (size_t i = 0; i < FORMATS * FORMATS; i++) {
        char nodes[512];
        struct kit_rig rig;
        rm_pixel_format a = formats[i / FORMATS], b = formats[i % FORMATS];
        snprintf(nodes, sizeof nodes,
                 "{id: a, node_type: VideoFormatConverter, params: {target_format: %s}},"
                 "{id: b, node_type: VideoFormatConverter, params: {targetFormat: %s}},"
                 "{id: c, node_type: VideoFormatConverter, params: {target_format: Rgb24}}",
                 rm_pixel_format_name(a), rm_pixel_format_name(b));
        assert_int_equal(kit_open(&rig, nodes, "{from: a, to: b}, {from: b, to: c}"), RM_OK);
        rm_runtime_data *in = red(RM_PIXEL_RGB24, 34, 18);
        rm_runtime_data *out = kit_pass(&rig, in);
        const rm_video *v = rm_runtime_data_video(out);
        assert_int_equal(v->format, RM_PIXEL_RGB24);
        assert_int_equal(v->width, 34);
        assert_int_equal(v->frame_number, 7);
        const uint8_t *last = v->planes[0] + 17 * v->strides[0] + 33 * 3;
        assert_in_range(last[0], 250, 255);
        assert_in_range(last[1], 0, 5);
        assert_in_range(last[2], 0, 5);
        rm_runtime_data_unref(&out);
        kit_close(&rig);
    }
}

static void converter_copies_nothing_for_another_name(void **state) {
    (void)state;
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "VideoFormatConverter", "{target_format: I420}"), RM_OK);
    for (int i = 0; i < 2; i++) {
        rm_runtime_data *in = kit_video(i ? RM_PIXEL_I420 : RM_PIXEL_YUV420P, 16, 16, 9);
        rm_runtime_data *out = kit_pass(&rig, rm_runtime_data_ref(in));
        assert_ptr_equal(rm_runtime_data_buf(in), rm_runtime_data_buf(out));
        assert_int_equal(rm_runtime_data_video(out)->format, RM_PIXEL_I420);
        assert_ptr_equal(rm_runtime_data_video(out)->planes[2], rm_runtime_data_video(in)->planes[2]);
        rm_runtime_data_unref(&in);
        rm_runtime_data_unref(&out);
    }
    kit_close(&rig);
}

static void converter_says_what_is_wrong(void **state) {
    (void)state;
    struct kit_rig rig;
    assert_int_equal(kit_open_one(&rig, "VideoFormatConverter", "{}"), RM_OK);
    kit_refused(&rig, kit_video(RM_PIXEL_RGB24, 15, 16, 0), RM_E_UNSUPPORTED,
                "15x16 has an odd side, Yuv420p needs even ones; put a VideoScaler in front");
    kit_close(&rig);
    assert_int_equal(kit_open_one(&rig, "VideoFormatConverter", "{}"), RM_OK);
    kit_refused(&rig, kit_encoded(one_byte, 1, RM_CODEC_H264, 16, 16), RM_E_UNSUPPORTED,
                "cannot convert Encoded video; decode it first");
    kit_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaled_sizes),
        cmocka_unit_test(scaled_pictures),
        cmocka_unit_test(scaler_passes_the_right_size_on),
        cmocka_unit_test(scaler_says_what_is_wrong),
        cmocka_unit_test(converted_colours),
        cmocka_unit_test(converted_formats),
        cmocka_unit_test(converter_copies_nothing_for_another_name),
        cmocka_unit_test(converter_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
