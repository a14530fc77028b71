/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/json_text.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DETAIL 200

static rm_runtime_data *parse(const char *text, size_t size) {
    rm_runtime_data *d = NULL;
    char detail[DETAIL] = "";
    const rm_err err = rm_runtime_data_from_json(text, size, &d, detail, sizeof detail);
    if (err)
        fail_msg("%s: %s for %.100s", rm_err_name(err), detail, text);
    return d;
}

static void expect_text(const rm_runtime_data *d, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(rm_runtime_data_to_json(d, &text, &size, NULL, 0), RM_OK);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
    rm_json_free(&text);
    assert_null(text);
}

/* Texts in exactly the form that is written: each variant once with all its fields and once with the fewest. */
static const char *const canonical[] = {
    "{\"Audio\":{\"samples\":[0,-1,0.5,0.100000001],\"sample_rate\":48000,\"channels\":2,\"stream_id\":\"mic\","
    "\"timestamp_us\":0,\"arrival_ts_us\":9223372036854775807,\"metadata\":{\"a\":[1,null]}}}",
    "{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1}}",
    "{\"Audio\":{\"samples\":[3.40282347e+38,1.40129846e-45],\"sample_rate\":8000,\"channels\":1}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"I420\",\"frame_number\":7,"
    "\"timestamp_us\":8,\"is_keyframe\":false,\"stream_id\":\"cam\",\"arrival_ts_us\":9}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"NV12\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":true}}",
    "{\"Video\":{\"pixel_data\":[1,2,3],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[1,2,3,4],\"width\":1,\"height\":1,\"format\":\"Rgba32\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":641,\"height\":361,\"format\":\"Encoded\",\"codec\":\"H264\","
    "\"frame_number\":0,\"timestamp_us\":0,\"is_keyframe\":true}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":2,\"height\":2,\"format\":\"Encoded\",\"codec\":\"Vp9\","
    "\"frame_number\":0,\"timestamp_us\":0,\"is_keyframe\":true}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":3,\"height\":2,\"format\":\"Unspecified\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"Jpeg\",\"width\":3,\"height\":5,\"stream_id\":\"s\",\"timestamp_us\":4,"
    "\"metadata\":\"x\"}}",
    "{\"Image\":{\"data\":[1,2,3],\"format\":{\"Raw\":{\"pixel_format\":\"Rgb24\"}},\"width\":1,\"height\":1}}",
    "{\"Image\":{\"data\":[1],\"format\":\"WebP\",\"width\":1,\"height\":1}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[1,1],\"dtype\":0,\"metadata\":[]}}",
    "{\"Tensor\":{\"data\":[],\"shape\":[],\"dtype\":-1}}",
    "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2,1],\"dtype\":\"int16\",\"strides\":[2,2],\"c_contiguous\":true,"
    "\"f_contiguous\":false}}",
    "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[1],\"dtype\":\"<U1\",\"strides\":[],\"c_contiguous\":true,"
    "\"f_contiguous\":true}}",
    "{\"Json\":{\"any\":[1,2.5,\"\\u0000\",{}]}}",
    "{\"Json\":null}",
    "{\"Text\":\"h\xC3\xA9llo \\\"x\\\"\"}",
    "{\"Text\":\"\\u0000\\u0003logline\"}",
    "{\"Text\":\"\"}",
    "{\"Binary\":[0,127,255]}",
    "{\"Binary\":[]}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"CancelSpeculation\",\"from_timestamp\":1,\"to_timestamp\":2},"
    "\"segment_id\":\"seg\",\"timestamp_ms\":3,\"metadata\":{\"k\":true}}}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":100},\"timestamp_ms\":0,"
    "\"metadata\":null}}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"DeadlineWarning\",\"deadline_us\":5},\"timestamp_ms\":0,"
    "\"metadata\":null}}",
    "{\"File\":{\"path\":\"/a/b\",\"filename\":\"b\",\"mime_type\":\"text/plain\",\"size\":0,\"offset\":1,"
    "\"length\":2,\"stream_id\":\"s\"}}",
    "{\"File\":{\"path\":\"b\"}}",
};
#define CANONICAL_COUNT (sizeof canonical / sizeof canonical[0])

