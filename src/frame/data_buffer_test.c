/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/data_buffer.h"

#include "base/rng.h"
#include <inttypes.h>
#include <remotemedia/data_json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_ROUNDS 3000

static rm_runtime_data *from_json(const char *json) {
    rm_runtime_data *d = NULL;
    char detail[200] = "";
    rm_err err = rm_runtime_data_from_json(json, strlen(json), &d, detail, sizeof detail);
    if (err)
        fail_msg("%s: %s: %s", json, rm_err_name(err), detail);
    return d;
}

static char *to_json(const rm_runtime_data *d) {
    char *json = NULL;
    size_t size = 0;
    assert_int_equal(rm_runtime_data_to_json(d, &json, &size, NULL, 0), RM_OK);
    return json;
}

static struct rmi_buf *written(const rm_runtime_data *d, const rm_metadata *metadata) {
    struct rmi_buf *bytes = NULL;
    assert_int_equal(rmi_data_buffer_write(d, metadata, &bytes), RM_OK);
    return bytes;
}

/* Every prefix of a message is refused, or is a whole message by itself. */
static void truncations(const struct rmi_buf *bytes) {
    const size_t step = bytes->len / 200 + 1;
    for (size_t len = 0; len < bytes->len; len += step) {
        rm_runtime_data *d = NULL;
        uint8_t *exact = malloc(len ? len : 1); /* of this length, so that a sanitizer sees what is read behind it */
        memcpy(exact, bytes->data, len);
        rm_err err = rmi_data_buffer_read(exact, len, &d, NULL);
        assert_true(err == RM_OK || err == RM_E_PARSE || err == RM_E_UNSUPPORTED);
        assert_int_equal(err == RM_OK, d != NULL);
        rm_runtime_data_unref(&d);
        free(exact);
    }
}

static void comes_back(const rm_runtime_data *d) {
    struct rmi_buf *bytes = written(d, NULL);
    rm_runtime_data *again = NULL;
    rm_metadata *metadata = NULL;
    char *before = to_json(d), *after = NULL;
    rm_err err = rmi_data_buffer_read(bytes->data, bytes->len, &again, &metadata);
    if (err)
        fail_msg("%s: %s", rm_err_name(err), before);
    assert_null(metadata); /* what is ours is taken out again */
    after = to_json(again);
    assert_string_equal(before, after);
    truncations(bytes);
    rm_json_free(&before);
    rm_json_free(&after);
    rm_runtime_data_unref(&again);
    rmi_buf_unref(&bytes);
}

