/* SPDX-License-Identifier: Apache-2.0 */
/* VideoEncoder and VideoDecoder. */
#include "codec/codec_testkit.h"
#include "nodes/nodes_testkit.h"

#define FPS 30
#define FRAME_US (1000000 / FPS)

static const char *const codecs[] = {"Vp8", "Vp9", "H264"};
#define CODECS (sizeof codecs / sizeof codecs[0])

static rm_runtime_data *frame_of(const struct kit_source *s, int t, const char *stream) {
    rm_runtime_data *d = NULL;
    rm_buf *buf = NULL;
    uint32_t width = (uint32_t)s->width, height = (uint32_t)s->height;
    assert_int_equal(rm_buf_copy(s->data, rm_video_packed_size(RM_PIXEL_I420, width, height), &buf), RM_OK);
    assert_int_equal(
        rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, width, height, 100 + (uint64_t)t, t * FRAME_US, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, stream), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static struct rmi_codec_picture picture_of(const rm_video *v) {
    return (struct rmi_codec_picture){
        .width = (int)v->width,
        .height = (int)v->height,
        .plane = {v->planes[0], v->planes[1], v->planes[2]},
        .stride = {(int)v->strides[0], (int)v->strides[1], (int)v->strides[2]},
    };
}

static void open_encoder(struct kit_rig *rig, const char *codec, const char *more) {
    char params[200];
    snprintf(params, sizeof params, "{codec: %s%s%s}", codec, more[0] ? ", " : "", more);
    assert_int_equal(kit_open_one(rig, "VideoEncoder", params), RM_OK);
}

static void pictures_survive_encoder_and_decoder(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        char nodes[256];
        struct kit_rig rig;
        struct kit_source s;
        double worst = 99;
        rm_runtime_data *kept = NULL;
        kit_source_init(&s, 640, 360, 12);
        snprintf(nodes, sizeof nodes,
                 "{id: e, node_type: VideoEncoder, params: {codec: %s, bitrate: 1500000, quality_preset: fast}},"
                 "{id: d, node_type: VideoDecoder, params: {expected_codec: %s}}",
                 codecs[c], codecs[c]);
        assert_int_equal(kit_open(&rig, nodes, "{from: e, to: d}"), RM_OK);
        for (int t = 0; t < 75; t++) {
            struct rmi_codec_picture in = kit_source_draw(&s, t), got;
            rm_runtime_data *out = kit_pass(&rig, frame_of(&s, t, "cam"));
            const rm_video *v = rm_runtime_data_video(out);
            assert_int_equal(v->format, RM_PIXEL_YUV420P);
            assert_int_equal(v->width, 640);
            assert_int_equal(v->height, 360);
            assert_int_equal(v->frame_number, 100 + t);
            assert_int_equal(rm_runtime_data_timestamp_us(out), t * FRAME_US);
            assert_string_equal(rm_runtime_data_stream_id(out), "cam");
            got = picture_of(v);
            double psnr = kit_psnr(&in, &got);
            worst = psnr < worst ? psnr : worst;
            /* A picture of VP9 is the decoder's own memory, to be read only. */
            if (!strcmp(codecs[c], "Vp9"))
                assert_null(rm_runtime_data_write_plane(out, 0));
            rm_runtime_data_unref(&kept); /* the one before lived until now */
            kept = out;
        }
        print_message("%s: worst PSNR %.1f dB\n", codecs[c], worst);
        assert_true(worst > 30);
        assert_int_equal(rig.errors, 0);
        kit_close(&rig);
        assert_int_equal(rm_runtime_data_video(kept)->width, 640); /* and outlives the session */
        rm_runtime_data_unref(&kept);
        kit_source_fini(&s);
    }
}