static void every_variant_round_trips(void **state) {
    (void)state;
    unsigned seen = 0;
    for (size_t i = 0; i < CANONICAL_COUNT; i++) {
        rm_runtime_data *d = parse(canonical[i], strlen(canonical[i]));
        seen |= 1u << rm_runtime_data_type(d);
        expect_text(d, canonical[i]);
        rm_runtime_data *copy = NULL;
        assert_int_equal(rm_runtime_data_copy(d, &copy), RM_OK);
        rm_runtime_data_unref(&d);
        expect_text(copy, canonical[i]);
        rm_runtime_data_unref(&copy);
    }
    for (int type = RM_DATA_AUDIO; type <= RM_DATA_FILE; type++)
        assert_true(seen & 1u << type);
}

static void values_arrive(void **state) {
    (void)state;
    rm_runtime_data *d = parse(canonical[0], strlen(canonical[0]));
    assert_true(rm_runtime_data_audio(d)->samples[2] == 0.5f);
    assert_true(rm_runtime_data_audio(d)->samples[3] == 0.1f);
    assert_int_equal(rm_runtime_data_audio(d)->frame_count, 2);
    assert_int_equal(rm_runtime_data_arrival_us(d), INT64_MAX);
    assert_string_equal(rm_runtime_data_stream_id(d), "mic");
    rm_runtime_data_unref(&d);
    d = parse(canonical[3], strlen(canonical[3]));
    assert_int_equal(rm_runtime_data_video(d)->planes[2][0], 255);
    assert_int_equal(rm_runtime_data_video(d)->frame_number, 7);
    rm_runtime_data_unref(&d);
    d = parse(canonical[20], strlen(canonical[20]));
    assert_memory_equal(rm_runtime_data_text(d)->channel, "log", 3);
    rm_runtime_data_unref(&d);
}

static void accepts_more_than_it_writes(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {" { \"Audio\" : {\"channels\":1, \"unknown\":{}, \"samples\":[1e0], \"stream_id\":null, \"metadata\":null,"
         "\"sample_rate\":1, \"timestamp_us\":null} } ",
         "{\"Audio\":{\"samples\":[1],\"sample_rate\":1,\"channels\":1}}"},
        {"{\"Video\":{\"pixel_data\":[1,2,3],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"codec\":null,"
         "\"frame_number\":0,\"timestamp_us\":0,\"is_keyframe\":false}}",
         "{\"Video\":{\"pixel_data\":[1,2,3],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"frame_number\":0,"
         "\"timestamp_us\":0,\"is_keyframe\":false}}"},
        {"{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":1},\"timestamp_ms\":0}"
         "}",
         "{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":1},\"timestamp_ms\":0,"
         "\"metadata\":null}}"},
        {"{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2],\"dtype\":\"<i2\",\"strides\":[],\"c_contiguous\":true,"
         "\"f_contiguous\":true}}",
         "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2],\"dtype\":\"<i2\",\"strides\":[2],\"c_contiguous\":true,"
         "\"f_contiguous\":true}}"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rm_runtime_data *d = parse(texts[i][0], strlen(texts[i][0]));
        expect_text(d, texts[i][1]);
        rm_runtime_data_unref(&d);
    }
}

#define VIDEO(fields) "{\"Video\":{\"frame_number\":0,\"timestamp_us\":0,\"is_keyframe\":false," fields "}}"
#define NUMPY(fields) "{\"Numpy\":{\"data\":[1,2,3,4],\"c_contiguous\":true,\"f_contiguous\":false," fields "}}"
#define CONTROL(type) "{\"ControlMessage\":{\"timestamp_ms\":0,\"message_type\":" type "}}"

