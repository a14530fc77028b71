/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_DATA_PRIVATE_H
#define RMI_FRAME_DATA_PRIVATE_H

#include "base/buf.h"
#include "base/pool.h"
#include <jansson.h>
#include <remotemedia/data.h>
#include <stdatomic.h>

/* The views of <remotemedia/data.h> are kept ready: reading is one comparison. Their pointers lead into `buf` (bytes)
 * and `extra` (shapes and texts), which an object shares with those made from it. */
struct rm_runtime_data {
    atomic_uint refs;
    rm_data_type type;
    struct rmi_pool *home; /* NULL: from the heap */
    struct rmi_buf *buf;   /* NULL: control messages, files */
    size_t offset;         /* of the bytes of this object in buf */
    size_t size;
    struct rmi_buf *extra;
    struct rmi_buf *metadata; /* JSON text and a NUL */
    json_t *value;            /* of the JSON variant; nobody changes it */
    int64_t timestamp_us;
    int64_t arrival_us;
    size_t room; /* samples that fit behind offset */
    union {
        rm_audio audio;
        rm_video video;
        rm_image image;
        rm_tensor tensor;
        rm_numpy numpy;
        rm_text text;
        rm_control control;
        rm_file file;
    } u;
    char stream_id[RM_STREAM_ID_MAX]; /* "": none */
};

/* A zeroed object with one reference, no times and a reference of its own to `buf` (may be NULL), from `home` (NULL:
 * the heap). RM_E_INVALID_ARG: the slice is not inside buf; RM_E_LIMIT: home is exhausted; RM_E_NO_MEMORY. */
rm_err rmi_data_new(struct rmi_pool *home, rm_data_type type, rm_buf *buf, size_t offset, size_t size,
                    rm_runtime_data **out);

/* The public constructors, with a home. */
rm_err rmi_data_audio(struct rmi_pool *home, rm_buf *buf, size_t offset, size_t sample_count, uint32_t sample_rate,
                      uint32_t channels, rm_runtime_data **out);
rm_err rmi_data_encoded(struct rmi_pool *home, rm_buf *buf, size_t offset, size_t size, const rm_video *head,
                        int64_t timestamp_us, rm_runtime_data **out);
rm_err rmi_data_planes(struct rmi_pool *home, rm_buf *buf, const size_t *offsets, const size_t *strides,
                       const rm_video *head, int64_t timestamp_us, rm_runtime_data **out);
rm_err rmi_data_share(struct rmi_pool *home, const rm_runtime_data *data, rm_runtime_data **out);

/* One plane of a raw picture: bytes in a row, and rows. Both 0: there is no such plane. */
struct rmi_plane {
    size_t row_bytes;
    size_t rows;
};
struct rmi_plane rmi_video_plane(rm_pixel_format format, uint32_t width, uint32_t height, uint32_t plane);
uint32_t rmi_video_plane_count(rm_pixel_format format);

/* Bytes of one element: "float32", "<f4" ...; 0: not known here. */
size_t rmi_numpy_item_bytes(const char *dtype);

/* Text with a NUL behind it, len without. NULL: no memory. */
struct rmi_buf *rmi_text_buf(const char *text, size_t size);

#endif
