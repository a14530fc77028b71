/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"

#include <stdio.h>
#include <string.h>

size_t rmi_node_stream(struct rmi_node_streams *streams, const char *id, bool *fresh) {
    const char *name = id ? id : "";
    for (size_t i = 0; i < streams->count; i++)
        if (!strcmp(streams->ids[i], name)) {
            *fresh = false;
            return i;
        }
    size_t slot = streams->count;
    if (slot < RMI_NODE_STREAMS_MAX) {
        streams->count++;
    } else {
        slot = streams->next;
        streams->next = (streams->next + 1) % RMI_NODE_STREAMS_MAX;
    }
    snprintf(streams->ids[slot], sizeof streams->ids[slot], "%s", name);
    *fresh = true;
    return slot;
}
