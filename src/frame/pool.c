/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/pool.h"

#include "frame/data_private.h"
#include <stdlib.h>
#include <string.h>

#define BUFFERS_MAX 1024
#define OBJECTS_MAX 4096
#define NO_SLOT UINT32_MAX
#define I420_PLANES 3

/* Memory of one frame. Only the thread that took the slot from the stack touches it. */
struct slot {
    struct rmi_frame_pool *pool;
    void *header; /* of the rm_buf */
    uint8_t *memory;
    size_t bytes;
};

/* The free slots are a stack of indices as in base/pool.c: the upper half of its top counts changes, so that a thread
 * interrupted between looking and replacing fails even if the same slot is on top again. Last in, first out: the frame
 * used last is the one in the cache. */
struct rmi_frame_pool {
    struct rmi_pool *objects;
    unsigned char *headers;
    _Atomic uint32_t *next;
    size_t max_buffers;
    _Atomic uint64_t top;
    atomic_size_t holds; /* buffers in use, and 1 for the owner */
    atomic_size_t in_use;
    atomic_size_t peak;
    atomic_size_t exhausted;
    atomic_size_t allocations;
    atomic_size_t buffers;
    atomic_size_t bytes;
    struct slot slots[];
};

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

static void destroy(struct rmi_frame_pool *pool) {
    for (size_t i = 0; i < pool->max_buffers; i++)
        free(pool->slots[i].memory);
    rmi_pool_destroy(&pool->objects);
    free(pool->headers);
    free(pool->next);
    free(pool);
}

static rm_err init(struct rmi_frame_pool *pool, size_t objects) {
    const size_t header = round_up(rmi_buf_header_bytes(), _Alignof(max_align_t));
    const rm_err err = rmi_pool_create(sizeof(struct rm_runtime_data), objects, &pool->objects);
    if (err)
        return err;
    pool->headers = calloc(pool->max_buffers, header);
    pool->next = calloc(pool->max_buffers, sizeof pool->next[0]);
    if (!pool->headers || !pool->next)
        return RM_E_NO_MEMORY;
    for (size_t i = 0; i < pool->max_buffers; i++) {
        pool->slots[i] = (struct slot){.pool = pool, .header = pool->headers + i * header};
        atomic_init(&pool->next[i], i + 1 < pool->max_buffers ? (uint32_t)(i + 1) : NO_SLOT);
    }
    atomic_init(&pool->holds, 1);
    return RM_OK;
}

rm_err rmi_frame_pool_create(const struct rmi_frame_pool_config *config, struct rmi_frame_pool **out) {
    if (!config || !out || config->max_buffers == 0 || config->max_buffers > BUFFERS_MAX ||
        config->max_objects > OBJECTS_MAX)
        return RM_E_INVALID_ARG;
    struct rmi_frame_pool *pool = calloc(1, sizeof *pool + config->max_buffers * sizeof pool->slots[0]);
    if (!pool)
        return RM_E_NO_MEMORY;
    pool->max_buffers = config->max_buffers;
    const rm_err err = init(pool, config->max_objects ? config->max_objects : 2 * config->max_buffers);
    if (err) {
        destroy(pool);
        return err;
    }
    *out = pool;
    return RM_OK;
}

static void release_hold(struct rmi_frame_pool *pool) {
    if (atomic_fetch_sub(&pool->holds, 1) == 1)
        destroy(pool);
}

void rmi_frame_pool_destroy(struct rmi_frame_pool **pool) {
    if (!pool || !*pool)
        return;
    release_hold(*pool);
    *pool = NULL;
}

static uint64_t make_top(uint64_t old, uint32_t index) {
    return ((old >> 32) + 1) << 32 | index;
}

static struct slot *take(struct rmi_frame_pool *pool) {
    uint64_t top = atomic_load(&pool->top);
    uint32_t index;
    do {
        index = (uint32_t)top;
        if (index == NO_SLOT)
            return NULL;
    } while (!atomic_compare_exchange_weak(&pool->top, &top, make_top(top, atomic_load(&pool->next[index]))));
    atomic_fetch_add(&pool->holds, 1);
    const size_t used = atomic_fetch_add(&pool->in_use, 1) + 1;
    size_t peak = atomic_load(&pool->peak);
    while (used > peak && !atomic_compare_exchange_weak(&pool->peak, &peak, used))
        continue;
    return &pool->slots[index];
}

static void give_back(struct slot *slot) {
    struct rmi_frame_pool *pool = slot->pool;
    const uint32_t index = (uint32_t)(slot - pool->slots);
    atomic_fetch_sub(&pool->in_use, 1); /* before another thread can take the slot */
    uint64_t top = atomic_load(&pool->top);
    do
        atomic_store(&pool->next[index], (uint32_t)top);
    while (!atomic_compare_exchange_weak(&pool->top, &top, make_top(top, index)));
    release_hold(pool);
}

static void on_release(void *data, size_t size, void *ctx) {
    (void)data;
    (void)size;
    give_back(ctx);
}

