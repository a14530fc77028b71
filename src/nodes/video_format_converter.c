/* SPDX-License-Identifier: Apache-2.0 */
#include "media/colour.h"
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

struct converter {
    rm_pixel_format format;
    struct rmi_colour colour;
    struct rmi_node_scratch scratch;
};

static enum rmi_colour_matrix matrix_of(const char *name) {
    if (!strcmp(name, "bt601"))
        return RMI_COLOUR_BT601;
    return strcmp(name, "bt2020") ? RMI_COLOUR_BT709 : RMI_COLOUR_BT2020;
}

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct converter *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->format = rmi_node_pixel_format(rm_node_params_string(params, "target_format", ""));
    c->colour.matrix = matrix_of(rm_node_params_string(params, "color_matrix", ""));
    c->colour.full_range = !strcmp(rm_node_params_string(params, "color_range", ""), "pc");
    *state = c;
    return RM_OK;
}

static void destroy(void *state) {
    struct converter *c = state;
    rmi_node_scratch_fini(&c->scratch);
    free(c);
}

static rm_err check(const struct converter *c, rm_node_context *context, const rm_video *v) {
    if (v->plane_count == 0) {
        rm_node_fail(context, "cannot convert %s video; decode it first", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    if (rm_video_packed_size(c->format, v->width, v->height) == 0) {
        rm_node_fail(context, "%ux%u has an odd side, %s needs even ones; put a VideoScaler in front", v->width,
                     v->height, rm_pixel_format_name(c->format));
        return RM_E_UNSUPPORTED;
    }
    return RM_OK;
}

/* Between I420 and Yuv420p, which are one layout under two names: the same bytes. */
static rm_err rename_format(const struct converter *c, rm_node_context *context, rm_runtime_data *input,
                            rm_runtime_data **out) {
    const rm_video *v = rm_runtime_data_video(input);
    rm_buf *buf = rm_runtime_data_buf(input);
    size_t offsets[RM_PLANES_MAX] = {0};
    for (uint32_t p = 0; p < v->plane_count; p++)
        offsets[p] = (size_t)(v->planes[p] - rm_buf_data(buf));
    return rmi_node_wrap_raw(context, buf, offsets, v->strides, c->format, v->width, v->height,
                             rm_runtime_data_timestamp_us(input), out);
}

static rm_err convert(struct converter *c, rm_node_context *context, rm_runtime_data *input, rm_runtime_data **out) {
    const rm_video *v = rm_runtime_data_video(input);
    struct rmi_image from, to;
    void *scratch = NULL;
    if (!rmi_node_image(v, &from))
        return RM_E_INTERNAL; /* check() has seen it */
    rm_err err =
        rmi_node_new_image(context, c->format, v->width, v->height, rm_runtime_data_timestamp_us(input), out, &to);
    if (!err)
        err = rmi_node_scratch_get(
            &c->scratch, rmi_image_convert_scratch(from.format, to.format, from.width, from.height), &scratch);
    return err ? err : rmi_image_convert_colour(&from, &to, &c->colour, scratch);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct converter *c = state;
    const rm_video *v = rm_runtime_data_video(input);
    rm_runtime_data *output = NULL;
    enum rmi_image_format from, to;
    rm_err err = check(c, context, v);
    if (err)
        return err;
    if (v->format == c->format)
        return rm_node_emit(context, rm_runtime_data_ref(input));
    bool same_layout = rmi_image_format_of(v->format, &from) && rmi_image_format_of(c->format, &to) && from == to;
    err = same_layout ? rename_format(c, context, input, &output) : convert(c, context, input, &output);
    if (!err)
        return rm_node_emit(context, output);
    rm_runtime_data_unref(&output);
    return err;
}

static const rm_node_param params[] = {
    {.name = "target_format",
     .type = RM_PARAM_STRING,
     .default_json = "\"Yuv420p\"",
     .choices = RMI_NODE_RAW_FORMATS,
     .summary = "pixel format of the output; Yuv420p and I420 are two names of one layout"},
    {.name = "color_matrix",
     .type = RM_PARAM_STRING,
     .default_json = "\"bt709\"",
     .choices = "bt601|bt709|bt2020",
     .summary = "what the YUV side stands for; pictures of WebRTC are bt601. Between two YUV formats nothing changes"},
    {.name = "color_range",
     .type = RM_PARAM_STRING,
     .default_json = "\"tv\"",
     .choices = "tv|pc",
     .summary = "of the YUV side: tv has luma from 16 to 235, pc from 0 to 255"},
};

const rm_node_class rmi_node_video_format_converter = {RMI_NODE_CLASS_HEAD,
                                                       .name = "VideoFormatConverter",
                                                       .summary = "raw video in another pixel format",
                                                       .accepts = "video",
                                                       .params = params,
                                                       .param_count = RMI_NODE_PARAM_COUNT(params),
                                                       .create = create,
                                                       .process = process,
                                                       .destroy = destroy};
