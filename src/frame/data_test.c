/* SPDX-License-Identifier: Apache-2.0 */
#include <remotemedia/data.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rm_buf *bytes_of(size_t size) {
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    uint8_t *at = rm_buf_write(buf);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)i;
    return buf;
}

static void count_call(void *data, size_t size, void *user) {
    (void)data;
    *(size_t *)user += size;
}

static void buffers(void **state) {
    (void)state;
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_create(3, &buf), RM_OK);
    assert_int_equal(rm_buf_size(buf), 3);
    assert_memory_equal(rm_buf_data(buf), "\0\0\0", 3);
    assert_non_null(rm_buf_write(buf));
    rm_buf *second = rm_buf_ref(buf);
    assert_null(rm_buf_write(buf));
    rm_buf_unref(&second);
    assert_null(second);
    assert_non_null(rm_buf_write(buf));
    rm_buf_unref(&buf);

    assert_int_equal(rm_buf_copy("abc", 3, &buf), RM_OK);
    assert_memory_equal(rm_buf_data(buf), "abc", 3);
    rm_buf_unref(&buf);

    char memory[5] = "hello";
    size_t freed = 0;
    assert_int_equal(rm_buf_wrap(memory, sizeof memory, count_call, &freed, &buf), RM_OK);
    assert_ptr_equal(rm_buf_data(buf), memory);
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_binary(buf, 1, 3, &d), RM_OK);
    rm_buf_unref(&buf);
    assert_int_equal(freed, 0); /* the object keeps it */
    size_t size = 0;
    assert_ptr_equal(rm_runtime_data_bytes(d, &size), memory + 1);
    assert_int_equal(size, 3);
    rm_runtime_data_unref(&d);
    assert_int_equal(freed, sizeof memory);

    assert_int_equal(rm_buf_copy(NULL, 1, &buf), RM_E_INVALID_ARG);
    assert_int_equal(rm_buf_wrap(NULL, 1, NULL, NULL, &buf), RM_E_INVALID_ARG);
    assert_int_equal(rm_buf_create(SIZE_MAX, &buf), RM_E_NO_MEMORY);
    assert_null(rm_buf_ref(NULL));
    assert_null(rm_buf_write(NULL));
    rm_buf_unref(NULL);
}

