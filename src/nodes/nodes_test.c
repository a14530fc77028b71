/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG_MS 20000 /* "never" for a test that works */

/* A pipeline of one node. */
struct rig {
    struct rmi_prng prng;
    rm_pipeline_runner *runner;
    rm_stream_session *session;
};

static void print_fault(const rm_manifest_fault *fault, void *user) {
    (void)user;
    print_error("%s\n", fault->text);
}

static rm_err rig_open(struct rig *rig, const char *type, const char *params, char *detail, size_t size) {
    char text[512];
    rm_node_registry *registry = NULL;
    rm_manifest *m = NULL;
    rm_manifest_options o;
    rig->session = NULL;
    assert_int_equal(rm_node_registry_create(&registry), RM_OK);
    rmi_prng_seed(&rig->prng, 1);
    struct rmi_runner_config config = {.registry = registry, .rng = rmi_prng_rng(&rig->prng), .max_sessions = 1};
    assert_int_equal(rmi_runner_create(&config, &rig->runner), RM_OK);
    snprintf(text, sizeof text,
             "{\"version\":\"v1\",\"metadata\":{},\"nodes\":[{\"id\":\"n\",\"node_type\":\"%s\",\"params\":%s}],"
             "\"connections\":[]}",
             type, params);
    rm_manifest_options_init(&o);
    o.on_fault = print_fault;
    o.registry = registry;
    assert_int_equal(rm_manifest_parse(text, strlen(text), &o, &m), RM_OK);
    rm_err err = rm_pipeline_runner_create_stream_session(rig->runner, m, NULL, &rig->session, detail, size);
    rm_manifest_unref(&m);
    rm_node_registry_destroy(&registry);
    return err;
}

static void rig_close(struct rig *rig) {
    rm_stream_session_destroy(&rig->session);
    rm_pipeline_runner_destroy(&rig->runner);
}

/* Takes the reference to `data`. */
static void rig_send(struct rig *rig, rm_runtime_data *data) {
    rm_transport_data in = {.data = data};
    assert_int_equal(rm_stream_session_send_input(rig->session, &in), RM_OK);
    rm_transport_data_clear(&in);
}

/* NULL: no more. To be released. */
static rm_runtime_data *rig_take(struct rig *rig) {
    rm_transport_data out = {0};
    rm_err err = rm_stream_session_recv_output(rig->session, &out, LONG_MS);
    assert_true(err == RM_OK || err == RM_E_CLOSED);
    rm_runtime_data *data = rm_runtime_data_ref(out.data);
    rm_transport_data_clear(&out);
    return data;
}

static rm_runtime_data *audio(const float *samples, size_t n, uint32_t channels, const char *stream, int64_t time_us) {
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_copy(samples, n * sizeof *samples, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, n, 48000, channels, &d), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, stream), RM_OK);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, time_us), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

/* `n` samples of one level. */
static rm_runtime_data *tone(float level, size_t n, const char *stream) {
    float *samples = calloc(n, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < n; i++)
        samples[i] = i % 2 ? level : -level;
    rm_runtime_data *d = audio(samples, n, 1, stream, RM_NO_VALUE);
    free(samples);
    return d;
}

static rm_runtime_data *json(const char *text) {
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_json(text, strlen(text), &d), RM_OK);
    return d;
}

static void test_pass_through_copies_nothing(void **state) {
    (void)state;
    struct rig rig;
    float samples[] = {0.5F, -0.5F};
    assert_int_equal(rig_open(&rig, "PassThrough", "null", NULL, 0), RM_OK);
    rm_runtime_data *in = audio(samples, 2, 1, NULL, 5);
    rig_send(&rig, rm_runtime_data_ref(in));
    rm_runtime_data *out = rig_take(&rig);
    assert_ptr_equal(out, in);
    rm_runtime_data_unref(&in);
    rm_runtime_data_unref(&out);
    rig_close(&rig);
}

