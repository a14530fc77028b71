/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_DATA_H
#define REMOTEMEDIA_DATA_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The data that flows through pipelines: RemoteMedia's variants, reference-counted and passed without copying.
 *
 *     rm_buf *pcm = NULL;                                  // 10 ms of stereo sound
 *     rm_runtime_data *d = NULL;
 *     if (rm_buf_create(960 * sizeof(float), &pcm)) ...
 *     fill((float *)rm_buf_write(pcm));
 *     if (rm_runtime_data_create_audio(pcm, 0, 960, 48000, 2, &d)) ...   // d holds a reference to pcm now
 *     rm_buf_unref(&pcm);
 *     const rm_audio *a = rm_runtime_data_audio(d);        // NULL if it were no audio
 *     rm_runtime_data_unref(&d);
 *
 * Sharing: whoever holds a reference may read, on any thread. Fields and bytes may be changed only by the holder of the
 * only reference; functions that change refuse otherwise (RM_E_STATE, or NULL). Pointers got from an object live as
 * long as the reference they were got through. Ref and unref: any thread.
 * Constructors copy strings, take a reference of their own to a buffer, and leave *out untouched on failure. All of
 * them can give RM_E_NO_MEMORY, and RM_E_INVALID_ARG for a value outside of the range named. */

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

typedef struct rmi_buf rm_buf;

/* Called once, on the thread that drops the last reference. */
typedef void (*rm_buf_free_fn)(void *data, size_t size, void *user);

/* `size` bytes (0 is legal), zeroed, aligned for any type. */
RM_API rm_err rm_buf_create(size_t size, rm_buf **out);
/* A copy of `size` bytes. */
RM_API rm_err rm_buf_copy(const void *data, size_t size, rm_buf **out);
/* Memory of the caller, not copied. `free_fn` may be NULL (memory that outlives every reference). On failure the memory
 * stays the caller's and free_fn is not called. */
RM_API rm_err rm_buf_wrap(void *data, size_t size, rm_buf_free_fn free_fn, void *user, rm_buf **out);
RM_API rm_buf *rm_buf_ref(rm_buf *buf); /* returns buf; NULL is harmless */
RM_API void rm_buf_unref(rm_buf **buf); /* nulls the pointer; NULL and a null pointer are harmless */
RM_API const uint8_t *rm_buf_data(const rm_buf *buf);
RM_API size_t rm_buf_size(const rm_buf *buf);
/* The bytes for writing, or NULL while anybody else holds a reference. */
RM_API uint8_t *rm_buf_write(rm_buf *buf);

/* ---- variants ------------------------------------------------------------------------------------------------- */

typedef enum rm_data_type {
    RM_DATA_AUDIO = 1,
    RM_DATA_VIDEO,
    RM_DATA_IMAGE,
    RM_DATA_TENSOR,
    RM_DATA_NUMPY,
    RM_DATA_JSON,
    RM_DATA_TEXT,
    RM_DATA_BINARY,
    RM_DATA_CONTROL,
    RM_DATA_FILE
} rm_data_type;

/* "audio" "video" "image" "tensor" "numpy" "json" "text" "binary" "control_message" "file"; "unknown" for another
 * value. Static storage. */
RM_API const char *rm_data_type_name(rm_data_type type);

/* Values are RemoteMedia's. The 420 family needs even dimensions. */
typedef enum rm_pixel_format {
    RM_PIXEL_UNSPECIFIED = 0,
    RM_PIXEL_YUV420P = 1, /* the same layout as I420: planes Y, U, V */
    RM_PIXEL_I420 = 2,
    RM_PIXEL_NV12 = 3, /* planes Y and interleaved UV */
    RM_PIXEL_RGB24 = 4,
    RM_PIXEL_RGBA32 = 5,
    RM_PIXEL_ENCODED = 255
} rm_pixel_format;

/* Values are RemoteMedia's; VP9 is an addition of this library. */
typedef enum rm_codec {
    RM_CODEC_RAW = 0,
    RM_CODEC_VP8 = 1,
    RM_CODEC_H264 = 2,
    RM_CODEC_AV1 = 3,
    RM_CODEC_VP9 = 4
} rm_codec;

