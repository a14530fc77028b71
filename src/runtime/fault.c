/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 400

static void add(struct rmi_faults *f, bool warning, unsigned line, unsigned column, char *field, const char *message) {
    if (!warning)
        f->errors++;
    if (f->count == RM_MANIFEST_FAULTS_MAX) {
        f->left_out++;
        free(field);
        return;
    }
    struct rmi_fault *fault = &f->list[f->count];
    *fault = (struct rmi_fault){.warning = warning, .line = line, .column = column, .order = f->count, .field = field};
    fault->message = strdup(message);
    f->no_memory = f->no_memory || !fault->field || !fault->message;
    f->count++;
}

static char *field_of(const struct rmi_doc_node *node, const char *member) {
    struct rmi_sbuf path = {0};
    rmi_doc_path(node, &path);
    if (member)
        rmi_sbuf_addf(&path, "%s%s", path.len ? "." : "", member);
    return path.len ? rmi_sbuf_take(&path) : strdup("");
}

void rmi_fault_error(struct rmi_faults *f, const struct rmi_doc_node *node, const char *member, const char *format,
                     ...) {
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    add(f, false, node->line, node->column, field_of(node, member), message);
}

void rmi_fault_warning(struct rmi_faults *f, const struct rmi_doc_node *node, const char *member, const char *format,
                       ...) {
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    add(f, true, node->line, node->column, field_of(node, member), message);
}

void rmi_fault_at(struct rmi_faults *f, unsigned line, unsigned column, const char *message) {
    add(f, false, line, column, strdup(""), message);
}

static int by_place(const void *a, const void *b) {
    const struct rmi_fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void tell(const struct rmi_fault *fault, const char *file, rm_manifest_fault_fn fn, void *user) {
    struct rmi_sbuf text = {0};
    rm_manifest_fault out = {.warning = fault->warning,
                             .file = file,
                             .line = fault->line,
                             .column = fault->column,
                             .field = fault->field,
                             .message = fault->message};
    rmi_sbuf_addf(&text, "%s:%u:%u: %s%s%s%s", file, fault->line, fault->column, fault->warning ? "warning: " : "",
                  fault->field, fault->field[0] ? ": " : "", fault->message);
    out.text = rmi_sbuf_text(&text);
    fn(&out, user);
    rmi_sbuf_fini(&text);
}

void rmi_faults_tell(struct rmi_faults *f, const char *file, rm_manifest_fault_fn fn, void *user) {
    if (!fn)
        return;
    qsort(f->list, f->count, sizeof f->list[0], by_place);
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].field && f->list[i].message)
            tell(&f->list[i], file, fn, user);
    if (f->left_out > 0 && f->count > 0) {
        char message[64];
        struct rmi_fault rest = f->list[f->count - 1];
        char nothing[1] = "";
        snprintf(message, sizeof message, "and %zu more", f->left_out);
        rest.field = nothing;
        rest.message = message;
        rest.warning = false;
        tell(&rest, file, fn, user);
    }
}

void rmi_faults_fini(struct rmi_faults *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].field);
        free(f->list[i].message);
    }
    f->count = 0;
}
