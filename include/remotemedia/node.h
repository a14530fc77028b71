/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REMOTEMEDIA_NODE_H
#define REMOTEMEDIA_NODE_H

#include <remotemedia/data.h>
#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a node is written: one constant rm_node_class, in the program itself (rm_node_registry_add) or in a shared object
 * (rm_node_registry_load) that exports
 *
 *     RM_NODE_EXPORT const rm_node_class *const *rm_node_plugin(uint32_t abi_version, size_t *count);
 *
 * A node is used by one thread at a time: create on the thread that opens the session, then process and flush on one
 * thread of the session, destroy when that thread has ended. */

/* Changes when a structure of this header changes its meaning. What is added at the end of rm_node_class does not
 * change it: struct_size tells. */
#define RM_NODE_ABI_VERSION 1

typedef enum rm_param_type {
    RM_PARAM_BOOL = 1,
    RM_PARAM_INT = 2,
    RM_PARAM_NUMBER = 3,
    RM_PARAM_STRING = 4,
    RM_PARAM_JSON = 5 /* any value */
} rm_param_type;

/* One parameter. Manifests may write its name in snake_case or in camelCase. */
typedef struct rm_node_param {
    const char *name; /* snake_case */
    rm_param_type type;
    const char *default_json; /* JSON text, e.g. "512" or "\"vertical\""; NULL: no default (absent, or required) */
    bool required;
    double min, max;     /* inclusive, of RM_PARAM_INT and RM_PARAM_NUMBER; both 0: no range */
    const char *choices; /* "vertical|horizontal|both": the only texts of an RM_PARAM_STRING, or texts that an
                            RM_PARAM_INT or RM_PARAM_NUMBER takes beside numbers; NULL: none */
    const char *summary; /* one line, with the unit */
} rm_node_param;

/* The values of one node: what the manifest says, checked, with the defaults for the rest. Valid during create only. */
typedef struct rm_node_params rm_node_params;

RM_API bool rm_node_params_has(const rm_node_params *params, const char *name); /* there, and not null */
/* `otherwise` when the parameter is absent or of another kind. */
RM_API bool rm_node_params_bool(const rm_node_params *params, const char *name, bool otherwise);
RM_API int64_t rm_node_params_int(const rm_node_params *params, const char *name, int64_t otherwise);
RM_API double rm_node_params_number(const rm_node_params *params, const char *name, double otherwise);
RM_API const char *rm_node_params_string(const rm_node_params *params, const char *name, const char *otherwise);
/* All values as JSON text (free with rm_json_free); NULL without memory. */
RM_API char *rm_node_params_json(const rm_node_params *params);

/* What a node has of its surroundings while it works. */
typedef struct rm_node_context rm_node_context;

/* Hands one output to every successor, or to the session's caller when there is none. Takes the reference, also on
 * failure. It carries the sequence and the metadata of the input being processed.
 *  RM_E_INVALID_ARG  data is NULL
 *  RM_E_CLOSED       the session is being closed; return soon */
RM_API rm_err rm_node_emit(rm_node_context *context, rm_runtime_data *data);
/* A sentence for the error that process is about to return; the caller of the session sees it with the node's id. */
RM_API void rm_node_fail(rm_node_context *context, const char *format, ...) RM_PRINTF(2, 3);
/* Whether the session is being closed, or the call interrupted (port "barge_in" of <remotemedia/bus.h>): a node that
 * works for long should look and return RM_E_CLOSED. */
RM_API bool rm_node_cancelled(const rm_node_context *context);
/* Ids as in the manifest and of the session. Valid as long as the node. */
RM_API const char *rm_node_id(const rm_node_context *context);
RM_API const char *rm_node_session_id(const rm_node_context *context);

/* Frames to be written and emitted, from memory that the node's context keeps and uses again: no heap call in the
 * steady state. When very many are in use at once, further ones come from the heap. They carry the stream id, the
 * arrival time and, each kind to its own kind, the metadata or frame number of the input being processed; all else as
 * if constructed. What they hold is what an earlier frame left: write all of it. Only in create, process and flush;
 * frames may be kept longer than the node lives. *out is untouched on failure. RM_E_INVALID_ARG  a value that the
 * constructors of <remotemedia/data.h> do not take RM_E_NO_MEMORY */

/* I420 with even sides; timestamp_us >= 0. Rows may lie further apart than they are wide (rm_video.strides). Write
 * through rm_runtime_data_write_plane. */
