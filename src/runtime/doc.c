/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/doc_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rmi_doc_node *rmi_doc_add(struct rmi_doc *doc, struct rmi_doc_node *parent, json_t *value, unsigned line,
                                 unsigned column) {
    struct rmi_doc_node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->value = value;
    n->line = line;
    n->column = column;
    n->older = doc->all;
    doc->all = n;
    if (!parent) {
        doc->root = n;
        return n;
    }
    n->parent = parent;
    if (parent->last) {
        n->index = parent->last->index + 1;
        parent->last->next = n;
    } else {
        parent->first = n;
    }
    parent->last = n;
    return n;
}

rm_err rmi_doc_fail(struct rmi_doc_error *error, unsigned line, unsigned column, const char *format, ...) {
    va_list args;
    error->line = line;
    error->column = column;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return RM_E_PARSE;
}

void rmi_doc_free(struct rmi_doc *doc) {
    while (doc->all) {
        struct rmi_doc_node *n = doc->all;
        doc->all = n->older;
        free(n);
    }
    json_decref(doc->value);
    memset(doc, 0, sizeof *doc);
}

const struct rmi_doc_node *rmi_doc_get(const struct rmi_doc_node *node, const char *key) {
    for (const struct rmi_doc_node *n = node ? node->first : NULL; n; n = n->next)
        if (n->key && !strcmp(n->key, key))
            return n;
    return NULL;
}

void rmi_doc_path(const struct rmi_doc_node *node, struct rmi_sbuf *out) {
    if (!node->parent)
        return;
    rmi_doc_path(node->parent, out);
    if (!node->key)
        rmi_sbuf_addf(out, "[%zu]", node->index);
    else
        rmi_sbuf_addf(out, "%s%s", out->len ? "." : "", node->key);
}
