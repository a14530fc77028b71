/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/node_data.h"
#include "frame/data_private.h"
#include "runtime/runner_private.h"

#include <string.h>

/* Twice the default queue in front of the next node for sound, whose chunks are many and small. */
static const size_t pool_buffers[RMI_NODE_POOLS] = {
    [RMI_NODE_POOL_VIDEO] = 64, [RMI_NODE_POOL_AUDIO] = 128, [RMI_NODE_POOL_ENCODED] = 64};

/* Sizes of encoded frames differ: in steps, a buffer soon serves all but key frames. */
#define ENCODED_STEP 16384

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

static rm_err get_pool(rm_node_context *context, enum rmi_node_pool kind, struct rmi_frame_pool **out) {
    struct rmi_frame_pool_config config = {.max_buffers = pool_buffers[kind], .max_objects = pool_buffers[kind]};
    rm_err err = context->pools[kind] ? RM_OK : rmi_frame_pool_create(&config, &context->pools[kind]);
    *out = context->pools[kind];
    return err;
}

void rmi_node_pools_fini(struct rmi_frame_pool *pools[RMI_NODE_POOLS]) {
    for (size_t i = 0; i < RMI_NODE_POOLS; i++)
        rmi_frame_pool_destroy(&pools[i]);
}

/* Takes the reference to `data`: it is in *out, or gone. */
static rm_err inherit(const rm_node_context *context, rm_runtime_data *data, rm_runtime_data **out) {
    const rm_runtime_data *from = context->current ? context->current->data : NULL;
    const rm_video *video = from && rm_runtime_data_video(data) ? rm_runtime_data_video(from) : NULL;
    rm_err err = from ? rm_runtime_data_set_stream_id(data, rm_runtime_data_stream_id(from)) : RM_OK;
    if (!err && from)
        err = rm_runtime_data_set_arrival_us(data, rm_runtime_data_arrival_us(from));
    if (!err && video)
        err = rm_runtime_data_set_frame_number(data, video->frame_number);
    if (!err && from && rm_runtime_data_type(data) == RM_DATA_AUDIO && rm_runtime_data_type(from) == RM_DATA_AUDIO)
        data->metadata = rm_buf_ref(from->metadata); /* nobody changes it: no need to parse it again */
    if (err)
        rm_runtime_data_unref(&data);
    else
        *out = data;
    return err;
}

/* Memory of a pool, or of the heap when the pool's is all in use. */
static rm_err get_buf(struct rmi_frame_pool *pool, size_t size, rm_buf **out) {
    rm_err err = rmi_frame_pool_buf(pool, size, out);
    return err == RM_E_LIMIT ? rm_buf_create(size, out) : err;
}

static rm_err wrap(struct rmi_frame_pool *pool, rm_buf *buf, const size_t *offsets, const size_t *strides,
                   const rm_video *head, int64_t timestamp_us, rm_runtime_data **out) {
    rm_err err = rmi_frame_pool_wrap_video(pool, buf, offsets, strides, head->format, head->width, head->height,
                                           timestamp_us, out);
    return err == RM_E_LIMIT ? rmi_data_planes(NULL, buf, offsets, strides, head, timestamp_us, out) : err;
}

rm_err rmi_node_wrap_raw(rm_node_context *context, rm_buf *buf, const size_t *offsets, const size_t *strides,
                         rm_pixel_format format, uint32_t width, uint32_t height, int64_t timestamp_us,
                         rm_runtime_data **out) {
    const rm_video head = {.format = format, .width = width, .height = height};
    struct rmi_frame_pool *pool = NULL;
    rm_runtime_data *data = NULL;
    rm_err err = get_pool(context, RMI_NODE_POOL_VIDEO, &pool);
    if (!err)
        err = wrap(pool, buf, offsets, strides, &head, timestamp_us, &data);
    return err ? err : inherit(context, data, out);
}

rm_err rmi_node_new_raw(rm_node_context *context, rm_pixel_format format, uint32_t width, uint32_t height,
                        int64_t timestamp_us, rm_runtime_data **out) {
    size_t offsets[RM_PLANES_MAX] = {0}, strides[RM_PLANES_MAX] = {0}, size = 0;
    struct rmi_frame_pool *pool = NULL;
    rm_buf *buf = NULL;
    if (rm_video_packed_size(format, width, height) == 0)
        return RM_E_INVALID_ARG;
    for (uint32_t i = 0; i < rmi_video_plane_count(format); i++) {
        const struct rmi_plane p = rmi_video_plane(format, width, height, i);
        offsets[i] = size;
        strides[i] = round_up(p.row_bytes, RMI_FRAME_ALIGN);
        size += strides[i] * p.rows;
    }
    rm_err err = get_pool(context, RMI_NODE_POOL_VIDEO, &pool);
    if (!err)
        err = get_buf(pool, size, &buf);
    if (!err)
        err = rmi_node_wrap_raw(context, buf, offsets, strides, format, width, height, timestamp_us, out);
    rm_buf_unref(&buf);
    return err;
}

rm_err rmi_node_new_encoded(rm_node_context *context, const struct rmi_node_encoded *f, rm_runtime_data **out) {
    struct rmi_frame_pool *pool = NULL;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    rm_err err = f->len > 0 ? get_pool(context, RMI_NODE_POOL_ENCODED, &pool) : RM_E_INVALID_ARG;
    if (!err)
        err = get_buf(pool, round_up(f->len, ENCODED_STEP), &buf);
    if (err)
        return err;
    memcpy(rm_buf_write(buf), f->data, f->len);
    err = rmi_frame_pool_wrap_encoded(pool, buf, 0, f->len, f->codec, f->width, f->height, f->is_keyframe,
                                      f->frame_number, f->timestamp_us, &data);
    if (err == RM_E_LIMIT)
        err = rm_runtime_data_create_encoded(buf, 0, f->len, f->codec, f->width, f->height, f->is_keyframe,
                                             f->frame_number, f->timestamp_us, &data);
    rm_buf_unref(&buf);
    return err ? err : inherit(context, data, out);
}

rm_err rm_node_new_video(rm_node_context *context, uint32_t width, uint32_t height, int64_t timestamp_us,
                         rm_runtime_data **out) {
    return context && out ? rmi_node_new_raw(context, RM_PIXEL_I420, width, height, timestamp_us, out)
                          : RM_E_INVALID_ARG;
}

rm_err rm_node_new_audio(rm_node_context *context, size_t sample_count, uint32_t sample_rate, uint32_t channels,
                         rm_runtime_data **out) {
    struct rmi_frame_pool *pool = NULL;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    if (!context || !out || sample_count == 0 || sample_count > SIZE_MAX / 2 / sizeof(float))
        return RM_E_INVALID_ARG;
    rm_err err = get_pool(context, RMI_NODE_POOL_AUDIO, &pool);
    if (!err)
        err = get_buf(pool, sample_count * sizeof(float), &buf);
    if (!err)
        err = rmi_frame_pool_wrap_audio(pool, buf, 0, sample_count, sample_rate, channels, &data);
    if (err == RM_E_LIMIT && buf)
        err = rm_runtime_data_create_audio(buf, 0, sample_count, sample_rate, channels, &data);
    rm_buf_unref(&buf);
    return err ? err : inherit(context, data, out);
}