RM_API const char *rm_pixel_format_name(rm_pixel_format format); /* "I420" ...; "Unknown" for another value */
RM_API const char *rm_codec_name(rm_codec codec);                /* "Vp8" ...; "Raw", "Unknown" */

#define RM_NO_VALUE (-1)        /* an optional int64_t that is absent: times, sizes, offsets */
#define RM_STREAM_ID_MAX 65     /* 1..64 bytes of UTF-8 without control characters, and a NUL */
#define RM_VIDEO_SIDE_MAX 16384 /* pixels */
#define RM_SAMPLE_RATE_MAX 768000
#define RM_AUDIO_CHANNELS_MAX 255
#define RM_DIMS_MAX 32 /* of tensors and arrays */
#define RM_PLANES_MAX 3
#define RM_BATCH_SIZE_MAX 100

typedef struct rm_audio {
    const float *samples; /* interleaved, full scale is -1..1 */
    size_t sample_count;  /* of all channels together */
    size_t frame_count;   /* sample_count / channels */
    uint32_t sample_rate; /* Hz */
    uint32_t channels;
} rm_audio;

typedef struct rm_video {
    const uint8_t *data; /* the encoded frame, or all planes */
    size_t size;
    uint32_t width;
    uint32_t height;
    rm_pixel_format format;
    rm_codec codec;
    uint64_t frame_number;
    bool is_keyframe;
    uint32_t plane_count; /* 0 when encoded or unspecified; 3 I420, 2 NV12, 1 RGB */
    const uint8_t *planes[RM_PLANES_MAX];
    size_t strides[RM_PLANES_MAX]; /* bytes from one row to the next */
} rm_video;

typedef enum rm_image_format { RM_IMAGE_JPEG = 1, RM_IMAGE_PNG, RM_IMAGE_WEBP, RM_IMAGE_RAW } rm_image_format;

typedef struct rm_image {
    const uint8_t *data;
    size_t size;
    rm_image_format format;
    rm_pixel_format pixel_format; /* of RM_IMAGE_RAW; else unspecified */
    uint32_t width;
    uint32_t height;
} rm_image;

/* RemoteMedia has the first two; the others are numbers of this library for what its wire format knows too. */
typedef enum rm_tensor_dtype {
    RM_TENSOR_F32 = 0,
    RM_TENSOR_I32 = 1,
    RM_TENSOR_F16 = 2,
    RM_TENSOR_I8 = 3,
    RM_TENSOR_U8 = 4
} rm_tensor_dtype;

typedef struct rm_tensor {
    const uint8_t *data;
    size_t size;
    const int32_t *shape; /* none negative */
    size_t dims;
    int32_t dtype; /* rm_tensor_dtype, or any other number */
} rm_tensor;

typedef struct rm_numpy {
    const uint8_t *data;
    size_t size;
    const int64_t *shape; /* none negative */
    size_t dims;
    const int64_t *strides; /* bytes, none negative; every element lies inside data. NULL: none given (C order) */
    const char *dtype;      /* "float32" ... */
    bool c_contiguous;
    bool f_contiguous;
} rm_numpy;

typedef struct rm_text {
    const char *channel; /* not NUL-terminated; "tts" unless the text carries a channel tag */
    size_t channel_size;
    const char *text; /* UTF-8 without the tag, may hold NULs; a NUL follows the last byte */
    size_t size;
    const char *raw; /* tag included, as on the wire */
    size_t raw_size;
} rm_text;

typedef enum rm_control_type {
    RM_CONTROL_CANCEL_SPECULATION = 1,
    RM_CONTROL_BATCH_HINT,
    RM_CONTROL_DEADLINE_WARNING
} rm_control_type;

/* Also the argument of its constructor. */
typedef struct rm_control {
    rm_control_type type;
    int64_t from_us; /* cancel speculation: 0 <= from_us < to_us */
    int64_t to_us;
    uint32_t suggested_batch_size; /* batch hint: 1..RM_BATCH_SIZE_MAX */
    int64_t deadline_us;           /* deadline warning: >= 0 */
    const char *segment_id;        /* or NULL */
    int64_t timestamp_ms;          /* >= 0 */
} rm_control;

