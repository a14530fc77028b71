/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RUNTIME_FAULT_H
#define RMI_RUNTIME_FAULT_H

#include "runtime/doc.h"
#include <remotemedia/manifest.h>

/* Collects what is wrong with a text, then tells it in the order of the text. */
struct rmi_fault {
    bool warning;
    unsigned line, column;
    size_t order; /* of being found, for two at one place */
    char *field, *message;
};

struct rmi_faults {
    struct rmi_fault list[RM_MANIFEST_FAULTS_MAX];
    size_t count;
    size_t errors; /* without the warnings; those beyond the list count too */
    size_t left_out;
    bool no_memory;
};

/* Something wrong with, or in, `node`; `member` (may be NULL) is appended to its path: a member that is missing. */
void rmi_fault_error(struct rmi_faults *f, const struct rmi_doc_node *node, const char *member, const char *format, ...)
    RM_PRINTF(4, 5);
void rmi_fault_warning(struct rmi_faults *f, const struct rmi_doc_node *node, const char *member, const char *format,
                       ...) RM_PRINTF(4, 5);
/* Something wrong at a place that is no value. */
void rmi_fault_at(struct rmi_faults *f, unsigned line, unsigned column, const char *message);
void rmi_faults_tell(struct rmi_faults *f, const char *file, rm_manifest_fault_fn fn, void *user);
void rmi_faults_fini(struct rmi_faults *f);

#endif
