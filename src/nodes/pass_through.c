/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    return rm_node_emit(context, rm_runtime_data_ref(input));
}

const rm_node_class rmi_node_pass_through = {RMI_NODE_CLASS_HEAD, .name = "PassThrough",
                                             .summary = "forwards its input unchanged", .process = process};
