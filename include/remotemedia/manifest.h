/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_MANIFEST_H
#define REMOTEMEDIA_MANIFEST_H

#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <remotemedia/node.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A RemoteMedia manifest, version "v1", in JSON or YAML: the nodes of a pipeline and how they are connected. It never
 * changes once it is loaded; holds are counted. Any thread. */
typedef struct rm_manifest rm_manifest;

#define RM_MANIFEST_BYTES_MAX (256 * 1024) /* longer texts are refused */
#define RM_MANIFEST_NODES_MAX 256
#define RM_MANIFEST_DEPTH_MAX 64  /* of nested objects and lists */
#define RM_MANIFEST_KEY_MAX 256   /* bytes of an object's key */
#define RM_MANIFEST_FAULTS_MAX 64 /* reported for one text */

/* One thing that is wrong, or, with `warning`, odd but accepted. Strings are valid during the callback only. */
typedef struct rm_manifest_fault {
    bool warning;
    const char *file;      /* as given */
    unsigned line, column; /* from 1 */
    const char *field;     /* "nodes[2].params.chunk_size"; "" for the whole text */
    const char *message;   /* "unknown node type \"VideoFlop\", did you mean \"VideoFlip\"?" */
    const char *text;      /* the whole line: FILE:LINE:COLUMN: FIELD: MESSAGE */
} rm_manifest_fault;

/* Called on the calling thread, once for each fault, in the order of the text. */
typedef void (*rm_manifest_fault_fn)(const rm_manifest_fault *fault, void *user);

typedef enum rm_manifest_format {
    RM_MANIFEST_AUTO = 0, /* YAML when the file name ends in .yaml or .yml, else JSON */
    RM_MANIFEST_JSON = 1,
    RM_MANIFEST_YAML = 2
} rm_manifest_format;

typedef struct rm_manifest_options {
    uint32_t struct_size;             /* set by rm_manifest_options_init */
    rm_manifest_format format;        /* default RM_MANIFEST_AUTO */
    const char *file;                 /* name for messages; default "manifest" (rm_manifest_load: the path) */
    const rm_node_registry *registry; /* check node types and parameters against it; NULL (default): not checked here,
                                         but when a session is made */
    rm_manifest_fault_fn on_fault;    /* NULL (default): not told */
    void *user;                       /* handed to on_fault */
} rm_manifest_options;

RM_API void rm_manifest_options_init(rm_manifest_options *options);

/* Reads a text of `len` bytes. `options` may be NULL. All faults are reported at once; *out is set on RM_OK only.
 *  RM_E_CONFIG       readable, but with faults
 *  RM_E_PARSE        not JSON or YAML; one fault tells where
 *  RM_E_TOO_BIG      longer than RM_MANIFEST_BYTES_MAX
 *  RM_E_INVALID_ARG, RM_E_NO_MEMORY */
RM_API rm_err rm_manifest_parse(const char *text, size_t len, const rm_manifest_options *options, rm_manifest **out);
/* The same for a file. RM_E_IO: it cannot be read; one fault tells why. */
RM_API rm_err rm_manifest_load(const char *path, const rm_manifest_options *options, rm_manifest **out);

/* Takes one more hold; returns manifest. */
RM_API rm_manifest *rm_manifest_ref(rm_manifest *manifest);
/* Drops one hold and nulls the pointer. Accepts NULL. */
RM_API void rm_manifest_unref(rm_manifest **manifest);

typedef struct rm_manifest_node {
    const char *id;
    const char *node_type;
    bool is_source; /* no connection leads to it: it gets the session's input */
    bool is_sink;   /* no connection leads from it: its output is the session's */
} rm_manifest_node;

/* metadata.name and metadata.description, "" when absent. Valid as long as the manifest. */
RM_API const char *rm_manifest_name(const rm_manifest *manifest);
RM_API const char *rm_manifest_description(const rm_manifest *manifest);
RM_API size_t rm_manifest_node_count(const rm_manifest *manifest);
/* RM_E_NOT_FOUND: index out of range. */
RM_API rm_err rm_manifest_get_node(const rm_manifest *manifest, size_t index, rm_manifest_node *out);
RM_API size_t rm_manifest_connection_count(const rm_manifest *manifest);
/* Indexes of nodes. RM_E_NOT_FOUND: index out of range. */
RM_API rm_err rm_manifest_get_connection(const rm_manifest *manifest, size_t index, size_t *from, size_t *to);

#ifdef __cplusplus
}
#endif

#endif