static void key_frames_come_in_the_interval(void **state) {
    (void)state;
    static const struct {
        const char *params;
        int interval;
    } rows[] = {{"keyframe_interval: 10", 10}, {"keyframeInterval: 1", 1}, {"keyframe_interval: 0", 1000}, {"", 60}};
    struct kit_source s;
    kit_source_init(&s, 160, 90, 12);
    for (size_t i = 0; i < CODECS * 4; i++) {
        struct kit_rig rig;
        open_encoder(&rig, codecs[i % CODECS], rows[i / CODECS].params);
        for (int t = 0; t < 70; t++) {
            kit_source_draw(&s, t);
            rm_runtime_data *out = kit_pass(&rig, frame_of(&s, t, NULL));
            const rm_video *v = rm_runtime_data_video(out);
            assert_int_equal(v->is_keyframe, t % rows[i / CODECS].interval == 0);
            assert_int_equal(v->format, RM_PIXEL_ENCODED);
            assert_string_equal(rm_codec_name(v->codec), codecs[i % CODECS]);
            assert_int_equal(v->width, 160);
            assert_int_equal(v->height, 90);
            assert_int_equal(v->frame_number, 100 + t);
            assert_int_equal(rm_runtime_data_timestamp_us(out), t * FRAME_US);
            rm_runtime_data_unref(&out);
        }
        kit_close(&rig);
    }
    kit_source_fini(&s);
}

static size_t bytes_at(const char *codec, const char *params) {
    struct kit_rig rig;
    struct kit_source s;
    size_t total = 0;
    kit_source_init(&s, 320, 180, 30);
    open_encoder(&rig, codec, params);
    for (int t = 0; t < 3 * FPS; t++) {
        kit_source_draw(&s, t);
        rm_runtime_data *out = kit_pass(&rig, frame_of(&s, t, NULL));
        total += t < FPS ? 0 : rm_runtime_data_video(out)->size; /* without the beginning */
        rm_runtime_data_unref(&out);
    }
    kit_close(&rig);
    kit_source_fini(&s);
    return total / 2; /* in a second */
}

static void bitrate_is_kept(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        size_t low = 8 * bytes_at(codecs[c], "bitrate: 200000, keyframe_interval: 0"),
               high = 8 * bytes_at(codecs[c], "bitrate: 800000, keyframe_interval: 0");
        print_message("%s: %zu and %zu bit/s\n", codecs[c], low, high);
        assert_in_range(low, 100000, 300000);
        assert_in_range(high, 500000, 1100000);
    }
}

/* Two streams of different sizes, in turn, through one encoder and one decoder. */
static void streams_are_kept_apart(void **state) {
    (void)state;
    struct kit_rig rig;
    struct kit_source s[2];
    kit_source_init(&s[0], 320, 180, 12);
    kit_source_init(&s[1], 160, 120, 12);
    assert_int_equal(kit_open(&rig,
                              "{id: e, node_type: VideoEncoder, params: {codec: H264}},"
                              "{id: d, node_type: VideoDecoder, params: {error_resilience: strict}}",
                              "{from: e, to: d}"),
                     RM_OK);
    for (int t = 0; t < 40; t++) {
        struct kit_source *source = &s[t % 2];
        struct rmi_codec_picture in = kit_source_draw(source, t / 2), got;
        rm_runtime_data *out = kit_pass(&rig, frame_of(source, t, t % 2 ? "b" : "a"));
        assert_string_equal(rm_runtime_data_stream_id(out), t % 2 ? "b" : "a");
        assert_int_equal(rm_runtime_data_video(out)->width, source->width);
        got = picture_of(rm_runtime_data_video(out));
        assert_true(kit_psnr(&in, &got) > 30);
        rm_runtime_data_unref(&out);
    }
    kit_close(&rig);
    open_encoder(&rig, "Vp8", "");
    for (int t = 0; t < 20; t++) {
        kit_source_draw(&s[t % 2], t / 2);
        rm_runtime_data *out = kit_pass(&rig, frame_of(&s[t % 2], t, t % 2 ? "b" : "a"));
        assert_int_equal(rm_runtime_data_video(out)->is_keyframe, t < 2);
        rm_runtime_data_unref(&out);
    }
    kit_close(&rig);
    kit_source_fini(&s[0]);
    kit_source_fini(&s[1]);
}