static void test_calculator(void **state) {
    (void)state;
    static const struct {
        const char *in, *out; /* NULL: an error */
    } rows[] = {
        {"{\"operation\":\"add\",\"operands\":[10,20]}",
         "{\"operands\":[10.0,20.0],\"operation\":\"add\",\"result\":30.0}"},
        {"{\"operation\":\"subtract\",\"operands\":[0.3,0.1]}",
         "{\"operands\":[0.29999999999999999,0.10000000000000001],\"operation\":\"subtract\",\"result\":"
         "0.19999999999999998}"},
        {"{\"operation\":\"multiply\",\"operands\":[5,0.5]}",
         "{\"operands\":[5.0,0.5],\"operation\":\"multiply\",\"result\":2.5}"},
        {"{\"operation\":\"divide\",\"operands\":[100,4]}",
         "{\"operands\":[100.0,4.0],\"operation\":\"divide\",\"result\":25.0}"},
        {"{\"operation\":\"divide\",\"operands\":[1,0]}", NULL},
        {"{\"operation\":\"power\",\"operands\":[1,2]}", NULL},
        {"{\"operation\":\"multiply\",\"operands\":[1e308,1e308]}", NULL},
        {"{\"operation\":\"add\",\"operands\":[1]}", NULL},
        {"{\"operation\":\"add\",\"operands\":[1,\"2\"]}", NULL},
        {"{\"operation\":\"add\"}", NULL},
        {"[1]", NULL},
        {"5", NULL},
    };
    struct rig rig;
    assert_int_equal(rig_open(&rig, "CalculatorNode", "null", NULL, 0), RM_OK);
    rm_node_stats stats;
    uint64_t errors = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_send(&rig, json(rows[i].in));
        errors += !rows[i].out;
        if (!rows[i].out)
            continue;
        rm_runtime_data *out = rig_take(&rig);
        assert_string_equal(rm_runtime_data_json(out), rows[i].out);
        rm_runtime_data_unref(&out);
    }
    rig_send(&rig, tone(0.1F, 10, NULL)); /* not JSON: an error too */
    rm_stream_session_end_input(rig.session);
    assert_null(rig_take(&rig));
    rm_stream_session_node_stats(rig.session, 0, &stats);
    assert_int_equal(stats.errors, errors + 1);
    rig_close(&rig);
}

static void test_gain(void **state) {
    (void)state;
    static const struct {
        const char *params;
        float out[2];
    } rows[] = {
        {"{}", {0.5F, -0.75F}},
        {"{\"gainDb\":-20}", {0.05F, -0.075F}},
        {"{\"gain_db\":6.0206}", {1.0F, -1.0F}},
        {"{\"gain_db\":6.0206,\"clip\":false}", {1.0F, -1.5F}},
        {"{\"mute\":true}", {0, 0}},
    };
    float samples[] = {0.5F, -0.75F};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int shared = 0; shared < 2; shared++) {
            struct rig rig;
            assert_int_equal(rig_open(&rig, "AudioGainNode", rows[i].params, NULL, 0), RM_OK);
            rm_runtime_data *in = audio(samples, 2, 2, "mic", 1234);
            rm_runtime_data *kept = shared ? rm_runtime_data_ref(in) : NULL;
            rig_send(&rig, in);
            rm_runtime_data *out = rig_take(&rig);
            const rm_audio *a = rm_runtime_data_audio(out);
            assert_int_equal(a->channels, 2);
            assert_string_equal(rm_runtime_data_stream_id(out), "mic");
            assert_int_equal(rm_runtime_data_timestamp_us(out), 1234);
            for (size_t k = 0; k < 2; k++)
                assert_true(fabsf(a->samples[k] - rows[i].out[k]) < 1e-5F);
            if (kept) /* what somebody else holds is not written to */
                assert_true(rm_runtime_data_audio(kept)->samples[1] == -0.75F);
            rm_runtime_data_unref(&kept);
            rm_runtime_data_unref(&out);
            rig_close(&rig);
        }
}