static const char *const samples[] = {
    "{\"Audio\":{\"samples\":[0,1,-1,0.5],\"sample_rate\":48000,\"channels\":2,\"stream_id\":\"mic\",\"timestamp_us\":"
    "0,"
    "\"arrival_ts_us\":9007199254740993,\"metadata\":{\"a\":[1,null]}}}",
    "{\"Audio\":{\"samples\":[],\"sample_rate\":1,\"channels\":1}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"I420\",\"frame_number\":7,"
    "\"timestamp_us\":8,\"is_keyframe\":true,\"stream_id\":\"cam\",\"arrival_ts_us\":5}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"Yuv420p\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[0,1,2,3,4,255],\"width\":2,\"height\":2,\"format\":\"NV12\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[1,2,3],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[1,2,3,4],\"width\":1,\"height\":1,\"format\":\"Rgba32\",\"frame_number\":0,"
    "\"timestamp_us\":0,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":1280,\"height\":720,\"format\":\"Encoded\",\"codec\":\"H264\","
    "\"frame_number\":9223372036854775807,\"timestamp_us\":9223372036854775807,\"is_keyframe\":true}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":1,\"height\":1,\"format\":\"Encoded\",\"codec\":\"Vp9\","
    "\"frame_number\":1,\"timestamp_us\":1,\"is_keyframe\":false}}",
    "{\"Video\":{\"pixel_data\":[9],\"width\":1,\"height\":1,\"format\":\"Unspecified\",\"codec\":\"Av1\","
    "\"frame_number\":1,\"timestamp_us\":1,\"is_keyframe\":false}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"Jpeg\",\"width\":3,\"height\":5,\"metadata\":\"x\"}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"Png\",\"width\":3,\"height\":5,\"timestamp_us\":1,\"stream_id\":\"s\"}}",
    "{\"Image\":{\"data\":[1,2],\"format\":\"WebP\",\"width\":3,\"height\":5}}",
    "{\"Image\":{\"data\":[1,2,3],\"format\":{\"Raw\":{\"pixel_format\":\"Rgb24\"}},\"width\":1,\"height\":1}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[1,1],\"dtype\":0,\"metadata\":[]}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[],\"dtype\":1}}",
    "{\"Tensor\":{\"data\":[1,2,3,4],\"shape\":[2],\"dtype\":2}}",
    "{\"Tensor\":{\"data\":[],\"shape\":[0,2147483647,2147483647],\"dtype\":4}}",
    "{\"Tensor\":{\"data\":[1,2,3],\"shape\":[7],\"dtype\":-2147483648}}",
    "{\"Numpy\":{\"data\":[1,2,3,4],\"shape\":[2,1],\"dtype\":\"int16\",\"strides\":[2,2],\"c_contiguous\":true,"
    "\"f_contiguous\":false}}",
    "{\"Numpy\":{\"data\":[1],\"shape\":[2,1],\"dtype\":\"mine\",\"strides\":[],\"c_contiguous\":false,"
    "\"f_contiguous\":true}}",
    "{\"Json\":{\"a\":[1,2.5,\"x\",null,{\"b\":false}]}}",
    "{\"Json\":\"\"}",
    "{\"Text\":\"gr\\u00fc\\u00df dich\"}",
    "{\"Text\":\"\"}",
    "{\"Text\":\"\\u0000\\u0003logline\"}",
    "{\"Text\":\"\\u0000\\u0005log\"}",
    "{\"Text\":\"\\u0000\\u0000\\u0000\\u0000x\"}",
    "{\"Text\":\"\\u0000\\u0003logx\\u0000\\u0000y\"}",
    "{\"Text\":\"\\u0000\\u0002a\\u0000b\"}",
    "{\"Binary\":[1,2,3,0,255]}",
    "{\"Binary\":[]}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"DeadlineWarning\",\"deadline_us\":5},\"segment_id\":\"s\","
    "\"timestamp_ms\":0,\"metadata\":{}}}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"CancelSpeculation\",\"from_timestamp\":0,\"to_timestamp\":1},"
    "\"timestamp_ms\":9223372036854775807,\"metadata\":null}}",
    "{\"ControlMessage\":{\"message_type\":{\"type\":\"BatchHint\",\"suggested_batch_size\":100},\"timestamp_ms\":1,"
    "\"metadata\":{\"why\":\"slow\"}}}",
    "{\"File\":{\"path\":\"/a/b\",\"filename\":\"b\",\"mime_type\":\"text/plain\",\"size\":0,\"offset\":0,\"length\":0,"
    "\"stream_id\":\"f\"}}",
    "{\"File\":{\"path\":\"/a/b\",\"size\":9223372036854775807,\"offset\":1,\"length\":2}}",
    "{\"File\":{\"path\":\"/a/b\"}}",
};

static void test_every_kind_comes_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        rm_runtime_data *d = from_json(samples[i]);
        comes_back(d);
        rm_runtime_data_unref(&d);
    }
}

/* ---- random data ---- */

static uint32_t below(const struct rmi_rng *rng, uint32_t limit) {
    return (uint32_t)rmi_rng_range(rng, 0, limit - 1);
}

static rm_buf *random_bytes(const struct rmi_rng *rng, size_t size) {
    rm_buf *buf = NULL;
    assert_int_equal(rm_buf_create(size, &buf), RM_OK);
    if (size > 0)
        rmi_rng_fill(rng, rm_buf_write(buf), size);
    return buf;
}

