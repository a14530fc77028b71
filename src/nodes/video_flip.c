/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/pool.h"
#include "media/image.h"
#include "nodes/nodes.h"

#include <stdlib.h>
#include <string.h>

#define POOL_BUFFERS 512

struct flip {
    bool horizontal, vertical;
    struct rmi_frame_pool *pool;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct rmi_frame_pool_config config = {.max_buffers = POOL_BUFFERS};
    struct flip *f = calloc(1, sizeof *f);
    rm_err err = f ? rmi_frame_pool_create(&config, &f->pool) : RM_E_NO_MEMORY;
    if (err) {
        free(f);
        return err;
    }
    const char *direction = rm_node_params_string(params, "direction", "vertical");
    f->horizontal = strcmp(direction, "vertical") != 0;
    f->vertical = strcmp(direction, "horizontal") != 0;
    *state = f;
    return RM_OK;
}

static void destroy(void *state) {
    struct flip *f = state;
    rmi_frame_pool_destroy(&f->pool);
    free(f);
}

static bool to_image(const rm_video *v, struct rmi_image *out) {
    static const int formats[] = {[RM_PIXEL_YUV420P] = RMI_IMAGE_I420,
                                  [RM_PIXEL_I420] = RMI_IMAGE_I420,
                                  [RM_PIXEL_NV12] = RMI_IMAGE_NV12,
                                  [RM_PIXEL_RGB24] = RMI_IMAGE_RGB24,
                                  [RM_PIXEL_RGBA32] = RMI_IMAGE_RGBA};
    if (v->plane_count == 0 || (size_t)v->format >= sizeof formats / sizeof formats[0])
        return false;
    *out = (struct rmi_image){
        .format = (enum rmi_image_format)formats[v->format], .width = (int)v->width, .height = (int)v->height};
    for (uint32_t p = 0; p < v->plane_count; p++) {
        out->plane[p] = (uint8_t *)v->planes[p]; /* a source is only read */
        out->stride[p] = (int)v->strides[p];
    }
    return true;
}

/* A picture of the same kind, with rows as far apart as in `v`. */
static rm_err make_output(struct flip *f, const rm_runtime_data *input, const rm_video *v, rm_runtime_data **out) {
    size_t offsets[RM_PLANES_MAX], size = 0;
    rm_buf *buf = NULL;
    for (uint32_t p = 0; p < v->plane_count; p++) {
        bool chroma = p > 0;
        offsets[p] = size;
        size += v->strides[p] * (chroma ? v->height / 2 : v->height);
    }
    rm_err err = rmi_frame_pool_buf(f->pool, size, &buf);
    if (!err)
        err = rmi_frame_pool_wrap_video(f->pool, buf, offsets, v->strides, v->format, v->width, v->height,
                                        rm_runtime_data_timestamp_us(input), out);
    rm_buf_unref(&buf);
    return err ? err : rmi_node_keep_fields(input, *out);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct flip *f = state;
    rm_runtime_data *output = NULL;
    struct rmi_image from, to;
    const rm_video *v = rm_runtime_data_video(input);
    if (!to_image(v, &from)) {
        rm_node_fail(context, "cannot flip %s video; decode it first", rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    rm_err err = make_output(f, input, v, &output);
    if (!err) {
        const rm_video *o = rm_runtime_data_video(output);
        to = from;
        for (uint32_t p = 0; p < o->plane_count; p++) {
            to.plane[p] = rm_runtime_data_write_plane(output, p);
            to.stride[p] = (int)o->strides[p];
        }
        err = rmi_image_flip(&from, &to, f->horizontal, f->vertical);
    }
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
    .create = create,    .process = process,  .destroy = destroy};