static void sound(void **state) {
    (void)state;
    rm_buf *buf = bytes_of(100 * sizeof(float));
    rm_runtime_data *d = NULL, *untouched = NULL;
    assert_int_equal(rm_runtime_data_create_audio(buf, 8, 96, 48000, 2, &d), RM_OK);
    const rm_audio *a = rm_runtime_data_audio(d);
    assert_ptr_equal(a->samples, rm_buf_data(buf) + 8);
    assert_int_equal(a->sample_count, 96);
    assert_int_equal(a->frame_count, 48);
    assert_int_equal(a->sample_rate, 48000);
    assert_int_equal(a->channels, 2);
    assert_int_equal(rm_runtime_data_type(d), RM_DATA_AUDIO);
    assert_null(rm_runtime_data_video(d));
    assert_null(rm_runtime_data_text(d));
    assert_null(rm_runtime_data_json(d));
    assert_ptr_equal(rm_runtime_data_buf(d), buf);

    assert_null(rm_runtime_data_write_samples(d)); /* `buf` is a second reference */
    static const struct {
        size_t offset, samples;
        uint32_t rate, channels;
    } wrong[] = {{8, 97, 48000, 2},
                 {8, 96, 0, 2},
                 {8, 96, RM_SAMPLE_RATE_MAX + 1, 2},
                 {8, 96, 48000, 0},
                 {6, 90, 48000, 1},
                 {8, 99, 8000, 1},
                 {SIZE_MAX, 0, 8000, 1},
                 {0, SIZE_MAX / 4, 8000, 1},
                 {401, 0, 8000, 1},
                 {0, 0, 8000, RM_AUDIO_CHANNELS_MAX + 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rm_runtime_data_create_audio(buf, wrong[i].offset, wrong[i].samples, wrong[i].rate,
                                                      wrong[i].channels, &untouched),
                         RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_audio(NULL, 0, 0, 8000, 1, &untouched), RM_E_INVALID_ARG);
    assert_null(untouched);
    rm_buf_unref(&buf);

    float *samples = rm_runtime_data_write_samples(d);
    assert_non_null(samples);
    samples[95] = 0.5f;
    assert_true(a->samples[95] == 0.5f);
    assert_int_equal(rm_runtime_data_set_sample_count(d, 98), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_sample_count(d, 3), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_sample_count(d, 4), RM_OK);
    assert_int_equal(a->frame_count, 2);
    assert_int_equal(rm_runtime_data_set_sample_count(d, 96), RM_OK); /* the room is still there */
    rm_runtime_data *second = rm_runtime_data_ref(d);
    assert_null(rm_runtime_data_write_samples(d));
    assert_int_equal(rm_runtime_data_set_sample_count(d, 4), RM_E_STATE);
    rm_runtime_data_unref(&second);
    rm_runtime_data_unref(&d);
}

static void shared_fields(void **state) {
    (void)state;
    rm_buf *buf = bytes_of(64);
    rm_runtime_data *d = NULL, *text = NULL;
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, 16, 16000, 1, &d), RM_OK);
    rm_buf_unref(&buf);
    assert_null(rm_runtime_data_stream_id(d));
    assert_null(rm_runtime_data_metadata(d));
    assert_int_equal(rm_runtime_data_timestamp_us(d), RM_NO_VALUE);
    assert_int_equal(rm_runtime_data_arrival_us(d), RM_NO_VALUE);

    char longest[RM_STREAM_ID_MAX + 1];
    memset(longest, 'x', sizeof longest);
    longest[RM_STREAM_ID_MAX] = '\0';
    assert_int_equal(rm_runtime_data_set_stream_id(d, longest), RM_E_INVALID_ARG);
    longest[RM_STREAM_ID_MAX - 1] = '\0';
    assert_int_equal(rm_runtime_data_set_stream_id(d, longest), RM_OK);
    assert_string_equal(rm_runtime_data_stream_id(d), longest);
    assert_int_equal(rm_runtime_data_set_stream_id(d, ""), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "a\nb"), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "\xC0\x80"), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_stream_id(d, NULL), RM_OK);
    assert_null(rm_runtime_data_stream_id(d));

    assert_int_equal(rm_runtime_data_set_timestamp_us(d, 0), RM_OK);
    assert_int_equal(rm_runtime_data_timestamp_us(d), 0);
    assert_int_equal(rm_runtime_data_set_timestamp_us(d, -2), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_set_arrival_us(d, 77), RM_OK);
    assert_int_equal(rm_runtime_data_arrival_us(d), 77);
    assert_int_equal(rm_runtime_data_set_metadata(d, " {\"a\" : [1, 2]} "), RM_OK);
    assert_string_equal(rm_runtime_data_metadata(d), "{\"a\":[1,2]}");
    assert_int_equal(rm_runtime_data_set_metadata(d, "{"), RM_E_PARSE);
    assert_string_equal(rm_runtime_data_metadata(d), "{\"a\":[1,2]}");
    assert_int_equal(rm_runtime_data_set_metadata(d, "null"), RM_OK);
    assert_null(rm_runtime_data_metadata(d));
    assert_int_equal(rm_runtime_data_set_frame_number(d, 1), RM_E_UNSUPPORTED);

    assert_int_equal(rm_runtime_data_create_text("x", 1, NULL, &text), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(text, "s"), RM_E_UNSUPPORTED);
    assert_int_equal(rm_runtime_data_set_timestamp_us(text, 1), RM_E_UNSUPPORTED);
    assert_int_equal(rm_runtime_data_set_metadata(text, "1"), RM_E_UNSUPPORTED);
    assert_int_equal(rm_runtime_data_set_sample_count(text, 0), RM_E_UNSUPPORTED);
    assert_null(rm_runtime_data_write_bytes(text));
    rm_runtime_data *second = rm_runtime_data_ref(d);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "s"), RM_E_STATE);
    assert_int_equal(rm_runtime_data_set_metadata(d, "1"), RM_E_STATE);
    rm_runtime_data_unref(&second);
    rm_runtime_data_unref(&text);
    rm_runtime_data_unref(&d);
}

