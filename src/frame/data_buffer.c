/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of the DataBuffer message; it is read in data_buffer_read.c and written in data_buffer_write.c. */
#include "frame/data_buffer_private.h"

_Static_assert(RMI_EXTRAS <= RMI_PB_EXTRAS_MAX, "room for all of them");
_Static_assert((int)RM_CODEC_RAW == (int)rmi_pb_Codec_CODEC_UNSPECIFIED &&
                   (int)RM_CODEC_VP8 == (int)rmi_pb_Codec_CODEC_VP8 &&
                   (int)RM_CODEC_H264 == (int)rmi_pb_Codec_CODEC_H264 &&
                   (int)RM_CODEC_AV1 == (int)rmi_pb_Codec_CODEC_AV1 && (int)RM_CODEC_VP9 == (int)rmi_pb_Codec_CODEC_VP9,
               "codecs have the same numbers on both sides");
_Static_assert(sizeof(((rmi_pb_Tensor *)0)->shape) == RM_DIMS_MAX * sizeof(uint64_t) &&
                   sizeof(((rmi_pb_Numpy *)0)->strides) == RM_DIMS_MAX * sizeof(int64_t),
               "max_count of data_buffer.options is RM_DIMS_MAX");

const char *const rmi_data_buffer_names[RMI_EXTRAS + 1] = {
    [RMI_EXTRA_STREAM_ID] = "rm.stream_id", [RMI_EXTRA_TIMESTAMP] = "rm.timestamp_us",
    [RMI_EXTRA_ARRIVAL] = "rm.arrival_us",  [RMI_EXTRA_METADATA] = "rm.metadata",
    [RMI_EXTRA_DTYPE] = "rm.dtype",         [RMI_EXTRA_IMAGE] = "rm.image",
    [RMI_EXTRA_WIDTH] = "rm.width",         [RMI_EXTRA_HEIGHT] = "rm.height",
    [RMI_EXTRA_SIZE] = "rm.size",           [RMI_EXTRA_OFFSET] = "rm.offset",
    [RMI_EXTRA_LENGTH] = "rm.length",
};

static const struct {
    rm_pixel_format format;
    rmi_pb_Pixels wire;
} pixels[] = {
    {RM_PIXEL_UNSPECIFIED, rmi_pb_Pixels_PIXELS_UNSPECIFIED},
    {RM_PIXEL_YUV420P, rmi_pb_Pixels_PIXELS_YUV420P},
    {RM_PIXEL_I420, rmi_pb_Pixels_PIXELS_I420},
    {RM_PIXEL_NV12, rmi_pb_Pixels_PIXELS_NV12},
    {RM_PIXEL_RGB24, rmi_pb_Pixels_PIXELS_RGB24},
    {RM_PIXEL_RGBA32, rmi_pb_Pixels_PIXELS_RGBA32},
    {RM_PIXEL_ENCODED, rmi_pb_Pixels_PIXELS_ENCODED},
};
#define PIXELS (sizeof pixels / sizeof pixels[0])

bool rmi_pixels_to_wire(rm_pixel_format format, rmi_pb_Pixels *out) {
    for (size_t i = 0; i < PIXELS; i++)
        if (pixels[i].format == format) {
            *out = pixels[i].wire;
            return true;
        }
    return false;
}

bool rmi_pixels_from_wire(rmi_pb_Pixels wire, rm_pixel_format *out) {
    for (size_t i = 0; i < PIXELS; i++)
        if (pixels[i].wire == wire) {
            *out = pixels[i].format;
            return true;
        }
    return false;
}

/* RemoteMedia names two element types of tensors inside, and five on the wire; the others get numbers here. */
static const struct {
    int32_t dtype;
    rmi_pb_Dtype wire;
    size_t item_bytes;
} dtypes[] = {
    {RM_TENSOR_F32, rmi_pb_Dtype_DTYPE_F32, 4}, {RM_TENSOR_I32, rmi_pb_Dtype_DTYPE_I32, 4},
    {RM_TENSOR_F16, rmi_pb_Dtype_DTYPE_F16, 2}, {RM_TENSOR_I8, rmi_pb_Dtype_DTYPE_I8, 1},
    {RM_TENSOR_U8, rmi_pb_Dtype_DTYPE_U8, 1},
};
#define DTYPES (sizeof dtypes / sizeof dtypes[0])

bool rmi_dtype_to_wire(int32_t dtype, rmi_pb_Dtype *out) {
    for (size_t i = 0; i < DTYPES; i++)
        if (dtypes[i].dtype == dtype) {
            *out = dtypes[i].wire;
            return true;
        }
    return false;
}

bool rmi_dtype_from_wire(rmi_pb_Dtype wire, int32_t *out, size_t *item_bytes) {
    for (size_t i = 0; i < DTYPES; i++)
        if (dtypes[i].wire == wire) {
            *out = dtypes[i].dtype;
            *item_bytes = dtypes[i].item_bytes;
            return true;
        }
    return false;
}

const char *rmi_image_format_name(rm_image_format format) {
    switch (format) {
    case RM_IMAGE_JPEG:
        return "Jpeg";
    case RM_IMAGE_PNG:
        return "Png";
    case RM_IMAGE_WEBP:
        return "WebP";
    case RM_IMAGE_RAW:
        break;
    }
    return NULL;
}

const char *rmi_image_mime_type(rm_image_format format) {
    switch (format) {
    case RM_IMAGE_JPEG:
        return "image/jpeg";
    case RM_IMAGE_PNG:
        return "image/png";
    case RM_IMAGE_WEBP:
        return "image/webp";
    case RM_IMAGE_RAW:
        break;
    }
    return "application/octet-stream";
}