/* Hostile or broken texts, and the field that the message has to name. */
static const struct {
    const char *text;
    const char *place;
} wrong[] = {
    {"", "line 1"},
    {"{", "line 1"},
    {"]", "byte 1"},
    {"{\"Text\":\"", "byte"},
    {"[]", "data: "},
    {"{}", "data: "},
    {"3", "data: "},
    {"{\"Text\":\"a\",\"Json\":1}", "data: "},
    {"{\"Sound\":{}}", "\"Sound\""},
    {"{\"Text\":\"a\",\"Text\":\"b\"}", "line 1"},
    {"{\"Audio\":[]}", "Audio: "},
    {"{\"Audio\":null}", "Audio: "},
    {"{\"Audio\":{\"samples\":[NaN],\"sample_rate\":1,\"channels\":1}}", "line 1"},
    {"{\"Audio\":{\"samples\":[1,null],\"sample_rate\":1,\"channels\":1}}", "Audio.samples[1]"},
    {"{\"Audio\":{\"samples\":[1e39],\"sample_rate\":1,\"channels\":1}}", "Audio.samples[0]"},
    {"{\"Audio\":{\"samples\":[1e999],\"sample_rate\":1,\"channels\":1}}", "line 1"},
    {"{\"Audio\":{\"samples\":[\"1\"],\"sample_rate\":1,\"channels\":1}}", "Audio.samples[0]"},
    {"{\"Audio\":{\"samples\":\"1\",\"sample_rate\":1,\"channels\":1}}", "Audio.samples: "},
    {"{\"Audio\":{\"sample_rate\":1,\"channels\":1}}", "Audio.samples: "},
    {"{\"Audio\":{\"samples\":[1,2,3],\"sample_rate\":1,\"channels\":2}}", "Audio.samples: "},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":0,\"channels\":1}}", "Audio.sample_rate"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":-48000,\"channels\":1}}", "Audio.sample_rate"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":4294967297,\"channels\":1}}", "Audio.sample_rate"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":48000.0,\"channels\":1}}", "Audio.sample_rate"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":0}}", "Audio.channels"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":true}}", "Audio.channels"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"timestamp_us\":-1}}", "Audio.timestamp_us"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"timestamp_us\":18446744073709551615}}", "line 1"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"arrival_ts_us\":{}}}", "Audio.arrival_ts_us"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"stream_id\":7}}", "Audio.stream_id"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"stream_id\":\"\"}}", "Audio.stream_id"},
    {"{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1,\"stream_id\":\"a\\u0000b\"}}", "Audio.stream_id"},
    {VIDEO("\"pixel_data\":[1,2,3,4,5],\"width\":2,\"height\":2,\"format\":\"I420\""), "Video.pixel_data: 5 bytes"},
    {VIDEO("\"pixel_data\":[],\"width\":2,\"height\":2,\"format\":\"Encoded\""), "Video.pixel_data: "},
    {VIDEO("\"pixel_data\":[1,256],\"width\":2,\"height\":2,\"format\":\"Encoded\""), "Video.pixel_data[1]"},
    {VIDEO("\"pixel_data\":[-1],\"width\":2,\"height\":2,\"format\":\"Encoded\""), "Video.pixel_data[0]"},
    {VIDEO("\"pixel_data\":[1.5],\"width\":2,\"height\":2,\"format\":\"Encoded\""), "Video.pixel_data[0]"},
    {VIDEO("\"pixel_data\":\"AAAA\",\"width\":2,\"height\":2,\"format\":\"Encoded\""), "Video.pixel_data: "},
    {VIDEO("\"pixel_data\":[],\"width\":0,\"height\":0,\"format\":\"Unspecified\""), "Video.width"},
    {VIDEO("\"pixel_data\":[],\"width\":4294967296,\"height\":2,\"format\":\"I420\""), "Video.width"},
    {VIDEO("\"pixel_data\":[1],\"width\":3,\"height\":2,\"format\":\"I420\""), "Video.width"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":-2,\"format\":\"I420\""), "Video.height"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":3,\"format\":\"NV12\""), "Video.height"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":\"i420\""), "Video.format"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":2"), "Video.format"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":2"), "Video.format"},
    {VIDEO("\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":\"Encoded\",\"codec\":\"H265\""), "Video.codec"},
    {VIDEO("\"pixel_data\":[1,2,3],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"codec\":\"Vp8\""), "Video.codec"},
    {"{\"Video\":{\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":\"Encoded\",\"frame_number\":0,"
     "\"is_keyframe\":false}}",
     "Video.timestamp_us"},
    {"{\"Video\":{\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":\"Encoded\",\"frame_number\":-1,"
     "\"is_keyframe\":false,\"timestamp_us\":0}}",
     "Video.frame_number"},
    {"{\"Video\":{\"pixel_data\":[1],\"width\":2,\"height\":2,\"format\":\"Encoded\",\"frame_number\":0,"
     "\"is_keyframe\":1,\"timestamp_us\":0}}",
     "Video.is_keyframe"},
    {"{\"Image\":{\"data\":[1],\"format\":\"Gif\",\"width\":1,\"height\":1}}", "Image.format"},
    {"{\"Image\":{\"data\":[1],\"format\":{\"Raw\":7},\"width\":1,\"height\":1}}", "Image.format.Raw.pixel_format"},
    {"{\"Image\":{\"data\":[1],\"format\":{\"Raw\":{\"pixel_format\":\"Encoded\"}},\"width\":1,\"height\":1}}",
     "Image.format.Raw.pixel_format"},
    {"{\"Image\":{\"data\":[1],\"format\":{\"Raw\":{\"pixel_format\":\"Rgb24\"}},\"width\":1,\"height\":1}}",
     "Image.data: 1 bytes"},
    {"{\"Image\":{\"data\":[],\"format\":\"Png\",\"width\":1,\"height\":1}}", "Image.data: "},
    {"{\"Tensor\":{\"data\":[],\"shape\":[1,-1],\"dtype\":0}}", "Tensor.shape[1]"},
    {"{\"Tensor\":{\"data\":[],\"shape\":[2147483648],\"dtype\":0}}", "Tensor.shape[0]"},
    {"{\"Tensor\":{\"data\":[],\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"
     "\"dtype\":0}}",
     "Tensor.shape: 33"},
    {"{\"Tensor\":{\"data\":[],\"shape\":[],\"dtype\":\"f32\"}}", "Tensor.dtype"},
    {NUMPY("\"shape\":[2],\"dtype\":\"float32\",\"strides\":[4]"), "Numpy.strides: "},
    {NUMPY("\"shape\":[2],\"dtype\":\"float32\",\"strides\":[]"), "Numpy.shape: "},
    {NUMPY("\"shape\":[1],\"dtype\":\"float32\",\"strides\":[4,4]"), "Numpy.strides: "},
    {NUMPY("\"shape\":[1],\"dtype\":\"float32\",\"strides\":[-4]"), "Numpy.strides[0]"},
    {NUMPY("\"shape\":[1],\"dtype\":7,\"strides\":[]"), "Numpy.dtype"},
    {NUMPY("\"shape\":7,\"dtype\":\"bool\",\"strides\":[]"), "Numpy.shape: "},
    {"{\"Text\":7}", "Text: "},
    {"{\"Text\":\"\\ud800\"}", "line 1"},
    {"{\"Text\":\"\xC0\x80\"}", "line 1"},
    {"{\"Binary\":[1,\"2\"]}", "Binary[1]"},
    {"{\"Binary\":\"AAAA\"}", "Binary: "},
    {CONTROL("\"BatchHint\""), "ControlMessage.message_type.type"},
    {CONTROL("{\"type\":\"Stop\"}"), "ControlMessage.message_type.type"},
    {CONTROL("{\"type\":\"BatchHint\",\"suggested_batch_size\":0}"),
     "ControlMessage.message_type.suggested_batch_size"},
    {CONTROL("{\"type\":\"BatchHint\",\"suggested_batch_size\":101}"),
     "ControlMessage.message_type.suggested_batch_size"},
    {CONTROL("{\"type\":\"CancelSpeculation\",\"from_timestamp\":2,\"to_timestamp\":2}"),
     "ControlMessage.message_type.to_timestamp"},
    {CONTROL("{\"type\":\"DeadlineWarning\"}"), "ControlMessage.message_type.deadline_us"},
    {"{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":1}}}",
     "ControlMessage.timestamp_ms"},
    {"{\"File\":{\"path\":\"\"}}", "File.path"},
    {"{\"File\":{\"path\":\"a\\u0000b\"}}", "File.path"},
    {"{\"File\":{\"path\":\"a\",\"size\":-1}}", "File.size"},
    {"{\"File\":{\"path\":\"a\",\"filename\":1}}", "File.filename"},
};

