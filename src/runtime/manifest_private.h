/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_MANIFEST_PRIVATE_H
#define RMI_RUNTIME_MANIFEST_PRIVATE_H

#include "runtime/doc.h"
#include "runtime/fault.h"
#include <remotemedia/manifest.h>
#include <stdatomic.h>

#define RMI_NODE_ID_LEN_MAX 64   /* bytes of a node's id */
#define RMI_CONNECTIONS_MAX 1024 /* per manifest */

enum rmi_on_error { RMI_ON_ERROR_DROP, RMI_ON_ERROR_PASSTHROUGH, RMI_ON_ERROR_MUTE, RMI_ON_ERROR_STOP };

struct rmi_edge {
    size_t from, to; /* indexes of nodes */
};

struct rmi_manifest_node {
    const char *id, *type;             /* in the document */
    const struct rmi_doc_node *doc;    /* the node's object */
    const struct rmi_doc_node *params; /* or NULL */
    size_t in_count, out_count;        /* connections */
};

struct rm_manifest {
    atomic_size_t refs;
    struct rmi_doc doc;
    const char *name, *description;
    enum rmi_on_error on_error; /* default of all nodes */
    struct rmi_manifest_node *nodes;
    size_t node_count;
    struct rmi_edge *edges;
    size_t edge_count;
    size_t *order; /* node indexes, each after all that lead to it */
};

/* The manifest of a document, as far as it can be read; every fault is noted. RM_E_NO_MEMORY. */
rm_err rmi_manifest_read(struct rm_manifest *m, struct rmi_faults *f);
/* Connections into edges, counts and order; notes unknown ids and cycles. */
rm_err rmi_manifest_read_graph(struct rm_manifest *m, const struct rmi_doc_node *connections, struct rmi_faults *f);
/* Types and params of all nodes against the registry. RM_E_NO_MEMORY. */
rm_err rmi_manifest_check_types(const struct rm_manifest *m, const rm_node_registry *registry, struct rmi_faults *f);

/* A text member of `node`; NULL, with a fault, when it is missing (and required) or no text. */
const char *rmi_manifest_text(struct rmi_faults *f, const struct rmi_doc_node *node, const char *key, bool required);
const char *rmi_json_kind(const json_t *value); /* "a number", "an object" ... */
/* RM_E_NOT_FOUND. */
rm_err rmi_on_error_parse(const char *text, enum rmi_on_error *out);

#endif
