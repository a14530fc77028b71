/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runner_private.h"

#include <string.h>

#define BLACK_LUMA 16 /* BT.709, limited range */
#define NO_CHROMA 128
#define OPAQUE 255
#define RGBA_BYTES 4

static void blacken(rm_runtime_data *data, const rm_video *v) {
    for (uint32_t p = 0; p < v->plane_count; p++) {
        uint8_t *plane = rm_runtime_data_write_plane(data, p);
        bool yuv = v->format != RM_PIXEL_RGB24 && v->format != RM_PIXEL_RGBA32;
        size_t rows = yuv && p > 0 ? v->height / 2 : v->height;
        size_t width = v->format == RM_PIXEL_RGB24           ? (size_t)v->width * 3
                       : v->format == RM_PIXEL_RGBA32        ? (size_t)v->width * RGBA_BYTES
                       : p > 0 && v->format != RM_PIXEL_NV12 ? v->width / 2
                                                             : v->width;
        int value = !yuv ? 0 : p > 0 ? NO_CHROMA : BLACK_LUMA;
        for (size_t y = 0; plane && y < rows; y++) {
            memset(plane + y * v->strides[p], value, width);
            for (size_t x = RGBA_BYTES - 1; v->format == RM_PIXEL_RGBA32 && x < width; x += RGBA_BYTES)
                plane[y * v->strides[p] + x] = OPAQUE;
        }
    }
}

rm_err rmi_mute(const rm_runtime_data *in, rm_runtime_data **out) {
    rm_runtime_data *data = NULL;
    const rm_audio *a = rm_runtime_data_audio(in);
    const rm_video *v = rm_runtime_data_video(in);
    if (!a && !(v && v->plane_count > 0))
        return RM_E_UNSUPPORTED;
    rm_err err = rm_runtime_data_copy(in, &data);
    if (err)
        return err;
    if (a) {
        float *samples = rm_runtime_data_write_samples(data);
        if (samples)
            memset(samples, 0, a->sample_count * sizeof *samples);
    } else {
        blacken(data, rm_runtime_data_video(data));
    }
    *out = data;
    return RM_OK;
}