static rm_runtime_data *random_picture(const struct rmi_rng *rng) {
    static const rm_pixel_format formats[] = {RM_PIXEL_I420, RM_PIXEL_NV12, RM_PIXEL_RGB24, RM_PIXEL_RGBA32};
    const rm_pixel_format format = formats[below(rng, 4)];
    const uint32_t width = 2 * (1 + below(rng, 20)), height = 2 * (1 + below(rng, 20));
    rm_buf *buf = random_bytes(rng, rm_video_packed_size(format, width, height));
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_video(buf, 0, format, width, height, below(rng, 1u << 31), 7, &d), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static rm_runtime_data *random_sound(const struct rmi_rng *rng) {
    const uint32_t channels = 1 + below(rng, 8);
    const size_t count = channels * (size_t)below(rng, 100);
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_buf_create(count * sizeof(float), &buf), RM_OK);
    float *out = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < count; i++)
        out[i] = (float)below(rng, 65536) / 32768.0f - 1.0f;
    assert_int_equal(rm_runtime_data_create_audio(buf, 0, count, 8000, channels, &d), RM_OK);
    rm_buf_unref(&buf);
    rm_runtime_data_set_timestamp_us(d, (int64_t)below(rng, 1u << 31) << below(rng, 32));
    return d;
}

static rm_runtime_data *random_array(const struct rmi_rng *rng) {
    int32_t shape[RM_DIMS_MAX];
    size_t size = 1;
    const size_t dims = (size_t)below(rng, RM_DIMS_MAX + 1);
    for (size_t i = 0; i < dims; i++) {
        shape[i] = size < 1000 ? (int32_t)below(rng, 4) : 1;
        size *= (size_t)shape[i];
    }
    rm_buf *buf = random_bytes(rng, size);
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_tensor(buf, 0, size, shape, dims, RM_TENSOR_U8, &d), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

static void test_random_data_comes_back(void **state) {
    (void)state;
    struct rmi_prng prng;
    rmi_prng_seed(&prng, 20);
    const struct rmi_rng rng = rmi_prng_rng(&prng);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        rm_runtime_data *d = i % 3 == 0 ? random_picture(&rng) : i % 3 == 1 ? random_sound(&rng) : random_array(&rng);
        comes_back(d);
        rm_runtime_data_unref(&d);
    }
}

static void test_rows_with_gaps_are_packed(void **state) {
    (void)state;
    rm_buf *buf = NULL;
    rm_runtime_data *d = NULL, *again = NULL;
    static const size_t offsets[] = {30, 1, 11}, strides[] = {6, 3, 2}; /* planes in another order, rows apart */
    assert_int_equal(rm_buf_create(100, &buf), RM_OK);
    for (int i = 0; i < 100; i++)
        rm_buf_write(buf)[i] = (uint8_t)i;
    assert_int_equal(rm_runtime_data_create_video_planes(buf, offsets, strides, RM_PIXEL_I420, 4, 4, 1, 2, &d), RM_OK);
    struct rmi_buf *bytes = written(d, NULL);
    assert_int_equal(rmi_data_buffer_read(bytes->data, bytes->len, &again, NULL), RM_OK);
    static const uint8_t packed[] = {30, 31, 32, 33, 36, 37, 38, 39, 42, 43, 44, 45,
                                     48, 49, 50, 51, 1,  2,  4,  5,  11, 12, 13, 14};
    assert_int_equal(rm_runtime_data_video(again)->size, sizeof packed);
    assert_memory_equal(rm_runtime_data_video(again)->data, packed, sizeof packed);
    rmi_buf_unref(&bytes);
    rm_runtime_data_unref(&again);
    rm_runtime_data_unref(&d);
    rm_buf_unref(&buf);
}