static double field(const json_t *event, const char *name) {
    const json_t *v = json_object_get(event, name);
    assert_non_null(v);
    return json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
}

/* The next event; the caller releases it. */
static json_t *take_event(struct rig *rig) {
    rm_runtime_data *out = rig_take(rig);
    json_t *event = json_loads(rm_runtime_data_json(out), 0, NULL);
    assert_non_null(event);
    rm_runtime_data_unref(&out);
    return event;
}

static void test_level(void **state) {
    (void)state;
    static const struct {
        float level;
        double rms_db, low, silence, health;
    } rows[] = {{1.0F, 0, 0, 0, 1},
                {0.1F, -20, 1, 0, 1},
                {0.01F, -40, 1, 0, 0.5},
                {0.0005F, -66.02, 0, 1, 0},
                {0, -120, 0, 1, 0}};
    struct rig rig;
    assert_int_equal(rig_open(&rig, "AudioLevelNode", "{\"passAudio\":true}", NULL, 0), RM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_send(&rig, tone(rows[i].level, 480, "mic"));
        json_t *event = take_event(&rig);
        assert_true(fabs(field(event, "rms_db") - rows[i].rms_db) < 0.01);
        assert_true(fabs(field(event, "peak_db") - rows[i].rms_db) < 0.01);
        assert_true(field(event, "is_low_volume") == rows[i].low || i == 1); /* i == 1 lies on the limit */
        assert_true(field(event, "is_silence") == rows[i].silence);
        assert_true(fabs(field(event, "health") - rows[i].health) < 0.001);
        assert_string_equal(json_string_value(json_object_get(event, "_schema")), "audio_level_event");
        assert_string_equal(json_string_value(json_object_get(event, "stream_id")), "mic");
        assert_true(json_is_null(json_object_get(event, "timestamp_us")));
        json_decref(event);
        rm_runtime_data *out = rig_take(&rig);
        assert_non_null(rm_runtime_data_audio(out));
        rm_runtime_data_unref(&out);
    }
    rig_close(&rig);
    char detail[RM_RUN_DETAIL_MAX];
    assert_int_equal(rig_open(&rig, "AudioLevelNode", "{\"silence_threshold_db\":-10}", detail, sizeof detail),
                     RM_E_CONFIG);
    assert_string_equal(detail, "node \"n\" (AudioLevelNode): silence_threshold_db is above low_volume_threshold_db");
    rig_close(&rig);
}