/* At least `size` bytes; what is too small goes before the larger one comes. */
static bool reserve(struct slot *slot, size_t size) {
    struct rmi_frame_pool *pool = slot->pool;
    if (slot->bytes >= size)
        return true;
    if (slot->memory) {
        free(slot->memory);
        slot->memory = NULL;
        atomic_fetch_sub(&pool->buffers, 1);
        atomic_fetch_sub(&pool->bytes, slot->bytes);
        slot->bytes = 0;
    }
    const size_t bytes = round_up(size, RMI_FRAME_ALIGN);
    atomic_fetch_add(&pool->allocations, 1);
    slot->memory = aligned_alloc(RMI_FRAME_ALIGN, bytes);
    if (!slot->memory)
        return false;
    memset(slot->memory, 0, bytes); /* libvpx reads frame borders before it writes them */
    slot->bytes = bytes;
    atomic_fetch_add(&pool->buffers, 1);
    atomic_fetch_add(&pool->bytes, bytes);
    return true;
}

rm_err rmi_frame_pool_buf(struct rmi_frame_pool *pool, size_t size, rm_buf **out) {
    if (!pool || !out || size == 0 || size > SIZE_MAX / 2)
        return RM_E_INVALID_ARG;
    struct slot *slot = take(pool);
    if (!slot) {
        atomic_fetch_add(&pool->exhausted, 1);
        return RM_E_LIMIT;
    }
    if (!reserve(slot, size)) {
        give_back(slot);
        return RM_E_NO_MEMORY;
    }
    *out = rmi_buf_place(slot->header, slot->memory, size, on_release, slot);
    return RM_OK;
}

rm_err rmi_frame_pool_video(struct rmi_frame_pool *pool, uint32_t width, uint32_t height, int64_t timestamp_us,
                            rm_runtime_data **out) {
    size_t offsets[I420_PLANES] = {0}, strides[I420_PLANES] = {0}, size = 0;
    if (!pool || !out || rm_video_packed_size(RM_PIXEL_I420, width, height) == 0)
        return RM_E_INVALID_ARG;
    for (uint32_t i = 0; i < I420_PLANES; i++) {
        const struct rmi_plane p = rmi_video_plane(RM_PIXEL_I420, width, height, i);
        offsets[i] = size;
        strides[i] = round_up(p.row_bytes, RMI_FRAME_ALIGN);
        size += strides[i] * p.rows;
    }
    rm_buf *buf = NULL;
    rm_err err = rmi_frame_pool_buf(pool, size, &buf);
    if (err)
        return err;
    err = rmi_frame_pool_wrap_video(pool, buf, offsets, strides, RM_PIXEL_I420, width, height, timestamp_us, out);
    rm_buf_unref(&buf);
    return err;
}

rm_err rmi_frame_pool_audio(struct rmi_frame_pool *pool, size_t sample_count, uint32_t sample_rate, uint32_t channels,
                            rm_runtime_data **out) {
    if (!pool || !out || sample_count > SIZE_MAX / 2 / sizeof(float))
        return RM_E_INVALID_ARG;
    rm_buf *buf = NULL;
    rm_err err = rmi_frame_pool_buf(pool, sample_count * sizeof(float), &buf);
    if (err)
        return err;
    err = rmi_frame_pool_wrap_audio(pool, buf, 0, sample_count, sample_rate, channels, out);
    rm_buf_unref(&buf);
    return err;
}

rm_err rmi_frame_pool_wrap_audio(struct rmi_frame_pool *pool, rm_buf *buf, size_t offset, size_t sample_count,
                                 uint32_t sample_rate, uint32_t channels, rm_runtime_data **out) {
    return pool ? rmi_data_audio(pool->objects, buf, offset, sample_count, sample_rate, channels, out)
                : RM_E_INVALID_ARG;
}

rm_err rmi_frame_pool_wrap_video(struct rmi_frame_pool *pool, rm_buf *buf, const size_t *offsets, const size_t *strides,
                                 rm_pixel_format format, uint32_t width, uint32_t height, int64_t timestamp_us,
                                 rm_runtime_data **out) {
    const rm_video head = {.format = format, .width = width, .height = height};
    return pool && out ? rmi_data_planes(pool->objects, buf, offsets, strides, &head, timestamp_us, out)
                       : RM_E_INVALID_ARG;
}

rm_err rmi_frame_pool_wrap_encoded(struct rmi_frame_pool *pool, rm_buf *buf, size_t offset, size_t size, rm_codec codec,
                                   uint32_t width, uint32_t height, bool is_keyframe, uint64_t frame_number,
                                   int64_t timestamp_us, rm_runtime_data **out) {
    const rm_video head = {
        .format = RM_PIXEL_ENCODED,
        .codec = codec,
        .width = width,
        .height = height,
        .is_keyframe = is_keyframe,
        .frame_number = frame_number,
    };
    return pool ? rmi_data_encoded(pool->objects, buf, offset, size, &head, timestamp_us, out) : RM_E_INVALID_ARG;
}

rm_err rmi_frame_pool_share(struct rmi_frame_pool *pool, const rm_runtime_data *data, rm_runtime_data **out) {
    return pool && out ? rmi_data_share(pool->objects, data, out) : RM_E_INVALID_ARG;
}

struct rmi_frame_pool_stats rmi_frame_pool_stats(const struct rmi_frame_pool *pool) {
    const struct rmi_pool_stats objects = rmi_pool_stats(pool->objects);
    return (struct rmi_frame_pool_stats){
        .allocations = atomic_load(&pool->allocations),
        .buffers = atomic_load(&pool->buffers),
        .bytes = atomic_load(&pool->bytes),
        .in_use = atomic_load(&pool->in_use),
        .peak = atomic_load(&pool->peak),
        .objects = objects.in_use,
        .exhausted = atomic_load(&pool->exhausted) + objects.exhausted,
    };
}
