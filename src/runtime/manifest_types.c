/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/manifest_private.h"
#include "runtime/params.h"
#include "runtime/registry.h"

#include <string.h>

static void note_unknown(const struct rmi_manifest_node *n, const rm_node_registry *registry, struct rmi_faults *f) {
    const struct rmi_doc_node *type = rmi_doc_get(n->doc, "node_type");
    const char *near = rmi_registry_near(registry, n->type);
    if (near)
        rmi_fault_error(f, type, NULL, "unknown node type \"%.80s\", did you mean \"%s\"?", n->type, near);
    else
        rmi_fault_error(f, type, NULL, "unknown node type \"%.80s\"; `rmrtc nodes` lists the known ones", n->type);
}

rm_err rmi_manifest_check_types(const struct rm_manifest *m, const rm_node_registry *registry, struct rmi_faults *f) {
    for (size_t i = 0; i < m->node_count; i++) {
        const struct rmi_manifest_node *n = &m->nodes[i];
        if (!n->type)
            continue;
        const rm_node_class *c = rm_node_registry_find(registry, n->type);
        if (!c) {
            note_unknown(n, registry, f);
            continue;
        }
        json_t *values;
        rm_err err = rmi_params_read(c, n->doc, n->params, f, &values);
        if (err)
            return err;
        json_decref(values);
    }
    return RM_OK;
}