static void sharing_and_copying(void **state) {
    (void)state;
    rm_buf *buf = bytes_of(64);
    rm_runtime_data *d = NULL, *shared = NULL, *copy = NULL;
    assert_int_equal(rm_runtime_data_create_audio(buf, 4, 8, 16000, 1, &d), RM_OK);
    rm_buf_unref(&buf);
    assert_int_equal(rm_runtime_data_set_metadata(d, "{\"k\":1}"), RM_OK);
    assert_int_equal(rm_runtime_data_set_stream_id(d, "mic"), RM_OK);
    assert_int_equal(rm_runtime_data_share(d, &shared), RM_OK);
    assert_ptr_equal(rm_runtime_data_audio(shared)->samples, rm_runtime_data_audio(d)->samples);
    assert_int_equal(rm_runtime_data_set_timestamp_us(shared, 5), RM_OK);
    assert_int_equal(rm_runtime_data_timestamp_us(d), RM_NO_VALUE);
    assert_string_equal(rm_runtime_data_stream_id(shared), "mic");
    assert_null(rm_runtime_data_write_samples(shared));

    assert_int_equal(rm_runtime_data_copy(d, &copy), RM_OK);
    assert_string_equal(rm_runtime_data_metadata(copy), "{\"k\":1}");
    float *samples = rm_runtime_data_write_samples(copy);
    assert_non_null(samples);
    assert_ptr_equal(samples, rm_runtime_data_audio(copy)->samples);
    assert_memory_equal(samples, rm_runtime_data_audio(d)->samples, 8 * sizeof(float));
    samples[0] = 9.0f;
    assert_false(rm_runtime_data_audio(d)->samples[0] == 9.0f);
    assert_int_equal(rm_runtime_data_set_sample_count(copy, 9), RM_E_INVALID_ARG);
    rm_runtime_data_unref(&d);
    assert_non_null(rm_runtime_data_write_samples(shared));
    rm_runtime_data_unref(&shared);
    rm_runtime_data_unref(&copy);
    rm_runtime_data_unref(&copy);
    rm_runtime_data_unref(NULL);
    assert_null(rm_runtime_data_ref(NULL));
}

static void texts_and_channels(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        size_t size;
        const char *channel, *text;
        size_t text_size;
    } cases[] = {
        {"hello", 5, "tts", "hello", 5},
        {"", 0, "tts", "", 0},
        {"\0\3logline", 9, "log", "line", 4},
        {"\0\0rest", 6, "tts", "rest", 4}, /* an empty name */
        {"\0\3lo", 4, "tts", "\0\3lo", 4}, /* a name that ends too early: no tag */
        {"\0", 1, "tts", "\0", 1},
        {"\0\1\xC3\xA9", 4, "tts", "\0\1\xC3\xA9", 4}, /* a name that is half a character */
        {"\0\2\xC3\xA9!", 5, "\xC3\xA9", "!", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rm_runtime_data *d = NULL;
        assert_int_equal(rm_runtime_data_create_text(cases[i].raw, cases[i].size, NULL, &d), RM_OK);
        const rm_text *t = rm_runtime_data_text(d);
        assert_int_equal(t->channel_size, strlen(cases[i].channel));
        assert_memory_equal(t->channel, cases[i].channel, t->channel_size);
        assert_int_equal(t->size, cases[i].text_size);
        assert_memory_equal(t->text, cases[i].text, t->size);
        assert_int_equal(t->text[t->size], '\0');
        assert_int_equal(t->raw_size, cases[i].size);
        rm_runtime_data_unref(&d);
    }
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_text("line", 4, "log", &d), RM_OK);
    assert_memory_equal(rm_runtime_data_text(d)->raw, "\0\3logline", 9);
    assert_int_equal(rm_runtime_data_text(d)->raw_size, 9);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_text("line", 4, "tts", &d), RM_OK);
    assert_int_equal(rm_runtime_data_text(d)->raw_size, 4);
    rm_runtime_data_unref(&d);

    char name[129];
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    assert_int_equal(rm_runtime_data_create_text("x", 1, name, &d), RM_E_INVALID_ARG);
    name[127] = '\0';
    assert_int_equal(rm_runtime_data_create_text("x", 1, name, &d), RM_OK);
    assert_int_equal(rm_runtime_data_text(d)->channel_size, 127);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_text("x", 1, "", &d), RM_E_INVALID_ARG);
    static const char *const no_utf8[] = {
        "\x80", "\xC1\x81", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98", "\xFF"};
    for (size_t i = 0; i < sizeof no_utf8 / sizeof no_utf8[0]; i++)
        assert_int_equal(rm_runtime_data_create_text(no_utf8[i], strlen(no_utf8[i]), NULL, &d), RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_text("\xF0\x9F\x98\x80\xED\x9F\xBF", 7, NULL, &d), RM_OK);
    rm_runtime_data_unref(&d);
}

