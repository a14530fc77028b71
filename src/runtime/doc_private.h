/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_DOC_PRIVATE_H
#define RMI_RUNTIME_DOC_PRIVATE_H

#include "runtime/doc.h"

#define RMI_DOC_NUMBER_MAX 32 /* characters; more only serve to slow a reader down */

/* A new last child of `parent` (NULL: the root). NULL without memory. */
struct rmi_doc_node *rmi_doc_add(struct rmi_doc *doc, struct rmi_doc_node *parent, json_t *value, unsigned line,
                                 unsigned column);
/* Fills the error; returns RM_E_PARSE. */
rm_err rmi_doc_fail(struct rmi_doc_error *error, unsigned line, unsigned column, const char *format, ...)
    RM_PRINTF(4, 5);

#endif