static void faults_name_their_field(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rm_runtime_data *d = NULL;
        char detail[DETAIL] = "";
        const rm_err err = rm_runtime_data_from_json(wrong[i].text, strlen(wrong[i].text), &d, detail, sizeof detail);
        assert_null(d);
        if (err != RM_E_PARSE || !strstr(detail, wrong[i].place))
            fail_msg("%s gives %s, \"%s\"; expected is the place \"%s\"", wrong[i].text, rm_err_name(err), detail,
                     wrong[i].place);
        assert_int_equal(rm_runtime_data_from_json(wrong[i].text, strlen(wrong[i].text), &d, NULL, 0), RM_E_PARSE);
    }
}

static char *repeated(const char *head, const char *part, size_t times, const char *tail, size_t *size) {
    const size_t h = strlen(head), p = strlen(part), t = strlen(tail);
    char *text = malloc(h + p * times + t + 1);
    assert_non_null(text);
    memcpy(text, head, h);
    for (size_t i = 0; i < times; i++)
        memcpy(text + h + i * p, part, p);
    memcpy(text + h + p * times, tail, t + 1);
    *size = h + p * times + t;
    return text;
}

static void expect_too_big(const char *head, const char *part, size_t times, const char *tail) {
    size_t size = 0;
    char *text = repeated(head, part, times, tail, &size);
    rm_runtime_data *d = NULL;
    char detail[DETAIL] = "";
    assert_int_equal(rm_runtime_data_from_json(text, size, &d, detail, sizeof detail), RM_E_TOO_BIG);
    assert_true(detail[0] != '\0');
    free(text);
}

