/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_FRAME_POOL_H
#define RMI_FRAME_POOL_H

#include <remotemedia/data.h>

/* Media frames without heap calls in the steady state: memory of frames is allocated when it is first needed, up to a
 * cap, and comes back at the last unref; so do the objects around it. All functions may be called on any thread,
 * without locks. One pool for each stream keeps sizes alike. */
struct rmi_frame_pool;

/* Of rows and frames: a cache line, and the widest vector of the codecs (AVX-512). */
#define RMI_FRAME_ALIGN 64

struct rmi_frame_pool_config {
    size_t max_buffers; /* 1..1024 */
    size_t max_objects; /* runtime data over them, 1..4096; several may share a buffer. 0: twice the buffers */
};

struct rmi_frame_pool_stats {
    size_t allocations; /* heap calls for memory of frames since the start; constant in the steady state */
    size_t buffers;     /* that have memory */
    size_t bytes;       /* together */
    size_t in_use;      /* buffers */
    size_t peak;        /* most buffers in use at one time */
    size_t objects;     /* in use */
    size_t exhausted;   /* requests refused because the cap was reached */
};

/* RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err rmi_frame_pool_create(const struct rmi_frame_pool_config *config, struct rmi_frame_pool **out);
/* Gives up the owner's hold: frames still in use stay valid, and all memory goes with the last one. */
void rmi_frame_pool_destroy(struct rmi_frame_pool **pool);
struct rmi_frame_pool_stats rmi_frame_pool_stats(const struct rmi_frame_pool *pool);

/* All below: RM_E_LIMIT when the cap is reached, RM_E_NO_MEMORY, RM_E_INVALID_ARG; *out is untouched then. */

/* `size` bytes at an address that is a multiple of RMI_FRAME_ALIGN; zeroed once, when allocated: what an earlier frame
 * left is still there. For decoders that manage their own frame memory. */
rm_err rmi_frame_pool_buf(struct rmi_frame_pool *pool, size_t size, rm_buf **out);
/* An I420 picture to be written: even width and height, strides multiples of RMI_FRAME_ALIGN, frame number 0. */
rm_err rmi_frame_pool_video(struct rmi_frame_pool *pool, uint32_t width, uint32_t height, int64_t timestamp_us,
                            rm_runtime_data **out);
/* Room for `sample_count` floats, a multiple of channels; rm_runtime_data_set_sample_count shortens. */
rm_err rmi_frame_pool_audio(struct rmi_frame_pool *pool, size_t sample_count, uint32_t sample_rate, uint32_t channels,
                            rm_runtime_data **out);
/* The object around bytes of any buffer, of a pool or not, as the public constructors of the same name make it; without
 * a heap call. */
rm_err rmi_frame_pool_wrap_audio(struct rmi_frame_pool *pool, rm_buf *buf, size_t offset, size_t sample_count,
                                 uint32_t sample_rate, uint32_t channels, rm_runtime_data **out);
rm_err rmi_frame_pool_wrap_video(struct rmi_frame_pool *pool, rm_buf *buf, const size_t *offsets, const size_t *strides,
                                 rm_pixel_format format, uint32_t width, uint32_t height, int64_t timestamp_us,
                                 rm_runtime_data **out);
rm_err rmi_frame_pool_wrap_encoded(struct rmi_frame_pool *pool, rm_buf *buf, size_t offset, size_t size, rm_codec codec,
                                   uint32_t width, uint32_t height, bool is_keyframe, uint64_t frame_number,
                                   int64_t timestamp_us, rm_runtime_data **out);
rm_err rmi_frame_pool_share(struct rmi_frame_pool *pool, const rm_runtime_data *data, rm_runtime_data **out);

#endif