/* A change of the codec within a stream, and of the size. */
static void decoder_follows_the_stream(void **state) {
    (void)state;
    struct kit_rig encoder, decoder;
    assert_int_equal(kit_open_one(&decoder, "VideoDecoder", "{output_format: I420}"), RM_OK);
    for (size_t i = 0; i < 2 * CODECS; i++) {
        struct kit_source s;
        int width = i % 2 ? 320 : 176, height = i % 2 ? 180 : 144;
        kit_source_init(&s, width, height, 12);
        struct rmi_codec_picture in = kit_source_draw(&s, 0), got;
        open_encoder(&encoder, codecs[i / 2], "");
        rm_runtime_data *out = kit_pass(&decoder, kit_pass(&encoder, frame_of(&s, 0, NULL)));
        assert_int_equal(rm_runtime_data_video(out)->format, RM_PIXEL_I420);
        got = picture_of(rm_runtime_data_video(out));
        assert_true(kit_psnr(&in, &got) > 30);
        rm_runtime_data_unref(&out);
        kit_close(&encoder);
        kit_source_fini(&s);
    }
    kit_close(&decoder);
}

/* Any raw format in, any out: white stays white. */
static void all_raw_formats(void **state) {
    (void)state;
    static const char *const formats[] = {"Yuv420p", "I420", "NV12", "Rgb24", "Rgba32"};
    for (size_t i = 0; i < 5 * CODECS; i++) {
        char nodes[512];
        struct kit_rig rig;
        snprintf(nodes, sizeof nodes,
                 "{id: f, node_type: VideoFormatConverter, params: {target_format: %s, color_matrix: bt601}},"
                 "{id: e, node_type: VideoEncoder, params: {codec: %s}},"
                 "{id: d, node_type: VideoDecoder, params: {output_format: %s}},"
                 "{id: g, node_type: VideoFormatConverter, params: {target_format: Rgb24, color_matrix: bt601}}",
                 formats[i % 5], codecs[i / 5], formats[(i + 2) % 5]);
        assert_int_equal(kit_open(&rig, nodes, "{from: f, to: e}, {from: e, to: d}, {from: d, to: g}"), RM_OK);
        for (int t = 0; t < 3; t++) {
            rm_runtime_data *out = kit_pass(&rig, kit_video(RM_PIXEL_RGB24, 64, 32, 200));
            const rm_video *v = rm_runtime_data_video(out);
            for (size_t k = 0; k < 3; k++)
                assert_in_range(v->planes[0][31 * v->strides[0] + 63 * 3 + k], 196, 204);
            rm_runtime_data_unref(&out);
        }
        kit_close(&rig);
    }
}

static void encoder_says_what_is_wrong(void **state) {
    (void)state;
    static const uint8_t byte[] = {1};
    struct kit_rig rig;
    kit_not_made("VideoEncoder", "{codec: av1}", RM_E_UNSUPPORTED,
                 "there is no Av1 encoder; codec may be Vp8, Vp9 or H264");
    open_encoder(&rig, "Vp8", "hardware_accel: true, threads: 4");
    kit_refused(&rig, kit_encoded(byte, 1, RM_CODEC_VP8, 64, 64), RM_E_UNSUPPORTED,
                "the input is Encoded video already");
    kit_close(&rig);
    open_encoder(&rig, "H264", "");
    kit_refused(&rig, kit_video(RM_PIXEL_I420, 8, 64, 0), RM_E_UNSUPPORTED,
                "cannot encode 8x64: sides may have 16 to 4096 pixels");
    kit_close(&rig);
}

static void decoder_says_what_is_wrong(void **state) {
    (void)state;
    static const uint8_t noise[] = {0xff, 0x5a, 0x13, 0x77, 0x01};
    static const struct {
        const char *params;
        rm_codec codec;
        rm_err err;
        const char *detail;
    } rows[] = {
        {"{}", RM_CODEC_AV1, RM_E_UNSUPPORTED, "there is no Av1 decoder"},
        {"{}", RM_CODEC_RAW, RM_E_UNSUPPORTED, "the frame does not say its codec; give expected_codec"},
        {"{expected_codec: Vp8}", RM_CODEC_H264, RM_E_UNSUPPORTED, "the frame is H264, expected_codec is Vp8"},
        {"{expected_codec: H264, error_resilience: strict}", RM_CODEC_RAW, RM_E_PARSE, "the frame is damaged"},
        {"{error_resilience: strict}", RM_CODEC_H264, RM_E_PARSE, "the frame is damaged"},
    };
    struct kit_rig rig;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(kit_open_one(&rig, "VideoDecoder", rows[i].params), RM_OK);
        kit_refused(&rig, kit_encoded(noise, sizeof noise, rows[i].codec, 64, 64), rows[i].err, rows[i].detail);
        kit_close(&rig);
    }
    kit_not_made("VideoDecoder", "{expected_codec: Av1}", RM_E_UNSUPPORTED,
                 "there is no Av1 decoder; expected_codec may be Vp8, Vp9 or H264");
    assert_int_equal(kit_open_one(&rig, "VideoDecoder", "{}"), RM_OK);
    kit_refused(&rig, kit_video(RM_PIXEL_NV12, 16, 16, 0), RM_E_UNSUPPORTED, "the input is NV12 video, not encoded");
    kit_close(&rig);
}

