/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

static const rm_pixel_format raw_formats[] = {RM_PIXEL_YUV420P, RM_PIXEL_I420, RM_PIXEL_NV12, RM_PIXEL_RGB24,
                                              RM_PIXEL_RGBA32};

rm_pixel_format rmi_node_pixel_format(const char *name) {
    for (size_t i = 0; i < sizeof raw_formats / sizeof raw_formats[0]; i++)
        if (!strcmp(name, rm_pixel_format_name(raw_formats[i])))
            return raw_formats[i];
    return RM_PIXEL_UNSPECIFIED;
}

bool rmi_node_image(const rm_video *v, struct rmi_image *out) {
    enum rmi_image_format format;
    if (v->plane_count == 0 || !rmi_image_format_of(v->format, &format))
        return false;
    *out = (struct rmi_image){.format = format, .width = (int)v->width, .height = (int)v->height};
    for (uint32_t p = 0; p < v->plane_count; p++) {
        out->plane[p] = (uint8_t *)(uintptr_t)v->planes[p]; /* a source is only read */
        out->stride[p] = (int)v->strides[p];
    }
    return true;
}

rm_err rmi_node_new_image(rm_node_context *context, rm_pixel_format format, uint32_t width, uint32_t height,
                          int64_t timestamp_us, rm_runtime_data **out, struct rmi_image *image) {
    rm_err err = rmi_node_new_raw(context, format, width, height, timestamp_us, out);
    if (err)
        return err;
    return rmi_node_image(rm_runtime_data_video(*out), image) ? RM_OK : RM_E_INTERNAL;
}

rm_err rmi_node_scratch_get(struct rmi_node_scratch *s, size_t size, void **out) {
    if (size > s->size) {
        free(s->data);
        s->data = malloc(size);
        s->size = s->data ? size : 0;
    }
    *out = size > 0 ? s->data : NULL;
    return size == 0 || s->data ? RM_OK : RM_E_NO_MEMORY;
}

void rmi_node_scratch_fini(struct rmi_node_scratch *s) {
    free(s->data);
    s->data = NULL;
    s->size = 0;
}
