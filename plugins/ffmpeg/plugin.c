/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <libavutil/log.h>

RM_NODE_EXPORT const rm_node_class *const *rm_node_plugin(uint32_t abi_version, size_t *count);

const rm_node_class *const *rm_node_plugin(uint32_t abi_version, size_t *count) {
    static const rm_node_class *const classes[] = {&rmf_media_reader, &rmf_media_writer};
    if (abi_version != RM_NODE_ABI_VERSION)
        return NULL;
    /* FFmpeg writes to stderr at its default level. What matters comes as an error of the node; who has set a level of
     * his own keeps it. */
    if (av_log_get_level() == AV_LOG_INFO)
        av_log_set_level(AV_LOG_FATAL);
    *count = sizeof classes / sizeof classes[0];
    return classes;
}