static void sizes_are_limited(void **state) {
    (void)state;
    expect_too_big("{\"Text\":\"", "0123456789abcdef", RM_JSON_TEXT_MAX / 16, "\"}");
    expect_too_big("{\"Binary\":[0", ",0", RM_JSON_VALUES_MAX, "]}");
    expect_too_big("{\"Json\":{\"a\":0", ",\"a\":0", RM_JSON_VALUES_MAX / 4, "}}");
    expect_too_big("{\"Json\":", "[", RM_JSON_DEPTH_MAX, "");
    size_t size = 0;
    char *text = repeated("{\"Json\":", "[", RM_JSON_DEPTH_MAX - 1, "", &size);
    char *closed = repeated(text, "]", RM_JSON_DEPTH_MAX - 1, "}", &size);
    rm_runtime_data *d = parse(closed, size);
    rm_runtime_data_unref(&d);
    free(closed);
    free(text);

    /* And what is over the limits is not written either. */
    rm_buf *buf = NULL;
    char *out = NULL;
    char detail[DETAIL] = "";
    assert_int_equal(rm_buf_create(RM_JSON_VALUES_MAX + 1, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_binary(buf, 0, RM_JSON_VALUES_MAX + 1, &d), RM_OK);
    assert_int_equal(rm_runtime_data_to_json(d, &out, &size, detail, sizeof detail), RM_E_TOO_BIG);
    assert_non_null(strstr(detail, "Binary"));
    assert_null(out);
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);

    text = repeated("", "[", RM_JSON_DEPTH_MAX, "", &size);
    closed = repeated(text, "]", RM_JSON_DEPTH_MAX, "", &size);
    assert_int_equal(rm_runtime_data_create_json(closed, size, &d), RM_OK);
    assert_int_equal(rm_runtime_data_to_json(d, &out, &size, detail, sizeof detail), RM_E_TOO_BIG);
    assert_null(out);
    rm_runtime_data_unref(&d);
    free(closed);
    free(text);

    /* A long text is one value. */
    text = repeated("", "0123456789abcdef", RM_JSON_VALUES_MAX / 8, "", &size);
    assert_int_equal(rm_runtime_data_create_text(text, size, NULL, &d), RM_OK);
    assert_int_equal(rm_runtime_data_to_json(d, &out, &size, NULL, 0), RM_OK);
    rm_json_free(&out);
    rm_runtime_data_unref(&d);
    free(text);
}

