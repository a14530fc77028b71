/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_REGISTRY_H
#define RMI_RUNTIME_REGISTRY_H

#include <remotemedia/node.h>

/* An empty registry; rm_node_registry_create (src/nodes) adds the built-in nodes. RM_E_NO_MEMORY. */
rm_err rmi_registry_create(rm_node_registry **out);
/* One more hold, dropped with rm_node_registry_destroy. */
rm_node_registry *rmi_registry_ref(rm_node_registry *registry);
/* The known type that `name` was probably meant to be, or NULL. */
const char *rmi_registry_near(const rm_node_registry *registry, const char *name);

#endif