static void images(void **state) {
    (void)state;
    rm_buf *buf = bytes_of(48);
    rm_runtime_data *d = NULL, *none = NULL;
    assert_int_equal(rm_runtime_data_create_image(buf, 0, 48, RM_IMAGE_RAW, RM_PIXEL_RGB24, 4, 4, &d), RM_OK);
    assert_int_equal(rm_runtime_data_image(d)->pixel_format, RM_PIXEL_RGB24);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_image(buf, 0, 47, RM_IMAGE_RAW, RM_PIXEL_RGB24, 4, 4, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_image(buf, 0, 47, RM_IMAGE_PNG, RM_PIXEL_RGB24, 4, 4, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_image(buf, 0, 0, RM_IMAGE_PNG, RM_PIXEL_UNSPECIFIED, 4, 4, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_image(buf, 2, 47, RM_IMAGE_PNG, RM_PIXEL_UNSPECIFIED, 4, 4, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_image(buf, 1, 47, RM_IMAGE_PNG, RM_PIXEL_UNSPECIFIED, 4, 4, &d), RM_OK);
    assert_int_equal(rm_runtime_data_image(d)->data[0], 1);
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void arrays(void **state) {
    (void)state;
    rm_buf *buf = bytes_of(24);
    rm_runtime_data *d = NULL, *copy = NULL, *none = NULL;
    assert_int_equal(rm_runtime_data_create_tensor(buf, 0, 24, (const int32_t[]){2, 3}, 2, 0, &d), RM_OK);
    assert_int_equal(rm_runtime_data_tensor(d)->shape[1], 3);
    assert_int_equal(rm_runtime_data_copy(d, &copy), RM_OK);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_tensor(copy)->shape[0], 2);
    assert_int_equal(rm_runtime_data_tensor(copy)->data[23], 23);
    rm_runtime_data_unref(&copy);
    assert_int_equal(rm_runtime_data_create_tensor(buf, 0, 24, (const int32_t[]){-2, 3}, 2, 0, &none),
                     RM_E_INVALID_ARG);

    const int64_t shape[] = {2, 3};
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 24, shape, 2, "float32", NULL, true, false, &d), RM_OK);
    assert_int_equal(rm_runtime_data_numpy(d)->strides[0], 12);
    assert_int_equal(rm_runtime_data_numpy(d)->strides[1], 4);
    assert_string_equal(rm_runtime_data_numpy(d)->dtype, "float32");
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 24, shape, 2, "<U7", NULL, true, false, &d), RM_OK);
    assert_null(rm_runtime_data_numpy(d)->strides);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 4, NULL, 0, "<f4", NULL, true, true, &d), RM_OK);
    rm_runtime_data_unref(&d);

    /* Whoever walks the array by its strides must stay inside. */
    static const struct {
        int64_t shape[2], strides[2];
    } outside[] = {
        {{2, 3}, {13, 4}},        {{2, 3}, {12, 5}},        {{2, 3}, {-12, 4}}, {{-2, 3}, {12, 4}},
        {{INT64_MAX, 2}, {4, 4}}, {{2, 2}, {INT64_MAX, 4}}, {{7, 1}, {4, 0}},   {{3, INT64_MAX}, {0, INT64_MAX}}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 24, outside[i].shape, 2, "float32", outside[i].strides,
                                                      true, false, &none),
                         RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 24, (const int64_t[]){INT64_MAX, INT64_MAX}, 2, "float32",
                                                  NULL, true, false, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 23, shape, 2, "float32", NULL, true, false, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(rm_runtime_data_create_numpy(buf, 0, 24, shape, 2, "", NULL, true, false, &none),
                     RM_E_INVALID_ARG);
    assert_int_equal(
        rm_runtime_data_create_numpy(buf, 0, 0, (const int64_t[]){0, 9}, 2, "float64", NULL, true, false, &d), RM_OK);
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void control_messages_and_files(void **state) {
    (void)state;
    rm_runtime_data *d = NULL, *copy = NULL, *none = NULL;
    char segment[] = "segment";
    rm_control c = {.type = RM_CONTROL_CANCEL_SPECULATION, .from_us = 5, .to_us = 6, .segment_id = segment};
    assert_int_equal(rm_runtime_data_create_control(&c, &d), RM_OK);
    segment[0] = 'X';
    assert_string_equal(rm_runtime_data_control(d)->segment_id, "segment");
    assert_int_equal(rm_runtime_data_set_metadata(d, "[]"), RM_OK);
    assert_int_equal(rm_runtime_data_copy(d, &copy), RM_OK);
    rm_runtime_data_unref(&d);
    assert_string_equal(rm_runtime_data_control(copy)->segment_id, "segment");
    size_t size = 1;
    assert_null(rm_runtime_data_bytes(copy, &size));
    assert_int_equal(size, 0);
    assert_null(rm_runtime_data_buf(copy));
    rm_runtime_data_unref(&copy);

    static const rm_control wrong[] = {
        {.type = RM_CONTROL_CANCEL_SPECULATION, .from_us = 6, .to_us = 6},
        {.type = RM_CONTROL_CANCEL_SPECULATION, .from_us = -1, .to_us = 6},
        {.type = RM_CONTROL_BATCH_HINT, .suggested_batch_size = 0},
        {.type = RM_CONTROL_BATCH_HINT, .suggested_batch_size = 101},
        {.type = RM_CONTROL_DEADLINE_WARNING, .deadline_us = -1},
        {.type = RM_CONTROL_DEADLINE_WARNING, .timestamp_ms = -1},
        {.type = RM_CONTROL_DEADLINE_WARNING, .segment_id = "\xFF"},
        {.type = (rm_control_type)0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rm_runtime_data_create_control(&wrong[i], &none), RM_E_INVALID_ARG);

    rm_file f = {.path = "/a", .mime_type = "text/plain", .size = 3, .offset = RM_NO_VALUE, .length = RM_NO_VALUE};
    assert_int_equal(rm_runtime_data_create_file(&f, &d), RM_OK);
    assert_string_equal(rm_runtime_data_file(d)->path, "/a");
    assert_null(rm_runtime_data_file(d)->filename);
    assert_string_equal(rm_runtime_data_file(d)->mime_type, "text/plain");
    rm_runtime_data_unref(&d);
    f.size = -2;
    assert_int_equal(rm_runtime_data_create_file(&f, &none), RM_E_INVALID_ARG);
    f.size = 3;
    f.path = "";
    assert_int_equal(rm_runtime_data_create_file(&f, &none), RM_E_INVALID_ARG);
}

static void json_values(void **state) {
    (void)state;
    rm_runtime_data *d = NULL;
    static const char text[] = " [1, {\"a\": \"\\u0000\"}, null, 0.1]";
    assert_int_equal(rm_runtime_data_create_json(text, sizeof text - 1, &d), RM_OK);
    assert_string_equal(rm_runtime_data_json(d), "[1,{\"a\":\"\\u0000\"},null,0.10000000000000001]");
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_json("3", 1, &d), RM_OK);
    rm_runtime_data_unref(&d);
    assert_int_equal(rm_runtime_data_create_json("", 0, &d), RM_E_PARSE);
    assert_int_equal(rm_runtime_data_create_json(NULL, 0, &d), RM_E_PARSE);
    assert_int_equal(rm_runtime_data_create_json("{\"a\":1,\"a\":2}", 13, &d), RM_E_PARSE);
    assert_int_equal(rm_runtime_data_create_json("NaN", 3, &d), RM_E_PARSE);
    assert_null(d);
}

static void names(void **state) {
    (void)state;
    assert_string_equal(rm_data_type_name(RM_DATA_AUDIO), "audio");
    assert_string_equal(rm_data_type_name(RM_DATA_CONTROL), "control_message");
    assert_string_equal(rm_data_type_name(RM_DATA_FILE), "file");
    assert_string_equal(rm_data_type_name((rm_data_type)0), "unknown");
    assert_string_equal(rm_data_type_name((rm_data_type)-1), "unknown");
    assert_string_equal(rm_pixel_format_name(RM_PIXEL_NV12), "NV12");
    assert_string_equal(rm_codec_name(RM_CODEC_VP9), "Vp9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers),
        cmocka_unit_test(sound),
        cmocka_unit_test(shared_fields),
        cmocka_unit_test(sharing_and_copying),
        cmocka_unit_test(texts_and_channels),
        cmocka_unit_test(images),
        cmocka_unit_test(arrays),
        cmocka_unit_test(control_messages_and_files),
        cmocka_unit_test(json_values),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
