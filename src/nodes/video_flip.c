/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>
#include <string.h>

struct flip {
    bool horizontal, vertical;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct flip *f = calloc(1, sizeof *f);
    if (!f)
        return RM_E_NO_MEMORY;
    const char *direction = rm_node_params_string(params, "direction", "vertical");
    f->horizontal = strcmp(direction, "vertical") != 0;
    f->vertical = strcmp(direction, "horizontal") != 0;
    *state = f;
    return RM_OK;
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    const struct flip *f = state;
    rm_runtime_data *output = NULL;
    struct rmi_image from, to;
    const rm_video *v = rm_runtime_data_video(input);
    if (!rmi_node_image(v, &from)) {
        rm_node_fail(context, "cannot flip %s video; decode it first", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    rm_err err =
        rmi_node_new_image(context, v->format, v->width, v->height, rm_runtime_data_timestamp_us(input), &output, &to);
    if (!err)
        err = rmi_image_flip(&from, &to, f->horizontal, f->vertical);
    if (!err)
        return rm_node_emit(context, output);
    rm_runtime_data_unref(&output);
    return err;
}

static const rm_node_param params[] = {
    {.name = "direction",
     .type = RM_PARAM_STRING,
     .default_json = "\"vertical\"",
     .choices = "vertical|horizontal|both",
     .summary = "vertical: upside down; horizontal: mirrored; both: rotated by 180 degrees"},
};

const rm_node_class rmi_node_video_flip = {
    RMI_NODE_CLASS_HEAD, .name = "VideoFlip", .summary = "mirrors raw video",
    .accepts = "video",  .params = params,    .param_count = RMI_NODE_PARAM_COUNT(params),
    .create = create,    .process = process,  .destroy = free};