static void large_pictures_are_refused(void **state) {
    (void)state;
    struct kit_rig encoder, decoder;
    for (size_t c = 0; c < CODECS; c++) {
        open_encoder(&encoder, codecs[c], "");
        assert_int_equal(kit_open_one(&decoder, "VideoDecoder", "{max_width: 320, max_height: 192}"), RM_OK);
        kit_refused(&decoder, kit_pass(&encoder, kit_video(RM_PIXEL_I420, 336, 192, 90)), RM_E_TOO_BIG,
                    "the picture is larger than max_width x max_height (320 x 192)");
        kit_close(&decoder);
        assert_int_equal(kit_open_one(&decoder, "VideoDecoder", "{max_width: 320, max_height: 192}"), RM_OK);
        rm_runtime_data *out = kit_pass(&decoder, kit_pass(&encoder, kit_video(RM_PIXEL_I420, 192, 320, 90)));
        assert_int_equal(rm_runtime_data_video(out)->height, 320); /* either way round */
        rm_runtime_data_unref(&out);
        kit_close(&decoder);
        kit_close(&encoder);
    }
}

/* Frame 5 of 30 is cut; a key frame comes each 10. Lenient: what is missing is left out, what comes is good. Strict:
 * each frame left out is an error. */
static void damage(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * CODECS; i++) {
        struct kit_rig encoder, decoder;
        struct kit_source s;
        bool strict = i % 2 != 0;
        int taken = 0;
        kit_source_init(&s, 160, 90, 12);
        open_encoder(&encoder, codecs[i / 2], "keyframe_interval: 10");
        assert_int_equal(kit_open_one(&decoder, "VideoDecoder", strict ? "{error_resilience: strict}" : "{}"), RM_OK);
        for (int t = 0; t < 30; t++) {
            kit_source_draw(&s, t);
            rm_runtime_data *in = kit_pass(&encoder, frame_of(&s, t, NULL));
            const rm_video *v = rm_runtime_data_video(in);
            if (t == 5) { /* its first byte only: no codec takes this for a frame */
                static const uint8_t stub[] = {0xff};
                rm_runtime_data *cut = kit_encoded(stub, sizeof stub, v->codec, 160, 90);
                rm_runtime_data_unref(&in);
                in = cut;
            }
            kit_send(&decoder, in);
        }
        rm_stream_session_end_input(decoder.session);
        for (rm_runtime_data *out; (out = kit_take(&decoder)) != NULL; taken++) {
            struct rmi_codec_picture got = picture_of(rm_runtime_data_video(out)), want;
            int t = taken < 5 ? taken : taken + 5;
            assert_int_equal(rm_runtime_data_video(out)->frame_number, 100 + t);
            want = kit_source_draw(&s, t);
            assert_true(kit_psnr(&want, &got) > 30);
            rm_runtime_data_unref(&out);
        }
        assert_int_equal(taken, 25);
        assert_int_equal(decoder.errors, strict ? 5 : 0);
        if (strict)
            assert_string_equal(decoder.detail, "a key frame is awaited");
        kit_close(&encoder);
        kit_close(&decoder);
        kit_source_fini(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_survive_encoder_and_decoder),
        cmocka_unit_test(key_frames_come_in_the_interval),
        cmocka_unit_test(bitrate_is_kept),
        cmocka_unit_test(streams_are_kept_apart),
        cmocka_unit_test(decoder_follows_the_stream),
        cmocka_unit_test(all_raw_formats),
        cmocka_unit_test(encoder_says_what_is_wrong),
        cmocka_unit_test(decoder_says_what_is_wrong),
        cmocka_unit_test(large_pictures_are_refused),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