static void test_metadata_travels_along(void **state) {
    (void)state;
    rm_metadata *m = NULL, *n = NULL;
    rm_runtime_data *d = from_json(samples[0]), *again = NULL;
    assert_int_equal(rm_metadata_create(&m), RM_OK);
    for (int i = 0; i < RM_METADATA_ENTRIES_MAX - 2; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(rm_metadata_set(m, key, i ? key : ""), RM_OK);
    }
    assert_int_equal(rm_metadata_set(m, "rm.timestamp_us", "1"), RM_OK); /* ours wins */
    assert_int_equal(rm_metadata_set(m, "rm.something", "else"), RM_OK); /* not ours */
    struct rmi_buf *bytes = written(d, m);
    assert_int_equal(rmi_data_buffer_read(bytes->data, bytes->len, &again, &n), RM_OK);
    assert_int_equal(rm_metadata_count(n), RM_METADATA_ENTRIES_MAX - 1);
    assert_string_equal(rm_metadata_get(n, "key0"), "");
    assert_string_equal(rm_metadata_get(n, "key61"), "key61");
    assert_string_equal(rm_metadata_get(n, "rm.something"), "else");
    assert_int_equal(rm_runtime_data_timestamp_us(again), 0);
    rm_metadata_unref(&n);
    assert_int_equal(rmi_data_buffer_read_metadata(bytes->data, bytes->len, &n), RM_OK); /* the data unread */
    assert_int_equal(rm_metadata_count(n), RM_METADATA_ENTRIES_MAX - 1);
    rm_metadata_unref(&n);
    assert_int_equal(rmi_data_buffer_read_metadata(bytes->data, bytes->len - 1, &n), RM_E_PARSE);
    assert_null(n);
    rm_metadata_unref(&m);
    rm_runtime_data_unref(&again);
    rm_runtime_data_unref(&d);
    rmi_buf_unref(&bytes);
}

/* ---- what other implementations send, by hand ---- */

static rm_err read_vector(const char *bytes, size_t len, char **json) {
    rm_runtime_data *d = NULL;
    rm_err err = rmi_data_buffer_read((const uint8_t *)bytes, len, &d, NULL);
    if (!err) {
        *json = to_json(d);
        rm_runtime_data_unref(&d);
    }
    return err;
}

static void test_messages_of_others_are_read(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *json;
    } vectors[] = {
#define VECTOR(bytes, json) {bytes, sizeof bytes - 1, json}
        /* 16-bit and 32-bit samples */
        VECTOR("\x0A\x0D\x0A\x04\x00\x40\x00\x80\x10\xC0\x3E\x18\x01\x20\x02",
               "{\"Audio\":{\"samples\":[0.5,-1],\"sample_rate\":8000,\"channels\":1}}"),
        VECTOR("\x0A\x0D\x0A\x04\x00\x00\x00\xC0\x10\xC0\x3E\x18\x01\x20\x03",
               "{\"Audio\":{\"samples\":[-0.5],\"sample_rate\":8000,\"channels\":1}}"),
        /* no format at all; fields in another order; a field that nobody knows; the count of samples is wrong */
        VECTOR("\x0A\x12\x28\x63\x18\x01\x10\xC0\x3E\xA2\x06\x02hi\x0A\x04\x00\x00\x80\x3F",
               "{\"Audio\":{\"samples\":[1],\"sample_rate\":8000,\"channels\":1}}"),
        VECTOR("\x2A\x0F\x0A\x02ok\x12\x05UTF-8\x1A\x02"
               "en",
               "{\"Text\":\"ok\"}"),
        VECTOR("\x2A\x08\x0A\x02hi\x22\x02ui", "{\"Text\":\"\\u0000\\u0002uihi\"}"),
        VECTOR("\x2A\x09\x0A\x02hi\x22\x03tts", "{\"Text\":\"hi\"}"),
        VECTOR("\x2A\x00", "{\"Text\":\"\"}"),
        VECTOR("\x32\x0E\x0A\x01\x07\x12\x09image/png", "{\"Binary\":[7]}"), /* as the SDK has it: bytes */
        VECTOR("\x22\x0C\x0A\x07{\"a\":1}\x12\x01X", "{\"Json\":{\"a\":1}}"),
        /* a shape that is not packed, f16 */
        VECTOR("\x1A\x0C\x0A\x04"
               "abcd\x10\x01\x10\x02\x18\x02",
               "{\"Tensor\":{\"data\":[97,98,99,100],\"shape\":[1,2],\"dtype\":2}}"),
        VECTOR("\x12\x0D\x0A\x03"
               "abc\x10\x01\x18\x01 \x01\x30\x05",
               "{\"Video\":{\"pixel_data\":[97,98,99],\"width\":1,\"height\":1,\"format\":\"Rgb24\",\"frame_number\":0,"
               "\"timestamp_us\":5,\"is_keyframe\":false}}"),
        /* the same field twice: the last one counts (the text, not the whole kind) */
        VECTOR("\x2A\x0A\x0A\x03one\x0A\x03two", "{\"Text\":\"two\"}"),
#undef VECTOR
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char *json = NULL;
        rm_err err = read_vector(vectors[i].bytes, vectors[i].len, &json);
        if (err)
            fail_msg("vector %zu: %s, expected %s", i, rm_err_name(err), vectors[i].json);
        assert_string_equal(json, vectors[i].json);
        rm_json_free(&json);
    }
}