static void test_silence(void **state) {
    (void)state;
    struct rig rig;
    assert_int_equal(rig_open(&rig, "SilenceDetectorNode",
                              "{\"sustained_silence_ms\":30,\"dropout_window_ms\":100,\"dropoutCountThreshold\":2}",
                              NULL, 0),
                     RM_OK);
    /* 10 ms each: sound, silence x 4, then sound and silence in turn */
    static const struct {
        float level;
        double silent, ms, sustained, dropouts, intermittent;
    } rows[] = {{0.5F, 0, 0, 0, 0, 0}, {0, 1, 10, 0, 1, 0},   {0, 1, 20, 0, 1, 0},   {0, 1, 30, 1, 1, 0},
                {0, 1, 40, 1, 1, 0},   {0.5F, 0, 0, 0, 1, 0}, {0, 1, 10, 0, 2, 1},   {0.5F, 0, 0, 0, 2, 1},
                {0.5F, 0, 0, 0, 2, 1}, {0.5F, 0, 0, 0, 2, 1}, {0.5F, 0, 0, 0, 2, 1}, {0.5F, 0, 0, 0, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_send(&rig, tone(rows[i].level, 480, "a"));
        json_t *event = take_event(&rig);
        assert_true(field(event, "is_silent") == rows[i].silent);
        assert_true(field(event, "silence_duration_ms") == rows[i].ms);
        assert_true(field(event, "is_sustained_silence") == rows[i].sustained);
        assert_true(field(event, "dropout_count") == rows[i].dropouts);
        assert_true(field(event, "has_intermittent_dropouts") == rows[i].intermittent);
        json_decref(event);
        rig_send(&rig, tone(0.5F, 480, "b")); /* another stream has a state of its own */
        event = take_event(&rig);
        assert_true(field(event, "dropout_count") == 0);
        json_decref(event);
    }
    for (int i = 0; i < 100; i++) { /* more streams than are kept apart */
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        rig_send(&rig, tone(0, 480, id));
        json_t *event = take_event(&rig);
        assert_true(field(event, "silence_duration_ms") == 10);
        json_decref(event);
    }
    rig_close(&rig);
}

/* Samples that count up come out unchanged, whatever the sizes are; times follow the samples. */
static void test_chunker(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 479, 480, 481, 960, 2000, 3};
    struct rig rig;
    float next = 0, expected = 0;
    int64_t sent = 0, taken = 0;
    size_t total = 0;
    assert_int_equal(rig_open(&rig, "AudioChunkerNode", "{\"chunk_size\":480}", NULL, 0), RM_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        float *samples = calloc(2 * sizes[i], sizeof *samples);
        assert_non_null(samples);
        for (size_t k = 0; k < 2 * sizes[i]; k++)
            samples[k] = next++;
        rig_send(&rig, audio(samples, 2 * sizes[i], 2, "mic", 1000000 + sent * 1000000 / 48000));
        free(samples);
        sent += (int64_t)sizes[i];
        total += sizes[i];
    }
    rm_stream_session_end_input(rig.session);
    rm_runtime_data *out;
    size_t chunks = 0;
    while ((out = rig_take(&rig)) != NULL) {
        const rm_audio *a = rm_runtime_data_audio(out);
        assert_int_equal(a->frame_count, ++chunks <= total / 480 ? 480 : total % 480);
        assert_int_equal(a->channels, 2);
        assert_string_equal(rm_runtime_data_stream_id(out), "mic");
        assert_true(llabs(rm_runtime_data_timestamp_us(out) - (1000000 + taken * 1000000 / 48000)) <= 1);
        taken += (int64_t)a->frame_count;
        for (size_t k = 0; k < a->sample_count; k++)
            assert_true(a->samples[k] == expected++);
        rm_runtime_data_unref(&out);
    }
    assert_int_equal(taken, total);
    rig_close(&rig);
}

static void test_chunker_keeps_streams_and_formats_apart(void **state) {
    (void)state;
    struct rig rig;
    float samples[100] = {0};
    assert_int_equal(rig_open(&rig, "AudioChunkerNode", "{\"chunkSize\":64}", NULL, 0), RM_OK);
    rig_send(&rig, audio(samples, 40, 1, "a", 0));
    rig_send(&rig, audio(samples, 40, 1, "b", 0));
    rig_send(&rig, audio(samples, 80, 2, "a", 0)); /* a: now stereo; the 40 mono samples come out */
    rm_stream_session_end_input(rig.session);
    static const struct {
        const char *stream;
        uint32_t channels, frames;
    } rows[] = {{"a", 1, 40}, {"a", 2, 40}, {"b", 1, 40}};
    for (size_t i = 0; i < 3; i++) {
        rm_runtime_data *out = rig_take(&rig);
        assert_string_equal(rm_runtime_data_stream_id(out), rows[i].stream);
        assert_int_equal(rm_runtime_data_audio(out)->channels, rows[i].channels);
        assert_int_equal(rm_runtime_data_audio(out)->frame_count, rows[i].frames);
        rm_runtime_data_unref(&out);
    }
    assert_null(rig_take(&rig));
    rig_close(&rig);
}

