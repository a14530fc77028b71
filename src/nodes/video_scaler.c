/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

#define SIDE_MIN 2

struct scaler {
    uint32_t width, height; /* 0: follows from the other one */
    bool keep_aspect;
    enum rmi_image_filter filter;
    struct rmi_node_scratch scratch;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    int64_t width = rm_node_params_int(params, "target_width", 0);
    int64_t height = rm_node_params_int(params, "target_height", 0);
    if (width == 0 && height == 0) {
        rm_node_fail(context, "target_width and target_height are both 0: give at least one");
        return RM_E_CONFIG;
    }
    if (width % 2 != 0 || height % 2 != 0) {
        rm_node_fail(context, "target_width and target_height must be even");
        return RM_E_CONFIG;
    }
    struct scaler *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->width = (uint32_t)width;
    s->height = (uint32_t)height;
    s->keep_aspect = rm_node_params_bool(params, "maintain_aspect_ratio", true);
    s->filter = strcmp(rm_node_params_string(params, "algorithm", ""), "bilinear") ? RMI_IMAGE_FILTER_BOX
                                                                                   : RMI_IMAGE_FILTER_BILINEAR;
    *state = s;
    return RM_OK;
}

static void destroy(void *state) {
    struct scaler *s = state;
    rmi_node_scratch_fini(&s->scratch);
    free(s);
}

/* side * num / den, to the nearest even number. */
static uint32_t proportional(uint32_t side, uint32_t num, uint32_t den) {
    uint64_t twice_den = 2 * (uint64_t)den;
    uint64_t even = 2 * (((uint64_t)side * num + den) / twice_den);
    return even < SIDE_MIN ? SIDE_MIN : even > RM_VIDEO_SIDE_MAX ? RM_VIDEO_SIDE_MAX : (uint32_t)even;
}

static void target_size(const struct scaler *s, const rm_video *v, uint32_t *width, uint32_t *height) {
    *width = s->width;
    *height = s->height;
    if (s->width > 0 && s->height > 0 && !s->keep_aspect)
        return;
    bool by_width =
        s->height == 0 || (s->width > 0 && (uint64_t)s->width * v->height <= (uint64_t)s->height * v->width);
    if (by_width)
        *height = proportional(s->width, v->height, v->width);
    else
        *width = proportional(s->height, v->width, v->height);
    if (s->height > 0 && *height > s->height) /* rounding must not leave the frame */
        *height = s->height;
    if (s->width > 0 && *width > s->width)
        *width = s->width;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct scaler *s = state;
    const rm_video *v = rm_runtime_data_video(input);
    rm_runtime_data *output = NULL;
    struct rmi_image from, to;
    void *scratch = NULL;
    uint32_t width, height;
    if (!rmi_node_image(v, &from)) {
        rm_node_fail(context, "cannot scale %s video; decode it first", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    target_size(s, v, &width, &height);
    if (width == v->width && height == v->height)
        return rm_node_emit(context, rm_runtime_data_ref(input));
    rm_err err =
        rmi_node_new_image(context, v->format, width, height, rm_runtime_data_timestamp_us(input), &output, &to);
    if (!err)
        err = rmi_node_scratch_get(
            &s->scratch, rmi_image_scale_scratch(from.format, from.width, from.height, to.width, to.height), &scratch);
    if (!err)
        err = rmi_image_scale(&from, &to, s->filter, scratch);
    if (!err)
        return rm_node_emit(context, output);
    rm_runtime_data_unref(&output);
    return err;
}

static const rm_node_param params[] = {
    {.name = "target_width",
     .type = RM_PARAM_INT,
     .default_json = "1280",
     .min = 0,
     .max = RM_VIDEO_SIDE_MAX,
     .summary = "pixels, even; 0: follows from target_height"},
    {.name = "target_height",
     .type = RM_PARAM_INT,
     .default_json = "720",
     .min = 0,
     .max = RM_VIDEO_SIDE_MAX,
     .summary = "pixels, even; 0: follows from target_width"},
    {.name = "algorithm",
     .type = RM_PARAM_STRING,
     .default_json = "\"bilinear\"",
     .choices = "bilinear|bicubic|lanczos",
     .summary = "bicubic and lanczos mean the best filter there is here: the mean of the area when it gets smaller"},
    {.name = "maintain_aspect_ratio",
     .type = RM_PARAM_BOOL,
     .default_json = "true",
     .summary = "the largest picture of the input's shape that fits; false: exactly the target"},
};

const rm_node_class rmi_node_video_scaler = {
    RMI_NODE_CLASS_HEAD, .name = "VideoScaler", .summary = "raw video in another size",
    .accepts = "video",  .params = params,      .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,    .destroy = destroy};