static void test_our_bytes_are_those_of_the_wire(void **state) {
    (void)state;
    static const char expected[] = "\x2A\x0F\x0A\x02ok\x12\x05utf-8\x22\x02ui\x52\x06\x0A\x01k\x12\x01v";
    rm_runtime_data *d = NULL;
    rm_metadata *m = NULL;
    assert_int_equal(rm_runtime_data_create_text("ok", 2, "ui", &d), RM_OK);
    assert_int_equal(rm_metadata_create(&m), RM_OK);
    assert_int_equal(rm_metadata_set(m, "k", "v"), RM_OK);
    struct rmi_buf *bytes = written(d, m);
    assert_int_equal(bytes->len, sizeof expected - 1);
    assert_memory_equal(bytes->data, expected, sizeof expected - 1);
    rmi_buf_unref(&bytes);
    rm_metadata_unref(&m);
    rm_runtime_data_unref(&d);
}

static void test_what_fits_nothing_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        rm_err err;
    } wrong[] = {
#define WRONG(bytes, err) {bytes, sizeof bytes - 1, err}
        WRONG("", RM_E_PARSE),
        WRONG("\x52\x04\x0A\x00\x12\x00", RM_E_PARSE), /* metadata alone, without a key */
        WRONG("\x2A\x00\x32\x00", RM_E_PARSE),         /* text and bytes */
        WRONG("\x2A\x05\x0A\x05hi", RM_E_PARSE),       /* longer than what there is */
        WRONG("\x2A\x04\x0A\x02\xC3\x28", RM_E_PARSE), /* not UTF-8 */
        WRONG("\x2A\x09\x12\x07"
              "utf-16le",
              RM_E_PARSE),
        WRONG("\x2A\x08\x12\x06utf-16", RM_E_UNSUPPORTED),
        WRONG("\x22\x00", RM_E_PARSE), /* no JSON */
        WRONG("\x22\x03\x0A\x01{", RM_E_PARSE),
        WRONG("\x0A\x0A\x0A\x03"
              "abc\x10\x01\x18\x01\x20\x01",
              RM_E_PARSE),                                           /* three bytes of floats */
        WRONG("\x0A\x06\x10\x00\x18\x01\x20\x01", RM_E_PARSE),       /* a rate of 0 */
        WRONG("\x0A\x06\x10\x01\x18\x01\x20\x04", RM_E_UNSUPPORTED), /* a sample format of the future */
        WRONG("\x12\x0B\x0A\x01"
              "a\x10\x01\x18\x01\x20\x04\x30\x05\x38",
              RM_E_PARSE),
        WRONG("\x12\x09\x0A\x01"
              "a\x10\x01\x18\x01\x20\x04",
              RM_E_UNSUPPORTED), /* grey */
        WRONG("\x12\x09\x0A\x01"
              "a\x10\x01\x18\x01\x20\x01",
              RM_E_PARSE), /* one byte of RGB */
        WRONG("\x12\x0C\x0A\x01"
              "a\x10\x01\x18\x01\x20\xFF\x01\x38\x09",
              RM_E_UNSUPPORTED), /* a codec of the future */
        WRONG("\x12\x0D\x0A\x03"
              "abc\x10\x01\x18\x01 \x01\x38\x01",
              RM_E_PARSE), /* raw, but VP8 */
        WRONG("\x1A\x08\x0A\x03"
              "abc\x10\x03\x18\x00",
              RM_E_PARSE), /* cut */
        WRONG("\x1A\x07\x0A\x03"
              "abc\x10\x03",
              RM_E_UNSUPPORTED), /* elements of no type */
        WRONG("\x1A\x09\x0A\x03"
              "abc\x10\x04\x18\x05",
              RM_E_PARSE), /* 3 bytes, 4 elements */
        WRONG("\x1A\x11\x0A\x00\x10\x80\x80\x80\x80\x10\x10\x80\x80\x80\x80\x10\x18\x05", RM_E_PARSE),
        WRONG("\x42\x0A\x0A\x01"
              "a\x10\x01\x22\x01\x01\x20\x01",
              RM_E_PARSE),                                             /* strides for fewer dimensions, no type */
        WRONG("\x3A\x02\x28\x01", RM_E_PARSE),                         /* a control message of no kind */
        WRONG("\x3A\x08\x12\x02\x08\x01\x1A\x02\x08\x01", RM_E_PARSE), /* of two kinds */
        WRONG("\x3A\x04\x12\x02\x08\x65", RM_E_PARSE),                 /* a batch of 101 */
        WRONG("\x4A\x02\x20\x01", RM_E_PARSE),                         /* a file without a path */
        WRONG("\x4A\x04\x0A\x02"
              "a\x00",
              RM_E_PARSE), /* a NUL in its path */
        WRONG("\x2A\x00\x52\x07\x0A\x01"
              "a\x12\x02\xC3\x28",
              RM_E_PARSE),                     /* metadata that is no UTF-8 */
        WRONG("\x2A\x02\x08\x02", RM_E_PARSE), /* a number where a text belongs */
        WRONG("\x2A\x00\x50\x02", RM_E_PARSE), /* and where metadata belongs */
        WRONG("\x2B\x2C", RM_E_PARSE),         /* a group */
#undef WRONG
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *json = NULL;
        rm_err err = read_vector(wrong[i].bytes, wrong[i].len, &json);
        if (err != wrong[i].err)
            fail_msg("message %zu: %s, expected %s", i, rm_err_name(err), rm_err_name(wrong[i].err));
    }
    rm_runtime_data *d = NULL;
    struct rmi_buf *bytes = NULL;
    assert_int_equal(rmi_data_buffer_write(NULL, NULL, &bytes), RM_E_INVALID_ARG);
    assert_null(d);
}

