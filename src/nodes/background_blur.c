/* SPDX-License-Identifier: Apache-2.0 */
#include "media/blend.h"
#include "media/blur.h"
#include "nodes/background_model.h"
#include "nodes/nodes.h"
#include "nodes/video_image.h"

#include <stdlib.h>

/* Standard deviation of the blur at strength 1, in heights of the picture: 24 pixels of 720. */
#define SIGMA_MAX (1.0 / 30)
/* The level whose luma pixel is a cell of the model, 8 pixels wide; chroma is at half the size already. */
#define CELL_LEVEL 3

/* Memory to work in, of the largest picture so far. */
struct work {
    void *memory;
    size_t len;
    struct rmi_blur blur;
    uint8_t *mask; /* half as large as the picture */
    void *scratch;
};

struct background_blur {
    double strength;
    struct rmi_background_config config;
    struct rmi_node_streams streams;
    struct rmi_background *model[RMI_NODE_STREAMS_MAX];
    struct work work;
};

static rm_err create(rm_node_context *context, const rm_node_params *params, void **state) {
    (void)context;
    struct background_blur *b = calloc(1, sizeof *b);
    if (!b)
        return RM_E_NO_MEMORY;
    b->strength = rm_node_params_number(params, "strength", 0);
    b->config.threshold = rm_node_params_number(params, "threshold", 0);
    b->config.rate = rm_node_params_number(params, "adaptation_rate", 0);
    *state = b;
    return RM_OK;
}

static void destroy(void *state) {
    struct background_blur *b = state;
    for (size_t i = 0; i < RMI_NODE_STREAMS_MAX; i++)
        rmi_background_destroy(&b->model[i]);
    free(b->work.memory);
    free(b);
}

static size_t aligned(size_t bytes) {
    return (bytes + RMI_BLUR_ALIGN - 1) / RMI_BLUR_ALIGN * RMI_BLUR_ALIGN;
}

static rm_err prepare(struct work *w, int width, int height) {
    if (w->memory && w->blur.width == width && w->blur.height == height)
        return RM_OK;
    size_t blur = aligned(rmi_blur_bytes(width, height)), scratch = aligned(rmi_blend_scratch(width));
    size_t mask = (size_t)rmi_blur_stride(width / 2) * (size_t)(height / 2);
    if (blur + scratch + mask > w->len) {
        void *memory = aligned_alloc(RMI_BLUR_ALIGN, blur + scratch + mask);
        if (!memory)
            return RM_E_NO_MEMORY;
        free(w->memory);
        w->memory = memory;
        w->len = blur + scratch + mask;
    }
    w->scratch = (uint8_t *)w->memory + blur;
    w->mask = (uint8_t *)w->scratch + scratch;
    return rmi_blur_init(&w->blur, width, height, w->memory, blur);
}

/* The model of a stream; another stream in its place starts anew. */
static rm_err model_of(struct background_blur *b, const char *stream, struct rmi_background **out) {
    bool fresh;
    size_t slot = rmi_node_stream(&b->streams, stream, &fresh);
    if (fresh)
        rmi_background_destroy(&b->model[slot]);
    rm_err err = b->model[slot] ? RM_OK : rmi_background_create(&b->config, &b->model[slot]);
    *out = b->model[slot];
    return err;
}

/* Which cells of the picture are foreground. */
static rm_err find_mask(const struct work *w, struct rmi_background *model, int64_t time_us, uint8_t **mask) {
    const struct rmi_image *luma = &w->blur.level[CELL_LEVEL - 1], *chroma = &w->blur.level[CELL_LEVEL - 2];
    const struct rmi_background_cells cells = {.y = luma->plane[0],
                                               .u = chroma->plane[1],
                                               .v = chroma->plane[2],
                                               .width = luma->width,
                                               .height = luma->height,
                                               .stride = luma->stride[0]};
    return rmi_background_update(model, &cells, time_us, mask);
}

/* Doubles the mask of cells to half the size of the picture, by way of a level that the blur has used up. */
static void grow_mask(const struct work *w, uint8_t *cells) {
    const struct rmi_image *small = &w->blur.level[CELL_LEVEL - 1], *middle = &w->blur.level[CELL_LEVEL - 2];
    const struct rmi_image *large = &w->blur.level[CELL_LEVEL - 3];
    rmi_blur_double(cells, small->stride[0], middle->plane[0], middle->stride[0], middle->width, middle->height);
    rmi_blur_double(middle->plane[0], middle->stride[0], w->mask, large->stride[0], large->width, large->height);
}

static rm_err blur_background(struct background_blur *b, struct rmi_background *model, const struct rmi_image *from,
                              int64_t time_us, struct rmi_image *to) {
    struct work *w = &b->work;
    uint8_t *cells = NULL;
    double sigma = b->strength * SIGMA_MAX * from->height;
    int levels = rmi_blur_levels(sigma);
    rm_err err = rmi_blur_down(&w->blur, from, levels > CELL_LEVEL ? levels : CELL_LEVEL);
    if (!err)
        err = find_mask(w, model, time_us, &cells);
    if (!err)
        err = rmi_blur_half(&w->blur, sigma);
    if (err)
        return err;
    grow_mask(w, cells);
    const struct rmi_blend_under under = {w->blur.level[0], w->mask, w->blur.level[0].stride[0]};
    return rmi_blend_doubled(&under, from, to, w->scratch);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    struct background_blur *b = state;
    const rm_video *v = rm_runtime_data_video(input);
    int64_t time_us = rm_runtime_data_timestamp_us(input);
    rm_runtime_data *output = NULL;
    struct rmi_background *model = NULL;
    struct rmi_image from, to;
    if (!rmi_node_image(v, &from) || from.format != RMI_IMAGE_I420) {
        rm_node_fail(context, "cannot blur %s video, only I420 and Yuv420p; convert or decode it first",
                     rm_pixel_format_name(v->format));
        return RM_E_UNSUPPORTED;
    }
    if (b->strength <= 0)
        return rm_node_emit(context, rm_runtime_data_ref(input));
    rm_err err = prepare(&b->work, from.width, from.height);
    if (!err)
        err = model_of(b, rm_runtime_data_stream_id(input), &model);
    if (!err)
        err = rmi_node_new_image(context, v->format, v->width, v->height, time_us, &output, &to);
    if (!err)
        err = blur_background(b, model, &from, time_us, &to);
    if (!err)
        return rm_node_emit(context, output);
    rm_runtime_data_unref(&output);
    return err;
}

static const rm_node_param params[] = {
    {.name = "strength",
     .type = RM_PARAM_NUMBER,
     .default_json = "0.5",
     .min = 0,
     .max = 1,
     .summary = "0: none; 1: a standard deviation of 1/30 of the height of the picture"},
    {.name = "threshold",
     .type = RM_PARAM_NUMBER,
     .default_json = "10",
     .min = 1,
     .max = 255,
     .summary = "how far from the background the foreground is, in steps of 255 beyond the noise"},
    {.name = "adaptation_rate",
     .type = RM_PARAM_NUMBER,
     .default_json = "0.5",
     .min = 0,
     .max = 20,
     .summary = "part of the way to what is seen that the background goes in a second; much less under foreground"},
};

const rm_node_class rmi_node_background_blur = {RMI_NODE_CLASS_HEAD,
                                                .name = "BackgroundBlurNode",
                                                .summary = "blurs I420 video except for the person in front",
                                                .accepts = "video",
                                                .params = params,
                                                .param_count = RMI_NODE_PARAM_COUNT(params),
                                                .create = create,
                                                .process = process,
                                                .destroy = destroy};