/* Also the argument of its constructor. Text: NULL = absent; numbers: RM_NO_VALUE. */
typedef struct rm_file {
    const char *path; /* never empty */
    const char *filename;
    const char *mime_type;
    int64_t size;
    int64_t offset;
    int64_t length; /* absent: to the end of the file */
} rm_file;

typedef struct rm_runtime_data rm_runtime_data;

/* `sample_count` floats (a multiple of `channels`, 0 is legal) at byte `offset` of `buf`, which must be aligned for a
 * float. */
RM_API rm_err rm_runtime_data_create_audio(rm_buf *buf, size_t offset, size_t sample_count, uint32_t sample_rate,
                                           uint32_t channels, rm_runtime_data **out);
/* A raw frame, tightly packed from byte `offset` of `buf` on (see rm_video_packed_size); timestamp_us >= 0. */
RM_API rm_err rm_runtime_data_create_video(rm_buf *buf, size_t offset, rm_pixel_format format, uint32_t width,
                                           uint32_t height, uint64_t frame_number, int64_t timestamp_us,
                                           rm_runtime_data **out);
/* The same with rows further apart: plane i begins at byte offsets[i] of `buf`. */
RM_API rm_err rm_runtime_data_create_video_planes(rm_buf *buf, const size_t *offsets, const size_t *strides,
                                                  rm_pixel_format format, uint32_t width, uint32_t height,
                                                  uint64_t frame_number, int64_t timestamp_us, rm_runtime_data **out);
/* One encoded frame; RM_CODEC_RAW: the codec is not known. size > 0. */
RM_API rm_err rm_runtime_data_create_encoded(rm_buf *buf, size_t offset, size_t size, rm_codec codec, uint32_t width,
                                             uint32_t height, bool is_keyframe, uint64_t frame_number,
                                             int64_t timestamp_us, rm_runtime_data **out);
RM_API rm_err rm_runtime_data_create_image(rm_buf *buf, size_t offset, size_t size, rm_image_format format,
                                           rm_pixel_format pixel_format, uint32_t width, uint32_t height,
                                           rm_runtime_data **out);
RM_API rm_err rm_runtime_data_create_tensor(rm_buf *buf, size_t offset, size_t size, const int32_t *shape, size_t dims,
                                            int32_t dtype, rm_runtime_data **out);
/* `strides` NULL: C order. */
RM_API rm_err rm_runtime_data_create_numpy(rm_buf *buf, size_t offset, size_t size, const int64_t *shape, size_t dims,
                                           const char *dtype, const int64_t *strides, bool c_contiguous,
                                           bool f_contiguous, rm_runtime_data **out);
/* Any JSON value as text. RM_E_PARSE, RM_E_TOO_BIG (the limits below). */
RM_API rm_err rm_runtime_data_create_json(const char *text, size_t size, rm_runtime_data **out);
/* UTF-8. `channel`: NULL or "tts" for none, else 1..127 bytes of UTF-8. */
RM_API rm_err rm_runtime_data_create_text(const char *text, size_t size, const char *channel, rm_runtime_data **out);
RM_API rm_err rm_runtime_data_create_binary(rm_buf *buf, size_t offset, size_t size, rm_runtime_data **out);
RM_API rm_err rm_runtime_data_create_control(const rm_control *control, rm_runtime_data **out);
RM_API rm_err rm_runtime_data_create_file(const rm_file *file, rm_runtime_data **out);

RM_API rm_runtime_data *rm_runtime_data_ref(rm_runtime_data *data); /* returns data; NULL is harmless */
RM_API void rm_runtime_data_unref(rm_runtime_data **data);          /* nulls; NULL and a null pointer are harmless */
/* A new object with the same fields over the same bytes: for other times, stream id or metadata. */
RM_API rm_err rm_runtime_data_share(const rm_runtime_data *data, rm_runtime_data **out);
/* A new object with bytes of its own, so that they may be written. */
RM_API rm_err rm_runtime_data_copy(const rm_runtime_data *data, rm_runtime_data **out);

