/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_NODE_DATA_H
#define RMI_RUNTIME_NODE_DATA_H

#include "frame/pool.h"
#include <remotemedia/node.h>

/* What built-in nodes make beside rm_node_new_video and rm_node_new_audio, with the same rules. */

/* A pool for each kind of data, as its memory has sizes of its own. */
enum rmi_node_pool { RMI_NODE_POOL_VIDEO, RMI_NODE_POOL_AUDIO, RMI_NODE_POOL_ENCODED, RMI_NODE_POOLS };

/* rm_node_new_video in any raw format. */
rm_err rmi_node_new_raw(rm_node_context *context, rm_pixel_format format, uint32_t width, uint32_t height,
                        int64_t timestamp_us, rm_runtime_data **out);
/* A picture that lies in `buf` already: no copy. */
rm_err rmi_node_wrap_raw(rm_node_context *context, rm_buf *buf, const size_t *offsets, const size_t *strides,
                         rm_pixel_format format, uint32_t width, uint32_t height, int64_t timestamp_us,
                         rm_runtime_data **out);

struct rmi_node_encoded {
    const uint8_t *data; /* copied */
    size_t len;
    rm_codec codec;
    uint32_t width, height;
    bool is_keyframe;
    uint64_t frame_number;
    int64_t timestamp_us;
};
rm_err rmi_node_new_encoded(rm_node_context *context, const struct rmi_node_encoded *frame, rm_runtime_data **out);

/* Gives up the context's hold: frames in use stay valid. */
void rmi_node_pools_fini(struct rmi_frame_pool *pools[RMI_NODE_POOLS]);

#endif
