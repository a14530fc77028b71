/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/manifest_json.h"
#include "runtime/manifest_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rm_manifest_options_init(rm_manifest_options *options) {
    memset(options, 0, sizeof *options);
    options->struct_size = (uint32_t)sizeof *options;
    options->file = "manifest";
}

static bool is_yaml(const rm_manifest_options *o) {
    if (o->format != RM_MANIFEST_AUTO)
        return o->format == RM_MANIFEST_YAML;
    const char *dot = strrchr(o->file, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static void destroy(struct rm_manifest *m) {
    rmi_doc_free(&m->doc);
    free(m->nodes);
    free(m->edges);
    free(m->order);
    free(m);
}

static rm_err parse_into(struct rm_manifest *m, const char *text, size_t len, const rm_manifest_options *o,
                         struct rmi_faults *f) {
    struct rmi_doc_error error = {0};
    if (len > RM_MANIFEST_BYTES_MAX) {
        snprintf(error.message, sizeof error.message, "%zu bytes, at most %d are accepted", len, RM_MANIFEST_BYTES_MAX);
        rmi_fault_at(f, 1, 1, error.message);
        return RM_E_TOO_BIG;
    }
    rm_err err = (is_yaml(o) ? rmi_doc_parse_yaml : rmi_doc_parse_json)(text, len, &m->doc, &error);
    if (err == RM_E_PARSE)
        rmi_fault_at(f, error.line, error.column, error.message);
    if (!err)
        err = rmi_manifest_read(m, f);
    if (!err && o->registry)
        err = rmi_manifest_check_types(m, o->registry, f);
    if (!err && f->no_memory)
        err = RM_E_NO_MEMORY;
    return !err && f->errors ? RM_E_CONFIG : err;
}

static bool options_valid(const rm_manifest_options *o) {
    return o->struct_size == sizeof *o && o->file && o->format >= RM_MANIFEST_AUTO && o->format <= RM_MANIFEST_YAML;
}

rm_err rm_manifest_parse(const char *text, size_t len, const rm_manifest_options *options, rm_manifest **out) {
    rm_manifest_options defaults;
    rm_manifest_options_init(&defaults);
    const rm_manifest_options *o = options ? options : &defaults;
    if ((!text && len > 0) || !out || !options_valid(o))
        return RM_E_INVALID_ARG;
    struct rm_manifest *m = calloc(1, sizeof *m);
    struct rmi_faults *f = calloc(1, sizeof *f);
    rm_err err = m && f ? RM_OK : RM_E_NO_MEMORY;
    if (!err) {
        atomic_init(&m->refs, 1);
        err = parse_into(m, text ? text : "", len, o, f);
        rmi_faults_tell(f, o->file, o->on_fault, o->user);
        rmi_faults_fini(f);
    }
    free(f);
    if (err && m)
        destroy(m);
    else if (!err)
        *out = m;
    return err;
}

static void tell_io(const char *path, const rm_manifest_options *o, const char *reason) {
    struct rmi_faults *f = calloc(1, sizeof *f);
    if (!f)
        return;
    rmi_fault_at(f, 1, 1, reason);
    rmi_faults_tell(f, path, o->on_fault, o->user);
    rmi_faults_fini(f);
    free(f);
}

rm_err rm_manifest_load(const char *path, const rm_manifest_options *options, rm_manifest **out) {
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    if (options)
        o = *options;
    if (!path || !out || !options_valid(&o))
        return RM_E_INVALID_ARG;
    o.file = path;
    char *text = malloc(RM_MANIFEST_BYTES_MAX + 1); /* one more, so that parsing sees that it is too long */
    if (!text)
        return RM_E_NO_MEMORY;
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(text, 1, RM_MANIFEST_BYTES_MAX + 1, file) : 0;
    rm_err err = !file || ferror(file) ? RM_E_IO : RM_OK;
    if (file)
        fclose(file);
    if (err)
        tell_io(path, &o, file ? "the file cannot be read" : "the file cannot be opened; check its name");
    else
        err = rm_manifest_parse(text, len, &o, out);
    free(text);
    return err;
}

rm_manifest *rm_manifest_ref(rm_manifest *manifest) {
    atomic_fetch_add_explicit(&manifest->refs, 1, memory_order_relaxed);
    return manifest;
}

void rm_manifest_unref(rm_manifest **manifest) {
    struct rm_manifest *m = manifest ? *manifest : NULL;
    if (!m)
        return;
    *manifest = NULL;
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        destroy(m);
}

const json_t *rmi_manifest_json(const rm_manifest *manifest) {
    return manifest->doc.value;
}

const char *rm_manifest_name(const rm_manifest *manifest) {
    return manifest->name;
}

const char *rm_manifest_description(const rm_manifest *manifest) {
    return manifest->description;
}

size_t rm_manifest_node_count(const rm_manifest *manifest) {
    return manifest->node_count;
}

rm_err rm_manifest_get_node(const rm_manifest *manifest, size_t index, rm_manifest_node *out) {
    if (index >= manifest->node_count)
        return RM_E_NOT_FOUND;
    const struct rmi_manifest_node *n = &manifest->nodes[index];
    *out = (rm_manifest_node){
        .id = n->id, .node_type = n->type, .is_source = n->in_count == 0, .is_sink = n->out_count == 0};
    return RM_OK;
}

size_t rm_manifest_connection_count(const rm_manifest *manifest) {
    return manifest->edge_count;
}

rm_err rm_manifest_get_connection(const rm_manifest *manifest, size_t index, size_t *from, size_t *to) {
    if (index >= manifest->edge_count)
        return RM_E_NOT_FOUND;
    *from = manifest->edges[index].from;
    *to = manifest->edges[index].to;
    return RM_OK;
}
