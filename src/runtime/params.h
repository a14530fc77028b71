/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_PARAMS_H
#define RMI_RUNTIME_PARAMS_H

#include "runtime/doc.h"
#include "runtime/fault.h"
#include <remotemedia/node.h>

/* Parameters that every node has beside its own. */
extern const rm_node_param rmi_common_params[];
extern const size_t rmi_common_param_count;

struct rm_node_params {
    json_t *values; /* an object: snake_case name to value */
};

/* The values of a node: what `given` (may be NULL) says, checked, and the defaults. Faults are noted and what is faulty
 * is left out. `node` stands for the node where `given` is absent. *out is to be released with json_decref.
 * RM_E_NO_MEMORY.
 */
rm_err rmi_params_read(const rm_node_class *node_class, const struct rmi_doc_node *node,
                       const struct rmi_doc_node *given, struct rmi_faults *f, json_t **out);
/* Whether a description of a parameter is well formed, its default included. */
bool rmi_param_valid(const rm_node_param *param);
/* "chunk_size" as "chunkSize", cut to `size`. */
void rmi_camel_case(const char *snake, char *out, size_t size);

#endif