/* What is read may claim no more memory than its bytes are worth. */
static void test_numbers_without_end_are_refused(void **state) {
    (void)state;
    char *json = NULL;
    char many[5 * (RM_METADATA_ENTRIES_MAX + 1) * 2 + 2] = "\x2A";
    size_t len = 2;
    for (int i = 0; i <= RM_METADATA_ENTRIES_MAX; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "R\x06\x0A\x02%02d\x12", i) + 1;
    assert_int_equal(read_vector(many, len, &json), RM_E_TOO_BIG);
    char dims[4 + 2 * (RM_DIMS_MAX + 1)] = "\x1A";
    dims[1] = 2 * (RM_DIMS_MAX + 1);
    for (int i = 0; i <= RM_DIMS_MAX; i++)
        memcpy(dims + 2 + 2 * i, "\x10\x01", 2);
    assert_int_equal(read_vector(dims, 2 + 2 * (RM_DIMS_MAX + 1), &json), RM_E_PARSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_comes_back),        cmocka_unit_test(test_random_data_comes_back),
        cmocka_unit_test(test_rows_with_gaps_are_packed),    cmocka_unit_test(test_metadata_travels_along),
        cmocka_unit_test(test_messages_of_others_are_read),  cmocka_unit_test(test_our_bytes_are_those_of_the_wire),
        cmocka_unit_test(test_what_fits_nothing_is_refused), cmocka_unit_test(test_numbers_without_end_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