/* Every byte of a picture of bytes that count up is found at its mirrored place. */
static void check_flip(rm_pixel_format format, const char *direction, bool horizontal, bool vertical) {
    enum { WIDTH = 6, HEIGHT = 4 };
    char params[64];
    struct rig rig;
    rm_buf *buf = NULL;
    rm_runtime_data *in = NULL;
    size_t size = rm_video_packed_size(format, WIDTH, HEIGHT);
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    for (size_t i = 0; i < size; i++)
        rm_buf_write(buf)[i] = (uint8_t)i;
    assert_int_equal(rm_runtime_data_create_video(buf, 0, format, WIDTH, HEIGHT, 77, 5000, &in), RM_OK);
    rm_buf_unref(&buf);
    assert_int_equal(rm_runtime_data_set_stream_id(in, "cam"), RM_OK);
    snprintf(params, sizeof params, "{\"direction\":\"%s\"}", direction);
    assert_int_equal(rig_open(&rig, "VideoFlip", params, NULL, 0), RM_OK);
    rig_send(&rig, rm_runtime_data_ref(in));
    rm_runtime_data *out = rig_take(&rig);
    const rm_video *a = rm_runtime_data_video(in), *b = rm_runtime_data_video(out);
    assert_int_equal(b->format, format);
    assert_int_equal(b->frame_number, 77);
    assert_int_equal(rm_runtime_data_timestamp_us(out), 5000);
    assert_string_equal(rm_runtime_data_stream_id(out), "cam");
    for (uint32_t p = 0; p < a->plane_count; p++) {
        bool i420 = format == RM_PIXEL_I420 || format == RM_PIXEL_YUV420P;
        size_t pixel = format == RM_PIXEL_RGB24 ? 3 : format == RM_PIXEL_RGBA32 ? 4 : p > 0 && !i420 ? 2 : 1;
        size_t width = p > 0 ? WIDTH / 2 : WIDTH, height = p > 0 ? HEIGHT / 2 : HEIGHT;
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++)
                for (size_t c = 0; c < pixel; c++) {
                    size_t fx = horizontal ? width - 1 - x : x, fy = vertical ? height - 1 - y : y;
                    assert_int_equal(b->planes[p][y * b->strides[p] + x * pixel + c],
                                     a->planes[p][fy * a->strides[p] + fx * pixel + c]);
                }
    }
    rm_runtime_data_unref(&in);
    rm_runtime_data_unref(&out);
    rig_close(&rig);
}

static void test_flip(void **state) {
    (void)state;
    static const rm_pixel_format formats[] = {RM_PIXEL_I420, RM_PIXEL_YUV420P, RM_PIXEL_NV12, RM_PIXEL_RGB24,
                                              RM_PIXEL_RGBA32};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        check_flip(formats[i], "vertical", false, true);
        check_flip(formats[i], "Horizontal", true, false);
        check_flip(formats[i], "both", true, true);
    }
}

static void test_flip_refuses_encoded_video(void **state) {
    (void)state;
    struct rig rig;
    rm_buf *buf = NULL;
    rm_runtime_data *in = NULL;
    rm_node_stats stats;
    assert_int_equal(rm_buf_create(10, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_encoded(buf, 0, 10, RM_CODEC_VP8, 2, 2, true, 0, 0, &in), RM_OK);
    rm_buf_unref(&buf);
    assert_int_equal(rig_open(&rig, "VideoFlip", "null", NULL, 0), RM_OK);
    rig_send(&rig, in);
    rm_stream_session_end_input(rig.session);
    assert_null(rig_take(&rig));
    rm_stream_session_node_stats(rig.session, 0, &stats);
    assert_int_equal(stats.errors, 1);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass_through_copies_nothing),
        cmocka_unit_test(test_calculator),
        cmocka_unit_test(test_gain),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_chunker),
        cmocka_unit_test(test_chunker_keeps_streams_and_formats_apart),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_flip_refuses_encoded_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
