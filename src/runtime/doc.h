/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_DOC_H
#define RMI_RUNTIME_DOC_H

#include "base/sbuf.h"
#include <jansson.h>
#include <remotemedia/error.h>
#include <stdbool.h>
#include <stddef.h>

/* A JSON or YAML text as one tree of values, each with its place in the text. */
struct rmi_doc_node {
    json_t *value;   /* borrowed from the document */
    const char *key; /* member of an object; NULL for an array's elements and the root */
    size_t index;    /* of an array's element */
    unsigned line, column;
    struct rmi_doc_node *parent, *first, *last, *next; /* children in the order of the text */
    struct rmi_doc_node *older;                        /* all nodes of the document, for freeing */
};

struct rmi_doc {
    json_t *value;
    struct rmi_doc_node *root;
    struct rmi_doc_node *all;
};

/* Why a text is no document. */
struct rmi_doc_error {
    unsigned line, column;
    char message[200];
};

/* RM_E_PARSE with `error` filled: malformed, a key twice in an object, or over a limit of <remotemedia/manifest.h>.
 * RM_E_NO_MEMORY. Free on RM_OK only. */
rm_err rmi_doc_parse_json(const char *text, size_t len, struct rmi_doc *out, struct rmi_doc_error *error);
rm_err rmi_doc_parse_yaml(const char *text, size_t len, struct rmi_doc *out, struct rmi_doc_error *error);
void rmi_doc_free(struct rmi_doc *doc);

/* Member of an object; NULL when there is none, or node is no object or NULL. */
const struct rmi_doc_node *rmi_doc_get(const struct rmi_doc_node *node, const char *key);
/* "nodes[2].params" */
void rmi_doc_path(const struct rmi_doc_node *node, struct rmi_sbuf *out);

#endif
