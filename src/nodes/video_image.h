/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_VIDEO_IMAGE_H
#define RMI_NODES_VIDEO_IMAGE_H

#include "media/image.h"
#include "runtime/node_data.h"

/* The names of raw formats, for a parameter's choices. */
#define RMI_NODE_RAW_FORMATS "Yuv420p|I420|NV12|Rgb24|Rgba32"

/* Of RMI_NODE_RAW_FORMATS; unspecified for another text. */
rm_pixel_format rmi_node_pixel_format(const char *name);
/* The picture of a video, for reading only. False: it is encoded or unspecified. */
bool rmi_node_image(const rm_video *video, struct rmi_image *out);
/* A frame of the node's context to be written, and its picture. */
rm_err rmi_node_new_image(rm_node_context *context, rm_pixel_format format, uint32_t width, uint32_t height,
                          int64_t timestamp_us, rm_runtime_data **out, struct rmi_image *image);

/* Memory that conversions need for a moment; zero-initialised is valid. */
struct rmi_node_scratch {
    void *data;
    size_t size;
};
/* At least `size` bytes; NULL for 0 bytes. RM_E_NO_MEMORY. */
rm_err rmi_node_scratch_get(struct rmi_node_scratch *scratch, size_t size, void **out);
void rmi_node_scratch_fini(struct rmi_node_scratch *scratch);

#endif