static void a_720p_frame_fits(void **state) {
    (void)state;
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL, *again = NULL;
    char *text = NULL;
    size_t size = 0;
    const size_t pixels = rm_video_packed_size(RM_PIXEL_I420, 1280, 720);
    assert_int_equal(rm_buf_create(pixels, &buf), RM_OK);
    memset(rm_buf_write(buf), 200, pixels);
    assert_int_equal(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 1280, 720, 0, 0, &d), RM_OK);
    assert_int_equal(rm_runtime_data_to_json(d, &text, &size, NULL, 0), RM_OK);
    again = parse(text, size);
    assert_int_equal(rm_runtime_data_video(again)->size, pixels);
    assert_memory_equal(rm_runtime_data_video(again)->data, rm_buf_data(buf), pixels);
    rm_json_free(&text);
    rm_runtime_data_unref(&again);
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void gaps_between_rows_are_not_written(void **state) {
    (void)state;
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_copy("\1\2\3x\4\5\6x", 8, &buf), RM_OK);
    assert_int_equal(rm_runtime_data_create_video_planes(buf, (const size_t[]){0}, (const size_t[]){4}, RM_PIXEL_RGB24,
                                                         1, 2, 0, 0, &d),
                     RM_OK);
    expect_text(d, "{\"Video\":{\"pixel_data\":[1,2,3,4,5,6],\"width\":1,\"height\":2,\"format\":\"Rgb24\","
                   "\"frame_number\":0,\"timestamp_us\":0,\"is_keyframe\":false}}");
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void not_a_number_is_refused(void **state) {
    (void)state;
    const float values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        const float samples[] = {0.0f, values[i]};
        rm_buf *buf = NULL;
        rm_runtime_data *d = NULL;
        char *text = NULL, detail[DETAIL] = "";
        size_t size = 0;
        assert_int_equal(rm_buf_copy(samples, sizeof samples, &buf), RM_OK);
        assert_int_equal(rm_runtime_data_create_audio(buf, 0, 2, 8000, 1, &d), RM_OK);
        assert_int_equal(rm_runtime_data_to_json(d, &text, &size, detail, sizeof detail), RM_E_INVALID_ARG);
        assert_non_null(strstr(detail, "Audio.samples[1]"));
        assert_null(text);
        rm_runtime_data_unref(&d);
        rm_buf_unref(&buf);
    }
}

static void separators_of_locales(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"0,5", "0.5"},
                                           {"-1\xD9\xAB"
                                            "25e-07",
                                            "-1.25e-07"},
                                           {"12", "12"},
                                           {"3.40282347e+38", "3.40282347e+38"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%s", cases[i][0]);
        rmi_json_plain_number(text);
        assert_string_equal(text, cases[i][1]);
    }
}

/* Numbers keep their point where the application's locale has a comma; skipped where there is no such locale. */
static void locales_do_not_matter(void **state) {
    (void)state;
    static const char *const with_comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < sizeof with_comma / sizeof with_comma[0] && !found; i++)
        found = setlocale(LC_NUMERIC, with_comma[i]) != NULL;
    if (!found)
        skip();
    rm_runtime_data *d = parse(canonical[0], strlen(canonical[0]));
    expect_text(d, canonical[0]);
    rm_runtime_data_unref(&d);
    setlocale(LC_NUMERIC, "C");
}

/* Every length, and every byte changed in three ways: a typed error or an object that round-trips; never a read outside
 * (each text is in a block of its own, so that the sanitizer sees one). */
static void try_text(const char *text, size_t size) {
    char *block = malloc(size ? size : 1);
    assert_non_null(block);
    memcpy(block, text, size);
    rm_runtime_data *d = NULL;
    char detail[DETAIL] = "";
    const rm_err err = rm_runtime_data_from_json(block, size, &d, detail, sizeof detail);
    if (err) {
        assert_int_equal(err, RM_E_PARSE);
        assert_true(detail[0] != '\0');
        assert_null(d);
    } else {
        char *once = NULL;
        size_t length = 0;
        assert_int_equal(rm_runtime_data_to_json(d, &once, &length, NULL, 0), RM_OK);
        rm_runtime_data_unref(&d);
        d = parse(once, length);
        expect_text(d, once);
        rm_runtime_data_unref(&d);
        rm_json_free(&once);
    }
    free(block);
}

static void truncated_and_changed(void **state) {
    (void)state;
    static const uint8_t changes[] = {0x01, 0x20, 0x80, 0xFF};
    for (size_t i = 0; i < CANONICAL_COUNT; i++) {
        char text[512];
        const size_t size = strlen(canonical[i]);
        assert_true(size < sizeof text);
        for (size_t n = 0; n <= size; n++)
            try_text(canonical[i], n);
        for (size_t at = 0; at < size; at++)
            for (size_t k = 0; k < sizeof changes; k++) {
                memcpy(text, canonical[i], size);
                text[at] = (char)((uint8_t)text[at] ^ changes[k]);
                try_text(text, size);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_round_trips),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(accepts_more_than_it_writes),
        cmocka_unit_test(faults_name_their_field),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(a_720p_frame_fits),
        cmocka_unit_test(gaps_between_rows_are_not_written),
        cmocka_unit_test(not_a_number_is_refused),
        cmocka_unit_test(separators_of_locales),
        cmocka_unit_test(locales_do_not_matter),
        cmocka_unit_test(truncated_and_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