/* ---- reading; each gives NULL for another variant -------------------------------------------------------------- */

RM_API rm_data_type rm_runtime_data_type(const rm_runtime_data *data);
RM_API const rm_audio *rm_runtime_data_audio(const rm_runtime_data *data);
RM_API const rm_video *rm_runtime_data_video(const rm_runtime_data *data);
RM_API const rm_image *rm_runtime_data_image(const rm_runtime_data *data);
RM_API const rm_tensor *rm_runtime_data_tensor(const rm_runtime_data *data);
RM_API const rm_numpy *rm_runtime_data_numpy(const rm_runtime_data *data);
RM_API const rm_text *rm_runtime_data_text(const rm_runtime_data *data);
RM_API const rm_control *rm_runtime_data_control(const rm_runtime_data *data);
RM_API const rm_file *rm_runtime_data_file(const rm_runtime_data *data);
RM_API const char *rm_runtime_data_json(const rm_runtime_data *data); /* compact JSON text */
/* The bytes of a variant that has some (JSON and text: as text); NULL and 0 for control messages and files. */
RM_API const uint8_t *rm_runtime_data_bytes(const rm_runtime_data *data, size_t *size);
/* The buffer behind them, borrowed; NULL where there is none. */
RM_API rm_buf *rm_runtime_data_buf(const rm_runtime_data *data);

/* Fields of several variants, absent (NULL, RM_NO_VALUE) in those without: stream id audio, video, image, file; time
 * audio, video, image; arrival audio, video; metadata (JSON text) audio, image, tensor, control message. */
RM_API const char *rm_runtime_data_stream_id(const rm_runtime_data *data);
RM_API int64_t rm_runtime_data_timestamp_us(const rm_runtime_data *data);
RM_API int64_t rm_runtime_data_arrival_us(const rm_runtime_data *data);
RM_API const char *rm_runtime_data_metadata(const rm_runtime_data *data);

/* ---- changing, with the only reference -------------------------------------------------------------------------- */

/* RM_E_STATE: shared. RM_E_UNSUPPORTED: this variant has no such field. RM_E_INVALID_ARG, RM_E_PARSE (metadata). NULL
 * and RM_NO_VALUE remove the field, but video always has a time. */
RM_API rm_err rm_runtime_data_set_stream_id(rm_runtime_data *data, const char *stream_id);
RM_API rm_err rm_runtime_data_set_timestamp_us(rm_runtime_data *data, int64_t timestamp_us);
RM_API rm_err rm_runtime_data_set_arrival_us(rm_runtime_data *data, int64_t arrival_us);
RM_API rm_err rm_runtime_data_set_metadata(rm_runtime_data *data, const char *json);
RM_API rm_err rm_runtime_data_set_frame_number(rm_runtime_data *data, uint64_t frame_number);
/* Audio: use only the first `sample_count` samples of the room there is; a multiple of the channels. */
RM_API rm_err rm_runtime_data_set_sample_count(rm_runtime_data *data, size_t sample_count);
/* For writing samples, a plane, all bytes; NULL for another variant, and while the object or its buffer is shared.
 * JSON and text cannot be written. */
RM_API float *rm_runtime_data_write_samples(rm_runtime_data *data);
RM_API uint8_t *rm_runtime_data_write_plane(rm_runtime_data *data, uint32_t plane);
RM_API uint8_t *rm_runtime_data_write_bytes(rm_runtime_data *data);

/* ---- video geometry --------------------------------------------------------------------------------------------- */

/* Bytes of a tightly packed raw picture. 0: encoded, unspecified, a side of 0 or over RM_VIDEO_SIDE_MAX, or odd sides
 * in a 420 format. */
RM_API size_t rm_video_packed_size(rm_pixel_format format, uint32_t width, uint32_t height);
/* Copies a frame without gaps between rows; encoded frames as they are. RM_E_TOO_BIG: `size` is too small. */
RM_API rm_err rm_video_pack(const rm_video *video, uint8_t *out, size_t size, size_t *written);

#ifdef __cplusplus
}
#endif

#endif