RM_API rm_err rm_node_new_video(rm_node_context *context, uint32_t width, uint32_t height, int64_t timestamp_us,
                                rm_runtime_data **out);
/* Room for `sample_count` samples of all channels together, more than 0; rm_runtime_data_set_sample_count shortens.
 * Without a time: rm_runtime_data_set_timestamp_us. */
RM_API rm_err rm_node_new_audio(rm_node_context *context, size_t sample_count, uint32_t sample_rate, uint32_t channels,
                                rm_runtime_data **out);

typedef enum rm_node_flags {
    RM_NODE_OWN_THREAD = 1 /* may take longer than a few milliseconds: gets a thread of its own in each session */
} rm_node_flags;

typedef struct rm_node_class {
    uint32_t abi_version; /* RM_NODE_ABI_VERSION */
    uint32_t struct_size; /* sizeof(rm_node_class) */
    const char *name;     /* node_type of manifests: 1..64 letters, digits, _ - . */
    const char *summary;  /* one line */
    const char *accepts;  /* kinds of data it works on, e.g. "audio"; others it passes on. NULL: every kind */
    uint32_t flags;       /* rm_node_flags */
    const rm_node_param *params;
    size_t param_count;
    /* Makes the state of one node. NULL: the node has none. An error ends the making of the session; the sentence may
     * be set with rm_node_fail. */
    rm_err (*create)(rm_node_context *context, const rm_node_params *params, void **state);
    /* Works on one input; emits none, one or many outputs. The input stays the session's: emit
     * rm_runtime_data_ref(input) to pass it on. When nobody else holds it (rm_runtime_data_write_samples and the like
     * tell) it may be changed in place. An error is dealt with by the node's policy (`on_error`) and told to the
     * session's caller. */
    rm_err (*process)(void *state, rm_node_context *context, rm_runtime_data *input);
    /* No more input: emit what is held back. NULL: nothing to do. */
    rm_err (*flush)(void *state, rm_node_context *context);
    void (*destroy)(void *state); /* NULL: nothing to do. Called for each state that create made */
} rm_node_class;

/* What a plug-in exports: `count` classes (which live as long as the plug-in is loaded), or NULL when it does not serve
 * this version of the interface. */
typedef const rm_node_class *const *(*rm_node_plugin_fn)(uint32_t abi_version, size_t *count);
#define RM_NODE_PLUGIN_SYMBOL "rm_node_plugin"
#ifdef __cplusplus
#define RM_NODE_EXPORT extern "C" RM_API
#else
#define RM_NODE_EXPORT RM_API
#endif

/* The known node types. Any thread. */
typedef struct rm_node_registry rm_node_registry;

/* A registry with the built-in nodes. RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
RM_API rm_err rm_node_registry_create(rm_node_registry **out);
/* Gives up the caller's hold and nulls the pointer; runners keep theirs. Accepts NULL. */
RM_API void rm_node_registry_destroy(rm_node_registry **registry);
/* Adds a node type; `node_class` must outlive the registry. `detail` (may be NULL) receives a sentence on failure.
 *  RM_E_EXISTS       the name is taken
 *  RM_E_UNSUPPORTED  made for another version of this interface
 *  RM_E_INVALID_ARG  the class is not well formed
 *  RM_E_NO_MEMORY */
RM_API rm_err rm_node_registry_add(rm_node_registry *registry, const rm_node_class *node_class, char *detail,
                                   size_t detail_size);
/* Loads a shared object and adds all its node types, or none. It runs with the rights of this process: load only files
 * you trust. `path` has a slash, so that no search path decides. Errors of rm_node_registry_add, and
 *  RM_E_IO           it cannot be loaded
 *  RM_E_NOT_FOUND    it does not export rm_node_plugin, or no node */
RM_API rm_err rm_node_registry_load(rm_node_registry *registry, const char *path, char *detail, size_t detail_size);
RM_API size_t rm_node_registry_count(const rm_node_registry *registry);
/* The classes in order of their names; NULL when index is out of range. */
RM_API const rm_node_class *rm_node_registry_get(const rm_node_registry *registry, size_t index);
/* NULL: not known. */
RM_API const rm_node_class *rm_node_registry_find(const rm_node_registry *registry, const char *name);

#ifdef __cplusplus
}
#endif

#endif
